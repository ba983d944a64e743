"""What features keep of an image and what they forget: colours, gradients, visual words, before and after a change."""

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES

from .base import Axes, Model, callable_or_none, raster, register, show, svg
from .feature_plan import CONTROLS, KINDS, MOST_STEPS, NEAREST, SIDE, Features, Settings, compute

HEAD, WORDS, ROWS, ROW, THUMB = (
    26,
    218,
    408,
    62,
    44,
)  # where the three parts begin; the heights of a feature's row and image
SHOWN = 0.12  # of the longest line: shorter ones are left out of a HOG glyph
SAID = {
    "pixels": "raw pixels",
    "colours": "colour histogram",
    "gradients": "HOG",
    "words": "bag of visual words",
}


def describe(r: Features) -> str:
    """Return the result in words."""
    s = r.state
    said = f"Image {s.image}, {r.name}, change: {s.change}. Of the usual distance between two images, that is "
    parts = [f"{100 * share:.0f} % by {SAID[kind]}" for kind, share in zip(KINDS, r.noticed, strict=True)]
    said += ", ".join(parts) + f". {len(r.codebook)} visual words, inertia {r.inertia[s.steps]:.0f} after {s.steps} "
    said += f"{'step' if s.steps == 1 else 'steps'} of k-means."
    if r.asked and not r.problem:
        said += " Your function agrees." if r.asked == 1 else f" Your {r.asked} functions agree."
    return said


def render(r: Features) -> str:
    """Return the images, the features of the changed one, and what each feature thinks of the change."""
    marks = [svg.text(14, HEAD, r.name, bold=True), raster.photo(14, HEAD + 10, 132, 132, r.image)]
    marks += [svg.text(160, HEAD, r.state.change, bold=True), raster.photo(160, HEAD + 10, 132, 132, r.changed)]
    marks += [_colours(r), _hog(r), _codebook(r), _redrawn(r), _bag(r), _inertia(r), _rows(r)]
    return svg.figure(760, ROWS + 26 + ROW * len(KINDS), describe(r), *marks)


def _colours(r: Features) -> str:
    """Return the colour histogram, its grey bin as a number."""
    *hues, plain = r.colours
    count = len(hues)
    axes = Axes(left=344, top=HEAD + 10, width=200, height=112, x0=0, x1=count, y0=0, y1=max(1.0, max(hues) * 1.08))
    title = f"Colours: {sum(hues):.0f} + {plain:.0f} grey = {sum(r.colours):.0f} pixels"
    marks = [axes.frame(x_ticks=0, y_ticks=4), svg.text(axes.left - 34, HEAD, title, bold=True, size=12)]
    wrong = r.wrong.get("hue_histogram", np.zeros(count + 1, bool))
    for k, pixels in enumerate(hues):
        paint = "#" + "".join(f"{round(255 * v):02x}" for v in colorsys.hsv_to_rgb((k + 0.5) / count, 0.9, 0.9))
        x, top = axes.x(k + 0.1), axes.y(pixels)
        marks.append(svg.rect(x, top, axes.x(k + 0.9) - x, axes.y(0) - top, fill=paint, colour=svg.INK, line_width=0.5))
        if wrong[k]:
            marks.append(svg.text(axes.x(k + 0.5), axes.top + 14, "✗", anchor="middle", bold=True))
    if wrong[count]:
        marks.append(svg.text(axes.left + axes.width + 32, axes.top + 128, "✗ grey", size=11, anchor="end", bold=True))
    for name, hue in (("red", 0.0), ("green", 1 / 3), ("blue", 2 / 3)):
        marks.append(svg.text(axes.left + axes.width * hue + 4, axes.top + 128, name, size=11))
    return "".join(marks)


def _hog(r: Features) -> str:
    """Return a line along the edge for each orientation of each cell; weak ones are left out."""
    left, top, side = 586, HEAD + 10, 132
    cells, _, count = r.hog.shape
    size, longest = side / cells, r.hog.max() or 1.0
    marks = [svg.text(left, HEAD, f"HOG: {r.hog.size} numbers", bold=True, size=12)]
    marks.append(svg.rect(left, top, side, side, colour=svg.INK, opacity=0.45))
    along = np.pi * np.arange(count) / count + np.pi / 2  # an edge runs at a right angle to its gradient
    wrong = np.any(r.wrong.get("hog_feature", np.zeros(r.hog.shape, bool)), axis=2)
    for row, column in np.ndindex(cells, cells):
        x, y = left + size * (column + 0.5), top + size * (row + 0.5)
        votes = r.hog[row, column] / longest
        strong = np.flatnonzero(votes > SHOWN)
        star: list[tuple[float, float]] = []
        for k in strong[np.argsort(-votes[strong])][: 5 if cells <= 4 else 3]:
            dx, dy = 0.47 * size * votes[k] * np.cos(along[k]), 0.47 * size * votes[k] * np.sin(along[k])
            star += [(x - dx, y - dy), (x + dx, y + dy), (x, y)]
        if star:
            marks.append(svg.path(star, width=1.6))
    corners = [(left + size * column + 1, top + size * row + 1) for row, column in np.argwhere(wrong).tolist()]
    if corners:
        marks.append(svg.squares(corners, size - 2, colour=svg.COLOURS[3]))
        marks.append(svg.text(left + side + 4, top + 12, "✗", bold=True))
    if cells <= 4:
        inner = [left + size * i for i in range(1, cells)]
        marks += [svg.line(x, top, x, top + side, opacity=0.2) for x in inner]
        marks += [svg.line(left, top + x - left, left + side, top + x - left, opacity=0.2) for x in inner]
    marks.append(svg.text(left, top + side + 16, "lines run along edges", size=11))
    return "".join(marks)


def _codebook(r: Features) -> str:
    """Return the words as grey squares in rows of eight."""
    left, top, tile, columns = 14, WORDS + 10, 26, 8
    count, size = len(r.codebook), r.codebook.shape[1]
    rows = -(-count // columns)
    sheet = np.full((rows * (size + 1), columns * (size + 1)), np.nan)
    for k, word in enumerate(r.codebook):
        y, x = (size + 1) * (k // columns), (size + 1) * (k % columns)
        sheet[y : y + size, x : x + size] = word / (np.abs(word).max() + 1e-12)
    marks = [svg.text(left, WORDS, f"Codebook: {count} words, {size} x {size}", bold=True, size=12)]
    marks.append(raster.heat_map(left, top, columns * tile, rows * tile, sheet, low=-1, high=1, colours="grey"))
    wrong = np.any(r.wrong.get("build_codebook", np.zeros(r.codebook.shape, bool)), axis=(1, 2))
    for k in np.flatnonzero(wrong).tolist():
        x, y = left + tile * (k % columns) + 11, top + tile * (k // columns) + 17
        marks += [svg.rect(x - 11, y - 17, 24, 24, colour=svg.COLOURS[3], line_width=2)]
        marks.append(svg.text(x + 1, y, "✗", anchor="middle", bold=True, colour=svg.COLOURS[3]))
    return "".join(marks)


def _redrawn(r: Features) -> str:
    """Return the changed image with each square replaced by its word."""
    tiles = r.codebook / (np.abs(r.codebook).max(axis=(1, 2), keepdims=True) + 1e-12)
    drawn = tiles[r.written].swapaxes(1, 2).reshape(SIDE, SIDE)
    head = svg.text(244, WORDS, "In its words", bold=True, size=12)
    return head + raster.heat_map(244, WORDS + 10, 116, 116, drawn, low=-1, high=1, colours="grey")


def _bag(r: Features) -> str:
    count = len(r.bag)
    axes = Axes(left=408, top=WORDS + 10, width=150, height=116, x0=0, x1=count, y0=0, y1=max(0.1, r.bag.max() * 1.1))
    marks = [
        axes.frame(x_ticks=0, y_ticks=4, x_label="word"),
        svg.text(384, WORDS, "Bag: share of each word", bold=True, size=12),
    ]
    marks += [axes.bar(k + 0.5, share, width=0.8, kind=1) for k, share in enumerate(r.bag)]
    wrong = r.wrong.get("encode_bovw", np.zeros(count, bool))
    marks += [svg.text(axes.x(k + 0.5), axes.top + 14, "✗", anchor="middle") for k in np.flatnonzero(wrong)]
    return "".join(marks)


def _inertia(r: Features) -> str:
    axes = Axes(left=616, top=WORDS + 10, width=130, height=116, x0=0, x1=MOST_STEPS, y0=0, y1=r.inertia[0] * 1.05)
    marks = [axes.frame(x_ticks=4, y_ticks=4, x_label="k-means steps")]
    marks.append(svg.text(596, WORDS, "Inertia (never rises)", bold=True, size=12))
    marks.append(axes.curve(list(range(MOST_STEPS + 1)), r.inertia.tolist(), kind=4))
    at = r.state.steps
    marks.append(svg.circle(axes.x(at), axes.y(r.inertia[at]), 5, fill="#fff", colour="#111", line_width=2))
    return "".join(marks)


def _rows(r: Features) -> str:
    """Return for each feature how much of the change it notices, and the nearest images to the changed one."""
    marks = [svg.line(10, ROWS - 20, 750, ROWS - 20, opacity=0.35)]
    heads = ((14, "by"), (160, "change, in usual distances"), (376, f"the {NEAREST} nearest to the changed image"))
    marks += [svg.text(x, ROWS, words, size=12, bold=True) for x, words in heads]
    top = max(1.5, float(r.noticed.max()))
    for i, kind in enumerate(KINDS):
        y = ROWS + 10 + ROW * i
        share = r.noticed[i]
        blind = share < 0.005
        marks.append(svg.text(14, y + 30, SAID[kind], bold=True, size=12))
        axes = Axes(left=160, top=y + 14, width=120, height=22, x0=0, x1=top)
        marks.append(svg.rect(160, y + 14, 120, 22, colour=svg.INK, opacity=0.3))
        marks.append(svg.rect(160, y + 14, axes.x(share) - 160, 22, fill=svg.COLOURS[0]))
        marks.append(svg.line(axes.x(1), y + 10, axes.x(1), y + 40, dash="3 2"))
        unmoved = r.state.change != "none" and blind
        marks.append(svg.text(288, y + 30, "0: blind" if unmoved else f"{share:.2f}", bold=unmoved))
        # One file for the row, with gaps that are painted over: four files would have four headers of 600 bytes.
        strip = np.full((SIDE, SIDE * (2 * NEAREST - 1), 3), 128, np.uint8)
        for j, index in enumerate(r.nearest[i]):
            strip[:, 2 * j * SIDE : (2 * j + 1) * SIDE] = r.images[index]
        marks.append(raster.photo(376, y, THUMB * (2 * NEAREST - 1), THUMB, strip))
        for j, index in enumerate(r.nearest[i]):
            x, same = 376 + 2 * THUMB * j, r.labels[index] == r.labels[r.state.image]
            if j:
                marks.append(svg.rect(x - THUMB, y - 1, THUMB, THUMB + 2, fill="var(--jp-layout-color0,#fff)"))
            name = CLASSES[r.labels[index]]
            marks.append(svg.text(x, y + THUMB + 12, f"{'✓ ' if same else ''}{name}", size=11, bold=bool(same)))
    return "".join(marks)


MODEL = Model(
    title="Image features",
    about="Change an image and see which features notice: pixels, colours, gradients or visual words.",
    state=Settings,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    challenge=(
        ("The pixels of an image are shuffled. Which of the four features will not notice, and which will notice most?",
         "The colour histogram: it counts pixels and never asks where they are, so its distance is exactly 0. "
         "Gradients and words depend on neighbours, and shuffling leaves no neighbour in place."),
        ("Choose a change that the bag of visual words does not notice at all. Why that one?",
         "Shuffling the patches: the bag counts words and forgets where they stood. HOG, which keeps each cell's "
         "place, notices; the colours do not."),
        ("Turn the image by 90 degrees with an even number of orientations. What happens to the numbers of HOG?",
         "They are the same numbers in other places: each cell moves to where it was turned, and its orientations are "
         "rolled by half, for 90 degrees is half of 180. To the classifier that is a different image."),
    ),
)  # fmt: skip


@register(MODEL)
def feature_explorer(
    hog_feature: Callable[..., Any] | None = None,
    hue_histogram: Callable[..., Any] | None = None,
    build_codebook: Callable[..., Any] | None = None,
    encode_bovw: Callable[..., Any] | None = None,
    *,
    state: Any = None,
) -> Any:
    """Show a colour histogram, HOG and a bag of visual words of an image, before and after a change.

    hog_feature, hue_histogram, build_codebook, encode_bovw : your functions of notebook N05, any of them; entries that
        differ are marked. hog_feature(gray (1, 32, 32), cell_size=, num_bins=); hue_histogram(images (1, 32, 32, 3),
        num_bins=); build_codebook(patches (P, D), first_words (K, D), num_steps=); encode_bovw(patches (1, P, D),
        words (K, D)). Hues on the seam of two bins may fall on either side.
    state : settings, as the button "My settings as code" prints them
    """
    given = {
        "hog_feature": hog_feature, "hue_histogram": hue_histogram, "build_codebook": build_codebook,
        "encode_bovw": encode_bovw,
    }  # fmt: skip
    for name, function in given.items():
        callable_or_none("feature_explorer", name, function)
    return show(MODEL, state=state, data=given)
