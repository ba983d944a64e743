"""The 1 x 1 convolution: a matrix product over the channels of every pixel, with nothing to copy.

An image of shape (C, H, W) is already a matrix (C, H * W), so w @ image is the output, in its final layout.
"""

from __future__ import annotations

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.products import matmul_in_pieces
from cs231n_lib.kernels.threads import run_tiles, split_batch

TILE_BYTES = 1 << 20  # input and output of one tile: about a core's L2 cache


def pointwise_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C, 1, 1) and b (F,)."""
    out = np.empty((len(x), len(w), *geometry.out_size), x.dtype)
    matrix = w.reshape(len(w), -1)  # (F, C)
    pixels = out.reshape(len(x), len(w), out.shape[2] * out.shape[3])  # (N, F, out_h * out_w), a view
    bias = b.repeat(pixels.shape[2]).reshape(pixels.shape[1:])  # NumPy adds whole images faster than short rows

    def task(tile: slice) -> None:
        matmul_in_pieces(matrix, _sampled(x[tile], geometry), pixels[tile])
        pixels[tile] += bias

    run_tiles(task, _tiles(x, out))
    return out


def pointwise_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Return dx and dw, the gradients of `pointwise_forward`, from contiguous dout (N, F, out_h, out_w)."""
    strided = geometry.stride != (1, 1)
    dx = np.zeros_like(x) if strided else np.empty_like(x)
    dw = np.zeros((len(w), w.shape[1]), x.dtype)
    matrix = np.ascontiguousarray(w.reshape(len(w), -1).T)  # (C, F)

    def task(tile: slice) -> np.ndarray:
        pixels, upstream = _sampled(x[tile], geometry), dout[tile].reshape(tile.stop - tile.start, len(w), -1)
        if strided:
            seen = dx[tile, :, :: geometry.stride[0], :: geometry.stride[1]]
            product = np.empty((len(upstream), len(matrix), upstream.shape[2]), x.dtype)
            seen[...] = matmul_in_pieces(matrix, upstream, product).reshape(seen.shape)
        else:
            matmul_in_pieces(matrix, upstream, dx[tile].reshape(pixels.shape))
        # One product over all pixels of the tile: BLAS sums over the images too.
        rows = upstream.transpose(1, 0, 2).reshape(len(w), -1)  # (F, n * out_h * out_w)
        return rows @ pixels.transpose(1, 0, 2).reshape(pixels.shape[1], -1).T  # (F, C)

    run_tiles(task, _tiles(x, dout), into=dw)
    return dx, dw.reshape(w.shape)


def _sampled(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return the pixels that the stride visits, shape (n, C, out_h * out_w); a view when it visits all."""
    return x[:, :, :: geometry.stride[0], :: geometry.stride[1]].reshape(len(x), x.shape[1], -1)


def _tiles(x: np.ndarray, out: np.ndarray) -> list[slice]:
    return split_batch(len(x), max(1, TILE_BYTES * len(x) // max(1, x.nbytes + out.nbytes)))
