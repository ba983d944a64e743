"""A loss that knows every row it may be given, and so sees what a training loop really does."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class StepSpy:
    """Stands in for a loss, returns gradients of its own making, and follows W from step to step.

    X : float (N, D), every row different, recognised by its first feature;  y : int (N,)
    steps : the rows of each batch, in the order of the calls
    losses : what it answered;  expected : W as it must be after the latest step
    problem : (message, hint, symptom) of the first thing that is wrong with what it was given
    """

    X: np.ndarray
    y: np.ndarray
    rng: np.random.Generator
    num_classes: int
    learning_rate: float
    reg: float
    batch_size: int
    steps: list[list[int]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    expected: np.ndarray | None = None
    previous: tuple[np.ndarray, np.ndarray] | None = None  # W and its gradient, one step ago
    problem: tuple[str, str, str] | None = None

    def __call__(self, W: object, X: object, y: object, reg: object = None) -> tuple[float, np.ndarray]:
        rows = self._rows(X)
        self._labels(y, rows)
        if reg is None or not np.isscalar(reg) or reg != self.reg:
            self._stop("loss must be given the reg that train was given", "Hand reg on to the loss.", "reg-not-passed")
        weights = self._weights(W)
        gradient = weights + self.rng.normal(size=weights.shape)
        self.steps.append(rows)
        self.losses.append(float(self.rng.uniform(1, 9)))
        self.previous = weights, gradient
        self.expected = weights - self.learning_rate * gradient
        return self.losses[-1], gradient

    def wrong_step(self, found: np.ndarray) -> tuple[str, str, str] | None:
        """Return what is wrong with W as it is found after the latest step, or None."""
        if self.previous is None or self.expected is None or np.allclose(found, self.expected, rtol=1e-4, atol=1e-6):
            return None
        before, gradient = self.previous
        known = (
            (before, "W did not change in a step", "Put the new weights where the old ones were.", "never-updates"),
            (before + self.learning_rate * gradient, "W went up the gradient", "The loss grows along dW: go "
             "against it, W - learning_rate * dW.", "ascends"),
            (before - gradient, "the step was dW itself", "Multiply dW by learning_rate.", "no-learning-rate"),
            (before - self.learning_rate * gradient / self.batch_size, "the step was divided by the batch size",
             "The loss is a mean already: take dW as it comes.", "divided-step"),
            (before - self.learning_rate * (gradient + self.reg * before), "reg * W was subtracted once more",
             "dW holds the regularization already.", "reg-twice"),
        )  # fmt: skip
        for weights, message, hint, symptom in known:
            if np.allclose(found, weights, rtol=1e-4, atol=1e-6):
                return f"step {len(self.steps)}: {message}", hint, symptom
        return f"step {len(self.steps)}: W must become W - learning_rate * dW", "", "wrong-step"

    def _weights(self, W: object) -> np.ndarray:
        shape = (self.X.shape[1], self.num_classes)
        if not isinstance(W, np.ndarray) or W.shape != shape or W.dtype.kind != "f":
            what = f"{W.dtype} {W.shape}" if isinstance(W, np.ndarray) else type(W).__name__
            self._stop(f"loss: W must be a float array of shape (D, num_classes) = {shape}, got {what}", "", "shape")
        assert isinstance(W, np.ndarray)
        if self.previous is None:
            if not np.abs(W).max() <= 0.1:
                self._stop(
                    f"W starts with entries up to {np.abs(W).max():.2g} in size",
                    "Start near zero, such as 0.001 times normal numbers: no class is preferred at first.",
                    "large-start",
                )
            return W.astype(np.float64)
        problem = self.wrong_step(W)
        if problem:
            self._stop(*problem)
        return W.astype(np.float64)

    def _rows(self, X: object) -> list[int]:
        """Return the indices in self.X of the rows of a batch."""
        d = self.X.shape[1]
        if not isinstance(X, np.ndarray) or X.ndim != 2 or X.shape[1] != d or X.dtype.kind != "f":
            what = f"shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
            self._stop(f"loss: a batch must be an array (batch_size, {d}), got {what}", "Index X with rows.", "shape")
        assert isinstance(X, np.ndarray)
        if len(X) != self.batch_size:
            every = len(X) == len(self.X)
            self._stop(
                f"loss got {len(X)} rows, with batch_size = {self.batch_size}",
                "You handed on all of X: draw batch_size rows at each step." if every else "",
                "full-batch" if every else "batch-size",
            )
        order = np.argsort(self.X[:, 0])
        found = order[np.minimum(np.searchsorted(self.X[order, 0], X[:, 0] - 0.25), len(order) - 1)]
        if not np.allclose(self.X[found], X, rtol=1e-5):
            self._stop("loss got rows that are not in X", "Hand on the rows of X as they are.", "rows-changed")
        return [int(row) for row in found]

    def _labels(self, y: object, rows: list[int]) -> None:
        if not isinstance(y, np.ndarray) or y.shape != (len(rows),) or not np.array_equal(y, self.y[rows]):
            self._stop(
                "loss got rows with the labels of other rows",
                "Draw the indices of a batch once, and index X and y with the same ones.",
                "labels-misaligned",
            )

    def _stop(self, message: str, hint: str, symptom: str) -> None:
        self.problem = self.problem or (message, hint, symptom)
        raise ValueError(message)
