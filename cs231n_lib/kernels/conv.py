"""conv_forward_fast and conv_backward_fast: check the input, then choose the method that wins for its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cs231n_lib.kernels.columns import columns_backward, columns_forward
from cs231n_lib.kernels.depthwise import depthwise_backward, depthwise_forward
from cs231n_lib.kernels.geometry import Geometry, Pair, as_pair, check_dout, check_float_array, output_size
from cs231n_lib.kernels.patches import do_not_overlap, patches_backward, patches_forward
from cs231n_lib.kernels.pointwise import pointwise_backward, pointwise_forward
from cs231n_lib.kernels.threads import one_blas_thread
from cs231n_lib.kernels.winograd import winograd_backward, winograd_forward
from cs231n_lib.kernels.winograd_transforms import count_tiles, transformed_bytes

MOST_FILTER_BYTES = 16 << 20  # Winograd's filters grow 4-fold (3 x 3) and stream from memory beside every strip
FEWEST_TILES = 32  # for fewer, transforming the filters costs more than it saves: 16 tiles took 37 ms, columns 25
DEEP = 144  # numbers that make one output: for fewer, transforms cost more than the products they save


class ConvCache(NamedTuple):
    """What the backward pass needs: x and w themselves where they are contiguous, so do not change them before it."""

    x: np.ndarray
    w: np.ndarray
    geometry: Geometry


class Method(NamedTuple):
    forward: Callable[[np.ndarray, np.ndarray, np.ndarray, Geometry], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray, np.ndarray, Geometry], tuple[np.ndarray, np.ndarray, np.ndarray]]


COLUMNS = Method(columns_forward, columns_backward)
DEPTHWISE = Method(depthwise_forward, depthwise_backward)
PATCHES = Method(patches_forward, patches_backward)
POINTWISE = Method(pointwise_forward, pointwise_backward)
WINOGRAD = Method(winograd_forward, winograd_backward)
SHALLOW = Method(columns_forward, winograd_backward)  # on the way back, one transform of dout serves dx and dw


def conv_forward_fast(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray,
    *,
    stride: int | Pair = 1,
    pad: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> tuple[np.ndarray, ConvCache]:
    """Return the convolution of every image with every filter, and what the backward pass needs.

    x : float32 or float64 array, shape (N, C, H, W), any memory layout
    w : array of x's dtype, shape (F, C / groups, KH, KW)
    b : array of x's dtype, shape (F,)
    stride, pad, dilation : integers, or pairs (along height, along width)
    groups : filter f sees channel block f // (F / groups) only; groups = C is a depthwise convolution
    Returns out, shape (N, F, out_h, out_w), x's dtype, and the cache.

    As everywhere in deep learning this is a correlation: the filter is not flipped. Neither x, w nor b is changed,
    and out shares no memory with them. A NaN or infinity in x may spread to other outputs of its rows, since fast
    methods combine neighbouring pixels; it never disappears.
    """
    geometry = conv_geometry("conv_forward_fast", x, w, b, stride, pad, dilation, groups)
    x, w, b = np.ascontiguousarray(x), np.ascontiguousarray(w), np.ascontiguousarray(b)
    with one_blas_thread:
        out = _choose(x, w, geometry).forward(x, w, b, geometry)
    return out, ConvCache(x, w, geometry)


def conv_backward_fast(dout: np.ndarray, cache: ConvCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a convolution.

    dout : array of x's dtype, shape (N, F, out_h, out_w)       upstream gradient
    cache : from `conv_forward_fast`
    Returns (dx, dw, db) with the shapes and dtype of x, w, b.
    """
    x, w, geometry = cache
    check_dout("conv_backward_fast", dout, (len(x), len(w), *geometry.out_size), x.dtype)
    dout = np.ascontiguousarray(dout)
    with one_blas_thread:
        return _choose(x, w, geometry).backward(dout, x, w, geometry)


def _choose(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> Method:
    """Return the fastest method for these shapes; each module says why it wins."""
    if w.shape[1] == 1 and geometry.groups > 1:
        return DEPTHWISE
    pixels = geometry.out_size[0] * geometry.out_size[1]
    if geometry.kernel == (1, 1) and geometry.pad == (0, 0) and geometry.groups == 1 and pixels >= 16:
        return POINTWISE
    if do_not_overlap(geometry):
        return PATCHES
    small = all(2 <= kernel <= 5 for kernel in geometry.kernel)
    channels = min(w.shape[1], len(w) // geometry.groups)
    worth = transformed_bytes(w) <= MOST_FILTER_BYTES and count_tiles(len(x), geometry.out_size) >= FEWEST_TILES
    if geometry.stride == (1, 1) and small and channels >= 8 and worth:
        return WINOGRAD if channels * geometry.kernel[0] * geometry.kernel[1] >= DEEP else SHALLOW
    return COLUMNS


def conv_geometry(
    function: str,
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray,
    stride: int | Pair,
    pad: int | Pair,
    dilation: int | Pair,
    groups: int,
) -> Geometry:
    """Return the sizes of a convolution, or raise and name what does not fit."""
    check_float_array(function, "x", x, ndim=4)
    check_float_array(function, "w", w, ndim=4, dtype=x.dtype)
    check_float_array(function, "b", b, ndim=1, dtype=x.dtype)
    if b.shape != (len(w),):
        raise ValueError(
            f"{function}: b must have one entry per filter, shape ({len(w)},), got {b.shape}; check w and b"
        )
    groups, _ = as_pair(function, "groups", groups, at_least=1)
    channels = x.shape[1]
    if channels % groups or len(w) % groups or not channels or not len(w):
        raise ValueError(
            f"{function}: groups must divide the channels of x and the filters of w, "
            f"got groups {groups}, {channels} channels and {len(w)} filters; change groups"
        )
    if w.shape[1] != channels // groups:
        raise ValueError(
            f"{function}: w must have {channels // groups} channels per filter (x has {channels}, groups is {groups}), "
            f"got {w.shape[1]}; w has shape (F, C / groups, KH, KW)"
        )
    kernel = as_pair(function, "kernel", w.shape[2:], at_least=1)
    strides = as_pair(function, "stride", stride, at_least=1)
    pads = as_pair(function, "pad", pad, at_least=0)
    dilations = as_pair(function, "dilation", dilation, at_least=1)
    height, width = (
        output_size(function, x.shape[2 + axis], kernel=kernel[axis], stride=strides[axis], pad=pads[axis],
                    dilation=dilations[axis])
        for axis in (0, 1)
    )  # fmt: skip
    return Geometry(kernel, strides, pads, dilations, groups, (x.shape[2], x.shape[3]), (height, width))
