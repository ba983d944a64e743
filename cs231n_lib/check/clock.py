"""How long something took, without blaming it for a busy machine."""

import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Runs from its making. Reads the wall clock or this process's CPU time, whichever is less, in seconds.

    CPU time leaves out waiting for a core that others use; wall time leaves out the sum over BLAS threads.
    """

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> float:
        return min(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def seconds(work: Callable[[], Any]) -> float:
    """Return how long `work()` takes."""
    watch = Stopwatch()
    work()
    return watch.read()
