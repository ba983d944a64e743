"""The class report and the CSV files, made from kept results and nbgrader's gradebook."""

import statistics
from urllib.parse import quote

from .course import Course
from .current import current_results
from .feedback import page
from .item_analysis import FEW, Item, analyse, remarks
from .plots import difficulty, first_failures, histogram
from .results import STATUSES, StudentResult
from .scheduler import engine_version, write_atomically
from .tables import csv_text


def write_reports(course: Course, assignment: str) -> dict[str, str]:
    """Write report.html, scores.csv and questions.csv and return their paths by kind.

    Raises CourseError if nothing was graded yet.
    """
    results = current_results(course, assignment)
    folder = course.reports / assignment
    level = (course.root / "sandbox-level").read_text(encoding="utf-8")
    write_atomically(folder / "report.html", render(assignment, results, level=level))
    write_atomically(folder / "scores.csv", scores_csv(results))
    write_atomically(folder / "questions.csv", questions_csv(results))
    return {kind: str(folder / kind) for kind in ("report.html", "scores.csv", "questions.csv")}


def render(assignment: str, results: list[StudentResult], *, level: str) -> str:
    """Return the report page."""
    items = analyse(results)
    max_score = max(result.max_score for result in results)
    return page("report.html").render(
        assignment=assignment,
        level=level,
        version=engine_version()[:12],
        median=statistics.median(result.total for result in results),
        max_score=max_score,
        scores=histogram([result.total for result in results], max_score),
        difficulty=difficulty(items) if len(results) >= FEW else "",
        few=FEW,
        questions=[_question(item, len(results)) for item in items],
        remarks=remarks(items, len(results)),
        students=[
            {
                "student": r.student,
                "score": r.total,
                "max_score": r.max_score,
                "penalty": r.penalty,
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


def _question(item: Item, students: int) -> dict:
    counted = [(status, item.counts[status]) for status in STATUSES if item.counts.get(status)]
    n = sum(count for _, count in counted)
    return {
        "question": item.question,
        "title": item.title,
        "max_score": item.max_score,
        "mean": round(item.mean, 2) if item.mean is not None else None,
        "solved": f"{100 * item.solved:.0f} %" if item.solved is not None else "–",
        "discrimination": f"{item.discrimination:.2f}" if item.discrimination is not None and students >= FEW else "–",
        "shares": [(status, round(100 * count / n, 2)) for status, count in counted],
        "label": ", ".join(f"{count} {STATUSES[status]}" for status, count in counted),
        "reasons": item.failures[:3],
        "failures": first_failures(item),
        "failures_count": len(item.failures),
        "failures_label": "; ".join(f"{count} × {name}" for name, count in item.failures),
    }


def scores_csv(results: list[StudentResult]) -> str:
    """Return one line per student: the sums, what lateness cost, and a column per question."""
    questions = list(dict.fromkeys(row.question for result in results for row in result.rows))
    lines: list[list[object]] = [
        ["student", "total", "max_score", "waiting", "score", "late_days", "late_penalty", *questions]
    ]
    for result in results:
        points = {row.question: row.score for row in result.rows}
        sums = [result.total, result.max_score, result.waiting, result.score, result.days_late, result.penalty]
        lines.append([result.student, *sums, *map(points.get, questions)])
    return csv_text(lines)


def questions_csv(results: list[StudentResult]) -> str:
    """Return one line per student and question, with how it ended and why."""
    fields = ["notebook", "question", "score", "max_score", "status", "stage", "symptom", "message"]
    lines: list[list[object]] = [["student", *fields]]
    lines += [[result.student, *(getattr(row, f) for f in fields)] for result in results for row in result.rows]
    return csv_text(lines)
