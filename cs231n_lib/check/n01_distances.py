"""What is examined in N01, first half: three ways to compute a distance matrix."""

import math

import numpy as np

from .clock import seconds
from .n00_start import distinct_sizes
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

MEGABYTE = 2**20
SPEEDUP = 20  # over the loop below; measured on one busy core: a matrix product 64-80, a single loop 5


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances (len(a), len(b)) by the standard library: slow, and independent of NumPy."""
    columns = b.astype(float).tolist()
    return np.array([[math.dist(row, column) for column in columns] for row in a.astype(float).tolist()])


def _mistakes(a: np.ndarray, b: np.ndarray, want: np.ndarray) -> list[Symptom]:
    """Return the slips that are recognised in a distance matrix of rows a against rows b."""
    gaps = [[[u - v for u, v in zip(r, c, strict=True)] for c in b.tolist()] for r in a.tolist()]
    l1 = [[math.fsum(map(abs, gap)) for gap in row] for row in gaps]
    largest = [[max(map(abs, gap)) for gap in row] for row in gaps]
    squares = np.array([math.hypot(*r) ** 2 for r in a.tolist()])[:, None] + [math.hypot(*r) ** 2 for r in b.tolist()]
    symptoms = [
        Symptom("squared", looks_like(want**2), "These are the squares of the distances: take the square root."),
        Symptom("l1", looks_like(l1), "This is the L1 distance. L2 squares each difference, sums, and takes the root."),
        Symptom("largest-gap", looks_like(largest), "This is the largest difference only: sum over all D squares."),
        Symptom("mean", looks_like(want / math.sqrt(a.shape[1])), "You took a mean over the D features: take the sum."),
        Symptom("no-cross-term", looks_like(np.sqrt(squares)), "The term -2ab of (a - b)**2 is missing."),
        Symptom(
            "cross-sign", looks_like(np.sqrt(2 * squares - want**2)), "The cross term of (a - b)**2 has a minus sign."
        ),
        Symptom(
            "cross-half", looks_like(np.sqrt((squares + want**2) / 2)), "The cross term of (a - b)**2 counts twice."
        ),
    ]
    if want.shape[0] == want.shape[1]:
        symptoms.append(
            Symptom("transposed", looks_like(want.T), "Row i must belong to test row i: this is the transpose.")
        )
    else:
        refilled = looks_like(want.T.reshape(want.shape))
        hint = "These are the right numbers in the wrong places: reshape does not swap axes, .T does."
        symptoms.append(Symptom("reshaped", refilled, hint))
    return symptoms


def _distance_shape(got: object, want: np.ndarray, report: Report) -> np.ndarray:
    """Require a float array of want's shape, naming the transpose and shapes that would broadcast."""
    if isinstance(got, np.ndarray | float) and np.shape(got) != want.shape:
        shape = np.shape(got)
        if shape == want.T.shape:
            report.fail(
                f"the result must have shape (Nte, Ntr) = {want.shape}, got {shape}",
                hint="Rows belong to test images, columns to training images: this is the transpose.",
                symptom="transposed",
            )
        try:
            broadcasts = np.broadcast_shapes(shape, want.shape) == want.shape
        except ValueError:
            broadcasts = False
        if broadcasts:
            report.fail(
                f"the result must have shape (Nte, Ntr) = {want.shape}, got {shape}",
                hint="One entry for every pair of a test and a training row is needed. This shape broadcasts against "
                "the right one without an error, which hides such a slip.",
                symptom="broadcast-shape",
            )
    return report.array(got, want.shape)


def _examine_distances(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    nte, ntr, d = distinct_sizes(rng, 3)
    a, b = rng.normal(size=(nte, d)), rng.normal(size=(ntr, d)) + 0.5
    want = distances(a, b)
    with report.stage("shape"):
        call = subject.call(a, b)
        got = _distance_shape(call.value, want, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["X", "X_train"])
    with report.stage("3-4-5 triangle"):
        corner, ends = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 2.0], [-5.0, 12.0]])
        by_hand = np.array([[5.0, 2.0, 13.0]])
        here = _distance_shape(subject(corner, ends), by_hand, report)
        report.close(here, by_hand, rtol=1e-5, name="dists", symptoms=_mistakes(corner, ends, by_hand))
    with report.stage("values"):
        report.close(got, want, rtol=1e-5, name="dists", symptoms=_mistakes(a, b, want))
    with report.stage("as many test as training rows"):
        a, b = rng.normal(size=(ntr, d)), rng.normal(size=(ntr, d)) + 0.5
        want = distances(a, b)
        got = _distance_shape(subject(a, b), want, report)
        report.close(got, want, rtol=1e-5, name="dists", symptoms=_mistakes(a, b, want))
    with report.stage("uint8 pixels"):
        pixels = rng.integers(0, 256, size=(nte, d), dtype=np.uint8)
        others = rng.integers(0, 256, size=(ntr, d), dtype=np.uint8)
        want = distances(pixels, others)
        got = _distance_shape(subject(pixels, others), want, report)
        off = ~(np.abs(got - want) <= 1e-4 * want)
        report.require(
            not off.any(),
            f"with uint8 images {int(off.sum())} of {off.size} distances are wrong",
            hint="uint8 has no negative numbers and nothing above 255: 3 - 5 gives 254. Convert both inputs to float "
            "before you subtract or square.",
            symptom="uint8-overflow",
        )
    with report.stage("float32 and column order"):
        columns = [np.asfortranarray(rows, dtype=np.float32) for rows in (pixels, others)]
        got = _distance_shape(subject(*columns), want, report)
        report.close(got, want, rtol=1e-4, name="dists")
    with report.stage("equal rows"):
        b = rng.normal(0, 100, size=(40, 200))
        a = b[rng.permutation(40)[:30]]
        want = distances(a, b)
        got = _distance_shape(subject(a, b), want, report)
        report.require(
            not np.isnan(got).any(),
            f"{int(np.isnan(got).sum())} distances are nan: they belong to a test row that is also a training row",
            hint="Rounding can make a sum that should be 0 slightly negative, and its square root is nan. "
            "Clamp the sum at 0 before the root.",
            symptom="nan-duplicates",
        )
        # a.a - 2 a.b + b.b loses about half the digits where a = b: a millionth of |a| in float64, a thousandth in
        # float32. That is the price of the formula, not a mistake.
        report.close(got, want, rtol=1e-3, atol=1e-3 * float(np.abs(want).max()), name="dists")


exercise("knn-two_loops", points=4, title="distances with two loops")(_examine_distances)
exercise("knn-one_loop", points=4, title="distances with one loop")(_examine_distances)


@exercise("knn-no_loops", points=8, title="distances without loops")
def examine_no_loops(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    _examine_distances(subject, rng, report)
    with report.stage("memory"):
        a, b = rng.normal(size=(32, 2048)), rng.normal(size=(320, 2048))
        peak = subject.call(a, b, measure=True).peak
        report.require(
            peak <= 64 * MEGABYTE,
            f"32 test against 320 training images took {peak / MEGABYTE:.0f} MB; at most 64 MB are allowed",
            hint="An array of shape (Nte, Ntr, D) holds every difference at once: 61 GB for 500 against 5,000 images. "
            "Write the square as a.a - 2 a.b + b.b, where the middle term is one matrix product.",
            symptom="memory",
        )
    with report.stage("speed"):
        a, b = rng.normal(size=(300, 256)), rng.normal(size=(300, 256))  # small beside the work on them
        loop = seconds(lambda: _largest_gaps(a, b))
        # A busy machine can slow a single call; a slow function stays slow however often it is tried.
        yours = math.inf
        for _ in range(3):
            if loop < SPEEDUP * yours:
                yours = min(yours, subject.call(a, b).seconds)
        report.require(
            loop >= SPEEDUP * yours,
            f"only {loop / yours:.1f} times as fast as a double Python loop over the pairs; {SPEEDUP} times is asked",
            hint="No Python loop may run over the rows, not even hidden in a comprehension or np.vectorize: "
            "let one matrix product do the work.",
            symptom="slow",
        )


def _largest_gaps(a: np.ndarray, b: np.ndarray) -> list[float]:
    """A double loop that the speed is compared with. It computes something else than what is asked."""
    return [np.abs(row - other).max() for row in a for other in b]
