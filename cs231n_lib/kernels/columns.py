"""Convolution by columns that stay in cache: the method for any kernel, stride, dilation and groups.

Full im2col copies every pixel KH * KW times. Here a pixel is copied KW times only, into rows

    rows[r, (j, c), (n, q)] = x[n, c, r, stride * q + j]        one row of the (padded) input, seen by tap column j

The columns for output row p are then input rows stride * p ... stride * p + KH - 1, which already lie one below the
other: the matrix of shape (KH * KW * C, images * out_w) is a *view*. One tile of images is small enough to stay in
cache between the copy and the product. The backward pass runs the same idea the other way round.

Rows that a dilated kernel sees are `dilation` apart, so output rows fall into classes that share no input row (when
the stride is 1); `_row_classes` solves each as a convolution without dilation along the height.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 1 << 19  # rows and products of one tile: half a core's L2 cache, measured better than 1 MB or more
MIN_COLUMNS = 128  # fewer columns leave the product waiting for the weights


@dataclass(frozen=True)
class RowClass:
    """`count` output rows first, first + step, ...; number m sees input rows stride * m + (0 ... KH - 1)."""

    first: int
    step: int
    count: int
    stride: int
    start: int  # pixel row under the first input row: negative in the padding
    spread: int  # pixel rows between two input rows: the dilation
    rows: int  # input rows, those in the padding too

    @property
    def out_rows(self) -> slice:
        return slice(self.first, None, self.step)


def _row_classes(geometry: Geometry) -> list[RowClass]:
    stride, dilation, out_h = geometry.stride[0], geometry.dilation[0], geometry.out_size[0]
    common = gcd(stride, dilation)
    step = dilation // common
    classes = []
    for first in range(min(step, out_h)):
        count = -(-(out_h - first) // step)
        rows = (count - 1) * (stride // common) + geometry.kernel[0]
        start = stride * first - geometry.pad[0]
        classes.append(RowClass(first, step, count, stride // common, start, dilation, rows))
    return classes


def columns_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    out = np.empty((len(x), len(w), *geometry.out_size), x.dtype)
    out_g = _split_channels(out, geometry.groups)  # (N, G, F / G, out_h, out_w)
    bias = b.reshape(geometry.groups, 1, -1, 1)
    filters = _filters(w, geometry.groups).transpose(0, 3, 1, 2, 4)  # (G, F / G, KH, KW, C / G)
    filters = filters.reshape(geometry.groups, 1, len(w) // geometry.groups, -1)
    for rows in _row_classes(geometry):

        def make(images: int, rows: RowClass = rows) -> tuple[np.ndarray, np.ndarray]:
            groups, out_w = geometry.groups, geometry.out_size[1]
            shifted = np.zeros((groups, rows.rows, geometry.kernel[1], x.shape[1] // groups, images, out_w), x.dtype)
            return shifted, np.empty((groups, rows.count, len(w) // groups, images * out_w), x.dtype)

        spaces = Workspaces(make)

        def task(tile: slice, rows: RowClass = rows, spaces: Workspaces = spaces) -> None:
            images = tile.stop - tile.start
            with spaces.borrow(images) as (shifted, product):
                _copy_shifted(x[tile], shifted, rows, geometry)
                np.matmul(filters, _stack(shifted, rows.count, rows.stride, geometry.kernel[0]), out=product)
                product += bias  # while it is in cache and its rows are long
                product = product.reshape(*product.shape[:3], images, -1).transpose(3, 0, 2, 1, 4)  # (n, G, F/G, p, q)
                out_g[tile, :, :, rows.out_rows] = product

        run_tiles(task, split_batch(len(x), _tile_images(x, w, geometry, rows)))
    return out


def columns_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Return dx and dw, the gradients of `columns_forward`, from contiguous dout (N, F, out_h, out_w)."""
    dx = np.zeros_like(x)
    groups, kernel_h, kernel_w = geometry.groups, *geometry.kernel
    channels, filters, out_w = x.shape[1] // groups, len(w) // groups, geometry.out_size[1]
    dw = np.zeros((kernel_h, groups, filters, kernel_w * channels), x.dtype)
    dout_g = _split_channels(dout, groups)
    for rows in _row_classes(geometry):

        def make(images: int, rows: RowClass = rows) -> tuple[np.ndarray, ...]:
            phase_rows = -(-rows.rows // rows.stride)
            taps = -(-kernel_h // rows.stride)
            shifted = np.zeros((groups, rows.stride, kernel_w, channels, phase_rows, images, out_w), x.dtype)
            padded = np.zeros((groups, rows.count + 2 * (taps - 1), filters, images, out_w), x.dtype)
            return shifted, padded

        spaces = Workspaces(make)

        def task(tile: slice, rows: RowClass = rows, spaces: Workspaces = spaces) -> np.ndarray:
            with spaces.borrow(tile.stop - tile.start) as (shifted, padded):
                upstream = dout_g[tile, :, :, rows.out_rows]  # (n, G, F / G, p, q)
                _input_gradient(upstream, w, dx[tile], padded, rows, geometry)
                return _weight_gradient(upstream, x[tile], shifted, rows, geometry)

        run_tiles(task, split_batch(len(x), _tile_images(x, w, geometry, rows)), into=dw)
    dw = dw.reshape(kernel_h, groups, filters, kernel_w, channels)
    return dx, dw.transpose(1, 2, 4, 0, 3).reshape(w.shape)  # (G, F / G, C / G, KH, KW)


def _weight_gradient(
    dout: np.ndarray, x: np.ndarray, shifted: np.ndarray, rows: RowClass, geometry: Geometry
) -> np.ndarray:
    """Return one tile's dw, shape (KH, G, F / G, KW * C / G): for each tap row one product, long in the summed axis.

    shifted : workspace (G, stride, KW, C / G, input rows / stride, n, out_w). Split by the row modulo the stride, the
    input rows that tap row i sees at all output rows lie one after the other.
    """
    groups, stride, kernel_w, channels, phase_rows, images, out_w = shifted.shape
    for phase in range(stride):
        view = shifted[:, phase].transpose(0, 3, 1, 2, 4, 5)  # (G, row, KW, C / G, n, out_w)
        _copy_shifted(x, view, _every_row(rows, phase), geometry)
    flat = dout.transpose(1, 2, 3, 0, 4).reshape(groups, dout.shape[2], -1)  # (G, F / G, p n q), a copy
    dw = np.empty((geometry.kernel[0], groups, dout.shape[2], kernel_w * channels), x.dtype)
    matrix = shifted.reshape(groups, stride, kernel_w * channels, phase_rows * images * out_w)
    for i in range(geometry.kernel[0]):
        first = i // stride * images * out_w
        seen = matrix[:, i % stride, :, first : first + rows.count * images * out_w]  # (G, KW C/G, p n q)
        np.matmul(flat, seen.transpose(0, 2, 1), out=dw[i])
    return dw


def _input_gradient(
    dout: np.ndarray, w: np.ndarray, dx: np.ndarray, padded: np.ndarray, rows: RowClass, geometry: Geometry
) -> None:
    """Add one tile's dx in place: a product sums over (tap row, filter), then KW shifted adds.

    padded : workspace (G, taps - 1 + out rows + taps - 1, F / G, n, out_w) with zeros above and below.
    Input row stride * m + phase is seen by the tap rows phase, phase + stride, ...: from output rows m, m - 1, ...
    """
    groups, _, filters, images, out_w = padded.shape
    taps = -(-geometry.kernel[0] // rows.stride)
    padded[:, taps - 1 : taps - 1 + rows.count] = dout.transpose(1, 3, 2, 0, 4)  # (G, p, F / G, n, out_w)
    by_tap = _filters(w, groups)  # (G, KH, KW, F / G, C / G) with axes below
    for phase in range(min(rows.stride, geometry.kernel[0])):
        phase_rows = _every_row(rows, phase)
        taps_here = -(-(geometry.kernel[0] - phase) // rows.stride)
        matrix = by_tap[:, phase :: rows.stride][:, ::-1]  # output rows rise, so tap rows fall
        matrix = matrix.transpose(0, 2, 4, 1, 3).reshape(groups, 1, -1, taps_here * filters)  # (G, 1, KW C/G, taps F/G)
        count = rows.count + taps_here - 1
        stacked = _stack(padded, count, 1, taps_here, first=taps - taps_here)
        seen = np.matmul(matrix, stacked)  # (G, row, KW C/G, n out_w)
        _add_shifted(dx, seen.reshape(groups, count, geometry.kernel[1], -1, images, out_w), phase_rows, geometry)


def _filters(w: np.ndarray, groups: int) -> np.ndarray:
    """Return w as a view of shape (G, KH, KW, F / G, C / G)."""
    return w.reshape(groups, -1, *w.shape[1:]).transpose(0, 3, 4, 1, 2)


def _split_channels(array: np.ndarray, groups: int) -> np.ndarray:
    n, channels, h, w = array.shape
    return array.reshape(n, groups, channels // groups, h, w)


def _every_row(rows: RowClass, phase: int) -> RowClass:
    """Return the input rows phase, phase + stride, ... of `rows`."""
    start, spread = rows.start + phase * rows.spread, rows.spread * rows.stride
    return RowClass(0, 1, rows.count, 1, start, spread, -(-(rows.rows - phase) // rows.stride))


def _stack(array: np.ndarray, count: int, stride: int, taps: int, first: int = 0) -> np.ndarray:
    """View `taps` rows from first + stride * m as one, for every m: (G, R, A, ...) to (G, count, taps * A, ...)."""
    groups, _, *rest = array.shape
    columns = prod(rest[-2:])
    depth = taps * prod(rest[:-2])
    group, row = array.strides[:2]
    shape = (groups, count, depth, columns)
    strides = (group, stride * row, columns * array.itemsize, array.itemsize)
    return strided_view(array, shape, strides, first * row)


def _copy_shifted(x: np.ndarray, shifted: np.ndarray, rows: RowClass, geometry: Geometry) -> None:
    """Fill shifted[g, r, j, c, n, q] with the pixel that tap column j sees there; the padding stays zero."""
    x = _split_channels(x, geometry.groups)
    into, pixels = inside(rows.start, rows.spread, rows.rows, geometry.size[0])
    for j in range(geometry.kernel[1]):
        start = j * geometry.dilation[1] - geometry.pad[1]
        across, columns = inside(start, geometry.stride[1], geometry.out_size[1], geometry.size[1])
        shifted[:, into, j, :, :, across] = x[:, :, :, pixels, columns].transpose(1, 3, 2, 0, 4)


def _add_shifted(dx: np.ndarray, shifted: np.ndarray, rows: RowClass, geometry: Geometry) -> None:
    """Add shifted[g, r, j, c, n, q] back to the pixels that `_copy_shifted` reads: its adjoint."""
    dx = _split_channels(dx, geometry.groups)  # a view: dx is a contiguous tile
    into, pixels = inside(rows.start, rows.spread, shifted.shape[1], geometry.size[0])
    for j in range(geometry.kernel[1]):
        start = j * geometry.dilation[1] - geometry.pad[1]
        across, columns = inside(start, geometry.stride[1], geometry.out_size[1], geometry.size[1])
        dx[:, :, :, pixels, columns] += shifted[:, into, j, :, :, across].transpose(3, 0, 2, 1, 4)


def _tile_images(x: np.ndarray, w: np.ndarray, geometry: Geometry, rows: RowClass) -> int:
    """Return how many images make one tile: as many as the cache holds, but enough columns for the product."""
    out_w = geometry.out_size[1]
    per_image = out_w * (rows.rows * geometry.kernel[1] * x.shape[1] + rows.count * len(w)) * x.itemsize
    return max(TILE_BYTES // per_image, -(-MIN_COLUMNS // out_w))
