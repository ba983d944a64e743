"""Time conv_forward_fast + conv_backward_fast as ratios to torch and to a plain as_strided im2col, in one run.

    python benchmarks/kernels.py [--quick] [--threads 1|2] [--json FILE] [--student my_conv.py:conv_forward]

Every thread count runs in its own process, because BLAS reads its limit when NumPy is imported. Peers take turns, so
that a busy moment of the machine hits all of them. A ratio is the median over the repeats of the ratio of two
neighbours in time; beside it, the range that holds the middle half of them. --student times your own pair beside ours:
the same signature as conv_forward_fast, and a backward named with `forward` replaced by `backward`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# name: x shape, filters, kernel, options. k5s2 is 63 wide, not 64: 64 does not tile, and both give 32 x 32 outputs.
SHAPES = {
    "fast3x3s2": ((100, 3, 31, 31), 25, 3, {"stride": 2, "pad": 1}),
    "cifar7x7": ((100, 3, 32, 32), 32, 7, {"pad": 3}),
    "c32f64k3": ((64, 32, 32, 32), 64, 3, {"pad": 1}),
    "c64f128k3": ((64, 64, 16, 16), 128, 3, {"pad": 1}),
    "c128k1": ((128, 128, 8, 8), 128, 1, {}),
    "k5s2": ((32, 3, 63, 63), 16, 5, {"stride": 2, "pad": 2}),
    "depthwise": ((64, 32, 32, 32), 32, 3, {"pad": 1, "groups": 32}),
    "dilated2": ((64, 32, 32, 32), 64, 3, {"pad": 2, "dilation": 2}),
}
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}  # of the largest entry, against torch in float64


def both(pair, arrays, options):
    """Run forward and backward; return out, dx, dw, db."""
    x, w, b, dout = arrays
    out, cache = pair[0](x, w, b, **options)
    return out, *pair[1](dout, cache)


def torch_pair():
    import torch

    def forward(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
        inputs = [torch.from_numpy(a).requires_grad_() for a in (x, w, b)]
        out = torch.nn.functional.conv2d(*inputs, stride, pad, dilation, groups)
        return out.detach().numpy(), (out, inputs)

    def backward(dout, cache):
        return [g.numpy() for g in torch.autograd.grad(*cache, torch.from_numpy(dout))]

    return forward, backward


def student_pair(where):
    """Load the functions that `my_conv.py:conv_forward` names."""
    path, _, name = where.partition(":")
    if not Path(path).is_file() or "forward" not in name:
        raise SystemExit(f"kernels: --student must be FILE.py:NAME with `forward` in NAME, got {where}")
    spec = importlib.util.spec_from_file_location("student", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    missing = [n for n in (name, name.replace("forward", "backward")) if not hasattr(module, n)]
    if missing:
        raise SystemExit(f"kernels: {path} must define {' and '.join(missing)}")
    return getattr(module, name), getattr(module, name.replace("forward", "backward"))


def extra_memory(pair, arrays, options):
    """Return the peak of NumPy's memory in MB beyond the arrays that forward and backward return."""
    tracemalloc.start()
    results = both(pair, arrays, options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - sum(a.nbytes for a in results)) / 2**20


def measure(name, dtype, repeats, peers):
    """Return one row: correctness first, then interleaved repeats."""
    import numpy as np

    x_shape, filters, kernel, options = SHAPES[name]
    rng = np.random.default_rng(0)
    w_shape = (filters, x_shape[1] // options.get("groups", 1), kernel, kernel)
    x, w, b = (rng.normal(size=s).astype(dtype) for s in (x_shape, w_shape, w_shape[:1]))
    dout = rng.normal(size=peers["ours"][0](x, w, b, **options)[0].shape).astype(dtype)
    arrays = (x, w, b, dout)
    want = both(peers["torch"], [a.astype(np.float64) for a in arrays], options)
    times = {peer: [] for peer in peers}
    for peer, pair in peers.items():
        for got, expected in zip(both(pair, arrays, options), want, strict=True):  # this is the warm-up, too
            error = float(np.abs(got - expected).max() / np.abs(expected).max())
            if not (got.shape == expected.shape and error <= TOLERANCE[dtype]):
                raise SystemExit(f"kernels: {peer} is wrong on {name} in {dtype}: relative error {error:.1e}")
    for _ in range(repeats):
        for peer, pair in peers.items():
            start = time.perf_counter()
            both(pair, arrays, options)
            times[peer].append(time.perf_counter() - start)
    row = {"shape": name, "dtype": dtype, "ms": float(np.median(times["ours"])) * 1e3}
    for peer in times:
        if peer != "ours":
            low, middle, high = np.percentile(np.divide(times["ours"], times[peer]), [25, 50, 75])
            row[peer] = {"ratio": float(middle), "low": float(low), "high": float(high)}
    return row | {"extra_mb": extra_memory(peers["ours"], arrays, options)}


def child(args):
    """Measure at this process's thread count and print the rows as JSON."""
    import torch

    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    import as_strided_conv

    from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast

    torch.set_num_threads(args.threads)
    peers = {"ours": (conv_forward_fast, conv_backward_fast), "torch": torch_pair()}
    peers["as_strided"] = (as_strided_conv.conv_forward, as_strided_conv.conv_backward)
    if args.student:
        peers["student"] = student_pair(args.student)
    for dtype in TOLERANCE:
        for name in SHAPES:
            print(json.dumps(measure(name, dtype, args.repeats, peers) | {"threads": args.threads}), flush=True)


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
    """Return one line per (threads, dtype): geometric means over the shapes, worst shape, most memory."""
    import numpy as np

    summary = []
    for threads, dtype in sorted({(r["threads"], r["dtype"]) for r in rows}):
        group = [r for r in rows if (r["threads"], r["dtype"]) == (threads, dtype)]
        line = {"threads": threads, "dtype": dtype, "shapes": len(group)}
        for peer in ("torch", "as_strided", "student"):
            if peer in group[0]:
                line[peer] = float(np.exp(np.mean([np.log(r[peer]["ratio"]) for r in group])))
        worst = max(group, key=lambda r: r["torch"]["ratio"])
        line |= {"worst": worst["shape"], "worst_torch": worst["torch"]["ratio"]}
        summary.append(line | {"extra_mb": max(r["extra_mb"] for r in group)})
    return summary


def print_row(row):
    cells = [f"{row[p]['ratio']:6.2f} [{row[p]['low']:.2f}, {row[p]['high']:.2f}]" for p in PEERS if p in row]
    start = f"{row['threads']:>7} {row['dtype']:8} {row['shape']:10} {row['ms']:8.2f} {row['extra_mb']:7.1f}"
    print(start, *(f"{c:>22}" for c in cells), flush=True)


PEERS = ("torch", "as_strided", "student")


def main():
    parser = argparse.ArgumentParser(description="Time the fast convolution against torch and as_strided im2col.")
    parser.add_argument("--quick", action="store_true", help="3 repeats instead of 11")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only this thread count (default: 1, then 2)")
    parser.add_argument("--json", type=Path, help="write rows, geometric means and the machine to this file")
    parser.add_argument("--student", metavar="FILE.py:NAME", help="time this forward and its backward, too")
    parser.add_argument("--repeats", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.repeats:
        return child(args)
    repeats, before = 3 if args.quick else 11, machine()
    print(f"time of forward + backward / time of the peer, median [middle half] of n = {repeats} interleaved repeats")
    print(
        "threads dtype    shape            ms extraMB",
        *(f"{'/ ' + p:>22}" for p in PEERS if p != "student" or args.student),
    )
    rows = []
    for threads in [args.threads] if args.threads else [1, 2]:
        limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
        command = [sys.executable, __file__, "--threads", str(threads), "--repeats", str(repeats)]
        command += ["--student", args.student] if args.student else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | limits) as process:
            for line in process.stdout:
                rows.append(json.loads(line))
                print_row(rows[-1])
        if process.returncode:
            raise SystemExit(process.returncode)
    summary = geometric_means(rows)
    if args.json:
        result = {"machine": before, "repeats": repeats, "geometric_means": summary, "rows": rows}
        partial = args.json.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.replace(args.json)
    parts = []
    for line in summary:
        peers = ", ".join(f"/ {p} {line[p]:.2f}" for p in PEERS if p in line)
        parts.append(
            f"{line['threads']} thread {line['dtype']}: {peers}, worst {line['worst']} {line['worst_torch']:.2f}"
        )
    print("geometric means:", "; ".join(parts))


if __name__ == "__main__":
    main()
