"""Find what each student handed in: a folder per student, or the zip that `cs231n submit` writes."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .course import CourseError
from .normalise import MAX_FILE

MAX_MEMBERS = 1_000


@dataclass(frozen=True)
class Submission:
    """One student's files: {notebook name: bytes}, only those the assignment asks for. flags : (name, detail)."""

    student: str
    notebooks: dict[str, bytes] = field(default_factory=dict)
    flags: tuple[tuple[str, str], ...] = ()


def entries_of(folder: Path) -> list[Path]:
    """Return the student folders and zips in `folder`. Raises CourseError if it is no folder or holds none."""
    if not folder.is_dir():
        raise CourseError(f"submissions must be a folder with one folder or zip per student, got {str(folder)!r}")
    entries = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".") and not p.is_symlink()]
    entries = [p for p in entries if p.is_dir() or p.suffix == ".zip"]
    if not entries:
        raise CourseError(f"submissions must hold one folder or zip per student, got none in {str(folder)!r}")
    return entries


def collect(folder: Path, assignment: str, wanted: list[str]) -> Iterator[Submission]:
    """Yield a submission for every student folder or zip in `folder`, in order of their names.

    folder : holds STUDENT/[assignment/]*.ipynb or STUDENT.zip
    wanted : names of the assignment's notebooks, without .ipynb
    """
    for entry, (student, flags) in _students(entries_of(folder)).items():
        try:
            files = dict(_in_folder(entry, assignment) if entry.is_dir() else _in_zip(entry))
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            yield Submission(student, {}, (*flags, ("unreadable_archive", f"{entry.name}: {error}")))
            continue
        yield Submission(student, *_choose(files, wanted, flags))


def _students(entries: list[Path]) -> dict[Path, tuple[str, tuple[tuple[str, str], ...]]]:
    """Return for each entry a name that is safe as a folder and in a page, and a flag if it had to be changed.

    Names that are safe already are given out first: no odd name can take the place of an honest one.
    """
    taken: set[str] = set()
    named = {}
    for entry in sorted(entries, key=lambda entry: (_raw(entry) != _safe(entry), entry.name)):
        safe, n = _safe(entry), 1
        while safe in taken:
            n += 1
            safe = f"{_safe(entry)}-{n}"
        taken.add(safe)
        changed = (("bad_name", f"{entry.name!r} is kept as {safe!r}"),) if safe != _raw(entry) else ()
        named[entry] = (safe, changed)
    return {entry: named[entry] for entry in entries}


def _raw(entry: Path) -> str:
    return entry.stem if entry.suffix == ".zip" else entry.name


def _safe(entry: Path) -> str:
    text = _raw(entry).encode("utf-8", "replace").decode()
    return re.sub(r"[^\w .@+-]", "_", text).strip(". ") or "unnamed"


def _in_folder(folder: Path, assignment: str) -> Iterator[tuple[str, bytes]]:
    inner = folder / assignment
    where = inner if inner.is_dir() and not inner.is_symlink() else folder
    for path in sorted(where.glob("*.ipynb"))[:MAX_MEMBERS]:
        # A link could point at the gradebook or at another student's work.
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_FILE:
            yield path.stem, path.read_bytes()


def _in_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist()[:MAX_MEMBERS]:
            name = Path(member.filename)
            if name.suffix == ".ipynb" and "__MACOSX" not in name.parts and member.file_size <= MAX_FILE:
                with archive.open(member) as file:
                    # The directory of a zip can lie about sizes: read no more than the bound.
                    yield name.stem, file.read(MAX_FILE + 1)


def _choose(
    files: dict[str, bytes], wanted: list[str], flags: tuple[tuple[str, str], ...]
) -> tuple[dict[str, bytes], tuple[tuple[str, str], ...]]:
    """Match files to the assignment's notebooks, forgiving what browsers and people do to names."""
    chosen: dict[str, bytes] = {}
    marks = list(flags)
    for name in wanted:
        if name in files:
            chosen[name] = files[name]
        near = [stem for stem in files if stem != name and stem.lower().startswith(name.lower())]
        if name not in files and near:
            chosen[name] = files[near[0]]
            marks.append(("renamed", f"{near[0]}.ipynb was taken as {name}.ipynb"))
        if len(near) + (name in files) > 1:
            marks.append(("ambiguous", f"several files could be {name}.ipynb: {', '.join(sorted(near))}"))
    return chosen, tuple(marks)
