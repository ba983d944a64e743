"""What is examined in N08: two questions. Only their form is looked at here; the keys are found when grading."""

import math

import numpy as np

from .report import NotAnswered, Report
from .spec import exercise
from .subject import Subject

KEYS = ("mean_plain", "mean_divided", "variance_divided", "three_layers")


@exercise("drop-q1", points=1, title="why divide by keep", visible_share=0.0)
def examine_scaling(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        numbers(subject, report)


def numbers(subject: Subject, report: Report) -> dict[str, float]:
    """Require a dict of the four keys with finite numbers; return it."""
    answer = subject.value()
    if answer is ... or (isinstance(answer, dict) and any(value is ... for value in answer.values())):
        raise NotAnswered
    hint = "Keep the form of the cell and replace the dots."
    report.require(
        isinstance(answer, dict) and set(answer) == set(KEYS),
        f"the answer must be a dict with the keys {', '.join(KEYS)}",
        hint=hint,
        symptom="keys",
    )
    for key, value in answer.items():
        real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        report.require(
            real and math.isfinite(value), f"{key} must be a number, got {value!r:.40}", symptom="not-number"
        )
    return {key: float(value) for key, value in answer.items()}


@exercise("drop-q2", points=2, title="dropout as a regularizer", visible_share=0.0)
def examine_truths(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
