"""im2col and col2im: a convolution as one matrix product.

Each output pixel sees one window of the input. Lay every window out as a column, and the convolution of all windows
with all filters is one product:

    columns = im2col(x, 3, 3, pad=1)                      # (C * 3 * 3, N * out_h * out_w)
    scores = w.reshape(F, -1) @ columns                   # (F, N * out_h * out_w)
    out = scores.reshape(F, N, out_h, out_w).transpose(1, 0, 2, 3)

This pair is written to be read. `conv_forward_fast` never builds all the columns: they are KH * KW times larger than x.
"""

from __future__ import annotations

import numpy as np

from cs231n_lib.kernels.geometry import Pair, as_pair, output_size


def im2col(
    x: np.ndarray,
    kernel_h: int,
    kernel_w: int,
    *,
    stride: int | Pair = 1,
    pad: int | Pair = 0,
    dilation: int | Pair = 1,
) -> np.ndarray:
    """Return the windows of x as columns.

    x : array, shape (N, C, H, W), any dtype
    Returns an array of shape (C * kernel_h * kernel_w, N * out_h * out_w), x's dtype, a copy.
    Rows run over (c, i, j): channel, row and column in the window; columns over (n, out row, out column).
    """
    (stride_h, stride_w), (pad_h, pad_w), (step_h, step_w), (out_h, out_w) = _sizes(
        "im2col", x.shape, (kernel_h, kernel_w), stride, pad, dilation
    )
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + 2 * pad_h, w + 2 * pad_w), x.dtype)
    padded[:, :, pad_h : pad_h + h, pad_w : pad_w + w] = x
    cols = np.empty((c, kernel_h, kernel_w, n, out_h, out_w), x.dtype)
    for i in range(kernel_h):
        for j in range(kernel_w):  # what tap (i, j) of the filter sees at every output pixel
            rows = slice(i * step_h, i * step_h + (out_h - 1) * stride_h + 1, stride_h)
            columns = slice(j * step_w, j * step_w + (out_w - 1) * stride_w + 1, stride_w)
            cols[:, i, j] = padded[:, :, rows, columns].transpose(1, 0, 2, 3)  # (C, N, out_h, out_w)
    return cols.reshape(c * kernel_h * kernel_w, n * out_h * out_w)


def col2im(
    cols: np.ndarray,
    x_shape: tuple[int, int, int, int],
    kernel_h: int,
    kernel_w: int,
    *,
    stride: int | Pair = 1,
    pad: int | Pair = 0,
    dilation: int | Pair = 1,
) -> np.ndarray:
    """Add the columns back where im2col read them; the adjoint of im2col, not its inverse.

    A pixel under several windows receives the sum over them, which is what backpropagation asks for:
    (im2col(x) * cols).sum() == (x * col2im(cols)).sum() for every x and cols.

    cols : array, shape (C * kernel_h * kernel_w, N * out_h * out_w)
    Returns an array of shape x_shape, (N, C, H, W), cols' dtype.
    """
    (stride_h, stride_w), (pad_h, pad_w), (step_h, step_w), (out_h, out_w) = _sizes(
        "col2im", x_shape, (kernel_h, kernel_w), stride, pad, dilation
    )
    n, c, h, w = x_shape
    expected = (c * kernel_h * kernel_w, n * out_h * out_w)
    if cols.shape != expected:
        raise ValueError(f"col2im: cols must have shape {expected} for x of shape {x_shape}, got {cols.shape}")
    windows = cols.reshape(c, kernel_h, kernel_w, n, out_h, out_w)
    padded = np.zeros((n, c, h + 2 * pad_h, w + 2 * pad_w), cols.dtype)
    for i in range(kernel_h):
        for j in range(kernel_w):
            rows = slice(i * step_h, i * step_h + (out_h - 1) * stride_h + 1, stride_h)
            columns = slice(j * step_w, j * step_w + (out_w - 1) * stride_w + 1, stride_w)
            padded[:, :, rows, columns] += windows[:, i, j].transpose(1, 0, 2, 3)  # (N, C, out_h, out_w)
    return padded[:, :, pad_h : pad_h + h, pad_w : pad_w + w].copy()  # a view would keep the border alive


def _sizes(
    function: str,
    x_shape: tuple[int, ...],
    kernel: Pair,
    stride: int | Pair,
    pad: int | Pair,
    dilation: int | Pair,
) -> tuple[Pair, Pair, Pair, Pair]:
    """Return stride, pad, dilation and output size as (along height, along width), checked."""
    if len(x_shape) != 4:
        raise ValueError(f"{function}: x must have shape (N, C, H, W), got {tuple(x_shape)}; reshape it")
    kernel_h, kernel_w = as_pair(function, "kernel", kernel, at_least=1)
    stride_h, stride_w = as_pair(function, "stride", stride, at_least=1)
    pad_h, pad_w = as_pair(function, "pad", pad, at_least=0)
    step_h, step_w = as_pair(function, "dilation", dilation, at_least=1)
    out_h = output_size(function, x_shape[2], kernel=kernel_h, stride=stride_h, pad=pad_h, dilation=step_h)
    out_w = output_size(function, x_shape[3], kernel=kernel_w, stride=stride_w, pad=pad_w, dilation=step_w)
    return (stride_h, stride_w), (pad_h, pad_w), (step_h, step_w), (out_h, out_w)
