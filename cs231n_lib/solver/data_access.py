"""How the solver reads a split (images and labels) and measures accuracy on one."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Preprocess = Callable[[np.ndarray], np.ndarray]


class Model(Protocol):
    """The course's models. `loss(X, y)` returns (loss, grads); `loss(X)` returns scores, float, shape (N, C).

    Running statistics (batch normalisation) live in `bn_params`, a list of dicts, or in `state`, a dict of arrays; a
    model that draws random numbers (dropout) keeps its Generator in `rng`. All three are optional.
    """

    params: dict[str, np.ndarray]

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any: ...


def read_split(split: Any, name: str, preprocess: Preprocess | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (X, y) of a tuple (X, y) or of an object with `.images` and `.labels`, checked.

    X : (N, ...) float, or any dtype that `preprocess` turns into float; y : (N,) integers
    """
    if isinstance(split, tuple) and len(split) == 2:
        X, y = split
    elif hasattr(split, "images") and hasattr(split, "labels"):
        X, y = split.images, split.labels
    else:
        raise TypeError(
            f"Solver: {name} must be a tuple (X, y) or have .images and .labels, got {type(split).__name__}"
        )
    X, y = np.asarray(X), np.asarray(y)
    if y.ndim != 1 or y.dtype.kind not in "iu" or len(y) != len(X) or len(y) == 0:
        raise ValueError(
            f"Solver: {name} labels must be integers of shape ({len(X)},), one per image and at least one, "
            f"got {y.dtype} of shape {y.shape}"
        )
    if preprocess is None and X.dtype.kind != "f":  # uint8 arithmetic wraps at 256 without a word
        raise TypeError(
            f"Solver: {name} images must be float, got {X.dtype}; pass preprocess=..., a function from a batch of "
            "images to float32, for instance one that divides by 255 and subtracts the mean"
        )
    return X, y


def accuracy(
    model: Model, X: np.ndarray, y: np.ndarray, *, batch_size: int = 500, preprocess: Preprocess | None = None
) -> float:
    """Return the fraction of rows whose highest score is their label, 0 to 1.

    Right answers are counted and divided once: a mean of batch accuracies would overweight a short last batch.
    Raises FloatingPointError where scores are nan or inf: argmax would read nan as a confident answer.
    """
    right = 0
    for start in range(0, len(X), batch_size):
        batch = X[start : start + batch_size]
        scores = np.asarray(model.loss(batch if preprocess is None else preprocess(batch)))
        if scores.ndim != 2 or len(scores) != len(batch):
            raise ValueError(f"accuracy: model.loss(X) must be scores of shape ({len(batch)}, C), got {scores.shape}")
        if not np.isfinite(scores).all():
            raise FloatingPointError("accuracy: scores must be finite, got nan or inf; the model has diverged")
        right += int((scores.argmax(axis=1) == y[start : start + batch_size]).sum())
    return right / len(X)
