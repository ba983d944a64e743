"""Workspaces stay for the next call of a layer: it must see nothing of the last one, and their size is bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast, threads
from cs231n_lib.kernels.threads import KEPT_BYTES, forget_workspaces

LAYERS = [
    ((9, 3, 15, 15), (5, 3, 3, 3), {"stride": 2, "pad": 1}),
    ((5, 4, 12, 18), (6, 2, 5, 4), {"stride": (1, 2), "pad": (2, 1), "groups": 2}),
    ((6, 3, 32, 32), (4, 3, 7, 7), {"pad": 3}),
    ((4, 130, 6, 6), (128, 130, 3, 3), {"stride": 1, "pad": 2, "dilation": 2}),
    ((7, 4, 12, 9), (6, 2, 4, 3), {"stride": (4, 3), "groups": 2}),
    ((20, 6, 9, 9), (6, 1, 3, 3), {"pad": 1, "groups": 6}),
    ((3, 4, 40, 40), (8, 1, 3, 3), {"pad": 1, "stride": 1, "groups": 4}),
]


def step(layer, seed, *, bad=False):
    """Return out, dx, dw and db of one layer for drawn data, with infinities and NaNs all over if `bad`."""
    x_shape, w_shape, options = layer
    rng = np.random.default_rng(seed)
    x, w, b = rng.normal(size=x_shape), rng.normal(size=w_shape), rng.normal(size=w_shape[0])
    if bad:
        x.flat[::2], x.flat[1::2] = np.nan, np.inf
    with np.errstate(invalid="ignore", over="ignore"):
        out, cache = conv_forward_fast(x, w, b, **options)
        dout = np.full_like(out, np.nan) if bad else rng.normal(size=out.shape)
        return out, *conv_backward_fast(dout, cache)


@pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")
@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_of_one_call_is_seen_in_the_next(layer):
    forget_workspaces()
    expected = step(layer, 1)
    step(layer, 2, bad=True)
    for got, want in zip(step(layer, 1), expected, strict=True):
        np.testing.assert_array_equal(got, want)
    forget_workspaces()
    for got, want in zip(step(layer, 1), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_result_is_not_changed_by_the_next_call():
    results = step(LAYERS[0], 1)
    copies = [array.copy() for array in results]
    step(LAYERS[0], 2)
    for array, copy in zip(results, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_calls_at_the_same_time_have_workspaces_each():
    alone = [[step(layer, seed) for layer in LAYERS] for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: [step(layer, seed) for layer in LAYERS], range(4)))
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one, other, strict=True):
            for got, want in zip(b, a, strict=True):
                np.testing.assert_array_equal(got, want)


def test_what_is_kept_is_bounded_the_oldest_goes_first():
    forget_workspaces()
    for channels in range(16, 24):
        step(((16, channels, 34, 34), (8, channels, 6, 6), {"pad": 2, "stride": 2}), 0)
        assert 0 < sum(spaces.nbytes for spaces in threads._kept.values()) <= KEPT_BYTES
    last = [key for key in threads._kept if 23 in key]
    assert last
    assert not [key for key in threads._kept if 16 in key]
    forget_workspaces()
    assert not threads._kept
