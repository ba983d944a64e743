"""Planted bugs of N09: convolution forward, and two convolutions in one. One loop per place, bugs as switches."""

import numpy as np

from tests.mutants import bug
from tests.mutants.n09_geometry import right_size


def right_conv(x, w, b, *, stride=1, pad=0):
    out_h, out_w = right_size(x.shape[2:], w.shape[2:], stride=stride, pad=pad)
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return windows(padded, w, b, out_h, out_w, stride), (x, w, b, stride, pad)


def windows(padded, w, b, out_h, out_w, stride, hh=None, ww=None):
    """Return the maps of a padded x; hh and ww may be wrong on purpose."""
    hh, ww = hh or w.shape[2], ww or w.shape[3]
    out = np.zeros((len(padded), len(w), out_h, out_w))
    for i in range(out_h):
        for j in range(out_w):
            window = padded[:, :, i * stride : i * stride + hh, j * stride : j * stride + ww]
            out[:, :, i, j] = (window[:, None] * w).sum(axis=(2, 3, 4)) + b
    return out


@bug("conv-forward", symptom="swapped-hw")
def height_and_width_swapped(x, w, b, *, stride=1, pad=0):
    """Part D (a)."""
    out, cache = right_conv(x, w, b, stride=stride, pad=pad)
    return out.swapaxes(2, 3).copy(), cache


@bug("conv-forward", symptom="square-only")
def loops_over_swapped_ranges(x, w, b, *, stride=1, pad=0):
    """Part D (a) again, with the right shape: the loops run over the other size."""
    right, cache = right_conv(x, w, b, stride=stride, pad=pad)
    out = np.zeros_like(right)
    for i in range(right.shape[3]):
        for j in range(right.shape[2]):
            out[:, :, i, j] = right[:, :, i, j]
    return out, cache


@bug("conv-forward", symptom="square-only")
def filter_height_for_its_width(x, w, b, *, stride=1, pad=0):
    """Part D (b)."""
    hh = w.shape[2]
    out_h, out_w = ((n + 2 * pad - hh) // stride + 1 for n in x.shape[2:])
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return windows(padded, w, b, out_h, out_w, stride, hh, hh), (x, w, b, stride, pad)


@bug("conv-forward", symptom="square-filter")
def filter_height_in_the_size_only(x, w, b, *, stride=1, pad=0):
    """Part D (b) again: windows are cut with the right width, but counted with the height."""
    hh = w.shape[2]
    out_h, out_w = ((n + 2 * pad - hh) // stride + 1 for n in x.shape[2:])
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad + 5), (pad, pad + 5)))
    return windows(padded, w, b, out_h, out_w, stride), (x, w, b, stride, pad)


@bug("conv-forward", symptom="kernel-transposed")
def kernel_width_first(x, w, b, *, stride=1, pad=0):
    """The lectures write K_w x K_h."""
    return right_conv(x, w.swapaxes(2, 3), b, stride=stride, pad=pad)


@bug("conv-forward", symptom="flipped")
def true_convolution(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w[:, :, ::-1, ::-1], b, stride=stride, pad=pad)


@bug("conv-forward", symptom="no-bias")
def forgets_the_bias(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w, 0 * b, stride=stride, pad=pad)


@bug("conv-forward", symptom="bias-repeated")
def bias_in_every_channel(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w, b * x.shape[1], stride=stride, pad=pad)


@bug("conv-forward", symptom="bias-repeated")
def bias_in_every_product(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w, b * w[0].size, stride=stride, pad=pad)


@bug("conv-forward", symptom="pad-one-side")
def pads_after_only(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (0, 0), (0, 2 * pad), (0, 2 * pad)))
    return right_conv(padded, w, b, stride=stride)


@bug("conv-forward", symptom="pad-once")
def pads_before_only(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (0, 0), (pad, 0), (pad, 0)))
    out_h, out_w = ((n + pad - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
    return windows(padded, w, b, out_h, out_w, stride), (x, w, b, stride, pad)


@bug("conv-forward", symptom="pad-channels")
def pads_every_axis(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, pad)[: len(x), : x.shape[1]]
    return right_conv(padded, w, b, stride=stride)


@bug("conv-forward", symptom="pad-channels")
def pads_channels_too(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (pad, pad)))[:, : x.shape[1]]
    return right_conv(padded, w, b, stride=stride)


@bug("conv-forward", symptom="pad-raises")
def pads_channels_and_breaks(x, w, b, *, stride=1, pad=0):
    return right_conv(np.pad(x, pad), w, b, stride=stride)


@bug("conv-forward", symptom="pad-not-zero")
def repeats_the_border(x, w, b, *, stride=1, pad=0):
    return right_conv(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="edge"), w, b, stride=stride)


@bug("conv-forward", symptom="pad-ignored")
def forgets_to_pad(x, w, b, *, stride=1, pad=0):
    out_h, out_w = ((n - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
    return windows(x, w, b, out_h, out_w, stride), (x, w, b, stride, pad)


@bug("conv-forward", symptom="stride-ignored")
def windows_one_apart(x, w, b, *, stride=1, pad=0):
    right, cache = right_conv(x, w, b, stride=stride, pad=pad)
    return right_conv(x, w, b, pad=pad)[0][:, :, : right.shape[2], : right.shape[3]], cache


@bug("conv-forward", symptom="stride-ignored")
def output_without_stride(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w, b, pad=pad)


@bug("conv-forward", symptom="first-channel")
def gray_images_only(x, w, b, *, stride=1, pad=0):
    return right_conv(x[:, :1], w[:, :1], b, stride=stride, pad=pad)


@bug("conv-forward", symptom="first-filter")
def one_filter_for_all(x, w, b, *, stride=1, pad=0):
    return right_conv(x, np.repeat(w[:1], len(w), axis=0), b, stride=stride, pad=pad)


@bug("conv-forward", symptom="mean-not-sum")
def mean_of_the_window(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w / w[0].size, b, stride=stride, pad=pad)


@bug("conv-forward", symptom="integer-output")
def output_like_x(x, w, b, *, stride=1, pad=0):
    out, cache = right_conv(x, w, b, stride=stride, pad=pad)
    return out.astype(x.dtype), cache


@bug("conv-forward", symptom="mutates")
def normalizes_x_in_place(x, w, b, *, stride=1, pad=0):
    result = right_conv(x.copy(), w, b, stride=stride, pad=pad)
    x -= x.mean()
    return result


@bug("conv-forward", symptom="floors")
def leaves_out_the_last_pixels(x, w, b, *, stride=1, pad=0):
    out_h, out_w = ((n + 2 * pad - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return windows(padded, w, b, out_h, out_w, stride), (x, w, b, stride, pad)


@bug("conv-forward", symptom="cache")
def keeps_the_padded_image(x, w, b, *, stride=1, pad=0):
    out, _ = right_conv(x, w, b, stride=stride, pad=pad)
    return out, (np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), w, b, stride, pad)


@bug("conv-forward", symptom="not-pair")
def returns_out_only(x, w, b, *, stride=1, pad=0):
    return right_conv(x, w, b, stride=stride, pad=pad)[0]


@bug("conv-forward", symptom="channels-last")
def filters_on_the_last_axis(x, w, b, *, stride=1, pad=0):
    out, cache = right_conv(x, w, b, stride=stride, pad=pad)
    return np.moveaxis(out, 1, -1).copy(), cache


@bug("conv-forward", symptom="axes-order")
def filters_first(x, w, b, *, stride=1, pad=0):
    out, cache = right_conv(x, w, b, stride=stride, pad=pad)
    return out.swapaxes(0, 1).copy(), cache


def right_merge(first, second):
    h, w = (m + n - 1 for m, n in zip(first.shape, second.shape, strict=True))
    out = np.zeros((h, w))
    for (i, j), value in np.ndenumerate(first):
        out[i : i + second.shape[0], j : j + second.shape[1]] += value * second
    return out


@bug("conv-merge", symptom="one-flipped")
def correlates_the_kernels(first, second):
    return right_merge(first[::-1, ::-1], second)


@bug("conv-merge", symptom="flipped")
def turned_round(first, second):
    out = right_merge(first, second)
    return out if out.shape == (1, 3) else out[::-1, ::-1].copy()


@bug("conv-merge", symptom="too-small")
def multiplies_entry_by_entry(first, second):
    return right_merge(first, second) if len(first) == 1 else first * second


@bug("conv-merge", symptom="overwritten")
def keeps_the_last_product(first, second):
    h, w = (m + n - 1 for m, n in zip(first.shape, second.shape, strict=True))
    out = np.zeros((h, w))
    for (i, j), value in np.ndenumerate(first):
        out[i : i + second.shape[0], j : j + second.shape[1]] = value * second
    return out


@bug("conv-merge", symptom="shape")
def three_by_three_only(first, second):
    return right_merge(first, second) if first.shape == second.shape else np.zeros((5, 5))
