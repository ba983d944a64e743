"""What is examined in N11: a module, its accuracy, and a stack of layers."""

from typing import Any

import numpy as np

from .n11_barebones import NAMES, SIZES
from .n11_oracle import Slip, at, attempt, close, has_history, leaf, net_scores, require_gradients, score_symptoms, sent
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject
from .tensors import Tensor

KEYS = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc.weight", "fc.bias")
MAKING: list[Slip] = [
    ("Module.__init__() call", "no-super", "Begin __init__ with `super().__init__()`: it makes the place for layers."),
    *SIZES,
]


def state_of(model: Any, report: Report, what: str = "the model") -> dict[str, Tensor]:
    """Return a module's state_dict by value."""
    report.require(isinstance(model, Subject), f"{what} must be an nn.Module", symptom="not-a-module")
    try:
        state = model.attribute("state_dict")()
    except StudentError as error:
        report.fail(f"{what} must be an nn.Module: {error.message[:120]}", symptom="not-a-module")
    whole = isinstance(state, dict) and all(isinstance(v, Tensor) for v in state.values())
    report.require(whole, f"{what} must have a state_dict of tensors", symptom="not-a-module")
    return state


@exercise("torch-ThreeLayerConvNet", points=3, title="the net as an nn.Module")
def examine_module(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("parameters"):
        _examine_fresh(subject, report)
    module_case(subject, rng, report, (3, 6, 8), name="wide images")


def module_case(
    subject: Subject, rng: np.random.Generator, report: Report, image: tuple[int, int, int], *, name: str
) -> None:
    """Judge scores and gradients of a net with given parameters, in float64."""
    f1, f2, classes = (int(v) for v in rng.permutation([3, 4, 5]))
    shapes = shapes_of(image, f1, f2, classes)
    values = [rng.normal(0.1, 0.5, size=s) for s in shapes]
    model = attempt(subject, report, MAKING, image[0], f1, f2, classes, image_size=image[1:]).value
    _require_keys(state_of(model, report), shapes, report)
    at(model, "double")()
    at(model, "load_state_dict")({key: sent(v) for key, v in zip(KEYS, values, strict=True)})
    x = rng.normal(size=(4, *image))
    leaves = [leaf(v) for v in values]
    ours = [*leaves[:4], leaves[4].T, leaves[5]]  # nn.Linear keeps (classes, D)
    with report.stage(f"{name}: scores"):
        call = attempt(model, report, MAKING, sent(x))
        got = report.tensor(call.value, (4, classes), dtype="float64", name="scores")
        report.untouched(call, ["x"])
        want = net_scores(x, ours)
        close(report, got, want.detach().numpy(), lambda: score_symptoms(x, ours), name="scores")
    with report.stage(f"{name}: gradients"):
        upstream = rng.normal(size=got.shape)
        has_history(call.value, report).handle.attribute("backward")(sent(upstream))
        want.backward(leaf(upstream).detach())
        grads = [at(model, key).get("grad") for key in KEYS]
        require_gradients(report, grads, [p.grad.numpy() for p in leaves], NAMES)


def shapes_of(image: tuple[int, int, int], f1: int, f2: int, classes: int) -> list[tuple[int, ...]]:
    """Return the shapes of the six parameters as the layers of torch.nn keep them."""
    c, h, w = image
    return [(f1, c, 5, 5), (f1,), (f2, f1, 3, 3), (f2,), (classes, f2 * h * w), (classes,)]


def _require_keys(state: dict[str, Tensor], shapes: list[tuple[int, ...]], report: Report) -> None:
    hint = (
        "Make the three layers once, in __init__, as self.conv1, self.conv2 and self.fc. What is made in forward, or "
        "kept in a plain list, is not found: no optimizer would train it and no .to(device) would move it."
    )
    named = set(state) == set(KEYS)
    report.require(
        named, f"the parameters must be {', '.join(KEYS)}; got {', '.join(state)[:120]}", hint=hint, symptom="names"
    )
    for key, shape in zip(KEYS, shapes, strict=True):
        found = state[key].values.shape
        hint = "fc takes channel_2 * H * W numbers: with padding both convolutions keep the size of the image."
        report.require(found == shape, f"{key} must have shape {shape}, got {found}", hint=hint, symptom="layer-shape")


def _examine_fresh(subject: Subject, report: Report) -> None:
    image = (3, 10, 14)
    shapes = shapes_of(image, 40, 24, 10)
    model = attempt(subject, report, MAKING, 3, 40, 24, 10, image_size=(10, 14)).value
    state = state_of(model, report)
    _require_keys(state, shapes, report)
    for key, shape in zip(KEYS, shapes, strict=True):
        values = report.tensor(state[key], shape, name=key)
        if len(shape) == 1:
            hint = "nn.init.zeros_(layer.bias)"
            report.require(not values.any(), f"{key} must start at 0", hint=hint, symptom="bias")
            continue
        want, found = np.sqrt(2 / np.prod(shape[1:])), float(values.std())
        hint = "nn.init.kaiming_normal_(layer.weight, nonlinearity='relu'); PyTorch's default is smaller by sqrt(6)."
        fits = abs(found / want - 1) < 0.1
        message = f"{key}: standard deviation must be {want:.3g}, got {found:.3g}"
        report.require(bool(fits), message, hint=hint, symptom="spread")


@exercise("torch-accuracy", points=2, title="accuracy, in batches, on any device")
def examine_accuracy(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    accuracy_case(subject, rng, report, count=23, size=5)


class SpyHead:
    """The last layer of the student's model, which is the judge's: it sees every batch and answers with scores.

    scores : float (N, classes), of the N rows in the order in which they come
    """

    def __init__(self, scores: np.ndarray) -> None:
        self.scores, self.seen, self.batches = scores, 0, list[Tensor]()

    def __call__(self, x: Any) -> Tensor:
        if not isinstance(x, Tensor) or x.device == "meta":
            self.batches += [x] if isinstance(x, Tensor) else []
            raise ValueError("the judge's layer has seen enough")
        self.batches.append(x)
        start, self.seen = self.seen, self.seen + len(x.values)
        return Tensor(self.scores[start : self.seen], "float64")


def _spied_model(torch: Subject, d: int, scores: np.ndarray) -> tuple[Any, SpyHead]:
    """Return BatchNorm1d and the judge's head as one module on the student's side."""
    nn, spy = torch.attribute("nn"), SpyHead(scores)
    head = nn.attribute("Identity")()
    head.set("forward", spy)
    return nn.attribute("Sequential")(nn.attribute("BatchNorm1d")(d), head), spy


def accuracy_case(
    subject: Subject, rng: np.random.Generator, report: Report, *, count: int, size: int, training: bool = True
) -> None:
    """Follow the batches through a model whose last layer is the judge's."""
    d, classes, torch = 3, 4, subject.torch()
    x = rng.normal(1.0, 2.0, size=(count, d)).astype(np.float32)
    labels, scores = rng.integers(0, classes, size=count), rng.normal(size=(count, classes))
    right = scores.argmax(axis=1) == labels
    right[-1] = not right[0]  # so that counting a short last batch like a full one shows
    labels = np.where(right, scores.argmax(axis=1), (scores.argmax(axis=1) + 1) % classes)
    model, spy = _spied_model(torch, d, scores)
    model.attribute("train")(training)
    arguments = sent(x), Tensor(labels, "int64")
    with report.stage("batches"):
        value = attempt(subject, report, [], model, *arguments, batch_size=size).value
        _require_batches(spy.batches, x, size, report)
    with report.stage("modes"):
        hint = "Wrap the loop in `with torch.no_grad():`; else every batch keeps its graph."
        graph = any(batch.requires_grad for batch in spy.batches)
        report.require(not graph, "the model ran with gradients recorded", hint=hint, symptom="graph")
        seen = np.concatenate([batch.values for batch in spy.batches])
        hint = "In train mode batch norm uses the batch, and moves its averages: model.eval() first."
        quiet = np.allclose(seen, x / np.sqrt(1 + 1e-5), rtol=1e-4, atol=1e-5)
        report.require(quiet, "the model ran in train mode", hint=hint, symptom="no-eval")
        hint = "Keep model.training before, and end with model.train(that)."
        same = model.get("training") is training
        report.require(same, "the model is left in another mode than it came in", hint=hint, symptom="mode")
    with report.stage("value"):
        if isinstance(value, Tensor):
            report.fail("the accuracy must be a float, got a tensor", hint="`.item()`", symptom="not-a-number")
        number = isinstance(value, float | int | np.number) and not isinstance(value, bool)
        report.require(number, f"the accuracy must be a float, got {type(value).__name__}", symptom="not-a-number")
        shares = [right[i : i + size].mean() for i in range(0, count, size)]
        symptoms = [
            Symptom(
                "mean-of-batches",
                looks_like(np.mean(shares)),
                "The last batch is shorter: count what is right, divide once.",
            ),
            Symptom("percent", looks_like(100 * right.mean()), "A share from 0 to 1, not a percentage."),
            Symptom("count", looks_like(right.sum()), "Divide by the number of images."),
        ]
        report.close(np.float64(value), right.mean(), name="accuracy", symptoms=symptoms)  # type: ignore[arg-type]
    with report.stage("another device"):
        model, spy = _spied_model(torch, d, scores)
        model.attribute("to")("meta")
        try:
            subject.call(model, *arguments, batch_size=size)
        except StudentError as error:
            moved = bool(spy.batches) and spy.batches[0].device == "meta"
            hint = "Move each batch to where the parameters are: `next(model.parameters()).device`."
            message = f"the model is on another device, and the batch did not follow: {error.message[:100]}"
            report.require(moved, message, hint=hint, symptom="device")


def _require_batches(batches: list[Tensor], x: np.ndarray, size: int, report: Report) -> None:
    sizes = [len(batch.values) for batch in batches]
    hint = "All images at once do not fit on a GPU: take batch_size of them at a time."
    most = max(sizes, default=0)
    message = f"the model got {most} images, with batch_size {size}"
    report.require(most <= size, message, hint=hint, symptom="one-batch")
    hint = "Step through range(0, len(images), batch_size): the last batch is shorter and counts too."
    report.require(
        sum(sizes) == len(x), f"the model saw {sum(sizes)} of {len(x)} images", hint=hint, symptom="last-batch"
    )


@exercise("torch-sequential", points=3, title="a stack of layers")
def examine_sequential(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    stack_case(subject, rng, report, 3, (4, 5), (8, 12), name="two blocks")
    stack_case(subject, rng, report, 2, (3,), (6, 4), name="one block")


def stack_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    in_channels: int,
    channels: tuple[int, ...],
    size: tuple[int, int],
    *,
    name: str,
) -> None:
    """Give a stack random parameters and averages, and compare it in both modes with the judge's own."""
    import torch

    classes = int(rng.integers(3, 6))
    with report.stage(f"{name}: layers"):
        model = attempt(subject, report, [], in_channels, channels, classes, image_size=size).value
        state = state_of(model, report)
        hint = "nn.Sequential(...) of layers, in order; a list of layers is unpacked by a star: nn.Sequential(*layers)."
        is_stack = isinstance(model, Subject) and model.name == "Sequential"
        report.require(
            is_stack, f"an nn.Sequential is asked, got {getattr(model, 'name', '')}", hint=hint, symptom="kind"
        )
        ours = _stack(in_channels, channels, classes, size).double()
        wanted, found = ([tuple(v.shape) for v in ours.state_dict().values()], [v.values.shape for v in state.values()])
        hint = _layer_hint(found, wanted)
        place = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), -1)
        which = f"number {place + 1} has shape {found[place]}, not {wanted[place]}" if place >= 0 else "that is not all"
        message = f"{len(wanted)} parameters and averages are asked, got {len(found)}; {which}"
        report.require(found == wanted, message, hint=hint, symptom="layers")
    values = {key: _random_state(rng, key, np.asarray(v)) for key, v in ours.state_dict().items()}
    at(model, "double")()
    theirs = {key: sent(v) for key, v in zip(state, values.values(), strict=True)}
    x = rng.normal(size=(5, in_channels, *size))
    for mode, train in (("eval", False), ("train", True)):
        with report.stage(f"{name}: scores in {mode} mode"):
            at(model, "load_state_dict")(theirs)
            at(model, "train")(train)
            slips = [("shapes cannot be multiplied", "flat-size", "Each block halves height and width; then flatten.")]
            got = attempt(model, report, slips, sent(x)).value
            scores = report.tensor(got, (5, classes), dtype="float64", name="scores")

            def like(change: str, train: bool = train) -> np.ndarray:
                other = _stack(in_channels, channels, classes, size, change).double()
                keys = dict(zip(other.state_dict(), values.values(), strict=True))
                other.load_state_dict({key: torch.from_numpy(np.array(v)) for key, v in keys.items()})
                return other.train(train)(torch.from_numpy(x)).detach().numpy()

            symptoms = [Symptom(symptom, looks_like(like(change)), hint) for change, symptom, hint in STACK_SLIPS]
            report.close(scores, like(""), name="scores", symptoms=symptoms)


STACK_SLIPS = (
    ("relu-first", "order", "In a block the norm comes right after the convolution, then the ReLU."),
    ("no-relu", "no-relu", "A ReLU stands in every block, after the norm."),
    ("average", "average-pool", "Max pooling is asked, and this is average pooling."),
    ("softmax", "softmax-twice", "The last layer gives scores: cross_entropy takes the softmax itself."),
)


def _stack(in_channels: int, channels: tuple[int, ...], classes: int, size: tuple[int, int], change: str = "") -> Any:
    """Return the stack in the judge's torch, with one recognised mistake."""
    from torch import nn

    parts: list[Any] = []
    for before, after in zip((in_channels, *channels), channels, strict=False):
        norm, bend = nn.BatchNorm2d(after), nn.Identity() if change == "no-relu" else nn.ReLU()
        pool = nn.AvgPool2d(2) if change == "average" else nn.MaxPool2d(2)
        parts += [nn.Conv2d(before, after, 3, padding="same")]
        parts += [bend, norm, pool] if change == "relu-first" else [norm, bend, pool]
    area = (size[0] >> len(channels)) * (size[1] >> len(channels))
    parts += [nn.Flatten(), nn.Linear(channels[-1] * area, classes)]
    return nn.Sequential(*parts, *([nn.Softmax(dim=1)] if change == "softmax" else []))


def _random_state(rng: np.random.Generator, key: str, like: np.ndarray) -> np.ndarray:
    if like.dtype.kind != "f":
        return like  # the count of batches seen
    return rng.uniform(0.5, 2.0, like.shape) if key.endswith("var") else rng.normal(0.2, 0.7, size=like.shape)


def _layer_hint(found: list[tuple], wanted: list[tuple]) -> str:
    if len(found) < len(wanted) and () not in found:
        return "There is no batch norm: nn.BatchNorm2d(channels) has weight, bias, two averages and a count."
    if len(found) == len(wanted) and found[:-2] == wanted[:-2]:
        return "The last layer takes channels * H * W numbers, with H and W halved once for each block."
    return "Each block is Conv2d (3 x 3, padding 1), BatchNorm2d, ReLU, MaxPool2d(2); at the end Flatten and Linear."
