"""Right answers to N10 as hardly anybody would write them, first half: columns, and the net."""

import numpy as np

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast
from tests.alternates import unusual


@unusual("fast-im2col_1d")
def number_by_number(x, kernel, *, stride=1):
    N, C, L = x.shape
    if kernel > L or (L - kernel) % stride != 0:
        raise ValueError("windows do not fit")
    P = (L - kernel) // stride + 1
    result = np.empty((C * kernel, N * P))
    for n in range(N):
        for p in range(P):
            result[:, n * P + p] = x[n, :, p * stride : p * stride + kernel].flatten()
    return result


@unusual("fast-im2col_1d")
def windows_of_numpy(x, kernel, *, stride=1):
    if x.shape[2] < kernel or (x.shape[2] - kernel) % stride:
        raise ValueError(kernel)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=2)[:, :, ::stride]
    return np.einsum("ncpk->cknp", windows).reshape(x.shape[1] * kernel, -1).copy()


@unusual("fast-im2col_1d")
def by_index_arrays(x, kernel, *, stride=1):
    last = x.shape[2] - kernel
    if last < 0 or last % stride:
        raise ValueError("no")
    where = np.arange(kernel)[:, None] + np.arange(0, last + 1, stride)
    return np.concatenate(list(x[:, :, where].transpose(1, 2, 0, 3).reshape(x.shape[1], kernel, -1)), axis=0)


@unusual("fast-conv_forward")
def filter_by_filter(x, w, b, *, stride=1, pad=0, im2col=None):
    F, _, HH, WW = w.shape
    columns = im2col(x, HH, WW, stride=stride, pad=pad)
    H, W = (1 + (x.shape[2] + 2 * pad - HH) // stride, 1 + (x.shape[3] + 2 * pad - WW) // stride)
    y = np.zeros((len(x), F, H, W))
    for f in range(F):
        y[:, f] = (w[f].ravel() @ columns + b[f]).reshape(len(x), H, W)
    return y, [columns, x.shape, w, stride, pad]


@unusual("fast-conv_forward")
def image_by_image_with_own_border(x, w, b, *, stride=1, pad=0, im2col=None):
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    parts = [im2col(framed[n : n + 1], w.shape[2], w.shape[3], stride=stride) for n in range(len(x))]
    height = (framed.shape[2] - w.shape[2]) // stride + 1
    out = np.stack(
        [(np.einsum("fr,rp->fp", w.reshape(len(w), -1), p) + b[:, None]).reshape(len(w), height, -1) for p in parts]
    )
    return out, (np.hstack(parts), tuple(x.shape), w, stride, pad)


@unusual("fast-conv_backward")
def by_einsum_in_six_axes(dout, cache, *, col2im=None):
    cols, x_shape, w, stride, pad = cache
    n, _, h, wide = dout.shape
    six = cols.reshape(*w.shape[1:], n, h, wide)
    dw = np.einsum("nfhw,cijnhw->fcij", dout, six)
    dcols = np.einsum("nfhw,fcij->cijnhw", dout, w).reshape(cols.shape)
    return [col2im(dcols, x_shape, w.shape[2], w.shape[3], stride=stride, pad=pad), dw, np.einsum("nfhw->f", dout)]


@unusual("fast-conv_backward")
def filter_by_filter_backward(dout, cache, *, col2im=None):
    cols, x_shape, w, stride, pad = cache
    dcols, dw, db = np.zeros(cols.shape), np.zeros(w.shape), np.zeros(len(w))
    for f in range(len(w)):
        row = dout[:, f].reshape(-1).astype(np.float64)
        dcols += w[f].reshape(-1, 1) * row
        dw[f] = (cols * row).sum(axis=1).reshape(w.shape[1:])
        db[f] = sum(row)
    return col2im(dcols, x_shape, *w.shape[2:], stride=stride, pad=pad), dw, db


@unusual("fast-ThreeLayerConvNet")
class NetWithoutTheLayers:
    """float64 and old generator; its own pooling by reshape, its own softmax, the library's convolution."""

    def __init__(self, layers=None, *, input_dim, num_filters, filter_size, hidden_dim, num_classes, reg=0, seed=0):
        C, H, W = input_dim
        draws = np.random.RandomState(seed)
        flat = num_filters * H * W // 4

        def weights(*shape, inputs):
            return draws.standard_normal(shape) * (2 / inputs) ** 0.5

        self.strength, self.p = reg, (filter_size - 1) // 2
        self.params = {
            "W3": weights(hidden_dim, num_classes, inputs=hidden_dim),
            "W2": weights(flat, hidden_dim, inputs=flat),
            "W1": weights(num_filters, C, filter_size, filter_size, inputs=C * filter_size**2),
            "b1": np.zeros(num_filters),
            "b2": np.zeros(hidden_dim),
            "b3": np.zeros(num_classes),
        }

    def loss(self, X, y=None):
        W1, b1, W2, b2, W3, b3 = (self.params[key] for key in ("W1", "b1", "W2", "b2", "W3", "b3"))
        maps, cache = conv_forward_fast(X, W1, b1, pad=self.p)
        n, f, h, w = maps.shape
        six = np.maximum(maps, 0).reshape(n, f, h // 2, 2, w // 2, 2)
        pooled = six.max(axis=(3, 5))
        rows = pooled.reshape(n, -1)
        hidden = np.maximum(rows @ W2 + b2, 0)
        scores = hidden @ W3 + b3
        if y is None:
            return scores
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -np.log(p[range(n), y]).mean()
        p[range(n), y] -= 1
        p /= n
        back = (p @ W3.T) * (hidden > 0)
        up = (back @ W2.T).reshape(pooled.shape)[:, :, :, None, :, None] * (six == pooled[:, :, :, None, :, None])
        _, dW1, db1 = conv_backward_fast(up.reshape(maps.shape) * (maps > 0), cache)
        r = self.strength
        for weights in (W1, W2, W3):
            value += r / 2 * np.sum(weights * weights)
        return value, {
            "W1": dW1 + r * W1, "b1": db1, "W2": rows.T @ back + r * W2, "b2": back.sum(0),
            "W3": hidden.T @ p + r * W3, "b3": p.sum(0),
        }  # fmt: skip


def net_by_function(layers, **options):
    """A function that makes the object, with float32 weights."""
    net = NetWithoutTheLayers(layers, **options)
    net.params = {key: value.astype(np.float32) for key, value in net.params.items()}
    return net


unusual("fast-ThreeLayerConvNet")(net_by_function)
