"""Finding submissions: folders and zips, odd names, links and archives that lie."""

import zipfile

import pytest

from autograder.collect import collect
from autograder.course import CourseError


def found(folder):
    return {s.student: s for s in collect(folder, "a1", ["N00_start", "N01_knn"])}


def test_folders_nested_folders_and_zips(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "N00_start.ipynb").write_bytes(b"1")
    (tmp_path / "bob" / "a1").mkdir(parents=True)
    (tmp_path / "bob" / "a1" / "N01_knn.ipynb").write_bytes(b"2")
    with zipfile.ZipFile(tmp_path / "cem.zip", "w") as archive:
        archive.writestr("some/folder/N00_start.ipynb", "3")
        archive.writestr("__MACOSX/N01_knn.ipynb", "junk")
    students = found(tmp_path)
    assert students["ann"].notebooks == {"N00_start": b"1"}
    assert students["bob"].notebooks == {"N01_knn": b"2"}
    assert students["cem"].notebooks == {"N00_start": b"3"}


def test_a_broken_zip_is_a_flag_and_loses_nobody_else(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "bad.zip").write_bytes(b"PK not a zip")
    students = found(tmp_path)
    assert set(students) == {"ann", "bad"}
    assert students["bad"].flags[0][0] == "unreadable_archive"


def test_links_are_not_followed(tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("secret")
    folder = tmp_path / "in"
    (folder / "eve").mkdir(parents=True)
    (folder / "eve" / "N00_start.ipynb").symlink_to(secret)
    (folder / "link").symlink_to(tmp_path)
    assert found(folder)["eve"].notebooks == {}
    assert "link" not in found(folder)


def test_renamed_and_ambiguous_files(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "N00_start (1).ipynb").write_bytes(b"1")
    (tmp_path / "ann" / "N01_knn.ipynb").write_bytes(b"2")
    (tmp_path / "ann" / "n01_knn-final.ipynb").write_bytes(b"3")
    ann = found(tmp_path)["ann"]
    assert ann.notebooks == {"N00_start": b"1", "N01_knn": b"2"}
    assert {name for name, _ in ann.flags} == {"renamed", "ambiguous"}


def test_names_that_could_leave_the_folder_are_made_safe(tmp_path):
    (tmp_path / "a<b>&c").mkdir()
    (tmp_path / "a_b__c").mkdir()
    students = found(tmp_path)
    assert set(students) == {"a_b__c", "a_b__c-2"}
    assert students["a_b__c"].flags == ()
    assert [name for name, _ in students["a_b__c-2"].flags] == ["bad_name"]


def test_a_wrong_folder_is_said_in_one_line(tmp_path):
    with pytest.raises(CourseError, match="one folder or zip per student"):
        found(tmp_path / "nowhere")
    with pytest.raises(CourseError, match="got none"):
        found(tmp_path)
