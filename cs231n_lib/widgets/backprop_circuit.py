"""The numbers of the backprop explorer: an expression cut into gates, its values, local slopes and gradients.

A circuit has the form of notebook N03, a list of (name, rule, parents) in which each gate comes after its parents.
"""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

GATES, INPUTS, STEPS, DEEP = 20, 8, 60, 12  # the most that a picture holds; DEEP: gates one after another
LARGEST = 1e6  # of a number that is typed
GIVEN = ("add", "mul", "max", "exp", "inv")  # the rules of N03, which a student's function knows
Gate = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Rule:
    """What a gate does: its sign, its value, its slope by each input (given the inputs, then the value), its role."""

    sign: str
    value: Callable[..., float]
    slopes: Callable[..., tuple[float, ...]]
    role: str


def _sigmoid(a: float) -> float:
    return float(1 / (1 + np.exp(-a)) if a >= 0 else np.exp(a) / (1 + np.exp(a)))  # exp never gets a large number


RULES = {
    "add": Rule("+", lambda a, b: a + b, lambda a, b, f: (1, 1), "add distributes: each input gets the upstream as is"),
    "sub": Rule("−", lambda a, b: a - b, lambda a, b, f: (1, -1), "sub distributes, with a minus for the second input"),
    "mul": Rule("×", lambda a, b: a * b, lambda a, b, f: (b, a), "mul swaps: each input gets the other one's value"),
    "div": Rule("÷", lambda a, b: a / b, lambda a, b, f: (1 / b, -a / b**2),
                "div: 1/b for the numerator, -a/b² for the denominator"),
    "max": Rule("max", lambda a, b: np.maximum(a, b), lambda a, b, f: (float(a >= b), float(a < b)),
                "max routes: all to the larger input, nothing to the other"),
    "min": Rule("min", lambda a, b: np.minimum(a, b), lambda a, b, f: (float(a <= b), float(a > b)),
                "min routes: all to the smaller input, nothing to the other"),
    "pow": Rule("^", lambda a, b: a**b, lambda a, b, f: (b * a ** (b - 1), 0),
                "a power n: n times the power n - 1"),
    "neg": Rule("−", lambda a: -a, lambda a, f: (-1,), "minus turns the sign"),
    "inv": Rule("1/x", lambda a: 1 / a, lambda a, f: (-(f**2),), "1/x: minus its value squared"),
    "exp": Rule("exp", np.exp, lambda a, f: (f,), "exp: the slope is its own value"),
    "log": Rule("log", np.log, lambda a, f: (1 / a,), "log: one over its input"),
    "sqrt": Rule("√", np.sqrt, lambda a, f: (0.5 / f,), "√: a half over its value"),
    "sigmoid": Rule("σ", _sigmoid, lambda a, f: (f * (1 - f),), "σ: its value times one minus its value"),
    "tanh": Rule("tanh", np.tanh, lambda a, f: (1 - f**2,), "tanh: one minus its value squared"),
    "relu": Rule("ReLU", lambda a: np.maximum(a, 0), lambda a, f: (float(a > 0),),
                 "ReLU is a switch: all of it if the input is above 0, else nothing"),
}  # fmt: skip
CALLS = {"exp": 1, "log": 1, "sqrt": 1, "sigmoid": 1, "tanh": 1, "relu": 1, "max": 2, "min": 2}
BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}


@dataclass(frozen=True)
class Circuit:
    """Gates in an order in which they can be computed; names of inputs as they occur; constants by name."""

    gates: tuple[Gate, ...]
    inputs: tuple[str, ...]
    constants: Mapping[str, float]

    @property
    def edges(self) -> list[tuple[str, int]]:
        """(gate, which of its parents) of every wire that brings a gradient back, in the order of the pass."""
        return [
            (name, port)
            for name, _, parents in reversed(self.gates)
            for port, parent in enumerate(parents)
            if parent not in self.constants
        ]


class _Builder:
    """Takes an expression apart. The same gate on the same inputs is made once: then its value is used twice."""

    def __init__(self, fine: bool) -> None:
        self.fine = fine
        self.gates: list[Gate] = []
        self.inputs: list[str] = []
        self.constants: dict[str, float] = {}
        self.known: dict[tuple, str] = {}

    def gate(self, rule: str, *operands: str | float) -> str | float:
        if all(isinstance(value, float) for value in operands):
            folded = float(RULES[rule].value(*[np.float64(value) for value in operands]))
            if not abs(folded) <= LARGEST:
                raise ArithmeticError
            return folded
        if (rule, operands) not in self.known:
            parents = tuple(self._constant(v) if isinstance(v, float) else v for v in operands)
            name = f"q{len(self.gates) + 1}"
            self.gates.append((name, rule, parents))
            self.known[rule, operands] = name
        return self.known[rule, operands]

    def _constant(self, value: float) -> str:
        name = f"{value:g}"
        while name in self.constants:
            name += "'"
        self.constants[name] = value
        return name

    def apply(self, rule: str, *operands: str | float) -> str | float:
        """Return the gate of a rule, or in a fine cut what it is made of."""
        if not self.fine or rule in GIVEN:
            return self.gate(rule, *operands)
        first, last = operands[0], operands[-1]
        match rule:
            case "neg":
                return self.gate("mul", first, -1.0)
            case "sub":
                return self.gate("add", first, self.apply("neg", last))
            case "div":
                one_over = self.gate("inv", last)
                return one_over if first == 1.0 else self.gate("mul", first, one_over)
            case "min":  # min(a, b) = -max(-a, -b)
                return self.apply("neg", self.gate("max", self.apply("neg", first), self.apply("neg", last)))
            case "relu":
                return self.gate("max", first, 0.0)
            case "sigmoid":
                return self.gate("inv", self.gate("add", self.gate("exp", self.apply("neg", first)), 1.0))
            case "tanh":  # 2 sigmoid(2a) - 1
                twice = self.apply("sigmoid", self.gate("mul", first, 2.0))
                return self.gate("add", self.gate("mul", twice, 2.0), -1.0)
            case "pow" if last in (2.0, 3.0, 4.0):
                square = self.gate("mul", first, first)
                return square if last == 2 else self.gate("mul", square, first if last == 3 else square)
        return self.gate(rule, *operands)

    def visit(self, node: ast.expr) -> str | float:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and abs(value) <= LARGEST:
                return float(value)
            case ast.Name(id=name) if name not in CALLS and len(name) <= 6 and not name.startswith("q"):
                if name not in self.inputs:
                    self.inputs.append(name)
                return name
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.visit(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.apply("neg", self.visit(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                operands = self.visit(left), self.visit(right)
                if isinstance(op, ast.Pow) and not isinstance(operands[1], float):
                    raise ValueError(f"expression: an exponent must be a number, got {ast.unparse(right)!r}")
                return self.apply(BINARY[type(op)], *operands)
            case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if CALLS.get(name) == len(given):
                return self.apply(name, *[self.visit(operand) for operand in given])
        raise ValueError(
            f"expression: must be made of + - * / **, numbers up to 1e6, {', '.join(CALLS)}, and names of at most 6 "
            f"letters that do not begin with q, got {ast.unparse(node)!r}"
        )


def parse(text: str, *, fine: bool) -> Circuit:
    """Return the circuit of an expression such as "(x + y) * z".

    fine : cut down to add, mul, max, exp and inv where that is possible; otherwise one gate for each sign
    Raises ValueError in one sentence.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"expression: must be a formula such as (x + y) * z, got {text!r}") from error
    builder = _Builder(fine)
    try:
        with np.errstate(all="ignore"):
            end = builder.visit(tree.body)
    except (ArithmeticError, RecursionError) as error:
        raise ValueError(f"expression: its numbers must be finite, got {text!r}") from error
    circuit = Circuit(tuple(builder.gates), tuple(builder.inputs), builder.constants)
    if isinstance(end, float) or not builder.gates:
        raise ValueError(f"expression: must have a name and something done to it, got {text!r}")
    depth: dict[str, int] = {}
    for name, _, parents in circuit.gates:
        depth[name] = 1 + max(depth.get(parent, 0) for parent in parents)
    if circuit.gates[-1][0] != end:
        raise ValueError(f"expression: its end must be what is computed last, got {text!r}")
    found = len(circuit.gates), len(circuit.inputs), len(circuit.gates) + 1 + len(circuit.edges), max(depth.values())
    if any(count > most for count, most in zip(found, (GATES, INPUTS, STEPS, DEEP), strict=True)):
        raise ValueError(
            f"expression: must have at most {GATES} gates ({DEEP} in a row), {INPUTS} names and {STEPS} steps, got "
            f"{found[0]} ({found[3]}), {found[1]} and {found[2]}"
        )
    return circuit


def forward(circuit: Circuit, inputs: Mapping[str, float]) -> dict[str, float]:
    """Return the value of every input, constant and gate; nan or inf where there is none."""
    values = {**inputs, **circuit.constants}
    with np.errstate(all="ignore"):
        for name, rule, parents in circuit.gates:
            given = [np.float64(values[parent]) for parent in parents]
            values[name] = float(RULES[rule].value(*given))
    return values


def local_slopes(circuit: Circuit, values: Mapping[str, float]) -> dict[tuple[str, int], float]:
    """Return the slope of each gate by each of its parents."""
    found = {}
    with np.errstate(all="ignore"):
        for name, rule, parents in circuit.gates:
            given = [np.float64(values[parent]) for parent in parents]
            for port, slope in enumerate(RULES[rule].slopes(*given, np.float64(values[name]))):
                found[name, port] = float(slope)
    return found


def contributions(circuit: Circuit, slopes: Mapping[tuple[str, int], float]) -> dict[tuple[str, int], float]:
    """Return what comes back along each wire: upstream gradient times local slope, in the order of the pass."""
    parents = {name: given for name, _, given in circuit.gates}
    grads = {circuit.gates[-1][0]: 1.0}
    found = {}
    for name, port in circuit.edges:
        found[name, port] = grads.get(name, 0.0) * slopes[name, port]
        target = parents[name][port]
        grads[target] = grads.get(target, 0.0) + found[name, port]
    return found


def measured(circuit: Circuit, inputs: Mapping[str, float], h: float = 1e-5) -> dict[str, float]:
    """Return the slope of the end by each input, by central differences."""
    end, found = circuit.gates[-1][0], {}
    for name, value in inputs.items():
        up, down = (forward(circuit, {**inputs, name: value + shift})[end] for shift in (h, -h))
        found[name] = (up - down) / (2 * h)
    return found


def read_values(text: str) -> dict[str, float]:
    """Return {name: value} of a text such as "x = -2, y = 5". Raises ValueError in one sentence."""
    found = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, _, number = part.partition("=")
        try:
            found[name.strip()] = value = float(number)
        except ValueError:
            value = math.inf
        if not (name.strip().isidentifier() and abs(value) <= LARGEST):
            raise ValueError(f"values: must look like x = -2, y = 5, got {part.strip()!r}")
    return found


def places(circuit: Circuit) -> tuple[dict[str, tuple[int, float]], dict[tuple[str, int], list[tuple[int, float]]]]:
    """Return (column, row) of every input and gate, and of the bends of each wire that passes a column by.

    A gate stands right of its parents at their mean height, an input just left of its first use; whatever shares a
    column, passing wires included, is pushed apart.
    """
    columns: dict[str, int] = {}
    for name, _, parents in circuit.gates:
        columns[name] = 1 + max(columns.get(parent, 0) for parent in parents)
    uses = {name: [columns[gate] for gate, _, given in circuit.gates if name in given] for name in circuit.inputs}
    columns |= {name: min(used) - 1 for name, used in uses.items()}
    # Inputs take rows in the order in which they are written.
    rows = {name: float(i) for i, name in enumerate(circuit.inputs)}
    at: dict[tuple[str, int], float] = {}  # (what passes or stands, column) -> row; a passing wire keeps its source
    for column in range(max(columns.values()) + 1):
        wanted = {}
        for name in circuit.inputs:
            if columns[name] == column:
                wanted[name] = rows[name]
        for name, _, parents in circuit.gates:
            if columns[name] == column:
                seen = [at[parent, column - 1] for parent in parents if parent not in circuit.constants]
                wanted[name] = sum(seen) / len(seen)
        for gate, _, parents in circuit.gates:
            for parent in parents:
                if parent in columns and columns[parent] < column < columns[gate]:
                    wanted[parent] = at[parent, column - 1]
        order = sorted(wanted, key=lambda name: wanted[name])
        spread = [wanted[name] for name in order]
        for i in range(1, len(order)):
            spread[i] = max(spread[i], spread[i - 1] + 1)
        shift = sum(s - wanted[name] for s, name in zip(spread, order, strict=True)) / max(len(order), 1)
        for name, row in zip(order, spread, strict=True):
            at[name, column] = row - shift
    top = min(at.values())
    stands = {name: (column, at[name, column] - top) for name, column in columns.items()}
    bends = {}
    for gate, _, parents in circuit.gates:
        for port, parent in enumerate(parents):
            if parent in columns:
                between = range(columns[parent] + 1, columns[gate])
                bends[gate, port] = [(column, at[parent, column] - top) for column in between]
    return stands, bends
