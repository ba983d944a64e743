"""The recognition explorer against torch and scikit-learn, the images against shapes10, and augmentation by hand."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.nn import functional as F

from cs231n_lib import widgets
from cs231n_lib.shapes10 import CLASSES, VERSION, Challenges, draw
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.recognition import IMAGE, MODEL
from cs231n_lib.widgets.recognition_models import (
    KEEPS,
    KNOBS,
    NEIGHBOURS,
    Scene,
    augmented,
    compute,
    convnet,
    covered,
    flipped,
    linear,
    memory,
    most_harmful,
    nearest,
    weights,
)  # fmt: skip


@pytest.fixture(scope="module")
def fresh():
    labels = np.arange(300) % 10
    return draw(labels, np.random.default_rng(1234)), labels


def test_the_classifiers_are_torchs_and_scikit_learns(fresh):
    images, _ = fresh
    w = {name: torch.tensor(value) for name, value in weights().items()}
    x = torch.tensor(images.transpose(0, 3, 1, 2) / np.float32(255) - np.float32(0.5))
    expected = F.softmax(F.linear(x.flatten(1), w["linear_0"], w["linear_1"]), dim=1)
    np.testing.assert_allclose(linear(images), expected.numpy(), atol=1e-5)
    for i in (0, 2, 4):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[f"net_{i}"], w[f"net_{i + 1}"], padding=1)), 2)
    expected = F.softmax(F.linear(x.flatten(1), w["net_6"], w["net_7"]), dim=1)
    np.testing.assert_allclose(convnet(images), expected.numpy(), atol=1e-5)
    rows, labels = memory()
    peer = KNeighborsClassifier(NEIGHBOURS, algorithm="brute").fit(rows, labels)
    np.testing.assert_allclose(nearest(images), peer.predict_proba(images.reshape(len(images), -1) / np.float32(255)))


def test_the_stored_weights_are_of_these_drawings_and_as_good_as_they_say(fresh):
    images, labels = fresh
    assert int(weights()["version"]) == VERSION, "run python benchmarks/recognition_models.py again"
    for model, name in ((linear, "linear"), (convnet, "net")):
        stored = float(weights()[f"{name}_accuracy"])
        spread = np.sqrt(stored * (1 - stored) / len(labels))
        assert (model(images).argmax(axis=1) == labels).mean() == pytest.approx(stored, abs=4 * spread)


@pytest.mark.parametrize("name", CLASSES)
def test_without_challenges_it_is_the_original(name):
    r = compute(Scene(name=name), {})
    plain = Challenges(**dict.fromkeys(KNOBS, 0.0))
    np.testing.assert_array_equal(r.image, r.original)
    np.testing.assert_array_equal(
        r.original, draw(np.array([CLASSES.index(name)]), np.random.default_rng([0, 7]), plain)[0]
    )
    assert (r.distance, r.changed, r.distances[0]) == (0, 0, 0)


@pytest.mark.parametrize("knob", KNOBS)
def test_each_challenge_moves_the_pixels_and_its_own_curve(knob):
    r = compute(Scene(sweep=knob, **{knob: 0.6}), {})
    apart = (r.image.astype(float) - r.original) / 255
    assert r.distance == pytest.approx(np.linalg.norm(apart.ravel()))
    assert r.distance == pytest.approx(r.distances[3])  # the curve's severity 0.6
    assert r.distances[0] == 0 < r.distances[-1]
    np.testing.assert_allclose(r.curve[:, 3], r.shares[:, r.truth], rtol=1e-5)
    assert f"{knob} 0.6" in Static(MODEL, r.state, {}).picture


def test_the_distance_rises_while_the_convnets_answer_stays():
    stays = [
        name
        for name in CLASSES
        if compute(Scene(name=name, viewpoint=0.2), {}).distance > 2
        and CLASSES[compute(Scene(name=name, viewpoint=0.2), {}).shares[2].argmax()] == name
    ]
    assert len(stays) >= 9


def test_augmentations_by_hand():
    state = Scene(tab="augmentation", flip=False, crop=0, jitter=0.0, cutout=0)
    image = compute(state, {}).image
    none = augmented(image, state)
    assert (none == image).all()
    flips = augmented(image, Scene(flip=True, crop=0, jitter=0.0))
    np.testing.assert_array_equal(flipped(flipped(flips)), flips)
    kinds = [np.array_equal(one, image) or -np.array_equal(one, np.flip(image, axis=1)) for one in flips]
    assert all(kinds)
    assert len({int(k) for k in kinds}) == 2
    crops = augmented(image, Scene(flip=False, crop=3, jitter=0.0))
    wide = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="reflect")
    places = [(i, j) for i in range(7) for j in range(7)]
    for one in crops:
        assert any(np.array_equal(one, wide[i : i + 32, j : j + 32]) for i, j in places)
    cuts = augmented(image, Scene(flip=False, crop=0, jitter=0.0, cutout=10))
    for one in cuts:
        differs = (one != image).any(axis=2)
        assert 0 < differs.sum() <= 100
        assert (one[differs] == 128).all()
    tinted = augmented(image, Scene(flip=False, crop=0, jitter=1.0))
    assert tinted.dtype == np.uint8
    assert len({one.tobytes() for one in tinted}) == 16


def test_the_same_seed_gives_the_same_samples_and_a_step_more_leaves_the_others_alone():
    image = compute(Scene(), {}).image
    a, b = (augmented(image, Scene(seed=seed)) for seed in (3, 3))
    np.testing.assert_array_equal(a, b)
    more = augmented(image, Scene(seed=3, cutout=6))
    same = (more == a).all(axis=3) | (more == 128).all(axis=3)
    assert same.all()


def test_the_label_preserving_list_names_the_steps_that_are_on():
    widget = Static(MODEL, {"tab": "augmentation"}, {})
    for field, off in (("flip", False), ("crop", 0), ("jitter", 0.0), ("cutout", 0)):
        head = KEEPS[field].partition(":")[0]
        assert (f">{head}<" in widget.picture) == (field != "cutout")
        widget.set(field, off)
        assert f">{head}<" not in widget.picture
    assert "nothing is done" in widget.picture
    assert "by nothing at all" in widget.status


def test_a_square_covers_what_it_should_and_is_cut_off_at_the_edge():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    assert (covered(image, 8, 16, 16)[0, 12:20, 12:20] == 128).all()
    assert (covered(image, 8, 16, 16) == 128).sum() == 64 * 3
    assert (covered(image, 10, 0, 31) == 128).sum() == 5 * 6 * 3
    assert not covered(image, 0, 5, 5).any()


def test_the_most_harmful_place_is_the_least_confident_and_is_found_by_the_button():
    widget = Static(MODEL, {"name": "star"}, {})
    size, x, y = most_harmful(widget.state)
    widget.press("worst")
    assert (widget.state.cover, widget.state.cover_x, widget.state.cover_y) == (size, x, y)
    truth, best = CLASSES.index("star"), []
    for i in range(4, 32, 4):
        for j in range(4, 32, 4):
            r = compute(Scene(name="star", cover=size, cover_x=j, cover_y=i), {})
            best.append((float(r.shares[2, truth]), j, i))
    assert min(best)[1:] == (x, y)


def test_pointer_and_keys_move_the_square():
    widget = Static(MODEL, None, {})
    widget.point(Event("down", IMAGE[0] + IMAGE[2] * 0.25, IMAGE[1] + IMAGE[2] * 0.5))
    assert (widget.state.cover, widget.state.cover_x, widget.state.cover_y) == (8, 8, 16)
    for key in ("ArrowLeft", "ArrowDown", "Enter"):
        widget.point(Event("key", key=key))
    assert (widget.state.cover, widget.state.cover_x, widget.state.cover_y) == (9, 7, 17)
    for _ in range(20):
        widget.point(Event("key", key="Backspace"))
    assert widget.state.cover == 0


def test_a_students_classifier_is_judged_in_both_tabs():
    def mine(images):
        return convnet(images).argmax(axis=1)

    widget = widgets.recognition_explorer(mine, state={"name": "heart"})
    assert "Your function: heart, right." in widget.status
    assert "your function: heart ✓" in widget.picture
    widget.set("tab", "augmentation")
    count = int((compute(widget.state, {}).guesses[2] == CLASSES.index("heart")).sum())
    assert f"By your function: {count}." in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda images: np.full(len(images), 10), "must be whole numbers 0 to 9, got 10"),
        (lambda images: np.full(len(images), 0.5), "must be whole numbers 0 to 9, got 0.5"),
        (lambda images: np.full(len(images), np.nan), "must be whole numbers 0 to 9, got nan"),
        (lambda images: convnet(images), "must return shape (7,), got (7, 10)"),
    ],
)  # fmt: skip
def test_a_wrong_classifier_is_told_how(wrong, words):
    widget = widgets.recognition_explorer(wrong)
    assert words in widget.problem
    assert "our function" not in widget.status
    widget.close()
