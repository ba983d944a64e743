"""A checkpoint file: arrays by name in one .npz, written whole or not at all, and read without running anything."""

import contextlib
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "cs231n-solver-1"


def write_checkpoint(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `arrays` to `path`, atomically: a crash at any moment leaves the old file or the new one."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, format=np.array(FORMAT), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # a rename is atomic within one file system, hence the same folder
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def read_checkpoint(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a checkpoint. Never unpickles: a checkpoint from a stranger can be wrong, but cannot act."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Solver.load: path must be a checkpoint of Solver.save, got {path} ({error})") from error
    if str(arrays.pop("format", None)) != FORMAT:
        raise ValueError(f"Solver.load: path must be a checkpoint of format {FORMAT}, got another file: {path}")
    return arrays


def with_prefix(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with `prefix/` before each name."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def under_prefix(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin with `prefix/`, without it."""
    return {n.removeprefix(f"{prefix}/"): value for n, value in arrays.items() if n.startswith(f"{prefix}/")}


def pack_rng(rng: np.random.Generator) -> np.ndarray:
    """Return the state of a Generator as JSON text in an array; PCG64 holds integers too long for any dtype."""
    return np.array(json.dumps(rng.bit_generator.state, default=lambda value: value.tolist()))


def unpack_rng(rng: np.random.Generator, packed: np.ndarray) -> None:
    """Set the state of a Generator of the same kind to what `pack_rng` returned."""
    state: dict[str, Any] = json.loads(str(packed))
    kind = rng.bit_generator.state["bit_generator"]
    if state["bit_generator"] != kind:
        raise ValueError(f"Solver.load: rng must be of kind {state['bit_generator']} like the saved one, got {kind}")
    rng.bit_generator.state = state
