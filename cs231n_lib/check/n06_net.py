"""What is examined in N06: a net of any depth, its scores, its loss and its gradients."""

from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n04_softmax_loss import loss_number
from .n06_oracle import Params, Slips, documented_forward, lend, lent, names, net_loss, net_scores, put, random_params
from .passes import neighbour, pair
from .report import CheckFailed, NotAnswered, Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject

Inputs = tuple[Params, np.ndarray, np.ndarray]


def draw_net(rng: np.random.Generator, depth: int, *, images: bool = False) -> Inputs:
    """Return params of `depth` layers of different sizes, X (rows or images), y."""
    n, c, *hidden = distinct_sizes(rng, 6) if depth < 6 else [5, 4, *[int(v) for v in rng.integers(3, 6, size=depth)]]
    shape = (n, 2, 3, 2) if images else (n, n + 2)
    dims = [int(np.prod(shape[1:])), *hidden[: depth - 1], c]
    return random_params(rng, dims), rng.normal(0.2, 1.0, size=shape), rng.integers(0, c, size=n)


@exercise("deep-fc_forward", points=5, title="a net of any depth, forward")
def examine_fc_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    lend(subject)
    forward_case(subject, report, draw_net(rng, 3), name="three layers")
    forward_case(subject, report, draw_net(rng, 5), name="five layers")
    forward_case(subject, report, draw_net(rng, 2, images=True), name="images")
    forward_case(subject, report, draw_net(rng, 1), name="one layer")
    forward_case(subject, report, draw_net(rng, 11), name="eleven layers")
    with report.stage("float32 and column order"):
        params, x, _ = draw_net(rng, 3, images=True)
        small = {key: np.asfortranarray(value.astype(np.float32)) for key, value in params.items()}
        value = pair(subject(small, np.asfortranarray(x.astype(np.float32))), "scores", "caches", report)[0]
        want = net_scores(params, x)
        report.close(report.array(value, want.shape, name="scores"), want, rtol=1e-3, atol=1e-3, name="scores")


def forward_case(subject: Subject, report: Report, inputs: Inputs, *, name: str) -> None:
    """Judge the scores at one place. name : of the stage"""
    params, x, _ = inputs
    depth, want = len(params) // 2, net_scores(params, x)
    with report.stage(name):
        call = subject.call(params, x)
        scores, caches = pair(call.value, "scores", "caches", report)
        if isinstance(scores, np.ndarray) and scores.shape in _inner_shapes(params, len(x)):
            report.fail(
                f"scores must have shape {want.shape}, got {scores.shape}: these are hidden units of a net of {depth}",
                hint="Let params tell the number of layers: len(params) // 2.",
                symptom="depth-fixed",
            )
        scores = report.array(scores, want.shape, name="scores")
        report.untouched(call, ["params", "X"])
        report.close(scores, want, name="scores", symptoms=_score_slips(params, x, want))
        report.require(
            isinstance(caches, list | tuple | dict) and len(caches) >= 1,
            "there are no caches",
            hint=f"Keep what every layer leaves: here {depth} of affine layers and {depth - 1} of ReLUs.",
            symptom="no-cache",
        )


def _inner_shapes(params: Params, n: int) -> list[tuple[int, int]]:
    """Return the shapes of the hidden layers that are not the shape of the scores."""
    widths = [params[f"b{layer}"].size for layer in range(1, len(params) // 2 + 1)]
    return [(n, width) for width in widths[:-1] if width != widths[-1]]


def _score_slips(params: Params, x: np.ndarray, want: np.ndarray) -> list[Symptom]:
    depth = len(params) // 2
    bare = {key: value * (key[0] == "W") for key, value in params.items()}
    top = want.max(axis=1, keepdims=True)
    softmax = np.exp(want - top) / np.exp(want - top).sum(axis=1, keepdims=True)
    no_last = params | {f"b{depth}": 0 * params[f"b{depth}"]}
    found = {
        "relu-on-scores": (
            net_scores(params, x, Slips(last=True)),
            "No ReLU after the last layer: scores may be negative.",
        ),
        "no-relu": (net_scores(params, x, Slips(bend="none")), "The ReLU after each hidden layer is missing."),
        "no-bias": (net_scores(bare, x), "The biases are missing."),
        "no-last-bias": (net_scores(no_last, x), f"b{depth}, the bias of the last layer, is missing."),
        "probabilities": (softmax, "Return the scores themselves: softmax belongs to the loss."),
    }
    if depth > 1:
        only = net_scores(params, x, Slips(order=(1,)))
        found["first-layer-only"] = (only, "These are the scores of the first layer: let every layer take its turn.")
    symptoms = [Symptom(name, looks_like(value), hint) for name, (value, hint) in found.items()]
    hint = "Go through the layers by number: in alphabetical order W10 and W11 come before W2."
    if depth >= 10:
        symptoms.append(Symptom("key-order", lambda _: True, hint))
    return symptoms


@exercise("deep-fc_loss", points=6, title="loss and gradients of a net of any depth")
def examine_fc_loss(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    lend(subject)
    _lend_forward(subject, rng, report)
    try:
        reg = float(rng.uniform(0.3, 0.9))
        loss_case(subject, report, draw_net(rng, 3), reg=0.0, name="three layers")
        loss_case(subject, report, draw_net(rng, 3, images=True), reg=reg, name="regularized images")
        loss_case(subject, report, draw_net(rng, 1), reg=reg, name="one layer")
        loss_case(subject, report, draw_net(rng, 5), reg=reg / 3, name="five layers")
        loss_case(subject, report, draw_net(rng, 11), reg=reg / 9, name="eleven layers")
        with report.stage("without reg"):
            params, x, y = draw_net(rng, 2)
            loss = loss_number(pair(subject(params, x, y), "loss", "grads", report)[0], report)
            report.close(loss, net_loss(params, x, y)[0], name="loss", hint="reg is 0.0 by default.")
    except StudentError as error:
        if error.kind == "NotImplementedError" and error.function not in ("fc_loss", subject.name):
            report.fail(
                f"fc_loss calls {error.function}, which is not implemented yet",
                hint=f"Pass the check of {error.function} first, then come back.",
                symptom="forward-missing",
            )
        raise


def _lend_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Let fc_loss be judged by itself: while the student's fc_forward is wrong, a right one stands in for it.

    It hands out the caches that the exercise describes, and only ever replaces a function in a grader's box. In a
    notebook the student is told to mend their own first.
    """
    forward = neighbour(subject, "fc_forward")
    if forward is None:
        return
    try:
        examine_fc_forward(forward, np.random.default_rng(rng.integers(2**32)), Report())
    except (CheckFailed, NotAnswered, StudentError) as error:
        if _is_stub(subject):
            return
        if in_box(subject):
            put(subject, {"fc_forward": lent(documented_forward)})
            return
        todo = isinstance(error, StudentError) and error.kind == "NotImplementedError"
        state = "is not implemented yet" if todo else "does not pass its own check"
        report.fail(
            f"fc_forward, which stands beside fc_loss, {state}",
            hint="The loss is built on the scores: mend fc_forward first, then look here again.",
            symptom="forward-missing" if todo else "forward-wrong",
        )


def in_box(subject: Subject) -> bool:
    """True where the layers are callbacks into the judge: `lend` has put them there."""
    layer = neighbour(subject, "relu_forward")
    try:
        return layer is not None and layer.attribute("__name__").value() == "call_the_judge"
    except StudentError:
        return False


def _is_stub(subject: Subject) -> bool:
    """True if the student's function raises NotImplementedError by itself."""
    try:
        subject({"W1": np.eye(2), "b1": np.zeros(2)}, np.ones((1, 2)), np.zeros(1, dtype=int))
    except StudentError as error:
        return error.kind == "NotImplementedError" and error.function in ("fc_loss", subject.name)
    return False


def loss_case(subject: Subject, report: Report, inputs: Inputs, *, reg: float, name: str) -> None:
    """Judge loss and gradients at one place. name : of the stages"""
    params, x, y = inputs
    depth = len(params) // 2
    data, slopes = net_loss(params, x, y)
    squares = {f"W{layer}": float((params[f"W{layer}"] ** 2).sum()) for layer in range(1, depth + 1)}
    want = data + 0.5 * reg * sum(squares.values())
    with report.stage(f"{name}: loss"):
        call = subject.call(params, x, y, reg=reg)
        loss, grads = pair(call.value, "loss", "grads", report)
        report.untouched(call, ["params", "X", "y"])
        symptoms = _loss_slips(params, data, squares, len(x), reg)
        report.close(loss_number(loss, report), want, name="loss", symptoms=symptoms)
    with report.stage(f"{name}: gradients"):
        report.require(
            isinstance(grads, dict) and set(grads) == set(params),
            f"grads must be a dict with the keys {', '.join(names(depth))}, "
            f"got {sorted(map(str, grads)) if isinstance(grads, dict) else type(grads).__name__}",
            hint="One gradient for each parameter, under the parameter's own name.",
            symptom="grad-keys",
        )
        straight = net_loss(params, x, y, Slips(bend="straight"))[1]
        # From the last layer to the first: what goes wrong in one goes wrong in all before it.
        for layer in range(depth, 0, -1):
            for key in (f"b{layer}", f"W{layer}"):
                _gradient(grads[key], key, params[key], slopes[key], straight[key], len(x), reg, report)


def _loss_slips(params: Params, data: float, squares: dict[str, float], n: int, reg: float) -> list[Symptom]:
    total, depth = sum(squares.values()), len(squares)
    if not reg:
        return [Symptom("loss-sum", looks_like(data * n), "softmax_loss is a mean already: hand it on as it is.")]
    biases = sum(float((value**2).sum()) for key, value in params.items() if key[0] == "b")
    hint = "Every weight matrix is regularized, whatever the depth: add up over all of them."
    wrong: dict[str, tuple[float, str]] = {
        "reg-missing": (data, "The regularization is missing: add 0.5 * reg * the squares of all weights."),
        "reg-not-half": (data + reg * total, "The course puts a half before it: 0.5 * reg * sum(W**2)."),
        "reg-doubled": (data + 2 * reg * total, "The factor is 0.5, not 2."),
        "reg-quarter": (data + 0.25 * reg * total, "It is halved twice: 0.5 * reg * sum(W**2)."),
        "reg-biases": (data + 0.5 * reg * (total + biases), "Biases are not regularized: only the weights are."),
        "reg-over-n": (data + 0.5 * reg * total / n, "The regularization is not divided by N."),
    }
    symptoms = [Symptom(name, looks_like(value), text) for name, (value, text) in wrong.items()]
    if depth > 1:
        # Some of the layers only: any loss between the data loss and the right one that a set of layers explains.
        sums = [0.0]
        for square in squares.values():
            sums += [value + square for value in sums]
        partial = [data + 0.5 * reg * value for value in sums if value not in (0.0, total)]
        symptoms.append(Symptom("reg-some-layers", lambda got: bool(np.isclose(got, partial, rtol=1e-7).any()), hint))
    return symptoms


def _gradient(
    got: Any, key: str, value: np.ndarray, slope: np.ndarray, straight: np.ndarray, n: int, reg: float, report: Report
) -> None:
    """Judge one gradient. slope : of the data loss; straight : the same, with the ReLUs left out on the way down"""
    decay = reg * value if key[0] == "W" else 0.0 * value
    want = slope + decay
    wrong = {
        "grad-times-n": (slope * n + decay, "softmax_loss has divided by N already."),
        "grad-sign": (-want, "The gradient points uphill: the optimizer takes the minus sign."),
        "skips-relu": (straight + decay, "On its way down the gradient passes relu_backward in each hidden layer."),
    }
    if reg and key[0] == "W":
        rule = f"The slope of 0.5 * reg * sum({key}**2) is reg * {key}: "
        wrong |= {
            "reg-grad-missing": (slope, f"{rule}add it."),
            "reg-grad-double": (slope + 2 * decay, f"{rule}yours has it twice."),
            "reg-grad-half": (slope + 0.5 * decay, f"{rule}the half is gone in the slope."),
            "reg-grad-over-n": (slope + decay / n, f"{rule}it is not divided by N."),
        }
    elif reg:
        wrong["reg-biases"] = (slope + reg * value, "Biases are not regularized: no reg * b in their gradient.")
    array = report.array(got, value.shape, name=f'grads["{key}"]')
    symptoms = [Symptom(name, looks_like(other), hint) for name, (other, hint) in wrong.items()]
    report.close(array, want, name=f'grads["{key}"]', symptoms=symptoms)
