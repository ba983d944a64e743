"""The gradient debugger against torch's autograd, SciPy's differences, and students who are wrong in known ways."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.gradient_map import BUGS, Case, compute, example
from cs231n_lib.widgets.gradients import MODEL, PANES, TOP, band, cell_size
from tests.cells import namespace

EXAMPLES = ("tanh layer", "leaky kinks", "fourth powers")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_gradients_are_torchs(name, seed):
    state = Case(example=name, rows=3 + seed, columns=7 - seed, seed=seed)
    x, _, right = example(state)
    noise = torch.tensor(np.random.default_rng(seed).normal(size=(3, 8, 8)))
    w = torch.tensor(x, requires_grad=True)
    match name:
        case "tanh layer":
            f = ((torch.tanh(noise[1, :, : state.rows] @ w) - noise[2, :, : state.columns]) ** 2).sum() / 8
        case "leaky kinks":
            f = (noise[1, : state.rows, : state.columns] * torch.nn.functional.leaky_relu(w, 0.1)).sum()
        case _:
            f = (w**4).sum() / 4
    f.backward()
    np.testing.assert_allclose(right, w.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_measured_slopes_are_scipys_and_the_true_gradient_is_passed():
    state = Case()
    x, f, _ = example(state)
    r = compute(state, {})
    expected = approx_fprime(x.ravel(), lambda v: f(v.reshape(x.shape)), 1e-7).reshape(x.shape)
    np.testing.assert_allclose(r.numeric, expected, rtol=1e-4, atol=1e-6)
    assert not r.wrong.any()
    assert r.error.max() < 1e-7
    assert r.diagnosis == "right at every entry"


def test_the_error_falls_with_the_step_squared_and_then_rises():
    r = compute(Case(example="fourth powers"), {})
    x = r.x[r.at]
    # (f(x+h) - f(x-h)) / 2h of x^4/4 is x^3 + x h^2 exactly, by the binomial formula.
    for exponent in (-1, -2, -3):
        expected = 10.0 ** (2 * exponent) / (x * x + 10.0 ** (2 * exponent))
        assert r.curve[exponent] == pytest.approx(expected, rel=1e-3)
    assert r.curve[0] > 1e-5 > r.curve[8]
    coarse = compute(Case(example="fourth powers", exponent=-1), {})
    assert not coarse.wrong.any()
    assert "it is the step that is bad" in Static(MODEL, coarse.state, {}).status


@pytest.mark.parametrize(
    ("bug", "words", "count"),
    [
        ("none", "right at every entry", 0), ("transposed", "its transpose is right", 0),
        ("sign", "24 of 24 entries are wrong; the sign is turned", 24),
        ("1/N forgotten", "24 of 24 entries are wrong; 8 times the slope", 24),
        ("last row lost", "6 of 24 entries are wrong, all in row 3", 6),
        ("one entry", "1 of 24 entries is wrong: that one only", 1), ("nan", "1 of them nan or inf", 1),
    ],
)  # fmt: skip
def test_each_bug_is_seen_and_named(bug, words, count):
    r = compute(Case(bug=bug), {})
    assert bug in BUGS
    assert words in r.diagnosis
    assert r.wrong.sum() == count
    assert r.problem == ""  # planted by us: nothing of the student's is wrong


def test_worst_entry_and_shape_difference_are_shown():
    widget = Static(MODEL, {"bug": "one entry"}, {})
    assert "Worst entry [2, 3]" in widget.status
    widget.press("worst")
    assert (widget.state.row, widget.state.column) == (2, 3)
    turned = Static(MODEL, {"bug": "transposed"}, {})
    assert "shape 6 × 4  ✗ not that of x" in turned.picture
    square = compute(Case(bug="transposed", rows=5, columns=5), {})
    assert "its transpose is right" in square.diagnosis
    assert square.wrong.any()


def test_a_kink_is_not_judged_and_one_beside_the_step_is():
    r = compute(Case(example="leaky kinks"), {})
    assert [tuple(int(i) for i in k) for k in np.argwhere(r.kinks)] == [(0, 1)]
    assert not r.wrong.any()
    assert r.error[1, 0] > 0.1  # 3e-6 from the kink, seen with a step of 1e-5
    assert "1 entry lies on a kink" in r.diagnosis
    assert ">kink<" in Static(MODEL, r.state, {}).picture


def test_float32_keeps_fewer_digits():
    double, single = compute(Case(), {}), compute(Case(precision="float32"), {})
    assert np.median(single.error) > 1e3 * np.median(double.error)
    assert single.diagnosis == double.diagnosis


def test_the_words_of_the_lecture_notes():
    assert [band(e) for e in (0.5, 1e-3, 1e-6, 1e-9)] == [
        "wrong", "suspicious", "fine at a kink, else look again", "right",
    ]  # fmt: skip


def test_click_and_keys_choose_an_entry():
    widget, cell = Static(MODEL, None, {}), cell_size((4, 6))
    widget.point(Event("down", PANES[1] + 2.5 * cell, TOP + 1.5 * cell))
    assert (widget.state.row, widget.state.column) == (1, 2)
    widget.point(Event("key", key="ArrowDown"))
    assert (widget.state.row, widget.state.column) == (2, 2)
    widget.point(Event("down", PANES[1] + 5, TOP + 5 * cell))  # below the matrix
    assert (widget.state.row, widget.state.column) == (2, 2)


def test_a_students_pair_is_compared_at_their_own_x():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    widget = widgets.gradient_debugger(lambda v: float((v**3).sum()), lambda v: 3 * v**2, x)
    assert widget.problem == ""
    assert "Your function agrees." in widget.status
    widget.set("row", 5)
    widget.set("column", 2)
    assert "x[1, 2, 2]" in widget.picture
    assert widget.code() == "widgets.gradient_debugger(f=f, gradient=gradient, x=x, state={'row': 5, 'column': 2})"
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda v: 2 * v**2, "0.6667 times the slope"),
        (lambda v: 3 * v.T**2, "its transpose is right"),
        (lambda v: (3 * v**2).sum(axis=0), "a gradient has the shape of its x"),
        (lambda v: 3 * v**2 + 0.5, "all too large by 0.5"),
        (lambda v: 0 * v, "the gradient is 0 everywhere"),
        (lambda v: float("nan"), "a gradient has the shape of its x"),
        (lambda v: np.zeros((0, 4)), "must be of shape (3, 4) like x, got (0, 4)"),
        (lambda v: np.zeros((100, 100)), "must be of shape (3, 4) like x, got (100, 100)"),
    ],
)  # fmt: skip
def test_a_wrong_gradient_is_told_how(wrong, words):
    x = np.random.default_rng(0).normal(size=(3, 4))
    widget = widgets.gradient_debugger(lambda v: (v**3).sum(), wrong, x)
    assert words in widget.problem
    assert "agrees" not in widget.status
    widget.close()


def test_a_function_that_cannot_be_measured_is_said_so_and_the_example_is_drawn():
    noise = np.random.default_rng(0)
    for f, words in (
        (lambda v: v, "must return shape (), got (4, 6)"),
        (lambda v: noise.normal(), "must repeat itself"),
        (lambda v: np.float32(v.sum()), "must compute in float64"),
        (lambda v: np.inf, "must be finite"),
    ):
        widget = widgets.gradient_debugger(f)
        assert words in widget.problem
        assert widget.picture == Static(MODEL, None, {}).picture
        widget.close()


@pytest.mark.parametrize("x", [np.arange(4), np.zeros((0, 3)), np.zeros((50, 5)), np.zeros(41)], ids=str)
def test_an_x_that_cannot_be_drawn_is_refused(x):
    with pytest.raises(ValueError, match=r"^gradient_debugger: x must be a float array of 1 to 400 numbers"):
        widgets.gradient_debugger(x=x)


def test_a_float32_gradient_is_given_its_rounding():
    x = np.random.default_rng(0).normal(size=(3, 4))
    r = compute(Case(), {"f": lambda v: (v**3).sum(), "gradient": lambda v: (3 * v**2).astype(np.float32), "x": x})
    assert not r.wrong.any()
    assert dataclasses.asdict(r)["problem"] == ""


def test_the_notebooks_own_layers_pass():
    names = namespace("a1/N04_two_layer_net.py", "setup", "solution")
    rng = np.random.default_rng(0)
    x, w, b, dout = rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=5), rng.normal(size=(3, 5))

    def f(v):
        return (dout * names["affine_forward"](x, v, b)[0]).sum()

    widget = widgets.gradient_debugger(
        f, lambda v: names["affine_backward"](dout, names["affine_forward"](x, v, b)[1])[1], w
    )
    assert widget.problem == ""
    assert "Your function agrees." in widget.status
    widget.close()
    turned = widgets.gradient_debugger(
        f, lambda v: names["affine_backward"](dout, names["affine_forward"](x, v, b)[1])[1].T, w
    )
    assert "shape (5, 4) where x has (4, 5); its transpose is right" in turned.problem
    turned.close()
    scores, y = rng.normal(size=(6, 3)), np.array([0, 2, 1, 1, 0, 2])
    loss = widgets.gradient_debugger(
        lambda s: names["softmax_loss"](s, y)[0], lambda s: 6 * names["softmax_loss"](s, y)[1], scores
    )
    assert "6 times the slope" in loss.problem
    loss.close()


def test_what_only_examples_have_is_not_shown_beside_a_students_own_case():
    widget = widgets.gradient_debugger(lambda v: (v**3).sum(), lambda v: 3 * v**2, np.linspace(1, 2, 6).reshape(2, 3))
    fields = [control.field for control in widget.model.controls]
    assert fields == ["exponent", "precision", "row", "column", "worst"]
    assert len(widget.model.challenge) == 3
    for field, value in (("exponent", -3), ("precision", "float32"), ("row", 1), ("column", 2)):
        before = widget.picture
        widget.set(field, value)
        assert widget.picture != before
        assert not widget.problem
    assert widget.code().startswith("widgets.gradient_debugger(f=f")
    widget.close()


def test_a_right_gradient_looks_worst_in_float32_as_the_questions_say():
    rng = np.random.default_rng(1)
    x, w, dout = (rng.normal(size=shape) for shape in ((4, 6), (6, 5), (4, 5)))
    widget = widgets.gradient_debugger(lambda v: (dout * np.tanh(x @ v)).sum(),
                                       lambda v: x.T @ (dout * (1 - np.tanh(x @ v) ** 2)), w)  # fmt: skip
    widget.set("precision", "float32")
    errors = {}
    for exponent in range(-6, 0):
        widget.set("exponent", exponent)
        errors[exponent] = float(np.median(widget.model.compute(widget.state, widget.data).error))
    assert min(errors, key=errors.get) in (-3, -2)
    assert 1e-6 < min(errors.values()) < 1e-4
    assert 3e-4 < errors[-5] < 3e-3
    widget.close()
