"""Read a folder, a zip or a tar as a list of plain files, within bounds: nothing is extracted, no link is followed.

What a path says is only ever a name to look at: bytes are read into memory, and no file is written where an archive
says. So a path cannot leave the folder, and an archive cannot unpack to more than the bounds.
"""

import bz2
import gzip
import io
import lzma
import math
import os
import re
import stat
import struct
import tarfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

MAX_MEMBERS = 1_000  # files in one student's archive
MAX_ENTRIES = 20 * MAX_MEMBERS  # what else an archive may list: folders, links, files that systems leave
MAX_CLASS = 200_000  # files in the download of a whole class
MAX_ARCHIVE = 200_000_000  # bytes of an archive inside another
MAX_RATIO = 200  # bytes out of an archive for each byte in it: notebooks reach 20, zeros 1000
BOMB = 1_000_000_000  # bytes that an archive may say it holds; with MAX_RATIO, what a bomb needs
TARS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
# Files that an interpreter, a kernel or a test runner would run by itself. None of them is ever written to disk here.
PLANTED = re.compile(
    r"((site|user)customize|conftest|\w*_config)\.py|.*\.pth|\.(jupyter|ipython|python_history|bashrc|profile)"
)
OLDEST = 946_684_800  # the year 2000: an older time of a file is no time
UNREADABLE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    RuntimeError,
    NotImplementedError,
    EOFError,
    ValueError,
)
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
    modified: float = 0.0  # seconds since 1970, 0 where it is not known

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_archive(self) -> bool:
        return self.name.lower().endswith((".zip", *TARS))

    def below(self, parts: int = 1) -> "Item":
        """The same file, seen from `parts` folders further down."""
        return Item(PurePosixPath(*self.path.parts[parts:]), self.size, self.read, modified=self.modified)


@dataclass(frozen=True)
class Listing:
    """The files of a place. folders : top-level folders, empty ones too; flags : what was left out, and why."""

    items: list[Item]
    folders: list[str]
    flags: list[Flag]


def list_place(place: Path) -> Listing:
    """List a folder or a zip. Raises one of UNREADABLE for an archive that cannot be opened."""
    if place.is_dir():
        return _list_folder(place)
    with place.open("rb") as file:
        _count_first(file, MAX_CLASS)
    return list_zip(zipfile.ZipFile(place), MAX_CLASS)


def _count_first(file: IO[bytes], most: int) -> None:
    """Raise TooManyFiles if a zip says that it has more entries: listing a million would take a gigabyte."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - 66_000))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    wide = tail.rfind(b"PK\x06\x06")
    count = struct.unpack_from("<H", tail, end + 10)[0] if 0 <= end <= len(tail) - 22 else 0
    if count == 0xFFFF and 0 <= wide <= len(tail) - 56:
        count = struct.unpack_from("<Q", tail, wide + 32)[0]
    if count > most:
        raise TooManyFiles(f"an archive must hold at most {most} files, got {count}")


class TooManyFiles(ValueError):
    """An archive with more files than anybody's work has."""


class ArchiveBomb(ValueError):
    """An archive that would unpack to far more than it is."""


def fault_of(error: Exception) -> str:
    """Return the flag for an archive that could not be listed."""
    kinds: dict[type[Exception], str] = {TooManyFiles: "too_many_files", ArchiveBomb: "archive_bomb"}
    return kinds.get(type(error), "unreadable_archive")


class _Bounded(io.RawIOBase):
    """What a compressed file unpacks to, up to BOMB bytes: a tar's long names and headers are read whole, unasked."""

    def __init__(self, raw: bytes) -> None:
        packed = io.BytesIO(raw)
        kinds: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
        self.unpacked: IO[bytes] = kinds[raw[:2]](packed) if raw[:2] in kinds else packed

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.unpacked.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._bound(offset)
        return self.unpacked.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        self._bound(self.tell() + size)
        return self.unpacked.read(size)

    def _bound(self, end: int) -> None:
        if end > BOMB:
            raise ArchiveBomb(f"an archive must hold at most {BOMB} bytes, got more")


def _list_tar(raw: bytes) -> Listing:
    """List the plain files of a tar, held in memory. Raises one of UNREADABLE."""
    items: list[Item] = []
    flags: list[Flag] = []
    total = 0
    with tarfile.open(fileobj=_Bounded(raw), mode="r:") as archive:
        for count, member in enumerate(archive):
            name = plain_text(member.name)
            parts = [part for part in name.split("/") if part not in ("", ".")]
            total += member.size
            if total > BOMB:
                raise ArchiveBomb(f"an archive must hold at most {BOMB} bytes, got more")
            if len(items) >= MAX_MEMBERS or count >= MAX_ENTRIES:
                raise TooManyFiles(f"an archive must hold at most {MAX_MEMBERS} files, got more")
            if ".." in parts or name.startswith("/"):
                flags.append(("path_traversal", f"{name[:200]!r} points outside its archive; ignored"))
            elif not (member.isreg() or member.isdir()):
                flags.append(("special_file", f"{name[:200]!r} is a link or a device; ignored"))
            elif member.isreg() and parts and not _is_junk(parts):
                file = archive.extractfile(member)
                content = file.read(MAX_ARCHIVE) if file is not None else b""
                items.append(Item(PurePosixPath(*parts), len(content), io.BytesIO(content).read, modified=member.mtime))
    return Listing(items, [], flags)


def open_inside(item: Item) -> Listing:
    """List an archive that lies inside a folder or another archive. Raises one of UNREADABLE."""
    raw = item.read(MAX_ARCHIVE + 1)
    if len(raw) > MAX_ARCHIVE:
        raise ValueError(f"an archive must have at most {MAX_ARCHIVE} bytes, got more")
    if item.name.lower().endswith(TARS):
        return _list_tar(raw)
    if (count := raw.count(b"PK\x01\x02")) > MAX_ENTRIES:  # each entry has one; the end of a zip can lie about them
        raise TooManyFiles(f"an archive must hold at most {MAX_ENTRIES} files, got {count}")
    return list_zip(zipfile.ZipFile(io.BytesIO(raw)), MAX_MEMBERS)


def list_zip(archive: zipfile.ZipFile, most: int) -> Listing:
    """List at most `most` files of an open archive."""
    items: list[Item] = []
    folders: dict[str, None] = {}
    flags: list[Flag] = []
    members = archive.infolist()
    held, out = sum(m.compress_size for m in members), sum(m.file_size for m in members)
    if out > BOMB and out > MAX_RATIO * held:
        raise ArchiveBomb(f"an archive must not unpack to more than {BOMB} bytes, got {out} out of {held}")
    for member in members:
        name = _member_name(member)
        parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
        flags += _planted(parts)
        if not parts or (_is_junk(parts) and ".." not in parts):
            continue
        if ".." in parts or re.match(r"[/\\]|[A-Za-z]:", name):
            flags.append(("path_traversal", f"{name[:200]!r} points outside its archive; ignored"))
        elif stat.S_ISLNK(member.external_attr >> 16):
            flags.append(("special_file", f"{name[:200]!r} is a link; ignored"))
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
        for name in [*subfolders, *files]:
            flags += _planted((here / name).relative_to(folder).parts)
        hidden = [name for name in subfolders if _is_junk([name])]
        kept = [name for name in hidden if here == folder and _holds_notebooks(here / name)]
        subfolders[:] = sorted({*subfolders} - {*hidden} | {*kept})
        if here == folder:
            top = [plain_text(name) for name in subfolders if not (here / name).is_symlink()]
            odd = [plain_text(n) for n in subfolders if plain_text(n) != unicodedata.normalize("NFC", n)]
            flags += [("bad_name", f"'{name}/' had marks in its name that cannot be seen") for name in odd]
        for name in [n for n in subfolders if (here / n).is_symlink()] + sorted(files):
            path = here / name
            inside = path.relative_to(folder)
            if _is_junk([name]):
                continue
            # A link could point at the gradebook or at another student's work.
            if path.is_symlink() or not path.is_file():
                flags.append(("special_file", f"{plain_text(str(inside))!r} is a link or no plain file; ignored"))
                continue
            if len(items) >= MAX_CLASS:
                return Listing(items, top, [*flags, ("too_many_files", f"at most {MAX_CLASS} files are read")])
            parts = [plain_text(part) for part in inside.parts]
            facts = path.stat()
            items.append(Item(PurePosixPath(*parts), facts.st_size, _file_reader(path), modified=facts.st_mtime))
    return Listing(items, top, flags)


def _holds_notebooks(folder: Path) -> bool:
    """True for what may be a student's folder, even if it is called as systems call what they hide."""
    return folder.name not in JUNK and not folder.is_symlink() and next(folder.rglob("*.ipynb"), None) is not None


def _file_reader(path: Path) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        with path.open("rb") as file:
            return file.read(limit)

    return read


def _planted(parts: Sequence[str]) -> list[Flag]:
    if not any(PLANTED.fullmatch(part) for part in parts):
        return []
    return [
        ("planted_file", f"{'/'.join(parts)[:200]!r} would be run by itself elsewhere; here it is not even unpacked")
    ]


def odd_time(item: Item) -> str:
    """Return what is wrong with the time of a file, or an empty string."""
    if not math.isfinite(item.modified) or abs(item.modified) > 1e11:  # some 3,000 years
        return f"{item.name} says that it is from no year there is"
    if item.modified and not OLDEST < item.modified < time.time() + 86_400:
        return f"{item.name} says that it is from {time.strftime('%Y-%m-%d', time.gmtime(item.modified))}"
    return ""


def _is_junk(parts: list[str]) -> bool:
    return any(part in JUNK or part.startswith(".") for part in parts)


def plain_text(name: str) -> str:
    """Return a file name as text that can be written anywhere: composed accents, no lone surrogates, no controls."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    return "".join("_" if unicodedata.category(ch) in ("Cc", "Cf", "Cs") else ch for ch in text)
