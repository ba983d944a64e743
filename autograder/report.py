"""The class report and the CSV files, made from kept results and nbgrader's gradebook."""

import csv
import io
import statistics
from collections import Counter
from urllib.parse import quote

from .course import Course, CourseError
from .feedback import page
from .results import STATUSES, Row, StudentResult, load
from .scheduler import engine_version, write_atomically

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that starts so


def write_reports(course: Course, assignment: str) -> dict[str, str]:
    """Write report.html, scores.csv and questions.csv and return their paths by kind.

    Raises CourseError if nothing was graded yet.
    """
    if not (course.root / "gradebook.db").is_file():
        raise CourseError(
            f"{assignment} must be graded before there is a report; run: cs231n grade {assignment} FOLDER"
        )
    results = with_manual_scores(course, assignment, load(course, assignment))
    if not results:
        raise CourseError(
            f"{assignment} must be graded before there is a report; run: cs231n grade {assignment} FOLDER"
        )
    folder = course.reports / assignment
    level = (course.root / "sandbox-level").read_text(encoding="utf-8")
    write_atomically(folder / "report.html", render(assignment, results, level=level))
    write_atomically(folder / "scores.csv", scores_csv(results))
    write_atomically(folder / "questions.csv", questions_csv(results))
    return {kind: str(folder / kind) for kind in ("report.html", "scores.csv", "questions.csv")}


def with_manual_scores(course: Course, assignment: str, results: list[StudentResult]) -> list[StudentResult]:
    """Put in what a person gave in formgrader: nbgrader's gradebook has the last word on a manual score."""
    from nbgrader.api import Gradebook

    with Gradebook(course.database) as book:
        manual = {
            (submission.student.id, notebook.name, grade.cell.name): float(grade.manual_score)
            for submission in book.assignment_submissions(assignment)
            for notebook in submission.notebooks
            for grade in notebook.grades
            if grade.manual_score is not None
        }

    def scored(student: str, row: Row) -> Row:
        for cell in (row.question, f"{row.question}-tests"):
            if (student, row.notebook, cell) in manual:
                return Row(**{**row.__dict__, "score": manual[student, row.notebook, cell], "status": "ok"})
        return row

    return [StudentResult(r.student, [scored(r.student, row) for row in r.rows], r.flags) for r in results]


def render(assignment: str, results: list[StudentResult], *, level: str) -> str:
    """Return the report page."""
    by_question: dict[tuple[str, str], list[Row]] = {}
    for result in results:
        for row in result.rows:
            by_question.setdefault((row.notebook, row.question), []).append(row)
    return page("report.html").render(
        assignment=assignment,
        level=level,
        version=engine_version()[:12],
        median=statistics.median(result.score for result in results),
        max_score=max(result.max_score for result in results),
        questions=[_question(rows) for rows in by_question.values()],
        students=[
            {
                "student": r.student,
                "score": r.score,
                "max_score": r.max_score,
                "waiting": r.waiting,
                "links": [(n, _link(assignment, r.student, n)) for n in sorted({row.notebook for row in r.rows})],
            }
            for r in results
        ],
        flags=[(r.student, *flag) for r in results for flag in r.flags],
        statuses=STATUSES,
        used={row.status for result in results for row in result.rows},
    )


def _link(assignment: str, student: str, notebook: str) -> str:
    return "../../feedback/" + quote(f"{student}/{assignment}/{notebook}.html")


def _question(rows: list[Row]) -> dict:
    counts = Counter(row.status for row in rows)
    scores = [row.score for row in rows if row.score is not None]
    reasons = Counter(
        f"{row.stage or STATUSES[row.status]}{f': {row.symptom}' if row.symptom else ''}"
        for row in rows
        if row.status not in ("ok", "needs_person", "unanswered")
    )
    return {
        "question": rows[0].question,
        "title": rows[0].title,
        "max_score": rows[0].max_score,
        "mean": round(statistics.fmean(scores), 2) if scores else None,
        "shares": [(status, round(100 * counts[status] / len(rows), 2)) for status in STATUSES if counts[status]],
        "label": ", ".join(f"{counts[status]} {STATUSES[status]}" for status in STATUSES if counts[status]),
        "reasons": reasons.most_common(3),
    }


def scores_csv(results: list[StudentResult]) -> str:
    """Return one line per student: the sum, and a column per question."""
    questions = list(dict.fromkeys(row.question for result in results for row in result.rows))
    lines: list[list[object]] = [["student", "score", "max_score", "waiting", *questions]]
    for result in results:
        points = {row.question: row.score for row in result.rows}
        lines.append([result.student, result.score, result.max_score, result.waiting, *map(points.get, questions)])
    return csv_text(lines)


def questions_csv(results: list[StudentResult]) -> str:
    """Return one line per student and question, with how it ended and why."""
    fields = ["notebook", "question", "score", "max_score", "status", "stage", "symptom", "message"]
    lines: list[list[object]] = [["student", *fields]]
    lines += [[result.student, *(getattr(row, f) for f in fields)] for result in results for row in result.rows]
    return csv_text(lines)


def csv_text(lines: list[list[object]]) -> str:
    """Return lines as CSV, every field quoted, and none that a spreadsheet would run."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([[_safe(value) for value in line] for line in lines])
    return text.getvalue()


def _safe(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float | int):
        return f"{value:g}"
    written = str(value)
    return "'" + written if written.startswith(FORMULA) else written
