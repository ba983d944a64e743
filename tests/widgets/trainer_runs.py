"""Runs of the live trainer, for its tests: opened with a small batch, trained by Step."""

import torch

from cs231n_lib.widgets.base import Static
from cs231n_lib.widgets.trainer import MODEL
from cs231n_lib.widgets.trainer_board import session_of

QUICK = {"batch": 4, "speed": 1}


def opened(update=None, **state):
    return Static(MODEL, QUICK | state, {"update": update} if update else {})


def train(widget, steps):
    """Press Step until the run has that many steps and is trained that far."""
    for _ in range(10 * steps + 50):
        if session_of(widget.state, widget.data).steps >= steps <= widget.state.steps or widget.problem:
            break
        widget.step()
    return widget


def losses(widget):
    return list(session_of(widget.state, widget.data).losses)


def torch_net(params, x):
    for i in (1, 2, 3):
        x = torch.nn.functional.conv2d(x, params[f"w{i}"], params[f"b{i}"], padding=2)
        x = torch.nn.functional.max_pool2d(torch.relu(x), 2)
    return x.flatten(1) @ params["w4"] + params["b4"]


def turned(widget, *, until=36):
    """A run with knobs turned on the way: the schedule of the tests below."""
    for at, field, value in (
        (8, "learning_rate", 0.01),
        (14, "rule", "Adam"),
        (20, "batch", 8),
        (26, "augment", False),
    ):
        if at < until:
            train(widget, at).set(field, value)
    return train(widget, until)
