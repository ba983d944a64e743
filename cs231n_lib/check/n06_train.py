"""What is examined in N06: settings for training a deep net, by what nets trained with them know of new pictures."""

from typing import Any

import numpy as np

from .n04_train import polar_pictures
from .n06_overfit import settings_of
from .n06_runs import run
from .report import Report
from .spec import exercise
from .subject import Subject

STEPS = 400
TARGET = 0.85  # settings that reach the targets on photographs give 0.97 and more, logistic regression 0.13
RULES = ("sgd", "momentum", "rmsprop", "adam")
RANGES = {"learning_rate": (0.0, 10.0), "reg": (-1e-12, 100.0), "batch_size": (9, 500), "num_epochs": (0, 20)}


@exercise("deep-train", points=3, title="settings for a deep net")
def examine_train(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    train_case(subject, rng, report, side=12, classes=8)


def train_case(subject: Subject, rng: np.random.Generator, report: Report, *, side: int, classes: int) -> None:
    """Let the judge train a net with the student's settings on fresh pictures, and try it on others of that kind."""
    with report.stage("form"):
        settings = settings_of(subject, RANGES, report)
        hidden = _hidden_dims(settings, report)
        rule = settings.get("rule")
        report.require(
            isinstance(rule, str) and rule in RULES,
            f"rule must be one of {', '.join(RULES)}, got {rule!r:.40}",
            symptom="rule",
        )
    train, test = polar_pictures(rng, side=side, classes=classes, counts=(5000, 1000))
    with report.stage("new pictures"):
        outcome = run(
            [side * side, *hidden, classes],
            train,
            test,
            rng,
            weight_scale=None,
            rule=str(rule),
            learning_rate=float(settings["learning_rate"]),
            reg=float(settings["reg"]),
            batch_size=int(settings["batch_size"]),
            steps=STEPS,
        )
        _judge(outcome.loss, outcome.right, classes, report)


def _hidden_dims(settings: dict[str, Any], report: Report) -> list[int]:
    dims = settings.get("hidden_dims")
    dims = dims.tolist() if isinstance(dims, np.ndarray) else dims
    plain = isinstance(dims, list | tuple) and all(isinstance(n, int | np.integer) for n in dims)
    report.require(
        plain and 2 <= len(dims) <= 6 and all(1 <= n <= 512 for n in dims),  # type: ignore[arg-type, union-attr]
        f"hidden_dims must be a list of 2 to 6 sizes, each from 1 to 512, got {dims!r:.60}",
        symptom="hidden-dims",
    )
    return [int(n) for n in dims]  # type: ignore[union-attr]


def _judge(loss: float, right: float, classes: int, report: Report) -> None:
    if not np.isfinite(loss):
        report.fail(
            "training diverged: the loss is nan or infinite",
            hint="The steps are too long: divide learning_rate by 10.",
            symptom="diverged",
        )
    message = (
        f"after {STEPS} steps {100 * right:.0f} % of 1,000 new pictures are right; {100 * TARGET:.0f} % are asked, "
        f"guessing gives {100 / classes:.0f} %"
    )
    if right < 2.2 / classes:
        report.fail(
            message,
            hint="It has learned nothing. Look at the loss of your own run: does it stand still (steps too short, or "
            "reg so large that the weights shrink to 0) or jump about (steps too long)?",
            symptom="at-chance",
        )
    report.require(
        right >= TARGET,
        message,
        hint="It learns, but slowly or not far. Try learning rates that differ by factors of 3; then more hidden "
        "units, or less reg.",
        symptom="undertrained",
    )
