# %% [markdown]
# # N06 · Deep nets and how to move them
#
# Two layers were better than one. Then five must be better than two? You stack them, press the button, and **nothing
# happens**: the loss stands still at 2.303. Nothing is wrong with the code. Two things decide whether a deep net learns
# at all: *how large its first weights are*, and *how it moves* once it has a gradient. Today you master both.
#
# You will write a net of any depth in three functions, and three ways to walk downhill: momentum, RMSprop and Adam.
#
# 35 points · about three hours, of which the computer needs about five minutes.

# %% setup="deep-setup"
import numpy as np

from cs231n_lib.carry import carry_forward
from cs231n_lib.check import check, question, ready, show_question
from cs231n_lib.optim import SGD, FromRule, cosine
from cs231n_lib.solver import Solver

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
# same names, so that nothing here waits for N04.
#
# ## 1. Ten layers, three ways to begin
#
# The data first, prepared as in N04: shifted by the mean image of the training images, scaled to size 1.

# %%
import matplotlib.pyplot as plt
from IPython.display import display

from cs231n_lib.data import load_dataset
from cs231n_lib.visualize import OKABE_ITO, plot_history

data = load_dataset().subset(val=1000)
X_train, y_train = data.train.rows(), data.train.labels  # float32 (N, 3072), int64 (N,)
X_val, y_val = data.val.rows(), data.val.labels
mean = X_train.mean(axis=0)  # (3072,)
X_train -= mean
spread = X_train[:5000].std()  # one number for all pixels
X_train /= spread
X_val = (X_val - mean) / spread
print(f"{len(X_train):,} training rows, {len(X_val):,} validation rows")

# %% [markdown]
# Now ten layers of 200 units, each followed by a ReLU. Their weights are drawn from a normal distribution, their biases
# are 0, and nobody has trained anything. 500 images go in. What comes out of each layer? The only difference between
# the three rows is how large the weights are. **Guess** before you look: in which row could the last layer still tell
# two images apart?

# %%
scales = {
    "standard deviation 0.02": lambda inputs: 0.02,
    "standard deviation 0.3": lambda inputs: 0.3,
    "a rule that you will find": lambda inputs: (2 / inputs) ** 0.5,
}
figure, panels = plt.subplots(3, 5, figsize=(12, 5.4), layout="constrained")
for row, (name, scale_of) in zip(panels, scales.items(), strict=True):
    rng, signal, sizes = np.random.default_rng(0), X_val[:500], []
    for layer in range(1, 11):
        weights = scale_of(signal.shape[1]) * rng.normal(size=(signal.shape[1], 200))
        signal = np.maximum(signal @ weights, 0)
        sizes.append(float(np.sqrt(np.mean(signal**2))))
        if layer % 2 == 0:
            panel = row[layer // 2 - 1]
            panel.hist(signal[signal > 0], bins=np.geomspace(1e-9, 1e7, 65), color="#0072B2")
            panel.set(title=f"layer {layer}", yticks=[], xscale="log", xticks=[1e-8, 1e-4, 1, 1e4])
            panel.axvline(1, color="#D55E00", linewidth=0.8)
            panel.tick_params(labelsize=8)
    row[0].set_ylabel(name, fontsize=9)
    print(
        f"{name:26s} size of the signal after layers 1, 2, 5, 10:",
        *(f"{sizes[i]:9.2g}" for i in (0, 1, 4, 9)),
    )
figure.suptitle("How large are the positive activations? (log scale; the line is at 1)")
plt.show()

# %% [markdown]
# In the first row every layer makes the signal five times smaller: after ten layers hardly anything is left to tell
# one image from another, and the gradient that comes back is as small. In the second row it explodes. The third keeps
# it alive. One number per layer decides.
#
# ## 2. How large should a weight be?
#
# One unit adds up $n$ products, $a = \sum_{i=1}^{n} w_i h_i$, where $n$ is the number of its inputs, its **fan-in**.
# The $w_i$ are drawn independently, with mean 0 and variance $\sigma^2$. Squares of independent terms of mean 0 add up:
#
# $$E[a^2] = n \, \sigma^2 \, E[h^2].$$
#
# Then comes the ReLU. $a$ is as often positive as negative, so it cuts off half of the squares:
#
# $$E[\max(0, a)^2] = \tfrac12 E[a^2] = \tfrac12 \, n \, \sigma^2 \, E[h^2].$$
#
# What leaves the layer is as large as what came in if $\tfrac12 n \sigma^2 = 1$, that is
#
# $$\sigma = \sqrt{2 / n}.$$
#
# This is **Kaiming initialization** (He and others, 2015). For 3072 inputs $\sigma = 0.0255$, for 200 inputs it is 0.1.
# With $\sigma = 0.02$ and 200 inputs each layer multiplies the signal by $0.02 / 0.1 = \tfrac15$: ten layers leave a
# ten-millionth of it.
#
# ### Write it
#
# `dims` lists the sizes from the image to the scores: `[3072, 100, 50, 10]` is a net of three layers. Parameters are
# called `W1, b1, W2, b2, ...`, from the first layer to the last.
#
# - All weights come from *one* generator made from `seed`. (The course's rule is to pass a generator; a check can send
#   a number to your code, but not a generator.)
# - `weight_scale=None` means Kaiming's $\sigma$ for each layer; a number is the standard deviation for all of them. The
#   number 0.0 is a number.
# - Everything in the `dtype` asked for. float32 halves memory and time; float64 is for gradient checks.


# %% solution="deep-init_params"
def init_params(dims, *, weight_scale=None, seed=0, dtype="float32"):
    """Draw the parameters of a fully connected net.

    dims : list of ints [D, H1, ..., C], at least two
    weight_scale : standard deviation of all weights; None is sqrt(2 / fan_in) for each layer
    seed : int, decides the weights;  dtype : "float32" or "float64"
    Returns {"W1": (D, H1), "b1": (H1,), "W2": (H1, H2), ...}:
    normal weights of mean 0, biases 0, all of that dtype.
    """
    ### BEGIN SOLUTION
    draws = np.random.default_rng(seed)
    net = {}
    for i in range(len(dims) - 1):
        fan_in, units = dims[i : i + 2]
        sigma = np.sqrt(2 / fan_in) if weight_scale is None else weight_scale
        net[f"W{i + 1}"] = (sigma * draws.normal(size=(fan_in, units))).astype(dtype)
        net[f"b{i + 1}"] = np.zeros(units, dtype=dtype)
    return net
    ### END SOLUTION


# %% tests="deep-init_params" points=4
result = check("deep-init_params", init_params)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_init import init_case

    init_case(subject, rng, report, [300, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 40], name="eleven layers")
    init_case(subject, rng, report, [200, 200, 30], name="equal sizes")


result = result.also(edge_cases, seed=6101)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Eight layers of 64 units, $\sigma = 0.01$: the signal fades on its way forward, the gradient on its way back. **Guess
# before you move anything:** of the three other first weights one fades as well, one explodes, and one keeps both
# level. Which is which?

# %%
from cs231n_lib import widgets

widgets.health_check(state={"weights": "std 0.01"})

# %% [markdown]
# ## 3. Forward, whatever the depth
#
# $$h_0 = X, \qquad h_i = \max(0, h_{i-1} W_i + b_i) \quad (i = 1, \ldots, K - 1), \qquad S = h_{K-1} W_K + b_K.$$
#
# $K$ is the number of layers; `params` knows it. Loop over them, with your own `affine_forward` and `relu_forward`.
# After the last layer there is no ReLU: a score may be negative. Keep a list of caches, one entry `(affine cache, relu
# cache)` for each layer, and `None` for the ReLU that the last layer has not.
#
# | net `[3072, 100, 50, 10]`, 32 images | shape | kept in `caches` |
# |---|:---:|---|
# | $X$ | (32, 3072) | |
# | $h_1$ | (32, 100) | `caches[0]`: affine, ReLU |
# | $h_2$ | (32, 50) | `caches[1]`: affine, ReLU |
# | $S$ | (32, 10) | `caches[2]`: affine, `None` |


# %% solution="deep-fc_forward"
def fc_forward(params, X):
    """Return the scores of a fully connected net, and caches for the way back.

    params : from `init_params`, of any depth;  X : float (N, d1, ..., dk) with d1 * ... * dk = D
    Returns (scores, caches): scores float (N, C); caches a
    list of (affine cache, relu cache or None), one per layer.
    """
    ### BEGIN SOLUTION
    num_layers = len(params) // 2
    h, caches = X, []
    for i in range(1, num_layers + 1):
        h, affine_cache = affine_forward(h, params[f"W{i}"], params[f"b{i}"])
        relu_cache = None
        if i < num_layers:
            h, relu_cache = relu_forward(h)
        caches.append((affine_cache, relu_cache))
    return h, caches
    ### END SOLUTION


# %% tests="deep-fc_forward" points=5
result = check("deep-fc_forward", fc_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_net import draw_net, forward_case
    from cs231n_lib.check.n06_oracle import random_params

    forward_case(subject, report, draw_net(rng, 12), name="twelve layers")
    for name, dims, n in (("one of everything", [1, 1, 1, 1], 1), ("equal sizes", [4, 4, 4, 4], 4)):
        inputs = random_params(rng, dims), rng.normal(size=(n, dims[0])), np.zeros(n, dtype=int)
        forward_case(subject, report, inputs, name=name)


result = result.also(edge_cases, seed=6203)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Does the signal of a *real* fresh net stay alive, with your own functions? And what does the net say? If all its
# scores were 0 its loss would be $\log 10 = 2.303$. Kaiming's scores are of size 1, wild guesses: a little above that.

# %%
if ready("deep-init_params", "deep-fc_forward"):
    for depth in (2, 5, 20):
        for weight_scale in (0.02, None):
            net = init_params([3072, *[100] * (depth - 1), 10], weight_scale=weight_scale, seed=1)
            scores, _ = fc_forward(net, X_val[:500])
            print(
                f"{depth:2d} layers, weight_scale {weight_scale!s:4s}: "
                f"scores of size {np.std(scores):8.2g}, "
                f"loss {softmax_loss(scores, y_val[:500])[0]:.3f}"
            )

# %% [markdown]
# ## 4. And back
#
# The caches now come into use, last layer first. Let $dS$ be the slope of the loss in the scores, from your
# `softmax_loss`, of shape $(N, C)$. Then for $i = K, K - 1, \ldots, 1$:
#
# 1. if layer $i$ has a ReLU, the slope passes `relu_backward`;
# 2. `affine_backward` turns the slope in the layer's output, $(N, H_i)$, into three: in its input, $(N, H_{i-1})$,
#    which goes on to layer $i - 1$; in $W_i$, $(H_{i-1}, H_i)$; in $b_i$, $(H_i,)$.
#
# Regularization, as in N04, with a half, and without biases, whatever the depth:
#
# $$L = L_{data} + \tfrac12 \lambda \sum_{i=1}^{K} \sum W_i^2, \qquad
# \frac{\partial L}{\partial W_i} = \frac{\partial L_{data}}{\partial W_i} + \lambda W_i.$$


# %% solution="deep-fc_loss"
def fc_loss(params, X, y, *, reg=0.0):
    """Return the regularized softmax loss of a fully connected net, and its gradients.

    params, X : as for `fc_forward`
    y : int (N,), labels from 0 to C - 1
    reg : lambda, a number >= 0
    Returns (loss, grads): a number, and a dict with the
    keys and shapes of params. params stay as they are.
    """
    ### BEGIN SOLUTION
    scores, caches = fc_forward(params, X)
    loss, dh = softmax_loss(scores, y)
    grads = {}
    for i in reversed(range(len(caches))):
        affine_cache, relu_cache = caches[i]
        W = params[f"W{i + 1}"]
        if relu_cache is not None:
            dh = relu_backward(dh, relu_cache)
        dh, dW, grads[f"b{i + 1}"] = affine_backward(dh, affine_cache)
        grads[f"W{i + 1}"] = dW + reg * W
        loss += 0.5 * reg * (W**2).sum()
    return loss, grads
    ### END SOLUTION


# %% tests="deep-fc_loss" points=6
result = check("deep-fc_loss", fc_loss)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_net import draw_net, loss_case
    from cs231n_lib.check.n06_oracle import random_params

    loss_case(subject, report, draw_net(rng, 12), reg=0.05, name="twelve layers")
    for name, dims, n in (("one row", [5, 3, 2], 1), ("one unit", [4, 1, 1, 3], 6), ("equal sizes", [4, 4, 4, 4], 4)):
        inputs = random_params(rng, dims), rng.normal(size=(n, dims[0])), rng.integers(0, dims[-1], size=n)
        loss_case(subject, report, inputs, reg=1.5, name=name)
    with report.stage("scores of hundreds"):
        params = {key: 40 * value for key, value in random_params(rng, [4, 3, 3]).items()}
        loss, _ = subject(params, 20 * rng.normal(size=(5, 4)), np.array([0, 1, 2, 1, 0]))
        report.require(bool(np.isfinite(loss)), "the loss of large scores must be finite")


result = result.also(edge_cases, seed=6301)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Trust, and measure, here for four layers in float64:

# %%
from cs231n_lib.gradient_check import check_gradient

if ready("deep-init_params", "deep-fc_forward", "deep-fc_loss"):
    rng = np.random.default_rng(2)
    net = init_params([8, 9, 7, 6, 3], seed=3, dtype="float64")
    # With biases of 0 a unit that gets nothing stands exactly
    # at the kink of its ReLU, where there is no slope.
    net |= {name: rng.normal(0.3, 0.3, size=values.shape) for name, values in net.items() if name[0] == "b"}
    images, labels = rng.normal(size=(7, 8)), rng.integers(0, 3, size=7)
    for name, grad in fc_loss(net, images, labels, reg=0.3)[1].items():
        found = check_gradient(
            lambda value, name=name: fc_loss(net | {name: value}, images, labels, reg=0.3)[0],
            net[name],
            grad,
            name=f"d{name}",
            atol=1e-12,
        )
        worst = found.max_relative_error
        print(f"d{name}: {found.num_checked:2d} slopes, largest relative error {worst:.0e}")

# %% [markdown]
# The Solver wants an object with `params` and `loss`. Here it is, a thin shell around your three functions.


# %%
class DeepNet:
    """A fully connected net for the Solver, out of `init_params`, `fc_forward` and `fc_loss`."""

    def __init__(self, dims, *, weight_scale=None, reg=0.0, seed=0):
        self.params = init_params(dims, weight_scale=weight_scale, seed=seed)
        self.strength = reg

    def loss(self, X, y=None):
        labelled = y is not None
        loss = fc_loss(self.params, X, y, reg=self.strength) if labelled else None
        return loss if labelled else fc_forward(self.params, X)[0]


# %% [markdown]
# ## 5. Fifty images by heart
#
# Before a net learns much, let it learn little: a net that cannot even memorize 50 images has a fault, in its code or
# in its settings. It is the cheapest test there is, it takes a second, and it finds most mistakes.
#
# Five layers, `[3072, 100, 100, 100, 100, 10]`, plain SGD, batches of 25, 20 epochs: **40 steps**. Find a
# `weight_scale`, one number for all five layers, and a `learning_rate` with which the net knows its 50 images at the
# end. Begin with the cell below, which shows what happens with a scale of 0.01.
#
# **How it is judged.** The judge takes your two numbers and trains such a net itself, three times, on 50 freshly drawn
# pictures and other initial weights. Each time it must know at least 49 of them. So do not look for a lucky pair, but
# for a good region.

# %%
if ready("deep-init_params", "deep-fc_forward", "deep-fc_loss"):
    figure, panel = plt.subplots(figsize=(7, 3), layout="constrained")
    for weight_scale, learning_rate in (
        (0.01, 0.01),
        (0.01, 0.1),
        (0.05, 0.05),
    ):  # put your own pairs here
        solver = Solver(
            DeepNet([3072, 100, 100, 100, 100, 10], weight_scale=weight_scale, seed=0),
            (X_train[:50], y_train[:50]),
            (X_val[:100], y_val[:100]),
            optimizer=SGD(learning_rate=learning_rate),
            rng=np.random.default_rng(0),
        )
        history = solver.train(num_epochs=20, batch_size=25, progress=False)
        known = 50 * history.train_accuracy[-1]
        panel.plot(
            history.loss,
            label=f"scale {weight_scale}, rate {learning_rate}: knows {known:.0f} of 50",
        )
    panel.set(xlabel="step", ylabel="loss of the batch (nats)")
    panel.legend(fontsize=8)
    plt.show()

# %% solution="deep-overfit"
overfit_settings = {"weight_scale": ..., "learning_rate": ...}
### BEGIN SOLUTION
overfit_settings = {"weight_scale": 0.13, "learning_rate": 0.02}
### END SOLUTION

# %% tests="deep-overfit" points=3
result = check("deep-overfit", overfit_settings)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_overfit import overfit_case

    with report.stage("other widths"):
        for widths in ((120, 90, 110, 100), (100, 110, 90, 120)):
            overfit_case(subject.value(), rng, report, (3072, *widths, 10))


result = result.also(edge_cases, seed=6427)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question 1.** Which are true? The nets have ReLUs, normal weights of mean 0 and one `weight_scale`, biases that
# start at 0. The check only looks at the form of your answer; what is right is found by experiment when it is graded. A
# wrong letter takes back the credit of a right one.
#
# - **A** A fresh net `[3072, 100, 100, 100, 100, 10]` with `weight_scale=0.01` has a loss of 2.303 on any images like
#   ours, to three decimals.
# - **B** If all weights and biases of a net are 0, then all its gradients are 0, whatever the labels are.
# - **C** Doubling all weights of a fresh net of $K$ layers multiplies every score by $2^K$.
# - **D** If an image leaves all units of some hidden layer at 0, then this image adds nothing to the gradient of $W_1$.
# - **E** With `weight_scale=0.03` and 100 units in each hidden layer, the scores of five layers are smaller than those
#   of three.
# - **F** Weights that are too small only need a larger learning rate: with `weight_scale=0.001` there is one with which
#   plain SGD learns the fifty pictures of section 5 in 40 steps.
#
# Answer with a set of letters, such as `{"B", "F"}`.

# %% solution="deep-q1"
true_of_depth = ...
### BEGIN SOLUTION
true_of_depth = {"A", "C", "D", "E"}
### END SOLUTION

# %% tests="deep-q1" points=2
result = check("deep-q1", true_of_depth)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying to break each statement."""
    from cs231n_lib.check.n06_oracle import net_loss, net_scores
    from cs231n_lib.check.n06_runs import fresh_pictures, run

    answer = report.choices(subject, "ABCDEF")
    true = set("ABCDEF")
    ((pictures, labels),) = fresh_pictures(rng, [50])

    def fresh(dims, scale):
        made = {}
        for i in range(1, len(dims)):
            made[f"W{i}"] = scale * rng.normal(size=(dims[i - 1], dims[i]))
            made[f"b{i}"] = np.zeros(dims[i])
        return made

    five, three = [3072, 100, 100, 100, 100, 10], [3072, 100, 100, 10]
    if abs(net_loss(fresh(five, 0.01), pictures, labels)[0] - np.log(10)) > 5e-4:
        true.discard("A")
    if any(grad.any() for grad in net_loss(fresh(three, 0.0), pictures[:7], labels[:7])[1].values()):
        true.discard("B")
    small = fresh([6, 5, 4, 3], 0.5)
    points = rng.normal(size=(9, 6))
    doubled = net_scores({key: 2 * value for key, value in small.items()}, points)
    if not np.allclose(doubled, 8 * net_scores(small, points)):
        true.discard("C")
    dead = small | {"b2": np.full(4, -1e3)}
    if net_loss(dead, points, np.arange(9) % 3)[1]["W1"].any():
        true.discard("D")
    if net_scores(fresh(five, 0.03), pictures).std() >= net_scores(fresh(three, 0.03), pictures).std():
        true.discard("E")
    plain = {"weight_scale": 1e-3, "rule": "sgd", "reg": 0.0, "batch_size": 25, "steps": 40}
    split = pictures, labels
    known = [run(five, split, split, rng, learning_rate=10.0**power, **plain).learned for power in range(-2, 5)]
    if max(known) < 0.9:
        true.discard("F")
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=6521)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 6. Four ways downhill
#
# The net can learn. How fast? Below, the same net starts four times from the same weights and sees the same batches of
# 2,000 training images. Only the rule that turns a gradient into a step differs. (PyTorch's versions, each with a
# learning rate that suits it; you are going to write your own.) About five seconds.

# %%
import torch

makers = {
    "SGD": lambda params: torch.optim.SGD(params, lr=1e-2),
    "SGD with momentum": lambda params: torch.optim.SGD(params, lr=1e-2, momentum=0.9),
    "RMSprop": lambda params: torch.optim.RMSprop(params, lr=3e-4),
    "Adam": lambda params: torch.optim.Adam(params, lr=1e-3),
}
DASHES = ("-", "--", "-.", ":")
LINES = [{"color": ink, "linestyle": dash} for ink, dash in zip(OKABE_ITO, DASHES, strict=False)]
figure, panel = plt.subplots(figsize=(8, 3.6), layout="constrained")
for (name, make), line in zip(makers.items(), LINES, strict=True):
    torch.manual_seed(0)
    layers = [
        torch.nn.Linear(3072, 100),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 100),
        torch.nn.ReLU(),
    ]
    torch_net = torch.nn.Sequential(*layers, torch.nn.Linear(100, 10))
    optimizer, losses, rng = make(torch_net.parameters()), [], np.random.default_rng(0)
    for _ in range(6):
        for rows in np.split(rng.permutation(2000), 20):
            batch_loss = torch.nn.functional.cross_entropy(
                torch_net(torch.from_numpy(X_train[rows])),
                torch.from_numpy(y_train[rows]),
            )
            optimizer.zero_grad()
            batch_loss.backward()
            optimizer.step()
            losses.append(float(batch_loss.detach()))
    panel.plot(np.convolve(losses, np.ones(10) / 10, mode="valid"), label=name, **line)
panel.set(xlabel="step", ylabel="loss, mean of 10 batches (nats)", title="One net, four rules")
panel.legend()
plt.show()

# %% [markdown]
# Why does plain SGD, $w \leftarrow w - \eta \, dw$, trail behind? Think of a ravine: steep across, nearly flat along. A
# rate that is safe for the steep walls is far too small for the long way down the valley; a larger one bounces from
# wall to wall. The three others have a **memory**.
#
# ### The form of a rule
#
# A rule moves *one* parameter array: `rule(w, dw, config) -> (next_w, config)`. Everything it wants to remember until
# the next call goes into the `config` that it returns, and comes back to it in the next call, together with the present
# `"learning_rate"`. The library's `FromRule` does the carrying and keeps one config for each parameter:
#
# ```
# optimizer = FromRule(sgd_momentum, learning_rate=1e-2, config={"momentum": 0.9})
# ```
#
# In the first call there is nothing to remember yet: `config.get("velocity", 0.0)`. Never write into `w` or `dw`;
# return new arrays.
#
# ### Momentum
#
# A ball that rolls. Its velocity $v$ keeps a share $\mu$ of what it was, and every gradient gives it a push:
#
# $$v \leftarrow \mu v - \eta \, dw, \qquad w \leftarrow w + v.$$
#
# Across the ravine the pushes alternate and cancel. Along it they add up: under a constant gradient $g$ the velocity
# grows to $-\eta g (1 + \mu + \mu^2 + \ldots) = -\eta g / (1 - \mu)$, with $\mu = 0.9$ **ten** times the step of SGD.


# %% solution="deep-sgd_momentum"
def sgd_momentum(w, dw, config):
    """Move one parameter by SGD with momentum.

    w, dw : float arrays of one shape, the parameter and its gradient; both stay as they are
    config : dict with "learning_rate"; "momentum" (0.9 if absent); "velocity", of w's shape (absent
        in the first call, where it counts as 0)
    Returns (next_w, config): config with everything that came in, and the new "velocity".
    """
    ### BEGIN SOLUTION
    mu = config.get("momentum", 0.9)
    v = mu * config.get("velocity", 0.0) - config["learning_rate"] * dw
    return w + v, {**config, "velocity": v}
    ### END SOLUTION


# %% tests="deep-sgd_momentum" points=3
result = check("deep-sgd_momentum", sgd_momentum)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_rules import judge_steps, momentum_oracle, steps

    with report.stage("ten steps, no momentum at all, a rate of 0"):
        w = rng.normal(size=(2, 3, 4))
        for mu in (0.95, 0.0):
            grads = [rng.normal(size=w.shape) for _ in range(10)]
            rates = [0.1] * 5 + [0.0] * 5
            walked = steps(subject, report, w, grads, rates, {"momentum": mu})
            wants = momentum_oracle(w, grads, rates, {"momentum": mu})
            judge_steps(walked, wants, w, [[]] * 10, report)


result = result.also(edge_cases, seed=6607)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### RMSprop
#
# Another idea: give every single weight its own step length. Keep an average of the *squares* of its gradient, and
# divide by its root. Where the gradient is always large the step shrinks, where it is always small the step grows.
#
# **AdaGrad** (2011) kept the *sum* of all squares, so its steps only ever get shorter. **RMSprop** (2012) lets the past
# fade, with a decay rate $\rho$ near 1:
#
# $$c \leftarrow \rho \, c + (1 - \rho) \, dw^2, \qquad w \leftarrow w - \eta \, \frac{dw}{\sqrt{c} + \epsilon}.$$
#
# All of it entry by entry. $\epsilon = 10^{-8}$ only keeps the divisor away from 0; it stands *outside* the root.
# Update $c$ first, then use it.


# %% solution="deep-rmsprop"
def rmsprop(w, dw, config):
    """Move one parameter by RMSprop.

    w, dw : float arrays of one shape; both stay as they are
    config : dict with "learning_rate"; "decay_rate" (0.99 if absent); "epsilon" (1e-8); "cache", of
        w's shape (absent in the first call, where it counts as 0)
    Returns (next_w, config): config with everything that came in, and the new "cache".
    """
    ### BEGIN SOLUTION
    rho = config.get("decay_rate", 0.99)
    c = rho * config.get("cache", 0.0) + (1 - rho) * dw * dw
    next_w = w - config["learning_rate"] * dw / (np.sqrt(c) + config.get("epsilon", 1e-8))
    return next_w, {**config, "cache": c}
    ### END SOLUTION


# %% tests="deep-rmsprop" points=3
result = check("deep-rmsprop", rmsprop)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_rules import judge_steps, rmsprop_oracle, steps

    with report.stage("ten steps, tiny gradients, gradients of 0"):
        w = rng.normal(size=(3, 5))
        for scale in (1.0, 1e-7, 0.0):
            grads, rates = [scale * rng.normal(size=w.shape) for _ in range(10)], [0.02] * 10
            config = {"decay_rate": 0.9, "epsilon": 1e-6}
            walked = steps(subject, report, w, grads, rates, config)
            judge_steps(walked, rmsprop_oracle(w, grads, rates, config), w, [[]] * 10, report)


result = result.also(edge_cases, seed=6703)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Adam
#
# Both ideas together (Kingma and Ba, 2014): an average $m$ of the gradients, like a velocity, over the root of an
# average $v$ of their squares.
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) \, dw, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) \, dw^2.$$
#
# Both start at 0, and so are too small at first. How much too small? After $t$ steps the weights of the average add up
# to $(1 - \beta)(1 + \beta + \ldots + \beta^{t-1}) = 1 - \beta^t$. Divide by that:
#
# $$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}, \qquad
# w \leftarrow w - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon}.$$
#
# In numbers, for the first step with $\beta_1 = 0.9$, $\beta_2 = 0.999$ and gradient $g > 0$: $m = 0.1 g$ and $v =
# 0.001 g^2$. Without the correction the step is $\eta \cdot 0.1 / \sqrt{0.001} = 3.16 \, \eta$; with it, it is exactly
# $\eta$.
#
# Three things to get right:
# - $t$ is 1 in the first step: count it up *before* you use it, and keep it in `config`;
# - $\hat m$ and $\hat v$ are for this step only; `config` keeps $m$ and $v$ as they are;
# - each parameter counts its own steps. A counter shared by the six parameters of a net runs six times too fast.


# %% solution="deep-adam"
def adam(w, dw, config):
    """Move one parameter by Adam.

    w, dw : float arrays of one shape; both stay as they are
    config : dict with "learning_rate"; "beta1" (0.9 if absent); "beta2"
        (0.999); "epsilon" (1e-8); "m" and "v", of w's shape, and "t",
        the steps done (absent in the first call, where they count as 0)
    Returns (next_w, config): config with everything that came in, and the new "m", "v" and "t".
    """
    ### BEGIN SOLUTION
    beta1, beta2 = config.get("beta1", 0.9), config.get("beta2", 0.999)
    t = config.get("t", 0) + 1
    m = beta1 * config.get("m", 0.0) + (1 - beta1) * dw
    v = beta2 * config.get("v", 0.0) + (1 - beta2) * dw * dw
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    next_w = w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config.get("epsilon", 1e-8))
    return next_w, {**config, "m": m, "v": v, "t": t}
    ### END SOLUTION


# %% tests="deep-adam" points=5
result = check("deep-adam", adam)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_adam import adam_oracle
    from cs231n_lib.check.n06_rules import judge_steps, steps

    with report.stage("thirty steps, small gradients, gradients of 0"):
        w, config = rng.normal(size=(2, 2, 3)), {"epsilon": 1e-12}
        for scale in (1.0, 1e-2, 0.0):
            grads, rates = [scale * rng.normal(size=w.shape) for _ in range(30)], [0.01] * 30
            walked = steps(subject, report, w, grads, rates, config)
            judge_steps(walked, adam_oracle(w, grads, rates, config), w, [[]] * 30, report)


result = result.also(edge_cases, seed=6803)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### The race
#
# A ravine, $f(w) = \tfrac12 (w_1^2 + 40 \, w_2^2)$: forty times steeper across than along. Your rules start at the
# cross and make 60 steps each. The numbers below are the height at which they end; 0 is the bottom.


# %%
def plain_sgd(w, dw, config):
    return w - config["learning_rate"] * dw, config


RULES = {"sgd": plain_sgd, "momentum": sgd_momentum, "rmsprop": rmsprop, "adam": adam}


def path(rule, learning_rate, slope, start, num_steps):
    """Return the places (num_steps + 1, 2) that a rule visits."""
    optimizer, params, places = (
        FromRule(rule, learning_rate=learning_rate),
        {"w": np.array(start)},
        [start],
    )
    for _step in range(num_steps):
        params = optimizer.step(params, {"w": slope(params["w"])})
        places.append(params["w"])
    return np.array(places)


if ready("deep-sgd_momentum", "deep-rmsprop", "deep-adam"):
    steepness = np.array([1.0, 40.0])
    across, along = np.meshgrid(np.linspace(-5, 1.5, 200), np.linspace(-1.6, 1.6, 100))
    height = 0.5 * (across**2 + 40 * along**2)
    figure, panels = plt.subplots(2, 2, figsize=(11, 5), layout="constrained")
    for panel, (name, rate) in zip(
        panels.flat,
        {"sgd": 0.045, "momentum": 0.01, "rmsprop": 0.05, "adam": 0.25}.items(),
        strict=True,
    ):
        places = path(RULES[name], rate, lambda w: steepness * w, [-4.5, 1.2], 60)
        panel.contour(
            across,
            along,
            height,
            levels=np.geomspace(0.1, 60, 12),
            colors="#bbbbbb",
            linewidths=0.6,
        )
        panel.plot(*places.T, ".-", color="#0072B2", linewidth=0.9, markersize=4)
        panel.plot(*places[0], "x", color="#D55E00", markersize=9, markeredgewidth=2)
        end = 0.5 * float((steepness * places[-1] ** 2).sum())
        panel.set(
            title=f"{name}, rate {rate}: ends at height {end:.2g}",
            xlim=(-5, 1.5),
            ylim=(-1.6, 1.6),
        )
    plt.show()

# %% [markdown]
# SGD at 0.045 bounces: at 0.05 it would never come to rest. The ball of momentum overshoots, and swings back. RMSprop
# and Adam take no notice of how steep a wall is: their first steps go along the diagonal, as if the ravine were round.
#
# Another ravine, which you can turn; *mine* is your Adam. **Guess before you turn it:** by 45 degrees, so that it lies
# across both axes. Does each rule's path only turn with it?

# %%
from cs231n_lib import widgets

if ready("deep-adam"):
    display(widgets.optimizer_race(adam))

# %% [markdown]
# **Question 2.** A weight whose gradient never changes tells the rules apart: after many steps each has settled on a
# length of step. Work yours out on paper. One of them explains why AdaGrad is hardly used on nets.

# %%
show_question("deep-q2", student)

# %% solution="deep-q2"
step_lengths = {"sgd": ..., "momentum": ..., "adagrad": ..., "rmsprop": ..., "adam": ...}
### BEGIN SOLUTION
mine = question("deep-q2", student)
rate = mine["learning_rate"]
step_lengths["sgd"] = mine["gradient"] * rate
step_lengths["momentum"] = step_lengths["sgd"] / (1 - mine["momentum"])  # 1 + m + m^2 + ...
step_lengths["adagrad"] = rate / 100  # the root of ten thousand equal squares is 100 gradients
step_lengths["rmsprop"] = step_lengths["adam"] = rate
### END SOLUTION

# %% tests="deep-q2" points=1
result = check("deep-q2", step_lengths, student=student)
result.points

# %% [markdown]
# ### Three more (not graded)
#
# **Nesterov's momentum** looks where the ball is about to roll: after $v$ has been updated, it moves by $\mu v - \eta
# \, dw$ instead of $v$. **AdamW** keeps weight decay apart from the gradient, where Adam would divide it away: shrink
# $w$ by $1 - \eta \lambda$, then make Adam's step. Both are two lines around *your* rules.
#
# **Adadelta** (Zeiler, 2012) was the default of ConvNetJS, the demo that trained CIFAR-10 in a browser to about 80 %
# (the best then had 90 %, people 94 %). It needs hardly any learning rate: it measures how long its own steps have
# been. Try it. With $s$ and $u$ starting at 0, $\rho = 0.9$, $\epsilon = 10^{-6}$ and a learning rate $\eta$ of 1:
#
# $$s \leftarrow \rho s + (1 - \rho) \, dw^2, \quad \Delta = \sqrt{\frac{u + \epsilon}{s + \epsilon}} \, dw, \quad u
# \leftarrow \rho u + (1 - \rho) \, \Delta^2, \quad w \leftarrow w - \eta \Delta.$$


# %% solution="deep-adadelta"
def adadelta(w, dw, config):
    """Move one parameter by Adadelta: config keys "rho"
    (0.9), "epsilon" (1e-6), and the memory "s" and "u".
    """
    ### BEGIN SOLUTION
    rho, eps = config.get("rho", 0.9), config.get("epsilon", 1e-6)
    s = rho * config.get("s", 0.0) + (1 - rho) * dw * dw
    u = config.get("u", 0.0)
    delta = np.sqrt((u + eps) / (s + eps)) * dw
    u = rho * u + (1 - rho) * delta * delta
    return w - config["learning_rate"] * delta, {**config, "s": s, "u": u}
    ### END SOLUTION


# %%
def nesterov(w, dw, config):
    _, config = sgd_momentum(w, dw, config)
    return w + config.get("momentum", 0.9) * config["velocity"] - config["learning_rate"] * dw, config


def adamw(w, dw, config):
    return adam(w * (1 - config["learning_rate"] * config.get("weight_decay", 0.01)), dw, config)


if ready("deep-sgd_momentum", "deep-adam"):
    start, slopes = np.array([1.0, -2.0, 0.5]), np.random.default_rng(5).normal(size=(20, 3))
    extras = {
        nesterov: lambda leaf: torch.optim.SGD([leaf], lr=0.1, momentum=0.9, nesterov=True),
        adamw: lambda leaf: torch.optim.AdamW([leaf], lr=0.1, weight_decay=0.01),
        adadelta: lambda leaf: torch.optim.Adadelta([leaf], lr=0.1),
    }
    for rule, make in extras.items():
        leaf = torch.tensor(start, requires_grad=True)
        theirs, mine = make(leaf), FromRule(rule, learning_rate=0.1)
        ours = {"w": start}
        try:
            for slope in slopes:
                leaf.grad = torch.from_numpy(slope)
                theirs.step()
                ours = mine.step(ours, {"w": slope})
            gap = np.abs(ours["w"] - leaf.detach().numpy()).max()
            print(f"{rule.__name__:9s} after 20 steps, largest difference from PyTorch: {gap:.1e}")
        except NotImplementedError:
            print(f"{rule.__name__:9s} not written yet")

# %% [markdown]
# ## 7. Train a deep net
#
# Everything is yours: the depth, the widths, the rule, its rate. Choose settings for a net of **at least two hidden
# layers** that gets **more than half** of the photographs of CIFAR-10 right.
#
# **How it is judged.** The judge trains a net with Kaiming's weights and *your settings* (all but `num_epochs`) on
# freshly drawn pictures, for 400 steps: 144 grey pixels, eight kinds of things, each light on dark in half of its
# pictures and dark on light in the other. 85 % of 1,000 *other* pictures must be right. Settings that train well on
# photographs reach 97 % and more there; a rate ten times too small, or too large, does not. Then the cell after the
# check must reach the target on the real images, more than 50 % of the validation images of CIFAR-10 or 48 % of
# shapes10, **within five minutes** on two cores.
#
# How to search:
# - take 5,000 images and one epoch first; look at the curve, not only at the end;
# - the rate comes first: vary it by factors of 3. Each rule has its own: near 1e-3 for Adam and RMSprop, 1e-2 for
#   momentum, more for plain SGD;
# - the loss falls, but training and validation stay close and low: more units, more epochs;
# - training far above validation: more `reg`.
#
# `train_deep` below lets the rate sink to 0 along half a cosine, which is worth a point or two.


# %%
def train_deep(settings, X, y, *, progress=True):
    """Train a DeepNet with these settings on rows X; return it and its history."""
    dims = [X.shape[1], *settings["hidden_dims"], 10]
    net = DeepNet(dims, reg=settings["reg"], seed=0)
    solver = Solver(
        net,
        (X, y),
        (X_val, y_val),
        optimizer=FromRule(RULES[settings["rule"]], learning_rate=settings["learning_rate"]),
        rng=np.random.default_rng(0),
        schedule=lambda epoch: cosine(epoch, num_epochs=settings["num_epochs"]),
    )
    return net, solver.train(
        num_epochs=settings["num_epochs"],
        batch_size=settings["batch_size"],
        progress=progress,
    )


# %% solution="deep-train"
deep_settings = {
    "hidden_dims": ...,  # list of 2 to 6 sizes, each at most 512
    "rule": ...,  # "sgd", "momentum", "rmsprop" or "adam"
    "learning_rate": ...,
    "reg": ...,
    "batch_size": ...,  # from 10 to 500
    "num_epochs": ...,  # at most 20
}
### BEGIN SOLUTION
deep_settings |= {
    "hidden_dims": [256, 128],
    "rule": "adam",
    "learning_rate": 1e-3,
    "reg": 1e-3,
    "batch_size": 200,
    "num_epochs": 10,
}
### END SOLUTION

# %% tests="deep-train" points=3
result = check("deep-train", deep_settings)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n06_train import train_case

    train_case(subject, rng, report, side=15, classes=6)


result = result.also(edge_cases, seed=7001)
### END HIDDEN TESTS
result.points

# %% [markdown]
# And now the images.

# %%
target = data.target("deep")
everything = (
    "deep-init_params",
    "deep-fc_forward",
    "deep-fc_loss",
    "deep-sgd_momentum",
    "deep-rmsprop",
    "deep-adam",
)
if ready(*everything, "deep-train"):
    net, history = train_deep(deep_settings, X_train, y_train)
    reached = max(history.val_accuracy)
    print(f"validation accuracy {reached:.3f}: {'target reached' if reached > target else f'the target is {target}'}")
    display(plot_history(history))

# %% [markdown]
# Your four rules on this net, three epochs of 5,000 images each, at a rate that suits each. It is the picture of
# section 6, and this time every line of it is yours.

# %%
if ready(*everything, "deep-train"):
    figure, panel = plt.subplots(figsize=(8, 3.6), layout="constrained")
    rates = {"sgd": 1e-2, "momentum": 1e-2, "rmsprop": 3e-4, "adam": 1e-3}
    for (rule, rate), line in zip(rates.items(), LINES, strict=True):
        chosen = deep_settings | {"rule": rule, "learning_rate": rate, "num_epochs": 3, "batch_size": 100}
        _, curve = train_deep(chosen, X_train[:5000], y_train[:5000], progress=False)
        panel.plot(np.convolve(curve.loss, np.ones(10) / 10, mode="valid"), label=rule, **line)
    panel.set(xlabel="step", ylabel="loss, mean of 10 batches (nats)", title="Your rules, your net")
    panel.legend()
    plt.show()

# %% [markdown]
# A learning rate can also be turned while a net trains. Your Adam moves a small ConvNet here (N10 builds one). **Guess
# before you press Run:** a hundred steps at rate 0.001, thirty at 0.03, then 0.001 again. Does the loss come back?

# %%
from cs231n_lib import widgets

if ready("deep-adam"):
    display(widgets.live_trainer(adam, state={"rule": "Adam", "learning_rate": 0.001}))

# %% [markdown]
# ### The test, once
#
# All choices were made on validation images. Now the test images answer, once.

# %%
if ready(*everything, "deep-train"):
    right = net.loss((data.test.rows() - mean) / spread).argmax(axis=1) == data.test.labels
    share = right.mean()
    error = np.sqrt(share * (1 - share) / len(right))
    print(f"{100 * share:.1f} % ± {100 * error:.1f} % of {len(right):,} test images are right")

# %% [markdown]
# ## What you have
#
# | rule | remembers, for each weight | good for | beware |
# |---|---|---|---|
# | SGD | nothing | understanding | ravines |
# | momentum | a velocity | most image nets, with a schedule | the rate must be found |
# | RMSprop | an average of squares | gradients of very different sizes | its average starts at 0 |
# | Adam | both, corrected | a first try on anything | `reg` is divided away: AdamW |
#
# A net of any depth stands on three things: layers with a backward pass, weights that keep the signal alive, and a rule
# with a memory. Kaiming's rule sets the signal right *once*, at the start; while the net learns, its weights move and
# the signal wanders off again. **N07** sets it right in every step.
