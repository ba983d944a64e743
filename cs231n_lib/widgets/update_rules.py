"""The update rules that widgets race and train with: each step in two parts, what is carried over and what is new.

With gradient g at step t, learning rate r, velocity v and running means m of g and c of g^2:
SGD -r g; momentum m v - r g; RMSprop -r g / sqrt(c); Adam r (b1 m + (1 - b1) g) / ((1 - b1^t) sqrt(c / (1 - b2^t)));
Adadelta -g sqrt(u) / sqrt(c), with u the running mean of its squared steps, and no learning rate.
Sources: Polyak 1964; Hinton's lecture 6e, 2012; Kingma and Ba 2015; Zeiler 2012 with rho 0.9 and epsilon 1e-6.
"""

from dataclasses import dataclass

import numpy as np

EPSILON = 1e-8
RHO, FLOOR = 0.9, 1e-6  # Adadelta's


@dataclass(frozen=True)
class Memory:
    """What a rule keeps of one parameter: steps done, a velocity or running mean, and a running mean of squares."""

    age: int
    first: np.ndarray
    second: np.ndarray


def nothing(w: np.ndarray) -> Memory:
    """Return the memory before the first step of w."""
    return Memory(0, np.zeros_like(w), np.zeros_like(w))


def parted_step(
    kind: str, dw: np.ndarray, memory: Memory, *, rate: float, momentum: float, beta2: float = 0.999, decay: float = 0.9
) -> tuple[np.ndarray, np.ndarray, Memory]:
    """Return (carried, fresh, memory): the step is carried + fresh, with the shape and dtype of the gradient dw.

    momentum : of the velocity; in Adam it is beta1
    decay : of RMSprop's running mean of squares
    """
    age, first, second = memory.age + 1, memory.first, memory.second
    carried = np.zeros_like(dw)
    if kind == "momentum":
        carried, fresh = momentum * first, -rate * dw
        first = carried + fresh
    elif kind == "RMSprop":
        second = decay * second + (1 - decay) * dw**2
        fresh = -rate * dw / (np.sqrt(second) + EPSILON)
    elif kind == "Adam":
        second = beta2 * second + (1 - beta2) * dw**2
        length = -rate / (1 - momentum**age) / (np.sqrt(second / (1 - beta2**age)) + EPSILON)
        old, new = momentum * first, (1 - momentum) * dw
        carried, fresh, first = length * old, length * new, old + new
    elif kind == "Adadelta":
        second = RHO * second + (1 - RHO) * dw**2
        fresh = -dw * np.sqrt(first + FLOOR) / np.sqrt(second + FLOOR)
        first = RHO * first + (1 - RHO) * fresh**2
    elif kind == "SGD":
        fresh = -rate * dw
    else:
        raise ValueError(f"parted_step: kind must be SGD, momentum, RMSprop, Adam or Adadelta, got {kind!r}")
    return carried, fresh, Memory(age, first, second)
