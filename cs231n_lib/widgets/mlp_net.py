"""The numbers of the MLP playground: points on a plane, a small net with softmax, its gradients and SGD."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .base import Button, Choice, Number, Slider, State, Switch, ask

REACH = 3.0  # the plane spans [-REACH, REACH] both ways
PER_CLASS, LAYERS, WIDTH, CLASSES = 28, 3, 8, 5
ENTRIES, POINTS = 60, 60  # of the loss curves; that may be drawn
DRAWS = {"weights": 0, "train": 1, "test": 2, "batch": 3, "dropout": 4}  # what a random stream is for
Arrays = dict[str, np.ndarray]
MOST_WEIGHTS = 2 * WIDTH + (LAYERS - 1) * WIDTH**2 + WIDTH * CLASSES


@dataclass(frozen=True)
class Net(State):
    """The settings; then what training and the pointer have made."""

    data: str = "ring"
    classes: int = 2
    layers: int = 1
    width: int = 4
    activation: str = "ReLU"
    rate: float = 0.1
    batch: int = 32
    l2: float = 0.0
    dropout: float = 0.0
    pace: int = 20
    layer: int = 1
    across: int = 1
    up: int = 2
    test: bool = False
    which: int = 0
    value: float = 0.0
    brush: int = 1
    seed: int = 0
    x: float = 0.0  # where Enter adds a point
    y: float = 0.0
    points: tuple[tuple[Any, ...], ...] = ()  # drawn: (x, y, label)
    step: int = 0
    shape: tuple[int, ...] = ()  # of the net that `weights` are of; any other net starts afresh
    weights: tuple[float, ...] = ()  # W1, b1, W2, b2, ... row by row
    history: tuple[tuple[Any, ...], ...] = ()  # (step, training loss, test loss)


CONTROLS = (
    Choice("data", "data", ("ring", "XOR", "spiral", "drawn")),
    Slider("classes", "classes", 2, CLASSES),
    Slider("layers", "hidden layers", 1, LAYERS),
    Slider("width", "units in each", 1, WIDTH),
    Choice("activation", "activation", ("ReLU", "tanh", "sigmoid", "none")),
    Choice("rate", "learning rate", (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), slide=True),
    Choice("batch", "batch", (1, 8, 32, 128), slide=True),
    Choice("l2", "L2 strength", (0.0, 0.0001, 0.001, 0.01, 0.1), slide=True),
    Slider("dropout", "dropout", 0.0, 0.8, step=0.1, hint="share of hidden units switched off at each step"),
    Choice("pace", "steps at a time", (1, 20, 100)),
    Slider("layer", "bent grid: layer", 1, LAYERS, needs={"layers": tuple(range(LAYERS, 1, -1))}),
    Slider("across", "its x: unit", 1, WIDTH, needs={"width": tuple(range(WIDTH, 1, -1))}),
    Slider("up", "its y: unit", 1, WIDTH, needs={"width": tuple(range(WIDTH, 1, -1))}),
    Switch("test", "show test points"),
    Slider("which", "weight to edit", 0, MOST_WEIGHTS - 1, hint="or click a line"),
    Number("value", "its new value", -20.0, 20.0, step=0.1),
    Button("edit", "Set the weight"),
    Slider("brush", "class to draw", 1, CLASSES),
    Button("add", "Add a point at the cross"),
    Button("undo", "Undo point", after="add"),
    Button("fresh", "New weights", after="edit"),
    Slider("seed", "seed", 0, 9),
)


def stream(seed: int, what: str, count: int = 0) -> np.random.Generator:
    """Return the random numbers for one purpose at one step: they depend on nothing else."""
    return np.random.default_rng([seed, DRAWS[what], count])


@lru_cache(maxsize=64)
def cloud(data: str, classes: int, seed: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 2) and labels (N,)."""
    rng, count = stream(seed, split), PER_CLASS * classes
    labels = np.arange(count) % classes
    share = rng.uniform(0, 1, size=count)
    turn = rng.uniform(0, 2 * np.pi, size=count)
    noise = rng.normal(size=(count, 2))
    if data == "drawn":
        return np.empty((0, 2)), np.empty(0, int)
    if data == "spiral":
        radius, angle = 0.3 + 2.4 * share, 2 * np.pi * labels / classes + 4.5 * share
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + 0.08 * noise
    elif data == "ring":  # class k lies between two circles
        inner = np.array([0, *[1.2 + 1.6 * k / (classes - 1) for k in range(classes - 1)]])
        outer = np.array([0.8, *[1.2 + 1.6 * (k + 0.75) / (classes - 1) for k in range(classes - 1)]])
        radius = inner[labels] + (outer - inner)[labels] * np.sqrt(share)
        points = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    else:  # quadrants, the classes going round; a fifth class sits in the middle
        places = rng.uniform(0.25, 2.7, size=(count, 2))
        quarter = np.where(labels < 4, labels + classes * (np.arange(count) // classes % max(1, 4 // classes)), 0)
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])[quarter % 4]
        points = np.where((labels < 4)[:, None], signs * np.maximum(places, 0.8 * (classes == 5)), 0.25 * noise)
    return np.clip(points, -REACH, REACH), labels


def training_set(state: Net) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (N, 2) and labels (N,) that the net learns, with those that were drawn."""
    points, labels = cloud(state.data, state.classes, state.seed, "train")
    drawn = [(x, y, label) for x, y, label in state.points if label < state.classes]
    if drawn:
        points = np.vstack([points, [(x, y) for x, y, _ in drawn]])
        labels = np.append(labels, [label for _, _, label in drawn]).astype(int)
    return points, labels


# --- the net


def shape_of(state: Net) -> tuple[int, ...]:
    """Return the numbers of units, from the two inputs to the classes."""
    return (2, *[state.width] * state.layers, state.classes)


def start(state: Net) -> Arrays:
    """Return fresh weights: standard deviation sqrt(2 / inputs) before a ReLU (He), sqrt(1 / inputs) otherwise."""
    rng, shape = stream(state.seed, "weights"), shape_of(state)
    gain = 2.0 if state.activation == "ReLU" else 1.0
    params = {}
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(shape), start=1):
        params[f"W{i}"] = (np.sqrt(gain / fan_in) * rng.normal(size=(fan_in, fan_out))).round(6)
        params[f"b{i}"] = np.zeros(fan_out)
    return params


def unpack(flat: tuple[float, ...], shape: tuple[int, ...]) -> Arrays:
    """Return the weights of a net from one row of numbers."""
    values, params, at = np.array(flat), {}, 0
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(shape), start=1):
        for name, size in ((f"W{i}", (fan_in, fan_out)), (f"b{i}", (fan_out,))):
            params[name] = values[at : at + int(np.prod(size))].reshape(size)
            at += int(np.prod(size))
    return params


def size_of(shape: tuple[int, ...]) -> int:
    """Return how many numbers a net has."""
    return sum((a + 1) * b for a, b in itertools.pairwise(shape))


def current(state: Net) -> tuple[Arrays, bool]:
    """Return the net's weights, and whether they were trained or edited."""
    shape = shape_of(state)
    mine = state.shape == shape and len(state.weights) == size_of(shape)
    return (unpack(state.weights, shape), True) if mine else (start(state), False)


def bend(z: np.ndarray, activation: str) -> np.ndarray:
    """Return the activation of z."""
    if activation == "ReLU":
        return np.maximum(z, 0)
    if activation == "sigmoid":
        return 0.5 + 0.5 * np.tanh(z / 2)  # the same function, without an overflow
    return np.tanh(z) if activation == "tanh" else z


def slope(h: np.ndarray, activation: str) -> np.ndarray:
    """Return the slope of the activation, from its output h."""
    if activation == "ReLU":
        return (h > 0).astype(float)
    if activation == "sigmoid":
        return h * (1 - h)
    return 1 - h**2 if activation == "tanh" else np.ones_like(h)


def forward(params: Arrays, x: np.ndarray, activation: str, masks: list[np.ndarray] | None = None) -> list[np.ndarray]:
    """Return [x, hidden layers..., scores]; masks multiply the hidden layers, as dropout does."""
    outs, depth = [x], len(params) // 2
    for i in range(1, depth + 1):
        z = outs[-1] @ params[f"W{i}"] + params[f"b{i}"]
        if i < depth:
            z = bend(z, activation)
            z = z * masks[i - 1] if masks else z
        outs.append(z)
    return outs


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Return softmax of scores (N, C)."""
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exps / exps.sum(axis=1, keepdims=True)


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean loss."""
    low = scores - scores.max(axis=1, keepdims=True)
    return float((np.log(np.exp(low).sum(axis=1)) - low[np.arange(len(labels)), labels]).mean())


def loss_and_grads(
    params: Arrays, x: np.ndarray, labels: np.ndarray, activation: str, l2: float,
    masks: list[np.ndarray] | None = None,
) -> tuple[float, Arrays]:  # fmt: skip
    """Return the mean cross-entropy plus l2 / 2 times the squares of all W, and the gradients."""
    outs = forward(params, x, activation, masks)
    depth, grads = len(params) // 2, {}
    back = probabilities(outs[-1])
    back[np.arange(len(labels)), labels] -= 1
    back /= len(labels)
    for i in range(depth, 0, -1):
        grads[f"W{i}"] = outs[i - 1].T @ back + l2 * params[f"W{i}"]
        grads[f"b{i}"] = back.sum(axis=0)
        if i > 1:
            back = back @ params[f"W{i}"].T
            hidden = outs[i - 1]
            if masks:
                back = back * masks[i - 2]
                hidden = np.divide(hidden, masks[i - 2], out=np.zeros_like(hidden), where=masks[i - 2] > 0)
            back = back * slope(hidden, activation)
    penalty = sum(float((params[f"W{i}"] ** 2).sum()) for i in range(1, depth + 1))
    return cross_entropy(outs[-1], labels) + 0.5 * l2 * penalty, {name: grads[name] for name in params}


def losses(state: Net, params: Arrays) -> tuple[float, float]:
    """Return the mean cross-entropy on all training and on all test points; nan where there are none."""
    found = []
    for x, y in (training_set(state), cloud(state.data, state.classes, state.seed, "test")):
        found.append(cross_entropy(forward(params, x, state.activation)[-1], y) if len(y) else np.nan)
    return found[0], found[1]


def train(state: Net) -> Net:
    """Return the state after `pace` steps of SGD; the same state if there are no points. Raises if it diverges."""
    x, y = training_set(state)
    if not len(y):
        return state
    params, known = current(state)
    first = state.step if known else 0
    history = state.history if known else ()
    if not history:
        history = ((first, *_rounded(losses(state, params))),)
    with np.errstate(all="ignore"):
        for step in range(first, first + state.pace):
            chosen = stream(state.seed, "batch", step).permutation(len(y))[: state.batch]
            masks = None
            if state.dropout:
                rng = stream(state.seed, "dropout", step)
                kept = 1 - state.dropout
                masks = [(rng.random((len(chosen), state.width)) < kept) / kept for _ in range(state.layers)]
            _, grads = loss_and_grads(params, x[chosen], y[chosen], state.activation, state.l2, masks)
            params = {name: w - state.rate * grads[name] for name, w in params.items()}
    flat = np.concatenate([w.ravel() for w in params.values()])
    if not (np.abs(flat) < 1e6).all():
        raise ValueError(
            f"training left all bounds within {state.pace} steps after step {first}: lower the learning rate "
            f"({state.rate:g}), then press New weights or Run"
        )
    weights = tuple(float(f"{w:.6g}") for w in flat)  # six digits: a state stays a line that can be shared
    history = (*history, (first + state.pace, *_rounded(losses(state, unpack(weights, shape_of(state))))))
    history = history[:1] + history[2::2] if len(history) > ENTRIES else history
    return replace(state, step=first + state.pace, shape=shape_of(state), weights=weights, history=history)


def _rounded(pair: tuple[float, float]) -> tuple[float, ...]:
    return tuple(-1.0 if np.isnan(v) else round(v, 4) for v in pair)  # -1: no such points; JSON has no nan


def your_gradients(function: Any, state: Net, params: Arrays) -> tuple[Mapping[str, np.ndarray], str]:
    """Return where the student's gradients differ, bool by name, and what is wrong with loss or gradients."""
    x, y = training_set(state)
    loss, grads = loss_and_grads(params, x, y, "ReLU", state.l2)
    name, told = getattr(function, "__name__", type(function).__name__), []

    def called(given: Arrays, points: np.ndarray, labels: np.ndarray, reg: float) -> Any:
        answer = function({key: w.copy() for key, w in given.items()}, points, labels, reg)
        told.append(answer)
        if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping)):
            return 0.0
        parts = [np.asarray(answer[1][key], dtype=float) for key in grads if key in answer[1]]
        return np.concatenate([[float(answer[0])], *[part.ravel() for part in parts]])

    called.__name__ = name
    answer, problem = ask(called, params, x, y, state.l2, shape=None)
    if answer is None:
        return {}, problem
    if answer.ndim == 0:
        return {}, f"{name} must return (loss, grads) with grads a dict, got {type(told[0]).__name__}"
    for key, grad in grads.items():
        if key not in told[0][1]:
            fewer = f"W{state.layers + 1}" not in told[0][1] and "W2" in told[0][1]
            why = ": your net has fewer layers than this one" if fewer else ""
            return {}, f"{name} must return a gradient for every parameter, {key!r} is missing{why}"
        if np.shape(told[0][1][key]) != grad.shape:
            return {}, f"{name}: the gradient of {key} must have shape {grad.shape}, got {np.shape(told[0][1][key])}"
    if not abs(answer[0] - loss) <= 1e-5 * max(1, abs(loss)):
        return {}, f"{name}: your loss is {answer[0]:.4g}, expected {loss:.4g}"
    wrong = {key: ~np.isclose(told[0][1][key], grad, rtol=1e-4, atol=1e-6) for key, grad in grads.items()}
    bad = [key for key, off in wrong.items() if off.any()]
    if not bad:
        return {}, ""
    at = tuple(int(i[0]) for i in np.nonzero(wrong[bad[0]]))
    got, expected = np.asarray(told[0][1][bad[0]])[at], grads[bad[0]][at]
    where = f"{bad[0]}[{', '.join(map(str, at))}]"
    return wrong, f"{name}: your gradient of {where} is {got:.4g}, expected {expected:.4g} (marked ✗)"
