"""Cases that are no single submission: many attempts of one student, groups, and faults of the machine."""

import hashlib
import hmac
import re

import pytest

from autograder.course import REPOSITORY
from autograder.judge import derive_seed
from autograder.scheduler import content_key

from .cases import CASES

# Case -> the test that plays it.
ELSEWHERE = {
    "READ13": "tests/adversarial/test_rest.py::test_a_changed_answer_meets_other_hidden_cases",
    "META9": "tests/autograder/test_layouts.py::test_gradescope_names_groups_and_times",
    "INF1": "tests/autograder/test_faults.py::test_a_run_killed_again_and_again_ends_as_an_undisturbed_one",
    "INF3": "tests/autograder/test_faults.py::test_a_full_disk_is_one_clear_error_and_the_rerun_completes",
    "INF5": "tests/autograder/test_regrade.py::test_a_changed_spec_touches_its_own_exercise_and_nothing_else",
    "INF7": "tests/adversarial/test_rest.py::test_no_limit_hangs_on_the_clock_of_the_day",
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
