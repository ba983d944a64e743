"""Grade again: one exercise, one student, or what a changed spec touches. The rest of what was judged stands."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from .collect import Submission
from .collected import kept_notebook
from .course import Course, CourseError
from .grading import MISSING, Graded, Template, role_of
from .lineage import spec_digest
from .normalise import parse_answers
from .scheduler import write_atomically
from .source import TESTS_SUFFIX

MANY_TRIES = 20  # nobody hands in so often to learn; a score asked for bit by bit takes at least as many


@dataclass(frozen=True)
class Again:
    """What to grade again. exercises, students : () for all; neither: what a changed spec touches"""

    exercises: tuple[str, ...] = ()
    students: tuple[str, ...] = ()


@dataclass(frozen=True)
class Narrow(Template):
    """A notebook of which only some exercises are judged; every other test cell is passed over."""

    exercises: frozenset[str] = field(default_factory=frozenset)

    def cells(self, answers: dict[str, str]) -> list[dict]:
        """The cells of a job. A cell keeps its place: a student's own cells are put back by position."""
        wanted = {name + TESTS_SUFFIX for name in self.exercises}
        return [
            {**cell, "role": ""} if cell["role"] == "tests" and cell["grade_id"] not in wanted else cell
            for cell in super().cells(answers)
        ]


def narrowed(templates: list[Template], exercises: tuple[str, ...]) -> list[Template]:
    """Return the notebooks that hold some of these exercises, narrowed to them; all of them, whole, for ().

    Raises CourseError for an exercise that none of them has.
    """
    if not exercises:
        return templates
    known = {name for template in templates for name in tested(template)}
    for name in exercises:
        if name not in known:
            raise CourseError(f"exercise must be one of {', '.join(sorted(known))}, got {name!r}")
    parts = [(template, frozenset(tested(template)) & set(exercises)) for template in templates]
    return [Narrow(template.name, template.notebook, template.reference, part) for template, part in parts if part]


def tested(template: Template) -> dict[str, str]:
    """Return {exercise: source of its test cell}."""
    cells = [cell for cell in template.notebook.cells if role_of(cell) == "tests"]
    return {cell.metadata.nbgrader.grade_id.removesuffix(TESTS_SUFFIX): cell.source for cell in cells}


def rounds(
    course: Course,
    assignment: str,
    templates: list[Template],
    students: list[str],
    *,
    again: Again | None,
) -> Iterator[tuple[list[Template], list[str]]]:
    """Yield (notebooks, students) to grade together: one round of everything, or what `again` asks for.

    A student whose other exercises have no standing verdicts on these very answers is graded whole.
    """
    if again is None:
        yield templates, students
        return
    narrowed(templates, again.exercises)  # an unknown exercise is said before anything is graded
    ready = [s for s in students if all(_stands(course, assignment, s, template) for template in templates)]
    fresh = [s for s in students if s not in ready]
    exercises = again.exercises
    if not exercises and not again.students:
        parts = [touched(course, assignment, s, templates) for s in ready]
        exercises = tuple(sorted(set().union(*parts)))
        if not exercises:
            ready = []
    if fresh:
        yield templates, fresh
    if ready:
        yield narrowed(templates, exercises), ready


def completed(
    course: Course, assignment: str, templates: list[Template], submission: Submission, graded: list[Graded]
) -> list[Graded]:
    """Return one student's notebooks with the new verdicts among those that stand, and keep them as what stands."""
    new = {part.template.name: part for part in graded}
    whole = []
    for template in templates:
        part = new.get(template.name)
        judged = frozenset(tested(template)) if part is not None else frozenset()
        if part is None or isinstance(part.template, Narrow):
            judged = part.template.exercises if part is not None and isinstance(part.template, Narrow) else frozenset()
            part = _merged(course, assignment, template, submission, part)
        if not part.answers.fault and "fault" not in part.record:
            tries = _keep(course, assignment, submission, part, judged)
            if tries >= MANY_TRIES:
                flag = ("oracle_pattern", f"{tries} different versions of it were judged")
                part = replace(part, record={**part.record, "flags": [*part.record.get("flags", []), flag]})
        whole.append(part)
    return whole


def _merged(course: Course, assignment: str, template: Template, submission: Submission, part: Graded | None) -> Graded:
    standing = _standing(course, assignment, submission.student, template.name)["record"]
    if part is None:
        raw = kept_notebook(course, assignment, submission.student, template.name)
        return Graded(template, parse_answers(raw, template.notebook) if raw is not None else MISSING, standing)
    if "fault" in part.record or part.answers.fault:
        return Graded(template, part.answers, standing)  # a machine that failed changes nothing
    fresh = {verdict["grade_id"]: verdict for verdict in part.record.get("verdicts", [])}
    verdicts = [fresh.get(verdict["grade_id"], verdict) for verdict in standing["verdicts"]]
    flags = [flag for flag in part.record.get("flags", []) if flag not in standing["flags"]]
    record = {**standing, **part.record, "verdicts": verdicts, "flags": [*standing["flags"], *flags]}
    return Graded(template, part.answers, record)


def touched(course: Course, assignment: str, student: str, templates: list[Template]) -> set[str]:
    """Return the exercises whose spec is no longer what it was when this student's answers were judged."""
    found: set[str] = set()
    for template in templates:
        then = _standing(course, assignment, student, template.name)["specs"]
        now = {name: spec_digest(name, source) for name, source in tested(template).items()} if then else {}
        found |= {name for name in now if then.get(name) != now[name]}
    return found


def _stands(course: Course, assignment: str, student: str, template: Template) -> bool:
    """True if every exercise of a notebook has a verdict on the answers that are there now."""
    raw = kept_notebook(course, assignment, student, template.name)
    if raw is None:
        return True  # nothing to judge, then as now
    standing = _standing(course, assignment, student, template.name)
    verdicts = {v["grade_id"].removesuffix(TESTS_SUFFIX) for v in standing["record"].get("verdicts", [])}
    return standing["notebook"] == hashlib.sha256(raw).hexdigest() and verdicts >= set(tested(template))


def _path(course: Course, assignment: str, student: str, notebook: str) -> Path:
    return course.root / "standing" / assignment / student / f"{notebook}.json"


def _standing(course: Course, assignment: str, student: str, notebook: str) -> dict:
    """What was judged last: {"record", "specs": {exercise: digest}, "notebook": digest of what was handed in,
    "versions": digests of all that was ever judged}."""
    path = _path(course, assignment, student, notebook)
    if not path.is_file():
        return {"record": {}, "specs": {}, "notebook": "", "versions": []}
    return json.loads(path.read_text(encoding="utf-8"))


def _keep(course: Course, assignment: str, submission: Submission, part: Graded, judged: frozenset[str]) -> int:
    """Keep what stands now; return how many different versions of this notebook were judged so far."""
    name, student = part.template.name, submission.student
    specs = {e: spec_digest(e, source) for e, source in tested(part.template).items() if e in judged}
    before = _standing(course, assignment, student, name)
    digest = hashlib.sha256(kept_notebook(course, assignment, student, name) or b"").hexdigest()
    versions = list(dict.fromkeys([*before.get("versions", []), digest]))
    about = {"record": part.record, "specs": {**before["specs"], **specs}, "notebook": digest, "versions": versions}
    write_atomically(_path(course, assignment, student, name), json.dumps(about))
    return len(versions)
