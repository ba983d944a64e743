"""Start a box: a process for one student's code that sees no network, no course files and no other process.

Bubblewrap gives it fresh namespaces, a read-only system and a private /tmp. Where bubblewrap is missing, a box is
refused unless the caller asked for none; then the student's code runs with the grader's own rights.
"""

import contextlib
import json
import math
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cs231n_lib.check.subject import LimitReached, serve_callback

from .child import FRAME
from .course import REPOSITORY, CourseError

MAX_HEADER = 16_000_000  # bytes
MAX_BUFFERS = 10_000
MAX_PAYLOAD = 512_000_000  # bytes of all buffers of one frame
START_SECONDS = 60.0
PATIENCE = 4.0  # wall seconds per CPU second that a call or a cell may take
SLICE = 0.2  # seconds between two looks at the CPU clock


@dataclass(frozen=True)
class Budget:
    """When a request has to be stopped: a time on the wall clock, and one on the clock of the box's CPU time."""

    wall: float
    cpu: float


class BoxFault(RuntimeError):
    """The machine's fault, not the student's: the box did not start. Retry; never a zero."""


class BoxDied(LimitReached):
    """The student's process ended in the middle of a request."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one box. `call` and `cell` are CPU seconds for one call and one cell; sizes are bytes.

    On the wall clock each may take `PATIENCE` times as long: a busy grader is not the student's fault.
    """

    call: float = 20.0
    cell: float = 60.0
    cpu: int = 600
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


@dataclass(frozen=True)
class Sandbox:
    """A way to start boxes. `level` goes into every report."""

    level: str  # "bubblewrap" or "none"
    data: Path | None = None  # data sets, shown read-only
    limits: Limits = field(default_factory=Limits)

    def start(self, *, forbid: tuple[str, ...] = ()) -> "Box":
        """Start a box. forbid : packages that must not be importable in it; they are simply not there."""
        command = [sys.executable, "-s", "-B", str(_code() / "child.py"), json.dumps(self.limits.for_child())]
        environment = _environment(self.data)
        if self.level == "none":
            return Box(command, environment, self.limits)
        walls = _bubblewrap(self.data, self.limits, forbid, environment)
        return Box(_inside(command), environment, self.limits, walls)


def find_sandbox(*, allow_none: bool = False, data: Path | None = None, limits: Limits | None = None) -> Sandbox:
    """Probe for bubblewrap and return the sandbox. Raises CourseError if there is none and none was not allowed."""
    reason = _probe()
    if not reason:
        return Sandbox("bubblewrap", data, limits or Limits())
    if allow_none:
        return Sandbox("none", data, limits or Limits())
    raise CourseError(
        f"grading needs a sandbox, got none ({reason}); install the package bubblewrap, or give --no-sandbox: then "
        "submitted code runs with your own rights and can read and change your files, grades included"
    )


def _probe() -> str:
    """Return why bubblewrap cannot be used here, or an empty string."""
    program = shutil.which("bwrap")
    if program is None:
        return "bwrap is not on PATH"
    test = [program, "--unshare-all", "--ro-bind", "/", "/", "--", "/bin/true"]
    done = subprocess.run(test, capture_output=True, text=True, timeout=30, check=False)
    return done.stderr.strip()[:200] if done.returncode else ""


def _code() -> Path:
    return Path(__file__).resolve().parent


def _environment(data: Path | None) -> dict[str, str]:
    """The whole environment of a box: nothing of the grader's is inherited."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **threads,
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "IPYTHONDIR": "/tmp/ipython",
        "NBGRADER_EXECUTION": "autograde",
        **({"CS231N_DATA": str(data)} if data else {}),
    }


def _bubblewrap(data: Path | None, limits: Limits, forbid: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """The walls: what is not named here does not exist inside."""
    program = shutil.which("bwrap") or "bwrap"
    walls = [
        program,
        "--unshare-all",
        "--as-pid-1",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--clearenv",
    ]
    walls += ["--uid", "65534", "--gid", "65534", "--hostname", "box"]
    for name, value in {**environment, "PYTHONPATH": "/course", **({"CS231N_DATA": "/data"} if data else {})}.items():
        walls += ["--setenv", name, value]
    walls += ["--ro-bind", "/usr", "/usr"]
    for link in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", link)
        if path.is_symlink():
            walls += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            walls += ["--ro-bind", str(path), str(path)]
    walls += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    walls += ["--proc", "/proc", "--dev", "/dev", "--size", str(limits.scratch), "--tmpfs", "/tmp"]
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if not Path(prefix).is_relative_to("/usr"):
            walls += ["--ro-bind", prefix, prefix]
    packages = Path(sysconfig.get_path("purelib"))
    for package in forbid:
        if (packages / package).is_dir():
            walls += ["--tmpfs", str(packages / package)]
            walls += ["--ro-bind", str(_code() / "absent.py"), str(packages / package / "__init__.py")]
    walls += ["--ro-bind", str(REPOSITORY / "cs231n_lib"), "/course/cs231n_lib"]
    walls += ["--ro-bind", str(_code() / "child.py"), "/course/child.py"]
    if data is not None:
        walls += ["--ro-bind", str(data), "/data"]
    return [*walls, "--remount-ro", "/", "--chdir", "/tmp"]


def _inside(command: list[str]) -> list[str]:
    return ["/course/child.py" if part == str(_code() / "child.py") else part for part in command]


class Box:
    """A running box, as a transport for subjects. One request at a time; every read has a deadline and a cap."""

    def __init__(
        self, command: list[str], environment: dict[str, str], limits: Limits, walls: list[str] | None = None
    ) -> None:
        self.limits = limits
        self.functions: list[Callable] = []
        self.inner: int | None = None  # a descriptor of the process inside, whose end is the end of all it started
        told, tell = os.pipe()
        if walls:
            command = [*walls, "--info-fd", str(tell), "--", *command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
            pass_fds=(tell,) if walls else (),
        )
        os.close(tell)
        self.pid = self.process.pid
        self.alive = True
        try:
            with os.fdopen(told) as about:
                self._find_inner(about.read() if walls else "")
            self._receive(Budget(time.monotonic() + START_SECONDS, math.inf))
        except LimitReached as error:
            complaint = self._complaint()
            self.close()
            raise BoxFault(f"the box did not start: {error} {complaint}".strip()) from error

    def _find_inner(self, about: str) -> None:
        """Open the process inside by what bubblewrap told of it, if it lived long enough to tell."""
        with contextlib.suppress(ValueError, KeyError, ProcessLookupError):
            self.pid = json.loads(about)["child-pid"]
            self.inner = os.pidfd_open(self.pid)

    def cpu_seconds(self) -> float:
        """CPU time of the process inside, all threads, as the kernel counts it. Nothing inside can change it."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # Linux's clock id of another process's CPU time
        except OSError:  # it has just ended
            return 0.0

    def _budget(self, seconds: float) -> Budget:
        return Budget(time.monotonic() + PATIENCE * seconds, self.cpu_seconds() + seconds)

    def _complaint(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read(2000).decode(errors="replace").strip()

    def run(self, source: str) -> dict:
        """Run one cell. Returns the child's report: "error" (None or a description), "text", "results", "pictures"."""
        self._send({"op": "run", "source": source}, [])
        reply, _ = self._receive(self._budget(self.limits.cell))
        return reply

    def request(self, header: dict, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        wall, cpu, budget = time.monotonic(), self.cpu_seconds(), self._budget(self.limits.call)
        self._send(header, buffers)
        while True:
            reply, parts = self._receive(budget)
            if "callback" not in reply:
                # What the box says of its own speed does not count.
                return {**reply, "seconds": min(time.monotonic() - wall, self.cpu_seconds() - cpu)}, parts
            self._send(*serve_callback(self.functions, reply["callback"], reply.get("arguments"), parts))

    def offer(self, function: Callable) -> int:
        self.functions.append(function)
        return len(self.functions) - 1

    def end(self) -> None:
        """Kill the box and wait until all that ran in it is gone: a pid namespace dies with its first process."""
        self.alive = False
        if self.inner is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.inner, signal.SIGKILL)
            select.select([self.inner], [], [], 10.0)
            os.close(self.inner)
            self.inner = None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the box and give back its pipes."""
        self.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _send(self, header: dict, buffers: list[bytes]) -> None:
        if not self.alive:
            raise BoxDied("the process had ended before")
        assert self.process.stdin is not None
        text = json.dumps(header).encode()
        head = FRAME.pack(len(text), len(buffers)) + struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        budget = self._budget(self.limits.call)
        for part in (head, text, *buffers):
            self._write(memoryview(part), budget)

    def _write(self, view: memoryview, budget: Budget) -> None:
        assert self.process.stdin is not None
        descriptor = self.process.stdin.fileno()
        os.set_blocking(descriptor, False)
        while view:
            _, ready, _ = select.select([], [descriptor], [], SLICE)
            if not ready:
                self._check(budget)
                continue
            try:
                view = view[os.write(descriptor, view[: 1 << 16]) :]
            except BrokenPipeError:
                self._died()

    def _receive(self, budget: Budget) -> tuple[dict, list[bytes]]:
        header_size, count = FRAME.unpack(self._read(FRAME.size, budget))
        if header_size > MAX_HEADER or count > MAX_BUFFERS:
            self._stop("it sent a message larger than a result may be")
        sizes = struct.unpack(f"<{count}Q", self._read(8 * count, budget))
        if sum(sizes) > MAX_PAYLOAD:
            self._stop(f"its result must be at most {MAX_PAYLOAD} bytes, got {sum(sizes)}")
        text = self._read(header_size, budget)
        buffers = [self._read(size, budget) for size in sizes]
        try:
            header = json.loads(text)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            self._stop("it sent a message that is not well formed")
        return header, buffers

    def _read(self, size: int, budget: Budget) -> bytes:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        data = bytearray()
        while len(data) < size:
            ready, _, _ = select.select([descriptor], [], [], SLICE)
            if not ready:
                self._check(budget)
                continue
            part = os.read(descriptor, min(size - len(data), 1 << 20))
            if not part:
                self._died()
            data += part
        return bytes(data)

    def _check(self, budget: Budget) -> None:
        if time.monotonic() > budget.wall or self.cpu_seconds() > budget.cpu:
            self._stop("it took longer than its time limit")

    def _stop(self, reason: str) -> Any:
        self.end()
        raise LimitReached(f"your code was stopped: {reason}")

    def _died(self) -> Any:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=2)  # for its own exit code, before `end` kills what may be left
        self.end()
        code = self.process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise BoxDied(f"your code ended its process ({how}): a crash, an exit, or too much memory")
