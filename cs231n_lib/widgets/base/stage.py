"""The one anywidget: brings pointer and keys from a picture to Python and names controls for screen readers.

Only text and numbers cross, never binary buffers, which some hosted notebooks drop.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .model import Event

KINDS = ("down", "drag", "up", "hover", "key")


class Stage(anywidget.AnyWidget):
    """Listens to the `.cs231n-picture` beside it if `pointer`; `help` says what pointer and keys do there."""

    _esm = Path(__file__).with_name("stage.js")
    pointer = traitlets.Bool(False).tag(sync=True)
    help = traitlets.Unicode("").tag(sync=True)

    def __init__(self, act: Callable[[Event], None], *, pointer: bool, help: str) -> None:
        super().__init__(pointer=pointer, help=help)
        self._act = act
        self.on_msg(self._received)

    def _received(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("type") != "point" or content.get("kind") not in KINDS:
            return
        try:
            self._act(
                Event(
                    kind=content["kind"],
                    x=float(content.get("x", 0)),
                    y=float(content.get("y", 0)),
                    key=str(content.get("key", "")),
                    shift=bool(content.get("shift", False)),
                )
            )
        finally:
            self.send({"done": True})  # the browser sends the next event only now, so none pile up
