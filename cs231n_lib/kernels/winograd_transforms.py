"""The transforms of a Winograd convolution: pixels, filters and outputs, to the points and back, and their adjoints.

In one dimension, m outputs of a filter with r taps need n = m + r - 1 products instead of m * r: outputs are
coefficients of a product of polynomials, and a polynomial of n coefficients is known from its values at n points.
Evaluate pixels and filter at the points, multiply, interpolate:  out = A^T [(G w) * (B^T x)].

Images and channels are the last axes inside, so that each transform is a small matrix times long contiguous rows, and
BLAS does all of it. The rows of the filters' and outputs' matrices at the point 1 are all ones.
A dilated convolution works on every d-th row and column; those classes are one more axis of the tiles.
On the way out, the last transform, the sum over tiles that overlap and the transposition back to (N, C, H, W) are one
product with a banded matrix (_bands): 1.5 instead of 3.2 ns per pixel of dx. The same trick on the way in loses, 2.8
instead of 2.0 ns: BLAS would gather single numbers there, and two plain copies do that better.
Reference: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view
from cs231n_lib.kernels.products import SMALL, aligned_empty, aligned_zeros
from cs231n_lib.kernels.threads import split_batch

STRIP_BYTES = 5 << 19  # the half-way arrays of one strip: measured best near 2.5 MB
BLOCK = 8  # tiles along the width that one banded matrix serves: its zeros cost as much as its numbers
MIN_DEPTH = 64  # shorter rows leave the transforms waiting for calls
OUTPUTS = 4  # m: larger m saves more products and loses more digits
MIN_ROWS = 64  # fewer tiles leave the products waiting for the filters
TASKS = 8  # of the backward pass: more would add up more dU, fewer would leave workers idle
SPREAD = 256  # bytes from image to image: a larger power of two leaves too few places in the cache
SKEW = 16  # numbers left free at the end of a row to break a stride that is a power of two
# Small points of either sign keep the powers small: rounding errors grow with them.
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)


@cache
def winograd_matrices(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A^T (m, n), G (n, taps) and B^T (n, n) for m = OUTPUTS outputs, in float64.

    The n points are the first n - 1 of POINTS and infinity, where a polynomial's value is its leading coefficient.
    """
    n = OUTPUTS + taps - 1
    points = np.array(POINTS[: n - 1])
    powers = np.vander(points, n, increasing=True)  # (n - 1, n)
    evaluate = np.zeros((n, n))
    evaluate[:-1] = powers
    evaluate[-1, -1] = 1  # infinity
    outputs = evaluate[:, :OUTPUTS].copy()
    outputs[-1] = np.eye(OUTPUTS)[-1]
    filters = evaluate[:, :taps].copy()
    filters[-1] = np.eye(taps)[-1]
    pixels = np.zeros((n, n))
    for k, point in enumerate(points):
        others = np.delete(points, k)
        pixels[k, :-1] = np.poly(others)[::-1]  # the polynomial that vanishes at the other points
        filters[k] /= np.prod(point - others)
    pixels[-1] = np.poly(points)[::-1]
    return outputs.T, filters, pixels


def count_tiles(batch: int, out_size: tuple[int, int]) -> int:
    """Return how many tiles the outputs of a batch make (without dilation)."""
    return batch * -(-out_size[0] // OUTPUTS) * -(-out_size[1] // OUTPUTS)


def transformed_bytes(w: np.ndarray) -> int:
    """Return the size of U for filters w (F, C / groups, KH, KW)."""
    points = [OUTPUTS + taps - 1 for taps in w.shape[2:]]
    return points[0] * points[1] * w.shape[0] * w.shape[1] * w.itemsize


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis. Output pixel dilation * (m * tile + a) + phase is output a of that tile and phase."""

    taps: int
    dilation: int
    pad: int
    size: int
    out_size: int

    @property
    def points(self) -> int:
        return OUTPUTS + self.taps - 1

    @property
    def tiles(self) -> int:
        return -(-self.out_size // (OUTPUTS * self.dilation))

    @property
    def padded_out(self) -> int:
        return self.tiles * OUTPUTS * self.dilation

    @property
    def padded_in(self) -> int:
        return self.padded_out + (self.taps - 1) * self.dilation


class Strip(NamedTuple):
    """A piece of work: some images, and `height` rows of tiles from row `first`."""

    images: slice
    first: int
    height: int


class Plan:
    """The sizes and matrices of one convolution from `channels` to `filters` channels."""

    def __init__(self, geometry: Geometry, channels: int, filters: int, dtype: np.dtype) -> None:
        self.rows, self.columns = (
            Axis(geometry.kernel[a], geometry.dilation[a], geometry.pad[a], geometry.size[a], geometry.out_size[a])
            for a in (0, 1)
        )
        self.channels, self.filters, self.groups, self.dtype = channels, filters, geometry.groups, dtype
        row_matrices, column_matrices = winograd_matrices(self.rows.taps), winograd_matrices(self.columns.taps)
        self.row_outputs, self.row_pixels = (row_matrices[k].astype(dtype) for k in (0, 2))
        self.column_outputs, self.column_pixels = (column_matrices[k].astype(dtype) for k in (0, 2))
        both = np.einsum("jl,ik->jikl", column_matrices[1], row_matrices[1])
        self.filter_points = both.reshape(self.columns.points * self.rows.points, -1).astype(dtype)

    def strips(self, batch: int) -> list[Strip]:
        """Cut the batch into images x tile rows whose half-way arrays fit in cache.

        A product that BLAS need not copy (products.py) is worth more than a full strip: 119 against 90 GFLOP/s.
        """
        tiles = self.rows.tiles * self.rows.dilation * self.columns.tiles * self.columns.dilation
        per_image = self.rows.padded_out * self.columns.points * self._across(self.channels + self.filters)
        per_tile = (self.channels // self.groups) * (self.filters // self.groups)
        filters = self.rows.points * self.groups * per_tile  # U of one J lies beside them
        fit = min((STRIP_BYTES // self.dtype.itemsize - filters) // per_image, SMALL // (tiles * per_tile))
        blocks = split_batch(batch, max(fit, -(-MIN_DEPTH // min(self.channels, self.filters)), -(-MIN_ROWS // tiles)))
        images = blocks[0].stop if blocks else 1
        per_pixel_row = self.columns.points * self._across(images * (self.channels + self.filters))
        per_tile_row = OUTPUTS * self.rows.dilation * per_pixel_row * self.dtype.itemsize
        count = -(-self.rows.tiles // max(1, STRIP_BYTES // per_tile_row))
        height = -(-self.rows.tiles // count)
        return [
            Strip(block, first, min(height, self.rows.tiles - first))
            for block in blocks
            for first in range(0, self.rows.tiles, height)
        ]

    def tasks(self, batch: int) -> list[list[Strip]]:
        """Share the strips among at most TASKS tasks, each of whole images: every task has a dU of its own."""
        strips = self.strips(batch)
        starts = [number for number, strip in enumerate(strips) if strip.first == 0]
        starts = [*starts[:: -(-len(starts) // TASKS) or 1], len(strips)]
        return [strips[start:stop] for start, stop in pairwise(starts)]

    def filters_to_points(self, w: np.ndarray) -> np.ndarray:
        """Return U, shape (J, I, G, F / G, C / G), from w (F, C / G, KH, KW)."""
        u = aligned_empty((len(self.filter_points), w.shape[0] * w.shape[1]), self.dtype)
        np.matmul(self.filter_points, w.reshape(-1, w.shape[2] * w.shape[3]).T, out=u)
        return u.reshape(self.columns.points, self.rows.points, self.groups, -1, w.shape[1])

    def points_to_filters(self, du: np.ndarray) -> np.ndarray:
        """Return dw, shape (F, C / G, KH, KW), from dU: the adjoint of filters_to_points."""
        dw = du.reshape(len(self.filter_points), -1).T @ self.filter_points
        return dw.reshape(self.filters, du.shape[4], self.rows.taps, self.columns.taps)

    def widen_pixels(self, x: np.ndarray, strip: Strip) -> np.ndarray:
        """Return the strip's pixels, x (N, C, H, W), half-way: transformed along the width."""
        height = (strip.height * OUTPUTS + self.rows.taps - 1) * self.rows.dilation
        start = strip.first * OUTPUTS * self.rows.dilation - self.rows.pad
        image = _depth_last(x[strip.images], start, -self.columns.pad, height, self.columns.padded_in)
        return self._widen(image, self.column_pixels)

    def widen_dout(self, dout: np.ndarray, strip: Strip) -> np.ndarray:
        """Return the strip's part of dout (N, F, out_h, out_w) half-way: the adjoint of narrow_outputs."""
        height = strip.height * OUTPUTS * self.rows.dilation
        start = strip.first * OUTPUTS * self.rows.dilation
        image = _depth_last(dout[strip.images], start, 0, height, self.columns.padded_out)
        return self._widen(image, self.column_outputs.T)

    def _widen(self, image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Apply a matrix (J, taps) along the width of image (row, column, depth)."""
        axis, (height, _, depth) = self.columns, image.shape
        wide = self.empty_wide(height, depth)
        columns = wide[:, :-SKEW].reshape(height, axis.points, axis.tiles, axis.dilation, depth)
        row_step, step, item = image.strides
        strides = (row_step, OUTPUTS * axis.dilation * step, step, axis.dilation * step, item)
        windows = strided_view(image, (height, axis.tiles, axis.dilation, matrix.shape[1], depth), strides)
        np.matmul(matrix, windows, out=columns.transpose(0, 2, 3, 1, 4))
        return wide

    def empty_wide(self, height: int, depth: int) -> np.ndarray:
        """Return memory for pixel rows half-way: (row, J * tile columns * depth + SKEW)."""
        return aligned_empty((height, self.columns.points * self._across(depth) + SKEW), self.dtype)

    def empty_outputs(self, strip: Strip) -> np.ndarray:
        """Return memory for the strip's part of out, half-way."""
        images = strip.images.stop - strip.images.start
        return self.empty_wide(strip.height * OUTPUTS * self.rows.dilation, images * self.filters)

    def empty_points(self, strip: Strip, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return memory for the points of one J, seen in two ways.

        As the transforms see it: (tile row, dilation, I, tile columns * images * channels);
        as the products see it: matrices (I, G, tiles * images, channels / G).
        """
        depth = (strip.images.stop - strip.images.start) * channels
        points = aligned_empty((self.rows.points, strip.height, self.rows.dilation, self._across(depth)), self.dtype)
        matrices = points.reshape(len(points), -1, self.groups, channels // self.groups)
        return points.transpose(1, 2, 0, 3), matrices.swapaxes(1, 2)

    def _across(self, depth: int) -> int:
        return self.columns.tiles * self.columns.dilation * depth

    def tile_rows(self, wide: np.ndarray, tiles: int, taps: int) -> np.ndarray:
        """View pixel rows half-way as overlapping tiles: (J, tile, dilation, tap, tile columns * depth)."""
        step, item = wide.strides
        across = (wide.shape[1] - SKEW) // self.columns.points
        shape = (self.columns.points, tiles, self.rows.dilation, taps, across)
        strides = (across * item, OUTPUTS * self.rows.dilation * step, step, self.rows.dilation * step, item)
        return strided_view(wide, shape, strides)

    def tile_adder(self, wide: np.ndarray, strip: Strip) -> Callable[[np.ndarray, int], None]:
        """Return a function that brings the points of one J back to pixel rows half-way: the adjoint of tile_rows.

        A pixel row lies under two tiles at most, since `taps - 1` rows overlap and OUTPUTS do not.
        """
        overlap = self.rows.taps - 1
        own = self.tile_rows(wide, strip.height, OUTPUTS)
        if overlap:
            below = self.tile_rows(wide[strip.height * OUTPUTS * self.rows.dilation :], 1, overlap)  # the last tile's
            shared = aligned_empty((strip.height, self.rows.dilation, overlap, own.shape[4]), self.dtype)

        def add(points: np.ndarray, j: int) -> None:
            np.matmul(self.row_pixels.T[:OUTPUTS], points, out=own[j])
            if overlap:
                np.matmul(self.row_pixels.T[OUTPUTS:], points, out=shared)
                own[j, 1:, :, :overlap] += shared[:-1]
                below[j, 0] = shared[-1]

        return add

    def narrow_outputs(self, wide: np.ndarray, out: np.ndarray, strip: Strip) -> None:
        """Write the strip's part of out (N, F, out_h, out_w) from its rows half-way."""
        first = strip.first * OUTPUTS * self.rows.dilation
        rows = slice(first, min(first + len(wide), self.rows.out_size))
        self._narrow(wide[: rows.stop - rows.start], out[strip.images], rows, "outputs")

    def narrow_pixels(self, wide: np.ndarray, dx: np.ndarray, strip: Strip, spill: np.ndarray | None) -> np.ndarray:
        """Write the strip's part of dx (N, C, H, W) from its rows half-way: the adjoint of widen_pixels.

        Pixel rows under the strip's last tiles and the next strip's first ones belong to both: they are returned, and
        passed in as `spill` for the next strip.
        """
        if strip.first and spill is not None:
            wide[: len(spill), :-SKEW] += spill
        top = strip.first * OUTPUTS * self.rows.dilation - self.rows.pad
        complete = strip.height * OUTPUTS * self.rows.dilation
        last = strip.first + strip.height == self.rows.tiles
        rows, into_rows = inside(top, 1, len(wide) if last else complete, self.rows.size)
        self._narrow(wide[rows], dx[strip.images], into_rows, "pixels")
        return wide[complete:, :-SKEW].copy()

    def _narrow(self, wide: np.ndarray, images: np.ndarray, rows: slice, kind: str) -> None:
        """Apply the banded matrices along the width, straight into `rows` of images (n, C, H, W)."""
        axis, (height, width) = self.columns, images.shape[2:]
        across = images.reshape(-1, height, width)[:, rows].swapaxes(0, 1)  # (row, depth, column)
        depth = across.shape[1]
        columns = wide[:, :-SKEW].reshape(len(wide), axis.points, axis.tiles, axis.dilation * depth)
        for tiles, pixels, matrix in _bands(axis, kind, self.dtype):
            some = columns[:, :, tiles].reshape(len(wide), -1, depth)  # a copy where the image has several blocks
            np.matmul(some.swapaxes(1, 2), matrix, out=across[:, :, pixels])


@lru_cache(maxsize=64)
def _bands(axis: Axis, kind: str, dtype: np.dtype) -> list[tuple[slice, slice, np.ndarray]]:
    """Return, for blocks of pixels: the tiles that reach them, the pixels, and the matrix from one to the other.

    The matrix, (J * tiles * dilation, pixels), is the 1-D transform once for each tile, at that tile's place: where
    tiles overlap, the product adds them, and where a pixel lies in the padding, it has no column.
    """
    outputs, _, pixels = winograd_matrices(axis.taps)
    matrix, pad, size = (outputs.T, 0, axis.out_size) if kind == "outputs" else (pixels, axis.pad, axis.size)
    step, taps = OUTPUTS * axis.dilation, np.arange(matrix.shape[1])
    reach = len(taps) * axis.dilation
    blocks, width = [], max(1, BLOCK // axis.dilation) * step
    for start in range(0, size, width):
        stop = min(start + width, size)
        tiles = np.arange(max(0, -(-(start + pad - reach + 1) // step)), min(axis.tiles, -(-(stop + pad) // step)))
        place = step * tiles[:, None, None] + np.arange(axis.dilation)[:, None] + axis.dilation * taps - pad - start
        tile, phase, tap = np.nonzero((place >= 0) & (place < stop - start))  # place: (tile, dilation, tap)
        band = aligned_zeros((axis.points, len(tiles), axis.dilation, stop - start), dtype)
        band[:, tile, phase, place[tile, phase, tap]] = matrix[:, tap]
        blocks.append((slice(tiles[0], tiles[-1] + 1), slice(start, stop), band.reshape(-1, stop - start)))
    return blocks


def _depth_last(x: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Copy a window of images (n, C, H, W) to (height, width, n * C), zero where it leaves the image."""
    n, c, h, w = x.shape
    into_rows, from_rows = inside(top, 1, height, h)
    into_columns, from_columns = inside(left, 1, width, w)
    window = aligned_empty((height, width, n, c), x.dtype)
    window[: into_rows.start] = window[into_rows.stop :] = 0
    window[:, : into_columns.start] = window[:, into_columns.stop :] = 0
    rows = x[:, :, from_rows]
    if _meet_in_cache(x.strides[1]):  # copy them first, contiguously, to a distance at which they do not
        staged = aligned_empty((n * c, rows.shape[2] * w + SKEW), x.dtype)[:, : rows.shape[2] * w].reshape(rows.shape)
        staged[...] = rows
        rows = staged
    window[into_rows, into_columns] = rows[..., from_columns].transpose(2, 3, 0, 1)
    return window.reshape(height, width, n * c)


def _meet_in_cache(pitch: int) -> bool:
    """Tell whether images so many bytes apart push each other out of the cache: any multiple of a power of two.

    A transposed read meets the same few cache lines again and again: measured 4.1 instead of 1.2 ns per pixel for
    images of 32 x 32. Others are read where they are, which saves 2 to 6 % of a layer's time (4 x 4 images: 20 %).
    """
    return pitch > SPREAD and pitch % SPREAD == 0
