"""A warm judge: a trusted server process that has imported everything once and forks a judge for each job.

Run as `python -m autograder.warm` with a socket as standard input; `JudgeServer` is the side that asks. The server
forks a stage per kind of notebook, in which the course's own first cells have run; a stage forks a judge per job and
learns from each which modules judging took, so that the next one finds them imported. No student's line runs here.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from .box import BoxFault
from .course import REPOSITORY
from .inside.walls import die_with_parent
from .inside.zygote import reap
from .judge import Job, judge, set_up
from .sandbox import close_templates, forget_templates

JOB_SECONDS = 1800.0
MAX_STAGES = 12
MESSAGE = 1 << 17  # bytes of one message between a judge and its stage


class JudgeServer:
    """The asking side. One per grading process; any thread may ask; a server that died is started again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.control: socket.socket | None = None
        self.process: subprocess.Popen | None = None

    def ask(self, stage: str, job: dict) -> dict:
        """Return the record of a job, or {"fault": ...} when the machine failed.

        stage : a name for all jobs with the same first cells, walls and forbidden packages
        """
        line, theirs = socket.socketpair()
        with line:
            try:
                with theirs:
                    self._hand_over(stage, theirs)
                line.settimeout(JOB_SECONDS + 60)
                line.sendall(json.dumps(job).encode())
                line.shutdown(socket.SHUT_WR)
                return json.loads(_read_all(line))
            except TimeoutError:
                return {"fault": f"the judge did not finish within {JOB_SECONDS:g} s"}
            except (OSError, ValueError):
                return {"fault": "the judge ended without a word: killed, or out of memory"}

    def _hand_over(self, stage: str, theirs: socket.socket) -> None:
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self._start()
            assert self.control is not None
            socket.send_fds(self.control, [stage.encode()], [theirs.fileno()])

    def _start(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **threads, "NBGRADER_EXECUTION": "autograde", "PYTHONPATH": str(REPOSITORY)}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "autograder.warm"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd=REPOSITORY,
            )

    def close(self) -> None:
        """End the server, its judges and their boxes."""
        with self.lock:
            if self.process is not None and self.control is not None:
                self.control.close()  # which the server takes as the end
                try:
                    self.process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            self.process = self.control = None


def _read_all(line: socket.socket) -> bytes:
    parts = []
    while part := line.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def serve() -> None:
    """Hand every job on to the stage of its kind, forked at first need, until the asking side closes."""
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    stages: dict[str, socket.socket] = {}
    while True:
        name, lines, _, _ = socket.recv_fds(control, 4096, 1)
        reap()
        if not name:
            break
        stage = stages.pop(name.decode(), None)
        if stage is None or not _passed_on(stage, lines):
            stage = _fork_stage(control, stages, lines)
            _passed_on(stage, lines)
        stages[name.decode()] = stage  # the latest used stand last
        os.close(lines[0])
        while len(stages) > MAX_STAGES:
            stages.pop(next(iter(stages))).close()
    for stage in stages.values():
        stage.close()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _passed_on(stage: socket.socket, lines: list[int]) -> bool:
    try:
        socket.send_fds(stage, [b"job"], lines)
    except OSError:  # that stage has ended
        return False
    return True


def _fork_stage(control: socket.socket, others: dict[str, socket.socket], lines: list[int]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        return ours
    die_with_parent()
    for line in lines:
        os.close(line)
    for sock in (control, ours, *others.values()):
        sock.close()
    try:
        Stage(theirs).work()
    finally:
        close_templates()
        os._exit(0)


class Stage:
    """One kind of notebook: its first cells have run here and in a zygote of boxes; every job gets a fork of both."""

    def __init__(self, jobs: socket.socket) -> None:
        self.jobs = jobs
        self.shell: Any = None
        self.tried: set[str] = set()
        self.lessons, self.teacher = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.lessons.setblocking(False)

    def work(self) -> None:
        while True:
            word, lines, _, _ = socket.recv_fds(self.jobs, 16, 1)
            reap()
            if not word:
                return
            with socket.socket(fileno=lines[0]) as line:
                self._take(line)

    def _take(self, line: socket.socket) -> None:
        try:
            job = Job(**json.loads(_read_all(line)))
            if self.shell is None:
                self.shell = set_up(job.prefix)
            self._learn()
            job.walls.warm(forbid=tuple(job.forbid), prefix=job.prefix)
            job.lender.warm()
            threads = len(os.listdir("/proc/self/task"))
            if threads != 1:
                raise BoxFault(f"the judge's parent must have one thread, got {threads}")
        except (BoxFault, OSError, ValueError) as fault:
            self._answer(line, {"fault": str(fault)})
            return
        if os.fork() == 0:
            self._judge(line, job)

    def _judge(self, line: socket.socket, job: Job) -> None:
        """In a fresh fork: judge one job, answer, say what was imported for it, and end."""
        try:
            die_with_parent()
            forget_templates()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, JOB_SECONDS)  # the end of this process is the end of its boxes
            known = set(sys.modules)
            self._answer(line, _record(job, self.shell))
            # A lesson too long for one message is learned in parts by later jobs.
            names = [name for name in sys.modules if name not in known and name not in self.tried]
            with contextlib.suppress(OSError):
                self.teacher.send(_lesson(names))
        finally:
            os._exit(0)

    def _learn(self) -> None:
        """Import what finished judges had to import: the next one inherits it."""
        before = len(self.tried)
        with contextlib.suppress(BlockingIOError):
            while lesson := self.lessons.recv(MESSAGE):
                for name in json.loads(lesson):
                    if name not in self.tried and name not in sys.modules:
                        # A module that only exists while something runs is no loss.
                        with contextlib.suppress(ImportError):
                            importlib.import_module(name)
                    self.tried.add(name)
        if len(self.tried) > before or not gc.get_freeze_count():
            gc.collect()
            gc.freeze()  # a collection in a fork would write to, and so copy, every page

    def _answer(self, line: socket.socket, record: dict) -> None:
        with contextlib.suppress(BrokenPipeError):  # who asked has gone
            # What a student's code said is in it, and a lone surrogate can be written nowhere further on.
            line.sendall(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace"))
            line.shutdown(socket.SHUT_WR)  # the end, whoever else holds a copy of this line


def _lesson(names: list[str]) -> bytes:
    """Return as many names as one message holds, as JSON: a message cut in the middle could not be read."""
    while len(message := json.dumps(names).encode()) > MESSAGE:
        names = names[: len(names) // 2]
    return message


def _record(job: Job, shell: Any) -> dict:
    try:
        return judge(job, shell)
    except BoxFault as fault:
        return {"fault": str(fault)}
    except Exception as error:  # noqa: BLE001 a fault of the judge's own costs nobody a point
        return {"fault": f"the judge failed: {type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    serve()
