"""The plain peer of benchmarks/kernels.py: one full im2col through as_strided, one product.

Also an example for its --student.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided


def conv_forward(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    """Return out (N, F, out_h, out_w) and a cache, from x (N, C, H, W), w (F, C / groups, KH, KW), b (F,)."""
    n, _, h, width = x.shape
    filters, channels, kernel_h, kernel_w = w.shape
    out_h = (h + 2 * pad - dilation * (kernel_h - 1) - 1) // stride + 1
    out_w = (width + 2 * pad - dilation * (kernel_w - 1) - 1) // stride + 1
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    s_n, s_c, s_h, s_w = padded.strides
    shape = (groups, channels, kernel_h, kernel_w, n, out_h, out_w)
    strides = (channels * s_c, s_c, dilation * s_h, dilation * s_w, s_n, stride * s_h, stride * s_w)
    cols = as_strided(padded, shape, strides).reshape(groups, channels * kernel_h * kernel_w, -1)  # the full copy
    scores = w.reshape(groups, filters // groups, -1) @ cols + b.reshape(groups, -1, 1)  # (G, F / G, N * out_h * out_w)
    out = scores.reshape(filters, n, out_h, out_w).transpose(1, 0, 2, 3)
    return np.ascontiguousarray(out), (x.shape, w, cols, stride, pad, dilation, groups)


def conv_backward(dout, cache):
    """Return dx, dw, db."""
    (n, c, h, width), w, cols, stride, pad, dilation, groups = cache
    filters, _, kernel_h, kernel_w = w.shape
    out_h, out_w = dout.shape[2:]
    rows = dout.transpose(1, 0, 2, 3).reshape(groups, filters // groups, -1)
    dw = (rows @ cols.transpose(0, 2, 1)).reshape(w.shape)
    dcols = w.reshape(groups, filters // groups, -1).transpose(0, 2, 1) @ rows
    dcols = dcols.reshape(c, kernel_h, kernel_w, n, out_h, out_w)
    dx = np.zeros((n, c, h + 2 * pad, width + 2 * pad), dout.dtype)
    for i in range(kernel_h):
        for j in range(kernel_w):
            down = slice(i * dilation, i * dilation + stride * (out_h - 1) + 1, stride)
            across = slice(j * dilation, j * dilation + stride * (out_w - 1) + 1, stride)
            dx[:, :, down, across] += dcols[:, i, j].transpose(1, 0, 2, 3)
    return dx[:, :, pad : pad + h, pad : pad + width], dw, dout.sum(axis=(0, 2, 3))
