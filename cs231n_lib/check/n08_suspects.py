"""Dropout functions, right and wrong, for a student's statistics test to tell apart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Places = Callable[[np.random.Generator, int, float], np.ndarray]


def _by_gaps(draws: np.random.Generator, count: int, share: float) -> np.ndarray:
    """Return places among `count`, each chosen with probability `share`: the gaps between them are geometric."""
    enough = int(count * share + 10 * np.sqrt(count)) + 20  # twenty standard deviations
    places = np.cumsum(draws.geometric(share, size=enough)) - 1
    return places[places < count]


def _by_gaps_from_the_end(draws: np.random.Generator, count: int, share: float) -> np.ndarray:
    return count - 1 - _by_gaps(draws, count, share)


def _by_number(draws: np.random.Generator, count: int, share: float) -> np.ndarray:
    """The same law again: first how many, then which."""
    return draws.permutation(count)[: draws.binomial(count, share)]


@dataclass(frozen=True)
class Suspect:
    """A dropout function, with what is wrong with it. Every default is right.

    They place what survives, entry by entry, and make no mask: a layer is not to be read off here.
    places : which entries survive, from a generator, their number and their share
    share : of the entries that survive, for a given keep
    size : what they grow by in train mode;  quiet_size : what all entries grow by in test mode, for a given keep
    drops_at_test : drops in test mode as in train mode
    one_row : the places of one row serve all rows
    seeds : "given", "one" for all (the places are always the same) or "fresh" (they are never the same)
    story : to the student whose test let it pass
    """

    name: str
    story: str = ""
    places: Places = _by_gaps
    share: Callable[[float], float] = lambda keep: keep
    size: Callable[[float], float] = lambda keep: keep**-1.0
    quiet_size: Callable[[float], float] = lambda keep: 1.0
    drops_at_test: bool = False
    one_row: bool = False
    seeds: str = "given"

    def __call__(self, x: np.ndarray, keep: float, train: bool, seed: int, number: int) -> np.ndarray:
        """Return out. number : of the call, the only difference between two calls for a "fresh" suspect."""
        if not train and not self.drops_at_test:
            return x * self.quiet_size(keep)
        draws = np.random.default_rng({"given": [seed, 496], "one": [496], "fresh": [number, 33550336]}[self.seeds])
        rows = len(x) if self.one_row and x.ndim > 1 else 1
        table = x.reshape(rows, x.size // max(rows, 1))
        survivors = self.places(draws, table.shape[1], float(np.clip(self.share(keep), 1e-9, 1.0)))
        out = np.zeros(table.shape)
        out[:, survivors] = table[:, survivors] * self.size(keep)
        return out.reshape(x.shape)


RIGHT = (
    Suspect("entry by entry"),
    Suspect("entry by entry, from the end", places=_by_gaps_from_the_end),
    Suspect("first how many, then which", places=_by_number),
)
WRONG = (
    Suspect(
        "not-scaled",
        "It never divides by keep: train mode shrinks the mean, and test mode is right. Look at the mean, or at the "
        "entries that stay.",
        size=lambda keep: 1.0,
    ),
    Suspect(
        "scales-at-test",
        "It does not divide by keep, and multiplies by keep at test time.",
        size=lambda keep: 1.0,
        quiet_size=lambda keep: keep,
    ),
    Suspect(
        "keep-is-drop",
        "It drops with probability keep and divides by 1 - keep: the mean is right, the share of zeros is not.",
        share=lambda keep: 1 - keep,
        size=lambda keep: 1 / (1 - keep),
    ),
    Suspect(
        "never-drops",
        "It returns x: the mean is preserved perfectly, and nothing is dropped.",
        share=lambda keep: 1.0,
        size=lambda keep: 1.0,
    ),
    Suspect("drops-at-test", "It drops in test mode too: call it once with train=False.", drops_at_test=True),
    Suspect("one-mask", "Its mask is the same for every seed: compare two seeds.", seeds="one"),
    Suspect("not-repeatable", "The same seed gives another mask each time: call it twice with one.", seeds="fresh"),
    Suspect(
        "three-percent",
        "It keeps 3 percentage points too many and divides by what it really keeps, so the mean is right. Count the "
        "zeros among many entries: 100,000 of them have a standard error of at most 0.16 points.",
        share=lambda keep: keep + 0.03,
        size=lambda keep: 1 / (keep + 0.03),
    ),
    Suspect(
        "same-row",
        "It draws one row and uses it for every row of x. Mean and share look right: compare rows of out.",
        one_row=True,
    ),
)
SUBTLE = (
    Suspect("too-few", share=lambda keep: keep - 0.03),
    Suspect("divides-at-test", quiet_size=lambda keep: 1 / keep),
    Suspect("off-by-a-hundredth", size=lambda keep: 1.01 / keep),
    Suspect("drops-at-test-only", share=lambda keep: 1.0, size=lambda keep: 1.0, quiet_size=lambda keep: 1 / keep),
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
