"""What a class's results say about the exercises: how hard each was, whom it tells apart, and where answers first fail.

Discrimination is the point-biserial correlation of solving an exercise with the score on all the others: +1 when
exactly the strong students solve it, 0 when it tells nothing, below 0 when the strong miss what the weak get. The
exercise itself is left out of the score, since it would agree with itself (the "corrected item-total correlation" of
test theory; e.g. Crocker and Algina, Introduction to Classical and Modern Test Theory, 1986, ch. 14).
"""

import math
import statistics
from collections import Counter
from dataclasses import dataclass

from .results import STATUSES, Row, StudentResult

FEW = 10  # students: with fewer, a correlation is mostly noise, and nothing is concluded from it
NOT_FAILED = ("ok", "needs_person", "infra_error")


@dataclass(frozen=True)
class Item:
    """One exercise over the class.

    mean : points, None if nobody has a score; solved : share with full points, in [0, 1]
    discrimination : in [-1, 1], None where it is not defined (nobody differs)
    failures : [(stage or status: symptom, how many)], the most frequent first
    """

    notebook: str
    question: str
    title: str
    max_score: float
    mean: float | None
    solved: float | None
    discrimination: float | None
    counts: dict[str, int]
    failures: list[tuple[str, int]]
    median_seconds: float


def analyse(results: list[StudentResult]) -> list[Item]:
    """Return one item per exercise, in the order of the notebooks."""
    rows: dict[tuple[str, str], dict[str, Row]] = {}
    for result in results:
        for row in result.rows:
            rows.setdefault((row.notebook, row.question), {})[result.student] = row
    totals = {result.student: result.score for result in results}
    return [_item(theirs, totals) for theirs in rows.values()]


def _item(rows: dict[str, Row], totals: dict[str, float]) -> Item:
    first = next(iter(rows.values()))
    scored = {student: row.score for student, row in rows.items() if row.score is not None}
    full = [score >= first.max_score for score in scored.values()]
    rest = [totals[student] - score for student, score in scored.items()]
    reasons = Counter(reason(row) for row in rows.values() if row.status not in NOT_FAILED)
    return Item(
        first.notebook,
        first.question,
        first.title,
        first.max_score,
        statistics.fmean(scored.values()) if scored else None,
        sum(full) / len(full) if full else None,
        point_biserial(full, rest),
        dict(Counter(row.status for row in rows.values())),
        reasons.most_common(),
        statistics.median(row.seconds for row in rows.values()),
    )


def reason(row: Row) -> str:
    """Return where an answer first failed, such as "values: no-max-shift"."""
    return f"{row.stage or STATUSES[row.status]}{f': {row.symptom}' if row.symptom else ''}"


def point_biserial(passed: list[bool], scores: list[float]) -> float | None:
    """Return the correlation of a yes or no with a score: (M1 - M0) / s * sqrt(p (1 - p)); None if it is not defined.

    M1 and M0 are the mean scores of those who passed and who did not, s the standard deviation over all, p the share
    that passed.
    """
    ones = [score for yes, score in zip(passed, scores, strict=True) if yes]
    noes = [score for yes, score in zip(passed, scores, strict=True) if not yes]
    spread = statistics.pstdev(scores) if scores else 0.0
    if not ones or not noes or spread < 1e-9:
        return None
    p = len(ones) / len(scores)
    return (statistics.fmean(ones) - statistics.fmean(noes)) / spread * math.sqrt(p * (1 - p))


def remarks(items: list[Item], students: int) -> list[tuple[str, str]]:
    """Return (question, what a person should look at). Says nothing of classes too small to tell."""
    found = []
    for item in items:
        waiting = item.counts.get("needs_person", 0) + item.counts.get("infra_error", 0)
        if students < FEW or item.solved is None or waiting > students / 2:
            continue
        if item.solved == 0 and not item.counts.get("partly", 0):
            found.append((item.question, "nobody solved it: is the check, or the text, at fault?"))
        if item.discrimination is not None and item.discrimination < 0:
            found.append(
                (
                    item.question,
                    f"students who solved it did worse on the rest (discrimination {item.discrimination:.2f})",
                )
            )
        if item.failures and item.failures[0][1] > students / 2:
            name, n = item.failures[0]
            found.append((item.question, f"{n} of {students} first fail alike ({name}): worth a word in class"))
    return found
