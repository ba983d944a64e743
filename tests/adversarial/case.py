"""What one hostile or broken submission is, and what must come of it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.demo import write_submission

AFFINE, SOFTMAX = "net-affine_forward", "net-softmax_loss"
FULL = {AFFINE: 3.0, SOFTMAX: 5.0}
RIGHT = "def affine_forward(x, w, b):\n    return x.reshape(len(x), -1) @ w + b, (x, w)\n"
WRONG = "def affine_forward(x, w, b):\n    return np.zeros((x.shape[0], w.shape[1])), (x, w)\n"
ZEROS = "np.zeros((x.shape[0], w.shape[1])), (x, w)"


@dataclass(frozen=True)
class Case:
    """One submission. Question 1, affine_forward, is attacked or broken; question 2, softmax_loss, is right.

    about : what the student did, in a few words
    mark : the flag, or the reason of a question, that a person must see; "" asks that there is none at all
    code : text of the answer's cell; "" hands in the right answer
    edit : changes the notebook (a dict) in place; raw : changes its bytes; place : writes the files itself, given the
        class folder, the student's name and the notebook's bytes
    points : of each question; None where there is no notebook to read
    """

    about: str
    mark: str
    code: str = ""
    edit: Callable[[dict], None] | None = None
    raw: Callable[[bytes], bytes] | None = None
    place: Callable[[Path, str, bytes], None] | None = None
    q1: float = 0.0
    q2: float = 5.0
    more: tuple[tuple[str, str], ...] = ()  # (exercise, answer) of the other questions
    extra: tuple[tuple[str, float], ...] = ()  # (exercise, points) that these then get


def wrong(about: str, mark: str, code: str, **more: object) -> Case:
    """A wrong answer that plays a trick: question 1 must get nothing."""
    return Case(about, mark, WRONG + code, **more)  # type: ignore[arg-type]


def right(about: str, mark: str, code: str = "", **more: object) -> Case:
    """A right answer with something odd beside it: nothing may be lost."""
    return Case(about, mark, RIGHT + code if code and "def affine_forward" not in code else code, q1=3.0, **more)  # type: ignore[arg-type]


def hand_in(case: Case, release: Path, answers: dict[str, str], folder: Path, student: str) -> None:
    """Write the submission of one case into the class folder."""
    import json

    mine = {**answers, AFFINE: case.code or RIGHT, **dict(case.more)}
    scratch = folder.parent / "scratch" / student
    write_submission(release, mine, scratch)
    raw = (scratch / release.name).read_bytes()
    if case.edit is not None:
        notebook = copy.deepcopy(json.loads(raw))
        case.edit(notebook)
        raw = json.dumps(notebook).encode()
    if case.raw is not None:
        raw = case.raw(raw)
    if case.place is not None:
        case.place(folder, student, raw)
        return
    (folder / student).mkdir()
    (folder / student / release.name).write_bytes(raw)


def cell_of(notebook: dict, grade_id: str) -> dict:
    """Return the cell of a notebook with this grade_id."""
    return next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def add_cell(notebook: dict, source: str, *, before: str = "", after: str = "", **parts: object) -> None:
    """Put a cell of the student's own next to the cell with this grade_id, or at the end."""
    cell = {"cell_type": "code", "id": f"own-{len(notebook['cells'])}", "metadata": {}, "source": source}
    cell |= {"outputs": [], "execution_count": None} | parts
    at = len(notebook["cells"])
    if before or after:
        at = notebook["cells"].index(cell_of(notebook, before or after)) + bool(after)
    notebook["cells"].insert(at, cell)
