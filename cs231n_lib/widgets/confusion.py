"""A data set and a classifier's mistakes: the confusion matrix as a door to the images behind each cell."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import Axes, Data, Event, Model, callable_or_none, raster, register, show, svg
from .base.model import is_static
from .confusion_data import (
    ANY,
    BINS,
    CONTROLS,
    PAGE,
    PAGES,
    Browse,
    Count,
    class_names,
    compute,
    splits,
)
from .confusion_own import for_own, misfit

LEFT, TOP, CELL = 74, 88, 29  # of the matrix
GRID_TOP = 428
ALIKE = 12  # grey levels: a mean difference below this is called a copy


def describe(r: Count) -> str:
    """Return the result in words."""
    s, right = r.state, r.guesses == r.labels
    who = "Your function" if r.own or r.rival is not None else f"The {s.classifier} classifier"
    whose = "" if r.own else f"{s.split} "
    said = f"{who} is right on {right.sum()} of {len(right)} {whose}images ({100 * right.mean():.1f} %)."
    if r.rival is not None:
        other, differ = (r.rival == r.labels).mean(), int((r.rival != r.guesses).sum())
        said += f" The {s.classifier} classifier: {100 * other:.1f} %; they differ on {differ} images (≠)."
    off = r.matrix - np.diag(np.diag(r.matrix))
    row, column = np.unravel_index(off.argmax(), off.shape)
    if off.any():
        said += f" Most frequent mistake: {r.names[row]} taken for {r.names[column]}, {off.max()} times."
    said += f" {len(r.chosen)} images pass the filters."
    if s.grid == "duplicates":
        said += f" {int((r.apart[r.chosen] < ALIKE).sum())} of them nearly equal an image of the other split."
    return said


def render(r: Count) -> str:
    """Return the matrix, a chart beside it, and below them the images behind the chosen cell."""
    return svg.figure(760, 692, describe(r), _matrix(r), _chart(r), _summary(r), _images(r), _note(r))


def _matrix(r: Count) -> str:
    s = r.state
    totals = np.maximum(r.matrix.sum(axis=1, keepdims=True), 1)
    share = r.matrix / totals
    count = len(r.names)
    side = count * CELL
    marks = [svg.text(LEFT, 14, f"{'' if r.own else s.split + ': '}rows are labels, columns predictions", bold=True)]
    # Right is blue, wrong is orange, and only the light half of either, for the numbers on it are dark.
    marks.append(
        raster.signed_map(LEFT, TOP, side, side, np.where(np.eye(count, dtype=bool), -share, share), limit=1.6)
    )
    marks += [svg.line(LEFT + CELL * i, TOP, LEFT + CELL * i, TOP + side, opacity=0.3) for i in range(count + 1)]
    marks += [svg.line(LEFT, TOP + CELL * i, LEFT + side, TOP + CELL * i, opacity=0.3) for i in range(count + 1)]
    for k, name in enumerate(r.names):
        size, told = (12, name) if len(name) < 10 else (10.5, name[:10])  # longer ones would reach into the title
        marks.append(svg.text(LEFT - 6, TOP + CELL * k + 19, told, size=size, anchor="end", bold=name == s.truth))
        marks.append(svg.text(LEFT + CELL * k + 18, TOP - 6, told, size=size, turned=True, bold=name == s.guess))
    for (i, j), times in np.ndenumerate(r.matrix):
        if times:
            told = f"{times}" if s.cells == "counts" else f"{100 * share[i, j]:.0f}"
            x, y = LEFT + CELL * (j + 0.5), TOP + CELL * i + 19
            marks.append(svg.text(x, y, told, size=12, anchor="middle", colour="#111", bold=i == j))
    rows = range(count) if s.truth == ANY else [r.names.index(s.truth)]
    columns = range(count) if s.guess == ANY else [r.names.index(s.guess)]
    if len(rows) < count or len(columns) < count:
        marks.append(svg.rect(LEFT + CELL * columns[0], TOP + CELL * rows[0], CELL * len(columns), CELL * len(rows),
                              colour=svg.COLOURS[3], line_width=3.5))  # fmt: skip
    return "".join(marks)


def _chart(r: Count) -> str:
    if r.state.chart == "calibration":
        return _calibration(r)
    right, said, meant = np.diag(r.matrix), r.matrix.sum(axis=0), r.matrix.sum(axis=1)
    marks = [svg.text(400, 18, "per class", bold=True)]
    marks += [
        svg.rect(400, 30, 12, 11, fill=svg.COLOURS[0]),
        svg.text(417, 40, "recall: found / its images", size=11),
    ]
    marks += [svg.rect(580, 30, 12, 11, fill=svg.COLOURS[1]), svg.hatch(580, 30, 12, 11, gap=4, opacity=0.7)]
    marks.append(svg.text(597, 40, "precision: right / predicted", size=11))
    for k, name in enumerate(r.names):
        y = 54 + 25 * k
        marks.append(svg.text(452, y + 15, name[:10], size=12, anchor="end"))
        for j, (part, whole) in enumerate(((right[k], meant[k]), (right[k], said[k]))):
            length, row = 220 * part / max(whole, 1), y + 1 + 11 * j
            marks.append(svg.rect(458, row, length, 10, fill=svg.COLOURS[j]))
            if j:
                marks.append(svg.hatch(458, row, length, 10, gap=5, opacity=0.6) if length > 1 else "")
            marks.append(svg.text(462 + length, row + 9, f"{part}/{whole}", size=11))
    return "".join(marks)


def _calibration(r: Count) -> str:
    """Return accuracy against confidence: on the diagonal, a classifier that says 70 % is right 7 times in 10."""
    axes = Axes(left=446, top=34, width=290, height=204, y1=1.1)
    marks = [axes.frame(title="calibration", x_label="confidence", y_label="share that is right")]
    marks.append(svg.line(axes.x(0), axes.y(0), axes.x(1), axes.y(1), dash="6 4", opacity=0.7))
    counts, sure, right = r.bins
    for k in np.flatnonzero(counts):
        marks.append(axes.bar((k + 0.5) / BINS, float(right[k]), width=0.9 / BINS, kind=0))
        x = axes.x((k + 0.5) / BINS)
        marks.append(svg.marker(axes.x(sure[k]), axes.y(sure[k]), 3, radius=4))
        marks.append(svg.text(x, axes.y(float(right[k])) - 5, f"{counts[k]:.0f}", size=11, anchor="middle"))
    kept = counts > 0
    error = float((counts[kept] * np.abs(sure[kept] - right[kept])).sum() / len(r.labels))
    told = "only labels were given: no confidence to check" if r.only_labels else f"calibration error {error:.3f}"
    marks += [
        svg.marker(406, 290, 3, radius=4),
        svg.text(416, 294, "mean confidence; numbers: images in the bin", size=11),
    ]
    return "".join(marks) + svg.text(400, 312, told, size=12)


def _summary(r: Count) -> str:
    """Return how right it is, and the student's function beside a classifier."""
    right = (r.guesses == r.labels).mean()
    who = "your function" if r.own or r.rival is not None else r.state.classifier
    told = f"{who}: {100 * right:.1f} % right" + ("" if r.only_labels else f", mean loss {r.losses.mean():.2f}")
    marks = [svg.text(400, 336, told, bold=True)]
    if r.rival is not None:
        other = (
            f"{r.state.classifier}: {100 * (r.rival == r.labels).mean():.1f} % right; ≠ marks images where they differ"
        )
        marks.append(svg.text(400, 356, other, size=12))
    return "".join(marks)


def _images(r: Count) -> str:
    s = r.state
    pages = min(max(-(-len(r.chosen) // PAGE), 1), PAGES)
    page = min(s.page, pages)
    first = {
        "loss": "mistakes first" if r.only_labels else "highest loss first",
        "confidence": "surest first",
        "order": "in order",
    }[s.sort]
    first = "nearest to an image of the other split first" if s.grid == "duplicates" else first
    what = "mistakes" if s.wrong else "images"
    chosen = f"{s.truth} → {s.guess}" if (s.truth, s.guess) != (ANY, ANY) else "all"
    marks = [
        svg.text(24, GRID_TOP - 16, f"{chosen}: {len(r.chosen)} {what}, {first}; page {page} of {pages}", bold=True)
    ]
    if not len(r.chosen):
        marks.append(svg.text(24, GRID_TOP + 20, "No image is in this cell."))
    for i, index in enumerate(r.chosen[PAGE * (page - 1) : PAGE * page]):
        x, y = 24 + 91 * (i % 8), GRID_TOP + 118 * (i // 8)
        marks.append(_pair(r, index, x, y) if s.grid == "duplicates" else _image(r, index, x, y))
    return "".join(marks)


def _image(r: Count, index: int, x: float, y: float) -> str:
    label, guess = r.labels[index], r.guesses[index]
    right = label == guess
    marks = [raster.photo(x, y, 64, 64, r.images[index])]
    marks.append(
        svg.rect(x, y, 64, 64, colour=svg.COLOURS[0 if right else 1], line_width=3, dash="" if right else "6 3")
    )
    marks.append(svg.text(x, y + 78, r.names[label], size=12))
    marks.append(svg.text(x, y + 92, f"{'✓' if right else '✗'} {r.names[guess]}", size=11, bold=not right))
    differ = r.rival is not None and r.rival[index] != guess
    sure = "" if r.only_labels else f" {100 * r.confidence[index]:.0f}%"
    return "".join(marks) + svg.text(x, y + 106, f"#{index}{sure}" + (" ≠" if differ else ""), size=11)


def _pair(r: Count, index: int, x: float, y: float) -> str:
    """Return an image beside its nearest one of the other split."""
    other = splits()["train" if r.state.split == "test" else "test"][0][r.twins[index]]
    both = np.concatenate([r.images[index], other], axis=1)
    marks = [raster.photo(x, y, 84, 42, both), svg.line(x + 42, y, x + 42, y + 42, colour="#fff", width=2)]
    copy = r.apart[index] < ALIKE
    marks.append(svg.text(x, y + 57, f"differ by {r.apart[index]:.0f}", size=11, bold=bool(copy)))
    return "".join(marks) + svg.text(x, y + 71, f"#{index}" + (" a copy" if copy else ""), size=11)


def _note(r: Count) -> str:
    note = r.state.note if len(r.state.note) <= 100 else r.state.note[:97] + "..."
    told = f"Note: {note}" if note else "Write a note: it stays in the line of code that opens this state."
    return svg.text(24, 678, told, size=12)


# --- moves


def _moved(state: Browse, truth: str, guess: str) -> Browse:
    if (truth, guess) == (state.truth, state.guess):
        return state
    return dataclasses.replace(state, truth=truth, guess=guess, page=1)


ARROWS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}


def point(state: Browse, data: Data, event: Event) -> Browse:
    """Click a cell, or the name of a row or column; again to take it back. Arrows move the cell, Backspace clears."""
    names = class_names(data)
    if event.kind == "key":
        if event.key == "Backspace":
            return _moved(state, ANY, ANY)
        if event.key not in ARROWS:
            return state
        at = [names.index(name) if name != ANY else 0 for name in (state.truth, state.guess)]
        if ANY not in (state.truth, state.guess):
            at = [(a + step) % len(names) for a, step in zip(at, ARROWS[event.key], strict=True)]
        return _moved(state, names[at[0]], names[at[1]])
    if event.kind != "down":
        return state
    column, row = (event.x - LEFT) // CELL, (event.y - TOP) // CELL
    inside = 0 <= column < len(names), 0 <= row < len(names)
    if inside == (True, True):
        wanted = (names[int(row)], names[int(column)])
    elif inside[1] and 0 <= event.x < LEFT:
        wanted = (names[int(row)], ANY)
    elif inside[0] and 24 <= event.y < TOP:
        wanted = (ANY, names[int(column)])
    else:
        return state
    return _moved(state, *(wanted if wanted != (state.truth, state.guess) else (ANY, ANY)))


MODEL = Model(
    title="Dataset and confusion browser",
    about="A confusion matrix whose cells open: see the images behind each mistake, copies, and labels that are wrong.",
    state=Browse,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    point=point,
    point_help="Click a cell, or the name of a row or column; again to take it back. Keys: arrows move the cell, "
    "Backspace shows all.",
    challenge=(
        ("Four test images carry a wrong label. With which classifier, and in which order, do you find them fastest?",
         "ConvNet, highest loss first: a good classifier that is surely wrong is often right, and the label is not. "
         "A weak one has so many honest mistakes that they hide there."),
        ("Linear is right on more training than test images, k-NN too. What should you look at before you believe the "
         "test number?",
         "Duplicates. Five test images are slightly brighter copies of training images: whoever remembers those scores "
         "without having understood anything."),
        ("Choose calibration. Which classifier can be trusted when it says 80 %, and what could k-NN never say?",
         "The ConvNet: its bars end near the diagonal, or above it. Where k-NN says 60 % it is right on 39 %, and with "
         "5 votes it can only say 20, 40, 60, 80 or 100."),
    ),
)  # fmt: skip


@register(MODEL)
def confusion_browser(
    predict: Callable[..., Any] | None = None,
    *,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    state: Any = None,
) -> Any:
    """Show a classifier's confusion matrix, and the images behind each cell.

    predict : your function of images, uint8 (N, 32, 32, 3), to labels (N,), scores or probabilities (N, C). Without
        images of your own, those are 200 drawn ones of each split, in shapes10's order of classes, and the classifier
        chosen above is compared with it
    images, labels, class_names : what to count instead: uint8 (N, 32, 32, 3), int (N,), 2 to 10 names. All three, with
        predict; of 1,000 images a page of the list shows 16, and the list ends with the first 208
    state : settings, as the button "My settings as code" prints them
    Raises TypeError or ValueError, one sentence, for arguments that do not fit.
    """
    callable_or_none("confusion_browser", "predict", predict)
    own = {"images": images, "labels": labels, "class_names": class_names}
    if all(value is None for value in own.values()):
        return show(MODEL, state=state, data={"predict": predict})
    wrong = misfit(predict, images, labels, class_names)
    if wrong and not is_static():
        raise ValueError(wrong)
    if wrong:  # while grading, the status line says it
        return show(MODEL, state=state, data={"_misfit": wrong})
    return show(for_own(MODEL, tuple(class_names or ())), state=state, data={"predict": predict, **own})
