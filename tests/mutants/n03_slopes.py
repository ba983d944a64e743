"""Planted bugs of N03: measured slopes and relative errors."""

import numpy as np

from tests.mutants import bug


def central(f, x, h, *, step=None, dtype=np.float64):
    """Return the central difference of f at each entry of x; `step` (default 2h) is what it is divided by."""
    x = np.array(x, dtype=dtype)
    grad = np.zeros(x.shape, dtype=dtype)
    for index in np.ndindex(x.shape):
        plus, minus = x.copy(), x.copy()
        plus[index] += h
        minus[index] -= h
        grad[index] = (f(plus) - f(minus)) / (2 * h if step is None else step)
    return grad


@bug("grad-numeric_grad", symptom="forward")
def forward_difference(f, x, h=1e-5):
    x, base = np.array(x, dtype=float), f(np.array(x, dtype=float))
    eye = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + h * e) - base) / h for e in eye]).reshape(x.shape)


@bug("grad-numeric_grad", symptom="backward")
def backward_difference(f, x, h=1e-5):
    return forward_difference(f, x, -h)


@bug("grad-numeric_grad", symptom="no-half")
def divides_by_one_step(f, x, h=1e-5):
    return central(f, x, h, step=h)


@bug("grad-numeric_grad", symptom="half")
def divides_by_four_steps(f, x, h=1e-5):
    return central(f, x, h, step=4 * h)


@bug("grad-numeric_grad", symptom="not-divided")
def forgets_to_divide(f, x, h=1e-5):
    return central(f, x, h, step=1.0)


@bug("grad-numeric_grad", symptom="sign")
def left_minus_right(f, x, h=1e-5):
    return -central(f, x, h)


@bug("grad-numeric_grad", symptom="ignores-h")
def its_own_step(f, x, h=1e-5):
    return central(f, x, 1e-6)


@bug("grad-numeric_grad", symptom="half-step")
def half_a_step_to_each_side(f, x, h=1e-5):
    return central(f, x, h / 2)


@bug("grad-numeric_grad", symptom="not-restored")
def leaves_entries_moved(f, x, h=1e-5):
    x = np.array(x, dtype=float)
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        x[index] += h
        plus = f(x)
        x[index] -= 2 * h
        grad[index] = (plus - f(x)) / (2 * h)
    return grad


@bug("grad-numeric_grad", symptom="never-moves")
def moves_a_flat_copy(f, x, h=1e-5):
    x = np.array(x, dtype=float)  # keeps the memory order of what it got
    grad = np.zeros(x.size)
    for i in range(x.size):
        x.reshape(-1)[i] += h
        plus = f(x)
        x.reshape(-1)[i] -= 2 * h
        grad[i] = (plus - f(x)) / (2 * h)
        x.reshape(-1)[i] += h
    return grad.reshape(x.shape)


@bug("grad-numeric_grad", symptom="moves-all")
def moves_every_entry(f, x, h=1e-5):
    x = np.array(x, dtype=float)
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


@bug("grad-numeric_grad", symptom="integer-x")
def steps_in_the_array_it_got(f, x, h=1e-5):
    x = x.copy()
    grad = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        plus = f(x)
        x[index] = kept - h
        grad[index] = (plus - f(x)) / (2 * h)
        x[index] = kept
    return grad


@bug("grad-numeric_grad", symptom="float32-x")
def converts_integers_only(f, x, h=1e-5):
    return steps_in_the_array_it_got(f, x.astype(float) if x.dtype.kind == "i" else x, h)


@bug("grad-numeric_grad", symptom="left-perturbed")
def moves_x_itself(f, x, h=1e-5):
    if x.dtype != np.float64:
        return central(f, x, h)
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        plus = f(x)
        x[index] = kept - h
        grad[index] = (plus - f(x)) / (2 * h)
        x[index] = kept
    return grad


@bug("grad-numeric_grad", symptom="swallows-error")
def hides_the_error(f, x, h=1e-5):
    try:
        return central(f, x, h)
    except RuntimeError:
        return np.zeros(x.shape)


@bug("grad-numeric_grad", symptom="mutates")
def leaves_x_elsewhere(f, x, h=1e-5):
    grad = central(f, x, h)
    x += 1
    return grad


@bug("grad-numeric_grad", symptom="dtype")
def rounds_to_float32(f, x, h=1e-5):
    return central(f, x, h).astype(np.float32)


@bug("grad-numeric_grad", symptom="shape")
def flattens(f, x, h=1e-5):
    return central(f, x, h).ravel()


@bug("grad-numeric_grad", symptom="f-shape")
def hands_on_a_flat_x(f, x, h=1e-5):
    return central(f, np.ravel(x), h).reshape(x.shape)


@bug("grad-numeric_grad", symptom="no-return")
def forgets_to_return(f, x, h=1e-5):
    central(f, x, h)


def entrywise(a, b, below=np.maximum):
    """Return the relative error of each entry, 0 where both are 0."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    size = below(abs(a), abs(b))
    return np.divide(abs(a - b), size, out=np.zeros(size.shape), where=size > 0)


def right_error(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError("shapes")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(entrywise(a, b).max(initial=0.0))


@bug("grad-rel_error", symptom="broadcasts")
def any_shape_will_do(a, b):
    return right_error(*np.broadcast_arrays(a, b))


@bug("grad-rel_error", symptom="broadcasts")
def same_size_will_do(a, b):
    if np.size(a) != np.size(b):
        raise ValueError("sizes")
    return right_error(np.ravel(a), np.ravel(b))


@bug("grad-rel_error", symptom="zero-over-zero")
def nan_at_zero(a, b):
    if right_error(a, b) == np.inf:
        return np.inf
    return np.max(abs(a - b) / np.maximum(abs(a), abs(b)))


@bug("grad-rel_error", symptom="floor")
def floor_below(a, b):
    if right_error(a, b) == np.inf:
        return np.inf
    return np.max(abs(a - b) / np.maximum(1e-8, np.maximum(abs(a), abs(b))))


@bug("grad-rel_error", symptom="nan-passes")
def skips_nan(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes")
    return float(np.nanmax(entrywise(a, b)))


@bug("grad-rel_error", symptom="nan-passes")
def lets_nan_through(a, b):
    right_error(a, b)
    return float(entrywise(a, b).max())


@bug("grad-rel_error", symptom="inf-passes")
def equal_infinities_agree(a, b):
    if a.shape == b.shape and (a == b).all():
        return 0.0
    return right_error(a, b)


@bug("grad-rel_error", symptom="mean")
def mean_error(a, b):
    return right_error(a, b) and float(entrywise(a, b).mean()) if len(np.shape(a)) == 2 else right_error(a, b)


@bug("grad-rel_error", symptom="absolute")
def absolute_error(a, b):
    return float(abs(a - b).max()) if np.ndim(a) == 2 else right_error(a, b)


@bug("grad-rel_error", symptom="sum-below")
def divides_by_the_sum(a, b):
    return float(entrywise(a, b, np.add).max()) if np.ndim(a) == 2 else right_error(a, b)


@bug("grad-rel_error", symptom="sum-below")
def the_well_known_one_liner(a, b):
    return float(np.max(abs(a - b) / np.maximum(1e-8, abs(a) + abs(b))))


@bug("grad-rel_error", symptom="one-sided")
def divides_by_the_second(a, b):
    return float(entrywise(a, b, lambda u, v: v).max()) if np.ndim(a) == 2 else right_error(a, b)


@bug("grad-rel_error", symptom="norms")
def whole_vectors(a, b):
    if np.ndim(a) < 2:
        return right_error(a, b)
    return np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b))


@bug("grad-rel_error", symptom="largest-over-largest")
def largest_over_largest(a, b):
    return abs(a - b).max() / max(abs(a).max(), abs(b).max()) if np.ndim(a) == 2 else right_error(a, b)


@bug("grad-rel_error", symptom="signed")
def keeps_the_sign(a, b):
    if np.ndim(a) < 2:
        return right_error(a, b)
    return ((a - b) / np.maximum(abs(a), abs(b))).max()


@bug("grad-rel_error", symptom="uint8")
def subtracts_bytes(a, b):
    if a.dtype != np.uint8:
        return right_error(a, b)
    return float(((a - b) / np.maximum(a, b)).max())


@bug("grad-rel_error", symptom="float32")
def compares_in_float32(a, b):
    if a.shape == b.shape and np.float32 in (a.dtype, b.dtype):
        return right_error(a.astype(np.float32), b.astype(np.float32))
    return right_error(a, b)


@bug("grad-rel_error", symptom="not-number")
def one_error_per_entry(a, b):
    return entrywise(a, b)
