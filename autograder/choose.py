"""Pick the assignment's notebooks out of one student's files, forgiving what browsers and people do to them.

Exact names come first, then names that differ in case, copy marks or what was written around them, then content.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from .archive import UNREADABLE, Flag, Item, fault_of, odd_time, open_inside
from .layouts import by_size_of_match, copy_mark
from .normalise import MAX_FILE, parsed

MAX_LOOKED = 20_000_000  # bytes of a notebook that is parsed to see whether it is whole
MAX_DEPTH = 3  # archives inside archives
MAX_TOTAL = 500_000_000  # bytes read for one student
MAX_LISTED = 1_000  # files looked at for one student
NOTEBOOK = (".ipynb", ".json", ".txt")  # some mail programs and browsers add .txt or .json
INSTEAD = (".html", ".htm", ".pdf", ".py", ".docx", ".md", ".rtf")
OTHER_ARCHIVES = (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Candidate:
    """A file that could be a notebook. rank : smaller is likelier; ties are broken by the newer copy."""

    item: Item
    wanted: str
    rank: tuple[int, int, int]


def choose(
    items: list[Item], assignment: str, wanted: list[str], grade_ids: Mapping[str, frozenset[str]]
) -> tuple[dict[str, bytes], tuple[Flag, ...]]:
    """Return ({notebook: bytes}, flags) from one student's files, archives among them opened.

    wanted : notebook names without .ipynb; grade_ids : {notebook: ids of its cells}, {} to go by names only
    """
    flags: list[Flag] = []
    files = list(_unpacked(items, flags))[:MAX_LISTED]
    likely = by_size_of_match(wanted)
    candidates = [c for item in files if (c := _candidate(item, assignment, wanted, likely(_stem(item)))) is not None]
    chosen: dict[str, bytes] = {}
    budget = MAX_TOTAL
    for name in wanted:
        theirs = sorted((c for c in candidates if c.wanted == name), key=lambda c: c.rank)
        if not theirs:
            continue
        raw = _read(theirs[0].item, budget, flags)
        if raw is None:
            continue
        for other in theirs[1:4]:
            if _whole(raw):
                break
            older = _read(other.item, budget, flags)
            if older is not None and _whole(older):
                broken, raw, theirs = theirs[0], older, [other, *(c for c in theirs if c is not other)]
                flags.append(("superseded", f"{broken.item.path} is broken, so {other.item.path} was taken"))
        budget -= len(raw)
        chosen[name] = raw
        if theirs[0].item.name != f"{name}.ipynb":
            flags.append(("renamed", f"{theirs[0].item.name} was taken as {name}.ipynb"))
        if len(theirs) > 1:
            others = ", ".join(str(c.item.path) for c in theirs[1:6])
            flags.append(
                ("ambiguous", f"several files could be {name}.ipynb: {theirs[0].item.path} was taken; {others}")
            )
    spare = [i for i in files if i.path.suffix.lower() in NOTEBOOK and i not in [c.item for c in candidates]]
    for name, item, raw in _by_content(spare, [n for n in wanted if n not in chosen], grade_ids, budget, flags):
        chosen[name] = raw
        flags.append(("renamed", f"{item.name} was taken as {name}.ipynb by what is in it"))
    flags += _instead(files, [name for name in wanted if name not in chosen], likely)
    flags += _odd(files, chosen, wanted)
    return chosen, tuple(flags)


def _unpacked(items: list[Item], flags: list[Flag], depth: int = 0) -> Iterator[Item]:
    """Yield plain files, those inside zips too."""
    for item in items:
        if not item.is_archive and item.path.suffix.lower() in OTHER_ARCHIVES:
            kind = item.path.suffix
            flags.append(("unreadable_archive", f"{item.name}: an archive must be a zip or a tar, got {kind}"))
        elif not item.is_archive:
            yield item
        elif depth >= MAX_DEPTH:
            flags.append(("unreadable_archive", f"{item.name}: archives may be nested {MAX_DEPTH} deep, got more"))
        else:
            try:
                inside = open_inside(item)
            except UNREADABLE as error:
                flags.append((fault_of(error), f"{item.name}: {str(error)[:200]}"))
                continue
            flags += inside.flags
            mark = copy_mark(item.path.stem)[1]
            yield from _unpacked([replace(i, copy=mark) for i in inside.items], flags, depth + 1)


def _stem(item: Item) -> str:
    return re.sub(r"\.ipynb$", "", item.path.stem, flags=re.IGNORECASE)


def _candidate(item: Item, assignment: str, wanted: list[str], likely: str) -> Candidate | None:
    if not item.name.lower().endswith((".ipynb", ".ipynb.txt", ".ipynb.json")):
        return None
    stem = _stem(item)
    outside = 0 if assignment in item.path.parts[:-1] or len(item.path.parts) == 1 else len(item.path.parts)
    archive = -item.copy
    if stem in wanted and item.path.suffix == ".ipynb":
        return Candidate(item, stem, (0, outside, archive))
    if likely:
        bare, copy = copy_mark(stem)
        resubmitted = re.search(r"-(\d{1,3})$", bare)  # Canvas numbers a file that is handed in again
        newest = -(copy or (int(resubmitted[1]) if resubmitted else 0))
        return Candidate(item, likely, (1, outside, newest))
    return None


def _read(item: Item, budget: int, flags: list[Flag]) -> bytes | None:
    """Return a file's bytes; one more than the bound if it is larger, so that what parses it can say so."""
    if budget <= 0:
        flags.append(("too_large", f"one student's files may have {MAX_TOTAL} bytes in all; {item.name} was not read"))
        return None
    try:
        return item.read(MAX_FILE + 1)
    except UNREADABLE as error:
        flags.append(("unreadable_archive", f"{item.name}: {str(error)[:200]}"))
        return None


def _by_content(
    spare: list[Item], wanted: list[str], grade_ids: Mapping[str, frozenset[str]], budget: int, flags: list[Flag]
) -> Iterator[tuple[str, Item, bytes]]:
    """Yield (notebook, file, bytes) for files whose cells carry the ids of a notebook that is still missing."""
    missing = {name: grade_ids[name] for name in wanted if name in grade_ids}
    for item in spare:
        raw = _read(item, budget, flags) if missing else None
        if raw is None:
            continue
        budget -= len(raw)
        ids = _ids_in(raw)
        best = max(missing, key=lambda name: len(ids & missing[name]))
        # Half of the ids: two notebooks of a course share none, so a stray cell cannot decide.
        if 2 * len(ids & missing[best]) >= len(missing[best]) > 0:
            del missing[best]
            yield best, item, raw


def _ids_in(raw: bytes) -> frozenset[str]:
    try:
        cells = parsed(raw, [])["cells"]
        found = [cell["metadata"]["nbgrader"]["grade_id"] for cell in cells if "nbgrader" in cell.get("metadata", {})]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return frozenset()
    return frozenset(name for name in found if isinstance(name, str))


def _whole(raw: bytes) -> bool:
    """True if these bytes can be read as a notebook. Larger files are not parsed twice."""
    if len(raw) > MAX_LOOKED:
        return True
    try:
        return isinstance(parsed(raw, []).get("cells"), list)
    except (ValueError, RecursionError, AttributeError):
        return False


def _odd(files: list[Item], chosen: dict[str, bytes], wanted: list[str]) -> list[Flag]:
    """Flags on times that a student could have written, and on work for another assignment."""
    flags = [("time_conflict", text) for item in files if (text := odd_time(item))][:3]
    if any(item.name == "timestamp.txt" for item in files):
        flags.append(("time_conflict", "timestamp.txt is the student's own word; the time of the download counts"))
    others = [item.name for item in files if item.name.lower().endswith(".ipynb")]
    if wanted and not chosen and others:
        flags.append(("wrong_assignment", f"no notebook of this assignment among {', '.join(others[:3])}"))
    return flags


def _instead(files: list[Item], missing: list[str], likely: Callable[[str], str]) -> list[Flag]:
    """Say what was handed in where a notebook should be: an exported page is the usual mistake."""
    flags: list[Flag] = []
    for name in missing:
        for item in files:
            if item.path.suffix.lower() in INSTEAD and likely(item.path.stem) == name:
                flags.append(("wrong_format", f"{item.name} was handed in for {name}.ipynb: ask for the notebook"))
    return flags
