"""Values that may cross between a student's code and the code that judges it.

A value is packed into a JSON header and a list of raw byte buffers, never a pickle: reading it back cannot run code.
The same packing is used inside a notebook, so a check behaves alike in a student's kernel and across a sandbox's pipe.

Plain: None, bool, int, float, complex, str, bytes, tuple, list, set, dict, NumPy scalars and arrays, torch tensors
(which arrive as `tensors.Tensor`: values, dtype and device). Everything else is opaque and is left to the `opaque`
callbacks of `pack` and `unpack` (handles of objects, callbacks into the judge).
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .tensors import Tensor, by_value, is_tensor

MAX_DEPTH = 24
MAX_ITEMS = 200_000
MAX_BITS = 4_096  # of one int: JSON writes decimals, and Python refuses more than 4,300 of them
MAX_KEYS = 2_000  # of all sets and dicts in one message: keys made to collide take the square of their number
MAX_TEXT = 1_000_000  # characters of one string
MAX_BYTES = 512_000_000  # of all buffers of one message
PLAIN_KINDS = "biufcUS"  # dtype kinds: bool, int, uint, float, complex, str, bytes

Opaque = Callable[[Any], dict]
Reveal = Callable[[dict], Any]
Revive = Callable[[Tensor], Any]


class WireError(ValueError):
    """A value that cannot be passed by value, or a message that is not well formed."""

    symptom = "not-plain"


class TooLarge(WireError):
    """A value with more bytes than one message may have."""

    symptom = "too-large"


class Garbled(WireError):
    """A message that no honest side sends."""

    symptom = "garbled"


def _no_opaque(value: Any) -> dict:
    raise WireError(
        f"pack: value must be plain data (numbers, strings, arrays, lists, dicts), got {type(value).__name__}"
    )


def _no_reveal(header: dict) -> Any:
    raise WireError(f"unpack: header must describe plain data, got {sorted(header)}")


def pack(value: Any, *, opaque: Opaque = _no_opaque) -> tuple[Any, list[bytes]]:
    """Return (header, buffers): a JSON-ready description of `value` and the bytes of its arrays.

    opaque : called with each value that is not plain; returns a dict without the keys used here, or raises
    Raises WireError if `value` is too deep, too large, or not plain.
    """
    buffers: list[bytes] = []
    count = keys = 0

    def walk(v: Any, depth: int) -> Any:
        nonlocal count, keys
        count += 1
        if depth > MAX_DEPTH or count > MAX_ITEMS:
            raise WireError(f"pack: value must have at most {MAX_DEPTH} levels and {MAX_ITEMS} items, got more")
        kind = type(v)
        if v is None or kind is bool:
            return v
        if kind is int:
            return v if v.bit_length() <= MAX_BITS else opaque(v)
        if kind is str:
            if len(v) > MAX_TEXT:
                raise WireError(f"pack: text must have at most {MAX_TEXT} characters, got {len(v)}")
            return v
        if kind is float:
            return v if math.isfinite(v) else {"float": repr(v)}
        if kind is complex:
            return {"complex": [repr(v.real), repr(v.imag)]}
        if kind is bytes:
            buffers.append(v)
            return {"bytes": len(v)}
        if kind in (set, frozenset, dict, OrderedDict):
            keys += len(v)
            if keys > MAX_KEYS:  # it may be a cache that only its owner reads: then a handle will do
                return opaque(v)
        if isinstance(v, tuple):
            kind = tuple  # a named one too: it is taken apart like any other
        if kind in (tuple, list, set, frozenset):
            items = sorted(v, key=repr) if kind in (set, frozenset) else v
            return {kind.__name__: [walk(item, depth + 1) for item in items]}
        if kind in (dict, OrderedDict):
            return {"dict": [[walk(k, depth + 1), walk(item, depth + 1)] for k, item in v.items()]}
        if isinstance(v, np.generic) and v.dtype.kind in PLAIN_KINDS:
            buffers.append(v.tobytes())
            return {"scalar": v.dtype.str}
        if isinstance(v, np.ndarray) and v.dtype.kind in PLAIN_KINDS:
            v = v.view(np.ndarray)  # a matrix or a masked array crosses as the numbers it holds
            if v.nbytes > MAX_BYTES:
                raise TooLarge(f"pack: an array must have at most {MAX_BYTES} bytes, got {v.nbytes}")
            fortran = v.flags.f_contiguous and not v.flags.c_contiguous
            buffers.append(v.tobytes(order="F" if fortran else "C"))
            return {"array": v.dtype.str, "shape": list(v.shape), "order": "F" if fortran else "C"}
        if kind is type(Ellipsis):
            return {"ellipsis": True}
        if kind is Tensor or is_tensor(v):
            return tensor(v, depth)
        return opaque(v)

    def tensor(v: Any, depth: int) -> dict:
        try:
            sent = v if type(v) is Tensor else by_value(v)
        except (RuntimeError, TypeError) as error:
            raise WireError(f"pack: a tensor must have dense values, got {str(error).splitlines()[0][:120]}") from error
        header = {"tensor": walk(sent.values, depth + 1), "dtype": sent.dtype, "device": sent.device}
        header |= {"requires_grad": sent.requires_grad, "leaf": sent.leaf}
        if sent is not v and sent.requires_grad and opaque is not _no_opaque:
            header["handle"] = opaque(v)["handle"]
        return header

    return walk(value, 0), buffers


def unpack(
    header: Any, buffers: list[bytes], *, opaque: Reveal = _no_reveal, revive: Revive = lambda tensor: tensor
) -> Any:
    """Rebuild the value that `pack` described. Arrays are fresh, writable copies.

    revive : what becomes of a `Tensor`: the student's side makes a torch tensor of it
    Raises WireError if the header and the buffers do not describe one plain value.
    """
    remaining = iter(buffers)
    keys = 0

    def take(dtype_text: Any, shape: Any) -> np.ndarray:
        dtype = np.dtype(dtype_text) if isinstance(dtype_text, str) else None
        if dtype is None or dtype.kind not in PLAIN_KINDS or not _is_shape(shape):
            raise WireError(f"unpack: array must have a plain dtype and a shape, got {dtype_text!r}, {shape!r}")
        raw = next(remaining, None)
        if raw is None or len(raw) != dtype.itemsize * math.prod(shape):
            raise WireError(
                f"unpack: buffer must hold {shape} of {dtype}, got {None if raw is None else len(raw)} bytes"
            )
        return np.frombuffer(bytearray(raw), dtype=dtype) if raw else np.empty(0, dtype)

    def walk(h: Any, depth: int) -> Any:
        nonlocal keys
        if depth > MAX_DEPTH:
            raise WireError(f"unpack: header must have at most {MAX_DEPTH} levels, got more")
        if h is None or isinstance(h, bool | int | float | str):
            return h
        if not isinstance(h, dict) or not h:
            raise WireError(f"unpack: header must be a value or an object, got {type(h).__name__}")
        tag = next(iter(h))
        body = h[tag]
        if tag == "array":
            shape = h.get("shape")
            return take(body, shape).reshape(shape, order="F" if h.get("order") == "F" else "C")
        if tag == "scalar":
            return take(body, [])[0]
        if tag in ("set", "frozenset", "dict"):
            keys += len(_listed(body))
            if keys > MAX_KEYS:
                raise TooLarge(f"unpack: sets and dicts must have at most {MAX_KEYS} keys in all, got {keys}")
        if tag in ("tuple", "list", "set", "frozenset"):
            items = (walk(item, depth + 1) for item in _listed(body))
            return {"tuple": tuple, "list": list, "set": set, "frozenset": frozenset}[tag](items)
        if tag == "dict":
            return {walk(k, depth + 1): walk(v, depth + 1) for k, v in _listed(body)}
        if tag == "float":
            return float(body)
        if tag == "complex":
            return complex(float(body[0]), float(body[1]))
        if tag == "bytes":
            return bytes(next(remaining, b""))
        if tag == "ellipsis":
            return ...
        if tag == "tensor":
            return tensor(h, depth)
        return opaque(h)

    def tensor(h: dict, depth: int) -> Any:
        values, names = walk(h["tensor"], depth + 1), (h.get("dtype"), h.get("device"))
        flags = h.get("requires_grad"), h.get("leaf")
        texts = all(isinstance(name, str) and len(name) <= 32 for name in names)
        if not isinstance(values, np.ndarray) or not texts or not all(isinstance(flag, bool) for flag in flags):
            raise WireError(f"unpack: a tensor must have values, a dtype and a device, got {sorted(h)}")
        made = Tensor(values, *names, *flags)  # type: ignore[arg-type]
        if "handle" in h and opaque is not _no_reveal:
            made = replace(made, handle=opaque({"handle": h["handle"], "type": "Tensor"}))
        return revive(made)

    try:
        return walk(header, 0)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(f"unpack: message must be well formed, got {type(error).__name__}: {error}") from error


def _listed(body: Any) -> list:
    if not isinstance(body, list) or len(body) > MAX_ITEMS:
        raise WireError(f"unpack: items must be a list of at most {MAX_ITEMS}, got {type(body).__name__}")
    return body


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)
