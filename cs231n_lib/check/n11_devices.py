"""What is examined in N11: choosing a device, timing one that works on its own, and scores in half precision.

No GPU is needed: devices are told apart by words, and time is that of a make-believe device with a clock of its own.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from .n11_oracle import at, attempt, parameter, sent
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject
from .tensors import Tensor


@exercise("torch-pick_device", points=1, title="the best device there is")
def examine_pick(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    for there, want in (({"cuda"}, "cuda"), (set(), "cpu"), ({"mps"}, "mps"), ({"cuda", "mps"}, "cuda")):
        with report.stage(f"with {' and '.join(sorted(there)) or 'neither'}"):
            pick_case(subject, report, there, want)


def pick_case(subject: Subject, report: Report, there: set[str], want: str) -> None:
    """Judge the choice on a machine that has these devices, and a CPU."""

    def available(name: Any) -> bool:
        if name not in ("cuda", "mps", "cpu"):
            raise ValueError(f"available: name must be cuda or mps, got {name!r:.30}")
        return name in there or name == "cpu"

    found = subject(available)
    if isinstance(found, Subject):
        try:
            found = found.get("type")
        except StudentError:
            found = found.name
    words = " and ".join(sorted(there))
    message = f"with {words or 'no GPU'} the device must be {want}, got {found!r:.40}"
    hint = "In this order: cuda where available('cuda') says so, else mps where available('mps') does, else cpu."
    symptom = "needs-a-gpu" if want == "cpu" else "order"
    report.require(isinstance(found, str) and found.partition(":")[0] == want, message, hint=hint, symptom=symptom)


class MakeBelieve:
    """A GPU and a clock. `step` only puts work into its queue, in a hundredth of the time that the work takes.

    cost : seconds of one step;  slow : how many first steps take `delay` seconds more, as with a compiler at work
    """

    def __init__(self, cost: float, *, slow: int, delay: float) -> None:
        self.cost, self.slow, self.delay = cost, slow, delay
        self.now, self.done_at, self.steps, self.readings = 5.0, 0.0, 0, 0

    def step(self, *_: Any) -> None:
        self.now += 0.01 * self.cost
        extra = self.delay if self.steps < self.slow else 0.0
        self.done_at = max(self.now, self.done_at) + self.cost + extra
        self.steps += 1
        if self.steps > 500:
            raise ValueError("step: more steps than warmup and repeats ask for")

    def synchronize(self) -> None:
        self.now = max(self.now, self.done_at)

    def clock(self) -> float:
        self.readings += 1
        return self.now


@exercise("torch-images_per_second", points=2, title="timing that a GPU cannot fool")
def examine_timing(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    timing_case(subject, rng, report, warmup=3, repeats=10)


def timing_case(subject: Subject, rng: np.random.Generator, report: Report, *, warmup: int, repeats: int) -> None:
    """Time a make-believe device whose true speed is known; steps may be timed one by one or together."""
    batch = int(rng.integers(20, 200))
    gpu = MakeBelieve(float(rng.uniform(0.01, 0.05)), slow=warmup, delay=float(rng.uniform(1, 3)))
    options: dict[str, Any] = {"synchronize": gpu.synchronize, "clock": gpu.clock}
    with report.stage("steps"):
        found = attempt(subject, report, [], gpu.step, batch, **options, warmup=warmup, repeats=repeats).value
        hint = "Read clock(), the one that you are given: it may be another device's."
        report.require(gpu.readings > 0, "the clock was never read", hint=hint, symptom="own-clock")
        message = f"step must be called warmup + repeats = {warmup + repeats} times, got {gpu.steps}"
        hint = "The first `warmup` steps run before the clock is read and are not timed; `repeats` more are."
        report.require(gpu.steps == warmup + repeats, message, hint=hint, symptom="steps")
    with report.stage("speed"):
        number = isinstance(found, float | int | np.number) and not isinstance(found, bool)
        report.require(number, f"the result must be a number, got {type(found).__name__}", symptom="not-a-number")
        rate = batch / gpu.cost
        left, near = gpu.slow * gpu.delay + warmup * gpu.cost, 0.06
        waiting = looks_like(batch * repeats / (left + repeats * gpu.cost), rtol=near)
        known = (
            ("no-sync-end", lambda got: bool(got > 3 * rate), "step() returns before the work is done. Wait for it, "
             "synchronize(), before you read the clock at the end."),
            ("seconds", looks_like(gpu.cost, rtol=near), "Images per second: batch_size * repeats / seconds."),
            ("seconds", looks_like(gpu.cost * repeats, rtol=near), "Images per second, not seconds."),
            ("batches", looks_like(1 / gpu.cost, rtol=near), "A step is batch_size images."),
            ("no-repeats", looks_like(rate / repeats, rtol=near), "The time is that of `repeats` steps."),
            ("no-sync-start", waiting, "The time holds work of the warm-up: start the clock after it, "
             "and synchronize() before the first reading as well."),
        )  # fmt: skip
        symptoms = [Symptom(name, holds, hint) for name, holds, hint in known]
        report.close(np.float64(found), rate, rtol=near, name="images per second", symptoms=symptoms)  # type: ignore[arg-type]


@exercise("torch-autocast_scores", points=1, title="scores in half precision")
def examine_autocast(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    autocast_case(subject, rng, report)


def autocast_case(subject: Subject, rng: np.random.Generator, report: Report, *, hidden: int = 0) -> None:
    """Run a linear model, or two with a ReLU between, whose bfloat16 scores differ from its float32 scores."""
    import torch

    n, d, c = (int(v) for v in rng.permutation([6, 7, 8]))
    sizes = [d, *([hidden] if hidden else []), c]
    weights = [rng.normal(size=(b, a)).astype(np.float32) for a, b in pairwise(sizes)]
    x = rng.normal(size=(n, d)).astype(np.float32)
    model = _linears(subject.torch(), weights)
    half = subject.torch().get("bfloat16")
    with report.stage("scores"):
        slips = [
            (
                "same dtype",
                "casts-by-hand",
                "Leave x and the weights in float32: inside torch.autocast(...) each layer casts for itself.",
            )
        ]
        got = attempt(subject, report, slips, model, sent(x), dtype=half).value
        if isinstance(got, Tensor) and got.dtype == "bfloat16":
            hint = "Inside autocast layers give bfloat16; what follows, such as the loss, wants `.float()`."
            report.fail("scores must have dtype torch.float32, got torch.bfloat16", hint=hint, symptom="half-scores")
        values = report.tensor(got, (n, c), name="scores")
        exact, rounded = torch.from_numpy(x), torch.from_numpy(x).bfloat16()
        for i, w in enumerate(weights):
            exact, rounded = (h.relu() if i else h for h in (exact, rounded))
            exact, rounded = exact @ torch.from_numpy(w).T, rounded @ torch.from_numpy(w).bfloat16().T
        hint = "Run the model inside `with torch.autocast(x.device.type, dtype=dtype):`. A device_type that is not x's "
        hint += "own does nothing."
        full = looks_like(exact.numpy(), rtol=1e-5)
        late = looks_like(exact.bfloat16().float().numpy(), rtol=1e-6)
        symptoms = [
            Symptom("no-autocast", full, hint),
            Symptom("rounds-late", late, "Rounding the result saves no time: the products must run in bfloat16."),
        ]
        # One unit in bfloat16's last place is 2**-8 of a number; sums in another order differ by that much.
        scale = float(np.abs(exact.numpy()).max())
        if full(values) or late(values):
            report.equal(values, rounded.float().numpy(), name="scores", symptoms=symptoms)
        report.close(values, rounded.float().numpy(), rtol=2**-7, atol=2**-8 * scale, name="scores", symptoms=symptoms)
    with report.stage("the model afterwards"):
        kept = at(model, "0.weight").value()
        hint = "Autocast leaves the weights in float32, where small updates are not lost: no model.bfloat16()."
        same = isinstance(kept, Tensor) and kept.dtype == "float32" and np.array_equal(kept.values, weights[0])
        report.require(same, "the model's weights have changed", hint=hint, symptom="weights-cast")


def _linears(torch: Subject, weights: list[np.ndarray]) -> Any:
    nn = torch.attribute("nn")
    parts: list[Any] = []
    for i, w in enumerate(weights):
        layer = nn.attribute("Linear")(w.shape[1], w.shape[0], bias=False)
        layer.set("weight", parameter(torch, w).handle)
        parts += [nn.attribute("ReLU")(), layer] if i else [layer]
    return nn.attribute("Sequential")(*parts)
