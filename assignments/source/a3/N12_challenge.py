# %% [markdown]
# # N12 · Open challenge and audit
#
# So far every network was given. Now nothing is: **how far do you get in ten minutes of a laptop, or in one of a GPU?**
# People recognise about 94 % of CIFAR-10; in 2012 the best networks reached less, after hours. This notebook is about
# three things at once: to train well, to know *why* it went well (a log, an ablation, a test that can be taken once),
# and to ask for whom it does not go well.
#
# 20 points · about four hours, of which the computer needs about half an hour. Every check takes under ten seconds.

# %% setup="challenge-setup"
import numpy as np
import torch

from cs231n_lib.check import check, ready

# %% [markdown]
# ## 1. A menu: what came after AlexNet
#
# Three building blocks that the next lecture is about, and that you may use here. The numbers are for 64 maps of
# 16 x 16; **guess** which of the convolutions is the cheapest, and by which factor.
#
# - **Residual block** (ResNet): $x + F(x)$ in place of $F(x)$. If the two convolutions in $F$ have nothing to add, they
#   can become 0 and the block passes $x$ on. The gradient passes through the plus sign unhindered, so a hundred layers
#   can be trained.
# - **Global average pooling**: the mean of each map over all places. N10's `W2` had 819,200 weights
#   of its 822,000; after pooling to one number per map the last layer has $F \cdot$ classes, and images of *any size*
#   fit.
# - **Depthwise separable convolution**: one 3 x 3 filter for each map alone (`groups=C`), then a 1 x 1 convolution that
#   mixes the maps: $9 C + C F$ weights in place of $9 C F$.

# %%
from torch import nn
from torch.nn import functional


class Residual(nn.Module):
    """x + F(x), where F is two 3 x 3 convolutions with batch norm."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])

    def forward(self, x):
        inner = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(x + self.norms[1](self.second(inner)))


def depthwise_separable(width):
    """One 3 x 3 filter for each map, then 1 x 1 filters that mix them."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), nn.Conv2d(width, width, 1, bias=False)
    )


maps = torch.randn(1, 64, 16, 16)
for name, layer in (
    ("3 x 3 convolution", nn.Conv2d(64, 64, 3, padding=1, bias=False)),
    ("depthwise separable", depthwise_separable(64)),
    ("residual block", Residual(64)),
    ("global average pooling", nn.AdaptiveAvgPool2d(1)),
):
    weights = sum(p.numel() for p in layer.parameters() if p.dim() == 4)
    print(f"{name:24s}{weights:8,} weights of filters, {256 * weights:12,} multiply-adds, out {tuple(layer(maps).shape)}")

# %% [markdown]
# ## 2. Six ideas that make training short
#
# A public record trains CIFAR-10 to 94 % in 2.59 seconds on one A100 (airbench). It has no magic layer; it is a small
# net and a row of ideas, each worth a little. You know most of them:
#
# | idea | why it saves time |
# |---|---|
# | **whitened first layer** | neighbouring pixels say nearly the same. Filters along the principal axes of 2 x 2 patches, scaled to variance 1, hand the net decorrelated numbers from the first step on. They are computed, not learned |
# | **label smoothing** | the target is 0.8 for the right class and the rest spread out, not 1 and 0: the net is not driven to ever larger scores for pictures that it has long got right |
# | **Nesterov momentum, a triangular learning rate** | the rate rises for a quarter of the steps, then falls in a line to almost 0. Large steps in the middle, and no noise at the end |
# | **flips and moves by up to 2 pixels** | more pictures for nothing, as in N10 |
# | **`channels_last`** | the memory order that the fast convolution kernels want |
# | **half precision** on a GPU | its matrix units multiply 16-bit numbers several times faster; sums stay in 32 bits |
#
# **The task.** Write `fit`: it gets uint8 images and labels, trains a model of your own design, and returns it. A model
# is anything that can be called with images and answers with labels. Use one code path, and let only *sizes* depend on
# the device: widths, batch, learning rate.
#
# **How it is judged** (8 points). The judge draws five kinds of small coloured motifs, each standing *anywhere* on
# noise, 16 x 16 pixels, calls your `fit` with 600 of them for 6 epochs, and shows the model 500 new ones: **90 %** right
# earns all points, 55 % half of them. Hidden tests draw other motifs in another size. Training has 12 seconds on one
# core (the solution's net needs 3). So your net must take pictures of any size from 16 x 16 on (pool at the end), and
# the batch size must follow the number of pictures: 600 pictures in batches of 500 are two steps.
#
# First the network. What stands here is yours alone, and no check looks at it.

# %% solution="challenge-net"
### BEGIN SOLUTION
from dataclasses import dataclass

from torch import nn
from torch.nn import functional
from tqdm import tqdm


@dataclass(frozen=True)
class Sizes:
    """What depends on the device. widths : filters of the three blocks;  learning_rate : the highest, mid-training"""

    widths: tuple[int, int, int]
    batch_size: int
    learning_rate: float
    dtype: torch.dtype


def device_and_sizes():
    """Return the best device here and the sizes that suit it."""
    if torch.cuda.is_available():
        return torch.device("cuda"), Sizes((64, 256, 256), 1024, 1.0, torch.bfloat16)
    return torch.device("cpu"), Sizes((32, 64, 128), 128, 0.3, torch.float32)


def whitening_filters(x):
    """Return 24 filters (24, 3, 2, 2): the principal axes of 2 x 2 patches of x, scaled to variance 1, and minus these.

    x : float (N, 3, H, W). ReLU-like functions halve what they see, so each axis comes with both signs.
    """
    patches = x.unfold(2, 2, 1).unfold(3, 2, 1)  # (N, 3, H-1, W-1, 2, 2)
    rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    variances, axes = torch.linalg.eigh(rows.T @ rows / len(rows))
    filters = (axes / (variances + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
    return torch.cat([filters, -filters])


def block(fan_in, width):
    """Return conv, pool, norm, conv, norm: pooling right after the first convolution makes the second four times cheaper."""
    return nn.Sequential(
        nn.Conv2d(fan_in, width, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(width, momentum=0.4),  # few steps: the running statistics must follow quickly
        nn.GELU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width, momentum=0.4),
        nn.GELU(),
    )


class Net(nn.Module):
    """Whitening, three blocks, the mean of each map, scores."""

    def __init__(self, classes, widths):
        super().__init__()
        first, second, third = widths
        self.whiten = nn.Conv2d(3, 24, 2)
        self.blocks = nn.Sequential(block(24, first), block(first, second), block(second, third))
        self.head = nn.Linear(third, classes, bias=False)

    def forward(self, x):
        maps = self.blocks(functional.gelu(self.whiten(x)))
        return self.head(maps.mean(dim=(2, 3)))  # global average pooling: any size of picture fits


class Classifier:
    """A trained net with its preparation of pictures: called with uint8 (N, H, W, 3) it returns labels int64 (N,)."""

    def __init__(self, net, mean, scale, device):
        self.net, self.mean, self.scale, self.device = net, mean, scale, device

    def inputs(self, images):
        """Return float (N, 3, H, W) around 0, on the device, in the memory order that convolutions like."""
        x = torch.tensor(np.ascontiguousarray(images), device=self.device).permute(0, 3, 1, 2)
        return ((x - self.mean) / self.scale).contiguous(memory_format=torch.channels_last)

    def scores(self, x):
        """Return the scores (N, classes) of prepared pictures, the mean over the picture and its mirror image."""
        return (self.net(x) + self.net(x.flip(3))) / 2

    def __call__(self, images):
        with torch.inference_mode():
            parts = [self.scores(self.inputs(images[i : i + 500])).argmax(1) for i in range(0, len(images), 500)]
        return torch.cat(parts).cpu().numpy()


def flip_and_move(x, most, rng):
    """Return pictures (N, 3, H, W), each mirrored or not and moved by up to `most` pixels; borders are reflected."""
    n, _, h, w = x.shape
    mirrored = torch.rand(n, generator=rng, device=x.device) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    framed = functional.pad(x, (most,) * 4, mode="reflect")
    down, right = torch.randint(2 * most + 1, (2, n), generator=rng, device=x.device)
    out = torch.empty_like(x)
    for u in range(2 * most + 1):
        for v in range(2 * most + 1):
            chosen = (down == u) & (right == v)
            out[chosen] = framed[chosen, :, u : u + h, v : v + w]
    return out
### END SOLUTION


# %% [markdown]
# Then the training. Two switches, `smoothing` and `most`, stand in the head already, for the ablation of section 5; add
# your own, each with a default.


# %% solution="challenge-fit"
def fit(images, labels, *, epochs, seed, smoothing=0.2, most=2):
    """Train a model on images and return it.

    images : uint8 (N, H, W, 3), any size from 16 x 16 on, left as they are;  labels : int (N,), 0 to classes - 1
    epochs : int, passes over the images;  seed : int, decides on everything that is drawn
    smoothing : label smoothing, in [0, 1);  most : the farthest that pictures are moved, in pixels
    Returns a model: called with images uint8 (M, H, W, 3) it returns their labels, an int array (M,).
    """
    ### BEGIN SOLUTION
    device, sizes = device_and_sizes()
    torch.manual_seed(seed)
    rng = torch.Generator(device).manual_seed(seed)
    batch_size = min(sizes.batch_size, max(8, len(labels) // 32))  # 32 steps an epoch, however few the pictures
    pixels = torch.tensor(np.ascontiguousarray(images), device=device)  # all of them live on the device, as bytes
    y = torch.tensor(np.asarray(labels), device=device).long()
    sample = pixels[:5000].float()
    mean, scale = sample.mean(dim=(0, 1, 2))[:, None, None], sample.std()

    net = Net(int(y.max()) + 1, sizes.widths).to(device, memory_format=torch.channels_last)
    model = Classifier(net, mean, scale, device)
    net.whiten.weight.data.copy_(whitening_filters(model.inputs(images[:2000])))
    net.whiten.weight.requires_grad_(False)
    nn.init.zeros_(net.whiten.bias)

    steps = epochs * -(-len(y) // batch_size)
    learned = [p for p in net.parameters() if p.requires_grad]
    rate = sizes.learning_rate * (batch_size / sizes.batch_size) ** 0.5  # smaller batches are noisier: shorter steps
    optimizer = torch.optim.SGD(learned, lr=rate, momentum=0.85, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, pct_start=0.25, anneal_strategy="linear", cycle_momentum=False, div_factor=5
    )
    net.train()
    with tqdm(total=steps, unit="step", disable=steps < 1000) as bar:
        for _ in range(epochs):
            for chosen in torch.randperm(len(y), generator=rng, device=device).split(batch_size):
                x = flip_and_move((pixels[chosen].permute(0, 3, 1, 2) - mean) / scale, most, rng)
                x = x.contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, sizes.dtype, enabled=sizes.dtype != torch.float32):
                    loss = functional.cross_entropy(net(x), y[chosen], label_smoothing=smoothing)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    net.eval()
    return model
    ### END SOLUTION
