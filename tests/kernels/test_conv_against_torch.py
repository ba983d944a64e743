"""conv_forward_fast and conv_backward_fast equal torch, whichever method the dispatcher takes, and are adjoint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_cases import assert_close, convolutions, draw_arrays, our_conv, torch_conv

from cs231n_lib.kernels import conv_forward_fast, winograd_transforms
from cs231n_lib.kernels.columns import columns_backward, columns_forward
from cs231n_lib.kernels.conv import conv_geometry
from cs231n_lib.kernels.toeplitz import narrow_forward, narrow_input_gradient
from cs231n_lib.kernels.winograd import winograd_backward, winograd_forward
from cs231n_lib.kernels.winograd_transforms import OUTPUTS, winograd_matrices

WIDE = st.one_of(  # shapes that each method must meet: small and general, many channels with stride 1, depthwise
    convolutions(),
    convolutions(max_batch=8, max_channels=20, strides=(1,), groups=(1, 2)),
    convolutions(max_batch=4, max_channels=1, groups=(2, 5, 9), max_kernel=7),
    convolutions(max_batch=3, max_channels=4, max_kernel=11),
)


@settings(max_examples=250, deadline=None)
@given(case=WIDE, seed=st.integers(0, 9))
def test_conv_equals_torch_in_float64(case, seed):
    x_shape, w_shape, options = case
    arrays = draw_arrays(x_shape, w_shape, options, seed)
    assert_close(our_conv(*arrays, **options), torch_conv(*arrays, **options), 1e-10)


@settings(max_examples=80, deadline=None)
@given(case=WIDE, seed=st.integers(0, 9))
def test_conv_in_float32_is_close_to_torch_in_float64(case, seed):
    x_shape, w_shape, options = case
    arrays = draw_arrays(x_shape, w_shape, options, seed, np.float32)
    got = our_conv(*arrays, **options)
    assert all(a.dtype == np.float32 for a in got)
    exact = [a.astype(np.float64) for a in arrays]
    terms = torch_conv(*(np.abs(a) for a in exact), **options)
    assert_close(got, torch_conv(*exact, **options), 1e-4, terms)


@settings(max_examples=60, deadline=None)
@given(case=convolutions(strides=(1,), groups=(1, 2)), seed=st.integers(0, 9))
def test_winograd_and_columns_agree_where_both_apply(case, seed):
    x_shape, w_shape, options = case
    x, w, b, dout = draw_arrays(x_shape, w_shape, options, seed)
    geometry = conv_geometry("test", x, w, b, **options)
    by_winograd = [winograd_forward(x, w, b, geometry), *winograd_backward(dout, x, w, geometry)]
    by_columns = [columns_forward(x, w, b, geometry), *columns_backward(dout, x, w, geometry)]
    assert_close(by_winograd, by_columns, 1e-11)


@settings(max_examples=150, deadline=None)
@given(case=convolutions(max_channels=1, groups=(2, 5), max_kernel=7), many=st.integers(1, 3), seed=st.integers(0, 9))
def test_whole_rows_and_columns_agree_where_both_apply(case, many, seed):
    x_shape, (_, _, *kernel), options = case
    assume(options["dilation"][0] == 1)
    x, w, b, dout = draw_arrays(x_shape, (many * x_shape[1], 1, *kernel), options | {"groups": x_shape[1]}, seed)
    geometry = conv_geometry("test", x, w, b, **options | {"groups": x_shape[1]})
    by_rows = [narrow_forward(x, w, b, geometry), narrow_input_gradient(dout, w, geometry)]
    by_columns = [columns_forward(x, w, b, geometry), columns_backward(dout, x, w, geometry)[0]]
    assert_close([*by_rows, b, b], [*by_columns, b, b], 1e-11)


LARGE = {  # more than one tile, strip or block of columns, with a smaller last one
    "columns": ((37, 3, 33, 33), (8, 3, 7, 7), {"stride": 2, "pad": 3}),
    "columns_dilated_strided": ((5, 4, 41, 38), (6, 4, 3, 4), {"stride": (2, 3), "pad": (2, 1), "dilation": (3, 2)}),
    "winograd": ((3, 16, 50, 70), (24, 16, 3, 3), {"pad": 1}),
    "winograd_5x4_dilated_groups": ((3, 16, 50, 37), (32, 8, 5, 4), {"pad": (3, 7), "dilation": (2, 3), "groups": 2}),
    "depthwise": ((11, 6, 21, 131), (12, 1, 3, 5), {"stride": (1, 2), "pad": 3, "groups": 6, "dilation": (2, 1)}),
    "depthwise_narrow": ((37, 50, 14, 15), (100, 1, 3, 5), {"stride": (1, 2), "pad": (1, 3), "groups": 50}),
    "patches": ((37, 6, 24, 27), (8, 3, 4, 3), {"stride": (4, 3), "groups": 2}),
    "patches_of_large_images": ((2, 3, 512, 512), (5, 3, 2, 4), {"stride": (2, 4)}),
    "pointwise": ((9, 64, 33, 33), (48, 64, 1, 1), {"stride": 2}),
}


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_a_batch_of_no_images_has_gradients_of_zero(case):
    (_, *image), w_shape, options = case
    arrays = draw_arrays((0, *image), w_shape, options)
    out, dx, dw, db = our_conv(*arrays, **options)
    assert (out.shape, dx.shape) == (arrays[3].shape, (0, *image))
    assert not dw.any()
    assert not db.any()


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_conv_on_more_than_one_tile(case, monkeypatch):
    monkeypatch.setattr(winograd_transforms, "STRIP_BYTES", 1 << 17)  # one or two tile rows to a strip
    x_shape, w_shape, options = case
    arrays = draw_arrays(x_shape, w_shape, options)
    assert_close(our_conv(*arrays, **options), torch_conv(*arrays, **options), 1e-10)


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5])
def test_winograd_matrices_compute_a_correlation(taps):
    outputs, filters, pixels = winograd_matrices(taps)
    rng = np.random.default_rng(taps)
    d, w = rng.normal(size=OUTPUTS + taps - 1), rng.normal(size=taps)
    np.testing.assert_allclose(outputs @ ((filters @ w) * (pixels @ d)), np.correlate(d, w), atol=1e-12)


def test_conv_by_hand():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    w = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    out, _ = conv_forward_fast(x, w, np.array([10.0]))
    # top left: 1 * 0 + 2 * 1 + 3 * 3 + 4 * 4 = 27, and every step right adds 10, every step down 30
    np.testing.assert_array_equal(out[0, 0], 10 + np.array([[27.0, 37.0], [57.0, 67.0]]))


@settings(max_examples=60, deadline=None)
@given(case=WIDE, seed=st.integers(0, 9))
def test_conv_backward_is_the_adjoint_of_forward(case, seed):
    """<conv(x, w), dout> == <x, dx> == <w, dw>: needs no oracle at all."""
    x_shape, w_shape, options = case
    x, w, b, dout = draw_arrays(x_shape, w_shape, options, seed)
    out, dx, dw, db = our_conv(x, w, np.zeros_like(b), dout, **options)
    left = (out * dout).sum()
    np.testing.assert_allclose([(x * dx).sum(), (w * dw).sum()], [left, left], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(db, dout.sum(axis=(0, 2, 3)), rtol=1e-12, atol=1e-12)
