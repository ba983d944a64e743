"""The ladder: how far each method of the course climbs on a data set, measured with scikit-learn and PyTorch.

    python benchmarks/ladder.py [--dataset NAME] [--train N] [--seeds 0 1] [--quick] [--json FILE]

None of the course's own code is used, so a course solution can be compared with these figures. k-NN sees the first
5,000 training and 500 test images, as in the assignment; the others see `--train` images, keep the epoch that is best
on 1,000 more, and are tested on all test images. One thread; means over seeds (k-NN has no seed).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from tqdm import tqdm

from cs231n_lib.data import Dataset, Split, load_dataset

KS = [1, 3, 5, 8, 10, 12, 15, 20, 50, 100]
BATCH = 100  # images in a step


def knn(data: Dataset) -> dict[str, float | int]:
    """Test accuracy of k-NN (L2 on raw pixels) with k = 1 and with the k that 5-fold cross-validation prefers."""
    part = data.subset(train=min(5_000, len(data.train)), test=min(500, len(data.test)))
    rows, labels, test_rows = part.train.rows(), part.train.labels, part.test.rows()
    brute = KNeighborsClassifier(algorithm="brute")
    search = GridSearchCV(brute, {"n_neighbors": KS}, cv=KFold(5)).fit(rows, labels)  # folds in order, as in the course
    nearest = KNeighborsClassifier(1, algorithm="brute").fit(rows, labels)
    return {
        "k=1": nearest.score(test_rows, part.test.labels),
        "best k": int(search.best_params_["n_neighbors"]),
        "k=best": search.score(test_rows, part.test.labels),
        "cv accuracy at best k": float(search.best_score_),
    }


def features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """HOG (Dalal and Triggs, CVPR 2005: 9 orientations, 8x8 cells, no blocks) and a 10-bin histogram of hue.

    images : uint8 (N, 32, 32, 3)
    Returns float32 (N, 4 * 4 * 9 + 10).
    """
    grey = images.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255
    dy, dx = np.gradient(grey, axis=(1, 2))
    size = np.hypot(dx, dy)
    turn = np.arctan2(dy, dx) / np.pi * 9 % 9  # unsigned orientation, in bins
    low = np.floor(turn).astype(int) % 9
    share = turn - np.floor(turn)  # a gradient between two bins votes for both
    hog = np.zeros((len(images), 4, 4, 9), dtype=np.float32)
    for k in range(9):
        votes = size * ((low == k) * (1 - share) + ((low + 1) % 9 == k) * share)
        hog[..., k] = votes.reshape(-1, 4, 8, 4, 8).sum(axis=(2, 4))
    hog = hog.reshape(len(images), -1)
    hog /= np.linalg.norm(hog, axis=1, keepdims=True) + 1e-6

    r, g, b = np.moveaxis(images.astype(np.float32), -1, 0)
    hue = np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b) / (2 * np.pi) % 1  # the angle of the colour around grey
    bins = np.minimum((hue * 10).astype(int), 9).reshape(len(images), -1)
    colour = np.stack([(bins == k).mean(axis=1) for k in range(10)], axis=1)
    return np.hstack([hog, colour]).astype(np.float32)


def linear(inputs: int) -> nn.Module:
    return nn.Linear(inputs, 10)


def mlp(inputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 256), nn.ReLU(), nn.Dropout(0.25), nn.Linear(256, 10))


def convnet(_: int) -> nn.Module:
    def block(c_in: int, c_out: int) -> list[nn.Module]:
        return [nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        nn.Unflatten(1, (3, 32, 32)), *block(3, 16), *block(16, 32), *block(32, 64), nn.Flatten(), nn.Linear(1024, 10)
    )


def train_and_score(
    build: Callable[[int], nn.Module],
    parts: list[tuple[torch.Tensor, torch.Tensor]],
    *,
    seed: int,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
) -> float:
    """Train with Adam and a cosine rate; return the test accuracy of the epoch that is best on the validation part.

    parts : (x float32 (N, D), y int64 (N,)) for train, val and test
    """
    torch.manual_seed(seed)
    (x, y), val, test = parts
    model = build(x.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    steps = epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best_val, best_test = -1.0, 0.0
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        score = accuracy(model, *val)
        if score > best_val:
            best_val, best_test = score, accuracy(model, *test)
    return best_test


@torch.no_grad()
def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    model.eval()
    hits = sum((model(a).argmax(1) == b).sum().item() for a, b in zip(x.split(1000), y.split(1000), strict=True))
    return hits / len(y)


def tensors(splits: list[Split], rows: Callable[[Split], NDArray], *, channels_first: bool = False) -> list:
    """Inputs standardised with the training part's mean and spread, and labels, as tensors."""
    arrays = [np.concatenate([rows(split[i : i + 1000]) for i in range(0, len(split), 1000)]) for split in splits]
    mean, spread = arrays[0].mean(axis=0), arrays[0].std(axis=0) + 1e-3
    if channels_first:  # one mean for all, so that the picture stays a picture
        mean, spread = mean.mean(), spread.mean()
    for i, array in enumerate(arrays):
        array -= mean
        array /= spread
        if channels_first:
            arrays[i] = array.reshape(-1, 32 * 32, 3).transpose(0, 2, 1).reshape(len(array), -1)
    return [(torch.from_numpy(a), torch.from_numpy(s.labels.copy())) for a, s in zip(arrays, splits, strict=True)]


def climb(data: Dataset, *, train: int, seeds: list[int], quick: bool) -> dict:
    """Measure every rung. Returns names to accuracies in [0, 1], with the settings that gave them."""
    part = data.subset(train=train, val=1_000, test=len(data.test))
    splits = [part.train, part.val, part.test]
    rungs: dict[str, list[float]] = {}

    def rung(name: str, build: Callable[[int], nn.Module], parts: list, epochs: int, rate: float, decay: float) -> None:
        rungs[name] = []
        for seed in tqdm(seeds, desc=name, file=sys.stderr):
            n = max(1, epochs // 4) if quick else epochs
            score = train_and_score(build, parts, seed=seed, epochs=n, learning_rate=rate, weight_decay=decay)
            rungs[name].append(score)

    neighbours = knn(data)
    hog = tensors(splits, lambda split: features(split.images))
    rung("linear on features", linear, hog, 30, 3e-3, 1e-3)
    rung("two-layer net on features", mlp, hog, 20, 2e-3, 1e-2)
    pixels = tensors(splits, Split.rows)
    rung("linear on pixels", linear, pixels, 12, 2e-4, 0.3)
    rung("two-layer net on pixels", mlp, pixels, 12, 5e-4, 0.1)
    del pixels  # 600 MB for 50,000 images
    planes = tensors(splits, Split.rows, channels_first=True)
    # Half the epochs on a large set: they are still more steps than on shapes10, and minutes on one core.
    rung("small ConvNet", convnet, planes, 12 if train < 20_000 else 6, 3e-3, 1e-2)
    return {
        "dataset": data.name,
        "knn": {"train": 5_000, "test": 500, **neighbours},
        "train": train,
        "test": len(data.test),
        "seeds": seeds,
        "mean accuracy": {name: float(np.mean(scores)) for name, scores in rungs.items()},
        "spread": {name: float(np.ptp(scores)) for name, scores in rungs.items()},
    }


def table(result: dict) -> str:
    """Return the figures as the Markdown table of datasets/README.md."""
    neighbours = result["knn"]
    lines = [
        f"| {result['dataset']} | test accuracy | range over {len(result['seeds'])} seed(s) |",
        "| --- | --- | --- |",
        f"| k-NN on pixels, k=1 | {neighbours['k=1']:.3f} | |",
        f"| k-NN on pixels, k={neighbours['best k']} by cross-validation | {neighbours['k=best']:.3f} | |",
    ]
    for name, score in sorted(result["mean accuracy"].items(), key=lambda item: item[1]):
        spread = f"{result['spread'][name]:.3f} " if len(result["seeds"]) > 1 else ""
        lines.append(f"| {name} | {score:.3f} | {spread}|")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="a stored data set (default: the best one present)")
    parser.add_argument("--train", type=int, help="training images (default: all but 1,000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--quick", action="store_true", help="one seed and a quarter of the epochs")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset(options.dataset)
    began = time.perf_counter()
    result = climb(
        data,
        train=options.train or len(data.train) - 1_000,
        seeds=options.seeds[:1] if options.quick else options.seeds,
        quick=options.quick,
    )
    result["seconds"] = round(time.perf_counter() - began)
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
