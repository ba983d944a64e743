"""What is examined in N10: settings of a training, judged by what a net trained with them says of new pictures."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .report import NotAnswered, Report
from .spec import exercise
from .subject import Subject

EPOCHS = 8  # of 800 pictures: one to two seconds on a slow core
TARGET = 0.88  # good settings reach 0.98 on these pictures
KEYS = ("num_filters", "filter_size", "hidden_dim", "learning_rate", "reg", "batch_size")


@exercise("fast-train", points=2, title="settings that train a ConvNet")
def examine_train(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    train_case(subject, rng, report)


def _settings(subject: Subject, report: Report) -> dict[str, Any]:
    """Return the settings, required to be numbers within bounds that keep the check short."""
    answer = subject.value()
    if answer is ... or (isinstance(answer, dict) and any(value is ... for value in answer.values())):
        raise NotAnswered
    report.require(
        isinstance(answer, dict) and set(answer) == set(KEYS),
        f"settings must be a dict with the keys {', '.join(KEYS)}",
        hint="Keep the form of the cell and replace the dots.",
        symptom="keys",
    )
    bounds = {"num_filters": (4, 64), "filter_size": (1, 7), "hidden_dim": (5, 300), "batch_size": (10, 500)}
    for key, (low, high) in bounds.items():
        value = answer[key]
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and low <= value <= high
        report.require(
            bool(whole), f"{key} must be a whole number from {low} to {high}, got {value!r}"[:120], symptom="bounds"
        )
    # A hidden layer on 1 x 1 filters can learn 36 places by heart and pass: that would be no convolution.
    wide = answer["filter_size"] > 1
    hint = "A filter of 1 x 1 sees one pixel: colours, but no edge and no shape."
    report.require(bool(wide), "filter_size must be at least 3, got 1", hint=hint, symptom="one-pixel")
    odd = answer["filter_size"] % 2 == 1
    hint = "pad = (K - 1) / 2 keeps height and width only for odd K."
    report.require(bool(odd), f"filter_size must be odd, got {answer['filter_size']}", hint=hint, symptom="even-filter")
    for key, least in (("learning_rate", "more than"), ("reg", "at least")):
        value = answer[key]
        number = isinstance(value, float | int | np.number) and not isinstance(value, bool) and math.isfinite(value)
        fits = number and (value > 0 if least == "more than" else value >= 0)
        report.require(bool(fits), f"{key} must be a number, {least} 0, got {value!r}"[:120], symptom="bounds")
    return answer


def train_case(subject: Subject, rng: np.random.Generator, report: Report, *, kinds: int = 5) -> None:
    """Train the net of the exercise in torch, from fresh weights on freshly drawn pictures; judge it on new ones."""
    with report.stage("form"):
        settings = _settings(subject, report)
    x, y = draw(rng, 1300, classes=kinds)
    count = 800
    with report.stage("new pictures"):
        losses, right = on_one_thread(train, settings, x[:count], y[:count], x[count:], y[count:], rng)
        message = (
            f"after {EPOCHS} epochs on {count:,} pictures, {100 * right:.0f} % of {len(x) - count} new ones are right; "
            f"{100 * TARGET:.0f} % are asked, guessing gives {100 / kinds:.0f} %"
        )
        if not math.isfinite(losses[-1]) or (right < TARGET and max(losses) > 8.0):
            hint = "The loss has grown: the steps are too long. Divide the learning rate by 3, and again."
            report.fail(f"training diverged; {message}", hint=hint, symptom="diverged")
        if right < TARGET and losses[-1] > 0.93 * min(losses[0], math.log(kinds)):
            steps = EPOCHS * math.ceil(count / settings["batch_size"])
            hint = f"In these {steps} steps the loss hardly moves, or not below that of a guess. "
            hint += "Longer steps, smaller batches, or less reg."
            report.fail(message, hint=hint, symptom="hardly-moves")
        report.require(
            right >= TARGET,
            message,
            hint="It learns, but not far enough. Longer or more steps (a smaller batch_size makes an epoch longer), "
            "more filters or larger ones, more hidden units.",
            symptom="undertrained",
        )


def on_one_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Return function(*args), computed by one torch thread: for layers this small, threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*args)
    finally:
        torch.set_num_threads(before)


def draw(rng: np.random.Generator, count: int, *, side: int = 10, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures float32 (count, 3, side, side) and labels int64 (count,): one small motif each, somewhere.

    Class k is motif k, 5 x 5 pixels of colour, on noise. A template of the whole picture is
    at a loss, since the motif stands anywhere; a filter is not.
    """
    motifs = rng.normal(size=(classes, 3, 5, 5)) * 1.5
    y = rng.integers(0, classes, size=count)
    x = rng.normal(scale=0.4, size=(count, 3, side, side)).astype(np.float32)
    for image, label in zip(x, y, strict=True):
        top, left = rng.integers(0, side - 4, size=2)
        image[:, top : top + 5, left : left + 5] += motifs[label]
    return x / x.std(), y


def train(
    settings: dict[str, Any],
    x: np.ndarray,
    y: np.ndarray,
    x_new: np.ndarray,
    y_new: np.ndarray,
    rng: np.random.Generator,
) -> tuple[list[float], float]:
    """Return the mean loss of every epoch and the share of new pictures that are right."""
    import torch
    from torch.nn import functional

    filters, k, hidden = (int(settings[key]) for key in ("num_filters", "filter_size", "hidden_dim"))
    rate, reg, size = float(settings["learning_rate"]), float(settings["reg"]), int(settings["batch_size"])
    classes = int(y.max()) + 1
    shapes = [
        (filters, 3, k, k),
        (filters,),
        (filters * (x.shape[2] // 2) ** 2, hidden),
        (hidden,),
        (hidden, classes),
        (classes,),
    ]
    params = []
    for shape in shapes:
        fan_in = math.prod(shape[1:]) if len(shape) == 4 else shape[0]
        spread = math.sqrt(2 / fan_in) if len(shape) > 1 else 0.0
        params.append(torch.from_numpy((spread * rng.normal(size=shape)).astype(np.float32)).requires_grad_())

    def scores(images: Any) -> Any:
        maps = functional.conv2d(images, params[0], params[1], padding=(k - 1) // 2).relu()
        return (functional.max_pool2d(maps, 2).flatten(1) @ params[2] + params[3]).relu() @ params[4] + params[5]

    images, labels = torch.from_numpy(x), torch.from_numpy(y)
    steps, done, losses = EPOCHS * math.ceil(len(x) / size), 0, []
    for _ in range(EPOCHS):
        order, total = torch.from_numpy(rng.permutation(len(x))), 0.0
        for chosen in order.split(size):
            loss = functional.cross_entropy(scores(images[chosen]), labels[chosen])
            step = rate * 0.5 * (1 + math.cos(math.pi * done / steps))
            done += 1
            for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
                p.data -= step * (g + (reg * p.data if p.dim() > 1 else 0.0))
            total += float(loss.detach()) * len(chosen)
        losses.append(total / len(x))
        if not math.isfinite(total):
            break
    with torch.no_grad():
        right = (scores(torch.from_numpy(x_new)).argmax(dim=1).numpy() == y_new).mean()
    return losses, float(right)
