"""The register of exercises: what each is called, what it is worth, and how to examine an answer."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .report import Report
from .subject import Subject

Examine = Callable[[Subject, np.random.Generator, Report], None]
MODULES: tuple[str, ...] = (
    "n00_start",
    "n01_distances",
    "n01_knn",
    "n04_affine",
    "n04_relu",
    "n04_softmax_loss",
    "n04_net",
    "n04_train",
    "n06_init",
    "n06_net",
    "n06_overfit",
    "n06_rules",
    "n06_adam",
    "n06_train",
)  # in the order of the course


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    id : the nbgrader grade_id of its solution cell
    points : what it is worth
    title : for the panel and the report
    examine : draws random cases, calls the answer, judges in stages
    visible_share : part of the points earned by passing the visible check alone; hidden tests decide on the rest
    """

    id: str
    points: float
    title: str
    examine: Examine
    visible_share: float


_exercises: dict[str, Exercise] = {}


def exercise(
    exercise_id: str, *, points: float, title: str, visible_share: float = 0.75
) -> Callable[[Examine], Examine]:
    """Register the decorated function as the examination of `exercise_id`."""

    def register(examine: Examine) -> Examine:
        if exercise_id in _exercises:
            raise ValueError(f"exercise: id must be new, got {exercise_id!r} twice; rename one")
        _exercises[exercise_id] = Exercise(exercise_id, points, title, examine, visible_share)
        return examine

    return register


def exercises() -> dict[str, Exercise]:
    """Return every exercise by id, in the order of the course."""
    for module in MODULES:
        importlib.import_module(f"{__package__}.{module}")
    return dict(_exercises)


def find(exercise_id: str) -> Exercise:
    """Return one exercise. Raises KeyError naming the nearest ids if there is none."""
    known = exercises()
    if exercise_id not in known:
        import difflib

        near = ", ".join(difflib.get_close_matches(exercise_id, known, n=3)) or ", ".join(sorted(known))
        raise KeyError(f"check: exercise must be one of the course's, got {exercise_id!r}; did you mean {near}?")
    return known[exercise_id]
