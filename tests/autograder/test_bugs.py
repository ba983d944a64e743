"""The trial of the checks: generated bugs differ from the reference by one thing, and a surviving bug is reported."""

import ast
from types import SimpleNamespace

from autograder.bugs import Tally, _try_planted, mutants

SOURCE = "def f(x, n=2):\n    total = x.sum(axis=1) / n\n    return -total if n > 1 else total + 1"


def test_each_generated_bug_is_valid_code_and_differs_from_the_reference():
    found = dict(mutants(SOURCE))
    reference = ast.unparse(ast.parse(SOURCE))
    assert all(code != reference for code in found.values())
    assert len(set(found.values())) == len(found)
    for code in found.values():
        compile(code, "mutant", "exec")


def test_generated_bugs_cover_operators_axes_comparisons_signs_and_numbers():
    changes = " ".join(what for what, _ in mutants(SOURCE))
    for change in ("axis=1 -> axis=0", "/ n -> x.sum(axis=1) * n", "n > 1 -> n >= 1", "-total -> +total", "1 -> 2"):
        assert change in changes, change


def test_survivors_and_missing_hints_are_named():
    tally = Tally("N00_start_here")
    right = SimpleNamespace(exercise_id="start-row_means", name="right", symptom="x", points=0.0)
    right.answer = lambda images: images.mean(axis=1, keepdims=True)
    _try_planted(tally, right)
    assert tally.survivors == ["start-row_means: right"]
    wrong = SimpleNamespace(exercise_id="start-row_means", name="wrong", symptom="no-such-hint", points=0.0)
    wrong.answer = lambda images: images.mean(axis=0, keepdims=True)
    _try_planted(tally, wrong)
    assert (tally.planted, tally.killed, tally.hinted) == (2, 1, 0)
    assert tally.mute[0].startswith("start-row_means: wrong: wanted no-such-hint, got ")
