"""Layers that the judge hands to a student's net, and that note how dropout is called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import standins


@dataclass(frozen=True)
class Drop:
    """One call of `dropout_forward`: what it was given, and by what each entry was multiplied."""

    keep: float
    train: bool
    seed: int
    factor: np.ndarray


@dataclass
class LayerSpy:
    """PyTorch's layers with the signatures of the course.

    drops : the calls of dropout_forward, in order
    calls : how often each layer was called
    problem : what the first call that a layer could not answer was about
    """

    drops: list[Drop] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    problem: str = ""

    def layers(self) -> dict[str, Callable[..., Any]]:
        """Return the seven layers by name; nonsense from a student's code becomes a ValueError that names the layer."""
        functions: dict[str, Callable[..., Any]] = {
            "affine_forward": self._affine_forward,
            "affine_backward": self._affine_backward,
            "relu_forward": self._relu_forward,
            "relu_backward": self._relu_backward,
            "softmax_loss": self._softmax_loss,
            "dropout_forward": self._dropout_forward,
            "dropout_backward": self._dropout_backward,
        }
        return {name: self._guarded(name, function) for name, function in functions.items()}

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            try:
                return function(*args, **kwargs)
            except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
                self.problem = self.problem or f"{name} cannot use what it is given: {error}"
                raise ValueError(self.problem) from error

        return guarded

    def _affine_forward(self, x: Any, w: Any, b: Any) -> tuple[np.ndarray, tuple]:
        return standins.affine_forward(x, w, b)

    def _affine_backward(self, dout: Any, cache: Any) -> tuple[np.ndarray, ...]:
        if not isinstance(cache, tuple) or len(cache) != 3:
            raise ValueError("this is not the cache of its own forward pass")
        return standins.affine_backward(dout, cache)

    def _relu_forward(self, x: Any) -> tuple[np.ndarray, tuple]:
        out, cache = standins.relu_forward(x)
        return out, ("relu", cache)

    def _relu_backward(self, dout: Any, cache: Any) -> np.ndarray:
        return standins.relu_backward(dout, _own(dout, cache, "relu"))

    def _softmax_loss(self, scores: Any, y: Any) -> tuple[float, np.ndarray]:
        return standins.softmax_loss(scores, y)

    def _dropout_forward(self, x: Any, *, keep: Any, train: Any, seed: Any) -> tuple[np.ndarray, tuple]:
        import torch

        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed must be an int from 0 up, got {seed!r:.40}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            ones = torch.ones(x.shape, dtype=torch.float64)
            factor = torch.nn.functional.dropout(ones, 1 - float(keep), training=bool(train)).numpy()
        self.drops.append(Drop(float(keep), bool(train), int(seed), factor))
        return x * factor, ("dropout", factor)

    def _dropout_backward(self, dout: Any, cache: Any) -> np.ndarray:
        return dout * _own(dout, cache, "dropout")


def _own(dout: Any, cache: Any, layer: str) -> np.ndarray:
    """Return the array in the cache, refusing the cache of another layer."""
    if not isinstance(cache, tuple) or len(cache) != 2 or cache[0] != layer:
        raise ValueError("this is not the cache of its own forward pass")
    if dout.shape != cache[1].shape:
        raise ValueError(f"dout {dout.shape} is not of the shape {cache[1].shape} that its forward pass had")
    return cache[1]
