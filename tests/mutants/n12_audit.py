"""Planted bugs of N12, second half: the gap between groups, Wilson's interval, the audit of slices."""

import numpy as np

from tests.mutants import bug

GAP, WILSON, AUDIT = "challenge-group_accuracy_gap", "challenge-wilson_interval", "challenge-slice_audit"


def rates_of(y, predicted, groups):
    return {group: float((y == predicted)[groups == group].mean()) for group in np.unique(groups).tolist()}


def planted_gap(name, symptom, *, rates=lambda rates, *_: rates, gap=lambda r, *_: max(r) - min(r)):
    def wrong(y, predicted, groups):
        true = rates_of(y, predicted, groups)
        return rates(true, y, predicted, groups), gap(list(true.values()), y, predicted, groups)

    wrong.__name__ = name
    bug(GAP, symptom=symptom)(wrong)


planted_gap("errors", "errors", rates=lambda r, *_: {k: 1 - v for k, v in r.items()})
planted_gap("per_cent", "percent", rates=lambda r, *_: {k: 100 * v for k, v in r.items()})
planted_gap("of_all_people", "of-all", rates=lambda r, y, p, g: {k: float(((y == p) & (g == k)).mean()) for k in r})
planted_gap(
    "group_of_the_right",
    "group-of-the-right",
    rates=lambda r, y, p, g: {k: float((g[y == p] == k).mean()) for k in r},
)
planted_gap("numbered_groups", "keys", rates=lambda r, *_: dict(enumerate(r.values())))
planted_gap("worst_minus_best", "sign", gap=lambda r, *_: min(r) - max(r))
planted_gap("mean_minus_worst", "to-mean", gap=lambda r, *_: np.mean(r) - min(r))
planted_gap("overall_minus_worst", "to-overall", gap=lambda r, y, p, g: np.mean(y == p) - min(r))
planted_gap("standard_deviation", "spread", gap=lambda r, *_: np.std(r))
planted_gap("last_minus_first", "first-last", gap=lambda r, *_: abs(r[-1] - r[0]))
planted_gap("quotient", "ratio", gap=lambda r, *_: min(r) / max(r))


@bug(GAP, symptom="not-a-pair")
def only_the_gap(y, predicted, groups):
    rates = rates_of(y, predicted, groups).values()
    return max(rates) - min(rates)


def ends(right, total, z, *, u=None, middle=True, divide=True, outer=True):
    p = right / total
    u = z * z / total if u is None else u
    reach = (z if outer else 1) * np.sqrt(p * (1 - p) / total + u / (4 * total))
    low, high = (p + u / 2 - reach), (p + u / 2 + reach)
    if not middle:
        return p - reach / (1 + u), p + reach / (1 + u)
    return (low / (1 + u), high / (1 + u)) if divide else (low, high)


@bug(WILSON, symptom="normal")
def the_usual(right, total, *, z=1.96):
    p = right / total
    reach = z * np.sqrt(p * (1 - p) / total)
    return p - reach, p + reach


@bug(WILSON, symptom="not-divided")
def not_divided(right, total, *, z=1.96):
    return ends(right, total, z, divide=False)


@bug(WILSON, symptom="middle")
def around_the_share(right, total, *, z=1.96):
    return ends(right, total, z, middle=False)


@bug(WILSON, symptom="no-z")
def root_without_z(right, total, *, z=1.96):
    return ends(right, total, z, outer=False)


@bug(WILSON, symptom="swapped")
def high_first(right, total, *, z=1.96):
    return ends(right, total, z)[::-1]


@bug(WILSON, symptom="percent")
def in_per_cent(right, total, *, z=1.96):
    return tuple(100 * end for end in ends(right, total, z))


@bug(WILSON, symptom="fixed-z")
def always_95(right, total, *, z=1.96):
    return ends(right, total, 1.96)


@bug(WILSON, symptom="values")
def z_not_squared(right, total, *, z=1.96):
    return ends(right, total, z, u=z / total)


@bug(WILSON, symptom="not-a-pair")
def only_the_reach(right, total, *, z=1.96):
    return np.sqrt(right / total)


def audit(right, slices, interval, *, keep, order=lambda parts: sorted(parts, key=lambda name: parts[name].mean())):
    parts = {name: right[mask] for name, mask in slices.items() if mask.any()}
    found = {name: part for name, part in parts.items() if keep(part, interval(int(part.sum()), len(part)), right)}
    return order(found)


def planted_audit(name, symptom, **mistake):
    def wrong(right, slices, *, interval):
        return audit(right, slices, interval, **mistake)

    wrong.__name__ = name
    bug(AUDIT, symptom=symptom)(wrong)


def truly(part, ends, right):
    return ends[1] < right.mean()


planted_audit("best_first", "order", keep=truly, order=lambda p: sorted(p, key=lambda name: -p[name].mean()))
planted_audit("all_under_the_mean", "no-interval", keep=lambda part, ends, right: part.mean() < right.mean())
planted_audit("low_end", "low-end", keep=lambda part, ends, right: ends[0] < right.mean() and part.mean() < 2)
planted_audit("not_worse", "above", keep=lambda part, ends, right: ends[1] > right.mean())
planted_audit("under_one_half", "to-half", keep=lambda part, ends, right: ends[1] < 0.5)
planted_audit(
    "with_figures", "not-a-list", keep=truly, order=lambda parts: {n: float(p.mean()) for n, p in parts.items()}
)
planted_audit("a_name_twice", "names", keep=truly, order=lambda parts: [*parts, *parts])
