"""What the ConvNet of N10 is compared with: the same net in torch, and layers to hand to a student's net."""

import math
from typing import Any

import numpy as np

from . import standins
from .n10_oracle import Spy

NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")
Params = dict[str, np.ndarray]


def layer_functions() -> dict[str, Spy]:
    """Return the nine layer functions of the exercise, made by torch; they count their calls."""
    functions: dict[str, Any] = {
        "conv_forward": standins.conv_forward_naive,
        "conv_backward": standins.conv_backward_naive,
        "relu_forward": standins.relu_forward,
        "relu_backward": standins.relu_backward,
        "max_pool_forward": standins.max_pool_forward_naive,
        "max_pool_backward": standins.max_pool_backward_naive,
        "affine_forward": standins.affine_forward,
        "affine_backward": standins.affine_backward,
        "softmax_loss": standins.softmax_loss,
    }
    return {name: Spy(function) for name, function in functions.items()}


def shapes_of(image: tuple[int, int, int], filters: int, size: int, hidden: int, classes: int) -> dict[str, tuple]:
    """Return the shape of every parameter."""
    c, h, w = image
    return {
        "W1": (filters, c, size, size),
        "b1": (filters,),
        "W2": (filters * (h // 2) * (w // 2), hidden),
        "b2": (hidden,),
        "W3": (hidden, classes),
        "b3": (classes,),
    }


def random_params(rng: np.random.Generator, shapes: dict[str, tuple]) -> Params:
    """Return parameters none of which is zero: a missing bias must show."""
    return {name: rng.normal(0.1, 1.0, size=s) / math.sqrt(max(1, np.prod(s[1:]))) for name, s in shapes.items()}


class Run:
    """One pass of the net in torch, float64, with all that the recognised mistakes are made of.

    scores (N, C), loss (a number, regularization included), grads {name: array}
    """

    def __init__(self, params: Params, x: np.ndarray, y: np.ndarray, reg: float) -> None:
        import torch
        from torch.nn import functional

        leaves = {name: torch.from_numpy(np.array(v, dtype=np.float64)).requires_grad_() for name, v in params.items()}
        pad = (params["W1"].shape[2] - 1) // 2
        self._images = torch.from_numpy(np.array(x, dtype=np.float64))
        before = functional.conv2d(self._images, leaves["W1"], leaves["b1"], padding=pad)
        after = before.relu()
        pooled = functional.max_pool2d(after, 2)
        hidden = pooled.flatten(1) @ leaves["W2"] + leaves["b2"]
        scores = hidden.relu() @ leaves["W3"] + leaves["b3"]
        data = functional.cross_entropy(scores, torch.from_numpy(np.asarray(y, dtype=np.int64)))
        squares = [(leaves[name] ** 2).sum() for name in ("W1", "W2", "W3")]
        loss = data + 0.5 * reg * sum(squares)
        inner = torch.autograd.grad(data, [before, after, pooled, hidden], retain_graph=True)
        found = torch.autograd.grad(loss, list(leaves.values()))
        self.scores, self.data_loss, self.loss = scores.detach().numpy(), float(data.detach()), float(loss.detach())
        self.squares = [float(s.detach()) for s in squares]
        self.grads = {name: g.numpy() for name, g in zip(leaves, found, strict=True)}
        self.no_relu = (hidden @ leaves["W3"] + leaves["b3"]).detach().numpy()
        self._weights, self._pad, self._before, self._inner = leaves["W1"], pad, before, inner

    def first_layer(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Return (dW1, db1), without regularization, as a mistake on the way back gives them.

        kind : "skips-relu" leaves out the ReLU after the convolution; "skips-pool" spreads the pooled gradient over its
            windows; "shares-pool" does so in equal parts
        """
        import torch
        from torch.nn import functional

        _, after, pooled, _ = self._inner
        spread = functional.interpolate(pooled, scale_factor=2.0, mode="nearest") * (self._before > 0)
        upstream = {"skips-relu": after, "skips-pool": spread, "shares-pool": spread / 4}[kind].detach()
        weights = self._weights.detach().requires_grad_()
        out = functional.conv2d(self._images, weights, padding=self._pad)
        dw = torch.autograd.grad(out, weights, upstream)[0]
        return dw.numpy(), upstream.sum(dim=(0, 2, 3)).numpy()


def plain(value: Any) -> np.ndarray:
    """Return an array as it is, and something of no size for whatever is not one."""
    return value if isinstance(value, np.ndarray) else np.zeros(1)
