"""What is examined in N06: how long the steps of five rules become, with drawn numbers."""

import math

from .drawn import Draw, Numbers, Slip, drawn_question

STEPS = 10_000


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right: walk ten thousand steps and measure the last one."""
    gradient, rate, momentum, decay = n["gradient"], n["learning_rate"], n["momentum"], n["decay_rate"]
    rolling = squares = faded = first = second = 0.0
    for _ in range(STEPS):
        rolling = momentum * rolling + rate * gradient
        squares += gradient**2
        faded += (1 - decay) * (gradient**2 - faded)
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
    corrected = (first / (1 - 0.9**STEPS)) / math.sqrt(second / (1 - 0.999**STEPS))
    return {
        "sgd": rate * gradient,
        "momentum": rolling,
        "adagrad": rate * gradient / math.sqrt(squares),
        "rmsprop": rate * gradient / math.sqrt(faded),
        "adam": rate * corrected,
    }


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    gradient, rate, momentum = n["gradient"], n["learning_rate"], n["momentum"]
    plain = rate * gradient
    same = "The gradient cancels: it is divided by a root of its own square."
    return [
        Slip("sgd", "rate-only", rate, "The step is the learning rate times the gradient."),
        Slip("momentum", "like-sgd", plain, "Momentum adds up: each step keeps a share of the one before."),
        Slip(
            "momentum",
            "one-step-short",
            plain * momentum / (1 - momentum),
            "The newest gradient counts in full: 1 + m + m² + ...",
        ),
        Slip("momentum", "averaged", plain * (1 - momentum), "The gradient is not weighted by 1 - momentum here."),
        Slip("adagrad", "like-rmsprop", rate, "AdaGrad never forgets: its sum of squares grows with every step."),
        Slip("adagrad", "no-root", rate / STEPS, "The divisor is the root of the sum of squares."),
        Slip("adagrad", "squared-gradient", rate / math.sqrt(STEPS) * gradient, same),
        Slip("rmsprop", "like-sgd", plain, same),
        Slip("adam", "like-sgd", plain, same),
        Slip("adam", "first-step", 0.1 * rate, "m has long reached the gradient, and the correction is 1."),
    ]


@drawn_question(
    "deep-q2",
    points=1,
    title="the length of a step",
    text="""
One weight has gradient {gradient} in every step, forever. The learning rate is {learning_rate}, momentum {momentum},
RMSprop's decay rate {decay_rate}; Adam has its defaults. **How long is the 10,000th step** of each rule? Within 2
percent is right.
""",
    answer=answer,
    slips=slips,
    rtol=0.02,
)
def draw(d: Draw) -> Numbers:
    return {
        "gradient": d.one_of([1.5, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
        "learning_rate": d.one_of([0.002, 0.003, 0.004, 0.02, 0.03, 0.04, 0.05, 0.2, 0.3]),
        "momentum": d.one_of([0.6, 0.7, 0.75, 0.8, 0.85, 0.95]),
        "decay_rate": d.one_of([0.9, 0.95, 0.99, 0.995]),
    }
