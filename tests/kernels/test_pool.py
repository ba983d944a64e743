"""Pooling equals torch, windows that overlap too; ties, negative input and NaN follow the documented rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_lib.kernels import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)

POOLS = {
    "max": (max_pool_forward_fast, max_pool_backward_fast, torch.nn.functional.max_pool2d),
    "avg": (avg_pool_forward_fast, avg_pool_backward_fast, torch.nn.functional.avg_pool2d),
}
each_pool = pytest.mark.parametrize("kind", POOLS)


@st.composite
def poolings(draw):
    pool, stride, out = ([draw(st.integers(1, top)) for _ in "hw"] for top in (4, 4, 6))
    size = [p + (o - 1) * s for p, s, o in zip(pool, stride, out, strict=True)]
    shape = (draw(st.integers(0, 5)), draw(st.integers(1, 4)), *size)
    return shape, {"pool_h": pool[0], "pool_w": pool[1], "stride": tuple(stride)}


def assert_pool_equals_torch(kind, x, options, seed=0):
    forward, backward, by_torch = POOLS[kind]
    out, cache = forward(x, **options)
    dout = np.random.default_rng(seed).normal(size=out.shape).astype(x.dtype)
    dx = backward(dout, cache)
    leaf = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
    want = by_torch(leaf, (options["pool_h"], options["pool_w"]), options["stride"])
    want_dx = torch.autograd.grad(want, leaf, torch.tensor(dout))[0]
    assert out.dtype == dx.dtype == x.dtype
    np.testing.assert_allclose(out, want.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, want_dx.numpy(), rtol=1e-12, atol=1e-12)


@each_pool
@settings(max_examples=100, deadline=None)
@given(case=poolings(), seed=st.integers(0, 9), ties=st.booleans())
def test_pool_equals_torch(kind, case, seed, ties):
    """torch's max gives a tie to the first pixel too."""
    shape, options = case
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 0, size=shape).astype(float) if ties else rng.normal(size=shape) - 5  # all negative
    if len(x):  # torch has no gradient through an empty batch
        assert_pool_equals_torch(kind, x, options, seed)
    else:
        out, cache = POOLS[kind][0](x, **options)
        assert POOLS[kind][1](out, cache).shape == shape


@each_pool
def test_overlapping_windows_3x3_stride_2(kind):
    """AlexNet's pooling ended in a NameError in Stanford's fast layers."""
    x = np.random.default_rng(0).normal(size=(3, 2, 13, 13))
    assert_pool_equals_torch(kind, x, {"pool_h": 3, "pool_w": 3, "stride": 2})


@each_pool
@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda a: a[::-1, :, ::-1], lambda a: np.repeat(a, 2, 3)[..., ::2]]
)
def test_any_memory_layout(kind, layout):
    x = np.random.default_rng(0).normal(size=(3, 2, 8, 6))
    assert_pool_equals_torch(kind, layout(x), {"pool_h": 2, "pool_w": 2, "stride": 2})


def test_a_tie_goes_to_the_first_pixel():
    out, cache = max_pool_forward_fast(np.ones((1, 1, 2, 2)), pool_h=2, pool_w=2, stride=1)
    np.testing.assert_array_equal(max_pool_backward_fast(np.full_like(out, 3), cache), [[[[3, 0], [0, 0]]]])


def test_nan_wins_its_window_and_the_first_nan_takes_the_gradient():
    x = np.array([[[[1.0, np.nan, 2.0, 3.0], [np.nan, 0.0, 4.0, -np.inf]]]])
    out, cache = max_pool_forward_fast(x, pool_h=2, pool_w=2, stride=2)
    np.testing.assert_array_equal(out, [[[[np.nan, 4.0]]]])
    dx = max_pool_backward_fast(np.ones_like(out), cache)
    np.testing.assert_array_equal(dx, [[[[0, 1, 0, 0], [0, 0, 1, 0]]]])


@each_pool
def test_a_stride_that_does_not_tile_raises(kind):
    message = f"^{kind}_pool_forward_fast: kernel 3, stride 2 and pad 0 must tile size 8, got 5 pixels to stride over"
    with pytest.raises(ValueError, match=message):
        POOLS[kind][0](np.zeros((1, 1, 8, 8)), pool_h=3, pool_w=3, stride=2)


@each_pool
def test_bad_input_is_named(kind):
    forward, backward, _ = POOLS[kind]
    with pytest.raises(TypeError, match="x must be float32 or float64, got int64"):
        forward(np.zeros((1, 1, 4, 4), int), pool_h=2, pool_w=2, stride=2)
    with pytest.raises(ValueError, match="stride must be an integer of at least 1"):
        forward(np.zeros((1, 1, 4, 4)), pool_h=2, pool_w=2, stride=0)
    _, cache = forward(np.zeros((1, 1, 4, 4)), pool_h=2, pool_w=2, stride=2)
    with pytest.raises(ValueError, match=f"{kind}_pool_backward_fast: dout must have the output's shape"):
        backward(np.zeros((1, 1, 3, 2)), cache)


@each_pool
@pytest.mark.parametrize("options", [{"pool_h": 1, "pool_w": 1, "stride": 1}, {"pool_h": 2, "pool_w": 2, "stride": 2}])
def test_results_share_no_memory(kind, options):
    forward, backward, _ = POOLS[kind]
    x = np.random.default_rng(0).normal(size=(4, 2, 4, 4))
    x.flags.writeable = False
    out, cache = forward(x, **options)
    want = backward(np.ones_like(out), cache)
    dx = backward(np.ones_like(out), cache)
    assert not np.shares_memory(out, x)
    assert not np.shares_memory(dx, x)
    out[...] = 0  # the layer above may work in place; the cache must not notice
    np.testing.assert_array_equal(backward(np.ones_like(out), cache), want)
