"""Planted bugs of N10: the equivariance gap, settings that do not train, and wrong letters."""

import numpy as np

from tests.mutants import bug, wrong_answer


def gap(
    layer,
    x,
    *,
    shift,
    stride=1,
    border=0,
    move_out=None,
    inner=None,
    reduce=None,
    divide=True,
):
    """The right answer, unless an option asks for a mistake."""
    out = layer(x)
    steps = tuple(s // stride for s in shift) if divide else shift
    steps = move_out(steps) if move_out else steps
    first = layer(np.roll(x, shift, axis=(2, 3)))
    difference = first - np.roll(out, steps, axis=(2, 3))
    h, w = out.shape[2:]
    inner = inner(border, h, w) if inner else np.s_[:, :, border : h - border, border : w - border]
    return reduce(difference[inner]) if reduce else float(np.abs(difference[inner]).max())


def planted(name, symptom, **mistake):
    def wrong(layer, x, *, shift, stride=1, border=0):
        return gap(layer, x, shift=shift, stride=stride, border=border, **mistake)

    wrong.__name__ = name
    bug("fast-equivariance_gap", symptom=symptom)(wrong)


planted("output_stays", "not-moved", move_out=lambda steps: (0, 0))
planted("output_goes_the_other_way", "other-way", move_out=lambda steps: (-steps[0], -steps[1]))
planted("stride_forgotten", "shift-not-divided", divide=False)
planted("down_is_right", "swapped-hw", move_out=lambda steps: steps[::-1])
planted("no_border", "border", inner=lambda border, h, w: np.s_[:])
planted("border_at_the_start", "border", inner=lambda border, h, w: np.s_[:, :, border:, border:])
planted("border_at_the_end", "border", inner=lambda border, h, w: np.s_[:, :, : h - border, : w - border])
planted("mean_difference", "mean", reduce=lambda d: float(np.abs(d).mean()))
planted("largest_signed", "signed", reduce=lambda d: float(d.max()))
planted("euclidean", "root", reduce=lambda d: float(np.sqrt((d**2).sum())))
planted("all_differences", "not-a-number", reduce=np.abs)


@bug("fast-equivariance_gap", symptom="layer-args")
def cuts_the_image(layer, x, *, shift, stride=1, border=0):
    return float(np.abs(layer(x[:, :, 1:]) - layer(x[:, :, :-1])).max())


GOOD = {
    "num_filters": 32,
    "filter_size": 5,
    "hidden_dim": 100,
    "learning_rate": 0.05,
    "reg": 5e-4,
    "batch_size": 50,
}
for name, symptom, change in (
    ("tiny_steps", "hardly-moves", {"learning_rate": 1e-5}),
    ("short_steps", "undertrained", {"learning_rate": 3e-3}),
    ("huge_steps", "diverged", {"learning_rate": 30.0}),
    ("few_steps", "undertrained", {"batch_size": 300}),
    ("reg_of_ten", "hardly-moves", {"reg": 10.0, "learning_rate": 0.01}),
    ("even_filters", "even-filter", {"filter_size": 4}),
    ("filters_of_one_pixel", "one-pixel", {"filter_size": 1}),
    ("rate_as_text", "bounds", {"learning_rate": "0.05"}),
    ("half_a_filter", "bounds", {"num_filters": 0.5}),
):
    wrong_answer("fast-train", name, GOOD | change, symptom=symptom)
wrong_answer("fast-train", "without_reg", {k: v for k, v in GOOD.items() if k != "reg"}, symptom="keys")

for letters in ("B", "AB", "ACF", "ABCDEF"):
    true = {"A", "C", "D"}
    right, wrong = len(true & set(letters)), len(set(letters) - true)
    wrong_answer("fast-filters", f"letters_{letters}", set(letters), points=max(0, right - wrong) / len(true) / 2)
