"""Faults in the middle of a run: the command killed at any moment, a disk that fills up. Nothing is lost or halved."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from waiting import descendants, wait_for

from autograder.build import build_release
from autograder.course import REPOSITORY, Course, CourseError
from autograder.demo import write_submissions
from autograder.evening import grade_folder
from autograder.sandbox import probe

pytestmark = pytest.mark.slow
NOTEBOOKS = ("N00_start_here",)
GRADE = """
import sys
from pathlib import Path
from autograder.course import Course
from autograder.evening import grade_folder
grade_folder(Course(Path(sys.argv[1])), "a1", Path(sys.argv[2]), workers=2, only=("N00_start_here",))
"""


@pytest.fixture(scope="module")
def submissions(tmp_path_factory):
    if probe("bubblewrap"):
        pytest.skip(f"no sandbox on this machine: {probe('bubblewrap')}")
    root = tmp_path_factory.mktemp("students")
    build_release("a1", root / "release")
    write_submissions(root / "release", root / "few")
    many = root / "submissions"
    for n in range(3):
        for student in (root / "few").iterdir():
            shutil.copytree(student, many / f"{student.name}-{n}")
    return many


@pytest.fixture(scope="module")
def undisturbed(submissions, tmp_path_factory):
    """A run that nothing disturbs, in a course with a fixed secret: equal seeds, equal messages."""
    root = _course(tmp_path_factory.mktemp("undisturbed"))
    subprocess.run([sys.executable, "-c", GRADE, str(root), str(submissions)], cwd=REPOSITORY, check=True, timeout=500)
    return root


def _course(root):
    (root / "secret").write_text("0" * 64)
    return root


def _exports(root):
    return {name: (root / "reports" / "a1" / name).read_bytes() for name in ("scores.csv", "questions.csv")}


def _grades(root):
    with sqlite3.connect(root / "gradebook.db") as base:
        return sorted(
            base.execute(
                "select s.student_id, c.name, g.auto_score, g.needs_manual_grade from grade g"
                " join base_cell c on c.id = g.cell_id join submitted_notebook n on n.id = g.notebook_id"
                " join submitted_assignment s on s.id = n.assignment_id"
            )
        )


def test_a_run_killed_again_and_again_ends_as_an_undisturbed_one(submissions, undisturbed, tmp_path):
    root = _course(tmp_path)
    command = [sys.executable, "-c", GRADE, str(root), str(submissions)]
    torn = root / "autograded" / "half-0" / "a1" / ".N00_start_here.ipynb.8590.94335696502880"
    torn.parent.mkdir(parents=True)
    torn.write_text("{")  # what a command leaves that is killed while it writes
    for records in (1, 5, 9):  # moments by what is done, not by a clock
        run = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        wait_for(lambda n=records, run=run: run.poll() is not None or len(list(root.glob("records/*.json"))) >= n, 200)
        below = descendants(run.pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_for(lambda pids=below: not any(_runs(pid) for pid in pids))
        for path in root.glob("records/*.json"):
            assert json.loads(path.read_text())["verdicts"]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=500)
    assert _exports(root) == _exports(undisturbed)
    assert _grades(root) == _grades(undisturbed)
    files = ({p.relative_to(r) for p in (r / "autograded").rglob("*")} for r in (root, undisturbed))
    assert next(files) == next(files)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_is_one_clear_error_and_the_rerun_completes(submissions, undisturbed, tmp_path):
    small = tmp_path / "disk"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40M", "tmpfs", str(small)], check=True)
    try:
        _course(small)
        course = Course(small)
        filler = small / "filler"

        first = sorted(p.name for p in submissions.iterdir())[:1]
        few = tmp_path / "few"
        for name in first:
            shutil.copytree(submissions / name, few / name)
        grade_folder(course, "a1", few, workers=2, only=NOTEBOOKS)  # the course is prepared, one student is stored
        before = _grades(small)
        filler.write_bytes(b"0" * max(0, shutil.disk_usage(small).free - 40_000))
        with pytest.raises((CourseError, OSError), match=r"disk|space|could not be written") as error:
            grade_folder(course, "a1", submissions, workers=2, only=NOTEBOOKS)
        assert "\n" not in str(error.value)
        filler.unlink()
        students = {row[0] for row in before}
        assert [row for row in _grades(small) if row[0] in students] == before
        for path in small.rglob("*.json"):
            json.loads(path.read_text())
        grade_folder(course, "a1", submissions, workers=2, only=NOTEBOOKS)
        assert _exports(small) == _exports(undisturbed)
        assert _grades(small) == _grades(undisturbed)
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=False)
