"""How much Python something runs: a bound on work that is the same on every machine, unlike time."""

import sys
from collections.abc import Callable
from typing import Any


def lines_of(act: Callable[..., Any], *arguments: Any) -> int:
    """Return how many lines of Python `act(*arguments)` runs in this thread."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act(*arguments)
    finally:
        sys.settrace(before)
    return count
