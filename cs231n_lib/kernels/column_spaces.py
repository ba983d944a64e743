"""Workspaces of columns.py: the buffers of one tile of images, and every view of them that a tile needs.

A tile takes a millisecond or less, and finding its views would take a tenth of that. So they are found once, where the
buffers are made, and both stay for the next call of the same layer (threads.py).
"""

from __future__ import annotations

from math import prod

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.planes import PlaneViews, planes_of
from cs231n_lib.kernels.products import aligned_empty, aligned_zeros, line_sums, piece_height, whole_registers
from cs231n_lib.kernels.rows import RowClass, TapViews, by_image, stack

SUMMED_AT_ONCE = 1 << 18  # entries of short products that wait for their sum: more would leave the cache
MOST_SHORT_WEIGHTS = 1 << 14  # a dw this small stays in cache while short products are added to it


class ForwardSpace:
    """For one tile of images on their way forward.

    taps : fills the rows; columns : those rows as matrices, (1 or n, G, p, KH * (KW * C / G + 1), columns)
    product : (1, G, p, F / G, columns), and by_image the same as (n, G, F / G, p, out_w); both None if `direct`, when
        each row of an image has a product of its own
    """

    def __init__(
        self, images: int, channels: int, filters: int, geometry: Geometry, rows: RowClass, dtype: np.dtype,
        direct: bool,
    ) -> None:  # fmt: skip
        groups, out_w = geometry.groups, geometry.out_size[1]
        lines = geometry.kernel[1] * channels // groups
        apart, together = (images, 1) if direct else (1, images)
        line = whole_registers(together * out_w, dtype)
        shifted = aligned_zeros((apart, groups, rows.rows, lines + 1, line), dtype)
        shifted[:, :, :, lines] = 1
        self.taps = TapViews(by_image(shifted[:, :, :, :-1], together, out_w), rows, geometry)
        columns = stack(shifted, rows.count, rows.stride, geometry.kernel[0] * (lines + 1))
        self.columns = columns[..., :out_w] if direct else columns
        self.height = piece_height(filters // groups, *self.columns.shape[-2:])
        self.nbytes = shifted.nbytes
        self.product = self.by_image = None
        if not direct:
            self.product = aligned_empty((1, groups, rows.count, filters // groups, line), dtype)
            self.by_image = by_image(self.product[0], images, out_w).transpose(3, 0, 2, 1, 4)
            self.nbytes += self.product.nbytes


class BackwardSpace:
    """For one tile of images on their way back.

    padded : lines of dout, all images side by side, (1, G, row, F / G, line), with rows of zeros above and below
    upstream : where dout goes, (G, p, F / G, n, out_w)
    phases : how its pixels get their gradient; weights : how the filters get theirs
    """

    def __init__(
        self, images: int, channels: int, filters: int, geometry: Geometry, rows: RowClass, dtype: np.dtype
    ) -> None:
        groups, out_w, taps = geometry.groups, geometry.out_size[1], -(-geometry.kernel[0] // rows.stride)
        width = max([out_w, *(plane.across.stop for plane in planes_of(geometry))])  # room for a plane's pixels
        line = whole_registers(images * width, dtype)
        self.padded = padded = aligned_zeros((1, groups, rows.count + 2 * (taps - 1), filters // groups, line), dtype)
        lines = geometry.kernel[1] * channels // groups
        seen = aligned_empty((groups * (rows.count + taps - 1) * lines * line,), dtype)
        self.upstream = by_image(padded[0, :, taps - 1 : taps - 1 + rows.count], images, width)[..., :out_w]
        phases = range(min(rows.stride, geometry.kernel[0]))
        self.phases = [PixelPhase(padded, seen, (images, width), lines, rows, geometry, phase) for phase in phases]
        short = filters // groups * geometry.kernel[0] * lines <= MOST_SHORT_WEIGHTS
        self.weights = (ShortProducts if short else LongProducts)(padded, (images, width), lines, rows, geometry)
        self.nbytes = padded.nbytes + seen.nbytes + self.weights.nbytes

    def bias_gradient(self) -> np.ndarray:
        """Return db, (F,), once dout is in place: the zeros around it count for nothing."""
        return line_sums(self.padded[0]).sum(axis=1).reshape(-1)


class PixelPhase:
    """From dout to the input rows phase, phase + stride, ...: a product with the taps that see them, and planes.py.

    columns : dout as matrices (G, input rows, taps * F / G, line)
    product : (G, input rows, KW * C / G, line)
    """

    def __init__(
        self, padded: np.ndarray, seen: np.ndarray, side_by_side: tuple[int, int], lines: int, rows: RowClass,
        geometry: Geometry, phase: int,
    ) -> None:  # fmt: skip
        _, groups, _, filters, line = padded.shape
        most, taps = (-(-(geometry.kernel[0] - first) // rows.stride) for first in (0, phase))
        shape = (groups, rows.count + taps - 1, lines, line)
        self.columns = stack(padded, shape[1], 1, taps * filters, first=most - taps)[0]
        self.product = seen[: prod(shape)].reshape(shape)
        self.height = piece_height(lines, *self.columns.shape[-2:])
        by_tap = self.product.reshape(*shape[:2], geometry.kernel[1], -1, line)
        self.planes = PlaneViews(by_tap, side_by_side, rows.every(phase), geometry)


class ShortProducts:
    """One tile's dw from the columns of the forward pass: one product for each output row.

    BLAS has a kernel for small products that copies nothing; one long product would first copy both factors. It reads
    the right factor again and again, so the smaller one stands there: measured 58 instead of 39 GFLOP/s for 147 x 32.
    """

    def __init__(
        self, padded: np.ndarray, side_by_side: tuple[int, int], lines: int, rows: RowClass, geometry: Geometry
    ) -> None:
        _, groups, _, filters, line = padded.shape
        self.geometry, count, depth = geometry, rows.count, geometry.kernel[0] * lines
        shifted = aligned_zeros((1, groups, rows.rows, lines, line), padded.dtype)
        self.taps = TapViews(by_image(shifted, *side_by_side), rows, geometry)
        above = -(-geometry.kernel[0] // rows.stride) - 1
        upstream = stack(padded, count, 1, filters, first=above)[0].swapaxes(2, 3)  # (G, p, line, F / G)
        columns = stack(shifted, count, rows.stride, depth)[0]  # (G, p, KH KW C / G, line)
        together = min(count, max(1, SUMMED_AT_ONCE // (filters * depth)))
        part = aligned_empty((groups, together, depth, filters), padded.dtype)
        starts = range(0, count, together)
        some = [slice(first, min(first + together, count)) for first in starts]
        self.products = [(columns[:, p], upstream[:, p], part[:, : p.stop - p.start]) for p in some]
        self.nbytes = shifted.nbytes + part.nbytes

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return dw, (G, F / G, C / G, KH, KW), for images x whose dout is in place."""
        self.taps.fill(x)
        sums = [np.matmul(columns, upstream, out=part).sum(axis=1) for columns, upstream, part in self.products]
        dw = sums[0] if len(sums) == 1 else sum(sums[1:], start=sums[0])
        (groups, _, filters), (kernel_h, kernel_w) = dw.shape, self.geometry.kernel
        return dw.reshape(groups, kernel_h, kernel_w, -1, filters).transpose(0, 4, 3, 1, 2)


class LongProducts:
    """The same, one product for each tap row, long in the summed axis.

    Split by the row modulo the stride, the input rows that tap row i sees at all output rows lie one after the other:
    shifted (G, stride, KW * C / G, input rows / stride, line).
    """

    def __init__(
        self, padded: np.ndarray, side_by_side: tuple[int, int], lines: int, rows: RowClass, geometry: Geometry
    ) -> None:
        _, groups, _, _, line = padded.shape
        self.geometry, count, stride, phase_rows = geometry, rows.count, rows.stride, -(-rows.rows // rows.stride)
        shifted = aligned_zeros((groups, stride, lines, phase_rows, line), padded.dtype)
        views = [shifted[None, :, phase].swapaxes(2, 3) for phase in range(stride)]  # (1, G, row, KW C/G, line)
        self.taps = [
            TapViews(by_image(view, *side_by_side), rows.every(phase), geometry) for phase, view in enumerate(views)
        ]
        above = -(-geometry.kernel[0] // stride) - 1
        self.upstream = padded[0, :, above : above + count].swapaxes(1, 2)  # (G, F / G, p, line)
        matrix = shifted.reshape(groups, stride, lines, -1)
        starts = [(i % stride, i // stride * line) for i in range(geometry.kernel[0])]
        self.seen = [matrix[:, phase, :, start : start + count * line].swapaxes(1, 2) for phase, start in starts]
        self.nbytes = shifted.nbytes

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return dw, (G, F / G, C / G, KH, KW), for images x whose dout is in place."""
        for taps in self.taps:
            taps.fill(x)
        groups, filters = self.upstream.shape[:2]
        flat = self.upstream.reshape(groups, filters, -1)  # a copy
        dw = np.empty((len(self.seen), groups, filters, self.seen[0].shape[2]), flat.dtype)  # KW * C / G at the end
        for product, seen in zip(dw, self.seen, strict=True):
            np.matmul(flat, seen, out=product)
        return dw.reshape(len(dw), groups, filters, self.geometry.kernel[1], -1).transpose(1, 2, 4, 0, 3)
