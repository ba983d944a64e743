"""The instructor's commands about the course, hung into `cs231n`: build, release, demo, bugs."""

from pathlib import Path
from typing import Annotated

import typer

from . import cli_grading
from .cli_grading import WORKERS, Assignment, Workers, one_line_errors
from .course import REPOSITORY, source_folder


def register(app: typer.Typer) -> None:
    """Add the instructor's commands to the student's."""
    for command in (build, release, demo, bugs):
        app.command(rich_help_panel="Instructor: the course")(command)
    cli_grading.register(app)


def _all_assignments() -> list[str]:
    return [p.name for p in sorted((REPOSITORY / "assignments" / "source").iterdir()) if any(p.glob("N*.py"))]


def build(
    assignment: Annotated[str, typer.Argument(help="such as a1; none builds all")] = "",
    execute: Annotated[bool, typer.Option(help="also run the solved notebooks and write them as HTML")] = False,
) -> None:
    """Build the student notebooks in assignments/release from the solved sources."""
    from .build import build_release
    from .preview import execute_solutions

    with one_line_errors():
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

    with one_line_errors():
        print(student_zip(assignment, to))


def demo(workers: Workers = WORKERS) -> None:
    """Play a whole evening: build, four submissions, grades, feedback and report, in build/demo."""
    from .demo import play

    with one_line_errors():
        play(workers=workers)


def bugs(
    assignment: Annotated[str, typer.Argument(help="such as a1; none takes all")] = "",
    generate: Annotated[bool, typer.Option(help="also mutate the reference answers; takes minutes")] = False,
) -> None:
    """Check the checks: every planted bug must be refused, with its own hint. Exit code 1 if one survives."""
    from .bugs import generated, planted, print_bugs

    with one_line_errors():
        names = [assignment] if assignment else _all_assignments()
        tallies = [tally for name in names for tally in planted(name)]
        mutated = [tally for name in names for tally in generated(name)] if generate else []
    print_bugs(tallies, mutated)
    if any(tally.survivors or tally.mute for tally in tallies):
        raise typer.Exit(1)
