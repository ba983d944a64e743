"""What is examined in N03, second quarter: how the error depends on the step, and where there is no slope at all."""

import math

import numpy as np

from .n00_start import distinct_sizes
from .n03_slopes import Probe, measured
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, Subject


def _ratio(estimate: float, slope: float) -> float:
    size = max(abs(estimate), abs(slope))
    return abs(estimate - slope) / size if size else 0.0


@exercise("grad-sweep_steps", points=2, title="the error at every step")
def examine_sweep_steps(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("shape"):
        call = subject.call(lambda x: x**3, 2.0, 12.0, np.array([1.0, 0.5, 0.25]))
        if isinstance(call.value, np.ndarray) and call.value.shape == (2, 3):
            hint = "One row for each step, two columns: this is the transpose."
            report.fail("the result must have shape (3, 2), got (2, 3)", hint=hint, symptom="transposed")
        got = report.array(call.value, (3, 2))
    with report.stage("inputs untouched"):
        report.untouched(call, ["f", "x", "slope", "steps"])
    with report.stage("x cubed at 2"):
        # By hand: (x + h)**3 - x**3 = h (3x**2 + 3xh + h**2), and from both sides 2h (3x**2 + h**2).
        steps = np.array([1.0, 0.5, 0.25])
        _sweep_close(report, got, 12 + 6 * steps + steps**2, 12 - 6 * steps + steps**2, 12.0)
    with report.stage("values"):
        for f, df in ((math.exp, math.exp), (math.sin, math.cos), (math.atan, lambda x: 1 / (1 + x * x))):
            x, steps = float(rng.uniform(0.3, 1.2)), rng.permutation(10.0 ** -rng.uniform(0.3, 2, size=4))
            right = np.array([(f(x + h) - f(x)) / h for h in steps.tolist()])
            left = np.array([(f(x) - f(x - h)) / h for h in steps.tolist()])
            got = report.array(subject(f, x, df(x), steps), (4, 2))
            _sweep_close(report, got, right, left, df(x))
    with report.stage("a flat function"):
        got = report.array(subject(lambda x: 5.0, 1.0, 0.0, np.array([0.1, 0.01])), (2, 2))
        flat = Symptom("zero-over-zero", lambda v: bool(np.isnan(v).any()), "0/0 is nan; here the error is 0.")
        report.close(got, np.zeros((2, 2)), name="the errors", symptoms=[flat])


def _sweep_close(report: Report, got: np.ndarray, right: np.ndarray, left: np.ndarray, slope: float) -> None:
    """Compare with the errors of one-sided slopes `right` and `left`, naming the usual slips."""

    def table(*columns: np.ndarray) -> np.ndarray:
        return np.array([[_ratio(e, slope) for e in column.tolist()] for column in columns]).T

    both = (right + left) / 2
    want = table(right, both)
    known = {
        "swapped": (
            table(both, right),
            "Column 0 is for forward, column 1 for central differences: yours are swapped.",
        ),
        "absolute": (abs(np.stack([right, both], 1) - slope), "These are absolute errors: divide by the larger size."),
        "backward": (table(left, both), "Column 0 is the backward difference: use f(x + h) - f(x)."),
        "over-slope": (
            abs(np.stack([right, both], 1) / slope - 1),
            "Divide by the larger of the two, as rel_error does.",
        ),
        "no-half": (table(right, right + left), "Central: between x - h and x + h lie two steps. Divide by 2h."),
        "estimates": (np.stack([right, both], 1), "These are the estimates: compare each with the slope."),
    }
    symptoms = [Symptom(name, looks_like(value), hint) for name, (value, hint) in known.items()]
    report.close(got, want, rtol=1e-6, atol=1e-9, name="the errors", symptoms=symptoms)


@exercise("grad-find_kinks", points=2, title="where there is no slope")
def examine_find_kinks(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    x = np.array([[-1.0, 0.0, 2.0]])
    with report.stage("shape"):
        absolute = Probe(lambda v: float(np.abs(v).sum()), x)
        call = measured(subject, absolute, report)
        got = _marks(call, (1, 3), report)
    with report.stage("input untouched"):
        report.untouched(call, ["f", "x"])
    with report.stage("|x| at -1, 0, 2"):
        _marks_equal(report, got, [[False, True, False]], absolute)
    n, d = distinct_sizes(rng, 2)
    x = rng.uniform(1, 2, size=(n, d)) * rng.choice([-1, 1], size=(n, d))
    kinks = rng.random(size=(n, d)) < 0.4
    kinks.flat[:2] = True, False
    with report.stage("hinges away from 0"):
        corners = np.where(kinks, x, x + rng.choice([-0.3, 0.3], size=(n, d)))
        hinge = Probe(lambda v: float(np.maximum(v - corners, 0).sum()), x)
        at_zero = Symptom("only-at-zero", lambda v: not v.any(), "A kink need not be at 0: measure both sides of f.")
        _marks_equal(report, _marks(measured(subject, hinge, report), (n, d), report), kinks, hinge, at_zero)
    with report.stage("kinks that point up"):
        roof = Probe(lambda v: float(np.minimum(v - corners, 0).sum() + 3 * v.sum()), x)
        concave = Symptom(
            "concave", lambda v: not v.any(), "The slope may also fall at a kink: take the absolute value of the jump."
        )
        _marks_equal(report, _marks(measured(subject, roof, report), (n, d), report), kinks, roof, concave)
    with report.stage("smooth and curved"):
        curved = Probe(lambda v: float((v**2).sum() + 30 * np.cos(v).sum()), np.where(kinks, 0.0, x))
        hint = "The slopes of a curve differ by about h f'': that is no kink. Only a jump above tol is one."
        smooth = Symptom("smooth-flagged", lambda v: bool(v.any()), hint)
        _marks_equal(
            report, _marks(measured(subject, curved, report), (n, d), report), np.zeros((n, d)), curved, smooth
        )
    with report.stage("closer than a step"):
        near = Probe(lambda v: float(np.abs(v).sum()), np.array([2e-6, -3e-6, 4e-5, 0.0]))
        missed = Symptom(
            "misses-near",
            lambda v: not v[:2].any(),
            "A kink 2e-6 away lies inside the step of 1e-5 and spoils the difference just as well: do not look for "
            "entries that are exactly 0, compare the slopes on both sides.",
        )
        _marks_equal(report, _marks(measured(subject, near, report), (4,), report), [1, 1, 0, 1], near, missed)
    with report.stage("a tie of a maximum"):
        tie = Probe(lambda v: float(v.max()), np.array([1.5, 0.5, 1.5]))
        _marks_equal(report, _marks(measured(subject, tie, report), (3,), report), [1, 0, 1], tie)


def _marks(call: Call, shape: tuple[int, ...], report: Report) -> np.ndarray:
    return report.array(call.value, shape, kind="b", name="the marks")


def _marks_equal(report: Report, got: np.ndarray, want: object, probe: Probe, *symptoms: Symptom) -> None:
    wanted = np.asarray(want, dtype=np.float64)
    inverted = Symptom(
        "inverted", looks_like(1 - wanted), "True stands where there is a kink, not where there is none."
    )
    report.equal(
        got,
        wanted,
        name="the marks",
        symptoms=[*symptoms, *probe.symptoms(), inverted],
        hint="Compare (f(x + h) - f(x)) / h with (f(x) - f(x - h)) / h, one entry at a time.",
    )
