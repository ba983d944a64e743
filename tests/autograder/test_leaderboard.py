"""The leaderboard: scored anew, sorted, signed; what was touched or stands twice is refused and named."""

import json

import nbformat
import pytest

from autograder.course import Course, CourseError
from autograder.grading import seal_of
from autograder.leaderboard import merge_files
from autograder.seal import write_sealed
from cs231n_lib.challenge import take_sealed_test
from cs231n_lib.check import CheckFailed, Report
from cs231n_lib.check.n12_certificate import SEAL, examine_score, labels_of, name_of
from cs231n_lib.check.subject import Subject
from tests.mutants.n12_challenge import certificate


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path / "course")


def board_of(course, tmp_path, texts, **options):
    paths = []
    for student, text in texts.items():
        paths.append(tmp_path / f"{student}.json")
        paths[-1].write_text(text)
    return merge_files(course, paths, practice=True, **options)


def test_rows_are_scored_from_the_labels_and_sorted(course, tmp_path):
    board = board_of(course, tmp_path, {"ann": certificate(1500), "bob": certificate(1800), "cy": certificate(1799)})
    assert [(e.student, e.accuracy) for e in board.entries] == [("bob", 0.9), ("cy", 0.8995), ("ann", 0.75)]
    assert board.refused == []
    lines = (course.reports / "leaderboard.csv").read_text().splitlines()
    assert lines[1].startswith('"1","bob","0.9"')


def test_the_interval_of_a_row_is_scipys(course, tmp_path):
    stats = pytest.importorskip("scipy.stats")
    counts = {"all": 2000, "most": 1583, "few": 7}
    board = board_of(course, tmp_path, {name: certificate(right) for name, right in counts.items()})
    assert len(board.entries) == len(counts)
    for entry in board.entries:
        expected = stats.binomtest(counts[entry.student], 2000).proportion_ci(confidence_level=0.95, method="wilson")
        assert (entry.low, entry.high) == pytest.approx((expected.low, expected.high), abs=7e-5)  # four digits are kept


def test_what_was_touched_is_refused_with_its_reason(course, tmp_path):
    good = certificate(1500)
    texts = {"good": certificate(1700), "cut": good[:-20], "raised": good.replace("0.9", "0.95"), "empty": "  "}
    texts["other"] = certificate(1600, name=name_of("77"))
    board = board_of(course, tmp_path, texts)
    assert [e.student for e in board.entries] == ["good"]
    reasons = {student: why for _, student, why in board.refused}
    assert "not JSON" in reasons["cut"]
    assert "changed after it was written" in reasons["raised"]
    assert "no certificate" in reasons["empty"]
    assert "another sealed set" in reasons["other"]


def test_equal_labels_of_two_students_are_refused_for_both(course, tmp_path):
    board = board_of(course, tmp_path, {"ann": certificate(1500), "bob": certificate(1500), "cy": certificate(1400)})
    assert [e.student for e in board.entries] == ["cy"]
    assert {student for _, student, _ in board.refused} == {"ann", "bob"}


def test_leaderboards_merge_and_a_changed_row_is_refused(course, tmp_path):
    board_of(course, tmp_path, {"ann": certificate(1500), "bob": certificate(1800)})
    first = tmp_path / "first.json"
    first.write_text((course.reports / "leaderboard.json").read_text())
    (tmp_path / "cy.json").write_text(certificate(1600))
    merged = merge_files(course, [first, tmp_path / "cy.json", tmp_path / "bob.json"], practice=True)
    assert [e.student for e in merged.entries] == ["bob", "cy", "ann"]
    assert merged.refused == []
    rows = json.loads(first.read_text())
    rows["entries"][1]["accuracy"] = 0.99
    first.write_text(json.dumps(rows))
    merged = merge_files(course, [first], practice=True)
    assert merged.entries == []
    assert "does not carry this course's signature" in merged.refused[0][2]


def test_one_student_with_two_certificates_is_left_out(course, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "ann.json").write_text(certificate(1900))
    (tmp_path / "ann.json").write_text(certificate(1500))
    board = merge_files(course, [tmp_path / "ann.json", tmp_path / "more" / "ann.json"], practice=True)
    assert board.entries == []
    assert {why for _, _, why in board.refused} == {"two different certificates of one student"}


def test_submissions_are_read_and_never_run(course, tmp_path):
    def hand_in(student, source):
        folder = tmp_path / "submissions" / student
        folder.mkdir(parents=True)
        cell = nbformat.v4.new_code_cell(source, metadata={"nbgrader": {"grade_id": "challenge-certificate"}})
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "N12_challenge.ipynb")

    trap = tmp_path / "ran"
    hand_in("ann", f'open({str(trap)!r}, "w").write("x")\ncertificate = r"""\n{certificate(1500)}\n"""')
    hand_in("bob", "certificate = make()")
    board = merge_files(course, [tmp_path / "submissions"], practice=True)
    assert [e.student for e in board.entries] == ["ann"]
    assert board.refused[0][1:] == ("bob", "no certificate was pasted")
    assert not trap.exists()


def test_a_missing_file_is_one_line(course, tmp_path):
    with pytest.raises(CourseError, match="leaderboard: file must exist"):
        merge_files(course, [tmp_path / "none.json"])


def test_the_courses_set_replaces_the_one_to_practise_with(course, tmp_path, monkeypatch):
    import numpy as np

    path = write_sealed(course, tmp_path / "sealed.npz")
    assert course.seal_marker.exists()
    with np.load(path, allow_pickle=False) as stored:
        assert sorted(stored.files) == ["name", "pictures"]  # and no labels
        assert str(stored["name"]) == name_of(seal_of(course))
        pictures = stored["pictures"]
    monkeypatch.setattr("cs231n_lib.challenge.sealed_pictures", lambda: (pictures, name_of(seal_of(course))))
    truth = labels_of(seal_of(course))
    text = take_sealed_test(lambda images: truth, run="final", accuracy=1.0, folder=tmp_path)
    monkeypatch.setenv(SEAL, seal_of(course))
    examine_score(Subject.local(text), Report())
    with pytest.raises(CheckFailed, match="another sealed set"):
        examine_score(Subject.local(certificate()), Report())
