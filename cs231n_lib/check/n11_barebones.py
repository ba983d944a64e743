"""What is examined in N11: a ConvNet of bare tensors, one step of SGD by hand, and fresh parameters."""

import math
from typing import Any

import numpy as np

from .n11_oracle import (
    Slip,
    at,
    attempt,
    close,
    has_history,
    leaf,
    net_scores,
    parameter,
    require_gradients,
    score_symptoms,
    sent,
)
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject
from .tensors import Tensor

NAMES = ("w1", "b1", "w2", "b2", "w3", "b3")
SIZES: list[Slip] = [
    (
        "shapes cannot be multiplied",
        "flat-size",
        "The maps must keep the image's height and width: each convolution is padded by (K - 1) / 2 of its own filter. "
        "And the last layer takes one row for each image: flatten all axes but the first.",
    ),
    (
        "size mismatch",
        "flat-size",
        "The maps must keep the image's height and width: each convolution is padded by (K - 1) / 2 of its own filter.",
    ),
    (
        "Kernel size can't be greater than actual input size",
        "flat-size",
        "The maps have become smaller than a filter: each convolution is padded by (K - 1) / 2 of its own filter.",
    ),
    ("same dtype", "fixed-dtype", "Stay in the dtype of x and of the parameters: no .float()."),
    ("should be the same", "fixed-dtype", "Stay in the dtype of x and of the parameters: no .float()."),
]


@exercise("torch-three_layer_convnet", points=3, title="a ConvNet of bare tensors")
def examine_convnet(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    net_case(subject, rng, report, (3, 6, 8), (5, 3), name="5 x 5 and 3 x 3 filters")
    net_case(subject, rng, report, (2, 7, 4), (3, 7), name="other filters")


def net_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    image: tuple[int, int, int],
    kernels: tuple[int, int],
    *,
    name: str,
    count: int = 5,
) -> None:
    """Judge scores at one place, then the gradients that come back through them."""
    values, x = random_params(rng, image, kernels), rng.normal(size=(count, *image))
    torch = subject.torch()
    params = [parameter(torch, v) for v in values]
    with report.stage(f"{name}: scores"):
        call = attempt(subject, report, SIZES, sent(x), [p.handle for p in params])
        got = report.tensor(call.value, (count, values[-1].size), dtype="float64", name="scores")
        report.untouched(call, ["x"])
        leaves = [leaf(v) for v in values]
        want = net_scores(x, leaves)
        close(report, got, want.detach().numpy(), lambda: score_symptoms(x, leaves), name="scores")
    with report.stage(f"{name}: gradients"):
        upstream = rng.normal(size=got.shape)
        has_history(call.value, report).handle.attribute("backward")(sent(upstream))
        want.backward(leaf(upstream).detach())
        grads = [p.handle.get("grad") for p in params]
        require_gradients(report, grads, [p.grad.numpy() for p in leaves], NAMES)


def random_params(rng: np.random.Generator, image: tuple[int, int, int], kernels: tuple[int, int]) -> list[np.ndarray]:
    """Return float64 parameters of the net, none of them zero: a bias that takes no part must show."""
    (c, h, w), (first, second) = image, kernels
    f1, f2, classes = (int(v) for v in rng.permutation([3, 4, 5]))
    shapes = [(f1, c, first, first), (f1,), (f2, f1, second, second), (f2,), (f2 * h * w, classes), (classes,)]
    return [rng.normal(0.1, 1.0, size=s) / math.sqrt(math.prod(s[1:])) for s in shapes]


STEP_SLIPS: list[Slip] = [
    (
        "leaf Variable that requires grad",
        "outside-no_grad",
        "The update itself must not become part of the graph: put it into `with torch.no_grad():`.",
    ),
    (
        "backward through the graph a second time",
        "backward-twice",
        "One backward pass gives the gradients of all parameters: it stands before the loop over them.",
    ),
]


@exercise("torch-sgd_step", points=2, title="one step of SGD by hand")
def examine_step(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    step_case(subject, rng, report)


def step_case(subject: Subject, rng: np.random.Generator, report: Report, *, unused: bool = False) -> None:
    """Take two steps on a linear classifier that lives on the student's side, and follow its parameters."""
    n, d, c = (int(v) for v in rng.permutation([4, 5, 6]))
    rate, torch = float(rng.uniform(0.2, 0.6)), subject.torch()
    before = [rng.normal(size=(c, d)), rng.normal(size=c)]
    extra = [rng.normal(size=3)] if unused else []
    params = [parameter(torch, v) for v in (*before, *extra)]
    handles = [p.handle for p in params]
    earlier = [np.zeros((c, d)), np.zeros(c)]
    for number in ("first", "second"):
        with report.stage(f"{number} step"):
            x, y = rng.normal(size=(n, d)), rng.integers(0, c, size=n)
            scores = at(torch, "nn.functional.linear")(sent(x), *handles[:2])
            loss = at(torch, "nn.functional.cross_entropy")(scores.handle, Tensor(y, "int64"))
            returned = attempt(subject, report, STEP_SLIPS, loss.handle, handles, learning_rate=rate).value
            want, grads = _loss_and_grads(x, y, before)
            _require_number(returned, want, report)
            after = [p.handle.value() for p in params]
            stays = all(isinstance(p, Tensor) and p.requires_grad and p.leaf for p in after)
            report.require(stays, "the parameters must stay leaves that require gradients", symptom="not-leaf")
            _require_step(report, before, [p.values for p in after], grads, earlier, rate)
            before, earlier = [w - rate * g for w, g in zip(before, grads, strict=True)], grads
            if unused:
                report.close(after[2].values, extra[0], name="a parameter that the loss does not depend on")


def _loss_and_grads(x: np.ndarray, y: np.ndarray, params: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    import torch
    from torch.nn import functional

    leaves = [leaf(v) for v in params]
    loss = functional.cross_entropy(functional.linear(torch.from_numpy(x), *leaves), torch.from_numpy(y))
    return float(loss.detach()), [g.numpy() for g in torch.autograd.grad(loss, leaves)]


def _require_number(returned: Any, want: float, report: Report) -> None:
    hint = "`loss.item()` is the number. A tensor that you keep keeps its whole graph in memory, step after step."
    if isinstance(returned, Tensor):
        report.fail("the result must be a Python float, got a tensor", hint=hint, symptom="tensor-loss")
    report.require(returned is not None, "the result is None", hint=hint, symptom="no-return")
    number = isinstance(returned, float | int | np.number) and not isinstance(returned, bool)
    report.require(number, f"the result must be a float, got {type(returned).__name__}", symptom="tensor-loss")
    report.close(np.float64(returned), want, name="the returned loss")  # type: ignore[arg-type]


def _require_step(
    report: Report,
    before: list[np.ndarray],
    after: list[np.ndarray],
    grads: list[np.ndarray],
    earlier: list[np.ndarray],
    rate: float,
) -> None:
    for w, now, g, old in zip(before, after, grads, earlier, strict=False):
        known = (
            ("not-cleared", w - rate * (g + old), "backward() adds to what `p.grad` holds. Clear it at every step."),
            ("no-update", w, "The parameter did not move. `p = p - ...` makes a new tensor and leaves p alone."),
            ("ascends", w + rate * g, "The loss grows along the gradient: subtract it."),
            ("no-rate", w - g, "Multiply the gradient by learning_rate."),
        )
        symptoms = [Symptom(name, looks_like(wrong), hint) for name, wrong, hint in known]
        report.close(now, w - rate * g, name="a parameter after the step", symptoms=symptoms)


@exercise("torch-init_params", points=3, title="fresh parameters on any device")
def examine_init(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    shapes, seed = [(24, 3, 5, 5), (24,), (16, 24, 3, 3), (16,), (400, 12), (12,)], int(rng.integers(1, 10**6))
    torch = subject.torch()
    with report.stage("tensors"):
        state = torch.attribute("get_rng_state")()
        first = require_params(subject, report, shapes, seed=seed)
        now = torch.attribute("get_rng_state")()
        kept = isinstance(now, Tensor) and np.array_equal(now.values, state.values)
        hint = "Draw with `generator=torch.Generator().manual_seed(seed)`: torch.manual_seed changes what others draw."
        report.require(kept, "PyTorch's shared generator has moved", hint=hint, symptom="global-generator")
    with report.stage("spread"):
        for values in first:
            if values.ndim == 1:
                report.require(not values.any(), "biases start at 0", hint="Only weights are drawn.", symptom="bias")
            else:
                _require_spread(values, report)
    with report.stage("draws"):
        twins = require_params(subject, report, [(30, 20), (30, 20)], seed=seed)
        new = not np.allclose(twins[0], twins[1])
        hint = "Make the generator once, before the loop over the shapes."
        report.require(new, "two weights of one shape are equal", hint=hint, symptom="same-draws")
        again, other = (require_params(subject, report, shapes, seed=s) for s in (seed, seed + 1))
        hint = "Everything drawn must come from a generator with the given seed."
        report.require(all(map(np.array_equal, first, again)), "the same seed, other draws", hint=hint, symptom="seed")
        report.require(
            not np.array_equal(first[0], other[0]), "another seed, the same draws", hint=hint, symptom="seed"
        )
    with report.stage("another dtype, another device"):
        require_params(subject, report, shapes, seed=seed, dtype="float64")
        require_params(subject, report, shapes, seed=seed, device="meta")


def require_params(
    subject: Subject,
    report: Report,
    shapes: list[tuple],
    *,
    seed: int,
    dtype: str = "float32",
    device: str = "cpu",
) -> list[np.ndarray]:
    """Return the values of a fresh list of parameters, required to be leaves of these shapes, dtype and device."""
    slips: list[Slip] = [
        (
            "Generator",
            "generator-device",
            "A generator belongs to one device. Draw on the CPU, then move: so the numbers are the same everywhere.",
        )
    ]
    options: dict[str, Any] = {"seed": seed, "device": device, "dtype": subject.torch().get(dtype)}
    made = attempt(subject, report, slips, shapes, **options).value
    several = isinstance(made, list | tuple) and len(made) == len(shapes)
    report.require(several, f"a list of {len(shapes)} tensors is asked, one for each shape", symptom="not-a-list")
    found = []
    for tensor, shape in zip(made, shapes, strict=True):
        where = f"the parameter of shape {shape} for dtype torch.{dtype}, device {device}"
        values = report.tensor(tensor, shape, dtype=dtype, device=device, name=where)
        hint = "Without requires_grad_() nothing is recorded."
        report.require(tensor.requires_grad, f"{where} must require a gradient", hint=hint, symptom="no-requires_grad")
        hint = (
            "What is computed from a tensor that requires a gradient (scaled, moved, cast) is no leaf, and backward() "
            "leaves it no gradient. Draw, scale, move; requires_grad_() comes last."
        )
        report.require(tensor.leaf, f"{where} must be a leaf", hint=hint, symptom="not-leaf")
        found.append(values)
    return found


def _require_spread(values: np.ndarray, report: Report) -> None:
    """Require He's spread. That of the smallest weight here, 1,800 numbers, is known to 1.7 %."""
    fan_in = len(values) if values.ndim == 2 else values[0].size
    fan_out = values.shape[1] if values.ndim == 2 else len(values)
    want, found = math.sqrt(2 / fan_in), float(values.std())
    message = f"weights {values.shape}: standard deviation must be sqrt(2 / {fan_in}) = {want:.3g}, got {found:.3g}"
    if abs(values.mean()) > 0.2 * want:
        hint = "torch.rand draws from 0 to 1, torch.randn around 0."
        report.fail(
            f"weights {values.shape}: the mean must be near 0, got {values.mean():.2g}", hint=hint, symptom="mean"
        )
    if abs(found / want - 1) < 0.08:
        hint = "kaiming_uniform_ has the same spread and another form; here they are normal: torch.randn."
        wide = np.abs(values).max() > 2.2 * want
        report.require(bool(wide), f"weights {values.shape} must be normal numbers", hint=hint, symptom="uniform")
        return
    for name, other, hint in (
        ("no-gain", math.sqrt(1 / fan_in), "A ReLU loses half of the variance: 2 / n, not 1 / n."),
        ("default", math.sqrt(1 / (3 * fan_in)), "That is the spread of PyTorch's own layers, which is not He's."),
        ("variance", 2 / fan_in, "2 / n is the variance; the standard deviation is its root."),
        ("fan-out", math.sqrt(2 / fan_out), "n counts the inputs of one sum: C K K for filters, rows for a matrix."),
    ):
        if abs(found / other - 1) < 0.05:
            report.fail(message, hint=hint, symptom=name)
    report.fail(message, hint="n is C K K for filters (F, C, K, K), and the rows for a matrix.", symptom="spread")
