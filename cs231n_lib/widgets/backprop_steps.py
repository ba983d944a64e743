"""The steps of the backprop explorer: settings, both passes as far as they are shown, and what is said about them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backprop_circuit import (
    GIVEN,
    RULES,
    STEPS,
    Circuit,
    contributions,
    forward,
    local_slopes,
    measured,
    parse,
    read_values,
)
from .base import Button, Choice, Data, Number, Slider, State, Switch, Text, ask

# The lecture's and the notebook's circuits with their numbers; other names start at OTHER.
EXAMPLES = {
    "(x + y) * z": "x = -2, y = 5, z = -4",
    "sigmoid(w0*x0 + w1*x1 + w2)": "w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3",
    "2 * (x*y + max(z, w))": "x = 3, y = -4, z = 2, w = -1",
    "(x + y) * max(y, z)": "x = 1, y = 2, z = 0",
    "-log(exp(s0) / (exp(s0) + exp(s1) + exp(s2)))": "s0 = 3.2, s1 = 5.1, s2 = -1.7",
    "(w*x + b - y) ** 2": "w = 2, x = 1.5, b = -1, y = 3",
    "tanh(relu(x) - y)": "x = 0.5, y = 1.2",
}
OTHER = 1.5


@dataclass(frozen=True)
class Steps(State):
    """The expression, its values, how far the passes have come, and the quiz."""

    expression: str = "(x + y) * z"
    values: str = ""
    cut: str = "as written"
    step: int = 2
    quiz: bool = False
    guess: float = 0.0
    picked: int = 0
    right: int = 0
    wrong: int = 0
    missed: int = -1  # the step at which the last answer was wrong


CONTROLS = (
    Text("expression", "expression", tuple(EXAMPLES), hint="+ - * / **, exp, log, sqrt, sigmoid, tanh, relu, max, min"),
    Text("values", "values", ("", "x = 1, y = 2, z = 3"), hint="such as x = -2, y = 5; empty: the example's own"),
    Choice("cut", "gates", ("as written", "add mul max exp inv")),
    Slider("step", "step", 0, STEPS, hint="first forward gate by gate, then backward wire by wire"),
    Switch("quiz", "quiz: I answer first"),
    Number("guess", "my answer", -1000.0, 1000.0, step=0.01, needs={"quiz": True}),
    Button("check", "Check my answer", needs={"quiz": True}),
    Button("back", "Step back"),
)


@dataclass(frozen=True)
class Graph:
    """All numbers of both passes, and how many of them are shown: `step` of `total`."""

    state: Steps
    circuit: Circuit  # without gates if expression or values cannot be read
    total: int
    step: int
    values: Mapping[str, float]
    slopes: Mapping[tuple[str, int], float]
    backs: Mapping[tuple[str, int], float]
    grads: Mapping[str, float]
    measured: Mapping[str, float]
    yours: Mapping[str, float]
    wrong: tuple[str, ...]  # names whose gradient the student's function gives otherwise
    unused: tuple[str, ...]
    problem: str

    def parent(self, edge: tuple[str, int]) -> str:
        """Return the name at the other end of a wire."""
        return next(parents for name, _, parents in self.circuit.gates if name == edge[0])[edge[1]]

    def done(self) -> list[tuple[str, int]]:
        """Return the wires along which a gradient has come back so far."""
        return self.circuit.edges[: max(0, self.step - len(self.circuit.gates) - 1)]

    def known(self, name: str) -> float | None:
        """Return the gradient of a name as far as it has come back; None before."""
        if name == self.circuit.gates[-1][0]:
            return 1.0 if self.step > len(self.circuit.gates) else None
        parts = [self.backs[edge] for edge in self.done() if self.parent(edge) == name]
        return sum(parts) if parts else None

    def complete(self, name: str) -> bool:
        """True if all of the gradient of a name has come back."""
        waiting = self.circuit.edges[len(self.done()) :]
        return self.known(name) is not None and all(self.parent(edge) != name for edge in waiting)


def compute(state: Steps, data: Data) -> Graph:
    """Return both passes through the circuit of an expression."""
    try:
        circuit = parse(state.expression, fine=state.cut != "as written")
        given = read_values(state.values)
    except ValueError as error:
        return Graph(state, Circuit((), (), {}), 0, 0, {}, {}, {}, {}, {}, {}, (), (), str(error))
    inputs = inputs_of(state, circuit, given)
    values, end = forward(circuit, inputs), circuit.gates[-1][0]
    slopes = local_slopes(circuit, values)
    backs = contributions(circuit, slopes)
    grads = dict.fromkeys(values, 0.0) | {end: 1.0}
    parents = {name: names for name, _, names in circuit.gates}
    for (name, port), value in backs.items():
        grads[parents[name][port]] += value
    yours: dict[str, float] = {}
    wrong: tuple[str, ...] = ()
    problem = ""
    bad = [name for name, value in values.items() if not np.isfinite(value)]
    if bad or not np.isfinite(list(slopes.values())).all():
        problem = "values: the passes must meet finite numbers only (no log of 0 or less, no 1/0); change them"
    elif "backward" in data and all(rule in GIVEN for _, rule, _ in circuit.gates):
        yours, wrong, problem = _your_gradients(data["backward"], circuit, values, slopes, grads)
    total = len(circuit.gates) + 1 + len(circuit.edges)
    return Graph(
        state=state, circuit=circuit, total=total, step=min(state.step, total), values=values, slopes=slopes,
        backs=backs, grads=grads, measured=measured(circuit, inputs), yours=yours, wrong=wrong,
        unused=tuple(name for name in given if name not in circuit.inputs), problem=problem,
    )  # fmt: skip


def inputs_of(state: Steps, circuit: Circuit, given: Mapping[str, float]) -> dict[str, float]:
    """Return the value of each input: what was typed, else the example's, else OTHER."""
    known = read_values(EXAMPLES.get(state.expression, "")) | dict(given)
    return {name: known.get(name, OTHER) for name in circuit.inputs}


def _your_gradients(
    function: Callable[..., Any], circuit: Circuit, values: Mapping[str, float],
    slopes: Mapping[tuple[str, int], float], grads: Mapping[str, float],
) -> tuple[dict[str, float], tuple[str, ...], str]:  # fmt: skip
    """Return the student's gradients, the names where they differ, and what is wrong with them."""
    names, told = [name for name in values if name not in circuit.constants], []

    def called(nodes: list, given: dict) -> Any:
        answer = function(nodes, given)
        told.append(answer)
        complete = isinstance(answer, Mapping) and all(name in answer for name in names)
        return [float(answer[name]) for name in names] if complete else 0.0

    called.__name__ = name = getattr(function, "__name__", type(function).__name__)
    answer, problem = ask(called, list(circuit.gates), dict(values), shape=None)
    if told and not isinstance(told[0], Mapping):
        return {}, (), f"{name} must return a dict of gradients, got {type(told[0]).__name__}"
    if told and (missing := [n for n in names if n not in told[0]]):
        return {}, (), f"{name} must return a gradient for every name in values, {missing[0]!r} is missing"
    if answer is None:
        return {}, (), problem
    yours = dict(zip(names, (float(value) for value in answer), strict=True))
    ties = {p for n, rule, ps in circuit.gates for p in ps if rule == "max" and values[ps[0]] == values[ps[1]]}
    if ties:  # at a kink every share is a right answer, and so is all that follows from it
        return yours, (), ""
    wrong = tuple(n for n in names if not np.isclose(yours[n], grads[n], rtol=1e-6, atol=1e-9))
    if wrong:
        first = next((n for n in [*[g[0] for g in reversed(circuit.gates)], *circuit.inputs] if n in wrong), wrong[0])
        problem = f"your gradient of {first} is {yours[first]:.4g}, expected {grads[first]:.4g}"
        problem += f"; {len(wrong)} of {len(names)} differ (marked ✗)" if len(wrong) > 1 else " (marked ✗)"
    return yours, wrong, problem


# --- in words


def short(value: float) -> str:
    """Return a number as the slides print it: two decimals, one digit of what is smaller."""
    size = abs(value)
    if not np.isfinite(value):
        return str(value)
    if 0 < size < 0.01 or size >= 1e5:
        told = f"{value:.3f}" if 0.001 <= size < 1 else f"{value:.0e}"
        return told.replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.2f}".rstrip("0").rstrip(".") if size < 1000 else f"{value:.0f}"


def pending(r: Graph) -> tuple[str, float] | None:
    """Return the question of the quiz and its answer: the next number. None at the end."""
    if r.step >= r.total:
        return None
    gates = r.circuit.gates
    if r.step < len(gates):
        name = gates[r.step][0]
        return f"Which value does {label(r, name)} give?", r.values[name]
    if r.step == len(gates):
        return "The backward pass begins: what is the gradient of the end by itself?", 1.0
    edge = r.circuit.edges[r.step - len(gates) - 1]
    return f"What comes back from {label(r, edge[0])} to {label(r, r.parent(edge))}?", r.backs[edge]


def label(r: Graph, name: str) -> str:
    """Return an input's name, or a gate's sign with its constant, such as ×-1."""
    for gate, rule, parents in r.circuit.gates:
        if gate == name:
            sign = RULES[rule].sign
            fixed = [(port, short(r.values[p])) for port, p in enumerate(parents) if p in r.circuit.constants]
            if not fixed:
                return sign
            if rule == "add" and fixed[0][1].startswith("-"):
                return f"−{fixed[0][1][1:]}"
            ahead = fixed[0][0] == 0 and rule in ("sub", "div")
            return f"{fixed[0][1]}{sign}" if ahead else f"{sign}{' ' if len(sign) > 1 else ''}{fixed[0][1]}"
    return name


def told(r: Graph) -> tuple[str, str, str]:
    """Return the step that was just made: a headline, its numbers, and the role of its gate."""
    gates = r.circuit.gates
    head = f"Step {r.step} of {r.total}"
    if r.step == 0:
        return head, "Nothing is computed yet: only the inputs have values.", ""
    if r.step <= len(gates):
        name, _, parents = gates[r.step - 1]
        given = ", ".join(short(r.values[p]) for p in parents)
        return f"{head} · forward", f"{label(r, name)} of {given} = {short(r.values[name])}", ""
    if r.step == len(gates) + 1:
        return f"{head} · backward begins", "The end by itself: gradient 1.", ""
    edge = r.circuit.edges[r.step - len(gates) - 2]
    name, target = edge[0], r.parent(edge)
    role = RULES[next(rule for gate, rule, _ in gates if gate == name)].role
    line = f"to {label(r, target)}: upstream {short(r.grads[name])} × local {short(r.slopes[edge])}"
    line += f" = {short(r.backs[edge])}"
    parts = [r.backs[e] for e in r.done() if r.parent(e) == target]
    if len(parts) > 1:
        role = f"copy adds: {' + '.join(short(p) for p in parts)} = {short(sum(parts))} for {label(r, target)}"
    return f"{head} · back through {label(r, name)}", line, role


def describe(r: Graph) -> str:
    """Return the result in words."""
    if not r.circuit.gates:
        return f"No circuit for {r.state.expression!r}: it cannot be read."
    end = r.circuit.gates[-1][0]
    words = f"{r.state.expression}: " + ". ".join(part.rstrip(".") for part in told(r) if part) + "."
    if r.step >= len(r.circuit.gates):
        words += f" The end is {short(r.values[end])}."
    if r.step == r.total:
        words += " Gradients: " + ", ".join(f"{n} {short(r.grads[n])}" for n in r.circuit.inputs) + "."
    if r.state.quiz:
        words += f" Quiz: {r.state.right} right, {r.state.wrong} wrong."
    if r.unused:
        words += f" {', '.join(r.unused)} {'does' if len(r.unused) == 1 else 'do'} not occur in the expression."
    return words + (" Your function agrees." if r.yours and not r.problem else "")
