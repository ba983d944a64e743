"""A batch norm for a net that is examined: right by the judge's own numbers, and it notes how it is called."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from .n07_oracle import moments, norm_slopes, normalized

MOMENTUM, EPS = 0.9, 1e-5
FORWARD_ARRAYS = ("x", "gamma", "beta", "running_mean", "running_var")


@dataclass(frozen=True)
class ForwardCall:
    """What one call of the forward pass was given."""

    x: np.ndarray
    gamma: np.ndarray
    running_mean: np.ndarray
    running_var: np.ndarray
    train: bool


@dataclass
class NormSpy:
    """Stands in for the two passes of batch norm: `forward` and `backward` go to the net as callbacks.

    forwards : what each forward call was given, since the last `clear`
    backwards : the number of the forward call whose cache each backward call was given
    problem : (message, hint, symptom) of the first thing that is wrong with what it was given
    """

    forwards: list[ForwardCall] = field(default_factory=list)
    backwards: list[int] = field(default_factory=list)
    problem: tuple[str, str, str] | None = None

    def clear(self) -> None:
        self.forwards, self.backwards, self.problem = [], [], None

    def forward(
        self, *arrays: Any, train: Any = None, momentum: float = MOMENTUM, eps: float = EPS, **named: Any
    ) -> Any:
        """Return (out, cache, running_mean, running_var); the cache is the number of this call."""
        given = dict(zip(FORWARD_ARRAYS, arrays, strict=False)) | named
        if set(given) != set(FORWARD_ARRAYS):
            self._stop(
                f"norm_forward got {', '.join(given) or 'nothing'}",
                f"It takes {', '.join(FORWARD_ARRAYS)}, and train=True or train=False by name.",
                "norm-arguments",
            )
        if not isinstance(train, bool | np.bool_):
            self._stop(
                f"norm_forward needs train=True or train=False, got {train!r:.40}",
                "A net that is asked for the loss is in training; one that is asked for scores is not.",
                "train-missing",
            )
        x = given["x"]
        if not isinstance(x, np.ndarray) or x.ndim != 2 or x.dtype.kind != "f":
            self._stop(
                "norm_forward: x must be a float array (N, H)", "Hand on what affine_forward gave.", "norm-input"
            )
        for name in FORWARD_ARRAYS[1:]:
            if np.shape(given[name]) != x.shape[1:]:
                self._stop(
                    f"norm_forward: {name} must have shape {x.shape[1:]}, got {np.shape(given[name])}",
                    "Each hidden layer has its own gamma, beta and running statistics, under its own number.",
                    "layers-mixed",
                )
        values = {name: np.asarray(given[name], dtype=float) for name in FORWARD_ARRAYS}
        return self._normalize(values, bool(train), float(momentum), float(eps))

    def _normalize(self, values: dict[str, np.ndarray], train: bool, momentum: float, eps: float) -> Any:
        x, gamma, beta, mean, var = (values[name] for name in FORWARD_ARRAYS)
        self.forwards.append(ForwardCall(x, gamma, mean, var, train))
        cache = len(self.forwards) - 1
        if not train:
            return normalized(x, gamma, beta, eps, axis=0, means=mean, variances=var), cache, mean, var
        batch_mean, batch_var = moments(x, axis=0)
        kept = (mean * momentum + batch_mean * (1 - momentum), var * momentum + batch_var * (1 - momentum))
        return normalized(x, gamma, beta, eps, axis=0), cache, *kept

    def backward(self, dout: Any, cache: Any) -> Any:
        """Return (dx, dgamma, dbeta) of the forward call that this cache came from."""
        number = cache if type(cache) is int else -1
        if not 0 <= number < len(self.forwards):
            self._stop(
                "norm_backward must get the cache that norm_forward returned, as it is",
                "norm_backward(dout, cache): keep the second result of norm_forward for it, one per layer.",
                "norm-cache",
            )
        seen = self.forwards[number]
        if not isinstance(dout, np.ndarray) or dout.shape != seen.x.shape:
            self._stop(
                f"norm_backward: dout must have shape {seen.x.shape} like its layer's x, got {np.shape(dout)}",
                "Each layer has its own cache: keep them in a list, and go through it backwards.",
                "caches-mixed",
            )
        self.backwards.append(number)
        return tuple(norm_slopes(seen.x, seen.gamma, EPS, np.asarray(dout, dtype=float), axis=0))

    def _stop(self, message: str, hint: str, symptom: str) -> NoReturn:
        self.problem = self.problem or (message, hint, symptom)
        raise ValueError(message)
