"""What is examined in N12, third: how a model's accuracy differs between groups, and what chance has to do with it."""

import math
from typing import Any

import numpy as np

from .report import Report, Symptom
from .spec import exercise
from .subject import Subject


@exercise("challenge-group_accuracy_gap", points=2, title="accuracy of each group, and the gap")
def examine_gap(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    names = np.array(["red", "green", "grey", "blue"])
    gap_case(subject, report, *random_people(rng, names, (40, 9, 25, 16)))
    with report.stage("groups named by numbers, in any order"):
        gap_case(subject, report, *random_people(rng, np.array([7, 2, 5]), (30, 12, 20)), stage="")


def random_people(rng: np.random.Generator, names: np.ndarray, sizes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Return labels, predictions and groups, mixed; groups are of different sizes and the model errs in each."""
    groups = np.repeat(names, sizes)
    y = rng.integers(0, 4, size=len(groups))
    rates = np.linspace(0.31, 0.93, len(names))[rng.permutation(len(names))]
    wrong = np.concatenate([np.arange(n) >= round(r * n) for n, r in zip(sizes, rates, strict=True)])
    predicted = np.where(wrong, (y + rng.integers(1, 4, size=len(y))) % 4, y)
    order = rng.permutation(len(y))
    return y[order], predicted[order], groups[order]


def gap_case(
    subject: Subject, report: Report, y: np.ndarray, predicted: np.ndarray, groups: np.ndarray, *, stage: str = "yes"
) -> None:
    """Examine one set of people, in stages of their own unless `stage` is empty."""
    members = [(group.item(), np.flatnonzero(groups == group)) for group in np.unique(groups)]
    rates = {name: sum(bool(y[i] == predicted[i]) for i in rows) / len(rows) for name, rows in members}

    def form() -> tuple[dict, Any]:
        call = subject.call(y, predicted, groups)
        report.untouched(call, ("y", "predicted", "groups"))
        value = call.value
        pair = isinstance(value, tuple | list) and len(value) == 2
        report.require(
            pair and isinstance(value[0], dict),
            f"two results are asked, (accuracies, gap) with a dict first, got {type(value).__name__}",
            hint="End in `return accuracies, gap`.",
            symptom="not-a-pair",
        )
        report.require(
            set(value[0]) == set(rates),
            f"accuracies must have the groups as keys, {sorted(rates)}, got {sorted(map(str, value[0]))}"[:200],
            hint="One entry for each group that occurs in `groups`, under its own name: np.unique(groups).",
            symptom="keys",
        )
        return value[0], value[1]

    def values(accuracies: dict, gap: Any) -> None:
        got = np.array([_number(accuracies[name], f"accuracies[{name!r}]", report) for name in rates])
        want = np.array(list(rates.values()))
        overall = np.array([len(rows) for _, rows in members]) / len(y)
        report.close(
            got,
            want,
            name="the accuracies",
            symptoms=[
                Symptom("errors", lambda g: np.allclose(g, 1 - want), "These are the shares of wrong ones."),
                Symptom("percent", lambda g: np.allclose(g, 100 * want), "A share lies in [0, 1]: no factor of 100."),
                Symptom(
                    "of-all",
                    lambda g: np.allclose(g, want * overall),
                    "You divide by the number of all people: divide by the size of the group.",
                ),
                Symptom(
                    "group-of-the-right",
                    lambda g: np.allclose(g, _shares_of_right(y, predicted, groups, members)),
                    "This is the group's share of all that are right. Asked is the share of right ones in the group.",
                ),
            ],
        )
        ordered = [rates[name] for name in dict.fromkeys(groups.tolist())]
        report.close(
            np.asarray(_number(gap, "gap", report)),
            want.max() - want.min(),
            name="gap",
            symptoms=[
                Symptom("sign", lambda g: np.allclose(g, want.min() - want.max()), "The gap is best minus worst: > 0."),
                Symptom(
                    "to-mean", lambda g: np.allclose(g, want.mean() - want.min()), "Best minus worst, not the mean."
                ),
                Symptom(
                    "to-overall",
                    lambda g: np.allclose(g, np.mean(y == predicted) - want.min()),
                    "Best group minus worst group; the overall accuracy plays no part.",
                ),
                Symptom("spread", lambda g: np.allclose(g, want.std()), "The range, not the standard deviation."),
                Symptom(
                    "first-last",
                    lambda g: any(np.allclose(g, abs(r[-1] - r[0])) for r in (list(want), ordered)),
                    "The first and the last group need not be the best and the worst.",
                ),
                Symptom("ratio", lambda g: np.allclose(g, want.min() / want.max()), "A difference, not a quotient."),
            ],
        )

    if not stage:
        values(*form())
        return
    with report.stage("form"):
        returned = form()
    with report.stage("values"):
        values(*returned)


def _shares_of_right(y: np.ndarray, predicted: np.ndarray, groups: np.ndarray, members: list) -> np.ndarray:
    right = groups[y == predicted]
    return np.array([np.mean(right == name) for name, _ in members]) if len(right) else np.zeros(len(members))


def _number(value: Any, name: str, report: Report) -> float:
    plain = isinstance(value, int | float | np.number) or (isinstance(value, np.ndarray) and value.shape == ())
    good = plain and not isinstance(value, bool | np.bool_) and not np.iscomplexobj(value)
    report.require(bool(good), f"{name} must be a number, got {value!r}"[:120], symptom="not-a-number")
    return float(value)


@exercise("challenge-wilson_interval", points=1, title="Wilson's interval")
def examine_wilson(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("values"):
        for right, total, z in ((792, 1000, 1.96), (45, 60, 1.96), (int(rng.integers(3, 17)), 20, 2.576)):
            wilson_case(subject, report, right, total, z)
    with report.stage("none right, all right"):
        wilson_case(subject, report, 0, 12, 1.96)
        wilson_case(subject, report, 12, 12, 1.96)


def wilson_ends(right: int, total: int, z: float) -> tuple[float, float]:
    """Return both ends by what defines them: the rates p whose standard error lets right/total be z errors away."""
    share, ratio = right / total, z * z / total
    low, high = np.roots([1 + ratio, -(2 * share + ratio), share**2]).real[[1, 0]]
    return min(low, high), max(low, high)


def wilson_case(subject: Subject, report: Report, right: int, total: int, z: float) -> None:
    """Examine one count against the roots of the equation that defines the interval."""
    got = subject(right, total, z=z)
    report.require(
        isinstance(got, tuple | list) and len(got) == 2,
        f"two results are asked, (low, high), got {type(got).__name__}",
        hint="End in `return low, high`.",
        symptom="not-a-pair",
    )
    ends = np.array([_number(value, name, report) for value, name in zip(got, ("low", "high"), strict=True)])
    low, high = wilson_ends(right, total, z)
    p, n = right / total, total
    middle, spread = p + z * z / (2 * n), math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    plain = z * math.sqrt(p * (1 - p) / n)
    shrink = 1 + z * z / n

    def near(*pair: float) -> Any:
        return lambda values: bool(np.allclose(values, pair, rtol=1e-6, atol=1e-9))

    report.close(
        ends,
        (low, high),
        rtol=1e-6,
        atol=1e-7,
        name=f"the interval of {right} right of {total}, z = {z:g},",
        symptoms=[
            Symptom("swapped", near(high, low), "The low end comes first."),
            Symptom(
                "normal",
                near(p - plain, p + plain),
                "This is the usual p ± z sqrt(p (1 - p) / n): it has no width at 0 and 1 and can leave [0, 1].",
            ),
            Symptom(
                "normal",
                near(max(0.0, p - plain), min(1.0, p + plain)),
                "This is the usual p ± z sqrt(p (1 - p) / n), cut off at 0 and 1: at both ends it has no width.",
            ),
            Symptom("not-divided", near(middle - z * spread, middle + z * spread), "Divide both ends by 1 + z² / n."),
            Symptom(
                "middle",
                near(p - z * spread / shrink, p + z * spread / shrink),
                "The middle of Wilson's interval is not p: it is pulled towards one half.",
            ),
            Symptom(
                "no-z",
                near((middle - spread) / shrink, (middle + spread) / shrink),
                "The square root is multiplied by z.",
            ),
            Symptom("percent", near(100 * low, 100 * high), "Both ends are shares in [0, 1]: no factor of 100."),
            Symptom(
                "fixed-z",
                near(*wilson_ends(right, total, 1.96)),
                "z is an argument: this is the interval of 1.96, whatever z was asked.",
            ),
        ],
        hint="Write u = z² / n. The ends are (p + u/2 ± z sqrt(p (1 - p) / n + u / (4 n))) / (1 + u).",
    )


@exercise("challenge-slice_audit", points=1, title="slices that are worse than chance explains")
def examine_audit(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("which slices"):
        audit_case(subject, rng, report, wilson_ends)
    with report.stage("an empty slice, nothing to report"):
        right = np.arange(60) % 5 > 0
        slices = {"nobody": np.zeros(60, dtype=bool), "all": np.ones(60, dtype=bool), "even": np.arange(60) % 2 == 0}
        compare_audit(subject, report, right, slices, lambda r, n: wilson_ends(r, n, 1.96))


def audit_case(subject: Subject, rng: np.random.Generator, report: Report, ends: Any) -> None:
    """Examine random slices, some bad by chance, some truly; `ends(right, total, z)` gives the interval."""
    count = 800
    slices = {name: rng.random(count) < share for name, share in (("dark", 0.3), ("bright", 0.3), ("tiny", 0.4))}
    slices["few"] = np.arange(count) < 8
    slices["edge"] = rng.random(count) < 0.15
    chance = np.full(count, 0.93)
    chance[slices["edge"]] = 0.3
    chance[slices["dark"]] *= 0.72
    right = rng.random(count) < chance
    right[:8] = [True, False, True, True, False, True, False, True]  # 5 of 8: bad, and by chance it could be
    compare_audit(subject, report, right, slices, lambda r, n: ends(r, n, 1.96))


def compare_audit(subject: Subject, report: Report, right: np.ndarray, slices: dict, interval: Any) -> None:
    """Require the names of the slices whose whole interval lies under the overall accuracy, the worst first."""
    counts = {name: (int(right[mask].sum()), int(mask.sum())) for name, mask in slices.items()}
    overall = float(right.mean())
    known = {name: (r / n, *interval(r, n)) for name, (r, n) in counts.items() if n}
    want = sorted((name for name, (_, _, high) in known.items() if high < overall), key=lambda name: known[name][0])
    asked_empty: list[int] = []

    def given(r: Any, n: Any) -> tuple[float, float]:
        if int(n) == 0:
            asked_empty.append(0)
            raise ValueError("interval: total must be 1 or more, got 0")
        return interval(int(r), int(n))

    call = subject.call(right, slices, interval=given)
    report.untouched(call, ("right", "slices"))
    got = call.value
    report.require(
        isinstance(got, list | tuple) and all(isinstance(name, str) for name in got),
        f"the result must be a list of names of slices, got {got!r}"[:120],
        symptom="not-a-list",
    )
    names = [str(name) for name in got]
    report.require(
        set(names) <= set(slices) and len(set(names)) == len(names),
        f"each name must be one of {sorted(slices)}, once, got {names}"[:200],
        symptom="names",
    )
    if names == want:
        return
    message = f"the slices should be {want}, got {names}; overall accuracy {overall:.3f}"
    relations = (
        ("order", sorted(want), "Right slices, other order: the lowest accuracy comes first."),
        ("no-interval", sorted(n for n, k in known.items() if k[0] < overall),
         "These are all slices under the overall accuracy. Half of all slices are, by chance: let `interval` decide."),
        ("low-end", sorted(n for n, k in known.items() if k[1] < overall),
         "Compare the high end of the interval: the whole interval has to lie under the overall accuracy."),
        ("above", sorted(n for n, k in known.items() if k[2] > overall), "These are the slices that are not worse."),
        ("outside", sorted(n for n, k in known.items() if not k[1] <= overall <= k[2]),
         "A slice that is better than the rest is no finding here."),
        ("to-half", sorted(n for n, k in known.items() if k[2] < 0.5), "Compare with the overall accuracy, not 1/2."),
    )  # fmt: skip
    for symptom, names_then, hint in relations:
        if sorted(names) == names_then:
            report.fail(message, hint=hint, symptom=symptom)
    report.fail(
        message, hint="For each slice: interval(number right in it, its size); is the high end under right.mean()?",
        symptom="slices",
    )  # fmt: skip
