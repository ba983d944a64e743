"""The numbers of a convolution layer: its sizes, costs and values, without a picture.

With K taps, stride S, padding P and dilation D on a side of W pixels, a window spans D (K - 1) + 1 pixels and there are
floor((W + 2P - D (K - 1) - 1) / S) + 1 of them. A transposed convolution turns that round: it stamps each of W input
pixels into an output of (W - 1) S - 2P + D (K - 1) + 1.
"""

from dataclasses import dataclass

import numpy as np

from .base import Button, Choice, Data, Slider, State, Switch, ask

DIMS = {"1-D": 1, "2-D": 2, "3-D": 3}
CHANNELS = (1, 2, 3, 4, 6, 8, 10, 16)


@dataclass(frozen=True)
class Layer(State):
    """A convolution layer on a square input, and where its window is."""

    dims: str = "2-D"
    transposed: bool = False
    size: int = 7
    kernel: int = 3
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    channels: int = 3
    filters: int = 10
    groups: int = 1
    position: int = 0
    seed: int = 0


CONTROLS = (
    Choice("dims", "dimensions", tuple(DIMS)),
    Switch("transposed", "transposed"),
    Slider("size", "input size W", 1, 32),
    Slider("kernel", "kernel size K", 1, 11),
    Slider("stride", "stride S", 1, 4),
    Slider("pad", "padding P", 0, 5),
    Slider("dilation", "dilation D", 1, 4),
    Choice("channels", "input channels", CHANNELS, slide=True),
    Choice("filters", "filters", CHANNELS, slide=True),
    Choice(
        "groups", "groups", (1, 2, 3, 4, 8), slide=True, hint="each group of filters sees its own share of the channels"
    ),
    Slider("seed", "random image", 0, 9),
    Button("back", "Window back", after="on"),
    Button("on", "Window on"),
)


@dataclass(frozen=True)
class Plan:
    """The geometry and cost of a layer, and one channel of input and output to draw."""

    state: Layer
    out: int  # size of a side of the output; 0 or less: there is none
    parameters: int
    multiply_adds: int
    read: np.ndarray  # bool (W + 2P,): which pixels of a padded side some window reads
    row: int  # of the window; for 1-D always 0
    column: int
    x: np.ndarray  # float (C, rows, W), small whole numbers
    values: np.ndarray  # float (rows, out): filter 0
    yours: np.ndarray | None
    impossible: str
    problem: str


def output_size(state: Layer) -> int:
    """Return the output's side; 0 or less means that the layer has no output."""
    span = state.dilation * (state.kernel - 1) + 1
    if state.transposed:
        return (state.size - 1) * state.stride - 2 * state.pad + span
    return (state.size + 2 * state.pad - span) // state.stride + 1


def compute(state: Layer, data: Data) -> Plan:
    """Return the layer's sizes, costs and values."""
    dims, out = DIMS[state.dims], output_size(state)
    wrong = impossible(state, out)
    weights = state.filters * state.channels // state.groups * state.kernel**dims
    # Each output (or, transposed, each input) meets the whole window once; the slide counts products with padding too.
    places = state.size if state.transposed else max(out, 0)
    products = weights * places**dims
    x, w = numbers(state, dims)
    values = np.zeros((1, 1)) if wrong else _values(state, x, w, out, dims)
    count = 1 if wrong else places ** min(dims, 2)
    at = state.position % count
    yours, problem = (None, "") if wrong else _your_values(state, x, w, values, data)
    return Plan(
        state=state, out=out, parameters=weights + state.filters, multiply_adds=products, read=_read(state, out),
        row=at // places if dims > 1 and places else 0, column=at % places if places else 0, x=x, values=values,
        yours=yours, impossible=wrong, problem=problem,
    )  # fmt: skip


def impossible(state: Layer, out: int) -> str:
    for name, value in (("input channels", state.channels), ("filters", state.filters)):
        if value % state.groups:
            return f"{state.groups} groups must divide the {value} {name}"
    if out < 1:
        return f"the output would have {out} pixels on a side: the kernel spans more than the padded input"
    return ""


def _read(state: Layer, out: int) -> np.ndarray:
    read = np.zeros(state.size + 2 * state.pad, dtype=bool)
    if state.transposed:
        read[:] = True  # every input pixel is stamped
    for i in range(0 if state.transposed else max(out, 0)):
        read[i * state.stride + state.dilation * np.arange(state.kernel)] = True
    return read


def numbers(state: Layer, dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (C, rows, W) of 0..9 and filter 0, (C, rows, K) of -1, 0, 1; one row for 1-D, a slice for 3-D."""
    rng = np.random.default_rng(state.seed)
    x = rng.integers(0, 10, size=(16, 32, 32))[: state.channels, : state.size if dims > 1 else 1, : state.size]
    w = rng.integers(-1, 2, size=(16, 11, 11))[: state.channels, : state.kernel if dims > 1 else 1, : state.kernel]
    return x.astype(float), w.astype(float)


def _values(state: Layer, x: np.ndarray, w: np.ndarray, out: int, dims: int) -> np.ndarray:
    """Return what filter 0 gives, with the first group's channels, tap by tap: (out, out), or (1, out) for 1-D."""
    channels = state.channels // state.groups
    step, pad = state.stride, state.pad
    tall, rows, pad_y = (w.shape[1], out, pad) if dims > 1 else (1, 1, 0)
    if state.transposed:
        span = state.dilation * (state.kernel - 1) + 1
        full = np.zeros(((x.shape[1] - 1) * step + (span if dims > 1 else 1), (state.size - 1) * step + span))
        for i in range(tall):
            for j in range(state.kernel):
                down, across = i * state.dilation, j * state.dilation
                place = full[down : down + x.shape[1] * step : step, across : across + state.size * step : step]
                place += np.tensordot(w[:channels, i, j], x[:channels], axes=1)[: place.shape[0], : place.shape[1]]
        return full[pad_y : pad_y + rows, pad : pad + out]
    padded = np.pad(x, ((0, 0), (pad_y, pad_y), (pad, pad)))
    total = np.zeros((rows, out))
    for i in range(tall):
        for j in range(state.kernel):
            down, across = i * state.dilation, j * state.dilation
            taps = padded[:channels, down : down + rows * step : step, across : across + out * step : step]
            total += np.tensordot(w[:channels, i, j], taps[:, :rows, :out], axes=1)
    return total


def _your_values(
    state: Layer, x: np.ndarray, w: np.ndarray, values: np.ndarray, data: Data
) -> tuple[np.ndarray | None, str]:
    """Return the student's output for filter 0 (None if not asked) and what is wrong with it."""
    if "forward" not in data:
        return None, ""
    if state.dims != "2-D" or state.transposed or state.dilation != 1 or state.groups != 1:
        return None, ""
    options = {"stride": state.stride, "pad": state.pad}
    answer, problem = ask(data["forward"], x[None], w[None], np.zeros(1), shape=(1, 1, *values.shape), options=options)
    if answer is None:
        return None, problem
    wrong = ~np.isclose(answer[0, 0], values)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        problem = (
            f"your out[0, 0, {row}, {column}] is {answer[0, 0, row, column]:g}, expected {values[row, column]:g}; "
        )
        problem += f"{wrong.sum()} of {wrong.size} outputs differ"
    return answer[0, 0], problem


def torch_line(state: Layer) -> str:
    """Return the PyTorch layer with these settings."""
    name = f"nn.Conv{'Transpose' if state.transposed else ''}{DIMS[state.dims]}d"
    options = [f"kernel_size={state.kernel}", f"stride={state.stride}", f"padding={state.pad}"]
    options += [f"dilation={state.dilation}"] if state.dilation > 1 else []
    options += [f"groups={state.groups}"] if state.groups > 1 else []
    return f"{name}({state.channels}, {state.filters}, {', '.join(options)})"


def left_over(r: Plan) -> int:
    """Return how many pixels at the end of a side no window reaches, because the stride does not divide."""
    return 0 if not r.read.any() else int(np.argmax(r.read[::-1]))


def formula(r: Plan) -> str:
    """Return the size formula with this layer's numbers."""
    s = r.state
    if s.transposed:
        return f"({s.size} - 1)·{s.stride} - 2·{s.pad} + {s.dilation}·({s.kernel} - 1) + 1 = {r.out}"
    top = s.size + 2 * s.pad - s.dilation * (s.kernel - 1) - 1
    exact = "" if top % s.stride == 0 else f" = ⌊{top / s.stride + 1:.2f}⌋"
    return f"⌊({s.size} + 2·{s.pad} - {s.dilation}·({s.kernel} - 1) - 1) / {s.stride}⌋ + 1{exact} = {r.out}"


def describe(r: Plan) -> str:
    """Return the sizes and costs in words."""
    if r.impossible:
        return f"No output: {r.impossible}."
    s, by = r.state, "x".join
    sides = DIMS[s.dims]
    words = f"{by([str(s.channels)] + [str(s.size)] * sides)} becomes {by([str(s.filters)] + [str(r.out)] * sides)}: "
    words += f"{r.parameters:,} parameters, {r.multiply_adds:,} multiply-adds."
    missed = int((~r.read).sum())
    if missed:
        end = left_over(r)
        words += f" {missed} of {len(r.read)} positions along a side are never read"
        words += f"; the last {end} because the stride does not divide." if end else "."
    return words + (" Your function agrees." if r.yours is not None and not r.problem else "")
