"""Two notebooks to measure graders with, one in NumPy and one in PyTorch: ten questions each, plots, a written answer.

Shaped as GRADING's measured assignment is: imports and helpers, `%matplotlib inline`, `%autoreload 2`, two plots, ten
functions with ten test cells of plain asserts. Each function comes right, right in another way, and wrong.
"""

from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

STUB = "    raise NotImplementedError()"


@dataclass(frozen=True)
class Question:
    """name(arguments): bodies that are right, right but unusual, and wrong; an expression that is true if right."""

    name: str
    arguments: str
    right: str
    unusual: str
    wrong: str
    test: str


NUMPY = [
    Question("scale", "x, a", "a * x", "np.multiply(x, a)", "a + x", "np.allclose(scale(X, 3.0), 3 * X)"),
    Question("relu", "x", "np.maximum(x, 0)", "x * (x > 0)", "np.abs(x)", "np.allclose(relu(X), X.clip(0))"),
    Question(
        "norms",
        "x",
        "np.sqrt((x**2).sum(1))",
        "np.array([np.sqrt(r @ r) for r in x])",
        "(x**2).sum(1)",
        "np.allclose(norms(X), np.linalg.norm(X, axis=1))",
    ),
    Question(
        "softmax",
        "x",
        "np.exp(x) / np.exp(x).sum(1, keepdims=True)",
        "np.stack([np.exp(r) / np.exp(r).sum() for r in x])",
        "np.exp(x) / np.exp(x).sum()",
        "np.allclose(softmax(X).sum(1), 1) and softmax(X).shape == X.shape",
    ),
    Question(
        "affine",
        "x, w, b",
        "x @ w + b",
        "np.einsum('nd,dm->nm', x, w) + b",
        "x @ w",
        "np.allclose(affine(X, W, B), np.dot(X, W) + B)",
    ),
    Question(
        "center", "x", "x - x.mean(0)", "x - x.sum(0) / len(x)", "x - x.mean()", "np.allclose(center(X).mean(0), 0)"
    ),
    Question(
        "one_hot",
        "y, n",
        "np.eye(n)[y]",
        "(np.arange(n) == y[:, None]) * 1.0",
        "2 * np.eye(n)[y]",
        "(one_hot(Y, 5).argmax(1) == Y).all() and one_hot(Y, 5).sum() == len(Y)",
    ),
    Question(
        "accuracy",
        "s, y",
        "float((s.argmax(1) == y).mean())",
        "sum(s.argmax(1) == y) / len(y)",
        "float((s.argmax(1) == y).sum())",
        "abs(accuracy(X, X.argmax(1)) - 1) < 1e-12",
    ),
    Question(
        "distances",
        "a, b",
        "np.sqrt(((a[:, None] - b[None]) ** 2).sum(2))",
        "np.array([[np.linalg.norm(p - q) for q in b] for p in a])",
        "((a[:, None] - b[None]) ** 2).sum(2)",
        "np.allclose(distances(X, X + 1), [[np.linalg.norm(p - q) for q in X + 1] for p in X])",
    ),
    Question(
        "gradient",
        "f, x",
        "np.array([(f(x + e) - f(x - e)) / 2e-5 for e in 1e-5 * np.eye(len(x))])",
        "np.stack([(f(x + e) - f(x - e)) / (2 * 1e-5) for e in np.diag(np.full(len(x), 1e-5))])",
        "np.array([(f(x + e) - f(x)) / 2e-5 for e in 1e-5 * np.eye(len(x))])",
        "np.allclose(gradient(lambda v: float((v**2).sum()), X[0]), 2 * X[0], atol=1e-5)",
    ),
]
SETUP = """
%matplotlib inline
%load_ext autoreload
%autoreload 2
import numpy as np
import matplotlib.pyplot as plt
{more}
rng = np.random.default_rng(0)
X, W, B, Y = rng.normal(size=(6, 5)), rng.normal(size=(5, 3)), rng.normal(size=3), rng.integers(0, 5, 6)
"""
PLOT = "plt.plot(X[:, 0], X[:, 1], 'o')\nplt.title('{title}')\nplt.show()"


def with_torch(question: Question) -> Question:
    """The same question, its answers computed with tensors."""
    names = [name for name in question.arguments.split(", ") if name in ("x", "s")]
    if not names:
        return question
    values = ", ".join(f"torch.as_tensor({name}).clone().numpy()" for name in names)

    def through(body: str) -> str:
        return f"(lambda {', '.join(names)}: {body})({values})"

    bodies = (through(body) for body in (question.right, question.unusual, question.wrong))
    return Question(question.name, question.arguments, *bodies, question.test)


def questions(kind: str) -> list[Question]:
    """The questions of "numpy" or "torch"."""
    return NUMPY if kind == "numpy" else [with_torch(question) for question in NUMPY]


def notebook(kind: str) -> NotebookNode:
    """The instructor's notebook with nbgrader's metadata: setup, plot, ten pairs of cells, a written answer."""
    more = "" if kind == "numpy" else "import torch\nimport torch.nn.functional as F"
    cells = [_cell("setup", SETUP.format(more=more)), _cell("plot-1", PLOT.format(title="first"))]
    for question in questions(kind):
        cells.append(_cell(question.name, answer(question, "right"), solution=True))
        hidden = f"### BEGIN HIDDEN TESTS\nassert {question.test}\n### END HIDDEN TESTS"
        cells.append(_cell(f"{question.name}-tests", f"assert callable({question.name})\n{hidden}", points=2.0))
    cells += [_cell("plot-2", PLOT.format(title="second")), _cell("why", "Say why.", points=2.0, solution=True)]
    cells[-1].cell_type = "markdown"
    del cells[-1]["outputs"], cells[-1]["execution_count"]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def answer(question: Question, kind: str) -> str:
    """The source of a solution cell: "right", "unusual", "wrong", "stub", "typo", "noisy" or "slow"."""
    head = f"def {question.name}({question.arguments}):\n"
    before = {"noisy": "    print('working on', " + question.arguments + ")\n", "slow": "    sum(range(1_000_000))\n"}
    if kind == "stub":
        return head + STUB
    if kind == "typo":
        return head + f"    return missing_name + {question.right}"
    body = {"unusual": question.unusual, "wrong": question.wrong}.get(kind, question.right)
    return head + before.get(kind, "") + f"    return {body}"


STUDENTS = {
    "correct": ["right"] * 10,
    "noisy": ["noisy"] * 10,
    "unusual": ["unusual"] * 10,
    "wrong-1": ["wrong"] * 10,
    "wrong-2": ["right", "wrong"] * 5,
    "wrong-3": ["right"] * 9 + ["wrong"],
    "unanswered": ["stub"] * 10,
    "names": ["typo"] * 10,
    "slow-1": ["slow"] * 5 + ["right"] * 5,
    "slow-2": ["right"] * 5 + ["slow"] * 5,
    "half": ["right"] * 5 + ["stub"] * 5,
    "mixed": ["unusual", "wrong", "stub", "right", "noisy"] * 2,
}


def hand_in(release: NotebookNode, kind: str, student: str) -> NotebookNode:
    """A student's copy of the released notebook with their answers."""
    copy = nbformat.reads(nbformat.writes(release), as_version=4)
    answers = {q.name: answer(q, how) for q, how in zip(questions(kind), STUDENTS[student], strict=True)}
    for cell in copy.cells:
        cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
    return copy


def _cell(grade_id: str, source: str, *, points: float = 0.0, solution: bool = False) -> NotebookNode:
    meta = {"grade": bool(points), "grade_id": grade_id, "locked": not solution, "schema_version": 3}
    meta |= {"solution": solution, "task": False, "cell_type": "code"}
    cell = nbformat.v4.new_code_cell(source.strip(), id=grade_id)
    cell.metadata["nbgrader"] = meta | ({"points": points} if points else {})
    return cell
