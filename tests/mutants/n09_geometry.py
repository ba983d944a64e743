"""Planted bugs of N09, first part: sizes, cost, receptive field."""

import math

from tests.mutants import bug


def right_size(size, kernel, *, stride=1, pad=0):
    out = []
    for n, k in zip(size, kernel, strict=True):
        span = n + 2 * pad - k
        if span < 0 or span % stride:
            raise ValueError("does not fit")
        out.append(span // stride + 1)
    return tuple(out)


@bug("conv-output_shape", symptom="floors")
def rounds_down(size, kernel, *, stride=1, pad=0):
    if any(n + 2 * pad < k for n, k in zip(size, kernel, strict=True)):
        raise ValueError("kernel too large")
    return tuple((n + 2 * pad - k) // stride + 1 for n, k in zip(size, kernel, strict=True))


@bug("conv-output_shape", symptom="floors")
def looks_at_the_first_axis_only(size, kernel, *, stride=1, pad=0):
    right_size(size[:1], kernel[:1], stride=stride, pad=pad)
    return rounds_down(size, kernel, stride=stride, pad=pad)


@bug("conv-output_shape", symptom="kernel-too-large")
def looks_at_the_remainder_only(size, kernel, *, stride=1, pad=0):
    if any((n + 2 * pad - k) % stride for n, k in zip(size, kernel, strict=True)):
        raise ValueError("remainder")
    return tuple((n + 2 * pad - k) // stride + 1 for n, k in zip(size, kernel, strict=True))


@bug("conv-output_shape", symptom="no-plus-one")
def forgets_the_last_place(size, kernel, *, stride=1, pad=0):
    return tuple(n - 1 for n in right_size(size, kernel, stride=stride, pad=pad))


@bug("conv-output_shape", symptom="pad-once")
def pads_one_side(size, kernel, *, stride=1, pad=0):
    return tuple((n + pad - k) // stride + 1 for n, k in zip(size, kernel, strict=True))


@bug("conv-output_shape", symptom="pad-ignored")
def believes_the_slide(size, kernel, *, stride=1, pad=0):
    """The padded slide prints 5x5 for 7x7 with pad 1: it is 7x7."""
    return right_size(size, kernel, stride=stride)


@bug("conv-output_shape", symptom="stride-ignored")
def forgets_the_stride(size, kernel, *, stride=1, pad=0):
    return right_size(size, kernel, pad=pad)


@bug("conv-output_shape", symptom="swapped-hw")
def width_first(size, kernel, *, stride=1, pad=0):
    return right_size(size, kernel, stride=stride, pad=pad)[::-1]


@bug("conv-output_shape", symptom="square-filter")
def takes_a_square_filter(size, kernel, *, stride=1, pad=0):
    return right_size(size, (kernel[0],) * len(size), stride=stride, pad=pad)


@bug("conv-output_shape", symptom="square-filter")
def takes_the_kernel_width_first(size, kernel, *, stride=1, pad=0):
    """The lectures write K_w x K_h."""
    return right_size(size, kernel[::-1], stride=stride, pad=pad)


@bug("conv-output_shape", symptom="float-size")
def divides_with_a_slash(size, kernel, *, stride=1, pad=0):
    right_size(size, kernel, stride=stride, pad=pad)
    return tuple((n + 2 * pad - k) / stride + 1 for n, k in zip(size, kernel, strict=True))


@bug("conv-output_shape", symptom="not-per-axis")
def two_axes_only(size, kernel, *, stride=1, pad=0):
    return right_size((*size, *size)[:2], (*kernel, *kernel)[:2], stride=stride, pad=pad)


@bug("conv-output_shape", symptom="no-return")
def forgets_to_return(size, kernel, *, stride=1, pad=0):
    right_size(size, kernel, stride=stride, pad=pad)


def right_cost(in_shape, out_shape, kernel):
    taps, features = in_shape[0] * math.prod(kernel), math.prod(out_shape)
    return {
        "per_filter": taps + 1,
        "parameters": out_shape[0] * (taps + 1),
        "multiply_adds": features * taps,
        "fc_parameters": features * (math.prod(in_shape) + 1),
    }


def changed(name, symptom, **counts):
    """Plant a bug in some of the counts: each is a function of (c, h, w, f, out_h, out_w, hh, ww)."""

    def wrong(in_shape, out_shape, kernel):
        sizes = (*in_shape, *out_shape, *kernel)
        return {**right_cost(in_shape, out_shape, kernel), **{key: rule(*sizes) for key, rule in counts.items()}}

    wrong.__name__ = name
    bug("conv-cost", symptom=symptom)(wrong)


changed("filter_without_bias", "no-bias", per_filter=lambda c, h, w, f, oh, ow, hh, ww: c * hh * ww)
changed("flat_filter", "no-channels", per_filter=lambda c, h, w, f, oh, ow, hh, ww: hh * ww + 1)
changed("bias_per_channel", "bias-per-channel", per_filter=lambda c, h, w, f, oh, ow, hh, ww: c * (hh * ww + 1))
changed("layer_without_bias", "no-bias", parameters=lambda c, h, w, f, oh, ow, hh, ww: f * c * hh * ww)
changed("one_bias_for_all", "one-bias", parameters=lambda c, h, w, f, oh, ow, hh, ww: f * c * hh * ww + 1)
changed(
    "weights_at_each_place",
    "not-shared",
    parameters=lambda c, h, w, f, oh, ow, hh, ww: f * oh * ow * (c * hh * ww + 1),
)
changed(
    "bias_multiplied", "bias-counted", multiply_adds=lambda c, h, w, f, oh, ow, hh, ww: f * oh * ow * (c * hh * ww + 1)
)
changed("flops", "counted-twice", multiply_adds=lambda c, h, w, f, oh, ow, hh, ww: 2 * f * oh * ow * c * hh * ww)
changed("one_filter_only", "one-filter", multiply_adds=lambda c, h, w, f, oh, ow, hh, ww: oh * ow * c * hh * ww)
changed("input_pixels", "input-grid", multiply_adds=lambda c, h, w, f, oh, ow, hh, ww: f * h * w * c * hh * ww)
changed("first_channel_work", "no-channels", multiply_adds=lambda c, h, w, f, oh, ow, hh, ww: f * oh * ow * hh * ww)
changed("fc_without_bias", "no-bias", fc_parameters=lambda c, h, w, f, oh, ow, hh, ww: f * oh * ow * c * h * w)
changed("fc_per_map", "one-place", fc_parameters=lambda c, h, w, f, oh, ow, hh, ww: f * (c * h * w + 1))
changed("fc_one_channel", "no-channels", fc_parameters=lambda c, h, w, f, oh, ow, hh, ww: f * oh * ow * (h * w + 1))
changed("fc_as_float", "not-int", fc_parameters=lambda c, h, w, f, oh, ow, hh, ww: f * oh * ow * (c * h * w + 1.0))


@bug("conv-cost", symptom="keys")
def a_tuple_of_counts(in_shape, out_shape, kernel):
    return tuple(right_cost(in_shape, out_shape, kernel).values())


@bug("conv-receptive_field", symptom="stride-ignored")
def every_stride_is_one(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@bug("conv-receptive_field", symptom="stride-early")
def stride_before_kernel(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        field += (kernel - 1) * step
    return field


@bug("conv-receptive_field", symptom="one-stride")
def stride_of_the_layer_before(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step = stride
    return field


@bug("conv-receptive_field", symptom="stride-early")
def own_stride(layers):
    return 1 + sum((kernel - 1) * stride for kernel, stride in layers)


@bug("conv-receptive_field", symptom="reversed")
def from_the_last_layer(layers):
    field, step = 1, 1
    for kernel, stride in reversed(layers):
        field += (kernel - 1) * step
        step *= stride
    return field


@bug("conv-receptive_field", symptom="off-by-one")
def starts_at_zero(layers):
    field, step = 0, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


@bug("conv-receptive_field", symptom="no-minus-one")
def adds_whole_kernels(layers):
    field, step = 0, 1
    for kernel, stride in layers:
        field += kernel * step
        step *= stride
    return field


@bug("conv-receptive_field", symptom="no-minus-one")
def one_and_whole_kernels(layers):
    return 1 + adds_whole_kernels(layers)


@bug("conv-receptive_field", symptom="kernels-multiplied")
def multiplies_kernels(layers):
    return math.prod(kernel for kernel, _ in layers)


@bug("conv-receptive_field", symptom="previous-layer")
def field_in_the_previous_layer(layers):
    return layers[-1][0]


@bug("conv-receptive_field", symptom="no-layers")
def nothing_without_layers(layers):
    return starts_at_zero(layers) + 1 if layers else 0
