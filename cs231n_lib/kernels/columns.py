"""Convolution by columns that stay in cache: the method for any kernel, stride, dilation and groups.

Full im2col copies every pixel KH * KW times. Here a pixel is copied KW times only, into the rows of rows.py. The
columns for output row p are then input rows stride * p ... stride * p + KH - 1, which already lie one below the other:
the matrix of shape (KH * (KW * C + 1), images * out_w) is a *view*. One tile of images is small enough to stay in cache
between the copy and the product. The backward pass runs the same idea the other way round, and planes.py brings what
it finds back to the pixels.

The + 1 is a line of ones under each input row: the bias is its weight, so BLAS adds it. NumPy adds to a long contiguous
array four times faster than to many short rows, so nothing here adds to short rows where a copy or a product can serve.
"""

from __future__ import annotations

from math import prod

import numpy as np

from cs231n_lib.kernels.column_spaces import BackwardSpace, ForwardSpace
from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.products import LINE, aligned_copy, aligned_empty, aligned_zeros, matmul_in_pieces
from cs231n_lib.kernels.rows import RowClass, copy_rows, row_classes, split_channels
from cs231n_lib.kernels.threads import Workspaces, kept_workspaces, run_tiles, split_batch

TILE_BYTES = 3 << 19  # rows and products of one tile: about a core's L2 cache; smaller tiles make more calls
MIN_LINE = 512  # bytes of columns: fewer leave the product waiting for the weights, more take memory
WIDE = 64  # output rows this wide are worth a product of their own, straight into the output
NARROW = 16  # shorter ones never are; between the two it depends, see _goes_direct
SHALLOW = 64  # where so few numbers are summed, writing the output costs more than the product


def columns_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    out = aligned_empty((len(x), len(w), *geometry.out_size), x.dtype)
    out_g = split_channels(out, geometry.groups)  # (N, G, F / G, out_h, out_w)
    matrix = _filters_with_bias(w, b, geometry)
    direct = _goes_direct(geometry.out_size[1], matrix.shape[3], x.itemsize)
    for rows in row_classes(geometry):
        kind = (x.shape[1], len(w), geometry, rows, x.dtype, direct)
        with kept_workspaces(ForwardSpace, *kind) as spaces:

            def task(tile: slice, rows: RowClass = rows, spaces: Workspaces = spaces) -> None:
                out_rows = out_g[tile, :, :, rows.out_rows]  # (n, G, F / G, p, q)
                with spaces.borrow(tile.stop - tile.start) as space:
                    space.taps.fill(x[tile])
                    product = out_rows.swapaxes(2, 3) if direct else space.product
                    matmul_in_pieces(matrix, space.columns, product, space.height)
                    if not direct:
                        copy_rows(space.by_image, out_rows)

            run_tiles(
                task, split_batch(len(x), _tile_images(x, w, geometry, rows, 1 if direct else MIN_LINE // x.itemsize))
            )
    return out


def columns_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, dw and db, the gradients of `columns_forward`, from contiguous dout (N, F, out_h, out_w)."""
    dx, dw, db = aligned_zeros(x.shape, x.dtype), np.zeros_like(w), np.zeros(len(w), w.dtype)
    dout_g = split_channels(dout, geometry.groups)
    for rows in row_classes(geometry):
        matrices = _tap_matrices(w, rows, geometry)
        with kept_workspaces(BackwardSpace, x.shape[1], len(w), geometry, rows, x.dtype) as spaces:

            def task(
                tile: slice, rows: RowClass = rows, spaces: Workspaces = spaces,
                matrices: list[np.ndarray] = matrices,
            ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
                with spaces.borrow(tile.stop - tile.start) as space:
                    upstream = dout_g[tile, :, :, rows.out_rows]  # (n, G, F / G, p, q)
                    copy_rows(upstream.transpose(1, 3, 2, 0, 4), space.upstream)
                    for phase, matrix in zip(space.phases, matrices, strict=True):
                        matmul_in_pieces(matrix, phase.columns, phase.product, phase.height)
                        phase.planes.add_to(dx[tile])
                    return space.weights.gradient(x[tile]).reshape(w.shape), space.bias_gradient()

            run_tiles(
                task, split_batch(len(x), _tile_images(x, w, geometry, rows, MIN_LINE // x.itemsize)), into=(dw, db)
            )
    return dx, dw, db


def _tap_matrices(w: np.ndarray, rows: RowClass, geometry: Geometry) -> list[np.ndarray]:
    """Return a matrix (G, 1, KW * C / G, tap rows * F / G) for each phase of the input rows.

    Input row stride * m + phase is seen by the tap rows phase, phase + stride, ...: from output rows m, m - 1, ...
    """
    by_tap = w.reshape(geometry.groups, -1, *w.shape[1:]).transpose(0, 4, 2, 3, 1)  # (G, KW, C / G, KH, F / G)
    phases = [by_tap[:, :, :, phase :: rows.stride] for phase in range(min(rows.stride, geometry.kernel[0]))]
    # Output rows rise, so tap rows fall.
    return [aligned_copy(here[:, :, :, ::-1]).reshape(len(here), 1, prod(here.shape[1:3]), -1) for here in phases]


def _goes_direct(out_w: int, depth: int, itemsize: int) -> bool:
    """Tell whether each output row of an image gets a product of its own, straight into the output.

    Otherwise the rows of all images of a tile lie side by side in one product, which is copied to the output. BLAS
    works on whole registers, a cache line wide: rows of 28 float32 took 24 ms in products of their own, 15.5 together.
    """
    lines, rest = divmod(out_w * itemsize, LINE)
    return out_w >= WIDE or (out_w >= NARROW and not rest and (lines > 1 or depth <= SHALLOW))


def _filters_with_bias(w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return a matrix for each group, (G, 1, F / G, KH * (KW * C / G + 1)): the bias weighs the first line of ones."""
    groups, (kernel_h, kernel_w) = geometry.groups, geometry.kernel
    filters = w.reshape(groups, -1, *w.shape[1:]).transpose(0, 1, 3, 4, 2)  # (G, F / G, KH, KW, C / G)
    lines = kernel_w * w.shape[1]
    matrix = aligned_zeros((groups, 1, filters.shape[1], kernel_h, lines + 1), w.dtype)
    matrix[:, 0, :, :, :lines] = filters.reshape(*filters.shape[:3], lines)
    matrix[:, 0, :, 0, lines] = b.reshape(groups, -1)
    return matrix.reshape(*matrix.shape[:3], -1)


def _tile_images(x: np.ndarray, w: np.ndarray, geometry: Geometry, rows: RowClass, columns: int) -> int:
    """Return how many images make one tile: as many as the cache holds, but enough columns for the product."""
    out_w = geometry.out_size[1]
    per_image = out_w * (rows.rows * geometry.kernel[1] * x.shape[1] + rows.count * len(w)) * x.itemsize
    return max(1, TILE_BYTES // per_image, columns // out_w)
