"""What is examined in N04: a net whose weights are found by thinking, and nets whose weights are found by training."""

import contextlib
from typing import Any

import numpy as np

from .n04_oracle import NAMES, Params, net_scores
from .report import NotAnswered, Report
from .spec import exercise
from .subject import StudentError, Subject

TARGET = 0.9  # the reference reaches 0.99 on these pictures, logistic regression 0.13
BUDGET = 15.0  # seconds; the reference takes less than one on a slow core


def quadrants(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (count, 2), near and far, and their class: 0 where x and y have the same sign, 1 where not."""
    points = rng.normal(size=(count, 2)) * 10.0 ** rng.uniform(-2, 2, size=(count, 1))
    points = points[np.abs(points).min(axis=1) > 1e-3 * np.abs(points).max(axis=1)]
    return points, (points[:, 0] * points[:, 1] < 0).astype(int)


@exercise("net-q1", points=1, title="quadrants with four hidden units")
def examine_quadrants(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("form"):
        answer = subject.value()
        if answer is ... or (isinstance(answer, dict) and any(value is ... for value in answer.values())):
            raise NotAnswered
        report.require(
            isinstance(answer, dict) and set(answer) == set(NAMES),
            f"the answer must be a dict with the keys {', '.join(NAMES)}",
            hint="Keep the form of the cell and replace the dots.",
            symptom="keys",
        )
        try:
            params = {key: np.asarray(value, dtype=float) for key, value in answer.items()}
        except (TypeError, ValueError):
            report.fail("every entry must be an array of numbers, or a list of equal rows", symptom="not-numbers")
        units = params["b1"].size
        shapes = {"W1": (2, units), "b1": (units,), "W2": (units, 2), "b2": (2,)}
        for key, shape in shapes.items():
            report.array(params[key], shape, name=key)
        report.require(
            1 <= units <= 4, f"at most 4 hidden units, got {units}", hint="One per diagonal side.", symptom="units"
        )
    with report.stage("on the diagonals"):
        corners = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
        _all_right(params, corners, np.array([0, 0, 1, 1]), report)
    with report.stage("anywhere"):
        _all_right(params, *quadrants(rng, 2000), report)


def _all_right(params: Params, points: np.ndarray, labels: np.ndarray, report: Report) -> None:
    scores = net_scores(params, points)
    right = np.where(labels == 0, scores[:, 0] > scores[:, 1], scores[:, 1] > scores[:, 0])
    if right.all():
        return
    message = f"{int((~right).sum())} of {len(right)} points are on the wrong side, {points[~right][0]} for one"
    if not (scores[:, 0] != scores[:, 1]).any():
        report.fail(message, hint="Both scores are equal everywhere.", symptom="equal-scores")
    if not right.any() or np.where(labels == 1, scores[:, 0] > scores[:, 1], scores[:, 1] > scores[:, 0]).all():
        report.fail(message, hint="The two classes are exchanged: swap the columns of W2.", symptom="exchanged")
    report.fail(
        message,
        hint="Compare |x + y| with |x - y| on paper in each quadrant, and write |t| as max(0, t) + max(0, -t).",
        symptom="wrong-side",
    )


def polar_pictures(
    rng: np.random.Generator, *, side: int, classes: int, counts: tuple[int, ...]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (X float32 (N, side * side), y int64 (N,)) for each count: noisy pictures of things, light or dark.

    Half of each class is its pattern on a darker ground, half the same pattern with light and dark exchanged. Their
    mean is nothing, so one template per class is at a loss. side : a multiple of 3
    """
    coarse = rng.normal(size=(classes, side // 3, side // 3))
    patterns = np.kron(coarse, np.ones((3, 3))).reshape(classes, -1)
    parts = []
    for count in counts:
        y = rng.integers(0, classes, size=count)
        contrast = rng.choice([-1.0, 1.0], size=(count, 1)) * rng.uniform(0.6, 1.4, size=(count, 1))
        noise = rng.normal(size=(count, side * side))
        parts.append(((contrast * patterns[y] + noise).astype(np.float32), y))
    return parts


@exercise("net-train", points=3, title="a net that is trained")
def examine_train(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    train_case(subject, rng, report, side=12, classes=8)


def train_case(subject: Subject, rng: np.random.Generator, report: Report, *, side: int, classes: int) -> None:
    """Let the student's function train on freshly drawn pictures, and judge its parameters on others of that kind."""
    (x, y), (x_val, y_val), (x_test, y_test) = polar_pictures(rng, side=side, classes=classes, counts=(4000, 500, 1000))
    with report.stage("trains"):
        try:
            call = subject.call(x, y, x_val, y_val)
        except StudentError as error:
            if error.kind in ("DivergedError", "FloatingPointError"):
                report.fail(
                    f"training diverged: {error.message}",
                    hint="The steps are too long: divide the learning rate by 3, and again.",
                    symptom="diverged",
                )
            if error.kind == "NotImplementedError" and error.function != "train_net":
                report.fail(
                    f"train_net needs {error.function} of an earlier exercise, which is not implemented yet",
                    hint="Pass the checks of the layers and of TwoLayerNet first.",
                    symptom="layer-missing",
                )
            raise
        params = _trained_params(call.value, x.shape[1], report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["X_train", "y_train", "X_val", "y_val"])
    with report.stage("time"):
        report.require(
            call.seconds < BUDGET,
            f"training on {len(x):,} pictures of {x.shape[1]} numbers took {call.seconds:.0f} s, "
            f"at most {BUDGET:.0f} s are given",
            hint="One run only: search for good values outside of train_net. Or fewer epochs, fewer hidden units.",
            symptom="slow",
        )
    with report.stage("new pictures"):
        learned, right = (float(np.mean(_labels(params, a) == b)) for a, b in ((x, y), (x_test, y_test)))
        message = (
            f"of {len(y_test):,} new pictures {100 * right:.0f} % are right, of its training pictures "
            f"{100 * learned:.0f} %; {100 * TARGET:.0f} % are asked, guessing gives {100 / classes:.0f} %"
        )
        if right < 1.6 / classes:
            report.fail(
                message,
                hint="It has learned nothing. Is the net that you return the one that was trained, on rows with their "
                "own labels? Then look at the loss: if it hardly moves, take more steps or longer ones. Weights near 0 "
                "start slowly: weight_scale=1e-2 helps here.",
                symptom="at-chance",
            )
        report.require(
            right >= TARGET,
            message,
            hint="It learns, but not far enough. Does it see all of X_train? Then: more epochs, longer steps, more "
            "hidden units, less regularization. With few images an epoch has few steps: count steps.",
            symptom="undertrained",
        )


def _labels(params: Params, x: np.ndarray) -> np.ndarray:
    return net_scores(params, x).argmax(axis=1)


def _trained_params(returned: Any, d: int, report: Report) -> Params:
    """Return the parameters, in float64, of the net in (net, history)."""
    if returned is None:
        report.fail("the result is None", hint="End in `return net, history`.", symptom="no-return")
    net = returned[0] if isinstance(returned, tuple | list) and len(returned) == 2 else returned
    params: Any = None
    if isinstance(net, Subject):
        with contextlib.suppress(StudentError):
            params = net.get("params")
    if not isinstance(params, dict) or set(params) != set(NAMES):
        report.fail(
            "train_net must return (net, history), and the first must be a TwoLayerNet with its params",
            hint="Return the object that you made with TwoLayerNet(...), not the Solver.",
            symptom="not-a-net",
        )
    hidden = params["b1"].size if isinstance(params["b1"], np.ndarray) else 1
    classes = params["b2"].size if isinstance(params["b2"], np.ndarray) else 1
    shapes = {"W1": (d, hidden), "b1": (hidden,), "W2": (hidden, classes), "b2": (classes,)}
    arrays = {key: report.array(params[key], shape, name=f'params["{key}"]') for key, shape in shapes.items()}
    finite = all(np.isfinite(array).all() for array in arrays.values())
    report.require(finite, "the parameters hold nan or inf", hint="Divide the learning rate by 3.", symptom="diverged")
    return {key: array.astype(np.float64) for key, array in arrays.items()}
