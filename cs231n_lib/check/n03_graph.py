"""What is examined in N03, third quarter: gradients by the chain rule, in one neuron and in any small graph.

The oracle is the complex step: for a function that is analytic around x, the imaginary part of f(x + ih) / h is the
derivative with an error of order h**2 and no difference to cancel, so h = 1e-30 gives all sixteen digits.
"""

import cmath
import math
from collections.abc import Callable

import numpy as np

from .report import CheckFailed, Report, Symptom, looks_like
from .spec import exercise
from .subject import Call, StudentError, Subject

TINY = 1e-30
Nodes = list[tuple[str, str, tuple[str, ...]]]
RULES: dict[str, Callable[..., complex]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "max": lambda a, b: a if a.real >= b.real else b,
    "exp": cmath.exp,
    "inv": lambda a: 1 / a,
}


@exercise("grad-neuron", points=2, title="a neuron and its gradients")
def examine_neuron(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    w, x = np.array([2.0, -3.0, -3.0]), np.array([-1.0, -2.0])
    with report.stage("shape"):
        call = _called(subject, w, x, report)
        out, dw, dx = _three(call, w, x, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["w", "x"])
    with report.stage("w = (2, -3, -3), x = (-1, -2)"):
        _neuron_close(report, out, dw, dx, w, x)
    with report.stage("values"):
        for size in rng.permutation(np.arange(1, 6)).tolist():
            w, x = rng.normal(size=size + 1), rng.normal(size=size)
            _neuron_close(report, *_three(_called(subject, w, x, report), w, x, report), w, x)
    with report.stage("large scores"):
        for score in (800.0, -800.0):
            w, x = np.array([score, 0.0]), np.ones(1)
            out, dw, dx = _three(_called(subject, w, x, report), w, x, report)
            finite = all(np.isfinite(part).all() for part in (out, dw, dx))
            report.require(finite, f"with a score of {score:g} there is a nan", hint=OVERFLOW, symptom="overflow")
            want = float(score > 0)
            report.close(np.array(out), want, atol=1e-12, name=f"the output at a score of {score:g}")
            report.close(np.append(dw, dx), np.zeros(3), atol=1e-12, name="the gradients there")


OVERFLOW = (
    "exp(800) is larger than any float. Write the sigmoid so that it stays finite: 1 / (1 + exp(-s)) with NumPy's exp "
    "gives 1/inf = 0, and the gradient needs only the output, not another exp."
)


def _called(subject: Subject, w: np.ndarray, x: np.ndarray, report: Report) -> Call:
    try:
        return subject.call(w, x)
    except StudentError as error:
        report.require(
            error.kind != "OverflowError", f"your code raised {error.kind}", hint=OVERFLOW, symptom="overflow"
        )
        raise


def _three(call: Call, w: np.ndarray, x: np.ndarray, report: Report) -> tuple[float, np.ndarray, np.ndarray]:
    """Require (out, dw, dx): a number and two float arrays."""
    value = call.value
    report.require(value is not None, "the result is None", hint="Does your function return?", symptom="no-return")
    if not isinstance(value, tuple | list) or len(value) != 3:
        got = f"{len(value)} values" if isinstance(value, tuple | list) else type(value).__name__
        report.fail(f"the result must be (out, dw, dx), got {got}", symptom="not-three")
    out, dw, dx = value
    number = np.ndim(out) == 0 if isinstance(out, int | float | np.floating | np.ndarray) else False
    report.require(number, f"out must be one number, got {type(out).__name__}", symptom="not-number")
    if isinstance(dw, np.ndarray) and dw.shape == x.shape != w.shape:
        report.fail(
            f"dw must have shape {w.shape}, got {dw.shape}",
            hint="The last entry of w, the bias, has a gradient too: its input is a 1 that does not stand in x.",
            symptom="bias-missing",
        )
    if isinstance(dx, np.ndarray) and dx.shape == w.shape != x.shape:
        report.fail(
            f"dx must have shape {x.shape}, got {dx.shape}",
            hint="x has no entry for the bias: its gradient has none either.",
            symptom="dx-with-bias",
        )
    return float(out), report.array(dw, w.shape, name="dw"), report.array(dx, x.shape, name="dx")


def _neuron_close(report: Report, out: float, dw: np.ndarray, dx: np.ndarray, w: np.ndarray, x: np.ndarray) -> None:
    """Compare with the complex step of the neuron, and name the usual slips."""

    def neuron(parts: list[complex]) -> complex:
        weights, inputs = parts[: len(w)], [*parts[len(w) :], 1.0]
        return 1 / (1 + cmath.exp(-sum(u * v for u, v in zip(weights, inputs, strict=True))))

    point = [complex(v) for v in [*w.tolist(), *x.tolist()]]
    want_out = neuron(point).real
    score = -math.log(1 / want_out - 1)
    report.close(
        np.array(out),
        want_out,
        name="out",
        symptoms=[
            Symptom("no-sigmoid", looks_like(score, rtol=1e-5), "This is the score: the sigmoid of it is asked."),
            Symptom("sigmoid-sign", looks_like(1 - want_out), "The sigmoid falls where it should rise: exp(-score)."),
        ],
        hint="The score is w[0] x[0] + w[1] x[1] + ... plus the last entry of w.",
    )
    moved = [neuron([v + TINY * 1j * (i == k) for i, v in enumerate(point)]).imag / TINY for k in range(len(point))]
    want_w, want_x = np.array(moved[: len(w)]), np.array(moved[len(w) :])
    local = want_out * (1 - want_out)
    for name, got, want in (("dw", dw, want_w), ("dx", dx, want_x)):
        symptoms = [
            Symptom(
                "no-local", looks_like(want / local), "The chain stops at the score: times the sigmoid's own slope."
            ),
            Symptom("s-only", looks_like(want / (1 - want_out)), "The sigmoid's slope is out (1 - out), not out."),
            Symptom("one-minus-s-only", looks_like(want / want_out), "The sigmoid's slope is out (1 - out)."),
            Symptom("sign", looks_like(-want), "The sign is reversed: the sigmoid rises with its score."),
            Symptom(
                "own-input",
                looks_like(local * np.append(w[:-1], 1.0)) if name == "dw" else looks_like(local * x),
                "In a product each factor gets the *other* factor: dw holds x, dx holds w.",
            ),
            Symptom(
                "bias-zero",
                lambda v, name=name, want=want: bool(
                    name == "dw" and v[-1] != want[-1] and np.allclose(v[:-1], want[:-1])
                ),  # type: ignore[misc]
                "Only the bias's gradient is off: the score grows by 1 when the bias does.",
            ),
        ]
        report.close(got, want, rtol=1e-8, atol=1e-10, name=name, symptoms=symptoms)


def evaluate(nodes: Nodes, inputs: dict[str, complex]) -> dict[str, complex]:
    """Return the value of every input and node."""
    values = dict(inputs)
    for name, rule, parents in nodes:
        values[name] = RULES[rule](*(values[parent] for parent in parents))
    return values


def derivatives(nodes: Nodes, inputs: dict[str, float]) -> dict[str, float]:
    """Return the derivative of the last node by every input and node, one complex step for each."""
    last = nodes[-1][0]
    found = {}
    for name in [*inputs, *(node[0] for node in nodes)]:
        values: dict[str, complex] = {key: complex(value) for key, value in inputs.items()}
        if name in values:
            values[name] += TINY * 1j
        for node, rule, parents in nodes:
            values[node] = RULES[rule](*(values[parent] for parent in parents)) + TINY * 1j * (node == name)
        found[name] = values[last].imag / TINY
    return found


def compare_graph(
    subject: Subject, report: Report, nodes: Nodes, inputs: dict[str, float], slips: dict[str, tuple[dict, str]]
) -> None:
    """Run the student's `backward` on a graph and compare every gradient.

    slips : symptom -> (some gradients that show it, hint)
    """
    values = {name: value.real for name, value in evaluate(nodes, {k: complex(v) for k, v in inputs.items()}).items()}
    want = derivatives(nodes, inputs)
    call = subject.call(nodes, values)
    got = call.value
    if not isinstance(got, dict):
        hint = "Does your function end in `return`?" if got is None else ""
        raise CheckFailed(f"the result must be a dict, got {type(got).__name__}", hint, "not-dict")
    missing = [name for name in want if name not in got]
    report.require(
        not missing,
        f"the gradient of {', '.join(missing)} is missing",
        hint="Every input and every node has a gradient. Where the last node does not depend on it, that is 0.",
        symptom="missing-name",
    )
    for name in want:
        value = got[name][()] if isinstance(got[name], np.ndarray) and got[name].ndim == 0 else got[name]
        number = isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)
        report.require(number, f"the gradient of {name} must be a number, got {got[name]!r:.40}", symptom="not-number")
        got[name] = float(value)
    report.untouched(call, ["nodes", "values"])
    last = nodes[-1][0]
    for name in [last, *reversed([n for n in want if n != last])]:
        error = abs(got[name] - want[name])
        if error <= 1e-9 * max(1.0, abs(want[name])):
            continue
        message = f"the gradient of {name} should be {want[name]:.6g}, got {got[name]:.6g}"
        if name == last:
            report.fail(message, hint="The last node's derivative by itself is 1: begin there.", symptom="no-seed")
        for symptom, (shown, hint) in slips.items():
            if all(math.isclose(got[key], value, rel_tol=1e-9, abs_tol=1e-12) for key, value in shown.items()):
                report.fail(message, hint=hint, symptom=symptom)
        report.fail(message, hint="Follow the last node's gradient back, one node at a time.", symptom="values")


@exercise("grad-backward", points=3, title="backpropagation through any graph")
def examine_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    a, b = float(rng.uniform(1.2, 1.8)), float(rng.uniform(2.2, 2.8))
    two = {"a": a, "b": b}
    with report.stage("one node at a time"):
        compare_graph(subject, report, [("f", "add", ("a", "b"))], two, {})
        own = {"own-input": ({"a": a, "b": b}, "In a product each factor gets the *other* factor.")}
        compare_graph(subject, report, [("f", "mul", ("a", "b"))], two, own)
        slips = {
            "max-both": ({"a": 1.0, "b": 1.0}, "Only the larger input moves the maximum: the other's gradient is 0."),
            "max-loser": ({"a": 1.0, "b": 0.0}, "The gradient goes to the larger input: yours went to the smaller."),
        }
        compare_graph(subject, report, [("f", "max", ("a", "b"))], two, slips)
        power = {"exp-of-input": ({"a": a}, "The slope of exp is exp itself, the value of the node, not its input.")}
        compare_graph(subject, report, [("f", "exp", ("a",))], {"a": a}, power)
        inverse = {
            "inv-sign": ({"a": 1 / a**2}, "1/x falls as x grows: its slope is negative."),
            "inv-power": ({"a": -1 / a}, "The slope of 1/x is -1/x**2: the square is missing."),
        }
        compare_graph(subject, report, [("f", "inv", ("a",))], {"a": a}, inverse)
    with report.stage("(x + y) z"):
        nodes: Nodes = [("q", "add", ("x", "y")), ("f", "mul", ("q", "z"))]
        slips = {
            "wrong-order": (
                {"x": 0.0, "y": 0.0},
                "q had no gradient yet when it was its turn to hand one on: go through the nodes from last to first.",
            ),
            "no-upstream": (
                {"x": 1.0, "y": 1.0},
                "These are the local slopes only: multiply each by the gradient of the node's own value.",
            ),
        }
        compare_graph(subject, report, nodes, {"x": -2.0, "y": 5.0, "z": -4.0}, slips)
    with report.stage("a value used twice"):
        nodes = [("p", "mul", ("x", "y")), ("q", "add", ("x", "z")), ("f", "mul", ("p", "q"))]
        x, y, z = rng.uniform(1.1, 1.9, size=3).tolist()
        once = "x acts on f along two paths, and its gradient is the sum over both: add to what is there (+=)."
        slips = {"overwrites": ({"x": (x + z) * y}, once), "keeps-first": ({"x": x * y}, once)}
        compare_graph(subject, report, nodes, {"x": x, "y": y, "z": z}, slips)
        slips = {"same-input-twice": ({"x": x}, "x times x: both factors are x, and each hands its share back.")}
        compare_graph(subject, report, [("f", "mul", ("x", "x"))], {"x": x}, slips)
    with report.stage("a value that plays no part"):
        nodes = [("side", "exp", ("y",)), ("f", "mul", ("x", "x"))]
        compare_graph(subject, report, nodes, {"x": 3.0, "y": 0.5}, {})
    with report.stage("random graphs"):
        for _ in range(6):
            compare_graph(subject, report, *random_graph(rng, size=12), {})


def random_graph(rng: np.random.Generator, *, size: int) -> tuple[Nodes, dict[str, float]]:
    """Return a graph of `size` nodes over three inputs whose values stay moderate. Its last node adds up loose ends."""
    inputs = {name: float(rng.uniform(0.5, 2) * rng.choice([-1, 1])) for name in rng.permutation(list("uvw")).tolist()}
    values: dict[str, complex] = {name: complex(value) for name, value in inputs.items()}
    nodes: Nodes = []
    while len(nodes) < size:
        rule = str(rng.choice(list(RULES)))
        parents = tuple(str(name) for name in rng.choice(list(values), size=1 if rule in ("exp", "inv") else 2))
        given = [values[parent].real for parent in parents]
        tie = rule == "max" and (len(set(parents)) == 1 or abs(given[0] - given[1]) < 1e-6)
        if tie or (rule == "inv" and abs(given[0]) < 0.3) or (rule == "exp" and given[0] > 2):
            continue
        value = RULES[rule](*(values[parent] for parent in parents))
        if abs(value) < 20:
            name = f"n{len(nodes)}"
            nodes.append((name, rule, parents))
            values[name] = value
    used = {parent for _, _, parents in nodes for parent in parents}
    total, *rest = [name for name, _, _ in nodes if name not in used]
    for number, name in enumerate(rest):
        nodes.append((f"s{number}", "add", (total, name)))
        total = f"s{number}"
    return nodes, inputs
