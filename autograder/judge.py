"""The trusted judge: runs a notebook's test cells unchanged, with the student's names as handles into a sandbox.

This process never runs a line of the student's: it has the hidden tests and the seeds, the box has the answers.
"""

import builtins
import hashlib
import hmac
import itertools
import os
import symtable
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cs231n_lib.check import LimitReached, Result, StudentError
from cs231n_lib.check.harness import SEED_VARIABLE
from cs231n_lib.check.n12_certificate import SEAL
from cs231n_lib.check.shell import make_shell
from cs231n_lib.check.wire import WireError

from .box import BoxFault, Limits, Purse
from .company import may_disturb
from .defang import shown
from .lender import Lender, carried
from .normalise import defined_names
from .sandbox import Prefix, Sandbox
from .source import TESTS_SUFFIX
from .student import LEAST_SECONDS, Student

RETRIED = ("error", "todo", "limit", "interface", "wrong")  # worth a second try in another company of cells
ODD_VALUE = "odd-value"
EXTRA = "extra-"  # with a number: what a cell that the student added is called, which has no grade_id
BY_A_VALUE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)  # raised by a test on a wrong type
EXTRA_SECONDS = 8.0  # wall time for a look at the student's own cells, all together


@dataclass(frozen=True)
class Job:
    """One notebook of one student. cells : [{"role", "grade_id", "source", "points"}] in order, the student's answers
    in the solution cells and the course's own text everywhere else."""

    cells: list[dict]
    extras: list[tuple[int, str]]
    seed: str
    sandbox: dict
    forbid: list[str]
    seal: str = ""  # seed of the course's sealed test set, empty where none was given out
    reference: bool = False  # True: the answers are the course's own, and less than full marks is a fault

    @property
    def prefix(self) -> Prefix:
        """The course's own cells before the first that is a student's or judges one: alike for every student."""
        leading = itertools.takewhile(lambda cell: cell["role"] in ("", "setup"), self.cells)
        return tuple((cell["grade_id"], cell["source"]) for cell in leading if cell["role"] == "setup")

    @property
    def asked(self) -> list[dict]:
        """The cells up to the last that is a student's or judges one: no score can hang on what follows."""
        last = max((n for n, cell in enumerate(self.cells) if cell["role"] in ("solution", "tests")), default=-1)
        return self.cells[: last + 1]

    @property
    def lender(self) -> Lender:
        """Who serves the layers that its cells carry forward."""
        return Lender(self.walls, carried(cell["source"] for cell in self.asked if cell["role"] == "setup"))

    @property
    def walls(self) -> Sandbox:
        """The sandbox that it asks for."""
        data = Path(self.sandbox["data"]) if self.sandbox["data"] else None
        return Sandbox(self.sandbox["level"], data, Limits(**self.sandbox["limits"]))


@dataclass
class Verdict:
    """What a test cell came to. status : a Result's status, or "infra_error" for the machine's fault.

    symptom ODD_VALUE : the test cell failed as it does on a value of a wrong type; whose fault it was, only the
        reference can tell, see `self_check`
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

    @property
    def doubtful(self) -> bool:
        """True if another company of cells may end better."""
        return self.points < self.max_points and (self.status in RETRIED or self.symptom == ODD_VALUE)


def judge(job: Job, shell: Any = None) -> dict:
    """Return the record of one job: verdicts of its test cells, what its cells showed, and flags.

    shell : one in which the job's prefix has run; none starts from nothing
    Raises BoxFault when no box can be started: the caller's to retry, never the student's fault.
    """
    shell, ran = shell or set_up(()), {grade_id for grade_id, _ in job.prefix} if shell else set()
    os.environ[SEAL] = job.seal  # of this process: a box inherits nothing
    session = Session(job, shell)
    try:
        for cell in job.asked:
            if cell["role"] == "setup" and cell["grade_id"] not in ran:
                _trusted(shell, cell["grade_id"], cell["source"])
            elif cell["role"] == "tests":
                session.ask(cell)
        session.look_at_extras()
    finally:
        session.close()
    record = {
        "verdicts": [asdict(verdict) for verdict in session.verdicts],
        "shown": session.student.shown,
        "flags": session.flags + _cell_flags(session.student.shown),
    }
    if job.reference and any(verdict.points < verdict.max_points for verdict in session.verdicts):
        record["fault"] = "the course's own answers do not get full marks"
    return record


class Session:
    """The questions of one notebook put to one student, with the boxes that this needs and the time that it may take.

    `student` has run all answers; `helped` their own cells too, where they stood. A question that fails is tried again
    in a fresh box with the shared cells and its own alone: what another cell broke is not its fault.
    """

    def __init__(self, job: Job, shell: Any) -> None:
        self.job, self.shell = job, shell
        self.loading, self.lender = Purse(job.walls.limits.total / 2), job.lender
        self.student, self.helped = self._student(_cells(job)), self._student(_with_extras(job))
        self.left = job.walls.limits.total / 2
        self.names: set[str] = set()  # what the questions asked for and the student had
        self.verdicts: list[Verdict] = []
        self.flags: list[tuple[str, str]] = []

    def _student(self, cells: list[tuple[str, str]]) -> Student:
        answers = frozenset(cell["grade_id"] for cell in self.job.cells if cell["role"] == "solution")
        own = frozenset(name for name, _ in cells if name.startswith(EXTRA))
        forbid, lend = tuple(self.job.forbid), self.lender.lend
        return Student(self.job.walls, cells, answers, forbid, self.job.prefix, self.loading, own, lend)

    def ask(self, cell: dict) -> None:
        """Judge one test cell. Where time ran out, the next question still gets a little: it may be a quick one."""
        purse = Purse(max(LEAST_SECONDS, min(self.job.walls.limits.question, self.left)))
        verdict = self._examine(cell, self.student, purse)
        own = cell["grade_id"].removesuffix(TESTS_SUFFIX)
        if verdict.doubtful and (verdict.status == "limit" or self._others_may_be_to_blame(own)):
            alone = self._student(_cells(self.job, own))
            if len(alone.cells) < len(self.student.cells):
                verdict = self._again(
                    cell, alone, purse, verdict, "poisoned_by_other_cells", "fails beside other answers"
                )
            alone.close()
        if verdict.points == 0 and verdict.doubtful and self.job.extras:
            verdict = self._again(cell, self.helped, purse, verdict, "found_elsewhere", "needs cells the student added")
        stub = verdict.status == "todo" or verdict.symptom == "NotImplementedError"
        if stub and self._stands_elsewhere(own):
            moved = self._student([(name, text) for name, text in _with_extras(self.job) if name != own])
            verdict = self._again(cell, moved, purse, verdict, "found_elsewhere", "is answered in another cell")
            moved.close()
        self.verdicts.append(verdict)

    def _stands_elsewhere(self, question: str) -> bool:
        """True if another cell defines what the stub of a question does; where it stands above, the stub hides it."""
        texts = dict(_with_extras(self.job))
        stub = set(defined_names(texts.pop(question, "")))
        return any(stub & set(defined_names(text)) for text in texts.values())

    def _others_may_be_to_blame(self, question: str) -> bool:
        texts, shared = dict(_cells(self.job)), dict(_cells(self.job, question))
        others = [text for grade_id, text in texts.items() if grade_id not in shared]
        return may_disturb(others, shared.pop(question, ""), list(shared.values()))

    def _again(self, cell: dict, who: Student, purse: Purse, first: Verdict, flag: str, why: str) -> Verdict:
        second = self._examine(cell, who, purse) if purse.left > 0 else first
        if second.points <= first.points:
            return first
        self.flags.append((flag, f"{cell['grade_id']} {why}"))
        return second

    def _examine(self, cell: dict, who: Student, purse: Purse) -> Verdict:
        who.purse.left, before = purse.left, purse.left
        verdict, names = _examine(self.shell, cell, who, self.job.seed)
        purse.left = who.purse.left
        self.left -= before - purse.left
        if who is self.student:
            self.names |= names
        return verdict

    def look_at_extras(self) -> None:
        """Run the student's own cells, briefly and last: what they raise or break is a flag and costs nothing."""
        if not self.job.extras:
            return
        self.student.purse.left = EXTRA_SECONDS
        try:
            box = self.student.ready()
            for _, source in self.job.extras:
                error = shown(box.run(source, seconds=EXTRA_SECONDS / 4)).error
                if error:
                    self.flags.append(("cell_error", f"a cell of the student's own: {error[0]}: {error[1][:200]}"))
            lost = self.names - set(self.student.bind(self.names))
        except LimitReached as stop:
            self.flags.append(("cell_error", f"a cell of the student's own: {stop}"))
            return
        if lost:
            self.flags.append(
                ("poisoned_by_other_cells", f"the student's own cells delete {', '.join(sorted(lost)[:5])}")
            )

    def close(self) -> None:
        self.student.close()
        self.helped.close()
        self.lender.close()


def _cell_flags(reports: dict[str, dict]) -> list[tuple[str, str]]:
    flags = []
    for name, report in reports.items():
        if report["error"]:
            broken = report["error"]["type"] in ("SyntaxError", "IndentationError", "TabError")
            flag = "syntax_error" if broken else "cell_error"
            flags.append((flag, f"{name}: {report['error']['message'] or report['error']['type']}"))
        if report["flood"]:
            flags.append(("output_flood", f"{name} showed more than is kept"))
    return flags


def _cells(job: Job, question: str = "") -> list[tuple[str, str]]:
    """The cells to run: all, or those that a question shares with all others and its own."""
    judged = {c["grade_id"].removesuffix(TESTS_SUFFIX) for c in job.cells if c["role"] == "tests"}
    others = judged - {question} if question else set()
    run = [c for c in job.asked if c["role"] in ("setup", "solution") and c["grade_id"] not in others]
    return [(c["grade_id"], c["source"]) for c in run]


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
    for index, cell in enumerate(job.asked):
        if cell["role"] in ("setup", "solution"):
            cells.append((cell["grade_id"], cell["source"]))
        cells += [(f"{EXTRA}{n}", source) for n, (at, source) in enumerate(job.extras) if at == index]
    after = [(f"{EXTRA}{n}", source) for n, (at, source) in enumerate(job.extras) if at >= len(job.asked)]
    return cells + after


def _trusted(shell: Any, grade_id: str, source: str) -> None:
    from IPython.utils.capture import capture_output

    with capture_output():
        outcome = shell.run_cell(source, store_history=False)
    if not outcome.success:
        raise BoxFault(f"setup cell {grade_id} failed in the judge: {outcome.error_in_exec!r}")


def _examine(shell: Any, cell: dict, student: Student, seed: str) -> tuple[Verdict, set[str]]:
    """Run one test cell; return how it ended, and the names that it took from the student."""
    from IPython.utils.capture import capture_output

    known = set(shell.user_ns) | set(dir(builtins))
    verdict = Verdict(cell["grade_id"], 0.0, cell["points"], "infra_error")
    bound: dict[str, Any] = {}
    start = time.perf_counter()
    try:
        bound = student.bind(_names(cell["source"]) - known)
        shell.user_ns.update(bound)
        os.environ[SEED_VARIABLE] = str(derive_seed(seed, cell["grade_id"]))
        with capture_output() as seen:
            outcome = shell.run_cell(cell["source"], store_history=False)
        error = outcome.error_before_exec or outcome.error_in_exec
        verdict = _verdict(verdict, outcome.result, error, shell.user_ns.get("result"))
        verdict.outputs = [{"data": dict(o.data)} for o in seen.outputs if "text/html" in o.data]
    except LimitReached as stop:
        verdict.status, verdict.message, verdict.symptom = "limit", str(stop), stop.kind
    finally:
        for name in {*bound, "result"} & set(shell.user_ns):
            del shell.user_ns[name]
    verdict.seconds = round(time.perf_counter() - start, 3)
    return verdict, set(bound)


def _verdict(verdict: Verdict, value: Any, error: BaseException | None, result: Any) -> Verdict:
    if isinstance(error, NameError) and error.name:
        verdict.status = "error"
        verdict.message = f"`{error.name}` is not defined: its cell was not run to the end, or the name was changed"
    elif isinstance(error, StudentError):
        verdict.status, verdict.message, verdict.symptom = "error", str(error), error.kind
    elif isinstance(error, WireError):
        verdict.status, verdict.message, verdict.symptom = "interface", str(error), error.symptom
    elif isinstance(error, LimitReached):
        verdict.status, verdict.message, verdict.symptom = "limit", str(error), error.kind
    elif isinstance(error, AssertionError):
        verdict.status, verdict.message = "wrong", str(error)
    elif error is None and value is None:  # a cell of plain asserts, all of which held
        verdict.points, verdict.status = verdict.max_points, "passed"
    elif error is not None or type(value) is not float or not 0.0 <= value <= verdict.max_points:
        verdict.message = f"the test cell itself failed: {type(error).__name__ if error else f'it ended in {value!r}'}"
        verdict.symptom = ODD_VALUE if isinstance(error, BY_A_VALUE) else ""
    elif isinstance(result, Result):
        verdict.points, verdict.status = value, result.status
        verdict.message, verdict.hint, verdict.symptom = result.message, result.hint, result.symptom
        verdict.stage, verdict.student = result.failed_stage, result.student
    else:
        verdict.points, verdict.status = value, "passed" if value == verdict.max_points else "wrong"
    return verdict


def _names(source: str) -> set[str]:
    """Every global name that a test cell reads and does not itself define or import, in its functions too.

    The box is asked for them: what a hidden test is called, or which attributes it looks at, does not go there.
    """

    def read(table: symtable.SymbolTable) -> set[str]:
        top = table.get_type() == "module"
        names = {s.get_name() for s in table.get_symbols() if (s.is_referenced() if top else s.is_global())}
        return names.union(*map(read, table.get_children()))

    whole = symtable.symtable(source, "tests", "exec")
    return read(whole) - {s.get_name() for s in whole.get_symbols() if s.is_namespace() or s.is_imported()}


def derive_seed(secret: str, grade_id: str) -> int:
    """A seed that only the holder of the secret can work out: HMAC-SHA256, 62 bits."""
    digest = hmac.new(secret.encode(), grade_id.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 2
