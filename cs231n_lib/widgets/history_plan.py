"""What of the history is shown: settings, the entries of an idea and of some years, and the pairs of the quiz."""

from dataclasses import dataclass

import numpy as np

from .base import Choice, Data, Slider, State, Switch
from .history_events import EVENTS, IDEAS

LAST = 2024  # where the axis ends
INDEX = {event.title: i for i, event in enumerate(EVENTS)}
QUESTIONS = 20


@dataclass(frozen=True)
class Look(State):
    """What is shown, which entry is picked, and the quiz."""

    mode: str = "timeline"
    idea: str = "all"
    pick: int = INDEX["Neocognitron"]
    first: int = 1955
    span: int = 70
    links: bool = False
    question: int = 0
    answer: str = "?"


TIMELINE = {"mode": "timeline"}
CONTROLS = (
    Choice("mode", "show", ("timeline", "quiz"), names=("timeline", "quiz")),
    Choice("idea", "idea", ("all", *IDEAS)),
    Slider("pick", "entry", 0, len(EVENTS) - 1, needs=TIMELINE),
    Slider("first", "from the year", 1955, 2010, step=5, needs=TIMELINE),
    Choice("span", "years shown", (15, 30, 50, 70), needs=TIMELINE),
    Switch("links", "all links", needs=TIMELINE),
    Slider("question", "question", 0, QUESTIONS - 1, needs={"mode": "quiz"}),
    Choice("answer", "first was", ("?", "A", "B"), needs={"mode": "quiz"}),
)


@dataclass(frozen=True)
class Shown:
    """What is drawn: indices into EVENTS."""

    state: Look
    shown: tuple[int, ...]
    chosen: int  # -1 if nothing is shown
    pair: tuple[int, int]  # of the quiz; (-1, -1) if there are no two years to tell apart
    problem: str = ""


def compute(state: Look, data: Data) -> Shown:
    """Return which entries are shown and which is chosen: the picked one, or else its nearest neighbour."""
    of_idea = [i for i, event in enumerate(EVENTS) if state.idea in ("all", *event.ideas)]
    last = min(state.first + state.span, LAST)
    shown = [i for i in of_idea if state.first <= EVENTS[i].year <= last]
    chosen = min(shown, key=lambda i: abs(i - state.pick)) if shown else -1
    pairs = [(i, j) for i in of_idea for j in of_idea if i < j and EVENTS[i].year < EVENTS[j].year]
    pair = (-1, -1)
    if pairs:
        rng = np.random.default_rng([state.question, 59])
        i, j = pairs[rng.integers(len(pairs))]
        pair = (i, j) if rng.random() < 0.5 else (j, i)
    return Shown(state=state, shown=tuple(shown), chosen=chosen, pair=pair)
