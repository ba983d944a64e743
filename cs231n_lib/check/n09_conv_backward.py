"""What is examined in N09: the backward pass of a convolution."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .n09_oracle import (
    NOT_SQUARE,
    Layer,
    any_of,
    close,
    conv,
    conv_gradients,
    random_layer,
    run,
    wrong_when_not_square,
)
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

NAMES = ("dx", "dw", "db")


def _require_shapes(value: Any, layer: Layer, report: Report) -> list[np.ndarray]:
    """Require float arrays (dx, dw, db) with the shapes of x, w and b."""
    report.require(value is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    report.require(
        isinstance(value, tuple | list) and len(value) == 3,
        f"the result must be the three gradients (dx, dw, db), got {type(value).__name__}",
        symptom="not-three",
    )
    x, w, b, _, p = layer.cache
    shapes = [a.shape for a in (x, w, b)]
    found = [np.shape(g) if isinstance(g, np.ndarray) else None for g in value]
    if found != shapes and sorted(map(str, found)) == sorted(map(str, shapes)):
        report.fail("the gradients come in the order dx, dw, db", symptom="order")
    if p and found[0] == (*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p):
        hint = "This is the gradient of the padded image: cut the border off, pad pixels on each side."
        report.fail(f"dx must have shape {x.shape}, got {found[0]}", hint=hint, symptom="dx-padded")
    if isinstance(value[0], np.ndarray) and value[0].size == 0:
        hint = "With pad = 0 the slice [pad:-pad] is [0:0], which is empty. Slice from pad to pad + H."
        report.fail(f"dx must have shape {x.shape}, got {found[0]}", hint=hint, symptom="crop-zero")
    hint = "np.zeros_like(x) is a whole-number array when x is one, and cuts every gradient off. Ask for floats."
    for name, gradient, given in zip(NAMES, value, (x, w, b), strict=True):
        whole = isinstance(gradient, np.ndarray) and gradient.dtype.kind in "iu"
        report.require(not whole, f"{name} must have a float dtype", hint=hint, symptom="integer-gradient")
        report.array(gradient, given.shape, name=name)
    return list(value)


def _embedded(layer: Layer, dout: np.ndarray) -> np.ndarray:
    """Return dout in the corner of a map of stride 1: whoever forgets the stride takes it for that."""
    dense = np.zeros(conv(layer, stride=1).shape)
    dense[:, :, : dout.shape[2], : dout.shape[3]] = dout
    return dense


def _only(dout: np.ndarray, *where: Any) -> np.ndarray:
    """Return dout with everything set to 0 but the part `where`."""
    kept = np.zeros_like(dout)
    kept[where] = dout[where]
    return kept


def _db_slips(want: np.ndarray, dout: np.ndarray) -> list[Symptom]:
    n, places = len(dout), dout[0, 0].size
    last = [dout[-1].sum(axis=(1, 2)), dout[:, :, -1, -1].sum(axis=0), dout[-1, :, -1, -1]]
    hint = "You took a mean. b[f] is added at every place of every image: add up all their gradients."
    return [
        any_of("db-mean", [looks_like(want / k) for k in (n, places, n * places)], hint),
        any_of("overwrites", [looks_like(v) for v in last], "`=` keeps the last contribution only: use `+=`."),
    ]


def _dw_slips(layer: Layer, dout: np.ndarray, want: np.ndarray) -> list[Symptom]:
    last = [_only(dout, -1), _only(dout, np.s_[:], np.s_[:], -1, -1), _only(dout, -1, np.s_[:], -1, -1)]
    symptoms = [
        Symptom("dw-mean", looks_like(want / len(dout)), "You divided by N. What averages over a batch is the loss."),
        any_of(
            "overwrites",
            [looks_like(conv_gradients(layer, v)[1]) for v in last],
            "`=` keeps the last window only. Every window of every image adds to dw[f]: use `+=`.",
        ),
        any_of(
            "dw-flipped",
            [looks_like(want[:, :, ::-1, ::-1]), looks_like(want[:, :, ::-1])],
            "dw is turned round: the forward pass did not flip, so the weight at [i, j] met the pixel at [i, j].",
        ),
    ]
    if layer.stride > 1:
        dense = conv_gradients(layer, _embedded(layer, dout), stride=1)[1]
        hint = "The windows are 1 apart, as without a stride: window i begins at row i * stride, here as in forward."
        symptoms.append(Symptom("stride-ignored", looks_like(dense), hint))
    return symptoms


def _dx_slips(layer: Layer, dout: np.ndarray) -> list[Symptom]:
    x, w, _, _, p = layer.cache
    hint = "The filter is turned round: pixel [i, j] of a window met w[f, :, i, j], so that is what it gets back."
    turned = conv_gradients(layer, dout, w=w[:, :, ::-1, ::-1])[0]
    symptoms = [
        Symptom("dx-flipped", looks_like(turned), hint),
        Symptom(
            "dx-mean",
            looks_like(conv_gradients(layer, dout)[0] / len(x)),
            "You divided by N. The loss did that already.",
        ),
        Symptom(
            "first-filter",
            looks_like(conv_gradients(layer, _only(dout, np.s_[:], 0))[0]),
            "Only filter 0 sends a gradient back: add up all F filters.",
        ),
    ]
    if layer.stride > 1:
        dense = conv_gradients(layer, _embedded(layer, dout), stride=1)[0]
        hint = "The windows are 1 apart, as without a stride: window i begins at row i * stride, here as in forward."
        symptoms.append(Symptom("stride-ignored", looks_like(dense), hint))
    if p:
        border = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        whole = conv_gradients(layer, dout, x=border, pad=0)[0]
        h, wide = x.shape[2:]
        cuts = [whole[:, :, :h, :wide], whole[:, :, 2 * p :, 2 * p :]]
        hint = "The border is cut off on the wrong side: keep rows pad to pad + H, columns pad to pad + W."
        symptoms.append(any_of("crop", [looks_like(v) for v in cuts], hint))
    return symptoms


def _overwrites(subject: Subject, layer: Layer, shape: tuple[int, ...], report: Report) -> bool:
    """True if later windows wipe out what an earlier one wrote: asked with a dout that is 0 but in the first place."""
    dout = np.zeros(shape)
    dout[0, -1, 0, 0] = 1.0
    want = conv_gradients(layer, dout)[0]
    got = _require_shapes(subject(dout, layer.cache), layer, report)[0]
    kept = np.isclose(got, want)
    return bool(kept.any() and got.any() and np.all(kept | (got == 0)) and not kept.all())


def examine_gradients(
    subject: Subject,
    rng: np.random.Generator,
    layer: Layer,
    report: Report,
    where: str = "",
    *,
    hint: str = "",
    symptom: str = "",
    rtol: float = 1e-7,
) -> None:
    """Require the three gradients of one layer for a random dout; `hint` and `symptom` name an exception on it."""
    dout = rng.normal(size=conv(layer).shape)
    wants = conv_gradients(layer, dout)
    call = run(subject, report, where, dout, layer.cache, hint=hint, symptom=symptom)
    dx, dw, db = _require_shapes(call.value, layer, report)

    def tolerance(want: np.ndarray) -> dict[str, Any]:
        return {"rtol": rtol, "atol": rtol * max(1.0, float(np.abs(want).max()))}

    fallback = wrong_when_not_square(symptom)
    overwritten = Symptom(
        "overwrites",
        lambda got: _overwrites(subject, layer, dout.shape, report),
        "Windows overlap, and a pixel gets a gradient from each window that covers it, for each filter: `+=`, not `=`.",
    )
    slips: dict[str, Callable[[], list[Symptom]]] = {
        "db": lambda: [*_db_slips(wants[2], dout), *fallback],
        "dw": lambda: [*_dw_slips(layer, dout, wants[1]), *fallback],
        "dx": lambda: [*_dx_slips(layer, dout), overwritten, *fallback],
    }
    for (name, symptoms), got, want in zip(slips.items(), (db, dw, dx), wants[::-1], strict=True):
        atol = rtol * max(1.0, float(np.abs(want).max()))
        close(report, got, want, symptoms, name=name, rtol=rtol, atol=atol)


@exercise("conv-backward", points=8, title="convolution, backward")
def examine_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    layer = random_layer(rng, square=True)
    with report.stage("shape"):
        dout = rng.normal(size=conv(layer).shape)
        call = run(subject, report, "", dout, layer.cache)
        _require_shapes(call.value, layer, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["dout", "cache"])
    with report.stage("one window by hand"):
        tiny = Layer(np.array([[[[5.0, 7], [1, 0]]]]), np.array([[[[2.0, 3], [4, 6]]]]), np.array([4.0]))
        ten = np.array([[[[10.0]]]])
        value = run(subject, report, "", ten, tiny.cache).value
        dx, dw, db = _require_shapes(value, tiny, report)
        report.close(db, [10.0], name="db")
        want = np.array([[[[50.0, 70], [10, 0]]]])
        hint = "dw is dout times the pixels of the window."
        close(report, dw, want, partial(_dw_slips, tiny, ten, want), name="dw", hint=hint)
        want = np.array([[[[20.0, 30], [40, 60]]]])
        close(report, dx, want, lambda: _dx_slips(tiny, ten), name="dx", hint="dx is dout times the filter.")
    with report.stage("values"):
        examine_gradients(subject, rng, layer, report)
    with report.stage("height is not width"):
        for _ in range(2):
            case = random_layer(rng)
            where = f"x {case.x.shape}, w {case.w.shape}:"
            examine_gradients(subject, rng, case, report, where, hint=NOT_SQUARE, symptom="square-only")
    for stride, pad in ((2, 0), (1, 1), (2, 1), (3, 2)):
        with report.stage(f"stride {stride}, pad {pad}"):
            case = random_layer(rng, stride=stride, pad=pad)
            hint = "x in the cache has no border: pad it as the forward pass did, and cut the border off dx at the end."
            examine_gradients(
                subject,
                rng,
                case,
                report,
                f"stride {stride}, pad {pad}:",
                hint=hint if pad else "Window i begins at row i * stride.",
                symptom="pad-raises" if pad else "stride-raises",
            )
    with report.stage("images of whole numbers"):
        case = random_layer(rng, stride=2, pad=1)
        case = replace(case, x=rng.integers(0, 256, size=case.x.shape, dtype=np.uint8))
        examine_gradients(subject, rng, case, report, "x of uint8:")
    with report.stage("float32 and column order"):
        case = random_layer(rng, stride=2, pad=1)
        x, w = (np.asfortranarray(a, dtype=np.float32) for a in (case.x, case.w))
        examine_gradients(subject, rng, replace(case, x=x, w=w, b=case.b.astype(np.float32)), report, rtol=1e-4)
