"""The panel under a check: what passed, what did not, and what to look at. HTML with the same words as plain text."""

import html
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .harness import Result

# Okabe-Ito blue and vermilion tell apart for colour-blind readers; the words and signs carry the meaning anyway.
COLOURS = {"passed": "#0072B2", "todo": "#7f7f7f"}
FAILED = "#D55E00"
HEADLINES = {
    "passed": "passed",
    "wrong": "not yet right",
    "todo": "not implemented yet",
    "error": "your code raised an error",
    "limit": "stopped at a limit",
    "interface": "came back in a form that cannot be judged",
}


def lines(result: "Result") -> list[tuple[str, str]]:
    """Return the panel as (kind, text) rows: headline, stages, message, hint, warnings, printed text."""
    exercise = result.exercise
    what = "hidden tests " if result.hidden else ""
    mark = "✓" if result.ok else "✗"
    headline = "partly right" if result.status == "passed" and not result.ok else HEADLINES[result.status]
    points = f"{result.points:g} of {exercise.points:g} points" + ("" if result.hidden else " so far")
    if result.ok and not result.hidden and exercise.visible_share == 0:
        headline, points = (
            "noted",
            f"The form is right. What is right is decided when it is graded: {exercise.points:g} points.",
        )
    rows = [("headline", f"{mark} {exercise.id} · {exercise.title}: {what}{headline}"), ("points", points)]
    if result.status != "todo" and (result.passed or result.failed_stage):
        stages = [f"✓ {name}" for name in result.passed] + ([f"✗ {result.failed_stage}"] if result.failed_stage else [])
        rows.append(("stages", "  ".join(stages)))
    if result.message and result.status != "todo":
        rows.append(("message", result.message))
    if result.status == "todo":
        rows.append(
            ("message", "Replace the stub in the cell above with your answer, run it, and run this cell again.")
        )
    if result.hint:
        rows.append(("hint", f"Hint: {result.hint}"))
    rows.extend(("note", f"NumPy warned while your code ran: {note}") for note in result.notes[:2] if result.message)
    if result.printed.strip() and result.message:
        rows.append(("printed", "Your code printed (last lines):\n" + "\n".join(result.printed.splitlines()[-8:])))
    return rows


def plain(result: "Result") -> str:
    """Return the panel as plain text, for a shell or a reader without HTML."""
    head, *rest = lines(result)
    return "\n".join([head[1], *(f"  {line}" for _, text in rest for line in text.splitlines())])


def markup(result: "Result") -> str:
    """Return the panel as HTML. Every piece of text is escaped: some of it comes from a student's code."""
    colour = COLOURS.get(result.status if result.ok or result.status == "todo" else "", FAILED)
    styles = {
        "headline": f"font-weight:600;color:{colour}",
        "points": "opacity:.75",
        "stages": "font-size:.92em",
        "message": "margin-top:4px",
        "hint": "margin-top:4px;padding:4px 8px;background:rgba(127,127,127,.14);border-radius:3px",
        "note": "font-size:.88em;opacity:.8",
        "printed": "font-family:monospace;font-size:.85em;white-space:pre-wrap;opacity:.8",
    }
    rows = "".join(f'<div style="{styles[kind]}">{html.escape(text)}</div>' for kind, text in lines(result))
    # A translucent grey and the page's own text colour stay legible on light and dark themes.
    frame = f"border-left:4px solid {colour};padding:6px 12px;margin:4px 0;background:rgba(127,127,127,.07)"
    return f'<div class="cs231n-check" role="status" style="{frame}">{rows}</div>'


class Panel:
    """A result that a notebook shows as HTML and a shell as text."""

    def __init__(self, result: "Result") -> None:
        self.result = result

    def __repr__(self) -> str:
        return plain(self.result)

    def _repr_html_(self) -> str:
        return markup(self.result)


def show(result: "Result") -> None:
    """Display the panel: in IPython as rich output, elsewhere as printed text."""
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        if get_ipython() is not None:
            from IPython.display import display

            display(Panel(result))
            return
    print(plain(result))
