"""What is examined in N05, first part: brightness, and histograms of oriented gradients."""

import itertools
import math
from collections.abc import Callable

import numpy as np

from .report import CheckFailed, Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject

BY_HAND = {  # direction in which a ramp brightens (degrees, 90 is down) -> its votes in 9 bins of 20 degrees
    15: {0: 0.25, 1: 0.75},
    75: {3: 0.25, 4: 0.75},
    135: {6: 0.25, 7: 0.75},
    195: {0: 0.25, 1: 0.75},
    255: {3: 0.25, 4: 0.75},
    315: {6: 0.25, 7: 0.75},
}
BORDER_HINT = (
    "Inside the image a difference is (next - previous) / 2; at the border, where one of them is missing, it is the "
    "difference to the only neighbour. np.gradient does both."
)
SLIPS = {  # the slips that `votes` can make on purpose, and what to tell someone who made one
    "axes-swapped": "You took the change along columns for the change along rows: axis 1 runs down (y), axis 2 runs "
    "to the right (x), and the angle is arctan2(dy, dx).",
    "flipped-y": "The sign of dy is turned round: y grows downwards, as the row index does.",
    "half-lost": "Gradients that point up or left have negative angles: they count too. Take the angle modulo 180.",
    "signed": "Your bins span 360 degrees. An edge from dark to light and one from light to dark have one orientation: "
    "take the angle modulo 180, so that each bin is 180 / num_bins degrees wide.",
    "radians": "np.arctan2 answers in radians, and you treat it as degrees.",
    "unweighted": "Every pixel counts alike here: weigh its vote by the length of its gradient.",
    "squared": "The weight is the length of the gradient, with the square root.",
    "hard": "The whole vote goes to the bin below. Share it: an angle of a quarter of the way to the next bin gives "
    "that bin a quarter.",
    "nearest": "The whole vote goes to the nearest bin. Share it between the two bins around the angle.",
    "shares-swapped": "The two shares are exchanged: the nearer bin gets the larger one.",
    "no-wrap": "After the last bin comes bin 0: at 175 degrees, a quarter goes to bin 8 and three quarters to bin 0.",
    "clipped": "After the last bin comes bin 0, because 180 degrees is 0 degrees again.",
    "border-dropped": BORDER_HINT,
    "border-halved": BORDER_HINT,
    "border-wrapped": BORDER_HINT + " np.roll takes the neighbour from the opposite side.",
    "batch-axis": "You differentiate along the axis of the images. Axis 0 counts images; rows are axis 1, columns 2.",
}


@exercise("feat-rgb_to_gray", points=2, title="brightness")
def examine_gray(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, h, w = (int(size) for size in rng.permutation([2, 4, 5]))
    images = rng.integers(0, 256, size=(n, h, w, 3), dtype=np.uint8)
    with report.stage("shape and dtype"):
        call = subject.call(images)
        if isinstance(call.value, np.ndarray) and call.value.shape == (n, h, w) and call.value.dtype.kind in "iu":
            report.fail(
                f"the result must have a float dtype, got {call.value.dtype}",
                hint="Brightness is a weighted mean, so it falls between whole numbers: do not round it or cut it off.",
                symptom="integer-result",
            )
        gray = report.array(call.value, (n, h, w))
    with report.stage("inputs untouched"):
        report.untouched(call, ["images"])
    with report.stage("white, black, red, green, blue"):
        colours = np.array([[255] * 3, [0] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[None, None]
        by_hand = np.array([[[255, 0, 76.245, 149.685, 29.07]]])
        got = report.array(subject(colours), (1, 1, 5))
        report.close(got, by_hand, rtol=1e-5, name="gray", symptoms=_gray_mistakes(colours, by_hand))
    with report.stage("values"):
        want = _weighed(images, (299, 587, 114))
        report.close(gray, want, rtol=1e-5, name="gray", symptoms=_gray_mistakes(images, want))
    with report.stage("float images"):
        images = np.asfortranarray(rng.random((h, n, w, 3)), dtype=np.float32)
        want = _weighed(images, (299, 587, 114))
        report.close(report.array(subject(images), (h, n, w)), want, rtol=1e-4, atol=1e-5, name="gray")


def _weighed(images: np.ndarray, thousandths: tuple[int, int, int]) -> np.ndarray:
    red, green, blue = np.moveaxis(images.astype(float), -1, 0)
    return (thousandths[0] * red + thousandths[1] * green + thousandths[2] * blue) / 1000


def _gray_mistakes(images: np.ndarray, want: np.ndarray) -> list[Symptom]:
    whole = "Weights that do not sum to 1 turn white, (255, 255, 255), into something else than 255: blue weighs 0.114."
    return [
        Symptom("gray-weight", looks_like(_weighed(images, (299, 587, 144))), whole),
        Symptom(
            "weights-sum",
            lambda got: images.min(axis=-1).max() == 255 and abs(got.max() - 255) > 0.01 and got.max() > 1.01,
            "White, (255, 255, 255), must stay 255: the three weights sum to 1.",
        ),
        Symptom("plain-mean", looks_like(want * 0 + images.mean(axis=-1)), "Weigh the colours: green looks brightest."),
        Symptom("channel-order", looks_like(_weighed(images, (114, 587, 299))), "Red comes first in RGB, blue last."),
        Symptom("scaled", looks_like(want / 255), "Keep the range of the image: here 0 to 255, without dividing."),
    ]


def votes(gray: np.ndarray, *, cell: int, bins: int, slip: str = "") -> np.ndarray:
    """Return every vote, (N, rows of cells, columns of cells, bins), by a loop over pixels and the standard library.

    gray : (N, H, W);  slip : a mistake to make on purpose, one of `SLIPS`
    """
    count, height, width = gray.shape
    table = np.zeros((count, height // cell, width // cell, bins))
    axes = (0, 1) if slip == "batch-axis" else (1, 2)
    for at in itertools.product(range(count), range(height), range(width)):
        down, right = (_slope(gray, at, axis, slip) for axis in axes)
        if slip == "axes-swapped":
            down, right = right, down
        radians = math.atan2(-down if slip == "flipped-y" else down, right)
        if slip == "half-lost" and not 0 < radians < math.pi:
            continue
        turn = 360 if slip == "signed" else 180
        position = (radians if slip == "radians" else math.degrees(radians)) % turn * bins / turn
        length = math.hypot(down, right)
        weight = {"unweighted": 1.0, "squared": length**2}.get(slip, length)
        low = int(position)
        share = {"hard": 0.0, "nearest": float(position - low > 0.5)}.get(slip, position - low)
        if slip == "shares-swapped":
            share = 1 - share
        high = low + 1
        if high >= bins:
            high, weight_high = (bins - 1, weight) if slip == "clipped" else (0, 0.0 if slip == "no-wrap" else weight)
        else:
            weight_high = weight
        here = table[at[0], at[1] // cell, at[2] // cell]
        here[low % bins] += weight * (1 - share)
        here[high] += weight_high * share
    return table


def _slope(gray: np.ndarray, at: tuple[int, ...], axis: int, slip: str) -> float:
    """Return the change of brightness per pixel at one pixel, along one axis."""
    size, place = gray.shape[axis], at[axis]

    def value(index: int) -> float:
        return float(gray[(*at[:axis], index, *at[axis + 1 :])])

    before, after = max(place - 1, 0), min(place + 1, size - 1)
    if slip == "border-wrapped":
        return (value((place + 1) % size) - value(place - 1)) / 2
    if after == before or (slip == "border-dropped" and after - before < 2):
        return 0.0
    return (value(after) - value(before)) / (2 if slip == "border-halved" else after - before)


def unit_rows(table: np.ndarray) -> np.ndarray:
    """Return each image's numbers as one row of length 1; rows of zeros stay zeros."""
    rows = table.reshape(len(table), -1)
    lengths = np.array([math.hypot(*row) for row in rows.tolist()])[:, None]
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def _hog_mistakes(gray: np.ndarray, cell: int, bins: int) -> list[Symptom]:
    right = votes(gray, cell=cell, bins=bins)
    want = unit_rows(right)

    def slipped(slip: str) -> Callable[[np.ndarray], bool]:  # computed only when something is wrong
        return lambda got: looks_like(unit_rows(votes(gray, cell=cell, bins=bins, slip=slip)), rtol=1e-4)(got)

    def proportional(got: np.ndarray) -> bool:
        return looks_like(want, rtol=1e-4)(unit_rows(got))

    cells_alone = unit_rows(right.reshape(-1, bins)).reshape(want.shape)
    return [
        Symptom(
            "per-cell-length",
            lambda got: any(looks_like(rows, rtol=1e-4)(got) for rows in (cells_alone, unit_rows(cells_alone))),
            "You scale each cell by itself, which makes the noise of a flat cell as loud as an edge. "
            "Divide all numbers of an image by one length.",
        ),
        Symptom("not-unit-length", proportional, "The numbers of each image must be divided by their own length."),
        Symptom(
            "cells-swapped",
            looks_like(unit_rows(right.transpose(0, 2, 1, 3).copy()), rtol=1e-4),
            "Rows and columns of cells are exchanged: row by row, and within a row from left to right.",
        ),
        Symptom(
            "bins-first",
            looks_like(unit_rows(right.transpose(0, 3, 1, 2).copy()), rtol=1e-4),
            "All bins of the first cell come first, then those of the next cell: the bin is the last axis.",
        ),
    ] + [Symptom(name, slipped(name), hint) for name, hint in SLIPS.items()]


def hog_close(subject: Subject, gray: np.ndarray, report: Report, *, cell: int = 8, bins: int = 9) -> None:
    """Require the right histogram of these images; sizes other than 32 x 32 may not be an error."""
    count, height, width = gray.shape
    try:
        got = subject(gray, cell_size=cell, num_bins=bins)
    except StudentError as error:
        if error.kind == "NotImplementedError" or height == width:
            raise
        raise CheckFailed(
            f"images of {height} x {width} with cells of {cell} raised {error.kind}: {error.message}",
            "Take H and W from gray.shape: images need be neither square nor 32 pixels wide.",
            "square-only",
        ) from error
    got = report.array(got, (count, (height // cell) * (width // cell) * bins))
    want = unit_rows(votes(gray, cell=cell, bins=bins))
    report.close(got, want, rtol=1e-3, atol=1e-5, name="hog", symptoms=_hog_mistakes(gray, cell, bins))


@exercise("feat-hog_feature", points=7, title="histogram of oriented gradients")
def examine_hog(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    gray = rng.uniform(0, 255, size=(3, 16, 16))
    with report.stage("shape and dtype"):
        call = subject.call(gray)
        report.array(call.value, (3, 2 * 2 * 9))
    with report.stage("inputs untouched"):
        report.untouched(call, ["gray"])
    with report.stage("six directions"):
        _require_directions(subject, report)
    with report.stage("values"):
        hog_close(subject, gray, report)
    with report.stage("images that are not square"):
        hog_close(subject, rng.uniform(0, 255, size=(2, 16, 24)), report)
        hog_close(subject, rng.uniform(0, 255, size=(2, 24, 8)), report)
    with report.stage("other cells and bins"):
        hog_close(subject, rng.uniform(0, 1, size=(2, 8, 12)), report, cell=4, bins=6)
    with report.stage("a faint image"):
        hog_close(subject, 0.5 + 0.001 * rng.uniform(size=(2, 8, 16)), report)
    with report.stage("a flat image among others"):
        gray = np.stack([np.full((8, 16), 90.0), rng.uniform(0, 255, size=(8, 16))])
        got = report.array(subject(gray), (2, 18))
        report.require(
            bool(np.isfinite(got).all()),
            "an even gray image gives nan",
            hint="It has no gradients, so you divide 0 by 0. Its feature is all zeros: guard the division.",
            symptom="flat-nan",
        )
        report.close(got, unit_rows(votes(gray, cell=8, bins=9)), rtol=1e-3, atol=1e-5, name="hog")
    with report.stage("float32 and column order"):
        hog_close(subject, np.asfortranarray(rng.uniform(0, 255, size=(2, 16, 8)), dtype=np.float32), report)
    with report.stage("a size that cells do not fill"):
        report.require(
            subject.raises("ValueError", np.zeros((2, 16, 20))),
            "images of 16 x 20 with cells of 8 must raise ValueError",
            hint="Four columns of pixels belong to no cell. Leaving them out in silence hides a mistake of the caller.",
            symptom="size-not-refused",
        )


def _require_directions(subject: Subject, report: Report) -> None:
    """Require the feature of six ramps, worked by hand: each brightens toward one direction."""
    y, x = np.mgrid[:16.0, :16.0]
    radians = np.radians(list(BY_HAND))[:, None, None]
    ramps = 128 + 5 * (np.cos(radians) * x + np.sin(radians) * y)  # (6, 16, 16)
    got = report.array(subject(ramps), (6, 36))
    by_hand = np.array([[shares.get(k, 0.0) for k in range(9)] for shares in BY_HAND.values()])
    lost = [direction for direction, row in zip(BY_HAND, got, strict=True) if not row.any()]
    report.require(
        not lost,
        f"a ramp that brightens toward {' or '.join(map(str, lost))} degrees has a feature of zeros",
        hint=SLIPS["half-lost"],
        symptom="half-lost",
    )
    want = unit_rows(np.repeat(by_hand[:, None], 4, axis=1))
    report.close(got, want, rtol=1e-3, atol=1e-5, name="hog of a ramp", symptoms=_hog_mistakes(ramps, 8, 9))
