"""The equivariance explorer against torch's layers, the notebooks' own functions, and students who are wrong."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.equivariance import COLUMNS, MODEL, PANE, ROWS
from cs231n_lib.widgets.equivariance_square import (
    LAYERS,
    SHIFTS,
    SIDE,
    Setting,
    apply,
    compute,
    image,
    matrix,
    weights,
    winners,
)
from tests.cells import namespace


def states(count=40):
    rng = np.random.default_rng(0)
    for i in range(count):
        yield Setting(
            layer=LAYERS[i % 5], dx=int(rng.integers(-8, 9)), dy=int(rng.integers(-8, 9)),
            kernel=int(rng.integers(1, 6)), stride=int(rng.integers(1, 5)), border=int(rng.integers(0, 3)),
            padding=("circular", "zeros", "none")[rng.integers(3)], seed=int(rng.integers(10)),
        )  # fmt: skip


def torchs(state, x):
    """Return torch's maps (N, H', W') of x (N, 24, 24)."""
    k, x = state.kernel, torch.tensor(x)[:, None]
    if state.layer == "fully connected":
        linear = torch.nn.Linear(SIDE**2, SIDE**2, bias=False, dtype=torch.float64)
        linear.weight.data = torch.tensor(matrix(state.seed).T.copy())
        return linear(x.flatten(1)).reshape(x.shape)[:, 0].detach().numpy()
    before, after = (k - 1) // 2, k // 2
    ends, w = (before, after, before, after), torch.tensor(weights(state.seed, k))[None, None]

    def pad(maps):
        mode = {"circular": "circular", "zeros": "constant"}.get(state.padding)
        return maps if mode is None else F.pad(maps, ends, mode=mode)

    match state.layer:
        case "max pooling":
            out = F.max_pool2d(pad(x), k, state.stride)
        case "average pooling":
            out = F.avg_pool2d(pad(x), k, state.stride)
        case "convolution":
            out = F.conv2d(pad(x), w, stride=state.stride)
        case _:
            out = F.max_pool2d(pad(F.relu(F.conv2d(pad(x), w))), k, state.stride)
    return out[:, 0].numpy()


@pytest.mark.parametrize("state", list(states()), ids=str)
def test_maps_and_gaps_are_torchs(state):
    r, x = compute(state, {}), image(state.picture, state.seed)
    step = 1 if state.layer == "fully connected" else state.stride
    shift = (state.dy, state.dx)
    moved = torch.roll(torch.tensor(x), shift, (0, 1)).numpy()
    before, after = torchs(state, np.stack([x, moved]))
    np.testing.assert_allclose(r.before, before, atol=1e-12)
    np.testing.assert_allclose(r.after, after, atol=1e-12)
    carried = torch.roll(torch.tensor(before), tuple(v // step for v in shift), (0, 1)).numpy()
    edge = min(state.border, (len(before) - 1) // 2)
    inside = np.s_[edge : len(before) - edge, edge : len(before) - edge]
    assert r.gap == pytest.approx(np.abs(after - carried)[inside].max(), abs=1e-12)
    assert r.gaps[SHIFTS.index(state.dx)] == pytest.approx(r.gap, abs=1e-12)


@pytest.mark.parametrize("layer", LAYERS[:4])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_a_circular_layer_is_equivariant_for_multiples_of_its_stride_and_no_others(layer, stride):
    r = compute(Setting(layer=layer, stride=stride, kernel=3), {})
    for dx, gap in zip(SHIFTS, r.gaps, strict=True):
        assert (gap < 1e-12) == (dx % stride == 0), dx


def test_an_odd_shift_lights_up_and_an_even_one_is_dark():
    even, odd = Static(MODEL, {"dx": 2}, {}), Static(MODEL, {"dx": 1}, {})
    assert "✓ equivariant" in even.picture
    assert "The same either way" in even.status
    assert "144 of 144 winning pixels win again" in even.status
    assert "✓ equivariant" not in odd.picture
    assert "no multiple of the stride 2" in odd.status
    assert "1/2 = 0.5, rounded to 0" in odd.picture


def test_zero_padding_fails_at_the_edge_only_and_a_full_layer_everywhere():
    zeros = Setting(layer="convolution", kernel=3, stride=1, padding="zeros", dx=1)
    assert compute(zeros, {}).gap > 0.01
    assert "The border's doing" in Static(MODEL, zeros, {}).status
    assert compute(Setting(**{**zeros.__dict__, "border": 2}), {}).gap < 1e-12
    full = compute(Setting(layer="fully connected", border=4), {})
    assert (np.abs(full.after - full.carried) > 1e-3).mean() > 0.9


@pytest.mark.parametrize("padding", ["circular", "zeros", "none"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_winners_are_where_torchs_gradient_arrives(padding, stride):
    state = Setting(padding=padding, stride=stride, kernel=3)
    x = torch.tensor(image(state.picture, 0) + 0.1, requires_grad=True)  # brighter than the zeros around it
    mode = {"circular": "circular", "zeros": "constant"}.get(padding)
    given = x[None, None] if mode is None else F.pad(x[None, None], (1, 1, 1, 1), mode=mode)
    F.max_pool2d(given, 3, stride).sum().backward()
    expected = {tuple(int(v) for v in place) for place in np.argwhere(x.grad.numpy())}
    assert {(int(i), int(j)) for i, j in winners(state, x.detach().numpy()) if i >= 0} == expected


def test_the_means_are_equal_for_a_circular_layer_and_its_multiples():
    r = compute(Setting(dx=4, dy=-2), {})
    assert r.before.mean() == pytest.approx(r.after.mean(), abs=1e-12)


def test_dragging_and_keys_move_the_image():
    widget, cell = Static(MODEL, None, {}), PANE / SIDE
    widget.point(Event("drag", COLUMNS[0] + 75 + 3 * cell, ROWS[1] + 75 - 2 * cell))
    assert (widget.state.dx, widget.state.dy) == (3, -2)
    widget.point(Event("key", key="ArrowRight"))
    widget.point(Event("key", key="ArrowDown"))
    assert (widget.state.dx, widget.state.dy) == (4, -1)
    widget.point(Event("down", COLUMNS[0] + 1, ROWS[1] + PANE - 1))
    assert (widget.state.dx, widget.state.dy) == (-8, 8)


@pytest.fixture(scope="module")
def answers():
    return namespace("a2/N09_convolution.py", "setup", "solution") | {
        "gap": namespace("a2/N10_convnet.py", "setup", "solution")["equivariance_gap"]
    }


def test_the_notebooks_own_functions_agree(answers):
    widget = widgets.equivariance_explorer(answers["max_pool_forward_naive"], answers["gap"])
    for field, value in (("dx", 1), ("kernel", 3), ("padding", "none"), ("stride", 4), ("border", 2), ("dy", -5)):
        widget.set(field, value)
        assert widget.problem == ""
        assert "Your function agrees." in widget.status
    for layer in LAYERS[1:]:
        widget.set("layer", layer)
        assert widget.problem == ""
    widget.close()


def test_a_students_layer_takes_the_place_of_f(answers):
    w = weights(0, 3)[None, None]

    def layer(x):
        return answers["conv_forward_naive"](x, w, np.zeros(1), stride=1, pad=1)

    widget = widgets.equivariance_explorer(layer=layer, state={"stride": 1, "dx": 3})
    reference = Setting(layer="convolution", kernel=3, stride=1, padding="zeros", dx=3)
    assert widget.problem == ""
    r = compute(widget.state, {"layer": layer})
    np.testing.assert_allclose(r.after, apply(reference, r.moved[None])[0], atol=1e-12)
    assert r.gap == pytest.approx(compute(reference, {}).gap)
    widget.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_pool": lambda x, **o: F.avg_pool2d(torch.tensor(x), 2, 2).numpy()}, "144 of 144 outputs differ"),
        ({"max_pool": lambda x, **o: x}, "must return shape (1, 1, 12, 12), got (1, 1, 24, 24)"),
        ({"gap": lambda layer, x, **o: 1.5}, "your gap is 1.5, expected 0"),
        ({"gap": lambda layer, x: 0.0}, "raised TypeError"),
        ({"layer": lambda x: x[0]}, "must return shape (N, F, H', W') for images (19, 1, 24, 24), got (1, 24, 24)"),
    ],
)  # fmt: skip
def test_a_wrong_function_is_told_how(given, words):
    widget = widgets.equivariance_explorer(**given, state={})
    assert words in widget.problem
    assert "agrees" not in widget.status
    assert ("✗ yours differs" in widget.picture) == ("outputs differ" in words)
    widget.close()


def test_a_window_for_each_pixel_is_still_a_small_picture():
    widget = Static(MODEL, {"kernel": 5, "stride": 1, "dx": 3}, {})
    assert "the pixel that wins each window" in widget.picture
    assert len(widget.picture) < 30_000
