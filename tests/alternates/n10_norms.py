"""Right answers to N10 as hardly anybody would write them, second half: norms, moves, settings, letters."""

import numpy as np

from tests.alternates import UNUSUAL, unusual

fine = {"num_filters": 24, "filter_size": 5, "hidden_dim": 64, "learning_rate": 0.06, "reg": 0, "batch_size": 32}
UNUSUAL += [
    ("fast-train", fine),
    ("fast-train", fine | {"filter_size": np.int64(7), "learning_rate": np.float32(0.04)}),
]
UNUSUAL += [("fast-filters", ["a", "C", "D"]), ("fast-filters", np.array(["D", "C", "A"]))]


@unusual("fast-spatial_bn_forward")
def by_moveaxis(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    last = np.moveaxis(x, 1, -1)
    y, cache, m, v = batchnorm_forward(
        last.reshape(-1, last.shape[-1]), gamma, beta, running_mean, running_var, train=train
    )
    return [np.ascontiguousarray(np.moveaxis(y.reshape(last.shape), -1, 1)), cache, m, v]


@unusual("fast-spatial_bn_forward")
def without_the_given_function(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    mean, var = running_mean, running_var
    if train:
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        running_mean, running_var = 0.9 * running_mean + 0.1 * mean, 0.9 * running_var + 0.1 * var
    scale = gamma / np.sqrt(var + 1e-5)
    out = x * scale[:, None, None] + (beta - mean * scale)[:, None, None]
    return out, {"x": x}, running_mean, running_var


@unusual("fast-spatial_bn_backward")
def by_swapped_axes(dout, cache, *, batchnorm_backward):
    n, c, h, w = dout.shape
    rows = np.concatenate([image.reshape(c, h * w).T for image in dout])
    d, *rest = batchnorm_backward(rows, cache)
    return np.stack([part.T.reshape(c, h, w) for part in np.split(d, n)]), *rest


@unusual("fast-spatial_bn_backward")
def by_einsum(dout, cache, *, batchnorm_backward):
    rows = np.einsum("nchw->nhwc", dout).reshape(-1, dout.shape[1])
    d, dg, db = batchnorm_backward(rows, cache)
    return [np.einsum("nhwc->nchw", d.reshape(len(dout), *dout.shape[2:], -1)), dg, db]


@unusual("fast-groupnorm_forward")
def group_by_group(x, gamma, beta, groups, *, eps=1e-5):
    size, rest = divmod(x.shape[1], groups)
    if rest:
        raise ValueError("groups")
    out = np.empty(x.shape)
    for n in range(len(x)):
        for g in range(groups):
            part = x[n, g * size : (g + 1) * size]
            out[n, g * size : (g + 1) * size] = (part - part.mean()) / (part.var() + eps) ** 0.5
    out *= gamma
    out += beta
    return out, [x, gamma, groups, eps]


@unusual("fast-groupnorm_forward")
def by_moments(x, gamma, beta, groups, *, eps=1e-5):
    if x.shape[1] % groups:
        raise ValueError("groups")
    five = x.reshape(len(x), groups, -1, *x.shape[2:])
    mean = np.einsum("ngkhw->ng", five) / five[0, 0].size
    var = np.einsum("ngkhw,ngkhw->ng", five, five) / five[0, 0].size - mean**2
    scale = 1 / np.sqrt(var + eps)
    normal = five * scale[:, :, None, None, None] - (mean * scale)[:, :, None, None, None]
    return normal.reshape(x.shape) * gamma + beta, (x, gamma, groups, eps)


@unusual("fast-groupnorm_backward")
def group_by_group_backward(dout, cache):
    x, gamma, groups, eps = cache
    size, dx, x_hat = x.shape[1] // groups, np.zeros(x.shape), np.zeros(x.shape)
    for n, g in np.ndindex(len(x), groups):
        part = np.s_[n, g * size : (g + 1) * size]
        centred = x[part] - x[part].mean()
        std = np.sqrt((centred**2).mean() + eps)
        up = dout[part] * gamma[0, g * size : (g + 1) * size]
        x_hat[part] = centred / std
        dvar = (up * centred).sum() * -0.5 / std**3
        dx[part] = up / std + 2 * dvar * centred / centred.size
        dx[part] -= dx[part].mean()
    return [dx, np.einsum("nchw,nchw->c", dout, x_hat).reshape(gamma.shape), dout.sum((0, 2, 3)).reshape(gamma.shape)]


@unusual("fast-groupnorm_backward")
def by_the_jacobian(dout, cache):
    x, gamma, groups, eps = cache
    rows, up = x.reshape(len(x) * groups, -1), (dout * gamma).reshape(len(x) * groups, -1)
    m = rows.shape[1]
    dx, hats = np.zeros(rows.shape), np.zeros(rows.shape)
    for r, (row, g) in enumerate(zip(rows, up, strict=True)):
        std = np.sqrt(row.var() + eps)
        hats[r] = (row - row.mean()) / std
        dx[r] = (np.eye(m) - 1 / m - np.outer(hats[r], hats[r]) / m) @ g / std
    hat = hats.reshape(x.shape)
    return dx.reshape(x.shape), (dout * hat).sum((0, 2, 3), keepdims=True), dout.sum((0, 2, 3), keepdims=True)


@unusual("fast-equivariance_gap")
def pixel_by_pixel(layer, x, *, shift, stride=1, border=0):
    down, right = shift
    cut = (x.shape[2] - down) % x.shape[2]
    there = np.concatenate([x[:, :, cut:], x[:, :, :cut]], axis=2)
    there = np.roll(there, right, axis=3)
    first, out, worst = layer(there), layer(x), 0.0
    h, w = out.shape[2:]
    for i in range(border, h - border):
        for j in range(border, w - border):
            other = out[:, :, (i - down // stride) % h, (j - right // stride) % w]
            worst = max(worst, np.abs(first[:, :, i, j] - other).max())
    return worst


@unusual("fast-equivariance_gap")
def by_np_roll_twice(layer, x, *, shift, stride=1, border=0):
    steps = np.floor_divide(shift, stride)
    gap = layer(np.roll(np.roll(x, shift[0], 2), shift[1], 3)) - np.roll(layer(x), tuple(steps), (2, 3))
    gap = gap[..., border : gap.shape[2] - border, border : gap.shape[3] - border]
    return np.asarray(max(gap.max(), -gap.min()))
