"""Four made-up students for `make demo`: one solved everything, one half, one wrongly, one's code ends its process."""

import shutil
import time
from pathlib import Path

import nbformat

from .build import build_release, select
from .course import REPOSITORY, Course, source_files
from .evening import grade_folder, print_table
from .grading import role_of
from .source import STUDENT_CELL, read_source, solutions

ASSIGNMENT = "a1"
NOTEBOOKS = ("N00_start_here", "N01_knn")
WRONG = Path(__file__).with_name("demo_wrong.py")
CRASH = "    import os\n\n    os._exit(1)"


def play(*, workers: int) -> None:
    """Build the release, write four submissions, grade them, and print who got what and where the files are."""
    start = time.perf_counter()
    root = REPOSITORY / "build" / "demo"
    shutil.rmtree(root, ignore_errors=True)
    print(f"building {ASSIGNMENT}, grading {' and '.join(NOTEBOOKS)} …", flush=True)
    release = root / "release-for-students"
    build_release(ASSIGNMENT, release)
    submissions = root / "submissions"
    write_submissions(release, submissions)
    print_table(grade_folder(Course(root), ASSIGNMENT, submissions, workers=workers, only=NOTEBOOKS))
    print(f"\nThe demo took {time.perf_counter() - start:.0f} s. Open the report in a browser; then try: make lab")


def write_submissions(release: Path, folder: Path) -> None:
    """Write the notebooks of reference, half, wrong and crashing into FOLDER/STUDENT/."""
    wrong = solutions(read_source(WRONG))
    for source in select(source_files(ASSIGNMENT), NOTEBOOKS):
        right = solutions(read_source(source))
        half = dict(list(right.items())[: len(right) // 2])
        crashing = dict(right)
        last = [name for name, text in right.items() if "def " in text][-1]
        crashing[last] = _crash(right[last])
        for student, answers in {
            "reference": right,
            "half": half,
            "wrong": {**right, **{name: text for name, text in wrong.items() if name in right}},
            "crashing": crashing,
        }.items():
            write_submission(release / f"{source.stem}.ipynb", answers, folder / student)


def write_submission(release: Path, answers: dict[str, str], folder: Path) -> None:
    """Fill answers into a copy of a released notebook, as a student named like the folder would."""
    answers = {**answers, STUDENT_CELL: f"student = {folder.name!r}"}
    notebook = nbformat.read(release, as_version=4)
    for cell in notebook.cells:
        if role_of(cell) == "solution":
            cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
        elif role_of(cell) == "answer" and answers:
            cell.source = "I looked at the picture above: the distances in that row are large."
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / release.name)


def _crash(source: str) -> str:
    """The same cell, but its function ends the process."""
    lines = source.splitlines()
    begin = next(i for i, line in enumerate(lines) if "BEGIN SOLUTION" in line)
    return "\n".join([*lines[:begin], CRASH])
