"""From source to grade: the release, four students, odd files beside them, and stock nbgrader as the yardstick."""

import copy
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder.build import build_release, find_leaks, secret_lines
from autograder.course import REPOSITORY, Course, CourseError, nbgrader_config, source_files
from autograder.demo import NOTEBOOKS, write_submission, write_submissions
from autograder.evening import grade_folder
from autograder.release import student_zip
from autograder.sandbox import find_sandbox
from autograder.source import read_source, solutions

HONEST = ("half", "reference", "wrong")
WRITTEN = {"knn-q1"}  # graded by hand


def assignments():
    return [p.name for p in sorted((REPOSITORY / "assignments" / "source").iterdir()) if any(p.glob("N*.py"))]


@pytest.mark.parametrize("assignment", assignments())
def test_the_committed_release_is_what_the_sources_build(assignment, tmp_path):
    built = build_release(assignment, tmp_path / assignment)
    committed = sorted((REPOSITORY / "assignments" / "release" / assignment).glob("*"))
    assert [p.name for p in built] == [p.name for p in committed]
    for new, old in zip(built, committed, strict=True):
        assert new.read_bytes() == old.read_bytes(), f"{old.name} is stale: run `cs231n build`"


@pytest.mark.parametrize("assignment", assignments())
def test_no_line_of_a_solution_or_hidden_test_is_given_out(assignment, tmp_path):
    assert len(secret_lines(assignment)) > 20
    path = student_zip(assignment, tmp_path / "zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "out")
        names = archive.namelist()
    for other in assignments():
        assert find_leaks(other, [tmp_path / "out"]) == []
    assert not [name for name in names if "autograder" in name or "/source/" in name or "/tests/" in name]
    text = "".join(p.read_text() for p in (tmp_path / "out").rglob("*.ipynb"))
    assert "BEGIN SOLUTION" not in text
    assert "BEGIN HIDDEN TESTS" not in text
    assert student_zip(assignment, tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_leak_is_found(tmp_path):
    line = next(iter(secret_lines("a1")))
    (tmp_path / "notes.md").write_text(f"before\n    {line}  \nafter")
    assert len(find_leaks("a1", [tmp_path])) == 1


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The demo's four students, an untouched release, and three files that cannot be honest work, all graded."""
    try:
        find_sandbox()
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    root = tmp_path_factory.mktemp("course")
    release = root / "students"
    build_release("a1", release)
    folder = root / "submissions"
    write_submissions(release, folder)
    for path in [release / f"{name}.ipynb" for name in NOTEBOOKS]:
        _hand_in(folder / "untouched" / path.name, path.read_bytes())
        _hand_in(folder / "empty" / path.name, b"")
        _hand_in(folder / "not-json" / path.name, b"<html>404</html>")
        nb = nbformat.read(folder / "reference" / path.name, as_version=4)
        at = next(i for i, c in enumerate(nb.cells) if c.metadata.get("nbgrader", {}).get("grade"))
        nb.cells.insert(at, copy.deepcopy(nb.cells[at]))
        _hand_in(folder / "duplicated" / path.name, json.dumps(nb).encode())
    (folder / "absent").mkdir()
    graded = Course(root / "ours")
    evening = grade_folder(graded, "a1", folder, workers=2, only=NOTEBOOKS)
    return graded, folder, {result.student: result for result in evening.results}, evening


def _hand_in(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


@pytest.mark.slow
def test_every_submission_yields_a_result(course):
    _, folder, results, _ = course
    assert set(results) == {p.name for p in folder.iterdir()}


@pytest.mark.slow
def test_the_reference_has_full_marks_and_the_untouched_release_has_none(course):
    _, _, results, _ = course
    for row in results["reference"].rows:
        assert row.question in WRITTEN or (row.score == row.max_score and row.status == "ok"), row
    assert all(row.score == 0.0 for row in results["untouched"].rows)
    assert {row.status for row in results["untouched"].rows} <= {"unanswered"}


@pytest.mark.slow
@pytest.mark.parametrize("assignment", assignments())
def test_a_whole_assignment_gives_full_marks_to_the_reference_and_none_to_the_release(assignment, tmp_path):
    try:
        find_sandbox()
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    release, folder = tmp_path / "students", tmp_path / "submissions"
    build_release(assignment, release)
    for source in source_files(assignment):
        path = release / f"{source.stem}.ipynb"
        write_submission(path, solutions(read_source(source)), folder / "reference")
        _hand_in(folder / "untouched" / path.name, path.read_bytes())
    evening = grade_folder(Course(tmp_path / "course"), assignment, folder, workers=2)
    results = {result.student: result for result in evening.results}
    for row in results["reference"].rows:
        assert row.status == "needs_person" or (row.score == row.max_score and row.status == "ok"), row
    for row in results["untouched"].rows:
        assert (row.score, row.status) == (0.0, "unanswered"), row


@pytest.mark.slow
def test_odd_files_get_a_named_result(course):
    _, _, results, _ = course
    assert {row.status for row in results["empty"].rows} == {"unreadable"}
    assert ("empty_file") in {flag for _, flag, _ in results["empty"].flags}
    assert "wrong_format" in {flag for _, flag, _ in results["not-json"].flags}
    assert "missing_file" in {flag for _, flag, _ in results["absent"].flags}
    assert "duplicate_cell" in {flag for _, flag, _ in results["duplicated"].flags}
    assert results["duplicated"].score == results["reference"].score


@pytest.mark.slow
def test_a_crash_costs_only_its_own_question(course):
    _, _, results, _ = course
    reference = {row.question: row.score for row in results["reference"].rows}
    lost = [row for row in results["crashing"].rows if row.score != reference[row.question]]
    assert lost
    assert {row.status for row in lost} <= {"limit", "student_error"}
    assert len(lost) < len(reference) / 2


@pytest.mark.slow
def test_wrong_answers_get_a_hint_each(course):
    _, _, results, _ = course
    wrong = [row for row in results["wrong"].rows if row.status == "wrong"]
    assert len(wrong) >= 3
    assert all(row.message for row in wrong)
    assert sum(bool(row.hint) for row in wrong) >= 3


@pytest.mark.slow
def test_scores_equal_stock_nbgrader_cell_by_cell(course, tmp_path):
    _, folder, results, _ = course
    stock = Course(tmp_path)
    script = f"""
import os
from pathlib import Path
from autograder.course import Course, nbgrader_config
from autograder.grading import prepare
course = Course(Path({str(tmp_path)!r}))
prepare(course, "a1", {NOTEBOOKS!r})
config = nbgrader_config(course)
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
import shutil
for student in {HONEST!r}:
    shutil.copytree(Path({str(folder)!r}, student), course.root / "submitted" / student / "a1")
    outcome = NbGraderAPI(CourseDirectory(config=config), config=config).autograde("a1", student)
    assert outcome["success"], outcome
"""
    environment = {**os.environ, "CS231N_DATASET": "shapes10", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    compared = 0
    for student in HONEST:
        theirs = _scores(stock, student)
        for row in results[student].rows:
            cell = row.question if row.question in WRITTEN else f"{row.question}-tests"
            assert theirs[cell] == row.score, (student, cell)
            compared += 1
    assert compared >= 3 * 15


def _scores(course: Course, student: str) -> dict[str, float | None]:
    nbgrader_config(course)
    from nbgrader.api import Gradebook

    with Gradebook(course.database) as book:
        submission = book.find_submission("a1", student)
        return {grade.name: grade.auto_score for nb in submission.notebooks for grade in nb.grades}


@pytest.mark.slow
def test_the_gradebook_has_what_we_say(course):
    graded, _, results, _ = course
    for student in ("reference", "half", "crashing", "empty"):
        ours = {r.question if r.question in WRITTEN else f"{r.question}-tests": r.score for r in results[student].rows}
        assert _scores(graded, student) == ours


@pytest.mark.slow
def test_feedback_shows_no_hidden_test_and_runs_nothing(course):
    graded, _, results, _ = course
    secrets = [line for line, where in secret_lines("a1").items()]
    pages = {p: p.read_text() for p in (graded.root / "feedback").rglob("*.html")}
    assert len(pages) == len(results) * len(NOTEBOOKS)
    for path, text in pages.items():
        assert not re.search(r"<script|<iframe|javascript:|src=\"http|href=\"http", text), path
        assert "BEGIN HIDDEN" not in text
        assert not re.search(r"\b\w*edge_cases\b", text)
    untouched = next(text for p, text in pages.items() if "untouched" in p.parts)
    assert not [line for line in secrets if line in untouched]


@pytest.mark.slow
def test_grading_again_reuses_the_records_and_ends_the_same(course):
    graded, folder, _, _ = course
    before = {name: (graded.reports / "a1" / name).read_bytes() for name in ("scores.csv", "questions.csv")}
    records = {p.name: p.stat().st_mtime_ns for p in graded.records.glob("*.json")}
    grade_folder(graded, "a1", folder, workers=2, only=NOTEBOOKS)
    assert {p.name: p.stat().st_mtime_ns for p in graded.records.glob("*.json")} == records
    assert before == {name: (graded.reports / "a1" / name).read_bytes() for name in before}


@pytest.mark.slow
def test_a_manual_score_from_formgrader_reaches_the_report(course):
    graded, _, _, _ = course
    from nbgrader.api import Gradebook

    from autograder.report import write_reports

    with Gradebook(graded.database) as book:
        grade = book.find_grade("knn-q1", "N01_knn", "a1", "reference")
        grade.manual_score, grade.needs_manual_grade = 2.0, False
        book.db.commit()
    text = Path(write_reports(graded, "a1")["questions.csv"]).read_text()
    assert '"reference","N01_knn","knn-q1","2","3","partly"' in text
