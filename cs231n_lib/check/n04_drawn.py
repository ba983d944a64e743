"""What is examined in N04: the size of a two-layer net and the pull of its regularization, with drawn numbers."""

from .drawn import Draw, Numbers, Slip, drawn_question


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by adding up one unit after the other."""
    pixels = n["height"] * n["width"] * 3
    layers = [(pixels, n["hidden"]), (n["hidden"], n["classes"])]
    return {
        "parameters": sum(inputs + 1 for inputs, units in layers for _ in range(units)),
        "multiplications": sum(inputs for inputs, units in layers for _ in range(units)),
        "reg_gradient": n["reg"] * n["weight"],
    }


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    hidden, classes, area, right = n["hidden"], n["classes"], n["height"] * n["width"], answer(n)
    weights, pull = hidden * (3 * area + classes), right["reg_gradient"]
    return [
        Slip("parameters", "no-biases", weights, "These are the weights. Each unit of both layers has a bias too."),
        Slip("parameters", "one-bias-each", weights + 2, "Not one bias for each layer but one for each of its units."),
        Slip(
            "parameters",
            "one-channel",
            hidden * (area + 1) + classes * (hidden + 1),
            "A pixel of a colour image is three numbers.",
        ),
        Slip("parameters", "linear", classes * (3 * area + 1), "This classifier has no hidden layer."),
        Slip(
            "multiplications",
            "biases-too",
            right["parameters"],
            "Each weight is used in one multiplication; a bias is only added.",
        ),
        Slip("multiplications", "one-layer", hidden * 3 * area, "The second layer multiplies too."),
        Slip("reg_gradient", "twice", 2 * pull, "With the half in front, the 2 of the derivative is gone."),
        Slip("reg_gradient", "half", pull / 2, "The derivative of the square brings a 2, which the half takes away."),
        Slip("reg_gradient", "penalty", pull * n["weight"] / 2, "This is what the weight adds to the loss itself."),
        Slip("reg_gradient", "sign", -pull, "The gradient of the penalty has the sign of the weight: a step is minus."),
    ]


@drawn_question(
    "net-q2",
    points=1,
    title="the size of a net",
    text="""
A `TwoLayerNet` is made for colour images of {height} x {width} pixels, with {hidden} hidden units and {classes}
classes.

- `parameters`: how many numbers does it learn?
- `multiplications`: how many does it take to find the scores of **one** image?
- `reg_gradient`: one of its weights is {weight}, and `reg` is {reg}. What does the regularization add to the gradient
  of this weight?
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    return {
        "height": d.one_of(range(20, 49, 2)),
        "width": d.one_of(range(50, 99, 2)),
        "hidden": d.one_of(range(60, 400, 10)),
        "classes": d.one_of(range(4, 30)),
        "weight": d.one_of([-0.6, -0.3, 0.3, 0.4, 0.6, 0.8]),
        "reg": d.one_of([0.02, 0.05, 0.1, 0.25]),
    }
