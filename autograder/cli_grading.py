"""The instructor's commands of a grading evening, hung into `cs231n`: collect, grade, report."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .course import REPOSITORY, Course, CourseError
from .source import SourceError

Assignment = Annotated[str, typer.Argument(help="such as a1")]
Folder = Annotated[Path, typer.Option("--course", help="the course folder with the gradebook")]
Workers = Annotated[int, typer.Option(help="notebooks graded at a time")]
NoSandbox = Annotated[bool, typer.Option("--no-sandbox", help="run submitted code with your own rights")]
RosterFile = Annotated[Path | None, typer.Option("--roster", help="class list as CSV: student, name, email")]
Download = "a folder or zip with one folder or zip per student, or what Gradescope, Canvas or Moodle gave"
WORKERS = os.cpu_count() or 1
COURSE = REPOSITORY / "build" / "course"


def register(app: typer.Typer) -> None:
    """Add these commands to `cs231n`."""
    for command in (collect, grade, report):
        app.command(rich_help_panel="Instructor: grading")(command)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an expected error as one line and end with exit code 1."""
    try:
        yield
    except (CourseError, SourceError) as error:
        print(f"cs231n: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def collect(
    assignment: Assignment,
    submissions: Annotated[Path, typer.Argument(help=Download)],
    roster: RosterFile = None,
    course: Folder = COURSE,
) -> None:
    """Sort a download into the course folder, one folder per student; say what could not be mapped."""
    from .intake import collect_into, print_intake

    with one_line_errors():
        intake = collect_into(Course(course.resolve()), assignment, submissions, roster)
    print_intake(intake)
    if intake.unmapped:
        raise typer.Exit(1)


def grade(
    assignment: Assignment,
    submissions: Annotated[Path | None, typer.Argument(help=f"{Download}; none grades what was collected")] = None,
    roster: RosterFile = None,
    course: Folder = COURSE,
    workers: Workers = WORKERS,
    only: Annotated[
        list[str] | None, typer.Option(help="a notebook to grade, such as N01_knn; may be repeated")
    ] = None,
    no_sandbox: NoSandbox = False,
) -> None:
    """Grade every submission in the sandbox; write gradebook, feedback, CSV and report."""
    from .evening import grade_folder, print_table
    from .roster import read_roster

    with one_line_errors():
        outcome = grade_folder(
            Course(course.resolve()),
            assignment,
            submissions,
            workers=workers,
            allow_none=no_sandbox,
            only=tuple(only or ()),
            roster=read_roster(roster) if roster else None,
        )
    print_table(outcome)


def report(assignment: Assignment, course: Folder = COURSE) -> None:
    """Write the report and the CSV files again, with what was graded by hand since."""
    from .report import write_reports

    with one_line_errors():
        for path in write_reports(Course(course.resolve()), assignment).values():
            print(path)
