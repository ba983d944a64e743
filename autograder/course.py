"""Where a course lives on disk, and how nbgrader is driven: by an explicit configuration, never by a found file."""

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
    def seal_marker(self) -> Path:
        """Is there once a sealed set was given out."""
        return self.root / "sealed-set"

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
    create_databases_here()
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


def create_databases_here() -> None:
    """Let nbgrader ask alembic for its newest schema in this process.

    When it creates a gradebook it calls the program `alembic` by name, which need not be on PATH, and which takes 3 s.
    """
    import nbgrader.api

    nbgrader.api.get_alembic_version = _newest_schema


def _newest_schema() -> str:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from nbgrader.dbutil import _temp_alembic_ini

    with _temp_alembic_ini("sqlite://") as file:
        head = ScriptDirectory.from_config(Config(file)).get_current_head()
    if head is None:
        raise CourseError("nbgrader's database must have a schema to start from, got none")
    return head
