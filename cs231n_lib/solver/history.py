"""What happened during training, as plain data: lists of numbers that a figure draws and a JSON file holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class History:
    """One entry per step in `loss` and `learning_rate`; one per evaluation in the other lists, the first before step 1.

    loss : mean loss of each batch, before the step that it caused
    learning_rate : the rate of each step, schedule included
    evaluated_at : number of steps done at each evaluation; evaluation e stands at the end of epoch e
    train_accuracy, val_accuracy : fractions, 0 to 1; train accuracy is of a sample of the training set
    """

    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    evaluated_at: list[int] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch with the highest validation accuracy (0: before training)."""
        if not self.val_accuracy:
            raise ValueError("History: best_epoch must follow an evaluation, got none; train first")
        return self.val_accuracy.index(max(self.val_accuracy))

    def to_dict(self) -> dict[str, list]:
        """Return the lists by name, copied; `json.dumps` takes the result as it is."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "History":
        """Return the History that `to_dict` wrote."""
        names = {f.name for f in fields(cls)}
        if set(data) != names:
            raise ValueError(f"History.from_dict: data must have the keys {sorted(names)}, got {sorted(data)}")
        return cls(**{name: list(values) for name, values in data.items()})
