"""The health check against torch's autograd, by hand where the answer is known, and batch norms that are wrong."""

import numpy as np
import pytest

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.health import LEFT, MODEL
from cs231n_lib.widgets.health_net import EPSILON, LEAK, MOST, Health, compute, first_params, learned, task

torch = pytest.importorskip("torch")

BEND = {
    "ReLU": torch.relu, "leaky": lambda z: torch.nn.functional.leaky_relu(z, LEAK), "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}  # fmt: skip


def torchs(state):
    """Return torch's outputs, gradients at them, and loss after the state's steps of SGD."""
    x, y = task(state)
    x, y = torch.tensor(x), torch.tensor(y)
    params = [torch.tensor(p, requires_grad=True) for pair in first_params(state) for p in pair]
    optimizer = torch.optim.SGD(params, lr=state.rate)
    for step in range(state.steps + 1):
        a, outputs = x, []
        for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            z = a @ w
            if state.norm == "batch":
                z = torch.nn.functional.batch_norm(z, None, None, training=True, eps=EPSILON)
            elif state.norm == "layer":
                z = torch.nn.functional.layer_norm(z, z.shape[1:], eps=EPSILON)
            a = BEND[state.activation](z + b)
            a.retain_grad()
            outputs.append(a)
        loss = torch.nn.functional.cross_entropy(a @ params[-2] + params[-1], y)
        optimizer.zero_grad()
        loss.backward()
        if step < state.steps:
            optimizer.step()
    return [a.detach().numpy() for a in outputs], [a.grad.numpy() for a in outputs], loss.item()


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", BEND)
def test_activations_gradients_and_learning_are_torchs(activation, norm):
    state = Health(activation=activation, norm=norm, layers=4, width=16, batch=8, bias=0.25, rate=0.3, steps=3, seed=2)
    r = compute(state, {})
    outputs, upstream, loss = torchs(state)
    np.testing.assert_allclose(r.outputs, outputs, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(r.upstream, upstream, rtol=1e-7, atol=1e-11)
    assert r.loss == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(r.spread, [a.std() for a in outputs])
    np.testing.assert_allclose(r.pull, [8 * np.sqrt(np.mean(g**2)) for g in upstream])


def test_small_weights_shrink_each_layer_by_the_factor_of_the_answer_and_batch_norm_evens_it_out():
    small = compute(Health(weights="std 0.01", layers=10), {})
    factor = (small.spread[9] / small.spread[1]) ** (1 / 8)
    assert factor == pytest.approx(0.01 * np.sqrt(64 / 2), rel=0.15)
    assert small.pull[0] < 1e-9 * small.pull[-1]
    even = compute(Health(weights="std 0.01", layers=10, norm="batch"), {})
    assert even.spread.max() / even.spread.min() < 2
    assert even.pull.max() / even.pull.min() < 10
    assert "fading" in MODEL.describe(small)
    assert "fading" not in MODEL.describe(even)
    big = compute(Health(weights="std 0.3", layers=10), {})
    assert "growing" in MODEL.describe(big)


def test_dead_units_are_those_that_are_zero_everywhere_and_their_weights_never_move():
    state = Health(bias=-1.0, layers=2, batch=8, steps=MOST, rate=1.0)
    start = learned(Health(bias=-1.0, layers=2, batch=8, rate=1.0))[0]
    r, (params, _) = compute(state, {}), learned(state)
    at_first = compute(Health(bias=-1.0, layers=2, batch=8), {})
    for a, dead in zip(r.outputs, r.dead, strict=True):
        np.testing.assert_array_equal(dead, (a == 0).all(axis=0))
    dead = at_first.dead[0]
    assert 0 < dead.sum() < 64
    np.testing.assert_array_equal(params[0][0][:, dead], start[0][0][:, dead])
    assert not np.array_equal(params[0][0], start[0][0])
    assert (r.dead[0] & dead == dead).all()  # a first layer sees the same inputs for ever
    assert not compute(Health(activation="leaky", bias=-3.0), {}).dead[0].any()


def test_a_saturated_tanh_counts_as_dead():
    r = compute(Health(activation="tanh", weights="std 0.01", bias=3.0), {})
    assert all(dead.all() for dead in r.dead)  # 1 - tanh(3)**2 = 0.0099
    assert not any(dead.any() for dead in compute(Health(activation="tanh", weights="std 0.01"), {}).dead)


def test_numbers_that_left_the_range_of_floats_are_neither_dead_nor_agreed_on():
    widget = Static(
        MODEL, {"weights": "std 0.3", "layers": 5, "bias": -1.0, "rate": 3.0, "steps": 8}, {"batchnorm": mine}
    )
    assert "the learning rate is too high" in widget.status
    assert "Dead units: 0 of" in widget.status
    assert "agrees" not in widget.status
    assert widget.picture.count(">nan<") > 10


def test_learning_lowers_the_loss_and_too_high_a_rate_is_named():
    r = compute(Health(steps=MOST, norm="batch", rate=1.0), {})
    assert r.loss < 0.5 * r.first_loss
    widget = Static(MODEL, {"rate": 10.0, "weights": "std 0.3", "layers": 10}, {})
    for _ in range(MOST + 2):
        widget.step()
    assert widget.state.steps == MOST
    assert not widget.problem
    assert "the learning rate is too high" in widget.status


def mine(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5, ddof=0, axis=0):
    if not train:
        return (x - running_mean) / np.sqrt(running_var + eps), None, running_mean, running_var
    mean, var = x.mean(axis=axis, keepdims=True), x.var(axis=axis, ddof=ddof, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, None, running_mean, running_var


def test_a_right_batch_norm_agrees_whatever_the_net():
    widget = widgets.health_check(mine)
    for field, value in (("weights", "std 0.01"), ("norm", "batch"), ("batch", 2), ("layers", 10), ("steps", 3)):
        widget.set(field, value)
        assert widget.problem == ""
        assert "Your batch norm agrees in every layer." in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda *a, train: mine(*a, train=train, ddof=1), "the variance is divided by N - 1"),
        (lambda *a, train: mine(*a, train=train, axis=1), "each row was normalized, not each column"),
        (lambda *a, train: mine(*a, train=False), "the running statistics were used although train is True"),
        (lambda *a, train: mine(*a, train=train, eps=1e-1), "differs at layer 1 (✗)"),
        (lambda *a: mine(*a, train=True), "raised TypeError"),
        (lambda *a, train: a[0][:1], "must return shape (64, 64), got (1, 64)"),
    ],
    ids=["ddof", "axis", "running", "eps", "train not taken", "shape"],
)
def test_a_wrong_batch_norm_is_told_how_and_its_layers_are_marked(wrong, words):
    widget = widgets.health_check(wrong)
    assert words in widget.problem
    assert widget.picture.count("✗") == (8 if "raised" not in words and "must" not in words else 0)
    widget.close()


def test_a_click_chooses_the_layer_and_keys_learn():
    widget = Static(MODEL, None, {})
    widget.point(Event("down", LEFT + 692 * 2.5 / 8, 80))
    assert widget.state.look == 3
    assert "Layer 3: units" in widget.picture
    widget.point(Event("key", key="ArrowLeft"))
    widget.point(Event("key", key="Enter"))
    assert (widget.state.look, widget.state.steps) == (2, 1)
    widget.press("forget")
    assert widget.state.steps == 0
