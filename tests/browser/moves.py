"""One control of a widget on the page, moved with mouse or keys as a student would move it."""

from typing import Any

from cs231n_lib.widgets.base.controls import Button, Choice, Control, Number, Slider, Switch, Text, Upload


def panel(page, name: str):
    """Return the widget's panel."""
    return page.locator(f".w-{name}").first


def press(page, name: str, action: str) -> None:
    """Press a button: a model's action, or "run" and "step"."""
    button = panel(page, name).locator(f"button.c-{action}").first
    button.scroll_into_view_if_needed()
    button.click()


def choose(page, name: str, action: str, file: Any) -> None:
    """Choose a file, a path or what playwright takes for one, with a button that asks for it."""
    with page.expect_file_chooser() as chooser:
        press(page, name, action)
    chooser.value.set_files(file)


def move(page, name: str, control: Control, value: Any) -> None:
    """Move a control from `value` to `control.other(value)`, a slider at its upper end one step down."""
    if isinstance(control, Upload):
        choose(page, name, control.field, {"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"})
        return
    if isinstance(control, Button):
        press(page, name, control.field)
        return
    row = panel(page, name).locator(f".c-{control.field}").first
    row.scroll_into_view_if_needed()
    match control:
        case Number() | Text():
            field = row.locator("input")
            field.fill(str(control.other(value)))
            field.press("Enter")
        case Switch():
            row.locator("input[type=checkbox]").click()
        case Choice() if row.locator("select").count():
            row.locator("select").select_option(index=control.options.index(control.other(value)))
        case Choice() if row.locator(".widget-toggle-button").count():
            row.locator(".widget-toggle-button").nth(control.options.index(control.other(value))).click()
        case Slider() | Choice():
            handle = row.locator(".noUi-handle")
            handle.focus()
            last = control.high if isinstance(control, Slider) else control.options[-1]
            handle.press("ArrowLeft" if value == last else "ArrowRight")
