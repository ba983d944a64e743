"""The network of the lectures' ConvNetJS demo on the course's fast kernels, and the rules that can train it.

Three times [convolution 5x5, ReLU, 2x2 max pooling] with 16, 20 and 20 filters, then an affine layer: 22,466 numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast, max_pool_backward_fast, max_pool_forward_fast
from cs231n_lib.optim import FromRule, Optimizer

from .base import ask
from .update_rules import Memory, nothing, parted_step

Arrays = dict[str, np.ndarray]
FILTERS = ((16, 3), (20, 16), (20, 20))  # (filters, channels) of each convolution
CLASSES = 10
SHIFT = 2  # pixels
DRAWS = {"weights": 0, "order": 1, "augment": 2}  # what a random stream is for: each has its own


def stream(seed: int, what: str, count: int = 0) -> np.random.Generator:
    """Return the random numbers for one purpose at one time. They depend on nothing else, so a resumed run has them."""
    return np.random.default_rng([seed, DRAWS[what], count])


def new_net(seed: int) -> Arrays:
    """Return parameters, float32: He's for convolutions; small for scores, so that the first loss is near ln 10."""
    rng, params = stream(seed, "weights"), {}
    for i, (filters, channels) in enumerate(FILTERS, start=1):
        spread = np.sqrt(2 / (channels * 25))
        params[f"w{i}"] = (spread * rng.normal(size=(filters, channels, 5, 5))).astype(np.float32)
        params[f"b{i}"] = np.zeros(filters, np.float32)
    params["w4"] = (0.05 * rng.normal(size=(FILTERS[-1][0] * 16, CLASSES))).astype(np.float32)
    params["b4"] = np.zeros(CLASSES, np.float32)
    return params


def prepared(images: np.ndarray) -> np.ndarray:
    """Return uint8 (N, 32, 32, 3) as the network's input, float32 (N, 3, 32, 32) in [-0.5, 0.5]."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32) / 255 - np.float32(0.5)


def augmented(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each image mirrored or not, and shifted by up to SHIFT pixels each way; what comes in is grey (0)."""
    size = x.shape[-1]
    wide = np.pad(x, ((0, 0), (0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    corners, flips = rng.integers(0, 2 * SHIFT + 1, size=(len(x), 2)), rng.random(len(x)) < 0.5
    out = np.empty_like(x)
    for i, ((top, left), flip) in enumerate(zip(corners, flips, strict=True)):
        cut = wide[i, :, top : top + size, left : left + size]
        out[i] = cut[..., ::-1] if flip else cut
    return out


def forward(params: Arrays, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], list[Any]]:
    """Return scores (N, 10), the three layers' outputs after pooling, and what the backward pass needs."""
    outs, caches = [], []
    for i in range(1, len(FILTERS) + 1):
        x, conv = conv_forward_fast(x, params[f"w{i}"], params[f"b{i}"], pad=2)
        x = np.maximum(x, 0)
        pooled, pool = max_pool_forward_fast(x, pool_h=2, pool_w=2, stride=2)
        caches.append((conv, x > 0, pool))
        outs.append(pooled)
        x = pooled
    return x.reshape(len(x), -1) @ params["w4"] + params["b4"], outs, caches


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return log softmax of scores (N, 10)."""
    low = scores - scores.max(axis=1, keepdims=True)
    return low - np.log(np.exp(low).sum(axis=1, keepdims=True))


def loss_and_grads(params: Arrays, x: np.ndarray, y: np.ndarray) -> tuple[float, Arrays]:
    """Return the mean cross-entropy of a batch x (N, 3, 32, 32), y (N,), and the gradient of every parameter."""
    scores, outs, caches = forward(params, x)
    logs = log_probabilities(scores)
    rows = np.arange(len(y))
    dscores = np.exp(logs)
    dscores[rows, y] -= 1
    dscores /= len(y)
    flat = outs[-1].reshape(len(x), -1)
    grads = {"w4": flat.T @ dscores, "b4": dscores.sum(axis=0)}
    dx = (dscores @ params["w4"].T).reshape(outs[-1].shape)
    for i in range(len(FILTERS), 0, -1):
        conv, alive, pool = caches[i - 1]
        dx, grads[f"w{i}"], grads[f"b{i}"] = conv_backward_fast(max_pool_backward_fast(dx, pool) * alive, conv)
    return float(-logs[rows, y].mean(dtype=np.float64)), grads


def accuracy(params: Arrays, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of images that get their label. Every split is measured by this, none of it augmented."""
    return float((forward(params, x)[0].argmax(axis=1) == y).mean())


class Rule(Optimizer):
    """One of RULES by name. `momentum` may be turned at any time, as `learning_rate` may; Adadelta has no rate."""

    def __init__(self, kind: str, *, learning_rate: float, momentum: float):
        super().__init__(learning_rate=learning_rate)
        self.kind, self.momentum = kind, momentum
        self._memories: dict[str, Memory] = {}

    def _move(self, name: str, w: np.ndarray, dw: np.ndarray, rate: float) -> np.ndarray:
        memory = self._memories.get(name) or nothing(w)
        carried, fresh, memory = parted_step(self.kind, dw, memory, rate=rate, momentum=self.momentum)
        self._memories[name] = memory
        return w + (carried + fresh)

    def _kind(self) -> str:
        return f"Rule({self.kind})"

    def state_dict(self) -> Arrays:
        saved = super().state_dict()
        for name, memory in self._memories.items():
            parts = {"age": np.array(memory.age), "first": memory.first, "second": memory.second}
            saved |= {f"{part}/{name}": value for part, value in parts.items()}
        return saved

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        super().load_state_dict(state)
        names = [key.partition("/")[2] for key in state if key.startswith("age/")]
        self._memories = {
            name: Memory(int(state[f"age/{name}"]), np.array(state[f"first/{name}"]), np.array(state[f"second/{name}"]))
            for name in names
        }


class Yours(FromRule):
    """A student's `update(w, dw, config)`, with the momentum of the panel in every config."""

    momentum = 0.9

    def _move(self, name: str, w: np.ndarray, dw: np.ndarray, rate: float) -> np.ndarray:
        known = self._configs.get(name, self.config)
        self._configs[name] = {**known, "momentum": self.momentum, "beta1": self.momentum}
        return super()._move(name, w, dw, rate)


def compared(update: Callable[..., Any], rules: tuple[str, ...], rate: float, momentum: float) -> tuple[set[str], str]:
    """Return the rules that a student's update moves like, over three steps, and what is wrong: "" if it can train.

    Adadelta is compared at learning rate 1, for it has none.
    """
    name, told = getattr(update, "__name__", type(update).__name__), {}

    def remembering(w: np.ndarray, dw: np.ndarray, config: dict[str, Any]) -> Any:
        told["answer"] = update(w, dw, config)
        return told["answer"]

    remembering.__name__ = name
    slopes = np.array([[0.5, -2.0, 0.01], [0.1, -1.0, -0.03], [-0.3, 4.0, 0.02]])
    alike = set(rules)
    for kind in rules:
        own = 1.0 if kind == "Adadelta" else rate
        reference, expected, mine = Rule(kind, learning_rate=own, momentum=momentum), np.ones(3), np.ones(3)
        config: dict[str, Any] = {}
        for dw in slopes:
            config = {**config, "learning_rate": own, "momentum": momentum, "beta1": momentum}
            answer, problem = ask(remembering, mine, dw, config, shape=(3,))
            if answer is None:
                return set(), problem
            given = told["answer"]
            if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)):
                return set(), f"{name} must return (next_w, config), got {type(given).__name__}"
            mine, config = answer, dict(given[1])
            expected = reference.step({"w": expected}, {"w": dw})["w"]
            if not np.allclose(mine, expected, rtol=0, atol=1e-6):
                alike.discard(kind)
                break
    return alike, ""
