"""What is examined in N03: a relative error that lets no nan, no wrong shape and no tiny gradient through."""

import math

import numpy as np

from .n00_start import distinct_sizes
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject


@exercise("grad-rel_error", points=3, title="a strict relative error")
def examine_rel_error(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("a number"):
        a, b = np.array([10.0, -2.0]), np.array([8.0, -2.0])
        call = subject.call(a, b)
        _error_close(report, _number(call.value, report), *_wanted(a, b))
    with report.stage("inputs untouched"):
        report.untouched(call, ["a", "b"])
    with report.stage("values"):
        n, d = distinct_sizes(rng, 2)
        a = rng.normal(size=(n, d))
        b = a * rng.uniform(0.8, 1.2, size=(n, d))
        _error_close(report, _number(subject(a, np.asfortranarray(b)), report), *_wanted(a, b))
        _error_close(report, _number(subject(b, a), report), *_wanted(b, a))
    with report.stage("opposite signs"):
        _error_close(report, _number(subject(np.array([1.0, -3.0]), np.array([1.0, 3.0])), report), 2.0, [])
    with report.stage("tiny numbers"):
        got = _number(subject(np.array([1e-12]), np.array([3e-12])), report)
        hint = "A constant in the denominator hides the errors of small gradients: leave it out and treat 0/0 apart."
        floor = Symptom("floor", lambda v: bool(v < 0.5), hint)
        _error_close(report, got, 2 / 3, [floor])
    with report.stage("0/0"):
        for zeros in (np.zeros((2, 3)), np.array([0.0, 1.5, -0.0])):
            got = _number(subject(zeros, zeros.copy()), report)
            nan = Symptom("zero-over-zero", lambda v: bool(np.isnan(v)), "0/0 is nan: where both are 0 the error is 0.")
            _error_close(report, got, 0.0, [nan])
    with report.stage("nan and infinity"):
        for bad, other in ((math.nan, 1.0), (math.nan, math.nan), (math.inf, 1.0), (1.0, -math.inf), (math.inf,) * 2):
            pair = np.array([1.0, bad, 2.0]), np.array([1.0, other, 2.0])
            got = _number(subject(*pair), report)
            report.require(
                got == math.inf,
                f"with {bad} against {other} among the entries the error must be inf, got {got}",
                hint="`nan > 1e-6` is False, so a nan slips through a comparison. Return infinity as soon as an entry "
                "of either array is nan or infinite.",
                symptom="nan-passes" if math.isnan(bad) else "inf-passes",
            )
    with report.stage("shapes must agree"):
        for a, b in ((np.ones((1, 3)), np.ones(3)), (np.ones(4), np.ones((4, 4))), (np.ones(3), np.array(1.0))):
            _require_refusal(subject, a, b, report)
    with report.stage("uint8 and float32"):
        bytes_ = Symptom("uint8", lambda v: bool(v > 0.41), "3 - 5 is 254 in uint8: convert to float64 first.")
        got = _number(subject(np.array([3, 9], dtype=np.uint8), np.array([5, 9], dtype=np.uint8)), report)
        _error_close(report, got, 0.4, [bytes_])
        got = _number(subject(np.array([1.0], dtype=np.float32), np.array([1.0 + 1e-9])), report)
        lost = Symptom("float32", lambda v: bool(v == 0), "Compare in float64: float32 cannot tell 1 from 1 + 1e-9.")
        report.close(np.array(got), 1e-9, rtol=1e-3, atol=0.0, name="the error", symptoms=[lost])


def _wanted(a: np.ndarray, b: np.ndarray) -> tuple[float, list[Symptom]]:
    """Return the right error and the slips that are recognised, by the standard library."""
    pairs = list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    shares = [abs(u - v) / max(abs(u), abs(v)) for u, v in pairs]
    gaps = [abs(u - v) for u, v in pairs]
    norms = math.hypot(*gaps) / max(math.hypot(*(u for u, _ in pairs)), math.hypot(*(v for _, v in pairs)))
    known = {
        "mean": (math.fsum(shares) / len(shares), "This is the mean: one wrong entry must not hide among right ones."),
        "absolute": (max(gaps), "This is the largest absolute error: divide by the larger of the two sizes."),
        "sum-below": (
            max(gap / (abs(u) + abs(v)) for gap, (u, v) in zip(gaps, pairs, strict=True)),
            "You divide by |a| + |b|. Here the larger of the two is asked.",
        ),
        "norms": (
            norms,
            "This compares lengths of whole vectors: small entries may be all wrong. Take it entry by entry.",
        ),
        "largest-over-largest": (
            max(gaps) / max(max(map(abs, pair)) for pair in pairs),
            "You divide the largest gap by the largest entry. Divide entry by entry, then take the largest.",
        ),
    }
    symptoms = [Symptom(name, looks_like(value), hint) for name, (value, hint) in known.items()]
    for below in (0, 1):
        one = max(abs(pair[0] - pair[1]) / abs(pair[below]) for pair in pairs)
        symptoms.append(
            Symptom("one-sided", looks_like(one), "Dividing by one of the two makes a and b unequal: take the larger.")
        )
    signed = max((u - v) / max(abs(u), abs(v)) for u, v in pairs)
    symptoms.append(Symptom("signed", looks_like(signed), "Negative differences count too: take the absolute value."))
    return max(shares), symptoms


def _error_close(report: Report, got: float, want: float, symptoms: list[Symptom]) -> None:
    report.close(np.array(got), want, rtol=1e-9, atol=1e-12, name="the error", symptoms=symptoms)


def _number(value: object, report: Report) -> float:
    """Require one real number, also an array of shape (); return it."""
    report.require(value is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    report.require(
        isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool),
        f"the result must be one number, got {type(value).__name__}",
        hint="One number for the whole pair of arrays: the largest error of all entries.",
        symptom="not-number",
    )
    return float(value)  # type: ignore[arg-type]


def _require_refusal(subject: Subject, a: np.ndarray, b: np.ndarray, report: Report) -> None:
    """Require ValueError. A stub's NotImplementedError passes through."""
    try:
        got = subject(a, b)
    except StudentError as error:
        if error.kind == "NotImplementedError":
            raise
        report.require(
            "ValueError" in error.bases,
            f"shapes {a.shape} and {b.shape} must raise ValueError, got {error.kind}",
            symptom="other-error",
        )
        return
    report.fail(
        f"shapes {a.shape} and {b.shape} must raise ValueError, got the answer {str(got)[:40]}",
        hint="The two broadcast against each other, and a gradient of the wrong shape looks perfect. Compare the "
        "shapes first.",
        symptom="broadcasts",
    )
