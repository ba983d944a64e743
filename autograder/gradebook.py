"""Write results into nbgrader's gradebook through nbgrader's own scorer. One writer, one thread."""

import warnings
from typing import Any

import nbformat
from nbformat import NotebookNode

from .byhand import reviewed, settle
from .collect import Submission
from .course import Course, nbgrader_config
from .defang import Shown, markdown, panel, plain, shown
from .grading import Graded, role_of


class GradeBook:
    """nbgrader's database and its autograded folder, for one assignment."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.config = nbgrader_config(course)
        from nbgrader.preprocessors import SaveAutoGrades

        self.course, self.assignment = course, assignment
        self.scorer = SaveAutoGrades(config=self.config)

    def store(self, submission: Submission, graded: list[Graded]) -> None:
        """Record one student: the executed notebooks, the scores, and what needs a person."""
        from nbgrader.api import Gradebook

        seen = reviewed(self.course, self.assignment, submission.student)
        with Gradebook(self.course.database) as book, warnings.catch_warnings():
            # nbgrader builds a submission's rows before it adds them to the session; SQLAlchemy 2.1 remarks on it.
            warnings.filterwarnings("ignore", message="Object of type .* not in session")
            book.update_or_create_student(submission.student)
            book.update_or_create_submission(self.assignment, submission.student)
        folder = self.course.autograded(submission.student, self.assignment)
        folder.mkdir(parents=True, exist_ok=True)
        for part in graded:
            notebook = executed(part)
            nbformat.write(notebook, folder / f"{part.template.name}.ipynb")
            self.scorer.preprocess(notebook, self._resources(submission.student, part.template.name))
            self._mark_faults(submission.student, part)
        settle(self.course, self.assignment, submission.student, seen)

    def _resources(self, student: str, notebook: str) -> dict:
        where = {
            "student": student,
            "assignment": self.assignment,
            "notebook": notebook,
            "db_url": self.course.database,
        }
        return {"unique_key": notebook, "nbgrader": where}

    def _mark_faults(self, student: str, part: Graded) -> None:
        """A question that the machine could not grade has no score and waits for a person: it is not a zero."""
        from nbgrader.api import Gradebook

        lost = [cell for cell in part.template.notebook.cells if role_of(cell) == "tests"]
        judged = {v["grade_id"] for v in part.record.get("verdicts", []) if v["status"] != "infra_error"}
        lost = [cell for cell in lost if cell.metadata.nbgrader.grade_id not in judged and not part.answers.fault]
        if not lost:
            return
        with Gradebook(self.course.database) as book:
            for cell in lost:
                grade = book.find_grade(cell.metadata.nbgrader.grade_id, part.template.name, self.assignment, student)
                grade.auto_score, grade.needs_manual_grade = None, True
            book.db.commit()

    def totals(self) -> list[dict[str, Any]]:
        """Return nbgrader's own sums per submission: student, score, max_score, needs_manual_grade."""
        from nbgrader.api import Gradebook

        with Gradebook(self.course.database) as book:
            rows = book.submission_dicts(self.assignment)
        return [
            {
                "student": row["student"],
                "score": row["score"],
                "max_score": row["max_score"],
                "needs_person": row["needs_manual_grade"],
            }
            for row in sorted(rows, key=lambda row: row["student"])
        ]


def executed(part: Graded) -> NotebookNode:
    """Return the notebook for nbgrader: the student's answers, what they showed, and the judge's outcome as outputs."""
    notebook = nbformat.from_dict(part.template.notebook)
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    verdicts = {v["grade_id"]: v for v in part.record.get("verdicts", [])}
    reports = part.record.get("shown", {})
    for cell in notebook.cells:
        role = role_of(cell)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if role == "answer" and grade_id in part.answers.cells:
            cell.source = markdown(part.answers.cells[grade_id])
        elif role == "solution":
            cell.source = part.answers.cells.get(grade_id, cell.source)
            cell.outputs = _shown(shown(reports.get(grade_id)))
        elif role == "tests":
            cell.outputs = _outcome(verdicts.get(grade_id), part)
    return notebook


def _shown(report: Shown) -> list[NotebookNode]:
    outputs = []
    if report.text:
        outputs.append(nbformat.v4.new_output("stream", name="stdout", text=report.text))
    for picture in report.pictures:
        outputs.append(nbformat.v4.new_output("display_data", data={"image/png": picture, "text/plain": "a figure"}))
    if report.error:
        outputs.append(_error(*report.error))
    return outputs


def _error(name: str, message: str) -> NotebookNode:
    name, message = plain(name)[:80], plain(message)[:500]
    return nbformat.v4.new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])


def _panel(data: dict) -> dict[str, str]:
    return {"text/html": panel(str(data.get("text/html", ""))), "text/plain": plain(data.get("text/plain", ""))}


def _outcome(verdict: dict | None, part: Graded) -> list[NotebookNode]:
    """The outputs that nbgrader's scorer reads: an error is 0 points, a float is that many."""
    if verdict is None:
        reason = part.answers.detail or part.record.get("fault", "this cell was not judged")
        return [_error(part.answers.fault or "infra_error", str(reason))]
    if verdict["status"] == "infra_error" or not verdict["outputs"]:
        return [_error(verdict["status"], verdict["message"])]
    panels = [nbformat.v4.new_output("display_data", data=_panel(output["data"])) for output in verdict["outputs"]]
    score = nbformat.v4.new_output(
        "execute_result", data={"text/plain": repr(float(verdict["points"]))}, execution_count=None
    )
    return [*panels, score]
