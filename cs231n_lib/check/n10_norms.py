"""What is examined in N10: batch norm over images, on top of a batch norm over rows."""

from typing import Any

import numpy as np

from . import standins
from .n10_oracle import Spy, run, tuple_of
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

MIXED = (
    "A reshape of (N, C, H, W) to C columns mixes channels, as it never moves an axis. First bring C to the end, "
    "x.transpose(0, 2, 3, 1), then reshape to (N * H * W, C)."
)
BACK = (
    "The rows are right, but on the way back they were reshaped to x.shape directly. Undo both steps in reverse order: "
    "reshape to (N, H, W, C), then transpose C to axis 1."
)


def to_rows(x: np.ndarray) -> np.ndarray:
    """Return images (N, C, H, W) as rows (N * H * W, C), in the order n, h, w."""
    return np.stack([x[:, c].ravel() for c in range(x.shape[1])], axis=1)


def _norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray, train: bool) -> Any:
    """Return torch's batch norm of images: (out, new mean, new var); the variance divided by N * H * W throughout."""
    import torch
    from torch.nn import functional

    images, g, b = (torch.from_numpy(v) for v in (x, gamma, beta))
    if not train:
        held = [torch.from_numpy(v.copy()) for v in (mean, var)]
        return functional.batch_norm(images, held[0], held[1], g, b, training=False, eps=1e-5).numpy(), mean, var
    out = functional.batch_norm(images, None, None, g, b, training=True, eps=1e-5).numpy()
    new_var, new_mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
    return out, 0.9 * mean + 0.1 * new_mean.numpy(), 0.9 * var + 0.1 * new_var.numpy()


def _expect_rows(x: np.ndarray) -> Any:
    """Return an examination of what batchnorm_forward is given: rows of C numbers."""
    n, c, h, w = x.shape

    def examine(rows: Any, *args: Any, **kwargs: Any) -> tuple[str, str, str] | None:
        if isinstance(rows, np.ndarray) and rows.shape == (n * h * w, c):
            return None
        found = rows.shape if isinstance(rows, np.ndarray) else type(rows).__name__
        message = (
            f"batchnorm was given shape {found}; for images {x.shape} its rows are (N * H * W, C) = {(n * h * w, c)}"
        )
        return message, "Every pixel of every image is one row, and its C channels are the columns.", "rows-shape"

    return examine


def forward_case(
    subject: Subject, rng: np.random.Generator, report: Report, shape: tuple[int, int, int, int], *, train: bool
) -> None:
    """Require output and running statistics for random images of this shape (N, C, H, W)."""
    c = shape[1]
    x = rng.normal(size=shape) * rng.uniform(0.5, 3, size=(c, 1, 1)) + rng.normal(size=(c, 1, 1))
    gamma, beta, mean = rng.uniform(0.5, 2, size=c), rng.normal(size=c), rng.normal(size=c)
    var = rng.uniform(0.5, 2, size=c)
    spy = Spy(standins.batchnorm_forward, _expect_rows(x))
    problem = lambda: spy.problems[0] if spy.problems else None  # noqa: E731
    args = (x, gamma, beta, mean, var)
    call = run(subject, report, *args, train=train, batchnorm_forward=spy, problem=problem)
    report.untouched(call, ["x", "gamma", "beta", "running_mean", "running_var"])
    out, cache, new_mean, new_var = tuple_of(call.value, "out, cache, running_mean, running_var", report)
    want, want_mean, want_var = _norm(x, gamma, beta, mean, var, train)
    got = _images(out, shape, report)
    report.close(got, want, rtol=1e-6, atol=1e-8, name="out", symptoms=_forward_slips(args, want, train))
    for name, now, wanted, old in (
        ("running_mean", new_mean, want_mean, mean),
        ("running_var", new_var, want_var, var),
    ):
        kept = Symptom(
            "not-updated", looks_like(old), "batchnorm_forward gives back new running statistics: return them."
        )
        found = report.array(now, (c,), name=name)
        report.close(found, wanted, rtol=1e-6, atol=1e-8, name=name, symptoms=[kept] if train else [])
    report.require(
        cache is not None, "cache is None", hint="Hand on batchnorm_forward's own cache.", symptom="no-cache"
    )


def _images(got: Any, shape: tuple[int, ...], report: Report, name: str = "out") -> np.ndarray:
    n, c, h, w = shape
    if isinstance(got, np.ndarray) and got.shape != shape and got.shape in ((n * h * w, c), (n, h, w, c)):
        message = f"{name} must have the shape of x, {shape}, got {got.shape}"
        report.fail(message, hint="Undo the reshape and the transpose at the end.", symptom="not-undone")
    return report.array(got, shape, name=name)


def _forward_slips(args: Any, want: np.ndarray, train: bool) -> list[Symptom]:
    x, gamma, beta, mean, var = args
    n, c, h, w = x.shape
    mixed = _rows_norm(x.reshape(-1, c), gamma, beta, mean, var, train).reshape(x.shape)
    not_back = to_rows(want).reshape(x.shape)
    turned = _rows_norm(x.transpose(0, 2, 3, 1).reshape(-1, c), gamma, beta, mean, var, train)
    symptoms = [
        Symptom("mixed-channels", looks_like(mixed), MIXED),
        Symptom(
            "mixed-channels",
            looks_like(_rows_norm(x.reshape(c, -1).T, gamma, beta, mean, var, train).T.reshape(x.shape)),
            MIXED,
        ),
        Symptom("not-moved-back", looks_like(not_back), BACK),
        Symptom("not-moved-back", looks_like(turned.reshape(n, h, c, w).transpose(0, 2, 1, 3)), BACK),
    ]
    if not train:
        hint = "Hand train on to batchnorm_forward: in test mode it uses the running statistics."
        symptoms.append(Symptom("train-not-passed", looks_like(_norm(x, gamma, beta, mean, var, True)[0]), hint))
    return symptoms


def _rows_norm(rows: np.ndarray, gamma: Any, beta: Any, mean: Any, var: Any, train: bool) -> np.ndarray:
    return standins.batchnorm_forward(rows, gamma, beta, mean, var, train=train)[0]


@exercise("fast-spatial_bn_forward", points=3, title="spatial batch norm, forward")
def examine_spatial_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("training mode"):
        forward_case(subject, rng, report, (4, 3, 2, 5), train=True)
        forward_case(subject, rng, report, (2, 4, 3, 3), train=True)
    with report.stage("test mode"):
        forward_case(subject, rng, report, (3, 2, 4, 5), train=False)


def backward_case(subject: Subject, rng: np.random.Generator, report: Report, shape: tuple[int, int, int, int]) -> None:
    """Require the gradients of spatial batch norm, with torch's batchnorm_backward in the student's hands."""
    import torch
    from torch.nn import functional

    c = shape[1]
    x, gamma, beta = rng.normal(1, 2, size=shape), rng.uniform(0.5, 2, size=c), rng.normal(size=c)
    dout = rng.normal(0.5, 1, size=shape)
    spy = Spy(standins.batchnorm_backward, _expect_rows(dout))
    cache = (to_rows(x), gamma, beta, 1e-5)
    problem = lambda: spy.problems[0] if spy.problems else None  # noqa: E731
    call = run(subject, report, dout, cache, batchnorm_backward=spy, problem=problem)
    report.untouched(call, ["dout", "cache"])
    dx, dgamma, dbeta = tuple_of(call.value, "dx, dgamma, dbeta", report)
    leaves = [torch.from_numpy(v.copy()).requires_grad_() for v in (x, gamma, beta)]
    out = functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True, eps=1e-5)
    wants = [g.numpy() for g in torch.autograd.grad(out, leaves, torch.from_numpy(dout))]
    got = _images(dx, shape, report, "dx")
    wrong = standins.batchnorm_backward(dout.reshape(-1, c), cache)
    symptoms = [
        Symptom("mixed-channels", looks_like(wrong[0].reshape(shape)), MIXED),
        Symptom("not-moved-back", looks_like(to_rows(wants[0]).reshape(shape)), BACK),
    ]
    mixed = Symptom("mixed-channels", looks_like(wrong[2]), MIXED)
    dbeta = report.array(dbeta, (c,), name="dbeta")
    report.close(dbeta, wants[2], rtol=1e-6, atol=1e-8, name="dbeta", symptoms=[mixed])
    dgamma = report.array(dgamma, (c,), name="dgamma")
    mixed = Symptom("mixed-channels", looks_like(wrong[1]), MIXED)
    report.close(dgamma, wants[1], rtol=1e-6, atol=1e-8, name="dgamma", symptoms=[mixed])
    report.close(got, wants[0], rtol=1e-6, atol=1e-8, name="dx", symptoms=symptoms)


@exercise("fast-spatial_bn_backward", points=2, title="spatial batch norm, backward")
def examine_spatial_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("gradients"):
        backward_case(subject, rng, report, (4, 3, 2, 5))
        backward_case(subject, rng, report, (2, 4, 3, 3))
