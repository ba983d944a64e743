"""Questions whose numbers are each student's own: drawn from a name, shown, and judged.

Two neighbours get the same question with different numbers, so an answer that is copied is wrong. What is right is
computed here from the drawn numbers, by counting or simulation, and never stands anywhere as a number.
"""

import functools
import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn, TypeVar

import numpy as np

from .report import CheckFailed, NotAnswered, Report
from .spec import Exercise, find, register
from .subject import Subject

LONGEST_NAME = 100  # characters
Option = TypeVar("Option")
Numbers = dict[str, Any]


class Draw:
    """Choices that follow from a student's name and a question's id alone.

    They come from SHA-256 and not from NumPy's generators, whose streams may change from one version to the next:
    student and grader must see the same numbers.
    """

    def __init__(self, student: str, question_id: str) -> None:
        self._root, self._count = f"{student}\n{question_id}", 0

    def one_of(self, options: Sequence[Option]) -> Option:
        """Return one of the options, each as likely as any other."""
        digest = hashlib.sha256(f"{self._root}\n{self._count}".encode()).digest()
        self._count += 1
        return options[int.from_bytes(digest[:8], "big") % len(options)]


@dataclass(frozen=True)
class Slip:
    """A likely mistake: what it makes of one of the numbers that are asked for.

    key : which number;  name : short and stable;  value : what the mistake gives;  hint : names it and the way out
    """

    key: str
    name: str
    value: float
    hint: str


@dataclass(frozen=True)
class Drawn:
    """What is drawn, and what is right.

    text : the question in Markdown, with {name} for each drawn number
    draw : returns the numbers of one student
    answer : returns {what is asked: the right value} for drawn numbers; an int must be met exactly
    slips : returns the likely mistakes for drawn numbers
    rtol : how far a float may be off, relative to the right value
    """

    id: str
    text: str
    draw: Callable[[Draw], Numbers]
    answer: Callable[[Numbers], dict[str, float]]
    slips: Callable[[Numbers], list[Slip]]
    rtol: float

    def numbers(self, student: str) -> Numbers:
        """The numbers of one student; those of the empty name are the common ones."""
        return self.draw(Draw(student, self.id))

    def examine(self, subject: Subject, rng: np.random.Generator, report: Report, *, student: Any = "") -> None:
        """Judge the dict of a student's answers; each number that is right earns its share of the points."""
        with report.stage("answered"):
            name = student.value() if isinstance(student, Subject) else student
            report.student = _checked_name(name, functools.partial(_refuse_name, report))
            got = self._answers(subject, report)
        with report.stage("the numbers of " + report.student if report.student else "the common numbers"):
            self._judge(got, report.student, report)

    def _answers(self, subject: Subject, report: Report) -> dict[str, float]:
        answer, keys = subject.value(), list(self.answer(self.numbers("")))
        if answer is ... or (isinstance(answer, dict) and any(value is ... for value in answer.values())):
            raise NotAnswered
        report.require(
            isinstance(answer, dict) and set(map(str, answer)) == set(keys),
            f"the answer must be a dict with the keys {', '.join(keys)}",
            hint="Keep the form of the cell and replace the dots.",
            symptom="keys",
        )
        for key in keys:
            value = answer[key]
            real = isinstance(value, Real | np.number) and not isinstance(value, bool | complex | np.complexfloating)
            report.require(
                real and math.isfinite(value), f"{key} must be a number, got {value!r:.40}", symptom="not-number"
            )
        return {key: float(answer[key]) for key in keys}

    def _right(self, got: float, want: float) -> bool:
        return got == want if isinstance(want, int) else abs(got - want) <= self.rtol * abs(want)

    def _judge(self, got: dict[str, float], student: str, report: Report) -> None:
        numbers = self.numbers(student)
        want, common = self.answer(numbers), self.answer(self.numbers(""))
        wrong = [key for key in want if not self._right(got[key], want[key])]
        if not wrong:
            return
        right = len(want) - len(wrong)
        if student and all(self._right(got[key], common[key]) for key in want):
            failure = CheckFailed(
                "these are the answers to the common numbers, and yours are others",
                f"Run the cell that shows the question again: with the name {student} other numbers stand there.",
                "common-numbers",
            )
        else:
            key = wrong[0]
            slip = next((s for s in self.slips(numbers) if s.key == key and self._right(got[key], s.value)), None)
            count = f" ({right} of {len(want)} are right)" if len(want) > 1 else ""
            failure = CheckFailed(
                f"{key} is not {got[key]:.10g}{count}", slip.hint if slip else "", slip.name if slip else "values"
            )
        if not right:
            raise failure
        report.partly(right / len(want), failure.message, hint=failure.hint, symptom=failure.symptom)


def drawn_question(
    question_id: str,
    *,
    points: float,
    title: str,
    text: str,
    answer: Callable[[Numbers], dict[str, float]],
    slips: Callable[[Numbers], list[Slip]],
    rtol: float = 5.1e-3,  # a value rounded to three digits is at most 5e-3 off
) -> Callable[[Callable[[Draw], Numbers]], Callable[[Draw], Numbers]]:
    """Register a question whose numbers the decorated function draws. See `Drawn` for the arguments."""

    def add(draw: Callable[[Draw], Numbers]) -> Callable[[Draw], Numbers]:
        drawn = Drawn(question_id, text.strip(), draw, answer, slips, rtol)
        # No other seed can ask more of a number than the visible check does: it earns all points.
        register(Exercise(question_id, points, title, drawn.examine, visible_share=1.0, drawn=drawn))
        return draw

    return add


def question(question_id: str, student: str) -> Numbers:
    """Return the numbers of a drawn question as a dict, to compute with. The empty name has the common numbers.

    Raises KeyError if there is no such exercise, ValueError if its numbers are not drawn or the name is no name.
    """

    def refuse(problem: str) -> NoReturn:
        raise ValueError(f"question: {problem}")

    return _drawn(question_id, refuse).numbers(_checked_name(student, refuse))


def show_question(question_id: str, student: str) -> None:
    """Show a question with the numbers of this student. Raises as `question` does."""

    def refuse(problem: str) -> NoReturn:
        raise ValueError(f"show_question: {problem}")

    drawn, name = _drawn(question_id, refuse), _checked_name(student, refuse)
    owner = f"the numbers of {name}" if name else "the common numbers: write your name into the cell `student = ...`"
    title = find(question_id).title.capitalize()
    text = f"**{title}**, {owner}.\n\n{drawn.text.format(**drawn.numbers(name))}"
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        if get_ipython() is not None:
            from IPython.display import Markdown, display

            display(Markdown(text))
            return
    print(text)


def _drawn(question_id: str, refuse: Callable[[str], NoReturn]) -> Drawn:
    drawn = find(question_id).drawn
    return drawn or refuse(f"id must be that of a question with drawn numbers, got {question_id!r}")


def _checked_name(name: Any, refuse: Callable[[str], NoReturn]) -> str:
    if not isinstance(name, str):
        refuse(f'student must be a name in quotes, such as "ada", got {type(name).__name__}')
    if len(name) > LONGEST_NAME or not name.isprintable():
        refuse(f"student must be one line of at most {LONGEST_NAME} characters, got {len(name)} characters")
    return name.strip()


def _refuse_name(report: Report, problem: str) -> NoReturn:
    report.fail(problem, hint="Mend the cell `student = ...` near the top.", symptom="student")
