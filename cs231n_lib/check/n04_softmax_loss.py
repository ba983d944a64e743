"""What is examined in N04: the softmax loss of scores, and its gradient."""

from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n04_oracle import softmax_loss_by_hand
from .passes import pair
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject


def loss_number(value: Any, report: Report, name: str = "loss") -> np.ndarray:
    """Require one real number and return it as a float64 array without axes."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        report.fail(
            f"{name} must be one number, got an array of shape {value.shape}",
            hint="Take the mean of the losses of the N rows.",
            symptom="not-a-number",
        )
    if isinstance(value, bool) or not isinstance(value, float | int | np.floating | np.integer | np.ndarray):
        report.fail(f"{name} must be a number, got {type(value).__name__}", symptom="not-a-number")
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        report.fail(f"{name} must be a real number, got {array.dtype}", symptom="not-a-number")
    return array.astype(np.float64)


def _loss_mistakes(scores: np.ndarray, y: np.ndarray, want: float) -> list[Symptom]:
    n, c = scores.shape
    crossed = np.mean([softmax_loss_by_hand(scores, np.full(n, label))[0] for label in y])
    first = softmax_loss_by_hand(scores, np.zeros(n, dtype=int))[0]
    hit = float(np.mean([-scores[i, label] for i, label in enumerate(y.tolist())]))
    return [
        Symptom("loss-sum", looks_like(want * n), "This is the sum over the rows: divide by N."),
        Symptom("loss-over-classes", looks_like(want / c), "Divide by the N rows only, not by the C classes."),
        Symptom("log10", looks_like(want / np.log(10)), "Take the natural logarithm, np.log, not log10."),
        Symptom("log2", looks_like(want / np.log(2)), "Take the natural logarithm, np.log, not log2."),
        Symptom("loss-sign", looks_like(-want), "The logarithm of a probability is negative: the loss is minus it."),
        Symptom("y-column", looks_like(crossed), "You paired every row with every label: y must stay of shape (N,)."),
        Symptom("ignores-y", looks_like(first), "You took the first class of every row: take class y[i] of row i."),
        Symptom("no-normaliser", looks_like(hit), "The logarithm of the sum of exponentials is missing."),
    ]


def _slope_mistakes(scores: np.ndarray, y: np.ndarray, want: np.ndarray) -> list[Symptom]:
    n, c = scores.shape
    hot = np.arange(c) == y[:, None]
    probabilities = want * n + hot
    return [
        Symptom("gradient-sum", looks_like(want * n), "Your dscores is N times ours: the loss is a mean, divide by N."),
        Symptom("gradient-sign", looks_like(-want), "dscores has the opposite sign: it is p - 1 at the true class."),
        Symptom("no-one-hot", looks_like(probabilities / n), "At the true class of each row, 1 must be subtracted."),
        Symptom("gradient-over-classes", looks_like(want / c), "Divide by the N rows only, not by the C classes."),
        Symptom("probabilities", looks_like(probabilities), "Probabilities: subtract 1 at y, then divide by N."),
        Symptom(
            "one-hot-not-shared",
            looks_like(probabilities - hot / n),
            "Only the 1 was divided by N: divide all of p - 1 by N.",
        ),
        Symptom(
            "half-divided",
            looks_like(probabilities / n - hot),
            "Subtract 1 before you divide by N: now only the probabilities are divided.",
        ),
    ]


@exercise("net-softmax_loss", points=5, title="softmax loss and its gradient")
def examine_softmax_loss(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, c = distinct_sizes(rng, 2)
    scores, y = rng.normal(0, 2, size=(n, c)), rng.integers(0, c, size=n)
    y[:2] = [c - 1, c - 2]
    with report.stage("shape"):
        call = subject.call(scores, y)
        loss, dscores = pair(call.value, "loss", "dscores", report)
        loss = loss_number(loss, report)
        dscores = report.array(dscores, (n, c), name="dscores")
    with report.stage("inputs untouched"):
        report.untouched(call, ["scores", "y"])
    with report.stage("the lecture's cat"):
        cat, true = np.array([[3.2, 5.1, -1.7]]), np.array([0])
        got = loss_number(pair(subject(cat, true), "loss", "dscores", report)[0], report)
        report.close(got, 2.0404, atol=1e-4, name="loss", symptoms=_loosened(cat, true))
    with report.stage("loss"):
        want, slopes = softmax_loss_by_hand(scores, y)
        report.close(loss, want, name="loss", symptoms=_loss_mistakes(scores, y, want))
    with report.stage("gradient"):
        report.close(dscores, slopes, name="dscores", symptoms=_slope_mistakes(scores, y, slopes))
    with report.stage("as many rows as classes"):
        softmax_case(subject, report, rng.normal(size=(c, c)), rng.permutation(c))
    with report.stage("huge scores"):
        huge_cases(subject, rng, report)
    with report.stage("float32 and small labels"):
        small = np.asfortranarray(scores.astype(np.float32))
        softmax_case(subject, report, small, y.astype(np.uint8), rtol=1e-4, atol=1e-5)


def _loosened(scores: np.ndarray, y: np.ndarray) -> list[Symptom]:
    """The recognised slips on the lecture's example, where the loss is of one row: the mean and the sum are equal."""
    want = softmax_loss_by_hand(scores, y)[0]
    return [s for s in _loss_mistakes(scores, y, want) if not s.holds(np.asarray(want))]


def softmax_case(
    subject: Subject, report: Report, scores: np.ndarray, y: np.ndarray, *, rtol: float = 1e-7, atol: float = 1e-9
) -> None:
    """Judge loss and gradient at one place."""
    call = subject.call(scores, y)
    loss, dscores = pair(call.value, "loss", "dscores", report)
    want, slopes = softmax_loss_by_hand(scores, y)
    got = loss_number(loss, report)
    report.close(got, want, rtol=rtol, atol=atol, name="loss", symptoms=_loss_mistakes(scores, y, want))
    dscores = report.array(dscores, scores.shape, name="dscores")
    report.close(dscores, slopes, rtol=rtol, atol=atol, name="dscores", symptoms=_slope_mistakes(scores, y, slopes))
    report.untouched(call, ["scores", "y"])


def huge_cases(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Judge scores of 1000, rows far apart, and a true class of probability 0: each breaks another shortcut."""
    overflow = "exp(1000) is too large for a float. First subtract the largest score of each row: softmax stays."
    _huge(subject, report, np.array([[1000.0, 0.0, 999.0]]), np.array([0]), "no-max-shift", overflow)
    apart = np.array([[1000.0, 999.0, 998.0], [-1000.0, -1001.0, -999.0]])
    hint = "One maximum for the whole array leaves other rows with only zeros: subtract each row's own maximum."
    _huge(subject, report, apart, np.array([1, 0]), "global-max", hint)
    hint = (
        "The probability underflows to 0, and its logarithm is -inf (or a constant that you added). "
        "Work with logarithms: log p = shifted - log(sum(exp(shifted)))."
    )
    _huge(subject, report, np.array([[0.0, 1000.0, 3.0]]), np.array([0]), "log-of-zero", hint)


def _huge(subject: Subject, report: Report, scores: np.ndarray, y: np.ndarray, symptom: str, hint: str) -> None:
    loss, dscores = pair(subject(scores, y), "loss", "dscores", report)
    got, dscores = loss_number(loss, report), report.array(dscores, scores.shape, name="dscores")
    want, slopes = softmax_loss_by_hand(scores, y)
    named = [Symptom(symptom, lambda _: True, hint)]
    report.close(got, want, name=f"the loss of scores {scores.tolist()}", symptoms=named)
    report.close(dscores, slopes, name=f"dscores of scores {scores.tolist()}", symptoms=named)
