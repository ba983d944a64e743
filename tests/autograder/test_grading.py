"""The loop over a class: submissions drawn as there is room, stored in their order, a student's rows all or none."""

import json
import sqlite3
from concurrent.futures import Future

import nbformat
import pytest

from autograder.collect import Submission
from autograder.course import Course, CourseError, nbgrader_config
from autograder.gradebook import GradeBook
from autograder.grading import Graded, Template, grade
from autograder.normalise import Answers
from autograder.sandbox import Sandbox


def notebook():
    meta = {"locked": False, "schema_version": 3, "task": False, "cell_type": "code"}
    cells = [
        nbformat.v4.new_code_cell("def f(): pass", id="q", metadata={"nbgrader": {**meta, "grade_id": "q"}}),
        nbformat.v4.new_code_cell("assert f()", id="t", metadata={"nbgrader": {**meta, "grade_id": "q-tests"}}),
    ]
    cells[0].metadata["nbgrader"] |= {"grade": False, "solution": True}
    cells[1].metadata["nbgrader"] |= {"grade": True, "solution": False, "points": 2.0, "locked": True}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "P"}})


def record(points=2.0, status="passed"):
    verdict = {
        "grade_id": "q-tests",
        "points": points,
        "max_points": 2.0,
        "status": status,
        "message": "",
        "outputs": [],
    }
    return {"verdicts": [verdict], "shown": {}, "flags": []}


class Later:
    """A scheduler that answers only when it is asked: what is under way is what was submitted and not yet read."""

    window = 5

    def __init__(self):
        self.jobs = 0

    def submit(self, key, job):
        self.jobs += 1
        promise = Future()
        promise.set_result(record())
        return promise

    def close(self):
        pass


def test_a_thousand_submissions_are_never_in_memory_together(tmp_path):
    drawn, stored, apart = [], [], []
    raw = json.dumps(notebook()).encode()

    def students():
        for n in range(1000):
            drawn.append(n)
            yield Submission(f"s{n:04}", {"N": raw})

    def store(submission, graded):
        stored.append(submission.student)
        apart.append(len(drawn) - len(stored))
        assert submission.notebooks == {"N": raw}  # what stands is known by these bytes when it is graded again
        assert graded[0].record["verdicts"][0]["points"] == 2.0

    grade(
        Course(tmp_path),
        "a1",
        [Template("N", notebook(), {})],
        students(),
        sandbox=Sandbox("none"),
        scheduler=Later(),
        store=store,
        progress=lambda student: None,
    )
    assert stored == [f"s{n:04}" for n in range(1000)]
    assert max(apart) <= Later.window


@pytest.fixture
def book(tmp_path):
    course = Course(tmp_path)
    config = nbgrader_config(course)
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    course.source("a1").mkdir(parents=True)
    nbformat.write(notebook(), course.source("a1") / "N.ipynb")
    assert NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment("a1")["success"]
    made = GradeBook(course, "a1")
    yield made
    made.close()


def rows(book):
    with sqlite3.connect(book.course.root / "gradebook.db") as base:
        return sorted(
            base.execute(
                "select s.student_id, g.auto_score, g.needs_manual_grade from grade g"
                " join submitted_notebook n on n.id = g.notebook_id"
                " join submitted_assignment s on s.id = n.assignment_id"
            )
        )


def test_plain_asserts_that_hold_are_full_marks_and_a_machine_fault_is_no_zero(book):
    template = Template("N", notebook(), {})
    book.store(Submission("right"), [Graded(template, Answers(), record())])
    book.store(Submission("wrong"), [Graded(template, Answers(), record(0.0, "wrong"))])
    book.store(Submission("lost"), [Graded(template, Answers(), {"fault": "no box"})])
    book.store(Submission("right"), [Graded(template, Answers(), record())])  # again: nothing doubles
    assert rows(book) == [("lost", None, 1), ("right", 2.0, 0), ("wrong", 0.0, 0)]


def test_a_student_is_stored_whole_or_not_at_all(book, monkeypatch):
    template = Template("N", notebook(), {})
    book.store(Submission("first"), [Graded(template, Answers(), record())])

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(book.scorer, "preprocess_cell", full)
    with pytest.raises(CourseError, match=r"the grades of second could not be written: .*No space left"):
        book.store(Submission("second"), [Graded(template, Answers(), record())])
    assert rows(book) == [("first", 2.0, 0)]
    with sqlite3.connect(book.course.root / "gradebook.db") as base:
        assert base.execute("select id from student").fetchall() == [("first",)]
    monkeypatch.undo()
    book.store(Submission("second"), [Graded(template, Answers(), record())])
    assert rows(book) == [("first", 2.0, 0), ("second", 2.0, 0)]
