"""Where data sets live on disk: one folder each, four .npy files and a description, written whole or not at all.

    <cache>/<name>/train_images.npy  uint8 (N, H, W, 3)      train_labels.npy  int64 (N,)
                   test_images.npy   uint8 (M, H, W, 3)      test_labels.npy   int64 (M,)
                   meta.json         {"title": ..., "classes": [...], "version": ...}

Reading needs no right to write. Two processes may store the same set at once: each writes a private folder, and a
rename puts one of them in place.
"""

import contextlib
import errno
import json
import math
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATASETS = Path(__file__).resolve().parents[1] / "datasets"  # beside the package in a clone and in a student zip
REGISTRY = DATASETS / "registry.toml"
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class DataError(ValueError):
    """A data set that is missing, damaged, refused or unreachable. The message is one line and says what to do."""


def cache_folder() -> Path:
    """Return the folder of the data sets: $CS231N_DATA, else datasets/cache of the course, else ~/.cache/cs231n."""
    chosen = os.environ.get("CS231N_DATA")
    if chosen:
        return Path(chosen).expanduser()
    beside = DATASETS / "cache"
    if DATASETS.is_dir() and (os.access(beside if beside.is_dir() else DATASETS, os.W_OK) or stored_names(beside)):
        return beside
    return Path("~/.cache/cs231n").expanduser()


def check_name(function: str, name: str) -> str:
    """Return name, or raise DataError: it becomes a folder, so it may not climb out of the cache."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise DataError(f"{function}: name must be 1 to 64 of a-z, 0-9, '-' and '_', got {name!r}; try 'my-data'")
    return name


def read_registry() -> dict[str, dict[str, Any]]:
    """Return the registry's tables by data set; {} where the package was installed without its `datasets` folder."""
    try:
        return tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def stored_names(folder: Path | None = None) -> list[str]:
    """Return the names of the data sets in the cache, sorted."""
    folder = folder or cache_folder()
    return sorted(p.parent.name for p in folder.glob("*/meta.json") if not p.parent.name.startswith("."))


def read_meta(name: str) -> dict[str, Any] | None:
    """Return a stored set's description, or None when the set is not there (or its description cannot be read)."""
    try:
        return json.loads((cache_folder() / name / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_arrays(name: str) -> dict[str, NDArray]:
    """Open a stored set's four arrays by memory map: read-only, and no pixel is read before it is used."""
    folder = cache_folder() / name
    arrays = {}
    try:
        for key in ARRAYS:
            # asarray drops the memmap subclass, whose results (a sum, a row) print oddly; the map stays the base.
            arrays[key] = np.asarray(np.load(folder / f"{key}.npy", mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"load_dataset: {folder} must hold a complete data set, got {type(error).__name__} on {key}.npy; "
            f"run `cs231n data remove {name}` and get or import it again"
        ) from error
    return arrays


@contextlib.contextmanager
def new_folder(function: str, name: str, *, replace: bool = True) -> Iterator[Path]:
    """Yield a private empty folder in the cache; it becomes `<cache>/<name>` when the block ends without an error.

    Whatever happens (an exception, Ctrl-C), the private folder is gone afterwards, and a set already stored under that
    name stays until the new one is complete. With replace=False a set that another process stored meanwhile is kept.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
    except OSError as error:
        raise DataError(
            f"{function}: the cache folder must be writable to store {name}, got {cache} ({error.strerror}); "
            f"set CS231N_DATA to a folder that is yours"
        ) from error
    try:
        private.chmod(0o755)  # mkdtemp's 0700 would keep other users out of a shared cache
        yield private
        _put_in_place(function, private, cache / name, replace)
    except OSError as error:
        raise DataError(
            f"{function}: the files of {name} must be readable and {cache} must take them, got {error}; "
            f"free some space, or set CS231N_DATA to another folder"
        ) from error
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _put_in_place(function: str, private: Path, final: Path, replace: bool) -> None:
    """Rename private to final. A folder cannot be renamed over a full one, so an older set first moves aside."""
    aside = private.with_name(private.name + "-old")
    for _ in range(20):  # another process may put its own copy there between our two renames
        if replace:
            with contextlib.suppress(FileNotFoundError):
                final.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            private.rename(final)
            return
        if not replace and (final / "meta.json").is_file():
            return
    raise DataError(f"{function}: {final} must be free to write, got something that keeps taking its place; try again")


def write_array(folder: Path, key: str, shape: Sequence[int], dtype: type) -> NDArray:
    """Return a new array on disk, `<folder>/<key>.npy`, to fill in place: it never lies in memory as a whole."""
    needed, free = math.prod(shape) * np.dtype(dtype).itemsize, shutil.disk_usage(folder).free
    if needed > free:  # asked now, because a full disk kills the process that writes to a memory map
        raise OSError(errno.ENOSPC, f"{needed:,} bytes needed and {free:,} free", str(folder))
    return np.lib.format.open_memmap(folder / f"{key}.npy", mode="w+", dtype=dtype, shape=tuple(shape))


def write_meta(folder: Path, *, title: str, classes: Sequence[str], version: int = 1) -> None:
    """Describe the set; the last file written, since its presence says that the set is complete."""
    meta = {"title": title, "classes": list(classes), "version": version}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def remove_dataset(name: str) -> int:
    """Delete a stored data set and return the bytes freed; raise DataError when it is not there."""
    folder = cache_folder() / check_name("remove_dataset", name)
    if not folder.is_dir():
        there = ", ".join(stored_names()) or "none"
        raise DataError(f"remove_dataset: name must be a stored data set ({there}), got {name!r}")
    freed = folder_bytes(folder)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise DataError(f"remove_dataset: {folder} must be writable to delete it, got {error.strerror}") from error
    return freed


def folder_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
