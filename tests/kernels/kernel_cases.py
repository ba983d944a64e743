"""Random convolutions, and torch as their oracle."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast


@st.composite
def convolutions(draw, max_batch=5, max_channels=6, strides=(1, 2, 3), groups=(1, 1, 1, 2, 3), max_kernel=5):
    """Draw the shapes of x and w and the options of a convolution that tiles."""
    groups = draw(st.sampled_from(groups))
    channels, filters = (groups * draw(st.integers(1, max_channels)) for _ in range(2))
    options = {name: [] for name in ("stride", "pad", "dilation")}
    size, kernel = [], []
    for _ in "hw":
        k, s, d = draw(st.integers(1, max_kernel)), draw(st.sampled_from(strides)), draw(st.sampled_from([1, 1, 2, 3]))
        span = d * (k - 1) + 1
        p = draw(st.integers(0, min(4, span)))
        out = draw(st.integers(max(1, -(-(2 * p + 1 - span) // s) + 1), 11))
        size.append(span + (out - 1) * s - 2 * p)
        kernel.append(k)
        for name, value in zip(options, (s, p, d), strict=True):
            options[name].append(value)
    options = {name: tuple(pair) for name, pair in options.items()}
    x_shape = (draw(st.integers(0, max_batch)), channels, *size)
    return x_shape, (filters, channels // groups, *kernel), options | {"groups": groups}


def torch_conv(x, w, b, dout, *, stride=1, pad=0, dilation=1, groups=1):
    """Return out, dx, dw, db by torch."""
    inputs = [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in (x, w, b)]
    out = torch.nn.functional.conv2d(*inputs, stride, pad, dilation, groups)
    grads = torch.autograd.grad(out, inputs, torch.tensor(np.ascontiguousarray(dout)))
    return [a.detach().numpy() for a in (out, *grads)]


def our_conv(x, w, b, dout, **options):
    """Return out, dx, dw, db by the kernels."""
    out, cache = conv_forward_fast(x, w, b, **options)
    return [out, *conv_backward_fast(dout, cache)]


def draw_arrays(x_shape, w_shape, options, seed=0, dtype=np.float64):
    """Return x, w, b, dout."""
    rng = np.random.default_rng(seed)
    x, w, b = (rng.normal(size=s).astype(dtype) for s in (x_shape, w_shape, w_shape[:1]))
    dout = rng.normal(size=conv_forward_fast(x, w, b, **options)[0].shape).astype(dtype)
    return x, w, b, dout


def assert_close(got, want, tolerance, terms=(None,) * 4):
    """Compare at the scale of the whole array: sums of many terms cancel, so single entries may be near zero.

    terms : the same results for absolute values. All entries of a small array may cancel (one filter has one db), and
        then the last digit of its terms is what can be asked of a sum.
    """
    for name, a, e, sums in zip(("out", "dx", "dw", "db"), got, want, terms, strict=True):
        assert a.shape == e.shape, name
        scale = tolerance * np.abs(e).max(initial=0)
        if sums is not None:
            scale = max(scale, np.finfo(a.dtype).eps * sums.max(initial=0))
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=scale, err_msg=name)
