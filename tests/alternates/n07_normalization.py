"""Right answers to N07, written as hardly anybody would write them."""

import math

import numpy as np

from tests.alternates import UNUSUAL, unusual

UNUSUAL += [
    ("norm-q1", ["F", "b", "A"]),
    ("norm-q2", ("A", "C", "B")),
    ("norm-q3", {"layer": "c", "batch": "b"}),
    ("norm-q4", np.array(["A", "C", "D"])),
]
BACKWARD = ("norm-batchnorm_backward", "norm-batchnorm_backward_alt")


@unusual("norm-batchnorm_forward")
def column_by_column(inputs, g, b, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    running_mean, running_var = running_mean.copy(), running_var.copy()
    used, out = [], np.empty(inputs.shape)
    for j in range(inputs.shape[1]):
        column = inputs[:, j].astype(np.float64)
        m, v = running_mean[j], running_var[j]
        if train:
            m = math.fsum(column) / len(column)
            v = math.fsum((column - m) ** 2) / len(column)
            running_mean[j] += (1 - momentum) * (m - running_mean[j])
            running_var[j] += (1 - momentum) * (v - running_var[j])
        used.append((m, v))
        out[:, j] = (column - m) * g[j] / math.sqrt(v + eps) + b[j]
    m, v = np.array(used).T
    return out, [inputs, g, m, v, eps], running_mean, running_var


@unusual("norm-batchnorm_forward")
def mean_of_squares_and_one_scale(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    x64 = np.asarray(x, dtype=np.float64)
    if not train:
        scale = gamma * np.power(running_var + eps, -0.5)
        return x64 * scale + (beta - running_mean * scale), None, running_mean, running_var
    ones = np.full(len(x64), 1 / len(x64))
    mu = ones @ x64
    var = ones @ np.square(x64) - mu**2
    out = (x64 - mu) * (gamma * (var + eps) ** -0.5)
    out += beta
    new = [(1 - momentum) * now + momentum * old for now, old in ((mu, running_mean), (var, running_var))]
    return out, (x, gamma, mu, var, eps), new[0], new[1]


@unusual(*BACKWARD)
def by_the_jacobian(dout, cache):
    x, gamma, mean, var, eps = cache
    n, std = len(x), np.sqrt(np.float64(var) + eps)
    x_hat = (x - mean) / std
    dx = np.empty(dout.shape)
    for j in range(dout.shape[1]):
        if n <= 100:
            jacobian = (np.eye(n) - 1 / n - np.outer(x_hat[:, j], x_hat[:, j]) / n) / std[j]
            dx[:, j] = gamma[j] * (jacobian @ dout[:, j])
        else:
            along = x_hat[:, j] @ dout[:, j] / n
            dx[:, j] = gamma[j] / std[j] * (dout[:, j] - dout[:, j].mean() - along * x_hat[:, j])
    return dx, np.einsum("nd,nd->d", dout, x_hat), np.ones(n) @ dout


@unusual(*BACKWARD)
def a_node_for_every_step(dout, cache):
    x, gamma, mean, var, eps = cache
    n = x.shape[0]
    xmu = x - mean
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * (xmu * ivar), axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dvar = 0.5 * ivar * (-1.0 / sqrtvar**2) * divar
    dsq = np.ones(x.shape) * dvar / n
    dxmu1 += 2 * xmu * dsq
    return [dxmu1 + np.ones(x.shape) * -np.sum(dxmu1, axis=0) / n, dgamma, dbeta]


@unusual("norm-layernorm_forward")
def through_the_transpose(x, gamma, beta, *, eps=1e-5):
    turned = x.T
    mean, var = np.mean(turned, axis=0), np.var(turned, axis=0)
    out = ((turned - mean) / np.sqrt(var + eps)).T
    return out * gamma + beta, (x, gamma, mean[:, None], var[:, None], eps)


@unusual("norm-layernorm_forward")
def row_by_row(x, gamma, beta, *, eps=1e-5):
    rows, means, variances = [], [], []
    for row in x:
        m = sum(row) / len(row)
        v = sum((entry - m) ** 2 for entry in row) / len(row)
        rows.append([g * (entry - m) / math.sqrt(v + eps) + b for entry, g, b in zip(row, gamma, beta, strict=True)])
        means.append([m])
        variances.append([v])
    return np.array(rows), (x, gamma, np.array(means), np.array(variances), eps)


@unusual("norm-layernorm_backward")
def batch_norm_of_the_transpose(dout, cache):
    x, gamma, mean, var, eps = cache
    dx = by_the_jacobian((dout * gamma).T, (x.T, np.ones(len(x)), mean[:, 0], var[:, 0], eps))[0].T
    return dx, (dout * (x - mean) / np.sqrt(var + eps)).sum(axis=0), dout.sum(axis=0)


@unusual("norm-layernorm_backward")
def row_by_row_backward(dout, cache):
    x, gamma, mean, var, eps = cache
    dx, dgamma = np.zeros(x.shape), np.zeros(x.shape[1])
    for i, row in enumerate(x):
        std = math.sqrt(float(var[i, 0]) + eps)
        x_hat = (row - mean[i]) / std
        np.add.at(dgamma, np.arange(len(row)), dout[i] * x_hat)
        upstream = dout[i] * gamma
        dx[i] = (upstream - np.mean(upstream) - x_hat * np.dot(upstream, x_hat) / len(row)) / std
    return dx, dgamma, np.einsum("nd->d", dout)


def fresh_state(params):
    """Return means of 0 and variances of 1, made from gamma's names where the notebook counts layers."""
    widths = {name[5:]: len(value) for name, value in params.items() if name.startswith("gamma")}
    return {f"mean{i}": np.zeros(w) for i, w in widths.items()} | {f"var{i}": np.ones(w) for i, w in widths.items()}


@unusual("norm-NormalizedNet")
class OnItsOwnLayers:
    """Uses no layer of the notebook; keeps the state as new dicts; calls the norm by name."""

    def __init__(self, params, *, norm_forward, norm_backward):
        self.params, self.forward, self.backward = {**params}, norm_forward, norm_backward
        self.state = fresh_state(params)

    def loss(self, X, y=None):
        depth = max(int(name[1:]) for name in self.params if name[0] == "W")
        tape, signal, state = [], np.asarray(X, dtype=np.float64), dict(self.state)
        for i in range(1, depth):
            a = np.einsum("nd,dh->nh", signal, self.params[f"W{i}"]) + self.params[f"b{i}"]
            out, cache, state[f"mean{i}"], state[f"var{i}"] = self.forward(
                x=a,
                gamma=self.params[f"gamma{i}"],
                beta=self.params[f"beta{i}"],
                running_mean=self.state[f"mean{i}"],
                running_var=self.state[f"var{i}"],
                train=bool(y is not None),
            )
            tape.append((i, signal, out > 0, cache))
            signal = out * (out > 0)
        scores = signal @ self.params[f"W{depth}"] + self.params[f"b{depth}"]
        if y is None:
            return scores
        self.state = state
        log_p = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
        hot = np.arange(scores.shape[1]) == y[:, None]
        d = (np.exp(log_p) - hot) / len(y)
        grads = {f"b{depth}": d.sum(axis=0), f"W{depth}": signal.T @ d}
        d = d @ self.params[f"W{depth}"].T
        while tape:
            i, before, alive, cache = tape.pop()
            d, grads[f"gamma{i}"], grads[f"beta{i}"] = self.backward(np.where(alive, d, 0), cache)
            grads[f"W{i}"], grads[f"b{i}"] = before.T @ d, d.sum(axis=0)
            d = d @ self.params[f"W{i}"].T
        return -log_p[hot].mean(), grads


@unusual("norm-NormalizedNet")
class LayersInLists:
    """Keeps affine, norm and ReLU as closures that undo themselves, and numpy's bool for the mode."""

    def __init__(self, params, *, norm_forward, norm_backward):
        self.params, self.state = params, fresh_state(params)
        self.passes = norm_forward, norm_backward

    def loss(self, X, y=None):
        count = len([name for name in self.params if name.startswith("b") and not name.startswith("beta")])
        undo, grads, h = [], {}, X
        for i in range(count):
            h = self._layer(str(i + 1), h, i + 1 == count, np.bool_(y is not None), undo, grads)
        if y is None:
            return h
        e = np.exp(h - h.max())
        p = e / e.sum(axis=1, keepdims=True)
        loss = np.float64(-sum(math.log(p[i, label]) for i, label in enumerate(y)) / len(y))
        p[range(len(y)), y] -= 1
        d = p / len(y)
        for step in reversed(undo):
            d = step(d)
        return loss, grads

    def _layer(self, i, h, last, train, undo, grads):
        w = self.params["W" + i]

        def undo_affine(d, h=h):
            grads["W" + i], grads["b" + i] = np.dot(h.T, d), np.sum(d, axis=0)
            return np.dot(d, w.T)

        undo.append(undo_affine)
        h = np.dot(h, w) + self.params["b" + i]
        if last:
            return h
        arrays = (self.params["gamma" + i], self.params["beta" + i], self.state["mean" + i], self.state["var" + i])
        h, cache, *statistics = self.passes[0](h, *arrays, train=train)
        if train:
            self.state["mean" + i], self.state["var" + i] = statistics

        def undo_norm(d, h=h):
            d, grads["gamma" + i], grads["beta" + i] = self.passes[1](d * (h > 0), cache)
            return d

        undo.append(undo_norm)
        return np.maximum(h, 0)
