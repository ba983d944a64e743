"""Finding submissions: folders and zips, odd names, links and archives that lie."""

import gzip
import io
import os
import resource
import struct
import tarfile
import zipfile

import pytest

from autograder.archive import MAX_ENTRIES
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


def packed(kind, *members):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=f"w:{kind}", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def member(content, **facts):
    entry = tarfile.TarInfo("N00_start.ipynb")
    entry.size = len(content)
    for name, value in facts.items():
        setattr(entry, name, value)
    return entry, content


@pytest.mark.parametrize("year", ["inf", "nan", "1e300", "-1e18"])
def test_a_file_from_no_year_there_is_is_a_flag(tmp_path, year):
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "work.tar.gz").write_bytes(packed("gz", member(b"1", pax_headers={"mtime": year})))
    eve = found(tmp_path)["eve"]
    assert eve.notebooks == {"N00_start": b"1"}
    assert "time_conflict" in dict(eve.flags)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", ""])
def test_tars_are_read_however_they_are_packed(tmp_path, kind):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / f"work.tar.{kind}".rstrip(".")).write_bytes(packed(kind, member(b"1")))
    assert found(tmp_path)["ann"].notebooks == {"N00_start": b"1"}


def test_a_long_name_of_gigabytes_is_never_held_in_memory(tmp_path):
    (tmp_path / "eve").mkdir()
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 10**10
    with gzip.open(tmp_path / "eve" / "work.tar.gz", "wb", 1) as file:
        file.write(name.tobuf(tarfile.GNU_FORMAT))  # nothing behind it: it is refused by what it announces
    assert "archive_bomb" in dict(found(tmp_path)["eve"].flags)


def test_a_tar_of_folders_without_end_is_left(tmp_path):
    (tmp_path / "eve").mkdir()
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    with gzip.open(tmp_path / "eve" / "work.tar.gz", "wb", 1) as file:
        file.write(folder.tobuf() * (MAX_ENTRIES + 10))
    assert "too_many_files" in dict(found(tmp_path)["eve"].flags)


def test_the_end_of_a_zip_cannot_hide_how_many_entries_it_has(tmp_path):
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<5H2L", 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * (MAX_ENTRIES + 10)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)
    (tmp_path / "eve.zip").write_bytes(directory + end)
    assert "too_many_files" in dict(found(tmp_path)["eve"].flags)


def test_a_damaged_entry_of_any_method_is_a_flag(tmp_path):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("N00_start.ipynb", os.urandom(5000))
    damaged = bytearray(raw.getvalue())
    damaged[60:4000:7] = bytes(len(damaged[60:4000:7]))
    (tmp_path / "eve.zip").write_bytes(damaged)
    assert "unreadable_archive" in dict(found(tmp_path)["eve"].flags)


def test_a_file_of_too_many_values_is_not_parsed_to_see_whose_it_is(tmp_path):
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "mine.ipynb").write_bytes(b'{"cells": [' + b"[]," * 20_000_000 + b"[]]}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wanted = {"N00_start": frozenset({"q1"})}
    assert next(collect(tmp_path, "a1", ["N00_start"], grade_ids=wanted)).notebooks == {}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # KiB; parsed, it takes two million


def test_a_name_longer_than_a_file_system_takes_is_cut(tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for name in ("李" * 150, "李" * 149 + "x"):
            archive.writestr(f"{name}/N00_start.ipynb", "1")
    names = list(found(tmp_path / "class.zip"))
    assert len(set(names)) == 2
    assert max(len(name.encode()) for name in names) < 200


def test_a_folder_that_is_called_as_systems_call_what_they_hide_is_still_read(tmp_path):
    for name in (".ann", ".git", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    for name in (".ann", ".ipynb_checkpoints"):
        (tmp_path / name / "N00_start.ipynb").write_bytes(b"1")
    (tmp_path / ".git" / "config").write_bytes(b"1")
    students = found(tmp_path)
    assert {name: one.notebooks for name, one in students.items()} == {"ann": {"N00_start": b"1"}}
    assert "bad_name" in dict(students["ann"].flags)


def test_names_with_marks_that_cannot_be_seen_or_letters_of_two_alphabets_are_flagged(tmp_path):
    names = {"\u202egnp": "bad_name", "\u0430nn": "unicode_trick", "\u0430\u043d\u043d\u0430": "", "Zoe\u0308": ""}
    for name in names:
        (tmp_path / name).mkdir()
    flags = {one.student: "".join(dict(one.flags)) for one in found(tmp_path).values()}
    assert sorted(flags.values()) == sorted(names.values())
