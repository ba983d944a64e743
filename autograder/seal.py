"""The course's sealed test set: pictures for the students, a seed that stays with the instructor.

A marker in the course folder says that
a set was given out; from then on the judge scores certificates against it, and no longer against the one to practise.
"""

import io
from pathlib import Path

import numpy as np

from cs231n_lib.check.n12_certificate import name_of, pictures_of

from .course import REPOSITORY, Course
from .grading import seal_of
from .scheduler import write_atomically

PICTURES = REPOSITORY / "datasets" / "sealed.npz"


def write_sealed(course: Course, path: Path = PICTURES) -> Path:
    """Draw the course's sealed pictures into an .npz without labels, mark the set as given out, and return the path."""
    seal = seal_of(course)
    packed = io.BytesIO()
    np.savez_compressed(packed, pictures=pictures_of(seal), name=np.array(name_of(seal)))
    write_atomically(path, packed.getvalue())
    course.seal_marker.write_text(name_of(seal) + "\n", encoding="utf-8")
    return path
