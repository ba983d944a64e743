"""Max and average pooling, any window and stride, overlapping windows too.

A window of pool_h x pool_w pixels is a loop over its taps: tap (i, j) of all windows is one strided slice of x. NumPy
works on whole slices, a tile of images at a time so that the slices stay in cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Pair, as_pair, check_dout, check_float_array, output_size
from cs231n_lib.kernels.threads import run_tiles, split_batch

TILE_BYTES = 1 << 18  # x, out and their temporaries of one tile stay in a core's L2 cache


class Windows(NamedTuple):
    pool: Pair
    stride: Pair
    out_size: Pair


class MaxPoolCache(NamedTuple):
    """It holds x itself where x is contiguous: do not change it before the backward pass."""

    x: np.ndarray
    out: np.ndarray
    windows: Windows


class AvgPoolCache(NamedTuple):
    x_shape: tuple[int, ...]
    dtype: np.dtype
    windows: Windows


def max_pool_forward_fast(
    x: np.ndarray, *, pool_h: int, pool_w: int, stride: int | Pair
) -> tuple[np.ndarray, MaxPoolCache]:
    """Return the maximum of every window, and what the backward pass needs.

    x : float32 or float64 array, shape (N, C, H, W), any memory layout
    Returns out, shape (N, C, out_h, out_w), x's dtype, and the cache. A window that holds a NaN gives NaN.
    """
    windows = _windows("max_pool_forward_fast", x, pool_h, pool_w, stride)
    x = np.ascontiguousarray(x)
    out = np.empty((*x.shape[:2], *windows.out_size), x.dtype)

    def task(tile: slice) -> None:
        # Rows first, then columns: pool_h + pool_w passes instead of pool_h * pool_w.
        rows = x[tile, :, _span(0, 0, windows)].copy()  # (n, C, out_h, W)
        for i in range(1, pool_h):
            np.maximum(rows, x[tile, :, _span(i, 0, windows)], out=rows)
        best = out[tile]
        best[...] = rows[..., _span(0, 1, windows)]
        for j in range(1, pool_w):
            np.maximum(best, rows[..., _span(j, 1, windows)], out=best)

    run_tiles(task, _tiles(x))
    return out, MaxPoolCache(x, out.copy(), windows)


def max_pool_backward_fast(dout: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """Return dx: each window passes its gradient to its maximum, the first one in reading order when several tie.

    dout : array of x's dtype, shape (N, C, out_h, out_w)       upstream gradient
    Returns dx, shape (N, C, H, W). In a window that holds NaNs the first NaN is the maximum.
    """
    x, out, windows = cache
    check_dout("max_pool_backward_fast", dout, out.shape, x.dtype)
    dx = np.zeros_like(x)

    def task(tile: slice) -> None:
        best, upstream = out[tile], dout[tile]
        has_nan = bool(np.isnan(best).any())  # NaN equals nothing, so it needs its own test
        waiting = np.ones(best.shape, bool)  # windows whose maximum is still to come
        for rows, columns in _taps(windows):
            seen = x[tile, :, rows, columns]
            wins = seen == best
            if has_nan:
                wins |= np.isnan(seen)
            wins &= waiting
            waiting ^= wins
            dx[tile, :, rows, columns] += upstream * wins

    run_tiles(task, _tiles(x))
    return dx


def avg_pool_forward_fast(
    x: np.ndarray, *, pool_h: int, pool_w: int, stride: int | Pair
) -> tuple[np.ndarray, AvgPoolCache]:
    """Return the mean of every window, and what the backward pass needs.

    x : float32 or float64 array, shape (N, C, H, W), any memory layout
    Returns out, shape (N, C, out_h, out_w), x's dtype, and the cache.
    """
    windows = _windows("avg_pool_forward_fast", x, pool_h, pool_w, stride)
    out = np.empty((*x.shape[:2], *windows.out_size), x.dtype)

    def task(tile: slice) -> None:
        rows = x[tile, :, _span(0, 0, windows)].copy()  # (n, C, out_h, W)
        for i in range(1, pool_h):
            rows += x[tile, :, _span(i, 0, windows)]
        total = out[tile]
        total[...] = rows[..., _span(0, 1, windows)]
        for j in range(1, pool_w):
            total += rows[..., _span(j, 1, windows)]
        total /= pool_h * pool_w

    run_tiles(task, _tiles(x))
    return out, AvgPoolCache(x.shape, x.dtype, windows)


def avg_pool_backward_fast(dout: np.ndarray, cache: AvgPoolCache) -> np.ndarray:
    """Return dx, shape (N, C, H, W): every pixel of a window receives an equal share of its gradient.

    dout : array of x's dtype, shape (N, C, out_h, out_w)       upstream gradient
    """
    x_shape, dtype, windows = cache
    check_dout("avg_pool_backward_fast", dout, (*x_shape[:2], *windows.out_size), dtype)
    dx = np.zeros(x_shape, dtype)

    def task(tile: slice) -> None:
        share = dout[tile] / (windows.pool[0] * windows.pool[1])
        for rows, columns in _taps(windows):
            dx[tile, :, rows, columns] += share

    run_tiles(task, _tiles(dx))
    return dx


def _windows(function: str, x: np.ndarray, pool_h: int, pool_w: int, stride: int | Pair) -> Windows:
    check_float_array(function, "x", x, ndim=4)
    pool_h, _ = as_pair(function, "pool_h", pool_h, at_least=1)
    pool_w, _ = as_pair(function, "pool_w", pool_w, at_least=1)
    stride_h, stride_w = as_pair(function, "stride", stride, at_least=1)
    out_h = output_size(function, x.shape[2], kernel=pool_h, stride=stride_h, pad=0)
    out_w = output_size(function, x.shape[3], kernel=pool_w, stride=stride_w, pad=0)
    return Windows((pool_h, pool_w), (stride_h, stride_w), (out_h, out_w))


def _span(tap: int, axis: int, windows: Windows) -> slice:
    """Return the pixels along one axis that tap number `tap` of all windows sees."""
    stride = windows.stride[axis]
    return slice(tap, tap + (windows.out_size[axis] - 1) * stride + 1, stride)


def _taps(windows: Windows) -> Iterator[tuple[slice, slice]]:
    for i in range(windows.pool[0]):
        for j in range(windows.pool[1]):
            yield _span(i, 0, windows), _span(j, 1, windows)


def _tiles(x: np.ndarray) -> list[slice]:
    return split_batch(len(x), max(1, TILE_BYTES * len(x) // max(1, x.nbytes)))
