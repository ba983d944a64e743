"""The numbers of the k-NN explorer: points on a plane, votes, accuracies for each K, and images by pixel distance.

Ties between classes go to the smaller label, as in the notebook.
"""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES, Challenges, draw

from .base import Button, Choice, Data, Slider, State, Switch, ask

CELLS, COARSE = 72, 16  # cells of the map on a side; of the grid on which a student's loops are asked
MOST, FOLDS = 15, 5
REACH = 1.5  # the plane spans [-REACH, REACH] both ways
IMAGES, QUERIES = 50, 10  # drawing them takes about a millisecond each, at the first look
POINTS = {"view": "points"}


@dataclass(frozen=True)
class Plane(State):
    """The settings, and what was added, moved and asked on the plane."""

    view: str = "points"
    k: int = 5
    metric: str = "L2"
    weights: str = "equal"
    classes: int = 3
    per_class: int = 16
    spread: float = 0.35
    angle: int = 0
    test: bool = True
    brush: int = 1
    query_x: float = 0.1
    query_y: float = -0.2
    image: int = 0
    seed: int = 0
    edits: tuple[tuple[Any, ...], ...] = ()  # ("add", x, y, label) or ("move", index, x, y), before the rotation
    held: int = -1  # the point under the pointer while it is dragged


CONTROLS = (
    Choice("view", "data", ("points", "images")),
    Slider("k", "neighbours K", 1, MOST),
    Choice("metric", "distance", ("L1", "L2")),
    Choice("weights", "votes", ("equal", "1/distance"), needs=POINTS),
    Slider("classes", "classes", 2, 5, needs=POINTS),
    Slider("per_class", "points per class", 4, 24, needs=POINTS),
    Slider("spread", "spread", 0.1, 0.6, step=0.05, needs=POINTS),
    Slider("angle", "rotate the data (°)", -90, 90, step=5, needs=POINTS),
    Switch("test", "show test points", needs=POINTS),
    Slider("query_x", "query x", -REACH, REACH, step=0.01, needs=POINTS),
    Slider("query_y", "query y", -REACH, REACH, step=0.01, needs=POINTS),
    Slider("brush", "class to add", 1, 5, needs=POINTS),
    Slider("image", "query image", 0, QUERIES - 1, needs={"view": "images"}),
    Slider("seed", "seed", 0, 9),
    Button("add", "Add a point at the query", needs=POINTS),
    Button("undo", "Undo", needs=POINTS, after="add"),
)


@dataclass(frozen=True)
class Map:
    """What is drawn for points. All coordinates after the rotation."""

    state: Plane
    points: np.ndarray  # float (N, 2)
    labels: np.ndarray  # int (N,)
    test_points: np.ndarray
    test_labels: np.ndarray
    regions: np.ndarray  # int (CELLS, CELLS), row 0 on top
    ties: np.ndarray  # bool (CELLS, CELLS)
    neighbours: np.ndarray  # indices of the K nearest to the query, nearest first
    votes: np.ndarray  # float (classes,), of the query
    curves: np.ndarray  # float (3, MOST): accuracy on training, test and held-out points for each K
    folds: np.ndarray  # float (FOLDS, MOST)
    differs: np.ndarray  # float (n, 2): where the student's function says otherwise
    asked: bool
    problem: str


@dataclass(frozen=True)
class Gallery:
    """What is drawn for images: the query, its neighbours, their classes and distances."""

    state: Plane
    query: np.ndarray  # uint8 (32, 32, 3)
    truth: str
    images: np.ndarray  # uint8 (K, 32, 32, 3)
    names: tuple[str, ...]
    distances: np.ndarray
    borders: np.ndarray  # float (K + 1,): how far each border's mean colour is from the query's, the query's own first
    usual: float  # that distance for the average training image
    problem: str = ""


def distances(a: np.ndarray, b: np.ndarray, metric: str) -> np.ndarray:
    """Return distances (len(a), len(b)) of rows, "L1" or "L2"."""
    if metric == "L1":
        return sum(np.abs(a[:, None, d] - b[None, :, d]) for d in range(a.shape[1]))
    return np.sqrt(sum((a[:, None, d] - b[None, :, d]) ** 2 for d in range(a.shape[1])))


def tally(near: np.ndarray, labels: np.ndarray, weights: str, classes: int) -> np.ndarray:
    """Return votes (M, K, classes) summed up to each K, for sorted distances and their labels (M, K)."""
    if weights == "equal":
        share = np.ones_like(near)
    else:  # as scikit-learn: a training point at distance 0 outvotes all others
        exact = near == 0
        share = np.where(exact.any(axis=1, keepdims=True), exact, 1 / np.where(exact, 1, near))
    return np.cumsum(share[:, :, None] * (labels[:, :, None] == np.arange(classes)), axis=1)


def vote(points: np.ndarray, labels: np.ndarray, at: np.ndarray, state: Plane, most: int) -> np.ndarray:
    """Return votes (M, most, classes) at places (M, 2) for K = 1 .. most."""
    gaps = distances(at, points, state.metric)
    order = np.argsort(gaps, axis=1, kind="stable")[:, :most]
    return tally(np.take_along_axis(gaps, order, axis=1), labels[order], state.weights, state.classes)


def place(state: Plane, *, seed: int, edits: tuple[tuple[Any, ...], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 2) and labels (N,): clouds on a circle, edited, then rotated about the origin."""
    rng = np.random.default_rng([state.seed, seed])
    labels = np.repeat(np.arange(state.classes), state.per_class)
    turn = 2 * np.pi * labels / state.classes + 0.5
    noise = rng.normal(size=(5 * 24, 2))[: len(labels)]
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 0.65 + state.spread * noise
    radius = np.linalg.norm(points, axis=1, keepdims=True)
    points *= np.minimum(1, REACH / np.maximum(radius, REACH))  # into a disc, which a rotation does not leave
    for kind, *values in edits:
        if kind == "add":
            points, labels = np.vstack([points, values[:2]]), np.append(labels, values[2])
        elif values[0] < len(points):
            points[values[0]] = values[1:]
    keep = labels < state.classes
    return points[keep] @ rotation(state.angle).T, labels[keep]


def rotation(angle: float) -> np.ndarray:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, -s], [s, c]])


def centres(cells: int) -> np.ndarray:
    """Return the middles (cells * cells, 2) of the map's cells, top row first."""
    middle = (np.arange(cells) + 0.5) / cells * 2 * REACH - REACH
    x, y = np.meshgrid(middle, -middle)
    return np.stack([x.ravel(), y.ravel()], axis=1)


@lru_cache(maxsize=32)
def _ground(state: Plane) -> dict[str, np.ndarray]:
    """Return all that does not depend on K, the query or the brush, so that moving those is instant."""
    points, labels = place(state, seed=0, edits=state.edits)
    test_points, test_labels = place(state, seed=1, edits=())
    most = min(MOST, len(points))
    fold = np.random.default_rng(state.seed).permutation(len(points)) % FOLDS
    folds = np.full((FOLDS, MOST), np.nan)
    for f in range(FOLDS):
        train, held = fold != f, fold == f
        reach = min(most, int(train.sum()))
        if held.any():
            guesses = vote(points[train], labels[train], points[held], state, reach).argmax(axis=2)
            folds[f, :reach] = (guesses == labels[held][:, None]).mean(axis=0)
    curves = np.full((3, MOST), np.nan)
    for row, (places, truth) in enumerate(((points, labels), (test_points, test_labels))):
        curves[row, :most] = (vote(points, labels, places, state, most).argmax(axis=2) == truth[:, None]).mean(axis=0)
    reached = np.isfinite(folds).any(axis=0)
    curves[2, reached] = np.nanmean(folds[:, reached], axis=0)
    votes = vote(points, labels, centres(CELLS), state, most).astype(np.float32)
    return {
        "points": points, "labels": labels, "test_points": test_points, "test_labels": test_labels, "folds": folds,
        "curves": curves, "votes": votes,
    }  # fmt: skip


def compute(state: Plane, data: Data) -> Map | Gallery:
    """Return the map of the plane, or the neighbours of an image."""
    if state.view == "images":
        return _gallery(state)
    key = Plane(k=1, metric=state.metric, weights=state.weights, classes=state.classes, per_class=state.per_class,
                spread=state.spread, angle=state.angle, seed=state.seed, edits=state.edits)  # fmt: skip
    ground = _ground(key)
    points, labels = ground["points"], ground["labels"]
    k = min(state.k, len(points))
    votes = ground["votes"][:, k - 1]
    query = np.array([[state.query_x, state.query_y]])
    gaps = distances(query, points, state.metric)[0]
    differs, asked, problem = _your_answers(dataclasses.replace(key, k=k), points, labels, data)
    return Map(
        state=state, points=points, labels=labels, test_points=ground["test_points"], test_labels=ground["test_labels"],
        regions=votes.argmax(axis=1).reshape(CELLS, CELLS), ties=tied(votes).reshape(CELLS, CELLS),
        neighbours=np.argsort(gaps, kind="stable")[:k], votes=vote(points, labels, query, state, k)[0, -1],
        curves=ground["curves"], folds=ground["folds"], differs=differs, asked=asked, problem=problem,
    )  # fmt: skip


def tied(votes: np.ndarray) -> np.ndarray:
    top = np.sort(votes, axis=1)
    return np.isclose(top[:, -1], top[:, -2], rtol=1e-6)


def _your_answers(state: Plane, points: np.ndarray, labels: np.ndarray, data: Data) -> tuple[np.ndarray, bool, str]:
    """Return the places where the student's labels differ, whether it was asked, and what is wrong with it."""
    nowhere = np.empty((0, 2))
    if "predict" not in data or state.metric != "L2" or state.weights != "equal":
        return nowhere, False, ""
    memo = data.setdefault("_answers", {})  # the widget's own: see Data
    if state not in memo:
        while len(memo) > 20:
            memo.pop(next(iter(memo)))
        at = centres(COARSE)
        answer, problem = ask(data["predict"], at, points, labels, shape=(len(at),), options={"k": state.k})
        if answer is not None:
            expected = vote(points, labels, at, state, state.k)[:, -1].argmax(axis=1)
            wrong = answer != expected
            if wrong.any():
                i = int(np.flatnonzero(wrong)[0])
                problem = f"your label at ({at[i, 0]:.2f}, {at[i, 1]:.2f}) is {answer[i]}, expected {expected[i]}; "
                problem += f"{wrong.sum()} of {len(at)} places differ (marked ✗)"
            memo[state] = (at[wrong], problem)
        else:
            memo[state] = (nowhere, problem)
    return memo[state][0], True, memo[state][1]


@lru_cache(maxsize=4)
def _pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (IMAGES + QUERIES, 32, 32, 3) on backgrounds of any colour, and their classes."""
    labels = np.arange(IMAGES + QUERIES) % len(CLASSES)
    return draw(labels, np.random.default_rng(seed), Challenges(context=1.0, clutter=0.1)), labels


def _gallery(state: Plane) -> Gallery:
    images, labels = _pictures(state.seed)
    rows = images.reshape(len(images), -1).astype(np.float32)
    query, train = rows[IMAGES + state.image], rows[:IMAGES]
    gap = np.abs(train - query)
    far = gap.sum(axis=1) if state.metric == "L1" else np.sqrt((gap**2).sum(axis=1))
    nearest = np.argsort(far, kind="stable")[: state.k]
    frame = np.ones((32, 32), bool)
    frame[3:-3, 3:-3] = False
    colours = images[:, frame].mean(axis=1)  # (n, 3): the mean colour of each border
    away = np.linalg.norm(colours - colours[IMAGES + state.image], axis=1)
    return Gallery(
        state=state, query=images[IMAGES + state.image], truth=CLASSES[labels[IMAGES + state.image]],
        images=images[nearest], names=tuple(CLASSES[labels[i]] for i in nearest), distances=far[nearest],
        borders=away[nearest], usual=float(away[:IMAGES].mean()),
    )  # fmt: skip
