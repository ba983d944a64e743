"""A classifier that knows every row it may be given, and so sees what a cross-validation really does."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Fold:
    """One call of the classifier: which rows it trained on, which it labelled, for which k."""

    train: list[int]
    val: list[int]
    ks: list[int]


@dataclass
class FoldSpy:
    """Stands in for a classifier, notes the rows it gets, and answers with a chosen number of right labels.

    X : float (N, D), every row different, recognised by its first feature
    y : int (N,)
    accuracies : k -> the true accuracy of each of its answers, in the order of the calls
    problem : (message, hint, symptom) of the first thing that is wrong with what it was given
    """

    X: np.ndarray
    y: np.ndarray
    rng: np.random.Generator
    folds: list[Fold] = field(default_factory=list)
    accuracies: dict[int, list[float]] = field(default_factory=dict)
    problem: tuple[str, str, str] | None = None

    def __call__(self, X_train: object, y_train: object, X_val: object, k_choices: object) -> dict[int, np.ndarray]:
        if isinstance(k_choices, int | np.integer) or not isinstance(k_choices, Sequence | np.ndarray):
            self._stop("classify: k_choices must be a list of k", "Hand on a list, even for one k.", "k-not-list")
        ks = [int(k) for k in k_choices]  # type: ignore[attr-defined]
        train, val = self._rows(X_train, "X_train"), self._rows(X_val, "X_val")
        labels = np.asarray(y_train)
        if labels.shape != (len(train),):
            self._stop(
                f"classify got {len(train)} training rows and labels of shape {labels.shape}",
                "Join the labels of the training folds as you join the rows.",
                "labels-misaligned",
            )
        if not np.array_equal(labels, self.y[train]):
            self._stop(
                "classify got training rows with the labels of other rows",
                "If you shuffle or reorder X, do the same to y: draw one order and index both with it.",
                "labels-misaligned",
            )
        self.folds.append(Fold(train, val, ks))
        return {k: self._labels(k, val) for k in ks}

    def _rows(self, x: object, name: str) -> list[int]:
        """Return the indices in X of the rows of `x`."""
        if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[1] != self.X.shape[1]:
            what = f"shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
            self._stop(
                f"classify: {name} must be an array (rows, {self.X.shape[1]}), got {what}",
                "The training folds must be joined into one array, by np.concatenate or by indexing X with rows.",
                "folds-not-joined",
            )
        order = np.argsort(self.X[:, 0])
        found = np.minimum(np.searchsorted(self.X[order, 0], x[:, 0] - 0.25), len(order) - 1)  # type: ignore[index]
        rows = order[found]
        if not np.allclose(self.X[rows], x, rtol=1e-5):  # type: ignore[arg-type]
            self._stop(
                f"classify: {name} holds rows that are not in X",
                "Hand on the rows of X as they are, without scaling or mixing them.",
                "rows-changed",
            )
        return [int(row) for row in rows]

    def _labels(self, k: int, val: list[int]) -> np.ndarray:
        """Return labels for the rows `val`, of which a random number is right; remember the accuracy."""
        right = self.rng.random(len(val)) < self.rng.uniform(0.2, 0.9)
        self.accuracies.setdefault(k, []).append(float(np.mean(right)) if len(val) else 0.0)
        return np.where(right, self.y[val], (self.y[val] + 1) % 10)

    def _stop(self, message: str, hint: str, symptom: str) -> None:
        self.problem = self.problem or (message, hint, symptom)
        raise ValueError(message)
