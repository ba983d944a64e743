"""Optimizers: how parameters move, given their gradients; and schedules: how far, as training goes on.

Every optimizer takes one `step(params, grads)` and returns new parameters; it never writes into its arguments, so a
kept copy of the best parameters stays what it was. `learning_rate` may be changed at any time, also while training.
Plain SGD is given here. Momentum, RMSProp and Adam are exercises: `FromRule` turns a written rule into an optimizer.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Rule = Callable[[np.ndarray, np.ndarray, dict[str, Any]], tuple[np.ndarray, dict[str, Any]]]


class Optimizer(ABC):
    """The common interface. A subclass says how one parameter moves in `_move`, and may keep state per parameter."""

    def __init__(self, *, learning_rate: float):
        self.learning_rate = learning_rate

    @property
    def learning_rate(self) -> float:
        """The step length, before a schedule's factor."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{type(self).__name__}: learning_rate must be a finite number >= 0, got {value}")
        self._learning_rate = float(value)

    def step(self, params: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray], *, factor: float = 1.0) -> Arrays:
        """Return the parameters after one step: new arrays with the names, shapes and dtypes of `params`.

        params, grads : float arrays by name; every parameter has a gradient of its own shape
        factor : multiplies the learning rate of this step; a schedule sets it
        """
        _check_grads(type(self).__name__, params, grads)
        rate = self.learning_rate * float(factor)
        # astype: a rule that mixes in a float64 constant must not turn float32 parameters into float64 ones.
        return {name: self._move(name, w, grads[name], rate).astype(w.dtype) for name, w in params.items()}

    @abstractmethod
    def _move(self, name: str, w: np.ndarray, dw: np.ndarray, rate: float) -> np.ndarray:
        """Return the next value of parameter `name`; w and dw must be left as they are."""

    def state_dict(self) -> Arrays:
        """Return everything a checkpoint needs to go on exactly as before, as plain arrays (copies)."""
        return {"kind": np.array(self._kind()), "learning_rate": np.array(self.learning_rate)}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` of the same kind of optimizer returned."""
        if (kind := str(state.get("kind"))) != self._kind():  # momentum cannot go on from the memory of Adam
            raise ValueError(f"{type(self).__name__}: state must come from the optimizer {self._kind()}, got {kind}")
        self.learning_rate = float(state["learning_rate"])

    def _kind(self) -> str:
        return type(self).__name__


class SGD(Optimizer):
    """Stochastic gradient descent: w <- w - learning_rate * (dw + weight_decay * w).

    weight_decay : pulls every parameter towards 0, biases included; it equals a penalty weight_decay/2 * sum(w**2)
    """

    def __init__(self, *, learning_rate: float, weight_decay: float = 0.0):
        super().__init__(learning_rate=learning_rate)
        if not (math.isfinite(weight_decay) and weight_decay >= 0):
            raise ValueError(f"SGD: weight_decay must be a finite number >= 0, got {weight_decay}")
        self.weight_decay = float(weight_decay)

    def _move(self, name: str, w: np.ndarray, dw: np.ndarray, rate: float) -> np.ndarray:
        return w - rate * (dw + self.weight_decay * w)


class FromRule(Optimizer):
    """Lift an update rule of the course, `rule(w, dw, config) -> (next_w, config)`, to an optimizer.

    rule : for one parameter; keeps what it must remember (velocity, t, ...) in the config it returns
    config : numbers or arrays that every parameter's config starts from, e.g. {"momentum": 0.9}. Each parameter has its
        own config; "learning_rate" is set in it before every call.
    """

    def __init__(self, rule: Rule, *, learning_rate: float, config: Mapping[str, Any] | None = None):
        super().__init__(learning_rate=learning_rate)
        self.rule = rule
        self.config = dict(config or {})
        if "learning_rate" in self.config:
            raise ValueError("FromRule: config must not hold learning_rate; pass learning_rate=... beside it")
        self._configs: dict[str, dict[str, Any]] = {}

    def _move(self, name: str, w: np.ndarray, dw: np.ndarray, rate: float) -> np.ndarray:
        # Copies: a rule that works in place (`w -= ...`) is a right answer too, and must not reach the caller's arrays.
        config = {key: _copy(value) for key, value in self._configs.get(name, self.config).items()}
        returned = self.rule(w.copy(), dw.copy(), config | {"learning_rate": rate})
        if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], Mapping)):
            raise TypeError(f"FromRule: rule must return (next_w, config), got {_describe(returned)}")
        next_w, config = np.asarray(returned[0]), dict(returned[1])
        if next_w.shape != w.shape:
            raise ValueError(f"FromRule: next_w of {name!r} must be of shape {w.shape} like w, got {next_w.shape}")
        config.pop("learning_rate", None)
        self._configs[name] = config
        return next_w

    def _kind(self) -> str:
        return f"FromRule({getattr(self.rule, '__name__', 'rule')})"

    def state_dict(self) -> Arrays:
        """Return the learning rate and every parameter's config, with keys `config/<key>/<parameter>`."""
        state = super().state_dict()
        for name, config in self._configs.items():
            state[f"rule/{name}"] = np.array(sorted(config))  # lists its keys, so that an empty config is kept too
            for key, value in config.items():
                array = np.array(value)
                if array.dtype.kind not in "biuf":
                    raise TypeError(f"FromRule: config[{key!r}] must be a number or an array, got {_describe(value)}")
                state[f"config/{key}/{name}"] = array
        return state

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over the configs of `state_dict`; numbers come back as Python numbers, arrays as copies."""
        super().load_state_dict(state)
        self._configs = {}
        for entry, keys in state.items():
            if entry.startswith("rule/"):
                name = entry.removeprefix("rule/")
                found = {key: np.array(state[f"config/{key}/{name}"]) for key in keys.tolist()}
                self._configs[name] = {key: value if value.ndim else value.item() for key, value in found.items()}


# Schedules. Each is a factor for the learning rate as a function of `epoch`, a real number that counts passes over the
# data (2.5 is the middle of the third). Give the Solver one with its options filled in: `lambda epoch: cosine(epoch,
# num_epochs=10)`. A schedule holds no state, so it can be drawn before it is used, and a resumed run needs no record.


def constant(epoch: float) -> float:
    """Return 1: the learning rate stays what it is."""
    return 1.0


def step_decay(epoch: float, *, every: float, factor: float) -> float:
    """Return `factor` multiplied in once per `every` finished epochs."""
    return factor ** math.floor(epoch / every)


def exponential_decay(epoch: float, *, rate: float) -> float:
    """Return rate**epoch: the same fraction is lost in each epoch, a little at every step."""
    return rate**epoch


def cosine(epoch: float, *, num_epochs: float, floor: float = 0.0) -> float:
    """Return half a cosine from 1 at epoch 0 to `floor` at `num_epochs`, and `floor` after it. Source: SGDR, 2017."""
    progress = min(epoch / num_epochs, 1.0)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warm_up(epoch: float, *, num_epochs: float, start: float = 0.1) -> float:
    """Return a line from `start` at epoch 0 to 1 at `num_epochs`, and 1 after it. Multiply it with another schedule."""
    return start + (1.0 - start) * min(epoch / num_epochs, 1.0)


def _check_grads(owner: str, params: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray]) -> None:
    if set(params) != set(grads):
        missing, unknown = sorted(set(params) - set(grads)), sorted(set(grads) - set(params))
        raise ValueError(f"{owner}: grads must have the names of params, got {missing} missing and {unknown} unknown")
    for name, w in params.items():
        if np.shape(grads[name]) != w.shape:
            raise ValueError(
                f"{owner}: grads[{name!r}] must be of shape {w.shape} like its parameter, got {np.shape(grads[name])}"
            )


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _describe(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
