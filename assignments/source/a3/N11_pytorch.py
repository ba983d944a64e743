# %% [markdown]
# # N11 · PyTorch, on the CPU and then on a GPU
#
# You have written every backward pass of a ConvNet by hand. From here on a library does it: **you write the forward
# pass, PyTorch keeps a record of it and plays it backwards.** This notebook builds one small net three times, each time
# with more of the library: from bare tensors, as a module, as a stack of layers. Then PyTorch becomes the referee of
# your own layers, you measure what your machine can do, and you repair a program with six mistakes in it.
#
# 30 points · about four hours. Nothing here needs a GPU, and everything uses one that is there. The computer works for
# about three minutes on two CPU cores, and one minute more if you let it compile.

# %% setup="torch-setup"
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cs231n_lib.check import check, ready

# %% [markdown]
# ## 1. A tensor is an array that remembers
#
# `torch.tensor` makes what `np.array` makes: numbers with a shape and a dtype. It adds two things: a **device** on
# which the numbers live, and, if you ask by `requires_grad`, a **record** of how it was computed. Below,
# $L = (x w + b)^2$ for three numbers: first the record, drawn from what PyTorch keeps, then the slopes that it gives.

# %%
import matplotlib.pyplot as plt

x = torch.tensor(2.0)
w, b = torch.tensor(3.0, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
loss = (x * w + b) ** 2


def draw_record(axes, node, place, names):
    """Draw what led to a node of the record, to its left; where an operation has two inputs, the second lies below."""
    leaf = names.get(id(getattr(node, "variable", None)), "")
    label = f"leaf {leaf}" if leaf else type(node).__name__.removesuffix("Backward0")
    box = {"boxstyle": "round", "facecolor": "#FFF3D6" if leaf else "#E8F1FA", "edgecolor": "#222222"}
    axes.text(*place, label, ha="center", va="center", zorder=2, bbox=box)
    earlier = [part for part, _ in node.next_functions if part is not None]
    for row, part in enumerate(earlier):
        start = place[0] - 1, place[1] - row
        arrow = {"arrowstyle": "->", "shrinkA": 18, "shrinkB": 18}
        axes.annotate("", xy=place, xytext=start, zorder=1, arrowprops=arrow)
        draw_record(axes, part, start, names)


figure, axes = plt.subplots(figsize=(8, 1.8), layout="constrained")
draw_record(axes, loss.grad_fn, (3, 0), {id(w): "w", id(b): "b"})
axes.set(xlim=(-0.5, 3.5), ylim=(-1.5, 0.5), title="The record of L: forward to the right, backward to the left")
axes.axis("off")
plt.show()
loss.backward()
print(f"dL/dw = 2 (x w + b) x = {2 * (2 * 3 - 1) * 2},  PyTorch: {w.grad}")
print(f"dL/db = 2 (x w + b)   = {2 * (2 * 3 - 1)},  PyTorch: {b.grad}")

# %% [markdown]
# Three words for the rest of the notebook:
#
# - a **leaf** is a tensor that was not computed from others that require gradients. `backward()` leaves gradients in
#   the `.grad` of leaves, and **adds** to what is there already;
# - what is computed from it **requires a gradient** too, and keeps the record alive, with all the arrays in it;
# - `with torch.no_grad():` means: what happens in here is not recorded.
#
# ## 2. The net from bare tensors
#
# The net of this notebook, for images $(N, C, H, W)$:
#
# conv $K_1 \times K_1$ → ReLU → conv $K_2 \times K_2$ → ReLU → affine → scores
#
# | parameter | shape | |
# |---|---|---|
# | `w1`, `b1` | $(F_1, C, K_1, K_1)$, $(F_1,)$ | padded by $(K_1 - 1)/2$ on each side, $K_1$ odd |
# | `w2`, `b2` | $(F_2, F_1, K_2, K_2)$, $(F_2,)$ | padded by $(K_2 - 1)/2$, so the maps keep height and width |
# | `w3`, `b3` | $(F_2 H W, \text{classes})$, $(\text{classes},)$ | the maps of an image as one row, times `w3` |
#
# `functional.conv2d(x, w, b, padding=...)` is the convolution. `functional` holds functions without a memory: what they
# need comes in by argument, as in your NumPy layers. The check looks at *values*, in float64, and then sends a gradient
# back through your scores.


# %% solution="torch-three_layer_convnet"
def three_layer_convnet(x, params):
    """Return the scores of the net.

    x : tensor (N, C, H, W);  params : list of six tensors (w1, b1, w2, b2, w3, b3), of x's dtype and on its device
    Returns scores, tensor (N, classes), through which a gradient finds its way back to the parameters.
    """
    ### BEGIN SOLUTION
    filters_1, b1, filters_2, b2, weights, b3 = params
    first = functional.conv2d(x, filters_1, b1, padding=filters_1.shape[2] // 2).relu()  # (N, F1, H, W)
    second = functional.conv2d(first, filters_2, b2, padding=filters_2.shape[2] // 2).relu()  # (N, F2, H, W)
    return second.flatten(1) @ weights + b3
    ### END SOLUTION


# %% tests="torch-three_layer_convnet" points=3
result = check("torch-three_layer_convnet", three_layer_convnet)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_barebones import net_case

    net_case(subject, rng, report, (1, 5, 3), (1, 9), name="grey, 1 x 1, and filters wider than the image", count=2)
    net_case(subject, rng, report, (4, 3, 3), (3, 3), name="square, one image", count=1)


result = result.also(edge_cases, seed=11003)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 3. Fresh parameters, on any device
#
# Weights as in N06: normal numbers, mean 0, standard deviation $\sqrt{2 / n}$, where $n$ counts the inputs of one sum:
# $C K^2$ for filters, the number of rows for a matrix $(D, M)$. Biases, here the shapes with one axis, start at 0.
#
# Two things that only show on another device, and that this check finds on any machine:
#
# - **random numbers.** Each device has a generator of its own with numbers of its own. Draw on the CPU, with
#   `generator=torch.Generator().manual_seed(seed)`, and move afterwards: then a seed means the same everywhere;
# - **the order.** `t.to(device)` is *computed from* `t`. If `t` required a gradient, the moved tensor is no leaf, and
#   no gradient will ever appear in it. Where the tensor is on the right device already, `.to` returns it unchanged: so
#   on a CPU this mistake is invisible, and on a GPU nothing is learned. **`requires_grad_()` comes last.**
#
# The check uses PyTorch's device `"meta"`: its tensors have shapes and dtypes and no numbers, and it refuses to mix
# with the CPU just as a GPU does. `torch.randn(shape, generator=...)` draws normal numbers.


# %% solution="torch-init_params"
def init_params(shapes, *, seed, device="cpu", dtype=torch.float32):
    """Draw the parameters of a net.

    shapes : list of tuples: one axis is a bias, two a matrix (D, M), four filters (F, C, K, K)
    seed : int, for a generator made here;  device : str or torch.device;  dtype : torch.dtype
    Returns a list of leaf tensors with requires_grad, of these shapes, on the device.
    """
    ### BEGIN SOLUTION
    draws, fresh = torch.Generator().manual_seed(seed), []
    for shape in shapes:  # one generator for all of them
        fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
        values = torch.zeros(shape) if len(shape) == 1 else torch.randn(shape, generator=draws) * (2 / fan_in) ** 0.5
        fresh.append(values.to(device, dtype).requires_grad_())
    return fresh  # in the order of the shapes
    ### END SOLUTION


# %% tests="torch-init_params" points=3
result = check("torch-init_params", init_params)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_barebones import require_params

    chosen = int(rng.integers(1, 10**6))
    with report.stage("other shapes"):
        (wide,) = require_params(subject, report, [(64, 2, 7, 7)], seed=chosen)
        report.close(wide.std(), (2 / 98) ** 0.5, rtol=0.06, name="standard deviation of 64 filters of 2 x 7 x 7")
        require_params(subject, report, [(5,), (3, 4)], seed=chosen, dtype="float64", device="meta")
    with report.stage("half precision"):
        require_params(subject, report, [(5, 4), (4,)], seed=chosen, dtype="bfloat16")


result = result.also(edge_cases, seed=11027)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 4. One step of SGD by hand
#
# A step has four moves, and each is one line:
#
# 1. play the record backwards: `loss.backward()` adds $dL/dp$ to the `.grad` of every leaf;
# 2. $p \leftarrow p - \text{learning rate} \cdot p\text{.grad}$, **in place** and under `no_grad`: the update is not
#    part of the function that is learned. `p = p - ...` would make a new tensor and leave the parameter as it is;
# 3. clear the gradients (`p.grad = None`), or the next backward pass adds to them;
# 4. keep the loss as a *number*, `loss.item()`. The tensor would keep its whole record in memory.
#
# A parameter that the loss does not depend on has `p.grad` equal to None after the backward pass: leave it as it is.


# %% solution="torch-sgd_step"
def sgd_step(loss, params, *, learning_rate):
    """Take one step of SGD, without torch.optim.

    loss : tensor without axes, computed from params and never played back before
    params : list of leaf tensors, changed in place; their .grad is None before the first step
    Returns the loss as a float.
    """
    ### BEGIN SOLUTION
    loss.backward()  # adds to every p.grad
    with torch.no_grad():  # the update is no part of the function that is learned
        for p in params:  # each in place
            if p.grad is not None:
                p -= learning_rate * p.grad
                p.grad = None  # the next backward pass would add to it
    return loss.item()
    ### END SOLUTION


# %% tests="torch-sgd_step" points=2
result = check("torch-sgd_step", sgd_step)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_barebones import step_case

    step_case(subject, rng, report, unused=True)


result = result.also(edge_cases, seed=11047)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Train it
#
# The images as tensors with channels in front, pixels around 0. Until you choose a device in section 9, everything runs
# on the CPU. One pass over 4,000 images, with 32 filters of 5 x 5 and 16 of 3 x 3:

# %%
from cs231n_lib.data import load_dataset

data = load_dataset().subset(train=8000, val=1000)
mean = torch.from_numpy(data.train.images[:5000] / 255.0).mean(dim=(0, 1, 2)).float()  # (3,)


def to_tensor(images):
    """uint8 array (N, H, W, 3) -> float32 tensor (N, 3, H, W), around 0 and of size about 1."""
    return ((torch.from_numpy(np.array(images)) / 255 - mean) / 0.25).permute(0, 3, 1, 2).contiguous()


train_x, train_y = to_tensor(data.train.images), torch.from_numpy(np.array(data.train.labels))
val_x, val_y = to_tensor(data.val.images), torch.from_numpy(np.array(data.val.labels))
print(f"{data.name}: {tuple(train_x.shape)} for training, {tuple(val_x.shape)} for validation")

# %%
if ready("torch-three_layer_convnet", "torch-init_params", "torch-sgd_step"):
    shapes = [(32, 3, 5, 5), (32,), (16, 32, 3, 3), (16,), (16 * 32 * 32, 10), (10,)]
    params, losses = init_params(shapes, seed=0), []
    start = time.perf_counter()
    for first in range(0, 4000, 50):
        scores = three_layer_convnet(train_x[first : first + 50], params)
        step_loss = functional.cross_entropy(scores, train_y[first : first + 50])
        losses.append(sgd_step(step_loss, params, learning_rate=0.02))
    with torch.no_grad():
        right = (three_layer_convnet(val_x, params).argmax(dim=1) == val_y).float().mean()
    print(f"loss {losses[0]:.2f} -> {np.mean(losses[-10:]):.2f} in {time.perf_counter() - start:.0f} s; ", end="")
    print(f"validation accuracy {100 * right:.1f} %")

# %% [markdown]
# You wrote no backward pass for any of this. Your net in the playground of N04 was compared for one hidden layer only,
# since its backward pass had just two; here a recorded one is compared, at every step. **Guess before you move
# anything:** which lines of `recorded_loss` must change for three hidden layers?


# %%
from cs231n_lib import widgets


def recorded_loss(params, X, y, reg):
    """Return the loss and the gradients of a ReLU net.

    params : {"W1": (2, H), "b1": (H,), "W2": ..., ...}, float64 arrays
    X : float64 (N, 2);  y : int64 (N,);  reg : float
    """
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    signal, depth, penalty = torch.tensor(X), len(leaves) // 2, 0.0
    for i in range(1, depth + 1):
        signal = signal @ leaves[f"W{i}"] + leaves[f"b{i}"]
        signal = signal.relu() if i < depth else signal
        penalty = penalty + 0.5 * reg * (leaves[f"W{i}"] ** 2).sum()
    loss = functional.cross_entropy(signal, torch.tensor(y)) + penalty
    loss.backward()
    return loss.item(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


widgets.mlp_playground(recorded_loss, state={"data": "spiral", "layers": 2, "width": 8})

# %% [markdown]
# ## 5. The same net as a module
#
# Six loose tensors are easy to lose. An `nn.Module` keeps them together: what you assign to `self` in `__init__`,
# layers and parameters, is *registered*, and from then on `model.parameters()` lists it for an optimizer,
# `model.state_dict()` saves it, and `model.to(device)` moves it. What is made inside `forward`, or hidden in a plain
# list, is not registered: it would be drawn anew at every call, or never trained.
#
# Two layers suffice: `nn.Conv2d(C, F, K, padding=...)` and `nn.Linear(D, M)`. Name them `conv1` (5 x 5), `conv2` (3 x
# 3) and `fc`. PyTorch fills fresh layers with numbers of its own choice, too small after a ReLU by a factor of $\sqrt
# 6$; use `nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")` and `nn.init.zeros_(layer.bias)` for all three.


# %% solution="torch-ThreeLayerConvNet"
class ThreeLayerConvNet(nn.Module):
    """conv 5x5, pad 2 - relu - conv 3x3, pad 1 - relu - fully connected; layers conv1, conv2 and fc."""

    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        """Make the layers. All arguments are ints but image_size, the tuple (H, W)."""
        ### BEGIN SOLUTION
        super().__init__()
        height, width = image_size
        self.conv1 = nn.Conv2d(in_channels, channel_1, 5, padding=2)
        self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)
        self.fc = nn.Linear(channel_2 * height * width, num_classes)
        for layer in (self.conv1, self.conv2, self.fc):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        ### END SOLUTION

    def forward(self, x):
        """Return the scores (N, num_classes) of images x (N, in_channels, H, W)."""
        ### BEGIN SOLUTION
        hidden = self.conv2(self.conv1(x).relu()).relu()
        return self.fc(hidden.flatten(start_dim=1))
        ### END SOLUTION


# %% tests="torch-ThreeLayerConvNet" points=3
result = check("torch-ThreeLayerConvNet", ThreeLayerConvNet)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_modules import module_case
    from cs231n_lib.check.n11_oracle import at
    from cs231n_lib.check.tensors import Tensor

    module_case(subject, rng, report, (1, 3, 5), name="small grey images")
    with report.stage("on another device"):
        moved = subject(2, 3, 4, 5, image_size=(6, 4))
        at(moved, "to")("meta")
        scores = moved(Tensor(np.zeros((7, 2, 6, 4), np.float32), device="meta"))
        report.tensor(scores, (7, 5), device="meta", name="scores of a moved model")


result = result.also(edge_cases, seed=11057)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 6. Accuracy
#
# A loop that everybody needs and in which five things go wrong:
#
# - **eval mode.** Batch norm and dropout behave differently in training and testing. `model.eval()` switches to
#   testing; leave the model in the mode in which it came (`model.training` tells, `model.train(flag)` sets it);
# - **no record**: `torch.no_grad()`, or the memory fills up;
# - **batches**: a GPU cannot hold all images. The last batch is shorter, and counts for what it has;
# - **device**: a batch follows the model, which is where its parameters are: `next(model.parameters()).device`;
# - **a number**, not a tensor.


# %% solution="torch-accuracy"
def accuracy(model, images, labels, *, batch_size=250):
    """Return the share of images whose highest score is that of their label.

    model : nn.Module in any mode, on any device; left in that mode
    images : float tensor (N, ...) and labels : int64 tensor (N,), both on the CPU;  batch_size : int
    Returns a float from 0 to 1.
    """
    ### BEGIN SOLUTION
    was_training, device, hits = model.training, next(model.parameters()).device, 0
    model.eval()  # the averages of training, not the batch
    with torch.no_grad():  # no record of what is only measured
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            hits += (model(x.to(device)).argmax(dim=1).cpu() == y).sum().item()
    model.train(was_training)
    return hits / len(labels)
    ### END SOLUTION


# %% tests="torch-accuracy" points=2
result = check("torch-accuracy", accuracy)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_modules import accuracy_case

    accuracy_case(subject, rng, report, count=8, size=50)
    accuracy_case(subject, rng, report, count=12, size=4, training=False)


result = result.also(edge_cases, seed=11059)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Now the usual loop, with an optimizer from `torch.optim`: it holds the list of parameters and does moves 2 and 3 of
# section 4. SGD with Nesterov momentum, as in N06, once over 8,000 images: 8 seconds of a core, for about 47 % of
# shapes10 and 40 % of CIFAR-10.


# %%
def fit(model, *, epochs, learning_rate, count=8000, batch_size=50, device="cpu"):
    """Train a model on the first `count` images and return its loss at every step."""
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * count // batch_size)
    order, history = torch.Generator().manual_seed(0), []
    for _ in range(epochs):
        for chosen in torch.randperm(count, generator=order).split(batch_size):
            model.train()
            batch_loss = functional.cross_entropy(model(train_x[chosen].to(device)), train_y[chosen].to(device))
            optimizer.zero_grad()
            batch_loss.backward()
            optimizer.step()
            schedule.step()
            history.append(batch_loss.detach())  # on the device: asking for the number would make the CPU wait
    return torch.stack(history).cpu().numpy()


if ready("torch-ThreeLayerConvNet", "torch-accuracy"):
    torch.manual_seed(0)
    module, start = ThreeLayerConvNet(3, 32, 16, 10), time.perf_counter()
    module_losses = fit(module, epochs=1, learning_rate=0.002)
    print(f"{time.perf_counter() - start:.0f} s, validation accuracy {100 * accuracy(module, val_x, val_y):.1f} %")

# %% [markdown]
# ## 7. The same as a stack
#
# A net that is nothing but one layer after the other needs no `forward`: `nn.Sequential(layer, layer, ...)` is one.
# Make a deeper one, with the batch norm of N07 and N10. For each entry of `channels` one **block**:
#
# conv 3 x 3, pad 1 → batch norm → ReLU → max pool 2 x 2
#
# (`nn.Conv2d`, `nn.BatchNorm2d`, `nn.ReLU`, `nn.MaxPool2d`), so each block halves height and width. At the end
# `nn.Flatten` and one `nn.Linear`. PyTorch's own fresh numbers are fine here: after a batch norm their scale no longer
# matters. (The training below takes 20 seconds of a core for 3 epochs of 8,000 images, and reaches about 80 % of
# shapes10 and 60 % of CIFAR-10.)


# %% solution="torch-sequential"
def make_sequential(in_channels, channels, num_classes, *, image_size=(32, 32)):
    """Return a stack of blocks and a linear layer.

    in_channels : int;  channels : tuple of ints, the filters of each block;  num_classes : int
    image_size : (H, W), both divisible by 2 as often as there are blocks
    Returns an nn.Sequential that maps (N, in_channels, H, W) to scores (N, num_classes).
    """
    ### BEGIN SOLUTION
    layers, depth = [], in_channels
    for width in channels:
        layers += [nn.Conv2d(depth, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        depth = width
    rows, columns = (side // 2 ** len(channels) for side in image_size)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(depth * rows * columns, num_classes))
    ### END SOLUTION


# %% tests="torch-sequential" points=3
result = check("torch-sequential", make_sequential)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_modules import stack_case

    stack_case(subject, rng, report, 1, (3, 2, 4), (8, 16), name="three blocks")
    stack_case(subject, rng, report, 3, (2, 2), (4, 4), name="down to one pixel")


result = result.also(edge_cases, seed=11069)
### END HIDDEN TESTS
result.points

# %%
if ready("torch-sequential", "torch-accuracy"):
    torch.manual_seed(0)
    stack, start = make_sequential(3, (16, 32, 64), 10), time.perf_counter()
    stack_losses = fit(stack, epochs=3, learning_rate=0.01)
    print(f"{time.perf_counter() - start:.0f} s, validation accuracy {100 * accuracy(stack, val_x, val_y):.1f} %")
    if ready("torch-ThreeLayerConvNet"):
        figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
        for name, curve, colour in (("module", module_losses, "#E69F00"), ("stack", stack_losses, "#0072B2")):
            smooth = np.convolve(curve, np.ones(20) / 20, mode="valid")
            axes.plot(np.arange(len(smooth)) + 10, smooth, color=colour, label=f"{name}: mean loss of 20 steps")
        axes.set(xlabel="step", ylabel="loss (nats)")
        axes.legend()
        plt.show()

# %% [markdown]
# ## 8. PyTorch as the referee of your layers
#
# In N03 the referee of a gradient was a finite difference: right to six or seven digits, and slow. PyTorch's are exact
# to rounding. For a comparison you need, from arrays, a layer's output and the gradients of
# $\sum (\text{out} \cdot \text{dout})$, which is what your backward functions return.
#
# - `torch.from_numpy(array)` keeps the dtype, and **shares the memory** of the array. `torch.Tensor(array)` makes
#   float32 of anything: 7 digits instead of 16, and the comparison is worth nothing.
# - Labels are integers and have no gradient: leave `None` in their place.
# - `out.backward(dout)` starts from dout instead of from ones.
# - A tensor with a record is not an array: `.detach().numpy()`.


# %% solution="torch-with_gradients"
def with_gradients(function, arrays, dout):
    """Run a PyTorch function on NumPy arrays; return its output and the gradients, as arrays of the same dtype.

    function : takes as many tensors as there are arrays, returns one tensor
    arrays : tuple of arrays, float or integer, left as they are;  dout : float array of the output's shape
    Returns (out, grads): an array, and a tuple with the gradient of sum(out * dout) for each array, None for integers.
    """
    ### BEGIN SOLUTION
    inputs = [torch.from_numpy(np.array(a)).requires_grad_(a.dtype.kind == "f") for a in arrays]
    result = function(*inputs)
    result.backward(torch.from_numpy(np.array(dout)))
    return result.detach().numpy(), tuple(t.grad.numpy() if t.requires_grad else None for t in inputs)
    ### END SOLUTION


# %% tests="torch-with_gradients" points=2
result = check("torch-with_gradients", with_gradients)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_oracle import at
    from cs231n_lib.check.n11_parity import gradients_case

    multiply = at(subject.torch(), "mul").value()
    with report.stage("broadcasting, float32, column order"):
        a, b = rng.normal(size=(4, 1, 3)), rng.normal(size=(5, 1))
        dout = rng.normal(size=(4, 5, 3))
        grads = [(dout * b).sum(axis=1, keepdims=True), (dout * a).sum(axis=(0, 2))[:, None]]
        gradients_case(subject, report, multiply, (a, b), dout, a * b, grads)
        narrow = [g.astype(np.float32) for g in (a, b, dout, a * b, *grads)]
        gradients_case(subject, report, multiply, tuple(narrow[:2]), *narrow[2:4], narrow[4:], dtype="float32")
        f, g = np.asfortranarray(rng.normal(size=(3, 4))), rng.normal(size=(3, 4))
        gradients_case(subject, report, multiply, (f, g), np.ones((3, 4)), f * g, [g, f])


result = result.also(edge_cases, seed=11083)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### A convolution along any number of axes
#
# The layer, as PyTorch's page on it has it, with all its settings:
#
# ```python
# nn.Conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
#           padding_mode="zeros")
# ```
#
# $$\text{out}[n, f] = b[f] + \sum_{c=0}^{C_{in} - 1} w[f, c] \star x[n, c]$$
#
# The star is a **cross-correlation**: the filter slides over the map as it is. A convolution in the sense of
# mathematics would flip it first; to a filter that is learned it makes no difference. The lectures leave `dilation`
# and `groups` for another day, and `padding_mode` says what stands in the border: zeros, or the image mirrored or
# continued in a circle.
#
# `functional.conv1d`, `conv2d` and `conv3d` take `stride`, `padding`, `dilation` and `groups` (N09, section 11), each
# an int or a tuple with one entry for each axis. One difference from this course: where the windows do not fit,
# PyTorch rounds down and leaves the last pixels unseen, and yours must raise `ValueError`. Along an axis of $L$
# numbers, with a kernel of $K$ taps, dilation $d$, stride $S$ and padding $P$, the windows fit if
#
# $$L + 2P - \big(d (K - 1) + 1\big) \;\ge\; 0 \quad \text{and divisible by } S.$$


# %% solution="torch-conv_twin"
def conv_twin(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    """Convolve along 1, 2 or 3 axes, with PyTorch.

    x : tensor (N, C, *size);  w : tensor (F, C / groups, *kernel);  b : tensor (F,)
    stride, pad, dilation : int, or a tuple with one int for each axis of size;  groups : int
    Returns a tensor (N, F, *out_size). Raises ValueError where the windows do not fit exactly.
    """
    ### BEGIN SOLUTION
    dims = x.ndim - 2
    steps, pads, gaps = (v if isinstance(v, tuple) else (v,) * dims for v in (stride, pad, dilation))
    for length, taps, step, border, gap in zip(x.shape[2:], w.shape[2:], steps, pads, gaps, strict=True):
        travel = length + 2 * border - (gap * (taps - 1) + 1)
        if travel < 0 or travel % step:
            raise ValueError(f"conv_twin: the windows must fit size {length} exactly, got {travel} to move over")
    convolve = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[dims]
    return convolve(x, w, b, stride=steps, padding=pads, dilation=gaps, groups=groups)
    ### END SOLUTION


# %% tests="torch-conv_twin" points=3
result = check("torch-conv_twin", conv_twin)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n09_oracle import refuses
    from cs231n_lib.check.n11_oracle import sent
    from cs231n_lib.check.n11_parity import twin_case

    with report.stage("depthwise, uneven settings, one place"):
        twin_case(subject, rng, report, (6,), (4,), pad=3, stride=4, groups=2)
        twin_case(subject, rng, report, (6, 8, 5), (2, 2, 3), stride=(2, 1, 1), pad=(1, 0, 2), dilation=(1, 3, 2))
        twin_case(subject, rng, report, (3, 5), (3, 5), stride=7)
    with report.stage("a misfit on the last axis"):
        x, w, b = rng.normal(size=(1, 2, 7, 9, 8)), rng.normal(size=(2, 2, 3, 3, 3)), np.zeros(2)
        report.require(refuses(subject, sent(x), sent(w), sent(b), stride=2), "the third axis does not fit")


result = result.also(edge_cases, seed=11087)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### The table
#
# All layers of the course beside their twins, in float64: the largest difference of any output or gradient, as a share
# of the largest number. Below $10^{-10}$ only rounding is left. First your own layers (where a notebook is missing, or
# a check does not pass, a stand-in comes instead, and the line says so):

# %%
from cs231n_lib.carry import carry_forward

affine_forward, affine_backward, relu_forward, relu_backward, softmax_loss = carry_forward(
    "N04_two_layer_net", ["affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss"]
)
batchnorm_forward, batchnorm_backward, layernorm_forward, layernorm_backward = carry_forward(
    "N07_normalization", ["batchnorm_forward", "batchnorm_backward", "layernorm_forward", "layernorm_backward"]
)
dropout_forward, dropout_backward = carry_forward("N08_dropout", ["dropout_forward", "dropout_backward"])
conv_forward_naive, conv_backward_naive, max_pool_forward_naive, max_pool_backward_naive, conv1d_forward = (
    carry_forward(
        "N09_convolution",
        [
            "conv_forward_naive",
            "conv_backward_naive",
            "max_pool_forward_naive",
            "max_pool_backward_naive",
            "conv1d_forward",
        ],
    )
)
conv_forward_columns, conv_backward_columns, groupnorm_forward, groupnorm_backward = carry_forward(
    "N10_convnet",
    [
        "conv_forward_columns",
        "conv_backward_columns",
        "spatial_groupnorm_forward",
        "spatial_groupnorm_backward",
    ],
)
spatial_bn_forward, spatial_bn_backward = carry_forward(
    "N10_convnet", ["spatial_batchnorm_forward", "spatial_batchnorm_backward"]
)

# %%
from cs231n_lib.kernels import avg_pool_backward_fast, avg_pool_forward_fast, conv_backward_fast, conv_forward_fast

rng = np.random.default_rng(0)
x, w, b = rng.normal(size=(2, 4, 7, 9)), rng.normal(size=(6, 4, 3, 3)), rng.normal(size=6)
half_w, deep_w = rng.normal(size=(6, 2, 3, 3)), rng.normal(size=(4, 4, 3, 3))
rows, matrix, shift, labels = rng.normal(size=(5, 8)), rng.normal(size=(8, 3)), rng.normal(size=3), np.arange(5) % 3
gamma, beta, zeros, ones = rng.normal(size=8), rng.normal(size=8), np.zeros(8), np.ones(8)
maps_gamma, maps_beta = rng.normal(size=4), rng.normal(size=4)


def conv3d_loops(x, w, b, *, stride=1, pad=0):
    """Convolve along three axes, place by place: x (N, C, D, H, W), w (F, C, K, K, K)."""
    framed, k = np.pad(x, [(0, 0), (0, 0)] + 3 * [(pad, pad)]), w.shape[2]
    out = np.zeros((len(x), len(w), *((n - k) // stride + 1 for n in framed.shape[2:])))
    for f, i, j, h in np.ndindex(out.shape[1:]):
        window = framed[:, :, i * stride :, j * stride :, h * stride :][:, :, :k, :k, :k]
        out[:, f, i, j, h] = (window * w[f]).sum(axis=(1, 2, 3, 4)) + b[f]
    return out


def norm_rows(x, g, s):
    return functional.batch_norm(x, None, None, g, s, training=True)


def four(values):
    return values.reshape(1, -1, 1, 1)


pool = {"pool_h": 3, "pool_w": 3, "stride": 2}
# Each row: name, forward, backward (None where the course has none), arrays, twin
layers = [
    ("affine", affine_forward, affine_backward, (rows, matrix, shift), lambda x, w, b: x @ w + b),
    ("relu", relu_forward, relu_backward, (rows,), torch.relu),
    ("batch norm", lambda *a: batchnorm_forward(*a, zeros, ones, train=True)[:2], batchnorm_backward,
     (rows, gamma, beta), norm_rows),
    ("layer norm", layernorm_forward, layernorm_backward, (rows, gamma, beta),
     lambda x, g, s: functional.layer_norm(x, (8,), g, s)),
    ("dropout, its mask given", lambda x: dropout_forward(x, keep=0.6, train=True, seed=1), dropout_backward, (rows,),
     lambda x: x * torch.from_numpy(mask)),
    ("conv, loops, stride 2, pad 1", lambda *a: conv_forward_naive(*a, stride=2, pad=1), conv_backward_naive,
     (x, w, b), lambda *t: conv_twin(*t, stride=2, pad=1)),
    ("conv, columns, pad 1", lambda *a: conv_forward_columns(*a, stride=1, pad=1), conv_backward_columns,
     (x, w, b), lambda *t: conv_twin(*t, pad=1)),
    ("conv, fast, dilation 2, 2 groups", lambda *a: conv_forward_fast(*a, pad=1, dilation=2, groups=2),
     conv_backward_fast, (x, half_w, b), lambda *t: conv_twin(*t, pad=1, dilation=2, groups=2)),
    ("conv, fast, depthwise", lambda *a: conv_forward_fast(*a, stride=2, groups=4), conv_backward_fast,
     (x, w[:4, :1], b[:4]), lambda *t: conv_twin(*t, stride=2, groups=4)),
    ("conv 1-D, dilation 2, 2 groups", lambda *a: (conv1d_forward(*a, pad=2, dilation=2, groups=2), None), None,
     (x[:, :, 0], half_w[:, :, 0], b), lambda *t: conv_twin(*t, pad=2, dilation=2, groups=2)),
    ("conv 3-D, loops, stride 2, pad 1", lambda *a: (conv3d_loops(*a, stride=2, pad=1), None), None,
     (rng.normal(size=(2, 4, 5, 3, 7)), rng.normal(size=(3, 4, 3, 3, 3)), shift),
     lambda *t: conv_twin(*t, stride=2, pad=1)),
    ("max pool, overlapping", lambda x: max_pool_forward_naive(x, **pool), max_pool_backward_naive, (x,),
     lambda x: functional.max_pool2d(x, 3, 2)),
    ("average pool, fast", lambda x: avg_pool_forward_fast(x, **pool), avg_pool_backward_fast, (x,),
     lambda x: functional.avg_pool2d(x, 3, 2)),
    ("spatial batch norm",
     lambda *a: spatial_bn_forward(*a, zeros[:4], ones[:4], train=True, batchnorm_forward=batchnorm_forward)[:2],
     lambda d, cache: spatial_bn_backward(d, cache, batchnorm_backward=batchnorm_backward),
     (x, maps_gamma, maps_beta), norm_rows),
    ("group norm", lambda x, g, s: groupnorm_forward(x, four(g), four(s), 2),
     lambda d, cache: [np.reshape(g, np.shape(g) if g.ndim == 4 and len(g) > 1 else -1)
                       for g in groupnorm_backward(d, cache)],
     (x, maps_gamma, maps_beta), lambda x, g, s: functional.group_norm(x, 2, g, s)),
]  # fmt: skip

# %%
if ready("torch-with_gradients", "torch-conv_twin"):
    mask = dropout_forward(rows, keep=0.6, train=True, seed=1)[1]
    names, gaps = [], []
    for name, forward, backward, arrays, twin in layers:
        out, cache = forward(*arrays)
        dout = rng.normal(size=out.shape)
        theirs, grads = with_gradients(twin, arrays, dout)
        pairs = [(out, theirs)]
        if backward is not None:
            mine = backward(dout, cache)
            pairs += list(zip(mine if isinstance(mine, tuple | list) else (mine,), grads, strict=True))
        names.append(name)
        gaps.append(max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs))
    value, slope = softmax_loss(rows, labels)
    theirs, (grad, _) = with_gradients(functional.cross_entropy, (rows, labels), np.array(1.0))
    names.append("softmax loss")
    gaps.append(max(abs(value - theirs) / theirs, np.abs(slope - grad).max() / np.abs(grad).max()))
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(names) + 0.8), layout="constrained")
    axes.barh(names, np.maximum(gaps, 1e-17), color=["#0072B2" if gap < 1e-10 else "#D55E00" for gap in gaps])
    for row, gap in enumerate(gaps):
        axes.text(1.5e-17, row, "" if gap else "equal to the last bit", va="center", fontsize=8)
    axes.axvline(1e-10, color="#222222", linestyle="--")
    axes.axvline(1.19e-7, color="#999999", linestyle=":")
    axes.text(1.4e-10, -0.4, "the bar to pass", fontsize=8)
    axes.text(1.6e-7, -0.4, "float32's digits end", fontsize=8)
    axes.set(xscale="log", xlim=(1e-17, 1e-4), xlabel="largest relative difference, float64")
    axes.invert_yaxis()
    plt.show()

# %% [markdown]
# ## 9. A device that works on its own
#
# Code that never fails without a GPU asks once which device there is, and names it nowhere else. In the course's
# order: `cuda` (NVIDIA, and AMD), else `mps` (Apple), else `cpu`. The function that knows what there is comes in as an
# argument, so that the check can play machines that you do not have.


# %%
def is_available(name):
    """True if PyTorch can use the device called "cuda", "mps" or "cpu" on this machine."""
    return {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}[name]()


# %% solution="torch-pick_device"
def pick_device(available):
    """Return the best device of a machine.

    available : function from "cuda" or "mps" to bool, such as `is_available` above
    Returns a torch.device, or its name: cuda before mps before cpu.
    """
    ### BEGIN SOLUTION
    return torch.device(next((name for name in ("cuda", "mps") if available(name)), "cpu"))
    ### END SOLUTION


# %% tests="torch-pick_device" points=1
result = check("torch-pick_device", pick_device)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_devices import pick_case

    for gpus, best in ((set(), "cpu"), ({"mps"}, "mps"), ({"cuda", "mps"}, "cuda"), ({"cuda"}, "cuda")):
        with report.stage(f"{len(gpus)} GPUs, {best}"):
            pick_case(subject, report, gpus, best)


result = result.also(edge_cases, seed=11093)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### How to time it
#
# A GPU does not finish what you ask for before Python goes on: each operation is put into a queue, in about ten
# microseconds, whatever it costs. Only when somebody wants a number (`.item()`, `.cpu()`, `print`) does Python wait.
# **Guess:** what would a stopwatch around `model(x)` measure?

# %%
figure, axes = plt.subplots(figsize=(8, 2), layout="constrained")
for i in range(4):
    axes.broken_barh([(0.15 * i, 0.12)], (1.1, 0.7), color="#E69F00")
    axes.broken_barh([(0.15 + 1.0 * i, 0.97)], (0.1, 0.7), color="#0072B2")
for moment, text in ((0.0, "start"), (0.62, "stop, too early"), (4.15, "stop, after synchronize()")):
    axes.axvline(moment, color="#222222", linestyle=":")
    axes.text(moment + 0.04, 2.0, text, fontsize=8)
axes.set(yticks=[0.45, 1.45], yticklabels=["GPU computes", "Python asks"], ylim=(0, 2.4), xlim=(-0.1, 5.4))
axes.set_xlabel("time, in steps")
plt.show()

# %% [markdown]
# So: **synchronize** (wait for the queue to be empty) before each reading of the clock that matters. And **warm up**:
# the first steps load code, choose algorithms and fill caches, and would be timed for what no later step does. In
# order:
#
# `warmup` steps → synchronize → read the clock → `repeats` steps → synchronize → read the clock
#
# The check hands in a make-believe GPU with a queue and a clock of its own, so it knows the true speed exactly.


# %% solution="torch-images_per_second"
def images_per_second(step, batch_size, *, synchronize, clock=time.perf_counter, warmup=3, repeats=10):
    """Measure how many images a second a step handles.

    step : function without arguments that starts the work for one batch;  batch_size : int, images of a batch
    synchronize : function without arguments that waits until all work is done
    clock : function without arguments that returns the time in seconds
    warmup, repeats : int, the steps that are not timed, and those that are
    Returns a float, images a second.
    """
    ### BEGIN SOLUTION
    for _ in range(warmup):  # not timed
        step()
    synchronize()
    began = clock()
    for _ in range(repeats):  # timed
        step()
    synchronize()  # the work, not the asking for it
    return batch_size * repeats / (clock() - began)
    ### END SOLUTION


# %% tests="torch-images_per_second" points=2
result = check("torch-images_per_second", images_per_second)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_devices import timing_case

    timing_case(subject, rng, report, warmup=1, repeats=3)
    timing_case(subject, rng, report, warmup=5, repeats=25)


result = result.also(edge_cases, seed=11113)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ### Fewer bits
#
# | format | bits | of which exponent | smallest step above 1 | largest number |
# |---|---|---|---|---|
# | float32 | 32 | 8 | $1.2 \cdot 10^{-7}$ | $3.4 \cdot 10^{38}$ |
# | TF32, for products only | 19, stored as 32 | 8 | $9.8 \cdot 10^{-4}$ | $3.4 \cdot 10^{38}$ |
# | bfloat16 | 16 | 8 | $7.8 \cdot 10^{-3}$ | $3.4 \cdot 10^{38}$ |
# | float16 | 16 | 5 | $9.8 \cdot 10^{-4}$ | 65,504 |
#
# A multiplier for half the bits takes about a quarter of the silicon, and half the bits cross the bus in half the time:
# this is where the tensor cores of a GPU get their speed. Training bears the coarser *products*; it does not bear
# coarser *weights*, as an update of a thousandth of a weight would round to nothing. So **autocast** leaves weights and
# inputs in float32 and rounds a copy at each convolution and matrix product:
#
# ```python
# with torch.autocast(device_type, dtype=torch.bfloat16):
#     ...
# ```
#
# The device_type is the type of the device that computes (`x.device.type`); for another one nothing happens, without a
# word. Scores come out in bfloat16. What follows, a softmax, a sum, wants them as float32 again.


# %% solution="torch-autocast_scores"
def autocast_scores(model, x, *, dtype=torch.bfloat16):
    """Run a model with its products in half precision, wherever it is.

    model : nn.Module with float32 parameters, left as they are;  x : float32 tensor on the model's device
    dtype : torch.bfloat16 or torch.float16
    Returns the scores as a float32 tensor.
    """
    ### BEGIN SOLUTION
    with torch.autocast(x.device.type, dtype=dtype):
        scores = model(x)
    return scores.float()
    ### END SOLUTION


# %% tests="torch-autocast_scores" points=1
result = check("torch-autocast_scores", autocast_scores)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_devices import autocast_case

    autocast_case(subject, rng, report, hidden=9)


result = result.also(edge_cases, seed=11117)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## 10. What your machine can do
#
# First the raw speed of a matrix product, in GFLOP/s (a product of two $n \times n$ matrices is $2 n^3$ operations).
# The lectures show how many GFLOP a dollar buys, over the years: a CPU, a GPU in FP32, a GPU with tensor cores. That
# curve is why this field moved. Here is the machine at hand. **Guess** which line is on top, and why small matrices
# are slow.

# %%
from cs231n_lib.visualize.palette import OKABE_ITO

device = pick_device(is_available) if ready("torch-pick_device") else torch.device("cpu")
device = torch.device(device)


def wait_for_device():
    """Wait until the device has done all that was asked of it; a CPU always has."""
    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()


class Precision:
    """A block in which float32 products may run as TF32, on GPUs that can; nothing changes elsewhere."""

    def __init__(self, tf32):
        self.tf32 = tf32

    def __enter__(self):
        self.before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = self.tf32

    def __exit__(self, *_):
        torch.set_float32_matmul_precision(self.before[0])
        torch.backends.cudnn.allow_tf32 = self.before[1]


def bar_chart(rates, unit):
    """Draw one bar for each entry of {name: rate}."""
    _, axes = plt.subplots(figsize=(8, 0.42 * len(rates) + 0.8), layout="constrained")
    drawn = axes.barh(list(rates), list(rates.values()), color="#0072B2")
    axes.bar_label(drawn, [f"{rate:,.0f}" for rate in rates.values()], padding=4)
    axes.set(xlabel=f"{unit} on {device} (longer is better)", xlim=(0, 1.18 * max(rates.values())))
    axes.invert_yaxis()
    plt.show()


timed = ready("torch-images_per_second")
if timed:
    formats = [("float32", torch.float32, False), ("bfloat16", torch.bfloat16, False)]
    formats += [("TF32", torch.float32, True), ("float16", torch.float16, False)] if device.type == "cuda" else []
    sizes = (64, 128, 256, 512, 1024) + ((2048, 4096, 8192) if device.type == "cuda" else ())
    figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
    for (name, dtype, tf32), line, colour in zip(formats, ("o-", "s--", "^-.", "D:"), OKABE_ITO, strict=False):
        speeds = []
        for n in sizes:
            left, right = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
            with Precision(tf32):
                products = images_per_second(
                    lambda a=left, b=right: a @ b, 1, synchronize=wait_for_device, repeats=max(10, 10**9 // n**3)
                )
            speeds.append(2 * n**3 * products / 1e9)
        axes.plot(sizes, speeds, line, color=colour, label=name)
        print(f"{name:10s} at best {max(speeds):,.0f} GFLOP/s")
    axes.set(
        xscale="log", yscale="log", xlabel="n, for n x n matrices", ylabel="GFLOP/s", title=f"Products on {device}"
    )
    axes.legend()
    plt.show()

# %% [markdown]
# A CPU without instructions of its own for bfloat16 must unpack and pack every number, and is *slower* with half the
# bits. A speed is a property of hardware and format together. And for small matrices you measure Python.
#
# Now a whole training step of the net of section 5, forward, backward and update, with one thing changed at a time:
#
# - **channels last**: the same shape $(N, C, H, W)$ over another order in memory, where the channels of a pixel are
#   neighbours (`.to(memory_format=torch.channels_last)`), as convolution code often prefers;
# - **TF32** and **bfloat16 autocast**, as above.

# %%
BATCH = 512 if device.type == "cuda" else 64


def make_step(*, autocast=False, channels_last=False, wrap=lambda model: model, batch=BATCH):
    """Return a function that takes one training step on one batch that is on the device already."""
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = ThreeLayerConvNet(3, 32, 16, 10).to(device, memory_format=layout)
    images, targets = train_x[:batch].to(device, memory_format=layout), train_y[:batch].to(device)
    optimizer, run = torch.optim.SGD(model.parameters(), lr=1e-3), wrap(model)

    def one_step():
        scores = autocast_scores(run, images) if autocast else run(images)
        optimizer.zero_grad()
        functional.cross_entropy(scores, targets).backward()
        optimizer.step()

    return one_step


timed = timed and ready("torch-ThreeLayerConvNet", "torch-autocast_scores")
if timed:
    settings = {"float32": {}, "float32, channels last": {"channels_last": True}}
    settings |= {"TF32": {}} if device.type == "cuda" else {}
    settings |= {"bfloat16": {"autocast": True}, "bfloat16, channels last": {"autocast": True, "channels_last": True}}
    rates = {}
    for name, options in settings.items():
        with Precision(name == "TF32"):
            rates[name] = images_per_second(make_step(**options), BATCH, synchronize=wait_for_device, repeats=5)
    bar_chart(rates, "images a second, training")

# %% [markdown]
# ### A compiler
#
# `torch.compile(model)` reads the forward pass, merges what can be merged (a bias, a ReLU, a cast: each of them alone
# is a trip through all the numbers in memory) and generates code. On a CPU that takes a C++ compiler and up to a
# minute at the first call, and it may win little. Where there is no compiler the cell says so and goes on.

# %%
try_compile = True  # False saves up to a minute
if timed and try_compile:
    try:
        compiled = make_step(wrap=torch.compile)
        start = time.perf_counter()
        compiled()
        wait_for_device()
        print(f"the first step, with compilation: {time.perf_counter() - start:.0f} s")
        rates["compiled"] = images_per_second(compiled, BATCH, synchronize=wait_for_device, repeats=5)
    except (RuntimeError, ImportError, OSError) as error:  # PyTorch's compiler errors are RuntimeErrors
        print(f"not compiled on this machine: {type(error).__name__}: {str(error).splitlines()[0][:150]}")
    bar_chart(rates, "images a second, training")

# %% [markdown]
# ### Where the images wait
#
# CIFAR-10 as bytes is 150 MB: it fits into any GPU's memory many times over. Then a batch is one indexing operation on
# the device. The general way, for data sets that do not fit, is a `DataLoader`: it collects a batch image by image, in
# Python, possibly in other processes, and sends it over. **Guess** what it costs for images as small as ours.

# %%
if timed:
    from torch.utils.data import DataLoader, TensorDataset

    stay_x, stay_y = train_x[:2048].to(device), train_y[:2048].to(device)
    loader_set = TensorDataset(train_x[:2048], train_y[:2048])

    def from_device():
        for chosen in torch.randperm(2048, device=device).split(64):
            stay_x[chosen], stay_y[chosen]

    def from_loader():
        for images, targets in DataLoader(loader_set, batch_size=64, shuffle=True):
            images.to(device), targets.to(device)

    waits = {
        name: images_per_second(epoch, 2048, synchronize=wait_for_device, warmup=1, repeats=3)
        for name, epoch in (("already on the device", from_device), ("DataLoader", from_loader))
    }
    bar_chart(waits, "images a second, handing out only")
    for name, handed in waits.items():
        share = (1 / handed) / (1 / handed + 1 / rates["float32"])
        print(f"{name}: {100 * share:.0f} % of the time of a training step goes into handing out images")

# %% [markdown]
# On a CPU the step itself takes so long that it hardly matters. On a fast GPU the same loader can keep the GPU waiting
# most of the time, and every image that arrives late is paid for.
#
# ## 11. Six mistakes
#
# The program below trains a net on rows of pixels, in the order channel, row, column, and returns the scores of new
# images. It has **six mistakes**, each of them a classic:
#
# | | |
# |---|---|
# | a view of a permuted tensor | it raises at once; dropping the permute instead scrambles the image in silence |
# | the batch stays where it is | `x.to(device)` does not change `x` |
# | softmax twice | `cross_entropy` takes it as well: training is slow and never confident |
# | gradients add up | no `zero_grad` |
# | train mode in testing | a score depends on the other images of its batch |
# | an optimizer built before the move | it may hold parameters that are no longer the net's |
#
# The last one deserves a word. On CUDA `net.to(device)` today keeps the parameter objects and changes what is inside,
# so an early optimizer happens to work. On other devices (`meta`, XLA), and always with a plain list of tensors, the
# move makes *new* ones: the loss stays where it is, and nothing is reported.


# %%
def broken(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
    opt = torch.optim.SGD(net.parameters(), lr=learning_rate)
    net.to(device)
    pixels = (images / 255).permute(0, 3, 1, 2).view(len(images), -1)
    for _ in range(epochs):
        for k in range(0, len(pixels), batch_size):
            batch, target = pixels[k : k + batch_size], labels[k : k + batch_size]
            batch.to(device), target.to(device)
            probabilities = net(batch).softmax(dim=1)
            functional.cross_entropy(probabilities, target).backward()
            opt.step()
    return net((new_images / 255).permute(0, 3, 1, 2).view(len(new_images), -1))


# %% [markdown]
# Write it again, without the mistakes. The check trains a small net with batch norm and compares it with its own,
# number by number, so that it can tell *which* mistake is left; then it runs your program on the device `meta`. Keep
# to: plain SGD, batches in their order, pixels from 0 to 1, train mode in training, no record and no `.item()` on
# the way, scores returned on the device.


# %% solution="torch-train_and_score"
def train_and_score(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
    """Train a net, and return its scores of new images.

    net : nn.Module for rows (N, C H W), on any device and in any mode; trained in place, on `device`
    images, new_images : uint8 tensors (N, H, W, C);  labels : int64 tensor (N,); all three on the CPU
    Returns a float32 tensor (number of new images, classes) on `device`, without a record.
    """

    ### BEGIN SOLUTION
    def rows(pictures):
        return (pictures.to(device) / 255).permute(0, 3, 1, 2).flatten(start_dim=1)  # flatten copies where it must

    net = net.to(device).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)  # after the move
    x, y = rows(images), labels.to(device)
    for _ in range(epochs):  # the batches in their order
        for some, wanted in zip(x.split(batch_size), y.split(batch_size), strict=True):
            optimizer.zero_grad()  # before anything is added
            functional.cross_entropy(net(some), wanted).backward()
            optimizer.step()  # on the net's own parameters
    net.eval()
    with torch.no_grad():  # prediction records nothing
        return net(rows(new_images))
    ### END SOLUTION


# %% tests="torch-train_and_score" points=2
result = check("torch-train_and_score", train_and_score)


### BEGIN HIDDEN TESTS
def edge_cases(subject, rng, report):
    from cs231n_lib.check.n11_repair import repair_case

    repair_case(subject, rng, report, starts_in_eval=True)


result = result.also(edge_cases, seed=11119)
### END HIDDEN TESTS
result.points

# %%
if ready("torch-train_and_score"):
    few, labels_few = torch.from_numpy(np.array(data.train.images[:2000])), train_y[:2000]
    unseen = torch.from_numpy(np.array(data.val.images[:500]))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3072, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Linear(100, 10))
    guesses = train_and_score(net, few, labels_few, unseen, device=device, epochs=4, batch_size=50, learning_rate=0.1)
    hits = (guesses.argmax(dim=1).cpu() == val_y[:500]).float().mean()
    print(f"repaired: {100 * hits:.1f} % of 500 new images")

# %% [markdown]
# ## 12. Two famous nets, counted
#
# The recipe of your net, convolution and pooling, then fully connected layers, all of it trained end to end, is that
# of LeNet (1998), which read cheques, and of AlexNet (2012), which won the ImageNet challenge on two GPUs. In the form
# in which both are taught today (no groups, every layer with biases, pooling 3 x 3 with stride 2 in AlexNet and 2 x 2
# in LeNet):
#
# | LeNet-5, on 1 x 32 x 32 | AlexNet, on 3 x 224 x 224 |
# |---|---|
# | conv 6, 5 x 5; pool → 14 x 14 | conv 64, 11 x 11, stride 4, pad 2; pool → 27 x 27 |
# | conv 16, 5 x 5; pool → 5 x 5 | conv 192, 5 x 5, pad 2; pool → 13 x 13 |
# | fully connected 120 | conv 384, 3 x 3, pad 1 |
# | fully connected 84 | conv 256, 3 x 3, pad 1 |
# | fully connected 10 | conv 256, 3 x 3, pad 1; pool → 6 x 6 |
# | | fully connected 4096, 4096, 1000 |
#
# (AlexNet's first layer does not fit 224 pixels exactly: $224 - 11 + 4 = 217$ is not divisible by 4. PyTorch rounds
# down to 55 x 55, as everybody does.) Count, by hand or with a module and `sum(p.numel() for p in
# model.parameters())`:
#
# - the parameters of both;
# - `alexnet_dense_share`: the share of AlexNet's parameters that sits in its three fully connected layers, from 0 to 1,
#   to three digits;
# - `alexnet_megabytes`: the memory of AlexNet's parameters in float32, in units of $10^6$ bytes, to the nearest whole.
#
# The check looks at the form only; each number is a quarter of the points.

# %% solution="torch-audit"
audit = {
    "lenet_parameters": ...,
    "alexnet_parameters": ...,
    "alexnet_dense_share": ...,
    "alexnet_megabytes": ...,
}
### BEGIN SOLUTION
audit |= {"lenet_parameters": 61_706, "alexnet_parameters": 61_100_840}
audit |= {"alexnet_dense_share": 0.960, "alexnet_megabytes": 244}
### END SOLUTION

# %% tests="torch-audit" points=2
result = check("torch-audit", audit)


### BEGIN HIDDEN TESTS
def by_counting(subject, rng, report):
    """Build both nets on the device "meta", where they cost nothing, and count."""
    import torch
    from torch import nn

    from cs231n_lib.check.n11_questions import numbers

    def build(kinds, dense):
        stack = [nn.Conv2d(a, b, k, device="meta") for a, b, k in kinds]
        return stack, [nn.Linear(a, b, device="meta") for a, b in dense]

    def count(layers):
        return sum(p.numel() for layer in layers for p in layer.parameters())

    lenet = build([(1, 6, 5), (6, 16, 5)], [(16 * 25, 120), (120, 84), (84, 10)])
    kinds = [(3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)]
    alexnet = build(kinds, [(256 * 36, 4096), (4096, 4096), (4096, 1000)])
    total = count(alexnet[0]) + count(alexnet[1])
    wanted = {
        "lenet_parameters": (count(lenet[0]) + count(lenet[1]), 0.5),
        "alexnet_parameters": (total, 0.5),
        "alexnet_dense_share": (count(alexnet[1]) / total, 6e-4),
        "alexnet_megabytes": (total * torch.zeros(1).element_size() / 1e6, 0.5),
    }
    found = numbers(subject, report)
    right = sum(abs(found[key] - value) <= near for key, (value, near) in wanted.items())
    report.share(right, 0, len(wanted))


result = result.also(by_counting, seed=11131)
### END HIDDEN TESTS
result.points

# %% [markdown]
# Parameters and work sit in different places: a filter is used at every place of its map, a row of a matrix once. Count
# both for your own two nets:

# %%
if ready("torch-ThreeLayerConvNet", "torch-sequential"):
    with torch.device("meta"):
        own = {"three layers": ThreeLayerConvNet(3, 32, 16, 10), "stack": make_sequential(3, (16, 32, 64), 10)}
    print(f"{'':24s}{'parameters':>12s}{'in convolutions':>18s}{'multiply-adds':>16s}{'in convolutions':>18s}")
    for name, model in own.items():
        work = {"conv": 0, "dense": 0}

        def count_work(layer, inputs, out, work=work):
            kind = "conv" if isinstance(layer, nn.Conv2d) else "dense"
            work[kind] += out.numel() * layer.weight[0].numel()

        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(count_work)
        model(torch.zeros(1, 3, 32, 32, device="meta"))
        everything = sum(p.numel() for p in model.parameters())
        filters = sum(p.numel() for m in model.modules() if isinstance(m, nn.Conv2d) for p in m.parameters())
        share, effort = filters / everything, work["conv"] / sum(work.values())
        print(f"{name:24s}{everything:12,}{100 * share:16.0f} %{sum(work.values()):16,}{100 * effort:16.0f} %")

# %% [markdown]
# **Question.** The check looks at the form of your answer only; a wrong letter takes back the credit of a right one.
# Which are true?
#
# - **A** `x.to("cuda")` moves `x`; the returned value is the same tensor.
# - **B** bfloat16 reaches as far as float32, and has two to three decimal digits.
# - **C** float16 can hold the number 100,000.
# - **D** `x.to(memory_format=torch.channels_last)` changes `x.shape` from $(N, C, H, W)$ to $(N, H, W, C)$.
# - **E** `model.eval()` also switches the recording of gradients off.
# - **F** Two backward passes without clearing leave the *sum* of both gradients in `.grad`.
# - **G** With softmax taken twice, the loss of a net of ten classes cannot fall below about 1.46, however sure it is.

# %% solution="torch-quiz"
true_of_torch = ...
### BEGIN SOLUTION
true_of_torch = {"B", "F", "G"}
### END SOLUTION

# %% tests="torch-quiz" points=1
result = check("torch-quiz", true_of_torch)


### BEGIN HIDDEN TESTS
def experiment(subject, rng, report):
    """Find the key by trying each statement."""
    import torch

    answer = report.choices(subject, "ABCDEFG")
    x = torch.randn(2, 3, 4, 5)
    x.to("meta")
    w = torch.ones(3, requires_grad=True)
    for _ in ("once", "twice"):
        (2 * w).sum().backward()
    layer = torch.nn.Linear(2, 2).eval()
    surest = torch.nn.functional.one_hot(torch.tensor([0]), 10).float()
    floor = torch.nn.functional.cross_entropy(surest, torch.tensor([0])).item()
    wide, half = torch.finfo(torch.bfloat16), torch.finfo(torch.float16)
    holds = {
        "A": x.device.type == "meta",
        "B": wide.max > 3e38 and 1e-3 < wide.eps < 1e-2,
        "C": half.max > 1e5,
        "D": x.to(memory_format=torch.channels_last).shape != x.shape,
        "E": not layer(torch.zeros(1, 2)).requires_grad,
        "F": w.grad.tolist() == [4.0, 4.0, 4.0],
        "G": abs(floor - 1.46) < 0.01,
    }
    true = {letter for letter, fact in holds.items() if fact}
    report.share(len(answer & true), len(answer - true), len(true))


result = result.also(experiment, seed=11149)
### END HIDDEN TESTS
result.points

# %% [markdown]
# ## What you have
#
# | | you write | the library does |
# |---|---|---|
# | bare tensors | the forward pass, the step | the backward pass |
# | `nn.Module` | `__init__` and `forward` | keeping, saving, moving the parameters |
# | `nn.Sequential` | a list | `forward` too |
# | `torch.optim` | the loop | the step |
#
# | when something is odd | look for |
# |---|---|
# | nothing is learned | a parameter that is no leaf, an optimizer with other parameters, softmax twice |
# | the loss jumps | gradients that add up |
# | testing is worse than training by far | eval mode, pixels scaled differently |
# | the GPU is no faster | `.item()` in the loop, a loader that is late, a batch that is too small |
# | too good to be true | a stopwatch without synchronize |
#
# **N12** hands you the keys: any net, any trick, and a sealed test set that opens once.
