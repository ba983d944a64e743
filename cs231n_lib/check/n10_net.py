"""What is examined in N10: the ConvNet of three layers."""

import math
from typing import Any

import numpy as np

from .n10_net_oracle import NAMES, Params, Run, layer_functions, plain, random_params, shapes_of
from .n10_oracle import run, tuple_of
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject


@exercise("fast-ThreeLayerConvNet", points=8, title="a ConvNet of three layers")
def examine_net(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("parameters"):
        _examine_parameters(subject, rng, report)
    net_case(subject, rng, report, (2, 6, 6), filters=3, size=3, hidden=5, classes=4, reg=0.0, name="square images")
    reg = float(rng.uniform(0.3, 0.9))
    net_case(subject, rng, report, (3, 4, 8), filters=4, size=5, hidden=6, classes=3, reg=reg, name="regularized")
    with report.stage("arguments left out"):
        _require_defaults(subject, rng, report)


def make(subject: Subject, shapes: dict[str, tuple], image: tuple[int, ...], *, reg: float = 0.0, seed: int = 1) -> Any:
    """Return the student's net of these shapes, on layers of the judge's."""
    filters, _, size, _ = shapes["W1"]
    hidden, classes = shapes["W3"]
    sizes = {"num_filters": filters, "filter_size": size, "hidden_dim": hidden, "num_classes": classes}
    return subject(dict(layer_functions()), input_dim=image, **sizes, reg=reg, seed=seed)


def params_of(model: Any, report: Report) -> dict[str, Any]:
    """Return the params of a net, required to be a dict of the six names."""
    report.require(isinstance(model, Subject), "ThreeLayerConvNet(...) must make an object", symptom="not-a-class")
    try:
        params = model.get("params")
    except StudentError:
        params = None
    report.require(
        isinstance(params, dict) and set(params) == set(NAMES),
        f"self.params must be a dict with the keys {', '.join(NAMES)}",
        hint="The Solver trains what it finds in self.params, so all six belong there.",
        symptom="params",
    )
    return dict(params)


def _examine_parameters(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    image, seed = (3, 12, 20), int(rng.integers(1, 10**6))
    shapes = shapes_of(image, 16, 5, 30, 12)
    params = params_of(make(subject, shapes, image, seed=seed), report)
    _require_flat_size(params["W2"], image, shapes, report)
    for name, shape in shapes.items():
        params[name] = report.array(params[name], shape, name=f'params["{name}"]').astype(float)
    for name in ("b1", "b2", "b3"):
        zero = not params[name].any()
        report.require(zero, f'params["{name}"] must start at 0', hint="Only weights are drawn.", symptom="bias-drawn")
    for name in ("W1", "W2", "W3"):
        _require_spread(name, params[name], report)
    again, other = (params_of(make(subject, shapes, image, seed=s), report) for s in (seed, seed + 1))
    hint = "Draw from np.random.default_rng(seed), with the seed that you are given."
    same = all(np.allclose(plain(again[name]), params[name]) for name in NAMES)
    report.require(same, "the same seed must give the same parameters", hint=hint, symptom="seed")
    new = not np.allclose(plain(other["W1"]), params["W1"])
    report.require(new, "another seed must give other parameters", hint=hint, symptom="seed")


def _require_defaults(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Require reg=0.0 where it is left out."""
    sizes = {"num_filters": 2, "filter_size": 3, "hidden_dim": 3, "num_classes": 2, "seed": 3}
    params, x = random_params(rng, shapes_of((1, 4, 4), 2, 3, 3, 2)), rng.normal(size=(2, 1, 4, 4))
    losses = []
    for options in (sizes, sizes | {"reg": 0.0}):
        net = subject(dict(layer_functions()), input_dim=(1, 4, 4), **options)
        net.set("params", params)
        losses.append(tuple_of(net.attribute("loss")(x, np.arange(2)), "loss, grads", report)[0])
    report.default(losses[0], losses[1], "reg=0.0")


def _require_spread(name: str, weights: np.ndarray, report: Report) -> None:
    """Require He's spread. That of n normal numbers is known to 1 / sqrt(2n): 3.7 % for W3, the smallest."""
    fan_in = weights[0].size if weights.ndim == 4 else len(weights)
    want, found = math.sqrt(2 / fan_in), float(weights.std())
    if abs(found / want - 1) < 0.15 and abs(weights.mean()) < 0.15 * want:
        return
    message = f'params["{name}"]: standard deviation must be sqrt(2 / {fan_in}) = {want:.3g}, got {found:.3g}'
    hint = (
        f"One output of this layer is a sum over {fan_in} inputs. For filters that is C * K * K, one filter's weights; "
        "for a matrix it is the number of rows."
    )
    other = weights.shape[0] if weights.ndim == 4 else weights.shape[1]
    fan_out = abs(found / math.sqrt(2 / other) - 1) < 0.1
    report.fail(message, hint=hint, symptom="fan-out" if fan_out else "spread")


def _require_flat_size(w2: Any, image: tuple[int, int, int], shapes: dict[str, tuple], report: Report) -> None:
    rows = w2.shape[0] if isinstance(w2, np.ndarray) and w2.ndim == 2 else -1
    (c, h, w), (filters, _, k, _) = image, shapes["W1"]
    slips = {
        filters * 256: ("hard-coded-32", "16 x 16 is right for images of 32 x 32 alone: compute it from input_dim."),
        filters * h * w: ("flat-before-pool", "Pooling halves both height and width before the maps are flattened."),
        filters * (h // 2) * w: ("flat-before-pool", "Pooling halves both height and width."),
        filters * k * k: (
            "flat-from-filter",
            "The maps have the size of the image, halved: the filter's does not enter.",
        ),
        filters * ((h - k + 1) // 2) * ((w - k + 1) // 2): (
            "flat-no-pad",
            "With pad = (K - 1) / 2 the convolution keeps height and width: only the pooling makes them smaller.",
        ),
        c * (h // 2) * (w // 2): ("flat-channels", "After the convolution there are num_filters channels."),
        filters * (h // 2) * (h // 2): ("flat-square", "Images need not be square: use both height and width."),
        filters * (w // 2) * (w // 2): ("flat-square", "Images need not be square: use both height and width."),
    }
    want = shapes["W2"][0]
    if rows != want and rows in slips:
        symptom, hint = slips[rows]
        report.fail(f'params["W2"] must have F * H/2 * W/2 = {want} rows, got {rows}', hint=hint, symptom=symptom)


def net_case(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    image: tuple[int, int, int],
    *,
    filters: int,
    size: int,
    hidden: int,
    classes: int,
    reg: float,
    name: str,
    count: int = 5,
) -> None:
    """Judge scores, loss and gradients at one place, stage by stage."""
    shapes = shapes_of(image, filters, size, hidden, classes)
    params, x = random_params(rng, shapes), rng.normal(0.2, 1.0, size=(count, *image))
    y = rng.integers(0, classes, size=count)
    model = make(subject, shapes, image, reg=reg)
    params_of(model, report)
    model.set("params", params)
    want, loss_of = Run(params, x, y, reg), model.attribute("loss")
    with report.stage(f"{name}: scores"):
        call = run(loss_of, report, x, problem=lambda: None)
        if isinstance(call.value, tuple):
            hint = "Without y there is no loss: leave early, with the scores."
            report.fail("without labels, loss(X) must return the scores alone", hint=hint, symptom="scores-not-alone")
        scores = report.array(call.value, (count, classes), name="scores")
        report.untouched(call, ["X"])
        report.close(scores, want.scores, name="scores", symptoms=_score_slips(params, x, y, want))
    with report.stage(f"{name}: loss"):
        call = run(loss_of, report, x, y, problem=lambda: None)
        loss, grads = tuple_of(call.value, "loss, grads", report)
        report.untouched(call, ["X", "y"])
        now = params_of(model, report)
        kept = all(np.array_equal(plain(now[key]), params[key]) for key in NAMES)
        hint = "loss only measures: the optimizer moves the parameters. `W *= ...` and `W += ...` write into them."
        report.require(kept, "loss has changed self.params", hint=hint, symptom="changes-params")
        number = isinstance(loss, float | int | np.number) or (isinstance(loss, np.ndarray) and loss.ndim == 0)
        report.require(number, f"loss must be a number, got {type(loss).__name__}", symptom="loss-type")
        report.close(np.asarray(loss), want.loss, name="loss", symptoms=_loss_slips(params, want, reg))
    with report.stage(f"{name}: gradients"):
        _examine_gradients(grads, params, want, reg, report)


def _score_slips(params: Params, x: np.ndarray, y: np.ndarray, want: Run) -> list[Symptom]:
    symptoms = [
        Symptom("relu-on-scores", looks_like(np.maximum(want.scores, 0)), "No ReLU after the last layer."),
        Symptom("no-hidden-relu", looks_like(want.no_relu), "The ReLU between the two affine layers is missing."),
    ]
    for bias in ("b1", "b2", "b3"):
        without = Run(params | {bias: 0 * params[bias]}, x, y, 0.0).scores
        symptoms.append(Symptom("no-bias", looks_like(without), f"{bias} takes no part: use self.params."))
    return symptoms


def _loss_slips(params: Params, want: Run, reg: float) -> list[Symptom]:
    if not reg:
        return []
    data, squares = want.data_loss, want.squares
    biases = sum(float((params[key] ** 2).sum()) for key in ("b1", "b2", "b3"))
    symptoms = [
        Symptom("reg-missing", looks_like(data), "Add 0.5 * reg * the sum of the squares of W1, W2 and W3."),
        Symptom("reg-not-half", looks_like(data + reg * sum(squares)), "The factor is 0.5 * reg."),
        Symptom("reg-biases", looks_like(want.loss + 0.5 * reg * biases), "Biases are not regularized."),
    ]
    for i in range(3):
        left_out = data + 0.5 * reg * (sum(squares) - squares[i])
        symptoms.append(Symptom("reg-one-missing", looks_like(left_out), f"W{i + 1} is regularized too."))
    return symptoms


def _examine_gradients(grads: Any, params: Params, want: Run, reg: float, report: Report) -> None:
    report.require(
        isinstance(grads, dict) and set(grads) == set(NAMES),
        f"grads must be a dict with the keys {', '.join(NAMES)}",
        hint="One gradient for each parameter, under the parameter's own name.",
        symptom="grad-keys",
    )
    # From the last layer to the first: what goes wrong in one goes wrong in all before it.
    for key in ("b3", "W3", "b2", "W2", "b1", "W1"):
        got = report.array(grads[key], params[key].shape, name=f'grads["{key}"]')
        slope, decay = want.grads[key], reg * params[key]
        symptoms = []
        if reg and key.startswith("W"):
            hint = f"The slope of 0.5 * reg * sum({key}**2) is reg * {key}: "
            symptoms += [
                Symptom("reg-grad-missing", looks_like(slope - decay), f"{hint}add it."),
                Symptom("reg-grad-double", looks_like(slope + decay), f"{hint}yours has it twice."),
            ]
        elif reg:
            symptoms.append(Symptom("reg-biases", looks_like(slope + decay), "Biases are not regularized."))
        if key in ("W1", "b1"):
            symptoms += _way_back_slips(want, key, decay if key == "W1" else 0 * decay)
        report.close(got, slope, name=f'grads["{key}"]', symptoms=symptoms)


def _way_back_slips(want: Run, key: str, decay: np.ndarray) -> list[Symptom]:
    spread = (
        "The gradient of the pooled maps was spread over their windows. Only the pixel that was the maximum had a say: "
        "send it through max_pool_backward."
    )
    hints = {
        "skips-relu": "On its way down the gradient passes relu_backward, between the pooling and the convolution.",
        "skips-pool": spread,
        "shares-pool": spread,
    }
    place = 0 if key == "W1" else 1
    return [
        Symptom(kind.replace("shares", "skips"), looks_like(want.first_layer(kind)[place] + decay), hint)
        for kind, hint in hints.items()
    ]
