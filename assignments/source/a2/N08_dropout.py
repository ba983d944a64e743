# %% [markdown]
# # N08 · Dropout
#
# A net with 1.5 million weights and 500 images to learn from does not need to understand anything: it can learn the
# images by heart. One of the simplest remedies sounds like sabotage: **in each training step, switch off a random part
# of the units.** No unit can then count on another one being there.
#
# You will write the layer forward and backward, write a *test* that tells a right one from a wrong one although
# everything in it is random, build the layer into a net, and measure what it does, and what it does not.
#
# 15 points · about an hour and a half, of which the computer needs about one minute.

# %% setup="drop-setup"
import numpy as np

from cs231n_lib.carry import carry_forward
from cs231n_lib.check import check, question, ready, show_question

affine_forward, affine_backward, relu_forward, relu_backward, softmax_loss = carry_forward(
    "N04_two_layer_net",
    ["affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss"],
)

# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# The first cell tells whose layers you use: your own of N04 where they pass their checks, otherwise stand-ins with the
# same names.
#
# ## 1. How much can go before you notice?
#
# Below are three images with a part of their pixels switched off. **Guess** before you look: with how many percent of
# the pixels left do you still see what it is?

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
from IPython.display import display

from cs231n_lib.data import load_dataset
from cs231n_lib.gradient_check import numerical_gradient
from cs231n_lib.optim import SGD
from cs231n_lib.solver import Solver
from cs231n_lib.visualize import image_grid

data = load_dataset().subset(train=500, val=1000)
order = np.random.default_rng(0).permutation(1024)  # the order in which the pixels go
pictures, captions = [], []
for image, label in zip(data.train.images[:3], data.train.labels[:3], strict=True):
    for left in (100, 75, 50, 25, 10):
        thinned = image.reshape(1024, 3).copy()
        thinned[order[1024 * left // 100 :]] = 0
        pictures.append(thinned.reshape(32, 32, 3))
        captions.append(data.classes[label] if left == 100 else f"{left} % left")
display(
    image_grid(
        np.array(pictures),
        captions=captions,
        columns=5,
        title="Pixels switched off at random",
    )
)

# %% [markdown]
# Half of the pixels are gone, and you still know, because what an image shows is written in many pixels at once. Two
# things to take along. What you recognise so must rest on *many* clues and not on a few. And the pictures get *darker*:
# with 25 % of the pixels, the mean brightness is a quarter of what it was.
#
# ## 2. The forward pass
#
# Take one number $x$ that a hidden unit hands on. With probability $k$, called `keep`, it stays; otherwise it becomes
# 0. For $x = 10$ and $k = 0.25$:
#
# | | stays | dropped | expected value |
# |---|:---:|:---:|:---:|
# | probability | 0.25 | 0.75 | |
# | plain: $x$ or 0 | 10 | 0 | $0.25 \cdot 10 + 0.75 \cdot 0 = 2.5$ |
# | inverted: $x / k$ or 0 | 40 | 0 | $0.25 \cdot 40 + 0.75 \cdot 0 = 10$ |
#
# With the plain version the next layer gets used to inputs of a quarter of their size, and is flooded as soon as
# nothing is dropped any more. One could multiply by $k$ at test time; but test time is when a net should be fast and
# simple. So we divide in *training*: **inverted dropout**. With a mask $m_i$ that is 1 with probability $k$ and else 0,
#
# $$\text{out}_i = s_i x_i, \quad s_i = \frac{m_i}{k}, \qquad
# E[\text{out}_i] = k \cdot \frac{x_i}{k} + (1 - k) \cdot 0 = x_i .$$
#
# - `x` may have any shape, and $s$ has the same: **each entry has its own draw**.
# - At test time (`train=False`) nothing is dropped and nothing scaled: `out` is `x`, and $s_i = 1$.
# - `keep` is the probability to **keep**. PyTorch's `nn.Dropout(p)` names the probability to **drop**: our `keep=0.8`
#   is its `p=0.2`. Mixing them up raises no error, and at 0.5 nobody can tell.
# - All draws come from a fresh `np.random.default_rng(seed)`: same seed, same mask. `np.random.seed` would reset the
#   generator that the rest of the program shares.


# %% solution="drop-forward"
def dropout_forward(x, *, keep, train, seed):
    """Drop entries of x at random in train mode; return x in test mode.

    x : float array of any shape
    keep : probability in (0, 1] that an entry stays, each entry on its own
    train : bool, whether to drop;  seed : int, decides which entries stay
    Returns (out, cache): out float, of x's shape, each entry 0 or x / keep; x where train is False.
    cache is the array s of x's shape by which x was multiplied:
    0 or 1 / keep, and 1 where train is False.
    """
    ### BEGIN SOLUTION
    if train:
        stays = np.random.default_rng(seed).random(x.shape) < keep
        factors = (stays / keep).astype(x.dtype)  # float32 stays float32
    else:
        factors = np.ones_like(x)
    return x * factors, factors
    ### END SOLUTION


# %% tests="drop-forward" points=4
result = check("drop-forward", dropout_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n08_forward import away_from_zero, forward, train_case

    train_case(subject, rng, report, (30_000,), 0.93, name="one long row")
    train_case(subject, rng, report, (7, 60, 80), 0.08, name="three axes")
    with report.stage("nothing, and one number"):
        forward(subject, report, np.zeros((0, 4)), keep=0.5, train=True, seed=1)
        out = forward(subject, report, away_from_zero(rng, (1, 1)), keep=1.0, train=True, seed=2)
        report.require(bool(out.all()), "with keep = 1 nothing is dropped")


result = result.also(edge_cases, seed=8101)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Look at it. A million tens go in; the mean of what comes out should be 10 for every `keep`, and the share of zeros
# should be $1 - k$. On the right: what leaves the layer, for `keep=0.25`.

# %%
if ready("drop-forward"):
    tens = np.full((1000, 1000), 10.0)
    for keep in (0.25, 0.4, 0.7):
        out, _ = dropout_forward(tens, keep=keep, train=True, seed=0)
        quiet, _ = dropout_forward(tens, keep=keep, train=False, seed=0)
        print(
            f"keep {keep:4}: train mean {out.mean():7.4f}, zeros {100 * np.mean(out == 0):6.3f} %,"
            f"   test mean {quiet.mean():7.4f}, zeros {100 * np.mean(quiet == 0):.0f} %"
        )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    left.imshow(dropout_forward(tens[:20, :40], keep=0.25, train=True, seed=0)[0], cmap="gray")
    left.set(title="20 examples, 40 units: white stays", xlabel="unit", ylabel="example")
    sums = dropout_forward(np.full((5000, 100), 0.1), keep=0.25, train=True, seed=1)[0].sum(axis=1)
    right.hist(sums, bins=40, color="#0072B2")
    right.axvline(10, color="#D55E00")
    right.set(title="sum over 100 units that should be 10", xlabel="sum", ylabel="examples")
    plt.show()

# %% [markdown]
# The mean is right, and each single sum is noisy: that is the price, and, as we shall see, the point.
#
# **Question 1.** Some numbers around that division, your own. Three digits will do. In the table above, with $x = 10$
# and `keep` = 0.25, the variance of the inverted version is $0.25 \cdot 30^2 + 0.75 \cdot 10^2 = 300$.

# %%
show_question("drop-q1", student)

# %% solution="drop-q1"
scaling = {"mean_plain": ..., "mean_divided": ..., "variance_divided": ..., "times_too_large": ...}
### BEGIN SOLUTION
mine = question("drop-q1", student)
stay, value = mine["keep"], mine["x"]
scaling["mean_plain"], scaling["mean_divided"] = stay * value, value
scaling["variance_divided"] = value**2 * (1 / stay - 1)
scaling["times_too_large"] = (1 / stay) ** mine["layers"]
### END SOLUTION

# %% tests="drop-q1" points=1
result = check("drop-q1", scaling, student=student)
result.points

# %% [markdown]
# ## 3. The backward pass
#
# Once the mask is drawn, the layer is the simplest there is: each entry is multiplied by a number that does not depend
# on it. From $\text{out}_i = s_i x_i$ follows
#
# $$dx_i = \frac{\partial L}{\partial \text{out}_i} \cdot \frac{\partial \text{out}_i}{\partial x_i}
# = dout_i \cdot s_i .$$
#
# | $x$ | 10 | 20 | 30 | 40 |
# |---|:---:|:---:|:---:|:---:|
# | $s$, `keep` = 0.5 | 2 | 0 | 0 | 2 |
# | `out` | 20 | 0 | 0 | 80 |
# | `dout` | 3 | 5 | -1 | -4 |
# | `dx` | 6 | 0 | 0 | -8 |
#
# It must be *the same* $s$ as on the way up, factor $1/k$ included, so it travels in the cache. Nothing is drawn here.


# %% solution="drop-backward"
def dropout_backward(dout, cache):
    """Return the gradient of dropout.

    dout : float array of the shape of out;  cache : from `dropout_forward`
    Returns dx, float, of the same shape. dout and cache stay as they are.
    """
    ### BEGIN SOLUTION
    return dout * cache
    ### END SOLUTION


# %% tests="drop-backward" points=3
result = check("drop-backward", dropout_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n08_forward import away_from_zero
    from cs231n_lib.check.n08_backward import backward_case

    backward_case(subject, rng, report, "a long row, few stay", away_from_zero(rng, (200,)), 0.1)
    backward_case(subject, rng, report, "five axes, nearly all stay", away_from_zero(rng, (2, 3, 4, 3, 2)), 0.9)


result = result.also(edge_cases, seed=8311)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Measured slopes need a function that repeats itself. A random layer does, as long as the seed is the same in each
# call. That is why the seed is an argument.

# %%
if ready("drop-forward", "drop-backward"):
    rng = np.random.default_rng(3)
    x, dout = rng.normal(size=(10, 10)), rng.normal(size=(10, 10))
    out, cache = dropout_forward(x, keep=0.4, train=True, seed=7)
    slopes = numerical_gradient(lambda v: dropout_forward(v, keep=0.4, train=True, seed=7)[0], x, dout)
    off = np.abs(dropout_backward(dout, cache) - slopes).max()
    print(f"largest difference to the measured slope {off:.0e}")

# %% [markdown]
# ## 4. How do you test something random?
#
# `out` is different for each right implementation, so there is nothing to compare it with. What you can test is what
# all right ones have in common; and where that is a share or a mean, you must say how far chance may carry it.
#
# Among $n$ entries, each kept with probability $k$, the share that is kept has mean $k$ and **standard error**
# $\sqrt{k (1 - k) / n}$. For $k = 0.5$:
#
# | $n$ | standard error | five standard errors |
# |---|:---:|:---:|
# | 100 | 0.05 | 0.25 |
# | 10,000 | 0.005 | 0.025 |
# | 100,000 | 0.0016 | 0.008 |
#
# A right layer is more than five standard errors off once in two million times. So with $n = 100{,}000$ you can accept
# all right ones *and* refuse one that keeps 3 percentage points too many. With $n = 100$ you cannot do both.
#
# Write such a test. It gets a function with the signature of `dropout_forward`, any function, and says whether it is
# right. These are the ways in which layers were found to be wrong:
#
# 1. an entry that stays is not `x / keep` (up to rounding);
# 2. the share that stays is not `keep`, if only by 3 points;
# 3. test mode does not return `x`;
# 4. two calls with the same seed differ, or two different seeds give the same mask;
# 5. one row of draws is used for all rows of `x`.
#
# Looking at the mean of `out` alone is the classical test, and a weak one: a layer that returns `x` passes it. You may
# call the function up to 500 times.


# %% solution="drop-statistics"
def dropout_looks_right(dropout, *, keep, seed):
    """Say whether `dropout` is a right implementation of inverted dropout.

    dropout : function of (x, *, keep, train, seed) that returns (out,
        cache), as `dropout_forward` does; the cache may be None
    keep : float, strictly between 0 and 1, the value to test with;  seed : int, to start from
    Returns True or False.
    """
    ### BEGIN SOLUTION
    x = np.full((400, 300), 2.0)
    out, _ = dropout(x, keep=keep, train=True, seed=seed)
    again, _ = dropout(x, keep=keep, train=True, seed=seed)
    other, _ = dropout(x, keep=keep, train=True, seed=seed + 1)
    quiet, _ = dropout(x, keep=keep, train=False, seed=seed)

    stays = out != 0
    standard_error = np.sqrt(keep * (1 - keep) / x.size)
    return all(
        (
            np.allclose(out[stays], 2.0 / keep),
            abs(stays.mean() - keep) < 5 * standard_error,
            np.allclose(quiet, x),
            np.array_equal(out, again),
            not np.array_equal(out, other),
            not np.array_equal(stays[0], stays[1]),
        )
    )
    ### END SOLUTION


# %% tests="drop-statistics" points=2
result = check("drop-statistics", dropout_looks_right)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n08_statistics import pass_right, refuse_wrong
    from cs231n_lib.check.n08_suspects import SUBTLE

    with report.stage("more right ones"):
        pass_right(subject, rng, report, times=6)
    refuse_wrong(subject, rng, report, SUBTLE)


result = result.also(edge_cases, seed=8419)
### END HIDDEN TESTS
result.points

# %% [markdown]
# What does your test say of your own layer, and of two that are easily written by mistake?

# %%
if ready("drop-forward", "drop-statistics"):

    def with_p_for_keep(x, *, keep, train, seed):
        """What happens when PyTorch's p is handed on as keep."""
        return dropout_forward(x, keep=1 - keep, train=train, seed=seed)

    def always_training(x, *, keep, train, seed):
        """What happens when nobody tells the net that training is over."""
        return dropout_forward(x, keep=keep, train=True, seed=seed)

    print(f"{'keep':16s}", "0.25 ", "0.5  ", "0.75")
    for function in (dropout_forward, with_p_for_keep, always_training):
        verdicts = [dropout_looks_right(function, keep=keep, seed=1) for keep in (0.25, 0.5, 0.75)]
        print(f"{function.__name__:16s}", *(f"{verdict!s:5s}" for verdict in verdicts))

# %% [markdown]
# Look at the middle column. Testing with `keep=0.5` alone is how that mistake survives.
#
# ## 5. A net with dropout
#
# The layer goes after each ReLU, and nowhere else: the images come in whole, and no score is lost.
#
# ```
# X --> affine 1 --> ReLU --> dropout --> affine 2 --> ReLU --> dropout --> affine 3 --> loss
# ```
#
# On the way down, everything in reverse order, each layer with its own cache.
#
# - With labels it is training: dropout in train mode, and (loss, grads) come back. Without labels it is test time:
#   dropout in test mode, or none at all, and the scores come back alone.
# - `seed` is one number, and the net has several dropout layers. Give **each layer a seed of its own**, derived from
#   `seed`. With one seed for all, layers of the same width would always lose the same units.
# - The layers are handed to you as a dict, `layers["relu_forward"](...)`: the seven functions `affine_forward`,
#   `affine_backward`, `relu_forward`, `relu_backward`, `softmax_loss`, `dropout_forward` and `dropout_backward`. Use
#   these, so that what you write here is graded on its own merits, whatever became of sections 2 and 3.
#
# No regularization term this time. There are as many layers as `params` has weights: one hidden layer, two, or more.


# %% solution="drop-net"
def dropout_net_loss(params, X, y=None, *, layers, keep, seed=0):
    """Return scores, or loss and gradients, of a net with dropout after each ReLU.

    params : {"W1": (D, H1), "b1": (H1,), "W2": (H1, H2), ...}, float arrays;
        the last ones have C columns
    X : float (N, d1, ..., dk) with d1 * ... * dk = D;  y : int (N,) or None
    layers : {name: function}, the seven functions listed above
    keep : probability that a unit stays;  seed : int, decides all masks of this call
    Returns scores (N, C) in test mode if y is None, else
    (loss, grads): a number, and a dict like params.
    """
    ### BEGIN SOLUTION
    last = len(params) // 2
    hidden, caches = X, []
    for i in range(1, last):
        hidden, affine = layers["affine_forward"](hidden, params[f"W{i}"], params[f"b{i}"])
        hidden, relu = layers["relu_forward"](hidden)
        hidden, dropped = layers["dropout_forward"](hidden, keep=keep, train=y is not None, seed=seed + i)
        caches.append((affine, relu, dropped))
    scores, affine = layers["affine_forward"](hidden, params[f"W{last}"], params[f"b{last}"])
    if y is None:
        return scores

    grads = {}
    loss, dscores = layers["softmax_loss"](scores, y)
    dout, grads[f"W{last}"], grads[f"b{last}"] = layers["affine_backward"](dscores, affine)
    for i in range(last - 1, 0, -1):
        affine, relu, dropped = caches[i - 1]
        dout = layers["relu_backward"](layers["dropout_backward"](dout, dropped), relu)
        dout, grads[f"W{i}"], grads[f"b{i}"] = layers["affine_backward"](dout, affine)
    return loss, grads
    ### END SOLUTION


# %% tests="drop-net" points=3
result = check("drop-net", dropout_net_loss)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n08_net import net_case

    net_case(subject, rng, report, (3, 4), [6, 6, 6], 2, name="three hidden layers of one width")
    net_case(subject, rng, report, (2, 3, 2), [9, 5], 4, name="widths that shrink")


result = result.also(edge_cases, seed=8501)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 6. 500 images
#
# Time to see what it does. One hidden layer of 500 units: 3,000 weights for each of the 500 images, so nothing stands
# in the way of learning them by heart. The same net, the same images, the same steps: once with `keep=1`, once with
# `keep=0.25`. After each epoch we look at the training images and at 1,000 validation images, both in test mode.
#
# In each training step the net below draws a *new* seed. If it did not, the same units would be missing forever, and
# that is just a smaller net.
#
# **Guess** three things for `keep=0.25`, compared with `keep=1`: is the training accuracy higher or lower? The
# validation accuracy? And the validation *loss*? (About 30 seconds on one core.)

# %%
layers = {
    function.__name__: function
    for function in (affine_forward, affine_backward, relu_forward, relu_backward, softmax_loss)
} | {"dropout_forward": dropout_forward, "dropout_backward": dropout_backward}


class DropoutNet:
    """A net for the Solver around `dropout_net_loss`. dims : [D, H1, ..., C]."""

    def __init__(self, dims, *, keep, seed=0):
        self.keep, self.rng = keep, np.random.default_rng(seed)
        self.params = {}
        for i, (inputs, outputs) in enumerate(pairwise(dims), start=1):
            weights = self.rng.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs)
            self.params |= {
                f"W{i}": weights.astype(np.float32),
                f"b{i}": np.zeros(outputs, dtype=np.float32),
            }

    def loss(self, X, y=None):
        new_seed = int(self.rng.integers(2**31))
        return dropout_net_loss(self.params, X, y, layers=layers, keep=self.keep, seed=new_seed)


X_train, y_train = data.train.rows(), data.train.labels.copy()  # float32 (500, 3072), int64 (500,)
X_val, y_val = data.val.rows(), data.val.labels.copy()
mean = X_train.mean(axis=0)  # of the training images alone
spread = (X_train - mean).std()
X_train, X_val = (X_train - mean) / spread, (X_val - mean) / spread

if ready("drop-forward", "drop-backward", "drop-net"):
    curves, histories = {}, {}
    for keep in (1.0, 0.25):
        net = DropoutNet([3072, 500, 10], keep=keep)
        solver = Solver(
            net,
            (X_train, y_train),
            (X_val, y_val),
            optimizer=SGD(learning_rate=0.02),
            rng=np.random.default_rng(0),
        )
        losses = []

        def look(event, net=net, losses=losses):
            """Note the loss of training and validation images, nothing dropped."""
            pairs = ((X_train, y_train), (X_val, y_val))
            losses.append([float(softmax_loss(net.loss(X), y)[0]) for X, y in pairs])

        histories[keep] = solver.train(num_epochs=25, batch_size=50, on_epoch=look)
        curves[keep] = np.array(losses)  # (epochs, 2)

# %%
if ready("drop-forward", "drop-backward", "drop-net"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for keep, ink in ((1.0, "#D55E00"), (0.25, "#0072B2")):
        history, epochs = histories[keep], np.arange(1, len(curves[keep]) + 1)
        left.plot(epochs, curves[keep][:, 0], "--", color=ink, label=f"keep {keep}: training")
        left.plot(epochs, curves[keep][:, 1], color=ink, label=f"keep {keep}: validation")
        right.plot(epochs, 100 * np.array(history.train_accuracy[1:]), "--", color=ink)
        right.plot(epochs, 100 * np.array(history.val_accuracy[1:]), color=ink)
        print(
            f"keep {keep:4}: training {100 * history.train_accuracy[-1]:5.1f} %, "
            f"validation {100 * np.mean(history.val_accuracy[-5:]):.1f} %; "
            f"validation loss at best {curves[keep][:, 1].min():.2f}, "
            f"at the end {curves[keep][-1, 1]:.2f}"
        )
    left.set(xlabel="epoch", ylabel="loss (nats)", title="Loss, nothing dropped")
    right.set(xlabel="epoch", ylabel="accuracy (%)", title="Accuracy, nothing dropped")
    left.legend(fontsize=8)
    plt.show()
    print("validation accuracies: mean of the last five epochs, standard error about 1.5 points")
    print(f"log 10 = {np.log(10):.2f}: the loss of knowing nothing")

# %% [markdown]
# Read the dashed lines first: with dropout the net is *slower* to know its training images by heart. Then the solid
# ones. One draw of 500 images proves little, so we ran this on four draws (500 to train, 1,000 to validate) and took
# the means:
#
# | | validation accuracy, `keep` 1 | `keep` 0.25 | validation loss at the end, `keep` 1 | `keep` 0.25 |
# |---|:---:|:---:|:---:|:---:|
# | CIFAR-10 | 32.2 % | 31.5 % | 2.33 | 2.37 |
# | the drawn shapes | 29.9 % | 31.4 % | 2.28 | 2.19 |
#
# On the shapes dropout won 1.5 points (standard error 0.7) and a clearly lower loss. On photographs it won nothing: 0.6
# points less (standard error 0.2), and no better loss. And in the end the nets with dropout knew 97 % of their
# photographs by heart all the same. Dropout makes learning by heart harder; it does not forbid it, and it does not turn
# 500 images into 50,000.
#
# Two ways to see what it is good for. **Noise**: a weight that relies on one unit pays for it each time the unit is
# missing, so it is cheaper to spread over many. **Many nets in one**: 500 units have $2^{500}$ masks. Each step trains
# one of these thinned nets, all of them share their weights, and test mode is an estimate of their average.
#
# **Question 2.** Which are true? Where dropout is mentioned, it is inverted dropout as you wrote it.
#
# - **A** With the same mask, dropout before a ReLU and dropout after it give the same output.
# - **B** For every net, the scores in test mode are exactly the average of its train-mode scores over all masks, each
#   mask weighted by its probability.
# - **C** A linear model $\hat y = \sum_i w_i x_i$ is trained on squared error with dropout on its inputs $x_i$. On
#   average over the masks, its error is the error without dropout plus $\frac{1 - k}{k} \sum_i w_i^2 x_i^2$: a
#   penalty on large weights.
# - **D** Whatever the data, a smaller `keep` gives a smaller error on validation data.
# - **E** With the same weights and the same batch, the loss in train mode can be higher than the loss in test mode.
# - **F** PyTorch's `nn.Dropout(0.25)` keeps each entry with probability 0.25.
#
# Answer with a set of letters, such as `{"A", "F"}`. A wrong letter takes back the credit of a right one.

# %% solution="drop-q2"
true_of_dropout = ...
### BEGIN SOLUTION
true_of_dropout = {"A", "C", "E"}
### END SOLUTION

# %% tests="drop-q2" points=2
result = check("drop-q2", true_of_dropout)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by adding up over all masks of small nets. F is the definition of PyTorch's p: it is zeroed."""
    answer, true = report.choices(subject, "ABCDEF"), set("ABCDE")

    def bend(v):
        return np.maximum(v, 0)

    for _ in range(10):
        keep = rng.uniform(0.2, 0.8)
        masks = np.indices((2,) * 4).reshape(4, -1).T  # (16, 4)
        odds = np.prod(np.where(masks > 0, keep, 1 - keep), axis=1)  # (16,)
        x, target = rng.normal(size=4), rng.normal()
        w, upper = rng.normal(size=4), rng.normal(size=(4, 3))
        if not np.allclose(bend(x * masks / keep), bend(x) * masks / keep):
            true.discard("A")
        if not np.allclose(odds @ bend((x * masks / keep) @ upper), bend(x @ upper)):
            true.discard("B")
        noisy, quiet = odds @ ((x * masks / keep) @ w - target) ** 2, (x @ w - target) ** 2
        if not np.isclose(noisy, quiet + (1 - keep) / keep * ((w * x) ** 2).sum()):
            true.discard("C")
        if not noisy > quiet:
            true.discard("E")
    rows, fresh, slopes = rng.normal(size=(300, 4)), rng.normal(size=(300, 4)), np.array([1.0, -2.0, 3.0, 1.0])

    def validation_error(keep):
        penalty = (1 - keep) / keep * np.diag((rows**2).sum(axis=0))  # the w of the least error of C
        found = np.linalg.solve(rows.T @ rows + penalty, rows.T @ (rows @ slopes))
        return ((fresh @ (found - slopes)) ** 2).mean()

    if validation_error(0.05) > validation_error(0.95):
        true.discard("D")
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=8609)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## What you have
#
# | | train mode | test mode |
# |---|---|---|
# | forward | $x_i / k$ with probability $k$, else 0 | $x$ |
# | backward | the same factors, from the cache | `dout` |
# | randomness | a new seed for each step and each layer | none |
#
# And a way to test random code: test what all right answers share, count enough, and let chance have its five standard
# errors. Dropout is at home in wide fully connected layers with little data. In convolutional nets batch normalization
# and more images, flipped and shifted ones, do most of its work. **N09** builds those.
