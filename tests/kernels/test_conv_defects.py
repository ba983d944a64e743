"""What Stanford's fast layers got wrong (CURRICULUM.md, part E), and what hostile input must not break."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from kernel_cases import assert_close, draw_arrays, our_conv, torch_conv
from threadpoolctl import threadpool_limits

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast

# one for each method: columns, Winograd, pointwise, pointwise with stride, both of depthwise
METHODS = {
    "columns": ((6, 3, 9, 11), (4, 3, 3, 5), {"stride": 2, "pad": (1, 2)}),
    "winograd": ((6, 16, 13, 10), (24, 16, 3, 3), {"pad": 1}),
    "pointwise": ((6, 5, 7, 8), (4, 5, 1, 1), {}),
    "pointwise_strided": ((6, 5, 13, 17), (4, 5, 1, 1), {"stride": 2}),
    "depthwise": ((6, 5, 9, 40), (10, 1, 3, 3), {"pad": 1, "groups": 5}),
    "depthwise, narrow": ((17, 5, 9, 8), (10, 1, 3, 3), {"pad": 1, "groups": 5}),
}
each_method = pytest.mark.parametrize("case", METHODS.values(), ids=METHODS)


@pytest.mark.parametrize("kernel", [(3, 5), (5, 3), (1, 3), (3, 1), (2, 7)])
@pytest.mark.parametrize("channels", [3, 16])
def test_non_square_filters(kernel, channels):
    """Stanford's row index used the filter's height for its width: 3 x 5 was wrong, 5 x 3 corrupted the heap."""
    options = {"pad": (kernel[0] // 2, 0)}
    arrays = draw_arrays((6, channels, 9, 12), (16, channels, *kernel), options)
    assert_close(our_conv(*arrays, **options), torch_conv(*arrays, **options), 1e-10)


LAYOUTS = {
    "F-ordered": np.asfortranarray,
    "sliced": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "negative stride": lambda a: a[..., ::-1].copy()[..., ::-1],
    "transposed": lambda a: np.moveaxis(np.moveaxis(a, 1, -1).copy(), -1, 1) if a.ndim > 1 else a,
}


@each_method
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_any_memory_layout_gives_the_same_result(case, layout):
    """Stanford's conv was silently wrong (error about 18) for F-ordered input."""
    x_shape, w_shape, options = case
    arrays = draw_arrays(x_shape, w_shape, options)
    for got, want in zip(our_conv(*map(layout, arrays), **options), our_conv(*arrays, **options), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_stride_that_does_not_tile_raises():
    """Stanford's check was commented out: 8 x 8 with a 3 x 3 filter and stride 2 lost its last row in silence."""
    x, w, b = np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 3, 3)), np.zeros(1)
    message = (
        r"^conv_forward_fast: kernel 3, stride 2 and pad 0 must tile size 8, "
        r"got 5 pixels to stride over; change pad or stride$"
    )
    with pytest.raises(ValueError, match=message):
        conv_forward_fast(x, w, b, stride=2)
    with pytest.raises(ValueError, match="got -2 pixels"):
        conv_forward_fast(x, np.zeros((1, 1, 10, 3)), b)


X, W, B = np.zeros((2, 4, 5, 5)), np.zeros((6, 4, 3, 3)), np.zeros(6)
BAD = {
    "x has 3 axes": ((X[0], W, B), {}, ValueError, "x must be an array with 4 axes, got shape"),
    "x is a list": ((X.tolist(), W, B), {}, ValueError, "x must be an array with 4 axes, got list"),
    "integers": ((X.astype(int), W, B), {}, TypeError, r"x must be float32 or float64, got int64; use x\.astype"),
    "half": ((X.astype(np.float16), W, B), {}, TypeError, "got float16"),
    "mixed": ((X.astype(np.float32), W, B), {}, TypeError, "w must be float32 like x, got float64"),
    "channels": ((X, W[:, :3], B), {}, ValueError, "w must have 4 channels per filter"),
    "bias": ((X, W, B[:5]), {}, ValueError, r"b must have one entry per filter, shape \(6,\), got \(5,\)"),
    "groups": ((X, W, B), {"groups": 3}, ValueError, "groups must divide"),
    "stride 0": ((X, W, B), {"stride": 0}, ValueError, "stride must be an integer of at least 1"),
    "stride 1.5": ((X, W, B), {"stride": 1.5}, ValueError, "got 1.5; change stride"),
    "pad -1": ((X, W, B), {"pad": -1}, ValueError, "pad must be an integer of at least 0"),
    "pad triple": ((X, W, B), {"pad": (1, 1, 1)}, ValueError, "pair"),
}


@pytest.mark.parametrize(("arrays", "options", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(arrays, options, error, message):
    with pytest.raises(error, match=f"conv_forward_fast: .*{message}"):
        conv_forward_fast(*arrays, **options)


def test_bad_dout_is_named():
    _, cache = conv_forward_fast(X, W, B)
    with pytest.raises(ValueError, match="conv_backward_fast: dout must have the output's shape"):
        conv_backward_fast(np.zeros((2, 6, 3, 4)), cache)
    with pytest.raises(TypeError, match="conv_backward_fast: dout must be float64 like x"):
        conv_backward_fast(np.zeros((2, 6, 3, 3), np.float32), cache)


@each_method
def test_inputs_are_read_only_and_results_are_fresh(case):
    x_shape, w_shape, options = case
    arrays = draw_arrays(x_shape, w_shape, options)
    for a in arrays:
        a.flags.writeable = False  # a write would raise
    results = our_conv(*arrays, **options)
    for i, result in enumerate(results):
        assert result.flags.writeable
        assert not any(np.shares_memory(result, other) for other in (*arrays, *results[:i]))


@each_method
def test_a_nan_reaches_every_output_whose_window_holds_it(case):
    x_shape, w_shape, options = case
    x, w, b, dout = draw_arrays(x_shape, w_shape, options)
    x[1, 2, 4, 4] = np.nan
    holds = np.isnan(torch_conv(x, w, b, dout, **options)[0])
    assert holds.any()
    got = np.isnan(conv_forward_fast(x, w, b, **options)[0])
    assert got[holds].all()
    assert not np.delete(got, 1, axis=0).any()  # other images never meet it


@each_method
def test_a_cache_survives_later_calls(case):
    x_shape, w_shape, options = case
    x, w, b, dout = draw_arrays(x_shape, w_shape, options)
    out, cache = conv_forward_fast(x, w, b, **options)
    kept, first = out.copy(), conv_backward_fast(dout, cache)
    conv_backward_fast(-dout, conv_forward_fast(3 - x, 2 * w, b, **options)[1])
    np.testing.assert_array_equal(out, kept)
    for got, want in zip(conv_backward_fast(dout, cache), first, strict=True):
        np.testing.assert_array_equal(got, want)


@each_method
def test_an_empty_batch_has_empty_output_and_zero_gradients(case):
    x_shape, w_shape, options = case
    out, dx, dw, db = our_conv(*draw_arrays((0, *x_shape[1:]), w_shape, options), **options)
    assert len(out) == len(dx) == 0
    assert not dw.any()
    assert not db.any()


@each_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_bit_equal_for_any_number_of_threads(case, dtype):
    x_shape, w_shape, options = case
    arrays = draw_arrays((13, *x_shape[1:]), w_shape, options, dtype=dtype)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            results.append(our_conv(*arrays, **options))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_blas_threads_are_restored_after_a_call():
    from threadpoolctl import ThreadpoolController

    blas = ThreadpoolController().select(user_api="blas")
    with threadpool_limits(2, user_api="blas"):
        before = [library["num_threads"] for library in blas.info()]
        conv_forward_fast(X, W, B)
        with pytest.raises(ValueError, match="tile"):
            conv_forward_fast(X, W, B, stride=3)
        assert [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()] == before


@pytest.mark.parametrize(
    ("x_shape", "filters", "dtype"), [((64, 32, 32, 32), 64, np.float32), ((64, 64, 16, 16), 128, np.float64)]
)
def test_extra_memory_stays_small_on_a_large_batch(x_shape, filters, dtype):
    """Full im2col would need 9 times x, 75 MB here; the target of KERNELS.md is 20 MB, for two workers together."""
    options = {"pad": 1}
    arrays = draw_arrays(x_shape, (filters, x_shape[1], 3, 3), options, dtype=dtype)
    gc.collect()
    with threadpool_limits(2, user_api="blas"):
        tracemalloc.start()
        results = our_conv(*arrays, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak - sum(a.nbytes for a in results) < 20 * 2**20
