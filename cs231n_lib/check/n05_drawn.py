"""What is examined in N05: how many numbers the features have, with drawn sizes."""

from .drawn import Draw, Numbers, Slip, drawn_question


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by counting places."""
    height, width, cell = n["height"], n["width"], n["cell"]
    cells = [(top, left) for top in range(0, height, cell) for left in range(0, width, cell)]
    size, stride = n["patch"], n["stride"]
    places = [(top, left) for top in range(0, height - size + 1, stride) for left in range(0, width - size + 1, stride)]
    hog = sum(n["bins"] for _ in cells)
    return {"hog": hog, "patches": len(places), "weights": n["classes"] * (hog + n["hues"] + n["words"] + 1)}


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    height, width, cell, size, stride = (n[k] for k in ("height", "width", "cell", "patch", "stride"))
    right = answer(n)
    features = right["hog"] + n["hues"] + n["words"]
    return [
        Slip("hog", "cells", right["hog"] / n["bins"], "These are the cells: each has a histogram of its own."),
        Slip("hog", "square", (height // cell) ** 2 * n["bins"], "The image is wider than high: more cells in a row."),
        Slip("hog", "colours", 3 * right["hog"], "HOG looks at the brightness, one number for each pixel."),
        Slip("patches", "no-overlap", (height // size) * (width // size), "The patches overlap: mind the stride."),
        Slip("patches", "over-the-edge", (height // stride) * (width // stride), "A patch must not leave the image."),
        Slip(
            "patches",
            "one-missing",
            ((height - size) // stride) * ((width - size) // stride),
            "n steps lead to n + 1 places, in each direction.",
        ),
        Slip("weights", "no-bias", n["classes"] * features, "The biases are missing, one for each class."),
        Slip("weights", "one-class", features + 1, "These are the numbers for one class."),
        Slip(
            "weights",
            "patches-for-words",
            n["classes"] * (right["hog"] + n["hues"] + right["patches"] + 1),
            "A bag of words has one number for each word, however many patches there are.",
        ),
    ]


@drawn_question(
    "feat-q2",
    points=1,
    title="how many numbers",
    text="""
Images of {height} x {width} pixels (height x width) get three features side by side: HOG with cells of
{cell} x {cell} pixels and {bins} bins; a histogram of {hues} hues; and a bag of {words} words, made of all patches of
{patch} x {patch} pixels whose corner lies on a grid of stride {stride} and that lie inside the image.

- `hog`: how many numbers does HOG give for one image?
- `patches`: of how many patches is a bag made?
- `weights`: how many numbers, biases included, does a linear classifier learn on all three features for {classes}
  classes?
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    cell, size = d.one_of([6, 8, 12]), d.one_of([5, 7, 9])
    rows = d.one_of(range(3, 8))
    return {
        "height": cell * rows,
        "width": cell * (rows + d.one_of(range(1, 6))),
        "cell": cell,
        "bins": d.one_of(range(7, 13)),
        "hues": d.one_of(range(8, 25)),
        "words": d.one_of(range(41, 200)),
        "patch": size,
        "stride": d.one_of([2, 3, 4]),
        "classes": d.one_of(range(5, 31)),
    }
