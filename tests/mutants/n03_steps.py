"""Planted bugs of N03: the error at every step, and kinks."""

import numpy as np

from tests.mutants import bug
from tests.mutants.n03_slopes import entrywise


def swept(f, x, slope, steps, combine):
    return np.array([combine(f, x, slope, float(h)) for h in steps])


def shares(slope, *estimates):
    return [float(entrywise(e, slope)) for e in estimates]


@bug("grad-sweep_steps", symptom="transposed")
def one_column_per_step(f, x, slope, steps):
    return right_sweep(f, x, slope, steps).T


def right_sweep(f, x, slope, steps):
    return swept(
        f,
        x,
        slope,
        steps,
        lambda f, x, s, h: shares(s, (f(x + h) - f(x)) / h, (f(x + h) - f(x - h)) / (2 * h)),
    )


@bug("grad-sweep_steps", symptom="swapped")
def central_first(f, x, slope, steps):
    return right_sweep(f, x, slope, steps)[:, ::-1]


@bug("grad-sweep_steps", symptom="backward")
def looks_back(f, x, slope, steps):
    return swept(
        f,
        x,
        slope,
        steps,
        lambda f, x, s, h: shares(s, (f(x) - f(x - h)) / h, (f(x + h) - f(x - h)) / (2 * h)),
    )


@bug("grad-sweep_steps", symptom="no-half")
def one_step_for_two(f, x, slope, steps):
    return swept(f, x, slope, steps, lambda f, x, s, h: shares(s, (f(x + h) - f(x)) / h, (f(x + h) - f(x - h)) / h))


@bug("grad-sweep_steps", symptom="absolute")
def not_relative(f, x, slope, steps):
    return swept(
        f,
        x,
        slope,
        steps,
        lambda f, x, s, h: [abs((f(x + h) - f(x)) / h - s), abs((f(x + h) - f(x - h)) / (2 * h) - s)],
    )


@bug("grad-sweep_steps", symptom="over-slope")
def relative_to_the_slope(f, x, slope, steps):
    return not_relative(f, x, slope, steps) / abs(slope)


@bug("grad-sweep_steps", symptom="estimates")
def slopes_for_errors(f, x, slope, steps):
    return swept(f, x, slope, steps, lambda f, x, s, h: [(f(x + h) - f(x)) / h, (f(x + h) - f(x - h)) / (2 * h)])


@bug("grad-sweep_steps", symptom="zero-over-zero")
def nan_on_flat_ground(f, x, slope, steps):
    table = slopes_for_errors(f, x, slope, steps)
    with np.errstate(invalid="ignore"):
        return abs(table - slope) / np.maximum(abs(table), abs(slope))


def jumps(f, x, h):
    x = np.array(x, dtype=float)
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        plus, minus = x.copy(), x.copy()
        plus[index] += h
        minus[index] -= h
        out[index] = (f(plus) - f(x)) / h - (f(x) - f(minus)) / h
    return out


@bug("grad-find_kinks", symptom="only-at-zero")
def where_x_is_zero(f, x, h=1e-5, tol=1e-3):
    return x == 0


@bug("grad-find_kinks", symptom="concave")
def jumps_upward_only(f, x, h=1e-5, tol=1e-3):
    return jumps(f, x, h) > tol


@bug("grad-find_kinks", symptom="smooth-flagged")
def relative_jump(f, x, h=1e-5, tol=1e-3):
    x = np.array(x, dtype=float)
    flags = np.zeros(x.shape, dtype=bool)
    for index in np.ndindex(x.shape):
        plus, minus = x.copy(), x.copy()
        plus[index] += h
        minus[index] -= h
        right, left = f(plus) - f(x), f(x) - f(minus)
        flags[index] = abs(right - left) > tol * max(abs(right), abs(left), 1e-12)
    return flags


@bug("grad-find_kinks", symptom="misses-near")
def only_exact_kinks(f, x, h=1e-5, tol=1e-3):
    return abs(jumps(f, x, 1e-8)) > max(tol, 0.1)


@bug("grad-find_kinks", symptom="inverted")
def marks_the_smooth(f, x, h=1e-5, tol=1e-3):
    return abs(jumps(f, x, h)) <= tol


@bug("grad-find_kinks", symptom="moves-all")
def all_entries_at_once(f, x, h=1e-5, tol=1e-3):
    jump = (f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h
    return np.full(x.shape, abs(jump) > tol)


@bug("grad-find_kinks", symptom="dtype")
def jumps_for_marks(f, x, h=1e-5, tol=1e-3):
    return jumps(f, x, h)
