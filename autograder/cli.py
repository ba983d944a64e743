"""The instructor's commands, hung into `cs231n`: build, release, grade, report, demo, bugs."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .course import REPOSITORY, Course, CourseError, source_folder
from .source import SourceError

Assignment = Annotated[str, typer.Argument(help="such as a1")]
Folder = Annotated[Path, typer.Option("--course", help="the course folder with the gradebook")]
COURSE = REPOSITORY / "build" / "course"


def register(app: typer.Typer) -> None:
    """Add the instructor's commands to the student's."""
    panel = "Instructor"
    for command in (build, release, grade, report, demo, bugs):
        app.command(rich_help_panel=panel)(command)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (CourseError, SourceError) as error:
        print(f"cs231n: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _all_assignments() -> list[str]:
    return [p.name for p in sorted((REPOSITORY / "assignments" / "source").iterdir()) if any(p.glob("N*.py"))]


def build(
    assignment: Annotated[str, typer.Argument(help="such as a1; none builds all")] = "",
    execute: Annotated[bool, typer.Option(help="also run the solved notebooks and write them as HTML")] = False,
) -> None:
    """Build the student notebooks in assignments/release from the solved sources."""
    from .build import build_release
    from .preview import execute_solutions

    with _one_line_errors():
        for name in [assignment] if assignment else _all_assignments():
            source_folder(name)
            for path in build_release(name, REPOSITORY / "assignments" / "release" / name):
                print(path.relative_to(REPOSITORY))
            if execute:
                for path in execute_solutions(name, REPOSITORY / "build" / "solved" / name):
                    print(path.relative_to(REPOSITORY))


def release(
    assignment: Assignment,
    to: Annotated[Path, typer.Option(help="folder for the zip")] = REPOSITORY / "build" / "student",
) -> None:
    """Make the zip that students get: notebooks, library, data registry, environment. Refused if a solution leaks."""
    from .release import student_zip

    with _one_line_errors():
        print(student_zip(assignment, to))


def grade(
    assignment: Assignment,
    submissions: Annotated[Path, typer.Argument(help="a folder with one folder or zip per student")],
    course: Folder = COURSE,
    workers: Annotated[int, typer.Option(help="notebooks graded at a time")] = os.cpu_count() or 1,
    only: Annotated[
        list[str] | None, typer.Option(help="a notebook to grade, such as N01_knn; may be repeated")
    ] = None,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="run submitted code with your own rights")] = False,
    scheduler: Annotated[str, typer.Option(help="a running Dask scheduler, such as tcp://127.0.0.1:8786")] = "",
    slurm: Annotated[bool, typer.Option("--slurm", help="run the workers as Slurm jobs")] = False,
    minimum: Annotated[str, typer.Option(help="the least sandbox: bubblewrap, podman, docker, landlock")] = "docker",
) -> None:
    """Grade every submission in the sandbox; write gradebook, feedback, CSV and report."""
    from .evening import grade_folder, print_table

    with _one_line_errors():
        outcome = grade_folder(
            Course(course.resolve()),
            assignment,
            submissions,
            workers=workers,
            allow_none=no_sandbox,
            minimum=minimum,
            address=scheduler,
            slurm=slurm,
            only=tuple(only or ()),
        )
    print_table(outcome)


def report(assignment: Assignment, course: Folder = COURSE) -> None:
    """Write the report and the CSV files again, with what was graded by hand since."""
    from .report import write_reports

    with _one_line_errors():
        for path in write_reports(Course(course.resolve()), assignment).values():
            print(path)


def demo(workers: Annotated[int, typer.Option(help="notebooks graded at a time")] = os.cpu_count() or 1) -> None:
    """Play a whole evening: build, four submissions, grades, feedback and report, in build/demo."""
    from .demo import play

    with _one_line_errors():
        play(workers=workers)


def bugs(
    assignment: Annotated[str, typer.Argument(help="such as a1; none takes all")] = "",
    generate: Annotated[bool, typer.Option(help="also mutate the reference answers; takes minutes")] = False,
) -> None:
    """Check the checks: every planted bug must be refused, with its own hint. Exit code 1 if one survives."""
    from .bugs import generated, planted, print_bugs

    with _one_line_errors():
        names = [assignment] if assignment else _all_assignments()
        tallies = [tally for name in names for tally in planted(name)]
        mutated = [tally for name in names for tally in generated(name)] if generate else []
    print_bugs(tallies, mutated)
    if any(tally.survivors or tally.mute for tally in tallies):
        raise typer.Exit(1)
