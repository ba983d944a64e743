"""How long `import cs231n_lib` takes, in fresh processes, beside `import numpy` and an empty process in the same run.

Usage: python benchmarks/imports.py [--quick] [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = {
    "nothing": "pass",
    "numpy": "import numpy",
    "cs231n_lib": "import cs231n_lib",
    "cs231n_lib.data": "import cs231n_lib.data",
    "cs231n_lib.check": "import cs231n_lib.check",
}


def seconds(code: str) -> float:
    """Return the wall time of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[1])
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 20")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    rounds = 5 if options.quick else 20
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds):  # interleaved, so that a busy moment hits all alike
        for name, code in CASES.items():
            times[name].append(seconds(code))
    base = statistics.median(times["nothing"])
    peer = statistics.median(times["numpy"]) - base
    rows = {}
    for name, values in times.items():
        own = statistics.median(values) - base
        rows[name] = {"seconds": own, "of_numpy": own / peer, "spread": max(values) - min(values), "n": rounds}
        print(f"{name:18} {own:7.3f} s over an empty process   {own / peer:5.2f} of numpy's   n={rounds}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
