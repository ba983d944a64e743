"""Unusual right answers to N08: other caches, loops, binomial draws, and a test of dropout by its rows."""

import math

import numpy as np

from tests.alternates import unusual


@unusual("drop-forward")
def dropout_forward(x, *, keep, train, seed):
    """Keeps a dict of what happened; draws from a binomial distribution."""
    if not train:
        return x, {"train": False}
    stays = np.random.default_rng(seed).binomial(1, keep, size=x.shape).astype(bool)
    out = np.where(stays, x / keep, 0.0)
    return out, {"train": True, "stays": stays, "keep": keep}


@unusual("drop-forward")
def one_draw_at_a_time(array, *, keep, train, seed):
    chance = np.random.default_rng(seed)
    factors = [1 / keep if chance.random() > 1 - keep else 0.0 for _ in range(array.size)] if train else 1.0
    scale = np.reshape(factors, array.shape) if train else np.ones(array.shape)
    result = array.astype(np.float64)
    result *= scale
    return [result, (scale, train)]


@unusual("drop-forward")
def random_state_of_its_own(x, *, keep, train, seed):
    """The old generator, as an object of its own: the shared one stays as it is."""
    draws = np.random.RandomState(seed).uniform(size=x.shape)
    mask = (draws < keep) / keep if train else None
    return (x * mask if train else x.copy()), (mask, train)


@unusual("drop-backward")
def by_a_dict(dout, cache):
    """Falls back to the documented factors too, so it stands beside any forward function."""
    if not isinstance(cache, dict):
        return dout * cache
    if not cache["train"]:
        return dout
    dx = dout.astype(float)
    dx[~cache["stays"]] = 0
    dx /= cache["keep"]
    return dx


@unusual("drop-backward")
def one_by_one(dout, cache):
    stays = cache["stays"].ravel().tolist() if cache["train"] else [True] * dout.size
    scale = 1 / cache["keep"] if cache["train"] else 1.0
    return np.array([d * scale if s else 0.0 for d, s in zip(dout.ravel(), stays, strict=True)]).reshape(dout.shape)


@unusual("drop-net")
def net_by_recursion(params, X, y=None, *, layers, keep, seed=0):
    """Drops before the ReLU, which is the same; each layer's seed is drawn; no dropout call at test time."""
    depth, draws, grads = len(params) // 2, np.random.default_rng(seed), {}

    def from_layer(i, hidden):
        out, affine = layers["affine_forward"](hidden, params[f"W{i}"], params[f"b{i}"])
        if i == depth:
            if y is None:
                return out, None
            result, dout = layers["softmax_loss"](out, y)
        else:
            if y is not None:
                out, drop = layers["dropout_forward"](out, keep=keep, train=True, seed=int(draws.integers(2**31)))
            out, relu = layers["relu_forward"](out)
            result, dout = from_layer(i + 1, out)
            if y is None:
                return result, None
            dout = layers["dropout_backward"](layers["relu_backward"](dout, relu), drop)
        dx, grads[f"W{i}"], grads[f"b{i}"] = layers["affine_backward"](dout, affine)
        return result, dx

    result, _ = from_layer(1, X)
    return result if y is None else (result, grads)


@unusual("drop-net")
def net_with_layers_of_its_own(params, X, y=None, *, layers, keep, seed=0):
    """Only dropout is taken from `layers`; the rest is written out."""
    count = len(params) // 2
    inputs, bent, drops = [X.reshape(len(X), -1)], [], []
    for i in range(1, count):
        bent.append(np.clip(inputs[-1].dot(params[f"W{i}"]) + params[f"b{i}"], 0, None))
        out, drop = layers["dropout_forward"](bent[-1], keep=keep, train=y is not None, seed=1000 * i + seed)
        inputs.append(out)
        drops.append(drop)
    scores = inputs[-1].dot(params[f"W{count}"]) + params[f"b{count}"]
    if y is None:
        return scores
    p = np.exp(scores - scores.max(axis=1)[:, None])
    p /= p.sum(axis=1)[:, None]
    loss = -sum(math.log(p[n, label]) for n, label in enumerate(y)) / len(y)
    p[np.arange(len(y)), y] -= 1
    grads, dout = {}, p / len(y)
    for i in reversed(range(1, count + 1)):
        grads[f"W{i}"], grads[f"b{i}"] = inputs[i - 1].T @ dout, dout.sum(0)
        if i > 1:
            dout = layers["dropout_backward"](dout @ params[f"W{i}"].T, drops[i - 2]) * (bent[i - 2] > 0)
    return np.float64(loss), grads


@unusual("drop-statistics")
def by_many_middling_calls(dropout, *, keep, seed):
    """40 seeds of 5,000 entries each, counted together; reads x back from what stays."""
    x = np.random.default_rng(seed).uniform(1, 2, size=(50, 100))
    masks = []
    for s in range(seed, seed + 40):
        out = dropout(x, keep=keep, train=True, seed=s)[0]
        if np.abs(out * (keep * out - x)).max() > 1e-6:
            return False
        masks.append(out > 0)
    count = np.sum(masks)
    z = (count - 200_000 * keep) / math.sqrt(200_000 * keep * (1 - keep))
    rows = {row.tobytes() for mask in masks for row in mask}
    if abs(z) > 6 or len(rows) < 0.3 * 2000:
        return False
    if not (dropout(x, keep=keep, train=True, seed=seed)[0].astype(bool) == masks[0]).all():
        return False
    return np.abs(dropout(x, keep=keep, train=False, seed=seed)[0] - x).max() < 1e-9


@unusual("drop-statistics")
def by_mean_and_variance(dropout, *, keep, seed):
    """Judges in standard errors of the mean and of the share, on a flat array, then looks at two rows."""
    n = 250_000
    flat = np.ones(n)
    a, b, c = (dropout(flat, keep=keep, train=True, seed=s)[0] for s in (seed, seed, seed + 17))
    mean_error = math.sqrt((1 - keep) / keep / n)
    fine = abs(a.mean() - 1) < 5 * mean_error and abs((a == 0).mean() - 1 + keep) < 5 * keep * mean_error
    fine &= bool(np.ptp(a[a > 0]) < 1e-9) and bool(abs(a.max() - 1 / keep) < 1e-6)
    fine &= (a == b).all() and (a != c).any() and (dropout(flat, keep=keep, train=False, seed=seed)[0] == 1).all()
    two = dropout(np.ones((2, 500)), keep=keep, train=True, seed=seed)[0]
    return fine and (two[0] != two[1]).any()
