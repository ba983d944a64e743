"""Depthwise convolution of narrow images, whole rows at a time: products that copy nothing.

The rows of a channel that output row p sees lie one after the other in every image. Taken as one long row, and images
below each other, they are a matrix that BLAS reads where it is; so is output row p of all images:

    out[(image), (column)] = x[(image), (input row, column)] @ matrix[(input row, column), (column)]

The matrix holds the filter once in each column, a stride further down each time, and zeros elsewhere: 96 entries for 9
taps when images are 32 wide. That is ten times the multiplications, at 80 GFLOP/s instead of 6, and no copies: measured
6.4 ms at (64, 32, 32, 32), 3 x 3, float32, where bands with copies (depthwise.py) take 8.3; with stride 2, 2.5 instead
of 5.2. The work grows with the width, so wide images go there. dx is the same product with the transposed matrices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view
from cs231n_lib.kernels.products import aligned_copy, aligned_empty
from cs231n_lib.kernels.threads import run_tiles, split_batch

IMAGES = 16  # rows of one product: with more, images a power of two apart push each other out of the cache
TILE_BYTES = 1 << 21  # input and output of one tile: measured flat above, smaller ones make more calls
MOST_ENTRIES = 112  # in a column of dx's matrix: with more the zeros cost more than the copies of depthwise.py
FEWEST_IMAGES = 16  # a product of fewer rows waits for its matrix

Tile = tuple[slice, slice]  # images, channels of x


class Run(NamedTuple):
    """Rows first, first + step, ... (`number`) of the result; the first sees rows start, start + 1, ... of the source.

    Each next one sees rows `start_step` further down; taps[k] is the tap row through which it sees the k-th of them.
    """

    first: int
    step: int
    number: int
    start: int
    start_step: int
    taps: tuple[int, ...]


def is_narrow(x: np.ndarray, geometry: Geometry) -> bool:
    """Tell whether whole rows win. The rows that a dilated filter sees do not lie one after the other."""
    entries = min(geometry.kernel[0], geometry.size[0]) * geometry.out_size[1]
    return geometry.dilation[0] == 1 and len(x) >= FEWEST_IMAGES and entries <= MOST_ENTRIES


def narrow_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, 1, KH, KW) and b (F,)."""
    many = len(w) // x.shape[1]  # filters of one channel
    out = aligned_empty((*x.shape[:2], many, *geometry.out_size), x.dtype)
    runs = _runs([(p, h, i) for i, p, h in _pairs(geometry)], geometry.out_size[0])
    across = _across(w, geometry)
    products = [(run, _matrix(run, across)) for run in runs]
    bias = b.repeat(prod(geometry.out_size)).reshape(out.shape[1:])  # NumPy adds whole images faster than short rows

    def task(tile: Tile) -> None:
        for run, matrix in products:
            seen = _rows_seen(x[:, :, None], tile, run)
            np.matmul(seen, matrix[tile[1]], out=_rows_of(out, tile, run))
        out[tile] += bias[tile[1]]

    run_tiles(task, _tiles(x, out))
    return out.reshape(len(x), len(w), *geometry.out_size)


def narrow_input_gradient(dout: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return dx, shape (N, C, H, W), from contiguous dout (N, F, out_h, out_w) and w (F, 1, KH, KW)."""
    groups = geometry.groups
    dout = dout.reshape(len(dout), groups, len(w) // groups, *geometry.out_size)  # (N, C, m, out_h, out_w)
    dx = aligned_empty((*dout.shape[:2], *geometry.size), dout.dtype)
    runs = _runs([(h, p, i) for i, p, h in _pairs(geometry)], geometry.size[0])
    across = _across(w, geometry).swapaxes(3, 4)
    products = [(run, _matrix(run, across)) for run in runs]

    def task(tile: Tile) -> None:
        for run, matrix in products:
            seen, into = _rows_seen(dout, tile, run), _rows_of(dx[:, :, None], tile, run)
            if dout.shape[2] == 1:
                np.matmul(seen, matrix[tile[1]], out=into)
            else:
                np.matmul(seen, matrix[tile[1]]).sum(axis=1, keepdims=True, out=into)

    run_tiles(task, _tiles(dout, dx))
    return dx


def _pairs(geometry: Geometry) -> Iterator[tuple[int, int, int]]:
    """Yield (tap row, output row, input row) for all that meet."""
    out_h, height = geometry.out_size[0], geometry.size[0]
    for i in range(geometry.kernel[0]):
        start = i * geometry.dilation[0] - geometry.pad[0]
        into, pixels = inside(start, geometry.stride[0], out_h, height)
        yield from ((i, p, h) for p, h in zip(range(out_h)[into], range(height)[pixels], strict=True))


def _runs(pairs: list[tuple[int, int, int]], rows: int) -> list[Run]:
    """Return runs of the result's rows from (row, row that it sees, tap row): one for each pattern of tap rows.

    Rows of the image's middle share a pattern, and rows at the border have their own. As input row = stride * output
    row + tap row - pad, rows that share one are equally far apart, and so are those that they see.
    """
    seen_by: list[dict[int, int]] = [{} for _ in range(rows)]
    for row, seen, tap in pairs:
        seen_by[row][seen] = tap
    patterns = defaultdict(list)
    for row, taps in enumerate(seen_by):
        start, pattern = min(taps, default=0), tuple(taps[seen] for seen in sorted(taps))
        patterns[pattern or row].append((row, start, pattern))  # rows that see nothing may lie anywhere
    runs = []
    for alike in patterns.values():
        (row, start, pattern), (next_row, next_start, _) = alike[0], alike[min(1, len(alike) - 1)]
        runs.append(Run(row, next_row - row, len(alike), start, next_start - start, pattern))
    return runs


def _rows_of(array: np.ndarray, tile: Tile, run: Run) -> np.ndarray:
    """View a run's rows in one tile of an array (N, C, m, H, W) as matrices (C, m, count, n, W)."""
    return _long_rows(array, tile, run.first, run.step, (run.number, 1))


def _rows_seen(array: np.ndarray, tile: Tile, run: Run) -> np.ndarray:
    """View the rows that a run sees in the same way, (C, m, count, n, rows * W): they lie one after the other."""
    return _long_rows(array, tile, run.start, run.start_step, (run.number, len(run.taps)))


def _long_rows(array: np.ndarray, tile: Tile, first: int, step: int, size: tuple[int, int]) -> np.ndarray:
    images, channels = tile
    (count, rows), (image, channel, filters, row, pixel) = size, array.strides
    shape = (channels.stop - channels.start, array.shape[2], count, images.stop - images.start, rows * array.shape[4])
    offset = images.start * image + channels.start * channel + first * row
    return strided_view(array, shape, (channel, filters, step * row, image, pixel), offset)


def _across(w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return for each tap row what stands between one input row and one output row: (KH, C, m, W, out_w)."""
    taps = w.reshape(geometry.groups, -1, *geometry.kernel).transpose(2, 0, 1, 3)  # (KH, C, m, KW)
    width, out_w = geometry.size[1], geometry.out_size[1]
    across = np.zeros((*taps.shape[:3], width, out_w), w.dtype)
    for j in range(geometry.kernel[1]):
        start = j * geometry.dilation[1] - geometry.pad[1]
        into, pixels = inside(start, geometry.stride[1], out_w, width)
        across[..., np.arange(width)[pixels], np.arange(out_w)[into]] = taps[..., j, None]
    return across


def _matrix(run: Run, across: np.ndarray) -> np.ndarray:
    """Return the matrices of a run's rows, (C, m, 1, rows seen * width, width of the result)."""
    matrix = aligned_copy(across[list(run.taps)].transpose(1, 2, 0, 3, 4))
    return matrix.reshape(*matrix.shape[:2], 1, len(run.taps) * matrix.shape[3], matrix.shape[4])


def _tiles(source: np.ndarray, result: np.ndarray) -> list[Tile]:
    images = split_batch(len(source), IMAGES)
    per_image = prod(source.shape[2:]) + prod(result.shape[2:])  # entries of one channel
    channels = split_batch(source.shape[1], max(1, TILE_BYTES // (IMAGES * per_image * source.itemsize)))
    return [(some, part) for some in images for part in channels]
