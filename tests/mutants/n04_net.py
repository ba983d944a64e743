"""Planted bugs of N04, second half: the two-layer net, its training, and a net built by hand."""

import numpy as np

from cs231n_lib.optim import SGD
from cs231n_lib.solver import Solver
from tests.mutants import bug, wrong_answer
from tests.mutants.n04_layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss


class RightNet:
    """A right answer that the bugs below change in one place."""

    def __init__(self, *, input_dim, hidden_dim, num_classes, weight_scale=1e-3, reg=0.0, seed):
        rng = np.random.default_rng(seed)
        self.reg = reg
        self.params = {
            "W1": weight_scale * rng.normal(size=(input_dim, hidden_dim)),
            "b1": np.zeros(hidden_dim),
            "W2": weight_scale * rng.normal(size=(hidden_dim, num_classes)),
            "b2": np.zeros(num_classes),
        }

    def penalty(self):
        return 0.5 * self.reg * sum(np.sum(self.params[key] ** 2) for key in ("W1", "W2"))

    def decay(self, key):
        return self.reg * self.params[key] if key in ("W1", "W2") else 0

    def scores(self, X):
        p = self.params
        a, affine1 = affine_forward(X, p["W1"], p["b1"])
        hidden, relu = relu_forward(a)
        scores, affine2 = affine_forward(hidden, p["W2"], p["b2"])
        return scores, (affine1, relu, affine2)

    def down(self, dhidden, relu):
        return relu_backward(dhidden, relu)

    def loss(self, X, y=None):
        scores, (affine1, relu, affine2) = self.scores(X)
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dhidden, dw2, db2 = affine_backward(dscores, affine2)
        _, dw1, db1 = affine_backward(self.down(dhidden, relu), affine1)
        grads = {"W1": dw1, "b1": db1, "W2": dw2, "b2": db2}
        return loss + self.penalty(), {key: grad + self.decay(key) for key, grad in grads.items()}


NET = "net-TwoLayerNet"


@bug(NET, symptom="reg-not-half")
class RegularizesByOne(RightNet):
    def penalty(self):
        return 2 * super().penalty()

    def decay(self, key):
        return 2 * super().decay(key)


@bug(NET, symptom="reg-doubled")
class RegularizesByTwo(RightNet):
    def penalty(self):
        return 4 * super().penalty()


@bug(NET, symptom="reg-quarter")
class RegularizesByAQuarter(RightNet):
    def penalty(self):
        return super().penalty() / 2


@bug(NET, symptom="reg-biases")
class RegularizesBiases(RightNet):
    def penalty(self):
        return 0.5 * self.reg * sum(np.sum(value**2) for value in self.params.values())

    def decay(self, key):
        return self.reg * self.params[key]


@bug(NET, symptom="reg-biases")
class RegularizesBiasesInTheGradientOnly(RightNet):
    def decay(self, key):
        return self.reg * self.params[key]


@bug(NET, symptom="reg-missing")
class NeverRegularizes(RightNet):
    def penalty(self):
        return 0.0

    def decay(self, key):
        return 0.0


@bug(NET, symptom="reg-grad-missing")
class RegularizesTheLossOnly(RightNet):
    def decay(self, key):
        return 0.0


@bug(NET, symptom="reg-grad-double")
class DoublesTheDecay(RightNet):
    def decay(self, key):
        return 2 * super().decay(key)


@bug(NET, symptom="reg-grad-half")
class HalvesTheDecay(RightNet):
    def decay(self, key):
        return super().decay(key) / 2


@bug(NET, symptom="reg-one-layer")
class RegularizesTheFirstLayerOnly(RightNet):
    def penalty(self):
        return 0.5 * self.reg * np.sum(self.params["W1"] ** 2)


@bug(NET, symptom="reg-one-layer")
class RegularizesTheLastLayerOnly(RightNet):
    def penalty(self):
        return 0.5 * self.reg * np.sum(self.params["W2"] ** 2)


@bug(NET, symptom="reg-norm")
class RegularizesByTheNorm(RightNet):
    def penalty(self):
        return 0.5 * self.reg * (np.linalg.norm(self.params["W1"]) + np.linalg.norm(self.params["W2"]))


@bug(NET, symptom="relu-on-scores")
class ReluAfterTheLastLayer(RightNet):
    def scores(self, X):
        scores, caches = super().scores(X)
        return np.maximum(scores, 0), caches


@bug(NET, symptom="no-relu")
class ForgetsTheRelu(RightNet):
    def scores(self, X):
        p = self.params
        a, affine1 = affine_forward(X, p["W1"], p["b1"])
        scores, affine2 = affine_forward(a, p["W2"], p["b2"])
        return scores, (affine1, a, affine2)


@bug(NET, symptom="skips-relu")
class SkipsReluOnTheWayDown(RightNet):
    def down(self, dhidden, relu):
        return dhidden


@bug(NET, symptom="probabilities")
class ReturnsProbabilities(RightNet):
    def loss(self, X, y=None):
        if y is not None:
            return super().loss(X, y)
        e = np.exp(super().loss(X))
        return e / e.sum(axis=1, keepdims=True)


@bug(NET, symptom="no-b2")
class ForgetsTheLastBias(RightNet):
    def scores(self, X):
        scores, caches = super().scores(X)
        return scores - self.params["b2"], caches


@bug(NET, symptom="no-b1")
class ForgetsTheFirstBias(RightNet):
    def scores(self, X):
        kept = self.params
        self.params = kept | {"b1": 0 * kept["b1"]}
        scores = super().scores(X)
        self.params = kept
        return scores


@bug(NET, symptom="grad-keys")
class NamesGradientsOtherwise(RightNet):
    def loss(self, X, y=None):
        found = super().loss(X, y)
        return found if y is None else (found[0], {f"d{key}": grad for key, grad in found[1].items()})


@bug(NET, symptom="grad-sign")
class PointsDownhill(RightNet):
    def loss(self, X, y=None):
        found = super().loss(X, y)
        return found if y is None else (found[0], {key: -grad for key, grad in found[1].items()})


@bug(NET, symptom="grad-times-n")
class MultipliesByN(RightNet):
    def loss(self, X, y=None):
        found = super().loss(X, y)
        return found if y is None else (found[0], {key: len(X) * grad for key, grad in found[1].items()})


@bug(NET, symptom="loss-sum")
class SumsTheLoss(RightNet):
    def loss(self, X, y=None):
        found = super().loss(X, y)
        return found if y is None else (found[0] * len(X), found[1])


@bug(NET, symptom="scores-not-alone")
class AlwaysReturnsAPair(RightNet):
    def loss(self, X, y=None):
        return (super().loss(X), {}) if y is None else super().loss(X, y)


@bug(NET, symptom="changes-params")
class MovesTheParameters(RightNet):
    def loss(self, X, y=None):
        found = super().loss(X, y)
        if y is not None:
            self.params["W1"] = self.params["W1"] - 1e-3 * found[1]["W1"]
        return found


@bug(NET, symptom="mutates")
class CentresXInPlace(RightNet):
    def loss(self, X, y=None):
        X -= X.mean()
        return super().loss(X, y)


@bug(NET, symptom="params")
class KeepsWeightsElsewhere(RightNet):
    def __init__(self, **options):
        super().__init__(**options)
        self.W1, self.W2 = self.params.pop("W1"), self.params.pop("W2")


@bug(NET, symptom="values")
class KeepsACopyOfTheParameters(RightNet):
    def __init__(self, **options):
        super().__init__(**options)
        self.first = self.params

    def scores(self, X):
        now, self.params = self.params, self.first
        scores = super().scores(X)
        self.params = now
        return scores


@bug(NET, symptom="seed-ignored")
class DrawsUnseeded(RightNet):
    def __init__(self, *, seed, **options):
        super().__init__(seed=None, **options)


@bug(NET, symptom="seed-fixed")
class DrawsFromItsOwnSeed(RightNet):
    def __init__(self, *, seed, **options):
        super().__init__(seed=0, **options)


@bug(NET, symptom="same-draws")
class SeedsTwice(RightNet):
    def __init__(self, *, seed, weight_scale=1e-3, **options):
        super().__init__(seed=seed, weight_scale=weight_scale, **options)
        self.params["W2"] = weight_scale * np.random.default_rng(seed).normal(size=self.params["W2"].shape)


@bug(NET, symptom="equal-weights")
class StartsAtZero(RightNet):
    def __init__(self, **options):
        super().__init__(**options | {"weight_scale": 0.0})


@bug(NET, symptom="weight-scale")
class IgnoresTheScale(RightNet):
    def __init__(self, **options):
        super().__init__(**options | {"weight_scale": 1e-3})


@bug(NET, symptom="weight-scale")
class DrawsUniformly(RightNet):
    def __init__(self, *, weight_scale=1e-3, seed, **options):
        super().__init__(weight_scale=weight_scale, seed=seed, **options)
        rng = np.random.default_rng(seed)
        for key in ("W1", "W2"):
            self.params[key] = weight_scale * rng.uniform(-1, 1, size=self.params[key].shape)


@bug(NET, symptom="weight-mean")
class DrawsPositiveWeights(RightNet):
    def __init__(self, *, weight_scale=1e-3, seed, **options):
        super().__init__(weight_scale=weight_scale, seed=seed, **options)
        for key in ("W1", "W2"):
            self.params[key] += weight_scale


@bug(NET, symptom="bias-drawn")
class DrawsBiases(RightNet):
    def __init__(self, **options):
        super().__init__(**options)
        self.params["b1"] = self.params["b1"] + 0.01


@bug(NET, symptom="default")
class AnotherDefault(RightNet):
    def __init__(self, *, weight_scale=1e-2, **options):
        super().__init__(weight_scale=weight_scale, **options)


@bug(NET, symptom="shape")
class TransposedWeights(RightNet):
    def __init__(self, **options):
        super().__init__(**options)
        self.params["W1"] = self.params["W1"].T


def train_right(X, y, X_val, y_val, *, epochs=10, scale=1e-2, rate=0.1, hidden=64, reg=1e-3):
    net = RightNet(
        input_dim=X.shape[1], hidden_dim=hidden, num_classes=int(y.max()) + 1, weight_scale=scale, reg=reg, seed=0
    )
    solver = Solver(net, (X, y), (X_val, y_val), optimizer=SGD(learning_rate=rate), rng=np.random.default_rng(0))
    return net, solver.train(num_epochs=epochs, batch_size=100, progress=False)


TRAIN = "net-train"


@bug(TRAIN, symptom="at-chance")
def returns_an_untrained_net(X_train, y_train, X_val, y_val):
    _, history = train_right(X_train, y_train, X_val, y_val, epochs=1)
    return RightNet(input_dim=X_train.shape[1], hidden_dim=64, num_classes=8, seed=0), history


@bug(TRAIN, symptom="at-chance")
def far_too_small_steps(X_train, y_train, X_val, y_val):
    return train_right(X_train, y_train, X_val, y_val, epochs=2, rate=1e-6)


@bug(TRAIN, symptom="at-chance")
def shuffles_rows_without_labels(X_train, y_train, X_val, y_val):
    return train_right(np.random.default_rng(0).permutation(X_train), y_train, X_val, y_val, epochs=5)


@bug(TRAIN, symptom="undertrained")
def one_hidden_unit_for_each_two_classes(X_train, y_train, X_val, y_val):
    return train_right(X_train, y_train, X_val, y_val, hidden=4)


@bug(TRAIN, symptom="undertrained")
def sees_forty_pictures_only(X_train, y_train, X_val, y_val):
    return train_right(X_train[:40], y_train[:40], X_val, y_val, epochs=60)


@bug(TRAIN, symptom="diverged")
def steps_too_long(X_train, y_train, X_val, y_val):
    return train_right(1e3 * X_train, y_train, X_val, y_val, epochs=3, rate=1e5)


@bug(TRAIN, symptom="not-a-net")
def returns_the_history_only(X_train, y_train, X_val, y_val):
    return train_right(X_train, y_train, X_val, y_val, epochs=1)[1]


@bug(TRAIN, symptom="no-return")
def returns_nothing(X_train, y_train, X_val, y_val):
    train_right(X_train, y_train, X_val, y_val, epochs=1)


@bug(TRAIN, symptom="mutates")
def standardizes_in_place(X_train, y_train, X_val, y_val):
    X_train -= X_train.mean(axis=0)
    return train_right(X_train, y_train, X_val, y_val, epochs=1)


BY_HAND = {
    "W1": [[1, -1, 1, -1], [1, -1, -1, 1]],
    "b1": [0, 0, 0, 0],
    "W2": [[1, 0], [1, 0], [0, 1], [0, 1]],
    "b2": [0, 0],
}
QUESTION = "net-q1"
swapped = BY_HAND | {"W2": [[0, 1], [0, 1], [1, 0], [1, 0]]}
wrong_answer(QUESTION, "classes_exchanged", swapped, symptom="exchanged")
one_sided = {"W1": [[1, 1], [1, -1]], "b1": [0, 0], "W2": [[1, 0], [0, 1]], "b2": [0, 0]}
wrong_answer(QUESTION, "one_side_of_each_diagonal", one_sided, symptom="wrong-side")
wrong_answer(QUESTION, "a_bias_left_over", BY_HAND | {"b1": [0.05, 0, 0, 0]}, symptom="wrong-side")
all_equal = BY_HAND | {"W2": [[1, 1], [1, 1], [1, 1], [1, 1]]}
wrong_answer(QUESTION, "equal_scores", all_equal, symptom="equal-scores")
five = {
    "W1": [[1, -1, 1, -1, 0], [1, -1, -1, 1, 0]],
    "b1": [0] * 5,
    "W2": [[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]],
    "b2": [0, 0],
}
wrong_answer(QUESTION, "five_units", five, symptom="units")
wrong_answer(QUESTION, "transposed_w1", BY_HAND | {"W1": np.array(BY_HAND["W1"]).T}, symptom="shape")
wrong_answer(QUESTION, "no_biases", {"W1": BY_HAND["W1"], "W2": BY_HAND["W2"]}, symptom="keys")
wrong_answer(QUESTION, "ragged", BY_HAND | {"W2": [[1, 0], [1]]}, symptom="not-numbers")
