"""What is examined in N06: update rules, several steps long, against PyTorch's optimizers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .passes import pair
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, Subject

Array = np.ndarray
Config = dict[str, Any]
Oracle = Callable[[Array, list[Array], list[float], Config], list[Array]]
Slip = tuple[str, Array, str]  # (symptom, the step that such a rule makes, hint)
Slips = Callable[[list[Array], list[float], Config, int], list[Slip]]


def walk(make: Callable[[Any], Any], w: Array, grads: Sequence[Array], rates: Sequence[float]) -> list[Array]:
    """Return where a PyTorch optimizer stands after each step. make : from the parameter to the optimizer"""
    import torch

    leaf = torch.from_numpy(np.array(w, dtype=np.float64)).requires_grad_(True)
    optimizer, places = make(leaf), []
    for grad, rate in zip(grads, rates, strict=True):
        leaf.grad = torch.from_numpy(np.array(grad, dtype=np.float64))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        places.append(leaf.detach().numpy().copy())
    return places


def averages(values: Sequence[Array], decay: float) -> Array:
    """Return the decaying average of a history, written out as one weighted sum: the newest counts 1 - decay."""
    ages = range(len(values) - 1, -1, -1)
    return sum(((1 - decay) * decay**age * value for age, value in zip(ages, values, strict=True)), 0.0 * values[0])


def one_step(subject: Subject, w: Array, dw: Array, config: Config, report: Report) -> tuple[Array, Config, Call]:
    """Call the rule once; require (next_w, config) in the form that FromRule needs, and its arrays left alone."""
    call = subject.call(w, dw, config)
    next_w, after = pair(call.value, "next_w", "config", report)
    next_w = report.array(next_w, w.shape, name="next_w")
    report.require(
        isinstance(after, dict),
        f"the second result must be the config, a dict, got {type(after).__name__}",
        hint="End in `return next_w, config`.",
        symptom="not-config",
    )
    for place, name in ((0, "w"), (1, "dw")):
        if place in call.mutated:
            report.fail(
                f"your function changed its input {name}",
                hint=f"`{name} -= ...` and `{name} *= ...` write into it. Build a new array: {name} = {name} - ...",
                symptom="mutates",
            )
    lost = sorted(set(config) - set(after) - {"learning_rate"})
    report.require(
        not lost,
        f"the returned config has lost {', '.join(lost)}",
        hint="It is what the next call gets: return all of config, with your memory in it.",
        symptom="config-lost",
    )
    return next_w, after, call


def steps(
    subject: Subject, report: Report, w: Array, grads: list[Array], rates: list[float], config: Config
) -> list[Array]:
    """Walk several steps as `FromRule` does: each call gets the config that the one before returned."""
    places, now, memory = [], w, dict(config)
    for grad, rate in zip(grads, rates, strict=True):
        now, memory, _ = one_step(subject, now, grad, memory | {"learning_rate": rate}, report)
        places.append(now)
    return places


def judge_steps(places: list[Array], wants: list[Array], w: Array, slips: list[list[Slip]], report: Report) -> None:
    """Compare place by place. slips : for each step, what known mistakes would do there

    Two mistakes can agree in one step: the one that explains all of the steps is named.
    """
    moved = np.diff([w, *places], axis=0)
    explains = {
        name: all(
            any(looks_like(step)(moved[n]) for other, step, _ in known if other == name)
            for n, known in enumerate(slips)
            if any(other == name for other, _, _ in known)
        )
        for name in {name for known in slips for name, _, _ in known}
    }
    for n, (place, want) in enumerate(zip(places, wants, strict=True)):
        right = want - (wants[n - 1] if n else w)
        stays = f"The parameter did not move in step {n + 1}: use the memory after it has been updated, not before."
        known = [
            ("stands-still", np.zeros_like(w), stays),
            *sorted(slips[n], key=lambda slip: not explains[slip[0]]),
            ("uphill", -right, "It climbs: the step has the wrong sign."),
        ]
        symptoms = [
            Symptom(name, lambda _, step=step, n=n: looks_like(step)(moved[n]), hint)  # type: ignore[misc]
            for name, step, hint in known
        ]
        report.close(place, want, name=f"next_w of step {n + 1}", symptoms=symptoms)


def rule_case(
    subject: Subject,
    report: Report,
    rng: np.random.Generator,
    oracle: Oracle,
    slips: Slips,
    config: Config,
    *,
    name: str,
    count: int = 4,
    scale: float = 1.0,
) -> None:
    """Judge `count` steps of one parameter, at a rate that changes. scale : size of the gradients"""
    w = rng.normal(size=tuple(distinct_sizes(rng, 2)))
    grads = [scale * rng.normal(0.3, 1.0, size=w.shape) for _ in range(count)]
    rates = [float(rate) for rate in rng.uniform(0.05, 0.3, size=count)]
    with report.stage(name):
        places = steps(subject, report, w, grads, rates, config)
        wants = oracle(w, grads, rates, config)
        known = [slips(grads[: n + 1], rates[: n + 1], config, n) for n in range(count)]
        judge_steps(places, wants, w, known, report)


def two_parameters(
    subject: Subject, report: Report, rng: np.random.Generator, oracle: Oracle, config: Config, symptom: str, hint: str
) -> None:
    """Judge two parameters that take turns, as the layers of a net do, each with its own config."""
    with report.stage("two parameters in turn"):
        shape = tuple(distinct_sizes(rng, 2))
        pairs = [(rng.normal(size=shape), [rng.normal(0.3, 1.0, size=shape) for _ in range(3)]) for _ in range(2)]
        rates = [float(rate) for rate in rng.uniform(0.05, 0.3, size=3)]
        now, memory = [w for w, _ in pairs], [dict(config), dict(config)]
        wants = [oracle(w, grads, rates, config) for w, grads in pairs]
        for number, rate in enumerate(rates):
            for which, (_, grads) in enumerate(pairs):
                given = memory[which] | {"learning_rate": rate}
                now[which], memory[which], _ = one_step(subject, now[which], grads[number], given, report)
                report.close(
                    now[which],
                    wants[which][number],
                    name=f"parameter {which + 1}, next_w of step {number + 1}",
                    symptoms=[Symptom(symptom, lambda _: True, hint)],
                )


def other_shapes(subject: Subject, report: Report, rng: np.random.Generator, oracle: Oracle) -> None:
    """Judge a bias, a filter bank and one number in float32, from an empty config: the defaults of the exercise."""
    with report.stage("defaults, float32, other shapes"):
        for shape in ((6,), (2, 3, 2, 2), ()):
            w = rng.normal(size=shape).astype(np.float32)
            w = np.asarray(w, dtype=np.float32)
            grads = [np.asarray(rng.normal(0.5, 1.0, size=shape), dtype=np.float32) for _ in range(3)]
            now, memory = w, dict[str, Any]()
            for number, (grad, want) in enumerate(zip(grads, oracle(w, grads, [0.1] * 3, {}), strict=True), start=1):
                value, memory = pair(subject(now, grad, memory | {"learning_rate": 0.1}), "next_w", "config", report)
                array = np.asarray(value) if isinstance(value, np.floating | np.ndarray) else value
                array = report.array(array, shape, name="next_w")
                hint = "See the docstring for what holds when config has only a learning_rate."
                report.close(array, want, rtol=1e-4, atol=1e-5, name=f"next_w of step {number}", hint=hint)
                now = array.astype(np.float32)


SHARED = (
    "Keep the memory in the config that you are given, not in a global, nor in a default argument: each has its own."
)


# Momentum


def momentum_oracle(w: Array, grads: list[Array], rates: list[float], config: Config) -> list[Array]:
    """Return the places after each step: the velocity written out as a sum over all earlier gradients."""
    mu, start = config.get("momentum", 0.9), config.get("velocity", 0.0)
    places: list[Array] = []
    for now in range(len(grads)):
        velocity = start * mu ** (now + 1)
        for past in range(now + 1):
            velocity = velocity - mu ** (now - past) * rates[past] * grads[past].astype(np.float64)
        places.append((places[-1] if places else w) + velocity)
    return places


def _momentum_slips(grads: list[Array], rates: list[float], config: Config, n: int) -> list[Slip]:
    mu = config["momentum"]
    zero = np.zeros_like(grads[0])

    def last(mu: float, upto: int = n) -> Array:
        places = momentum_oracle(zero, grads[: upto + 1], rates, {"momentum": mu})
        return places[-1] - (places[-2] if upto else zero) if upto >= 0 else zero

    plain = -rates[n] * grads[n]
    heavy = sum((mu ** (n - past) * grads[past] for past in range(n + 1)), zero)
    found = [
        ("nesterov", mu * last(mu) + plain, "This is Nesterov's step; here w moves by v itself."),
        ("dampened", (1 - mu) * last(mu), "No factor 1 - momentum here: v is a sum of steps, not an average."),
    ]
    if n:
        found += [
            ("velocity-not-kept", plain, "This is plain SGD: put the new velocity into config and return it."),
            ("momentum-fixed", last(0.9), "Take momentum from config: 0.9 only where config has none."),
            ("rate-outside", -rates[n] * heavy, "The learning rate belongs into v: it may change between steps."),
            ("momentum-swapped", _swapped(grads, rates, mu, n), "momentum multiplies the old velocity, not dw."),
            ("velocity-sign", plain - mu * last(mu, n - 1), "The old velocity enters with a plus: it keeps rolling."),
        ]
    else:
        found.append(("momentum-swapped", mu * plain, "momentum multiplies the old velocity, not dw."))
    return found


def _swapped(grads: list[Array], rates: list[float], mu: float, n: int) -> Array:
    total = np.zeros_like(grads[0])
    for past in range(n + 1):
        total = total - mu * rates[past] * grads[past]
    return total


@exercise("deep-sgd_momentum", points=3, title="SGD with momentum")
def examine_momentum(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    config = {"momentum": float(rng.uniform(0.5, 0.8))}
    rule_case(subject, report, rng, momentum_oracle, _momentum_slips, config, name="four steps")
    with report.stage("a velocity that is given"):
        w, dw, v = rng.normal(size=(3, 3, 5))
        given = config | {"velocity": v, "learning_rate": 0.2}
        next_w, after, _ = one_step(subject, w, dw, given, report)
        mu = config["momentum"]
        opposite = looks_like(w - mu * v - 0.2 * dw)
        hint = "config['velocity'] points where w is going: it is added to w."
        symptoms = [Symptom("velocity-sign", opposite, hint)]
        ignored = Symptom("velocity-ignored", looks_like(w - 0.2 * dw), "Start from config['velocity'] if it is there.")
        want = momentum_oracle(w, [dw], [0.2], given)[0]
        report.close(next_w, want, name="next_w", symptoms=[*symptoms, ignored])
        kept = after.get("velocity")
        kept = report.array(kept, w.shape, name="config['velocity']")
        report.close(kept, want - w, name="config['velocity']", hint="Keep the new velocity, the one w has moved by.")
    two_parameters(subject, report, rng, momentum_oracle, config, "shared-memory", SHARED)
    other_shapes(subject, report, rng, momentum_oracle)


# RMSprop


def rmsprop_oracle(w: Array, grads: list[Array], rates: list[float], config: Config) -> list[Array]:
    """Return the places after each step of PyTorch's RMSprop, from the memory in config if there is one."""
    import torch

    def make(leaf: Any) -> Any:
        decay, eps = config.get("decay_rate", 0.99), config.get("epsilon", 1e-8)
        optimizer = torch.optim.RMSprop([leaf], alpha=decay, eps=eps)
        if "cache" in config:
            optimizer.state[leaf] = {"step": torch.tensor(1.0), "square_avg": torch.from_numpy(config["cache"].copy())}
        return optimizer

    return walk(make, w, grads, rates)


def _rmsprop_slips(grads: list[Array], rates: list[float], config: Config, n: int) -> list[Slip]:
    decay, eps, dw = config["decay_rate"], config["epsilon"], grads[n]
    squares = [grad**2 for grad in grads]

    def step(cache: Array, *, root: bool = True, inside: bool = False) -> Array:
        below = np.sqrt(cache + eps) if inside else (np.sqrt(cache) if root else cache) + eps
        return -rates[n] * dw / below

    right, summed = averages(squares, decay), sum(squares, 0 * dw)
    found = [
        ("decay-swapped", step(averages(squares, 1 - decay)), "decay_rate multiplies the old cache, 1 - it the new."),
        ("eps-inside", step(right, inside=True), "epsilon is added to the root, not under it."),
        ("no-root", step(right, root=False), "Divide by the square root of the cache."),
        ("adagrad", step(summed), "This is AdaGrad, a sum: here the cache is a decaying average."),
        ("no-one-minus", step(right / (1 - decay)), "The new square enters with 1 - decay_rate."),
        ("adam-like", step(right / (1 - decay ** (n + 1))), "No bias correction in RMSprop: that is Adam's."),
        ("eps-missing", -rates[n] * dw / np.sqrt(right), "config['epsilon'] is missing in the divisor."),
        ("not-squared", step(np.abs(averages(grads, decay))), "The cache averages squares: dw**2."),
        ("decay-fixed", step(averages(squares, 0.99)), "Take decay_rate from config: 0.99 only where it has none."),
    ]
    if n:
        found += [
            ("cache-not-kept", step((1 - decay) * squares[n]), "Put the new cache into config and return it."),
            ("old-cache", step(averages(squares[:n], decay)), "Update the cache first, then divide by it."),
        ]
    else:
        found.append(("old-cache", step(0 * dw), "Update the cache first, then divide by it."))
    return found


@exercise("deep-rmsprop", points=3, title="RMSprop")
def examine_rmsprop(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    # A large epsilon shows where it stands; a decay far from its default shows whether it is read.
    config = {"decay_rate": float(rng.uniform(0.6, 0.8)), "epsilon": 0.05}
    rule_case(subject, report, rng, rmsprop_oracle, _rmsprop_slips, config, name="four steps")
    with report.stage("a cache that is given"):
        w, dw, cache = rng.normal(size=(3, 3, 5))
        given = config | {"cache": cache**2, "learning_rate": 0.2}
        next_w, after, _ = one_step(subject, w, dw, given, report)
        hint = "Start from config['cache'] if it is there."
        report.close(next_w, rmsprop_oracle(w, [dw], [0.2], given)[0], name="next_w", hint=hint)
        kept = report.array(after.get("cache"), w.shape, name="config['cache']")
        decay = config["decay_rate"]
        hint = "Keep the average of squares itself, before the root."
        report.close(kept, cache**2 + (1 - decay) * (dw**2 - cache**2), name="config['cache']", hint=hint)
    two_parameters(subject, report, rng, rmsprop_oracle, config, "shared-memory", SHARED)
    other_shapes(subject, report, rng, rmsprop_oracle)
