"""Planted bugs of N09: convolution backward. Each is the loop over places with one thing wrong."""

import numpy as np

from tests.mutants import bug


def backward(
    dout,
    cache,
    *,
    add_dx=True,
    add_dw=True,
    turn=False,
    turn_dw=False,
    step=None,
    hh=None,
    ww=None,
    filters=None,
    crop=None,
    dtype=float,
):
    """The right gradients, unless an option asks for a mistake."""
    x, w, _, stride, pad = cache
    hh, ww, step = hh or w.shape[2], ww or w.shape[3], step or stride
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw = np.zeros(padded.shape, dtype=dtype), np.zeros(w.shape)
    for f in range(filters or len(w)):
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                place = np.s_[:, :, i * step : i * step + hh, j * step : j * step + ww]
                gradient = dout[:, f, i, j][:, None, None, None]
                back = gradient * (w[f, :, ::-1, ::-1] if turn else w[f])
                part = (gradient * padded[place]).sum(axis=0)
                dpadded[place] = (dpadded[place] + back if add_dx else back).astype(dtype)
                dw[f] = dw[f] + part if add_dw else part
    dx = dpadded[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]] if crop is None else crop(dpadded, x, pad)
    return dx, dw[:, :, ::-1, ::-1].copy() if turn_dw else dw, dout.sum(axis=(0, 2, 3))


def switched(name, symptom, **options):
    """Plant `backward` with these options."""

    def wrong(dout, cache):
        return backward(dout, cache, **options)

    wrong.__name__ = name
    bug("conv-backward", symptom=symptom)(wrong)


switched("dx_assigned", "overwrites", add_dx=False)
switched("dw_assigned", "overwrites", add_dw=False)
switched("filter_turned", "dx-flipped", turn=True)
switched("dw_turned", "dw-flipped", turn_dw=True)
switched("stride_ignored", "stride-ignored", step=1)
switched("first_filter_only", "values", filters=1)
switched("never_crops", "dx-padded", crop=lambda dpadded, x, pad: dpadded)
switched("crops_the_end", "crop", crop=lambda dpadded, x, pad: dpadded[:, :, : x.shape[2], : x.shape[3]])
switched("crops_the_start", "crop", crop=lambda dpadded, x, pad: dpadded[:, :, 2 * pad :, 2 * pad :])
switched("crops_by_minus_pad", "crop-zero", crop=lambda dpadded, x, pad: dpadded[:, :, pad:-pad, pad:-pad])


@bug("conv-backward", symptom="first-filter")
def dx_from_the_first_filter(dout, cache):
    return backward(dout, cache, filters=1)[0], *backward(dout, cache)[1:]


@bug("conv-backward", symptom="stride-ignored")
def dx_with_stride_1(dout, cache):
    return backward(dout, cache, step=1)[0], *backward(dout, cache)[1:]


@bug("conv-backward", symptom="square-only")
def square_filter(dout, cache):
    """Part D (b): the filter's height serves for its width."""
    hh = cache[1].shape[2]
    return backward(dout, cache, hh=hh, ww=hh)


@bug("conv-backward", symptom="square-only")
def swapped_ranges(dout, cache):
    """Part D (a): i runs over the width, j over the height, and the slices hide it where there is nothing left."""
    rows = min(dout.shape[2], dout.shape[3])
    return backward(dout[:, :, :rows, :rows], cache)


@bug("conv-backward", symptom="pad-raises")
def dw_from_the_image_without_border(dout, cache):
    x, w, b, stride, _ = cache
    return backward(dout, cache)[0], *backward(dout, (x, w, b, stride, 0))[1:]


@bug("conv-backward", symptom="integer-gradient")
def gradient_like_x(dout, cache):
    return backward(dout, cache, dtype=cache[0].dtype)


@bug("conv-backward", symptom="db-mean")
def mean_of_the_bias_gradient(dout, cache):
    dx, dw, _ = backward(dout, cache)
    return dx, dw, dout.mean(axis=(0, 2, 3))


@bug("conv-backward", symptom="db-mean")
def bias_gradient_over_n(dout, cache):
    dx, dw, db = backward(dout, cache)
    return dx, dw, db / len(dout)


@bug("conv-backward", symptom="overwrites")
def bias_of_the_last_image(dout, cache):
    dx, dw, _ = backward(dout, cache)
    return dx, dw, dout[-1].sum(axis=(1, 2))


@bug("conv-backward", symptom="dw-mean")
def filter_gradient_over_n(dout, cache):
    dx, dw, db = backward(dout, cache)
    return dx, dw / len(dout), db


@bug("conv-backward", symptom="dx-mean")
def image_gradient_over_n(dout, cache):
    dx, dw, db = backward(dout, cache)
    return dx / len(dout), dw, db


@bug("conv-backward", symptom="shape")
def bias_gradient_per_image(dout, cache):
    dx, dw, _ = backward(dout, cache)
    return dx, dw, dout.sum(axis=(2, 3))


@bug("conv-backward", symptom="order")
def filter_gradient_first(dout, cache):
    dx, dw, db = backward(dout, cache)
    return dw, dx, db


@bug("conv-backward", symptom="not-three")
def image_gradient_only(dout, cache):
    return backward(dout, cache)[0]


@bug("conv-backward", symptom="mutates")
def scales_dout_in_place(dout, cache):
    result = backward(dout.copy(), cache)
    dout *= 2
    return result


@bug("conv-backward", symptom="values")
def all_zero(dout, cache):
    """It would agree with a numerical gradient of a forward pass that is all zero."""
    x, w, b, _, _ = cache
    return np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
