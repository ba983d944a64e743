"""Planted bugs of N06, first third: initial parameters, a net of any depth, forward and backward."""

import numpy as np

from tests.mutants import bug
from tests.mutants.n04_layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss


def right_init(dims, weight_scale, seed, dtype, *, spread=lambda i, o: (2 / i) ** 0.5, noise=None):
    rng = np.random.default_rng(seed)
    noise = noise or (lambda shape: rng.normal(size=shape))
    params = {}
    for layer in range(1, len(dims)):
        shape = dims[layer - 1], dims[layer]
        scale = spread(*shape) if weight_scale is None else weight_scale
        params[f"W{layer}"] = (scale * noise(shape)).astype(dtype)
        params[f"b{layer}"] = np.zeros(shape[1], dtype)
    return params


INIT = "deep-init_params"


@bug(INIT, symptom="xavier")
def xavier(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, dtype, spread=lambda i, o: i**-0.5)


@bug(INIT, symptom="fan-out")
def counts_what_flows_out(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, dtype, spread=lambda i, o: (2 / o) ** 0.5)


@bug(INIT, symptom="variance")
def variance_for_deviation(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, dtype, spread=lambda i, o: 2 / i)


@bug(INIT, symptom="first-layer")
def fan_in_of_the_first_layer_for_all(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, dtype, spread=lambda i, o: (2 / dims[0]) ** 0.5)


@bug(INIT, symptom="fixed-scale")
def one_hundredth_without_a_scale(dims, *, weight_scale=1e-2, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, dtype)


@bug(INIT, symptom="weight-scale")
def ignores_the_scale(dims, *, weight_scale=None, seed=0, dtype="float32"):
    zero = weight_scale == 0
    return right_init(dims, 0.0 if zero else None, seed, dtype)


@bug(INIT, symptom="zero-as-none")
def takes_zero_for_none(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale or None, seed, dtype)


@bug(INIT, symptom="dtype")
def not_cast_to_dtype(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, "float64")


@bug(INIT, symptom="dtype")
def casts_weights_only(dims, *, weight_scale=None, seed=0, dtype="float32"):
    params = right_init(dims, weight_scale, seed, dtype)
    return {key: value.astype(float) if key[0] == "b" else value for key, value in params.items()}


@bug(INIT, symptom="bias-drawn")
def draws_biases(dims, *, weight_scale=None, seed=0, dtype="float32"):
    params = right_init(dims, weight_scale, seed, dtype)
    return {key: value + np.asarray(0.01, dtype) * (key[0] == "b") for key, value in params.items()}


@bug(INIT, symptom="same-draws")
def seeds_every_layer_alike(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(
        dims, weight_scale, seed, dtype, noise=lambda shape: np.random.default_rng(seed).normal(size=shape)
    )


@bug(INIT, symptom="seed-ignored")
def draws_unseeded(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, None, dtype)


@bug(INIT, symptom="seed-fixed")
def draws_from_its_own_seed(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, 0, dtype)


@bug(INIT, symptom="not-normal")
def draws_uniformly(dims, *, weight_scale=None, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return right_init(dims, weight_scale, seed, dtype, noise=lambda s: rng.uniform(-(3**0.5), 3**0.5, size=s))


@bug(INIT, symptom="equal-weights")
def fills_with_the_scale(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return right_init(dims, weight_scale, seed, dtype, noise=np.ones)


@bug(INIT, symptom="keys")
def counts_layers_from_zero(dims, *, weight_scale=None, seed=0, dtype="float32"):
    params = right_init(dims, weight_scale, seed, dtype)
    return {f"{key[0]}{int(key[1:]) - 1}": value for key, value in params.items()}


@bug(INIT, symptom="shape")
def outputs_by_inputs(dims, *, weight_scale=None, seed=0, dtype="float32"):
    return {key: value.T for key, value in right_init(dims, weight_scale, seed, dtype).items()}


@bug(INIT, symptom="mutates")
def uses_up_dims(dims, *, weight_scale=None, seed=0, dtype="float32"):
    params = right_init(dims, weight_scale, seed, dtype)
    dims.pop()
    return params


def forward(params, X, *, order=None, bend=relu_forward, last=False, bias=lambda layer, b: b):
    caches, hidden, depth = [], X, len(params) // 2
    for place, layer in enumerate(order or range(1, depth + 1), start=1):
        hidden, affine = affine_forward(hidden, params[f"W{layer}"], bias(layer, params[f"b{layer}"]))
        relu = None
        if place < depth or last:
            hidden, relu = bend(hidden)
        caches.append((affine, relu))
    return hidden, caches


FORWARD = "deep-fc_forward"


@bug(FORWARD, symptom="relu-on-scores")
def relu_after_the_last_layer(params, X):
    return forward(params, X, last=True)


@bug(FORWARD, symptom="no-relu")
def no_bend(params, X):
    return forward(params, X, bend=lambda x: (x, x))


@bug(FORWARD, symptom="no-bias")
def no_biases(params, X):
    return forward(params, X, bias=lambda layer, b: 0 * b)


@bug(FORWARD, symptom="no-last-bias")
def no_last_bias(params, X):
    return forward(params, X, bias=lambda layer, b: b * (layer < len(params) // 2))


@bug(FORWARD, symptom="probabilities")
def returns_probabilities(params, X):
    scores, caches = forward(params, X)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True), caches


@bug(FORWARD, symptom="depth-fixed")
def always_three_layers(params, X):
    return forward({key: value for key, value in params.items() if key[1:] in "123"}, X)


@bug(FORWARD, symptom="key-order")
def ten_before_two(params, X):
    def clipped(x, w, b):
        rows = x.reshape(len(x), -1)[:, : len(w)]
        return np.pad(rows, ((0, 0), (0, len(w) - rows.shape[1]))) @ w + b

    order = sorted(range(1, len(params) // 2 + 1), key=str)
    hidden = X
    for layer in order:
        hidden = clipped(hidden, params[f"W{layer}"], params[f"b{layer}"])
        if layer != len(order):
            hidden = np.maximum(hidden, 0)
    return hidden[:, : params[f"b{len(order)}"].size], [1]


@bug(FORWARD, symptom="no-cache")
def keeps_no_caches(params, X):
    return forward(params, X)[0], []


@bug(FORWARD, symptom="not-a-pair")
def returns_scores_only(params, X):
    return forward(params, X)[0]


@bug(FORWARD, symptom="mutates")
def centres_in_place(params, X):
    X -= X.mean()
    return forward(params, X)


@bug(FORWARD, symptom="mutates")
def drops_a_parameter(params, X):
    scores, caches = forward(params, X)
    params.pop("b1")
    return scores, caches


def loss_and_grads(params, X, y, reg, *, down=relu_backward, squares=None, decay=None):
    scores, caches = forward(params, X)
    loss, upstream = softmax_loss(scores, y)
    grads = {}
    for layer in range(len(caches), 0, -1):
        affine, relu = caches[layer - 1]
        if relu is not None:
            upstream = down(upstream, relu)
        upstream, grads[f"W{layer}"], grads[f"b{layer}"] = affine_backward(upstream, affine)
    squares = squares or (lambda key, value: 0.5 * np.sum(value**2) * (key[0] == "W"))
    decay = decay or (lambda key, value: value * (key[0] == "W"))
    loss += reg * sum(squares(key, value) for key, value in params.items())
    return loss, {key: grads[key] + reg * decay(key, value) for key, value in params.items()}


LOSS = "deep-fc_loss"


@bug(LOSS, symptom="reg-not-half")
def regularizes_by_one(params, X, y, *, reg=0.0):
    return loss_and_grads(
        params, X, y, reg, squares=lambda k, v: np.sum(v**2) * (k[0] == "W"), decay=lambda k, v: 2 * v * (k[0] == "W")
    )


@bug(LOSS, symptom="reg-doubled")
def regularizes_by_two(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, squares=lambda k, v: 2 * np.sum(v**2) * (k[0] == "W"))


@bug(LOSS, symptom="reg-biases")
def regularizes_biases(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, squares=lambda k, v: 0.5 * np.sum(v**2), decay=lambda k, v: v)


@bug(LOSS, symptom="reg-biases")
def regularizes_biases_in_the_gradient_only(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, decay=lambda k, v: v)


@bug(LOSS, symptom="reg-missing")
def never_regularizes(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, 0.0)


@bug(LOSS, symptom="reg-some-layers")
def regularizes_two_layers_whatever_the_depth(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, squares=lambda k, v: 0.5 * np.sum(v**2) * (k in ("W1", "W2")))


@bug(LOSS, symptom="reg-over-n")
def divides_the_regularization_by_n(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg / len(X))


@bug(LOSS, symptom="reg-grad-missing")
def regularizes_the_loss_only(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, decay=lambda k, v: 0 * v)


@bug(LOSS, symptom="reg-grad-double")
def doubles_the_decay(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, decay=lambda k, v: 2 * v * (k[0] == "W"))


@bug(LOSS, symptom="reg-grad-half")
def halves_the_decay(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, decay=lambda k, v: v * (k[0] == "W") / 2)


@bug(LOSS, symptom="reg-grad-missing")
def decays_the_first_layer_only(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, decay=lambda k, v: v * (k == "W1"))


@bug(LOSS, symptom="skips-relu")
def skips_relu_on_the_way_down(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, down=lambda dout, relu: dout)


@bug(LOSS, symptom="values")
def masks_by_the_gradient(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg, down=lambda dout, relu: np.maximum(dout, 0))


@bug(LOSS, symptom="grad-sign")
def points_downhill(params, X, y, *, reg=0.0):
    loss, grads = loss_and_grads(params, X, y, reg)
    return loss, {key: -grad for key, grad in grads.items()}


@bug(LOSS, symptom="grad-times-n")
def multiplies_by_n(params, X, y, *, reg=0.0):
    loss, grads = loss_and_grads(params, X, y, 0.0)
    return loss, {key: len(X) * grad for key, grad in grads.items()}


@bug(LOSS, symptom="loss-sum")
def sums_the_loss(params, X, y, *, reg=0.0):
    loss, grads = loss_and_grads(params, X, y, reg)
    return loss * len(X), grads


@bug(LOSS, symptom="grad-keys")
def names_gradients_otherwise(params, X, y, *, reg=0.0):
    loss, grads = loss_and_grads(params, X, y, reg)
    return loss, {f"d{key}": grad for key, grad in grads.items()}


@bug(LOSS, symptom="grad-keys")
def gradients_of_weights_only(params, X, y, *, reg=0.0):
    loss, grads = loss_and_grads(params, X, y, reg)
    return loss, {key: grad for key, grad in grads.items() if key[0] == "W"}


@bug(LOSS, symptom="mutates")
def decays_the_weights_themselves(params, X, y, *, reg=0.0):
    found = loss_and_grads(params, X, y, reg)
    params["W1"] *= 0.999
    return found


@bug(LOSS, symptom="not-a-pair")
def returns_the_loss_only(params, X, y, *, reg=0.0):
    return loss_and_grads(params, X, y, reg)[0]
