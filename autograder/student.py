"""The student's side of a judgement: a box in which their cells have run, started again when it died."""

import time
from typing import Any

from cs231n_lib.check import LimitReached, Subject

from .box import Box, Lend, Purse
from .defang import shown
from .sandbox import Prefix, Sandbox

LEAST_SECONDS = 15.0  # wall time of a question, or of all its cells, when the notebook's is used up


class Student:
    """The student's side of a session: a box that has run their cells, started again when it died.

    answers : ids of the cells whose figures are kept, no others are drawn
    own : ids of cells that the student added: when the time for loading is used up, these are left out
    lend : serves the layers that the notebook carries forward
    `skipped` holds cells that ended a box while running: they are left out of the next one.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        cells: list[tuple[str, str]],
        answers: frozenset[str],
        forbid: tuple[str, ...],
        prefix: Prefix = (),
        loading: Purse | None = None,
        own: frozenset[str] = frozenset(),
        lend: Lend | None = None,
    ) -> None:
        self.sandbox, self.cells, self.answers, self.forbid, self.own = sandbox, cells, answers, forbid, own
        self.lend = lend
        # Only what every student's box begins with can have run in its parent.
        self.prefix = prefix if tuple(cells[: len(prefix)]) == prefix else ()
        self.box: Box | None = None
        self.purse = Purse(sandbox.limits.question)
        self.loading = loading or Purse(sandbox.limits.total / 2)
        self.shown: dict[str, dict] = {}
        self.skipped: set[str] = set()

    def ready(self) -> Box:
        """Return a live box in which the cells have run."""
        while self.box is None or not self.box.alive:
            self.close()
            start = time.monotonic()
            self.box = box = self.sandbox.start(
                forbid=self.forbid, prefix=self.prefix, purse=self.purse, lend=self.lend
            )
            self.loading.left -= time.monotonic() - start  # a cell that ends its box costs another one
            for grade_id, source in self.cells[len(self.prefix) :]:
                if grade_id in self.skipped or (grade_id in self.own and self.loading.left <= 0):
                    continue
                try:
                    self.shown[grade_id] = _told(self._load(box, source, draw=grade_id in self.answers))
                except LimitReached as stop:
                    self.skipped.add(grade_id)
                    self.shown[grade_id] = _told({"error": {"type": "Stopped", "message": str(stop)}})
                    break
        return self.box

    def _load(self, box: Box, source: str, *, draw: bool) -> dict:
        """Run one cell. Its time is not the question's that happens to ask first: all cells have a purse of their own.

        When that is empty an answer still gets a little, so that one without end does not cost the others.
        """
        asked, self.purse.left = self.purse.left, max(LEAST_SECONDS, self.loading.left)
        before = self.purse.left
        try:
            return box.run(source, draw=draw)
        finally:
            self.loading.left -= before - self.purse.left
            self.purse.left = asked

    def bind(self, names: set[str]) -> dict[str, Any]:
        """Return those of `names` that the student defined: plain values by value, everything else as a Subject."""
        box, request = self.ready(), {"op": "describe", "names": sorted(names)}
        box.withdraw()
        try:
            reply, _ = box.request(request, [])
        except LimitReached:  # it ended after the request before this one: that is not this question's fault
            box = self.ready()
            reply, _ = box.request(request, [])
        offered = reply.get("names")
        kinds = {n: k for n, k in offered.items() if n in names} if isinstance(offered, dict) else {}
        return {name: Subject(box, name) for name in kinds}

    def close(self) -> None:
        if self.box is not None:
            self.box.close()


def _told(reply: dict) -> dict:
    """What a box says of a cell, in a form that can be trusted to be text, pictures and an error."""
    told = shown(reply)
    error = {"type": told.error[0], "message": told.error[1]} if told.error else None
    return {"text": told.text, "pictures": told.pictures, "error": error, "flood": reply.get("flood") is True}
