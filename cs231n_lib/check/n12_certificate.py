"""What is examined in N12, last: the certificate of a sealed test, by its chain of uses and by scoring it anew.

A sealed set is 2,000 pictures of shapes10 that are drawn from a seed. Students get the pictures alone; whoever has the
seed has the labels. Without an instructor the seed is `PRACTICE` and all of this is practice. The judge takes the
course's seed from the environment variable SEAL, which no box ever sees.
"""

import hashlib
import json
import math
import os
from typing import Any

import numpy as np

from cs231n_lib import shapes10

from .n12_log import IMAGES, digits
from .report import NotAnswered, Report
from .spec import exercise
from .subject import Subject

SEAL = "CS231N_SEAL"  # hexadecimal, set by the judge
PRACTICE = "9ac71ce"  # anybody can read it: a set to practise with
COUNT = 2000
FIELDS = ("number", "time", "run", "accuracy", "labels", "previous", "link")
MOST_TEXT = 100_000


def seal_in_force() -> str:
    """Return the seed of the sealed set that counts here: the course's when grading, else the one to practise with."""
    return os.environ.get(SEAL) or PRACTICE


def name_of(seal: str) -> str:
    """Return what a sealed set is called: a digest, from which nobody finds the seed."""
    return hashlib.sha256(f"sealed set {seal}".encode()).hexdigest()[:16]


def labels_of(seal: str) -> np.ndarray:
    """Return the labels of a sealed set, int64 (COUNT,): every class equally often."""
    return _generator(seal).permutation(np.arange(COUNT, dtype=np.int64) % len(shapes10.CLASSES))


def pictures_of(seal: str) -> np.ndarray:
    """Return the pictures of a sealed set, uint8 (COUNT, 32, 32, 3)."""
    rng = _generator(seal)
    return shapes10.draw(rng.permutation(np.arange(COUNT, dtype=np.int64) % len(shapes10.CLASSES)), rng)


def _generator(seal: str) -> np.random.Generator:
    return np.random.default_rng(int(seal, 16))


def digest(text: str) -> str:
    """Return the SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(use: dict[str, Any]) -> str:
    """Return the link of one use: a digest of all its other fields, the link before it among them."""
    return digest(json.dumps({name: use[name] for name in FIELDS[:-1]}, sort_keys=True))


@exercise("challenge-certificate", points=3, title="the sealed test", visible_share=1 / 3)
def examine_certificate(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("form"):
        certificate = read_certificate(subject.value(), report)
    with report.stage("chain"):
        check_chain(certificate, report)
    with report.stage("used once"):
        uses = len(certificate["uses"])
        if uses > 1:
            report.partly(
                2 / 3,
                f"the sealed test was taken {uses} times",
                hint="The first time counts. Whoever chooses the best of several tests has used them for validation.",
                symptom="used-again",
            )


def read_certificate(text: Any, report: Report) -> dict[str, Any]:
    """Return a certificate: {"set": name, "uses": [...], "labels": digits}. text : JSON, as it was pasted"""
    if text is ... or (isinstance(text, str) and not text.strip()):
        raise NotAnswered
    report.require(
        isinstance(text, str) and len(text) <= MOST_TEXT,
        f"the certificate must be the text that the sealed test printed, got {type(text).__name__}",
        symptom="text",
    )
    try:
        found = json.loads("".join(text.splitlines()))
    except (ValueError, RecursionError) as error:
        report.fail(
            f"the certificate is not JSON: {str(error)[:80]}",
            hint="Paste all that was printed, from the first brace to the last, between the quotes.",
            symptom="not-json",
        )
    whole = isinstance(found, dict) and set(found) == {"set", "uses", "labels"} and isinstance(found["uses"], list)
    report.require(
        whole and isinstance(found["set"], str) and len(found["uses"]) > 0,
        "a certificate has a set, its uses and the labels of the first of them",
        symptom="fields",
    )
    for use in found["uses"]:
        good = isinstance(use, dict) and set(use) == set(FIELDS)
        good = good and all(isinstance(use[name], str) for name in ("time", "run", "labels", "previous", "link"))
        good = good and type(use["number"]) is int and type(use["accuracy"]) is float and 0 <= use["accuracy"] <= 1
        report.require(good, f"each use must have the fields {', '.join(FIELDS)}", symptom="fields")
    return found


def check_chain(certificate: dict[str, Any], report: Report) -> None:
    """Require uses numbered from 1 that each hold the link of the one before, and the labels of the first."""
    hint = "A certificate is pasted as it was printed: a changed character breaks its chain."
    previous = certificate["set"]
    for number, use in enumerate(certificate["uses"], start=1):
        for good, message in (
            (use["number"] == number, f"use {number} is numbered {use['number']}"),
            (use["previous"] == previous, f"use {number} does not hang on the one before"),
            (use["link"] == link(use), f"use {number} was changed after it was written"),
        ):
            report.require(good, message, hint=hint, symptom="broken-chain")
        previous = use["link"]
    labels = digits(certificate["labels"], COUNT, "labels", report)
    written = "".join(map(str, labels.tolist()))
    report.require(
        digest(written) == certificate["uses"][0]["labels"],
        "the labels are not those of the first use",
        hint=hint,
        symptom="other-labels",
    )


def score(certificate: dict[str, Any], seal: str) -> float:
    """Return the share of right labels, in [0, 1], of a certificate that was read and whose chain holds."""
    said = "".join(certificate["labels"].split())
    truth = "".join(map(str, labels_of(seal).tolist()))
    return sum(a == b for a, b in zip(said, truth, strict=True)) / COUNT


def examine_score(subject: Subject, report: Report) -> None:
    """Score a certificate anew, in the hidden tests: the labels must be what its validation accuracy promises."""
    certificate = read_certificate(subject.value(), report)
    seal = seal_in_force()
    with report.stage("the course's set"):
        report.require(certificate["set"] == name_of(seal), "this certificate is of another sealed set")
    with report.stage("scored anew"):
        right, promised = score(certificate, seal), float(certificate["uses"][0]["accuracy"])
        pooled = (right * COUNT + promised * IMAGES) / (COUNT + IMAGES)
        error = math.sqrt(max(pooled * (1 - pooled), 1e-4) * (1 / COUNT + 1 / IMAGES))
        # The validation images chose the model, which flatters it a little: 0.02, then four standard errors of chance.
        report.require(right >= promised - 0.02 - 4 * error, "far fewer are right than validation promised")
        report.require(right <= promised + 0.02 + 4 * error, "far more are right than validation promised")
        report.require(right >= 0.5, "half of the pictures are asked")
