"""What is examined in N04: the affine layer, forward and backward."""

import math
from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .passes import cache_of, keeps_something, pair
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject


def affine(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the affine layer's output (N, M) by the standard library: one sum for each entry."""
    columns = [*zip(w.T.tolist(), b.tolist(), strict=True)]
    rows = [image.ravel(order="C").tolist() for image in x]
    return np.array(
        [[math.fsum(p * q for p, q in zip(row, c, strict=True)) + bias for c, bias in columns] for row in rows]
    )


def affine_slopes(x: np.ndarray, w: np.ndarray, b: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return (dx, dw, db) of sum(dout * out), by moving one entry at a time.

    The layer is linear in each of its three inputs, so the difference of a unit step is the slope, not an estimate.
    """
    base, slopes = affine(x, w, b), []
    for which, array in enumerate((x, w, b)):
        slope = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            moved = [x.copy(), w.copy(), b.copy()]
            moved[which][index] += 1.0
            slope[index] = np.sum(dout * (affine(*moved) - base))
        slopes.append(slope)
    return tuple(slopes)


def _affine_mistakes(x: np.ndarray, w: np.ndarray, b: np.ndarray, want: np.ndarray) -> list[Symptom]:
    n, nothing = len(x), np.zeros_like(b)
    columns_first = np.array([image.ravel(order="F") for image in x])
    symptoms = [
        Symptom("no-bias", looks_like(affine(x, w, nothing)), "The bias b is missing: add it to every row."),
        Symptom("bias-sign", looks_like(affine(x, w, -b)), "The bias is added, not subtracted."),
        Symptom("relu-inside", looks_like(np.maximum(want, 0)), "Negative outputs stay: ReLU is another layer."),
        Symptom(
            "mixed-rows",
            looks_like(affine(x.reshape(-1, n).T, w, b)),
            "Your rows mix numbers of several images. Flatten with x.reshape(N, -1): the first axis stays.",
        ),
        Symptom(
            "flatten-order",
            looks_like(affine(columns_first, w, b)),
            "The numbers of each image are in another order. Flatten in C order, as reshape does by itself.",
        ),
    ]
    if n == len(b):
        down = affine(x, w, nothing) + b[:, None]
        symptoms.append(Symptom("bias-axis", looks_like(down), "b[m] belongs to column m of every row, not to row m."))
    return symptoms


@exercise("net-affine_forward", points=3, title="affine layer, forward")
def examine_affine_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, h, wide, m = distinct_sizes(rng, 4)
    x, w, b = rng.normal(size=(n, h * wide)), rng.normal(size=(h * wide, m)), rng.normal(2.0, 1.0, size=m)
    with report.stage("shape"):
        call = subject.call(x, w, b)
        out, cache = pair(call.value, "out", "cache", report)
        out = report.array(out, (n, m), name="out")
    with report.stage("inputs untouched"):
        report.untouched(call, ["x", "w", "b"])
    with report.stage("a sum by hand"):
        tiny = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0, -1.0], [3.0, 1.0, 2.0]]), np.array([10.0, 20.0, 30.0])
        here = report.array(pair(subject(*tiny), "out", "cache", report)[0], (1, 3), name="out")
        by_hand = np.array([[17.0, 22.0, 33.0]])
        report.close(here, by_hand, name="out", symptoms=_affine_mistakes(*tiny, by_hand))
    with report.stage("values"):
        want = affine(x, w, b)
        report.close(out, want, name="out", symptoms=_affine_mistakes(x, w, b, want))
    with report.stage("images"):
        for shape in ((n, h, wide), (n, 3, h, 2), (m, h, wide)):
            images, weights = rng.normal(size=shape), rng.normal(size=(math.prod(shape[1:]), m))
            call = subject.call(images, weights, b)
            out = report.array(pair(call.value, "out", "cache", report)[0], (shape[0], m), name=f"out for x {shape}")
            report.untouched(call, ["x", "w", "b"])
            want = affine(images, weights, b)
            report.close(out, want, name="out", symptoms=_affine_mistakes(images, weights, b, want))
    with report.stage("float32 and column order"):
        images = np.asfortranarray(rng.normal(size=(n, wide, h)).astype(np.float32))
        weights = np.asfortranarray(w.astype(np.float32))
        out = report.array(pair(subject(images, weights, b.astype(np.float32)), "out", "cache", report)[0], (n, m))
        want = affine(images.astype(float), weights.astype(float), b)
        by_memory = affine(images.ravel(order="A").reshape(n, -1).astype(float), weights.astype(float), b)
        hint = "Flatten by index, not by the order in memory: x.reshape(N, -1) does, order='A' or 'K' does not."
        symptoms = [Symptom("memory-order", looks_like(by_memory, rtol=1e-3), hint)]
        report.close(out, want, rtol=1e-4, atol=1e-4, name="out", symptoms=symptoms)
    with report.stage("cache"):
        keeps_something(cache, report)


@exercise("net-affine_backward", points=5, title="affine layer, backward")
def examine_affine_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, m = distinct_sizes(rng, 3)
    shapes = {"rows": (n, d), "images": (n, 2, 3, d - 1), "as many images as outputs": (m, d)}
    for name, shape in shapes.items():
        x, w, b = rng.normal(size=shape), rng.normal(size=(math.prod(shape[1:]), m)), rng.normal(size=m)
        dout = rng.normal(0.5, 1.0, size=(shape[0], m))
        affine_backward_case(subject, report, name, x, w, b, dout)
    with report.stage("an earlier cache"):
        x, w, b = rng.normal(size=(n, d)), rng.normal(size=(d, m)), rng.normal(size=m)
        dout = rng.normal(size=(n, m))
        first = cache_of(subject, "affine_forward", (x, w, b), (x, w))
        cache_of(subject, "affine_forward", (x + 1, w - 1, b), (x + 1, w - 1))
        dx, dw, _ = _three(subject(dout, first), report)
        hint = "Take x and w from the cache that you are given: the forward function may have run again since."
        for got, want, of in zip((dx, dw), affine_slopes(x, w, b, dout), ("dx", "dw"), strict=False):
            later = Symptom("uses-latest", lambda _: True, hint)
            report.close(report.array(got, want.shape, name=of), want, name=of, symptoms=[later])
    with report.stage("float32"):
        small = [a.astype(np.float32) for a in (x, w, b, np.asfortranarray(dout))]
        cache = cache_of(subject, "affine_forward", tuple(small[:3]), tuple(small[:2]))
        wants = affine_slopes(x, w, b, dout)
        for got, want, of in zip(_three(subject(small[3], cache), report), wants, ("dx", "dw", "db"), strict=True):
            report.close(report.array(got, want.shape, name=of), want, rtol=1e-3, atol=1e-3, name=of)


def affine_backward_case(
    subject: Subject, report: Report, name: str, x: np.ndarray, w: np.ndarray, b: np.ndarray, dout: np.ndarray
) -> None:
    """Judge the three gradients at one place. name : of the stages, such as "images"."""
    n = len(x)
    wants = dict(zip(("dx", "dw", "db"), affine_slopes(x, w, b, dout), strict=True))
    cache = cache_of(subject, "affine_forward", (x, w, b), (x, w))
    with report.stage(f"{name}: shapes"):
        call = subject.call(dout, cache)
        gots = dict(zip(wants, _three(call.value, report), strict=True))
        for of, want in wants.items():
            _gradient_shape(gots[of], want, of, report)
    with report.stage(f"{name}: inputs untouched"):
        report.untouched(call, ["dout", "cache"])
    rows = x.reshape(n, -1)
    known = {
        "dx": [
            ("ignores-dout", np.tile(w.sum(axis=1), (n, 1)).reshape(x.shape), "Each row of w counts dout[n, m] times."),
            ("dx-mean", wants["dx"] / n, "No mean is taken here: the loss has divided by N already."),
        ],
        "dw": [
            ("dw-mean", wants["dw"] / n, "Your dw is N times too small: sum over the rows. The loss has divided by N."),
            ("ignores-dout", np.tile(rows.sum(axis=0)[:, None], (1, w.shape[1])), "dout must multiply x."),
        ],
        "db": [
            ("db-mean", wants["db"] / n, "Your db is the mean over the rows: b was added to every row, so sum."),
            ("db-ones", np.full(len(b), float(n)), "These are counts of rows: sum dout itself."),
        ],
    }
    if n == len(b):
        known["db"].append(("db-axis", dout.sum(axis=1), "One number per output: sum over the rows, axis 0."))
    with report.stage(f"{name}: gradients"):
        for of, want in wants.items():
            symptoms = [Symptom(short, looks_like(value), hint) for short, value, hint in known[of]]
            symptoms.append(Symptom("sign", looks_like(-want), f"Your {of} has the opposite sign."))
            report.close(np.asarray(gots[of]), want, name=of, symptoms=symptoms)


def _three(value: Any, report: Report) -> tuple[Any, Any, Any]:
    if value is None:
        report.fail("the result is None", hint="Does your function end in `return`?", symptom="no-return")
    if not isinstance(value, tuple | list) or len(value) != 3:
        report.fail("three gradients are asked: (dx, dw, db)", hint="End in `return dx, dw, db`.", symptom="not-three")
    return value[0], value[1], value[2]


def _gradient_shape(got: Any, want: np.ndarray, of: str, report: Report) -> None:
    """Require the shape of what the gradient belongs to, naming the usual slips."""
    if isinstance(got, np.ndarray) and got.shape != want.shape:
        message = f"{of} must have the shape of {of[1:]}, {want.shape}, got {got.shape}"
        if of == "dx" and got.size == want.size:
            hint = "dx belongs to x as it came in, before flattening: end in .reshape(x.shape)."
            report.fail(message, hint=hint, symptom="dx-flat")
        if of == "db" and got.size == want.size:
            hint = "It broadcasts against the right shape without an error. sum(axis=0) without keepdims gives (M,)."
            report.fail(message, hint=hint, symptom="db-keepdims")
        if of == "db" and got.ndim < 2:
            report.fail(message, hint="One number per output: sum over the rows, axis 0.", symptom="db-axis")
    report.array(got, want.shape, name=of)
