"""The official CIFAR-10 archive: fetched, checked, read without trusting it, and stored.

The archive is a tar of pickles, and both formats can carry an attack: a tar member may climb out of its folder, and a
pickle may call any function. So nothing is ever extracted (the members we want are read into memory by name), and the
pickles are read by an unpickler that knows no function at all but harmless stand-ins for the five names that they use.
"""

import io
import os
import pickle
import tarfile
import tomllib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from numpy.typing import NDArray

from cs231n_lib import fetch, store
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
    path = store.DATASETS / "registry.toml"
    try:
        entry = tomllib.loads(path.read_text(encoding="utf-8"))["cifar10"]
        wanted = {key: entry[key] for key in Archive.__dataclass_fields__}
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise DataError(
            f"get_cifar10: {path} must describe cifar10, got {type(error).__name__}: {error}; "
            f"work in a clone of the course or in the folder that your instructor gave you"
        ) from error
    return Archive(**wanted | {"classes": tuple(wanted["classes"])})


def get_cifar10(
    source: str | os.PathLike[str] | None = None, *, archive: Archive | None = None, quiet: bool = False
) -> None:
    """Store CIFAR-10 in its official order.

    source : None for the official address; else a mirror's http, https or file URL, the path of the tarball, or the path
        of the extracted folder `cifar-10-batches-py`. A tarball from anywhere must have the registry's SHA-256.
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
    if path.is_file():
        fetch.check_file(path, size=archive.size, sha256=archive.sha256, advice=advice)
    with store.new_folder("get_cifar10", "cifar10") as folder:
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
            names = tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else n for n in content[b"label_names"])
            if names != archive.classes:
                raise DataError(f"get_cifar10: label_names must be {archive.classes}, got {names}; refused")
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
    if not isinstance(rows, _Array) or rows.value.shape != (count, 3072):
        shape = rows.value.shape if isinstance(rows, _Array) else type(rows).__name__
        raise DataError(f"get_cifar10: data of {file_name} must be uint8 ({count}, 3072), got {shape}; refused")
    good = isinstance(labels, list) and len(labels) == count
    if not good or not all(type(k) is int and 0 <= k < classes for k in labels):
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
            raise DataError(
                f"get_cifar10: {file} must have at most {_largest(archive):,} bytes, got {file.stat().st_size:,}; refused"
            )
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


class _UInt8:
    """Stands for `numpy.dtype("u1")`. A dtype's state is byte order and the like, of no meaning for one byte."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"dtype {code!r}, where only u1 belongs")

    def __setstate__(self, state: Any) -> None:
        pass


class _Array:
    """Stands for a NumPy array: built from the shape and the raw bytes in the pickle, and from nothing else."""

    value: NDArray[np.uint8]

    def __init__(self, *_: Any) -> None:
        self.value = np.empty((0,), dtype=np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, raw = state
        if not isinstance(dtype, _UInt8) or not isinstance(raw, bytes) or column_major:
            raise pickle.UnpicklingError("an array that is not row-major uint8")
        self.value = np.frombuffer(raw, dtype=np.uint8).reshape(shape)


def _encode(text: Any, codec: Any) -> bytes:
    """Stands for `_codecs.encode`, by which Python 3 writes bytes into a protocol 2 pickle; latin1 is all it uses."""
    if not isinstance(text, str) or codec not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"codec {codec!r}, where only latin1 belongs")
    return text.encode("latin1")


ADMITTED: dict[tuple[str, str], Callable] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,  # an argument of _reconstruct
    ("numpy", "dtype"): _UInt8,
    ("_codecs", "encode"): _encode,
}


class _BatchUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which image data never needs")
        return ADMITTED[module, name]


def read_batch(blob: bytes, file_name: str) -> dict:
    """Return the dict in a CIFAR-10 pickle: bytes keys, as Python 2 wrote them; its array is `_Array`.

    Raises DataError for anything but a dict of plain values and one uint8 array; no code in the pickle ever runs.
    """
    try:
        content = _BatchUnpickler(io.BytesIO(blob), encoding="bytes").load()
    # A damaged pickle can raise almost anything; all of it means the same.
    except Exception as error:
        raise DataError(
            f"get_cifar10: {file_name} must be a CIFAR-10 batch, got a pickle refused because {error}"
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"get_cifar10: {file_name} must hold a dict, got {type(content).__name__}; refused")
    return content
