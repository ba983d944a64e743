"""The register of exercises: what each is called, what it is worth, and how to examine an answer."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from .report import NotAnswered, Report
from .subject import Subject

if TYPE_CHECKING:
    from .drawn import Drawn

Examine = Callable[[Subject, np.random.Generator, Report], None]


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    id : the nbgrader grade_id of its solution cell
    points : what it is worth
    title : for the panel and the report
    examine : draws random cases, calls the answer, judges in stages
    visible_share : part of the points earned by passing the visible check alone; hidden tests decide on the rest
    drawn : for a question whose numbers are each student's own
    """

    id: str
    points: float
    title: str
    examine: Examine
    visible_share: float
    drawn: "Drawn | None" = None

    def asked_of(self, student: Any) -> "Exercise":
        """The same exercise with the numbers of one student. Raises ValueError where no numbers are drawn."""
        if self.drawn is None:
            raise ValueError(f"check: student must be left out for {self.id!r}, whose numbers are the same for all")
        return replace(self, examine=partial(self.drawn.examine, student=student))


_exercises: dict[str, Exercise] = {}


def exercise(
    exercise_id: str, *, points: float, title: str, visible_share: float = 0.75
) -> Callable[[Examine], Examine]:
    """Register the decorated function as the examination of `exercise_id`."""

    def add(examine: Examine) -> Examine:
        register(Exercise(exercise_id, points, title, examine, visible_share))
        return examine

    return add


def register(new: Exercise) -> None:
    """Add an exercise. Raises ValueError if its id is taken."""
    if new.id in _exercises:
        raise ValueError(f"exercise: id must be new, got {new.id!r} twice; rename one")
    _exercises[new.id] = new


def exercises() -> dict[str, Exercise]:
    """Return every exercise by id, notebook by notebook. The specs of N04 are in the modules n04_*."""
    _specs()
    return dict(_exercises)


def _specs() -> list[ModuleType]:
    paths = sorted(Path(__file__).parent.glob("n[0-9][0-9]_*.py"))
    return [importlib.import_module(f"{__package__}.{path.stem}") for path in paths]


def find(exercise_id: str) -> Exercise:
    """Return one exercise. Raises KeyError naming the nearest ids if there is none.

    In a grader's box, where the specs are closed, any id is one of an exercise not answered: it is judged outside.
    """
    known = exercises()
    if exercise_id not in known and any(getattr(spec, "CLOSED_IN_A_BOX", False) for spec in _specs()):
        return Exercise(exercise_id, 0.0, "judged outside this box", _judged_outside, 1.0)
    if exercise_id not in known:
        import difflib

        near = ", ".join(difflib.get_close_matches(exercise_id, known, n=3)) or ", ".join(sorted(known))
        raise KeyError(f"check: exercise must be one of the course's, got {exercise_id!r}; did you mean {near}?")
    return known[exercise_id]


def _judged_outside(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    raise NotAnswered
