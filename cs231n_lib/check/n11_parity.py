"""What is examined in N11: PyTorch as the referee of NumPy layers, and its convolution along any number of axes."""

from typing import Any

import numpy as np

from .n09_oracle import refuses
from .n11_oracle import Slip, at, attempt, close, has_history, sent
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject
from .tensors import Tensor

TIGHT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}
SLIPS: list[Slip] = [
    ("only Tensors of floating point", "integer-grad", "Labels have no gradient: requires_grad_() for floats alone."),
    (
        "Can't call numpy() on Tensor that requires grad",
        "numpy-of-grad",
        "A tensor with a history is not an array: `.detach().numpy()`.",
    ),
    ("same dtype", "float32", "Keep float64: torch.from_numpy does, torch.Tensor(...) and .float() do not."),
    (
        "grad can be implicitly created only for scalar",
        "no-dout",
        "Hand dout on: out.backward(torch.from_numpy(dout)).",
    ),
]


@exercise("torch-with_gradients", points=2, title="outputs and gradients from PyTorch")
def examine_with_gradients(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, c = (int(v) for v in rng.permutation([4, 5, 6]))
    torch = subject.torch()
    x, w, b, dout = rng.normal(size=(n, d)), rng.normal(size=(c, d)), rng.normal(size=c), rng.normal(size=(n, c))
    with report.stage("an affine layer"):
        grads = [dout @ w, dout.T @ x, dout.sum(axis=0)]
        ones = np.ones_like(dout)
        slip = [ones @ w, ones.T @ x, ones.sum(axis=0)]
        function = at(torch, "nn.functional").get("linear")
        gradients_case(subject, report, function, (x, w, b), dout, x @ w.T + b, grads, slip)
    with report.stage("labels among the arrays"):
        y = rng.integers(0, c, size=n)
        shifted = np.exp(dout - dout.max(axis=1, keepdims=True))
        p = shifted / shifted.sum(axis=1, keepdims=True)
        loss, slope = -np.log(p[np.arange(n), y]).mean(), (p - np.eye(c)[y]) / n
        function = at(torch, "nn.functional").get("cross_entropy")
        gradients_case(subject, report, function, (dout, y), np.array(2.5), loss, [2.5 * slope, None], [slope, None])


def gradients_case(
    subject: Subject,
    report: Report,
    function: Any,
    arrays: tuple[np.ndarray, ...],
    dout: np.ndarray,
    out: Any,
    grads: list[np.ndarray | None],
    without_dout: list[np.ndarray | None] | None = None,
    *,
    dtype: str = "float64",
) -> None:
    """Judge the output and the gradients of one PyTorch function at NumPy arrays. tolerance 1e-10 in float64"""
    tight: dict[str, Any] = TIGHT if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-5}
    call = attempt(subject, report, SLIPS, function, arrays, dout)
    pair = call.value
    several = isinstance(pair, tuple | list) and len(pair) == 2
    hint = "End with `return out, grads`."
    report.require(several, "two results are asked, (out, grads)", hint=hint, symptom="not-a-pair")
    got, found = pair
    report.untouched(call, ["function", "arrays", "dout"])
    got = got if isinstance(got, Tensor) else np.asarray(got) if isinstance(got, float | np.generic) else got
    values = report.array(got, np.shape(out), name="out")
    _require_dtype(values, dtype, "out", report)
    report.close(values, out, name="out", **tight)
    count = isinstance(found, tuple | list) and len(found) == len(arrays)
    report.require(count, f"grads must hold one entry for each of {len(arrays)} arrays", symptom="grads-count")
    for i, (grad, want) in enumerate(zip(found, grads, strict=True)):
        where = f"grads[{i}]"
        if want is None:
            hint = "No gradient is defined for integers: None stands in their place."
            report.require(
                grad is None, f"{where} belongs to labels and must be None", hint=hint, symptom="integer-grad"
            )
            continue
        hint = "requires_grad_() before the function runs, or nothing is recorded."
        report.require(grad is not None, f"{where} is None", hint=hint, symptom="no-requires_grad")
        values = report.array(grad, want.shape, name=where)
        _require_dtype(values, dtype, where, report)
        hint = "That is the gradient of the sum of out: dout must be handed to the backward pass."
        slip = without_dout[i] if without_dout else None
        symptoms = [Symptom("no-dout", looks_like(slip), hint)] if slip is not None else []
        report.close(values, want, name=where, symptoms=symptoms, **tight)


def _require_dtype(values: np.ndarray, dtype: str, name: str, report: Report) -> None:
    hint = "Keep the dtype of the arrays: torch.from_numpy does, torch.Tensor(...) and .float() do not."
    report.require(
        str(values.dtype) == dtype, f"{name} must have {dtype}, got {values.dtype}", hint=hint, symptom="float32"
    )


@exercise("torch-conv_twin", points=3, title="the twin of a convolution along any axes")
def examine_twin(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("two axes"):
        twin_case(subject, rng, report, (4, 6), (3, 2), stride=3, pad=1)
        twin_case(subject, rng, report, (10, 7), (2, 3), stride=2, pad=(1, 0), dilation=(3, 1))
    with report.stage("dilation and groups"):
        twin_case(subject, rng, report, (8, 7), (3, 2), dilation=(2, 3), groups=2)
    with report.stage("one axis and three"):
        twin_case(subject, rng, report, (11,), (3,), stride=2, pad=2, dilation=2)
        twin_case(subject, rng, report, (5, 4, 6), (3, 1, 2), pad=1, groups=2)
    with report.stage("sizes that do not fit"):
        x, w, b = rng.normal(size=(1, 2, 8)), rng.normal(size=(1, 2, 3)), np.zeros(1)
        hint = "PyTorch rounds down and leaves pixels unseen; in this course such sizes raise ValueError."
        strict = refuses(subject, sent(x), sent(w), sent(b), stride=2)
        report.require(strict, "8 numbers, kernel 3, stride 2 must raise ValueError", hint=hint, symptom="floors")
        strict = refuses(subject, sent(x), sent(w), sent(b), dilation=4)
        hint = "A kernel of K taps spans dilation * (K - 1) + 1 numbers."
        report.require(strict, "8 numbers under a span of 9 must raise ValueError", hint=hint, symptom="floors")


TWIN_SLIPS: list[Slip] = [
    ("input to conv", "one-kind", "x has 3, 4 or 5 axes: choose between conv1d, conv2d and conv3d by x.ndim."),
    ("convolution dimensions", "one-kind", "x has 3, 4 or 5 axes: choose between conv1d, conv2d and conv3d by x.ndim."),
    ("groups=1", "groups-ignored", "Hand groups on: a filter sees C / groups channels."),
    ("to have 4 channels, but got", "groups-ignored", "Hand groups on: a filter sees C / groups channels."),
    (
        "must fit",
        "refuses-good-sizes",
        "This size fits: the span is dilation * (K - 1) + 1, and pad stands on both sides.",
    ),
]


def twin_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    *,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> None:
    """Judge one convolution in float64 to 1e-10 against loops over its places, and that a gradient can go back."""
    options = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
    x, w = rng.normal(size=(2, 4, *size)), rng.normal(size=(6, 4 // groups, *kernel))
    b = rng.normal(size=6)
    tensors = Tensor(x, "float64", requires_grad=True), sent(w), sent(b)
    out = attempt(subject, report, TWIN_SLIPS, *tensors, **options).value
    want = convolve(x, w, b, **options)

    def symptoms() -> list[Symptom]:
        flipped = convolve(x, np.flip(w, axis=tuple(range(2, w.ndim))), b, **options)
        return [
            Symptom("flipped", looks_like(flipped), "PyTorch's convolution does not flip the filter; nor does ours."),
            Symptom("no-bias", looks_like(convolve(x, w, 0 * b, **options)), "The bias is missing."),
        ]

    if isinstance(out, Tensor) and out.values.shape != want.shape:
        _name_shape(out.values.shape, x, w, b, options, want.shape, report)
    values = report.tensor(out, want.shape, dtype="float64", name="out")
    close(report, values, want, symptoms, name="out", **TIGHT)
    has_history(out, report, "out")


def _name_shape(
    found: tuple, x: np.ndarray, w: np.ndarray, b: np.ndarray, options: dict[str, Any], want: tuple, report: Report
) -> None:
    """Fail on a wrong shape, naming the option that took no part where that explains it."""
    message = f"out must have shape {want}, got {found}"
    for option, nothing in (("stride", 1), ("pad", 0), ("dilation", 1)):
        if convolve(x, w, b, **{**options, option: nothing}).shape == found:
            hint = f"Hand {option} on; PyTorch calls pad `padding`."
            report.fail(message, hint=hint, symptom=f"{option}-ignored")
    report.fail(message, symptom="shape")


def convolve(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, *, stride: Any, pad: Any, dilation: Any, groups: int
) -> np.ndarray:
    """Return a convolution along all axes after the second, place by place, in NumPy; rests at the end are unseen."""
    axes = x.ndim - 2
    strides, pads, gaps = (v if isinstance(v, tuple) else (v,) * axes for v in (stride, pad, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pads)])
    spans = [g * (k - 1) + 1 for g, k in zip(gaps, w.shape[2:], strict=True)]
    shape = [max(0, (n - s) // step + 1) for n, s, step in zip(x.shape[2:], spans, strides, strict=True)]
    out = np.zeros((len(x), len(w), *shape))
    for place in np.ndindex(*shape):
        cut = tuple(slice(i * t, i * t + s, g) for i, t, s, g in zip(place, strides, spans, gaps, strict=True))
        window = x[(slice(None), slice(None), *cut)].reshape(len(x), groups, -1)
        filters = w.reshape(groups, len(w) // groups, -1)
        out[(slice(None), slice(None), *place)] = np.einsum("ngk,gfk->ngf", window, filters).reshape(len(x), -1) + b
    return out
