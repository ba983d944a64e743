# %% [markdown]
# # N05 · Image features
#
# Until now a classifier got the pixels themselves. Before 2012 hardly anybody did that. One first computed
# **features**, numbers that say something about the image (which way do its edges run, which colours has it, which
# small patterns occur), and gave only those to the classifier:
#
# $$\text{pixels} \;\to\; \text{features } x \;\to\; f(x) = Wx + b \;\to\; \text{class scores, 10 numbers.}$$
#
# The classifier stays as simple as it was; only what it sees changes. You will write the three classic kinds, a
# histogram of gradients, a histogram of colours and a bag of visual words, and see how far they beat raw pixels.
#
# 30 points · about two hours, of which the computer needs about two minutes.

# %% setup="feat-setup"
import numpy as np

from cs231n_lib.check import check, question, ready, show_question


def dense_patches(gray, *, size=8, stride=4):
    """Return the small squares of each image on a regular
    grid, each without its mean brightness and contrast.

    gray : float (N, H, W)
    Returns float (N, P, size * size): P squares per image,
    row by row; the numbers of a square have mean 0.
    """
    windows = np.lib.stride_tricks.sliding_window_view(gray, (size, size), axis=(1, 2))[
        :,
        ::stride,
        ::stride,
    ]
    patches = windows.reshape(len(gray), -1, size * size)  # (N, P, size * size)
    patches = patches - patches.mean(axis=2, keepdims=True)
    # The 10 keeps a square that is almost even, of sky for example,
    # from being blown up to pure noise.
    return patches / (np.linalg.norm(patches, axis=2, keepdims=True) + 10)


# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# ## 1. What pixels do not forgive
#
# Below is one image, then four changes that leave it the same thing to you, then an image of another class. Under each
# stands the distance of its pixels to those of the first. **Guess** before you run: which is farthest?

# %%
import time

import matplotlib.pyplot as plt
from IPython.display import display
from tqdm.auto import tqdm

from cs231n_lib.data import load_dataset
from cs231n_lib.visualize import image_grid

data = load_dataset().subset(val=1000)
photo = data.train.images[7].astype(float)
other = data.train.images[np.flatnonzero(data.train.labels != data.train.labels[7])[0]].astype(
    float,
)
changed = {
    "original": photo,
    "moved by 2 pixels": np.roll(photo, 2, axis=1),
    "half the contrast": 64 + photo / 2,
    "darker": np.maximum(photo - 60, 0),
    "negative": 255 - photo,
    "another class": other,
}


def captioned(distances):
    """Return a caption for each changed image: its name and a distance."""
    return [f"{name}\n{distance:.2f}" for name, distance in zip(changed, distances, strict=True)]


stack = np.array(list(changed.values()))  # (6, 32, 32, 3)
in_pixels = np.linalg.norm((stack - photo).reshape(len(stack), -1), axis=1)
in_pixels /= in_pixels[-1]  # another class is at distance 1
display(
    image_grid(
        stack.astype(np.uint8),
        captions=captioned(in_pixels),
        columns=6,
        title="Distance in pixels",
    )
)

# %% [markdown]
# Good features would keep the middle four near and the last one far. Remember these numbers: at the end of the notebook
# you will compute them again, with your own features.
#
# ## 2. From colour to brightness
#
# Shape shows in brightness alone, so first reduce the three colours of a pixel to one. Not by their mean: the eye takes
# green for much brighter than blue. Television engineers agreed on
#
# $$\text{gray} = 0.299\,R + 0.587\,G + 0.114\,B.$$
#
# For a pixel (200, 100, 50): $59.8 + 58.7 + 5.7 = 124.2$. The weights sum to 1, so a pixel that is gray already,
# $R = G = B$, keeps its value, and white stays 255. A line of code that has been copied for years has 0.144 for the
# blue. What does it make of white?

# %%
print("white with 0.114:", np.round(np.array([255, 255, 255]) @ [0.299, 0.587, 0.114], 2))
print("white with 0.144:", np.round(np.array([255, 255, 255]) @ [0.299, 0.587, 0.144], 2))


# %% solution="feat-rgb_to_gray"
def rgb_to_gray(images):
    """Return the brightness of every pixel, in the range of the input.

    images : array (N, H, W, 3), RGB, uint8 or float
    Returns float (N, H, W).
    """
    ### BEGIN SOLUTION
    return images @ np.array([0.299, 0.587, 0.114])
    ### END SOLUTION


# %% tests="feat-rgb_to_gray" points=2
result = check("feat-rgb_to_gray", rgb_to_gray)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("one pixel, one row, grays"):
        for shape in ((1, 1, 1), (1, 1, 9), (5, 3, 1)):
            level = rng.integers(0, 256, size=shape)
            got = report.array(subject(np.stack([level] * 3, axis=-1).astype(np.uint8)), shape)
            report.close(got, level, rtol=1e-5, atol=1e-5, name="gray")


result = result.also(edge_cases, seed=2203)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 3. Which way do the edges run?
#
# What we recognise things by is mostly their outlines, and an outline is where the brightness changes. At every pixel
# two differences say how:
#
# $$d_x = \frac{\text{right} - \text{left}}{2}, \qquad d_y = \frac{\text{below} - \text{above}}{2}.$$
#
# Together they are the **gradient**, an arrow that points to where it gets brighter. Here is one of the images, its
# two differences (gray is no change), and the length of the arrow, $\sqrt{d_x^2 + d_y^2}$: a drawing of the outlines.

# %%
picture = stack[0].mean(axis=2)  # good enough to look at
to_right = (picture[1:-1, 2:] - picture[1:-1, :-2]) / 2
downward = (picture[2:, 1:-1] - picture[:-2, 1:-1]) / 2
strength = np.sqrt(to_right**2 + downward**2)
panels = [picture[1:-1, 1:-1] / 255, 0.5 + to_right / 160, 0.5 + downward / 160, strength / strength.max()]
names = ["brightness", "change to the right", "change downward", "length"]
display(image_grid(np.clip(panels, 0, 1), captions=names, columns=4, title="A gradient at every pixel"))

# %% [markdown]
# One pixel by hand. Left of it is 10, right 50, above 20, below 50. Then $d_x = 20$, $d_y = 15$, the length is
# $\sqrt{400 + 225} = 25$, and the angle is $\arctan(15 / 20) = 36.9°$, counted from "to the right" and growing
# downwards, as rows do. The function `np.arctan2(dy, dx)` gives the angle in radians, for arrows into all directions.
#
# **The angle, modulo 180°.** A dark bird before a bright sky has arrows pointing outward, a bright bird before a dark
# wood has them pointing inward; the outline is the same. So an angle and its opposite count as one orientation:
# $-30°$ becomes $150°$, $216.9°$ becomes $36.9°$. No arrow is left out.
#
# **A histogram of orientations.** Nine bins stand at 0°, 20°, 40°, ..., 160°. Each pixel votes with the *length* of its
# arrow: strong edges count, noise hardly does. If its angle falls between two bins, the vote is shared. At 36.9°, that
# is $36.9 / 20 = 1.84$ bins: bin 1 (at 20°) gets $0.16 \cdot 25 = 3.9$ and bin 2 (at 40°) the other
# $0.84 \cdot 25 = 21.1$. After bin 8 comes bin 0 again: at 175°, that is 8.75 bins, a quarter goes to bin 8 and three
# quarters go to bin 0, since 180° is 0°.
#
# **One histogram for each cell.** *Where* an edge runs matters, but not to the pixel. So cut the image into cells of 8
# x 8 pixels, each with its own histogram: $4 \cdot 4 \cdot 9 = 144$ numbers for an image of 32 x 32. An outline that
# moves by a pixel mostly stays in its cell.
#
# **Length 1.** Twice the contrast makes every arrow twice as long, and changes nothing that matters. Divide the 144
# numbers by their length $\sqrt{\sum_i v_i^2}$. (What if the whole image is even, and that length is 0?)
#
# This is HOG, the *histogram of oriented gradients*.


# %% solution="feat-hog_feature"
def hog_feature(gray, *, cell_size=8, num_bins=9):
    """Return the histograms of gradient orientation of each image.

    gray : float (N, H, W);  cell_size : pixels;  num_bins : bins at 0, 180 / num_bins, ... degrees
    Returns float (N, H // cell_size * W // cell_size * num_bins):
    cell after cell, row by row, num_bins numbers each.
    Each row has length 1; that of an even image is all 0. Differences at the
    border of the image are those to the only neighbour, as `np.gradient`
    takes them. Raises ValueError unless cell_size divides H and W.
    """
    ### BEGIN SOLUTION
    num_images, height, width = gray.shape
    if height % cell_size or width % cell_size:
        raise ValueError(f"hog_feature: cell_size must divide the image's {height} x {width}, got {cell_size}")
    rows, columns = height // cell_size, width // cell_size
    dy, dx = np.gradient(gray, axis=(1, 2))  # y runs down, x to the right
    length = np.hypot(dx, dy)
    position = np.arctan2(dy, dx) / np.pi * num_bins % num_bins  # a half turn is num_bins bins, so it changes nothing
    low = position.astype(int)
    share = position - low
    image, y, x = np.ogrid[:num_images, :height, :width]
    cell = (image * rows + y // cell_size) * columns + x // cell_size  # (N, H, W)
    hog = np.zeros(num_images * rows * columns * num_bins)
    for bin_index, vote in ((low % num_bins, length * (1 - share)), ((low + 1) % num_bins, length * share)):
        hog += np.bincount((cell * num_bins + bin_index).ravel(), vote.ravel(), minlength=hog.size)
    hog = hog.reshape(num_images, -1)
    norm = np.linalg.norm(hog, axis=1, keepdims=True)
    return hog / np.where(norm > 0, norm, 1)
    ### END SOLUTION


# %% tests="feat-hog_feature" points=7
result = check("feat-hog_feature", hog_feature)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n05_gradients import hog_close

    with report.stage("up, down, left, right"):
        line = 10.0 * np.arange(10)
        ramps = np.stack([np.tile(line, (10, 1)), np.tile(line[::-1], (10, 1))])
        ramps = np.concatenate([ramps, ramps.transpose(0, 2, 1)])
        got = report.array(subject(ramps, cell_size=10), (4, 9))
        by_hand = np.zeros((4, 9))
        by_hand[:2, 0], by_hand[2:, 4:6] = 1, np.sqrt(0.5)
        report.close(got, by_hand, rtol=1e-4, atol=1e-4, name="hog of a ramp")
    with report.stage("narrow images, one image, many bins"):
        hog_close(subject, rng.uniform(0, 255, size=(4, 3, 12)), report, cell=3, bins=4)
        hog_close(subject, rng.uniform(0, 255, size=(1, 20, 10)), report, cell=5, bins=18)
    with report.stage("a negative, more contrast, other company"):
        gray = rng.uniform(0, 60, size=(3, 8, 16))
        got = report.array(subject(gray), (3, 18))
        for again in (subject(255 - gray), subject(4 * gray + 10), subject(gray[::-1])[::-1]):
            report.close(report.array(again, (3, 18)), got, rtol=1e-3, atol=1e-4, name="hog")
    with report.stage("rows that no cell fills"):
        report.require(subject.raises("ValueError", np.ones((1, 12, 16))), "12 rows with cells of 8 are refused")


result = result.also(edge_cases, seed=2309)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Look at what is left of an image. In each cell, each line runs along an edge, and is the longer the more votes that
# orientation got.


# %%
def draw_hog(axes, feature, cells=4, bins=9):
    """Draw a HOG feature (cells * cells * bins,): a line
    along the edge for each bin of each cell.
    """
    table = feature.reshape(cells, cells, bins) / max(feature.max(), 1e-12)
    for row, column, k in np.ndindex(table.shape):
        along = np.pi * k / bins + np.pi / 2  # an edge runs at a right angle to its gradient
        dx, dy = 0.48 * table[row, column, k] * np.array([np.cos(along), np.sin(along)])
        axes.plot([column - dx, column + dx], [row - dy, row + dy], color="#0072B2", linewidth=1.2)
    axes.set(xlim=(-0.5, cells - 0.5), ylim=(cells - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])


examples = [int(np.flatnonzero(data.train.labels == c)[2]) for c in range(5)]
if ready("feat-rgb_to_gray", "feat-hog_feature"):
    hogs = hog_feature(rgb_to_gray(data.train.images[examples]))
    figure, axes = plt.subplots(2, len(examples), figsize=(11, 4.6), layout="constrained")
    for column, index in enumerate(examples):
        axes[0, column].imshow(data.train.images[index])
        axes[0, column].set_title(data.classes[data.train.labels[index]])
        axes[0, column].axis("off")
        draw_hog(axes[1, column], hogs[column])
    plt.show()

# %% [markdown]
# ## 4. Which colours?
#
# A frog is green, a ship lies in blue water. The **colour histogram** asks which colours an image has, and forgets
# where. The colour in the everyday sense is the **hue**, an angle on the colour circle: red, yellow, green, cyan, blue,
# magenta, and red again.
#
# Let $M$ be the largest and $m$ the smallest of $R, G, B$, and $C = M - m$ how far the pixel is from gray. The circle
# has three thirds, one for each largest channel; counted in sixths of the circle,
#
# $$h = \begin{cases}
# \dfrac{G - B}{C} \bmod 6 & \text{if } M = R,\\[2ex]
# \dfrac{B - R}{C} + 2 & \text{if } M = G,\\[2ex]
# \dfrac{R - G}{C} + 4 & \text{if } M = B.
# \end{cases}$$
#
# | pixel | $C$ | $h$ | hue, $h / 6$ | of 10 bins |
# |---|:---:|:---:|:---:|:---:|
# | (255, 0, 0) red | 255 | 0 | 0 | 0 |
# | (255, 255, 0) yellow | 255 | 1 | 0.167 | 1 |
# | (0, 0, 255) blue | 255 | 4 | 0.667 | 6 |
# | (255, 0, 60) pink | 255 | $-60/255 + 6 = 5.76$ | 0.961 | 9 |
# | (70, 70, 70) gray | 0 | $0 / 0$ | none | ? |
#
# **The gray trap.** Gray has no hue. Programs that need a number there write 0, and then every gray pixel, and with
# it most of a road or a cloud, counts as *red*. And between gray and pure colour there is no border: a pixel
# (121, 120, 120) is as good as gray. So let each pixel share its one vote: $C / 255$ goes to the bin of its hue, and
# the rest, $1 - C / 255$, to one more bin at the end, for gray. Divide by the number of pixels: the
# `num_bins + 1` numbers of an image then sum to 1, whatever its size.
#
# Of $n$ bins, bin $k$ holds the hues from $k / n$ up to $(k + 1) / n$; here no vote is shared between neighbours.


# %% solution="feat-hue_histogram"
def hue_histogram(images, *, num_bins=10):
    """Return the share of each hue in each image, and of gray.

    images : array (N, H, W, 3), RGB in [0, 255], uint8 or float
    Returns float (N, num_bins + 1): the hues in order, then gray. Each row sums to 1.
    """
    ### BEGIN SOLUTION
    images = images.astype(float)
    red, green, blue = np.moveaxis(images, -1, 0)
    largest, chroma = images.max(axis=-1), np.ptp(images, axis=-1)  # (N, H, W)
    safe = np.where(chroma > 0, chroma, 1)
    green_or_blue = np.where(largest == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    sixths = np.where(largest == red, (green - blue) / safe % 6, green_or_blue)
    bins = np.minimum((sixths / 6 * num_bins).astype(int), num_bins - 1)
    shares = [((bins == k) * chroma / 255).mean(axis=(1, 2)) for k in range(num_bins)]
    return np.stack([*shares, 1 - sum(shares)], axis=1)
    ### END SOLUTION


# %% tests="feat-hue_histogram" points=4
result = check("feat-hue_histogram", hue_histogram)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n05_colour import colours_inside_bins, histogram_close

    with report.stage("one pixel, deep shadow"):
        histogram_close(subject, colours_inside_bins(rng, (3, 1, 1), 5), report, bins=5)
        dark = np.array([[[[2, 0, 0], [0, 3, 0]]]], dtype=np.uint8)
        histogram_close(subject, dark, report, bins=4)
    with report.stage("colours on the seams of the circle"):
        paint = np.array([[0, 255, 255], [255, 0, 255], [255, 0, 1]], dtype=np.uint8)[:, None, None]
        histogram_close(subject, paint, report, bins=11)
    with report.stage("shuffled pixels, a larger copy"):
        images = colours_inside_bins(rng, (2, 4, 6), 10)
        got = report.array(subject(images), (2, 11))
        shuffled = rng.permutation(images.reshape(2, 24, 3), axis=1).reshape(2, 8, 3, 3)
        for again in (subject(shuffled), subject(images.repeat(2, axis=1).repeat(3, axis=2))):
            report.close(report.array(again, (2, 11)), got, rtol=1e-4, atol=1e-6, name="histogram")


result = result.also(edge_cases, seed=2411)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The mean histogram of three classes; the gray bin, much the largest, is written above. Which bins would help you to
# tell the classes apart, and how certain could you be?

# %%
if ready("feat-hue_histogram"):
    from matplotlib.colors import hsv_to_rgb

    paint = hsv_to_rgb([[(k + 0.5) / 10, 0.9, 0.9] for k in range(10)])
    figure, axes = plt.subplots(1, 3, figsize=(11, 2.4), sharey=True)
    for panel, c in zip(axes, (0, 6, 9), strict=True):
        *colours, gray_share = hue_histogram(
            data.train.images[:2000][data.train.labels[:2000] == c],
        ).mean(axis=0)
        panel.bar(range(10), colours, color=paint, edgecolor="#555555", linewidth=0.4)
        panel.set(
            title=f"{data.classes[c]} · gray {gray_share:.2f}",
            xticks=[0, 3, 6],
            xticklabels=["red", "green", "blue"],
        )
    axes[0].set_ylabel("share of the image")
    plt.show()

# %% [markdown]
# ## 5. A bag of visual words
#
# How does one describe a text by numbers? Simplest is to count its words and forget their order: many "goal", "team",
# "referee", and it is about football. Fei-Fei and Perona did the same with images in 2005. Only, what is a word of an
# image? They let the images say it themselves:
#
# 1. **Build a codebook.** Take thousands of small random patches from many images, and put similar ones together. The
#    typical patch of each group is a *visual word*: an edge of some slant, a corner, a bar.
# 2. **Encode.** Cut an image into patches, replace each by its nearest word, and count. The image becomes a histogram
#    of words: the bag.
#
# ### Similar ones together: k-means
#
# Start with $K$ words, for example $K$ of the patches. Then repeat:
#
# - **assign**: each patch $p$ belongs to the word $w_k$ with the smallest distance $\lVert p - w_k \rVert$;
# - **move**: each word becomes the mean of the patches that belong to it.
#
# By hand, with patches of a single number, 0, 1, 2, 10, 14, and the words 0.5 and 9. Assign: 0, 1, 2 belong to 0.5; 10
# and 14 to 9. Move: the words become 1 and 12. Assign again: nothing changes, and we are done. Each half of a step can
# only shorten the squared distances to the words (the nearest word is nearest; no point is nearer to a group in squares
# than its mean), so the steps settle down.
#
# Three things to think of:
#
# - **A word that no patch chooses** has no mean: $0 / 0$ is `nan`, and a `nan` never goes away. Let it stay where it
#   is.
# - **Ties** go to the word with the lower index.
# - **Memory.** 20,000 patches, 64 words and 64 numbers each make 82 million differences, 655 MB at once. As in N01,
#   $\lVert p - w \rVert^2 = p \cdot p - 2\, p \cdot w + w \cdot w$ does without. (For the *nearest* word, one of the
#   three terms does not even matter. Which?) The check allows 6 MB on a small example.
#
# The first words come as an argument, so the function has no dice of its own: the same start, the same codebook.


# %% solution="feat-build_codebook"
def build_codebook(patches, first_words, *, num_steps=10):
    """Return the words after some steps of k-means.

    patches : array (P, D) of numbers;  first_words : array (K, D);  num_steps : int, 0 or more
    Returns float (K, D). A step assigns each patch to its nearest word, the first of equals, and
    then moves each word to the mean of its patches; a word without patches stays where it is.
    """
    ### BEGIN SOLUTION
    patches, words = patches.astype(float), first_words.astype(float)
    for _ in range(num_steps):
        nearest = ((words**2).sum(axis=1) - 2 * patches @ words.T).argmin(axis=1)  # p.p is the same for every word
        for k in np.unique(nearest):
            words[k] = patches[nearest == k].mean(axis=0)
    return words
    ### END SOLUTION


# %% tests="feat-build_codebook" points=6
result = check("feat-build_codebook", build_codebook)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n05_words import words_close

    with report.stage("one word, one patch, more words than patches"):
        patches = rng.normal(size=(7, 3))
        words_close(subject, patches, patches[:1] + 2, report, steps=2)
        words_close(subject, patches[:1], patches[1:2], report, steps=1)
        words_close(subject, patches[:3], rng.normal(size=(5, 3)), report, steps=3)
    with report.stage("equal words, equal patches"):
        words_close(subject, patches, patches[[2, 4, 2, 2]], report, steps=2)
        words_close(subject, np.ones((6, 2)), np.array([[1.0, 1.0], [3.0, 3.0]]), report, steps=2)
    with report.stage("far from zero"):
        words_close(subject, 1000 + rng.normal(size=(40, 4)), 1000 + rng.normal(size=(5, 4)), report, steps=6)


result = result.also(edge_cases, seed=2503)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Watch your function at work in two dimensions: three groups of points (small) and three words (large) with a poor
# start. Which word ends where? And would every start end there?

# %%
toy_rng = np.random.default_rng(4)
points = np.concatenate([toy_rng.normal(centre, 0.7, size=(40, 2)) for centre in ((0, 0), (4, 1), (1, 4))])
poor_start = np.array([[3.0, 4.0], [4.0, 4.0], [4.5, 3.0]])
if ready("feat-build_codebook"):
    figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharex=True, sharey=True)
    for panel, steps in zip(axes, (0, 1, 2, 6), strict=True):
        centres = build_codebook(points, poor_start, num_steps=steps)
        group = np.argmin([np.hypot(*(points - centre).T) for centre in centres], axis=0)
        for k, (colour, marker) in enumerate(zip(("#0072B2", "#D55E00", "#009E73"), "osv", strict=True)):
            panel.scatter(*points[group == k].T, s=14, color=colour, marker=marker, alpha=0.6)
            panel.scatter(*centres[k], s=160, color=colour, marker=marker, edgecolor="black")
        panel.set_title("start" if steps == 0 else f"after {steps} step{'s' * (steps > 1)}")
    plt.show()

# %% [markdown]
# k-means finds *a* valley of the squared distances, not always the deepest: another start may end elsewhere.
#
# Now on real patches: 20,000 squares of 8 x 8 pixels from 2,000 images, each without its mean brightness and contrast
# (`dense_patches`, in the first cell, sees to that). About five seconds. **Guess** what the 64 words look like.

# %%
if ready("feat-rgb_to_gray", "feat-build_codebook"):
    patch_rng = np.random.default_rng(0)
    patches = dense_patches(rgb_to_gray(data.train.images[:2000])).reshape(-1, 64)
    patches = patches[patch_rng.permutation(len(patches))[:20_000]]
    words = build_codebook(patches, patches[:64], num_steps=15)
    scale = np.abs(words).max(axis=1, keepdims=True) + 1e-12
    tiles = (0.5 + words / scale / 2).reshape(64, 8, 8)
    display(image_grid(tiles, columns=16, title="64 visual words"))

# %% [markdown]
# Edges of every slant, bars, corners, and a few even ones: nobody told it to. They resemble what the first layer of a
# ConvNet learns, and what Hubel and Wiesel found in the cat in 1959.
#
# ### Encode
#
# Each image comes as its $P$ patches. Replace each by the index of its nearest word, and give the *share* of each word,
# so that an image with more patches does not get larger numbers. By hand: words 0, 5, 9 and an image with the patches
# 0, 1, 1, 4. The nearest words are 0, 0, 0, 1, so the shares are 0.75, 0.25, 0.


# %% solution="feat-encode_bovw"
def encode_bovw(patches, words):
    """Return how often each visual word occurs in each image, as shares.

    patches : array (N, P, D), P patches of each image;  words : array (K, D)
    Returns float (N, K), each row summing to 1. A patch is
    written as its nearest word, the first of equals.
    """
    ### BEGIN SOLUTION
    products = patches.reshape(-1, patches.shape[2]) @ words.T  # (N * P, K)
    nearest = ((words**2).sum(axis=1) / 2 - products).argmin(axis=1).reshape(patches.shape[:2])
    return np.stack([(nearest == k).mean(axis=1) for k in range(len(words))], axis=1)
    ### END SOLUTION


# %% tests="feat-encode_bovw" points=4
result = check("feat-encode_bovw", encode_bovw)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n05_words import shares_close

    with report.stage("one patch, one word, equal words"):
        patches = rng.normal(size=(4, 1, 3))
        shares_close(subject, patches, rng.normal(size=(6, 3)), report)
        shares_close(subject, patches, rng.normal(size=(1, 3)), report)
        shares_close(subject, patches, np.repeat(patches[0], 3, axis=0), report)
    with report.stage("shuffled patches"):
        patches, words = rng.normal(size=(3, 20, 5)), rng.normal(size=(8, 5))
        got = report.array(subject(patches, words), (3, 8))
        again = report.array(subject(rng.permutation(patches, axis=1), words), (3, 8))
        report.close(again, got, rtol=1e-6, name="shares")


result = result.also(edge_cases, seed=2609)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Here are three images, each redrawn with nothing but its words: every patch on a grid replaced by the nearest of the
# 64. The bag keeps less still: it knows how many there are of each, and not where.

# %%
if ready("feat-rgb_to_gray", "feat-build_codebook", "feat-encode_bovw"):
    shown, captions = [], []
    for index in examples[:3]:
        gray = rgb_to_gray(data.train.images[[index]])
        each = dense_patches(gray, stride=8)[0]  # (16, 64)
        mine = np.argmax([encode_bovw(patch[None, None], words)[0] for patch in each], axis=1)
        redrawn = tiles[mine].reshape(4, 4, 8, 8).transpose(0, 2, 1, 3).reshape(32, 32)
        shown += [gray[0] / 255, redrawn]
        captions += [data.classes[data.train.labels[index]], f"{len(set(mine.tolist()))} different words"]
    display(image_grid(np.clip(shown, 0, 1), captions=captions, columns=6, title="Images and their words"))

# %% [markdown]
# All your features on one image, before and after a change. **Guess before you choose a change:** the image is cut into
# squares, and the squares are shuffled. Which of colours, gradients and words notice, and which cannot?

# %%
from cs231n_lib import widgets

if ready("feat-hog_feature", "feat-hue_histogram", "feat-build_codebook", "feat-encode_bovw"):
    display(widgets.feature_explorer(hog_feature, hue_histogram, build_codebook, encode_bovw))

# %% [markdown]
# ## 6. Better than pixels
#
# Put it together: a function that takes images and returns their features, one row per image. The histogram of
# gradients and that of hues side by side make 155 numbers where there were 3072. Nothing forces you to use both, or to
# stop there (HOG with cells of 4 as well? hues in each quarter?): whatever the images' pixels let you compute with
# NumPy and the functions above is allowed. One rule: **each image by itself**. Its features may not depend on the other
# images of the batch, or they would change with the company.
#
# The check draws new images under unsteady light, trains a linear classifier and a small two-layer net on your
# features, and both again on raw pixels. It asks that yours be better by 3 points of accuracy with either. It takes
# about four seconds, and your function has 20 seconds for about a thousand images.


# %% solution="feat-extract_features"
def extract_features(images):
    """Return features of each image by itself.

    images : uint8 (N, 32, 32, 3), RGB
    Returns float (N, D), 1 <= D <= 3072, finite.
    """
    ### BEGIN SOLUTION
    rows = []
    for start in range(0, len(images), 100):  # a hundred at a time stay in the processor's cache
        some = images[start : start + 100]
        rows.append(np.concatenate([hog_feature(rgb_to_gray(some)), hue_histogram(some)], axis=1))
    return np.concatenate(rows)
    ### END SOLUTION


# %% tests="feat-extract_features" points=4
result = check("feat-extract_features", extract_features)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("a single image, two equal ones"):
        image = rng.integers(0, 256, size=(1, 32, 32, 3), dtype=np.uint8)
        alone = subject(image)
        width = alone.shape[1] if isinstance(alone, np.ndarray) and alone.ndim == 2 else 1
        alone = report.array(alone, (1, width))
        both = report.array(subject(np.repeat(image, 2, axis=0)), (2, width))
        report.close(both, np.repeat(alone, 2, axis=0), rtol=1e-4, atol=1e-6, name="features")


result = result.also(edge_cases, seed=2707)
### END HIDDEN TESTS
result.points

# %% [markdown]
# First, the promise of section 1: the same six images, now at the distance of their *features*.

# %%
if ready("feat-extract_features"):
    in_features = extract_features(stack.astype(np.uint8))
    in_features = np.linalg.norm(in_features - in_features[0], axis=1)
    in_features /= in_features[-1]
    display(
        image_grid(
            stack.astype(np.uint8),
            captions=captioned(in_features),
            columns=6,
            title="Distance in features",
        )
    )

# %% [markdown]
# Now for the scores, on the data set at hand: 9,000 images to train and 1,000 to validate, a linear classifier and a
# net with one hidden layer, each on pixels and on features. Training them is not today's subject (you write both by
# hand, in N02 and N04), so PyTorch does it. Figures of the *training* set standardise every feature, and one that
# never varies is left alone, for its spread is 0.
#
# The course asks of the net on your features more than 55 % of the validation images of CIFAR-10, or 65 % of shapes10.
# About one minute on two cores. **Guess** the order of the bars.


# %%
def train_and_score(rows, labels, num_train, *, hidden, learning_rate, epochs=12):
    """Train on the first `num_train` rows; return the predictions (int array) for the others.

    rows : float (N, D)
    labels : int (N,)
    hidden : units of the hidden layer, 0 for a linear classifier
    """
    import torch
    from torch import nn

    mean, spread = rows[:num_train].mean(axis=0), rows[:num_train].std(axis=0)
    x = torch.tensor((rows - mean) / np.where(spread > 1e-6, spread, 1), dtype=torch.float32)
    y = torch.tensor(labels)
    torch.manual_seed(0)
    if hidden:
        model = nn.Sequential(
            nn.Linear(x.shape[1], hidden),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(hidden, 10),
        )
    else:
        model = nn.Linear(x.shape[1], 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    steps = epochs * -(-num_train // 100)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for batch in torch.randperm(num_train).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        return model(x[num_train:]).argmax(dim=1).numpy()


with_words = ready("feat-rgb_to_gray", "feat-build_codebook", "feat-encode_bovw")
if ready("feat-extract_features"):
    start = time.perf_counter()
    num_train = 9000
    images = np.concatenate([data.train.images[:num_train], data.val.images])
    labels = np.concatenate([data.train.labels[:num_train], data.val.labels])
    mine, bags = [], []
    for begin in tqdm(range(0, len(images), 500), desc="features", unit="500 images"):
        some = images[begin : begin + 500]
        mine.append(extract_features(some))
        if with_words:
            bags.append(encode_bovw(dense_patches(rgb_to_gray(some)), words))
    mine = np.concatenate(mine)
    # each with its learning rate and number of epochs;
    # pixels need smaller steps, and more of them hardly help
    kinds = {"raw pixels": (images.reshape(len(images), -1) / np.float32(255), 3e-4, 5)}
    if with_words:
        kinds["bag of words"] = np.concatenate(bags), 3e-3, 12
    kinds["your features"] = mine, 3e-3, 12
    if with_words:
        kinds["your features + words"] = (
            np.concatenate([mine, np.concatenate(bags)], axis=1),
            3e-3,
            12,
        )
    accuracy, predicted = {}, {}
    for kind, (rows, rate, epochs) in tqdm(kinds.items(), desc="training"):
        for hidden in (0, 128):
            guess = train_and_score(
                rows,
                labels,
                num_train,
                hidden=hidden,
                learning_rate=rate,
                epochs=epochs,
            )
            predicted[kind, hidden] = guess
            accuracy[kind, hidden] = np.mean(guess == data.val.labels)
    print(f"{'validation accuracy':24s}  linear   net with 128 hidden units")
    for kind in kinds:
        print(f"{kind:24s} {100 * accuracy[kind, 0]:6.1f} %  {100 * accuracy[kind, 128]:6.1f} %")
    reached, target = accuracy["your features", 128], data.target("features")
    verdict = "target reached" if reached > target else f"the target is {target}"
    print(f"your features in a net: {reached:.3f}, {verdict}; {time.perf_counter() - start:.0f} seconds")

# %%
if "accuracy" in globals():
    figure, axes = plt.subplots(figsize=(7, 2.6))
    place = np.arange(len(kinds))
    axes.barh(place - 0.2, [accuracy[kind, 0] for kind in kinds], 0.38, label="linear", color="#0072B2")
    axes.barh(
        place + 0.2,
        [accuracy[kind, 128] for kind in kinds],
        0.38,
        label="net",
        color="#E69F00",
        hatch="//",
    )
    axes.axvline(0.1, color="#555555", linestyle=":", label="chance")
    axes.set(yticks=place, yticklabels=kinds, xlabel="validation accuracy", xlim=(0, 1))
    axes.invert_yaxis()
    axes.legend(loc="center right")
    plt.show()

# %% [markdown]
# The two classifiers are the same on each line of the table; only what they see has changed. From pixels to your
# features is worth more than from a linear classifier to a net. The bag of words alone, 64 numbers that know of no
# place, falls short of the pixels; see whether it still adds something to the others. (A share of 1,000 images has a
# standard error of about 1.6 points.)
#
# ### What it still gets wrong
#
# The true class, and below it what the net said on the features of the last line. Before you read on: for each mistake,
# can you see *which feature* misled it? A similar outline, a similar colour?

# %%
if "accuracy" in globals():
    guess = predicted[list(kinds)[-1], 128]
    wrong = np.flatnonzero(guess != data.val.labels)[:24]
    captions = [f"{data.classes[data.val.labels[i]]}\n{data.classes[guess[i]]}" for i in wrong]
    display(
        image_grid(
            data.val.images[wrong],
            captions=captions,
            columns=8,
            title="True class, and what the net said",
        )
    )

# %% [markdown]
# ## 7. Errors that no classifier can avoid
#
# Two images with *exactly* the same features get the same answer from every classifier, however clever: if they are
# of different classes, one of the answers is wrong. So it pays to know what a feature is blind to.
#
# **Question 1.** In which of these pairs do the two images always have the same feature (up to rounding)? No value
# leaves the range from 0 to 255 on the way.
#
# - **A** HOG; an image and its negative (every value $v$ becomes $255 - v$).
# - **B** Histogram of hues; an image and the same with all of its pixels shuffled.
# - **C** HOG; an image and its mirror image.
# - **D** HOG; an image and the same with twice the contrast (every value $v$ becomes $2v - 100$).
# - **E** Bag of words, of patches 8 x 8 side by side (stride 8); an image of 32 x 32 and the same with its left and
#   right halves exchanged.
# - **F** Histogram of hues; an image and the same at half the brightness (every value $v$ becomes $v / 2$).
# - **G** Bag of words; an image and the same upside down.
# - **H** Histogram of hues; an image and the same with 40 added to each of the three channels.
#
# As in N01: a set of letters; the check looks at the form only, and a wrong letter takes back the credit of a right
# one.

# %% solution="feat-q1"
same_feature = ...
### BEGIN SOLUTION
same_feature = {"A", "B", "D", "E", "H"}
### END SOLUTION

# %% tests="feat-q1" points=2
result = check("feat-q1", same_feature)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying each pair on a random image."""
    from cs231n_lib.check.n05_colour import hues
    from cs231n_lib.check.n05_gradients import unit_rows, votes
    from cs231n_lib.check.n05_words import encoded

    answer = report.choices(subject, "ABCDEFGH")
    book = dense_patches(rng.uniform(60, 170, size=(1, 32, 32)), stride=8)[0, :12]

    def gradients(image):
        return unit_rows(votes(image.mean(axis=2)[None], cell=8, bins=9))

    def colours(image):
        return hues(image[None], 10)

    def words(image):
        return encoded(dense_patches(image.mean(axis=2)[None], stride=8), book)

    true = set("ABCDEFGH")
    for _ in (1, 2, 3, 4):
        image = rng.uniform(60, 170, size=(32, 32, 3))
        shuffled = rng.permutation(image.reshape(-1, 3)).reshape(image.shape)
        pairs = {
            "A": (gradients, 255 - image),
            "B": (colours, shuffled),
            "C": (gradients, image[:, ::-1]),
            "D": (gradients, 2 * image - 100),
            "E": (words, np.roll(image, 16, axis=1)),
            "F": (colours, image / 2),
            "G": (words, image[::-1]),
            "H": (colours, image + 40),
        }
        true -= {c for c, (feature, twin) in pairs.items() if not np.allclose(feature(image), feature(twin), atol=1e-9)}
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=2801)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question 2.** How many numbers are left of an image? For 32 x 32 pixels, HOG with cells of 8 and 9 bins has $4
# \cdot 4 \cdot 9 = 144$, and with 11 hues beside it the 155 of above. A bag has as many numbers as there are words.
# Now with sizes of your own.

# %%
show_question("feat-q2", student)

# %% solution="feat-q2"
feature_sizes = {"hog": ..., "patches": ..., "weights": ...}
### BEGIN SOLUTION
mine = question("feat-q2", student)
steps = [(mine[side] - mine["patch"]) // mine["stride"] for side in ("height", "width")]
feature_sizes["hog"] = mine["height"] * mine["width"] // mine["cell"] ** 2 * mine["bins"]
feature_sizes["patches"] = (steps[0] + 1) * (steps[1] + 1)
row_length = feature_sizes["hog"] + mine["hues"] + mine["words"]
feature_sizes["weights"] = (row_length + 1) * mine["classes"]
### END SOLUTION

# %% tests="feat-q2" points=1
result = check("feat-q2", feature_sizes, student=student)
result.points

# %% [markdown]
# ## Features by hand, or learned?
#
# | | features, then a classifier | ConvNet, from N09 on |
# |---|---|---|
# | input | 32 x 32 x 3 pixels | the same |
# | first stages | fixed by us: gradients, cells, hues, words | filters, learned |
# | last stage | $f(x) = Wx + b$, learned | the same, learned |
# | output | 10 numbers giving scores | 10 numbers giving scores |
# | what training changes | the last stage only | everything, end to end |
#
# Look at HOG once more: differences of neighbouring pixels, an absolute value of sorts, a sum over cells, a division by
# a length. Convolve, bend, pool, normalise: a ConvNet does the same, in several layers, and its numbers come from the
# data. That was the step of 2012. In **N10** you train the same net twice, once with its filters frozen and once with
# filters that learn, and see what learning adds.
