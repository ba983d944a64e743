"""Right answers to N06, written as hardly anybody would write them."""

import itertools
import math
from collections import OrderedDict

import numpy as np

from tests.alternates import UNUSUAL, unusual

UNUSUAL += [
    ("deep-q1", ["E", "d", "C", "A"]),
    ("deep-q1", np.array(["A", "C", "D", "E"])),
    ("deep-overfit", {"weight_scale": math.sqrt(2 / 100), "learning_rate": 1e-2}),
    ("deep-overfit", {"learning_rate": np.float64(0.03), "weight_scale": 0.11, "why": "a good region"}),
]
SETTINGS = {"hidden_dims": (100, 100, 100), "rule": "momentum", "learning_rate": 1e-2, "reg": 0, "batch_size": 100}
UNUSUAL += [
    ("deep-train", SETTINGS | {"num_epochs": 10}),
    (
        "deep-train",
        SETTINGS | {"hidden_dims": np.array([512, 64]), "rule": "sgd", "learning_rate": 0.05, "num_epochs": 8},
    ),
    ("deep-train", SETTINGS | {"rule": "rmsprop", "learning_rate": 3e-4, "reg": 1e-3, "num_epochs": 8}),
    ("deep-train", SETTINGS | {"rule": "adam", "learning_rate": 3e-4, "reg": 1e-2, "batch_size": 250, "num_epochs": 9}),
]


@unusual("deep-init_params")
def backwards_with_standard_normals(dims, *, weight_scale=None, seed=0, dtype="float32"):
    generator = np.random.default_rng([seed, 6])
    params = OrderedDict()
    for n in range(len(dims) - 1, 0, -1):
        spread = weight_scale if weight_scale is not None else math.pow(dims[n - 1] / 2, -0.5)
        params[f"b{n}"] = np.full(dims[n], 0, dtype)
        params[f"W{n}"] = np.asarray(generator.standard_normal((dims[n], dims[n - 1])).T * spread, dtype=dtype)
    return dict(params)


@unusual("deep-init_params")
def in_the_dtype_from_the_beginning(dims, weight_scale=None, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    weights = {}
    for number, (n, m) in enumerate(itertools.pairwise(dims), 1):
        weights[f"W{number}"] = rng.normal(0, (2 / n) ** 0.5 if weight_scale is None else weight_scale, (n, m))
        weights[f"b{number}"] = np.zeros(m)
    return {key: value.astype(np.dtype(dtype)) for key, value in weights.items()}


@unusual("deep-fc_forward")
def recursive_without_layers(params, X):
    depth = len(params) // 2

    def up(layer):
        if layer == 0:
            return np.reshape(X, (X.shape[0], -1)), []
        below, caches = up(layer - 1)
        below = below.clip(0) if layer > 1 else below
        out = np.einsum("nd,dm->nm", below, params[f"W{layer}"]) + params[f"b{layer}"]
        return out, [*caches, below]

    return up(depth)


@unusual("deep-fc_forward")
def row_by_row_in_float64(params, X):
    rows, caches = [], {"inputs": []}
    for image in X:
        h = image.astype(np.float64).reshape(-1)
        for layer in range(1, len(params) // 2 + 1):
            if layer > 1:
                h = np.where(h > 0, h, 0)
            caches["inputs"].append(h)
            h = params[f"W{layer}"].T @ h + params[f"b{layer}"]
        rows.append(h)
    return np.stack(rows), caches


@unusual("deep-fc_loss")
def all_in_one_piece(params, X, y, *, reg=0.0):
    depth = max(int(key[1:]) for key in params)
    hidden = [X.reshape(len(X), -1).astype(np.float64)]
    for layer in range(1, depth + 1):
        z = hidden[-1] @ params[f"W{layer}"] + params[f"b{layer}"]
        hidden.append(z if layer == depth else z * (z > 0))
    scores = hidden[-1]
    log_sums = np.logaddexp.reduce(scores, axis=1)
    loss = np.mean(log_sums - scores[range(len(y)), y])
    slope = np.exp(scores - log_sums[:, None])
    np.add.at(slope, (np.arange(len(y)), y), -1.0)
    slope /= len(y)
    grads = {}
    for layer in range(depth, 0, -1):
        W = params[f"W{layer}"]
        loss = loss + reg / 2 * np.vdot(W, W)
        grads[f"W{layer}"] = np.einsum("nd,nm->dm", hidden[layer - 1], slope) + reg * W
        grads[f"b{layer}"] = np.ones(len(y)) @ slope
        slope = np.einsum("nm,dm->nd", slope, W)
        slope[hidden[layer - 1] <= 0] = 0
    return np.array(loss), grads


@unusual("deep-fc_loss")
def sum_over_single_rows(params, X, y, reg=0):
    total, grads = 0.0, {key: reg * value if key.startswith("W") else 0 * value for key, value in params.items()}
    for row, label in zip(X, y, strict=True):
        loss, slopes = all_in_one_piece(params, row[None], np.array([label]))
        total += float(loss) / len(X)
        for key in grads:
            grads[key] = grads[key] + slopes[key] / len(X)
    return total + sum(
        0.5 * reg * float(np.sum(np.square(params[key]))) for key in params if key.startswith("W")
    ), grads


@unusual("deep-sgd_momentum")
def into_the_config_that_came(w, dw, config):
    config.setdefault("momentum", 0.9)
    velocity = config.setdefault("velocity", np.zeros(np.shape(w)))
    config["velocity"] = config["momentum"] * velocity - config["learning_rate"] * dw
    return np.add(w, config["velocity"]), config


@unusual("deep-sgd_momentum")
def with_more_in_the_config(weights, gradient, options):
    options = dict(options, momentum=options.get("momentum", 0.9), steps=options.get("steps", 0) + 1)
    after = np.array(weights, dtype=np.float64)
    push = gradient * -options["learning_rate"]
    after += push
    if "velocity" in options:
        push = push + options["momentum"] * options["velocity"]
        after = weights + push
    options["velocity"] = push
    return after, options


@unusual("deep-rmsprop")
def difference_to_the_average(w, dw, config):
    config = {"decay_rate": 0.99, "epsilon": 1e-8, "cache": 0 * w} | config
    cache = config["cache"] + (1 - config["decay_rate"]) * (np.square(dw) - config["cache"])
    config["cache"] = cache
    return w - config["learning_rate"] / (cache**0.5 + config["epsilon"]) * dw, config


@unusual("deep-rmsprop")
def entry_by_entry(w, dw, config):
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w, dtype=float))
    cache, out = np.array(config["cache"], dtype=float), np.array(w, dtype=float)
    for i in np.ndindex(w.shape):
        cache[i] = config["decay_rate"] * cache[i] + (1 - config["decay_rate"]) * float(dw[i]) ** 2
        out[i] -= config["learning_rate"] * dw[i] / (math.sqrt(cache[i]) + config["epsilon"])
    config["cache"] = cache
    return out, config


@unusual("deep-adam")
def the_shortcut_of_the_paper(w, dw, config):
    config = {
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "m": np.zeros_like(w),
        "v": np.zeros_like(w),
        "t": 0,
    } | config
    b1, b2 = config["beta1"], config["beta2"]
    config["t"] += 1
    config["m"] = b1 * config["m"] + (1 - b1) * dw
    config["v"] = b2 * config["v"] + (1 - b2) * dw**2
    rate = config["learning_rate"] * np.sqrt(1 - b2 ** config["t"]) / (1 - b1 ** config["t"])
    return w - rate * config["m"] / (np.sqrt(config["v"]) + config["epsilon"]), config


@unusual("deep-adam")
def in_place_on_temporaries(w, dw, config):
    for key, value in {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0}.items():
        config.setdefault(key, value)
    m, v = (np.array(config.get(key, np.zeros(np.shape(w))), dtype=np.float64) for key in "mv")
    config["t"] = t = np.int64(config["t"] + 1)
    m += (1 - config["beta1"]) * (dw - m)
    v += (1 - config["beta2"]) * (dw * dw - v)
    config["m"], config["v"] = m, v
    step = m / -np.expm1(t * np.log(config["beta1"]))
    step /= np.sqrt(v / (1 - config["beta2"] ** float(t))) + config["epsilon"]
    step *= config["learning_rate"]
    return w - step, config
