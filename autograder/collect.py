"""Find what each student handed in, in whatever was downloaded, and say what could not be mapped. Nothing is lost.

A download is surveyed first (names only), then read one student at a time, so a large class needs little memory.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .archive import UNREADABLE, Flag, Item, list_place, plain_text
from .choose import choose
from .course import CourseError
from .layouts import Entry, recognise
from .marks import looks_like_others
from .roster import Roster

MANIFEST = "manifest.json"
MAX_MANIFEST = 1_000_000
MAX_NAME = 150  # bytes: file systems allow 255, and what is being written gets a longer name


@dataclass(frozen=True)
class Submission:
    """One student's files: {notebook name: bytes}, only those the assignment asks for.

    flags : (name, detail), for a person to look at; submitted : when, in ISO 8601, or "" if nothing trusted says so
    """

    student: str
    notebooks: dict[str, bytes] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    submitted: str = ""


@dataclass(frozen=True)
class Found:
    """One student of a survey, and where their work is."""

    student: str
    entry: Entry
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class Survey:
    """A download, looked at but not read.

    kind : its layout; left : files that are nobody's submission; missing : students of the roster without one
    """

    kind: str
    found: list[Found]
    left: list[str]
    missing: list[str]
    flags: list[Flag]


def survey(place: Path, assignment: str, wanted: list[str], roster: Roster | None = None) -> Survey:
    """Return who handed in what. Raises CourseError if `place` is no folder or zip, or holds nobody's work.

    place : a folder or zip: one folder or zip per student, or what Gradescope, Canvas or Moodle gave
    wanted : names of the assignment's notebooks, without .ipynb
    """
    rule = "submissions must be a folder or a zip with one folder or zip per student"
    if not (place.is_dir() or zipfile.is_zipfile(place)):
        raise CourseError(f"{rule}, got {str(place)!r}")
    try:
        listing = list_place(place)
        layout = recognise(listing, assignment, wanted, archived=not place.is_dir())
    except UNREADABLE as error:
        raise CourseError(f"{rule}, got {str(place)!r}: {error}") from error
    if not layout.entries:
        raise CourseError(f"{rule}, got none in {str(place)!r}")
    named = _on_roster(layout.entries, roster) if roster else [(e, e.name, _unmapped(e, "")) for e in layout.entries]
    found = [replace(one, flags=(*one.flags, *_of(one.entry.name, listing.flags))) for one in _students(named)]
    present = {one.student for one in found}
    missing = [student for student in roster.students if _safe(student) not in present] if roster else []
    return Survey(layout.kind, found, layout.left, missing, listing.flags)


def collect(
    place: Path,
    assignment: str,
    wanted: list[str],
    *,
    roster: Roster | None = None,
    grade_ids: Mapping[str, frozenset[str]] | None = None,
) -> Iterator[Submission]:
    """Yield a submission for every student in `place`, in order of their names; see `survey`.

    grade_ids : {notebook: its cells' ids}, to know a notebook by its content when its name says nothing
    """
    looked = survey(place, assignment, wanted, roster)
    yield from read_all(looked, assignment, wanted, grade_ids or {})


def read_all(
    looked: Survey, assignment: str, wanted: list[str], grade_ids: Mapping[str, frozenset[str]]
) -> Iterator[Submission]:
    """Yield the submissions of a survey. An archive that cannot be read is a flag and costs nobody else."""
    for one in looked.found:
        notebooks, flags = choose(one.entry.items, assignment, wanted, grade_ids)
        yield Submission(one.student, notebooks, (*one.flags, *flags), one.entry.submitted)


def _of(folder: str, flags: list[Flag]) -> list[Flag]:
    """The flags on files in one student's folder: their details begin with the path, quoted."""
    return [flag for flag in flags if flag[1][1:].startswith(f"{folder}/")][:5]


def _unmapped(entry: Entry, why: str) -> tuple[Flag, ...]:
    reason = why or "nothing in the download names a student; rename it, or give --roster"
    return () if entry.mapped and not why else (("unmapped", f"{entry.name!r}: {reason}"),)


def _on_roster(entries: list[Entry], roster: Roster) -> list[tuple[Entry, str, tuple[Flag, ...]]]:
    named = []
    sure = [roster.find(*entry.clues)[0] for entry in entries]
    present = {student.id for student in sure if student}
    for entry, known in zip(entries, sure, strict=True):
        student, why = (known, "") if known else roster.find(*entry.clues, *_manifest_clue(entry.items))
        taken = student is not None and known is None and student.id in present
        if student is None or taken:  # nobody's own word puts their work among another's
            why = f"it says that it is {student.id}'s, whose work is here under that name" if student else why
            named.append((entry, entry.name, _unmapped(entry, why)))
        else:
            named.append((entry, student.id, ()))
    return named


def _manifest_clue(items: list[Item]) -> tuple[str, ...]:
    """The id in the manifest of `cs231n submit`: the student's own word, asked last and only with a roster."""
    from .archive import open_inside

    for item in items[:1]:
        try:
            inside = open_inside(item).items if item.is_archive else items
            manifest = next((i for i in inside if i.name == MANIFEST and len(i.path.parts) == 1), None)
            about = json.loads(manifest.read(MAX_MANIFEST)) if manifest else {}
        except (*UNREADABLE, RecursionError):
            return ()
        if isinstance(about, dict) and isinstance(about.get("student"), str):
            return (plain_text(about["student"]),)
    return ()


def _students(named: list[tuple[Entry, str, tuple[Flag, ...]]]) -> list[Found]:
    """Give each student a name that is safe as a folder and in a page, and join what one student handed in twice.

    Names that are safe already are given out first: no odd name can take the place of an honest one. Names that differ
    only in case are kept apart, since some file systems would put them into one folder.
    """
    joined: dict[str, Found] = {}
    for entry, name, flags in sorted(named, key=lambda n: (n[1] != _safe(n[1]), n[1])):
        key = name if not any(flag == "unmapped" for flag, _ in flags) else f"{name}\0{len(joined)}"
        if key in joined:
            joined[key] = _both(joined[key], entry, flags)
        else:
            joined[key] = Found(name, entry, (*entry.flags, *flags))
    taken: set[str] = set()
    found = []
    for one in joined.values():
        safe, n = _safe(one.student), 1
        while safe.casefold() in taken:
            n += 1
            safe = f"{_safe(one.student)}-{n}"
        taken.add(safe.casefold())
        changed = [("bad_name", f"{one.student!r} is kept as {safe!r}")] if safe != one.student else []
        if any(map(looks_like_others, re.findall(r"\w+", safe))):
            changed.append(("unicode_trick", f"the name {safe!r} holds letters that look like others"))
        found.append(Found(safe, one.entry, (*one.flags, *changed)))
    return sorted(found, key=lambda one: one.student)


def _both(first: Found, entry: Entry, flags: tuple[Flag, ...]) -> Found:
    items = [*first.entry.items, *entry.items]
    submitted = max(first.entry.submitted, entry.submitted)
    many = ("superseded", f"{len(items)} files or archives are {first.student}'s; newer copies count")
    kept = tuple(flag for flag in first.flags if flag[0] != many[0])
    return Found(first.student, replace(first.entry, items=items, submitted=submitted), (*kept, *flags, many))


def _safe(name: str) -> str:
    short = re.sub(r"[^\w .@+-]", "_", name).strip(". ")[:100].encode()[:MAX_NAME].decode(errors="ignore")
    return short.strip(". ") or "unnamed"
