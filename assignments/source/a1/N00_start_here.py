# %% [markdown]
# # N00 · Start here
#
# Your phone finds faces, a car reads road signs, a program sees a tumour in a scan or a galaxy in the night sky:
# computer vision is everywhere. All of it begins with one problem, and this course takes it apart from scratch:
# *given the numbers of an image, say what is in it*.
#
# Today you make sure that your tools work, you get at home with arrays, and you find out why nobody writes an image
# classifier by hand.
#
# **How it works here.** Each exercise is a cell with a gap and, below it, a cell that checks it.
# 1. Write your code where the cell says so, and run it (Shift + Enter).
# 2. Run the check. It takes seconds, says what is wrong and often why. Try as often as you like.
# 3. Go on. An exercise that you leave open does not block the next.
#
# Grading runs the same checks on other numbers, and a few cases that you should think of yourself.
#
# 10 points · about 45 minutes, of which the computer needs less than one.

# %% setup="start-setup"
import numpy as np

from cs231n_lib.check import check, ready
from cs231n_lib.doctor import doctor

# %% [markdown]
# ## 1. Your tools
#
# `doctor()` looks over your machine: Python, the packages, the room on the disk. It prints what it found and returns it
# as a dict. Call it, and keep the result under the name
# `environment`. Wherever you see `...`, something of yours belongs there.

# %% solution="start-doctor"
environment = ...
### BEGIN SOLUTION
environment = doctor()
### END SOLUTION

# %% tests="start-doctor" points=1
result = check("start-doctor", environment)
### BEGIN HIDDEN TESTS
result = result.also(seed=4021)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 2. An image is a tensor of integers
#
# Here are the images that the course works with: CIFAR-10, 60,000 small photographs of ten kinds of things. Without
# CIFAR-10 on your machine you get `shapes10` instead, drawn by the course itself; everything below works with either.

# %%
from IPython.display import display

from cs231n_lib.data import load_dataset
from cs231n_lib.visualize import image_grid

data = load_dataset()
first_of_class = [int(np.flatnonzero(data.train.labels == c)[i]) for i in range(3) for c in range(10)]
display(
    image_grid(
        data.train.images[first_of_class],
        captions=[data.classes[c] for c in data.train.labels[first_of_class]],
        columns=10,
        title="Three images of each class",
    )
)

# %% [markdown]
# You see a thing. The computer sees this: the red channel of the first 24 rows and 16 columns of one image.

# %%
image = data.train.images[first_of_class[3]]
print("shape", image.shape, " dtype", image.dtype)
for row in image[:24, :16, 0]:
    print(" ".join(f"{value:3d}" for value in row))

# %% [markdown]
# Nothing in these numbers says what the thing is. This distance between the numbers and their meaning is called the
# **semantic gap**.
#
# An image of height $H$ and width $W$ is a tensor of shape $(H, W, 3)$: for each pixel the amounts of red, green and
# blue, each a whole number in $[0, 255]$ that fits one byte, a `uint8`. Take a photograph of 800 x 600 pixels. How many
# integers is that? How many bytes are they as `uint8`, and how many as `float32`, which takes four bytes a number? What
# are the smallest and the largest value that a pixel can have?

# %% solution="start-image_numbers"
image_numbers = {
    "integers": ...,
    "bytes_as_uint8": ...,
    "bytes_as_float32": ...,
    "lowest": ...,
    "highest": ...,
}
### BEGIN SOLUTION
count = 600 * 800 * 3
image_numbers.update(integers=count, bytes_as_uint8=count, bytes_as_float32=4 * count, lowest=0, highest=255)
### END SOLUTION

# %% tests="start-image_numbers" points=1
result = check("start-image_numbers", image_numbers)
### BEGIN HIDDEN TESTS
result = result.also(seed=5077)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Which axis is which
#
# A batch of $N$ images is stored as $(N, H, W, C)$: image, row, column, channel, so the colours of a pixel lie side by
# side. Convolutions, from N09 on, want the channels first: $(N, C, H, W)$, three grey pictures per image.
#
# Two tools look alike here and are not. `reshape` keeps the numbers in their order in memory and cuts that row of
# numbers anew. `transpose` gives the axes another order, so each number keeps its place in the picture. On a 2 x 3
# array:
#
# | `a` | `a.reshape(3, 2)` | `a.transpose(1, 0)` |
# |:---:|:---:|:---:|
# | 1 2 3 | 1 2 | 1 4 |
# | 4 5 6 | 3 4 | 2 5 |
# |       | 5 6 | 3 6 |


# %% solution="start-to_chw"
def to_chw(images):
    """Return a batch of images with the channels first.

    images : array (N, H, W, C), any dtype
    Returns an array (N, C, H, W) of the same dtype: entry [n, c, h, w] is images[n, h, w, c].
    """
    ### BEGIN SOLUTION
    return images.transpose(0, 3, 1, 2)
    ### END SOLUTION


# %% tests="start-to_chw" points=1
result = check("start-to_chw", to_chw)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("four channels, floats"):
        batch = rng.normal(size=(2, 5, 7, 4))
        moved = report.array(subject(batch), (2, 4, 5, 7))
        report.equal(moved, np.moveaxis(batch, 3, 1), name="to_chw(images)")


result = result.also(edge_cases, seed=6151)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Before you run the next cell, guess:** it shows the first channel of an image, once by your function and once by
# `reshape`. What will the second picture look like?

# %%
if ready("start-to_chw"):
    batch = data.train.images[first_of_class[3:4]]  # (1, H, W, 3)
    right = to_chw(batch)[0, 0]  # (H, W)
    wrong = batch.reshape(1, 3, *batch.shape[1:3])[0, 0]  # the right shape, and that is all
    display(image_grid(np.stack([right, wrong]), captions=["transpose", "reshape"], title="Red channel"))

# %% [markdown]
# Both have the right shape, and no error was raised. The second is the top third of the image, cut into strips, with
# red, green and blue mixed: that is what a network would have trained on. A shape that fits proves little; look at
# your data.

# %% [markdown]
# ## 3. Five puzzles with axes
#
# All of deep learning is arithmetic on arrays with named axes. Three rules carry you far:
#
# - **`axis` names the axis that goes away.** For `X` of shape $(N, D)$, `X.sum(axis=0)` adds up the $N$ rows and leaves
#   $(D,)$; `axis=1` adds up the columns and leaves $(N,)$. With `keepdims=True` the axis stays, with length 1.
# - **Broadcasting** lines shapes up from the right. Two lengths fit if they are equal or one of them is 1 (or
#   missing); the 1 is stretched. So $(N, 1)$ with $(M,)$ gives $(N, M)$, while $(N,)$ with $(M,)$ fails, or if $N =
#   M$ pairs them up.
# - **Index arrays** of equal length are paired: `X[[0, 1, 2], [5, 7, 5]]` is the three numbers `X[0, 5]`, `X[1, 7]`,
#   `X[2, 5]`. A `:` means *all*, not *the matching one*.
#
# Each puzzle can be one line. Loops are right too, only slow.
#
# ### Puzzle 1: the mean of each row
#
# $$\begin{pmatrix} 1 & 3 \\ 4 & 8 \end{pmatrix} \;\to\; \begin{pmatrix} 2 \\ 6 \end{pmatrix}$$
#
# as a column, so that `X - row_means(X)` subtracts from each row its own mean.


# %% solution="start-row_means"
def row_means(X):
    """Return the mean of each row, as a column.

    X : array (N, D) of numbers
    Returns float (N, 1).
    """
    ### BEGIN SOLUTION
    return X.mean(axis=1, keepdims=True)
    ### END SOLUTION


# %% tests="start-row_means" points=1
result = check("start-row_means", row_means)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("one row, one column, whole numbers"):
        single = rng.integers(0, 9, size=(1, 4))
        report.close(report.array(subject(single), (1, 1)), [[single.sum() / 4]], name="row_means(X)")
        narrow = rng.normal(size=(6, 1))
        report.close(report.array(subject(narrow), (6, 1)), narrow, name="row_means(X)")


result = result.also(edge_cases, seed=7013)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Puzzle 2: columns with mean zero
#
# $$\begin{pmatrix} 1 & 10 \\ 3 & 30 \end{pmatrix} \;\to\; \begin{pmatrix} -1 & -10 \\ 1 & 10 \end{pmatrix}$$
#
# You will do this to images: subtract the mean image, so that each pixel is 0 on average. Make a new array. The `X`
# that you are given belongs to somebody else.


# %% solution="start-center_columns"
def center_columns(X):
    """Return X with each column shifted so that its mean is 0.

    X : array (N, D) of numbers, whole or not; it stays as it is
    Returns float (N, D).
    """
    ### BEGIN SOLUTION
    return X - X.mean(axis=0)
    ### END SOLUTION


# %% tests="start-center_columns" points=1
result = check("start-center_columns", center_columns)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("square, then a single row"):
        square = rng.normal(size=(6, 6)) + np.arange(6)
        centred = report.array(subject(square), (6, 6))
        report.close(centred.sum(axis=0), np.zeros(6), name="the column sums")
        report.close(centred - centred[:1], square - square[:1], name="differences between rows")
        report.close(report.array(subject(square[:1]), (1, 6)), np.zeros((1, 6)), name="center_columns(X)")


result = result.also(edge_cases, seed=8089)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Puzzle 3: one-hot rows
#
# Labels become rows with a single 1, in the column of the label. With 4 classes:
#
# $$(2, 0) \;\to\; \begin{pmatrix} 0 & 0 & 1 & 0 \\ 1 & 0 & 0 & 0 \end{pmatrix}$$


# %% solution="start-one_hot"
def one_hot(y, num_classes):
    """Return one row per label, all 0 except a 1 in the column of the label.

    y : int array (N,), each in [0, num_classes)
    Returns numbers (N, num_classes), int or float.
    """
    ### BEGIN SOLUTION
    rows = np.zeros((len(y), num_classes))
    rows[np.arange(len(y)), y] = 1
    return rows
    ### END SOLUTION


# %% tests="start-one_hot" points=1
result = check("start-one_hot", one_hot)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("repeated labels, uint8 labels"):
        for labels, width in (([2, 2, 0, 2], 3), ([1], 2), ([4, 4], 9)):
            hot = report.array(subject(np.array(labels, dtype=np.uint8), width), (len(labels), width), kind="fi")
            report.equal(hot.argmax(axis=1), labels, name="the column of the 1")
            report.equal(hot.sum(axis=1), np.ones(len(labels)), name="the sum of a row")
            report.equal((hot**2).sum(axis=1), np.ones(len(labels)), name="the sum of squares of a row")


result = result.also(edge_cases, seed=9103)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Puzzle 4: every sum of a pair
#
# $$a = (1, 2, 3), \quad b = (10, 20) \;\to\; \begin{pmatrix} 11 & 21 \\ 12 & 22 \\ 13 & 23 \end{pmatrix}$$
#
# `a[:, None]` is `a` as a column, of shape $(N, 1)$. In N01 this very step fills a table with a number for each pair
# of a test image and a training image.


# %% solution="start-outer_sum"
def outer_sum(a, b):
    """Return the sum of every pair.

    a : array (N,);  b : array (M,)
    Returns an array (N, M): entry [i, j] is a[i] + b[j].
    """
    ### BEGIN SOLUTION
    return a[:, None] + b
    ### END SOLUTION


# %% tests="start-outer_sum" points=1
result = check("start-outer_sum", outer_sum)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("whole numbers, single entries"):
        for n, m in ((1, 1), (1, 5), (4, 1), (3, 3)):
            a, b = rng.integers(0, 100, size=n), rng.integers(0, 100, size=m)
            table = report.array(subject(a, b), (n, m), kind="fi")
            report.equal(table, np.add.outer(a, b), name="outer_sum(a, b)")


result = result.also(edge_cases, seed=1187)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Puzzle 5: one score per row
#
# A classifier gives each image a score for every class. Take from each row $i$ the score of its label $y_i$:
#
# $$\begin{pmatrix} 1 & 5 & 2 \\ 7 & 0 & 3 \end{pmatrix}, \quad y = (1, 2) \;\to\; (5, 3)$$
#
# Every loss function of this course begins with this step.


# %% solution="start-pick_scores"
def pick_scores(scores, y):
    """Return the score of each row's label.

    scores : float (N, C);  y : int (N,), each in [0, C)
    Returns float (N,): entry i is scores[i, y[i]].
    """
    ### BEGIN SOLUTION
    return scores[np.arange(len(y)), y]
    ### END SOLUTION


# %% tests="start-pick_scores" points=1
result = check("start-pick_scores", pick_scores)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("one row, as many rows as columns"):
        for n, c in ((1, 4), (5, 5)):
            table, labels = rng.normal(size=(n, c)), rng.integers(0, c, size=n)
            picked = report.array(subject(table, labels), (n,))
            report.close(picked, np.take_along_axis(table, labels[:, None], 1).ravel(), name="pick_scores(scores, y)")


result = result.also(edge_cases, seed=2203)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 4. Why recognising things is hard
#
# The lectures name seven reasons why the same kind of thing rarely gives the same numbers. Below, each row turns up one
# of them and leaves the rest alone; the first row turns up none. The drawings come from `shapes10`.

# %%
from cs231n_lib.shapes10 import Challenges, draw

calm = dict.fromkeys(Challenges.__dataclass_fields__, 0.0)
rows = [calm] + [{**calm, name: 1.0} for name in calm]
labels = np.arange(8)
names = ["none", *calm]
drawn = [draw(labels, np.random.default_rng(5), Challenges(**knobs)) for knobs in rows]
captions = [text for name in names for text in (name, *[""] * 7)]
display(image_grid(np.concatenate(drawn), captions=captions, columns=8, title="One challenge a row"))

# %% [markdown]
# - **Viewpoint**: the camera moves, and *every* number changes.
# - **Illumination**: the same thing in the sun, in the shade, under a yellow lamp.
# - **Background clutter**: the thing looks like what is behind it.
# - **Occlusion**: only a part is in view.
# - **Deformation**: cats bend.
# - **Intraclass variation**: a chair can look like almost anything.
# - **Context**: what is around a thing misleads, or helps.
#
# Sorting a list of numbers has an algorithm that you can write down and prove. For *is this a cat?* nobody knows one.
# Convince yourself: write a rule by hand.
#
# ### How good is a classifier?
#
# First a way to measure: **accuracy**, the share of images that get the right label. If 3 of 4 labels are right, it
# is 0.75. One trap is worth a point: some classifiers return their labels as a column $(N, 1)$. Compared with labels
# of shape $(N,)$, what does broadcasting do?


# %% solution="start-accuracy"
def accuracy(predicted, y):
    """Return the share of predictions that are right.

    predicted : int (N,) or (N, 1);  y : int (N,)
    Returns one number in [0, 1]. Raises ValueError if there are not as many predictions as labels.
    """
    ### BEGIN SOLUTION
    predicted = predicted.reshape(-1)
    if len(predicted) != len(y):
        raise ValueError(f"accuracy: predicted must hold {len(y)} labels, got {len(predicted)}")
    return float((predicted == y).mean())
    ### END SOLUTION


# %% tests="start-accuracy" points=1
result = check("start-accuracy", accuracy)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("all right, all wrong"):
        labels = rng.integers(0, 5, size=9)
        report.require(np.array_equal(subject(labels, labels), 1.0), "nine of nine is 1")
        report.require(np.array_equal(subject(labels[:, None] + 1, labels), 0.0), "none of nine is 0")
    with report.stage("another number of labels"):
        for short in (labels[:1], labels[:4]):
            report.require(subject.raises("ValueError", short, labels), "ValueError is asked")


result = result.also(edge_cases, seed=3301)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Your rule
#
# Write any rule you like, for instance: a blue top means sky, so say aeroplane. It has to look at the image and to
# return a label, an `int` from 0 to 9. How often it is right earns nothing here; a simple rule does. The classes:

# %%
print(", ".join(f"{label} {name}" for label, name in enumerate(data.classes)))


# %% solution="start-classify_image"
def classify_image(image):
    """Return the label of one image by a rule written by hand.

    image : uint8 (32, 32, 3)
    Returns an int from 0 to 9.
    """
    ### BEGIN SOLUTION
    red, green, blue = image[:12].mean(axis=(0, 1))
    if blue > red + 5:
        return 0 if image.mean() > 110 else 8
    return 6 if green > red else 3
    ### END SOLUTION


# %% tests="start-classify_image" points=1
result = check("start-classify_image", classify_image)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("stripes"):
        for width in (1, 2, 8):
            stripes = np.repeat(rng.integers(0, 256, size=(32 // width, 3)), width, axis=0).astype(np.uint8)
            label = subject(np.broadcast_to(stripes, (32, 32, 3)).copy())
            report.require(isinstance(label, int | np.integer) and 0 <= label <= 9, "a label is asked")


result = result.also(edge_cases, seed=4409)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Ten classes, all equally frequent: whoever guesses is right one time in ten. **Before you run: guess** your rule's
# accuracy.

# %%
if ready("start-accuracy", "start-classify_image"):
    test = data.test[:2000]
    predicted = np.array([classify_image(image) for image in test.images])
    print(f"your rule: {100 * accuracy(predicted, test.labels):.1f} % of {len(test):,} images")
    print("guessing:  10.0 %")
    for label, name in enumerate(data.classes):
        mine = predicted == label
        if mine.any():
            share = accuracy(predicted[mine], test.labels[mine])
            print(f"  said {name} {mine.sum()} times, right {100 * share:.0f} %")

# %% [markdown]
# A little above chance, perhaps, and each further rule would cost you an hour and win a percent. For the next ten
# classes you would start again.
#
# ## 5. Let the data do it
#
# The way out is to program by example, the **data-driven approach**:
#
# 1. **Collect** images with labels.
# 2. **Train**: let an algorithm make a classifier from them, `model = train(images, labels)`.
# 3. **Predict** labels of *new* images, `labels = predict(model, test_images)`, and measure.
#
# It needs data. CIFAR-10 has 60,000 images in 10 classes. The ImageNet challenge, which started the present wave of
# deep learning in 2012, has 1,431,167 in 1,000 classes; asked for a photograph of a steel drum, a program could name
# five: scale, T-shirt, steel drum, drumstick, mud turtle.
#
# What came of it, from 2012 on:
#
# | given | say | for example |
# |---|---|---|
# | an image | its class; images like it | Krizhevsky et al. 2012 |
# | an image | a box around each thing | Ren et al. 2015 |
# | an image | the class of every pixel | Farabet et al. 2012 |
# | a video | what is going on | Simonyan and Zisserman 2014 |
# | a person | where the joints are | Toshev and Szegedy 2014 |
# | the screen of a game | the next move, in Atari games | Guo et al. 2014 |
# | a scan, a galaxy, a whale | a disease, a shape, which whale it is | Levy et al. 2016, Dieleman et al. 2014 |
# | an image | a sentence about it | Vinyals et al. 2015, Karpathy and Fei-Fei 2015 |
# | a sentence | an image of it, even of *an armchair in the shape of an avocado* | from 2021 on |
#
# Each of them is built on the step that you learn here: from the numbers of an image to what is in it.
#
# In **N01** you write the simplest classifier that learns: it remembers everything and looks for the nearest image.
