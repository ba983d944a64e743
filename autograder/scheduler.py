"""Run jobs: `submit(key, job) -> record`, idempotent, each record on disk before it is returned."""

import atexit
import hashlib
import json
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from .course import REPOSITORY
from .judge import Job
from .warm import JudgeServer

ATTEMPTS = 3  # a machine fault is retried; a student's fault is a result


class Scheduler(Protocol):
    """Takes a job and promises its record."""

    @property
    def window(self) -> int:
        """Submissions under way at a time, so that no worker waits."""

    def submit(self, key: str, job: dict) -> "Future[dict]": ...

    def close(self) -> None: ...


class Threads:
    """Threads that each drive one judge process at a time. workers : how many; a core each is a good number."""

    def __init__(self, records: Path, workers: int) -> None:
        self.records, self.window = records, 2 * workers + 2
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="grade")

    def submit(self, key: str, job: dict) -> "Future[dict]":
        return self.pool.submit(run_job, self.records, key, job)

    def close(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)


def content_key(*parts: Any) -> str:
    """Return a name for a record: equal contents, equal name. parts : JSON-ready values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def engine_version() -> str:
    """Return a digest of the code that decides on scores, so that a changed check is judged again."""
    digest = hashlib.sha256()
    for folder in ("cs231n_lib", "autograder"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes())
    digest.update((REPOSITORY / "constraints.txt").read_bytes())
    return digest.hexdigest()


def run_job(records: Path, key: str, job: dict) -> dict:
    """Return the record of a job: from disk if it is there, otherwise from a fresh fork of the warm judge.

    Never raises for a job: when the machine fails `ATTEMPTS` times the record says so under "fault", and is not kept.
    """
    path = records / f"{key}.json"
    kept = _read(path)
    if kept is not None:
        return {**kept, "reused": True}
    record: dict = {}
    for _ in range(ATTEMPTS):
        record = warm_server().ask(content_key(job["sandbox"], job["forbid"], _first_cells(job)), job)
        if "fault" not in record:
            write_atomically(path, json.dumps(record))
            break
    return record


@cache
def warm_server() -> JudgeServer:
    """This process's warm judge, started at first use."""
    server = JudgeServer()
    atexit.register(server.close)
    return server


def _first_cells(job: dict) -> list:
    """What a job begins with, alike for all students: jobs that share it share a warm parent."""
    return list(Job(**job).prefix)


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # a torn file is as good as none
        return None


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, sees the whole of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{id(content)}")
    with temporary.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed commands had begun to write in `folder`. Only where nobody else is writing now."""
    for path in folder.rglob(".*"):
        if re.fullmatch(r"\..+\.\d+\.\d+", path.name):
            path.unlink()
