# %% [markdown]
# # N09 · Convolution from scratch
#
# So far the first thing you did with an image was to flatten it: 3 x 32 x 32 numbers became a row of 3072, and from
# there on nothing said which pixel was beside which. This notebook builds the layer that keeps the image an image:
# **a small filter that looks at one patch at a time and slides over all of them.**
#
# You will work out its output size, its price and its reach, then write the layer forward and backward, then max
# pooling, then the settings that PyTorch adds. Plain loops are welcome; N10 makes it fast.
#
# 40 points · about four hours, of which the computer needs less than a minute.

# %% setup="conv-setup"
import numpy as np

from cs231n_lib.check import check, question, ready, show_question

# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# ## 1. What flattening throws away
#
# Shuffle the 1024 pixel positions of *every* image with one and the same permutation. To you the lower row is noise.
# **Guess:** what does it do to the accuracy of a fully connected network trained on such images? And to that of a
# network that looks at patches?

# %%
import matplotlib.pyplot as plt
from IPython.display import display

from cs231n_lib.data import load_dataset
from cs231n_lib.kernels import conv_forward_fast, max_pool_forward_fast
from cs231n_lib.visualize import image_grid, to_unit

data = load_dataset().subset(train=2000, test=1000)
order = np.random.default_rng(0).permutation(32 * 32)


def shuffle_pixels(images):
    """Move the pixels of all images (N, 32, 32, 3) alike: same colours, other places."""
    return images.reshape(len(images), 1024, 3)[:, order].reshape(images.shape)


shown = data.train.images[:4]
display(
    image_grid(
        np.concatenate([shown, shuffle_pixels(shown)]),
        columns=4,
        title="Before and after the shuffle",
    )
)

# %% [markdown]
# Two networks with one hidden layer, both built in a lazy way that takes seconds: the hidden units are *pieces of
# training images*, and only the last, linear layer is fitted. In the first network a hidden unit compares the whole
# image with one whole training image. In the second it compares each 5 x 5 patch with one 5 x 5 patch of a training
# image, and keeps the best match in each of nine regions. (About ten seconds. The fast convolution used here is the
# library's; N10 shows how it works.)


# %%
def whole_image_units(train, test):
    """Compare images (N, 3, 32, 32) with 400 training images: float32 (N, 400) for both splits."""
    units = train[:400].reshape(400, -1)
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    return [np.maximum(0, images.reshape(len(images), -1) @ units.T) for images in (train, test)]


corners = np.random.default_rng(1).integers(0, 28, size=(48, 2))


def patch_units(train, test):
    """Compare every 5 x 5 patch with 48 patches and keep
    the best of each 9 x 9 region: (N, 48 * 9).
    """
    filters = np.array([train[i, :, u : u + 5, v : v + 5] for i, (u, v) in enumerate(corners)])
    filters = filters - filters.mean(axis=(1, 2, 3), keepdims=True)
    filters /= np.sqrt((filters**2).sum(axis=(1, 2, 3), keepdims=True)) + 0.1

    def responses(images):
        maps, _ = conv_forward_fast(images, filters, np.zeros(48, np.float32))
        best, _ = max_pool_forward_fast(np.maximum(0, maps[:, :, :27, :27]), pool_h=9, pool_w=9, stride=9)
        return best.reshape(len(images), -1)

    return responses(train), responses(test)


def accuracy(train, test, strength=0.1):
    """Fit a linear layer to hidden units by least squares,
    weights held small; return its test accuracy.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-3
    train, test = (train - mean) / spread, (test - mean) / spread
    targets = np.eye(10, dtype=np.float32)[data.train.labels] - 0.1
    ridge = strength * len(train) * np.eye(train.shape[1], dtype=np.float32)
    weights = np.linalg.solve(train.T @ train + ridge, train.T @ targets)
    return np.mean((test @ weights).argmax(axis=1) == data.test.labels)


def channels_first(images):
    """uint8 (N, 32, 32, 3) -> float32 (N, 3, 32, 32), centred."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32) / 255 - 0.5


print(f"{'test accuracy':24s} as they are   shuffled")
for name, units in (("whole images, flattened", whole_image_units), ("5 x 5 patches", patch_units)):
    found = []
    for change in (lambda images: images, shuffle_pixels):
        splits = [channels_first(change(split.images)) for split in (data.train, data.test)]
        found.append(accuracy(*units(*splits)))
    print(f"{name:24s} {100 * found[0]:9.1f} % {100 * found[1]:9.1f} %")

# %% [markdown]
# The network of whole images does not notice: its sums are the same sums in another order. All it ever knew about an
# image survives the shuffle, so it never knew what is beside what. The network of patches loses much of its accuracy;
# what it lost is what it had gained from neighbourhood.
#
# ## 2. A filter that slides
#
# A **filter** is a small block of weights, here $3 \times 5 \times 5$. Small in height and width, but always through
# the full depth of the image: all 3 channels. Lay it on a patch of the $3 \times 32 \times 32$ image, multiply the 75
# pairs of numbers, add them up, add a bias: one output number, just like a neuron with 75 inputs. Move one pixel to
# the right, and again. In each direction there are $32 - 5 + 1 = 28$ places, so one filter gives a $28 \times 28$
# map that says where the image looks like the filter.
#
# Six filters give six maps: an output of shape $6 \times 28 \times 28$, with 6 biases. Look at it the other way and it
# is a $28 \times 28$ grid with a vector of 6 numbers at each point. With a batch of images:
#
# | | shape | lecture's example |
# |---|---|---|
# | input `x` | $(N, C, H, W)$ | $2 \times 3 \times 32 \times 32$ |
# | filters `w` | $(F, C, HH, WW)$ | $6 \times 3 \times 5 \times 5$ |
# | biases `b` | $(F,)$ | $6$ |
# | output | $(N, F, H', W')$ | $2 \times 6 \times 28 \times 28$ |
#
# The lectures write $C_{out}$ for $F$ and list a filter's width before its height, $K_w \times K_h$. Here, as in
# PyTorch, **height always comes first**.
#
# The idea is older than its training. Hubel and Wiesel (1959) found cells in the visual cortex that answer to an edge
# at one place, and others that answer to it anywhere nearby. Fukushima's Neocognitron (1980) imitated them with layers
# of *simple cells*, which are convolutions, and *complex cells*, which are pooling. What it lacked was a practical way
# to train it; backpropagation through exactly these two layers is what you write below.
#
# ## 3. How large is the output?
#
# The picture shows one row of 7 pixels and a kernel of 3. Each bar is one place.


# %%
def draw_places(axes, *, size, kernel, stride, pad):
    """Draw a row of pixels, its border of zeros, and the places of a window on it."""
    starts = list(range(-pad, size + pad - kernel + 1, stride))
    for pixel in range(-pad, size + pad):
        inside = 0 <= pixel < size
        colour = "#56B4E9" if inside else "white"
        axes.add_patch(plt.Rectangle((pixel, 0), 1, 1, facecolor=colour, edgecolor="#222222"))
        axes.text(pixel + 0.5, 0.5, "" if inside else "0", ha="center", va="center", fontsize=8)
    for row, start in enumerate(starts):
        axes.add_patch(plt.Rectangle((start, -0.7 - 0.55 * row), kernel, 0.4, facecolor="#E69F00"))
    left = size + pad - (starts[-1] + kernel)
    note = f"{left} left over" if left else "fits"
    axes.set(xlim=(-1.2, size + 1.2), ylim=(-0.55 * len(starts) - 0.5, 1.2), aspect="equal")
    axes.set_title(f"stride {stride}, pad {pad}: {len(starts)} places, {note}", fontsize=9)
    axes.axis("off")


figure, panels = plt.subplots(
    2,
    2,
    figsize=(8, 4),
    layout="constrained",
    gridspec_kw={"height_ratios": [7, 4]},
)
for axes, (stride, pad) in zip(panels.flat, [(1, 0), (1, 1), (2, 0), (3, 0)], strict=True):
    draw_places(axes, size=7, kernel=3, stride=stride, pad=pad)
plt.show()

# %% [markdown]
# - **Plain** (top left): the window can start at 5 of the 7 pixels, $7 - 3 + 1 = 5$. Every such layer takes $K - 1$
#   pixels away, and after a few of them no image is left.
# - **Padding** (top right): a border of $P$ zeros on *both* sides. For odd $K$, $P = (K - 1)/2$ keeps the size.
# - **Stride** (bottom left): visit every $S$-th place only, and the output shrinks on purpose.
#
# From the first place to the last the window travels $W - K + 2P$ pixels, in steps of $S$; the first place itself
# makes one more:
#
# $$W' = \frac{W - K + 2P}{S} + 1.$$
#
# Bottom right: $W = 7$, $K = 3$, $P = 0$, $S = 3$ gives $4/3 + 1 = 2.33$. There is no such output. PyTorch rounds down
# and leaves the last pixel unseen; in this course **sizes that do not fit raise `ValueError`**, so that nobody ignores
# pixels without knowing.
#
# Height and width follow the same rule, each with its own numbers. So do the one axis of a sound and the three of a
# CT scan, which is why the function takes a tuple with one entry for each axis.


# %% solution="conv-output_shape"
def conv_output_shape(size, kernel, *, stride=1, pad=0):
    """Return the size of a convolution's output, axis by axis.

    size, kernel : tuples of int of equal length: (H, W) and (HH, WW), or one entry, or three
    stride, pad : int, the same for every axis; the border has pad zeros on each side
    Returns a tuple of int. Raises ValueError where the
    windows do not fit exactly, or where not even one does.
    """
    ### BEGIN SOLUTION
    out = []
    for length, window in zip(size, kernel, strict=True):
        travel = length + 2 * pad - window
        if travel < 0 or travel % stride:
            rule = f"kernel {window}, stride {stride} and pad {pad} must fit size {length}"
            raise ValueError(f"conv_output_shape: {rule}, got {travel} pixels to move over; change pad or stride")
        out.append(travel // stride + 1)
    return tuple(out)
    ### END SOLUTION


# %% tests="conv-output_shape" points=4
result = check("conv-output_shape", conv_output_shape)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_geometry import require_size
    from cs231n_lib.check.n09_oracle import refuses

    with report.stage("well-known layers"):
        known: list[tuple] = [
            ((227, 227), (11, 11), 4, 0, (55, 55)),
            ((1, 9), (1, 1), 1, 0, (1, 9)),
            ((1, 1), (3, 5), 1, 2, (3, 1)),
        ]
        known += [((2, 3, 4), (2, 3, 4), 5, 0, (1, 1, 1))]
        for size, kernel, stride, pad, want in known:
            require_size(subject(size, kernel, stride=stride, pad=pad), want, [], report, f"size {size}, {kernel}")
    with report.stage("misfits on the last axis"):
        report.require(refuses(subject, (7, 9, 8), (3, 3, 3), stride=2, pad=0), "the third axis does not fit")
        report.require(refuses(subject, (224,), (3,), stride=2, pad=1), "224 pixels, kernel 3, stride 2, pad 1")
        report.require(refuses(subject, (3, 3), (3, 6), stride=3, pad=0), "no place, and no remainder")


result = result.also(edge_cases, seed=9011)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The lectures' sizes, by your function. One slide shows a 7 x 7 input with a border of one pixel and a 3 x 3 filter,
# and prints the output as 5 x 5. **What should it print?**

# %%
if ready("conv-output_shape"):
    for size, kernel, stride, pad in (
        ((7, 7), 3, 1, 0),
        ((7, 7), 3, 1, 1),
        ((7, 7), 3, 2, 0),
        ((32, 32), 5, 1, 2),
    ):
        out = conv_output_shape(size, (kernel, kernel), stride=stride, pad=pad)
        print(f"{size}, kernel {kernel}, stride {stride}, pad {pad}  ->  {out}")
    try:
        conv_output_shape((7, 7), (3, 3), stride=3)
    except ValueError as error:
        print(f"(7, 7), kernel 3, stride 3, pad 0  ->  ValueError: {error}")
    video = conv_output_shape((16, 112, 112), (3, 3, 3), pad=1)
    print(
        f"3-D: C_in x 16 x 112 x 112 with filters of C_in x 3 x 3 x 3, pad 1  ->  C_out x {video}",
    )

# %% [markdown]
# ## 4. What does it cost?
#
# Ten filters of 5 x 5, stride 1 and pad 2, on a $3 \times 32 \times 32$ image: the output is $10 \times 32 \times 32$,
# since $(32 - 5 + 2 \cdot 2)/1 + 1 = 32$. Count:
#
# - **parameters**: one filter has $3 \cdot 5 \cdot 5 = 75$ weights and 1 bias, 76 in all. Ten filters: **760**. The
#   same 76 numbers serve at all 1024 places; this is called *weight sharing*.
# - **multiply-adds**: each of the $10 \cdot 32 \cdot 32 = 10{,}240$ output numbers is a dot product of 75 pairs. One
#   multiply-add is one multiplication with the addition that follows it (the bias is not counted): **768,000**.
# - for comparison, a **fully connected** layer with the same input and the same output: each of the 10,240 numbers has
#   its own 3072 weights and a bias, **31,467,520** parameters.
#
# Few parameters, much work: remember this when you train one.


# %% solution="conv-cost"
def conv_cost(in_shape, out_shape, kernel):
    """Count the parameters and the work of one convolution on one image.

    in_shape : (C, H, W);  out_shape : (F, H', W');  kernel : (HH, WW); tuples of int
    Returns a dict of int:
        "per_filter"     parameters of one filter, bias included
        "parameters"     parameters of the layer
        "multiply_adds"  multiply-adds of a forward pass, biases not counted
        "fc_parameters"  parameters of a fully connected layer,
                         from the same input to the same output
    """
    ### BEGIN SOLUTION
    channels, height, width = in_shape
    num_filters, out_height, out_width = out_shape
    weights = channels * kernel[0] * kernel[1]
    out_numbers = num_filters * out_height * out_width
    return {
        "per_filter": weights + 1,
        "parameters": num_filters * (weights + 1),
        "multiply_adds": out_numbers * weights,
        "fc_parameters": out_numbers * (channels * height * width + 1),
    }
    ### END SOLUTION


# %% tests="conv-cost" points=4
result = check("conv-cost", conv_cost)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_geometry import require_costs

    with report.stage("LeNet, AlexNet, VGG, and 1 x 1"):
        require_costs(subject, report, (1, 32, 32), (6, 28, 28), (5, 5))
        require_costs(subject, report, (3, 227, 227), (64, 55, 55), (11, 11))
        require_costs(subject, report, (512, 14, 14), (512, 14, 14), (3, 3))
        require_costs(subject, report, (64, 56, 1), (7, 56, 1), (1, 1))


result = result.also(edge_cases, seed=9029)
### END HIDDEN TESTS
result.points

# %%
if ready("conv-cost"):
    layers = {
        "ten 5x5 on 3x32x32": ((3, 32, 32), (10, 32, 32), (5, 5)),
        "AlexNet's first: 64 11x11": ((3, 227, 227), (64, 55, 55), (11, 11)),
        "256 3x3 on 256x56x56": ((256, 56, 56), (256, 56, 56), (3, 3)),
        "the same with 1x1": ((256, 56, 56), (256, 56, 56), (1, 1)),
    }
    print(f"{'':28s}{'parameters':>12s}{'multiply-adds':>16s}{'fully connected':>22s}")
    for name, layer in layers.items():
        cost = conv_cost(*layer)
        weights, work, connected = (cost[k] for k in ("parameters", "multiply_adds", "fc_parameters"))
        print(f"{name:28s}{weights:12,}{work:16,}{connected:22,}")

# %% [markdown]
# ## 5. How far does it see?
#
# An output of one 3 x 3 layer sees 3 x 3 pixels. Put a second such layer on top: its output sees $3 \times 3$ numbers
# *in the previous layer*, but $5 \times 5$ pixels *in the input*. Those pixels are its **receptive field**. Here is
# one axis, with stride 1 on the left, and with a first layer of stride 2 on the right.


# %%
def draw_reach(axes, layers, *, size):
    """Draw one axis of a stack of layers, the input at the
    bottom, and all that the middle of the top sees.
    """
    sizes = [size]
    for window, step in layers:
        sizes.append((sizes[-1] - window) // step + 1)
    seen = {len(layers): {sizes[-1] // 2}}
    for level in range(len(layers), 0, -1):
        kernel, stride = layers[level - 1]
        seen[level - 1] = {place * stride + tap for place in seen[level] for tap in range(kernel)}
    spacing, shift = 1.0, 0.0
    for level, count in enumerate(sizes):
        for place in range(count):
            colour = "#E69F00" if place in seen[level] else "white"
            corner = (shift + place * spacing - 0.4, level)
            axes.add_patch(plt.Rectangle(corner, 0.8, 0.6, facecolor=colour, edgecolor="#222222"))
        if level < len(layers):
            shift += (layers[level][0] - 1) / 2 * spacing
            spacing *= layers[level][1]
    axes.set(xlim=(-1, size), ylim=(-0.2, len(layers) + 0.9))
    axes.set_title(f"(kernel, stride) = {layers}: sees {len(seen[0])} pixels", fontsize=9)
    axes.axis("off")


figure, panels = plt.subplots(1, 2, figsize=(9, 2.2), layout="constrained")
draw_reach(panels[0], [(3, 1), (3, 1), (3, 1)], size=13)
draw_reach(panels[1], [(3, 2), (3, 1)], size=13)
plt.show()

# %% [markdown]
# With stride 1 every layer adds $K - 1$, so $L$ layers see $1 + L (K - 1)$ pixels along an axis. To see all of an image
# of 224 pixels with $K = 3$ you need $1 + 2L \ge 224$, which is **112 layers**. Hence downsampling: once a layer has
# stride 2, two neighbours in its output are 2 input pixels apart, and a kernel above it reaches twice as far. With two
# such layers they are 4 apart, and so on.
#
# Write it for any stack of kernels and strides. Begin with a single pixel and climb: by how many input pixels does
# this layer's kernel widen the field, and how far apart are neighbours after it? By hand, for `[(3, 2), (3, 1)]`: the
# first layer makes 1 into 3, and puts neighbours 2 apart; the second adds two steps of 2, and 7 pixels are seen.


# %% solution="conv-receptive_field"
def receptive_field(layers):
    """Return how many input pixels, along one axis, lie
    between the first and the last that one output sees.

    layers : list of (kernel, stride), tuples of int;
        layers[0] is next to the input. Pools count too
    Returns an int, both ends included; 1 without any layer. Borders are ignored.
    """
    ### BEGIN SOLUTION
    field, spacing = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * spacing
        spacing *= stride
    return field
    ### END SOLUTION


# %% tests="conv-receptive_field" points=4
result = check("conv-receptive_field", receptive_field)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_geometry import require_reach

    with report.stage("VGG-16, AlexNet, strides wider than kernels"):
        vgg = [layer for count in (2, 2, 3, 3, 3) for layer in [(3, 1)] * count + [(2, 2)]]
        require_reach(subject, report, vgg)
        require_reach(subject, report, [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)])
        require_reach(subject, report, [(1, 3), (2, 1), (1, 1), (2, 5), (4, 2)])
        require_reach(subject, report, [(1, 1)] * 9)


result = result.also(edge_cases, seed=9041)
### END HIDDEN TESTS
result.points

# %%
if ready("conv-receptive_field"):
    for count in (111, 112):
        print(f"{count} layers of 3x3: {receptive_field([(3, 1)] * count)} pixels")
    blocks = [(3, 1), (3, 1), (2, 2)]
    for count in range(1, 7):
        seen = receptive_field(blocks * count)
        print(f"{count} x (two 3x3, one 2x2 pool of stride 2): {seen} pixels")

# %% [markdown]
# Eighteen layers with pooling see more than a hundred without.
#
# ## 6. Forward
#
# In symbols, with $\tilde x$ for the image with its border of zeros,
#
# $$\text{out}[n, f, i, j] \;=\; b[f] + \sum_{c=0}^{C-1} \sum_{u=0}^{HH-1} \sum_{v=0}^{WW-1}
# w[f, c, u, v] \; \tilde x[n, c,\; i S + u,\; j S + v].$$
#
# By hand, with one image of one channel, one 2 x 2 filter, and bias 9:
#
# $$x = \begin{pmatrix} 1 & 2 & 0 \\ 0 & 1 & 3 \\ 2 & 1 & 1 \end{pmatrix}, \quad
# w = \begin{pmatrix} 1 & 0 \\ 2 & 3 \end{pmatrix}: \qquad
# \text{out}[0, 0] = 1 \cdot 1 + 0 \cdot 2 + 2 \cdot 0 + 3 \cdot 1 + 9 = 13.$$
#
# The other three are 22, 16 and 15. Find them yourself before you program it.
#
# Mathematicians turn the filter round before they multiply and call only that a convolution. Here, as everywhere in
# deep learning, nothing is turned: a learned filter may as well be learned the right way round.
#
# Use as many loops as you like. Besides the output return a **cache**: the tuple `(x, w, b, stride, pad)`, with `x` as
# it came. The backward pass gets this and nothing else. For the output's size you may call your `conv_output_shape`,
# which also raises `ValueError` where it should.


# %% solution="conv-forward"
def conv_forward_naive(x, w, b, *, stride=1, pad=0):
    """Slide every filter over every image.

    x : array (N, C, H, W) of numbers, float or uint8;  w : float (F, C, HH, WW);  b : float (F,)
    stride, pad : int, for both axes
    Returns (out, cache): out float (N, F, H', W'), cache the tuple (x, w, b, stride, pad).
    Raises ValueError where the windows do not fit exactly.
    """
    ### BEGIN SOLUTION
    num_filters, _, kernel_h, kernel_w = w.shape
    out_h, out_w = conv_output_shape(x.shape[2:], w.shape[2:], stride=stride, pad=pad)
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((len(x), num_filters, out_h, out_w))
    for f in range(num_filters):
        for i in range(out_h):
            for j in range(out_w):
                top, left = i * stride, j * stride
                window = framed[:, :, top : top + kernel_h, left : left + kernel_w]  # (N, C, HH, WW)
                out[:, f, i, j] = (window * w[f]).sum(axis=(1, 2, 3)) + b[f]
    cache = (x, w, b, stride, pad)
    return out, cache
    ### END SOLUTION


# %% tests="conv-forward" points=8
result = check("conv-forward", conv_forward_naive)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_conv import examine_layer
    from cs231n_lib.check.n09_oracle import Layer, two

    with report.stage("one pixel, one filter, 1 x 1, a row, a border wider than the image"):
        for image, kernel, stride, pad in (
            ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0),
            ((3, 4, 5, 6), (2, 4, 1, 1), 1, 0),
            ((2, 3, 1, 9), (4, 3, 1, 5), 2, 0),
            ((2, 2, 8, 3), (1, 2, 8, 3), 7, 0),
            ((1, 2, 2, 1), (3, 2, 4, 3), 1, 3),
        ):
            layer = Layer(rng.normal(size=image), rng.normal(size=kernel), rng.normal(size=kernel[0]), stride, pad)
            examine_layer(subject, layer, report, f"x {image}, w {kernel}")
    with report.stage("an empty batch, large numbers"):
        layer = Layer(np.zeros((0, 2, 5, 4)), rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3))
        out, _ = two(subject(layer.x, layer.w, layer.b), report)
        report.require(getattr(out, "shape", None) == (0, 3, 3, 3), "no image gives no map: shape (0, 3, 3, 3)")
        layer = Layer(
            1e8 * rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(2, 3, 2, 3)), 1e-3 * rng.normal(size=2), 1, 1
        )
        examine_layer(subject, layer, report, "pixels of 1e8")


result = result.also(edge_cases, seed=9059)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Look through filters
#
# Filters need not be learned. Here are four made by hand: the brightness that an eye sees (a 1 x 1 filter across the
# channels, written as 3 x 3), a blur, and two that answer to edges. **Guess** which of the two edge filters lights up
# on a horizontal line, before you look. Grey is zero in the pictures of edges.

# %%
eye = np.array([0.299, 0.587, 0.114])  # how bright red, green and blue appear
blur = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
rows = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]])  # above minus below
hand_made = np.zeros((4, 3, 3, 3))
hand_made[0, :, 1, 1] = eye
hand_made[1:] = eye[:, None, None] * np.array([blur, rows, rows.T])[:, None]

if ready("conv-forward"):
    chosen = data.train.images[[1, 4, 5, 14]]
    maps, _ = conv_forward_naive(chosen.transpose(0, 3, 1, 2), hand_made, np.zeros(4), pad=1)
    maps[:, :2] /= 255  # brightness
    maps[:, 2:] = np.clip(0.5 + maps[:, 2:] / 800, 0, 1)  # signed
    pictures = [
        np.concatenate([[image / 255], np.repeat(m[..., None], 3, axis=3)])
        for image, m in zip(chosen, maps, strict=True)
    ]
    names = ["image", "brightness", "blur", "above - below", "left - right"]
    display(
        image_grid(
            np.clip(np.concatenate(pictures), 0, 1),
            captions=names * len(chosen),
            columns=5,
            title="One filter, one map",
        )
    )

# %% [markdown]
# A linear classifier had one template per class, as large as the image. A convolution has a bank of small templates
# and asks *where* each one fits. When the filters are learned, those next to the pixels come out as oriented edges and
# pairs of opposing colours (AlexNet's are 64 of size 3 x 11 x 11), and units several layers up answer to larger
# things, such as eyes or letters.
#
# ### Move, then filter = filter, then move
#
# Since the same filter is used everywhere, a thing that moves takes its response with it. This is called
# **translation equivariance**: what a filter detects does not depend on where it is. Move the image by 3 pixels and
# compare.

# %%
if ready("conv-forward"):
    image = data.train.images[:1].transpose(0, 3, 1, 2) / 255
    moved_after = np.roll(conv_forward_naive(image, hand_made, np.zeros(4), pad=1)[0], 3, axis=3)
    moved_before = conv_forward_naive(np.roll(image, 3, axis=3), hand_made, np.zeros(4), pad=1)[0]
    gap = np.abs(moved_after - moved_before).max(axis=(0, 1))  # (32, 32)
    print(f"largest difference in the middle:            {gap[:, 5:-2].max():.1g}")
    print(f"largest difference near the left and right:  {gap.max():.2g}")

# %% [markdown]
# Nothing in the middle. At the border the zeros of the padding give the place away: equivariance ends there. N10
# measures it, and finds out what a stride does to it.
#
# ## 7. Two layers without anything in between
#
# Put one convolution on another, with nothing between them. Along one axis: the first kernel is $(1, 2)$, the second
# $(3, 4)$, so
#
# $$y_i = 1 x_i + 2 x_{i+1}, \qquad z_i = 3 y_i + 4 y_{i+1} = 3 x_i + (6 + 4)\, x_{i+1} + 8 x_{i+2}.$$
#
# The two are **one** convolution, with kernel $(3, 10, 8)$. They see farther than either, but they can do nothing that
# one layer could not: this is why an activation function stands between layers.
#
# Write the merger for two-dimensional kernels: two of size 3 x 3 make one of 5 x 5. Weight $a$ of the first and weight
# $b$ of the second meet at one offset of the merged kernel; which?


# %% solution="conv-merge"
def merge_kernels(first, second):
    """Return the one kernel that does what `first`, followed by `second`, does to an image.

    One channel, no border, stride 1.

    first : float (H1, W1);  second : float (H2, W2)
    Returns float (H1 + H2 - 1, W1 + W2 - 1).
    """
    ### BEGIN SOLUTION
    h2, w2 = second.shape
    merged = np.zeros((len(first) + h2 - 1, first.shape[1] + w2 - 1))
    for i, row in enumerate(first):
        for j, weight in enumerate(row):
            merged[i : i + h2, j : j + w2] += weight * second
    return merged
    ### END SOLUTION


# %% tests="conv-merge" points=1
result = check("conv-merge", merge_kernels)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_merge import require_merged

    with report.stage("1 x 1, a row and a column"):
        for a, b in (((1, 1), (2, 3)), ((1, 4), (3, 1)), ((5, 2), (1, 1))):
            require_merged(subject, report, rng.normal(size=a), rng.normal(size=b))


result = result.also(edge_cases, seed=9067)
### END HIDDEN TESTS
result.points

# %%
if ready("conv-forward", "conv-merge"):
    rng = np.random.default_rng(0)
    image, first, second = rng.normal(size=(1, 1, 9, 9)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    none = np.zeros(1)
    middle, _ = conv_forward_naive(image, first[None, None], none)
    in_two_steps, _ = conv_forward_naive(middle, second[None, None], none)
    in_one_step, _ = conv_forward_naive(image, merge_kernels(first, second)[None, None], none)
    off = np.abs(in_two_steps - in_one_step).max()
    print(f"3x3 then 3x3 against one 5x5: largest difference {off:.1g}")

# %% [markdown]
# ## 8. Backward
#
# Every output number is a dot product plus a bias, and you know the gradients of that. Take **one place** of one
# filter in one image: the window $X$ of shape $(C, HH, WW)$, the filter $w[f]$ of the same shape, the output number
# $\text{out} = \sum w[f] \cdot X + b[f]$, and its upstream gradient, the single number $g = \text{dout}[n, f, i, j]$.
# The chain rule says
#
# | gradient of | one place gives | shape | because |
# |---|---|---|---|
# | $b[f]$ | $g$ | one number | out grows by 1 if the bias does |
# | $w[f]$ | $g \, X$ | $(C, HH, WW)$ | each weight was multiplied by its pixel |
# | $X$ | $g \, w[f]$ | $(C, HH, WW)$ | each pixel was multiplied by its weight |
#
# That is all of it, for one place. Now put the places together. A bias and a filter are used at *every* place of
# *every* image, and a pixel lies in *several windows* and meets *all filters*. What is used more than once gets the
# **sum** of its gradients. By hand, along one axis: $x = (1, 2, 3)$, $w = (10, 1)$, no bias, so
# $\text{out} = (12, 23)$. Let $\text{dout} = (1, 100)$:
#
# | | window | adds to dw | adds to dx |
# |---|---|---|---|
# | place 0, $g = 1$ | $(1, 2)$ | $(1, 2)$ | $(10, 1, 0)$ |
# | place 1, $g = 100$ | $(2, 3)$ | $(200, 300)$ | $(0, 1000, 100)$ |
# | sum | | $(201, 302)$ | $(10, 1001, 100)$ |
#
# The same in symbols, with $\tilde x$ of shape $(N, C, H + 2P, W + 2P)$ for the images with their border. Each line is
# the table's entry for one place, summed over all places that used the number:
#
# $$\begin{aligned}
# db[f] &= \sum_{n, i, j} \text{dout}[n, f, i, j] & (F,) \\
# dw[f, c, u, v] &= \sum_{n, i, j} \text{dout}[n, f, i, j] \; \tilde x[n, c,\, iS + u,\, jS + v] & (F, C, HH, WW) \\
# d\tilde x[n, c, p, q] &= \sum_{f, i, j} \text{dout}[n, f, i, j] \; w[f, c,\, p - iS,\, q - jS] &
# (N, C, H + 2P, W + 2P)
# \end{aligned}$$
#
# The last sum takes only the places whose window holds the pixel, $0 \le p - iS < HH$ and $0 \le q - jS < WW$. You need
# not search for them: go from place to place, as on the way forward, and let each place *add* to the window it had
# read.
#
# Last, the border. The windows were cut from the image *with* its border, so $d\tilde x$ has a border too. Throw that
# part away: zeros that we put there ourselves need no gradient.


# %% solution="conv-backward"
def conv_backward_naive(dout, cache):
    """Return the gradients of a convolution.

    dout : float (N, F, H', W'), upstream gradient
    cache : the tuple (x, w, b, stride, pad) of the forward pass
    Returns (dx, dw, db), float, with the shapes of x, w and b.
    """
    ### BEGIN SOLUTION
    x, w, _, stride, pad = cache
    num_filters, _, kernel_h, kernel_w = w.shape
    height, width = x.shape[2:]
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dframed = np.zeros(framed.shape)
    dw = np.zeros(w.shape)
    for f in range(num_filters):
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                place = np.s_[:, :, i * stride : i * stride + kernel_h, j * stride : j * stride + kernel_w]
                upstream = dout[:, f, i, j][:, None, None, None]  # (N, 1, 1, 1)
                dw[f] += (upstream * framed[place]).sum(axis=0)
                dframed[place] += upstream * w[f]
    dx = dframed[:, :, pad : pad + height, pad : pad + width]
    return dx, dw, dout.sum(axis=(0, 2, 3))
    ### END SOLUTION


# %% tests="conv-backward" points=8
result = check("conv-backward", conv_backward_naive)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_conv_backward import examine_gradients
    from cs231n_lib.check.n09_oracle import Layer

    with report.stage("one pixel, 1 x 1 with a stride, a row, a border wider than the image, gaps"):
        for image, kernel, stride, pad in (
            ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0),
            ((3, 4, 5, 7), (2, 4, 1, 1), 2, 0),
            ((2, 3, 1, 9), (4, 3, 1, 5), 2, 0),
            ((1, 2, 2, 1), (3, 2, 4, 3), 1, 3),
            ((2, 2, 8, 5), (3, 2, 2, 2), 3, 0),
        ):
            layer = Layer(rng.normal(size=image), rng.normal(size=kernel), rng.normal(size=kernel[0]), stride, pad)
            examine_gradients(subject, rng, layer, report, f"x {image}, w {kernel}")


result = result.also(edge_cases, seed=9091)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### The gradient shows what a unit sees
#
# Take the unit in the middle of the top layer, send a gradient of 1 into it alone, and go backward to the input: the
# pixels with a gradient are its receptive field. Here are one, two and four layers of 3 x 3, and one of stride 2 below
# two others. Predict the four sizes with `receptive_field` first.

# %%
if ready("conv-forward", "conv-backward", "conv-receptive_field"):
    rng = np.random.default_rng(0)
    stacks = [[(3, 1)], [(3, 1)] * 2, [(3, 1)] * 4, [(3, 2), (3, 1), (3, 1)]]
    seen, captions = [], []
    for stack in stacks:
        out, caches = np.zeros((1, 1, 21, 21)), []
        for kernel, stride in stack:
            weights = rng.uniform(0.1, 1, size=(1, 1, kernel, kernel))
            out, cache = conv_forward_naive(out, weights, np.zeros(1), stride=stride)
            caches.append(cache)
        gradient = np.zeros(out.shape)
        gradient[0, 0, out.shape[2] // 2, out.shape[3] // 2] = 1
        for cache in reversed(caches):
            gradient, _, _ = conv_backward_naive(gradient, cache)
        seen.append(np.sqrt(np.abs(gradient[0, 0])))
        side = int((gradient[0, 0].sum(axis=0) != 0).sum())
        captions.append(f"{len(stack)} deep: {side} wide\nformula: {receptive_field(stack)}")
    display(
        image_grid(
            to_unit(np.array(seen)),
            captions=captions,
            columns=4,
            title="Pixels that the middle unit sees",
        )
    )

# %% [markdown]
# Not all of the field counts alike: the middle lies in more windows than the rim, and its gradient is larger.
#
# ## 9. Max pooling, forward
#
# Another way to make maps smaller: cut each map into windows and keep the **largest** number of each. Each channel on
# its own, and nothing to learn. With windows of 2 x 2 and stride 2, $64 \times 224 \times 224$ becomes
# $64 \times 112 \times 112$; the size is $(H - K)/S + 1$ as before, without padding. An example:
#
# $$\begin{pmatrix} 1 & 1 & 2 & 4 \\ 5 & 6 & 7 & 8 \\ 3 & 2 & 1 & 0 \\ 1 & 2 & 3 & 4 \end{pmatrix}
# \;\longrightarrow\; \begin{pmatrix} 6 & 8 \\ 3 & 4 \end{pmatrix}$$
#
# (Average pooling keeps the mean of each window instead.) Windows may overlap: AlexNet pools 3 x 3 with stride 2.
# Return the cache `(x, pool_h, pool_w, stride)`.


# %% solution="conv-pool_forward"
def max_pool_forward_naive(x, *, pool_h, pool_w, stride):
    """Keep the largest number of each window, channel by channel.

    x : array (N, C, H, W) of numbers;  pool_h, pool_w, stride : int
    Returns (out, cache): out (N, C, H', W'), cache the tuple (x, pool_h, pool_w, stride).
    Raises ValueError where the windows do not fit exactly.
    """
    ### BEGIN SOLUTION
    out_h, out_w = conv_output_shape(x.shape[2:], (pool_h, pool_w), stride=stride)
    out = np.zeros((*x.shape[:2], out_h, out_w), dtype=x.dtype)
    for i in range(out_h):
        for j in range(out_w):
            top, left = i * stride, j * stride
            out[:, :, i, j] = x[:, :, top : top + pool_h, left : left + pool_w].max(axis=(2, 3))
    return out, (x, pool_h, pool_w, stride)
    ### END SOLUTION


# %% tests="conv-pool_forward" points=3
result = check("conv-pool_forward", max_pool_forward_naive)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_pool import examine_maxima

    with report.stage("a window of one, the whole map, far below zero, whole numbers"):
        examine_maxima(subject, report, rng.normal(size=(1, 1, 3, 5)), (1, 1), 1)
        examine_maxima(subject, report, rng.normal(size=(3, 1, 4, 7)), (4, 7), 9)
        examine_maxima(subject, report, rng.normal(size=(2, 4, 7, 5)) - 1e9, (3, 1), 2)
        examine_maxima(subject, report, np.asfortranarray(rng.normal(size=(2, 2, 5, 4)), dtype=np.float32), (1, 4), 4)
        examine_maxima(subject, report, rng.integers(-50, -1, size=(2, 3, 6, 4)), (2, 2), 2)


result = result.also(edge_cases, seed=9103)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Convolution moves along with a thing; pooling makes small moves *not matter*. Below, an image is moved by one pixel.
# How much do the maps change, and how much do the pooled maps change, as a share of their own size?

# %%
if ready("conv-forward", "conv-pool_forward"):
    images = data.test.images[:8].transpose(0, 3, 1, 2) / 255
    edges = [
        np.abs(
            conv_forward_naive(np.roll(images, move, axis=3), hand_made[2:], np.zeros(2), pad=1)[0],
        )
        for move in (0, 1)
    ]
    inner = [maps[:, :, 2:-2, 2:-2] for maps in edges]  # (8, 2, 28, 28), away from the border
    for window in (1, 2, 4, 7, 14):
        before, after = (max_pool_forward_naive(m, pool_h=window, pool_w=window, stride=window)[0] for m in inner)
        share = np.linalg.norm(after - before) / np.linalg.norm(before)
        size = before.shape[2]
        print(f"windows of {window:2d} x {window:2d}: ", end="")
        print(f"maps of {size:2d} x {size:2d} change by {100 * share:3.0f} %")

# %% [markdown]
# ## 10. Max pooling, backward
#
# In each window, only the largest number had a say: the output was equal to it. So it gets the window's whole upstream
# gradient, and all others get 0. Three cases need care:
#
# - windows that **overlap**: a pixel may be the largest of several windows, and then gets the sum;
# - **ties**: in the window $\begin{pmatrix} 4 & 5 \\ 5 & 5 \end{pmatrix}$ three pixels are largest. A map after a ReLU
#   is full of such ties, at 0. If each of them got the full gradient, the gradient would have grown threefold. The
#   rule here: **the first one in row-major order** (left to right, then down) gets all of it, the others nothing;
# - numbers **below zero** are as good a maximum as any.


# %% solution="conv-pool_backward"
def max_pool_backward_naive(dout, cache):
    """Return the gradient of max pooling; in a tie the
    first maximum in row-major order gets all of it.

    dout : float (N, C, H', W'), upstream gradient
    cache : the tuple (x, pool_h, pool_w, stride) of the forward pass
    Returns dx, float, with the shape of x.
    """
    ### BEGIN SOLUTION
    x, pool_h, pool_w, stride = cache
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + pool_h, left : left + pool_w]
        row, column = divmod(int(window.argmax()), pool_w)  # argmax returns the first, in row-major order
        dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx
    ### END SOLUTION


# %% tests="conv-pool_backward" points=4
result = check("conv-pool_backward", max_pool_backward_naive)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_pool import examine_routes

    with report.stage("all equal, after a ReLU, the whole map, gaps, column order"):
        examine_routes(subject, rng, report, np.full((2, 2, 5, 7), -3.5), (3, 3), 2)
        examine_routes(subject, rng, report, np.maximum(0, rng.normal(size=(3, 2, 7, 4)) - 1), (3, 2), 2)
        examine_routes(subject, rng, report, rng.normal(size=(1, 3, 4, 6)), (4, 6), 5)
        examine_routes(subject, rng, report, rng.normal(size=(2, 1, 7, 7)), (1, 1), 3)
        examine_routes(subject, rng, report, np.asfortranarray(rng.integers(0, 2, size=(2, 3, 6, 5))) / 2, (2, 3), 1)


result = result.also(edge_cases, seed=9127)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The same map, on its way forward and back. Right: where a gradient of 1 for every window goes. Windows overlap here,
# so a strong pixel may collect several.

# %%
if ready("conv-forward", "conv-pool_forward", "conv-pool_backward"):
    brightness, _ = conv_forward_naive(
        data.train.images[[1]].transpose(0, 3, 1, 2),
        hand_made[:1],
        np.zeros(1),
    )
    brightness = brightness[:, :, :29, :29]
    pooled, cache = max_pool_forward_naive(brightness, pool_h=3, pool_w=3, stride=2)
    routes = max_pool_backward_naive(np.ones(pooled.shape), cache)
    figure, panels = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
    titles = ["map, 29 x 29", "pooled 3 x 3, stride 2: 14 x 14", "gradients that arrive"]
    for axes, picture, title in zip(panels, (brightness, pooled, routes), titles, strict=True):
        drawn = axes.imshow(picture[0, 0], cmap="gray" if picture is not routes else "viridis")
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    figure.colorbar(drawn, ax=panels[2], shrink=0.8)
    plt.show()

# %% [markdown]
# ## 11. One axis, dilation, groups
#
# A convolution can slide along any number of axes. Along one (sound, text, a heart beat) the input is $(N, C, L)$ and
# a filter $(C, K)$. Along three (video, CT) the input is $C_{in} \times H \times W \times D$ and the filters are
# $C_{out} \times C_{in} \times K \times K \times K$; your `conv_output_shape` already knows the sizes. PyTorch's
# `Conv1d`, `Conv2d` and `Conv3d` have two more settings, easiest to see along one axis:
#
# **Dilation** $d$ spreads the taps: tap $k$ reads the pixel $k d$ further on, so a kernel of $K$ weights spans
# $d (K - 1) + 1$ pixels and sees farther at no cost. With $d = 2$ and the kernel $(1, 10, 100)$, the row
# $(1, 2, 3, 4, 5, 6)$ gives $1 + 30 + 500 = 531$ and $2 + 40 + 600 = 642$. The output's size follows from the span.
#
# **Groups** $G$ cut the channels into $G$ blocks of neighbours, and the filters too: the first $F/G$ filters see the
# first $C/G$ channels only, and so on. So a filter has just $C/G$ channels. With $G = C$ each channel is filtered on
# its own, which is called a *depthwise* convolution.
#
# $$\text{out}[n, f, i] = b[f] + \sum_{c=0}^{C/G-1} \sum_{k=0}^{K-1} w[f, c, k] \;
# \tilde x\!\left[n,\; g_f\, \tfrac{C}{G} + c,\; i S + k d\right], \qquad
# g_f = \text{the block of filter } f.$$


# %% solution="conv-conv1d"
def conv1d_forward(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    """Slide every filter along one axis.

    x : float (N, C, L);  w : float (F, C / groups, K);  b : float (F,)
    stride, pad, dilation, groups : int; pad zeros stand on each side
    Returns out, float (N, F, L').
    Raises ValueError where the windows do not fit exactly, or unless groups divides both C and F.
    """
    ### BEGIN SOLUTION
    num_filters, per_group, taps = w.shape
    if x.shape[1] != groups * per_group or num_filters % groups:
        raise ValueError(f"conv1d_forward: groups must divide C and F, got {groups} for {x.shape[1]} and {num_filters}")
    span = dilation * (taps - 1) + 1
    travel = x.shape[2] + 2 * pad - span
    if travel < 0 or travel % stride:
        raise ValueError(f"conv1d_forward: a span of {span} must fit the row, got {travel} pixels to move over")
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    out = np.zeros((len(x), num_filters, travel // stride + 1))
    for f in range(num_filters):
        block = f // (num_filters // groups) * per_group
        for i in range(out.shape[2]):
            window = framed[:, block : block + per_group, i * stride : i * stride + span : dilation]
            out[:, f, i] = (window * w[f]).sum(axis=(1, 2)) + b[f]
    return out
    ### END SOLUTION


# %% tests="conv-conv1d" points=3
result = check("conv-conv1d", conv1d_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_conv1d import examine_line

    with report.stage("one tap, wide gaps, depthwise with two filters a channel"):
        examine_line(subject, rng, report, channels=2, filters=3, kernel=1, stride=3, dilation=5)
        examine_line(subject, rng, report, channels=1, filters=1, kernel=2, pad=3, dilation=7)
        examine_line(subject, rng, report, channels=3, filters=6, kernel=3, stride=2, pad=1, dilation=3, groups=3)
    with report.stage("531 and 642"):
        row, taps = np.arange(1.0, 7)[None, None], np.array([[[1.0, 10, 100]]])
        found = report.array(subject(row, taps, np.zeros(1), dilation=2), (1, 1, 2))
        report.close(found, [[[531.0, 642.0]]], name="out of the text's example")


result = result.also(edge_cases, seed=9133)
### END HIDDEN TESTS
result.points

# %% [markdown]
# A wave with noise, seen by the same five weights of 1/5, close together and spread out:

# %%
if ready("conv-conv1d"):
    time = np.arange(200)
    wave = np.sin(time / 12) + 0.4 * np.random.default_rng(0).normal(size=200)
    figure, axes = plt.subplots(figsize=(8, 2.4), layout="constrained")
    axes.plot(time, wave, color="#BBBBBB", label="wave and noise")
    for dilation, colour in ((1, "#0072B2"), (6, "#D55E00")):
        smooth = conv1d_forward(
            wave[None, None],
            np.full((1, 1, 5), 0.2),
            np.zeros(1),
            dilation=dilation,
        )[0, 0]
        axes.plot(
            time[2 * dilation : 200 - 2 * dilation],
            smooth,
            color=colour,
            label=f"dilation {dilation}",
        )
    axes.legend(fontsize=8)
    axes.set(xlabel="time", ylabel="value")
    plt.show()

# %% [markdown]
# Five weights average away the same share of the noise wherever they read. Spread over 25 points they flatten the wave
# as well, and as neighbouring outputs have no pixel in common the line is rougher. Dilation buys reach, not smoothness:
# next to the pixels neighbours are worth more, and layers above can afford gaps.
#
# ## 12. A quiz on settings
#
# Networks use a few settings again and again, with 32, 64, 128 or 256 channels. The check looks at the form of your
# answer only; a wrong letter takes back the credit of a right one. With the course's rule that sizes must fit, which
# are true?
#
# - **A** $K = 3$, $P = 1$, $S = 1$ keeps height and width as they are.
# - **B** $K = 5$, $P = 2$, $S = 1$ keeps height and width as they are.
# - **C** $K = 1$, $P = 0$, $S = 1$ keeps height and width as they are, and still mixes the channels.
# - **D** $K = 3$, $P = 1$, $S = 2$ fits an image of 224 x 224 exactly and halves it to 112 x 112.
# - **E** The slide with a 7 x 7 input, $K = 3$, $P = 1$ and an output of 5 x 5 is right.
# - **F** Three 3 x 3 layers of stride 1, one on the other, see as far as one 7 x 7 layer, and between as many channels
#   they have fewer weights.

# %% solution="conv-quiz"
true_settings = ...
### BEGIN SOLUTION
true_settings = {"A", "B", "C", "F"}
### END SOLUTION

# %% tests="conv-quiz" points=0.5
result = check("conv-quiz", true_settings)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by counting the places of windows, and the weights of layers with C channels throughout."""
    answer = report.choices(subject, "ABCDEF")

    def keeps(kernel, pad):
        return all(len(range(-pad, n + pad - kernel + 1)) == n for n in range(8, 40))

    starts = list(range(-1, 224 + 1 - 3 + 1, 2))
    channels = int(rng.integers(2, 300))
    small, large = (count * channels * len(list(np.ndindex(channels, k, k))) for count, k in ((3, 3), (1, 7)))
    sees = len({a + b + c for a in range(3) for b in range(3) for c in range(3)})
    holds = {
        "A": keeps(3, 1),
        "B": keeps(5, 2),
        "C": keeps(1, 0),
        "D": starts[-1] + 3 == 224 + 1,
        "E": len(range(-1, 7 + 1 - 3 + 1)) == 5,
        "F": sees == 7 and small < large,
    }
    true = {letter for letter, fact in holds.items() if fact}
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=9151)
### END HIDDEN TESTS
result.points

# %% [markdown]
# And the numbers of one layer. The lectures' own: 3 x 32 x 32, ten filters of 5 x 5, stride 1, padding 2 give 10 x 32
# x 32 with 760 parameters and 768,000 multiply-adds; $L$ layers of $K \times K$ see $1 + L(K - 1)$ pixels. Yours:

# %%
show_question("conv-q1", student)

# %% solution="conv-q1"
one_layer = {"height": ..., "width": ..., "parameters": ..., "multiply_adds": ..., "reach": ...}
### BEGIN SOLUTION
mine = question("conv-q1", student)
for side in ("height", "width"):
    one_layer[side] = (mine[side] + 2 * mine["pad"] - mine["kernel"]) // mine["stride"] + 1
products = mine["kernel"] ** 2 * mine["channels"] * mine["filters"]
one_layer["parameters"] = products + mine["filters"]
one_layer["multiply_adds"] = products * one_layer["height"] * one_layer["width"]
one_layer["reach"] = 1 + mine["layers"] * (mine["kernel"] - 1)
### END SOLUTION

# %% tests="conv-q1" points=0.5
result = check("conv-q1", one_layer, student=student)
result.points

# %% [markdown]
# ## What you have
#
# | | parameters | output size along an axis | moves with the image? |
# |---|---|---|---|
# | fully connected | one for each pair of numbers | free | no |
# | convolution | $F (C \cdot HH \cdot WW + 1)$ | $(W - K + 2P)/S + 1$ | yes, inside the border |
# | max pooling | none | $(W - K)/S + 1$ | and small moves matter less |
#
# Your loops are right, and slow: one small ConvNet on all training images would take hours. **N10** turns the same sums
# into one matrix product, and trains a ConvNet on them.
