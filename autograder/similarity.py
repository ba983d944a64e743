"""Which pairs of submissions share code, ranked for a person to look at. Never a deduction, never a verdict.

Fingerprints are copydetect's (an optional extra): names, white space and comments are taken out first, so renaming
hides nothing. What the release gave out is no evidence, nor is what a large part of the class wrote: five honest lines
of an exercise look alike. What remains in common between two people is worth a conversation.
"""

import io
import itertools
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .collect import Submission
from .course import Course, CourseError
from .defang import trimmed
from .grading import Template, prepare, role_of
from .normalise import parse_answers
from .scheduler import write_atomically
from .tables import csv_text

K = 25  # tokens (characters of the filtered code): shorter matches are noise; copydetect's own default
COMMON = 0.2  # a fingerprint that this share of a class has is no evidence
CLASS = 10  # students: in a smaller class nothing counts as common
SHOWN = 50  # pairs


@dataclass(frozen=True)
class Pair:
    """Two submissions. shares : the part of each one's own code that the other has; tokens : how much that is

    exercises : those with code in common; marked : both codes, as [(text, in common)]
    """

    students: tuple[str, str]
    shares: tuple[float, float]
    tokens: int
    exercises: list[str]
    marked: tuple[list[tuple[str, bool]], list[tuple[str, bool]]]


@dataclass(frozen=True)
class Code:
    """One student's answers as one text. starts : [(where an exercise begins, its id)] in order"""

    student: str
    text: str
    starts: list[tuple[int, str]]


def codes_of(templates: list[Template], submissions: Iterable[Submission]) -> list[Code]:
    """Return everybody's code answers. Nothing is run; what cannot be read is empty."""
    return [_joined(s.student, _answers(templates, s)) for s in submissions]


def stubs_of(templates: list[Template]) -> Code:
    """Return what the release holds in the place of the answers, and around them."""
    cells = [cell for template in templates for cell in template.notebook.cells if cell.cell_type == "code"]
    return _joined("", {str(n): cell.source for n, cell in enumerate(cells)})


def _answers(templates: list[Template], submission: Submission) -> dict[str, str]:
    found = {}
    for template in templates:
        raw = submission.notebooks.get(template.name)
        answers = parse_answers(raw, template.notebook).cells if raw is not None else {}
        for cell in template.notebook.cells:
            if role_of(cell) == "solution":
                grade_id = cell.metadata.nbgrader.grade_id
                found[grade_id] = answers.get(grade_id, "")
    return found


def _joined(student: str, answers: dict[str, str]) -> Code:
    text, starts = "", []
    for grade_id, source in answers.items():
        if not source.strip():
            continue
        starts.append((len(text), grade_id))
        text += f"# ---- {grade_id}\n{trimmed(source)}\n\n"
    return Code(student, text, starts)


def ranked(codes: list[Code], boilerplate: Code, *, most: int = SHOWN) -> list[Pair]:
    """Return the pairs that share most of their own code, the closest first."""
    prints = {code.student: _fingerprint(code) for code in codes}
    counts = Counter(h for fingerprint in prints.values() for h in fingerprint.hashes)
    limit = max(3, COMMON * len(codes)) if len(codes) >= CLASS else len(codes)
    given = _fingerprint(boilerplate).hashes | {h for h, n in counts.items() if n > limit}
    for fingerprint in prints.values():
        _leave_out(fingerprint, given)
    by_student = {code.student: code for code in codes}
    pairs = [_pair(by_student[a], by_student[b], prints[a], prints[b]) for a, b in _sharing(prints)]
    pairs = [pair for pair in pairs if pair.tokens >= 2 * K]
    return sorted(pairs, key=lambda p: (-max(p.shares), -p.tokens, p.students))[:most]


def _fingerprint(code: Code) -> Any:
    try:
        from copydetect import CodeFingerprint
    except ImportError as error:
        raise CourseError("similarity must have its extra installed; run: pip install 'cs231n[similarity]'") from error
    # Window 1 keeps every fingerprint: copydetect hashes with Python's salted hash, and a choice would vary by run.
    return CodeFingerprint(f"{code.student}.py", K, 1, fp=io.StringIO(code.text), language="python")


def _leave_out(fingerprint: Any, hashes: set[int]) -> None:
    """copydetect's own `boilerplate` misses a fingerprint that occurs twice in one file; so it is done here."""
    from copydetect.utils import get_token_coverage

    fingerprint.hash_idx = {h: places for h, places in fingerprint.hash_idx.items() if h not in hashes}
    fingerprint.hashes = set(fingerprint.hash_idx)
    covered = get_token_coverage(fingerprint.hash_idx, K, len(fingerprint.filtered_code)) if fingerprint.hashes else 0
    fingerprint.token_coverage = covered


def _sharing(prints: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs with a fingerprint in common, found by the fingerprints: a class of 1,000 has half a million pairs."""
    owners = defaultdict(list)
    for student in sorted(prints):
        for value in prints[student].hashes:
            owners[value].append(student)
    shared = Counter(pair for names in owners.values() for pair in itertools.combinations(names, 2))
    return [pair for pair, n in shared.most_common(20 * SHOWN) if n >= 2]


def _pair(one: Code, two: Code, print_one: Any, print_two: Any) -> Pair:
    from copydetect import compare_files

    tokens, shares, slices = compare_files(print_one, print_two)
    spans = [_spans(cut, len(code.text)) for cut, code in zip(slices, (one, two), strict=True)]
    exercises = [
        name for (start, name), end in zip(one.starts, _ends(one), strict=True) if _meets(spans[0], start, end)
    ]
    marked = (_marked(one.text, spans[0]), _marked(two.text, spans[1]))
    shown = (min(1.0, float(shares[0])), min(1.0, float(shares[1])))
    return Pair((one.student, two.student), shown, int(tokens), exercises, marked)


def _spans(cut: Any, length: int) -> list[tuple[int, int]]:
    return [(max(0, int(a)), min(length, int(b))) for a, b in zip(*cut, strict=True)] if len(cut) else []


def _ends(code: Code) -> list[int]:
    return [start for start, _ in code.starts[1:]] + [len(code.text)]


def _meets(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    """True if a match lies in an exercise with more than its edge: a match runs on over comments between two."""
    return any(min(b, end) - max(a, start) >= K for a, b in spans)


def _marked(text: str, spans: list[tuple[int, int]]) -> list[tuple[str, bool]]:
    pieces, at = [], 0
    for start, end in sorted(spans):
        if start > at:
            pieces.append((text[at:start], False))
        if end > max(at, start):
            pieces.append((text[max(at, start) : end], True))
        at = max(at, end)
    return [*pieces, (text[at:], False)] if at < len(text) else pieces


def write_similarity(course: Course, assignment: str, pairs: list[Pair], students: int) -> dict[str, str]:
    """Write similarity.html and similarity.csv beside the report and return their paths by kind."""
    from .feedback import page

    folder = course.reports / assignment
    text = page("similarity.html").render(assignment=assignment, pairs=pairs, students=students, k=K)
    write_atomically(folder / "similarity.html", text)
    lines: list[list[object]] = [["student", "other", "share", "other_share", "tokens", "exercises"]]
    for pair in pairs:
        lines.append([*pair.students, *(round(s, 3) for s in pair.shares), pair.tokens, " ".join(pair.exercises)])
    write_atomically(folder / "similarity.csv", csv_text(lines))
    return {kind: str(folder / kind) for kind in ("similarity.html", "similarity.csv")}


def compare_class(assignment: str, submissions: Iterable[Submission]) -> tuple[list[Pair], int]:
    """Return (ranked pairs, number of students) of an assignment."""
    with tempfile.TemporaryDirectory() as scratch:  # the course's own gradebook is not needed, and not touched
        templates = prepare(Course(Path(scratch)), assignment)
    codes = codes_of(templates, submissions)
    return ranked(codes, stubs_of(templates)), len(codes)
