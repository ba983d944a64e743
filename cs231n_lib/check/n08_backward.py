"""What is examined in N08: the backward pass of dropout, on the mask of the student's own forward pass."""

from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n08_forward import away_from_zero, uneven_keep
from .passes import neighbour
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject


def dropped(
    subject: Subject, rng: np.random.Generator, x: np.ndarray, *, keep: float, train: bool
) -> tuple[np.ndarray, Any]:
    """Return (factor, cache): by what each entry of x was multiplied, float64 of x's shape, and the cache of that call.

    Both come from the student's own `dropout_forward` where its result is 0 or x / keep in every entry. Otherwise the
    draws are ours and the cache is the one that the exercise documents: a wrong forward pass costs nothing here.
    """
    ours = np.where(rng.random(size=x.shape) < keep, 1 / keep, 0.0) if train else np.ones(x.shape)
    function, seed = neighbour(subject, "dropout_forward"), int(rng.integers(1, 10**6))
    try:
        returned = function(x, keep=keep, train=train, seed=seed) if function is not None else None
    except StudentError:
        returned = None
    if not isinstance(returned, tuple | list) or len(returned) != 2 or returned[1] is None:
        return ours, ours.copy()
    out, cache = returned
    if not isinstance(out, np.ndarray) or out.shape != x.shape or out.dtype.kind != "f":
        return ours, ours.copy()
    factor = out.astype(float) / x
    right = np.where(factor != 0, 1 / keep if train else 1.0, 0.0)
    return (right, cache) if np.allclose(factor, right, rtol=1e-5) else (ours, ours.copy())


@exercise("drop-backward", points=3, title="dropout, backward")
def examine_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, h = distinct_sizes(rng, 3)
    for name, shape in {"rows": (n + 5, d + 5), "images": (3, d, h, 2)}.items():
        backward_case(subject, rng, report, name, away_from_zero(rng, shape), uneven_keep(rng))
    with report.stage("an earlier cache"):
        x, dout = away_from_zero(rng, (9, 8)), rng.normal(size=(9, 8))
        factor, first = dropped(subject, rng, x, keep=0.5, train=True)
        dropped(subject, rng, x, keep=0.5, train=True)
        dx = report.array(subject(dout, first), x.shape, name="dx")
        hint = "Use the cache that you are given: the forward function may have run again since."
        report.close(dx, dout * factor, name="dx", symptoms=[Symptom("uses-latest", lambda _: True, hint)])
    with report.stage("test mode"):
        x, dout = away_from_zero(rng, (n, d)), rng.normal(size=(n, d))
        keep = uneven_keep(rng)
        _, cache = dropped(subject, rng, x, keep=keep, train=False)
        scaled = "In test mode out is x, so the slope is 1: dx is dout, without keep."
        drops = "In test mode nothing was dropped, so nothing is dropped on the way back."
        symptoms = [
            Symptom("scales-at-test", looks_like(dout * keep), scaled),
            Symptom("scales-at-test", looks_like(dout / keep), scaled),
            Symptom("drops-at-test", lambda got: bool((got == 0).any()), drops),
        ]
        report.close(report.array(subject(dout, cache), x.shape, name="dx"), dout, name="dx", symptoms=symptoms)
    with report.stage("float32, column order"):
        x = away_from_zero(rng, (6, 7)).astype(np.float32)
        factor, cache = dropped(subject, rng, x, keep=0.25, train=True)
        dout = np.asfortranarray(rng.normal(size=x.shape).astype(np.float32))
        dx = report.array(subject(dout, cache), x.shape, name="dx")
        report.close(dx, dout * factor, rtol=1e-5, atol=1e-7, name="dx")


def backward_case(
    subject: Subject, rng: np.random.Generator, report: Report, name: str, x: np.ndarray, keep: float
) -> None:
    """Judge dx in train mode. name : of the stages, such as "images"."""
    factor, cache = dropped(subject, rng, x, keep=keep, train=True)
    dout = away_from_zero(rng, x.shape)
    with report.stage(f"{name}: shape"):
        call = subject.call(dout, cache)
        dx = report.array(call.value, x.shape, name="dx")
    with report.stage(f"{name}: inputs untouched"):
        report.untouched(call, ["dout", "cache"])
    with report.stage(f"{name}: gradient"):
        # Each entry of out is x times its factor, and the factor does not depend on x: the slope is the factor.
        mask = factor != 0

        def other_mask(got: np.ndarray) -> bool:
            slope = got / dout
            return bool(np.allclose(slope, np.where(slope != 0, 1 / keep, 0)))

        symptoms = [
            Symptom(
                "mask-not-divided",
                looks_like(dout * mask),
                "What stayed was divided by keep on the way up, so its slope is 1 / keep, not 1.",
            ),
            Symptom("divided-twice", looks_like(dout * factor / keep), "Yours is divided by keep twice."),
            Symptom("multiplied", looks_like(dout * mask * keep), "The slope is 1 / keep: divide, do not multiply."),
            Symptom("passes-all", looks_like(dout), "What was dropped does not move the loss: there dx is 0."),
            Symptom("divides-all", looks_like(dout / keep), "What was dropped does not move the loss: there dx is 0."),
            Symptom(
                "inverted",
                lambda got: bool(not got[mask].any() and got[~mask].all()),
                "dout passes where x stayed, and yours passes where x was dropped.",
            ),
            Symptom("mask-only", looks_like(factor), "This is the slope of dropout alone: multiply it by dout."),
            Symptom("other-mask", other_mask, "Draw nothing on the way back: use the mask that the forward pass drew."),
        ]
        report.close(dx, dout * factor, rtol=1e-6, name="dx", symptoms=symptoms)
