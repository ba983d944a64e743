"""What `cs231n collect` does and says: a download sorted into the course folder, and whose work is still unclear."""

import json
from dataclasses import dataclass
from pathlib import Path

from .collect import Survey, read_all, survey
from .collected import forget_guesses, keep
from .course import Course, source_files
from .roster import read_roster
from .scheduler import write_atomically
from .source import read_source


@dataclass(frozen=True)
class Intake:
    """A download sorted. unmapped : students whose name is a guess; rows : (student, notebooks, of how many, flags)"""

    looked: Survey
    folder: Path
    rows: list[tuple[str, int, int, tuple[tuple[str, str], ...]]]

    @property
    def unmapped(self) -> list[str]:
        return [student for student, _, _, flags in self.rows if any(name == "unmapped" for name, _ in flags)]


def collect_into(course: Course, assignment: str, place: Path, roster: Path | None) -> Intake:
    """Keep every submission of a download in the course folder and write collected.json beside the reports.

    Raises CourseError if the download, the assignment or the roster is not in order; then nothing is kept.
    """
    ids = notebook_ids(assignment)
    looked = survey(place, assignment, list(ids), read_roster(roster) if roster else None)
    rows = []
    for submission in read_all(looked, assignment, list(ids), ids):
        keep(course, assignment, submission, list(ids))
        rows.append((submission.student, len(submission.notebooks), len(ids), submission.flags))
    forget_guesses(course, assignment, {student for student, _, _, _ in rows})
    intake = Intake(looked, course.root / "collected", rows)
    about = {"kind": looked.kind, "left": looked.left, "missing": looked.missing, "flags": looked.flags, "rows": rows}
    write_atomically(course.reports / assignment / "collected.json", json.dumps(about, indent=1))
    return intake


def notebook_ids(assignment: str) -> dict[str, frozenset[str]]:
    """Return {notebook: ids of its cells}, read from the sources: nothing need be built to collect."""
    plain = ("prose", "code")
    return {
        path.stem: frozenset(cell.grade_id for cell in read_source(path) if cell.role not in plain)
        for path in source_files(assignment)
    }


def print_intake(intake: Intake) -> None:
    """Print who handed in what, what was odd about it, and what belongs to nobody."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("student", "notebooks", "to look at", title=f"{intake.looked.kind}: {len(intake.rows)} students")
    for student, n, of, flags in intake.rows:
        table.add_row(escape(student), f"{n} of {of}", escape("\n".join(f"{name}: {detail}" for name, detail in flags)))
    console.print(table)
    for name, detail in intake.looked.flags:
        console.print(f"! {name}: {detail}", markup=False)
    for name in intake.looked.left:
        console.print(f"! nobody's: {name}", markup=False)
    if intake.looked.missing:
        console.print(f"! on the roster, nothing handed in: {', '.join(intake.looked.missing)}", markup=False)
    if intake.unmapped:
        console.print(f"! students to be named: {', '.join(intake.unmapped)}", markup=False)
    console.print(f"kept in {intake.folder}", markup=False, soft_wrap=True)
