"""Checks that answer within seconds and say what is wrong: `check("knn-no_loops", compute_distances_no_loops)`."""

from .drawn import question, show_question
from .harness import Result, check, ready
from .report import CheckFailed, NotAnswered, Report, Symptom, looks_like
from .spec import Exercise, exercise, exercises
from .subject import LimitReached, StudentError, Subject

__all__ = [
    "CheckFailed",
    "Exercise",
    "LimitReached",
    "NotAnswered",
    "Report",
    "Result",
    "StudentError",
    "Subject",
    "Symptom",
    "check",
    "exercise",
    "exercises",
    "looks_like",
    "question",
    "ready",
    "show_question",
]
