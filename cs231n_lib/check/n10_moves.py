"""What is examined in N10: how far a layer is from moving along with its image, and a question on filters."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .n10_oracle import Spy, run
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

Layer = Callable[[np.ndarray], np.ndarray]
Pair = tuple[int, int]


def conv_layer(w: np.ndarray, *, stride: int = 1, pad: int = 0) -> Layer:
    """Return a convolution without biases, by torch."""
    import torch
    from torch.nn import functional

    filters = torch.from_numpy(w)

    def convolve(x: np.ndarray) -> np.ndarray:
        return functional.conv2d(torch.from_numpy(np.array(x)), filters, stride=stride, padding=pad).numpy()

    return convolve


def moved(x: np.ndarray, shift: Pair) -> np.ndarray:
    """Return x moved down and right, pixel by pixel; what leaves on one side comes back on the other."""
    h, w = x.shape[2:]
    rows = [(i - shift[0]) % h for i in range(h)]
    columns = [(j - shift[1]) % w for j in range(w)]
    return x[:, :, rows][:, :, :, columns]


def differences(layer: Layer, x: np.ndarray, shift: Pair, stride: int, border: int) -> np.ndarray:
    """Return |layer of moved - moved layer|, without `border` output pixels on every side."""
    out_shift = (shift[0] // stride, shift[1] // stride)
    gap = np.abs(layer(moved(x, shift)) - moved(layer(x), out_shift))
    h, w = gap.shape[2:]
    return gap[:, :, border : h - border, border : w - border]


def _slips(layer: Layer, x: np.ndarray, shift: Pair, stride: int, border: int) -> list[Symptom]:
    out = layer(x)
    d, e = shift[0] // stride, shift[1] // stride
    inner = np.s_[:, :, border : out.shape[2] - border, border : out.shape[3] - border]
    first = layer(moved(x, shift))

    def against(image: np.ndarray, place: Any = inner) -> float:
        return float(np.abs(first - image)[place].max())

    whole = differences(layer, x, shift, stride, 0)
    inside = differences(layer, x, shift, stride, border)
    wrong: dict[str, tuple[list[float], str]] = {
        "not-moved": ([against(out)], "Move the output too: compare layer(moved x) with the moved layer(x)."),
        "other-way": (
            [against(moved(out, (-d, -e)))],
            "Image and output moved in opposite directions: positive shifts go down and to the right in both.",
        ),
        "shift-not-divided": (
            [against(moved(out, shift))],
            "With stride s, a step of s pixels is one place in the output: move it by shift // stride.",
        ),
        "swapped-hw": ([against(moved(out, (e, d)))], "shift is (down, right): axis 2 first, then axis 3."),
        "border": (
            [
                float(whole.max()),
                float(whole[:, :, border:, border:].max()),
                float(whole[:, :, : -border or None, : -border or None].max()),
            ],
            "Leave out `border` output pixels on all four sides, at the end of each axis as well as at its start.",
        ),
        "mean": ([float(inside.mean())], "The gap is the largest difference, not the mean."),
        "sum": ([float(inside.sum())], "The gap is the largest difference, not the sum."),
        "root": ([float(np.sqrt((inside**2).sum())), float(np.sqrt((inside**2).mean()))], "The largest one, no root."),
        "signed": (
            [float((first - moved(out, (d, e)))[inner].max()), float((moved(out, (d, e)) - first)[inner].max())],
            "Take the absolute value before the maximum: a difference of -5 is large.",
        ),
    }
    return [
        Symptom(name, lambda got, values=values: any(looks_like(v)(got) for v in values), hint)  # type: ignore[misc]
        for name, (values, hint) in wrong.items()
    ]


def gap_case(
    subject: Subject, report: Report, layer: Layer, x: np.ndarray, shift: Pair, *, stride: int = 1, border: int = 0
) -> float:
    """Require the gap of one layer for one shift; return it."""
    want = float(differences(layer, x, shift, stride, border).max())
    spy = Spy(layer, _only_images(x))
    problem = lambda: spy.problems[0] if spy.problems else None  # noqa: E731
    call = run(subject, report, spy, x, shift=shift, stride=stride, border=border, problem=problem)
    report.untouched(call, ["layer", "x"])
    got = call.value
    report.require(got is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    if isinstance(got, np.ndarray) and got.ndim == 0:
        got = got.item()
    number = isinstance(got, float | int | np.number) and not isinstance(got, bool)
    report.require(number, f"the gap must be one number, got {type(got).__name__}", symptom="not-a-number")
    where = f"shift {shift}, stride {stride}, border {border}: gap"
    slips = _slips(layer, x, shift, stride, border)
    report.close(np.asarray(got), want, rtol=1e-6, atol=1e-9, name=where, symptoms=slips)
    return want


def _only_images(x: np.ndarray) -> Callable[..., tuple[str, str, str] | None]:
    def examine(image: Any = None, *rest: Any, **options: Any) -> tuple[str, str, str] | None:
        if isinstance(image, np.ndarray) and image.shape == x.shape and not rest and not options:
            return None
        found = image.shape if isinstance(image, np.ndarray) else type(image).__name__
        hint = "Call layer(x) and layer(moved x): whole batches, nothing cut off before the layer."
        return f"layer was called with {found}; it takes images of the shape of x, {x.shape}, alone", hint, "layer-args"

    return examine


@exercise("fast-equivariance_gap", points=3, title="does a layer move along with its image?")
def examine_gap(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    x, w = rng.normal(size=(2, 3, 12, 15)), rng.normal(size=(4, 3, 3, 3))
    with report.stage("a layer that sees one pixel"):
        gap_case(subject, report, conv_layer(rng.normal(size=(4, 3, 1, 1))), x, (3, 1))
    with report.stage("a layer that knows where it is"):
        ramp = np.arange(12.0)[:, None] + 0.3 * np.arange(15.0) ** 1.5
        gap_case(subject, report, lambda images: images * ramp, x, (2, 1), border=0)
        gap_case(subject, report, lambda images: images * ramp, x, (0, 4), border=2)
    with report.stage("no padding"):
        gap_case(subject, report, conv_layer(w), x, (2, 1), border=0)
        gap_case(subject, report, conv_layer(w), x, (2, 1), border=2)
    with report.stage("padding with zeros"):
        for border in (0, 1, 3):
            gap_case(subject, report, conv_layer(w, pad=1), x, (1, 2), border=border)
    with report.stage("stride 2"):
        layer = conv_layer(w, stride=2)
        x = rng.normal(size=(2, 3, 15, 19))
        for shift, border in (((2, 4), 0), ((2, 4), 2), ((1, 2), 2)):
            gap_case(subject, report, layer, x, shift, stride=2, border=border)
    with report.stage("stride and border left out"):
        small, top = rng.normal(size=(2, 3, 6, 7)), np.zeros((6, 7))
        top[0] = rng.normal(size=7)  # only the border makes a gap
        spelled = subject(lambda images: images * top, small, shift=(0, 1), stride=1, border=0)
        report.default(subject(lambda images: images * top, small, shift=(0, 1)), spelled, "stride=1, border=0")
    with report.stage("up and to the left"):
        gap_case(subject, report, conv_layer(w, pad=1), x, (-2, 0), border=1)
        gap_case(subject, report, conv_layer(w, stride=2), x, (-4, 2), stride=2, border=1)


@exercise("fast-filters", points=0.5, title="what filters are", visible_share=0.0)
def examine_letters(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("form"):
        report.choices(subject, "ABCDEF")
