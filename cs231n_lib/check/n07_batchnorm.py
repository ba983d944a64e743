"""What is examined in N07: the forward pass of batch norm, in training and in test mode."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n07_form import require_cache, results
from .n07_mistakes import Relations, output_mistakes, symptoms_of
from .n07_oracle import moments, normalized
from .report import Report, Symptom
from .spec import exercise
from .subject import Call, Subject

INPUTS = ("x", "gamma", "beta", "running_mean", "running_var")
RESULTS = ("out", "cache", "running_mean", "running_var")


@dataclass(frozen=True)
class Batch:
    """One call of batch norm: its inputs, and its options."""

    x: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    running_mean: np.ndarray
    running_var: np.ndarray
    momentum: float
    eps: float

    @property
    def arrays(self) -> list[np.ndarray]:
        return [getattr(self, name) for name in INPUTS]

    def out(self, **changes: Any) -> np.ndarray:
        """Return the right output in training mode, or with another eps, axis, means or variances."""
        options = {"eps": self.eps, "axis": 0, **changes}
        eps = options.pop("eps")
        return normalized(self.x.astype(float), self.gamma, self.beta, eps, **options)

    def running(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the right running mean and variance after this batch."""
        keep, old = self.momentum, (self.running_mean, self.running_var)
        mean, var = (a * keep + b * (1 - keep) for a, b in zip(old, moments(self.x, axis=0), strict=True))
        return mean, var


def random_batch(rng: np.random.Generator, n: int, d: int) -> Batch:
    """Draw a batch whose columns have different means and spreads, and options far from the defaults."""
    return Batch(
        x=rng.normal(size=(n, d)) * rng.uniform(0.5, 2.0, size=d) + rng.normal(0.0, 3.0, size=d),
        gamma=rng.uniform(0.5, 2.0, size=d),
        beta=rng.normal(1.0, 1.0, size=d),
        running_mean=rng.normal(size=d),
        running_var=rng.uniform(0.5, 3.0, size=d),
        momentum=float(rng.uniform(0.6, 0.8)),
        eps=float(rng.uniform(0.2, 0.4)),
    )


def run(subject: Subject, batch: Batch, report: Report, *, train: bool) -> tuple[np.ndarray, Any, list[np.ndarray]]:
    """Call the student's function; return (out, cache, [running_mean, running_var]) with their shapes required."""
    return _judged_form(subject.call(*batch.arrays, train=train, momentum=batch.momentum, eps=batch.eps), batch, report)


def _judged_form(call: Call, batch: Batch, report: Report) -> tuple[np.ndarray, Any, list[np.ndarray]]:
    out, cache, mean, var = results(call.value, RESULTS, report)
    out = report.array(out, batch.x.shape, name="out")
    running = [report.array(got, batch.gamma.shape, name=of) for got, of in zip((mean, var), RESULTS[2:], strict=True)]
    return out, cache, running


@exercise("norm-batchnorm_forward", points=7, title="batch norm, forward")
def examine_batchnorm_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d = distinct_sizes(rng, 2)
    batch = random_batch(rng, n, d)
    with report.stage("shape"):
        call = subject.call(*batch.arrays, train=True, momentum=batch.momentum, eps=batch.eps)
        out, cache, running = _judged_form(call, batch, report)
    with report.stage("inputs untouched"):
        require_untouched(call, report)
    with report.stage("two rows by hand"):
        x, gamma, beta = np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([2.0, 3.0]), np.array([5.0, 7.0])
        hand = Batch(x, gamma, beta, np.array([4.0, 10.0]), np.ones(2), momentum=0.9, eps=0.0)
        here, _, (mean, _) = run(subject, hand, report, train=True)
        report.close(here, [[3.0, 4.0], [7.0, 10.0]], name="out", symptoms=_output_mistakes(hand))
        report.close(mean, [3.8, 11.0], name="running_mean", symptoms=_running_mistakes(hand, 0))
    with report.stage("output in training"):
        report.close(out, batch.out(), name="out", symptoms=_output_mistakes(batch))
    with report.stage("running statistics"):
        require_running(running, batch, report)
    with report.stage("cache"):
        require_cache(cache, batch.x, batch.gamma, batch.eps, report, axis=0)
    with report.stage("test mode"):
        for rows in (n, d, 1):
            require_test_mode(subject, random_batch(rng, rows, d), report)
    with report.stage("default momentum and eps"):
        _require_defaults(subject, random_batch(rng, n, d), report)
    with report.stage("a constant column, a far mean"):
        flat = random_batch(rng, n, d)
        flat.x[:, 0], flat.x[:, 1] = 0.1, flat.x[:, 1] + 1000.0
        out, _, running = run(subject, flat, report, train=True)
        report.close(out, flat.out(), rtol=1e-6, atol=1e-6, name="out")
    with report.stage("float32 and column order"):
        small = random_batch(rng, n, d)
        arrays = [np.asfortranarray(array, dtype=np.float32) for array in small.arrays]
        call = subject.call(*arrays, train=True, momentum=small.momentum, eps=small.eps)
        out, _, running = _judged_form(call, small, report)
        report.close(out, small.out(), rtol=1e-3, atol=1e-4, name="out")
        for got, want, name in zip(running, small.running(), RESULTS[2:], strict=True):
            report.close(got, want, rtol=1e-3, atol=1e-4, name=name)


def require_untouched(call: Call, report: Report) -> None:
    """Require that the inputs were left alone; the running statistics tempt most."""
    in_place = [which for which in call.mutated if which in (3, 4)]
    if in_place:
        report.fail(
            f"your function changed its input {INPUTS[int(in_place[0])]}",
            hint="`running *= momentum` writes into the caller's array. Build new running statistics and return them.",
            symptom="running-in-place",
        )
    report.untouched(call, INPUTS)


def _output_mistakes(batch: Batch) -> list[Symptom]:
    """Return the slips that are recognised in the output of training mode."""
    mean_after, var_after = batch.running()
    relations: Relations = {
        "uses-running": (
            batch.out(means=batch.running_mean, variances=batch.running_var),
            "In training the batch's own mean and variance count; the running ones are for test mode.",
        ),
        "uses-updated": (
            batch.out(means=mean_after, variances=var_after),
            "You normalize by the updated running statistics. In training the batch's own mean and variance count.",
        ),
    }
    return symptoms_of(relations | output_mistakes(batch.x, batch.gamma, batch.beta, batch.eps, axis=0))


def require_running(running: list[np.ndarray], batch: Batch, report: Report) -> None:
    """Require the running statistics of training mode, exactly."""
    for which, name in enumerate(RESULTS[2:]):
        symptoms = _running_mistakes(batch, which)
        hint = f"{name} = momentum * {name} + (1 - momentum) * the batch's own."
        report.close(running[which], batch.running()[which], name=name, symptoms=symptoms, hint=hint)


def _running_mistakes(batch: Batch, which: int) -> list[Symptom]:
    """Return the slips of a running statistic. which : 0 for the mean, 1 for the variance."""
    keep, n = batch.momentum, len(batch.x)
    old, new = (batch.running_mean, batch.running_var)[which], moments(batch.x, axis=0)[which]
    right = batch.running()

    def after(new: Any, keep: float = keep) -> np.ndarray:
        return old * keep + new * (1 - keep)

    relations: Relations = {
        "momentum-swapped": (
            after(new, 1 - keep),
            "momentum and 1 - momentum are swapped: with momentum 0.9, nine tenths of the old value stay. (PyTorch's "
            "`momentum` is the share of the new one.)",
        ),
        "not-updated": (old, "In training mode, blend the batch's own statistics into the running ones."),
        "not-kept": (new, "These are the statistics of this batch alone: a share `momentum` of the old stays."),
        "momentum-fixed": (after(new, 0.9), "You use momentum = 0.9 whatever is asked. Use the argument."),
        "running-swapped": (right[1 - which], "running_mean comes before running_var."),
        "running-sum": (old * keep + new, "The share of the new is 1 - momentum."),
    }
    if which:
        relations |= {
            "running-ddof": (
                after(new * n / max(n - 1, 1)),
                "The batch's variance goes in as it is, divided by N. (PyTorch keeps the one divided by N - 1.)",
            ),
            "running-std": (after(np.sqrt(new)), "running_var keeps variances, not standard deviations: no root."),
            "running-eps": (after(new + batch.eps), "eps is for the division only: leave it out of running_var."),
            "running-inverse": (after(1 / np.sqrt(new + batch.eps)), "running_var keeps the variance itself."),
        }
    return symptoms_of(relations)


def require_test_mode(subject: Subject, batch: Batch, report: Report) -> None:
    """Require the output by the running statistics, and that these come back as they were."""
    call = subject.call(*batch.arrays, train=False, momentum=batch.momentum, eps=batch.eps)
    out, _, running = _judged_form(call, batch, report)
    require_untouched(call, report)
    old, eps = (batch.running_mean, batch.running_var), batch.eps
    for got, want, name in zip(running, old, RESULTS[2:], strict=True):
        report.require(
            bool(np.allclose(got, want, rtol=1e-12, atol=0.0)),
            f"in test mode {name} must come back as it was",
            hint="Test images must not change the model: update the running statistics in training mode only.",
            symptom="test-updates",
        )
    want = batch.out(means=old[0], variances=old[1])
    relations: Relations = {
        "mode-ignored": (
            batch.out(),
            "With train=False you still normalize by the batch's own statistics. Test mode uses the running ones: a "
            "picture's scores must not depend on which others are tested with it.",
        ),
        "test-updated": (
            batch.out(means=batch.running()[0], variances=batch.running()[1]),
            "In test mode use the running statistics as they come, without this batch.",
        ),
        "running-as-std": (
            batch.out(means=old[0], variances=old[1] ** 2 - eps),
            "You divide by running_var. It is a variance: divide by sqrt(running_var + eps).",
        ),
        "no-root": (
            batch.out(means=old[0], variances=(old[1] + eps) ** 2 - eps),
            "You divide by the variance. Divide by its square root.",
        ),
        "eps-outside": (
            batch.out(means=old[0], variances=(np.sqrt(old[1]) + eps) ** 2 - eps),
            "eps belongs under the root, in test mode too.",
        ),
        "no-eps": (batch.out(means=old[0], variances=old[1] - eps), "eps is missing in test mode."),
        "no-affine": (
            (want - batch.beta) / batch.gamma,
            "gamma and beta are part of the layer: they count in test mode too.",
        ),
    }
    report.close(out, want, name="out in test mode", symptoms=symptoms_of(relations))


def _require_defaults(subject: Subject, batch: Batch, report: Report) -> None:
    """Require momentum = 0.9 and eps = 1e-5 when nothing is said; the columns vary so little that eps shows."""
    usual = replace(batch, x=batch.x * 1e-2, momentum=0.9, eps=1e-5)
    call = subject.call(*usual.arrays, train=True)
    out, _, (mean, _) = _judged_form(call, usual, report)
    hint = "The head of the function says momentum=0.9, eps=1e-5: leave it so, and use the names."
    for got, want, name in ((out, usual.out(), "out"), (mean, usual.running()[0], "running_mean")):
        other = [Symptom("defaults", lambda _: True, hint)]
        report.close(got, want, rtol=1e-6, atol=1e-7, name=f"{name} without options", symptoms=other)
