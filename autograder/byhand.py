"""What a person gave in formgrader: it has the last word, and it survives a new grading of the same answer.

nbgrader asks for a second look at every cell with points by hand whenever a notebook is graded again. That is right
when the answer or its score changed; otherwise it buries the instructor, and the first look still holds.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import nbformat
from nbformat import NotebookNode

from .course import Course
from .results import Row, StudentResult

Cell = tuple[str, str]  # notebook, grade_id


def manual_scores(course: Course, assignment: str) -> dict[str, dict[Cell, float]]:
    """Return {student: {(notebook, grade_id): points}} of everything graded by hand."""
    from nbgrader.api import Gradebook

    scores: dict[str, dict[Cell, float]] = {}
    with Gradebook(course.database) as book:
        for student, notebook, cell, grade in _by_hand(book, assignment):
            scores.setdefault(student, {})[notebook, cell] = float(grade.manual_score)
    return scores


def _by_hand(book: Any, assignment: str, student: str = "") -> Iterator[tuple[str, str, str, Any]]:
    """Yield (student, notebook, grade_id, nbgrader's grade) of every cell with points by hand, in one query.

    student : "" for all
    """
    from nbgrader.api import Assignment, BaseCell, Grade, Notebook, SubmittedAssignment, SubmittedNotebook

    query = (
        book.db.query(SubmittedAssignment.student_id, Notebook.name, BaseCell.name, Grade)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .filter(Assignment.name == assignment, Grade.manual_score.is_not(None))
    )
    yield from query.filter(SubmittedAssignment.student_id == student) if student else query


def with_manual_scores(result: StudentResult, manual: dict[Cell, float]) -> StudentResult:
    """Return the result with points by hand in place of the machine's."""

    def scored(row: Row) -> Row:
        for cell in (row.question, f"{row.question}-tests"):
            if (row.notebook, cell) in manual:
                points = manual[row.notebook, cell]
                status = "ok" if points >= row.max_score else "partly" if points > 0 else "wrong"
                return replace(row, score=points, status=status)
        return row

    return replace(result, rows=[scored(row) for row in result.rows])


def reviewed(book: Any, course: Course, assignment: str, student: str) -> dict[Cell, tuple[float | None, str]]:
    """Return {(notebook, grade_id): (machine's score, answer)} of the cells by hand that wait for nobody.

    book : nbgrader's gradebook, open
    """
    if not course.autograded(student, assignment).is_dir():
        return {}  # nothing of theirs was graded before
    found = {
        (notebook, cell): grade.auto_score
        for _, notebook, cell, grade in _by_hand(book, assignment, student)
        if not grade.needs_manual_grade
    }
    answers: dict[Cell, str] = {}
    for name in {notebook for notebook, _ in found}:
        path = course.autograded(student, assignment) / f"{name}.ipynb"
        if path.is_file():
            answers |= written(name, nbformat.read(path, as_version=4))
    return {cell: (score, answers.get(cell, "")) for cell, score in found.items()}


def written(name: str, notebook: NotebookNode) -> dict[Cell, str]:
    """Return what a graded notebook holds in written answers. The text of a test cell is the course's own."""
    found = {}
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade") and meta.get("solution"):
            found[name, meta["grade_id"]] = cell.source
    return found
