"""Time the fast layers, forward and backward, as ratios to torch and to a plain as_strided im2col, in one run.

    python benchmarks/kernels.py [--quick] [--threads 1|2] [--shapes eight,pools,more,NAME] [--json FILE]
    python benchmarks/kernels.py --student work/a2/N10_convnet.ipynb:conv_forward_columns

Every thread count runs in its own process, because BLAS reads its limit when NumPy is imported. Peers take turns, so
that a busy moment of the machine hits all of them. In its turn a peer runs for at least TURN seconds and its fastest
call counts: threads of the peer before it that still wait for work have then gone to sleep. A ratio is the median over
the turns; beside it, the range that holds the middle half of them. --student times your own pair beside ours: a forward
with conv_forward_fast's signature (options that it lacks leave a shape out), and a backward of the same name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

from methods.kernel_peers import GROUPS, peers_of, student_pair

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}  # of the largest entry, against torch in float64
TURN = 0.1


def extra_memory(pair, inputs, dout, options):
    """Return the peak of NumPy's memory in MB beyond the arrays that forward and backward return.

    Workspaces that stay for the next call are made anew, so they count.
    """
    from cs231n_lib.kernels.threads import forget_workspaces

    forget_workspaces()
    tracemalloc.start()
    results = pair.run(inputs, dout, options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - sum(a.nbytes for a in results)) / 2**20


def fastest(pair, inputs, dout, options):
    """Return the time of the fastest call in one turn."""
    best, end = float("inf"), time.perf_counter() + TURN
    while True:
        start = time.perf_counter()
        pair.run(inputs, dout, options)
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best


def measure(name, dtype, turns, student):
    """Return one row: correctness first, then interleaved turns."""
    import numpy as np

    peers, shapes, options = peers_of(name)
    if student and len(shapes) == 3 and student.takes(options):
        peers["student"] = student
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    dout = rng.normal(size=peers["ours"].forward(*inputs, **options)[0].shape).astype(dtype)
    want = peers["torch"].run([a.astype(np.float64) for a in inputs], dout.astype(np.float64), options)
    for peer, pair in peers.items():
        for got, expected in zip(pair.run(inputs, dout, options), want, strict=True):  # this is the warm-up, too
            error = float(np.abs(got - expected).max() / np.abs(expected).max())
            if not (got.shape == expected.shape and error <= TOLERANCE[dtype]):
                raise SystemExit(f"kernels: {peer} is wrong on {name} in {dtype}: relative error {error:.1e}")
    times = {peer: [] for peer in peers}
    for _ in range(turns):
        for peer, pair in peers.items():
            times[peer].append(fastest(pair, inputs, dout, options))
    row = {"shape": name, "dtype": dtype, "ms": float(np.median(times["ours"])) * 1e3}
    for peer in times:
        if peer != "ours":
            low, middle, high = np.percentile(np.divide(times["ours"], times[peer]), [25, 50, 75])
            row[peer] = {"ratio": float(middle), "low": float(low), "high": float(high)}
    return row | {"extra_mb": extra_memory(peers["ours"], inputs, dout, options)}


def child(args):
    """Measure at this process's thread count and print the rows as JSON."""
    import torch

    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    torch.set_num_threads(args.threads)
    with contextlib.redirect_stdout(sys.stderr):  # what a student's file prints must not mix with the rows
        student = student_pair(args.student) if args.student else None
        for dtype in TOLERANCE:
            for name in args.shapes:
                row = measure(name, dtype, args.turns, student) | {"threads": args.threads}
                print(json.dumps(row), file=sys.__stdout__, flush=True)


def shape_names(text):
    """Return the names that --shapes gives: groups or single shapes, separated by commas."""
    names = [name for part in text.split(",") for name in GROUPS.get(part, [part])]
    known = [name for group in GROUPS.values() for name in group]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"kernels: --shapes must be of {', '.join([*GROUPS, *known])}, got {unknown[0]}")
    return names


def group_of(row):
    return next(group for group, names in GROUPS.items() if row["shape"] in names)


def machine():
    import numpy as np
    import torch

    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(": ")[2] if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": [round(v, 2) for v in os.getloadavg()],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }


def geometric_means(rows):
    """Return one line per (group of shapes, threads, dtype): geometric means, worst shape, most memory."""
    import numpy as np

    def mean(ratios):
        return float(np.exp(np.mean(np.log(ratios))))

    summary = []
    for group, threads, dtype in sorted({(group_of(r), r["threads"], r["dtype"]) for r in rows}):
        some = [r for r in rows if (group_of(r), r["threads"], r["dtype"]) == (group, threads, dtype)]
        line = {"group": group, "threads": threads, "dtype": dtype, "shapes": len(some)}
        for peer in PEERS:
            ratios = [r[peer]["ratio"] for r in some if peer in r]
            if ratios:
                line[peer] = mean(ratios)
        worst = max(some, key=lambda r: r["torch"]["ratio"])
        line |= {"worst": worst["shape"], "worst_torch": worst["torch"]["ratio"]}
        summary.append(line | {"extra_mb": max(r["extra_mb"] for r in some)})
    return summary


def print_row(row):
    cells = [f"{row[p]['ratio']:6.2f} [{row[p]['low']:.2f}, {row[p]['high']:.2f}]" if p in row else "-" for p in PEERS]
    start = f"{row['threads']:>7} {row['dtype']:8} {row['shape']:12} {row['ms']:8.2f} {row['extra_mb']:7.1f}"
    print(start, *(f"{c:>22}" for c in cells), flush=True)


PEERS = ("torch", "as_strided", "student")


def main():
    parser = argparse.ArgumentParser(description="Time the fast convolution against torch and as_strided im2col.")
    parser.add_argument("--quick", action="store_true", help="1 turn instead of 11, of the eight and the pools")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only this thread count (default: 1, then 2)")
    parser.add_argument("--shapes", type=shape_names, default="eight,pools,more", help="groups or names, comma between")
    parser.add_argument("--json", type=Path, help="write rows, geometric means and the machine to this file")
    parser.add_argument("--student", metavar="FILE:NAME", help="time this forward and its backward, too")
    parser.add_argument("--turns", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.turns:
        return child(args)
    turns, before = 1 if args.quick else 11, machine()
    if args.quick:
        args.shapes = [name for name in args.shapes if name not in GROUPS["more"]] or args.shapes
    print(f"time of forward + backward / time of the peer, median [middle half] of n = {turns} interleaved turns")
    print(
        "threads dtype    shape              ms extraMB",
        *(f"{'/ ' + p:>22}" for p in PEERS if p != "student" or args.student),
    )
    rows = []
    for threads in [args.threads] if args.threads else [1, 2]:
        limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
        # By default OpenBLAS's threads wait 2^28 cycles for more work, 0.1 s on a core that the next peer needs.
        limits["OPENBLAS_THREAD_TIMEOUT"] = "20"
        command = [sys.executable, __file__, "--threads", str(threads), "--turns", str(turns)]
        command += ["--shapes", ",".join(args.shapes)]
        command += ["--student", args.student] if args.student else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | limits) as process:
            for line in process.stdout:
                rows.append(json.loads(line))
                print_row(rows[-1])
        if process.returncode:
            raise SystemExit(process.returncode)
    summary = geometric_means(rows)
    if args.json:
        result = {"machine": before, "turns": turns, "geometric_means": summary, "rows": rows}
        partial = args.json.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.replace(args.json)
    parts = []
    for line in summary:
        peers = ", ".join(f"/ {p} {line[p]:.2f}" for p in PEERS if p in line)
        worst = f"worst {line['worst']} {line['worst_torch']:.2f}"
        parts.append(f"{line['group']}, {line['threads']} thread {line['dtype']}: {peers}, {worst}")
    print("geometric means:", *parts, sep="\n  ")


if __name__ == "__main__":
    main()
