"""Stands in a box in place of a module of the library that would answer an exercise. See library.py."""

from typing import Any

CLOSED_IN_A_BOX = True


def __getattr__(name: str) -> Any:
    """Let any name be imported, as a notebook's first cell may do; what it stands for is not here."""
    if name.startswith("__"):
        raise AttributeError(name)

    def closed(*arguments: Any, **options: Any) -> Any:
        raise ModuleNotFoundError(
            f"{__name__}.{name} is not available where answers are judged: solve it with what you wrote", name=__name__
        )

    return closed
