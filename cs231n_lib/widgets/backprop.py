"""Backpropagation on a circuit, one wire at a time: values forward, gradients back, and a quiz that asks first."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

from .backprop_circuit import LARGEST, RULES, places, read_values
from .backprop_steps import CONTROLS, Graph, Steps, compute, describe, inputs_of, label, pending, short, told
from .base import Data, Event, Model, callable_or_none, register, show, svg

CLOSE = 0.01  # an answer to the quiz may be off by this share, or by a rounding to two decimals
TOP, LEFT, RIGHT, WIDE, TALL = 96, 34, 92, 74, 34  # margins; a gate's box
FORWARD, BACKWARD = "#0072B2", "#D55E00"


class Layout:
    """Where everything stands, in picture units."""

    def __init__(self, r: Graph) -> None:
        self.stands, self.bends = places(r.circuit)
        columns = max(column for column, _ in self.stands.values())
        self.rows = max(row for _, row in self.stands.values()) + 1
        self.width = max(760, LEFT + RIGHT + 92 * columns)
        self.across = min(210.0, (self.width - LEFT - RIGHT) / columns)
        self.down = 80
        self.bottom = TOP + self.down * self.rows - 14
        self.height = self.bottom + 30 + max(118, 44 + 19 * len(r.circuit.inputs))

    def at(self, place: tuple[int, float]) -> tuple[float, float]:
        return LEFT + self.across * place[0], TOP + self.down * place[1]

    def wire(self, r: Graph, edge: tuple[str, int]) -> list[tuple[float, float]]:
        """Return the corners of a wire, from its source to its gate's port."""
        source = r.parent(edge)
        x0, y0 = self.at(self.stands[source])
        x1, y1 = self.at(self.stands[edge[0]])
        half = WIDE / 2 if source not in r.circuit.inputs else 20
        parents = next(given for name, _, given in r.circuit.gates if name == edge[0])
        alone = any(parent in r.circuit.constants for parent in parents) or len(parents) == 1
        passing = [self.at(place) for place in self.bends[edge]]
        level = [(x + side * WIDE / 2, y) for x, y in passing for side in (-1, 1)]
        return [(x0 + half, y0), *level, (x1 - WIDE / 2, y1 + (0 if alone else 16 * edge[1] - 8))]


def render(r: Graph) -> str:
    """Return the circuit, the step that was just made, and the gradients beside measured ones."""
    if not r.circuit.gates:
        words = svg.text(16, 66, "Mend the line and press Enter: the reason stands below.", size=13)
        return svg.figure(760, 90, describe(r), svg.text(16, 34, f"No circuit for: {r.state.expression}"), words)
    plan = Layout(r)
    fine = "as written" if r.state.cut == "as written" else "cut down to add, mul, max, exp, 1/x"
    marks = [
        svg.text(14, 24, r.state.expression, size=15, bold=True, mono=True),
        svg.text(
            14, 46, f"Gates {fine}. Above each: its value. Below, ◂: its gradient. In the box: local slopes.", size=12
        ),
    ]
    ask = pending(r) if r.state.quiz else None
    waits = r.circuit.edges[r.step - len(r.circuit.gates) - 1] if ask and r.step > len(r.circuit.gates) else None
    for edge in r.circuit.edges:
        marks.append(_wire(r, plan, edge, asked=edge == waits))
    marks += [_gate(r, plan, i) for i in range(len(r.circuit.gates))]
    marks += [_input(r, plan, i) for i in range(len(r.circuit.inputs))]
    marks.append(svg.line(10, plan.bottom + 8, plan.width - 10, plan.bottom + 8, opacity=0.35))
    marks += [_explained(r, plan, ask), _table(r, plan)]
    return svg.figure(plan.width, plan.height, describe(r), *marks)


def _numbers(r: Graph, name: str, x: float, y: float, value: bool) -> str:
    """Return what stands above and below a box: the value, and the gradient as far as it has come."""
    marks = [svg.text(x, y - TALL / 2 - 5, short(r.values[name]), anchor="middle", bold=True) if value else ""]
    grad = r.known(name)
    if grad is not None:
        more = "" if r.complete(name) else " + …"
        marks.append(svg.text(x, y + TALL / 2 + 15, f"◂ {short(grad)}{more}", anchor="middle"))
    if name in r.wrong and r.complete(name):
        marks.append(
            svg.text(x, y + TALL / 2 + 29, f"✗ yours {short(r.yours[name])}", size=12, anchor="middle", bold=True)
        )
    return "".join(marks)


def _input(r: Graph, plan: Layout, i: int) -> str:
    name = r.circuit.inputs[i]
    x, y = plan.at(plan.stands[name])
    chosen = i == min(r.state.picked, len(r.circuit.inputs) - 1)
    box = svg.rect(x - 20, y - TALL / 2 + 3, 40, TALL - 6, colour=svg.INK, line_width=2.4 if chosen else 1, round=14)
    return box + svg.text(x, y + 5, name, anchor="middle", bold=True, mono=True) + _numbers(r, name, x, y, True)


def _gate(r: Graph, plan: Layout, i: int) -> str:
    name, _, parents = r.circuit.gates[i]
    x, y = plan.at(plan.stands[name])
    here = r.step - 1 == i or (r.step > len(r.circuit.gates) + 1 and r.done()[-1][0] == name)
    marks = [svg.rect(x - WIDE / 2, y - TALL / 2, WIDE, TALL, colour=svg.INK, line_width=3 if here else 1, round=5)]
    marks.append(svg.line(x - 1, y - TALL / 2, x - 1, y + TALL / 2, opacity=0.3))
    sign = label(r, name)
    size = 13 if len(sign) <= 4 else 11 if len(sign) <= 6 else 9
    marks.append(svg.text(x + WIDE / 4, y + 5, sign, size=size, anchor="middle", bold=True))
    ports = [port for port, parent in enumerate(parents) if parent not in r.circuit.constants]
    for port in ports:
        shown = (name, port) in r.done() if r.state.quiz else r.step > i
        height = y + (4 if len(ports) == 1 else -4 + 15 * port)
        if shown:
            marks.append(svg.text(x - 4, height, short(r.slopes[name, port]), size=11, anchor="end"))
    end = name == r.circuit.gates[-1][0]
    if end:
        marks.append(svg.arrow(x + WIDE / 2, y, x + WIDE / 2 + 34, y))
    return "".join(marks) + _numbers(r, name, x, y, r.step > i)


def _wire(r: Graph, plan: Layout, edge: tuple[str, int], *, asked: bool) -> str:
    """Return a wire: thin before, blue once a value has gone through, with a dashed way back for the gradient."""
    corners = plan.wire(r, edge)
    source, order = r.parent(edge), [name for name, _, _ in r.circuit.gates]
    flows = source in r.circuit.inputs or order.index(source) < r.step
    marks = [
        svg.path(corners, colour=FORWARD if flows else svg.INK, width=2 if flows else 1, opacity=1 if flows else 0.4)
    ]
    if edge in r.done() or asked:
        (x0, y0), (x1, y1) = corners[0], corners[-1]
        span = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        low = [  # beside the way there, and not into the boxes
            (min(max(x - 5 * (y1 - y0) / span, x0 + 1), x1 - 1), y + 5 * (x1 - x0) / span) for x, y in corners
        ]
        marks.append(svg.path(low, colour=BACKWARD, width=2, dash="5 3"))
        marks.append(svg.arrow(*_towards(low[0], low[1], 10), *low[0], colour=BACKWARD, width=2))
    shared = sum(r.parent(other) == source for other in r.circuit.edges) > 1
    longest = max(itertools.pairwise(corners), key=lambda ends: ends[1][0] - ends[0][0])
    middle = [(a + b) / 2 for a, b in zip(*longest, strict=True)]
    if asked:
        marks.append(svg.text(middle[0], middle[1] - 5, "?", size=20, anchor="middle", bold=True))
    elif shared and edge in r.done():
        marks.append(svg.text(middle[0], middle[1] + 22, short(r.backs[edge]), size=12, anchor="middle"))
    return "".join(marks)


def _towards(start: tuple[float, float], end: tuple[float, float], length: float) -> tuple[float, float]:
    """Return the point at a distance from `start` on the way to `end`."""
    span = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5 or 1.0
    return start[0] + length * (end[0] - start[0]) / span, start[1] + length * (end[1] - start[1]) / span


def _explained(r: Graph, plan: Layout, asked: tuple[str, float] | None) -> str:
    head, line, role = told(r)
    rows = [(head, True), (line, False), (role, False)]
    if asked:
        rows.append((f"{asked[0]} Your answer: {short(r.state.guess)}", True))
        if r.state.missed == r.step:
            rows.append((f"✗ Not that. {_hint(r)}", False))
    if r.state.quiz:
        rows.append((f"{r.state.right} right, {r.state.wrong} wrong", False))
    words = [(text, bold) for text, bold in rows if text]
    return "".join(svg.text(14, plan.bottom + 32 + 20 * i, text, bold=bold) for i, (text, bold) in enumerate(words))


def _hint(r: Graph) -> str:
    """Return what helps with the next number and does not give it away."""
    gates = r.circuit.gates
    if r.step < len(gates):
        return f"The gate is {gates[r.step][1]}; its inputs stand above its parents."
    if r.step == len(gates):
        return "How much does a thing grow when it grows by 1?"
    name = r.circuit.edges[r.step - len(gates) - 1][0]
    role = RULES[next(rule for gate, rule, _ in gates if gate == name)].role
    return role[:1].upper() + role[1:] + "."


def _table(r: Graph, plan: Layout) -> str:
    """Return each input's gradient, beside measured slopes and the student's, as soon as it is complete."""
    x, y = plan.width - 276, plan.bottom + 32
    heads = ["input", "chain rule", "measured"] + (["yours"] if r.yours else [])
    stops = (x + 40, x + 122, x + 200, x + 268)
    marks = [
        svg.text(stop, y, word, size=12, anchor="end", bold=True) for stop, word in zip(stops, heads, strict=False)
    ]
    for i, name in enumerate(r.circuit.inputs):
        row = y + 19 * (i + 1)
        cells = ["?", "?", "?"]
        if r.complete(name):
            off = " ✗" if name in r.wrong else ""
            cells = [short(r.grads[name]), short(r.measured[name]), short(r.yours.get(name, 0.0)) + off]
        marks.append(svg.text(stops[0], row, name, anchor="end", mono=True))
        for stop, cell in zip(stops[1 : len(heads)], cells, strict=False):
            marks.append(svg.text(stop, row, cell, anchor="end", mono=True))
    return "".join(marks)


# --- moves


def _ready(state: Steps) -> Graph | None:
    """Return the graph of a state, None if it has no circuit."""
    r = compute(state, {})
    return r if r.circuit.gates else None


def advance(state: Steps, data: Data) -> Steps:
    """Make the next step of the passes."""
    r = _ready(state)
    return dataclasses.replace(state, step=r.step + 1) if r and r.step < r.total else state


def back(state: Steps, data: Data) -> Steps:
    """Take back one step."""
    r = _ready(state)
    return dataclasses.replace(state, step=r.step - 1) if r and r.step > 0 else state


def check(state: Steps, data: Data) -> Steps:
    """Judge the answer to the quiz: a right one makes the step."""
    r = _ready(state)
    asked = pending(r) if r and state.quiz else None
    if r is None or asked is None:
        return state
    if abs(state.guess - asked[1]) <= max(CLOSE * abs(asked[1]), 0.0050001):
        return dataclasses.replace(state, step=r.step + 1, right=state.right + 1)
    return dataclasses.replace(state, step=r.step, wrong=state.wrong + 1, missed=r.step)


def point(state: Steps, data: Data, event: Event) -> Steps:
    """A click goes to the step of the nearest gate or chooses the nearest input; keys step and change that input."""
    r = _ready(state)
    if r is None or event.kind not in ("down", "key"):
        return state
    if event.kind == "key":
        return _key(state, r, event.key)
    plan = Layout(r)
    if not (0 <= event.x <= plan.width and TOP - 50 <= event.y <= plan.bottom):
        return state
    spots = {name: plan.at(place) for name, place in plan.stands.items()}
    name = min(spots, key=lambda n: (spots[n][0] - event.x) ** 2 + (spots[n][1] - event.y) ** 2)
    if name in r.circuit.inputs:
        picked = r.circuit.inputs.index(name)
        return state if picked == state.picked else dataclasses.replace(state, picked=picked)
    order = [gate for gate, _, _ in r.circuit.gates]
    wires = [i for i, edge in enumerate(r.circuit.edges) if edge[0] == name]
    step = len(order) + 2 + wires[0] if r.step > len(order) and wires else order.index(name) + 1
    return state if step == state.step else dataclasses.replace(state, step=step)


def _key(state: Steps, r: Graph, key: str) -> Steps:
    if key == "ArrowRight":
        return advance(state, {})
    if key in ("ArrowLeft", "Backspace"):
        return back(state, {})
    if key == "Enter":
        return check(state, {})
    inputs = inputs_of(state, r.circuit, read_values(state.values))
    if key in ("ArrowUp", "ArrowDown"):
        name = r.circuit.inputs[min(state.picked, len(inputs) - 1)]
        moved = inputs[name] + (0.1 if key == "ArrowUp" else -0.1)
        inputs[name] = round(min(max(moved, -LARGEST), LARGEST), 3)
        return dataclasses.replace(state, values=", ".join(f"{n} = {value:g}" for n, value in inputs.items()))
    if key.isdigit() and 1 <= int(key) <= len(inputs) and int(key) - 1 != state.picked:
        return dataclasses.replace(state, picked=int(key) - 1)
    return state


def valid(state: Steps) -> str:
    """Return what is wrong with fields that no control moves."""
    for name, low in (("picked", 0), ("right", 0), ("wrong", 0), ("missed", -1)):
        if getattr(state, name) < low:
            return f"{name} must be {low} or more, got {getattr(state, name)}"
    return ""


MODEL = Model(
    title="Backpropagation on a circuit",
    about="Type an expression, send its values forward and its gradients back, one wire at a time.",
    state=Steps,
    controls=CONTROLS,
    compute=compute,
    render=render,
    describe=describe,
    actions={"check": check, "back": back},
    point=point,
    advance=advance,
    point_help="A click goes to the step of the nearest gate, or chooses the nearest input. Keys: left and right step, "
    "up and down change the chosen input, 1 to 8 choose one, Enter checks your answer.",
    valid=valid,
    challenge=(
        ("In (x + y) * z with x = -2, y = 5, z = -4: by how much does the end change if x grows by 0.1? Compute it "
         "before you step.",
         "By -0.4. The gradient 1 of the end comes to the sum as z = -4, because a product swaps; the sum hands "
         "-4 on to x and y alike; -4 times 0.1 is -0.4."),
        ("Open 2 * (x*y + max(z, w)). Which input could you change a little without any effect, and when would it get "
         "one?",
         "w: max routes the whole gradient to the larger input, z = 2. When w rises above z, they change roles."),
        ("Open (x + y) * max(y, z). y is used twice. What does its gradient become, and what if you forgot one wire?",
         "The gradients of both wires are added: 2 through the sum and 3 through the max make 5. Code that assigns "
         "instead of adding keeps only the last of them; that is why the loop says grads[parent] += ..."),
    ),
)  # fmt: skip


@register(MODEL)
def backprop_explorer(backward: Callable[..., Any] | None = None, *, state: Any = None) -> Any:
    """Show the forward and the backward pass through the circuit of an expression, wire by wire, with a quiz.

    backward : your function (nodes, values) -> {name: gradient}, as in notebook N03: nodes is a list of (name, rule,
        parents), the rules are add, mul, max, exp and inv; where its gradients differ, the gate is marked.
        It is asked whenever the circuit has only those gates: choose the gates "add mul max exp inv" for the others.
    state : settings, as the button "My settings as code" prints them
    """
    callable_or_none("backprop_explorer", "backward", backward)
    return show(MODEL, state=state, data={"backward": backward})
