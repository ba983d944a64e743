"""Winograd convolution: fewer multiplications for small filters with stride 1.

A tile of 4 x 4 outputs under a 3 x 3 filter needs 36 products instead of 144, when pixels and filters are first
brought to 36 points (winograd_transforms.py says how). At one point, the sum over channels is a matrix product:

    V (J, I, tile, channel)  from x, at point I of the height and J of the width
    M (J, I, tile, filter) = V (J, I, tile, channel) @ U (J, I, channel, filter)
    out from M (J, I, tile, filter)

The transform is one along the width, then one along the height. The first is done for a strip of a few images, which
is then "half-way": J points across for every pixel row. The second, the products and the first half of the way back
follow for one J at a time, so V and M of that J never leave the cache (0.2 and 0.4 MB instead of 1.2 and 2.4 MB):
measured 66 instead of 76 ms for forward and backward of 64 images of 32 x 32, 32 to 64 channels (float32, one thread),
of which 18 ms are products, at the full speed of the core.
"""

from __future__ import annotations

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.products import aligned_copy, aligned_empty
from cs231n_lib.kernels.threads import run_tiles
from cs231n_lib.kernels.winograd_transforms import OUTPUTS, POINTS, Plan, Strip

ONE = POINTS.index(1.0)  # b at the point (1, 1) is b at every output, since 1 to any power is 1; db is dM there


def winograd_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    plan = Plan(geometry, x.shape[1], len(w), x.dtype)
    u = aligned_copy(plan.filters_to_points(w).swapaxes(3, 4))  # (J, I, G, C / G, F / G)
    out = aligned_empty((len(x), len(w), *geometry.out_size), x.dtype)

    def task(strip: Strip) -> None:
        wide_x, wide_out = plan.widen_pixels(x, strip), plan.empty_outputs(strip)
        x_tiles = plan.tile_rows(wide_x, strip.height, plan.rows.points)
        out_tiles = plan.tile_rows(wide_out, strip.height, OUTPUTS)
        v_tiles, v = plan.empty_points(strip, x.shape[1])
        m_tiles, m = plan.empty_points(strip, len(w))
        for j in range(plan.columns.points):
            np.matmul(plan.row_pixels, x_tiles[j], out=v_tiles)
            np.matmul(v, u[j], out=m)
            if j == ONE:
                m[ONE] += b.reshape(plan.groups, 1, -1)
            np.matmul(plan.row_outputs, m_tiles, out=out_tiles[j])
        plan.narrow_outputs(wide_out, out, strip)

    run_tiles(task, plan.strips(len(x)))
    return out


def winograd_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, dw and db, the gradients of `winograd_forward`, from contiguous dout (N, F, out_h, out_w).

    Every step of the forward pass is linear, so the backward pass is its adjoints in reverse order. At every point
    dU = V^T @ dM and dV = dM @ U^T, so dout is brought to the points once for both gradients.
    """
    plan = Plan(geometry, x.shape[1], len(w), x.dtype)
    u = plan.filters_to_points(w)  # (J, I, G, F / G, C / G)
    dx = aligned_empty(x.shape, x.dtype)

    def task(strips: list[Strip]) -> tuple[np.ndarray, np.ndarray]:
        du, part = (aligned_empty(of.shape, u.dtype) for of in (u, u[0]))
        db = np.zeros(len(w), u.dtype)
        spill = None  # the tiles of one strip reach into the first pixel rows of the next
        for strip in strips:
            wide_dx = _strip_backward(plan, dout, x, u, strip, du, db, None if strip is strips[0] else part)
            spill = plan.narrow_pixels(wide_dx, dx, strip, spill)
        return du, db

    du, db = np.zeros_like(u), np.zeros(len(w), u.dtype)
    run_tiles(task, plan.tasks(len(x)), into=(du, db))
    return dx, plan.points_to_filters(du), db


def _strip_backward(
    plan: Plan, dout: np.ndarray, x: np.ndarray, u: np.ndarray, strip: Strip, du: np.ndarray, db: np.ndarray,
    part: np.ndarray | None,
) -> np.ndarray:  # fmt: skip
    """Return one strip's dx half-way. Write its dU to `du`, or add it, with `part` as a workspace; add to `db`."""
    wide_dout, wide = plan.widen_dout(dout, strip), plan.widen_pixels(x, strip)
    dout_tiles = plan.tile_rows(wide_dout, strip.height, OUTPUTS)
    x_tiles = plan.tile_rows(wide, strip.height, plan.rows.points)
    v_tiles, v = plan.empty_points(strip, x.shape[1])
    dm_tiles, dm = plan.empty_points(strip, dout.shape[1])
    add_tiles = plan.tile_adder(wide, strip)
    for j in range(plan.columns.points):
        np.matmul(plan.row_pixels, x_tiles[j], out=v_tiles)
        np.matmul(plan.row_outputs.T, dout_tiles[j], out=dm_tiles)
        du_j = np.matmul(dm.swapaxes(2, 3), v, out=du[j] if part is None else part)
        if part is not None:
            du[j] += du_j
        if j == ONE:
            db += dm[ONE].sum(axis=1).reshape(-1)
        np.matmul(dm, u[j], out=v)  # v is dV from here on
        add_tiles(v_tiles, j)  # and x's place in `wide` is dx's
    return wide
