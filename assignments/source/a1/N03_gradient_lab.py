# %% [markdown]
# # N03 · Gradient lab
#
# A network learns by walking downhill, and the gradient says where downhill is. You will derive gradients by hand for
# the rest of this course, and sooner or later one will be wrong. A wrong gradient raises no error: the loss still
# falls, only more slowly, and stops too early. So before you write big gradients, build the instrument that tests
# them:
#
# 1. **measure** a slope from values of the function alone (slow, but hard to get wrong),
# 2. know **how far to trust** the measurement: step, rounding, kinks,
# 3. compute the same slope **fast**, by the chain rule,
# 4. **write the check** that compares the two, and find out whether it catches ten wrong gradients.
#
# 30 points · about two hours, of which the computer needs less than a minute.

# %% setup="grad-setup"
import math

import numpy as np

from cs231n_lib.check import check, question, ready, show_question

# %% [markdown]
# Some questions below have numbers of your own: they are drawn from your name. Write the ID with which you hand in.

# %% solution="student"
student = ""  # such as "ada"; without a name you see the common numbers

# %% [markdown]
# ## 1. A picture to begin with
#
# The slope of $\sin$ at $x = 1$ is $\cos 1 = 0.5403\ldots$ Let us pretend we did not know, and measure it: go a
# little to the side, by a step $h$, and see how much $\sin$ rises per step. A slope is a limit for $h \to 0$. So,
# **guess first:** which step measures best, $0.1$, or $0.00001$, or $10^{-15}$?

# %%
import matplotlib.pyplot as plt

from cs231n_lib.visualize import OKABE_ITO

BLUE, ORANGE, _, RED = OKABE_ITO[:4]

widths = 10.0 ** -np.arange(1, 16)
one_side = (np.sin(1 + widths) - np.sin(1)) / widths
two_sides = (np.sin(1 + widths) - np.sin(1 - widths)) / (2 * widths)

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.loglog(widths, abs(one_side / np.cos(1) - 1), "s-", color=ORANGE, label="from one side")
axes.loglog(widths, abs(two_sides / np.cos(1) - 1), "o-", color=BLUE, label="from both sides")
axes.invert_xaxis()
axes.set(
    xlabel="step h (ever smaller to the right)",
    ylabel="relative error",
    title="The slope of sin at 1, measured",
)
axes.grid(color="#dddddd")
axes.legend()
plt.show()

# %% [markdown]
# Both curves go down, as a limit should, and then *up* again: with a step of $10^{-15}$ already the second digit is
# wrong. And from both sides you get two or three digits more than from one. By the end of
# section 3 you can explain every feature of this picture.
#
# ## 2. Measure a gradient
#
# ### One entry at a time
#
# Take $f(x, y) = x y$ at $(3, -4)$, where $f = -12$. Move $x$ alone by a step $h = 0.1$ to both sides:
#
# | | $x$ | $y$ | $f$ |
# |---|:---:|:---:|:---:|
# | right | 3.1 | -4 | -12.4 |
# | left | 2.9 | -4 | -11.6 |
#
# Over a distance of $2h = 0.2$ the function changed by $-0.8$: its slope along $x$ is $-0.8 / 0.2 = -4$. Then put $x$
# back, move $y$ alone, and get $0.6 / 0.2 = 3$. The **gradient** is the list of these slopes, $(-4, 3)$. In symbols,
# with $e_i$ the array that is 1 at entry $i$ and 0 elsewhere, the **central difference** is
#
# $$\frac{\partial f}{\partial x_i} \;\approx\; \frac{f(x + h\, e_i) - f(x - h\, e_i)}{2h}.$$
#
# It works for an array of any shape, and the gradient has the shape of $x$: each entry sits where its variable sits.
#
# ### What can go wrong in ten lines
#
# Many a numerical gradient, in well-known course material too, writes the step *into* the array it was given. Three
# lines show what comes of that:

# %%
for dtype in (np.float64, np.float32, np.int64):
    x = np.array([0, 1, 2], dtype=dtype)
    x[1] = x[1] + 1e-5
    up = x[1]
    x[1] = x[1] - 2e-5
    moved = float(up) - float(x[1])
    print(f"{x.dtype.name:8s} 1 + h = {up!s:10s} then - 2h = {x[1]!s:10s} so 2h is {moved:.6g}")

# %% [markdown]
# - **float32** keeps seven digits: the step is off in its fourth digit already, and around $x = 300$ it vanishes.
# - **int64** cuts every step off: upwards nothing happens, downwards it falls by a whole 1. For $\sum x^2$ at
#   $(0, 1, 2)$ such code reports slopes of about $(0, 50000, 150000)$. They are $(0, 2, 4)$. No error is raised.
# - And if $f$ raises an error half-way, say because its input is out of range, the array of the caller is left with
#   1.00001 in it. The next result is a little wrong, and nobody knows why.
#
# One habit prevents all three: work in `float64`, on arrays of your own, and never write into `x`.


# %% solution="grad-numeric_grad"
def numeric_grad(f, x, h=1e-5):
    """Return the slope of f along each entry of x, by central differences.

    f : function of a float64 array of x's shape; returns one number
    x : array of any shape and any number dtype, integers
        too; it stays as it is, even if f raises an error
    h : float, how far to go to each side
    Returns float64 of x's shape. An error of f passes through.
    """
    ### BEGIN SOLUTION
    x = np.array(x, dtype=np.float64)
    grad = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        nudge = np.zeros(x.shape)
        nudge[index] = h
        grad[index] = (f(x + nudge) - f(x - nudge)) / (2 * h)
    return grad
    ### END SOLUTION


# %% tests="grad-numeric_grad" points=5
result = check("grad-numeric_grad", numeric_grad)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n03_slopes import Probe, measured

    with report.stage("no axes, one entry, no entries, four axes"):
        for shape in ((), (1,), (0, 3), (2, 1, 3, 2)):
            weights = rng.normal(size=shape)
            x = np.array(rng.normal(size=shape), order="F")
            probe = Probe(lambda v, weights=weights: float((weights * v**3).sum()), x)
            got = np.asarray(measured(subject, probe, report).value)
            report.require(got.shape == shape, f"the gradient has shape {got.shape} for x of shape {shape}")
            report.close(got, 3 * weights * x**2, rtol=1e-5, atol=1e-6, name="the gradient")
    with report.stage("a kink in the middle"):
        probe = Probe(lambda v: float(np.abs(v).sum()), np.array([0.0, -2.0]))
        report.close(measured(subject, probe, report).value, [0.0, -1.0], atol=1e-9, name="the gradient of |x|")


result = result.also(edge_cases, seed=3019)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Look at it.** The arrows below are gradients that your function measured, drawn on a landscape
# $f(x, y) = \frac{1}{4} x^2 + \sin y$. **Guess:** how do the arrows lie to the lines of equal height?

# %%
if ready("grad-numeric_grad"):

    def landscape(point):
        return float(point[0] ** 2 / 4 + np.sin(point[1]))

    horizontal, vertical = np.meshgrid(np.linspace(-3, 3, 13), np.linspace(-3, 3, 13))
    points = np.stack([horizontal, vertical], axis=-1)  # (13, 13, 2)
    arrows = np.array([[numeric_grad(landscape, point) for point in row] for row in points])  # (13, 13, 2)
    figure, axes = plt.subplots(figsize=(5.6, 4.4), layout="constrained")
    heights = axes.contourf(
        horizontal,
        vertical,
        horizontal**2 / 4 + np.sin(vertical),
        levels=15,
        cmap="cividis",
    )
    axes.quiver(
        horizontal,
        vertical,
        arrows[..., 0],
        arrows[..., 1],
        color="white",
        scale=28,
        width=0.005,
    )
    axes.set(
        xlabel="x",
        ylabel="y",
        title="Measured gradients point uphill, across the lines",
        aspect="equal",
    )
    figure.colorbar(heights, label="f")
    plt.show()

# %% [markdown]
# ### Are two gradients the same?
#
# Suppose a formula says 0.001234 and the measurement says 0.001334. The difference is one ten-thousandth. Is that
# little? Not next to 0.0013: it is 7 % off. So divide by the size of the numbers, the larger of the two, for each
# entry, and look at the worst entry:
#
# $$\mathrm{rel\_error}(a, b) = \max_i \frac{|a_i - b_i|}{\max(|a_i|, |b_i|)}.$$
#
# It is 0 for equal numbers, near 1 if one is far larger than the other, and 2 for opposite signs. One formula; and
# most versions of it that people write let wrong gradients through. **Guess** what the next cell prints.

# %%
right = np.array([0.5, -1.0, 2.0])
row, holed = right.reshape(1, 3), np.array([0.5, np.nan, 2.0])
print("a row (1, 3) against (3,):    largest difference", np.abs(right - row).max())
print("with a nan in it:             error > 1e-6 is", bool(np.abs(right - holed).max() > 1e-6))
print("1e-12 against 3e-12, by the floor of 1e-8:", abs(1e-12 - 3e-12) / max(1e-8, 3e-12))

# %% [markdown]
# Three wrong gradients, three times no alarm: a **wrong shape** broadcasts, a comparison with **nan** is always
# False, and a constant put into the denominator "against division by zero" hides the errors of **small** gradients
# (in deep networks the first layers' gradients *are* small). Yours is strict:
#
# - shapes that differ raise `ValueError`, also if they would broadcast;
# - a nan or an infinity anywhere, in either array, makes the error infinite: `math.inf`;
# - where both entries are exactly 0, the error is 0; there is no other exception for small numbers;
# - two empty arrays have error 0.


# %% solution="grad-rel_error"
def rel_error(a, b):
    """Return the largest relative error of any entry,
    |a - b| / max(|a|, |b|), where 0/0 counts as 0.

    a, b : arrays of numbers of the same shape and any dtype; compared in float64
    Returns a float from 0 to 2, or inf if any entry of a or b is nan or infinite.
    Raises ValueError if the shapes differ.
    """
    ### BEGIN SOLUTION
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"rel_error: a and b must have the same shape, got {a.shape} and {b.shape}")
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        return math.inf
    larger = np.maximum(np.abs(a), np.abs(b))
    shares = np.abs(a - b) / np.where(larger == 0, 1.0, larger)
    return float(shares.max(initial=0.0))
    ### END SOLUTION


# %% tests="grad-rel_error" points=3
result = check("grad-rel_error", rel_error)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("empty arrays, single numbers, four axes"):
        report.require(float(subject(np.zeros((0, 4)), np.zeros((0, 4)))) == 0, "two empty arrays have error 0")
        report.close(np.array(float(subject(np.array(4.0), np.array(5.0)))), 0.2, name="the error of 4 against 5")
        deep = rng.uniform(1, 2, size=(2, 3, 1, 4))
        other = deep.copy()
        other[1, 2, 0, 3] *= 2
        report.close(np.array(float(subject(-deep, -other))), 0.5, name="the error")
    with report.stage("a single zero"):
        report.close(np.array(float(subject(np.array([0.0, 1.0]), np.array([1e-30, 1.0])))), 1.0, name="the error")
    with report.stage("empty against full"):
        from cs231n_lib.check import StudentError

        try:
            subject(np.zeros((0, 3)), np.zeros((1, 3)))
        except StudentError as refusal:
            report.require("ValueError" in refusal.bases, "shapes (0, 3) and (1, 3) must raise ValueError")
        else:
            report.fail("shapes (0, 3) and (1, 3) must raise ValueError")


result = result.also(edge_cases, seed=3109)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 3. How far to trust a measurement
#
# ### Too wide and too narrow
#
# Back to the picture. Its left half is calculus. Taylor's series says what $f$ does a step $h$ away:
#
# $$f(x \pm h) = f(x) \pm h f'(x) + \tfrac{1}{2} h^2 f''(x) \pm \tfrac{1}{6} h^3 f'''(x) + \dots$$
#
# Subtract $f(x)$ and divide by $h$; or subtract left from right and divide by $2h$:
#
# $$\text{forward:} \quad \frac{f(x+h) - f(x)}{h} = f'(x) + \tfrac{1}{2} h f''(x) + \dots
# \qquad \text{error} \propto h$$
#
# $$\text{central:} \quad \frac{f(x+h) - f(x-h)}{2h} = f'(x) + \tfrac{1}{6} h^2 f'''(x) + \dots
# \qquad \text{error} \propto h^2$$
#
# From both sides, the curvature $f''$ cancels. That is why the blue line falls twice as steeply. By hand, for
# $f(x) = x^3$ at $x = 2$, whose slope is 12:
#
# | $h$ | forward | error | central | error |
# |:---:|:---:|:---:|:---:|:---:|
# | 1 | 27 - 8 = 19 | 7 | (27 - 1) / 2 = 13 | 1 |
# | 0.5 | (15.625 - 8) / 0.5 = 15.25 | 3.25 | (15.625 - 3.375) / 1 = 12.25 | 0.25 |
#
# Half the step, about half the error on the left, a quarter on the right.
#
# The right half of the picture is **rounding**. A `float64` has 16 digits, so a value near 1 is off by about
# $\varepsilon = 10^{-16}$, and $f(x + h) - f(x - h)$ by as much. Dividing by $h$ blows that up to $\varepsilon / h$.
# The sum of both errors is least where they are equal:
#
# $$h \approx \varepsilon / h \;\Rightarrow\; h \approx \sqrt{\varepsilon} \approx 10^{-8}
# \qquad\qquad
# h^2 \approx \varepsilon / h \;\Rightarrow\; h \approx \sqrt[3]{\varepsilon} \approx 10^{-5}$$
#
# with errors of about $10^{-8}$ (forward) and $10^{-10}$ (central). This is where the usual $h = 10^{-5}$ comes from.
#
# Write the sweep that makes the picture for any function. Errors are relative, as above:
# $|\text{estimate} - \text{slope}| / \max(|\text{estimate}|, |\text{slope}|)$, and 0 where both are 0.


# %% solution="grad-sweep_steps"
def sweep_steps(f, x, slope, steps):
    """Return the relative errors of forward and central differences for every step.

    f : function of one float that returns one float
    x : float, where
    slope : float, the true slope there
    steps : float (K,), the steps h
    Returns float64 (K, 2): forward errors in column 0, central errors in column 1.
    """
    ### BEGIN SOLUTION
    errors = np.zeros((len(steps), 2))
    for k, h in enumerate(steps):
        estimates = (f(x + h) - f(x)) / h, (f(x + h) - f(x - h)) / (2 * h)
        for column, estimate in enumerate(estimates):
            larger = max(abs(estimate), abs(slope))
            errors[k, column] = abs(estimate - slope) / larger if larger > 0 else 0.0
    return errors
    ### END SOLUTION


# %% tests="grad-sweep_steps" points=2
result = check("grad-sweep_steps", sweep_steps)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("one step, a falling function, a slope of 0"):
        got = report.array(subject(lambda x: -4.0 * x * x, 1.0, -8.0, np.array([0.5])), (1, 2))
        report.close(got, [[0.2, 0.0]], atol=1e-12, name="the errors of -4 x**2 at 1")
        got = report.array(subject(lambda x: x * x, 0.0, 0.0, np.array([0.5, 0.125])), (2, 2))
        report.close(got, [[1.0, 0.0], [1.0, 0.0]], name="the errors of x**2 at 0")
    with report.stage("from calculus to rounding"):
        steps = 10.0 ** -np.arange(1, 14)
        got = report.array(subject(math.exp, 0.7, math.exp(0.7), steps), (13, 2))
        best = steps[got.argmin(axis=0)]
        report.require(1e-9 <= best[0] <= 1e-7 and 1e-7 < best[1] <= 1e-4, "the least errors lie at other steps")


result = result.also(edge_cases, seed=3203)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The same picture for three functions, by your sweep. In `float32` there are 7 digits in place of 16. **Guess** where
# the best step goes, and how good it is.

# %%
if ready("grad-sweep_steps"):
    steps = 10.0 ** -np.arange(0.5, 14, 0.25)
    cases = [
        ("sin at 1", math.sin, 1.0, math.cos(1)),
        ("exp at 2", math.exp, 2.0, math.exp(2)),
        ("sin at 1, in float32", lambda x: float(np.sin(np.float32(x))), 1.0, math.cos(1)),
    ]
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True, layout="constrained")
    for axes, (title, f, x, slope) in zip(panels, cases, strict=True):
        table = sweep_steps(f, x, slope, steps)
        for column, (name, colour, style) in enumerate(
            [("forward", ORANGE, "--"), ("central", BLUE, "-")],
        ):
            axes.loglog(steps, np.maximum(table[:, column], 1e-13), style, color=colour, label=name)
            best = table[:, column].argmin()
            print(
                f"{title}: {name} is best at h = {steps[best]:.0e}, error {table[best, column]:.0e}",
            )
        axes.invert_xaxis()
        axes.set(title=title, xlabel="step h")
        axes.grid(color="#dddddd")
    panels[0].set_ylabel("relative error")
    panels[0].legend()
    plt.show()

# %% [markdown]
# The dips are luck: there the errors of both kinds happen to cancel. Follow the upper edge of each curve. In
# `float32` it never gets below about one part in a hundred thousand, and at $h = 10^{-5}$ two digits are left,
# although the gradient itself may be perfect. **Check gradients in `float64`.**
#
# ### Kinks
#
# There are points without any slope. $\max(0, x)$, called ReLU, the commonest non-linear piece of a network, has
# slope 0 on the left of 0 and slope 1 on its right. A central difference does not notice: at $x = 0$ it returns
#
# $$\frac{\max(0, h) - \max(0, -h)}{2h} = \frac{h - 0}{2h} = \tfrac{1}{2}.$$
#
# And *near* 0 it is wrong as well: at $x = 2 \cdot 10^{-6}$ the slope is 1, but the left point of the step $10^{-5}$
# lies across the kink, and the measurement says $\frac{12 \cdot 10^{-6} - 0}{2 \cdot 10^{-5}} = 0.6$. A right
# gradient fails such a test. Therefore a good gradient check looks from both sides:
#
# $$\text{right} = \frac{f(x + h e_i) - f(x)}{h}, \qquad \text{left} = \frac{f(x) - f(x - h e_i)}{h}.$$
#
# For a smooth function these two differ by about $h f''$, next to nothing. At a kink they jump. Mark the entries
# where they differ by more than `tol`.


# %% solution="grad-find_kinks"
def find_kinks(f, x, h=1e-5, tol=1e-3):
    """Return where f has no slope: its slopes from the
    right and from the left differ by more than tol.

    f : function of a float64 array of x's shape; returns one number
    x : float array of any shape; it stays as it is
    h : float, the step to each side
    tol : float, the largest difference of slopes that still counts as smooth
    Returns bool of x's shape: True where there is a kink within a step of the entry.
    """
    ### BEGIN SOLUTION
    x = np.array(x, dtype=np.float64)
    here = f(x)
    marks = np.zeros(x.shape, dtype=bool)
    for index in np.ndindex(x.shape):
        aside = np.zeros(x.shape)
        aside[index] = h
        jump = (f(x + aside) - here) / h - (here - f(x - aside)) / h
        marks[index] = abs(jump) > tol
    return marks
    ### END SOLUTION


# %% tests="grad-find_kinks" points=2
result = check("grad-find_kinks", find_kinks)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("one entry, three axes, a kink between two entries"):
        alone = subject(lambda v: float(abs(v[0] - 3)), np.array([3.0]))
        report.require(bool(np.all(alone)), "|x - 3| has a kink at 3")
        x = rng.uniform(1, 2, size=(2, 1, 3))
        x[1, 0, 2] = x[0, 0, 1]
        got = report.array(subject(lambda v: float(abs(v[1, 0, 2] - v[0, 0, 1]) + v.sum()), x), x.shape, kind="b")
        report.equal(got, x == x[0, 0, 1], name="the marks")
    with report.stage("other steps and tolerances"):
        x = np.array([0.04, 0.0, -0.3])
        got = report.array(subject(lambda v: float(np.abs(v).sum()), x, 0.1, 0.5), (3,), kind="b")
        report.equal(got, [1, 1, 0], name="the marks with h = 0.1")
        got = report.array(subject(lambda v: float(0.1 * np.abs(v).sum()), x, 0.1, 0.5), (3,), kind="b")
        report.equal(got, [0, 0, 0], name="the marks of small jumps")


result = result.also(edge_cases, seed=3301)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Below, ReLU seen through a keyhole three steps wide. The line is what a central difference measures, the crosses are
# the points that you marked: exactly those where line and truth part.

# %%
if ready("grad-numeric_grad", "grad-find_kinks"):
    places = np.linspace(-3e-5, 3e-5, 61)

    def rectified(v):
        return float(np.maximum(v, 0).sum())

    measured, marked = numeric_grad(rectified, places), find_kinks(rectified, places)
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.plot([-3e-5, 0, 0, 3e-5], [0, 0, 1, 1], color="#999999", label="true slope", linewidth=3)
    axes.plot(places, measured, color=BLUE, label="measured, h = 1e-5")
    axes.plot(places[marked], measured[marked], "x", color=RED, label="marked by find_kinks")
    axes.set(xlabel="x", ylabel="slope of max(0, x)", title="Closer to the kink than one step")
    axes.legend()
    plt.show()

# %% [markdown]
# Does it matter? A layer of a real network holds a hundred thousand ReLUs; a few of them are always that close to 0.
# One entry that disagrees, and that lies on a kink, is no bug. A test of many entries without one is a better test.

# %% [markdown]
# ## 4. The same gradient, fast: backpropagation
#
# A measured gradient costs two evaluations of $f$ *per entry*. A network with a million weights would take two
# million evaluations for one step. The chain rule gives all million slopes for the price of about one more
# evaluation.
#
# ### A circuit
#
# Take $f = (x + y) \cdot z$ at $x = -2$, $y = 5$, $z = -4$. Cut it into nodes that do one thing each, $q = x + y$ and
# $f = q \cdot z$. **Forward**, from the inputs to the end, every node computes its value: $q = 3$, $f = -12$.
# **Backward**, from the end to the inputs, every node learns how $f$ would change if its own value grew:
#
# - $f$ by itself: $\partial f / \partial f = 1$. Here it starts.
# - $f = q z$, so $\partial f / \partial q = z = -4$ and $\partial f / \partial z = q = 3$. In a product, each factor
#   gets the *other* factor.
# - $q = x + y$: if $x$ grows by a little, $q$ grows by as much, and each unit of $q$ changes $f$ by $-4$. So
#   $\partial f / \partial x = \partial f / \partial q \cdot \partial q / \partial x = -4 \cdot 1$, and the same for
#   $y$.
#
# That product is the **chain rule**: *upstream gradient times local slope*. A node needs to know nothing of the rest
# of the circuit, only what comes back to it and its own values.

# %% setup="grad-circuit"
RULES = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "max": lambda a, b: max(a, b),
    "exp": lambda a: math.exp(a),
    "inv": lambda a: 1 / a,
}


def forward(nodes, inputs):
    """Return the values of all inputs and nodes, as a dict of floats.

    nodes : list of (name, rule, parents), each after its
        parents; parents is a tuple of one or two names
    inputs : {name: float}
    """
    values = dict(inputs)
    for name, rule, parents in nodes:
        values[name] = RULES[rule](*[values[parent] for parent in parents])
    return values


# %%
circuit = [("q", "add", ("x", "y")), ("f", "mul", ("q", "z"))]
print(forward(circuit, {"x": -2.0, "y": 5.0, "z": -4.0}))

# %% [markdown]
# ### A neuron
#
# One neuron with two inputs computes
#
# $$s = w_0 x_0 + w_1 x_1 + w_2, \qquad \text{out} = \sigma(s) = \frac{1}{1 + e^{-s}}.$$
#
# The **sigmoid** $\sigma$ squeezes any score $s$ into $(0, 1)$; $w_2$ is the bias. With $w = (2, -3, -3)$ and
# $x = (-1, -2)$ the score is $-2 + 6 - 3 = 1$, and the output is $0.73$.
#
# You could cut the sigmoid into four nodes (times $-1$, exp, plus 1, one over). Or work out its slope once and for
# all, with $u = 1 + e^{-s}$:
#
# $$\sigma'(s) = \frac{d}{ds} \frac{1}{u} = -\frac{1}{u^2} \cdot (-e^{-s}) = \frac{1}{u} \cdot \frac{u - 1}{u}
# = \sigma(s) \, (1 - \sigma(s)).$$
#
# At $s = 1$ that is $0.73 \cdot 0.27 = 0.197$. From there it is one product per weight and input. A good node is one
# whose slope is simple; how finely you cut is up to you.


# %% solution="grad-neuron"
def neuron(w, x):
    """Return the output of a sigmoid neuron and its gradients.

    w : float (D + 1,), the weights and, last, the bias;  x : float (D,)
    Returns (out, dw, dx): a number, float (D + 1,) and float (D,). Finite for scores of any size.
    """
    ### BEGIN SOLUTION
    score = w[:-1] @ x + w[-1]
    # The exponent is never positive, so exp cannot overflow; for s < 0 we use sigmoid(s) = 1 - sigmoid(-s).
    positive = 1 / (1 + np.exp(-abs(score)))
    out = positive if score >= 0 else 1 - positive
    dscore = out * (1 - out)
    return out, dscore * np.append(x, 1.0), dscore * w[:-1]
    ### END SOLUTION


# %% tests="grad-neuron" points=2
result = check("grad-neuron", neuron)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    with report.stage("zeros, many inputs, the sum of changes"):
        out, dw, dx = subject(np.zeros(4), np.array([1.0, -2.0, 4.0]))
        report.close(np.array(float(out)), 0.5, name="out with w = 0")
        report.close(dw, [0.25, -0.5, 1.0, 0.25], name="dw with w = 0")
        report.close(dx, np.zeros(3), name="dx with w = 0")
        w, x = rng.normal(size=41) / 6, rng.normal(size=40)
        _, dw, dx = subject(w, x)
        # Each weight's share of the score is w x on both sides: w . dw and x . dx differ by the bias's share alone.
        report.close(np.array(w[:-1] @ dw[:-1]), x @ dx, rtol=1e-9, name="w . dw, which should equal x . dx,")
        report.close(np.array(w[:-1] / w[0] * dx[0]), dx, rtol=1e-9, name="dx, which is a multiple of w,")


result = result.also(edge_cases, seed=3407)
### END HIDDEN TESTS
result.points

# %% [markdown]
# The numbers of the example, with your gradients beside measured ones. (The textbook rounds to
# $dw = (-0.20, -0.39, 0.20)$ and $dx = (0.39, -0.59)$.)

# %%
if ready("grad-neuron", "grad-numeric_grad"):
    w, x = np.array([2.0, -3.0, -3.0]), np.array([-1.0, -2.0])
    out, dw, dx = neuron(w, x)
    print(f"out = {out:.4f}")
    slopes = numeric_grad(lambda v: neuron(v, x)[0], w), numeric_grad(lambda v: neuron(w, v)[0], x)
    for name, by_rule, slope in (("dw", dw, slopes[0]), ("dx", dx, slopes[1])):
        print(f"{name}   by the chain rule {np.round(by_rule, 4)}   measured {np.round(slope, 4)}")

# %% [markdown]
# ### Any circuit
#
# What you did by hand, a program can do for every circuit; this is the heart of PyTorch. Five rules are enough here:
#
# | node | value | what it hands back to its parents |
# |---|---|---|
# | `add` | $a + b$ | the upstream gradient, to both |
# | `mul` | $a b$ | the upstream gradient times the *other* factor |
# | `max` | $\max(a, b)$ | all of it to the larger one, nothing to the smaller |
# | `exp` | $e^a$ | times $e^a$, the value of the node itself |
# | `inv` | $1 / a$ | times $-1/a^2$ |
#
# Two things decide whether it works:
#
# - **Order.** A node can hand its gradient on only when it is complete, after all nodes that use its value. `nodes`
#   is sorted so that every node comes after its parents. In which order do you go through it?
# - **Sums.** A value that is used twice acts on the end along two paths, and its gradient is the sum of what comes
#   back along both. In $f = x \cdot x$ the same parent even stands twice in one node.


# %% solution="grad-backward"
def backward(nodes, values):
    """Return the derivative of the last node's value by every value in the circuit.

    nodes : list of (name, rule, parents), each after its
        parents; the rules are add, mul, max, exp and inv
    values : {name: float} of all inputs and nodes, as `forward` returns it; it stays as it is
    Returns {name: float} with the names of `values`;
    0.0 for a value that the last node does not depend on.
    The parents of a max are never equal.
    """
    ### BEGIN SOLUTION
    grads = dict.fromkeys(values, 0.0)
    grads[nodes[-1][0]] = 1.0
    for name, rule, parents in reversed(nodes):
        given = [values[parent] for parent in parents]
        if rule == "add":
            slopes = [1.0, 1.0]
        elif rule == "mul":
            slopes = given[::-1]
        elif rule == "max":
            slopes = [float(value == values[name]) for value in given]
        elif rule == "exp":
            slopes = [values[name]]
        else:
            slopes = [-(values[name] ** 2)]
        for parent, slope in zip(parents, slopes, strict=True):
            grads[parent] += slope * grads[name]
    return grads
    ### END SOLUTION


# %% tests="grad-backward" points=3
result = check("grad-backward", backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n03_graph import compare_graph, random_graph

    with report.stage("a circuit of forty nodes"):
        compare_graph(subject, report, *random_graph(rng, size=40), {})
    with report.stage("a value that is used after the end's parents, and one that is never used"):
        nodes = [
            ("a", "mul", ("u", "u")),
            ("b", "mul", ("a", "a")),
            ("late", "exp", ("u",)),
            ("end", "add", ("b", "a")),
        ]
        compare_graph(subject, report, nodes, {"u": 1.25, "idle": 7.0}, {})
    with report.stage("doubling, fifteen times"):
        nodes = [(f"d{i + 1}", "add", (f"d{i}", f"d{i}")) for i in range(15)]
        compare_graph(subject, report, nodes, {"d0": -0.75}, {})


result = result.also(edge_cases, seed=3511)
### END HIDDEN TESTS
result.points

# %% [markdown]
# See it at work on $2\,(x y + \max(z, w))$ at $x = 3$, $y = -4$, $z = 2$, $w = -1$. Blue is the value that
# flows forward, red and below it the gradient that flows back. Which input could you change without
# any effect, and why?

# %%
if ready("grad-backward"):
    circuit = [
        ("xy", "mul", ("x", "y")),
        ("zw", "max", ("z", "w")),
        ("sum", "add", ("xy", "zw")),
        ("f", "mul", ("sum", "2")),
    ]
    values = forward(circuit, {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0, "2": 2.0})
    grads = backward(circuit, values)
    where = {"x": (0, 4), "y": (0, 3), "z": (0, 2), "w": (0, 1), "2": (0, 0)}
    where |= {"xy": (1.2, 3.5), "zw": (1.2, 1.5), "sum": (2.4, 2.5), "f": (3.6, 1.5)}
    shown = {name: f"{name}\n{rule}" for name, rule, _ in circuit}
    figure, axes = plt.subplots(figsize=(8.5, 4), layout="constrained")
    for name, _, parents in circuit:
        for parent in parents:
            axes.annotate(
                "",
                where[name],
                where[parent],
                arrowprops={"arrowstyle": "->", "color": "#999999", "shrinkB": 18},
            )
    for name, (across, up) in where.items():
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "#555555"}
        axes.text(across, up, shown.get(name, name), ha="center", va="center", bbox=box)
        # Beside an input, above and below a node: there no arrow crosses the numbers.
        left, above, below = across, up + 0.5, up - 0.75
        if across == 0:
            left, above, below = across - 0.22, up + 0.08, up - 0.32
        align = "right" if across == 0 else "center"
        axes.text(left, above, f"{values[name]:g}", ha=align, color=BLUE, fontweight="bold")
        axes.text(left, below, f"{grads[name]:g}", ha=align, color=RED, fontstyle="italic")
    axes.set(
        xlim=(-0.6, 4),
        ylim=(-0.5, 4.5),
        title="Values flow forward (upright), gradients back (slanted)",
    )
    axes.axis("off")
    plt.show()

# %% [markdown]
# Now wire by wire, with your numbers in the table; an expression of your own works too. **Guess before you step:** in
# $(x + y) \max(y, z)$ the value $y$ goes two ways. What does each hand back to it, and what is its gradient?

# %%
from cs231n_lib import widgets
from IPython.display import display

if ready("grad-backward"):
    display(widgets.backprop_explorer(backward, state={"expression": "(x + y) * max(y, z)", "quiz": True}))

# %% [markdown]
# ## 5. Write the check
#
# Now the craft. Soon you will write `affine_backward`, the gradient of a fully connected layer, and want to know
# whether it is right. Here is the deal: **you write the check first.** You get two functions and say whether the
# second is the gradient of the first:
#
# - `out, cache = forward(x, w, b)` multiplies and adds: each of the $N$ inputs in `x`, of shape
#   $(N, d_1, \dots, d_k)$, is flattened to a row of $D = d_1 \cdots d_k$ numbers, and
#   $\text{out} = \text{rows} \cdot w + b$. With `w` of shape $(D, M)$ and `b` of shape $(M,)$, `out` has
#   shape $(N, M)$.
# - `dx, dw, db = backward(dout, cache)` takes the upstream gradient `dout`, of shape $(N, M)$, and returns gradients
#   of the shapes of `x`, `w`, `b`. What is in `cache` is the layer's own business.
#
# There is a small obstacle: `out` is not one number, so what is its slope? The layer sits in the middle of a network;
# at its end is one number, the loss $L$, and `dout` is $\partial L / \partial\, \text{out}$. As far as this layer can
# tell, $L$ changes like
#
# $$L = \sum_{n,m} \text{dout}_{nm} \cdot \text{out}_{nm},$$
#
# with `dout` held fixed. That is one number. Its gradient by `x`, `w` and `b` is what `backward` must return.
#
# An example with one row, two features and one output: $x = (1, 2)$, $w = (3, 4)^T$, $b = 5$, $\text{dout} = 10$. Then
# $\text{out} = 3 + 8 + 5 = 16$ and $L = 160$. Raise $w_0$ by 1, and $L$ becomes 170: so $dw_0 = 10$. In the same way
# $dw_1 = 20$, $dx = (30, 40)$ and $db = 10$.
#
# Your check is tried on four right layers, written in different styles, and on **ten wrong ones**, as students and
# professionals have written them. Each wrong one that you catch is a point. **If you refuse a right one, you get
# none:** a check that cries wolf is switched off.
#
# Think before you write. Each wrong layer is right *somewhere*:
# - What must your case look like, so that "sum" and "mean", a flat and an unflattened array, one axis and the other,
#   *cannot* give the same numbers? Which `dout` leaves the most open, which the least?
# - What does it take to be *caught*: a shape, a nan, one entry, the third digit?
# - `rel_error` raises an error at wrong shapes. Your check should say False.
#
# Your `numeric_grad` and `rel_error` are made for this. If they are not ready, use `numerical_gradient` and
# `relative_error` of `cs231n_lib.gradient_check`. Keep the cases small: at most 300 numbers in `x`, `w` and `b`
# together, and 600 calls of `forward` in all.


# %% solution="grad-check_affine_backward"
def check_affine_backward(forward, backward):
    """Say whether backward is the gradient of forward, for an affine layer.

    forward : function of x (N, d1, ..., dk), w (D, M), b (M,) that returns out (N, M) and a cache
    backward : function of dout (N, M) and that cache; returns dx, dw, db, right or wrong
    Returns True if it is right, False if it is wrong in any way. Raises nothing.
    """

    ### BEGIN SOLUTION
    def largest_errors(rng, batch, features, outputs):
        x, b = rng.normal(size=(batch, *features)), rng.normal(size=outputs)
        w, dout = rng.normal(size=(math.prod(features), outputs)), rng.normal(size=(batch, outputs))
        for which, got in enumerate(backward(dout, forward(x, w, b)[1])):

            def loss(value, which=which):
                moved = [value if i == which else kept for i, kept in enumerate((x, w, b))]
                return float(np.sum(dout * forward(*moved)[0]))

            argument = (x, w, b)[which]
            # One error at a time: `all` below stops at the first that is too large.
            yield rel_error(got, numeric_grad(loss, argument)) if np.shape(got) == argument.shape else math.inf

    rng = np.random.default_rng(5)
    small = all(error < 1e-6 for error in largest_errors(rng, 2, (2, 3), 2))
    return small and all(error < 1e-6 for error in largest_errors(rng, 3, (2, 1), 1))
    ### END SOLUTION


# %% tests="grad-check_affine_backward" points=10
result = check("grad-check_affine_backward", check_affine_backward)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n03_affine import verdict
    from cs231n_lib.check.n03_layers import Layer

    with report.stage("plain mistakes, and right ones in between"):
        plain = [
            (False, lambda g, m: (-g[0], g[1], g[2])),
            (False, lambda g, m: (g[0], 2 * g[1], g[2])),
            (False, lambda g, m: tuple(np.zeros_like(part) for part in g)),
            (True, lambda g, m: tuple(part * (1 - 1e-13) for part in g)),
        ]
        for i in rng.permutation(len(plain)):
            want, alter = plain[i]
            report.require(verdict(subject, Layer(alter), report) is want, "a plain case is judged wrongly")


result = result.also(edge_cases, seed=3607)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Look at what you caught.** One row for each of the ten; the colour is the relative error of `dx`, `dw` and `db` in
# one small case. Most mistakes sit in one of the three, and look perfect in the others.

# %%
if ready("grad-check_affine_backward", "grad-numeric_grad", "grad-rel_error"):
    from cs231n_lib.check.n03_layers import WRONG, Layer

    rng = np.random.default_rng(0)
    other = [rng.normal(size=shape) for shape in ((2, 3, 2), (6, 3), (3,))]
    parts = [rng.normal(size=shape) for shape in ((2, 3, 2), (6, 3), (3,))]
    dout = rng.normal(size=(2, 3))
    errors = np.zeros((len(WRONG), 3))
    for i, wrong in enumerate(WRONG):
        layer = Layer(wrong.alter)
        layer.forward(*other)  # a first batch, before the one that is looked at
        grads, truth = (
            layer.backward(dout, layer.forward(*parts)[1]),
            Layer().backward(dout, Layer().forward(*parts)[1]),
        )
        for j in range(3):
            errors[i, j] = rel_error(grads[j], truth[j]) if grads[j].shape == truth[j].shape else math.inf
    figure, axes = plt.subplots(figsize=(6, 4.6), layout="constrained")
    heat = axes.imshow(
        np.log10(np.clip(errors, 1e-6, 1)),
        cmap="cividis",
        aspect="auto",
        vmin=-6,
        vmax=0,
    )
    axes.set_xticks(range(3), ["dx", "dw", "db"])
    axes.set_yticks(range(len(WRONG)), [wrong.name for wrong in WRONG])
    for (i, j), error in np.ndenumerate(errors):
        text = "shape or nan" if error == math.inf else f"{error:.1g}" if error else "0"
        axes.text(
            j,
            i,
            text,
            ha="center",
            va="center",
            color="black" if error > 1e-3 else "white",
            fontsize=9,
        )
    axes.set_title("Relative errors of ten wrong layers")
    figure.colorbar(heat, label="log10 of the error")
    plt.show()

# %% [markdown]
# ## 6. Two questions
#
# The check only looks at the form of your answer; what is right is found out by experiment when it is graded. A wrong
# letter takes back the credit of a right one.
#
# **Question 1.** Which are true? ($f$ is smooth unless said otherwise; numbers are `float64` unless said otherwise.)
#
# - **A** The best step for central differences is larger than the best step for forward differences.
# - **B** Starting from a wide step such as $h = 0.1$, half the step gives half the error of a central difference.
# - **C** For $f(x) = a x^2 + b x + c$ the central difference is right, up to rounding, with any step, however wide.
# - **D** For $f(x) = |x|$ at $x = 0$, the central difference is 1.
# - **E** A `backward` that is right for a `dout` of ones is right for every `dout`.
# - **F** In `float32` with $h = 10^{-5}$, the measured slope of a harmless function such as $\sin$ can be off by more
#   than 1 %.
#
# Answer with a set of letters, such as `{"B", "E"}`.

# %% solution="grad-q1"
true_statements = ...
### BEGIN SOLUTION
true_statements = {"A", "C", "F"}
### END SOLUTION

# %% tests="grad-q1" points=2
result = check("grad-q1", true_statements)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying each statement."""
    answer = report.choices(subject, "ABCDEF")

    def off(f, x, h, slope):
        return abs((f(x + h) - f(x - h)) / (2 * h) / slope - 1)

    steps = 10.0 ** -np.arange(1, 13, 0.25)
    forward_errors = abs((np.exp(1 + steps) - np.exp(1)) / steps / np.exp(1) - 1)
    central_errors = off(np.exp, 1.0, steps, np.exp(1))
    a, b, x = rng.normal(size=3)
    quadratic = [abs((a * (x + h) ** 2 - a * (x - h) ** 2 + 2 * b * h) / (2 * h) - 2 * a * x - b) for h in (0.1, 1, 30)]
    dout = rng.normal(size=4)
    weights = rng.normal(size=(3, 4))
    lazy, exact = weights.sum(axis=1), weights @ dout  # the gradient by x of x @ weights: for ones, and for this dout
    low = np.linspace(0.5, 1.5, 200, dtype=np.float32)
    slopes32 = (np.sin(low + np.float32(1e-5)) - np.sin(low - np.float32(1e-5))) / np.float32(2e-5)
    holds = {
        "A": steps[central_errors.argmin()] > steps[forward_errors.argmin()],
        "B": abs(off(np.exp, 1.0, 0.1, np.exp(1)) / off(np.exp, 1.0, 0.05, np.exp(1)) - 2) < 0.5,
        "C": max(quadratic) < 1e-9,
        "D": (abs(0 + 0.1) - abs(0 - 0.1)) / 0.2 == 1,
        "E": np.allclose(lazy, exact),
        "F": abs(slopes32 / np.cos(low) - 1).max() > 0.01,
    }
    true = {letter for letter, found in holds.items() if found}
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=3701)
### END HIDDEN TESTS
result.points

# %% [markdown]
# **Question 2.** Errors are more than a verdict: the way in which they grow names the mistake. The table below is
# your own. Three digits will do.

# %%
show_question("grad-q2", student)

# %% solution="grad-q2"
diagnosis = {"mistake": ..., "share": ...}
### BEGIN SOLUTION
mine = question("grad-q2", student)
rows, seen = max(mine["table"].items())
powers = {
    "divides by the square root of the number of rows": 0.5,
    "divides by the number of rows": 1,
    "divides by the number of rows twice": 2,
}
name = min(powers, key=lambda name: abs(1 - rows ** -powers[name] - seen))  # what is left is a power of 1 / rows
diagnosis["mistake"] = mine["options"].index(name) + 1
diagnosis["share"] = mine["next_rows"] ** -powers[name]
### END SOLUTION

# %% tests="grad-q2" points=1
result = check("grad-q2", diagnosis, student=student)
result.points

# %% [markdown]
# All of this lab in one instrument, on the gradient of your neuron. **Guess before you move anything:** at which step
# does its relative error look smallest in `float64`, and at which in `float32`?

# %%
from cs231n_lib import widgets
from IPython.display import display

if ready("grad-neuron"):
    pixels = np.random.default_rng(3).normal(size=11)
    weights = np.random.default_rng(4).normal(size=12) / 3  # the bias is the last
    display(widgets.gradient_debugger(lambda w: neuron(w, pixels)[0], lambda w: neuron(w, pixels)[1], weights))

# %% [markdown]
# ## What to take along
#
# | | do | because |
# |---|---|---|
# | step | $h = 10^{-5}$, from both sides | wider is calculus, narrower is rounding |
# | numbers | `float64`, a copy of `x` | in `float32` a perfect gradient looks wrong |
# | compare | relative, entry by entry, shapes first, nan is a failure | each exception hides a bug |
# | case | small, random, of both signs, all lengths different, more than one row | a case of ones proves nothing |
# | upstream | a random `dout` | a layer is never the end of the network |
# | disagreement | more than $10^{-6}$: look. At a kink: no bug | |
#
# As a rule of thumb for smooth functions in `float64`: below $10^{-7}$ is fine, above $10^{-4}$ is a bug, and between
# the two lies either a very deep network or a subtle mistake.
#
# The library has a tool like yours, `cs231n_lib.gradient_check`, which also finds kinks. Now you know what is in it.
# **N04** gives you the first layers to derive, with a check at your side.
