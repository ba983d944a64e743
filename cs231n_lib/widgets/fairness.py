"""The lecture's table of gender classifiers as an audit: who is in the crowd, what is chance, what thresholds move."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import Axes, Model, callable_or_none, register, show, svg
from .base.model import is_static
from .fairness_counts import CONTROLS, GROUPS, SLIDE, Audit, Table, compute, own_state, valid


def describe(r: Table) -> str:
    """Return the result in words."""
    if not r.sizes.any():
        return f"{r.state.classifier}: nobody is in the crowd, so there is no rate."
    worst, best = int(np.nanargmin(r.rates)), int(np.nanargmax(r.rates))
    words = (
        f"{r.state.classifier}: overall {100 * r.overall:.1f} % right, {r.names[worst]} {100 * r.rates[worst]:.1f} %"
    )
    words += f", {r.names[best]} {100 * r.rates[best]:.1f} %. Largest gap {100 * r.gap:.1f} points; {_ratio(r)}."
    if worst != best:
        beyond = r.high[worst] < r.low[best]
        words += " Their 95 % intervals " + ("do not overlap." if beyond else "overlap: chance may have made the gap.")
    return words + (" Your function agrees." if r.asked and not r.problem else "")


def _ratio(r: Table) -> str:
    """Return how many times as often the worst group is misjudged as the best."""
    errors = 1 - r.rates[r.sizes > 0]
    if errors.min() < 1e-9:
        return "no group errs" if errors.max() < 1e-9 else "the best group never errs"
    return f"the worst group errs {errors.max() / errors.min():.1f} times as often as the best"


def render(r: Table) -> str:
    """Return bars with intervals, the table, and the crowd as a strip."""
    return svg.figure(760, 446, describe(r), _bars(r), _rows(r), _strip(r))


def _bars(r: Table) -> str:
    errors = r.state.metric == "error rate"
    count = len(r.names)
    axes = Axes(left=52, top=34, width=330, height=236, x0=-0.5, x1=count - 0.5, y0=0, y1=100)
    marks = [axes.frame(title=f"{r.state.metric.capitalize()} in %, with 95 % intervals", x_ticks=0)]
    for i in range(count):
        kind = svg.marker(axes.x(i), 284, i, radius=5)
        marks += [
            kind,
            svg.text(axes.x(i), 303, _short(r.names[i], 14 if count == 4 else 26), size=11, anchor="middle"),
        ]
        if not r.sizes[i]:
            marks.append(svg.text(axes.x(i), 260, "nobody", size=12, anchor="middle"))
            continue
        rate, low, high = (100 * v for v in (r.rates[i], r.low[i], r.high[i]))
        value, low, high = (100 - rate, 100 - high, 100 - low) if errors else (rate, low, high)
        marks += [axes.bar(i, value, width=0.5, kind=i), axes.whisker(i, low, high)]
        marks.append(svg.text(axes.x(i), 320, f"{value:.1f}", anchor="middle", bold=True))
    if np.isfinite(r.overall):
        at = axes.y(100 * (1 - r.overall if errors else r.overall))
        marks.append(svg.line(axes.left, at, axes.left + axes.width, at, width=2, dash="7 3"))
    marks += [
        svg.line(52, 341, 84, 341, width=2, dash="7 3"),
        svg.text(90, 345, "overall, of the whole crowd", size=12),
    ]
    return "".join(marks)


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _rows(r: Table) -> str:
    """Return the table of the slide with people and intervals, and what follows from it."""
    heads = ((424, "group", "start"), (576, "people", "end"), (642, "right", "end"), (744, "95 % interval", "end"))
    marks = [svg.text(x, 44, words, size=12, bold=True, anchor=anchor) for x, words, anchor in heads]
    marks.append(svg.line(416, 52, 746, 52, opacity=0.5))
    for i, name in enumerate(r.names):
        y = 74 + 26 * i
        rate = f"{100 * r.rates[i]:.1f} %" if r.sizes[i] else "–"
        ends = f"{100 * r.low[i]:.1f} – {100 * r.high[i]:.1f}" if r.sizes[i] else "–"
        marks += [svg.marker(424, y - 4, i, radius=5), svg.text(436, y, _short(name, 15), size=12)]
        marks += [svg.text(576, y, f"{r.sizes[i]:,}", size=12, anchor="end")]
        marks += [svg.text(642, y, rate, anchor="end", bold=True), svg.text(744, y, ends, size=12, anchor="end")]
    if not r.sizes.any():
        return "".join(marks)
    y = 74 + 26 * len(r.names) + 12
    worst = int(np.nanargmin(r.rates))
    lines = (
        ("overall", f"{100 * r.overall:.1f} %"),
        (f"worst: {_short(r.names[worst], 20)}", f"{100 * r.rates[worst]:.1f} %"),
        ("largest gap (error-rate gap)", f"{100 * r.gap:.1f} points"),
    )
    marks.append(svg.line(416, y - 18, 746, y - 18, opacity=0.5))
    for i, (words, value) in enumerate(lines):
        marks += [svg.text(424, y + 22 * i + 4, words), svg.text(744, y + 22 * i + 4, value, anchor="end", bold=True)]
    marks.append(svg.text(424, y + 74, _ratio(r), size=12))
    if r.state.classifier in SLIDE and (r.state.t12 or r.state.t34):
        marks.append(svg.text(424, y + 96, "thresholds: if scores are normal, equally spread", size=12))
    return "".join(marks)


def _strip(r: Table) -> str:
    """Return the crowd as one bar, a piece for each of the four groups."""
    names = r.state.names if r.state.classifier == "yours" else GROUPS
    total, x, wide = max(int(r.crowd.sum()), 1), 52.0, 692
    marks = [svg.text(52, 374, f"The crowd: {int(r.crowd.sum()):,} people", bold=True)]
    for i, count in enumerate(r.crowd):
        width = wide * count / total
        marks.append(svg.rect(x, 382, width, 26, fill=svg.COLOURS[i], colour=svg.INK))
        marks.append(svg.hatch(x, 382, width, 26, gap=5 + 4 * i, colour="#fff") if i % 2 and width > 6 else "")
        if width > 40:
            marks.append(svg.text(x + width / 2, 424, f"{100 * count / total:.0f} %", size=12, anchor="middle"))
        if width > 110:
            marks.append(svg.text(x + width / 2, 439, f"{i + 1}: {_short(names[i], 16)}", size=11, anchor="middle"))
        x += width
    return "".join(marks)


MODEL = Model(
    title="Group-fairness audit",
    about="One classifier, four groups of people: what the overall accuracy says, and what it hides.",
    state=Audit,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    valid=valid,
    challenge=(
        ("Microsoft's classifier is right for 92.9 % of a crowd with equal groups. Which overall accuracies can it "
         "report, if only the crowd changes? Then move \"crowd leans to\".",
         "Any from 79.2 % (darker women only) to 100 % (lighter men only): the overall accuracy is a mean weighted by "
         "who was tested. It describes the crowd as much as the model."),
        ("Audit the same crowd by skin alone, then by gender alone. What happens to the largest gap of 20.8 points?",
         "It shrinks to 12.6 and to 8.3 points, for each half hides the worst group among others. Audit the "
         "intersections, and then mind the intervals: small groups make them wide."),
        ("Can a threshold of their own close the gap between darker men and darker women? What does it cost?",
         "At -0.35 both are right for about 88 %: women gain 9 points, men lose 6. A threshold moves errors from one "
         "group to another; removing them takes a better classifier."),
    ),
)  # fmt: skip


@register(MODEL)
def fairness_audit(
    gap: Callable[..., Any] | None = None,
    interval: Callable[..., Any] | None = None,
    *,
    right: Sequence[bool] | None = None,
    groups: Sequence[Any] | None = None,
    state: Any = None,
) -> Any:
    """Show the accuracies of a classifier for four groups of people, with intervals, gaps and the crowd's share.

    gap : your function (y (N,), predicted (N,), groups (N,)) -> (accuracies, gap), such as `group_accuracy_gap`
    interval : your function (right, total) -> (low, high) for a 95 % interval, such as `wilson_interval`
    right, groups : your own classifier: bool (N,), whether it is right, and (N,), the group of each; at most 4 groups
    state : settings, as the button "My settings as code" prints them
    Raises TypeError or ValueError, one sentence, for arguments that do not fit.
    """
    callable_or_none("fairness_audit", "gap", gap)
    callable_or_none("fairness_audit", "interval", interval)
    if (right is None) != (groups is None) and not is_static():
        raise ValueError("fairness_audit: right and groups must be given together, got one of them")
    wrong = None
    if right is not None and groups is not None and state is None:
        try:
            state = own_state(np.asarray(right), np.asarray(groups))
        except ValueError as error:
            if not is_static():  # nothing may stop a grading: there the picture says it
                raise
            wrong = str(error)
    return show(MODEL, state=state, data={"gap": gap, "interval": interval, "_wrong": wrong})
