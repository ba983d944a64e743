"""Figures are examined as data (what lies on their axes), as pixels where it matters, and for what they import."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix as reference_confusion

from cs231n_lib import visualize

NAMES = ["plane", "car", "bird", "cat"]


def rng():
    return np.random.default_rng(0)


def history():
    return SimpleNamespace(
        loss=[3.0, 2.0, 1.5, 1.0], train_accuracy=[0.1, 0.4, 0.6], val_accuracy=[0.1, 0.3, 0.5], evaluated_at=[0, 2, 4]
    )


def three_points():
    return np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0, 1, 2, 3])


def nearest(points):
    X, y = three_points()
    return y[((points[:, None] - X) ** 2).sum(axis=-1).argmin(axis=1)]


DRAW = {
    "image_grid": lambda: visualize.image_grid(rng().random((5, 8, 8, 3)), captions=list("abcde")),
    "class_templates": lambda: visualize.class_templates(rng().normal(size=(3072, 4)), class_names=NAMES),
    "filter_bank": lambda: visualize.filter_bank(rng().normal(size=(7, 3, 5, 3))),
    "plot_history": lambda: visualize.plot_history(history()),
    "k_accuracy": lambda: visualize.k_accuracy({1: [0.2, 0.3], 10: [0.3, 0.4]}),
    "confusion_matrix": lambda: visualize.confusion_matrix(np.arange(4), np.arange(4), class_names=NAMES),
    "decision_regions": lambda: visualize.decision_regions(nearest, *three_points(), class_names=NAMES, resolution=20),
    "embedding": lambda: visualize.embedding(rng().normal(size=(9, 5)), np.arange(9) % 4, class_names=NAMES),
    "distance_matrix": lambda: visualize.distance_matrix(rng().random((5, 9))),
}


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.filterwarnings("error")
def test_every_figure_is_returned_titled_labelled_opaque_and_draws_without_a_warning(name):
    figure = DRAW[name]()
    assert isinstance(figure, Figure)
    assert figure.get_suptitle()
    assert figure.get_facecolor()[3] == 1  # legible on a dark theme: the panel comes with the figure
    for ax in figure.axes:
        if ax.axison and not hasattr(ax, "_colorbar"):
            assert ax.get_xlabel()
            assert ax.get_ylabel()
    assert figure._repr_png_().startswith(b"\x89PNG")  # what a notebook shows, without pyplot


def test_every_drawing_function_is_covered():
    assert set(DRAW) == set(visualize.__all__) - {"OKABE_ITO", "to_unit"}


def test_importing_loads_no_matplotlib_and_drawing_no_pyplot():
    code = """
import sys
import numpy as np
from cs231n_lib import visualize
assert "matplotlib" not in sys.modules and "torch" not in sys.modules
visualize.distance_matrix(np.ones((2, 3)))._repr_png_()
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_no_function_writes_into_its_arguments():
    images, filters = rng().random((4, 6, 6)), rng().normal(size=(4, 1, 3, 3))
    kept = images.copy(), filters.copy()
    visualize.image_grid(images)
    visualize.filter_bank(filters)
    np.testing.assert_array_equal(images, kept[0])
    np.testing.assert_array_equal(filters, kept[1])


# Images


@pytest.mark.filterwarnings("error")
def test_stanford_defect_a_dead_filter_does_not_divide_by_zero():
    filters = rng().normal(size=(3, 3, 5, 5))
    filters[1] = 0.7
    filters[2, 0] = 0.0  # one dead channel beside live ones
    canvas = visualize.filter_bank(filters, columns=3).axes[0].images[0].get_array()
    assert np.isfinite(canvas).all()
    np.testing.assert_array_equal(canvas[:5, 6:11], 0.5)  # one pixel between filters of width 5


def test_to_unit_stretches_each_image_by_its_own_range():
    images = np.array([[0.0, 1.0], [-4.0, 4.0], [7.0, 7.0]])
    np.testing.assert_array_equal(visualize.to_unit(images), [[0, 1], [0, 1], [0.5, 0.5]])
    assert visualize.to_unit(np.zeros((0, 2))).shape == (0, 2)


def test_image_grid_puts_every_pixel_in_its_place():
    images = rng().integers(0, 256, size=(3, 4, 2, 3), dtype=np.uint8)
    canvas = visualize.image_grid(images, columns=2).axes[0].images[0].get_array()
    np.testing.assert_allclose(canvas[:4, :2], images[0] / 255)
    np.testing.assert_allclose(canvas[:4, 3:5], images[1] / 255)
    np.testing.assert_allclose(canvas[5:9, :2], images[2] / 255)


def test_class_templates_undo_the_flattening_of_the_images():
    images = rng().random((2, 4, 5, 3))
    weights = images.reshape(2, -1).T
    figure = visualize.class_templates(weights, class_names=["a", "b"], image_shape=(4, 5, 3))
    canvas = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(canvas[:4, :5], visualize.to_unit(images)[0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b"]


# Curves


def test_plot_history_draws_the_numbers_it_is_given():
    left, right = visualize.plot_history(history()).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [[1, 3], [2, 2], [3, 1.5], [4, 1]])
    np.testing.assert_allclose(right.lines[0].get_xydata(), [[0, 10], [2, 40], [4, 60]])
    np.testing.assert_allclose(right.lines[1].get_xydata(), [[0, 10], [2, 30], [4, 50]])


def test_the_mean_curve_does_not_lag_behind_the_losses():
    line = SimpleNamespace(loss=list(range(100)), train_accuracy=[0.0], val_accuracy=[0.0], evaluated_at=[0])
    mean = visualize.plot_history(line).axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(mean[:, 1], mean[:, 0] - 1)  # the loss at step s is s - 1


def test_k_accuracy_shows_each_fold_and_mean_and_deviation():
    ax = visualize.k_accuracy({10: [0.5, 0.7], 1: [0.2, 0.4]}).axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "10"]
    folds = np.concatenate([points.get_offsets() for points in ax.collections if len(points.get_offsets()) > 0])
    np.testing.assert_allclose(folds[:4], [[0, 20], [0, 40], [1, 50], [1, 70]])
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata().astype(float), [30, 60])
    bars = ax.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(bars, [[[0, 20], [0, 40]], [[1, 50], [1, 70]]])  # one standard deviation of two folds


# Classifiers


def test_confusion_matrix_matches_sklearn():
    y, predicted = rng().integers(4, size=200), rng().integers(4, size=200)[::-1]
    ax = visualize.confusion_matrix(y, predicted, class_names=NAMES).axes[0]
    expected = reference_confusion(y, predicted)
    written = np.array([int(text.get_text()) for text in ax.texts]).reshape(4, 4)
    np.testing.assert_array_equal(written, expected)
    share = 100 * expected / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ax.images[0].get_array(), share)


@pytest.mark.filterwarnings("error")
def test_confusion_matrix_of_a_class_without_examples():
    ax = visualize.confusion_matrix(np.array([0, 0]), np.array([0, 3]), class_names=NAMES).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array()[1], 0)


def test_decision_regions_ask_the_classifier_about_the_place_they_draw():
    X, y = three_points()
    ax = visualize.decision_regions(nearest, X, y, class_names=NAMES, resolution=30).axes[0]
    region, (left, right, bottom, top) = ax.images[0].get_array(), ax.images[0].get_extent()
    assert ax.images[0].origin == "lower"
    assert left < 0 < 1 < right
    assert bottom < 0 < 1 < top
    assert (region[0, 0], region[0, -1], region[-1, 0], region[-1, -1]) == (0, 1, 2, 3)


def test_embedding_matches_sklearn_pca_up_to_sign():
    points = rng().normal(size=(40, 6)) * [5, 3, 1, 1, 1, 1]
    y = np.arange(40) % 4
    ax = visualize.embedding(points, y, class_names=NAMES).axes[0]
    reference = PCA(2).fit(points)
    expected = reference.transform(points)
    for c in range(4):
        np.testing.assert_allclose(abs(ax.collections[c].get_offsets()), abs(expected[y == c]), atol=1e-9)
    assert f"({100 * reference.explained_variance_ratio_[0]:.0f} % of the variance)" in ax.get_xlabel()


def test_embedding_in_two_dimensions_is_left_as_it_is():
    points = rng().normal(size=(8, 2))
    ax = visualize.embedding(points, np.arange(8) % 4, class_names=NAMES).axes[0]
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), points[[0, 4]])


def test_ten_classes_have_ten_different_pairs_of_colour_and_marker():
    from cs231n_lib.visualize.palette import colour, marker

    assert len({(colour(c), marker(c)) for c in range(10)}) == 10
    assert len(set(visualize.OKABE_ITO)) == 8


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: visualize.image_grid(np.ones((2, 3))), r"image_grid: images must be of shape .* got \(2, 3\)"),
        (lambda: visualize.image_grid(np.zeros((0, 2, 2))), r"got \(0, 2, 2, 1\)"),
        (
            lambda: visualize.image_grid(np.full((1, 2, 2), 7.0)),
            r"float in 0\.\.1, got float64 in 7\.\.7; stretch them",
        ),
        (lambda: visualize.image_grid(np.ones((1, 2, 2), dtype=int)), r"must be uint8 or float in 0\.\.1, got int64"),
        (
            lambda: visualize.image_grid(np.ones((2, 2, 2)), captions=["a"]),
            "captions must be one per image, got 1 for 2",
        ),
        (lambda: visualize.filter_bank(np.full((1, 3, 2, 2), np.nan)), "to_unit: images must be finite"),
        (lambda: visualize.filter_bank(np.ones((8, 16, 3, 3))), r"got \(8, 16, 3, 3\); for a deeper layer"),
        (
            lambda: visualize.class_templates(np.ones((3073, 4)), class_names=NAMES),
            r"weights must be of shape \(3072, 4\) .* got \(3073, 4\); leave out a bias row",
        ),
        (lambda: visualize.k_accuracy({}), "accuracies must be"),
        (
            lambda: visualize.confusion_matrix(np.array([0, 4]), np.array([0, 1]), class_names=NAMES),
            r"confusion_matrix: y must be integers \(N,\) in 0\.\.3, got int64 of shape \(2,\) in 0\.\.4",
        ),
        (
            lambda: visualize.confusion_matrix(np.array([0, 1]), np.array([0]), class_names=NAMES),
            r"predicted must be of shape \(2,\) like y, got \(1,\)",
        ),
        (
            lambda: visualize.decision_regions(nearest, np.ones((4, 3)), np.arange(4), class_names=NAMES),
            r"X must be of shape \(4, 2\), one point per label, got \(4, 3\)",
        ),
        (
            lambda: visualize.decision_regions(lambda p: p, *three_points(), class_names=NAMES),
            r"predict\(points\) must be integers \(N,\)",
        ),
        (
            lambda: visualize.embedding(np.ones((3, 1)), np.zeros(3, dtype=int), class_names=NAMES),
            r"points must be of shape .* got \(3, 1\)",
        ),
        (lambda: visualize.distance_matrix(np.ones(3)), r"distances must be a finite matrix .* got \(3,\)"),
    ],
)
def test_errors_name_the_argument_and_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
