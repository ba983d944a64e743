"""Figures, returned and never shown: put one last in a cell, or save it. matplotlib loads when one is drawn."""

from cs231n_lib.visualize.classification import confusion_matrix, decision_regions, distance_matrix, embedding
from cs231n_lib.visualize.images import class_templates, filter_bank, image_grid, to_unit
from cs231n_lib.visualize.palette import OKABE_ITO
from cs231n_lib.visualize.training import k_accuracy, plot_history

__all__ = [
    "OKABE_ITO",
    "class_templates",
    "confusion_matrix",
    "decision_regions",
    "distance_matrix",
    "embedding",
    "filter_bank",
    "image_grid",
    "k_accuracy",
    "plot_history",
    "to_unit",
]
