"""What is examined in N09, first part: the sizes, the cost and the reach of convolution layers."""

import math
from typing import Any

import numpy as np

from .n09_oracle import places, refuses, shape_slips
from .report import Report
from .spec import exercise
from .subject import Subject


def require_size(got: Any, want: tuple[int, ...], slips: list, report: Report, case: str) -> None:
    """Require the tuple of whole numbers `want`, naming the slips that are recognised."""
    report.require(got is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    report.require(
        isinstance(got, tuple | list) and len(got) == len(want),
        f"{case}: the result must be a tuple of {len(want)} sizes, one for each axis, got {got!r:.80}",
        hint="size and kernel are tuples with one entry for each axis: treat each axis alike, and return a tuple.",
        symptom="not-per-axis",
    )
    report.require(
        all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in got),
        f"{case}: sizes must be whole numbers, got {got!r:.80}",
        hint="`/` gives a float even when nothing is left over: once you know that it fits, divide with `//`.",
        symptom="float-size",
    )
    if tuple(got) != want:
        for wrong, symptom, hint in slips:
            if tuple(got) == wrong:
                report.fail(f"{case}: the output has size {want}, got {tuple(got)}", hint=hint, symptom=symptom)
        report.fail(f"{case}: the output has size {want}, got {tuple(got)}", symptom="values")


def _size_case(subject: Subject, report: Report, size: tuple, kernel: tuple, stride: int, pad: int) -> None:
    want = tuple(places(n, k, stride, pad) for n, k in zip(size, kernel, strict=True))
    case = f"size {size}, kernel {kernel}, stride {stride}, pad {pad}"
    got = subject(size, kernel, stride=stride, pad=pad)
    require_size(got, want, shape_slips(size, kernel, stride, pad), report, case)


@exercise("conv-output_shape", points=4, title="the size of the output")
def examine_output_shape(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("one place after the other"):
        require_size(subject((7, 7), (3, 3)), (5, 5), shape_slips((7, 7), (3, 3), 1, 0), report, "7x7, kernel 3x3")
        h, w = (int(n) for n in rng.permutation(np.arange(9, 16))[:2])
        _size_case(subject, report, (h, w), (2, 5), 1, 0)
        _size_case(subject, report, (h, w), (h, w), 1, 0)
    with report.stage("pad"):
        _size_case(subject, report, (7, 7), (3, 3), 1, 1)
        _size_case(subject, report, (h, w), (2, 5), 1, 2)
    with report.stage("stride"):
        _size_case(subject, report, (7, 7), (3, 3), 2, 0)
        for stride in (2, 3, 4):
            a, b = (int(n) for n in rng.permutation(np.arange(3, 9))[:2])
            _size_case(subject, report, ((a - 1) * stride + 3, (b - 1) * stride + 6), (3, 6), stride, 0)
            _size_case(subject, report, ((a - 1) * stride + 3, (b - 1) * stride + 4), (5, 6), stride, 1)
    with report.stage("one axis, three axes"):
        _size_case(subject, report, (int(rng.integers(8, 20)),), (3,), 1, 1)
        _size_case(subject, report, (9, 11, 15), (5, 3, 7), 2, 1)
    with report.stage("sizes that do not fit"):
        for size, kernel, stride, pad in (((7, 7), (3, 3), 3, 0), ((9, 8), (3, 3), 2, 0), ((8, 9), (3, 3), 2, 1)):
            report.require(
                refuses(subject, size, kernel, stride=stride, pad=pad),
                f"size {size}, kernel {kernel}, stride {stride}, pad {pad} must raise ValueError",
                hint="The last window would stop short of the border on one axis. Rounding down leaves out pixels "
                "without a word: raise ValueError instead, and check every axis.",
                symptom="floors",
            )
    with report.stage("a kernel larger than the image"):
        for size, kernel, stride, pad in (((4, 9), (5, 3), 1, 0), ((9, 4), (3, 10), 2, 1), ((3, 9), (9, 3), 2, 1)):
            report.require(
                refuses(subject, size, kernel, stride=stride, pad=pad),
                f"size {size}, kernel {kernel}, stride {stride}, pad {pad} must raise ValueError",
                hint="There the window has no place at all. A remainder of 0 does not tell: look at the sign too.",
                symptom="kernel-too-large",
            )


KEYS = ("per_filter", "parameters", "multiply_adds", "fc_parameters")


def _cost_slips(key: str, c: int, f: int, kernel: tuple, grid: int, in_grid: int) -> dict[int, tuple[str, str]]:
    """Return wrong count -> (symptom, hint) for one of the four counts."""
    window = math.prod(kernel)
    taps = c * window
    features = f * grid
    if key == "per_filter":
        return {
            taps: ("no-bias", "Each filter has one bias besides its weights."),
            window + 1: ("no-channels", "A filter reaches through all C channels of its input."),
            taps + c: ("bias-per-channel", "A filter has one bias in all, not one for each channel."),
        }
    if key == "parameters":
        return {
            f * taps: ("no-bias", "Each filter has a bias."),
            f * taps + 1: ("one-bias", "Each of the F filters has a bias of its own."),
            f * (window + 1): ("no-channels", "A filter reaches through all C channels of its input."),
            features * (taps + 1): ("not-shared", "The same weights serve at every place: that is the point."),
        }
    if key == "multiply_adds":
        return {
            features * (taps + 1): ("bias-counted", "Adding the bias is not a multiplication: count the weights only."),
            2 * features * taps: ("counted-twice", "One multiplication with its addition is one multiply-add."),
            grid * taps: ("one-filter", "Every one of the F filters visits every place."),
            features * window: ("no-channels", "At each place a filter multiplies through all C channels."),
            f * in_grid * taps: ("input-grid", "Count the places of the output, not the pixels of the input."),
            taps * f: ("one-place", "That is the work at one place: there are H' W' of them."),
        }
    inputs = c * in_grid
    return {
        features * inputs: ("no-bias", "A fully connected layer has one bias for each output number."),
        features * (in_grid + 1): ("no-channels", "Each output is connected to all C H W input numbers."),
        f * (inputs + 1): ("one-place", "The same output has F H' W' numbers, each with its own weights."),
        (features + 1) * inputs: ("bias-per-input", "There is a bias for each output, not for each input."),
    }


def require_costs(subject: Subject, report: Report, in_shape: tuple, out_shape: tuple, kernel: tuple) -> None:
    """Require the four counts for one layer."""
    (c, h, w), (f, oh, ow) = in_shape, out_shape
    one = 1 + sum(1 for _ in np.ndindex(c, *kernel))
    want = dict(zip(KEYS, (one, f * one, (one - 1) * f * oh * ow, f * oh * ow * (1 + c * h * w)), strict=True))
    got = subject(in_shape, out_shape, kernel)
    report.require(got is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    report.require(
        isinstance(got, dict) and set(got) == set(KEYS),
        f"the result must be a dict with the keys {', '.join(KEYS)}, got {got!r:.80}",
        symptom="keys",
    )
    for key in KEYS:
        case = f"{key} of {in_shape} -> {out_shape} with kernel {kernel}"
        report.require(
            isinstance(got[key], int | np.integer) and not isinstance(got[key], bool),
            f"{case} must be a whole number, got {got[key]!r:.40}",
            hint="Counts are ints: multiply ints, do not divide.",
            symptom="not-int",
        )
        slips = _cost_slips(key, c, f, kernel, oh * ow, h * w)
        symptom, hint = slips.get(int(got[key]), ("values", ""))
        report.require(
            int(got[key]) == want[key], f"{case} is {want[key]:,}, got {got[key]:,}", hint=hint, symptom=symptom
        )


@exercise("conv-cost", points=4, title="parameters and multiply-adds")
def examine_cost(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("ten 5x5 filters on 3x32x32"):
        require_costs(subject, report, (3, 32, 32), (10, 32, 32), (5, 5))
    with report.stage("other layers"):
        for _ in range(4):
            c, f, h, w, hh, ww = (int(n) for n in rng.permutation(np.arange(4, 20))[:6])
            require_costs(subject, report, (c, h + 20, w + 20), (f, h, w), (hh, ww))


def reach(layers: list[tuple[int, int]]) -> int:
    """Return the width of the input that one output sees, by walking its first and last pixel back to the input."""
    low = high = 0
    for kernel, stride in reversed(layers):
        low, high = low * stride, high * stride + kernel - 1
    return high - low + 1


def _reach_slips(layers: list[tuple[int, int]]) -> dict[int, tuple[str, str]]:
    """Return wrong answer -> (symptom, hint)."""
    kernels, strides = zip(*layers, strict=True)
    steps = np.cumprod((1, *strides))
    late = 1 + sum((k - 1) * int(step) for k, step in zip(kernels, steps[1:], strict=True))
    added = 1 + sum((k - 1) * (1 + sum(s - 1 for s in strides[:i])) for i, k in enumerate(kernels))
    own = 1 + sum((k - 1) * s for k, s in layers)
    previous = 1 + sum((k - 1) * ((1, *strides)[i]) for i, k in enumerate(kernels))
    return {
        reach([(k, 1) for k in kernels]): (
            "stride-ignored",
            "After a stride of 2, neighbours are 2 input pixels apart.",
        ),
        late: ("stride-early", "A layer's own stride spreads the layers above it, not its own kernel."),
        own: ("stride-early", "A layer's own stride spreads the layers above it, not its own kernel."),
        previous: ("one-stride", "The strides of all layers below multiply, not only that of the layer before."),
        added: ("strides-added", "Two strides of 2 make neighbours 4 input pixels apart: strides multiply."),
        reach(layers) - 1: ("off-by-one", "With no layer at all, an output sees its own pixel: start at 1."),
        sum(kernels): ("no-minus-one", "Each layer adds K - 1 pixels, since its windows overlap with what is seen."),
        1 + sum(kernels): ("no-minus-one", "Each layer adds K - 1 pixels: one of its K was seen already."),
        math.prod(kernels): ("kernels-multiplied", "Windows that overlap add up, they do not multiply."),
        reach(layers[::-1]): ("reversed", "layers[0] is next to the input: its stride spreads all layers above it."),
        kernels[-1]: ("previous-layer", "That is what it sees in the previous layer: go on down to the input."),
    }


def require_reach(subject: Subject, report: Report, layers: list[tuple[int, int]]) -> None:
    """Require the receptive field of one stack of layers."""
    got, want = subject(layers), reach(layers)
    report.require(got is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    report.require(
        isinstance(got, int | np.integer) and not isinstance(got, bool),
        f"the receptive field must be an int, got {got!r:.40}",
        symptom="not-int",
    )
    symptom, hint = _reach_slips(layers).get(int(got), ("values", "")) if layers else ("no-layers", "Start at 1.")
    message = f"layers {layers}: one output sees {want} input pixels along an axis, got {got}"
    report.require(int(got) == want, message, hint=hint, symptom=symptom)


@exercise("conv-receptive_field", points=4, title="how far an output sees")
def examine_receptive_field(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("stride 1"):
        require_reach(subject, report, [(5, 1)])
        for _ in range(3):
            require_reach(subject, report, [(int(k), 1) for k in rng.permutation([2, 3, 4, 5, 7])[:4]])
        require_reach(subject, report, [(3, 1)] * 112)
    with report.stage("strides"):
        for _ in range(6):
            kernels, strides = rng.integers(2, 8, size=4), rng.permutation([1, 2, 3, 4])
            require_reach(subject, report, [(int(k), int(s)) for k, s in zip(kernels, strides, strict=True)])
    with report.stage("convolutions and pools"):
        require_reach(subject, report, [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2)])
    with report.stage("no layer"):
        require_reach(subject, report, [])
