"""The convolution explorer against torch's own layers: shapes, parameters, multiply-adds, values, pixels never read."""

import itertools

import numpy as np
import pytest
import torch

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.conv_plan import DIMS, Layer, compute, left_over, numbers, torch_line
from cs231n_lib.widgets.convolution import LEFT, MODEL, RIGHT, TOP, cell_size


def layers(count=60):
    rng = np.random.default_rng(0)
    for _ in range(count):
        dims = ["1-D", "2-D", "3-D"][rng.integers(3)]
        yield Layer(
            dims=dims, transposed=bool(rng.integers(2)), size=int(rng.integers(1, 8)), kernel=int(rng.integers(1, 5)),
            stride=int(rng.integers(1, 4)), pad=int(rng.integers(0, 3)), dilation=int(rng.integers(1, 3)),
            channels=int(rng.choice([1, 2, 4])), filters=int(rng.choice([1, 2, 4])), groups=int(rng.choice([1, 2])),
            seed=int(rng.integers(10)),
        )  # fmt: skip


@pytest.mark.parametrize("state", list(layers()), ids=str)
def test_sizes_parameters_and_refusals_are_torchs(state):
    r, dims = compute(state, {}), DIMS[state.dims]
    try:
        layer = eval(torch_line(state), {"nn": torch.nn})
        out = layer(torch.zeros(1, state.channels, *[state.size] * dims))
    except (RuntimeError, ValueError) as error:
        refused = str(error)
    else:
        refused = ""
    assert bool(r.impossible) == bool(refused), refused
    if refused:
        return
    assert tuple(out.shape[1:]) == (state.filters, *[r.out] * dims)
    assert sum(p.numel() for p in layer.parameters()) == r.parameters


@pytest.mark.parametrize("state", [s for s in layers(120) if s.dims != "3-D"], ids=str)
def test_values_are_torchs(state):
    r = compute(state, {})
    if r.impossible:
        return
    dims, per_group = DIMS[state.dims], state.channels // state.groups
    x, w = numbers(state, dims)
    x, w = torch.tensor(x[None, :per_group]), torch.tensor(w[:per_group])
    if dims == 1:
        x, w = x[:, :, 0], w[:, 0]
    name = f"conv{'_transpose' if state.transposed else ''}{dims}d"
    kernel = w[:, None] if state.transposed else w[None]
    options = {"stride": state.stride, "padding": state.pad, "dilation": state.dilation}
    expected = getattr(torch.nn.functional, name)(x, kernel, **options)[0, 0].numpy()
    np.testing.assert_allclose(r.values, np.atleast_2d(expected))


@pytest.mark.parametrize("state", [s for s in layers(120) if not s.transposed and s.dims != "3-D"], ids=str)
def test_pixels_are_read_exactly_where_a_gradient_arrives_and_multiplications_are_counted(state):
    r = compute(state, {})
    if r.impossible:
        return
    side = state.size + 2 * state.pad
    touched = np.zeros(side, dtype=int)
    for start, tap in itertools.product(range(r.out), range(state.kernel)):
        touched[start * state.stride + tap * state.dilation] += 1
    np.testing.assert_array_equal(r.read, touched > 0)
    per_filter = (touched.sum() if state.dims == "1-D" else touched.sum() ** 2) * state.channels // state.groups
    assert r.multiply_adds == per_filter * state.filters
    x = torch.zeros(1, 1, side, dtype=torch.float64, requires_grad=True)
    ones = torch.ones(1, 1, state.kernel, dtype=torch.float64)
    torch.nn.functional.conv1d(x, ones, stride=state.stride, dilation=state.dilation).sum().backward()
    np.testing.assert_array_equal(r.read, x.grad[0, 0].numpy() > 0)


def test_the_slides_layers():
    r = compute(Layer(), {})
    assert r.out == 5
    r = compute(Layer(size=32, kernel=5, pad=2), {})
    assert (r.out, r.parameters, r.multiply_adds) == (32, 760, 768_000)
    assert compute(Layer(pad=1), {}).out == 7  # the slide's figure says 5; with a border of 1 it is 7
    assert torch_line(Layer(size=32, kernel=5, pad=2)) == "nn.Conv2d(3, 10, kernel_size=5, stride=1, padding=2)"


def test_stride_3_on_7_floors_and_paints_what_is_left_over():
    r = compute(Layer(stride=3), {})
    assert r.out == 2
    assert left_over(r) == 1
    widget = Static(MODEL, {"stride": 3}, {})
    assert "⌊2.33⌋ = 2" in widget.picture
    assert "never read" in widget.picture
    assert "the last 1 because the stride does not divide" in widget.status
    widget.set("stride", 2)
    assert "never read" not in widget.picture


def test_dragging_on_either_grid_puts_the_window_there_and_keys_stop_at_the_edge():
    widget = Static(MODEL, None, {})
    cell = cell_size(widget.state)
    widget.point(Event("down", RIGHT + 3.5 * cell, TOP + 2.5 * cell))
    assert widget.state.position == 2 * 5 + 3
    widget.point(Event("drag", LEFT + 1.5 * cell, TOP + 1.5 * cell))  # the window's middle on pixel (1, 1)
    assert widget.state.position == 0
    widget.point(Event("key", key="ArrowLeft"))
    assert widget.state.position == 0
    widget.point(Event("key", key="ArrowDown"))
    assert widget.state.position == 5
    for _ in range(24 - 5):
        widget.step()
    assert widget.state.position == 24
    widget.step()
    assert widget.state.position == 0
    widget.press("back")
    assert widget.state.position == 24
    turned = Static(MODEL, {"transposed": True, "stride": 2, "size": 4}, {})
    cell = cell_size(turned.state)
    turned.point(Event("down", RIGHT + 5.5 * cell, TOP + 1.5 * cell))  # output pixel (1, 5): the stamp of input (0, 2)
    assert turned.state.position == 2


def right(x, w, b, *, stride=1, pad=0):
    out = torch.nn.functional.conv2d(*(torch.tensor(v) for v in (x, w, b)), stride=stride, padding=pad)
    return out.numpy(), None


def test_a_right_function_agrees_and_is_not_asked_beyond_its_signature():
    widget = widgets.conv_explorer(right)
    for field, value in (("stride", 3), ("pad", 2), ("size", 12), ("channels", 8), ("seed", 4)):
        widget.set(field, value)
        assert widget.problem == ""
        assert "Your function agrees." in widget.status
    widget.set("dilation", 2)
    assert "agrees" not in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, w, b, **o: right(x, w[:, :, ::-1, ::-1].copy(), b, **o), "outputs differ"),
        (lambda x, w, b, *, stride, pad: right(x, w, b, stride=stride), "shape (1, 1, 7, 7), got (1, 1, 5, 5)"),
        (lambda x, w, b: 0, "raised TypeError"),
    ],
    ids=["flipped", "no padding", "no options"],
)  # fmt: skip
def test_a_wrong_function_is_told_how_and_hatched(wrong, words):
    widget = widgets.conv_explorer(wrong, state={"pad": 1})
    assert words in widget.problem
    assert ("✗ hatched" in widget.picture) == (words == "outputs differ")
    widget.close()
