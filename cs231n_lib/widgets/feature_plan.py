"""The numbers of the feature explorer: changed images, histograms of colour and gradient, a codebook and its bags."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES, draw

from .base import Choice, Data, Slider, State, ask

SIDE, IMAGES, NEAREST, SAMPLE, MOST_STEPS = 32, 30, 4, 256, 8
SEAM = 1e-12  # a hue on the seam of two bins belongs to the upper one, whatever its rounding
KINDS = ("pixels", "colours", "gradients", "words")
CHANGES = ("none", "shuffle pixels", "shuffle patches", "rotate by 90°", "mirror", "half the contrast", "negative",
           "shift by 3 pixels")  # fmt: skip


@dataclass(frozen=True)
class Settings(State):
    """Which image, what is done to it, and the settings of the three features."""

    image: int = 4
    change: str = "shuffle pixels"
    bins: int = 10
    cell: int = 8
    orientations: int = 9
    patch: int = 8
    words: int = 16
    steps: int = 4
    seed: int = 0


CONTROLS = (
    Slider("image", "image", 0, IMAGES - 1),
    Choice("change", "change", CHANGES),
    Slider("bins", "colour bins", 3, 24),
    Choice("cell", "HOG cell", (4, 8, 16)),
    Slider("orientations", "orientations", 4, 18),
    Choice("patch", "patch size", (4, 8)),
    Slider("words", "visual words", 2, 24),
    Slider("steps", "k-means steps", 0, MOST_STEPS),
    Slider("seed", "seed", 0, 9, hint="other images, other first words, another shuffle"),
)


@dataclass(frozen=True)
class Features:
    """What is drawn. The image's own features are those after the change."""

    state: Settings
    name: str
    image: np.ndarray  # uint8 (32, 32, 3)
    changed: np.ndarray  # uint8 (32, 32, 3)
    colours: np.ndarray  # float (bins + 1,): pixels of each hue, then of grey; they sum to 32 * 32
    hog: np.ndarray  # float (cells, cells, orientations), of length 1
    codebook: np.ndarray  # float (words, patch, patch)
    inertia: np.ndarray  # float (MOST_STEPS + 1,): squared distance of all patches to their words, after each step
    written: np.ndarray  # int (32 / patch, 32 / patch): the word of each patch
    bag: np.ndarray  # float (words,): share of each word
    noticed: np.ndarray  # float (4,): distance to the original by each of KINDS; 1: as far as the others on average
    nearest: np.ndarray  # int (4, NEAREST)
    images: np.ndarray  # uint8 (IMAGES, 32, 32, 3)
    labels: np.ndarray  # int (IMAGES,)
    wrong: dict[str, np.ndarray]  # which entries of colours, hog, codebook, bag the student's functions give otherwise
    asked: int
    problem: str


# --- the three features


def grey(images: np.ndarray) -> np.ndarray:
    """Return brightness (N, H, W) of images (N, H, W, 3), by the weights of ITU-R BT.601."""
    return np.einsum("nhwc,c->nhw", images, [0.299, 0.587, 0.114])


def hues_of(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hue in sixths of the colour circle, [0, 6), and how far from grey each pixel is, 0 to 1: (N, H, W)."""
    high, low = images.max(axis=-1, keepdims=True).astype(float), images.min(axis=-1, keepdims=True)
    spread = high - low  # (N, H, W, 1)
    below = (high - images) / np.where(spread == 0, 1, spread)  # (N, H, W, 3): 0 for the largest channel
    red, green, blue = np.moveaxis(below, -1, 0)
    sector = np.select([red == 0, green == 0], [blue - green, 2 + red - blue], 4 + green - red)
    return sector % 6, spread[..., 0] / 255


def colour_histogram(images: np.ndarray, bins: int) -> np.ndarray:
    """Return the pixels of each hue and, last, of grey, (N, bins + 1); a pixel is split by how far from grey it is."""
    hue, colourful = hues_of(images)
    place = np.floor(hue * bins / 6 + SEAM).astype(int) % bins
    slot = place + bins * np.arange(len(images))[:, None, None]  # one counter for each image and bin
    coloured = np.bincount(slot.ravel(), colourful.ravel(), minlength=len(images) * bins).reshape(-1, bins)
    return np.concatenate([coloured, images[0, ..., 0].size - coloured.sum(axis=1, keepdims=True)], axis=1)


def seam_votes(images: np.ndarray, bins: int) -> np.ndarray:
    """Return for each bin, (N, bins + 1), the pixels with a hue on its border: rounding may put them on either side."""
    hue, colourful = hues_of(images)
    border = np.rint(hue * bins / 6)
    votes = np.where(np.abs(hue * bins / 6 - border) < 1e-6, colourful, 0)[..., None]
    touching = ((border[..., None] - np.arange(bins)) % bins <= 1) * votes
    return np.concatenate([touching.sum(axis=(1, 2)), np.zeros((len(images), 1))], axis=1)


def gradient_histogram(grey: np.ndarray, cell: int, count: int) -> np.ndarray:
    """Return HOG, float (N, H / cell, W / cell, count): each image's numbers have length 1, or are 0 if it is even.

    A pixel's vote, the length of its gradient, falls off linearly on either side of its orientation, mod 180 degrees.
    """
    down, right = np.gradient(grey, axis=(1, 2))
    n, height, width = grey.shape
    turn = np.arctan2(down, right) / np.pi * count  # in bins, (N, H, W)
    lower = np.floor(turn)
    cells = np.arange(n * (height // cell) * (width // cell)).reshape(n, height // cell, 1, width // cell, 1)
    cells = np.broadcast_to(cells, (n, height // cell, cell, width // cell, cell)).reshape(grey.shape)
    slots = np.stack([cells * count + (lower + side).astype(int) % count for side in (0, 1)])  # (2, N, H, W)
    votes = np.hypot(down, right) * np.stack([1 - (turn - lower), turn - lower])
    table = np.bincount(slots.ravel(), votes.ravel(), minlength=(cells.max() + 1) * count)
    table = table.reshape(n, height // cell, width // cell, count)
    size = np.sqrt((table**2).sum(axis=(1, 2, 3), keepdims=True))
    return table / np.where(size == 0, 1, size)


def patches_of(grey: np.ndarray, size: int) -> np.ndarray:
    """Return the squares of each image side by side, (N, P, size * size), without their mean and contrast."""
    n, count = len(grey), SIDE // size
    cut = grey.reshape(n, count, size, count, size).swapaxes(2, 3).reshape(n, count * count, size * size)
    cut = cut - cut.mean(axis=2, keepdims=True)
    return cut / (np.linalg.norm(cut, axis=2, keepdims=True) + 10)  # 10: an even square stays even


def nearest_words(patches: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the word of each patch (P,), and the inertia: the sum of squared distances."""
    # |p - w|^2 = |p|^2 - 2 p w + |w|^2, where |p|^2 is the same for every word
    gaps = (words**2).sum(axis=1) - 2 * patches @ words.T  # (P, K)
    return gaps.argmin(axis=1), float(np.maximum(gaps.min(axis=1) + (patches**2).sum(axis=1), 0).sum())


def k_means(patches: np.ndarray, first: np.ndarray, steps: int) -> tuple[np.ndarray, list[float]]:
    """Return the words after some steps, and the inertia before each step and at the end."""
    words, inertia = first.copy(), []
    for step in range(steps + 1):
        chosen, total = nearest_words(patches, words)
        inertia.append(total)
        if step < steps:
            member = (chosen == np.arange(len(words))[:, None]).astype(float)  # (K, P)
            size = member.sum(axis=1, keepdims=True)
            words = np.where(size > 0, member @ patches / np.maximum(size, 1), words)  # without patches a word stays
    return words, inertia


def histogram(chosen: np.ndarray, count: int) -> np.ndarray:
    """Return the share of each word (N, count) of choices (N, P)."""
    return (chosen[:, :, None] == np.arange(count)).mean(axis=1)


# --- images


@lru_cache(maxsize=4)
def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (IMAGES, 32, 32, 3) and their classes."""
    labels = np.arange(IMAGES) % len(CLASSES)
    return draw(labels, np.random.default_rng(seed)), labels


def change(image: np.ndarray, state: Settings) -> np.ndarray:
    """Return the changed image, uint8 (32, 32, 3)."""
    rng, size = np.random.default_rng([state.seed, 1]), state.patch
    match state.change:
        case "shuffle pixels":
            return rng.permutation(image.reshape(-1, 3)).reshape(image.shape)
        case "shuffle patches":
            count = SIDE // size
            cut = image.reshape(count, size, count, size, 3).swapaxes(1, 2).reshape(-1, size, size, 3)
            mixed = rng.permutation(cut).reshape(count, count, size, size, 3)
            return mixed.swapaxes(1, 2).reshape(image.shape)
        case "rotate by 90°":
            return np.rot90(image)
        case "mirror":
            return image[:, ::-1]
        case "half the contrast":
            return (64 + image / 2).astype(np.uint8)
        case "negative":
            return 255 - image
        case "shift by 3 pixels":
            return np.roll(image, 3, axis=1)
    return image


@lru_cache(maxsize=32)
def material(seed: int, patch: int, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Return patches (SAMPLE, D) for the codebook and different ones among them as first words (words, D)."""
    rng = np.random.default_rng([seed, 2])
    every = patches_of(grey(pictures(seed)[0]), patch).reshape(-1, patch * patch)
    sample = every[rng.permutation(len(every))[:SAMPLE]]
    # Even squares are all 0: two equal words would never part.
    _, different = np.unique(sample.round(6), axis=0, return_index=True)
    return sample, sample[np.sort(different)[:words]]


@lru_cache(maxsize=32)
def codebook(seed: int, patch: int, words: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the words after each number of steps, and the inertia after each."""
    sample, current = material(seed, patch, words)
    found, inertia = [current], []
    for _ in range(MOST_STEPS):
        current, (before, _) = k_means(sample, current, 1)
        found.append(current)
        inertia.append(before)
    return found, np.array([*inertia, nearest_words(sample, current)[1]])


@lru_cache(maxsize=32)
def features_of_all(seed: int, kind: str, first: int, second: int, steps: int) -> np.ndarray:
    """Return a feature of every image as rows."""
    images, _ = pictures(seed)
    return feature(images, kind, first, second, codebook(seed, first, second)[0][steps] if kind == "words" else None)


def feature(images: np.ndarray, kind: str, first: int, second: int, words: np.ndarray | None) -> np.ndarray:
    """Return a feature of images as rows; first and second are its settings."""
    if kind == "colours":
        return colour_histogram(images, first)
    if kind == "gradients":
        return gradient_histogram(grey(images), first, second).reshape(len(images), -1)
    if words is not None:
        squares = patches_of(grey(images), first)
        chosen = nearest_words(squares.reshape(-1, first * first), words)[0].reshape(squares.shape[:2])
        return histogram(chosen, len(words))
    return images.reshape(len(images), -1) / 255


def compute(state: Settings, data: Data) -> Features:
    """Return the features of an image after a change, and what each of them notices of it."""
    images, labels = pictures(state.seed)
    changed = np.ascontiguousarray(change(images[state.image], state))
    words = codebook(state.seed, state.patch, state.words)[0][state.steps]
    settings = {
        "pixels": (0, 0), "colours": (state.bins, 0), "gradients": (state.cell, state.orientations),
        "words": (state.patch, state.words),
    }  # fmt: skip
    mine, noticed, nearest = {}, [], []
    others = np.arange(IMAGES) != state.image
    for kind, (first, second) in settings.items():
        steps = state.steps if kind == "words" else 0
        rows = features_of_all(state.seed, kind, first, second, steps)
        mine[kind] = feature(changed[None], kind, first, second, words if kind == "words" else None)[0]
        usual = np.linalg.norm(rows[others] - rows[state.image], axis=1).mean() or 1.0
        noticed.append(np.linalg.norm(mine[kind] - rows[state.image]) / usual)
        far = np.where(others, np.linalg.norm(rows - mine[kind], axis=1), np.inf)
        nearest.append(np.argsort(far, kind="stable")[:NEAREST])
    squares = patches_of(grey(changed[None]), state.patch)
    count = SIDE // state.patch
    result = Features(
        state=state, name=CLASSES[labels[state.image]], image=images[state.image], changed=changed,
        colours=mine["colours"], hog=mine["gradients"].reshape(SIDE // state.cell, SIDE // state.cell, -1),
        codebook=words.reshape(-1, state.patch, state.patch),
        inertia=codebook(state.seed, state.patch, state.words)[1],
        written=nearest_words(squares[0], words)[0].reshape(count, count), bag=mine["words"],
        noticed=np.array(noticed), nearest=np.array(nearest), images=images, labels=labels, wrong={}, asked=0,
        problem="",
    )  # fmt: skip
    return _with_your_answers(result, squares, words, data)


def _with_your_answers(r: Features, squares: np.ndarray, words: np.ndarray, data: Data) -> Features:
    """Return the result with the entries marked that the student's functions give otherwise."""
    s, shades = r.state, grey(r.changed[None])
    sample, first = material(s.seed, s.patch, s.words)
    hog = r.hog.reshape(1, -1)
    # argument -> (what it is asked, its options, what is expected, the shape in which it is marked)
    questions: dict[str, tuple[tuple, dict, np.ndarray, np.ndarray]] = {
        "hue_histogram": ((r.changed[None],), {"num_bins": s.bins}, r.colours[None] / SIDE**2, r.colours),
        "hog_feature": ((shades,), {"cell_size": s.cell, "num_bins": s.orientations}, hog, r.hog),
        "build_codebook": ((sample, first), {"num_steps": s.steps}, words, r.codebook),
        "encode_bovw": ((squares, words), {}, r.bag[None], r.bag),
    }
    wrong: dict[str, np.ndarray] = {}
    problems, asked = [], 0
    memo = data.setdefault("_answers", {}) if any(name in data for name in questions) else {}
    for name, (given, options, expected, shape) in questions.items():
        if name not in data:
            continue
        asked += 1
        key = (name, *(array.tobytes() for array in given), *options.values())  # what is asked, no more
        if key not in memo:
            while len(memo) > 20:
                memo.pop(next(iter(memo)))
            slack = seam_votes(r.changed[None], s.bins) / SIDE**2 if name == "hue_histogram" else 0.0
            memo[key] = _judge(data[name], given, options, expected, slack)
        off, problem = memo[key]
        problems += [problem] if problem else []
        wrong[name] = off.reshape(shape.shape)
    return Features(**{**r.__dict__, "wrong": wrong, "asked": asked, "problem": "; ".join(problems)})


def _judge(function: Any, given: tuple, options: dict, expected: np.ndarray, slack: Any) -> tuple[np.ndarray, str]:
    """Return which entries differ by more than rounding and slack, bool like expected, and a sentence."""
    answer, problem = ask(function, *given, shape=expected.shape, options=options)
    if answer is None:
        return np.zeros(expected.shape, bool), problem
    off = ~(np.abs(answer - expected) <= 1e-5 + 1e-4 * np.abs(expected) + slack)  # also true for nan
    if not off.any():
        return off, ""
    at = tuple(int(i[0]) for i in np.nonzero(off))
    name = getattr(function, "__name__", type(function).__name__)
    where = ", ".join(map(str, at))
    problem = f"{name}: entry [{where}] is {answer[at]:.4g}, expected {expected[at]:.4g}"
    return off, problem + f"; {off.sum()} of {off.size} differ (marked ✗)"
