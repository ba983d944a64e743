"""What the kernel counts for a process and its pid namespace; nothing inside can change it. Linux only."""

import contextlib
import os
import time


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, all threads, by now; 0 if it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # Linux's clock id of another process's CPU time
    except OSError:
        return 0.0


def private_memory(pid: int) -> int:
    """Return the bytes of a process that it shares with no file and no other process's shared memory."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):  # it has just ended
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def namespace_of(first: int) -> list[int]:
    """Return the processes in the pid namespace of `first`, as this process numbers them."""
    try:
        own = os.readlink(f"/proc/{first}/ns/pid")
    except OSError:
        return []
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # another user's, or it has just ended
            if os.readlink(f"/proc/{entry}/ns/pid") == own:
                found.append(int(entry))
    return found
