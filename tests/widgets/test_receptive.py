"""The receptive field explorer against torch's autograd, published figures and the notebook."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cs231n_lib import widgets
from cs231n_lib.shapes10 import draw
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.receptive import LEFT, LINE, LINE_TOP, MODEL, SIDE, TOP, half
from cs231n_lib.widgets.receptive_stack import IMAGES, NETS, OWN, TRAINED, Look, compute, layers_of, parse, table
from cs231n_lib.widgets.recognition_models import weights
from tests.cells import namespace


def states():
    rng = np.random.default_rng(0)
    for i in range(30):
        yield Look(
            net=["equal layers", OWN][i % 2], size=32, depth=int(rng.integers(1, 7)), kernel=int(rng.integers(1, 6)),
            stride=int(rng.integers(1, 4)), dilation=int(rng.integers(1, 4)), layer=int(rng.integers(0, 7)),
            stack=["conv3, pool2, conv5s2", "conv3d2, conv3d4p0, pool3s2", "conv2s3, conv1, pool2"][rng.integers(3)],
            across=int(rng.integers(101)), down=int(rng.integers(101)),
        )  # fmt: skip


def gradient(state, r):
    """Return torch's gradient (size, size) of the unit looked at, all weights equal, by autograd."""
    x = torch.ones(1, 1, state.size, state.size, dtype=torch.float64, requires_grad=True)
    out = x
    for _, kernel, stride, dilation, pad in layers_of(state)[: r.at]:
        w = torch.full((1, 1, kernel, kernel), 1 / kernel**2, dtype=torch.float64)
        out = F.conv2d(out, w, stride=stride, dilation=dilation, padding=pad)
    assert tuple(out.shape[2:]) == (r.rows[r.at].size,) * 2
    out[0, 0, r.unit[0], r.unit[1]].backward()
    return x.grad[0, 0].numpy()


@pytest.mark.parametrize("state", list(states()), ids=str)
def test_the_pixels_seen_and_their_weights_are_those_of_autograd(state):
    r = compute(state, {})
    g = gradient(state, r)
    np.testing.assert_allclose(r.weights, g / g.sum(), atol=1e-12)
    rows, columns = (np.flatnonzero(g.any(axis=axis)) for axis in (1, 0))
    top, left, bottom, right = r.box
    assert top <= rows[0]
    assert rows[-1] <= bottom
    assert left <= columns[0]
    assert columns[-1] <= right
    dense = all(stride <= kernel and dilation == 1 for _, kernel, stride, dilation, _ in layers_of(state))
    if dense and min(top, left) >= 0 and max(bottom, right) < state.size:
        assert (rows[0], rows[-1], columns[0], columns[-1]) == (top, bottom, left, right)


@pytest.mark.parametrize("depth", range(7))
def test_the_trained_networks_field_is_autograds(depth):
    r = compute(Look(net=TRAINED, layer=depth, across=30, down=60, size=224), {})
    w = {name: torch.tensor(value) for name, value in weights().items()}
    images = draw(np.arange(IMAGES) % 10, np.random.default_rng(3)).transpose(0, 3, 1, 2)
    x = torch.tensor(images / np.float32(255) - np.float32(0.5), requires_grad=True)
    out = x
    for i in range(depth):
        conv = i % 2 == 0
        out = F.relu(F.conv2d(out, w[f"net_{i}"], w[f"net_{i + 1}"], padding=1)) if conv else F.max_pool2d(out, 2)
    out[:, :, r.unit[0], r.unit[1]].sum().backward()
    expected = (x.grad.double() ** 2).mean(dim=(0, 1)).sqrt().numpy()
    np.testing.assert_allclose(r.weights, expected / expected.sum(), atol=1e-6)
    top, left, bottom, right = r.box
    outside = np.ones((32, 32), bool)
    outside[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = False
    assert r.weights[outside].max(initial=0) < 1e-7  # Winograd tiles leave rounding beside the field
    assert r.rows[0].size == 32


@pytest.mark.parametrize(
    ("net", "field", "jump"),  # Araujo, Norris and Sim, Distill 2019, for the last layer of features
    [("AlexNet", 195, 32), ("VGG-16", 212, 32), ("ResNet-18", 435, 32)],
)  # fmt: skip
def test_published_figures(net, field, jump):
    rows, stopped = table(NETS[net], 224)
    assert (rows[-1].field, rows[-1].jump) == (field, jump)
    assert stopped == ""
    sizes = {
        "AlexNet": [55, 27, 27, 13, 13, 13, 13, 6],
        "ResNet-18": [112, 56, *[56] * 4, *[28] * 4, *[14] * 4, *[7] * 4],
    }
    assert net not in sizes or [row.size for row in rows[1:]] == sizes[net]


def test_the_last_convolution_of_vgg_sees_196():
    rows, _ = table(NETS["VGG-16"], 224)
    assert rows[17].field == 196
    assert rows[2].field == 5


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 11])
def test_equal_layers_of_stride_1_see_1_plus_layers_times_kernel_minus_1(kernel):
    for depth in (1, 4, 20):
        r = compute(Look(depth=depth, kernel=kernel, layer=depth, size=224), {})
        assert r.rows[r.at].field == 1 + r.at * (kernel - 1)


def test_112_layers_are_the_first_to_see_224_pixels():
    # One more pixel than the formula's even 224: 112 layers see 225, and 111 see 223.
    r = compute(Look(depth=120, size=224), {})
    assert r.first == 112
    assert "Layer 112 is the first" in Static(MODEL, r.state, {}).status
    assert compute(Look(depth=111, size=224), {}).first is None


def test_a_stack_that_uses_its_map_up_says_so():
    widget = Static(MODEL, {"net": OWN, "stack": "conv3, pool8, pool8", "layer": 9}, {})
    assert "layer 3 finds only 4 of the 8 places its window needs" in widget.status
    assert len(compute(widget.state, {}).rows) == 3


@pytest.mark.parametrize("stack", ["", "dense3", "conv", "conv0", "conv3s0", "pool2x", "conv3," * 121, "conv99"])
def test_a_stack_that_cannot_be_read_is_refused_and_the_picture_stays(stack):
    with pytest.raises(ValueError, match="layers must be"):
        parse(stack)
    widget = Static(MODEL, {"net": OWN}, {})
    before = widget.picture
    if len(stack) <= 200:
        widget.set("stack", stack)
        assert "layers must be" in widget.problem
        assert widget.picture == before


def test_parsing():
    assert parse("conv3, conv5s2d2p0 ,pool2,pool3s2") == (
        ("conv", 3, 1, 1, 1), ("conv", 5, 2, 2, 0), ("pool", 2, 2, 1, 0), ("pool", 3, 2, 1, 0),
    )  # fmt: skip


def test_the_effective_field_grows_like_the_root_of_the_depth():
    widths = [half(compute(Look(depth=d, layer=d, size=224), {}).weights.sum(axis=0)) for d in (4, 16, 64)]
    # A sum of L uniform steps of -1, 0, 1 has variance 2L/3; half of a bell curve lies within 1.349 deviations.
    for depth, width in zip((4, 16, 64), widths, strict=True):
        assert width == pytest.approx(1.349 * np.sqrt(2 * depth / 3), abs=1.01)


def test_pointer_and_keys():
    widget = Static(MODEL, {"net": "VGG-16", "size": 224, "layer": 10}, {})
    widget.point(Event("hover", LEFT + SIDE / 4, TOP + SIDE / 2))
    assert (widget.state.across, widget.state.down) == (25, 50)
    unit = compute(widget.state, {}).unit
    widget.point(Event("key", key="ArrowRight"))
    assert compute(widget.state, {}).unit == (unit[0], unit[1] + 1)
    widget.point(Event("key", key="ArrowUp"))
    assert compute(widget.state, {}).unit == (unit[0] - 1, unit[1] + 1)
    widget.point(Event("key", key="Enter"))
    assert widget.state.layer == 11
    widget.point(Event("down", 100, LINE_TOP + 2 * LINE - 4))  # the third line: layer 11 - 4 + 2
    assert widget.state.layer == 9
    for _ in range(200):
        widget.point(Event("key", key="ArrowLeft"))
        widget.step()
    assert (compute(widget.state, {}).unit[1], widget.state.layer) == (0, 18)


@pytest.fixture(scope="module")
def right():
    return namespace("a2/N09_convolution.py", "setup", "solution")["receptive_field"]


def test_the_notebooks_own_function_agrees(right):
    widget = widgets.receptive_field_explorer(right)
    for field, value in (
        ("layer", 0), ("layer", 4), ("stride", 3), ("dilation", 3), ("kernel", 2), ("net", "AlexNet"), ("size", 224),
        ("layer", 8), ("net", "ResNet-18"), ("layer", 18), ("net", "equal layers"), ("depth", 120), ("layer", 120),
    ):  # fmt: skip
        widget.set(field, value)
        assert widget.problem == ""
    widget.set("stride", 1)
    assert "Your function agrees." in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda layers: 1 + sum(k - 1 for k, _ in layers[:-1]), "gives 5 for 3 layers, expected 7"),
        (lambda layers: float("nan"), "not finite"),
        (lambda layers: [k for k, _ in layers], "must return shape (), got (3,)"),
    ],
)  # fmt: skip
def test_a_wrong_function_is_told_how_and_drawn(wrong, words):
    widget = widgets.receptive_field_explorer(wrong)
    assert words in widget.problem
    assert ("dashed ✗" in widget.picture) == ("expected 7" in words)
    widget.close()
