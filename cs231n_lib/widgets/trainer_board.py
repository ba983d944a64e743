"""What the live trainer shows: curves, filters, activations, predictions, and a diagnosis with a name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cs231n_lib.data import DataError

from .base import Data
from .trainer_images import Drawn, Stored
from .trainer_net import compared, forward, log_probabilities, prepared
from .trainer_own import own_image
from .trainer_plan import RULES, SHOWN, Run, Turn, in_force, pending
from .trainer_session import Session

SESSIONS = 3  # runs (images, seed) that stay in memory
START = float(np.log(10))  # the loss of ten equal probabilities
RECENT = 25  # steps that a diagnosis looks at
HIGH, LOW = 0.04, 2e-5  # |change| / |weights| of a step: about 0.001 is usual, beyond these the run stalls or shakes


@dataclass(frozen=True)
class Board:
    """One picture's numbers. Arrays over images hold SHOWN test images and, last, the student's own."""

    state: Run
    steps: int
    epochs: float
    smooth: list[float]
    losses: list[float]
    ghost: list[float]
    ratios: list[float]
    accuracies: list[tuple[int, float, float, float]]
    turns: tuple[Turn, ...]
    waiting: tuple[Turn, ...]
    filters: np.ndarray  # (16, 3, 5, 5)
    activations: list[np.ndarray]  # (filters, H, W) of each layer, for the image in focus
    images: np.ndarray  # uint8 (6, 32, 32, 3)
    labels: np.ndarray  # (6,); the last is -1
    probabilities: np.ndarray  # (6, 10)
    classes: tuple[str, ...]
    own: str  # what the own image is, or why it is not
    verdict: str
    advice: str
    agrees: bool
    missing: str  # why there are no images, "" if there are
    problem: str


def session_of(state: Run, data: Data) -> Session:
    """Return the session of a run's images and seed. Raises DataError if the images are not on this machine."""
    sessions = data.setdefault("_sessions", {})
    key = (state.images, state.seed)
    if key not in sessions:
        sources = data.setdefault("_sources", {})
        if state.images not in sources:
            sources[state.images] = Drawn() if state.images == "shapes10" else Stored()
        update = data.get("update")
        usable = update is not None and not compared(update, RULES[:1], 0.1, 0.9)[1]
        while len(sessions) >= SESSIONS:
            del sessions[next(iter(sessions))]
        sessions[key] = Session(sources[state.images], state.seed, update if usable else None)
    return sessions[key]


def compute(state: Run, data: Data) -> Board:
    """Return what the picture shows; trains nothing. A run that was opened from its line is trained again by Run."""
    agrees, problem = _judged(state, data)
    try:
        session = session_of(state, data)
    except DataError as error:
        told = f"{error}"
        return Board(state, 0, 0.0, [], [], [], [], [], (), (), np.zeros((16, 3, 5, 5)), [], np.zeros(0), np.zeros(0),
                     np.zeros(0), (), "", "no images", told, agrees, told, problem)  # fmt: skip
    session.follow(state.turns, state.steps)
    images, labels = session.source.take("test", np.arange(SHOWN * (state.page - 1), SHOWN * state.page))
    mine, own = own_image(state.own, data)
    images, labels = np.concatenate([images, mine[None]]), np.append(labels, -1)
    with np.errstate(all="ignore"):
        scores, outs, _ = forward(session.params, prepared(images))
        probabilities = np.exp(log_probabilities(scores))
    verdict, advice = diagnose(state, session, [float((out == 0).all(axis=0).mean()) for out in outs])
    return Board(
        state=state, steps=session.steps, epochs=session.seen / session.source.count,
        smooth=session.smooth, losses=session.losses,
        ghost=session.ghost if state.fork >= 0 else [], ratios=session.ratios, accuracies=session.accuracies,
        turns=tuple(turn for turn in state.turns if turn[0]), waiting=pending(state), filters=session.params["w1"],
        activations=[out[state.focus - 1] for out in outs], images=images, labels=labels,
        probabilities=probabilities, classes=tuple(session.source.classes), own=own, verdict=verdict, advice=advice,
        agrees=agrees, missing="", problem=problem,
    )  # fmt: skip


def _judged(state: Run, data: Data) -> tuple[bool, str]:
    """Return whether the student's update moves as the chosen rule does, and what is wrong."""
    update: Callable[..., Any] | None = data.get("update")
    if update is None:
        return False, ""
    alike, problem = compared(update, RULES, state.learning_rate, state.momentum)
    name = getattr(update, "__name__", type(update).__name__)
    if problem:
        return False, f"{problem}; the panel's rule trains"
    if state.rule in alike:
        return True, ""
    other = next((rule for rule in RULES if rule in alike), "")
    hint = f"it moves as {other} does: choose {other} to compare" if other else "it moves like none of the rules"
    return False, f"{name} trains, but does not move as {state.rule} does in its first three steps; {hint}"


def diagnose(state: Run, session: Session, dead: list[float]) -> tuple[str, str]:
    """Return the run's condition by name, and what to do.

    dead : of each layer, the share of outputs that are 0 for every image shown
    """
    knobs = in_force(session.turns, max(session.steps - 1, 0))  # of the last step: the panel may have moved on
    rated, number = knobs["rule"] != "Adadelta", knobs["learning_rate"]
    rate = f"learning rate {number:g}" if rated else "Adadelta's step"
    lower = f"rewind, then try {number / 10:.1g}" if rated else "rewind, then use less decay"
    if session.diverged:
        return "diverged", f"The loss is no number any more: {rate} is too high. Nothing can be learnt now: {lower}."
    if session.steps < state.steps:
        return "catching up", f"Press Run: steps {session.steps} to {state.steps} are trained as they were before."
    if session.steps < RECENT:
        return "starting", f"With ten classes the first loss is about ln 10 = {START:.2f}. Press Run."
    recent = float(np.mean(session.losses[-RECENT:]))
    ratio = float(np.median(session.ratios[-RECENT:]))
    if max(dead) > 0.95:
        layer = dead.index(max(dead)) + 1
        return "dead units", (
            f"{100 * max(dead):.0f} % of layer {layer}'s outputs are 0 for every image below: a step too long "
            f"pushed them there, and no gradient brings them back: {lower}."
        )
    if recent > max(1.3 * START, 1.3 * min(session.smooth)):
        return "rate too high: exploding", f"The loss is {recent:.3g} and was {min(session.smooth):.3g}: {lower}."
    if ratio > HIGH:
        return "rate too high: shaking", f"Each step moves the weights by {100 * ratio:.2g} %: {lower}."
    if ratio < LOW:
        higher = f"; try {number * 10:.1g}" if rated else ""
        return "rate too low", f"Each step moves the weights by only {100 * ratio:.1g} %: nothing will happen{higher}."
    if session.accuracies and session.accuracies[-1][1] > session.accuracies[-1][2] + 0.25:
        return "overfitting", "The training images are known by heart, the others are not: decay and shifts help."
    slow = recent > 0.99 * float(np.mean(session.losses[:RECENT])) and session.steps > 8 * RECENT
    return (
        ("plateau", "The loss has not left its start yet: wait, or turn a knob.")
        if slow
        else ("learning", f"Each step moves the weights by {100 * ratio:.2g} %: usual is about 0.1 %.")
    )
