"""A student's evening from the shell: start, check, submit, doctor; and every mistake is one line."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from cs231n_lib import workspace
from cs231n_lib.doctor import doctor

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = "N01_knn.ipynb"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A copy of what a student has: the release, and an empty work folder."""
    release = tmp_path / "assignments" / "release" / "a1"
    release.mkdir(parents=True)
    for path in (ROOT / "assignments" / "release" / "a1").glob("*.ipynb"):
        (release / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(workspace, "HOME", tmp_path)
    return tmp_path


def test_start_copies_once_and_never_overwrites(home):
    folder, copied = workspace.start("a1")
    assert NOTEBOOK in [path.name for path in copied]
    mine = folder / NOTEBOOK
    mine.write_text("my work")
    assert workspace.start("a1") == (folder, [])
    assert mine.read_text() == "my work"
    with pytest.raises(workspace.WorkspaceError, match="must be one of a1"):
        workspace.start("a9")


def test_submit_bundles_with_hashes_and_names_what_is_missing(home):
    folder, _ = workspace.start("a1", "ann")
    target, problems, missing = workspace.submit("a1", "ann")
    assert problems == []
    assert "knn-two_loops" in missing
    with zipfile.ZipFile(target) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert set(archive.namelist()) == {*manifest["sha256"], "manifest.json"}
    nb = nbformat.read(folder / NOTEBOOK, as_version=4)
    nb.cells = [cell for cell in nb.cells if cell.get("id") != "knn-two_loops-tests"]
    nbformat.write(nb, folder / NOTEBOOK)
    _, problems, _ = workspace.submit("a1", "ann")
    assert problems == [f"{NOTEBOOK}: cell knn-two_loops-tests is missing; copy it back from assignments/release"]


def test_start_writes_the_name_in_and_submit_compares_it(home):
    release = home / "assignments" / "release" / "a1"
    cell = nbformat.v4.new_code_cell('student = ""  # your ID', id="student")
    cell.metadata["nbgrader"] = {"grade_id": "student", "grade": False, "solution": True}
    nb = nbformat.read(release / NOTEBOOK, as_version=4)
    nb.cells.insert(1, cell)
    nbformat.write(nb, release / NOTEBOOK)
    folder, _ = workspace.start("a1", "ann")
    written = nbformat.read(folder / NOTEBOOK, as_version=4)
    assert written.cells[1].source == 'student = "ann"  # your ID'
    written.cells[1].source = nb.cells[1].source
    assert written == nb
    assert workspace.other_name(folder / NOTEBOOK, "ann") == []
    _, problems, missing = workspace.submit("a1", "bob")
    mine = [text for text in problems if text.startswith(NOTEBOOK)]
    assert mine == [
        f"{NOTEBOOK}: the cell `student` must hold 'bob', got 'ann'; "
        "the questions with drawn numbers are asked for that name"
    ]
    assert "student" not in missing
    (folder / NOTEBOOK).unlink()
    workspace.start("a1")
    assert nbformat.read(folder / NOTEBOOK, as_version=4) == nb
    assert workspace.other_name(folder / NOTEBOOK, "ann")[0].endswith("asked for that name")
    with pytest.raises(workspace.WorkspaceError, match=r"^start: student must be letters"):
        workspace.start("a1", "a b")


def test_a_broken_notebook_stops_submit_and_leaves_the_last_zip(home):
    folder, _ = workspace.start("a1")
    target, _, _ = workspace.submit("a1", "ann")
    before = target.read_bytes()
    (folder / NOTEBOOK).write_text("{")
    with pytest.raises(workspace.WorkspaceError, match="must be a Jupyter notebook"):
        workspace.submit("a1", "ann")
    assert target.read_bytes() == before
    assert [p.name for p in (home / "work").iterdir()] == ["a1", "ann.zip"] or len(list((home / "work").iterdir())) == 2


@pytest.mark.parametrize("student", ["../evil", "", "a b"])
def test_submit_refuses_a_name_that_is_no_name(home, student):
    workspace.start("a1")
    with pytest.raises(workspace.WorkspaceError, match="student must be"):
        workspace.submit("a1", student)


def command(*words):
    done = subprocess.run(
        [sys.executable, "-c", "from cs231n_lib.cli import main; main()", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def test_check_says_not_implemented_yet_on_the_release_and_exits_with_1():
    code, out, err = command("check", f"assignments/release/a1/{NOTEBOOK}")
    assert code == 1
    assert "knn-two_loops" in out
    assert "not implemented yet" in out
    assert "0 of " in out.splitlines()[-1]
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["start", "a9", "--no-lab"], "assignment must be one of"),
        (["check", "nowhere.ipynb"], "no such file"),
        (["check", "README.md"], "must be a Jupyter notebook"),
        (["data", "get", "imagenet"], "imagenet"),
        (["data", "import", "mine", "nowhere"], "nowhere"),
        (["grade", "a9", "tests"], "a9"),
        (["grade", "a1", "nowhere"], "nowhere"),
        (["report", "a1", "--course", "nowhere"], "must be graded before"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(words, says):
    code, out, err = command(*words)
    assert code == 1
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in out + err


def test_doctor_finds_this_machine_in_order_and_names_what_is_missing(monkeypatch):
    assert doctor(show=False)["ok"]
    monkeypatch.setattr("cs231n_lib.doctor.NEEDED", ("numpy", "no_such_package"))
    report = doctor(show=False)
    assert not report["ok"]
    assert report["problems"] == ["no_such_package is missing; run: pip install -c constraints.txt -e ."]


def test_help_lists_the_commands_of_both_sides():
    code, out, _ = command("--help")
    assert code == 0
    assert all(
        word in out for word in ("start", "check", "submit", "doctor", "data", "build", "release", "grade", "report")
    )
