"""What lateness costs: a policy in the course folder's late.toml, through nbgrader's own late plugin.

[policy]
grace_minutes = 15          # this late is not late
per_day = 0.10              # share of the points taken off for each day begun, counted from the due date
cap = 0.50                  # never more than this share

[a1]
due = 2026-10-01T23:59:00-07:00
[a1.extensions]             # a later due date for one student
"ann" = 2026-10-04T23:59:00-07:00
[a1.submitted]              # when somebody handed in, where the download does not say
"bob" = 2026-10-02T08:00:00-07:00
[a1.penalties]              # the share for one student, whatever the clock says
"cem" = 0.0
"""

import datetime
import math
import tomllib
from dataclasses import dataclass, field
from typing import Any

from nbgrader.plugins import BasePlugin
from traitlets import Dict, Float

from .collected import handed_in, moment
from .course import Course, CourseError

FILE = "late.toml"
DAY = 86_400.0


class LateDays(BasePlugin):
    """nbgrader's late plugin of this course: a share of the points per day begun, with grace and a cap."""

    grace_minutes = Float(0.0, help="how late is not late yet").tag(config=True)
    per_day = Float(0.0, help="share of the points taken off for each day begun").tag(config=True)
    cap = Float(1.0, help="the largest share taken off").tag(config=True)
    shares = Dict(help="{student: share taken off}, whatever the clock says").tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """Return the points to take off a notebook.

        score : points of the notebook; total_seconds_late : after any extension
        """
        return round(score * self.share(student_id, total_seconds_late), 4)

    def share(self, student_id: str, total_seconds_late: float) -> float:
        """Return the share of the points to take off, in [0, 1]."""
        if student_id in self.shares:
            return float(self.shares[student_id])
        if total_seconds_late <= 60 * self.grace_minutes:
            return 0.0
        return min(self.cap, self.per_day * math.ceil(total_seconds_late / DAY))


@dataclass(frozen=True)
class LatePolicy:
    """late.toml for one assignment. due : None if lateness costs nothing; times are in UTC."""

    plugin: LateDays
    due: datetime.datetime | None = None
    extensions: dict[str, datetime.datetime] = field(default_factory=dict)
    submitted: dict[str, datetime.datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Lateness:
    """What came of it for one student. known : False if nothing says when they handed in."""

    days: float
    penalty: float
    known: bool


def read_policy(course: Course, assignment: str = "") -> LatePolicy | None:
    """Read the course's late.toml; None if there is none. Raises CourseError naming what is wrong in it.

    assignment : "" for the policy alone
    """
    path = course.root / FILE
    if not path.is_file():
        return None
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{FILE} must be TOML, got: {error}") from error
    policy, mine = _table(written, "policy"), _table(written, assignment)
    _known("policy", policy, ("grace_minutes", "per_day", "cap"))
    _known(assignment, mine, ("due", "extensions", "submitted", "penalties"))
    shares = {name: _share(f"{assignment}.penalties.{name}", v) for name, v in _table(mine, "penalties").items()}
    plugin = LateDays(
        grace_minutes=_number("policy.grace_minutes", policy.get("grace_minutes", 0.0)),
        per_day=_share("policy.per_day", policy.get("per_day", 0.0)),
        cap=_share("policy.cap", policy.get("cap", 1.0)),
        shares=shares,
    )
    return LatePolicy(
        plugin,
        _time(f"{assignment}.due", mine["due"]) if "due" in mine else None,
        {n: _time(f"{assignment}.extensions.{n}", v) for n, v in _table(mine, "extensions").items()},
        {n: _time(f"{assignment}.submitted.{n}", v) for n, v in _table(mine, "submitted").items()},
    )


def apply_policy(course: Course, assignment: str) -> dict[str, Lateness]:
    """Put due date, times, extensions and penalties into nbgrader's gradebook; return {student: what came of it}.

    May be run any number of times: a penalty follows the points, also those given by hand since. Without a late.toml
    nothing is touched, and the penalties that stand in the gradebook are returned.
    """
    from nbgrader.api import Gradebook

    policy = read_policy(course, assignment)
    found = {}
    with Gradebook(course.database) as book:
        if policy is not None:
            book.find_assignment(assignment).duedate = _naive(policy.due)
        for submission in book.assignment_submissions(assignment):
            student = submission.student.id
            if policy is not None:
                _apply(policy, submission, student, handed_in(course, assignment, student))
            taken = sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
            seconds = submission.total_seconds_late if submission.assignment.duedate is not None else 0.0
            known = submission.assignment.duedate is None or submission.timestamp is not None
            found[student] = Lateness(seconds / DAY, taken, known)
        book.db.commit()
    return found


def _apply(policy: LatePolicy, submission: Any, student: str, handed: str) -> None:
    time = policy.submitted.get(student) or (moment(handed) if handed else None)
    submission.timestamp = _naive(time)
    late_due = policy.extensions.get(student)
    submission.extension = late_due - policy.due if late_due is not None and policy.due is not None else None
    seconds = submission.total_seconds_late if policy.due is not None else 0.0
    for notebook in submission.notebooks:
        penalty = policy.plugin.late_submission_penalty(student, notebook.score, seconds)
        notebook.late_submission_penalty = min(max(penalty, 0.0), notebook.score)


def _naive(time: datetime.datetime | None) -> datetime.datetime | None:
    """nbgrader keeps times in UTC without saying so."""
    return time.astimezone(datetime.UTC).replace(tzinfo=None) if time is not None else None


def _table(written: dict[str, Any], name: str) -> dict[str, Any]:
    value = written.get(name, {})
    if not isinstance(value, dict):
        raise CourseError(f"{FILE}: {name} must be a table, got {value!r}")
    return value


def _known(name: str, table: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            raise CourseError(f"{FILE}: a key of [{name}] must be one of {', '.join(keys)}, got {key!r}")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise CourseError(f"{FILE}: {name} must be a number from 0 up, got {value!r}")
    return float(value)


def _share(name: str, value: Any) -> float:
    if _number(name, value) > 1:
        raise CourseError(f"{FILE}: {name} must be a share from 0 to 1, got {value!r}")
    return float(value)


def _time(name: str, value: Any) -> datetime.datetime:
    if not isinstance(value, datetime.datetime) or value.tzinfo is None:
        raise CourseError(
            f"{FILE}: {name} must be a time with its zone, such as 2026-10-01T23:59:00-07:00, got {value!r}"
        )
    return value.astimezone(datetime.UTC)
