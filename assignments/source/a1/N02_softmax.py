# %% [markdown]
# # N02 · A linear classifier, and the softmax loss
#
# k-NN keeps every image and works when it is asked. The classifier of this notebook does the opposite: it looks at the
# images once, keeps **ten rows of numbers**, and throws the images away. To label a new image takes ten dot products.
# It is also the brick that every network of this course is built of.
#
# You will compute its scores by hand and catch a printed mistake, turn scores into probabilities, derive a gradient and
# write it twice, train, tune, look at what was learned, and see what no line can do.
#
# 45 points · about four hours, of which the computer needs about two minutes.

# %% setup="softmax-setup"
import numpy as np

from cs231n_lib.check import check, question, ready, show_question


def prepare(images, mean_image):
    """Return one row per image: pixels in 0..1 less the mean image, and a 1 at the end.

    images : uint8 (N, H, W, 3)
    mean_image : float (H, W, 3), the mean of images / 255 over the training images
    Returns float32 (N, H*W*3 + 1).
    """
    rows = (images / np.float32(255) - mean_image).reshape(len(images), -1)
    return np.hstack([rows, np.ones((len(rows), 1))]).astype(np.float32)


# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# ## 1. Ten dot products
#
# Take an image of four pixels, 56, 231, 24 and 2, and three classes. Each class has a row of four **weights**, one for
# each pixel, and a **bias**, a number of its own:
#
# | | weights | | | | bias | printed score |
# |---|:---:|:---:|:---:|:---:|:---:|:---:|
# | cat | 0.2 | -0.5 | 0.1 | 2.0 | 1.1 | -96.8 |
# | dog | 1.5 | 1.3 | 2.1 | 0.0 | 3.2 | 437.9 |
# | ship | 0.0 | 0.25 | 0.2 | -0.3 | -1.2 | 61.95 |
#
# The **score** of a class is the sum of weight times pixel, plus the bias. The class with the highest score is the
# answer. In symbols, with $C$ classes and $D$ pixels, the weights a matrix $W$ of shape $(C, D)$, the image $x$ of
# shape $(D,)$ and the biases $b$ of shape $(C,)$,
#
# $$f(x, W) = W x + b, \qquad (C, D)\,(D,) + (C,) \to (C,).$$
#
# For CIFAR-10, ten classes and $32 \cdot 32 \cdot 3$ numbers, that is $(10, 3072)\,(3072,) + (10,) \to (10,)$. Every
# large network since, from the eight layers of Krizhevsky (2012) to the 152 of He (2015), has such layers for bricks.
#
# This is the **algebraic** view of the classifier. The table is a famous picture of this course, and for years it was
# printed with a mistake: **one of the three scores is wrong.** Compute all three, find it, and find what went wrong:
#
# - **A** the last product, of the fourth pixel, was left out;
# - **B** the bias was left out;
# - **C** the bias was subtracted where it should be added;
# - **D** one weight was read as 0.2 where it is 0.25.
#
# Last, count: how many numbers, weights and biases together, does such a classifier have for colour images of
# 32 x 32 pixels and ten classes?

# %% solution="softmax-four_pixels"
four_pixels = {"cat": ..., "dog": ..., "ship": ..., "misprinted": ..., "slip": ..., "cifar_parameters": ...}
### BEGIN SOLUTION
weights = np.array([[0.2, -0.5, 0.1, 2.0], [1.5, 1.3, 2.1, 0.0], [0.0, 0.25, 0.2, -0.3]])  # (3, 4)
by_hand = weights @ np.array([56, 231, 24, 2]) + np.array([1.1, 3.2, -1.2])  # (3,)
four_pixels.update(zip(["cat", "dog", "ship"], by_hand.tolist(), strict=True))
four_pixels.update(misprinted="ship", slip="B", cifar_parameters=(32 * 32 * 3 + 1) * 10)
### END SOLUTION

# %% tests="softmax-four_pixels" points=3
result = check("softmax-four_pixels", four_pixels)
### BEGIN HIDDEN TESTS
result = result.also(seed=2003)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### One matrix instead of two things
#
# Carrying $b$ along is a nuisance. Give every image one pixel more that is always 1: then its weight *is* the bias. And
# since images are rows of a table $X$ from now on, we turn $W$ over, one **column** per class:
#
# $$S = X\,W, \qquad (N, D)\,(D, C) \to (N, C).$$
#
# From here on $D$ counts the extra 1, and the **last row of $W$ holds the biases**. `prepare`, in the first cell, makes
# such rows: it scales pixels to 0..1, takes off the mean image, and appends the 1.

# %%
pixels_and_one = np.array([56, 231, 24, 2, 1])
columns = np.array(
    [[0.2, -0.5, 0.1, 2.0, 1.1], [1.5, 1.3, 2.1, 0.0, 3.2], [0.0, 0.25, 0.2, -0.3, -1.2]],
).T  # (5, 3)
print("W has shape", columns.shape, "and the scores are", np.round(pixels_and_one @ columns, 2))

# %% [markdown]
# ### Two other ways to see the same thing
#
# **Visual.** A column of $W$, without its bias, has as many numbers as an image: it can be drawn as one. A dot product
# is large when both have large values in the same places, so the column acts as a **template**, and the score says how
# well the image fits it. One template per class, no more. You will draw your own in part 5.
#
# **Geometric.** An image is a point in a space of $D$ dimensions. Where the scores of two classes are equal lies a flat
# boundary: a line in two dimensions, a *hyperplane* in 3072. Below, three classes of points in the plane, and the
# regions in which each of three scores is the highest.

# %%
from IPython.display import display

from cs231n_lib.visualize import class_templates, confusion_matrix, decision_regions, image_grid

plane_W = np.array(
    [[2.0, -1.6, -0.4], [0.3, 1.5, -1.8], [0.1, 0.2, -0.3]],
)  # (3, 3): x, y and the 1
blob_rng = np.random.default_rng(4)
blob_labels = np.repeat([0, 1, 2], 25)
blobs = np.array([[1.5, 0.4], [-1.2, 1.2], [-0.3, -1.6]])[blob_labels] + 0.45 * blob_rng.normal(
    size=(75, 2),
)


def region_of(points):
    """Return the class of the highest score at each point (M, 2)."""
    return np.argmax(np.hstack([points, np.ones((len(points), 1))]) @ plane_W, axis=1)


display(
    decision_regions(
        region_of,
        blobs,
        blob_labels,
        class_names=["cat", "dog", "ship"],
        title="Flat boundaries",
    )
)

# %% [markdown]
# All three views at once, for the four pixels of part 1. **Guess before you move anything:** if one weight of the cat
# grows, does the cat's line move without turning, or does it turn?

# %%
from cs231n_lib import widgets

widgets.linear_views()

# %% [markdown]
# ## 2. From scores to probabilities
#
# A cat gets the scores cat 3.2, car 5.1, frog -1.7. That is wrong, but *how* wrong? Let us read the scores as
# probabilities. Probabilities must be at least 0: take $e^s$ of each score $s$. They must sum to 1: divide by the sum.

# %%
scores = np.array([3.2, 5.1, -1.7])
unnormalized = np.exp(scores)
probabilities = unnormalized / unnormalized.sum()
loss_of_cat = -np.log(probabilities[0])
print("scores       ", "  ".join(f"{v:8.2f}" for v in scores))
print("exp          ", "  ".join(f"{v:8.2f}" for v in unnormalized))
print("probabilities", "  ".join(f"{v:8.2f}" for v in probabilities))
print(f"loss of the cat: -log({probabilities[0]:.4f}) = {loss_of_cat:.4f} nats", end="")
print(f" = {loss_of_cat / np.log(2):.2f} bits")
assert np.allclose(unnormalized, [24.5, 164.0, 0.18], atol=0.05)
assert np.allclose(probabilities, [0.13, 0.87, 0.00], atol=0.005)
assert abs(loss_of_cat - 2.0404) < 5e-5

# %% [markdown]
# This is the **softmax** function. The scores that go in are called **logits**: unnormalized log-probabilities. For
# image $i$ with scores $s_1, \dots, s_C$ and label $y_i$,
#
# $$P(Y = k \mid x_i) = \frac{e^{s_k}}{\sum_j e^{s_j}}, \qquad L_i = -\log P(Y = y_i \mid x_i).$$
#
# Why the logarithm? Choose the $W$ that makes the labels we saw most likely: **maximum likelihood**. The likelihood of
# $N$ independent labels is the product of their probabilities, which no computer can hold for $N = 50{,}000$; its
# logarithm is a sum. To make that sum large is to make the mean of $-\log P$ small. A logarithm to base 2 counts in
# bits, the natural one in *nats*; losses are in nats.
#
# ### Comparing two distributions
#
# There is another road to the same loss. The label says that the right probabilities are $P = (1, 0, 0)$; the
# classifier says $Q = (0.13, 0.87, 0.00)$. How far is $Q$ from $P$? Information theory answers with the
# **Kullback-Leibler divergence**,
#
# $$D_{KL}(P \,\|\, Q) = \sum_y P(y) \log \frac{P(y)}{Q(y)},$$
#
# which is 0 when $Q = P$ and positive otherwise. A class that never occurs, $P(y) = 0$, adds nothing, since
# $p \log p \to 0$ as $p \to 0$; NumPy does not know that, and says `nan`. And a $Q$ that gives 0 to something that does
# happen is infinitely far off: `inf` is then the right answer.


# %% solution="softmax-kl"
def kl_divergence(P, Q):
    """Return the KL divergence of each row of P to the same row of Q, in nats.

    P, Q : float (N, C), each row at least 0 with sum 1
    Returns float (N,). A class with P = 0 adds 0;
    the value is inf where P > 0 and Q = 0. Never nan.
    """
    ### BEGIN SOLUTION
    occurs = P > 0
    with np.errstate(divide="ignore"):  # a division by Q = 0 gives the inf that is wanted
        ratio = np.divide(P, Q, out=np.ones(P.shape), where=occurs)
    return (P * np.log(ratio)).sum(axis=1)
    ### END SOLUTION


# %% tests="softmax-kl" points=2
result = check("softmax-kl", kl_divergence)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_information import distributions

    with report.stage("a distribution and itself"):
        p = distributions(rng, 6, 4)
        p[0] = [0.0, 0.0, 1.0, 0.0]
        report.close(report.array(subject(p, p.copy()), (6,)), np.zeros(6), atol=1e-12, name="the divergence")
    with report.stage("one class, one row"):
        report.close(report.array(subject(np.ones((3, 1)), np.ones((3, 1))), (3,)), np.zeros(3), name="the divergence")
        got = report.array(subject(np.array([[0.5, 0.5]]), np.array([[0.75, 0.25]])), (1,))
        report.close(got, [np.log(4 / 3) / 2], rtol=1e-9, name="the divergence")


result = result.also(edge_cases, seed=2011)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The **cross entropy** leaves out the part that does not depend on $Q$, the entropy $H(P) = -\sum_y P \log P$:
#
# $$H(P, Q) = -\sum_y P(y) \log Q(y) = H(P) + D_{KL}(P \,\|\, Q).$$
#
# Write it from its own formula, with the same care for zeros. The exercise shall not depend on the one before.


# %% solution="softmax-cross_entropy"
def cross_entropy(P, Q):
    """Return the cross entropy of each row of P and the same row of Q, in nats.

    P, Q : float (N, C), each row at least 0 with sum 1
    Returns float (N,). A class with P = 0 adds 0;
    the value is inf where P > 0 and Q = 0. Never nan.
    """
    ### BEGIN SOLUTION
    with np.errstate(divide="ignore"):
        log_q = np.log(Q, out=np.zeros(Q.shape), where=P > 0)
    return -(P * log_q).sum(axis=1)
    ### END SOLUTION


# %% tests="softmax-cross_entropy" points=1
result = check("softmax-cross_entropy", cross_entropy)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("certain and uniform"):
        sure, even = np.eye(5), np.full((5, 5), 0.2)
        report.close(report.array(subject(sure, even), (5,)), np.full(5, np.log(5)), name="the cross entropy")
        report.close(report.array(subject(even, even), (5,)), np.full(5, np.log(5)), name="the cross entropy")
        report.close(report.array(subject(sure, sure), (5,)), np.zeros(5), name="the cross entropy")


result = result.also(edge_cases, seed=2017)
### END HIDDEN TESTS
result.points

# %% [markdown]
# For a label, $P$ is 1 in one place: $H(P) = 0$, and cross entropy, divergence and $-\log$ of the label's probability
# are one and the same number. Not so when the label itself is unsure: *label smoothing* replaces $(1, 0, 0)$ by, say,
# $(0.9, 0.05, 0.05)$, and then the cross entropy cannot reach 0 however good $Q$ is.

# %%
if ready("softmax-kl", "softmax-cross_entropy"):
    Q = probabilities[None]
    for name, P in (("label", np.array([[1.0, 0, 0]])), ("smoothed", np.array([[0.9, 0.05, 0.05]]))):
        divergence, cross = kl_divergence(P, Q)[0], cross_entropy(P, Q)[0]
        own = cross_entropy(P, P)[0]  # that of P with itself is its entropy
        print(f"{name:9s} H(P) = {abs(own):.4f}  D_KL = {divergence:.4f}  cross entropy = {cross:.4f}")
        assert abs(own + divergence - cross) < 1e-12

# %% [markdown]
# **Question: two losses.** Before any learning $W$ is almost zero, so all scores are nearly equal, each of $C$
# classes gets the probability $1/C$, and the loss is $-\log(1/C)$: for ten classes 2.303. It is the first number to
# look at in any training run: if it is off, something is broken already.
#
# The scores 3.2, 5.1, -1.7 with the label in the first place gave $-\log 0.13 = 2.04$. Now with numbers of your own.
# Three digits will do; expressions such as `np.log(7)` are welcome.

# %%
show_question("softmax-q1", student)

# %% solution="softmax-q1"
two_losses = {"first_loss": ..., "probability": ..., "loss": ...}
### BEGIN SOLUTION
mine = question("softmax-q1", student)
exps = np.exp(mine["scores"])
shares = exps / exps.sum()
likely = shares[["first", "second", "third"].index(mine["label"])]
two_losses = {"first_loss": -np.log(1 / mine["classes"]), "probability": likely, "loss": -np.log(likely)}
### END SOLUTION

# %% tests="softmax-q1" points=2
result = check("softmax-q1", two_losses, student=student)
result.points

# %% [markdown]
# ## 3. The loss and its gradient
#
# The loss of a batch is the mean over its $N$ images, plus a price for large weights, the **regularization**. This
# course has one convention for it, in every notebook: half of `reg` times the sum of squares, and **biases are free**.
#
# $$L(W) = \frac1N \sum_{i=1}^N L_i \;+\; \tfrac12\,\mathrm{reg} \sum_{d < D,\,j} W_{dj}^2
# \qquad \text{(the last row of } W \text{ is left out)}.$$
#
# ### Huge scores
#
# $e^{710}$ is too large for a float: it is `inf`, and `inf / inf` is `nan`. Scores of 1000 do occur. But softmax does
# not change when the same number is taken off all scores of an image. Take off the largest: then every exponent is at
# most 0, and nothing overflows. Each row has **its own** largest score.
#
# One more trap: a probability can be too *small* and round to 0, and $\log 0 = -\infty$. So never take the logarithm of
# a probability; compute it directly. With $z_j = s_j - \max_k s_k$,
#
# $$\log p_j = z_j - \log \sum_k e^{z_k}.$$

# %%
with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
    large = np.array([1000.0, 0.0])
    naive_p = np.exp(large) / np.exp(large).sum()
    z = large - large.max()
    print("as it stands     p =", naive_p)
    print("largest taken off p =", np.exp(z) / np.exp(z).sum(), " log p =", z - np.log(np.exp(z).sum()))

# %% [markdown]
# ### The gradient, step by step
#
# We need the slope of the loss along each of the $D \cdot C$ entries of $W$. One image first; call its label $y$.
#
# **Step 1, scores.** Write the loss with the logarithm multiplied out:
#
# $$L_i = -s_y + \log \sum_k e^{s_k}.$$
#
# The first part has slope $-1$ along $s_y$ and 0 along the other scores. The second is $\log u$ with $u = \sum_k
# e^{s_k}$. The slope of $\log u$ is $1/u$, and only one term of $u$ contains $s_j$, with slope $e^{s_j}$. By the chain
# rule
#
# $$\frac{\partial}{\partial s_j} \log u = \frac1u \cdot e^{s_j} = \frac{e^{s_j}}{\sum_k e^{s_k}} = p_j.$$
#
# Both parts together:
#
# $$\frac{\partial L_i}{\partial s_j} = p_j - [j = y], \qquad \text{shape } (C,),$$
#
# where $[j = y]$ is 1 for the label and 0 elsewhere. For the cat above that is $(0.13 - 1,\ 0.87,\ 0.00)$: raise cat's
# score, lower car's, leave frog alone. The three add up to 0.
#
# **Step 2, weights.** $s_j = \sum_d x_d W_{dj}$, so $W_{dj}$ moves only $s_j$, and by $x_d$ per unit:
#
# $$\frac{\partial L_i}{\partial W_{dj}} = x_d\,\bigl(p_j - [j = y]\bigr),
# \qquad (D, 1)\,(1, C) \to (D, C).$$
#
# Each column of the gradient is the image itself, times one number. See it on a cat of two pixels, 2 and 0.5, with the
# 1 at the end:

# %%
tiny_cat = np.array([2.0, 0.5, 1.0])  # (D,) = (3,)
score_slopes = probabilities - np.array([1, 0, 0])  # (C,): cat, car, frog
print("slopes along the scores ", np.round(score_slopes, 2), " sum", abs(round(score_slopes.sum(), 12)))
print("slopes along the weights (D, C):")
print(np.round(tiny_cat[:, None] * score_slopes, 2))

# %% [markdown]
# **Step 3, batch.** The loss is the mean over the images, so its slope is the mean of their slopes:
#
# $$\frac{\partial}{\partial W_{dj}} \frac1N \sum_i L_i = \frac1N \sum_{i=1}^N x_{id}\,\bigl(p_{ij} - [j = y_i]\bigr),
# \qquad (D, C).$$
#
# **Step 4, price.** The slope of $\tfrac12\,\mathrm{reg}\,w^2$ is $\mathrm{reg}\cdot w$: that is what the half is for.
# Add $\mathrm{reg}\cdot W_{dj}$, and nothing in the row of the biases.
#
# Now write it as it stands, with a loop over the images and one over the classes.


# %% solution="softmax-naive"
def softmax_loss_naive(W, X, y, reg):
    """Return the softmax loss and its gradient, with explicit loops.

    W : float (D, C), the last row holds the biases
    X : float (N, D), the last column is 1
    y : int (N,) in [0, C)
    reg : float, the strength of the regularization
    Returns (loss, dW): a number, the mean over the images plus
    0.5 * reg * (sum of squares of W without its last row), and its gradient, float (D, C).
    Scores of any size are fine. No input is changed.
    """
    ### BEGIN SOLUTION
    num_images, num_classes = len(X), W.shape[1]
    total, dW = 0.0, np.zeros(W.shape)
    for i in range(num_images):
        shifted = X[i] @ W - np.max(X[i] @ W)  # (C,)
        log_sum = np.log(np.sum(np.exp(shifted)))
        total += log_sum - shifted[y[i]]
        for j in range(num_classes):
            dW[:, j] += (np.exp(shifted[j] - log_sum) - (j == y[i])) * X[i]
    dW /= num_images
    dW[:-1] += reg * W[:-1]
    return total / num_images + 0.5 * reg * np.sum(W[:-1] ** 2), dW
    ### END SOLUTION


# %% tests="softmax-naive" points=8
result = check("softmax-naive", softmax_loss_naive)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_loss import parts
    from cs231n_lib.check.n02_oracle import case, data_loss, penalty, slopes

    with report.stage("the lecture's scores, with each of the labels"):
        w, x = np.array([[3.2, 5.1, -1.7]]), np.ones((1, 1))
        for label, loss in enumerate((2.0403551528, 0.1403551528, 6.9403551528)):
            got, _ = parts(subject.call(w, x, np.array([label]), 5.0), w, report)
            report.close(np.array(got), loss, rtol=0, atol=1e-9, name="loss")
    with report.stage("one image, one feature, two classes, small integers as labels"):
        for n, d, c, dtype in ((1, 3, 4, np.uint8), (5, 2, 2, np.int32), (3, 6, 3, np.int64)):
            w, x, y = case(rng, max(n, 2), d, c)
            x, y = x[:n], y[:n].astype(dtype)
            got, dw = parts(subject.call(w, x, y, 0.25), w, report)
            report.close(np.array(got), data_loss(w, x, y) + penalty(w, 0.25), rtol=1e-7, name="loss")
            report.close(dw, slopes(lambda v: data_loss(v, x, y) + penalty(v, 0.25), w), rtol=1e-5, atol=1e-7)  # noqa: B023


result = result.also(edge_cases, seed=2039)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Trust, but measure
#
# How does one find out whether a gradient is right, without a checker? By measuring slopes: move one weight a little to
# both sides and see how the loss changes. N03 is all about this; here is the tool at work.

# %%
from cs231n_lib.gradient_check import check_gradient

if ready("softmax-naive"):
    toy = np.random.default_rng(0)
    toy_W, toy_X, toy_y = (
        toy.normal(size=(7, 4)),
        toy.normal(size=(6, 7)),
        toy.integers(0, 4, size=6),
    )
    loss, dW = softmax_loss_naive(toy_W, toy_X, toy_y, 0.1)
    seen = check_gradient(
        lambda w: softmax_loss_naive(w, toy_X, toy_y, 0.1)[0],
        toy_W,
        dW,
        name="dW",
        atol=1e-12,
    )
    print(f"{seen.num_checked} slopes, largest relative error {seen.max_relative_error:.1e}")

# %% [markdown]
# ### Without loops
#
# A table for everything: scores $(N, C)$, their log-probabilities $(N, C)$, and the matrix $G$ of slopes
# $p_j - [j = y_i]$, also $(N, C)$. Step 2 for all images at once is one product that sums over the images:
#
# $$\frac{\partial L}{\partial W} = \frac1N\, X^\top G, \qquad (D, N)\,(N, C) \to (D, C).$$
#
# To pick one entry in each row, index rows and columns together: puzzle 5 of N00. The check asks for twice the speed of
# a bare loop over the rows.


# %% solution="softmax-vectorized"
def softmax_loss_vectorized(W, X, y, reg):
    """Return the softmax loss and its gradient, without a loop over images.

    Arguments and results are those of softmax_loss_naive.
    """
    ### BEGIN SOLUTION
    rows = np.arange(len(X))
    shifted = X @ W  # (N, C)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)
    gap = np.exp(log_p)  # (N, C): p, and p - 1 at the labels
    gap[rows, y] -= 1
    dW = X.T @ gap / len(X)  # (D, N) @ (N, C)
    dW[:-1] += reg * W[:-1]
    return -log_p[rows, y].mean() + 0.5 * reg * np.sum(W[:-1] ** 2), dW
    ### END SOLUTION


# %% tests="softmax-vectorized" points=8
result = check("softmax-vectorized", softmax_loss_vectorized)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_loss import parts
    from cs231n_lib.check.n02_oracle import case, data_loss, penalty, slopes

    with report.stage("2.0404, to twelve digits"):
        w, x = np.array([[3.2, 5.1, -1.7]]), np.ones((3, 1))
        got, _ = parts(subject.call(w, x, np.zeros(3, dtype=int), 1e6), w, report)
        report.close(np.array(got), data_loss(w, x, np.zeros(3, dtype=int)), rtol=1e-12, atol=0, name="loss")
    with report.stage("as many rows as features as classes, labels repeated"):
        for size, label in ((4, 3), (5, 0)):
            w, x, y = case(rng, size, size, size)
            y[:] = label
            got, dw = parts(subject.call(w, x, y, 1.5), w, report)
            report.close(np.array(got), data_loss(w, x, y) + penalty(w, 1.5), rtol=1e-7, name="loss")
            report.close(dw, slopes(lambda v: data_loss(v, x, y) + penalty(v, 1.5), w), rtol=1e-5, atol=1e-7)  # noqa: B023
    with report.stage("scores of a hundred thousand"):
        w, y = np.array([[1e5, -1e5, 0.0], [0.0, 0.0, 0.0]]), np.array([0, 1])
        got, dw = parts(subject.call(w, np.array([[1.0, 1.0], [-1.0, 1.0]]), y, 0.0), w, report)
        report.close(np.array(got), 0.0, atol=1e-12, name="loss")
        report.close(dw, np.zeros((2, 3)), atol=1e-12, name="dW")


result = result.also(edge_cases, seed=2053)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The same numbers, sooner. **Guess** by which factor, for 500 images of 3073 numbers.

# %%
import time

if ready("softmax-naive", "softmax-vectorized"):
    speed = np.random.default_rng(1)
    speed_W, speed_X = 0.01 * speed.normal(size=(3073, 10)), speed.normal(size=(500, 3073))
    speed_y = speed.integers(0, 10, size=500)
    seconds, answers = [], []
    for function in (softmax_loss_naive, softmax_loss_vectorized):
        start = time.perf_counter()
        answers.append(function(speed_W, speed_X, speed_y, 0.1))
        seconds.append(time.perf_counter() - start)
    print(
        f"with loops {1000 * seconds[0]:.0f} ms, without {1000 * seconds[1]:.1f} ms: "
        f"{seconds[0] / seconds[1]:.0f} times as fast"
    )
    print(f"losses {answers[0][0]:.9f} and {answers[1][0]:.9f}")

# %% [markdown]
# One image and three classes, with your loss and your gradient. **Guess before you move anything:** the score of the
# label leads both others by 5; how large is the loss still, and can it ever become 0?

# %%
from cs231n_lib import widgets

if ready("softmax-vectorized"):
    # With the unit matrix for images, the scores are the weights themselves, and so are their gradients.
    display(
        widgets.softmax_calculator(lambda scores, y: softmax_loss_vectorized(scores, np.eye(len(scores)), y, 0.0)),
    )

# %% [markdown]
# ### Kinks
#
# Softmax is not the only loss. The **multiclass SVM** wants the label's score to lead every other by at least 1, and
# charges what is missing:
#
# $$L_i^{\mathrm{svm}} = \sum_{j \ne y} \max(0,\ s_j - s_y + 1).$$
#
# Here are both as one wrong score grows while the label's stays at 2.

# %%
import matplotlib.pyplot as plt

other = np.linspace(-2, 5, 200)
figure, axes = plt.subplots(figsize=(6, 3.2))
axes.plot(other, np.maximum(0, other - 2 + 1), color="#D55E00", label="SVM")
axes.plot(other, np.log1p(np.exp(other - 2)), color="#0072B2", linestyle="--", label="softmax")
axes.set(xlabel="score of the wrong class (the label has 2)", ylabel="loss")
axes.legend()
plt.show()

# %% [markdown]
# The SVM's line has a corner, a **kink**, where it has no slope.
#
# **Question: kinks.** Which are true? (The check looks at the
# form only; grading finds the key by experiment. A wrong letter takes back the credit of a right one.)
#
# - **A** Right on a kink, the central difference $(f(s + h) - f(s - h)) / 2h$ lies between the slopes of both sides, so
#   it can disagree with a gradient that is programmed without a mistake.
# - **B** The softmax loss has such a kink too, where two scores are equal.
# - **C** With a smaller step $h$, fewer points lie so close to a kink that the measured slope is off.
# - **D** Adding 10 to all scores of an image changes its SVM loss.
# - **E** An image whose label leads by far more than 1 has an SVM loss that a small change of the scores leaves exactly
#   as it is, while its softmax loss still changes.
# - **F** A regularization term smooths the kinks away.

# %% solution="softmax-q3"
true_of_kinks = ...
### BEGIN SOLUTION
true_of_kinks = {"A", "C", "E"}
### END SOLUTION

# %% tests="softmax-q3" points=2
result = check("softmax-q3", true_of_kinks)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying: slopes from both sides, on kinks and off, of both losses."""
    answer = report.choices(subject, "ABCDEF")

    def svm(s):
        return float(np.maximum(0, s[1:] - s[0] + 1).sum())

    def soft(s):
        return float(np.log(np.exp(s - s[0]).sum()))

    def sides(f, s, h):
        step = np.eye(len(s))[1] * h
        return (f(s) - f(s - step)) / h, (f(s + step) - f(s)) / h

    true = set("ABCDEF")
    for _ in range(10):
        s = rng.normal(size=4)
        kink = s.copy()
        kink[1] = s[0] - 1
        low, high = sides(svm, kink, 1e-4)
        if not low + 0.1 < (low + high) / 2 < high - 0.1:
            true.discard("A")
        tie = s.copy()
        tie[1] = s[0]
        if abs(np.subtract(*sides(soft, tie, 1e-4))) < 1e-3:
            true.discard("B")
        if abs(svm(s + 10) - svm(s)) < 1e-9:
            true.discard("D")
        sure, nudge = np.array([9.0, 1.0, 0.0, 2.0]), 0.1 * rng.normal(size=4)
        if svm(sure + nudge) != svm(sure) or soft(sure + nudge) == soft(sure):
            true.discard("E")
        low, high = sides(lambda v: svm(v) + 0.5 * (v**2).sum(), kink, 1e-4)
        if high - low > 0.5:
            true.discard("F")
    gaps = rng.normal(size=20_000)  # distance of a random point from the kink
    if not np.mean(abs(gaps) < 0.01) < np.mean(abs(gaps) < 0.1):
        true.discard("C")
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=2063)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 4. Learning
#
# The loss is a landscape over all $W$, and the gradient points up. So start near zero and walk down:
# $W \leftarrow W - \mathrm{learning\_rate} \cdot dW$. The gradient over all images costs much and is hardly better than
# that of a few hundred, so each step takes a **batch**, drawn at random: *stochastic gradient descent*.
#
# Write the loop for *any* loss: it comes as an argument, `loss(W, X_batch, y_batch, reg)`, and returns the loss and
# `dW` (which holds the regularization already). The check passes a loss of its own that watches each step, so this
# exercise does not need the ones before. Mind two things:
#
# - a batch is rows of `X` **with their own labels**: draw indices once, index both;
# - all randomness comes from `np.random.default_rng(seed)`, made inside. `np.random.seed` would reach into everybody
#   else's random numbers.


# %% solution="softmax-train"
def train(loss, X, y, *, num_classes, learning_rate, reg, num_steps, batch_size, seed):
    """Return weights learned by stochastic gradient descent, and the loss of each step.

    loss : function of (W, X_batch, y_batch, reg) that returns (loss, dW);  called once in each step
    X : float (N, D)
    y : int (N,)
    num_classes, num_steps, batch_size, seed : int
    learning_rate, reg : float
    W starts with small random numbers, at most 0.1 in size. Each step draws batch_size random rows.
    The same seed gives the same result.
    Returns (W, losses): float (D, num_classes) after the
    last step, and a list of num_steps numbers.
    """
    ### BEGIN SOLUTION
    generator = np.random.default_rng(seed)
    W = 0.001 * generator.normal(size=(X.shape[1], num_classes)).astype(X.dtype)
    losses = []
    for _ in range(num_steps):
        batch = generator.integers(0, len(X), size=batch_size)
        value, dW = loss(W, X[batch], y[batch], reg)
        losses.append(value)
        W = W - learning_rate * dW
    return W, losses
    ### END SOLUTION


# %% tests="softmax-train" points=5
result = check("softmax-train", train)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_training import require_outcome, run_training

    for rows, size, steps in ((12, 12, 3), (9, 1, 5), (40, 7, 1)):
        with report.stage(f"batches of {size} from {rows} rows, steps: {steps}"):
            seen, run = run_training(subject, rng, report, rows=rows, batch_size=size, num_steps=steps, seed=steps)
            require_outcome(run.value, seen, report)


result = result.also(edge_cases, seed=2069)
### END HIDDEN TESTS
result.points

# %% [markdown]
# To answer, take the class of the highest score. No probabilities are needed: softmax keeps the order.


# %% solution="softmax-predict"
def predict(W, X):
    """Return the class of the highest score for each row; of equal scores, the smaller class.

    W : float (D, C);  X : float (N, D), the last column is 1
    Returns int (N,).
    """
    ### BEGIN SOLUTION
    return np.argmax(X @ W, axis=1)
    ### END SOLUTION


# %% tests="softmax-predict" points=1
result = check("softmax-predict", predict)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("equal scores, one row"):
        x = rng.normal(size=(1, 6))
        report.equal(report.array(subject(np.zeros((6, 5)), x), (1,), kind="i"), [0], name="the labels")
        twice = np.repeat(rng.normal(size=(6, 1)), 4, axis=1) * np.array([1.0, 1.0, 1.0, 0.0])
        want = 0 if (x @ twice)[0, 0] > 0 else 3
        report.equal(report.array(subject(twice, x), (1,), kind="i"), [want], name="the labels")


result = result.also(edge_cases, seed=2081)
### END HIDDEN TESTS
result.points

# %% [markdown]
# With many similar classes one guess is a harsh measure. The ImageNet challenge, 1,431,167 images of 1,000 classes, let
# every classifier name five: *scale, T-shirt, steel drum, drumstick, mud turtle* counts as right for a steel drum. This
# is **top-5 accuracy**; write it for any $k$. A rule for equal scores is needed again: the smaller classes are named
# first. Never may more than $k$ be named.


# %% solution="softmax-top_k"
def top_k_accuracy(scores, y, k):
    """Return the share of rows whose label is among the k classes of highest score.

    scores : float (N, C);  y : int (N,);  k : int, 1 <= k <= C
    Of equal scores the smaller class comes first. Returns a float in [0, 1].
    """
    ### BEGIN SOLUTION
    named = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # (N, k)
    return float(np.mean(np.any(named == y[:, None], axis=1)))
    ### END SOLUTION


# %% tests="softmax-top_k" points=1
result = check("softmax-top_k", top_k_accuracy)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("all classes named, one class, one row"):
        scores, y = rng.normal(size=(7, 4)), rng.integers(0, 4, size=7)
        report.close(np.array(float(subject(scores, y, 4))), 1.0, name="the accuracy")
        report.close(np.array(float(subject(np.ones((5, 1)), np.zeros(5, dtype=int), 1))), 1.0, name="the accuracy")
        report.close(np.array(float(subject(np.array([[0.1, 0.9, 0.5]]), np.array([0]), 2))), 0.0, name="the accuracy")


result = result.also(edge_cases, seed=2083)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### A first run
#
# Images now: up to 20,000 to train on, 1,000 for validation, 1,000 for the test at the very end. **Guess** the first
# loss before you run this. About five seconds.

# %%
from cs231n_lib.data import load_dataset

data = load_dataset()
data = data.subset(train=min(20_000, len(data.train) - 1000), val=1000, test=1000)
mean_image = np.mean(data.train.images[:5000] / np.float32(255), axis=0)
X_train, y_train = prepare(data.train.images, mean_image), data.train.labels
X_val, y_val = prepare(data.val.images, mean_image), data.val.labels
print("X_train", X_train.shape, X_train.dtype, " X_val", X_val.shape)

if ready("softmax-vectorized", "softmax-train", "softmax-predict"):
    W, losses = train(
        softmax_loss_vectorized, X_train, y_train,
        num_classes=10, learning_rate=0.01, reg=0.0, num_steps=500, batch_size=128, seed=0,
    )  # fmt: skip
    print(f"first loss {losses[0]:.3f}, log 10 = {np.log(10):.3f}, ", end="")
    print(f"mean of the last 50 losses {np.mean(losses[-50:]):.3f}")
    share = np.mean(predict(W, X_train[:2000]) == y_train[:2000])
    print(f"accuracy: training {100 * share:.1f} %, ", end="")
    print(f"validation {100 * np.mean(predict(W, X_val) == y_val):.1f} %")
    figure, axes = plt.subplots(figsize=(6, 3))
    axes.plot(losses, color="#56B4E9", linewidth=0.8, label="one batch")
    smooth = np.convolve(losses, np.ones(49) / 49, "valid")
    axes.plot(np.arange(24, 476), smooth, color="#0072B2", label="mean of 49")
    axes.axhline(np.log(10), color="#222222", linestyle=":", label="log 10")
    axes.set(xlabel="step", ylabel="loss (nats)")
    axes.legend()
    plt.show()

# %% [markdown]
# One number for 1,000 answers. Here are the answers, class by class, with the images behind them: click a cell. **Guess
# before you run it:** which two classes does it confuse most, and what do their images share?

# %%
from cs231n_lib import widgets

if ready("softmax-vectorized", "softmax-train", "softmax-predict"):
    first_W = W  # the next section trains another
    display(
        widgets.confusion_browser(
            lambda images: prepare(images, mean_image) @ first_W,
            images=data.val.images,
            labels=data.val.labels,
            class_names=data.classes,
        )
    )

# %% [markdown]
# ## 5. Tuning
#
# Two numbers were pulled out of the air: `learning_rate` and `reg`. Here is the same run with four learning rates,
# twenty steps each. **Guess** which of 0.0001, 0.01, 0.1 and 1 is lowest after twenty steps, and which never gets
# there.

# %%
if ready("softmax-vectorized", "softmax-train"):
    figure, axes = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    for rate, ink, dash in (
        (1e-4, "#000000", ":"),
        (1e-2, "#0072B2", "-"),
        (0.1, "#E69F00", "--"),
        (1.0, "#D55E00", "-."),
    ):
        _, start_of_run = train(
            softmax_loss_vectorized, X_train[:2000], y_train[:2000],
            num_classes=10, learning_rate=rate, reg=0.0, num_steps=20, batch_size=128, seed=0,
        )  # fmt: skip
        axes.plot(start_of_run, color=ink, linestyle=dash, label=f"learning rate {rate:g}")
    axes.set(xlabel="step", ylabel="loss (nats, log scale)", yscale="log", xticks=range(0, 20, 5))
    axes.set_yticks([1.8, 2, 2.3, 3, 4, 6, 8], ["1.8", "2", "2.3", "3", "4", "6", "8"])
    axes.minorticks_off()
    figure.legend(loc="outside right upper")  # beside the curves, not on them
    plt.show()

# %% [markdown]
# Too small, and nothing happens; too large, and $W$ jumps from one wall of the valley to the other.
#
# So search: train with several pairs of `learning_rate` and `reg`, compare them on the **validation** images, and
# return the weights of the best. Rates differ by factors, not by sums: try 0.001, 0.01, 0.1 before 0.011. Which values
# to try is yours to find out, and part of the answer: they stand in your code.
#
# How it is graded: your function gets images that you have never seen, prepared by the same `prepare`, with 100 steps
# for each setting, and its weights must label new images. Nothing that it prints or claims counts. On the visible
# check's images 62 % must be right (a good search reaches 66 to 69 %). It has 20 seconds, enough for a dozen
# settings with batches of 100 or 200.


# %% solution="softmax-tune"
def tune(X_train, y_train, X_val, y_val, *, num_steps):
    """Return the weights of the best of several settings, and the validation accuracy of each.

    X_train, X_val : float32 (N, D), as `prepare` makes them
    y_train, y_val : int (N,), ten classes
    num_steps : int, steps of gradient descent for each setting
    Returns (W, results): float (D, 10), and a dict of at least four settings,
    {(learning_rate, reg): share of X_val that is right}. W is that of the highest share.
    """
    ### BEGIN SOLUTION
    results, best = {}, None
    for learning_rate in (0.003, 0.01, 0.03):
        for reg in (0.0, 0.01):
            candidate, _ = train(
                softmax_loss_vectorized, X_train, y_train, num_classes=10, batch_size=100, seed=1,
                learning_rate=learning_rate, reg=reg, num_steps=num_steps,
            )  # fmt: skip
            share = float(np.mean(predict(candidate, X_val) == y_val))
            if best is None or share > max(results.values()):
                best = candidate
            results[learning_rate, reg] = share
    return best, results
    ### END SOLUTION


# %% tests="softmax-tune" points=5
result = check("softmax-tune", tune)
### BEGIN HIDDEN TESTS
result = result.also(seed=2087)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Now on the real images, with 1,000 steps for each setting: six settings take about 20 seconds. The course asks for
# a validation accuracy above 36 % on raw pixels, of CIFAR-10 and of `shapes10` alike.

# %%
target = data.target("softmax")
if ready("softmax-tune", "softmax-predict"):
    start = time.perf_counter()
    W, results = tune(X_train, y_train, X_val, y_val, num_steps=1000)
    for (learning_rate, reg), share in results.items():
        print(f"learning_rate {learning_rate:<7g} reg {reg:<7g} validation {100 * share:.1f} %")
    share = np.mean(predict(W, X_val) == y_val)
    verdict = "target reached" if share > target else f"the target on {data.name} is {target}"
    print(f"best {100 * share:.1f} % after {time.perf_counter() - start:.0f} s: {verdict}")

# %% [markdown]
# Each column of `W`, drawn as an image: **templates**.

# %%
if ready("softmax-tune", "softmax-predict"):
    display(class_templates(W[:-1], class_names=data.classes))

# %% [markdown]
# **Question: templates.** (a) Pick two classes and say what in their templates you recognise, and what in the training
# images makes it appear. (b) Why are templates blurry? (c) Suppose half of the images of a class show it facing left
# and half facing right. What will its template look like, and what does that say about *one template per class*?

# %% [markdown] answer="softmax-q2" points=2
# ### BEGIN SOLUTION
# (a) Templates show the colours that set a class apart, mostly those of its backgrounds: the ship's is blue below and
# around, for sea and sky, the frog's green and brown. On drawn shapes it is the typical hue and a pale trace of the
# outline. A weight is large where pixels of this class are brighter than those of the others.
#
# (b) The gradient adds up images of the class and takes away images of others, each times one number. The object stands
# elsewhere in each image, at another size and angle; what stays after the sum is what they share.
#
# (c) Both directions, laid over each other: the famous horse with two heads. One template cannot say "left or right",
# only a compromise between both, which fits neither well. It takes more templates per class, which is what a hidden
# layer offers.
# === BEGIN MARK SCHEME ===
# Half a point for (a) with two classes and a cause in the images (colour, background). Half a point for (b): an average
# over positions, sizes or instances. One point for (c): a superposition, and that one template cannot hold two modes.
# === END MARK SCHEME ===
# ### END SOLUTION

# %% [markdown]
# Your own weights on validation images, number by number. **Guess before you click:** where do the products come from
# that decide for a class, from the thing or from what is around it?

# %%
from cs231n_lib import widgets

if ready("softmax-tune", "softmax-predict"):
    display(
        widgets.linear_views(
            predict,
            W=W,
            images=data.val.images,
            mean_image=mean_image,
            class_names=data.classes,
            state={"view": "photo"},
        )
    )

# %% [markdown]
# ### The test, once
#
# Everything is chosen; now the test images may be looked at.

# %%
if ready("softmax-tune", "softmax-predict", "softmax-top_k"):
    X_test, y_test = prepare(data.test.images, mean_image), data.test.labels
    answers = predict(W, X_test)
    for k in (1, 2, 5):
        share = top_k_accuracy(X_test @ W, y_test, k)
        print(f"top-{k} accuracy on the test images: {100 * share:.1f} %")
    display(confusion_matrix(y_test, answers, class_names=data.classes))

# %% [markdown]
# All that from 30,730 numbers, where k-NN kept every image. And it can say how sure it is.

# %%
if ready("softmax-tune", "softmax-predict", "softmax-top_k"):
    z = X_test @ W - (X_test @ W).max(axis=1, keepdims=True)
    sure = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    chosen = np.argsort(-sure.max(axis=1))[:16]
    captions = []
    for i in chosen:
        said, truth = data.classes[answers[i]], data.classes[y_test[i]]
        captions.append(f"{said} {100 * sure[i].max():.0f} %\n({truth})")
    display(
        image_grid(
            data.test.images[chosen],
            captions=captions,
            columns=8,
            title="Its surest answers (true class)",
        )
    )

# %% [markdown]
# ## 6. What a line cannot do
#
# Three cases, each of two classes of points that no straight line separates. Class 1 is drawn full:
#
# - **quadrants**: class 1 in the first and the third quadrant;
# - **ring**: class 1 where the L2 norm is from 1 to 2;
# - **modes**: class 1 near one of three centers.

# %%
from cs231n_lib.check.n02_lifts import modes, quadrants, ring

centers = np.array([[-1.3, 1.0], [1.5, 0.7], [0.0, -1.5]])
draw = np.random.default_rng(7)
hard_cases = {
    "quadrants": quadrants(draw, 400),
    "ring": ring(draw, 400),
    "modes": modes(draw, 400, centers),
}
figure, panels = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for axes, (name, (points, labels)) in zip(panels, hard_cases.items(), strict=True):
    axes.scatter(*points[labels == 1].T, s=14, color="#0072B2", label="class 1")
    axes.scatter(*points[labels == 0].T, s=14, facecolors="none", edgecolors="#E69F00", label="class 2")
    axes.set(title=name, aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# But a classifier is linear only in what it is *given*. Give it other features than $x_1$ and $x_2$, and a flat
# boundary there is a curved one here. To **lift** points is to compute such features for each of them. Find a lift for
# each case: one or two features are enough, twelve at most. A feature of a point may depend on that point alone. The
# check fits a linear classifier to your features on half of the points, and counts on the other half.


# %% solution="softmax-lift_quadrants"
def lift_quadrants(X):
    """Return features in which quadrants I and III lie on
    one side of a flat boundary, II and IV on the other.

    X : float (N, 2)
    Returns float (N, F) with 1 <= F <= 12.
    """
    ### BEGIN SOLUTION
    return X[:, :1] * X[:, 1:]
    ### END SOLUTION


# %% tests="softmax-lift_quadrants" points=1
result = check("softmax-lift_quadrants", lift_quadrants)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_lifts import lifted, quadrants, require_separable

    with report.stage("stretched along one axis"):
        points, labels = quadrants(rng, 400)
        points = points * np.array([3.0, 0.7])
        require_separable(lifted(subject(points), 400, report), points, labels, report, hint="")


result = result.also(edge_cases, seed=2089)
### END HIDDEN TESTS
result.points

# %% [markdown]
# For the ring the norm is the thing to look at. But think of the norms on a line: class 1 lies *between* 1 and 2, and a
# linear classifier cuts that line only once.


# %% solution="softmax-lift_ring"
def lift_ring(X):
    """Return features in which points with an L2 norm from
    1 to 2 lie on one side of a flat boundary.

    X : float (N, 2)
    Returns float (N, F) with 1 <= F <= 12.
    """
    ### BEGIN SOLUTION
    squared_norm = np.sum(X**2, axis=1)
    return np.stack([squared_norm, squared_norm**2], axis=1)  # a parabola over the line of norms can be cut twice
    ### END SOLUTION


# %% tests="softmax-lift_ring" points=2
result = check("softmax-lift_ring", lift_ring)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_lifts import lifted, require_separable, ring

    with report.stage("half of the plane"):
        points, labels = ring(rng, 900)
        points, labels = points[points[:, 0] > 0], labels[points[:, 0] > 0]
        require_separable(lifted(subject(points), len(points), report), points, labels, report, hint="")


result = result.also(edge_cases, seed=2099)
### END HIDDEN TESTS
result.points

# %% [markdown]
# For the modes you are given the centers. Yours may move and be more than three.


# %% solution="softmax-lift_modes"
def lift_modes(X, centers):
    """Return features in which points near any of the centers lie on one side of a flat boundary.

    X : float (N, 2);  centers : float (M, 2)
    Returns float (N, F) with 1 <= F <= 12.
    """
    ### BEGIN SOLUTION
    offsets = X[:, None, :] - centers  # (N, M, 2)
    return np.linalg.norm(offsets, axis=2).min(axis=1)[:, None]
    ### END SOLUTION


# %% tests="softmax-lift_modes" points=2
result = check("softmax-lift_modes", lift_modes)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n02_lifts import lifted, modes, require_separable

    with report.stage("four centers, one center"):
        for centers in (np.array([[1.4, 1.5], [-1.5, 1.6], [-1.4, -1.6], [1.7, -1.3]]), np.array([[0.8, -0.5]])):
            points, labels = modes(rng, 400, centers)
            table = lifted(subject(points, centers), 400, report)
            require_separable(table, points, labels, report, hint="")


result = result.also(edge_cases, seed=2111)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Your own softmax classifier on your own features: flat there, curved here. About five seconds.

# %%
lifts = ("softmax-lift_quadrants", "softmax-lift_ring", "softmax-lift_modes")
if ready("softmax-vectorized", "softmax-train", "softmax-predict", *lifts):
    functions = {"quadrants": lift_quadrants, "ring": lift_ring}
    functions["modes"] = lambda points: lift_modes(points, centers)
    for name, (points, labels) in hard_cases.items():
        features = functions[name](points)
        shift, spread = features.mean(axis=0), features.std(axis=0)

        def rows_of(points, lift=functions[name], shift=shift, spread=spread):
            """Return lifted, standardized rows with a 1 at the end."""
            return np.hstack([(lift(points) - shift) / spread, np.ones((len(points), 1))])

        lifted_W, _ = train(
            softmax_loss_vectorized, rows_of(points), labels,
            num_classes=2, learning_rate=1.0, reg=0.0, num_steps=4000, batch_size=100, seed=0,
        )  # fmt: skip
        share = np.mean(predict(lifted_W, rows_of(points)) == labels)
        drawn = decision_regions(
            lambda plane, W=lifted_W, rows=rows_of: 1 - predict(W, rows(plane)),
            points,
            1 - labels,  # so that class 1 is drawn first, in blue as above
            class_names=["class 1", "class 2"],
            title=f"{name}: {100 * share:.0f} % right",
        )
        drawn.axes[0].set_aspect("equal")
        display(drawn)

# %% [markdown]
# Here your lift of the ring meets new points, next to features of others. **Guess before you choose:** angle and radius
# unroll the ring into a band; will one straight line then cut it out?

# %%
from cs231n_lib import widgets

if ready("softmax-lift_ring"):
    display(widgets.hard_cases(lift_ring, state={"features": "yours"}))

# %% [markdown]
# ## What you have now
#
# | | k-NN | linear classifier |
# |---|---|---|
# | training | remember everything | minutes of gradient descent |
# | labelling an image | a distance to each of $N$ images | ten dot products |
# | kept afterwards | all images | 30,730 numbers |
# | can represent | any shape, with enough images | one template per class, flat boundaries |
#
# You found the features of part 6 yourself, by looking at two dimensions. Nobody can look at 3072. **N03** takes
# gradients apart until you trust your own; **N04** lets a network *learn* its lift.
