"""From a control's change to the new picture in a real browser: widgets against `interactive()` with pyplot.

    python benchmarks/widgets.py            30 moves of each, in 3 rounds
    python benchmarks/widgets.py --quick    8 moves of each, in 2 rounds

One JupyterLab, one headless Chromium, one page with all panels. A move is an arrow key on a slider's handle; the clock
is the page's own, from the key to the first frame after the picture's markup has changed (for the peer: after its image
has loaded). Rounds go through all panels in turn, so a busy machine slows all alike. The peer draws less than the k-NN
explorer does at each K: the map from the same numbers, as one would first write it.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser import lab

PEER = """
import numpy as np, matplotlib.pyplot as plt, ipywidgets
from cs231n_lib.widgets.knn_plane import Plane, compute
def draw(k):
    r = compute(Plane(k=k), {})
    plt.figure(figsize=(5, 4.5))
    plt.imshow(r.regions, extent=(-1.5, 1.5, -1.5, 1.5), alpha=0.4, cmap="viridis")
    plt.scatter(*r.points.T, c=r.labels, edgecolors="k")
    plt.title(f"{k}-NN")
    plt.show()
peer = ipywidgets.interactive(draw, k=(1, 15))
peer.add_class("w-peer")
peer.children[0].add_class("c-k")
peer
"""
# name of the panel -> (the slider that is moved, what is drawn)
PANELS = {
    "softmax_calculator": ("softness", "the slide's columns"),
    "conv_explorer": ("kernel", "window, grids and sums"),
    "knn_explorer": ("k", "map, points, curves"),
    "peer": ("k", "the k-NN map alone, interactive() + pyplot"),
}
WATCH = """([panel, picture]) => {
  const look = () => [...document.querySelectorAll(`.w-${panel} ${picture}`)]
    .map((e) => e.tagName === "IMG" ? (e.complete && e.naturalWidth ? e.src : "") : e.outerHTML).join("");
  const before = look();
  window.arrived = new Promise((resolve) => {
    document.addEventListener("keydown", () => {
      const start = performance.now();
      const check = () => {
        const now = look();
        if (now && now !== before) requestAnimationFrame(() => resolve(performance.now() - start));
        else if (performance.now() - start > 20000) resolve(-1);
        else requestAnimationFrame(check);
      };
      requestAnimationFrame(check);
    }, { once: true, capture: true });
  });
}"""


def measure(page, panel: str, moves: int) -> list[float]:
    """Return milliseconds from key to picture for each move: to and fro about the middle of the slider."""
    picture = "img" if panel == "peer" else ".cs231n-picture svg"
    handle = page.locator(f".w-{panel} .c-{PANELS[panel][0]} .noUi-handle").first
    handle.scroll_into_view_if_needed()
    handle.focus()
    spent = []
    for move in range(moves):
        page.evaluate(WATCH, [panel, picture])
        page.keyboard.press("ArrowRight" if move % 2 == 0 else "ArrowLeft")
        spent.append(page.evaluate("() => window.arrived"))
        if spent[-1] < 0:
            raise RuntimeError(f"{panel}: no new picture within 20 s of move {move}")
    return spent


def main() -> None:
    """Measure and print a table of medians, spreads and ratios, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    args = parser.parse_args()
    if lab.missing():
        print(f"widgets: not measured, {lab.missing()}")
        return
    rounds, moves = (2, 4) if args.quick else (3, 10)
    mine = [f"w_{name} = widgets.{name}()\nw_{name}" for name in PANELS if name != "peer"]
    spent: dict[str, list[float]] = {name: [] for name in PANELS}
    with tempfile.TemporaryDirectory() as folder:
        cells = lab.notebook("%matplotlib inline\nfrom cs231n_lib import widgets", *mine, PEER)
        (Path(folder) / "bench.ipynb").write_text(json.dumps(cells))
        with lab.server(Path(folder)) as url, lab.browser() as chromium:
            page = lab.open_and_run(chromium, url.format(path="bench.ipynb"))
            page.wait_for_selector(".w-peer img")
            for name in PANELS:
                measure(page, name, 2)  # warm-up
            for _ in range(rounds):
                for name, times in spent.items():
                    times += measure(page, name, moves)
    report(spent, args.out)


def report(spent: dict[str, list[float]], out: Path | None) -> None:
    """Print the table and write the JSON."""
    peer = statistics.median(spent["peer"])
    rows = {}
    print(f"{'panel':20} {'median ms':>10} {'fastest':>8} {'slowest':>8} {'n':>4} {'peer / this':>12}  what is drawn")
    for name, times in spent.items():
        middle = statistics.median(times)
        rows[name] = {
            "median_ms": middle,
            "min_ms": min(times),
            "max_ms": max(times),
            "n": len(times),
            "ratio": peer / middle,
        }
        numbers = f"{middle:10.0f} {min(times):8.0f} {max(times):8.0f} {len(times):4} {peer / middle:11.1f}x"
        print(f"{name:20} {numbers}  {PANELS[name][1]}")
    text = json.dumps({"benchmark": "widgets", "panels": rows})
    print(text)
    if out is not None:
        part = out.with_suffix(".part")
        part.write_text(text + "\n")
        part.replace(out)


if __name__ == "__main__":
    main()
