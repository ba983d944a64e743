"""The picture of the MLP playground: the plane, the net with a map in each unit, a bent layer, the losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import Axes, Data, raster, svg
from .mlp_net import (
    REACH,
    Arrays,
    Net,
    cloud,
    current,
    forward,
    losses,
    probabilities,
    shape_of,
    size_of,
    training_set,
    your_gradients,
)

CELLS, SMALL, LINES, SAMPLES = 60, 14, 11, 17  # cells of the map, of a unit's map; lines of the grid, points on each
PIXEL, NODE, GAP, MIDDLE = 2, 28, 34, 176  # a cell of a unit's map, the map, from one to the next, the net's middle
PLANE = Axes(left=14, top=40, width=264, height=264, x0=-REACH, x1=REACH, y0=-REACH, y1=REACH)


@dataclass(frozen=True)
class Seen:
    """What is drawn."""

    state: Net
    params: Arrays
    step: int
    history: tuple[tuple[Any, ...], ...]
    points: np.ndarray  # float (N, 2)
    labels: np.ndarray  # int (N,)
    test: tuple[np.ndarray, np.ndarray]
    regions: np.ndarray  # int (CELLS, CELLS), row 0 on top
    maps: list[np.ndarray]  # of each hidden layer, float (units, SMALL, SMALL), each by its largest size
    chances: np.ndarray  # float (classes, SMALL, SMALL)
    dead: list[np.ndarray]  # of each hidden layer, bool (units,)
    bent: np.ndarray  # float (2 * LINES, SAMPLES, 2): the grid of the plane in the chosen units
    moved: np.ndarray  # float (N, 2): the points there
    right: tuple[float, float]  # share on training and test points, nan where there are none
    wrong: Mapping[str, np.ndarray]
    asked: bool
    problem: str


def middles(cells: int) -> np.ndarray:
    """Return the middles (cells * cells, 2) of a map's cells, top row first."""
    along = (np.arange(cells) + 0.5) / cells * 2 * REACH - REACH
    x, y = np.meshgrid(along, -along)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def grid() -> np.ndarray:
    """Return lines of the plane, (2 * LINES, SAMPLES, 2): the upright ones first."""
    fixed, along = np.linspace(-REACH, REACH, LINES), np.linspace(-REACH, REACH, SAMPLES)
    upright = np.stack(np.broadcast_arrays(fixed[:, None], along[None]), axis=2)
    return np.concatenate([upright, upright[..., ::-1]])


def chosen_units(state: Net) -> tuple[int, int, int]:
    """Return (layer, unit, unit) of the bent grid, counted from 0."""
    return min(state.layer, state.layers) - 1, min(state.across, state.width) - 1, min(state.up, state.width) - 1


def weight_names(state: Net) -> list[tuple[int, int, int]]:
    """Return (layer, from, to) of every weight, from 0, in the order in which they are numbered."""
    pairs = zip(shape_of(state), shape_of(state)[1:], strict=False)
    return [(k, i, j) for k, (a, b) in enumerate(pairs) for i in range(a) for j in range(b)]


def compute(state: Net, data: Data) -> Seen:
    """Return what the net says of the plane, unit by unit."""
    params, known = current(state)
    points, labels = training_set(state)
    test = cloud(state.data, state.classes, state.seed, "test")
    layer, across, up = chosen_units(state)

    def run(x: np.ndarray) -> list[np.ndarray]:
        return forward(params, x, state.activation)

    outs, small = run(points), run(middles(SMALL))
    lines = grid()
    bent = run(lines.reshape(-1, 2))[1 + layer][:, [across, up]].reshape(lines.shape)
    right = []
    for x, y in ((points, labels), test):
        right.append(float((run(x)[-1].argmax(axis=1) == y).mean()) if len(y) else np.nan)
    off = state.activation == "ReLU" and len(labels) > 0
    asked = "loss" in data and state.activation == "ReLU" and not state.dropout and len(labels) > 0
    wrong, problem = your_gradients(data["loss"], state, params) if asked else ({}, "")
    return Seen(
        state=state, params=params, step=state.step if known else 0, history=state.history if known else (),
        points=points, labels=labels, test=test,
        regions=run(middles(CELLS))[-1].argmax(axis=1).reshape(CELLS, CELLS),
        maps=[(h / (np.abs(h).max(axis=0) + 1e-12)).T.reshape(-1, SMALL, SMALL) for h in small[1:-1]],
        chances=probabilities(small[-1]).T.reshape(-1, SMALL, SMALL),
        dead=[np.all(h <= 0, axis=0) & off for h in outs[1:-1]], bent=bent, moved=outs[1 + layer][:, [across, up]],
        right=(right[0], right[1]), wrong=wrong, asked=asked, problem=problem,
    )  # fmt: skip


def describe(r: Seen) -> str:
    """Return the result in words."""
    s = r.state
    words = f"{s.data}, net {'-'.join(map(str, shape_of(s)))}, {s.activation}, step {r.step}. "
    if len(r.labels):
        loss, held = losses(s, r.params)
        words += f"Training loss {loss:.3f}, {100 * r.right[0]:.0f} % right; "
        words += f"test loss {held:.3f}, {100 * r.right[1]:.0f} % right." if len(r.test[1]) else "no test points."
    else:
        words += "No points yet: click on the plane to draw some, of two classes at least."
    dead = sum(int(row.sum()) for row in r.dead)
    if dead:
        words += f" {dead} dead ReLU {'unit' if dead == 1 else 'units'}: 0 on every training point (grey)."
    return words + (" Your function agrees." if r.asked and not r.problem else "")


def render(r: Seen) -> str:
    """Return the plane, the net, a bent layer and the losses."""
    s = r.state
    marks = [raster.class_map(PLANE.left, PLANE.top, PLANE.width, PLANE.height, r.regions)]
    marks.append(PLANE.frame(x_ticks=0, y_ticks=0, title="The plane as the net sees it"))
    for k in range(s.classes):
        places = [(PLANE.x(x), PLANE.y(y)) for x, y in r.points[r.labels == k]]
        marks.append(svg.markers(places, k))
        if s.test:
            tests = [(PLANE.x(x), PLANE.y(y)) for x, y in r.test[0][r.test[1] == k]]
            marks.append(svg.markers(tests, k, radius=3, hollow=True))
    x, y, kind = PLANE.x(s.x), PLANE.y(s.y), min(s.brush, s.classes) - 1
    marks.append(svg.segments([(x - 9, y, x + 9, y), (x, y - 9, x, y + 9)], width=1.5))
    marks += [
        svg.text(14, 324, "A click draws", size=12),
        svg.marker(106, 320, kind),
        svg.text(118, 324, f"class {kind + 1}", size=12),
    ]
    pace = "1 step" if s.pace == 1 else f"{s.pace} steps"
    settings = f"SGD: rate {s.rate:g}, batch {s.batch}, L2 {s.l2:g}, dropout {s.dropout:g}, {pace} at a time"
    marks.append(svg.text(14, 362, settings, size=12))
    marks += [_net(r), _bent(r), _losses(r)]
    return svg.figure(760, 640, describe(r), *marks)


# --- the net as a drawing


def places(state: Net) -> list[list[tuple[float, float]]]:
    """Return the middle of each unit, layer by layer, inputs and classes included."""
    shape = shape_of(state)
    return [
        [(330 + 380 * k / (len(shape) - 1), MIDDLE + GAP * (i - (count - 1) / 2)) for i in range(count)]
        for k, count in enumerate(shape)
    ]


def line_of(spots: list[list[tuple[float, float]]], weight: tuple[int, int, int]) -> tuple[float, float, float, float]:
    k, i, j = weight
    return (spots[k][i][0] + NODE / 2, spots[k][i][1], spots[k + 1][j][0] - NODE / 2, spots[k + 1][j][1])


def _net(r: Seen) -> str:
    """Return units as maps and weights as lines: wider for larger, orange solid above 0, blue dashed below."""
    s, spots, names = r.state, places(r.state), weight_names(r.state)
    heads = ["input", *[f"layer {k + 1}" for k in range(s.layers)], "classes"]
    marks = [
        svg.text(column[0][0], 24, head, size=12, anchor="middle", bold=True)
        for column, head in zip(spots, heads, strict=True)
    ]
    bins: dict[tuple[bool, int], list[tuple[float, float, float, float]]] = {}
    for name in names:
        w = r.params[f"W{name[0] + 1}"][name[1], name[2]]
        level = int(np.clip(np.ceil(abs(w) * 1.5), 0, 5))
        if level:
            bins.setdefault((w > 0, level), []).append(line_of(spots, name))
    for (positive, level), ends in sorted(bins.items()):
        colour, dash = (svg.COLOURS[1], "") if positive else (svg.COLOURS[0], "5 3")
        marks.append(svg.segments(ends, colour=colour, dash=dash, width=0.6 + 0.7 * level, opacity=0.9))
    number = min(s.which, len(names) - 1)
    chosen = names[number]
    marks.append(svg.line(*line_of(spots, chosen), width=1.5))
    ramps = [middles(SMALL)[:, i].reshape(SMALL, SMALL) / REACH for i in (0, 1)]
    marks.append(_sheet(spots[:-1], [ramps, *r.maps], "signed", -1))
    marks.append(_sheet(spots[-1:], [list(r.chances)], "cividis", 0))
    marks += [
        svg.text(x - 18, y + 5, name, anchor="end", bold=True) for name, (x, y) in zip("xy", spots[0], strict=True)
    ]
    layer, across, up = chosen_units(s)
    for k, column in enumerate(spots[1:-1]):
        for j, place in enumerate(column):
            picked = ("→" if (k, j) == (layer, across) else "") + ("↑" if (k, j) == (layer, up) else "")
            marks.append(_frame(place, bool(r.dead[k][j]), picked))
    marks += [svg.marker(x + 26, y, k) for k, (x, y) in enumerate(spots[-1])]
    for key, off in r.wrong.items():
        for j in np.flatnonzero(off.any(axis=0) if off.ndim == 2 else off).tolist():
            x, y = spots[int(key[1:])][j]
            marks.append(svg.text(x - 22, y - 8, "✗", anchor="middle", bold=True))
    w = r.params[f"W{chosen[0] + 1}"][chosen[1], chosen[2]]
    source = "xy"[chosen[1]] if chosen[0] == 0 else f"unit {chosen[1] + 1} of layer {chosen[0]}"
    target = f"class {chosen[2] + 1}" if chosen[0] == s.layers else f"unit {chosen[2] + 1} of layer {chosen[0] + 1}"
    marks.append(svg.text(300, 342, f"Weight {number}: {source} to {target} = {w:.2f} (set to {s.value:g}?)", size=12))
    marks.append(svg.text(300, 324, "orange, solid: above 0 · blue, dashed: below · grey ✗: dead", size=12))
    return "".join(marks)


def _sheet(spots: list[list[tuple[float, float]]], maps: list[Any], colours: str, low: float) -> str:
    """Return the maps of many units as one image: each file would bring a kilobyte of colours along."""
    corners = [(x - NODE / 2, y - NODE / 2) for column in spots for x, y in column]
    left, top = (min(corner[d] for corner in corners) for d in (0, 1))
    right, bottom = (max(corner[d] for corner in corners) + NODE for d in (0, 1))
    sheet = np.full((round((bottom - top) / PIXEL), round((right - left) / PIXEL)), np.nan)
    for (x, y), values in zip(corners, (values for column in maps for values in column), strict=True):
        row, column = round((y - top) / PIXEL), round((x - left) / PIXEL)
        sheet[row : row + SMALL, column : column + SMALL] = np.round(16 * values) / 16  # few levels make a small file
    return raster.heat_map(left, top, right - left, bottom - top, sheet, low=low, high=1, colours=colours)


def _frame(place: tuple[float, float], dead: bool, picked: str) -> str:
    """Return the outline of a unit's map, the arrows of the bent grid's axes, and a grey cover if it is dead."""
    x, y = place[0] - NODE / 2, place[1] - NODE / 2
    marks = svg.rect(
        x, y, NODE, NODE, fill="#999" if dead else "none", colour=svg.INK, line_width=2.5 if picked else 0.6
    )
    if dead:
        marks += svg.text(place[0], place[1] + 5, "✗", anchor="middle", colour="#111", bold=True)
    return marks + (svg.text(x + NODE + 2, y + NODE, picked, size=12, bold=True) if picked else "")


def _bent(r: Seen) -> str:
    """Return the grid of the plane as the two chosen units of a layer see it, with the points."""
    layer, across, up = chosen_units(r.state)
    low, high = r.bent.min(axis=(0, 1)), r.bent.max(axis=(0, 1))
    spare = np.maximum(0.05 * (high - low), 1e-3)
    axes = Axes(left=56, top=392, width=222, height=200, x0=low[0] - spare[0], x1=high[0] + spare[0],
                y0=low[1] - spare[1], y1=high[1] + spare[1])  # fmt: skip
    title = f"The plane, bent by layer {layer + 1}"
    marks = [axes.frame(title=title, x_label=f"→ unit {across + 1}", y_label=f"↑ unit {up + 1}", x_ticks=4, y_ticks=4)]
    for i, row in enumerate(r.bent):
        corners = [(round(axes.x(a), 1), round(axes.y(b), 1)) for a, b in row]
        marks.append(svg.path(corners, width=1, opacity=0.55, dash="" if i < LINES else "3 2"))
    for k in range(r.state.classes):
        marks.append(svg.markers([(axes.x(a), axes.y(b)) for a, b in r.moved[r.labels == k]], k, radius=3))
    last = r.params[f"W{r.state.layers + 1}"]
    if r.state.width == 2 and r.state.classes == 2 and layer == r.state.layers - 1 and across != up:
        normal = (last[:, 1] - last[:, 0])[[across, up]]
        shift = r.params[f"b{r.state.layers + 1}"] @ [-1, 1]
        ends = axes.line_ends(float(normal[0]), float(normal[1]), float(shift))  # where both scores are equal
        marks.append(svg.path([(axes.x(u), axes.y(v)) for u, v in ends], width=3) if ends else "")
    return "".join(marks)


def _losses(r: Seen) -> str:
    """Return both loss curves and the shares of right answers."""
    steps = [row[0] for row in r.history]
    top = max([1.0, *[v for row in r.history for v in row[1:]]]) * 1.05
    axes = Axes(left=350, top=392, width=250, height=200, x0=0, x1=max([100, *steps]), y0=0, y1=min(top, 4.0))
    marks = [axes.frame(title="Loss", x_label="steps", x_ticks=4)]
    chance = float(np.log(r.state.classes))
    marks.append(svg.line(axes.left, axes.y(chance), axes.left + axes.width, axes.y(chance), dash="2 3", opacity=0.7))
    for kind, name in enumerate(("training", "test")):
        values = [np.nan if row[kind + 1] < 0 else row[kind + 1] for row in r.history]
        marks.append(axes.curve(steps, values, kind=kind))
        share = r.right[kind]
        mark = svg.line(-8, 0, 10, 0, colour=svg.COLOURS[kind], dash=svg.DASHES[kind], width=2.5)
        right = f"{100 * share:.0f} % right" if np.isfinite(share) else "no points"
        marks.append(svg.legend(626, 412 + 44 * kind, [(mark, name)]))
        marks.append(svg.text(640, 433 + 44 * kind, right, bold=True))
    label = f"guessing: ln {r.state.classes}"
    marks.append(svg.text(axes.left + axes.width - 4, axes.y(chance) - 4, label, size=11, anchor="end"))
    dead, units = sum(int(row.sum()) for row in r.dead), r.state.layers * r.state.width
    told = [f"step {r.step}", f"{size_of(shape_of(r.state))} parameters"]
    told += [f"{dead} of {units} dead"] if r.state.activation == "ReLU" else []
    return "".join(marks) + "".join(svg.text(620, 548 + 20 * i, words, size=12) for i, words in enumerate(told))
