"""What is examined in N02, third part: the softmax loss and its gradient, with and without loops."""

import math
import time
from collections.abc import Callable

import numpy as np

from .n00_start import distinct_sizes
from .n02_oracle import case, data_loss, gradient_slips, label_slips, loss_slips, penalty, slopes
from .n02_scores import number
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, Subject

SPEEDUP = 2  # a version without loops measured 5 to 6 times the loop below, one that loops over rows 0.3 to 0.8 times
LECTURE_SCORES = (3.2, 5.1, -1.7)  # cat, car, frog


def parts(call: Call, w: np.ndarray, report: Report, *, finite: bool = True) -> tuple[float, np.ndarray]:
    """Require (loss, dW): one number (finite, if so asked) and a float array of the shape of W."""
    value = call.value
    if value is None:
        report.fail("the result is None", hint="Does your function end in `return`?", symptom="no-return")
    report.require(
        isinstance(value, tuple | list) and len(value) == 2,
        f"the result must be a pair (loss, dW), got {type(value).__name__}",
        hint="End in `return loss, dW`.",
        symptom="not-pair",
    )
    return number(value[0], report, name="loss", finite=finite), report.array(value[1], w.shape, name="dW")


def examine_loss(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, c = distinct_sizes(rng, 3)
    w, x, y = case(rng, n, d, c)
    reg = float(rng.uniform(0.3, 0.9))
    data, dw = data_loss(w, x, y), slopes(lambda v: data_loss(v, x, y), w)
    shrink = np.vstack([w[:-1], np.zeros((1, c))])
    with report.stage("shape"):
        call = subject.call(w, x, y, 0.0)
        loss, got = parts(call, w, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["W", "X", "y", "reg"])
    with report.stage("cat, car, frog"):
        _lecture(subject, report)
    with report.stage("loss"):
        report.close(np.array(loss), data, rtol=1e-8, name="loss", symptoms=loss_slips(w, x, y, 0.0)[:6])
    with report.stage("gradient"):
        slips = [*gradient_slips(dw, w, n, 0.0), *label_slips(w, x, y)]
        report.close(got, dw, rtol=1e-6, atol=1e-8, name="dW", symptoms=slips)
    with report.stage("regularization"):
        loss, got = parts(subject.call(w, x, y, reg), w, report)
        want = data + penalty(w, reg)
        report.close(np.array(loss), want, rtol=1e-8, name="loss", symptoms=loss_slips(w, x, y, reg))
        slips = gradient_slips(dw, w, n, reg)
        report.close(got, dw + reg * shrink, rtol=1e-6, atol=1e-8, name="dW", symptoms=slips)
    with report.stage("huge scores"):
        _huge(subject, rng, report)
    with report.stage("float32 and column order"):
        w32, x32 = w.astype(np.float32), np.asfortranarray(x, dtype=np.float32)
        loss, got = parts(subject.call(w32, x32, y, reg), w, report)
        report.close(np.array(loss), data + penalty(w, reg), rtol=1e-4, atol=1e-5, name="loss")
        report.close(got, dw + reg * shrink, rtol=1e-3, atol=1e-4, name="dW")


def _lecture(subject: Subject, report: Report) -> None:
    """The scores of the lecture, made by a W that has only biases."""
    w, x, y = np.array([LECTURE_SCORES]), np.ones((1, 1)), np.array([0])
    loss, _ = parts(subject.call(w, x, y, 0.0), w, report)
    want = data_loss(w, x, y)
    symptoms = [
        Symptom("log2", looks_like(want / math.log(2)), "2.94 is the loss in bits: use the natural logarithm."),
        Symptom("log10", looks_like(want / math.log(10)), "Use the natural logarithm, np.log."),
        Symptom("loss-sign", looks_like(-want), "The loss is *minus* the log of the probability."),
        Symptom(
            "probability", looks_like(math.exp(-want)), "0.13 is the probability of cat: take minus its logarithm."
        ),
        Symptom("one-minus", looks_like(1 - math.exp(-want)), "1 - p is not the loss: take minus the logarithm of p."),
    ]
    report.close(
        np.array(loss), want, rtol=1e-12, name="the loss of a cat with scores 3.2, 5.1, -1.7", symptoms=symptoms
    )


def _huge(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Scores of 1000: first with every row alike, then with rows that lie a thousand apart."""
    shift = "Subtract from each row its own largest score before np.exp: the probabilities stay the same."
    log_sum = "log(p) of a p that was rounded to 0 is -inf. Take the logarithm before you divide: " + (
        "log p = shifted - log(sum(exp(shifted)))."
    )
    levels = rng.permutation([0.0, 3.0, 5.0])
    for base, symptom, hint in (
        (np.full(4, 1000.0), "no-shift", shift),
        (np.full(4, -1000.0), "no-shift", shift),
        (
            np.array([1000.0, 0.0, -1000.0, 500.0]),
            "global-shift",
            f"One maximum of the whole table is not enough. {shift}",
        ),
    ):
        x, y = np.stack([base, np.ones(4)], axis=1), np.array([0, 1, 2, 0])
        w = np.stack([np.ones(3), levels])
        _huge_case(subject, w, x, y, report, symptom, hint)
    w, x, y = np.array([[1000.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.ones((3, 2)), np.array([0, 1, 2])
    _huge_case(subject, w, x, y, report, "log-of-zero", log_sum)


def _huge_case(
    subject: Subject, w: np.ndarray, x: np.ndarray, y: np.ndarray, report: Report, symptom: str, hint: str
) -> None:
    loss, got = parts(subject.call(w, x, y, 0.0), w, report, finite=False)
    want, scores = data_loss(w, x, y), x @ w
    report.require(
        bool(np.isfinite(got).all()) and abs(loss - want) <= 1e-6 * max(1.0, want),
        f"with scores from {scores.min():g} to {scores.max():g} the loss should be {want:.6g}, got {loss:.6g}"
        + (
            "" if np.isfinite(got).all() else f" and {int((~np.isfinite(got)).sum())} numbers of dW that are not finite"
        ),
        hint=hint,
        symptom=symptom,
    )
    want_dw = slopes(lambda v: data_loss(v, x, y), w, step=1e-5)
    report.close(got, want_dw, rtol=1e-4, atol=1e-3, name="dW", hint=hint)


exercise("softmax-naive", points=8, title="the softmax loss and its gradient, with loops")(examine_loss)


@exercise("softmax-vectorized", points=8, title="the softmax loss and its gradient, without loops")
def examine_vectorized(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    examine_loss(subject, rng, report)
    with report.stage("speed"):
        w, x, y = case(rng, 8000, 12, 10)
        times = [(_seconds(lambda: _lowest_of_rows(x, w)), _seconds(lambda: subject(w, x, y, 0.1))) for _ in range(4)]
        loop, yours = (min(column) for column in zip(*times, strict=True))  # alternating: a busy machine slows both
        report.require(
            loop >= SPEEDUP * yours,
            f"8,000 rows: {loop / yours:.1f} times as fast as a bare loop over the rows; {SPEEDUP} times is asked",
            hint="No Python loop may run over the rows: scores are one product X @ W, and dW is one product with X.T.",
            symptom="slow",
        )


def _lowest_of_rows(x: np.ndarray, w: np.ndarray) -> list[float]:
    """A loop over rows that the speed is compared with. It computes something else than what is asked."""
    return [float((row @ w).min()) for row in x]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@exercise("softmax-q3", points=2, title="where a loss has kinks", visible_share=0.0)
def examine_kinks(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
