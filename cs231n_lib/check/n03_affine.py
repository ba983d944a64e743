"""What is examined in N03, last quarter: a check that students write, tried on right and on wrong functions."""

import numpy as np

from .n03_layers import RIGHT, WRONG, Layer
from .report import Report
from .spec import exercise
from .subject import StudentError, Subject


def verdict(subject: Subject, layer: Layer, report: Report) -> bool | StudentError:
    """Return what the student's check says of this layer, or the error that it raised."""
    error = None
    try:
        value = subject(layer.forward, layer.backward)
    except StudentError as raised:
        if raised.kind == "NotImplementedError":
            raise
        error = raised
    if layer.problem is not None:
        report.fail(layer.problem[0], hint=layer.problem[1], symptom=layer.problem[2])
    if error is not None:
        return error
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    report.require(value is not None, "the result is None", hint="Do all paths return?", symptom="no-return")
    report.require(
        isinstance(value, bool | np.bool_),
        f"the result must be True or False, got {type(value).__name__}",
        hint="True if backward is right, False if it is not.",
        symptom="not-bool",
    )
    return bool(value)


@exercise("grad-check_affine_backward", points=10, title="a check of your own")
def examine_check(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("True or False"):
        said = {"plain": verdict(subject, Layer(), report)}
    # In a shuffled order, with the right one in between: a count of the calls tells nothing.
    trials: list[tuple[str, Layer]] = [(name, make()) for name, make in RIGHT.items() if name not in said]
    trials += [("plain again", Layer()), *((wrong.name, Layer(wrong.alter)) for wrong in WRONG)]
    said |= {trials[i][0]: verdict(subject, trials[i][1], report) for i in rng.permutation(len(trials))}
    with report.stage("accepts right functions"):
        _require_accepted(said, report)
    with report.stage("catches wrong functions"):
        _count_caught(said, report)


def _require_accepted(said: dict[str, bool | StudentError], report: Report) -> None:
    right = [*RIGHT, "plain again"]
    report.require(
        any(said[name] is not False for name in said),
        "your check returns False whatever it is given, also for a right backward",
        hint="Measure the slopes of sum(dout * out) and compare. Return True if they agree to about six digits: a "
        "central difference is not exact, and with too small a step it is noise.",
        symptom="rejects-everything",
    )
    for name in right:
        answer = said[name]
        if name == "a cache of its own" and answer is not True and said["plain"] is True:
            report.fail(
                "a right backward, whose cache is a dict, is refused or makes your check fail",
                hint="Do not look into the cache: hand it on to backward as it is.",
                symptom="looks-into-cache",
            )
        if isinstance(answer, StudentError):
            raise answer
        if name.startswith("rounding") and not answer:
            report.fail(
                "a right backward that rounds differently in the twelfth digit is refused",
                hint="Never ask floats to be equal. A central difference itself is right to nine digits or so: allow a "
                "relative error of about 1e-6.",
                symptom="too-strict",
            )
        report.require(
            answer,
            "a right backward is refused" + ("" if name.startswith("plain") else f" ({name})"),
            hint="Does your check measure sum(dout * out), with the same dout that backward gets? Is its tolerance "
            "wider than the error of the measurement?",
            symptom="rejects-right",
        )


def _count_caught(said: dict[str, bool | StudentError], report: Report) -> None:
    missed = [wrong for wrong in WRONG if said[wrong.name] is not False]
    report.require(
        len(missed) < len(WRONG),
        f"your check lets all {len(WRONG)} wrong functions through",
        hint="Measure the slopes of sum(dout * out) along every entry of x, w and b, and compare with dx, dw, db.",
        symptom="accepts-everything",
    )
    if not missed:
        return
    worst = missed[0]
    answer = said[worst.name]
    hint = worst.hint
    if isinstance(answer, StudentError):
        hint = f"At one of them your check raised {answer.kind} ({answer.message[:80]}): it should have returned False."
    report.partly(
        (len(WRONG) - len(missed)) / len(WRONG),
        f"your check catches {len(WRONG) - len(missed)} of {len(WRONG)} wrong functions",
        hint=f"One that it lets through: {hint}" if not isinstance(answer, StudentError) else hint,
        symptom="raises" if isinstance(answer, StudentError) else worst.name,
    )


@exercise("grad-q1", points=2, title="what a gradient check can tell", visible_share=0.0)
def examine_statements(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
