"""Controls as data. The live panel, the tests, the browser suite and the keyboard all read the same list."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as part
from typing import Any

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Control:
    """One row of the panel: a field of the state, and the words before it.

    needs : the control is shown only while these fields of the state have these values; a tuple lists several
    hint : shown when the pointer rests on the control
    """

    field: str = part(kw_only=False)
    label: str = part(kw_only=False)
    needs: Mapping[str, Any] = part(default_factory=dict)
    hint: str = ""

    def shown(self, state: Any) -> bool:
        """True if the state lets the control act."""
        return all(
            getattr(state, name) in (wanted if isinstance(wanted, tuple) else (wanted,))
            for name, wanted in self.needs.items()
        )

    @property
    def setting(self) -> dict[str, Any]:
        """Values that make the control act: what a test sets first."""
        return {name: wanted[0] if isinstance(wanted, tuple) else wanted for name, wanted in self.needs.items()}

    @property
    def rule(self) -> str:
        """What a value must be, in words."""
        raise NotImplementedError

    def allows(self, value: Any) -> bool:
        """True if the field may have this value."""
        raise NotImplementedError

    def samples(self) -> tuple[Any, ...]:
        """Return allowed values, the extremes among them, for tests and random walks."""
        raise NotImplementedError

    def other(self, value: Any) -> Any:
        """Return an allowed value that differs from `value`: what the control's next step would give."""
        values = self.samples()
        at = values.index(value) if value in values else -1
        return values[(at + 1) % len(values)]


@dataclass(frozen=True, kw_only=True)
class Slider(Control):
    """A number between two ends in steps, dragged or moved with the arrow keys. Whole if low, high and step are.

    A value between two steps is refused: the browser's slider would move it to a step and send that back.
    """

    low: float = part(kw_only=False)
    high: float = part(kw_only=False)
    step: float = 1

    @property
    def whole(self) -> bool:
        return all(isinstance(value, int) for value in (self.low, self.high, self.step))

    @property
    def rule(self) -> str:
        steps = f" in steps of {self.step}" if self.stepped and self.step != 1 else ""
        return f"{'a whole number' if self.whole else 'a number'} in [{self.low}, {self.high}]{steps}"

    @property
    def stepped(self) -> bool:
        """True if only whole steps are allowed."""
        return True

    def allows(self, value: Any) -> bool:
        kinds = (int,) if self.whole else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step
        return not self.stepped or abs(steps - round(steps)) < 1e-6

    def samples(self) -> tuple[Any, ...]:
        count = math.floor((self.high - self.low) / self.step + 1e-9)
        picks = sorted({round(count * i / 6) for i in range(7)} | {min(1, count)})
        return tuple(self._value(i) for i in picks)

    def other(self, value: Any) -> Any:
        step = value + self.step
        return self._value(round((step - self.low) / self.step)) if step <= self.high + 1e-9 else self._value(0)

    def _value(self, index: int) -> float:
        return self.low + index * self.step if self.whole else round(self.low + index * self.step, 10)


@dataclass(frozen=True, kw_only=True)
class Number(Slider):
    """A number that is typed, for values whose digits matter, between steps too; arrow keys step it."""

    @property
    def stepped(self) -> bool:
        return False


@dataclass(frozen=True, kw_only=True)
class Choice(Control):
    """One of a few options: buttons side by side, a menu when they are many, or notches of a slider.

    options : the values (text or numbers); names : what is shown for each, the values themselves if empty
    slide : notches, for an ordered list such as learning rates
    """

    options: tuple[Any, ...] = part(kw_only=False)
    names: tuple[str, ...] = ()
    slide: bool = False

    @property
    def rule(self) -> str:
        return "one of " + ", ".join(repr(option) for option in self.options)

    @property
    def pairs(self) -> list[tuple[str, Any]]:
        """(what is shown, value) for each option."""
        return list(zip(self.names or tuple(str(option) for option in self.options), self.options, strict=True))

    def allows(self, value: Any) -> bool:
        return any(value == option and type(value) is type(option) for option in self.options)

    def samples(self) -> tuple[Any, ...]:
        return self.options


@dataclass(frozen=True, kw_only=True)
class Switch(Control):
    """On or off."""

    @property
    def rule(self) -> str:
        return "True or False"

    def allows(self, value: Any) -> bool:
        return isinstance(value, bool)

    def samples(self) -> tuple[Any, ...]:
        return (False, True)


@dataclass(frozen=True, kw_only=True)
class Text(Control):
    """A line of text, such as an expression, taken when Enter is pressed. The model's `compute` judges what it says.

    examples : texts that work, for tests and as a menu of suggestions
    """

    examples: tuple[str, ...] = part(kw_only=False)
    longest: int = 200

    @property
    def rule(self) -> str:
        return f"a text of at most {self.longest} characters"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and len(value) <= self.longest

    def samples(self) -> tuple[Any, ...]:
        return self.examples


@dataclass(frozen=True, kw_only=True)
class Button(Control):
    """Something to do once: `field` names an entry of the model's `actions`, which makes a new state.

    after : an action that must come first for this one to change anything, such as adding before undoing
    """

    after: str = ""

    @property
    def rule(self) -> str:
        return "no value: it is pressed"

    def allows(self, value: Any) -> bool:
        return False

    def samples(self) -> tuple[Any, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Upload(Button):
    """A button that lets the student choose a file of their own computer; the action finds it in data["_file"].

    That is (its name, its bytes) while the action runs, and nothing if no file was chosen: then it says so.
    accept : the kinds of files the browser offers, such as "image/*"
    """

    accept: str = ""
