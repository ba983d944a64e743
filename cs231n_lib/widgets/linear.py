"""A linear classifier seen three ways at once: as algebra, as templates, and as flat boundaries."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import Data, Event, Model, callable_or_none, register, show
from .base.model import is_static
from .linear_photo import Photo, misfit, photo
from .linear_picture import (
    CELL,
    GAP,
    GRID_X,
    GRID_Y,
    HIGH_ROW,
    MINI,
    MINI_X,
    MINI_Y,
    PHOTO_SIDE,
    PHOTO_X,
    PHOTO_Y,
    PLANE,
    TILE,
    TILES_X,
    TILES_Y,
    describe,
    render,
)  # fmt: skip
from .linear_scores import CONTROLS, NAMES, SIZE, Four, Views, four, table

NEAR = 14.0  # a click this close to a line, in pixel values, takes hold of it


def compute(state: Views, data: Data) -> Four | Photo:
    """Return the three views of four pixels or of a photograph."""
    if state.view == "photo":
        return photo(state, data)
    r = four(state, data)
    return dataclasses.replace(r, problem=r.problem or misfit(data))


def point(state: Views, data: Data, event: Event) -> Views:
    """Drag a line or the image, click a weight; on photographs, click a pixel or a template."""
    if event.kind == "key":
        return _key(state, event.key)
    if event.kind == "up":
        return dataclasses.replace(state, held=-1) if state.held >= 0 else state
    if state.view == "photo":
        return _point_photo(state, event) if event.kind in ("down", "drag") else state
    if event.kind == "down":
        cell = _cell(event)
        if cell is not None:
            return dataclasses.replace(state, pick=NAMES[cell[0]], pixel=cell[1] + 1)
        at = PLANE.inverse(event.x, event.y)
        if at is None:
            return state
        return _drag(dataclasses.replace(state, held=_grip(state, at)), at)
    at = PLANE.inverse(event.x, event.y)
    return _drag(state, at) if event.kind == "drag" and state.held >= 0 and at is not None else state


def _cell(event: Event) -> tuple[int, int] | None:
    """Return (class, pixel) of the weight under the pointer, in the matrix or in a template."""
    row, column = (event.y - GRID_Y) // HIGH_ROW, (event.x - GRID_X) // CELL
    if 0 <= row < 3 and 0 <= column < 4:
        return int(row), int(column)
    for k, x in enumerate(TILES_X[1:]):
        i, j = (event.y - TILES_Y) // (TILE / 2), (event.x - x) // (TILE / 2)
        if 0 <= i < 2 and 0 <= j < 2:
            return k, int(2 * i + j)
    return None


def _grip(state: Views, at: tuple[float, float]) -> int:
    """Return what a click at this place of the plane takes hold of: a class's line, or 3, the image."""
    W, x, b = table(state)
    x[[state.pixel - 1, state.pixel % 4]] = at
    slopes = np.hypot(W[:, state.pixel - 1], W[:, state.pixel % 4])
    gaps = np.where(slopes > 0, np.abs(W @ x + b) / np.where(slopes > 0, slopes, 1), np.inf)
    return int(gaps.argmin()) if gaps.min() < NEAR else 3


def _drag(state: Views, at: tuple[float, float]) -> Views:
    across, up = state.pixel, state.pixel % 4 + 1
    if state.held == 3:
        moved: dict[str, Any] = {f"x{i}": int(np.clip(round(v), 0, 255)) for i, v in ((across, at[0]), (up, at[1]))}
        return dataclasses.replace(state, **moved)
    W, x, _ = table(state)
    x[[across - 1, up - 1]] = at
    name = NAMES[state.held]  # the line goes through the pointer when the class scores 0 there: its bias moves it
    bias = round(float(np.clip(-W[state.held] @ x, -2000, 2000)), 1)
    changes: dict[str, Any] = {"pick": name, f"{name}_bias": bias}
    return dataclasses.replace(state, **changes)


def _point_photo(state: Views, event: Event) -> Views:
    for x in PHOTO_X:
        row, column = ((v // (PHOTO_SIDE / SIZE)) for v in (event.y - PHOTO_Y, event.x - x))
        if 0 <= row < SIZE and 0 <= column < SIZE:
            return dataclasses.replace(state, row=int(row), column=int(column))
    i, j = (event.y - MINI_Y) // 126, (event.x - MINI_X) // GAP
    if event.kind == "down" and 0 <= i < 2 and 0 <= j < 5 and event.y - MINI_Y - 126 * i < MINI:
        return dataclasses.replace(state, template=int(5 * i + j))
    return state


MOVES = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}


def _key(state: Views, key: str) -> Views:
    """Arrows move the image in the plane, or the lit pixel of a photograph; 1 to 4 pick a pixel, Enter the class."""
    far = state.view == "photo"
    if key in MOVES:
        down, right = MOVES[key]
        if far:
            row, column = (int(np.clip(v, 0, SIZE - 1)) for v in (state.row + down, state.column + right))
            return dataclasses.replace(state, row=row, column=column)
        name, step = (f"x{state.pixel}", right) if right else (f"x{state.pixel % 4 + 1}", -down)
        moved: dict[str, Any] = {name: int(np.clip(getattr(state, name) + 5 * step, 0, 255))}
        return dataclasses.replace(state, **moved)
    if key == "Enter":
        turn: dict[str, Any] = (
            {"template": (state.template + 1) % 10} if far else {"pick": NAMES[(NAMES.index(state.pick) + 1) % 3]}
        )
        return dataclasses.replace(state, **turn)
    return dataclasses.replace(state, pixel=int(key)) if not far and key in ("1", "2", "3", "4") else state


def valid(state: Views) -> str:
    """Return what is wrong with the field that no control checks."""
    return "" if -1 <= state.held <= 3 else f"held must be in [-1, 3], got {state.held}"


MODEL = Model(
    title="A linear classifier from three viewpoints",
    about="One matrix of weights, seen as dot products, as templates and as flat boundaries, all at once.",
    state=Views,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    point=point,
    valid=valid,
    point_help="Click a weight, drag a line or the image in the plane; on photographs click a pixel or a template. "
    "Keys: arrows move the image (the pixel), 1 to 4 choose a pixel, Enter the next class.",
    challenge=(
        ("If one weight of the cat grows, what changes in the template, and what happens to the cat's line: "
         "does it move without turning, or does it turn?",
         "One cell of the template becomes more orange. The line turns, for its direction is given by the weights of "
         "both pixels. Only a bias moves it without turning: drag the line and watch which number changes."),
        ("Make the ship win for this image with one bias. By how much must it grow, and which view shows the price?",
         "Until its score passes the highest one. The geometric view shows that the ship then wins in a large region, "
         "of other images too: a bias favours a class whatever the image."),
        ("Switch to 32 × 32 × 3 and pick the class that wins. Where do its products come from: the object, or what is "
         "around it?",
         "From both: on these images about half of the sum comes from pixels far from the middle, where only "
         "background is. A template knows what its class's images share, and a colour around the object counts as "
         "much as one on it."),
    ),
)  # fmt: skip


@register(MODEL)
def linear_views(
    predict: Callable[..., Any] | None = None,
    *,
    W: np.ndarray | None = None,
    images: np.ndarray | None = None,
    mean_image: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    state: Any = None,
) -> Any:
    """Show scores, templates and boundaries of a linear classifier, for four pixels and for images of 32 x 32 x 3.

    predict : your function (W (D, C), X (N, D)) -> labels (N,), the last column of X being 1; where its label is not
        that of the highest score, the place is marked
    W : your trained weights, float (3073, C), biases in the last row, for the view of photographs
    images : uint8 (N, 32, 32, 3), of which the first 10 are shown; drawn shapes without them
    mean_image : float (32, 32, 3), what was taken off pixels / 255 in training; nothing without it
    class_names : C names; those of shapes10 without them
    state : settings, as the button "My settings as code" prints them
    Raises TypeError or ValueError, one sentence, for arguments that do not fit.
    """
    callable_or_none("linear_views", "predict", predict)
    data = {"predict": predict, "W": W, "images": images, "mean_image": mean_image, "class_names": class_names}
    wrong = misfit({name: value for name, value in data.items() if value is not None})
    if wrong and not is_static():  # while grading, the status line says it
        raise ValueError(wrong)
    return show(MODEL, state=state, data=data)
