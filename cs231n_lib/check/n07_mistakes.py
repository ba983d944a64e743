"""Slips of a normalization that are recognised by what they return: the output, and the gradients."""

from typing import Any

import numpy as np

from .n07_oracle import moments, norm_slopes, normalized
from .report import Report, Symptom, looks_like

Relations = dict[str, tuple[Any, str]]


def symptoms_of(relations: Relations) -> list[Symptom]:
    """Return a symptom for each {name: (what the slip returns, hint)}."""
    return [Symptom(name, looks_like(values), hint) for name, (values, hint) in relations.items()]


def output_mistakes(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float, *, axis: int) -> Relations:
    """Return the slips of gamma * x_hat + beta. axis : 0 for batch norm, 1 for layer norm"""
    means, variances = moments(x, axis=axis)
    size, letter = (x.shape[1], "D") if axis else (len(x), "N")
    ones, nothing = np.ones(len(means)), np.zeros(len(means))
    x_hat = normalized(x, np.ones_like(gamma), np.zeros_like(beta), eps, axis=axis)

    def out(eps: float = eps, axis: int = axis, **changes: Any) -> np.ndarray:
        return normalized(x, gamma, beta, eps, axis=axis, **changes)

    whose = (
        "You average down each column, over the batch. Layer norm averages along each row: one mean per example."
        if axis
        else "You average along each row. Batch norm averages over the batch, axis 0: one mean per feature."
    )
    relations: Relations = {
        "ddof": (
            out(variances=variances * size / max(size - 1, 1)),
            f"You divide the sum of squares by {letter} - 1. Divide by {letter}: ddof=0, as np.var does by itself.",
        ),
        "eps-outside": (
            out(variances=(np.sqrt(variances) + eps) ** 2 - eps),
            "eps belongs under the root: sqrt(var + eps), not sqrt(var) + eps.",
        ),
        "eps-fixed": (out(eps=1e-5), "You use eps = 1e-5 whatever is asked. Use the argument."),
        "no-root": (
            out(variances=(variances + eps) ** 2 - eps),
            "You divide by the variance. Divide by its square root, the standard deviation.",
        ),
        "not-centred": (
            out(means=nothing, variances=variances),
            "The mean is not subtracted: x_hat = (x - mean) / sqrt(var + eps).",
        ),
        "not-scaled": (
            out(variances=ones - eps),
            "The mean is subtracted, but nothing is divided: x_hat = (x - mean) / sqrt(var + eps).",
        ),
        "axis": (out(axis=1 - axis), whose),
        "one-mean-for-all": (
            out(means=ones * x.mean(), variances=ones * x.var()),
            f"You use one mean for the whole table. Each {'row' if axis else 'column'} has its own: give the axis.",
        ),
        "no-gamma": (x_hat + beta, "gamma is missing: out = gamma * x_hat + beta."),
        "no-beta": (gamma * x_hat, "beta is missing: out = gamma * x_hat + beta."),
        "beta-inside": (gamma * (x_hat + beta), "gamma multiplies beta too. Add beta last."),
        "gamma-beta-swapped": (beta * x_hat + gamma, "gamma multiplies and beta is added."),
    }
    if variances.min() > 0:
        relations["no-eps"] = (out(eps=0.0), "eps is missing: divide by sqrt(var + eps).")
    return relations


def dx_mistakes(x: np.ndarray, gamma: np.ndarray, eps: float, dout: np.ndarray, *, axis: int) -> Relations:
    """Return the slips of dx, most of them from what is missing when a path of the graph is held constant."""
    means, variances = moments(x, axis=axis)
    size, letter = (x.shape[1], "D") if axis else (len(x), "N")

    def dx(gamma: np.ndarray = gamma, eps: float = eps, **held: Any) -> np.ndarray:
        return norm_slopes(x, gamma, eps, dout, axis=axis, **held)[0]

    full, direct = dx(), dx(means=means, variances=variances)
    no_mean, no_var = dx(means=means), dx(variances=variances)
    by_mean, by_var = full - no_mean, full - no_var  # what each path carries
    relations: Relations = {
        "no-mean-path": (
            no_mean,
            "The path through the mean is missing: every x is in the mean, and the mean is subtracted from each. It "
            "carries nothing when dout happens to be centred, so such a test does not see it.",
        ),
        "no-var-path": (
            no_var,
            "The path through the variance is missing: moving one x changes what all are divided by.",
        ),
        "direct-path-only": (
            direct,
            "This is the direct path alone: mean and variance depend on x too, and pass gradients on.",
        ),
        "mean-path-sum": (no_mean + size * by_mean, f"A mean passes 1/{letter} to each of its inputs."),
        "mean-path-sign": (no_mean - by_mean, "The mean is subtracted: its gradient has a minus sign."),
        "var-path-sum": (no_var + size * by_var, f"The variance is a mean: it passes 1/{letter} to each square."),
        "var-path-sign": (no_var - by_var, "A larger variance makes x_hat smaller: that path has a minus sign."),
        "var-path-twice": (
            no_var + 2 * by_var,
            "The path through the variance is twice too large: the slope of v**-0.5 is -0.5 * v**-1.5.",
        ),
        "var-path-half": (
            no_var + 0.5 * by_var,
            "The path through the variance is half of what it should be: the slope of a square is 2 times the number.",
        ),
        "var-path-ddof": (
            no_var + size / max(size - 1, 1) * by_var,
            f"The variance divided by {letter}, so its gradient does too, not by {letter} - 1.",
        ),
        "dx-scaled": (size * full, f"dx is {letter} times too large: check every 1/{letter}."),
        "dx-mean": (full / size, f"dx is {letter} times too small: no mean is taken over it, the loss has done that."),
        "no-gamma": (dx(gamma=np.ones_like(gamma)), "gamma is missing: d x_hat = dout * gamma."),
        "eps-fixed": (dx(eps=1e-5), "You use eps = 1e-5. Take the one of the cache."),
    }
    if variances.min() > 0:
        relations["no-eps"] = (dx(eps=0.0), "eps is missing in the backward pass: it is in the cache.")
    if axis:
        late = gamma * dx(gamma=np.ones_like(gamma))
        hint = (
            "gamma differs from feature to feature, so it cannot be pulled out of the sums along a row: multiply dout "
            "by gamma first."
        )
        relations["gamma-late"] = (late, hint)
        down = _sums_down_the_columns(x, gamma, eps, dout)
        relations["axis"] = (down, "You sum down the columns, as in batch norm. The mean was taken along each row.")
    return relations


def _sums_down_the_columns(x: np.ndarray, gamma: np.ndarray, eps: float, dout: np.ndarray) -> np.ndarray:
    """Return the dx of someone who kept axis 0 in the sums of a layer norm: its paths spread down the columns."""
    means, variances = (values[:, None] for values in moments(x, axis=1))
    scale = (variances + eps) ** -0.5
    x_hat, upstream = (x - means) * scale, gamma * dout
    spread = np.ones((len(x), len(x))) / len(x)  # (N, N): replaces each entry of a column by the column's mean
    return scale * (upstream - spread @ upstream - x_hat * (spread @ (upstream * x_hat)))


def require_sums(got: dict[str, Any], x: np.ndarray, dout: np.ndarray, wants: dict[str, Any], report: Report) -> None:
    """Require dgamma and dbeta, one number per feature. got, wants : {"dx", "dgamma", "dbeta"}"""
    n, d = x.shape
    for name in ("dbeta", "dgamma"):
        shape = np.shape(got[name]) if isinstance(got[name], np.ndarray | float) else None
        known: dict[Any, tuple[str, str]] = {
            (n, d): ("not-summed", f"{name} must be summed over the batch, axis 0: all N rows share the one vector."),
            (n,): ("summed-along-rows", f"Sum {name} over axis 0: one number for each feature is left."),
            (1, d): ("keepdims", f"{name} has the shape of its parameter: leave out keepdims."),
            (): ("one-number", f"{name} is summed over everything. Sum over axis 0 only."),
        }
        if shape in known and shape != (d,):
            symptom, hint = known[shape]
            report.fail(f"{name} must have shape {(d,)}, got {shape}", hint=hint, symptom=symptom)
        values = report.array(got[name], (d,), name=name)
        other = "dbeta" if name == "dgamma" else "dgamma"
        relations: Relations = {
            "order": (wants[other], "The results come in the order dx, dgamma, dbeta."),
            "mean-not-sum": (wants[name] / n, f"{name} is N times too small: sum over the batch, take no mean."),
        }
        if name == "dgamma":
            relations |= {
                "x-for-x_hat": ((dout * x).sum(axis=0), "gamma multiplies x_hat, not x: dgamma sums dout * x_hat."),
            }
        report.close(values, wants[name], name=name, symptoms=symptoms_of(relations), hint=_hint(name))


def _hint(name: str) -> str:
    return "dgamma sums dout * x_hat over the batch." if name == "dgamma" else "dbeta sums dout over the batch."
