"""The backprop explorer against torch's autograd and finite differences, for any expression, and the wrong student."""

import random

import numpy as np
import pytest
import torch

from cs231n_lib import widgets
from cs231n_lib.widgets.backprop import MODEL, Layout
from cs231n_lib.widgets.backprop_circuit import GIVEN, forward, measured, parse
from cs231n_lib.widgets.backprop_steps import EXAMPLES, Steps, compute, pending
from cs231n_lib.widgets.base import Event, Static
from tests.cells import namespace

CUTS = ("as written", "add mul max exp inv")
NAMES = {"exp": "exp", "log": "log", "sqrt": "sqrt", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
NAMES |= {"max": "maximum", "min": "minimum"}


def of_tensors(function):
    """torch's functions take tensors only, the expressions also have numbers."""
    return lambda *given: function(*[torch.as_tensor(value, dtype=torch.float64) for value in given])


TORCH = {name: of_tensors(getattr(torch, theirs)) for name, theirs in NAMES.items()}


def by_torch(text, inputs):
    leaves = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in inputs.items()}
    end = eval(text, {**TORCH, **leaves})
    end.backward()
    return end.item(), {name: 0.0 if leaf.grad is None else leaf.grad.item() for name, leaf in leaves.items()}


def random_expression(rng, depth=3):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(["x", "y", "z", "w0", f"{rng.uniform(0.5, 3):.2f}"])
    a, b = (random_expression(rng, depth - 1) for _ in range(2))
    return rng.choice([
        f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} / (2 + exp({b})))", f"tanh({a})", f"sigmoid({a})",
        f"log(1 + exp({a}))", f"sqrt(1 + ({a}) ** 2)", f"(-{a})", f"({a}) ** 3", f"relu1({a}, {b})", f"exp(tanh({a}))",
    ]).replace("relu1", rng.choice(["max", "min"]))  # fmt: skip


def expressions(count=40):
    rng = random.Random(0)
    found = list(EXAMPLES)
    while len(found) < count:
        text = random_expression(rng)
        try:
            for cut in CUTS:
                parse(text, fine=cut != CUTS[0])
        except ValueError:
            continue
        found.append(text)
    return found


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("text", expressions())
def test_values_and_gradients_are_torchs_and_the_measured_ones(text, cut):
    rng = np.random.default_rng(len(text))
    inputs = {name: float(rng.uniform(0.2, 2)) for name in parse(text, fine=False).inputs}
    values = ", ".join(f"{name} = {value!r}" for name, value in inputs.items())
    r = compute(Steps(expression=text, values=values, cut=cut), {})
    assert r.problem == ""
    end, grads = by_torch(text, inputs)
    assert r.values[r.circuit.gates[-1][0]] == pytest.approx(end, rel=1e-9)
    for name, grad in grads.items():
        assert r.grads[name] == pytest.approx(grad, rel=1e-8, abs=1e-10)
        assert r.measured[name] == pytest.approx(grad, rel=1e-4, abs=1e-5)
    if cut != CUTS[0]:
        assert {rule for _, rule, _ in r.circuit.gates} <= {*GIVEN, "log", "sqrt"}


def test_the_lectures_numbers():
    r = compute(Steps(), {})
    assert [r.values["q1"], r.values["q2"]] == [3, -12]
    assert {n: r.grads[n] for n in ("x", "y", "z", "q1")} == {"x": -4, "y": -4, "z": 3, "q1": -4}
    for cut in CUTS:
        r = compute(Steps(expression="sigmoid(w0*x0 + w1*x1 + w2)", cut=cut), {})
        got = [round(r.grads[n], 2) for n in ("w0", "x0", "w1", "x1", "w2")]
        assert got == [-0.2, 0.39, -0.39, -0.59, 0.2]
    r = compute(Steps(expression="-log(exp(s0) / (exp(s0) + exp(s1) + exp(s2)))"), {})
    assert [f"{r.grads[n]:.2f}" for n in ("s0", "s1", "s2")] == ["-0.87", "0.87", "0.00"]
    assert f"{r.values[r.circuit.gates[-1][0]]:.2f}" == "2.04"


def test_a_value_used_twice_is_one_gate_and_its_gradients_are_added():
    circuit = parse("exp(x) * exp(x) + x", fine=False)
    assert [rule for _, rule, _ in circuit.gates] == ["exp", "mul", "add"]
    assert circuit.gates[1][2] == ("q1", "q1")
    widget = Static(MODEL, {"expression": "(x + y) * max(y, z)", "step": 60}, {})
    assert "copy adds: 3 + 2 = 5 for y" in widget.status


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x +", "must be a formula such as (x + y) * z, got 'x +'"),
        ("", "must be a formula"),
        ("__import__('os')", "got \"__import__('os')\""),
        ("x.real + 1", "got 'x.real'"),
        ("(lambda: x)()", "must be made of"),
        ("x ** y", "an exponent must be a number, got 'y'"),
        ("max(x)", "must be made of"),
        ("exp", "must be made of"),
        ("3 + 4", "must have a name and something done to it"),
        ("x", "must have a name and something done to it"),
        ("x / (1 - 1)", ""),
        ("x + 1 / 0", "numbers must be finite"),
        ("True * x", "must be made of"),
        ("1e9 * x", "must be made of"),
        ("x[0]", "must be made of"),
        ("+".join("abcdefghi"), "at most 20 gates (12 in a row), 8 names"),
        ("exp(" * 13 + "x" + ")" * 13, "at most 20 gates (12 in a row)"),
        ("(" * 190 + "x", "must be a formula"),
    ],
)
def test_what_is_no_expression_gets_one_sentence_and_stays_to_be_mended(text, words):
    widget = Static(MODEL, None, {})
    widget.set("expression", text)
    assert widget.state.expression == text
    assert words in widget.problem
    assert widget.problem
    assert "\n" not in widget.problem
    if words:
        assert "No circuit for" in widget.picture
    widget.step()
    widget.press("back")
    widget.point(Event("down", 50, 50))
    widget.set("expression", "x * 2")
    assert widget.problem == ""


def test_values_that_cannot_be_read_or_lead_nowhere_are_told():
    widget = Static(MODEL, None, {})
    for text in ("x", "x = a", "x = nan", "3 = 4", "x = 1e99"):
        widget.set("values", text)
        assert widget.problem.startswith("values: must look like x = -2, y = 5, got")
    widget = Static(MODEL, {"expression": "log(x)", "values": "x = -1"}, {})
    assert "finite numbers only" in widget.problem
    assert "no log of 0" in widget.problem
    widget = Static(MODEL, {"values": "x = 1, k = 2"}, {})
    assert "k does not occur" in widget.status


def test_steps_forward_then_backward_reveal_one_number_each():
    widget = Static(MODEL, {"step": 0}, {})
    seen = [widget.picture]
    for _ in range(7):
        widget.step()
        seen.append(widget.picture)
    assert len(set(seen)) == 8
    assert widget.status.endswith("Gradients: x -4, y -4, z 3.")
    widget.step()
    assert widget.state.step == 7
    for picture in reversed(seen[:-1]):
        widget.press("back")
        assert widget.picture == picture
    assert "-12" not in seen[1]
    assert "-12" in seen[2]
    assert "◂" not in seen[2].partition("</text>")[2].partition("</text>")[2]  # after the caption: no gradient yet


def test_the_quiz_asks_every_number_hides_it_and_hints():
    widget = Static(MODEL, {"step": 0, "quiz": True}, {})
    for _ in range(7):
        _, answer = pending(compute(widget.state, {}))
        widget.set("guess", answer + 0.6)
        widget.press("check")
        assert "✗ Not that." in widget.picture
        widget.set("guess", answer + 0.004)  # a rounding
        widget.press("check")
    assert (widget.state.right, widget.state.wrong, widget.state.step) == (7, 7, 7)
    assert "Quiz: 7 right, 7 wrong" in widget.status
    before = widget.state
    widget.press("check")
    assert widget.state == before
    hidden = Static(MODEL, {"step": 3, "quiz": True}, {}).picture
    shown = Static(MODEL, {"step": 3}, {}).picture
    assert ">-4</text>" in shown.replace(' font-size="11" text-anchor="end"', "")
    assert hidden.count(">-4</text>") < shown.count(">-4</text>")  # the local slope of the product is the answer


def test_pointer_and_keys():
    widget = Static(MODEL, {"step": 7}, {})
    plan = Layout(compute(widget.state, {}))
    x, y = plan.at(plan.stands["q1"])
    widget.point(Event("down", x, y))
    assert "back through +" in widget.status
    widget.point(Event("down", *plan.at(plan.stands["z"])))
    assert widget.state.picked == 2
    widget.point(Event("key", key="ArrowUp"))
    assert widget.state.values == "x = -2, y = 5, z = -3.9"
    widget.point(Event("key", key="1"))
    widget.point(Event("key", key="ArrowDown"))
    assert widget.state.values == "x = -2.1, y = 5, z = -3.9"
    step = widget.state.step
    widget.point(Event("key", key="ArrowLeft"))
    assert widget.state.step == step - 1


@pytest.mark.parametrize("text", expressions(60))
def test_boxes_do_not_overlap_and_wires_pass_them_by(text):
    for cut in CUTS:
        r = compute(Steps(expression=text, cut=cut), {})
        plan = Layout(r)
        centres = {name: plan.at(place) for name, place in plan.stands.items()}
        names = list(centres)
        for i, a in enumerate(names):
            for b in names[:i]:
                dx, dy = (abs(p - q) for p, q in zip(centres[a], centres[b], strict=True))
                assert dx >= 76 or dy >= 70, (a, b)
        for edge in r.circuit.edges:
            for x, y in plan.wire(r, edge)[1:-1]:
                near = [n for n, (cx, cy) in centres.items() if abs(cx - x) < 40 and abs(cy - y) < 40]
                assert not set(near) - {edge[0], r.parent(edge)}


@pytest.fixture(scope="module")
def answer():
    return namespace("a1/N03_gradient_lab.py", "setup", "solution")["backward"]


@pytest.mark.parametrize("text", expressions())
def test_the_notebooks_answer_agrees_wherever_it_is_asked(answer, text):
    widget = Static(MODEL, {"expression": text, "cut": CUTS[1]}, {"backward": answer})
    r = compute(widget.state, {"backward": answer})
    known = all(rule in GIVEN for _, rule, _ in r.circuit.gates)
    assert widget.problem == ""
    assert ("Your function agrees." in widget.status) == known


def assigns(nodes, values):
    """The forgotten +=, with the loop otherwise right for add, mul and max."""
    grads = dict.fromkeys(values, 0.0) | {nodes[-1][0]: 1.0}
    for name, rule, parents in reversed(nodes):
        given = [values[p] for p in parents]
        slopes = {"add": [1, 1], "mul": given[::-1], "max": [float(v == values[name]) for v in given]}[rule]
        for parent, slope in zip(parents, slopes, strict=True):
            grads[parent] = slope * grads[name]
    return grads


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (assigns, "your gradient of y is 2, expected 5 (marked ✗)"),
        (lambda n, v: {**dict.fromkeys(v, 0.0)}, "expected 1"),
        (lambda n, v: {"x": 1.0}, "must return a gradient for every name in values, 'y' is missing"),
        (lambda n, v: [1.0] * len(v), "must return a dict of gradients, got list"),
        (lambda n, v: dict.fromkeys(v, "much"), "raised ValueError"),
        (lambda n, v: v.clear() or {}, "is missing"),
    ],
    ids=["assigns", "zeros", "one name", "list", "words", "clears"],
)
def test_a_wrong_function_is_told_how_and_marked(wrong, words):
    state = {"expression": "(x + y) * max(y, z)", "step": 60}
    widget = widgets.backprop_explorer(wrong, state=state)
    assert words in widget.problem
    assert ("✗ yours" in widget.picture) == ("expected" in words)
    widget.close()


def test_forward_and_measured_leave_what_they_get():
    circuit, inputs = parse("x * y", fine=False), {"x": 2.0, "y": 3.0}
    assert forward(circuit, inputs)["q1"] == 6
    assert measured(circuit, inputs) == pytest.approx({"x": 3, "y": 2})
    assert inputs == {"x": 2.0, "y": 3.0}
