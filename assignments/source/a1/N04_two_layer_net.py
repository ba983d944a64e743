# %% [markdown]
# # N04 · A two-layer net
#
# A linear classifier owns **one template per class**. Horses that look left and horses that look right must share one,
# and what comes out is a horse with two heads. Today you give each class as many templates as it needs: you put one
# layer on top of another, with a bend in between.
#
# You will write every piece yourself, each one forward and then backward: a layer that multiplies, a layer that bends,
# a loss that compares. Then you stack them, check the stack, and train it on images. All deeper nets of this course
# are made of the same pieces; N06 to N10 take them from here.
#
# 30 points · about two and a half hours, of which the computer needs about two minutes.

# %% setup="net-setup"
import numpy as np

from cs231n_lib.check import check, question, ready, show_question
from cs231n_lib.optim import SGD
from cs231n_lib.solver import Solver

# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# ## 1. Where one template is not enough
#
# Three hard cases, drawn in the plane: the two numbers $(x, y)$ of a point stand for the pixels of an image. Class *in*
# is
# - **quadrants**: the points where $x$ and $y$ have the same sign;
# - **ring**: the points with $1 \le \sqrt{x^2 + y^2} \le 2$;
# - **three modes**: the points near one of three centres.
#
# **Guess** how many percent a linear classifier gets right in each. Two classes, so a coin gets 50.

# %%
import matplotlib.pyplot as plt
from IPython.display import display

from cs231n_lib.visualize import decision_regions, image_grid, plot_history, to_unit


def hard_cases(rng, count=600):
    """Return {name: (points (N, 2), labels (N,))}.

    Label 0 is "in", 1 is "out", half of the points each.
    """
    centres = np.array([[-1.5, 1.2], [1.6, 1.5], [0.2, -1.6]])
    inside = {
        "quadrants": lambda p: p[:, 0] * p[:, 1] > 0,
        "ring": lambda p: (np.linalg.norm(p, axis=1) >= 1) & (np.linalg.norm(p, axis=1) <= 2),
        "three modes": lambda p: np.linalg.norm(p[:, None] - centres, axis=2).min(axis=1) < 0.8,
    }
    cases = {}
    for name, rule in inside.items():
        points = rng.uniform(-3, 3, size=(20 * count, 2))
        within = rule(points)
        half = count // 2
        chosen = np.concatenate([np.flatnonzero(within)[:half], np.flatnonzero(~within)[:half]])
        cases[name] = points[chosen], (~within[chosen]).astype(int)
    return cases


cases = hard_cases(np.random.default_rng(4))
for name, (points, labels) in cases.items():
    with_one = np.column_stack([points, np.ones(len(points))])
    # The best plane, by least squares:
    weights = np.linalg.lstsq(with_one, np.eye(2)[labels], rcond=None)[0]
    answers = (with_one @ weights).argmax(axis=1)
    print(f"{name:12s} linear: {100 * np.mean(answers == labels):.0f} % right")
points, labels = cases["quadrants"]
with_one = np.column_stack([points, np.ones(len(points))])
weights = np.linalg.lstsq(with_one, np.eye(2)[labels], rcond=None)[0]
display(
    decision_regions(
        lambda p: (np.column_stack([p, np.ones(len(p))]) @ weights).argmax(axis=1),
        points,
        labels,
        class_names=["in", "out"],
        title="Quadrants: the best a straight line can do",
    )
)

# %% [markdown]
# For the quadrants, four points settle that no line will ever do. Let $f(x, y) = ax + by + c$ be the score of *in*
# minus the score of *out*. Opposite corners add up to the same, whatever $a$, $b$ and $c$ are:
#
# $$f(1, 1) + f(-1, -1) = 2c = f(1, -1) + f(-1, 1).$$
#
# The left sum should be positive, both corners being *in*; the right sum should be negative. It cannot be both.
#
# ## 2. Two layers and a bend
#
# The linear classifier was $f = W x$. The two-layer net is
#
# $$f = W_2 \max(0, W_1 x)$$
#
# where $\max$ works on each number by itself. Read it from the inside. $W_1 x$ compares the image with, say, 100
# templates. $\max(0, \cdot)$, called **ReLU**, keeps those that answer and silences the others. $W_2$ adds up, for each
# class, the templates that speak for it and those that speak against it. A left-looking and a right-looking horse now
# have a template each, and both vote for *horse*. The 100 numbers in the middle are the **hidden units**.
#
# Each layer also has a bias, and our images lie in *rows*, so in code the weights stand on the right:
#
# | | shape | for 200 images, 100 hidden units, 10 classes |
# |---|:---:|:---:|
# | $X$ | $(N, D)$ | 200 x 3072 |
# | $H = \max(0, X W_1 + b_1)$ | $(N, H)$ | 200 x 100 |
# | $S = H W_2 + b_2$ | $(N, C)$ | 200 x 10 |
#
# Do we need the bend? Without it, $(X W_1) W_2 = X (W_1 W_2)$: two matrices in a row are one matrix. See for yourself,
# and see what the second layer costs.

# %%
rng = np.random.default_rng(0)
X, W1, W2 = rng.normal(size=(5, 3072)), rng.normal(size=(3072, 100)), rng.normal(size=(100, 10))
print(
    "largest difference of two linear layers and one:",
    f"{np.abs(X @ W1 @ W2 - X @ (W1 @ W2)).max():.1e}",
)
print(
    "largest difference with the bend in between:    ",
    f"{np.abs(np.maximum(X @ W1, 0) @ W2 - X @ W1 @ W2).max():.1e}",
)
print(f"parameters of a linear classifier: 3072 * 10 + 10 = {3072 * 10 + 10:,}")
both_layers = 3072 * 100 + 100 + 100 * 10 + 10
print(f"parameters of the two-layer net: 3072 * 100 + 100 + 100 * 10 + 10 = {both_layers:,}")

# %% [markdown]
# ## 3. The affine layer
#
# ### Forward
#
# *Affine* means: multiply, then add. One row by hand, two inputs and three outputs:
#
# $$x = (1, 2), \quad w = \begin{pmatrix} 1 & 0 & -1 \\ 3 & 1 & 2 \end{pmatrix}, \quad b = (10, 20, 30)
# \quad\Rightarrow\quad (1 + 6 + 10,\; 0 + 2 + 20,\; -1 + 4 + 30) = (17, 22, 33).$$
#
# The layer should also take images as they are, $(N, 32, 32, 3)$: it flattens each to a row of $D = 32 \cdot 32 \cdot 3
# = 3072$ numbers, in the order in which `reshape` does. What is lost with the shape, we see in section 8.
#
# A forward function returns two things: its result, and a **cache** of what the backward function will need. Here that
# is `(x, w)`. Keep `x` in the shape in which it came.


# %% solution="net-affine_forward"
def affine_forward(x, w, b):
    """Return the output of an affine layer, and a cache for `affine_backward`.

    x : float (N, d1, ..., dk), each x[n] flattened to a row of D = d1 * ... * dk numbers
    w : float (D, M);  b : float (M,)
    Returns (out, cache): out float (N, M); cache (x, w).
    """
    ### BEGIN SOLUTION
    rows = x.reshape(len(x), -1)  # (N, D)
    return rows @ w + b, (x, w)
    ### END SOLUTION


# %% tests="net-affine_forward" points=3
result = check("net-affine_forward", affine_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_affine import affine

    with report.stage("one image, one input, one output"):
        for shape, m in (((1, 2, 5), 3), ((4, 1), 3), ((3, 2, 2, 2), 1), ((1, 1), 1)):
            x, w, b = rng.normal(size=shape), rng.normal(size=(int(np.prod(shape[1:])), m)), rng.normal(size=m)
            out = report.array(subject(x, w, b)[0], (shape[0], m), name="out")
            report.close(out, affine(x, w, b), name="out")


result = result.also(edge_cases, seed=4201)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Backward
#
# Somewhere above, a loss $L$ is computed from `out`. Backpropagation hands you `dout`, the slope of $L$ in each entry
# of `out`: if `out[n, m]` grows by a tiny $\epsilon$, the loss grows by $\epsilon \cdot$ `dout[n, m]`. You hand on the
# slopes in what the layer was given: `dx`, `dw` and `db`. A slope has the shape of the thing it belongs to. Always.
#
# Start with one number each: $\text{out} = x w + b$. Move $x$ by $\epsilon$ and `out` moves by $\epsilon w$, so
# $dx = dout \cdot w$. Likewise $dw = dout \cdot x$ and $db = dout$.
#
# Now with indices. $\text{out}_{nm} = \sum_d x_{nd} w_{dm} + b_m$. The recipe: *find everything that the number
# touches, and add up the slopes that come back.*
#
# - $w_{dm}$ is used by every row $n$, to make $\text{out}_{nm}$, and is multiplied there by $x_{nd}$:
#   $$dw_{dm} = \sum_n x_{nd} \, dout_{nm}.$$
# - $x_{nd}$ is used for every output $m$ of its own row, and is multiplied by $w_{dm}$:
#   $$dx_{nd} = \sum_m dout_{nm} \, w_{dm}.$$
# - $b_m$ is added to every row:
#   $$db_m = \sum_n dout_{nm}.$$
#
# Each sum over a shared index is a matrix product in which that index stands in the middle. Which of the two must be
# transposed, and on which side does it stand? The shapes leave only one way:
#
# | slope | shape | from | and |
# |---|:---:|:---:|:---:|
# | `dw` | $(D, M)$ | $x$: $(N, D)$ | `dout`: $(N, M)$ |
# | `dx` | $(N, D)$, then the shape of $x$ | `dout`: $(N, M)$ | $w$: $(D, M)$ |
# | `db` | $(M,)$ | `dout`: $(N, M)$ | |
#
# Nothing is divided by $N$ here: the loss will be a mean, and has seen to that before `dout` arrives.


# %% solution="net-affine_backward"
def affine_backward(dout, cache):
    """Return the gradients of an affine layer.

    dout : float (N, M), slope of the loss in each entry of out
    cache : from `affine_forward`
    Returns (dx, dw, db) with the shapes of x, w and b; dx is as many-dimensional as x was.
    """
    ### BEGIN SOLUTION
    x, w = cache
    dx = (dout @ w.T).reshape(x.shape)  # (N, M) @ (M, D)
    dw = x.reshape(len(x), -1).T @ dout  # (D, N) @ (N, M)
    return dx, dw, dout.sum(axis=0)  # b was added to every row
    ### END SOLUTION


# %% tests="net-affine_backward" points=5
result = check("net-affine_backward", affine_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_affine import affine_backward_case

    for name, shape, m in (("one image", (1, 3, 2), 4), ("one output", (5, 2, 2, 2), 1), ("one input", (4, 1), 3)):
        x, w, b = rng.normal(size=shape), rng.normal(size=(int(np.prod(shape[1:])), m)), rng.normal(size=m)
        affine_backward_case(subject, report, name, x, w, b, rng.normal(size=(shape[0], m)))


result = result.also(edge_cases, seed=4327)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Trust, and measure. A gradient can always be compared with what happens when you move the input a little, as in N03:
#
# $$\frac{\partial L}{\partial x_i} \approx \frac{L(x + h e_i) - L(x - h e_i)}{2h}.$$

# %%
from cs231n_lib.gradient_check import loss_of_parameter, numerical_gradient

if ready("net-affine_forward", "net-affine_backward"):
    rng = np.random.default_rng(1)
    x, w, b, dout = (rng.normal(size=shape) for shape in ((4, 2, 3), (6, 5), (5,), (4, 5)))
    dx, dw, db = affine_backward(dout, affine_forward(x, w, b)[1])
    for name, slope, function, start in (
        ("dx", dx, lambda v: affine_forward(v, w, b)[0], x),
        ("dw", dw, lambda v: affine_forward(x, v, b)[0], w),
        ("db", db, lambda v: affine_forward(x, w, v)[0], b),
    ):
        measured = numerical_gradient(function, start, dout)
        off = np.abs(slope - measured).max()
        print(f"{name} {slope.shape}: largest difference to the measured slope {off:.0e}")

# %% [markdown]
# Entry by entry, for `dw`. **Guess before you look for it:** what if your code forgot the last image of the batch? Is
# then one row of `dw` wrong, one column, or every entry? Put `dout[:-1]` and `x[:-1]` into the second line, and see.

# %%
from cs231n_lib import widgets

if ready("net-affine_forward", "net-affine_backward"):
    display(
        widgets.gradient_debugger(
            lambda v: (dout * affine_forward(x, v, b)[0]).sum(),
            lambda v: affine_backward(dout, affine_forward(x, v, b)[1])[1],
            w,
        )
    )

# %% [markdown]
# ## 4. ReLU
#
# $\max(0, x)$, on each number by itself, for arrays of any shape. Make a *new* array: the backward function still needs
# to know where $x$ was positive.


# %% solution="net-relu_forward"
def relu_forward(x):
    """Return max(x, 0) entry by entry, and a cache for `relu_backward`.

    x : float array of any shape
    Returns (out, cache): out a new float array of x's shape; cache x.
    """
    ### BEGIN SOLUTION
    return np.maximum(x, 0), x
    ### END SOLUTION


# %% tests="net-relu_forward" points=2
result = check("net-relu_forward", relu_forward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_relu import relu

    with report.stage("one number, a line of them, all negative"):
        for x in (np.array([[-3.0]]), rng.normal(size=7), -rng.uniform(1, 2, size=(2, 3, 4))):
            report.close(report.array(subject(x)[0], x.shape, name="out"), relu(x), name="out")


result = result.also(edge_cases, seed=4421)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Where $x$ is positive, `out` moves as $x$ does, so the slope passes unchanged. Where $x$ is negative, `out` stays at 0
# whatever a tiny step does, so nothing passes:
#
# | $x$ | -2 | 3 | 0 | 1 |
# |---|:---:|:---:|:---:|:---:|
# | `dout` | 5 | -7 | 4 | 6 |
# | `dx` | 0 | -7 | 0 | 6 |
#
# At exactly 0 there is a kink: slope 0 on the left, slope 1 on the right. We agree on 0 there. Note that it is the sign
# of $x$ that decides; that -7 passes although it is negative.


# %% solution="net-relu_backward"
def relu_backward(dout, cache):
    """Return the gradient of ReLU.

    dout : float array of the shape of out;  cache : from `relu_forward`
    Returns dx, of the same shape: dout where x > 0, and 0
    elsewhere, also at x = 0. dout stays as it is.
    """
    ### BEGIN SOLUTION
    return dout * (cache > 0)
    ### END SOLUTION


# %% tests="net-relu_backward" points=2
result = check("net-relu_backward", relu_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_relu import relu_backward_case

    whole = rng.integers(-2, 3, size=(3, 4, 5)).astype(float)
    relu_backward_case(subject, report, "whole numbers", whole, rng.normal(size=whole.shape))
    relu_backward_case(subject, report, "a line of tiny ones", 1e-200 * rng.normal(size=9), rng.normal(size=9))


result = result.also(edge_cases, seed=4513)
### END HIDDEN TESTS
result.points

# %% [markdown]
# What does one hidden unit look like? It is 0 on one side of a line and rises like a ramp on the other. Four ramps,
# added up, make quite a landscape:

# %%
if ready("net-affine_forward", "net-relu_forward"):
    rng = np.random.default_rng(7)
    across = np.linspace(-3, 3, 121)
    plane = np.stack(np.meshgrid(across, across), axis=2).reshape(-1, 2)  # (121 * 121, 2)
    ramps = relu_forward(affine_forward(plane, rng.normal(size=(2, 4)), rng.normal(size=4))[0])[0]
    figure, panels = plt.subplots(1, 5, figsize=(12, 2.6), layout="constrained")
    signs = np.array([1, -1, 1, -1])
    for index, panel in enumerate(panels):
        height = ramps @ signs if index == 4 else ramps[:, index]
        panel.contourf(across, across, height.reshape(121, 121), levels=12, cmap="viridis")
        panel.set(
            title="1 - 2 + 3 - 4" if index == 4 else f"unit {index + 1}",
            xticks=[],
            yticks=[],
            aspect="equal",
        )
    plt.show()

# %% [markdown]
# ## 5. The loss
#
# You know it from N02. The lecture's cat has the scores $s = (3.2, 5.1, -1.7)$ for cat, car and frog. Exponentials make
# them positive: 24.5, 164.0, 0.18. Dividing by their sum makes them probabilities $p = (0.13, 0.87, 0.00)$. The loss is
# $-\log 0.13 = 2.04$. What is new: as a layer, it takes *scores*, wherever they come from, and returns `dscores`.
#
# **Derivation.** For one row with true class $y$,
#
# $$L = -\log \frac{e^{s_y}}{\sum_j e^{s_j}} = -s_y + \log \sum_j e^{s_j}.$$
#
# The first term has slope $-1$ in $s_y$ and 0 in the others. For the second, the slope of $\log u$ is $1/u$, and of $u
# = \sum_j e^{s_j}$ in $s_k$ it is $e^{s_k}$. Together that is $e^{s_k} / \sum_j e^{s_j} = p_k$. So
#
# $$\frac{\partial L}{\partial s_k} = p_k - 1 \text{ if } k = y, \qquad p_k \text{ otherwise}.$$
#
# For the cat: $(0.13 - 1, 0.87, 0.00) = (-0.87, 0.87, 0.00)$. Raise the cat's score, lower the car's, by equal amounts;
# the slopes of a row always add up to 0. With $N$ rows the loss is the **mean**, so each slope is divided by $N$.
#
# **Two traps.** $e^{1000}$ is no number that a computer has. Softmax does not change when the same number is subtracted
# from all scores of a row; subtract the largest *of each row*. And $\log p$ fails when $p$ has underflowed to 0, so
# compute it as $\log p_k = s_k - \log \sum_j e^{s_j}$, from the shifted scores.


# %% solution="net-softmax_loss"
def softmax_loss(scores, y):
    """Return the mean softmax loss of N rows of scores, and its gradient.

    scores : float (N, C), of any size, also in the thousands;  y : int (N,), labels from 0 to C - 1
    Returns (loss, dscores): loss one number, natural logarithm; dscores float (N, C).
    """
    ### BEGIN SOLUTION
    # A shift of each row leaves softmax as it is; the largest exponent becomes 0, so exp cannot overflow.
    shifted = scores - scores.max(axis=1, keepdims=True)  # (N, C)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    each = np.arange(len(y))
    dscores = np.exp(log_probs)
    dscores[each, y] -= 1
    return -log_probs[each, y].mean(), dscores / len(y)
    ### END SOLUTION


# %% tests="net-softmax_loss" points=5
result = check("net-softmax_loss", softmax_loss)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_softmax_loss import softmax_case

    with report.stage("one row, one class for all, equal scores, far apart"):
        softmax_case(subject, report, rng.normal(size=(1, 4)), np.array([3]))
        softmax_case(subject, report, rng.normal(size=(5, 2)), np.ones(5, dtype=np.int32))
        softmax_case(subject, report, np.full((4, 10), 700.0), rng.integers(0, 10, size=4))
        softmax_case(subject, report, rng.normal(0, 1e4, size=(6, 3)), rng.integers(0, 3, size=6))


result = result.also(edge_cases, seed=4603)
### END HIDDEN TESTS
result.points

# %%
if ready("net-softmax_loss"):
    loss, dscores = softmax_loss(np.array([[3.2, 5.1, -1.7]]), np.array([0]))
    print("the cat: loss", round(float(loss), 4), " slopes", np.round(dscores, 2))
    loss, _ = softmax_loss(np.zeros((200, 10)), np.zeros(200, dtype=int))
    print(f"ten classes, knowing nothing: {loss:.4f} = log 10 = {np.log(10):.4f}")

# %% [markdown]
# ## 6. The net
#
# Now stack: affine, ReLU, affine, loss. On the way up every layer leaves a cache; on the way down every layer takes its
# own, in reverse order.
#
# ```
#        W1 b1                          W2 b2               y
#          |                              |                 |
#  X --> affine --> hidden --> ReLU --> affine --> scores --> softmax loss --> data loss
#
#  dX <-- affine <-- .......  <-- ReLU <-- affine <-- dscores <-- loss
#          |                              |
#       dW1 db1                        dW2 db2
# ```
#
# Three more decisions.
#
# **Regularization.** Add $\tfrac12 \lambda \left(\sum W_1^2 + \sum W_2^2\right)$ to the data loss, with $\lambda$ the
# argument `reg`: the course's convention since N02, with the half, so that the slope is simply $\lambda W$. (Other
# texts leave the half out. Look before you compare a `reg` with theirs.) Biases are left alone: they only shift.
#
# **Initial weights.** All zero will not do: every hidden unit would compute the same and get the same gradient,
# forever. So draw $W_1$ and $W_2$ from a normal distribution of mean 0 and standard deviation `weight_scale`, both from
# *one* generator made from `seed`. Biases start at 0. (The course's rule is to pass a generator; here it is a seed,
# because a check can send a number to your code but not a generator.)
#
# **Use your own layers.** The check does not insist; but if a layer is still unfinished or wrong, it will name the one
# to mend first.


# %% solution="net-TwoLayerNet"
class TwoLayerNet:
    """Scores = W2 max(0, W1 x + b1) + b2, with a softmax loss and L2 regularization.

    params : {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}, float arrays;
        a Solver replaces them at every step
    """

    def __init__(self, *, input_dim, hidden_dim, num_classes, weight_scale=1e-3, reg=0.0, seed=0):
        """Draw the parameters.

        input_dim : D, numbers in one image;  hidden_dim : H;  num_classes : C
        weight_scale : standard deviation of the initial weights
        reg : strength of the regularization
        seed : int, decides the weights. float32 makes training twice as fast; float64 is right too.
        """
        ### BEGIN SOLUTION
        draws = np.random.default_rng(seed)
        self.reg = reg
        self.params = {
            "W1": weight_scale * draws.normal(size=(input_dim, hidden_dim)),
            "b1": np.zeros(hidden_dim),
            "W2": weight_scale * draws.normal(size=(hidden_dim, num_classes)),
            "b2": np.zeros(num_classes),
        }
        self.params = {name: values.astype(np.float32) for name, values in self.params.items()}
        ### END SOLUTION

    def loss(self, X, y=None):
        """Return the scores of X; with labels, the loss and its gradients.

        X : float (N, d1, ..., dk) with d1 * ... * dk = D;  y : int (N,) or None
        Returns scores (N, C) if y is None, else (loss, grads):
        a number, and a dict with the keys and shapes of params.
        """
        ### BEGIN SOLUTION
        p = self.params
        before, affine1 = affine_forward(X, p["W1"], p["b1"])  # (N, H)
        hidden, relu = relu_forward(before)
        scores, affine2 = affine_forward(hidden, p["W2"], p["b2"])  # (N, C)
        if y is None:
            return scores

        data_loss, dscores = softmax_loss(scores, y)
        dhidden, dW2, db2 = affine_backward(dscores, affine2)
        _, dW1, db1 = affine_backward(relu_backward(dhidden, relu), affine1)
        squares = (p["W1"] ** 2).sum() + (p["W2"] ** 2).sum()
        grads = {"W1": dW1 + self.reg * p["W1"], "b1": db1, "W2": dW2 + self.reg * p["W2"], "b2": db2}
        return data_loss + 0.5 * self.reg * squares, grads
        ### END SOLUTION


# %% tests="net-TwoLayerNet" points=8
result = check("net-TwoLayerNet", TwoLayerNet)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_net import net_case

    net_case(subject, rng, report, (1, 4), 3, 2, reg=1.5, name="one row")
    net_case(subject, rng, report, (5, 2, 2, 3), 1, 4, reg=0.01, name="one hidden unit")
    net_case(subject, rng, report, (4, 1), 4, 4, reg=0.2, name="equal sizes")


result = result.also(edge_cases, seed=4703)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Before you train anything, ask it three questions that you know the answers to. A fresh net on ten classes knows
# nothing: its loss must be near $\log 10 = 2.30$. With regularization it must be higher. And the gradients must be what
# small steps measure.

# %%
if ready("net-TwoLayerNet"):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(200, 3072)), rng.integers(0, 10, size=200)
    for reg in (0.0, 0.5):
        fresh = TwoLayerNet(
            input_dim=3072,
            hidden_dim=50,
            num_classes=10,
            reg=reg,
            weight_scale=1e-2,
            seed=1,
        )
        print(f"reg {reg}: loss of a fresh net {fresh.loss(X, y)[0]:.4f}")
    small = TwoLayerNet(
        input_dim=12,
        hidden_dim=7,
        num_classes=4,
        reg=0.7,
        weight_scale=0.5,
        seed=1,
    )
    small.params = {name: values.astype(np.float64) for name, values in small.params.items()}
    X, y = rng.normal(size=(6, 12)), rng.integers(0, 4, size=6)
    for name, grad in small.loss(X, y)[1].items():
        measured = numerical_gradient(loss_of_parameter(small, name, X, y), small.params[name])
        print(
            f"d{name}: largest difference to the measured slope {np.abs(grad - measured).max():.0e}",
        )

# %% [markdown]
# ## 7. The hard cases again: how many hidden units?
#
# The library's `Solver` does what you wrote in N02: it takes batches, asks `model.loss(X, y)` for gradients, lets an
# optimizer move `model.params`, and at the end puts back the parameters of the best validation epoch. `SGD` is the
# plain step $w \leftarrow w - \eta \, dw$; a `schedule` lets $\eta$ shrink as training goes on.
#
# **Guess** for each case: how many hidden units does it take to get 95 % right? About ten seconds.

# %%
widths = (1, 2, 3, 4, 8, 32)


def fit(points, labels, width):
    """Train a net of `width` hidden units on the points and
    return it with its share of right answers.
    """
    net = TwoLayerNet(input_dim=2, hidden_dim=width, num_classes=2, weight_scale=1.0, seed=1)
    both = points, labels  # nothing to choose here, so the same points serve for validation
    shrinking = Solver(
        net,
        both,
        both,
        optimizer=SGD(learning_rate=1.0),
        rng=np.random.default_rng(1),
        schedule=lambda epoch: 1 - epoch / 101,
    )
    return net, max(shrinking.train(num_epochs=100, batch_size=50, progress=False).val_accuracy)


if ready("net-TwoLayerNet"):
    print("hidden units", "".join(f"{width:7d}" for width in widths), "   (% right)")
    nets = {}
    for name, (points, labels) in cases.items():
        runs = [fit(points, labels, width) for width in widths]
        nets[name] = runs[-1][0]
        print(f"{name:12s}", "".join(f"{100 * share:7.0f}" for _, share in runs))
    for name, (points, labels) in cases.items():
        display(
            decision_regions(
                lambda p, net=nets[name]: net.loss(p).argmax(axis=1),
                points,
                labels,
                class_names=["in", "out"],
                title=f"{name}: 32 hidden units",
            )
        )

# %% [markdown]
# The boundary is made of straight pieces, with a bend wherever it crosses the edge of a hidden unit. So a ring needs
# many to look round, and four units look like a diamond.
#
# Watch it happen, with your loss and your gradients beside the library's. **Guess before you press Run:** three hidden
# units; which shape will close around the inner class, and where will its corners lie?

# %%
from cs231n_lib import widgets


def playground_loss(params, X, y, reg):
    """Return loss and gradients of your net with these parameters; one hidden layer."""
    hidden, classes = params["W1"].shape[1], len(params["b2"])
    net = TwoLayerNet(input_dim=2, hidden_dim=hidden, num_classes=classes, reg=reg)
    net.params = params
    return net.loss(X, y)


if ready("net-TwoLayerNet"):
    display(widgets.mlp_playground(playground_loss, state={"width": 3, "rate": 0.3}))

# %% [markdown]
# Before networks, people made such features by hand. **Guess before you move anything:** with one bump over each of the
# three modes a straight line is enough; who knows where to put the bumps?

# %%
from cs231n_lib import widgets

widgets.hard_cases(state={"case": "modes", "features": "bumps"})

# %% [markdown]
# **Question 1.** Training found its weights by stumbling downhill. Find some by thinking. Give weights of a net with
# **at most four hidden units** that labels *every* point of the plane off the axes: class 0 has the higher score where
# $x$ and
# $y$ have the same sign, class 1 where they have not. It must be right everywhere, also at $(0.001, -50)$.
#
# Two hints. Compare $|x + y|$ with $|x - y|$ in each quadrant. And $|t| = \max(0, t) + \max(0, -t)$.

# %% solution="net-q1"
quadrant_net = {"W1": ..., "b1": ..., "W2": ..., "b2": ...}  # shapes (2, H), (H,), (H, 2), (2,)
### BEGIN SOLUTION
quadrant_net = {
    "W1": [[1, -1, 1, -1], [1, -1, -1, 1]],  # x + y, -(x + y), x - y, -(x - y)
    "b1": [0, 0, 0, 0],
    "W2": [[1, 0], [1, 0], [0, 1], [0, 1]],  # |x + y| for class 0, |x - y| for class 1
    "b2": [0, 0],
}
### END SOLUTION

# %% tests="net-q1" points=1
result = check("net-q1", quadrant_net)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("close to the axes and far out"):
        net = {key: np.asarray(value, dtype=float) for key, value in subject.value().items()}
        points = rng.choice([-1.0, 1.0], size=(500, 2)) * [[1e-4, 30.0]]
        points[::2] = points[::2, ::-1]
        scores = np.maximum(points @ net["W1"] + net["b1"], 0) @ net["W2"] + net["b2"]
        wrong = (scores[:, 0] > scores[:, 1]) != (points.prod(axis=1) > 0)
        report.require(not wrong.any(), "a point near an axis is on the wrong side")


result = result.also(edge_cases, seed=4801)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question 2.** How large is such a net? The linear classifier of N02 had $10 \cdot (3072 + 1) = 30{,}730$ numbers
# to learn. A hidden layer of 100 units has $100 \cdot 3073$, and the scores on top of it $10 \cdot 101$: together
# 308,310. Now a net of your own.

# %%
show_question("net-q2", student)

# %% solution="net-q2"
net_size = {"parameters": ..., "multiplications": ..., "reg_gradient": ...}
### BEGIN SOLUTION
mine = question("net-q2", student)
numbers_in = 3 * mine["height"] * mine["width"]
up, across = numbers_in * mine["hidden"], mine["hidden"] * mine["classes"]
net_size["parameters"] = up + mine["hidden"] + across + mine["classes"]
net_size["multiplications"] = up + across
net_size["reg_gradient"] = mine["weight"] * mine["reg"]  # the slope of reg w w / 2
### END SOLUTION

# %% tests="net-q2" points=1
result = check("net-q2", net_size, student=student)
result.points

# %% [markdown]
# ## 8. Images
#
# Now the real thing. First the data: 1,000 training images are set aside for validation. Then the pixels are shifted
# and scaled so that they are around 0 and of size 1; the numbers for that come from the **training images alone**,
# because a validation image must be as new as any image will be. The rows take about 600 MB for CIFAR-10.

# %%
from cs231n_lib.data import load_dataset

data = load_dataset().subset(val=1000)
X_train, y_train = data.train.rows(), data.train.labels  # float32 (N, 3072), int64 (N,)
X_val, y_val = data.val.rows(), data.val.labels
mean = X_train.mean(axis=0)  # (3072,)
X_train -= mean
scale = X_train[:5000].std()  # one number for all pixels
X_train /= scale
X_val = (X_val - mean) / scale
target = data.target("two_layer")
print(f"{len(X_train):,} training rows of {X_train.shape[1]} numbers; target: {target} of the validation images")

# %% [markdown]
# ### What an affine layer does not see
#
# Flattening turns 32 x 32 x 3 into 3072 numbers in a row: **the spatial structure is destroyed**. Shuffle the pixels of
# all images by one fixed permutation, and shuffle the rows of $W_1$ alike: every score stays what it was. To this net
# the two pictures below are equally good pictures.

# %%
order = np.random.default_rng(3).permutation(3072)
if ready("net-TwoLayerNet"):
    straight = TwoLayerNet(input_dim=3072, hidden_dim=20, num_classes=10, weight_scale=1e-2, seed=5)
    shuffled = TwoLayerNet(input_dim=3072, hidden_dim=20, num_classes=10, weight_scale=1e-2, seed=5)
    shuffled.params["W1"] = straight.params["W1"][order]
    gap = np.abs(straight.loss(X_val[:100]) - shuffled.loss(X_val[:100, order])).max()
    print(f"largest difference of the scores: {gap:.1e}")
pixels = data.val.images[:6].reshape(6, -1)
both = np.concatenate([pixels, pixels[:, order]]).reshape(12, 32, 32, 3)
display(
    image_grid(
        both,
        captions=["as it is"] * 6 + ["shuffled"] * 6,
        columns=6,
        title="The same to a two-layer net",
    )
)

# %% [markdown]
# N09 mends that with convolutions. Until then, see how far templates get.
#
# ### Train it
#
# Write `train_net`: make a `TwoLayerNet`, give it to a `Solver` with `SGD`, train, return both. The decisions are
# yours, and they are graded: hidden units, `weight_scale`, `reg`, learning rate, batch size, epochs.
#
# **How it is judged.** Your function gets 4,000 freshly drawn pictures of 12 x 12 grey pixels: eight kinds of things,
# each light on dark in half of its pictures and dark on light in the other half. One template per class is lost on
# these (logistic regression: 13 %). The parameters that your net ends with must label **90 %** of 1,000 *other*
# pictures right, within 15 seconds; one second is enough. Then, in the cell after the check, the same function must
# reach the target on the images above, more than 48 % of CIFAR-10's validation images or 50 % of shapes10's, **within a
# minute**.
#
# A way to search, on a few thousand images at first:
# - The loss does not move? Longer steps, or larger initial weights. It explodes? Shorter steps: divide by 3.
# - Training and validation accuracy both low and still rising: more epochs or a larger learning rate.
# - Training high, validation low: more `reg`. Both stuck: more hidden units, less `reg`.
# - Vary learning rate and `reg` by factors of 3 or 10, not by adding a little.
# - What counts is the number of *steps*. 49,000 images in batches of 100 are 490 steps an epoch; 4,000 are only 40. So
#   let the number of epochs depend on `len(X_train)`.


# %% solution="net-train"
def train_net(X_train, y_train, X_val, y_val, *, progress=False):
    """Train a two-layer net with values that you found good.

    X_train : float32 (N, D), rows around 0 of size about 1
    y_train : int (N,), labels from 0, each class present
    X_val, y_val : the same for validation
    progress : whether to show a progress bar
    Returns (net, history): the trained TwoLayerNet and what
    Solver.train returned. The inputs stay as they are.
    """
    ### BEGIN SOLUTION
    sizes = {"input_dim": X_train.shape[1], "hidden_dim": 100, "num_classes": int(y_train.max()) + 1}
    net = TwoLayerNet(**sizes, weight_scale=1e-2, reg=1e-3, seed=0)
    trainer = Solver(
        net, (X_train, y_train), (X_val, y_val), optimizer=SGD(learning_rate=0.05), rng=np.random.default_rng(0)
    )
    # At least 1,000 steps of 100, however few images there are.
    num_epochs = max(5, 100_000 // len(X_train))
    return net, trainer.train(num_epochs=num_epochs, batch_size=100, progress=progress)
    ### END SOLUTION


# %% tests="net-train" points=3
result = check("net-train", train_net)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n04_train import train_case

    train_case(subject, rng, report, side=15, classes=5)


result = result.also(edge_cases, seed=4909)
### END HIDDEN TESTS
result.points

# %% [markdown]
# And now the images. The reference takes about 20 seconds on one core.

# %%
if ready("net-TwoLayerNet", "net-train"):
    net, history = train_net(X_train, y_train, X_val, y_val, progress=True)
    reached = max(history.val_accuracy)
    print(f"validation accuracy {reached:.3f}: {'target reached' if reached > target else f'the target is {target}'}")
    display(plot_history(history))

# %% [markdown]
# Look at what it has learned. Each picture below is one column of $W_1$, drawn as the image that this hidden unit
# answers to most. The softmax classifier of N02 had ten of these. **Look for** pairs of opposite colours: one unit for
# light on dark, another for dark on light.

# %%
if ready("net-TwoLayerNet", "net-train"):
    strength = np.linalg.norm(net.params["W1"], axis=0) * np.linalg.norm(net.params["W2"], axis=1)
    strongest = np.argsort(-strength)[:50]
    templates = to_unit(net.params["W1"].T[strongest].reshape(-1, 32, 32, 3))
    display(image_grid(templates, columns=10, title="The 50 hidden units that matter most"))

# %% [markdown]
# ### The test, once
#
# Every choice was made on validation images. The test images were not touched; now they are, once.

# %%
if ready("net-TwoLayerNet", "net-train"):
    test_rows = (data.test.rows() - mean) / scale
    right = net.loss(test_rows).argmax(axis=1) == data.test.labels
    share = right.mean()
    error = np.sqrt(share * (1 - share) / len(right))
    print(f"{100 * share:.1f} % ± {100 * error:.1f} % of {len(right):,} test images are right")

# %% [markdown]
# ## What you have
#
# | | linear classifier | two-layer net |
# |---|---|---|
# | formula | $W x$ | $W_2 \max(0, W_1 x)$ |
# | templates | one per class | as many as hidden units, shared by all classes |
# | boundaries | straight | made of straight pieces |
# | parameters, 10 classes of 3072 numbers | 30,730 | 308,310 with 100 hidden units |
# | what it knows of pixels being neighbours | nothing | nothing |
#
# And you have five functions that any net can be built from. **N05** asks what happens when the pixels are replaced by
# better numbers; **N06** stacks your layers higher, and finds out why that is harder than it looks.
