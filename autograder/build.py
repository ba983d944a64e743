"""Build the student notebooks from the solved sources with nbgrader's own converter, and prove that nothing leaks."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.preprocessors import ClearSolutions

from cs231n_lib.check import exercises

from .course import REPOSITORY, STUB, Course, CourseError, nbgrader_config, source_files
from .late import read_policy
from .source import STUDENT_CELL, Cell, read_source, region, to_notebook

MIN_LINE = 12  # characters: shorter lines, such as `return x`, say nothing
READABLE = {".ipynb", ".py", ".md", ".toml", ".txt", ".yml", ".html", ".js", ".css", ".json"}


class ClearSolutionsKindly(ClearSolutions):
    """nbgrader's stub, but a comment at the top level of a cell, where raising would stop `Run All`."""

    def _replace_solution_region(self, cell: Any, language: str) -> bool:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == STUDENT_CELL:
            return True  # a student fills it in and replaces nothing: it is given out as it stands
        replaced = super()._replace_solution_region(cell, language)
        if replaced and cell.cell_type == "code":
            cell.source = "\n".join("# YOUR CODE HERE" if line == STUB else line for line in cell.source.splitlines())
        return replaced


def write_source(course: Course, assignment: str, only: tuple[str, ...] = ()) -> None:
    """Write the nbgrader source notebooks of an assignment into the course folder, or those named in `only`."""
    folder = course.source(assignment)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in select(source_files(assignment), only):
        cells = read_source(path)
        _check_points(path, cells)
        nbformat.write(to_notebook(cells), folder / f"{path.stem}.ipynb")


def select(paths: list[Path], only: tuple[str, ...]) -> list[Path]:
    """Return the notebooks named in `only`, or all. Raises CourseError for a name that is not among them."""
    for name in only:
        if name not in [path.stem for path in paths]:
            raise CourseError(f"notebook must be one of {', '.join(path.stem for path in paths)}, got {name!r}")
    return [path for path in paths if not only or path.stem in only]


def _check_points(path: Path, cells: list[Cell]) -> None:
    known = exercises()
    for cell in cells:
        if cell.role == "tests" and cell.id not in known:
            raise CourseError(f"{path.name}: tests={cell.id!r} must have a spec in cs231n_lib/check; there is none")
        if cell.role == "tests" and cell.points != known[cell.id].points:
            raise CourseError(
                f"{path.name}: points of {cell.id} must be the spec's {known[cell.id].points:g}, got {cell.points:g}"
            )


def write_config(course: Course) -> None:
    """Let JupyterLab's formgrader, opened in the course folder, find the course's options and its gradebook."""
    shared = REPOSITORY / "assignments" / "nbgrader_config.py"
    lines = ["c = get_config()", f"load_subconfig({str(shared)!r})", f"c.CourseDirectory.root = {str(course.root)!r}"]
    policy = read_policy(course)
    if policy is not None:
        plugin = policy.plugin
        lines += [f"c.LateDays.{name} = {getattr(plugin, name)!r}" for name in ("grace_minutes", "per_day", "cap")]
    (course.root / "nbgrader_config.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def generate(course: Course, assignment: str, only: tuple[str, ...] = ()) -> None:
    """Run nbgrader's GenerateAssignment: the release and the gradebook's record of every cell.

    Raises CourseError with nbgrader's own words if it refuses, for instance because graded cells were added or removed
    after submissions were graded.
    """
    write_source(course, assignment, only)
    write_config(course)
    config = nbgrader_config(course)
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    outcome = api.generate_assignment(assignment, force=True, create=True)
    if not outcome["success"]:
        reason = [line for line in (outcome["log"] or outcome["error"] or "").splitlines() if line.strip()]
        raise CourseError(f"nbgrader could not generate {assignment}: {reason[-1] if reason else 'no reason given'}")


def build_release(assignment: str, target: Path) -> list[Path]:
    """Build the student notebooks of an assignment into `target` and return their paths.

    Works in a scratch course, so a course's grades are never touched, and replaces `target` only when all went well.
    """
    with tempfile.TemporaryDirectory() as scratch:
        course = Course(Path(scratch))
        generate(course, assignment)
        leaks = find_leaks(assignment, [course.release(assignment)])
        if leaks:
            raise CourseError(
                f"the release of {assignment} must hold no line of a solution or hidden test, got: {leaks[0]}"
            )
        staged = target.with_name(f".{target.name}.new")
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        for path in sorted(course.release(assignment).glob("*.ipynb")):
            shutil.copyfile(path, staged / path.name)
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)
    return sorted(target.glob("*.ipynb"))


def secret_lines(assignment: str) -> dict[str, str]:
    """Return every telling line of a solution or hidden test, white space folded: {line: where it stands}.

    Comments, imports and lines under MIN_LINE characters tell nothing.
    """
    found = {}
    for path in source_files(assignment):
        for cell in read_source(path):
            for name in ("SOLUTION", "HIDDEN TESTS"):
                for line in region(cell.text, name):
                    folded = " ".join(line.split())
                    if len(folded.partition("#")[0]) >= MIN_LINE and not folded.startswith(("import ", "from ")):
                        found[folded] = f"{path.name}, {cell.id}"
    return found


def find_leaks(assignment: str, places: list[Path]) -> list[str]:
    """Search text files under `places` for lines of solutions and hidden tests; return one message per leak."""
    secrets = secret_lines(assignment)
    leaks = []
    for place in places:
        for file in sorted(p for p in place.rglob("*") if p.is_file() and p.suffix in READABLE):
            leaks += [f"{file.name}: {line!r} is from {secrets[line]}" for line in _lines(file) if line in secrets]
    return leaks


def _lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)
    return [" ".join(line.split()) for line in text.splitlines()]
