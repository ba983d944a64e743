"""What a widget is: a frozen state, a pure model of it, and the registry that every other part reads."""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from .controls import Button, Control

if TYPE_CHECKING:
    from .static import Static

# What the student gave, by argument name; each widget has its own. `_name` marks a memo or a session.
Data = dict[str, Any]


@dataclass(frozen=True)
class State:
    """The settings of a widget: plain numbers, texts, booleans, tuples of them. A subclass is frozen, with defaults."""

    def to_json(self) -> str:
        """Return the whole state as one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the state that `to_json` wrote. Raises ValueError naming what does not fit."""
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ValueError(f"from_json: text must be JSON, got {text[:60]!r}: {error}") from error
        return cls.from_dict(found)

    @classmethod
    def from_dict(cls, found: Any) -> Self:
        """Return a state from field names and values; fields that are not named keep their defaults."""
        names = [f.name for f in dataclasses.fields(cls)]
        if not isinstance(found, Mapping):
            raise ValueError(f"state: must be a mapping of settings, got {type(found).__name__}")
        for name in found:
            if name not in names:
                raise ValueError(f"state: settings must be among {', '.join(names)}, got {name!r}")
        values = {name: _frozen(value) for name, value in found.items()}
        default = cls()
        for name, value in values.items():
            wanted = type(getattr(default, name))
            if wanted is float and type(value) is int:
                values[name] = float(value)
            elif type(value) is not wanted:
                raise ValueError(f"state: {name} must be of type {wanted.__name__}, got {value!r}")
        return cls(**values)

    def changed(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        default = type(self)()
        pairs = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        return {name: value for name, value in pairs if value != getattr(default, name)}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list | tuple) else value


class Result(Protocol):
    """What `compute` returns: a frozen dataclass of anything, with a `problem` for the status line ("" if none)."""

    @property
    def problem(self) -> str: ...


@dataclass(frozen=True)
class Event:
    """What the pointer or a key did on the picture.

    kind : "down", "drag", "up", "hover" or "key"; x, y : where, in the picture's own units
    key : such as "ArrowLeft", "Enter", "Backspace", "1"; "" for the pointer; shift : whether Shift was held
    """

    kind: str
    x: float = 0.0
    y: float = 0.0
    key: str = ""
    shift: bool = False


@dataclass(frozen=True, kw_only=True)
class Model:
    """A widget without its view. All its functions are pure, but `advance` may move a session that lives in the data.

    compute(state, data) -> result     the numbers; deterministic; at most 30 ms
    render(result) -> str              the picture, by `svg.figure(width, height, describe(result), ...)`; at most 50 kB
    describe(result) -> str            the picture in one or two sentences: status line and aria-label
    challenge                          three (question, answer) pairs; the first is asked before anything is moved
    actions                            what each Button does: name -> (state, data) -> state
    point(state, data, event) -> state what the pointer does; None: the picture takes none. What the pointer
                                       can do, a control or a key must do as well
    advance(state, data) -> state      one step of an animation or a training run; None: no Play and Step buttons
    point_help                         one sentence that says what pointer and keys do; needed with `point`
    valid(state) -> str                what is wrong with fields that no control checks, "" if nothing
    """

    title: str
    about: str
    state: type[State]
    controls: tuple[Control, ...]
    compute: Callable[[Any, Data], Any]
    render: Callable[[Any], str]
    describe: Callable[[Any], str]
    challenge: tuple[tuple[str, str], ...]
    actions: Mapping[str, Callable[[Any, Data], Any]] = field(default_factory=dict)
    point: Callable[[Any, Data, Event], Any] | None = None
    advance: Callable[[Any, Data], Any] | None = None
    point_help: str = ""
    valid: Callable[[Any], str] | None = None
    name: str = ""

    def make(self, state: State | Mapping[str, Any] | str | None) -> State:
        """Return a checked state from one, from a mapping of settings, from JSON, or the default."""
        if state is None:
            return self.state()
        if isinstance(state, str):
            return self.checked(self.state.from_json(state))
        return self.checked(state if isinstance(state, State) else self.state.from_dict(state))

    def checked(self, state: State) -> State:
        """Return the state. Raises ValueError if a field is not what its control allows."""
        if not isinstance(state, self.state):
            raise ValueError(f"{self.name}: state must be a {self.state.__name__} of this widget, got {state!r}")
        for control in self.controls:
            if not isinstance(control, Button) and not control.allows(getattr(state, control.field)):
                value = getattr(state, control.field)
                raise ValueError(f"{self.name}: {control.field} must be {control.rule}, got {value!r}")
        wrong = self.valid(state) if self.valid else ""
        if wrong:
            raise ValueError(f"{self.name}: {wrong}")
        return state

    def control(self, name: str) -> Control:
        """Return the control of a field or action. Raises KeyError naming those there are."""
        for control in self.controls:
            if control.field == name:
                return control
        known = ", ".join(control.field for control in self.controls)
        raise KeyError(f"{self.name}: control must be one of {known}, got {name!r}")


@dataclass(frozen=True)
class Entry:
    """A registered widget: its model and the function that students call."""

    model: Model
    factory: Callable[..., "Static"]


REGISTRY: dict[str, Entry] = {}


def register(model: Model) -> Callable[[Callable[..., "Static"]], Callable[..., "Static"]]:
    """Decorate the function that shows a model: it becomes `widgets.<its name>` and joins gallery and tests."""

    def enter(factory: Callable[..., "Static"]) -> Callable[..., "Static"]:
        name, module = factory.__name__, factory.__module__.rsplit(".", 1)[-1]
        if name == module:
            raise ValueError(f"register: a widget's function must not be named like its module, got {name!r} for both")
        fields = {f.name for f in dataclasses.fields(model.state)}
        for control in model.controls:
            known = set(model.actions) if isinstance(control, Button) else fields
            if control.field not in known or not set(control.needs) <= fields:
                raise ValueError(
                    f"register: {name}'s control {control.field!r} must name a field or an action there is"
                )
        object.__setattr__(
            model, "name", name
        )  # the one place that writes to the frozen model: its name is the function's
        model.checked(model.state())
        REGISTRY[name] = Entry(model, factory)
        return factory

    return enter


def is_static() -> bool:
    """True when nobody is there to move a control: nbgrader executes the notebook, or CS231N_STATIC=1 is set."""
    return bool(os.environ.get("NBGRADER_EXECUTION")) or os.environ.get("CS231N_STATIC") == "1"


def show(model: Model, *, state: State | Mapping[str, Any] | str | None = None, data: Data | None = None) -> "Static":
    """Return a widget to put last in a cell: live, or a static picture where nobody can move it.

    state : settings, as a mapping, JSON or the widget's own State; None: the defaults
    data : what the student gave, by argument name; entries that are None are left out. Names become those of `code()`
    Raises ValueError for settings that do not fit; a static picture says so instead, for nothing may stop a grading.
    """
    given = {name: value for name, value in (data or {}).items() if value is not None}
    if is_static():
        from .static import Static

        return Static(model, state, given, strict=False)
    from .view import View

    return View(model, state, given)


def callable_or_none(name: str, argument: str, function: object) -> None:
    """Raise TypeError unless the student's function can be called. None is fine: then the reference is shown."""
    if function is not None and not callable(function) and not is_static():
        raise TypeError(f"{name}: {argument} must be a function, got {function!r}; pass its name without brackets")
