"""The `cs231n` command: what a student types. An instructor's commands are added by the package that grades."""

import getpass
import importlib.util
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from . import workspace

app = typer.Typer(help="CS231n assignments: start, check and hand in.", no_args_is_help=True, add_completion=False)
data_app = typer.Typer(help="Data sets: see, fetch and import them.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and how to mend it."""
    from .doctor import doctor as examine
    from .doctor import notes

    report = examine()
    for note in notes():
        print(f"  {note}")
    if not report["ok"]:
        raise typer.Exit(1)


@app.command()
def start(
    assignment: Annotated[str, typer.Argument(help="such as a1")],
    student: Annotated[str, typer.Option(help="your student id; questions with drawn numbers are asked for it")] = "",
    lab: Annotated[bool, typer.Option(help="open JupyterLab on the copy")] = True,
) -> None:
    """Copy the notebooks to work/ASSIGNMENT (yours are never overwritten) and open JupyterLab."""
    folder, copied = workspace.start(assignment, student)
    print(f"{folder}: {len(copied)} notebooks copied" if copied else f"{folder}: your notebooks are as you left them")
    if lab:
        raise _open_lab(folder)


@app.command()
def gallery(lab: Annotated[bool, typer.Option(help="open JupyterLab on it")] = True) -> None:
    """Write work/gallery.ipynb with every widget of the course and open it."""
    from .gallery import write_gallery

    path = write_gallery(workspace.HOME / "work")
    print(path)
    if lab:
        raise _open_lab(path)


def _open_lab(path: Path) -> typer.Exit:
    """Open JupyterLab and return how it ended.

    OpenBLAS's threads wait 2^28 cycles for more work by default: for 0.1 s after each product they keep busy a core
    that the fast layers need, measured 12 instead of 6.5 ms for a 1 x 1 convolution. 2^20 cycles are 0.4 ms.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
    return typer.Exit(subprocess.call([sys.executable, "-m", "jupyter", "lab", str(path)]))


@app.command()
def check(notebook: Annotated[Path, typer.Argument(help="a notebook of yours")]) -> None:
    """Run the visible checks of a notebook; the exit code is 0 if all pass."""
    outcomes = workspace.run_checks(notebook)
    right = sum(outcome.ok for outcome in outcomes)
    points, possible = sum(o.points for o in outcomes), sum(o.max_points for o in outcomes)
    print(f"\n{right} of {len(outcomes)} exercises pass their visible check: {points:g} of {possible:g} points so far")
    if right < len(outcomes):
        raise typer.Exit(1)


@app.command()
def submit(
    assignment: Annotated[str, typer.Argument(help="such as a1")],
    student: Annotated[str, typer.Option(help="your student id; names the zip")] = "",
) -> None:
    """Bundle your notebooks into one zip to hand in."""
    target, problems, missing = workspace.submit(assignment, student or getpass.getuser())
    for problem in problems:
        print(f"! {problem}")
    if missing:
        print(f"! not answered yet: {', '.join(missing)}")
    print(f"{target} is ready to hand in")


@data_app.command("list")
def data_list() -> None:
    """Show the data sets and which are here."""
    from rich.console import Console
    from rich.table import Table

    from .data import data_status

    table = Table("name", "here", "train", "test", "MB", "how to get it, or what is wrong")
    for row in data_status():
        counts = (
            [f"{row['train']:,}", f"{row['test']:,}", f"{row['megabytes']:.0f}"] if row["present"] else ["", "", ""]
        )
        advice = str(row["problem"] or ("" if row["present"] else row["get"]))
        table.add_row(str(row["name"]), "✓" if row["present"] else "", *counts, advice)
    Console().print(table)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="such as cifar10")],
    source: Annotated[str, typer.Option("--from", help="a tarball, an extracted folder or a mirror's URL")] = "",
) -> None:
    """Fetch a data set, check it and cache it. Only this command uses the network."""
    from .data import get_dataset

    get_dataset(name, source or None)
    print(f"{name} is ready")


@data_app.command("import")
def data_import(
    name: Annotated[str, typer.Argument(help="what to call it, such as cifar10-jpeg")],
    path: Annotated[Path, typer.Argument(help="a zip or folder with train/<class>/*.jpg and test/<class>/*.jpg")],
) -> None:
    """Import your own images as a data set."""
    from .images import import_images

    import_images(name, path)
    print(f"{name} is ready")


@data_app.command("remove")
def data_remove(name: Annotated[str, typer.Argument(help="a data set of `cs231n data list`")]) -> None:
    """Delete a cached data set."""
    from .store import remove_dataset

    remove_dataset(name)
    print(f"{name} is removed")


def _add_instructor_commands() -> None:
    """Hang in the commands of installed packages. A student's copy has no grader: then there are none."""
    for point in entry_points(group="cs231n.commands"):
        if importlib.util.find_spec(point.value.split(".")[0]) is not None:
            point.load()(app)


def main() -> None:
    """Run the command. An expected error is one line on standard error and exit code 1; a traceback is a bug."""
    from .store import DataError

    _add_instructor_commands()
    try:
        app()
    except (workspace.WorkspaceError, DataError, OSError) as error:
        print(f"cs231n: {error}", file=sys.stderr)
        sys.exit(1)
