"""Winograd convolution: fewer multiplications for small filters with stride 1.

A tile of 4 x 4 outputs under a 3 x 3 filter needs 36 products instead of 144, when pixels and filters are first
brought to 36 points (winograd_transforms.py says how). At one point, the sum over channels is a matrix product:

    V (point, tile, channel)  from x
    M (point, tile, filter) = V (point, tile, channel) @ U (point, channel, filter)
    out from M (point, tile, filter)

A few images or tile rows at a time: their V and M stay in cache between the three steps.
"""

from __future__ import annotations

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.threads import run_tiles
from cs231n_lib.kernels.winograd_transforms import POINTS, Plan, Strip


def winograd_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    plan = Plan(geometry, x.shape[1], len(w), x.dtype)
    u = plan.filters_to_points(w)  # (points, G, C / G, F / G)
    out = np.empty((len(x), len(w), *geometry.out_size), x.dtype)
    at_one = POINTS.index(1.0) * (plan.columns.points + 1)  # adding b here adds b to every output: 1 to any power is 1

    def task(strip: Strip) -> None:
        v = plan.pixels_to_points(x, strip)
        m = np.empty((*v.shape[:2], v.shape[2] // x.shape[1] * len(w)), x.dtype)
        np.matmul(plan.split_groups(v, x.shape[1]), u, out=plan.split_groups(m, len(w)))
        m[at_one].reshape(-1, len(w))[...] += b
        plan.points_to_outputs(m, out, strip)

    run_tiles(task, plan.strips(len(x)))
    return out


def winograd_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """Return dx and dw, the gradients of `winograd_forward`, from contiguous dout (N, F, out_h, out_w).

    Every step of the forward pass is linear, so the backward pass is its adjoints in reverse order. At every point
    dU = V^T @ dM and dV = dM @ U^T, so dout is brought to the points once for both gradients.
    """
    plan = Plan(geometry, x.shape[1], len(w), x.dtype)
    u_transposed = np.ascontiguousarray(plan.filters_to_points(w).swapaxes(2, 3))  # (points, G, F / G, C / G)
    dx = np.empty_like(x)
    strips = plan.strips(len(x))

    def task(images: slice) -> np.ndarray | None:
        du: np.ndarray | None = None
        spill = None  # the tiles of one strip reach into the first pixel rows of the next
        for strip in strips:
            if strip.images == images:
                dm = plan.split_groups(plan.dout_to_points(dout, strip), len(w))
                v = plan.pixels_to_points(x, strip)
                part = plan.split_groups(v, x.shape[1]).swapaxes(2, 3) @ dm
                du = part if du is None else np.add(du, part, out=du)
                np.matmul(dm, u_transposed, out=plan.split_groups(v, x.shape[1]))  # v is dV from here on
                del dm  # the largest array of a strip is not needed any more
                spill = plan.points_to_pixels(v, dx, strip, spill)
        return du

    du = np.zeros((plan.points, plan.groups, w.shape[1], len(w) // plan.groups), x.dtype)
    run_tiles(task, [strip.images for strip in strips if strip.first == 0], into=du)
    return dx, plan.points_to_filters(du)
