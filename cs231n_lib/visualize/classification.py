"""Figures about what a classifier does: its mistakes, its regions, the data as it sees them, its distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cs231n_lib.visualize.palette import INK, colour, marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def confusion_matrix(y: np.ndarray, predicted: np.ndarray, *, class_names: Sequence[str]) -> Figure:
    """Return a figure of how often each true class (row) was given each answer (column); shades are shares of the row.

    y, predicted : (N,) integers in 0..C-1
    """
    from cs231n_lib.visualize.canvas import axes, picture

    size = len(class_names)
    y = _labels("confusion_matrix", "y", y, size)
    predicted = _labels("confusion_matrix", "predicted", predicted, size)
    if y.shape != predicted.shape:
        raise ValueError(f"confusion_matrix: predicted must be of shape {y.shape} like y, got {predicted.shape}")
    counts = np.bincount(y * size + predicted, minlength=size * size).reshape(size, size)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # a class without examples has an empty row
    right = f"{np.trace(counts)} of {len(y)} right"
    side = max(4.5, 0.62 * size)
    figure = picture(width=side + 1.4, height=side, title=f"Confusion matrix ({right})")
    ax = axes(figure, x_label="answer", y_label="true class")
    image = ax.imshow(100 * share, cmap="cividis", vmin=0, vmax=100)
    _colour_bar(figure, image, ax, "share of the true class (%)")
    ax.set_xticks(range(size), class_names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(size), class_names)
    if size <= 20:  # smaller cells than these would not hold a number
        for i, j in np.ndindex(size, size):
            ink = "black" if share[i, j] > 0.5 else "white"
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", color=ink, fontsize=8)
    return figure


def decision_regions(
    predict: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    *,
    class_names: Sequence[str],
    resolution: int = 200,
    title: str = "Decision regions",
) -> Figure:
    """Return a figure of the answer at every point of the plane, with the data on top.

    predict : from float64 points (M, 2) to integer classes (M,)
    X, y : (N, 2) float and (N,) integers
    resolution : points along each axis
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    from cs231n_lib.visualize.canvas import axes, legend, picture

    X, y = np.asarray(X), _labels("decision_regions", "y", y, len(class_names))
    if X.shape != (len(y), 2):
        raise ValueError(f"decision_regions: X must be of shape ({len(y)}, 2), one point per label, got {X.shape}")
    margin = 0.05 * np.ptp(X, axis=0) + 1e-9
    (left, bottom), (right, top) = X.min(axis=0) - margin, X.max(axis=0) + margin
    columns, rows = np.linspace(left, right, resolution), np.linspace(bottom, top, resolution)
    points = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)  # (resolution**2, 2), row by row
    answers = _labels("decision_regions", "predict(points)", predict(points), len(class_names))
    if len(answers) != len(points):
        raise ValueError(f"decision_regions: predict must return {len(points)} classes, got {len(answers)}")
    figure = picture(width=6.4, height=5.2, title=title)
    ax = axes(figure, x_label="feature 1", y_label="feature 2")
    count = len(class_names)
    shades = ListedColormap([colour(c) for c in range(count)])
    norm = BoundaryNorm(np.arange(count + 1) - 0.5, count)
    region = answers.reshape(resolution, resolution)
    ax.imshow(
        region, origin="lower", extent=(left, right, bottom, top), cmap=shades, norm=norm, alpha=0.35, aspect="auto"
    )
    _scatter(ax, X, y, class_names)
    legend(ax)
    return figure


def embedding(points: np.ndarray, y: np.ndarray, *, class_names: Sequence[str], title: str = "Embedding") -> Figure:
    """Return a scatter figure of points by class; more than two dimensions are projected on the two of most variance.

    points : (N, D) float, D >= 2, N >= 2
    y : (N,) integers
    """
    from cs231n_lib.visualize.canvas import axes, grid, legend, picture

    points, y = np.asarray(points, dtype=np.float64), _labels("embedding", "y", y, len(class_names))
    if points.ndim != 2 or points.shape[1] < 2 or len(points) != len(y) or len(points) < 2:
        raise ValueError(f"embedding: points must be of shape (N >= 2, D >= 2) with N = {len(y)}, got {points.shape}")
    names = ["component 1", "component 2"]
    if points.shape[1] > 2:
        centred = points - points.mean(axis=0)
        U, S, _ = np.linalg.svd(centred, full_matrices=False)
        points = U[:, :2] * S[:2]  # (N, 2): coordinates along the two directions of most variance
        total = max((S**2).sum(), np.finfo(float).tiny)
        names = [f"principal component {i + 1} ({100 * S[i] ** 2 / total:.0f} % of the variance)" for i in (0, 1)]
    figure = picture(width=6.4, height=5.2, title=title)
    ax = axes(figure, x_label=names[0], y_label=names[1])
    _scatter(ax, points, y, class_names)
    grid(ax)
    legend(ax)
    return figure


def distance_matrix(distances: np.ndarray, *, title: str = "Distances: dark is near") -> Figure:
    """Return a figure of the distance of every test image (row) to every training image (column).

    distances : (num_test, num_train) float, in units of pixel values. A bright row is a test image that is far from all
    """
    from cs231n_lib.visualize.canvas import axes, picture

    distances = np.asarray(distances)
    if distances.ndim != 2 or distances.size == 0 or not np.isfinite(distances).all():
        raise ValueError(
            f"distance_matrix: distances must be a finite matrix (num_test, num_train), got {distances.shape}"
        )
    figure = picture(width=8.0, height=4.2, title=title)
    ax = axes(figure, x_label="training image (index)", y_label="test image (index)")
    image = ax.imshow(distances, cmap="cividis", aspect="auto", interpolation="nearest")
    _colour_bar(figure, image, ax, "distance (pixel values)")
    return figure


def _scatter(ax: Axes, X: np.ndarray, y: np.ndarray, class_names: Sequence[str]) -> None:
    for c, name in enumerate(class_names):
        mine = X[y == c]
        ax.scatter(
            mine[:, 0], mine[:, 1], s=42, color=colour(c), marker=marker(c), edgecolors=INK, linewidths=0.4, label=name
        )


def _colour_bar(figure: Figure, image, ax: Axes, label: str) -> None:
    bar = figure.colorbar(image, ax=ax)
    bar.set_label(label, color=INK)
    bar.ax.tick_params(colors=INK)


def _labels(function: str, name: str, values: np.ndarray, size: int) -> np.ndarray:
    values = np.asarray(values)
    if (
        values.ndim != 1
        or values.dtype.kind not in "iu"
        or (values.size and not 0 <= values.min() <= values.max() < size)
    ):
        found = f"{values.dtype} of shape {values.shape}"
        if values.size and values.dtype.kind in "iuf":
            found += f" in {values.min()}..{values.max()}"
        raise ValueError(f"{function}: {name} must be integers (N,) in 0..{size - 1}, got {found}")
    return values.astype(np.int64)
