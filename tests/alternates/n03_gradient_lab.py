"""Right and unusual answers to the exercises of N03."""

import itertools
import math

import numpy as np

from cs231n_lib.gradient_check import GradientError, check_gradient
from tests.alternates import UNUSUAL, unusual

UNUSUAL += [("grad-q1", ["f", "A", "C"])]


@unusual("grad-numeric_grad")
def in_place_and_put_back(f, x, h=1e-5):
    work = np.array(x, dtype=np.float64, order="C")
    flat, slopes = work.reshape(-1), []
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = kept + h
        up, right = f(work), flat[i]
        flat[i] = kept - h
        slopes.append((up - f(work)) / (right - flat[i]))
        flat[i] = kept
    return np.array(slopes, dtype=float).reshape(np.shape(x))


@unusual("grad-numeric_grad")
def all_points_at_once(f, x, h=1e-5):
    start = f(np.array(x, dtype=float))  # extra work does no harm
    moves = h * np.eye(np.size(x)).reshape(np.size(x), *np.shape(x))
    sides = [[f(x + sign * move) - start for move in moves] for sign in (1, -1)]
    return (np.subtract(sides[0], sides[1]) / (2.0 * h)).reshape(np.shape(x))


@unusual("grad-rel_error")
def by_pairs(a, b):
    if np.shape(a) != np.shape(b):
        raise ValueError("shapes")
    worst = 0.0
    for u, v in zip(np.ravel(a).tolist(), np.ravel(b).tolist(), strict=True):
        if math.isnan(u) or math.isnan(v) or math.isinf(u) or math.isinf(v):
            return float("inf")
        if u or v:
            worst = max(worst, abs(u - v) / max(abs(u), abs(v)))
    return worst


@unusual("grad-rel_error")
def nan_becomes_inf_at_the_end(first, second):
    first, second = np.float64(first), np.float64(second)
    if first.shape != second.shape:
        raise ValueError("shapes")
    if first.size == 0:
        return np.float64(0)
    with np.errstate(all="ignore"):
        ratio = np.abs(first - second) / np.fmax(np.abs(first), np.abs(second))
    ratio = np.where((first == 0) & (second == 0), 0.0, ratio)
    return np.array(np.inf) if np.isnan(ratio).any() or np.isinf(first + second).any() else ratio.max()


@unusual("grad-sweep_steps")
def columns_by_comprehension(f, x, slope, steps):
    def error(estimate):
        return 0.0 if estimate == slope else abs(estimate - slope) / max(abs(estimate), abs(slope))

    forward = [error((f(x + h) - f(x)) / h) for h in steps]
    central = [error((f(x + h) - f(x - h)) / h * 0.5) for h in steps]
    return np.column_stack([forward, central])


@unusual("grad-sweep_steps")
def with_the_step_that_rounding_left(f, x, slope, steps):
    table = []
    for h in np.asarray(steps, dtype=float):
        right, left = x + float(h), x - float(h)
        both = np.array([(f(right) - f(x)) / (right - x), (f(right) - f(left)) / (right - left)])
        size = np.maximum(abs(both), abs(slope))
        table.append(abs(both - slope) / np.where(size == 0, np.inf, size))
    return np.stack(table)


@unusual("grad-find_kinks")
def second_difference(f, x, h=1e-5, tol=1e-3):
    x = np.asarray(x, dtype=float)
    marks = np.full(x.shape, False)
    for index in itertools.product(*map(range, x.shape)):
        aside = x.copy()
        total = -2 * f(x)
        for sign in (1, -1):
            aside[index] = x[index] + sign * h
            total += f(aside)
        marks[index] = not abs(total / h) <= tol
    return marks


@unusual("grad-find_kinks")
def slopes_in_a_list(f, x, h=1e-5, tol=1e-3):
    moves = h * np.eye(x.size).reshape(x.size, *x.shape)
    pairs = [((f(x + m) - f(x)) / h, (f(x) - f(x - m)) / h) for m in moves]
    return np.array([abs(r - l) > tol for r, l in pairs]).reshape(x.shape)


@unusual("grad-neuron")
def by_tanh(w, x):
    inputs = np.concatenate([x, [1.0]])
    half = math.tanh(0.5 * math.fsum((w * inputs).tolist()))
    slope = (1 - half * half) / 4
    return (1 + half) / 2, slope * inputs, slope * w[: len(x)]


@unusual("grad-neuron")
def loops_and_a_list(weights, inputs):
    score = weights[-1]
    for i in range(len(inputs)):
        score += weights[i] * inputs[i]
    out = np.exp(min(score, 0)) / (np.exp(min(score, 0)) + np.exp(min(-score, 0)))
    dw, dx = np.zeros(len(weights)), np.zeros(len(inputs))
    for i in range(len(inputs)):
        dw[i] += out * (1 - out) * inputs[i]
        dx[i] += out * (1 - out) * weights[i]
    dw[-1] = out * (1 - out)
    return [np.array(out), dw, dx]


@unusual("grad-backward")
def by_recursion_with_memory(nodes, values):
    known = {nodes[-1][0]: 1.0}
    uses = {name: [] for name in values}
    for name, rule, parents in nodes:
        for i, parent in enumerate(parents):
            uses[parent].append((name, rule, parents, i))

    def grad(name):
        if name not in known:
            known[name] = sum((share(name, *use) for use in uses[name]), 0.0)
        return known[name]

    def share(name, child, rule, parents, i):
        a = values[name]
        other = values[parents[1 - i]] if len(parents) == 2 else None
        slope = {
            "add": lambda: 1,
            "mul": lambda: other,
            "max": lambda: a > other,
            "exp": lambda: math.exp(a),
            "inv": lambda: -1 / a**2,
        }
        return grad(child) * slope[rule]()

    return {name: grad(name) for name in reversed(list(values))}


@unusual("grad-backward")
def forward_mode(nodes, values):
    """One sweep forward for every value: slow, and right."""
    grads = {}
    for name in values:
        moved = dict.fromkeys(values, 0.0)
        for node, rule, parents in [(name, "seed", ()), *nodes]:
            if node == name:
                moved[node] = np.float64(1)
                continue
            v = [values[p] for p in parents]
            d = [moved[p] for p in parents]
            if rule in ("exp", "inv"):
                moved[node] = d[0] * (values[node] if rule == "exp" else -(values[node] ** 2))
            elif rule == "mul":
                moved[node] = v[0] * d[1] + v[1] * d[0]
            else:
                moved[node] = sum(d) if rule == "add" else d[int(np.argmax(v))]
        grads[name] = moved[nodes[-1][0]]
    return grads


def normal_cases():
    rng = np.random.default_rng(11)
    for shape, m in (((3, 2, 4), 2), ((2, 3, 1, 2), 3)):
        d = math.prod(shape[1:])
        yield rng.normal(size=shape), rng.normal(size=(d, m)), rng.normal(size=m), rng.normal(size=(shape[0], m))


@unusual("grad-check_affine_backward")
def by_the_formula(forward, backward):
    for x, w, b, dout in normal_cases():
        wanted = np.einsum("nm,dm->nd", dout, w).reshape(x.shape), x.reshape(len(x), -1).T @ dout, sum(dout)
        for got, want in zip(backward(dout, forward(x, w, b)[1]), wanted, strict=True):
            if np.shape(got) != want.shape or not np.allclose(got, want, rtol=1e-7, atol=1e-9):
                return np.False_
    return np.True_


@unusual("grad-check_affine_backward")
def by_the_library(forward, backward):
    try:
        for x, w, b, dout in normal_cases():
            dx, dw, db = backward(dout, forward(x, w, b)[1])
            check_gradient(lambda v: forward(v, w, b)[0], x, dx, dout)  # noqa: B023 used at once
            check_gradient(lambda v: forward(x, v, b)[0], w, dw, dout)  # noqa: B023
            check_gradient(lambda v: forward(x, w, v)[0], b, db, dout)  # noqa: B023
    except GradientError:
        return False
    return True


@unusual("grad-check_affine_backward")
def in_random_directions(forward, backward):
    """The slope along a random direction must be the dot product of the gradient with it, many times over."""
    rng = np.random.default_rng(0)
    for x, w, b, dout in normal_cases():
        grads = backward(dout, forward(x, w, b)[1])
        if any(np.shape(g) != p.shape for g, p in zip(grads, (x, w, b), strict=True)):
            return False
        for _ in range(5):
            step = [rng.normal(size=p.shape) for p in (x, w, b)]
            sides = [
                np.sum(dout * forward(*(p + s * 1e-4 * d for p, d in zip((x, w, b), step, strict=True)))[0])
                for s in (1, -1)
            ]
            slope, claimed = (sides[0] - sides[1]) / 2e-4, sum(np.sum(g * d) for g, d in zip(grads, step, strict=True))
            if not abs(slope - claimed) <= 1e-6 * (1 + abs(slope)):
                return False
    return True
