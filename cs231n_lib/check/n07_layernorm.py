"""What is examined in N07: layer norm, forward and backward, and two questions about it."""

from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n07_batchnorm_backward import examine_backward
from .n07_form import require_cache, results
from .n07_mistakes import output_mistakes, symptoms_of
from .n07_oracle import normalized
from .report import NotAnswered, Report, Symptom
from .spec import exercise
from .subject import Subject

INPUTS = ("x", "gamma", "beta")


@exercise("norm-layernorm_forward", points=4, title="layer norm, forward")
def examine_layernorm_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d = distinct_sizes(rng, 2)
    gamma, beta, eps = rng.uniform(0.5, 2.0, size=d), rng.normal(1.0, 1.0, size=d), float(rng.uniform(0.2, 0.4))
    x = rng.normal(size=(n, d)) * rng.uniform(0.5, 2.0, size=(n, 1)) + rng.normal(0.0, 3.0, size=(n, 1))
    with report.stage("shape"):
        call = subject.call(x, gamma, beta, eps=eps)
        out, cache = results(call.value, ("out", "cache"), report)
        out = report.array(out, (n, d), name="out")
    with report.stage("inputs untouched"):
        report.untouched(call, INPUTS)
    with report.stage("a row by hand"):
        hand = np.array([[1.0, 3.0], [10.0, 30.0], [5.0, 1.0]]), np.array([2.0, 3.0]), np.array([5.0, 7.0])
        want = np.array([[3.0, 10.0], [3.0, 10.0], [7.0, 4.0]])
        mistakes = symptoms_of(output_mistakes(*hand, 0.0, axis=1))
        report.close(_output(subject, *hand, report, eps=0.0), want, name="out", symptoms=mistakes)
    with report.stage("values"):
        want = normalized(x, gamma, beta, eps, axis=1)
        mistakes = symptoms_of(output_mistakes(x, gamma, beta, eps, axis=1))
        report.close(out, want, name="out", symptoms=mistakes)
    with report.stage("cache"):
        require_cache(cache, x, gamma, eps, report, axis=1)
    with report.stage("a batch of one"):
        hint = "A row's output depends on that row alone: a batch of one must give what the whole batch gave."
        alone = [Symptom("others-matter", lambda _: True, hint)]
        got = _output(subject, x[:1], gamma, beta, report, eps=eps)
        report.close(got, want[:1], name="out", symptoms=alone)
    with report.stage("as many rows as features"):
        square = rng.normal(2.0, 3.0, size=(d, d))
        got = _output(subject, square, gamma, beta, report, eps=eps)
        mistakes = symptoms_of(output_mistakes(square, gamma, beta, eps, axis=1))
        report.close(got, normalized(square, gamma, beta, eps, axis=1), name="out", symptoms=mistakes)
    with report.stage("default eps"):
        got = _output(subject, x * 1e-2, gamma, beta, report)
        hint = "The head of the function says eps=1e-5: leave it so, and use the name."
        want = normalized(x * 1e-2, gamma, beta, 1e-5, axis=1)
        report.close(got, want, rtol=1e-6, name="out", symptoms=[Symptom("defaults", lambda _: True, hint)])
    with report.stage("float32 and column order"):
        x32, gamma32, beta32 = (np.asfortranarray(a, dtype=np.float32) for a in (x, gamma, beta))
        want = normalized(x, gamma, beta, eps, axis=1)
        report.close(_output(subject, x32, gamma32, beta32, report, eps=eps), want, rtol=1e-3, atol=1e-4, name="out")


def _output(
    subject: Subject, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, report: Report, **options: float
) -> np.ndarray:
    """Call the student's function and return `out`, its form required."""
    out, _ = results(subject(x, gamma, beta, **options), ("out", "cache"), report)
    return report.array(out, x.shape, name="out")


@exercise("norm-layernorm_backward", points=4, title="layer norm, backward")
def examine_layernorm_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    examine_backward(subject, rng, report, axis=1)


def letter_pair(subject: Subject, letters: str, report: Report) -> dict[str, str]:
    """Require {"batch": a letter, "layer": a letter} and return it."""
    answer: Any = subject.value()
    if answer is ...:
        raise NotAnswered
    form = f'the answer must be {{"batch": a letter, "layer": a letter}}, letters from {letters[0]} to {letters[-1]}'
    report.require(
        isinstance(answer, dict) and set(map(str, answer)) == {"batch", "layer"},
        f"{form}, got {answer!r:.60}",
        symptom="form",
    )
    pair = {name: str(answer[name]).strip().upper() for name in ("batch", "layer")}
    unknown = [letter for letter in pair.values() if len(letter) != 1 or letter not in letters]
    report.require(not unknown, f"{form}, got {', '.join(unknown)[:60]}", symptom="letters")
    return pair


@exercise("norm-q3", points=1, title="normalizing the images themselves", visible_share=0.0)
def examine_preprocessing(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        letter_pair(subject, "ABCDE", report)


@exercise("norm-q4", points=1, title="what layer norm erases", visible_share=0.0)
def examine_erased(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
