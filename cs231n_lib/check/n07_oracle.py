"""The judge's own normalization: plain Python numbers, one group at a time, and slopes that need no derivation.

A group is what shares a mean: a column for batch norm (axis 0), a row for layer norm (axis 1).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

STEP = 1e-30  # of the complex step: nothing is subtracted, so it may be as small as a float can be


def standardize(values: Sequence[Any], eps: float, mean: Any = None, var: Any = None) -> list[Any]:
    """Return the numbers of one group, shifted to mean 0 and scaled to variance 1, or by the mean and var given."""
    mean = sum(values) / len(values) if mean is None else mean
    gaps = [value - mean for value in values]
    var = sum(gap * gap for gap in gaps) / len(gaps) if var is None else var
    return [gap / (var + eps) ** 0.5 for gap in gaps]


def normalized(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    eps: float,
    *,
    axis: int,
    means: Sequence[Any] | np.ndarray | None = None,
    variances: Sequence[Any] | np.ndarray | None = None,
) -> np.ndarray:
    """Return gamma * x_hat + beta, float or complex (N, D); means and variances replace those of the groups."""
    groups = (x if axis else x.T).tolist()
    nothing: list[Any] = [None] * len(groups)
    columns = zip(groups, nothing if means is None else means, nothing if variances is None else variances, strict=True)
    x_hat = np.array([standardize(group, eps, mean, var) for group, mean, var in columns]).reshape(len(groups), -1)
    return (x_hat if axis else x_hat.T) * gamma + beta


def moments(x: np.ndarray, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (means, variances) of the groups, float64: as many as there are columns (axis 0) or rows (axis 1)."""
    import statistics

    groups = (x if axis else x.T).astype(float).tolist()
    return np.array([statistics.fmean(g) for g in groups]), np.array([statistics.pvariance(g) for g in groups])


def slopes(f: Callable[..., Any], inputs: Sequence[np.ndarray], dout: Any) -> list[np.ndarray]:
    """Return the gradient of sum(dout * f(*inputs)) for each input, by a complex step.

    For an analytic f, f(x + ih) = f(x) + ih f'(x) up to h**2: the imaginary part divided by h is the slope, and with
    h = 1e-30 it is exact to the rounding of f. f must work on complex numbers.
    """
    gradients = []
    for which, array in enumerate(inputs):
        gradient = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            moved = [a.astype(complex) for a in inputs]
            moved[which][index] += STEP * 1j
            gradient[index] = np.sum(dout * f(*moved)).imag / STEP
        gradients.append(gradient)
    return gradients


def norm_slopes(
    x: np.ndarray,
    gamma: np.ndarray,
    eps: float,
    dout: np.ndarray,
    *,
    axis: int,
    means: Sequence[Any] | np.ndarray | None = None,
    variances: Sequence[Any] | np.ndarray | None = None,
) -> list[np.ndarray]:
    """Return [dx, dgamma, dbeta]; means or variances, when given, are held constant: that path carries no gradient."""

    def forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
        return normalized(x, gamma, beta, eps, axis=axis, means=means, variances=variances)

    return slopes(forward, [x, gamma, np.zeros(len(gamma))], dout)
