"""Read a solved notebook source: percent-format Python with the nbgrader role of each cell on its cell line."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROLES = ("setup", "solution", "tests", "answer")
GRADE_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
STUDENT_CELL = "student"  # the cell in which students write their name, for questions with drawn numbers
TESTS_SUFFIX = "-tests"  # nbgrader wants one id per cell, so the tests of "knn-q2" are called "knn-q2-tests"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class SourceError(ValueError):
    """A notebook source that breaks a rule of the format."""


@dataclass(frozen=True)
class Cell:
    """One cell: `role` is "prose", "code", "setup", "solution", "tests" or "answer"; `id` is its exercise's id."""

    role: str
    kind: str  # "code" or "markdown"
    text: str
    id: str = ""
    points: float = 0.0

    @property
    def grade_id(self) -> str:
        """The id that nbgrader knows the cell by."""
        return self.id + TESTS_SUFFIX if self.role == "tests" else self.id


def read_source(path: Path) -> list[Cell]:
    """Return the cells of one percent-format file.

    Raises SourceError naming the file, the cell and the rule when a role, an id or the points are not in order.
    """
    import jupytext

    cells = [_cell(path, raw) for raw in jupytext.read(path, fmt="py:percent").cells]
    seen: set[str] = set()
    for cell in cells:
        if cell.grade_id and cell.grade_id in seen:
            raise SourceError(f"{path.name}: id must be used once, got {cell.grade_id!r} twice; rename one")
        seen.add(cell.grade_id)
    solutions = {cell.id for cell in cells if cell.role == "solution"}
    for cell in cells:
        if cell.role == "tests" and cell.id not in solutions:
            raise SourceError(f"{path.name}: tests={cell.id!r} must follow a cell solution={cell.id!r}; there is none")
    return cells


def _cell(path: Path, raw: NotebookNode) -> Cell:
    named = [role for role in ROLES if role in raw.metadata]
    if not named:
        return Cell("prose" if raw.cell_type == "markdown" else "code", raw.cell_type, raw.source)
    role, exercise = named[0], str(raw.metadata[named[0]])
    if len(named) > 1 or not GRADE_ID.fullmatch(exercise):
        raise SourceError(
            f"{path.name}: a cell must have one role with an id of letters, digits, _ and -, got {named} {exercise!r}"
        )
    points = float(raw.metadata.get("points", 0.0))
    if (role in ("tests", "answer")) != (points > 0):
        raise SourceError(
            f"{path.name}: points must stand on tests and answers only, got {points:g} on {role}={exercise!r}"
        )
    if (role == "answer") != (raw.cell_type == "markdown"):
        raise SourceError(
            f"{path.name}: {role}={exercise!r} must be a {'markdown' if role == 'answer' else 'code'} cell"
        )
    return Cell(role, raw.cell_type, raw.source, exercise, points)


def to_notebook(cells: list[Cell]) -> NotebookNode:
    """Return the notebook with nbgrader metadata. The same cells give the same bytes: every cell id is fixed."""
    nb = nbformat.v4.new_notebook(
        metadata={"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python", "file_extension": ".py"}}
    )
    used: set[str] = set()
    for cell in cells:
        make = nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
        node = make(cell.text, id=_fixed_id(cell, used))
        if cell.role in ROLES:
            node.metadata["nbgrader"] = _metadata(cell)
        nb.cells.append(node)
    return nb


def _fixed_id(cell: Cell, used: set[str]) -> str:
    # Named by content, so that a cell put in front does not rename all that follow.
    stem = cell.grade_id or f"{cell.role}-{hashlib.sha256(cell.text.encode()).hexdigest()[:10]}"
    name, n = stem, 1
    while name in used:
        n += 1
        name = f"{stem}-{n}"
    used.add(name)
    return name


def _metadata(cell: Cell) -> dict:
    meta = {
        "schema_version": 3,
        "grade_id": cell.grade_id,
        "grade": cell.role in ("tests", "answer"),
        "solution": cell.role in ("solution", "answer"),
        "locked": cell.role in ("setup", "tests"),
        "task": False,
    }
    return {**meta, "points": cell.points} if meta["grade"] else meta


def region(text: str, name: str) -> list[str]:
    """Return the lines between `### BEGIN name` and `### END name` (name: "SOLUTION" or "HIDDEN TESTS")."""
    found, inside = [], False
    for line in text.splitlines():
        if f"### BEGIN {name}" in line:
            inside = True
        elif f"### END {name}" in line:
            inside = False
        elif inside:
            found.append(line)
    return found


def solutions(cells: list[Cell]) -> dict[str, str]:
    """Return the reference's solution cells: {exercise id: source}."""
    return {cell.id: cell.text for cell in cells if cell.role == "solution"}
