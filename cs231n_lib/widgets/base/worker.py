"""A thread that repeats a step until it is paused: what Run does. Callbacks only set its flags and return."""

import threading
from collections.abc import Callable

RATE = 10.0  # steps per second at most: Jupyter drops messages above about 1000 a second, and eyes see no more
BREATH = 0.01  # seconds between steps without the lock, or a thread that retakes it at once would starve the callbacks


class Worker:
    """Calls `step()` about RATE times a second on its own daemon thread while it runs; False from `step` pauses it."""

    def __init__(self, step: Callable[[], bool], paused: Callable[[], None]) -> None:
        self._step, self._paused = step, paused
        self._run, self._closed = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        return self._run.is_set()

    def start(self) -> None:
        """Run. The thread is made at the first call, so a widget that is only looked at has none."""
        if self._closed.is_set():
            return
        self._run.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="cs231n-widget", daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Stop after the step that is under way."""
        self._run.clear()

    def close(self, timeout: float = 5.0) -> None:
        """End the thread for good; waits for the step that is under way, unless called from that very step."""
        self._closed.set()
        self._run.set()  # wakes a paused thread so that it can end
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        self._run.clear()

    def _loop(self) -> None:
        while True:
            self._run.wait()
            if self._closed.is_set():
                return
            if not self._step():
                self._run.clear()
                self._paused()
            self._closed.wait(max(BREATH, 1 / RATE))
