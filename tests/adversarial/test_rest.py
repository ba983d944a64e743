"""Cases that are no single submission: many attempts of one student, groups, and faults of the machine."""

import hashlib
import hmac
import re

import pytest

from autograder import regrade
from autograder.course import REPOSITORY, Course
from autograder.demo import write_submission
from autograder.evening import grade_folder
from autograder.judge import derive_seed
from autograder.scheduler import content_key

from .case import AFFINE, RIGHT, SOFTMAX, WRONG
from .cases import CASES
from .conftest import NOTEBOOK, SOURCE, small_course

# Case -> the test that plays it.
ELSEWHERE = {
    "READ13": "tests/adversarial/test_rest.py::test_many_attempts_are_a_flag_and_cost_nothing",
    "META9": "tests/autograder/test_layouts.py::test_a_student_in_two_groups_or_twice_in_one_is_flagged",
    "INF1": "tests/autograder/test_faults.py::test_a_run_killed_again_and_again_ends_as_an_undisturbed_one",
    "INF3": "tests/autograder/test_faults.py::test_a_full_disk_is_one_clear_error_and_the_rerun_completes",
    "INF5": "tests/autograder/test_regrade.py::test_a_changed_spec_touches_its_own_exercise_and_nothing_else",
    "INF7": "tests/adversarial/test_rest.py::test_no_limit_hangs_on_the_clock_of_the_day",
    "INF9": "tests/adversarial/test_rest.py::test_a_question_that_the_courses_own_answer_fails_costs_nobody_a_point",
    "INF11": "tests/autograder/test_cluster.py::test_a_killed_worker_loses_nothing",
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_the_test_of_a_case_is_there(case):
    path, name = ELSEWHERE[case].split("::")
    assert f"def {name}(" in (REPOSITORY / path).read_text()
    assert case not in CASES


def test_a_changed_answer_meets_other_hidden_cases():
    """One bit of a hidden case per attempt is worth nothing when each attempt meets other cases."""

    def seed(answer: str) -> int:
        cells = [{"role": "solution", "grade_id": "q", "source": answer, "points": 0.0}]
        return derive_seed(hmac.new(b"secret", content_key(cells).encode(), hashlib.sha256).hexdigest(), "q-tests")

    assert len({seed(f"x = {n}") for n in range(40)}) == 40
    assert seed("x = 1") == seed("x = 1")


def test_no_limit_hangs_on_the_clock_of_the_day():
    for name in ("box", "judge", "warm", "template", "scheduler", "grading"):
        text = (REPOSITORY / "autograder" / f"{name}.py").read_text()
        assert not re.search(r"\btime\.time\(|datetime\.now", text), name


@pytest.mark.slow
def test_a_question_that_the_courses_own_answer_fails_costs_nobody_a_point(prepared, tmp_path):
    _, release, answers = prepared
    broken = SOURCE.read_text().replace("return np.maximum(x, 0), x", "return np.minimum(x, 0), x")
    assert broken != SOURCE.read_text()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / f"{NOTEBOOK}.py").write_text(broken)
    relu = "def relu_forward(x):\n    return np.{}(x, 0), x\n"
    for student, word in (("right", "maximum"), ("wrong", "abs")):
        mine = {**answers, "net-relu_forward": relu.format(word).replace("abs(x, 0)", "abs(x)")}
        write_submission(release, mine | {AFFINE: WRONG}, tmp_path / "in" / student)
    with small_course(tmp_path):
        outcome = grade_folder(Course(tmp_path / "course"), "a1", tmp_path / "in", workers=2)
    rows = {result.student: {row.question: row for row in result.rows} for result in outcome.results}
    assert {student: row["net-relu_forward"].score for student, row in rows.items()} == {"right": 2.0, "wrong": None}
    assert rows["wrong"]["net-relu_forward"].status == "infra_error"
    assert "the course's own answer got 0 of 2" in rows["wrong"]["net-relu_forward"].message
    assert {row[SOFTMAX].score for row in rows.values()} == {5.0}  # the neighbours are judged as ever
    assert {row[AFFINE].score for row in rows.values()} == {0.0}
    assert "infra_error" in {name for result in outcome.results for _, name, _ in result.flags}


@pytest.mark.slow
def test_many_attempts_are_a_flag_and_cost_nothing(prepared, tmp_path, monkeypatch):
    """READ13: a score asked for bit by bit takes many attempts."""
    monkeypatch.setattr(regrade, "MANY_TRIES", 3)
    _, release, answers = prepared
    root, seen = prepared[0], []
    for attempt in range(3):
        mine = {**answers, AFFINE: RIGHT + f"# attempt {attempt}\n"}
        write_submission(release, mine, tmp_path / "in" / "ann")
        with small_course(root):
            (result,) = grade_folder(Course(tmp_path / "course"), "a1", tmp_path / "in", workers=1).results
        assert result.score == 8.0
        seen.append("oracle_pattern" in {name for _, name, _ in result.flags})
    assert seen == [False, False, True]
