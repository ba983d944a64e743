"""What N10 hands to a student's function in place of the library's tools, and what it reads of a function's names."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cs231n_lib.kernels import col2im, im2col

from .report import Report
from .subject import Call, StudentError, Subject


@dataclass
class ColumnTool:
    """Stands in for im2col or col2im: does what the library's does, with each row of the columns times a gain.

    gain : float (C * HH * WW,); ones make it the library's own. Other gains make columns that no image has, so only an
        answer that is built on these very columns comes out right.
    kernel, stride, pad : what a right answer asks for; another kernel is noted as the problem, (message, hint, symptom)
    """

    gain: np.ndarray
    kernel: tuple[int, int]
    calls: int = 0
    problem: tuple[str, str, str] | None = None

    def im2col(self, x: Any, kernel_h: Any, kernel_w: Any, *, stride: Any = 1, pad: Any = 0) -> np.ndarray:
        self._see("im2col", (kernel_h, kernel_w))
        if not isinstance(x, np.ndarray):
            self._stop(
                f"im2col was given a {type(x).__name__} for x", "Its first argument is the batch x.", "tool-args"
            )
        return self._weigh(im2col(x, int(kernel_h), int(kernel_w), stride=stride, pad=pad))

    def col2im(
        self, cols: Any, x_shape: Any, kernel_h: Any, kernel_w: Any, *, stride: Any = 1, pad: Any = 0
    ) -> np.ndarray:
        self._see("col2im", (kernel_h, kernel_w))
        rows, width = len(self.gain), self._columns(x_shape, stride, pad)
        if not isinstance(cols, np.ndarray) or cols.shape != (rows, width):
            found = cols.shape if isinstance(cols, np.ndarray) else type(cols).__name__
            self._stop(
                f"col2im was given columns of shape {found}, for this x they are {(rows, width)}",
                "dcols has the shape of cols: w as a matrix, transposed, times dout as a matrix (F, N * H' * W').",
                "dcols-shape",
            )
        shape = tuple(int(size) for size in x_shape)
        return col2im(self._weigh(cols), shape, int(kernel_h), int(kernel_w), stride=stride, pad=pad)  # type: ignore[arg-type]

    def _columns(self, x_shape: Any, stride: Any, pad: Any) -> int:
        n, _, h, w = (int(size) for size in x_shape)
        return n * (((h + 2 * pad - self.kernel[0]) // stride) + 1) * (((w + 2 * pad - self.kernel[1]) // stride) + 1)

    def _weigh(self, columns: np.ndarray) -> np.ndarray:
        return columns * self.gain[:, None].astype(columns.dtype)

    def _see(self, name: str, kernel: tuple[Any, Any]) -> None:
        self.calls += 1
        if tuple(kernel) == self.kernel:
            return
        message = f"{name} was asked for windows of {kernel[0]} x {kernel[1]}, the filters are {self.kernel}"
        hint = "w is (F, C, HH, WW): the kernel's height is w.shape[2], its width w.shape[3]."
        turned = tuple(kernel) == self.kernel[::-1] or len(set(kernel)) == 1
        self._stop(message, hint, "square-filter" if turned else "tool-args")

    def _stop(self, message: str, hint: str, symptom: str) -> None:
        self.problem = self.problem or (message, hint, symptom)
        raise ValueError(message)


@dataclass
class Spy:
    """A judge's function that says what is wrong with its arguments, and turns foreign errors into ValueError.

    examine : called with the arguments; returns (message, hint, symptom), or None if they are as they should be
    """

    function: Callable[..., Any]
    examine: Callable[..., tuple[str, str, str] | None] = lambda *args, **kwargs: None
    calls: int = 0
    problems: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        found = self.examine(*args, **kwargs)
        if found is not None:
            self.problems.append(found)
            raise ValueError(found[0])
        try:
            return self.function(*args, **kwargs)
        except (RuntimeError, AttributeError, AssertionError) as error:
            raise ValueError(f"{self.function.__name__}: {str(error).splitlines()[0]}") from error


def run(
    subject: Subject, report: Report, *args: Any, problem: Callable[[], Any], where: str = "", **options: Any
) -> Call:
    """Call the student's function. Where it raised because a judge's tool refused its arguments, say what was wrong.

    problem : returns the (message, hint, symptom) that the tool noted, or None
    where : names the case in front of the message of an exception
    """
    try:
        call = subject.call(*args, **options)
    except StudentError as error:
        if error.kind == "NotImplementedError":
            raise
        noted = problem()
        if noted:
            report.fail(noted[0], hint=noted[1], symptom=noted[2])
        if where:
            report.fail(f"{where} your code raised {error.kind}: {error.message[:160]}", symptom="raises")
        raise
    noted = problem()
    if noted:  # the student's code caught the exception and went on
        report.fail(noted[0], hint=noted[1], symptom=noted[2])
    return call


def names_used(subject: Subject) -> set[str]:
    """Return the global names that a function mentions, functions inside it included; empty where that is unknown."""
    found: set[str] = set()
    waiting = [subject.attribute("__code__")]
    while waiting and len(found) < 500:
        code = waiting.pop()
        try:
            names, constants = code.get("co_names"), code.get("co_consts")
        except StudentError:
            continue
        found |= {str(name) for name in names} if isinstance(names, tuple) else set()
        inner = constants if isinstance(constants, tuple) else ()
        waiting += [value for value in inner if isinstance(value, Subject) and value.name == "code"]
    return found


def refuses(subject: Subject, *args: Any, **options: Any) -> bool:
    """True if the call raises ValueError; that it is a stub still passes through."""
    try:
        subject.call(*args, **options)
    except StudentError as error:
        if error.kind == "NotImplementedError":
            raise
        return "ValueError" in error.bases
    return False


def tuple_of(value: Any, names: str, report: Report, *, symptom: str = "not-a-tuple") -> tuple:
    """Require a tuple of as many values as there are names, such as "out, cache"."""
    count = len(names.split(","))
    report.require(value is not None, "the result is None", hint=f"End in `return {names}`.", symptom="no-return")
    found = f"{len(value)} values" if isinstance(value, tuple | list) else f"one {type(value).__name__}"
    report.require(
        isinstance(value, tuple | list) and len(value) == count,
        f"{count} results are asked, ({names}), got {found}",
        hint=f"End in `return {names}`.",
        symptom=symptom,
    )
    return tuple(value)
