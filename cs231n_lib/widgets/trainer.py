"""The lectures' live demo inside the notebook: a ConvNet that trains while you turn its knobs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cs231n_lib.data import DataError

from .base import Data, Event, Model, callable_or_none, register, show
from .trainer_board import compute, session_of
from .trainer_own import upload
from .trainer_picture import describe, extent, focus_at, render, step_at
from .trainer_plan import CONTROLS, LAST, SHOWN, Run, recorded, rewind, rewound, valid
from .trainer_session import read_saved

FAST = 64  # images between two pictures while an earlier run is trained again


def advance(state: Run, data: Data) -> Run:
    """Train as many steps as the images of one picture make; the same state if nothing is left to train.

    A count and not a clock: what Step does must not depend on how busy the machine is.
    """
    try:
        session = session_of(state, data)
    except DataError:
        return state
    planned = dataclasses.replace(recorded(state), note="")
    session.follow(planned.turns, planned.steps)
    behind = session.steps < planned.steps
    count = max(1, (FAST if behind else state.speed) // state.batch)
    goal = planned.steps if behind else min(planned.steps + count, LAST)
    begun = session.steps
    while session.steps < min(begun + count, goal) and not session.diverged:
        session.step(planned.turns)
        if session.measures_next:  # measuring takes as long as several steps
            break
    return dataclasses.replace(planned, steps=max(planned.steps, session.steps)) if session.steps > begun else state


def snapshot(state: Run, data: Data) -> Run:
    """Mark this step."""
    try:
        session = session_of(state, data)
    except DataError as error:
        return dataclasses.replace(state, note=str(error))
    session.follow(state.turns, state.steps)
    if session.steps == state.steps:
        session.keep()
    marks = tuple(sorted({*state.marks, state.steps}))
    return dataclasses.replace(state, marks=marks[-50:], note=f"Snapshot of step {state.steps}.")


def save(state: Run, data: Data) -> Run:
    """Write the run to the file that the panel names."""
    path, told = _file(state)
    if path is None:
        return dataclasses.replace(state, note=told)
    try:
        session = session_of(state, data)
        if path.exists():
            read_saved(path)  # another file of that name is not ours to replace
        session.follow(state.turns, state.steps)
        if session.steps != state.steps:
            return dataclasses.replace(state, note=f"Not saved: press Run until step {state.steps} is trained again.")
        session.write(path, dataclasses.replace(state, note="").to_json(), state.marks)
    except DataError as error:
        return dataclasses.replace(state, note=str(error))
    except ValueError:
        return dataclasses.replace(state, note=f"Not saved: {path.name} is another file; choose another name.")
    except (OSError, TypeError) as error:  # TypeError: a student's config holds what no file of arrays can
        return dataclasses.replace(state, note=f"Not saved: {error}.")
    return dataclasses.replace(state, note=f"Saved step {state.steps} as {path.name}.")


def load(state: Run, data: Data) -> Run:
    """Open the run in the file that the panel names."""
    path, told = _file(state)
    if path is None:
        return dataclasses.replace(state, note=told)
    try:
        arrays = read_saved(path)
        found = MODEL.checked(Run.from_json(str(arrays["state"])))
        assert isinstance(found, Run)
        session = session_of(found, data)
        session.read(arrays)
    except FileNotFoundError:
        return dataclasses.replace(state, note=f"No file {path.name} here: press Save first.")
    except DataError as error:
        return dataclasses.replace(state, note=str(error))
    except (ValueError, KeyError, TypeError, OSError) as error:
        return dataclasses.replace(state, note=f"Not loaded: {path.name} is no run of this widget ({error})."[:160])
    return dataclasses.replace(found, file=state.file, note=f"Loaded {path.name}: step {found.steps}.")


def _file(state: Run) -> tuple[Path | None, str]:
    """Return where the run is saved: a plain .npz beside the notebook, so that no typing mistake lands elsewhere."""
    name = state.file.strip()
    if not name.endswith(".npz") or name != Path(name).name or name.startswith("."):
        return None, f"save as must be a plain name such as my_run.npz, got {name[:40]!r}."
    return Path(name), ""


ARROWS = {"ArrowLeft": ("focus", -1), "ArrowRight": ("focus", 1), "ArrowUp": ("page", -1), "ArrowDown": ("page", 1)}


def point(state: Run, data: Data, event: Event) -> Run:
    """Click the loss curve to rewind, an image to see its activations; arrows, Enter and Backspace do the same."""
    if event.kind == "key":
        if event.key == "Enter":
            return snapshot(state, data)
        if event.key == "Backspace":
            return rewind(state, data)
        if event.key not in ARROWS:
            return state
        field, by = ARROWS[event.key]
        most = SHOWN + 1 if field == "focus" else 20
        return dataclasses.replace(state, **{field: (getattr(state, field) - 1 + by) % most + 1})
    if event.kind != "down":
        return state
    image = focus_at(event.x, event.y)
    if image:
        return state if image == state.focus else dataclasses.replace(state, focus=image)
    step = step_at(event.x, event.y, extent(compute(state, data)))
    if step is None:
        return state
    if step >= state.steps:
        return dataclasses.replace(state, note=f"Step {step} is not behind you: click an earlier one to rewind.")
    return rewound(state, step)


MODEL = Model(
    title="Live trainer",
    about="Train the lectures' ConvNet on images, turn its knobs while it runs, and go back to try another future.",
    state=Run,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"snapshot": snapshot, "rewind": rewind, "save": save, "load": load, "upload": upload},
    point=point,
    point_help="Click the loss curve to rewind to a step, or an image to see its activations. Keys: left and right "
    "choose the image, up and down turn the page, Enter takes a snapshot, Backspace rewinds.",
    advance=advance,
    valid=valid,
    challenge=(
        ("Before the first step, which loss do you expect with ten classes, and which accuracy?",
         "About ln 10 = 2.30: ten equal probabilities. And 10 % by chance. Another value at step 0 means a mistake."),
        ("Train 100 steps, take a snapshot, raise the learning rate to 1 and run on. What is the diagnosis, and does "
         "lowering the rate alone repair the run?",
         "The loss jumps and units die or become no numbers. A lower rate cannot bring them back: their gradient is "
         "0. Rewind to the snapshot, then choose a smaller rate; the dotted curve keeps the bad future in sight."),
        ("Switch flips and shifts off and train for a few epochs. Which accuracy rises faster, and which matters?",
         "The one on training images, which the net now sees unchanged again and again. What matters is the one on "
         "images it never saw: choose knobs by validation, and look at test once at the end."),
    ),
)  # fmt: skip


@register(MODEL)
def live_trainer(update: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show the ConvNet of the lectures' demo while it trains; nothing trains before you press Run or Step.

    update : your rule (w, dw, config) -> (next_w, config), such as `adam`: it then trains in place of the panel's and
        is compared with the one chosen there. config holds "learning_rate", "momentum" and "beta1" at every call
    state : settings, as the button "My settings as code" prints them: the schedule of knob turns among them, from
        which Run trains the very same run again. Weights are kept by Save and Load, in a file beside the notebook
    """
    callable_or_none("live_trainer", "update", update)
    return show(MODEL, state=state, data={"update": update})
