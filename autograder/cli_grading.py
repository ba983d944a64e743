"""The instructor's commands of a grading evening, hung into `cs231n`: from a download to grades."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .course import REPOSITORY, Course, CourseError

Assignment = Annotated[str, typer.Argument(help="such as a1")]
Folder = Annotated[Path, typer.Option("--course", help="the course folder with the gradebook")]
Workers = Annotated[int, typer.Option(help="notebooks graded at a time")]
NoSandbox = Annotated[bool, typer.Option("--no-sandbox", help="run submitted code with your own rights")]
Minimum = Annotated[str, typer.Option(help="the least sandbox: bubblewrap, podman, docker, landlock")]
RosterFile = Annotated[Path | None, typer.Option("--roster", help="class list as CSV: student, name, email")]
Download = "a folder or zip with one folder or zip per student, or what Gradescope, Canvas or Moodle gave"
WORKERS = os.cpu_count() or 1
COURSE = REPOSITORY / "build" / "course"


def register(app: typer.Typer) -> None:
    """Add these commands to `cs231n`."""
    for command in (collect, grade, regrade, report, leaderboard, export, similarity, gradescope):
        app.command(rich_help_panel="Instructor: grading")(command)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an expected error as one line and end with exit code 1."""
    from .source import SourceError  # not above: it brings nbformat, 1.5 s at the start of every `cs231n` command

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
    scheduler: Annotated[str, typer.Option(help="a running Dask scheduler, such as tcp://127.0.0.1:8786")] = "",
    slurm: Annotated[bool, typer.Option("--slurm", help="run the workers as Slurm jobs")] = False,
    minimum: Minimum = "docker",
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
            minimum=minimum,
            address=scheduler,
            slurm=slurm,
            only=tuple(only or ()),
            roster=read_roster(roster) if roster else None,
        )
    print_table(outcome)


def regrade(
    assignment: Assignment,
    exercise: Annotated[list[str] | None, typer.Option(help="such as knn-no_loops; may be repeated")] = None,
    student: Annotated[list[str] | None, typer.Option(help="a student's id; may be repeated")] = None,
    course: Folder = COURSE,
    workers: Workers = WORKERS,
    no_sandbox: NoSandbox = False,
    minimum: Minimum = "docker",
) -> None:
    """Grade again: these exercises, these students, or, with neither, what a changed spec touches.

    Points given by hand stay.
    """
    from .evening import regrade as run
    from .regrade import Again

    again = Again(tuple(exercise or ()), tuple(student or ()))
    with one_line_errors():
        place = Course(course.resolve())
        changes = run(place, assignment, again, workers=workers, allow_none=no_sandbox, minimum=minimum)
    for name, question, before, after in changes:
        print(f"{name}: {question} {_points(before)} -> {_points(after)}")
    print(f"{len(changes)} scores changed")


def _points(score: float | None) -> str:
    return "not graded" if score is None else f"{score:g}"


def report(assignment: Assignment, course: Folder = COURSE) -> None:
    """Write the report and the CSV files again, with what was graded by hand since."""
    from .report import write_reports

    with one_line_errors():
        for path in write_reports(Course(course.resolve()), assignment).values():
            print(path)


def leaderboard(
    files: Annotated[
        list[Path], typer.Argument(help="folders of submissions, certificates STUDENT.json, earlier leaderboards")
    ],
    course: Folder = COURSE,
    practice: Annotated[bool, typer.Option(help="score against the public practice set")] = False,
) -> None:
    """Score the certificates of N12 anew and merge them into leaderboard.json and leaderboard.csv in the reports."""
    from .leaderboard import merge_files, print_board

    with one_line_errors():
        board = merge_files(Course(course.resolve()), files, practice=practice)
    print_board(board)
    if board.refused:
        raise typer.Exit(1)


def export(
    assignment: Assignment,
    canvas: Annotated[Path | None, typer.Option(help="Canvas's gradebook export, to be filled")] = None,
    moodle: Annotated[Path | None, typer.Option(help="Moodle's grading worksheet, to be filled")] = None,
    gradescope: Annotated[bool, typer.Option("--gradescope", help="a results.json per student")] = False,
    column: Annotated[str, typer.Option(help="the assignment's heading in Canvas")] = "",
    scale: Annotated[bool, typer.Option("--scale", help="convert to the maximum that the LMS has")] = False,
    course: Folder = COURSE,
) -> None:
    """Write the grades as Canvas, Moodle or Gradescope read them, beside the report."""
    from .current import current_results
    from .exports import Export, canvas_csv, moodle_csv
    from .gradescope import write_gradescope
    from .scheduler import write_atomically

    place = Course(course.resolve())
    with one_line_errors():
        if not (canvas or moodle or gradescope):
            raise CourseError("export must be given --canvas FILE, --moodle FILE or --gradescope, got none")
        results = current_results(place, assignment)
        made: dict[str, Export] = {}
        if canvas:
            made["canvas.csv"] = canvas_csv(canvas, assignment, results, column=column, scale=scale)
        if moodle:
            made["moodle.csv"] = moodle_csv(moodle, results, scale=scale)
        if gradescope:
            print(write_gradescope(place.reports / assignment / "gradescope", results))
    for name, filled in made.items():
        target = place.reports / assignment / name
        write_atomically(target, filled.text)
        print(target)
        for words, students in (("left empty, not fully graded", filled.waiting), ("not listed", filled.unknown)):
            if students:
                print(f"! {name}: {words}: {', '.join(students)}")


def similarity(
    assignment: Assignment,
    submissions: Annotated[Path | None, typer.Argument(help=f"{Download}; none takes what was collected")] = None,
    roster: RosterFile = None,
    course: Folder = COURSE,
) -> None:
    """Rank pairs of submissions by the code they share, for a person to look at. It changes no score."""
    from .collect import collect as read
    from .collected import kept
    from .intake import notebook_ids
    from .roster import read_roster
    from .similarity import compare_class, write_similarity

    place = Course(course.resolve())
    with one_line_errors():
        ids = notebook_ids(assignment)
        names = read_roster(roster) if roster else None
        given = read(submissions, assignment, list(ids), roster=names, grade_ids=ids) if submissions else None
        pairs, students = compare_class(assignment, given or kept(place, assignment, list(ids)))
        files = write_similarity(place, assignment, pairs, students)
    for pair in pairs[:10]:
        more = f" and {len(pair.exercises) - 4} more" if len(pair.exercises) > 4 else ""
        print(f"{max(pair.shares):4.0%}  {' · '.join(pair.students)}  ({', '.join(pair.exercises[:4])}{more})")
    print(f"{len(pairs)} pairs of {students} submissions to look at")
    for path in files.values():
        print(path)


def gradescope(
    assignment: Assignment,
    to: Annotated[Path, typer.Option(help="folder for the zip")] = REPOSITORY / "build" / "gradescope",
) -> None:
    """Make the autograder zip for Gradescope. It holds solutions: upload it as the autograder and nowhere else."""
    from .gradescope import autograder_zip

    with one_line_errors():
        print(autograder_zip(assignment, to))
