"""What is examined in N03, first quarter: slopes measured by central differences."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .n00_start import distinct_sizes
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, StudentError, Subject


@dataclass
class Probe:
    """A function of an array that remembers where it was asked.

    f : the function; x : the point around which it should be asked, any shape
    fails_at : the call, counted from 1, that raises; 0 for none
    """

    f: Callable[[np.ndarray], float]
    x: np.ndarray
    fails_at: int = 0
    seen: list[np.ndarray] = field(default_factory=list)
    wrong_shape: tuple[int, ...] | None = None

    def __call__(self, x: object) -> float:
        asked = np.asarray(x)
        if asked.shape != self.x.shape or asked.dtype.kind not in "iuf":
            self.wrong_shape = asked.shape
            raise ValueError(f"f takes an array of numbers of shape {self.x.shape}, got shape {asked.shape}")
        self.seen.append(asked)
        if len(self.seen) == self.fails_at:
            raise ValueError("f is not defined here")
        return float(self.f(asked.astype(np.float64)))

    def moved(self) -> list[int]:
        """Return for each call how many entries differ from x."""
        return [int(np.count_nonzero(asked != self.x)) for asked in self.seen]

    def symptoms(self) -> list[Symptom]:
        """Return the slips that show in where f was asked, whatever came back."""
        moved = self.moved()
        return [
            Symptom(
                "never-asked",
                lambda _: not moved,
                "Your function never called f. The slope is measured from values of f at moved points.",
            ),
            Symptom(
                "never-moves",
                lambda _: not any(moved),
                "f was asked at x itself every time: what you moved was a copy. reshape(-1) and ravel copy an array "
                "that lies column by column in memory; index x with its own axes.",
            ),
            Symptom(
                "moves-all",
                lambda _: self.x.size > 1 and max(moved[:2]) > 1,
                "Your first step moved several entries of x at once. For the slope along one entry move it alone.",
            ),
            Symptom(
                "not-restored",
                lambda _: max(moved) > 1,
                "Some call of f saw two or more moved entries: the earlier ones were not put back. Start each entry "
                "from a fresh copy of x.",
            ),
        ]


def measured(subject: Subject, probe: Probe, report: Report, *options: float) -> Call:
    """Call the student's function on the probe and its point. A wrong shape handed to f is named."""
    try:
        return subject.call(probe, probe.x, *options)
    except StudentError:
        if probe.wrong_shape is not None:
            report.fail(
                f"f was called with an array of shape {probe.wrong_shape}; it takes the shape of x, {probe.x.shape}",
                hint="Hand f a whole array like x, with one entry moved.",
                symptom="f-shape",
            )
        raise


@exercise("grad-numeric_grad", points=5, title="slopes by central differences")
def examine_numeric_grad(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d = distinct_sizes(rng, 2)
    x = np.asfortranarray(rng.normal(size=(n, d)))
    a, b = rng.normal(size=(2, n, d))
    smooth = Probe(lambda v: float((a * np.sin(v)).sum() + (b * v).sum() ** 2), x)
    with report.stage("shape"):
        call = measured(subject, smooth, report)
        got = report.array(call.value, (n, d), kind="fi")
    with report.stage("dtype"):
        report.require(got.dtype == np.float64, f"the result must be float64, got {got.dtype}", symptom="dtype")
    with report.stage("input untouched"):
        report.untouched(call, ["f", "x"])
    with report.stage("x y at (3, -4)"):
        product = Probe(lambda v: float(v[0] * v[1]), np.array([3.0, -4.0]))
        got_here = report.array(measured(subject, product, report).value, (2,))
        _close(report, got_here, np.array([-4.0, 3.0]), product)
    with report.stage("a wide step"):
        slopes = rng.uniform(0.5, 1.5, size=(d, n))
        place = rng.uniform(1.5, 4.5, size=(d, n)) * rng.choice([-1, 1], size=(d, n))
        place[-1, -1] += (2 - (slopes * place).sum()) / slopes[-1, -1]
        cubic = Probe(lambda v: float((slopes * v).sum() ** 3), place)
        _examine_wide_step(subject, report, cubic, slopes, h=0.5)
    with report.stage("values"):
        total = 2 * math.fsum((b * x).ravel().tolist())
        want = [[a[i, j] * math.cos(x[i, j]) + total * b[i, j] for j in range(d)] for i in range(n)]
        hint = "A step of h = 1e-5 measures this slope to nine digits in float64."
        _close(report, got, np.array(want), smooth, hint=hint)
    _examine_other_dtypes(subject, rng, report)
    with report.stage("an error half-way"):
        _examine_interrupted(subject, report, Probe(smooth.f, np.array(x), fails_at=4))


def _close(report: Report, got: np.ndarray, want: np.ndarray, probe: Probe, *, hint: str = "") -> None:
    symptoms = [
        Symptom("no-half", looks_like(2 * want, rtol=1e-4), "Between x - h and x + h lie two steps: divide by 2h."),
        Symptom("half", looks_like(want / 2, rtol=1e-4), "One step lies between your two points: divide by h."),
        Symptom("sign", looks_like(-want, rtol=1e-4), "The sign is reversed: f(x + h) comes first, minus f(x - h)."),
        *probe.symptoms(),
        Symptom("not-divided", lambda v: bool(np.abs(v).max() < 1e-3), "Divide the difference by its step."),
    ]
    report.close(got, want, rtol=1e-6, atol=1e-6, name="the gradient", symptoms=symptoms, hint=hint)


def _examine_wide_step(subject: Subject, report: Report, probe: Probe, a: np.ndarray, *, h: float) -> None:
    """(a.x)**3 at a step of 0.5, where a.x = 2: forward, backward and central differences all differ."""
    s = math.fsum((a * probe.x).ravel().tolist())
    got = report.array(measured(subject, probe, report, h).value, a.shape)
    right, left, exact = 3 * s**2 * a + 3 * s * a**2 * h + a**3 * h**2, 3 * s**2 * a - 3 * s * a**2 * h + a**3 * h**2, a
    symptoms = [
        Symptom("forward", looks_like(right), "This is the forward difference: use f(x + h) and f(x - h)."),
        Symptom("backward", looks_like(left), "This is the backward difference: use f(x + h) and f(x - h)."),
        Symptom(
            "ignores-h", looks_like(3 * s**2 * exact, rtol=1e-4), f"h = {h} was asked: you used a step of your own."
        ),
        Symptom(
            "half-step", looks_like(3 * s**2 * a + a**3 * h**2 / 4), "Each side is a whole h away, not half of one."
        ),
        Symptom("no-half", looks_like(right + left), "Between x - h and x + h lie two steps: divide by 2h."),
        *probe.symptoms(),
    ]
    report.close(got, (right + left) / 2, rtol=1e-6, name=f"with h = {h}, the gradient", symptoms=symptoms)


def _examine_other_dtypes(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """A step of 1e-5 vanishes in integers, and nearly in float32."""
    whole, weights = rng.integers(1, 9, size=4), rng.uniform(1, 2, size=4)
    for dtype, symptom, why in (
        (np.int64, "integer-x", "In an integer array x[i] + 1e-5 is cut back to x[i], and x[i] - 1e-5 to x[i] - 1."),
        (
            np.float32,
            "float32-x",
            "float32 keeps seven digits: x[i] + 1e-5 is already rounded by some per cent of 1e-5.",
        ),
    ):
        with report.stage(f"x of {np.dtype(dtype).name}"):
            probe = Probe(lambda v: float((weights * v**2).sum()), whole.astype(dtype))
            got = report.array(measured(subject, probe, report).value, (4,), kind="fi")
            want = np.array([2 * u * v for u, v in zip(weights.tolist(), whole.tolist(), strict=True)])
            lost = Symptom(symptom, lambda v: True, f"{why} Work on a float64 copy of x.")
            report.close(got, want, rtol=1e-6, atol=1e-6, name="the gradient", symptoms=[lost])


def _examine_interrupted(subject: Subject, report: Report, probe: Probe) -> None:
    """f raises at its fourth call: the error must come through and x must be as it was."""
    mutated: tuple = ()
    try:
        subject.call(probe, probe.x)
    except StudentError as error:
        mutated = error.mutated
    else:
        report.fail(
            "f raised an error, and your function returned all the same",
            hint="Let the error of f through: a gradient with a hole in it is worse than none.",
            symptom="swallows-error",
        )
    report.require(
        1 not in mutated,
        "when f raised an error, x was left with a moved entry",
        hint="Move a copy, never x itself: then nothing needs to be put back, whatever happens in f.",
        symptom="left-perturbed",
    )
