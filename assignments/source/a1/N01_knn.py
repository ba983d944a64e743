# %% [markdown]
# # N01 · k-nearest neighbours
#
# The simplest classifier that learns: **remember every training image; to label a new one, find the most similar
# image you remember and say what that was.** It trains in no time, it is easy to get subtly wrong, and where it fails
# it shows what the rest of the course is for.
#
# You will write its three parts, distances, vote and choice of $k$, and meet ideas that stay: replacing loops by array
# operations, cross-validation, and a test set that is touched once.
#
# 40 points · about two hours, of which the computer needs about one minute.

# %% setup="knn-setup"
import numpy as np

from cs231n_lib.check import check, ready

# %% [markdown]
# ## 1. What does *similar* mean?
#
# We take 5,000 training images and 500 test images, each flattened into a row of $D = 32 \cdot 32 \cdot 3 = 3072$
# numbers.

# %%
import time

import matplotlib.pyplot as plt
from IPython.display import display

from cs231n_lib.data import load_dataset
from cs231n_lib.visualize import confusion_matrix, distance_matrix, image_grid, k_accuracy

data = load_dataset().subset(train=5000, test=500)
X_train = data.train.images.reshape(5000, -1)  # uint8 (5000, 3072)
X_test = data.test.images.reshape(500, -1)  # uint8 (500, 3072)
y_train, y_test = data.train.labels, data.test.labels  # int64 (5000,), (500,)

chosen = [int(np.flatnonzero(y_train == c)[i]) for i in range(4) for c in range(10)]
names = [data.classes[c] for c in y_train[chosen]]
display(
    image_grid(
        data.train.images[chosen],
        captions=names,
        columns=10,
        title="Four images of each class",
    )
)

# %% [markdown]
# **Look before any formula.** Below is one image with three changes: moved two pixels to the side, washed out, covered
# from the top. To you the first is the same picture, and the last has lost a part. **Guess:** measured pixel by pixel,
# which of the three is nearest to the original?

# %%
original = data.test.images[3].astype(float)
moved = np.roll(original, 2, axis=1)
target = np.linalg.norm(moved - original)  # how far two pixels to the side are


def toward(goal):
    """Go from the original toward `goal` until the distance is the target."""
    return original + (goal - original) * min(1.0, target / np.linalg.norm(goal - original))


covers = [np.where(np.arange(32)[:, None, None] < rows, 128.0, original) for rows in range(1, 33)]
covered = toward(next((c for c in covers if np.linalg.norm(c - original) >= target), covers[-1]))
versions = [original, moved, toward(np.full_like(original, 255.0)), covered]
captions = [
    f"{name}\ndistance {np.linalg.norm(version - original):.0f}"
    for name, version in zip(["original", "moved", "washed out", "covered"], versions, strict=True)
]
display(image_grid(np.array(versions).astype(np.uint8), captions=captions, columns=4, title="Equally far"))

# %% [markdown]
# All three are equally far. Keep this in mind: we are about to call images similar when their *pixels* are.
#
# ## 2. Distance
#
# Take a test image of four pixels and a training image, and subtract:
#
# | | pixels | | | |
# |---|:---:|:---:|:---:|:---:|
# | test $x$ | 10 | 20 | 30 | 40 |
# | training $t$ | 10 | 24 | 33 | 40 |
# | difference | 0 | -4 | -3 | 0 |
#
# The **L1 distance** adds up sizes: $0 + 4 + 3 + 0 = 7$. The **L2 distance**, the ordinary length of a straight line,
# adds up squares and takes the root: $\sqrt{0 + 16 + 9 + 0} = 5$. In symbols, with $p$ running over the $D$ pixels,
#
# $$d_1(x, t) = \sum_p |x_p - t_p|, \qquad d_2(x, t) = \sqrt{\sum_p (x_p - t_p)^2}.$$
#
# With $N_{te}$ test images and $N_{tr}$ training images you will compute $d_2$ for every pair: a matrix `dists` of
# shape $(N_{te}, N_{tr})$, row $i$ for test image $i$, column $j$ for training image $j$. You will do so three times,
# each time with one loop fewer, because that is the skill.
#
# **Mind the type.** The images are `uint8`, whole numbers from 0 to 255. What are 3 - 5 and 20 * 20 in `uint8`?

# %%
three, five, twenty = np.array([3, 5, 20], dtype=np.uint8)
with np.errstate(over="ignore"):
    print("3 - 5   =", three - five)
    print("20 * 20 =", twenty * twenty)

# %% [markdown]
# No error, only wrong numbers: they wrap around at 256. So convert to float before you subtract.
#
# ### Two loops
#
# Plain and slow: for each pair of rows, the formula.


# %% solution="knn-two_loops"
def compute_distances_two_loops(X, X_train):
    """Return the L2 distance of every test row to every training row, with a loop over each.

    X : array (Nte, D) of numbers, uint8 or float;  X_train : the same, (Ntr, D)
    Returns float64 dists (Nte, Ntr): dists[i, j] is the distance of X[i] to X_train[j].
    """
    ### BEGIN SOLUTION
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    dists = np.zeros((len(X), len(X_train)))
    for i in range(len(X)):
        for j in range(len(X_train)):
            dists[i, j] = np.sqrt(np.sum((X[i] - X_train[j]) ** 2))
    return dists
    ### END SOLUTION


# %% tests="knn-two_loops" points=4
result = check("knn-two_loops", compute_distances_two_loops)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n01_distances import distances

    with report.stage("one row, one feature, black and white"):
        for nte, ntr, d in ((1, 4, 3), (3, 1, 2), (4, 2, 1)):
            a = 255 * rng.integers(0, 2, size=(nte, d), dtype=np.uint8)
            b = 255 * rng.integers(0, 2, size=(ntr, d), dtype=np.uint8)
            got = report.array(subject(a, b), (nte, ntr))
            report.close(got, distances(a, b), rtol=1e-5, atol=1e-3, name="dists")


result = result.also(edge_cases, seed=1019)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### One loop
#
# Now compare one test row with *all* training rows at once. Broadcasting subtracts a row $(D,)$ from a table
# $(N_{tr}, D)$, row by row. Which axis must then be summed, so that one number per training row is left?


# %% solution="knn-one_loop"
def compute_distances_one_loop(X, X_train):
    """Return the L2 distance of every test row to every
    training row, with a loop over the test rows.

    X : array (Nte, D) of numbers, uint8 or float;  X_train : the same, (Ntr, D)
    Returns float64 dists (Nte, Ntr).
    """
    ### BEGIN SOLUTION
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    dists = np.zeros((len(X), len(X_train)))
    for i in range(len(X)):
        dists[i] = np.sqrt(((X_train - X[i]) ** 2).sum(axis=1))
    return dists
    ### END SOLUTION


# %% tests="knn-one_loop" points=4
result = check("knn-one_loop", compute_distances_one_loop)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n01_distances import distances

    with report.stage("as many rows as features, signed integers"):
        for nte, ntr, d in ((4, 4, 4), (1, 5, 5), (5, 1, 5)):
            a, b = rng.integers(-300, 300, size=(nte, d)), rng.integers(-300, 300, size=(ntr, d))
            got = report.array(subject(a.astype(np.int16), b.astype(np.int16)), (nte, ntr))
            report.close(got, distances(a, b), rtol=1e-5, atol=1e-3, name="dists")


result = result.also(edge_cases, seed=1103)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### No loop
#
# Why not broadcast both ways and get all differences at once, an array of shape $(N_{te}, N_{tr}, D)$? For 500 test
# and 5,000 training images that is $500 \cdot 5000 \cdot 3072$ numbers of 8 bytes: **61 GB**. It has to go another
# way. Multiply out the square of one difference and add up:
#
# $$\sum_p (x_p - t_p)^2 = \sum_p x_p^2 \;-\; 2 \sum_p x_p t_p \;+\; \sum_p t_p^2.$$
#
# The first term is one number per test image, the last one number per training image, and the middle is a dot product
# for each pair. All dot products of rows of one table with rows of another are a single matrix product, the operation
# that computers do best. Check it on the four pixels above: $3000 - 2 \cdot 3170 + 3365 = 25$, and $\sqrt{25} = 5$.
#
# Two things to think of:
# - shapes: how do $(N_{te},)$ and $(N_{tr},)$ numbers add up to a table $(N_{te}, N_{tr})$? Puzzle 4 of N00 knows.
# - rounding: for two *equal* images the three terms should cancel to 0 and may leave $-0.0000001$. Its root is `nan`.
#
# The check asks for 20 times the speed of a double loop, and for at most 64 MB of extra memory on its example.


# %% solution="knn-no_loops"
def compute_distances_no_loops(X, X_train):
    """Return the L2 distance of every test row to every training row, without a Python loop.

    X : array (Nte, D) of numbers, uint8 or float;  X_train : the same, (Ntr, D)
    Returns float64 dists (Nte, Ntr), without nan. No array of shape (Nte, Ntr, D) is made.
    """
    ### BEGIN SOLUTION
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    squares = (X**2).sum(axis=1)[:, None] + (X_train**2).sum(axis=1)  # (Nte, Ntr)
    squares -= 2 * (X @ X_train.T)
    return np.sqrt(np.maximum(squares, 0))
    ### END SOLUTION


# %% tests="knn-no_loops" points=8
result = check("knn-no_loops", compute_distances_no_loops)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n01_distances import distances

    with report.stage("an image against itself, many times over"):
        row = rng.integers(0, 256, size=(1, 3072), dtype=np.uint8)
        got = report.array(subject(np.repeat(row, 3, axis=0), np.repeat(row, 5, axis=0)), (3, 5))
        report.close(got, np.zeros((3, 5)), atol=10.0, name="dists")
        tiny = row[:, :8] / 25_500  # 0.01 at most: what may be lost to rounding is far smaller still
        got = report.array(subject(np.repeat(tiny, 2, axis=0), np.repeat(tiny, 4, axis=0)), (2, 4))
        report.close(got, np.zeros((2, 4)), atol=1e-3, name="dists")
    with report.stage("one row, one feature"):
        for nte, ntr, d in ((1, 6, 4), (6, 1, 4), (5, 3, 1)):
            a, b = rng.normal(size=(nte, d)), 100 + rng.normal(size=(ntr, d))
            got = report.array(subject(a, b), (nte, ntr))
            report.close(got, distances(a, b), rtol=1e-4, name="dists")


result = result.also(edge_cases, seed=1201)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### What it buys
#
# **Guess:** how many times faster is the third version than the first? The next cell takes about two seconds: it times
# all three on 40 test and 1,000 training images.

# %%
versions = [compute_distances_two_loops, compute_distances_one_loop, compute_distances_no_loops]
if ready("knn-two_loops", "knn-one_loop", "knn-no_loops"):
    timings = []
    for function in versions:
        start = time.perf_counter()
        function(X_test[:40], X_train[:1000])
        timings.append(time.perf_counter() - start)
    full = 500 * 5000 / (40 * 1000)  # times as many pairs
    print(f"{'':28s} 40 x 1,000     500 x 5,000 would take")
    for function, seconds in zip(versions, timings, strict=True):
        print(f"{function.__name__:28s} {1000 * seconds:7.0f} ms     {full * seconds:7.1f} s")
    figure, axes = plt.subplots(figsize=(7, 2), layout="constrained")
    bars = axes.barh(["two loops", "one loop", "no loop"], 1000 * np.array(timings), color="#0072B2")
    axes.bar_label(bars, [f"{seconds / timings[-1]:.0f} x" for seconds in timings], padding=4)
    axes.set(xlabel="milliseconds for 40 x 1,000 pairs")
    axes.margins(x=0.12)  # room for the numbers beside the bars
    axes.invert_yaxis()
    plt.show()

# %% [markdown]
# Did the second loop cost much? Often hardly anything: 40,000 small calls of NumPy or 40 large ones do the same
# subtractions, and the large ones fill a table of 25 MB each time, more than the processor's cache holds. It is the
# *matrix product* that wins, because it reads each number once and uses it many times.

# %% [markdown]
# ## 3. Look at the distances
#
# 500 rows, 5,000 columns; dark is near. About three seconds.

# %%
if ready("knn-no_loops"):
    dists = compute_distances_no_loops(X_test, X_train)
    display(distance_matrix(dists))

# %% [markdown]
# Some rows are bright all the way across, some columns all the way down. Which images are these?

# %%
if ready("knn-no_loops"):
    rows, columns = np.argsort(dists.mean(axis=1)), np.argsort(dists.mean(axis=0))
    shown = [data.test.images[rows[-8:]], data.test.images[rows[:8]], data.train.images[columns[-8:]]]
    captions = [text for name in ("bright rows", "dark rows", "bright cols") for text in (name, *[""] * 7)]
    display(image_grid(np.concatenate(shown), captions=captions, columns=8, title="The extremes"))

# %% [markdown]
# **Question 1.** (a) What in the data makes a row bright all the way across? (b) What makes a column bright all the
# way down? (c) Does a bright row mean that the image's class is rare among the training images? Two or three
# sentences each.

# %% [markdown] answer="knn-q1" points=3
# ### BEGIN SOLUTION
# (a) A bright row is a test image far from *every* training image: its pixels are unusual as a whole, for instance
# almost all white or all black, or of very strong contrast. The squared distance to a training image is about the
# squared distance to the mean image plus the spread of the training images around it, so what is far from the mean is
# far from all.
#
# (b) A bright column is the same with the roles exchanged: a training image that is far from all test images, an
# outlier. As a neighbour it is hardly ever chosen.
#
# (c) No. The distances know pixels, not classes: an image of a frequent class on a glaring white background is
# bright, and one of a rare class in ordinary colours is not.
# === BEGIN MARK SCHEME ===
# One point each. (a) the test image is unlike all training images in its pixels (brightness, contrast, background).
# (b) the same for a training image. (c) no, with a reason: distance is about pixels. "Noise" alone earns half a point.
# === END MARK SCHEME ===
# ### END SOLUTION

# %% [markdown]
# ## 4. The vote
#
# With $k = 1$ the nearest image decides alone, and one odd image can mislead. With larger $k$ the $k$ nearest vote,
# and the label with the most votes wins. By hand: one test image, five training images,
#
# | training image | 0 | 1 | 2 | 3 | 4 |
# |---|:---:|:---:|:---:|:---:|:---:|
# | distance | 5 | 1 | 4 | 2 | 3 |
# | label | 0 | 7 | 2 | 2 | 7 |
#
# From near to far the labels are 7, 2, 7, 2, 0. So $k = 1$ says 7 and $k = 3$ says 7, with two votes against one.
# With $k = 4$ it is two against two: a tie. We agree that **the smaller label wins a tie**, so the answer is 2. Any
# rule will do, but there must be one: otherwise the same data give other answers tomorrow.


# %% solution="knn-predict_labels"
def predict_labels(dists, y_train, k=1):
    """Return the majority label of the k nearest training
    rows, for each test row; a tie goes to the smaller label.

    dists : float (Nte, Ntr);  y_train : int (Ntr,), labels 0 or larger;  k : int
    Returns int (Nte,). Raises ValueError unless 1 <= k <= Ntr.
    """
    ### BEGIN SOLUTION
    if not 1 <= k <= len(y_train):
        raise ValueError(f"predict_labels: k must be from 1 to {len(y_train)}, got {k}")
    nearest = np.argsort(dists, axis=1)[:, :k]  # (Nte, k): indices of training rows
    # argmax returns the first of equal counts, which belongs to the smallest label.
    return np.array([np.bincount(votes).argmax() for votes in y_train[nearest]])
    ### END SOLUTION


# %% tests="knn-predict_labels" points=6
result = check("knn-predict_labels", predict_labels)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("all rows vote"):
        labels = rng.permutation(np.array([4, 4, 4, 9, 9, 30]))
        got = report.array(subject(rng.random((5, 6)).astype(np.float32), labels, 6), (5,), kind="i")
        report.equal(got, [4] * 5, name="the labels")
    with report.stage("one label each: a tie of all"):
        got = report.array(subject(rng.random((3, 4)), np.array([8, 3, 21, 5]), 4), (3,), kind="i")
        report.equal(got, [3] * 3, name="the labels")
    with report.stage("a single test row"):
        got = report.array(subject(np.array([[0.3, 0.1, 0.2]]), np.array([0, 6, 0]), 1), (1,), kind="i")
        report.equal(got, [6], name="the labels")


result = result.also(edge_cases, seed=1301)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Guessing gives 10 %. **Guess** what the nearest image gives, then run.

# %%
if ready("knn-no_loops", "knn-predict_labels"):
    for k in (1, 5):
        right = predict_labels(dists, y_train, k) == y_test
        print(f"k = {k}: {right.sum()} of {len(y_test)} right, accuracy {100 * right.mean():.1f} %")

# %% [markdown]
# Far above chance, and far from good. See whom it takes for similar: each row is a test image and its seven nearest.

# %%
if ready("knn-no_loops"):
    pictures, captions = [], []
    for i in range(5):
        nearest = np.argsort(dists[i])[:7]
        pictures += [data.test.images[i], *data.train.images[nearest]]
        captions += [
            f"TEST {data.classes[y_test[i]]}",
            *(data.classes[label] for label in y_train[nearest]),
        ]
    display(
        image_grid(
            np.array(pictures),
            captions=captions,
            columns=8,
            title="A test image and its nearest",
        )
    )

# %% [markdown]
# The same *background*, the same brightness, the same blob in the middle; rarely the same thing. Most pixels of a
# photograph are background, and each pixel counts as much as any other.
#
# ### A map of the images
#
# Can one see all neighbourhoods at once? **t-SNE** (van der Maaten and Hinton, 2008) lays the images out in the plane
# so that near ones stay near. It turns each row of distances into shares of attention, most of it for the twenty
# nearest; then it moves points downhill, step by step, until their nearness in the plane tells the same shares. (How a
# program walks downhill is the subject of N02; here just look.) 300 images, by *your* distances, about five seconds.
# **Guess:** will cars lie with cars?


# %%
def t_sne(distances, *, neighbours=20, num_steps=400):
    """Return places in the plane, float (N, 2), where rows
    that are near by `distances` (N, N) stay near.
    """
    count = len(distances)
    squares = np.where(
        np.eye(count, dtype=bool),
        np.inf,
        distances**2,
    )  # nobody is its own neighbour
    squares -= squares.min(axis=1, keepdims=True)
    low, high = np.full(count, -40.0), np.full(count, 10.0)
    for _ in range(
        50,
    ):  # halve the range of each row's sharpness, until it attends to that many neighbours
        middle = (low + high) / 2
        shares = np.exp(-np.exp(middle)[:, None] * squares)
        shares /= shares.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log(shares + 1e-300)).sum(axis=1)
        too_many = entropy > np.log(neighbours)
        low, high = np.where(too_many, middle, low), np.where(too_many, high, middle)
    wanted = (shares + shares.T) / (2 * count)
    places = 0.01 * np.random.default_rng(0).normal(size=(count, 2))
    velocity = np.zeros_like(places)
    for step in range(num_steps):
        gaps = places[:, None] - places  # (N, N, 2)
        nearness = 1 / (1 + (gaps**2).sum(axis=2))
        np.fill_diagonal(nearness, 0)
        pull = (12 if step < 100 else 1) * wanted - nearness / nearness.sum()
        slope = 4 * ((pull * nearness)[:, :, None] * gaps).sum(axis=1)
        velocity = (0.5 if step < 100 else 0.8) * velocity - count / 6 * slope
        places = places + velocity
    return places


if ready("knn-no_loops"):
    some = X_train[:300]
    places = t_sne(compute_distances_no_loops(some, some))
    figure, axes = plt.subplots(figsize=(9, 8), layout="constrained")
    side = 0.022 * np.ptp(places, axis=0).max()
    for (across, up), picture in zip(places, some.reshape(-1, 32, 32, 3), strict=True):
        axes.imshow(picture, extent=(across - side, across + side, up - side, up + side))
    axes.set(xlim=(places[:, 0].min() - side, places[:, 0].max() + side), xticks=[], yticks=[])
    axes.set(ylim=(places[:, 1].min() - side, places[:, 1].max() + side), aspect="equal")
    axes.set_title("300 images, near where their pixels are near")
    plt.show()

# %% [markdown]
# Bright images in one region, dark in another, blue ones side by side: the map sorts by **background and brightness**,
# and the classes lie mixed. That is what the distance knows.
#
# ## 5. Which k? Cross-validation
#
# $k$ is a **hyperparameter**: not learned from the data but chosen by you. Choose it by accuracy on the *training*
# images and $k = 1$ always wins, since the nearest image to a training image is itself. Choose it on the *test*
# images and the test no longer tells how you do on new images: you would have fitted $k$ to it. So hold out a part of
# the training images and validate on that; and as one part may be lucky, let every part have its turn. With 5
# **folds**:
#
# | | fold 1 | fold 2 | fold 3 | fold 4 | fold 5 | |
# |---|:---:|:---:|:---:|:---:|:---:|---|
# | turn 1 | **validate** | train | train | train | train | one accuracy for each $k$ |
# | turn 2 | train | **validate** | train | train | train | one accuracy for each $k$ |
# | ... | | | | | | |
# | turn 5 | train | train | train | train | **validate** | one accuracy for each $k$ |
#
# Write it for *any* classifier, a function that you are given: `classify(X_train, y_train, X_val, k_choices)` returns
# `{k: labels of the rows of X_val}`. It gets all of `k_choices` at once, because the costly part, the distances, is
# the same for each $k$. Take care of three things:
#
# - no row of the validation fold may be among the training rows of that turn;
# - rows and labels stay together: if you shuffle one, shuffle the other alike;
# - 23 rows in 5 folds: sizes 5, 5, 5, 4, 4 in some order. No row may be lost.


# %% solution="knn-cross_validate"
def cross_validate(classify, X, y, k_choices, num_folds=5):
    """Return the accuracy of every k on every fold.

    classify : function of (X_train, y_train, X_val, k_choices)
        that returns {k: int labels of the rows of X_val}
    X : array (N, D);  y : int (N,);  k_choices : list of int;  num_folds : int, at most N
    Returns {k: [accuracy on fold 1, ..., accuracy on fold num_folds]}.
    Fold sizes differ by at most one.
    """
    ### BEGIN SOLUTION
    folds = np.array_split(np.arange(len(X)), num_folds)
    k_to_accuracies = {k: [] for k in k_choices}
    for i, held_out in enumerate(folds):
        rest = np.concatenate(folds[:i] + folds[i + 1 :])
        for k, labels in classify(X[rest], y[rest], X[held_out], k_choices).items():
            k_to_accuracies[k].append(float(np.mean(labels == y[held_out])))
    return k_to_accuracies
    ### END SOLUTION


# %% tests="knn-cross_validate" points=6
result = check("knn-cross_validate", cross_validate)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n01_knn import validate

    validate(subject, rng, report, rows=5003, folds=5, ks=[1, 100], name="5003 rows")
    validate(subject, rng, report, rows=7, folds=7, ks=[2], name="a fold for each row")
    validate(subject, rng, report, rows=11, folds=2, ks=[9, 5, 1], name="two folds")


result = result.also(edge_cases, seed=1409)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Now with your own classifier, ten values of $k$ and 5 folds. About 15 seconds. **Guess** where the best $k$ lies.

# %%
k_choices = [1, 3, 5, 8, 10, 12, 15, 20, 50, 100]


def nearest_neighbours(X_train, y_train, X_val, k_choices):
    """Label the rows of X_val by their nearest training rows, for each k."""
    distances = compute_distances_no_loops(X_val, X_train)
    return {k: predict_labels(distances, y_train, k) for k in k_choices}


if ready("knn-no_loops", "knn-predict_labels", "knn-cross_validate"):
    k_to_accuracies = cross_validate(nearest_neighbours, X_train, y_train, k_choices)
    for k, fold_accuracies in k_to_accuracies.items():
        print(
            f"k = {k:3d}: "
            + "  ".join(f"{100 * a:.1f}" for a in fold_accuracies)
            + f"   mean {100 * np.mean(fold_accuracies):.1f} %"
        )
    display(k_accuracy(k_to_accuracies))

# %% [markdown]
# A few neighbours average out odd images; very many let in whole crowds that are not near at all. Between the two the
# curve is flat, and the differences there are smaller than the spread of the folds: do not read much into them.
#
# Choose by the mean over the folds. Should two $k$ have exactly the same mean, take the smaller.


# %% solution="knn-choose_k"
def choose_k(k_to_accuracies):
    """Return the k with the highest mean accuracy; of several, the smallest.

    k_to_accuracies : {k: [accuracy of each fold]}
    Returns an int, one of the keys.
    """
    ### BEGIN SOLUTION
    means = {k: np.mean(values) for k, values in k_to_accuracies.items()}
    return min(k for k in means if means[k] == max(means.values()))
    ### END SOLUTION


# %% tests="knn-choose_k" points=2
result = check("knn-choose_k", choose_k)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("one k, all right, all wrong"):
        for table, best in (
            ({7: [0.25, 0.5]}, 7),
            ({9: [0.0, 0.0], 4: [0.0, 0.0], 6: [0.0, 0.0]}, 4),
            ({50: [1.0], 100: [1.0], 8: [0.5]}, 50),
        ):
            report.require(np.array_equal(subject(table), best), f"{best} is asked")


result = result.also(edge_cases, seed=1511)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### The test, once
#
# Everything is chosen. Now, and only now, the test images answer how well this does on images that played no part in
# any choice. (Your look at $k = 1$ and $k = 5$ above was a look too; the choice of $k$ made no use of it.)

# %%
if ready("knn-no_loops", "knn-predict_labels", "knn-cross_validate", "knn-choose_k"):
    best_k = choose_k(k_to_accuracies)
    predicted = predict_labels(dists, y_train, best_k)
    share = np.mean(predicted == y_test)
    # Another 500 images would give another figure:
    # a share p of n has standard error sqrt(p (1 - p) / n).
    error = np.sqrt(share * (1 - share) / len(y_test))
    print(f"k = {best_k}: {100 * share:.1f} % ± {100 * error:.1f} % of the test images are right")
    display(confusion_matrix(y_test, predicted, class_names=data.classes))

# %% [markdown]
# A column that is bright all the way down is a class whose images are near to everything: often a plain, dim
# background. Here are some of the mistakes; the second word is the answer.

# %%
if ready("knn-no_loops", "knn-predict_labels", "knn-cross_validate", "knn-choose_k"):
    wrong = np.flatnonzero(predicted != y_test)[:16]
    captions = [f"{data.classes[y_test[i]]}\n{data.classes[predicted[i]]}" for i in wrong]
    display(
        image_grid(
            data.test.images[wrong],
            captions=captions,
            columns=8,
            title="True class, and what k-NN said",
        )
    )

# %% [markdown]
# ### Which challenge does the damage?
#
# N00 showed seven reasons why recognition is hard. Your classifier now meets them one at a time: it remembers 1,000
# calm drawings of `shapes10`, in which nothing is turned up, and labels new drawings with one challenge on. **Guess**
# the two that hurt an L2 distance most. About five seconds.

# %%
from cs231n_lib.shapes10 import Challenges, draw

calm = dict.fromkeys(Challenges.__dataclass_fields__, 0.0)


def drawings(count, seed, challenges):
    """Return drawings as rows uint8 (count, 3072) and their
    labels, with these challenges turned up.
    """
    labels = np.arange(count) % 10
    knobs = Challenges(**{**calm, **dict.fromkeys(challenges, 1.0)})
    return draw(labels, np.random.default_rng(seed), knobs).reshape(count, -1), labels


if ready("knn-no_loops", "knn-predict_labels"):
    remembered, their_labels = drawings(1000, 0, [])
    shares = {}
    for name, challenges in {"none": [], **{name: [name] for name in calm}, "all seven": [*calm]}.items():
        rows, labels = drawings(200, 1, challenges)
        shares[name] = 100 * np.mean(
            predict_labels(compute_distances_no_loops(rows, remembered), their_labels) == labels
        )
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    bars = axes.barh(list(shares), list(shares.values()), color="#0072B2")
    axes.bar_label(bars, fmt="%.0f %%", padding=4)
    axes.axvline(10, color="#222222", linestyle=":", label="guessing")
    axes.set(xlabel="right answers (%)", xlim=(0, 115))
    axes.legend(loc="lower right")
    axes.invert_yaxis()
    plt.show()

# %% [markdown]
# Light and clutter push an image away from *all* remembered ones alike, so the nearest stays the nearest. **Context**
# and **viewpoint** do not: another background colour changes most of the pixels, a step to the side puts the thing
# where others have background. To L2, a background weighs as much as the thing in front of it.
#
# ## 6. Two questions
#
# The check only looks at the form of your answer; what is right is found out, mostly by experiment, when it is
# graded. A wrong letter takes back the credit of a right one.
#
# **Question 2.** A classifier takes the label of the single nearest image by the **L1** distance. Each of the
# following is done to the training images and to the test images alike, before any distance. Which leave *every*
# prediction as it was, whatever the images are (ties aside)?
#
# - **A** Subtract the mean image of the training set from every image.
# - **B** Divide every pixel value by 255.
# - **C** Divide each of the 3072 pixel positions by its own standard deviation over the training set.
# - **D** Turn every image by 90 degrees.
# - **E** Multiply every image, as a vector, by one random rotation matrix of size 3072 x 3072.
# - **F** Subtract from each image its own mean brightness.
#
# Answer with a set of letters, such as `{"A", "F"}`.

# %% solution="knn-q2"
unchanged_by = ...
### BEGIN SOLUTION
unchanged_by = {"A", "B", "D"}
### END SOLUTION

# %% tests="knn-q2" points=4
result = check("knn-q2", unchanged_by)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying: random images of uneven pixels and brightness, labelled by L1 before and after."""
    answer = report.choices(subject, "ABCDEF")
    rotation = np.linalg.qr(rng.normal(size=(27, 27)))[0]

    def predictions(train, test, labels):
        gaps = np.abs(test.reshape(len(test), 1, -1) - train.reshape(1, len(train), -1)).sum(axis=2)
        return labels[gaps.argmin(axis=1)]

    def treated(letter, images, train):
        return {
            "A": lambda: images - train.mean(axis=0),
            "B": lambda: images / 255,
            "C": lambda: images / train.std(axis=0),
            "D": lambda: np.rot90(images, axes=(1, 2)),
            "E": lambda: images.reshape(-1, 27) @ rotation,
            "F": lambda: images - images.mean(axis=(1, 2, 3), keepdims=True),
        }[letter]()

    true = set("ABCDEF")
    for _ in range(8):
        spread = rng.uniform(1, 40, size=(3, 3, 3))
        train, test = (128 + rng.normal(0, 40, (n, 1, 1, 1)) + spread * rng.normal(size=(n, 3, 3, 3)) for n in (60, 60))
        labels = np.arange(60)
        before = predictions(train, test, labels)
        true -= {
            c for c in true if (predictions(treated(c, train, train), treated(c, test, train), labels) != before).any()
        }
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=1601)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question 3.** Which are true of k-nearest neighbours with the L2 distance, as you wrote it?
#
# - **A** With $k = 1$ and training images that are all different, it makes no mistake on its own training images.
# - **B** With $k$ equal to the number of training images, it gives every test image the same label.
# - **C** With $k = 1$ and two classes, the boundary between the two is always a straight line (in many dimensions, a
#   flat plane).
# - **D** With twice as many training images, labelling one test image takes about twice as long.
# - **E** Of two values of $k$, the larger always has the higher validation accuracy, because more votes are more
#   reliable.
# - **F** Multiplying one single pixel position by 1000, in all images, leaves the predictions as they were.

# %% solution="knn-q3"
true_statements = ...
### BEGIN SOLUTION
true_statements = {"A", "B", "D"}
### END SOLUTION

# %% tests="knn-q3" points=3
result = check("knn-q3", true_statements)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying to break each statement; D is counted: distances per test image."""
    answer, counted = report.choices(subject, "ABCDEF"), []

    def vote(train, labels, test, k):
        gaps = ((test[:, None] - train) ** 2).sum(axis=2)
        counted.append(gaps.size / len(test))
        return np.array([np.bincount(labels[row], minlength=2).argmax() for row in gaps.argsort(axis=1)[:, :k]])

    true = set("ABCDEF")
    for _ in range(20):
        train, test = rng.normal(size=(31, 2)), rng.normal(size=(40, 2))
        labels = rng.integers(0, 2, size=31)
        scale = np.array([1000.0, 1.0])
        if (vote(train, labels, train, 1) != labels).any():
            true.discard("A")
        if len(set(vote(train, labels, test, 31).tolist())) > 1:
            true.discard("B")
        if (vote(train * scale, labels, test * scale, 1) != vote(train, labels, test, 1)).any():
            true.discard("F")
        sides = (train[:, 0] > 0).astype(
            int
        )  # the truth is a side of a line: few neighbours do well, all of them do not
        if np.mean(vote(train, sides, test, 1) == (test[:, 0] > 0)) > np.mean(
            vote(train, sides, test, 31) == (test[:, 0] > 0)
        ):
            true.discard("E")
    stripes = vote(np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0]), np.array([[0.1], [1.1], [2.1]]), 1)
    if stripes.tolist() == [0, 1, 0]:  # one class on both sides of the other: no single cut of the line does that
        true.discard("C")
    for rows in (200, 400):
        vote(rng.normal(size=(rows, 2)), np.zeros(rows, dtype=int), rng.normal(size=(1, 2)), 1)
    if not 1.8 < counted[-1] / counted[-2] < 2.2:
        true.discard("D")
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=1709)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## What k-NN is good and bad at
#
# | | k-NN | what you want |
# |---|---|---|
# | training | $O(1)$: it only remembers | may be slow, it is done once |
# | labelling one image | $O(N)$: a distance to each training image | fast, it is done a million times |
# | memory afterwards | all $N$ images | a small model |
# | what counts as similar | each pixel alike: background, brightness, position | the thing in the picture |
#
# It is a good first thing to try on a few dozen *meaningful* numbers per example, and an honest baseline anywhere. On
# raw pixels it is at a loss: a step to the side or another background changes most of the numbers, while the thing
# stays what it is; and under all seven challenges together it does no better than guessing.
#
# **N02** turns the cost around, with a classifier that works at training time and then fits into ten rows of numbers:
# one template per class.
