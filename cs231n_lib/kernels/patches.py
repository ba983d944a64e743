"""Convolution by patches: where the kernel is as large as the stride, patches do not overlap.

Then im2col copies every pixel exactly once, and a patch is KH short rows of the image:

    patches (n, G, out_h * out_w, C / G * KH * KW + 1)      the last number is 1, and the bias weighs it

A product writes straight into the output, another one finds dw and db together, and a third one dx, whose patches are
then brought back to their places. Patch embeddings (16 x 16) and downsampling (2 x 2) are of this kind: forward and
backward take .55 to .8 of the time of columns.py.
"""

from __future__ import annotations

from math import prod

import numpy as np

from cs231n_lib.kernels.geometry import Geometry
from cs231n_lib.kernels.products import aligned_empty, whole_registers
from cs231n_lib.kernels.rows import copy_rows, split_channels
from cs231n_lib.kernels.threads import kept_workspaces, run_tiles, split_batch

TILE_BYTES = 1 << 20  # patches of one tile: about a core's L2 cache

Tile = tuple[slice, slice]  # images, rows of patches


def do_not_overlap(geometry: Geometry) -> bool:
    """Tell whether this method applies: without padding, the patches then cover the image.

    A patch of one pixel is no row: what pointwise.py leaves, columns.py copies once, too.
    """
    whole = geometry.kernel == geometry.stride != (1, 1)
    return whole and geometry.dilation == (1, 1) and geometry.pad == (0, 0)


class Patches:
    """The patches of one tile, of `tile_shape` (images, rows of patches).

    lines : (n, G, patches, C / G * KH * KW + 1), the last of each is 1
    pixels : the others, as they stand in images (n, G, C / G, row of patches, KH, column of patches, KW)
    """

    def __init__(self, tile_shape: tuple[int, int], channels: int, geometry: Geometry, dtype: np.dtype) -> None:
        (images, rows), (_, out_w) = tile_shape, geometry.out_size
        each = (channels // geometry.groups, *geometry.kernel)
        size = prod(each)
        lines = aligned_empty((images, geometry.groups, rows * out_w, whole_registers(size + 1, dtype)), dtype)
        lines[..., size] = 1
        self.lines, self.nbytes = lines[..., : size + 1], lines.nbytes
        by_place = lines[..., :size].reshape(images, geometry.groups, rows, out_w, *each)
        self.pixels = by_place.transpose(0, 1, 4, 2, 5, 3, 6)


def patches_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return out, shape (N, F, out_h, out_w), from contiguous x (N, C, H, W), w (F, C / groups, KH, KW) and b (F,)."""
    out = aligned_empty((len(x), len(w), *geometry.out_size), x.dtype)
    out_g, images = split_channels(out, geometry.groups), _as_patches(x, geometry)
    matrix = np.concatenate([w.reshape(len(w), -1), b[:, None]], axis=1).reshape(geometry.groups, -1, w[0].size + 1)
    with kept_workspaces(Patches, x.shape[1], geometry, x.dtype) as spaces:

        def task(tile: Tile) -> None:
            part, upper = images[tile[0], :, :, tile[1]], out_g[tile[0], :, :, tile[1]]
            with spaces.borrow((len(part), part.shape[3])) as patches:
                copy_rows(part, patches.pixels)
                np.matmul(matrix, patches.lines.swapaxes(2, 3), out=upper.reshape(*upper.shape[:3], -1))

        run_tiles(task, _tiles(x, geometry))
    return out


def patches_backward(
    dout: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, dw and db, the gradients of `patches_forward`, from contiguous dout (N, F, out_h, out_w)."""
    dx = aligned_empty(x.shape, x.dtype)
    dout_g, images, dimages = split_channels(dout, geometry.groups), _as_patches(x, geometry), _as_patches(dx, geometry)
    matrix = w.reshape(geometry.groups, -1, w[0].size)
    both = np.zeros((*matrix.shape[:2], w[0].size + 1), w.dtype)  # dw and db
    with kept_workspaces(Patches, x.shape[1], geometry, x.dtype) as spaces:

        def task(tile: Tile) -> tuple[np.ndarray]:
            part, upstream = images[tile[0], :, :, tile[1]], dout_g[tile[0], :, :, tile[1]]
            upstream = upstream.reshape(*upstream.shape[:3], -1)  # (n, G, F / G, patches), a view
            with spaces.borrow((len(part), part.shape[3])) as patches:
                copy_rows(part, patches.pixels)
                gradient = np.matmul(upstream, patches.lines).sum(axis=0)
                np.matmul(upstream.swapaxes(2, 3), matrix, out=patches.lines[..., :-1])
                copy_rows(patches.pixels, dimages[tile[0], :, :, tile[1]])
            return (gradient,)

        run_tiles(task, _tiles(x, geometry), into=[both])
    return dx, np.ascontiguousarray(both[..., :-1]).reshape(w.shape), both[..., -1].reshape(-1)


def _as_patches(images: np.ndarray, geometry: Geometry) -> np.ndarray:
    """View images (N, C, H, W) as (N, G, C / G, row of patches, KH, column of patches, KW)."""
    (kernel_h, kernel_w), (out_h, out_w) = geometry.kernel, geometry.out_size
    by_group = split_channels(images, geometry.groups)
    return by_group.reshape(*by_group.shape[:3], out_h, kernel_h, out_w, kernel_w)


def _tiles(x: np.ndarray, geometry: Geometry) -> list[Tile]:
    out_h = geometry.out_size[0]
    per_row = prod(x.shape[1:]) // out_h * x.itemsize
    images = split_batch(len(x), max(1, TILE_BYTES // (per_row * out_h)))
    rows = split_batch(out_h, max(1, TILE_BYTES // per_row))
    return [(some, part) for some in images for part in rows]
