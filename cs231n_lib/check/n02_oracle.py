"""The softmax loss and its slope, by ways that share no algebra with an answer, and the slips that are recognised.

The loss is built from the standard library. Nothing is differentiated: the gradient is the slope of that loss, measured
by central differences of fourth order, about 1e-10 off.
"""

import math
from collections.abc import Callable

import numpy as np

from .report import Symptom, looks_like

EVERY_ROW = (
    "You paired every row with the labels of all rows: an index like [:, y], or a column (N, 1) that meets a row (N,) "
    "and broadcasts to (N, N). Pair row i with y[i] only: [np.arange(N), y]."
)


def data_loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over rows of log(sum of exp(s_j - s_y)): float; w (D, C), x (N, D), y int (N,)."""
    columns, losses = w.T.astype(float).tolist(), []
    for row, label in zip(x.astype(float).tolist(), y.tolist(), strict=True):
        scores = [math.fsum(map(float.__mul__, row, column)) for column in columns]
        top = max(scores)
        losses.append(math.log(math.fsum(math.exp(s - top) for s in scores)) + top - scores[label])
    return math.fsum(losses) / len(losses)


def slopes(f: Callable[[np.ndarray], float], w: np.ndarray, *, step: float = 1e-3) -> np.ndarray:
    """Return the slope of f along each entry of w, by the five-point rule: float64, w's shape."""
    found = np.empty(w.shape)
    for index in np.ndindex(*w.shape):
        rise = []
        for steps in (-2, -1, 1, 2):
            moved = w.astype(np.float64)
            moved[index] += steps * step
            rise.append(f(moved))
        found[index] = (rise[0] - 8 * rise[1] + 8 * rise[2] - rise[3]) / (12 * step)
    return found


def penalty(w: np.ndarray, reg: float) -> float:
    """Return the course's one regularization: half of reg times the sum of squares, the bias row left out."""
    return 0.5 * reg * math.fsum(v * v for v in w[:-1].ravel().tolist())


def case(rng: np.random.Generator, n: int, d: int, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (W (D, C), X (N, D) whose last column is ones, y (N,)) with the first and the last class among y."""
    w, x = rng.normal(size=(d, c)), rng.normal(size=(n, d))
    x[:, -1] = 1.0
    y = rng.integers(0, c, size=n)
    y[:2] = 0, c - 1
    return w, x, y


def loss_slips(w: np.ndarray, x: np.ndarray, y: np.ndarray, reg: float) -> list[Symptom]:
    """Return the slips that are recognised in a loss."""
    data, reg_part, n = data_loss(w, x, y), penalty(w, reg), len(y)
    bias = 0.5 * reg * math.fsum(v * v for v in w[-1].tolist())
    all_pairs = math.fsum(data_loss(w, x, np.full(n, label)) for label in y.tolist()) / n
    return [
        Symptom("sum-loss", looks_like(n * data + reg_part), f"This is the sum over the {n} rows: divide by N."),
        Symptom("divided-twice", looks_like(data / n + reg_part), "You divided by N twice."),
        Symptom("every-row", looks_like(all_pairs + reg_part), EVERY_ROW),
        Symptom("loss-sign", looks_like(-data + reg_part), "The loss is *minus* the log of the probability."),
        Symptom("log2", looks_like(data / math.log(2) + reg_part), "Use the natural logarithm, np.log."),
        Symptom("log10", looks_like(data / math.log(10) + reg_part), "Use the natural logarithm, np.log."),
        Symptom("reg-missing", looks_like(data), "The regularization is missing from the loss."),
        Symptom(
            "reg-double",
            looks_like(data + 2 * reg_part),
            "This is reg * sum(W*W). The course has a half in front, so that its gradient is reg * W.",
        ),
        Symptom("reg-over-n", looks_like(data + reg_part / n), "Only the data part is a mean over N, not the penalty."),
        Symptom(
            "reg-bias",
            lambda v: looks_like(data + reg_part + bias)(v) or looks_like(data + 2 * (reg_part + bias))(v),
            "The last row of W holds the biases: leave it out of the penalty.",
        ),
    ]


def gradient_slips(dw_data: np.ndarray, w: np.ndarray, n: int, reg: float) -> list[Symptom]:
    """Return the slips that are recognised in a gradient. dw_data : the right gradient of the data part."""
    shrink = reg * np.vstack([w[:-1], np.zeros((1, w.shape[1]))])
    right = dw_data + shrink
    whole = dw_data + reg * w

    def bias_row_only(got: np.ndarray) -> bool:
        return bool(np.allclose(got[:-1], right[:-1], rtol=1e-6)) and not np.allclose(got[-1], right[-1], rtol=1e-6)

    return [
        Symptom(
            "sum-gradient",
            looks_like(n * dw_data + shrink),
            f"The data part of your dW is exactly {n} = N times ours: the loss is a mean, so divide by N here too.",
        ),
        Symptom("gradient-sum-all", looks_like(n * right), "Your dW is exactly N times ours: divide by N."),
        Symptom("gradient-twice", looks_like(dw_data / n + shrink), "The data part of dW is divided by N twice."),
        Symptom("reg-over-n", looks_like(dw_data + shrink / n), "Only the data part of dW is divided by N."),
        Symptom("reg-gradient-missing", looks_like(dw_data), "dW lacks the regularization: add reg * W, without b."),
        Symptom(
            "reg-gradient-double",
            looks_like(dw_data + 2 * shrink),
            "The slope of 0.5 * reg * w**2 is reg * w: the 2 and the half cancel.",
        ),
        Symptom("reg-gradient-half", looks_like(dw_data + shrink / 2), "The slope of 0.5 * reg * w**2 is reg * w."),
        Symptom("reg-bias", looks_like(whole), "The last row of W holds the biases, without penalty: none in dW[-1]."),
        Symptom("ascent", looks_like(-dw_data + shrink), "The data part of dW has the wrong sign: p - 1, not 1 - p."),
        Symptom("zero-gradient", lambda v: not v.any(), "dW is all zeros: it was made and never filled."),
        Symptom("bias-row", bias_row_only, "Only the last row of dW, that of the biases, is wrong."),
    ]


def label_slips(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[Symptom]:
    """Gradients with the 1 of the label subtracted nowhere, or in every row for the labels of all rows."""

    def log_sums(v: np.ndarray) -> float:  # the loss without its -s_y: its slope has no 1
        return data_loss(v, x, np.zeros(len(x), dtype=int)) + float((x @ v[:, 0]).mean())

    used = sorted(set(y.tolist()))
    nowhere = slopes(log_sums, w)
    everywhere = slopes(lambda v: log_sums(v) - float((x @ v[:, used]).sum(axis=1).mean()), w)
    return [
        Symptom("no-minus-one", looks_like(nowhere), "The slope at the label is p - 1, elsewhere p: the 1 is missing."),
        Symptom("every-row", looks_like(everywhere), EVERY_ROW),
    ]
