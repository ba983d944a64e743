"""One evening of grading from end to end, with progress: what `cs231n grade` and `cs231n demo` do."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from .cluster import scheduler_for
from .collect import Submission, survey
from .collected import kept, kept_students, received
from .course import Course, CourseError, source_folder
from .feedback import write_feedback
from .gradebook import GradeBook
from .grading import Graded, Template, grade, prepare
from .regrade import Again, completed, rounds
from .report import write_reports
from .results import StudentResult, load, same_origin, save, summarise
from .roster import Roster
from .sandbox import MINIMUM, find_sandbox
from .scheduler import remove_unfinished, write_atomically

# Folders of a course in which this command alone writes; records are written by the workers.
ONE_WRITER = ("collected", "autograded", "results", "standing", "feedback", "reports")


@dataclass(frozen=True)
class Evening:
    """What came of it. files : paths by kind."""

    assignment: str
    level: str
    results: list[StudentResult]
    files: dict[str, str]


def grade_folder(
    course: Course,
    assignment: str,
    folder: Path | None,
    *,
    workers: int,
    allow_none: bool = False,
    minimum: str = MINIMUM,
    only: tuple[str, ...] = (),
    roster: Roster | None = None,
    again: Again | None = None,
    address: str = "",
    slurm: bool = False,
) -> Evening:
    """Grade all submissions in `folder` and write gradebook, feedback, CSV and report.

    folder : a folder or a download, see `collect.survey`; None grades what was collected before
    workers : threads, or Slurm jobs; address : of a running Dask scheduler; slurm : start workers with Slurm
    minimum : the least level of sandbox that will do
    only : names of notebooks, for a course that sets some of an assignment; none grades all
    roster : the class list, to name students as the course does
    again : what to grade again, of what was collected before; the rest stands
    Raises CourseError before anything is graded if the folder, the assignment or the sandbox is not in order.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    # What is not in order is said before anything is built.
    source_folder(assignment)
    if folder is None:
        kept_students(course, assignment)
    else:
        survey(folder, assignment, [], roster)
    sandbox = find_sandbox(allow_none=allow_none, minimum=minimum)
    for name in ONE_WRITER:
        remove_unfinished(course.root / name)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    ) as progress:
        step = progress.add_task("preparing the data sets", total=None)
        sandbox = replace(sandbox, data=data_folder())
        progress.update(step, description=f"preparing {assignment}")
        templates = prepare(course, assignment, only)
        names = _arrivals(course, assignment, folder, templates, roster, again.students if again else ())
        write_atomically(course.root / "sandbox-level", sandbox.level)
        # Some of a class graded again: the others handed in too.
        everyone = set(kept_students(course, assignment)) if again else set(names)
        book, results = GradeBook(course, assignment), []
        origins: dict[str, frozenset[str]] = {}
        progress.update(step, description=f"grading {assignment}", total=len(names), completed=0)

        def store(submission: Submission, graded: list[Graded]) -> None:
            graded = completed(course, assignment, templates, submission, graded)
            result = summarise(submission, graded, everyone)
            book.store(submission, graded)
            write_feedback(course, assignment, result, graded)
            save(course, assignment, result)
            results.append(result)
            origins[result.student] = frozenset().union(*(part.answers.origin for part in graded))

        scheduler = scheduler_for(course.records, workers=workers, address=address, slurm=slurm)
        try:
            for notebooks, group in rounds(course, assignment, templates, names, again=again):
                if not group:
                    continue
                grade(
                    course,
                    assignment,
                    notebooks,
                    kept(course, assignment, [template.name for template in notebooks], tuple(group)),
                    sandbox=sandbox,
                    scheduler=scheduler,
                    store=store,
                    progress=lambda student: progress.advance(step),
                )
        finally:
            scheduler.close()
            book.close()
    for result in same_origin(results, origins):
        save(course, assignment, result)
    files = write_reports(course, assignment)
    files["gradebook"] = str(course.root / "gradebook.db")
    files["feedback"] = str(course.root / "feedback")
    return Evening(assignment, sandbox.level, results, files)


def _arrivals(
    course: Course,
    assignment: str,
    folder: Path | None,
    templates: list[Template],
    roster: Roster | None,
    students: tuple[str, ...],
) -> list[str]:
    """Return whose work is to be graded, in order; what is in `folder` is kept first, one student at a time."""
    if folder is None and not students:
        return kept_students(course, assignment)
    wanted = {template.name: template.grade_ids for template in templates}
    return [s.student for s in received(course, assignment, folder, wanted, roster=roster, students=students)]


def regrade(
    course: Course,
    assignment: str,
    again: Again,
    *,
    workers: int,
    allow_none: bool = False,
    minimum: str = MINIMUM,
) -> list[tuple]:
    """Grade again what `again` asks for; return (student, exercise, score before, score after) where they differ.

    Points by hand stand. Raises CourseError if nothing was graded yet, or for an unknown exercise or student.
    """
    before = {r.student: {(row.notebook, row.question): row.score for row in r.rows} for r in load(course, assignment)}
    only = tuple(sorted({notebook for scores in before.values() for notebook, _ in scores}))
    if not only:
        raise CourseError(
            f"{assignment} must be graded before it is graded again; run: cs231n grade {assignment} FOLDER"
        )
    outcome = grade_folder(
        course, assignment, None, workers=workers, allow_none=allow_none, minimum=minimum, only=only, again=again
    )
    after = [(r.student, row) for r in outcome.results for row in r.rows]
    return [
        (student, row.question, then, row.score)
        for student, row in after
        if (then := before.get(student, {}).get((row.notebook, row.question))) != row.score
    ]


def data_folder() -> Path | None:
    """Return the folder of cached data sets, for boxes to see read-only; draws shapes10 first if it is not there.

    Asked of the library in a process of its own: the grader imports nothing of the library but its checks.
    """
    question = "from cs231n_lib.data import load_dataset; load_dataset('shapes10', quiet=True)\n"
    question += "from cs231n_lib.store import cache_folder; print(cache_folder())"
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CourseError(f"the data sets must be readable, got: {done.stderr.strip().splitlines()[-1]}")
    return Path(done.stdout.strip().splitlines()[-1])


def print_table(evening: Evening) -> None:
    """Print who got what, and where the files are."""
    from rich.console import Console
    from rich.table import Table

    from .results import STATUSES

    table = Table("student", "score", "of", "waiting", "how the questions ended", title=evening.assignment)
    for result in evening.results:
        counts = {status: sum(row.status == status for row in result.rows) for status in STATUSES}
        words = ", ".join(f"{n} {STATUSES[status]}" for status, n in counts.items() if n)
        table.add_row(result.student, f"{result.score:g}", f"{result.max_score:g}", str(result.waiting or ""), words)
    console = Console()
    console.print(table)
    console.print(f"sandbox level: {evening.level}")
    for kind, path in evening.files.items():
        console.print(f"{kind:14} {path}", soft_wrap=True, highlight=False)
