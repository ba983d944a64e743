"""Questions with drawn numbers: everyone's own, the same for ever, right for any student, and refused when copied."""

import re

import numpy as np
import pytest

from cs231n_lib.check import check, exercises, question, show_question
from cs231n_lib.check.drawn import Draw
from tests.cells import cells, exercise_ids, grade, graded_name
from tests.mutants import bugs

DRAWN = [name for name, exercise in exercises().items() if exercise.drawn]
NOTEBOOK_OF = {name: notebook for notebook, name in exercise_ids()}
STUDENTS = [f"student{k}" for k in range(20)]
SLIPS = [bug for bug in bugs() if bug.change]


def reference(name, student):
    """Run the reference's answer to one question for a student."""
    wanted = (("setup", "setup"), ("solution", name))
    names = {"student": student}
    for cell in cells(NOTEBOOK_OF[name]):
        if cell.role == "setup" or (cell.role, cell.id) in wanted:
            exec(compile(cell.text, cell.id, "exec"), names)
    return names[graded_name(NOTEBOOK_OF[name], name)]


def test_every_notebook_from_n02_to_n10_has_one():
    assert [NOTEBOOK_OF[name][3:6] for name in sorted(DRAWN, key=NOTEBOOK_OF.get)] == [f"N{k:02}" for k in range(2, 11)]


@pytest.mark.parametrize("name", DRAWN)
def test_the_reference_is_right_for_any_student(name):
    for student in ("", "ada", "Grace Hopper", "日本", *STUDENTS[:5]):
        result = grade(NOTEBOOK_OF[name], name, reference(name, student), student=student)
        assert (result.ok, result.message, result.student) == (True, "", student)
        assert result.points == exercises()[name].points


@pytest.mark.parametrize("name", DRAWN)
def test_an_answer_that_is_copied_is_wrong(name):
    drawn = exercises()[name].drawn
    answers = [drawn.answer(drawn.numbers(student)) for student in STUDENTS]
    pairs = [(i, j) for i in range(len(answers)) for j in range(i)]
    alike = sum(check(name, answers[i], student=STUDENTS[j]).ok for i, j in pairs)
    assert alike <= 0.02 * len(pairs)


@pytest.mark.parametrize("name", DRAWN)
def test_the_common_answers_are_named_when_they_are_not_the_students(name):
    result = check(name, reference(name, ""), student="ada")
    assert not result.ok
    assert result.symptom == "common-numbers"
    assert "ada" in result.hint


@pytest.mark.parametrize("bug", SLIPS, ids=lambda bug: f"{bug.exercise_id}: {bug.name}")
def test_a_slip_gets_its_hint_for_nearly_every_student(bug):
    drawn = exercises()[bug.exercise_id].drawn
    found = 0
    for student in STUDENTS:
        numbers = drawn.numbers(student)
        result = check(bug.exercise_id, drawn.answer(numbers) | bug.change(numbers), student=student)
        found += not result.ok and result.symptom == bug.symptom.replace("_", "-")
    assert found >= 0.9 * len(STUDENTS)  # two mistakes can come to the same number, and a wrong way to the right one


@pytest.mark.parametrize("name", DRAWN)
def test_a_wrong_answer_never_shows_the_right_one(name, capsys):
    drawn = exercises()[name].drawn
    numbers = drawn.numbers("ada")
    want = drawn.answer(numbers)
    for key, value in want.items():
        result = check(name, want | {key: value + 1}, student="ada")
        assert not result.ok
        shown = f"{value:.10g}"
        if len(shown) > 2:  # a small count may stand there for another reason, as in "1 of 2 are right"
            assert re.search(rf"(?<![\d.]){re.escape(shown)}(?![\d.])", f"{result.message} {result.hint}") is None
    assert key in capsys.readouterr().out


@pytest.mark.parametrize("name", DRAWN)
def test_the_question_shows_every_number_that_the_answer_needs(name, capsys):
    show_question(name, "ada")
    text = capsys.readouterr().out
    assert "the numbers of ada" in text
    assert "{" not in text
    for value in question(name, "ada").values():
        for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]:
            assert str(part) in text
    show_question(name, " ada ")
    assert capsys.readouterr().out == text
    show_question(name, "")
    assert "common numbers" in capsys.readouterr().out


def test_three_digits_and_any_kind_of_number_will_do():
    want = exercises()["norm-q5"].drawn.answer(question("norm-q5", "ada"))
    for kind in (lambda v: float(f"{v:.3g}"), np.float32, np.float64):
        assert check("norm-q5", {key: kind(value) for key, value in want.items()}, student="ada").ok
    sizes = exercises()["conv-q1"].drawn.answer(question("conv-q1", "ada"))
    assert check("conv-q1", {key: np.int32(value) for key, value in sizes.items()}, student="ada").ok
    off = sizes | {"multiply_adds": sizes["multiply_adds"] + 1}  # a count is exact however large it is
    assert check("conv-q1", off, student="ada").points == pytest.approx(0.4)


def test_numbers_stay_as_they_are_for_ever():
    """Worked out with sha256sum: printf 'ada\\nquiz\\n0' | sha256sum, its first 16 digits modulo 1000; then 1."""
    draw = Draw("ada", "quiz")
    assert [draw.one_of(range(1000)) for _ in range(2)] == [512, 765]


def test_a_name_that_is_no_name_gets_one_clear_line():
    answer = reference("net-q2", "")
    for wrong in (7, None, ["ada"], "a" * 101, "a\nb"):
        if wrong is not None:
            result = check("net-q2", answer, student=wrong)
            assert (result.status, result.symptom, result.points) == ("wrong", "student", 0.0)
            assert result.message.startswith("student must be")
        with pytest.raises(ValueError, match=r"^question: student must be"):
            question("net-q2", wrong)
    with pytest.raises(ValueError, match=r"^check: student must be left out for 'knn-q2'"):
        check("knn-q2", {"A"}, student="ada")
    with pytest.raises(ValueError, match=r"^show_question: id must be that of a question with drawn numbers"):
        show_question("knn-q2", "ada")
    with pytest.raises(KeyError, match="did you mean net-q2"):
        question("net-q22", "ada")
