"""Recognise how a download is laid out (Gradescope, Canvas, Moodle, plain folders) and whose each file is.

plain        STUDENT/…, STUDENT.zip, STUDENT_N01_knn.ipynb
Gradescope   submission_metadata.yml beside submission_123/…
Canvas       doejane_LATE_123_4567_N01_knn.ipynb          name, late mark, user, file number, file name
Moodle       Jane Doe_1234567_assignsubmission_file_/…    or the same as a prefix of file names
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from .archive import UNREADABLE, Flag, Item, Listing, open_inside, plain_text
from .roster import name_key

CANVAS = re.compile(r"(?P<name>.+?)_(?P<late>LATE_)?(?P<user>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.IGNORECASE)
MOODLE = re.compile(r"(?P<name>.+?)_(?P<user>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)")
PATTERNS = {"Moodle": MOODLE, "Canvas": CANVAS}  # where a file fits both, the name's end is the student's own
METADATA = "submission_metadata.yml"
MAX_METADATA = 100_000_000
# What browsers and file managers add to the name of a second copy: "x (1)", "x(2)", "x - Copy", "Copy of x".
COPY = re.compile(r"^(?:copy of )?(?P<stem>.*?)(?:\s*\((?P<n>\d{1,3})\)|\s*-\s*(?:copy|kopie)(?:\s*\(\d+\))?)*$", re.I)


@dataclass(frozen=True)
class Entry:
    """What a download holds for one student. clues : ids, addresses and names it gives, the surest first.

    items : their files; submitted : when, in ISO 8601, if the download says; mapped : False if no student is named
    """

    name: str
    clues: tuple[str, ...] = ()
    items: list[Item] = field(default_factory=list)
    submitted: str = ""
    flags: tuple[Flag, ...] = ()
    mapped: bool = True


@dataclass(frozen=True)
class Layout:
    """kind : what the download looks like; left : files that are nobody's submission."""

    kind: str
    entries: list[Entry]
    left: list[str]


def recognise(listing: Listing, assignment: str, wanted: list[str], *, archived: bool) -> Layout:
    """Return whose the files of a download are.

    wanted : names of the assignment's notebooks, without .ipynb
    archived : True for a zip, which often wraps everything in one folder; the only folder in a folder is a student's
    """
    listing = _unwrapped(listing, assignment, archived)
    # What lies deeper is a student's own, and so is the end of a file's name: neither decides for a class.
    metadata = next((item for item in listing.items if item.path.parts == (METADATA,)), None)
    if metadata is not None:
        return _gradescope(listing, metadata)
    names = {*listing.folders, *(item.path.parts[0] for item in listing.items)}
    found = {kind: sum(map(bool, map(pattern.fullmatch, names))) for kind, pattern in PATTERNS.items()}
    likely = max(found, key=lambda kind: found[kind])
    if 2 * found[likely] >= len(names) > 0:
        return _by_pattern(likely, listing, wanted)
    return _plain(listing, wanted)


def _unwrapped(listing: Listing, assignment: str, archived: bool) -> Listing:
    """Step into a single folder, or a single zip of an LMS, that wraps the whole download."""
    loose = [item for item in listing.items if len(item.path.parts) == 1]
    if len(listing.folders) == 1 and not loose:
        items = [item.below() for item in listing.items]
        folders = list(dict.fromkeys(item.path.parts[0] for item in items if len(item.path.parts) > 1))
        inner = Listing(items, folders, listing.flags)
        if _of_an_lms(inner) or (archived and _of_many(inner, assignment)):
            return _unwrapped(inner, assignment, archived)
    if len(loose) == 1 and not listing.folders and loose[0].is_archive:
        try:
            inside = _unwrapped(open_inside(loose[0]), assignment, True)
        except UNREADABLE:
            return listing  # it is somebody's broken submission, and will be reported as that
        if _of_an_lms(inside):
            return inside
    return listing


def _of_an_lms(listing: Listing) -> bool:
    names = {item.path.parts[0] for item in listing.items}
    flat = [item.name for item in listing.items if len(item.path.parts) == 1]
    return METADATA in names or any(map(MOODLE.fullmatch, names)) or any(map(CANVAS.fullmatch, flat))


def _of_many(listing: Listing, assignment: str) -> bool:
    """True if this looks like a folder of students rather than like one student's."""
    files = [item for item in listing.items if len(item.path.parts) == 1]
    if any(item.path.suffix.lower() == ".ipynb" for item in files):
        return False
    return any(name != assignment for name in listing.folders) or any(item.is_archive for item in files)


class _Loader(yaml.SafeLoader):
    """Reads Gradescope's YAML, which carries Ruby's tags: every unknown tag is read as the plain data under it."""


def _plain_node(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("", _plain_node)


def _gradescope(listing: Listing, metadata: Item) -> Layout:
    depth = len(metadata.path.parts) - 1
    items = [item.below(depth) for item in listing.items if len(item.path.parts) > depth]
    try:
        about = yaml.load(metadata.read(MAX_METADATA), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError, *UNREADABLE) as error:
        about = {}
        problem: tuple[Flag, ...] = (("unreadable_metadata", f"{METADATA}: {str(error)[:200]}"),)
    else:
        problem = ()
    about = about if isinstance(about, dict) else {}
    folders = _by_folder(items)
    left = [item.name for item in folders.pop("", []) if item.name != METADATA]
    facts = {f: about[f] if isinstance(about.get(f), dict) else {} for f in folders}
    people = {folder: _submitters(facts[folder], folder) for folder in folders}
    entries = []
    for folder, theirs in folders.items():
        submitted = _moment(facts[folder].get(":created_at", facts[folder].get("created_at")))
        for clues in dict.fromkeys(people[folder]):
            flags = (*_group_flags(clues, folder, people), *problem)
            entries.append(Entry(clues[0], clues, theirs, submitted, flags))
        if not people[folder]:
            entries.append(Entry(folder, (), theirs, submitted, problem, mapped=False))
    return Layout("Gradescope", entries, left)


def _submitters(facts: dict, folder: str) -> list[tuple[str, ...]]:
    """Return what is known of each student of a submission: number, address, name, whichever are there."""
    people = facts.get(":submitters") or facts.get("submitters") or []
    people = [p for p in people if isinstance(p, dict)] if isinstance(people, list) else []
    clues = [[_text(person.get(f":{k}", person.get(k))) for k in ("sid", "email", "name")] for person in people]
    return [tuple(filter(None, known)) or (folder,) for known in clues]


def _group_flags(student: tuple[str, ...], folder: str, people: dict[str, list[tuple[str, ...]]]) -> list[Flag]:
    size, flags = len(set(people[folder])), []
    if size > 1:
        flags.append(("group", f"{folder} was handed in by {size} students"))
    if people[folder].count(student) > 1:
        flags.append(("group_conflict", f"{folder} names {student[0]} more than once"))
    others = [
        f for f, named in people.items() if f != folder and student in named and (size > 1 or len(set(named)) > 1)
    ]
    if others:
        flags.append(("group_conflict", f"{student[0]} is named in {folder} and in {', '.join(others[:5])}"))
    return flags


def _moment(value: Any) -> str:
    """Gradescope writes times as YAML timestamps, as text, or as a Ruby object with the time in UTC under "utc"."""
    if isinstance(value, dict):
        value = value.get("utc", value.get("time"))
    if isinstance(value, str):
        text = re.sub(r"\.\d+", "", value.strip().replace(" UTC", "Z").replace(" Z", "Z"))
        try:
            value = datetime.datetime.fromisoformat(text)
        except ValueError:
            return ""
    if not isinstance(value, datetime.datetime):
        return ""
    return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).isoformat(timespec="seconds")


def _text(value: Any) -> str:
    return plain_text(str(value)).strip() if isinstance(value, str | int) else ""


def _by_folder(items: list[Item]) -> dict[str, list[Item]]:
    """Group files by their top-level folder, seen from inside it; loose files are under ""."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        nested = len(item.path.parts) > 1
        groups.setdefault(item.path.parts[0] if nested else "", []).append(item.below() if nested else item)
    return groups


def _by_pattern(kind: str, listing: Listing, wanted: list[str]) -> Layout:
    """Canvas and Moodle: the student is in the first part of the path, by name and number."""
    pattern = PATTERNS[kind]
    files: dict[str, list[Item]] = {}
    names: dict[str, str] = {}
    flags: dict[str, dict[Flag, None]] = {}
    odd: list[Item] = []
    for item in listing.items:
        found = pattern.fullmatch(item.path.parts[0])
        if found is None:
            odd.append(item)
            continue
        user = found["user"]
        names.setdefault(user, found["name"])
        marks = flags.setdefault(user, {})
        if found.groupdict().get("late"):
            marks[("late_mark", "Canvas marks this submission LATE; it does not say by how much")] = None
        if found.groupdict().get("kind") == "onlinetext":
            marks[("online_text", "text typed into Moodle is not graded; see the download")] = None
        inside = item.path.parts[1:] or (found["file"] or item.name,)
        files.setdefault(user, []).append(Item(PurePosixPath(*inside), item.size, item.read))
    for folder in listing.folders:
        if found := pattern.fullmatch(folder):
            files.setdefault(found["user"], [])
            names.setdefault(found["user"], found["name"])
    entries = [Entry(names[u], (u, names[u]), files[u], "", tuple(flags.get(u, ()))) for u in files]
    # Two students of one name: the LMS's number keeps them apart.
    twins = [entry.name for entry in entries]
    entries = [_numbered(e) if twins.count(e.name) > 1 else e for e in entries]
    rest = _plain(Listing(odd, [folder for folder in listing.folders if not pattern.fullmatch(folder)], []), wanted)
    return Layout(kind, [*entries, *rest.entries], rest.left)


def _numbered(entry: Entry) -> Entry:
    return Entry(f"{entry.name}_{entry.clues[0]}", entry.clues, entry.items, entry.submitted, entry.flags)


def _plain(listing: Listing, wanted: list[str]) -> Layout:
    """A folder or an archive per student, and loose notebooks with the student's name in theirs."""
    entries, left = [], []
    loose: dict[str, list[Item]] = {}
    groups = {**{folder: [] for folder in listing.folders}, **_by_folder(listing.items)}
    for folder, items in groups.items():
        if folder:
            entries.append(Entry(folder, (folder,), items))
            continue
        for item in items:
            if item.is_archive:
                stem = without_copy_mark(item.path.stem)
                entries.append(Entry(stem, (stem,), [item]))
            elif item.path.suffix.lower() == ".ipynb":
                loose.setdefault(_owner(item.path.stem, wanted), []).append(item)
            else:
                left.append(item.name)
    for owner, items in loose.items():
        if owner:
            entries.append(Entry(owner, (owner,), items))
        else:
            entries += [Entry(item.path.stem, (), [item], mapped=False) for item in items]
    return Layout("folders", entries, left)


def _owner(stem: str, wanted: list[str]) -> str:
    """What is left of a loose file's name without the notebook's: "ann_N01_knn" and "N01_knn-ann" are ann's."""
    bare = without_copy_mark(stem)
    for name in wanted:
        at = bare.casefold().find(name.casefold())
        if at >= 0:
            return (bare[:at] + " " + bare[at + len(name) :]).strip(" _-.()[]")
    return ""


def without_copy_mark(stem: str) -> str:
    """Return a file's name without what a second download or copy added to it."""
    return copy_mark(stem)[0]


def copy_mark(stem: str) -> tuple[str, int]:
    """Return (name without the mark, number of the copy); 0 is the original."""
    found = COPY.match(stem)
    if found is None or not found["stem"].strip():
        return stem, 0
    bare = found["stem"].strip()
    return bare, int(found["n"] or 0) or int(bare != stem.strip())


def by_size_of_match(wanted: list[str]) -> Callable[[str], str]:
    """Return a function from a file's stem to the wanted notebook it most likely is, or ""."""
    folded = {name: name_key(name) for name in wanted}

    def likely(stem: str) -> str:
        text = name_key(without_copy_mark(stem))
        found = [name for name, key in folded.items() if key in text]
        if not found:  # "N01" alone says which one, if only one begins so
            found = [name for name in wanted if text and text == name_key(name.partition("_")[0])]
        return max(found, key=len) if found else ""

    return likely
