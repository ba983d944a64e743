"""Ten outlines as signed distances: negative inside, zero on the edge, positive outside.

A signed distance draws a smooth edge at any size with no polygon filler: the pixel's coverage is a ramp one pixel wide
around zero. Unions are minima and cuts are maxima (Inigo Quilez, "2D distance functions",
https://iquilezles.org/articles/distfunctions2d/, is the field's catalogue of these formulas).

Each function takes x, y : float64 (N, P), P points for each of N objects, in units of the object's radius with y
pointing down, and v : float64 (N, 1) in [-1, 1], the object's own proportions (0 is the typical member of the class).
Each returns float64 (N, P) in the same unit.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _disc(x: Array, y: Array, radius: Array | float) -> Array:
    return np.sqrt(x * x + y * y) - radius


def _box(x: Array, y: Array, half_width: Array | float, half_height: Array | float) -> Array:
    """Distance to an upright rectangle around the origin."""
    dx, dy = np.abs(x) - half_width, np.abs(y) - half_height
    outside = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    return outside + np.minimum(np.maximum(dx, dy), 0)


def _polygon(x: Array, y: Array, corners: list[tuple[Array | float, Array | float]]) -> Array:
    """Distance to a polygon whose corners are numbers or, one value for each object, float64 (N, 1)."""
    nearest = np.full(x.shape, np.inf)  # squared distance to the nearest edge so far
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
        t = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1)  # nearest point of the edge, 0 at a and 1 at b
        nearest = np.minimum(nearest, (wx - t * ex) ** 2 + (wy - t * ey) ** 2)
        # A point is inside when a ray from it crosses an odd number of edges.
        crosses = (ay > y) != (by > y)
        left_of_edge = (wx * ey < wy * ex) == (ey > 0)
        inside ^= crosses & left_of_edge
    return np.where(inside, -1.0, 1.0) * np.sqrt(nearest)


def arrow(x: Array, y: Array, v: Array) -> Array:
    shaft, head = 0.2 + 0.06 * v, 0.72 + 0.1 * v
    neck = -0.1 + 0.12 * v  # where the head begins
    return _polygon(
        x,
        y,
        [(0.0, -1.0), (head, neck), (shaft, neck), (shaft, 0.95), (-shaft, 0.95), (-shaft, neck), (-head, neck)],
    )


def bolt(x: Array, y: Array, v: Array) -> Array:
    w = 0.62 + 0.1 * v
    return _polygon(x, y, [(0.2, -1.05), (-w, 0.2), (-0.08, 0.2), (-0.4, 1.05), (w, -0.25), (0.12, -0.25), (w, -1.05)])


def circle(x: Array, y: Array, v: Array) -> Array:
    return _disc(x * (1 + 0.15 * v), y, 0.85)


def crescent(x: Array, y: Array, v: Array) -> Array:
    return np.maximum(_disc(x, y, 0.95), -_disc(x - 0.5 - 0.08 * v, y, 0.78))


def cross(x: Array, y: Array, v: Array) -> Array:
    arm = 0.25 + 0.08 * v
    return np.minimum(_box(x, y, 0.95, arm), _box(x, y, arm, 0.95))


def heart(x: Array, y: Array, v: Array) -> Array:
    # A square on its tip with a disc on each of its two upper sides.
    half = 0.5 + 0.03 * v
    diagonal = np.sqrt(0.5)
    tip = _box((x + y - 0.15) * diagonal, (y - 0.15 - x) * diagonal, half, half)
    lobe = _disc(np.abs(x) - half * diagonal, y - 0.15 + half * diagonal, half)
    return np.minimum(tip, lobe)


def ring(x: Array, y: Array, v: Array) -> Array:
    return np.abs(_disc(x, y, 0.72)) - (0.2 + 0.05 * v)


def square(x: Array, y: Array, v: Array) -> Array:
    return _box(x, y, 0.76 + 0.06 * v, 0.76 - 0.06 * v)


def star(x: Array, y: Array, v: Array) -> Array:
    inner = 0.44 + 0.08 * v
    corners: list[tuple[Array | float, Array | float]] = []
    for k in range(5):
        outward, between = np.pi * (0.4 * k - 0.5), np.pi * (0.4 * k - 0.3)
        corners.append((float(np.cos(outward)), float(np.sin(outward))))
        corners.append((inner * np.cos(between), inner * np.sin(between)))
    return _polygon(x, y, corners)


def triangle(x: Array, y: Array, v: Array) -> Array:
    return _polygon(x, y, [(0.15 * v, -0.95), (0.9, 0.7), (-0.9, 0.7)])


OUTLINES: tuple[Callable[[Array, Array, Array], Array], ...] = (
    arrow,
    bolt,
    circle,
    crescent,
    cross,
    heart,
    ring,
    square,
    star,
    triangle,
)
