"""Is this gradient right? Compare it with the slope of the function, measured with central differences.

`df/dx_i ~ (f(x + h e_i) - f(x - h e_i)) / 2h` has an error of order h^2; h = 1e-5 balances it against the rounding of
float64 (the best step is near eps^(1/3) = 6e-6). Where f has a kink (ReLU at 0, a tie in a max) there is no slope to
compare with: such indices are reported and not judged. Source: CS231n notes, neural-networks-3, "Gradient checks".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Index = tuple[int, ...]


class GradientError(AssertionError):
    """The analytic gradient disagrees with the slope of the function. An assertion, so that a test cell fails."""


@dataclass(frozen=True)
class GradientCheck:
    """What a passed check saw. `worst_index` is where the relative error is largest; `kinks` were not judged."""

    name: str
    max_relative_error: float
    worst_index: Index
    num_checked: int
    kinks: tuple[Index, ...] = ()


def relative_error(got, expected) -> np.ndarray:
    """Return |got - expected| / max(|got|, |expected|) per entry, float64, 0 to 2; 0/0 is 0, nan or inf give inf."""
    got, expected = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if got.shape != expected.shape:
        raise ValueError(f"relative_error: expected must be of shape {got.shape} like got, got {expected.shape}")
    finite = np.isfinite(got) & np.isfinite(expected)
    scale = np.maximum(abs(got), abs(expected))
    # Divide each by the scale before the subtraction: got - expected could overflow where neither of them does.
    safe = np.where(finite & (scale > 0), scale, 1.0)
    gap = abs(np.where(finite, got, 0.0) / safe - np.where(finite, expected, 0.0) / safe)
    return np.where(finite, gap, np.inf)


def numerical_gradient(
    f: Callable, x, dout=None, *, h: float = 1e-5, indices: Sequence[Index] | None = None
) -> np.ndarray:
    """Return the gradient of sum(dout * f(x)) with respect to x, measured in float64.

    f : function of a float64 array of x's shape; returns a float64 number or array. It must use its argument.
    x : float array, any shape; never written to: f receives its own float64 copy at each call
    dout : array of the shape of f(x), or None when f returns one number
    h : step; scaled by |x_i| where that is above 1, so that the step survives rounding
    indices : positions to measure, from `sample_indices`; None measures all of them
    Returns float64 of x's shape, or of shape (len(indices),). At a kink: the mean of the slopes on both sides.
    """
    x, rise, _ = _prepare(f, x, dout, h)
    where = all_indices(x.shape) if indices is None else indices
    slopes = np.array([_sides(rise, x, i, h).mean() for i in where], dtype=np.float64)
    return slopes.reshape(x.shape) if indices is None else slopes


def slopes_and_kinks(f: Callable, x, dout=None, *, h: float = 1e-5, indices: Sequence[Index] | None = None):
    """Return (slopes, kinks), float64 and bool of shape (K,): `numerical_gradient`, and where f has no slope at all.

    With a kink at distance d < h, the jump from the left slope to the right one is J + c h: the curvature part c h
    halves with the step, J does not, so J ~ 2 jump(h/2) - jump(h). That estimate is 0 for an unlucky kink at d = h/3,
    where in turn the central difference changes with the step (by J d / 2h; a smooth f changes it by h^2 only). A kink
    seen at h but not at h/30 is only near x: the slope measured at h/30 is then the true one.
    """
    x, rise, noise = _prepare(f, x, dout, h)
    slopes, kinks = [], []
    for index in all_indices(x.shape) if indices is None else indices:
        for step in (h, h / 30):
            whole, half = _sides(rise, x, index, step), _sides(rise, x, index, step / 2)
            jump = 2 * (half[1] - half[0]) - (whole[1] - whole[0])
            tolerance = 1e-7 * abs(whole).max() + noise / step
            kink = max(abs(jump), abs(half.mean() - whole.mean())) > tolerance
            if not kink:
                break
        slopes.append(whole.mean())
        kinks.append(kink)
    return np.array(slopes, dtype=np.float64), np.array(kinks, dtype=bool)


def check_gradient(
    f: Callable,
    x,
    analytic,
    dout=None,
    *,
    name: str = "dx",
    rtol: float = 1e-6,
    atol: float = 1e-8,
    h: float = 1e-5,
    num_samples: int | None = None,
    rng: np.random.Generator | None = None,
) -> GradientCheck:
    """Raise `GradientError` where `analytic` is not the gradient of sum(dout * f(x)); else return what was seen.

    analytic : array of x's shape, the gradient under test
    name : how messages call it
    rtol, atol : allowed |got - expected| is atol + rtol * max(|got|, |expected|). Central differences in float64 reach
        about 1e-9; an analytic gradient computed in float32 needs rtol near 1e-3.
    num_samples, rng : check that many positions drawn without repeats from rng; None checks all of them
    """
    shape, analytic = np.shape(x), np.asarray(analytic)
    if analytic.shape != shape:
        raise GradientError(f"check_gradient: {name} must be of shape {shape} like its argument, got {analytic.shape}")
    indices = all_indices(shape) if num_samples is None else sample_indices(shape, num_samples, rng=rng)
    if not indices:
        raise ValueError(f"check_gradient: x must hold at least one number, got shape {shape}")
    got = np.array([analytic[i] for i in indices], dtype=np.float64)  # (K,)
    expected = numerical_gradient(f, x, dout, h=h, indices=indices)  # (K,)
    kinks = np.zeros(len(indices), dtype=bool)
    wrong = _disagree(got, expected, rtol, atol)
    if wrong.any():  # a disagreement is excused at a kink, so only these pay for the closer look
        again = np.flatnonzero(wrong)
        expected[again], kinks[again] = slopes_and_kinks(f, x, dout, h=h, indices=[indices[k] for k in again])
        wrong = _disagree(got, expected, rtol, atol) & ~kinks
    if kinks.all():
        raise GradientError(f"check_gradient: {name} cannot be judged, all its positions lie on kinks of f; move x")
    # Below atol a ratio compares rounding with rounding: it counts as 0, and as -1 where it was not judged.
    errors = np.where(abs(got - expected) <= atol, 0.0, relative_error(got, expected))
    errors = np.where(kinks, -1.0, errors)  # (K,)
    worst = int(np.argmax(np.where(wrong, errors + 3.0, errors)))  # any wrong position before every right one
    if wrong.any():
        hint = "" if expected.any() else "; f never changed: does it use its argument?"
        raise GradientError(
            f"check_gradient: {name}{list(indices[worst])} must be {expected[worst]:.9g}, got {got[worst]:.9g} "
            f"(relative error {errors[worst]:.2g}; {wrong.sum()} of {(~kinks).sum()} positions are wrong){hint}"
        )
    at_kinks = tuple(i for i, kink in zip(indices, kinks, strict=True) if kink)
    return GradientCheck(name, float(errors[worst]), indices[worst], int((~kinks).sum()), at_kinks)


def all_indices(shape: Index) -> list[Index]:
    """Return every position of an array of this shape, in C order."""
    return list(np.ndindex(*shape))


def sample_indices(shape: Index, num_samples: int, *, rng: np.random.Generator | None) -> list[Index]:
    """Return min(num_samples, size) different positions, drawn from rng."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"sample_indices: rng must be a Generator, got {rng!r}; pass np.random.default_rng(0)")
    if num_samples < 1:
        raise ValueError(f"sample_indices: num_samples must be at least 1, got {num_samples}")
    size = int(np.prod(shape))
    flat = rng.choice(size, size=min(num_samples, size), replace=False)
    return [tuple(int(i) for i in np.unravel_index(position, shape)) for position in flat]


def loss_of_parameter(model: Any, name: str, X, y) -> Callable[[np.ndarray], float]:
    """Return f(w) = the loss of `model` on (X, y) with `model.params[name]` replaced by w, for the functions above.

    The parameter is put back after each call, also when the model raises.
    """

    def loss(w):
        kept = model.params[name]
        model.params[name] = w
        try:
            return model.loss(X, y)[0]
        finally:
            model.params[name] = kept

    return loss


def _prepare(f: Callable, x, dout, h: float):
    """Return (x, rise, noise): x in float64; rise(moved) = <dout, f(moved) - f(x)>; noise, the rounding of that."""
    x = np.asarray(x)
    if x.dtype.kind != "f":  # a step of 1e-5 vanishes in an integer array: the slopes would come out as nonsense
        raise TypeError(f"numerical_gradient: x must be a float array, got {x.dtype}; pass x.astype(np.float64)")
    if not h > 0:
        raise ValueError(f"numerical_gradient: h must be positive, got {h}")
    x = x.astype(np.float64)
    start = _evaluate(f, x)
    if not np.array_equal(start, _evaluate(f, x)):
        raise ValueError(
            "numerical_gradient: f must repeat itself on the same x, got two values; fix its seed inside f"
        )
    if dout is None and start.size != 1:
        raise ValueError(f"numerical_gradient: dout must be of shape {start.shape} like f(x), got None")
    upstream = np.ones(start.shape) if dout is None else np.asarray(dout, dtype=np.float64)
    if upstream.shape != start.shape:
        raise ValueError(f"numerical_gradient: dout must be of shape {start.shape} like f(x), got {upstream.shape}")

    def rise(moved: np.ndarray) -> float:
        # Subtract before the sum over outputs: the difference of two neighbours is exact, that of two sums is not.
        return float((upstream * (_evaluate(f, moved) - start)).sum())

    # f rounds inside at every operation; 100 eps of its value bounds that for layers of a few thousand terms.
    return x, rise, 100 * np.finfo(np.float64).eps * float(abs(upstream * start).sum())


def _sides(rise: Callable, x: np.ndarray, index: Index, h: float) -> np.ndarray:
    """Return the slopes (left, right) of f at x along one position, float64, shape (2,)."""
    slopes = []
    for step in (-h, h):
        moved = x.copy()
        moved[index] += step * max(1.0, abs(x[index]))
        slopes.append(rise(moved) / (moved[index] - x[index]))  # divide by the step that rounding left
    return np.array(slopes)


def _evaluate(f: Callable, x: np.ndarray) -> np.ndarray:
    value = np.asarray(f(x.copy()))
    if value.dtype.kind == "f" and value.dtype.itemsize < 8:  # float32 rounds at 1e-7: over 2h = 2e-5 that is 1e-2
        raise TypeError(f"numerical_gradient: f must compute in float64, got {value.dtype}; cast its other inputs too")
    value = value.astype(np.float64)
    if not np.isfinite(value).all():
        raise ValueError("numerical_gradient: f must be finite around x, got nan or inf; move x or make h smaller")
    return value


def _disagree(got: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    allowed = atol + rtol * np.maximum(abs(got), abs(expected))
    return ~np.isfinite(got) | (abs(got - expected) > allowed)
