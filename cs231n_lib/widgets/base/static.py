"""A widget without anyone to move it: the whole behaviour except the browser. The live view adds only the controls."""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any

from . import svg
from .controls import Button
from .model import Data, Event, Model, State
from .student import NoAnswerError


class Static:
    """A widget's state, picture and status, with the moves that change them.

    Attributes: model; state; picture (SVG text); status (a sentence); problem ("" or what went wrong, in one line).
    Every move keeps the old state and picture if it fails, and says so in `problem`.
    """

    def __init__(
        self, model: Model, state: State | Mapping[str, Any] | str | None, data: Data, *, strict: bool = True
    ) -> None:
        self.model, self.data = model, dict(data)
        self.lock = threading.RLock()  # callbacks may come on the main thread, a subshell's or a worker's
        self.state, self.picture, self.status, self.problem = model.state(), "", "", ""
        self.revealed = False
        try:
            self.start = model.make(state)
        except ValueError as error:
            if strict:
                raise
            self.start, wrong = model.state(), str(error)
        else:
            wrong = ""
        self._move(lambda: self.start)
        self.problem = wrong or self.problem
        if not self.picture:
            self.picture = svg.figure(560, 60, self.problem, svg.text(12, 34, f"No picture: {self.problem}"))

    def set(self, field: str, value: Any) -> None:
        """Move a control. Raises ValueError for a value that it does not allow, KeyError for a name that is none."""
        control = self.model.control(field)
        if isinstance(control, Button) or not control.allows(value):
            raise ValueError(f"{self.model.name}: {field} must be {control.rule}, got {value!r}")
        self._move(lambda: dataclasses.replace(self.state, **{field: value}))

    def press(self, action: str) -> None:
        """Press a button."""
        if action not in self.model.actions:
            raise KeyError(f"{self.model.name}: action must be one of {', '.join(self.model.actions)}, got {action!r}")
        self._move(lambda: self.model.actions[action](self.state, self.data))

    def upload(self, action: str, name: str, content: bytes) -> None:
        """Press a button that takes a file, with one."""
        with self.lock:
            self.data["_file"] = (name, content)
            try:
                self.press(action)
            finally:
                del self.data["_file"]

    def point(self, event: Event) -> None:
        """Do what the pointer or a key did on the picture."""
        point = self.model.point
        if point is not None:
            self._move(lambda: point(self.state, self.data, event))

    def step(self) -> None:
        """Advance an animation or a training run once."""
        advance = self.model.advance
        if advance is not None:
            self._move(lambda: advance(self.state, self.data))

    def reset(self) -> None:
        """Go back to the state that the widget was made with."""
        self._move(lambda: self.start)

    def code(self) -> str:
        """Return one line of Python that opens the widget as it is now."""
        given = [f"{name}={_name_of(name, value)}" for name, value in self.data.items() if not name.startswith("_")]
        settings = [f"state={self.state.changed()!r}"] if self.state.changed() else []
        return f"widgets.{self.model.name}({', '.join(given + settings)})"

    def reveal(self) -> None:
        """Show the answers to the questions under the picture."""
        self.revealed = True
        self._painted()

    def _move(self, make: Callable[[], State]) -> None:
        with self.lock:
            try:
                state = make()
                if state is self.state and self.picture:
                    return
                result = self.model.compute(self.model.checked(state), self.data)
                picture, status = self.model.render(result), self.model.describe(result)
            except NoAnswerError as error:
                self.problem = str(error)
            except Exception as error:  # noqa: BLE001  shown in the status line: a widget must outlive a student's mistake
                self.problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
            else:
                self.state, self.picture, self.status, self.problem = state, picture, status, result.problem
            self._painted()

    def _painted(self) -> None:
        """Called after each move, under the lock, to bring a view up to date. A static picture has none."""

    def _status_html(self) -> str:
        # Small text in vermilion has too little contrast on white: the rule beside it carries the colour.
        alarm, said = svg.escape(self.problem), svg.escape(self.status)
        if alarm:
            alarm = f'<div style="border-left:4px solid #D55E00;padding:2px 8px;margin:2px 0">⚠ {alarm}</div>'
        return f'<div class="cs231n-status" style="line-height:1.4;white-space:normal">{alarm}{said}</div>'

    def _challenge_html(self) -> str:
        rows = []
        for i, (question, answer) in enumerate(self.model.challenge):
            told = f'<div style="opacity:.8"><i>{svg.escape(answer)}</i></div>' if self.revealed else ""
            first = "<b>Before you move anything:</b> " if i == 0 else ""
            rows.append(f'<li style="margin:2px 0">{first}{svg.escape(question)}{told}</li>')
        return (
            f'<ol class="cs231n-challenge" style="margin:4px 0;padding-left:22px;line-height:1.4">{"".join(rows)}</ol>'
        )

    def _text(self) -> str:
        return f"{self.model.title}: {self.problem + '. ' if self.problem else ''}{self.status}"

    def _html(self) -> str:
        head = f'<div style="font-weight:600">{svg.escape(self.model.title)}</div>'
        return f'<div class="cs231n-widget">{head}{self._challenge_html()}{self.picture}{self._status_html()}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": self._text()}

    def __repr__(self) -> str:
        return self.code()


def _name_of(argument: str, value: Any) -> str:
    """Return what to type for something given: a function's own name, otherwise the argument's."""
    name = getattr(value, "__name__", "")
    return name if name.isidentifier() else argument
