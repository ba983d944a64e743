"""The fairness audit against the slide's gaps, SciPy's Wilson interval, and weighted means."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Static
from cs231n_lib.widgets.fairness import MODEL, describe
from cs231n_lib.widgets.fairness_counts import GROUPS, SLIDE, Audit, compute


@pytest.mark.parametrize(("name", "gap"), [("Microsoft", 20.8), ("FACE++", 33.8), ("IBM", 34.4)])
def test_the_slides_gaps(name, gap):
    r = compute(Audit(classifier=name), {})
    assert 100 * r.gap == pytest.approx(gap, abs=1e-9)
    assert r.overall == pytest.approx(np.mean(SLIDE[name]) / 100, abs=1e-12)
    picture = Static(MODEL, {"classifier": name}, {}).picture
    for rate in SLIDE[name]:
        assert f">{rate:.1f} %<" in picture
    assert f">{gap} points<" in picture


@pytest.mark.parametrize("right", [0, 1, 19, 24])
def test_wilson_interval_against_scipy(right):
    state = Audit(classifier="yours", rate1=100 * right / 24, n1=24)
    r = compute(state, {})
    expected = binomtest(right, 24).proportion_ci(method="wilson")
    assert (r.low[0], r.high[0]) == pytest.approx((expected.low, expected.high), abs=2e-5)  # SciPy's z is 1.959964


def test_overall_is_the_weighted_mean_and_the_crowd_alone_moves_it_from_79_to_100():
    sizes = (10, 700, 33, 257)
    r = compute(Audit(n1=10, n2=700, n3=33, n4=257), {})
    assert 100 * r.overall == pytest.approx(np.average(SLIDE["Microsoft"], weights=sizes))
    overall = [100 * compute(Audit(lean=lean), {}).overall for lean in range(-100, 101, 5)]
    assert overall[0] == pytest.approx(79.2)
    assert overall[-1] == pytest.approx(100)
    assert np.all(np.diff(overall) > 0)
    for lean in (-100, -35, 60):
        r = compute(Audit(lean=lean), {})
        assert r.crowd.sum() == pytest.approx(1000, abs=3)
        kept = r.rates[r.sizes > 0]
        assert set(np.round(100 * kept, 6)) <= set(SLIDE["Microsoft"])  # no classifier changed


def test_marginal_audits_hide_the_worst_group():
    whole = [100 * compute(Audit(split=split), {}).gap for split in ("each group", "1+2 | 3+4", "1+3 | 2+4")]
    assert whole == pytest.approx([20.8, (100 + 98.3 - 94 - 79.2) / 2, (94 + 100 - 79.2 - 98.3) / 2])
    assert whole[1] == pytest.approx(12.55)
    assert whole[2] == pytest.approx(8.25)


@pytest.mark.parametrize("t", [-1.2, -0.35, 0.8])
def test_a_threshold_moves_errors_between_two_groups(t):
    r = compute(Audit(classifier="IBM", t12=t), {})
    z = norm.ppf(np.array(SLIDE["IBM"]) / 100)
    np.testing.assert_allclose(r.rates, norm.cdf(z + np.array([t, -t, 0, 0])), atol=1e-12)
    assert (r.rates[0] - 0.88) * (r.rates[1] - 0.653) < 0
    even = compute(Audit(t12=-0.35), {})
    assert 100 * even.rates[:2] == pytest.approx([88.5, 87.8], abs=0.3)  # what the third answer says


def test_chance_is_named_when_intervals_overlap():
    assert "do not overlap" in describe(compute(Audit(), {}))
    assert "chance may have made the gap" in describe(compute(Audit(n1=8, n2=8, n3=8, n4=8), {}))


def test_nobody_is_said_and_nothing_divides_by_zero():
    with np.errstate(all="raise"):
        widget = Static(MODEL, {"n1": 0, "n2": 0, "n3": 0, "n4": 0}, {})
    assert "nobody is in the crowd" in widget.problem
    assert "nan" not in widget.picture
    one = compute(Audit(n1=0, n2=0, n3=0), {})
    assert (one.gap, one.overall) == (0, pytest.approx(0.983))


def test_own_results():
    groups = np.array(["a"] * 10 + ["b"] * 30)
    right = np.r_[np.arange(10) < 7, np.arange(30) < 29]
    widget = widgets.fairness_audit(right=right, groups=groups)
    r = compute(widget.state, {})
    np.testing.assert_allclose(r.rates[:2], [0.7, 29 / 30])
    assert r.sizes.tolist() == [10, 30, 0, 0]
    assert r.overall == pytest.approx(right.mean())
    assert r.names[:2] == ("a", "b")
    widget.close()
    with pytest.raises(ValueError, match="fairness_audit: groups must name at most 4 groups, got 5"):
        widgets.fairness_audit(right=np.ones(5), groups=np.arange(5))
    with pytest.raises(ValueError, match=r"must have shape \(N,\), got \(5,\) and \(4,\)"):
        widgets.fairness_audit(right=np.ones(5), groups=np.arange(4))
    with pytest.raises(ValueError, match="right must hold True and False only, got 3"):
        widgets.fairness_audit(right=[3], groups=[1])
    with pytest.raises(ValueError, match="must be given together"):
        widgets.fairness_audit(right=[True])


def test_own_results_that_do_not_fit_do_not_stop_a_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    widget = widgets.fairness_audit(right=np.ones(5), groups=np.arange(5))
    assert "at most 4 groups, got 5" in widget.problem


def good_gap(y, predicted, groups):
    shares = {g: float(np.mean(predicted[groups == g] == y[groups == g])) for g in set(groups.tolist())}
    return shares, max(shares.values()) - min(shares.values())


def good_interval(right, total):
    ends = binomtest(right, total).proportion_ci(method="wilson")
    return ends.low, ends.high


def test_right_functions_agree_at_every_move():
    widget = widgets.fairness_audit(good_gap, good_interval)
    for field, value in (("classifier", "IBM"), ("lean", -100), ("lean", 40), ("n2", 24), ("t12", 0.5), ("n4", 90_000)):
        widget.set(field, value)
        assert widget.problem == ""
        assert "Your function agrees." in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("functions", "words"),
    [
        ({"gap": lambda y, p, g: good_gap(y, p, g)[::-1]}, "must return numbers, got dict"),
        ({"gap": lambda y, p, g: ({}, 100 * good_gap(y, p, g)[1])}, "your gap is 20.8, expected 0.208"),
        ({"gap": lambda y, p, g: ({}, float(np.mean(y == p)))}, "expected 0.208"),
        (
            {"interval": lambda k, n: (k / n - 0.1, k / n + 0.1)},
            "your low end for 235 of 250 right is 0.8400, expected",
        ),
        ({"interval": lambda k, n: good_interval(k, n)[::-1]}, "your low end"),
        ({"gap": lambda y, p, g: good_gap(y, p, g)[1]}, "must return a tuple"),
    ],
    ids=["swapped", "per cent", "overall", "plain", "ends swapped", "no pair"],
)
def test_a_wrong_function_is_told_how(functions, words):
    widget = widgets.fairness_audit(**functions)
    assert words in widget.problem
    assert "agrees" not in widget.status
    widget.close()


def test_names_are_four_texts():
    with pytest.raises(ValueError, match="names must be four texts"):
        widgets.fairness_audit(state={"names": ["a"]})
    assert GROUPS[1] == "darker female"
