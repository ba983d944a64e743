"""A training session: weights, the rule's memory and the curves of one run, with copies to come back to, and its file.

Nothing in it depends on when it is paused or looked at: the images of a step and their augmentation follow from the
seed and the step alone, the knobs from the schedule. So a run can be thrown away and trained again to the bit.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cs231n_lib.optim import Optimizer
from cs231n_lib.solver.checkpoint import read_checkpoint, under_prefix, with_prefix, write_checkpoint

from .trainer_images import HELD_OUT, Drawn, Source
from .trainer_net import Arrays, Rule, Yours, accuracy, augmented, loss_and_grads, new_net, prepared, stream
from .trainer_plan import Turn, before, in_force

EVALUATE, KEEP, MOST_KEPT = 25, 50, 40  # steps between measurements, between copies; copies
SMOOTH = 0.95  # weight of the past in the smoothed loss


@dataclass(frozen=True)
class Moment:
    """Everything that the next step depends on, and how many steps were done with which turns."""

    steps: int
    seen: int
    turns: tuple[Turn, ...]
    params: Arrays
    kind: str
    memory: Arrays
    diverged: bool


class Session:
    """One run that can go forward, and back to where it kept a copy.

    losses, smooth, ratios : one number a step; ratios are |change of weights| / |weights|
    accuracies : (step, train, val, test), all measured alike
    ghost : the smoothed losses of the future that was left, [] if none
    update : a student's rule that trains in place of the panel's, or None
    """

    def __init__(self, source: Source, seed: int, update: Callable[..., Any] | None = None) -> None:
        self.source, self.seed, self.update = source, seed, update
        self.steps: int
        self.seen: int
        self.turns: tuple[Turn, ...]
        self.params: Arrays
        self.kind: str
        self.diverged: bool
        self.losses: list[float] = []
        self.smooth: list[float] = []
        self.ratios: list[float] = []
        self.accuracies: list[tuple[int, float, float, float]] = []
        self.ghost: list[float] = []
        self._ready = 0
        self.kept: dict[int, Moment] = {}
        self._optimizer: Optimizer | None = None
        self._enter(Moment(0, 0, (), new_net(seed), "", {}, False))
        self.keep()

    # --- forward

    @property
    def measures_next(self) -> bool:
        """True if the accuracies are measured after the next step."""
        return (self.steps + 1) % EVALUATE == 0

    def step(self, turns: tuple[Turn, ...]) -> None:
        """Train one step with the knobs that the turns put in force."""
        knobs = in_force(turns, self.steps)
        kind = "yours" if self.update else str(knobs["rule"])
        if self._optimizer is None or kind != self.kind:  # another rule starts with an empty memory; nothing else does
            self._optimizer, self.kind = self._made(kind), kind
        optimizer = self._optimizer
        assert isinstance(optimizer, Rule | Yours)
        optimizer.learning_rate = 1.0 if knobs["rule"] == "Adadelta" else knobs["learning_rate"]
        optimizer.momentum = knobs["momentum"]
        images, labels = self.source.take("train", self._order(knobs["batch"]))
        x = prepared(images)
        if knobs["augment"]:
            x = augmented(x, stream(self.seed, "augment", self.steps))
        with np.errstate(all="ignore"):  # a run that diverges is a lesson, told in the picture
            loss, grads = loss_and_grads(self.params, x, labels)
            if np.isfinite(loss):
                for name, w in self.params.items():
                    if name.startswith("w"):
                        grads[name] = grads[name] + np.float32(knobs["decay"]) * w
                moved = self._moved(optimizer, grads)
                self.ratios.append(_ratio(self.params, moved))
                self.params = moved
            else:
                self.diverged = True
                self.ratios.append(float("nan"))
        past = self.smooth[-1] if self.smooth else loss
        self.losses.append(loss)
        self.smooth.append(SMOOTH * past + (1 - SMOOTH) * loss)
        self.seen += len(labels)
        self.steps += 1
        self.turns = before(turns, self.steps)
        self._measure()
        if self.steps % KEEP == 0:
            self.keep()

    def _moved(self, optimizer: Optimizer, grads: Arrays) -> Arrays:
        try:
            return optimizer.step(self.params, grads)
        except Exception:
            # Some parameters' memories moved on and others did not: begin again from the last copy, then say it.
            self._enter(self.kept[max(self.kept)])
            raise

    def _order(self, batch: int) -> np.ndarray:
        """Return the rows of the next batch: each epoch is a permutation, the first one the stored order."""
        count, at = self.source.count, np.arange(self.seen, self.seen + batch)
        rows = at % count
        for epoch in np.unique(at // count):
            if epoch:
                inside = at // count == epoch
                rows[inside] = stream(self.seed, "order", int(epoch)).permutation(count)[rows[inside]]
        return rows

    def _measure(self) -> None:
        """Draw held-out images bit by bit, so that no step waits for all; every EVALUATE steps measure all splits.

        A chunk every second step: the twelve are there before the first measurement.
        """
        if isinstance(self.source, Drawn) and self.steps % 2 == 0 and self._ready < 3 * HELD_OUT // Drawn.CHUNK:
            part, chunk = divmod(self._ready, HELD_OUT // Drawn.CHUNK)
            self.source.take(("train", "val", "test")[part], np.array([chunk * Drawn.CHUNK]))
            self._ready += 1
        if self.steps % EVALUATE == 0:
            rows, shares = np.arange(HELD_OUT), []
            with np.errstate(all="ignore"):
                for split in ("train", "val", "test"):
                    images, labels = self.source.take(split, rows)
                    shares.append(accuracy(self.params, prepared(images), labels))
            self.accuracies.append((self.steps, shares[0], shares[1], shares[2]))

    def _made(self, kind: str) -> Rule | Yours:
        if self.update is not None:
            return Yours(self.update, learning_rate=0.0)
        return Rule(kind, learning_rate=0.0, momentum=0.0)

    # --- back

    def keep(self) -> None:
        """Keep a copy of this moment. Steps make new arrays and leave old ones alone, so most of it costs nothing."""
        self.kept[self.steps] = self._moment()
        spacing = KEEP
        while len(self.kept) > MOST_KEPT:
            spacing *= 2
            self.kept = {s: k for s, k in self.kept.items() if s % spacing == 0 or s % KEEP or s == self.steps}
            if spacing > 64 * KEEP:
                break

    def follow(self, turns: tuple[Turn, ...], steps: int) -> None:
        """Go back to the latest kept moment of the run with these turns, unless this one is on its way to `steps`."""

        def fits(done: int, own: tuple[Turn, ...]) -> bool:
            return done <= steps and before(turns, done) == own

        if fits(self.steps, self.turns):
            return
        self.ghost = self.smooth
        self._enter(self.kept[max(s for s, moment in self.kept.items() if fits(s, moment.turns))])
        self.kept = {s: moment for s, moment in self.kept.items() if s <= self.steps}

    def _moment(self) -> Moment:
        memory = {} if self._optimizer is None else self._optimizer.state_dict()
        return Moment(self.steps, self.seen, self.turns, self.params, self.kind, memory, self.diverged)

    def _enter(self, moment: Moment) -> None:
        self.steps, self.seen, self.turns = moment.steps, moment.seen, moment.turns
        self.params, self.kind, self.diverged = moment.params, moment.kind, moment.diverged
        self._optimizer = self._made(moment.kind) if moment.kind else None
        if self._optimizer is not None:
            self._optimizer.load_state_dict(moment.memory)
        self.losses, self.smooth, self.ratios = (v[: self.steps] for v in (self.losses, self.smooth, self.ratios))
        self.accuracies = [row for row in self.accuracies if row[0] <= self.steps]

    # --- files

    def write(self, path: Path, state: str, marks: tuple[int, ...]) -> None:
        """Write this moment, the marked ones and the curves as an .npz of plain arrays; `state`: the widget's JSON."""
        moments = {"now": self._moment()} | {f"kept{m}": self.kept[m] for m in marks if m in self.kept}
        arrays = {"state": np.array(state), "moments": np.array(list(moments))}
        arrays["curves"] = np.array([self.losses, self.smooth, self.ratios])
        arrays["accuracies"], arrays["ghost"] = np.array(self.accuracies).reshape(-1, 4), np.array(self.ghost)
        for name, m in moments.items():
            about = {"steps": m.steps, "seen": m.seen, "turns": m.turns, "kind": m.kind, "diverged": m.diverged}
            arrays[f"{name}/about"] = np.array(json.dumps(about))
            arrays |= with_prefix(f"{name}/params", m.params) | with_prefix(f"{name}/memory", m.memory)
        write_checkpoint(path, arrays)

    def read(self, arrays: Arrays) -> None:
        """Take over what `write` wrote. ValueError or KeyError, and the session as it was, if it does not fit."""
        names = [str(name) for name in arrays["moments"]]
        moments = [self._unpacked(under_prefix(name, arrays)) for name in names]
        now = moments[0]
        curves = arrays["curves"]
        if curves.shape != (3, now.steps):
            raise ValueError(f"curves must be of shape (3, {now.steps}), got {curves.shape}")
        for moment in moments:  # a wrong memory is refused here, before anything is changed
            if moment.kind:
                self._made(moment.kind).load_state_dict(moment.memory)
        self.losses, self.smooth, self.ratios = curves.tolist()
        self.accuracies = [(int(s), a, b, c) for s, a, b, c in arrays["accuracies"].tolist()]
        self.ghost = arrays["ghost"].tolist()
        self.kept = {0: self.kept[0]} | {moment.steps: moment for moment in moments}
        self._enter(now)

    def _unpacked(self, arrays: Arrays) -> Moment:
        about, params = json.loads(str(arrays["about"])), under_prefix("params", arrays)
        like = new_net(0)
        for name, w in like.items():
            if name not in params or params[name].shape != w.shape or params[name].dtype != w.dtype:
                raise ValueError(f"{name} must be float32 {w.shape}")
        turns = tuple((int(s), str(n), v) for s, n, v in about["turns"])
        kind = str(about["kind"])
        if (kind == "yours") != (self.update is not None) and kind:
            raise ValueError("it must be opened with the update that it was trained with")
        return Moment(
            int(about["steps"]), int(about["seen"]), turns, {n: params[n] for n in like}, kind,
            under_prefix("memory", arrays), bool(about["diverged"]),
        )  # fmt: skip


def read_saved(path: Path) -> Arrays:
    """Return the arrays of a saved run. Raises FileNotFoundError, or ValueError if it is another file."""
    arrays = read_checkpoint(path)
    if "state" not in arrays or "moments" not in arrays:
        raise ValueError("the file must be a run that the live trainer saved")
    return arrays


def _ratio(before: Arrays, after: Arrays) -> float:
    """Return |change| / |weights| over all weights."""
    names = [name for name in before if name.startswith("w")]
    change = sum(float(((after[n] - before[n]).astype(float) ** 2).sum()) for n in names)
    return float(np.sqrt(change / sum(float((before[n].astype(float) ** 2).sum()) for n in names)))
