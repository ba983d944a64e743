"""The report's pictures, as SVG inside the page: no file beside it, no script in it, readable in print."""

import base64
import io
import statistics
from typing import Any

from .item_analysis import Item

BLUE, ORANGE, INK, SOFT = "#0072B2", "#D55E00", "#1b1f24", "#6a737d"  # tell apart with any colour vision
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cs231n",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "text.parse_math": False,
}


def histogram(scores: list[float], max_score: float) -> str:
    """Return the distribution of students' totals as a data: address of an SVG; the median is marked."""
    figure, axes = _canvas(6.4, 2.4)
    bins = min(20, max(5, round(max_score)))
    axes.hist(scores, bins=bins, range=(0, max(max_score, 1.0)), color=BLUE, edgecolor="white")
    median = statistics.median(scores)
    axes.axvline(median, color=ORANGE, linewidth=2)
    axes.set_title(f"median {median:g} of {max_score:g}", loc="left", fontsize=9, color=ORANGE)
    axes.set_xlabel("points")
    axes.set_ylabel("students")
    axes.yaxis.get_major_locator().set_params(integer=True)
    return _address(figure)


def difficulty(items: list[Item]) -> str:
    """Return a picture of exercises, the share that solved each against its discrimination; "" if none has both."""
    shown = [
        (item.question, item.solved, item.discrimination)
        for item in items
        if item.solved is not None and item.discrimination is not None
    ]
    if not shown:
        return ""
    figure, axes = _canvas(6.4, 3.6)
    axes.axhline(0, color=SOFT, linewidth=1)
    axes.axhspan(-1, 0, color=ORANGE, alpha=0.08)
    for name, solved, discrimination in shown:
        axes.plot(100 * solved, discrimination, "o", color=BLUE if discrimination >= 0 else ORANGE, markersize=5)
        axes.annotate(name, (100 * solved, discrimination), (4, 3), textcoords="offset points", fontsize=7)
    axes.set_xlim(-3, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.set_ylim(min(-0.2, *(d for _, _, d in shown)) - 0.05, 1.05)
    axes.set_xlabel("solved by, % of students")
    axes.set_ylabel("discrimination")
    return _address(figure)


def first_failures(item: Item, most: int = 6) -> str:
    """Return a bar per place where answers to one exercise first failed; "" if none did."""
    shown = item.failures[:most]
    others = sum(n for _, n in item.failures[most:])
    shown = [*shown, *([(f"{len(item.failures) - most} other ways", others)] if others else [])]
    if not shown:
        return ""
    figure, axes = _canvas(4.6, 0.35 + 0.24 * len(shown))
    names, numbers = [name[:44] for name, _ in shown], [n for _, n in shown]
    places = range(len(shown))
    axes.barh(places, numbers, color=ORANGE, height=0.7)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    for place, n in zip(places, numbers, strict=True):
        axes.annotate(str(n), (n, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xticks([])
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    return _address(figure)


def _canvas(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def _address(figure: Any) -> str:
    """An image in an <img>, not markup in the page: whatever a label says, it can run nothing."""
    import matplotlib

    raw = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(raw, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(raw.getvalue()).decode()
