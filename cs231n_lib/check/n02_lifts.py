"""What is examined in N02, last part: features that let a linear classifier do what it cannot do on the plane.

A lift is free: any few features will do. The judge fits a line (a plane, ...) to the lifted points of one half of the
data and counts what it gets right on the other half.
"""

import numpy as np

from .n00_start import shape_of
from .report import Report
from .spec import exercise
from .subject import Subject

MOST_FEATURES = 12
ENOUGH = 0.95  # right lifts measured 0.97 to 1.00 on points clear of the boundaries; the bare plane 0.4 to 0.7


def quadrants(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points of the plane away from the axes; label 1 in the first and third quadrant, 0 elsewhere."""
    points = rng.uniform(0.1, 2, size=(count, 2)) * rng.choice([-1, 1], size=(count, 2))
    return points, (points[:, 0] * points[:, 1] > 0).astype(int)


def ring(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points; label 1 where the L2 norm is from 1 to 2, 0 elsewhere; none within 0.07 of the two circles."""
    labels = rng.permutation(np.arange(count) % 2)
    outside = np.where(rng.random(count) < 0.5, rng.uniform(0, 0.93, count), rng.uniform(2.07, 3, count))
    radius = np.where(labels == 1, rng.uniform(1.07, 1.93, count), outside)
    angle = rng.uniform(0, 2 * np.pi, count)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), labels


def modes(rng: np.random.Generator, count: int, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw points; label 1 within 0.45 of one of the centers (3, 2), 0 where all are farther than 0.65."""
    points: list[np.ndarray] = []
    labels: list[int] = []
    while len(points) < count:
        label = len(points) % 2
        if label:
            angle, radius = rng.uniform(0, 2 * np.pi), 0.45 * np.sqrt(rng.random())
            point = centers[rng.integers(len(centers))] + radius * np.array([np.cos(angle), np.sin(angle)])
        else:
            point = rng.uniform(-3, 3, size=2)
            if min(np.hypot(*(point - center)) for center in centers) < 0.65:
                continue
        points.append(point)
        labels.append(label)
    return np.array(points), np.array(labels)


def far_apart(rng: np.random.Generator) -> np.ndarray:
    """Draw three centers (3, 2) in the plane, on a rough triangle."""
    turn = rng.uniform(0, 2 * np.pi) + np.array([0, 2.1, 4.2]) + rng.uniform(-0.3, 0.3, 3)
    return rng.uniform(1.3, 1.9) * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def linear_accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Fit a linear classifier to the first half of the rows; return its share of right answers on the second half.

    Least squares on the rows that are not yet clear of the boundary, again and again: Newton's method for the squared
    hinge. With this little weight on the norm it separates what can be separated.
    """
    center, spread = features.mean(axis=0), features.std(axis=0)
    table = np.hstack([(features - center) / np.where(spread > 0, spread, 1.0), np.ones((len(features), 1))])
    half, sign = len(labels) // 2, 2.0 * labels - 1
    rows, wanted = table[:half], sign[:half]
    weights, best = np.zeros(table.shape[1]), (-1.0, 0.0)
    for _ in range(60):
        near = wanted * (rows @ weights) < 1
        if not near.any():
            break
        normal = rows[near].T @ rows[near] + 1e-9 * np.eye(table.shape[1])
        newton = np.linalg.solve(normal, rows[near].T @ wanted[near])
        weights = weights + 0.7 * (newton - weights)  # full steps can jump between two sets of rows for ever
        seen = float(np.mean(rows @ weights * wanted > 0))
        unseen = float(np.mean(table[half:] @ weights * sign[half:] > 0))
        best = max(best, (seen, unseen), key=lambda pair: pair[0])
    return best[1]


def lifted(value: object, count: int, report: Report) -> np.ndarray:
    """Require finite features (N, F) with 1 <= F <= MOST_FEATURES; return them as float64."""
    shape = shape_of(value)
    if shape is not None and shape != () and (len(shape) != 2 or shape[0] != count):
        hint = (
            f"One feature per point is a table of one column, ({count}, 1): write feature[:, None]."
            if shape == (count,)
            else "Points lie along rows: stack features as columns, np.stack([...], axis=1)."
        )
        report.fail(f"the features must have shape (N, F) with N = {count}, got {shape}", hint=hint, symptom="columns")
    features = shape[1] if shape is not None and len(shape) == 2 else 1
    table = report.array(value, (count, features), kind="fi", name="the features").astype(np.float64)
    report.require(bool(np.isfinite(table).all()), "some features are not finite", symptom="not-finite")
    report.require(
        1 <= features <= MOST_FEATURES,
        f"{features} features; 1 to {MOST_FEATURES} are allowed",
        hint="One or two are enough for each of the three cases.",
        symptom="too-many",
    )
    return table


def _examine(
    subject: Subject, report: Report, points: np.ndarray, labels: np.ndarray, *extra: np.ndarray, hint: str
) -> None:
    with report.stage("features"):
        call = subject.call(points, *extra)
        table = lifted(call.value, len(points), report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["X", "centers"])
    with report.stage("point by point"):
        alone = lifted(subject(points[:5], *extra), 5, report)
        report.require(
            alone.shape[1] == table.shape[1] and bool(np.allclose(alone, table[:5], rtol=1e-5, atol=1e-9)),
            "five points alone get other features than the same five among the others",
            hint="The features of a point may depend on that point only, not on a mean or maximum over all of them.",
            symptom="not-pointwise",
        )
    with report.stage("a line separates"):
        require_separable(table, points, labels, report, hint=hint)


def require_separable(table: np.ndarray, points: np.ndarray, labels: np.ndarray, report: Report, *, hint: str) -> None:
    """Require that a linear classifier on the features does well on points that it was not fitted to."""
    share = linear_accuracy(table, labels)
    plane = linear_accuracy(points, labels)
    report.require(
        share >= ENOUGH,
        f"the best line on your features gets {100 * share:.0f} % right; on the bare coordinates {100 * plane:.0f} %",
        hint=hint,
        symptom="no-help" if abs(share - plane) <= 0.005 else "not-separable",
    )


@exercise("softmax-lift_quadrants", points=1, title="a lift for the quadrants")
def examine_quadrants(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    hint = "Which simple function of x and y is positive in quadrants I and III, and negative in II and IV?"
    _examine(subject, report, *quadrants(rng, 400), hint=hint)


@exercise("softmax-lift_ring", points=2, title="a lift for the ring")
def examine_ring(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    hint = (
        "The norm alone is one number, and a linear classifier cuts a line of numbers once: the ring lies between two "
        "cuts. Which second feature turns 'between' into 'below'?"
    )
    _examine(subject, report, *ring(rng, 400), hint=hint)


@exercise("softmax-lift_modes", points=2, title="a lift for the three modes")
def examine_modes(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    centers = far_apart(rng)
    hint = (
        "What do all points of class 1 have in common, whichever mode they are near to? Use the centers you are given."
    )
    _examine(subject, report, *modes(rng, 400, centers), centers, hint=hint)
