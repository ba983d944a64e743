"""Warm boxes: one zygote per kind of box, and a fresh forked inmate from it for each student.

The zygote stands behind bubblewrap (or Landlock, or nothing) and has imported what students import. Asking for a box
takes milliseconds; importing NumPy and matplotlib afresh would take a second, PyTorch four.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

from .accounting import cpu_seconds, namespace_of, private_memory
from .box import START_SECONDS, BoxFault

FIRST_USER = 1_000_000  # user ids from here on belong to no account on any usual system
USERS = 1_000  # per zygote; a box gets the next one, and this many later it may come again
ZYGOTES = 400_000  # blocks of user ids: no two zygotes on a machine share one


@dataclass
class Forked:
    """A box forked by a zygote, reached by a pidfd and by the line to its warden."""

    reading: int
    writing: int
    line: socket.socket
    handle: int  # pidfd of the box's first process
    pid: int
    base: int = 0  # bytes that one process holds before the student's first line
    shares_pids: bool = False  # no pid namespace: memory is read for the first process alone

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Bytes held by the processes of the box's pid namespace beyond what the zygote's fork gave them."""
        members = [self.pid] if self.shares_pids else namespace_of(self.pid)
        return sum(max(0, private_memory(pid) - self.base) for pid in members)

    def end(self, patience: float = 0.0) -> str:
        """Kill the first process; its pid namespace dies with it. Returns how it had ended, "" if by this call."""
        ended = bool(select.select([self.handle], [], [], patience)[0])
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        how = self._last_words() if ended else ""
        self.line.close()
        # A pid namespace's first process is gone only when all others in it are.
        select.select([self.handle], [], [], 10.0)
        os.close(self.handle)
        return how

    def _last_words(self) -> str:
        self.line.settimeout(5.0)
        with contextlib.suppress(OSError, ValueError):
            while words := self.line.recv(4096):
                code = json.loads(words).get("ended")
                if isinstance(code, int):
                    return f"signal {-code}" if code < 0 else f"exit code {code}"
        return ""


@dataclass
class Template:
    """A running zygote. command : how to start it, walls and all; config : what it is told (see inside/zygote.py)."""

    command: list[str]
    environment: dict[str, str]
    config: dict[str, Any]
    folder: str = ""  # removed at the end, with what boxes left in it
    report: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the zygote
        with theirs:
            self.process = subprocess.Popen(
                self.command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self.complaints,
                env=self.environment,
            )
        try:
            paper = os.memfd_create("config")
            os.write(paper, json.dumps(self.config).encode())
            os.lseek(paper, 0, os.SEEK_SET)
            socket.send_fds(self.control, [b"config"], [paper])
            os.close(paper)
            self.control.settimeout(START_SECONDS)
            self.report = json.loads(self.control.recv(1 << 16))
            self.control.settimeout(None)
        except (OSError, ValueError) as error:
            reason = self.complaint() or repr(error)
            self.close()
            raise BoxFault(f"the box did not start: {reason}") from error
        if self.report["threads"] != 1:
            self.close()
            raise BoxFault(f"the box did not start: its parent must have one thread, got {self.report['threads']}")

    def complaint(self) -> str:
        """The last line that the zygote or its walls wrote to standard error."""
        self.complaints.seek(0)
        return "; ".join(self.complaints.read(4000).decode(errors="replace").split("\n")[-3:]).strip("; ")[-300:]

    def start(self) -> Forked:
        """Fork a box. Raises BoxFault."""
        inward, outward = os.pipe(), os.pipe()
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(self.control, [b"box"], [theirs.fileno(), inward[0], outward[1]])
            line.settimeout(START_SECONDS)
            words, handles, _, _ = socket.recv_fds(line, 4096, 1)
        except OSError as error:
            words, handles = json.dumps({"fault": str(error)}).encode(), []
        finally:
            os.close(inward[0])
            os.close(outward[1])
        if not handles:
            os.close(inward[1])
            os.close(outward[0])
            line.close()
            reason = json.loads(words)["fault"] if words else self.complaint() or "its parent ended"
            raise BoxFault(f"the box did not start: {reason}")
        pid = _pid_of(handles[0])
        shares = self.config["walls"] != "namespaces"
        return Forked(outward[0], inward[1], line, handles[0], pid, private_memory(pid), shares)

    def close(self) -> None:
        """End the zygote and every box of it."""
        self.control.close()  # which it takes as the end; one that hangs is killed
        try:
            self.process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.complaints.close()
        if self.folder:
            subprocess.run(["rm", "-rf", self.folder], check=False)

    @property
    def alive(self) -> bool:
        """Whether the zygote still holds its end of the socket; also true to say in a fork of who started it."""
        poll = select.poll()
        poll.register(self.control, select.POLLHUP)
        return not poll.poll(0)


def _pid_of(handle: int) -> int:
    """The process of a pidfd, as this process numbers it; 0 if it has ended."""
    with open(f"/proc/self/fdinfo/{handle}") as file:
        return max(0, next(int(line.split()[1]) for line in file if line.startswith("Pid:")))
