"""The feature explorer against scikit-learn, colorsys, a looped HOG, its invariances, and N05's own functions."""

import colorsys
import dataclasses
import math

import numpy as np
import pytest
from sklearn.cluster import KMeans

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Static
from cs231n_lib.widgets.feature_plan import (
    CHANGES,
    KINDS,
    MOST_STEPS,
    Settings,
    change,
    codebook,
    colour_histogram,
    compute,
    gradient_histogram,
    grey,
    material,
    nearest_words,
    pictures,
    seam_votes,
)
from cs231n_lib.widgets.features import MODEL
from tests.cells import namespace


def settings(count=25):
    rng = np.random.default_rng(0)
    for i in range(count):
        yield Settings(
            image=int(rng.integers(30)), change=CHANGES[i % len(CHANGES)], bins=int(rng.integers(3, 25)),
            cell=int(rng.choice([4, 8, 16])), orientations=int(rng.integers(4, 19)), patch=int(rng.choice([4, 8])),
            words=int(rng.integers(2, 25)), steps=int(rng.integers(0, MOST_STEPS + 1)), seed=int(rng.integers(10)),
        )  # fmt: skip


@pytest.mark.parametrize("state", list(settings()), ids=str)
def test_colours_are_colorsys_and_sum_to_the_pixels(state):
    r = compute(state, {})
    expected, slack = np.zeros(state.bins + 1), np.zeros(state.bins + 1)
    for pixel in r.changed.reshape(-1, 3) / 255:
        at = colorsys.rgb_to_hsv(*pixel)[0] * state.bins
        spread = pixel.max() - pixel.min()
        expected[int(at) % state.bins] += spread
        expected[-1] += 1 - spread
        if abs(at - round(at)) < 1e-9:  # on a seam: rounding decides
            slack[[round(at) % state.bins, (round(at) - 1) % state.bins]] += spread
    assert (np.abs(r.colours - expected) <= 1e-8 + slack).all()
    np.testing.assert_allclose(seam_votes(r.changed[None], state.bins)[0], slack, atol=1e-8)
    assert slack.max() < 0.4 * expected[:-1].sum()
    assert r.colours.sum() == pytest.approx(32 * 32)


def looped_hog(shades, cell, count):
    table = np.zeros((32 // cell, 32 // cell, count))
    for y in range(32):
        for x in range(32):
            up, down, left, right = max(y - 1, 0), min(y + 1, 31), max(x - 1, 0), min(x + 1, 31)
            dy = (shades[down, x] - shades[up, x]) / (down - up)
            dx = (shades[y, right] - shades[y, left]) / (right - left)
            at = math.degrees(math.atan2(dy, dx)) % 180 / (180 / count)
            low = math.floor(at)
            for k, share in ((low % count, low + 1 - at), ((low + 1) % count, at - low)):
                table[y // cell, x // cell, k] += share * math.hypot(dx, dy)
    return table / (np.linalg.norm(table) or 1)


@pytest.mark.parametrize("state", list(settings(8)), ids=str)
def test_hog_is_the_looped_one(state):
    r = compute(state, {})
    np.testing.assert_allclose(r.hog, looped_hog(grey(r.changed[None])[0], state.cell, state.orientations), atol=1e-9)


@pytest.mark.parametrize("count", [4, 8, 12, 18])
def test_a_quarter_turn_moves_the_cells_and_rolls_the_orientations_by_half(count):
    shades = np.random.default_rng(count).uniform(0, 255, size=(1, 32, 32))
    before = gradient_histogram(shades, 8, count)[0]
    after = gradient_histogram(np.rot90(shades, axes=(1, 2)), 8, count)[0]
    np.testing.assert_allclose(after, np.roll(np.rot90(before), count // 2, axis=2), atol=1e-12)
    np.testing.assert_allclose(gradient_histogram(255 - shades, 8, count)[0], before, atol=1e-12)
    np.testing.assert_allclose(gradient_histogram(64 + shades / 2, 8, count)[0], before, atol=1e-12)
    assert not gradient_histogram(np.full((1, 32, 32), 7.0), 8, count).any()


@pytest.mark.parametrize("state", [s for s in settings() if s.steps], ids=str)
def test_the_codebook_is_scikit_learns_and_its_inertia_never_rises(state):
    sample, first = material(state.seed, state.patch, state.words)
    assert len(np.unique(first, axis=0)) == state.words
    found, inertia = codebook(state.seed, state.patch, state.words)
    assert (np.diff(inertia) <= 1e-9).all()
    chosen, total = nearest_words(sample, found[state.steps])
    assert inertia[state.steps] == pytest.approx(total)
    members = np.bincount(nearest_words(sample, found[state.steps - 1])[0], minlength=state.words)
    if members.min() > 0:  # scikit-learn moves an empty word elsewhere
        theirs = KMeans(state.words, init=found[state.steps - 1], n_init=1, max_iter=1, algorithm="lloyd").fit(sample)
        np.testing.assert_array_equal(theirs.predict(sample), chosen)
        np.testing.assert_allclose(theirs.cluster_centers_, found[state.steps], atol=1e-8)
    r = compute(state, {})
    assert r.bag.sum() == pytest.approx(1)
    counted = np.bincount(r.written.ravel(), minlength=state.words)
    np.testing.assert_allclose(r.bag * r.written.size, counted, atol=1e-9)


def noticed(**changes):
    return dict(zip(KINDS, compute(Settings(**changes), {}).noticed, strict=True))


@pytest.mark.parametrize("image", range(0, 30, 3))
@pytest.mark.parametrize("patch", [4, 8])
def test_who_notices_what(image, patch):
    assert max(noticed(image=image, patch=patch, change="none").values()) == 0
    pixels = noticed(image=image, patch=patch, change="shuffle pixels")
    assert pixels["colours"] < 1e-9
    assert min(pixels["pixels"], pixels["gradients"]) > 0.3
    patches = noticed(image=image, patch=patch, change="shuffle patches")
    assert max(patches["colours"], patches["words"]) < 1e-9
    assert min(patches["pixels"], patches["gradients"]) > 0.3
    for name in ("mirror", "rotate by 90°", "shift by 3 pixels"):
        assert noticed(image=image, patch=patch, change=name)["colours"] < 1e-9
    assert noticed(image=image, change="negative")["gradients"] < 1e-9
    assert noticed(image=image, change="half the contrast")["gradients"] < 0.1  # but for rounding to whole numbers
    assert noticed(image=image, change="negative")["pixels"] > 0.3


def test_changes_are_what_they_say():
    image = pictures(0)[0][3]
    for name in ("shuffle pixels", "shuffle patches"):
        mixed = change(image, Settings(change=name))
        assert (mixed != image).any()
        key = lambda v: sorted(map(tuple, v.reshape(-1, 3).tolist()))  # noqa: E731
        assert key(mixed) == key(image)
    np.testing.assert_array_equal(change(image, Settings(change="rotate by 90°")), np.rot90(image))
    np.testing.assert_array_equal(change(image, Settings(change="none")), image)


def test_the_nearest_are_the_nearest_and_never_the_image_itself():
    for state in settings(8):
        r = compute(state, {})
        rows = r.images.reshape(len(r.images), -1) / 255
        far = np.linalg.norm(rows - r.changed.ravel() / 255, axis=1)
        far[state.image] = np.inf
        np.testing.assert_array_equal(r.nearest[0], np.argsort(far, kind="stable")[:4])
        assert state.image not in r.nearest


def test_blindness_is_written_into_the_picture():
    widget = Static(MODEL, None, {})
    assert widget.picture.count("blind") == 1
    assert "0 % by colour histogram" in widget.status
    widget.set("change", "shuffle patches")
    assert widget.picture.count("blind") == 2
    widget.set("change", "none")
    assert "blind" not in widget.picture


@pytest.fixture(scope="module")
def answers():
    found = namespace("a1/N05_features.py", "setup", "solution")
    return {name: found[name] for name in ("hog_feature", "hue_histogram", "build_codebook", "encode_bovw")}


def test_the_notebooks_answers_agree_at_every_move(answers):
    widget = widgets.feature_explorer(**answers)
    for field, value in (
        ("change", "negative"), ("bins", 23), ("cell", 4), ("orientations", 18), ("patch", 4), ("words", 24),
        ("steps", 8), ("seed", 5), ("image", 11),
    ):  # fmt: skip
        widget.set(field, value)
        assert "Your 4 functions agree." in widget.status, widget.problem
        assert "✗" not in widget.picture
    widget.close()


def test_wrong_functions_are_told_how_and_marked(answers):
    def signed(gray, *, cell_size, num_bins):  # the copied mistake: angles below 0 are lost
        dy, dx = np.gradient(gray, axis=(1, 2))
        return answers["hog_feature"](
            np.where(np.arctan2(dy, dx) >= 0, gray, 0), cell_size=cell_size, num_bins=num_bins
        )

    def red(images, *, num_bins):  # grey counted as red
        rows = answers["hue_histogram"](images, num_bins=num_bins)
        rows[:, 0] += rows[:, -1]
        rows[:, -1] = 0
        return rows

    def lazy(patches, first_words, *, num_steps):
        return answers["build_codebook"](patches, first_words, num_steps=num_steps - 1)

    def counts(patches, words):
        return answers["encode_bovw"](patches, words) * patches.shape[1]

    told = {
        "hog_feature": (signed, "signed: entry [0, 0"), "hue_histogram": (red, "red: entry [0, 0"),
        "build_codebook": (lazy, "lazy: entry"), "encode_bovw": (counts, "counts: entry [0, "),
    }  # fmt: skip
    for name, (wrong, words) in told.items():
        widget = widgets.feature_explorer(**{name: wrong})
        assert words.split("[")[0] in widget.problem
        assert "✗" in widget.picture
        assert "agree" not in widget.status
        widget.close()
    both = widgets.feature_explorer(hue_histogram=red, encode_bovw=lambda p, w: np.ones(3))
    assert "red: entry" in both.problem
    assert "must return shape (1, 16), got (3,)" in both.problem
    both.close()


def test_nothing_is_written_into_the_shared_images():
    before = [pictures(0)[0].copy(), material(0, 8, 16)[0].copy()]

    def spoils(patches, first_words, *, num_steps):
        patches[:], first_words[:] = 0, 0
        return first_words

    widget = widgets.feature_explorer(build_codebook=spoils)
    widget.close()
    np.testing.assert_array_equal(before[0], pictures(0)[0])
    np.testing.assert_array_equal(before[1], material(0, 8, 16)[0])
    state = dataclasses.replace(Settings(), change="rotate by 90°")
    assert compute(state, {}).changed.flags.c_contiguous
    assert colour_histogram(before[0], 10).shape == (30, 11)
