"""shapes10: the same bytes each time, one knob at a time, and classes that can be told apart."""

import hashlib
from dataclasses import fields

import numpy as np
import pytest
from scipy import ndimage

from cs231n_lib import shapes10, store
from cs231n_lib.outlines import OUTLINES
from cs231n_lib.shapes10 import CLASSES, Challenges, draw, draw_splits

KNOBS = [field.name for field in fields(Challenges)]
NONE = dict.fromkeys(KNOBS, 0.0)
LABELS = np.arange(30) % 10


def test_the_bytes_are_the_golden_ones():
    """A change of any pixel changes every figure in datasets/README.md: raise VERSION and measure the ladder anew."""
    images, labels, test_images, test_labels = draw_splits(train=60, test=20)
    digest = hashlib.sha256(b"".join(a.tobytes() for a in (images, labels, test_images, test_labels))).hexdigest()
    assert (shapes10.VERSION, digest) == (1, "09d452f66921f648ad9ed331a61d6e1014d0ff8060a2f34aad60185961815aad")


def test_splits_are_balanced_mixed_and_different():
    images, labels, test_images, test_labels = draw_splits(train=60, test=20)
    assert (images.shape, images.dtype, labels.dtype) == ((60, 32, 32, 3), np.uint8, np.int64)
    assert np.bincount(labels).tolist() == [6] * 10
    assert np.bincount(test_labels).tolist() == [2] * 10
    assert not (labels == np.sort(labels)).all()
    assert not any((image == images).all(axis=(1, 2, 3)).any() for image in test_images)
    assert not (draw_splits(train=60, test=20, seed=1)[0] == images).all()


def test_an_image_does_not_depend_on_how_many_are_drawn():
    many = draw(np.arange(70) % 10, np.random.default_rng(5))
    few = draw(np.arange(33) % 10, np.random.default_rng(5))
    np.testing.assert_array_equal(many[:33], few)


def test_classes_are_those_of_the_registry():
    assert list(CLASSES) == store.read_registry()["shapes10"]["classes"] == sorted(CLASSES)


@pytest.mark.parametrize("outline", OUTLINES)
def test_an_outline_is_a_signed_distance(outline):
    """SciPy's distance transform of a fine raster is the independent oracle for the sign and the length."""
    n = 400
    axis = (np.arange(n) + 0.5) / n * 4 - 2  # pixel of 0.01
    y, x = np.meshgrid(axis, axis, indexing="ij")
    for v in (-1.0, 0.0, 1.0):
        got = outline(x.reshape(1, -1), y.reshape(1, -1), np.array([[v]])).reshape(n, n)
        inside = got < 0
        assert 0.3 < (inside * 1e-4).sum() < 3  # area in squared radii: neither a speck nor a blot
        outer = ndimage.distance_transform_edt(~inside) * 0.01
        if outline.__name__ == "circle" and v:
            continue  # an ellipse: its value is a bound on the distance
        # Judged near the edge, where coverage is decided; a tip thinner than a pixel is missing from the raster.
        error = np.abs(got - outer)[~inside & (outer < 0.1)]
        assert np.quantile(error, 0.97) < 0.012
        assert error.max() < 0.1


def test_with_every_knob_at_zero_a_class_has_one_silhouette():
    images = draw(LABELS, np.random.default_rng(0), Challenges(**NONE)).astype(int)
    background = images[:, :3, :3].mean(axis=(1, 2), keepdims=True)
    contrast = np.abs(images - background).sum(axis=3)
    shapes = contrast > contrast.max(axis=(1, 2), keepdims=True) / 2
    agreement = (shapes[:, None] == shapes[None]).mean(axis=(2, 3))  # (30, 30)
    same = LABELS[:, None] == LABELS[None]
    assert agreement[same].min() > 0.975 > agreement[~same].max()


@pytest.mark.parametrize("knob", KNOBS)
def test_turning_a_knob_changes_the_picture_smoothly(knob):
    at = {v: draw(LABELS, np.random.default_rng(3), Challenges(**NONE | {knob: v})).astype(float) for v in (0, 0.1, 1)}
    little, much = np.abs(at[0.1] - at[0]).mean(), np.abs(at[1] - at[0]).mean()
    assert 0 < little < much


def test_a_knob_leaves_the_rest_of_the_picture_alone():
    """Found in the pixels: occlusion, clutter and context may only touch the part of the picture that is theirs."""
    base = draw(LABELS, np.random.default_rng(3), Challenges(**NONE))
    for knob, share in (("occlusion", 0.5), ("deformation", 0.5), ("intraclass", 0.5)):
        changed = (draw(LABELS, np.random.default_rng(3), Challenges(**NONE | {knob: 1.0})) != base).any(axis=3)
        assert changed.mean() < share
    corner = np.s_[:, :3, :3]  # the object never reaches it when the camera stands still
    for knob in ("deformation", "intraclass"):
        turned = draw(LABELS, np.random.default_rng(3), Challenges(**NONE | {knob: 1.0}))
        np.testing.assert_array_equal(turned[corner], base[corner])
    centre = draw(LABELS, np.random.default_rng(3), Challenges(**NONE | {"clutter": 1.0}))[:, 15:17, 15:17]
    solid = ~np.isin(LABELS, [CLASSES.index("ring"), CLASSES.index("crescent")])
    np.testing.assert_array_equal(centre[solid], base[solid][:, 15:17, 15:17])  # clutter lies behind the object


def test_context_is_the_background_hue_and_only_that():
    """With context 0 the hue of a corner names the class; with context 1 it does not."""
    labels = np.arange(400) % 10

    def hits(context):
        images = draw(labels, np.random.default_rng(0), Challenges(**NONE | {"context": context}))
        corner = images[:, :4, :4].mean(axis=(1, 2))
        r, g, b = corner.T
        hue = np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b) / (2 * np.pi) % 1
        return (np.rint(hue * 10) % 10 == labels).mean()

    assert hits(0.0) > 0.95
    assert hits(1.0) < 0.2


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match=r"Challenges: clutter must be in \[0, 1\], got 1.5; 0 turns"):
        Challenges(clutter=1.5)
    for labels in (np.array([10]), np.array([-1]), np.array([0.5]), np.zeros((2, 2), int)):
        with pytest.raises(ValueError, match="draw: labels must be a 1-D integer array of values 0 to 9, got"):
            draw(labels, np.random.default_rng(0))
    assert draw(np.zeros(0, int), np.random.default_rng(0)).shape == (0, 32, 32, 3)
