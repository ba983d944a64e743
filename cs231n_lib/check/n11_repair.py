"""What is examined in N11: a training program with six planted mistakes, repaired.

Nothing in it is random, so the judge trains the same net itself, right and with each mistake, and compares.
"""

from itertools import product
from typing import Any

import numpy as np

from .n11_oracle import Slip, at, attempt, sent
from .report import Report
from .spec import exercise
from .subject import Subject
from .tensors import Tensor

KEYS = ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "3.weight", "3.bias")
RATE = 0.3
SLIPS: list[Slip] = [
    (
        "view size is not compatible",
        "view",
        "permute moves no number, it only changes the order in which they are visited; view refuses to guess. "
        ".reshape copies, or .contiguous() does before .view.",
    ),
    ("same dtype", "bytes", "Bytes from 0 to 255 become float32 from 0 to 1 first: images / 255."),
]
HINTS = {
    "scrambled": "A view or a reshape without the permute reads the numbers in the wrong order: (row, column, channel) "
    "instead of (channel, row, column). Move the axes, then reshape.",
    "softmax": "cross_entropy takes the softmax itself: it wants scores, not probabilities.",
    "zero_grad": "The gradients of all steps add up: optimizer.zero_grad() at every step.",
}


@exercise("torch-train_and_score", points=2, title="six mistakes repaired")
def examine_repair(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    repair_case(subject, rng, report)


def repair_case(subject: Subject, rng: np.random.Generator, report: Report, *, starts_in_eval: bool = False) -> None:
    """Train a small net on the student's side, and the same one here."""
    size, classes = (3, 4, 3), 4
    images = rng.integers(0, 256, size=(12, *size), dtype=np.uint8)
    labels, new = rng.integers(0, classes, size=12), rng.integers(0, 256, size=(7, *size), dtype=np.uint8)
    start, torch = _fresh(rng, 36, 6, classes), subject.torch()
    options = {"epochs": 2, "batch_size": 4, "learning_rate": RATE}
    arguments = sent(images), Tensor(labels, "int64"), sent(new)
    with report.stage("what was learned"):
        net = _net_there(torch, start)
        net.attribute("train")(not starts_in_eval)
        scores = attempt(subject, report, SLIPS, net, *arguments, device="cpu", **options).value
        found = {key: at(net, key).value() for key in KEYS}
        for key, value in found.items():
            same = isinstance(value, Tensor) and value.values.shape == start[key].shape
            report.require(same, f"{key} has changed its shape", symptom="shape")
        _require_training(report, found, start, images, labels, new, options)
    with report.stage("scores of new images"):
        values = report.tensor(scores, (len(new), classes), name="scores")
        right = _train(start, images, labels, options)
        if not _near(values, _scores(right, new, evaluate=True)):
            hint = "Before anything is predicted: net.eval(). In train mode a score depends on the rest of its batch."
            trained = _near(values, _scores(right, new, evaluate=False))
            report.fail(
                "the scores are not those of the trained net", hint=hint, symptom="eval" if trained else "values"
            )
        hint = "Prediction records nothing: torch.no_grad()."
        report.require(not scores.requires_grad, "the scores carry a graph", hint=hint, symptom="graph")
    with report.stage("another device"):
        _examine_device(subject, report, _net_there(torch, start), arguments, options)


def _require_training(
    report: Report, found: dict[str, Tensor], start: Any, images: Any, labels: Any, new: Any, options: Any
) -> None:
    """Compare the trained net with right training, and name the mistakes that explain the difference."""

    def like(**mistakes: bool) -> bool:
        state = _train(start, images, labels, options, **mistakes)
        return all(_near(found[key].values, state[key]) for key in KEYS if "running" not in key)

    if like():
        averages = _train(start, images, labels, options)
        kept = all(_near(found[key].values, averages[key]) for key in KEYS if "running" in key)
        hint = "Something ran in train mode that was no training step: net.eval() before the new images."
        report.require(kept, "the averages of the batch norm have moved on", hint=hint, symptom="eval")
        return
    if all(np.array_equal(found[key].values, start[key]) for key in ("0.weight", "3.weight")):
        report.fail(
            "the net has not moved at all", hint="Does optimizer.step() run, on this net?", symptom="not-trained"
        )
    for mistakes in sorted(product((False, True), repeat=len(HINTS)), key=sum):
        named = dict(zip(HINTS, mistakes, strict=True))
        if any(mistakes) and like(**named):
            first = next(name for name, made in named.items() if made)
            report.fail("the trained net is another one", hint=HINTS[first], symptom=first)
    hint = "Train in train mode; batches in order, every image once an epoch; plain SGD; pixels from 0 to 1."
    report.fail("the trained net is another one", hint=hint, symptom="training")


def _examine_device(subject: Subject, report: Report, net: Any, arguments: Any, options: Any) -> None:
    """Run on "meta", a device without numbers that every machine has. It refuses to mix with the CPU, as a GPU does."""
    slips = [
        (
            "not on the expected device",
            "device",
            "Some tensor stayed behind. x.to(device) returns a new tensor and leaves x where it is: x = x.to(device). "
            "A module moves itself.",
        ),
        (
            "cannot be called on meta",
            "item",
            "Nothing may ask for a number on the way: every .item() makes the CPU wait for the GPU. Return the scores.",
        ),
        ("Cannot copy out of meta tensor", "item", "Scores stay on the device: no .cpu() inside."),
    ]
    scores = attempt(subject, report, slips, net, *arguments, device="meta", **options).value
    hint = "The net and every batch must move to `device`, and the scores stay there."
    there = isinstance(scores, Tensor) and scores.device == "meta" and at(net, "0.weight").value().device == "meta"
    report.require(there, "the training did not run on the device that was given", hint=hint, symptom="device")
    # An optimizer writes into its parameters, and PyTorch counts the writings even where there are no numbers. A
    # gradient that nothing was done with is the other half of the evidence: `p.data -= ...` is not counted.
    written = at(net, "0.weight").get("_version")
    unused = at(net, "0.weight").get("grad") is not None
    hint = (
        "On some devices .to makes new parameters. An optimizer that was built before trains the old ones: move first."
    )
    trains = not unused or (isinstance(written, int) and written > 0)
    message = "the optimizer trains parameters that are no longer the net's"
    report.require(trains, message, hint=hint, symptom="optimizer-before-move")


def _fresh(rng: np.random.Generator, d: int, hidden: int, classes: int) -> dict[str, np.ndarray]:
    def draw(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)

    weights = {"0.weight": 2 * draw(hidden, d), "0.bias": draw(hidden), "3.weight": 2 * draw(classes, hidden)}
    norm = {"1.weight": 1 + 0.2 * draw(hidden), "1.bias": draw(hidden)}
    averages = {"1.running_mean": np.zeros(hidden, np.float32), "1.running_var": np.ones(hidden, np.float32)}
    return weights | norm | averages | {"3.bias": draw(classes)}


def _net_there(torch: Subject, start: dict[str, np.ndarray]) -> Any:
    nn, (hidden, d), (classes, _) = torch.attribute("nn"), start["0.weight"].shape, start["3.weight"].shape
    make = {name: nn.attribute(name) for name in ("Linear", "BatchNorm1d", "ReLU", "Sequential")}
    net = make["Sequential"](
        make["Linear"](d, hidden), make["BatchNorm1d"](hidden), make["ReLU"](), make["Linear"](hidden, classes)
    )
    net.attribute("load_state_dict")({key: sent(v) for key, v in start.items()}, strict=False)
    return net


def _net_here(state: dict[str, np.ndarray]) -> Any:
    import torch
    from torch import nn

    (hidden, d), (classes, _) = state["0.weight"].shape, state["3.weight"].shape
    net = nn.Sequential(nn.Linear(d, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes))
    net.load_state_dict({key: torch.from_numpy(v.copy()) for key, v in state.items()}, strict=False)
    return net


def _rows(images: np.ndarray, scrambled: bool = False) -> Any:
    import torch

    ordered = images if scrambled else images.transpose(0, 3, 1, 2)
    return torch.from_numpy(ordered.reshape(len(images), -1).astype(np.float32) / 255)


def _train(
    start: dict[str, np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    options: dict[str, Any],
    *,
    scrambled: bool = False,
    softmax: bool = False,
    zero_grad: bool = False,
) -> dict[str, np.ndarray]:
    """Return the state of the net after training, with the mistakes that are named."""
    import torch

    net, x, y, size = _net_here(start), _rows(images, scrambled), torch.from_numpy(labels), options["batch_size"]
    params, kept = list(net.parameters()), None
    for first in list(range(0, len(x), size)) * options["epochs"]:
        scores = net(x[first : first + size])
        if softmax:
            scores = torch.softmax(scores, dim=1)
        grads = torch.autograd.grad(torch.nn.functional.cross_entropy(scores, y[first : first + size]), params)
        kept = [g + old for g, old in zip(grads, kept, strict=True)] if zero_grad and kept else list(grads)
        for p, g in zip(params, kept, strict=True):
            p.data -= options["learning_rate"] * g
    return {key: value.detach().numpy() for key, value in net.state_dict().items()}


def _scores(state: dict[str, np.ndarray], images: np.ndarray, *, evaluate: bool) -> np.ndarray:
    return _net_here(state).train(not evaluate)(_rows(images)).detach().numpy()


def _near(got: np.ndarray, want: np.ndarray) -> bool:
    """Equal up to float32 sums taken in another order, over a few steps."""
    return got.shape == want.shape and bool(np.allclose(got, want, rtol=1e-3, atol=2e-4))
