"""The checks are checked: every planted bug must be refused, with its own hint."""

import pytest

from cs231n_lib.check import check, exercises
from tests.mutants import Bug, bugs

REFUSED = [bug for bug in bugs() if bug.symptom]


@pytest.mark.parametrize("bug", REFUSED, ids=lambda bug: f"{bug.exercise_id}:{bug.name}")
def test_planted_bug_is_refused_with_its_hint(bug: Bug):
    result = check(bug.exercise_id, bug.answer)
    assert result.status == "wrong"
    assert result.symptom == bug.symptom
    assert result.points == 0.0


def test_every_exercise_has_three_planted_bugs():
    counts = {name: sum(bug.exercise_id == name for bug in bugs()) for name in exercises()}
    assert min(counts.values()) >= 3, counts
