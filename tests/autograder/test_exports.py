"""Grades in the forms that Canvas, Moodle and Gradescope document; golden files, and cells that try to run."""

import csv
import io
import json
import subprocess
import sys
import zipfile

import pytest

from autograder.course import REPOSITORY, CourseError
from autograder.exports import canvas_csv, moodle_csv
from autograder.gradescope import autograder_zip, fault_json, results_json
from autograder.results import Row, StudentResult
from autograder.tables import csv_text, harmless


def result(student, score, *, waiting=False, penalty=0.0):
    rows = [Row("N01_knn", "knn-a", "Distances", score, 8.0, "ok" if score == 8 else "wrong", "m", "h", "values")]
    rows.append(Row("N01_knn", "knn-q1", "written answer", None if waiting else 2.0, 2.0, "needs_person"))
    return StudentResult(student, rows, [("N01_knn", "renamed", "x (1).ipynb")], penalty=penalty)


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,a1 (501),a2 (502),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,10,20,(read only)
"Lovelace, Ada",11,S1,ada,1,,5,50
"Babbage, Charles",12,S2,cb,1,3,6,60
"=HYPERLINK(""http://x"")",13,S3,eve,1,,7,70
"Student, Test",14,,deadbeef,1,9,,
"""
CANVAS_FILLED = [
    ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "a1 (501)"],
    ["", "", "", "", "", "Manual Posting"],
    ["    Points Possible", "", "", "", "", "10"],
    ["Lovelace, Ada", "11", "S1", "ada", "1", "9.5"],
    ["Babbage, Charles", "12", "S2", "cb", "1", ""],
    ['\'=HYPERLINK("http://x")', "13", "S3", "eve", "1", "6"],
    ["Student, Test", "14", "", "deadbeef", "1", ""],
]


@pytest.fixture
def canvas(tmp_path):
    path = tmp_path / "canvas.csv"
    path.write_text(CANVAS)
    return path


def test_canvas_gets_its_own_lines_back_with_one_column_filled(canvas):
    results = [
        result("ada", 8.0, penalty=0.5),
        result("S2", 4.0, waiting=True),
        result("13", 4.0),
        result("stranger", 1.0),
    ]
    export = canvas_csv(canvas, "a1", results)
    assert list(csv.reader(io.StringIO(export.text))) == CANVAS_FILLED
    assert export.waiting == ["S2"]
    assert export.unknown == ["stranger"]


def test_canvas_scales_only_when_asked(canvas):
    canvas.write_text(CANVAS.replace(",10,20", ",100,20"))
    with pytest.raises(CourseError, match="must be 10, got 100"):
        canvas_csv(canvas, "a1", [result("ada", 8.0)])
    text = canvas_csv(canvas, "a1", [result("ada", 4.0)], scale=True).text
    assert '"ada","1","60"' in text


def test_canvas_refuses_what_is_not_its_export(canvas, tmp_path):
    with pytest.raises(CourseError, match="one column that begins with 'a3'"):
        canvas_csv(canvas, "a3", [result("ada", 8.0)])
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(CourseError, match="must have a column 'Student'"):
        canvas_csv(other, "a1", [])


MOODLE = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    'Participant 77,Jane Doe,,jane@x.edu,Submitted for grading,,10.00,Yes,"Monday, 5 October",-,\n'
    "Participant 78,Zoë Ünal,200,zoe@x.edu,No submission,,10.00,Yes,-,-,\n"
)


def test_moodle_worksheet_is_filled_by_number_id_or_name(tmp_path):
    path = tmp_path / "worksheet.csv"
    path.write_text(MOODLE, encoding="utf-8")
    export = moodle_csv(path, [result("Jane Doe", 8.0), result("200", 0.0, penalty=1.0)])
    lines = list(csv.DictReader(io.StringIO(export.text)))
    assert [line["Grade"] for line in lines] == ["10", "1"]
    assert lines[0]["Feedback comments"] == "full marks"
    assert lines[1]["Feedback comments"] == "points lost at knn-a 0/8; handed in late: 1 points taken off"
    assert lines[0]["Last modified (grade)"] == "-"
    assert list(lines[0]) == MOODLE.splitlines()[0].split(",")
    assert export.unknown == []


def test_cells_that_would_run_are_text():
    evil = ["=1+1", "+1", "-1+cmd", "@SUM", "\t=1", "  =1", "\n=1", "＝1"]
    assert all(harmless(text) == "'" + text for text in evil)
    assert [harmless(v) for v in ("-", "a=1", -1.5, None, 1234567.25)] == ["-", "a=1", "-1.5", "", "1234567.25"]
    assert next(csv.reader(io.StringIO(csv_text([['a"b', "c,d", "e\nf"]])))) == ['a"b', "c,d", "e\nf"]


def test_gradescope_results_have_the_documented_fields_and_no_score_for_what_waits():
    answer = results_json(result("ann", 4.0, waiting=True))
    assert answer["tests"] == [
        {
            "name": "knn-a: Distances",
            "score": 4.0,
            "max_score": 8.0,
            "status": "failed",
            "output": "not right, at the stage “values”\nm\nHint: h",
            "output_format": "text",
            "visibility": "visible",
            "tags": ["N01_knn"],
        }
    ]
    assert "score" not in answer
    assert "knn-q1: waits for a person" in answer["output"]
    assert json.loads(json.dumps(answer)) == json.loads(json.dumps(results_json(result("ann", 4.0, waiting=True))))


def test_a_grader_at_fault_gives_no_score():
    answer = fault_json("no sandbox")
    assert answer["tests"] == []
    assert "score" not in answer
    assert "not your fault" in answer["output"]


def test_the_autograder_zip_has_what_gradescope_calls(tmp_path):
    path = autograder_zip("a1", tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        modes = {m.filename: m.external_attr >> 16 for m in archive.infolist()}
        run = archive.read("run_autograder").decode()
        archive.extractall(tmp_path / "out")
    assert {"setup.sh", "run_autograder", "autograder/gradescope.py", "assignments/source/a1/N01_knn.py"} <= names
    assert not [name for name in names if "/a2/" in name or name.startswith(("tests/", "assignments/release"))]
    assert modes["run_autograder"] == 0o755
    assert run.startswith("#!/usr/bin/env bash\n")
    assert autograder_zip("a1", tmp_path / "again").read_bytes() == path.read_bytes()
    for script in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", tmp_path / "out" / script], check=True)


def test_results_json_is_written_even_when_grading_cannot_start(tmp_path):
    (tmp_path / "submission").mkdir()
    command = [sys.executable, "-m", "autograder.gradescope", "a9", "--home", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    answer = json.loads((tmp_path / "results" / "results.json").read_text())
    assert answer["tests"] == []
    assert "assignment must be one of" in answer["output"]


@pytest.mark.slow
def test_a_submission_in_gradescopes_folder_is_graded(tmp_path):
    from autograder.build import build_release
    from autograder.course import source_files
    from autograder.demo import write_submission
    from autograder.sandbox import find_sandbox
    from autograder.source import read_source, solutions

    try:
        find_sandbox()
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    build_release("a1", tmp_path / "release")
    source = source_files("a1")[0]
    answers = solutions(read_source(source))
    write_submission(tmp_path / "release" / f"{source.stem}.ipynb", answers, tmp_path / "submission" / "my work")
    command = [sys.executable, "-m", "autograder.gradescope", "a1", "--home", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    answer = json.loads((tmp_path / "results" / "results.json").read_text())
    mine = [test for test in answer["tests"] if test["tags"] == [source.stem]]
    assert mine
    assert all(test["score"] == test["max_score"] for test in mine)
    assert all(test["score"] == 0.0 for test in answer["tests"] if test not in mine)
    assert "BEGIN HIDDEN" not in json.dumps(answer)


def test_a_number_at_the_end_of_a_name_is_an_lms_number_only_beside_that_name(tmp_path):
    path = tmp_path / "worksheet.csv"
    path.write_text(MOODLE, encoding="utf-8")
    export = moodle_csv(path, [result("Eve_200", 8.0), result("Zoë Ünal_200", 0.0)])
    assert [line["Grade"] for line in csv.DictReader(io.StringIO(export.text))] == ["", "2"]
    assert export.unknown == ["Eve_200"]
