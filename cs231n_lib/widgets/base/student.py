"""Call a student's function from a widget: on copies, shape-checked, and never able to take the widget down."""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .controls import NOTHING


class NoAnswerError(Exception):
    """Raised by a model's `compute` where nothing can be drawn without the student's answer; says why, in one line."""


WIDGETS = str(Path(__file__).parents[1])  # a widget may call the student through a function of its own


def ask(
    function: Callable[..., Any],
    *arrays: Any,
    shape: tuple[int, ...] | None,
    options: Mapping[str, Any] = NOTHING,
    part: int = 0,
) -> tuple[np.ndarray | None, str]:
    """Return (answer, problem): what the student's function gives as an array, or None and one sentence.

    arrays : arguments; arrays are copied, so a function that writes into them harms nothing
    shape : the shape the answer must have; None: any
    options : keyword arguments
    part : which entry counts if the function returns a tuple such as (out, cache)
    Values that are not finite are an answer, not a problem.
    """
    name = getattr(function, "__name__", type(function).__name__)
    given = [array.copy() if isinstance(array, np.ndarray) else array for array in arrays]
    try:
        with np.errstate(all="ignore"):  # nan and inf are seen in the answer; no red box
            answer = function(*given, **options)
        if isinstance(answer, tuple):
            if len(answer) <= part:
                return None, f"{name} must return at least {part + 1} values, got {len(answer)}"
            answer = answer[part]
        elif part:
            return None, f"{name} must return a tuple, got {type(answer).__name__}"
        value = np.asarray(answer)
    except NotImplementedError as error:  # a stub, perhaps called by a function that is written
        frames = _frames(error)
        stub = frames[-1].name if frames else name
        return None, f"{stub} is not implemented yet: write it first, then run this cell again"
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a student's code raises is shown, none of it stops a widget
        return None, f"{name} raised {type(error).__name__}: {_one_line(error)}{_place(error)}"
    if value.dtype.kind not in "biuf":
        kind = type(answer).__name__ if value.dtype.kind == "O" else f"{value.dtype} values"
        return None, f"{name} must return numbers, got {kind}" + (" (is a return missing?)" if answer is None else "")
    if shape is not None and value.shape != shape:
        return None, f"{name} must return shape {shape}, got {value.shape}"
    return value, ""


def _one_line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 160 else words[:157] + "..."


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the calls in the student's own code, the innermost last; library frames are passed over."""
    return [
        f
        for f in traceback.extract_tb(error.__traceback__)[1:]
        if "site-packages" not in f.filename and not f.filename.startswith(WIDGETS)
    ]


def _place(error: BaseException) -> str:
    """Return " (line 3: `x = 1 / 0`)", the innermost line of the student's own code."""
    frames = _frames(error)
    if not frames:
        return ""
    source = f": `{frames[-1].line[:80]}`" if frames[-1].line else ""
    return f" (line {frames[-1].lineno}{source})"
