"""A check-up for a deep net: histograms of activations and gradients in every layer, dead units, and batch norm."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .health_net import CONTROLS, MOST, Health, Report, compute

LEFT, ACROSS = 60, 692  # the columns of layers
ROWS = {"outputs": 50, "upstream": 200}  # tops of the two rows of histograms
TALL, BINS = 70, 24
LOWEST, HIGHEST = 1e-12, 1e12  # what the chart by depth can show
NOTHING = 1e-300  # stands for 0 where a logarithm or a quotient is taken
HEALTHY = 10  # a factor between first and last layer that is still called even


def describe(r: Report) -> str:
    """Return the result in words."""
    s = r.state
    norm = {"none": "no normalization", "batch": "batch norm", "layer": "layer norm"}[s.norm]
    words = f"{s.layers} layers of {s.activation}, {s.weights} weights, {norm}, {s.steps} steps learned: "
    if not np.isfinite([*r.spread, *r.pull, r.loss]).all():
        words += "the numbers have left the range of floats: the learning rate is too high."
    else:
        words += f"activations go from {r.spread[0]:.2g} in layer 1 to {r.spread[-1]:.2g} in layer {s.layers}, "
        words += f"{_trend(r.spread[-1], r.spread[0])}; gradients from {r.pull[-1]:.2g} there back to {r.pull[0]:.2g}, "
        words += f"{_trend(r.pull[0], r.pull[-1])}. Loss {r.loss:.3g}."
    dead = sum(int(d.sum()) for d in r.dead)
    words += f" Dead units: {dead} of {s.layers * s.width}."
    return words + (" Your batch norm agrees in every layer." if r.asked and not r.problem else "")


def _trend(end: float, start: float) -> str:
    ratio = end / max(start, NOTHING)
    return "fading" if ratio < 1 / HEALTHY else "growing" if ratio > HEALTHY else "even"


def render(r: Report) -> str:
    """Return two rows of histograms, one column for each layer; below, depth, dead units and one layer up close."""
    marks = [_row(r, "outputs"), _row(r, "upstream")]
    marks += [_depth(r), _dead(r), _close(r)]
    return svg.figure(760, 550, describe(r), *marks)


def _column(r: Report, i: int) -> tuple[float, float]:
    """Return left and width of the column of layer i, from 0."""
    step = ACROSS / r.state.layers
    return LEFT + i * step, step - 8


def _row(r: Report, name: str) -> str:
    values: list[np.ndarray] = getattr(r, name)
    top, kind = ROWS[name], 0 if name == "outputs" else 1
    title = "Activations" if name == "outputs" else "Gradients of the loss at them; update: next step / weights"
    same = ", all on the range of the largest layer" if r.state.ranges == "same" else ", each on its own range"
    marks = [svg.text(LEFT, top - 28, title, bold=True), svg.text(752, top - 28, same[2:], size=11, anchor="end")]
    marks.append(svg.text(8, top + TALL / 2, "counts", size=11))
    for word, y in (("range ±", 14), ("dead" if kind == 0 else "update", 29)):
        marks.append(svg.text(8, top + TALL + y, word, size=11))
    reach = max((_reach(v) for v in values), default=1.0)
    for i, v in enumerate(values):
        left, width = _column(r, i)
        own = reach if r.state.ranges == "same" else _reach(v)
        middle, looked = left + width / 2, i + 1 == _looked(r.state)
        number = f"{'✗ ' if kind == 0 and i + 1 in r.wrong else ''}{i + 1}"
        marks.append(svg.text(middle, top - 6, number, anchor="middle", bold=looked, size=12))
        marks.append(svg.rect(left, top, width, TALL, colour=svg.INK, opacity=1 if looked else 0.45,
                              line_width=2 if looked else 1))  # fmt: skip
        marks.append(_histogram(v, own, left, top, width, kind))
        marks.append(
            svg.text(middle, top + TALL + 14, _said(own if np.isfinite(v).all() else np.nan), size=11, anchor="middle")
        )
        dead = int(r.dead[i].sum())
        told = f"{dead}/{r.state.width}" if kind == 0 else _said(r.ratio[i], digits=1)
        bold = (dead > 0) if kind == 0 else not 1e-5 <= r.ratio[i] <= 1e-1
        marks.append(svg.text(middle, top + TALL + 29, told, size=11, anchor="middle", bold=bold))
    return "".join(marks)


def _said(value: float, *, digits: int = 2) -> str:
    """Return a number in the width of a narrow column."""
    if not np.isfinite(value):
        return "nan"
    if 0.01 <= value < 1000 or value <= NOTHING:
        return f"{value:.2g}" if value > NOTHING else "0"
    return f"{value:.{digits - 1}e}"


def _reach(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return max(float(np.quantile(finite, 0.995)), NOTHING) if len(finite) else 1.0


def _histogram(values: np.ndarray, reach: float, left: float, top: float, width: float, kind: int) -> str:
    """Return a histogram from -reach to reach; a bar that towers over the rest is cut and hatched."""
    if not np.isfinite(values).all():
        return svg.text(left + width / 2, top + TALL / 2, "nan", anchor="middle", bold=True)
    edges = np.linspace(-reach, reach, BINS + 2)  # an odd number of bins: zero lies in the middle of one
    counts = np.histogram(np.clip(values, -reach, reach), bins=edges)[0]
    second = np.sort(counts)[-2] or counts.max()
    heights = np.minimum(counts / (1.25 * second), 1) * (TALL - 4)
    xs = left + width * np.arange(BINS + 2) / (BINS + 1)
    bottom = top + TALL
    corners = [(left, bottom)]
    for x1, x2, height in zip(xs[:-1], xs[1:], heights, strict=True):
        corners += [(x1, bottom - height), (x2, bottom - height)]
    bars = svg.path([*corners, (left + width, bottom)], colour="none", fill=svg.COLOURS[kind], closed=True)
    tall = int(counts.argmax())
    if counts[tall] > 1.25 * second:
        bars += svg.hatch(xs[tall], bottom - heights[tall], xs[1] - xs[0], heights[tall], gap=4, opacity=0.9)
        at, side = (xs[tall] - 3, "end") if tall > 3 * BINS / 4 else (xs[tall + 1] + 3, "start")
        bars += svg.text(at, top + 13, f"{100 * counts[tall] / counts.sum():.0f}%", size=11, anchor=side)
    return bars


def _depth(r: Report) -> str:
    """Return the size of activations and gradients against depth."""
    both = [np.clip(np.nan_to_num(v, nan=HIGHEST, posinf=HIGHEST), LOWEST, HIGHEST) for v in (r.spread, r.pull)]
    low = math.floor(math.log10(min(v.min() for v in both)) - 0.2)
    high = math.ceil(math.log10(max(v.max() for v in both)) + 0.2)
    axes = Axes(left=60, top=344, width=224, height=136, x0=1, x1=max(r.state.layers, 2), y0=10.0**low, y1=10.0**high,
                log_y=True)  # fmt: skip
    marks = [axes.frame(title="Size by depth", x_label="layer", y_ticks=6)]
    layers = range(1, r.state.layers + 1)
    marks += [axes.curve(layers, v.tolist(), kind=kind, width=2.5) for kind, v in enumerate(both)]
    for kind, (x, name) in enumerate(((60, "activations (std)"), (182, "gradients (rms)"))):
        marks.append(svg.line(x, 530, x + 20, 530, colour=svg.COLOURS[kind], width=2.5, dash=svg.DASHES[kind]))
        marks.append(svg.text(x + 25, 534, name, size=11))
    return "".join(marks)


def _dead(r: Report) -> str:
    """Return the share of dead units and of flat places, by layer, and the loss."""
    n = r.state.layers
    axes = Axes(left=340, top=344, width=170, height=136, x0=0.4, x1=n + 0.6)
    marks = [axes.frame(title="Flat and dead", x_label="layer", y_ticks=4)]
    for i in range(n):
        marks.append(axes.bar(i + 1, float(r.flat[i]), width=0.8, colour=svg.COLOURS[5]))
        share = float(r.dead[i].mean())
        if share:
            x, y = axes.x(i + 0.6), axes.y(share)
            bar, tall = axes.x(i + 1.4) - x, axes.y(0) - y
            marks += [svg.rect(x, y, bar, tall, fill=svg.COLOURS[3]), svg.hatch(x, y, bar, tall, gap=5, opacity=0.8)]
    marks += [svg.rect(340, 524, 12, 11, fill=svg.COLOURS[5]), svg.text(357, 534, "flat places", size=11)]
    marks += [svg.rect(428, 524, 12, 11, fill=svg.COLOURS[3]), svg.hatch(428, 524, 12, 11, gap=5, opacity=0.8)]
    return "".join(marks) + svg.text(445, 534, "dead units", size=11)


def _close(r: Report) -> str:
    """Return one layer up close: a row for each unit, a column for each example; dead rows are pointed at."""
    i = _looked(r.state) - 1
    values = r.outputs[i].T  # (width, N)
    left, top, width, height = 548, 344, 176, 136
    marks = [svg.text(left, top - 9, f"Layer {i + 1}: units × examples", bold=True)]
    marks.append(raster.signed_map(left, top, width, height, values))
    marks.append(svg.rect(left, top, width, height, colour=svg.INK, opacity=0.45))
    tall = height / len(values)
    for unit in np.flatnonzero(r.dead[i]):
        y = top + (unit + 0.5) * tall
        marks.append(
            svg.line(left + width + 2, y, left + width + 16, y, colour=svg.COLOURS[3], width=max(tall - 0.8, 1))
        )
    marks.append(svg.text(left, top + height + 17, "blue below 0, white 0, orange above;", size=11))
    marks.append(svg.text(left, top + height + 32, "a bar at the right: a dead unit", size=11))
    loss = f"loss {r.first_loss:.3g}" + (f" → {r.loss:.3g}" if r.state.steps else "")
    marks.append(svg.text(left, 534, f"step {r.state.steps}: {loss}", size=12, bold=True))
    return "".join(marks)


# --- moves


def _looked(state: Health) -> int:
    return min(state.look, state.layers)


def advance(state: Health, data: Data) -> Health:
    """Learn for one step."""
    return dataclasses.replace(state, steps=state.steps + 1) if state.steps < MOST else state


def forget(state: Health, data: Data) -> Health:
    """Go back to the first weights; without steps to take back, to the next seed's."""
    return (
        dataclasses.replace(state, steps=0) if state.steps else dataclasses.replace(state, seed=(state.seed + 1) % 10)
    )


def point(state: Health, data: Data, event: Event) -> Health:
    """Click a column to look at its layer; left and right arrows too, Enter learns one step."""
    look = _looked(state)
    if event.kind == "key":
        if event.key == "Enter":
            return advance(state, data)
        look += {"ArrowRight": 1, "ArrowLeft": -1}.get(event.key, 0)
    elif event.kind in ("down", "drag") and ROWS["outputs"] - 20 <= event.y <= ROWS["upstream"] + TALL + 30:
        look = math.floor((event.x - LEFT) / (ACROSS / state.layers)) + 1
    look = min(max(look, 1), state.layers)
    return state if look == _looked(state) else dataclasses.replace(state, look=look)


MODEL = Model(
    title="Activation and gradient health",
    about="Histograms of every layer, with batch norm and without: signals that fade, grow or die.",
    state=Health,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"forget": forget},
    point=point,
    point_help="Click a column to look at its layer. Keys: left and right choose the layer, Enter learns one step.",
    advance=advance,
    challenge=(
        ("Weights of std 0.01, 64 ReLU units in a layer: by which factor does each layer shrink the activations?",
         "About 0.01·√(64/2) = 0.057: a sum of 64 products multiplies the size by 0.01·√64, and ReLU keeps half of the "
         "squares. Kaiming's √(2/64) makes the factor 1."),
        ("Keep std 0.01 and switch batch norm on. What becomes of activations and gradients, and why of both?",
         "Both become even. The output no longer depends on the size of the weights, and the way back divides by the "
         "same small standard deviation that the way forward divided by."),
        ("Set all first biases to -3. Which units are dead, and does Run bring them back?",
         "Those whose output is 0 for every example. No gradient passes a flat place, so nothing moves their own "
         "weights: they come back only if the layers before them change what they see."),
    ),
)  # fmt: skip


@register(MODEL)
def health_check(batchnorm: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show the activations and gradients of every layer of a deep net, and which of its units are dead.

    batchnorm : your `batchnorm_forward(x, gamma, beta, running_mean, running_var, *, train)` -> (out, ...), called on
        every layer's numbers with train=True; layers where it differs are marked
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("health_check", "batchnorm", batchnorm)
    return show(MODEL, state=state, data={"batchnorm": batchnorm})
