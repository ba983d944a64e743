"""A figure that belongs to the caller: built without pyplot, so nothing is shown, no backend is chosen, nothing leaks.

The only module here that imports matplotlib when it is imported; the drawing functions import it when they are called.
"""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cs231n_lib.visualize.palette import GRID, INK, PANEL


class Picture(Figure):
    """A matplotlib Figure that a notebook shows when it is the last value of a cell, whatever backend is active.

    Stock figures are drawn in a notebook only after pyplot has registered the inline backend; this one draws itself.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def picture(*, width: float, height: float, title: str) -> Picture:
    """Return an empty figure with its title; width and height in inches."""
    figure = Picture(figsize=(width, height), layout="constrained", facecolor=PANEL)
    figure.suptitle(title, color=INK, fontsize=12)
    return figure


def axes(figure: Picture, *, x_label: str, y_label: str, rows: int = 1, columns: int = 1, index: int = 1) -> Axes:
    """Return labelled axes in cell `index` (from 1) of a rows x columns layout."""
    ax = figure.add_subplot(rows, columns, index, facecolor=PANEL)
    ax.set_xlabel(x_label, color=INK)
    ax.set_ylabel(y_label, color=INK)
    ax.tick_params(colors=INK)
    for spine in ax.spines.values():
        spine.set_color(INK)
    ax.set_axisbelow(True)
    return ax


def grid(ax: Axes) -> None:
    """Draw light grid lines behind the data."""
    ax.grid(color=GRID, linewidth=0.6)


def legend(ax: Axes) -> None:
    """Draw an opaque legend in the figure's own colours."""
    ax.legend(facecolor=PANEL, edgecolor=GRID, labelcolor=INK, fontsize=9)
