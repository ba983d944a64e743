"""Training runs of the judge: a student's settings, PyTorch's layers and optimizers, freshly drawn pictures."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cs231n_lib import shapes10

Split = tuple[np.ndarray, np.ndarray]


def fresh_pictures(rng: np.random.Generator, counts: Sequence[int]) -> list[Split]:
    """Return (X float32 (N, 3072), y int64 (N,)) for each count, standardized by the first of them."""
    parts = []
    for count in counts:
        y = rng.permutation(np.arange(count) % len(shapes10.CLASSES))
        parts.append((shapes10.draw(y, rng).reshape(count, -1).astype(np.float32), y))
    mean, scale = parts[0][0].mean(axis=0), parts[0][0].std()
    return [((x - mean) / scale, y) for x, y in parts]


@dataclass(frozen=True)
class Outcome:
    """What a run ended with. loss : of the last epoch, inf where it diverged; learned, right : accuracies, 0 to 1"""

    loss: float
    learned: float
    right: float


@dataclass(frozen=True)
class Descent:
    """Plain SGD without torch.optim, which takes two seconds to load: as long as all the training of a check."""

    params: list[Any]
    learning_rate: float

    def step(self) -> None:
        for leaf in self.params:
            leaf.data -= self.learning_rate * leaf.grad

    def zero_grad(self) -> None:
        for leaf in self.params:
            leaf.grad = None


def make_optimizer(rule: str, params: list[Any], learning_rate: float) -> Any:
    """Return an optimizer for a rule of the course, PyTorch's but for plain SGD, with the course's defaults."""
    import torch

    makers = {
        "sgd": lambda: Descent(params, learning_rate),
        "momentum": lambda: torch.optim.SGD(params, lr=learning_rate, momentum=0.9),
        "rmsprop": lambda: torch.optim.RMSprop(params, lr=learning_rate, alpha=0.99, eps=1e-8),
        "adam": lambda: torch.optim.Adam(params, lr=learning_rate),
    }
    return makers[rule]()


def run(
    dims: Sequence[int],
    train: Split,
    test: Split,
    rng: np.random.Generator,
    *,
    weight_scale: float | None,
    rule: str,
    learning_rate: float,
    reg: float,
    batch_size: int,
    steps: int,
) -> Outcome:
    """Train a net of these sizes for so many steps. weight_scale : None is sqrt(2 / fan_in) for each layer"""
    import torch

    leaves = []
    for fan_in, fan_out in itertools.pairwise(dims):
        scale = (2 / fan_in) ** 0.5 if weight_scale is None else weight_scale
        drawn = torch.from_numpy((scale * rng.normal(size=(fan_in, fan_out))).astype(np.float32))
        leaves += [drawn.requires_grad_(True), torch.zeros(fan_out, requires_grad=True)]
    optimizer = make_optimizer(rule, leaves, learning_rate)

    def scores(x: np.ndarray) -> Any:
        hidden = torch.from_numpy(x)
        for layer in range(len(dims) - 1):
            hidden = torch.addmm(leaves[2 * layer + 1], hidden, leaves[2 * layer])
            hidden = hidden.relu() if layer < len(dims) - 2 else hidden
        return hidden

    def share(split: Split) -> float:
        with torch.no_grad():
            return float(np.mean(scores(split[0]).argmax(dim=1).numpy() == split[1]))

    order = np.zeros(0, dtype=int)
    for _ in range(steps):
        if len(order) < min(batch_size, len(train[1])):
            order = np.concatenate([order, rng.permutation(len(train[1]))])
        batch, order = order[:batch_size], order[batch_size:]
        loss = torch.nn.functional.cross_entropy(scores(train[0][batch]), torch.from_numpy(train[1][batch]))
        loss = loss + 0.5 * reg * sum((weights**2).sum() for weights in leaves[::2])
        if not torch.isfinite(loss):
            return Outcome(float("inf"), 0.0, 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Outcome(float(loss.detach()), share(train), share(test))
