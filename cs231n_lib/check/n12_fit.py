"""What is examined in N12, first: a recipe for training, by what the model it returns says of pictures drawn afresh."""

from typing import Any

import numpy as np

from .report import Report
from .spec import exercise
from .subject import Call, StudentError, Subject

COUNT, NEW, EPOCHS = 600, 300, 6
ASKED = 100  # pictures for what a model trained for one epoch is asked: whether it answers alike, not rightly
LEAST, TARGET = 0.75, 0.90  # from the first on half of the points; the nearest neighbour reaches 0.66 to 0.69
BUDGET = 18.0  # seconds on one core for one training; the reference takes 3, and a busy laptop several times that
NAMES = ("images", "labels")


@exercise("challenge-fit", points=8, title="a recipe that trains a model")
def examine_fit(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    fit_case(subject, rng, report, size=(16, 16), kinds=5)


def draw(rng: np.random.Generator, count: int, size: tuple[int, int], kinds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures uint8 (count, H, W, 3) and labels int64 (count,): one motif each, anywhere, on noise.

    Class k is motif k, 6 x 6 pixels of colour. It stands anywhere, so a template of the whole picture is at a loss; all
    motifs have the same mean and spread in each colour channel, so those tell nothing either.
    """
    motifs = rng.normal(size=(kinds, 6, 6, 3))
    motifs -= motifs.mean(axis=(1, 2), keepdims=True)
    motifs *= 60 / motifs.std(axis=(1, 2), keepdims=True)
    labels = rng.permutation(np.arange(count) % kinds)
    pictures = rng.normal(128, 30, size=(count, *size, 3))
    for picture, label in zip(pictures, labels, strict=True):
        top, left = (int(rng.integers(0, side - 5)) for side in size)
        picture[top : top + 6, left : left + 6] += motifs[label]
    return np.clip(pictures, 0, 255).round().astype(np.uint8), labels


def fit_case(subject: Subject, rng: np.random.Generator, report: Report, *, size: tuple[int, int], kinds: int) -> None:
    """Train with the student's recipe on pictures of this size, then judge what the model says of new ones."""
    x, y = draw(rng, COUNT + NEW, size, kinds)
    seed = int(rng.integers(1000))
    with report.stage("form"):
        model = _trained(subject.call(x[:60], y[:60], epochs=1, seed=seed), report)
        _labels(model, x[:7], kinds, report)
    with report.stage("the seed decides"):
        first, again = (_labels(model, x[-ASKED:], kinds, report) for _ in range(2))
        _same_twice(first, again, report)
        twin = _trained(subject.call(x[:60], y[:60], epochs=1, seed=seed), report)
        report.require(
            bool(np.mean(_labels(twin, x[-ASKED:], kinds, report) == first) > 0.98),
            "two trainings with the same seed give models that disagree",
            hint="Draw everything from generators made from `seed`: first weights, order of the pictures, flips. In "
            "PyTorch, torch.manual_seed(seed) at the start of fit.",
            symptom="seed",
        )
    with report.stage("time"):
        call = subject.call(x[:COUNT], y[:COUNT], epochs=EPOCHS, seed=seed + 1)
        report.require(
            call.seconds <= BUDGET,
            f"{EPOCHS} epochs on {COUNT} pictures of {size[0]} x {size[1]} took {call.seconds:.0f} s; "
            f"{BUDGET:g} s on one core are the bound",
            hint="A smaller net: halving all widths makes it four times as fast. (Or is the machine busy?)",
            symptom="too-slow",
        )
        trained = _trained(call, report)
        report.require(
            bool(np.mean(_labels(model, x[-ASKED:], kinds, report) == first) > 0.98),
            "the first model says something else after a second one was trained",
            hint="Make the net inside fit: one that stands outside is shared by all trainings.",
            symptom="shared-model",
        )
    with report.stage("picture by picture"):
        said = _labels(trained, x[COUNT:], kinds, report)
        _alone(trained, x[COUNT:], said, kinds, report)
    with report.stage("new pictures"):
        known = _labels(trained, x[:COUNT], kinds, report)
        _judge(said, y[COUNT:], known, y[:COUNT], kinds, report)


def _trained(call: Call, report: Report) -> Subject:
    report.untouched(call, NAMES)
    if not isinstance(call.value, Subject):
        report.fail(
            f"fit must return a model that can be called with images, got {type(call.value).__name__}",
            hint="Return the model itself (or a function), not its predictions or its accuracy.",
            symptom="no-model",
        )
    return call.value


def _labels(model: Subject, images: np.ndarray, kinds: int, report: Report) -> np.ndarray:
    """Return the model's labels of these images, required to be whole numbers that name classes."""
    try:
        call = model.call(images)
    except StudentError as error:
        if "per channel when training" in error.message:
            report.fail(f"for {len(images)} pictures your model raised: {error.message}", **TRAIN_MODE)
        if error.kind == "TypeError" and "not callable" in error.message:
            report.fail(
                "what fit returned cannot be called with images",
                hint="A model is called like a function: give its class a method __call__(self, images).",
                symptom="not-callable",
            )
        raise
    report.untouched(call, ("images",))
    got = call.value
    if isinstance(got, np.ndarray) and got.ndim == 2 and got.shape == (len(images), kinds):
        report.fail(
            f"the labels of {len(images)} pictures must have shape ({len(images)},), got scores {got.shape}",
            hint="One label for each picture: the argmax of its scores.",
            symptom="scores",
        )
    labels = report.array(got, (len(images),), kind="i", name="the labels")
    report.require(
        bool(((labels >= 0) & (labels < kinds)).all()),
        f"labels must lie in 0 to {kinds - 1}, got {labels.min()} to {labels.max()}",
        hint="The labels of `labels` count from 0, and there are labels.max() + 1 classes.",
        symptom="range",
    )
    return labels


TRAIN_MODE: dict[str, Any] = {
    "hint": "The model is still in training mode: batch norm uses the batch at hand, dropout drops. Call net.eval() "
    "when training is over.",
    "symptom": "train-mode",
}


def _same_twice(first: np.ndarray, again: np.ndarray, report: Report) -> None:
    agree = float(np.mean(first == again))
    if agree <= 0.98 and (np.sort(first) == np.sort(again)).mean() > 0.98:
        report.fail(
            "asked twice, the model gives the same labels in another order",
            hint="Label i belongs to picture i: never shuffle when predicting (DataLoader(shuffle=False)).",
            symptom="out-of-order",
        )
    report.require(
        agree > 0.98, f"asked twice about the same pictures, it changes {100 - 100 * agree:.0f} %", **TRAIN_MODE
    )


def _alone(model: Subject, images: np.ndarray, said: np.ndarray, kinds: int, report: Report) -> None:
    """Require that a picture's label does not depend on the pictures it comes with."""
    few = 24
    singly = np.concatenate([_labels(model, images[i : i + 1], kinds, report) for i in range(few)])
    backwards = _labels(model, images[:ASKED][::-1], kinds, report)[::-1]
    apart = max(float(np.mean(singly != said[:few])), float(np.mean(backwards != said[:ASKED])))
    report.require(
        apart <= 0.05,
        f"{100 * apart:.0f} % of the labels change when the pictures come alone or in another order",
        **TRAIN_MODE,
    )


def _judge(said: np.ndarray, y: np.ndarray, known: np.ndarray, y_known: np.ndarray, kinds: int, report: Report) -> None:
    """Compare with the truth; where it falls short, say what is seen."""
    right, learned = float(np.mean(said == y)), float(np.mean(known == y_known))
    message = (
        f"after {EPOCHS} epochs on {COUNT} pictures, {100 * right:.0f} % of {len(y)} new ones are right; "
        f"{100 * TARGET:.0f} % are asked, guessing gives {100 / kinds:.0f} %"
    )
    if right >= TARGET:
        return
    if right >= LEAST:
        report.partly(0.5, message, hint=_ADVICE, symptom="halfway")
        return
    if any(np.mean((said + k) % kinds == y) >= LEAST for k in range(1, kinds)):
        report.fail(
            message,
            hint="Your labels are all moved by the same number: check where you count from 0.",
            symptom="moved-labels",
        )
    if len(np.unique(said)) == 1:
        report.fail(
            message,
            hint=f"Every picture gets the label {said[0]}. Training diverged (is the loss nan? divide the learning "
            "rate by 10) or never began (do the optimizer's parameters belong to this net?).",
            symptom="one-class",
        )
    if learned - right > 0.2:
        report.fail(
            f"{message}. Of the pictures it was trained on it knows {100 * learned:.0f} %",
            hint="It learned its pictures by heart. Share weights over places (convolution, pooling at the end), and "
            "show flipped and moved variants.",
            symptom="by-heart",
        )
    if learned < 1.6 / kinds:
        report.fail(
            f"{message}. It does not even know the pictures it was trained on",
            hint="Images and labels may have been shuffled apart (one permutation for both), or the model prepares "
            "pictures in another way than training did: mean, scale, order of the axes.",
            symptom="apart",
        )
    report.fail(message, hint=_ADVICE, symptom="undertrained")


_ADVICE = (
    "It learns, but slowly. Count the steps: 600 pictures in batches of 500 are two an epoch, so let the batch size "
    "follow the number of pictures. Then the learning rate, by factors of 3."
)
