"""Random layers for N09, what torch says of them, and calls that explain an exception."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .report import CheckFailed, Report, Symptom
from .subject import Call, StudentError, Subject

NOT_SQUARE = (
    "It is right on square inputs with square filters, so something takes a height for a width: "
    "H, HH and H' belong together (rows, axis 2), and so do W, WW and W' (columns, axis 3)."
)


@dataclass(frozen=True)
class Layer:
    """One convolution to examine. x : (N, C, H, W);  w : (F, C, HH, WW);  b : (F,)"""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray
    stride: int = 1
    pad: int = 0

    @property
    def cache(self) -> tuple:
        return self.x, self.w, self.b, self.stride, self.pad


def places(size: int, kernel: int, stride: int, pad: int) -> int:
    """Return how many places a window of `kernel` finds on `size` pixels: they are counted, no formula is used."""
    return len(range(0, size + 2 * pad - kernel + 1, stride))


def shape_slips(
    size: Sequence[int], kernel: Sequence[int], stride: int, pad: int
) -> list[tuple[tuple[int, ...], str, str]]:
    """Return (wrong shape, symptom, hint) for the recognised slips in an output's height and width."""

    def sizes(size: Sequence[int], kernel: Sequence[int], stride: int, pad: int) -> tuple[int, ...]:
        return tuple(places(n, k, stride, pad) for n, k in zip(size, kernel, strict=True))

    right = sizes(size, kernel, stride, pad)
    grown = [n + pad for n in size]
    first, last = [kernel[0]] * len(size), [kernel[-1]] * len(size)
    slips = [
        (right[::-1], "swapped-hw", "Height and width have changed places: rows come first, then columns."),
        (sizes(size, kernel[::-1], stride, pad), "square-filter", "The filter's height goes with the image's height."),
        (sizes(size, first, stride, pad), "square-filter", "The width must be computed from the filter's width."),
        (sizes(size, last, stride, pad), "square-filter", "The height must be computed from the filter's height."),
        (sizes(size, kernel, stride, 0), "pad-ignored", "The border of pad pixels makes the image larger."),
        (sizes(grown, kernel, stride, 0), "pad-once", "The border stands on both sides: it adds 2 * pad pixels."),
        (sizes(size, kernel, 1, pad), "stride-ignored", "With stride s the window visits every s-th place only."),
        (tuple(n - 1 for n in right), "no-plus-one", "A window that fits exactly once still has one place: add 1."),
    ]
    return [slip for slip in slips if slip[0] != right]


def random_layer(rng: np.random.Generator, *, square: bool = False, stride: int = 1, pad: int = 0) -> Layer:
    """Return a float64 layer whose windows fit exactly; all sizes differ unless `square`, so no swap stays hidden."""
    n, c, f = (int(v) for v in rng.permutation([2, 3, 4]))
    while True:
        hh, ww = (3, 3) if square else (int(v) for v in rng.permutation([2, 3, 4])[:2])
        oh, ow = (4, 4) if square else (int(v) for v in rng.permutation([2, 3, 4, 5])[:2])
        h, wide = (oh - 1) * stride + hh - 2 * pad, (ow - 1) * stride + ww - 2 * pad
        if min(h, wide) > pad and (square or (h != wide and max(hh, ww) < min(h, wide) + 2 * pad)):
            break
    x, w = rng.normal(size=(n, c, h, wide)), rng.normal(size=(f, c, hh, ww))
    return Layer(x, w, rng.normal(size=f) + 2, stride, pad)


def conv(layer: Layer, **changes: Any) -> np.ndarray:
    """Return torch's output for the layer with some of its fields replaced, float64 (N, F, H', W')."""
    import torch

    layer = replace(layer, **changes)
    x, w, b = (torch.from_numpy(np.array(a, dtype=np.float64)) for a in (layer.x, layer.w, layer.b))
    return torch.nn.functional.conv2d(x, w, b, stride=layer.stride, padding=layer.pad).numpy()


def conv_gradients(layer: Layer, dout: np.ndarray, **changes: Any) -> tuple[np.ndarray, ...]:
    """Return torch's float64 gradients of sum(dout * out) with respect to x, w and b."""
    import torch

    layer = replace(layer, **changes)
    leaves = x, w, b = [
        torch.from_numpy(np.array(a, dtype=np.float64)).requires_grad_() for a in (layer.x, layer.w, layer.b)
    ]
    out = torch.nn.functional.conv2d(x, w, b, stride=layer.stride, padding=layer.pad)
    grads = torch.autograd.grad(out, leaves, torch.from_numpy(np.array(dout, dtype=np.float64)))
    return tuple(grad.numpy() for grad in grads)


def run(
    subject: Subject, report: Report, where: str, *args: Any, hint: str = "", symptom: str = "", **options: Any
) -> Call:
    """Call the student's function; an exception becomes a failure that says on which case and what to look at."""
    try:
        return subject.call(*args, **options)
    except StudentError as error:
        if error.kind == "NotImplementedError":
            if error.function == "conv_output_shape":
                report.fail(
                    "it calls conv_output_shape, which is not implemented yet",
                    hint="Write conv_output_shape first, or count the places of the window here.",
                    symptom="callee-missing",
                )
            raise
        if not symptom:
            raise
        report.fail(f"{where} your code raised {error.kind}: {error.message[:160]}", hint=hint, symptom=symptom)
        raise


def refuses(subject: Subject, *args: Any, **options: Any) -> bool:
    """True if the call raises ValueError. A stub's NotImplementedError passes through."""
    try:
        subject.call(*args, **options)
    except StudentError as error:
        if error.kind == "NotImplementedError":
            raise
        return "ValueError" in error.bases
    return False


def two(value: Any, report: Report) -> tuple[Any, Any]:
    """Require a pair (out, cache)."""
    report.require(value is not None, "the result is None", hint="End with `return out, cache`.", symptom="no-return")
    report.require(
        isinstance(value, tuple | list) and len(value) == 2,
        f"the result must be the pair (out, cache), got {type(value).__name__}",
        hint="Return both: the output, and what the backward pass will need.",
        symptom="not-pair",
    )
    return value[0], value[1]


def require_map(
    got: Any, shape: tuple[int, ...], slips: Sequence[tuple[tuple, str, str]], report: Report, kind: str = "f"
) -> np.ndarray:
    """Require an array of feature maps of this shape (N, F, H', W'), naming the slips in its last two axes."""
    if isinstance(got, np.ndarray) and got.shape != shape:
        message = f"out must have shape (N, F, H', W') = {shape}, got {got.shape}"
        for wrong, symptom, hint in slips:
            if got.shape == (*shape[:2], *wrong):
                report.fail(message, hint=hint, symptom=symptom)
        if got.shape == (shape[0], *shape[2:], shape[1]):
            report.fail(message, hint="The channel is axis 1 here, not the last one.", symptom="channels-last")
        if got.shape == (shape[1], shape[0], *shape[2:]):
            report.fail(message, hint="Axis 0 counts images, axis 1 filters.", symptom="axes-order")
    return report.array(got, shape, kind=kind, name="out")


def close(
    report: Report, got: np.ndarray, want: np.ndarray, symptoms: Callable[[], list[Symptom]], **options: Any
) -> None:
    """Require equal values as `report.close` does; the symptoms, which cost many convolutions, are made on failure."""
    try:
        report.close(got, want, **options)
    except CheckFailed:
        report.close(got, want, symptoms=symptoms(), **options)


def wrong_when_not_square(symptom: str) -> list[Symptom]:
    """Return the name of whatever is wrong on the first case that is not square: square cases came out right before."""
    return [Symptom(symptom, lambda got: True, NOT_SQUARE)] if symptom == "square-only" else []


def any_of(name: str, relations: Sequence[Any], hint: str) -> Symptom:
    """Return a symptom that holds when one of several relations does."""
    return Symptom(name, lambda got: any(holds(got) for holds in relations), hint)
