"""Max and average pooling, any window and stride, overlapping windows too.

A window of pool_h x pool_w pixels is a loop over its taps: tap (i, j) of all windows is one strided slice of x. NumPy
works on whole slices, a tile of images at a time so that the slices stay in cache.

Arithmetic on short strided rows costs NumPy four times what it costs on one long array, so the backward passes copy the
pixels into planes first, one for each row and column modulo the stride. There tap (i, j) of all windows is one
contiguous slice: window (p, q) sees number p * width + q, further on by the tap's shift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Pair, as_pair, check_dout, check_float_array, inside, output_size
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 1 << 20  # pixels of a tile: smaller ones make more calls, larger ones leave the cache


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
    planes = Planes(windows, x.shape[2:])
    dx = planes.empty_image(x.shape, x.dtype)

    def make(shape: tuple[int, int]) -> tuple[np.ndarray, ...]:
        """Return pixels, their gradients, best, what is left of dout, a mask, and what one tap receives."""
        images_of = [(*planes.kinds, *shape, *planes.size)] * 2 + [(*shape, *planes.size)] * 4
        arrays = tuple(np.zeros(shape, x.dtype) for shape in images_of)
        arrays[2].fill(np.nan)  # beside the windows nothing is the maximum
        return arrays

    spaces = Workspaces(make)

    def task(tile: slice) -> None:
        with spaces.borrow((tile.stop - tile.start, x.shape[1])) as (pixels, grads, best, left, mask, share):
            planes.read(x[tile], pixels)
            windows_of = (..., slice(windows.out_size[0]), slice(windows.out_size[1]))
            best[windows_of], left[windows_of] = out[tile], dout[tile]
            has_nan = bool(np.isnan(out[tile]).any())  # NaN equals nothing, so it needs its own test
            for plane, shift in planes.taps:
                count = best.size - shift
                seen, waiting = pixels[plane].reshape(-1)[shift:], left.reshape(-1)[:count]
                wins = seen == best.reshape(-1)[:count]
                if has_nan:
                    wins |= np.isnan(seen)
                chosen, into = mask.reshape(-1)[:count], grads[plane].reshape(-1)[shift:]
                chosen[...] = wins  # 0 or 1: NumPy multiplies faster by numbers than by truth values
                # The first tap of a plane has no shift and finds it empty.
                passed = np.multiply(waiting, chosen, out=share.reshape(-1)[:count] if shift else into)
                waiting -= passed  # nothing is left for a later tap with the same value
                if shift:
                    into += passed
            planes.write(grads, dx[tile])

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
    planes = Planes(windows, x_shape[2:])
    dx = planes.empty_image(x_shape, dtype)

    def make(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((*planes.kinds, *shape, *planes.size), dtype), np.zeros((*shape, *planes.size), dtype)

    spaces = Workspaces(make)

    def task(tile: slice) -> None:
        with spaces.borrow((tile.stop - tile.start, x_shape[1])) as (grads, share):
            grads.fill(0)
            np.divide(
                dout[tile], windows.pool[0] * windows.pool[1],
                out=share[:, :, : windows.out_size[0], : windows.out_size[1]],
            )  # fmt: skip
            for plane, shift in planes.taps:
                grads[plane].reshape(-1)[shift:] += share.reshape(-1)[: share.size - shift]
            planes.write(grads, dx[tile])

    run_tiles(task, _tiles(dx))
    return dx


class Planes:
    """Pixels by row and column modulo the stride: arrays (rows, columns modulo the stride, n, C, *size)."""

    def __init__(self, windows: Windows, image: Sequence[int]) -> None:
        self.image, self.stride = image, windows.stride
        most = [(pool - 1) // stride for pool, stride in zip(windows.pool, windows.stride, strict=True)]
        self.size = (windows.out_size[0] + most[0], windows.out_size[1] + most[1])
        self.kinds = (min(windows.pool[0], windows.stride[0]), min(windows.pool[1], windows.stride[1]))
        self.taps = [
            ((i % self.stride[0], j % self.stride[1]), i // self.stride[0] * self.size[1] + j // self.stride[1])
            for i in range(windows.pool[0])
            for j in range(windows.pool[1])
        ]  # (plane, shift) of each tap, in reading order

    def empty_image(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array to write to: pixels between windows, which no plane holds, must be zero already."""
        return np.empty(shape, dtype) if self.kinds == self.stride else np.zeros(shape, dtype)

    def _parts(self) -> Iterator[tuple[tuple, tuple]]:
        """Yield where each plane lies in the array of planes, and where its pixels lie in an image."""
        for a, b in np.ndindex(*self.kinds):
            into_rows, rows = inside(a, self.stride[0], self.size[0], self.image[0])
            into_columns, columns = inside(b, self.stride[1], self.size[1], self.image[1])
            yield (a, b, ..., into_rows, into_columns), (..., rows, columns)

    def read(self, x: np.ndarray, planes: np.ndarray) -> None:
        for plane, pixels in self._parts():
            planes[plane] = x[pixels]

    def write(self, planes: np.ndarray, dx: np.ndarray) -> None:
        for plane, pixels in self._parts():
            dx[pixels] = planes[plane]


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


def _tiles(x: np.ndarray) -> list[slice]:
    return split_batch(len(x), max(1, TILE_BYTES * len(x) // max(1, x.nbytes)))
