"""The hard cases against closed forms, an exhaustive search over lines, and scikit-learn's logistic regression."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.lift import LEFT, MODEL, RIGHT, describe, morphed
from cs231n_lib.widgets.lift_space import CENTRES, FEATURES, Lift, belongs, compute, fit, sample

CASES = ("quadrants", "ring", "modes")
SOLVED = {"quadrants": "product", "ring": "radius", "modes": "bumps"}


def best_of_all_lines(points, labels):
    """Return the largest share that any line gets right: 720 directions, all cuts between neighbours."""
    best = 0.0
    for turn in np.linspace(0, 2 * np.pi, 720, endpoint=False):
        along = points @ [np.cos(turn), np.sin(turn)]
        order = np.argsort(along)
        ones = np.concatenate([[0], np.cumsum(labels[order])])  # of class 1 below each cut
        zeros = np.arange(len(labels) + 1) - ones
        best = max(best, float((zeros + labels.sum() - ones).max()) / len(labels))
    return best


@pytest.mark.parametrize("case", CASES)
def test_points_are_as_the_slide_says(case):
    points, labels = sample(case, 160, 0.1, 3)
    x, y = points.T
    norm = np.sqrt(x**2 + y**2)
    near = np.min([np.hypot(x - u, y - v) for u, v in CENTRES], axis=0)
    rule = {"quadrants": np.sign(x) == np.sign(y), "ring": (norm >= 1) & (norm <= 2), "modes": near < 0.75}[case]
    assert labels.tolist() == rule.astype(int).tolist()
    assert (labels.sum(), len(labels)) == (80, 160)
    assert belongs(points, case)[1].min() > 0.1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES)
def test_one_feature_set_reaches_100_per_cent_and_no_line_in_the_plane_does(case, seed):
    state = Lift(case=case, features=SOLVED[case], seed=seed)
    r = compute(state, {})
    assert r.accuracy == 1
    bound = best_of_all_lines(r.points, r.labels)
    assert r.raw <= bound < 0.85
    assert compute(Lift(case=case, features="x", seed=seed), {}).accuracy == r.raw >= 0.5


def test_closed_forms():
    points, labels = sample("quadrants", 160, 0.0, 0)
    assert ((FEATURES["product"][0](points)[:, 1] > 0) == labels).all()  # the line is where the product is 0
    points, labels = sample("ring", 160, 0.0, 0)
    assert ((FEATURES["radius"][0](points)[:, 1] <= 0.25) == labels).all()  # (r - 1.5)^2 <= 1/4 is 1 <= r <= 2
    angle, radius = FEATURES["polar"][0](points).T
    np.testing.assert_allclose(radius * np.exp(1j * angle), points[:, 0] + 1j * points[:, 1])


@pytest.mark.parametrize("features", ["x", "polar", "squares"])
def test_the_line_is_no_worse_than_scikit_learns(features):
    for seed in range(4):
        points, labels = sample("ring", 120, 0.1, seed)
        table = FEATURES[features][0](points)
        weights, bias, share = fit(table, labels)
        assert share == ((table @ weights + bias > 0) == labels).mean()
        z = (table - table.mean(axis=0)) / table.std(axis=0)
        peer = LogisticRegression(C=1e7).fit(z, labels)
        assert share >= peer.score(z, labels)
        assert share <= best_of_all_lines(table / table.std(axis=0), labels) + 1e-9


@pytest.mark.parametrize("features", ["x", "product", "squares", "polar", "radius", "bumps", "yours"])
def test_the_straight_line_and_the_curved_boundary_say_the_same(features):
    for phi in (
        (None,) if features != "yours" else (None, lambda p: p[:, :1] ** 2, lambda p: np.hstack([p, p**2, p**3]))
    ):
        r = compute(Lift(features=features, morph=1.0, case="quadrants"), {"phi": phi} if phi else {})
        a, b, c = r.line
        assert ((r.places @ [a, b] + c > 0) == r.guesses).all()
        assert r.accuracy == (r.guesses == r.labels).mean()
        cells = r.regions.shape[0]
        columns = np.clip(((r.points[:, 0] + 3) / 6 * cells).astype(int), 0, cells - 1)
        rows = np.clip(((3 - r.points[:, 1]) / 6 * cells).astype(int), 0, cells - 1)
        assert (r.regions[rows, columns] == r.guesses).mean() > 0.9  # all but points in cells on the boundary


def test_the_morph_begins_in_the_plane_and_ends_in_feature_space():
    start, end = compute(Lift(), {}), compute(Lift(morph=1.0), {})
    np.testing.assert_array_equal(morphed(start, start.points, start.places), start.points)
    np.testing.assert_array_equal(morphed(end, end.points, end.places), end.places)
    angle = np.arctan2(*end.points.T[::-1])
    assert np.corrcoef(end.places[:, 0], angle)[0, 1] == pytest.approx(1)
    widget = Static(MODEL, None, {})
    pictures = {widget.picture}
    for _ in range(30):
        widget.step()
        pictures.add(widget.picture)
    assert widget.state.morph == 1
    assert len(pictures) == 21


def test_the_probe_follows_the_pointer_and_is_classified():
    widget = Static(MODEL, {"features": "radius", "morph": 1.0}, {})
    for (x, y), kind in (((1.5, 0), 1), ((0.2, 0.1), 2), ((-2.4, 1.4), 2)):
        widget.point(Event("hover", LEFT.x(x), LEFT.y(y)))
        assert (widget.state.probe_x, widget.state.probe_y) == (x, y)
        assert f"The probe is put into class {kind}." in widget.status
    before = widget.state
    widget.point(Event("hover", RIGHT.x(0), RIGHT.y(0)))
    assert widget.state is before


def right(points):
    norm = np.linalg.norm(points, axis=1)
    return np.column_stack([norm**2, norm**4])


def test_own_features():
    widget = widgets.hard_cases(right)
    assert "Your features: 100 %." in widget.status
    widget.set("features", "yours")
    assert widget.problem == ""
    assert "One straight line in your features gets 100 %" in widget.status
    widget.set("case", "quadrants")
    assert "Your features: 100 %." not in widget.status
    widget.close()
    assert "hard_cases(phi)" in describe(compute(Lift(features="yours"), {}))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda X: np.linalg.norm(X, axis=1), "one feature is a column: write feature[:, None]"),
        (lambda X: X.T, "F in [1, 12], got (2, "),
        (lambda X: X - X.mean(axis=0), "must give each point features of its own"),
        (lambda X: np.log(X), "must return finite numbers, got [nan"),
        (lambda X: np.ones((len(X), 40)), "F in [1, 12]"),
        (lambda X: X[:, 2:3] * X, "raised"),
    ],
    ids=["row", "transposed", "centred", "log", "too many", "index"],
)
def test_wrong_features_are_told_how(wrong, words):
    for state in (None, {"features": "yours"}):
        widget = widgets.hard_cases(wrong, state=state)
        if words == "raised":  # X[:, 2:3] is empty: (N, 0) against (N, 2) cannot be multiplied
            assert "ValueError" in widget.problem
        assert words in widget.problem
        assert "Your features" not in widget.status
        widget.close()


def test_a_constant_feature_divides_by_nothing():
    with np.errstate(all="raise"):
        r = compute(Lift(features="yours"), {"phi": lambda X: np.ones((len(X), 2))})
    assert r.accuracy == 0.5
    assert r.problem == ""
