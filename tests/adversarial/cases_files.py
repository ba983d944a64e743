"""What lies around the notebook: names, archives, planted files, times, and whose it is."""

import io
import json
import os
import struct
import tarfile
import zipfile
from pathlib import Path

from .case import WRONG, Case

NAME = "T01_two.ipynb"
GOOD = {"q1": 3.0}
NOTHING = {"q1": 0.0, "q2": 0.0}


def beside(**files: bytes):
    """Place the notebook in the student's folder, and these files beside it; `__` in a name is a slash."""

    def place(folder: Path, student: str, raw: bytes) -> None:
        for name, content in {NAME: raw, **{n.replace("__", "/"): c for n, c in files.items()}}.items():
            path = folder / student / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return place


def only(*names: str, change=lambda raw: raw):
    """Place the notebook under other names and nothing else."""

    def place(folder: Path, student: str, raw: bytes) -> None:
        (folder / student).mkdir()
        for name in names:
            (folder / student / name).write_bytes(change(raw))

    return place


def zipped(fill):
    """Place a zip; `fill(archive, raw)` writes into it."""

    def place(folder: Path, student: str, raw: bytes) -> None:
        with zipfile.ZipFile(folder / f"{student}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            fill(archive, raw)

    return place


def _slip(archive, raw):
    archive.writestr("../../../gradebook.db", b"not a database")
    archive.writestr("/tmp/cs231n-pwned", b"x")
    archive.writestr(NAME, raw)


def _bomb(archive, raw):
    for n in range(8):
        with archive.open(f"{n}/{NAME}" if n else NAME, "w", force_zip64=True) as file:
            for _ in range(250):
                file.write(bytes(1_000_000))


def _cut(folder, student, raw):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(NAME, raw)
    (folder / f"{student}.zip").write_bytes(target.getvalue()[:-60])


def _tar(folder, student, raw):
    (folder / student).mkdir()
    with tarfile.open(folder / student / "work.tar.gz", "w:gz") as archive:
        for name, kind, link in (
            ("disk", tarfile.BLKTYPE, ""),
            ("hard", tarfile.LNKTYPE, "../../gradebook.db"),
            ("soft", tarfile.SYMTYPE, "/etc/passwd"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = kind, link, 0o4777
            archive.addfile(entry)
        entry = tarfile.TarInfo(NAME)
        entry.size = len(raw)
        archive.addfile(entry, io.BytesIO(raw))


def _million(folder, student, raw):
    """A zip of a million empty files, made of its directory alone."""
    record = b"PK\x01\x02" + struct.pack("<4B4HL2L5H2L", 20, 0, 20, 0, 0, 0, 0, 33, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    directory = b"".join(record + b"%08x" % n for n in range(1_000_000))
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (folder / f"{student}.zip").write_bytes(directory + wide + locator + end)


def _draft(folder, student, raw):
    nb = json.loads(raw)
    for cell in nb["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = WRONG
    beside(**{"T01_two-draft.ipynb": json.dumps(nb).encode()})(folder, student, raw)


def _old(folder, student, raw):
    beside()(folder, student, raw)
    os.utime(folder / student / NAME, (2_147_483_000, 2_147_483_000))


def _resubmitted(folder, student, raw):
    for name, content in ((f"{student}.zip", raw), (f"{student} (1).zip", raw[: len(raw) // 2])):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(NAME, content)


def _formula(folder, student, raw):
    only(NAME)(folder, '=HYPERLINK("http:) ' + student, raw)


def _other(raw: bytes) -> bytes:
    nb = json.loads(raw)
    for n, cell in enumerate(nb["cells"]):
        meta = cell["metadata"].get("nbgrader")
        if meta:
            meta["grade_id"] = cell["id"] = f"other-{n}"
        cell["source"] = f"pass  # {n}"
    return json.dumps(nb).encode()


def _script(raw: bytes) -> bytes:
    code = [c for c in json.loads(raw)["cells"] if c["cell_type"] == "code"]
    return "\n\n# In[ ]:\n\n".join("".join(c["source"]) for c in code).encode()


def _copied(folder, student, raw):
    """Two students hand in one notebook: the cells that its author added carry the same random names."""
    nb = json.loads(raw)
    own = {"cell_type": "code", "id": "f3a9c1d27b04", "metadata": {}, "source": "print(1)", "outputs": []}
    nb["cells"].append({**own, "execution_count": 17})
    for name in (student, f"{student}-friend"):
        only(NAME)(folder, name, json.dumps(nb).encode())


CASES = {
    "CUT13": Case("hands in another's notebook", "same_provenance", place=_copied, **GOOD),
    "FILE1": Case("its browser named the file", "renamed", place=only("T01_two (1).ipynb"), **GOOD),
    "FILE3": Case(
        "a script in place of the notebook", "wrong_format", place=only("T01_two.py", change=_script), **NOTHING
    ),
    "FILE5": Case("a draft beside the notebook", "ambiguous", place=_draft, **GOOD),
    "FILE7": Case("a zip whose paths lead outside", "path_traversal", place=zipped(_slip), **GOOD),
    "FILE9": Case("2 GB of zeros in 2 MB", "archive_bomb", place=zipped(_bomb), **NOTHING),
    "FILE11": Case("a zip cut short", "unreadable_archive", place=_cut, **NOTHING),
    "FILE13": Case("a tar with a device and links", "special_file", place=_tar, **GOOD),
    "FILE15": Case("a zip of a million files", "too_many_files", place=_million, **NOTHING),
    "FILE17": Case(
        "files that an interpreter runs by itself",
        "planted_file",
        place=beside(
            **{
                "sitecustomize.py": b"import os; os.system('touch /tmp/cs231n-pwned')",
                "conftest.py": b"raise SystemExit",
                "ipython_config.py": b"c = get_config()",
                ".jupyter__jupyter_config.py": b"c = get_config()",
                "x.pth": b"import os",
            }
        ),
        **GOOD,
    ),
    "FILE19": Case(
        "a page called notebook", "wrong_format", raw=lambda raw: b"<!DOCTYPE html>\n<html></html>", **NOTHING
    ),
    "META1": Case(
        "a timestamp of its own",
        "time_conflict",
        place=beside(**{"timestamp.txt": b"2001-09-30 23:00:00 UTC"}),
        **GOOD,
    ),
    "META3": Case("a file from the year 2038", "time_conflict", place=_old, **GOOD),
    "META5": Case("a second hand-in that is broken", "superseded", place=_resubmitted, **GOOD),
    "META7": Case("a name that is a formula", "bad_name", place=_formula, **GOOD),
    "META11": Case("the notebook of another assignment", "wrong_assignment", raw=_other, **NOTHING),
}
