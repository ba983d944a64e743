"""The gradient checker is itself checked: against derivatives worked by hand and SciPy's own finite differences."""

import sys

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from cs231n_lib.gradient_check import (
    GradientError,
    check_gradient,
    loss_of_parameter,
    numerical_gradient,
    relative_error,
    sample_indices,
    slopes_and_kinks,
)


def rng():
    return np.random.default_rng(0)


def smooth(x):
    return (np.sin(x) * x**2).sum()


def smooth_gradient(x):
    return np.cos(x) * x**2 + 2 * x * np.sin(x)


def relu(x):
    return np.maximum(x, 0).sum()


# numerical_gradient


def test_scalar_function_matches_the_derivative_worked_by_hand_and_scipy():
    x = rng().normal(size=(3, 5))
    got = numerical_gradient(smooth, x)
    np.testing.assert_allclose(got, smooth_gradient(x), rtol=1e-8, atol=1e-9)
    theirs = approx_fprime(x.ravel(), lambda v: smooth(v.reshape(3, 5)))
    np.testing.assert_allclose(got.ravel(), theirs, rtol=1e-5, atol=1e-6)  # forward differences: good to sqrt(eps)


def test_array_function_is_weighted_by_dout():
    x, w, dout = rng().normal(size=(4, 3)), rng().normal(size=(3, 6)), rng().normal(size=(4, 6))
    np.testing.assert_allclose(numerical_gradient(lambda v: v @ w, x, dout), dout @ w.T, rtol=1e-9, atol=1e-9)


def test_chosen_indices_give_the_same_slopes_as_all_of_them():
    x = rng().normal(size=(4, 3))
    indices = sample_indices(x.shape, 5, rng=rng())
    assert indices == sample_indices(x.shape, 5, rng=rng())  # the seed decides
    assert len(set(indices)) == 5
    everything = numerical_gradient(smooth, x)
    np.testing.assert_array_equal(numerical_gradient(smooth, x, indices=indices), [everything[i] for i in indices])


def test_pixel_sized_inputs_keep_their_precision():
    x = np.array([0.0, 200.0, 1e6])
    np.testing.assert_allclose(numerical_gradient(lambda v: v**2, x, np.ones(3)), 2 * x, rtol=1e-9, atol=1e-9)


def test_zero_dimensional_and_empty_inputs():
    assert numerical_gradient(lambda v: v**3, np.float64(2.0)) == pytest.approx(12.0)
    assert numerical_gradient(lambda v: v.sum(), np.zeros((0, 3))).shape == (0, 3)


def test_stanford_defect_integer_input_is_refused_not_silently_wrong():
    with pytest.raises(TypeError, match=r"x must be a float array, got int64; pass x\.astype\(np\.float64\)"):
        numerical_gradient(lambda v: (v**2).sum(), np.array([0, 5, 15]))


def test_stanford_defect_float32_input_is_measured_in_float64():
    x = rng().normal(size=(3, 4)).astype(np.float32)
    got = numerical_gradient(smooth, x)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, smooth_gradient(x.astype(np.float64)), rtol=1e-8, atol=1e-9)


def test_a_function_that_falls_back_to_float32_is_refused():
    with pytest.raises(TypeError, match="f must compute in float64, got float32"):
        numerical_gradient(lambda v: v.astype(np.float32).sum(), np.ones(3))


def test_the_callers_array_is_never_touched_even_by_a_function_that_writes_into_its_argument():
    def vandal(v):
        v *= 2
        return v.sum()

    x = rng().normal(size=(3, 4))
    kept = x.copy()
    np.testing.assert_allclose(numerical_gradient(vandal, x), 2.0, rtol=1e-8)
    np.testing.assert_array_equal(x, kept)


def test_stanford_defect_the_callers_array_survives_a_function_that_raises():
    calls = []

    def fails_later(v):
        calls.append(v)
        if len(calls) == 4:
            raise RuntimeError("boom")
        return v.sum()

    x = np.ones(3)
    with pytest.raises(RuntimeError, match="boom"):
        numerical_gradient(fails_later, x)
    np.testing.assert_array_equal(x, np.ones(3))
    assert all(v is not x for v in calls)


def test_a_random_function_is_refused():
    noise = rng()
    with pytest.raises(ValueError, match="f must repeat itself"):
        numerical_gradient(lambda v: (v * noise.normal(size=3)).sum(), np.ones(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: numerical_gradient(lambda v: v * 2, np.ones(3)),
            r"dout must be of shape \(3,\) like f\(x\), got None",
        ),
        (
            lambda: numerical_gradient(lambda v: v * 2, np.ones(3), np.ones(2)),
            r"dout must be of shape \(3,\).*got \(2,\)",
        ),
        (lambda: numerical_gradient(smooth, np.ones(3), h=0), "h must be positive, got 0"),
        (lambda: numerical_gradient(lambda v: np.log(v).sum() * np.nan, np.ones(3)), "f must be finite"),
        (lambda: sample_indices((3,), 2, rng=None), "rng must be a Generator, got None"),
        (lambda: sample_indices((3,), 0, rng=rng()), "num_samples must be at least 1, got 0"),
        (lambda: check_gradient(smooth, np.zeros((0, 2)), np.zeros((0, 2))), "x must hold at least one number"),
        (lambda: relative_error(np.ones(2), np.ones(3)), r"expected must be of shape \(2,\)"),
    ],
)
def test_errors_name_the_argument_and_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Kinks


def test_a_kink_exactly_at_x_and_one_hidden_within_a_step_are_found():
    h = 1e-5
    offsets = np.array([0.0, h / 100, -h / 100, 1.0, -1.0])
    _, kinks = slopes_and_kinks(relu, offsets)
    assert kinks.tolist() == [True, True, True, False, False]


def test_beside_a_kink_the_true_slope_is_measured_at_a_smaller_step():
    h = 1e-5
    near = np.array([h / 3, h / 2, 0.9 * h, -h / 3, -h / 2, -0.9 * h])
    slopes, kinks = slopes_and_kinks(relu, near)
    assert not kinks.any()
    np.testing.assert_allclose(slopes, [1, 1, 1, 0, 0, 0], atol=1e-6)


def test_curvature_is_not_a_kink_even_at_the_bottom_of_a_steep_parabola():
    x = np.array([0.0, 1e-7, 2.0])
    slopes, kinks = slopes_and_kinks(lambda v: 1e4 * (v**2).sum() + (v**4).sum(), x)
    assert not kinks.any()
    np.testing.assert_allclose(slopes, 2e4 * x + 4 * x**3, rtol=1e-6, atol=1e-6)


def test_one_weak_kink_among_many_samples_is_found():
    x, w = rng().uniform(1, 2, size=(500, 1)), np.array([[1.0]])
    shift = x[7, 0]  # one of 500 samples sits on its kink
    _, kinks = slopes_and_kinks(lambda v: np.maximum(x @ v - shift, 0).mean(), w)
    assert kinks.tolist() == [True]


def test_a_kink_is_reported_and_not_counted_as_an_error():
    x = np.array([1.0, 0.0, -2.0])
    result = check_gradient(relu, x, np.array([1.0, 0.0, 0.0]))  # relu'(0) = 0 by convention; its central slope is 1/2
    assert result.kinks == ((1,),)
    assert result.num_checked == 2
    assert result.max_relative_error < 1e-8


def test_a_gradient_that_lies_only_on_kinks_is_not_passed():
    with pytest.raises(GradientError, match="cannot be judged, all its positions lie on kinks"):
        check_gradient(relu, np.zeros(3), np.zeros(3))


def test_a_tie_in_a_max_is_a_kink():
    result = check_gradient(lambda v: v.max(), np.array([3.0, 3.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    assert result.kinks == ((0,), (1,))


# check_gradient


def test_a_right_gradient_passes_and_returns_what_was_seen(capsys):
    x = rng().normal(size=(3, 4))
    result = check_gradient(smooth, x, smooth_gradient(x), name="dw")
    assert (result.name, result.num_checked, result.kinks) == ("dw", 12, ())
    assert result.max_relative_error < 1e-7
    assert capsys.readouterr() == ("", "")  # Stanford's floods the notebook


def test_stanford_defect_a_wrong_gradient_fails_with_name_index_got_expected_and_error():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    analytic = 2 * x
    analytic[1, 0] *= 2
    with pytest.raises(GradientError, match=r"dw\[1, 0\] must be 6(\.0+)?\d*, got 12 \(relative error 0\.5; 1 of 4"):
        check_gradient(lambda v: (v**2).sum(), x, analytic, name="dw")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_fails(bad):
    with pytest.raises(GradientError, match=r"dx\[0\]"):
        check_gradient(lambda v: (v**2).sum(), np.ones(2), np.array([bad, 2.0]))


def test_shape_and_missing_return_value_fail_by_shape():
    with pytest.raises(GradientError, match=r"dw must be of shape \(2, 3\) like its argument, got \(3, 2\)"):
        check_gradient(smooth, np.ones((2, 3)), np.ones((3, 2)), name="dw")
    with pytest.raises(GradientError, match=r"got \(\)"):
        check_gradient(smooth, np.ones((2, 3)), None)


def test_a_function_that_ignores_its_argument_is_named():
    with pytest.raises(GradientError, match="does it use its argument"):
        check_gradient(lambda v: 3.0, np.ones(2), np.ones(2))


def test_sampling_finds_a_gradient_wrong_everywhere_and_needs_a_seed():
    x = rng().normal(size=(20, 20))
    with pytest.raises(GradientError, match="5 of 5"):
        check_gradient(smooth, x, -smooth_gradient(x), num_samples=5, rng=rng())
    with pytest.raises(ValueError, match="rng must be a Generator"):
        check_gradient(smooth, x, smooth_gradient(x), num_samples=5)


def test_stanford_defect_zero_over_zero_is_zero():
    np.testing.assert_array_equal(relative_error([0.0, 1.0, 0.0], [0.0, 2.0, 1.0]), [0.0, 0.5, 1.0])
    assert relative_error(np.nan, 1.0) == np.inf
    assert relative_error(1e308, -1e308) == 2.0
    assert check_gradient(lambda v: 0.0 * v.sum(), np.ones(2), np.zeros(2)).max_relative_error == 0.0


def test_relative_error_is_symmetric_and_scale_free():
    a, b = rng().normal(size=50), rng().normal(size=50)
    np.testing.assert_allclose(relative_error(a, b), relative_error(b, a))
    np.testing.assert_allclose(relative_error(a * 1e-200, b * 1e-200), relative_error(a, b))


# loss_of_parameter


class Quadratic:
    def __init__(self):
        self.params = {"W": np.array([1.0, -2.0]), "b": np.array([3.0])}

    def loss(self, X, y):
        if not np.isfinite(self.params["W"]).all() or X is None:
            raise RuntimeError("boom")
        return (self.params["W"] ** 2).sum() * X + self.params["b"][0] * y, {}


def test_loss_of_parameter_gives_each_parameters_gradient_and_puts_the_parameter_back():
    model = Quadratic()
    kept = model.params["W"]
    assert check_gradient(loss_of_parameter(model, "W", 3.0, 5.0), kept, 6 * kept).num_checked == 2
    np.testing.assert_allclose(numerical_gradient(loss_of_parameter(model, "b", 3.0, 5.0), model.params["b"]), [5.0])
    assert model.params["W"] is kept
    with pytest.raises(RuntimeError, match="boom"):
        loss_of_parameter(model, "W", None, None)(np.zeros(2))
    assert model.params["W"] is kept


def test_importing_loads_neither_torch_nor_matplotlib():
    import subprocess

    code = "import sys, cs231n_lib.gradient_check; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
