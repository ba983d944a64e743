"""The numbers of the gradient debugger: an analytic gradient beside measured slopes, and what their difference says.

The verdict is always taken at h = 1e-5 in float64, the picture at the step and precision that were chosen: so a bad
step is told from a bad gradient. Bands of relative error: CS231n notes, neural-networks-3, "Gradient checks".
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from cs231n_lib.gradient_check import numerical_gradient, relative_error, slopes_and_kinks

from .base import Button, Choice, Data, Slider, State, ask

LARGEST, SIDE = 400, 40  # entries of x: each costs four calls of f; rows or columns that can be drawn
SAFE = 1e-5  # the step of the verdict
EXPONENTS = tuple(range(-13, 0))
BUGS = ("none", "transposed", "sign", "1/N forgotten", "last row lost", "one entry", "nan")


@dataclass(frozen=True)
class Case(State):
    """An example function of a matrix, the mistake in its gradient, how it is measured, and the entry looked at."""

    example: str = "tanh layer"
    bug: str = "none"
    exponent: int = -5
    precision: str = "float64"
    rows: int = 4
    columns: int = 6
    row: int = 0
    column: int = 0
    seed: int = 0


CONTROLS = (
    Choice("example", "function", ("tanh layer", "leaky kinks", "fourth powers"), hint="not used with your own f"),
    Choice("bug", "planted bug", BUGS, hint="not used with your own gradient"),
    Slider("exponent", "step h = 10^", EXPONENTS[0], EXPONENTS[-1]),
    Choice("precision", "f computes in", ("float64", "float32")),
    Slider("rows", "rows of x", 2, 8, hint="not used with your own x"),
    Slider("columns", "columns of x", 2, 8, hint="not used with your own x"),
    Slider("row", "look at row", 0, SIDE - 1),
    Slider("column", "look at column", 0, SIDE - 1),
    Slider("seed", "random numbers", 0, 9),
    Button("worst", "Go to the worst entry"),
)


@dataclass(frozen=True)
class Comparison:
    """Both gradients as matrices, their relative error, and the entry looked at."""

    state: Case
    shape: tuple[int, ...]  # of x
    x: np.ndarray  # float64 (R, C): x with its last axis as columns
    analytic: np.ndarray | None  # as matrix of its own shape; None: there is none
    analytic_shape: tuple[int, ...]
    numeric: np.ndarray  # (R, C), at the chosen step and precision
    error: np.ndarray  # (R, C), relative; of the transpose if only that has x's shape; nan without a comparison
    wrong: np.ndarray  # bool (R, C), by the verdict
    kinks: np.ndarray  # bool (R, C), not judged
    worst: tuple[int, int]
    at: tuple[int, int]
    sides: tuple[float, float]  # f(x - h), f(x + h) at the entry looked at
    curve: np.ndarray  # relative error at that entry for each of EXPONENTS; nan without an analytic value
    diagnosis: str
    yours: bool  # something of the student's was compared
    problem: str

    def index(self, row: int, column: int) -> list[int]:
        """Return an entry's index into x as it was given."""
        flat = row * self.x.shape[1] + column
        return [int(i) for i in np.unravel_index(flat, self.shape)]


def example(state: Case) -> tuple[np.ndarray, Callable[..., Any], np.ndarray]:
    """Return x (rows, columns), a function of it, and its right gradient at x."""
    rng = np.random.default_rng(state.seed)
    noise = rng.normal(size=(3, 8, 8))
    x = noise[0, : state.rows, : state.columns].copy()
    inputs, targets = noise[1, :, : state.rows], noise[2, :, : state.columns]
    if state.example == "tanh layer":

        def f(w: np.ndarray) -> Any:
            return ((np.tanh(inputs.astype(w.dtype) @ w) - targets.astype(w.dtype)) ** 2).sum() / w.dtype.type(8)

        h = np.tanh(inputs @ x)
        return x, f, inputs.T @ ((h - targets) * (1 - h * h)) / 4
    if state.example == "leaky kinks":
        factor = noise[1, : state.rows, : state.columns]
        x[0, 1], x[1, 0] = 0.0, 3e-6  # on a kink, and nearer to one than the usual step

        def f(w: np.ndarray) -> Any:
            return (factor.astype(w.dtype) * np.where(w > 0, w, w / 10)).sum()

        return x, f, np.where(x > 0, factor, factor / 10)
    return x, lambda w: (w**4).sum() / 4, x**3


def spoiled(gradient: np.ndarray, bug: str) -> np.ndarray:
    """Return the gradient with a mistake that students make."""
    g = gradient.copy()
    if bug == "last row lost":
        g[-1] = 0
    elif bug == "one entry":
        g[len(g) // 2, g.shape[1] // 2] += 0.01
    elif bug == "nan":
        g[1, 1] = np.nan
    changed = {"transposed": g.T, "sign": -g, "1/N forgotten": 8 * g}
    return changed.get(bug, g)


def compute(state: Case, data: Data) -> Comparison:
    """Return both gradients and their difference."""
    shown, f, right = example(state)
    x = np.asarray(data.get("x", shown), dtype=np.float64)
    problem = ""
    if "f" in data:
        answer, problem = ask(data["f"], x, shape=())
        if answer is not None:  # it gives a number; now whether that can be measured: repeatable, float64, finite
            answer, problem = ask(_measuring(data["f"]), x, shape=x.shape)
        f = data["f"] if answer is not None else f
    if ("f" not in data or problem) and x.shape != shown.shape:  # the reference needs its own x
        x = shown
    measured = numerical_gradient(f, x, h=SAFE)
    view = _matrix(x)
    shape = view.shape
    analytic, words = _analytic(state, data, x, right, problem)
    problem = problem or words
    numeric = _measured(f, x, 10.0**state.exponent, state.precision)
    at = min(state.row, shape[0] - 1), min(state.column, shape[1] - 1)
    flat = np.unravel_index(at[0] * shape[1] + at[1], x.shape)
    compared, turned = _aligned(analytic, x)
    error, wrong, kinks = (np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool))
    curve = np.full(len(EXPONENTS), np.nan)
    if compared is not None:
        error = relative_error(compared, numeric).reshape(shape)
        wrong, kinks = (mask.reshape(shape) for mask in _judge(f, x, compared, measured))
        curve = np.array([_slope_error(f, x, flat, float(compared[flat]), e, state.precision) for e in EXPONENTS])
    # The worst wrong entry first; rounding of numbers near zero has a large relative error and means nothing.
    gap = error if compared is None else np.abs(compared - numeric).reshape(shape)
    rank = np.where(wrong, 3 + np.nan_to_num(error, posinf=9), np.nan_to_num(gap / (1 + gap)))
    row, column = divmod(int(np.argmax(rank)), shape[1])
    told = diagnose(analytic, measured, wrong, kinks, turned)
    yours = not problem and ("gradient" in data)
    if yours and (turned or wrong.any() or compared is None):
        problem = f"your gradient: {told}"
    moved = [_moved(f, x, flat, sign * 10.0**state.exponent, state.precision) for sign in (-1, 1)]
    return Comparison(
        state=state, shape=x.shape, x=view, analytic=None if analytic is None else _matrix(analytic),
        analytic_shape=() if analytic is None else analytic.shape, numeric=numeric.reshape(shape), error=error,
        wrong=wrong, kinks=kinks, worst=(row, column), at=at, sides=(moved[0], moved[1]), curve=curve, diagnosis=told,
        yours=yours, problem=problem,
    )  # fmt: skip


def _measuring(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the measurement of f's gradient under f's own name, for messages."""

    @wraps(f)
    def measure(x: np.ndarray) -> np.ndarray:
        return numerical_gradient(f, x, h=SAFE)

    return measure


def _analytic(state: Case, data: Data, x: np.ndarray, right: np.ndarray, problem: str) -> tuple[np.ndarray | None, str]:
    """Return the gradient under test and what is wrong with calling it."""
    known = x.shape == right.shape and ("f" not in data or problem)
    reference = spoiled(right, state.bug) if known else None
    if "gradient" not in data:
        return reference, ""
    answer, words = ask(data["gradient"], x, shape=None)
    if answer is None:
        return reference, words
    if not 0 < answer.size <= LARGEST or max(_matrix(answer).shape) > SIDE:
        return reference, f"your gradient must be of shape {x.shape} like x, got {answer.shape}"
    return answer.astype(np.float64) if answer.dtype != np.float32 else answer, ""


def _matrix(values: np.ndarray) -> np.ndarray:
    """Return an array as a matrix whose columns are its last axis; a number is 1 x 1."""
    return np.atleast_2d(values) if values.ndim < 2 else values.reshape(-1, values.shape[-1])


def _aligned(analytic: np.ndarray | None, x: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Return the gradient to compare, and whether it had to be turned to fit."""
    if analytic is None or analytic.shape == x.shape:
        return analytic, False
    return (analytic.T, True) if analytic.ndim > 1 and analytic.T.shape == x.shape else (None, False)


def _typed(f: Callable[..., Any], precision: str) -> Callable[..., Any]:
    return (lambda v: np.float64(f(v.astype(np.float32)))) if precision == "float32" else f


def _measured(f: Callable[..., Any], x: np.ndarray, h: float, precision: str) -> np.ndarray:
    return np.array([_quotient(f, x, index, h, precision) for index in np.ndindex(x.shape)]).reshape(x.shape)


def _moved(f: Callable[..., Any], x: np.ndarray, index: Any, step: float, precision: str) -> float:
    moved = x.copy()
    moved[index] += step
    with np.errstate(all="ignore"):
        return float(_typed(f, precision)(moved))


def _quotient(f: Callable[..., Any], x: np.ndarray, index: Any, h: float, precision: str) -> float:
    """Return (f(x + h) - f(x - h)) / 2h as a student writes it: rounding included."""
    return (_moved(f, x, index, h, precision) - _moved(f, x, index, -h, precision)) / (2 * h)


def _slope_error(f: Callable[..., Any], x: np.ndarray, index: Any, got: float, exponent: int, precision: str) -> float:
    return float(relative_error(got, _quotient(f, x, index, 10.0**exponent, precision)))


def _judge(
    f: Callable[..., Any], x: np.ndarray, got: np.ndarray, expected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (wrong, kinks), bool of x's shape: disagreements at a safe step that are not at a kink, and the kinks."""
    rtol = 1e-3 if got.dtype == np.float32 else 1e-6
    wrong = ~np.isclose(got, expected, rtol=rtol, atol=1e-8)
    kinks = np.zeros(x.shape, bool)
    where = [tuple(int(i) for i in index) for index in np.argwhere(wrong)]
    if where:
        slopes, bent = slopes_and_kinks(f, x, h=SAFE, indices=where)
        for index, slope, kink in zip(where, slopes, bent, strict=True):
            kinks[index] = kink and np.isfinite(got[index])
            wrong[index] = not kinks[index] and not np.isclose(got[index], slope, rtol=rtol, atol=1e-8)
    return wrong, kinks


def diagnose(
    analytic: np.ndarray | None, measured: np.ndarray, wrong: np.ndarray, kinks: np.ndarray, turned: bool
) -> str:
    """Return in words what kind of mistake the difference looks like."""
    if analytic is None:
        return "nothing to compare: pass gradient= as well"
    if turned and not wrong.any():
        return f"shape {analytic.shape} where x has {measured.shape}; its transpose is right"
    if analytic.shape != measured.shape:
        return f"shape {analytic.shape} where x has {measured.shape}; a gradient has the shape of its x"
    if not wrong.any():
        count = int(kinks.sum())
        here = f"; {count} entr{'y lies' if count == 1 else 'ies lie'} on a kink and cannot be judged" if count else ""
        return f"right at every entry{here}"
    share = f"{wrong.sum()} of {wrong.size} entries {'is' if wrong.sum() == 1 else 'are'} wrong"
    got, want = _matrix(analytic), _matrix(measured)
    if not np.isfinite(got).all():
        return f"{share}; {(~np.isfinite(got)).sum()} of them nan or inf"
    if got.T.shape == want.shape and np.allclose(got.T, want, rtol=1e-5, atol=1e-8):
        return f"{share}; its transpose is right"
    big = np.abs(want) > 1e-6 * np.abs(want).max()
    if not got.any():
        return f"{share}; the gradient is 0 everywhere"
    ratio = got[big] / want[big]
    if np.ptp(ratio) < 1e-4 * np.abs(ratio).max():
        factor = float(ratio.mean())
        return f"{share}; the sign is turned" if abs(factor + 1) < 1e-4 else f"{share}; {factor:.4g} times the slope"
    if wrong.sum() == 1:
        return f"{share}: that one only"
    rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    for word, lines, count in (("row", rows, wrong.shape[0]), ("column", columns, wrong.shape[1])):
        if len(lines) == 1 and count > 1:
            return f"{share}, all in {word} {lines[0]}"
    if np.ptp(got - want) < 1e-4 * np.abs(got - want).max():
        return f"{share}; all too large by {float((got - want).mean()):.4g}"
    return share
