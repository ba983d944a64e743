"""Layers that a notebook carries forward, worked out for a student's box in a box of their own.

The stand-ins are PyTorch's operations behind the course's signatures: either would answer an exercise, so a box that
judges answers has neither (library.py). It asks the judge by name, the judge hands the message on as it is to a box
that runs the course's own lines and nobody else's: what a student sends can crash or delay only what they asked for.
"""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cs231n_lib.check import LimitReached

from .box import Box, Purse
from .library import STAND_INS
from .normalise import without_magics
from .sandbox import Prefix, Sandbox


def carried(sources: Iterable[str]) -> frozenset[str]:
    """Return the names of the layers that `carry_forward(notebook, [names])` brings into these cells."""
    calls = (
        node
        for source in sources
        if "carry_forward(" in source
        for node in ast.walk(ast.parse(without_magics(source)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "carry_forward" and len(node.args) > 1
    )
    parts = (part for call in calls for part in ast.walk(call.args[1]))
    return frozenset(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


@dataclass
class Lender:
    """Serves the layers `names` to the boxes of one student; its own box is started when one is first called."""

    sandbox: Sandbox
    names: frozenset[str]
    box: Box | None = None

    @property
    def prefix(self) -> Prefix:
        """The one cell that its box begins with."""
        return (("stand-ins", STAND_INS.read_text(encoding="utf-8")),)

    def warm(self) -> None:
        """Start the parent of such boxes, if this notebook needs them."""
        if self.names:
            self.sandbox.warm(prefix=self.prefix)

    def lend(
        self, name: str, arguments: object, buffers: list[bytes], seconds: float, watch: Callable[[], None]
    ) -> tuple[dict, list[bytes]]:
        """Return the reply to a student's call of layer `name`.

        arguments, buffers : as their box packed them; seconds : wall time that is left to it
        watch : looks at their box meanwhile; may raise LimitReached
        Raises LimitReached if the call had to be stopped.
        """
        if name not in self.names:
            return {"error": {"message": f"{name[:80]} is not among the layers that this notebook carries forward"}}, []
        if self.box is None or not self.box.alive:
            self.box = self.sandbox.start(prefix=self.prefix)
        self.box.purse, self.box.watch = Purse(seconds), watch
        try:
            return self.box.request({"op": "lend", "target": name, "path": [], "arguments": arguments}, buffers)
        except LimitReached:
            self.box.close()  # stopped on the way, its answer would be taken for that to the next call
            raise

    def close(self) -> None:
        if self.box is not None:
            self.box.close()
