"""What is examined in N09: the forward pass of a convolution."""

from dataclasses import replace
from typing import Any

import numpy as np

from .n09_oracle import (
    NOT_SQUARE,
    Layer,
    any_of,
    close,
    conv,
    random_layer,
    refuses,
    require_map,
    run,
    shape_slips,
    two,
    wrong_when_not_square,
)
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

PADDING = (
    "Pad only axes 2 and 3, with zeros, by pad pixels on each side: np.pad takes one (before, after) for each axis."
)


def _slips(layer: Layer, want: np.ndarray) -> list[Symptom]:
    """Return the recognised slips in the values of an output."""
    x, w, b, stride, pad = layer.cache
    c, hh, ww = w.shape[1:]
    bare = conv(layer, b=np.zeros_like(b))
    turned = [w[:, :, ::-1, ::-1], w[:, :, ::-1], w[:, :, :, ::-1]]
    symptoms = [
        any_of(
            "flipped",
            [looks_like(conv(layer, w=v)) for v in turned],
            "You turned the filter round. In deep learning a convolution multiplies without flipping (mathematicians "
            "call it a cross-correlation).",
        ),
        Symptom("no-bias", looks_like(bare), "Filter f adds its bias b[f] at every place."),
        any_of(
            "bias-repeated",
            [looks_like(bare + times * b[:, None, None]) for times in {c, hh * ww, c * hh * ww} - {1}],
            "The bias comes in more than once: add b[f] after the sum over channels and window, not inside it.",
        ),
        Symptom(
            "first-channel",
            looks_like(conv(layer, x=x[:, :1], w=w[:, :1])),
            "Only the first channel takes part: a filter reaches through all C channels.",
        ),
        Symptom(
            "first-filter",
            looks_like(conv(layer, w=np.repeat(w[:1], len(w), axis=0))),
            "Every map was made with filter 0: map f belongs to w[f].",
        ),
        any_of(
            "mean-not-sum",
            [looks_like(bare / n + b[:, None, None]) for n in (c * hh * ww, c, hh * ww)]
            + [looks_like(want / w[0].size)],
            "A dot product is a sum: do not divide by the number of terms.",
        ),
    ]
    if want.shape[2] == want.shape[3]:
        hint = "The maps are transposed: out[n, f, i, j] belongs to the window i rows down and j columns to the right."
        symptoms.append(Symptom("swapped-hw", looks_like(want.swapaxes(2, 3)), hint))
    if hh == ww:
        hint = "The filter's rows and columns have changed places: w is (F, C, HH, WW), height first."
        symptoms.append(Symptom("kernel-transposed", looks_like(conv(layer, w=w.swapaxes(2, 3))), hint))
    if pad:
        symptoms += _pad_slips(layer)
    if stride > 1:
        dense = conv(layer, stride=1)[:, :, : want.shape[2], : want.shape[3]]
        hint = "The output has the right size, but its windows are 1 apart: window i begins at row i * stride."
        symptoms.append(Symptom("stride-ignored", looks_like(dense), hint))
    return symptoms


def _pad_slips(layer: Layer) -> list[Symptom]:
    x, _, _, _, p = layer.cache

    def padded(before: int, after: int) -> np.ndarray:
        return np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))

    n, c = x.shape[:2]
    everywhere = np.pad(x, p)
    channels = np.pad(x, ((0, 0), (p, p), (p, p), (p, p)))[:, :c]
    ring = [np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode=mode) for mode in ("edge", "symmetric")]
    ring += [np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=1)]
    return [
        any_of(
            "pad-one-side",
            [looks_like(conv(layer, x=padded(*sides), pad=0)) for sides in ((0, 2 * p), (2 * p, 0))],
            "The border must stand on both sides: pad pixels before and pad pixels after.",
        ),
        any_of(
            "pad-channels",
            [looks_like(conv(layer, x=v, pad=0)) for v in (everywhere[:n, :c], everywhere[p:-p, :c], channels)],
            f"You padded the channels or the batch too. {PADDING}",
        ),
        any_of("pad-not-zero", [looks_like(conv(layer, x=v, pad=0)) for v in ring], "The border is made of zeros."),
    ]


def examine_layer(
    subject: Subject, layer: Layer, report: Report, where: str, *, hint: str = "", symptom: str = "", rtol: float = 1e-7
) -> Any:
    """Require the output of one layer; `hint` and `symptom` name an exception on it. Returns the student's cache."""
    want = conv(layer)
    x, w, b, stride, pad = layer.cache
    options = {"stride": stride, "pad": pad}
    call = run(subject, report, where, x, w, b, hint=hint, symptom=symptom, **options)
    out, cache = two(call.value, report)
    got = require_map(out, want.shape, shape_slips(x.shape[2:], w.shape[2:], stride, pad), report)
    atol = rtol * float(np.abs(want).max())

    def slips() -> list[Symptom]:
        return [*_slips(layer, want), *wrong_when_not_square(symptom)]

    close(report, got, want, slips, rtol=rtol, atol=atol, name="out")
    return cache


@exercise("conv-forward", points=8, title="convolution, forward")
def examine_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    layer = random_layer(rng, square=True)
    x, w, b = layer.x, layer.w, layer.b
    with report.stage("shape"):
        call = run(subject, report, "", x, w, b)
        want = conv(layer)
        got = require_map(two(call.value, report)[0], want.shape, shape_slips(x.shape[2:], w.shape[2:], 1, 0), report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["x", "w", "b"])
    with report.stage("3x3 pixels by hand"):
        pixels = np.array([[[[1.0, 2, 0], [0, 1, 3], [2, 1, 1]]]])
        by_hand = np.array([[[[13.0, 22], [16, 15]]]])
        tiny = Layer(pixels, np.array([[[[1.0, 0], [2, 3]]]]), np.array([9.0]))
        out, _ = two(run(subject, report, "", tiny.x, tiny.w, tiny.b).value, report)
        out = require_map(out, (1, 1, 2, 2), shape_slips((3, 3), (2, 2), 1, 0), report)
        close(report, out, by_hand, lambda: _slips(tiny, by_hand), name="out")
    with report.stage("values"):
        close(report, got, want, lambda: _slips(layer, want), name="out")
    with report.stage("height is not width"):
        for _ in range(2):
            case = random_layer(rng)
            where = f"x {case.x.shape}, w {case.w.shape}:"
            examine_layer(subject, case, report, where, hint=NOT_SQUARE, symptom="square-only")
    for stride, pad in ((2, 0), (1, 1), (2, 1), (3, 2)):
        with report.stage(f"stride {stride}, pad {pad}"):
            case = random_layer(rng, stride=stride, pad=pad)
            hint = PADDING if pad else "Window i begins at row i * stride."
            symptom = "pad-raises" if pad else "stride-raises"
            examine_layer(subject, case, report, f"stride {stride}, pad {pad}:", hint=hint, symptom=symptom)
    with report.stage("images of whole numbers"):
        case = replace(random_layer(rng, pad=1), x=rng.integers(0, 256, size=(2, 3, 4, 5), dtype=np.uint8))
        case = replace(case, w=rng.normal(size=(4, 3, 3, 2)), b=rng.normal(size=4))
        _require_float(subject, case, report)
        examine_layer(subject, case, report, "x of uint8:")
    with report.stage("float32 and column order"):
        case = random_layer(rng, stride=2, pad=1)
        x, w = (np.asfortranarray(a, dtype=np.float32) for a in (case.x, case.w))
        cache = examine_layer(subject, replace(case, x=x, w=w, b=case.b.astype(np.float32)), report, "", rtol=1e-5)
    with report.stage("cache"):
        _require_cache(cache, (x, w, case.b.astype(np.float32), 2, 1), report)
    with report.stage("sizes that do not fit"):
        x = rng.normal(size=(2, 3, 7, 7))
        for hh, ww, stride, pad in ((3, 3, 3, 0), (3, 2, 2, 0), (2, 3, 2, 0), (8, 3, 1, 0)):
            report.require(
                refuses(subject, x, rng.normal(size=(2, 3, hh, ww)), np.zeros(2), stride=stride, pad=pad),
                f"7x7 pixels, kernel {hh}x{ww}, stride {stride}, pad {pad} must raise ValueError",
                hint="Rounding down leaves pixels out without a word. A right conv_output_shape raises for you.",
                symptom="floors",
            )


def _require_float(subject: Subject, layer: Layer, report: Report) -> None:
    out, _ = two(run(subject, report, "x of uint8:", layer.x, layer.w, layer.b, stride=1, pad=1).value, report)
    report.require(
        not isinstance(out, np.ndarray) or out.dtype.kind == "f",
        f"x of uint8 and w of float64 must give floats, got {getattr(out, 'dtype', '')}",
        hint="np.zeros_like(x) or dtype=x.dtype makes an array of whole numbers, and what you put in is cut off.",
        symptom="integer-output",
    )


def _require_cache(cache: Any, want: tuple, report: Report) -> None:
    hint = "The backward pass will get exactly this tuple: (x, w, b, stride, pad), with x as it came, without border."
    report.require(
        isinstance(cache, tuple | list) and len(cache) == 5,
        f"cache must be the tuple (x, w, b, stride, pad), got {type(cache).__name__}",
        hint=hint,
        symptom="cache",
    )
    for name, kept, given in zip(("x", "w", "b", "stride", "pad"), cache, want, strict=True):
        same = isinstance(kept, np.ndarray | int | np.integer) and np.array_equal(kept, given)
        report.require(same, f"cache must hold {name} as it was given", hint=hint, symptom="cache")
