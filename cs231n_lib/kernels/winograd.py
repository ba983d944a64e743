"""Winograd convolution: fewer multiplications for small filters with stride 1.

In one dimension, m outputs of a filter with r taps need n = m + r - 1 products instead of m * r: outputs are coefficients
of a product of polynomials, and a polynomial of n coefficients is known from its values at n points. Evaluate pixels and
filter at the points, multiply, interpolate:  out = A^T [(G w) * (B^T x)].  Both axes together (4 x 4 outputs, 3 x 3
filter): 36 products instead of 144. The products at one point, summed over channels, are a matrix product, so the work is

    X (row, column, image, channel)  --B^T, B^T-->  V (point, tile, channel)
    M (point, tile, filter) = V (point, tile, channel) @ U (point, channel, filter)
    M  --A^T, A^T-->  out

Images and channels are the last axes inside, so that each transform is a small matrix times long contiguous rows, and
BLAS does all of it. A few images at a time: their V and M stay in cache between the three steps.

A dilated convolution works on every d-th row and column; those classes are one more axis of the tiles.
Reference: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cs231n_lib.kernels.geometry import Geometry, inside
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 3 << 20  # V, M and their neighbours for one tile of images: measured best from 2 to 4 MB
OUTPUTS = 4  # m: larger m saves more products and loses more digits
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

    def images(self) -> int:
        """Return how many images fit a tile of the batch."""
        down, across = self.tiles
        per_image = self.points * down * across * (self.channels + self.filters) * self.dtype.itemsize
        return max(1, TILE_BYTES // per_image)

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

    def pixels(self, images: int) -> np.ndarray:
        return np.zeros((self.rows.padded_in, self.columns.padded_in, images * self.channels), self.dtype)

    def pixels_to_points(self, x: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Return V, shape (points, tiles, images * C), from images x (n, C, H, W) and a workspace from `pixels`."""
        n, c = x.shape[:2]
        into_rows, from_rows = inside(-self.rows.pad, 1, self.rows.padded_in, self.rows.size)
        into_columns, from_columns = inside(-self.columns.pad, 1, self.columns.padded_in, self.columns.size)
        pixels = pixels.reshape(*pixels.shape[:2], n, c)
        pixels[into_rows, into_columns] = x[:, :, from_rows, from_columns].transpose(2, 3, 0, 1)
        return self._to_points(pixels.reshape(*pixels.shape[:2], n * c), self.row_pixels, self.column_pixels)

    def dout_to_points(self, dout: np.ndarray) -> np.ndarray:
        """Return dM, shape (points, tiles, images * F), from dout (n, F, out_h, out_w): adjoint of points_to_outputs."""
        n, f, out_h, out_w = dout.shape
        padded = np.zeros((self.rows.padded_out, self.columns.padded_out, n, f), self.dtype)
        padded[:out_h, :out_w] = dout.transpose(2, 3, 0, 1)
        return self._to_points(padded.reshape(*padded.shape[:2], n * f), self.row_outputs.T, self.column_outputs.T)

    def _to_points(self, image: np.ndarray, row_matrix: np.ndarray, column_matrix: np.ndarray) -> np.ndarray:
        """Apply the two matrices to the tiles of image (row, column, depth): (points, tiles, depth)."""
        _, width, depth = image.shape
        (down, across), rows, columns = self.tiles, self.rows, self.columns
        tall = np.empty((rows.points, down, width, depth), self.dtype)
        windows = _tile_view(image.reshape(-1, width * depth), rows, row_matrix.shape[1])  # (t, d, tap, width * depth)
        target = tall.reshape(rows.points, rows.tiles, rows.dilation, width * depth).transpose(1, 2, 0, 3)
        np.matmul(row_matrix, windows, out=target)
        points = np.empty((rows.points, columns.points, down, columns.tiles, columns.dilation, depth), self.dtype)
        windows = _tile_view(tall, columns, column_matrix.shape[1])  # (i, down, t, d, tap, depth)
        np.matmul(column_matrix, windows, out=points.transpose(0, 2, 3, 4, 1, 5))
        return points.reshape(self.points, down * across, depth)

    def points_to_outputs(self, points: np.ndarray, out: np.ndarray) -> None:
        """Write out (n, F, out_h, out_w) from M, shape (points, tiles, images * F)."""
        n, f, out_h, out_w = out.shape
        (down, _), rows, columns, depth = self.tiles, self.rows, self.columns, points.shape[2]
        points = points.reshape(rows.points, columns.points, down, columns.tiles, columns.dilation, depth)
        tall = np.empty((rows.points, down, columns.tiles, OUTPUTS, columns.dilation, depth), self.dtype)
        np.matmul(self.column_outputs, points.transpose(0, 2, 3, 4, 1, 5), out=tall.transpose(0, 1, 2, 4, 3, 5))
        tall = tall.reshape(rows.points, rows.tiles, rows.dilation, columns.padded_out * depth)
        image = np.empty((rows.tiles, OUTPUTS, rows.dilation, columns.padded_out * depth), self.dtype)
        np.matmul(self.row_outputs, tall.transpose(1, 2, 0, 3), out=image.transpose(0, 2, 1, 3))
        image = image.reshape(rows.padded_out, columns.padded_out, n, f)
        out[...] = image[:out_h, :out_w].transpose(2, 3, 0, 1)

    def split_groups(self, points: np.ndarray, channels: int) -> np.ndarray:
        """View (points, tiles, images * channels) as matrices (points, G, tiles * images, channels / G)."""
        return points.reshape(self.points, -1, self.groups, channels // self.groups).transpose(0, 2, 1, 3)


def _tile_view(array: np.ndarray, axis: Axis, taps: int) -> np.ndarray:
    """View axis -2 as overlapping tiles: (..., size, depth) -> (..., tiles, dilation, taps, depth)."""
    *lead, _, depth = array.shape
    *lead_strides, step, item = array.strides
    shape = (*lead, axis.tiles, axis.dilation, taps, depth)
    strides = (*lead_strides, OUTPUTS * axis.dilation * step, step, axis.dilation * step, item)
    return as_strided(array, shape, strides, writeable=False)


def winograd_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    plan = Plan(geometry, x.shape[1], len(w), x.dtype)
    u = plan.filters_to_points(w)  # (points, G, C / G, F / G)
    out = np.empty((len(x), len(w), *geometry.out_size), x.dtype)
    spaces = Workspaces(plan.pixels)
    at_one = POINTS.index(1.0) * (plan.columns.points + 1)  # adding b here adds b to every output: 1 to any power is 1

    def task(tile: slice) -> None:
        with spaces.borrow(tile.stop - tile.start) as pixels:
            v = plan.pixels_to_points(x[tile], pixels)
            m = np.empty((*v.shape[:2], (tile.stop - tile.start) * len(w)), x.dtype)
            np.matmul(plan.split_groups(v, x.shape[1]), u, out=plan.split_groups(m, len(w)))
            m[at_one].reshape(-1, len(w))[...] += b
            plan.points_to_outputs(m, out[tile])

    run_tiles(task, split_batch(len(x), plan.images()))
    return out


def winograd_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Return dx and dw, the gradients of `winograd_forward`, from contiguous dout (N, F, out_h, out_w)."""
    return _input_gradient(dout, w, geometry), _weight_gradient(dout, x, w, geometry)


def _input_gradient(dout: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return dx: with stride 1 it is a convolution of dout with the flipped filters, channels and filters swapped."""
    groups = geometry.groups
    swapped = w.reshape(groups, len(w) // groups, *w.shape[1:]).swapaxes(1, 2)[..., ::-1, ::-1]  # (G, C/G, F/G, KH, KW)
    swapped = np.ascontiguousarray(swapped).reshape(-1, len(w) // groups, *geometry.kernel)
    pad = tuple(d * (k - 1) - p for d, k, p in zip(geometry.dilation, geometry.kernel, geometry.pad, strict=True))
    flipped = Geometry(geometry.kernel, (1, 1), pad, geometry.dilation, groups, geometry.out_size, geometry.size)
    return winograd_forward(dout, swapped, np.zeros(len(swapped), w.dtype), flipped)


def _weight_gradient(dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return dw: the steps of the forward pass have adjoints, and dU = V^T @ dM at every point."""
    plan = Plan(geometry, x.shape[1], len(w), x.dtype)
    du = np.zeros((plan.points, plan.groups, w.shape[1], len(w) // plan.groups), x.dtype)
    spaces = Workspaces(plan.pixels)

    def task(tile: slice) -> np.ndarray:
        with spaces.borrow(tile.stop - tile.start) as pixels:
            v = plan.split_groups(plan.pixels_to_points(x[tile], pixels), x.shape[1])
            return v.swapaxes(2, 3) @ plan.split_groups(plan.dout_to_points(dout[tile]), len(w))

    run_tiles(task, split_batch(len(x), plan.images()), into=du)
    return plan.points_to_filters(du)
