"""The oracles of N12 against others: Wilson's interval against SciPy, the lectures' table, the motifs, half points."""

import numpy as np
import pytest

from cs231n_lib.check import check
from cs231n_lib.check.n12_audit import wilson_ends
from cs231n_lib.check.n12_fit import draw
from tests.cells import namespace
from tests.mutants.n12_challenge import by_matched_filters

SHADES = {"Microsoft": (94.0, 79.2, 100.0, 98.3), "Face++": (99.3, 65.5, 99.2, 94.0), "IBM": (88.0, 65.3, 99.7, 92.9)}


def test_wilson_ends_are_scipys():
    stats = pytest.importorskip("scipy.stats")
    for right, total, z in ((0, 9, 1.96), (9, 9, 1.96), (792, 1000, 2.576), (1, 3, 0.7)):
        level = 2 * stats.norm.cdf(z) - 1
        expected = stats.binomtest(right, total).proportion_ci(confidence_level=level, method="wilson")
        assert wilson_ends(right, total, z) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_the_references_gaps_are_those_of_the_lectures():
    gap_of = namespace("a3/N12_challenge.py", "setup", "solution")["group_accuracy_gap"]
    gaps = []
    for rates in SHADES.values():
        right = np.concatenate([np.arange(1000) < round(10 * rate) for rate in rates]).astype(int)
        gaps.append(round(100 * gap_of(np.ones(4000, dtype=int), right, np.repeat(list("abcd"), 1000))[1], 1))
    assert gaps == [20.8, 33.8, 34.4]


def test_motifs_of_all_classes_have_the_same_mean_and_spread():
    pictures, labels = draw(np.random.default_rng(0), 2000, (16, 20), 5)
    assert (pictures.shape, pictures.dtype) == ((2000, 16, 20, 3), np.uint8)
    assert (np.bincount(labels) == 400).all()
    for statistic in (np.mean, np.std):
        of_class = [statistic(pictures[labels == k].astype(float), axis=(0, 1, 2)) for k in range(5)]
        assert np.ptp(of_class, axis=0).max() < 2.0


def test_a_recipe_between_the_bounds_earns_half():
    def four_of_five(images, labels, *, epochs, seed):
        return by_matched_filters(images, labels, known=4)

    result = check("challenge-fit", four_of_five)
    assert (result.status, result.symptom, result.points) == ("passed", "halfway", 4.0)
