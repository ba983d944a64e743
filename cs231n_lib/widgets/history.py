"""The history of computer vision as the lectures tell it, by ideas: what came when, and what was handed on to whom."""

import dataclasses
from typing import Any

import numpy as np

from .base import Data, Event, Model, register, show
from .history_picture import describe, places, render
from .history_plan import CONTROLS, QUESTIONS, Look, compute


def point(state: Look, data: Data, event: Event) -> Look:
    """Click the nearest entry; the arrows go to the one before or after, 1 and 2 answer the quiz."""
    r = compute(state, data)
    if state.mode == "quiz":
        return _quiz_point(state, event)
    if event.kind == "key":
        if event.key not in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown") or not r.shown:
            return state
        at = r.shown.index(r.chosen) + (1 if event.key in ("ArrowRight", "ArrowDown") else -1)
        return dataclasses.replace(state, pick=r.shown[min(max(at, 0), len(r.shown) - 1)])
    if event.kind != "down" or not r.shown:
        return state
    spots = places(r)
    near = min(spots, key=lambda i: np.hypot(spots[i][0] - event.x, spots[i][1] - event.y))
    close = np.hypot(spots[near][0] - event.x, spots[near][1] - event.y) < 40
    return dataclasses.replace(state, pick=near) if close and near != state.pick else state


def _quiz_point(state: Look, event: Event) -> Look:
    if event.kind == "key" and event.key in ("1", "2"):
        return dataclasses.replace(state, answer="AB"[int(event.key) - 1])
    if event.kind == "key" and event.key in ("Enter", "ArrowRight"):
        return dataclasses.replace(state, question=(state.question + 1) % QUESTIONS, answer="?")
    if event.kind == "down" and 50 <= event.y <= 250:
        return dataclasses.replace(state, answer="A" if event.x < 380 else "B")
    return state


def advance(state: Look, data: Data) -> Look:
    """Go to the next entry, or the next question."""
    if state.mode == "quiz":
        return state
    r = compute(state, data)
    later = [i for i in r.shown if i > r.chosen]
    return dataclasses.replace(state, pick=later[0]) if later else state


MODEL = Model(
    title="Sixty years of computer vision",
    about="What the lectures name from 1959 on, by ideas: when it came, and what it took from what was there.",
    state=Look,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    point=point,
    advance=advance,
    point_help="Click an entry. Keys: arrows go to the one before or after; in the quiz 1 and 2 answer, Enter asks the "
    "next question.",
    challenge=(
        ("The neocognitron of 1980 has convolution and pooling, as a network of today. What was missing until 1998, "
         "and what until 2012?",
         "A way to train it: backpropagation came in 1986 and met it in LeNet. Then data and computation: ImageNet "
         "(2009) and GPUs. AlexNet is 32 years younger than its architecture."),
        ("Filter by data, then by learning. Which comes first in the 2000s, and does one explain the other?",
         "Caltech 101 and PASCAL VOC compare methods; deep networks of 2006 to 2010 train on small images only. The "
         "step of 2012 needs both: ideas of 1986 and images of 2009."),
        ("Which idea was dropped by the newest entries, after it had ruled for years?",
         "Convolution, one filter everywhere: a vision transformer learns from data which patches matter to each "
         "other, and needs more of it."),
    ),
)  # fmt: skip


@register(MODEL)
def history_timeline(*, state: Any = None) -> Any:
    """Show the history of computer vision as the lectures tell it, filtered by idea, with a quiz of what came first.

    state : settings, as the button "My settings as code" prints them
    """
    return show(MODEL, state=state, data={})
