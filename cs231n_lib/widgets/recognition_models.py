"""The numbers of the recognition explorer: challenged and augmented images, and what three classifiers say of them.

k-NN looks among images drawn here; the linear classifier and the ConvNet were trained on 10,000 of the same kind by
`python benchmarks/recognition_models.py`, which wrote recognition.npz.
"""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cs231n_lib.kernels import conv_forward_fast, max_pool_forward_fast
from cs231n_lib.shapes10 import CLASSES, Challenges, draw

from .base import Button, Choice, Data, Slider, State, Switch, ask

# What each augmentation asks for if the label is to stay the same.
KEEPS = {
    "flip": "mirrored: same shape; not so for text, digits, road signs",
    "crop": "shifted: as long as the object stays in the picture",
    "jitter": "other light and colour: unless colour is the class",
    "cutout": "cut out: as long as enough of the object is left",
}
KNOBS = tuple(field.name for field in dataclasses.fields(Challenges))
MODELS = ("k-NN", "linear", "ConvNet")
TRAIN, NEIGHBOURS = 200, 5  # images that k-NN knows: drawing one takes about a millisecond, at the first look
SIZE, SAMPLES, LARGEST = 32, 16, 24
SEVERITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
TAB, LAB = {"tab": "challenges"}, {"tab": "augmentation"}
COVERED = {"tab": "challenges", "cover": (10, *range(1, 10), *range(11, LARGEST + 1))}


@dataclass(frozen=True)
class Scene(State):
    """The object, how hard it is made to recognize, and how it is augmented."""

    tab: str = "challenges"
    name: str = "arrow"
    viewpoint: float = 0.0
    illumination: float = 0.0
    clutter: float = 0.0
    occlusion: float = 0.0
    deformation: float = 0.0
    intraclass: float = 0.0
    context: float = 0.0
    sweep: str = "viewpoint"
    cover: int = 0
    cover_x: int = 16
    cover_y: int = 16
    flip: bool = True
    crop: int = 4
    jitter: float = 0.3
    cutout: int = 0
    seed: int = 0


CONTROLS = (
    Choice("tab", "show", ("challenges", "augmentation")),
    Choice("name", "object", CLASSES),
    *(Slider(knob, knob, 0.0, 1.0, step=0.1, needs=TAB) for knob in KNOBS),
    Choice("sweep", "curve over", KNOBS, needs=TAB),
    Slider("cover", "grey square (px)", 0, LARGEST, needs=TAB),
    Slider("cover_x", "middle, across", 0, SIZE - 1, needs=COVERED),
    Slider("cover_y", "middle, down", 0, SIZE - 1, needs=COVERED),
    Switch("flip", "mirror half", needs=LAB),
    Slider("crop", "shift up to (px)", 0, 12, needs=LAB),
    Slider("jitter", "colour jitter", 0.0, 1.0, step=0.1, needs=LAB),
    Slider("cutout", "cut out (px)", 0, LARGEST, needs=LAB),
    Slider("seed", "seed", 0, 9),
    Button("worst", "Most harmful place", needs=TAB),
)


@dataclass(frozen=True)
class Verdicts:
    """An image, what was done to it, and what the classifiers say. Shares are of votes for k-NN, of softmax else."""

    state: Scene
    truth: int
    original: np.ndarray  # uint8 (32, 32, 3), all challenges at 0
    image: np.ndarray  # uint8 (32, 32, 3)
    shares: np.ndarray  # float (3 models, 10)
    distance: float  # L2 between image and original, pixels in [0, 1]
    changed: float  # share of pixels that differ from the original's
    curve: np.ndarray  # float (3, 6): share of the true class at each of SEVERITIES
    distances: np.ndarray  # float (6,): L2 there
    samples: np.ndarray  # uint8 (16, 32, 32, 3), augmented
    guesses: np.ndarray  # int (3, 16)
    yours: np.ndarray | None  # int labels: of the image, then of the curve; or of the samples
    problem: str


@lru_cache(maxsize=1)
def weights() -> dict[str, np.ndarray]:
    """Return the stored weights in float32, and what is stored beside them."""
    with np.load(Path(__file__).with_name("recognition.npz"), allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


@lru_cache(maxsize=1)
def memory() -> tuple[np.ndarray, np.ndarray]:
    """Return what k-NN knows: rows float32 (TRAIN, 3072) in [0, 1] and labels, the first that the others trained on."""
    labels = np.arange(TRAIN) % len(CLASSES)
    return draw(labels, np.random.default_rng(1)).reshape(TRAIN, -1) / np.float32(255), labels


@lru_cache(maxsize=256)
def drawn(label: int, seed: int, knobs: tuple[float, ...]) -> np.ndarray:
    """Return one image, uint8 (32, 32, 3)."""
    challenges = Challenges(**dict(zip(KNOBS, knobs, strict=True)))
    return draw(np.array([label]), np.random.default_rng([seed, 7]), challenges)[0]


def softmax(scores: np.ndarray) -> np.ndarray:
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exps / exps.sum(axis=1, keepdims=True)


def nearest(images: np.ndarray) -> np.ndarray:
    """Return the share of votes (N, 10) of the nearest images of the memory."""
    rows, labels = memory()
    queries = images.reshape(len(images), -1) / np.float32(255)
    gaps = (rows**2).sum(axis=1) - 2 * queries @ rows.T  # squared distance, up to each query's own square
    near = labels[np.argsort(gaps, axis=1, kind="stable")[:, :NEIGHBOURS]]
    return (near[:, :, None] == np.arange(len(CLASSES))).mean(axis=1)


def linear(images: np.ndarray) -> np.ndarray:
    """Return the linear classifier's shares (N, 10)."""
    w = weights()
    x = (images.transpose(0, 3, 1, 2) / np.float32(255) - np.float32(0.5)).reshape(len(images), -1)
    return softmax(x @ w["linear_0"].T + w["linear_1"])


def convnet(images: np.ndarray) -> np.ndarray:
    """Return the ConvNet's shares (N, 10): three times convolution, ReLU and 2x2 max pool, then one linear layer."""
    w = weights()
    x = np.ascontiguousarray(images.transpose(0, 3, 1, 2) / np.float32(255) - np.float32(0.5))
    for i in (0, 2, 4):
        x, _ = conv_forward_fast(x, w[f"net_{i}"], w[f"net_{i + 1}"], pad=1)
        x, _ = max_pool_forward_fast(np.maximum(x, 0), pool_h=2, pool_w=2, stride=2)
    return softmax(x.reshape(len(x), -1) @ w["net_6"].T + w["net_7"])


def covered(images: np.ndarray, size: int, x: int, y: int) -> np.ndarray:
    """Return images (N, 32, 32, 3) with a grey square of this side around column x, row y."""
    top, left = y - size // 2, x - size // 2
    out = images.copy()
    out[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 128
    return out


def flipped(images: np.ndarray) -> np.ndarray:
    """Return images (N, 32, 32, 3) mirrored left to right."""
    return images[:, :, ::-1]


def augmented(image: np.ndarray, state: Scene) -> np.ndarray:
    """Return SAMPLES draws of the policy from one image, uint8 (16, 32, 32, 3): shift, mirror, jitter, cut out."""
    rng = np.random.default_rng([state.seed, 11])
    mirror, shift = rng.random(SAMPLES), rng.random((SAMPLES, 2))
    gain, tint, centre = rng.random((SAMPLES, 2)), rng.random((SAMPLES, 3)), rng.integers(0, SIZE, (SAMPLES, 2))
    out = np.empty((SAMPLES, SIZE, SIZE, 3), np.uint8)
    pad = state.crop
    wide = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    for i in range(SAMPLES):
        top, left = (int(v) for v in np.floor(shift[i] * (2 * pad + 1)))
        one = wide[top : top + SIZE, left : left + SIZE]
        if state.flip and mirror[i] < 0.5:
            one = flipped(one[None])[0]
        bright, contrast = 1 + state.jitter * (2 * gain[i] - 1)
        colour = 1 + 0.5 * state.jitter * (2 * tint[i] - 1)
        if state.jitter:
            mean = one.mean()
            one = np.clip(((one - mean) * contrast + mean) * bright * colour, 0, 255).round()
        out[i] = one
        if state.cutout:
            out[i : i + 1] = covered(out[i : i + 1], state.cutout, int(centre[i, 0]), int(centre[i, 1]))
    return out


def compute(state: Scene, data: Data) -> Verdicts:
    """Return the images and the verdicts on them."""
    truth = CLASSES.index(state.name)
    knobs = tuple(getattr(state, knob) for knob in KNOBS)
    at = KNOBS.index(state.sweep)
    swept = [drawn(truth, state.seed, (*knobs[:at], severity, *knobs[at + 1 :])) for severity in SEVERITIES]
    original = drawn(truth, state.seed, (0.0,) * len(KNOBS))
    image = drawn(truth, state.seed, knobs)
    batch = covered(np.stack([image, *swept]), state.cover, state.cover_x, state.cover_y)  # (7, 32, 32, 3)
    shares = np.stack([model(batch) for model in (nearest, linear, convnet)])  # (3, 7, 10)
    apart = (batch.astype(float) - original) / 255
    samples = augmented(image, state)
    guesses = np.zeros((3, SAMPLES), int)
    if state.tab == "augmentation":
        guesses = np.stack([model(samples).argmax(axis=1) for model in (nearest, linear, convnet)])
    yours, problem = _yours(batch if state.tab == "challenges" else samples, data)
    return Verdicts(
        state=state, truth=truth, original=original, image=batch[0], shares=shares[:, 0], samples=samples,
        distance=float(np.sqrt((apart[0] ** 2).sum())), changed=float((apart[0] != 0).any(axis=2).mean()),
        curve=shares[:, 1:, truth], distances=np.sqrt((apart[1:] ** 2).sum(axis=(1, 2, 3))), guesses=guesses,
        yours=yours, problem=problem,
    )  # fmt: skip


def _yours(images: np.ndarray, data: Data) -> tuple[np.ndarray | None, str]:
    """Return the student's labels of images, and what is wrong with them."""
    if "predict" not in data:
        return None, ""
    answer, problem = ask(data["predict"], images, shape=(len(images),))
    if answer is None:
        return None, problem
    if not np.isin(answer, np.arange(len(CLASSES))).all():
        wrong = answer[~np.isin(answer, np.arange(len(CLASSES)))][0]
        return None, f"your labels must be whole numbers 0 to {len(CLASSES) - 1}, got {wrong:g}"
    return answer.astype(int), ""


def most_harmful(state: Scene) -> tuple[int, int, int]:
    """Return (size, x, y) of the square, of the size chosen or 10, that costs the ConvNet most of its confidence."""
    size = state.cover or 10
    knobs = tuple(getattr(state, knob) for knob in KNOBS)
    image = drawn(CLASSES.index(state.name), state.seed, knobs)[None]
    places = [(x, y) for y in range(4, SIZE, 4) for x in range(4, SIZE, 4)]
    share = convnet(np.concatenate([covered(image, size, x, y) for x, y in places]))
    x, y = places[int(share[:, CLASSES.index(state.name)].argmin())]
    return size, x, y
