"""Depthwise convolution: every filter sees one channel, so there is no sum over channels to make a product of.

Multiplying slices by one weight after another is bound by memory. A row of pixels convolved with a row of the filter
is also a product: pixels (rows, W) @ band (W, out_w), where band[stride * q + dilation * j - pad, q] = w[j] holds the
filter along a diagonal. Most of the band is zero, and BLAS multiplies the zeros faster than NumPy can avoid them:
measured two to three times faster than slices for 3 x 3 filters. Stride, dilation and padding along the width vanish
into the band; wide images are cut into blocks of columns, so that the band stays small.

Images of a tile lie one below the other with their padding between them, so that one product serves all their rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 1 << 20  # pixels of one tile: measured flat from 0.5 to 1 MB, worse below
BLOCK = 32  # output columns of one band


class Block(NamedTuple):
    """Some output columns, the pixel columns that they see, and the band between them."""

    out_columns: slice
    columns: slice
    band: np.ndarray  # (KH, C, columns, F / C, out columns)


class Layout:
    """Where a tile's rows lie: image after image, `height` rows each, a multiple of the stride."""

    def __init__(self, geometry: Geometry) -> None:
        stride, pad = geometry.stride[0], geometry.pad[0]
        self.height = -(-(geometry.size[0] + 2 * pad) // stride) * stride
        self.image = slice(pad, pad + geometry.size[0])
        self.out_h, self.out_height = geometry.out_size[0], self.height // stride
        self.overhang = geometry.dilation[0] * (geometry.kernel[0] - 1)  # the last image's last tap row reads beyond it
        self.stride, self.dilation = stride, geometry.dilation[0]

    def pixels(self, images: int, channels: int, width: int, dtype: np.dtype) -> np.ndarray:
        return np.zeros((channels, images * self.height + self.overhang, width), dtype)

    def images(self, pixels: np.ndarray) -> np.ndarray:
        """View pixels (C, rows, W) as images (n, C, H, W)."""
        channels, rows, width = pixels.shape
        rows -= self.overhang
        return pixels[:, :rows].reshape(channels, -1, self.height, width)[:, :, self.image].transpose(1, 0, 2, 3)

    def seen_by(self, tap_row: int, pixels: np.ndarray, block: Block) -> np.ndarray:
        """View the pixels that one tap row sees from every output row, those between two images too."""
        first = tap_row * self.dilation
        return pixels[:, first : first + pixels.shape[1] - self.overhang : self.stride, block.columns]


def depthwise_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, 1, KH, KW) and b (F,)."""
    layout, channels = Layout(geometry), x.shape[1]
    out = np.empty((len(x), len(w), *geometry.out_size), x.dtype)
    out_c = out.reshape(len(x), channels, len(w) // channels, *geometry.out_size)
    bias = b.reshape(channels, -1, 1, 1)
    spaces = Workspaces(lambda images: layout.pixels(images, channels, x.shape[3], x.dtype))
    blocks = _blocks(w, channels, geometry)

    def task(tile: slice) -> None:
        with spaces.borrow(tile.stop - tile.start) as pixels:
            layout.images(pixels)[...] = x[tile]
            for block in blocks:
                band = block.band.reshape(*block.band.shape[:3], -1)  # (KH, C, columns, F/C * out columns)
                total = np.matmul(layout.seen_by(0, pixels, block), band[0])
                for i in range(1, len(band)):
                    total += np.matmul(layout.seen_by(i, pixels, block), band[i])
                total = total.reshape(channels, -1, layout.out_height, *block.band.shape[3:])[:, :, : layout.out_h]
                np.add(total.transpose(1, 0, 3, 2, 4), bias, out=out_c[tile, ..., block.out_columns])

    run_tiles(task, _tiles(x))
    return out


def depthwise_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Return dx and dw, the gradients of `depthwise_forward`, from contiguous dout (N, F, out_h, out_w)."""
    layout, channels = Layout(geometry), x.shape[1]
    dx = np.zeros_like(x)
    dout_c = dout.reshape(len(x), channels, len(w) // channels, *geometry.out_size)
    spaces = Workspaces(lambda images: layout.pixels(images, channels, x.shape[3], x.dtype))
    blocks = _blocks(w, channels, geometry)
    dbands = [np.zeros_like(block.band) for block in blocks]

    for block, dband in zip(blocks, dbands, strict=True):

        def task(tile: slice, block: Block = block) -> np.ndarray:
            kernel_h, _, seen, *shape = block.band.shape
            band = block.band.reshape(kernel_h, channels, seen, -1)
            images = tile.stop - tile.start
            upstream = np.zeros((channels, images, layout.out_height, *shape), x.dtype)  # zero between the images
            upstream[:, :, : layout.out_h] = dout_c[tile, ..., block.out_columns].transpose(1, 0, 3, 2, 4)
            upstream = upstream.reshape(channels, images * layout.out_height, -1)
            part = np.empty_like(band)
            dpixels = layout.pixels(images, channels, x.shape[3], x.dtype)
            with spaces.borrow(images) as pixels:
                layout.images(pixels)[...] = x[tile]
                for i in range(kernel_h):
                    np.matmul(layout.seen_by(i, pixels, block).transpose(0, 2, 1), upstream, out=part[i])
                    into = layout.seen_by(i, dpixels, block)
                    into += np.matmul(upstream, band[i].transpose(0, 2, 1))
            dx[tile] += layout.images(dpixels)
            return part.reshape(block.band.shape)

        run_tiles(task, _tiles(x), into=dband)

    dw = np.zeros((geometry.kernel[0], geometry.kernel[1], channels, len(w) // channels), x.dtype)
    for block, dband in zip(blocks, dbands, strict=True):
        for j in range(geometry.kernel[1]):
            dw[:, j] += _diagonal(dband, block, j, geometry).sum(axis=3)
    return dx, dw.transpose(2, 3, 0, 1).reshape(w.shape)


def _blocks(w: np.ndarray, channels: int, geometry: Geometry) -> list[Block]:
    """Cut the output columns into blocks and lay the filters along the diagonals of their bands."""
    taps = w.reshape(channels, -1, *geometry.kernel)  # (C, F / C, KH, KW)
    reach = (geometry.kernel[1] - 1) * geometry.dilation[1]
    blocks = []
    for first in range(0, geometry.out_size[1], BLOCK):
        stop = min(first + BLOCK, geometry.out_size[1])
        left = max(0, first * geometry.stride[1] - geometry.pad[1])
        right = min(geometry.size[1], (stop - 1) * geometry.stride[1] - geometry.pad[1] + reach + 1)
        columns = slice(left, max(left, right))
        shape = (geometry.kernel[0], channels, columns.stop - left, taps.shape[1], stop - first)
        block = Block(slice(first, stop), columns, np.zeros(shape, w.dtype))
        for j in range(geometry.kernel[1]):
            _diagonal(block.band, block, j, geometry)[...] = taps[..., j].transpose(2, 0, 1)[..., None]
        blocks.append(block)
    return blocks


def _diagonal(band: np.ndarray, block: Block, tap: int, geometry: Geometry) -> np.ndarray:
    """View the entries of the band that tap column `tap` owns: (KH, C, F / C, output columns that see a pixel)."""
    stride = geometry.stride[1]
    start = block.out_columns.start * stride - geometry.pad[1] + tap * geometry.dilation[1] - block.columns.start
    positions, pixels = inside(start, stride, band.shape[4], band.shape[2])
    down, across = band.strides[2], band.strides[4]
    shape = (band.shape[0], band.shape[1], band.shape[3], positions.stop - positions.start)
    strides = (*band.strides[:2], band.strides[3], stride * down + across)
    return strided_view(band, shape, strides, pixels.start * down + positions.start * across)


def _tiles(x: np.ndarray) -> list[slice]:
    return split_batch(len(x), max(1, TILE_BYTES * len(x) // max(1, x.nbytes)))
