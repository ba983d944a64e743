"""The way back from columns to pixels: tap columns are added as long lines, then every pixel is written once.

Under stride 2, tap columns 0, 2, 4 reach pixel columns of one remainder modulo 2, and 1, 3 those of the other. Such a
plane of pixel columns is as dense as the output, so tap columns can be added to each other before anything is written:
whole lines with all images of a tile side by side, which NumPy adds four times faster than many short rows.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
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


@lru_cache(maxsize=256)  # asked for every workspace
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


class PlaneViews:
    """The way from a product (G, rows, KW, C / G, n, width) to the pixels that `TapViews` reads: its adjoint."""

    def __init__(self, product: np.ndarray, rows: RowClass, geometry: Geometry) -> None:
        self.groups, self.disjoint = geometry.groups, rows_are_disjoint(geometry)
        into, pixels = inside(rows.start, rows.spread, product.shape[1], geometry.size[0])
        self.planes = []
        for plane in planes_of(geometry):
            total = product[:, into, plane.taps[0][0]]  # (G, rows, C / G, n, width)
            others = [(product[:, into, j], move) for j, move in plane.taps[1:] if abs(move) < total.shape[4]]
            gradient = total[..., plane.across].transpose(3, 0, 2, 1, 4)
            self.planes.append(([_moved(part, total, move) for part, move in others], gradient, pixels, plane.columns))

    def add_to(self, dx: np.ndarray) -> None:
        """Add the product to the pixels of one tile. The sums replace the product."""
        dx = split_channels(dx, self.groups)  # a view: dx is a contiguous tile
        for sums, gradient, pixels, columns in self.planes:
            for edge, part, total in sums:
                edge[...] = 0
                total += part
            if self.disjoint:
                copy_rows(gradient, dx[..., pixels, columns])
            else:
                dx[..., pixels, columns] += gradient


def _moved(part: np.ndarray, total: np.ndarray, move: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what to add to total to add `part` to it, `move` columns further to the right: (edge, part, total).

    part, total : (G, rows, C / G, n, width); all three returned are views. The edge would move over the end of an image
    and has to be zero before.
    """
    edge = part[..., -move:] if move > 0 else part[..., :-move]
    lines = (*part.shape[:2], prod(part.shape[2:]))
    part, total = part.reshape(lines), total.reshape(lines)
    keep = lines[2] - abs(move)
    return edge, part[:, :, max(0, -move) :][:, :, :keep], total[:, :, max(0, move) :][:, :, :keep]
