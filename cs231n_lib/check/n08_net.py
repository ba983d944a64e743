"""What is examined in N08: a net with dropout after each ReLU, against complex steps under the very same masks."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n04_oracle import STEP, row_loss
from .n08_forward import uneven_keep
from .n08_layers import LayerSpy
from .passes import pair
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, StudentError, Subject

Params = dict[str, np.ndarray]


def random_net(rng: np.random.Generator, dims: list[int]) -> Params:
    """Return W1, b1, ... for layers of these sizes, no entry 0: a missing bias must show."""
    params = {}
    for i, (d, m) in enumerate(itertools.pairwise(dims), start=1):
        params[f"W{i}"], params[f"b{i}"] = rng.normal(size=(d, m)) / np.sqrt(d), rng.normal(0.3, 0.2, size=m)
    return params


def net(params: Params, x: np.ndarray, factors: list[np.ndarray], *, wrong: str = "") -> np.ndarray:
    """Return the scores of the net whose hidden layers are multiplied by `factors`; complex numbers carry slopes along.

    wrong : "" for the true slopes; "dropout" or "relu" for those of a backward pass that leaves this layer out
    """
    hidden = x.reshape(len(x), -1)
    for i, factor in enumerate([*factors, None], start=1):
        hidden = hidden @ params[f"W{i}"] + params[f"b{i}"]
        if factor is not None:
            before, hidden = hidden, hidden * (hidden.real > 0)
            hidden = hidden.real + 1j * before.imag if wrong == "relu" else hidden
            before, hidden = hidden, hidden * factor
            hidden = hidden.real + 1j * before.imag if wrong == "dropout" else hidden
    return hidden


def net_loss(params: Params, x: np.ndarray, y: np.ndarray, factors: list[np.ndarray], *, wrong: str = "") -> complex:
    """Return the mean softmax loss by the standard library; `wrong` as in `net`."""
    rows = net(params, x, factors, wrong=wrong).tolist()
    return sum(row_loss(row, label) for row, label in zip(rows, y.tolist(), strict=True)) / len(rows)


def slope(
    params: Params, x: np.ndarray, y: np.ndarray, factors: list[np.ndarray], name: str, *, wrong: str = ""
) -> np.ndarray:
    """Return the slope of `net_loss` in every entry of one parameter, one complex step for each."""
    slopes = np.empty(params[name].shape)
    for index in np.ndindex(slopes.shape):
        moved = params | {name: params[name].astype(complex)}
        moved[name][index] += 1j * STEP
        slopes[index] = net_loss(moved, x, y, factors, wrong=wrong).imag / STEP
    return slopes


def run(
    subject: Subject, report: Report, params: Params, x: np.ndarray, y: np.ndarray | None, *, keep: float, seed: int
) -> tuple[Call, LayerSpy]:
    """Call the answer with layers that take notes; a layer that was misused is named."""
    spy = LayerSpy()
    arguments = (params, x) if y is None else (params, x, y)
    try:
        call = subject.call(*arguments, layers=spy.layers(), keep=keep, seed=seed)
    except StudentError as error:
        if spy.problem and error.kind != "NotImplementedError":
            hint = "Each backward function takes the slope and the cache of the same layer's forward pass, last first."
            report.fail(spy.problem, hint=hint, symptom="layer-misused")
        raise
    report.untouched(call, ["params", "X", "y"])
    return call, spy


@exercise("drop-net", points=3, title="a net with dropout")
def examine_net(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, h1, h2, c = (size + 2 for size in distinct_sizes(rng, 5))
    net_case(subject, rng, report, (n, d), [h1 + 9, h2 + 9], c, name="two hidden layers")
    net_case(subject, rng, report, (n, 2, 3, 1), [h1 + 9], c, name="one, on images")


def net_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    shape: tuple[int, ...],
    hidden: list[int],
    classes: int,
    *,
    name: str,
) -> None:
    """Judge one net in train and in test mode. shape : of X; hidden : widths; name : of the stages."""
    params = random_net(rng, [int(np.prod(shape[1:])), *hidden, classes])
    x, y, keep = rng.normal(size=shape), rng.integers(0, classes, size=shape[0]), uneven_keep(rng)
    seed = int(rng.integers(1, 1000))
    with report.stage(f"{name}: dropout after each ReLU"):
        call, spy = run(subject, report, params, x, y, keep=keep, seed=seed)
        loss, grads = pair(call.value, "loss", "grads", report)
        factors = _factors(report, spy, x, hidden, classes, keep)
    want = net_loss(params, x, y, factors).real
    with report.stage(f"{name}: loss"):
        number = np.asarray(loss) if isinstance(loss, int | float | np.generic | np.ndarray) else np.zeros(0)
        report.require(number.size == 1, f"the loss must be one number, got {type(loss).__name__}", symptom="loss")
        unused = net_loss(params, x, y, [np.ones_like(f) for f in factors]).real
        hint = "This is the loss without dropout: go on with what dropout_forward returns, not with what it was given."
        symptoms = [Symptom("out-unused", looks_like([unused]), hint)]
        report.close(number.astype(float).reshape(1), [want], name="loss", symptoms=symptoms)
    with report.stage(f"{name}: gradients"):
        _judge_gradients(report, params, grads, partial(slope, params, x, y, factors))
    with report.stage(f"{name}: seeds"):
        first = [drop.seed for drop in spy.drops]
        again = [drop.seed for drop in run(subject, report, params, x, y, keep=keep, seed=seed)[1].drops]
        hint = (
            "Derive the seed of each layer from `seed` and from nothing else, such as the clock or a fresh generator."
        )
        report.require(first == again, "the same seed gave other masks", hint=hint, symptom="not-repeatable")
        other = [drop.seed for drop in run(subject, report, params, x, y, keep=keep, seed=seed + 1000)[1].drops]
        same = any(a == b for a, b in zip(first, other, strict=False))
        hint = "With fixed seeds every training step drops the same units: derive the seed of each layer from `seed`."
        report.require(not same, "another seed gave a layer the same mask", hint=hint, symptom="seed-fixed")
    with report.stage(f"{name}: test mode"):
        _judge_quiet(subject, report, params, x, factors, keep)


WRONG = {
    "dropout": ("backward-skips-dropout", "On its way down the gradient passes dropout_backward, with its own cache."),
    "relu": ("backward-skips-relu", "On its way down the gradient passes relu_backward as well."),
}


def _factors(
    report: Report, spy: LayerSpy, x: np.ndarray, hidden: list[int], classes: int, keep: float
) -> list[np.ndarray]:
    """Require one dropout for each hidden layer, in train mode, with this keep and seeds of their own."""
    n, widths = len(x), [drop.factor.shape for drop in spy.drops]
    if not widths:
        own = not spy.calls.get("affine_forward")
        report.fail(
            'layers["dropout_forward"] was never called',
            hint="Take every layer from `layers`, by its name." if own else "Drop units after each ReLU.",
            symptom="own-layers" if own else "no-dropout",
        )
    if (n, classes) in widths:
        hint = "The last layer has no ReLU, and no score may be lost: leave out dropout after it."
        report.fail("scores are dropped", hint=hint, symptom="dropout-on-scores")
    if x.shape in widths or (n, x[0].size) in widths:
        hint = "Here dropout stands after each ReLU; the images go in as they are."
        report.fail("pixels of X are dropped", hint=hint, symptom="dropout-on-input")
    report.require(
        widths == [(n, width) for width in hidden],
        f"dropout was applied to arrays of shape {widths}; the hidden layers are {[(n, h) for h in hidden]}",
        hint="One dropout after each ReLU, for every hidden layer.",
        symptom="dropout-calls",
    )
    for drop in spy.drops:
        message = "with labels, dropout_forward must be called with train=True"
        hint = "Labels are given, so this is training."
        report.require(drop.train, message, hint=hint, symptom="quiet-in-training")
        message = f"dropout_forward must be called with keep = {keep:.3f}, got {drop.keep:.3f}"
        report.require(abs(drop.keep - keep) < 1e-12, message, hint="Hand on `keep`.", symptom="keep-not-passed")
    report.require(
        len({drop.seed for drop in spy.drops}) == len(spy.drops),
        f"all hidden layers got the seed {spy.drops[0].seed}",
        hint="Layers of one width would always lose the same units: give each a seed of its own, such as seed + i.",
        symptom="one-seed",
    )
    return [drop.factor for drop in spy.drops]


def _judge_gradients(report: Report, params: Params, grads: Any, slope_of: Callable[..., np.ndarray]) -> None:
    report.require(
        isinstance(grads, dict) and set(grads) == set(params),
        f"grads must be a dict with the keys {', '.join(params)}",
        hint="One gradient for each parameter, under the parameter's own name.",
        symptom="grad-keys",
    )
    # From the last layer to the first: what goes wrong in one goes wrong in all before it.
    for key in sorted(params, key=lambda name: (-int(name[1:]), name[0] == "W")):
        got = report.array(grads[key], params[key].shape, name=f'grads["{key}"]')

        def skips(values: np.ndarray, kind: str, key: str = key) -> bool:
            return looks_like(slope_of(key, wrong=kind))(values)  # worked out for a wrong gradient only

        symptoms = [Symptom(name, partial(skips, kind=kind), hint) for kind, (name, hint) in WRONG.items()]
        report.close(got, slope_of(key), name=f'grads["{key}"]', symptoms=symptoms)


def _judge_quiet(
    subject: Subject,
    report: Report,
    params: Params,
    x: np.ndarray,
    factors: list[np.ndarray],
    keep: float,
) -> None:
    """Judge the scores without labels: no unit is dropped and nothing is scaled."""
    call, spy = run(subject, report, params, x, None, keep=keep, seed=3)
    message = "without labels, the scores alone are asked"
    report.require(not isinstance(call.value, tuple), message, hint="Return early.", symptom="scores-not-alone")
    scores = report.array(call.value, (len(x), len(params[f"b{len(params) // 2}"])), name="scores")
    hint = "Without labels this is test time: call dropout with train=False, or not at all."
    report.require(
        not any(d.train for d in spy.drops), "units are dropped at test time", hint=hint, symptom="drops-at-test"
    )
    shrunk = net(params, x, [np.full_like(f, keep) for f in factors])
    scaled = "Do not multiply by keep at test time: train mode has divided by it."
    symptoms = [Symptom("scales-at-test", looks_like(shrunk), scaled)]
    want = net(params, x, [np.ones_like(f) for f in factors])
    report.close(scores, want, name="scores", symptoms=symptoms)
