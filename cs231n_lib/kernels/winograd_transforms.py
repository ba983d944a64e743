"""The transforms of a Winograd convolution: pixels, filters and outputs, to the points and back, and their adjoints.

In one dimension, m outputs of a filter with r taps need n = m + r - 1 products instead of m * r: outputs are
coefficients of a product of polynomials, and a polynomial of n coefficients is known from its values at n points.
Evaluate pixels and filter at the points, multiply, interpolate:  out = A^T [(G w) * (B^T x)].

Images and channels are the last axes inside, so that each transform is a small matrix times long contiguous rows, and
BLAS does all of it. The rows of the filters' and outputs' matrices at the point 1 are all ones.
A dilated convolution works on every d-th row and column; those classes are one more axis of the tiles.
Reference: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view
from cs231n_lib.kernels.threads import split_batch

STRIP_BYTES = 2 << 20  # V and M of one strip: measured best near 2 MB
MIN_DEPTH = 128  # shorter rows leave the transforms waiting for calls
OUTPUTS = 4  # m: larger m saves more products and loses more digits
MIN_ROWS = 64  # fewer tiles leave the products waiting for the filters
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
        self.filter_points = np.kron(row_matrices[1], column_matrices[1]).astype(dtype)  # (points, KH * KW)

    @property
    def points(self) -> int:
        return self.rows.points * self.columns.points

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles of one image along height and width, all dilation classes."""
        return self.rows.tiles * self.rows.dilation, self.columns.tiles * self.columns.dilation

    def strips(self, batch: int) -> list[Strip]:
        """Cut the batch into images x tile rows whose V and M fit in cache."""
        for_transforms = -(-MIN_DEPTH // min(self.channels, self.filters))
        for_product = -(-MIN_ROWS // (self.tiles[0] * self.tiles[1]))
        blocks = split_batch(batch, max(for_transforms, for_product))
        images = blocks[0].stop if blocks else 1
        per_tile = self.points * self.rows.dilation * self.columns.dilation * (self.channels + self.filters)
        per_row = per_tile * self.columns.tiles * images * self.dtype.itemsize
        count = -(-self.rows.tiles // max(1, STRIP_BYTES // per_row))
        height = -(-self.rows.tiles // count)
        return [
            Strip(block, first, min(height, self.rows.tiles - first))
            for block in blocks
            for first in range(0, self.rows.tiles, height)
        ]

    def filters_to_points(self, w: np.ndarray) -> np.ndarray:
        """Return U, shape (points, G, C / G, F / G), from w (F, C / G, KH, KW)."""
        f, c, kernel_h, kernel_w = w.shape
        taps = w.reshape(self.groups, f // self.groups, c, kernel_h * kernel_w).transpose(3, 0, 2, 1)
        return (self.filter_points @ taps.reshape(kernel_h * kernel_w, -1)).reshape(-1, *taps.shape[1:])

    def points_to_filters(self, du: np.ndarray) -> np.ndarray:
        """Return dw, shape (F, C / G, KH, KW), from dU (points, G, C / G, F / G): the adjoint of filters_to_points."""
        dw = (self.filter_points.T @ du.reshape(self.points, -1)).reshape(-1, *du.shape[1:])
        shape = (self.filters, du.shape[2], self.rows.taps, self.columns.taps)
        return dw.transpose(1, 3, 2, 0).reshape(shape)

    def pixels_to_points(self, x: np.ndarray, strip: Strip) -> np.ndarray:
        """Return V, shape (points, tiles, images * C), from all images x (N, C, H, W)."""
        height = (strip.height * OUTPUTS + self.rows.taps - 1) * self.rows.dilation
        start = strip.first * OUTPUTS * self.rows.dilation - self.rows.pad
        pixels = _depth_last(x[strip.images], start, -self.columns.pad, height, self.columns.padded_in)
        return self._to_points(pixels, strip.height, self.row_pixels, self.column_pixels)

    def dout_to_points(self, dout: np.ndarray, strip: Strip) -> np.ndarray:
        """Return dM (points, tiles, images * F) from dout (N, F, out_h, out_w): adjoint of points_to_outputs."""
        height = strip.height * OUTPUTS * self.rows.dilation
        start = strip.first * OUTPUTS * self.rows.dilation
        pixels = _depth_last(dout[strip.images], start, 0, height, self.columns.padded_out)
        return self._to_points(pixels, strip.height, self.row_outputs.T, self.column_outputs.T)

    def _to_points(
        self, image: np.ndarray, tiles: int, row_matrix: np.ndarray, column_matrix: np.ndarray
    ) -> np.ndarray:
        """Apply the two matrices to the tiles of image (row, column, depth): (points, tiles, depth)."""
        height, _, depth = image.shape
        rows, columns = self.rows, self.columns
        wide = np.empty((columns.points, height, columns.tiles, columns.dilation, depth), self.dtype)
        windows = _tile_view(image, columns, columns.tiles, column_matrix.shape[1])  # (row, t, d, tap, depth)
        np.matmul(column_matrix, windows, out=wide.transpose(1, 2, 3, 0, 4))
        wide = wide.reshape(columns.points, height, -1)  # (j, row, across * depth)
        points = np.empty((rows.points, columns.points, tiles, rows.dilation, wide.shape[2]), self.dtype)
        windows = _tile_view(wide, rows, tiles, row_matrix.shape[1])  # (j, t, d, tap, across * depth)
        np.matmul(row_matrix, windows, out=points.transpose(1, 2, 3, 0, 4))
        return points.reshape(self.points, -1, depth)

    def points_to_outputs(self, points: np.ndarray, out: np.ndarray, strip: Strip) -> None:
        """Write the strip's part of out (N, F, out_h, out_w) from M, shape (points, tiles, images * F)."""
        rows, columns, depth = self.rows, self.columns, points.shape[2]
        across = columns.tiles * columns.dilation * depth
        points = points.reshape(rows.points, columns.points, strip.height, rows.dilation, across)
        wide = np.empty((strip.height, OUTPUTS, rows.dilation, columns.points, across), self.dtype)
        np.matmul(self.row_outputs, points.transpose(1, 2, 3, 0, 4), out=wide.transpose(3, 0, 2, 1, 4))
        wide = wide.reshape(-1, columns.points, columns.tiles, columns.dilation, depth)  # (row, j, t, d, depth)
        image = np.empty((len(wide), columns.tiles, OUTPUTS, columns.dilation, depth + SKEW), self.dtype)[..., :depth]
        np.matmul(self.column_outputs, wide.transpose(0, 2, 3, 1, 4), out=image.transpose(0, 1, 3, 2, 4))
        first = strip.first * OUTPUTS * rows.dilation
        part = out[strip.images, :, first : first + len(image)]
        image = image.reshape(len(image), columns.padded_out, len(part), -1)
        part[...] = image[: part.shape[2], : part.shape[3]].transpose(2, 3, 0, 1)

    def points_to_pixels(
        self, points: np.ndarray, dx: np.ndarray, strip: Strip, spill: np.ndarray | None
    ) -> np.ndarray:
        """Write the strip's part of dx (N, C, H, W) from dV (points, tiles, images * C): adjoint of pixels_to_points.

        Pixel rows under the strip's last tiles and the next strip's first ones belong to both: they are returned,
        (row, column, images * C), and passed in as `spill` for the next strip.
        """
        rows, columns, depth = self.rows, self.columns, points.shape[2]
        points = points.reshape(rows.points, columns.points, strip.height, rows.dilation, -1)
        wide = _overlap_add(self.row_pixels.T, points.transpose(1, 2, 3, 0, 4), rows)  # (j, row, across * depth)
        wide = wide.reshape(columns.points, -1, columns.tiles, columns.dilation, depth)
        image = _overlap_add(self.column_pixels.T, wide.transpose(1, 2, 3, 0, 4), columns)  # (row, column, depth)
        if spill is not None:
            image[: len(spill)] += spill
        top = strip.first * OUTPUTS * rows.dilation - rows.pad
        complete = strip.height * OUTPUTS * rows.dilation
        last = strip.first + strip.height == rows.tiles
        part = dx[strip.images]
        from_rows, into_rows = inside(top, 1, len(image) if last else complete, rows.size)
        from_columns, into_columns = inside(-columns.pad, 1, columns.padded_in, columns.size)
        part[:, :, into_rows, into_columns] = image.reshape(*image.shape[:2], len(part), -1)[
            from_rows, from_columns
        ].transpose(2, 3, 0, 1)
        return image[complete:]

    def split_groups(self, points: np.ndarray, channels: int) -> np.ndarray:
        """View (points, tiles, images * channels) as matrices (points, G, tiles * images, channels / G)."""
        return points.reshape(self.points, -1, self.groups, channels // self.groups).transpose(0, 2, 1, 3)


def _depth_last(x: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Copy a window of images (n, C, H, W) to (height, width, n * C), zero where it leaves the image."""
    n, c, h, w = x.shape
    into_rows, from_rows = inside(top, 1, height, h)
    into_columns, from_columns = inside(left, 1, width, w)
    window = np.empty((height, width, n, c), x.dtype)
    window[: into_rows.start] = window[into_rows.stop :] = 0
    window[:, : into_columns.start] = window[:, into_columns.stop :] = 0
    # Images are often a power of two bytes apart, where a transposed read meets the same few cache lines again and
    # again: copy them first, contiguously, to a distance that is none. Measured 1.2 against 4.1 ns per pixel.
    rows = x[:, :, from_rows]
    staged = np.empty((n * c, rows.shape[2] * w + SKEW), x.dtype)[:, : rows.shape[2] * w]
    staged.reshape(rows.shape)[...] = rows
    window = window.reshape(height, width, n * c)
    window[into_rows, into_columns] = staged.reshape(n * c, -1, w)[:, :, from_columns].transpose(1, 2, 0)
    return window


def _tile_view(array: np.ndarray, axis: Axis, tiles: int, taps: int) -> np.ndarray:
    """View axis -2 as overlapping tiles: (..., size, depth) -> (..., tiles, dilation, taps, depth)."""
    *lead, _, depth = array.shape
    *lead_strides, step, item = array.strides
    shape = (*lead, tiles, axis.dilation, taps, depth)
    strides = (*lead_strides, OUTPUTS * axis.dilation * step, step, axis.dilation * step, item)
    return strided_view(array, shape, strides)


def _overlap_add(matrix: np.ndarray, points: np.ndarray, axis: Axis) -> np.ndarray:
    """Apply the adjoint of a pixel transform and add tiles where they overlap.

    matrix : (points, points); points : (lead, tiles, dilation, points, depth)
    Returns an array of shape (lead, size, depth), size being (tiles * OUTPUTS + taps - 1) * dilation.
    """
    lead, tiles, dilation, _, depth = points.shape
    overlap = axis.taps - 1  # at most OUTPUTS, so a pixel lies under two tiles at most
    pixels = np.empty((lead, tiles * OUTPUTS + overlap, dilation, depth + SKEW), points.dtype)[..., :depth]
    own = pixels[:, : tiles * OUTPUTS].reshape(lead, tiles, OUTPUTS, dilation, depth)
    np.matmul(matrix[:OUTPUTS], points, out=own.swapaxes(2, 3))
    if overlap:
        shared = np.empty((lead, tiles, overlap, dilation, depth), points.dtype)
        np.matmul(matrix[OUTPUTS:], points, out=shared.swapaxes(2, 3))
        own[:, 1:, :overlap] += shared[:, :-1]
        pixels[:, tiles * OUTPUTS :] = shared[:, -1]
    return pixels.reshape(lead, -1, depth)
