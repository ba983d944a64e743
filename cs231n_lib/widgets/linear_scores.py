"""A linear classifier of four pixels and three classes: its settings, scores W x + b, and the plane of two pixels."""

from dataclasses import dataclass

import numpy as np

from .base import Choice, Data, Number, Slider, State, ask

NAMES = ("cat", "dog", "ship")
LOW, HIGH = -80.0, 335.0  # the plane, in pixel values: images lie within 0 .. 255
CELLS, COARSE = 60, 14  # cells of the region map on a side; of the grid on which a student's function is asked
SIZE, SHOWN = 32, 10  # of the photographs: pixels on a side, and how many can be looked at


@dataclass(frozen=True)
class Views(State):
    """The example of four pixels in the course's notes, what is lit, and where the photographs' view looks."""

    view: str = "four"
    pick: str = "cat"
    pixel: int = 1
    x1: int = 56
    x2: int = 231
    x3: int = 24
    x4: int = 2
    cat1: float = 0.2
    cat2: float = -0.5
    cat3: float = 0.1
    cat4: float = 2.0
    cat_bias: float = 1.1
    dog1: float = 1.5
    dog2: float = 1.3
    dog3: float = 2.1
    dog4: float = 0.0
    dog_bias: float = 3.2
    ship1: float = 0.0
    ship2: float = 0.25
    ship3: float = 0.2
    ship4: float = -0.3
    ship_bias: float = -1.2
    held: int = -1  # what the pointer drags: a class's line, 3 the image, -1 nothing
    image: int = 0
    template: int = 0
    row: int = 12
    column: int = 16
    seed: int = 0


FOUR, PHOTO = {"view": "four"}, {"view": "photo"}


def _weights(name: str) -> tuple[Number, ...]:
    needs = {"view": "four", "pick": name}
    cells = [Number(f"{name}{i}", f"{name}: weight {i}", -10.0, 10.0, step=0.1, needs=needs) for i in range(1, 5)]
    return (*cells, Number(f"{name}_bias", f"{name}: bias", -2000.0, 2000.0, step=1.0, needs=needs))


CONTROLS = (
    Choice("view", "image", ("four", "photo"), names=("4 pixels", "32 × 32 × 3")),
    Choice("pick", "class", NAMES, needs=FOUR),
    Choice(
        "pixel", "lit pixel", (1, 2, 3, 4), needs=FOUR, hint="lit in all three views, and the plane's horizontal axis"
    ),
    *(Slider(f"x{i}", f"value of pixel {i}", 0, 255, needs=FOUR) for i in range(1, 5)),
    *(control for name in NAMES for control in _weights(name)),
    Slider("image", "image", 0, SHOWN - 1, needs=PHOTO),
    Slider("template", "class", 0, 9, needs=PHOTO),
    Slider("row", "pixel: row", 0, SIZE - 1, needs=PHOTO),
    Slider("column", "pixel: column", 0, SIZE - 1, needs=PHOTO),
    Slider("seed", "seed", 0, 9, needs=PHOTO),
)


@dataclass(frozen=True)
class Four:
    """The three views of four pixels."""

    state: Views
    W: np.ndarray  # float (3, 4)
    x: np.ndarray  # float (4,)
    b: np.ndarray  # float (3,)
    scores: np.ndarray  # float (3,)
    pick: int
    across: int  # the pixels that span the plane, 0 .. 3
    up: int
    regions: np.ndarray  # int (CELLS, CELLS), row 0 on top
    differs: np.ndarray  # float (n, 2): places in the plane where the student's function says otherwise
    asked: bool
    problem: str


def table(state: Views) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W (3, 4), x (4,) and b (3,) of the state."""
    W = np.array([[getattr(state, f"{name}{i}") for i in range(1, 5)] for name in NAMES])
    b = np.array([getattr(state, f"{name}_bias") for name in NAMES])
    return W, np.array([state.x1, state.x2, state.x3, state.x4], dtype=float), b


def four(state: Views, data: Data) -> Four:
    """Return all three views of four pixels."""
    W, x, b = table(state)
    across, up = state.pixel - 1, state.pixel % 4
    regions = scores_on_plane(W, x, b, across, up, CELLS).argmax(axis=1).reshape(CELLS, CELLS)
    differs, asked, problem = _your_labels(state, W, x, b, data)
    return Four(
        state=state, W=W, x=x, b=b, scores=W @ x + b, pick=NAMES.index(state.pick), across=across, up=up,
        regions=regions, differs=differs, asked=asked, problem=problem,
    )  # fmt: skip


def plane_images(x: np.ndarray, across: int, up: int, cells: int) -> np.ndarray:
    """Return the images (cells * cells, 4) at the middles of the plane's cells, top row first."""
    middle = LOW + (np.arange(cells) + 0.5) / cells * (HIGH - LOW)
    images = np.tile(x, (cells * cells, 1))
    images[:, across], images[:, up] = np.tile(middle, cells), np.repeat(middle[::-1], cells)
    return images


def scores_on_plane(W: np.ndarray, x: np.ndarray, b: np.ndarray, across: int, up: int, cells: int) -> np.ndarray:
    """Return scores (cells * cells, C) over the plane."""
    return plane_images(x, across, up, cells) @ W.T + b


def _your_labels(state: Views, W: np.ndarray, x: np.ndarray, b: np.ndarray, data: Data) -> tuple[np.ndarray, bool, str]:
    """Return the places in the plane where the student's labels differ, whether it was asked, what is wrong with it."""
    nowhere = np.empty((0, 2))
    if "predict" not in data:
        return nowhere, False, ""
    across, up = state.pixel - 1, state.pixel % 4
    images = np.vstack([plane_images(x, across, up, COARSE), x])  # the image itself last
    scores = images @ W.T + b
    columns = np.vstack([W.T, b])  # (5, 3), the biases last
    answer, problem = ask(
        data["predict"], columns, np.hstack([images, np.ones((len(images), 1))]), shape=(len(images),)
    )
    if answer is None:
        return nowhere, True, problem
    wrong = answer != scores.argmax(axis=1)
    top = np.sort(scores, axis=1)
    wrong &= top[:, -1] - top[:, -2] > 1e-9  # a tie may go either way
    if wrong.any():
        i = -1 if wrong[-1] else int(np.flatnonzero(wrong)[0])
        at = "the image" if i == -1 else f"pixel {across + 1} = {images[i, across]:.0f}, {up + 1} = {images[i, up]:.0f}"
        problem = f"your label at {at} is {answer[i]}, expected {scores[i].argmax()}; "
        problem += f"{wrong.sum()} of {len(images)} images differ (marked ✗)"
    return images[wrong][:, [across, up]], True, problem
