"""Right answers written as hardly anybody would write them: a check that refuses one of these is wrong itself.

One module for each notebook; `@unusual("knn-no_loops")` registers the right function below it.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

UNUSUAL: list[tuple[str, Any]] = []


def unusual(*exercise_ids: str) -> Callable[[Callable], Callable]:
    """Register the decorated right function for each of these exercises."""

    def register(function: Callable) -> Callable:
        UNUSUAL.extend((exercise_id, function) for exercise_id in exercise_ids)
        return function

    return register


def alternates() -> list[tuple[str, Any]]:
    """Return every (exercise id, right answer)."""
    for path in sorted(Path(__file__).parent.glob("n[0-9][0-9]_*.py")):
        importlib.import_module(f"{__name__}.{path.stem}")
    return list(UNUSUAL)
