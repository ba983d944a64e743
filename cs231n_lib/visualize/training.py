"""Figures about a training run and a choice of hyperparameters: curves over steps, accuracies over k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cs231n_lib.visualize.palette import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_history(history: Any, *, title: str = "Training") -> Figure:
    """Return a figure with the loss of every step on the left and the accuracies of every epoch on the right.

    history : has lists `loss` (per step), `train_accuracy`, `val_accuracy` and `evaluated_at` (steps), as a Solver's
    """
    from cs231n_lib.visualize.canvas import axes, grid, legend, picture

    figure = picture(width=9.5, height=3.8, title=title)
    left = axes(figure, x_label="step", y_label="loss per example (nats)", columns=2)
    steps = np.arange(1, len(history.loss) + 1)
    left.plot(steps, history.loss, color=OKABE_ITO[5], linewidth=0.8, alpha=0.8, label="batch")
    if len(steps) >= 20:  # a mean over a twentieth of the run: short enough to bend with the curve
        window = len(steps) // 20
        mean = np.convolve(history.loss, np.ones(window) / window, mode="valid")
        left.plot(
            steps[window // 2 :][: len(mean)], mean, color=OKABE_ITO[0], linewidth=1.8, label=f"mean of {window} steps"
        )
    right = axes(figure, x_label="step (a marker per epoch)", y_label="accuracy (%)", columns=2, index=2)
    for values, name, ink, shape in (
        (history.train_accuracy, "train", OKABE_ITO[0], "o-"),
        (history.val_accuracy, "validation", OKABE_ITO[3], "s--"),
    ):
        right.plot(history.evaluated_at, 100 * np.asarray(values), shape, color=ink, markersize=4, label=name)
    for ax in (left, right):
        grid(ax)
        legend(ax)
    return figure


def k_accuracy(accuracies: Mapping[int, Sequence[float]], *, title: str = "Cross-validation of k") -> Figure:
    """Return a figure of accuracy over k: a point per fold, their mean, and one standard deviation up and down.

    accuracies : {k: [fraction right in each fold]}
    """
    from cs231n_lib.visualize.canvas import axes, grid, legend, picture

    if not accuracies or any(len(values) == 0 for values in accuracies.values()):
        raise ValueError(f"k_accuracy: accuracies must be {{k: [one number per fold]}}, got {dict(accuracies)}")
    figure = picture(width=6.5, height=4.2, title=title)
    ax = axes(figure, x_label="k (number of neighbours)", y_label="accuracy on the held-out fold (%)")
    ks = sorted(accuracies)
    for i, k in enumerate(ks):
        folds = 100 * np.asarray(accuracies[k])
        label = "one fold" if i == 0 else None
        ax.scatter([i] * len(folds), folds, color=OKABE_ITO[5], edgecolors="none", s=22, zorder=3, label=label)
    means = [100 * np.mean(accuracies[k]) for k in ks]
    spread = [100 * np.std(accuracies[k]) for k in ks]
    ax.errorbar(range(len(ks)), means, yerr=spread, color=OKABE_ITO[3], capsize=4, label="mean ± standard deviation")
    ax.set_xticks(range(len(ks)), [str(k) for k in ks])  # evenly spaced: 1, 3, 5, ..., 100 would crowd on the left
    grid(ax)
    legend(ax)
    return figure
