"""What is examined in N12, second: a log of training runs and one ablation read from it."""

import json
import math
from typing import Any

import numpy as np

from cs231n_lib import shapes10

from .report import NotAnswered, Report
from .spec import exercise
from .subject import Subject

IMAGES = 1000  # validation images: the last of the 10,000 training images of shapes10
MOST_TEXT = 200_000  # characters of a log: hundreds of runs
FIELDS = {  # of every line of a log
    "run": "a name, used once",
    "settings": "a dict of what was chosen",
    "epochs": "a whole number, 1 or more",
    "seed": "a whole number",
    "seconds": "the training time, more than 0",
    "images": f"the number of validation images, {IMAGES}",
    "accuracy": "the share of them that is right, in [0, 1]",
    "expected": "what you expected before the run",
}
VERDICTS = ("helps", "hurts", "not seen")
RUNS = 3  # with each setting of the ablation


@exercise("challenge-log", points=4, title="a log of runs and one ablation")
def examine_log(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("form"):
        answer = subject.value()
        unfilled = isinstance(answer, dict) and any(value is ... for value in answer.values())
        if answer is ... or unfilled:
            raise NotAnswered
        keys = ("log", "final_run", "final_labels", "changed", "base_runs", "changed_runs", "effect", "verdict")
        report.require(
            isinstance(answer, dict) and set(answer) == set(keys),
            f"the answer must be a dict with the keys {', '.join(keys)}",
            hint="Keep the form of the cell and replace the dots.",
            symptom="keys",
        )
        runs = read_log(answer["log"], report)
    with report.stage("figures that a model reached"):
        for name, run in runs.items():
            count = run["accuracy"] * IMAGES
            report.require(
                abs(count - round(count)) < 1e-6,
                f"run {name!r}: accuracy {run['accuracy']} on {IMAGES} images must be a whole number of them",
                hint="Log what was measured, unrounded: log.add computes it from the labels.",
                symptom="not-a-count",
            )
        rescore(answer, runs, report)
    with report.stage("one change"):
        pairs = ablated(answer, runs, report)
    with report.stage("effect and verdict"):
        judge_effect(answer, pairs, report)


def read_log(text: Any, report: Report) -> dict[str, dict[str, Any]]:
    """Return the runs of a log by name. text : JSON objects one after another; line breaks mean nothing"""
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        report.fail(f"log must be text of at most {MOST_TEXT:,} characters, got {type(text).__name__}", symptom="text")
    decoder, rest = json.JSONDecoder(), text.strip()
    runs: dict[str, dict[str, Any]] = {}
    if not rest:
        raise NotAnswered
    while rest:
        number = len(runs) + 1
        try:
            run, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError) as error:
            report.fail(
                f"line {number} of the log is not JSON: {str(error)[:80]}",
                hint="Paste all that log.text() prints, from the first brace to the last, between the quotes.",
                symptom="not-json",
            )
        name = check_run(run, number, report)
        report.require(name not in runs, f"two runs are called {name!r}; each needs a name of its own", symptom="names")
        runs[name], rest = run, rest[end:].lstrip()
    return runs


def check_run(run: Any, number: int, report: Report) -> str:
    """Require one entry of a log with every field, of the right kind; return its name."""
    missing = [name for name in FIELDS if not isinstance(run, dict) or name not in run]
    report.require(
        not missing,
        f"entry {number} of the log must have the fields {', '.join(FIELDS)}; {', '.join(missing)} missing",
        hint="A figure without its settings, its seed and its number of images cannot be repeated by anybody.",
        symptom="fields",
    )

    def whole(value: Any, least: float) -> bool:
        return type(value) is int and value >= least

    def number_in(value: Any, least: float, most: float) -> bool:
        return type(value) in (int, float) and math.isfinite(value) and least <= value <= most

    fits = {
        "run": isinstance(run["run"], str) and bool(run["run"].strip()),
        "settings": isinstance(run["settings"], dict),
        "epochs": whole(run["epochs"], 1),
        "seed": whole(run["seed"], -math.inf),
        "seconds": number_in(run["seconds"], 1e-9, math.inf),
        "images": run["images"] == IMAGES,
        "accuracy": number_in(run["accuracy"], 0, 1),
        "expected": isinstance(run["expected"], str) and len(run["expected"].split()) >= 2,
    }
    for field, good in fits.items():
        report.require(
            good,
            f"entry {number}: {field} must be {FIELDS[field]}, got {run[field]!r}"[:200],
            hint="Write the expectation before the run: afterwards everybody knew." if field == "expected" else "",
            symptom=f"field-{field}",
        )
    return str(run["run"])


def validation_labels() -> np.ndarray:
    """Return the labels of the validation images, int64 (IMAGES,), without drawing a picture.

    They are those of load_dataset("shapes10").subset(val=IMAGES).val.
    """
    count = 10_000
    labels = np.arange(count, dtype=np.int64) % len(shapes10.CLASSES)
    return labels[np.argsort(np.random.default_rng(231).random(count), kind="stable")][-IMAGES:]


def digits(text: Any, count: int, name: str, report: Report) -> np.ndarray:
    """Return labels written as digits, white space ignored: int64 (count,)."""
    packed = "".join(text.split()) if isinstance(text, str) else ""
    report.require(
        len(packed) == count and packed.isascii() and packed.isdigit(),
        f"{name} must be {count} digits, got {len(packed)} characters"
        if isinstance(text, str)
        else f"{name} must be text of {count} digits, got {type(text).__name__}",
        hint="Print them with as_digits(labels) and paste all of it.",
        symptom="digits",
    )
    return np.frombuffer(packed.encode(), dtype=np.uint8).astype(np.int64) - ord("0")


def rescore(answer: dict, runs: dict[str, dict], report: Report) -> None:
    """Score the final run's labels anew: the log has to say what they say."""
    name = answer["final_run"]
    report.require(
        isinstance(name, str) and name in runs,
        f"final_run must be the name of a run of the log, got {name!r}"[:120],
        symptom="unknown-run",
    )
    labels = digits(answer["final_labels"], IMAGES, "final_labels", report)
    right = float(np.mean(labels == validation_labels()))
    logged = runs[name]["accuracy"]
    if abs(right - logged) < 0.5 / IMAGES:
        return
    message = f"final_labels are right for {right:.3f} of the validation images, and the log says {logged:.3f}"
    report.require(
        right > 0.2,
        message,
        hint="That is guessing. Are they the labels of data.val of shapes10, in its order?",
        symptom="other-images",
    )
    report.fail(
        message,
        hint="The labels must be those of the model that this entry describes: call the same model once more.",
        symptom="other-model",
    )


def ablated(answer: dict, runs: dict[str, dict], report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Require two groups of runs that differ in one setting; return their accuracies, with and without the change."""
    groups = []
    for which in ("base_runs", "changed_runs"):
        names = answer[which]
        report.require(
            isinstance(names, list | tuple) and all(isinstance(name, str) and name in runs for name in names),
            f"{which} must be a list of names of runs, got {names!r}"[:160],
            symptom="unknown-run",
        )
        report.require(
            len(names) >= RUNS,
            f"{which} must be {RUNS} runs or more, got {len(names)}",
            hint="One run with and one without say nothing as long as you do not know how far two equal runs differ.",
            symptom="few-runs",
        )
        seeds = [runs[name]["seed"] for name in names]
        report.require(
            len(set(seeds)) == len(seeds),
            f"{which} must have a seed each of their own, got {seeds}",
            hint="The same seed is the same run: it shows no spread.",
            symptom="same-seed",
        )
        groups.append([runs[name] for name in names])
    base, changed = groups
    for runs_alike in groups:
        first = _chosen(runs_alike[0])
        report.require(
            all(_chosen(run) == first for run in runs_alike),
            f"runs {', '.join(run['run'] for run in runs_alike)} must have equal settings and epochs",
            symptom="mixed",
        )
    before, after = _chosen(base[0]), _chosen(changed[0])
    keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    report.require(
        len(keys) == 1,
        f"exactly one setting may differ between both groups, got {', '.join(keys) or 'none'}",
        hint="With two changes at once nobody can say which one it was.",
        symptom="not-one-change",
    )
    report.require(
        answer["changed"] == keys[0],
        f"changed must be the setting that differs, {keys[0]!r}, got {answer['changed']!r}"[:120],
        symptom="changed",
    )
    return np.array([run["accuracy"] for run in base]), np.array([run["accuracy"] for run in changed])


def _chosen(run: dict) -> dict[str, Any]:
    return {**run["settings"], "epochs": run["epochs"]}


def judge_effect(answer: dict, pairs: tuple[np.ndarray, np.ndarray], report: Report) -> None:
    """Compute the effect and what may be said about it, and compare."""
    base, changed = pairs
    effect = float(changed.mean() - base.mean())
    error = math.sqrt(base.var(ddof=1) / len(base) + changed.var(ddof=1) / len(changed))
    stated, verdict = answer["effect"], answer["verdict"]
    plain = isinstance(stated, int | float | np.number) and not isinstance(stated, bool | np.bool_)
    report.require(bool(plain), f"effect must be a number, got {stated!r}"[:120], symptom="effect")
    stated = float(stated)
    message = (
        f"effect must be the mean accuracy of changed_runs minus that of base_runs, {effect:+.4f}, got {stated:+.4f}"
    )
    if not abs(stated - effect) <= 6e-4:
        relations = (
            ("sign", -effect, "Changed minus base: the other way round."),
            ("percent", 100 * effect, "As a share, not in percent."),
            ("best-of", float(changed.max() - base.max()), "The means, not the best runs: the best of many is luck."),
        )
        for symptom, value, hint in relations:
            report.require(not abs(stated - value) <= 6e-4, message, hint=hint, symptom=symptom)
        report.fail(message, symptom="effect")
    report.require(
        isinstance(verdict, str) and verdict in VERDICTS,
        f"verdict must be one of {', '.join(VERDICTS)}, got {verdict!r}"[:120],
        symptom="verdict",
    )
    says = f"the effect is {effect:+.4f}, its standard error {error:.4f}"
    clear = abs(effect) > 2 * error
    near_the_line = abs(abs(effect) - 2 * error) <= 0.1 * error
    if near_the_line and verdict == "not seen":
        return
    if verdict == "not seen":
        hint = "More than two standard errors: that is seen."
        report.require(not clear, says, hint=hint, symptom="underclaim")
        return
    report.require(
        clear or near_the_line,
        says,
        hint="Less than two standard errors: equal settings would differ as much. Say 'not seen', or make more runs.",
        symptom="overclaim",
    )
    report.require((verdict == "helps") == (effect > 0), f"{says}, and you say {verdict!r}", symptom="other-verdict")
