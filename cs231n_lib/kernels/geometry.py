"""The shape of a convolution, checked once: every method below trusts a `Geometry`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Sizes of one convolution; each pair is (along height, along width)."""

    kernel: Pair
    stride: Pair
    pad: Pair
    dilation: Pair
    groups: int
    size: Pair  # input (H, W)
    out_size: Pair  # output (out_h, out_w)


def as_pair(function: str, name: str, value: int | Pair, *, at_least: int) -> Pair:
    """Return `value` as (along height, along width)."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) and v >= at_least for v in pair)
    if len(pair) != 2 or not whole:
        raise ValueError(
            f"{function}: {name} must be an integer of at least {at_least} or a pair (height, width) of them, "
            f"got {value!r}; change {name}"
        )
    return int(pair[0]), int(pair[1])


def output_size(function: str, size: int, *, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """Return how many windows fit along one axis; they must end exactly at the border.

    torch drops the last pixels when they do not. A dropped border is almost always a wrong pad, so we refuse.
    """
    span = size + 2 * pad - dilation * (kernel - 1) - 1
    if span < 0 or span % stride:
        spread = f" (dilation {dilation})" if dilation > 1 else ""
        raise ValueError(
            f"{function}: kernel {kernel}{spread}, stride {stride} and pad {pad} must tile size {size}, "
            f"got {span} pixels to stride over; change pad or stride"
        )
    return span // stride + 1


@lru_cache(maxsize=1024)  # asked for every tile again
def inside(start: int, step: int, count: int, size: int) -> tuple[slice, slice]:
    """Return which of the positions start, start + step, ... (`count` of them) lie in range(size), and where.

    The first slice picks the positions, the second the pixels. This one rule is all that padding, stride and
    dilation come to: a copy reads `pixels[second]` into `positions[first]`, and the rest stays zero.
    """
    low = min(max(0, -(start // step)), count)  # -(a // b) is ceil(-a / b)
    high = max(low, min(count, (size - 1 - start) // step + 1))
    if low == high:
        return slice(0, 0), slice(0, 0)
    return slice(low, high), slice(start + low * step, start + (high - 1) * step + 1, step)


def strided_view(array: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> np.ndarray:
    """View a contiguous array with other strides; both strides and offset are in bytes.

    Unlike as_strided it refuses to leave the array, and between two products it costs 10 us instead of 120.
    """
    return np.ndarray(shape, array.dtype, array, offset, strides)


def check_float_array(function: str, name: str, array: np.ndarray, *, ndim: int, dtype: np.dtype | None = None) -> None:
    """Raise unless `array` is a float32 or float64 array with `ndim` axes (and of `dtype`, where one is given)."""
    if not isinstance(array, np.ndarray) or array.ndim != ndim:
        found = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{function}: {name} must be an array with {ndim} axes, got {found}; reshape it")
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{function}: {name} must be float32 or float64, got {array.dtype}; use {name}.astype(...)")
    if dtype is not None and array.dtype != dtype:
        raise TypeError(f"{function}: {name} must be {dtype} like x, got {array.dtype}; use {name}.astype(x.dtype)")


def check_dout(function: str, dout: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise unless the upstream gradient has the shape and dtype of the layer's output."""
    check_float_array(function, "dout", dout, ndim=4, dtype=dtype)
    if dout.shape != shape:
        raise ValueError(f"{function}: dout must have the output's shape {shape}, got {dout.shape}; check the layer")
