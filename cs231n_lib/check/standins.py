"""Stand-ins for layers that a student has not got right yet: PyTorch's own operations behind the course's signatures.

They keep a failed exercise from blocking the next notebook. The backward functions recompute and differentiate with
autograd from the cache that the exercise documents, so either half of a pair can be a stand-in. `cs231n_lib.carry`
says which exercise each belongs to.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cs231n_lib.kernels import col2im, im2col

Array = np.ndarray


def _leaf(array: Array) -> Any:
    import torch

    return torch.from_numpy(np.array(array)).requires_grad_(np.asarray(array).dtype.kind == "f")


def _gradients(out: Any, inputs: tuple[Any, ...], dout: Array) -> tuple[Array, ...]:
    import torch

    upstream = torch.from_numpy(np.array(dout)).to(out.dtype)
    return tuple(g.numpy() for g in torch.autograd.grad(out, inputs, upstream))


def _affine(x: Any, w: Any, b: Any) -> Any:
    from torch.nn import functional

    return functional.linear(x.flatten(1), w.T, b)


def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, tuple]:
    """x (N, d1, ..., dk), w (D, M), b (M,). Returns out (N, M) and the cache (x, w, b)."""
    return _affine(*map(_leaf, (x, w, b))).detach().numpy(), (x, w, b)


def affine_backward(dout: Array, cache: tuple) -> tuple[Array, ...]:
    """dout (N, M). Returns (dx, dw, db)."""
    leaves = tuple(map(_leaf, cache))
    return _gradients(_affine(*leaves), leaves, dout)


def relu_forward(x: Array) -> tuple[Array, Array]:
    """x of any shape. Returns out and the cache x."""
    return _leaf(x).relu().detach().numpy(), x


def relu_backward(dout: Array, cache: Array) -> Array:
    """Return dx."""
    leaf = _leaf(cache)
    return _gradients(leaf.relu(), (leaf,), dout)[0]


def softmax_loss(scores: Array, y: Array) -> tuple[float, Array]:
    """scores (N, C), y (N,) integers. Returns (mean cross-entropy, dscores)."""
    import torch

    leaf = _leaf(scores)
    loss = torch.nn.functional.cross_entropy(leaf, torch.from_numpy(np.array(y, dtype=np.int64)))
    return float(loss.detach()), _gradients(loss, (leaf,), np.ones(()))[0]


def _batchnorm(leaves: tuple[Any, ...], eps: float) -> Any:
    from torch.nn import functional

    x, gamma, beta = leaves
    return functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def batchnorm_forward(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    *,
    train: bool,
    momentum: float = 0.9,
    eps: float = 1e-5,
) -> tuple[Array, tuple, Array, Array]:
    """x (N, D). Returns (out, cache, running_mean, running_var); the batch variance is the uncorrected one."""
    import torch
    from torch.nn import functional

    leaves = tuple(map(_leaf, (x, gamma, beta)))
    if not train:
        held = [_leaf(a).detach() for a in (running_mean, running_var)]
        out = functional.batch_norm(leaves[0], held[0], held[1], leaves[1], leaves[2], training=False, eps=eps)
        return out.detach().numpy(), (x, gamma, beta, eps), running_mean, running_var
    out = _batchnorm(leaves, eps).detach().numpy()
    batch = torch.var_mean(leaves[0].detach(), dim=0, correction=0)
    var, mean = (
        torch.lerp(torch.from_numpy(np.array(old)).to(new.dtype), new, 1 - momentum).numpy()
        for old, new in zip((running_var, running_mean), batch, strict=True)
    )
    return out, (x, gamma, beta, eps), mean, var


def batchnorm_backward(dout: Array, cache: tuple) -> tuple[Array, ...]:
    """Return (dx, dgamma, dbeta)."""
    *arrays, eps = cache
    leaves = tuple(map(_leaf, arrays))
    return _gradients(_batchnorm(leaves, eps), leaves, dout)


def _conv(leaves: tuple[Any, ...], stride: int, pad: int) -> Any:
    from torch.nn import functional

    x, w, b = leaves
    return functional.conv2d(x, w, b, stride=stride, padding=pad)


def conv_forward_naive(x: Array, w: Array, b: Array, *, stride: int = 1, pad: int = 0) -> tuple[Array, tuple]:
    """x (N, C, H, W), w (F, C, HH, WW), b (F,). Returns out and the cache (x, w, b, stride, pad)."""
    out = _conv(tuple(map(_leaf, (x, w, b))), stride, pad)
    return out.detach().numpy(), (x, w, b, stride, pad)


def conv_backward_naive(dout: Array, cache: tuple) -> tuple[Array, ...]:
    """Return (dx, dw, db)."""
    x, w, b, stride, pad = cache
    leaves = tuple(map(_leaf, (x, w, b)))
    return _gradients(_conv(leaves, stride, pad), leaves, dout)


def max_pool_forward_naive(x: Array, *, pool_h: int, pool_w: int, stride: int) -> tuple[Array, tuple]:
    """x (N, C, H, W). Returns out and the cache (x, pool_h, pool_w, stride)."""
    from torch.nn import functional

    return functional.max_pool2d(_leaf(x), (pool_h, pool_w), stride).detach().numpy(), (x, pool_h, pool_w, stride)


def max_pool_backward_naive(dout: Array, cache: tuple) -> Array:
    """Return dx."""
    from torch.nn import functional

    maps, height, width, step = cache
    leaf = _leaf(maps)
    return _gradients(functional.max_pool2d(leaf, (height, width), step), (leaf,), dout)[0]


def layernorm_forward(x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5) -> tuple[Array, tuple]:
    """x (N, D). Returns out and the cache (x, gamma, mean, var, eps), mean and var of shape (N, 1)."""
    import torch

    out = _layernorm(tuple(map(_leaf, (x, gamma, beta))), eps)
    var, mean = torch.var_mean(_leaf(x).detach(), dim=1, correction=0, keepdim=True)
    return out.detach().numpy(), (x, gamma, mean.numpy(), var.numpy(), eps)


def layernorm_backward(dout: Array, cache: tuple) -> tuple[Array, ...]:
    """Return (dx, dgamma, dbeta)."""
    x, gamma, _, _, eps = cache
    leaves = tuple(map(_leaf, (x, gamma, np.zeros_like(gamma))))  # the gradients do not depend on beta
    return _gradients(_layernorm(leaves, eps), leaves, dout)


def _layernorm(leaves: tuple[Any, ...], eps: float) -> Any:
    from torch.nn import functional

    x, gamma, beta = leaves
    return functional.layer_norm(x, x.shape[1:], gamma, beta, eps)


def dropout_forward(x: Array, *, keep: float, train: bool, seed: int) -> tuple[Array, Array]:
    """x of any shape. Returns out and the cache, the factor of each entry: 0 or 1 / keep, and 1 in test mode."""
    import torch
    from torch.nn import functional

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        factors = functional.dropout(torch.ones_like(_leaf(x).detach()), 1 - keep, training=train)
    return (_leaf(x).detach() * factors).numpy(), factors.numpy()


def dropout_backward(dout: Array, cache: Array) -> Array:
    """Return dx."""
    leaf = _leaf(np.zeros_like(cache))
    return _gradients(leaf * _leaf(cache).detach(), (leaf,), dout)[0]


def conv1d_forward(
    x: Array, w: Array, b: Array, *, stride: int = 1, pad: int = 0, dilation: int = 1, groups: int = 1
) -> Array:
    """x (N, C, L), w (F, C / groups, K), b (F,). Returns out (N, F, L')."""
    from torch.nn import functional

    image, filters, bias = (_leaf(array) for array in (x, w, b))
    out = functional.conv1d(image, filters, bias, stride=stride, padding=pad, dilation=dilation, groups=groups)
    return out.detach().numpy()


def conv_forward_columns(
    x: Array, w: Array, b: Array, *, stride: int = 1, pad: int = 0, im2col: Callable[..., Array] = im2col
) -> tuple[Array, tuple]:
    """x (N, C, H, W), w (F, C, HH, WW), b (F,). Returns out and the cache (cols, x.shape, w, stride, pad)."""
    out = _conv(tuple(map(_leaf, (x, w, b))), stride, pad).detach().numpy()
    return out, (im2col(x, *w.shape[2:], stride=stride, pad=pad), x.shape, w, stride, pad)


def conv_backward_columns(dout: Array, cache: tuple, *, col2im: Callable[..., Array] = col2im) -> tuple[Array, ...]:
    """Return (dx, dw, db)."""
    cols, shape, w, stride, pad = cache
    # Columns added up, each pixel divided by the number of its windows, are the image; pixels in no window are 0, and
    # have no say in any gradient.
    sums, counts = (col2im(part, shape, *w.shape[2:], stride=stride, pad=pad) for part in (cols, np.ones_like(cols)))
    leaves = tuple(map(_leaf, (sums / np.maximum(counts, 1), w, np.zeros(len(w), w.dtype))))
    return _gradients(_conv(leaves, stride, pad), leaves, dout)


def spatial_batchnorm_forward(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    *,
    train: bool,
    batchnorm_forward: Callable[..., tuple],
) -> tuple[Array, tuple, Array, Array]:
    """x (N, C, H, W). As batchnorm_forward, on the pixels as rows and the channels as features."""
    pixels = _leaf(x).detach().movedim(1, -1)
    out, *rest = batchnorm_forward(pixels.flatten(0, 2).numpy(), gamma, beta, running_mean, running_var, train=train)
    return _leaf(out).detach().unflatten(0, pixels.shape[:3]).movedim(-1, 1).numpy(), *rest


def spatial_batchnorm_backward(
    dout: Array, cache: tuple, *, batchnorm_backward: Callable[..., tuple]
) -> tuple[Array, ...]:
    """Return (dx, dgamma, dbeta)."""
    pixels = _leaf(dout).detach().movedim(1, -1)
    dx, *rest = batchnorm_backward(pixels.flatten(0, 2).numpy(), cache)
    return _leaf(dx).detach().unflatten(0, pixels.shape[:3]).movedim(-1, 1).numpy(), *rest


def spatial_groupnorm_forward(
    x: Array, gamma: Array, beta: Array, groups: int, *, eps: float = 1e-5
) -> tuple[Array, tuple]:
    """x (N, C, H, W), gamma and beta (1, C, 1, 1). Returns out and the cache (x, gamma, groups, eps)."""
    channels = x.shape[1]
    if channels % groups != 0:
        raise ValueError(f"spatial_groupnorm_forward: groups must divide the {channels} channels, got {groups}")
    return _groupnorm(tuple(map(_leaf, (x, gamma, beta))), groups, eps).detach().numpy(), (x, gamma, groups, eps)


def spatial_groupnorm_backward(dout: Array, cache: tuple) -> tuple[Array, ...]:
    """Return (dx, dgamma, dbeta)."""
    maps, scale, count, eps = cache
    leaves = tuple(map(_leaf, (maps, scale, np.zeros_like(scale))))
    return _gradients(_groupnorm(leaves, count, eps), leaves, dout)


def _groupnorm(leaves: tuple[Any, ...], groups: int, eps: float) -> Any:
    from torch.nn import functional

    x, gamma, beta = leaves
    return functional.group_norm(x, groups, gamma.flatten(), beta.flatten(), eps)
