"""What is examined in N05, second part: a histogram of hues in which gray is no colour."""

import colorsys
from collections.abc import Callable

import numpy as np

from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

SLIPS = {  # the slips that `hues` can make on purpose, and what to tell someone who made one
    "hard-gray": "A pixel with a trace of colour is not fully coloured: C / 255 of its vote goes to the hue, the rest "
    "to the gray bin.",
    "gray-as-red": "Every pixel votes for a hue in full, so gray pixels, whose hue comes out as 0, count as red. "
    "Of a pixel's vote, C / 255 goes to its hue and the rest to the gray bin.",
    "gray-bin-empty": "The rest of each vote, 1 - C / 255, belongs to the last bin: gray.",
    "saturation": "You divide C by the largest channel: that makes noise in the dark fully coloured. Divide by 255.",
    "raw-chroma": "C runs from 0 to 255: the share of the hue is C / 255.",
    "channel-order": "Red comes first in RGB, blue last.",
    "no-sector": "Each third of the circle has its own start: 0 where red is largest, 2 for green, 4 for blue.",
    "hue-not-sixth": "The formula counts sixths of the circle, from 0 to 6: divide by 6.",
    "negative-clipped": "Where blue exceeds green in a red pixel, (G - B) / C is negative: take it modulo 6.",
    "gray-first": "The gray bin comes last.",
}


def hues(images: np.ndarray, bins: int, slip: str = "") -> np.ndarray:
    """Return the histogram (N, bins + 1) by a loop over pixels and the standard library's hue.

    images : (N, H, W, 3) in [0, 255];  slip : a mistake to make on purpose, one of `SLIPS`
    """
    table = np.zeros((len(images), bins + 1))
    for row, image in zip(table, images.astype(float), strict=True):
        for r, g, b in image.reshape(-1, 3).tolist():
            if slip == "channel-order":
                r, b = b, r
            hue, saturation, _ = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
            chroma = max(r, g, b) - min(r, g, b)
            if slip == "no-sector":
                hue = (hue * 6 - (0 if r >= max(g, b) else 2 if g >= b else 4)) % 6 / 6 if chroma else 0.0
            if slip == "hue-not-sixth":
                hue *= 6
            if slip == "negative-clipped" and r >= g and r >= b > g:
                hue = 0.0
            share = {
                "gray-as-red": 1.0,
                "hard-gray": float(chroma > 0),
                "saturation": saturation,
                "raw-chroma": chroma,
            }.get(slip, chroma / 255)
            row[min(int(hue * bins), bins - 1)] += share
            row[-1] += 0 if slip == "gray-bin-empty" else 1 - share
    table /= images[0, ..., 0].size
    return np.roll(table, 1, axis=1) if slip == "gray-first" else table


def colours_inside_bins(rng: np.random.Generator, shape: tuple[int, int, int], bins: int) -> np.ndarray:
    """Return random uint8 images (N, H, W, 3) without a hue on the border of two bins, where rounding would decide."""
    pixels: list[tuple[int, int, int]] = []
    while len(pixels) < shape[0] * shape[1] * shape[2]:
        r, g, b = (int(value) for value in rng.integers(0, 256, size=3))
        position = colorsys.rgb_to_hsv(r, g, b)[0] * bins
        if abs(position - round(position)) > 1e-6:
            pixels.append((r, g, b))
    return np.array(pixels, dtype=np.uint8).reshape(*shape, 3)


def _mistakes(images: np.ndarray, bins: int, want: np.ndarray) -> list[Symptom]:
    def slipped(slip: str) -> Callable[[np.ndarray], bool]:
        return lambda got: looks_like(hues(images, bins, slip), rtol=1e-5)(got)

    pixels = images[0, ..., 0].size
    counts = "These are counts, which grow with the image: divide by the number of pixels."
    return [
        Symptom("counts", looks_like(want * pixels, rtol=1e-5), counts),
        Symptom(
            "pooled",
            lambda got: bool(np.ptp(want, axis=0).max() > 1e-3 and np.ptp(got, axis=0).max() < 1e-6),
            "All images have the same histogram: sum over the pixels of each image, axes 1 and 2, not over axis 0.",
        ),
    ] + [Symptom(name, slipped(name), hint) for name, hint in SLIPS.items()]


def histogram_close(subject: Subject, images: np.ndarray, report: Report, *, bins: int) -> None:
    """Require the right histogram of these images."""
    got = histogram_shape(subject(images, num_bins=bins), (len(images), bins + 1), report)
    want = hues(images, bins)
    report.close(got, want, rtol=1e-4, atol=1e-6, name="histogram", symptoms=_mistakes(images, bins, want))


def histogram_shape(got: object, shape: tuple[int, int], report: Report) -> np.ndarray:
    """Require a float array of this shape, naming a missing gray bin."""
    if isinstance(got, np.ndarray) and got.shape == (shape[0], shape[1] - 1):
        report.fail(
            f"the result must have shape (N, num_bins + 1) = {shape}, got {got.shape}",
            hint="After the bins of hue comes one more, for gray: a gray pixel has no hue and must not count as red.",
            symptom="no-gray-bin",
        )
    return report.array(got, shape)


@exercise("feat-hue_histogram", points=4, title="colour histogram")
def examine_hue(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, h, w = (int(size) for size in rng.permutation([3, 4, 5]))
    images = colours_inside_bins(rng, (n, h, w), 10).astype(float)
    with report.stage("shape and dtype"):
        call = subject.call(images)
        histogram_shape(call.value, (n, 11), report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["images"])
    with report.stage("colours worked by hand"):
        _require_by_hand(subject, report)
    with report.stage("values"):
        want = hues(images, 10)
        report.close(call.value, want, rtol=1e-4, atol=1e-6, name="histogram", symptoms=_mistakes(images, 10, want))
    with report.stage("faint colours"):
        faint = 100 + colours_inside_bins(rng, (n, h, w), 10) / 1000  # channels differ by less than 1
        histogram_close(subject, faint, report, bins=10)
    with report.stage("uint8 images"):
        got = histogram_shape(subject(images.astype(np.uint8)), (n, 11), report)
        report.require(
            bool(np.allclose(got, want, rtol=1e-4, atol=1e-6)),
            "the same images as uint8 have another histogram",
            hint="In uint8, 3 - 5 is 254. Convert to float before you subtract channels.",
            symptom="uint8-overflow",
        )
    with report.stage("other bins, float32, column order"):
        histogram_close(subject, colours_inside_bins(rng, (w, n, h), 7), report, bins=7)
        columns = np.asfortranarray(colours_inside_bins(rng, (2, w, n), 16), dtype=np.float32)
        histogram_close(subject, columns, report, bins=16)


def _require_by_hand(subject: Subject, report: Report) -> None:
    """Require the histogram of images of one colour: red, yellow, green, blue, pink, pale red, black, gray, white."""
    colours = [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 0, 255), (255, 0, 60), (255, 128, 128)]
    colours += [(level, level, level) for level in (0, 70, 255)]
    paint = np.array(colours, dtype=float)[:, None, None] + np.zeros((9, 2, 3, 3))
    by_hand = np.eye(11)[[0, 1, 3, 6, 9, 0, 10, 10, 10]]
    by_hand[5, [0, 10]] = 127 / 255, 128 / 255
    got = histogram_shape(subject(paint), (9, 11), report)
    report.require(
        bool(np.isfinite(got).all()),
        "a gray image gives nan",
        hint="Gray has C = 0, and 0 / 0 is nan: divide by C only where C > 0.",
        symptom="gray-nan",
    )
    report.close(got, by_hand, rtol=1e-4, atol=1e-6, name="histogram", symptoms=_mistakes(paint, 10, by_hand))
