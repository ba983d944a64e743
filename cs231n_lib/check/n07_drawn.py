"""What is examined in N07: one feature through batch norm, with drawn numbers."""

import math
import statistics

from .drawn import Draw, Numbers, Slip, drawn_question


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by the textbook's mean and variance of a population."""
    batch, momentum = n["batch"], n["momentum"]
    mean, variance = statistics.fmean(batch), statistics.pvariance(batch)
    return {
        "first_out": n["gamma"] * (batch[0] - mean) / math.sqrt(variance) + n["beta"],
        "running_mean": momentum * 0 + (1 - momentum) * mean,
        "running_var": momentum * 1 + (1 - momentum) * variance,
    }


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    batch, momentum, gamma, beta = n["batch"], n["momentum"], n["gamma"], n["beta"]
    mean, variance, sample = statistics.fmean(batch), statistics.pvariance(batch), statistics.variance(batch)
    gap, swapped = batch[0] - mean, "With our momentum, most of the *old* value stays: momentum * old + the rest * new."
    corrected = "Divide the sum of squares by N, not by N - 1."
    return [
        Slip("first_out", "no-root", gamma * gap / variance + beta, "Divide by the standard deviation: take the root."),
        Slip("first_out", "sample", gamma * gap / math.sqrt(sample) + beta, corrected),
        Slip("first_out", "no-gamma-beta", gap / math.sqrt(variance), "gamma and beta are still to be applied."),
        Slip("first_out", "no-beta", gamma * gap / math.sqrt(variance), "beta is missing."),
        Slip("first_out", "beta-first", gamma * (gap / math.sqrt(variance) + beta), "beta is added after gamma."),
        Slip("running_mean", "swapped", momentum * mean, swapped),
        Slip("running_mean", "batch", mean, "This is the mean of the batch: the running mean moves a part of the way."),
        Slip("running_var", "swapped", 1 - momentum + momentum * variance, swapped),
        Slip("running_var", "batch", variance, "This is the variance of the batch."),
        Slip("running_var", "sample", momentum + (1 - momentum) * sample, corrected),
        Slip(
            "running_var", "deviation", momentum + (1 - momentum) * math.sqrt(variance), "It keeps the variance itself."
        ),
        Slip("running_var", "from-zero", (1 - momentum) * variance, "It starts at 1, and a share of that is left."),
    ]


@drawn_question(
    "norm-q5",
    points=1,
    title="four numbers through batch norm",
    text="""
Batch norm in training mode gets a batch of four examples with one feature each: {batch[0]}, {batch[1]}, {batch[2]},
{batch[3]}. It has $\\gamma$ = {gamma}, $\\beta$ = {beta}, momentum {momentum}, a running mean of 0 and a running
variance of 1; $\\varepsilon$ is negligible.

- `first_out`: the output for the first example
- `running_mean`, `running_var`: what they are after this batch

Three digits will do.
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    return {
        "batch": [d.one_of(range(11, 20)), d.one_of(range(1, 5)), d.one_of(range(5, 9)), d.one_of(range(2, 10))],
        "gamma": d.one_of([0.5, 1.5, 2, 2.5, 3]),
        "beta": d.one_of([-2, -1, 1, 2, 4]),
        "momentum": d.one_of([0.6, 0.7, 0.8, 0.95]),
    }
