"""Convolution and pooling in plain NumPy: the teaching pair `im2col` and `col2im`, and the fast layers.

    out, cache = conv_forward_fast(x, w, b, stride=1, pad=1)
    dx, dw, db = conv_backward_fast(dout, cache)

Images are (N, C, H, W): batch, channels, height, width; filters are (F, C / groups, KH, KW).
"""

from cs231n_lib.kernels.conv import conv_backward_fast, conv_forward_fast
from cs231n_lib.kernels.im2col import col2im, im2col
from cs231n_lib.kernels.pool import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)

__all__ = [
    "avg_pool_backward_fast",
    "avg_pool_forward_fast",
    "col2im",
    "conv_backward_fast",
    "conv_forward_fast",
    "im2col",
    "max_pool_backward_fast",
    "max_pool_forward_fast",
]
