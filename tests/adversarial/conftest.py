"""One class of hostile submissions, graded once by the whole real path; every case then looks at its own result."""

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from autograder import build, course, evening
from autograder.box import Limits
from autograder.build import build_release
from autograder.course import Course, CourseError
from autograder.evening import grade_folder
from autograder.results import StudentResult
from autograder.sandbox import find_sandbox
from autograder.source import read_source, solutions

from .case import hand_in
from .cases import CASES

LIMITS = Limits(call=2.0, cell=8.0, total=80.0, question=15.0, memory=1_500_000_000, scratch=64_000_000)
SOURCE = Path(__file__).with_name("two_questions.py")
NOTEBOOK = "T01_two"
STUBS = ("net-relu_forward", "knn-no_loops")  # not answered unless a case is about them


@dataclass(frozen=True)
class ClassGraded:
    """What came of the class. seconds : CPU and wall, of this process and those it waited for"""

    course: Course
    folder: Path
    results: dict[str, StudentResult]
    wall: float
    trusted: dict[str, str]  # files of the course that no submission may change, before and after


@contextlib.contextmanager
def small_course(root: Path) -> Iterator[None]:
    """Let assignment a1 be the one small notebook in `root`, and its boxes have small limits; afterwards all is as
    before, for the tests that the same process runs next."""
    source = root / "source" / f"{NOTEBOOK}.py"
    probe = find_sandbox(limits=LIMITS)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (course, evening):
            monkeypatch.setattr(module, "source_folder", lambda assignment: source.parent)
        monkeypatch.setattr(build, "source_files", lambda assignment: [source])
        monkeypatch.setattr(evening, "find_sandbox", lambda **_: probe)
        monkeypatch.setattr(build, "find_leaks", lambda *_: [])  # the notebook says of itself what is hidden
        yield


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """The small course and its release: (folder, release, answers)."""
    try:
        find_sandbox()
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    root = tmp_path_factory.mktemp("hostile")
    (root / "source").mkdir()
    (root / "source" / f"{NOTEBOOK}.py").write_text(SOURCE.read_text())
    with small_course(root):
        release = build_release("a1", root / "release")[0]
    answers = {name: text for name, text in solutions(read_source(SOURCE)).items() if name not in STUBS}
    return root, release, answers


@pytest.fixture(scope="session")
def hostile_class(prepared):
    root, release, answers = prepared
    folder = root / "in"
    folder.mkdir()
    for name, case in CASES.items():
        hand_in(case, release, answers, folder, name.lower())
    before = {"submissions": repr(digests(folder)), "sources": repr(digests(root / "source"))}
    start = time.perf_counter()
    place = Course(root / "course")
    with small_course(root):
        outcome = grade_folder(place, "a1", folder, workers=2)
    wall = time.perf_counter() - start
    after = {"submissions": repr(digests(folder)), "sources": repr(digests(root / "source"))}
    assert before == after
    return ClassGraded(place, folder, {r.student: r for r in outcome.results}, wall, after)
