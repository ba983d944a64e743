"""The numbers of the health check: a deep net's activations and gradients, layer by layer, before and while it learns.

Layer l of L makes z = a W (+ b), normalizes it or not, adds b after the normalization, and bends it: a' = f(z). A last
affine layer gives 4 scores; the loss is softmax cross-entropy against a linear teacher's labels, averaged over N rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from .base import Button, Choice, Data, Slider, State, ask

INPUTS, CLASSES, MOST = 32, 4, 30
EPSILON = 1e-5  # batch norm's and layer norm's, as in the notebook
FLAT = 0.02  # a unit is dead if its slope is below this share of the steepest, on every example
AGREE = 1e-5  # relative: the student's sums may run in another order
LEAK = 0.1
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
WEIGHTS = ("std 0.01", "Xavier", "Kaiming", "std 0.3")


@dataclass(frozen=True)
class Health(State):
    """The net, how it starts, and how long it has learned."""

    activation: str = "ReLU"
    weights: str = "Kaiming"
    norm: str = "none"
    layers: int = 8
    width: int = 64
    batch: int = 64
    bias: float = 0.0
    rate: float = 0.1
    steps: int = 0
    look: int = 1
    ranges: str = "same"
    seed: int = 0


CONTROLS = (
    Choice("activation", "activation", ("ReLU", "leaky", "tanh", "sigmoid"), hint="leaky ReLU: slope 0.1 below 0"),
    Choice("weights", "first weights", WEIGHTS, hint="Xavier: std 1/sqrt(inputs); Kaiming: sqrt(2/inputs)"),
    Choice("norm", "normalization", ("none", "batch", "layer")),
    Slider("layers", "hidden layers", 2, 10),
    Choice("width", "units per layer", (16, 32, 64), slide=True),
    Choice("batch", "batch size", (2, 8, 64), slide=True),
    Slider("bias", "first biases", -3.0, 3.0, step=0.25),
    Choice("rate", "learning rate", RATES, slide=True),
    Slider("steps", "steps learned", 0, MOST),
    Slider("look", "look at layer", 1, 10),
    Choice("ranges", "histograms span", ("same", "own"), names=("the same", "each its own")),
    Slider("seed", "seed", 0, 9),
    Button("forget", "Back to the first weights"),
)  # fmt: skip

Params = tuple[tuple[np.ndarray, np.ndarray], ...]  # (W, b) of each layer, the scores' last


def bend(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return f(z) and its slope, both with the shape of z."""
    if name == "tanh":
        a = np.tanh(z)
        return a, 1 - a**2
    if name == "sigmoid":
        a = 0.5 * (1 + np.tanh(z / 2))  # never overflows
        return a, a * (1 - a)
    slope = np.where(z > 0, 1.0, 0.0 if name == "ReLU" else LEAK)
    return z * slope, slope


def normalize(z: np.ndarray, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Return z with mean 0 and variance 1 along its batch or its row, and the standard deviation it was divided by."""
    if norm == "none":
        return z, np.ones((1, 1))
    axis = 0 if norm == "batch" else 1
    centred = z - z.mean(axis=axis, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=axis, keepdims=True) + EPSILON)
    return centred / deviation, deviation


def normalize_backward(dout: np.ndarray, out: np.ndarray, deviation: np.ndarray, norm: str) -> np.ndarray:
    """Return the gradient of `normalize`'s input: what mean and variance take back is subtracted."""
    if norm == "none":
        return dout
    axis = 0 if norm == "batch" else 1
    along = (dout * out).mean(axis=axis, keepdims=True)
    return (dout - dout.mean(axis=axis, keepdims=True) - out * along) / deviation


def task(state: Health) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (N, INPUTS) of mean 0 and variance 1, and the labels (N,) that a linear teacher gives them."""
    rng = np.random.default_rng([state.seed, 1])
    teacher = rng.normal(size=(INPUTS, CLASSES))
    x = rng.normal(size=(64, INPUTS))[: state.batch]
    return x, (x @ teacher).argmax(axis=1)


def first_params(state: Health) -> Params:
    """Return the weights and biases before the first step."""
    rng = np.random.default_rng([state.seed, 2])
    sizes = [INPUTS, *[state.width] * state.layers]
    params = []
    for inputs, units in pairwise(sizes):
        spread = {"std 0.01": 0.01, "std 0.3": 0.3, "Xavier": inputs**-0.5, "Kaiming": (2 / inputs) ** 0.5}
        params.append((spread[state.weights] * rng.normal(size=(inputs, units)), np.full(units, state.bias)))
    params.append((state.width**-0.5 * rng.normal(size=(state.width, CLASSES)), np.zeros(CLASSES)))
    return tuple(params)


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass; lists have one entry for each hidden layer."""

    before: list[np.ndarray]  # a W, before any normalization, (N, width)
    outputs: list[np.ndarray]  # a' = f(z)
    slopes: list[np.ndarray]  # f'(z)
    upstream: list[np.ndarray]  # dL/da', (N, width)
    grads: Params
    loss: float


def both_passes(state: Health, params: Params) -> Pass:
    """Return activations, gradients and the loss."""
    x, y = task(state)
    outs: list[np.ndarray] = [x]
    before: list[np.ndarray] = []
    slopes: list[np.ndarray] = []
    normal: list[np.ndarray] = []
    deviations: list[np.ndarray] = []
    upstream: list[np.ndarray] = []
    for w, b in params[:-1]:
        before.append(outs[-1] @ w)
        scaled, deviation = normalize(before[-1], state.norm)
        a, slope = bend(state.activation, scaled + b)
        for kept, value in ((normal, scaled), (deviations, deviation), (outs, a), (slopes, slope)):
            kept.append(value)
    w, b = params[-1]
    scores = outs[-1] @ w + b
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_q = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(x))
    dscores = np.exp(log_q)
    dscores[rows, y] -= 1
    dscores /= len(x)
    grads = [(outs[-1].T @ dscores, dscores.sum(axis=0))]
    da = dscores @ w.T
    for i in reversed(range(state.layers)):
        upstream.insert(0, da)
        dz = da * slopes[i]
        dbefore = normalize_backward(dz, normal[i], deviations[i], state.norm)
        grads.insert(0, (outs[i].T @ dbefore, dz.sum(axis=0)))
        da = dbefore @ params[i][0].T
    return Pass(before, outs[1:], slopes, upstream, tuple(grads), float(-log_q[rows, y].mean()))


@lru_cache(maxsize=96)
def learned(state: Health) -> tuple[Params, Pass]:
    """Return the parameters after the state's steps of plain SGD on its one batch, and a pass through them."""
    if state.steps:
        params, last = learned(_net(state, state.steps - 1))
        pairs = zip(params, last.grads, strict=True)
        params = tuple((w - state.rate * dw, b - state.rate * db) for (w, b), (dw, db) in pairs)
    else:
        params = first_params(state)
    with np.errstate(all="ignore"):  # a rate that is too high ends in nan, and the picture says so
        return params, both_passes(state, params)


def _net(state: Health, steps: int) -> Health:
    """Return the state without what does not move a weight."""
    return Health(activation=state.activation, weights=state.weights, norm=state.norm, layers=state.layers,
                  seed=state.seed, width=state.width, batch=state.batch, bias=state.bias, steps=steps,
                  rate=state.rate if steps else 0.1)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What is drawn; arrays have one entry for each hidden layer."""

    state: Health
    outputs: list[np.ndarray]
    upstream: list[np.ndarray]
    spread: np.ndarray  # standard deviation of each layer's outputs
    pull: np.ndarray  # root mean square of the gradient of the summed loss at each layer's outputs
    dead: list[np.ndarray]  # bool (width,): flat on every example
    flat: np.ndarray  # share of (example, unit) pairs on a flat part of the activation
    ratio: np.ndarray  # length of the next update over the length of the weights
    first_loss: float
    loss: float
    wrong: tuple[int, ...]  # layers, from 1, on whose numbers the student's batch norm differs
    asked: bool
    problem: str


def compute(state: Health, data: Data) -> Report:
    """Return the health of every layer."""
    params, now = learned(_net(state, state.steps))
    steepest = {"sigmoid": 0.25}.get(state.activation, 1.0)
    level = [(slope < FLAT * steepest) & np.isfinite(a) for slope, a in zip(now.slopes, now.outputs, strict=True)]
    with np.errstate(all="ignore"):
        spread = np.array([a.std() for a in now.outputs])
        pull = np.array([state.batch * np.sqrt((g**2).mean()) for g in now.upstream])
        ratio = np.array([state.rate * np.linalg.norm(dw) / np.linalg.norm(w)
                          for (w, _), (dw, _) in zip(params[:-1], now.grads[:-1], strict=True)])  # fmt: skip
    asked = "batchnorm" in data and all(np.isfinite(z).all() for z in now.before)  # what is nan cannot be compared
    wrong, problem = _your_layers(now.before, data["batchnorm"]) if "batchnorm" in data else ((), "")
    return Report(
        state=state, outputs=now.outputs, upstream=now.upstream, spread=spread, pull=pull, ratio=ratio,
        dead=[np.asarray(flat.all(axis=0)) for flat in level], flat=np.array([flat.mean() for flat in level]),
        loss=now.loss, first_loss=learned(_net(state, 0))[1].loss, wrong=wrong, asked=asked,
        problem=problem,
    )  # fmt: skip


def _your_layers(before: list[np.ndarray], batchnorm: Callable[..., Any]) -> tuple[tuple[int, ...], str]:
    """Return the layers on which the student's batch norm differs, and what is wrong with it."""
    wrong, problem = [], ""
    for i, z in enumerate(before):
        if not np.isfinite(z).all():
            break
        units = z.shape[1]
        given = (z, np.ones(units), np.zeros(units), np.zeros(units), np.ones(units))
        answer, trouble = ask(batchnorm, *given, shape=z.shape, options={"train": True})
        if answer is None:
            return (), trouble
        expected = normalize(z, "batch")[0]
        if not np.allclose(answer, expected, rtol=AGREE, atol=AGREE):
            wrong.append(i + 1)
            if not problem:
                row, unit = np.unravel_index(np.abs(np.nan_to_num(answer - expected, nan=1e9)).argmax(), z.shape)
                problem = f"your batch norm differs at layer {i + 1} (✗): out[{row}, {unit}] is "
                problem += f"{answer[row, unit]:.4g}, expected {expected[row, unit]:.4g}{_known(answer, z)}"
    return tuple(wrong), problem


def _known(answer: np.ndarray, z: np.ndarray) -> str:
    """Return the name of a known mistake, if it is one."""
    if np.allclose(answer, normalize(z, "layer")[0], rtol=AGREE, atol=AGREE):
        return "; each row was normalized, not each column"
    if len(z) > 1 and np.allclose(answer, (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0, ddof=1) + EPSILON), rtol=AGREE):
        return "; the variance is divided by N - 1, not by N"
    if np.allclose(answer, z / np.sqrt(1 + EPSILON), rtol=1e-3):
        return "; the running statistics were used although train is True"
    return ""
