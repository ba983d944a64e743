"""Marks of a picture as SVG text. Every function returns a string; `figure` joins them.

A picture takes its ink from the page: `currentColor` is JupyterLab's text colour in either theme and near-black on a
white panel in an export. Class colours come with a shape and a dash, so no picture depends on telling hues apart.
"""

import html
from collections.abc import Iterable, Sequence

from cs231n_lib.visualize.palette import OKABE_ITO

INK = "currentColor"
# Okabe and Ito's colours without black, which would vanish on a dark panel.
COLOURS = tuple(colour for colour in OKABE_ITO if colour != "#000000")
SHAPES = ("circle", "square", "triangle", "diamond", "down", "cross", "bar")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 4", "1 4")
FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif)"
PANEL = "color:var(--jp-ui-font-color1,#111);background:var(--jp-layout-color0,#fff)"


def number(value: float) -> str:
    """Return a coordinate with at most two decimals, so that a picture stays small and its text stays the same."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def escape(text: object) -> str:
    """Return text that is safe inside an element or a quoted attribute."""
    return html.escape(str(text))


def figure(width: float, height: float, label: str, *marks: str) -> str:
    """Return a whole picture, width x height units. `label` says in words what it shows, for readers who do not see."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}" '
        f'style="max-width:100%;height:auto;{PANEL};{FONT}" font-size="13" fill="{INK}">' + "".join(marks) + "</svg>"
    )


def group(*marks: str, opacity: float = 1.0, title: str = "") -> str:
    """Return marks that belong together; `title` is shown when the pointer rests on them."""
    fade = f' opacity="{number(opacity)}"' if opacity != 1 else ""
    told = f"<title>{escape(title)}</title>" if title else ""
    return f"<g{fade}>{told}{''.join(marks)}</g>"


def text(
    x: float,
    y: float,
    words: object,
    *,
    size: float = 13,
    anchor: str = "start",
    colour: str = INK,
    bold: bool = False,
    mono: bool = False,
    turned: bool = False,
) -> str:
    """Return words with their baseline at (x, y). anchor: "start", "middle" or "end"; `turned` reads upwards."""
    options = "" if size == 13 else f' font-size="{number(size)}"'
    options += "" if anchor == "start" else f' text-anchor="{anchor}"'
    options += "" if colour == INK else f' fill="{colour}"'
    options += ' font-weight="600"' if bold else ""
    options += ' font-family="var(--jp-code-font-family,monospace)"' if mono else ""
    options += f' transform="rotate(-90 {number(x)} {number(y)})"' if turned else ""
    return f'<text x="{number(x)}" y="{number(y)}"{options}>{escape(words)}</text>'


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    colour: str = INK,
    width: float = 1,
    dash: str = "",
    opacity: float = 1,
) -> str:
    """Return a straight line; `dash` is a pattern such as "4 3"."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f"<line {ends}{_stroke(colour, width, dash, opacity)}/>"


def path(
    points: Iterable[tuple[float, float]],
    *,
    colour: str = INK,
    width: float = 1.5,
    dash: str = "",
    closed: bool = False,
    fill: str = "none",
    opacity: float = 1,
) -> str:
    """Return a polyline through points (x, y), or a polygon when closed."""
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    tag = "polygon" if closed else "polyline"
    return f'<{tag} points="{corners}" fill="{fill}"{_stroke(colour, width, dash, opacity)}/>'


def arrow(x1: float, y1: float, x2: float, y2: float, *, colour: str = INK, width: float = 1.5) -> str:
    """Return a line with a head at (x2, y2)."""
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1e-9)
    ux, uy, head = (x2 - x1) / length, (y2 - y1) / length, min(3 + 2.5 * width, length)
    left = (x2 - head * (ux + 0.45 * uy), y2 - head * (uy - 0.45 * ux))
    right = (x2 - head * (ux - 0.45 * uy), y2 - head * (uy + 0.45 * ux))
    tip = path([(x2, y2), left, right], colour=colour, width=0, closed=True, fill=colour)
    return line(x1, y1, x2 - ux * head * 0.8, y2 - uy * head * 0.8, colour=colour, width=width) + tip


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str = "none",
    colour: str = "none",
    line_width: float = 1,
    dash: str = "",
    opacity: float = 1,
    round: float = 0,
) -> str:
    """Return a rectangle: `fill` inside, `colour` for its outline, `opacity` for both."""
    corner = f' rx="{number(round)}"' if round else ""
    box = f'x="{number(x)}" y="{number(y)}" width="{number(max(width, 0))}" height="{number(max(height, 0))}"'
    return f'<rect {box}{corner} fill="{fill}"{_stroke(colour, line_width, dash, opacity)}/>'


def squares(
    corners: Iterable[tuple[float, float]], size: float, *, fill: str = "none", colour: str = "none", opacity: float = 1
) -> str:
    """Return squares with these top left corners as one path: a fifth of the bytes of as many rectangles."""
    side = number(size)
    steps = "".join(f"M{number(x)} {number(y)}h{side}v{side}h-{side}z" for x, y in corners)
    return f'<path d="{steps}" fill="{fill}"{_stroke(colour, 1, "", opacity)}/>'


def circle(
    x: float,
    y: float,
    radius: float,
    *,
    fill: str = "none",
    colour: str = "none",
    line_width: float = 1,
    dash: str = "",
) -> str:
    """Return a circle."""
    centre = f'cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"'
    return f'<circle {centre} fill="{fill}"{_stroke(colour, line_width, dash, 1)}/>'


def marker(x: float, y: float, kind: int, *, radius: float = 6, hollow: bool = False, edge: str = "") -> str:
    """Return the sign of class `kind`: its colour and its shape. Hollow ones stand for a second group, such as test."""
    colour = COLOURS[kind % len(COLOURS)]
    fill, stroke, width = ("#fff", colour, 2.5) if hollow else (colour, edge or INK, 0.8)
    shape, r = SHAPES[kind % len(SHAPES)], radius
    if shape == "circle":
        return circle(x, y, r, fill=fill, colour=stroke, line_width=width)
    corners = {
        "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        "triangle": [(0, -1.15), (1.08, 0.8), (-1.08, 0.8)],
        "down": [(0, 1.15), (1.08, -0.8), (-1.08, -0.8)],
        "diamond": [(0, -1.25), (1.05, 0), (0, 1.25), (-1.05, 0)],
        "cross": [
            (-0.38, -1.1), (0.38, -1.1), (0.38, -0.38), (1.1, -0.38), (1.1, 0.38), (0.38, 0.38),
            (0.38, 1.1), (-0.38, 1.1), (-0.38, 0.38), (-1.1, 0.38), (-1.1, -0.38), (-0.38, -0.38),
        ],
        "bar": [(-1.2, -0.55), (1.2, -0.55), (1.2, 0.55), (-1.2, 0.55)],
    }[shape]  # fmt: skip
    return path([(x + r * dx, y + r * dy) for dx, dy in corners], colour=stroke, width=width, closed=True, fill=fill)


def hatch(
    x: float, y: float, width: float, height: float, *, gap: float = 6, colour: str = INK, opacity: float = 0.6
) -> str:
    """Return slanted lines that fill a rectangle: the second code beside a colour, without an id that could collide."""
    strokes, offset = [], gap
    while offset < width + height:
        x1, y1 = (x + offset, y) if offset <= width else (x + width, y + offset - width)
        x2, y2 = (x, y + offset) if offset <= height else (x + offset - height, y + height)
        strokes.append(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")
        offset += gap
    return f'<path d="{"".join(strokes)}"{_stroke(colour, 1, "", opacity)}/>'


def legend(x: float, y: float, entries: Sequence[tuple[str, str]], *, gap: float = 20) -> str:
    """Return rows of (mark, words): each mark was drawn around (0, 0)."""
    rows = []
    for i, (mark, words) in enumerate(entries):
        rows.append(f'<g transform="translate({number(x)} {number(y + i * gap)})">{mark}</g>')
        rows.append(text(x + 14, y + i * gap + 4.5, words, size=12))
    return "".join(rows)


def _stroke(colour: str, width: float, dash: str, opacity: float) -> str:
    options = f' stroke="{colour}" stroke-width="{number(width)}"' if colour != "none" and width else ""
    options += f' stroke-dasharray="{dash}"' if dash else ""
    return options + (f' opacity="{number(opacity)}"' if opacity != 1 else "")
