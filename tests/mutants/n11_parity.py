"""Planted bugs of N11: PyTorch as a referee, and the twin of a convolution."""

import numpy as np
import torch
from torch.nn import functional

from tests.mutants import bug

REFEREE = "torch-with_gradients"


def run(
    function,
    arrays,
    dout,
    *,
    make=lambda a: torch.from_numpy(np.array(a)),
    upstream=lambda dout: torch.from_numpy(np.array(dout)),
    out=lambda t: t.detach().numpy(),
    grad=lambda t: t.grad.numpy() if t.requires_grad else None,
    leaves=lambda t: t.requires_grad_(t.is_floating_point()),
    end=tuple,
):
    """The right answer, unless an option asks for a mistake."""
    inputs = [leaves(make(a)) for a in arrays]
    result = function(*inputs)
    result.backward(upstream(dout))
    return out(result), end(grad(t) for t in inputs)


def planted(name, symptom, **mistake):
    def wrong(function, arrays, dout):
        return run(function, arrays, dout, **mistake)

    wrong.__name__ = name
    bug(REFEREE, symptom=symptom)(wrong)


def float32(array):
    return torch.from_numpy(np.array(array)).float() if np.asarray(array).dtype.kind == "f" else torch.tensor(array)


planted("single_precision", "float32", make=float32, upstream=float32)
planted("single_inputs", "float32", make=lambda a: float32(a), upstream=lambda d: torch.from_numpy(np.array(d)).float())
planted("ones_upstream", "no-dout", upstream=lambda dout: torch.ones(np.shape(dout), dtype=torch.float64))
planted("tensors_returned", "not-array", out=lambda t: t.detach())
planted("tensor_gradients", "not-array", grad=lambda t: t.grad)
planted("numpy_of_a_record", "numpy-of-grad", out=lambda t: t.numpy())
planted("labels_too", "integer-grad", leaves=lambda t: t.requires_grad_())
planted("zeros_for_labels", "integer-grad", grad=lambda t: t.grad.numpy() if t.requires_grad else np.zeros(t.shape))
planted("first_gradient_only", "grads-count", end=lambda grads: tuple(grads)[:1])
planted("none_at_all", "no-requires_grad", grad=lambda t: None)


@bug(REFEREE, symptom="no-dout")
def no_upstream(function, arrays, dout):
    inputs = [torch.from_numpy(np.array(a)).requires_grad_() for a in arrays]
    out = function(*inputs)
    out.backward()
    return out.detach().numpy(), tuple(t.grad.numpy() for t in inputs)


@bug(REFEREE, symptom="not-a-pair")
def flat_tuple(function, arrays, dout):
    out, grads = run(function, arrays, dout)
    return (out, *grads, None)


@bug(REFEREE, symptom="mutates")
def writes_into_the_arrays(function, arrays, dout):
    out, grads = run(function, arrays, dout)
    arrays[0][...] = 0
    return out, grads


TWIN = "torch-conv_twin"


def each(value, axes):
    return value if isinstance(value, tuple) else (value,) * axes


def fits(x, w, stride, pad, dilation):
    axes = x.ndim - 2
    settings = zip(x.shape[2:], w.shape[2:], each(stride, axes), each(pad, axes), each(dilation, axes), strict=True)
    for n, k, s, p, d in settings:
        travel = n + 2 * p - (d * (k - 1) + 1)
        if travel < 0 or travel % s:
            raise ValueError(f"windows of {k} must fit {n}")


def twin(x, w, b, *, stride=1, pad=0, dilation=1, groups=1, check=fits, kind=None, change=lambda w: w, cut=lambda o: o):
    """The right twin, unless an option asks for a mistake."""
    check(x, w, stride, pad, dilation)
    convolve = kind or {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}[x.ndim]
    return cut(convolve(x, change(w), b, stride=stride, padding=pad, dilation=dilation, groups=groups))


def planted_twin(name, symptom, options=lambda **options: options, **mistake):
    def wrong(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
        given = options(stride=stride, pad=pad, dilation=dilation, groups=groups)
        return twin(x, w, b, **given, **mistake)

    wrong.__name__ = name
    bug(TWIN, symptom=symptom)(wrong)


def nothing(*_):
    """Check no sizes."""


planted_twin("no_stride", "stride-ignored", lambda **o: {**o, "stride": 1}, check=nothing)
planted_twin("no_pad", "pad-ignored", lambda **o: {**o, "pad": 0}, check=nothing)
planted_twin("no_dilation", "dilation-ignored", lambda **o: {**o, "dilation": 1}, check=nothing)
planted_twin("no_groups", "groups-ignored", lambda **o: {**o, "groups": 1})
planted_twin("only_images", "one-kind", kind=functional.conv2d)
planted_twin("rounds_down", "floors", check=nothing)
planted_twin("span_without_dilation", "floors", check=lambda x, w, s, p, d: fits(x, w, s, p, 1))
planted_twin("pad_on_one_side", "refuses-good-sizes", check=lambda x, w, s, p, d: fits(x, w, s, 0, d))
planted_twin("flipped", "flipped", change=lambda w: w.flip(dims=tuple(range(2, w.ndim))))
planted_twin("cut_off", "cut-graph", cut=lambda out: out.detach())
planted_twin("narrow", "dtype", cut=lambda out: out.float())


@bug(TWIN, symptom="no-bias")
def no_bias(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    return twin(x, w, 0 * b, stride=stride, pad=pad, dilation=dilation, groups=groups)
