"""A student's working copy: start it, check it from a shell, hand it in."""

import datetime
import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
STUDENT_CELL = "student"  # the cell with the name that questions with drawn numbers are asked for
MAX_NOTEBOOK = 50_000_000  # bytes; the grader reads no more


class WorkspaceError(RuntimeError):
    """Something the student can mend; the message is one line and complete."""


@dataclass(frozen=True)
class Checked:
    """The outcome of one check cell: points, and what the panel says as text."""

    exercise: str
    points: float
    max_points: float
    ok: bool


def released() -> list[str]:
    """Return the assignments that can be started."""
    return sorted(p.name for p in (HOME / "assignments" / "release").glob("*") if any(p.glob("*.ipynb")))


def start(assignment: str, student: str = "") -> tuple[Path, list[Path]]:
    """Copy the student notebooks to work/ASSIGNMENT. Never overwrites: returns the folder and what was newly copied.

    student : written into the new copies, for questions with drawn numbers; left empty if not given
    """
    if student:
        _check_name("start", student)
    if assignment not in released():
        raise WorkspaceError(f"start: assignment must be one of {', '.join(released())}, got {assignment!r}")
    folder = HOME / "work" / assignment
    folder.mkdir(parents=True, exist_ok=True)
    copied = []
    for path in sorted((HOME / "assignments" / "release" / assignment).glob("*.ipynb")):
        target = folder / path.name
        if not target.exists():
            temporary = target.with_suffix(".part")
            temporary.write_text(_with_name(path.read_text(encoding="utf-8"), student), encoding="utf-8")
            temporary.replace(target)
            copied.append(target)
    return folder, copied


def _with_name(notebook: str, student: str) -> str:
    """Return the text of a notebook with a name in its `student` cell; without a name, as it is."""
    content = json.loads(notebook) if student else {"cells": []}
    mine = [cell for cell in content["cells"] if _meta(cell).get("grade_id") == STUDENT_CELL]
    if not mine:
        return notebook
    for cell in mine:
        cell["source"] = text_of(cell).replace('student = ""', f"student = {json.dumps(student)}", 1)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _check_name(command: str, student: str) -> None:
    if not re.fullmatch(r"[\w.@+-]+", student):
        raise WorkspaceError(
            f"{command}: student must be letters, digits and . @ + - _, got {student!r}; give --student ID"
        )


def read_notebook(path: Path) -> list[dict]:
    """Return the cells of a notebook file. Raises WorkspaceError that says what is wrong with it."""
    if not path.is_file():
        raise WorkspaceError(f"{path}: notebook must exist, got no such file")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WorkspaceError(f"{path.name}: must be a Jupyter notebook, got {type(error).__name__}: {error}") from error
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise WorkspaceError(f"{path.name}: cells must be a list of objects; save the notebook again from JupyterLab")
    return cells


def _meta(cell: dict) -> dict:
    meta = cell.get("metadata", {}).get("nbgrader", {})
    return meta if isinstance(meta, dict) else {}


def text_of(cell: dict) -> str:
    """Return a cell's source."""
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else source


def is_own_or_setup(cell: dict) -> bool:
    """True for the code cells that define things: the locked setup and the student's answers."""
    meta = _meta(cell)
    return cell.get("cell_type") == "code" and bool(meta) and not meta.get("grade")


def run_checks(path: Path) -> list[Checked]:
    """Run a notebook's setup, answers and visible checks in this process, printing each panel.

    Plain cells (plots, training runs) are left out. Raises WorkspaceError if the notebook has no checks.
    """
    from .check import Result
    from .check.shell import make_shell

    cells = [cell for cell in read_notebook(path) if cell.get("cell_type") == "code" and _meta(cell)]
    if not any(_meta(cell).get("grade") for cell in cells):
        raise WorkspaceError(f"{path.name}: must be a notebook of this course with checks in it, got none")
    os.environ.setdefault("MPLBACKEND", "agg")
    shell = make_shell()
    outcomes = []
    for cell in cells:
        shell.user_ns.pop("result", None)
        outcome = shell.run_cell(text_of(cell), store_history=False)
        if not _meta(cell).get("grade"):
            continue
        name = str(_meta(cell).get("grade_id", "")).removesuffix("-tests")
        result = shell.user_ns.get("result")
        if outcome.success and isinstance(result, Result):
            outcomes.append(Checked(name, result.points, result.exercise.points, result.ok))
        else:
            outcomes.append(Checked(name, 0.0, float(_meta(cell).get("points", 0)), False))
    return outcomes


def problems(path: Path, original: Path) -> list[str]:
    """Return what would cost a student points if they handed `path` in as it is."""
    ids = [_meta(cell).get("grade_id") for cell in read_notebook(path)]
    wanted = [_meta(cell)["grade_id"] for cell in read_notebook(original) if _meta(cell)]
    found = [
        f"{path.name}: cell {name} is missing; copy it back from assignments/release"
        for name in wanted
        if name not in ids
    ]
    found += [
        f"{path.name}: cell {name} is there {ids.count(name)} times; delete the copies"
        for name in wanted
        if ids.count(name) > 1
    ]
    if path.stat().st_size > MAX_NOTEBOOK:
        found.append(f"{path.name}: must be at most 50 MB; clear the outputs and save again")
    return found


def unanswered(path: Path, original: Path) -> list[str]:
    """Return the ids of answers that still are the stub."""
    stubs = {_meta(c)["grade_id"]: text_of(c) for c in read_notebook(original) if _meta(c).get("solution")}
    ids = [_meta(c)["grade_id"] for c in read_notebook(path) if stubs.get(_meta(c).get("grade_id")) == text_of(c)]
    return [name for name in ids if name != STUDENT_CELL]


def other_name(path: Path, student: str) -> list[str]:
    """Return what is wrong with the name in the `student` cell of a notebook that is handed in by `student`."""
    for cell in read_notebook(path):
        found = re.search(r"""^student = (["'])(.*?)\1""", text_of(cell), flags=re.M)
        if _meta(cell).get("grade_id") == STUDENT_CELL and found and found[2].strip() != student:
            return [
                f"{path.name}: the cell `student` must hold {student!r}, got {found[2]!r}; "
                "the questions with drawn numbers are asked for that name"
            ]
    return []


def submit(assignment: str, student: str) -> tuple[Path, list[str], list[str]]:
    """Bundle work/ASSIGNMENT into work/STUDENT.zip with a manifest of hashes.

    Returns (the zip, problems, ids not answered). Raises WorkspaceError if a notebook is missing or unreadable; then no
    zip is written.
    """
    _check_name("submit", student)
    originals = sorted((HOME / "assignments" / "release" / assignment).glob("*.ipynb"))
    if not originals:
        raise WorkspaceError(f"submit: assignment must be one of {', '.join(released())}, got {assignment!r}")
    folder = HOME / "work" / assignment
    warned, missing, manifest = [], [], {}
    for original in originals:
        path = folder / original.name
        warned += problems(path, original) + other_name(path, student)
        missing += unanswered(path, original)
        manifest[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    target = HOME / "work" / f"{student}.zip"
    temporary = target.with_suffix(".zip.part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in manifest:
            archive.write(folder / name, name)
        made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        about = {"assignment": assignment, "student": student, "made": made, "sha256": manifest}
        archive.writestr("manifest.json", json.dumps(about, indent=1))
    temporary.replace(target)
    return target, warned, missing
