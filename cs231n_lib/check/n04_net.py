"""What is examined in N04: a two-layer net as a class."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n04_oracle import NAMES, Params, net_loss, net_scores, net_slopes, random_params
from .n04_softmax_loss import loss_number
from .passes import neighbour, pair
from .report import CheckFailed, Report, Symptom, looks_like
from .spec import exercise, find
from .subject import StudentError, Subject

LAYERS = ("affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss")


@contextlib.contextmanager
def naming_layers(subject: Subject, rng: np.random.Generator, report: Report) -> Iterator[None]:
    """When the net fails, look whether the fault is in one of the layers that it is built on, and name that one."""
    try:
        yield
    except StudentError as error:
        if error.kind == "NotImplementedError" and error.function in LAYERS:
            report.fail(
                f"TwoLayerNet calls {error.function}, which is not implemented yet",
                hint=f"Go back to {error.function}, pass its check, and run the cells from there on again.",
                symptom="layer-missing",
            )
        raise
    except CheckFailed as failure:
        broken = _broken_layer(subject, rng)
        if broken is None:
            raise
        raise CheckFailed(
            f"{failure.message}. But {broken}, which TwoLayerNet calls, does not pass its own check",
            f"Mend {broken} first, then look here again. {failure.hint}".strip(),
            "layer-wrong",
        ) from failure


def _broken_layer(subject: Subject, rng: np.random.Generator) -> str | None:
    """Return the first layer that `loss` mentions and that does not pass its check."""
    loss = subject.attribute("loss")
    try:
        mentioned = loss.attribute("__code__").get("co_names")
    except StudentError:
        return None
    for name in LAYERS:
        layer = neighbour(loss, name) if isinstance(mentioned, tuple) and name in mentioned else None
        if layer is not None:
            try:
                find(f"net-{name}").examine(layer, np.random.default_rng(rng.integers(2**32)), Report())
            except (CheckFailed, StudentError):
                return name
    return None


@exercise("net-TwoLayerNet", points=8, title="the two-layer net")
def examine_two_layer_net(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with naming_layers(subject, rng, report):
        with report.stage("parameters"):
            _examine_parameters(subject, rng, report)
        sizes = distinct_sizes(rng, 4)
        net_case(subject, rng, report, (sizes[0], sizes[1]), sizes[2], sizes[3], reg=0.0, name="no regularization")
        reg = float(rng.uniform(0.3, 0.9))
        net_case(subject, rng, report, (sizes[0], 2, 3, 1), sizes[2], sizes[3], reg=reg, name="regularized images")
        with report.stage("large parameters"):
            _examine_large(subject, rng, report)
        with report.stage("arguments left out"):
            _require_defaults(subject, rng, report)


def _examine_parameters(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    d, h, c = 400, 61, 23
    seed, scale = int(rng.integers(1, 10**6)), float(rng.uniform(0.01, 0.05))
    sizes = {"input_dim": d, "hidden_dim": h, "num_classes": c}
    params = _params(subject(**sizes, weight_scale=scale, seed=seed), report)
    for name, shape in {"W1": (d, h), "b1": (h,), "W2": (h, c), "b2": (c,)}.items():
        params[name] = report.array(params[name], shape, name=f'params["{name}"]').astype(float)
    for name in ("b1", "b2"):
        zero = not params[name].any()
        report.require(zero, f'params["{name}"] must start at 0', hint="Only weights are drawn.", symptom="bias-drawn")
    for name in ("W1", "W2"):
        weights = params[name]
        report.require(
            bool(np.ptp(weights) > 0),
            f'all entries of params["{name}"] are {weights[0, 0]:g}',
            hint="With equal weights all hidden units compute the same and get the same gradient: draw them at random.",
            symptom="equal-weights",
        )
        # The spread of n normal numbers is known to 1 / sqrt(2n): 0.5 % for W1, 1.9 % for W2.
        spread = float(weights.std()) / scale
        message = f'params["{name}"] must have standard deviation {scale:.3g}, got {spread * scale:.3g}'
        hint = "Draw from a normal distribution of mean 0 and multiply by weight_scale."
        report.require(abs(spread - 1) < 0.1, message, hint=hint, symptom="weight-scale")
        message = f'the mean of params["{name}"] must be near 0, got {weights.mean():.3g}'
        report.require(abs(weights.mean()) < 0.15 * scale, message, hint=hint, symptom="weight-mean")
    shared = min(params["W1"].size, params["W2"].size)
    report.require(
        not np.allclose(params["W1"].ravel()[:shared], params["W2"].ravel()[:shared]),
        "W2 holds the same numbers as the beginning of W1",
        hint="Make one generator from the seed and draw twice from it: two generators of one seed draw the same.",
        symptom="same-draws",
    )
    again = _params(subject(**sizes, weight_scale=scale, seed=seed), report)
    report.require(
        bool(np.allclose(_array(again["W1"]), params["W1"]) and np.allclose(_array(again["W2"]), params["W2"])),
        "the same seed must give the same parameters, and it gave others",
        hint="Draw from np.random.default_rng(seed).",
        symptom="seed-ignored",
    )
    other = _params(subject(**sizes, weight_scale=scale, seed=seed + 1), report)
    report.require(
        not np.allclose(_array(other["W1"]), params["W1"]),
        "another seed must give other parameters, and it gave the same",
        hint="Draw from np.random.default_rng(seed), with the seed that you are given.",
        symptom="seed-fixed",
    )
    default = _array(_params(subject(**sizes, seed=seed), report)["W1"])
    hint = "Write weight_scale=1e-3 in the head of __init__, and use the name below."
    report.require(abs(default.std() - 1e-3) < 1e-4, "weight_scale is 1e-3 by default", hint=hint, symptom="default")


def _require_defaults(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Require reg=0.0 where it is left out."""
    sizes = {"input_dim": 6, "hidden_dim": 5, "num_classes": 4, "weight_scale": 1.0, "seed": 3}
    x, y = rng.normal(size=(3, 6)), np.arange(3)
    bare, spelled = (
        pair(net.attribute("loss")(x, y), "loss", "grads", report)[0]
        for net in (subject(**sizes), subject(**sizes, reg=0.0))
    )
    report.default(loss_number(bare, report), loss_number(spelled, report), "reg=0.0")


def _array(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else np.zeros(1)


def _params(model: Any, report: Report) -> dict[str, Any]:
    """Return the params of a model, required to be a dict of the four names."""
    report.require(isinstance(model, Subject), "TwoLayerNet(...) must make an object", symptom="not-a-class")
    try:
        params = model.get("params")
    except StudentError:
        params = None
    report.require(
        isinstance(params, dict) and set(params) == set(NAMES),
        f"self.params must be a dict with the keys {', '.join(NAMES)}, "
        f"got {sorted(map(str, params)) if isinstance(params, dict) else type(params).__name__}",
        hint="The Solver trains what it finds in self.params, so all four belong there.",
        symptom="params",
    )
    return dict(params)


def net_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    shape: Sequence[int],
    hidden: int,
    classes: int,
    *,
    reg: float,
    name: str,
) -> None:
    """Judge scores, loss and gradients at one place. shape : of X; name : of the stages, such as "images"."""
    n, d = shape[0], math.prod(shape[1:])
    params, x = random_params(rng, d, hidden, classes), rng.normal(0.2, 1.0, size=shape)
    y = rng.integers(0, classes, size=n)
    model = subject(input_dim=d, hidden_dim=hidden, num_classes=classes, reg=reg, seed=1)
    _params(model, report)
    model.set("params", params)
    loss_of = model.attribute("loss")
    with report.stage(f"{name}: scores"):
        call = loss_of.call(x)
        if isinstance(call.value, tuple):
            report.fail(
                "without labels, loss(X) must return the scores alone",
                hint="Without y there is no loss: leave early, with the scores.",
                symptom="scores-not-alone",
            )
        scores = report.array(call.value, (n, classes), name="scores")
        report.untouched(call, ["X"])
        want = net_scores(params, x)
        report.close(scores, want, name="scores", symptoms=_score_mistakes(params, x, want))
    with report.stage(f"{name}: loss"):
        call = loss_of.call(x, y)
        loss, grads = pair(call.value, "loss", "grads", report)
        report.untouched(call, ["X", "y"])
        _params_kept(model, params, report)
        loss, want_loss = loss_number(loss, report), net_loss(params, x, y, reg).real
        report.close(loss, want_loss, name="loss", symptoms=_loss_mistakes(params, want_loss, n, reg))
    with report.stage(f"{name}: gradients"):
        report.require(
            isinstance(grads, dict) and set(grads) == set(NAMES),
            f"grads must be a dict with the keys {', '.join(NAMES)}",
            hint="One gradient for each parameter, under the parameter's own name.",
            symptom="grad-keys",
        )
        slopes = net_slopes(params, x, y, reg)
        # From the last layer to the first: what goes wrong in one goes wrong in all before it.
        for key in ("b2", "W2", "b1", "W1"):
            got = report.array(grads[key], params[key].shape, name=f'grads["{key}"]')
            symptoms = _gradient_mistakes(params, slopes, x, y, key, reg)
            report.close(got, slopes[key], name=f'grads["{key}"]', symptoms=symptoms)


def _params_kept(model: Subject, params: Params, report: Report) -> None:
    now = _params(model, report)
    same = all(np.array_equal(_array(now[key]), params[key]) for key in NAMES)
    report.require(
        same,
        "loss has changed self.params",
        hint="loss only measures: the optimizer moves the parameters. `W *= ...` and `W += ...` write into them.",
        symptom="changes-params",
    )


def _score_mistakes(params: Params, x: np.ndarray, want: np.ndarray) -> list[Symptom]:
    hidden = x.reshape(len(x), -1) @ params["W1"] + params["b1"]
    no_b1 = net_scores(params | {"b1": 0 * params["b1"]}, x)
    top = want.max(axis=1, keepdims=True)
    softmax = np.exp(want - top) / np.exp(want - top).sum(axis=1, keepdims=True)
    return [
        Symptom("relu-on-scores", looks_like(np.maximum(want, 0)), "No ReLU after the last layer: scores can be < 0."),
        Symptom("no-relu", looks_like(hidden @ params["W2"] + params["b2"]), "The ReLU between the layers is missing."),
        Symptom("no-b1", looks_like(no_b1), "b1 is missing: use the parameters in self.params."),
        Symptom("no-b2", looks_like(want - params["b2"]), "b2 is missing: use the parameters in self.params."),
        Symptom("probabilities", looks_like(softmax), "Return the scores themselves: softmax belongs to the loss."),
    ]


def _loss_mistakes(params: Params, want: float, n: int, reg: float) -> list[Symptom]:
    w1, w2 = (float((params[key] ** 2).sum()) for key in ("W1", "W2"))
    biases = float((params["b1"] ** 2).sum() + (params["b2"] ** 2).sum())
    data = want - 0.5 * reg * (w1 + w2)
    if not reg:
        return [Symptom("loss-sum", looks_like(want * n), "softmax_loss is a mean already: hand it on as it is.")]
    wrong = {
        "reg-missing": (data, "The regularization is missing: add 0.5 * reg * (sum of W1**2 + sum of W2**2)."),
        "reg-not-half": (data + reg * (w1 + w2), "The course puts a half before it: 0.5 * reg * sum(W**2)."),
        "reg-quarter": (data + 0.25 * reg * (w1 + w2), "It is halved twice: 0.5 * reg * sum(W**2)."),
        "reg-doubled": (data + 2 * reg * (w1 + w2), "The factor is 0.5, not 2."),
        "reg-biases": (want + 0.5 * reg * biases, "Biases are not regularized: only W1 and W2 are."),
        "reg-one-layer": (data + 0.5 * reg * w1, "W2 is regularized too."),
        "reg-one-layer-2": (data + 0.5 * reg * w2, "W1 is regularized too."),
        "reg-over-n": (data + 0.5 * reg * (w1 + w2) / n, "The regularization is not divided by N."),
        "reg-norm": (data + 0.5 * reg * (math.sqrt(w1) + math.sqrt(w2)), "The sum of squares, without its root."),
    }
    return [Symptom(name.removesuffix("-2"), looks_like(value), hint) for name, (value, hint) in wrong.items()]


def _gradient_mistakes(
    params: Params, slopes: Params, x: np.ndarray, y: np.ndarray, key: str, reg: float
) -> list[Symptom]:
    want, decay = slopes[key], reg * params[key]
    symptoms = [
        Symptom("grad-times-n", looks_like(want * len(x)), "softmax_loss has divided by N already, or should have."),
        Symptom("grad-sign", looks_like(-want), "The gradient points uphill: the optimizer takes the minus sign."),
    ]
    if reg and key in ("b1", "b2"):
        hint = "Biases are not regularized, so reg * b has no place in their gradient."
        symptoms.insert(0, Symptom("reg-biases", looks_like(want + decay), hint))
    elif reg:
        hint = f"The slope of 0.5 * reg * sum({key}**2) is reg * {key}: "
        symptoms[:0] = [
            Symptom("reg-grad-missing", looks_like(want - decay), f"{hint}add it."),
            Symptom("reg-grad-double", looks_like(want + decay), f"{hint}yours has it twice."),
            Symptom("reg-grad-half", looks_like(want - 0.5 * decay), f"{hint}the half is gone in the slope."),
        ]
    if key in ("W1", "b1"):
        rows = x.reshape(len(x), -1)
        scores = net_scores(params, x)
        top = scores.max(axis=1, keepdims=True)
        up = np.exp(scores - top) / np.exp(scores - top).sum(axis=1, keepdims=True)
        up = ((up - (np.arange(up.shape[1]) == y[:, None])) / len(x)) @ params["W2"].T
        past = rows.T @ up + decay if key == "W1" else up.sum(axis=0)
        symptoms.append(Symptom("skips-relu", looks_like(past), "On its way down the gradient passes relu_backward."))
    return symptoms


def _examine_large(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Judge scores of a thousand and more, where a softmax without its shift breaks."""
    params, x = random_params(rng, 5, 4, 3), rng.normal(0, 40, size=(6, 5))
    params = {key: 30 * value for key, value in params.items()}
    y = rng.integers(0, 3, size=6)
    model = subject(input_dim=5, hidden_dim=4, num_classes=3, reg=0.0, seed=2)
    model.set("params", params)
    loss = loss_number(pair(model.attribute("loss")(x, y), "loss", "grads", report)[0], report)
    hint = "Let your softmax_loss compute the loss: it knows how to treat large scores."
    report.close(loss, net_loss(params, x, y, 0.0).real, name="loss", hint=hint)
