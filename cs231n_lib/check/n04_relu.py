"""What is examined in N04: ReLU, forward and backward, and what happens at exactly 0."""

from functools import partial

import numpy as np

from .n00_start import distinct_sizes
from .passes import cache_of, keeps_something, pair
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, Subject


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0) by the standard library."""
    return np.array([max(value, 0.0) for value in x.ravel().tolist()]).reshape(x.shape)


def _leaks(x: np.ndarray, got: np.ndarray) -> bool:
    """Whether the negative numbers came back scaled by one factor."""
    factors = got[x < 0] / x[x < 0] if got.shape == x.shape else np.zeros(0)
    return bool(factors.size) and bool(np.ptp(factors) < 1e-9) and bool(factors[0] > 1e-9)


def _new_array(call: Call, x: np.ndarray, report: Report) -> np.ndarray:
    """Require a new array of x's shape and a cache; return the array."""
    out, cache = pair(call.value, "out", "cache", report)
    report.require(
        (0, 0) not in call.shares,
        "out and x are the same memory" + (", and your function wrote into it" if call.mutated else ""),
        hint="`out = x` gives the same array a second name, and the backward pass still needs x. Make a new array.",
        symptom="out-aliases-x",
    )
    report.untouched(call, ["x"])
    out = report.array(out, x.shape, name="out")
    keeps_something(cache, report)
    return out


@exercise("net-relu_forward", points=2, title="ReLU, forward")
def examine_relu_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, h = distinct_sizes(rng, 3)
    for name, shape in {"rows": (n, d), "images": (2, d, h, 3)}.items():
        x = rng.normal(0.2, 2.0, size=shape)
        with report.stage(f"{name}: shape, x untouched"):
            out = _new_array(subject.call(x), x, report)
        with report.stage(f"{name}: values"):
            symptoms = [
                Symptom("negative-half", looks_like(np.minimum(x, 0)), "You kept the negative part: keep the other."),
                Symptom("absolute", looks_like(np.abs(x)), "A negative number becomes 0, not positive."),
                Symptom("step", looks_like(x > 0), "Positive numbers pass as they are; yours all became 1."),
                Symptom("clipped", looks_like(np.clip(x, 0, 1)), "Large numbers pass too: there is no upper bound."),
                Symptom("identity", looks_like(x), "Nothing happened: negative numbers become 0."),
                Symptom("leaky", partial(_leaks, x), "Negative numbers become exactly 0 in this ReLU."),
            ]
            report.close(out, relu(x), name="out", symptoms=symptoms)
    with report.stage("all positive"):
        x = rng.uniform(1.0, 2.0, size=(n, d))
        report.close(_new_array(subject.call(x), x, report), relu(x), name="out")
    with report.stage("float32 and zeros"):
        x = np.array([[-1.5, 0.0, 2.5], [-0.0, 1e-30, -1e-30]], dtype=np.float32)
        out = _new_array(subject.call(np.asfortranarray(x)), x, report)
        report.close(out, relu(x), rtol=1e-6, atol=1e-37, name="out")


@exercise("net-relu_backward", points=2, title="ReLU, backward")
def examine_relu_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, h = distinct_sizes(rng, 3)
    for name, shape in {"rows": (n, d), "images": (3, d, h, 2)}.items():
        relu_backward_case(subject, report, name, rng.normal(0.3, 1.0, size=shape), rng.normal(size=shape))
    x = rng.normal(size=(n, d))
    x[rng.random(size=(n, d)) < 0.4] = 0.0
    x[0, :3] = [0.0, -0.0, 1.0]
    relu_backward_case(subject, report, "exact zeros", x, rng.normal(size=(n, d)))
    with report.stage("an earlier cache"):
        x, dout = rng.normal(size=(n, d)), rng.normal(size=(n, d))
        first = cache_of(subject, "relu_forward", (x,), x)
        cache_of(subject, "relu_forward", (-x,), -x)
        dx = report.array(subject(dout, first), (n, d), name="dx")
        hint = "Use the cache that you are given: the forward function may have run again since."
        report.close(dx, np.where(x > 0, dout, 0), name="dx", symptoms=[Symptom("uses-latest", lambda _: True, hint)])
    with report.stage("float32"):
        small, upstream = x.astype(np.float32), np.asfortranarray(dout.astype(np.float32))
        dx = subject(upstream, cache_of(subject, "relu_forward", (small,), small))
        report.close(report.array(dx, (n, d), name="dx"), np.where(x > 0, dout, 0), rtol=1e-6, name="dx")


def relu_backward_case(subject: Subject, report: Report, name: str, x: np.ndarray, dout: np.ndarray) -> None:
    """Judge dx at one place. name : of the stages, such as "images"."""
    cache = cache_of(subject, "relu_forward", (x,), x)
    with report.stage(f"{name}: shape"):
        call = subject.call(dout, cache)
        dx = report.array(call.value, x.shape, name="dx")
    with report.stage(f"{name}: inputs untouched"):
        report.untouched(call, ["dout", "cache"])
    with report.stage(f"{name}: gradient"):
        slopes = [float(value > 0) for value in x.ravel().tolist()]  # 0 at 0: the course's choice at the kink
        mask = np.array(slopes).reshape(x.shape)
        kink = "At x = 0 there is no slope; we agree on 0, so dout passes only where x > 0, not where x >= 0."
        symptoms = [
            Symptom("passes-at-zero", looks_like(np.where(x >= 0, dout, 0)), kink),
            Symptom("mask-of-dout", looks_like(np.maximum(dout, 0)), "The sign of x decides, not that of dout."),
            Symptom("passes-all", looks_like(dout), "Where x was cut to 0, moving x changes nothing: there dx is 0."),
            Symptom("inverted", looks_like(dout * (x < 0)), "dout passes where x is positive: yours is the other way."),
            Symptom("mask-only", looks_like(mask), "This is the slope of ReLU alone: multiply it by dout."),
            Symptom("times-x", looks_like(dout * np.maximum(x, 0)), "The slope of max(0, x) at x > 0 is 1, not x."),
            Symptom("forward-again", looks_like(np.maximum(x, 0)), "This is the forward pass: dout must pass, not x."),
        ]
        report.close(dx, dout * mask, name="dx", symptoms=symptoms)
