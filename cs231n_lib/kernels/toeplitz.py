"""Depthwise convolution of narrow images, whole rows at a time: products that copy nothing.

The rows of a channel that output row p sees lie one after the other in every image. Taken as one long row, and images
below each other, they are a matrix that BLAS reads where it is; so is output row p of all images:

    out[(image), (column)] = x[(image), (input row, column)] @ matrix[(input row, column), (column)]

The matrix holds the filter once in each column, a stride further down each time, and zeros elsewhere: 96 entries for 9
taps when images are 32 wide. That is ten times the multiplications, at 80 GFLOP/s instead of 6, and no copies: measured
4.7 ms at (64, 32, 32, 32), 3 x 3, float32, where bands with copies (depthwise.py) take 8.3. The work grows with the
width, so wide images go there. dx is the same product with the transposed matrices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view
from cs231n_lib.kernels.threads import run_tiles, split_batch

IMAGES = 16  # rows of one product: with more, images a power of two apart push each other out of the cache
TILE_BYTES = 1 << 21  # input and output of one tile: measured flat above, smaller ones make more calls
MOST_ENTRIES = 112  # in a column of dx's matrix: with more the zeros cost more than the copies of depthwise.py
FEWEST_IMAGES = 16


Tile = tuple[slice, slice]  # images, channels of x


class Run(NamedTuple):
    """Rows first, first + step, ... (`count`) of the result; the first sees rows start, start + 1, ... of the source.

    Each next one sees rows `start_step` further down; taps[k] is the tap row through which it sees the k-th of them,
    None for a row between the taps of a dilated filter.
    """

    first: int
    step: int
    count: int
    start: int
    start_step: int
    taps: tuple[int | None, ...]


def is_narrow(x: np.ndarray, geometry: Geometry) -> bool:
    """Tell whether whole rows win."""
    span = (geometry.kernel[0] - 1) * geometry.dilation[0] + 1
    return len(x) >= FEWEST_IMAGES and min(span, geometry.size[0]) * geometry.out_size[1] <= MOST_ENTRIES


def narrow_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, 1, KH, KW) and b (F,)."""
    channels, many = x.shape[1], len(w) // x.shape[1]  # many filters see one channel
    out = np.empty((len(x), channels, many, *geometry.out_size), x.dtype)
    pixels = x[:, :, None]  # (N, C, 1, H, W)
    runs = _runs([(p, h, i) for i, p, h in _pairs(geometry)], out.shape[3])
    across = _across(w.reshape(channels, many, *geometry.kernel), geometry)
    matrices = [_matrix(run.taps, across) for run in runs]
    bias = b.repeat(out[0, 0, 0].size).reshape(out.shape[1:])  # NumPy adds whole images faster than short rows

    def task(tile: Tile) -> None:
        for run, matrix in zip(runs, matrices, strict=True):
            seen = _long_rows(pixels, tile, run.start, run.start_step, run.count, len(run.taps))
            np.matmul(seen, matrix[tile[1]], out=_long_rows(out, tile, run.first, run.step, run.count))
        out[tile] += bias[tile[1]]

    run_tiles(task, _tiles(pixels, out))
    return out.reshape(len(x), len(w), *geometry.out_size)


def narrow_input_gradient(dout: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return dx, shape (N, C, H, W), from contiguous dout (N, F, out_h, out_w) and w (F, 1, KH, KW)."""
    channels, many = geometry.groups, len(w) // geometry.groups
    dout = dout.reshape(len(dout), channels, many, *geometry.out_size)
    dx = np.empty((len(dout), channels, 1, *geometry.size), dout.dtype)
    runs = _runs([(h, p, i) for i, p, h in _pairs(geometry)], dx.shape[3])
    across = _across(w.reshape(channels, many, *geometry.kernel), geometry).swapaxes(3, 4)
    matrices = [_matrix(run.taps, across) for run in runs]

    def task(tile: Tile) -> None:
        for run, matrix in zip(runs, matrices, strict=True):
            seen = _long_rows(dout, tile, run.start, run.start_step, run.count, len(run.taps))
            into = _long_rows(dx, tile, run.first, run.step, run.count)
            if many == 1:
                np.matmul(seen, matrix[tile[1]], out=into)
            else:
                np.matmul(seen, matrix[tile[1]]).sum(axis=1, keepdims=True, out=into)

    run_tiles(task, _tiles(dout, dx))
    return dx.reshape(len(dout), channels, *geometry.size)


def _pairs(geometry: Geometry) -> Iterator[tuple[int, int, int]]:
    """Yield (tap row, output row, input row) for all that meet."""
    out_h, height = geometry.out_size[0], geometry.size[0]
    for i in range(geometry.kernel[0]):
        start = i * geometry.dilation[0] - geometry.pad[0]
        into, pixels = inside(start, geometry.stride[0], out_h, height)
        yield from ((i, p, h) for p, h in zip(range(out_h)[into], range(height)[pixels], strict=True))


def _runs(pairs: list[tuple[int, int, int]], rows: int) -> list[Run]:
    """Return runs of the result's rows from (row, row that it sees, tap row): one for each pattern of tap rows.

    Rows of the image's middle share a pattern, and each row at the border has its own. If rows r < s < t share one, t
    is as far from s as s from r: input row = stride * output row + dilation * tap row - pad, and the image is convex.
    """
    seen_by: list[dict[int, int]] = [{} for _ in range(rows)]
    for row, seen, tap in pairs:
        seen_by[row][seen] = tap
    patterns = defaultdict(list)
    for row, taps in enumerate(seen_by):
        start, stop = min(taps, default=0), max(taps, default=-1) + 1
        pattern = tuple(taps.get(seen) for seen in range(start, stop))
        patterns[pattern or row].append((row, start, pattern))  # rows that see nothing may lie anywhere
    runs = []
    for alike in patterns.values():
        (row, start, pattern), (next_row, next_start, _) = alike[0], alike[min(1, len(alike) - 1)]
        runs.append(Run(row, next_row - row, len(alike), start, next_start - start, pattern))
    return runs


def _long_rows(array: np.ndarray, tile: Tile, first: int, step: int, count: int, rows: int = 1) -> np.ndarray:
    """View one tile of an array (N, C, m, H, W) as matrices (C, m, count, n, rows * W).

    Matrix number k holds rows first + k * step, ... (`rows` of them) of all images; they lie one after the other.
    """
    images, channels = tile
    shape = (channels.stop - channels.start, array.shape[2], count, images.stop - images.start, rows * array.shape[4])
    image, channel, filters, row, pixel = array.strides
    offset = images.start * image + channels.start * channel + first * row
    return strided_view(array, shape, (channel, filters, step * row, image, pixel), offset)


def _across(w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return for each tap row the matrices that one input row meets, (KH, C, m, W, out_w), from w (C, m, KH, KW)."""
    channels, many, kernel_h, kernel_w = w.shape
    width, out_w = geometry.size[1], geometry.out_size[1]
    across = np.zeros((kernel_h, channels, many, width, out_w), w.dtype)
    for j in range(kernel_w):
        start = j * geometry.dilation[1] - geometry.pad[1]
        into, pixels = inside(start, geometry.stride[1], out_w, width)
        across[..., np.arange(width)[pixels], np.arange(out_w)[into]] = w[..., j, None].transpose(2, 0, 1, 3)
    return across


def _matrix(taps: tuple[int | None, ...], across: np.ndarray) -> np.ndarray:
    """Return the matrices (C, m, 1, rows * width, result's width) for rows that are seen through these tap rows."""
    _, channels, many, width, result = across.shape
    matrix = np.zeros((channels, many, len(taps), width, result), across.dtype)
    for row, tap in enumerate(taps):
        if tap is not None:
            matrix[:, :, row] = across[tap]
    return matrix.reshape(channels, many, 1, len(taps) * width, result)


def _tiles(source: np.ndarray, result: np.ndarray) -> list[Tile]:
    images = split_batch(len(source), IMAGES)
    per_channel = (images[0].stop if images else 1) * (source[0, 0].nbytes + result[0, 0].nbytes)
    channels = split_batch(source.shape[1], max(1, TILE_BYTES // max(1, per_channel)))
    return [(some, part) for some in images for part in channels]
