"""Work on several tiles of a batch at once, each worker with its own buffers and one BLAS thread.

NumPy releases Python's lock in copies and matrix products, so threads run truly side by side. Splitting the batch
beats splitting every product (what BLAS does alone): copies and transforms become parallel too, and the workers never
wait for each other. The tiles and the order of every sum do not depend on the number of threads, so neither do the
results: they are equal bit by bit.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import OpenBLASController, ThreadpoolController

KEPT_BYTES = 1 << 24  # of workspaces between two calls


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _OneBlasThread:
    """Hold BLAS at one thread while any call is inside; the last one out restores what the first one found.

    A layer holds it for all of its work, not for `run_tiles` only: after one product on several threads, OpenBLAS lets
    its own threads spin for about 27 ms, on the cores that our workers need. Measured 55 to 64 instead of 40 to 42 ms
    (Winograd, forward and backward), and 123 instead of 71 ms of processor time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._found = 1
        self._before: list[int] = []

    def __enter__(self) -> int:
        """Return the number of threads that BLAS had: as many workers may run."""
        with self._lock:
            if self._inside == 0:
                self._before = [library.num_threads for library in _blas().lib_controllers]
                self._found = max(self._before, default=0) or os.cpu_count() or 1
                if self._found > 1:
                    _set_threads([1] * len(self._before))
            self._inside += 1
            return self._found

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._found > 1:
                _set_threads(self._before)


def _set_threads(counts: list[int]) -> None:
    """Set the threads of each BLAS library, from any thread of Python's.

    threadpoolctl lets only the first thread that sets a limit set another, and ignores the rest without a word. Our
    calls come from any thread, one of a widget's for example, and hold a lock of their own.
    """
    for library, threads in zip(_blas().lib_controllers, counts, strict=True):
        if isinstance(library, OpenBLASController):
            library.clear_controlling_thread(force=True)
        library.set_num_threads(threads)
        if isinstance(library, OpenBLASController):
            library.clear_controlling_thread()


one_blas_thread = _OneBlasThread()


def run_tiles(task: Callable[[Any], Any], tiles: Sequence[Any], into: Sequence[np.ndarray] = ()) -> None:
    """Call `task` on every tile; add the arrays that it returns to those of `into`, in the order of the tiles.

    As many workers run as BLAS has threads (OMP_NUM_THREADS, or threadpoolctl's `threadpool_limits`): this thread and
    helpers that stay for the next call.
    """
    with one_blas_thread as threads:
        workers = min(threads, len(tiles))
        results = _OrderedSum(into, most_early=workers - 1)
        if workers < 2:
            for number, tile in enumerate(tiles):
                results.add(number, task(tile))
            return
        waiting = iter(enumerate(tiles))  # shared by the workers

        def work() -> None:
            try:
                while (numbered := next(waiting, None)) is not None:
                    results.add(numbered[0], task(numbered[1]))
            except BaseException:
                results.give_up()
                raise

        helpers = [_pool(os.getpid(), threads - 1).submit(work) for _ in range(workers - 1)]
        try:
            work()
        finally:
            for _ in waiting:  # after an error there is nothing left to do
                pass
            started = [helper for helper in helpers if not helper.cancel()]
            wait(started)
        for helper in started:
            helper.result()  # raises what the helper met


@cache
def _pool(process: int, helpers: int) -> ThreadPoolExecutor:
    """Return helpers of this process: a fork inherits the pool but none of its threads."""
    return ThreadPoolExecutor(helpers, thread_name_prefix="cs231n-kernels")


class _OrderedSum:
    """Add parts that come in any order in the order of their numbers, so that rounding does not depend on chance.

    most_early : how many tiles' parts may wait for an earlier one. A worker with one more waits itself, which bounds
        memory.
    """

    def __init__(self, into: Sequence[np.ndarray], *, most_early: int) -> None:
        self._into, self._most_early = into, most_early
        self._turn = threading.Condition()
        self._early: dict[int, Sequence[np.ndarray]] = {}
        self._next = 0
        self._given_up = False

    def add(self, number: int, parts: Sequence[np.ndarray]) -> None:
        if not self._into:
            return
        with self._turn:
            self._turn.wait_for(lambda: number == self._next or len(self._early) < self._most_early or self._given_up)
            self._early[number] = parts
            while self._next in self._early:
                for total, part in zip(self._into, self._early.pop(self._next), strict=True):
                    total += part
                self._next += 1
            self._turn.notify_all()

    def give_up(self) -> None:
        """Let nobody wait any more: some parts will never come."""
        with self._turn:
            self._given_up = True
            self._turn.notify_all()


class Workspaces:
    """Buffers that the tiles of one call share, one set in use per worker."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self._free: dict[Any, list[Any]] = defaultdict(list)

    @contextmanager
    def borrow(self, size: Any) -> Iterator[Any]:
        """Lend a workspace of that size: one returned earlier (its contents are stale), or a new one."""
        free = self._free[size]
        try:
            workspace = free.pop()  # atomic, and so is append: no lock is needed
        except IndexError:
            workspace = self._make(size)
        yield workspace
        free.append(workspace)

    @property
    def nbytes(self) -> int:
        return sum(workspace.nbytes for free in self._free.values() for workspace in free)


_kept: dict[Any, Workspaces] = {}  # the latest used stand last
_keeping = threading.Lock()


@contextmanager
def kept_workspaces(kind: Callable[..., Any], *sizes: Any) -> Iterator[Workspaces]:
    """Lend workspaces kind(size, *sizes), and keep them for the next call that asks for the same: a layer's, in the
    next step of training. What is kept is bounded by KEPT_BYTES, all layers together.

    A workspace says its `nbytes`.
    """
    key = (kind, *sizes)
    with _keeping:
        spaces = _kept.pop(key, None)  # two calls at a time have workspaces each
    if spaces is None:
        spaces = Workspaces(lambda size: kind(size, *sizes))
    yield spaces
    with _keeping:
        _kept[key] = spaces
        while sum(kept.nbytes for kept in _kept.values()) > KEPT_BYTES:
            del _kept[next(iter(_kept))]


def forget_workspaces() -> None:
    """Give back the memory of all workspaces that are kept."""
    with _keeping:
        _kept.clear()


def split_batch(batch: int, images: int) -> list[slice]:
    """Cut `batch` images into equal tiles of at most `images`, the last one smaller where they do not divide evenly.

    Their number is even where it can be, so that two workers share them.
    """
    count = min(batch, 2 * -(-batch // (2 * max(1, images))))
    images = -(-batch // count) if count else 1
    return [slice(start, min(start + images, batch)) for start in range(0, batch, images)]
