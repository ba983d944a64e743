"""Downloads as Gradescope, Canvas, Moodle and people make them: everybody's work is found, or its loss is named."""

import io
import json
import stat
import zipfile

import pytest

from autograder.archive import MAX_MEMBERS
from autograder.collect import collect, survey
from autograder.collected import keep, kept, received
from autograder.course import Course, CourseError
from autograder.intake import collect_into, notebook_ids
from autograder.normalise import MAX_FILE
from autograder.roster import read_roster

WANTED = ["N00_start", "N01_knn"]


def found(place, **options):
    return {s.student: s for s in collect(place, "a1", WANTED, **options)}


def flags(submission):
    return {name for name, _ in submission.flags}


def zipped(files):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return raw.getvalue()


def notebook(*ids):
    cells = [{"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": name}}} for name in ids]
    return json.dumps({"nbformat": 4, "cells": cells}).encode()


GRADESCOPE = """---
submission_101:
  :submitters:
  - :name: Ann Ågren
    :sid: '1001'
    :email: ann@x.edu
  :created_at: 2026-10-01 23:58:00.123456000 Z
  :score: 0.0
submission_102:
  :submitters:
  - :name: Bob
    :sid: ''
    :email: bob@x.edu
  - :name: Cem
    :email: cem@x.edu
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-10-03 08:00:00.000000000 Z
    zone: !ruby/object:ActiveSupport::TimeZone
      name: Etc/UTC
    time: 2026-10-03 08:00:00.000000000 Z
"""


@pytest.fixture
def gradescope(tmp_path):
    files = {
        "assignment_9_export/submission_metadata.yml": GRADESCOPE,
        "assignment_9_export/submission_101/N00_start.ipynb": "1",
        "assignment_9_export/submission_102/a1/N01_knn.ipynb": "2",
        "assignment_9_export/submission_999/N00_start.ipynb": "3",
    }
    (tmp_path / "export.zip").write_bytes(zipped(files))
    return tmp_path / "export.zip"


def test_gradescope_names_groups_and_times(gradescope):
    students = found(gradescope)
    assert set(students) == {"1001", "bob@x.edu", "cem@x.edu", "submission_999"}
    assert students["1001"].notebooks == {"N00_start": b"1"}
    assert students["1001"].submitted == "2026-10-01T23:58:00+00:00"
    assert students["cem@x.edu"].notebooks == students["bob@x.edu"].notebooks == {"N01_knn": b"2"}
    assert students["cem@x.edu"].submitted == "2026-10-03T08:00:00+00:00"
    assert "group" in flags(students["bob@x.edu"])
    assert "unmapped" in flags(students["submission_999"])


def test_a_student_in_two_groups_or_twice_in_one_is_flagged(tmp_path):
    def people(*names):
        return ":submitters:\n" + "".join(f"  - :name: {n}\n    :email: {n}@x.edu\n" for n in names)

    about = "".join(
        f"submission_{n}:\n  {people(*names)}"
        for n, names in enumerate([("ann", "bob"), ("bob", "cem"), ("dan", "dan"), ("eve",), ("eve",)])
    )
    for n in range(5):
        (tmp_path / f"submission_{n}").mkdir()
        (tmp_path / f"submission_{n}" / "N00_start.ipynb").write_text(str(n))
    (tmp_path / "submission_metadata.yml").write_text(about)
    students = found(tmp_path)
    assert sorted(students) == [f"{n}@x.edu" for n in ("ann", "bob", "cem", "dan", "eve")]
    conflicts = {name for name, one in students.items() if "group_conflict" in flags(one)}
    assert conflicts == {"bob@x.edu", "dan@x.edu"}  # eve handed in twice, alone: no conflict
    assert all(one.notebooks["N00_start"] for one in students.values())


def test_gradescope_metadata_cannot_make_objects(tmp_path):
    folder = tmp_path / "in"
    (folder / "submission_1").mkdir(parents=True)
    (folder / "submission_1" / "N00_start.ipynb").write_bytes(b"1")
    evil = f"submission_1: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'pwned'}]\n"
    (folder / "submission_metadata.yml").write_text(evil)
    students = found(folder)
    assert not (tmp_path / "pwned").exists()
    assert students["submission_1"].notebooks == {"N00_start": b"1"}
    assert "unmapped" in flags(students["submission_1"])


def test_canvas_files_of_one_student_come_together(tmp_path):
    for name, raw in {
        "loveladya_LATE_11_901_N00_start.ipynb": b"1",
        "loveladya_LATE_11_902_N01_knn.ipynb": b"old",
        "loveladya_LATE_11_903_N01_knn-2.ipynb": b"2",
        "smithbob_12_904_work.zip": zipped({"deep/N00_start.ipynb": "3"}),
        "smithbob_13_905_N00_start.ipynb": b"4",
    }.items():
        (tmp_path / name).write_bytes(raw)
    looked = survey(tmp_path, "a1", WANTED)
    students = found(tmp_path)
    assert looked.kind == "Canvas"
    assert set(students) == {"loveladya", "smithbob_12", "smithbob_13"}
    assert students["loveladya"].notebooks["N00_start"] == b"1"
    assert {"late_mark", "ambiguous"} <= flags(students["loveladya"])
    assert students["smithbob_12"].notebooks == {"N00_start": b"3"}
    assert students["smithbob_13"].notebooks == {"N00_start": b"4"}


def test_canvas_resubmission_is_the_newest(tmp_path):
    for n in (1, 2, 10):
        (tmp_path / f"annx_11_90{n}_N01_knn-{n}.ipynb").write_bytes(str(n).encode())
    assert found(tmp_path)["annx"].notebooks == {"N01_knn": b"10"}


def test_moodle_folders_and_flat_files(tmp_path):
    folder = tmp_path / "Jane Doe_77_assignsubmission_file_"
    folder.mkdir()
    (folder / "N00_start.ipynb").write_bytes(b"1")
    (tmp_path / "Jane Doe_77_assignsubmission_onlinetext_").mkdir()
    (tmp_path / "Zoë Ünal_78_assignsubmission_file_N01_knn.ipynb").write_bytes(b"2")
    (tmp_path / "No One_79_assignsubmission_file_").mkdir()
    students = found(tmp_path)
    assert set(students) == {"Jane Doe", "Zoë Ünal", "No One"}
    assert students["Jane Doe"].notebooks == {"N00_start": b"1"}
    assert students["Zoë Ünal"].notebooks == {"N01_knn": b"2"}


def test_a_roster_maps_what_each_lms_calls_a_student(tmp_path, gradescope):
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
        '"Lovelace, Ada",11,S1,ada,1\n"Babbage, Charles",12,S2,cb,1\nAnn Ågren,13,1001,ann,1\n'
    )
    canvas = tmp_path / "canvas"
    canvas.mkdir()
    (canvas / "lovelaceada_11_901_N00_start.ipynb").write_bytes(b"1")
    (canvas / "nobody_99_901_N00_start.ipynb").write_bytes(b"2")
    looked = survey(canvas, "a1", WANTED, read_roster(roster))
    assert [one.student for one in looked.found] == ["ada", "nobody"]
    assert [f for f, _ in looked.found[1].flags] == ["unmapped"]
    assert looked.missing == ["cb", "ann"]
    assert "ann" in found(gradescope, roster=read_roster(roster))


def test_a_name_that_two_students_share_is_not_guessed(tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("student,name,email\na1,Ann Lee,a1@x\na2,Ann Lee,a2@x\n")
    folder = tmp_path / "in"
    (folder / "Ann Lee").mkdir(parents=True)
    (folder / "a2").mkdir()
    students = found(folder, roster=read_roster(roster))
    assert set(students) == {"Ann Lee", "a2"}
    assert any("could be a1, a2" in detail for _, detail in students["Ann Lee"].flags)


@pytest.mark.parametrize("text", ["", "nothing,useful\n1,2\n", "student\nann\nann\n"])
def test_a_bad_roster_is_one_line(tmp_path, text):
    path = tmp_path / "roster.csv"
    path.write_text(text)
    with pytest.raises(CourseError, match="roster must"):
        read_roster(path)


def test_loose_files_from_a_mailbox(tmp_path):
    (tmp_path / "ann_N00_start.ipynb").write_bytes(b"1")
    (tmp_path / "ann_n01_KNN (2).IPYNB").write_bytes(b"2")
    (tmp_path / "N00_start (3).ipynb").write_bytes(b"3")
    (tmp_path / "bob (1).zip").write_bytes(zipped({"N00_start.ipynb": "new"}))
    (tmp_path / "bob.zip").write_bytes(zipped({"N00_start.ipynb": "old"}))
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    looked = survey(tmp_path, "a1", WANTED)
    students = found(tmp_path)
    assert looked.left == ["notes.pdf"]
    assert set(students) == {"ann", "bob", "N00_start _3_"}
    assert students["ann"].notebooks == {"N00_start": b"1", "N01_knn": b"2"}
    assert students["bob"].notebooks == {"N00_start": b"new"}
    assert "superseded" in flags(students["bob"])
    (lost,) = [s for s in students.values() if "unmapped" in flags(s)]
    assert lost.notebooks == {"N00_start": b"3"}


def test_names_content_and_exports(tmp_path):
    ids = {"N00_start": frozenset({"a", "b"}), "N01_knn": frozenset({"c", "d"})}
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "Untitled3.ipynb").write_bytes(notebook("c", "d"))
    (tmp_path / "ann" / "N00_start.html").write_bytes(b"<html>")
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "N01_knn.ipynb.txt").write_bytes(b"2")
    students = found(tmp_path, grade_ids=ids)
    assert set(students["ann"].notebooks) == {"N01_knn"}
    assert {"renamed", "wrong_format"} <= flags(students["ann"])
    assert students["bob"].notebooks == {"N01_knn": b"2"}


def test_composed_and_decomposed_names_are_one_student(tmp_path):
    (tmp_path / "Zoe\u0308.zip").write_bytes(zipped({"N00_start.ipynb": "1"}))
    assert set(found(tmp_path)) == {"Zo\u00eb"}


def test_names_that_differ_in_case_do_not_share_a_folder(tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped({"Ann/N00_start.ipynb": "1", "ann/N00_start.ipynb": "2"}))
    students = found(tmp_path / "x.zip")
    assert {s.casefold() for s in students} == {"ann", "ann-2"}
    assert {s.notebooks["N00_start"] for s in students.values()} == {b"1", b"2"}


def test_nested_zips_to_a_depth(tmp_path):
    raw = zipped({"N00_start.ipynb": "1"})
    for _ in range(2):
        raw = zipped({"more.zip": raw})
    (tmp_path / "ann.zip").write_bytes(raw)
    for _ in range(9):
        raw = zipped({"more.zip": raw})
    (tmp_path / "eve.zip").write_bytes(raw)
    students = found(tmp_path)
    assert students["ann"].notebooks == {"N00_start": b"1"}
    assert students["eve"].notebooks == {}
    assert "unreadable_archive" in flags(students["eve"])


def test_archives_that_climb_link_lie_or_burst(tmp_path):
    link = zipfile.ZipInfo("N01_knn.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "eve.zip", "w") as archive:
        archive.writestr("../../N00_start.ipynb", "1")
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("N00_start.ipynb", b"\0" * (MAX_FILE + 10))
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for n in range(MAX_MEMBERS + 5):
            archive.writestr(f"{n}.txt", "")
    students = found(tmp_path)
    assert students["eve"].notebooks == {}
    assert {"path_traversal", "special_file"} <= flags(students["eve"])
    assert len(students["bomb"].notebooks["N00_start"]) == MAX_FILE + 1
    assert "too_many_files" in flags(students["many"])
    assert not (tmp_path.parent / "N00_start.ipynb").exists()


def test_an_encrypted_or_foreign_archive_is_named(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "work.rar").write_bytes(b"Rar!")
    raw = bytearray(zipped({"N00_start.ipynb": "1"}))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the encryption bit, in the directory and in the file's own header
    raw[raw.index(b"PK\x03\x04") + 6] |= 1
    (tmp_path / "bob.zip").write_bytes(bytes(raw))
    students = found(tmp_path)
    assert "unreadable_archive" in flags(students["ann"])
    assert "unreadable_archive" in flags(students["bob"])


def test_what_is_kept_is_what_was_collected(tmp_path, gradescope):
    course = Course(tmp_path / "course")
    ids = {name: frozenset() for name in WANTED}
    first = list(received(course, "a1", gradescope, ids))
    again = list(received(course, "a1", None, ids))
    assert again == first
    assert [s.student for s in kept(course, "a1", WANTED, ("1001",))] == ["1001"]
    with pytest.raises(CourseError, match="student must be one who handed in a1, got 'zed'"):
        list(kept(course, "a1", WANTED, ("zed",)))
    with pytest.raises(CourseError, match="a2 must be collected"):
        list(received(course, "a2", None, ids))


def test_a_later_hand_in_takes_the_place_of_an_earlier(tmp_path):
    from autograder.collect import Submission

    course = Course(tmp_path)
    keep(course, "a1", Submission("ann", {"N00_start": b"1", "N01_knn": b"2"}, (), "2026-01-01T00:00:00+00:00"), WANTED)
    keep(course, "a1", Submission("ann", {"N01_knn": b"3"}), WANTED)
    assert list(kept(course, "a1", WANTED)) == [Submission("ann", {"N01_knn": b"3"})]


def test_one_students_deep_folder_is_not_taken_for_a_class(tmp_path):
    folder = tmp_path / "in" / "eve" / "deep" / "er"
    folder.mkdir(parents=True)
    (folder / "N00_start.ipynb").write_bytes(b"1")
    assert {name: s.notebooks for name, s in found(tmp_path / "in").items()} == {"eve": {"N00_start": b"1"}}


def test_a_zip_may_wrap_the_class_in_one_folder(tmp_path):
    files = {"all/ann/N00_start.ipynb": "1", "all/bob.zip": zipped({"N00_start.ipynb": "2"}), "__MACOSX/x": ""}
    (tmp_path / "x.zip").write_bytes(zipped(files))
    assert set(found(tmp_path / "x.zip")) == {"ann", "bob"}


def test_moodle_unpacked_into_a_folder_of_its_own(tmp_path):
    folder = tmp_path / "in" / "CS231n-a1-77" / "Jane Doe_77_assignsubmission_file_"
    folder.mkdir(parents=True)
    (folder / "N00_start.ipynb").write_bytes(b"1")
    assert set(found(tmp_path / "in")) == {"Jane Doe"}


def test_collecting_again_with_a_roster_leaves_no_guess_behind(tmp_path):
    ids = notebook_ids("a1")
    name = next(iter(ids))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"{name} (2).ipynb").write_bytes(b"1")
    (folder / f"ann_{name}.ipynb").write_bytes(b"2")
    course = Course(tmp_path / "course")
    first = collect_into(course, "a1", folder, None)
    assert len(first.unmapped) == 1
    (folder / f"{name} (2).ipynb").rename(folder / f"bob_{name}.ipynb")
    assert collect_into(course, "a1", folder, None).unmapped == []
    assert [s.student for s in kept(course, "a1", list(ids))] == ["ann", "bob"]
    about = json.loads((course.reports / "a1" / "collected.json").read_text())
    assert [row[0] for row in about["rows"]] == ["ann", "bob"]


def test_a_students_file_called_like_gradescopes_decides_for_nobody(tmp_path):
    for student in ("ann", "eve"):
        (tmp_path / student).mkdir()
        (tmp_path / student / "N00_start.ipynb").write_bytes(student.encode())
    (tmp_path / "eve" / "submission_metadata.yml").write_text("ann: {':submitters': [{':sid': eve}]}")
    assert {s: one.notebooks["N00_start"] for s, one in found(tmp_path).items()} == {"ann": b"ann", "eve": b"eve"}


def test_the_end_of_a_files_name_is_the_students_own_and_names_nobody(tmp_path):
    (tmp_path / "canvas").mkdir()
    for name in ("annjane_1_2_N00_start", "eve_5_6_N00_9_assignsubmission_file_N00_start"):
        (tmp_path / "canvas" / f"{name}.ipynb").write_bytes(b"1")
    assert set(found(tmp_path / "canvas")) == {"annjane", "eve"}
    (tmp_path / "moodle").mkdir()
    ann = "Ann Doe_11_assignsubmission_file_N00_start.ipynb"
    (tmp_path / "moodle" / ann).write_bytes(b"ann")
    (tmp_path / "moodle" / f"Eve Fox_22_assignsubmission_file_{ann}").write_bytes(b"eve")
    assert {s: one.notebooks["N00_start"] for s, one in found(tmp_path / "moodle").items()} == {
        "Ann Doe": b"ann",
        "Eve Fox": b"eve",
    }


def test_one_file_named_as_canvas_does_loses_no_folder_beside_it(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "bob").mkdir()
    (tmp_path / "ann" / "N00_start.ipynb").write_bytes(b"1")
    (tmp_path / "eve_5_6_N00_start.ipynb").write_bytes(b"2")
    assert set(found(tmp_path)) == {"ann", "bob", "eve_5_6"}


def test_a_manifest_that_names_another_takes_nobodys_place(tmp_path):
    (tmp_path / "list.csv").write_text("student,name\nann,Ann Doe\neve,Eve Fox\n")
    folder = tmp_path / "in"
    for name, raw in (("ann", b"ann"), ("000", b"eve")):
        (folder / name).mkdir(parents=True)
        (folder / name / "N00_start.ipynb").write_bytes(raw)
    (folder / "000" / "manifest.json").write_text('{"student": "ann"}')
    students = found(folder, roster=read_roster(tmp_path / "list.csv"))
    assert {s: one.notebooks["N00_start"] for s, one in students.items()} == {"ann": b"ann", "000": b"eve"}
    assert "unmapped" in flags(students["000"])
