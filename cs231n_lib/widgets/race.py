"""Optimizers race down one surface: trails, losses, and each step as what was carried over plus the new gradient."""

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .race_track import CONTROLS, MOST, REACH, SURFACES, Race, Run, Standing, compute, height, turned

PLANE = Axes(left=34, top=34, width=400, height=400, x0=-REACH, x1=REACH, y0=-REACH, y1=REACH)
CURVES = Axes(left=506, top=34, width=240, height=158, x0=0, x1=MOST, y0=1e-4, y1=1e2, log_y=True)
KINDS = {"SGD": 0, "momentum": 1, "RMSprop": 2, "Adam": 3, "mine": 5}
CARRIED = svg.COLOURS[4]
CELLS, BANDS = 134, 16
BOX = (500, 372, 108)  # left, top and side of the square with the arrows of one step


def describe(r: Standing) -> str:
    """Return the result in words."""
    ends = {name: run.losses[-1] for name, run in _racers(r).items()}
    standing = sorted((loss, name) for name, loss in ends.items() if np.isfinite(loss))
    lost = [name for name, loss in ends.items() if not np.isfinite(loss)]
    said = f"After {r.state.steps} steps on the {r.state.surface} surface"
    said += ": " + ", ".join(f"{name} {loss:.2g}" for loss, name in standing) + "." if standing else "."
    if lost:
        said += f" Diverged: {', '.join(lost)}."
    if r.yours is not None and not r.problem:
        said += f" Your rule agrees with {r.state.watch} step for step."
    return said


def _racers(r: Standing) -> dict[str, Run]:
    return {**r.runs, "mine": r.yours} if r.yours is not None else r.runs


@lru_cache(maxsize=16)
def _ground(surface: str, angle: int) -> str:
    """Return the map: bands of equal height on a logarithmic scale, all light, so that trails show on them."""
    middle = (np.arange(CELLS) + 0.5) / CELLS * 2 * REACH - REACH
    x, y = np.meshgrid(middle, -middle)
    level = np.log(height(surface, angle, x, y)[0] + 0.02)
    band = np.floor((level - level.min()) / np.ptp(level) * BANDS * 0.999)
    return raster.heat_map(PLANE.left, PLANE.top, PLANE.width, PLANE.height, -(band % 2) * 2 - band, low=-60, high=0,
                           colours="grey")  # fmt: skip


def render(r: Standing) -> str:
    """Return the map with its trails, the losses, the standing and the arrows of the last step."""
    s = r.state
    marks = [_ground(s.surface, s.angle)]
    marks.append(PLANE.frame(title=f"{s.surface}, seen from above: dark is high, light is low"))
    fx, fy = turned(*SURFACES[s.surface][1], s.angle)
    marks.append(svg.text(PLANE.x(fx), PLANE.y(fy) + 7, "★", size=20, anchor="middle", colour="#111"))
    for name, run in _racers(r).items():
        marks.append(_trail(name, run, watched=name == s.watch))
    marks.append(svg.circle(PLANE.x(s.x), PLANE.y(s.y), 7, fill="#fff", colour="#111", line_width=2.5))
    if r.differs and r.yours is not None and np.isfinite(r.yours.places[r.differs]).all():
        x, y = r.yours.places[r.differs]
        marks.append(svg.text(PLANE.x(x), PLANE.y(y) + 7, "✗", size=20, anchor="middle", bold=True, colour="#111"))
    speed = "1 step" if s.speed == "slow" else "5 steps"
    marks += [svg.circle(41, 468, 5, colour=svg.INK, line_width=2), svg.text(52, 472, "start", size=12)]
    marks += [svg.text(104, 473, "★", size=15), svg.text(122, 472, "lowest place", size=12)]
    marks.append(svg.text(434, 472, f"Run goes {speed} at a time", size=12, anchor="end"))
    marks += [_losses(r), _standing(r), _arrows(r)]
    return svg.figure(760, 492, describe(r), *marks)


def _trail(name: str, run: Run, *, watched: bool) -> str:
    kind = KINDS[name]
    points: list[tuple[float, float]] = []
    for x, y in run.places[np.isfinite(run.places).all(axis=1)]:
        place = (PLANE.x(x), PLANE.y(y))
        if not points or abs(place[0] - points[-1][0]) + abs(place[1] - points[-1][1]) > 0.4:
            points.append(place)
    line = svg.path(points, colour=svg.COLOURS[kind], width=3.5 if watched else 2, dash=svg.DASHES[kind])
    end = (PLANE.x(run.places[_last(run)][0]), PLANE.y(run.places[_last(run)][1]))
    return line + svg.marker(*end, kind, radius=7, edge="#111")


def _last(run: Run) -> int:
    """Return the last step at which the racer was still somewhere."""
    return int(np.flatnonzero(np.isfinite(run.losses))[-1])


def _losses(r: Standing) -> str:
    marks = [CURVES.frame(title="Loss after each step", x_label="step", y_ticks=6)]
    at = CURVES.x(r.state.steps)
    marks.append(svg.line(at, CURVES.top, at, CURVES.top + CURVES.height, width=5, opacity=0.18))
    for name, run in _racers(r).items():
        marks.append(CURVES.curve(range(len(run.losses)), run.losses.tolist(), kind=KINDS[name],
                                  width=3 if name == r.state.watch else 1.8))  # fmt: skip
    return "".join(marks)


def _standing(r: Standing) -> str:
    marks = []
    for i, (name, run) in enumerate(_racers(r).items()):
        y = 250 + 20 * i
        marks.append(svg.line(500, y, 526, y, colour=svg.COLOURS[KINDS[name]], width=2.5, dash=svg.DASHES[KINDS[name]]))
        marks.append(svg.marker(513, y, KINDS[name], radius=5))
        marks.append(svg.text(536, y + 5, name, bold=name == r.state.watch))
        told = f"diverged at step {_last(run) + 1}" if run.diverged else f"{run.losses[-1]:.3g}"
        marks.append(svg.text(746, y + 5, told, anchor="end", mono=not run.diverged))
    return "".join(marks)


def _arrows(r: Standing) -> str:
    """Return the last step of the watched racer, split into what it carried over and what the new gradient added."""
    left, top, side = BOX
    run, watch = r.runs[r.state.watch], r.state.watch
    marks = [svg.rect(left, top, side, side, colour=svg.INK, opacity=0.45)]
    t = _last(run)
    if t == 0:
        return "".join(marks) + svg.text(left + side + 12, top + 20, "No step yet: press Step.", size=12)
    old, new = run.carried[t - 1], run.fresh[t - 1]
    step = old + new
    corners = np.array([np.zeros(2), old, step])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    scale = (side - 28) / max(float(np.ptp(corners, axis=0).max()), 1e-300)
    x, y = (left + side / 2 + scale * (corners[:, 0] - middle[0]), top + side / 2 - scale * (corners[:, 1] - middle[1]))
    colour = svg.COLOURS[KINDS[watch]]
    marks.append(svg.arrow(x[0], y[0], x[2], y[2], colour=colour, width=4))
    rows = [(colour, 4.0, "the step", step)]
    if old.any():
        marks += [
            svg.arrow(x[0], y[0], x[1], y[1], colour=CARRIED, width=2),
            svg.arrow(x[1], y[1], x[2], y[2], width=1.5),
        ]
        rows += [(CARRIED, 2.0, "carried over", old), (svg.INK, 1.5, "new gradient's", new)]
    for i, (ink, width, name, vector) in enumerate(rows):
        row = top + 18 + 34 * i
        marks.append(svg.arrow(left + side + 10, row - 4, left + side + 32, row - 4, colour=ink, width=width))
        marks.append(svg.text(left + side + 38, row, name, size=12))
        marks.append(svg.text(left + side + 38, row + 14, f"length {np.hypot(*vector):.2g}", size=11))
    marks.append(svg.text(left, top - 8, f"{watch}, step {t}, taken apart", bold=True))
    return "".join(marks)


# --- moves


def advance(state: Race, data: Data) -> Race:
    """Make one step, or five."""
    steps = min(state.steps + (1 if state.speed == "slow" else 5), MOST)
    return state if steps == state.steps else dataclasses.replace(state, steps=steps)


def restart(state: Race, data: Data) -> Race:
    """Put every racer back to the start."""
    return dataclasses.replace(state, steps=0) if state.steps else state


ARROWS = {"ArrowLeft": (-0.05, 0), "ArrowRight": (0.05, 0), "ArrowUp": (0, 0.05), "ArrowDown": (0, -0.05)}


def point(state: Race, data: Data, event: Event) -> Race:
    """Click or drag: the start. Arrow keys move it, Enter makes a step, Backspace goes back to the start."""
    if event.kind == "key":
        if event.key in ARROWS:
            dx, dy = ARROWS[event.key]
            return _started(state, state.x + dx, state.y + dy)
        moves = {"Enter": advance, "Backspace": restart}
        return moves[event.key](state, data) if event.key in moves else state
    place = PLANE.inverse(event.x, event.y) if event.kind in ("down", "drag") else None
    return _started(state, *place) if place else state


def _started(state: Race, x: float, y: float) -> Race:
    x, y = (float(round(np.clip(round(v / 0.05) * 0.05, -REACH, REACH), 2)) for v in (x, y))
    return state if (x, y) == (state.x, state.y) else dataclasses.replace(state, x=x, y=y)


MODEL = Model(
    title="Optimizer race",
    about="Four update rules, and yours, run down one surface; see what each step is made of.",
    state=Race,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"restart": restart},
    point=point,
    point_help="Click or drag to choose the start. Keys: arrows move it, Enter makes a step, Backspace starts again.",
    advance=advance,
    challenge=(
        ("The ravine is 40 times steeper across than along. You are about to turn it by 45 degrees: which racers will "
         "notice?",
         "RMSprop and Adam: each coordinate is divided by its own size, which evens out a ravine along an axis and "
         "cannot when it lies across. RMSprop ends 40 steps a billion times higher. SGD and momentum follow the "
         "gradient, which turns with the surface: from a start that is turned too, not a digit of their loss changes."),
        ("Raise the rate of SGD and momentum to 0.3. Who leaves the map, and which number of the surface says so "
         "beforehand?",
         "SGD on curvature 12 multiplies its distance by 1 - 12·rate at each step: above rate 2/12 = 0.17 it grows. "
         "Momentum 0.9 stands up to (2 + 2·0.9)/12 = 0.32."),
        ("On the saddle, start at y = 0. Which racers reach a star without noise, and which with a little?",
         "None without: on the ridge the gradient has no sideways part, and 0 divided by any root stays 0. A little "
         "noise pushes every racer off the ridge, and the curvature does the rest."),
    ),
)  # fmt: skip


@register(MODEL)
def optimizer_race(update: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show SGD, momentum, RMSprop and Adam on one surface, and your own rule among them.

    update : your rule (w (2,), dw (2,), config) -> (next_w, config), as in the notebook; it joins as "mine" with the
        settings of the rule chosen under "look at", and the first step at which it leaves that rule is marked
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("optimizer_race", "update", update)
    return show(MODEL, state=state, data={"update": update})
