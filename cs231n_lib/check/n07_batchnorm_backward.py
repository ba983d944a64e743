"""What is examined in N07: the backward pass of a normalization; of batch norm twice, step by step and simplified."""

import contextlib

import numpy as np

from .clock import seconds
from .n00_start import distinct_sizes
from .n07_form import make_cache, results
from .n07_mistakes import dx_mistakes, require_sums, symptoms_of
from .n07_oracle import norm_slopes
from .report import Report
from .spec import exercise
from .subject import Subject

NAMES = ("dx", "dgamma", "dbeta")
SPEEDUP = 2  # over a bare Python loop over the rows; an answer with a loop does several times its work and gets 0.3


def gradient_case(
    subject: Subject, rng: np.random.Generator, report: Report, n: int, d: int, *, axis: int, name: str, eps: float
) -> None:
    """Judge the three gradients on a fresh batch and the cache that belongs to it. name : as in `judge_gradients`

    The means of dout are far from 0: on a centred dout the path through the mean carries nothing, and whoever leaves
    it out is not found out.
    """
    x = rng.normal(size=(n, d)) * rng.uniform(0.5, 2.0, size=d) + rng.normal(0.0, 3.0, size=d)
    gamma = rng.uniform(0.5, 2.0, size=d) * rng.choice([-1.0, 1.0], size=d)
    dout = rng.normal(rng.choice([-2.0, 2.0], size=(1, d)), 1.0, size=(n, d))
    judge_gradients(subject, x, gamma, dout, report, axis=axis, name=name, eps=eps)


def judge_gradients(
    subject: Subject,
    x: np.ndarray,
    gamma: np.ndarray,
    dout: np.ndarray,
    report: Report,
    *,
    axis: int,
    name: str,
    eps: float,
) -> None:
    """Judge the three gradients at one place. name : makes all of it one stage; without one each step is a stage"""

    def step(what: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if name else report.stage(what)

    wants = dict(zip(NAMES, norm_slopes(x, gamma, eps, dout, axis=axis), strict=True))
    with report.stage(name) if name else contextlib.nullcontext():
        with step("shape"):
            call = subject.call(dout, make_cache(x, gamma, eps, axis=axis))
            got = dict(zip(NAMES, results(call.value, NAMES, report), strict=True))
            report.array(got["dx"], x.shape, name="dx")
        with step("inputs untouched"):
            report.untouched(call, ["dout", "cache"])
        with step("dgamma and dbeta"):
            require_sums(got, x, dout, wants, report)
        with step("dx"):
            mistakes = symptoms_of(dx_mistakes(x, gamma, eps, dout, axis=axis))
            report.close(got["dx"], wants["dx"], name="dx", symptoms=mistakes)


def examine_backward(subject: Subject, rng: np.random.Generator, report: Report, *, axis: int) -> None:
    """Examine a backward pass. axis : 0 for batch norm, 1 for layer norm"""
    n, d = distinct_sizes(rng, 2)
    gradient_case(subject, rng, report, n, d, axis=axis, name="", eps=float(rng.uniform(0.2, 0.4)))
    gradient_case(subject, rng, report, d, n, axis=axis, name="another shape", eps=1e-5)
    gradient_case(subject, rng, report, n, n, axis=axis, name="as many rows as features", eps=0.1)
    with report.stage("float32 and column order"):
        x, dout = (np.asfortranarray(rng.normal(1.0, 1.0, size=(n, d)).astype(np.float32)) for _ in range(2))
        gamma = rng.uniform(0.5, 2.0, size=d).astype(np.float32)
        found = results(subject(dout, make_cache(x, gamma, 0.01, axis=axis)), NAMES, report)
        wants = norm_slopes(x.astype(float), gamma.astype(float), 0.01, dout.astype(float), axis=axis)
        for name, got, want in zip(NAMES, found, wants, strict=True):
            report.close(report.array(got, want.shape, name=name), want, rtol=1e-3, atol=1e-3, name=name)


@exercise("norm-batchnorm_backward", points=7, title="batch norm, backward through the graph")
def examine_batchnorm_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    examine_backward(subject, rng, report, axis=0)


@exercise("norm-batchnorm_backward_alt", points=5, title="batch norm, backward simplified")
def examine_batchnorm_backward_alt(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    examine_backward(subject, rng, report, axis=0)
    with report.stage("speed"):
        x, dout = rng.normal(size=(10_000, 3)), rng.normal(size=(10_000, 3))
        cache = make_cache(x, np.ones(3), 1e-5, axis=0)
        loop = seconds(lambda: [float((row * other).sum()) for row, other in zip(x, dout, strict=True)])
        yours = min(subject.call(dout, cache).seconds for _ in range(3))  # the least disturbed by other programs
        report.require(
            loop >= SPEEDUP * yours,
            f"{loop / max(yours, 1e-9):.1f} times as fast as a Python loop over the rows; {SPEEDUP} times is asked",
            hint="No Python loop is needed: two sums over axis 0, then one expression for the whole table.",
            symptom="slow",
        )
