"""The notebooks' own functions in the widgets: the course's answers agree, also the slow loops."""

import numpy as np
import pytest

from cs231n_lib import widgets
from cs231n_lib.widgets.lift_space import CENTRES
from tests.cells import namespace
from tests.work import lines_of

MOST_LINES = 800_000  # of Python in one move, a student's naive loops and a first use included: some 0.3 s


@pytest.fixture(scope="module")
def answers():
    found = {}
    first = ("a1/N01_knn.py", "a1/N02_softmax.py", "a1/N03_gradient_lab.py", "a1/N04_two_layer_net.py")
    for notebook in (
        *first,
        "a1/N05_features.py",
        "a2/N06_deep_nets.py",
        "a2/N07_normalization.py",
        "a2/N09_convolution.py",
        "a3/N12_challenge.py",
    ):
        found |= namespace(notebook, "setup", "solution")
    return found


@pytest.mark.parametrize("distances", ["compute_distances_two_loops", "compute_distances_no_loops"])
def test_knn(answers, distances):
    def mine(X, X_train, y, k):
        return answers["predict_labels"](answers[distances](X, X_train), y, k=k)

    widget = widgets.knn_explorer(mine)
    for field, value in (("k", 4), ("classes", 5), ("angle", 45), ("per_class", 24)):
        assert lines_of(widget.set, field, value) < MOST_LINES
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_convolution(answers):
    widget = widgets.conv_explorer(answers["conv_forward_naive"])
    # With stride 3 and then 4 the windows do not fit, which the notebook's function refuses.
    for field, value in (
        ("stride", 3),
        ("pad", 1),
        ("stride", 4),
        ("stride", 1),
        ("kernel", 5),
        ("size", 32),
        ("channels", 16),
    ):
        assert lines_of(widget.set, field, value) < MOST_LINES
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_softmax_with_weights(answers):
    loss = answers["softmax_loss_vectorized"]
    widget = widgets.softmax_calculator(lambda scores, y: loss(scores, np.eye(len(scores)), y, 0.0))
    for field, value in (("cat", -12.5), ("shift", 1000), ("temperature", 0.1)):
        widget.set(field, value)
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_softmax(answers):
    widget = widgets.softmax_calculator(answers["softmax_loss"])
    for field, value in (("cat", -12.5), ("shift", 1000), ("temperature", 0.1)):
        widget.set(field, value)
        assert "Your function agrees." in widget.status, widget.problem
    assert np.isfinite(widget.model.compute(widget.state, {}).cross_entropy)
    widget.close()


@pytest.mark.parametrize(("rule", "watch"), [("sgd_momentum", "momentum"), ("rmsprop", "RMSprop"), ("adam", "Adam")])
def test_optimizer_race(answers, rule, watch):
    widget = widgets.optimizer_race(answers[rule], state={"watch": watch})
    for field, value in (("steps", 200), ("surface", "Rosenbrock"), ("noise", 0.5), ("decay", 0.99), ("beta1", 0.5)):
        assert lines_of(widget.set, field, value) < MOST_LINES
        assert "Your rule agrees" in widget.status, widget.problem
    widget.close()


def test_health_check(answers):
    widget = widgets.health_check(answers["batchnorm_forward"])
    for field, value in (("norm", "batch"), ("layers", 10), ("weights", "std 0.01"), ("steps", 5), ("batch", 2)):
        assert lines_of(widget.set, field, value) < MOST_LINES
        assert "Your batch norm agrees in every layer." in widget.status, widget.problem
    widget.close()


def test_linear(answers):
    widget = widgets.linear_views(answers["predict"])
    for field, value in (("x2", 3), ("pixel", 4), ("dog_bias", -300.0), ("view", "photo"), ("image", 4)):
        if field == "dog_bias":
            widget.set("pick", "dog")
        widget.set(field, value)
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


@pytest.mark.parametrize("case", ["quadrants", "ring", "modes"])
def test_lifts(answers, case):
    def mine(X):
        return answers["lift_modes"](X, CENTRES) if case == "modes" else answers[f"lift_{case}"](X)

    widget = widgets.hard_cases(mine, state={"case": case, "features": "yours"})
    assert "Your features: 100 %." in widget.status, widget.problem
    widget.close()


def test_fairness(answers):
    widget = widgets.fairness_audit(answers["group_accuracy_gap"], answers["wilson_interval"])
    for field, value in (("classifier", "IBM"), ("lean", -100), ("lean", 35), ("n1", 100_000), ("t12", -0.35)):
        assert lines_of(widget.set, field, value) < MOST_LINES
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_backprop(answers):
    widget = widgets.backprop_explorer(answers["backward"], state={"expression": "(x + y) * max(y, z)"})
    for field, value in (("quiz", True), ("expression", "2 * (x*y + max(z, w))"), ("step", 5)):
        widget.set(field, value)
        assert widget.model.compute(widget.state, widget.data).yours
        assert not widget.problem
    widget.close()


def test_gradient_debugger_on_a_layer(answers):
    rng = np.random.default_rng(1)
    x, w, b, dout = (rng.normal(size=shape) for shape in ((4, 2, 3), (6, 5), (5,), (4, 5)))
    forward, backward = answers["affine_forward"], answers["affine_backward"]
    widget = widgets.gradient_debugger(
        lambda v: (dout * forward(x, v, b)[0]).sum(), lambda v: backward(dout, forward(x, v, b)[1])[1], w
    )
    assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_mlp_playground_on_a_net_of_one_hidden_layer(answers):
    def mine(params, X, y, reg):
        hidden, classes = params["W1"].shape[1], len(params["b2"])
        net = answers["TwoLayerNet"](input_dim=2, hidden_dim=hidden, num_classes=classes, reg=reg)
        net.params = params
        return net.loss(X, y)

    widget = widgets.mlp_playground(mine)
    for field, value in (("data", "spiral"), ("classes", 4), ("width", 8), ("l2", 0.01)):
        widget.set(field, value)
        assert widget.model.compute(widget.state, widget.data).asked
        assert not widget.problem
    widget.set("layers", 2)
    assert "'W3' is missing: your net has fewer layers than this one" in widget.problem
    widget.close()


def test_features(answers):
    names = ("hog_feature", "hue_histogram", "build_codebook", "encode_bovw")
    widget = widgets.feature_explorer(*(answers[name] for name in names))
    for field, value in (("change", "none"), ("cell", 16), ("orientations", 4), ("bins", 24), ("words", 2)):
        assert lines_of(widget.set, field, value) < MOST_LINES
        assert widget.model.compute(widget.state, widget.data).asked == 4
        assert not widget.problem
    widget.close()


@pytest.mark.parametrize(("rule", "name"), [("sgd_momentum", "momentum"), ("adam", "Adam"), ("adadelta", "Adadelta")])
def test_live_trainer(answers, rule, name):
    widget = widgets.live_trainer(answers[rule], state={"rule": name})
    widget.step()
    assert widget.state.steps > 0
    assert not widget.problem
    assert f"Your update moves as {name} does." in widget.status, widget.status
    widget.close()
