"""The warm parent of boxes: has imported what students import, and forks a fresh child into fresh walls for each box.

Trusted code in an untrusted place: it never runs a student's line, holds no secret, and talks to the grader over one
socket (standard input). A request brings a reply socket and the two pipes of the box to be; each box is watched by a
warden of its own, which ends it when the grader closes the reply socket, and which dies with this process.
"""

import array
import contextlib
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from .landlock import forbid_kernel_doors, shut_in
from .runner import reap
from .walls import (
    PR_SET_CHILD_SUBREAPER,
    close_all_but,
    die_with_parent,
    give_up_rights,
    leave_namespaces,
    prctl,
    private_folders,
    set_limits,
)

CACHES = {"matplotlib", "ipython", ".cache"}  # what imports leave in /tmp; a box can do without them


def warm_up(config: dict) -> tuple[Any, dict]:
    """Import the packages, make the shell and run the course's own first cells; return the shell and a report."""
    for name in config["preload"]:
        with contextlib.suppress(ImportError):  # not installed: then no student can import it either
            importlib.import_module(name)
    from cs231n_lib.check.shell import make_shell

    from .runner import run_cell, show_figures

    shell, errors, before = make_shell(), {}, set(os.listdir("/tmp"))
    show_figures(shell)
    draw_once()
    for grade_id, source in config["prefix"]:
        report = run_cell(shell, source, draw=False)
        if report["error"]:
            errors[grade_id] = report["error"]["message"][:200]
    left = sorted(set(os.listdir("/tmp")) - before - CACHES)
    return shell, {"threads": threads(), "errors": errors, "files": left[:20]}


def draw_once() -> None:
    """Draw a figure for nobody: what the first one looks up, fonts above all, every box then has."""
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_subplot(title="title")
    axes.plot([0, 1], label="line")
    axes.legend()
    figure.savefig(io.BytesIO(), bbox_inches="tight")


def threads() -> int:
    """How many threads this process has: a fork copies only the one that calls it."""
    return len(os.listdir("/proc/self/task"))


def watch(pid: int, reply: int) -> None:
    """Be the warden of box `pid`: tell the grader how to reach it and how it ended; end it when the grader is gone."""
    handle = os.pidfd_open(pid)
    line = socket.socket(fileno=reply)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))]
    line.sendmsg([b'{"started": true}'], rights)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(line, select.POLLHUP)  # asks for nothing: a closed socket says so unasked
    poll.poll()
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # the grader has closed its end: nobody wants to know
        line.send(json.dumps({"ended": os.waitstatus_to_exitcode(status)}).encode())


def become_box(shell: Any, config: dict, descriptors: list[int], user: int) -> None:
    """In a fresh fork: put up the walls, take the pipes as standard input and output, and serve. Never returns."""
    from .runner import serve

    if config["walls"] == "namespaces":
        private_folders(config["scratch"], config["kept"])
    reply, reading, writing = descriptors
    os.dup2(reading, 0)
    os.dup2(writing, 1)
    close_all_but(reply)
    die_with_parent()
    if config["walls"] == "landlock":
        shut_in(readable=config["readable"], writable=[_own_folder(user)])
    if config["walls"] != "none":
        give_up_rights(user)
        forbid_kernel_doors(sockets=config["walls"] == "namespaces")
    set_limits(config["limits"])
    os.close(reply)
    serve(shell, alone=config["walls"] == "namespaces")


def _own_folder(user: int) -> str:
    """Make this box's own folder within the template's and go there: what a private /tmp is elsewhere."""
    folder = os.path.join(os.environ["HOME"], str(os.getpid()))
    os.mkdir(folder, 0o700)
    if user:
        os.chown(folder, user, user)
    os.chdir(folder)
    os.environ["TMPDIR"] = folder
    return folder


def start_box(shell: Any, config: dict, descriptors: list[int], user: int) -> None:
    """In a fresh fork: enter the namespaces, fork the box into them and be its warden. Never returns."""
    reply = descriptors[0]
    try:
        die_with_parent()
        os.setsid()
        if config["walls"] == "namespaces":
            leave_namespaces()
        else:
            prctl(PR_SET_CHILD_SUBREAPER, 1)
        pid = os.fork()
        if pid == 0:
            become_box(shell, config, descriptors, user)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        close_all_but(reply)
        watch(pid, reply)
        if config["walls"] != "namespaces":
            end_children()
    except BaseException as error:  # noqa: BLE001 a fork must not fall back into its parent's loop
        complain(reply, error)
    os._exit(0)


def end_children() -> None:
    """Without a pid namespace: what a student started ends up as the warden's child. Kill until none is left."""
    while True:
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
                if parent == os.getpid():
                    os.kill(int(entry), signal.SIGKILL)
            except (OSError, ValueError, IndexError):
                continue  # it has ended meanwhile
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def complain(reply: int, error: BaseException) -> None:
    """Tell the grader why a box could not start; the box itself may be gone, its pipes closed."""
    text = json.dumps({"fault": f"{type(error).__name__}: {error}"[:500]})
    try:
        os.write(reply, text.encode())
    except OSError:
        os._exit(1)


def main() -> None:
    control = socket.socket(fileno=0)
    _, [paper], _, _ = socket.recv_fds(control, 64, 1)
    with os.fdopen(paper) as file:
        config = json.load(file)
    shell, report = warm_up(config)
    control.send(json.dumps(report).encode())
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page
    count = 0
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 64, 3)
        reap()
        if not data:
            sys.exit()
        user = config["first_user"] and config["first_user"] + count % config["users"]
        count += 1
        if os.fork() == 0:
            control.detach()
            start_box(shell, config, descriptors, user)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    main()
