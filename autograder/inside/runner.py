"""Runs inside a box: holds the student's namespace and answers requests over two pipes. Nothing here is trusted.

The judge caps and re-checks everything that this process sends.
"""

import json
import os
import signal
import struct
import threading
from typing import Any

FRAME = struct.Struct("<II")  # header bytes, number of buffers; then one uint64 per buffer, the header, the buffers


class Pipes:
    """Frames over the two inherited pipes, moved off the standard descriptors so that a print cannot disturb them.

    Only the process that made them may use them: a copy that a student forked ends where it would send or wait.
    """

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.reading = os.fdopen(os.dup(0), "rb")
        self.writing = os.fdopen(os.dup(1), "wb")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.close(null)

    def read(self) -> tuple[dict, list[bytes]]:
        self._own()
        head = self.reading.read(FRAME.size)
        if len(head) < FRAME.size:
            os._exit(0)  # the judge is done
        header_size, count = FRAME.unpack(head)
        sizes = struct.unpack(f"<{count}Q", self.reading.read(8 * count))
        header = json.loads(self.reading.read(header_size))
        return header, [self.reading.read(size) for size in sizes]

    def write(self, header: dict, buffers: list[bytes]) -> None:
        self._own()
        text = json.dumps(header).encode()
        self.writing.write(FRAME.pack(len(text), len(buffers)) + struct.pack(f"<{len(buffers)}Q", *map(len, buffers)))
        self.writing.write(text)
        for buffer in buffers:
            self.writing.write(buffer)
        self.writing.flush()

    def _own(self) -> None:
        if os.getpid() != self.owner:
            os._exit(0)


def show_figures(shell: Any) -> None:
    """Let figures become pictures as they do in Jupyter, where nobody needs to write `%matplotlib inline`."""
    import matplotlib
    from matplotlib_inline.backend_inline import configure_inline_support

    matplotlib.interactive(True)  # a figure that is never shown is drawn at the end of its cell
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")


def run_cell(shell: Any, source: str, *, draw: bool) -> dict:
    """Run one cell; return whether it raised, and what it showed, as nbformat-like outputs. draw : its figures, too"""
    from IPython.utils.capture import capture_output
    from matplotlib_inline.config import InlineBackend

    from cs231n_lib.check.peer import describe_error

    InlineBackend.instance(parent=shell).figure_formats = {"png"} if draw else set()
    with capture_output() as shown:
        result = shell.run_cell(source, store_history=False)
    error = result.error_before_exec or result.error_in_exec
    text = (shown.stdout + shown.stderr)[-20_000:]
    pictures = [o.data["image/png"] for o in shown.outputs if isinstance(o.data.get("image/png"), str)]
    texts = [o.data["text/plain"] for o in shown.outputs if isinstance(o.data.get("text/plain"), str)]
    if error is not None:
        text = ""  # IPython printed the traceback there
    return {
        "error": describe_error(error) if error is not None else None,
        "text": text,
        "results": [t[:2000] for t in texts[:20]],
        "pictures": [p for p in pictures[:8] if len(p) < 1_000_000],
        "flood": len(shown.stdout) + len(shown.stderr) > 1_000_000 or any(len(p) >= 1_000_000 for p in pictures),
    }


def reap() -> dict[int, int]:
    """Take leave of the children that have ended: process id to status."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended


def end_leftovers() -> None:
    """Kill all other processes of this pid namespace, its first one excepted, which only the outside can end."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    reap()


def serve(shell: Any, *, alone: bool) -> None:
    """Answer requests on standard input until it closes. Never returns.

    alone : whether the pid namespace is this box's own: what a request left running is then killed, so that it cannot
        speak in the next one
    """
    from cs231n_lib.check import standins
    from cs231n_lib.check.peer import Peer, describe_error

    pipes = Pipes()

    asking = threading.Lock()

    def callback(which: int | str, header: Any, buffers: list[bytes]) -> tuple[dict, list[bytes]]:
        if os.getpid() != pipes.owner:  # to end here, as a copy of `serve` does, would leave a pool waiting for it
            raise RuntimeError("layers carried forward can be called in the notebook's own process only")
        with asking:  # threads of a student's may call layers at the same time
            pipes.write({"callback": which, "arguments": header}, buffers)
            return pipes.read()

    peer = Peer(shell.user_ns, callback)
    vars(standins)["ask"] = peer.ask  # in a box this module is borrowed.py
    pipes.write({"ready": True}, [])
    while True:
        request, buffers = pipes.read()
        try:
            reply, parts = (
                (run_cell(shell, request["source"], draw=request["draw"]), [])
                if request["op"] == "run"
                else peer.handle(request, buffers)
            )
        except BaseException as error:  # noqa: BLE001 KeyboardInterrupt and worse are results here
            reply, parts = {"error": describe_error(error)}, []
        if alone and os.getpid() == pipes.owner:
            end_leftovers()
        pipes.write(reply, parts)
