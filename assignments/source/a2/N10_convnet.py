# %% [markdown]
# # N10 · Fast layers, a ConvNet, spatial norms
#
# Your convolution of N09 is right, and a ConvNet trained with it would be ready next week. This notebook turns the same
# sums into **one matrix product**, builds a network on it that learns to see, and looks at what its filters became.
# Then it carries batch norm over to images, adds a norm that needs no batch, and measures in which sense a convolution
# "moves along" with its image.
#
# 40 points · about four hours. The training of section 7 takes 6 to 12 minutes for CIFAR-10, 3 to 5 for
# shapes10; everything else together about a minute.

# %% setup="fast-setup"
import numpy as np

from cs231n_lib.check import check, question, ready, show_question
from cs231n_lib.kernels import col2im, im2col


def random_flip_shift(X, most, *, rng):
    """Return images (N, C, H, W), each flipped left to
    right or not, and moved by up to `most` pixels each way.

    X : float (N, C, H, W), left as it is
    most : int, 0 for flips alone
    rng : np.random.Generator
    What leaves the picture on one side is lost, and zeros come in on the other.
    """
    n, _, h, w = X.shape
    framed = np.pad(X, ((0, 0), (0, 0), (most, most), (most, most)))
    out = np.empty_like(X)
    for i, (flip, down, right) in enumerate(
        zip(rng.random(n) < 0.5, *rng.integers(0, 2 * most + 1, size=(2, n)), strict=True)
    ):
        part = framed[i, :, down : down + h, right : right + w]
        out[i] = part[:, :, ::-1] if flip else part
    return out


# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# The layers of earlier notebooks: your own where they pass their checks, stand-ins with the same behaviour otherwise.

# %%
from cs231n_lib.carry import carry_forward

affine_forward, affine_backward, relu_forward, relu_backward, softmax_loss = carry_forward(
    "N04_two_layer_net",
    ["affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss"],
)
batchnorm_forward, batchnorm_backward = carry_forward(
    "N07_normalization",
    ["batchnorm_forward", "batchnorm_backward"],
)
conv_forward_naive, conv_backward_naive = carry_forward(
    "N09_convolution",
    ["conv_forward_naive", "conv_backward_naive"],
)
max_pool_forward_naive, max_pool_backward_naive = carry_forward(
    "N09_convolution",
    ["max_pool_forward_naive", "max_pool_backward_naive"],
)

# %% [markdown]
# ## 1. Where the time goes
#
# A layer of 32 filters of $3 \times 5 \times 5$ on one image of $3 \times 32 \times 32$, with pad 2: 32,768 outputs,
# each a dot product of 75 pairs, 2.5 million multiply-adds. A processor core does billions of them in a second.
# **Guess:** how many images a second, if Python walks from place to place? And if NumPy gets all the sums of a batch at
# once?

# %%
import time

rng = np.random.default_rng(0)
batch = rng.normal(size=(50, 3, 32, 32)).astype(np.float32)
filters = rng.normal(size=(32, 3, 5, 5)).astype(np.float32)
window = batch[0, :, :5, :5]


def seconds_of(function, *, repeats=3):
    """Return the shortest of a few times that the function takes, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


one_dot = seconds_of(lambda: [(filters[0] * window).sum() for _ in range(1000)]) / 1000
columns = im2col(batch, 5, 5, pad=2)
one_product = seconds_of(lambda: filters.reshape(32, -1) @ columns)
print(f"place by place: {1 / (one_dot * 32 * 1024):8.1f} images a second")
print(f"one product:    {50 / one_product:8.0f} images a second")

# %% [markdown]
# The arithmetic is the same. A call of NumPy costs about a microsecond before it computes anything, and a dot product
# of 75 pairs is far too little to pay that for. **The way out: fewer, larger calls.** The largest call there is is a
# product of two matrices, and decades of work have gone into making it fast.
#
# ## 2. Windows as columns, along one axis
#
# Take the row $x = (1, 2, 3, 4, 5, 6, 7)$ and the kernel $w = (10, 1, 0)$ with stride 2. The windows start at 0, 2, 4.
# Write each one as a **column**:
#
# $$\begin{pmatrix} 10 & 1 & 0 \end{pmatrix}
# \begin{pmatrix} 1 & 3 & 5 \\ 2 & 4 & 6 \\ 3 & 5 & 7 \end{pmatrix} = \begin{pmatrix} 12 & 34 & 56 \end{pmatrix}$$
#
# One product, and all places are done. The price is memory: numbers that several windows share stand there several
# times (3 and 5 do). Now with $C$ channels and a batch of $N$: a column lists channel 0's $K$ numbers, then channel
# 1's, and so on, and the columns of row 0 come first, then those of row 1, and so on.
#
# | | shape | meaning |
# |---|---|---|
# | `x` | $(N, C, L)$ | $N$ rows of length $L$ with $C$ channels |
# | windows | $L' = (L - K) / \text{stride} + 1$ | places of a kernel of $K$ numbers |
# | columns | $(C K, \; N L')$ | row $(c, k)$, column $(n, p)$ holds $x[n, c, \; p \cdot \text{stride} + k]$ |
#
# Two axes that become one, "$(c, k)$", run like the digits of a number: $k$ counts up first. That is what `reshape`
# does with neighbouring axes, so bring the axes into the order $(C, K, N, L')$, then reshape.
#
# **From scratch**: without the library's `im2col` that the rest of this notebook will use.


# %% solution="fast-im2col_1d"
def im2col_1d(x, kernel, *, stride=1):
    """Return all windows of x as columns.

    x : array of numbers (N, C, L), in any memory layout;  kernel, stride : int
    Returns an array (C * kernel, N * L') of the same numbers,
    a copy; rows run over (c, k), columns over (n, place).
    Raises ValueError where the windows do not fit exactly, or where not even one does.
    """
    ### BEGIN SOLUTION
    travel = x.shape[2] - kernel
    if travel < 0 or travel % stride:
        raise ValueError(f"im2col_1d: kernel {kernel} and stride {stride} must fit length {x.shape[2]}")
    taps, starts = np.arange(kernel), np.arange(0, travel + 1, stride)
    windows = x[:, :, taps[:, None] + starts]  # (N, C, K, L')
    return windows.transpose(1, 2, 0, 3).reshape(x.shape[1] * kernel, -1)
    ### END SOLUTION


# %% tests="fast-im2col_1d" points=5
result = check("fast-im2col_1d", im2col_1d)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_im2col import line_case
    from cs231n_lib.check.n10_oracle import refuses

    with report.stage("one window, one number, gaps, a strided view"):
        line_case(subject, report, rng.normal(size=(3, 2, 5)), 5, 4)
        line_case(subject, report, rng.normal(size=(1, 1, 1)), 1, 1)
        line_case(subject, report, rng.normal(size=(2, 5, 11)), 2, 9)
        hint = "a view with gaps"
        line_case(subject, report, rng.normal(size=(7, 3, 2)).T, 3, 2, hint=hint)
        report.require(refuses(subject, rng.normal(size=(1, 1, 10)), 4, stride=4), "10 numbers, kernel 4, stride 4")


result = result.also(edge_cases, seed=10007)
### END HIDDEN TESTS
result.points

# %%
if ready("fast-im2col_1d"):
    row = np.arange(1.0, 8)[None, None]  # (1, 1, 7)
    print(im2col_1d(row, 3, stride=2))
    print("product with (10, 1, 0):", np.array([10.0, 1, 0]) @ im2col_1d(row, 3, stride=2))

# %% [markdown]
# ## 3. The same along two axes
#
# The library's `im2col(x, kernel_h, kernel_w, stride=..., pad=...)` does this for images: it pads them, and each window
# of $C \times HH \times WW$ numbers becomes a column. Below, an image of 5 x 5 pixels numbered from 0 to 24 and windows
# of 2 x 3. **Find** column 4 in the image.

# %%
import matplotlib.pyplot as plt

small = np.arange(25.0).reshape(1, 1, 5, 5)
small_columns = im2col(small, 2, 3)
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=[5, 12], layout="constrained")
for axes, numbers, title in zip(
    panels,
    (small[0, 0], small_columns),
    ("image, 5 x 5", "columns: 2 * 3 rows, 4 * 3 windows"),
    strict=True,
):
    axes.imshow(numbers, cmap="viridis", alpha=0.45)
    for (i, j), number in np.ndenumerate(numbers):
        axes.text(j, i, f"{number:.0f}", ha="center", va="center", fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([]), axes.set_yticks([])
for axes, corner, size in ((panels[0], (0.5, 0.5), (3, 2)), (panels[1], (3.5, -0.5), (1, 6))):
    axes.add_patch(plt.Rectangle(corner, *size, fill=False, edgecolor="#D55E00", linewidth=2.5))
plt.show()

# %% [markdown]
# With filters `w` of shape $(F, C, HH, WW)$, one convolution is
#
# $$\underbrace{W}_{(F, \; C \cdot HH \cdot WW)} \; \underbrace{\text{cols}}_{(C \cdot HH \cdot WW, \; N H' W')} + b
# \;=\; \underbrace{\text{product}}_{(F, \; N H' W')}$$
#
# where $W$ is `w.reshape(F, -1)`: its numbers come in the order of the columns' rows. The product holds every output
# number, but with its axes in the order $F, N, H', W'$, and we want $N, F, H', W'$. Unfold first, then transpose: **a
# reshape never moves an axis**, it only cuts the same sequence of numbers into other lengths.
#
# `im2col` is an **argument** here, and the library's function is its default. Use the argument, once or more, and build
# `out` from what it returns: the check hands in an `im2col` of its own and looks whether its columns were used. (A
# convolution that you took from elsewhere gives other numbers then.)


# %% solution="fast-conv_forward"
def conv_forward_columns(x, w, b, *, stride=1, pad=0, im2col=im2col):
    """Convolve every image with every filter, as one product.

    x : float (N, C, H, W);  w : float (F, C, HH, WW);  b : float (F,);  stride, pad : int
    im2col : function with the arguments and the result of cs231n_lib.kernels.im2col
    Returns (out, cache): out float (N, F, H', W'); cache the tuple (cols, x.shape, w, stride, pad).
    """
    ### BEGIN SOLUTION
    num_filters, _, hh, ww = w.shape
    cols = im2col(x, hh, ww, stride=stride, pad=pad)  # (C HH WW, N H' W')
    product = w.reshape(num_filters, -1) @ cols + b[:, None]  # (F, N H' W')
    out_h = (x.shape[2] + 2 * pad - hh) // stride + 1
    maps = product.reshape(num_filters, len(x), out_h, -1)
    return maps.transpose(1, 0, 2, 3), (cols, x.shape, w, stride, pad)
    ### END SOLUTION


# %% tests="fast-conv_forward" points=5
result = check("fast-conv_forward", conv_forward_columns)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_oracle import Layer, random_layer
    from cs231n_lib.check.n10_conv import forward_case

    with report.stage("1 x 1 filters, one place, more filters than images"):
        for shape, kernel, stride in (((3, 4, 2, 5), (2, 4, 1, 1), 1), ((2, 3, 4, 6), (7, 3, 4, 6), 3)):
            alone = Layer(rng.normal(size=shape), rng.normal(size=kernel), rng.normal(size=kernel[0]), stride, 0)
            forward_case(subject, report, alone)
    with report.stage("other columns"):
        for stride, pad in ((1, 0), (3, 1)):
            layer = random_layer(rng, stride=stride, pad=pad)
            other = rng.uniform(-2.0, 2.0, size=layer.w[0].size)
            forward_case(subject, report, layer, gain=other)


result = result.also(edge_cases, seed=10037)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 4. Backward: the columns are added up where they came from
#
# The forward pass was im2col, a product, a bias, and axes that moved. Each of these you can take back:
#
# | forward | backward | shape |
# |---|---|---|
# | move axes: product → out | move them back: dout → $D$ | $(F, \; N H' W')$ |
# | product = $W \, \text{cols} + b$ | $dW = D \, \text{cols}^T$ | $(F, \; C \cdot HH \cdot WW)$, then `w.shape` |
# | | $d\,\text{cols} = W^T D$ | $(C \cdot HH \cdot WW, \; N H' W')$ |
# | | $db$ = sum of each row of $D$ | $(F,)$ |
# | cols = im2col(x) | $dx$ = col2im($d\,\text{cols}$) | $(N, C, H, W)$ |
#
# What is the backward pass of im2col? It copied each pixel into several columns. What is used several times gets the
# *sum* of its gradients, so `col2im` **adds** every column back into the window it was cut from. By hand: the row
# $(1, 2, 3, 4, 5, 6, 7)$ with windows of 3 and stride 2, and a gradient of 1 everywhere in the columns: the pixels
# under two windows get 2.
#
# $$d\,\text{cols} = \begin{pmatrix} 1 & 1 & 1 \\ 1 & 1 & 1 \\ 1 & 1 & 1 \end{pmatrix} \;\longrightarrow\;
# dx = (1, 1, 2, 1, 2, 1, 1)$$
#
# So col2im is not the inverse of im2col: together they multiply each pixel by the number of its windows.

# %%
row = np.arange(1.0, 8).reshape(1, 1, 1, 7)
print("col2im of ones:      ", col2im(np.ones((3, 3)), row.shape, 1, 3, stride=2).ravel())
print("col2im(im2col(row)): ", col2im(im2col(row, 1, 3, stride=2), row.shape, 1, 3, stride=2).ravel())
counts = col2im(np.ones_like(im2col(np.zeros((1, 1, 8, 8)), 3, 3, pad=1)), (1, 1, 8, 8), 3, 3, pad=1)[0, 0]
print("windows over each pixel, 3 x 3 with pad 1:")
print(counts[:4, :4].astype(int), "...")

# %% [markdown]
# The cache is the one that your forward pass returns, `(cols, x.shape, w, stride, pad)`; but the check makes its own,
# so the two functions do not depend on each other. Again `col2im` is an argument: use it.


# %% solution="fast-conv_backward"
def conv_backward_columns(dout, cache, *, col2im=col2im):
    """Return the gradients of a convolution.

    dout : float (N, F, H', W'), upstream gradient
    cache : the tuple (cols, x.shape, w, stride, pad)
    col2im : function with the arguments and the result of cs231n_lib.kernels.col2im
    Returns (dx, dw, db) with the shapes of x, w and b.
    """
    ### BEGIN SOLUTION
    cols, x_shape, w, stride, pad = cache
    upstream = dout.transpose(1, 0, 2, 3).reshape(len(w), -1)  # (F, N H' W')
    dw = (upstream @ cols.T).reshape(w.shape)
    dcols = w.reshape(len(w), -1).T @ upstream  # (C HH WW, N H' W')
    dx = col2im(dcols, x_shape, *w.shape[2:], stride=stride, pad=pad)
    return dx, dw, upstream.sum(axis=1)
    ### END SOLUTION


# %% tests="fast-conv_backward" points=6
result = check("fast-conv_backward", conv_backward_columns)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_oracle import Layer, random_layer
    from cs231n_lib.check.n10_conv import backward_case

    with report.stage("1 x 1 filters, one place"):
        for shape, kernel, stride in (((3, 4, 2, 5), (2, 4, 1, 1), 1), ((2, 3, 4, 6), (7, 3, 4, 6), 3)):
            single = Layer(rng.normal(size=shape), rng.normal(size=kernel), rng.normal(size=kernel[0]), stride, 0)
            backward_case(subject, rng, report, single)
    with report.stage("other columns"):
        for stride, pad in ((1, 0), (3, 1)):
            layer = random_layer(rng, stride=stride, pad=pad)
            other = rng.uniform(-2.0, 2.0, size=layer.w[0].size)
            backward_case(subject, rng, report, layer, gain=other, foreign=True)


result = result.also(edge_cases, seed=10061)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 5. The race
#
# Four ways to the same numbers, forward and backward, for 10 images of $3 \times 32 \times 32$ and 32 filters of $5
# \times 5$: your loops of N09 (if that notebook is here), your columns, the library's fast path, and PyTorch. **Guess**
# the factors before you run it. The fast path never builds the whole matrix of columns: it works in pieces small enough
# to stay in the processor's cache, between memory and product. With 10 images that gains little; try it with 200.

# %%
import torch

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast

x, w, b = batch[:10], filters, np.zeros(32, np.float32)
dout = rng.normal(size=(10, 32, 32, 32)).astype(np.float32)


def both_passes(forward, backward):
    """Return a function that runs a layer forward and backward once."""
    return lambda: backward(dout, forward(x, w, b, pad=2)[1])


def torch_passes():
    leaves = [torch.from_numpy(a).requires_grad_() for a in (x, w, b)]
    torch.nn.functional.conv2d(*leaves, padding=2).backward(torch.from_numpy(dout))


if ready("fast-conv_forward", "fast-conv_backward"):
    racers = {
        "your columns": both_passes(conv_forward_columns, conv_backward_columns),
        "library's fast path": both_passes(conv_forward_fast, conv_backward_fast),
        "PyTorch": torch_passes,
    }
    if "standins" not in conv_forward_naive.__module__:
        racers = {"your loops of N09": both_passes(conv_forward_naive, conv_backward_naive), **racers}
    took = {name: seconds_of(run, repeats=1 if "loops" in name else 4) for name, run in racers.items()}
    ratios = {name: seconds / took["your columns"] for name, seconds in took.items()}
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.5 * len(ratios)), layout="constrained")
    bars = axes.barh(list(ratios), list(ratios.values()), color="#0072B2")
    notes = [f"{ratio:,.1f} x  ({1000 * took[name]:,.0f} ms)" for name, ratio in ratios.items()]
    axes.bar_label(bars, notes, padding=4)
    axes.set(xscale="log", xlabel="time, as a multiple of your columns' time (shorter is better)")
    axes.set_xlim(right=60 * max(ratios.values()))
    axes.invert_yaxis()
    plt.show()

# %% [markdown]
# ## 6. A ConvNet
#
# In 1998 LeNet read the amounts on cheques with this recipe: convolution and pooling, again convolution and pooling,
# then fully connected layers, **all of it trained end to end** by backpropagation. In 2012 AlexNet took the same recipe
# to a million photographs and changed the field. Ours is the smallest of the family:
#
# conv $K \times K$ → ReLU → max pool 2 x 2 → affine → ReLU → affine → scores
#
# | | shape, in general | for 32 x 32 images and the values below |
# |---|---|---|
# | `X` | $(N, C, H, W)$ | $(N, 3, 32, 32)$ |
# | `W1`, `b1` | $(F, C, K, K)$, $(F,)$ | 32 filters of $3 \times 5 \times 5$ |
# | after conv, with pad $(K-1)/2$ | $(N, F, H, W)$ | $(N, 32, 32, 32)$ |
# | after pooling | $(N, F, H/2, W/2)$ | $(N, 32, 16, 16)$ |
# | `W2`, `b2` | $(F \cdot H/2 \cdot W/2, \; \text{hidden})$ | $8192 \times 100$ |
# | `W3`, `b3` | $(\text{hidden}, \text{classes})$ | $100 \times 10$ |
#
# **Weights** are drawn as in N06: normal, mean 0, standard deviation $\sqrt{2 / n}$, where $n$ is the number of inputs
# of one sum: $C K^2$ for `W1`, the number of rows for `W2` and `W3`. Biases start at 0. Draw in the order W1, W2, W3
# from one generator made from `seed`.
#
# **The layers come in as a dict of functions**, with the names and arguments below. So the same net runs on your loops,
# your columns or the library's, and the check can hand in layers of its own: a mistake in another exercise cannot spoil
# this one. A forward function returns `(out, cache)`, a backward function takes `(dout, cache)`.
#
# | `layers[...]` | arguments | returns |
# |---|---|---|
# | `"conv_forward"`, `"conv_backward"` | `(x, w, b, stride=1, pad=...)` | `(out, cache)`; `(dx, dw, db)` |
# | `"relu_forward"`, `"relu_backward"` | `(x)` | `(out, cache)`; `dx` |
# | `"max_pool_forward"`, `"max_pool_backward"` | `(x, pool_h=2, pool_w=2, stride=2)` | `(out, cache)`; `dx` |
# | `"affine_forward"`, `"affine_backward"` | `(x, w, b)`, x of any shape (N, ...) | `(out, cache)`; `(dx, dw, db)` |
# | `"softmax_loss"` | `(scores, y)` | `(loss, dscores)` |
#
# `affine_backward` gives `dx` the shape of its `x`, so nothing needs to be flattened by hand. The loss adds
# $\frac12 \text{reg} \sum W^2$ over the three weights, not the biases.


# %% solution="fast-ThreeLayerConvNet"
class ThreeLayerConvNet:
    """conv - relu - 2x2 max pool - affine - relu - affine, softmax loss with L2 regularization.

    params : {"W1", "b1", "W2", "b2", "W3", "b3"}, float arrays;
        a Solver replaces them at every step
    """

    def __init__(
        self,
        layers,
        *,
        input_dim=(3, 32, 32),
        num_filters=32,
        filter_size=5,
        hidden_dim=100,
        num_classes=10,
        reg=0.0,
        seed=0,
    ):
        """Keep the layer functions and draw the parameters; float32 makes training twice as fast.

        layers : dict of functions
        input_dim : (C, H, W), H and W even
        filter_size : odd
        seed : int
        """
        ### BEGIN SOLUTION
        channels, height, width = input_dim
        self.layers, self.reg, self.pad = layers, reg, (filter_size - 1) // 2
        flat = num_filters * (height // 2) * (width // 2)
        draws = np.random.default_rng(seed)
        self.params = {
            "W1": draws.normal(size=(num_filters, channels, filter_size, filter_size))
            * np.sqrt(2 / (channels * filter_size**2)),
            "b1": np.zeros(num_filters),
            "W2": draws.normal(size=(flat, hidden_dim)) * np.sqrt(2 / flat),
            "b2": np.zeros(hidden_dim),
            "W3": draws.normal(size=(hidden_dim, num_classes)) * np.sqrt(2 / hidden_dim),
            "b3": np.zeros(num_classes),
        }
        self.params = {name: values.astype(np.float32) for name, values in self.params.items()}
        ### END SOLUTION

    def loss(self, X, y=None):
        """Return the scores of X; with labels, the loss and its gradients.

        X : float (N, C, H, W);  y : int (N,) or None
        Returns scores (N, classes) if y is None, else
        (loss, grads): a number, and a dict like params.
        """
        ### BEGIN SOLUTION
        p, layer = self.params, self.layers
        maps, conv_cache = layer["conv_forward"](X, p["W1"], p["b1"], stride=1, pad=self.pad)
        lit, lit_cache = layer["relu_forward"](maps)
        pooled, pool_cache = layer["max_pool_forward"](lit, pool_h=2, pool_w=2, stride=2)
        hidden, hidden_cache = layer["affine_forward"](pooled, p["W2"], p["b2"])
        active, active_cache = layer["relu_forward"](hidden)
        scores, score_cache = layer["affine_forward"](active, p["W3"], p["b3"])
        if y is None:
            return scores

        loss, dscores = layer["softmax_loss"](scores, y)
        dactive, dW3, db3 = layer["affine_backward"](dscores, score_cache)
        dhidden = layer["relu_backward"](dactive, active_cache)
        dpooled, dW2, db2 = layer["affine_backward"](dhidden, hidden_cache)
        dlit = layer["max_pool_backward"](dpooled, pool_cache)
        dmaps = layer["relu_backward"](dlit, lit_cache)
        _, dW1, db1 = layer["conv_backward"](dmaps, conv_cache)
        grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
        for name in [key for key in p if key.startswith("W")]:
            loss += 0.5 * self.reg * (p[name] ** 2).sum()
            grads[name] = grads[name] + self.reg * p[name]
        return loss, grads
        ### END SOLUTION


# %% tests="fast-ThreeLayerConvNet" points=8
result = check("fast-ThreeLayerConvNet", ThreeLayerConvNet)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_net import net_case

    net_case(
        subject, rng, report, (1, 2, 6), filters=2, size=1, hidden=3, classes=2, reg=0.7, name="grey, 1 x 1", count=3
    )
    net_case(
        subject, rng, report, (3, 10, 4), filters=2, size=7, hidden=4, classes=5, reg=1.5, name="wide filters", count=2
    )


result = result.also(edge_cases, seed=10091)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question.** Before you train a net, know its size. With 32 filters of 5 x 5 on CIFAR-10, `im2col` makes of a batch
# of 50 images a matrix of $75 \times 51{,}200$, 25 numbers for each number of the batch, and with 100 hidden units
# the net learns $2{,}432 + 819{,}300 + 1{,}010 = 822{,}742$ numbers, nearly all of them between the pooled maps and
# the hidden layer. Yours:

# %%
show_question("fast-q1", student)

# %% solution="fast-q1"
net_price = {"rows": ..., "columns": ..., "growth": ..., "parameters": ...}
### BEGIN SOLUTION
mine = question("fast-q1", student)
window, maps = mine["size"] ** 2, mine["filters"]
net_price.update(rows=3 * window, columns=mine["images"] * mine["side"] ** 2, growth=window)
after_pool = maps * (mine["side"] // 2) ** 2
net_price["parameters"] = maps * (3 * window + 1) + (after_pool + 1) * mine["hidden"] + 10 * (mine["hidden"] + 1)
### END SOLUTION

# %% tests="fast-q1" points=0.5
result = check("fast-q1", net_price, student=student)
result.points

# %% [markdown]
# Three questions with known answers before any training: a fresh net on ten classes should have a loss of the order of
# $\log 10 = 2.30$ (He's weights make scores of size 1, so somewhat more); regularization should raise it; and the
# gradients must be what small steps measure.

# %%
from cs231n_lib.gradient_check import numerical_gradient
from cs231n_lib.kernels import max_pool_backward_fast, max_pool_forward_fast

columns_pass = ready("fast-conv_forward", "fast-conv_backward")
layers = {
    "conv_forward": conv_forward_columns if columns_pass else conv_forward_naive,
    "conv_backward": conv_backward_columns if columns_pass else conv_backward_naive,
    "relu_forward": relu_forward,
    "relu_backward": relu_backward,
    "max_pool_forward": max_pool_forward_fast,  # yours of N09 works too, in hours
    "max_pool_backward": max_pool_backward_fast,
    "affine_forward": affine_forward,
    "affine_backward": affine_backward,
    "softmax_loss": softmax_loss,
}
if ready("fast-ThreeLayerConvNet"):
    y = rng.integers(0, 10, size=50)
    for reg in (0.0, 0.02):
        fresh_loss, _ = ThreeLayerConvNet(layers, reg=reg, seed=1).loss(batch, y)
        print(f"reg {reg}: loss of a fresh net {fresh_loss:.2f}")
    tiny = ThreeLayerConvNet(
        layers,
        input_dim=(2, 6, 4),
        num_filters=3,
        filter_size=3,
        hidden_dim=5,
        num_classes=4,
        reg=0.3,
        seed=1,
    )
    tiny.params = {name: values.astype(np.float64) for name, values in tiny.params.items()}
    few, labels = rng.normal(size=(5, 2, 6, 4)), rng.integers(0, 4, size=5)
    for name, gradient in tiny.loss(few, labels)[1].items():
        kept = tiny.params[name]

        def loss_at(values, name=name):
            tiny.params[name] = values
            return np.asarray(tiny.loss(few, labels)[0])

        measured = numerical_gradient(loss_at, kept)
        tiny.params[name] = kept
        off = np.abs(gradient - measured).max()
        print(f"d{name}: largest difference to the measured slope {off:.0e}")
    other = ThreeLayerConvNet(
        {
            **layers,
            "max_pool_forward": max_pool_forward_naive,
            "max_pool_backward": max_pool_backward_naive,
        },
        seed=1,
    )
    same = ThreeLayerConvNet(layers, seed=1)
    gap = np.abs(other.loss(batch[:2]) - same.loss(batch[:2])).max()
    print(f"the pooling of N09 in place of the library's: scores differ by at most {gap:.0e}")

# %% [markdown]
# ## 7. Train it
#
# First the data: channels in front, pixels around 0 and of size 1 (by numbers of the training images alone).

# %%
from IPython.display import display

from cs231n_lib.data import load_dataset
from cs231n_lib.optim import SGD, cosine
from cs231n_lib.solver import Solver
from cs231n_lib.visualize import filter_bank, image_grid, plot_history, to_unit

data = load_dataset().subset(val=1000)
seen = data.train.images[:5000].astype(np.float32)
mean, scale = seen.mean(axis=(0, 1, 2)), seen.std()  # (3,), one number


def to_input(images):
    """uint8 (N, 32, 32, 3) -> float32 (N, 3, 32, 32), around 0."""
    return np.ascontiguousarray(((images - mean) / scale).transpose(0, 3, 1, 2)).astype(np.float32)


# %% [markdown]
# **More images for nothing.** A horse seen in a mirror is a horse, and so is one two pixels further left.
# `random_flip_shift(X, 2, rng=...)` in the first cell draws such a variant of every image, new ones each time. Its
# property: every image that comes out is one of the 2 · 5 · 5 = 50 variants of the image that went in.

# %%
originals = to_input(data.train.images[:6])
variants = random_flip_shift(originals, 2, rng=np.random.default_rng(3))
framed = np.pad(originals, ((0, 0), (0, 0), (2, 2), (2, 2)))
for image, variant in zip(framed, variants, strict=True):
    parts = [image[:, u : u + 32, v : v + 32] for u in range(5) for v in range(5)]
    assert sum(np.array_equal(variant, choice) for part in parts for choice in (part, part[:, :, ::-1])) >= 1
both = to_unit(np.concatenate([originals, variants]).transpose(0, 2, 3, 1))
display(image_grid(both, columns=6, title="Above: as stored. Below: flipped or not, and moved"))

# %% [markdown]
# The lectures' demonstration in the browser, ConvNetJS, trains with flips and shifts of up to 2 pixels as well: three
# times convolution and pooling (16, 20 and 20 filters of 5 x 5), then one affine layer on $20 \times 4 \times 4$. It
# speaks of about 90 % as the state of the art of its time on CIFAR-10, and of 94 % for people. Its size, worked out:

# %%
parameters = [16 * (3 * 25 + 1), 20 * (16 * 25 + 1), 20 * (20 * 25 + 1), 10 * (20 * 4 * 4 + 1)]
print(" + ".join(map(str, parameters)), "=", f"{sum(parameters):,} parameters (ours: ", end="")
print(f"{32 * 76 + 8192 * 100 + 100 + 100 * 10 + 10:,}, most of them in W2)")

# %% [markdown]
# ### The settings
#
# Choose them: filters, hidden units, learning rate, `reg`, batch size. Training takes plain SGD steps whose length
# falls along half a cosine to 0.
#
# **How it is judged.** The check trains the net of section 6 in PyTorch, with your settings, for 8 epochs on 800
# freshly drawn pictures of 10 x 10: five kinds of small motifs, each standing *anywhere* on noise. **88 %** of 500 new
# pictures must be right. It takes about two seconds, so try. Mind the number of *steps*: 800 pictures in batches of 200
# are only 4 steps an epoch. (Nothing of your own net enters, so a mistake above costs nothing here.)

# %% solution="fast-train"
settings = {
    "num_filters": ...,
    "filter_size": ...,  # odd, from 3 to 7
    "hidden_dim": ...,
    "learning_rate": ...,
    "reg": ...,
    "batch_size": ...,
}
### BEGIN SOLUTION
settings |= {"num_filters": 32, "filter_size": 5, "hidden_dim": 100}
settings |= {"learning_rate": 0.04, "reg": 5e-4, "batch_size": 50}
### END SOLUTION

# %% tests="fast-train" points=2
result = check("fast-train", settings)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_train import train_case

    train_case(subject, rng, report, kinds=4)


result = result.also(edge_cases, seed=10099)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### The real images
#
# Now *your* net on *your* columns, with these settings, on all training images: 5 epochs of CIFAR-10, or 12 of shapes10
# (which has a fifth of the images). Only flips are drawn here: shifts pay when there is time for many more epochs.
# About 6 minutes on an idle core for CIFAR-10, up to 12 on a busy one. The target: more than **65 %** of the validation
# images (shapes10: 60 %).


# %%
class Flipped:
    """A net that sees every training image flipped or not; its parameters are the net's own."""

    def __init__(self, net, rng):
        self.net, self.rng, self.params = net, rng, net.params

    def loss(self, X, y=None):
        return self.net.loss(X) if y is None else self.net.loss(random_flip_shift(X, 0, rng=self.rng), y)


def make_net(**changes):
    """Return a net of these settings, with some of them changed."""
    chosen = {key: settings[key] for key in ("num_filters", "filter_size", "hidden_dim", "reg")}
    return ThreeLayerConvNet(layers, **{**chosen, **changes}, seed=0)


def train(net, train_split, *, num_epochs, progress=False):
    """Train a net on images and return the history; the best epoch's parameters stay in it."""
    solver = Solver(
        Flipped(net, np.random.default_rng(1)),
        train_split,
        data.val,
        optimizer=SGD(learning_rate=settings["learning_rate"]),
        schedule=lambda epoch: cosine(epoch, num_epochs=num_epochs),
        preprocess=to_input,
        rng=np.random.default_rng(0),
    )
    return solver.train(num_epochs=num_epochs, batch_size=settings["batch_size"], progress=progress)


trained = ready("fast-ThreeLayerConvNet", "fast-train")
if trained:
    net = make_net()
    untrained_filters = net.params["W1"].copy()
    start = time.perf_counter()
    history = train(
        net,
        data.train,
        num_epochs=5 if len(data.train) > 20_000 else 12,
        progress=True,
    )
    reached = max(history.val_accuracy)
    target = data.target("convnet")
    verdict = "target reached" if reached > target else f"the target is {target}"
    print(f"validation accuracy {reached:.3f} after {(time.perf_counter() - start) / 60:.1f} minutes: {verdict}")
    curves = plot_history(history)
    curves.axes[0].set_ylim(0, 3)  # the first few steps stand higher, and would press the rest flat
    display(curves)

# %% [markdown]
# The lectures' demonstration, here: the net that you counted, trained while you turn its knobs. **Guess before you
# press Run:** after 200 steps you go from batches of 16 to batches of 4, at the same rate. Is the loss only noisier, or
# higher as well? And then, with a smaller rate?

# %%
from cs231n_lib import widgets

widgets.live_trainer()

# %% [markdown]
# ## 8. What the filters became
#
# Recall what the earlier classifiers kept in their weights. The linear one had **one template per class**, as large as
# the image. The two-layer net had a **bank of templates**, still as large as the image. A convolution keeps a bank of
# *small* ones, and they become **edges in some direction and pairs of opposite colours**; AlexNet's 64 filters of
# $3 \times 11 \times 11$ show the same. Deeper layers put these together: in the sixth layer of such a network
# Springenberg et al. (2015) found units for eyes and for letters.
#
# Ours trained for minutes, so much of the noise of the first draw is still in them. The third picture takes it away:
# the trained filter minus the drawn one, which is what training has added.

# %%
if trained:
    strength = np.linalg.norm(net.params["W1"].reshape(len(net.params["W1"]), -1), axis=1)
    order = np.argsort(-strength)
    display(filter_bank(untrained_filters[order], columns=8, title="Before training"))
    display(
        filter_bank(net.params["W1"][order], columns=8, title="After training, the strongest first"),
    )
    display(
        filter_bank(
            (net.params["W1"] - untrained_filters)[order],
            columns=8,
            title="What training added",
        )
    )

# %% [markdown]
# What does a filter look for? Search the validation images for the patches that it answers to most:

# %%
if trained:
    shown, size = order[:4], net.params["W1"].shape[2]
    images = to_input(data.val.images)
    patches, found = [], []
    for f in shown:
        maps, _ = conv_forward_fast(images, net.params["W1"][[f]], net.params["b1"][[f]])
        best = maps.reshape(len(images), -1).max(axis=1).argsort()[::-1][:7]
        spots = [np.unravel_index(maps[i, 0].argmax(), maps[i, 0].shape) for i in best]
        found = []
        for i, (u, v) in zip(best, spots, strict=True):
            found.append(data.val.images[i, u : u + size, v : v + size] / 255)
        patches += [to_unit(net.params["W1"][[f]].transpose(0, 2, 3, 1))[0], *found]
    title = "Left: a filter. Then the patches of seven images that excite it most"
    display(image_grid(np.array(patches), columns=8, title=title))

# %% [markdown]
# A small net of three convolutions, trained on shapes10, from the inside: filters, maps, patches, and which pixels a
# score hangs on, in four kinds of maps. Then the weights of its last two layers are shuffled, so that it only guesses.
# **Guess before you run it:** which kind of map does not notice?

# %%
from cs231n_lib import widgets

widgets.saliency_explorer()

# %% [markdown]
# **Question.** The check looks at the form of your answer only; a wrong letter takes back the credit of a right one.
# Which are true?
#
# - **A** One of AlexNet's first-layer filters has 363 weights and can be drawn as a small colour picture as it is.
# - **B** A filter of a *second* convolution, on top of 32 maps, can be drawn as one colour picture in the same way.
# - **C** A filter whose 75 weights sum to 0, with bias 0, answers with 0 wherever the image is one even grey.
# - **D** Put the filters of a trained net into another order, its biases `b1` and the matching blocks of rows of `W2`
#   alike: no score changes.
# - **E** Change the sign of one filter and of its bias: no score changes, since an edge has two sides.
# - **F** A 5 x 5 filter of the first layer is a template of a whole class, as a row of a linear classifier is.

# %% solution="fast-filters"
true_of_filters = ...
### BEGIN SOLUTION
true_of_filters = {"A", "C", "D"}
### END SOLUTION

# %% tests="fast-filters" points=0.5
result = check("fast-filters", true_of_filters)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key on a small net: count weights, reorder filters, change a sign."""
    from cs231n_lib.check.n10_net_oracle import Run, random_params, shapes_of

    answer = report.choices(subject, "ABCDEF")
    shapes = shapes_of((3, 6, 6), 4, 5, 5, 3)
    params, images = random_params(rng, shapes), rng.normal(size=(4, 3, 6, 6))
    before = Run(params, images, np.zeros(4), 0.0).scores

    def keeps(changes):
        return np.allclose(Run(params | changes, images, np.zeros(4), 0.0).scores, before)

    order = np.array([2, 0, 3, 1])
    blocks = params["W2"].reshape(4, 9, -1)[order].reshape(36, -1)
    sign = np.array([1.0, -1, 1, 1])
    balanced = rng.normal(size=75)
    balanced -= balanced.mean()
    holds = {
        "A": len(list(np.ndindex(3, 11, 11))) == 363,
        "B": 32 in (1, 3),
        "C": abs(balanced @ np.full(75, 0.4)) < 1e-9,
        "D": keeps({"W1": params["W1"][order], "b1": params["b1"][order], "W2": blocks}),
        "E": keeps({"W1": params["W1"] * sign[:, None, None, None], "b1": params["b1"] * sign}),
        "F": 5 >= 32,
    }
    true = {letter for letter, fact in holds.items() if fact}
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=10103)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Frozen or learned?
#
# N05 computed features by a fixed recipe and trained a classifier on top of them: images → features → 10 numbers giving
# scores. A ConvNet trained end to end learns the features as well. Two nets, both 3 epochs on 3,000 images: in the
# first the filters stay as they were drawn, in the second they learn. **Guess** the difference.


# %%
class Frozen(Flipped):
    """A net whose filters stay as they are."""

    def loss(self, X, y=None):
        returned = super().loss(X, y)
        if y is None:  # scores
            return returned
        loss, grads = returned
        return loss, {name: 0 * g if name in ("W1", "b1") else g for name, g in grads.items()}


if trained:
    few = data.train[:3000]
    plain_flipped = Flipped
    for name, kind in (("frozen filters", Frozen), ("learned filters", plain_flipped)):
        Flipped = kind
        small_history = train(make_net(num_filters=16, reg=1e-3), few, num_epochs=3)
        print(f"{name:16s} validation accuracy {max(small_history.val_accuracy):.3f}")
    Flipped = plain_flipped

# %% [markdown]
# Random filters are not nothing: among 16 of them some see edges, and the layers above pick what they can use. What
# learning adds here, it adds within seconds.
#
# ### How robust is it?
#
# The lectures name what makes recognition hard: viewpoint, illumination, clutter, occlusion, and more. Take the trained
# net and change its validation images a little. Nothing is trained again.

# %%
if trained:
    pixels = data.val.images.astype(np.float32)
    noise = np.random.default_rng(5).normal(0, 25, size=pixels.shape)
    covered = pixels.copy()
    covered[:, 12:20, 12:20] = 128
    small = pixels.mean(axis=(1, 2), keepdims=True) * np.ones_like(pixels)
    small[:, 8:24, 8:24] = pixels.reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    changes = {
        "as they are": pixels,
        "viewpoint: moved by 2 pixels": np.roll(pixels, 2, axis=2),
        "viewpoint: moved by 6 pixels": np.roll(pixels, 6, axis=2),
        "viewpoint: half the size": small,
        "viewpoint: upside down": pixels[:, ::-1],
        "illumination: half as bright": 0.5 * pixels,
        "illumination: red light": pixels * np.array([1.0, 0.6, 0.6]),
        "clutter: noise": pixels + noise,
        "occlusion: 8 x 8 in the middle": covered,
    }
    for name, changed in changes.items():
        right = net.loss(to_input(np.clip(changed, 0, 255))).argmax(axis=1) == data.val.labels
        print(f"{name:32s} {100 * right.mean():5.1f} %")

# %% [markdown]
# A move of two pixels costs some accuracy, one of six far more. Filters do not care where, and pooling forgives a
# pixel; but $W_2$ has separate weights for every place, so large moves hurt, and nothing in the net knows what upside
# down is. What it should be robust to, it must see in training.
#
# ## 9. Batch norm for images
#
# Batch norm (N07) takes rows of $D$ features and normalizes each feature over the batch. For maps $(N, C, H, W)$, what
# is a feature? A filter does the same thing at every place, so all numbers of one **channel** belong together: over all
# images and all places. Mean and variance then come from $N \cdot H \cdot W$ numbers, and there is one $\gamma$ and one
# $\beta$ for each channel.
#
# So every *pixel* is a row, and its $C$ channels are the features: bring $C$ to the end, reshape to $(N H W, C)$ in the
# order $n, h, w$, call the batch norm that you have, and undo both steps in reverse order. Never reshape
# $(N, C, H, W)$ directly to $(N H W, C)$: it would run, and mix the channels.


# %% solution="fast-spatial_bn_forward"
def spatial_batchnorm_forward(x, gamma, beta, running_mean, running_var, *, train, batchnorm_forward):
    """Normalize each channel over all images and places.

    x : float (N, C, H, W);  gamma, beta, running_mean, running_var : float (C,);  train : bool
    batchnorm_forward : function (x (rows, C), gamma, beta, running_mean, running_var, train=...)
        that returns (out, cache, running_mean, running_var), as in N07
    Returns (out, cache, running_mean, running_var): out (N, C, H, W);
    the others as batchnorm_forward gave them.
    """
    ### BEGIN SOLUTION
    last = x.transpose(0, 2, 3, 1)  # (N, H, W, C)
    rows = last.reshape(-1, x.shape[1])  # (N H W, C)
    out, cache, running_mean, running_var = batchnorm_forward(rows, gamma, beta, running_mean, running_var, train=train)
    return out.reshape(last.shape).transpose(0, 3, 1, 2), cache, running_mean, running_var
    ### END SOLUTION


# %% tests="fast-spatial_bn_forward" points=3
result = check("fast-spatial_bn_forward", spatial_batchnorm_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_norms import forward_case

    with report.stage("one channel, one row of pixels, equal sizes"):
        forward_case(subject, rng, report, (3, 1, 2, 4), train=True)
        forward_case(subject, rng, report, (2, 5, 1, 3), train=False)
        forward_case(subject, rng, report, (3, 3, 3, 3), train=True)


result = result.also(edge_cases, seed=10111)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Backward, the same two steps around the backward pass that you have. (The cache of the check comes from rows in the
# order $n, h, w$.)


# %% solution="fast-spatial_bn_backward"
def spatial_batchnorm_backward(dout, cache, *, batchnorm_backward):
    """Return the gradients of spatial batch norm.

    dout : float (N, C, H, W), upstream gradient;  cache : as batchnorm_forward gave it
    batchnorm_backward : function (dout (rows, C), cache)
        that returns (dx, dgamma, dbeta), as in N07
    Returns (dx, dgamma, dbeta): (N, C, H, W), (C,), (C,).
    """
    ### BEGIN SOLUTION
    n, c, h, w = dout.shape
    upstream = dout.transpose(0, 2, 3, 1).reshape(-1, c)  # the rows of the forward pass
    dx, dgamma, dbeta = batchnorm_backward(upstream, cache)
    return dx.reshape(n, h, w, c).transpose(0, 3, 1, 2), dgamma, dbeta
    ### END SOLUTION


# %% tests="fast-spatial_bn_backward" points=2
result = check("fast-spatial_bn_backward", spatial_batchnorm_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_norms import backward_case

    with report.stage("one channel, one row of pixels, equal sizes"):
        for shape in ((3, 1, 2, 4), (2, 5, 1, 3), (3, 3, 3, 3)):
            backward_case(subject, rng, report, shape)


result = result.also(edge_cases, seed=10133)
### END HIDDEN TESTS
result.points

# %%
if ready("fast-spatial_bn_forward"):
    images = data.train.images[:100].transpose(0, 3, 1, 2) / 255.0
    three = np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)
    normal, *_ = spatial_batchnorm_forward(images, *three, train=True, batchnorm_forward=batchnorm_forward)
    for name, values in (("pixels", images), ("normalized", normal)):
        means, spreads = values.mean(axis=(0, 2, 3)), values.std(axis=(0, 2, 3))
        print(f"{name:10s} mean of each channel {means.round(3)}, deviation {spreads.round(3)}")

# %% [markdown]
# ## 10. Group norm
#
# Batch norm makes one image's result depend on the others in its batch. With batches of two, mean and variance are
# little more than noise. **Group norm** looks at one image alone: it cuts the $C$ channels into $G$ groups of
# *neighbours* and normalizes each group of each image over its $C/G \cdot H \cdot W$ numbers. With $G = 1$ this is
# layer norm over the image. It has no running statistics, and training and testing are the same.
#
# An example, one image of one pixel, six channels in three groups: $(1, 3 \mid 5, 7 \mid 20, 40)$. The groups' means
# are 2, 6, 30, their deviations 1, 1, 10, so all three become $(-1, 1)$.
#
# $\gamma$ and $\beta$ are still one number for each **channel**, with shape $(1, C, 1, 1)$ so that they broadcast over
# maps. For one group with its $m$ numbers $x$, and $u = \text{dout} \cdot \gamma$ (the gradient that reaches $\hat x$):
#
# $$\hat x = \frac{x - \mu}{\sqrt{v + \varepsilon}}, \qquad
# dx = \frac{1}{\sqrt{v + \varepsilon}} \left( u - \overline{u} - \hat x \; \overline{u \hat x} \right),$$
#
# where the bar is the mean over the group. You derived this in N07: the first term is the direct way, the second goes
# through the mean $\mu$, the third through the variance $v$. $d\gamma$ and $d\beta$ are sums over images and places,
# and keep the shape $(1, C, 1, 1)$. The cache is `(x, gamma, groups, eps)`.


# %% solution="fast-groupnorm_forward"
def spatial_groupnorm_forward(x, gamma, beta, groups, *, eps=1e-5):
    """Normalize groups of neighbouring channels, image by image.

    x : float (N, C, H, W);  gamma, beta : float (1, C, 1, 1);  groups : int
    Returns (out, cache): out (N, C, H, W); cache the tuple (x, gamma, groups, eps).
    Raises ValueError unless groups divides C.
    """
    ### BEGIN SOLUTION
    if x.shape[1] % groups:
        raise ValueError(f"spatial_groupnorm_forward: groups must divide {x.shape[1]} channels, got {groups}")
    members = x.reshape(len(x), groups, -1)  # (N, G, C/G H W)
    centred = members - members.mean(axis=2, keepdims=True)
    x_hat = centred / np.sqrt(members.var(axis=2, keepdims=True) + eps)
    return gamma * x_hat.reshape(x.shape) + beta, (x, gamma, groups, eps)
    ### END SOLUTION


# %% tests="fast-groupnorm_forward" points=2
result = check("fast-groupnorm_forward", spatial_groupnorm_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_groupnorm import forward_case, random_batch
    from cs231n_lib.check.n10_oracle import refuses

    with report.stage("one image, many groups, equal sizes"):
        for shape, groups in (((1, 12, 1, 3), 4), ((4, 4, 4, 4), 2), ((2, 9, 3, 1), 3)):
            forward_case(subject, report, random_batch(rng, shape, groups, eps=1e-3))
        batch = random_batch(rng, (2, 4, 2, 2), 2)
        report.require(refuses(subject, batch.x, batch.gamma, batch.beta, 8), "4 channels in 8 groups")


result = result.also(edge_cases, seed=10139)
### END HIDDEN TESTS
result.points


# %% solution="fast-groupnorm_backward"
def spatial_groupnorm_backward(dout, cache):
    """Return the gradients of group norm.

    dout : float (N, C, H, W), upstream gradient;  cache : the tuple (x, gamma, groups, eps)
    Returns (dx, dgamma, dbeta): (N, C, H, W), (1, C, 1, 1), (1, C, 1, 1).
    """
    ### BEGIN SOLUTION
    x, gamma, groups, eps = cache
    members = x.reshape(len(x), groups, -1)  # (N, G, C/G H W)
    std = np.sqrt(members.var(axis=2, keepdims=True) + eps)
    x_hat = (members - members.mean(axis=2, keepdims=True)) / std
    u = (dout * gamma).reshape(x_hat.shape)
    through_mean = u.mean(axis=2, keepdims=True)
    through_var = x_hat * (u * x_hat).mean(axis=2, keepdims=True)
    dx = (u - through_mean - through_var) / std
    dgamma = (dout * x_hat.reshape(x.shape)).sum(axis=(0, 2, 3), keepdims=True)
    return dx.reshape(x.shape), dgamma, dout.sum(axis=(0, 2, 3), keepdims=True)
    ### END SOLUTION


# %% tests="fast-groupnorm_backward" points=3
result = check("fast-groupnorm_backward", spatial_groupnorm_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_groupnorm import backward_case, random_batch

    with report.stage("one image, many groups, equal sizes"):
        for shape, groups in (((1, 12, 1, 3), 4), ((4, 4, 4, 4), 2), ((2, 9, 3, 1), 3)):
            backward_case(subject, rng, report, random_batch(rng, shape, groups, eps=1e-3))


result = result.also(edge_cases, seed=10141)
### END HIDDEN TESTS
result.points

# %% [markdown]
# What a norm does with a single image should not depend on its neighbours. Below, one image is normalized among 100,
# and again in batches of 2 and of 8: how far is its result from that among 100?

# %%
if ready("fast-spatial_bn_forward", "fast-groupnorm_forward"):
    images = to_input(data.train.images[:100])
    maps, _ = conv_forward_fast(
        images,
        filters[:8],
        np.zeros(8, np.float32),
        pad=2,
    )  # (100, 8, 32, 32)
    ones, none = np.ones(8, np.float32), np.zeros(8, np.float32)
    by_batch, by_group = [], []
    for count in (2, 8, 100):
        out, *_ = spatial_batchnorm_forward(
            maps[:count],
            ones,
            none,
            none,
            ones,
            train=True,
            batchnorm_forward=batchnorm_forward,
        )
        by_batch.append(out[0])
        wide = (1, 8, 1, 1)
        by_group.append(
            spatial_groupnorm_forward(maps[:count], ones.reshape(wide), none.reshape(wide), 4)[0][0],
        )
    for name, results in (("batch norm", by_batch), ("group norm", by_group)):
        for count, result in zip((2, 8), results, strict=False):
            share = np.linalg.norm(result - results[-1]) / np.linalg.norm(results[-1])
            print(f"{name}, in a batch of {count}: {100 * share:4.1f} % off its result among 100")

# %% [markdown]
# ## 11. Does a convolution move along with its image?
#
# "Features don't depend on location": move the image, then convolve, or convolve, then move the maps. The lectures say
# that this is the same, and call it **translation equivariance**. Where is it exact, and where does it break? Measure
# it: move an image by `shift` = (down, right) pixels, around the edge (what leaves on one side comes back on the other,
# as `np.roll` does). The output should move by `shift // stride` places. The **gap** is the largest absolute difference
# between *layer of the moved image* and *moved output of the layer*, over output pixels that are at least `border`
# away from each side.


# %% solution="fast-equivariance_gap"
def equivariance_gap(layer, x, *, shift, stride=1, border=0):
    """Return how far a layer is from moving along with its image.

    layer : function from images (N, C, H, W) to maps (N, F, H', W');  x : float (N, C, H, W)
    shift : (down, right), ints, pixels of x;  stride : int, pixels of x for one place of the maps
    border : int, output pixels left out on each of the four sides
    Returns a float, the largest absolute difference.
    """
    ### BEGIN SOLUTION
    maps = layer(x)
    steps = (shift[0] // stride, shift[1] // stride)
    gap = np.abs(layer(np.roll(x, shift, axis=(2, 3))) - np.roll(maps, steps, axis=(2, 3)))
    height, width = maps.shape[2:]
    return float(gap[:, :, border : height - border, border : width - border].max())
    ### END SOLUTION


# %% tests="fast-equivariance_gap" points=3
result = check("fast-equivariance_gap", equivariance_gap)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n10_moves import conv_layer, gap_case

    with report.stage("no shift, stride 3, a layer that pools, a wide border"):
        x = rng.normal(size=(1, 2, 14, 11))
        gap_case(subject, report, conv_layer(rng.normal(size=(3, 2, 3, 2))), x, (0, 0))
        for shift in ((3, -6), (4, 1), (-5, 2)):
            gap_case(subject, report, conv_layer(rng.normal(size=(3, 2, 2, 2)), stride=3), x, shift, stride=3, border=1)
        gap_case(subject, report, lambda images: images[:, :1] ** 2, x, (5, -3), border=4)
    with report.stage("what the lectures say"):
        x, layer = rng.normal(size=(2, 3, 17, 17)), conv_layer(rng.normal(size=(4, 3, 3, 3)), pad=1)
        inside = gap_case(subject, report, layer, x, (2, 2), border=3)
        report.require(inside < 1e-9, "inside the border the gap is 0")


result = result.also(edge_cases, seed=10151)
### END HIDDEN TESTS
result.points

# %%
if ready("fast-equivariance_gap"):
    photo = to_input(data.val.images[:4]).astype(np.float64)
    kernels = np.random.default_rng(0).normal(size=(4, 3, 3, 3)) / 5

    def convolution(*, stride=1, pad=0):
        return lambda images: conv_forward_fast(images, kernels, np.zeros(4), stride=stride, pad=pad)[0]

    odd = photo[:, :, :31, :31]  # 3 x 3 with stride 2 fits 31 pixels
    for name, pad, border in (("no padding", 0, 4), ("zero padding", 1, 4), ("zero padding", 1, 0)):
        gap = equivariance_gap(convolution(pad=pad), photo, shift=(2, 2), border=border)
        print(f"{name:12s}  stride 1  shift 2  {border} pixels left out:  gap {gap:.2g}")
    for step in (1, 2, 3, 4):
        gap = equivariance_gap(convolution(stride=2), odd, shift=(step, step), stride=2, border=4)
        print(f"{'no padding':12s}  stride 2  shift {step}  4 pixels left out:  gap {gap:.2g}")

# %% [markdown]
# - **Inside the border it is exact**, to the last digits that floating point keeps.
# - **Zero padding breaks it at the border**: there the maps know where the image ends. Networks do use this to find out
#   where they are.
# - **With stride 2 it holds for even shifts only.** After an odd shift the window meets other pixels altogether, and
#   the output is *another* picture. Each pooling halves the grid again: after five of them only shifts by multiples of
#   32 pixels pass through exactly.
#
# Pooling has a stride too. **Guess before you move anything:** a 2 x 2 pool of stride 2, and an image that moves by one
# pixel; where will the two ways differ?

# %%
from cs231n_lib import widgets

if ready("fast-equivariance_gap"):
    display(widgets.equivariance_explorer(max_pool_forward_naive, equivariance_gap))

# %% [markdown]
# ## What you have
#
# | | what it costs | what it gives |
# |---|---|---|
# | im2col | each pixel stored $HH \cdot WW$ times | the convolution as one product |
# | col2im | as much | the backward pass: a sum where windows overlap |
# | spatial batch norm | needs a batch | one $\gamma, \beta$ for each channel |
# | group norm | nothing but an image | the same in training and testing, for any batch size |
# | a ConvNet | minutes instead of seconds | two thirds of CIFAR-10, with filters that nobody designed |
#
# **N11** writes the same network in PyTorch, where both passes come from the forward pass alone, and moves it to a GPU.
