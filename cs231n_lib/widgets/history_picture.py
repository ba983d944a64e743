"""The picture of the history: lanes of ideas along the years, what was handed on, and the quiz's two cards."""

import numpy as np

from .base import svg
from .history_events import EVENTS, IDEAS, LINKS, WINTER, Happening
from .history_plan import INDEX, LAST, QUESTIONS, Look, Shown

LEFT, RIGHT, TOP, LANE = 104.0, 744.0, 30.0, 31.0
PAPER = "var(--jp-layout-color0,#fff)"  # behind a title, so that a link that crosses it does not strike it out


def describe(r: Shown) -> str:
    """Return the result in words."""
    if r.state.mode == "quiz":
        return _quiz_words(r)
    if r.chosen < 0:
        return f"No entry of the idea {r.state.idea} in these years."
    event = EVENTS[r.chosen]
    counted = f"{len(r.shown)} of {len(EVENTS)} entries shown. " if r.state.idea != "all" else ""
    return f"{counted}{event.when}, {event.title} ({event.who}). {event.what}"


def _quiz_words(r: Shown) -> str:
    if r.pair[0] < 0:
        return "This idea has no two entries of different years."
    a, b = (EVENTS[i] for i in r.pair)
    if r.state.answer == "?":
        return f"Which was first? A: {a.title} ({a.who}). B: {b.title} ({b.who})."
    right = ("A" if a.year < b.year else "B") == r.state.answer
    return (
        f"{'Right' if right else 'Not so'}: {a.title} {a.when}, {b.title} {b.when}, {abs(a.year - b.year)} years apart."
    )


def render(r: Shown) -> str:
    """Return the timeline, or a question about two entries."""
    return svg.figure(760, 440, describe(r), _quiz(r) if r.state.mode == "quiz" else _timeline(r))


def _last(state: Look) -> int:
    return min(state.first + state.span, LAST)


def _x(year: float, state: Look) -> float:
    share = (year - state.first) / (_last(state) - state.first)
    return LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0)


def places(r: Shown) -> dict[int, tuple[float, float]]:
    """Return where each shown entry stands: in the lane of its idea, years apart; one idea alone gets all lanes."""
    lanes, found = list(IDEAS), {}
    for order, i in enumerate(r.shown):
        event = EVENTS[i]
        if r.state.idea == "all":
            same = [j for j in r.shown if EVENTS[j].ideas[0] == event.ideas[0] and EVENTS[j].year == event.year]
            y = TOP + LANE * (lanes.index(event.ideas[0]) + 0.5) + 8 * (same.index(i) - (len(same) - 1) / 2)
        else:
            y = TOP + LANE * len(lanes) * (order + 0.5) / len(r.shown)
        found[i] = (_x(event.year, r.state), y)
    return found


def _timeline(r: Shown) -> str:
    state, bottom = r.state, TOP + LANE * len(IDEAS) + 5
    marks = [_winter(state, bottom)]
    for lane, idea in enumerate(IDEAS):
        y = TOP + LANE * lane
        if state.idea == "all":
            marks += [svg.text(12, y + LANE / 2 + 4, idea, size=12), svg.line(12, y, RIGHT, y, opacity=0.15)]
    if state.idea != "all":
        marks.append(svg.text(12, TOP + 14, state.idea, bold=True))
    marks.append(svg.line(LEFT, bottom, RIGHT, bottom, opacity=0.6))
    step = 10 if _last(state) - state.first > 35 else 5
    for year in range(-(-state.first // step) * step, _last(state) + 1, step):
        x = _x(year, state)
        marks += [
            svg.line(x, TOP, x, bottom + 5, opacity=0.15),
            svg.text(x, bottom + 18, year, size=11, anchor="middle"),
        ]
    at = places(r)
    marks.append(_links(r, at))
    marks.append(_titles(r, at))
    return "".join(marks) + _details(r)


def _winter(state: Look, bottom: float) -> str:
    x0, x1 = _x(WINTER[0], state), _x(WINTER[1], state)
    if x1 - x0 < 4:
        return ""
    band = svg.rect(x0, TOP, x1 - x0, bottom - TOP, fill=svg.INK, opacity=0.08)
    return band + svg.text((x0 + x1) / 2, TOP - 8, "AI winter", size=11, anchor="middle")


def _links(r: Shown, at: dict[int, tuple[float, float]]) -> str:
    """Return arrows from what handed on to what took over: those of the chosen entry, or all."""
    marks = []
    for start, end, _ in LINKS:
        i, j = INDEX[start], INDEX[end]
        if i in at and j in at and (r.state.links or r.chosen in (i, j)):
            (x0, y0), (x1, y1) = at[i], at[j]
            far = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
            bold = r.chosen in (i, j)
            colour, width = (svg.COLOURS[3], 2) if bold else (svg.INK, 1)
            if y0 == y1:  # over what stands between them
                half, rise = (x1 - x0) / 2, 13
                bow = [
                    (x0 + half * (1 - np.cos(t)), y0 - rise * np.sin(t)) for t in np.linspace(0.25, np.pi * 0.93, 15)
                ]
                drawn = svg.path(bow[:-1], colour=colour, width=width) + svg.arrow(
                    *bow[-2], *bow[-1], colour=colour, width=width
                )
            else:
                tip = (x1 - 9 * (x1 - x0) / far, y1 - 9 * (y1 - y0) / far)
                drawn = svg.arrow(x0, y0, *tip, colour=colour, width=width)
            marks.append(svg.group(drawn, opacity=1 if bold else 0.45))
    return "".join(marks)


def _titles(r: Shown, at: dict[int, tuple[float, float]]) -> str:
    """Return the marks, and as many titles as there is room for, the chosen one first."""
    marks, taken = [], [(x - 7, x + 7, y) for x, y in at.values()]  # left, right, height
    if r.chosen in at:
        x, y = at[r.chosen]
        taken.append((x - 11, x - 7, y))  # its ring, on the side away from its title
    linked = {INDEX[name] for a, b, _ in LINKS for name in (a, b) if r.chosen in (INDEX[a], INDEX[b])}
    for i in sorted(at, key=lambda i: (i != r.chosen, i not in linked, EVENTS[i].year)):
        (x, y), event = at[i], EVENTS[i]
        kind = list(IDEAS).index(event.ideas[0])
        ring = svg.circle(x, y, 9, colour=svg.COLOURS[3], line_width=2.5) if i == r.chosen else ""
        marks.append(
            ring + svg.group(svg.marker(x, y, kind, radius=_radius(event)), title=f"{event.when} {event.title}")
        )
        words = event.title if r.state.idea == "all" else f"{event.when} {event.title}"
        wide = 6.6 * len(words) + 4
        for begin, anchor in ((x + 11, "start"), (x - 11, "end")):
            low, high = (begin, begin + wide) if anchor == "start" else (begin - wide, begin)
            room = low >= LEFT - 4 and high <= RIGHT + 12
            clear = all(high < a or low > b or abs(y - v) > 11 for a, b, v in taken if not (a <= x <= b and v == y))
            if room and clear:
                taken.append((low, high, y))
                marks.append(svg.rect(low - 1, y - 7, high - low - 2, 14, fill=PAPER, opacity=0.85))
                marks.append(svg.text(begin, y + 4, words, size=11, anchor=anchor, bold=i == r.chosen))
                break
    return "".join(marks)


def _radius(event: Happening) -> float:
    """Return the size of a mark: smaller where many of one year stand above each other."""
    same = sum(other.year == event.year and other.ideas[0] == event.ideas[0] for other in EVENTS)
    return 5 if same < 3 else 3.6


def _details(r: Shown) -> str:
    """Return the chosen entry in words, and what it took and gave."""
    if r.chosen < 0:
        return svg.text(12, 366, "Nothing of this idea in these years: widen them.")
    event = EVENTS[r.chosen]
    marks = [svg.text(12, 360, f"{event.when} · {event.title} · {event.who}", bold=True)]
    lines = _wrapped(event.what, 116)
    marks += [svg.text(12, 380 + 17 * i, line, size=12) for i, line in enumerate(lines)]
    given = [f"from {a}: {what}" for a, b, what in LINKS if b == event.title]
    given += [f"to {b}: {what}" for a, b, what in LINKS if a == event.title]
    y = 380 + 17 * len(lines) + 2
    marks += [svg.text(12, y + 16 * i, line, size=11.5) for i, line in enumerate(_wrapped("; ".join(given), 124))]
    return "".join(marks)


def _wrapped(words: str, most: int) -> list[str]:
    """Return the words in lines of at most so many characters; [] for no words."""
    lines: list[str] = []
    for word in words.split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def _quiz(r: Shown) -> str:
    marks = [svg.text(12, 28, f"Question {r.state.question + 1} of {QUESTIONS}: which was first?", bold=True, size=15)]
    if r.pair[0] < 0:
        return marks[0] + svg.text(12, 70, "This idea has no two entries of different years; choose another.")
    years = [EVENTS[i].year for i in r.pair]
    for k, (letter, i) in enumerate(zip("AB", r.pair, strict=True)):
        event, x = EVENTS[i], 12 + 376 * k
        told = r.state.answer != "?"
        right = years[k] == min(years)
        edge = svg.COLOURS[2] if told and right else svg.INK
        marks.append(svg.rect(x, 50, 356, 200, colour=edge, line_width=3 if told and right else 1, round=6))
        marks += [
            svg.text(x + 16, 84, f"{letter}  {event.title}", bold=True, size=15),
            svg.text(x + 16, 108, event.who),
        ]
        marks += [svg.text(x + 16, 136 + 18 * n, line, size=12) for n, line in enumerate(_wrapped(event.what, 54))]
        if told:
            mine = r.state.answer == letter
            sign = ("✓ your answer" if right else "✗ your answer") if mine else ("← this one" if right else "")
            marks += [svg.text(x + 16, 234, event.when, bold=True, size=18), svg.text(x + 110, 234, sign, bold=True)]
    if r.state.answer == "?":
        marks.append(svg.text(12, 284, "Click a card, press 1 or 2, or use the control.", size=12))
    return "".join(marks) + _ruler(r)


def _ruler(r: Shown) -> str:
    whole = Look()
    marks = [svg.line(LEFT, 330, RIGHT, 330, opacity=0.6)]
    for year in range(1960, LAST, 10):
        marks += [
            svg.line(_x(year, whole), 326, _x(year, whole), 334),
            svg.text(_x(year, whole), 352, year, size=11, anchor="middle"),
        ]
    for letter, i in zip("AB", r.pair if r.state.answer != "?" else (), strict=False):
        x = _x(EVENTS[i].year, whole)
        marks += [
            svg.marker(x, 330, "AB".index(letter), radius=7),
            svg.text(x, 312, letter, bold=True, anchor="middle"),
        ]
    return "".join(marks)
