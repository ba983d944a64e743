"""What stands now for every student: the kept results, with points by hand and lateness from nbgrader's gradebook."""

from dataclasses import replace

from .byhand import manual_scores, with_manual_scores
from .course import Course, CourseError
from .late import Lateness, apply_policy
from .results import StudentResult, load


def current_results(course: Course, assignment: str) -> list[StudentResult]:
    """Return every student's result as it stands. Raises CourseError if nothing was graded yet."""
    results = load(course, assignment)
    if not results or not (course.root / "gradebook.db").is_file():
        raise CourseError(
            f"{assignment} must be graded before there is a report; run: cs231n grade {assignment} FOLDER"
        )
    lateness = apply_policy(course, assignment)
    manual = manual_scores(course, assignment)
    return [
        _late(with_manual_scores(result, manual.get(result.student, {})), lateness.get(result.student))
        for result in results
    ]


def _late(result: StudentResult, late: Lateness | None) -> StudentResult:
    if late is None:
        return result
    flags = list(result.flags)
    if late.days > 0:
        flags.append(("", "late", f"{late.days:.2f} days late; {late.penalty:g} points taken off"))
    if not late.known:
        flags.append(("", "time_unknown", "nothing says when this was handed in; see [submitted] in late.toml"))
    return replace(result, flags=flags, penalty=late.penalty, days_late=round(late.days, 4))
