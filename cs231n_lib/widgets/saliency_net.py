"""A small trained ConvNet in NumPy, and four ways to ask it which pixels a score hangs on.

Three convolutions (5x5; 3x3 stride 2; 3x3 stride 2), each with a ReLU, the mean over places, and an affine layer:
10,802 numbers in saliency_net.npz, which benchmarks/saliency_net.py made from 8,000 drawn images. They are
right on 92 % of 1,000 other images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cs231n_lib.kernels import conv_forward_fast
from cs231n_lib.shapes10 import SIZE, Challenges, draw

MILD = Challenges(viewpoint=0.2, clutter=0.25, occlusion=0.1, deformation=0.15, intraclass=0.4, illumination=0.4)
STRIDES, KERNELS = (1, 2, 2), (5, 3, 3)
CHANNELS = (12, 24, 32)
FIELD, JUMP = (5, 7, 11), (1, 2, 4)  # pixels that one unit of each layer sees, and between neighbours
METHODS = ("gradient", "guided", "Grad-CAM", "occlusion")
PATCH, HOP = 8, 6  # side of the grey square that hides pixels, and the step it moves by
BANK, SHOWN = 40, 20  # images searched for the strongest patches; of them, those to choose from

Params = tuple[np.ndarray, ...]  # w, b of each convolution and of the last layer, float32


@lru_cache(maxsize=1)
def trained() -> Params:
    """Return the stored weights."""
    with np.load(Path(__file__).with_name("saliency_net.npz")) as stored:
        return tuple(stored[f"p{i}"].astype(np.float32) for i in range(8))


@lru_cache(maxsize=3)
def params_of(weights: str) -> Params:
    """Return the weights: "trained"; "top random", the last two layers' numbers shuffled; "all random", everyone's."""
    rng = np.random.default_rng(0)
    start = {"trained": 8, "top random": 4, "all random": 0}[weights]
    return tuple(rng.permutation(p.ravel()).reshape(p.shape) if i >= start else p for i, p in enumerate(trained()))


@lru_cache(maxsize=1)
def bank() -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (BANK, 32, 32, 3) that the net was not trained on, and labels (BANK,)."""
    labels = np.arange(BANK) * 7 % 10
    return draw(labels, np.random.default_rng(4), MILD), labels


def to_input(images: np.ndarray) -> np.ndarray:
    """Return images uint8 (N, 32, 32, 3) as float32 (N, 3, 32, 32) in [0, 1]."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32) / 255


@dataclass(frozen=True)
class Trace:
    """A forward pass: each layer's input and output (N, C, H, W), and the scores (N, 10)."""

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    scores: np.ndarray


def forward(params: Params, x: np.ndarray) -> Trace:
    """Run the net on x, float (N, 3, 32, 32) in [0, 1]."""
    a = (x - 0.5) / 0.25
    inputs, outputs = [], []
    for layer, stride in enumerate(STRIDES):
        inputs.append(a)
        a = np.maximum(_convolve(a, params[2 * layer], params[2 * layer + 1], stride), 0)
        outputs.append(a)
    return Trace(inputs, outputs, a.mean(axis=(2, 3)) @ params[6].T + params[7])


def _convolve(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int) -> np.ndarray:
    # The kernel wants windows that tile their input: the padding that the stride would leave out is not added.
    half = w.shape[-1] // 2
    far = half - (x.shape[-1] + 2 * half - w.shape[-1]) % stride
    return conv_forward_fast(np.pad(x, ((0, 0), (0, 0), (half, far), (half, far))), w, b, stride=stride)[0]


def backward(params: Params, trace: Trace, dout: np.ndarray, *, layer: int = 2, guided: bool = False) -> np.ndarray:
    """Return the gradient at the pixels, (N, 3, 32, 32), for `dout` at the outputs of a layer (from 0).

    guided : stop negative gradients at every ReLU, also where the forward pass was positive
    """
    for at in reversed(range(layer + 1)):
        dout = dout * (trace.outputs[at] > 0)
        if guided:
            dout = np.maximum(dout, 0)
        w, x, stride = params[2 * at], trace.inputs[at], STRIDES[at]
        kernel, (height, width) = KERNELS[at], dout.shape[2:]
        wide = np.zeros((*x.shape[:2], x.shape[2] + kernel - 1, x.shape[3] + kernel - 1), dtype=dout.dtype)
        taps = np.einsum("nfhw,fckl->klnchw", dout, w, optimize=True)
        for i in range(kernel):
            for j in range(kernel):
                wide[:, :, i : i + stride * height : stride, j : j + stride * width : stride] += taps[i, j]
        dout = wide[:, :, kernel // 2 : kernel // 2 + x.shape[2], kernel // 2 : kernel // 2 + x.shape[3]]
    return dout / 0.25


def score_gradient(params: Params, trace: Trace, target: int) -> np.ndarray:
    """Return d score[target] / d output of the last convolution, (N, 32, 8, 8): the same at each place."""
    last = trace.outputs[-1]
    places = last.shape[2] * last.shape[3]
    return np.broadcast_to(params[6][target][None, :, None, None] / np.float32(places), last.shape)


def hidden(image: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return copies (P, 3, 32, 32) of an image (3, 32, 32), each with a grey square, and the squares' corners."""
    corners = [(i, j) for i in range(0, SIZE - PATCH + 1, HOP) for j in range(0, SIZE - PATCH + 1, HOP)]
    copies = np.repeat(image[None], len(corners), axis=0)
    for copy, (i, j) in zip(copies, corners, strict=True):
        copy[:, i : i + PATCH, j : j + PATCH] = 0.5
    return copies, corners


def drop_map(drops: np.ndarray, corners: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return (32, 32): for each pixel the mean loss of score over the squares that hid it."""
    total, count = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for drop, (i, j) in zip(drops, corners, strict=True):
        total[i : i + PATCH, j : j + PATCH] += drop
        count[i : i + PATCH, j : j + PATCH] += 1
    return total / count


def occlusion(scores: Callable[[np.ndarray], np.ndarray], image: np.ndarray, target: int) -> np.ndarray:
    """Return how much score each pixel's hiding costs, (32, 32), for any function from images to scores."""
    copies, corners = hidden(image)
    values = scores(np.concatenate([image[None], copies]))[:, target]
    return drop_map(values[0] - values[1:], corners)


def enlarge(small: np.ndarray) -> np.ndarray:
    """Return a map (H, W) on all 32 x 32 pixels, interpolated."""
    middle = (np.arange(len(small)) + 0.5) * SIZE / len(small) - 0.5
    weights = np.stack([np.interp(np.arange(SIZE), middle, row) for row in np.eye(len(small))])  # (H, 32)
    return weights.T @ small @ weights


@lru_cache(maxsize=128)
def maps(weights: str, image: int, target: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return each method's signed and absolute map, (32, 32) each.

    Gradients: the sum, and the largest absolute value, over the colour channels. Grad-CAM: with and without its last
    ReLU, as its paper has it. Occlusion: the loss of score, and its size.
    """
    params, x = params_of(weights), to_input(bank()[0][image : image + 1])
    trace = forward(params, x)
    dlast = score_gradient(params, trace, target)
    found = {}
    for name in ("gradient", "guided"):
        dx = backward(params, trace, dlast, guided=name == "guided")[0]
        found[name] = (dx.sum(axis=0), np.abs(dx).max(axis=0))
    last = trace.outputs[-1][0]
    cam = enlarge((dlast[0].sum(axis=(1, 2))[:, None, None] * last).sum(axis=0))
    found["Grad-CAM"] = (cam, np.maximum(cam, 0))
    lost = occlusion(lambda batch: forward(params, batch).scores, x[0], target)
    found["occlusion"] = (lost, np.abs(lost))
    return found


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation of two maps: 1 if they order the pixels alike. 0 if one of them is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks; equal values share their mean rank."""
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse.ravel()]


@lru_cache(maxsize=16)
def strongest(weights: str, layer: int, channel: int) -> tuple[list[np.ndarray], list[float]]:
    """Return the nine patches of different images that excite a channel most, uint8 (field, field, 3), and how much."""
    values = _activations(weights)[layer][:, channel]
    flat = values.reshape(BANK, -1)
    order = np.argsort(-flat.max(axis=1), kind="stable")[:9]
    field, images = FIELD[layer], bank()[0]
    patches = []
    for i in order:
        row, column = divmod(int(flat[i].argmax()), values.shape[2])
        top, left = row * JUMP[layer], column * JUMP[layer]  # in the image padded by half a field
        around = np.pad(images[i], ((field // 2,) * 2, (field // 2,) * 2, (0, 0)), mode="edge")
        patches.append(around[top : top + field, left : left + field])
    return patches, [float(flat[i].max()) for i in order]


@lru_cache(maxsize=3)
def _activations(weights: str) -> list[np.ndarray]:
    return [a.astype(np.float16) for a in forward(params_of(weights), to_input(bank()[0])).outputs]
