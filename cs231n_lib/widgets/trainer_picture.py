"""The live trainer's picture: curves with every knob turn on them, filters, activations, predictions."""

import textwrap

import numpy as np

from .base import Axes, raster, svg
from .trainer_board import Board
from .trainer_plan import KNOBS, SHOWN, Turn, effect, in_force

MOST = 220  # points of a curve
SLOT, SLOT_TOP, FIRST = 121, 462, 24  # the six images at the bottom
SPLITS = ("train", "validation", "test")


def extent(r: Board) -> int:
    """Return the last step on the loss curve's axis."""
    return max(50, r.steps, r.state.steps, len(r.ghost))


def _loss_axes(last: int, top: float = 1.0) -> Axes:
    return Axes(left=50, top=92, width=410, height=186, x0=0, x1=last, y0=0, y1=top)


def step_at(x: float, y: float, last: int) -> int | None:
    """Return the step under a pointer on the loss curve, None elsewhere."""
    found = _loss_axes(last).inverse(x, y)
    return None if found is None else round(found[0])


def focus_at(x: float, y: float) -> int:
    """Return which image is under a pointer, counted from 1; 0 for none."""
    slot = (x - FIRST) // SLOT
    return int(slot) + 1 if y >= SLOT_TOP - 14 and 0 <= slot <= SHOWN else 0


def describe(r: Board) -> str:
    """Return the run in words."""
    if r.missing:
        return r.missing
    s, words = r.state, f"Step {r.steps}"
    if r.losses:
        words += f", loss {r.losses[-1]:.3g}, smoothed {r.smooth[-1]:.3g}"
    if r.accuracies:
        step, *shares = r.accuracies[-1]
        told = ", ".join(f"{100 * share:.0f} % on {split}" for share, split in zip(shares, SPLITS, strict=True))
        words += f". Accuracy at step {step}: {told} images, measured alike, none of them flipped or shifted"
    words += f". {r.verdict.capitalize()}: {r.advice}"
    name = "own image" if s.focus > SHOWN else r.classes[int(r.labels[s.focus - 1])]
    top = r.probabilities[s.focus - 1]
    if np.isfinite(top).all():
        words += f" For the {name} in focus it says {r.classes[int(top.argmax())]}, {100 * top.max():.0f} %."
    told = " ".join(part for part in (effect(s), s.note) if part)
    return f"{words} {told}".strip() + (f" Your update moves as {s.rule} does." if r.agrees else "")


def render(r: Board) -> str:
    """Return the picture."""
    if r.missing:
        return svg.figure(760, 60, describe(r), svg.text(24, 34, r.missing))
    return svg.figure(
        760, 640, describe(r), _head(r), _loss(r), _accuracy(r), _ratio(r), _turns(r), _inside(r), _predictions(r),
        svg.line(8, 612, 752, 612, opacity=0.3),
        svg.text(24, 630, _foot(r), size=12),
    )  # fmt: skip


def _foot(r: Board) -> str:
    return f"File {r.state.file[:40]}" + (f": {r.state.note}" if r.state.note else "")[:110]


def _head(r: Board) -> str:
    good = r.verdict in ("learning", "starting", "catching up")
    sign = svg.marker(32, 17, 2 if good else 5, radius=7)
    pace = "1 step" if r.state.speed < r.state.batch else f"{r.state.speed} images"
    place = f"step {r.steps} · epoch {r.epochs:.2f} · {pace} a picture"
    marks = [sign, svg.text(46, 22, r.verdict.capitalize(), size=15, bold=True)]
    marks.append(svg.text(744, 22, place, anchor="end"))
    for i, row in enumerate(textwrap.wrap(r.advice, 100)[:2]):
        marks.append(svg.text(46, 42 + 17 * i, row))
    return "".join(marks)


def _thinned(values: list[float]) -> tuple[list[float], list[float]]:
    """Return at most MOST (step, value) pairs of one value a step, the last one among them."""
    count = len(values)
    at = range(count) if count <= MOST else [round(i) for i in np.linspace(0, count - 1, MOST)]
    return [i + 1.0 for i in at], [values[i] for i in at]


def _loss(r: Board) -> str:
    seen = [v for v in (*r.smooth, *r.ghost) if np.isfinite(v)]
    top = float(np.clip(1.15 * max(seen, default=0.0), 3.0, 8.0))
    axes = _loss_axes(extent(r), top)
    left = "Loss: each batch, smoothed; dotted: the future you left"
    title = left if r.ghost else "Loss: each batch (thin) and smoothed"
    bottom = axes.top + axes.height
    marks = [
        axes.frame(
            title=title,
            x_label="step (◆ snapshot, dashed: a knob was turned)",
            y_label="cross-entropy",
        )
    ]
    marks.append(axes.curve(*_thinned(r.losses), colour=svg.INK, dash="", width=0.6))
    if r.ghost:
        steps, values = _thinned(r.ghost)
        later = [(x, y) for x, y in zip(steps, values, strict=True) if x >= r.state.fork]
        marks.append(axes.curve([x for x, _ in later], [y for _, y in later], kind=3, dash="2 3", width=2))
    marks.append(axes.curve(*_thinned(r.smooth), kind=0, width=2.5))
    for number, turn in enumerate(r.turns, start=1):
        x = axes.x(turn[0])
        marks.append(svg.line(x, axes.top, x, bottom, colour=svg.COLOURS[5], width=1.5, dash="5 3"))
        if number > len(r.turns) - 12:
            marks.append(svg.text(x - 3, axes.top + 12 + 11 * (number % 3), number, size=11, bold=True, anchor="end"))
    for mark in r.state.marks:
        marks.append(svg.marker(axes.x(mark), bottom, 3, radius=6))
    if r.waiting:
        x = axes.x(r.state.steps)
        marks.append(svg.line(x, axes.top, x, bottom, width=2, dash="1 3"))
    return "".join(marks)


def _words(r: Board, turn: Turn) -> str:
    step, name, value = turn
    earlier = r.state.turns[: r.state.turns.index(turn)] if turn in r.state.turns else r.state.turns
    old = in_force(earlier, step)[name]
    said = [
        ("on" if v else "off") if isinstance(v, bool) else f"{v:g}" if isinstance(v, float) else v for v in (old, value)
    ]
    return f"{KNOBS[name]} {said[0]} → {said[1]}"


def _turns(r: Board) -> str:
    """Return the last turns in words, those that wait for the next step, and what the rule ignores."""
    first = max(len(r.turns) - 3, 0)
    rows = [f"{first + i + 1} · step {turn[0]}: {_words(r, turn)}" for i, turn in enumerate(r.turns[first:])]
    if r.waiting:
        rows = [*rows[-2:], "next step: " + ", ".join(_words(r, turn) for turn in r.waiting)]
    marks = [svg.text(50, 328 + 15 * i, row[:72], size=12, bold=row[0] == "n") for i, row in enumerate(rows)]
    if not rows:
        marks.append(svg.text(50, 328, "Turn a knob while it trains: it is marked on the curve.", size=12))
    marks.append(svg.text(50, 328 + 15 * max(len(rows), 1), effect(r.state), size=12))
    return "".join(marks)


def _accuracy(r: Board) -> str:
    axes = Axes(left=540, top=92, width=204, height=92, x0=0, x1=extent(r), y0=0, y1=1)
    marks = [axes.frame(title="Accuracy, all measured alike", x_ticks=0, y_ticks=2)]
    rows = r.accuracies if len(r.accuracies) <= MOST else r.accuracies[:: len(r.accuracies) // MOST + 1]
    for kind, split in enumerate(SPLITS):
        marks.append(axes.curve([row[0] for row in rows], [row[1 + kind] for row in rows], kind=kind))
        said = f"{split} {100 * r.accuracies[-1][1 + kind]:.0f} %" if r.accuracies else split
        x = (524, 606, 680)[kind]
        marks.append(svg.line(x, 200, x + 15, 200, colour=svg.COLOURS[kind], dash=svg.DASHES[kind], width=2.5))
        marks.append(svg.text(x + 18, 204, said.replace("validation", "val"), size=11))
    return "".join(marks)


def _ratio(r: Board) -> str:
    axes = Axes(left=540, top=242, width=204, height=60, x0=0, x1=extent(r), y0=1e-5, y1=1, log_y=True)
    marks = [axes.frame(title="|update| / |weights| of a step", x_ticks=0, y_ticks=3)]
    usual = axes.y(1e-3)
    marks.append(
        svg.line(axes.left, usual, axes.left + axes.width, usual, colour=svg.COLOURS[2], dash="6 3", width=1.5)
    )
    steps, values = _thinned([v if np.isfinite(v) and v > 0 else float("nan") for v in r.ratios])
    marks.append(axes.curve(steps, values, kind=4, dash="", width=1.5))
    marks.append(svg.text(744, 318, "dashed: 0.001, usual", size=11, anchor="end"))
    return "".join(marks)


def _mosaic(maps: np.ndarray, columns: int, gap: float) -> np.ndarray:
    """Return tiles (n, H, W, ...) as one array, `columns` side by side with one cell of `gap` between them."""
    count, height, width = maps.shape[:3]
    rows = -(-count // columns)
    board = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *maps.shape[3:]), gap, dtype=maps.dtype)
    for i, tile in enumerate(maps):
        top, left = (i // columns) * (height + 1), (i % columns) * (width + 1)
        board[top : top + height, left : left + width] = tile
    return board


def _inside(r: Board) -> str:
    """Return the first layer's filters as colours, and what each layer makes of the image in focus."""
    filters = np.nan_to_num(r.filters).transpose(0, 2, 3, 1)  # (16, 5, 5, 3)
    reach = float(np.abs(filters).max()) or 1.0
    tiles = np.rint(127.5 + 127.5 * filters / reach).astype(np.uint8)
    marks = [svg.text(24, 398, "Filters of layer 1", size=12, bold=True)]
    marks += [raster.image(24 + 22 * (i % 8), 406 + 22 * (i // 8), 20, 20, raster.png(t)) for i, t in enumerate(tiles)]
    for layer, maps in enumerate(r.activations):
        x, columns = (212, 400, 580)[layer], (8, 10, 10)[layer]
        high = float(np.nanmax(maps, initial=0.0)) if np.isfinite(maps).any() else 0.0
        levels = (
            np.rint(32 * np.nan_to_num(maps, posinf=0.0) / (high or 1.0)) / 32
        )  # 33 levels pack into half the bytes
        board = _mosaic(levels.astype(np.float32), columns, np.nan)
        marks.append(svg.text(x, 398, f"Activations, layer {layer + 1}", size=12, bold=True))
        marks.append(
            raster.heat_map(x, 406, 168 if layer == 0 else 170, 42 if layer == 0 else 34, board, low=0, high=1)
        )
    return "".join(marks)


def _predictions(r: Board) -> str:
    """Return the images with the three classes that the net finds likeliest."""
    marks = []
    for i, image in enumerate(r.images):
        x, mine = FIRST + SLOT * i, i == SHOWN
        truth = "" if mine else r.classes[int(r.labels[i])]
        marks.append(svg.text(x, SLOT_TOP + 8, r.own[:19] if mine else truth, size=11 if mine else 12, bold=not mine))
        marks.append(raster.photo(x, SLOT_TOP + 14, 60, 60, image))
        if i == r.state.focus - 1:
            marks.append(svg.rect(x - 3, SLOT_TOP + 11, 66, 66, colour=svg.COLOURS[0], line_width=3))
            marks.append(svg.text(x + 67, SLOT_TOP + 40, "◂ shown", size=11))
        row = r.probabilities[i]
        if not np.isfinite(row).all():
            marks.append(svg.text(x, SLOT_TOP + 100, "no number", size=12))
            continue
        for place, label in enumerate(np.argsort(-row, kind="stable")[:3].tolist()):
            y, right = SLOT_TOP + 84 + 20 * place, r.classes[label] == truth
            marks.append(svg.rect(x, y, 108 * row[label], 17, fill=svg.COLOURS[2 if right else 3], opacity=0.5))
            said = f"{100 * row[label]:.0f} % {r.classes[label]}" + (" ✓" if right else "")
            marks.append(svg.text(x + 4, y + 13, said, size=12, bold=right))
    return "".join(marks)
