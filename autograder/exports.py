"""Grades for Canvas and Moodle: their own export, filled in and ready to import again.

Both import what they exported, with the same columns and the same way to name a student; so an instructor gives that
file and gets it back with one column filled. A student with a question that waits for a person, or whom the machine
failed, is left empty: importing then changes nothing for them.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .course import CourseError
from .results import StudentResult
from .roster import Roster, read_roster
from .tables import csv_text

CANVAS_IDS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account", "Section")
MOODLE_GRADE, MOODLE_MAXIMUM, MOODLE_FEEDBACK = "Grade", "Maximum Grade", "Feedback comments"


@dataclass(frozen=True)
class Export:
    """text : the CSV; waiting : students left empty, not fully graded yet; unknown : students the LMS does not list"""

    text: str
    waiting: list[str]
    unknown: list[str]


def canvas_csv(
    exported: Path, assignment: str, results: list[StudentResult], *, column: str = "", scale: bool = False
) -> Export:
    """Return Canvas's gradebook export with the id columns, the row of points possible and this assignment's column.

    column : the assignment's heading in Canvas; "" takes the one that begins with the assignment's name
    scale : convert to Canvas's points possible; otherwise they must be equal
    Raises CourseError if the file is no such export or has no such column.
    """
    heading, lines = _read(exported, "Canvas gradebook export", ("Student", "ID"))
    chosen = _canvas_column(heading, assignment, column, exported)
    columns = [name for name in heading if name in CANVAS_IDS] + [chosen]
    possible = next((line[chosen] for line in lines if line["Student"].strip().startswith("Points Possible")), "")
    points = _scaled(results, possible, scale, f"Points Possible of {chosen!r} in Canvas")
    found, export = _match(read_roster(exported), results)
    filled = [columns]
    for number, line in enumerate(lines):
        result = found.get(number)
        if result is not None:
            line = {**line, chosen: points(result)}
        elif not line["Student"].strip().startswith("Points Possible") and line["ID"].strip():
            line = {**line, chosen: ""}
        filled.append([line[name] for name in columns])
    return Export(csv_text(filled), export.waiting, export.unknown)


def moodle_csv(exported: Path, results: list[StudentResult], *, scale: bool = False) -> Export:
    """Return Moodle's grading worksheet with grades and a line of feedback filled in.

    scale : convert to the worksheet's maximum grade; otherwise it must be equal to the assignment's points
    Raises CourseError if the file is no grading worksheet.
    """
    heading, lines = _read(exported, "Moodle grading worksheet", ("Identifier", MOODLE_GRADE))
    maximum = next((line[MOODLE_MAXIMUM] for line in lines if line.get(MOODLE_MAXIMUM)), "")
    points = _scaled(results, maximum, scale, "Maximum Grade in Moodle")
    found, export = _match(read_roster(exported), results)
    filled = [heading]
    for number, line in enumerate(lines):
        result = found.get(number)
        if result is not None:
            line = {**line, MOODLE_GRADE: points(result)}
            if MOODLE_FEEDBACK in heading and points(result):
                line[MOODLE_FEEDBACK] = feedback_line(result)
        filled.append([line[name] for name in heading])
    return Export(csv_text(filled), export.waiting, export.unknown)


def feedback_line(result: StudentResult) -> str:
    """Return one line that says where points were lost."""
    graded = [(row, row.score) for row in result.rows if row.score is not None]
    lost = [f"{row.question} {score:g}/{row.max_score:g}" for row, score in graded if score < row.max_score]
    late = f"; handed in late: {result.penalty:g} points taken off" if result.penalty else ""
    return (f"points lost at {', '.join(lost)}" if lost else "full marks") + late


def _read(path: Path, what: str, needed: tuple[str, ...]) -> tuple[list[str], list[dict[str, str]]]:
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        lines = [{k: v or "" for k, v in row.items() if isinstance(k, str) and not isinstance(v, list)} for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{what} must be a CSV file in UTF-8, got {str(path)!r}: {error}") from error
    heading = list(lines[0]) if lines else []
    missing = [name for name in needed if name not in heading]
    if missing:
        raise CourseError(f"{what} must have a column {missing[0]!r}, got {', '.join(heading) or 'no lines'}")
    return heading, lines


def _canvas_column(heading: list[str], assignment: str, column: str, path: Path) -> str:
    others = [name for name in heading if name not in CANVAS_IDS]
    begins = re.compile(rf"{re.escape(assignment)}\b", re.IGNORECASE)
    found = [name for name in others if (name == column if column else begins.match(name))]
    if len(found) != 1:
        wanted = f"a column {column!r}" if column else f"one column that begins with {assignment!r}; give --column"
        raise CourseError(f"{path.name} must have {wanted}, got {', '.join(found or others) or 'none'}")
    return found[0]


def _scaled(results: list[StudentResult], possible: str, scale: bool, where: str) -> Callable[[StudentResult], str]:
    ours = max((result.max_score for result in results), default=0.0)
    try:
        theirs = float(possible.replace(",", ".")) if possible.strip() else ours
    except ValueError:
        theirs = ours  # Canvas writes "(read only)" there for columns it computes itself
    if theirs != ours and not scale:
        raise CourseError(f"{where} must be {ours:g}, got {theirs:g}; change it there, or give --scale")

    def points(result: StudentResult) -> str:
        return "" if result.waiting else f"{round(result.total * theirs / ours, 2):g}"

    return points


def _match(listed: Roster, results: list[StudentResult]) -> tuple[dict[int, StudentResult], Export]:
    """Return {line of the LMS's export: result}, and who is waiting or unknown."""
    found: dict[int, StudentResult] = {}
    unknown = []
    for result in results:
        student, _ = listed.find(result.student)
        twin = re.fullmatch(r"(.+)_(\d+)", result.student)  # of two students of one name: the LMS's number
        if student is None and twin:
            student, _ = listed.find(twin[2])
            student = student if student and student.goes_by(twin[1]) else None  # anybody can write a number
        if student is None or student.line in found:
            unknown.append(result.student)
        else:
            found[student.line] = result
    return found, Export("", [r.student for r in found.values() if r.waiting], unknown)
