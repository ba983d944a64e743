"""How long grading takes: this course's engine against serial `nbgrader autograde`, on the same submissions in one run.

    python benchmarks/grading.py [--quick] [--json FILE] [--rounds N] [--kinds numpy torch]

The engine runs as an instructor runs it: sandbox, trusted judge, two workers, gradebook written. Each round grades all
submissions with both, one after the other, so that a busy machine weighs on both alike. Imports, the kernel of the
first submission and the engine's warm parents are one-off costs: both sides grade one submission before the clock
starts, and the table names the engine's start. Scores must be equal cell by cell, or the exit code is 1.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nbformat

from autograder.collect import Submission
from autograder.course import Course, nbgrader_config
from autograder.gradebook import GradeBook
from autograder.grading import Template, grade, template_of
from autograder.sandbox import Sandbox, find_sandbox
from autograder.scheduler import Threads, warm_server
from benchmarks.methods.grading_notebooks import STUDENTS, hand_in, notebook

WORKERS = 2
TARGETS = {"numpy": 20.0, "torch": 30.0}


def cpu(*, children: bool) -> float:
    """CPU seconds of this process, or of its children that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def prepare(kind: str, root: Path) -> Template:
    """Build the assignment with nbgrader in `root` and lay out its submissions. Returns our template of it."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    course = Course(root)
    config = nbgrader_config(course)
    whole = notebook(kind)
    course.source(kind).mkdir(parents=True)
    nbformat.write(whole, course.source(kind) / "ps.ipynb")
    made = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment(kind)
    assert made["success"], made["log"]
    release = nbformat.read(course.release(kind) / "ps.ipynb", as_version=4)
    for student in STUDENTS:
        folder = root / "submitted" / student / kind
        folder.mkdir(parents=True)
        nbformat.write(hand_in(release, kind, student), folder / "ps.ipynb")
    return template_of("ps", release, whole)


def stock(kind: str, course: Course, students: list[str]) -> None:
    """Grade serially with nbgrader, in this process."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    config = nbgrader_config(course)
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    for student in students:
        outcome = api.autograde(kind, student)
        assert outcome["success"], outcome["log"]


def ours(
    kind: str, course: Course, template: Template, students: list[str], scheduler: Threads, sandbox: Sandbox
) -> None:
    """Grade with the engine."""
    book = GradeBook(course, kind)
    submissions = (
        Submission(s, {"ps": (course.root / "submitted" / s / kind / "ps.ipynb").read_bytes()}) for s in students
    )
    grade(
        course,
        kind,
        [template],
        submissions,
        sandbox=sandbox,
        scheduler=scheduler,
        store=book.store,
        progress=lambda student: None,
    )
    book.close()


def scores(course: Course, kind: str) -> dict[tuple[str, str], float | None]:
    from nbgrader.api import Gradebook

    with Gradebook(course.database) as book:
        return {
            (submission.student.id, cell.name): cell.auto_score
            for submission in book.assignment_submissions(kind)
            for sheet in submission.notebooks
            for cell in sheet.grades
        }


def measure(kind: str, rounds: int, students: list[str]) -> dict:
    """Return seconds per submission of both, round by round, and whether the scores are equal.

    The CPU seconds of the engine's processes are known when its server has ended, so they are taken over all rounds;
    what its start and its first submissions take is measured apart, on a server of its own.
    """
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        template = prepare(kind, Path(folder, "ours"))
        prepare(kind, Path(folder, "stock"))
        sandbox = find_sandbox()
        theirs, mine = Course(Path(folder, "stock")), Course(Path(folder, "ours"))

        def grade_ours(name: str, some: list[str]) -> None:
            ours(kind, mine, template, some, Threads(mine.root / name, WORKERS), sandbox)

        def warm(name: str) -> float:
            started = timed(lambda: grade_ours(f"{name}-1", students[:1]))
            grade_ours(f"{name}-2", students[1:3])  # now the judge has learned its imports
            return started

        stock(kind, theirs, students[:1])
        children = cpu(children=True)
        start = warm("apart")
        warm_server().close()
        start_cpu = cpu(children=True) - children
        warm("start")
        cpu_stock = cpu_ours = children_stock = 0.0
        before = cpu(children=True)
        for n in range(rounds):
            own, inner = cpu(children=False), cpu(children=True)
            row = {"stock": timed(lambda: stock(kind, theirs, students)) / len(students)}
            children_stock += cpu(children=True) - inner
            cpu_stock, own = cpu_stock + cpu(children=False) - own, cpu(children=False)
            row["ours"] = timed(lambda n=n: grade_ours(f"round-{n}", students)) / len(students)
            cpu_ours += cpu(children=False) - own
            row["ratio"] = row["stock"] / row["ours"]
            rows.append(row)
            print(f"  {kind} round {n + 1}: {row['stock']:.2f} s against {row['ours']:.3f} s: {row['ratio']:.1f}x")
        warm_server().close()
        cpu_ours += cpu(children=True) - before - children_stock - start_cpu
        a, b = scores(theirs, kind), scores(mine, kind)
    graded = rounds * len(students)
    return {
        "kind": kind,
        "submissions": len(students),
        "rounds": rows,
        "start": start,
        "cpu": {"stock": (cpu_stock + children_stock) / graded, "ours": cpu_ours / graded},
        "cells": len(a),
        "different": sorted(f"{s} {c}: {a[s, c]} and {b.get((s, c))}" for s, c in a if a[s, c] != b.get((s, c))),
        "ratio": statistics.median(row["ratio"] for row in rows),
        "target": TARGETS[kind],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of four submissions")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    options = parser.parse_args()
    students = list(STUDENTS)[:: 3 if options.quick else 1]
    rounds = 1 if options.quick else options.rounds
    level, load = find_sandbox().level, os.getloadavg()[0]
    print(f"sandbox level {level}, {WORKERS} workers, {os.cpu_count()} cores, load {load:.1f}")
    found = [measure(kind, rounds, students) for kind in options.kinds]
    for result in found:
        ratios = [row["ratio"] for row in result["rounds"]]
        print(
            f"{result['kind']:6} {statistics.median(ratios):5.1f}x (n {len(ratios)}, {min(ratios):.1f} to "
            f"{max(ratios):.1f}; target {result['target']:g}x)  start {result['start']:.1f} s, "
            f"{result['cells']} scores, {len(result['different'])} different"
        )
        seconds = result["cpu"]
        print(
            f"       CPU seconds per submission {seconds['stock']:.2f} against {seconds['ours']:.3f}: "
            f"{seconds['stock'] / seconds['ours']:.1f}x on one core, {WORKERS} workers besides"
        )
        for line in result["different"]:
            print("   different:", line)
    if options.json:
        options.json.write_text(json.dumps({"workers": WORKERS, "cores": os.cpu_count(), "results": found}, indent=1))
    if any(result["different"] for result in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
