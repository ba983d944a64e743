"""What must not happen to anybody: secrets outside, files written, neighbours lost, a run that hangs."""

import json
import sqlite3
from pathlib import Path

import pytest

from autograder.results import STATUSES

from .cases import CASES
from .conftest import small_course

HIDDEN = ("hidden_zebra", "hidden-zebra", "BEGIN HIDDEN", "seed=4403")


@pytest.mark.slow
def test_everybody_who_handed_in_has_one_result_with_a_reason(hostile_class):
    twice = {"CUT13"}  # and a friend
    assert len(hostile_class.results) == len(CASES) + len(twice)
    for result in hostile_class.results.values():
        assert len(result.rows) == 4
        for row in result.rows:
            assert row.status in STATUSES
            assert row.score == row.max_score or row.reason or row.status == "unreadable", (result.student, row)


@pytest.mark.slow
def test_no_hidden_test_is_in_a_page_or_in_what_a_box_showed(hostile_class):
    course = hostile_class.course
    secret = (course.root / "secret").read_text().strip()
    pages = {p.name: p.read_text() for p in (course.root / "feedback").rglob("*.html")}
    pages |= {p.name: json.dumps(json.loads(p.read_text())["shown"]) for p in course.records.glob("*.json")}
    for name, text in pages.items():
        assert not [word for word in (*HIDDEN, secret) if word in text], name


@pytest.mark.slow
def test_the_walls_hide_other_work_and_show_nothing_of_the_machine(hostile_class):
    records = [json.loads(p.read_text())["shown"] for p in hostile_class.course.records.glob("*.json")]
    printed = {cell["text"].strip() for shown in records for cell in shown.values()}
    assert {"leaked-by-read:", "leaked-by-list:", "nothing"} <= printed  # of read03, read05, read17
    assert not [text for text in printed if "hidden-found" in text or "found-a-neighbour" in text]


@pytest.mark.slow
def test_nothing_is_written_outside(hostile_class):
    left = ("/tmp/cs231n-pwned", "/tmp/leak.txt", "/dev/shm/.cache231", "/tmp/junk1", "/var/tmp/junk1", "/srv/junk1")
    assert not [path for path in left if Path(path).exists()]


@pytest.mark.slow
def test_a_page_of_the_hostile_holds_no_script_and_loads_nothing(hostile_class):
    for path in (hostile_class.course.root / "feedback").rglob("*.html"):
        text = path.read_text().lower()
        assert "<script>document" not in text, path
        assert "<svg onload" not in text, path
        assert 'src="http' not in text, path


@pytest.mark.slow
def test_the_gradebook_says_what_the_results_say_and_nothing_by_hand(hostile_class):
    with sqlite3.connect(hostile_class.course.root / "gradebook.db") as base:
        rows = dict(
            base.execute(
                "select s.student_id, sum(g.auto_score) from grade g join submitted_notebook n on n.id = g.notebook_id"
                " join submitted_assignment s on s.id = n.assignment_id group by s.student_id"
            )
        )
        assert base.execute("select count(*) from grade where manual_score is not null").fetchone() == (0,)
    assert rows == {student: result.score for student, result in hostile_class.results.items()}


@pytest.mark.slow
def test_the_csv_runs_no_formula(hostile_class):
    for path in (hostile_class.course.reports / "a1").glob("*.csv"):
        for line in path.read_text().splitlines():
            assert not [cell for cell in line.split('","') if cell.lstrip('"').startswith(("=", "@", "+"))], line


@pytest.mark.slow
def test_the_whole_class_took_minutes(hostile_class):
    # Measured 124 s with two workers on a machine with load 8; every loop and sleep in it would last for hours.
    assert hostile_class.wall < 900


@pytest.mark.slow
def test_a_second_run_reuses_every_verdict_and_ends_the_same(hostile_class, prepared):
    """INF1: what was judged is not judged again, and the exports are equal byte for byte."""
    from autograder.evening import grade_folder

    reports = hostile_class.course.reports / "a1"
    before = {p.name: p.read_bytes() for p in reports.glob("*.csv")}
    records = {p.name: p.stat().st_mtime_ns for p in hostile_class.course.records.glob("*.json")}
    with small_course(prepared[0]):
        grade_folder(hostile_class.course, "a1", hostile_class.folder, workers=2)
    assert {p.name: p.read_bytes() for p in reports.glob("*.csv")} == before
    after = {p.name: p.stat().st_mtime_ns for p in hostile_class.course.records.glob("*.json")}
    assert {name: after[name] for name in records} == records
