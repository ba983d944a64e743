"""The k-NN explorer against scikit-learn, its tie rule by hand, and what the pointer does."""

import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.knn import MODEL, PLANE
from cs231n_lib.widgets.knn_plane import CELLS, MOST, Plane, centres, compute, place, rotation, tied, vote

STATES = [
    Plane(k=k, metric=metric, weights=weights, classes=2 + k % 4, per_class=10, angle=5 * k, seed=k)
    for k in (1, 4, 15)
    for metric in ("L1", "L2")
    for weights in ("equal", "1/distance")
]


def peer(state):
    metric = {"L1": "manhattan", "L2": "euclidean"}[state.metric]
    weights = {"equal": "uniform", "1/distance": "distance"}[state.weights]
    return KNeighborsClassifier(state.k, metric=metric, weights=weights, algorithm="brute")


@pytest.mark.parametrize("state", STATES, ids=lambda s: f"{s.k}-{s.metric}-{s.weights}")
def test_regions_votes_and_curves_are_scikit_learns(state):
    r = compute(state, {})
    model = peer(state).fit(r.points, r.labels)
    np.testing.assert_array_equal(r.regions.ravel(), model.predict(centres(CELLS)))
    query = [[state.query_x, state.query_y]]
    np.testing.assert_allclose(r.votes / r.votes.sum(), model.predict_proba(query)[0], rtol=1e-9)
    np.testing.assert_array_equal(r.neighbours, model.kneighbors(query)[1][0])
    assert r.curves[0, state.k - 1] == pytest.approx(model.score(r.points, r.labels))
    assert r.curves[1, state.k - 1] == pytest.approx(model.score(r.test_points, r.test_labels))
    fold = np.random.default_rng(state.seed).permutation(len(r.points)) % 5
    scores = cross_val_score(peer(state), r.points, r.labels, cv=PredefinedSplit(fold))
    np.testing.assert_allclose(r.folds[:, state.k - 1], scores)
    assert r.curves[2, state.k - 1] == pytest.approx(scores.mean())


def test_a_tie_goes_to_the_smaller_label_and_is_hatched():
    points, labels = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 5.0]]), np.array([2, 1, 0])
    votes = vote(points, labels, np.zeros((1, 2)), Plane(classes=3), 2)
    assert votes[0, 1].tolist() == [0, 1, 1]
    assert votes[0, 1].argmax() == 1
    assert tied(votes[:, 1])[0]
    assert not tied(votes[:, 0])[0]
    assert compute(Plane(k=2), {}).ties.any()
    assert not compute(Plane(k=1), {}).ties.any()


@pytest.mark.parametrize("weights", ["equal", "1/distance"])
def test_k_1_is_always_right_on_its_own_training_points(weights):
    for seed in range(5):
        assert compute(Plane(k=1, seed=seed, weights=weights), {}).curves[0, 0] == 1


def test_turning_the_data_turns_l2_regions_and_changes_l1_regions():
    at = np.random.default_rng(0).uniform(-1, 1, size=(300, 2))
    for metric, same in (("L2", True), ("L1", False)):
        answers = []
        for angle in (0, 45):
            state = Plane(metric=metric, angle=angle)
            points, labels = place(state, seed=0, edits=())
            answers.append(vote(points, labels, at @ rotation(angle).T, state, 5)[:, -1].argmax(axis=1))
        assert (answers[0] == answers[1]).all() == same


def pixel(x, y):
    return PLANE.x(x), PLANE.y(y)


def test_click_adds_drag_moves_backspace_undoes():
    widget = Static(MODEL, {"angle": 30}, {})
    count = len(place(widget.state, seed=0, edits=())[0])
    widget.point(Event("down", *pixel(-1.2, 1.2)))
    widget.point(Event("up"))
    points, labels = place(widget.state, seed=0, edits=widget.state.edits)
    assert len(points) == count + 1
    np.testing.assert_allclose(points[-1], [-1.2, 1.2], atol=2e-3)
    assert labels[-1] == 0
    widget.point(Event("down", *pixel(-1.2, 1.2)))
    for x in (-1.1, -1.0, -0.9):
        widget.point(Event("drag", *pixel(x, 1.0)))
    widget.point(Event("up"))
    points, _ = place(widget.state, seed=0, edits=widget.state.edits)
    assert len(points) == count + 1
    np.testing.assert_allclose(points[-1], [-0.9, 1.0], atol=2e-3)
    assert len(widget.state.edits) == 2  # a drag is one edit
    again = Static(MODEL, widget.state.to_json(), {})
    assert again.picture == widget.picture
    widget.point(Event("key", key="Backspace"))
    widget.point(Event("key", key="Backspace"))
    widget.point(Event("key", key="Backspace"))
    assert widget.state.edits == ()
    widget.point(Event("key", key="2"))
    widget.point(Event("key", key="Enter"))
    assert widget.state.edits == (("add", *widget.state.edits[0][1:3], 1),)


@pytest.mark.parametrize(
    "edit", [("add", 0.0), ("move", "a", 0.0, 0.0), ("add", 0.0, 0.0, 9), ("jump",), ("move", -1, 0.0, 0.0)]
)
def test_edits_that_are_none_are_refused(edit):
    with pytest.raises(ValueError, match="knn_explorer: edits must be"):
        Static(MODEL, {"edits": (edit,)}, {})


def test_neighbours_of_an_image_share_its_background_more_than_its_class():
    closer, same = [], []
    for image in range(10):
        r = compute(Plane(view="images", image=image), {})
        closer.append(r.borders.mean() < r.usual)
        same.append(np.mean([name == r.truth for name in r.names]))
        assert (np.diff(r.distances) >= 0).all()
    assert all(closer)
    assert np.mean(same) < 0.5


def right(X, X_train, y_train, k):
    return KNeighborsClassifier(k).fit(X_train, y_train).predict(X)


def test_a_right_function_agrees_for_every_k_and_is_not_asked_about_l1():
    widget = widgets.knn_explorer(right)
    for k in range(1, MOST + 1):
        widget.set("k", k)
        assert widget.problem == ""
        assert "Your function agrees." in widget.status
    widget.set("metric", "L1")
    assert "agrees" not in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda X, X_train, y, k: right(X, X_train, y, 1), "places differ (marked ✗)"),
        (lambda X, X_train, y, k: right(X, X_train, y, k)[:, None], "must return shape (256,), got (256, 1)"),
        (lambda X, X_train, y: right(X, X_train, y, 1), "raised TypeError"),
    ],
    ids=["k is ignored", "column", "no k"],
)
def test_a_wrong_function_is_told_how_and_marked(wrong, words):
    widget = widgets.knn_explorer(wrong)
    assert words in widget.problem
    assert (widget.picture.count("✗") > 3) == ("differ" in words)
    widget.close()


def test_moving_the_query_does_not_ask_the_students_function_again():
    asked = []
    widget = widgets.knn_explorer(lambda X, X_train, y, k: (asked.append(k), right(X, X_train, y, k))[1])
    for x in (0.2, 0.3, 0.4):
        widget.point(Event("hover", *pixel(x, 0.0)))
    assert asked == [5]
    widget.set("k", 3)
    assert asked == [5, 3]
    widget.close()
