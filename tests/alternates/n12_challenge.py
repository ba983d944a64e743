"""Right answers to N12 as hardly anybody would write them."""

import numpy as np

from tests.alternates import UNUSUAL, unusual
from tests.mutants.n12_challenge import answer, by_matched_filters, certificate, close, entries

base, changed = (["still-2", "still-0", "still-1"], ["moved-0", "moved-1", "moved-2"])
UNUSUAL += [
    ("challenge-log", answer()),
    ("challenge-log", answer(close, effect=0.01, verdict="not seen")),
    ("challenge-log", answer(log="  ".join(answer()["log"].splitlines()).replace(", ", ",\n"))),
    ("challenge-log", answer(entries()[::-1], base_runs=tuple(base), effect=np.float32(0.05))),
    ("challenge-log", answer(base_runs=changed, changed_runs=base, effect=-0.05, verdict="hurts")),
    ("challenge-certificate", certificate()),
    ("challenge-certificate", certificate().replace("\n", "\r\n")),
    ("challenge-certificate", certificate(1780, accuracy=0.9)),
]


@unusual("challenge-fit")
def matched_filters(images, labels, *, epochs, seed):
    return by_matched_filters(images, labels, known=int(labels.max()) + 1)


@unusual("challenge-group_accuracy_gap")
def person_by_person(y, predicted, groups):
    counts = {}
    for truth, said, group in zip(y.tolist(), predicted.tolist(), groups.tolist(), strict=True):
        right, total = counts.get(group, (0, 0))
        counts[group] = (right + (truth == said), total + 1)
    rates = {group: right / total for group, (right, total) in counts.items()}
    return [rates, np.float64(max(rates.values()) - min(rates.values()))]


@unusual("challenge-group_accuracy_gap")
def with_numpy_keys(y, predicted, groups):
    names, where = np.unique(groups, return_inverse=True)
    rates = np.bincount(where, weights=y == predicted) / np.bincount(where)
    return dict(zip(names, rates, strict=True)), np.ptp(rates)


@unusual("challenge-wilson_interval")
def by_bisection(right, total, *, z=1.96):
    share = right / total

    def edge(inside, outside):
        for _ in range(100):
            middle = (inside + outside) / 2
            if (share - middle) ** 2 <= z * z * middle * (1 - middle) / total:
                inside = middle
            else:
                outside = middle
        return inside

    return [edge(share, 0.0), edge(share, 1.0)]


@unusual("challenge-slice_audit")
def with_pandas_like_sorting(right, slices, *, interval):
    found = []
    for name, members in slices.items():
        rows = np.flatnonzero(members)
        if rows.size and interval(np.count_nonzero(right[rows]), rows.size)[1] < np.count_nonzero(right) / right.size:
            found.append((np.count_nonzero(right[rows]) / rows.size, name))
    return tuple(name for _, name in sorted(found))
