"""Stand-ins against finite differences, and carrying forward: whose functions come, and what is said."""

import json

import numpy as np
import pytest

from cs231n_lib import carry, workspace
from cs231n_lib.check import standins
from cs231n_lib.gradient_check import check_gradient


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_affine(rng):
    x, w, b = rng.normal(size=(4, 2, 3)), rng.normal(size=(6, 5)), rng.normal(size=5)
    out, cache = standins.affine_forward(x, w, b)
    np.testing.assert_allclose(out, np.einsum("nd,dm->nm", x.reshape(4, 6), w) + b)
    dout = rng.normal(size=out.shape)
    dx, dw, db = standins.affine_backward(dout, cache)
    check_gradient(lambda v: standins.affine_forward(v, w, b)[0], x, dx, dout)
    check_gradient(lambda v: standins.affine_forward(x, v, b)[0], w, dw, dout)
    check_gradient(lambda v: standins.affine_forward(x, w, v)[0], b, db, dout)


def test_relu_and_softmax_loss(rng):
    x, y = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    out, cache = standins.relu_forward(x)
    np.testing.assert_array_equal(out, np.where(x > 0, x, 0))
    np.testing.assert_array_equal(standins.relu_backward(np.ones_like(x), cache), x > 0)
    _, dscores = standins.softmax_loss(x, y)
    check_gradient(lambda v: standins.softmax_loss(v, y)[0], x, dscores)
    assert standins.softmax_loss(np.zeros((2, 7)), np.array([0, 6]))[0] == pytest.approx(np.log(7))
    assert standins.softmax_loss(np.array([[1000.0, 0.0]]), np.array([1]))[0] == pytest.approx(1000)


def test_batchnorm(rng):
    x, gamma, beta = 3 + 2 * rng.normal(size=(6, 4)), rng.normal(size=4), rng.normal(size=4)
    state = np.zeros(4), np.ones(4)
    out, cache, mean, var = standins.batchnorm_forward(x, gamma, beta, *state, train=True)
    np.testing.assert_allclose((out - beta) / gamma, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5))
    np.testing.assert_allclose(mean, 0.1 * x.mean(0))
    np.testing.assert_allclose(var, 0.9 + 0.1 * x.var(0))
    dout = rng.normal(size=x.shape)
    dx, dgamma, dbeta = standins.batchnorm_backward(dout, cache)
    check_gradient(lambda v: standins.batchnorm_forward(v, gamma, beta, *state, train=True)[0], x, dx, dout, rtol=1e-5)
    np.testing.assert_allclose(dbeta, dout.sum(0))
    np.testing.assert_allclose(dgamma, (dout * (out - beta) / gamma).sum(0))
    test_out, _, same_mean, same_var = standins.batchnorm_forward(x, gamma, beta, mean, var, train=False)
    np.testing.assert_allclose(test_out, gamma * (x - mean) / np.sqrt(var + 1e-5) + beta)
    assert same_mean is mean
    assert same_var is var


def test_convolution_and_pooling(rng):
    x, w, b = rng.normal(size=(2, 3, 5, 7)), rng.normal(size=(4, 3, 3, 1)), rng.normal(size=4)
    out, cache = standins.conv_forward_naive(x, w, b, stride=2, pad=1)
    assert out.shape == (2, 4, 3, 5)
    dout = rng.normal(size=out.shape)
    dx, dw, db = standins.conv_backward_naive(dout, cache)
    check_gradient(lambda v: standins.conv_forward_naive(v, w, b, stride=2, pad=1)[0], x, dx, dout)
    check_gradient(lambda v: standins.conv_forward_naive(x, v, b, stride=2, pad=1)[0], w, dw, dout)
    np.testing.assert_allclose(db, dout.sum((0, 2, 3)))
    pooled, cache = standins.max_pool_forward_naive(x, pool_h=3, pool_w=3, stride=2)
    assert pooled[0, 0, 0, 0] == x[0, 0, :3, :3].max()
    dpool = rng.normal(size=pooled.shape)
    dx = standins.max_pool_backward_naive(dpool, cache)
    check_gradient(lambda v: standins.max_pool_forward_naive(v, pool_h=3, pool_w=3, stride=2)[0], x, dx, dpool)


def test_layer_norm_and_group_norm(rng):
    x, gamma, beta = 3 + 2 * rng.normal(size=(5, 4)), rng.normal(size=4), rng.normal(size=4)
    out, cache = standins.layernorm_forward(x, gamma, beta)
    np.testing.assert_allclose(out, gamma * (x - cache[2]) / np.sqrt(cache[3] + 1e-5) + beta)
    np.testing.assert_allclose(cache[2][:, 0], x.mean(axis=1))
    dout = rng.normal(size=x.shape)
    dx, dgamma, dbeta = standins.layernorm_backward(dout, cache)
    check_gradient(lambda v: standins.layernorm_forward(v, gamma, beta)[0], x, dx, dout, rtol=1e-5)
    check_gradient(lambda v: standins.layernorm_forward(x, v, beta)[0], gamma, dgamma, dout)
    np.testing.assert_allclose(dbeta, dout.sum(axis=0))

    maps, wide = rng.normal(size=(2, 6, 3, 2)), rng.normal(size=(1, 6, 1, 1))
    out, cache = standins.spatial_groupnorm_forward(maps, wide, wide, 3)
    first = maps[0, :2]
    np.testing.assert_allclose(out[0, 1], wide[0, 1] * ((first[1] - first.mean()) / np.sqrt(first.var() + 1e-5) + 1))
    dout = rng.normal(size=maps.shape)
    dx, dgamma, dbeta = standins.spatial_groupnorm_backward(dout, cache)
    assert dgamma.shape == dbeta.shape == (1, 6, 1, 1)
    check_gradient(lambda v: standins.spatial_groupnorm_forward(v, wide, wide, 3)[0], maps, dx, dout, rtol=1e-5)
    with pytest.raises(ValueError, match="groups must divide the 6 channels, got 4"):
        standins.spatial_groupnorm_forward(maps, wide, wide, 4)


def test_spatial_batchnorm_uses_the_batchnorm_that_it_is_given(rng):
    x, ones, state = rng.normal(size=(3, 4, 2, 5)), np.ones(4), (np.zeros(4), np.ones(4))
    out, cache, mean, _ = standins.spatial_batchnorm_forward(
        x, ones, 0 * ones, *state, train=True, batchnorm_forward=standins.batchnorm_forward
    )
    np.testing.assert_allclose(out.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(mean, 0.1 * x.mean(axis=(0, 2, 3)))
    dx, _, dbeta = standins.spatial_batchnorm_backward(x, cache, batchnorm_backward=standins.batchnorm_backward)
    assert dx.shape == x.shape
    np.testing.assert_allclose(dbeta, x.sum(axis=(0, 2, 3)))


def test_dropout(rng):
    x = rng.normal(size=(200, 50))
    out, factors = standins.dropout_forward(x, keep=0.7, train=True, seed=3)
    np.testing.assert_allclose(np.unique(factors), [0, 1 / 0.7])
    assert abs((factors > 0).mean() - 0.7) < 0.03
    np.testing.assert_array_equal(out, x * factors)
    np.testing.assert_array_equal(standins.dropout_forward(x, keep=0.7, train=True, seed=3)[1], factors)
    np.testing.assert_array_equal(standins.dropout_forward(x, keep=0.7, train=False, seed=3)[0], x)
    np.testing.assert_array_equal(standins.dropout_backward(x, factors), x * factors)


def test_convolutions_of_other_kinds(rng):
    row = np.arange(1.0, 7)[None, None]
    out = standins.conv1d_forward(row, np.array([[[1.0, 10, 100]]]), np.zeros(1), dilation=2)
    np.testing.assert_allclose(out, [[[531.0, 642.0]]])
    x, w, b = rng.normal(size=(2, 3, 5, 7)), rng.normal(size=(4, 3, 1, 3)), rng.normal(size=4)
    for stride, pad in ((1, 1), (2, 0)):  # with stride 2 and a height of 1, whole rows of pixels are in no window
        out, cache = standins.conv_forward_columns(x, w, b, stride=stride, pad=pad)
        np.testing.assert_allclose(out, standins.conv_forward_naive(x, w, b, stride=stride, pad=pad)[0])
        dout = rng.normal(size=out.shape)
        wanted = standins.conv_backward_naive(dout, (x, w, b, stride, pad))
        for got, want in zip(standins.conv_backward_columns(dout, cache), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


RIGHT = """
def relu_forward(x):
    return np.maximum(x, 0), x
def relu_backward(dout, cache):
    return dout * (cache > 0)
"""
WRONG = RIGHT.replace("cache > 0", "dout > 0")


@pytest.fixture
def hand_in(tmp_path, monkeypatch):
    """Write an N04 whose answer cell holds `source`, next to where the later notebook runs."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(workspace, "HOME", tmp_path)
    (tmp_path / "a1").mkdir()
    (tmp_path / "a2").mkdir()
    monkeypatch.chdir(tmp_path / "a2")

    def write(source):
        cells = [
            {"cell_type": "code", "source": text, "metadata": {"nbgrader": {"grade_id": name, "grade": False}}}
            for name, text in (("s", "import numpy as np"), ("broken", "1 / 0"), ("q", source))
        ]
        (tmp_path / "a1" / "N04_two_layer_net.ipynb").write_text(json.dumps({"nbformat": 4, "cells": cells}))

    return write


def carried(capsys):
    functions = carry.carry_forward("N04_two_layer_net", ["relu_backward", "relu_forward"])
    return functions, capsys.readouterr().out


def test_own_layers_come_when_they_pass(hand_in, capsys):
    hand_in(RIGHT)
    (backward, forward), said = carried(capsys)
    assert (forward.__module__, backward.__name__) == ("N04_two_layer_net", "relu_backward")
    assert "your own" in said


def test_a_wrong_half_replaces_the_pair_and_says_so(hand_in, capsys):
    hand_in(WRONG)
    (backward, forward), said = carried(capsys)
    assert (forward, backward) == (standins.relu_forward, standins.relu_backward)
    assert "does not pass its check yet" in said


def test_without_the_earlier_notebook_or_under_grading_all_are_standins(hand_in, capsys, monkeypatch):
    assert carried(capsys)[0] == [standins.relu_backward, standins.relu_forward]
    hand_in(RIGHT)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert carried(capsys)[0] == [standins.relu_backward, standins.relu_forward]


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "a1/N04_two_layer_net",
        "a2/N07_normalization",
        "a2/N08_dropout",
        "a2/N09_convolution",
        "a2/N10_convnet",
    ],
)
def test_every_layer_of_an_earlier_notebook_comes_into_a3(source, tmp_path, monkeypatch, capsys):
    import nbformat

    from autograder.source import read_source, to_notebook
    from tests.cells import SOURCE

    folder, notebook = source.split("/")
    exercise_ids = {cell.id for cell in read_source(SOURCE / f"{source}.py") if cell.role == "solution"}
    names = [name for layer in carry.LAYERS.values() for name, exercise in layer.items() if exercise in exercise_ids]
    assert names
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    (tmp_path / folder).mkdir()
    (tmp_path / "a3").mkdir()
    nbformat.write(to_notebook(read_source(SOURCE / f"{source}.py")), tmp_path / folder / f"{notebook}.ipynb")
    monkeypatch.chdir(tmp_path / "a3")
    functions = carry.carry_forward(notebook, names)
    assert {function.__module__ for function in functions} == {notebook}
    assert "a stand-in" not in capsys.readouterr().out


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="carry_forward: names must be among"):
        carry.carry_forward("N04_two_layer_net", ["knn"])
