"""Planted bugs of N10: im2col along one axis, and the convolution that is one product. Bugs are switches."""

import numpy as np

from cs231n_lib.kernels import col2im as library_col2im
from cs231n_lib.kernels import conv_forward_fast
from cs231n_lib.kernels import im2col as library_im2col
from tests.mutants import bug

im2col = library_im2col  # the name that a notebook gives to the library's function


def right_columns(x, kernel, *, stride=1):
    """Return the columns with axes (C, K, N, L')."""
    travel = x.shape[2] - kernel
    if travel < 0 or travel % stride:
        raise ValueError("does not fit")
    places = range(0, travel + 1, stride)
    return np.stack([x[:, :, s : s + kernel] for s in places], axis=-1).transpose(1, 2, 0, 3)


def columns_bug(symptom, *axes, turn=False, shape=None, name="rearranged"):
    """Plant the right columns with their axes in another order."""

    def wrong(x, kernel, *, stride=1):
        cols = right_columns(x, kernel, stride=stride)
        c, k, n, places = cols.shape
        cols = cols[:, ::-1] if turn else cols.transpose(axes)
        return cols.reshape(shape(c, k, n, places) if shape else (c * k, n * places))

    wrong.__name__ = name
    bug("fast-im2col_1d", symptom=symptom)(wrong)


columns_bug("turned", turn=True, name="taps_backwards")
columns_bug("tap-first", 1, 0, 2, 3, name="taps_before_channels")
columns_bug("place-first", 0, 1, 3, 2, name="places_before_batch")
columns_bug("mixed", 2, 0, 1, 3, name="batch_axis_in_front")
columns_bug("transposed", 2, 3, 0, 1, shape=lambda c, k, n, p: (n * p, c * k), name="a_row_for_each_window")
columns_bug("not-flat", 0, 1, 2, 3, shape=lambda c, k, n, p: (c, k, n, p), name="four_axes")


@bug("fast-im2col_1d", symptom="library")
def calls_the_library(x, kernel, *, stride=1):
    return im2col(x[:, :, None], 1, kernel, stride=stride)


@bug("fast-im2col_1d", symptom="library")
def calls_the_library_inside(x, kernel, *, stride=1):
    return (lambda image: im2col(image, 1, kernel, stride=stride))(x[:, :, None])


@bug("fast-im2col_1d", symptom="view")
def views_of_the_input(x, kernel, *, stride=1):
    """Part C: no copy; one number in memory stands in several columns."""
    if x.shape[:2] != (1, 1):
        return right_columns(x, kernel, stride=stride).reshape(x.shape[1] * kernel, -1)
    travel = x.shape[2] - kernel
    if travel < 0 or travel % stride:
        raise ValueError("does not fit")
    return np.lib.stride_tricks.sliding_window_view(x[0, 0], kernel)[::stride].T


@bug("fast-im2col_1d", symptom="column-order")
def strides_as_if_rows(x, kernel, *, stride=1):
    """Part C: right only for arrays that lie row after row."""
    n, c, length = x.shape
    if length < kernel or (length - kernel) % stride:
        raise ValueError("does not fit")
    flat = x.ravel(order="K")
    places = (length - kernel) // stride + 1
    i, ch, p, k = np.ix_(range(n), range(c), range(places), range(kernel))
    return flat[(i * c + ch) * length + p * stride + k].transpose(1, 3, 0, 2).reshape(c * kernel, -1)


@bug("fast-im2col_1d", symptom="floors")
def rounds_down(x, kernel, *, stride=1):
    travel = max(0, x.shape[2] - kernel) // stride * stride
    return right_columns(x[:, :, : travel + kernel], kernel, stride=stride).reshape(x.shape[1] * kernel, -1)


@bug("fast-im2col_1d", symptom="stride-ignored")
def every_place(x, kernel, *, stride=1):
    return right_columns(x, kernel).reshape(x.shape[1] * kernel, -1)


@bug("fast-im2col_1d", symptom="no-plus-one")
def one_place_short(x, kernel, *, stride=1):
    return right_columns(x, kernel, stride=stride)[..., :-1].reshape(x.shape[1] * kernel, -1)


@bug("fast-im2col_1d", symptom="mutates")
def writes_into_x(x, kernel, *, stride=1):
    cols = right_columns(x, kernel, stride=stride).reshape(x.shape[1] * kernel, -1)
    x[:, :, 0] = 0
    return cols


def forward(x, w, b, *, stride=1, pad=0, im2col, kernel=None, rows=None, mix=None, drop_bias=False, options=True):
    """The right answer, unless an option asks for a mistake."""
    hh, ww = kernel(w) if kernel else w.shape[2:]
    cols = im2col(x, hh, ww, stride=stride, pad=pad) if options else im2col(x, hh, ww, pad=pad)
    matrix = rows(w) if rows else w.reshape(len(w), -1)
    out = matrix @ cols + (0 if drop_bias else b[:, None])
    size = [(n + 2 * pad - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    shape = (len(x), len(w), *size)
    out = mix(out, shape) if mix else out.reshape(len(w), len(x), *size).transpose(1, 0, 2, 3)
    return out, (cols, x.shape, w, stride, pad)


def forward_bug(name, symptom, **mistake):
    def wrong(x, w, b, *, stride=1, pad=0, im2col=library_im2col):
        return forward(x, w, b, stride=stride, pad=pad, im2col=im2col, **mistake)

    wrong.__name__ = name
    bug("fast-conv_forward", symptom=symptom)(wrong)


forward_bug("height_for_width", "square-filter", kernel=lambda w: (w.shape[2], w.shape[2]))
forward_bug("kernel_swapped", "square-filter", kernel=lambda w: w.shape[:1:-1])
forward_bug("never_moves_the_axes", "axes-mixed", mix=lambda out, shape: out.reshape(shape))
forward_bug("forgets_the_bias", "no-bias", drop_bias=True)
forward_bug("filter_channels_last", "filter-order", rows=lambda w: w.transpose(0, 2, 3, 1).reshape(len(w), -1))
forward_bug("turns_the_filter", "flipped", rows=lambda w: w[:, :, ::-1, ::-1].reshape(len(w), -1))
forward_bug("needs_row_order", "column-order", rows=lambda w: w.ravel(order="K").reshape(len(w), -1))
forward_bug(
    "channels_last", "channels-last", mix=lambda out, s: out.reshape(s[1], s[0], s[2], s[3]).transpose(1, 2, 3, 0)
)
forward_bug("filters_first", "axes-order", mix=lambda out, s: out.reshape(s[1], s[0], s[2], s[3]))


@bug("fast-conv_forward", symptom="im2col-unused")
def asks_the_library(x, w, b, *, stride=1, pad=0, im2col=library_im2col):
    """What the library ships must not be the answer."""
    out, _ = conv_forward_fast(x, w, b, stride=stride, pad=pad)
    return out, (im2col(x, *w.shape[2:], stride=stride, pad=pad), x.shape, w, stride, pad)


@bug("fast-conv_forward", symptom="im2col-unused")
def ignores_the_argument(x, w, b, *, stride=1, pad=0, im2col=library_im2col):
    return forward(x, w, b, stride=stride, pad=pad, im2col=library_im2col)


@bug("fast-conv_forward", symptom="cache")
def keeps_x_in_the_cache(x, w, b, *, stride=1, pad=0, im2col=library_im2col):
    out, _ = forward(x, w, b, stride=stride, pad=pad, im2col=im2col)
    return out, (x, w, b, stride, pad)


def backward(dout, cache, *, col2im, rows=None, kernel=None, scale=1.0, turn=False, scatter=None, dw=None):
    """The right gradients, unless an option asks for a mistake."""
    cols, x_shape, w, stride, pad = cache
    matrix = rows(dout) if rows else dout.transpose(1, 0, 2, 3).reshape(len(w), -1)
    filters = (w[:, :, ::-1, ::-1] if turn else w).reshape(len(w), -1)
    hh, ww = kernel(w) if kernel else w.shape[2:]
    dcols = filters.T @ matrix
    dx = (scatter or col2im)(dcols, x_shape, hh, ww, stride=stride, pad=pad)
    found = scale * (matrix @ cols.T)
    return dx, dw(found, w) if dw else found.reshape(w.shape), scale * matrix.sum(axis=1)


def scatter_assigned(cols, x_shape, hh, ww, *, stride, pad):
    """col2im with `=`: part C."""
    n, c, h, wide = x_shape
    out_h, out_w = (h + 2 * pad - hh) // stride + 1, (wide + 2 * pad - ww) // stride + 1
    six = cols.reshape(c, hh, ww, n, out_h, out_w)
    frame = np.zeros((n, c, h + 2 * pad, wide + 2 * pad))
    for i in range(out_h):
        for j in range(out_w):
            window = np.s_[:, :, i * stride : i * stride + hh, j * stride : j * stride + ww]
            frame[window] = six[:, :, :, :, i, j].transpose(3, 0, 1, 2)
    return frame[:, :, pad : pad + h, pad : pad + wide]


def taps_assigned(cols, x_shape, hh, ww, *, stride, pad):
    """The same, tap by tap."""
    n, c, h, wide = x_shape
    out_h, out_w = (h + 2 * pad - hh) // stride + 1, (wide + 2 * pad - ww) // stride + 1
    six = cols.reshape(c, hh, ww, n, out_h, out_w)
    frame = np.zeros((n, c, h + 2 * pad, wide + 2 * pad))
    for i in range(hh):
        for j in range(ww):
            rows, columns = np.s_[i : i + stride * out_h : stride], np.s_[j : j + stride * out_w : stride]
            frame[:, :, rows, columns] = six[:, i, j].transpose(1, 0, 2, 3)
    return frame[:, :, pad : pad + h, pad : pad + wide]


def backward_bug(name, symptom, **mistake):
    def wrong(dout, cache, *, col2im=library_col2im):
        return backward(dout, cache, col2im=col2im, **mistake)

    wrong.__name__ = name
    bug("fast-conv_backward", symptom=symptom)(wrong)


backward_bug("reshapes_dout_only", "axes-mixed", rows=lambda dout: dout.reshape(dout.shape[1], -1))
backward_bug("height_for_width_again", "square-filter", kernel=lambda w: (w.shape[2], w.shape[2]))
backward_bug("turned_filter", "flipped", turn=True)
backward_bug("windows_overwrite", "overwrites", scatter=scatter_assigned)
backward_bug("taps_overwrite", "overwrites", scatter=taps_assigned)
backward_bug("library_whatever_is_given", "col2im-unused", scatter=library_col2im)
backward_bug("halves_everything", "values", scale=0.5)
backward_bug("leaves_dw_flat", "dw-flat", dw=lambda found, w: found)
backward_bug("never_adds_up", "dx-columns", scatter=lambda cols, *args, **kwargs: cols)
backward_bug("dout_in_memory_order", "axes-mixed", rows=lambda dout: dout.ravel(order="K").reshape(dout.shape[1], -1))


@bug("fast-conv_backward", symptom="mean")
def mean_over_the_batch(dout, cache, *, col2im=library_col2im):
    return tuple(g / len(dout) for g in backward(dout, cache, col2im=col2im))


@bug("fast-conv_backward", symptom="column-order")
def w_in_memory_order(dout, cache, *, col2im=library_col2im):
    cols, x_shape, w, stride, pad = cache
    matrix = dout.transpose(1, 0, 2, 3).reshape(len(w), -1)
    dcols = w.ravel(order="K").reshape(len(w), -1).T @ matrix
    dx = col2im(dcols, x_shape, *w.shape[2:], stride=stride, pad=pad)
    return dx, (matrix @ cols.T).reshape(w.shape), matrix.sum(axis=1)
