"""Train the small ConvNet whose weights the saliency widget shows.

    python benchmarks/saliency_net.py [--quick]

It takes some minutes on one core and writes cs231n_lib/widgets/saliency_net.npz (float16). The widget itself needs no
torch; `tests/widgets/test_saliency.py` measures what the stored weights reach on images that were never drawn here.
Run it again when `shapes10.VERSION` rises. --quick trains on a few images for an epoch, to see that it runs, and writes
nothing.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cs231n_lib.shapes10 import VERSION, draw
from cs231n_lib.widgets.saliency_net import MILD

OUT = Path(__file__).resolve().parents[1] / "cs231n_lib" / "widgets" / "saliency_net.npz"
IMAGES, EPOCHS, BATCH, SEED = 8000, 24, 64, 2311


def make() -> nn.Sequential:
    """Return the net with batch norms, which `folded` takes out: the shapes left are those of `saliency_net`."""
    layers: list[nn.Module] = []
    for inputs, channels, kernel, stride in ((3, 12, 5, 1), (12, 24, 3, 2), (24, 32, 3, 2)):
        layers += [
            nn.Conv2d(inputs, channels, kernel, stride=stride, padding=kernel // 2),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def folded(net: nn.Sequential) -> list[np.ndarray]:
    """Return weights and biases with each batch norm's running statistics multiplied into the convolution before it."""
    arrays = []
    for conv, norm in ((net[0], net[1]), (net[3], net[4]), (net[6], net[7])):
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        arrays += [conv.weight * factor[:, None, None, None], norm.bias + factor * (conv.bias - norm.running_mean)]
    return [array.detach().numpy().astype(np.float16) for array in (*arrays, net[-1].weight, net[-1].bias)]


def main() -> None:
    """Train with Adam under a one-cycle rate, flipping images at random, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="640 images, one epoch, nothing written")
    options = parser.parse_args()
    count, epochs = (640, 1) if options.quick else (IMAGES, EPOCHS)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    labels = np.arange(count) % 10
    images = draw(labels, rng, MILD).astype(np.float32).transpose(0, 3, 1, 2) / 255
    x, y = torch.tensor((images - 0.5) / 0.25), torch.tensor(labels)
    net = make()
    steps = epochs * (count // BATCH)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps)
    for epoch in range(epochs):
        order, right = torch.tensor(rng.permutation(count)), 0
        for start in range(0, count - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            batch = x[rows].flip(-1) if rng.random() < 0.5 else x[rows]
            scores = net(batch)
            loss = nn.functional.cross_entropy(scores, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right += int((scores.argmax(1) == y[rows]).sum())
        print(f"epoch {epoch + 1}: {right / count:.3f} right", flush=True)
    if options.quick:
        return
    arrays = {f"p{i}": array for i, array in enumerate(folded(net))}
    np.savez_compressed(OUT, version=np.array(VERSION), **arrays)


if __name__ == "__main__":
    main()
