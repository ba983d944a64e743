"""The gradient debugger: analytic gradient, measured slopes and their relative error side by side, entry by entry."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .base.model import is_static
from .gradient_map import CONTROLS, EXPONENTS, LARGEST, SIDE, Case, Comparison, compute

PANES = (16, 268, 520)  # left edges
TOP, BOX = 58, 224
ALARM = svg.COLOURS[3]
BANDS = ((1e-2, "wrong"), (1e-4, "suspicious"), (1e-7, "fine at a kink, else look again"), (0.0, "right"))


def cell_size(shape: tuple[int, ...]) -> float:
    """Return the side of an entry in picture units."""
    return min(BOX / max(shape), 38)


def _foot(r: Comparison) -> float:
    """Return the height at which the lower half begins."""
    panes = [r.numeric.shape] + ([] if r.analytic is None else [r.analytic.shape])
    return TOP + max(shape[0] * cell_size(shape) for shape in panes) + 40


def band(error: float) -> str:
    """Return what the lecture notes say of a relative error."""
    return next(word for limit, word in BANDS if error > limit or limit == 0)


def describe(r: Comparison) -> str:
    """Return the verdict and the entry looked at, in words."""
    whose = "Your gradient" if r.yours else "The gradient"
    words = f"{whose}: {r.diagnosis}."
    if np.isfinite(r.error).any() or r.wrong.any():
        row, column = r.worst
        words += f" Worst entry {r.index(row, column)}: relative error {r.error[r.worst]:.1e} at h = {_step(r)}."
        if not r.wrong.any() and r.error[r.worst] > 1e-4 and r.state.exponent != -5:
            words += " The gradient is right, so it is the step that is bad."
    return words + (" Your function agrees." if r.yours and not r.problem else "")


def _step(r: Comparison) -> str:
    return f"1e{r.state.exponent}"


def render(r: Comparison) -> str:
    """Return the three matrices, and below them the entry looked at and its error for every step."""
    finite = [np.abs(m[np.isfinite(m)]).max(initial=0) for m in (r.analytic, r.numeric) if m is not None]
    limit = float(max(finite)) or 1.0
    shape = " × ".join(str(n) for n in r.shape) or "a number"
    yours = "your gradient" if r.yours else "analytic gradient"
    marks = [svg.text(PANES[0], 22, yours, bold=True), svg.text(PANES[1], 22, "measured slopes", bold=True)]
    marks.append(svg.text(PANES[2], 22, "relative error", bold=True))
    marks.append(svg.text(PANES[1], 42, f"shape {shape}, h = {_step(r)}", size=12))
    if r.analytic is None:
        marks.append(svg.text(PANES[0], TOP + 20, "none given", size=12))
    else:
        own = " × ".join(str(n) for n in r.analytic_shape) or "a number"
        fits = r.analytic_shape == r.shape
        marks.append(svg.text(PANES[0], 42, f"shape {own}" + ("" if fits else "  ✗ not that of x"), size=12))
        marks.append(_pane(PANES[0], r.analytic, limit))
        if not fits:
            cell = cell_size(r.analytic.shape)
            tall, wide = r.analytic.shape
            marks.append(svg.rect(PANES[0], TOP, wide * cell, tall * cell, colour=ALARM, line_width=3, dash="6 3"))
    marks += [_pane(PANES[1], r.numeric, limit), _errors(r), _entry(r), _curve(r)]
    return svg.figure(760, _foot(r) + 194, describe(r), *marks)


def _pane(x: float, values: np.ndarray, limit: float) -> str:
    """Return a matrix in blue and orange, with its numbers where they fit."""
    rows, columns = values.shape
    cell = cell_size(values.shape)
    # Twice the limit: only the light half of the colours, for the numbers on them are dark in both themes.
    marks = [raster.signed_map(x, TOP, columns * cell, rows * cell, values, limit=1.6 * limit)]
    marks.append(svg.rect(x, TOP, columns * cell, rows * cell, colour=svg.INK, opacity=0.5))
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            marks.append(svg.hatch(x + j * cell, TOP + i * cell, cell, cell, colour=ALARM, opacity=1))
        elif cell >= 27:
            told = _short(value, 2 if cell >= 34 else 1)
            marks.append(svg.text(x + (j + 0.5) * cell, TOP + (i + 0.5) * cell + 4, told, size=11, anchor="middle",
                                  colour="#111"))  # fmt: skip
    return "".join(marks)


def _short(value: float, digits: int) -> str:
    """Return a number in about five characters."""
    value = round(float(value), digits) + 0.0  # + 0.0: never -0.00
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.0f}" if abs(value) < 1000 else f"{value:.0e}"


def _errors(r: Comparison) -> str:
    """Return the relative error on a logarithmic scale, the worst entry and what was not judged."""
    x, (rows, columns) = PANES[2], r.error.shape
    cell = cell_size(r.error.shape)
    if r.analytic is None or not (np.isfinite(r.error).any() or r.wrong.any()):
        return svg.text(x, TOP + 20, "nothing to compare entry by entry", size=12)
    powers = np.log10(np.clip(r.error, 1e-12, 1))
    marks = [raster.heat_map(x, TOP, columns * cell, rows * cell, powers, low=-24, high=0, colours="signed")]
    marks.append(svg.rect(x, TOP, columns * cell, rows * cell, colour=svg.INK, opacity=0.5))
    corners = []
    for (i, j), power in np.ndenumerate(powers):
        middle, base = x + (j + 0.5) * cell, TOP + (i + 0.5) * cell + 4
        if r.wrong[i, j]:
            corners.append((x + j * cell + 1.5, TOP + i * cell + 1.5))
        if cell >= 19:
            told = "kink" if r.kinks[i, j] else f"{power:.0f}".replace("-0", "0") if np.isfinite(power) else "nan"
            size = 9.5 if cell < 25 and r.kinks[i, j] else 11
            marks.append(svg.text(middle, base, told, size=size, anchor="middle", colour="#111"))
    marks.append(svg.squares(corners, cell - 3, colour=ALARM))
    row, column = r.worst
    if r.wrong.any():
        marks.append(svg.rect(x + column * cell, TOP + row * cell, cell, cell, colour=ALARM, line_width=3.5))
    told = "power of ten, after turning it" if r.analytic_shape != r.shape else "its power of ten; framed: wrong"
    marks.append(svg.text(x, 42, told, size=12))
    return "".join(marks)


def _entry(r: Comparison) -> str:
    """Return frames around the entry looked at, and its difference quotient with numbers."""
    row, column = r.at
    cell, index = cell_size(r.numeric.shape), r.index(*r.at)
    marks = []
    for x in PANES:
        if x == PANES[0] and (r.analytic is None or r.analytic_shape != r.shape):
            continue
        marks.append(svg.rect(x + column * cell, TOP + row * cell, cell, cell, colour="#fff", line_width=4))
        marks.append(svg.rect(x + column * cell, TOP + row * cell, cell, cell, colour="#111", line_width=2))
    value, slope = r.x[r.at], r.numeric[r.at]
    lines = [f"x{index} = {value:.6g}", f"f(x + h) = {r.sides[1]:.15g}", f"f(x - h) = {r.sides[0]:.15g}"]
    lines.append(f"difference / 2h = {slope:.10g}")
    if r.analytic is not None and np.isfinite(r.curve).any():
        got = r.analytic.T[r.at] if r.analytic_shape != r.shape else r.analytic[r.at]
        lines += [f"analytic        = {got:.10g}", f"relative error  = {r.error[r.at]:.1e}: {band(r.error[r.at])}"]
    foot = _foot(r)
    marks.append(svg.text(16, foot, "The entry in the black frame", bold=True))
    marks += [svg.text(16, foot + 24 + 22 * i, words, size=12, mono=True) for i, words in enumerate(lines)]
    row, column = r.worst
    if r.wrong.any() or np.isfinite(r.error).any():
        told = f"worst entry: {r.index(row, column)}, relative error {r.error[r.worst]:.1e}"
        marks.append(svg.text(16, foot + 24 + 22 * len(lines) + 8, told, size=12, bold=True))
    return "".join(marks)


def _curve(r: Comparison) -> str:
    """Return the error at this entry for every step: truncation on the right, rounding on the left."""
    axes = Axes(
        left=456,
        top=_foot(r) + 4,
        width=288,
        height=140,
        x0=EXPONENTS[0],
        x1=EXPONENTS[-1],
        y0=1e-14,
        y1=1e1,
        log_y=True,
    )
    marks = [axes.frame(title="Its relative error for each step", x_label="step h = 10^", x_ticks=6, y_ticks=5)]
    at = axes.x(r.state.exponent)
    marks.append(svg.line(at, axes.top, at, axes.top + axes.height, width=7, opacity=0.18))
    marks.append(axes.curve(EXPONENTS, np.maximum(r.curve, 1e-14).tolist(), kind=0, dash=""))
    for exponent, error in zip(EXPONENTS, r.curve, strict=True):
        if np.isfinite(error):
            marks.append(svg.circle(axes.x(exponent), axes.y(error), 3, fill=svg.COLOURS[0]))
    if not np.isfinite(r.curve).any():
        marks.append(svg.text(600, axes.top + 70, "no finite value to compare", size=12, anchor="middle"))
    return "".join(marks)


# --- moves

ARROWS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}


def worst(state: Case, data: Data) -> Case:
    """Look at the worst entry."""
    row, column = compute(state, data).worst
    return dataclasses.replace(state, row=row, column=column)


def point(state: Case, data: Data, event: Event) -> Case:
    """Look at the entry that is clicked; arrow keys go to its neighbours, Enter to the worst."""
    if event.kind == "key" and event.key == "Enter":
        return worst(state, data)
    r = compute(state, data)
    row, column = r.at
    if event.kind == "key" and event.key in ARROWS:
        down, across = ARROWS[event.key]
        row, column = row + down, column + across
    elif event.kind in ("down", "drag"):
        cell = cell_size(r.numeric.shape)
        pane = max((x for x in PANES if x <= event.x), default=PANES[0])
        row, column = int((event.y - TOP) // cell), int((event.x - pane) // cell)
    rows, columns = r.numeric.shape
    if not (0 <= row < rows and 0 <= column < columns) or (row, column) == r.at:
        return state
    return dataclasses.replace(state, row=row, column=column)


MODEL = Model(
    title="Gradient debugger",
    about="An analytic gradient beside measured slopes: which entries differ, how, and whether the step is to blame.",
    state=Case,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"worst": worst},
    point=point,
    point_help="Click an entry to look at it. Keys: arrows go to its neighbours, Enter to the worst entry.",
    challenge=(
        ("Make the step smaller and smaller. Does the measured slope get better and better?",
         "No. The error of central differences falls with h² only until rounding takes over: f(x + h) and f(x - h) "
         "agree in ever more digits, and their difference keeps ever fewer. The best step is near 10^-5 in float64, "
         "near 10^-2 in float32."),
        ("Plant each bug in turn. Which of them can you name from the picture alone?",
         "A turned sign has relative error 2 everywhere; a forgotten 1/N the same error everywhere; a lost row or a "
         "single entry stands out. A transposed gradient of another shape is the easiest: compare shapes first."),
        ("Choose the function with kinks. Two entries disagree and the gradient is right. Why?",
         "One entry lies on a kink and one nearer to it than the step, so the difference quotient averages two slopes. "
         "On a kink there is no slope to compare with; beside it a smaller step finds the right one."),
    ),
)  # fmt: skip


# Controls that move nothing when function, gradient and array are the student's own, and questions that do without.
EXAMPLES_ONLY = ("example", "bug", "rows", "columns", "seed")
OWN_CHALLENGE = (
    MODEL.challenge[0],
    ("Let f compute in float32 and keep your gradient. Which step is best now, and how near to right can a right "
     "gradient look?",
     "If f bends, 10^-3 to 10^-2, for a relative error near 10^-5; at 10^-5, the best step in float64, a right "
     "gradient seems off by 10^-3: of seven digits the difference keeps three. Where f is linear, as a layer is in its "
     "weights, there is no bend to miss, and longer steps only get better."),
    ("Break your own gradient and run the cell again: turn a sign, drop a factor, forget the last row. Which "
     "mistakes can you name from the picture alone?",
     "A turned sign has relative error 2 everywhere, a lost factor the same error everywhere. What is summed over "
     "the rows of a batch is wrong in every entry when one of them is forgotten."),
)  # fmt: skip


@register(MODEL)
def gradient_debugger(
    f: Callable[..., Any] | None = None,
    gradient: Callable[..., Any] | None = None,
    x: np.ndarray | None = None,
    *,
    state: Any = None,
) -> Any:
    """Show where a gradient and the slopes of its function differ.

    f : your function of an array like x, float64, that returns one number. For a layer, weigh its outputs:
        `lambda w: (dout * affine_forward(x, w, b)[0]).sum()`
    gradient : your gradient of f, a function of the same array:
        `lambda w: affine_backward(dout, affine_forward(x, w, b)[1])[1]`
    x : where to compare, a float array of at most 400 numbers, in at most 40 rows of at most 40. Without f, an example
        function is measured
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("gradient_debugger", "f", f)
    callable_or_none("gradient_debugger", "gradient", gradient)
    if x is not None:
        x = np.asarray(x)
        fits = x.dtype.kind == "f" and 0 < x.size <= LARGEST and max(x.shape[-1:] or (1,)) <= SIDE
        fits = fits and x.size // (x.shape[-1] if x.ndim else 1) <= SIDE
        if not fits and not is_static():
            raise ValueError(
                f"gradient_debugger: x must be a float array of 1 to {LARGEST} numbers in at most {SIDE} rows of at "
                f"most {SIDE}, got {x.dtype} {x.shape}; take a smaller case"
            )
        x = x if fits else None
    model = MODEL
    if f is not None and gradient is not None and x is not None:
        kept = tuple(control for control in MODEL.controls if control.field not in EXAMPLES_ONLY)
        model = dataclasses.replace(MODEL, controls=kept, challenge=OWN_CHALLENGE)
    return show(model, state=state, data={"f": f, "gradient": gradient, "x": x})
