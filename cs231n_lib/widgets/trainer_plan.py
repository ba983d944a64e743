"""The live trainer's controls and its state: a schedule of knob turns that a run can be trained again from, to the bit.

A run is (images, seed, turns, steps): each turn is (step, knob, value) and holds from that step on. What the controls
show becomes a turn when the next step is taken, so a knob that is turned and turned back leaves no trace.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from .base import Button, Choice, Data, Slider, State, Switch, Text, Upload

RULES = ("Adadelta", "SGD", "momentum", "Adam")
KNOBS = {
    "rule": "rule",
    "learning_rate": "learning rate",
    "momentum": "momentum",
    "batch": "batch",
    "decay": "decay",
    "augment": "augment",
}
SHOWN = 5  # test images at a time; the place after them is for the student's own
LAST = 20_000  # steps of one run, and 500 turns: the state stays a line that can be sent
Turn = tuple[int, str, Any]


@dataclass(frozen=True)
class Run(State):
    """Where a training run stands and how it got there."""

    images: str = "shapes10"
    seed: int = 0
    rule: str = "momentum"
    learning_rate: float = 0.03
    momentum: float = 0.9
    batch: int = 16
    decay: float = 0.0001
    augment: bool = True
    speed: int = 32
    focus: int = 1
    page: int = 1
    own: str = ""
    file: str = "live_trainer.npz"
    steps: int = 0
    turns: tuple[Turn, ...] = ()
    marks: tuple[int, ...] = ()  # the steps of the snapshots
    fork: int = -1  # the step that the run was last rewound to: from there the future that was left is drawn too
    note: str = ""  # what became of the last button


CONTROLS = (
    Choice("images", "images", ("shapes10", "cifar10"), names=("shapes10", "CIFAR-10")),
    Slider("seed", "seed", 0, 9, hint="first weights and the order of the images"),
    Choice("rule", "update rule", RULES),
    Choice(
        "learning_rate",
        "learning rate",
        (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        slide=True,
        needs={"rule": ("momentum", "SGD", "Adam")},
        hint="may be turned while it trains; Adadelta has none",
    ),
    Choice(
        "momentum",
        "momentum",
        (0.0, 0.5, 0.9, 0.95, 0.99),
        slide=True,
        needs={"rule": ("momentum", "Adam")},
        hint="of the velocity; in Adam it is β₁",
    ),
    Choice("batch", "batch size", (4, 8, 16, 32, 64), slide=True),
    Choice("decay", "weight decay", (0.0, 0.0001, 0.001, 0.01, 0.1), slide=True, hint="pulls weights towards 0"),
    Switch("augment", "flips and shifts", hint="random mirror images, and shifts by up to 2 pixels"),
    Choice(
        "speed", "images a picture", (1, 32, 64), names=("1 step", "32", "64"), hint="fewer pictures, more training"
    ),
    Slider("focus", "activations of", 1, SHOWN + 1, hint="which image below; the last is your own"),
    Slider("page", "test images", 1, 20, hint="which five"),
    Text("own", "own image", ("", "my_photo.png"), hint="a file beside the notebook, PNG or JPEG; Enter"),
    Text("file", "save as", ("live_trainer.npz", "my_run.npz"), hint="a file beside the notebook"),
    Upload("upload", "Own image …", accept="image/*", hint="from your computer, PNG or JPEG, up to about 7 MB"),
    Button("snapshot", "Snapshot", hint="mark this step, to come back to"),
    Button("rewind", "Rewind", hint="to the last snapshot, or to the start"),
    Button("save", "Save", hint="weights, the rule's memory, curves and schedule, without pickle"),
    Button("load", "Load", after="save", hint="and go on exactly as if nothing had been"),
)


def in_force(turns: tuple[Turn, ...], step: int) -> dict[str, Any]:
    """Return the value of every knob for the step from `step` to `step + 1`."""
    knobs = {name: getattr(Run, name) for name in KNOBS}
    for at, name, value in turns:
        if at <= step:
            knobs[name] = value
    return knobs


def before(turns: tuple[Turn, ...], step: int) -> tuple[Turn, ...]:
    """Return the turns that the first `step` steps were trained with."""
    return tuple(turn for turn in turns if turn[0] < step)


def pending(state: Run) -> tuple[Turn, ...]:
    """Return the turns that the next step will bring: what the controls show and the run does not know yet."""
    known = in_force(state.turns, state.steps)
    return tuple((state.steps, name, getattr(state, name)) for name in KNOBS if getattr(state, name) != known[name])


def recorded(state: Run) -> Run:
    """Return the state with the pending turns in its schedule."""
    return dataclasses.replace(state, turns=(*state.turns, *pending(state)))


def rewound(state: Run, step: int) -> Run:
    """Return the run as it was at an earlier step, its knobs too."""
    kept = before(state.turns, step)
    return dataclasses.replace(
        state,
        **in_force(kept, step),
        steps=step,
        turns=kept,
        marks=tuple(mark for mark in state.marks if mark <= step),
        fork=step,
        note=f"Back at step {step}. The dotted curve is the future you left.",
    )


def rewind(state: Run, data: Data) -> Run:
    """Go back to the last snapshot before this step, or to the start."""
    if not state.steps:
        return dataclasses.replace(state, note="This is the start: nothing to rewind.")
    return rewound(state, max((mark for mark in state.marks if mark < state.steps), default=0))


def effect(state: Run) -> str:
    """Say which fields do nothing under this rule; "" if all act."""
    return {
        "Adadelta": "Adadelta finds its own step lengths: learning rate and momentum do nothing.",
        "SGD": "Plain SGD has no velocity: momentum does nothing.",
        "Adam": "In Adam, momentum is β₁.",
    }.get(state.rule, "")


def valid(state: Run) -> str:
    """Return what is wrong with the fields that no control checks."""
    if not 0 <= state.steps <= LAST:
        return f"steps must be a whole number in [0, {LAST}], got {state.steps}"
    if len(state.turns) > 500:
        return f"turns must be at most 500, got {len(state.turns)}"
    allowed = {control.field: control for control in CONTROLS}
    last = 0
    for turn in state.turns:
        form = isinstance(turn, tuple) and len(turn) == 3 and type(turn[0]) is int and last <= turn[0] <= state.steps
        if not form or turn[1] not in KNOBS or not allowed[turn[1]].allows(turn[2]):
            return f"turns must be (step, knob, value) in the order of their steps, got {turn!r}"
        last = turn[0]
    if not all(type(mark) is int and 0 <= mark <= state.steps for mark in state.marks) or len(state.marks) > 50:
        return f"marks must be at most 50 steps in [0, {state.steps}], got {state.marks!r}"
    return ""
