"""What every widget stands on. To add a widget, write one file, `cs231n_lib/widgets/<topic>.py`; nothing else changes.

The file is registered, tested, driven in a browser and put into the gallery because it is there. Past 300 lines, its
numbers go into a second file beside it, as `conv_plan` beside `convolution`. It holds, in order:

1. `State`: a frozen dataclass of plain values, all with defaults; `seed` among them if anything is random::

       @dataclass(frozen=True)
       class Settings(State):
           kernel: int = 3

2. `CONTROLS`: `Slider`, `Number`, `Choice`, `Switch`, `Text`, `Button` or `Upload`, one per field that a student moves.
   Its `hint` is shown where the pointer rests, and read out by screen readers. A control
   that matters only in some states says so with `needs={"mode": "2-D"}`: elsewhere it is hidden; tests set it first.
   Each control must change the picture from the default state (with its `needs`); a test moves it there and back.
3. `compute(state, data) -> Result`: the numbers, pure and deterministic, at most 30 ms. `Result` is a frozen dataclass
   with a `problem: str`. A student's function is called only through `ask(function, ..., shape=...)`, which copies
   arguments and turns every mistake into (None, sentence): then draw the reference, with the sentence as `problem`.
4. `describe(result) -> str`: what the picture shows, in words: status line and label for screen readers.
5. `render(result) -> str`: `svg.figure(width, height, describe(result), ...)` from the marks of `svg`, `Axes` and
   `raster`; at most 50 kB, so more than a few hundred marks go into a raster. Text and lines are `svg.INK`, never a
   fixed dark or light colour; a class is a colour and a shape; a sign is a colour and a word.
6. Pointer, if it helps: `point(state, data, event) -> state` with `point_help`. Return the same `state` object if
   nothing changes; round what a `Slider` shows to its steps. Controls or keys must reach all that the pointer reaches.
7. Time, if it helps: `advance(state, data) -> state` gives Run, Pause and Step. It returns the same object when
   nothing is left to do. At most about 100 ms a call; the base runs it on a thread, under the widget's lock, ten times
   a second. A training session that is no value lives in `data["_session"]`, made by the first step, not at import.
8. The model and the function that students call, whose docstring says what it shows and what it takes::

       MODEL = Model(title=..., about=..., state=Settings, controls=CONTROLS, compute=compute, ...)

       @register(MODEL)
       def conv_explorer(forward=None, *, state=None):
           callable_or_none("conv_explorer", "forward", forward)
           return show(MODEL, state=state, data={"forward": forward})

   The function is not named like its file. All its arguments but `state` are optional.

Then write `tests/widgets/test_<topic>.py` with the oracle: `compute` against torch, SciPy, scikit-learn or a slide's
numbers, and the student who is wrong. Generic tests (set and set back, random walk, size, JSON, dark theme, keyboard,
browser) run over the registry by themselves; run `pytest tests/widgets -k <function name>`.

To look at it: `python -m cs231n_lib.widgets.base.look <function name> [settings as JSON]` writes HTML in both themes.

Files here: `model` what a widget is and the registry; `controls` controls as data; `static` its behaviour; `view` the
live panel; `worker` the thread behind Run; `stage` pointer, keys, names for screen readers; `student` calling a
student's function; `svg`, `axes`, `raster` drawing.
"""

from . import raster, svg
from .axes import Axes
from .controls import Button, Choice, Number, Slider, Switch, Text, Upload
from .model import REGISTRY, Data, Event, Model, State, callable_or_none, register, show
from .static import Static
from .student import ask

__all__ = [
    "REGISTRY",
    "Axes",
    "Button",
    "Choice",
    "Data",
    "Event",
    "Model",
    "Number",
    "Slider",
    "State",
    "Static",
    "Switch",
    "Text",
    "Upload",
    "ask",
    "callable_or_none",
    "raster",
    "register",
    "show",
    "svg",
]
