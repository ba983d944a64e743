"""The zip that students get: everything to work offline, nothing of the grader, no line of a solution."""

import tempfile
import zipfile
from pathlib import Path

from .build import build_release, find_leaks
from .course import REPOSITORY, CourseError

TOP = ("README.md", "environment.yml", "constraints.txt", "pyproject.toml", "Makefile")
LIBRARY = {".py", ".js", ".css", ".html"}
FIXED_TIME = (2020, 1, 1, 0, 0, 0)  # so that the same sources give the same bytes


def student_zip(assignment: str, folder: Path) -> Path:
    """Write cs231n-ASSIGNMENT.zip into `folder` and return its path. Raises CourseError, writing nothing, on a leak."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "cs231n"
        build_release(assignment, root / "assignments" / "release" / assignment)
        for path in _library_files():
            target = root / path.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        leaks = find_leaks(assignment, [root])
        if leaks:
            raise CourseError(f"the student zip must hold no line of a solution or hidden test, got: {leaks[0]}")
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"cs231n-{assignment}.zip"
        temporary = target.with_suffix(".part")
        with zipfile.ZipFile(temporary, "w") as archive:
            for file in sorted(p for p in root.rglob("*") if p.is_file()):
                member = zipfile.ZipInfo(str(file.relative_to(root.parent)), FIXED_TIME)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, file.read_bytes())
        temporary.replace(target)
    return target


def _library_files() -> list[Path]:
    files = [REPOSITORY / name for name in TOP]
    files += [p for p in (REPOSITORY / "cs231n_lib").rglob("*") if p.suffix in LIBRARY]
    files += [REPOSITORY / "datasets" / name for name in ("registry.toml", "README.md")]
    sealed = REPOSITORY / "datasets" / "sealed.npz"  # of N12, once `cs231n seal` has drawn it
    return [*files, *([sealed] if sealed.exists() else [])]
