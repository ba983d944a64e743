"""The saliency widget against torch, finite differences, SciPy, nets that read one place only, and shuffled weights."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from cs231n_lib import widgets
from cs231n_lib.shapes10 import VERSION, draw
from cs231n_lib.widgets import saliency_net
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.saliency import GRID, MODEL, SURVIVES, Look, compute
from cs231n_lib.widgets.saliency_net import (
    CHANNELS,
    FIELD,
    JUMP,
    METHODS,
    MILD,
    SHOWN,
    STRIDES,
    Trace,
    backward,
    bank,
    enlarge,
    forward,
    maps,
    occlusion,
    params_of,
    rank_correlation,
    score_gradient,
    strongest,
    to_input,
    trained,
)

torch = pytest.importorskip("torch")


class Torchs(torch.nn.Module):
    """The same net in torch."""

    def __init__(self, params):
        super().__init__()
        self.p = [torch.tensor(p) for p in params]

    def forward(self, x, *, relu=torch.relu):
        a, self.outputs = (x - 0.5) / 0.25, []
        for i, stride in enumerate(STRIDES):
            w = self.p[2 * i]
            a = relu(torch.nn.functional.conv2d(a, w, self.p[2 * i + 1], stride=stride, padding=w.shape[-1] // 2))
            a.retain_grad()
            self.outputs.append(a)
        return a.mean(dim=(2, 3)) @ self.p[6].T + self.p[7]


class Guided(torch.autograd.Function):
    """A ReLU that lets only positive gradients back, where it let the signal through."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, dout):
        (x,) = ctx.saved_tensors
        return dout.clamp(min=0) * (x > 0)


def image(i):
    return to_input(bank()[0][i : i + 1])


@pytest.mark.parametrize("weights", ["trained", "top random", "all random"])
@pytest.mark.parametrize("guided", [False, True])
def test_scores_activations_and_gradients_are_torchs(weights, guided):
    params = params_of(weights)
    for i, target in ((0, 3), (5, 8)):
        x = torch.tensor(image(i), requires_grad=True)
        net = Torchs(params)
        scores = net(x, relu=Guided.apply if guided else torch.relu)
        scores[0, target].backward()
        trace = forward(params, image(i))
        np.testing.assert_allclose(trace.scores, scores.detach().numpy(), rtol=1e-4, atol=1e-4)
        for ours, torchs in zip(trace.outputs, net.outputs, strict=True):
            np.testing.assert_allclose(ours, torchs.detach().numpy(), rtol=1e-4, atol=1e-4)
        ours = backward(params, trace, score_gradient(params, trace, target), guided=guided)
        np.testing.assert_allclose(ours, x.grad.numpy(), rtol=1e-3, atol=1e-4 * float(x.grad.abs().max()))
        dx = x.grad.numpy()[0]
        signed, absolute = maps(weights, i, target)["guided" if guided else "gradient"]
        np.testing.assert_allclose(signed, dx.sum(axis=0), atol=1e-3 * np.abs(dx).max())
        np.testing.assert_allclose(absolute, np.abs(dx).max(axis=0), atol=1e-3 * np.abs(dx).max())
        last, grad = net.outputs[-1].detach().numpy()[0], net.outputs[-1].grad.numpy()[0]
        cam = (grad.sum(axis=(1, 2))[:, None, None] * last).sum(axis=0)
        np.testing.assert_allclose(maps(weights, i, target)["Grad-CAM"][0], enlarge(cam), rtol=1e-3, atol=1e-4)


def test_the_gradient_is_the_finite_difference():
    params = tuple(p.astype(np.float64) for p in trained())
    x, rng = image(2).astype(np.float64), np.random.default_rng(0)
    trace = forward(params, x)
    dx = backward(params, trace, score_gradient(params, trace, 4))
    for _ in range(12):
        at = (0, *(int(rng.integers(n)) for n in x.shape[1:]))
        step = np.zeros_like(x)
        step[at] = 1e-6
        slope = (forward(params, x + step).scores[0, 4] - forward(params, x - step).scores[0, 4]) / 2e-6
        assert dx[at] == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_one_unit_sees_its_field_and_nothing_else(layer):
    params, x = trained(), image(1)
    trace = forward(params, x)
    alive = Trace(trace.inputs, [np.ones_like(a) for a in trace.outputs], trace.scores)
    dout = np.zeros_like(trace.outputs[layer])
    row = column = dout.shape[2] // 2
    dout[0, 3, row, column] = 1
    seen = np.abs(backward(params, alive, dout, layer=layer)[0]).sum(axis=0) > 0
    top = row * JUMP[layer] - FIELD[layer] // 2
    box = np.zeros_like(seen)
    box[top : top + FIELD[layer], top : top + FIELD[layer]] = True
    np.testing.assert_array_equal(seen, box)


def test_a_net_that_reads_only_the_centre_has_an_empty_border():
    def centre(x):
        return np.stack([x[:, :, 14:18, 14:18].sum(axis=(1, 2, 3))] * 10, axis=1)

    found = occlusion(centre, image(0)[0], 2)
    assert found[:6].any() == found[:, :6].any() == found[-6:].any() == found[:, -6:].any() == False  # noqa: E712
    assert np.abs(found[14:18, 14:18]).min() > 0
    assert not occlusion(lambda x: np.ones((len(x), 10)), image(0)[0], 2).any()


def test_the_strongest_patches_excite_the_channel_as_much_as_they_did():
    params = trained()
    for layer in range(3):
        channel = 4
        patches, values = strongest("trained", layer, channel)
        assert len(patches) == 9
        assert values == sorted(values, reverse=True)
        whole = forward(params, to_input(bank()[0])).outputs[layer][:, channel].max(axis=(1, 2))
        np.testing.assert_allclose(values, np.sort(whole)[::-1][:9], rtol=2e-3)


def test_a_patch_is_what_the_unit_saw():
    params, images = trained(), bank()[0]
    patches, values = strongest("trained", 0, 8)
    inside = 0
    for patch, value in zip(patches, values, strict=True):
        if any((window == patch).all() for image in images for window in _windows(image)):
            by_hand = ((to_input(patch[None])[0] - 0.5) / 0.25 * params[0][8]).sum() + params[1][8]
            assert by_hand == pytest.approx(value, rel=5e-3)
            inside += 1
    assert inside >= 3  # the others lie at the edge, where the net saw its zero border


def _windows(image):
    views = np.lib.stride_tricks.sliding_window_view(image, (5, 5), axis=(0, 1))  # (28, 28, 3, 5, 5)
    return views.transpose(0, 1, 3, 4, 2).reshape(-1, 5, 5, 3)


def test_ranks_are_scipys():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 9, size=(2, 8, 8)).astype(float)
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, np.zeros((8, 8))) == 0


def test_shuffled_weights_change_the_maps_and_expose_guided_backpropagation():
    kept = {method: [] for method in METHODS}
    for i in range(SHOWN):
        r = compute(Look(image=i, target="heart"), {})
        for method in METHODS:
            top, every = r.kept[method]
            kept[method].append((top, every))
            mine, other = (maps(w, i, r.target)[method][1] for w in ("trained", "top random"))
            assert top == pytest.approx(spearmanr(mine.ravel(), other.ravel()).statistic if np.ptp(other) else 0)
    means = {method: np.mean(pairs, axis=0) for method, pairs in kept.items()}
    assert means["guided"][0] > SURVIVES  # the finding of the sanity checks
    assert all(means[m][0] < SURVIVES for m in METHODS if m != "guided")
    assert all(means[m][1] < SURVIVES for m in METHODS)
    for weights in ("top random", "all random"):
        np.testing.assert_array_equal(np.sort(params_of(weights)[6], None), np.sort(trained()[6], None))
    np.testing.assert_array_equal(params_of("top random")[2], trained()[2])


def test_the_stored_net_is_as_good_as_it_says():
    labels = np.arange(400) % 10
    images = draw(labels, np.random.default_rng(777), MILD)
    assert np.mean(forward(trained(), to_input(images)).scores.argmax(axis=1) == labels) > 0.88
    assert sum(p.size for p in trained()) == 10_802
    with np.load(Path(saliency_net.__file__).with_name("saliency_net.npz")) as stored:
        assert stored["version"] == VERSION  # otherwise: python benchmarks/saliency_net.py


def test_a_students_net_gets_its_own_map_and_is_asked_once_for_an_image():
    asked = []

    def mine(x):
        asked.append(x.shape)
        assert x.dtype == np.float32
        assert 0 <= x.min() <= x.max() <= 1
        return forward(trained(), x).scores

    widget = widgets.saliency_explorer(mine)
    assert "Your net says" in widget.status
    assert "agrees with this net's to 1.00" in widget.status
    assert not widget.problem
    widget.set("method", "occlusion")
    widget.set("target", "ring")
    assert len(asked) == 1
    widget.set("image", 1)
    assert asked == [(26, 3, 32, 32)] * 2
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x: np.zeros((len(x), 3)), "must return shape (26, 10), got (26, 3)"),
        (lambda x: np.full((len(x), 10), np.nan), "must be finite numbers"),
        (lambda x: x.no_such(), "raised AttributeError"),
    ],
    ids=["classes", "nan", "raises"],
)
def test_a_wrong_net_is_told_how(wrong, words):
    widget = widgets.saliency_explorer(wrong)
    assert words in widget.problem
    assert "your net" not in widget.picture
    widget.close()


def test_the_button_shuffles_more_and_more_and_a_click_chooses_a_channel():
    widget = Static(MODEL, {"layer": 2}, {})
    seen = []
    for _ in range(3):
        widget.press("check")
        seen.append(widget.state.weights)
    assert seen == ["top random", "all random", "trained"]
    left, top, columns, cell = GRID
    widget.point(Event("down", left + 2.5 * cell, top + 1.5 * cell))
    assert widget.state.channel == columns + 3
    before = widget.state
    widget.point(Event("down", left + 2.5 * cell, top + 3.5 * cell))  # layer 2 has three rows
    assert widget.state is before
    widget.set("channel", 30)
    assert compute(widget.state, {}).channel == 29 % CHANNELS[1]
