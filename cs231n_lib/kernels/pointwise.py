"""The 1 x 1 convolution: a matrix product over the channels of every pixel.

An image of shape (C, H, W) is already a matrix (C, H * W), so w @ image is the output, in its final layout. It is
copied for alignment and whole registers (products.py says why), and gets a channel of ones, which the bias weighs: at
(128, 128, 8, 8) with 128 filters, float64, the forward products take 6.3 ms with the copy and 7.4 without. For dw one
factor is copied with its axes swapped, since BLAS sums over rows and columns faster than over rows and rows.
"""

from __future__ import annotations

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.products import (
    aligned_copy,
    aligned_empty,
    aligned_rows,
    aligned_zeros,
    matmul_in_pieces,
    whole_registers,
)
from cs231n_lib.kernels.rows import by_image
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 1 << 20  # input and output of one tile: about a core's L2 cache; half of it going back, with more copies
MIN_COLUMNS = 256  # pixels of one tile: fewer leave the sum over pixels waiting for dw
LONG = 128  # pixels of an image: with as many, a last register that is not full costs less than a copy


def pointwise_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C, 1, 1) and b (F,)."""
    out = aligned_empty((len(x), len(w), *geometry.out_size), x.dtype)
    matrix = np.concatenate([w.reshape(len(w), -1), b[:, None]], axis=1)  # (F, C + 1)
    pixels = out.reshape(len(x), len(w), out.shape[2] * out.shape[3])  # (N, F, out_h * out_w), a view
    seen_by_all, count = _sampled(x, geometry), pixels.shape[2]
    line = whole_registers(count, x.dtype)

    def make(images: int) -> tuple[np.ndarray, np.ndarray]:
        """Return memory for the pixels that some images show, with a channel of ones for the bias to weigh, and for a
        product whose lines are longer than the output's."""
        seen = aligned_zeros((images, x.shape[1] + 1, line), x.dtype)
        seen[:, -1] = 1
        return seen, aligned_empty((images, len(w), line if line > count else 0), x.dtype)

    spaces = Workspaces(make)

    def task(tile: slice) -> None:
        with spaces.borrow(tile.stop - tile.start) as (seen, product):
            seen[:, :-1, :count].reshape(seen_by_all[tile].shape)[...] = seen_by_all[tile]
            if line == count:
                matmul_in_pieces(matrix, seen, pixels[tile])
            else:
                pixels[tile] = matmul_in_pieces(matrix, seen, product)[..., :count]

    run_tiles(task, _tiles(x, out, TILE_BYTES))
    return out


def pointwise_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, dw and db, the gradients of `pointwise_forward`, from contiguous dout (N, F, out_h, out_w)."""
    filters, channels = w.shape[:2]
    strided = geometry.stride != (1, 1)
    dx = (aligned_zeros if strided else aligned_empty)(x.shape, x.dtype)
    dw, db = np.zeros((filters, channels), x.dtype), np.zeros(filters, x.dtype)
    matrix = aligned_copy(w.reshape(filters, channels).T)
    pixels = dout.shape[2] * dout.shape[3]

    direct = not strided and (pixels >= LONG or whole_registers(pixels, x.dtype) == pixels)

    def make(images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return arrays for dout (F, line), x (n, out_h, out_w, C) and dx (C, line) unless `direct`.

        In a line, images lie side by side, and zeros where they do not fill it.
        """
        line = whole_registers(images * pixels, x.dtype)
        upstream = aligned_rows(filters, line, x.dtype)
        upstream[:, images * pixels :] = 0
        seen = aligned_empty((images, *geometry.out_size, channels), x.dtype)
        return upstream, seen, aligned_empty((0 if direct else channels, line), x.dtype)

    spaces = Workspaces(make)

    def task(tile: slice) -> tuple[np.ndarray, np.ndarray]:
        images = tile.stop - tile.start
        with spaces.borrow(images) as (upstream, seen, product):
            dout_by_image = by_image(upstream, images, pixels).swapaxes(0, 1)  # (n, F, pixels)
            dout_by_image[...] = dout[tile].reshape(images, filters, pixels)
            seen[...] = _sampled(x[tile], geometry).transpose(0, 2, 3, 1)
            if direct:
                matmul_in_pieces(matrix, dout_by_image, dx[tile].reshape(images, channels, pixels))
            else:
                visited = _sampled(dx[tile], geometry)
                dx_by_image = by_image(matmul_in_pieces(matrix, upstream, product), images, pixels).swapaxes(0, 1)
                visited[...] = dx_by_image.reshape(visited.shape)
            # One product over all pixels of the tile: BLAS sums over the images too.
            dout_of_all = upstream[:, : images * pixels]
            dw_part = matmul_in_pieces(dout_of_all, seen.reshape(-1, channels), np.empty_like(dw))
            return dw_part, dout_of_all @ np.ones(images * pixels, x.dtype)

    run_tiles(task, _tiles(x, dout, TILE_BYTES // 2), into=(dw, db))
    return dx, dw.reshape(w.shape), db


def _sampled(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """View the pixels that the stride visits, shape (n, C, out_h, out_w)."""
    return x[:, :, :: geometry.stride[0], :: geometry.stride[1]]


def _tiles(x: np.ndarray, out: np.ndarray, tile_bytes: int) -> list[slice]:
    pixels = out.shape[2] * out.shape[3]
    images = tile_bytes // ((x.shape[1] + out.shape[1]) * pixels * x.itemsize)
    return split_batch(len(x), max(1, images, MIN_COLUMNS // pixels))
