"""The recognition explorer: the lectures' seven challenges on one object, three classifiers, and augmentation."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from cs231n_lib.shapes10 import CLASSES

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .recognition_models import (
    CONTROLS,
    KEEPS,
    KNOBS,
    LARGEST,
    MODELS,
    NEIGHBOURS,
    SAMPLES,
    SEVERITIES,
    SIZE,
    TRAIN,
    Scene,
    Verdicts,
    compute,
    most_harmful,
    weights,
)

IMAGE = (16, 44, 208)  # left, top, side of the image
BARS, ROW = (330, 478, 626), 17  # left edges of the three columns of bars; from one class to the next
GRID, TILE = (16, 44), 84  # the augmented images


def describe(r: Verdicts) -> str:
    """Return the verdicts in words."""
    s = r.state
    if s.tab == "augmentation":
        kept = (r.guesses == r.truth).sum(axis=1)
        counts = ", ".join(f"{name} {count}" for name, count in zip(MODELS, kept, strict=True))
        on = [name for name in KEEPS if getattr(s, name)]
        said = f"{SAMPLES} versions of one {s.name}, by {', '.join(on) or 'nothing at all'}. Still called {s.name}: "
        said += counts + "."
        return said + (f" By your function: {(r.yours == r.truth).sum()}." if r.yours is not None else "")
    hard = ", ".join(f"{knob} {getattr(s, knob):g}" for knob in KNOBS if getattr(s, knob))
    said = f"A{'n' * (s.name == 'arrow')} {s.name}" + (f" with {hard}" if hard else " without any challenge")
    said += f", a grey square of {s.cover} pixels over it" if s.cover else ""
    said += f": L2 distance {r.distance:.2f}, {100 * r.changed:.0f} % of pixels changed. "
    said += ", ".join(f"{name}: {CLASSES[p.argmax()]}" for name, p in zip(MODELS, r.shares, strict=True)) + "."
    if r.yours is not None:
        said += f" Your function: {CLASSES[r.yours[0]]}, {'right' if r.yours[0] == r.truth else 'wrong'}."
    return said


def render(r: Verdicts) -> str:
    """Return the picture of the tab that is open."""
    if r.state.tab == "augmentation":
        return svg.figure(760, 500, describe(r), _samples(r), _policy(r))
    return svg.figure(760, 500, describe(r), _images(r), _bars(r), _curve(r))


def _images(r: Verdicts) -> str:
    s = r.state
    x, y, side = IMAGE
    marks = [svg.text(x, 28, f"the image: {s.name}", bold=True), _exact(x, y, side, r.image)]
    marks.append(svg.rect(x, y, side, side, colour=svg.INK, opacity=0.5))
    small = 92
    for left, name in ((x, "original"), (x + 116, "difference")):
        marks.append(svg.text(left, 282, name, bold=True, size=12))
        if name == "original":
            marks.append(_exact(left, 290, small, r.original))
        else:
            apart = np.abs(r.image.astype(float) - r.original).mean(axis=2) / 255
            marks.append(raster.heat_map(left, 290, small, small, apart, low=0, high=0.5, colours="cividis"))
        marks.append(svg.rect(left, 290, small, small, colour=svg.INK, opacity=0.5))
    marks.append(svg.text(x, 406, f"L2 distance {r.distance:.2f}", bold=True))
    marks.append(svg.text(x, 424, f"{100 * r.changed:.0f} % of pixels changed", size=12))
    on = [f"{knob} {getattr(s, knob):g}" for knob in KNOBS if getattr(s, knob)]
    for i in range(0, len(on), 2):
        marks.append(svg.text(x, 444 + 15 * (i // 2), ", ".join(on[i : i + 2]), size=11))
    return "".join(marks)


def _exact(x: float, y: float, side: float, pixels: np.ndarray) -> str:
    """Return an image without JPEG's traces: here single pixels are compared."""
    return raster.image(x, y, side, side, raster.png(pixels))


def _bars(r: Verdicts) -> str:
    """Return one column of bars for each classifier, and the student's verdict."""
    marks = [svg.text(246, 82 + ROW * i, name, size=12, bold=i == r.truth) for i, name in enumerate(CLASSES)]
    marks.append(svg.text(240, 82 + ROW * r.truth, "▸", size=12, anchor="end"))
    for kind, (x, name, share) in enumerate(zip(BARS, MODELS, r.shares, strict=True)):
        guess = int(share.argmax())
        right = guess == r.truth
        marks.append(svg.marker(x + 6, 24, kind, radius=5))
        marks.append(svg.text(x + 18, 28, name, bold=True))
        marks.append(svg.text(x, 50, f"{'✓' if right else '✗'} {CLASSES[guess]}", bold=not right))
        for i, value in enumerate(share):
            y = 72 + ROW * i
            marks.append(svg.rect(x, y, 100, 12, colour=svg.INK, opacity=0.2))
            marks.append(svg.rect(x, y, 100 * float(value), 12, fill=svg.COLOURS[kind]))
            if value > 0.005:
                marks.append(svg.text(x + 104, y + 10, f"{value:.2f}", size=11))
    if r.yours is not None:
        right = r.yours[0] == r.truth
        told = f"your function: {CLASSES[r.yours[0]]} {'✓' if right else '✗'}"
        marks.append(svg.text(330, 262, told, bold=True))
    return "".join(marks)


def _curve(r: Verdicts) -> str:
    """Return the true class's share and the L2 distance for each severity of one challenge."""
    s, high = r.state, max(float(r.distances.max()), 1e-9)
    axes = Axes(left=292, top=300, width=284, height=130, x0=-0.02, x1=1.02, y0=0, y1=1.2)
    marks = [axes.frame(title="share of the right class", x_label=f"{s.sweep}, 0 to 1")]
    at = axes.x(getattr(s, s.sweep))
    marks.append(svg.line(at, axes.top, at, axes.top + axes.height, width=7, opacity=0.18))
    marks.append(axes.curve(SEVERITIES, (r.distances / high).tolist(), colour=svg.INK, dash="12 3 2 3"))
    for kind, curve in enumerate(r.curve):
        marks.append(axes.curve(SEVERITIES, curve.tolist(), kind=kind))
        marks += [
            svg.marker(axes.x(v), axes.y(float(share)), kind, radius=3.5)
            for v, share in zip(SEVERITIES, curve, strict=True)
        ]
    if r.yours is not None:
        for v, label in zip(SEVERITIES, r.yours[1:], strict=True):
            told = "✓" if label == r.truth else "✗"
            marks.append(svg.text(axes.x(v), axes.top + 14, told, anchor="middle", size=12, bold=True))
    stored = weights()
    names = (
        f"{MODELS[0]}, {NEIGHBOURS} of {TRAIN} images",
        f"linear, test {100 * float(stored['linear_accuracy']):.0f} %",
        f"ConvNet, test {100 * float(stored['net_accuracy']):.0f} %",
    )
    rows = [(svg.marker(0, 0, kind, radius=5), name) for kind, name in enumerate(names)]
    rows.append((svg.line(-8, 0, 9, 0, dash="12 3 2 3", width=2), f"L2 distance, up to {high:.1f}"))
    if r.yours is not None:
        rows.append((svg.text(-5, 4, "✗", bold=True), "your function, above"))
    return "".join(marks) + svg.legend(598, 318, rows, gap=22)


def _samples(r: Verdicts) -> str:
    """Return the augmented images; under each, what the ConvNet calls it."""
    x0, y0 = GRID
    marks = [svg.text(x0, 28, f"{SAMPLES} draws; below each, the ConvNet's answer", bold=True)]
    wrong = np.zeros(SAMPLES, bool) if r.yours is None else r.yours != r.truth
    for i, pixels in enumerate(r.samples):
        x, y = x0 + (TILE + 12) * (i % 4), y0 + (TILE + 28) * (i // 4)
        right = r.guesses[2, i] == r.truth
        marks.append(raster.photo(x, y, TILE, TILE, pixels))
        marks.append(svg.rect(x, y, TILE, TILE, colour=svg.COLOURS[2 if right else 3], line_width=2.5,
                              dash="" if right else "6 3"))  # fmt: skip
        told = f"{'✓' if right else '✗'} {CLASSES[r.guesses[2, i]]}"
        marks.append(svg.text(x, y + TILE + 15, told, size=12, bold=not right))
        if wrong[i]:
            marks.append(svg.hatch(x, y, TILE, TILE, gap=9, colour=svg.COLOURS[3], opacity=0.8))
    return "".join(marks)


def _policy(r: Verdicts) -> str:
    """Return the unchanged image, how many draws keep their label for each classifier, and what each step asks for."""
    s, x = r.state, 418
    marks = [svg.text(x, 28, "the image they come from", bold=True), raster.photo(x, 44, TILE, TILE, r.image)]
    marks.append(svg.text(x, 168, f"still called {s.name}, of {SAMPLES}", bold=True))
    counts = [(name, int((guess == r.truth).sum())) for name, guess in zip(MODELS, r.guesses, strict=True)]
    if r.yours is not None:
        counts.append(("yours", int((r.yours == r.truth).sum())))
    for kind, (name, count) in enumerate(counts):
        y = 192 + 24 * kind
        marks += [svg.marker(x + 6, y - 4, kind, radius=5), svg.text(x + 20, y, name, size=12)]
        marks.append(svg.rect(x + 80, y - 12, 180, 15, colour=svg.INK, opacity=0.3))
        marks.append(svg.rect(x + 80, y - 12, 180 * count / SAMPLES, 15, fill=svg.COLOURS[kind]))
        marks.append(svg.text(x + 266, y, count, size=12, mono=True))
    marks.append(svg.text(x, 314, "the label stays the same if ...", bold=True))
    on = [words for name, words in KEEPS.items() if getattr(s, name)] or ["nothing is done: 16 times the same image"]
    for i, words in enumerate(on):
        head, _, rest = words.partition(": ")
        marks.append(svg.text(x, 338 + 38 * i, head, size=12, bold=True))
        marks.append(svg.text(x, 338 + 38 * i + 16, rest, size=12))
    if r.yours is not None:
        marks.append(svg.text(16, 494, "hatched: your function is wrong", size=12))
    return "".join(marks)


# --- moves

ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}


def worst(state: Scene, data: Data) -> Scene:
    """Put the square where it costs the ConvNet most."""
    size, x, y = most_harmful(state)
    return dataclasses.replace(state, cover=size, cover_x=x, cover_y=y)


def point(state: Scene, data: Data, event: Event) -> Scene:
    """Drag a grey square over the image; arrow keys move it, Enter and Backspace make it larger and smaller."""
    if state.tab != "challenges":
        return state
    x, y, size = state.cover_x, state.cover_y, state.cover
    left, top, side = IMAGE
    if event.kind == "key" and event.key in ARROWS:
        x, y = x + ARROWS[event.key][0], y + ARROWS[event.key][1]
    elif event.kind == "key" and event.key in ("Enter", "Backspace"):
        size += 1 if event.key == "Enter" else -1
    elif event.kind in ("down", "drag") and 0 <= event.x - left <= side and 0 <= event.y - top <= side:
        x, y = int((event.x - left) / side * SIZE), int((event.y - top) / side * SIZE)
        size = size or 8
    x, y, size = min(max(x, 0), SIZE - 1), min(max(y, 0), SIZE - 1), min(max(size, 0), LARGEST)
    if (x, y, size) == (state.cover_x, state.cover_y, state.cover):
        return state
    return dataclasses.replace(state, cover_x=x, cover_y=y, cover=size)


MODEL = Model(
    title="Recognition challenges and augmentation",
    about="Make an object hard to recognize in seven ways; see the pixels, three classifiers, and augmented copies.",
    state=Scene,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"worst": worst},
    point=point,
    point_help="Drag a grey square over the image. Keys: arrows move it, Enter makes it larger, Backspace smaller.",
    challenge=(
        ("The camera moves a little: viewpoint 0.2. How many of the pixels change, and does the ConvNet mind?",
         "10 to 20 %, all of them at the object (this background has no detail that could move), and the L2 distance "
         "goes from 0 to between 2 and 6. The ConvNet's answer stays: it was trained on objects turned, shifted and "
         "scaled up to viewpoint 0.3. Far beyond that it fails as well."),
        ("What is the smallest grey square that changes the ConvNet's answer, and where must it lie?",
         "3 to 14 pixels for these objects, at most 7 for half of them, over what tells it from its nearest rival. "
         "'Most harmful place' tries 49 places of one size; on blank background the same square changes nothing."),
        ("Open the augmentation. Which steps would you not use for digits, and which for ripe and unripe fruit?",
         "Mirroring turns digits into something else. Strong colour jitter removes what tells ripe from unripe. An "
         "augmentation is a claim that the label does not change; it has to be true for the classes at hand."),
    ),
)  # fmt: skip


@register(MODEL)
def recognition_explorer(predict: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show what makes recognition hard, and what augmentation does.

    predict : your classifier, a function of images, uint8 (N, 32, 32, 3), that returns N labels 0 to 9, indices into
        `cs231n_lib.shapes10.CLASSES`; its answers are marked right or wrong. For one that takes rows of numbers:
        `lambda images: model.predict(images.reshape(len(images), -1) / 255)`
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("recognition_explorer", "predict", predict)
    return show(MODEL, state=state, data={"predict": predict})
