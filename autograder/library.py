"""The library as a box sees it: cs231n_lib without the parts that would answer an exercise in one import.

The fast layers, what the checks compare with, and the nets behind the widgets lie in every student's copy, to be read.
Where answers are judged, `closed.py` stands in their place: its names can be imported, as a notebook's first cell may
do, and raise when they are used. What a box needs stays: the teaching pair im2col and col2im, the questions with drawn
numbers, N12's log. Layers that are carried forward are asked of the judge (`borrowed.py`, lender.py).
"""

import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from .course import REPOSITORY

LIBRARY = REPOSITORY / "cs231n_lib"
CLOSED_FILE = Path(__file__).with_name("closed.py")
STAND_INS = LIBRARY / "check" / "standins.py"
BORROWED_FILE = Path(__file__).with_name("borrowed.py")
CLOSED = ("check/n[0-9][0-9]_*.py", "kernels/*.py", "widgets/**/*.py")
OPEN = (
    "check/n*_drawn.py",
    "check/n08_questions.py",
    "check/n12_certificate.py",
    "check/n12_log.py",
    "kernels/__init__.py",
    "kernels/geometry.py",
    "kernels/im2col.py",
)


@cache
def box_library() -> Path:
    """Return the folder to show in boxes as cs231n_lib. It is made once for each state of the library, and kept."""
    closed = {path for pattern in CLOSED for path in LIBRARY.glob(pattern)}
    closed -= {path for pattern in OPEN for path in LIBRARY.glob(pattern)}
    files = {path: CLOSED_FILE if path in closed else path for path in sorted(LIBRARY.rglob("*.py"))}
    files[STAND_INS] = BORROWED_FILE
    digest = hashlib.sha256()
    for path, shown in files.items():
        digest.update(f"{path.relative_to(LIBRARY)}\0".encode() + shown.read_bytes() + b"\0")
    folder = REPOSITORY / "build" / "box-library" / digest.hexdigest()[:20]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.chmod(0o755)  # boxes run as other users, whatever this one's umask is
        making = Path(tempfile.mkdtemp(dir=folder.parent))
        for path, shown in files.items():
            target = making / path.relative_to(LIBRARY)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shown, target)
        for path in (making, *making.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            os.rename(making, folder)
        except OSError:  # another process was first, with the same files
            shutil.rmtree(making)
    return folder
