"""Inside a trained ConvNet: its filters, its activations, and maps of what a score hangs on, put to a sanity check."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES

from .base import (
    Button,
    Choice,
    Data,
    Event,
    Model,
    Slider,
    State,
    ask,
    callable_or_none,
    raster,
    register,
    show,
    svg,
)
from .saliency_net import (
    CHANNELS,
    FIELD,
    METHODS,
    SHOWN,
    bank,
    drop_map,
    forward,
    hidden,
    maps,
    params_of,
    rank_correlation,
    strongest,
    to_input,
)

WEIGHTS = ("trained", "top random", "all random")
SURVIVES = 0.5  # a map whose order of pixels correlates more than this with the trained net's has not noticed
GRID = (196, 262, 8, 26)  # left, top, columns and cell side of the activations
COLOURS = {"trained": 2, "top random": 1, "all random": 3}


@dataclass(frozen=True)
class Look(State):
    """Which image, which part of the net, and how it is asked."""

    image: int = 3
    target: str = "predicted"
    method: str = "gradient"
    sign: str = "absolute"
    layer: int = 1
    channel: int = 9
    weights: str = "trained"


CONTROLS = (
    Slider("image", "image", 0, SHOWN - 1),
    Choice("target", "score of", ("predicted", *CLASSES)),
    Choice("method", "method", METHODS),
    Choice("sign", "map", ("absolute", "signed"), hint="Grad-CAM, absolute: its positive part, as in the paper"),
    Slider("layer", "layer", 1, 3),
    Slider("channel", "channel", 1, max(CHANNELS)),
    Choice("weights", "weights", WEIGHTS),
    Button("check", "Sanity check: shuffle the weights"),
)


@dataclass(frozen=True)
class View:
    """What is drawn."""

    state: Look
    image: np.ndarray  # uint8 (32, 32, 3)
    truth: int
    target: int
    scores: np.ndarray  # (10,)
    map: np.ndarray  # (32, 32)
    activations: np.ndarray  # (C, H, W) of the layer
    channel: int  # from 0, within the layer
    filters: np.ndarray  # (12, 3, 5, 5) of layer 1, or the slices (C, 3, 3) of the channel's filter
    patches: list[np.ndarray]
    kept: dict[str, tuple[float, float]]  # by method: rank correlation with the trained map, top random and all random
    yours: np.ndarray | None  # the occlusion map of the student's net, (32, 32)
    yours_says: int  # its class, -1 without one
    agree: float  # rank correlation of its occlusion map with this net's
    problem: str


def compute(state: Look, data: Data) -> View:
    """Return the pictures of the net's inside."""
    images, labels = bank()
    x, layer = to_input(images[state.image : state.image + 1]), state.layer - 1
    params = params_of(state.weights)
    trace = forward(params, x)
    guess = int(trace.scores[0].argmax())
    target = guess if state.target == "predicted" else CLASSES.index(state.target)
    found = {name: maps(name, state.image, target) for name in WEIGHTS}
    kept = {
        method: (
            rank_correlation(found["trained"][method][1], found["top random"][method][1]),
            rank_correlation(found["trained"][method][1], found["all random"][method][1]),
        )
        for method in METHODS
    }
    channel = (state.channel - 1) % CHANNELS[layer]
    yours, says, problem = (None, -1, "") if "scores" not in data else _your_map(state.image, x[0], target, data)
    return View(
        state=state, image=images[state.image], truth=int(labels[state.image]), target=target, scores=trace.scores[0],
        map=found[state.weights][state.method][state.sign == "absolute"], activations=trace.outputs[layer][0],
        channel=channel, filters=params[0] if layer == 0 else params[2 * layer][channel],
        patches=strongest(state.weights, layer, channel)[0], kept=kept, yours=yours, yours_says=says, problem=problem,
        agree=0.0 if yours is None else rank_correlation(yours, found["trained"]["occlusion"][0]),
    )  # fmt: skip


def _your_map(index: int, image: np.ndarray, target: int, data: Data) -> tuple[np.ndarray | None, int, str]:
    """Return the occlusion map of the student's net, its class, and what is wrong. Asked once for each image."""
    memo = data.setdefault("_answers", {})
    if index not in memo:
        copies, corners = hidden(image)
        batch = np.concatenate([image[None], copies])
        memo[index] = (*ask(data["scores"], batch, shape=(len(batch), len(CLASSES))), corners)
    scores, problem, corners = memo[index]
    if scores is None:
        return None, -1, problem
    if not np.isfinite(scores).all():
        return None, -1, "your scores must be finite numbers, got nan or inf"
    return drop_map(scores[0, target] - scores[1:, target], corners), int(scores[0].argmax()), ""


def describe(r: View) -> str:
    """Return the result in words."""
    s, guess = r.state, int(r.scores.argmax())
    said = f"True class: {CLASSES[r.truth]}. The net with {s.weights} weights says {CLASSES[guess]}. "
    if np.ptp(r.map) == 0:
        said += f"{_capital(s.method)}: the map is empty, no pixel moves the score of {CLASSES[r.target]}. "
    else:
        row, column = np.unravel_index(np.abs(r.map).argmax(), r.map.shape)
        said += f"{_capital(s.method)} of {CLASSES[r.target]}: strongest at row {row}, column {column}. "
    survivors = [name for name, both in r.kept.items() if max(both) > SURVIVES]
    said += "Sanity check: " + (f"{' and '.join(survivors)} survive{'s' * (len(survivors) == 1)} shuffled weights."
                                 if survivors else "every map changes when weights are shuffled.")  # fmt: skip
    if r.yours is not None:
        said += f" Your net says {CLASSES[r.yours_says]}; its map agrees with this net's to {r.agree:.2f}."
    return said


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def render(r: View) -> str:
    """Return image, map and overlay on top; filters, activations and patches in the middle; the sanity check below."""
    marks = [_maps(r), _scores(r), _filters(r), _activations(r), _patches(r), _check(r)]
    if r.yours is not None:
        marks.append(_yours(r, r.yours))
    return svg.figure(760, 556, describe(r), *marks)


def _draw(x: float, y: float, side: float, values: np.ndarray, *, signed: bool) -> str:
    if signed:
        return raster.signed_map(x, y, side, side, values)
    return raster.heat_map(x, y, side, side, values, low=0, high=float(values.max()) or 1.0)


def _maps(r: View) -> str:
    s, signed = r.state, r.state.sign == "signed"
    marks = [
        svg.text(24, 24, f"image {s.image}: {CLASSES[r.truth]}", bold=True),
        raster.photo(24, 34, 160, 160, r.image),
    ]
    marks.append(svg.text(196, 24, f"{s.method}, {s.weights}", bold=True))
    marks.append(_draw(196, 34, 160, r.map, signed=signed))
    marks.append(svg.text(368, 24, "both", bold=True))
    strength = np.abs(r.map) / (np.abs(r.map).max() or 1.0)
    grey = r.image.mean(axis=2, keepdims=True)
    colours = raster.palette("signed" if signed else "viridis")
    share = 0.5 + 0.5 * np.sign(r.map) * strength if signed else strength
    paint = colours[np.rint(255 * share).astype(int)]
    mixed = grey + (paint - grey) * (0.25 + 0.6 * strength)[:, :, None]
    marks.append(raster.photo(368, 34, 160, 160, mixed.astype(np.uint8)))
    told = "blue lowers, orange raises the score" if signed else "dark: no influence; yellow: most"
    return "".join(marks) + svg.text(196, 210, told, size=11)


def _scores(r: View) -> str:
    """Return the ten probabilities as bars."""
    heights = np.exp(r.scores - r.scores.max())
    shares = heights / heights.sum()
    marks = [svg.text(546, 24, "softmax of the scores", bold=True)]
    for k, name in enumerate(CLASSES):
        y = 47 + 16.4 * k
        marks.append(svg.text(606, y, name, size=11, anchor="end", bold=k == r.target))
        marks.append(svg.rect(612, y - 9, 100 * shares[k], 11, fill=svg.COLOURS[2 if k == r.truth else 0]))
        told = ("✓ " if k == r.truth else "") + f"{100 * shares[k]:.0f}%"
        marks.append(svg.text(616 + 100 * shares[k], y, told, size=11))
    return "".join(marks)


def _tiles(stack: np.ndarray, columns: int) -> np.ndarray:
    """Return maps (n, h, w) side by side in rows, one empty pixel between; empty is nan."""
    n, height, width = stack.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, tile in enumerate(stack):
        y, x = (i // columns) * (height + 1), (i % columns) * (width + 1)
        sheet[y : y + height, x : x + width] = tile
    return sheet


def _filters(r: View) -> str:
    """Return layer 1's filters as colours, or the slices of one filter of a deeper layer."""
    if r.state.layer == 1:
        low, high = r.filters.min(), r.filters.max()
        side = 6.4
        marks = [svg.text(24, 248, "filters of layer 1", bold=True)]
        for i, tile in enumerate((r.filters.transpose(0, 2, 3, 1) - low) / (high - low)):
            x, y = 24 + (i % 3) * 6 * side, 262 + (i // 3) * 6 * side
            marks.append(raster.photo(x, y, 5 * side, 5 * side, np.rint(255 * tile).astype(np.uint8)))
        x, y = 24 + (r.channel % 3) * 6 * side, 262 + (r.channel // 3) * 6 * side
        marks.append(svg.rect(x - 1.5, y - 1.5, 5 * side + 3, 5 * side + 3, colour=svg.COLOURS[3], line_width=3))
        return "".join(marks)
    sheet = _tiles(r.filters, 4)
    side = min(8.0, 150 / sheet.shape[0])
    marks = [svg.text(24, 248, f"filter {r.channel + 1} of layer {r.state.layer}", bold=True)]
    marks.append(raster.signed_map(24, 262, side * sheet.shape[1], side * sheet.shape[0], sheet))
    return "".join(marks) + svg.text(24, 430, f"a slice for each of {len(r.filters)} inputs", size=11)


def _activations(r: View) -> str:
    left, top, columns, cell = GRID
    count, peak = len(r.activations), float(r.activations.max()) or 1.0
    size = r.activations.shape[1]
    small = r.activations.reshape(count, 8, size // 8, 8, size // 8).mean(axis=(2, 4))  # shown at 8 x 8 each
    marks = [svg.text(left, 248, f"layer {r.state.layer}: {count} maps of {size}×{size}", bold=True)]
    for i, tile in enumerate(small):
        x, y = left + (i % columns) * cell, top + (i // columns) * cell
        if i == 0:
            sheet = _tiles(small, columns)
            step = cell / 9
            marks.append(raster.heat_map(x, y, step * sheet.shape[1], step * sheet.shape[0], sheet, low=0, high=peak))
        if not tile.any():
            marks.append(svg.text(x + cell / 2 - 1, y + cell / 2 + 3, "0", size=11, anchor="middle", colour="#fff"))
    x, y = left + (r.channel % columns) * cell, top + (r.channel // columns) * cell
    marks.append(svg.rect(x - 2, y - 2, cell + 1, cell + 1, colour=svg.COLOURS[3], line_width=3))
    big_x = left + columns * cell + 12
    marks.append(svg.text(big_x, 248, f"channel {r.channel + 1}", bold=True))
    marks.append(raster.heat_map(big_x, top, 112, 112, r.activations[r.channel], low=0, high=peak))
    return "".join(marks) + svg.text(left, 384, "click one to choose the channel; 0: silent", size=11)


def _patches(r: View) -> str:
    field = FIELD[r.state.layer - 1]
    marks = [svg.text(546, 248, f"strongest patches, {field}×{field}", bold=True)]
    for i, patch in enumerate(r.patches):
        marks.append(raster.photo(546 + 46 * (i % 3), 262 + 46 * (i // 3), 43, 43, patch))
    return "".join(marks) + svg.text(546, 412, f"from {len(bank()[0])} images", size=11)


def _check(r: View) -> str:
    """Return how much of each trained map is left when weights are shuffled."""
    marks = [svg.text(24, 464, "Sanity check: rank correlation with the trained net's map", bold=True)]
    for i, (name, both) in enumerate(r.kept.items()):
        x, y = 24 + 132 * i, 484
        told = name + (": survives" if max(both) > SURVIVES else "")
        marks.append(svg.text(x, y, told, size=12, bold=name == r.state.method))
        for j, (kind, value) in enumerate(zip(WEIGHTS[1:], both, strict=True)):
            row = y + 8 + 19 * j
            middle = x + 20
            length = 56 * value
            marks.append(svg.rect(middle + min(length, 0), row, abs(length), 13, fill=svg.COLOURS[COLOURS[kind]]))
            if kind == "all random":
                marks.append(svg.hatch(middle + min(length, 0), row, abs(length), 13, gap=5, opacity=0.7))
            marks.append(
                svg.text(middle + max(length, 0) + 4, row + 11, f"{value:.2f}", size=11, bold=value > SURVIVES)
            )
        marks.append(svg.line(x + 20, y + 6, x + 20, y + 42, opacity=0.6))
    marks += [svg.rect(24, 537, 14, 11, fill=svg.COLOURS[1]), svg.text(43, 547, "last two layers shuffled", size=11)]
    marks += [svg.rect(196, 537, 14, 11, fill=svg.COLOURS[3]), svg.hatch(196, 537, 14, 11, gap=5, opacity=0.7)]
    return "".join(marks) + svg.text(215, 547, "all layers shuffled", size=11)


def _yours(r: View, values: np.ndarray) -> str:
    mark = "✓" if r.yours_says == r.truth else "✗"
    marks = [svg.text(576, 446, f"your net: {CLASSES[r.yours_says]} {mark}", bold=True)]
    marks.append(_draw(576, 456, 80, values, signed=True))
    marks.append(svg.text(664, 480, "occlusion;", size=11))
    return "".join(marks) + svg.text(664, 496, f"agrees {r.agree:.2f}", size=11)


# --- moves


def check(state: Look, data: Data) -> Look:
    """Shuffle more of the weights; after all of them, go back to the trained ones."""
    following = WEIGHTS[(WEIGHTS.index(state.weights) + 1) % len(WEIGHTS)]
    return dataclasses.replace(state, weights=following)


def point(state: Look, data: Data, event: Event) -> Look:
    """Click an activation to choose its channel; left and right arrows too, up and down change the image."""
    count = CHANNELS[state.layer - 1]
    channel, image = (state.channel - 1) % count, state.image
    if event.kind == "key":
        if event.key == "Enter":
            return check(state, data)
        channel = (channel + {"ArrowRight": 1, "ArrowLeft": -1}.get(event.key, 0)) % count
        image = (image + {"ArrowDown": 1, "ArrowUp": -1}.get(event.key, 0)) % SHOWN
    elif event.kind == "down":
        left, top, columns, cell = GRID
        column, row = (event.x - left) // cell, (event.y - top) // cell
        if 0 <= column < columns and row >= 0 and row * columns + column < count:
            channel = int(row * columns + column)
    if channel == (state.channel - 1) % count and image == state.image:
        return state
    return dataclasses.replace(state, channel=channel + 1, image=image)


MODEL = Model(
    title="Filters, activations, saliency",
    about="A trained ConvNet from the inside: what its channels look for, and which pixels a score hangs on.",
    state=Look,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"check": check},
    point=point,
    point_help="Click an activation to choose its channel. Keys: left and right choose the channel, up and down the "
    "image, Enter makes the sanity check.",
    challenge=(
        ("Shuffle the numbers of the last two layers, and the net only guesses. Should a map that explains its "
         "decision change? Which of the four does not?",
         "It should: there is no decision left to explain. Guided backpropagation keeps most of its order, because the "
         "first layers, untouched, and the ReLUs that let only positive signals back, redraw the edges of the image."),
        ("Which methods need to see inside the net, and which would work on a net that is only a function?",
         "Gradients need the way back, and Grad-CAM the last convolution. Occlusion asks the function again and again: "
         "give it your own net with scores=."),
        ("Look at the strongest patches of a channel in layers 1, 2 and 3. What do they share, and why do they grow?",
         "An edge or a colour in layer 1, a corner or a bend later: each 3x3 filter joins neighbours of the layer "
         "before, so a unit sees 5, 7, then 11 pixels a side."),
    ),
)  # fmt: skip


@register(MODEL)
def saliency_explorer(scores: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show a small trained ConvNet's filters, activations and saliency maps, and which maps survive random weights.

    scores : your net as a function of images, float32 (N, 3, 32, 32) in [0, 1] -> scores (N, 10) in shapes10's order of
        classes; its occlusion map appears beside this net's
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("saliency_explorer", "scores", scores)
    return show(MODEL, state=state, data={"scores": scores})
