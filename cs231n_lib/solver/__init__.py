"""Train any course model: batches, accuracies, early stopping, checkpoints; nothing that goes wrong goes unseen."""

from cs231n_lib.solver.data_access import accuracy
from cs231n_lib.solver.history import History
from cs231n_lib.solver.loop import DivergedError, Solver, Step

__all__ = ["DivergedError", "History", "Solver", "Step", "accuracy"]
