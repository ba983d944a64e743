# %% [markdown]
# # N07 · Batch and layer normalization
#
# A deep net is a chain of multiplications, and chains of multiplications end at nothing or at infinity unless
# somebody watches the scale. You can choose the first weights with great care. Or you can put a layer into the net
# that **measures its numbers and sets their scale**, at every step of the training. That layer is today's subject.
#
# You will write it forward and backward, simplify its gradient from a walk of six steps to one expression, put it into
# a deep net, and find out what it buys and what it costs. Then you write its sibling, layer norm, the one inside
# today's language models.
#
# 35 points · about three hours, of which the computer needs about two minutes.

# %% setup="norm-setup"
import numpy as np

from cs231n_lib.carry import carry_forward
from cs231n_lib.check import check, question, ready, show_question

affine_forward, affine_backward, relu_forward, relu_backward, softmax_loss = carry_forward(
    "N04_two_layer_net",
    ["affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss"],
)


def initial_params(sizes, *, weight_scale, rng):
    """Return the first parameters of a net, float64:
    W1 (D, H1), b1 (H1,), gamma1 (H1,), beta1 (H1,), W2, b2, ...

    sizes : numbers per image, units of each hidden layer, classes
    weight_scale : standard deviation of the weights
    """
    params = {}
    for i in range(1, len(sizes)):
        fan_in, width = sizes[i - 1], sizes[i]
        params[f"W{i}"], params[f"b{i}"] = (
            weight_scale * rng.normal(size=(fan_in, width)),
            np.zeros(width),
        )
        if i < len(sizes) - 1:  # a hidden layer
            params[f"gamma{i}"], params[f"beta{i}"] = np.ones(width), np.zeros(width)
    return params


# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# ## 1. A signal that has to survive eight layers
#
# Take 500 images, small ones to be quick: 16 x 16 pixels, $D = 768$ numbers each. Send them through eight layers of
# 100 units, each a matrix product and a ReLU, with random weights. How large are the numbers after each layer? It
# depends on the standard deviation of the weights, their **scale**. Three scales, all of them reasonable at a glance:
# 0.05, 0.14 and 0.4.
#
# **Guess:** after eight layers, by what factor do the outcomes of the smallest and the largest scale differ?

# %%
import time

import matplotlib.pyplot as plt
from tqdm.auto import tqdm

from cs231n_lib.data import load_dataset
from cs231n_lib.gradient_check import numerical_gradient
from cs231n_lib.optim import SGD
from cs231n_lib.solver import Solver
from cs231n_lib.visualize import OKABE_ITO

data = load_dataset().subset(train=1000, val=1000)


def small_rows(images):
    """Return each 32 x 32 image averaged to 16 x 16 and
    flattened, float64 (N, 768), roughly between -1 and 1.
    """
    blocks = images.reshape(-1, 16, 2, 16, 2, 3).mean(
        axis=(2, 4),
    )  # uint8 (N, 32, 32, 3) -> (N, 16, 16, 3)
    return (blocks / 128 - 1).reshape(len(images), -1)


X_train, y_train = small_rows(data.train.images), data.train.labels
X_val, y_val = small_rows(data.val.images), data.val.labels
SCALES = (0.05, 0.14, 0.4)
DEPTH, WIDTH = 8, 100

rng = np.random.default_rng(0)
figure, panels = plt.subplots(3, DEPTH, figsize=(11, 4.4), sharey="row", layout="constrained")
for row, scale in zip(panels, SCALES, strict=True):
    h = X_train[:500]
    for i, panel in enumerate(row, start=1):
        h = np.maximum(h @ (scale * rng.normal(size=(h.shape[1], WIDTH))), 0)
        panel.hist(h[h > 0], bins=30, color=OKABE_ITO[0])
        panel.set_title(f"layer {i}\nspread {h.std():.2g}", fontsize=9)
        panel.tick_params(labelsize=7)
        panel.set_yticks([])
    row[0].set_ylabel(f"scale {scale}", fontsize=11)
figure.suptitle("What comes out of each ReLU (zeros left out). Mind the numbers under the axes.")
plt.show()

# %% [markdown]
# The shapes look alike; the *numbers* do not. One scale fades out, one explodes, and one, found with care, holds
# (0.14 is $\sqrt{2/100}$: with 100 inputs and a ReLU, each layer then keeps the mean square). What fades on the way
# forward fades again on the way back, and a gradient of almost 0 teaches nothing.
#
# And the weights move during training. Who looks after the scale then?
#
# ## 2. Batch norm, forward
#
# Look at one unit and at what it says about the four images of a batch: 1, 3, 5, 7. Their mean is 4. Subtract it:
# -3, -1, 1, 3. The mean of the squares of these, the **variance**, is $(9 + 1 + 1 + 9)/4 = 5$. Divide by its root:
#
# | | image 1 | image 2 | image 3 | image 4 |
# |---|:---:|:---:|:---:|:---:|
# | $x$ | 1 | 3 | 5 | 7 |
# | $x - \mu$ | -3 | -1 | 1 | 3 |
# | $\hat x = (x - \mu)/\sqrt{5}$ | -1.34 | -0.45 | 0.45 | 1.34 |
# | $2 \hat x + 10$ | 7.32 | 9.11 | 10.89 | 12.68 |
#
# The third row has mean 0 and variance 1, whatever the unit said before. That may be too strict: perhaps the net does
# better with another scale for this unit. The last row gives the choice back, with two numbers *that are learned*: a
# factor $\gamma$ (here 2) and a shift $\beta$ (here 10).
#
# In symbols, for a batch $x$ of shape $(N, D)$, every column $d$ by itself:
#
# $$\mu_d = \frac1N \sum_n x_{nd}, \qquad v_d = \frac1N \sum_n (x_{nd} - \mu_d)^2, \qquad
# \hat x_{nd} = \frac{x_{nd} - \mu_d}{\sqrt{v_d + \varepsilon}}, \qquad y_{nd} = \gamma_d \, \hat x_{nd} + \beta_d.$$
#
# The small $\varepsilon$ under the root guards a column in which all images say the same: $0/\sqrt{0 + \varepsilon}$ is
# 0, while $0/0$ is `nan`.

# %%
x = np.array([1.0, 3.0, 5.0, 7.0])
x_hat = (x - 4) / 5**0.5
print(
    "x_hat          ",
    x_hat.round(2),
    "  mean",
    x_hat.mean().round(6),
    "  variance",
    x_hat.var().round(6),
)
print("2 * x_hat + 10 ", (2 * x_hat + 10).round(2))

# %% [markdown]
# **When testing**, there may be no batch: somebody sends one photograph. And even with a batch, a photograph's label
# should not hang on what else is in it. So during training the layer keeps a **running mean** and a **running
# variance**, a memory of the batches that fades: with momentum $m = 0.9$,
#
# $$r_\mu \leftarrow m \, r_\mu + (1 - m) \, \mu, \qquad r_v \leftarrow m \, r_v + (1 - m) \, v,$$
#
# where $r_\mu$ is `running_mean` and $r_v$ is `running_var`. In test mode it normalizes by these two in place of $\mu$
# and $v$, and does not change them.
#
# Your function hides nothing: the running statistics come in as arguments, and the new ones go out as results. The
# **cache** is what the backward pass will need. Keep exactly these five, in this order: `(x, gamma, mean, var, eps)`.
# The backward pass is then checked on its own, whether or not your forward pass works.
#
# *Coming from PyTorch?* Two things differ there. Its `momentum` is the share of the *new* batch, so its 0.1 is our 0.9.
# And its `running_var` takes in the variance divided by $N - 1$, while it normalizes by the one divided by $N$. We
# divide by $N$ both times. N11 compares the two to ten digits and has to take this into account.


# %% solution="norm-batchnorm_forward"
def batchnorm_forward(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    """Return the output of batch norm, a cache for the backward pass, and the running statistics.

    x : float (N, D)
    gamma, beta : float (D,)
    running_mean, running_var : float (D,), left as they are
    train : bool; True normalizes by this batch and returns updated running statistics, False
        normalizes by the running statistics and returns them unchanged
    Returns (out, cache, running_mean, running_var): out float (N, D);
    cache (x, gamma, mean, var, eps), with the mean and var (D,) that were used;
    the last two float (D,).
    """
    ### BEGIN SOLUTION
    if train:
        mean, var = x.mean(axis=0), x.var(axis=0)  # (D,), (D,)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, D)
    return gamma * x_hat + beta, (x, gamma, mean, var, eps), running_mean, running_var
    ### END SOLUTION


# %% tests="norm-batchnorm_forward" points=7
result = check("norm-batchnorm_forward", batchnorm_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from dataclasses import replace

    from cs231n_lib.check.n07_batchnorm import random_batch, require_running, run

    with report.stage("a batch of one, a single feature, momentum 0 and 1"):
        for rows, features, momentum in ((1, 5, 0.9), (6, 1, 0.0), (3, 4, 1.0)):
            batch = replace(random_batch(rng, rows, features), momentum=momentum)
            out, _, kept = run(subject, batch, report, train=True)
            report.close(out, batch.out(), name="out")
            require_running(kept, batch, report)
    with report.stage("ten batches, one after the other"):
        mean, var = np.zeros(3), np.ones(3)
        for _ in range(10):
            batch = replace(random_batch(rng, 5, 3), running_mean=mean, running_var=var, momentum=0.9)
            _, _, kept = run(subject, batch, report, train=True)
            require_running(kept, batch, report)
            mean, var = kept
    with report.stage("test mode in between changes nothing"):
        first, second = random_batch(rng, 4, 3), random_batch(rng, 6, 3)
        before = run(subject, first, report, train=True)[0]
        run(subject, second, report, train=False)
        report.close(run(subject, first, report, train=True)[0], before, name="out")


result = result.also(edge_cases, seed=7019)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### See it at work
#
# The same eight layers and the same three scales as above, now with your layer before each ReLU. **Guess** what the
# three rows look like.

# %%
if ready("norm-batchnorm_forward"):
    rng = np.random.default_rng(0)
    figure, panels = plt.subplots(3, DEPTH, figsize=(11, 4.4), sharey="row", layout="constrained")
    for row, scale in zip(panels, SCALES, strict=True):
        h = X_train[:500]
        for i, panel in enumerate(row, start=1):
            a = h @ (scale * rng.normal(size=(h.shape[1], WIDTH)))
            normed, *_ = batchnorm_forward(
                a, np.ones(WIDTH), np.zeros(WIDTH), np.zeros(WIDTH), np.ones(WIDTH), train=True
            )
            h = np.maximum(normed, 0)
            panel.hist(h[h > 0], bins=30, range=(0, 4), color=OKABE_ITO[2])
            panel.set_title(f"layer {i}\nspread {h.std():.2g}", fontsize=9)
            panel.tick_params(labelsize=7)
            panel.set_yticks([])
        row[0].set_ylabel(f"scale {scale}", fontsize=11)
    figure.suptitle("The same, with batch norm before each ReLU")
    plt.show()

# %% [markdown]
# Three equal rows: the scale of the weights has left no trace. And the memory? Below, a unit whose true mean is 3 and
# whose true variance is 4 is seen in batches of 20. **Guess:** after how many batches is the running mean, which
# started at 0, within a tenth of the truth?

# %%
if ready("norm-batchnorm_forward"):
    rng, mean, var, trace = np.random.default_rng(1), np.zeros(1), np.ones(1), []
    for _ in range(80):
        batch = 3 + 2 * rng.normal(size=(20, 1))
        _, _, mean, var = batchnorm_forward(batch, np.ones(1), np.zeros(1), mean, var, train=True)
        trace.append((batch.mean(), mean[0], var[0]))
    batch_means, running_means, running_vars = np.array(trace).T
    figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
    axes.plot(batch_means, ".", color=OKABE_ITO[5], label="mean of each batch")
    axes.plot(running_means, color=OKABE_ITO[0], label="running mean (truth 3)")
    axes.plot(running_vars, color=OKABE_ITO[3], label="running variance (truth 4)")
    axes.plot(3 * (1 - 0.9 ** np.arange(1, 81)), "--", color=OKABE_ITO[6], label="3 (1 - 0.9^t)")
    axes.set(
        xlabel="batches seen",
        title="A memory that fades: nine tenths of the old, one tenth of the new",
    )
    axes.legend(fontsize=9)
    plt.show()

# %% [markdown]
# After $t$ batches a share $0.9^t$ of the start is left: a third after ten batches, 4 % after thirty. The running
# mean also wobbles far less than the batches do. Swap $m$ and $1 - m$ by mistake and it would follow every batch.
#
# **Question: four numbers.** Batch norm by hand, once. For the batch 1, 3, 5, 7 the mean is 4 and the variance $(9 +
# 1 + 1 + 9)/4 = 5$, so with $\gamma = 2$ and $\beta = 1$ the first output is $2 \cdot (1 - 4)/\sqrt{5} + 1 = -1.68$.
# With momentum 0.9, a running mean of 0 becomes 0.4 and a running variance of 1 becomes 1.4. Now with numbers of your
# own.

# %%
show_question("norm-q5", student)

# %% solution="norm-q5"
four_numbers = {"first_out": ..., "running_mean": ..., "running_var": ...}
### BEGIN SOLUTION
mine = question("norm-q5", student)
four, old_share = np.array(mine["batch"], dtype=float), mine["momentum"]
centred = four - four.mean()
spread = np.mean(centred**2)
four_numbers["first_out"] = centred[0] / np.sqrt(spread) * mine["gamma"] + mine["beta"]
four_numbers["running_mean"] = four.mean() * (1 - old_share)
four_numbers["running_var"] = spread * (1 - old_share) + old_share
### END SOLUTION

# %% tests="norm-q5" points=1
result = check("norm-q5", four_numbers, student=student)
result.points

# %% [markdown]
# Both directions at once: eight layers whose first weights have a standard deviation of 0.01, and your batch norm asked
# in each. **Guess before you switch it on:** the activations will be even again; will the gradients, too?

# %%
from cs231n_lib import widgets
from IPython.display import display

if ready("norm-batchnorm_forward"):
    display(widgets.health_check(batchnorm_forward, state={"weights": "std 0.01"}))

# %% [markdown]
# ## 3. Batch norm, backward
#
# You are given $\partial L/\partial y$, called `dout`, of shape $(N, D)$, and you want $\partial L/\partial x$. The
# difficulty: one entry of $x$ acts on the output in **three ways**. It is in the numerator; it is in the mean that is
# subtracted from *every* row; it is in the variance that *every* row is divided by.
#
# **See the three ways.** The unit of section 2 again, $x = (1, 3, 5, 7)$, and a `dout` that only cares about the first
# image: $(1, 0, 0, 0)$. The slopes below are measured, by moving each $x$ a little; for each path the other two are
# held still. **Guess first:** moving $x_4$, which image 1 has nothing to do with, changes the first output. In which
# direction?

# %%
x, dout = np.array([1.0, 3.0, 5.0, 7.0]), np.array([1.0, 0.0, 0.0, 0.0])
paths = {
    "numerator": numerical_gradient(lambda moved: (moved - 4) / 5**0.5, x, dout),
    "mean": numerical_gradient(lambda moved: (x - moved.mean()) / 5**0.5, x, dout),
    "variance": numerical_gradient(lambda moved: (x - 4) / moved.var() ** 0.5, x, dout),
}
paths["all three"] = sum(paths.values())
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for i, (name, slopes) in enumerate(paths.items()):
    axes.bar(
        np.arange(4) + 0.2 * (i - 1.5),
        slopes,
        width=0.18,
        color=OKABE_ITO[(0, 1, 3, 6)[i]],
        label=name,
    )
    print(f"{name:10s}", slopes.round(3), "  sum", abs(slopes.sum()).round(3))
axes.axhline(0, color=OKABE_ITO[6], linewidth=0.8)
axes.set_xticks(range(4), [f"$x_{i}$ = {v:g}" for i, v in enumerate(x, start=1)])
axes.set_title("How the first output changes with each x: by which path")
axes.legend(fontsize=9, loc="upper center", ncols=2)  # where no bar is
plt.show()

# %% [markdown]
# The black bars add up to 0: shift all four by the same and no output changes. That is a fact to test code by.
#
# ### Step by step
#
# Cut the layer into steps so small that each has an obvious slope, and walk back. Going forward:
#
# | step | | shape |
# |---|---|:---:|
# | 1 | $\mu = \frac1N \sum_n x_n$ | $(D,)$ |
# | 2 | $c = x - \mu$ | $(N, D)$ |
# | 3 | $v = \frac1N \sum_n c_n^2$ | $(D,)$ |
# | 4 | $s = \sqrt{v + \varepsilon}$ | $(D,)$ |
# | 5 | $\hat x = c / s$ | $(N, D)$ |
# | 6 | $y = \gamma \, \hat x + \beta$ | $(N, D)$ |
#
# Going back, $\bar z$ stands for $\partial L/\partial z$ and always has the shape of $z$. One rule does most of the
# work: **what was broadcast over the rows on the way forward is summed over the rows on the way back**, since each row
# used it. And its mirror: what was summed passes its gradient on to every row.
#
# - **Step 6.** $\beta$ is added to every row, $\gamma$ multiplies every row:
#   $\;\bar\beta = \sum_n \bar y_n, \quad \bar\gamma = \sum_n \bar y_n \hat x_n$, both $(D,)$, and
#   $\bar{\hat x} = \gamma \, \bar y$, $(N, D)$.
# - **Step 5.** $\hat x$ has two inputs. By $c$: $\bar c = \bar{\hat x} / s$, the first of two contributions, $(N, D)$.
#   By $s$, which divided every row: $\bar s = -\sum_n \bar{\hat x}_n \, c_n / s^2$, $(D,)$.
# - **Step 4.** The slope of a root is one over twice the root: $\bar v = \bar s / (2 s)$, $(D,)$.
# - **Step 3.** $v$ is a mean of squares, so every row gets $\frac1N$ of the slope of its square: add
#   $\bar v \cdot 2 c / N$ to $\bar c$, $(N, D)$. Now $\bar c$ is complete: **this was the path through the variance.**
# - **Step 2.** $c = x - \mu$: $x$ gets $\bar c$ as it is; $\mu$, subtracted from every row, gets
#   $\bar\mu = -\sum_n \bar c_n$, $(D,)$.
# - **Step 1.** $\mu$ is a mean: every row gets $\bar\mu / N$. **This was the path through the mean**, and
#   $\bar x = \bar c + \bar\mu / N$.
#
# Two slips pass many a test. Leave step 1 out, and all is well *if* `dout` happens to have mean 0 in every column. Take
# a batch of *two* rows, and with $\varepsilon = 0$ the right $\bar x$ is 0, whatever `dout` is. (Why? What is $\hat x$
# for two rows?) The check uses neither.


# %% solution="norm-batchnorm_backward"
def batchnorm_backward(dout, cache):
    """Return the gradients of batch norm in training mode, step by step through its graph.

    dout : float (N, D), the upstream gradient
    cache : (x, gamma, mean, var, eps) of `batchnorm_forward`
    Returns (dx, dgamma, dbeta): float (N, D), (D,), (D,).
    """
    ### BEGIN SOLUTION
    x, gamma, mean, var, eps = cache
    centred, std = x - mean, np.sqrt(var + eps)  # (N, D), (D,)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * centred / std).sum(axis=0)
    dx_hat = dout * gamma  # (N, D)
    dstd = -(dx_hat * centred).sum(axis=0) / std**2  # (D,)
    dvar = dstd / (2 * std)
    dcentred = dx_hat / std + dvar * 2 * centred / len(x)  # (N, D)
    dmean = -dcentred.sum(axis=0)  # (D,)
    dx = dcentred + dmean / len(x)
    return dx, dgamma, dbeta
    ### END SOLUTION


# %% tests="norm-batchnorm_backward" points=7
result = check("norm-batchnorm_backward", batchnorm_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n07_batchnorm_backward import judge_gradients

    for n, d in ((1, 4), (2, 5), (7, 1)):
        x, gamma, dout = rng.normal(3.0, 2.0, size=(n, d)), rng.normal(size=d), rng.normal(1.0, 1.0, size=(n, d))
        judge_gradients(subject, x, gamma, dout, report, axis=0, name=f"{n} rows, {d} features", eps=0.2)
    dout = np.zeros((5, 3))
    dout[2, 1] = 1.0
    judge_gradients(subject, rng.normal(size=(5, 3)), np.ones(3), dout, report, axis=0, name="one entry", eps=1e-5)


result = result.also(edge_cases, seed=7103)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Simplified
#
# Now put the steps together on paper. Insert $\bar s$ and $\bar v$ into $\bar c$ and use $c = s \, \hat x$:
#
# $$\bar c_n = \frac{\bar{\hat x}_n}{s} - \frac{\hat x_n}{N s} \sum_k \bar{\hat x}_k \hat x_k.$$
#
# Sum over $n$ to get $\bar\mu$. The second term drops out, because $\sum_n \hat x_n = 0$: so
# $\bar\mu = -\frac1s \sum_n \bar{\hat x}_n$. Then
#
# $$\bar x_n = \frac1s \Big( \bar{\hat x}_n - \frac1N \sum_k \bar{\hat x}_k - \hat x_n \cdot \frac1N \sum_k
# \bar{\hat x}_k \hat x_k \Big).$$
#
# Read it: *take the gradient, subtract its mean, and subtract the part of it that points along $\hat x$.* What would
# shift the whole column, or stretch it, has no effect behind this layer, and so it is removed from the gradient.
#
# One more step is yours: $\gamma_d$ is the same number for all rows of a column, so it can be pulled out of the sums.
# What then stands in the two sums? You have computed both already. Write $\bar x$ as **one expression** in `dout`,
# $\hat x$, and the two vectors that you return anyway.


# %% solution="norm-batchnorm_backward_alt"
def batchnorm_backward_alt(dout, cache):
    """Return the gradients of batch norm in training mode by
    the simplified formula. Same arguments and results.
    """
    ### BEGIN SOLUTION
    x, gamma, mean, var, eps = cache
    inv_std = 1 / np.sqrt(var + eps)  # (D,)
    x_hat = (x - mean) * inv_std
    dgamma, dbeta = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
    dx = gamma * inv_std * (dout - (dbeta + x_hat * dgamma) / len(x))
    return dx, dgamma, dbeta
    ### END SOLUTION


# %% tests="norm-batchnorm_backward_alt" points=5
result = check("norm-batchnorm_backward_alt", batchnorm_backward_alt)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n07_batchnorm_backward import judge_gradients

    for n, d in ((1, 3), (2, 6), (9, 1)):
        x, gamma, dout = rng.normal(-2.0, 3.0, size=(n, d)), rng.normal(size=d), rng.normal(2.0, 1.0, size=(n, d))
        judge_gradients(subject, x, gamma, dout, report, axis=0, name=f"{n} rows, {d} features", eps=0.1)
    column = np.ones((6, 2)) * [0.0, 5.0]
    judge_gradients(subject, column, np.ones(2), rng.normal(size=(6, 2)), report, axis=0, name="constant", eps=0.5)


result = result.also(edge_cases, seed=7207)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Same numbers, less work. How much less? **Guess**, then run (under a second).

# %%
if ready("norm-batchnorm_backward", "norm-batchnorm_backward_alt"):
    rng = np.random.default_rng(2)
    big, dout = rng.normal(size=(2000, 500)), rng.normal(size=(2000, 500))
    big_cache = (big, np.ones(500), big.mean(axis=0), big.var(axis=0), 1e-5)
    for function in (batchnorm_backward, batchnorm_backward_alt):
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            function(dout, big_cache)
            seconds.append(time.perf_counter() - start)
        print(f"{function.__name__:24s} {1000 * min(seconds):6.1f} ms for 2000 x 500")
    gap = abs(batchnorm_backward(dout, big_cache)[0] - batchnorm_backward_alt(dout, big_cache)[0]).max()
    print(f"largest difference of the two dx: {gap:.1e}")

# %% [markdown]
# ## 4. Into a net
#
# Each hidden layer now reads **affine, norm, ReLU**, and a last affine layer makes the scores. The affine and ReLU
# layers and the loss come from your N04 (or, if something there is not finished, stand-ins with the same behaviour;
# the first cell of this notebook says which).
#
# - `loss(X, y)` is training: it returns the loss and a gradient for *every* parameter, `gamma1` and `beta1` included,
#   and keeps the new running statistics in `self.state`.
# - `loss(X)` is testing: it returns the scores, and the state stays as it is.
#
# The norm comes in as two functions. So the same net runs with batch norm, with none, or, later, with layer norm. It
# also means that your net is checked with a norm of the check's own: what you wrote above cannot spoil it.


# %% solution="norm-NormalizedNet"
class NormalizedNet:
    """A net of hidden layers affine - norm - ReLU, and a last affine layer; softmax loss.

    params : {"W1": (D, H1), "b1": (H1,), "gamma1": (H1,), "beta1": (H1,), "W2": (H1, H2), ...},
        with W and b alone for the last layer, number `num_layers`
    state : {"mean1": (H1,), "var1": (H1,), "mean2": ...},
        the running statistics of each hidden layer
    norm_forward, norm_backward : functions with the arguments
        and results of batchnorm_forward and batchnorm_backward
    """

    def __init__(self, params, *, norm_forward, norm_backward):
        self.params = dict(params)
        self.norm_forward, self.norm_backward = norm_forward, norm_backward
        self.num_layers = sum(name.startswith("W") for name in params)
        self.state = {}
        for i in range(1, self.num_layers):
            self.state[f"mean{i}"] = np.zeros_like(params[f"beta{i}"])
            self.state[f"var{i}"] = np.ones_like(params[f"beta{i}"])

    def loss(self, X, y=None):
        """Return scores (N, C) in test mode if y is None; otherwise (loss, grads) in training mode.

        X : float (N, D);  y : int (N,)
        loss : float, mean cross-entropy, no regularization
        grads : {name: gradient} with the keys of params
        """
        ### BEGIN SOLUTION
        p, last, train, h, caches = self.params, self.num_layers, y is not None, X, []
        for i in range(1, last):
            h, affine_cache = affine_forward(h, p[f"W{i}"], p[f"b{i}"])
            h, norm_cache, mean, var = self.norm_forward(
                h, p[f"gamma{i}"], p[f"beta{i}"], self.state[f"mean{i}"], self.state[f"var{i}"], train=train
            )
            if train:
                self.state[f"mean{i}"], self.state[f"var{i}"] = mean, var
            h, relu_cache = relu_forward(h)
            caches.append((affine_cache, norm_cache, relu_cache))
        scores, last_cache = affine_forward(h, p[f"W{last}"], p[f"b{last}"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        grads = {}
        dh, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dscores, last_cache)
        for i in range(last - 1, 0, -1):
            affine_cache, norm_cache, relu_cache = caches[i - 1]
            dh = relu_backward(dh, relu_cache)
            dh, grads[f"gamma{i}"], grads[f"beta{i}"] = self.norm_backward(dh, norm_cache)
            dh, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dh, affine_cache)
        return loss, grads
        ### END SOLUTION


# %% tests="norm-NormalizedNet" points=3
result = check("norm-NormalizedNet", NormalizedNet)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n07_net import net_case

    net_case(subject, rng, report, [4, 5, 3, 6, 3], name="three hidden layers")
    net_case(subject, rng, report, [1, 2, 2], name="one number per image")


result = result.also(edge_cases, seed=7307)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **What is the gradient of `b1`?** Print it for a net with batch norm before you go on. A constant added to a column
# is subtracted again with the mean: behind a batch norm, a bias has no effect and nothing to learn. $\beta$ does its
# work.

# %%
if ready("norm-NormalizedNet", "norm-batchnorm_forward", "norm-batchnorm_backward"):
    params = initial_params([768, 50, 10], weight_scale=0.05, rng=np.random.default_rng(3))
    net = NormalizedNet(params, norm_forward=batchnorm_forward, norm_backward=batchnorm_backward)
    _, grads = net.loss(X_train[:100], y_train[:100])
    for name in ("b1", "beta1", "b2"):
        print(f"largest entry of the gradient of {name:6s} {abs(grads[name]).max():.1e}")

# %% [markdown]
# ### How much care do the first weights need?
#
# A net of five hidden layers of 50 units, 1,000 images, six passes over them, plain SGD. Once with your batch norm and
# once with nothing in its place, each from seven scales of the first weights. It takes 10 to 20 seconds; a bar shows
# how far it is. **Guess** from how many of the seven scales each of the two learns anything.


# %%
def no_norm_forward(x, gamma, beta, running_mean, running_var, *, train):
    """Stand where a norm would: the output is the input."""
    return x, None, running_mean, running_var


def no_norm_backward(dout, cache):
    return dout, np.zeros(dout.shape[1]), np.zeros(dout.shape[1])


def train_net(
    norm_forward,
    norm_backward,
    *,
    weight_scale=0.1,
    batch_size=50,
    num_epochs=6,
    learning_rate=0.1,
):
    """Train the net of five hidden layers on the 1,000 images;
    return its history, None if the loss became nan.
    """
    params = initial_params(
        [768, 50, 50, 50, 50, 50, 10],
        weight_scale=weight_scale,
        rng=np.random.default_rng(0),
    )
    net = NormalizedNet(params, norm_forward=norm_forward, norm_backward=norm_backward)
    solver = Solver(
        net,
        (X_train, y_train),
        (X_val, y_val),
        optimizer=SGD(learning_rate=learning_rate),
        rng=np.random.default_rng(1),
    )
    try:
        with np.errstate(all="ignore"):
            return solver.train(num_epochs=num_epochs, batch_size=batch_size, progress=False)
    except ArithmeticError:
        return None


if ready("norm-NormalizedNet", "norm-batchnorm_forward", "norm-batchnorm_backward"):
    weight_scales = np.geomspace(0.002, 2.0, 7)
    kinds = {
        "batch norm": (batchnorm_forward, batchnorm_backward),
        "no norm": (no_norm_forward, no_norm_backward),
    }
    best = {kind: [] for kind in kinds}
    for scale in tqdm(weight_scales, desc="weight scales"):
        for kind, functions in kinds.items():
            history = train_net(*functions, weight_scale=scale)
            best[kind].append(0.1 if history is None else max(history.val_accuracy))
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for (kind, accuracies), colour, marker in zip(
        best.items(),
        (OKABE_ITO[2], OKABE_ITO[3]),
        "os",
        strict=True,
    ):
        axes.semilogx(
            weight_scales,
            100 * np.array(accuracies),
            marker + "-",
            color=colour,
            label=kind,
        )
        print(f"{kind:10s}", "  ".join(f"{100 * a:.0f} %" for a in accuracies))
    axes.axhline(10, color=OKABE_ITO[6], linewidth=0.8, linestyle=":", label="chance")
    axes.set(
        xlabel="standard deviation of the first weights",
        ylabel="validation accuracy, %",
        ylim=(0, None),
    )
    axes.set_title("Five hidden layers, 1,000 images, six passes")
    axes.legend(fontsize=9)
    plt.show()

# %% [markdown]
# Without a norm there is a narrow window, near $\sqrt{2/50} = 0.2$, and outside it nothing is learned at all. In the
# window it does as well as the other. With the norm, the net learns from every one of the seven, over three powers of
# ten. (10 % is chance, and a thousand images do not make a good classifier. Here only the comparison counts.) The next
# question asks why.
#
# **Question 1.** A net *affine, batch norm, ReLU, affine* is in training mode. Each of the following is done to its
# parameters or to its input. Which leave the scores of the whole batch as they were, whatever the batch and the
# parameters are ($\varepsilon$ and rounding aside)?
#
# - **A** Multiply `W1` and `b1` by 100.
# - **B** Add 3 to every entry of `b1`.
# - **C** Multiply `gamma1` and `beta1` by 10.
# - **D** Multiply `W1` and `b1` by -1.
# - **E** Multiply `W2` by 10.
# - **F** Multiply every number of the input by 100, and leave the parameters.
#
# Answer with a set of letters, such as `{"D", "E"}`. The check looks at the form only; what is right is found by
# experiment when it is graded. A wrong letter takes back the credit of a right one.

# %% solution="norm-q1"
unnoticed = ...
### BEGIN SOLUTION
unnoticed = {"A", "B", "F"}
### END SOLUTION

# %% tests="norm-q1" points=1
result = check("norm-q1", unnoticed)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying: change the net or its input, and compare the scores."""
    from cs231n_lib.check.n07_net import net_params, net_scores

    answer = report.choices(subject, "ABCDEF")
    true = set("ABCDEF")
    for _ in range(5):
        params, X = net_params(rng, [6, 4, 3]), rng.normal(1.0, 1.0, size=(9, 6))
        changed = {
            "A": (X, {"W1": 100 * params["W1"], "b1": 100 * params["b1"]}),
            "B": (X, {"b1": params["b1"] + 3}),
            "C": (X, {"gamma1": 10 * params["gamma1"], "beta1": 10 * params["beta1"]}),
            "D": (X, {"W1": -params["W1"], "b1": -params["b1"]}),
            "E": (X, {"W2": 10 * params["W2"]}),
            "F": (100 * X, {}),
        }
        scores = net_scores(params, X)
        # eps = 1e-5 beside variances near 1 moves the scores by a few millionths.
        same = {c for c, (x, news) in changed.items() if np.allclose(net_scores(params | news, x), scores, atol=1e-2)}
        true &= same
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=7411)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### What it costs: the batch
#
# A batch's mean is an estimate of the true mean, and a small batch gives a poor one. Same net, first weights of scale
# 0.1, four passes with batches of 50, 10, 4 and 2. It takes about 20 seconds. **Guess:** does a net with batch norm
# still learn from batches of 2?

# %%
BATCH_SIZES = (50, 10, 4, 2)


def train_on_batches(norm_forward, norm_backward):
    """Train once for each batch size; return {batch size: history}."""
    # A small batch means more steps in a pass:
    # steps in proportion to its size keep the way of a pass alike.
    return {
        size: train_net(
            norm_forward,
            norm_backward,
            batch_size=size,
            num_epochs=4,
            learning_rate=0.1 * size / 50,
        )
        for size in tqdm(BATCH_SIZES, desc="batch sizes")
    }


batch_norm_runs = {}
if ready("norm-NormalizedNet", "norm-batchnorm_forward", "norm-batchnorm_backward"):
    batch_norm_runs = train_on_batches(batchnorm_forward, batchnorm_backward)
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
    for (size, history), colour, marker in zip(
        batch_norm_runs.items(),
        OKABE_ITO,
        "os^D",
        strict=False,
    ):
        for panel, values in zip(
            panels,
            (history.train_accuracy, history.val_accuracy),
            strict=True,
        ):
            panel.plot(
                100 * np.array(values),
                marker + "-",
                color=colour,
                label=f"batches of {size}",
            )
        print(f"batches of {size:2d}: best validation {100 * max(history.val_accuracy):.0f} %")
    panels[0].set(
        xlabel="passes",
        ylabel="accuracy, %",
        title="training images, in test mode",
        ylim=(0, None),
    )
    panels[1].set(xlabel="passes", title="validation images")
    panels[0].legend(fontsize=9)
    plt.show()

# %% [markdown]
# **Question 2.** Batch norm is in training mode with batches of $m$ images, unless the statement says otherwise;
# $\varepsilon$ is negligible. Which are true?
#
# - **A** The output for an image depends on which other images are in its batch.
# - **B** With $m = 1$, the output is $\beta$ whatever the image is.
# - **C** With $m = 2$, $\gamma = 1$ and $\beta = 0$, every output is 1 or -1, as long as the two inputs differ.
# - **D** In test mode, too, the output for an image depends on which images are tested with it.
# - **E** With batches of $4m$ in place of $m$, the batch means scatter a quarter as much around the true mean (as
#   measured by their standard deviation).

# %% solution="norm-q2"
true_of_batches = ...
### BEGIN SOLUTION
true_of_batches = {"A", "B", "C"}
### END SOLUTION

# %% tests="norm-q2" points=1
result = check("norm-q2", true_of_batches)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying to break each statement."""
    from cs231n_lib.check.n07_oracle import normalized

    answer = report.choices(subject, "ABCDE")
    true = set("ABCDE")
    gamma, beta, eps = np.ones(3), rng.normal(size=3), 1e-12
    for _ in range(24):
        image, others, more = rng.normal(size=(1, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
        first, second = (normalized(np.concatenate([image, rest]), gamma, beta, eps, axis=0) for rest in (others, more))
        if np.allclose(first[0], second[0]):
            true.discard("A")
        if not np.allclose(normalized(image, gamma, beta, eps, axis=0), beta):
            true.discard("B")
        if not np.allclose(abs(normalized(others[:2], gamma, 0 * beta, eps, axis=0)), 1):
            true.discard("C")
        kept = {"means": rng.normal(size=3), "variances": rng.uniform(1, 2, size=3)}
        first, second = (
            normalized(np.concatenate([image, rest]), gamma, beta, eps, axis=0, **kept) for rest in (others, more)
        )
        if np.allclose(first[0], second[0]):
            true.discard("D")
    narrow, wide = (rng.normal(size=(20000, m)).mean(axis=1).std() for m in (4, 16))
    if not 0.2 < wide / narrow < 0.3:
        true.discard("E")
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=7507)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 5. Layer norm
#
# Large images, long texts, little memory: often a batch *must* be small. Then turn the table by a quarter: average
# over the **features of one example** in place of the examples of one feature. For the same $x$ of shape $(N, D)$,
#
# $$\mu_n = \frac1D \sum_d x_{nd}, \qquad v_n = \frac1D \sum_d (x_{nd} - \mu_n)^2, \qquad
# y_{nd} = \gamma_d \, \frac{x_{nd} - \mu_n}{\sqrt{v_n + \varepsilon}} + \beta_d.$$
#
# Mean and variance are per row now; $\gamma$ and $\beta$ are still **per feature**. One more look at numbers:

# %%
table = np.array([[1.0, 3.0, 8.0], [10.0, 30.0, 80.0], [5.0, 5.0, 2.0]])
by_column = (table - table.mean(axis=0)) / table.std(axis=0)
by_row = ((table.T - table.mean(axis=1)) / table.std(axis=1)).T
figure, panels = plt.subplots(1, 3, figsize=(10, 2.6), layout="constrained")
for panel, values, title in zip(
    panels,
    (table, by_column, by_row),
    ("x", "by column", "by row"),
    strict=True,
):
    panel.imshow(values, cmap="cividis", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        light = value < (values.min() + values.max()) / 2
        panel.text(
            j,
            i,
            f"{value:.2f}",
            ha="center",
            va="center",
            color="white" if light else "black",
        )
    panel.set(title=title, xticks=range(3), yticks=range(3), xlabel="feature")
panels[0].set_ylabel("example")
panels[1].set_title("batch norm: each column has mean 0")
panels[2].set_title("layer norm: each row has mean 0")
plt.show()

# %% [markdown]
# In the last table, rows 0 and 1 are equal: ten times the contrast, the same output. And each row is what it is
# without the others. So there is nothing to remember for testing: **no running statistics, no test mode.**
#
# Keep `mean` and `var` in the cache with shape $(N, 1)$, so that they broadcast over the row.


# %% solution="norm-layernorm_forward"
def layernorm_forward(x, gamma, beta, *, eps=1e-5):
    """Return the output of layer norm, and a cache for the backward pass.

    x : float (N, D);  gamma, beta : float (D,)
    Returns (out, cache): out float (N, D);
    cache (x, gamma, mean, var, eps) with mean and var of shape (N, 1).
    """
    ### BEGIN SOLUTION
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)  # (N, 1), (N, 1)
    out = gamma * (x - mean) / np.sqrt(var + eps) + beta
    return out, (x, gamma, mean, var, eps)
    ### END SOLUTION


# %% tests="norm-layernorm_forward" points=4
result = check("norm-layernorm_forward", layernorm_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n07_form import results
    from cs231n_lib.check.n07_oracle import normalized

    with report.stage("a single feature, a constant row, a far mean"):
        for rows, features, shift in ((4, 1, 0.0), (1, 6, 0.0), (3, 5, 1000.0)):
            x = shift + rng.normal(size=(rows, features))
            x[-1] = 0.1
            gamma, beta = rng.normal(size=features), rng.normal(size=features)
            out, _ = results(subject(x, gamma, beta, eps=0.01), ("out", "cache"), report)
            want = normalized(x, gamma, beta, 0.01, axis=1)
            report.close(report.array(out, x.shape, name="out"), want, rtol=1e-6, atol=1e-6, name="out")


result = result.also(edge_cases, seed=7603)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Backward
#
# No new derivation: section 3 holds with rows in place of columns and $D$ in place of $N$, up to the formula
#
# $$\bar x_d = \frac1s \Big( \bar{\hat x}_d - \frac1D \sum_k \bar{\hat x}_k - \hat x_d \cdot \frac1D \sum_k
# \bar{\hat x}_k \hat x_k \Big) \quad\text{for each row, with } \bar{\hat x} = \gamma \, \bar y.$$
#
# But mind **two things that do not turn along**. The last step of section 3 pulled $\gamma$ out of the sums. May you do
# that here, where the sums run over features? And $\gamma$ and $\beta$ are shared by all rows, as before: over which
# axis are their gradients summed?


# %% solution="norm-layernorm_backward"
def layernorm_backward(dout, cache):
    """Return the gradients of layer norm.

    dout : float (N, D), the upstream gradient
    cache : (x, gamma, mean, var, eps) of `layernorm_forward`, mean and var of shape (N, 1)
    Returns (dx, dgamma, dbeta): float (N, D), (D,), (D,).
    """
    ### BEGIN SOLUTION
    x, gamma, mean, var, eps = cache
    std = np.sqrt(var + eps)  # (N, 1)
    x_hat, dx_hat = (x - mean) / std, dout * gamma  # (N, D), (N, D)
    along = (dx_hat * x_hat).mean(axis=1, keepdims=True)  # (N, 1)
    dx = (dx_hat - dx_hat.mean(axis=1, keepdims=True) - x_hat * along) / std
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
    ### END SOLUTION


# %% tests="norm-layernorm_backward" points=4
result = check("norm-layernorm_backward", layernorm_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n07_batchnorm_backward import judge_gradients

    for n, d in ((1, 5), (6, 2), (4, 1)):
        x, gamma, dout = rng.normal(3.0, 2.0, size=(n, d)), rng.normal(size=d), rng.normal(1.0, 1.0, size=(n, d))
        judge_gradients(subject, x, gamma, dout, report, axis=1, name=f"{n} rows, {d} features", eps=0.2)


result = result.also(edge_cases, seed=7703)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### The same net with layer norm
#
# Your net takes any norm; layer norm only has to be dressed up to take and return running statistics that it does not
# use. The same four batch sizes as before, about 20 seconds. **Guess** what its curve looks like beside that of batch
# norm.


# %%
def layer_as_norm_forward(x, gamma, beta, running_mean, running_var, *, train):
    """Layer norm with the arguments and results of batch norm."""
    out, cache = layernorm_forward(x, gamma, beta)
    return out, cache, running_mean, running_var


if ready("norm-NormalizedNet", "norm-layernorm_forward", "norm-layernorm_backward"):
    layer_norm_runs = train_on_batches(layer_as_norm_forward, layernorm_backward)
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for kind, runs, colour, marker in (
        ("batch norm", batch_norm_runs, OKABE_ITO[2], "o"),
        ("layer norm", layer_norm_runs, OKABE_ITO[0], "D"),
    ):
        accuracies = [100 * max(history.val_accuracy) for history in runs.values()]
        axes.semilogx(list(runs), accuracies, marker + "-", color=colour, label=kind)
        print(kind, *(f"  batches of {size}: {a:.0f} %" for size, a in zip(runs, accuracies, strict=True)))
    axes.axhline(10, color=OKABE_ITO[6], linewidth=0.8, linestyle=":", label="chance")
    axes.set_xticks(BATCH_SIZES, BATCH_SIZES)
    axes.minorticks_off()
    axes.set(xlabel="images in a batch", ylabel="validation accuracy, %", ylim=(0, None))
    axes.set_title("Five hidden layers, 1,000 images, four passes")
    axes.legend(fontsize=9, loc="lower right")
    plt.show()

# %% [markdown]
# Layer norm does not notice the size of the batch. Batch norm with batches of 2 is little better than chance: your
# answer to question 2 says what it leaves of two numbers in training, and in test mode the running statistics then
# make another layer of it, one that the net has not been trained with.
#
# **Question 3.** The images of a data set can be normalized too, before any net sees them. They are a table of $N$
# images and $D$ pixels. Which of these treatments does to the table what *batch norm* does to a batch, and which what
# *layer norm* does ($\gamma = 1$, $\beta = 0$)?
#
# - **A** Subtract the mean image of the data set from every image.
# - **B** For each pixel position, subtract its mean over the data set and divide by its standard deviation over the
#   data set.
# - **C** For each image, subtract the mean of its own pixels and divide by their standard deviation.
# - **D** Divide each image by the sum of its pixels.
# - **E** Subtract one number, the mean of all pixels of all images, and divide by the one standard deviation of them
#   all.
#
# Answer with one letter each, such as `{"batch": "D", "layer": "E"}`.

# %% solution="norm-q3"
alike = ...
### BEGIN SOLUTION
alike = {"batch": "B", "layer": "C"}
### END SOLUTION

# %% tests="norm-q3" points=1
result = check("norm-q3", alike)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by doing each treatment, and both norms, to a table of made-up images."""
    from cs231n_lib.check.n07_layernorm import letter_pair
    from cs231n_lib.check.n07_oracle import normalized

    answer = letter_pair(subject, "ABCDE", report)
    images = rng.uniform(0, 255, size=(12, 1)) * rng.uniform(0.2, 1.0, size=7) + rng.uniform(0, 40, size=(12, 7))
    treated = {
        "A": images - images.mean(axis=0),
        "B": ((images - images.mean(axis=0)) / images.std(axis=0)),
        "C": ((images.T - images.mean(axis=1)) / images.std(axis=1)).T,
        "D": (images.T / images.sum(axis=1)).T,
        "E": (images - images.mean()) / images.std(),
    }
    key = {}
    for name, axis in (("batch", 0), ("layer", 1)):
        normal = normalized(images, np.ones(7), np.zeros(7), 1e-12, axis=axis)
        key[name] = next(letter for letter, table in treated.items() if np.allclose(table, normal))
    report.share(sum(answer[name] == key[name] for name in key), 0, 2)


result = result.also(experiment, seed=7817)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question 4.** What a norm removes, no later layer can bring back. An example goes straight into a layer norm with
# $\gamma = 1$, $\beta = 0$ and a negligible $\varepsilon$. In which cases can two classes **not** be told apart from
# the output?
#
# - **A** One feature, $D = 1$. The classes: positive and negative numbers.
# - **B** Two features. The classes: the first is the larger, the second is the larger.
# - **C** Two features, the first always the larger. The classes: they differ by less than 1, by more than 1.
# - **D** 48 pixels. The classes: pictures, and the same pictures with half the contrast (every pixel divided by 2).
# - **E** 48 pixels, and the batch is a single picture. The classes: bright on the left, bright on the right.
# - **F** The same classes as in E, in batches of two pictures.

# %% solution="norm-q4"
erased = ...
### BEGIN SOLUTION
erased = {"A", "C", "D"}
### END SOLUTION

# %% tests="norm-q4" points=1
result = check("norm-q4", erased)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying: a class is erased where both classes give the same outputs."""
    from cs231n_lib.check.n07_oracle import normalized

    answer = report.choices(subject, "ABCDEF")

    def norm(x):
        return normalized(x, np.ones(x.shape[1]), np.zeros(x.shape[1]), 1e-12, axis=1)

    low, gap = rng.normal(size=(10, 1)), rng.uniform(0.2, 0.8, size=(10, 1))
    pictures = rng.uniform(size=(10, 48))
    left = pictures + np.repeat([2.0, 0.0], 24)
    right = pictures + np.repeat([0.0, 2.0], 24)
    classes = {
        "A": (norm(abs(low)), norm(-abs(low))),
        "B": (norm(np.hstack([low + gap, low])), norm(np.hstack([low, low + gap]))),
        "C": (norm(np.hstack([low + gap, low])), norm(np.hstack([low + gap + 1, low]))),
        "D": (norm(pictures), norm(pictures / 2)),
        "E": tuple(np.concatenate([norm(row[None]) for row in rows]) for rows in (left, right)),
        "F": tuple(np.concatenate([norm(rows[i : i + 2]) for i in range(0, 10, 2)]) for rows in (left, right)),
    }
    true = {letter for letter, (one, other) in classes.items() if np.allclose(one, other, atol=1e-6)}
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=7907)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## What to take along
#
# | | batch norm | layer norm |
# |---|---|---|
# | averages over | the examples of the batch, for each feature | the features, for each example |
# | shape of mean and variance | $(D,)$ | $(N, 1)$ |
# | learned | $\gamma, \beta$ of shape $(D,)$ | $\gamma, \beta$ of shape $(D,)$ |
# | for testing | running mean and variance, another mode | nothing: always the same |
# | small batches | the smaller, the worse | no difference |
# | the classic bug | testing in training mode | the axis |
#
# Both make a net indifferent to the scale of its weights, and that is why deep nets train from rough beginnings. In
# **N10** batch norm meets images: there a channel's mean runs over the batch *and* over all positions, and between the
# two norms of today there is a third, group norm. Next, **N08** adds noise on purpose.
