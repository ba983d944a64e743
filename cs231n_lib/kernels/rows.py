"""The layout that columns.py works on: rows of pixels, a copy for each tap column, and columns as views of them.

    rows[r, (j, c), (n, q)] = x[n, c, r, stride * q + j]        one row of the (padded) input, seen by tap column j

Rows that a dilated kernel sees are `dilation` apart, so output rows fall into classes that share no input row (when
the stride is 1); `row_classes` makes each a convolution without dilation along the height.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from cs231n_lib.kernels.geometry import Geometry, inside, strided_view

LONG_ROW = 192  # bytes: longer rows are copied as fast number by number


@dataclass(frozen=True)
class RowClass:
    """`count` output rows first, first + step, ...; number m sees input rows stride * m + (0 ... KH - 1)."""

    first: int
    step: int
    count: int
    stride: int
    start: int  # pixel row under the first input row: negative in the padding
    spread: int  # pixel rows between two input rows: the dilation
    rows: int  # input rows, those in the padding too

    @property
    def out_rows(self) -> slice:
        return slice(self.first, None, self.step)

    def every(self, phase: int) -> RowClass:
        """Return the input rows phase, phase + stride, ..."""
        start, spread = self.start + phase * self.spread, self.spread * self.stride
        return RowClass(0, 1, self.count, 1, start, spread, -(-(self.rows - phase) // self.stride))


def row_classes(geometry: Geometry, block: int = 1) -> list[RowClass]:
    """Return the classes; `rows` counts what whole blocks of `block` output rows see, beyond the last one too."""
    stride, dilation, out_h = geometry.stride[0], geometry.dilation[0], geometry.out_size[0]
    common = gcd(stride, dilation)
    step = dilation // common
    classes = []
    for first in range(min(step, out_h)):
        count = -(-(out_h - first) // step)
        rows = (-(-count // block) * block - 1) * (stride // common) + geometry.kernel[0]
        start = stride * first - geometry.pad[0]
        classes.append(RowClass(first, step, count, stride // common, start, dilation, rows))
    return classes


def rows_are_disjoint(geometry: Geometry) -> bool:
    """Tell whether no two classes share an input row."""
    return geometry.stride[0] == 1 or geometry.dilation[0] == 1


def split_channels(array: np.ndarray, groups: int) -> np.ndarray:
    """View (N, C, H, W) as (N, G, C / G, H, W)."""
    n, channels, h, w = array.shape
    return array.reshape(n, groups, channels // groups, h, w)


def stack(array: np.ndarray, count: int, stride: int, depth: int, first: int = 0) -> np.ndarray:
    """View (B, G, R, ..., line) as matrices (B, G, count, depth, line); number m begins at row first + stride * m."""
    shape = (*array.shape[:2], count, depth, array.shape[-1])
    row = array.strides[2]
    strides = (*array.strides[:2], stride * row, array.shape[-1] * array.itemsize, array.itemsize)
    return strided_view(array, shape, strides, first * row)


def by_image(lines: np.ndarray, images: int, width: int) -> np.ndarray:
    """View lines (..., line), in which images lie side by side, as (..., n, q): what is left of a line is free."""
    return lines[..., : images * width].reshape(*lines.shape[:-1], images, width)


def copy_rows(source: np.ndarray, into: np.ndarray) -> None:
    """Copy between arrays of one shape and dtype, a row at a time where the rows of both are contiguous.

    NumPy's innermost loop runs along the last axis and costs as much to start as 50 numbers to copy. Seen as one item,
    a row is copied by one memcpy, and the loop runs along another axis: measured 0.8 instead of 2.8 ms for a
    transposition of (32, 32, 32, 32) in float32 that leaves the last axis where it is.
    """
    size = source.shape[-1] * source.itemsize
    if size <= LONG_ROW and source.size and source.strides[-1] == into.strides[-1] == source.itemsize:
        row = np.dtype((np.void, size))
        source, into = source.view(row), into.view(row)
    into[...] = source


class TapViews:
    """Where the rows of a workspace, shifted[b, g, r, (j, c), n, q], take what tap column j sees in image (b, n)."""

    def __init__(self, shifted: np.ndarray, rows: RowClass, geometry: Geometry) -> None:
        batch, groups, _, lines, images, _ = shifted.shape
        channels = lines // geometry.kernel[1]
        self.shape = (batch, images, groups, channels, *geometry.size)
        into, pixels = inside(rows.start, rows.spread, shifted.shape[2], geometry.size[0])
        self.taps = []
        for j in range(geometry.kernel[1]):
            start = j * geometry.dilation[1] - geometry.pad[1]
            across, columns = inside(start, geometry.stride[1], geometry.out_size[1], geometry.size[1])
            tap = shifted[:, :, into, j * channels : (j + 1) * channels, :, across]
            self.taps.append(((slice(None), slice(None), pixels, ..., columns), tap))

    def fill(self, x: np.ndarray) -> None:
        """Copy from images x (b * n, C, H, W); the padding stays zero."""
        seen = x.reshape(self.shape).transpose(0, 2, 4, 3, 1, 5)  # (b, g, row, c, n, column)
        for where, tap in self.taps:
            copy_rows(seen[where], tap)
