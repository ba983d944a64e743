"""The numbers of the fairness audit: rates, crowds, intervals, thresholds.

The slide gives rates and no group sizes, so sizes are the reader's. Overall accuracy is the mean of the groups' rates
weighted by their sizes. An interval is Wilson's: all rates p for which the observed share lies within 1.96 standard
errors sqrt(p (1 - p) / n) of p (Wilson 1927).

A threshold needs scores, which the slide does not give. Assumed here: in each pair of groups (1 and 2, 3 and 4) the
classifier compares one score with a threshold, and scores are normal with equal spread in both. Then a threshold that
is t standard deviations higher takes group 1 from Phi(z) to Phi(z + t) and group 2 from Phi(z) to Phi(z - t).
"""

import dataclasses
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from .base import Choice, Data, Number, Slider, State, ask

SLIDE = {"Microsoft": (94.0, 79.2, 100.0, 98.3), "FACE++": (99.3, 65.5, 99.2, 94.0), "IBM": (88.0, 65.3, 99.7, 92.9)}
GROUPS = ("darker male", "darker female", "lighter male", "lighter female")
Z = 1.96  # standard errors of a 95 % interval
SPLITS = {"each group": ((0,), (1,), (2,), (3,)), "1+2 | 3+4": ((0, 1), (2, 3)), "1+3 | 2+4": ((0, 2), (1, 3))}
MERGED = {"1+2 | 3+4": ("darker", "lighter"), "1+3 | 2+4": ("male", "female")}
SURE = 0.9995  # the slide's 100 % is 99.95 % or more; a normal score has no more than that
AGREE = 1e-4  # the student's z may be 1.96 or 1.959964


@dataclass(frozen=True)
class Audit(State):
    """Rates in per cent, counts of people, thresholds in standard deviations; names and rates of one's own groups."""

    classifier: str = "Microsoft"
    split: str = "each group"
    metric: str = "accuracy"
    lean: int = 0
    n1: int = 250
    n2: int = 250
    n3: int = 250
    n4: int = 250
    t12: float = 0.0
    t34: float = 0.0
    rate1: float = 95.0
    rate2: float = 90.0
    rate3: float = 95.0
    rate4: float = 90.0
    names: tuple[str, ...] = ("group 1", "group 2", "group 3", "group 4")


OF_SLIDE, OWN = {"classifier": tuple(SLIDE)}, {"classifier": "yours"}
CONTROLS = (
    Choice("classifier", "classifier", (*SLIDE, "yours")),
    Choice("split", "audit by", tuple(SPLITS), names=("each group", "1+2 | 3+4 (skin)", "1+3 | 2+4 (gender)")),
    Choice("metric", "bars show", ("accuracy", "error rate")),
    Slider(
        "lean",
        "crowd leans to",
        -100,
        100,
        step=5,
        hint="-100: the worst group alone; 0: the sizes below; 100: the best group alone",
    ),
    *(Number(f"n{i}", f"people in group {i}", 0, 100_000, step=10) for i in range(1, 5)),
    Slider("t12", "threshold 1 | 2", -2.0, 2.0, step=0.05, needs=OF_SLIDE),
    Slider("t34", "threshold 3 | 4", -2.0, 2.0, step=0.05, needs=OF_SLIDE),
    *(Number(f"rate{i}", f"% right, group {i}", 0.0, 100.0, step=0.1, needs=OWN) for i in range(1, 5)),
)


@dataclass(frozen=True)
class Table:
    """One entry per audited group; rates are shares in [0, 1], nan where a group is empty."""

    state: Audit
    names: tuple[str, ...]
    sizes: np.ndarray  # int
    rates: np.ndarray  # accuracy
    low: np.ndarray  # ends of the 95 % interval
    high: np.ndarray
    overall: float
    gap: float
    crowd: np.ndarray  # int (4,): people in each of the four groups, after the slider
    asked: bool
    problem: str


def rates_of(state: Audit) -> np.ndarray:
    """Return the accuracy of each of the four groups (4,), thresholds applied."""
    if state.classifier == "yours":
        return np.array([state.rate1, state.rate2, state.rate3, state.rate4]) / 100
    rates, normal = np.array(SLIDE[state.classifier]) / 100, NormalDist()
    moves = (state.t12, -state.t12, state.t34, -state.t34)
    moved = [normal.cdf(normal.inv_cdf(min(p, SURE)) + t) if t else p for p, t in zip(rates, moves, strict=True)]
    return np.array(moved)


def crowd_of(state: Audit, rates: np.ndarray) -> np.ndarray:
    """Return how many people of each group are in the crowd, int (4,), the slider applied."""
    sizes = np.array([state.n1, state.n2, state.n3, state.n4])
    filled = np.flatnonzero(sizes)
    if not len(filled):
        return sizes
    end = filled[rates[filled].argmax() if state.lean > 0 else rates[filled].argmin()]
    share = abs(state.lean) / 100
    return np.rint((1 - share) * sizes + share * sizes.sum() * (np.arange(4) == end)).astype(int)


def interval_of(share: float, count: float) -> tuple[float, float]:
    """Return the two rates at which the condition above becomes an equality: the roots of its quadratic."""
    if count == 0:
        return np.nan, np.nan
    room = Z**2 / count
    low, high = sorted(np.roots([1 + room, -(2 * share + room), share**2]).real)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def compute(state: Audit, data: Data) -> Table:
    """Return the audit."""
    rates = rates_of(state)
    crowd = crowd_of(state, rates)
    names = state.names if state.classifier == "yours" else GROUPS
    pairs = SPLITS[state.split]
    if state.split != "each group":
        joined = tuple(" + ".join(names[i] for i in pair) for pair in pairs)
        names = joined if state.classifier == "yours" else MERGED[state.split]
    sizes = np.array([crowd[list(pair)].sum() for pair in pairs])
    right = np.array([(rates * crowd)[list(pair)].sum() for pair in pairs])
    shares = np.where(sizes > 0, right / np.maximum(sizes, 1), np.nan)
    ends = np.array([interval_of(p, n) for p, n in zip(shares, sizes, strict=True)])
    seen = shares[sizes > 0]
    asked, problem = _your_answers(rates, crowd, data)
    return Table(
        state=state, names=names, sizes=sizes, rates=shares, low=ends[:, 0], high=ends[:, 1], crowd=crowd,
        overall=float(right.sum() / sizes.sum()) if sizes.sum() else np.nan,
        gap=float(np.ptp(seen)) if len(seen) else np.nan, asked=asked,
        problem=data.get("_wrong", "") or problem or _nobody(sizes),
    )  # fmt: skip


def _nobody(sizes: np.ndarray) -> str:
    return "" if sizes.any() else "nobody is in the crowd: give at least one group some people"


def _your_answers(rates: np.ndarray, crowd: np.ndarray, data: Data) -> tuple[bool, str]:
    """Ask the student's functions about the four groups, with whole people; return (asked, problem)."""
    right, filled = np.rint(rates * crowd).astype(int), np.flatnonzero(crowd)
    if not len(filled) or not {"gap", "interval"} & set(data):
        return False, ""
    if "gap" in data:
        cap = max(1, int(np.ceil(crowd.sum() / 4000)))  # a student's loop over more people would not be quick
        counts = np.maximum(crowd // cap, crowd > 0)
        hits = np.minimum(right // cap, counts)
        predicted = np.concatenate([np.arange(n) < k for k, n in zip(hits, counts, strict=True)]).astype(int)
        people = np.repeat(np.array(GROUPS), counts)
        answer, problem = ask(data["gap"], np.ones(len(people), dtype=int), predicted, people, shape=(), part=1)
        if answer is None:
            return True, problem
        expected = float(np.ptp(hits[filled] / counts[filled]))
        if not abs(float(answer) - expected) <= AGREE:  # also true for nan
            return True, f"your gap is {float(answer):.4g}, expected {expected:.4g}"
    for i in filled if "interval" in data else ():
        for part, expected in enumerate(interval_of(right[i] / crowd[i], crowd[i])):
            answer, problem = ask(data["interval"], int(right[i]), int(crowd[i]), shape=(), part=part)
            if answer is None:
                return True, problem
            if not abs(float(answer) - expected) <= AGREE:
                end, case = ("low", "high")[part], f"{right[i]} of {crowd[i]} right"
                return True, f"your {end} end for {case} is {float(answer):.4f}, expected {expected:.4f}"
    return True, ""


def valid(state: Audit) -> str:
    """Return what is wrong with names that were typed."""
    if len(state.names) != 4 or not all(isinstance(name, str) for name in state.names):
        return f"names must be four texts, got {state.names!r}"
    return ""


def own_state(right: np.ndarray, groups: np.ndarray) -> Audit:
    """Return the settings that stand for one's own results. Raises ValueError if they do not fit."""
    if right.ndim != 1 or right.shape != groups.shape or not len(right):
        raise ValueError(f"fairness_audit: right and groups must have shape (N,), got {right.shape} and {groups.shape}")
    if not np.isin(right, (0, 1)).all():
        raise ValueError(
            f"fairness_audit: right must hold True and False only, got {right[~np.isin(right, (0, 1))][0]}"
        )
    names = np.unique(groups)
    if len(names) > 4:
        raise ValueError(f"fairness_audit: groups must name at most 4 groups, got {len(names)}")
    changes: dict[str, Any] = {f"n{i}": 0 for i in range(1, 5)}
    for i, name in enumerate(names, start=1):
        changes |= {f"n{i}": int((groups == name).sum()), f"rate{i}": float(100 * right[groups == name].mean())}
    told = tuple(str(name) for name in names.tolist()) + Audit().names[len(names) :]
    return dataclasses.replace(Audit(), classifier="yours", names=told, **changes)
