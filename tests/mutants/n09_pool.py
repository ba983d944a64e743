"""Planted bugs of N09: max pooling, forward and backward."""

import numpy as np

from tests.mutants import bug
from tests.mutants.n09_geometry import right_size


def pool(x, pool_h, pool_w, stride, reduce=np.max, size=None):
    """Reduce each window; `size` may be wrong on purpose."""
    out_h, out_w = size or right_size(x.shape[2:], (pool_h, pool_w), stride=stride)
    out = np.zeros((*x.shape[:2], out_h, out_w))
    for i in range(out_h):
        for j in range(out_w):
            window = x[:, :, i * stride : i * stride + pool_h, j * stride : j * stride + pool_w]
            out[:, :, i, j] = reduce(window, axis=(2, 3))
    return out, (x, pool_h, pool_w, stride)


@bug("conv-pool_forward", symptom="mean")
def mean_pooling(x, *, pool_h, pool_w, stride):
    return pool(x, pool_h, pool_w, stride, np.mean)


@bug("conv-pool_forward", symptom="minimum")
def min_pooling(x, *, pool_h, pool_w, stride):
    return pool(x, pool_h, pool_w, stride, np.min)


@bug("conv-pool_forward", symptom="over-channels")
def pools_channels(x, *, pool_h, pool_w, stride):
    out, cache = pool(x, pool_h, pool_w, stride)
    return np.repeat(out.max(axis=1, keepdims=True), out.shape[1], axis=1), cache


@bug("conv-pool_forward", symptom="shape")
def one_channel_left(x, *, pool_h, pool_w, stride):
    out, cache = pool(x, pool_h, pool_w, stride)
    return out.max(axis=1, keepdims=True), cache


@bug("conv-pool_forward", symptom="starts-at-zero")
def running_maximum_from_zero(x, *, pool_h, pool_w, stride):
    return pool(x, pool_h, pool_w, stride, lambda window, axis: np.maximum(window.max(axis=axis), 0))


@bug("conv-pool_forward", symptom="square-only")
def square_window(x, *, pool_h, pool_w, stride):
    size = right_size(x.shape[2:], (pool_h, pool_w), stride=stride)
    return pool(x, pool_h, pool_h, stride, size=size)[0], (x, pool_h, pool_w, stride)


@bug("conv-pool_forward", symptom="square-only")
def swapped_window(x, *, pool_h, pool_w, stride):
    return pool(x, pool_w, pool_h, stride)[0], (x, pool_h, pool_w, stride)


@bug("conv-pool_forward", symptom="swapped-hw")
def swapped_output(x, *, pool_h, pool_w, stride):
    out, cache = pool(x, pool_h, pool_w, stride)
    return out.swapaxes(2, 3).copy(), cache


@bug("conv-pool_forward", symptom="stride-is-window")
def moves_by_the_window(x, *, pool_h, pool_w, stride):
    right_size(x.shape[2:], (pool_h, pool_w), stride=stride)
    if pool_h != pool_w:
        return pool(x, pool_h, pool_w, stride)
    size = tuple((n - pool_h) // pool_h + 1 for n in x.shape[2:])
    return pool(x, pool_h, pool_w, pool_h, size=size)[0], (x, pool_h, pool_w, stride)


@bug("conv-pool_forward", symptom="stride-ignored")
def windows_one_apart(x, *, pool_h, pool_w, stride):
    size = right_size(x.shape[2:], (pool_h, pool_w), stride=stride)
    return pool(x, pool_h, pool_w, 1, size=size)[0], (x, pool_h, pool_w, stride)


@bug("conv-pool_forward", symptom="floors")
def leaves_out_the_last_pixels(x, *, pool_h, pool_w, stride):
    size = tuple((n - k) // stride + 1 for n, k in zip(x.shape[2:], (pool_h, pool_w), strict=True))
    return pool(x, pool_h, pool_w, stride, size=size)


@bug("conv-pool_forward", symptom="cache")
def keeps_out_in_the_cache(x, *, pool_h, pool_w, stride):
    out, _ = pool(x, pool_h, pool_w, stride)
    return out, (out, pool_h, pool_w, stride)


@bug("conv-pool_forward", symptom="not-pair")
def returns_out_only(x, *, pool_h, pool_w, stride):
    return pool(x, pool_h, pool_w, stride)[0]


@bug("conv-pool_forward", symptom="mutates")
def clips_in_place(x, *, pool_h, pool_w, stride):
    out, _ = pool(x, pool_h, pool_w, stride)
    kept = x.copy()
    np.clip(x, 0, None, out=x)
    return out, (kept, pool_h, pool_w, stride)


def one_hot_of_the_first(window):
    mask = np.zeros(window.shape)
    mask[np.unravel_index(window.argmax(), window.shape)] = 1
    return mask


def route(dout, cache, *, mask=one_hot_of_the_first, add=True, swap=False, dtype=float, keep_first=False):
    """The right gradient, unless an option asks for a mistake."""
    x, pool_h, pool_w, stride = cache
    if swap:
        pool_h, pool_w = pool_w, pool_h
    dx = np.zeros(x.shape, dtype=dtype)
    for n, c, i, j in np.ndindex(dout.shape):
        place = np.s_[n, c, i * stride : i * stride + pool_h, j * stride : j * stride + pool_w]
        share = mask(x[place])
        back = share * dout[n, c, i, j]
        if keep_first:
            dx[place] = np.where(dx[place] == 0, back, dx[place])
        elif add:
            dx[place] += back.astype(dtype)
        else:
            dx[place] = np.where(share != 0, back, dx[place])
    return dx


def switched(name, symptom, **options):
    """Plant `route` with these options."""

    def wrong(dout, cache):
        return route(dout, cache, **options)

    wrong.__name__ = name
    bug("conv-pool_backward", symptom=symptom)(wrong)


def last_one(window):
    return one_hot_of_the_first(window[::-1, ::-1])[::-1, ::-1]


switched("assigns", "overwrites", add=False)  # part D (c)
switched("keeps_the_first_window", "first-window", keep_first=True)
switched("all_ties", "ties-all", mask=lambda window: (window == window.max()).astype(float))  # part D (d)
switched("splits_ties", "ties-split", mask=lambda window: (window == window.max()) / (window == window.max()).sum())
switched("last_tie", "ties-last", mask=last_one)
switched("column_order", "ties-column", mask=lambda window: one_hot_of_the_first(window.T).T)
switched("every_pixel", "to-all", mask=lambda window: np.ones(window.shape))
switched("mean_pooling_gradient", "mean", mask=lambda window: np.full(window.shape, 1 / window.size))
switched("mask_of_zero_maxima", "zero-maximum", mask=lambda window: one_hot_of_the_first(window) * (window > 0))
switched("max_with_zero", "to-all", mask=lambda window: np.maximum(window, 0) == max(window.max(), 0))
switched("window_swapped", "square-only", swap=True)
switched("gradient_like_x", "integer-gradient", dtype=int)


@bug("conv-pool_backward", symptom="square-only")
def flat_index_split_by_the_height(dout, cache):
    x, pool_h, pool_w, stride = cache
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * stride : i * stride + pool_h, j * stride : j * stride + pool_w]
        row, column = divmod(int(window.argmax()), pool_h)
        row, column = min(row, pool_h - 1), min(column, pool_w - 1)
        dx[n, c, i * stride + row, j * stride + column] += dout[n, c, i, j]
    return dx


@bug("conv-pool_backward", symptom="integer-gradient")
def zeros_like_x(dout, cache):
    return route(dout, cache).astype(cache[0].dtype)


@bug("conv-pool_backward", symptom="ones")
def the_mask_itself(dout, cache):
    return route(np.ones_like(dout), cache)


@bug("conv-pool_backward", symptom="times-x")
def multiplies_by_x(dout, cache):
    return route(dout, cache) * cache[0]


@bug("conv-pool_backward", symptom="mutates")
def scales_dout_in_place(dout, cache):
    dx = route(dout, cache)
    dout *= 0.5
    return dx


@bug("conv-pool_backward", symptom="tuple-of-one")
def trailing_comma(dout, cache):
    return (route(dout, cache),)


@bug("conv-pool_backward", symptom="no-return")
def forgets_to_return(dout, cache):
    route(dout, cache)


@bug("conv-pool_backward", symptom="ties")
def first_of_every_row(dout, cache):
    """Right for windows of two rows with one maximum, wrong for wider ones."""

    def mask(window):
        ties = window == window.max()
        if window.shape == (2, 2):
            return one_hot_of_the_first(window)
        return ties & (np.cumsum(ties, axis=1) == 1)

    return route(dout, cache, mask=mask)
