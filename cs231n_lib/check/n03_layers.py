"""Affine layers, right and wrong in their backward: what the checks that students of N03 write are tried on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_CALLS = 600  # of one forward: a case of 2 x 3 x 2 inputs and 3 outputs takes 66 for all its slopes
MOST_NUMBERS = 300  # in x, w and b together
Grads = tuple[np.ndarray, np.ndarray, np.ndarray]
Alter = Callable[[Grads, "Moment"], Any]


def outputs(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the outputs (N, M) of an affine layer by the standard library."""
    rows, columns = x.reshape(len(x), -1).tolist(), w.T.tolist()
    return np.array(
        [
            [
                math.fsum([*map(float.__mul__, row, column), bias])
                for column, bias in zip(columns, b.tolist(), strict=True)
            ]
            for row in rows
        ]
    )


def slopes(dout: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Grads:
    """Return the gradients (dx, dw, db), measured: the layer is linear in each argument, so a step of 1 is exact."""
    start = outputs(x, w, b)
    found = []
    for which, moved in enumerate((x, w, b)):
        grad = np.empty(moved.shape)
        for index in np.ndindex(moved.shape):
            parts = [x, w, b]
            parts[which] = moved.copy()
            parts[which][index] += 1.0
            grad[index] = math.fsum((dout * (outputs(*parts) - start)).ravel().tolist())
        found.append(grad)
    return found[0], found[1], found[2]


@dataclass(frozen=True)
class Moment:
    """What a backward knows when it is called: its own arguments, and those of the layer's first forward."""

    dout: np.ndarray
    arguments: tuple[np.ndarray, np.ndarray, np.ndarray]
    first: tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass
class Layer:
    """An affine layer, right or wrong in its backward.

    alter : turns the right gradients into what backward returns
    packing : how the cache is built: "tuple", "dict" or "list"
    problem : (message, hint, symptom) of the first call that could not be served
    """

    alter: Alter = lambda grads, moment: grads
    packing: str = "tuple"
    calls: int = 0
    backward_calls: int = 0
    first: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    problem: tuple[str, str, str] | None = None

    def forward(self, x: Any, w: Any, b: Any) -> tuple[np.ndarray, Any]:
        self.calls += 1
        x, w, b = (np.asarray(value, dtype=np.float64) for value in (x, w, b))
        fits = x.ndim >= 2 and w.ndim == 2 and b.shape == w.shape[1:] and len(w) == math.prod(x.shape[1:]) > 0 < len(x)
        if not fits:
            self._stop(
                f"forward got x {x.shape}, w {w.shape}, b {b.shape}",
                "x is (N, d1, ..., dk), w is (d1 ... dk, M) and b is (M,).",
                "case-shapes",
            )
        if self.calls > MOST_CALLS or x.size + w.size + b.size > MOST_NUMBERS:
            self._stop(
                f"your check asks for more than {MOST_CALLS} forward calls, or for more than {MOST_NUMBERS} numbers "
                "in x, w and b",
                "A few numbers along each axis show every mistake: x of shape (2, 3, 2) has twelve.",
                "too-costly",
            )
        self.first = self.first or (x, w, b)
        cache: Any = {"tuple": (x, w, b), "dict": {"x": x, "weights": w, "bias": b}, "list": [b, w, x]}[self.packing]
        return outputs(x, w, b), cache

    def backward(self, dout: Any, cache: Any) -> Any:
        self.backward_calls += 1
        try:
            x, w, b = cache.values() if self.packing == "dict" else cache[:: -1 if self.packing == "list" else 1]
            dout = np.asarray(dout, dtype=np.float64)
        except (AttributeError, TypeError, ValueError):
            self._stop(
                "backward did not get the cache of a forward",
                "Hand on dout and the cache just as forward returned it: what is in it is the layer's own business.",
                "cache",
            )
        if dout.shape != (len(x), len(b)):
            self._stop(
                f"backward got dout of shape {dout.shape}, with outputs of shape {(len(x), len(b))}",
                "dout holds one number for each output.",
                "dout-shape",
            )
        return self.alter(slopes(dout, x, w, b), Moment(dout, (x, w, b), self.first or (x, w, b)))

    def _stop(self, message: str, hint: str, symptom: str) -> None:
        self.problem = self.problem or (message, hint, symptom)
        raise ValueError(message)


def _rounded(grads: Grads, moment: Moment) -> Grads:
    """The right gradients as another order of summation would round them."""
    dx, dw, db = (grad * (1 + 1e-12 * np.cos(7.0 * np.arange(grad.size))).reshape(grad.shape) for grad in grads)
    return dx, dw, db


def _listed(grads: Grads, moment: Moment) -> list[np.ndarray]:
    return [np.asfortranarray(grad) for grad in grads]


RIGHT: dict[str, Callable[[], Layer]] = {
    "plain": Layer,
    "a cache of its own": lambda: Layer(packing="dict"),
    "another memory order": lambda: Layer(_listed, packing="list"),
    "rounding in the twelfth digit": lambda: Layer(_rounded),
}


@dataclass(frozen=True)
class Wrong:
    """A wrong backward: `alter` breaks the right gradients; `hint` says what a check needs in order to see it."""

    name: str
    alter: Alter
    hint: str


def _first_batch(grads: Grads, moment: Moment) -> Grads:
    x, w, b = (np.resize(old, new.shape) for old, new in zip(moment.first, moment.arguments, strict=True))
    return slopes(moment.dout, x, w, b)


def _column_order(grads: Grads, moment: Moment) -> Grads:
    dx, dw, db = grads
    places = np.arange(len(dw)).reshape(dx.shape[1:]).ravel(order="F")
    return dx, dw[places], db


def _one_nan(grads: Grads, moment: Moment) -> Grads:
    dx, dw, db = grads
    dw[-1, 0] = np.nan
    return dx, dw, db


def _one_row_short(grads: Grads, moment: Moment) -> Grads:
    dx, dw, db = grads
    dw[-1] = 0
    return dx, dw, db


WRONG: tuple[Wrong, ...] = (
    Wrong("dx-flat", lambda g, m: (g[0].reshape(len(g[0]), -1), g[1], g[2]), "Is an image as good as its flat row?"),
    Wrong(
        "db-row", lambda g, m: (g[0], g[1], g[2][None]), "(1, M) minus (M,) broadcasts. Do you compare shapes first?"
    ),
    Wrong("db-mean", lambda g, m: (g[0], g[1], g[2] / len(g[0])), "Sum or mean? On one row of x they are the same."),
    Wrong("ones-upstream", lambda g, m: slopes(np.ones_like(m.dout), *m.arguments), "What if dout is never looked at?"),
    Wrong("first-batch", _first_batch, "The second batch differs from the first. Does your check have a second one?"),
    Wrong("column-order", _column_order, "Two axes of features, of different lengths, both longer than 1?"),
    Wrong("no-negatives", lambda g, m: (np.maximum(g[0], 0), g[1], g[2]), "Are there negative numbers in your case?"),
    Wrong("one-nan", _one_nan, "nan > 1e-6 is False. So is nan < 1e-6: which of the two do you ask?"),
    Wrong("one-row-short", _one_row_short, "A loop that ends one early. Do you look at every entry of every gradient?"),
    Wrong(
        "half-precision",
        lambda g, m: tuple(part.astype(np.float16).astype(np.float64) for part in g),
        "Three right digits look right. How many does a central difference give you?",
    ),
)
