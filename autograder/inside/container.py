"""The first process of a container: starts the box's own process and ends with it, or when the judge is gone.

The box's process cannot end or stop this one, for the kernel keeps signals from inside from a first process; when this
one ends, so does all else in the container.
"""

import json
import os
import select
import signal
import sys

from .landlock import forbid_kernel_doors
from .runner import reap
from .walls import PR_SET_DUMPABLE, prctl, set_limits

LOOK = 1000  # milliseconds between two looks for processes whose parents have ended


def wait_for(box: int) -> int:
    """Return the exit code of process `box`, as a shell would give it, or 0 as soon as nobody can write to it."""
    prctl(PR_SET_DUMPABLE, 0)  # nothing inside may look into this process
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would let it through
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # the judge's pipe is to close when the box ends
        os.dup2(null, descriptor)
    poll = select.poll()
    poll.register(os.pidfd_open(box), select.POLLIN)
    poll.register(0, 0)  # reads nothing: the other end's closing is told unasked
    while 0 not in dict(poll.poll(LOOK)):
        ended = reap()
        if box in ended:
            code = os.waitstatus_to_exitcode(ended[box])
            return code if code >= 0 else 128 - code
    return 0


def main() -> None:
    """Limits come as JSON on the command line, frames over standard input and output."""
    box = os.fork()
    if box:
        os._exit(wait_for(box))
    set_limits(json.loads(sys.argv[1]))
    forbid_kernel_doors(sockets=True)
    from cs231n_lib.check.shell import make_shell

    from .runner import serve, show_figures

    shell = make_shell()
    show_figures(shell)
    serve(shell, alone=True)


if __name__ == "__main__":
    main()
