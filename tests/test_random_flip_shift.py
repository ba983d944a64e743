"""Every image that `random_flip_shift` of N10 gives back is a flip or a shift of the one that went in."""

import numpy as np

from tests.cells import namespace

random_flip_shift = namespace("a2/N10_convnet.py", "setup")["random_flip_shift"]


def variants(image: np.ndarray, most: int) -> list[np.ndarray]:
    """Return all flips and shifts by up to `most` pixels of one image (C, H, W), zeros coming in."""
    _, h, w = image.shape
    found = []
    for turned in (image, image[:, :, ::-1]):
        for down in range(-most, most + 1):
            for right in range(-most, most + 1):
                moved = np.zeros_like(image)
                for i, j in np.ndindex(h, w):
                    if 0 <= i - down < h and 0 <= j - right < w:
                        moved[:, i, j] = turned[:, i - down, j - right]
                found.append(moved)
    return found


def test_every_image_is_a_flip_or_shift_of_its_own_and_each_of_them_comes_up():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 2, 6, 5))
    before = images.copy()
    seen: list[set[int]] = [set(), set(), set()]
    choices = [variants(image, 1) for image in images]
    for _ in range(200):
        out = random_flip_shift(images, 1, rng=rng)
        assert out.shape == images.shape
        for i, image in enumerate(out):
            which = [k for k, choice in enumerate(choices[i]) if np.array_equal(choice, image)]
            assert which
            seen[i].update(which)
    assert all(len(found) == 2 * 3 * 3 for found in seen)
    np.testing.assert_array_equal(images, before)


def test_without_shifts_it_only_flips():
    images = np.random.default_rng(1).normal(size=(40, 3, 4, 4)).astype(np.float32)
    out = random_flip_shift(images, 0, rng=np.random.default_rng(2))
    assert out.dtype == np.float32
    flipped = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(out, images, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(out, images, strict=True)]
    assert all(f or k for f, k in zip(flipped, kept, strict=True))
    assert 5 < sum(flipped) < 35
