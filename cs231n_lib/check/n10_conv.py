"""What is examined in N10: a convolution as one product of filters and columns, forward and backward."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cs231n_lib.kernels import im2col

from .n09_oracle import Layer, close, conv, conv_gradients, random_layer, require_map, shape_slips
from .n10_oracle import ColumnTool, run, tuple_of
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

MIXED = (
    "The product has the axes (F, N * H' * W'): unfold the second into (N, H', W') first, and only then move F behind "
    "N with transpose. A reshape alone never moves an axis."
)


def tool_for(layer: Layer, gain: np.ndarray | None = None) -> ColumnTool:
    """Return the im2col and col2im for a layer; without gain they are the library's own."""
    rows = int(np.prod(layer.w.shape[1:]))
    return ColumnTool(np.ones(rows) if gain is None else gain, layer.w.shape[2:])


def weighed(layer: Layer, gain: np.ndarray) -> Layer:
    """Return the layer whose plain convolution is what `layer` gives on columns with these gains."""
    return replace(layer, w=layer.w * gain.reshape(layer.w.shape[1:]))


def _forward_slips(layer: Layer, want: np.ndarray) -> list[Symptom]:
    n, f, h, w = want.shape
    product = want.transpose(1, 0, 2, 3).reshape(f, -1)
    bare = conv(layer, b=np.zeros_like(layer.b))
    symptoms = [
        Symptom("axes-mixed", looks_like(product.reshape(want.shape)), MIXED),
        Symptom("no-bias", looks_like(bare), "Filter f adds its bias b[f] at every place."),
        Symptom(
            "flipped",
            looks_like(conv(layer, w=layer.w[:, :, ::-1, ::-1])),
            "The filters are turned round: w.reshape(F, -1) has its numbers in the order of the columns' rows.",
        ),
        Symptom(
            "filter-order",
            looks_like(conv(layer, w=layer.w.transpose(0, 2, 3, 1).reshape(layer.w.shape))),
            "The rows of the columns run over (c, i, j), so the filter must be unrolled in this order: "
            "w.reshape(F, -1).",
        ),
    ]
    if n == f:
        symptoms.append(Symptom("axes-mixed", looks_like(want.swapaxes(0, 1)), MIXED))
    if layer.stride > 1:
        dense = conv(layer, stride=1)[:, :, :h, :w]
        symptoms.append(Symptom("stride-ignored", looks_like(dense), "Hand stride on to im2col."))
    return symptoms


def forward_case(
    subject: Subject,
    report: Report,
    layer: Layer,
    *,
    gain: np.ndarray | None = None,
    rtol: float = 1e-7,
    hint: str = "",
) -> tuple[Any, ColumnTool]:
    """Require the output of one layer, on columns with these gains; return the cache and the tool that was used."""
    tool = tool_for(layer, gain)
    want = conv(layer if gain is None else weighed(layer, gain))
    x, w, b, stride, pad = layer.cache
    where = f"x {x.shape}, w {w.shape}, stride {stride}, pad {pad}:"
    options = {"stride": stride, "pad": pad, "im2col": tool.im2col}
    call = run(subject, report, x, w, b, problem=lambda: tool.problem, where=where, **options)
    report.untouched(call, ["x", "w", "b"])
    out, cache = tuple_of(call.value, "out, cache", report)
    got = require_map(out, want.shape, shape_slips(x.shape[2:], w.shape[2:], stride, pad), report)

    def slips() -> list[Symptom]:
        unused = Symptom(
            "im2col-unused",
            looks_like(conv(layer), rtol=1e-5),
            "This is the convolution of x, but the columns that your function was given were others: the check hands "
            "in an im2col of its own. Build out from what the argument `im2col` returns, and from nothing else.",
        )
        named = [Symptom("column-order", lambda v: True, hint)] if hint else []
        return [*([unused] if gain is not None else _forward_slips(layer, want)), *named]

    close(report, got, want, slips, rtol=rtol, atol=rtol * float(np.abs(want).max()), name="out")
    return cache, tool


@exercise("fast-conv_forward", points=5, title="convolution as one product")
def examine_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("one image, one filter"):
        tiny = Layer(
            np.array([[[[1.0, 2, 0], [0, 1, 3], [2, 1, 1]]]]), np.array([[[[1.0, 0], [2, 3]]]]), np.array([9.0])
        )
        forward_case(subject, report, tiny)
    with report.stage("square inputs"):
        forward_case(subject, report, random_layer(rng, square=True))
    with report.stage("height is not width"):
        for _ in range(2):
            forward_case(subject, report, random_layer(rng))
    with report.stage("stride and pad"):
        for stride, pad in ((2, 0), (1, 1), (2, 1), (3, 2)):
            forward_case(subject, report, random_layer(rng, stride=stride, pad=pad))
    with report.stage("column order in memory"):
        layer = random_layer(rng, stride=2, pad=1)
        layer = replace(layer, x=np.asfortranarray(layer.x), w=np.asfortranarray(layer.w))
        hint = (
            "x or w need not lie row after row in memory. A plain reshape reads in the order of the indices; order='K' "
        )
        forward_case(subject, report, layer, hint=hint + "or 'A' and views with own strides read as the memory lies.")
    with report.stage("float32"):
        forward_case(subject, report, _float32(random_layer(rng, stride=1, pad=1)), rtol=1e-5)
    with report.stage("stride and pad left out"):
        arrays = rng.normal(size=(2, 3, 5, 7)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
        tool = tool_for(Layer(*arrays))
        bare, _ = tuple_of(subject(*arrays, im2col=tool.im2col), "out, cache", report)
        spelled, _ = tuple_of(subject(*arrays, im2col=tool.im2col, stride=1, pad=0), "out, cache", report)
        report.default(bare, spelled, "stride=1, pad=0")
    with report.stage("built on the columns of im2col"):
        layer = random_layer(rng, stride=2, pad=1)
        gain = rng.uniform(0.5, 2.0, size=int(np.prod(layer.w.shape[1:])))
        cache, tool = forward_case(subject, report, layer, gain=gain)
    with report.stage("cache"):
        _require_cache(cache, layer, tool, report)


def _float32(layer: Layer) -> Layer:
    return replace(layer, x=layer.x.astype("f"), w=layer.w.astype("f"), b=layer.b.astype("f"))


def _require_cache(cache: Any, layer: Layer, tool: ColumnTool, report: Report) -> None:
    cols, x_shape, w, stride, pad = tuple_of(cache, "cols, x_shape, w, stride, pad", report, symptom="cache")
    hint = "The cache is the tuple (cols, x.shape, w, stride, pad): the backward pass will get exactly this."
    want = tool.im2col(layer.x, *layer.w.shape[2:], stride=layer.stride, pad=layer.pad)
    right = isinstance(cols, np.ndarray) and cols.shape == want.shape and np.allclose(cols, want)
    report.require(right, "cache[0] must be the columns as im2col gave them", hint=hint, symptom="cache")
    sizes = isinstance(x_shape, tuple | list) and tuple(x_shape) == layer.x.shape
    report.require(sizes, f"cache[1] must be x.shape, {layer.x.shape}", hint=hint, symptom="cache")
    same = isinstance(w, np.ndarray) and np.array_equal(w, layer.w) and (stride, pad) == (layer.stride, layer.pad)
    report.require(same, "cache must end in w, stride, pad as they were given", hint=hint, symptom="cache")


def _dw(dout: np.ndarray, cols: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return torch's gradient of the product of w and cols, with respect to w."""
    import torch

    leaf = torch.from_numpy(w.astype(np.float64)).requires_grad_()
    product = leaf.flatten(1) @ torch.from_numpy(cols.astype(np.float64))
    rows = torch.from_numpy(dout.astype(np.float64)).transpose(0, 1).flatten(1)
    return torch.autograd.grad(product, leaf, rows)[0].numpy()


def _last_window_wins(dout: np.ndarray, layer: Layer) -> np.ndarray:
    """Return dx as it is when each window is written over what is there, place by place."""
    hh, ww = layer.w.shape[2:]
    pad, stride = layer.pad, layer.stride
    frame = np.zeros((*layer.x.shape[:2], layer.x.shape[2] + 2 * pad, layer.x.shape[3] + 2 * pad))
    for i, j in np.ndindex(*dout.shape[2:]):
        y, z = stride * i, stride * j
        frame[:, :, y : y + hh, z : z + ww] = np.tensordot(dout[:, :, i, j], layer.w, axes=1)
    return frame[:, :, pad : pad + layer.x.shape[2], pad : pad + layer.x.shape[3]]


def _by_tap_wins(dout: np.ndarray, layer: Layer) -> np.ndarray:
    """The same when it is the taps of the filter that are written one after the other."""
    pad, stride = layer.pad, layer.stride
    frame = np.zeros((*layer.x.shape[:2], layer.x.shape[2] + 2 * pad, layer.x.shape[3] + 2 * pad))
    out_h, out_w = dout.shape[2:]
    for i, j in np.ndindex(*layer.w.shape[2:]):
        part = np.tensordot(dout, layer.w[:, :, i, j], axes=(1, 0)).transpose(0, 3, 1, 2)
        frame[:, :, i : i + stride * (out_h - 1) + 1 : stride, j : j + stride * (out_w - 1) + 1 : stride] = part
    return frame[:, :, pad : pad + layer.x.shape[2], pad : pad + layer.x.shape[3]]


def _backward_slips(layer: Layer, dout: np.ndarray, cols: np.ndarray) -> dict[str, Callable[[], list[Symptom]]]:
    n, f = dout.shape[:2]
    mixed = dout.reshape(f, n, *dout.shape[2:]).transpose(1, 0, 2, 3)  # what dout.reshape(F, -1) takes it for
    hint = (
        "dout as a matrix must be (F, N * H' * W') with the columns in the order (n, row, column): first bring F to "
        "the front with transpose, then reshape. A reshape alone mixes images and filters."
    )
    turned = "The filter is turned round: w.reshape(F, -1) has its numbers in the order of the columns' rows."
    adds = "A pixel lies in several windows and gets the sum of what they send: `+=`, not `=`. col2im adds."
    mean = "You divided by N. What averages over the batch is the loss; here everything is a sum."

    def db() -> list[Symptom]:
        want = dout.sum(axis=(0, 2, 3))
        means = [want / k for k in (n, dout[0, 0].size, n * dout[0, 0].size)]
        return [
            Symptom("axes-mixed", looks_like(mixed.sum(axis=(0, 2, 3))), hint),
            Symptom("mean", lambda got: any(looks_like(v)(got) for v in means), mean),
        ]

    def dw() -> list[Symptom]:
        return [
            Symptom("axes-mixed", looks_like(_dw(mixed, cols, layer.w)), hint),
            Symptom("mean", looks_like(_dw(dout, cols, layer.w) / n), mean),
        ]

    def dx() -> list[Symptom]:
        return [
            Symptom("axes-mixed", looks_like(conv_gradients(layer, mixed)[0]), hint),
            Symptom("overwrites", looks_like(_last_window_wins(dout, layer)), adds),
            Symptom("overwrites", looks_like(_by_tap_wins(dout, layer)), adds),
            Symptom("flipped", looks_like(conv_gradients(layer, dout, w=layer.w[:, :, ::-1, ::-1])[0]), turned),
            Symptom("mean", looks_like(conv_gradients(layer, dout)[0] / n), mean),
        ]

    return {"db": db, "dw": dw, "dx": dx}


def backward_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    layer: Layer,
    *,
    gain: np.ndarray | None = None,
    foreign: bool = False,
    rtol: float = 1e-7,
    order: str = "",
) -> None:
    """Require the three gradients of one layer.

    gain : of the rows that col2im adds up, other than one;  foreign : keep columns in the cache that no image has
    order : a hint, when only the memory layout sets this case apart
    """
    tool = tool_for(layer, gain)
    dout = rng.normal(0.3, 1.0, size=conv(layer).shape).astype(layer.x.dtype)
    cols = im2col(layer.x, *layer.w.shape[2:], stride=layer.stride, pad=layer.pad)
    if foreign:
        cols = rng.normal(size=cols.shape)
    if order:
        dout, cols = np.asfortranarray(dout), np.asfortranarray(cols)
    cache = (cols, layer.x.shape, layer.w, layer.stride, layer.pad)
    where = f"x {layer.x.shape}, w {layer.w.shape}, stride {layer.stride}, pad {layer.pad}:"
    call = run(subject, report, dout, cache, problem=lambda: tool.problem, where=where, col2im=tool.col2im)
    report.untouched(call, ["dout", "cache"])
    wants = {
        "db": dout.astype(np.float64).sum(axis=(0, 2, 3)),
        "dw": _dw(dout, cols, layer.w),
        "dx": conv_gradients(layer if gain is None else weighed(layer, gain), dout)[0],
    }
    found = dict(zip(("dx", "dw", "db"), tuple_of(call.value, "dx, dw, db", report), strict=True))
    for name, want in wants.items():
        _require_shape(found[name], want.shape, name, layer, report)
    plain = conv_gradients(layer, dout)[0] if gain is not None else None
    slips = _backward_slips(layer, dout, cols)
    for name, want in wants.items():

        def symptoms(name: str = name) -> list[Symptom]:
            named = [Symptom("column-order", lambda v: True, order)] if order else []
            if name == "dx" and plain is not None:
                hint = "This dx is right for the library's col2im, but the check handed in one of its own: dx must be "
                named.append(Symptom("col2im-unused", looks_like(plain, rtol=1e-5), hint + "what `col2im` returns."))
            return [*slips[name](), *named]

        atol = rtol * max(1.0, float(np.abs(want).max()))
        close(report, found[name], want, symptoms, rtol=rtol, atol=atol, name=name)


def _require_shape(got: Any, shape: tuple[int, ...], name: str, layer: Layer, report: Report) -> None:
    flat = (shape[0], int(np.prod(shape[1:])))
    if name == "dw" and isinstance(got, np.ndarray) and got.shape in (flat, flat[::-1]):
        hint = "The product gives dw as a matrix: reshape it to w.shape."
        report.fail(f"dw must have shape {shape}, got {got.shape}", hint=hint, symptom="dw-flat")
    if name == "dx" and isinstance(got, np.ndarray) and got.ndim == 2:
        hint = "These are the gradients of the columns. col2im adds them up where the pixels came from."
        report.fail(f"dx must have shape {shape}, got {got.shape}", hint=hint, symptom="dx-columns")
    report.array(got, shape, name=name)


@exercise("fast-conv_backward", points=6, title="its backward pass by col2im")
def examine_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("square inputs"):
        backward_case(subject, rng, report, random_layer(rng, square=True))
    with report.stage("height is not width"):
        for _ in range(2):
            backward_case(subject, rng, report, random_layer(rng))
    with report.stage("stride and pad"):
        for stride, pad in ((2, 0), (1, 1), (2, 1), (3, 2)):
            backward_case(subject, rng, report, random_layer(rng, stride=stride, pad=pad))
    with report.stage("column order in memory"):
        order = (
            "dout, cols or w need not lie row after row in memory: a plain reshape reads in the order of the indices."
        )
        layer = random_layer(rng, stride=1, pad=1)
        backward_case(subject, rng, report, replace(layer, w=np.asfortranarray(layer.w)), order=order)
    with report.stage("float32"):
        backward_case(subject, rng, report, _float32(random_layer(rng, stride=2, pad=1)), rtol=1e-4)
    with report.stage("built on cols and col2im"):
        layer = random_layer(rng, stride=2, pad=1)
        gain = rng.uniform(0.5, 2.0, size=int(np.prod(layer.w.shape[1:])))
        backward_case(subject, rng, report, layer, gain=gain, foreign=True)
