"""Planted bugs: wrong answers that a check must refuse, each with the name of the hint it must give.

`@bug("knn-two_loops", symptom="squared")` registers the wrong function below it; its docstring says what is wrong.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cs231n_lib.check import exercises


@dataclass(frozen=True)
class Bug:
    """One wrong answer. points : what is still given for it (functions get nothing).

    change : for a question with drawn numbers, makes the wrong ones from {number: value}; `answer` has the common ones
    """

    exercise_id: str
    name: str
    answer: Any
    symptom: str
    points: float = 0.0
    change: Callable[[dict], dict] | None = None


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


def drawn_slips(exercise_id: str, **changes: Callable[[dict], dict]) -> None:
    """Register wrong answers to a question with drawn numbers.

    Each change gets the drawn numbers and returns the answers that are wrong; the others stay right. Its name is the
    hint's, with _ for - and whatever follows a double _ left out.
    """
    drawn = exercises()[exercise_id].drawn
    numbers = drawn.numbers("")
    right = drawn.answer(numbers)
    for name, change in changes.items():
        wrong = change(numbers)
        points = exercises()[exercise_id].points * (1 - len(wrong) / len(right))
        symptom = name.partition("__")[0].replace("_", "-")
        _bugs.append(Bug(exercise_id, name, right | wrong, symptom, points, change))


def bugs() -> list[Bug]:
    """Return every planted bug."""
    for path in sorted(Path(__file__).parent.glob("n[0-9][0-9]_*.py")):
        importlib.import_module(f"{__name__}.{path.stem}")
    return list(_bugs)
