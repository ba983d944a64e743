"""Convolution arithmetic: the window on the padded input, what it costs, and the pixels that it never reads."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Data, Event, Model, callable_or_none, raster, register, show, svg
from .conv_plan import CONTROLS, DIMS, Layer, Plan, compute, describe, formula, impossible, output_size, torch_line

BOX = 296  # picture units on a side for each grid
LEFT, RIGHT, TOP = 24, 440, 52
HIT, MISSED = svg.COLOURS[0], svg.COLOURS[3]


def cell_size(state: Layer) -> float:
    """Return the side of a pixel in picture units, the same in both grids, so that sizes can be compared by eye."""
    return min(BOX / max(state.size + 2 * state.pad, output_size(state)), 42)


def render(r: Plan) -> str:
    """Return input, window and output side by side, with the arithmetic below."""
    s = r.state
    marks = [svg.text(LEFT, 446, torch_line(s), mono=True, bold=True)]
    if r.impossible:
        marks += [svg.text(LEFT, 60, "No output", bold=True, size=16), svg.text(LEFT, 88, r.impossible)]
        return svg.figure(760, 460, describe(r), *marks)
    cell = cell_size(s)
    marks += [_input(r, cell), _output(r, cell)]
    marks.append(svg.text(388, 200, "→", size=24, anchor="middle"))
    size, each = f"output side: {formula(r)}", s.kernel ** DIMS[s.dims] * s.channels // s.groups
    marks.append(svg.text(LEFT, 380, size, bold=True))
    weights = f"parameters: {s.filters} filters × ({each} weights + 1 bias) = {r.parameters:,}"
    marks.append(svg.text(LEFT, 402, weights))
    places = s.size if s.transposed else r.out
    power = {"1-D": "", "2-D": "²", "3-D": "³"}[s.dims]
    what = f"{places}{power} inputs × {s.filters} filters" if s.transposed else f"{s.filters} × {places}{power} outputs"
    marks.append(svg.text(LEFT, 422, f"multiply-adds: {what} × {each} weights = {r.multiply_adds:,}"))
    return svg.figure(760, 460, describe(r), *marks)


def _input(r: Plan, cell: float) -> str:
    s = r.state
    flat = s.dims == "1-D"
    pad_y = 0 if flat else s.pad
    padded = np.pad(r.x[0], ((pad_y, pad_y), (s.pad, s.pad)), constant_values=np.nan)
    border = " with its zero border" if s.pad and not s.transposed else ""
    marks = [svg.text(LEFT, TOP - 28, f"input{border}, channel 1 of {s.channels}" + _slice(s), bold=True)]
    if s.transposed:
        padded = r.x[0]
    marks += [_shadow(s, LEFT, padded.shape, cell), _grid(LEFT, padded, cell, 0, 9)]
    ends = (
        (np.zeros(padded.shape[0], bool) if flat else ~r.read)[:, None] | ~r.read[None, :] if not s.transposed else None
    )
    if ends is not None and ends.any():
        marks.append(_missed(ends, cell))
    if s.transposed:
        marks.append(_frame(LEFT, r.row, r.column, 1, 1, cell))
    else:
        span = s.dilation * (s.kernel - 1) + 1
        top, left = (0 if flat else r.row * s.stride), r.column * s.stride
        marks.append(_frame(LEFT, top, left, 1 if flat else span, span, cell))
        marks.append(_taps(LEFT, s, top, left, cell))
    return "".join(marks)


def _output(r: Plan, cell: float) -> str:
    s = r.state
    marks = [svg.text(RIGHT, TOP - 28, f"output, filter 1 of {s.filters}" + _slice(s), bold=True)]
    limit = float(np.abs(r.values).max()) or 1.0
    marks += [_shadow(s, RIGHT, r.values.shape, cell), _grid(RIGHT, r.values, cell, -limit, limit, signed=True)]
    if s.transposed:
        flat = s.dims == "1-D"
        top, left = (0 if flat else r.row * s.stride - s.pad), r.column * s.stride - s.pad
        marks.append(_taps(RIGHT, s, top, left, cell, limit=(r.values.shape[0], r.out)))
        note = f"the pixel is multiplied by each weight and added at {s.kernel}{'' if flat else f'×{s.kernel}'} places"
    else:
        marks.append(_frame(RIGHT, r.row, r.column, 1, 1, cell))
        value = r.values[r.row, r.column]
        products = s.kernel ** DIMS[s.dims] * s.channels // s.groups
        note = f"window {r.row}, {r.column}: sum of {products} products = {value:g}"
        note = "one slice of the sum is drawn" if s.dims == "3-D" else note
    marks.append(svg.text(RIGHT, TOP - 10, note, size=11))
    if r.yours is not None and r.problem:
        for row, column in np.argwhere(~np.isclose(r.yours, r.values))[:60]:
            x, y = RIGHT + column * cell, TOP + row * cell
            marks.append(svg.hatch(x, y, cell, cell, gap=max(cell / 3, 2), colour=MISSED, opacity=1))
            marks.append(svg.rect(x, y, cell, cell, colour=MISSED, line_width=2))
        marks.append(svg.text(RIGHT, 362, "✗ hatched: your function differs", size=12))
    elif r.yours is not None:
        marks.append(svg.text(RIGHT, 362, "✓ your function gives these values", size=12))
    return "".join(marks)


def _slice(s: Layer) -> str:
    return ", middle slice" if s.dims == "3-D" else ""


def _shadow(s: Layer, x: float, shape: tuple[int, ...], cell: float) -> str:
    """Return the edges of the slices behind, for 3-D."""
    if s.dims != "3-D":
        return ""
    return "".join(
        svg.rect(x + d, TOP - d, shape[1] * cell, shape[0] * cell, colour=svg.INK, opacity=0.35) for d in (8, 4)
    )


def _grid(x: float, values: np.ndarray, cell: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return cells with their numbers where they fit; the border (nan) is empty and dashed."""
    rows, columns = values.shape
    # Only the light part of each colour map: the numbers on it are dark in both themes.
    colours, low, high = ("signed", 1.6 * low, 1.6 * high) if signed else ("grey", low - 1.2 * (high - low), high)
    marks = [raster.heat_map(x, TOP, columns * cell, rows * cell, values, low=low, high=high, colours=colours)]
    if cell >= 7:
        marks += [
            svg.line(x + j * cell, TOP, x + j * cell, TOP + rows * cell, opacity=0.35) for j in range(columns + 1)
        ]
        marks += [
            svg.line(x, TOP + i * cell, x + columns * cell, TOP + i * cell, opacity=0.35) for i in range(rows + 1)
        ]
    else:
        marks.append(svg.rect(x, TOP, columns * cell, rows * cell, colour=svg.INK, opacity=0.5))
    if cell >= 19:
        for (i, j), value in np.ndenumerate(values):
            told, ink = ("0", svg.INK) if np.isnan(value) else (f"{value:g}", "#111")
            middle, base = x + (j + 0.5) * cell, TOP + (i + 0.5) * cell + 4
            marks.append(svg.text(middle, base, told, size=11, anchor="middle", colour=ink))
    return "".join(marks)


def _missed(missed: np.ndarray, cell: float) -> str:
    """Return hatching over the input pixels that no window reads: whole rows and columns of them."""
    height, width = (n * cell for n in missed.shape)
    marks = []
    for start, stop in _runs(np.all(missed, axis=0)):
        marks.append(svg.hatch(LEFT + start * cell, TOP, (stop - start) * cell, height, colour=MISSED, opacity=1))
    for start, stop in _runs(np.all(missed, axis=1)):
        marks.append(svg.hatch(LEFT, TOP + start * cell, width, (stop - start) * cell, colour=MISSED, opacity=1))
    return "".join(marks) + svg.text(LEFT, 362, "hatched: pixels that no window ever reads", size=12)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return the (start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _frame(x: float, row: int, column: int, tall: int, wide: int, cell: float) -> str:
    return svg.rect(x + column * cell, TOP + row * cell, wide * cell, tall * cell, colour=HIT, line_width=3)


def _taps(x: float, s: Layer, top: int, left: int, cell: float, *, limit: tuple[int, int] | None = None) -> str:
    """Return the pixels that the kernel's weights meet; `limit` crops to an output of (rows, columns)."""
    corners = []
    for i in range(1 if s.dims == "1-D" else s.kernel):
        for j in range(s.kernel):
            row, column = top + i * s.dilation, left + j * s.dilation
            if limit is None or (0 <= row < limit[0] and 0 <= column < limit[1]):
                corners.append((x + column * cell + 1, TOP + row * cell + 1))
    filled = svg.squares(corners, cell - 2, fill=HIT, opacity=0.3)
    return filled + svg.squares(corners, cell - 2, colour=HIT)


def _places(state: Layer) -> int:
    return max(state.size if state.transposed else output_size(state), 1)


def _moved(state: Layer, rows: int, columns: int) -> Layer:
    """Return the state with the window moved; at an edge it stays."""
    places, flat = _places(state), state.dims == "1-D"
    at = state.position % (places if flat else places**2)
    row, column = (0, at) if flat else divmod(at, places)
    row, column = (min(max(v, 0), places - 1) for v in (row + rows, column + columns))
    position = column if flat else row * places + column
    return state if position == state.position else dataclasses.replace(state, position=position)


def advance(state: Layer, data: Data) -> Layer:
    """Move the window to the next place, in reading order, and round."""
    count = _places(state) ** (1 if state.dims == "1-D" else 2)
    following = (state.position % count + 1) % count
    return state if following == state.position else dataclasses.replace(state, position=following)


def back(state: Layer, data: Data) -> Layer:
    """Move the window to the place before."""
    count = _places(state) ** (1 if state.dims == "1-D" else 2)
    return dataclasses.replace(state, position=(state.position % count - 1) % count)


ARROWS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}


def point(state: Layer, data: Data, event: Event) -> Layer:
    """Drag the window, or click an output to see the window that made it; arrow keys move it."""
    out = output_size(state)
    if event.kind == "key":
        return _moved(state, *ARROWS[event.key]) if event.key in ARROWS else state
    if event.kind not in ("down", "drag") or impossible(state, out):
        return state
    cell = cell_size(state)
    on_output = event.x >= RIGHT - 20
    column, row = (event.x - (RIGHT if on_output else LEFT)) / cell, (event.y - TOP) / cell
    if on_output == state.transposed:  # on the wide side of the layer: the window whose middle is nearest
        middle = (state.dilation * (state.kernel - 1) + 1) / 2 - (state.pad if state.transposed else 0)
        column, row = ((v - middle) / state.stride + 0.5 for v in (column, row))
    places = _places(state)
    column, row = (min(max(int(np.floor(v)), 0), places - 1) for v in (column, row))
    position = column if state.dims == "1-D" else row * places + column
    return state if position == state.position else dataclasses.replace(state, position=position)


MODEL = Model(
    title="Convolution arithmetic",
    about="Slide a window over an input: output size, parameters, multiply-adds, and the pixels that are never read.",
    state=Layer,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"on": advance, "back": back},
    point=point,
    point_help="Drag the window on the input, or click an output to see its window. Arrow keys move the window.",
    advance=advance,
    challenge=(
        ("A 7-pixel input, a kernel of 3, stride 3, no padding. How many outputs, and what of the seventh pixel?",
         "(7 - 3) / 3 + 1 = 2.33, rounded down to 2. PyTorch does not refuse: the last row and column are never read."),
        ("Ten 5x5 filters, stride 1, padding 2, on 3x32x32. How many parameters? How many multiply-adds?",
         "Each filter has 3·5·5 + 1 = 76 numbers, so 760. The output has 10·32·32 = 10,240 numbers of 75 products: "
         "768,000."),
        ("Set dilation to 2. Which kernel without dilation covers the same span as 3 taps, and what does it cost more?",
         "3 taps at dilation 2 span 5 pixels, as a kernel of 5 does, with 9 weights for each channel instead of 25."),
    ),
)  # fmt: skip


@register(MODEL)
def conv_explorer(forward: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show what a convolution layer does to sizes, and where its window goes.

    forward : your `conv_forward_naive(x, w, b, *, stride, pad)`, called on the picture's numbers when the layer is 2-D
        with dilation 1 and one group; outputs that differ are hatched
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("conv_explorer", "forward", forward)
    return show(MODEL, state=state, data={"forward": forward})
