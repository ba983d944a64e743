"""Write results into nbgrader's gradebook through nbgrader's own scorer. One writer, one thread."""

import contextlib
import copy
import warnings
from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode
from sqlalchemy.exc import SQLAlchemyError

from .byhand import reviewed, written
from .collect import Submission
from .course import Course, CourseError, nbgrader_config
from .defang import Shown, markdown, panel, plain, shown, trimmed
from .grading import Graded, role_of
from .scheduler import write_atomically


class GradeBook:
    """nbgrader's database and its autograded folder, for one assignment. Open for a whole run; `close` at its end."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.config = nbgrader_config(course)
        from nbgrader.api import Gradebook
        from nbgrader.preprocessors import SaveAutoGrades

        self.course, self.assignment = course, assignment
        self.scorer = SaveAutoGrades(config=self.config)
        self.book = Gradebook(course.database)
        self.names: dict[str, str] = {}

    def close(self) -> None:
        self.book.close()

    def store(self, submission: Submission, graded: list[Graded]) -> None:
        """Record one student: the executed notebooks, then in one transaction the scores and what needs a person.

        Raises CourseError where disk or database refuse; then nothing of this student is in the database.
        """
        folder = self.course.autograded(submission.student, self.assignment)
        notebooks = {part.template.name: executed(part) for part in graded}
        try:
            with self._transaction() as book:
                seen = reviewed(book, self.course, self.assignment, submission.student)
                for name, notebook in notebooks.items():
                    write_atomically(folder / f"{name}.ipynb", nbformat.writes(notebook))
                book.update_or_create_student(submission.student)
                row = book.update_or_create_submission(self.assignment, submission.student)
                sheets = {sheet.name: _Sheet(sheet, self._cell_names(book)) for sheet in row.notebooks}
                for part in graded:
                    self._score(notebooks[part.template.name], sheets[part.template.name], part)
                for (name, cell), before in seen.items():
                    if name in notebooks:
                        sheets[name].settle(cell, before, written(name, notebooks[name]).get((name, cell), ""))
        except (OSError, SQLAlchemyError) as error:
            raise CourseError(f"the grades of {submission.student} could not be written: {_short(error)}") from error

    def _cell_names(self, book: Any) -> dict[str, str]:
        """{row id: grade_id} of the assignment's cells, asked once for the whole class."""
        if not self.names:
            notebooks = book.find_assignment(self.assignment).notebooks
            self.names = {cell.id: cell.name for notebook in notebooks for cell in notebook._base_cells}
        return self.names

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        """nbgrader commits after every step; here its steps become one: all of a student or nothing."""
        db = self.book.db
        with warnings.catch_warnings():
            # nbgrader builds a submission's rows before it adds them to the session; SQLAlchemy 2.1 remarks on it.
            warnings.filterwarnings("ignore", message="Object of type .* not in session")
            db.commit = db.flush
            try:
                yield self.book
            except BaseException:
                db.rollback()
                raise
            finally:
                del db.commit
            try:
                db.commit()
            except SQLAlchemyError:
                db.rollback()
                raise
            db.expunge_all()  # what is written need not stay in memory

    def _score(self, notebook: NotebookNode, sheet: "_Sheet", part: Graded) -> None:
        """Let nbgrader's scorer read each cell; a question that the machine could not grade waits: it is not a zero."""
        self.scorer.gradebook = sheet
        self.scorer.notebook_id = self.scorer.assignment_id = self.scorer.student_id = ""
        for index, cell in enumerate(notebook.cells):
            self.scorer.preprocess_cell(cell, {}, index)
        judged = {v["grade_id"] for v in part.record.get("verdicts", []) if v["status"] != "infra_error"}
        for cell in part.template.notebook.cells:
            lost = role_of(cell) == "tests" and not part.answers.fault
            if lost and cell.metadata.nbgrader.grade_id not in judged:
                grade = sheet.grades[cell.metadata.nbgrader.grade_id]
                grade.auto_score, grade.needs_manual_grade = None, True


class _Sheet:
    """One notebook's rows, as nbgrader's scorer asks a gradebook for them: one query each, not one per cell."""

    def __init__(self, notebook: Any, names: dict[str, str]) -> None:
        self.grades = {names[grade.cell_id]: grade for grade in notebook.grades}
        self.comments = {names[comment.cell_id]: comment for comment in notebook.comments}
        self.db = self

    def find_grade(self, cell: str, *_: str) -> Any:
        return self.grades[cell]

    def find_comment(self, cell: str, *_: str) -> Any:
        return self.comments[cell]

    def settle(self, cell: str, before: tuple[float | None, str], answer: str) -> None:
        """Let points by hand stand if the machine's score and the answer are what they were before."""
        grade = self.grades[cell]
        if (grade.auto_score, answer) == before:
            grade.needs_manual_grade = False

    def commit(self) -> None:
        """The scorer commits each cell; the whole student is committed once, by `GradeBook.store`."""


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def executed(part: Graded) -> NotebookNode:
    """Return the notebook for nbgrader: the student's answers, what they showed, and the judge's outcome as outputs."""
    notebook = copy.deepcopy(part.template.notebook)
    verdicts = {v["grade_id"]: v for v in part.record.get("verdicts", [])}
    reports = part.record.get("shown", {})
    for cell in notebook.cells:
        role = role_of(cell)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if role == "answer" and grade_id in part.answers.cells:
            cell.source = markdown(part.answers.cells[grade_id])
        elif role == "solution":
            cell.source = trimmed(part.answers.cells.get(grade_id, cell.source))
            cell.outputs = _shown(shown(reports.get(grade_id)))
        elif role == "tests":
            cell.outputs = _outcome(verdicts.get(grade_id), part)
    return notebook


def _output(kind: str, **fields: Any) -> NotebookNode:
    """Return an output of a cell. nbformat checks the notebook as a whole when it is written, so not this one too."""
    return nbformat.from_dict({"output_type": kind, **fields})


def _display(data: dict[str, str]) -> NotebookNode:
    return _output("display_data", data=data, metadata={})


def _shown(report: Shown) -> list[NotebookNode]:
    outputs = [_output("stream", name="stdout", text=report.text)] if report.text else []
    outputs += [_display({"image/png": picture, "text/plain": "a figure"}) for picture in report.pictures]
    return outputs + ([_error(*report.error)] if report.error else [])


def _error(name: str, message: str) -> NotebookNode:
    name, message = plain(name)[:80], plain(message)[:500]
    return _output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])


def _panel(data: dict) -> dict[str, str]:
    return {"text/html": panel(str(data.get("text/html", ""))), "text/plain": plain(data.get("text/plain", ""))}


def _outcome(verdict: dict | None, part: Graded) -> list[NotebookNode]:
    """The outputs that nbgrader's scorer reads: an error is 0 points, a float is that many."""
    if verdict is None:
        reason = part.answers.detail or part.record.get("fault", "this cell was not judged")
        return [_error(part.answers.fault or "infra_error", str(reason))]
    if verdict["status"] == "infra_error" or (not verdict["outputs"] and not verdict["points"]):
        return [_error(verdict["status"], verdict["message"])]
    score = {"text/plain": repr(float(verdict["points"]))}
    panels = [_display(_panel(output["data"])) for output in verdict["outputs"]]
    return [*panels, _output("execute_result", data=score, metadata={}, execution_count=None)]
