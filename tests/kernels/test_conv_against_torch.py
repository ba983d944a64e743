"""conv_forward_fast and conv_backward_fast equal torch over random shapes, and obey the adjoint identity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast


@st.composite
def convolutions(draw, max_batch=5, max_channels=6):
    """Draw the shapes of x and w and the options of a convolution that tiles."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, filters = (groups * draw(st.integers(1, max_channels)) for _ in range(2))
    options = {name: [] for name in ("stride", "pad", "dilation")}
    size, kernel = [], []
    for _ in "hw":
        k, s, d = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
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


def torch_conv(x, w, b, dout, *, stride, pad, dilation, groups):
    """Return out, dx, dw, db by torch; an empty batch has no gradient but zeros."""
    x, w, b, dout = (torch.tensor(np.ascontiguousarray(a), requires_grad=a is not dout) for a in (x, w, b, dout))
    out = torch.nn.functional.conv2d(x, w, b, stride, pad, dilation, groups)
    return [a.detach().numpy() for a in (out, *torch.autograd.grad(out, (x, w, b), dout))]


def ours(x, w, b, dout, **options):
    out, cache = conv_forward_fast(x, w, b, **options)
    return [out, *conv_backward_fast(dout, cache)]


def draw_arrays(x_shape, w_shape, options, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x, w, b = (rng.normal(size=s).astype(dtype) for s in (x_shape, w_shape, w_shape[:1]))
    dout = rng.normal(size=conv_forward_fast(x, w, b, **options)[0].shape).astype(dtype)
    return x, w, b, dout


def assert_close(got, want, tolerance):
    """Compare at the scale of the whole array: sums of many terms cancel, single entries may be near zero."""
    for name, a, e in zip(("out", "dx", "dw", "db"), got, want, strict=True):
        assert a.shape == e.shape, name
        assert a.dtype == e.dtype, name
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * np.abs(e).max(initial=0), err_msg=name)


@settings(max_examples=200, deadline=None)
@given(case=convolutions(), seed=st.integers(0, 9))
def test_conv_equals_torch_in_float64(case, seed):
    x_shape, w_shape, options = case
    arrays = draw_arrays(x_shape, w_shape, options, seed)
    assert_close(ours(*arrays, **options), torch_conv(*arrays, **options), 1e-10)
