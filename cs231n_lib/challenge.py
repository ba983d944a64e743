"""The open challenge's paper work: a log of runs, one JSON line each, and the sealed test with its certificate.

Both are plain files beside the notebook, and both are printed for pasting into an answer cell. What they look like, and
how they are judged, stands in `check.n12_log` and `check.n12_certificate`.
"""

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cs231n_lib import store
from cs231n_lib.check import CheckFailed, Report
from cs231n_lib.check.n12_certificate import COUNT, FIELDS, PRACTICE, digest, link, name_of, pictures_of
from cs231n_lib.check.n12_log import check_run

LINE = 100  # characters of digits or JSON in a printed line


def as_digits(labels: np.ndarray) -> str:
    """Return labels 0 to 9 as text, 100 digits to a line. labels : int (N,)"""
    labels = np.asarray(labels)
    if (
        labels.ndim != 1
        or labels.dtype.kind not in "iu"
        or (labels.size and not 0 <= labels.min() <= labels.max() < 10)
    ):
        raise ValueError(f"as_digits: labels must be a row of whole numbers 0 to 9, got {labels.dtype} {labels.shape}")
    text = "".join(map(str, labels.tolist()))
    return "\n".join(text[i : i + LINE] for i in range(0, len(text), LINE))


class Log:
    """Runs of an experiment in a file of JSON lines; what is there already is read, and a line is never changed.

    path : the file, made by the first `add`
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self.runs: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]

    def __contains__(self, run: str) -> bool:
        return any(entry["run"] == run for entry in self.runs)

    def add(
        self,
        run: str,
        *,
        settings: dict[str, Any],
        epochs: int,
        seed: int,
        seconds: float,
        labels: np.ndarray,
        truth: np.ndarray,
        expected: str,
    ) -> dict[str, Any]:
        """Append one run and return its entry. The accuracy is computed here, from labels and truth, int (N,).

        Raises ValueError for a name that is there already, and for a field that is not as the check asks.
        """
        if run in self:
            raise ValueError(f"Log.add: run must be a new name, got {run!r} again; a run is never overwritten")
        labels, truth = np.asarray(labels), np.asarray(truth)
        if labels.shape != truth.shape or labels.ndim != 1:
            raise ValueError(f"Log.add: labels must have the shape of truth, {truth.shape}, got {labels.shape}")
        entry = {
            "run": run,
            "settings": settings,
            "epochs": epochs,
            "seed": seed,
            "seconds": round(seconds, 1),
            "images": len(truth),
            "accuracy": float(np.mean(labels == truth)),
            "expected": expected,
        }
        try:
            check_run(json.loads(json.dumps(entry)), len(self.runs) + 1, Report())
        except CheckFailed as failure:
            raise ValueError(f"Log.add: {failure.message}") from None
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.runs.append(entry)
        return entry

    def text(self) -> str:
        """Return the whole log for pasting: JSON, with a line break after each field that would pass 100 characters."""
        return "\n".join(_folded(json.dumps(entry)) for entry in self.runs)


def _folded(line: str) -> str:
    """Break a line of JSON after commas between fields, where white space means nothing."""
    parts, rows = line.split(', "'), [""]
    for i, part in enumerate(parts):
        piece = part if i == 0 else f'"{part}'
        piece = piece if i == len(parts) - 1 else f"{piece}, "
        if rows[-1] and len(rows[-1]) + len(piece) > LINE:
            rows.append("")
        rows[-1] += piece
    return "\n".join(row.rstrip() for row in rows)


def sealed_pictures() -> tuple[np.ndarray, str]:
    """Return (pictures uint8 (2000, 32, 32, 3), name of the set).

    The course's set if it came with the assignment (datasets/sealed.npz), otherwise the one to practise with, which is
    drawn in some seconds; its labels are no secret.
    """
    path = store.DATASETS / "sealed.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return stored["pictures"], str(stored["name"])
    return pictures_of(PRACTICE), name_of(PRACTICE)


def take_sealed_test(
    model: Callable[[np.ndarray], np.ndarray],
    *,
    run: str,
    accuracy: float,
    folder: str | os.PathLike[str] = ".",
    pictures: np.ndarray | None = None,
) -> str:
    """Let a model label the sealed pictures, write the use down in sealed-uses.jsonl, and return the certificate.

    model : function from images uint8 (N, 32, 32, 3) to labels int (N,)
    run : the name of the model's run in the log;  accuracy : what it reached on the validation images, in [0, 1]
    No accuracy comes back: the labels are with whoever grades. Each use is written down with a link to the one before,
    and the certificate shows all of them; its labels are those of the first.
    """
    given, name = (pictures, name_of(PRACTICE)) if pictures is not None else sealed_pictures()
    said = as_digits(model(given)).replace("\n", "")
    if len(said) != COUNT:
        raise ValueError(f"take_sealed_test: model must give one label for each of {COUNT} pictures, got {len(said)}")
    path = Path(folder) / "sealed-uses.jsonl"
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    kept = [use for use in kept if use["set"] == name]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    previous = kept[-1]["link"] if kept else name
    use: dict[str, Any] = {"number": len(kept) + 1, "time": now, "run": run, "accuracy": float(accuracy)}
    use |= {"labels": digest(said), "previous": previous}
    use["link"] = link(use)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"set": name, **use, "said": said}) + "\n")
    uses = [{field: one[field] for field in FIELDS} for one in (*kept, use)]
    first = kept[0]["said"] if kept else said
    return certificate_text(name, uses, first)


def certificate_text(name: str, uses: list[dict[str, Any]], said: str) -> str:
    """Return a certificate as JSON in lines of at most about 120 characters; line breaks are no part of it."""
    head = json.dumps({"set": name, "uses": uses})[:-1]
    rows = [_folded(head), '"labels": "', *as_digits(np.array([int(c) for c in said])).splitlines()]
    return ",\n".join(rows[:2]) + "\n" + "\n".join(rows[2:]) + '"}'
