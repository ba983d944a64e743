"""Matrix products cut small enough that BLAS multiplies them in place.

For a large product BLAS first copies both factors into an order of its own. That pays when many rows share the copy;
under the short, wide products of a convolution it costs as much as the product. OpenBLAS leaves the copy out when the
three sizes multiply to at most SMALL: measured 106 instead of 80 GFLOP/s for (512, 512) @ (512, 64), 45 instead of 24
for (64, 16) @ (16, 1024).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

SMALL = 1_000_000
LINE = 64  # bytes of a cache line
FEWEST_ROWS = 8  # shorter pieces read the columns too often


def piece_height(height: int, depth: int, columns: int) -> int:
    """Return how many rows at a time of a matrix (height, depth) to multiply with a matrix (depth, columns)."""
    most = SMALL // max(1, depth * columns)
    if FEWEST_ROWS <= most < height:
        rows = max(piece for piece in range(1, most + 1) if height % piece == 0)
        if rows >= FEWEST_ROWS:
            return rows
    return height


def matmul_in_pieces(matrix: np.ndarray, columns: np.ndarray, out: np.ndarray, height: int | None = None) -> np.ndarray:
    """Write matrix @ columns, shapes (..., M, K) and (..., K, N), to out (..., M, N), cut along M; return out.

    height : from `piece_height`, where the caller has asked before
    """
    rows, depth = matrix.shape[-2:]
    height = height or piece_height(rows, depth, columns.shape[-1])
    if height == rows:
        return np.matmul(matrix, columns, out=out)
    matrix, out_pieces = (a.reshape(*a.shape[:-2], -1, height, a.shape[-1]) for a in (matrix, out))
    np.matmul(matrix, columns[..., None, :, :], out=out_pieces)
    return out


def line_sums(array: np.ndarray) -> np.ndarray:
    """Return the sums over the last axis of a contiguous array: BLAS is faster than NumPy."""
    lines = array.reshape(-1, array.shape[-1])
    return (lines @ np.ones(lines.shape[1], lines.dtype)).reshape(array.shape[:-1])


def whole_registers(length: int, dtype: np.dtype) -> int:
    """Return how long lines of `length` numbers should be so that BLAS multiplies whole registers, and each line starts
    at a cache line.

    For a last register that is not full, BLAS takes slow steps: measured 54 instead of 40 GFLOP/s for (128, 579) @
    (579, 120) in float32 when it multiplies 128 columns, and 49 instead of 33 for 56 columns as 64.
    """
    per_line = LINE // np.dtype(dtype).itemsize
    return -(-length // per_line) * per_line


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array that starts at a cache line: 64 bytes, as wide as a register of AVX-512.

    NumPy's own start 16 or 48 bytes after one, and then every load of BLAS takes from two lines: measured 36 instead of
    48 GFLOP/s for (64, 128) @ (128, 64) in float64, 89 instead of 105 in float32, when only the columns lie so.
    """
    return _aligned(np.empty, shape, dtype)


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return such an array, filled with zeros."""
    return _aligned(np.zeros, shape, dtype)


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """Return such an array that holds what `array` holds."""
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _aligned(make: Callable[[int, type], np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = prod(shape) * np.dtype(dtype).itemsize
    memory = make(size + LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def aligned_rows(rows: int, length: int, dtype: np.dtype) -> np.ndarray:
    """Return a matrix (rows, length) whose rows all start at a cache line, but never a power of two apart.

    Rows a power of two apart share few places of the cache and push each other out.
    """
    per_line = LINE // np.dtype(dtype).itemsize
    pitch = (whole_registers(length, dtype) // per_line | 1) * per_line  # an odd number of lines
    return aligned_empty((rows, pitch), dtype)[:, :length]
