"""Images and labels for every notebook: `data = load_dataset()`, then `data.train.images` and `data.train.labels`.

Images stay on disk as uint8 and are read through a memory map, so 50,000 of them load in milliseconds and cost memory
only where you look. Arithmetic needs floats: `split.rows()` makes them, for as many images as you keep.

    data = load_dataset().subset(train=5_000, test=500)
    x, y = data.train.rows(), data.train.labels     # float32 (5000, 3072), int64 (5000,)
"""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs231n_lib import store
from cs231n_lib.images import import_images
from cs231n_lib.store import DataError, remove_dataset

__all__ = [
    "DataError",
    "Dataset",
    "Split",
    "data_status",
    "get_dataset",
    "import_images",
    "load_dataset",
    "remove_dataset",
]

PREFERENCE = ("cifar10", "cifar10-jpeg", "shapes10")  # the real thing first; the last can always be drawn


@dataclass(frozen=True, eq=False)
class Split:
    """Some images and their labels.

    images : uint8 (N, H, W, 3), RGB in [0, 255], read-only
    labels : int64 (N,), each an index into `Dataset.classes`, read-only
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self):,} images of {'x'.join(map(str, self.images.shape[1:]))})"

    def __getitem__(self, index: slice) -> "Split":
        """Return the images and labels of a slice, such as `split[:500]`; a view, no pixel is copied."""
        if not isinstance(index, slice):
            raise TypeError(
                f"Split: index must be a slice such as [:500], got {index!r}; for one image write split.images[i]"
            )
        return Split(self.images[index], self.labels[index])

    def rows(self) -> NDArray[np.float32]:
        """Return each image as one row of floats: float32 (N, H*W*3) in [0, 255], a new array.

        A 32x32 image takes 12 KiB as floats: 5,000 take 61 MB and 50,000 take 614 MB, so slice first.
        """
        return self.images.reshape(len(self), -1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: what it is called, its classes in label order, and its splits. `val` is empty until `subset`."""

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split

    def __repr__(self) -> str:
        size = "x".join(map(str, self.train.images.shape[1:]))
        counts = ", ".join(f"{key} {len(getattr(self, key)):,}" for key in ("train", "val", "test"))
        return f"Dataset({self.name}: {len(self.classes)} classes, {counts} images of {size})"

    def subset(self, *, train: int | None = None, val: int = 0, test: int | None = None) -> "Dataset":
        """Return a smaller data set: the first `train` training images, the next `val`, the first `test` test images.

        None means all (for `train`: all that `val` leaves). The stored order is already mixed, so the first images
        hold every class, and everyone who asks for the same numbers gets the same images. Views: nothing is copied.
        """
        for key, count in (("train", train), ("val", val), ("test", test)):
            if count is not None and (not isinstance(count, int | np.integer) or count < 0):
                raise DataError(f"subset: {key} must be a whole number of images, 0 or more, got {count!r}")
        train = max(0, len(self.train) - val) if train is None else train
        test = len(self.test) if test is None else test
        if train + val > len(self.train):
            raise DataError(
                f"subset: train + val must be at most the {len(self.train):,} training images of {self.name}, "
                f"got {train:,} + {val:,}; ask for fewer"
            )
        if test > len(self.test):
            raise DataError(
                f"subset: test must be at most the {len(self.test):,} test images of {self.name}, got {test:,}; "
                f"ask for fewer"
            )
        return replace(self, train=self.train[:train], val=self.train[train : train + val], test=self.test[:test])

    def target(self, model: str) -> float:
        """Return the validation accuracy, in [0, 1], that the course asks of a model on this data set.

        model : "softmax", "two_layer", "features", "deep" or "convnet", a key of `targets` in datasets/registry.toml
        Raises DataError where the registry has no such target.
        """
        targets = store.read_registry().get(self.name, {}).get("targets", {})
        if not targets:
            raise DataError(
                f"target: data set must have a table [{self.name}.targets] in datasets/registry.toml, got none; "
                f"add it, with a line such as {model} = 0.4, or work on one of {', '.join(PREFERENCE)}"
            )
        if model not in targets:
            raise DataError(f"target: model must be one of {', '.join(targets)}, got {model!r}")
        return float(targets[model])


def load_dataset(name: str | None = None, *, quiet: bool = False) -> Dataset:
    """Open a data set, all of it, in milliseconds; print one line that says which, unless quiet.

    name : a stored data set, or "shapes10", which is drawn at its first use. None takes $CS231N_DATASET when it is
        set, else the first one present of cifar10, cifar10-jpeg and shapes10.
    Raises DataError when the data set is not there or is damaged.
    """
    why = ""
    if name is None:
        name = os.environ.get("CS231N_DATASET") or next(
            (n for n in PREFERENCE if store.read_meta(n) is not None), PREFERENCE[-1]
        )
        why = " (chosen by CS231N_DATASET)" if os.environ.get("CS231N_DATASET") else ""
    store.check_name("load_dataset", name)
    if name == "shapes10":
        _draw_shapes10_once(quiet=quiet)
    meta = store.read_meta(name)
    if meta is None:
        there = ", ".join(sorted({"shapes10", *store.stored_names()}))
        raise DataError(
            f"load_dataset: name must be a data set that is here ({there}), got {name!r}{why}; "
            f"run `cs231n data get cifar10`, or `cs231n data import {name} PATH` for your own images"
        )
    arrays = store.read_arrays(name)
    train = Split(arrays["train_images"], arrays["train_labels"])
    test = Split(arrays["test_images"], arrays["test_labels"])
    data = Dataset(name, meta["title"], tuple(meta["classes"]), train, train[:0], test)
    if not quiet:
        size = "x".join(map(str, train.images.shape[1:]))
        print(f"Loaded {name}{why}: {data.title}; {len(train):,} training and {len(test):,} test images of {size}.")
    return data


def get_dataset(name: str, source: str | os.PathLike[str] | None = None, *, quiet: bool = False) -> None:
    """Fetch or draw a data set of the registry: "cifar10" or "shapes10".

    source : for cifar10, a tarball, an extracted folder or a mirror's URL to take instead of the official address
    Raises DataError for any other name and for whatever goes wrong on the way; nothing half-made stays behind.
    """
    if name == "cifar10":
        from cs231n_lib.cifar10 import get_cifar10  # here, because it is used once in a student's course

        get_cifar10(source, quiet=quiet)
    elif name == "shapes10" and source is None:
        _draw_shapes10_once(quiet=quiet)
    elif name == "shapes10":
        raise DataError(f"get_dataset: source must be absent for shapes10, which is drawn, got {str(source)!r}")
    else:
        raise DataError(
            f"get_dataset: name must be cifar10 or shapes10, got {name!r}; "
            f"run `cs231n data import NAME PATH` for your own zip or folder of images"
        )


def data_status() -> list[dict[str, Any]]:
    """Return one dict for each data set, those that the course knows first and then other stored ones.

    Keys: name, title, present (bool), train and test (images, 0 when absent), megabytes (on disk), folder (Path), get
    (the command that brings it), problem (a line when the stored set is damaged, else "").
    """
    commands = {"cifar10": "cs231n data get cifar10", "shapes10": "cs231n data get shapes10"}
    registry = store.read_registry()
    report = []
    for name in [*PREFERENCE, *(n for n in store.stored_names() if n not in PREFERENCE)]:
        folder = store.cache_folder() / name
        meta = store.read_meta(name)
        arrays, problem = {}, ""
        try:
            arrays = store.read_arrays(name) if meta else {}
        except DataError as error:
            problem = str(error)
        report.append(
            {
                "name": name,
                "title": (meta or registry.get(name, {})).get("title", ""),
                "present": meta is not None,
                "train": len(arrays.get("train_labels", ())),
                "test": len(arrays.get("test_labels", ())),
                "megabytes": round(store.folder_bytes(folder) / 1e6, 1) if meta else 0.0,
                "folder": folder,
                "get": commands.get(name, f"cs231n data import {name} PATH"),
                "problem": problem,
            }
        )
    return report


def _draw_shapes10_once(*, quiet: bool) -> None:
    """Draw shapes10 into the cache unless this version of it is there."""
    from cs231n_lib import shapes10

    meta = store.read_meta("shapes10")
    if meta is not None and meta.get("version") == shapes10.VERSION:
        return
    if not quiet:
        print("Drawing shapes10 (12,000 images, once, some seconds) ...", flush=True)
    with store.new_folder("load_dataset", "shapes10", replace=meta is not None) as folder:
        for key, array in zip(store.ARRAYS, shapes10.draw_splits(), strict=True):
            np.save(folder / f"{key}.npy", array)
        store.write_meta(folder, title=shapes10.TITLE, classes=shapes10.CLASSES, version=shapes10.VERSION)
