"""The official CIFAR-10 archive: fetched, checked, read without trusting it, and stored.

The archive is a tar of pickles, and both formats can carry an attack. A tar member may climb out of its folder, so
nothing is ever extracted: the members we want are read into memory by name. For the pickles see `batches`.
"""

import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from numpy.typing import NDArray

from cs231n_lib import fetch, store
from cs231n_lib.batches import PixelArray, read_batch
from cs231n_lib.store import DataError

FOLDER = "cifar-10-batches-py"
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
META = "batches.meta"
SPARE_BYTES = 1 << 20  # what a batch may hold beside its pixels: file names, labels, pickle opcodes


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What the registry says of the archive: where it is, how to know it, and what is in it."""

    title: str
    url: str
    size: int  # bytes
    sha256: str
    classes: tuple[str, ...]
    train: int  # images
    test: int


def official_archive() -> Archive:
    """Return the registry's entry for CIFAR-10."""
    entry = store.read_registry().get("cifar10", {})
    if missing := sorted(set(Archive.__dataclass_fields__) - set(entry)):
        raise DataError(
            f"get_cifar10: {store.REGISTRY} must describe cifar10, got no {missing[0]!r}; "
            f"work in a clone of the course or in the folder that your instructor gave you"
        )
    wanted = {key: entry[key] for key in Archive.__dataclass_fields__}
    return Archive(**wanted | {"classes": tuple(wanted["classes"])})


def get_cifar10(
    source: str | os.PathLike[str] | None = None, *, archive: Archive | None = None, quiet: bool = False
) -> None:
    """Store CIFAR-10 in its official order.

    source : None for the official address; else a mirror's http, https or file URL, the path of the tarball, or that of
        the extracted folder `cifar-10-batches-py`. A tarball from anywhere must have the registry's SHA-256.
    archive : what to expect; the registry's entry when None
    Raises DataError. Nothing stays behind but, after a broken download, the `.part` file that the next call resumes.
    """
    archive = archive or official_archive()
    place = archive.url if source is None else os.fspath(source)
    advice = f"to import it by hand, fetch {archive.url} in a browser and run `cs231n data get cifar10 --from FILE`"
    if fetch.is_url(place) and urlsplit(place).scheme != "file":
        with store.new_folder("get_cifar10", "cifar10") as folder:
            tarball = store.cache_folder() / f".{Path(urlsplit(archive.url).path).name}"
            fetch.download(place, tarball, size=archive.size, sha256=archive.sha256, advice=advice, quiet=quiet)
            try:
                _store(folder, archive, _read_tarball(tarball, archive), quiet)
            finally:
                tarball.unlink(missing_ok=True)
        return
    path = Path(url2pathname(urlsplit(place).path)) if fetch.is_url(place) else Path(place).expanduser()
    if not path.exists():
        raise DataError(f"get_cifar10: source must be a tarball, a folder or a URL, got {place!r}, not found; {advice}")
    with store.new_folder("get_cifar10", "cifar10") as folder:
        if path.is_file():
            fetch.check_file(path, size=archive.size, sha256=archive.sha256, advice=advice)
        batches = _read_tarball(path, archive) if path.is_file() else _read_folder(path, archive)
        _store(folder, archive, batches, quiet)


def _store(folder: Path, archive: Archive, batches: Iterator[tuple[str, bytes]], quiet: bool) -> None:
    """Write the six batches and the description; batches yields (file name, pickle) in any order."""
    from tqdm.auto import tqdm

    out: dict[str, tuple[NDArray, NDArray]] = {}
    for split, count in (("train", archive.train), ("test", archive.test)):
        images = store.write_array(folder, f"{split}_images", (count, 32, 32, 3), np.uint8)
        out[split] = images, store.write_array(folder, f"{split}_labels", (count,), np.int64)
    missing = {META, *BATCHES["train"], *BATCHES["test"]}
    for file_name, blob in tqdm(batches, total=len(missing), desc="Reading cifar10", unit=" files", disable=quiet):
        if file_name not in missing:
            raise DataError(f"get_cifar10: the archive must hold {file_name} once, got it twice; refused")
        missing.remove(file_name)
        content = read_batch(blob, file_name)
        if file_name == META:
            names = content.get(b"label_names")
            if names != [name.encode() for name in archive.classes]:
                raise DataError(f"get_cifar10: label_names must be {list(archive.classes)}, got {names!r}; refused")
            continue
        split = "test" if file_name in BATCHES["test"] else "train"
        at, count = BATCHES[split].index(file_name), len(out[split][1]) // len(BATCHES[split])
        rows, labels = _pixels_and_labels(content, file_name, count, len(archive.classes))
        here = slice(at * count, (at + 1) * count)
        out[split][0][here] = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # planes R, G, B -> pixels RGB
        out[split][1][here] = labels
    if missing:
        raise DataError(f"get_cifar10: the archive must hold {', '.join(sorted(missing))}, got none; refused")
    for arrays in out.values():
        for array in arrays:
            array.flush()  # type: ignore[attr-defined]
    store.write_meta(folder, title=archive.title, classes=archive.classes)


def _pixels_and_labels(content: dict, file_name: str, count: int, classes: int) -> tuple[NDArray, NDArray]:
    rows, labels = content.get(b"data"), content.get(b"labels")
    if not isinstance(rows, PixelArray) or rows.value.shape != (count, 3072):
        shape = rows.value.shape if isinstance(rows, PixelArray) else type(rows).__name__
        raise DataError(f"get_cifar10: data of {file_name} must be uint8 ({count}, 3072), got {shape}; refused")
    known = set(range(classes))
    if not isinstance(labels, list) or len(labels) != count or not all(type(k) is int and k in known for k in labels):
        raise DataError(
            f"get_cifar10: labels of {file_name} must be a list of {count} integers from 0 to {classes - 1}, "
            f"got something else; refused"
        )
    return rows.value, np.array(labels, dtype=np.int64)


def _largest(archive: Archive) -> int:
    """Return how many bytes a batch file may have."""
    return max(archive.train // len(BATCHES["train"]), archive.test) * 3072 + SPARE_BYTES


def _read_folder(path: Path, archive: Archive) -> Iterator[tuple[str, bytes]]:
    path = path / FOLDER if (path / FOLDER).is_dir() else path
    for file_name in (META, *BATCHES["train"], *BATCHES["test"]):
        file = path / file_name
        if not file.is_file():
            raise DataError(f"get_cifar10: source must be the folder {FOLDER} with {file_name} in it, got {path}")
        if file.stat().st_size > _largest(archive):
            limit, found = _largest(archive), file.stat().st_size
            raise DataError(f"get_cifar10: {file} must have at most {limit:,} bytes, got {found:,}; refused")
        yield file_name, file.read_bytes()


def _read_tarball(path: Path, archive: Archive) -> Iterator[tuple[str, bytes]]:
    """Yield the batch files of a tarball; refuse the whole archive for one member that has no business in it."""
    wanted = {META, *BATCHES["train"], *BATCHES["test"]}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or name.parts[:1] != (FOLDER,):
                    raise DataError(
                        f"get_cifar10: members of {path} must lie in {FOLDER}/, got {member.name!r}; refused"
                    )
                if not (member.isfile() or member.isdir()):
                    kind = "a link" if member.issym() or member.islnk() else "a device"
                    raise DataError(
                        f"get_cifar10: members of {path} must be plain files, got {kind}, {member.name!r}; refused"
                    )
                if member.size > _largest(archive):
                    raise DataError(
                        f"get_cifar10: {member.name} in {path} must have at most {_largest(archive):,} bytes, "
                        f"got {member.size:,}; refused"
                    )
                file = tar.extractfile(member)
                if file is not None and len(name.parts) == 2 and name.name in wanted:
                    yield name.name, file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"get_cifar10: {path} must be a whole tar.gz archive, got {type(error).__name__}: {error}"
        ) from error
