"""The live panel: ipywidgets made from a model's list of controls, and a picture that Python writes.

No `Output`, no pyplot, no `interact`: a callback makes a new state, computes, and sets three strings.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import ipywidgets as ui

from . import controls as c
from .model import Data, Model, State
from .stage import Stage
from .static import Static
from .svg import escape
from .worker import Worker

COLUMN = 330  # pixels of a row of controls
SMALLEST = 0.85  # of its own size, for a picture beside its controls: 11 becomes 9.4 pixels
MENU = 4  # a choice with more options than this, or with long names, becomes a menu
_BY_CELL: dict[str, tuple[str, list["View"]]] = {}  # cell id -> (the execution that made them, its panels)


class View(Static):
    """A widget that can be moved. `set`, `press`, `point`, `step` and `reset` do from Python what the controls do."""

    def __init__(self, model: Model, state: State | Mapping[str, Any] | str | None, data: Data) -> None:
        self._root: ui.VBox | None = None
        super().__init__(model, state, data)
        self._syncing = False
        self._show_code = False
        self._worker = Worker(self._advance, self._painted)
        self._build()
        self._painted()
        _replace_older(self)

    def close(self) -> None:
        """Stop the thread and take the panel off the page."""
        self._worker.close()
        if self._root is not None:
            for part in [*self._parts, self._root]:
                part.close()

    def run(self) -> None:
        """Start what Run starts."""
        self._worker.start()
        self._painted()

    def pause(self) -> None:
        """Stop it after the step that is under way."""
        self._worker.pause()
        self._painted()

    @property
    def running(self) -> bool:
        return self._worker.running

    def reset(self) -> None:
        self._worker.pause()
        super().reset()

    # --- building

    def _build(self) -> None:
        model = self.model
        self.inputs: dict[str, ui.Widget] = {}
        self._rows: list[tuple[c.Control, ui.Widget]] = []
        buttons = []
        words = ui.Layout(width="128px", flex="0 0 auto")  # one for all labels: each layout is a message and a kilobyte
        for control in model.controls:
            if isinstance(control, c.Button):
                button = self._upload(control) if isinstance(control, c.Upload) else self._action(control)
                button.add_class(f"c-{control.field}")
                self.inputs[control.field] = button
                buttons.append(button)
                self._rows.append((control, button))
                continue
            part = _input(control, getattr(self.state, control.field))
            part.observe(lambda change, name=control.field: self._changed(name, change["new"]), "value")
            label = ui.HTML(_words(control), layout=words).add_class("cs231n-label")
            layout = ui.Layout(
                align_items="center", flex_flow="row wrap", margin="1px 12px 1px 0", width=f"{COLUMN - 4}px"
            )
            row = ui.HBox([label, part], layout=layout)
            row.add_class("cs231n-row").add_class(f"c-{control.field}")
            self.inputs[control.field] = part
            self._rows.append((control, row))
        if model.advance is not None:
            self._run_button = self._button("Run", self._toggle, "Run or pause")
            buttons += [
                self._run_button.add_class("c-run"),
                self._button("Step", self.step, "One step").add_class("c-step"),
            ]
        rows = [row for control, row in self._rows if not isinstance(control, c.Button)]
        wrap = ui.Layout(flex_flow="row wrap", margin="4px 0 0 0")
        # Beside the picture one column; where that would make its words too small, above it and in several columns.
        basis = round(SMALLEST * float(ET.fromstring(self.picture).get("width", "560")))
        around = ui.Layout(flex_flow="row wrap", flex=f"1 1 {COLUMN}px", align_content="flex-start", min_width="0")
        column = ui.Box([*rows, ui.HBox(buttons, layout=wrap)], layout=around)
        wide = ui.Layout(flex=f"999 1 {basis}px", min_width="0", margin="0")
        self._picture = ui.HTML(layout=wide).add_class("cs231n-picture")
        self._said = ui.HTML().add_class("cs231n-said")
        self._asked = ui.HTML()
        self._code = ui.HTML().add_class("cs231n-code")
        self._stage = Stage(self.point, pointer=model.point is not None, help=model.point_help)
        body = ui.HBox([column, self._picture], layout=ui.Layout(flex_flow="row wrap", align_items="flex-start"))
        foot = ui.HBox([
            self._button("Reset", self.reset, "Back to the settings it opened with").add_class("c-reset"),
            self._button("Show answers", self.reveal, "Answers to the questions above").add_class("c-reveal"),
            self._button("My settings as code", self._toggle_code, "A line that opens this state").add_class("c-code"),
            self._code,
        ], layout=ui.Layout(flex_flow="row wrap", align_items="center"))  # fmt: skip
        head = ui.HTML(f'<div style="font-weight:600;font-size:1.1em">{model.title}</div>')
        children = [head, self._asked, body, self._said, foot, self._stage]
        self._root = ui.VBox(children, layout=ui.Layout(width="100%", overflow="hidden"))
        self._root.add_class("cs231n-widget").add_class(f"w-{model.name}")
        self._parts = [*self.inputs.values(), *children, self._picture, self._code]

    def _action(self, control: c.Button) -> ui.Button:
        return self._button(control.label, lambda: self.press(control.field), control.hint)

    def _upload(self, control: c.Upload) -> ui.FileUpload:
        part = ui.FileUpload(accept=control.accept, description=control.label, layout=ui.Layout(width="auto"))
        part.tooltip = control.hint or control.label

        def chosen(change: dict[str, Any]) -> None:
            for file in change["new"]:
                self.upload(control.field, file["name"], bytes(file["content"]))
                part.value = ()  # so that the same file can be chosen again

        part.observe(chosen, "value")
        return part

    def _button(self, label: str, act: Any, hint: str) -> ui.Button:
        button = ui.Button(description=label, tooltip=hint or label, layout=ui.Layout(width="auto"))
        button.on_click(lambda _: act())
        return button

    # --- callbacks: each makes a new state and returns

    def _changed(self, name: str, value: Any) -> None:
        with self.lock:
            if self._syncing:
                return
            if isinstance(value, float):  # browsers send 0.30000000000000004
                value = round(value) if isinstance(getattr(self.state, name), int) else round(value, 10)
            try:
                self.set(name, value)
            except ValueError as error:
                self.problem = str(error)
                self._painted()

    def _toggle(self) -> None:
        if self._worker.running:
            self.pause()
        else:
            self.run()

    def _toggle_code(self) -> None:
        self._show_code = not self._show_code
        self._painted()

    def _advance(self) -> bool:
        """One step on the worker's thread; False when there is nothing left to do or something went wrong."""
        with self.lock:
            before = self.state
            self.step()
            return self.state is not before and not self.problem

    def _painted(self) -> None:
        if self._root is None:
            return
        with self.lock:
            self._syncing = True
            try:
                for control, row in self._rows:
                    display = None if control.shown(self.state) else "none"
                    if row.layout.display != display:
                        row.layout.display = display
                    part = self.inputs[control.field]
                    if not isinstance(control, c.Button) and part.value != getattr(self.state, control.field):
                        part.value = getattr(self.state, control.field)
            finally:
                self._syncing = False
            self._picture.value = self.picture
            self._said.value = self._status_html() + self._help_html()
            self._asked.value = self._challenge_html()
            shown = f'<code style="user-select:all;white-space:pre-wrap">{escape(self.code())}</code>'
            self._code.value = shown if self._show_code else ""
            if self.model.advance is not None:
                self._run_button.description = "Pause" if self._worker.running else "Run"

    def _help_html(self) -> str:
        return (
            f'<div style="opacity:.75;font-size:.92em">{escape(self.model.point_help)}</div>'
            if self.model.point
            else ""
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        live = self._root._repr_mimebundle_() if self._root is not None else {}
        # The static picture is what a reader without this kernel sees: a saved notebook, an export, a feedback page.
        return {**live, **super()._repr_mimebundle_()}


def _words(control: c.Control) -> str:
    """Return the control's label; its hint shows where the pointer rests, and dots say that there is one."""
    if not control.hint:
        return escape(control.label)
    dotted = "text-decoration:underline dotted;text-underline-offset:3px;cursor:help"
    return f'<span title="{escape(control.hint)}" style="{dotted}">{escape(control.label)}</span>'


def _input(control: c.Control, value: Any) -> ui.Widget:
    """Return the ipywidget of a control."""
    wide = ui.Layout(width="190px")
    match control:
        case c.Number():
            kind = ui.BoundedIntText if control.whole else ui.BoundedFloatText
            return kind(value, min=control.low, max=control.high, step=control.step, layout=ui.Layout(width="100px"))
        case c.Slider():
            slider = ui.IntSlider if control.whole else ui.FloatSlider
            digits = max(0, -math.floor(math.log10(control.step)))
            shown = {} if control.whole else {"readout_format": f".{digits}f"}
            return slider(value, min=control.low, max=control.high, step=control.step, layout=wide, **shown)
        case c.Choice() if control.slide:
            return ui.SelectionSlider(options=control.pairs, value=value, layout=wide)
        case c.Choice() if len(control.options) <= MENU and sum(len(name) for name, _ in control.pairs) <= 24:
            bar = ui.ToggleButtons(options=control.pairs, value=value, layout=ui.Layout(width="190px"))
            bar.style.button_width = "auto"
            return bar
        case c.Choice():
            return ui.Dropdown(options=control.pairs, value=value, layout=wide)
        case c.Switch():
            return ui.Checkbox(value, indent=False, layout=ui.Layout(width="auto"))
        case c.Text():
            return ui.Combobox(
                value=value, options=control.examples, ensure_option=False, continuous_update=False, layout=wide
            )
    raise TypeError(f"View: control must be one that controls.py defines, got {type(control).__name__}")


def _replace_older(view: View) -> None:
    """Close the panels that an earlier run of the same cell made: their threads would go on unseen."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = parent.get("metadata", {}).get("cellId")
    if not cell:
        return
    execution = parent.get("header", {}).get("msg_id", "")
    known, views = _BY_CELL.get(cell, ("", []))
    if known != execution:
        for old in views:
            old.close()
        views = []
    _BY_CELL[cell] = (execution, [*views, view])
