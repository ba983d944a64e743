"""The checks are checked: every planted bug must be refused, with its own hint."""

import pytest

from cs231n_lib.check import check, exercises
from tests.cells import exercise_ids, grade
from tests.mutants import Bug, bugs

NOTEBOOK_OF = {exercise_id: notebook for notebook, exercise_id in exercise_ids()}
REFUSED = [bug for bug in bugs() if bug.symptom]
MARKED_DOWN = [bug for bug in bugs() if not bug.symptom]  # questions whose key only the hidden tests know


def name(bug: Bug) -> str:
    return f"{bug.exercise_id}: {bug.name}"


@pytest.mark.parametrize("bug", REFUSED, ids=name)
def test_planted_bug_is_refused_with_its_hint(bug: Bug):
    result = check(bug.exercise_id, bug.answer)
    assert result.status == ("passed" if bug.points else "wrong")  # of several drawn numbers some may be right
    assert result.symptom == bug.symptom
    assert result.points == pytest.approx(bug.points, abs=1e-3)


@pytest.mark.parametrize("bug", MARKED_DOWN, ids=name)
def test_wrong_letters_earn_what_is_left_of_the_right_ones(bug: Bug):
    assert check(bug.exercise_id, bug.answer).status == "passed"
    assert grade(NOTEBOOK_OF[bug.exercise_id], bug.exercise_id, bug.answer).points == pytest.approx(
        bug.points, abs=1e-3
    )


def test_every_exercise_has_three_planted_bugs():
    counts = {name: sum(bug.exercise_id == name for bug in bugs()) for name in exercises()}
    assert min(counts.values()) >= 3, counts
