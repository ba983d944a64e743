"""Carry a student's own layers from an earlier notebook into a later one, so that a failed exercise blocks nothing."""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import workspace
from .check import standins
from .check.harness import passes
from .check.warm import warm_torch

LAYERS = {
    "affine": {"affine_forward": "net-affine_forward", "affine_backward": "net-affine_backward"},
    "relu": {"relu_forward": "net-relu_forward", "relu_backward": "net-relu_backward"},
    "softmax loss": {"softmax_loss": "net-softmax_loss"},
    "batch norm": {
        "batchnorm_forward": "norm-batchnorm_forward",
        "batchnorm_backward": "norm-batchnorm_backward",
    },
    "convolution": {"conv_forward_naive": "conv-forward", "conv_backward_naive": "conv-backward"},
    "max pooling": {
        "max_pool_forward_naive": "conv-pool_forward",
        "max_pool_backward_naive": "conv-pool_backward",
    },
    "layer norm": {
        "layernorm_forward": "norm-layernorm_forward",
        "layernorm_backward": "norm-layernorm_backward",
    },
    "dropout": {"dropout_forward": "drop-forward", "dropout_backward": "drop-backward"},
    "convolution along one axis": {"conv1d_forward": "conv-conv1d"},
    "convolution by columns": {
        "conv_forward_columns": "fast-conv_forward",
        "conv_backward_columns": "fast-conv_backward",
    },
    "spatial batch norm": {
        "spatial_batchnorm_forward": "fast-spatial_bn_forward",
        "spatial_batchnorm_backward": "fast-spatial_bn_backward",
    },
    "group norm": {
        "spatial_groupnorm_forward": "fast-groupnorm_forward",
        "spatial_groupnorm_backward": "fast-groupnorm_backward",
    },
}
"""Functions that belong together: {title: {name in the notebook: the exercise that examines it}}."""


def carry_forward(notebook: str, names: Sequence[str], *, quiet: bool = False) -> list[Callable[..., Any]]:
    """Return the functions `names` of an earlier notebook, in order: the student's own where they pass their checks.

    notebook : name without .ipynb, such as "N04_two_layer_net"; looked for beside this one and in work/
    A forward function and its backward function come together: if one does not pass, both are stand-ins with the same
    signatures, on PyTorch's autograd. Under grading all are stand-ins: each notebook is graded on its own.
    Raises ValueError for a name that has no stand-in.
    """
    known = {name for layer in LAYERS.values() for name in layer}
    for name in names:
        if name not in known:
            raise ValueError(f"carry_forward: names must be among {', '.join(sorted(known))}, got {name!r}")
    warm_torch()
    mine = {} if os.environ.get("NBGRADER_EXECUTION") else _own_functions(notebook)
    chosen: dict[str, Callable[..., Any]] = {}
    for title, layer in LAYERS.items():
        asked = [name for name in layer if name in names]
        if not asked:
            continue
        own = all(name in mine and passes(exercise, mine[name]) for name, exercise in layer.items())
        chosen.update({name: mine[name] if own else getattr(standins, name) for name in asked})
        if not quiet:
            print(_line(title, notebook, own=own, found=any(name in mine for name in layer)))
    return [chosen[name] for name in names]


def _line(title: str, notebook: str, *, own: bool, found: bool) -> str:
    if own:
        return f"{title}: your own, from {notebook}"
    why = "yours does not pass its check yet" if found else f"{notebook} is not here"
    return f"{title}: a stand-in, because {why}"


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
