"""The evening after the first: grading again only what must be, points by hand that stay, and what lateness costs."""

import json
from pathlib import Path

import pytest

from autograder.build import build_release
from autograder.course import Course, CourseError
from autograder.current import current_results
from autograder.demo import write_submissions
from autograder.evening import grade_folder, regrade
from autograder.late import LateDays, read_policy
from autograder.lineage import spec_digest
from autograder.regrade import Again
from autograder.report import write_reports
from autograder.sandbox import find_sandbox

NOTEBOOK = "N01_knn"
POLICY = """
[policy]
grace_minutes = 15
per_day = 0.1
cap = 0.5
[a1]
due = 2026-10-01T23:59:00+00:00
[a1.submitted]
"reference" = 2026-10-03T12:00:00+00:00
"half" = 2026-10-03T12:00:00+00:00
[a1.extensions]
"half" = 2026-10-04T00:00:00+00:00
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    try:
        find_sandbox()
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    root = tmp_path_factory.mktemp("evening")
    build_release("a1", root / "release")
    write_submissions(root / "release", root / "all")
    for student in ("reference", "half"):
        (root / "in" / student).mkdir(parents=True)
        (root / "all" / student / f"{NOTEBOOK}.ipynb").rename(root / "in" / student / f"{NOTEBOOK}.ipynb")
    graded = Course(root / "course")
    grade_folder(graded, "a1", root / "in", workers=2, only=(NOTEBOOK,))
    return graded


def standing(course, student):
    path = course.root / "standing" / "a1" / student / f"{NOTEBOOK}.json"
    return path, json.loads(path.read_text())


def scores(course, student):
    (result,) = [r for r in current_results(course, "a1") if r.student == student]
    return {row.question: row.score for row in result.rows}


def tamper(course, student, points, *, forget=()):
    """Pretend that an earlier engine gave other points, and that the specs in `forget` have changed since."""
    path, kept = standing(course, student)
    for verdict in kept["record"]["verdicts"]:
        verdict["points"] = points.get(verdict["grade_id"].removesuffix("-tests"), verdict["points"])
    for name in forget:
        kept["specs"][name] = "older"
    path.write_text(json.dumps(kept))


@pytest.mark.slow
def test_one_exercise_is_judged_and_the_rest_stands(course):
    right = scores(course, "reference")
    tamper(course, "reference", {"knn-no_loops": 0.5, "knn-one_loop": 1.25})
    before = set(course.records.glob("*.json"))
    regrade(course, "a1", Again(("knn-no_loops",), ("reference",)), workers=2)
    new = [json.loads(path.read_text()) for path in set(course.records.glob("*.json")) - before]
    judged = [[v["grade_id"] for v in record["verdicts"]] for record in new]
    assert judged == [["knn-no_loops-tests"]]
    assert scores(course, "reference") == {**right, "knn-one_loop": 1.25}
    tamper(course, "reference", {"knn-one_loop": right["knn-one_loop"]})
    regrade(course, "a1", Again(students=("reference",)), workers=2)
    assert scores(course, "reference") == right


@pytest.mark.slow
def test_a_changed_spec_touches_its_own_exercise_and_nothing_else(course):
    right = scores(course, "half")
    assert regrade(course, "a1", Again(), workers=2) == []
    tamper(course, "half", {"knn-no_loops": 0.0, "knn-one_loop": 0.25}, forget=["knn-no_loops"])
    regrade(course, "a1", Again(), workers=2)
    assert scores(course, "half") == {**right, "knn-one_loop": 0.25}
    assert regrade(course, "a1", Again(), workers=2) == []
    tamper(course, "half", {"knn-one_loop": right["knn-one_loop"]}, forget=["knn-one_loop"])
    changes = regrade(course, "a1", Again(), workers=2)
    assert changes == [("half", "knn-one_loop", 0.25, right["knn-one_loop"])]
    assert scores(course, "half") == right


@pytest.mark.slow
def test_points_by_hand_survive_and_need_no_second_look(course):
    from nbgrader.api import Gradebook

    with Gradebook(course.database) as book:
        for cell, points in (("knn-q1", 2.5), ("knn-one_loop-tests", 1.0)):
            grade = book.find_grade(cell, NOTEBOOK, "a1", "reference")
            grade.manual_score, grade.needs_manual_grade = points, False
        book.find_comment("knn-q1", NOTEBOOK, "a1", "reference").manual_comment = "well put"
        book.db.commit()
    regrade(course, "a1", Again(students=("reference",)), workers=2)
    with Gradebook(course.database) as book:
        grade = book.find_grade("knn-q1", NOTEBOOK, "a1", "reference")
        assert (grade.manual_score, grade.needs_manual_grade, grade.score) == (2.5, False, 2.5)
        assert book.find_comment("knn-q1", NOTEBOOK, "a1", "reference").comment == "well put"
        assert not book.find_grade("knn-one_loop-tests", NOTEBOOK, "a1", "reference").needs_manual_grade
    assert scores(course, "reference")["knn-q1"] == 2.5
    assert scores(course, "reference")["knn-one_loop"] == 1.0


@pytest.mark.slow
def test_lateness_follows_the_points_and_an_extension_lifts_it(course):
    from nbgrader.api import Gradebook

    def give(points):
        with Gradebook(course.database) as book:
            book.find_grade("knn-q1", NOTEBOOK, "a1", "reference").manual_score = points
            book.db.commit()

    give(2.5)
    (course.root / "late.toml").write_text(POLICY)
    results = {r.student: r for r in current_results(course, "a1")}
    late = results["reference"]
    assert late.penalty == pytest.approx(0.2 * late.score)  # a day and a half: two days begun
    assert late.days_late == pytest.approx(1.5007, abs=1e-3)
    assert late.total == pytest.approx(0.8 * late.score)
    assert "late" in {flag for _, flag, _ in late.flags}
    assert results["half"].penalty == 0.0
    with Gradebook(course.database) as book:
        submission = book.find_submission("a1", "reference")
        assert submission.late_submission_penalty == pytest.approx(late.penalty)
    give(0.5)
    (again,) = [r for r in current_results(course, "a1") if r.student == "reference"]
    assert again.score == late.score - 2.0
    assert again.penalty == pytest.approx(0.2 * again.score)
    table = Path(write_reports(course, "a1")["scores.csv"]).read_text()
    assert f'"reference","{again.total:g}"' in table
    (course.root / "late.toml").write_text(POLICY.replace("[a1.sub", '[a1.penalties]\n"reference" = 0.0\n[a1.sub'))
    (waived,) = [r for r in current_results(course, "a1") if r.student == "reference"]
    assert waived.penalty == 0.0
    (course.root / "late.toml").unlink()


@pytest.mark.slow
def test_what_cannot_be_regraded_is_one_line(course):
    with pytest.raises(CourseError, match=r"exercise must be one of .*knn-no_loops.*, got 'knn-x'"):
        regrade(course, "a1", Again(("knn-x",)), workers=1)
    with pytest.raises(CourseError, match="student must be one who handed in a1, got 'zed'"):
        regrade(course, "a1", Again(students=("zed",)), workers=1)
    with pytest.raises(CourseError, match="a2 must be graded before"):
        regrade(course, "a2", Again(), workers=1)


def test_days_begun_grace_and_cap():
    plugin = LateDays(grace_minutes=15.0, per_day=0.1, cap=0.5, shares={"ann": 0.05})
    share = {minutes: plugin.share("bob", 60.0 * minutes) for minutes in (0, 15, 16, 1440, 1441, 100_000)}
    assert share == {0: 0.0, 15: 0.0, 16: 0.1, 1440: 0.1, 1441: 0.2, 100_000: 0.5}
    assert plugin.late_submission_penalty("bob", 40.0, 86_401.0) == pytest.approx(8.0)
    assert plugin.late_submission_penalty("ann", 40.0, 0.0) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[policy]\nper_day = 2", "policy.per_day must be a share from 0 to 1, got 2"),
        ("[policy]\nperday = 0.1", "a key of \\[policy\\] must be one of .*, got 'perday'"),
        ("[a1]\ndue = 2026-10-01", "a1.due must be a time with its zone"),
        ("[a1]\ndue = 2026-10-01T10:00:00", "a1.due must be a time with its zone"),
        ("policy = 3", "policy must be a table, got 3"),
        ("[", "late.toml must be TOML"),
    ],
)
def test_a_mistake_in_the_policy_is_one_line(tmp_path, text, message):
    (tmp_path / "late.toml").write_text(text)
    with pytest.raises(CourseError, match=message):
        read_policy(Course(tmp_path), "a1")


def test_a_spec_is_traced_to_its_own_module_and_not_to_other_notebooks(monkeypatch):
    from autograder import lineage

    knn = lineage._closure("cs231n_lib.check.n01_distances")
    assert "cs231n_lib.check.report" in knn
    assert not [name for name in knn if ".n02" in name or ".n05" in name]
    same = spec_digest("knn-no_loops", "cell")
    assert spec_digest("knn-no_loops", "cell") == same
    assert spec_digest("knn-no_loops", "another cell") != same
