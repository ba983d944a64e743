"""The numbers of the optimizer race: five surfaces, four rules, and a fifth racer, the student's own rule.

A surface is turned by an angle about the origin and shifted so that its lowest value is 0. Every rule's step is what it
carries over plus what the new gradient adds, so that its arrows can be drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .base import Button, Choice, Data, Slider, State, ask
from .update_rules import EPSILON, nothing, parted_step

REACH, MOST, FAR = 2.0, 200, 1e3  # half the side of the map; steps; a racer farther than this has diverged
RULES = ("SGD", "momentum", "RMSprop", "Adam")
AGREE = 1e-6  # relative; the rules of the notebook differ from these by rounding only
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999)
NOISES = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Race(State):
    """The track, the start, the knobs of the rules, and how far the race has gone."""

    surface: str = "ravine"
    angle: int = 0
    x: float = -1.6
    y: float = 1.2
    rate: float = 0.1
    adaptive_rate: float = 0.1
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    decay: float = 0.9
    noise: float = 0.0
    seed: int = 0
    watch: str = "Adam"
    steps: int = 40
    speed: str = "slow"


def _ravine(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return 0.5 * (0.3 * x**2 + 12 * y**2), 0.3 * x, 12 * y


def _rosenbrock(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bend = y - x**2
    return 0.2 * (1 - x) ** 2 + 2 * bend**2, -0.4 * (1 - x) - 8 * x * bend, 4 * bend


def _saddle(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return 0.5 * (x**2 - y**2) + y**4 / 8 + 0.5, x, -y + y**3 / 2


def _plateau(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    well = np.exp(-(x**2 + y**2) / 0.5)
    return 1 - well, 4 * x * well, 4 * y * well


def _bumps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    value = 0.5 * (x**2 + y**2) + 0.2 * (2 - np.cos(7 * x) - np.cos(7 * y))
    return value, x + 1.4 * np.sin(7 * x), y + 1.4 * np.sin(7 * y)


# name: (function of (x, y) -> (value, d/dx, d/dy), a lowest place)
SURFACES: dict[str, tuple[Callable[..., Any], tuple[float, float]]] = {
    "ravine": (_ravine, (0, 0)),
    "Rosenbrock": (_rosenbrock, (1, 1)),
    "saddle": (_saddle, (0, 2**0.5)),
    "plateau": (_plateau, (0, 0)),
    "noisy": (_bumps, (0, 0)),
}
CONTROLS = (
    Choice("surface", "surface", tuple(SURFACES), names=("ravine", "Rosenbrock", "saddle", "plateau", "noisy (bumps)")),
    Slider("angle", "turn the surface (°)", -90, 90, step=15),
    Slider("x", "start x", -REACH, REACH, step=0.05),
    Slider("y", "start y", -REACH, REACH, step=0.05),
    Choice("rate", "rate: SGD, mom.", RATES, slide=True),
    Choice("adaptive_rate", "rate: RMS, Adam", RATES, slide=True),
    Slider("momentum", "momentum", 0.0, 0.99, step=0.01),
    Slider("beta1", "Adam's beta1", 0.0, 0.99, step=0.01),
    Choice("beta2", "Adam's beta2", DECAYS, slide=True),
    Choice("decay", "RMSprop's decay", DECAYS, slide=True),
    Choice("noise", "gradient noise", NOISES, slide=True, hint="standard deviation; the same noise for every racer"),
    Slider("seed", "seed of the noise", 0, 9, needs={"noise": NOISES[2:]}),
    Choice("watch", "look at", RULES, hint="its step is split into arrows; your own rule is compared with it"),
    Slider("steps", "steps done", 0, MOST),
    Choice("speed", "Run goes", ("slow", "fast"), names=("1 step at a time", "5 steps")),
    Button("restart", "Back to the start"),
)


def turned(x: Any, y: Any, angle: float) -> tuple[Any, Any]:
    """Return coordinates turned by an angle in degrees, counter-clockwise."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return c * x - s * y, s * x + c * y


def height(surface: str, angle: float, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values with the shape of x, and gradients with one axis more, of size 2, at the end."""
    value, across, along = SURFACES[surface][0](*turned(x, y, -angle))
    return value, np.stack(turned(across, along, angle), axis=-1)


@dataclass(frozen=True)
class Run:
    """One racer: where it was, how high, and the two parts of each step. nan once it has diverged."""

    places: np.ndarray  # float (steps + 1, 2)
    losses: np.ndarray  # float (steps + 1,)
    carried: np.ndarray  # float (steps, 2): what the rule kept from earlier steps
    fresh: np.ndarray  # float (steps, 2): what the new gradient added; the step is the sum

    @property
    def diverged(self) -> bool:
        return not np.isfinite(self.losses[-1])


@dataclass(frozen=True)
class Standing:
    """What is drawn."""

    state: Race
    runs: dict[str, Run]  # up to the steps done
    yours: Run | None
    differs: int  # the first step at which yours leaves the rule that is looked at; 0: none
    problem: str


def noise(state: Race) -> np.ndarray:
    """Return what is added to the gradients, float (MOST, 2): the gradient of a batch differs from that of all data."""
    return state.noise * np.random.default_rng(state.seed).normal(size=(MOST, 2))


def track(state: Race) -> Race:
    """Return the state without what does not move a racer: what the races are remembered by."""
    return Race(surface=state.surface, angle=state.angle, x=state.x, y=state.y, rate=state.rate,
                adaptive_rate=state.adaptive_rate, momentum=state.momentum, beta1=state.beta1, beta2=state.beta2,
                decay=state.decay, noise=state.noise, seed=state.seed if state.noise else 0)  # fmt: skip


@lru_cache(maxsize=32)
def race(state: Race) -> dict[str, Run]:
    """Return every rule's whole race."""
    w = np.tile(np.array([state.x, state.y]), (4, 1))
    memories = [nothing(row) for row in w]
    knobs = [_knobs(state, name) for name in RULES]
    shaken = noise(state)
    places, carried, fresh = np.full((MOST + 1, 4, 2), np.nan), np.zeros((MOST, 4, 2)), np.zeros((MOST, 4, 2))
    places[0] = w
    with np.errstate(all="ignore"):
        for t in range(MOST):
            g = height(state.surface, state.angle, w[:, 0], w[:, 1])[1] + shaken[t]
            for i, name in enumerate(RULES):
                carried[t, i], fresh[t, i], memories[i] = parted_step(name, g[i], memories[i], **knobs[i])
            w = w + carried[t] + fresh[t]
            w[~(np.abs(w) < FAR).all(axis=1)] = np.nan
            places[t + 1] = w
    return {name: _run(state, places[:, i], carried[:, i], fresh[:, i]) for i, name in enumerate(RULES)}


def _knobs(state: Race, name: str) -> dict[str, float]:
    plain = name in RULES[:2]
    rate, momentum = (state.rate, state.momentum) if plain else (state.adaptive_rate, state.beta1)
    return {"rate": rate, "momentum": momentum, "beta2": state.beta2, "decay": state.decay}


def _run(state: Race, places: np.ndarray, carried: np.ndarray, fresh: np.ndarray) -> Run:
    return Run(places, height(state.surface, state.angle, places[:, 0], places[:, 1])[0], carried, fresh)


def cut(run: Run, steps: int) -> Run:
    """Return the race up to a step."""
    return Run(run.places[: steps + 1], run.losses[: steps + 1], run.carried[:steps], run.fresh[:steps])


def compute(state: Race, data: Data) -> Standing:
    """Return how the race stands."""
    runs = {name: cut(run, state.steps) for name, run in race(track(state)).items()}
    yours, differs, problem = None, 0, ""
    if "update" in data:
        yours, problem = _your_run(state, data["update"])
    if yours is not None and not problem:
        differs, problem = _compare(state, yours, runs[state.watch])
    return Standing(state, runs, yours, differs, problem)


def settings(state: Race) -> dict[str, float]:
    """Return the config that the notebook's rule of the watched name reads."""
    rate = state.rate if state.watch in RULES[:2] else state.adaptive_rate
    return {"learning_rate": rate, "momentum": state.momentum, "decay_rate": state.decay, "beta1": state.beta1,
            "beta2": state.beta2, "epsilon": EPSILON}  # fmt: skip


def _your_run(state: Race, update: Callable[..., Any]) -> tuple[Run | None, str]:
    """Return the race of the student's rule and what is wrong with it."""
    config: list[Any] = [settings(state)]

    def rule(w: np.ndarray, dw: np.ndarray) -> Any:
        answer = update(w, dw, dict(config[-1]))
        if isinstance(answer, tuple) and len(answer) == 2:
            config.append(answer[1])
        return answer

    rule.__name__ = getattr(update, "__name__", "update")
    shaken, w = noise(state), np.array([state.x, state.y])
    places = [w]
    for t in range(max(state.steps, 1)):  # at the start, one step is asked for all the same: mistakes show at once
        if not (np.abs(w) < FAR).all():
            break
        slope = height(state.surface, state.angle, w[0], w[1])[1] + shaken[t]
        before = len(config)
        answer, problem = ask(rule, w, slope, shape=(2,))
        if answer is None:
            return None, problem
        if len(config) == before or not isinstance(config[-1], Mapping):
            return None, f"{rule.__name__} must return (next_w, config), and config must be a dict"
        w = answer.astype(float)
        places.append(w)
    path = np.full((max(state.steps, 1) + 1, 2), np.nan)
    path[: len(places)] = places
    path[~(np.abs(path) < FAR).all(axis=1)] = np.nan
    nothing = np.zeros((len(path) - 1, 2))
    return cut(_run(state, path, nothing, nothing), state.steps), ""


def _compare(state: Race, yours: Run, wanted: Run) -> tuple[int, str]:
    """Return the first step at which the student's rule leaves the watched one, and a sentence that says so."""
    near = np.isclose(yours.places, wanted.places, rtol=AGREE, atol=AGREE, equal_nan=True).all(axis=1)
    if near.all():
        return 0, ""
    t = int(np.flatnonzero(~near)[0])
    step, expected = yours.places[t] - wanted.places[t - 1], wanted.places[t] - wanted.places[t - 1]
    words = f"your rule leaves {state.watch} at step {t}: it moves by {_pair(step)}, expected {_pair(expected)}"
    bare = (1 - state.beta1**t) / np.sqrt(1 - state.beta2**t) if state.beta2 else 1.0
    if np.allclose(step, -expected, rtol=1e-5):
        words += "; it goes uphill: a sign is wrong"
    elif state.watch == "Adam" and t > 0 and np.allclose(step, expected * bare, rtol=1e-3):
        words += f"; {bare:.3g} times Adam's step is what Adam without bias correction makes"
    return t, words


def _pair(values: np.ndarray) -> str:
    return f"({values[0]:.4g}, {values[1]:.4g})"
