"""The training loop. One epoch is one pass: a fresh permutation of the training set, each example once."""

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from cs231n_lib.solver import snapshot
from cs231n_lib.solver.checkpoint import (
    pack_rng,
    read_checkpoint,
    under_prefix,
    unpack_rng,
    with_prefix,
    write_checkpoint,
)
from cs231n_lib.solver.data_access import Model, Preprocess, accuracy, read_split
from cs231n_lib.solver.events import DivergedError, Step, TakesSteps
from cs231n_lib.solver.history import History


class Solver:
    """Trains `model` and remembers its best parameters, by validation accuracy, with their running statistics.

    model : see `Model`; its `params` are replaced by new arrays at every step
    train, val : a tuple (X, y), or an object with `.images` and `.labels`
    optimizer : from `cs231n_lib.optim`; its learning_rate may be changed while training
    rng : draws the permutations, and nothing else
    schedule : factor for the learning rate as a function of the epoch, a real number; None is 1 throughout
    preprocess : from a batch of images to the float array that the model takes; needed for uint8 images
    patience : stop after this many epochs without a new best validation accuracy; None never does
    num_train_samples : train accuracy is measured on that many examples, evenly spaced; 1000 give it a standard error
        below 1.6 points
    """

    def __init__(
        self,
        model: Model,
        train: Any,
        val: Any,
        *,
        optimizer: TakesSteps,
        rng: np.random.Generator,
        schedule: Callable[[float], float] | None = None,
        preprocess: Preprocess | None = None,
        patience: int | None = None,
        num_train_samples: int = 1000,
    ):
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"Solver: rng must be a Generator, got {rng!r}; pass np.random.default_rng(0)")
        if patience is not None and patience < 1:
            raise ValueError(f"Solver: patience must be at least 1 epoch or None, got {patience}")
        if (name := snapshot.first_non_finite(model.params)) is not None:
            raise ValueError(f"Solver: model.params[{name!r}] must be finite, got nan or inf")
        self.model, self.optimizer, self.rng = model, optimizer, rng
        self.schedule, self.preprocess, self.patience = schedule, preprocess, patience
        self.train_data = read_split(train, "train", preprocess)
        self.val_data = read_split(val, "val", preprocess)
        self._sample = np.linspace(0, self.num_train - 1, min(num_train_samples, self.num_train)).astype(int)
        self.history = History()
        self._epochs_done, self._position = 0, 0  # finished passes; examples of the present pass already used
        self._order: np.ndarray | None = None  # the present pass's permutation; None until its first step
        self._best = snapshot.read(model)
        self._last: dict[str, np.ndarray] | None = None  # where training stands while the model holds the best instead
        self._stop_requested = False

    @property
    def num_train(self) -> int:
        return len(self.train_data[1])

    @property
    def epoch(self) -> float:
        """Passes over the data done, a real number."""
        return self._epochs_done + self._position / self.num_train

    def train(
        self,
        *,
        num_epochs: int,
        batch_size: int,
        on_step: Callable[[Step], object] | None = None,
        on_epoch: Callable[[Step], object] | None = None,
        checkpoint: str | Path | None = None,
        progress: bool = True,
    ) -> History:
        """Train until `num_epochs` passes are done in all, put the best parameters into the model, return the history.

        Earlier passes count, also those before `load`: train(num_epochs=3) and then train(num_epochs=5) do 5.
        on_step, on_epoch : called after each step, each epoch; they may call `stop()` or change the learning rate
        checkpoint : file to save to after each epoch
        progress : show a progress bar
        """
        with tqdm(total=self._steps_left(num_epochs, batch_size), disable=not progress, unit="step") as bar:
            for event in self.steps(num_epochs=num_epochs, batch_size=batch_size):
                bar.update()
                if event.ends_epoch:
                    bar.set_postfix(loss=f"{event.loss:.3f}", val=f"{event.val_accuracy:.3f}")
                    if checkpoint is not None:
                        self.save(checkpoint)
                if on_step is not None:
                    on_step(event)
                if on_epoch is not None and event.ends_epoch:
                    on_epoch(event)
        self.restore_best()
        return copy.deepcopy(self.history)

    def steps(self, *, num_epochs: int, batch_size: int) -> Iterator[Step]:
        """Yield after each step, until `num_epochs` passes are done in all. To pause, stop asking for the next one.

        A new call goes on where the last one stood, also in the middle of an epoch and after `restore_best`.
        """
        self._steps_left(num_epochs, batch_size)
        self._stop_requested = False
        if self._last is not None:
            snapshot.write(self.model, self._last)
            self._last = None
        if len(self.history.val_accuracy) <= self._epochs_done:  # before step 1, or when the last one was interrupted
            self._evaluate()
        while self._epochs_done < num_epochs and not self._stop_requested and not self._out_of_patience():
            yield self._step(batch_size)

    def stop(self) -> None:
        """Ask `train` or `steps` to end after the present step."""
        self._stop_requested = True

    def restore_best(self) -> None:
        """Put the parameters and statistics of the best epoch into the model. Training can still go on afterwards."""
        if self._last is None:
            self._last = snapshot.read(self.model)
        snapshot.write(self.model, self._best)

    def save(self, path: str | Path) -> None:
        """Write all that `load` needs to go on bit for bit: parameters, statistics, optimizer, generators, history."""
        arrays = with_prefix("now", self._last if self._last is not None else snapshot.read(self.model))
        arrays |= with_prefix("best", self._best) | with_prefix("optimizer", self.optimizer.state_dict())
        arrays |= {f"rng/{name}": pack_rng(rng) for name, rng in self._generators().items()}
        arrays["history"] = np.array(json.dumps(self.history.to_dict()))
        arrays["progress"] = np.array([self._epochs_done, self._position, self.num_train])
        if self._order is not None:
            arrays["order"] = self._order
        write_checkpoint(path, arrays)

    def load(self, path: str | Path) -> None:
        """Take over a run saved by `save`. The solver must be made as that one was: same model, data and options."""
        arrays = read_checkpoint(path)
        now = under_prefix("now", arrays)
        if (difference := snapshot.mismatch(self.model, now)) is not None:
            raise ValueError(f"Solver.load: path must fit the model, got {difference}; build the model of that run")
        epochs_done, position, num_train = arrays["progress"].tolist()
        if num_train != self.num_train:
            raise ValueError(f"Solver.load: train must have {num_train} examples as then, got {self.num_train}")
        for name, rng in self._generators().items():
            if f"rng/{name}" in arrays:
                unpack_rng(rng, arrays[f"rng/{name}"])
        self.optimizer.load_state_dict(under_prefix("optimizer", arrays))
        snapshot.write(self.model, now)
        self.history = History.from_dict(json.loads(str(arrays["history"])))
        self._epochs_done, self._position, self._order = epochs_done, position, arrays.get("order")
        self._best, self._last = under_prefix("best", arrays), None

    def _generators(self) -> dict[str, np.random.Generator]:
        """Return the generators that decide the run: the permutations', and the model's where it keeps one."""
        generators = {"solver": self.rng, "model": getattr(self.model, "rng", None)}
        return {name: rng for name, rng in generators.items() if isinstance(rng, np.random.Generator)}

    def _step(self, batch_size: int) -> Step:
        if self._order is None:
            self._order = self.rng.permutation(self.num_train)
        chosen = self._order[self._position : self._position + batch_size]  # the last batch of a pass may be short
        X, y = self.train_data[0][chosen], self.train_data[1][chosen]
        factor = 1.0 if self.schedule is None else float(self.schedule(self.epoch))
        rate = self.optimizer.learning_rate * factor

        before = snapshot.read(self.model, params=False)  # the forward pass may move them before it turns out to be nan
        loss, grads = self._loss(X if self.preprocess is None else self.preprocess(X), y)
        where = "loss" if not math.isfinite(loss) else None
        if where is None and (name := snapshot.first_non_finite(grads)) is not None:
            where = f"gradient of {name!r}"
        if where is None:
            params = self.optimizer.step(self.model.params, grads, factor=factor)
            if (name := snapshot.first_non_finite(params)) is not None:
                where = f"parameter {name!r} after the step"
        if where is not None:
            snapshot.write(self.model, before, params=False)
            raise self._diverged(where, rate)

        self.model.params.update(params)
        self.history.loss.append(loss)
        self.history.learning_rate.append(rate)
        self._position += len(chosen)
        if self._position < self.num_train:
            return Step(len(self.history.loss), self.epoch, loss, rate)
        self._epochs_done, self._position, self._order = self._epochs_done + 1, 0, None
        self._evaluate()
        accuracies = self.history.train_accuracy[-1], self.history.val_accuracy[-1]
        return Step(len(self.history.loss), self.epoch, loss, rate, *accuracies)

    def _loss(self, X: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        returned = self.model.loss(X, y)
        if not (isinstance(returned, tuple) and len(returned) == 2 and np.ndim(returned[0]) == 0):
            raise TypeError(f"Solver: model.loss(X, y) must return (loss, grads), got {type(returned).__name__}")
        for name, dw in returned[1].items():
            if not isinstance(dw, np.ndarray):  # an unwritten backward pass returns None
                raise TypeError(f"Solver: grads[{name!r}] of model.loss must be an array, got {dw!r}")
        return float(returned[0]), returned[1]

    def _evaluate(self) -> None:
        X, y = self.train_data
        train = self._accuracy("train", X[self._sample], y[self._sample])
        val = self._accuracy("val", *self.val_data)
        if not self.history.val_accuracy or val > max(self.history.val_accuracy):
            self._best = snapshot.read(self.model)
        self.history.evaluated_at.append(len(self.history.loss))
        self.history.train_accuracy.append(train)
        self.history.val_accuracy.append(val)

    def _accuracy(self, name: str, X: np.ndarray, y: np.ndarray) -> float:
        try:
            return accuracy(self.model, X, y, preprocess=self.preprocess)
        except FloatingPointError:
            raise self._diverged(f"scores on {name}", self.optimizer.learning_rate) from None

    def _diverged(self, where: str, rate: float) -> DivergedError:
        losses = self.history.loss
        return DivergedError(
            where=where, step=len(losses) + 1, epoch=self.epoch, learning_rate=rate, losses=losses[-5:]
        )

    def _out_of_patience(self) -> bool:
        return self.patience is not None and self._epochs_done - self.history.best_epoch >= self.patience

    def _steps_left(self, num_epochs: int, batch_size: int) -> int:
        for name, value in (("num_epochs", num_epochs), ("batch_size", batch_size)):
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"Solver: {name} must be a whole number >= 1, got {value!r}")
        whole, here = -(-self.num_train // batch_size), -(-(self.num_train - self._position) // batch_size)
        return max(0, (num_epochs - self._epochs_done - 1) * whole + here)
