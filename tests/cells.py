"""Run the exercises of a notebook source as a judge does: setup cells, then one test cell on a given answer."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from autograder.source import Cell, read_source

SOURCE = Path(__file__).parent.parent / "assignments" / "source"
NOTEBOOKS = tuple(str(path.relative_to(SOURCE)) for path in sorted(SOURCE.glob("a*/N*.py")))


@cache
def cells(notebook: str) -> tuple[Cell, ...]:
    return tuple(read_source(SOURCE / notebook))


def exercise_ids() -> list[tuple[str, str]]:
    """Return (notebook, exercise id) of every test cell."""
    return [(notebook, cell.id) for notebook in NOTEBOOKS for cell in cells(notebook) if cell.role == "tests"]


def namespace(notebook: str, *roles: str, text: Any = lambda cell: cell.text) -> dict[str, Any]:
    """Run the cells of these roles in one fresh namespace and return it."""
    names: dict[str, Any] = {}
    for cell in cells(notebook):
        if cell.role in roles:
            exec(compile(text(cell), f"{notebook}:{cell.id}", "exec"), names)
    return names


def graded_name(notebook: str, exercise_id: str) -> str:
    """Return the name of the student's that the test cell hands to `check`."""
    tests = next(cell for cell in cells(notebook) if cell.role == "tests" and cell.id == exercise_id)
    return re.search(r'check\("[^"]+", (\w+)', tests.text)[1]


def grade(notebook: str, exercise_id: str, answer: Any, *, student: str = "") -> Any:
    """Run the test cell, hidden part included, on `answer`; return its Result. student : for drawn numbers"""
    names = namespace(notebook, "setup") | {"student": student}
    names[graded_name(notebook, exercise_id)] = answer
    cell = next(cell for cell in cells(notebook) if cell.role == "tests" and cell.id == exercise_id)
    exec(compile(cell.text, f"{notebook}:{cell.id}-tests", "exec"), names)
    return names["result"]
