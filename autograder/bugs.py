"""Check the checks: planted and generated bugs must fail, and each planted one must get the hint made for it."""

import ast
import contextlib
import importlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cs231n_lib.check import check, exercises

from .box import Limits
from .course import REPOSITORY, CourseError, source_files
from .lender import Lender, carried
from .sandbox import find_sandbox
from .source import STUDENT_CELL, Cell, read_source
from .student import Student

SWAPPED: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


@dataclass
class Tally:
    """One notebook's row of the table. survivors : what no check refused; mute : refused, without the right hint."""

    notebook: str
    exercises: int = 0
    points: float = 0.0
    planted: int = 0
    killed: int = 0
    hinted: int = 0
    survivors: list[str] = field(default_factory=list)
    mute: list[str] = field(default_factory=list)
    generated: int = 0
    generated_killed: int = 0
    generated_survivors: list[str] = field(default_factory=list)


def quiet_check(exercise_id: str, answer: Any) -> Any:
    """Run a check without its panel."""
    with contextlib.redirect_stdout(io.StringIO()):
        return check(exercise_id, answer)


def planted(assignment: str) -> list[Tally]:
    """Run every planted bug of an assignment against its check."""
    sys.path.insert(0, str(REPOSITORY))
    try:
        found = importlib.import_module("tests.mutants").bugs()
    except ModuleNotFoundError as error:
        raise CourseError(f"bugs needs the repository's tests folder, got {error}") from error
    finally:
        sys.path.pop(0)
    tallies = []
    for path in source_files(assignment):
        tally = _empty_tally(path)
        mine = {cell.id for cell in read_source(path) if cell.role == "tests"}
        for bug in found:
            if bug.exercise_id in mine:
                _try_planted(tally, bug)
        tallies.append(tally)
    return tallies


def _empty_tally(path: Path) -> Tally:
    graded = [cell for cell in read_source(path) if cell.points]
    return Tally(path.stem, len(graded), sum(cell.points for cell in graded))


def _try_planted(tally: Tally, bug: Any) -> None:
    result = quiet_check(bug.exercise_id, bug.answer)
    name = f"{bug.exercise_id}: {bug.name}"
    tally.planted += 1
    # A question with a hidden key accepts any form here; its bugs are judged with the hidden tests, by the test suite.
    hidden_key = exercises()[bug.exercise_id].visible_share == 0.0
    # A half right answer may be accepted, for no more than it is worth.
    if result.ok and result.points > bug.points and not hidden_key:
        tally.survivors.append(name)
        return
    tally.killed += 1
    if not bug.symptom or result.symptom == bug.symptom:
        tally.hinted += 1
    else:
        tally.mute.append(f"{name}: wanted {bug.symptom}, got {result.symptom}")


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield (what changed, source) for small changes of a solution's code: operators, comparisons, numbers, axes."""
    spots = [node for node in ast.walk(ast.parse(source)) if _changes(node)]
    for index, spot in enumerate(spots):
        for change in range(len(_changes(spot))):
            tree = ast.parse(source)
            node = [n for n in ast.walk(tree) if _changes(n)][index]
            before = ast.unparse(node)
            _changes(node)[change]()
            yield f"line {getattr(spot, 'lineno', 0)}: {before} -> {ast.unparse(node)}", ast.unparse(tree)


def _changes(node: ast.AST) -> list[Any]:
    """The ways to break one node, each a function that does it in place."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        return [lambda: setattr(node, "op", SWAPPED[type(node.op)]())]
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return [lambda: setattr(node, "op", ast.Sub())]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        return [lambda: node.ops.__setitem__(0, SWAPPED[type(node.ops[0])]())]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [lambda: setattr(node, "op", ast.UAdd())]
    if isinstance(node, ast.keyword) and node.arg == "axis" and isinstance(node.value, ast.Constant):
        return [lambda: setattr(node.value, "value", 1 - node.value.value if node.value.value in (0, 1) else 0)]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        larger = node.value + 1
        return [lambda: setattr(node, "value", larger)]
    return []


def generated(assignment: str, *, names: list[str] | None = None) -> list[Tally]:
    """Mutate the reference's answers and run each mutant against its check, visible and hidden, in a box."""
    sandbox = find_sandbox(allow_none=True, limits=Limits(call=10.0, cell=60.0))
    tallies = []
    for path in source_files(assignment):
        if names and path.stem not in names:
            continue
        cells = read_source(path)
        tally = _empty_tally(path)
        run = [(cell.grade_id, cell.text) for cell in cells if cell.role in ("setup", "solution")]
        lender = Lender(sandbox, carried(cell.text for cell in cells if cell.role == "setup"))
        student = Student(sandbox, run, frozenset(), (), lend=lender.lend)
        for cell in cells:
            if cell.role == "solution":
                _try_mutants(tally, cell, cells, student)
        student.close()
        lender.close()
        tallies.append(tally)
    return tallies


def _try_mutants(tally: Tally, cell: Cell, cells: list[Cell], student: Student) -> None:
    from cs231n_lib.check import LimitReached, Subject

    tests = next((c for c in cells if c.role == "tests" and c.id == cell.id), None)
    if tests is None:
        return
    subject = _subject_name(tests.text)
    for what, source in mutants(cell.text):
        box = student.ready()
        tally.generated += 1
        try:
            report = box.run(source)
            handles = {name: Subject(box, name) for name in (subject, STUDENT_CELL)}
            refused = report["error"] is not None or not _passes(tests, cells, handles)
        except LimitReached:
            refused = True
        if refused:
            tally.generated_killed += 1
        else:
            tally.generated_survivors.append(f"{cell.id}, {what}")
        if box.alive:
            box.run(cell.text)


def _passes(tests: Cell, cells: list[Cell], handles: dict[str, Any]) -> bool:
    """Run a whole test cell, hidden part included, on handles of the student's names; True if it gets all points."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            if cell.role == "setup":
                exec(compile(cell.text, cell.id, "exec"), names)
        names.update(handles)
        exec(compile(tests.text, tests.grade_id, "exec"), names)
    return bool(names["result"].ok)


def _subject_name(tests: str) -> str:
    """The name that a test cell hands to `check`."""
    for node in ast.walk(ast.parse(tests)):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "check"
            and isinstance(node.args[1], ast.Name)
        ):
            return node.args[1].id
    raise CourseError('a test cell must call check("id", name)')


def print_bugs(tallies: list[Tally], mutated: list[Tally]) -> None:
    """Print a row per notebook, then every bug that a check let through or refused without its hint."""
    from rich.console import Console
    from rich.table import Table

    table = Table("notebook", "exercises", "points", "planted bugs", "killed", "own hint", "generated", "killed")
    shares = {tally.notebook: (str(tally.generated), str(tally.generated_killed)) for tally in mutated}
    for tally in tallies:
        counts = (tally.exercises, f"{tally.points:g}", tally.planted, tally.killed, tally.hinted)
        table.add_row(tally.notebook, *map(str, counts), *shares.get(tally.notebook, ("", "")))
    console = Console()
    console.print(table)
    for tally in tallies:
        for name in tally.survivors:
            console.print(f"survives: {name}", highlight=False, markup=False)
        for name in tally.mute:
            console.print(f"without its hint: {name}", highlight=False, markup=False)
    for tally in mutated:
        for name in tally.generated_survivors:
            console.print(f"generated, survives: {tally.notebook}, {name}", highlight=False, markup=False)
