"""The other side of the mutants: right answers pass, the usual and the unusual; stubs are told from mistakes."""

import re
from typing import Any

import numpy as np
import pytest

from cs231n_lib.check import exercises
from cs231n_lib.check.harness import SEED_VARIABLE
from tests.alternates import alternates
from tests.cells import NOTEBOOKS, cells, exercise_ids, grade, graded_name, namespace

EXERCISES = exercise_ids()
POINTS = {"N00": 10, "N01": 40, "N02": 45, "N03": 30, "N04": 30, "N05": 30, "N06": 35, "N07": 35, "N08": 15, "N09": 40}
POINTS |= {"N10": 40, "N11": 30, "N12": 20}  # 400 in all


def stub(cell: Any) -> str:
    """Return the cell's code as the release shows it: inside a function the gap raises, elsewhere it is empty."""

    def gap(found: re.Match) -> str:
        return f"{found[1]}raise NotImplementedError()\n" if found[1] else "\n"

    return re.sub(r"^([ ]*)### BEGIN SOLUTION.*?### END SOLUTION\n?", gap, cell.text + "\n", flags=re.S | re.M)


@pytest.mark.parametrize("seed", ["231", "7", "4096"])
@pytest.mark.parametrize(("notebook", "exercise_id"), EXERCISES)
def test_reference_earns_all_points_with_hidden_tests(notebook, exercise_id, seed, monkeypatch):
    monkeypatch.setenv(SEED_VARIABLE, seed)
    answer = namespace(notebook, "setup", "solution")[graded_name(notebook, exercise_id)]
    result = grade(notebook, exercise_id, answer)
    assert (result.status, result.message) == ("passed", "")
    assert result.points == exercises()[exercise_id].points


@pytest.mark.parametrize(("notebook", "exercise_id"), EXERCISES)
def test_stub_is_not_called_a_mistake(notebook, exercise_id):
    answer = namespace(notebook, "setup", "solution", text=stub)[graded_name(notebook, exercise_id)]
    result = grade(notebook, exercise_id, answer)
    assert result.status == "todo"
    assert result.points == 0.0


def test_every_exercise_stands_in_a_notebook_with_the_points_of_its_spec():
    assert {exercise_id for _, exercise_id in EXERCISES} == set(exercises())
    for notebook in NOTEBOOKS:
        points = {cell.id: cell.points for cell in cells(notebook) if cell.role == "tests"}
        assert points == {name: exercises()[name].points for name in points}
        total = sum(cell.points for cell in cells(notebook))
        assert total == POINTS[notebook[3:6]]


@pytest.mark.parametrize(
    "nonsense", [None, "text", [], [[1], [1, 2]], {}, {"a": 1}, object(), np.zeros((0, 3)), 1j, print]
)
@pytest.mark.parametrize(("notebook", "exercise_id"), EXERCISES)
def test_nonsense_is_judged_and_never_breaks_the_judge(notebook, exercise_id, nonsense):
    for answer in (nonsense, lambda *arguments: nonsense):
        assert grade(notebook, exercise_id, answer).points == 0.0


@pytest.mark.parametrize(("exercise_id", "answer"), alternates(), ids=lambda value: getattr(value, "__name__", value))
def test_unusual_right_answer_earns_all_points(exercise_id, answer):
    notebook = next(notebook for notebook, name in EXERCISES if name == exercise_id)
    result = grade(notebook, exercise_id, answer)
    assert (result.status, result.message) == ("passed", "")
    assert result.points == exercises()[exercise_id].points
