"""Rows and flags of one student: here, the names that drawn questions were answered for."""

from dataclasses import asdict

import pytest

from autograder.collect import Submission
from autograder.grading import Graded, Template
from autograder.judge import Verdict
from autograder.normalise import Answers
from autograder.results import MOST_OF_A_KIND, summarise
from autograder.source import to_notebook


def flags(name, *, status="passed", handed_in_by="ada", everyone=("ada", "bob")):
    verdict = asdict(Verdict("net-q2-tests", 1.0, 1.0, status, student=name))
    graded = Graded(Template("N04_two_layer_net", to_notebook([]), {}), Answers(), {"verdicts": [verdict]})
    result = summarise(Submission(handed_in_by, {}), [graded], everyone)
    assert result.score == 0.0  # a flag is for a person: it is no row and takes nothing away
    return [(flag, detail) for _, flag, detail in result.flags]


@pytest.mark.parametrize("name", ["ada", "Ada", None])
def test_the_own_name_is_no_news(name):
    assert flags(name) == []


def test_another_name_is_a_flag_that_says_which_questions():
    assert flags("bob") == [("name_of_another", "net-q2: answered with the numbers of bob, who handed in too")]
    assert flags("eve") == [("other_name", "net-q2: answered with the numbers of eve")]
    assert flags("") == [("no_name", "net-q2: the cell `student` is empty, so the common numbers were answered")]


def test_a_question_that_was_not_answered_is_no_news():
    assert flags("", status="todo") == []


def test_what_a_flag_says_can_be_written_anywhere_and_of_a_kind_there_are_few():
    said = tuple(("path_traversal", f"\ud800\x1b[2J {n} {'x' * 9999}") for n in range(500))
    found = summarise(Submission("eve", {}, said), []).flags
    assert len(found) == MOST_OF_A_KIND + 1
    assert found[-1] == ("", "path_traversal", f"and {500 - MOST_OF_A_KIND} more")
    for _, _, detail in found:
        assert "\x1b" not in detail
        assert len(detail.encode()) <= 1_000
