"""The commands of a grading evening: what they print, and with which exit code they end."""

import pytest
import typer
from typer.testing import CliRunner

from autograder.cli import register

NAME = "N00_start_here"


@pytest.fixture
def run():
    app = typer.Typer()
    register(app)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_collect_says_whose_work_is_unclear_and_ends_with_1(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"ann_{NAME}.ipynb").write_bytes(b"{}")
    (folder / "notes.txt").write_bytes(b"")
    clear = run("collect", "a1", folder, "--course", tmp_path / "course")
    assert clear.exit_code == 0
    assert "ann" in clear.output
    assert "nobody's: notes.txt" in clear.output
    (folder / f"{NAME}.ipynb").write_bytes(b"{}")
    unclear = run("collect", "a1", folder, "--course", tmp_path / "course")
    assert unclear.exit_code == 1
    assert f"students to be named: {NAME}" in unclear.output
    assert (tmp_path / "course" / "collected" / "ann" / "a1" / f"{NAME}.ipynb").read_bytes() == b"{}"
    assert not (tmp_path / "course" / "submitted").exists()  # where formgrader would offer to run it unboxed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("collect", "a1", "nowhere"), "submissions must be a folder or a zip"),
        (("collect", "a7", "nowhere"), "assignment must be one of"),
        (("grade", "a1"), "a1 must be collected before it is graded"),
        (("regrade", "a1"), "a1 must be graded before it is graded again"),
        (("report", "a1"), "a1 must be graded before there is a report"),
        (("export", "a1"), "export must be given --canvas FILE, --moodle FILE or --gradescope"),
        (("export", "a1", "--gradescope"), "a1 must be graded before"),
        (("similarity", "a1"), "a1 must be collected"),
        (("gradescope", "a7", "--to", "."), "assignment must be one of"),
    ],
)
def test_what_is_not_in_order_is_one_line(run, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    course = () if words[0] == "gradescope" else ("--course", tmp_path / "course")
    done = run(*words, *course)
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output
    assert len(done.output.strip().splitlines()) == 1
