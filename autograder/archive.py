"""Read a folder or a zip as a list of plain files, within bounds: nothing is extracted, no link is followed.

What a path says is only ever a name to look at: bytes are read into memory, and no file is written where an archive
says. So a path cannot leave the folder, and an archive cannot unpack to more than the bounds.
"""

import io
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_MEMBERS = 1_000  # files in one student's archive
MAX_CLASS = 200_000  # files in the download of a whole class
MAX_ARCHIVE = 200_000_000  # bytes of an archive inside another
UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError, ValueError)
JUNK = ("__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "desktop.ini")

Flag = tuple[str, str]


@dataclass(frozen=True)
class Item:
    """One file. path : its name inside the folder or archive; read(limit) : its first `limit` bytes.

    copy : of which copy of an archive it is, such as 1 for "ann (1).zip"; larger is newer
    """

    path: PurePosixPath
    size: int
    read: Callable[[int], bytes]
    copy: int = 0

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_zip(self) -> bool:
        return self.path.suffix.lower() == ".zip"

    def below(self, parts: int = 1) -> "Item":
        """The same file, seen from `parts` folders further down."""
        return Item(PurePosixPath(*self.path.parts[parts:]), self.size, self.read)


@dataclass(frozen=True)
class Listing:
    """The files of a place. folders : top-level folders, empty ones too; flags : what was left out, and why."""

    items: list[Item]
    folders: list[str]
    flags: list[Flag]


def list_place(place: Path) -> Listing:
    """List a folder or a zip. Raises one of UNREADABLE for an archive that cannot be opened."""
    return _list_folder(place) if place.is_dir() else list_zip(zipfile.ZipFile(place), MAX_CLASS)


def open_inside(item: Item) -> Listing:
    """List an archive that lies inside a folder or another archive. Raises one of UNREADABLE."""
    raw = item.read(MAX_ARCHIVE + 1)
    if len(raw) > MAX_ARCHIVE:
        raise ValueError(f"an archive must have at most {MAX_ARCHIVE} bytes, got more")
    return list_zip(zipfile.ZipFile(io.BytesIO(raw)), MAX_MEMBERS)


def list_zip(archive: zipfile.ZipFile, most: int) -> Listing:
    """List at most `most` files of an open archive."""
    items: list[Item] = []
    folders: dict[str, None] = {}
    flags: list[Flag] = []
    for member in archive.infolist():
        name = _member_name(member)
        parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
        if not parts or (_is_junk(parts) and ".." not in parts):
            continue
        if ".." in parts or re.match(r"[/\\]|[A-Za-z]:", name):
            flags.append(("unsafe_path", f"{name[:200]!r} points outside its archive; ignored"))
        elif stat.S_ISLNK(member.external_attr >> 16):
            flags.append(("link_ignored", f"{name[:200]!r} is a link; ignored"))
        elif len(items) >= most:
            flags.append(("too_many_files", f"an archive must hold at most {most} files; the rest was ignored"))
            break
        else:
            if len(parts) > 1 or member.is_dir():
                folders.setdefault(parts[0])
            if not member.is_dir():
                items.append(Item(PurePosixPath(*parts), member.file_size, _member_reader(archive, member)))
    return Listing(items, list(folders), flags)


def _member_reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        # The directory of a zip can lie about sizes: what is read is counted, not what is promised.
        with archive.open(member) as file:
            return file.read(limit)

    return read


def _member_name(member: zipfile.ZipInfo) -> str:
    """Archives made on some systems hold UTF-8 names without saying so; Python then reads them as code page 437."""
    name = member.filename
    if not member.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    return plain_text(name)


def _list_folder(folder: Path) -> Listing:
    items: list[Item] = []
    flags: list[Flag] = []
    top: list[str] = []
    for where, subfolders, files in os.walk(folder, followlinks=False):
        here = Path(where)
        subfolders[:] = sorted(name for name in subfolders if not _is_junk([name]))
        if here == folder:
            top = [plain_text(name) for name in subfolders if not (here / name).is_symlink()]
        for name in [n for n in subfolders if (here / n).is_symlink()] + sorted(files):
            path = here / name
            inside = path.relative_to(folder)
            if _is_junk([name]):
                continue
            # A link could point at the gradebook or at another student's work.
            if path.is_symlink() or not path.is_file():
                flags.append(("link_ignored", f"{plain_text(str(inside))!r} is a link or no plain file; ignored"))
                continue
            if len(items) >= MAX_CLASS:
                return Listing(items, top, [*flags, ("too_many_files", f"at most {MAX_CLASS} files are read")])
            parts = [plain_text(part) for part in inside.parts]
            items.append(Item(PurePosixPath(*parts), path.stat().st_size, _file_reader(path)))
    return Listing(items, top, flags)


def _file_reader(path: Path) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        with path.open("rb") as file:
            return file.read(limit)

    return read


def _is_junk(parts: list[str]) -> bool:
    return any(part in JUNK or part.startswith(".") for part in parts)


def plain_text(name: str) -> str:
    """Return a file name as text that can be written anywhere: composed accents, no lone surrogates, no controls."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    return "".join("_" if unicodedata.category(ch) in ("Cc", "Cf", "Cs") else ch for ch in text)
