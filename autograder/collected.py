"""The course's own copy of what was handed in: what grading and grading again start from.

    collected/STUDENT/ASSIGNMENT/N01_knn.ipynb · timestamp.txt · flags.json

It is not nbgrader's folder `submitted` on purpose: formgrader offers to autograde what lies there, with one click and
without a sandbox.
"""

import datetime
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from .archive import Flag
from .collect import Submission, collect
from .course import Course, CourseError
from .roster import Roster
from .scheduler import write_atomically

FLAGS, TIMESTAMP = "flags.json", "timestamp.txt"


def received(
    course: Course,
    assignment: str,
    place: Path | None,
    grade_ids: Mapping[str, frozenset[str]],
    *,
    roster: Roster | None = None,
    students: tuple[str, ...] = (),
) -> Iterator[Submission]:
    """Yield every submission: collected from `place` and kept, or those kept before if `place` is None.

    grade_ids : {notebook: ids of its cells} of the notebooks to take
    students : only these; () takes all
    """
    if place is None:
        yield from kept(course, assignment, list(grade_ids), students)
        return
    for submission in collect(place, assignment, list(grade_ids), roster=roster, grade_ids=grade_ids):
        if not students or submission.student in students:
            keep(course, assignment, submission, list(grade_ids))
            yield submission


def keep(course: Course, assignment: str, submission: Submission, wanted: list[str]) -> None:
    """Keep a submission; an earlier one of the same student gives way, for the notebooks in `wanted`."""
    folder = course.collected(submission.student, assignment)
    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        path = folder / f"{name}.ipynb"
        if name in submission.notebooks:
            write_atomically(path, submission.notebooks[name])
        else:
            path.unlink(missing_ok=True)
    write_atomically(folder / FLAGS, json.dumps(submission.flags, indent=1))
    if submission.submitted:
        write_atomically(folder / TIMESTAMP, submission.submitted + "\n")
    else:
        (folder / TIMESTAMP).unlink(missing_ok=True)


def forget_guesses(course: Course, assignment: str, present: set[str]) -> None:
    """Drop kept submissions whose student was a guess and who are not in `present`: they have a better name by now."""
    for path in (course.root / "collected").glob(f"*/{assignment}/{FLAGS}"):
        guessed = any(name == "unmapped" for name, _ in json.loads(path.read_text(encoding="utf-8")))
        if guessed and path.parents[1].name not in present:
            shutil.rmtree(path.parent)


def kept(course: Course, assignment: str, wanted: list[str], students: tuple[str, ...] = ()) -> Iterator[Submission]:
    """Yield the kept submissions in order of students' names, one at a time.

    Raises CourseError if there are none, or for a name in `students` that is not among them.
    """
    names = kept_students(course, assignment)
    unknown = [name for name in students if name not in names]
    if unknown:
        raise CourseError(f"student must be one who handed in {assignment}, got {unknown[0]!r}")
    for name in students or names:
        folder = course.collected(name, assignment)
        raws = {n: kept_notebook(course, assignment, name, n) for n in wanted}
        notebooks = {n: raw for n, raw in raws.items() if raw is not None}
        flags: tuple[Flag, ...] = tuple((f, d) for f, d in json.loads((folder / FLAGS).read_text(encoding="utf-8")))
        yield Submission(name, notebooks, flags, handed_in(course, assignment, name))


def kept_notebook(course: Course, assignment: str, student: str, notebook: str) -> bytes | None:
    """Return one notebook as it was handed in, or None if it was not."""
    path = course.collected(student, assignment) / f"{notebook}.ipynb"
    return path.read_bytes() if path.is_file() else None


def kept_students(course: Course, assignment: str) -> list[str]:
    """Return who handed in, in order. Raises CourseError if nobody did."""
    names = sorted(path.parents[1].name for path in (course.root / "collected").glob(f"*/{assignment}/{FLAGS}"))
    if not names:
        raise CourseError(
            f"{assignment} must be collected before it is graded; run: cs231n grade {assignment} SUBMISSIONS"
        )
    return names


def handed_in(course: Course, assignment: str, student: str) -> str:
    """Return when a student handed in, in ISO 8601, or "" if that is not known."""
    path = course.collected(student, assignment) / TIMESTAMP
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def moment(text: str) -> datetime.datetime:
    """Return an ISO 8601 time in UTC; one without a zone is in UTC already."""
    value = datetime.datetime.fromisoformat(text)
    return value.replace(tzinfo=datetime.UTC) if value.tzinfo is None else value.astimezone(datetime.UTC)
