"""The numbers of the equivariance explorer: an image, a layer, and the two ways round the square.

Shifts are circular, as `np.roll` makes them: nothing is lost at the edge. A map of stride S moves by shift // S.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cs231n_lib.shapes10 import CLASSES, Challenges, draw

from .base import Choice, Data, Slider, State, ask

SIDE, REACH = 24, 8  # pixels of the image; the farthest shift
SHIFTS = tuple(range(-REACH, REACH + 1))
LAYERS = ("max pooling", "average pooling", "convolution", "conv, ReLU, pool", "fully connected")
WINDOWED = LAYERS[:4]


@dataclass(frozen=True)
class Setting(State):
    """The image, how far it moves, and the layer."""

    layer: str = "max pooling"
    dx: int = 2
    dy: int = 0
    kernel: int = 2
    stride: int = 2
    padding: str = "circular"
    border: int = 0
    picture: str = CLASSES[0]
    seed: int = 0


CONTROLS = (
    Choice("layer", "layer f", LAYERS),
    Slider("dx", "shift right dx", -REACH, REACH),
    Slider("dy", "shift down dy", -REACH, REACH),
    Slider("kernel", "window K", 1, 5, needs={"layer": WINDOWED}),
    Slider("stride", "stride S", 1, 4, needs={"layer": WINDOWED}),
    Choice("padding", "border of f", ("circular", "zeros", "none"), needs={"layer": WINDOWED, "kernel": (3, 2, 4, 5)}),
    Slider("border", "edge left out", 0, 10, hint="places of the map that do not count"),
    Choice("picture", "image", CLASSES),
    Slider("seed", "seed", 0, 9),
)


@dataclass(frozen=True)
class Square:
    """Both ways round the square, and how far they are apart."""

    state: Setting
    x: np.ndarray  # float (24, 24)
    moved: np.ndarray  # T x
    before: np.ndarray  # f(x), (H, W)
    after: np.ndarray  # f(T x)
    carried: np.ndarray  # T f(x)
    gap: float
    gaps: np.ndarray  # float (17,): the gap for each dx of SHIFTS with the same dy
    winners: tuple[np.ndarray, np.ndarray] | None  # (row, column) (n, 2) of each window's largest pixel in x and T x
    differs: np.ndarray | None  # bool (H, W): where the student's pool of T x is wrong
    agreed: bool  # a function of the student's was compared and found right
    problem: str


@lru_cache(maxsize=16)
def image(name: str, seed: int) -> np.ndarray:
    """Return the middle of a grey image of this class, float (24, 24) in [0, 1]."""
    label = np.array([CLASSES.index(name)])
    pixels = draw(label, np.random.default_rng(seed), Challenges(viewpoint=0.1, occlusion=0.0, clutter=0.3))[0]
    cut = slice(4, 4 + SIDE)
    return pixels[cut, cut].mean(axis=2) / 255


@lru_cache(maxsize=64)
def weights(seed: int, kernel: int) -> np.ndarray:
    """Return a filter (K, K) whose weights add up to 0, so that it answers to edges; for K = 1 it is 1."""
    w = np.random.default_rng([seed, kernel]).normal(size=(kernel, kernel))
    return w - w.mean() if kernel > 1 else np.ones((1, 1))


@lru_cache(maxsize=16)
def matrix(seed: int) -> np.ndarray:
    """Return the weights (576, 576) of a fully connected layer."""
    return np.random.default_rng([seed, SIDE]).normal(size=(SIDE**2, SIDE**2)) / SIDE


def padded(x: np.ndarray, state: Setting) -> np.ndarray:
    """Return maps (N, H, W) with the border that lets a window stand at every pixel."""
    if state.padding == "none":
        return x
    ends = ((state.kernel - 1) // 2, state.kernel // 2)
    return np.pad(x, ((0, 0), ends, ends), mode="wrap" if state.padding == "circular" else "constant")


def windows(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Return the windows of maps (N, H, W): (N, H', W', K, K)."""
    return np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def apply(state: Setting, x: np.ndarray) -> np.ndarray:
    """Return the layer's maps (N, H', W') of images (N, 24, 24)."""
    if state.layer == "fully connected":
        return (x.reshape(len(x), -1) @ matrix(state.seed)).reshape(x.shape)
    kernel = weights(state.seed, state.kernel)
    if state.layer == "conv, ReLU, pool":
        middle = np.maximum(np.einsum("nijuv,uv->nij", windows(padded(x, state), state.kernel, 1), kernel), 0)
        return windows(padded(middle, state), state.kernel, state.stride).max(axis=(3, 4))
    cut = windows(padded(x, state), state.kernel, state.stride)
    if state.layer == "convolution":
        return np.einsum("nijuv,uv->nij", cut, kernel)
    return cut.max(axis=(3, 4)) if state.layer == "max pooling" else cut.mean(axis=(3, 4))


def winners(state: Setting, x: np.ndarray) -> np.ndarray:
    """Return the (row, column) (n, 2) in x of the largest pixel of each window; -1 stands for padding."""
    places = padded(np.arange(SIDE**2, dtype=float).reshape(1, SIDE, SIDE) + 1, state)  # 0 is zero padding
    best = windows(padded(x[None], state), state.kernel, state.stride).reshape(-1, state.kernel**2).argmax(axis=1)
    flat = windows(places, state.kernel, state.stride).reshape(-1, state.kernel**2)[np.arange(len(best)), best]
    flat = flat.astype(int) - 1
    return np.stack([np.where(flat < 0, -1, flat // SIDE), np.where(flat < 0, -1, flat % SIDE)], axis=1)


def inner(state: Setting, values: np.ndarray) -> np.ndarray:
    """Return maps (..., H, W) without the edge that does not count."""
    height, width = values.shape[-2:]
    edge = min(state.border, (min(height, width) - 1) // 2)
    return values[..., edge : height - edge, edge : width - edge]


def compute(state: Setting, data: Data) -> Square:
    """Return both ways round the square."""
    x = image(state.picture, state.seed)
    step = 1 if state.layer == "fully connected" else state.stride
    shifted = [np.roll(x, (state.dy, dx), axis=(0, 1)) for dx in (*SHIFTS, state.dx)]
    batch = np.stack([x, *shifted])  # (19, 24, 24)
    maps, problem = apply(state, batch), ""
    if "layer" in data:
        # Any number of channels may come back; the first is drawn.
        answer, problem = ask(data["layer"], batch[:, None], shape=None)
        if answer is not None and (answer.ndim != 4 or len(answer) != len(batch) or not answer.size):
            name = getattr(data["layer"], "__name__", "layer")
            problem = f"{name} must return shape (N, F, H', W') for images {batch[:, None].shape}, got {answer.shape}"
        elif answer is not None:
            maps = answer[:, 0].astype(float)
    carried = [np.roll(maps[0], (state.dy // step, dx // step), axis=(0, 1)) for dx in (*SHIFTS, state.dx)]
    gaps = np.abs(inner(state, maps[1:]) - inner(state, np.stack(carried))).max(axis=(1, 2))
    pools = state.layer == "max pooling" and ("layer" not in data or bool(problem))
    differs, wrong = _your_pool(state, batch[-1], data) if pools else (None, "")
    told, asked = ("", False) if "layer" in data else _your_gap(state, x, float(gaps[-1]), step, data)
    problem = problem or wrong or told
    return Square(
        state=state, x=x, moved=batch[-1], before=maps[0], after=maps[-1], carried=carried[-1], gap=float(gaps[-1]),
        gaps=gaps[:-1], winners=(winners(state, x), winners(state, batch[-1])) if pools else None, differs=differs,
        agreed=not problem and (asked or differs is not None), problem=problem,
    )  # fmt: skip


def _your_pool(state: Setting, x: np.ndarray, data: Data) -> tuple[np.ndarray | None, str]:
    """Return where the student's max pooling of the padded image is wrong, and in words."""
    if "max_pool" not in data:
        return None, ""
    given = padded(x[None], state)
    side = given.shape[1] - (given.shape[1] - state.kernel) % state.stride  # the notebook's refuses what does not tile
    given = given[:, :side, :side]
    expected = windows(given, state.kernel, state.stride).max(axis=(3, 4))[0]
    options = {"pool_h": state.kernel, "pool_w": state.kernel, "stride": state.stride}
    answer, problem = ask(data["max_pool"], given[:, None], shape=(1, 1, *expected.shape), options=options)
    if answer is None:
        return None, problem
    wrong = ~np.isclose(answer[0, 0], expected)
    if wrong.any():
        i, j = (int(v) for v in np.argwhere(wrong)[0])
        problem = f"your out[0, 0, {i}, {j}] is {answer[0, 0, i, j]:.4g}, expected {expected[i, j]:.4g}; "
        problem += f"{wrong.sum()} of {wrong.size} outputs differ"
    return wrong, problem


def _your_gap(state: Setting, x: np.ndarray, gap: float, step: int, data: Data) -> tuple[str, bool]:
    """Return what is wrong with the student's equivariance gap, and whether it was asked."""
    height = len(apply(state, x[None])[0])
    if "gap" not in data or 2 * state.border >= height:
        return "", False

    def layer(images: np.ndarray) -> np.ndarray:
        return apply(state, images[:, 0])[:, None]

    options = {"shift": (state.dy, state.dx), "stride": step, "border": state.border}
    answer, problem = ask(data["gap"], layer, x[None, None], shape=(), options=options)
    if answer is not None and not np.isclose(answer, gap, atol=1e-12):
        problem = f"your gap is {float(answer):.6g}, expected {gap:.6g}"
    return problem, True
