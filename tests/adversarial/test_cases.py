"""Every case: the points of the attacked question and of its neighbour, and the mark that a person must see."""

import pytest

from .case import AFFINE, SOFTMAX
from .cases import CASES


def result_of(graded, name):
    """The result of a case's student; a name that had to be changed still ends in the student's."""
    found = [
        r for student, r in graded.results.items() if student == name.lower() or student.endswith(" " + name.lower())
    ]
    assert len(found) == 1, f"{name} was graded {len(found)} times, not once"
    return found[0]


def marks(result):
    """Everything that a person is shown: flags, and how each question ended in one word."""
    return {name for _, name, _ in result.flags} | {row.reason for row in result.rows if row.reason}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_points_and_neighbour(hostile_class, name):
    case, result = CASES[name], result_of(hostile_class, name)
    points = {row.question: row.score for row in result.rows}
    wanted = {AFFINE: case.q1, SOFTMAX: case.q2, **dict(case.extra)}
    got = {question: points[question] for question in wanted}
    assert got == wanted, "\n".join(f"{row.question} {row.score} {row.status} {row.message}" for row in result.rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_mark(hostile_class, name):
    case, result = CASES[name], result_of(hostile_class, name)
    details = [*result.flags, *((row.question, row.status, row.message) for row in result.rows)]
    if case.mark:
        assert case.mark in marks(result), details
    else:
        assert marks(result) <= {"unanswered"}, details
