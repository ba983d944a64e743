"""What is examined in N06: Adam, and how long the steps of three rules are after a thousand equal gradients."""

from typing import Any

import numpy as np

from .n06_rules import SHARED, Array, Config, Slip, averages, one_step, other_shapes, rule_case, two_parameters, walk
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject


def adam_oracle(w: Array, grads: list[Array], rates: list[float], config: Config) -> list[Array]:
    """Return the places after each step of PyTorch's Adam, from the memory in config if there is one."""
    import torch

    def make(leaf: Any) -> Any:
        betas = config.get("beta1", 0.9), config.get("beta2", 0.999)
        optimizer = torch.optim.Adam([leaf], betas=betas, eps=config.get("epsilon", 1e-8))
        if "m" in config:
            m, v = (torch.from_numpy(config[key].copy()) for key in "mv")
            optimizer.state[leaf] = {"step": torch.tensor(float(config["t"])), "exp_avg": m, "exp_avg_sq": v}
        return optimizer

    return walk(make, w, grads, rates)


def _adam_slips(grads: list[Array], rates: list[float], config: Config, n: int) -> list[Slip]:
    b1, b2, eps = config["beta1"], config["beta2"], config["epsilon"]  # epsilon is judged in a stage of its own
    squares, t = [grad**2 for grad in grads], n + 1

    def step(m: Array, v: Array, *, at1: float = t, at2: float = t) -> Array:
        """Step with the corrections of step at1 and at2; infinity leaves one out."""
        m, v = m / (1 - b1**at1), v / (1 - b2**at2)
        return -rates[n] * m / (np.sqrt(v) + eps)

    m, v, never = averages(grads, b1), averages(squares, b2), float("inf")
    stored_m, stored_v = _stored(grads, b1), _stored(squares, b2)
    crossed = step(m, v, at1=t * np.log(b2) / np.log(b1), at2=t * np.log(b1) / np.log(b2))
    early = "t is 1 in a parameter's first step: count it up once per call, in config and not in a global."
    found = [
        ("no-correction", step(m, v, at1=never, at2=never), "The bias correction is missing."),
        ("m-uncorrected", step(m, v, at1=never), "m needs its bias correction too: m / (1 - beta1**t)."),
        ("v-uncorrected", step(m, v, at2=never), "v needs its bias correction too: v / (1 - beta2**t)."),
        ("betas-swapped", _crossed(grads, squares, rates[n], b1, b2, eps), "beta1 belongs to m and beta2 to v."),
        ("correction-swapped", crossed, "m is divided by 1 - beta1**t, and v by 1 - beta2**t."),
        ("t-too-early", step(m, v, at1=t + 1, at2=t + 1), early),
        ("decay-swapped", step(averages(grads, 1 - b1), averages(squares, 1 - b2)), "beta multiplies the old average."),
    ]
    if n:
        late = (
            "What was corrected went back into config: m and v there stay as they are, the corrected are for the step."
        )
        found += [
            ("correction-stored", step(stored_m, stored_v), late),
            ("correction-stored", step(stored_m, v), late),
            ("correction-stored", step(m, stored_v), late),
            ("t-too-late", step(m, v, at1=t - 1, at2=t - 1), "Count t up before you use it, not after."),
            ("t-not-kept", step(m, v, at1=1, at2=1), "t is 1 again: put it into config and return it."),
            ("memory-not-kept", step((1 - b1) * grads[n], (1 - b2) * squares[n]), "Put m and v into config."),
            ("memory-not-kept", step((1 - b1) * grads[n], (1 - b2) * squares[n], at1=1, at2=1), "Return the config."),
        ]
    return found


def _crossed(grads: list[Array], squares: list[Array], rate: float, b1: float, b2: float, eps: float) -> Array:
    """Return the step with the two betas exchanged throughout."""
    t = len(grads)
    m, v = averages(grads, b2) / (1 - b2**t), averages(squares, b1) / (1 - b1**t)
    return -rate * m / (np.sqrt(v) + eps)


def _stored(values: list[Array], decay: float) -> Array:
    """Return the average of a rule that keeps what it corrected, before the last correction."""
    kept = 0.0 * values[0]
    for t, value in enumerate(values, start=1):
        fresh = kept + (1 - decay) * (value - kept)
        kept = fresh / (1 - decay**t)
    return fresh


@exercise("deep-adam", points=5, title="Adam")
def examine_adam(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    config = {"beta1": float(rng.uniform(0.6, 0.7)), "beta2": float(rng.uniform(0.8, 0.9)), "epsilon": 1e-12}
    with report.stage("first step"):
        w, dw = rng.normal(size=(4, 3)), rng.normal(0.3, 1.0, size=(4, 3))
        next_w, _, _ = one_step(subject, w, dw, config | {"learning_rate": 0.1}, report)
        if not np.isfinite(next_w).all():
            report.fail(
                "after the first step there is a nan or an infinity in next_w",
                hint="1 - beta**t is 0 for t = 0: count t up before you use it.",
                symptom="t-too-late",
            )
    rule_case(subject, report, rng, adam_oracle, _adam_slips, config, name="four steps")
    with report.stage("epsilon"):
        _examine_epsilon(subject, rng, config | {"epsilon": 0.05}, report)
    with report.stage("a memory that is given"):
        w, dw, m, v = rng.normal(size=(4, 3, 5))
        given = config | {"m": m, "v": v**2, "t": 6, "learning_rate": 0.2}
        next_w, after, _ = one_step(subject, w, dw, given, report)
        hint = "Start from m, v and t of config if they are there."
        report.close(next_w, adam_oracle(w, [dw], [0.2], given)[0], name="next_w", hint=hint)
        report.require(
            bool(np.array_equal(np.asarray(after.get("t")), 7)),
            f"config['t'] was 6 and must be 7 now, got {after.get('t')!r:.40}",
            hint="t counts the steps of this parameter: config['t'] = t + 1.",
            symptom="t-not-kept",
        )
        for key, new, old, beta in (("m", dw, m, config["beta1"]), ("v", dw**2, v**2, config["beta2"])):
            kept = report.array(after.get(key), w.shape, name=f"config[{key!r}]")
            hint = "Keep the averages as they are; the corrected ones are for this step only."
            report.close(kept, old + (1 - beta) * (new - old), name=f"config[{key!r}]", hint=hint)
    hint = "t counts the steps of one parameter. With a counter for all, a net of six parameters counts six times."
    two_parameters(subject, report, rng, adam_oracle, config, "shared-memory", f"{SHARED} {hint}")
    other_shapes(subject, report, rng, adam_oracle)


def _examine_epsilon(subject: Subject, rng: np.random.Generator, config: Config, report: Report) -> None:
    """Judge where a large epsilon stands. The paper's own shortcut puts it before the correction of v: right too."""
    w, dw = rng.normal(size=(3, 4)), rng.normal(0.3, 1.0, size=(3, 4))
    got, _, _ = one_step(subject, w, dw, config | {"learning_rate": 0.1}, report)
    eps, b2 = config["epsilon"], config["beta2"]
    if looks_like(w - 0.1 * dw / (np.abs(dw) + eps / np.sqrt(1 - b2)))(got):
        return
    symptoms = [
        Symptom("eps-inside", looks_like(w - 0.1 * dw / np.sqrt(dw**2 + eps)), "epsilon stands outside the root."),
        Symptom("eps-missing", looks_like(w - 0.1 * np.sign(dw)), "config['epsilon'] is missing in the divisor."),
    ]
    report.close(got, adam_oracle(w, [dw], [0.1], config)[0], name="next_w", symptoms=symptoms)
