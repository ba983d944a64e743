"""What is examined in N05, last part: features that beat raw pixels on freshly drawn images, and a question."""

import itertools

import numpy as np

from cs231n_lib import shapes10

from .report import CheckFailed, Report
from .spec import exercise
from .subject import Call, StudentError, Subject

TRAIN, TEST = 400, 300  # images; a share of 300 has a standard error of 0.028
GAIN = 0.03  # accuracy to gain over raw pixels; HOG and hues gain 0.11 to 0.25 (6 draws)
LIGHT = shapes10.Challenges(illumination=1.0, clutter=0.2, occlusion=0.15)  # unsteady light, little in the way
MAX_FEATURES = 3072  # as many numbers as pixels: features are meant to say more with less
EPOCHS, BATCH = 12, 40


@exercise("feat-extract_features", points=4, title="features that beat raw pixels")
def examine_features(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    labels = rng.permutation(np.arange(TRAIN + TEST) % 10)
    few = shapes10.draw(labels[:7], rng, LIGHT)
    with report.stage("shape and dtype"):
        call = _extract(subject, few)
        got = call.value
        report.require(got is not None, "the result is None", hint="Does it end in `return`?", symptom="no-return")
        if not isinstance(got, np.ndarray) or got.ndim != 2 or len(got) != 7 or got.dtype.kind != "f":
            found = f"{got.dtype} {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
            report.fail(
                f"the result must be a float array (N, D), one row for each of the 7 images, got {found}",
                hint="Join features of the same images side by side: np.concatenate([...], axis=1).",
                symptom="rows",
            )
        width = got.shape[1]
        report.require(
            1 <= width <= MAX_FEATURES,
            f"there must be 1 to {MAX_FEATURES:,} features, got {width:,}",
            hint="More numbers than the image has pixels is no summary of it.",
            symptom="too-many",
        )
    with report.stage("inputs untouched"):
        report.untouched(call, ["images"])
    with report.stage("black, gray and white images"):
        even = np.zeros((3, 32, 32, 3), np.uint8) + np.array([0, 128, 255], np.uint8)[:, None, None, None]
        flat = report.array(_extract(subject, even).value, (3, width))
        report.require(
            bool(np.isfinite(flat).all()),
            "an image of one colour has features that are nan or infinite",
            hint="Somewhere you divide by a length, a spread or a sum that is 0 here.",
            symptom="flat-nan",
        )
    with report.stage("each image by itself"):
        _require_independence(subject, few, got, report)
    images = shapes10.draw(labels, rng, LIGHT)
    features = report.array(_extract(subject, images).value, (len(images), width))
    report.require(bool(np.isfinite(features).all()), "some features are nan or infinite", symptom="not-finite")
    pixels = images.reshape(len(images), -1) / 255
    _require_news(features, pixels, report)
    for name, hidden, rate in (("a linear classifier", 0, 1.0), ("a small MLP", 64, 0.2)):
        with report.stage(name):
            base = trained_accuracy(pixels, labels, hidden=hidden, learning_rate=rate)
            yours = trained_accuracy(features, labels, hidden=hidden, learning_rate=rate)
            report.require(
                yours >= base + GAIN,
                f"{name} gets {100 * yours:.1f} % right on your features and {100 * base:.1f} % on raw pixels; "
                f"a gain of {100 * GAIN:.0f} points is asked",
                hint="Shape tells these classes apart, colour hardly: is the histogram of gradients in, and in its own "
                "cells rather than summed over the image?",
                symptom="no-gain",
            )


def _extract(subject: Subject, images: np.ndarray) -> Call:
    """Call the student's function; name an earlier exercise that it calls and that is still open."""
    try:
        return subject.call(images)
    except StudentError as error:
        if error.kind != "NotImplementedError" or error.function in ("extract_features", subject.name):
            raise
        raise CheckFailed(
            f"it calls {error.function}, which is not implemented yet",
            "Write that one first, or leave it out: features that beat raw pixels need not use all of your functions.",
            "calls-a-stub",
        ) from error


def _require_independence(subject: Subject, few: np.ndarray, got: np.ndarray, report: Report) -> None:
    """Require that the features of an image do not depend on the images that it came with."""
    again = report.array(_extract(subject, few[[4, 2]]).value, (2, got.shape[1]))
    report.require(
        bool(np.allclose(again, got[[4, 2]], rtol=1e-4, atol=1e-6, equal_nan=True)),
        "an image gets other features in another company of images",
        hint="Nothing may be computed over the batch, neither a mean nor a spread: the same image must always get the "
        "same features. Standardising is the classifier's work, with figures of the training set.",
        symptom="batch-dependent",
    )


def _require_news(features: np.ndarray, pixels: np.ndarray, report: Report) -> None:
    """Require that the features vary, and that they are not the pixels themselves."""
    report.require(bool((features.std(axis=0) > 1e-9).any()), "every image has the same features", symptom="constant")
    if features.shape == pixels.shape:
        scaled = np.abs(np.corrcoef(features[:, ::97].T, pixels[:, ::97].T).diagonal(32)) > 0.999
        report.require(
            not scaled.all(),
            "these are the pixels",
            hint="Hand back the features that you wrote above instead: histograms of gradients, of hues, of words.",
            symptom="raw-pixels",
        )


def trained_accuracy(rows: np.ndarray, labels: np.ndarray, *, hidden: int, learning_rate: float) -> float:
    """Return the accuracy on the last TEST rows of a classifier trained on the first TRAIN rows.

    rows : float (TRAIN + TEST, D);  labels : int (TRAIN + TEST,)
    hidden : units of a hidden layer, 0 for a linear classifier
    """
    import torch
    from torch.nn.functional import cross_entropy

    mean, spread = rows[:TRAIN].mean(axis=0), rows[:TRAIN].std(axis=0)
    x = torch.tensor((rows - mean) / np.where(spread > 1e-6, spread, 1.0), dtype=torch.float32)
    x /= rows.shape[1] ** 0.5  # rows of length 1, so that one learning rate suits pixels and features
    y, dice = torch.tensor(labels), torch.Generator().manual_seed(0)
    sizes = [rows.shape[1], hidden, 10] if hidden else [rows.shape[1], 10]
    params = []
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        scale = (2.0 if i == 0 else 2.0 / fan_in) ** 0.5
        params += [scale * torch.randn(fan_in, fan_out, generator=dice), torch.zeros(fan_out)]
    moving = [torch.zeros_like(p) for p in params]

    def scores(some: torch.Tensor) -> torch.Tensor:
        for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            some = torch.relu(some @ w + b)
        return some @ params[-2] + params[-1]

    for p in params:
        p.requires_grad_()
    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAIN, generator=dice).split(BATCH):
            grads = torch.autograd.grad(cross_entropy(scores(x[batch]), y[batch]), params)
            with torch.no_grad():  # by hand, as loading torch.optim takes as long as all the training here
                for p, v, dp in zip(params, moving, grads, strict=True):
                    p -= learning_rate * v.mul_(0.9).add_(dp)
    with torch.no_grad():
        return float((scores(x[TRAIN:]).argmax(dim=1) == y[TRAIN:]).float().mean())


@exercise("feat-q1", points=2, title="what your features cannot tell apart", visible_share=0.0)
def examine_blind(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEFGH")
