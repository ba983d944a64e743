"""The trusted judge: runs a notebook's test cells unchanged, with the student's names as handles into a sandbox.

This process never runs a line of the student's: it has the hidden tests and the seeds, the box has the answers.
"""

import builtins
import hashlib
import hmac
import itertools
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from cs231n_lib.check import LimitReached, Result, StudentError, Subject
from cs231n_lib.check.harness import SEED_VARIABLE
from cs231n_lib.check.shell import make_shell
from cs231n_lib.check.wire import WireError

from .box import Box, BoxFault, Limits, Purse
from .sandbox import Prefix, Sandbox

RETRIED = ("error", "todo", "limit", "interface")  # worth a second try with the student's own extra cells


@dataclass(frozen=True)
class Job:
    """One notebook of one student. cells : [{"role", "grade_id", "source", "points"}] in order, the student's answers
    in the solution cells and the course's own text everywhere else."""

    cells: list[dict]
    extras: list[tuple[int, str]]
    seed: str
    sandbox: dict
    forbid: list[str]

    @property
    def prefix(self) -> Prefix:
        """The course's own cells before the first that is a student's or judges one: alike for every student."""
        leading = itertools.takewhile(lambda cell: cell["role"] in ("", "setup"), self.cells)
        return tuple((cell["grade_id"], cell["source"]) for cell in leading if cell["role"] == "setup")

    @property
    def walls(self) -> Sandbox:
        """The sandbox that it asks for."""
        data = Path(self.sandbox["data"]) if self.sandbox["data"] else None
        return Sandbox(self.sandbox["level"], data, Limits(**self.sandbox["limits"]))


@dataclass
class Verdict:
    """What a test cell came to. status : a Result's status, or "infra_error" for the machine's fault.

    student : the name that its drawn numbers were asked for, None where all have the same numbers
    """

    grade_id: str
    points: float
    max_points: float
    status: str
    message: str = ""
    hint: str = ""
    symptom: str = ""
    stage: str = ""
    seconds: float = 0.0
    outputs: list[dict] = field(default_factory=list)
    student: str | None = None


class Student:
    """The student's side of a session: a box that has run their cells, started again when it died.

    `skipped` holds cells that ended a box while running: they are left out of the next one.
    """

    def __init__(
        self, sandbox: Sandbox, cells: list[tuple[str, str]], forbid: tuple[str, ...], prefix: Prefix = ()
    ) -> None:
        self.sandbox, self.cells, self.forbid = sandbox, cells, forbid
        # Only what every student's box begins with can have run in its parent.
        self.prefix = prefix if tuple(cells[: len(prefix)]) == prefix else ()
        self.box: Box | None = None
        self.purse = Purse(sandbox.limits.total)
        self.shown: dict[str, dict] = {}
        self.skipped: set[str] = set()

    def ready(self) -> Box:
        """Return a live box in which the cells have run."""
        while self.box is None or not self.box.alive:
            self.close()
            self.box = box = self.sandbox.start(forbid=self.forbid, prefix=self.prefix, purse=self.purse)
            for grade_id, source in self.cells[len(self.prefix) :]:
                if grade_id in self.skipped:
                    continue
                try:
                    self.shown[grade_id] = box.run(source)
                except LimitReached as stop:
                    self.skipped.add(grade_id)
                    self.shown[grade_id] = {"error": {"type": "Stopped", "message": str(stop), "line": ""}}
                    break
        return self.box

    def bind(self, names: set[str]) -> dict[str, Any]:
        """Return those of `names` that the student defined: plain values by value, everything else as a Subject."""
        box = self.ready()
        reply, _ = box.request({"op": "describe", "names": sorted(names)}, [])
        offered = reply.get("names")
        kinds = {n: k for n, k in offered.items() if n in names} if isinstance(offered, dict) else {}
        return {name: Subject(box, name) for name in kinds}

    def close(self) -> None:
        if self.box is not None:
            self.box.close()


def judge(job: Job, shell: Any = None) -> dict:
    """Return the record of one job: verdicts of its test cells, what its cells showed, and flags.

    shell : one in which the job's prefix has run; none starts from nothing
    Raises BoxFault when no box can be started: the caller's to retry, never the student's fault.
    """
    run = [(c["grade_id"], c["source"]) for c in job.cells if c["role"] in ("setup", "solution")]
    student = Student(job.walls, run, tuple(job.forbid), job.prefix)
    helped = Student(job.walls, _with_extras(job), tuple(job.forbid), job.prefix)
    shell, ran = shell or set_up(()), {grade_id for grade_id, _ in job.prefix} if shell else set()
    verdicts, flags = [], []
    try:
        student.ready()
        for cell in job.cells:
            if cell["role"] == "setup" and cell["grade_id"] not in ran:
                _trusted(shell, cell["grade_id"], cell["source"])
            elif cell["role"] == "tests":
                verdict = _examine(shell, cell, student, job.seed)
                if verdict.points == 0 and verdict.status in RETRIED and job.extras:
                    second = _examine(shell, cell, helped, job.seed)
                    if second.points > 0:
                        verdict = second
                        flags.append(("found_elsewhere", f"{cell['grade_id']} needs cells that the student added"))
                verdicts.append(verdict)
    finally:
        student.close()
        helped.close()
    flags += [("cell_error", f"{n}: {s['error']['message']}") for n, s in student.shown.items() if s.get("error")]
    return {"verdicts": [asdict(v) for v in verdicts], "shown": student.shown, "flags": flags}


def set_up(prefix: Prefix) -> Any:
    """Return this process's shell after the cells of `prefix`. Raises BoxFault if one of them fails."""
    shell = make_shell()
    shell.config.InlineBackend.figure_formats = set()  # nobody looks at the judge's own figures: not drawn
    for grade_id, source in prefix:
        _trusted(shell, grade_id, source)
    return shell


def _with_extras(job: Job) -> list[tuple[str, str]]:
    """The cells again, with the student's own cells where they stood."""
    cells = []
    for index, cell in enumerate(job.cells):
        if cell["role"] in ("setup", "solution"):
            cells.append((cell["grade_id"], cell["source"]))
        cells += [(f"extra-{n}", source) for n, (at, source) in enumerate(job.extras) if at == index]
    return cells


def _trusted(shell: Any, grade_id: str, source: str) -> None:
    from IPython.utils.capture import capture_output

    with capture_output():
        outcome = shell.run_cell(source, store_history=False)
    if not outcome.success:
        raise BoxFault(f"setup cell {grade_id} failed in the judge: {outcome.error_in_exec!r}")


def _examine(shell: Any, cell: dict, student: Student, seed: str) -> Verdict:
    """Run one test cell and name how it ended."""
    from IPython.utils.capture import capture_output

    code = compile(cell["source"], cell["grade_id"], "exec")
    known = set(shell.user_ns) | set(dir(builtins))
    verdict = Verdict(cell["grade_id"], 0.0, cell["points"], "infra_error")
    bound: dict[str, Any] = {}
    start = time.perf_counter()
    try:
        bound = student.bind(_names(code) - known)
        shell.user_ns.update(bound)
        os.environ[SEED_VARIABLE] = str(derive_seed(seed, cell["grade_id"]))
        with capture_output() as shown:
            outcome = shell.run_cell(cell["source"], store_history=False)
        error = outcome.error_before_exec or outcome.error_in_exec
        verdict = _verdict(verdict, outcome.result, error, shell.user_ns.get("result"))
        verdict.outputs = [{"data": dict(o.data)} for o in shown.outputs if "text/html" in o.data]
    except LimitReached as stop:
        verdict.status, verdict.message = "limit", str(stop)
    finally:
        for name in {*bound, "result"} & set(shell.user_ns):
            del shell.user_ns[name]
    verdict.seconds = round(time.perf_counter() - start, 3)
    return verdict


def _verdict(verdict: Verdict, value: Any, error: BaseException | None, result: Any) -> Verdict:
    if isinstance(error, NameError) and error.name:
        verdict.status = "error"
        verdict.message = f"`{error.name}` is not defined: its cell was not run to the end, or the name was changed"
    elif isinstance(error, StudentError):
        verdict.status, verdict.message = "error", str(error)
    elif isinstance(error, WireError):
        verdict.status, verdict.message = "interface", str(error)
    elif isinstance(error, LimitReached):
        verdict.status, verdict.message = "limit", str(error)
    elif isinstance(error, AssertionError):
        verdict.status, verdict.message = "wrong", str(error)
    elif error is None and value is None:  # a cell of plain asserts, all of which held
        verdict.points, verdict.status = verdict.max_points, "passed"
    elif error is not None or type(value) is not float or not 0.0 <= value <= verdict.max_points:
        verdict.message = f"the test cell itself failed: {type(error).__name__ if error else f'it ended in {value!r}'}"
    elif isinstance(result, Result):
        verdict.points, verdict.status = value, result.status
        verdict.message, verdict.hint, verdict.symptom = result.message, result.hint, result.symptom
        verdict.stage, verdict.student = result.failed_stage, result.student
    else:
        verdict.points, verdict.status = value, "passed" if value == verdict.max_points else "wrong"
    return verdict


def _names(code: CodeType) -> set[str]:
    """Every global name that a test cell mentions, in its functions too."""
    nested = (_names(const) for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*nested)


def derive_seed(secret: str, grade_id: str) -> int:
    """A seed that only the holder of the secret can work out: HMAC-SHA256, 62 bits."""
    digest = hmac.new(secret.encode(), grade_id.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 2
