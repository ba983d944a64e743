"""Judging in ordered stages, and saying why something failed in words that help."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from .subject import Call, Subject
from .tensors import Tensor

SHOWN = 6  # entries of an array worth printing in a message


class CheckFailed(Exception):
    """A stage found something wrong. Ends the examination: later stages would only repeat the news."""

    def __init__(self, message: str, hint: str = "", symptom: str = "") -> None:
        self.message, self.hint, self.symptom = message, hint, symptom
        super().__init__(message)


class NotAnswered(Exception):
    """The answer is still the stub that the release contains."""


@dataclass(frozen=True)
class Symptom:
    """A relation between what came back and what was wanted that names the likely mistake.

    name : short and stable; the planted bugs of the tests ask for it
    holds : called with what came back, float64; True if the relation holds
    hint : one or two sentences to the student, naming the mistake and the way out
    """

    name: str
    holds: Callable[[np.ndarray], bool]
    hint: str


def looks_like(want: Any, *, rtol: float = 1e-6) -> Callable[[np.ndarray], bool]:
    """Return a relation: same shape as `want` and equal to it within `rtol`. For building symptoms."""
    wanted = np.asarray(want, dtype=np.float64)

    def holds(got: np.ndarray) -> bool:
        return got.shape == wanted.shape and bool(np.allclose(got, wanted, rtol=rtol, atol=1e-12, equal_nan=True))

    return holds


@dataclass
class Report:
    """What an examination found so far: the stages that passed and the share of the points earned."""

    passed: list[str] = field(default_factory=list)
    current: str = ""
    credit: float = 1.0
    remark: CheckFailed | None = None
    student: str | None = None  # whose numbers were asked for, where numbers are drawn

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Open a stage. It counts as passed when its block ends without a failure."""
        self.current = name
        yield
        self.passed.append(name)
        self.current = ""

    def fail(self, message: str, *, hint: str = "", symptom: str = "") -> NoReturn:
        """End the examination: `message` says what is wrong, `hint` what to look at."""
        raise CheckFailed(message, hint, symptom)

    def require(self, condition: bool, message: str, *, hint: str = "", symptom: str = "") -> None:
        """Fail with `message` unless `condition` holds."""
        if not condition:
            self.fail(message, hint=hint, symptom=symptom)

    def array(self, got: Any, shape: tuple[int, ...], *, kind: str = "f", name: str = "the result") -> np.ndarray:
        """Require a plain NumPy array of this shape and kind of dtype; return it.

        kind : "f" for float32 or float64, "i" for any integer, "fi" for either
        """
        if got is None:
            self.fail(f"{name} is None", hint="Does your function end in `return`?", symptom="no-return")
        if isinstance(got, Subject):
            self.fail(f"{name} must be a NumPy array, got an object of type {got.name}", symptom="not-plain")
        if isinstance(got, Tensor):
            hint = "`tensor.detach().numpy()` is the array that a tensor holds."
            self.fail(f"{name} must be a NumPy array, got a {got.name}", hint=hint, symptom="not-array")
        if not isinstance(got, np.ndarray):
            self.fail(f"{name} must be a NumPy array, got {type(got).__name__}", symptom="not-array")
        if got.shape != shape:
            hint = "The axes are in the wrong order: this is the transpose." if got.shape == shape[::-1] else ""
            self.fail(f"{name} must have shape {shape}, got {got.shape}", hint=hint, symptom="shape")
        kinds = {"f": "f", "i": "iu", "fi": "fiu", "b": "b"}[kind]
        if got.dtype.kind not in kinds:
            wanted = {"f": "a float dtype", "i": "an integer dtype", "fi": "numbers", "b": "bool"}[kind]
            self.fail(f"{name} must have {wanted}, got {got.dtype}", symptom="dtype")
        return got

    def tensor(
        self, got: Any, shape: tuple[int, ...], *, dtype: str = "float32", device: str = "cpu", name: str = "the result"
    ) -> np.ndarray:
        """Require a torch tensor of this shape, dtype and device; return its values."""
        if got is None:
            self.fail(f"{name} is None", hint="Does your function end in `return`?", symptom="no-return")
        if not isinstance(got, Tensor):
            what = got.name if isinstance(got, Subject) else type(got).__name__
            self.fail(f"{name} must be a torch tensor, got {what}", symptom="not-tensor")
        if got.values.shape != shape:
            self.fail(f"{name} must have shape {shape}, got {got.values.shape}", symptom="shape")
        if got.dtype != dtype:
            self.fail(f"{name} must have dtype torch.{dtype}, got torch.{got.dtype}", symptom="dtype")
        if got.device != device:
            self.fail(f"{name} must be on the device {device}, got {got.device}", symptom="device")
        return got.values

    def close(
        self,
        got: np.ndarray,
        want: Any,
        *,
        rtol: float = 1e-7,
        atol: float = 1e-9,
        name: str = "the result",
        symptoms: Sequence[Symptom] = (),
        hint: str = "",
    ) -> None:
        """Require finite values equal to `want`; on failure show the worst entry and the first symptom that holds."""
        wanted = np.asarray(want, dtype=np.float64)
        values = np.asarray(got, dtype=np.float64)
        error = np.abs(values - wanted)
        # `not <=` rather than `>`, so that a nan counts as wrong.
        wrong = ~(error <= atol + rtol * np.abs(wanted))
        if not wrong.any():
            return
        for symptom in symptoms:
            if symptom.holds(values):
                self.fail(self._difference(values, wanted, wrong, name), hint=symptom.hint, symptom=symptom.name)
        finite = np.isfinite(values).all() or not np.isfinite(wanted).all()
        fallback = (
            hint if finite or hint else "There is a nan or an infinity: look for a square root or log of a bad number."
        )
        self.fail(
            self._difference(values, wanted, wrong, name), hint=fallback, symptom="values" if finite else "not-finite"
        )

    def _difference(self, got: np.ndarray, want: np.ndarray, wrong: np.ndarray, name: str) -> str:
        error = np.where(np.isfinite(got), np.abs(got - want), math.inf)
        worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
        index = f"[{', '.join(map(str, worst))}]" if worst else ""
        share = "" if want.size == 1 else f" ({int(wrong.sum())} of {want.size} entries are off)"
        return f"{name}{index} should be {want[worst]:.6g}, got {got[worst]:.6g}{share}"

    def equal(self, got: np.ndarray, want: Any, *, name: str, symptoms: Sequence[Symptom] = (), hint: str = "") -> None:
        """Require exact equality (labels, counts)."""
        self.close(got, want, rtol=0.0, atol=0.0, name=name, symptoms=symptoms, hint=hint)

    def untouched(self, call: Call, names: Sequence[str]) -> None:
        """Require that the call left its inputs as they were."""
        for which in call.mutated:
            name = names[which] if isinstance(which, int) and which < len(names) else str(which)
            self.fail(
                f"your function changed its input {name}",
                hint=f"Build a new array instead of writing into {name}: the caller still needs it.",
                symptom="mutates",
            )

    def default(self, bare: Any, spelled: Any, head: str) -> None:
        """Require that leaving arguments out gives what spelling them gives. head : such as "stride=1, pad=0" """
        same = isinstance(bare, np.ndarray | float | int | np.number) and np.shape(bare) == np.shape(spelled)
        self.require(
            same and bool(np.allclose(bare, spelled, rtol=1e-6, atol=1e-12)),
            f"a call that leaves them out must mean {head}",
            hint="Keep the head of the function as it was given out: others call it with those defaults.",
            symptom="default",
        )

    def choices(self, subject: Subject, letters: str) -> set[str]:
        """Require a set of some of these letters (a list, tuple or array of them will do); return it as a set."""
        answer = subject.value()
        if answer is ...:
            raise NotAnswered
        wanted = f"a set of letters from {letters[0]} to {letters[-1]}, such as {{{letters[0]!r}, {letters[-1]!r}}}"
        if not isinstance(answer, set | frozenset | list | tuple | np.ndarray):
            self.fail(f"the answer must be {wanted}, got {type(answer).__name__}", symptom="not-set")
        unknown = sorted(str(item) for item in answer if str(item).upper() not in set(letters))
        self.require(not unknown, f"the answer must be {wanted}, got {', '.join(unknown)[:60]}", symptom="letters")
        return {str(item).upper() for item in answer}

    def share(self, right: int, wrong: int, total: int) -> None:
        """Give partial credit for a list of statements: a wrong choice takes back a right one, so guessing earns 0."""
        self.credit = min(self.credit, max(0, right - wrong) / total)

    def partly(self, share: float, message: str, *, hint: str = "", symptom: str = "") -> None:
        """Give at most this share of the points and say what is missing, without ending the examination."""
        self.credit = min(self.credit, share)
        self.remark = CheckFailed(message, hint, symptom)
