"""What is examined in N08: a test, written by the student, that tells right dropout functions from wrong ones."""

from collections.abc import Sequence

import numpy as np

from .n08_suspects import RIGHT, WRONG, Suspect, as_function
from .report import Report
from .spec import exercise
from .subject import StudentError, Subject

MAX_CALLS = 500  # of one dropout function in one test; the reference needs four


@exercise("drop-statistics", points=2, title="a test for dropout")
def examine_statistics(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("an answer"):
        verdict(subject, report, RIGHT[0], keep=0.6, seed=1)
    with report.stage("right ones pass"):
        pass_right(subject, rng, report, times=4)
    refuse_wrong(subject, rng, report, WRONG)


def verdict(subject: Subject, report: Report, suspect: Suspect, *, keep: float, seed: int) -> bool:
    """Return what the student's test says of one dropout function."""
    try:
        answer = subject(as_function(suspect, max_calls=MAX_CALLS), keep=keep, seed=seed)
    except StudentError as error:
        if "dropout: at most" in error.message:
            hint = "One array of 100,000 entries tells as much as 10,000 arrays of ten, and in one call."
            report.fail(error.message, hint=hint, symptom="too-many-calls")
        raise
    if answer is None:
        report.fail("the result is None", hint="Does your function end in `return` on every path?", symptom="no-return")
    if not isinstance(answer, bool | np.bool_):
        hint = "Return True or False; bool(...) makes one of a number."
        report.fail(f"the result must be True or False, got {type(answer).__name__}", hint=hint, symptom="not-bool")
    return bool(answer)


def pass_right(subject: Subject, rng: np.random.Generator, report: Report, *, times: int) -> None:
    """Require that right functions are accepted, for keeps near 0 and 1 too: there luck shows."""
    for keep in (0.5, 0.12, 0.88, *rng.uniform(0.15, 0.85, size=times)):
        for suspect in RIGHT:
            report.require(
                verdict(subject, report, suspect, keep=float(keep), seed=int(rng.integers(1, 10**6))),
                f"a right dropout ({suspect.name}) with keep = {keep:.3f} is refused",
                hint="Chance moves a share measured on n entries by sqrt(keep * (1 - keep) / n): allow five of these, "
                "and let keep and n into your bound. Entries that stay are compared up to rounding.",
                symptom="refuses-right",
            )


def refuse_wrong(subject: Subject, rng: np.random.Generator, report: Report, suspects: Sequence[Suspect]) -> None:
    """Require that wrong functions are refused, each in a stage of its own."""
    for suspect in suspects:
        with report.stage(f"a wrong one: {suspect.name}" if suspect.story else "another wrong one"):
            for keep in (float(rng.uniform(0.2, 0.35)), float(rng.uniform(0.65, 0.8))):
                report.require(
                    not verdict(subject, report, suspect, keep=keep, seed=int(rng.integers(1, 10**6))),
                    f"a wrong dropout with keep = {keep:.3f} passes your test",
                    hint=suspect.story,
                    symptom=f"accepts-{suspect.name}",
                )
