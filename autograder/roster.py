"""The class list: which student an LMS means by a name, a number or an address in its download."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from .archive import plain_text
from .course import CourseError

# What the columns of usual class lists are called, folded by `_heading`.
ID = ("student", "studentid", "id", "sid", "sisuserid", "username", "sisloginid", "idnumber", "netid", "login")
EMAIL = ("email", "emailaddress", "mail")
NAME = ("name", "fullname", "studentname", "displayname")
FIRST, LAST = ("firstname", "givenname", "first"), ("lastname", "surname", "familyname", "last")
LMS = ("canvasid", "moodleid", "gradescopeid", "lmsid", "identifier", "canvasuserid")


@dataclass(frozen=True)
class Student:
    """One line of a class list. id : what the course calls the student; line : its number, from 0 after the heading."""

    id: str
    name: str = ""
    email: str = ""
    keys: frozenset[str] = field(default_factory=frozenset)
    line: int = 0

    def goes_by(self, name: str) -> bool:
        """True if `name` is one of the ways in which an LMS writes this student's."""
        return _key(name) in self.keys or name_key(name) in _names(self)


@dataclass(frozen=True)
class Roster:
    """A class list. Looks up by id, address or number first, and by name only where one student has that name."""

    students: dict[str, Student]

    def find(self, *clues: str) -> tuple[Student | None, str]:
        """Return (student, "") or (None, why not). clues : ids, addresses and names, the surest first."""
        for clue in filter(None, clues):
            exact = [s for s in self.students.values() if _key(clue) in s.keys]
            found = exact or [s for s in self.students.values() if name_key(clue) and name_key(clue) in _names(s)]
            if len(found) == 1:
                return found[0], ""
            if found:
                return None, f"{clue!r} could be {', '.join(s.id for s in found)}"
        return None, "nobody on the roster has this name, id or address"


def read_roster(path: Path) -> Roster:
    """Read a CSV with a heading: an id column, and a name and an e-mail column if there are any.

    Understands the columns of Canvas, Moodle and Gradescope exports. Raises CourseError naming what is missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"roster must be a CSV file in UTF-8, got {str(path)!r}: {error}") from error
    lines = list(csv.DictReader(io.StringIO(text)))
    students: dict[str, Student] = {}
    for number, line in enumerate(lines):
        cells = {_heading(k): plain_text(v.strip()) for k, v in line.items() if k and isinstance(v, str) and v.strip()}
        student = _student(cells, number)
        if student is None:
            continue
        if student.id in students:
            raise CourseError(f"roster must name each student once, got {student.id!r} twice in {path.name}")
        students[student.id] = student
    if not students:
        raise CourseError(
            f"roster must have a heading with a column student, email or name and a line per student, got "
            f"{', '.join(lines[0]) if lines else 'no lines'} in {path.name}"
        )
    return Roster(students)


def _student(cells: dict[str, str], line: int) -> Student | None:
    # Canvas calls its own number ID and the institution's SIS User ID; the latter is the one people know.
    canvas = "sisuserid" in cells or "sisloginid" in cells
    ids = [cells[name] for name in ("sisloginid", "sisuserid", *ID) if name in cells and not (canvas and name == "id")]
    email = next((cells[name] for name in EMAIL if name in cells), "")
    name = next((cells[n] for n in NAME if n in cells), "")
    if canvas and not name:
        name, ids = cells.get("student", ""), [i for i in ids if i != cells.get("student")]
    first, last = (next((cells[n] for n in names if n in cells), "") for names in (FIRST, LAST))
    name = name or f"{first} {last}".strip()
    chosen = next(iter([*ids, email.partition("@")[0], name]), "") or email.partition("@")[0] or name
    if not chosen or chosen.lower().startswith("points possible") or name.lower().startswith("points possible"):
        return None
    others = [cells[n] for n in (*LMS, *ID) if n in cells]
    keys = {_key(clue) for clue in (chosen, *ids, email, email.partition("@")[0], *others) if clue}
    return Student(chosen, name, email, frozenset(keys), line)


def _names(student: Student) -> set[str]:
    """The ways an LMS writes a name: Ada Lovelace, Lovelace Ada, lovelaceada."""
    words = re.split(r"[\s,]+", student.name.strip())
    return {name_key(student.name), name_key("".join([words[-1], *words[:-1]])), name_key("".join(reversed(words)))} - {
        ""
    }


def name_key(text: str) -> str:
    """Fold a name: no case, no accents, letters and digits only."""
    bare = "".join(ch for ch in unicodedata.normalize("NFKD", text) if not unicodedata.combining(ch))
    return "".join(ch for ch in bare.casefold() if ch.isalnum())


def _key(text: str) -> str:
    return re.sub(r"^participant\s+", "", text.strip().casefold())


def _heading(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())
