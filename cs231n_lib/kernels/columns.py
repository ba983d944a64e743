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

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.planes import add_planes, planes_of
from cs231n_lib.kernels.products import LINE, aligned_empty, aligned_zeros, matmul_in_pieces
from cs231n_lib.kernels.rows import RowClass, copy_rows, copy_shifted, row_classes, split_channels, stack
from cs231n_lib.kernels.threads import Workspaces, run_tiles, split_batch

TILE_BYTES = 3 << 19  # rows and products of one tile: about a core's L2 cache; smaller tiles make more calls
MIN_COLUMNS = 128  # fewer columns leave the product waiting for the weights
WIDE = 64  # output rows this wide are worth a product of their own, straight into the output
NARROW = 16  # shorter ones never are; between the two it depends, see _goes_direct
SHALLOW = 64  # where so few numbers are summed, writing the output costs more than the product
SUMMED_AT_ONCE = 1 << 18  # entries of short products that wait for their sum: more would leave the cache
MOST_SHORT_WEIGHTS = 1 << 14  # a dw this small stays in cache while short products are added to it


def columns_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    out = np.empty((len(x), len(w), *geometry.out_size), x.dtype)
    out_g = split_channels(out, geometry.groups)  # (N, G, F / G, out_h, out_w)
    matrix = _filters_with_bias(w, b, geometry)
    direct = _goes_direct(geometry.out_size[1], matrix.shape[3], x.itemsize)
    for rows in row_classes(geometry):

        def make(images: int, rows: RowClass = rows) -> tuple[np.ndarray, np.ndarray]:
            groups, out_w = geometry.groups, geometry.out_size[1]
            together, apart = (1, images) if direct else (images, 1)
            lines = geometry.kernel[1] * w.shape[1]
            shifted = aligned_zeros((apart, groups, rows.rows, lines + 1, together, out_w), x.dtype)
            shifted[:, :, :, lines] = 1
            product = (groups, rows.count, len(w) // groups, 0 if direct else images * out_w)
            return shifted, aligned_empty(product, x.dtype)

        spaces = Workspaces(make)

        def task(tile: slice, rows: RowClass = rows, spaces: Workspaces = spaces) -> None:
            out_rows = out_g[tile, :, :, rows.out_rows]  # (n, G, F / G, p, q)
            with spaces.borrow(tile.stop - tile.start) as (shifted, product):
                copy_shifted(x[tile], shifted[:, :, :, :-1], rows, geometry)
                columns = stack(shifted, rows.count, rows.stride, matrix.shape[3])
                if direct:
                    matmul_in_pieces(matrix, columns, out_rows.swapaxes(2, 3))
                else:
                    matmul_in_pieces(matrix, columns[0], product)
                    images_apart = product.reshape(*product.shape[:3], len(out_rows), -1)  # (G, p, F / G, n, q)
                    copy_rows(images_apart.transpose(3, 0, 2, 1, 4), out_rows)

        run_tiles(task, split_batch(len(x), _tile_images(x, w, geometry, rows, 1 if direct else MIN_COLUMNS)))
    return out


def columns_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Return dx and dw, the gradients of `columns_forward`, from contiguous dout (N, F, out_h, out_w)."""
    groups, filters, out_w = geometry.groups, len(w) // geometry.groups, geometry.out_size[1]
    planes = planes_of(geometry)
    width = max([out_w, *(plane.across.stop for plane in planes)])  # room for all pixels of a plane
    lines = geometry.kernel[1] * w.shape[1]
    short = w.size // groups <= MOST_SHORT_WEIGHTS
    dx, dw = np.zeros(x.shape, x.dtype), np.zeros_like(w)
    dout_g = split_channels(dout, groups)
    for rows in row_classes(geometry):
        taps = -(-geometry.kernel[0] // rows.stride)

        def make(images: int, rows: RowClass = rows, taps: int = taps) -> tuple[np.ndarray, ...]:
            padded = (1, groups, rows.count + 2 * (taps - 1), filters, images, width)
            seen = groups * (rows.count + taps - 1) * lines * images * width
            if short:
                shifted = (1, groups, rows.rows, lines, images, width)
            else:
                shifted = (groups, rows.stride, lines, -(-rows.rows // rows.stride), images, width)
            return aligned_zeros(padded, x.dtype), aligned_zeros(shifted, x.dtype), aligned_empty((seen,), x.dtype)

        spaces, matrices = Workspaces(make), _tap_matrices(w, rows, geometry)

        def task(
            tile: slice, rows: RowClass = rows, taps: int = taps, spaces: Workspaces = spaces,
            matrices: list[np.ndarray] = matrices,
        ) -> np.ndarray:  # fmt: skip
            with spaces.borrow(tile.stop - tile.start) as (padded, shifted, seen):
                upstream = dout_g[tile, :, :, rows.out_rows]  # (n, G, F / G, p, q)
                inner = padded[0, :, taps - 1 : taps - 1 + rows.count, ..., :out_w]
                copy_rows(upstream.transpose(1, 3, 2, 0, 4), inner)
                for phase, matrix in enumerate(matrices):
                    product = _input_products(padded, matrix, seen, rows, geometry)
                    add_planes(dx[tile], product, rows.every(phase), geometry, planes)
                if short:
                    return _sum_of_short_products(padded, x[tile], shifted, rows, geometry).reshape(w.shape)
                return _long_products(padded, x[tile], shifted, rows, geometry).reshape(w.shape)

        run_tiles(task, split_batch(len(x), _tile_images(x, w, geometry, rows, MIN_COLUMNS)), into=dw)
    return dx, dw


def _sum_of_short_products(
    padded: np.ndarray, x: np.ndarray, shifted: np.ndarray, rows: RowClass, geometry: Geometry
) -> np.ndarray:
    """Return one tile's dw, (G, F / G, C / G, KH, KW), from the columns of the forward pass: one product for each row.

    padded : dout as _input_gradient reads it; shifted : workspace (1, G, input rows, KW * C / G, n, out_w)
    BLAS has a kernel for small products that copies nothing; one long product would first copy both factors. It reads
    the right factor again and again, so the smaller one stands there: measured 58 instead of 39 GFLOP/s for 147 x 32.
    """
    _, groups, _, filters, _, _ = padded.shape
    (kernel_h, kernel_w), taps = geometry.kernel, -(-geometry.kernel[0] // rows.stride)
    copy_shifted(x, shifted, rows, geometry)
    upstream = stack(padded, rows.count, 1, filters, first=taps - 1)[0]  # (G, p, F / G, n q)
    columns = stack(shifted, rows.count, rows.stride, kernel_h * shifted.shape[3])[0]  # (G, p, KH KW C / G, n q)
    together = max(1, SUMMED_AT_ONCE // (filters * columns.shape[2]))
    dw = np.zeros((groups, columns.shape[2], filters), x.dtype)
    for p in range(0, rows.count, together):
        some = slice(p, p + together)
        part = np.empty((groups, len(upstream[0, some]), *dw.shape[1:]), x.dtype)
        dw += np.matmul(columns[:, some], upstream[:, some].swapaxes(2, 3), out=part).sum(axis=1)
    return dw.reshape(groups, kernel_h, kernel_w, -1, filters).transpose(0, 4, 3, 1, 2)


def _long_products(
    padded: np.ndarray, x: np.ndarray, shifted: np.ndarray, rows: RowClass, geometry: Geometry
) -> np.ndarray:
    """Return one tile's dw, (G, F / G, C / G, KH, KW): for each tap row one product, long in the summed axis.

    shifted : workspace (G, stride, KW * C / G, input rows / stride, n, out_w). Split by the row modulo the stride, the
    input rows that tap row i sees at all output rows lie one after the other.
    """
    groups, stride, lines, phase_rows, images, out_w = shifted.shape
    kernel_h, kernel_w = geometry.kernel
    for phase in range(stride):
        view = shifted[None, :, phase].swapaxes(2, 3)  # (1, G, row, KW C/G, n, out_w)
        copy_shifted(x, view, rows.every(phase), geometry)
    taps, filters = -(-kernel_h // stride), padded.shape[3]
    upstream = padded[0, :, taps - 1 : taps - 1 + rows.count].swapaxes(1, 2)  # (G, F / G, p, n, q)
    flat = upstream.reshape(groups, filters, -1)  # a copy
    dw = np.empty((kernel_h, groups, filters, lines), x.dtype)
    matrix = shifted.reshape(groups, stride, lines, phase_rows * images * out_w)
    for i in range(kernel_h):
        first = i // stride * images * out_w
        seen = matrix[:, i % stride, :, first : first + rows.count * images * out_w]  # (G, KW C/G, p n q)
        np.matmul(flat, seen.swapaxes(1, 2), out=dw[i])
    return dw.reshape(kernel_h, groups, filters, kernel_w, -1).transpose(1, 2, 4, 0, 3)


def _tap_matrices(w: np.ndarray, rows: RowClass, geometry: Geometry) -> list[np.ndarray]:
    """Return a matrix (G, 1, KW * C / G, tap rows * F / G) for each phase of the input rows.

    Input row stride * m + phase is seen by the tap rows phase, phase + stride, ...: from output rows m, m - 1, ...
    """
    by_tap = w.reshape(geometry.groups, -1, *w.shape[1:]).transpose(0, 4, 2, 3, 1)  # (G, KW, C / G, KH, F / G)
    phases = [by_tap[:, :, :, phase :: rows.stride] for phase in range(min(rows.stride, geometry.kernel[0]))]
    # Output rows rise, so tap rows fall.
    return [here[:, :, :, ::-1].reshape(len(here), 1, prod(here.shape[1:3]), -1) for here in phases]


def _input_products(
    padded: np.ndarray, matrix: np.ndarray, seen: np.ndarray, rows: RowClass, geometry: Geometry
) -> np.ndarray:
    """Return the sums over (tap row, filter) for each tap column, (G, input rows, KW, C / G, n, width).

    padded : dout, (1, G, taps - 1 + out rows + taps - 1, F / G, n, width) with zeros above and below
    seen : workspace for the product
    """
    _, groups, _, filters, images, width = padded.shape
    taps, most = matrix.shape[3] // filters, -(-geometry.kernel[0] // rows.stride)
    count = rows.count + taps - 1
    columns = stack(padded, count, 1, matrix.shape[3], first=most - taps)[0]
    shape = (groups, count, matrix.shape[2], images * width)
    product = matmul_in_pieces(matrix, columns, seen[: prod(shape)].reshape(shape))
    return product.reshape(groups, count, geometry.kernel[1], -1, images, width)


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
    matrix = np.zeros((groups, 1, filters.shape[1], kernel_h, lines + 1), w.dtype)
    matrix[:, 0, :, :, :lines] = filters.reshape(*filters.shape[:3], lines)
    matrix[:, 0, :, 0, lines] = b.reshape(groups, -1)
    return matrix.reshape(*matrix.shape[:3], -1)


def _tile_images(x: np.ndarray, w: np.ndarray, geometry: Geometry, rows: RowClass, columns: int) -> int:
    """Return how many images make one tile: as many as the cache holds, but enough columns for the product."""
    out_w = geometry.out_size[1]
    per_image = out_w * (rows.rows * geometry.kernel[1] * x.shape[1] + rows.count * len(w)) * x.itemsize
    return max(1, TILE_BYTES // per_image, columns // out_w)
