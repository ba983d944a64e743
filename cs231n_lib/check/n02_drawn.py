"""What is examined in N02: the loss before any learning, and the loss of one image, with drawn numbers."""

import math

from .drawn import Draw, Numbers, Slip, drawn_question

ORDINALS = ("first", "second", "third")


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by sums of exponentials."""
    odds = [math.exp(s) for s in n["scores"]]
    probability = odds[ORDINALS.index(n["label"])] / math.fsum(odds)
    return {"first_loss": math.log(n["classes"]), "probability": probability, "loss": -math.log(probability)}


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    right, classes, scores = answer(n), n["classes"], n["scores"]
    first, loss, own = right["first_loss"], right["loss"], scores[ORDINALS.index(n["label"])]
    natural = "The loss uses the natural logarithm, not that of base"
    minus = "A loss is minus the logarithm of a probability, so it is positive."
    return [
        Slip("first_loss", "log2", first / math.log(2), f"{natural} 2."),
        Slip("first_loss", "log10", math.log10(classes), f"{natural} 10."),
        Slip("first_loss", "probability", 1 / classes, "This is the probability: the loss is minus its logarithm."),
        Slip("first_loss", "sign", -first, minus),
        Slip("first_loss", "ten-classes", math.log(10), f"This is right for 10 classes; here are {classes}."),
        Slip("first_loss", "all-classes", classes * first, "Only the class of the label enters, not all of them."),
        Slip("probability", "no-exp", own / sum(scores), "Take the exponential of each score before you divide."),
        Slip("probability", "not-divided", math.exp(own), "Divide by the sum of the exponentials: they must add to 1."),
        Slip("loss", "log2", loss / math.log(2), f"{natural} 2."),
        Slip("loss", "log10", loss / math.log(10), f"{natural} 10."),
        Slip("loss", "probability", right["probability"], "The loss is minus the logarithm of this probability."),
        Slip("loss", "sign", -loss, minus),
        Slip("loss", "score", -own, "The logarithm of the sum of the exponentials is missing."),
    ]


@drawn_question(
    "softmax-q1",
    points=2,
    title="two losses",
    text="""
A classifier for {classes} classes has learned nothing yet: it gives all of them the same score. Another one has learned
something. It has three classes, gives an image the scores {scores[0]}, {scores[1]} and {scores[2]}, and the label is
the {label} class.

- `first_loss`: the loss of the first classifier on any image, in nats
- `probability`: what the second one gives to the class of the label
- `loss`: its loss on this image, in nats
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    low, middle, high = d.one_of(range(-30, -5)) / 10, d.one_of(range(2, 15)) / 10, d.one_of(range(18, 35)) / 10
    order = d.one_of([(low, middle, high), (middle, high, low), (high, low, middle), (middle, low, high)])
    return {
        "classes": d.one_of([c for c in range(12, 400) if c % 10]),
        "scores": list(order),
        "label": ORDINALS[order.index(middle)],
    }
