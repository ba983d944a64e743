"""What each student got for each question and why: plain rows, kept as one JSON file per student."""

import json
from collections import Counter
from collections.abc import Container
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cs231n_lib.check import exercises

from .collect import Submission
from .course import Course
from .defang import plain
from .grading import Graded, role_of
from .marks import SOFT
from .reasons import reason_of
from .scheduler import write_atomically
from .source import TESTS_SUFFIX

# Every question ends in one of these. Only a machine fault and a written answer have no score yet.
STATUSES = {
    "ok": "right",
    "partly": "partly right",
    "wrong": "not right",
    "unanswered": "not answered",
    "student_error": "the code raised an error",
    "limit": "stopped at a limit",
    "interface": "not in a form that can be judged",
    "unreadable": "the notebook could not be read",
    "infra_error": "machine fault: will be graded again",
    "needs_person": "waits for a person",
}
MOST_OF_A_KIND = 10  # flags of one name on one notebook: more are counted, not listed
MOST_SAID = 1_000  # characters of a flag
FROM_CHECK = {"todo": "unanswered", "error": "student_error", "passed": "ok"}


@dataclass(frozen=True)
class Row:
    """One question of one student. score : points, or None while it is not known; reason : why not all, in one word"""

    notebook: str
    question: str
    title: str
    score: float | None
    max_score: float
    status: str
    message: str = ""
    hint: str = ""
    stage: str = ""
    symptom: str = ""
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class StudentResult:
    """Everything graded for one student. flags : (notebook, name, detail), for a person to look at.

    penalty : points taken off for lateness; days_late : how late, in days, after any extension
    """

    student: str
    rows: list[Row]
    flags: list[tuple[str, str, str]] = field(default_factory=list)
    penalty: float = 0.0
    days_late: float = 0.0

    @property
    def score(self) -> float:
        return sum(row.score or 0.0 for row in self.rows)

    @property
    def total(self) -> float:
        """What counts: the score less what lateness costs, never below zero."""
        return max(0.0, self.score - self.penalty)

    @property
    def max_score(self) -> float:
        return sum(row.max_score for row in self.rows)

    @property
    def waiting(self) -> int:
        return sum(row.score is None for row in self.rows)


def summarise(submission: Submission, graded: list[Graded], everyone: Container[str] = ()) -> StudentResult:
    """Return the rows and flags of one student. everyone : who handed something in, to name a borrowed name"""
    rows: list[Row] = []
    flags = [("", name, detail) for name, detail in submission.flags]
    for part in graded:
        name = part.template.name
        rows += (own := _rows(part))
        lost = {row.question for row in own if row.score != row.max_score}
        flags += [
            (name, flag, detail)
            for flag, detail in part.answers.flags
            if flag not in SOFT or detail.partition(":")[0] in lost
        ]
        flags += [(name, str(flag), str(detail)) for flag, detail in part.record.get("flags", [])]
        flags += [(name, flag, detail) for flag, detail in _borrowed(part, submission.student, everyone)]
        if part.answers.fault:
            flags.append((name, part.answers.fault, part.answers.detail))
        if "fault" in part.record:
            flags.append((name, "infra_error", part.record["fault"]))
        else:
            broken = [row for row in own if row.status == "infra_error"]
            flags += [(name, "infra_error", f"{row.question}: {row.message}") for row in broken]
    return StudentResult(submission.student, rows, _readable(flags))


def _readable(flags: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return the flags as text that any page can hold, and of each kind no more than somebody would read."""
    count = Counter((notebook, name) for notebook, name, _ in flags)
    kept: Counter[tuple[str, str]] = Counter()
    found = []
    for notebook, name, detail in flags:
        kind = notebook, name
        kept[kind] += 1
        if kept[kind] <= MOST_OF_A_KIND:
            found.append((notebook, plain(name)[:80], plain(detail[:MOST_SAID])))
        elif kept[kind] == count[kind]:
            found.append((notebook, plain(name)[:80], f"and {count[kind] - MOST_OF_A_KIND} more"))
    return found


def same_origin(results: list[StudentResult], origins: dict[str, frozenset[str]]) -> list[StudentResult]:
    """Return the results, flagged, of students whose notebooks hold cells with the same random names or times."""
    holders: dict[str, list[str]] = {}
    for student, marks in origins.items():
        for mark in marks:
            holders.setdefault(mark, []).append(student)
    others: dict[str, set[str]] = {}
    for students in holders.values():
        for student in students if len(students) > 1 else ():
            others.setdefault(student, set()).update(students)
    flagged = []
    for result in results:
        shared = sorted(others.get(result.student, set()) - {result.student})
        if shared:
            detail = f"cells that only one person can have made are also in the notebook of {', '.join(shared[:5])}"
            result.flags.append(("", "same_provenance", detail))
            flagged.append(result)
    return flagged


def _borrowed(part: Graded, student: str, everyone: Container[str]) -> list[tuple[str, str]]:
    """Flags for drawn questions that were answered with the numbers of another name. For a person to look at."""
    answered = [v for v in part.record.get("verdicts", []) if v["student"] is not None and v["status"] != "todo"]
    flags = []
    for name in sorted({v["student"] for v in answered}):
        if name.casefold() == student.casefold():
            continue
        questions = ", ".join(v["grade_id"].removesuffix(TESTS_SUFFIX) for v in answered if v["student"] == name)
        if not name:
            flags.append(("no_name", f"{questions}: the cell `student` is empty, so the common numbers were answered"))
        elif name in everyone:
            flags.append(("name_of_another", f"{questions}: answered with the numbers of {name}, who handed in too"))
        else:
            flags.append(("other_name", f"{questions}: answered with the numbers of {name}"))
    return flags


def _rows(part: Graded) -> list[Row]:
    verdicts = {v["grade_id"]: v for v in part.record.get("verdicts", [])}
    titles = exercises()
    rows = []
    for cell in part.template.notebook.cells:
        role = role_of(cell)
        if role not in ("tests", "answer"):
            continue
        grade_id, points = cell.metadata.nbgrader.grade_id, float(cell.metadata.nbgrader.points)
        question = grade_id.removesuffix(TESTS_SUFFIX)
        title = titles[question].title if question in titles else "written answer"
        if role == "answer":
            rows.append(_written(part, question, title, points, cell.source))
        elif part.answers.fault:
            row = Row(part.template.name, question, title, 0.0, points, "unreadable", part.answers.detail)
            rows.append(row)
        elif grade_id not in verdicts or verdicts[grade_id]["status"] == "infra_error":
            reason = verdicts.get(grade_id, {}).get("message") or part.record.get("fault", "")
            rows.append(Row(part.template.name, question, title, None, points, "infra_error", reason))
        else:
            rows.append(_judged(part.template.name, question, title, points, verdicts[grade_id]))
    return rows


def _written(part: Graded, question: str, title: str, points: float, stub: str) -> Row:
    if part.answers.fault:
        return Row(part.template.name, question, title, 0.0, points, "unreadable", part.answers.detail)
    answer = part.answers.cells.get(question, stub)
    if answer.strip() == stub.strip():
        return Row(part.template.name, question, title, 0.0, points, "unanswered")
    return Row(part.template.name, question, title, None, points, "needs_person")


def _judged(notebook: str, question: str, title: str, points: float, verdict: dict) -> Row:
    status = FROM_CHECK.get(verdict["status"], verdict["status"])
    if 0 < verdict["points"] < points:
        status = "partly"
    said = {name: plain(verdict[name]) for name in ("message", "hint", "stage", "symptom")}
    reason = reason_of(verdict)
    return Row(
        notebook, question, title, verdict["points"], points, status, seconds=verdict["seconds"], reason=reason, **said
    )


def save(course: Course, assignment: str, result: StudentResult) -> None:
    """Keep one student's result."""
    write_atomically(_folder(course, assignment) / f"{result.student}.json", json.dumps(asdict(result), indent=1))


def load(course: Course, assignment: str) -> list[StudentResult]:
    """Return every kept result of an assignment in order of students' names."""
    return [_read(path) for path in sorted(_folder(course, assignment).glob("*.json"))]


def _folder(course: Course, assignment: str) -> Path:
    return course.root / "results" / assignment


def _read(path: Path) -> StudentResult:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return StudentResult(raw["student"], [Row(**row) for row in raw["rows"]], [tuple(f) for f in raw["flags"]])
