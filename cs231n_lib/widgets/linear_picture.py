"""The picture of a linear classifier from three viewpoints: algebra on top, templates on the left, boundaries right."""

import numpy as np

from .base import Axes, raster, svg
from .linear_photo import Photo
from .linear_scores import HIGH, LOW, NAMES, SIZE, Four

GLOW = svg.COLOURS[3]
PLANE = Axes(left=470, top=252, width=270, height=226, x0=LOW, x1=HIGH, y0=LOW, y1=HIGH)
CELL, GRID_X, GRID_Y = 54, 64, 52  # the matrix W: the width of its entries, its top left corner
HIGH_ROW = 30
TILE, TILES_X, TILES_Y = 84, (14, 130, 226, 322), 252  # the image and three templates
PHOTO_X, PHOTO_Y, PHOTO_SIDE = (14, 164, 314), 44, 112  # image, template, products
MINI_X, MINI_Y, MINI, GAP = 14, 240, 66, 88  # the ten templates


def describe(r: Four | Photo) -> str:
    """Return the result in words."""
    names = NAMES if isinstance(r, Four) else r.names
    best, k = int(r.scores.argmax()), r.pick
    if isinstance(r, Four):
        told = ", ".join(f"{name} {score:.2f}" for name, score in zip(names, r.scores, strict=True))
        words = f"Scores: {told}. The answer is {names[best]}. Lit: weight {r.W[k, r.across]:g} of {names[k]} "
        words += f"for pixel {r.across + 1}, times {r.x[r.across]:g}."
    else:
        truth = f" ({r.truth})" if r.truth else ""
        words = f"Image {r.state.image}{truth}: {names[k]} scores {r.scores[k]:.2f}, the highest is {names[best]} with "
        words += f"{r.scores[best]:.2f}. Lit: the pixel in row {r.state.row}, column {r.state.column}."
        words += "" if r.own else " The classifier: nearest mean of drawn images; yours: linear_views(W=W)."
    return words + (" Your function agrees." if r.asked and not r.problem else "")


def render(r: Four | Photo) -> str:
    """Return the three views in one frame."""
    if isinstance(r, Photo):
        return svg.figure(760, 520, describe(r), _products(r), _templates(r), _slice_plane(r))
    return svg.figure(760, 520, describe(r), _algebra(r), _visual(r), _plane(r))


def _glow(x: float, y: float, width: float, height: float) -> str:
    """Return the frame of what is lit: vermilion and dashed, on white, to be seen on any colour."""
    return svg.rect(x, y, width, height, colour="#fff", line_width=4) + svg.rect(
        x, y, width, height, colour=GLOW, line_width=3, dash="5 2"
    )


def _algebra(r: Four) -> str:
    high, k = HIGH_ROW, r.pick
    marks = [svg.text(14, 18, "Algebraic: scores = W x + b", bold=True)]
    marks.append(svg.rect(GRID_X - 56, GRID_Y + high * k + 1, 700, high - 2, fill=svg.COLOURS[k], opacity=0.22))
    for i, name in enumerate(NAMES):
        y = GRID_Y + high * i + 20
        marks += [svg.marker(GRID_X - 46, y - 4, i, radius=5), svg.text(GRID_X - 34, y, name, bold=i == k)]
        for j in range(4):
            marks.append(svg.text(GRID_X + CELL * j + 46, y, f"{r.W[i, j]:g}", anchor="end", mono=True))
        marks.append(svg.text(468, y, f"{r.b[i]:g}", anchor="end", mono=True))
        won = " ← highest" if i == r.scores.argmax() else ""
        marks.append(svg.text(590, y, f"{r.scores[i]:.2f}", anchor="end", mono=True, bold=True))
        marks.append(svg.text(598, y, won, size=12))
    for x, width in ((GRID_X, 4 * CELL), (318, 66), (414, 62), (510, 88)):
        tall = 3 * high + (high if x == 318 else 0)
        marks.append(svg.rect(x, GRID_Y - 4, width, tall + 8, colour=svg.INK, opacity=0.5))
    for j in range(4):
        marks.append(svg.text(376, GRID_Y + high * j + 20, f"{r.x[j]:g}", anchor="end", mono=True))
    for x, sign in ((300, "×"), (400, "+"), (493, "=")):
        marks.append(svg.text(x, GRID_Y + 51, sign, size=16, anchor="middle"))
    for x, head in ((GRID_X + 2 * CELL, "W"), (351, "x"), (445, "b"), (554, "scores")):
        marks.append(svg.text(x, GRID_Y - 9, head, size=12, anchor="middle", bold=True))
    marks.append(_glow(GRID_X + CELL * r.across + 2, GRID_Y + high * k + 3, CELL - 4, high - 6))
    marks.append(_glow(322, GRID_Y + high * r.across + 3, 58, high - 6))
    terms = "".join(f"{' + ' if j else ''}{_bracket(r.W[k, j])}·{r.x[j]:g}" for j in range(4))
    sum_line = f"{NAMES[k]}: {terms} + {_bracket(r.b[k])} = {r.scores[k]:.2f}"
    marks.append(svg.text(14, GRID_Y + 4 * high + 34, sum_line, mono=True, size=12.5))
    return "".join(marks)


def _bracket(value: float) -> str:
    return f"({value:g})" if value < 0 else f"{value:g}"


def _ink_on(red: float, green: float, blue: float) -> str:
    """Return black or white, whichever is read more easily on a colour."""
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "#fff"


def _tile(x: float, values: np.ndarray, colours: np.ndarray) -> str:
    """Return four numbers (2, 2) on their colours, uint8 (2, 2, 3)."""
    marks, half = [raster.image(x, TILES_Y, TILE, TILE, raster.png(colours))], TILE / 2
    for i in range(2):
        for j in range(2):
            words, ink = f"{values[i, j]:g}", _ink_on(*colours[i, j].astype(float))
            at = (x + half * (j + 0.5), TILES_Y + half * (i + 0.5) + 5)
            marks.append(svg.text(*at, words, size=13 if len(words) < 6 else 11, anchor="middle", colour=ink))
    return "".join(marks) + svg.rect(x, TILES_Y, TILE, TILE, colour=svg.INK)


def _visual(r: Four) -> str:
    marks = [svg.text(14, 234, "Visual: each row of W is a template", bold=True)]
    grey = np.repeat(r.x.reshape(2, 2, 1), 3, axis=2).astype(np.uint8)
    marks += [_tile(TILES_X[0], r.x.reshape(2, 2), grey), svg.text(56, 356, "image x", size=12, anchor="middle")]
    limit, shades = float(np.abs(r.W).max()) or 1.0, raster.palette("signed", 255)
    for k, x in enumerate(TILES_X[1:]):
        colours = shades[np.rint((r.W[k] / limit + 1) * 127).astype(int)].reshape(2, 2, 3)
        marks.append(_tile(x, r.W[k].reshape(2, 2), colours))
        marks += [svg.marker(x + 22, 352, k, radius=5), svg.text(x + 34, 356, NAMES[k], size=12, bold=k == r.pick)]
    for x in (TILES_X[0], TILES_X[1 + r.pick]):
        i, j = divmod(r.across, 2)
        marks.append(_glow(x + TILE / 2 * j + 2, TILES_Y + TILE / 2 * i + 2, TILE / 2 - 4, TILE / 2 - 4))
    marks.append(svg.text(14, 384, "How well each template fits: the score", size=12, bold=True))
    return "".join(marks) + _score_bars(r.scores)


def _score_bars(scores: np.ndarray) -> str:
    span = max(scores.max(), 0.0) - min(scores.min(), 0.0) or 1.0
    zero = 76 + 246 * -min(scores.min(), 0.0) / span
    marks = [svg.line(zero, 394, zero, 478, opacity=0.7)]
    for k, score in enumerate(scores):
        y, end = 400 + 26 * k, zero + 246 * score / span
        marks += [
            svg.text(14, y + 14, NAMES[k], size=12),
            svg.rect(min(zero, end), y, abs(end - zero), 18, fill=svg.COLOURS[k]),
        ]
        marks.append(svg.text(410, y + 14, f"{score:.2f}", size=12, anchor="end", mono=True))
    return "".join(marks)


def _plane(r: Four) -> str:
    marks = [svg.text(470, 234, "Geometric: a line for each class", bold=True)]
    marks += [raster.class_map(PLANE.left, PLANE.top, PLANE.width, PLANE.height, r.regions, opacity=0.3)]
    marks.append(PLANE.frame(x_label=f"pixel {r.across + 1}", y_label=f"pixel {r.up + 1}"))
    left, top = PLANE.x(0), PLANE.y(255)
    marks.append(svg.rect(left, top, PLANE.x(255) - left, PLANE.y(0) - top, colour=svg.INK, dash="2 3"))
    for k in range(3):
        marks.append(_line(r, k))
    for u, v in r.differs[:196]:
        marks.append(svg.text(PLANE.x(u), PLANE.y(v) + 5, "✗", anchor="middle", bold=True))
    x, y = PLANE.x(r.x[r.across]), PLANE.y(r.x[r.up])
    marks += [svg.circle(x, y, 7, fill="#fff", colour="#111", line_width=2), svg.circle(x, y, 2.5, fill="#111")]
    axis = PLANE.top + PLANE.height
    marks.append(svg.line(PLANE.left, axis, PLANE.left + PLANE.width, axis, colour=GLOW, width=4, dash="5 2"))
    marks.append(
        svg.text(
            14, 510, "On its line a class scores 0; the arrow says where it rises. Shaded: the highest.", size=11.5
        )
    )
    return "".join(marks)


def _line(r: Four, k: int) -> str:
    """Return where class k scores 0, with an arrow to where it scores more; its part along the lit axis glows."""
    a, b = r.W[k, r.across], r.W[k, r.up]
    ends = PLANE.line_ends(a, b, r.scores[k] - a * r.x[r.across] - b * r.x[r.up])
    if not ends:
        return ""
    (u0, v0), (u1, v1) = ends
    width = 3.5 if k == r.pick else 2
    line = [(PLANE.x(u0), PLANE.y(v0)), (PLANE.x(u1), PLANE.y(v1))]
    marks = [svg.path(line, colour=svg.COLOURS[k], width=width, dash=svg.DASHES[k])]
    share = (0.5, 0.35, 0.65)[k]
    x, y = (line[0][i] + share * (line[1][i] - line[0][i]) for i in (0, 1))
    length = np.hypot(a, b)
    dx, dy = 30 * a / length, -30 * b / length
    marks.append(svg.arrow(x, y, x + dx, y + dy, colour=svg.COLOURS[k], width=2))
    if k == r.pick and abs(dx) > 3:
        marks.append(svg.arrow(x, y, x + dx, y, colour=GLOW, width=3))
    marks.append(svg.marker(x, y, k, radius=5))
    return "".join(marks)


# --- photographs


def _image_of(template: np.ndarray) -> np.ndarray:
    """Return a template as an image: weight 0 is middle grey, the largest weight white or black."""
    limit = float(np.abs(template).max()) or 1.0
    return np.rint(127.5 + 127.5 * template / limit).astype(np.uint8)


def _products(r: Photo) -> str:
    k, (row, column) = r.pick, (r.state.row, r.state.column)
    weights = r.templates[k]
    products = (weights * r.x).sum(axis=2)  # (32, 32)
    marks = [svg.text(14, 22, f"Algebraic: 3,072 products and a bias ({len(r.scores)} × 3,072 weights)", bold=True)]
    first, second, third = PHOTO_X
    marks.append(raster.photo(first, PHOTO_Y, PHOTO_SIDE, PHOTO_SIDE, r.image))
    marks.append(raster.photo(second, PHOTO_Y, PHOTO_SIDE, PHOTO_SIDE, _image_of(weights)))
    marks.append(raster.signed_map(third, PHOTO_Y, PHOTO_SIDE, PHOTO_SIDE, products))
    step = PHOTO_SIDE / SIZE
    for x, words in zip(PHOTO_X, (f"image {r.truth}", f"weights of {r.names[k]}", "products"), strict=True):
        marks.append(svg.rect(x, PHOTO_Y, PHOTO_SIDE, PHOTO_SIDE, colour=svg.INK, opacity=0.5))
        marks.append(_glow(x + step * column - 3, PHOTO_Y + step * row - 3, step + 6, step + 6))
        marks.append(svg.text(x + PHOTO_SIDE / 2, PHOTO_Y + PHOTO_SIDE + 17, words, size=12, anchor="middle"))
    marks += [svg.text(145, 105, "×", size=18, anchor="middle"), svg.text(295, 105, "=", size=18, anchor="middle")]
    plus, minus = products[products > 0].sum(), products[products < 0].sum()
    rows = (("where they agree", plus), ("where they differ", minus), ("bias", r.biases[k]), ("score", r.scores[k]))
    for i, (words, value) in enumerate(rows):
        bold = i == 3
        marks.append(svg.text(450, 62 + 22 * i, words, bold=bold))
        marks.append(svg.text(650, 62 + 22 * i, f"{value:+.3f}", mono=True, anchor="end", bold=bold))
    marks.append(svg.line(450, 112, 650, 112, opacity=0.6))
    parts = "  ".join(
        f"{c} {w:+.3f}·{v:+.2f}" for c, w, v in zip("RGB", weights[row, column], r.x[row, column], strict=True)
    )
    marks.append(
        svg.text(14, 196, f"lit pixel, weight · value: {parts} = {products[row, column]:+.4f}", size=12, mono=True)
    )
    return "".join(marks)


def _templates(r: Photo) -> str:
    marks = [svg.text(14, 226, "Visual: one template per class, and its score", bold=True)]
    best = int(r.scores.argmax())
    for k, name in enumerate(r.names):
        x, y = MINI_X + GAP * (k % 5), MINI_Y + 126 * (k // 5)
        marks.append(raster.photo(x, y, MINI, MINI, _image_of(r.templates[k])))
        marks.append(svg.rect(x, y, MINI, MINI, colour=svg.INK, opacity=0.5))
        if k == r.pick:
            marks.append(svg.rect(x - 3, y - 3, MINI + 6, MINI + 6, colour=GLOW, line_width=2))
            step = MINI / SIZE
            marks.append(_glow(x + step * r.state.column - 3, y + step * r.state.row - 3, step + 6, step + 6))
        short = name if len(name) <= 11 else name[:10] + "…"
        marks.append(svg.text(x + MINI / 2, y + MINI + 16, short, size=11.5, anchor="middle", bold=k == r.pick))
        score = f"{r.scores[k]:.2f}" + (" ← top" if k == best else "")
        marks.append(svg.text(x + MINI / 2, y + MINI + 32, score, size=11.5, anchor="middle", bold=k == best))
    return "".join(marks)


def _slice_plane(r: Photo) -> str:
    """Return the plane through the image in which the picked class meets its two rivals."""
    reach, side = r.reach, r.regions.shape[0]
    axes = Axes(left=486, top=252, width=254, height=226, x0=-reach, x1=reach, y0=-reach, y1=reach)
    marks = [svg.text(470, 226, "Geometric: flat boundaries around it", bold=True)]
    marks += [
        raster.class_map(axes.left, axes.top, axes.width, axes.height, r.regions, opacity=0.45),
        axes.frame(),
    ]
    for i, k in enumerate(r.three):
        cells = np.argwhere(r.regions == i)
        if len(cells) > 40:
            middle = cells[np.abs(cells - cells.mean(axis=0)).sum(axis=1).argmin()]
            x, y = axes.left + axes.width * (middle[1] + 0.5) / side, axes.top + axes.height * (middle[0] + 0.5) / side
            words = svg.text(
                min(max(x, axes.left + 44), axes.left + axes.width - 44),
                y + 18,
                r.names[k],
                size=12,
                anchor="middle",
                bold=True,
            )
            marks += [svg.marker(x, y, i, radius=5), words]
    x, y = axes.x(0), axes.y(0)
    marks += [svg.circle(x, y, 7, fill="#fff", colour="#111", line_width=2), svg.circle(x, y, 2.5, fill="#111")]
    tip = r.step / max(float(np.hypot(*r.step)), 1e-12) * 0.2 * reach  # a pixel moves little: its direction is drawn
    if np.hypot(*r.step) > 0:
        marks.append(svg.arrow(x, y, axes.x(tip[0]), axes.y(tip[1]), colour=GLOW, width=3))
    marks.append(svg.text(470, 510, "arrow: where a whiter lit pixel leads", size=11.5))
    return "".join(marks)
