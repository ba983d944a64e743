"""The numbers of the receptive field explorer: which input pixels a unit sees, walked back layer by layer.

One axis is enough, for layers here are square. A unit that sees places lo to hi of a layer's input sees, through a
window of K taps D apart with stride S and padding P, places lo S - P to hi S - P + D (K - 1) of the input before that.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast, max_pool_backward_fast, max_pool_forward_fast
from cs231n_lib.shapes10 import draw

from . import recognition_models
from .base import Choice, Data, Slider, State, Switch, Text, ask

EQUAL, OWN, TRAINED = "equal layers", "your own stack", "trained ConvNet"
IMAGES = 10  # over which the trained network's gradient is averaged
DEEPEST = 120
Layer = tuple[str, int, int, int, int]  # name, kernel, stride, dilation, padding


def _blocks(*counts: int) -> tuple[Layer, ...]:
    """Return stages of 3x3 convolutions, each stage but the last followed by a pool."""
    stages: list[Layer] = []
    for count in counts:
        stages += [("conv", 3, 1, 1, 1)] * count + [("pool", 2, 2, 1, 0)]
    return tuple(stages)


# Krizhevsky et al. 2012 with the padding of torchvision; Simonyan and Zisserman 2015; He et al. 2016, along its longest
# path: a skip connection adds shorter paths and no pixels.
NETS: dict[str, tuple[Layer, ...]] = {
    "AlexNet": (
        ("conv", 11, 4, 1, 2), ("pool", 3, 2, 1, 0), ("conv", 5, 1, 1, 2), ("pool", 3, 2, 1, 0),
        *[("conv", 3, 1, 1, 1)] * 3, ("pool", 3, 2, 1, 0),
    ),
    TRAINED: (("conv", 3, 1, 1, 1), ("pool", 2, 2, 1, 0)) * 3,
    "VGG-16": _blocks(2, 2, 3, 3, 3),
    "ResNet-18": (
        ("conv", 7, 2, 1, 3), ("pool", 3, 2, 1, 1), *[("conv", 3, 1, 1, 1)] * 4,
        *[("conv", 3, 2, 1, 1), *[("conv", 3, 1, 1, 1)] * 3] * 3,
    ),
}  # fmt: skip
UNTRAINED = tuple(name for name in NETS if name != TRAINED)


@dataclass(frozen=True)
class Look(State):
    """The stack, the layer whose unit is looked at, and where that unit is, in hundredths of the picture."""

    net: str = EQUAL
    size: int = 32
    depth: int = 4
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    stack: str = "conv3, conv3, pool2"
    layer: int = 3
    across: int = 50
    down: int = 50
    effective: bool = False
    seed: int = 0


CONTROLS = (
    Choice("net", "network", (EQUAL, *NETS, OWN)),
    Choice("size", "image size", (32, 64, 128, 224), slide=True, needs={"net": (EQUAL, OWN, *UNTRAINED)}),
    Slider("depth", "layers L", 1, DEEPEST, needs={"net": EQUAL}),
    Slider("kernel", "kernel K", 1, 11, needs={"net": EQUAL}),
    Slider("stride", "stride S", 1, 4, needs={"net": EQUAL}),
    Slider("dilation", "dilation D", 1, 4, needs={"net": EQUAL}),
    Text(
        "stack", "layers",
        ("conv3, conv3, pool2", "conv3, conv3d2, conv3d4, conv3d8", "conv7s2, pool3s2, conv3, conv3"),
        needs={"net": OWN}, hint="conv or pool, kernel, then s and stride, d and dilation, p and padding",
    ),
    Slider("layer", "unit of layer", 0, DEEPEST, hint="0 is the image itself"),
    Slider("across", "unit across (%)", 0, 100),
    Slider("down", "unit down (%)", 0, 100),
    Switch("effective", "effective field", hint="how much each pixel counts: with equal weights, or as trained"),
    Slider("seed", "image", 0, 9),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the table, in pixels of the image. `field` and `jump` ignore the image's border."""

    name: str
    size: int  # units along a side
    window: int  # places of the layer before that a unit sees
    field: int
    jump: int  # between the fields of neighbours
    start: float  # middle of unit 0's field; pixel 0 has its middle at 0


@dataclass(frozen=True)
class Reach:
    """What the unit looked at sees."""

    state: Look
    rows: tuple[Row, ...]  # of the image and of each layer
    at: int  # the layer looked at
    unit: tuple[int, int]  # its row and column
    spans: tuple[tuple[int, int], ...]  # column places that it sees in each layer from the image to itself
    box: tuple[
        int, int, int, int
    ]  # top, left, bottom, right pixel that it sees, both ends in it, beyond the border too
    weights: np.ndarray  # float (size, size): each pixel's share of the unit's gradient, sum 1
    first: int | None  # the first layer whose field is as wide as the image
    stopped: str  # why the stack ends early, "" if it does not
    yours: int | None
    problem: str


def parse(text: str) -> tuple[Layer, ...]:
    """Return the layers of "conv3, pool2s2, conv3d2p0". Raises ValueError naming what cannot be read."""
    layers: list[Layer] = []
    for word in [part.strip() for part in text.split(",") if part.strip()]:
        found = re.fullmatch(r"(conv|pool)(\d+)((?:[sdp]\d+)*)", word)
        options = dict(re.findall(r"([sdp])(\d+)", found[3])) if found else {}
        kernel = int(found[2]) if found else 0
        stride = int(options.get("s", kernel if word.startswith("pool") else 1))
        dilation = int(options.get("d", 1))
        same = dilation * (kernel - 1) // 2 if word.startswith("conv") else 0
        if not (1 <= kernel <= 32 and 1 <= stride <= 32 and 1 <= dilation <= 32):
            raise ValueError(f"layers must be like conv3, conv3s2d2p1 or pool2, numbers 1 to 32, got {word!r}")
        layers.append((word[:4], kernel, stride, dilation, int(options.get("p", same))))
    if not 1 <= len(layers) <= DEEPEST:
        raise ValueError(f"layers must be 1 to {DEEPEST} words such as conv3, got {len(layers)}")
    return tuple(layers)


def layers_of(state: Look) -> tuple[Layer, ...]:
    """Return the stack that the state means."""
    if state.net == EQUAL:
        pad = state.dilation * (state.kernel - 1) // 2
        return (("conv", state.kernel, state.stride, state.dilation, pad),) * state.depth
    return parse(state.stack) if state.net == OWN else NETS[state.net]


def side(state: Look) -> int:
    """Return the pixels along a side of the image: the trained network knows only its own size."""
    return recognition_models.SIZE if state.net == TRAINED else state.size


def valid(state: Look) -> str:
    """Return what cannot be read in the stack that was typed."""
    if state.net != OWN:
        return ""
    try:
        parse(state.stack)
    except ValueError as error:
        return str(error)
    return ""


def back(layer: Layer, low: int, high: int) -> tuple[int, int]:
    """Return the first and last place of a layer's input that its outputs low to high see."""
    _, kernel, stride, dilation, pad = layer
    return low * stride - pad, high * stride - pad + dilation * (kernel - 1)


def spans(layers: tuple[Layer, ...], unit: int) -> list[tuple[int, int]]:
    """Return the places that a unit of the last layer sees in the image, in layer 1, ..., in its own."""
    found = [(unit, unit)]
    for layer in reversed(layers):
        found.append(back(layer, *found[-1]))
    return found[::-1]


@lru_cache(maxsize=64)
def table(layers: tuple[Layer, ...], size: int) -> tuple[tuple[Row, ...], str]:
    """Return the rows of the table, and why it ends early if a map gets no pixel."""
    rows = [Row("image", size, 1, 1, 1, 0.0)]
    for i, (name, kernel, stride, dilation, pad) in enumerate(layers):
        window = dilation * (kernel - 1) + 1
        out = (rows[-1].size + 2 * pad - window) // stride + 1
        if out < 1:
            return tuple(rows), f"layer {i + 1} finds only {rows[-1].size} of the {window} places its window needs"
        (low, high), (following, _) = (spans(layers[: i + 1], unit)[0] for unit in (0, 1))
        told = f"{name} {kernel}×{kernel}" + (f", stride {stride}" if stride > 1 else "")
        told += f", dilation {dilation}" if dilation > 1 else ""
        rows.append(Row(told, out, window, high - low + 1, following - low, (low + high) / 2))
    return tuple(rows), ""


@lru_cache(maxsize=64)
def influence(layers: tuple[Layer, ...], sizes: tuple[int, ...], unit: int) -> np.ndarray:
    """Return the share of paths, float (image size,), from each pixel to a unit of the last layer.

    It is the gradient of that unit if each layer is linear with equal weights; zero padding is where paths end.
    """
    weight = np.zeros(sizes[-1])
    weight[unit] = 1.0
    for (_, kernel, stride, dilation, pad), size in zip(reversed(layers), reversed(sizes[:-1]), strict=True):
        before = np.zeros(size)
        for tap in range(kernel):
            places = np.arange(len(weight)) * stride - pad + tap * dilation
            inside = (places >= 0) & (places < size)
            before[places[inside]] += weight[inside]  # a tap meets no place twice
        weight = before / max(before.sum(), 1e-300)
    return weight


@lru_cache(maxsize=64)
def trained_influence(depth: int, row: int, column: int) -> np.ndarray:
    """Return how much each pixel counts for a unit of the trained ConvNet, float (32, 32), sum 1.

    The root mean square, over images and colours, of the gradient of the sum of that unit's channels. A conv includes
    its ReLU.
    """
    w = recognition_models.weights()
    images = draw(np.arange(IMAGES) % 10, np.random.default_rng(3))
    x = np.ascontiguousarray(images.transpose(0, 3, 1, 2) / np.float32(255) - np.float32(0.5))
    caches: list[Any] = []
    for i in range(depth):
        if i % 2 == 0:
            x, cache = conv_forward_fast(x, w[f"net_{i}"], w[f"net_{i + 1}"], pad=1)
            caches.append((cache, x > 0))
            x = np.maximum(x, 0)
        else:
            x, pooled = max_pool_forward_fast(x, pool_h=2, pool_w=2, stride=2)
            caches.append(pooled)
    gradient = np.zeros_like(x)
    gradient[:, :, row, column] = 1
    for i in reversed(range(depth)):
        if i % 2 == 0:
            cache, active = caches[i]
            gradient, _, _ = conv_backward_fast(gradient * active, cache)
        else:
            gradient = max_pool_backward_fast(gradient, caches[i])
    share = np.sqrt((gradient.astype(float) ** 2).mean(axis=(0, 1)))
    return share / max(share.sum(), 1e-300)


def compute(state: Look, data: Data) -> Reach:
    """Return what the unit sees."""
    layers, size = layers_of(state), side(state)
    rows, stopped = table(layers, size)
    at = min(state.layer, len(rows) - 1)
    used, here = layers[:at], rows[at]
    unit = tuple(nearest(here, size, share) for share in (state.down, state.across))
    tall, wide = spans(used, unit[0]), spans(used, unit[1])
    if state.net == TRAINED:
        weights = trained_influence(at, unit[0], unit[1])
    else:
        sizes = tuple(row.size for row in rows[: at + 1])
        weights = np.outer(influence(used, sizes, unit[0]), influence(used, sizes, unit[1]))
    first = next((i for i, row in enumerate(rows) if row.field >= size), None)
    yours, problem = _yours(used, here.field, data)
    return Reach(
        state=state, rows=rows, at=at, unit=(unit[0], unit[1]), spans=tuple(wide),
        box=(tall[0][0], wide[0][0], tall[0][1], wide[0][1]),
        weights=weights, first=first, stopped=stopped, yours=yours, problem=problem,
    )  # fmt: skip


def nearest(row: Row, size: int, share: int) -> int:
    """Return the unit whose field's middle is nearest to this hundredth of the image."""
    pixel = share / 100 * (size - 1)
    return int(min(max(round((pixel - row.start) / row.jump), 0), row.size - 1))


def _yours(layers: tuple[Layer, ...], field: int, data: Data) -> tuple[int | None, str]:
    """Return the student's receptive field, and what is wrong with it."""
    if "receptive_field" not in data or field >= 2**53:  # beyond what a float holds exactly
        return None, ""
    # A window of K taps D apart reaches as far as one of D (K - 1) + 1 taps side by side.
    pairs = [(dilation * (kernel - 1) + 1, stride) for _, kernel, stride, dilation, _ in layers]
    answer, problem = ask(data["receptive_field"], pairs, shape=())
    if answer is None or not np.isfinite(answer):
        return None, problem or "your receptive_field is not finite"
    if answer != field:
        problem = f"your receptive_field gives {answer:g} for {len(pairs)} layers, expected {field:,}"
    return int(answer), problem
