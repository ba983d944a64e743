"""The way back from columns to pixels: tap columns are added as long lines, then every pixel is written once.

Under stride 2, tap columns 0, 2, 4 reach pixel columns of one remainder modulo 2, and 1, 3 those of the other. Such a
plane of pixel columns is as dense as the output, so tap columns can be added to each other before anything is written:
whole lines with all images of a tile side by side, which NumPy adds four times faster than many short rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside
from cs231n_lib.kernels.rows import RowClass, copy_rows, rows_are_disjoint, split_channels


class Plane(NamedTuple):
    """The pixel columns of one remainder modulo the stride, and the tap columns that reach them.

    Tap column j passes on what lies at output column q to position q + move; the first of them does not move it.
    Positions `across` are the pixel columns `columns`.
    """

    taps: list[tuple[int, int]]  # (j, move)
    across: slice
    columns: slice


def planes_of(geometry: Geometry) -> list[Plane]:
    """Return the planes that have pixels and taps."""
    stride, pad, width = geometry.stride[1], geometry.pad[1], geometry.size[1]
    reach = [j * geometry.dilation[1] for j in range(geometry.kernel[1])]
    planes = []
    for remainder in range(stride):
        shifts = {j: position // stride for j, position in enumerate(reach) if position % stride == remainder}
        count = geometry.out_size[1] + max(shifts.values(), default=0)
        inner, _ = inside(remainder - pad, stride, count, width)
        if not shifts or inner.start == inner.stop:
            continue
        # Of the taps that leave no pixel to their left, the one that leaves the fewest positions outside the image.
        still = max((j for j in shifts if shifts[j] <= inner.start), default=min(shifts))
        base = shifts.pop(still)
        taps = [(still, 0), *((j, shift - base) for j, shift in shifts.items())]
        planes.append(Plane(taps, *inside(remainder - pad + stride * base, stride, count - base, width)))
    return planes


def add_planes(dx: np.ndarray, product: np.ndarray, rows: RowClass, geometry: Geometry, planes: list[Plane]) -> None:
    """Add product (G, rows, KW, C / G, n, width) to the pixels of one tile that `copy_shifted` reads: its adjoint.

    The sums replace the product. What would move over the end of an image is set to zero before.
    """
    dx = split_channels(dx, geometry.groups)  # a view: dx is a contiguous tile
    into, pixels = inside(rows.start, rows.spread, product.shape[1], geometry.size[0])
    for plane in planes:
        still, total = plane.taps[0][0], product[:, into, plane.taps[0][0]]  # (G, rows, C / G, n, width)
        for j, move in plane.taps:
            if j != still and abs(move) < total.shape[4]:
                _add_moved(product[:, into, j], total, move)
        gradient = total[..., plane.across].transpose(3, 0, 2, 1, 4)
        if rows_are_disjoint(geometry):
            copy_rows(gradient, dx[..., pixels, plane.columns])
        else:
            dx[..., pixels, plane.columns] += gradient


def _add_moved(part: np.ndarray, total: np.ndarray, move: int) -> None:
    """Add part to total, `move` columns further to the right; both (G, rows, C / G, n, width)."""
    if move > 0:
        part[..., -move:] = 0
    else:
        part[..., :-move] = 0
    lines = (*part.shape[:2], part[0, 0].size if part.size else 0)
    part, total = part.reshape(lines), total.reshape(lines)  # views
    keep = lines[2] - abs(move)
    total[:, :, max(0, move) :][:, :, :keep] += part[:, :, max(0, -move) :][:, :, :keep]
