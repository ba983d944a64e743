"""The linear classifier's views against W @ x + b, reshaped rows, torch's linear layer and the geometry of a line."""

import numpy as np
import pytest
import torch

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.linear import MODEL, compute
from cs231n_lib.widgets.linear_photo import classifier
from cs231n_lib.widgets.linear_picture import GRID_X, GRID_Y, PHOTO_X, PHOTO_Y, PLANE, TILES_X, TILES_Y
from cs231n_lib.widgets.linear_scores import NAMES, Views, plane_images, table


def test_the_notes_example():
    r = compute(Views(), {})
    assert r.scores == pytest.approx([-96.8, 437.9, 60.75])
    picture = Static(MODEL, None, {}).picture
    for told in ("-96.80", "437.90", "60.75", "0.2·56 + (-0.5)·231 + 0.1·24 + 2·2 + 1.1 = -96.80"):
        assert told in picture


@pytest.mark.parametrize("seed", range(4))
def test_scores_against_torch(seed):
    rng = np.random.default_rng(seed)
    settings = {f"{name}{i}": float(rng.normal()) for name in NAMES for i in range(1, 5)}
    settings |= {f"{name}_bias": float(rng.normal()) for name in NAMES}
    settings |= {f"x{i}": int(rng.integers(256)) for i in range(1, 5)}
    state = Views(pixel=seed + 1, **settings)
    r = compute(state, {})
    layer = torch.nn.Linear(4, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(r.W))
        layer.bias.copy_(torch.tensor(r.b))
        np.testing.assert_allclose(r.scores, layer(torch.tensor(r.x)).numpy(), rtol=1e-12)
        cells = r.regions.shape[0]
        images = torch.tensor(plane_images(r.x, r.across, r.up, cells))
        assert (r.regions.ravel() == layer(images).argmax(dim=1).numpy()).all()


def test_the_plane_holds_the_other_pixels_still():
    images = plane_images(np.array([1.0, 2.0, 3.0, 4.0]), 2, 3, 5)
    assert np.all(images[:, :2] == [1, 2])
    assert images[0, 2] < images[1, 2]  # to the right pixel 3 grows
    assert images[0, 3] > images[-1, 3]  # upwards pixel 4 grows


@pytest.mark.parametrize("line", [(1, 2, -100), (0, 3, 60), (-2, 0, 90), (0, 0, 5), (1, 1, -5000)])
def test_a_class_scores_0_on_its_line(line):
    a, b, c = line
    ends = PLANE.line_ends(a, b, c)
    for u, v in ends:
        assert a * u + b * v + c == pytest.approx(0, abs=1e-9)
        assert max(abs(u - 127.5), abs(v - 127.5)) == pytest.approx(207.5)  # on the frame
    assert bool(ends) == (line not in [(0, 0, 5), (1, 1, -5000)])


def test_one_weight_glows_in_all_three_views():
    plain = Static(MODEL, {"pick": "dog", "pixel": 3}, {})
    moved = Static(MODEL, {"pick": "dog", "pixel": 3, "dog3": -4.5}, {})
    assert moved.picture.count(">-4.5<") == 2  # the matrix and the template
    assert "(-4.5)·24" in moved.picture
    assert plain.picture.count('stroke-dasharray="5 2"') == 5  # W, x, template, image, and the plane's axis
    assert ">pixel 3<" in moved.picture


def test_a_dragged_line_passes_through_the_pointer_by_its_bias_alone():
    widget = Static(MODEL, None, {})
    (u, v), _ = PLANE.line_ends(0.2, -0.5, 0.1 * 24 + 2 * 2 + 1.1)
    before = table(widget.state)
    widget.point(Event("down", PLANE.x(u + 90), PLANE.y(v + 0.4 * 90)))
    assert widget.state.held == 0
    widget.point(Event("drag", PLANE.x(100), PLANE.y(200)))
    widget.point(Event("up"))
    W, x, b = table(widget.state)
    np.testing.assert_array_equal(W, before[0])
    np.testing.assert_array_equal(x, before[1])
    assert b[0] == pytest.approx(-(0.2 * 100 - 0.5 * 200 + 0.1 * 24 + 2 * 2), abs=0.06)
    assert b[1:].tolist() == before[2][1:].tolist()
    assert widget.state.held == -1


def test_the_image_is_dragged_and_weights_are_clicked():
    widget = Static(MODEL, None, {})
    widget.point(Event("down", PLANE.x(180), PLANE.y(240)))
    widget.point(Event("drag", PLANE.x(300), PLANE.y(-50)))
    assert (widget.state.x1, widget.state.x2) == (255, 0)  # pixels stay pixels
    widget.point(Event("up"))
    widget.point(Event("down", GRID_X + 54 * 3 + 5, GRID_Y + 30 * 2 + 5))
    assert (widget.state.pick, widget.state.pixel) == ("ship", 4)
    widget.point(Event("down", TILES_X[2] + 50, TILES_Y + 5))
    assert (widget.state.pick, widget.state.pixel) == ("dog", 2)
    widget.point(Event("key", key="ArrowUp"))
    assert widget.state.x3 == 29  # the plane of pixels 2 and 3
    assert not widget.problem


def test_photographs_templates_are_reshaped_rows():
    state = Views(view="photo", template=3, image=2)
    r = compute(state, {})
    W, mean = classifier(0)
    np.testing.assert_array_equal(r.templates[3].ravel(), W[:-1, 3])
    row = np.append((r.image / 255.0 - mean).ravel(), 1)
    np.testing.assert_allclose(r.scores, row @ W, rtol=1e-9, atol=1e-9)
    assert (r.templates[3] * r.x).sum() + r.biases[3] == pytest.approx(r.scores[3])
    side = r.regions.shape[0]
    middle = r.regions[side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1]
    assert r.three[np.bincount(middle.ravel()).argmax()] == max(r.three, key=lambda k: r.scores[k])


def test_the_drawn_classifier_is_the_nearest_mean():
    W, mean = classifier(1)
    means = W[:-1].T
    rows = np.random.default_rng(0).uniform(0, 1, size=(30, 3072)) - mean.ravel()
    near = ((rows[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (np.hstack([rows, np.ones((30, 1))]) @ W).argmax(axis=1).tolist() == near.tolist()


def test_about_half_of_the_winners_sum_is_background_as_the_third_answer_says():
    rows, columns = np.mgrid[:32, :32] - 15.5
    shares = []
    for image in range(10):
        r = compute(Views(view="photo", image=image), {})
        products = (r.templates[int(r.scores.argmax())] * r.x).sum(axis=2)
        shares.append(products[np.hypot(rows, columns) > 11].sum() / products.sum())
    assert 0.4 < np.median(shares) < 0.7


def test_own_weights_and_images():
    rng = np.random.default_rng(0)
    W, images = rng.normal(size=(3073, 3)), rng.integers(0, 256, size=(4, 32, 32, 3)).astype(np.uint8)
    data = {"W": W, "images": images, "class_names": ("a", "b", "c"), "mean_image": np.full((32, 32, 3), 0.5)}
    r = compute(Views(view="photo", image=7, template=8), data)
    np.testing.assert_array_equal(r.image, images[3])
    np.testing.assert_allclose(r.scores, np.append((images[3] / 255 - 0.5).ravel(), 1) @ W)
    assert r.names[r.pick] == "c"
    assert (
        len(
            Static(
                MODEL, {"view": "photo"}, {**data, "W": rng.normal(size=(3073, 10)), "class_names": "abcdefghij"}
            ).picture
        )
        < 50_000
    )
    two = {"W": W[:, :2], "class_names": ("a", "b")}
    assert Static(MODEL, {"view": "photo"}, two).problem == ""
    widget = Static(MODEL, {"view": "photo"}, {})
    widget.point(Event("down", PHOTO_X[1] + 112 * 5.5 / 32, PHOTO_Y + 112 * 20.5 / 32))
    assert (widget.state.row, widget.state.column) == (20, 5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"W": np.ones((10, 3072))}, r"W must be finite, of shape \(3073, C\) .*, got \(10, 3072\)"),
        ({"W": np.full((3073, 10), np.nan)}, "W must be finite"),
        ({"W": np.ones((3073, 4))}, "class_names must be 4 names"),
        ({"images": np.ones((2, 32, 32, 3))}, "images must be uint8 .*, got float64"),
        ({"mean_image": np.ones(3072)}, r"mean_image must have shape \(32, 32, 3\), got \(3072,\)"),
    ],
)
def test_what_does_not_fit_is_told(given, words, monkeypatch):
    with pytest.raises(ValueError, match=f"linear_views: {words}"):
        widgets.linear_views(**given)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert "linear_views: " in widgets.linear_views(**given).problem


def right(W, X):
    return np.argmax(X @ W, axis=1)


def test_a_right_function_agrees_at_every_move():
    widget = widgets.linear_views(right)
    moves = (
        ("pixel", 4),
        ("x2", 3),
        ("cat2", 1.5),
        ("pick", "dog"),
        ("dog_bias", -300.0),
        ("view", "photo"),
        ("image", 4),
    )
    for field, value in moves:
        widget.set(field, value)
        assert widget.problem == ""
        assert "Your function agrees." in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda W, X: np.argmin(X @ W, axis=1), "your label at the image is 0, expected 1"),
        (lambda W, X: np.argmax(X[:, :-1] @ W[:-1], axis=1), "differ (marked ✗)"),
        (lambda W, X: np.argmax(X @ W, axis=0), "must return shape (197,), got (3,)"),
        (lambda W, X: X @ W.T, "raised ValueError"),
    ],
    ids=["argmin", "no bias", "axis 0", "transposed"],
)
def test_a_wrong_function_is_told_how(wrong, words):
    widget = widgets.linear_views(wrong, state={"cat_bias": 1500.0} if "marked" in words else None)
    assert words in widget.problem
    assert ("✗" in widget.picture) == ("marked" in words or "image is" in words)
    widget.close()
