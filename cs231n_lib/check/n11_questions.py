"""What is examined in N11: counts of two famous nets and a quiz. Only the form is looked at here."""

import math

import numpy as np

from .report import NotAnswered, Report
from .spec import exercise
from .subject import Subject

KEYS = ("lenet_parameters", "alexnet_parameters", "alexnet_dense_share", "alexnet_megabytes")


@exercise("torch-audit", points=2, title="LeNet and AlexNet, counted", visible_share=0.0)
def examine_audit(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        numbers(subject, report)


def numbers(subject: Subject, report: Report) -> dict[str, float]:
    """Require a dict of the four keys with finite numbers; return it."""
    answer = subject.value()
    if answer is ... or (isinstance(answer, dict) and any(value is ... for value in answer.values())):
        raise NotAnswered
    whole = isinstance(answer, dict) and set(answer) == set(KEYS)
    hint = "Keep the form of the cell and replace the dots."
    report.require(whole, f"the answer must be a dict with the keys {', '.join(KEYS)}", hint=hint, symptom="keys")
    for key, value in answer.items():
        real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        message = f"{key} must be a number, got {value!r:.40}"
        report.require(real and math.isfinite(value), message, symptom="not-number")
    return {key: float(value) for key, value in answer.items()}


@exercise("torch-quiz", points=1, title="what PyTorch does and does not", visible_share=0.0)
def examine_quiz(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEFG")
