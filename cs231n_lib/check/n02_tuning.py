"""What is examined in N02, fifth part: the search for hyperparameters, by what the weights it returns predict.

Nothing that the student's code prints or claims counts. It gets training and validation images that it has never seen,
and its weights label images that it never sees.
"""

import math

import numpy as np

from .n02_scores import number
from .report import CheckFailed, Report
from .spec import exercise
from .subject import StudentError, Subject

STEPS = 100  # of gradient descent for each setting: about a second of work for six settings
TARGET = 0.62  # six draws: rates of 0.01 to 0.1 give 0.655 to 0.69, 0.003 0.61 to 0.65, 0.001 0.58 to 0.63, 0.0001 0.34
HOPELESS = 0.15  # chance is 0.10
Rows = tuple[np.ndarray, np.ndarray]


def blurry_images(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw float32 images (count, 32, 32, 3) in [0, 1] of ten new classes, and their labels.

    A class is a pattern of 4x4 patches of colour; light, clutter and noise are added to it. All patterns are equally
    strong and at right angles to each other, so every draw is equally difficult.
    """
    labels = rng.permutation(np.arange(count) % 10)
    patterns = np.linalg.qr(rng.normal(size=(48, 10)))[0].T.reshape(10, 4, 4, 3)
    coarse = 0.55 * patterns[labels] + 0.25 * rng.normal(size=(count, 4, 4, 3))
    coarse += 0.5 + 0.12 * rng.normal(size=(count, 1, 1, 1))
    images = coarse.astype(np.float32).repeat(8, axis=1).repeat(8, axis=2)
    images += 0.1 * rng.standard_normal(size=images.shape, dtype=np.float32)
    return np.clip(images, 0, 1), labels


def prepared(images: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return rows as the notebook's `prepare` does: the mean image off, a column of ones on; float32 (N, 3073)."""
    rows = (images - mean).reshape(len(images), -1)
    return np.hstack([rows, np.ones((len(rows), 1))]).astype(np.float32)


def search(subject: Subject, train: Rows, val: Rows, held_out: Rows, report: Report) -> None:
    """Run a student's search, and judge the weights by the images that were held out.

    train, val, held_out : (prepared rows, labels)
    """
    with report.stage("weights and results"):
        call = _call(subject, train, val, report)
        shape = (train[0].shape[1], 10)
        value = call.value
        report.require(value is not None, "the result is None", hint="Does it end in `return`?", symptom="no-return")
        report.require(
            isinstance(value, tuple | list) and len(value) == 2,
            f"the result must be a pair (W, results), got {type(value).__name__}",
            symptom="not-pair",
        )
        weights = report.array(value[0], shape, name="W")
        report.require(
            bool(np.isfinite(weights).all()),
            "W holds numbers that are not finite: a run that diverged was chosen",
            hint="A learning rate that is too large makes W explode. Such a run should lose the comparison.",
            symptom="diverged",
        )
        results = _results(value[1], report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["X_train", "y_train", "X_val", "y_val", "num_steps"])
    with report.stage("the best of the search"):
        _require_best(weights, results, train, val, report)
    with report.stage("images held out"):
        share = _share(weights, held_out)
        low, high = min(rate for rate, _ in results), max(rate for rate, _ in results)
        tried = f"You tried learning rates from {low:g} to {high:g}."
        report.require(
            share >= TARGET,
            f"{100 * share:.1f} % of {len(held_out[1])} new images are right; {100 * TARGET:.0f} % are asked for",
            hint=f"{tried} Try values ten times smaller and larger, then closer ones: with too small a rate W has "
            "hardly moved after all steps, with too large a rate it jumps about.",
            symptom="target" if share > HOPELESS else "chance",
        )


def _call(subject: Subject, train: Rows, val: Rows, report: Report):
    try:
        return subject.call(*train, *val, num_steps=STEPS)
    except StudentError as error:
        if error.kind == "NotImplementedError" and error.function not in ("", "<lambda>", "tune"):
            raise CheckFailed(
                f"{subject.name} calls {error.function}, which is not implemented yet",
                "Do that exercise first, or let the search train in a way of its own.",
                "needs-earlier",
            ) from error
        raise


def _results(results: object, report: Report) -> dict[tuple[float, float], float]:
    """Require {(learning_rate, reg): validation accuracy} with at least four settings."""
    if not isinstance(results, dict):
        report.fail(f"results must be a dict, got {type(results).__name__}", symptom="not-dict")
    assert isinstance(results, dict)
    found = {}
    for key, value in results.items():
        report.require(
            isinstance(key, tuple) and len(key) == 2,
            f"the keys of results must be pairs (learning_rate, reg), got {key!r:.60}",
            symptom="keys",
        )
        rate, reg = (number(entry, report, name="a key of results") for entry in key)
        share = number(value, report, name="a validation accuracy", finite=False)
        report.require(
            math.isnan(share) or 0 <= share <= 1,
            f"the accuracies in results must be shares from 0 to 1, got {share:g}",
            symptom="percent",
        )
        found[rate, reg] = share
    report.require(
        len(found) >= 4,
        f"results holds {len(found)} settings; at least 4 are asked for",
        hint="One setting is a guess, not a search. Try several learning rates, with and without regularization.",
        symptom="too-few",
    )
    report.require(
        len({rate for rate, _ in found}) > 1, "all settings have the same learning rate", symptom="one-learning-rate"
    )
    return found


def _require_best(weights: np.ndarray, results: dict, train: Rows, val: Rows, report: Report) -> None:
    """Require that W has the highest validation accuracy of the results, as the judge counts it."""
    best = max((share for share in results.values() if not math.isnan(share)), default=0.0)
    share = _share(weights, val)
    slack = 2.5 / len(val[1])  # two images: rows that nearly tie may round differently
    if abs(share - best) <= slack:
        return
    if abs(_share(weights, train) - best) <= 1e-6:
        report.fail(
            f"the best accuracy in results, {best:.3f}, is that of W on the training images",
            hint="Training images reward whatever fits them closest. Compare the settings on X_val, y_val.",
            symptom="scored-on-train",
        )
    known = any(abs(share - other) <= slack for other in results.values())
    report.fail(
        f"W has {share:.3f} on the validation images; the best in results is {best:.3f}",
        hint="You return the weights of another setting, such as the last one: keep those of the best so far."
        if known
        else "The accuracies in results are not those of the weights on X_val, y_val.",
        symptom="not-the-best" if known else "results-differ",
    )


def _share(weights: np.ndarray, data: Rows) -> float:
    rows, labels = data
    return float(np.mean((rows @ weights.astype(np.float64)).argmax(axis=1) == labels))


@exercise("softmax-tune", points=5, title="a search that reaches the target")
def examine_tune(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    images, labels = blurry_images(rng, 2300)
    mean = images[:1000].mean(axis=0)
    cuts = (slice(1000), slice(1000, 1300), slice(1300, 2300))
    train, val, held_out = ((prepared(images[cut], mean), labels[cut]) for cut in cuts)
    search(subject, train, val, held_out, report)
