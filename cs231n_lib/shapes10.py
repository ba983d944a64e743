"""shapes10: a data set that needs no download, drawn by the library from a seed.

Ten classes of 32x32x3 images, with one knob for each thing that the lectures name as making recognition hard. Every
random number of an image is drawn first, the same count whatever the knobs say, and only then are the knobs applied: so
with the same seed, turning one knob changes that one thing and leaves the object, its colour and its background alone.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cs231n_lib.outlines import OUTLINES

Array = NDArray[np.float64]

VERSION = 1  # raise it when a drawing changes: a stored copy of another version is drawn anew
TITLE = "ten outlines drawn by the library"
CLASSES = tuple(outline.__name__ for outline in OUTLINES)
SIZE = 32  # pixels on a side
PIXEL = 2 / SIZE  # the picture spans [-1, 1], so lengths below are in half pictures
STROKES = 4  # things lying around in the background
CHUNK = 25  # images drawn at a time: 0.2 MB for each plane of float64, so the planes at work stay in the cache

# Random numbers of one image, by use: the order and the counts are the data set, so never change them without VERSION.
_UNIFORMS = {
    "angle": 1, "shift": 2, "scale": 1, "tilt": 1,  # viewpoint
    "gain": 1, "slope": 2, "cast": 3,  # illumination
    "texture": 8 * 8 * 3, "stroke": STROKES * 8,  # clutter
    "occluder": 6, "wave": 6,  # occlusion, deformation
    "outline": 1, "paint": 3, "polarity": 1, "stripes": 4,  # intraclass variation
    "hue": 1, "backdrop": 2,  # context
    "grain": SIZE * SIZE,  # sensor noise
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Challenges:
    """How hard each challenge of the lectures is, from 0 (absent) to 1 (as hard as it gets).

    viewpoint     the camera turns, moves, comes closer or tilts: rotation, shift, scale, foreshortening
    illumination  exposure, a light from one side, the colour of the light
    clutter       background texture, and other things lying around behind the object
    occlusion     an opaque bar in front of the object
    deformation   the object bends in waves
    intraclass    other proportions, other paint, stripes; more objects darker than their background
    context       0: every class keeps to its own background hue; 1: the background tells nothing of the class
    """

    viewpoint: float = 0.3
    illumination: float = 0.5
    clutter: float = 0.35
    occlusion: float = 0.3
    deformation: float = 0.3
    intraclass: float = 0.5
    context: float = 0.85

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                raise ValueError(
                    f"Challenges: {field.name} must be in [0, 1], got {value}; 0 turns the challenge off, 1 is hardest"
                )


def draw(
    labels: NDArray[np.integer], rng: np.random.Generator, challenges: Challenges | None = None
) -> NDArray[np.uint8]:
    """Return one image for each label.

    labels : int array (N,), each in [0, 10), an index into CLASSES
    challenges : knobs; the defaults of `Challenges` when None
    Returns uint8 (N, 32, 32, 3), RGB. Image i depends only on rng's state, i, labels[i] and the knobs.
    """
    labels = np.asarray(labels)
    if (
        labels.ndim != 1
        or labels.dtype.kind not in "iu"
        or (labels.size and not 0 <= labels.min() <= labels.max() < 10)
    ):
        raise ValueError(
            f"draw: labels must be a 1-D integer array of values 0 to 9, got {labels.dtype} {labels.shape}; "
            f"label k stands for CLASSES[k]"
        )
    knobs = challenges or Challenges()
    images = np.empty((len(labels), SIZE, SIZE, 3), dtype=np.uint8)
    for start in range(0, len(labels), CHUNK):
        chunk = slice(start, start + CHUNK)
        uniforms = _split(rng.random((len(labels[chunk]), sum(_UNIFORMS.values()))))
        images[chunk] = _render(labels[chunk], uniforms, knobs)
    return images


def draw_splits(
    *, train: int = 10_000, test: int = 2_000, seed: int = 231
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return (train images, train labels, test images, test labels): the data set itself, the same bytes each time.

    Images are uint8 (N, 32, 32, 3) and labels int64 (N,). Labels are balanced to within one and shuffled.
    """
    rng = np.random.default_rng(seed)
    parts: list[NDArray] = []
    for count in (train, test):
        labels = np.arange(count, dtype=np.int64) % len(CLASSES)
        labels = labels[np.argsort(rng.random(count), kind="stable")]
        parts += [draw(labels, rng), labels]
    return parts[0], parts[1], parts[2], parts[3]


def _split(table: Array) -> dict[str, Array]:
    """Cut one row of random numbers per image, (N, sum of counts), into named blocks (N, count)."""
    names = list(_UNIFORMS)
    return dict(zip(names, np.split(table, np.cumsum(list(_UNIFORMS.values()))[:-1], axis=1), strict=True))


def _render(labels: NDArray[np.integer], u: dict[str, Array], knobs: Challenges) -> NDArray[np.uint8]:
    """Paint back to front: background, clutter, object, occluder, light, noise. Planes are (N, P), images (N, 3, P)."""
    axis = (np.arange(SIZE) + 0.5) * PIXEL - 1  # pixel centres
    y, x = (plane.reshape(1, -1) for plane in np.meshgrid(axis, axis, indexing="ij"))  # (1, P)

    # Context: hue is an angle in turns. Class k lives at k/10; the knob spreads the angle over the whole circle.
    hue = labels[:, None] / len(CLASSES) + knobs.context * (u["hue"] - 0.5)
    value = 0.35 + 0.25 * u["backdrop"][:, :1]
    image = _rgb(hue, 0.25 + 0.4 * u["backdrop"][:, 1:], value)[:, :, None]  # (N, 3, 1)
    image = image + (0.3 * knobs.clutter) * _texture(u["texture"])  # (N, 3, P)
    for stroke in np.split(u["stroke"], STROKES, axis=1):
        _blend(image, _rgb(stroke[:, :1], stroke[:, 1:2], stroke[:, 2:3]), knobs.clutter * _stroke(x, y, stroke))

    inside, stripes = _object(x, y, labels, u, knobs)
    darker = u["polarity"] < 0.35 * knobs.intraclass
    brightness = np.where(darker, value - 0.28, value + 0.3) + 0.1 * (u["paint"][:, 2:] - 0.5)
    paint = _rgb(0.12 + knobs.intraclass * (u["paint"][:, :1] - 0.5), 0.15 + 0.6 * u["paint"][:, 1:2], brightness)
    _blend(image, paint, inside)
    image += (inside * stripes * (0.25 * knobs.intraclass))[:, None, :]

    bar = u["occluder"]
    _blend(image, _rgb(bar[:, :1], bar[:, 1:2], bar[:, 2:3]), _occluder(x, y, bar, knobs.occlusion))

    slope = 2 * u["slope"] - 1
    light = 1 + knobs.illumination * (0.8 * (u["gain"] - 0.5) + 0.5 * (slope[:, :1] * x + slope[:, 1:] * y))  # (N, P)
    cast = 1 + 0.3 * knobs.illumination * (u["cast"] - 0.5)  # (N, 3)
    image *= light[:, None, :]
    image *= cast[:, :, None]
    image += (0.06 * (u["grain"] - 0.5))[:, None, :]
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return pixels.transpose(0, 2, 1).reshape(-1, SIZE, SIZE, 3)


def _object(
    x: Array, y: Array, labels: NDArray[np.integer], u: dict[str, Array], knobs: Challenges
) -> tuple[Array, Array]:
    """Return the object's coverage of each pixel, (N, P) in [0, 1], and its stripes, (N, P) in [-1, 1]."""
    turn = knobs.viewpoint * np.pi * (2 * u["angle"] - 1)
    scale = 0.62 * (1 + knobs.viewpoint * 0.7 * (u["scale"] - 0.5))  # radius of the object, in half pictures
    shift = knobs.viewpoint * 0.6 * (2 * u["shift"] - 1)
    px, py = (x - shift[:, :1]) / scale, (y - shift[:, 1:]) / scale
    px, py = px * np.cos(turn) + py * np.sin(turn), py * np.cos(turn) - px * np.sin(turn)
    px = px * (1 + 0.6 * knobs.viewpoint * u["tilt"])  # seen from the side, one axis is shorter

    bend, wave = 0.22 * knobs.deformation, u["wave"]
    bent_x = px + bend * (2 * wave[:, :1] - 1) * np.sin((2 + 2 * wave[:, 1:2]) * py + 2 * np.pi * wave[:, 2:3])
    bent_y = py + bend * (2 * wave[:, 3:4] - 1) * np.sin((2 + 2 * wave[:, 4:5]) * px + 2 * np.pi * wave[:, 5:])

    distance = np.empty(bent_x.shape)
    proportions = knobs.intraclass * (2 * u["outline"] - 1)
    for k, outline in enumerate(OUTLINES):
        rows = labels == k
        distance[rows] = outline(bent_x[rows], bent_y[rows], proportions[rows])
    direction = 2 * np.pi * u["stripes"][:, :1]
    phase = (4 + 6 * u["stripes"][:, 1:2]) * (bent_x * np.cos(direction) + bent_y * np.sin(direction))
    stripes = u["stripes"][:, 2:3] * np.sin(phase + 2 * np.pi * u["stripes"][:, 3:])
    return _coverage(distance * scale), stripes


def _stroke(x: Array, y: Array, u: Array) -> Array:
    """Coverage (N, P) of one straight stroke somewhere in the picture; its first three numbers are its colour."""
    ax, ay = 2 * u[:, 3:4] - 1, 2 * u[:, 4:5] - 1
    ex, ey = 1.2 * (u[:, 5:6] - 0.5), 1.2 * (u[:, 6:7] - 0.5)
    t = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey + 1e-12), 0, 1)  # 1e-12: a stroke may be a point
    distance = np.sqrt((x - ax - t * ex) ** 2 + (y - ay - t * ey) ** 2)
    return _coverage(distance - 0.04 - 0.12 * u[:, 7:])


def _occluder(x: Array, y: Array, u: Array, amount: float) -> Array:
    """Coverage (N, P) of a bar across the picture that passes within 0.5 of its centre."""
    angle = np.pi * u[:, 3:4]
    distance = np.abs(x * np.cos(angle) + y * np.sin(angle) - (u[:, 4:5] - 0.5))
    return _coverage(distance - 0.4 * amount * u[:, 5:] + PIXEL / 2)  # the half pixel makes a bar of no width vanish


def _coverage(distance: Array) -> Array:
    """Turn signed distance, in half pictures, into the covered share of a pixel: a ramp one pixel wide."""
    return np.clip(0.5 - distance / PIXEL, 0, 1)


def _blend(image: Array, colour: Array, alpha: Array) -> None:
    """Lay colour (N, 3) over image (N, 3, P) in place, with opacity alpha (N, P)."""
    image += (colour[:, :, None] - image) * alpha[:, None, :]


def _texture(u: Array) -> Array:
    """Return smooth noise (N, 3, P) in [-1, 1]: an 8x8 lattice of colours, interpolated."""
    at = np.clip((np.arange(SIZE) + 0.5) * 8 / SIZE - 0.5, 0, 7)  # where each pixel lies between lattice points
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(8)))  # (32, 8)
    lattice = (2 * u - 1).reshape(-1, 3, 8, 8)
    return (weights @ lattice @ weights.T).reshape(len(u), 3, SIZE * SIZE)


def _rgb(hue: Array, saturation: Array, value: Array) -> Array:
    """Return RGB (N, 3) of hue (in turns), saturation and value, each (N, 1)."""
    wheel = (hue + np.array([0.0, 2 / 3, 1 / 3])) % 1.0  # each channel is the same curve, a third of a turn apart
    chroma = np.clip(np.abs(wheel * 6 - 3) - 1, 0, 1)
    return value * (1 - saturation + saturation * chroma)
