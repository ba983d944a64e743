"""Unusual right answers to N04, second half: nets without the layers, other optimizers by hand, other quadrants."""

import numpy as np

from tests.alternates import UNUSUAL, unusual


@unusual("net-TwoLayerNet")
class EverythingInOnePlace:
    """float64, uses none of the layers, and weighs the rows through a scale."""

    def __init__(self, *, input_dim, hidden_dim, num_classes, weight_scale=0.001, reg=0.0, seed=0):
        generator = np.random.Generator(np.random.PCG64(seed))
        W2 = generator.normal(0, weight_scale, (hidden_dim, num_classes))
        W1 = generator.normal(0, weight_scale, (input_dim, hidden_dim))
        self.strength, self.params = reg, {"b2": np.zeros(num_classes), "W2": W2, "b1": np.zeros(hidden_dim), "W1": W1}

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[key] for key in ("W1", "b1", "W2", "b2"))
        rows = X.reshape(X.shape[0], -1)
        hidden = rows @ W1
        hidden += b1
        np.maximum(hidden, 0, out=hidden)
        out = hidden @ W2 + b2
        if y is None:
            return out
        p = np.exp(out - out.max(1)[:, None])
        total = p.sum(1)
        chosen = (out - out.max(1)[:, None])[range(len(y)), y]
        value = np.mean(np.log(total) - chosen)
        p /= total[:, None]
        p[range(len(y)), y] -= 1.0
        p /= len(y)
        back = p @ W2.T * (hidden > 0)
        for weights in (W1, W2):
            value = value + np.square(weights).sum() * self.strength / 2
        grads = {"b1": back.sum(0), "W1": rows.T @ back + self.strength * W1}
        grads["b2"], grads["W2"] = p.sum(0), hidden.T @ p + W2 * self.strength
        return value, grads


def net_of_lists(input_dim=None, hidden_dim=None, num_classes=None, weight_scale=1e-3, reg=0.0, seed=None):
    """A function that makes the object, with float32 weights from the old generator."""
    net = EverythingInOnePlace(input_dim=input_dim, hidden_dim=hidden_dim, num_classes=num_classes, reg=reg, seed=0)
    state = np.random.RandomState(seed)
    for key in ("W1", "W2"):
        net.params[key] = (weight_scale * state.randn(*net.params[key].shape)).astype(np.float32)
    return net


unusual("net-TwoLayerNet")(net_of_lists)


@unusual("net-train")
def momentum_by_hand(X_train, y_train, X_val, y_val, *, progress=False):
    """Its own loop, momentum, He's initial weights; one unit too many for each class; returns the net alone."""
    rng = np.random.default_rng(5)
    scale = np.sqrt(2 / X_train.shape[1])
    classes = len(set(y_train.tolist()))
    net = EverythingInOnePlace(
        input_dim=X_train.shape[1], hidden_dim=48, num_classes=classes, weight_scale=scale, reg=1e-4, seed=3
    )
    speed = dict.fromkeys(net.params, 0.0)
    for _ in range(15):
        order = rng.permutation(len(X_train))
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            for key, grad in net.loss(X_train[chosen], y_train[chosen])[1].items():
                speed[key] = 0.9 * speed[key] - 0.02 * grad
                net.params[key] = net.params[key] + speed[key]
    return net, None


@unusual("net-train")
def whole_passes_with_decay(X_train, y_train, X_val, y_val, *, progress=False):
    """Large batches, a rate that falls, and ten scores though there are fewer classes."""
    net = EverythingInOnePlace(input_dim=X_train.shape[1], hidden_dim=60, num_classes=10, weight_scale=0.05, seed=1)
    for step in range(150):
        rows = np.arange(step % 4, len(X_train), 4)
        grads = net.loss(X_train[rows], y_train[rows])[1]
        for key in net.params:
            net.params[key] = net.params[key] - 0.5 * 0.995**step * grads[key]
    return net, {"loss": [1.0]}


pulled = {
    # min(|x|, |y|) with a sign, as relu(x + y) - relu(x - y) - relu(y - x) + relu(-x - y), for class 0 alone
    "W1": np.array([[2.0, 2.0, -2.0, -2.0], [2.0, -2.0, 2.0, -2.0]]),
    "b1": np.zeros(4),
    "W2": np.array([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]),
    "b2": [0.0, 0.0],
}
UNUSUAL.append(("net-q1", pulled))
UNUSUAL.append(("net-q1", {key: np.asarray(value, dtype=np.float32) for key, value in pulled.items()}))
