"""Axes: from data to the picture and back, with ticks, curves and bars. Linear or logarithmic, no library needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from . import svg


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers in [low, high], about `count` of them: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True, kw_only=True)
class Axes:
    """A plotting area at (left, top), width x height picture units, that spans x in [x0, x1] and y in [y0, y1].

    `log_y` spaces y by its logarithm; then y0 must be above 0. Values beyond the range are drawn at its edge.
    """

    left: float
    top: float
    width: float
    height: float
    x0: float = 0.0
    x1: float = 1.0
    y0: float = 0.0
    y1: float = 1.0
    log_y: bool = False

    def __post_init__(self) -> None:
        if not (self.x1 > self.x0 and self.y1 > self.y0):
            raise ValueError(f"Axes: ranges must rise, got x {self.x0} to {self.x1} and y {self.y0} to {self.y1}")
        if self.log_y and self.y0 <= 0:
            raise ValueError(f"Axes: y0 must be above 0 on a logarithmic axis, got {self.y0}")

    def x(self, value: float) -> float:
        """Return the picture's x of a value."""
        return self.left + self.width * min(max((value - self.x0) / (self.x1 - self.x0), 0.0), 1.0)

    def y(self, value: float) -> float:
        """Return the picture's y of a value; upwards in the data is upwards in the picture."""
        if self.log_y:
            low, high = math.log(self.y0), math.log(self.y1)
            share = (math.log(max(value, self.y0)) - low) / (high - low)
        else:
            share = (value - self.y0) / (self.y1 - self.y0)
        return self.top + self.height * (1 - min(max(share, 0.0), 1.0))

    def inverse(self, x: float, y: float) -> tuple[float, float] | None:
        """Return the data under a pointer at (x, y) of the picture, None outside. For linear axes."""
        across, down = (x - self.left) / self.width, (y - self.top) / self.height
        if not (0 <= across <= 1 and 0 <= down <= 1):
            return None
        return self.x0 + across * (self.x1 - self.x0), self.y1 - down * (self.y1 - self.y0)

    def frame(
        self, *, title: str = "", x_label: str = "", y_label: str = "", x_ticks: int = 5, y_ticks: int = 5
    ) -> str:
        """Return the box, ticks with numbers, faint grid lines and the words around it. 0 ticks: none."""
        bottom, right = self.top + self.height, self.left + self.width
        marks = [svg.rect(self.left, self.top, self.width, self.height, colour=svg.INK, opacity=0.45)]
        for value in ticks(self.x0, self.x1, x_ticks) if x_ticks else []:
            x = self.x(value)
            marks.append(svg.line(x, self.top, x, bottom, opacity=0.12))
            marks.append(svg.text(x, bottom + 15, f"{value:g}", size=11, anchor="middle"))
        for value in self._y_ticks(y_ticks) if y_ticks else []:
            y = self.y(value)
            marks.append(svg.line(self.left, y, right, y, opacity=0.12))
            marks.append(svg.text(self.left - 5, y + 4, f"{value:g}", size=11, anchor="end"))
        middle_x, middle_y = self.left + self.width / 2, self.top + self.height / 2
        if title:
            marks.append(svg.text(middle_x, self.top - 9, title, anchor="middle", bold=True))
        if x_label:
            marks.append(svg.text(middle_x, bottom + (32 if x_ticks else 16), x_label, size=12, anchor="middle"))
        if y_label:
            marks.append(
                svg.text(self.left - (38 if y_ticks else 8), middle_y, y_label, size=12, anchor="middle", turned=True)
            )
        return "".join(marks)

    def _y_ticks(self, count: int) -> list[float]:
        if not self.log_y:
            return ticks(self.y0, self.y1, count)
        low, high = math.ceil(math.log10(self.y0) - 1e-9), math.floor(math.log10(self.y1) + 1e-9)
        return [10.0**i for i in range(low, high + 1, max(1, (high - low) // max(count, 1)))]

    def curve(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        *,
        kind: int = 0,
        colour: str = "",
        width: float = 2,
        dash: str | None = None,
    ) -> str:
        """Return a curve in the colour and dash of class `kind`. A value that is not finite breaks it."""
        colour = colour or svg.COLOURS[kind % len(svg.COLOURS)]
        dash = svg.DASHES[kind % len(svg.DASHES)] if dash is None else dash
        pieces: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                pieces[-1].append((self.x(x), self.y(y)))
            elif pieces[-1]:
                pieces.append([])
        return "".join(svg.path(piece, colour=colour, width=width, dash=dash) for piece in pieces if len(piece) > 1)

    def bar(self, x: float, value: float, *, width: float, kind: int = 0, colour: str = "", base: float = 0.0) -> str:
        """Return a bar from `base` to `value` around x; `width` in units of x."""
        left, right = self.x(x - width / 2), self.x(x + width / 2)
        top, bottom = sorted((self.y(value), self.y(base)))
        return svg.rect(left, top, right - left, bottom - top, fill=colour or svg.COLOURS[kind % len(svg.COLOURS)])

    def whisker(self, x: float, low: float, high: float, *, colour: str = svg.INK) -> str:
        """Return an error bar at x from low to high."""
        at, cap = self.x(x), 3
        stem = svg.line(at, self.y(low), at, self.y(high), colour=colour)
        return stem + "".join(svg.line(at - cap, self.y(v), at + cap, self.y(v), colour=colour) for v in (low, high))
