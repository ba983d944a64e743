"""Waiting for processes: what several tests of faults need, without a fixed sleep."""

import os
import time


def wait_for(condition, seconds=30):
    """Return what `condition` gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(0.02)
    return found


def descendants(pid, depth=None):
    """Processes below `pid`, or those just `depth` generations below it whose command is the warm judge's."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
    generation, found = [pid], []
    for level in range(depth or 9):
        generation = [child for child, parent in parents.items() if parent in generation]
        if depth and level == depth - 1:
            return [child for child in generation if b"autograder.warm" in _command(child)]
        found += generation
    return found


def _command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
