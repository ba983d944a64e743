"""What is examined in N06: the weights that a deep net starts from."""

import itertools
from typing import Any

import numpy as np

from .n06_oracle import names
from .report import Report
from .spec import exercise
from .subject import Subject


@exercise("deep-init_params", points=4, title="initial parameters")
def examine_init_params(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    dims = [int(n) for n in rng.permutation([310, 170, 90, 40])]
    init_case(subject, rng, report, dims)
    init_case(subject, rng, report, [int(rng.integers(500, 700)), int(rng.integers(20, 40))], name="one layer")


def init_case(
    subject: Subject, rng: np.random.Generator, report: Report, dims: list[int], *, name: str = "net"
) -> None:
    """Judge the initial parameters of layers of these sizes. name : of the stages"""
    seed, scale = int(rng.integers(1, 10**6)), float(rng.uniform(0.01, 0.05))
    with report.stage(f"{name}: names and shapes"):
        call = subject.call(dims, weight_scale=scale, seed=seed)
        fixed = params_of(call.value, dims, report)
        fixed = {key: array.astype(np.float64) for key, array in fixed.items()}
    with report.stage(f"{name}: dtype"):
        for dtype in ("float32", "float64"):
            made = params_of(subject(dims, weight_scale=scale, seed=seed, dtype=dtype), dims, report)
            wrong = [key for key, array in made.items() if array.dtype != np.dtype(dtype)]
            report.require(
                not wrong,
                f"with dtype={dtype!r}, params[{(wrong or [''])[0]!r}] has dtype {made[(wrong or ['W1'])[0]].dtype}",
                hint="default_rng draws float64: end in .astype(dtype), for weights and biases alike.",
                symptom="dtype",
            )
        plain = params_of(subject(dims, seed=seed), dims, report)
        single = all(array.dtype == np.float32 for array in plain.values())
        report.require(single, "the default is dtype='float32'", hint="See the head of the function.", symptom="dtype")
    with report.stage(f"{name}: dims untouched"):
        report.untouched(call, ["dims"])
    with report.stage(f"{name}: biases"):
        for key in fixed:
            if key.startswith("b"):
                zero = not fixed[key].any()
                report.require(
                    zero, f"params[{key!r}] must start at 0", hint="Only weights are drawn.", symptom="bias-drawn"
                )
    with report.stage(f"{name}: a scale that is given"):
        for layer in range(1, len(dims)):
            _spread(fixed[f"W{layer}"], scale, f"W{layer}", "a normal distribution times weight_scale", report, {})
    with report.stage(f"{name}: the scale of each layer"):
        _examine_kaiming(subject, dims, seed, report)
    with report.stage(f"{name}: draws"):
        _examine_draws(subject, dims, seed, scale, fixed, report)
    with report.stage(f"{name}: weight_scale 0"):
        none = params_of(subject(dims, weight_scale=0.0, seed=seed), dims, report)
        report.require(
            not any(array.any() for array in none.values()),
            "weight_scale=0.0 must give weights of 0, got others",
            hint="0.0 counts as false: ask `if weight_scale is None`, not `if not weight_scale` or `weight_scale or`.",
            symptom="zero-as-none",
        )


def params_of(value: Any, dims: list[int], report: Report) -> dict[str, np.ndarray]:
    """Require a dict W1, b1, ... of float arrays that fit layers of these sizes."""
    wanted = names(len(dims) - 1)
    report.require(value is not None, "the result is None", hint="Does it end in `return`?", symptom="no-return")
    report.require(
        isinstance(value, dict) and set(value) == set(wanted),
        f"params must be a dict with the keys {', '.join(wanted)}, "
        f"got {sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__}",
        hint=f"{len(dims)} sizes are {len(dims) - 1} layers, counted from 1: one for each pair of neighbours in dims.",
        symptom="keys",
    )
    for layer, shape in enumerate(itertools.pairwise(dims), start=1):
        report.array(value[f"W{layer}"], shape, name=f'params["W{layer}"]')
        report.array(value[f"b{layer}"], shape[1:], name=f'params["b{layer}"]')
    return dict(value)


def _spread(
    weights: np.ndarray, want: float, key: str, law: str, report: Report, known: dict[str, tuple[float, str]]
) -> None:
    """Require standard deviation `want` and mean 0. known : {symptom: (another deviation, hint)}"""
    report.require(
        bool(np.ptp(weights) > 0),
        f"all entries of params[{key!r}] are {weights.flat[0]:g}",
        hint="With equal weights all units compute the same and get the same gradient: draw them at random.",
        symptom="equal-weights",
    )
    # n normal numbers know their spread to 1 / sqrt(2n); the smallest matrix here has 3,600: 1.2 %.
    found = float(weights.std())
    message = f"params[{key!r}] must have standard deviation {want:.4g}, got {found:.4g}"
    if abs(found / want - 1) > 0.08:
        for symptom, (deviation, hint) in known.items():
            if abs(found / deviation - 1) < 0.08:
                report.fail(message, hint=hint, symptom=symptom)
        report.fail(message, hint=f"Draw from {law}.", symptom="weight-scale")
    report.require(
        abs(float(weights.mean())) < 0.15 * want,
        f"the mean of params[{key!r}] must be near 0, got {weights.mean():.3g}",
        hint=f"Draw from {law}, which has mean 0.",
        symptom="weight-mean",
    )
    # Of a normal distribution 4.6 % lie beyond two deviations, of a uniform one none.
    report.require(
        float(np.mean(np.abs(weights) > 2 * want)) > 0.02,
        f"params[{key!r}] has the right spread, but hardly an entry beyond two standard deviations",
        hint="The course draws from a normal distribution: rng.normal, not rng.uniform.",
        symptom="not-normal",
    )


def _examine_kaiming(subject: Subject, dims: list[int], seed: int, report: Report) -> None:
    params = params_of(subject(dims, seed=seed, dtype="float64"), dims, report)
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
        known = {
            "xavier": (fan_in**-0.5, "sqrt(1 / fan_in) is for layers without ReLU: half of it is cut off, so 2."),
            "fan-out": ((2 / fan_out) ** 0.5, "Count what flows into a unit: the rows of W, not its columns."),
            "variance": (2 / fan_in, "2 / fan_in is the variance: rng.normal takes its root, the deviation."),
            "first-layer": ((2 / dims[0]) ** 0.5, "Every layer has its own fan_in: the size before it."),
            "glorot": ((2 / (fan_in + fan_out)) ** 0.5, "That is Glorot's rule: here 2 / fan_in."),
            "fixed-scale": (1e-2, "Without weight_scale each layer gets its own: sqrt(2 / fan_in)."),
            "fixed": (1e-3, "Without weight_scale each layer gets its own: sqrt(2 / fan_in)."),
        }
        law = "a normal distribution times sqrt(2 / fan_in)"
        _spread(params[f"W{layer}"], (2 / fan_in) ** 0.5, f"W{layer}", law, report, known)


def _examine_draws(
    subject: Subject, dims: list[int], seed: int, scale: float, first: dict[str, np.ndarray], report: Report
) -> None:
    weights = [first[f"W{layer}"].ravel() for layer in range(1, len(dims))]
    for before, after in itertools.pairwise(weights):
        shared = min(before.size, after.size)
        report.require(
            not np.allclose(before[:shared], after[:shared]),
            "two layers hold the same numbers",
            hint="Make one generator from the seed, before the loop: two generators of one seed draw the same.",
            symptom="same-draws",
        )
    again = params_of(subject(dims, weight_scale=scale, seed=seed), dims, report)
    report.require(
        all(np.allclose(again[key], first[key]) for key in first),
        "the same seed must give the same parameters, and it gave others",
        hint="Draw from np.random.default_rng(seed).",
        symptom="seed-ignored",
    )
    other = params_of(subject(dims, weight_scale=scale, seed=seed + 1), dims, report)
    report.require(
        not np.allclose(other["W1"], first["W1"]),
        "another seed must give other parameters, and it gave the same",
        hint="Draw from np.random.default_rng(seed), with the seed that you are given.",
        symptom="seed-fixed",
    )
