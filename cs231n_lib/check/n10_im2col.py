"""What is examined in N10: im2col along one axis, written from scratch."""

from typing import Any

import numpy as np

from .n10_oracle import names_used, refuses
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

LIBRARY = {"im2col", "conv_forward_fast", "conv_forward_columns"}


def columns_by_hand(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Return the columns (C * K, N * L'), number by number, straight from the definition."""
    n, c, length = x.shape
    starts = range(0, length - kernel + 1, stride)
    columns = [[x[i, ch, s + k] for i in range(n) for s in starts] for ch in range(c) for k in range(kernel)]
    return np.array(columns, dtype=x.dtype).reshape(c * kernel, n * len(starts))


def _slips(x: np.ndarray, kernel: int, stride: int, want: np.ndarray) -> list[Symptom]:
    n, c, _ = x.shape
    by_axis = want.reshape(c, kernel, n, -1)
    tap_first = by_axis.transpose(1, 0, 2, 3).reshape(want.shape)
    place_first = by_axis.transpose(0, 1, 3, 2).reshape(want.shape)
    symptoms = [
        Symptom(
            "turned",
            looks_like(by_axis[:, ::-1].reshape(want.shape)),
            "The taps run backwards: row (c, k) holds the pixel k steps into the window.",
        ),
        Symptom(
            "tap-first",
            looks_like(tap_first),
            "The rows run over (k, c). They must run over (c, k): all taps of channel 0, then all of channel 1.",
        ),
        Symptom(
            "place-first",
            looks_like(place_first),
            "The columns run over (place, n). They must run over (n, place): all places of row 0 come first.",
        ),
        Symptom(
            "mixed",
            looks_like(by_axis.transpose(2, 0, 1, 3).reshape(want.shape)),
            "Right numbers, wrong places: before the reshape the axes must stand as (C, K, N, L'). Transpose first.",
        ),
    ]
    if want.shape[0] == want.shape[1]:
        symptoms.append(Symptom("transposed", looks_like(want.T), "Every window is a column here, not a row."))
    if stride > 1:
        dense = columns_by_hand(x, kernel, 1).reshape(c * kernel, n, -1)[:, :, : by_axis.shape[3]].reshape(want.shape)
        hint = "The windows are 1 apart: window p begins at pixel p * stride."
        symptoms.append(Symptom("stride-ignored", looks_like(dense), hint))
    return symptoms


def _require_shape(got: Any, x: np.ndarray, kernel: int, stride: int, report: Report) -> np.ndarray:
    n, c, length = x.shape
    count = len(range(0, length - kernel + 1, stride))
    want = (c * kernel, n * count)
    message = f"x {x.shape}, kernel {kernel}, stride {stride}: columns must have shape (C * K, N * L') = {want}"
    if isinstance(got, np.ndarray) and got.shape != want:
        message += f", got {got.shape}"
        slips = [
            (want[::-1], "transposed", "Every window is a column here, not a row."),
            ((c * kernel, n * (length - kernel + 1)), "stride-ignored", "With a stride, L' = (L - K) / stride + 1."),
            ((c * kernel, n * (count - 1)), "no-plus-one", "A window that fits exactly once has one place: add 1."),
            ((c, kernel, n, count), "not-flat", "Right so far: reshape the axes (C, K, N, L') into two."),
            ((kernel, n * count), "one-channel", "A window reaches through all C channels."),
            ((c * kernel, count), "one-row", "All N rows of the batch have their windows side by side."),
        ]
        for shape, symptom, hint in slips:
            if got.shape == shape:
                report.fail(message, hint=hint, symptom=symptom)
        report.fail(message, symptom="shape")
    return report.array(got, want, kind="fi", name="columns")


def line_case(subject: Subject, report: Report, x: np.ndarray, kernel: int, stride: int, *, hint: str = "") -> None:
    """Require the columns of one batch; `hint` is for a case that only its memory layout sets apart."""
    want = columns_by_hand(x, kernel, stride)
    got = _require_shape(subject(x, kernel, stride=stride), x, kernel, stride, report)
    slips = [Symptom("column-order", lambda v: True, hint)] if hint else _slips(x, kernel, stride, want)
    report.equal(got, want, name="columns", symptoms=slips)


@exercise("fast-im2col_1d", points=5, title="im2col along one axis")
def examine_line(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    row = np.array([[[1.0, 2, 3, 4, 5]]])
    with report.stage("shape"):
        call = subject.call(row, 3)
        got = _require_shape(call.value, row, 3, 1, report)
    with report.stage("from scratch"):
        used = sorted(LIBRARY & names_used(subject))
        report.require(
            not used,
            f"im2col_1d calls {', '.join(used)}",
            hint="The library's function is the same thing along two axes. Write this one without it.",
            symptom="library",
        )
    with report.stage("input untouched, result its own"):
        report.untouched(call, ["x"])
        _require_copy(subject, report)
    with report.stage("five numbers by hand"):
        want = [[1.0, 2, 3], [2, 3, 4], [3, 4, 5]]
        report.equal(
            got, want, name="columns", symptoms=_slips(row, 3, 1, np.array(want))
        )  # symmetric: order comes next
        line_case(subject, report, np.array([[[1.0, 2, 3, 4, 5, 6, 7]]]), 3, 2)
    with report.stage("batches of several channels"):
        for n, c, kernel, stride, places in ((3, 2, 4, 1, 5), (2, 4, 3, 2, 5), (4, 3, 2, 3, 2), (2, 3, 1, 2, 4)):
            x = rng.normal(size=(n, c, (places - 1) * stride + kernel))
            line_case(subject, report, x, kernel, stride)
    with report.stage("column order in memory"):
        hint = "x need not lie row after row in memory: use indices or slices, or x.strides, not its size in bytes."
        line_case(subject, report, np.asfortranarray(rng.normal(size=(3, 2, 9))), 3, 2, hint=hint)
    with report.stage("whole numbers and float32"):
        line_case(subject, report, rng.integers(0, 256, size=(2, 3, 7), dtype=np.uint8), 3, 2)
        line_case(subject, report, rng.normal(size=(2, 3, 7)).astype(np.float32), 2, 1)
    with report.stage("sizes that do not fit"):
        for length, kernel, stride in ((7, 3, 3), (6, 3, 2), (4, 5, 1)):
            report.require(
                refuses(subject, rng.normal(size=(2, 3, length)), kernel, stride=stride),
                f"{length} numbers, kernel {kernel}, stride {stride} must raise ValueError",
                hint="Rounding down leaves numbers out without a word: ask whether stride divides L - K.",
                symptom="floors",
            )


def _require_copy(subject: Subject, report: Report) -> None:
    """Ask on a single row, where a view of x has the shape of the columns without any copying."""
    for kernel in (3, 1):
        shared = subject.call(np.arange(9.0).reshape(1, 1, 9), kernel).aliases
        report.require(
            not shared,
            "the columns are a view of x",
            hint="A pixel stands in several columns; in a view these are one number in memory, and writing to one "
            "changes all, x too. Return a copy.",
            symptom="view",
        )
