"""The confusion browser against scikit-learn and SciPy, its filters, what was planted, and functions that are wrong."""

import re

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support
from sklearn.neighbors import KNeighborsClassifier

from cs231n_lib import widgets
from cs231n_lib.shapes10 import CLASSES
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.confusion import CELL, LEFT, MODEL, TOP
from cs231n_lib.widgets.confusion_data import (
    ANY,
    BINS,
    CLASSIFIERS,
    COPIES,
    IMAGES,
    PAGE,
    WRONG_LABELS,
    Browse,
    compute,
    probabilities,
    splits,
    twins,
)

BOTH = [(name, split) for name in CLASSIFIERS for split in ("test", "train")]


@pytest.mark.parametrize(("name", "split"), BOTH)
def test_the_matrix_is_scikit_learns_and_its_rows_sum_to_the_labels(name, split):
    r = compute(Browse(classifier=name, split=split), {})
    np.testing.assert_array_equal(r.matrix, confusion_matrix(r.labels, r.guesses, labels=range(10)))
    np.testing.assert_array_equal(r.matrix.sum(axis=1), np.bincount(r.labels, minlength=10))
    shares = probabilities()[name, split]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert r.losses.mean() == pytest.approx(log_loss(r.labels, np.clip(shares, 1e-12, 1), labels=range(10)), rel=1e-6)


@pytest.mark.parametrize(("name", "split"), BOTH)
def test_calibration_is_scikit_learns(name, split):
    r = compute(Browse(classifier=name, split=split), {})
    right, sure = calibration_curve(r.guesses == r.labels, r.confidence - 1e-9, n_bins=BINS)
    kept = r.bins[0] > 0
    assert r.bins[0].sum() == IMAGES
    np.testing.assert_allclose(r.bins[2, kept], right)
    np.testing.assert_allclose(r.bins[1, kept], sure, atol=1e-6)


def test_the_bars_are_scikit_learns_recall_and_precision():
    r = compute(Browse(classifier="ConvNet"), {})
    precision, recall, _, _ = precision_recall_fscore_support(r.labels, r.guesses, labels=range(10))
    picture = MODEL.render(r)
    for k in range(10):
        hit = r.matrix[k, k]
        assert hit / r.matrix[k].sum() == pytest.approx(recall[k])
        assert hit / r.matrix[:, k].sum() == pytest.approx(precision[k])
        assert f">{hit}/{r.matrix[k].sum()}<" in picture
        assert f">{hit}/{r.matrix[:, k].sum()}<" in picture


def test_k_nn_is_scikit_learns():
    def small(images):
        return images.reshape(IMAGES, 16, 2, 16, 2, 3).mean(axis=(2, 4)).reshape(IMAGES, -1)

    (train, labels), (test, _) = splits()["train"], splits()["test"]
    peer = KNeighborsClassifier(5, algorithm="brute").fit(small(train), labels)
    np.testing.assert_allclose(probabilities()["k-NN", "test"], peer.predict_proba(small(test)), atol=1e-9)


def test_the_filters_cut_the_split_into_parts_that_make_it_whole():
    for sort in ("loss", "confidence", "order"):
        seen = []
        for truth in CLASSES:
            for guess in CLASSES:
                r = compute(Browse(truth=truth, guess=guess, sort=sort), {})
                assert len(r.chosen) == r.matrix[CLASSES.index(truth), CLASSES.index(guess)]
                seen += r.chosen.tolist()
        assert sorted(seen) == list(range(IMAGES))
    every, wrong = compute(Browse(), {}), compute(Browse(wrong=True), {})
    assert (every.guesses[wrong.chosen] != every.labels[wrong.chosen]).all()
    assert len(wrong.chosen) == IMAGES - np.trace(every.matrix)
    assert (np.diff(every.losses[every.chosen]) <= 0).all()
    sure = compute(Browse(sort="confidence"), {})
    assert (np.diff(sure.confidence[sure.chosen]) <= 0).all()


def test_the_planted_copies_are_the_nearest_pairs():
    near, apart = twins("test")
    a, b = (splits()[name][0].reshape(IMAGES, -1).astype(float) for name in ("test", "train"))
    gaps = cdist(a, b)
    np.testing.assert_allclose(gaps[np.arange(IMAGES), near], gaps.min(axis=1), rtol=1e-4)
    r = compute(Browse(grid="duplicates"), {})
    assert sorted(r.chosen[: len(COPIES)]) == sorted(COPIES)
    assert apart[list(COPIES)].max() < 7 < 12 < np.delete(apart, COPIES).min()
    assert MODEL.render(r).count("a copy") == len(COPIES)
    assert "5 of them nearly equal" in MODEL.describe(r)


def test_wrong_labels_come_first_with_the_convnet_and_hide_with_the_linear_classifier():
    def places(name):
        chosen = compute(Browse(classifier=name), {}).chosen.tolist()
        return [chosen.index(i) for i in WRONG_LABELS]

    assert max(places("ConvNet")) < 5
    assert max(places("linear")) > 2 * PAGE
    labels = np.arange(IMAGES) % 10
    changed = np.flatnonzero(splits()["test"][1] != labels)
    assert set(WRONG_LABELS) <= set(changed) <= set(WRONG_LABELS) | set(COPIES)


def test_a_students_function_is_shown_and_compared():
    def labels(images):
        return probabilities()["ConvNet", "test"].argmax(axis=1)

    def scores(images):
        return np.log(probabilities()["ConvNet", "test"] + 1e-30) + 5

    own, sure = widgets.confusion_browser(labels), widgets.confusion_browser(scores)
    reference = compute(Browse(classifier="ConvNet"), {})
    for widget in (own, sure):
        r = compute(widget.state, widget.data)
        np.testing.assert_array_equal(r.matrix, reference.matrix)
        assert widget.status.startswith("Your function is right on")
        differ = int((r.rival != r.guesses).sum())
        assert f"they differ on {differ} images" in widget.status
        assert "≠" in widget.picture
        assert not widget.problem
    np.testing.assert_allclose(compute(sure.state, sure.data).losses, reference.losses, rtol=1e-6)
    own.set("chart", "calibration")
    assert "only labels were given" in own.picture
    own.set("classifier", "ConvNet")
    assert "they differ on 0 images" in own.status
    own.close()
    sure.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda images: np.full(len(images), 10), "must return labels 0 to 9, got 10"),
        (lambda images: np.zeros((len(images), 3)), "or scores (200, 10), got shape (200, 3)"),
        (lambda images: np.full((len(images), 10), np.nan), "must return finite numbers"),
        (lambda images: images @ np.eye(4), "raised ValueError"),
    ],
    ids=["label 10", "3 classes", "nan", "raises"],
)
def test_a_wrong_function_is_told_how_and_the_classifier_is_shown(wrong, words):
    widget = widgets.confusion_browser(wrong)
    assert words in widget.problem
    assert widget.status.startswith("The linear classifier is right on")
    assert "≠" not in widget.picture
    widget.close()


def test_a_student_is_asked_once_for_each_split_and_cannot_spoil_the_images():
    asked = []

    def mine(images):
        asked.append(images.shape)
        images[:] = 0
        return np.zeros(len(images), int)

    widget = widgets.confusion_browser(mine)
    for field, value in (("sort", "order"), ("truth", "star"), ("split", "train"), ("split", "test")):
        widget.set(field, value)
    assert asked == [(IMAGES, 32, 32, 3)] * 2
    assert splits()["test"][0].any()
    widget.close()


def test_a_click_on_a_cell_opens_it_and_a_second_one_closes_it():
    widget = Static(MODEL, {"page": 4}, {})
    cell = Event("down", LEFT + 2.5 * CELL, TOP + 8.5 * CELL)
    widget.point(cell)
    assert (widget.state.truth, widget.state.guess, widget.state.page) == (CLASSES[8], CLASSES[2], 1)
    widget.point(Event("key", key="ArrowDown"))
    assert widget.state.truth == CLASSES[9]
    widget.point(Event("down", LEFT - 20, TOP + 0.5 * CELL))
    assert (widget.state.truth, widget.state.guess) == (CLASSES[0], ANY)
    widget.point(Event("down", LEFT + 3.5 * CELL, TOP - 20))
    assert (widget.state.truth, widget.state.guess) == (ANY, CLASSES[3])
    widget.point(Event("key", key="Backspace"))
    assert (widget.state.truth, widget.state.guess) == (ANY, ANY)
    widget.point(cell)
    widget.point(cell)
    assert (widget.state.truth, widget.state.guess) == (ANY, ANY)


def test_a_note_stays_in_the_line_of_code_and_cannot_become_markup():
    widget = Static(MODEL, None, {})
    widget.set("note", "<b>bolt</b> & arrow")
    assert "&lt;b&gt;bolt" in widget.picture
    assert "'note': '<b>bolt</b> & arrow'" in widget.code()


def own_images(count=40, classes=("cat", "dog", "frog")):
    rng = np.random.default_rng(3)
    labels = np.arange(count) % len(classes)
    coarse = rng.integers(0, 256, size=(count, 8, 8, 3), dtype=np.uint8)
    images = coarse.repeat(4, axis=1).repeat(4, axis=2)
    return {"images": images, "labels": labels, "class_names": classes}


def test_images_of_ones_own_are_counted_with_their_classes():
    given = own_images()
    scores = np.random.default_rng(4).normal(size=(40, 3))
    widget = widgets.confusion_browser(lambda images: scores, **given)
    r = widget.model.compute(widget.state, widget.data)
    expected = confusion_matrix(given["labels"], scores.argmax(axis=1), labels=range(3))
    np.testing.assert_array_equal(r.matrix, expected)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert r.losses.mean() == pytest.approx(log_loss(given["labels"], shares, labels=range(3)))
    assert widget.status.startswith(f"Your function is right on {np.trace(expected)} of 40 images")
    assert not {"classifier", "split", "grid"} & set(widget.inputs)
    assert [value for _, value in widget.inputs["truth"].options] == [ANY, "cat", "dog", "frog"]
    widget.point(Event("down", LEFT + 0.5 * CELL, TOP + 2.5 * CELL))
    assert (widget.state.truth, widget.state.guess) == ("frog", "cat")
    assert f"frog → cat: {expected[2, 0]} images" in widget.picture
    shown = widget.picture
    widget.point(Event("down", LEFT + 3.5 * CELL, TOP + 0.5 * CELL))  # three classes: there is no fourth column
    assert widget.picture == shown
    for key in ("ArrowDown", "ArrowRight", "Backspace"):
        widget.point(Event("key", key=key))
    assert (widget.state.truth, widget.state.guess) == (ANY, ANY)
    assert "images=images, labels=labels, class_names=class_names" in widget.code()
    widget.close()


def test_each_control_for_ones_own_images_changes_the_picture_and_back():
    given = own_images(60, tuple("abcdefghij"))
    widget = widgets.confusion_browser(lambda images: np.eye(10)[np.arange(60) // 6], **given)
    for control in widget.model.controls:
        before, value = widget.picture, getattr(widget.state, control.field)
        widget.set(control.field, control.other(value))
        assert widget.picture != before, control.field
        assert not widget.problem
        assert len(widget.picture.encode()) <= 50_000
        widget.set(control.field, value)
        assert widget.picture == before
    widget.close()


def test_a_thousand_images_end_with_the_pages_there_are():
    given = own_images(1000)
    widget = widgets.confusion_browser(lambda images: given["labels"], **given)
    widget.set("page", 13)
    assert "1000 images, mistakes first; page 13 of 13" in widget.picture
    assert "mean loss" not in widget.picture  # labels alone have none
    assert "right on 1000 of 1000 images (100.0 %)" in widget.status
    widget.close()


def test_a_stub_on_ones_own_images_says_that_it_is_not_written():
    def predict(images):
        raise NotImplementedError("write your code here, then delete this line")

    widget = widgets.confusion_browser(lambda images: predict(images), **own_images())
    assert widget.problem.startswith("predict is not implemented yet")
    assert "No picture: predict is not implemented yet" in widget.picture
    widget.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": None}, "must come together"),
        ({"class_names": ("cat",)}, "class_names must be 2 to 10 different names"),
        ({"class_names": ("cat", "dog", "any")}, "class_names must be 2 to 10 different names"),
        ({"images": np.zeros((40, 32, 32, 3))}, "images must be uint8 (N, 32, 32, 3), got float64 (40, 32, 32, 3)"),
        ({"labels": np.full(40, 3)}, "labels must be 40 whole numbers from 0 to 2"),
        ({"labels": np.zeros(40)}, "labels must be 40 whole numbers from 0 to 2"),
        ({"state": {"split": "train"}}, "split has no meaning"),
    ],
)
def test_images_that_do_not_fit_are_refused_and_do_not_stop_a_grading(change, words, monkeypatch):
    def mine(images):
        return np.zeros(len(images), int)

    given = own_images() | change
    with pytest.raises(ValueError, match=re.escape(words)):
        widgets.confusion_browser(mine, **given)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    static = widgets.confusion_browser(mine, **given)
    assert words in static.problem
    assert "<svg" in static._repr_mimebundle_()["text/html"]
