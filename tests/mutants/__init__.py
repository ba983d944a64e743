"""Planted bugs: wrong answers that a check must refuse, each with the name of the hint it must give.

`@bug("knn-two_loops", symptom="squared")` registers the wrong function below it; its docstring says what is wrong.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bug:
    """One wrong answer. points : what a question with a hidden key still gives for it (functions get nothing)."""

    exercise_id: str
    name: str
    answer: Any
    symptom: str
    points: float = 0.0


_bugs: list[Bug] = []


def bug(*exercise_ids: str, symptom: str) -> Callable[[Callable], Callable]:
    """Register the decorated wrong function for each of these exercises."""

    def register(function: Callable) -> Callable:
        for exercise_id in exercise_ids:
            wrong_answer(exercise_id, function.__name__, function, symptom=symptom)
        return function

    return register


def wrong_answer(exercise_id: str, name: str, answer: Any, *, symptom: str = "", points: float = 0.0) -> None:
    """Register a wrong value, for exercises that ask for a number, a dict or a set of letters."""
    _bugs.append(Bug(exercise_id, name, answer, symptom, points))


def bugs() -> list[Bug]:
    """Return every planted bug."""
    for path in sorted(Path(__file__).parent.glob("n[0-9][0-9]_*.py")):
        importlib.import_module(f"{__name__}.{path.stem}")
    return list(_bugs)
