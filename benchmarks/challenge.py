"""The open challenge: how far the reference recipe of N12 gets on this machine, over several seeds.

    python benchmarks/challenge.py [--dataset NAME] [--train N] [--epochs E] [--seeds 0 1 2] [--quick] [--json FILE]

The recipe is read from assignments/source, where it stands once; sizes follow the device. Accuracy is on the last 1,000
training images, which are trained on by nobody, and on the test images. On a GPU a first short training, not counted,
pays for what is compiled and allocated once. Wall and CPU seconds are those of `fit` alone.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.source import read_source
from cs231n_lib.data import Dataset, load_dataset

SOURCE = Path(__file__).resolve().parents[1] / "assignments" / "source" / "a3" / "N12_challenge.py"


def reference() -> Callable[..., Any]:
    """Return `fit` of the solved notebook, running only the cells that it needs."""
    names: dict[str, Any] = {}
    for cell in read_source(SOURCE):
        if cell.id in ("challenge-setup", "challenge-net", "challenge-fit") and cell.role in ("setup", "solution"):
            exec(compile(cell.text, f"{SOURCE.name}:{cell.id}", "exec"), names)
    return names["fit"]


def hardware() -> dict[str, Any]:
    """Return what the figures depend on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    load = list(os.getloadavg()) if hasattr(os, "getloadavg") else None
    return {"gpu": gpu, "cpu": cpu, "threads": torch.get_num_threads(), "load": load, "torch": torch.__version__}


def measure(fit: Callable[..., Any], data: Dataset, *, epochs: int, seed: int) -> dict[str, float]:
    """Train once and return accuracies in [0, 1] and seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    model = fit(data.train.images, data.train.labels, epochs=epochs, seed=seed)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    val, test = (float(np.mean(model(part.images) == part.labels)) for part in (data.val, data.test))
    return {"seed": seed, "val": val, "test": test, "wall_seconds": round(wall, 2), "cpu_seconds": round(cpu, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default=None, help="default: the best one here")
    parser.add_argument("--train", type=int, default=None, help="training images; default: all but 1,000")
    parser.add_argument("--epochs", type=int, default=16 if torch.cuda.is_available() else 4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="500 images of shapes10, two epochs, one seed")
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.dataset, chosen.train, chosen.epochs, chosen.seeds = "shapes10", 500, 2, [0]
    data = load_dataset(chosen.dataset).subset(train=chosen.train, val=1000)
    fit = reference()
    if torch.cuda.is_available():
        fit(data.train.images[:5000], data.train.labels[:5000], epochs=1, seed=0)
    record: dict[str, Any] = {"hardware": hardware(), "dataset": data.name, "train": len(data.train)}
    record |= {"epochs": chosen.epochs, "runs": []}
    for seed in chosen.seeds:
        record["runs"].append(measure(fit, data, epochs=chosen.epochs, seed=seed))
        print(record["runs"][-1], flush=True)
    for name in ("val", "test", "wall_seconds", "cpu_seconds"):
        values = [run[name] for run in record["runs"]]
        spread = statistics.stdev(values) if len(values) > 1 else None
        record[name] = {"n": len(values), "mean": statistics.fmean(values), "standard_deviation": spread}
        print(f"{name}: mean {record[name]['mean']:.4g}, n = {len(values)}, standard deviation {spread}")
    if chosen.json:
        temporary = chosen.json.with_suffix(".part")
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        temporary.replace(chosen.json)


if __name__ == "__main__":
    main()
