"""The MLP playground against torch: values, gradients, training step for step; its points, moves and wrong students."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.mlp import MODEL
from cs231n_lib.widgets.mlp_net import (
    POINTS,
    REACH,
    Net,
    cloud,
    current,
    forward,
    loss_and_grads,
    losses,
    shape_of,
    size_of,
    start,
    stream,
    train,
    training_set,
)
from cs231n_lib.widgets.mlp_picture import PLANE, chosen_units, compute, grid, line_of, places, weight_names
from tests.cells import namespace

TORCH = {"ReLU": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "none": lambda z: z}


def nets(count=24):
    rng = np.random.default_rng(0)
    for i in range(count):
        yield Net(
            data=["ring", "XOR", "spiral"][i % 3], classes=int(rng.integers(2, 6)), layers=int(rng.integers(1, 4)),
            width=int(rng.integers(1, 9)), activation=list(TORCH)[i % 4], l2=float(rng.choice([0.0, 0.01, 0.1])),
            batch=int(rng.choice([1, 8, 32, 128])), seed=i % 10,
        )  # fmt: skip


def by_torch(params, x, y, state, masks=None):
    leaves = {k: torch.tensor(w, requires_grad=True) for k, w in params.items()}
    h = torch.tensor(x)
    for i in range(1, state.layers + 2):
        h = h @ leaves[f"W{i}"] + leaves[f"b{i}"]
        if i <= state.layers:
            h = TORCH[state.activation](h)
            h = h * torch.tensor(masks[i - 1]) if masks else h
    loss = torch.nn.functional.cross_entropy(h, torch.tensor(y))
    loss = loss + 0.5 * state.l2 * sum((leaves[f"W{i}"] ** 2).sum() for i in range(1, state.layers + 2))
    loss.backward()
    return loss.item(), {k: leaf.grad.numpy() for k, leaf in leaves.items()}, h.detach().numpy()


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("state", list(nets()), ids=str)
def test_loss_and_gradients_are_torchs(state, dropped):
    rng = np.random.default_rng(1)
    params = {k: w + 0.1 * rng.normal(size=w.shape) for k, w in start(state).items()}
    x, y = training_set(state)
    masks = [(rng.random((len(y), state.width)) < 0.6) / 0.6 for _ in range(state.layers)] if dropped else None
    loss, grads = loss_and_grads(params, x, y, state.activation, state.l2, masks)
    expected, slopes, scores = by_torch(params, x, y, state, masks)
    assert loss == pytest.approx(expected, rel=1e-10)
    assert list(grads) == list(slopes)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, slopes[name], atol=1e-11)
    np.testing.assert_allclose(forward(params, x, state.activation, masks)[-1], scores, atol=1e-11)


@pytest.mark.parametrize("state", list(nets(8)), ids=str)
def test_training_is_torchs_sgd_step_for_step(state):
    state = replace(state, pace=1, rate=0.03)
    x, y = training_set(state)
    params = start(state)
    for step in range(6):
        state = train(state)
        batch = stream(state.seed, "batch", step).permutation(len(y))[: state.batch]
        _, grads, _ = by_torch(params, x[batch], y[batch], state)
        # A state keeps six digits of each weight, so a step starts from those.
        params = {k: np.vectorize(lambda v: float(f"{v:.6g}"))(w - 0.03 * grads[k]) for k, w in params.items()}
        for name, w in current(state)[0].items():
            np.testing.assert_allclose(w, params[name], rtol=1e-5, atol=1e-9)
    assert state.step == 6
    assert [row[0] for row in state.history] == list(range(7))
    assert state.history[-1][1] == pytest.approx(losses(state, current(state)[0])[0], abs=1e-4)


def test_the_same_seed_gives_the_same_losses_and_a_state_goes_on_where_it_was():
    def run(state, ticks):
        widget = Static(MODEL, state, {})
        for _ in range(ticks):
            widget.step()
        return widget

    state = {"data": "spiral", "classes": 3, "width": 8, "dropout": 0.2, "rate": 0.3}
    one, two = run(state, 6), run(state, 6)
    assert one.state.history == two.state.history
    assert one.picture == two.picture
    again = run(one.state.to_json(), 4)
    assert again.state == run(state, 10).state
    assert json.loads(one.state.to_json())["step"] == 120
    assert run({**state, "seed": 1}, 6).state.history != one.state.history
    assert len(run(state, 140).state.history) <= 61


@pytest.mark.parametrize(
    ("data", "classes", "settings", "least"),
    [
        ("ring", 2, {"width": 8}, 0.97), ("XOR", 2, {"width": 8}, 0.97), ("spiral", 3, {"width": 8, "layers": 2}, 0.85),
        ("spiral", 5, {"width": 8, "layers": 3}, 0.85), ("ring", 3, {"width": 8, "layers": 2}, 0.85),
    ],
)  # fmt: skip
def test_it_learns_what_a_linear_net_does_not(data, classes, settings, least):
    state = Net(data=data, classes=classes, rate=0.3, pace=100, **settings)
    plain = replace(state, activation="none", rate=0.1)
    for _ in range(12):
        state, plain = train(state), train(plain)
    assert compute(state, {}).right[0] >= least
    assert compute(plain, {}).right[0] < least - 0.1


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("classes", range(2, 6))
@pytest.mark.parametrize("data", ["ring", "XOR", "spiral"])
def test_points_are_on_the_plane_and_of_every_class_where_they_belong(data, classes, split):
    points, labels = cloud(data, classes, 3, split)
    assert np.bincount(labels).tolist() == [28] * classes
    assert np.abs(points).max() <= REACH
    radius = np.linalg.norm(points, axis=1)
    if data == "ring":
        for k in range(classes - 1):
            assert radius[labels == k].max() < radius[labels == k + 1].min()
    if data == "XOR" and classes == 2:
        np.testing.assert_array_equal(labels, (points[:, 0] * points[:, 1] < 0).astype(int))
    assert not np.array_equal(points, cloud(data, classes, 4, split)[0])


def test_the_bent_grid_and_the_maps_are_the_layers_outputs():
    state = Net(layers=2, width=5, layer=2, across=4, up=2, activation="tanh")
    r = compute(state, {})
    assert chosen_units(state) == (1, 3, 1)
    h = forward(r.params, grid().reshape(-1, 2), "tanh")[2]
    np.testing.assert_array_equal(r.bent.reshape(-1, 2), h[:, [3, 1]])
    np.testing.assert_array_equal(r.moved, forward(r.params, r.points, "tanh")[2][:, [3, 1]])
    straight = compute(replace(state, activation="none"), {}).bent
    np.testing.assert_allclose(np.diff(straight, n=2, axis=1), 0, atol=1e-12)  # without a bend lines stay lines
    np.testing.assert_allclose(r.chances.sum(axis=0), 1)
    assert all(np.abs(m).max() <= 1 for m in r.maps)


def test_dead_units_are_counted_and_grey():
    widget = Static(MODEL, {"width": 3}, {})
    assert "dead" not in widget.status
    state = widget.state
    params = start(state)
    params["b1"][1] = -100.0
    flat = tuple(float(v) for w in params.values() for v in w.ravel())
    dead = Static(MODEL, replace(state, shape=shape_of(state), weights=flat), {})
    assert "1 dead ReLU unit: 0 on every training point" in dead.status
    assert "1 of 3 dead" in dead.picture
    assert 'fill="#999"' in dead.picture
    _, grads = loss_and_grads(params, *training_set(state), "ReLU", 0.0)
    assert not grads["W1"][:, 1].any()  # and so it stays dead
    dead.set("activation", "tanh")
    assert "dead ReLU" not in dead.status


def test_editing_a_weight_changes_that_one_and_no_other():
    widget = Static(MODEL, {"layers": 2}, {})
    before, _ = current(widget.state)
    names = weight_names(widget.state)
    number = names.index((1, 2, 3))
    x1, y1, x2, y2 = line_of(places(widget.state), (1, 2, 3))
    share = 0.22  # where no other line is near
    widget.point(Event("down", x1 + share * (x2 - x1), y1 + share * (y2 - y1)))
    assert names[widget.state.which][0] == 1
    widget.set("which", number)
    widget.set("value", -1.5)
    widget.press("edit")
    after, known = current(widget.state)
    assert known
    assert after["W2"][2, 3] == -1.5
    after["W2"][2, 3] = before["W2"][2, 3]
    for name, w in before.items():
        np.testing.assert_allclose(after[name], w)
    assert "unit 3 of layer 1 to unit 4 of layer 2 = -1.50" in widget.picture
    widget.press("fresh")
    assert widget.state.weights == ()


def test_drawing_with_pointer_and_keys():
    widget = Static(MODEL, {"data": "drawn"}, {})
    assert "No points yet" in widget.status
    before = widget.state
    widget.step()
    assert widget.state == before
    widget.point(Event("down", PLANE.x(1.0), PLANE.y(-2.0)))
    assert widget.state.points == ((1.0, -2.0, 0),)
    for key in ("2", "ArrowLeft", "ArrowUp", "Enter"):
        widget.point(Event("key", key=key))
    assert widget.state.points[1] == (0.75, -1.75, 1)
    widget.step()
    assert widget.state.step == 20
    assert widget.problem == ""
    widget.point(Event("key", key="Backspace"))
    assert len(widget.state.points) == 1
    for _ in range(POINTS + 5):
        widget.press("add")
    assert len(widget.state.points) == POINTS
    spots = places(widget.state)
    widget.point(Event("down", *spots[1][2]))
    widget.point(Event("down", *spots[1][3], shift=True))
    assert (widget.state.across, widget.state.up) == (3, 4)


def test_too_high_a_rate_is_named_and_keeps_what_was():
    widget = Static(MODEL, {"activation": "none", "layers": 3, "width": 8, "rate": 3.0, "data": "spiral"}, {})
    for _ in range(20):
        widget.step()
    assert "lower the learning rate (3)" in widget.problem
    assert np.isfinite(widget.state.weights).all()
    assert "nan" not in re.sub('base64,[^"]*', "", widget.picture)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"points": ((0.0, 9.0, 1),)}, "points must be"),
        ({"points": ((0.0, 1.0, 7),)}, "points must be"),
        ({"points": ((1.0,),)}, "points must be"),
        ({"weights": (1.0, 2.0), "shape": (2, 4, 2)}, "shape must fit the 2 weights"),
        ({"weights": ("a",)}, "weights must be numbers"),
        ({"weights": (float("nan"),)}, "weights must be numbers"),
        ({"history": ((1, 2),)}, "history must be rows"),
        ({"step": -1}, "step must be 0 or more"),
        ({"x": 7.0}, "x, y on the plane"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_in_one_sentence(settings, words):
    with pytest.raises(ValueError, match=words) as caught:
        widgets.mlp_playground(state=settings)
    assert "\n" not in str(caught.value)


def test_the_largest_picture_is_small_enough():
    rng = np.random.default_rng(0)
    points = tuple(
        (round(float(x), 2), round(float(y), 2), i % 5) for i, (x, y) in enumerate(rng.uniform(-3, 3, (POINTS, 2)))
    )
    state = Net(data="spiral", classes=5, layers=3, width=8, test=True, points=points, activation="tanh")
    widget = Static(MODEL, state, {})
    for _ in range(65):
        widget.step()
    assert len(widget.picture.encode()) <= 50_000
    assert size_of(shape_of(state)) == len(widget.state.weights) == 213


@pytest.fixture(scope="module")
def answer():
    two_layers = namespace("a1/N04_two_layer_net.py", "setup", "solution")["TwoLayerNet"]

    def loss(params, X, y, reg):
        net = two_layers(input_dim=2, hidden_dim=params["W1"].shape[1], num_classes=len(params["b2"]), reg=reg)
        net.params = params
        return net.loss(X, y)

    return loss


def test_the_notebooks_net_agrees_while_it_is_trained(answer):
    widget = widgets.mlp_playground(answer)
    for field, value in (("classes", 5), ("width", 8), ("l2", 0.1), ("data", "spiral")):
        widget.set(field, value)
        widget.step()
        assert "Your function agrees." in widget.status, widget.problem
    widget.set("activation", "tanh")
    assert "agrees" not in widget.status  # the notebook's net is ReLU: it is not asked
    widget.close()


def test_wrong_functions_are_told_how(answer):
    def no_reg(params, X, y, reg):
        loss, grads = answer(params, X, y, reg)
        return loss, {k: g - reg * params[k] if k[0] == "W" else g for k, g in grads.items()}

    def summed(params, X, y, reg):
        loss, grads = answer(params, X, y, reg)
        return loss * len(y), grads

    def flat(params, X, y, reg):
        loss, grads = answer(params, X, y, reg)
        return loss, {k: g.ravel() for k, g in grads.items()}

    def short(params, X, y, reg):
        loss, grads = answer(params, X, y, reg)
        return loss, {"W1": grads["W1"]}

    def only(params, X, y, reg):
        return answer(params, X, y, reg)[0]

    state = {"l2": 0.1}
    for wrong, words in (
        (no_reg, "no_reg: your gradient of W1[0, 0] is"), (summed, "summed: your loss is"),
        (flat, "the gradient of W1 must have shape (2, 4), got (8,)"), (short, "'b1' is missing"),
        (only, "must return (loss, grads) with grads a dict, got float"),
    ):  # fmt: skip
        widget = widgets.mlp_playground(wrong, state=state)
        assert words in widget.problem
        assert ("✗</text>" in widget.picture) == (wrong is no_reg)
        widget.step()
        assert widget.state.step == 20  # the widget trains on
        widget.close()
