"""Grade an assignment: plan jobs from submissions, run them, and hand each finished student to the gradebook."""

import hashlib
import hmac
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass

import nbformat
from nbformat import NotebookNode

from .build import generate
from .collect import Submission
from .course import Course
from .judge import Job
from .normalise import Answers, parse_answers
from .sandbox import Sandbox
from .scheduler import Scheduler, content_key, engine_version
from .self_check import lost_points, settled

HEAVY = ("torch", "scipy", "sklearn", "skimage", "cv2", "tensorflow", "jax", "numba", "pandas")


MISSING = Answers("missing_file", "no notebook of this name was handed in")


@dataclass(frozen=True)
class Template:
    """One notebook as the course means it: the release's cells, with whole test cells.

    reference : {grade_id: the course's own answer}, what the test cells are tried on before a class is
    """

    name: str
    notebook: NotebookNode
    reference: dict[str, str]

    def cells(self, answers: dict[str, str]) -> list[dict]:
        """The cells of a job: the student's text in solution cells, the course's everywhere else."""
        return [
            {
                "role": role_of(cell),
                "grade_id": cell.metadata.get("nbgrader", {}).get("grade_id", ""),
                "source": answers.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell.source),
                "points": float(cell.metadata.get("nbgrader", {}).get("points", 0.0)),
            }
            for cell in self.notebook.cells
        ]

    @property
    def grade_ids(self) -> frozenset[str]:
        """The ids of this notebook's cells."""
        cells = self.notebook.cells
        return frozenset(cell.metadata.nbgrader.grade_id for cell in cells if "nbgrader" in cell.metadata)

    @property
    def forbid(self) -> list[str]:
        """Heavy packages that this notebook's own setup does not import: absent from its boxes."""
        setup = "\n".join(cell.source for cell in self.notebook.cells if role_of(cell) == "setup")
        needed = {package for package in HEAVY if f"import {package}" in setup or f"from {package}" in setup}
        return [package for package in HEAVY if package not in needed]


@dataclass(frozen=True)
class Graded:
    """One notebook of one student, judged. record : the judge's, or {"fault": ...} for a machine fault."""

    template: Template
    answers: Answers
    record: dict


def role_of(cell: NotebookNode) -> str:
    """Return "setup", "solution", "tests", "answer" or "" from a cell's nbgrader metadata."""
    meta = cell.metadata.get("nbgrader")
    if not meta:
        return ""
    if meta.grade:
        return "answer" if meta.solution else "tests"
    return "solution" if meta.solution else "setup"


def prepare(course: Course, assignment: str, only: tuple[str, ...] = ()) -> list[Template]:
    """Generate the assignment in the course folder and return its templates, or those of the notebooks `only`."""
    generate(course, assignment, only)
    templates = []
    for path in sorted(course.release(assignment).glob("*.ipynb")):
        whole = nbformat.read(course.source(assignment) / path.name, as_version=4)
        templates.append(template_of(path.stem, nbformat.read(path, as_version=4), whole))
    return templates


def template_of(name: str, release: NotebookNode, source: NotebookNode) -> Template:
    """Return the template of a notebook. release : as given out; source : with whole test cells and the answers"""
    whole = {cell.metadata.nbgrader.grade_id: cell.source for cell in source.cells if "nbgrader" in cell.metadata}
    reference = {}
    for cell in release.cells:
        if role_of(cell) == "tests":
            cell.source = whole[cell.metadata.nbgrader.grade_id]
        elif role_of(cell) == "solution":
            reference[cell.metadata.nbgrader.grade_id] = whole[cell.metadata.nbgrader.grade_id]
    return Template(name, release, reference)


def course_secret(course: Course) -> str:
    """Return the course's secret, made at first use: every seed of a hidden test is derived from it."""
    path = course.root / "secret"
    if not path.exists():
        course.root.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()


def seal_of(course: Course) -> str:
    """Return the seed of the course's sealed test set, hexadecimal. It follows from the secret: nothing new to keep."""
    return hmac.new(course_secret(course).encode(), b"sealed set", hashlib.sha256).hexdigest()[:32]


def grade(
    course: Course,
    assignment: str,
    templates: list[Template],
    submissions: Iterable[Submission],
    *,
    sandbox: Sandbox,
    scheduler: Scheduler,
    store: Callable[[Submission, list[Graded]], None],
    progress: Callable[[str], None],
) -> None:
    """Grade every submission and call `store` once for each, in their order, from this thread only.

    Submissions are drawn as there is room for them: a class of any size takes the memory of a few.
    A submission that cannot be read still yields a result. Where points are lost, the course's own answers are asked
    too, see `self_check`.
    progress : called with the student's name when stored
    """
    version, secret = engine_version(), course_secret(course)
    seal = seal_of(course) if course.seal_marker.exists() else ""
    walls = {
        "level": sandbox.level,
        "data": str(sandbox.data) if sandbox.data else "",
        "limits": asdict(sandbox.limits),
    }

    def judged(template: Template, answers: Answers, *, reference: bool = False) -> "Future[dict]":
        cells = template.cells(answers.cells)
        content = [assignment, template.name, cells, answers.extras, walls, version, seal, reference]
        # The seed follows from the content, so the same answers always meet the same hidden cases.
        seed = hmac.new(secret.encode(), content_key(content).encode(), hashlib.sha256).hexdigest()
        job = Job(cells, list(answers.extras), seed, walls, template.forbid, seal, reference)
        return scheduler.submit(content_key(content, seed), asdict(job))

    references: dict[str, Future[dict]] = {}

    def vouched(template: Template, record: dict) -> dict:
        if not lost_points(record):
            return record
        if template.name not in references:
            references[template.name] = judged(template, Answers(cells=template.reference), reference=True)
        return settled(record, references[template.name].result())

    waiting: deque[tuple[Submission, list[tuple[Template, Answers, Future[dict] | None]]]] = deque()

    def finish() -> None:
        submission, parts = waiting.popleft()
        store(submission, [Graded(t, a, vouched(t, f.result()) if f is not None else {}) for t, a, f in parts])
        progress(submission.student)

    for submission in submissions:
        parts: list[tuple[Template, Answers, Future[dict] | None]] = []
        for template in templates:
            raw = submission.notebooks.get(template.name)
            answers = parse_answers(raw, template.notebook) if raw is not None else MISSING
            parts.append((template, answers, None if answers.fault else judged(template, answers)))
        waiting.append((submission, parts))
        # A window: enough to keep every worker busy while the first is stored, never the whole class in memory.
        while len(waiting) > scheduler.window:
            finish()
    while waiting:
        finish()
