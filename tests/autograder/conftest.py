"""What the grader's tests share: a sandbox where there is one, and small jobs for the judge."""

import pytest

from autograder.box import Limits
from autograder.course import CourseError
from autograder.judge import Job
from autograder.sandbox import find_sandbox

SETUP = {"role": "setup", "grade_id": "t-setup", "source": "import numpy as np", "points": 0.0}


@pytest.fixture(scope="session")
def limits():
    return Limits(call=3.0, cell=5.0)


@pytest.fixture(scope="session")
def sandbox(limits):
    try:
        return find_sandbox(limits=limits)
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")


@pytest.fixture
def box(sandbox):
    running = sandbox.start(forbid=("torch", "scipy"))
    yield running
    running.close()


@pytest.fixture
def make_job(sandbox, limits):
    """Return a job from (solution, tests) pairs: solution sources and the test cells that judge them, 2 points each."""

    def make(*pairs, extras=(), setup=""):
        cells = [SETUP]
        if setup:
            cells.append({"role": "setup", "grade_id": "t-more", "source": setup, "points": 0.0})
        for n, (solution, tests) in enumerate(pairs):
            cells.append({"role": "solution", "grade_id": f"q{n}", "source": solution, "points": 0.0})
            cells.append({"role": "tests", "grade_id": f"q{n}-tests", "source": tests, "points": 2.0})
        walls = {"level": sandbox.level, "data": "", "limits": limits.__dict__}
        return Job(cells=cells, extras=list(extras), seed="s", sandbox=walls, forbid=["torch"])

    return make
