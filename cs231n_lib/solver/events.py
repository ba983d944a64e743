"""What the training loop says: a finished step, or that it diverged; and what it asks of an optimizer."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class DivergedError(ArithmeticError):
    """Training met a nan or an inf. The model keeps its last finite parameters and statistics.

    where : what first became non-finite: "loss", "gradient of 'W1'", "parameter 'W1' after the step", "scores on ..."
    step : number of the step that failed, from 1; epoch : passes over the data done by then, a real number
    learning_rate : the rate of that step; losses : up to five losses before it, the latest last
    """

    def __init__(self, *, where: str, step: int, epoch: float, learning_rate: float, losses: list[float]):
        self.where, self.step, self.epoch, self.learning_rate, self.losses = where, step, epoch, learning_rate, losses
        before = ", ".join(f"{value:.4g}" for value in losses) or "none"
        super().__init__(
            f"Solver: {where} must be finite, got nan or inf at step {step} (epoch {epoch:.2f}, learning rate "
            f"{learning_rate:.3g}; losses before: {before}); lower the learning rate or check the gradient"
        )


class TakesSteps(Protocol):
    """What the loop needs of an optimizer; see `cs231n_lib.optim.Optimizer`."""

    learning_rate: float

    def step(self, params: Any, grads: Any, *, factor: float = 1.0) -> dict[str, np.ndarray]: ...
    def state_dict(self) -> dict[str, np.ndarray]: ...
    def load_state_dict(self, state: Any) -> None: ...


@dataclass(frozen=True)
class Step:
    """One finished step. The accuracies are numbers at the end of an epoch and None elsewhere."""

    step: int  # steps done, this one included
    epoch: float  # passes over the data done, for instance 2.5
    loss: float  # mean over the batch, before the parameters moved
    learning_rate: float
    train_accuracy: float | None = None
    val_accuracy: float | None = None

    @property
    def ends_epoch(self) -> bool:
        return self.val_accuracy is not None
