"""From a control's change to the new picture in a real browser: every widget against `interactive()` with pyplot.

    python benchmarks/widgets.py            each widget's heaviest control, 30 moves in 3 rounds
    python benchmarks/widgets.py --quick    8 moves in 2 rounds
    python benchmarks/widgets.py --every    besides, every control 3 times
    python benchmarks/widgets.py --only knn_explorer optimizer_race

The heaviest control is the one that costs Python most; "Python" in the table is its CPU time there, the part that a
busy machine does not stretch. The rest is the road: event, kernel, server, markup, frame.

One JupyterLab, one headless Chromium, one page with all panels. The clock is the page's own, from the event (key, click
or chosen option) to the first frame after the picture's markup has changed; for the peer, after its image has loaded.
Before each move the widget is set back and the control put somewhere at random, so that no memo of a value that was
just seen answers. Rounds go through all widgets in turn, so a busy machine slows all alike. The peer draws less than
the k-NN explorer does at each K: the map from the same numbers, as one would first write it.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cs231n_lib.widgets.base import REGISTRY, Button, Slider, Static
from cs231n_lib.widgets.base.controls import Control
from tests.browser import lab, moves

LIMIT = 100  # milliseconds
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
w_peer = ipywidgets.interactive(draw, k=(1, 15))
w_peer.add_class("w-peer")
w_peer.children[0].add_class("c-k")
w_peer
"""
RUNS = "Step button"  # the panel's own, of widgets that can run
STEP = Button("step", "Step")
LOOK = """(panel) => {
  window.panel = document.querySelector(`.w-${panel}`);
  window.look = () => [...window.panel.querySelectorAll(".cs231n-picture svg, img")]
    .map((e) => e.tagName === "IMG" ? (e.complete && e.naturalWidth ? e.src : "") : e.outerHTML).join("");
}"""
SETTLED = """() => new Promise((resolve) => {
  let last = window.look(), same = 0;
  const check = () => {
    const now = window.look();
    same = now && now === last ? same + 1 : 0;
    last = now;
    if (same === 3) resolve(); else requestAnimationFrame(check);
  };
  requestAnimationFrame(check);
})"""
WATCH = """() => {
  const before = window.look();
  let start = 0;
  const begin = () => { start ||= performance.now(); };
  for (const kind of ["keydown", "click", "change"])
    document.addEventListener(kind, begin, { once: true, capture: true });
  window.arrived = new Promise((resolve) => {
    const check = () => {
      const now = window.look();
      if (!start || !now || now === before) return;
      observer.disconnect();
      window.panel.removeEventListener("load", check, true);
      requestAnimationFrame(() => resolve(performance.now() - start));
    };
    const observer = new MutationObserver(check);
    observer.observe(window.panel, { childList: true, subtree: true });
    window.panel.addEventListener("load", check, true);
    setTimeout(() => resolve(-1), 20000);
  });
}"""


def anywhere(control: Control, rng: random.Random):
    """Return a random value of the control, but not a slider's last, from which its handle has no step left."""
    if not isinstance(control, Slider):
        return rng.choice(control.samples())
    value = control.low + rng.randrange(round((control.high - control.low) / control.step)) * control.step
    return value if control.whole else round(value, 10)


def telling(name: str, control: Control, rng: random.Random):
    """Return a random value of the control from which its next step changes the picture."""
    while True:
        value = anywhere(control, rng)
        if name == "peer" or _picture(name, control, value) != _picture(name, control, control.other(value)):
            return value


def _picture(name: str, control, value) -> str:
    return Static(REGISTRY[name].model, {**control.setting, control.field: value}, {}).picture


def measure(page, name: str, control, rng: random.Random) -> float:
    """Return the milliseconds from event to picture for one move from a random value."""
    page.evaluate(LOOK, name)
    value = None if isinstance(control, Button) else telling(name, control, rng)
    if name == "peer":
        lab.execute(page, f"w_peer.children[0].value = {value}")
    else:
        settings = {**control.setting, **({} if value is None else {control.field: value})}
        lines = [f"w_{name}.reset()", *(f"w_{name}.set({field!r}, {to!r})" for field, to in settings.items())]
        if isinstance(control, Button) and control.after:
            lines.append(f"w_{name}.press({control.after!r})")
        lab.execute(page, "\n".join(lines))
    page.evaluate(SETTLED)
    page.evaluate(WATCH)
    moves.move(page, name, control, value)
    spent = page.evaluate("() => window.arrived")
    if spent < 0:
        raise RuntimeError(f"{name}: no new picture within 20 s of moving {control.field}")
    return spent


def parts(name: str) -> dict[str, Control]:
    """Return the widget's controls by field, and the panel's own Step button."""
    model = REGISTRY[name].model
    return {control.field: control for control in model.controls} | ({RUNS: STEP} if model.advance else {})


def python_cost(name: str, field: str, rng: random.Random, *, times: int = 3) -> float:
    """Return the median CPU milliseconds of a move in Python: compute, describe and render."""
    control, spent = parts(name)[field], []
    for _ in range(times):
        value = None if isinstance(control, Button) else anywhere(control, rng)
        widget = Static(REGISTRY[name].model, control.setting | ({} if value is None else {field: value}), {})
        if isinstance(control, Button) and control.after:
            widget.press(control.after)
        start = time.process_time()
        if control is STEP:
            widget.step()
        elif value is None:
            widget.press(field)
        else:
            widget.set(field, control.other(value))
        spent.append(1e3 * (time.process_time() - start))
    return statistics.median(spent)


def with_page(names: list[str], work: Callable) -> None:
    """Call `work(page)` with a page that shows the widgets and the peer."""
    with tempfile.TemporaryDirectory() as folder:
        mine = [f"w_{name} = widgets.{name}()\nw_{name}" for name in names]
        cells = lab.notebook("%matplotlib inline\nfrom cs231n_lib import widgets", *mine, PEER)
        (Path(folder) / "bench.ipynb").write_text(json.dumps(cells))
        with lab.server(Path(folder)) as url, lab.browser() as chromium:
            page = lab.open_and_run(chromium, url.format(path="bench.ipynb"))
            page.wait_for_selector(".w-peer img")
            work(page)


def main() -> None:
    """Measure and print a table of medians, spreads and ratios, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer moves")
    parser.add_argument("--every", action="store_true", help="measure all controls, too: some minutes")
    parser.add_argument("--only", nargs="+", choices=sorted(REGISTRY), default=sorted(REGISTRY), metavar="WIDGET")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args()
    if lab.missing():
        print(f"widgets: not measured, {lab.missing()}")
        return
    rounds, each = (2, 4) if args.quick else (3, 10)
    rng = random.Random(231)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # a widget may save beside the notebook
        costs = {name: {field: python_cost(name, field, rng) for field in parts(name)} for name in args.only}
    chosen = {name: max(costs[name], key=costs[name].__getitem__) for name in args.only}
    controls = {name: parts(name)[field] for name, field in chosen.items()} | {"peer": Slider("k", "K", 1, 15)}
    spent: dict[str, list[float]] = {name: [] for name in controls}
    every: dict[str, float] = {}

    def work(page) -> None:
        for _ in range(rounds):
            for name, control in controls.items():
                spent[name] += [measure(page, name, control, rng) for _ in range(each)]
        for name in args.only if args.every else ():
            for field, control in parts(name).items():
                every[f"{name} {field}"] = statistics.median(measure(page, name, control, rng) for _ in range(3))

    before = os.getloadavg()[0]
    with_page(args.only, work)
    print(f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores")
    rows = table(chosen, {name: costs[name][field] for name, field in chosen.items()}, spent)
    if every:
        late = sorted(((ms, where) for where, ms in every.items() if ms > LIMIT), reverse=True)
        told = "".join(f"; {where} {ms:.0f}" for ms, where in late)
        middle = statistics.median(every.values())
        print(f"{len(every)} controls, median {middle:.0f} ms, {len(late)} over {LIMIT} ms{told}")
    text = json.dumps({"benchmark": "widgets", "panels": rows, "controls": every, "python_ms": costs})
    print(text)
    if args.json is not None:
        part = args.json.with_suffix(".part")
        part.write_text(text + "\n")
        part.replace(args.json)


def table(chosen: dict[str, str], costs: dict[str, float], spent: dict[str, list[float]]) -> dict[str, dict]:
    """Print the table and return its rows by widget."""
    peer = statistics.median(spent["peer"])
    rows = {}
    head = f"{'median ms':>9} {'min':>5} {'max':>5} {'n':>3} {'Python ms':>9} {'peer / this':>11}"
    print(f"{'widget':25} {'heaviest control':16} {head}")
    for name, times in spent.items():
        middle, field, cost = statistics.median(times), chosen.get(name, "k"), costs.get(name)
        rows[name] = {"control": field, "median_ms": middle, "min_ms": min(times), "max_ms": max(times)}
        rows[name] |= {"n": len(times), "python_ms": cost, "ratio": peer / middle}
        numbers = f"{middle:9.0f} {min(times):5.0f} {max(times):5.0f} {len(times):3}"
        told = "" if cost is None else f"{cost:.1f}"
        print(f"{name:25} {field:16} {numbers} {told:>9} {peer / middle:10.1f}x")
    print("peer: the k-NN map alone, interactive() + pyplot")
    return rows


if __name__ == "__main__":
    main()
