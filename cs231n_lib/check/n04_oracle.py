"""What N04 is compared with: the softmax loss by the standard library, a two-layer net, and slopes by a complex step.

No gradient formula stands here: f(x + ih) of a smooth f has the slope of f as its imaginary part over h.
"""

import cmath
import math

import numpy as np

NAMES = ("W1", "b1", "W2", "b2")
Params = dict[str, np.ndarray]
STEP = 1e-30  # of the complex step: f(x + ih) has the slope as its imaginary part / h, without a subtraction to round


def row_loss(row: list[complex], label: int) -> complex:
    """Return -log of the softmax of `row` at `label`, by the standard library; complex numbers carry slopes along."""
    top = max(value.real for value in row)
    return cmath.log(sum(cmath.exp(value - top) for value in row)) - (row[label] - top)


def softmax_loss_by_hand(scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return (mean loss, its slopes (N, C)), each slope by a complex step of its own."""
    rows, labels = scores.astype(float).tolist(), y.tolist()
    loss = sum(row_loss(row, label).real for row, label in zip(rows, labels, strict=True)) / len(rows)
    slopes = np.empty(scores.shape)
    for i, c in np.ndindex(scores.shape):
        moved = [complex(value, STEP * (j == c)) for j, value in enumerate(rows[i])]
        slopes[i, c] = row_loss(moved, labels[i]).imag / STEP / len(rows)
    return loss, slopes


def net_scores(params: Params, x: np.ndarray) -> np.ndarray:
    """Return the scores (N, C) of W2 max(0, W1 x + b1) + b2; complex parameters carry slopes along."""
    hidden = x.reshape(len(x), -1) @ params["W1"] + params["b1"]
    return (hidden * (hidden.real > 0)) @ params["W2"] + params["b2"]


def net_loss(params: Params, x: np.ndarray, y: np.ndarray, reg: float) -> complex:
    """Return the mean softmax loss plus half of reg times the squares of both weight matrices."""
    rows = net_scores(params, x).tolist()
    data = sum(row_loss(row, label) for row, label in zip(rows, y.tolist(), strict=True)) / len(rows)
    return data + 0.5 * reg * complex((params["W1"] ** 2).sum() + (params["W2"] ** 2).sum())


def net_slopes(params: Params, x: np.ndarray, y: np.ndarray, reg: float) -> Params:
    """Return the slope of `net_loss` in every parameter, one complex step for each of them."""
    slopes = {}
    for name, array in params.items():
        slopes[name] = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            moved = {key: value.astype(complex) for key, value in params.items()}
            moved[name][index] += 1j * STEP
            slopes[name][index] = net_loss(moved, x, y, reg).imag / STEP
    return slopes


def random_params(rng: np.random.Generator, d: int, h: int, c: int) -> Params:
    """Return parameters of a net of these sizes, none of them zero: a missing bias must show."""
    shapes = {"W1": (d, h), "b1": (h,), "W2": (h, c), "b2": (c,)}
    return {name: rng.normal(0.3, 1.0, size=shape) / math.sqrt(shape[0]) for name, shape in shapes.items()}
