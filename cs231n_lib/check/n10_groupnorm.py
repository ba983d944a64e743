"""What is examined in N10: group norm, forward and backward."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .n10_oracle import refuses, tuple_of
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

INTERLEAVED = (
    "The channels of a group must be neighbours: with 6 channels and 2 groups, 0 1 2 and 3 4 5. A reshape to "
    "(N, groups, C // groups, H, W) does this; (N, C // groups, groups, H, W) takes every second channel."
)


@dataclass(frozen=True)
class Batch:
    """Images to normalize. x : (N, C, H, W);  gamma, beta : (1, C, 1, 1)"""

    x: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    groups: int
    eps: float = 1e-5

    @property
    def cache(self) -> tuple:
        return self.x, self.gamma, self.groups, self.eps

    def out(self, **changes: Any) -> np.ndarray:
        """Return torch's group norm, with some fields replaced."""
        return _torch(replace(self, **changes))[0].detach().numpy()

    def grads(self, dout: np.ndarray, **changes: Any) -> list[np.ndarray]:
        """Return torch's gradients (dx, dgamma, dbeta), with the shapes of x, gamma and beta."""
        import torch

        out, leaves = _torch(replace(self, **changes))
        return [g.numpy() for g in torch.autograd.grad(out, leaves, torch.from_numpy(np.array(dout)))]

    def interleaved(self) -> np.ndarray:
        """Return for each channel its place when the groups take every so manyth channel."""
        return np.arange(self.x.shape[1]).reshape(-1, self.groups).T.ravel()


def _torch(batch: Batch) -> tuple[Any, list[Any]]:
    import torch
    from torch.nn import functional

    leaves = [
        torch.from_numpy(np.array(v, dtype=np.float64)).requires_grad_() for v in (batch.x, batch.gamma, batch.beta)
    ]
    return functional.group_norm(leaves[0], batch.groups, leaves[1].flatten(), leaves[2].flatten(), batch.eps), leaves


def random_batch(
    rng: np.random.Generator, shape: tuple[int, int, int, int], groups: int, *, eps: float = 1e-5
) -> Batch:
    """Return images whose channels differ in mean and spread, so that no two ways of grouping agree."""
    c = shape[1]
    x = rng.normal(size=shape) * rng.uniform(0.5, 3, size=(c, 1, 1)) + rng.normal(0, 2, size=(c, 1, 1))
    gamma, beta = rng.uniform(0.5, 2, size=(1, c, 1, 1)), rng.normal(size=(1, c, 1, 1))
    return Batch(x, gamma, beta, groups, eps)


def _forward_slips(batch: Batch, want: np.ndarray) -> list[Symptom]:
    x, gamma, beta, groups = batch.x, batch.gamma, batch.beta, batch.groups
    n, c = x.shape[:2]
    order = batch.interleaved()
    back = np.argsort(order)
    moved = replace(batch, x=x[:, order], gamma=gamma[:, order], beta=beta[:, order]).out()[:, back]
    standard = (want - beta) / gamma
    bare = batch.x.reshape(n, groups, -1)
    mean, var = bare.mean(axis=2, keepdims=True), bare.var(axis=2, keepdims=True)
    outside = ((bare - mean) / (np.sqrt(var) + batch.eps)).reshape(x.shape) * gamma + beta
    unbiased = ((bare - mean) / np.sqrt(bare.var(axis=2, keepdims=True, ddof=1) + batch.eps)).reshape(x.shape)
    whole = x.reshape(n, groups, -1)
    over_batch = (whole - whole.mean(axis=(0, 2), keepdims=True)) / np.sqrt(
        whole.var(axis=(0, 2), keepdims=True) + batch.eps
    )
    axis_0 = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + batch.eps)
    per_group, per_shift = (np.repeat(v[:, :groups], c // groups, axis=1) for v in (gamma, beta))
    hint = "gamma and beta are (1, C, 1, 1): one number for each channel, applied after the groups are undone."
    symptoms = [
        Symptom("interleaved", looks_like(moved), INTERLEAVED),
        Symptom("no-affine", looks_like(standard), "Multiply by gamma and add beta at the end."),
        Symptom("gamma-per-group", looks_like(standard * per_group + per_shift), hint),
        Symptom(
            "over-batch",
            looks_like(over_batch.reshape(x.shape) * gamma + beta),
            "Each image is normalized on its own: no mean over axis 0.",
        ),
        Symptom("axis-0", looks_like(axis_0 * gamma + beta), "This is a mean over images, as in batch norm."),
        Symptom("eps-outside", looks_like(outside), "eps belongs inside the root: sqrt(var + eps)."),
        Symptom("ddof", looks_like(unbiased * gamma + beta), "Divide the variance by the count, not by count - 1."),
    ]
    if groups != 1:
        symptoms.append(Symptom("one-group", looks_like(batch.out(groups=1)), "All channels are taken for one group."))
    if groups != c:
        hint = "Every channel is normalized on its own: a group has C // groups of them."
        symptoms.append(Symptom("one-channel", looks_like(batch.out(groups=c)), hint))
    return symptoms


def forward_case(subject: Subject, report: Report, batch: Batch) -> None:
    """Require output and cache of one batch."""
    where = f"x {batch.x.shape}, {batch.groups} groups:"
    call = subject.call(batch.x, batch.gamma, batch.beta, batch.groups, eps=batch.eps)
    report.untouched(call, ["x", "gamma", "beta"])
    out, cache = tuple_of(call.value, "out, cache", report)
    got = report.array(out, batch.x.shape, name=f"{where} out")
    want = batch.out()
    report.close(got, want, rtol=1e-6, atol=1e-8, name="out", symptoms=_forward_slips(batch, want))
    kept = isinstance(cache, tuple | list) and len(cache) == 4
    arrays = kept and all(isinstance(v, np.ndarray) for v in cache[:2])
    right = arrays and np.array_equal(cache[0], batch.x) and np.array_equal(np.ravel(cache[1]), batch.gamma.ravel())
    report.require(
        bool(right and tuple(cache[2:]) == (batch.groups, batch.eps)),
        "cache must be the tuple (x, gamma, groups, eps) as they were given",
        hint="The backward pass will get exactly this tuple.",
        symptom="cache",
    )


@exercise("fast-groupnorm_forward", points=2, title="group norm, forward")
def examine_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("six numbers by hand"):
        x = np.array([[1.0, 3, 5, 7, 20, 40], [0, 2, -8, -4, 6, 6.5]]).reshape(2, 6, 1, 1)
        ones = np.ones((1, 6, 1, 1))
        forward_case(subject, report, Batch(x, ones, 0 * ones, 3, 1e-12))
    with report.stage("groups of several channels"):
        forward_case(subject, report, random_batch(rng, (3, 6, 2, 4), 2))
        forward_case(subject, report, random_batch(rng, (2, 8, 3, 2), 4))
    with report.stage("one group, one channel each"):
        forward_case(subject, report, random_batch(rng, (2, 4, 3, 2), 1))
        forward_case(subject, report, random_batch(rng, (2, 3, 4, 2), 3))
    with report.stage("a large eps"):
        forward_case(subject, report, random_batch(rng, (2, 6, 2, 3), 3, eps=0.5))
    with report.stage("eps left out"):
        batch = random_batch(rng, (2, 6, 2, 3), 3)
        spelled = subject(batch.x / 100, batch.gamma, batch.beta, 3, eps=1e-5)
        bare = subject(batch.x / 100, batch.gamma, batch.beta, 3)
        bare, spelled = (tuple_of(value, "out, cache", report)[0] for value in (bare, spelled))
        report.default(bare, spelled, "eps=1e-5")
    with report.stage("groups that do not divide the channels"):
        batch = random_batch(rng, (2, 6, 2, 2), 2)
        refused = refuses(subject, batch.x, batch.gamma, batch.beta, 4)
        report.require(refused, "6 channels in 4 groups must raise ValueError", symptom="no-error")


def _backward_slips(batch: Batch, dout: np.ndarray) -> dict[str, list[Symptom]]:
    n, order = len(batch.x), batch.interleaved()
    moved = replace(batch, x=batch.x[:, order], gamma=batch.gamma[:, order], beta=batch.beta[:, order])
    there = [g[:, np.argsort(order)] for g in moved.grads(dout[:, order])]
    rows = batch.x.reshape(n, batch.groups, -1)
    std = np.sqrt(rows.var(axis=2, keepdims=True) + batch.eps)
    x_hat = (rows - rows.mean(axis=2, keepdims=True)) / std
    up = (dout * batch.gamma).reshape(rows.shape)
    through_var = x_hat * (up * x_hat).mean(axis=2, keepdims=True)
    through_mean = up.mean(axis=2, keepdims=True)
    whole = "dx needs three parts: the direct way, the way through the mean and the way through the variance. "
    direct, no_mean, no_var = ((v / std).reshape(dout.shape) for v in (up, up - through_var, up - through_mean))
    no_gamma = batch.grads(dout / batch.gamma)[0]
    want = batch.grads(dout)
    mean = Symptom("mean", looks_like(want[1] / n), "A sum over images, height and width: divide by nothing.")
    return {
        "dbeta": [],
        "dgamma": [
            Symptom("interleaved", looks_like(there[1]), INTERLEAVED),
            Symptom("no-x-hat", looks_like(want[2]), "gamma was multiplied by x_hat, so dgamma sums dout * x_hat."),
            mean,
        ],
        "dx": [
            Symptom("interleaved", looks_like(there[0]), INTERLEAVED),
            Symptom("no-mean-path", looks_like(no_mean), whole + "The mean's is missing."),
            Symptom("no-var-path", looks_like(no_var), whole + "The variance's is missing."),
            Symptom("direct-only", looks_like(direct), whole + "Only the direct one is here."),
            Symptom("no-gamma", looks_like(no_gamma), "On its way to x_hat the gradient is multiplied by gamma."),
        ],
    }  # fmt: skip


def backward_case(subject: Subject, rng: np.random.Generator, report: Report, batch: Batch) -> None:
    """Require the three gradients of one batch for a random dout that is not centred."""
    dout = rng.normal(0.7, 1.0, size=batch.x.shape)
    call = subject.call(dout, batch.cache)
    report.untouched(call, ["dout", "cache"])
    found = dict(zip(("dx", "dgamma", "dbeta"), tuple_of(call.value, "dx, dgamma, dbeta", report), strict=True))
    wants = dict(zip(found, batch.grads(dout), strict=True))
    c = batch.x.shape[1]
    for name in ("dbeta", "dgamma"):
        got = found[name]
        if isinstance(got, np.ndarray) and got.shape in ((c,), (1, c), (c, 1, 1)):
            message = f"{name} must have shape {(1, c, 1, 1)} as gamma has, got {got.shape}"
            hint = "Sum with keepdims=True, or reshape: an optimizer subtracts the gradient from the parameter."
            report.fail(message, hint=hint, symptom="dgamma-shape")
        if isinstance(got, np.ndarray) and got.shape == (1, batch.groups, 1, 1) and batch.groups != c:
            hint = "Each channel has its own gamma: sum over images, height and width, not over the group."
            report.fail(
                f"{name} must have shape {(1, c, 1, 1)}, got {got.shape}", hint=hint, symptom="dgamma-per-group"
            )
    slips = _backward_slips(batch, dout)
    for name in ("dbeta", "dgamma", "dx"):
        got = report.array(found[name], wants[name].shape, name=name)
        report.close(got, wants[name], rtol=1e-6, atol=1e-8, name=name, symptoms=slips[name])


@exercise("fast-groupnorm_backward", points=3, title="group norm, backward")
def examine_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("groups of several channels"):
        backward_case(subject, rng, report, random_batch(rng, (3, 6, 2, 4), 2))
        backward_case(subject, rng, report, random_batch(rng, (2, 8, 3, 2), 4))
    with report.stage("one group, one channel each"):
        backward_case(subject, rng, report, random_batch(rng, (2, 4, 3, 2), 1))
        backward_case(subject, rng, report, random_batch(rng, (2, 3, 4, 2), 3))
    with report.stage("a large eps"):
        backward_case(subject, rng, report, random_batch(rng, (2, 6, 2, 3), 3, eps=0.5))
