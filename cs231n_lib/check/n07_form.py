"""The form of what a norm takes and returns: several results, and a cache of five known parts."""

from typing import Any

import numpy as np

from .n07_oracle import moments
from .report import Report

PARTS = ("x", "gamma", "mean", "var", "eps")


def results(value: Any, names: tuple[str, ...], report: Report) -> tuple[Any, ...]:
    """Require as many returned values as there are names, and give them back."""
    if value is None:
        report.fail("the result is None", hint="Does your function end in `return`?", symptom="no-return")
    if not isinstance(value, tuple | list) or len(value) != len(names):
        found = f"{len(value)} values" if isinstance(value, tuple | list) else f"one {type(value).__name__}"
        report.fail(
            f"the results must be ({', '.join(names)}), got {found}",
            hint=f"End in `return {', '.join(names)}`.",
            symptom="result-count",
        )
    return tuple(value)


def make_cache(x: np.ndarray, gamma: np.ndarray, eps: float, *, axis: int) -> tuple[Any, ...]:
    """Return the cache that the exercise describes, of x's own dtype; so a backward pass needs no forward pass."""
    mean, var = (values.astype(x.dtype) for values in moments(x, axis=axis))
    return (x, gamma, mean[:, None], var[:, None], eps) if axis else (x, gamma, mean, var, eps)


def require_cache(cache: Any, x: np.ndarray, gamma: np.ndarray, eps: float, report: Report, *, axis: int) -> None:
    """Require a cache of the agreed parts."""
    wanted = dict(zip(PARTS, make_cache(x, gamma, eps, axis=axis), strict=True))
    hint = f"Keep cache = ({', '.join(PARTS)}), in this order: the backward pass is examined with such a cache."
    if not isinstance(cache, tuple | list) or len(cache) != len(PARTS):
        found = f"{len(cache)} values" if isinstance(cache, tuple | list) else type(cache).__name__
        report.fail(f"the cache must be ({', '.join(PARTS)}), got {found}", hint=hint, symptom="cache-form")
    for (name, want), got in zip(wanted.items(), cache, strict=True):
        array = got if isinstance(got, np.ndarray | np.floating | float | int) else None
        shape = np.shape(want)
        if array is None or np.shape(array) != shape or np.asarray(array).dtype.kind not in "fiu":
            found = f"shape {np.shape(array)}" if array is not None else type(got).__name__
            report.fail(f"{name} in the cache must have shape {shape}, got {found}", hint=hint, symptom="cache-form")
        fit = np.allclose(np.asarray(array, dtype=float), want, rtol=1e-6, atol=1e-9)
        report.require(fit, f"{name} in the cache has wrong values", hint=hint, symptom="cache-values")
