"""Merge certificates of sealed tests into one leaderboard: every row is scored here, and signed for later merging.

What a student wrote is read as data and never run. A row of an earlier leaderboard is taken only with this course's
signature; two certificates of one student, or the same labels from two, are refused until a person has looked.
"""

import ast
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cs231n_lib.check import CheckFailed, NotAnswered, Report
from cs231n_lib.check.n12_audit import wilson_ends
from cs231n_lib.check.n12_certificate import COUNT, PRACTICE, check_chain, name_of, read_certificate, score

from .collect import collect
from .course import Course, CourseError
from .grading import course_secret, seal_of
from .normalise import parsed
from .scheduler import write_atomically
from .tables import csv_text

NOTEBOOK, CELL, NAME = "N12_challenge", "challenge-certificate", "certificate"
MOST_BYTES = 2_000_000
Z = 1.96  # 95 %


@dataclass(frozen=True)
class Entry:
    """One row. accuracy, low, high : shares in [0, 1], Wilson's interval;  labels : digest of the labels scored"""

    student: str
    accuracy: float
    low: float
    high: float
    uses: int
    run: str
    validation: float
    labels: str
    set: str
    signature: str = ""


@dataclass
class Board:
    """What came of a merge. refused : (file, student or "", why)"""

    entries: list[Entry] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)


def merge_files(course: Course, files: list[Path], *, practice: bool = False) -> Board:
    """Read, score, sort and write the leaderboard. Raises CourseError for a file that is not there.

    practice : score against the public set, whose labels anybody can look up; its rows say so by the set's name
    """
    seal = PRACTICE if practice else seal_of(course)
    key = course_secret(course)
    board, found = Board(), []
    for path in files:
        if not path.exists():
            raise CourseError(f"leaderboard: file must exist, got {str(path)!r}")
        for student, content in _contents(path):
            try:
                found += [(path.name, entry) for entry in _entries(student, content, seal, key)]
            except (CheckFailed, ValueError) as error:
                board.refused.append((path.name, student, getattr(error, "message", str(error))))
    board.entries = _without_duplicates(found, board.refused)
    board.entries.sort(key=lambda entry: (-entry.accuracy, entry.uses, entry.student))
    rows = [asdict(entry) for entry in board.entries]
    folder = course.reports
    text = json.dumps({"kind": "leaderboard", "set": name_of(seal), "entries": rows}, indent=1) + "\n"
    names = ["student", "accuracy", "low", "high", "uses", "run", "validation"]
    lines: list[list[object]] = [["rank", *names]]
    lines += [[rank, *(row[name] for name in names)] for rank, row in enumerate(rows, start=1)]
    for name, content in (("leaderboard.json", text), ("leaderboard.csv", csv_text(lines))):
        write_atomically(folder / name, content)
        board.written.append(folder / name)
    return board


def _contents(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (student, certificate text or a leaderboard's dict or an Exception to report) of one argument."""
    if path.is_dir():
        for submission in collect(path, "a3", [NOTEBOOK]):
            raw = submission.notebooks.get(NOTEBOOK)
            yield submission.student, certificate_in(raw) if raw is not None else ValueError(f"no {NOTEBOOK}.ipynb")
        return
    if path.stat().st_size > MOST_BYTES:
        yield path.stem, ValueError(f"a file must have at most {MOST_BYTES:,} bytes, got {path.stat().st_size:,}")
        return
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    yield path.stem, told if isinstance(told, dict) and told.get("kind") == "leaderboard" else text


def certificate_in(raw: bytes) -> str | Exception:
    """Return the text that a notebook's answer cell assigns to `certificate`, or what is wrong; nothing is run."""
    try:
        cells = parsed(raw, [])["cells"]
        sources = [c["source"] for c in cells if c["metadata"].get("nbgrader", {}).get("grade_id") == CELL]
        text = sources[0] if isinstance(sources[0], str) else "".join(sources[0])
        tree = ast.parse(text)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, SyntaxError, RecursionError, MemoryError):
        return ValueError(f"no readable answer in the cell {CELL}")
    found = ""
    for node in tree.body:
        named = isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == NAME for t in node.targets)
        if named and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):  # type: ignore[attr-defined]
            found = node.value.value  # type: ignore[attr-defined]
    return found if found.strip() else ValueError("no certificate was pasted")


def _entries(student: str, content: Any, seal: str, key: str) -> list[Entry]:
    """Return the rows of a certificate or an earlier leaderboard. Raises ValueError or CheckFailed with the reason."""
    if isinstance(content, Exception):
        raise content
    if isinstance(content, dict):
        rows = content.get("entries")
        if content.get("set") != name_of(seal) or not isinstance(rows, list):
            raise ValueError("this leaderboard is of another sealed set")
        return [_signed_row(row, key) for row in rows]
    report = Report()
    try:
        certificate = read_certificate(content, report)
    except NotAnswered:
        raise ValueError("no certificate was pasted") from None
    if certificate["set"] != name_of(seal):
        raise ValueError("this certificate is of another sealed set")
    check_chain(certificate, report)
    accuracy = score(certificate, seal)
    low, high = wilson_ends(round(accuracy * COUNT), COUNT, Z)
    first = certificate["uses"][0]
    entry = Entry(
        student,
        accuracy,
        round(low, 4),
        round(high, 4),
        len(certificate["uses"]),
        str(first["run"])[:60],
        first["accuracy"],
        first["labels"],
        certificate["set"],
    )
    return [Entry(**{**asdict(entry), "signature": signature(entry, key)})]


def signature(entry: Entry, key: str) -> str:
    """Return the course's signature of a row: without the course's secret nobody can make or change one."""
    plain = {name: value for name, value in asdict(entry).items() if name != "signature"}
    return hmac.new(key.encode(), json.dumps(plain, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _signed_row(row: Any, key: str) -> Entry:
    try:
        entry = Entry(**row)
        good = hmac.compare_digest(signature(entry, key), str(entry.signature))
    except (TypeError, ValueError):
        raise ValueError("a row of this leaderboard is not well formed") from None
    if not good:
        raise ValueError(f"the row of {str(entry.student)[:60]!r} does not carry this course's signature")
    return entry


def _without_duplicates(found: list[tuple[str, Entry]], refused: list[tuple[str, str, str]]) -> list[Entry]:
    """Return one row for each student; the same row from two files is one row, anything else twice is refused."""
    by_student: dict[str, set[str]] = {}
    by_labels: dict[str, set[str]] = {}
    for _, entry in found:
        by_student.setdefault(entry.student, set()).add(entry.signature)
        by_labels.setdefault(entry.labels, set()).add(entry.student)
    kept: dict[str, Entry] = {}
    for file, entry in found:
        twins = sorted(by_labels[entry.labels] - {entry.student})
        if len(by_student[entry.student]) > 1:
            refused.append((file, entry.student, "two different certificates of one student"))
        elif twins:
            refused.append((file, entry.student, f"the same labels, digit for digit, as {', '.join(twins)}"))
        else:
            kept[entry.student] = entry
    return list(kept.values())


def print_board(board: Board) -> None:
    """Print the table, who was refused and why, and where the files are."""
    for rank, entry in enumerate(board.entries, start=1):
        interval = f"[{100 * entry.low:.1f}, {100 * entry.high:.1f}]"
        print(f"{rank:4d}  {entry.student:24s} {100 * entry.accuracy:6.2f} %  {interval}  uses {entry.uses}")
    for file, student, why in board.refused:
        print(f"refused: {file}, {student}: {why}")
    for path in board.written:
        print(path)
