"""Dropout functions, right and wrong, for a student's statistics test to tell apart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Kept = Callable[[np.random.Generator, np.ndarray, float], np.ndarray]


def _uniform(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return draws.random(x.shape) < keep


def _binomial(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return draws.binomial(1, keep, size=x.shape) == 1


def _from_above(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return np.greater(keep, 1.0 - draws.random(x.shape[::-1]).T)


def _all(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return np.ones(x.shape, dtype=bool)


def _opposite(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return draws.random(x.shape) >= keep


def _one_row(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    row = x.shape[1:] if x.ndim > 1 else x.shape
    return np.broadcast_to(draws.random(row) < keep, x.shape)


def _too_many(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return draws.random(x.shape) < keep + 0.03


def _too_few(draws: np.random.Generator, x: np.ndarray, keep: float) -> np.ndarray:
    return draws.random(x.shape) < keep - 0.03


@dataclass(frozen=True)
class Suspect:
    """A dropout function, with what is wrong with it. Every default is right.

    kept : which entries stay, from a generator, x and keep
    factor, quiet_factor : what an entry that stays is multiplied by, in train and in test mode, for a given keep
    drops_at_test : drops in test mode as in train mode
    seeds : "given", "one" for all (the mask is always the same) or "fresh" (the mask is never the same)
    story : to the student whose test let it pass
    """

    name: str
    story: str = ""
    kept: Kept = _uniform
    factor: Callable[[float], float] = lambda keep: 1 / keep
    quiet_factor: Callable[[float], float] = lambda keep: 1.0
    drops_at_test: bool = False
    seeds: str = "given"

    def __call__(self, x: np.ndarray, keep: float, train: bool, seed: int, number: int) -> np.ndarray:
        """Return out. number : of the call, the only difference between two calls for a "fresh" suspect."""
        if not train and not self.drops_at_test:
            return x * self.quiet_factor(keep)
        source = {"given": [seed, 496], "one": [496], "fresh": [number, 33550336]}[self.seeds]
        return np.where(self.kept(np.random.default_rng(source), x, keep), x * self.factor(keep), 0.0)


RIGHT = (
    Suspect("uniform draws"),
    Suspect("binomial draws", kept=_binomial),
    Suspect("uniform draws from above, in another order", kept=_from_above),
)
WRONG = (
    Suspect(
        "not-scaled",
        "It never divides by keep: train mode shrinks the mean, and test mode is right. Look at the mean, or at the "
        "entries that stay.",
        factor=lambda keep: 1.0,
    ),
    Suspect(
        "scales-at-test",
        "It does not divide by keep, and multiplies by keep at test time.",
        factor=lambda keep: 1.0,
        quiet_factor=lambda keep: keep,
    ),
    Suspect(
        "keep-is-drop",
        "It drops with probability keep and divides by 1 - keep: the mean is right, the share of zeros is not.",
        kept=_opposite,
        factor=lambda keep: 1 / (1 - keep),
    ),
    Suspect(
        "never-drops",
        "It returns x: the mean is preserved perfectly, and nothing is dropped.",
        kept=_all,
        factor=lambda keep: 1.0,
    ),
    Suspect("drops-at-test", "It drops in test mode too: call it once with train=False.", drops_at_test=True),
    Suspect("one-mask", "Its mask is the same for every seed: compare two seeds.", seeds="one"),
    Suspect("not-repeatable", "The same seed gives another mask each time: call it twice with one.", seeds="fresh"),
    Suspect(
        "three-percent",
        "It keeps 3 percentage points too many and divides by what it really keeps, so the mean is right. Count the "
        "zeros among many entries: 100,000 of them have a standard error of at most 0.16 points.",
        kept=_too_many,
        factor=lambda keep: 1 / (keep + 0.03),
    ),
    Suspect(
        "same-row",
        "It draws one row and uses it for every row of x. Mean and share look right: compare rows of out.",
        kept=_one_row,
    ),
)
SUBTLE = (
    Suspect("too-few", kept=_too_few),
    Suspect("divides-at-test", quiet_factor=lambda keep: 1 / keep),
    Suspect("off-by-a-hundredth", factor=lambda keep: 1.01 / keep),
    Suspect("drops-at-test-only", kept=_all, factor=lambda keep: 1.0, quiet_factor=lambda keep: 1 / keep),
)


def as_function(suspect: Suspect, *, max_calls: int) -> Callable[..., Any]:
    """Return `suspect` with the signature of dropout_forward, for at most `max_calls` calls."""
    count = 0

    def dropout(x: Any, *, keep: Any, train: Any, seed: Any) -> tuple[np.ndarray, None]:
        nonlocal count
        count += 1
        if count > max_calls:
            raise ValueError(f"dropout: at most {max_calls} calls are served, got more; use one large x instead")
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiu" or x.ndim == 0:
            raise ValueError("dropout: x must be an array of numbers with at least one axis")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"dropout: seed must be an int from 0 up, got {seed!r:.40}")
        if not isinstance(keep, float | int | np.number) or not 0 < keep <= 1:
            raise ValueError(f"dropout: keep must be a number above 0 and at most 1, got {keep!r:.40}")
        return suspect(x.astype(float), float(keep), bool(train), int(seed), count), None

    return dropout
