"""Planted bugs of N10: spatial batch norm and group norm."""

import numpy as np

from tests.mutants import bug


def to_rows(x):
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def to_images(rows, shape):
    n, c, h, w = shape
    return rows.reshape(n, h, w, c).transpose(0, 3, 1, 2)


@bug("fast-spatial_bn_forward", symptom="mixed-channels")
def reshapes_only(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    rows = x.reshape(-1, x.shape[1])
    out, *rest = batchnorm_forward(rows, gamma, beta, running_mean, running_var, train=train)
    return (out.reshape(x.shape), *rest)


@bug("fast-spatial_bn_forward", symptom="not-moved-back")
def never_moves_back(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    out, *rest = batchnorm_forward(to_rows(x), gamma, beta, running_mean, running_var, train=train)
    return (out.reshape(x.shape), *rest)


@bug("fast-spatial_bn_forward", symptom="not-undone")
def returns_rows(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    return batchnorm_forward(to_rows(x), gamma, beta, running_mean, running_var, train=train)


@bug("fast-spatial_bn_forward", symptom="rows-shape")
def one_row_for_each_image(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    rows = x.reshape(len(x), -1)
    out, *rest = batchnorm_forward(rows, gamma, beta, running_mean, running_var, train=train)
    return (out.reshape(x.shape), *rest)


@bug("fast-spatial_bn_forward", symptom="train-not-passed")
def always_trains(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    out, *rest = batchnorm_forward(to_rows(x), gamma, beta, running_mean, running_var, train=True)
    return (to_images(out, x.shape), *rest)


@bug("fast-spatial_bn_forward", symptom="not-updated")
def keeps_old_statistics(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    out, cache, _, _ = batchnorm_forward(to_rows(x), gamma, beta, running_mean, running_var, train=train)
    return to_images(out, x.shape), cache, running_mean, running_var


@bug("fast-spatial_bn_backward", symptom="mixed-channels")
def reshapes_dout_only(dout, cache, *, batchnorm_backward):
    dx, dgamma, dbeta = batchnorm_backward(dout.reshape(-1, dout.shape[1]), cache)
    return dx.reshape(dout.shape), dgamma, dbeta


@bug("fast-spatial_bn_backward", symptom="not-moved-back")
def dx_not_moved_back(dout, cache, *, batchnorm_backward):
    dx, dgamma, dbeta = batchnorm_backward(to_rows(dout), cache)
    return dx.reshape(dout.shape), dgamma, dbeta


@bug("fast-spatial_bn_backward", symptom="not-undone")
def dx_as_rows(dout, cache, *, batchnorm_backward):
    return batchnorm_backward(to_rows(dout), cache)


@bug("fast-spatial_bn_backward", symptom="rows-shape")
def dout_as_image_rows(dout, cache, *, batchnorm_backward):
    return batchnorm_backward(dout.reshape(len(dout), -1), cache)


def group_rows(x, groups, interleave):
    n, c, h, w = x.shape
    if interleave:
        x = x.reshape(n, c // groups, groups, h, w).transpose(0, 2, 1, 3, 4)
    return x.reshape(n, groups, -1)


def ungroup(rows, shape, groups, interleave):
    n, c, h, w = shape
    if interleave:
        return rows.reshape(n, groups, c // groups, h, w).transpose(0, 2, 1, 3, 4).reshape(shape)
    return rows.reshape(shape)


def forward(x, gamma, beta, groups, *, eps, interleave=False, axes=2, ddof=0, outside=False, affine=None, kept=None):
    """The right answer, unless an option asks for a mistake."""
    if x.shape[1] % groups:
        raise ValueError("groups")
    rows = group_rows(x, kept or groups, interleave)
    var = rows.var(axis=axes, keepdims=True, ddof=ddof)
    std = np.sqrt(var) + eps if outside else np.sqrt(var + eps)
    x_hat = ungroup((rows - rows.mean(axis=axes, keepdims=True)) / std, x.shape, kept or groups, interleave)
    out = affine(x_hat, gamma, beta, groups) if affine else gamma * x_hat + beta
    return out, (x, gamma, groups, eps)


def forward_bug(name, symptom, **mistake):
    def wrong(x, gamma, beta, groups, *, eps=1e-5):
        return forward(x, gamma, beta, groups, eps=eps, **mistake)

    wrong.__name__ = name
    bug("fast-groupnorm_forward", symptom=symptom)(wrong)


def per_group(x_hat, gamma, beta, groups):
    size = x_hat.shape[1] // groups
    return np.repeat(gamma[:, :groups], size, axis=1) * x_hat + np.repeat(beta[:, :groups], size, axis=1)


forward_bug("every_other_channel", "interleaved", interleave=True)
forward_bug("over_images_too", "over-batch", axes=(0, 2))
forward_bug("one_for_all", "one-group", kept=1)
forward_bug("divides_by_count_less_one", "ddof", ddof=1)
forward_bug("eps_outside", "eps-outside", outside=True)
forward_bug("forgets_gamma_and_beta", "no-affine", affine=lambda x_hat, gamma, beta, groups: x_hat)
forward_bug("gamma_for_groups", "gamma-per-group", affine=per_group)


@bug("fast-groupnorm_forward", symptom="axis-0")
def axis_zero(x, gamma, beta, groups, *, eps=1e-5):
    """Part C: the axis of batch norm."""
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    return gamma * x_hat + beta, (x, gamma, groups, eps)


@bug("fast-groupnorm_forward", symptom="no-error")
def left_over_channels(x, gamma, beta, groups, *, eps=1e-5):
    if x.shape[1] % groups:
        groups = 1
    return forward(x, gamma, beta, groups, eps=eps)


@bug("fast-groupnorm_forward", symptom="cache")
def keeps_something_else(x, gamma, beta, groups, *, eps=1e-5):
    return forward(x, gamma, beta, groups, eps=eps)[0], (x, gamma)


def backward(dout, cache, *, interleave=False, mean_path=True, var_path=True, weigh=True, flat=False, dgamma=None):
    """The right gradients, unless an option asks for a mistake."""
    x, gamma, groups, eps = cache
    rows = group_rows(x, groups, interleave)
    std = np.sqrt(rows.var(axis=2, keepdims=True) + eps)
    x_hat = (rows - rows.mean(axis=2, keepdims=True)) / std
    up = group_rows(dout * gamma if weigh else dout, groups, interleave)
    dx = up
    if mean_path:
        dx = dx - up.mean(axis=2, keepdims=True)
    if var_path:
        dx = dx - x_hat * (up * x_hat).mean(axis=2, keepdims=True)
    images = ungroup(x_hat, x.shape, groups, interleave)
    sums = [(dout * images).sum(axis=(0, 2, 3), keepdims=True), dout.sum(axis=(0, 2, 3), keepdims=True)]
    if dgamma:
        sums[0] = dgamma(dout, images)
    sums = [s.ravel() for s in sums] if flat else sums
    return ungroup(dx / std, x.shape, groups, interleave), *sums


def backward_bug(name, symptom, **mistake):
    def wrong(dout, cache):
        return backward(dout, cache, **mistake)

    wrong.__name__ = name
    bug("fast-groupnorm_backward", symptom=symptom)(wrong)


backward_bug("dgamma_is_flat", "dgamma-shape", flat=True)
backward_bug("other_channels", "interleaved", interleave=True)
backward_bug("through_the_variance_only", "no-mean-path", mean_path=False)
backward_bug("through_the_mean_only", "no-var-path", var_path=False)
backward_bug("straight_through", "direct-only", mean_path=False, var_path=False)
backward_bug("forgets_gamma", "no-gamma", weigh=False)
backward_bug("dgamma_without_x_hat", "no-x-hat", dgamma=lambda dout, x_hat: dout.sum(axis=(0, 2, 3), keepdims=True))
backward_bug(
    "mean_for_dgamma",
    "mean",
    dgamma=lambda dout, x_hat: (dout * x_hat).sum(axis=(0, 2, 3), keepdims=True) / len(dout),
)


@bug("fast-groupnorm_backward", symptom="dgamma-per-group")
def gradients_for_groups(dout, cache):
    """Part C: gamma per group, not per channel."""
    dx, dgamma, dbeta = backward(dout, cache)
    return dx, *(g.reshape(1, cache[2], -1, 1).sum(axis=2, keepdims=True) for g in (dgamma, dbeta))
