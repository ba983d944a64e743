"""k nearest neighbours on a plane that can be edited: regions, neighbours, accuracies, and the choice of k."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .knn_plane import CONTROLS, FOLDS, IMAGES, MOST, REACH, Gallery, Map, Plane, compute, place, rotation, tied

NEAR = 0.07  # a click this close to a point takes hold of it
PLANE = Axes(left=34, top=34, width=410, height=410, x0=-REACH, x1=REACH, y0=-REACH, y1=REACH)


def describe(r: Map | Gallery) -> str:
    """Return the result in words."""
    if isinstance(r, Gallery):
        same = sum(name == r.truth for name in r.names)
        return (
            f"Query: {r.truth}. {same} of its {len(r.names)} nearest images by {r.state.metric} "
            f"{'is' if same == 1 else 'are'} of that class. Backgrounds differ by {r.borders.mean():.0f} on average, "
            f"those of all images by {r.usual:.0f}: pixel distance finds the background."
        )
    k, train, test, held = len(r.neighbours), *(100 * row[min(r.state.k, MOST) - 1] for row in r.curves)
    words = f"K = {k}, {r.state.metric}: {train:.0f} % right on training points, {test:.0f} % on test points"
    words += f", {held:.0f} % in {FOLDS}-fold cross-validation." if np.isfinite(held) else "."
    words += f" The query is class {r.votes.argmax() + 1}" + (" by the tie rule." if tied(r.votes[None])[0] else ".")
    return words + (" Your function agrees." if r.asked and not r.problem else "")


def render(r: Map | Gallery) -> str:
    """Return the picture."""
    if isinstance(r, Gallery):
        return _render_images(r)
    s = r.state
    marks = [raster.class_map(PLANE.left, PLANE.top, PLANE.width, PLANE.height, r.regions, ties=r.ties)]
    marks.append(PLANE.frame(title=f"Regions of {len(r.neighbours)}-NN, {s.metric} (hatched: a tie)"))
    qx, qy = PLANE.x(s.query_x), PLANE.y(s.query_y)
    for i in r.neighbours:  # an L1 distance is walked along the axes, an L2 distance flown
        x, y = PLANE.x(r.points[i, 0]), PLANE.y(r.points[i, 1])
        marks.append(svg.path([(qx, qy), *([(x, qy)] if s.metric == "L1" else []), (x, y)], width=1.6, opacity=0.8))
    if s.test:
        marks += [
            svg.marker(PLANE.x(x), PLANE.y(y), kind, radius=4, hollow=True)
            for (x, y), kind in zip(r.test_points, r.test_labels, strict=True)
        ]
    marks += [svg.marker(PLANE.x(x), PLANE.y(y), kind) for (x, y), kind in zip(r.points, r.labels, strict=True)]
    for i in r.neighbours:
        marks.append(svg.circle(PLANE.x(r.points[i, 0]), PLANE.y(r.points[i, 1]), 9, colour=svg.INK, line_width=1.5))
    for x, y in r.differs[:256]:
        marks.append(svg.text(PLANE.x(x), PLANE.y(y) + 5, "✗", anchor="middle", bold=True))
    marks += [svg.circle(qx, qy, 7, fill="#fff", colour="#111", line_width=2), svg.circle(qx, qy, 2, fill="#111")]
    brush = min(s.brush, s.classes) - 1
    marks += [
        svg.text(34, 480, "A click adds", size=12),
        svg.marker(120, 476, brush),
        svg.text(132, 480, f"class {brush + 1}", size=12),
    ]
    marks += [_curve(r), _ballot(r)]
    return svg.figure(760, 490, describe(r), *marks)


def _curve(r: Map) -> str:
    """Return accuracy against K with the folds' bars."""
    axes = Axes(left=508, top=34, width=236, height=180, x0=0.5, x1=MOST + 0.5, y0=0, y1=1)
    ks = np.arange(1, MOST + 1)
    marks = [axes.frame(title="Accuracy for each K", x_label="K", x_ticks=8)]
    marks.append(
        svg.line(axes.x(r.state.k), axes.top, axes.x(r.state.k), axes.top + axes.height, width=7, opacity=0.18)
    )
    for k in ks[np.isfinite(r.folds).any(axis=0)]:
        column = r.folds[:, k - 1][np.isfinite(r.folds[:, k - 1])]
        marks.append(
            axes.whisker(k, column.mean() - column.std(), min(column.mean() + column.std(), 1), colour=svg.COLOURS[2])
        )
    names = ("training points", "test points", f"{FOLDS}-fold, ± one std")
    for kind, curve in enumerate(r.curves):
        marks.append(axes.curve(ks.tolist(), curve.tolist(), kind=kind))
    rows = [
        (svg.line(-8, 0, 10, 0, colour=svg.COLOURS[i], dash=svg.DASHES[i], width=2.5), name)
        for i, name in enumerate(names)
    ]
    return "".join(marks) + svg.legend(516, 272, rows, gap=18)


def _ballot(r: Map) -> str:
    """Return the query's votes as bars."""
    marks = [svg.text(500, 346, "Votes at the query", bold=True)]
    total = r.votes.sum() or 1.0
    for kind, votes in enumerate(r.votes):
        y = 366 + 22 * kind
        marks += [svg.marker(508, y, kind), svg.text(522, y + 5, f"class {kind + 1}", size=12)]
        marks.append(svg.rect(580, y - 7, 120 * votes / total, 14, fill=svg.COLOURS[kind]))
        marks.append(svg.text(706, y + 5, f"{votes:.3g}" + (" ✓" if kind == r.votes.argmax() else ""), mono=True))
    return "".join(marks)


def _render_images(r: Gallery) -> str:
    marks = [svg.text(24, 24, f"Query: {r.truth}", bold=True), raster.photo(24, 36, 128, 128, r.query)]
    marks.append(
        svg.text(
            184, 24, f"Its {len(r.names)} nearest of {IMAGES} images by {r.state.metric} between pixels", bold=True
        )
    )
    for i, name in enumerate(r.names):
        x, y = 184 + 112 * (i % 5), 36 + 150 * (i // 5)
        right = name == r.truth
        marks.append(raster.photo(x, y, 96, 96, r.images[i]))
        marks.append(
            svg.rect(x, y, 96, 96, colour=svg.COLOURS[2 if right else 3], line_width=3, dash="" if right else "6 3")
        )
        marks.append(svg.text(x, y + 113, f"{'✓' if right else '✗'} {name}", bold=right))
        marks.append(svg.text(x, y + 129, f"distance {r.distances[i]:,.0f}", size=11))
    return svg.figure(760, 490, describe(r), *marks)


# --- moves


def _turned_back(state: Plane, x: float, y: float) -> tuple[float, float]:
    """Return a place on the plane as it was before the rotation: edits are kept so."""
    back = rotation(-state.angle) @ np.array([x, y])
    return round(float(back[0]), 3), round(float(back[1]), 3)


def add(state: Plane, data: Data) -> Plane:
    """Add a training point of the brush's class at the query."""
    label = min(state.brush, state.classes) - 1
    edit = ("add", *_turned_back(state, state.query_x, state.query_y), label)
    return dataclasses.replace(state, edits=(*state.edits, edit))


def undo(state: Plane, data: Data) -> Plane:
    """Take back the last edit."""
    return dataclasses.replace(state, edits=state.edits[:-1]) if state.edits else state


ARROWS = {"ArrowLeft": (-0.05, 0), "ArrowRight": (0.05, 0), "ArrowUp": (0, 0.05), "ArrowDown": (0, -0.05)}


def point(state: Plane, data: Data, event: Event) -> Plane:
    """Hover to ask, click to add, drag a point to move it; arrows, Enter, digits and Backspace do the same."""
    if state.view != "points":
        return state
    if event.kind == "key":
        return _key(state, data, event.key)
    if event.kind == "up":
        return dataclasses.replace(state, held=-1) if state.held >= 0 else state
    at = PLANE.inverse(event.x, event.y)
    if at is None:
        return state
    here = dataclasses.replace(state, query_x=round(at[0], 2), query_y=round(at[1], 2))
    if event.kind == "down":
        points, _ = place(state, seed=0, edits=state.edits)
        gaps = np.hypot(*(points - np.array(at)).T)
        # With fewer classes than when a point was added, indices would not match the edits: then points are only added.
        kept = all(edit[0] == "move" or edit[3] < state.classes for edit in state.edits)
        return dataclasses.replace(here, held=int(gaps.argmin())) if kept and gaps.min() < NEAR else add(here, data)
    if event.kind == "drag" and state.held >= 0:
        move = ("move", state.held, *_turned_back(state, *at))
        repeated = state.edits and state.edits[-1][:2] == move[:2]
        return dataclasses.replace(here, edits=(*(state.edits[:-1] if repeated else state.edits), move))
    return here


def _key(state: Plane, data: Data, key: str) -> Plane:
    if key in ARROWS:
        x, y = (
            float(np.clip(round(a + b, 2), -REACH, REACH))
            for a, b in zip((state.query_x, state.query_y), ARROWS[key], strict=True)
        )
        return dataclasses.replace(state, query_x=x, query_y=y)
    if key == "Enter":
        return add(state, data)
    if key == "Backspace":
        return undo(state, data)
    return dataclasses.replace(state, brush=int(key)) if key in set("12345") - {str(state.brush)} else state


def valid(state: Plane) -> str:
    """Return what is wrong with edits that were typed."""
    for edit in state.edits:
        form = [type(value) for value in edit[1:]]
        added = edit[:1] == ("add",) and form in ([float, float, int], [int, int, int])
        moved = edit[:1] == ("move",) and form[:1] == [int] and len(edit) == 4 and edit[1] >= 0
        if not (added and 0 <= edit[3] < 5) and not moved:
            return f'edits must be ("add", x, y, label) or ("move", index, x, y), got {edit!r}'
    return "" if len(state.edits) <= 200 else f"edits must be at most 200, got {len(state.edits)}"


MODEL = Model(
    title="k-NN explorer",
    about="Move points, K and the distance; see the regions, the neighbours and the accuracies follow.",
    state=Plane,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"add": add, "undo": undo},
    point=point,
    point_help="Hover to ask for a label, click to add a point, drag one to move it. Keys: arrows move the query, "
    "Enter adds, 1 to 5 choose the class, Backspace undoes.",
    valid=valid,
    challenge=(
        ("Set K = 1. What is the accuracy on the training points, and why does it say nothing?",
         "Always 100 %: each training point is its own nearest neighbour. Only points that were held out can tell."),
        ("Turn the data by 45 degrees, once with L1 and once with L2. Which regions only turn, and which change shape?",
         "L2 looks the same from every direction, so its regions turn with the data. L1 adds the differences along the "
         "axes, so it depends on where the axes lie, and its regions change shape."),
        ("Look at the images. What do the nearest ones have in common with the query, if not the object?",
         "The background: most pixels belong to it, so it dominates any distance between pixels."),
    ),
)  # fmt: skip


@register(MODEL)
def knn_explorer(predict: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show k-NN on points that you can add and move, and on images.

    predict : your function (X, X_train, y_train, k) -> labels (len(X),), called with L2 and equal votes; places where
        it differs are marked. With the two functions of the notebook:
        `lambda X, X_train, y, k: predict_labels(compute_distances_no_loops(X, X_train), y, k=k)`
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("knn_explorer", "predict", predict)
    return show(MODEL, state=state, data={"predict": predict})
