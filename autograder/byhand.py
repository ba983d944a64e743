"""What a person gave in formgrader: it has the last word, and it survives a new grading of the same answer.

nbgrader asks for a second look at every cell with points by hand whenever a notebook is graded again. That is right
when the answer or its score changed; otherwise it buries the instructor, and the first look still holds.
"""

from dataclasses import replace

import nbformat

from .course import Course
from .results import Row, StudentResult

Cell = tuple[str, str]  # notebook, grade_id


def manual_scores(course: Course, assignment: str) -> dict[str, dict[Cell, float]]:
    """Return {student: {(notebook, grade_id): points}} of everything graded by hand."""
    from nbgrader.api import Gradebook

    scores: dict[str, dict[Cell, float]] = {}
    with Gradebook(course.database) as book:
        for submission in book.assignment_submissions(assignment):
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    if grade.manual_score is not None:
                        mine = scores.setdefault(submission.student.id, {})
                        mine[notebook.name, grade.cell.name] = float(grade.manual_score)
    return scores


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


def reviewed(course: Course, assignment: str, student: str) -> dict[Cell, tuple[float | None, str]]:
    """Return {(notebook, grade_id): (machine's score, answer)} of the cells by hand that wait for nobody."""
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(course.database) as book:
        try:
            submission = book.find_submission(assignment, student)
        except MissingEntry:
            return {}
        settled = {
            (notebook.name, grade.cell.name): grade.auto_score
            for notebook in submission.notebooks
            for grade in notebook.grades
            if grade.manual_score is not None and not grade.needs_manual_grade
        }
    answers = _answers(course, assignment, student, {notebook for notebook, _ in settled})
    return {cell: (score, answers.get(cell, "")) for cell, score in settled.items()}


def settle(course: Course, assignment: str, student: str, before: dict[Cell, tuple[float | None, str]]) -> None:
    """Let the points by hand stand where the machine's score and the answer are what they were `before`."""
    from nbgrader.api import Gradebook

    if not before:
        return
    answers = _answers(course, assignment, student, {notebook for notebook, _ in before})
    with Gradebook(course.database) as book:
        for (notebook, cell), (score, answer) in before.items():
            grade = book.find_grade(cell, notebook, assignment, student)
            if grade.auto_score == score and answers.get((notebook, cell), "") == answer:
                grade.needs_manual_grade = False
        book.db.commit()


def _answers(course: Course, assignment: str, student: str, notebooks: set[str]) -> dict[Cell, str]:
    """Return what the graded notebooks hold in written answers. The text of a test cell is the course's own."""
    found = {}
    for name in notebooks:
        path = course.autograded(student, assignment) / f"{name}.ipynb"
        if path.is_file():
            for cell in nbformat.read(path, as_version=4).cells:
                meta = cell.metadata.get("nbgrader", {})
                if meta.get("grade") and meta.get("solution"):
                    found[name, meta["grade_id"]] = cell.source
    return found
