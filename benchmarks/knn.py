"""k nearest neighbours at the scale of CIFAR-10, against scikit-learn and torch: time and peak memory as ratios.

    python benchmarks/knn.py --threads 2    10,000 x 50,000 images of 3,072 pixels, 1 round (minutes; about 8 GB)
    python benchmarks/knn.py --quick        500 x 5,000, 3 rounds (half a minute)

Every method answers the same question: the k nearest training images of each test image. Each call runs alone in a
fresh process (so that its peak memory is its own), after a warm-up on a few rows, in rounds that go through all methods
in turn. Answers are compared with exact integer arithmetic in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from methods.knn_methods import METHODS, load_reference, pieces, solve

CHECKED_ROWS = 100  # test images whose neighbours are compared with exact ones


def draw_images(num_test: int, num_train: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (X_test, X_train), float32 (N, 3072) of whole numbers 0..255: coarse pictures with noise, some twice.

    Whole numbers make squared distances exact in float64; the copies are exact ties, for which the rule must hold.
    """
    total = num_test + num_train
    images = np.empty((total, 3072), dtype=np.float32)
    for start in range(0, total, 1000):
        coarse = rng.integers(0, 256, size=(min(1000, total - start), 4, 4, 3))
        fine = coarse.repeat(8, axis=1).repeat(8, axis=2) + rng.normal(scale=20, size=(len(coarse), 32, 32, 3))
        images[start : start + 1000] = np.clip(np.rint(fine), 0, 255).reshape(len(coarse), -1)
    X, Y = images[:num_test], images[num_test:]
    Y[-(num_train // 10) :] = Y[: num_train // 10]
    return X, Y


def run_child(args: argparse.Namespace) -> None:
    """Measure one method once; write its answer beside the data and print one line of JSON."""
    folder = Path(args.folder)
    X, Y = np.load(folder / "X.npy"), np.load(folder / "Y.npy")
    answer = solve(args.child, args.reference, k=args.k, threads=args.threads)
    answer(X[:20], Y[: max(200, args.k)])  # imports, thread pools, first-call buffers
    before = _memory("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # Linux: forget the peak so far
    start = time.perf_counter()
    indices = answer(X, Y)
    seconds = time.perf_counter() - start
    np.save(folder / "answer.npy", indices)
    print(json.dumps({"seconds": seconds, "peak_mb": max(0.0, _memory("VmHWM") - before)}))


def _memory(field: str) -> float:
    """Return a size from Linux's account of this process, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def measure(method: str, args: argparse.Namespace, folder: str) -> dict:
    """Run one method in a fresh process and return {"seconds", "peak_mb", "indices"}, or {"failed": reason}."""
    limit = "1" if method == "blocked" else str(args.threads)  # blocked brings its own threads
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), limit)
    if method == "scikit-learn":
        limits["OMP_NUM_THREADS"] = str(args.threads)
    command = [sys.executable, __file__, "--child", method, "--folder", folder, "--k", str(args.k)]
    command += ["--threads", str(args.threads)] + (["--reference", args.reference] if args.reference else [])
    result = subprocess.run(command, env=os.environ | limits, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"exit {result.returncode}"
        return {"failed": f"out of memory ({reason})" if result.returncode == -9 else reason}
    return json.loads(result.stdout.splitlines()[-1]) | {"indices": np.load(Path(folder) / "answer.npy")}


def exact_neighbours(X: np.ndarray, Y: np.ndarray, *, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (indices (N, k), squared distances (N, M)) in exact arithmetic; ties go to the smaller index.

    Whole numbers below 256: every product and sum is a whole number below 2^53, so float64 holds it without rounding.
    """
    X = X.astype(np.float64)
    parts = np.array_split(Y, 1 + len(Y) // 2000)
    squared = np.concatenate([(p**2).sum(axis=1) - 2 * X @ p.T for p in (q.astype(np.float64) for q in parts)], axis=1)
    squared += (X**2).sum(axis=1, keepdims=True)
    return np.argsort(squared, axis=1, kind="stable")[:, :k], squared


def judge(indices: np.ndarray, exact: np.ndarray, squared: np.ndarray) -> dict[str, int]:
    """Return how many rows are the `same` as the exact ones, another choice in a `tie`, swapped by `rounding`, `wrong`.

    rounding : the distances agree to 1e-4, what a float32 square root of a difference of large numbers can tell apart
    """
    got = np.sqrt(np.take_along_axis(squared, indices, axis=1))
    want = np.sqrt(np.take_along_axis(squared, exact, axis=1))
    same = (indices == exact).all(axis=1)
    tie = (got == want).all(axis=1) & ~same
    distinct = np.array([len(set(row)) == len(row) for row in indices.tolist()])
    close = (abs(got - want) <= 1e-4 * want).all(axis=1) & distinct & ~same & ~tie
    counts = {"same": int(same.sum()), "tie": int((tie & distinct).sum()), "rounding": int(close.sum())}
    return counts | {"wrong": len(indices) - sum(counts.values())}


def summarise(method: str, rounds: list[dict[str, dict]], exact: np.ndarray, squared: np.ndarray) -> dict:
    """Return one method's medians, its ratios to `blocked` round by round, and its judged answers."""
    runs = [(one[method], one["blocked"]) for one in rounds]
    failed = next((run["failed"] for pair in runs for run in pair if "failed" in run), None)
    if failed is not None:
        return {"method": method, "failed": failed}
    ratios = [mine["seconds"] / ours["seconds"] for mine, ours in runs]
    memory = [mine["peak_mb"] / max(1.0, ours["peak_mb"]) for mine, ours in runs]
    return {
        "method": method,
        "n": len(runs),
        "seconds": float(np.median([mine["seconds"] for mine, _ in runs])),
        "time_ratio": float(np.median(ratios)),
        "time_spread": [min(ratios), max(ratios)],
        "peak_mb": float(np.median([mine["peak_mb"] for mine, _ in runs])),
        "memory_ratio": float(np.median(memory)),
        "answers": judge(runs[0][0]["indices"][: len(exact)], exact, squared),
    }


def print_table(rows: list[dict]) -> None:
    print(f"{'method':14}{'seconds':>9}{'time / blocked (spread)':>27}{'peak MB':>10}{'/ blocked':>11}   answers")
    for row in rows:
        if "failed" in row:
            print(f"{row['method']:14} failed: {row['failed']}")
            continue
        ratio = f"{row['time_ratio']:.2f} ({row['time_spread'][0]:.2f}-{row['time_spread'][1]:.2f})"
        answers = ", ".join(f"{count} {name}" for name, count in row["answers"].items() if count)
        memory = f"{row['peak_mb']:>10.0f}{row['memory_ratio']:>11.1f}"
        print(f"{row['method']:14}{row['seconds']:>9.2f}{ratio:>27}{memory}   {answers}")


def main() -> None:
    parser = argparse.ArgumentParser(description="k nearest neighbours: time and peak memory as ratios")
    parser.add_argument("--quick", action="store_true", help="500 x 5,000 images instead of 10,000 x 50,000")
    parser.add_argument("--num-test", type=int)
    parser.add_argument("--num-train", type=int)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, help="repeats; 1, or 3 with --quick")
    parser.add_argument("--reference", help="module:function in place of the course's no_loops")
    parser.add_argument("--peers", nargs="*", choices=METHODS[1:], default=METHODS[1:], help="compare with these only")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--child", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return run_child(args)
    if not Path("/proc/self/clear_refs").exists():
        raise SystemExit("knn.py: peak memory is read from Linux's /proc, which is missing here; run it on Linux")
    methods = [METHODS[0], *args.peers]
    if "no_loops" in methods:
        load_reference(name=args.reference)  # a missing reference is said at once, not after minutes
    num_test = args.num_test or (500 if args.quick else 10_000)
    num_train = args.num_train or (5_000 if args.quick else 50_000)
    X, Y = draw_images(num_test, num_train, rng=np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", X)
        np.save(Path(folder) / "Y.npy", Y)
        exact, squared = exact_neighbours(X[:CHECKED_ROWS], Y, k=args.k)
        del X, Y  # the children need the memory
        rounds = []
        for number in range(args.rounds or (3 if args.quick else 1)):
            rounds.append({})
            for method in methods:
                print(f"round {number + 1}: {method} ...", file=sys.stderr)
                rounds[-1][method] = measure(method, args, folder)
    rows = [summarise(method, rounds, exact, squared) for method in methods]
    print(f"{num_test:,} x {num_train:,} x 3,072 float32, k = {args.k}, {args.threads} thread(s), {len(rounds)} rounds")
    print_table(rows)
    calls = len(pieces(num_test, num_train))
    if calls > 1 and "no_loops" in methods:
        print(
            f"no_loops was called {calls} times, for a part of the test images each: at once it would not fit in memory"
        )
    if args.json:
        setup = {"num_test": num_test, "num_train": num_train, "k": args.k, "threads": args.threads, "seed": 0}
        args.json.write_text(json.dumps({"setup": setup, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    ours = rows[0].get("answers", {})
    if ours.get("same") != len(exact) or any(row.get("answers", {}).get("wrong") for row in rows):
        raise SystemExit("knn.py: an answer is wrong, or `blocked` does not follow its rule for ties; see the table")


if __name__ == "__main__":
    main()
