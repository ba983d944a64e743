"""Read the pickles of CIFAR-10 without trusting them.

A pickle is a small program: it may name any function and call it. Those of CIFAR-10 need five names, to rebuild one
array of bytes, and here even these five lead to stand-ins of our own; any other name is refused before it is imported.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs231n_lib.store import DataError


class _UInt8:
    """Stands for `numpy.dtype("u1")`. A dtype's state is byte order and the like, of no meaning for one byte."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"it holds dtype {code!r} where only u1 belongs")

    def __setstate__(self, state: Any) -> None:
        pass


class PixelArray:
    """Stands for a NumPy array: built from the shape and the raw bytes in the pickle, and from nothing else."""

    value: NDArray[np.uint8]

    def __init__(self, *_: Any) -> None:
        self.value = np.empty((0,), dtype=np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, raw = state
        if not isinstance(dtype, _UInt8) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("it holds an array that is not uint8")
        self.value = np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if column_major else "C")


def _encode(text: Any, codec: Any) -> bytes:
    """Stands for `_codecs.encode`, by which Python 3 writes bytes into a protocol 2 pickle; latin1 is all it uses."""
    if not isinstance(text, str) or codec not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it asks for codec {codec!r} where only latin1 belongs")
    return text.encode("latin1")


ADMITTED: dict[tuple[str, str], Callable] = {
    ("numpy.core.multiarray", "_reconstruct"): PixelArray,
    ("numpy._core.multiarray", "_reconstruct"): PixelArray,
    ("numpy", "ndarray"): PixelArray,  # an argument of _reconstruct
    ("numpy", "dtype"): _UInt8,
    ("_codecs", "encode"): _encode,
}


class _BatchUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which image data never needs")
        return ADMITTED[module, name]


def read_batch(blob: bytes, file_name: str) -> dict:
    """Return the dict in a CIFAR-10 pickle: bytes keys, as Python 2 wrote them; its array is `PixelArray`.

    Raises DataError for anything but a dict of plain values and one uint8 array; no code in the pickle ever runs.
    """
    try:
        content = _BatchUnpickler(io.BytesIO(blob), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise almost anything, and all of it means the same
        raise DataError(
            f"get_cifar10: {file_name} must be a CIFAR-10 batch, got a pickle refused because {error}"
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"get_cifar10: {file_name} must hold a dict, got {type(content).__name__}; refused")
    return content
