"""Depthwise convolution: every filter sees one channel, so there is no sum over channels to make a product of.

Multiplying slices by one weight after another is bound by memory: nine multiplications and eight additions of whole
slices for a 3 x 3 filter. But several output rows under column j of the filter are a product, too:

    out[rows of a block, (image, column)] += band[j] @ pixels[rows that they see, (image, column + j)]

where column j of the filter stands in each row of band[j], a stride further to the right each time. Most of the band is
zero, and BLAS multiplies the zeros faster than NumPy can avoid them. Images lie side by side, with their padding
between them, so that rows are long, and a shift by j is a slice of the whole row.

Narrow images need no copies: toeplitz.py does their forward pass and dx; dw stays here.

Rows of a dilated or strided convolution fall into classes, see rows.py. Along the width, tap column j sees every
stride-th pixel column: the pixel columns of one remainder modulo the stride make a plane.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside
from cs231n_lib.kernels.products import aligned_empty, aligned_zeros, line_sums, whole_registers
from cs231n_lib.kernels.rows import RowClass, by_image, copy_rows, row_classes, rows_are_disjoint, stack
from cs231n_lib.kernels.threads import Workspaces, kept_workspaces, run_tiles, split_batch
from cs231n_lib.kernels.toeplitz import is_narrow, narrow_forward, narrow_input_gradient

BLOCK = 4  # output rows of one product: a larger band holds more zeros, a smaller one makes more calls
LENGTH = 512  # pixels of a row, all images of a tile: measured flat from 256, worse below
TILE_BYTES = 3 << 19  # pixels of a tile: smaller ones make more calls, larger ones leave the cache

Tile = tuple[slice, slice]  # images, channels


class Space(NamedTuple):
    """Buffers of one tile: pixels (plane, C, row, line), dout between rows of zeros, and two products.

    In a line, images lie side by side.
    """

    pixels: np.ndarray
    dout: np.ndarray
    total: np.ndarray
    product: np.ndarray

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self)


class Layout:
    """How one class of rows is laid out: planes of pixel columns, images side by side, rows in blocks."""

    def __init__(self, geometry: Geometry, rows: RowClass, block: int, many: int) -> None:
        self.geometry, self.rows, self.block, self.many = geometry, rows, block, many
        self.key = (geometry, rows, block, many)
        reach = [j * geometry.dilation[1] for j in range(geometry.kernel[1])]
        self.taps = [(position % geometry.stride[1], position // geometry.stride[1]) for position in reach]
        self.planes = sorted({plane for plane, _ in self.taps})
        self.width = geometry.out_size[1] + self.taps[-1][1]  # of one image in a row
        self.blocks = -(-rows.count // block)
        self.tap_rows = -(-geometry.kernel[0] // rows.stride)  # at most so many output rows see an input row

    def columns(self, plane: int) -> tuple[slice, slice]:
        """Return which positions of an image's row hold pixels of that plane, and which pixel columns."""
        return inside(plane - self.geometry.pad[1], self.geometry.stride[1], self.width, self.geometry.size[1])

    def copy_pixels(self, x: np.ndarray, pixels: np.ndarray) -> None:
        """Fill pixels (plane, C, row, line) from x (n, C, H, W); the padding stays zero."""
        into, rows = inside(self.rows.start, self.rows.spread, self.rows.rows, self.geometry.size[0])
        for plane in self.planes:
            across, columns = self.columns(plane)
            seen = by_image(pixels[plane], len(x), self.width)[:, into, :, across]
            copy_rows(x[:, :, rows, columns].transpose(1, 2, 0, 3), seen)


def _forward_space(
    shape: tuple[int, int], geometry: Geometry, rows: RowClass, block: int, many: int, dtype: np.dtype
) -> Space:
    """Return buffers for `shape` (images, channels) on their way forward."""
    layout, (images, channels) = Layout(geometry, rows, block, many), shape
    line = whole_registers(images * layout.width, dtype)
    pixels = (geometry.stride[1], channels, rows.rows, line)
    product = (channels, layout.blocks, block * many, line)
    return Space(
        aligned_zeros(pixels, dtype), np.empty(0, dtype), aligned_empty(product, dtype), aligned_empty(product, dtype)
    )


def _backward_space(
    shape: tuple[int, int],
    geometry: Geometry,
    rows: RowClass,
    block: int,
    many: int,
    dtype: np.dtype,
    weights_only: bool,
) -> Space:
    """Return the same for the way back. weights_only : dx is found elsewhere"""
    layout, (images, channels) = Layout(geometry, rows, block, many), shape
    above, line = layout.tap_rows - 1, whole_registers(images * layout.width, dtype)
    pixels = (geometry.stride[1], channels, rows.rows, line)
    padded = (1, channels, rows.count + 2 * above + block, many, line)
    product = (0 if weights_only else channels, -(-(rows.count + above) // block), block, line)
    return Space(
        aligned_zeros(pixels, dtype), aligned_zeros(padded, dtype), aligned_empty(product, dtype),
        aligned_empty(product, dtype),
    )  # fmt: skip


def depthwise_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, 1, KH, KW) and b (F,)."""
    if is_narrow(x, geometry):
        return narrow_forward(x, w, b, geometry)
    out = aligned_empty((len(x), len(w), *geometry.out_size), x.dtype)
    many = len(w) // x.shape[1]  # filters of one channel
    out_c = out.reshape(len(x), x.shape[1], many, *geometry.out_size)
    bias = b.reshape(x.shape[1], 1, many, 1)
    for layout in _layouts(x, w, geometry):
        bands = _forward_bands(w, layout)
        with kept_workspaces(_forward_space, *layout.key, x.dtype) as spaces:

            def task(
                tile: Tile, layout: Layout = layout, bands: np.ndarray = bands, spaces: Workspaces = spaces
            ) -> None:
                part, rows = x[tile], layout.rows
                with spaces.borrow(part.shape[:2]) as (pixels, _, total, product):
                    layout.copy_pixels(part, pixels)
                    seen = stack(pixels, layout.blocks, rows.stride * layout.block, bands.shape[4])
                    for j, (plane, shift) in enumerate(layout.taps):  # seen : (plane, C, block, ...)
                        np.matmul(bands[j, tile[1]], seen[plane], out=product if j else total)
                        if j:
                            _add_shifted(product, total, -shift)
                    lines = total.reshape(len(total), -1, many, total.shape[3])  # (C, p, m, line)
                    lines += bias[tile[1]]
                    images = by_image(lines[:, : rows.count], len(part), layout.width)[..., : out.shape[3]]
                    copy_rows(images.transpose(3, 0, 2, 1, 4), out_c[(*tile, slice(None), rows.out_rows)])

            run_tiles(task, _tiles(x, layout))
    return out


def depthwise_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, dw and db, the gradients of `depthwise_forward`, from contiguous dout (N, F, out_h, out_w)."""
    many = len(w) // x.shape[1]
    narrow = is_narrow(x, geometry)
    dx = narrow_input_gradient(dout, w, geometry) if narrow else aligned_zeros(x.shape, x.dtype)
    dw = np.zeros((geometry.kernel[1], x.shape[1], many, geometry.kernel[0]), x.dtype)
    db = np.zeros((x.shape[1], many), x.dtype)
    dout_c = dout.reshape(len(x), x.shape[1], many, *geometry.out_size)
    for layout in _layouts(x, w, geometry):
        phases = 0 if narrow else min(layout.rows.stride, geometry.kernel[0])
        bands = [_backward_bands(w, layout, phase) for phase in range(phases)]
        window = layout.rows.stride * (layout.block - 1) + geometry.kernel[0]
        dbands = np.zeros((*dw.shape[:2], layout.block * many, window), x.dtype)
        with kept_workspaces(_backward_space, *layout.key, x.dtype, narrow) as spaces:

            def task(
                tile: Tile, layout: Layout = layout, bands: list[np.ndarray] = bands, spaces: Workspaces = spaces,
                shape: tuple[int, ...] = dbands.shape,
            ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
                rows, above = layout.rows, layout.tap_rows - 1
                dbands_part, db_part = np.zeros(shape, x.dtype), np.zeros_like(db)
                with spaces.borrow(x[tile].shape[:2]) as (pixels, padded, total, product):
                    upstream = dout_c[(*tile, slice(None), rows.out_rows)]  # (n, C, m, p, q)
                    into = by_image(padded[0, :, above : above + rows.count], len(upstream), layout.width)
                    copy_rows(upstream.transpose(1, 3, 2, 0, 4), into[..., : dout.shape[3]])
                    db_part[tile[1]] = line_sums(padded[0]).sum(axis=1)
                    layout.copy_pixels(x[tile], pixels)
                    _band_gradients(padded, pixels, dbands_part[:, tile[1]], layout)
                    for phase, of_taps in enumerate(bands):
                        _input_gradient(padded, of_taps[:, tile[1]], dx[tile], total, product, layout, phase)
                return dbands_part, db_part

            run_tiles(task, _tiles(x, layout), into=(dbands, db))
        dw += _sum_of_diagonals(dbands, layout)
    return dx, dw.transpose(1, 2, 3, 0).reshape(w.shape), db.reshape(-1)


def _band_gradients(padded: np.ndarray, pixels: np.ndarray, bands: np.ndarray, layout: Layout) -> None:
    """Write one tile's gradients of the bands, (KW, C, block * m, window); only their diagonals will count."""
    upstream = stack(padded, layout.blocks, layout.block, bands.shape[2], first=layout.tap_rows - 1)[0]
    seen = stack(pixels, layout.blocks, layout.rows.stride * layout.block, bands.shape[3]).swapaxes(3, 4)
    for j, (plane, shift) in enumerate(layout.taps):
        length = seen.shape[3] - shift
        np.matmul(upstream[..., :length], seen[plane][:, :, shift:]).sum(axis=1, out=bands[j])


def _sum_of_diagonals(bands: np.ndarray, layout: Layout) -> np.ndarray:
    """Return dw, (KW, C, m, KH), from the gradients of the bands: the adjoint of `_forward_bands`."""
    block, stride, kernel_h = layout.block, layout.rows.stride, layout.geometry.kernel[0]
    bands = bands.reshape(*bands.shape[:2], block, layout.many, -1)
    rows = [bands[:, :, r, :, stride * r : stride * r + kernel_h] for r in range(block)]
    return np.sum(rows, axis=0)


def _input_gradient(
    padded: np.ndarray,
    bands: np.ndarray,
    dx: np.ndarray,
    total: np.ndarray,
    product: np.ndarray,
    layout: Layout,
    phase: int,
) -> None:
    """Add to one tile's dx what reaches the input rows phase, phase + stride, ...: one plane at a time."""
    rows, block = layout.rows.every(phase), layout.block
    into, pixel_rows = inside(rows.start, rows.spread, layout.rows.count + layout.tap_rows - 1, layout.geometry.size[0])
    count = into.stop - into.start  # rows outside the image need no gradient
    blocks, window = -(-count // block), bands.shape[4] // layout.many
    first = into.start + layout.tap_rows + block - 1 - window
    seen = stack(padded, blocks, block, bands.shape[4], first=first)[0]
    total, product = (_first(array, (bands.shape[1], blocks, block, seen.shape[3])) for array in (total, product))
    for plane in layout.planes:
        taps = [(j, shift) for j, (tap_plane, shift) in enumerate(layout.taps) if tap_plane == plane]
        fresh = taps[0][1] == 0
        if not fresh:
            total.fill(0)
        for j, shift in taps:
            np.matmul(bands[j], seen, out=total if fresh else product)
            if not fresh:
                _add_shifted(product, total, shift)
            fresh = False
        across, columns = layout.columns(plane)
        image = by_image(total.reshape(len(total), blocks * block, total.shape[3]), len(dx), layout.width)
        gradient, into_dx = image[:, :count, :, across].transpose(2, 0, 1, 3), dx[:, :, pixel_rows, columns]
        if rows_are_disjoint(layout.geometry):
            copy_rows(gradient, into_dx)
        else:
            into_dx += gradient


def _first(workspace: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """View the first entries of a workspace as an array of that shape."""
    return workspace.reshape(-1)[: prod(shape)].reshape(shape)


def _add_shifted(product: np.ndarray, total: np.ndarray, shift: int) -> None:
    """Add product to total, moved to the right by `shift` columns.

    Both are one flat array to NumPy, which adds many short rows four times slower. What moves over the end of an
    image's row meets padding there: forward, columns that are never read; backward, it is zero itself.
    """
    total, product = total.reshape(-1), product.reshape(-1)
    keep = len(total) - abs(shift)
    total[max(0, shift) :][:keep] += product[max(0, -shift) :][:keep]


def _forward_bands(w: np.ndarray, layout: Layout) -> np.ndarray:
    """Return, for each tap column, the filters of a block: (KW, C, 1, block * m, rows that the block sees)."""
    block, stride = layout.block, layout.rows.stride
    taps = w.reshape(-1, layout.many, *layout.geometry.kernel).transpose(3, 0, 1, 2)  # (KW, C, m, KH)
    bands = np.zeros((*taps.shape[:2], block, layout.many, stride * (block - 1) + taps.shape[3]), w.dtype)
    for r in range(block):
        bands[:, :, r, :, stride * r : stride * r + taps.shape[3]] = taps
    return bands.reshape(*taps.shape[:2], 1, block * layout.many, -1)


def _backward_bands(w: np.ndarray, layout: Layout, phase: int) -> np.ndarray:
    """Return the same for a block of input rows and the output rows that see them: (KW, C, 1, block, window * m)."""
    block = layout.block
    taps = w.reshape(-1, layout.many, *layout.geometry.kernel).transpose(3, 0, 2, 1)  # (KW, C, KH, m)
    taps = taps[:, :, phase :: layout.rows.stride][:, :, ::-1]  # output rows rise, so tap rows fall
    bands = np.zeros((*taps.shape[:2], block, taps.shape[2] + block - 1, layout.many), w.dtype)
    for r in range(block):
        bands[:, :, r, r : r + taps.shape[2]] = taps
    return bands.reshape(*taps.shape[:2], 1, block, -1)


def _layouts(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> list[Layout]:
    block = max(1, min(BLOCK, geometry.out_size[0]))
    return [Layout(geometry, rows, block, len(w) // x.shape[1]) for rows in row_classes(geometry, block)]


def _tiles(x: np.ndarray, layout: Layout) -> list[Tile]:
    """Cut the images until rows are just long enough, then the channels until the pixels of a tile fit in cache."""
    blocks = split_batch(len(x), -(-LENGTH // layout.width))
    images = blocks[0].stop if blocks else 1
    per_channel = images * layout.width * layout.rows.rows * len(layout.planes) * x.itemsize
    parts = split_batch(x.shape[1], max(1, TILE_BYTES // per_channel))
    return [(block, part) for block in blocks for part in parts]
