"""A running box as the judge sees it: frames with deadlines and caps over two pipes, whatever stands behind them."""

import json
import os
import select
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cs231n_lib.check.subject import LimitReached, serve_callback

from .inside.runner import FRAME

MAX_HEADER = 16_000_000  # bytes
MAX_BUFFERS = 10_000
MAX_PAYLOAD = 512_000_000  # bytes of all buffers of one frame
START_SECONDS = 60.0
PATIENCE = 4.0  # wall seconds per CPU second that a call or a cell may take
SLICE = 0.2  # seconds between two looks at the clocks and the memory of a box


class BoxFault(RuntimeError):
    """The machine's fault, not the student's: the box did not start. Retry; never a zero."""


class BoxDied(LimitReached):
    """The student's process ended in the middle of a request."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one box. `call` and `cell` are CPU seconds for one call and one cell; sizes are bytes.

    On the wall clock each may take `PATIENCE` times as long: a busy grader is not the student's fault. `question` and
    `total` bound the wall seconds that the boxes of one question, and of one notebook, may keep the judge waiting.
    """

    call: float = 20.0
    cell: float = 60.0
    cpu: int = 600
    question: float = 300.0
    total: float = 900.0
    memory: int = 4_000_000_000
    file_size: int = 64_000_000
    processes: int = 256
    scratch: int = 256_000_000

    def for_child(self) -> dict[str, int]:
        return {
            "AS": self.memory,
            "CPU": self.cpu,
            "FSIZE": self.file_size,
            "NPROC": self.processes,
            "NOFILE": 256,
            "CORE": 0,
        }


@dataclass
class Purse:
    """Wall seconds that are left to what is asked of one student at the moment, over all the boxes it needs."""

    left: float


@dataclass(frozen=True)
class Budget:
    """When a request has to be stopped: a time on the wall clock, and one on the clock of the box's CPU time."""

    wall: float
    cpu: float
    kind: str = "timeout"  # or "budget": which of the two bounds the wall clock


class Inmate(Protocol):
    """A process for a student's code, behind whichever walls. reading, writing : descriptors of its two pipes."""

    reading: int
    writing: int

    def cpu_seconds(self) -> float:
        """CPU time so far as the kernel counts it; nothing inside can change it."""

    def memory(self) -> int:
        """Bytes that its processes hold by now, all together."""

    def end(self, patience: float = 0.0) -> str:
        """Kill it, wait until all that ran in it is gone, and say how it had ended: "" if by this call.

        patience : seconds to let it end by itself first
        """


class Lend(Protocol):
    """Works out a function of the course's that a box may call by its name. Raises LimitReached."""

    def __call__(
        self, name: str, arguments: object, buffers: list[bytes], seconds: float, watch: Callable[[], None]
    ) -> tuple[dict, list[bytes]]: ...


@dataclass
class Box:
    """A transport for subjects. One request at a time; every read has a deadline and a cap.

    lend : serves what the box calls by name; None refuses it
    watch : called now and then while this box is waited for; may raise LimitReached
    """

    inmate: Inmate
    limits: Limits
    purse: Purse = field(default_factory=lambda: Purse(float("inf")))
    lend: Lend | None = None
    watch: Callable[[], None] | None = None
    functions: list[Callable] = field(default_factory=list)
    alive: bool = True
    looked: float = field(default_factory=time.monotonic)  # when the clocks and the memory were read last

    def __post_init__(self) -> None:
        os.set_blocking(self.inmate.writing, False)
        try:
            self._receive(Budget(time.monotonic() + START_SECONDS, float("inf")))
        except LimitReached as error:
            self.close()
            raise BoxFault(f"the box did not start: {error}") from error

    def run(self, source: str, seconds: float | None = None, *, draw: bool = False) -> dict:
        """Run one cell. Returns the child's report: "error" (None or a description), "text", "results", "pictures".

        seconds : CPU time that it may take, if not the limit of a cell
        draw : its figures: only where somebody will look at them, for one takes longer than most answers
        """
        start, budget = time.monotonic(), self._budget(seconds or self.limits.cell)
        try:
            reply, _ = self._converse({"op": "run", "source": source, "draw": draw}, [], budget)
        finally:
            self.purse.left -= time.monotonic() - start
        return reply

    def request(self, header: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        wall, cpu, budget = time.monotonic(), self.inmate.cpu_seconds(), self._budget(self.limits.call)
        try:
            reply, parts = self._converse(header, buffers, budget)
            # What the box says of its own speed does not count.
            seconds = min(time.monotonic() - wall, self.inmate.cpu_seconds() - cpu)
            return {**reply, "seconds": seconds}, parts
        finally:
            self.purse.left -= time.monotonic() - wall

    def _converse(self, header: dict, buffers: list[bytes], budget: Budget) -> tuple[dict, list[bytes]]:
        """Send a request and return the reply to it, serving what the box asks meanwhile.

        The judge's functions are for what a test cell calls: no cell and no list of names has an honest use for them.
        """
        functions = [] if header["op"] in ("run", "describe") else self.functions
        self._send(header, buffers, budget)
        while True:
            reply, parts = self._receive(budget)
            if "callback" not in reply:
                return reply, parts
            which, arguments = reply["callback"], reply.get("arguments")
            if isinstance(which, str) and self.lend is not None:
                self._send(*self._borrow(self.lend, which, arguments, parts, budget), budget)
            else:
                self._send(*serve_callback(functions, which, arguments, parts), budget)

    def _borrow(
        self, lend: Lend, name: str, arguments: object, buffers: list[bytes], budget: Budget
    ) -> tuple[dict, list[bytes]]:
        try:
            # Its own clocks and memory are looked at meanwhile too: it may have more than one process.
            return lend(name, arguments, buffers, budget.wall - time.monotonic(), lambda: self._check(budget))
        except RecursionError:  # nested so deeply that it could just be read, and not be written again
            return self._stop("it sent a message that is not well formed", "protocol_violation")
        except LimitReached:
            self.close()  # it waits for an answer that will not come
            raise

    def offer(self, function: Callable) -> int:
        self.functions.append(function)
        return len(self.functions) - 1

    def withdraw(self) -> None:
        """Refuse every function offered so far, from now on: its question is over, and it may answer the next one."""
        self.functions[:] = [_withdrawn] * len(self.functions)

    def close(self, patience: float = 0.0) -> str:
        """End the box and give back its pipes. Returns how it had ended by itself, if it had within `patience` s."""
        if not self.alive:
            return ""
        self.alive = False
        how = self.inmate.end(patience)
        os.close(self.inmate.reading)
        os.close(self.inmate.writing)
        return how

    def _budget(self, seconds: float) -> Budget:
        if self.purse.left <= 0:
            self._stop("it took longer than a question, or a whole notebook, may", "budget")
        wall = min(PATIENCE * seconds, self.purse.left)
        kind = "budget" if wall == self.purse.left else "timeout"
        return Budget(time.monotonic() + wall, self.inmate.cpu_seconds() + seconds, kind)

    def _send(self, header: dict, buffers: list[bytes], budget: Budget) -> None:
        if not self.alive:
            raise BoxDied("the process had ended before", "process_died")
        text = json.dumps(header).encode()
        head = FRAME.pack(len(text), len(buffers)) + struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        for part in (head + text, *buffers):
            self._write(memoryview(part), budget)

    def _write(self, view: memoryview, budget: Budget) -> None:
        while view:
            try:
                view = view[os.write(self.inmate.writing, view[: 1 << 20]) :]
            except BlockingIOError:
                select.select([], [self.inmate.writing], [], SLICE)
                self._check(budget)
            except BrokenPipeError:
                self._died()

    def _receive(self, budget: Budget) -> tuple[dict, list[bytes]]:
        header_size, count = FRAME.unpack(self._read(FRAME.size, budget))
        if header_size > MAX_HEADER or count > MAX_BUFFERS:
            self._stop("it sent a message larger than a result may be", "result_too_large")
        sizes = struct.unpack(f"<{count}Q", self._read(8 * count, budget))
        if sum(sizes) > MAX_PAYLOAD:
            self._stop(f"its result must be at most {MAX_PAYLOAD} bytes, got {sum(sizes)}", "result_too_large")
        text = self._read(header_size, budget)
        buffers = [self._read(size, budget) for size in sizes]
        try:
            header = json.loads(text)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            self._stop("it sent a message that is not well formed", "protocol_violation")
        return header, buffers

    def _read(self, size: int, budget: Budget) -> bytes:
        data = bytearray()
        while len(data) < size:
            ready, _, _ = select.select([self.inmate.reading], [], [], SLICE)
            self._check(budget)  # also when there is something: a byte now and then must not win time
            if not ready:
                continue
            part = os.read(self.inmate.reading, min(size - len(data), 1 << 20))
            if not part:
                self._died()
            data += part
        return bytes(data)

    def _check(self, budget: Budget) -> None:
        if time.monotonic() < self.looked + SLICE:
            return
        self.looked = time.monotonic()
        if self.watch is not None:
            self.watch()
        if self.inmate.cpu_seconds() > budget.cpu:
            self._stop("it took longer than its time limit", "timeout")
        if self.looked > budget.wall:
            self._stop("it took longer than its time limit", budget.kind)
        if self.inmate.memory() > self.limits.memory:
            self._stop(f"its processes held more than {self.limits.memory / 1e9:g} GB together", "memory_limit")

    def _stop(self, reason: str, kind: str) -> Any:
        self.close()
        raise LimitReached(f"your code was stopped: {reason}", kind)

    def _died(self) -> Any:
        # Its pipes close a moment before it has ended: what is told of it must not hang on that moment.
        how = self.close(patience=5.0) or "it closed its pipes"
        raise BoxDied(f"your code ended its process ({how}): a crash, an exit, or too much memory", "process_died")


def _withdrawn(*arguments: Any, **options: Any) -> Any:
    raise ValueError("this function belonged to an earlier question")
