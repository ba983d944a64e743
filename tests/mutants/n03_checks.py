"""Planted bugs of N03: checks of a backward that refuse a right one, or let wrong ones through."""

from functools import partial

import numpy as np

from tests.mutants import bug, wrong_answer
from tests.mutants.n03_slopes import central, right_error

CASES = ((2, (3, 2), 3), (3, (2, 3), 2))


def case(seed, n, dims, m, positive=False):
    rng = np.random.default_rng(seed)
    draw = (lambda size: rng.uniform(0.5, 1.5, size)) if positive else (lambda size: rng.normal(size=size))
    return [draw(shape) for shape in ((n, *dims), (int(np.prod(dims)), m), (m,), (n, m))]


def errors(forward, backward, x, w, b, dout, seen=None, h=1e-5):
    """Return the three relative errors; infinite where the shape is wrong. `seen` : the dout that backward gets."""
    grads = backward(dout if seen is None else seen, forward(x, w, b)[1])
    found = []
    for which, grad in enumerate(grads):
        parts = [x, w, b]
        f = lambda v, which=which: np.sum(dout * forward(*[*parts[:which], v, *parts[which + 1 :]])[0])  # noqa: E731, B023
        expected = central(f, parts[which], h)
        found.append(right_error(grad, expected) if np.shape(grad) == expected.shape else np.inf)
    return found


def right_check(forward, backward, *, cases=CASES, tol=1e-6, positive=False, keep=slice(None), h=1e-5):
    for seed, shape in enumerate(cases):
        if max(errors(forward, backward, *case(seed, *shape, positive), h=h)[keep]) > tol:
            return False
    return True


@bug("grad-check_affine_backward", symptom="accepts-everything")
def always_true(forward, backward):
    return True


@bug("grad-check_affine_backward", symptom="rejects-everything")
def always_false(forward, backward):
    return False


@bug("grad-check_affine_backward", symptom="accepts-everything")
def only_asks_for_three(forward, backward):
    x, w, b, dout = case(0, 2, (3, 2), 3)
    return len(backward(dout, forward(x, w, b)[1])) == 3


@bug("grad-check_affine_backward", symptom="too-strict")
def compares_with_equal(forward, backward):
    for seed, shape in enumerate(CASES):
        x, w, b, dout = case(seed, *shape)
        x, w, b, dout = np.rint(2 * x), np.rint(2 * w), np.rint(2 * b), np.rint(2 * dout)
        dx, dw, db = backward(dout, forward(x, w, b)[1])
        rows = x.reshape(len(x), -1)
        wanted = (dout @ w.T).reshape(x.shape), rows.T @ dout, dout.sum(0)
        if not all(np.array_equal(a, e) for a, e in zip((dx, dw, db), wanted, strict=True)):
            return False
    return True


@bug("grad-check_affine_backward", symptom="too-strict")
def tighter_than_rounding(forward, backward):
    return exact_check(forward, backward, tol=1e-14)


def exact_check(forward, backward, *, tol):
    """Compare with the formula itself, without a measurement."""
    for seed, shape in enumerate(CASES):
        x, w, b, dout = case(seed, *shape)
        wanted = (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)
        for got, want in zip(backward(dout, forward(x, w, b)[1]), wanted, strict=True):
            if np.shape(got) != want.shape or right_error(got, want) > tol:
                return False
    return True


@bug("grad-check_affine_backward", symptom="rejects-right")
def wants_a_flat_dx(forward, backward):
    x, w, b, dout = case(0, 2, (3, 2), 3)
    return np.shape(backward(dout, forward(x, w, b)[1])[0]) == (2, 6) and bool(np.isfinite(dout).all())


@bug("grad-check_affine_backward", symptom="rejects-right")
def measures_the_sum_of_outputs(forward, backward):
    x, w, b, dout = case(0, 2, (3, 2), 3)
    return max(errors(forward, backward, x, w, b, np.ones_like(dout), seen=dout)) < 1e-6


@bug("grad-check_affine_backward", symptom="rejects-everything")
def tighter_than_the_measurement(forward, backward):
    return right_check(forward, backward, tol=1e-14)


@bug("grad-check_affine_backward", symptom="rejects-everything")
def a_step_far_too_small(forward, backward):
    return right_check(forward, backward, h=1e-14)


@bug("grad-check_affine_backward", symptom="looks-into-cache")
def unpacks_the_cache(forward, backward):
    x, w, b, dout = case(0, 2, (3, 2), 3)
    cache = forward(x, w, b)[1]
    return np.shape(backward(dout, cache)[0]) == cache[0].shape and right_check(forward, backward)


@bug("grad-check_affine_backward", symptom="not-bool")
def returns_the_errors(forward, backward):
    return errors(forward, backward, *case(0, 2, (3, 2), 3))


@bug("grad-check_affine_backward", symptom="no-return")
def returns_only_false(forward, backward):
    if not right_check(forward, backward):
        return False


@bug("grad-check_affine_backward", symptom="too-costly")
def a_case_of_real_size(forward, backward):
    return right_check(forward, backward, cases=((50, (32, 32, 3), 10),))


@bug("grad-check_affine_backward", symptom="too-costly")
def a_hundred_cases(forward, backward):
    return right_check(forward, backward, cases=CASES * 50)


@bug("grad-check_affine_backward", symptom="dout-shape")
def one_number_upstream(forward, backward):
    x, w, b, _ = case(0, 2, (3, 2), 3)
    return backward(1.0, forward(x, w, b)[1]) is not None


@bug("grad-check_affine_backward", symptom="case-shapes")
def weights_transposed(forward, backward):
    x, w, b, dout = case(0, 2, (3, 2), 3)
    return backward(dout, forward(x, w.T, b)[1]) is not None


@bug("grad-check_affine_backward", symptom="cache")
def hands_on_outputs_for_cache(forward, backward):
    _, _, _, dout = case(0, 2, (3, 2), 3)
    return backward(dout, None) is not None


def broadcasting_check(forward, backward):
    """Compares numbers and never shapes."""
    for seed, shape in enumerate(CASES):
        x, w, b, dout = case(seed, *shape)
        for which, grad in enumerate(backward(dout, forward(x, w, b)[1])):
            parts = [x, w, b]
            slope = central(
                lambda v, which=which, parts=parts, dout=dout: np.sum(
                    dout * forward(*parts[:which], v, *parts[which + 1 :])[0]
                ),
                parts[which],
                1e-5,
            )
            if which == 0:
                grad = np.reshape(grad, slope.shape)
            if not (abs(grad - slope) <= 1e-7 + 1e-6 * abs(slope)).all():
                return False
    return True


def nan_blind_check(forward, backward):
    """Asks whether an error is too large, which a nan never is."""
    for seed, shape in enumerate(CASES):
        x, w, b, dout = case(seed, *shape)
        grads = backward(dout, forward(x, w, b)[1])
        wanted = (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)
        for got, want in zip(grads, wanted, strict=True):
            if np.shape(got) != want.shape or np.any(abs(got - want) > 1e-6 * (1 + abs(want))):
                return False
    return True


def upstream_of_ones(forward, backward):
    """Checks the gradient of sum(out) only."""
    for seed, shape in enumerate(CASES):
        x, w, b, dout = case(seed, *shape)
        if max(errors(forward, backward, x, w, b, np.ones_like(dout))) > 1e-6:
            return False
    return True


def raises_for_false(forward, backward):
    """Lets a strict relative error raise at wrong shapes."""
    for seed, shape in enumerate(CASES):
        x, w, b, dout = case(seed, *shape)
        grads = backward(dout, forward(x, w, b)[1])
        wanted = (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)
        if max(right_error(got, want) for got, want in zip(grads, wanted, strict=True)) > 1e-6:
            return False
    return True


LONELY = ((1, (3, 2), 3), (1, (2, 3), 2))
FLAT = ((2, (6,), 3), (3, (5,), 2))
# (a weak check, which wrong function its hint is about, how many of ten it misses)
WEAK = (
    ("compares no shapes", broadcasting_check, "dx-flat", 2),
    ("one row of x", partial(right_check, cases=LONELY), "db-mean", 1),
    ("flat inputs", partial(right_check, cases=FLAT), "dx-flat", 2),
    ("a first axis of length 1", partial(right_check, cases=((2, (1, 5), 3), (3, (1, 4), 2))), "column-order", 1),
    ("upstream of ones", upstream_of_ones, "ones-upstream", 1),
    ("a single case", partial(right_check, cases=CASES[:1]), "first-batch", 1),
    ("positive numbers only", partial(right_check, positive=True), "no-negatives", 1),
    ("blind for nan", nan_blind_check, "one-nan", 1),
    ("three digits", partial(right_check, tol=1e-2), "half-precision", 1),
    ("dx only", partial(right_check, keep=slice(0, 1)), "db-row", 5),
    ("raises", raises_for_false, "raises", 2),
)
for _name, _answer, _hint, _missed in WEAK:
    # A check of dx alone misses a doubled dw too, which the hidden half asks for: a quarter of its points goes.
    _kept = 0.75 if _missed == 5 else 1.0
    wrong_answer("grad-check_affine_backward", _name, _answer, points=_kept * (10 - _missed))

wrong_answer("grad-q1", "a word", "ABD", symptom="not-set")
wrong_answer("grad-q1", "an unknown letter", {"A", "Z"}, symptom="letters")
wrong_answer("grad-q1", "one is missing", {"A", "C"}, points=1.3333)
wrong_answer("grad-q1", "one too many", {"A", "C", "D", "F"}, points=1.3333)
wrong_answer("grad-q1", "everything", set("ABCDEF"))
