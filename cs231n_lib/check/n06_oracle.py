"""What N06 is compared with: a net of any depth on PyTorch, in float64, its gradients by autograd.

Also what the box of a grader lacks: layers on autograd that the judge lends to the student's code for an examination.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import standins
from .passes import neighbour
from .subject import StudentError, Subject

Params = dict[str, np.ndarray]
LAYERS = ("affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss")


def names(depth: int) -> list[str]:
    """Return the parameters' names from the first layer to the last: W1, b1, W2, b2, ..."""
    return [f"{letter}{layer}" for layer in range(1, depth + 1) for letter in "Wb"]


def random_params(rng: np.random.Generator, dims: list[int]) -> Params:
    """Return float64 parameters for layers of these sizes, none of them zero: a missing bias must show."""
    params = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
        params[f"W{layer}"] = rng.normal(0.2, 1.2, size=(fan_in, fan_out)) / math.sqrt(fan_in)
        params[f"b{layer}"] = rng.normal(0.2, 0.5, size=fan_out)
    return params


@dataclass(frozen=True)
class Slips:
    """What a wrong net does otherwise; the default is the right net."""

    bend: str = "relu"  # "none", or "straight": bent on the way up, straight on the way down
    last: bool = False  # a ReLU after the last layer too
    order: tuple[int, ...] = ()  # the layers in another order


def _scores(leaves: dict[str, Any], x: np.ndarray, slips: Slips) -> Any:
    import torch

    hidden = torch.from_numpy(np.array(x, dtype=np.float64)).flatten(1)
    depth = len(leaves) // 2
    order = slips.order or tuple(range(1, depth + 1))
    for place, layer in enumerate(order, start=1):
        hidden = torch.addmm(leaves[f"b{layer}"], hidden, leaves[f"W{layer}"])
        if slips.bend != "none" and (place < depth or slips.last):
            bent = hidden.clamp(min=0)
            hidden = bent if slips.bend == "relu" else hidden + (bent - hidden).detach()
    return hidden


def _leaves(params: Params, *, requires_grad: bool) -> dict[str, Any]:
    import torch

    return {
        name: torch.from_numpy(np.array(value, dtype=np.float64)).requires_grad_(requires_grad)
        for name, value in params.items()
    }


def net_scores(params: Params, x: np.ndarray, slips: Slips | None = None) -> np.ndarray:
    """Return the scores (N, C), float64."""
    return _scores(_leaves(params, requires_grad=False), x, slips or Slips()).numpy()


def net_loss(params: Params, x: np.ndarray, y: np.ndarray, slips: Slips | None = None) -> tuple[float, Params]:
    """Return the mean softmax loss, without regularization, and its gradients."""
    import torch

    leaves = _leaves(params, requires_grad=True)
    labels = torch.from_numpy(np.asarray(y, dtype=np.int64))
    loss = torch.nn.functional.cross_entropy(_scores(leaves, x, slips or Slips()), labels)
    found = torch.autograd.grad(loss, list(leaves.values()))
    return float(loss.detach()), {name: grad.numpy() for name, grad in zip(leaves, found, strict=True)}


def lend(subject: Subject) -> None:
    """Where the layers cannot run, in a grader's box without PyTorch, put the judge's own under their names.

    In a notebook nothing is touched: the layers there are the student's own, or stand-ins that run.
    """
    layer = neighbour(subject, "relu_forward")
    if layer is None:
        return
    try:
        layer(np.ones((1, 2)))
    except StudentError as error:
        if error.kind == "ModuleNotFoundError":
            put(subject, {name: lent(getattr(standins, name)) for name in LAYERS})


def put(subject: Subject, functions: dict[str, Callable]) -> None:
    """Put the judge's functions under these names beside the student's function."""
    subject.attribute("__globals__").attribute("update")(functions)


def lent(layer: Callable) -> Callable:
    """Return the judge's function with PyTorch's errors turned into those that a student's code may see."""

    def call(*arguments: Any) -> Any:
        try:
            return layer(*arguments)
        except (RuntimeError, AttributeError) as error:  # what PyTorch raises for shapes that do not fit
            raise ValueError(f"{layer.__name__}: {error}") from error

    return call


def documented_forward(params: Params, x: np.ndarray) -> tuple[np.ndarray, list]:
    """Return (scores, caches) as the exercise describes them, built on the stand-ins."""
    caches, hidden, depth = [], x, len(params) // 2
    for layer in range(1, depth + 1):
        hidden, affine = standins.affine_forward(hidden, params[f"W{layer}"], params[f"b{layer}"])
        relu = None
        if layer < depth:
            hidden, relu = standins.relu_forward(hidden)
        caches.append((affine, relu))
    return hidden, caches
