"""Pooling and translation equivariance: move the image and then apply a layer, or the other way round.

A layer f is equivariant if f(T x) = T f(x): what it sees moves along. Both sides are drawn, and their difference.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .equivariance_square import CONTROLS, REACH, SHIFTS, SIDE, Setting, Square, compute, inner

PANE, COLUMNS, ROWS = 150, (16, 206, 396), (52, 262)


def reason(r: Square) -> str:
    """Return why the two ways differ, or that they do not."""
    s = r.state
    if r.gap < 1e-9:
        return "The same either way: what the layer sees moves along with the image."
    if s.layer == "fully connected":
        return "Each output has weights of its own for each pixel, so nothing moves along."
    if s.dx % s.stride or s.dy % s.stride:
        return f"The shift is no multiple of the stride {s.stride}: the windows fall on other pixels."
    return "The border's doing: an edge that does not move with the image. Leave it out and see."


def describe(r: Square) -> str:
    """Return the gap and its reason in words."""
    s = r.state
    words = f"{s.layer[0].upper()}{s.layer[1:]}, shift {s.dx} right and {s.dy} down: "
    words += f"the two ways differ by at most {r.gap:.3g}. {reason(r)}"
    if r.winners is not None:
        before, after = r.winners
        moved = {((i + s.dy) % SIDE, (j + s.dx) % SIDE) for i, j in before.tolist() if i >= 0}
        kept = len(moved & {(i, j) for i, j in after.tolist()})
        words += f" {kept} of {len(moved)} winning pixels win again after the move."
    return words + (" Your function agrees." if r.agreed else "")


def render(r: Square) -> str:
    """Return the square of pictures, the difference, and the gap for every shift."""
    limit = float(max(np.abs(m).max() for m in (r.before, r.after)))
    names = (
        ("x", "f(x)", "T f(x)"), ("T x", "f(T x)", "difference (dark: 0)"),
    )  # fmt: skip
    marks = []
    for y, row in zip(ROWS, names, strict=True):
        marks += [svg.text(x, y - 10, name, bold=True) for x, name in zip(COLUMNS, row, strict=True)]
    for y, pixels in zip(ROWS, (r.x, r.moved), strict=True):
        marks.append(raster.heat_map(COLUMNS[0], y, PANE, PANE, pixels, low=r.x.min(), high=r.x.max(), colours="grey"))
    panes = ((COLUMNS[1], ROWS[0], r.before), (COLUMNS[1], ROWS[1], r.after), (COLUMNS[2], ROWS[0], r.carried))
    for x, y, values in panes:
        marks.append(raster.signed_map(x, y, PANE, PANE, values, limit=limit or 1.0))
    apart = np.abs(r.after - r.carried)
    marks.append(
        raster.heat_map(COLUMNS[2], ROWS[1], PANE, PANE, apart, low=0, high=limit / 2 or 1.0, colours="cividis")
    )
    marks += [svg.rect(x, y, PANE, PANE, colour=svg.INK, opacity=0.5) for x in COLUMNS for y in ROWS]
    across = [(COLUMNS[0], ROWS[0], "f"), (COLUMNS[0], ROWS[1], "f"), (COLUMNS[1], ROWS[0], "T")]
    for x, y, name in across:
        marks.append(svg.arrow(x + PANE + 6, y + 75, x + PANE + 34, y + 75, width=2))
        marks.append(svg.text(x + PANE + 20, y + 66, name, anchor="middle", size=12))
    for x, name in ((COLUMNS[0], "T"), (COLUMNS[2], "")):
        marks.append(svg.arrow(x + 75, ROWS[0] + PANE + 6, x + 75, ROWS[1] - 26, width=2) if name else "")
        marks.append(svg.text(x + 86, ROWS[0] + PANE + 24, name, size=12))
    marks.append(svg.text(COLUMNS[1] + PANE + 20, ROWS[1] + 80, "−", anchor="middle", size=20))
    marks.append(_edge(r))
    marks += [_winners(r), _wrong(r), _numbers(r), _gaps(r)]
    size = " × ".join(str(n) for n in r.before.shape)
    marks.append(svg.text(COLUMNS[0], 446, f"x: {SIDE} × {SIDE} pixels; maps: {size}; one scale of colour", size=12))
    return svg.figure(760, 470, describe(r), *marks)


def _edge(r: Square) -> str:
    """Return the frame inside which the difference counts."""
    counted = inner(r.state, r.after).shape[0]
    if counted == len(r.after):
        return ""
    cell = PANE / len(r.after)
    edge = (len(r.after) - counted) / 2 * cell
    return svg.rect(COLUMNS[2] + edge, ROWS[1] + edge, PANE - 2 * edge, PANE - 2 * edge, colour="#fff", dash="4 3",
                    line_width=1.5)  # fmt: skip


def _winners(r: Square) -> str:
    """Return dots on the pixels that win their windows: the gradient flows back to these alone."""
    if r.winners is None:
        return ""
    marks = []
    for y, places in zip(ROWS, r.winners, strict=True):
        dots = np.full((SIDE, 4, SIDE, 4), np.nan)  # sixteen parts of each pixel, the middle four of them coloured
        row, column = places[places[:, 0] >= 0].T
        for part in np.ndindex(2, 2):
            dots[row, part[0] + 1, column, part[1] + 1] = 0.0
        flat = dots.reshape(4 * SIDE, 4 * SIDE)
        marks.append(raster.heat_map(COLUMNS[0], y, PANE, PANE, flat, low=0, high=1, colours="signed"))  # blue
    return "".join(marks) + svg.text(COLUMNS[0], 430, "squares: the pixel that wins each window", size=12)


def _wrong(r: Square) -> str:
    if r.differs is None or not r.differs.any():
        return ""
    height, width = r.differs.shape
    tall, wide = PANE / height, PANE / width
    marks = [
        svg.hatch(COLUMNS[1] + j * wide, ROWS[1] + i * tall, wide, tall, gap=4, colour=svg.COLOURS[3], opacity=1)
        for i, j in np.argwhere(r.differs)[:100]
    ]
    return "".join(marks) + svg.text(COLUMNS[1] + 62, ROWS[1] - 10, "✗ yours differs", size=12)


def _numbers(r: Square) -> str:
    s, x = r.state, 576
    step = 1 if s.layer == "fully connected" else s.stride
    told = f"{s.dx}/{step} = {s.dx / step:g}" + ("" if s.dx % step == 0 else f", rounded to {s.dx // step}")
    mean = [float(m.mean()) for m in (r.before, r.after)]
    rows = [
        ("largest difference", True), (f"{r.gap:.3g}" + (" ✓ equivariant" if r.gap < 1e-9 else " ✗"), False),
        ("map moves right by", True), (told, False),
        ("mean of f(x), of f(T x)", True), (f"{mean[0]:.4f}, {mean[1]:.4f}", False),
    ]  # fmt: skip
    marks = [svg.text(x, 62 + 24 * i, words, size=12, bold=bold) for i, (words, bold) in enumerate(rows)]
    return "".join(marks)


def _gaps(r: Square) -> str:
    """Return the gap for each shift to the right."""
    high = max(float(r.gaps.max()), 1e-9) * 1.08
    axes = Axes(left=612, top=ROWS[1], width=136, height=PANE - 20, x0=-REACH - 0.7, x1=REACH + 0.7, y0=0, y1=high)
    marks = [axes.frame(title="largest for each dx", x_label="shift right dx", x_ticks=4, y_ticks=3)]
    for dx, gap in zip(SHIFTS, r.gaps, strict=True):
        here = dx == r.state.dx
        marks.append(axes.bar(dx, float(gap), width=0.8, kind=3 if here else 0))
        if gap < 1e-9:
            marks.append(svg.circle(axes.x(dx), axes.y(0), 3, fill=svg.COLOURS[3 if here else 2]))
        if here:
            marks.append(svg.text(axes.x(dx), axes.y(float(gap)) - 4, "▾", size=12, anchor="middle"))
    return "".join(marks)


# --- moves

ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}


def point(state: Setting, data: Data, event: Event) -> Setting:
    """Drag an image, or use the arrow keys: one pixel at a time."""
    if event.kind == "key" and event.key in ARROWS:
        across, down = ARROWS[event.key]
        dx, dy = state.dx + across, state.dy + down
    elif event.kind in ("down", "drag") and COLUMNS[0] <= event.x <= COLUMNS[0] + PANE:
        # On either image: the place under the pointer is where the middle of x goes.
        cell, top = PANE / SIDE, ROWS[1] if event.y > ROWS[1] - 20 else ROWS[0]
        dx, dy = (round((at - middle) / cell) for at, middle in ((event.x, COLUMNS[0] + 75), (event.y, top + 75)))
    else:
        return state
    dx, dy = (min(max(v, -REACH), REACH) for v in (dx, dy))
    return state if (dx, dy) == (state.dx, state.dy) else dataclasses.replace(state, dx=dx, dy=dy)


MODEL = Model(
    title="Pooling and translation equivariance",
    about="Move the image, then apply the layer; or the layer first. Equivariant layers give the same.",
    state=Setting,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    point=point,
    point_help="Drag on an image: the middle of T x follows the pointer. Arrow keys move it by one pixel.",
    challenge=(
        ("A pool of stride 2, an image that moves by 2 pixels: both ways agree. What if it moves by 1 pixel?",
         "Its output would have to move by half a place, which there is not. The windows fall on other pairs of pixels "
         "and the difference lights up. Any stride breaks equivariance for shifts that are not multiples of it."),
        ("Choose a convolution with stride 1. Which of the three borders keep it equivariant, and where do they fail?",
         "Circular: exactly. Zeros: only within; at the edge pixels meet zeros where they met the image before. None: "
         "the same within, but what went out at one side came in at the other."),
        ("Is pooling invariant to a shift, or equivariant? Compare the two means on the right.",
         "One layer of pooling is equivariant at best: its map moves. Only the mean (or maximum) over the whole map "
         "stays the same, and so a network that ends in a global average pool sees what, not where."),
    ),
)  # fmt: skip


@register(MODEL)
def equivariance_explorer(
    max_pool: Callable[..., Any] | None = None,
    gap: Callable[..., Any] | None = None,
    layer: Callable[..., Any] | None = None,
    *,
    state: Any = None,
) -> Any:
    """Show whether a layer's output moves along with its image.

    max_pool : your `max_pool_forward_naive(x, *, pool_h, pool_w, stride)`, x of shape (1, 1, H, W); outputs that differ
        are hatched. Called for max pooling, on the image with its border
    gap : your `equivariance_gap(layer, x, *, shift, stride, border)`; its number is compared
    layer : your own layer from images (N, 1, 24, 24) to maps (N, F, H', W'), drawn in place of f; the first channel is
        shown. Set the stride to its own
    state : settings, as the button "My settings as code" prints them
    """
    for name, function in (("max_pool", max_pool), ("gap", gap), ("layer", layer)):
        callable_or_none("equivariance_explorer", name, function)
    return show(MODEL, state=state, data={"max_pool": max_pool, "gap": gap, "layer": layer})
