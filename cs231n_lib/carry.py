"""Carry a student's own layers from an earlier notebook into a later one, so that a failed exercise blocks nothing."""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import workspace
from .check.harness import passes
from .check.standins import LAYERS, Layer
from .check.warm import warm_torch


def carry_forward(notebook: str, names: Sequence[str], *, quiet: bool = False) -> list[Callable[..., Any]]:
    """Return the functions `names` of an earlier notebook, in order: the student's own where they pass their checks.

    notebook : name without .ipynb, such as "N04_two_layer_net"; looked for beside this one and in work/
    A forward function and its backward function come together: if one does not pass, both are stand-ins with the same
    signatures, on PyTorch's autograd. Under grading all are stand-ins: each notebook is graded on its own.
    Raises ValueError for a name that has no stand-in.
    """
    known = {name for layer in LAYERS for name in layer.functions}
    for name in names:
        if name not in known:
            raise ValueError(f"carry_forward: names must be among {', '.join(sorted(known))}, got {name!r}")
    warm_torch()
    mine = {} if os.environ.get("NBGRADER_EXECUTION") else _own_functions(notebook)
    chosen: dict[str, Callable[..., Any]] = {}
    for layer in LAYERS:
        asked = [name for name in layer.functions if name in names]
        if not asked:
            continue
        own = all(name in mine and passes(exercise, mine[name]) for name, (exercise, _) in layer.functions.items())
        chosen.update({name: mine[name] if own else layer.functions[name][1] for name in asked})
        if not quiet:
            print(_line(layer, notebook, own=own, found=any(name in mine for name in layer.functions)))
    return [chosen[name] for name in names]


def _line(layer: Layer, notebook: str, *, own: bool, found: bool) -> str:
    if own:
        return f"{layer.title}: your own, from {notebook}"
    why = "yours does not pass its check yet" if found else f"{notebook} is not here"
    return f"{layer.title}: a stand-in, because {why}"


def _own_functions(notebook: str) -> dict[str, Any]:
    """Run the setup and solution cells of the student's earlier notebook; return their names, {} if there is none."""
    path = _find(notebook)
    if path is None:
        return {}
    namespace: dict[str, Any] = {"__name__": notebook}
    for cell in workspace.read_notebook(path):
        if workspace.is_own_or_setup(cell):
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
                # A cell that fails leaves its names undefined: their layer becomes a stand-in, and the line says so.
                exec(compile(workspace.text_of(cell), f"{notebook}.ipynb", "exec"), namespace)
    return namespace


def _find(notebook: str) -> Path | None:
    """Look beside the running notebook, in the folders next to it, then in work/."""
    here = Path.cwd()
    places = [here, *sorted(here.parent.glob("a*")), *sorted((workspace.HOME / "work").glob("a*"))]
    return next((p / f"{notebook}.ipynb" for p in places if (p / f"{notebook}.ipynb").is_file()), None)
