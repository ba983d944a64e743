"""What is examined in N07: batch norm wired into a deep net, and two questions about what it changes."""

import contextlib
import itertools
from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n07_form import results
from .n07_mistakes import Relations, symptoms_of
from .n07_oracle import normalized, slopes
from .n07_spy import EPS, NormSpy
from .report import CheckFailed, Report
from .spec import exercise
from .subject import Call, StudentError, Subject

Arrays = dict[str, np.ndarray]


def net_params(rng: np.random.Generator, sizes: list[int]) -> Arrays:
    """Draw the parameters of a net with these sizes: of the input, of each hidden layer, of the scores."""
    params: Arrays = {}
    for i, (d, h) in enumerate(itertools.pairwise(sizes), start=1):
        params[f"W{i}"], params[f"b{i}"] = rng.normal(size=(d, h)), rng.normal(size=h)
        if i < len(sizes) - 1:
            params[f"gamma{i}"], params[f"beta{i}"] = rng.uniform(0.5, 2.0, size=h), rng.normal(size=h)
    return params


def net_scores(
    params: Arrays, x: np.ndarray, *, state: Arrays | None = None, swapped: bool = False, relu_last: bool = False
) -> Any:
    """Return the scores (N, C), float or complex. state : the running statistics, for test mode

    swapped : ReLU before the norm; relu_last : a ReLU on the scores too. Both are slips.
    """
    last = sum(name.startswith("W") for name in params)
    for i in range(1, last + 1):
        x = x @ params[f"W{i}"] + params[f"b{i}"]
        if i < last:
            x = _relu(x) if swapped else x
            given: dict[str, Any] = {} if state is None else {"means": state[f"mean{i}"], "variances": state[f"var{i}"]}
            x = normalized(x, params[f"gamma{i}"], params[f"beta{i}"], EPS, axis=0, **given)
        if (i < last and not swapped) or (i == last and relu_last):
            x = _relu(x)
    return x


def _relu(x: np.ndarray) -> np.ndarray:
    return np.where(x.real > 0, x, 0)


def net_loss(params: Arrays, x: np.ndarray, y: np.ndarray) -> Any:
    """Return the mean cross-entropy of the scores in training mode; works on complex numbers."""
    scores = net_scores(params, x)
    return sum(np.log(np.exp(row - row[label]).sum()) for row, label in zip(scores, y, strict=True)) / len(y)


def _calling(spy: NormSpy, call: Any) -> Any:
    """Do the call; what the spy objects to comes before the error that its objection raised."""
    try:
        done = call()
    except StudentError:
        if spy.problem is None:
            raise
    if spy.problem is not None:
        raise CheckFailed(*spy.problem)
    return done


@exercise("norm-NormalizedNet", points=3, title="batch norm in a net")
def examine_normalized_net(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    d, h, c, other = distinct_sizes(rng, 4)
    net_case(subject, rng, report, [d, h, c])
    net_case(subject, rng, report, [d, other, other, c], name="two of the same width")
    net_case(subject, rng, report, [d, h, other, c], name="two of different widths")
    with report.stage("a fresh net"):
        _examine_fresh(subject, rng, report, [d, h, other, c])


def _examine_fresh(subject: Subject, rng: np.random.Generator, report: Report, sizes: list[int]) -> None:
    """Require the scores of a net that has seen nothing: running means of 0 and variances of 1 in every layer."""
    params, x, spy = net_params(rng, sizes), rng.normal(size=(4, sizes[0])), NormSpy()
    net = subject(params, norm_forward=spy.forward, norm_backward=spy.backward)
    widths = list(enumerate(sizes[1:-1], start=1))
    state = {f"mean{i}": np.zeros(w) for i, w in widths} | {f"var{i}": np.ones(w) for i, w in widths}
    hint = "Leave __init__ as it was given out: it makes means of 0 and variances of 1 for every hidden layer."
    try:
        scores = net.attribute("loss")(x)
    except StudentError as error:
        report.fail(f"a fresh net cannot be tested: {error}"[:200], hint=hint, symptom="fresh-state")
    got = report.array(scores, (4, sizes[-1]), name="scores")
    right = bool(np.allclose(got, net_scores(params, x, state=state)))
    report.require(right, "the scores of a fresh net are off", hint=hint, symptom="fresh-state")


def net_case(subject: Subject, rng: np.random.Generator, report: Report, sizes: list[int], *, name: str = "") -> None:
    """Judge scores in test mode, then loss, running statistics and gradients in training.

    name : makes all of it one stage of that name; without a name each step is a stage
    """

    def step(what: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if name else report.stage(what)

    params, hidden, n = net_params(rng, sizes), len(sizes) - 2, 8
    x, y = rng.normal(size=(n, sizes[0])), rng.integers(0, sizes[-1], size=n)
    state: Arrays = {}
    for i in range(1, hidden + 1):
        state[f"mean{i}"], state[f"var{i}"] = rng.normal(size=sizes[i]), rng.uniform(0.5, 2.0, size=sizes[i])
    spy = NormSpy()
    net = subject(params, norm_forward=spy.forward, norm_backward=spy.backward)
    if not isinstance(net, Subject):
        report.fail("NormalizedNet(...) must make an object", symptom="not-a-class")
    net.set("state", state)
    loss = net.attribute("loss")
    with report.stage(name) if name else contextlib.nullcontext():
        with step("scores in test mode"):
            call = _calling(spy, lambda: loss.call(x))
            if isinstance(call.value, tuple):
                report.fail(
                    "without labels, loss(X) must return the scores alone",
                    hint="Without y there is no loss: leave early, with the scores.",
                    symptom="scores-not-alone",
                )
            scores = report.array(call.value, (n, sizes[-1]), name="scores")
            report.untouched(call, ["X"])
            _require_wiring(spy, state, hidden, report, train=False)
            want = net_scores(params, x, state=state)
            report.close(scores, want, name="scores", symptoms=symptoms_of(_score_mistakes(params, x, state)))
            _require_state(net, state, report, train=False)
        with step("loss"):
            spy.clear()
            call = _calling(spy, lambda: loss.call(x, y))
            value, grads = results(call.value, ("loss", "grads"), report)
            _require_untouched(call, net, params, report)
            _require_wiring(spy, state, hidden, report, train=True)
            number = isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.shape == ())
            report.require(number, f"loss must be a number, got {type(value).__name__}", symptom="loss-form")
            report.close(np.asarray(value), net_loss(params, x, y).real, name="loss")
        with step("running statistics"):
            _require_state(net, _next_state(spy, state), report, train=True)
        with step("gradients"):
            _require_gradients(grads, params, x, y, spy, report)


def _score_mistakes(params: Arrays, x: np.ndarray, state: Arrays) -> Relations:
    return {
        "relu-first": (
            net_scores(params, x, state=state, swapped=True),
            "Each hidden layer goes affine, norm, ReLU, in this order: here ReLU comes before the norm.",
        ),
        "relu-last": (
            net_scores(params, x, state=state, relu_last=True),
            "The last layer is affine only: scores may be negative.",
        ),
    }


def _require_wiring(spy: NormSpy, state: Arrays, hidden: int, report: Report, *, train: bool) -> None:
    """Require one norm per hidden layer, in the right mode, each with the running statistics of its own layer."""
    calls = len(spy.forwards)
    if calls == 0:
        report.fail(
            "the norm was never called",
            hint="Call self.norm_forward, the function that the net was given, after each hidden affine layer.",
            symptom="norm-not-called",
        )
    hint = "Every hidden layer is normalized once; the last layer, which makes the scores, is not."
    report.require(
        calls == hidden, f"{hidden} hidden layers, and {calls} calls of the norm", hint=hint, symptom="norm-count"
    )
    for i, seen in enumerate(spy.forwards, start=1):
        report.require(
            seen.train == train,
            f"{'with' if train else 'without'} labels the norm must be called with train={train}",
            hint="loss(X) gives the scores for testing; loss(X, y) trains. So train is whether y was given.",
            symptom="mode",
        )
        for of, got in (("mean", seen.running_mean), ("var", seen.running_var)):
            report.require(
                np.allclose(got, state[f"{of}{i}"]),
                f"hidden layer {i} got another running_{of} than state[{of + str(i)!r}]",
                hint='Each layer has statistics of its own: state["mean1"] and state["var1"], and so on.',
                symptom="state-shared",
            )


def _next_state(spy: NormSpy, state: Arrays) -> Arrays:
    """Return what the running statistics must be after the training call that the spy saw."""
    after = dict(state)
    for i, seen in enumerate(list(spy.forwards), start=1):
        arrays = (seen.x, seen.gamma, np.zeros_like(seen.gamma), state[f"mean{i}"], state[f"var{i}"])
        after[f"mean{i}"], after[f"var{i}"] = NormSpy().forward(*arrays, train=True)[2:]
    return after


def _require_state(net: Subject, wants: Arrays, report: Report, *, train: bool) -> None:
    """Require the running statistics in net.state. train : whether they were to change"""
    found = net.get("state")
    report.require(isinstance(found, dict) and set(found) >= set(wants), "state has lost entries", symptom="state-keys")
    for name, want in wants.items():
        got = report.array(found[name], want.shape, name=f'state["{name}"]')
        hint = (
            "norm_forward returns the new running statistics and changes nothing: put them back into self.state."
            if train
            else "In test mode the state stays as it is."
        )
        if not np.allclose(got, want, rtol=1e-6, atol=1e-9):
            symptom = "state-not-kept" if train else "state-changed"
            report.fail(f'state["{name}"] does not hold what the norm returned', hint=hint, symptom=symptom)


def _require_untouched(call: Call, net: Subject, params: Arrays, report: Report) -> None:
    report.untouched(call, ["X", "y"])
    kept = net.get("params")
    same = isinstance(kept, dict) and all(
        name in kept and np.array_equal(kept[name], value) for name, value in params.items()
    )
    hint = "loss returns gradients; moving the parameters is the optimizer's work."
    report.require(same, "loss changed the parameters", hint=hint, symptom="params-changed")


def _require_gradients(grads: Any, params: Arrays, x: np.ndarray, y: np.ndarray, spy: NormSpy, report: Report) -> None:
    """Require the gradients of every parameter, from the last layer to the first."""
    report.require(
        isinstance(grads, dict) and set(grads) == set(params),
        f"grads must have the keys {', '.join(params)}, "
        f"got {sorted(map(str, grads)) if isinstance(grads, dict) else type(grads).__name__}",
        hint="One gradient for each parameter, under the parameter's own name; gamma and beta are parameters too.",
        symptom="grad-keys",
    )
    report.require(
        len(spy.backwards) == len(spy.forwards),
        f"norm_backward was called {len(spy.backwards)} times, norm_forward {len(spy.forwards)} times",
        hint="On its way back the gradient goes through each norm once: norm_backward(dout, cache of that layer).",
        symptom="norm-backward-skipped",
    )
    names, arrays = list(params), list(params.values())
    wants = dict(
        zip(names, slopes(lambda *a: net_loss(dict(zip(names, a, strict=True)), x, y), arrays, 1.0), strict=True)
    )
    for i in range(sum(name.startswith("W") for name in params), 0, -1):
        for name in (f"beta{i}", f"gamma{i}", f"b{i}", f"W{i}"):
            if name not in params:
                continue
            got = report.array(grads[name], params[name].shape, name=f'grads["{name}"]')
            partner = {"g": "beta", "b": "gamma"}[name[0]] + str(i) if name.startswith(("gamma", "beta")) else ""
            swap = "norm_backward returns dx, dgamma, dbeta, in this order."
            relations: Relations = {"gamma-beta-swapped": (wants[partner], swap)} if partner else {}
            symptoms = symptoms_of(relations)
            # b of a normalized layer has no effect: its gradient is 0 but for rounding, so atol decides there.
            report.close(got, wants[name], rtol=1e-6, atol=1e-8, name=f'grads["{name}"]', symptoms=symptoms)


@exercise("norm-q1", points=1, title="what the scores do not notice", visible_share=0.0)
def examine_initialization(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")


@exercise("norm-q2", points=1, title="the batch and its size", visible_share=0.0)
def examine_batch_size(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDE")
