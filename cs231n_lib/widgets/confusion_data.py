"""What the confusion browser counts: two splits of drawn images, three classifiers, and the student's.

Or, if images are given, the student's classifier on those alone.
Two things were planted in the test split, for readers to find: WRONG_LABELS images carry a wrong label, and COPIES are
slightly brighter copies of training images.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES, draw

from .base import Choice, Data, Slider, State, Switch, Text, ask
from .base.student import NoAnswerError
from .saliency_net import MILD, forward, to_input, trained

IMAGES = 200  # in each split, 20 of a class when drawn
WRONG_LABELS, COPIES = (17, 58, 105, 146), (5, 44, 91, 130, 177)  # places in the test split
PAGE, BINS, K = 16, 10, 5
PAGES = -(-IMAGES // PAGE)
TINY = 1e-12  # a probability of 0 counts as this, so that its loss is a number
ANY = "any"


@dataclass(frozen=True)
class Browse(State):
    """What is counted, which images are shown, and a note that stays with the state."""

    classifier: str = "linear"
    split: str = "test"
    truth: str = ANY
    guess: str = ANY
    sort: str = "loss"
    wrong: bool = False
    grid: str = "images"
    cells: str = "counts"
    chart: str = "classes"
    page: int = 1
    note: str = ""


CLASSIFIERS = ("linear", "k-NN", "ConvNet")
CONTROLS = (
    Choice("classifier", "classifier", CLASSIFIERS),
    Choice("split", "images", ("test", "train")),
    Choice("truth", "label", (ANY, *CLASSES)),
    Choice("guess", "predicted", (ANY, *CLASSES)),
    Choice("grid", "look for", ("images", "duplicates"), hint="duplicates: images that the other split holds too"),
    Choice("sort", "first", ("loss", "confidence", "order"), names=("high loss", "most sure", "order"),
           needs={"grid": "images"}),
    Switch("wrong", "only mistakes"),
    Slider("page", "page", 1, PAGES),
    Choice("cells", "matrix", ("counts", "row %")),
    Choice("chart", "chart", ("classes", "calibration")),
    Text("note", "note", ("these two look alike", "labels 17 and 58 are wrong")),
)  # fmt: skip


@lru_cache(maxsize=1)
def splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images uint8 (IMAGES, 32, 32, 3) and labels (IMAGES,) by split; the ConvNet learned from "train"."""
    labels = np.arange(IMAGES) % 10
    train, test = draw(labels, np.random.default_rng(2311), MILD), draw(labels, np.random.default_rng(15), MILD)
    given, sources = labels.copy(), np.arange(IMAGES)[::-7]
    for i, source in zip(COPIES, sources, strict=False):
        test[i] = np.clip(train[source].astype(int) + 6, 0, 255)
        given[i] = labels[source]
    for i in WRONG_LABELS:
        given[i] = (given[i] + 3) % 10
    return {"train": (train, labels), "test": (test, given)}


@lru_cache(maxsize=1)
def probabilities() -> dict[tuple[str, str], np.ndarray]:
    """Return (IMAGES, 10) for each classifier and split: all at the first look, so that each later move is quick."""
    found = {}
    labels, net = splits()["train"][1], trained()
    small = {name: _small(images) for name, (images, _) in splits().items()}
    mean = small["train"].mean(axis=0)
    weights = _linear(small["train"] - mean, labels)
    for name, (images, _) in splits().items():
        found["linear", name] = softmax(with_one(small[name] - mean) @ weights)
        found["k-NN", name] = _votes(small[name], small["train"], labels)
        found["ConvNet", name] = softmax(forward(net, to_input(images)).scores.astype(np.float64))
    return found


def _small(images: np.ndarray) -> np.ndarray:
    """Return images of 16 x 16 pixels as rows (N, 768) in [0, 1]."""
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean(axis=(2, 4)).reshape(len(images), -1) / 255


def with_one(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _linear(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weights (769, 10) of a softmax classifier: 60 steps of gradient descent with momentum."""
    rows, target = with_one(x), np.eye(10)[y]
    weights = velocity = np.zeros((rows.shape[1], 10))
    for _ in range(60):
        slope = rows.T @ (softmax(rows @ weights) - target) / len(rows) + 1e-3 * weights
        velocity = 0.9 * velocity - 0.03 * slope
        weights = weights + velocity
    return weights


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return rows of probabilities."""
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exps / exps.sum(axis=1, keepdims=True)


def _gaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the L2 distances (len(a), len(b)) of rows."""
    return np.sqrt(np.maximum((a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1), 0))


def _votes(rows: np.ndarray, train: np.ndarray, labels: np.ndarray) -> np.ndarray:
    nearest = np.argsort(_gaps(rows, train), axis=1, kind="stable")[:, :K]
    return (labels[nearest][:, :, None] == np.arange(10)).mean(axis=1)


@lru_cache(maxsize=2)
def twins(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return for each image of a split the nearest one of the other split, (IMAGES,), and its mean pixel difference."""
    other = "train" if split == "test" else "test"
    a, b = (splits()[name][0].reshape(IMAGES, -1).astype(np.float32) for name in (split, other))
    near = _gaps(a, b).argmin(axis=1)
    return near, np.abs(a - b[near]).mean(axis=1)


@dataclass(frozen=True)
class Count:
    """What is drawn. Arrays over images have one entry for each image, in the split's order; C classes."""

    state: Browse
    names: tuple[str, ...]  # of the classes
    own: bool  # the images were given, and the student's function is all there is to show
    images: np.ndarray
    labels: np.ndarray
    guesses: np.ndarray
    confidence: np.ndarray
    losses: np.ndarray
    matrix: np.ndarray  # int (C, C): rows labels, columns predictions
    chosen: np.ndarray  # indices of the images that pass the filters, in the order asked for
    twins: np.ndarray  # the nearest image of the other split
    apart: np.ndarray  # its mean absolute difference, in grey levels
    bins: np.ndarray  # float (3, BINS): count, mean confidence, accuracy of each bin of confidence
    rival: np.ndarray | None  # with the student's predictions shown: the classifier's, to compare
    only_labels: bool  # the student's function gives no probabilities
    problem: str


def compute(state: Browse, data: Data) -> Count:
    """Return the counts, and the images that pass the filters. Raises NoAnswerError if given images get none."""
    own, names = "images" in data, class_names(data)
    images, labels = (data["images"], data["labels"]) if own else splits()[state.split]
    yours, only_labels, problem = _your_answers(state, images, len(names), data)
    if own and yours is None:
        raise NoAnswerError(problem)
    shares = yours if yours is not None else probabilities()[state.classifier, state.split]
    rival = None if own or yours is None else probabilities()[state.classifier, state.split].argmax(axis=1)
    guesses, confidence = shares.argmax(axis=1), shares.max(axis=1)
    losses = -np.log(np.maximum(shares[np.arange(len(labels)), labels], TINY))
    near, apart = (np.arange(len(labels)), np.full(len(labels), np.inf)) if own else twins(state.split)
    return Count(
        state=state, names=names, own=own, images=images, labels=labels, guesses=guesses, confidence=confidence,
        losses=losses, matrix=confusion(labels, guesses, len(names)),
        chosen=choose(state, names, labels, guesses, losses, confidence, apart), twins=near, apart=apart,
        bins=calibration(confidence, guesses == labels), rival=rival, only_labels=only_labels, problem=problem,
    )  # fmt: skip


def class_names(data: Data) -> tuple[str, ...]:
    """Return the names of the classes: those of the given images, or of the drawn ones."""
    return tuple(data.get("class_names", CLASSES))


def confusion(labels: np.ndarray, guesses: np.ndarray, count: int) -> np.ndarray:
    """Return how often each label got each prediction, int (count, count)."""
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (labels, guesses), 1)
    return matrix


def choose(
    state: Browse,
    names: tuple[str, ...],
    labels: np.ndarray,
    guesses: np.ndarray,
    losses: np.ndarray,
    confidence: np.ndarray,
    apart: np.ndarray,
) -> np.ndarray:
    """Return the indices of the images that pass the filters, first the ones asked for."""
    keep = np.ones(len(labels), bool)
    if state.truth != ANY:
        keep &= labels == names.index(state.truth)
    if state.guess != ANY:
        keep &= guesses == names.index(state.guess)
    if state.wrong:
        keep &= labels != guesses
    orders = {"loss": -losses, "confidence": -confidence, "order": np.arange(len(labels))}
    key = apart if state.grid == "duplicates" else orders[state.sort]
    order = np.argsort(key, kind="stable")
    return order[keep[order]]


def calibration(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return count, mean confidence and accuracy in BINS bins of equal width, (3, BINS); nan where a bin is empty."""
    place = np.clip(np.ceil(confidence * BINS - 1e-12).astype(int) - 1, 0, BINS - 1)  # (0, 0.1], (0.1, 0.2], ...
    counts = np.bincount(place, minlength=BINS).astype(float)
    sums = [np.bincount(place, weights=values, minlength=BINS) for values in (confidence, right)]
    with np.errstate(invalid="ignore"):
        return np.stack([counts, *(total / counts for total in sums)])


def _your_answers(
    state: Browse, images: np.ndarray, classes: int, data: Data
) -> tuple[np.ndarray | None, bool, str]:  # fmt: skip
    """Return the student's probabilities, whether only labels were given, and what is wrong. Asked once for a split."""
    if "predict" not in data:
        return None, False, data.get("_misfit", "")
    memo = data.setdefault("_answers", {})
    if state.split not in memo:
        answer, problem = ask(data["predict"], images, shape=None)
        memo[state.split] = _checked(answer, problem, name=_name(data["predict"]), shape=(len(images), classes))
    return memo[state.split]


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _checked(
    answer: np.ndarray | None, problem: str, *, name: str, shape: tuple[int, int]
) -> tuple[np.ndarray | None, bool, str]:  # fmt: skip
    images, classes = shape
    if answer is None:
        return None, False, problem
    if answer.shape == (images,):
        known = np.isin(answer, np.arange(classes))
        if not known.all():
            return None, False, f"{name} must return labels 0 to {classes - 1}, got {answer[~known][0]}"
        return np.eye(classes)[answer.astype(int)], True, ""
    if answer.shape != shape:
        return None, False, f"{name} must return labels ({images},) or scores {shape}, got shape {answer.shape}"
    if not np.isfinite(answer).all():
        return None, False, f"{name} must return finite numbers, got nan or inf"
    likely = (answer >= 0).all() and np.allclose(answer.sum(axis=1), 1, atol=1e-4)
    return (answer.astype(float) if likely else softmax(answer.astype(float))), False, ""
