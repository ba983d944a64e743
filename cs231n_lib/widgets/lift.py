"""Hard cases for a linear classifier: what no straight line separates in the plane, one separates in other features."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .lift_space import CONTROLS, REACH, STEP, Lift, Lifted, compute

LEFT = Axes(left=48, top=40, width=306, height=306, x0=-REACH, x1=REACH, y0=-REACH, y1=REACH)
RIGHT = Axes(left=424, top=40, width=306, height=306, x0=-REACH, x1=REACH, y0=-REACH, y1=REACH)
RULES = {
    "quadrants": "class 1: first and third quadrant",
    "ring": "class 1: L2 norm from 1 to 2",
    "modes": "class 1: near one of three centres",
}


def describe(r: Lifted) -> str:
    """Return the result in words."""
    rule = RULES[r.state.case]
    words = f"{rule[0].upper()}{rule[1:]}. One straight line in {where(r)} gets "
    words += f"{100 * r.accuracy:.0f} % of {len(r.points)} points right; in x₁, x₂ themselves {100 * r.raw:.0f} %."
    words += f" The probe is put into class {1 if r.says else 2}."
    if r.yours is not None:
        return f"{words} Your features: {100 * r.yours:.0f} %."
    missing = r.state.features == "yours" and not r.problem
    return words + (" No features of yours are given yet: hard_cases(phi)." if missing else "")


def where(r: Lifted) -> str:
    """Return the names of the features that are shown."""
    own = r.state.features == "yours" and r.yours is not None
    return "your features" if own else f"({r.names[0]}, {r.names[1]})"


def morphed(r: Lifted, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return places between the plane and feature space, as far as the slider says; "yours" is shown at its end."""
    t = r.state.morph if r.state.features not in ("x", "yours") else 1.0
    return (1 - t) * start + t * end


def render(r: Lifted) -> str:
    """Return the plane with the curved boundary, and the feature space with the straight one."""
    arrived = r.state.features in ("x", "yours") or r.state.morph == 1
    marks = [raster.class_map(LEFT.left, LEFT.top, LEFT.width, LEFT.height, 1 - r.regions, opacity=0.25)]
    marks.append(LEFT.frame(title="The plane, and where the line cuts it", x_label="x₁", y_label="x₂"))
    marks += [_dots(LEFT, r.points, r), _probe(LEFT, np.array([r.state.probe_x, r.state.probe_y]))]
    title = (
        "Feature space φ(x), and the straight line" if arrived else f"On the way to φ(x): {100 * r.state.morph:.0f} %"
    )
    marks.append(RIGHT.frame(title=title, x_label=r.names[0], y_label=r.names[1], x_ticks=0, y_ticks=0))
    for bent in morphed(r, r.plane_grid, r.grid):
        marks.append(_inside(bent))
    marks += [_dots(RIGHT, morphed(r, r.points, r.places), r), _line(r, arrived)]
    start = np.array([r.state.probe_x, r.state.probe_y])
    marks += [_probe(RIGHT, morphed(r, start, r.probe)), _words(r)]
    return svg.figure(760, 470, describe(r), *marks)


def _inside(bent: np.ndarray) -> str:
    """Return a line of the bent grid, broken where it leaves the frame and where an angle jumps from pi to -pi."""
    kept = np.where(np.abs(bent).max(axis=1, keepdims=True) <= REACH, bent, np.nan)
    pieces: list[list[tuple[float, float]]] = []
    piece: list[tuple[float, float]] = []
    for i, (x, y) in enumerate(kept):
        jump = i > 0 and np.hypot(*(bent[i] - bent[i - 1])) > REACH
        if np.isnan(x) or jump:
            pieces, piece = [*pieces, piece], []
        if not np.isnan(x):
            piece.append((RIGHT.x(x), RIGHT.y(y)))
    return "".join(svg.path(p, width=1, opacity=0.3) for p in [*pieces, piece] if len(p) > 1)


def _dots(axes: Axes, places: np.ndarray, r: Lifted) -> str:
    """Return class 1 as circles, class 2 as squares, each wrong one in a frame."""
    at = [(axes.x(x), axes.y(y)) for x, y in places]
    ones = [svg.circle(x, y, 3.6, fill=svg.COLOURS[0]) for (x, y), label in zip(at, r.labels, strict=True) if label]
    twos = [(x - 3.2, y - 3.2) for (x, y), label in zip(at, r.labels, strict=True) if not label]
    missed = [(x - 6, y - 6) for (x, y), wrong in zip(at, r.guesses != r.labels, strict=True) if wrong]
    frames = svg.squares(missed, 12, colour=svg.INK) if missed else ""
    return "".join(ones) + svg.squares(twos, 6.4, fill=svg.COLOURS[1]) + frames


def _probe(axes: Axes, place: np.ndarray) -> str:
    x, y = axes.x(place[0]), axes.y(place[1])
    return svg.circle(x, y, 7, fill="#fff", colour="#111", line_width=2) + svg.circle(x, y, 2.5, fill="#111")


def _line(r: Lifted, arrived: bool) -> str:
    """Return the boundary in feature space, faint until the points have arrived there, with the side of class 1."""
    ends = RIGHT.line_ends(*r.line)
    if not ends:
        return ""
    (u0, v0), (u1, v1) = ends
    x0, y0, x1, y1 = RIGHT.x(u0), RIGHT.y(v0), RIGHT.x(u1), RIGHT.y(v1)
    if not arrived:
        return svg.line(x0, y0, x1, y1, width=2, dash="4 5", opacity=0.5)
    a, b, _ = r.line
    dx, dy = 26 * a / np.hypot(a, b), -26 * b / np.hypot(a, b)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return svg.line(x0, y0, x1, y1, width=3) + svg.arrow(x, y, x + dx, y + dy, width=2.5)


def _words(r: Lifted) -> str:
    marks = [svg.circle(54, 400, 4, fill=svg.COLOURS[0]), svg.text(66, 404, RULES[r.state.case], size=12)]
    marks += [svg.rect(51, 416, 7, 7, fill=svg.COLOURS[1]), svg.text(66, 424, "class 2: everything else", size=12)]
    marks += [svg.rect(48, 434, 12, 12, colour=svg.INK), svg.text(66, 444, "framed: on the wrong side", size=12)]
    rows = [(f"one line in {where(r)}", r.accuracy)]
    if r.names != ("x₁", "x₂"):
        rows.append(("one line in (x₁, x₂)", r.raw))
    if r.yours is not None and r.state.features != "yours":
        rows.append(("one line in your features", r.yours))
    for i, (words, share) in enumerate(rows):
        y = 404 + 22 * i
        marks.append(svg.text(424, y, words, size=12, bold=i == 0))
        marks.append(svg.text(730, y, f"{100 * share:.0f} % right", anchor="end", bold=i == 0))
    return "".join(marks)


def point(state: Lift, data: Data, event: Event) -> Lift:
    """Move the probe: by pointing at the plane, or with the arrows."""
    if event.kind == "key":
        moves = {"ArrowLeft": (-0.1, 0), "ArrowRight": (0.1, 0), "ArrowUp": (0, 0.1), "ArrowDown": (0, -0.1)}
        if event.key not in moves:
            return state
        at = (state.probe_x + moves[event.key][0], state.probe_y + moves[event.key][1])
    else:
        found = LEFT.inverse(event.x, event.y)
        if found is None or event.kind == "up":
            return state
        at = found
    x, y = (round(float(np.clip(v, -REACH, REACH)), 1) for v in at)
    return state if (x, y) == (state.probe_x, state.probe_y) else dataclasses.replace(state, probe_x=x, probe_y=y)


def advance(state: Lift, data: Data) -> Lift:
    """Move the plane one step further towards the features."""
    if state.morph >= 1 or state.features in ("x", "yours"):
        return state
    return dataclasses.replace(state, morph=round(min(1.0, state.morph + STEP), 2))


MODEL = Model(
    title="Hard cases for a linear classifier",
    about="Three sets of points that no straight line separates, and features in which one does.",
    state=Lift,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    point=point,
    advance=advance,
    point_help="Point at the plane to see where a point goes in feature space; the arrow keys move it too. Run moves "
    "the whole plane there.",
    challenge=(
        ("Angle and radius unroll the ring. Will one straight line then cut it out? Answer, then press Run.",
         "No: the ring becomes a band, and 'everything else' lies on both sides of it. With r and (r - 1.5)² the band "
         "bends so that one line leaves it alone on one side."),
        ("For the quadrants, one product is enough. Which, and what is its sign in each quadrant?",
         "x₁ · x₂: positive where both have the same sign, in the first and third quadrant, negative in the others. "
         "The line is where it is 0."),
        ("Only the bumps separate the three modes. Who knows where to put them, on data you cannot see?",
         "Somebody who has seen the points. A hidden layer finds its own features from the data; that is what it is "
         "for."),
    ),
)  # fmt: skip


@register(MODEL)
def hard_cases(phi: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show quadrants, ring and three modes in the plane and in other features, with the line that is fitted there.

    phi : your features, a function of points (N, 2) that returns (N, F) with 1 <= F <= 12, such as `lift_ring`; the
        centres of the modes are (-1.5, 1.2), (1.6, 0.9), (0, -1.6): `lambda X: lift_modes(X, np.array([...]))`
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("hard_cases", "phi", phi)
    return show(MODEL, state=state, data={"phi": phi})
