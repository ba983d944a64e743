"""The teaching pair: windows by hand, a convolution as one product, and the adjoint identity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import convolutions, draw_arrays, torch_conv

from cs231n_lib.kernels import col2im, im2col


def test_im2col_by_hand():
    x = np.arange(6).reshape(1, 1, 2, 3)
    np.testing.assert_array_equal(im2col(x, 2, 2), [[0, 1], [1, 2], [3, 4], [4, 5]])


def test_col2im_adds_where_windows_overlap():
    np.testing.assert_array_equal(col2im(np.ones((4, 2)), (1, 1, 2, 3), 2, 2), [[[[1, 2, 1], [1, 2, 1]]]])


@settings(max_examples=100, deadline=None)
@given(case=convolutions(groups=(1,)), seed=st.integers(0, 9))
def test_im2col_equals_unfold_and_gives_a_convolution(case, seed):
    x_shape, w_shape, options = case
    options.pop("groups")
    x, w, b, dout = draw_arrays(x_shape, w_shape, options, seed)
    cols = im2col(x, *w_shape[2:], **options)
    if len(x):
        unfolded = torch.nn.functional.unfold(
            torch.tensor(x), w_shape[2:], options["dilation"], options["pad"], options["stride"]
        )  # (N, C KH KW, L)
        np.testing.assert_array_equal(cols, unfolded.numpy().transpose(1, 0, 2).reshape(cols.shape))
    scores = w.reshape(len(w), -1) @ cols + b[:, None]
    out = scores.reshape(len(w), len(x), *dout.shape[2:]).transpose(1, 0, 2, 3)
    np.testing.assert_allclose(out, torch_conv(x, w, b, dout, **options)[0], rtol=1e-10, atol=1e-10)


@settings(max_examples=100, deadline=None)
@given(case=convolutions(groups=(1,)), seed=st.integers(0, 9))
def test_col2im_is_the_adjoint_of_im2col(case, seed):
    x_shape, w_shape, options = case
    options.pop("groups")
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 10, size=x_shape)  # integers: the identity holds exactly
    cols = im2col(x, *w_shape[2:], **options)
    other = rng.integers(-9, 10, size=cols.shape)
    assert (cols * other).sum() == (x * col2im(other, x_shape, *w_shape[2:], **options)).sum()


def test_results_own_their_memory():
    """Stanford returned a view into the padded buffer."""
    x = np.ones((1, 2, 3, 3))
    cols = im2col(x, 1, 1)
    assert not np.shares_memory(cols, x)
    assert col2im(cols, x.shape, 1, 1).base is None


def test_errors_name_the_function_and_the_rule():
    with pytest.raises(ValueError, match="im2col: kernel 3, stride 2 and pad 0 must tile size 8, got 5 pixels"):
        im2col(np.zeros((1, 1, 8, 8)), 3, 3, stride=2)
    with pytest.raises(ValueError, match=r"im2col: x must have shape \(N, C, H, W\), got \(8, 8\)"):
        im2col(np.zeros((8, 8)), 3, 3)
    with pytest.raises(ValueError, match=r"col2im: cols must have shape \(9, 36\) .*, got \(9, 35\)"):
        col2im(np.zeros((9, 35)), (1, 1, 8, 8), 3, 3)
    with pytest.raises(ValueError, match=r"kernel 3 \(dilation 4\)"):
        im2col(np.zeros((1, 1, 8, 8)), 3, 3, dilation=4)
