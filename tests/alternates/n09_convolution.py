"""Right answers to N09 as hardly anybody would write them: a check that refuses one of these is wrong itself."""

import itertools
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.alternates import UNUSUAL, unusual

UNUSUAL += [("conv-quiz", ["f", "C", "B", "A"]), ("conv-quiz", np.array(["A", "B", "C", "F"]))]


@unusual("conv-output_shape")
def counted_starts(size, kernel, *, stride=1, pad=0):
    result = ()
    for n, k in zip(size, kernel, strict=True):
        starts = [s for s in range(-pad, n + pad) if s + k <= n + pad][::stride]
        if not starts or starts[-1] + k != n + pad:
            raise ValueError(f"{k} does not fit {n}")
        result += (len(starts),)
    return result


@unusual("conv-output_shape")
def by_divmod_on_arrays(size, kernel, *, stride=1, pad=0):
    places, rest = np.divmod(np.array(size) - kernel + 2 * pad, stride)
    if rest.any() or (places < 0).any():
        raise ValueError("does not fit")
    return list(places + 1)


@unusual("conv-cost")
def counted_by_enumeration(in_shape, out_shape, kernel):
    one = len(list(itertools.product(range(in_shape[0]), range(kernel[0]), range(kernel[1]))))
    outputs = int(np.prod(out_shape))
    return {
        "fc_parameters": outputs + outputs * int(np.prod(in_shape)),
        "multiply_adds": np.int64(outputs) * one,
        "parameters": sum(one + 1 for _ in range(out_shape[0])),
        "per_filter": 1 + one,
    }


@unusual("conv-cost")
def sizes_of_arrays(in_shape, out_shape, kernel):
    w, b = np.broadcast_to(0.0, (out_shape[0], in_shape[0], *kernel)), np.zeros(out_shape[0])
    wide = np.broadcast_to(0.0, (math.prod(out_shape), math.prod(in_shape)))
    return {
        "per_filter": w[0].size + b[0].size,
        "parameters": w.size + b.size,
        "multiply_adds": w.size * math.prod(out_shape[1:]),
        "fc_parameters": wide.size + len(wide),
    }


@unusual("conv-receptive_field")
def downwards_from_the_top(layers):
    seen = 1
    for kernel, stride in layers[::-1]:
        seen = (seen - 1) * stride + kernel
    return seen


@unusual("conv-receptive_field")
def recursive(layers):
    if not layers:
        return 1
    (kernel, stride), *above = layers
    return kernel + (recursive(above) - 1) * stride


@unusual("conv-receptive_field")
def by_products(layers):
    strides = np.cumprod([1] + [stride for _, stride in layers])[:-1]
    return 1 + np.dot([kernel - 1 for kernel, _ in layers], strides).astype(np.int64) if layers else np.int64(1)


def sizes_or_error(x, hh, ww, stride, pad):
    h, wide = x.shape[2] + 2 * pad - hh, x.shape[3] + 2 * pad - ww
    if min(h, wide) < 0 or h % stride or wide % stride:
        raise ValueError("does not fit")
    return h // stride + 1, wide // stride + 1


@unusual("conv-forward")
def seven_loops(x, w, b, *, stride=1, pad=0):
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    out_h, out_w = sizes_or_error(x, HH, WW, stride, pad)
    y = np.empty((N, F, out_h, out_w), dtype=np.float64)
    for n, f, i, j in itertools.product(range(N), range(F), range(out_h), range(out_w)):
        total = float(b[f])
        for c, u, v in itertools.product(range(C), range(HH), range(WW)):
            row, column = i * stride + u - pad, j * stride + v - pad
            if 0 <= row < H and 0 <= column < W:
                total += float(x[n, c, row, column]) * float(w[f, c, u, v])
        y[n, f, i, j] = total
    return y, (x, w, b, stride, pad)


@unusual("conv-forward")
def windows_and_einsum(x, w, b, *, stride=1, pad=0):
    sizes_or_error(x, *w.shape[2:], stride, pad)
    framed = np.zeros((*x.shape[:2], x.shape[2] + 2 * pad, x.shape[3] + 2 * pad), dtype=np.float64)
    framed[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]] = x
    patches = sliding_window_view(framed, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwuv,fcuv->nfhw", patches, w) + b[None, :, None, None], [x, w, b, stride, pad]


@unusual("conv-forward")
def tap_by_tap_in_the_input_dtype(x, w, b, *, stride=1, pad=0):
    out_h, out_w = sizes_or_error(x, *w.shape[2:], stride, pad)
    framed = np.pad(x, [(0, 0)] * 2 + [(pad, pad)] * 2)
    out = np.zeros((len(x), len(w), out_h, out_w), dtype=np.result_type(x, w))
    out += b.reshape(-1, 1, 1)
    for u, v in np.ndindex(*w.shape[2:]):
        part = framed[:, :, u : u + stride * out_h : stride, v : v + stride * out_w : stride]
        out += np.tensordot(part, w[:, :, u, v], axes=(1, 1)).transpose(0, 3, 1, 2)
    return out, (x, w, b, stride, pad)


@unusual("conv-merge")
def outer_product_scattered(first, second):
    merged = np.zeros(np.add(first.shape, second.shape) - 1)
    a, b, c, d = np.indices(first.shape + second.shape)
    np.add.at(merged, (a + c, b + d), np.multiply.outer(first, second))
    return merged


@unusual("conv-merge")
def by_fourier(first, second):
    shape = tuple(np.add(first.shape, second.shape) - 1)
    return np.fft.ifft2(np.fft.fft2(first, shape) * np.fft.fft2(second, shape)).real


@unusual("conv-backward")
def gradient_places_one_by_one(dout, cache):
    x, w, b, stride, pad = cache
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    for n, f, i, j in np.ndindex(dout.shape):
        g = dout[n, f, i, j]
        db[f] += g
        for c, u, v in np.ndindex(w.shape[1:]):
            row, column = i * stride + u - pad, j * stride + v - pad
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                dw[f, c, u, v] += g * x[n, c, row, column]
                dx[n, c, row, column] += g * w[f, c, u, v]
    return dx, dw, db


@unusual("conv-backward")
def scatter_with_add_at(dout, cache):
    x, w, _, stride, pad = cache
    hh, ww = w.shape[2:]
    oh, ow = dout.shape[2:]
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))).astype(np.float64)
    rows = stride * np.arange(oh)[:, None, None, None] + np.arange(hh)[None, None, :, None]
    columns = stride * np.arange(ow)[None, :, None, None] + np.arange(ww)[None, None, None, :]
    patches = framed[:, :, rows, columns]
    dw = np.einsum("nfij,ncijuv->fcuv", dout, patches)
    dframed = np.zeros_like(framed)
    every = (slice(None), slice(None))
    np.add.at(dframed, (*every, rows, columns), np.einsum("nfij,fcuv->ncijuv", dout, w))
    return [dframed[:, :, pad : framed.shape[2] - pad, pad : framed.shape[3] - pad], dw, np.einsum("nfij->f", dout)]


@unusual("conv-backward")
def tap_by_tap(dout, cache):
    x, w, b, stride, pad = cache
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dframed, dw = np.zeros(framed.shape, dtype=dout.dtype), np.zeros(w.shape, dtype=w.dtype)
    oh, ow = dout.shape[2:]
    for u, v in np.ndindex(*w.shape[2:]):
        part = np.s_[:, :, u : u + stride * oh : stride, v : v + stride * ow : stride]
        dw[:, :, u, v] = np.tensordot(dout, framed[part], axes=((0, 2, 3), (0, 2, 3)))
        dframed[part] += np.tensordot(dout, w[:, :, u, v], axes=(1, 0)).transpose(0, 3, 1, 2)
    end_h, end_w = (-pad or None,) * 2
    return dframed[:, :, pad:end_h, pad:end_w], dw, dout.sum((0, 2, 3)).astype(b.dtype)


@unusual("conv-pool_forward")
def windows_then_max(x, *, pool_h, pool_w, stride):
    sizes_or_error(x, pool_h, pool_w, stride, 0)
    views = sliding_window_view(x, (pool_h, pool_w), axis=(2, 3))[:, :, ::stride, ::stride]
    return views.max(axis=(-1, -2)), [x, pool_h, pool_w, stride]


@unusual("conv-pool_forward")
def running_maximum(x, *, pool_h, pool_w, stride):
    out_h, out_w = sizes_or_error(x, pool_h, pool_w, stride, 0)
    best = np.full((*x.shape[:2], out_h, out_w), -np.inf)
    for u in range(pool_h):
        for v in range(pool_w):
            best = np.maximum(best, x[:, :, u : u + stride * out_h : stride, v : v + stride * out_w : stride])
    return best, (x, pool_h, pool_w, stride)


@unusual("conv-pool_backward")
def first_equal_in_python(dout, cache):
    x, pool_h, pool_w, stride = cache
    gradient = np.zeros(x.shape)
    for n, c, i, j in itertools.product(*map(range, dout.shape)):
        places = itertools.product(range(pool_h), range(pool_w))
        at = max(places, key=lambda p: (x[n, c, i * stride + p[0], j * stride + p[1]], -p[0], -p[1]))
        gradient[n, c, i * stride + at[0], j * stride + at[1]] += dout[n, c, i, j]
    return gradient


@unusual("conv-pool_backward")
def argmax_and_add_at(dout, cache):
    x, pool_h, pool_w, stride = cache
    views = sliding_window_view(x, (pool_h, pool_w), axis=(2, 3))[:, :, ::stride, ::stride]
    winner = views.reshape(*dout.shape, -1).argmax(axis=-1)
    n, c, i, j = np.indices(dout.shape)
    gradient = np.zeros(x.shape, dtype=dout.dtype)
    np.add.at(gradient, (n, c, i * stride + winner // pool_w, j * stride + winner % pool_w), dout)
    return gradient


@unusual("conv-conv1d")
def dilated_filter_with_zeros(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    f, per_group, k = w.shape
    if x.shape[1] % groups or f % groups:
        raise ValueError("groups")
    spread = np.zeros((f, x.shape[1], dilation * (k - 1) + 1))
    for m in range(f):
        block = m * groups // f
        spread[m, block * per_group : (block + 1) * per_group, ::dilation] = w[m]
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    travel = framed.shape[2] - spread.shape[2]
    if travel < 0 or travel % stride:
        raise ValueError("does not fit")
    patches = sliding_window_view(framed, spread.shape[2], axis=2)[:, :, ::stride]
    return np.einsum("nclk,fck->nfl", patches, spread) + b[:, None]


@unusual("conv-conv1d")
def one_tap_after_the_other(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    n, c, length = x.shape
    f, per_group, taps = w.shape
    if c % groups or f % groups or c // groups != per_group:
        raise ValueError("groups must divide the channels and the filters")
    starts = range(-pad, length + pad - dilation * (taps - 1), stride)
    if not starts or starts[-1] + dilation * (taps - 1) != length + pad - 1:
        raise ValueError("does not fit")
    y = np.zeros((n, f, len(starts)))
    for place, start in enumerate(starts):
        for m in range(f):
            y[:, m, place] = b[m]
            for tap in range(taps):
                pixel = start + tap * dilation
                if 0 <= pixel < length:
                    mine = x[:, m // (f // groups) * per_group :, pixel][:, :per_group]
                    y[:, m, place] += mine @ w[m, :, tap]
    return y
