"""A small net on a plane, trained while you watch: what each unit sees, how a layer bends the plane, what is dead."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .base import Data, Event, Model, callable_or_none, register, show
from .mlp_net import CONTROLS, POINTS, REACH, Net, current, shape_of, size_of, train
from .mlp_picture import NODE, PLANE, compute, describe, line_of, places, render, weight_names

NEAR = 5  # a click this close to a line chooses its weight


def add(state: Net, data: Data) -> Net:
    """Add a point of the brush's class at the cross; beyond POINTS the oldest goes."""
    point = (state.x, state.y, min(state.brush, state.classes) - 1)
    return replace(state, points=(*state.points, point)[-POINTS:])


def undo(state: Net, data: Data) -> Net:
    """Take back the last point that was drawn."""
    return replace(state, points=state.points[:-1]) if state.points else state


def edit(state: Net, data: Data) -> Net:
    """Set the chosen weight."""
    params, known = current(state)
    names = weight_names(state)
    k, i, j = names[min(state.which, len(names) - 1)]
    params = {name: values.copy() for name, values in params.items()}
    params[f"W{k + 1}"][i, j] = state.value
    flat = tuple(float(v) for values in params.values() for v in values.ravel())
    return replace(state, shape=shape_of(state), weights=flat, step=state.step if known else 0,
                   history=state.history if known else ())  # fmt: skip


def fresh(state: Net, data: Data) -> Net:
    """Forget what was trained."""
    return replace(state, step=0, shape=(), weights=(), history=()) if state.weights else state


def advance(state: Net, data: Data) -> Net:
    """Train for some steps."""
    return train(state)


MOVES = {"ArrowLeft": (-0.25, 0), "ArrowRight": (0.25, 0), "ArrowUp": (0, 0.25), "ArrowDown": (0, -0.25)}


def point(state: Net, data: Data, event: Event) -> Net:
    """A click on the plane draws a point, one on a unit bends by it, one on a line chooses its weight."""
    if event.kind == "key":
        return _key(state, data, event.key)
    if event.kind != "down":
        return state
    at = PLANE.inverse(event.x, event.y)
    if at is not None:
        return add(replace(state, x=round(at[0], 2), y=round(at[1], 2)), data)
    spots = places(state)
    for k, column in enumerate(spots[1:-1], start=1):
        for j, (x, y) in enumerate(column):
            if abs(event.x - x) <= NODE / 2 and abs(event.y - y) <= NODE / 2:
                units = {"up": j + 1} if event.shift else {"across": j + 1}
                return replace(state, layer=k, **units)  # type: ignore[arg-type]
    gaps = [_distance(event, line_of(spots, name)) for name in weight_names(state)]
    nearest = int(np.argmin(gaps))
    return replace(state, which=nearest) if gaps[nearest] <= NEAR and nearest != state.which else state


def _distance(event: Event, ends: tuple[float, float, float, float]) -> float:
    """Return how far the pointer is from a line."""
    a, b, p = np.array(ends[:2]), np.array(ends[2:]), np.array([event.x, event.y])
    share = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return float(np.linalg.norm(p - a - share * (b - a)))


def _key(state: Net, data: Data, key: str) -> Net:
    if key in MOVES:
        x, y = (
            float(np.clip(round(v + d, 2), -REACH, REACH)) for v, d in zip((state.x, state.y), MOVES[key], strict=True)
        )
        return replace(state, x=x, y=y)
    if key == "Enter":
        return add(state, data)
    if key == "Backspace":
        return undo(state, data)
    return replace(state, brush=int(key)) if key in set("12345") - {str(state.brush)} else state


def valid(state: Net) -> str:
    """Return what is wrong with the fields that no control moves."""
    for entry in state.points:
        kinds = [type(v) for v in entry]
        if (
            kinds not in ([float, float, int], [int, int, int])
            or max(map(abs, entry[:2])) > REACH
            or not 0 <= entry[2] < 5
        ):
            return f"points must be (x, y, label) on the plane, got {entry!r}"
    if len(state.points) > POINTS:
        return f"points must be at most {POINTS}, got {len(state.points)}"
    if not all(type(v) in (int, float) and abs(v) < 1e6 for v in state.weights):
        return "weights must be numbers below 1e6, got something else"
    if state.weights and (any(type(n) is not int for n in state.shape) or size_of(state.shape) != len(state.weights)):
        return f"shape must fit the {len(state.weights)} weights, got {state.shape!r}"
    rows = [[type(v) for v in row] for row in state.history]
    if any(len(row) != 3 or not set(row) <= {int, float} for row in rows) or len(rows) > 200:
        return "history must be rows of (step, training loss, test loss), got something else"
    if state.step < 0 or max(abs(state.x), abs(state.y)) > REACH:
        return f"step must be 0 or more and x, y on the plane, got {state.step}, {state.x}, {state.y}"
    return ""


MODEL = Model(
    title="MLP playground",
    about="Train a small net on a plane and see what each unit sees and how a layer bends the plane.",
    state=Net,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"add": add, "undo": undo, "edit": edit, "fresh": fresh},
    point=point,
    advance=advance,
    point_help="Click the plane to draw a point, a unit to bend by it (with Shift: upwards), a line to choose its "
    "weight. Keys: arrows move the cross, Enter draws, 1 to 5 choose the class, Backspace undoes.",
    valid=valid,
    challenge=(
        ("How many ReLU units does one hidden layer need to close a line around the inner class of the ring? Say a "
         "number, then try.",
         "Three: each unit bends the boundary once, and a triangle is the smallest closed shape. Two leave it open: "
         "look at the map, not only at the share of points that are right. Many more look round."),
        ("Set the activation to none and use three layers. Which shapes can the boundary have now?",
         "Straight lines only: a product of matrices is a matrix. In the bent grid all lines stay straight and evenly "
         "spaced; nothing can be moved out of a ring."),
        ("Train the spiral with two hidden layers, ReLU and rate 3 until units turn grey. Why do they not come back?",
         "A dead unit is 0 on every training point, so its slope is 0 there too, and no gradient reaches its weights. "
         "Lower rates, or tanh, kill fewer; only new weights bring them back."),
    ),
)  # fmt: skip


@register(MODEL)
def mlp_playground(loss: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Train a net with up to three hidden layers and five classes on points in a plane, some of them your own.

    loss : your function (params, X, y, reg) -> (loss, grads): params and grads are {"W1": (2, H), "b1": (H,), ...},
        the loss is the mean cross-entropy plus reg / 2 times the squares of all W, hidden layers are ReLU. It is
        compared at every step while activation is ReLU and dropout 0. With the class of notebook N04::

            def loss(params, X, y, reg):
                net = TwoLayerNet(input_dim=2, hidden_dim=params["W1"].shape[1], num_classes=len(params["b2"]), reg=reg)
                net.params = params
                return net.loss(X, y)

    state : settings, weights included, as the button "My settings as code" prints them
    """
    callable_or_none("mlp_playground", "loss", loss)
    return show(MODEL, state=state, data={"loss": loss})
