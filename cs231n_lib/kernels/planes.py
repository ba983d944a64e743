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
from cs231n_lib.kernels.rows import RowClass, by_image, copy_rows, rows_are_disjoint, split_channels


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
    """The way from a product (G, rows, KW, C / G, line) to the pixels that `TapViews` reads: its adjoint.

    side_by_side : how many images lie in a line, and how wide each is there
    """

    def __init__(self, product: np.ndarray, side_by_side: tuple[int, int], rows: RowClass, geometry: Geometry) -> None:
        self.groups, self.disjoint = geometry.groups, rows_are_disjoint(geometry)
        into, pixels = inside(rows.start, rows.spread, product.shape[1], geometry.size[0])
        self.planes = []
        for plane in planes_of(geometry):
            total = product[:, into, plane.taps[0][0]]  # (G, rows, C / G, line)
            others = [(product[:, into, j], move) for j, move in plane.taps[1:] if abs(move) < side_by_side[1]]
            gradient = by_image(total, *side_by_side)[..., plane.across].transpose(3, 0, 2, 1, 4)
            sums = [_moved(part, total, side_by_side, move) for part, move in others]
            self.planes.append((sums, gradient, pixels, plane.columns))

    def add_to(self, dx: np.ndarray) -> None:
        """Add the product to the pixels of one tile. The sums replace the product."""
        dx = split_channels(dx, self.groups)  # a view: dx is a contiguous tile
        for sums, gradient, pixels, columns in self.planes:
            for edges, part, total in sums:
                for edge in edges:
                    edge[...] = 0
                total += part
            if self.disjoint:
                copy_rows(gradient, dx[..., pixels, columns])
            else:
                dx[..., pixels, columns] += gradient


def _moved(
    part: np.ndarray, total: np.ndarray, side_by_side: tuple[int, int], move: int
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return what to add to total to add `part` to it, `move` columns further to the right: (edges, part, total).

    part, total : (G, rows, C / G, line); all that is returned are views. The edges would move over the end of an image
    or of a line and have to be zero before.
    """
    edges = [of[..., -move:] if move > 0 else of[..., :-move] for of in (by_image(part, *side_by_side), part)]
    flat = (*part.shape[:2], prod(part.shape[2:]))
    part, total = part.reshape(flat), total.reshape(flat)
    keep = flat[2] - abs(move)
    return edges, part[:, :, max(0, -move) :][:, :, :keep], total[:, :, max(0, move) :][:, :, :keep]
