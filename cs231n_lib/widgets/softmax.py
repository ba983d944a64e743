"""Softmax, cross-entropy and KL divergence as the column of boxes on the lecture's slide, with every number movable.

For scores s, a constant c and a temperature T: z = (s + c) / T, q = exp(z) / sum exp(z). With a target p the loss is
the cross-entropy H(p, q) = -sum p log q = H(p) + D_KL(p || q), and its gradient with respect to z is q - p.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import Choice, Data, Model, Number, Slider, State, ask, callable_or_none, register, show, svg

CLASSES = ("cat", "car", "frog")
AGREE = 1e-6  # the student's loss may differ by rounding, as float32 does at these sizes


@dataclass(frozen=True)
class Scores(State):
    """The slide's example: an image of a cat that the classifier takes for a car."""

    cat: float = 3.2
    car: float = 5.1
    frog: float = -1.7
    truth: str = "cat"
    softness: float = 0.0
    temperature: float = 1.0
    shift: int = 0
    log: str = "ln"


CONTROLS = (
    Number("cat", "score of cat", -20.0, 20.0, step=0.1),
    Number("car", "score of car", -20.0, 20.0, step=0.1),
    Number("frog", "score of frog", -20.0, 20.0, step=0.1),
    Choice("truth", "true class", CLASSES),
    Slider("softness", "soften the target", 0.0, 1.0, step=0.05, hint="0: one-hot; 1: the same for every class"),
    Choice("temperature", "temperature T", (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0), slide=True),
    Slider(
        "shift", "add to all scores", -1000, 1000, step=50, hint="softmax does not change; the naive formula breaks"
    ),
    Choice("log", "logarithm", ("ln", "log2"), names=("ln (nats)", "log2 (bits)")),
)


@dataclass(frozen=True)
class Columns:
    """Each column of the slide, one entry per class, and the numbers under it. Loss and divergences in `unit`s."""

    state: Scores
    z: np.ndarray
    exps: np.ndarray  # exp(z - max z): what the stable formula computes
    naive_exps: np.ndarray  # exp(z) as written; inf when it overflows
    q: np.ndarray
    naive_q: np.ndarray
    p: np.ndarray
    entropy: float
    divergence: float
    cross_entropy: float
    naive_loss: float
    gradient: np.ndarray
    unit: str
    yours: float | None  # the student's loss
    problem: str


def compute(state: Scores, data: Data) -> Columns:
    """Return every column of the calculation."""
    z = (np.array([state.cat, state.car, state.frog]) + state.shift) / state.temperature
    target = CLASSES.index(state.truth)
    p = np.full(3, state.softness / 3)
    p[target] += 1 - state.softness
    base = 1.0 if state.log == "ln" else float(np.log(2.0))
    log_q = (z - z.max()) - np.log(np.exp(z - z.max()).sum())
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        naive_exps = np.exp(z)
        naive_q = naive_exps / naive_exps.sum()
        # 0 log 0 counts as 0, so only classes that the target gives weight to enter the sum.
        naive_loss = float(-(p[p > 0] * np.log(naive_q[p > 0])).sum()) / base
    q = np.exp(log_q)
    entropy = float((p[p > 0] * -np.log(p[p > 0])).sum() + 0.0) / base  # + 0.0: never -0.0
    cross_entropy = float(-(p[p > 0] * log_q[p > 0]).sum()) / base
    yours, problem = _your_loss(state, z, target, cross_entropy * base, data)
    return Columns(
        state=state, z=z, exps=np.exp(z - z.max()), naive_exps=naive_exps, q=q, naive_q=naive_q, p=p, entropy=entropy,
        divergence=cross_entropy - entropy, cross_entropy=cross_entropy, naive_loss=naive_loss, gradient=q - p,
        unit="nats" if state.log == "ln" else "bits", yours=None if yours is None else yours / base, problem=problem,
    )  # fmt: skip


def _your_loss(state: Scores, z: np.ndarray, target: int, loss: float, data: Data) -> tuple[float | None, str]:
    """Return the student's loss in nats (None without one) and what is wrong with it."""
    if "softmax_loss" not in data or state.softness:
        return None, ""
    function, scores, labels = data["softmax_loss"], z[None], np.array([target])
    answer, problem = ask(function, scores, labels, shape=())
    if answer is None:
        return None, problem
    yours = float(answer)
    if not abs(yours - loss) <= AGREE * max(1.0, abs(loss)):  # also true for nan
        return yours, f"your loss is {yours:.4g} nats, expected {loss:.4g}"
    gradient, problem = ask(function, scores, labels, shape=(1, 3), part=1)
    expected = np.exp(z - z.max()) / np.exp(z - z.max()).sum() - (np.arange(3) == target)
    if gradient is not None and not np.allclose(gradient[0], expected, atol=AGREE):
        worst = int(np.nanargmax(np.abs(np.nan_to_num(gradient[0], nan=1e9) - expected)))
        got = gradient[0][worst]
        problem = f"your loss is right; its gradient for {CLASSES[worst]} is {got:.4g}, expected {expected[worst]:.4g}"
    return yours, problem


def describe(r: Columns) -> str:
    """Return the result in words."""
    shares = ", ".join(f"{name} {share:.2f}" for name, share in zip(CLASSES, r.q, strict=True))
    words = f"Probabilities: {shares}. Loss for {r.state.truth}: {r.cross_entropy:.2f} {r.unit}"
    words += f" = entropy {r.entropy:.2f} + KL divergence {r.divergence:.2f}."
    if not np.isfinite(r.naive_loss):
        words += f" The naive formula gives {_said(r.naive_loss)}; the stable one does not."
    if np.ptp(r.z) < 1e-12:
        words += f" Equal scores: the loss is {r.state.log} 3 for three classes, whatever the truth."
    return words + (" Your function agrees." if r.yours is not None and not r.problem else "")


def _said(value: float) -> str:
    """Return a number as the slide prints it: short, and readable when it is huge."""
    if not np.isfinite(value):
        return "nan" if np.isnan(value) else "inf" if value > 0 else "-inf"
    size = abs(value)
    if size >= 1e5:
        return f"{value:.1e}"
    return f"{value:.1f}" if size >= 1 else f"{value:.2f}" if size >= 0.005 or size == 0 else f"{value:.0e}"


HEADS = (
    (14, "class"),
    (104, "score s"),
    (184, "z = (s+c)/T"),
    (290, "exp z"),
    (388, "q = softmax"),
    (520, "target p"),
    (620, "gradient q - p"),
)


def render(r: Columns) -> str:
    """Return the slide: one row per class, one column per step, the sums below."""
    marks = [svg.text(x, 24, words, size=12, bold=True) for x, words in HEADS]
    marks += [
        svg.text(290, 40, "naive", size=11),
        svg.text(388, 40, "bar and number", size=11),
        svg.line(8, 48, 752, 48, opacity=0.4),
    ]
    for i in range(3):
        marks.append(_row(r, i, 78 + 42 * i))
    marks.append(svg.line(8, 184, 752, 184, opacity=0.4))
    marks.append(_sums(r))
    marks.append(_two_ways(r))
    return svg.figure(760, 362 if r.yours is None else 388, describe(r), *marks)


def _row(r: Columns, i: int, y: float) -> str:
    name, true = CLASSES[i], CLASSES[i] == r.state.truth
    score = getattr(r.state, name)
    marks = [svg.marker(22, y - 5, i), svg.text(38, y, name + (" ✓" if true else ""), bold=true)]
    marks.append(svg.text(150, y, f"{score:g}", anchor="end", mono=True))
    marks.append(svg.text(250, y, f"{r.z[i]:.2f}", anchor="end", mono=True))
    broken = not np.isfinite(r.naive_exps[i]) or not np.isfinite(r.naive_q[i])
    naive = r.naive_exps[i]
    marks.append(
        svg.text(362, y, f"{naive:.2f}" if 0.005 < naive < 1 else _said(naive), anchor="end", mono=True, bold=broken)
    )
    marks.append(svg.rect(388, y - 15, 80, 18, colour=svg.INK, opacity=0.3))
    marks.append(svg.rect(388, y - 15, 80 * r.q[i], 18, fill=svg.COLOURS[i]))
    marks.append(svg.text(474, y, f"{r.q[i]:.2f}", mono=True))
    marks.append(svg.rect(524, y - 15, 44, 18, colour=svg.INK, opacity=0.3))
    marks.append(svg.hatch(524, y - 15, 44 * r.p[i], 18, gap=5, opacity=0.8) if r.p[i] > 0 else "")
    marks.append(svg.text(574, y, f"{r.p[i]:.2f}", mono=True))
    # The gradient points from the middle: to the right the score should fall, to the left it should rise.
    middle, length = 668, 40 * r.gradient[i]
    marks.append(svg.line(middle, y - 18, middle, y + 6, opacity=0.5))
    if abs(length) > 1:
        marks.append(svg.arrow(middle, y - 6, middle + length, y - 6, colour=svg.COLOURS[i], width=3))
    marks.append(svg.text(750, y, f"{r.gradient[i]:+.2f}", anchor="end", mono=True))
    return svg.group(*marks)


def _sums(r: Columns) -> str:
    """Return the loss as a bar made of H(p) and D_KL(p || q)."""
    x0, y, width = 150, 232, 430
    scale = width / max(r.cross_entropy, 3.0)
    cut = x0 + scale * r.entropy
    log = r.state.log
    marks = [
        svg.text(14, 212, f"cross-entropy H(p, q) = -Σ p {log} q = {r.cross_entropy:.2f} {r.unit}", bold=True),
        svg.text(14, y + 15, "H(p) + D_KL(p‖q)", size=12),
        svg.rect(x0, y, scale * r.entropy, 22, fill=svg.COLOURS[2]),
        svg.hatch(x0, y, scale * r.entropy, 22, gap=5, colour="#fff") if r.entropy > 0.01 else "",
        svg.rect(cut, y, scale * r.divergence, 22, fill=svg.COLOURS[0]),
        svg.text(600, y + 15, f"{r.entropy:.2f} + {r.divergence:.2f}", mono=True),
        svg.text(
            x0, y + 38, "hatched: entropy of the target, which no prediction can remove; plain: divergence", size=11
        ),
    ]
    return "".join(marks)


def _two_ways(r: Columns) -> str:
    """Return the stable formula beside the naive one, and the student's."""
    stable = f"{r.cross_entropy:.4f}"
    rows = [
        ("stable: subtract the largest z first", f"exp(z - max z) = {', '.join(_said(e) for e in r.exps)}", stable),
        ("naive: exp z as it is written", f"exp(z) = {', '.join(_said(e) for e in r.naive_exps)}", _loss(r.naive_loss)),
    ]
    if r.yours is not None:
        rows.append(("your function", "⚠ see below" if r.problem else "✓ agrees", _loss(r.yours)))
    marks = [
        svg.text(14, 300, "Two ways to compute it in float64", bold=True),
        svg.text(740, 300, "loss", anchor="end", bold=True),
    ]
    for i, (name, steps, loss) in enumerate(rows):
        y = 326 + 26 * i
        bad = loss != stable and i > 0
        marks.append(svg.rect(8, y - 16, 744, 23, colour=svg.COLOURS[3], line_width=2, dash="5 3") if bad else "")
        marks += [svg.text(14, y, name, size=12), svg.text(270, y, steps, size=12, mono=True)]
        marks.append(svg.text(740, y, loss + (" ✗" if bad else ""), anchor="end", mono=True, bold=True))
    return "".join(marks)


def _loss(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else _said(value)


MODEL = Model(
    title="Softmax, cross-entropy and KL divergence",
    about="Scores become probabilities, probabilities a loss; move any number and see what follows.",
    state=Scores,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    challenge=(
        ("The three scores are 3.2, 5.1 and -1.7. What happens to the loss if 1000 is added to all of them?",
         "Nothing: softmax does not see a shift. But exp(1003) overflows, so a program that computes it as written "
         "gets inf / inf = nan. Subtracting the largest score first costs nothing and cannot overflow."),
        ("Make the three scores equal. Which loss do you get, and which would a 10-class network show before training?",
         "ln 3 = 1.10, whatever the true class. With 10 classes and small weights the first loss is ln 10 = 2.30: "
         "a free check."),
        ("Soften the target. Why can the loss no longer reach 0, and what is left when q equals p?",
         "H(p, q) = H(p) + D_KL(p‖q): the divergence goes to 0 but the target's own entropy stays. A one-hot target "
         "has entropy 0, so there cross-entropy and KL divergence are the same number."),
    ),
)  # fmt: skip


@register(MODEL)
def softmax_calculator(softmax_loss: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show softmax, cross-entropy and KL divergence for three classes.

    softmax_loss : your function (scores (N, C), y (N,)) -> (loss, gradient (N, C)); compared at each move.
        For a classifier with weights: `lambda scores, y: softmax_loss_vectorized(np.eye(3), scores, y, 0.0)`
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("softmax_calculator", "softmax_loss", softmax_loss)
    return show(MODEL, state=state, data={"softmax_loss": softmax_loss})
