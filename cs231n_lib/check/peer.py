"""The student's side of a check: runs their functions on copies and reports what happened.

The same `Peer` serves a notebook (called directly) and a sandboxed process (called over a pipe). It passes values,
never references, so a check in the notebook sees exactly what the judge will see when grading.
"""

import contextlib
import functools
import importlib
import io
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import tensors, wire
from .clock import Stopwatch

MAX_PRINTED = 2000  # characters of a student's own output kept per call
Callback = Callable[[int | str, Any, list[bytes]], tuple[Any, list[bytes]]]


class Tail(io.TextIOBase):
    """A text stream that keeps only the last `MAX_PRINTED` characters, so a flood cannot fill memory."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text = (self.text + text)[-MAX_PRINTED:]
        return len(text)


class Peer:
    """Answers requests about the objects of one namespace.

    namespace : where the names live (a notebook's globals, or {"subject": obj})
    callback : sends a call of a judge's function back to the judge; None refuses functions as arguments
    """

    def __init__(self, namespace: Mapping[str, Any], callback: Callback | None = None) -> None:
        self.namespace = namespace
        self.callback = callback
        self.objects: list[Any] = []

    def handle(self, request: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        """Return the reply (header, buffers) to one request: describe, get, set, call, lend or torch."""
        op = request["op"]
        if op == "describe":
            return {"names": {name: self._kind(name) for name in request["names"] if name in self.namespace}}, []
        try:
            if op == "get":
                return self._reply(self._target(request), {})
            if op == "set":
                setattr(self._target(request), request["attribute"], self._unpack(request["value"], buffers))
                return {"value": None}, []
            if op == "call":
                return self._call(request, buffers)
            if op == "lend":  # a call of the course's own code: nothing to observe, which takes longer than a layer
                args, kwargs = self._unpack(request["arguments"], buffers)
                return self._reply(self._target(request)(*args, **kwargs), {})
            if op == "torch":
                return self._reply(importlib.import_module("torch"), {})
        except (Exception, SystemExit) as error:  # noqa: BLE001 whatever their code raises is a result, not our failure
            return {"error": describe_error(error)}, []
        raise wire.WireError(f"Peer.handle: op must be describe, get, set, call, lend or torch, got {op!r}")

    def _kind(self, name: str) -> str:
        value = self.namespace[name]
        try:
            wire.pack(value)
        except (wire.WireError, RecursionError):
            return "object"
        return "plain"

    def _target(self, request: dict) -> Any:
        target = request["target"]
        found = self.objects[target] if isinstance(target, int) else self.namespace[target]
        for attribute in request.get("path", []):
            found = getattr(found, attribute)
        return found

    def _pack(self, value: Any) -> tuple[Any, list[bytes]]:
        return wire.pack(value, opaque=self._keep)

    def _keep(self, value: Any) -> dict:
        self.objects.append(value)
        return {"handle": len(self.objects) - 1, "type": type(value).__name__, "callable": callable(value)}

    def _unpack(self, header: Any, buffers: list[bytes]) -> Any:
        return wire.unpack(header, buffers, opaque=self._reveal, revive=tensors.revive)

    def _reveal(self, header: dict) -> Any:
        if "handle" in header:
            return self.objects[header["handle"]]
        number = header.get("callback")
        if number is None or self.callback is None:
            raise wire.WireError(f"Peer: argument must be plain data, a handle or a callback, got {sorted(header)}")
        return functools.partial(self.ask, number)

    def ask(self, which: int | str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function of the judge's: one that it handed over as an argument, by number, or one it knows by name.

        Raises RuntimeError with the judge's words if that fails.
        """
        if self.callback is None:
            raise wire.WireError(f"Peer: there is nobody to ask for {which!r}")
        packed, parts = self._pack((args, kwargs))
        reply, reply_buffers = self.callback(which, packed, parts)
        if "error" in reply:
            raise RuntimeError(reply["error"]["message"])
        return self._unpack(reply["value"], reply_buffers)

    def _call(self, request: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        function = self._target(request)
        args, kwargs = self._unpack(request["arguments"], buffers)
        measure = request.get("measure", False)
        printed = Tail()
        with contextlib.ExitStack() as stack:
            caught = stack.enter_context(warnings.catch_warnings(record=True))
            warnings.simplefilter("always")
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(printed))
            stack.enter_context(np.errstate(all="warn"))
            if measure:
                tracemalloc.start()
                stack.callback(tracemalloc.stop)
            shared = np.random.get_state()  # of the generator that all code in a process shares
            watch = Stopwatch()
            try:
                value = function(*args, **kwargs)
            except (Exception, SystemExit) as error:  # noqa: BLE001 as in `handle`; here we also see what is left behind
                changed = self._mutated(args, kwargs, request["arguments"], buffers)
                return {"error": {**describe_error(error), "mutated": changed}}, []
            seconds = watch.read()
            peak = tracemalloc.get_traced_memory()[1] if measure and tracemalloc.is_tracing() else 0
        observed = {
            "seconds": seconds,
            "peak": peak,
            "mutated": self._mutated(args, kwargs, request["arguments"], buffers),
            "aliases": sorted({argument for argument, _ in _shares(value, args)}),
            "shares": _shares(value, args),
            "global_random": wire.pack(np.random.get_state()) != wire.pack(shared),
            "warnings": sorted({f"{w.category.__name__}: {w.message}"[:200] for w in caught})[:5],
            "printed": printed.text,
        }
        return self._reply(value, observed)

    def _mutated(self, args: tuple, kwargs: dict, header: Any, buffers: list[bytes]) -> list[int | str]:
        """Which arguments no longer hold what was sent (functions and handles cannot be compared: skipped)."""
        sent_args, sent_kwargs = self._unpack(header, buffers)
        pairs: list[tuple[int | str, Any, Any]] = [
            (i, a, s) for i, (a, s) in enumerate(zip(args, sent_args, strict=True))
        ]
        pairs += [(key, kwargs[key], sent_kwargs[key]) for key in sent_kwargs if key in kwargs]
        changed = []
        for key, now, sent in pairs:
            try:
                before = wire.pack(sent)
            except wire.WireError:
                continue
            try:
                same = wire.pack(now) == before
            except wire.WireError:
                same = False
            if not same:
                changed.append(key)
        return changed

    def _reply(self, value: Any, observed: dict) -> tuple[dict, list[bytes]]:
        header, parts = self._pack(value)
        return {"value": header, **observed}, parts


def _shares(value: Any, args: tuple) -> list[list[int]]:
    """Pairs [i, p]: array argument i shares memory with the array at position p of the returned tuple (or alone)."""
    returned = value if isinstance(value, tuple) else (value,)
    return [
        [i, p]
        for i, a in enumerate(args)
        for p, v in enumerate(returned)
        if isinstance(a, np.ndarray) and isinstance(v, np.ndarray) and np.may_share_memory(a, v)
    ]


def describe_error(error: BaseException) -> dict:
    """Return the type, message and last student line of an exception, as short plain text."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not f.filename.endswith(("/wire.py", "/runpy.py"))]
    try:
        message = str(error)[:500]
    except BaseException as broken:  # noqa: BLE001 a student's __str__ may raise anything
        message = f"(its message could not be read: {type(broken).__name__})"
    return {
        "type": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "message": message,
        "line": (own[-1].line or "")[:200] if own else "",
        "function": own[-1].name if own else "",
    }
