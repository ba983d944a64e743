"""Train the linear classifier and the small ConvNet that the recognition widget shows, and store their weights.

    python benchmarks/recognition_models.py [--epochs N] [--quick]

Both see the same 10,000 images of shapes10, drawn at its default challenges, and are written with their test accuracy
and the version of the drawings to cs231n_lib/widgets/recognition.npz (float16, no pickle). Run it again when
`shapes10.VERSION` rises: a test asks for it. About four minutes on one core. --quick trains on a few images for an
epoch, to see that it runs, and writes nothing.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from cs231n_lib.shapes10 import VERSION, draw

TARGET = Path(__file__).parents[1] / "cs231n_lib" / "widgets" / "recognition.npz"
TRAIN, TEST, BATCH = 10_000, 2_000, 100


def images(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images float (count, 3, 32, 32) in [-0.5, 0.5] and labels."""
    labels = np.arange(count) % 10
    pixels = draw(labels, np.random.default_rng(seed)).transpose(0, 3, 1, 2)
    return torch.tensor(pixels / np.float32(255) - np.float32(0.5)), torch.tensor(labels)


def convnet() -> nn.Sequential:
    """Three times: 3x3 convolution, ReLU, 2x2 max pool; then one linear layer. 19,466 parameters."""
    layers: list[nn.Module] = []
    for wide, deep in ((3, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(wide, deep, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def fit(model: nn.Module, x: torch.Tensor, y: torch.Tensor, *, epochs: int, rate: float, decay: float) -> None:
    """Train with Adam, a rate that falls to 0 as a half cosine, and shuffled batches."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(x) // BATCH)
    for _ in tqdm(range(epochs), desc=type(model).__name__):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(x).argmax(dim=1) == y).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    epochs, train, test = (1, 200, 100) if options.quick else (options.epochs, TRAIN, TEST)
    torch.manual_seed(0)
    (x, y), (test_x, test_y) = images(train, seed=1), images(test, seed=2)
    net, linear = convnet(), nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    fit(linear, x, y, epochs=epochs, rate=1e-3, decay=0.3)
    fit(net, x, y, epochs=epochs, rate=4e-3, decay=0.01)
    stored = {"version": np.array(VERSION)}
    for name, model in (("linear", linear), ("net", net)):
        share = accuracy(model, test_x, test_y)
        print(f"{name}: {sum(p.numel() for p in model.parameters()):,} parameters, test accuracy {share:.3f}")
        stored[f"{name}_accuracy"] = np.array(round(share, 3))
        for i, parameter in enumerate(model.parameters()):
            stored[f"{name}_{i}"] = parameter.detach().numpy().astype(np.float16)
    if options.quick:
        return
    part = TARGET.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **stored)
    os.replace(part, TARGET)
    print(f"wrote {TARGET.name}, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
