"""`check`: examine an answer, show what was found, and give back the points."""

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import wire
from .panel import show
from .report import CheckFailed, NotAnswered, Report
from .spec import Examine, Exercise, find
from .subject import LimitReached, StudentError, Subject
from .warm import warm_torch

SEED_VARIABLE = "CS231N_CHECK_SEED"  # set by the judge: a seed that no student has
TORCH_ORACLES = ("feat", "deep", "norm", "drop", "conv", "fast", "torch")  # notebooks where a later check needs PyTorch
_latest: dict[str, "Result"] = {}  # of this session, for `ready`


@dataclass(frozen=True)
class Result:
    """What a check found.

    status : "passed", "wrong", "todo" (still the stub), "error" (the code raised), "limit" or "interface"
    points : plain float in [0, exercise.points]: the last line of a test cell
    student : whose numbers were asked for, None where the numbers are the same for all
    """

    exercise: Exercise
    subject: Subject = field(repr=False)
    status: str
    passed: tuple[str, ...] = ()
    failed_stage: str = ""
    message: str = ""
    hint: str = ""
    symptom: str = ""
    credit: float = 1.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    printed: str = ""
    hidden: bool = False
    student: str | None = None

    @property
    def ok(self) -> bool:
        return self.status == "passed" and self.credit == 1.0

    @property
    def points(self) -> float:
        return float(round(self.exercise.points * self.credit, 4))

    def also(self, stage: Examine | None = None, *, seed: int) -> "Result":
        """Examine again on another seed, then run `stage`: the hidden half of a test cell.

        The visible part keeps its share of the points when only this fails. Nothing of the inputs is shown: they are
        meant to stay unknown.
        """
        if self.status != "passed":
            return self
        whole = self.exercise.examine

        def both(subject: Subject, rng: np.random.Generator, report: Report) -> None:
            whole(subject, rng, report)
            if stage is not None:
                stage(subject, rng, report)

        again = _examine(self.exercise, self.subject, both, extra_seed=seed)
        kept = again.status == "passed"
        share = again.credit if kept else 0.0
        visible = self.exercise.visible_share
        stages = tuple(f"hidden: {name}" for name in again.passed if name not in self.passed)
        result = replace(
            again,
            passed=self.passed + stages,
            # Where the visible check gave a part only, the hidden one can take from it and not multiply it again.
            credit=visible * self.credit + (1 - visible) * min(self.credit, share),
            message=again.message if kept else "it fails on a case that the visible check does not show",
            failed_stage="" if kept else "hidden tests",
            hidden=True,
            notes=(),  # what the code warned of and printed may hold the inputs
            printed="",
        )
        show(result)
        return result


def check(exercise_id: str, answer: Any, *, student: Any = None) -> Result:
    """Examine `answer` (a function, an object or a value), show a panel, and return the result.

    exercise_id : the id in the notebook, such as "knn-no_loops"
    student : for a question with drawn numbers, the name they are drawn for
    Raises KeyError if there is no such exercise. A wrong answer raises nothing: the panel says what is wrong.
    """
    if exercise_id.split("-")[0] in TORCH_ORACLES:
        warm_torch()
    exercise = find(exercise_id) if student is None else find(exercise_id).asked_of(student)
    subject = answer if isinstance(answer, Subject) else Subject.local(answer)
    result = _examine(exercise, subject, exercise.examine)
    _latest[exercise_id] = result
    show(result)
    return result


def passes(exercise_id: str, answer: Any) -> bool:
    """True if `answer` passes the visible check; shows nothing."""
    exercise = find(exercise_id)
    return _examine(exercise, Subject.local(answer), exercise.examine).status == "passed"


def ready(*exercise_ids: str) -> bool:
    """True if the latest check of each exercise in this session passed; otherwise say which cell to come back from.

    A picture drawn from a wrong function teaches the wrong thing, and an error in a cell that is not graded stops
    "Run all cells" on its way to the next exercise. So cells that show an answer at work begin with `if ready(...):`.
    """
    missing = [name for name in exercise_ids if find(name) and not _passed(name)]
    if missing:
        print(f"This cell shows {' and '.join(missing)} at work: pass the check first, then run it again.")
    return not missing


def _passed(exercise_id: str) -> bool:
    return exercise_id in _latest and _latest[exercise_id].status == "passed"


def _examine(exercise: Exercise, subject: Subject, examine: Examine, extra_seed: int = 0) -> Result:
    start = time.perf_counter()
    report = Report()
    seed = [int(os.environ.get(SEED_VARIABLE, "231")), zlib.crc32(exercise.id.encode()), extra_seed]
    status, failure = _outcome(lambda: examine(subject, np.random.default_rng(seed), report))
    failure = failure or report.remark
    return Result(
        exercise=exercise,
        subject=subject,
        status=status,
        passed=tuple(report.passed),
        failed_stage=report.current if status != "passed" else "",
        message=failure.message if failure else "",
        hint=failure.hint if failure else "",
        symptom=failure.symptom if failure else "",
        credit=report.credit if status == "passed" else 0.0,
        seconds=time.perf_counter() - start,
        notes=tuple(subject.notes[:5]),
        printed=subject.printed,
        student=report.student,
    )


def _outcome(run: Callable[[], None]) -> tuple[str, CheckFailed | None]:
    """Run an examination and name how it ended."""
    try:
        run()
    except CheckFailed as failure:
        return "wrong", failure
    except NotAnswered:
        return "todo", CheckFailed("not answered yet")
    except StudentError as error:
        if error.kind == "NotImplementedError":
            return "todo", CheckFailed("not implemented yet", symptom="todo")
        where = f" in {error.function}, at `{error.line.strip()}`" if error.line else ""
        return "error", CheckFailed(f"your code raised {error.kind}: {error.message}{where}", symptom=error.kind)
    except LimitReached as stop:
        return "limit", CheckFailed(str(stop), symptom=stop.kind)
    except wire.WireError as error:
        return "interface", CheckFailed(f"what came back cannot be passed on: {error}", symptom=error.symptom)
    return "passed", None
