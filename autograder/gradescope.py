"""Gradescope: an autograder zip to upload, and the results.json that it writes for each submission.

Run as `python -m autograder.gradescope ASSIGNMENT` in Gradescope's container. Grading there is the same as everywhere:
if no sandbox can be had, nothing runs and the student reads that the grader is at fault, not their work.
"""

import argparse
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .archive import list_place
from .choose import choose
from .collect import Submission
from .collected import keep
from .course import REPOSITORY, Course, source_folder
from .intake import notebook_ids
from .results import STATUSES, Row, StudentResult
from .scheduler import write_atomically

HOME = Path("/autograder")
SETUP = """#!/usr/bin/env bash
set -euo pipefail
apt-get update
apt-get install -y --no-install-recommends bubblewrap python3 python3-venv
python3 -c 'import sys; assert sys.version_info >= (3, 11), "choose a base image with Python 3.11 or newer"'
chmod 700 /autograder/source
cd /autograder/source
python3 -m venv .venv
.venv/bin/pip install --constraint constraints.txt .
"""
RUN = """#!/usr/bin/env bash
cd /autograder/source
exec .venv/bin/python -m autograder.gradescope {assignment}
"""
FIXED_TIME = (2020, 1, 1, 0, 0, 0)  # so that the same sources give the same bytes


def results_json(result: StudentResult) -> dict[str, Any]:
    """Return Gradescope's results for one student: a test per question that has a score.

    What waits for a person, or for a machine that failed, is no test: Gradescope would count it as zero.
    """
    scored = [row for row in result.rows if row.score is not None]
    waiting = [row for row in result.rows if row.score is None]
    lines = [f"{row.question}: {STATUSES[row.status]}" for row in waiting]
    flags = [f"{notebook or 'submission'}: {detail}" for notebook, _, detail in result.flags]
    answer: dict[str, Any] = {
        "output": "\n".join([*lines, *flags]),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "execution_time": round(sum(row.seconds for row in result.rows)),
        "tests": [_test(row) for row in scored],
        "extra_data": {"student": result.student, "flags": result.flags, "rows": [asdict(row) for row in result.rows]},
    }
    return answer


def write_gradescope(folder: Path, results: list[StudentResult]) -> Path:
    """Write STUDENT.json for every student into `folder` and return it."""
    for result in results:
        write_atomically(folder / f"{result.student}.json", json.dumps(results_json(result), indent=1))
    return folder


def fault_json(reason: str) -> dict[str, Any]:
    """Return results without a score: the grader failed, and says so to the student."""
    words = f"The grader failed; this is not your fault and costs no points. Tell your instructor: {reason}"
    return {
        "output": words,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [],
    }


def _test(row: Row) -> dict[str, Any]:
    words = [STATUSES[row.status] + (f", at the stage “{row.stage}”" if row.stage else "")]
    words += [row.message] if row.message else []
    words += [f"Hint: {row.hint}"] if row.hint else []
    return {
        "name": f"{row.question}: {row.title}",
        "score": row.score,
        "max_score": row.max_score,
        "status": "passed" if row.score == row.max_score else "failed",
        "output": "\n".join(words),
        "output_format": "text",
        "visibility": "visible",
        "tags": [row.notebook],
    }


def autograder_zip(assignment: str, folder: Path) -> Path:
    """Write gradescope-ASSIGNMENT.zip into `folder`: setup.sh, run_autograder, the grader and this assignment.

    It holds solutions and hidden tests: it is for Gradescope's "Configure autograder" and for nobody else.
    """
    source_folder(assignment)
    files = {path.relative_to(REPOSITORY).as_posix(): path.read_bytes() for path in _needed(assignment)}
    files["setup.sh"] = SETUP.encode()
    files["run_autograder"] = RUN.format(assignment=assignment).encode()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"gradescope-{assignment}.zip"
    temporary = target.with_suffix(".part")
    with zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, FIXED_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o644) << 16
            archive.writestr(member, files[name])
    temporary.replace(target)
    return target


def _needed(assignment: str) -> list[Path]:
    files = [REPOSITORY / name for name in ("README.md", "pyproject.toml", "constraints.txt")]
    files += [REPOSITORY / "assignments" / "nbgrader_config.py", REPOSITORY / "datasets" / "registry.toml"]
    for folder in ("cs231n_lib", "autograder"):
        files += [p for p in (REPOSITORY / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return files + sorted(source_folder(assignment).glob("N*.py"))


def grade_files(assignment: str, place: Path, *, workers: int = 2, allow_none: bool = False) -> StudentResult:
    """Grade one student's files in a course of their own and return the result."""
    from .evening import grade_folder

    ids = notebook_ids(assignment)
    notebooks, flags = choose(list_place(place).items, assignment, list(ids), ids)
    with tempfile.TemporaryDirectory() as scratch:
        course = Course(Path(scratch))
        keep(course, assignment, Submission("submission", notebooks, flags), list(ids))
        return grade_folder(course, assignment, None, workers=workers, allow_none=allow_none).results[0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Grade /autograder/submission and write results.json.")
    parser.add_argument("assignment")
    parser.add_argument("--home", type=Path, default=HOME, help="Gradescope's folder")
    options = parser.parse_args()
    target = options.home / "results" / "results.json"
    try:
        answer = results_json(grade_files(options.assignment, options.home / "submission"))
    except Exception as error:  # noqa: BLE001 whatever went wrong, Gradescope must hear of it, and so must the log
        import traceback

        traceback.print_exc()
        answer = fault_json(f"{type(error).__name__}: {error}")
    write_atomically(target, json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
