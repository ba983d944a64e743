"""What is examined in N08: two questions, one with drawn numbers, and one whose key is found when it is graded."""

import itertools
import math

import numpy as np

from .drawn import Draw, Numbers, Slip, drawn_question
from .report import Report
from .spec import exercise
from .subject import Subject


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by adding up over all masks."""
    x, keep, layers = n["x"], n["keep"], n["layers"]
    odds = {1: keep, 0: 1 - keep}
    through = sum(math.prod(odds[m] * m for m in masks) for masks in itertools.product((0, 1), repeat=layers))
    return {
        "mean_plain": sum(p * m * x for m, p in odds.items()),
        "mean_divided": sum(p * m * x / keep for m, p in odds.items()),
        "variance_divided": sum(p * (m * x / keep - x) ** 2 for m, p in odds.items()),
        "times_too_large": 1 / through,
    }


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    x, keep, layers = n["x"], n["keep"], n["layers"]
    drop = 1 - keep
    dropped = "keep is the probability to stay, not to be dropped."
    return [
        Slip("mean_plain", "keep-is-drop", drop * x, dropped),
        Slip("mean_plain", "divided", x, "That is the mean with the division."),
        Slip("mean_divided", "kept-value", x / keep, "This is what comes out of an entry that stays, not the mean."),
        Slip("mean_divided", "plain", keep * x, "That is the mean without the division."),
        Slip("variance_divided", "plain", keep * drop * x**2, "This is the variance without the division."),
        Slip("variance_divided", "keep-is-drop", keep / drop * x**2, dropped),
        Slip("variance_divided", "second-moment", x**2 / keep, "The square of the mean is to be taken off."),
        Slip("variance_divided", "deviation", x * math.sqrt(drop / keep), "The variance is the square of this."),
        Slip("times_too_large", "one-layer", 1 / keep, f"This is one layer: there are {layers}, one after another."),
        Slip("times_too_large", "added", layers / keep, "The factors of layers in a row multiply."),
        Slip("times_too_large", "inverse", keep**layers, "Larger, not smaller: it is the inverse of this."),
        Slip("times_too_large", "keep-is-drop", drop**-layers, dropped),
    ]


@drawn_question(
    "drop-q1",
    points=1,
    title="why divide by keep",
    text="""
`keep` is {keep}.

- `mean_plain`: the expected value of what comes out for $x$ = {x} in train mode if one forgets to divide
- `mean_divided`: the same with the division
- `variance_divided`: the variance of what comes out for $x$ = {x} in train mode, with the division
- `times_too_large`: a net has {layers} hidden layers, with dropout on each, and one forgets to divide in all of them.
  All its inputs and weights are positive and its biases 0, so no ReLU ever cuts anything. In test mode nothing is
  dropped. How many times as large are the scores then, compared with their expected value in training?
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    return {
        "keep": d.one_of([0.2, 0.3, 0.4, 0.6, 0.7, 0.8]),
        "x": d.one_of([k for k in range(4, 40) if k != 10]),
        "layers": d.one_of([2, 3, 4, 5]),
    }


@exercise("drop-q2", points=2, title="dropout as a regularizer", visible_share=0.0)
def examine_truths(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
