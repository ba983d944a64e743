"""The judge's handle on what a student wrote: a function, an object or a plain value, always passed by value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import wire
from .peer import Peer, describe_error


class Transport(Protocol):
    """Carries one request to the student's side and brings the reply back, serving callbacks in between."""

    def request(self, header: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]: ...

    def offer(self, function: Callable) -> int:
        """Register a judge's function that the student's code may call; return its number."""


class StudentError(Exception):
    """The student's code raised. `kind` is the exception's type name, `bases` the names of its base classes too.

    mutated : the arguments that the call had changed when it raised
    """

    def __init__(self, error: dict) -> None:
        # Whatever sends this may say anything: only short text and lists are read.
        self.kind = str(error.get("type", "Exception"))[:80]
        self.bases = tuple(str(name)[:80] for name in _listed(error.get("bases")))
        self.message = str(error.get("message", ""))[:500]
        self.line = str(error.get("line", ""))[:200]
        self.function = str(error.get("function", ""))[:80]
        self.mutated = tuple(m for m in _listed(error.get("mutated")) if isinstance(m, int | str))
        super().__init__(f"{self.kind}: {self.message}")


def _listed(value: Any) -> list:
    return value[:100] if isinstance(value, list) else []


class LimitReached(Exception):
    """The student's code was stopped: time, memory, output, or its process ended.

    kind : which limit, in one word such as "timeout", "budget", "memory_limit" or "process_died"
    """

    def __init__(self, message: str, kind: str = "timeout") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Call:
    """One call: what came back and what was observed. Observations come from the student's side: hints, not proof."""

    value: Any
    seconds: float = 0.0  # inside the function: wall or CPU time, whichever is less; measured by the judge when grading
    peak: int = 0  # bytes allocated at the peak, when measured
    mutated: tuple[int | str, ...] = ()  # arguments that the call changed
    aliases: tuple[int, ...] = ()  # arguments whose memory the result shares
    shares: tuple[tuple[int, ...], ...] = ()  # the same by place: (argument, position in the returned tuple)
    warnings: tuple[str, ...] = ()
    global_random: bool = False  # the call drew from np.random's shared generator, or seeded it
    printed: str = ""


@dataclass
class LocalTransport:
    """Calls a `Peer` in the same process, through the same packing as a pipe would."""

    namespace: dict[str, Any]
    functions: list[Callable] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.peer = Peer(self.namespace, callback=self._callback)

    def request(self, header: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        return self.peer.handle(header, buffers)

    def offer(self, function: Callable) -> int:
        self.functions.append(function)
        return len(self.functions) - 1

    def _callback(self, number: int | str, header: Any, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        return serve_callback(self.functions, number, header, buffers)


def serve_callback(
    functions: list[Callable], number: Any, header: Any, buffers: list[bytes]
) -> tuple[dict, list[bytes]]:
    """Run the judge's function `number` on plain arguments and return the reply for the student's side."""
    if type(number) is not int or not 0 <= number < len(functions):
        return {"error": {"message": f"no such function: {number!r}"}}, []
    args, kwargs = wire.unpack(header, buffers)
    try:
        packed, parts = wire.pack(functions[number](*args, **kwargs))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return {"error": {"message": describe_error(error)["message"]}}, []
    return {"value": packed}, parts


class Subject:
    """What a student wrote, as the judge sees it. Calling it sends copies; plain values come back.

    name : for messages, as the student wrote it
    """

    def __init__(self, transport: Transport, target: str | int, path: tuple[str, ...] = (), name: str = "") -> None:
        self._transport = transport
        self._target = target
        self._path = path
        self.name = name or (target if isinstance(target, str) else "object")
        self.notes: list[str] = []
        self.printed = ""

    @classmethod
    def local(cls, value: Any) -> "Subject":
        """Wrap an object of this process, as the check of a notebook does."""
        return cls(LocalTransport({"subject": value}), "subject", name=getattr(value, "__name__", "your answer"))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs).value

    def call(self, *args: Any, measure: bool = False, **kwargs: Any) -> Call:
        """Call the student's function on copies of the arguments; functions among them become callbacks.

        measure : also trace the peak of allocated memory (slower)
        Raises StudentError if their code raises, LimitReached if it had to be stopped.
        """
        packed, buffers = wire.pack((args, kwargs), opaque=self._expose)
        request = {
            "op": "call",
            "target": self._target,
            "path": list(self._path),
            "arguments": packed,
            "measure": measure,
        }
        reply, parts = self._request(request, buffers)
        try:
            call = self._observed(reply, parts)
        except (TypeError, ValueError, OverflowError) as error:
            raise wire.Garbled(f"Subject: reply must be well formed, got {type(error).__name__}") from error
        self.notes.extend(w for w in call.warnings if w not in self.notes)
        self.printed = call.printed or self.printed
        return call

    def _observed(self, reply: dict, parts: list[bytes]) -> Call:
        return Call(
            self._value(reply, parts),
            float(reply.get("seconds", 0.0)),
            int(reply.get("peak", 0)),
            tuple(reply.get("mutated", ())),
            tuple(reply.get("aliases", ())),
            tuple(tuple(pair) for pair in reply.get("shares", ()) if isinstance(pair, list)),
            tuple(str(w) for w in reply.get("warnings", ())),
            bool(reply.get("global_random", False)),
            str(reply.get("printed", "")),
        )

    def raises(self, kind: str, *args: Any) -> bool:
        """True if the call raises an exception of the class named `kind`; that it is a stub still passes through."""
        try:
            self.call(*args)
        except StudentError as error:
            if error.kind == "NotImplementedError":
                raise
            return kind in error.bases
        return False

    def value(self) -> Any:
        """The plain value itself (an answer, an array); an opaque object comes back as another Subject."""
        reply, parts = self._request({"op": "get", "target": self._target, "path": list(self._path)}, [])
        return self._value(reply, parts)

    def get(self, attribute: str) -> Any:
        """The value of an attribute."""
        return self.attribute(attribute).value()

    def set(self, attribute: str, value: Any) -> None:
        """Set an attribute to a copy of `value`."""
        packed, buffers = wire.pack(value, opaque=self._expose)
        request = {
            "op": "set",
            "target": self._target,
            "path": list(self._path),
            "attribute": attribute,
            "value": packed,
        }
        self._request(request, buffers)

    def attribute(self, name: str) -> "Subject":
        """A handle on an attribute or a method: `subject.attribute("loss")(X, y)`."""
        return Subject(self._transport, self._target, (*self._path, name), name=f"{self.name}.{name}")

    def torch(self) -> "Subject":
        """A handle on PyTorch as the student's code has it: a module or a loss to hand to them must live there."""
        reply, parts = self._request({"op": "torch"}, [])
        return self._value(reply, parts)

    def _expose(self, value: Any) -> dict:
        if isinstance(value, Subject) and isinstance(value._target, int) and not value._path:
            return {"handle": value._target}
        if callable(value):
            return {"callback": self._transport.offer(value)}
        raise wire.WireError(f"Subject: argument must be plain data or a function, got {type(value).__name__}")

    def _request(self, header: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        reply, parts = self._transport.request(header, buffers)
        if "error" in reply:
            raise StudentError(reply["error"] if isinstance(reply["error"], dict) else {})
        return reply, parts

    def _value(self, reply: dict, parts: list[bytes]) -> Any:
        if "value" not in reply:
            raise wire.Garbled(f"Subject: reply must hold a value, got {sorted(map(str, reply))[:5]}")
        return wire.unpack(reply["value"], parts, opaque=self._handle)

    def _handle(self, header: dict) -> "Subject":
        if type(header.get("handle")) is not int:
            raise wire.WireError(f"Subject: reply must be plain data or a handle, got {sorted(header)}")
        return Subject(self._transport, header["handle"], name=str(header.get("type", "object"))[:80])
