"""Planted bugs of N04, first half: affine, ReLU and softmax loss. Every mistake of the curriculum's table, and more."""

import numpy as np

from tests.mutants import bug


def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return np.where(cache > 0, dout, 0)


def softmax_loss(scores, y):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    hot = np.arange(scores.shape[1]) == y[:, None]
    return -log_p[hot].mean(), (np.exp(log_p) - hot) / len(y)


@bug("net-affine_forward", symptom="no-bias")
def forgets_the_bias(x, w, b):
    return x.reshape(len(x), -1) @ w, (x, w)


@bug("net-affine_forward", symptom="bias-sign")
def subtracts_the_bias(x, w, b):
    return x.reshape(len(x), -1) @ w - b, (x, w)


@bug("net-affine_forward", symptom="bias-axis")
def bias_down_the_rows_when_it_fits(x, w, b):
    return x.reshape(len(x), -1) @ w + (b[:, None] if len(x) == len(b) else b), (x, w)


@bug("net-affine_forward", symptom="relu-inside")
def applies_relu_too(x, w, b):
    return np.maximum(affine_forward(x, w, b - 5)[0] + 5, 0), (x, w)


@bug("net-affine_forward", symptom="mixed-rows")
def flattens_across_images(x, w, b):
    return x.reshape(-1, len(x)).T @ w + b, (x, w)


@bug("net-affine_forward", symptom="flatten-order")
def flattens_in_column_order(x, w, b):
    return x.reshape(len(x), -1, order="F") @ w + b, (x, w)


@bug("net-affine_forward", symptom="memory-order")
def flattens_in_memory_order(x, w, b):
    return x.ravel(order="K").reshape(len(x), -1) @ w + b, (x, w)


@bug("net-affine_forward", symptom="mutates")
def reshapes_its_input_in_place(x, w, b):
    x.shape = (len(x), -1)
    w *= 1.0 + 0.0
    w += 0.5
    return x @ (w - 0.5) + b, (x, w)


@bug("net-affine_forward", symptom="not-a-pair")
def returns_no_cache(x, w, b):
    return affine_forward(x, w, b)[0]


@bug("net-affine_forward", symptom="no-cache")
def returns_an_empty_cache(x, w, b):
    return affine_forward(x, w, b)[0], None


@bug("net-affine_forward", symptom="shape")
def transposed_output(x, w, b):
    return affine_forward(x, w, b)[0].T, (x, w)


@bug("net-affine_forward", symptom="dtype")
def rounds_to_integers(x, w, b):
    return affine_forward(x, w, b)[0].astype(int), (x, w)


@bug("net-affine_backward", symptom="dx-flat")
def leaves_dx_flat(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx.reshape(len(dx), -1), dw, db


@bug("net-affine_backward", symptom="db-mean")
def averages_db(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw, db / len(dout)


@bug("net-affine_backward", symptom="dw-mean")
def averages_dw(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw / len(dout), db


@bug("net-affine_backward", symptom="dx-mean")
def averages_everything(dout, cache):
    return tuple(gradient / len(dout) for gradient in affine_backward(dout, cache))


@bug("net-affine_backward", symptom="db-keepdims")
def keeps_the_summed_axis(dout, cache):
    return *affine_backward(dout, cache)[:2], dout.sum(axis=0, keepdims=True)


@bug("net-affine_backward", symptom="db-axis")
def sums_db_over_outputs(dout, cache):
    return *affine_backward(dout, cache)[:2], dout.sum(axis=1)


@bug("net-affine_backward", symptom="db-axis")
def sums_db_over_outputs_when_it_fits(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw, dout.sum(axis=1) if dout.shape[0] == dout.shape[1] else db


@bug("net-affine_backward", symptom="db-axis")
def sums_db_to_one_number(dout, cache):
    return *affine_backward(dout, cache)[:2], np.array(dout.sum())


@bug("net-affine_backward", symptom="db-ones")
def counts_rows_for_db(dout, cache):
    return *affine_backward(dout, cache)[:2], np.full(dout.shape[1], float(len(dout)))


@bug("net-affine_backward", symptom="ignores-dout")
def takes_dout_for_ones(dout, cache):
    return affine_backward(np.ones_like(dout), cache)


@bug("net-affine_backward", symptom="ignores-dout")
def dw_takes_dout_for_ones(dout, cache):
    dx, _, db = affine_backward(dout, cache)
    return dx, affine_backward(np.ones_like(dout), cache)[1], db


@bug("net-affine_backward", symptom="shape")
def transposes_dw(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw.T, db


@bug("net-affine_backward", symptom="sign")
def turns_the_sign_of_dw(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, -dw, db


@bug("net-affine_backward", symptom="mutates")
def scales_dout_in_place(dout, cache):
    gradients = affine_backward(dout, cache)
    dout /= len(dout)
    return gradients


@bug("net-affine_backward", symptom="mutates")
def writes_into_the_cached_x(dout, cache):
    gradients = affine_backward(dout, cache)
    cache[0][:] += 1
    return gradients


@bug("net-affine_backward", symptom="not-three")
def forgets_db(dout, cache):
    return affine_backward(dout, cache)[:2]


@bug("net-affine_backward", symptom="values")
def wrong_order_of_dx(dout, cache):
    x, w = cache
    return (dout @ w.T).reshape(x.shape, order="F"), *affine_backward(dout, cache)[1:]


@bug("net-affine_backward", symptom="values")
def all_zero(dout, cache):
    x, w = cache
    return np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[1])


@bug("net-affine_backward", symptom="no-return")
def never_returns(dout, cache):
    affine_backward(dout, cache)


@bug("net-relu_forward", symptom="out-aliases-x")
def cuts_in_place(x):
    out = x
    out[out < 0] = 0
    return out, x


@bug("net-relu_forward", symptom="out-aliases-x")
def hands_on_x_when_nothing_is_cut(x):
    return (x if x.min() > 0 else np.maximum(x, 0)), x


@bug("net-relu_forward", symptom="mutates")
def leaves_the_cut_in_x(x):
    out = np.maximum(x, 0)
    x[:] = out
    return out, x > 0


@bug("net-relu_forward", symptom="negative-half")
def minimum_for_maximum(x):
    return np.minimum(x, 0), x


@bug("net-relu_forward", symptom="absolute")
def absolute_value(x):
    return np.abs(x), x


@bug("net-relu_forward", symptom="step")
def one_for_positive(x):
    return (x > 0).astype(float), x


@bug("net-relu_forward", symptom="clipped")
def clips_at_one(x):
    return np.clip(x, 0, 1), x


@bug("net-relu_forward", symptom="leaky")
def leaky_relu(x):
    return np.maximum(x, 0.01 * x), x


@bug("net-relu_forward", symptom="identity")
def identity(x):
    return x.copy(), x


@bug("net-relu_forward", symptom="no-cache")
def no_cache(x):
    return np.maximum(x, 0), None


@bug("net-relu_forward", symptom="shape")
def flattens(x):
    return np.maximum(x, 0).reshape(len(x), -1) if x.ndim > 2 else np.maximum(x, 0), x


@bug("net-relu_forward", symptom="dtype")
def mask_only(x):
    return x > 0, x


@bug("net-relu_backward", symptom="mask-of-dout")
def asks_the_sign_of_dout(dout, cache):
    return np.where(dout > 0, dout, 0)


@bug("net-relu_backward", symptom="passes-at-zero")
def passes_at_zero(dout, cache):
    return dout * (cache >= 0)


@bug("net-relu_backward", symptom="mutates")
def cuts_dout_in_place(dout, cache):
    dout[cache <= 0] = 0
    return dout


@bug("net-relu_backward", symptom="mutates")
def cuts_the_cache(dout, cache):
    dx = dout * (cache > 0)
    cache[cache < 0] = 0
    return dx


@bug("net-relu_backward", symptom="passes-all")
def passes_everything(dout, cache):
    return dout.copy()


@bug("net-relu_backward", symptom="inverted")
def passes_where_negative(dout, cache):
    return dout * (cache < 0)


@bug("net-relu_backward", symptom="mask-only")
def slope_without_dout(dout, cache):
    return (cache > 0).astype(float)


@bug("net-relu_backward", symptom="times-x")
def multiplies_by_the_output(dout, cache):
    return dout * np.maximum(cache, 0)


@bug("net-relu_backward", symptom="forward-again")
def forward_once_more(dout, cache):
    return np.maximum(cache, 0)


@bug("net-relu_backward", symptom="values")
def half_at_zero(dout, cache):
    return dout * np.heaviside(cache, 0.5)


def _shifted(scores, axis=1):
    return np.exp(scores - scores.max(axis=axis, keepdims=axis is not None))


@bug("net-softmax_loss", symptom="no-max-shift")
def no_shift(scores, y):
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    hot = np.eye(scores.shape[1])[y]
    return -np.log(p[np.arange(len(y)), y]).mean(), (p - hot) / len(y)


@bug("net-softmax_loss", symptom="global-max")
def one_maximum_for_all(scores, y):
    shifted = scores - scores.max()
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    hot = np.eye(scores.shape[1])[y]
    return -log_p[np.arange(len(y)), y].mean(), (np.exp(log_p) - hot) / len(y)


@bug("net-softmax_loss", symptom="log-of-zero")
def log_of_the_probability(scores, y):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean(), (p - np.eye(scores.shape[1])[y]) / len(y)


@bug("net-softmax_loss", symptom="log-of-zero")
def adds_a_small_constant(scores, y):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y] + 1e-300).mean(), (p - np.eye(scores.shape[1])[y]) / len(y)


@bug("net-softmax_loss", symptom="loss-sum")
def sums_both(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss * len(y), dscores * len(y)


@bug("net-softmax_loss", symptom="loss-sum")
def sums_the_loss_only(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss * len(y), dscores


@bug("net-softmax_loss", symptom="gradient-sum")
def sums_the_gradient_only(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss, dscores * len(y)


@bug("net-softmax_loss", symptom="log10")
def decimal_logarithm(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss / np.log(10), dscores


@bug("net-softmax_loss", symptom="log2")
def loss_in_bits(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss / np.log(2), dscores


@bug("net-softmax_loss", symptom="mutates")
def shifts_in_place(scores, y):
    scores -= scores.max(axis=1, keepdims=True)
    return softmax_loss(scores, y)


@bug("net-softmax_loss", symptom="y-column")
def y_as_a_column(scores, y):
    dscores = softmax_loss(scores, y)[1]
    log_p = np.log(_shifted(scores) / _shifted(scores).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y[:, None]].mean(), dscores


@bug("net-softmax_loss", symptom="loss-sign")
def forgets_the_minus(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return -loss, dscores


@bug("net-softmax_loss", symptom="ignores-y")
def always_the_first_class(scores, y):
    return softmax_loss(scores, np.zeros_like(y))


@bug("net-softmax_loss", symptom="no-normaliser")
def score_alone(scores, y):
    return -scores[np.arange(len(y)), y].mean(), softmax_loss(scores, y)[1]


@bug("net-softmax_loss", symptom="loss-over-classes")
def mean_over_all_entries(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss / scores.shape[1], dscores / scores.shape[1]


@bug("net-softmax_loss", symptom="gradient-over-classes")
def gradient_mean_over_all_entries(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss, dscores / scores.shape[1]


@bug("net-softmax_loss", symptom="no-one-hot")
def probabilities_over_n(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss, dscores + np.eye(scores.shape[1])[y] / len(y)


@bug("net-softmax_loss", symptom="probabilities")
def gradient_is_p(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss, dscores * len(y) + np.eye(scores.shape[1])[y]


@bug("net-softmax_loss", symptom="half-divided")
def divides_before_subtracting(scores, y):
    loss, dscores = softmax_loss(scores, y)
    hot = np.eye(scores.shape[1])[y]
    return loss, dscores + hot / len(y) - hot


@bug("net-softmax_loss", symptom="one-hot-not-shared")
def divides_the_one_only(scores, y):
    loss, dscores = softmax_loss(scores, y)
    hot = np.eye(scores.shape[1])[y]
    return loss, dscores * len(y) + hot - hot / len(y)


@bug("net-softmax_loss", symptom="gradient-sign")
def one_minus_p(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss, -dscores


@bug("net-softmax_loss", symptom="not-a-number")
def one_loss_per_row(scores, y):
    return np.full(len(y), 1.0), softmax_loss(scores, y)[1]


@bug("net-softmax_loss", symptom="shape")
def gradient_of_the_true_class_only(scores, y):
    loss, dscores = softmax_loss(scores, y)
    return loss, dscores[np.arange(len(y)), y]


@bug("net-softmax_loss", symptom="values")
def softmax_down_the_columns_when_square(scores, y):
    if scores.shape[0] != scores.shape[1]:
        return softmax_loss(scores, y)
    e = _shifted(scores, axis=0)
    p = e / e.sum(axis=0)
    return -np.log(p[np.arange(len(y)), y]).mean(), (p - np.eye(len(p))[y]) / len(y)
