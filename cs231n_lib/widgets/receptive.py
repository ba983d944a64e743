"""The receptive field explorer: what one unit sees of the image, layer by layer, and how much each pixel counts."""

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import Challenges, draw

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .receptive_stack import CONTROLS, TRAINED, Look, Reach, Row, compute, nearest, side, valid

LEFT, TOP, SIDE = 16, 40, 256  # the image
FINE = 64  # pixels of the drawing of the image
TOWER = (348, 40, 396, 150)  # left, top, width, height of the layers' fields
LINES, LINE_TOP, LINE = 8, 420, 15.5  # of the table: how many, the first one's baseline, from one to the next
UNIT, YOURS = svg.COLOURS[0], svg.COLOURS[3]


@lru_cache(maxsize=16)
def picture(seed: int) -> np.ndarray:
    """Return an image, uint8 (FINE, FINE, 3), with an object of class `seed`."""
    pixels = draw(
        np.array([seed]), np.random.default_rng(seed), Challenges(occlusion=0.0, viewpoint=0.1, illumination=0.0)
    )[0]
    pixels = (pixels / pixels.max() * 255).astype(np.uint8)  # as light as it gets: it is darkened where nothing is seen
    return pixels.repeat(FINE // 32, axis=0).repeat(FINE // 32, axis=1)


def large(value: float) -> str:
    """Return a count with separators, or a power of ten where it is beyond counting."""
    return f"{value:,}" if value < 1e6 else f"{value:.1e}"


def describe(r: Reach) -> str:
    """Return what the unit sees, in words."""
    here, s = r.rows[r.at], r.state
    words = f"A unit of layer {r.at} of {len(r.rows) - 1} sees {large(here.field)} × {large(here.field)} pixels of the "
    words += f"{side(s)} × {side(s)} image; neighbours see fields {large(here.jump)} apart. "
    words += f"Of the layer before, it sees {here.window} × {here.window} places. "
    if r.first is None:
        words += "No layer of this stack sees the whole image."
    else:
        words += f"Layer {r.first} is the first whose field is as wide as the image."
    words += f" The stack ends early: {r.stopped}." if r.stopped else ""
    if s.effective:
        words += f" Half of all weight lies within {half(r.weights.sum(axis=0))} pixels across."
    return words + (" Your function agrees." if r.yours is not None and not r.problem else "")


def half(weight: np.ndarray) -> int:
    """Return the fewest pixels side by side that hold half of the weight."""
    total = np.concatenate([[0.0], np.cumsum(weight)])
    for width in range(1, len(weight) + 1):
        if (total[width:] - total[:-width]).max() >= 0.5 - 1e-12:
            return width
    return len(weight)


def render(r: Reach) -> str:
    """Return the image with the field, the tower of layers above it, the weights, and the table."""
    marks = [_image(r), _tower(r), _weights(r), _table(r)]
    return svg.figure(760, 540, describe(r), *marks)


def _image(r: Reach) -> str:
    s, here, size = r.state, r.rows[r.at], r.rows[0].size
    scale = SIDE / size
    # Brightness says what the unit sees: all of its field, or each pixel by its weight.
    at = (np.arange(FINE) + 0.5) / FINE * size - 0.5
    if s.effective:
        pixel = np.rint(at).astype(int)
        seen = r.weights[pixel][:, pixel] / max(r.weights.max(), 1e-300)
    else:
        top, left, bottom, right = r.box
        seen = np.outer((at > top - 0.5) & (at < bottom + 0.5), (at > left - 0.5) & (at < right + 0.5))
    light = 0.4 + 0.6 * seen
    pixels = (picture(s.seed) * light[:, :, None]).astype(np.uint8)
    marks = [svg.text(LEFT, 24, f"what the unit sees of {size} × {size} pixels", bold=True)]
    marks.append(raster.photo(LEFT, TOP, SIDE, SIDE, pixels))
    marks.append(svg.rect(LEFT, TOP, SIDE, SIDE, colour=svg.INK, opacity=0.6))
    marks.append(_box(*r.box, scale, colour=UNIT))
    if r.yours is not None and r.yours != here.field and r.yours > 0:
        extra = r.yours - here.field  # drawn about the same middle
        top, left, bottom, right = r.box
        yours = (top - extra / 2, left - extra / 2, bottom + extra / 2, right + extra / 2)
        marks.append(_box(*yours, scale, colour=YOURS, dash="6 4"))
        marks.append(svg.text(LEFT, 376, f"dashed ✗: {large(r.yours)} pixels, as your function says", size=12))
    middle = [(v + 0.5) * scale for v in _middle(r)]
    x, y = LEFT + middle[1], TOP + middle[0]
    marks.append(svg.circle(x, y, 4, fill="#fff", colour="#111", line_width=2))
    # Where the sliders point: the unit whose field lies nearest is looked at.
    across, down = LEFT + SIDE * s.across / 100, TOP + SIDE * s.down / 100
    marks.append(
        svg.path([(across, TOP), (across - 4, TOP - 7), (across + 4, TOP - 7)], width=0, closed=True, fill=svg.INK)
    )
    marks.append(
        svg.path([(LEFT, down), (LEFT - 7, down - 4), (LEFT - 7, down + 4)], width=0, closed=True, fill=svg.INK)
    )
    marks.append(svg.text(LEFT, 316, f"unit [{r.unit[0]}, {r.unit[1]}] of layer {r.at}: {here.name}", size=12))
    top, left, bottom, right = r.box
    over = min(top, left) < 0 or max(bottom, right) >= size
    told = f"rows {large(top)} to {large(bottom)}, columns {large(left)} to {large(right)}"
    marks.append(svg.text(LEFT, 336, told, size=12))
    note = "beyond the image there are zeros" if over else "all of it within the image"
    marks.append(svg.text(LEFT, 356, note, size=12))
    return "".join(marks)


def _middle(r: Reach) -> tuple[float, float]:
    """Return the (row, column) pixel in the middle of the field, kept within the image."""
    top, left, bottom, right = r.box
    low, high = 0, r.rows[0].size - 1
    return min(max((top + bottom) / 2, low), high), min(max((left + right) / 2, low), high)


def _box(top: float, left: float, bottom: float, right: float, scale: float, *, colour: str, dash: str = "") -> str:
    """Return the outline of a field, cut off just outside the image."""
    margin = 7
    x0, x1 = (LEFT + min(max(v * scale, -margin), SIDE + margin) for v in (left, right + 1))
    y0, y1 = (TOP + min(max(v * scale, -margin), SIDE + margin) for v in (top, bottom + 1))
    halo = "" if dash else svg.rect(x0, y0, x1 - x0, y1 - y0, colour="#fff", line_width=5)
    return halo + svg.rect(x0, y0, x1 - x0, y1 - y0, colour=colour, line_width=3, dash=dash)


def _tower(r: Reach) -> str:
    """Return the unit on top and what it sees of each layer below, down to the image, in pixels of the image."""
    left, top, width, height = TOWER
    size, steps = r.rows[0].size, max(r.at, 1)
    marks = [svg.text(left, 24, "what it sees of each layer below it", bold=True)]

    def x(pixel: float) -> float:
        return left + min(max(pixel / size, 0.0), 1.0) * width

    ends: list[tuple[float, float, float]] = []
    for i, (low, high) in enumerate(r.spans):
        row, y = r.rows[i], top + height - height * i / steps
        a, b = (row.start + row.jump * v for v in (low - 0.5, high + 0.5))  # outer edges, jump apart from the middle
        ends.append((x(a + 0.5), x(b + 0.5), y))
    shape = [(a, y) for a, _, y in ends] + [(b, y) for _, b, y in reversed(ends)]
    marks.append(svg.path(shape, colour=UNIT, width=0, closed=True, fill=UNIT, opacity=0.25))
    labelled = max(1, -(-steps // 9))
    for i, (a, b, y) in enumerate(ends):
        row = r.rows[i]
        if i % labelled and i != r.at:
            continue
        marks.append(svg.line(left, y, left + width, y, opacity=0.25))
        marks.append(svg.line(a, y, b, y, colour=UNIT, width=4))
        if r.at <= 16 and row.size <= 64:
            dots = [svg.circle(x(row.start + row.jump * v + 0.5), y, 1.6, fill=svg.INK) for v in range(row.size)]
            marks += dots if i else []
        if i == r.at or r.at - i >= labelled / 2:
            marks.append(svg.text(left - 6, y + 4, "image" if i == 0 else f"layer {i}", size=11, anchor="end"))
    return "".join(marks)


def _weights(r: Reach) -> str:
    """Return how much each column of pixels counts."""
    title = "share of each column if all weights are equal"
    if r.state.net == TRAINED:
        title = "share of each column in the trained unit's gradient"
    weight, size = r.weights.sum(axis=0), r.rows[0].size
    axes = Axes(left=TOWER[0], top=226, width=TOWER[2], height=70, x0=-0.5, x1=size - 0.5, y0=0,
                y1=float(weight.max()) * 1.1 or 1.0)  # fmt: skip
    marks = [axes.frame(title=title, y_ticks=0, x_label="pixel across")]
    corners = [(axes.x(v + e), axes.y(w)) for v, w in enumerate(weight) for e in (-0.5, 0.5)]
    base = axes.top + axes.height
    outline = [(corners[0][0], base), *corners, (corners[-1][0], base)]
    marks.append(svg.path(outline, colour=UNIT, width=1, closed=True, fill=UNIT, opacity=0.8))
    return "".join(marks)


HEADS = ((16, "layer"), (208, "map"), (300, "sees of layer before"), (450, "field in the image"), (592, "jump"),
         (662, "first middle"))  # fmt: skip


def _table(r: Reach) -> str:
    y = LINE_TOP - 22
    marks = [svg.text(x, y, words, size=12, bold=True) for x, words in HEADS]
    marks.append(svg.line(16, y + 6, 744, y + 6, opacity=0.4))
    first = _first(r)
    for line, i in enumerate(range(first, min(first + LINES, len(r.rows)))):
        at, row = LINE_TOP + LINE * line, r.rows[i]
        if i == r.at:
            marks.append(svg.rect(10, at - 12, 738, 16, colour=UNIT, line_width=2))
        marks += [
            svg.text(x, at, words, size=11.5, mono=x > 16) for (x, _), words in zip(HEADS, _cells(i, row), strict=True)
        ]
    return "".join(marks)


def _first(r: Reach) -> int:
    """Return the first layer that the table shows."""
    return min(max(r.at - LINES // 2, 0), max(len(r.rows) - LINES, 0))


def _cells(i: int, row: Row) -> tuple[str, ...]:
    sees = f"{row.window} × {row.window}" if i else "-"
    name = f"{i}  {row.name}" if i else "0  image"
    return name, f"{row.size} × {row.size}", sees, large(row.field), large(row.jump), f"{row.start:.6g}"


# --- moves


def _moved(state: Look, rows: int, columns: int) -> Look:
    """Return the state with the unit moved by so many units."""
    r = compute(state, {})
    here, found = r.rows[r.at], {}
    for field, by, unit in (("down", rows, r.unit[0]), ("across", columns, r.unit[1])):
        target, share = min(max(unit + by, 0), here.size - 1), getattr(state, field)
        while by and 0 < share + by < 101 and nearest(here, side(state), share) * by < target * by:
            share += 1 if by > 0 else -1
            if not 0 < share < 100:
                break
        found[field] = share
    return (
        dataclasses.replace(state, **found) if (found["down"], found["across"]) != (state.down, state.across) else state
    )


ARROWS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}


def advance(state: Look, data: Data) -> Look:
    """Look at a unit of the next layer; at the top there is nothing left to do."""
    top = len(compute(state, {}).rows) - 1
    return dataclasses.replace(state, layer=state.layer + 1) if state.layer < top else state


def point(state: Look, data: Data, event: Event) -> Look:
    """Point at the image to choose the unit above that place, at the tower to choose the layer."""
    if event.kind == "key":
        if event.key in ARROWS:
            return _moved(state, *ARROWS[event.key])
        if event.key == "Enter":
            return advance(state, data)
        if event.key == "Backspace" and state.layer > 0:
            return dataclasses.replace(state, layer=min(state.layer, len(compute(state, {}).rows) - 1) - 1)
        return state
    if event.kind == "up":
        return state
    across, down = (event.x - LEFT) / SIDE, (event.y - TOP) / SIDE
    if 0 <= across <= 1 and 0 <= down <= 1:
        found = round(100 * across), round(100 * down)
        return (
            dataclasses.replace(state, across=found[0], down=found[1]) if found != (state.across, state.down) else state
        )
    r = compute(state, {})
    line = int((event.y - LINE_TOP + 12) // LINE)
    chosen = _first(r) + line
    if event.kind == "down" and 0 <= line < LINES and chosen < len(r.rows) and chosen != state.layer:
        return dataclasses.replace(state, layer=chosen)
    return state


MODEL = Model(
    title="Receptive field",
    about="What one unit sees of the image through all layers below it, and how much each pixel counts.",
    state=Look,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    point=point,
    point_help="Point at the image to choose a unit, click a line of the table to choose its layer. Keys: arrows move "
    "to the next unit, Enter goes one layer up, Backspace one down.",
    advance=advance,
    valid=valid,
    challenge=(
        ("3 × 3 convolutions of stride 1 on a 224-pixel image: how many layers until one unit sees all of it?",
         "Each adds K - 1 = 2 pixels, so after L layers the field is 1 + L·(K - 1): 112 layers. That is why networks "
         "make their maps smaller on the way: with stride or pooling the field grows by twice as much in each stage."),
        ("Choose VGG-16. Its 3 × 3 layers all see 3 × 3 places of the layer before. What do they see of the image?",
         "5 pixels in layer 2 and 196 in the last convolution, 212 after the last pool: the word 'field' needs to say "
         "in which layer. A window of 3 in a map whose units lie 16 pixels apart adds 32 pixels."),
        ("Switch to the effective field with 4, 16 and 64 layers. Does the field that counts grow as fast?",
         "No. Middle pixels are reached by many more paths than those at the edge, and the shares approach a bell "
         "curve, whose width grows like the square root of the depth (Luo et al. 2016). The trained ConvNet weighs "
         "its pixels unevenly too: the edge counts least."),
    ),
)  # fmt: skip


@register(MODEL)
def receptive_field_explorer(receptive_field: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show which pixels of the image one unit sees.

    receptive_field : your function of a list of (kernel, stride), the first next to the image, to the width of the
        field; its answer is drawn if it differs. A dilated kernel is given as the wider one with the same reach
    state : settings, as the button "My settings as code" prints them; `net="your own stack"` reads `stack`
    """
    callable_or_none("receptive_field_explorer", "receptive_field", receptive_field)
    return show(MODEL, state=state, data={"receptive_field": receptive_field})
