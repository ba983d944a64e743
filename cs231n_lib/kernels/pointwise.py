"""The 1 x 1 convolution: a matrix product over the channels of every pixel.

An image of shape (C, H, W) is already a matrix (C, H * W), so w @ image is the output, in its final layout. Copies
serve alignment alone (products.py says why): at (128, 128, 8, 8) with 128 filters, float64, the forward products take
6.3 ms with the copy and 7.4 without. For dw one factor is copied with its axes swapped, since BLAS sums over rows and
columns faster than over rows and rows.
"""

from __future__ import annotations

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.products import aligned_copy, aligned_empty, aligned_rows, aligned_zeros, matmul_in_pieces
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 1 << 20  # input and output of one tile: about a core's L2 cache; half of it going back, with more copies
MIN_COLUMNS = 256  # pixels of one tile: fewer leave the sum over pixels waiting for dw


def pointwise_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C, 1, 1) and b (F,)."""
    out = aligned_empty((len(x), len(w), *geometry.out_size), x.dtype)
    matrix = np.concatenate([w.reshape(len(w), -1), b[:, None]], axis=1)  # (F, C + 1)
    pixels = out.reshape(len(x), len(w), out.shape[2] * out.shape[3])  # (N, F, out_h * out_w), a view
    seen_by_all = _sampled(x, geometry)

    def make(images: int) -> np.ndarray:
        """Return memory for the pixels that some images show, and a channel of ones for the bias to weigh."""
        seen = aligned_empty((images, x.shape[1] + 1, *geometry.out_size), x.dtype)
        seen[:, -1] = 1
        return seen

    spaces = Workspaces(make)

    def task(tile: slice) -> None:
        with spaces.borrow(tile.stop - tile.start) as seen:
            seen[:, :-1] = seen_by_all[tile]
            matmul_in_pieces(matrix, seen.reshape(*seen.shape[:2], -1), pixels[tile])

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

    def make(images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return arrays for dout (F, n * pixels), x (n, out_h, out_w, C) and dx where the stride visits it."""
        return (
            aligned_rows(filters, images * pixels, x.dtype),
            aligned_empty((images, *geometry.out_size, channels), x.dtype),
            aligned_empty((images, channels, pixels), x.dtype),
        )

    spaces = Workspaces(make)

    def task(tile: slice) -> tuple[np.ndarray, np.ndarray]:
        images = tile.stop - tile.start
        with spaces.borrow(images) as (upstream, seen, product):
            by_image = upstream.reshape(filters, images, pixels).swapaxes(0, 1)  # (n, F, pixels), a view
            by_image[...] = dout[tile].reshape(images, filters, pixels)
            seen[...] = _sampled(x[tile], geometry).transpose(0, 2, 3, 1)
            if strided:
                visited = _sampled(dx[tile], geometry)
                visited[...] = matmul_in_pieces(matrix, by_image, product).reshape(visited.shape)
            else:
                matmul_in_pieces(matrix, by_image, dx[tile].reshape(images, channels, pixels))
            # One product over all pixels of the tile: BLAS sums over the images too.
            dw_part = matmul_in_pieces(upstream, seen.reshape(-1, channels), np.empty_like(dw))
            return dw_part, upstream @ np.ones(upstream.shape[1], x.dtype)

    run_tiles(task, _tiles(x, dout, TILE_BYTES // 2), into=(dw, db))
    return dx, dw.reshape(w.shape), db


def _sampled(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """View the pixels that the stride visits, shape (n, C, out_h, out_w)."""
    return x[:, :, :: geometry.stride[0], :: geometry.stride[1]]


def _tiles(x: np.ndarray, out: np.ndarray, tile_bytes: int) -> list[slice]:
    pixels = out.shape[2] * out.shape[3]
    images = tile_bytes // ((x.shape[1] + out.shape[1]) * pixels * x.itemsize)
    return split_batch(len(x), max(1, images, MIN_COLUMNS // pixels))
