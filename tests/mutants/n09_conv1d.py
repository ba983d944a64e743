"""Planted bugs of N09, last part: convolution along one axis, and the quiz."""

import numpy as np

from tests.mutants import bug, wrong_answer


def right_conv1d(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    n, c, length = x.shape
    f, per_group, k = w.shape
    reach = dilation * (k - 1) + 1
    span = length + 2 * pad - reach
    if c % groups or f % groups or per_group != c // groups or span < 0 or span % stride:
        raise ValueError("does not fit")
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    out = np.zeros((n, f, span // stride + 1))
    for m in range(f):
        first = m // (f // groups) * per_group
        for i in range(out.shape[2]):
            window = padded[:, first : first + per_group, i * stride : i * stride + reach : dilation]
            out[:, m, i] = (window * w[m]).sum(axis=(1, 2)) + b[m]
    return out


@bug("conv-conv1d", symptom="flipped")
def turns_the_filter(x, w, b, **options):
    return right_conv1d(x, w[:, :, ::-1], b, **options)


@bug("conv-conv1d", symptom="no-bias")
def forgets_the_bias(x, w, b, **options):
    return right_conv1d(x, w, 0 * b, **options)


@bug("conv-conv1d", symptom="bias-repeated")
def bias_in_every_channel(x, w, b, **options):
    return right_conv1d(x, w, b * w.shape[1], **options)


@bug("conv-conv1d", symptom="dilation-ignored")
def forgets_the_dilation(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    return right_conv1d(x, w, b, stride=stride, pad=pad, groups=groups)


@bug("conv-conv1d", symptom="dilation-ignored")
def dilates_the_size_only(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    right = right_conv1d(x, w, b, stride=stride, pad=pad, dilation=dilation, groups=groups)
    k = w.shape[2]
    cut = x[:, :, : (right.shape[2] - 1) * stride + k - 2 * pad]
    return right_conv1d(cut, w, b, stride=stride, pad=pad, groups=groups) if dilation > 1 else right


@bug("conv-conv1d", symptom="dilated-length")
def a_gap_too_many(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    right = right_conv1d(x, w, b, stride=stride, pad=pad, dilation=dilation, groups=groups)
    return right[:, :, : (x.shape[2] + 2 * pad - dilation * w.shape[2]) // stride + 1]


@bug("conv-conv1d", symptom="pad-once")
def pads_one_side(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    right = right_conv1d(x, w, b, stride=stride, pad=pad, dilation=dilation, groups=groups)
    reach = dilation * (w.shape[2] - 1) + 1
    return right[:, :, : (x.shape[2] + pad - reach) // stride + 1]


@bug("conv-conv1d", symptom="stride-ignored")
def forgets_the_stride(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    return right_conv1d(x, w, b, pad=pad, dilation=dilation, groups=groups)


@bug("conv-conv1d", symptom="groups-interleaved")
def every_gth_channel(x, w, b, *, groups=1, **options):
    n, c, length = x.shape
    mixed = x.reshape(n, c // groups, groups, length).swapaxes(1, 2).reshape(x.shape)
    return right_conv1d(mixed, w, b, groups=groups, **options)


@bug("conv-conv1d", symptom="groups-interleaved")
def filters_take_turns(x, w, b, *, groups=1, **options):
    order = np.argsort(np.arange(len(w)) % groups, kind="stable")
    found = right_conv1d(x, w[order], b[order], groups=groups, **options)
    out = np.empty_like(found)
    out[:, order] = found
    return out


@bug("conv-conv1d", symptom="groups-first")
def first_block_for_all(x, w, b, *, groups=1, **options):
    if x.shape[1] % groups or len(w) % groups:
        raise ValueError("groups")
    return right_conv1d(x[:, : w.shape[1]], w, b, **options)


@bug("conv-conv1d", symptom="groups-raises")
def forgets_groups(x, w, b, *, groups=1, **options):
    return right_conv1d(x, w, b, **options)


@bug("conv-conv1d", symptom="floors")
def leaves_out_the_last_pixels(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    span = x.shape[2] + 2 * pad - dilation * (w.shape[2] - 1) - 1
    cut = x if span % stride == 0 else x[:, :, : x.shape[2] - span % stride]
    return right_conv1d(cut, w, b, stride=stride, pad=pad, dilation=dilation, groups=groups)


@bug("conv-conv1d", symptom="floors")
def measures_the_kernel_without_gaps(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    if (x.shape[2] + 2 * pad - w.shape[2]) % stride and dilation == 1:
        raise ValueError("does not fit")
    return leaves_out_the_last_pixels(x, w, b, stride=stride, pad=pad, dilation=dilation, groups=groups)


@bug("conv-conv1d", symptom="groups-do-not-divide")
def drops_the_last_filters(x, w, b, *, groups=1, **options):
    kept = len(w) - len(w) % groups
    return right_conv1d(x, w[:kept], b[:kept], groups=groups, **options)


@bug("conv-conv1d", symptom="groups-do-not-divide")
def drops_the_last_channels(x, w, b, *, groups=1, **options):
    return right_conv1d(x[:, : x.shape[1] - x.shape[1] % groups], w, b, groups=groups, **options)


@bug("conv-conv1d", symptom="mutates")
def scales_the_filter_in_place(x, w, b, **options):
    out = right_conv1d(x, w, b, **options)
    w /= 2
    return out


wrong_answer("conv-quiz", "a word", "ABC", symptom="not-set")
wrong_answer("conv-quiz", "an unknown letter", {"A", "G"}, symptom="letters")
wrong_answer("conv-quiz", "numbers", [1, 2], symptom="letters")
