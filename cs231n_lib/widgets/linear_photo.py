"""The linear classifier's views of photographs: one's own weights, or a nearest-mean classifier of drawn shapes.

Rows are pixels / 255 less a mean image, with a 1 appended; one array W (3073, C) holds weights and, in its last row,
biases, as in the notebooks.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES, Challenges, draw

from .base import Data, ask
from .linear_scores import CELLS, SHOWN, SIZE, Views

PER_CLASS = 5  # drawing an image takes about a millisecond


@dataclass(frozen=True)
class Photo:
    """The three views of a photograph."""

    state: Views
    names: tuple[str, ...]
    image: np.ndarray  # uint8 (32, 32, 3)
    truth: str
    templates: np.ndarray  # float (C, 32, 32, 3)
    x: np.ndarray  # float (32, 32, 3): what is multiplied with a template
    biases: np.ndarray  # float (C,)
    scores: np.ndarray  # float (C,)
    pick: int
    three: tuple[int, ...]  # the classes of the plane: the picked one and the two that score highest beside it
    reach: float  # the plane spans [-reach, reach] both ways, in distances between images
    regions: np.ndarray  # int (CELLS, CELLS), indices into `three`
    step: np.ndarray  # float (2,): where the image goes in the plane if the lit pixel becomes white
    own: bool  # whether W is the student's
    asked: bool
    problem: str


def misfit(data: Data) -> str:
    """Return what is wrong with the student's W, images or names, "" if nothing."""
    W, images, names, mean = (data.get(key) for key in ("W", "images", "class_names", "mean_image"))
    if W is not None:
        shape = np.shape(W)
        if len(shape) != 2 or shape[0] != 3073 or not 2 <= shape[1] <= 10 or not np.isfinite(W).all():
            return f"linear_views: W must be finite, of shape (3073, C) with C in [2, 10], biases last, got {shape}"
        if np.shape(W)[1] != len(names if names is not None else CLASSES):
            return f"linear_views: class_names must be {shape[1]} names, one per column of W, got {names}"
    if images is not None and (
        np.shape(images)[1:] != (32, 32, 3) or not len(images) or np.asarray(images).dtype != np.uint8
    ):
        return f"linear_views: images must be uint8 (N, 32, 32, 3), got {np.asarray(images).dtype} {np.shape(images)}"
    if mean is not None and np.shape(mean) != (32, 32, 3):
        return f"linear_views: mean_image must have shape (32, 32, 3), got {np.shape(mean)}"
    return ""


@lru_cache(maxsize=4)
def _drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (10 * PER_CLASS + SHOWN, 32, 32, 3), the last SHOWN to look at, and their classes."""
    labels = np.arange(10 * PER_CLASS + SHOWN) % 10
    easy = Challenges(
        viewpoint=0.1, illumination=0.2, clutter=0.15, occlusion=0, deformation=0.1, intraclass=0.3, context=0.3
    )
    return draw(labels, np.random.default_rng([seed, 2]), easy), labels


def classifier(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return W (3073, 10) that picks the class with the nearest mean, and the mean image (32, 32, 3).

    |x - m|^2 = |x|^2 - 2 m x + |m|^2, so the nearest mean m is the largest m x - |m|^2 / 2: a linear score.
    """
    images, labels = _drawn(seed)
    train = images[:-SHOWN].reshape(10 * PER_CLASS, -1) / 255.0
    center = train.mean(axis=0)
    means = np.array([train[labels[:-SHOWN] == k].mean(axis=0) for k in range(10)]) - center  # (10, 3072)
    return np.vstack([means.T, -(means**2).sum(axis=1) / 2]), center.reshape(SIZE, SIZE, 3)


def photo(state: Views, data: Data) -> Photo:
    """Return all three views of a photograph."""
    wrong = misfit(data)
    given: dict[str, Any] = {} if wrong else data
    W, mean = classifier(state.seed)
    own = "W" in given
    if own:
        W, mean = (
            np.asarray(given["W"], dtype=float),
            np.asarray(given.get("mean_image", np.zeros((SIZE, SIZE, 3))), dtype=float),
        )
    names = tuple(str(name) for name in given.get("class_names", CLASSES)) if own else CLASSES
    images, labels = _drawn(state.seed)
    shown, truths = images[-SHOWN:], [CLASSES[k] for k in labels[-SHOWN:]]
    if "images" in given:
        shown, truths = np.asarray(given["images"])[:SHOWN], [""] * SHOWN
    at = state.image % len(shown)
    x = shown[at] / 255.0 - mean
    weights, biases = W[:-1].T, W[-1]  # (C, 3072), (C,)
    scores = weights @ x.ravel() + biases
    pick = state.template % len(names)
    rivals = [int(k) for k in np.argsort(-scores) if k != pick][:2]
    three = (pick, *rivals)
    reach, regions, step = _slice(weights, scores, three, state.row, state.column, x + mean)
    asked, problem = _your_photo(W, shown, mean, data) if not wrong else (False, "")
    return Photo(
        state=state, names=names, image=shown[at], truth=truths[at], templates=weights.reshape(-1, SIZE, SIZE, 3), x=x,
        biases=biases, scores=scores, pick=pick, three=three, reach=reach, regions=regions, step=step, own=own,
        asked=asked, problem=wrong or problem,
    )  # fmt: skip


def _slice(
    weights: np.ndarray, scores: np.ndarray, three: tuple[int, ...], row: int, column: int, pixels: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return reach, regions and the lit pixel's step in the plane through the image and across its boundaries.

    The plane is spanned by the directions in which the picked class gains most on its rivals, made orthogonal.
    """
    pick, *rivals = three
    apart = [weights[pick] - weights[k] for k in rivals]
    u = apart[0] / max(float(np.linalg.norm(apart[0])), 1e-12)
    rest = apart[-1] - (apart[-1] @ u) * u
    if np.linalg.norm(rest) < 1e-9:  # with two classes any second direction will do
        rest = np.eye(1, len(u), row * SIZE)[0] - u[row * SIZE] * u
    v = rest / max(float(np.linalg.norm(rest)), 1e-12)
    far = [
        abs(scores[pick] - scores[k]) / max(float(np.linalg.norm(d)), 1e-12) for k, d in zip(rivals, apart, strict=True)
    ]
    reach = max(1.6 * max(far), 1e-6)
    middle = ((np.arange(CELLS) + 0.5) / CELLS * 2 - 1) * reach
    a, b = np.meshgrid(middle, middle[::-1])
    over = [scores[k] + a * (weights[k] @ u) + b * (weights[k] @ v) for k in three]
    lit = np.zeros((SIZE, SIZE, 3))
    lit[row, column] = 1 - pixels[row, column]
    return reach, np.argmax(over, axis=0), np.array([lit.ravel() @ u, lit.ravel() @ v])


def _your_photo(W: np.ndarray, shown: np.ndarray, mean: np.ndarray, data: Data) -> tuple[bool, str]:
    """Return whether the student's function was asked about the images shown, and what is wrong with its labels."""
    if "predict" not in data:
        return False, ""
    rows = np.hstack([(shown / 255.0 - mean).reshape(len(shown), -1), np.ones((len(shown), 1))])
    answer, problem = ask(data["predict"], W, rows, shape=(len(rows),))
    if answer is None:
        return True, problem
    expected = (rows @ W).argmax(axis=1)
    wrong = np.flatnonzero(answer != expected)
    if len(wrong):
        problem = f"your label for image {wrong[0]} is {answer[wrong[0]]}, expected {expected[wrong[0]]}"
    return True, problem
