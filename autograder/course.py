"""Where a course lives on disk, and how nbgrader is driven: by an explicit configuration, never by a found file."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
STUB = 'raise NotImplementedError("write your code here, then delete this line")'


class CourseError(RuntimeError):
    """Something an instructor must mend; the message is one line and complete."""


@dataclass(frozen=True)
class Course:
    """The folders of one course. `root` is nbgrader's course directory; all but the grades can be rebuilt."""

    root: Path

    @property
    def database(self) -> str:
        return f"sqlite:///{self.root / 'gradebook.db'}"

    def source(self, assignment: str) -> Path:
        return self.root / "source" / assignment

    def release(self, assignment: str) -> Path:
        return self.root / "release" / assignment

    def collected(self, student: str, assignment: str) -> Path:
        return self.root / "collected" / student / assignment

    def autograded(self, student: str, assignment: str) -> Path:
        return self.root / "autograded" / student / assignment

    def feedback(self, student: str, assignment: str) -> Path:
        return self.root / "feedback" / student / assignment

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def reports(self) -> Path:
        return self.root / "reports"


def source_folder(assignment: str) -> Path:
    """Return the folder of an assignment's sources. Raises CourseError naming those there are."""
    folder = REPOSITORY / "assignments" / "source" / assignment
    if not folder.is_dir() or not assignment:
        known = ", ".join(p.name for p in sorted((REPOSITORY / "assignments" / "source").glob("a*")))
        raise CourseError(f"assignment must be one of {known}, got {assignment!r}")
    return folder


def source_files(assignment: str) -> list[Path]:
    """Return the notebook sources of an assignment in order."""
    return sorted(source_folder(assignment).glob("N*.py"))


def nbgrader_config(course: Course) -> Any:
    """Return the one configuration that every nbgrader call gets.

    Loads assignments/nbgrader_config.py, which an instructor's own `nbgrader` and formgrader read too, and sets the
    paths. A mistake in that file stops the command: traitlets alone would log it and go on with defaults.
    """
    use_this_python()
    from traitlets.config import Config

    config = Config()
    file = REPOSITORY / "assignments" / "nbgrader_config.py"
    exec(
        compile(file.read_text(encoding="utf-8"), str(file), "exec"),
        {"get_config": lambda: config, "__file__": str(file)},
    )
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.db_url = course.database
    if config.ClearSolutions.code_stub != {"python": STUB}:
        raise CourseError(f"{file.name}: ClearSolutions.code_stub must be the course's stub; see autograder/course.py")
    return config


def use_this_python() -> None:
    """Put this interpreter's folder on PATH: nbgrader creates its database by calling the `alembic` program by name."""
    here = str(Path(sys.executable).parent)
    if here not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = here + os.pathsep + os.environ.get("PATH", "")
    # jsonschema tries this grammar package for a format that notebooks never use; it takes 2 s to import.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
