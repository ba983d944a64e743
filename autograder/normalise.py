"""Turn whatever was handed in into answers: the sources of solution cells, and nothing else of the student's file.

A submission is data until it is inside the sandbox. It is parsed within bounds, its answers are found by grade_id (or,
when an editor stripped the metadata, by cell id or function name), and everything odd becomes a flag for a person.
"""

import ast
import json
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

MAX_FILE = 50_000_000  # bytes of a notebook; outputs with pictures make honest ones large
MAX_CELLS = 2_000
MAX_SOURCE = 200_000  # characters of one cell


@dataclass(frozen=True)
class Answers:
    """What a student handed in for one notebook.

    fault : "" or why nothing could be read: "missing_file", "empty_file", "invalid_json", "unknown_format", "too_large"
    cells : {grade_id: source} of solution and answer cells
    extras : sources of the student's own code cells, with the position among the template's cells they stood at
    flags : (name, detail) for a person to look at; never a deduction
    """

    fault: str = ""
    detail: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    extras: tuple[tuple[int, str], ...] = ()
    flags: tuple[tuple[str, str], ...] = ()


def parse_answers(raw: bytes, template: NotebookNode) -> Answers:
    """Return the answers in the bytes of a notebook file. Never raises for a bad file: its fault is named.

    template : the course's own notebook, which says what the answers are called
    """
    if len(raw) > MAX_FILE:
        return Answers("too_large", f"the file must have at most {MAX_FILE} bytes, got more")
    if not raw.strip():
        return Answers("empty_file", "the file has no content")
    try:
        notebook = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Answers("invalid_json", f"the file must be a notebook in JSON, got: {str(error)[:200]}")
    found = _cells_of(notebook)
    if isinstance(found, str):
        return Answers("unknown_format", found)
    return _Matcher(template).match(found)


def _cells_of(notebook: Any) -> list[dict] | str:
    """Return the usable cells as {"kind", "source", "grade_id", "id"}, or what is wrong with the file."""
    if not isinstance(notebook, dict):
        return f"a notebook must be a JSON object, got {type(notebook).__name__}"
    cells = notebook.get("cells")
    if notebook.get("nbformat") == 3 and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", []) if isinstance(cell, dict)]
        cells = [{**cell, "source": cell.get("source", cell.get("input", ""))} for cell in cells]
    elif notebook.get("nbformat") != 4:
        return f"nbformat must be 3 or 4, got {notebook.get('nbformat')!r}"
    if not isinstance(cells, list) or len(cells) > MAX_CELLS:
        return f"cells must be a list of at most {MAX_CELLS}, got {len(cells) if isinstance(cells, list) else cells!r}"
    return [_cell(cell) for cell in cells if isinstance(cell, dict)]


def _cell(cell: dict) -> dict:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    # A lone surrogate cannot be written as UTF-8 anywhere further on.
    source = source.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return {
        "kind": "markdown"
        if cell.get("cell_type") == "markdown"
        else "code"
        if cell.get("cell_type") == "code"
        else "other",
        "source": source,
        "grade_id": grade_id if isinstance(grade_id, str) else "",
        "id": cell.get("id") if isinstance(cell.get("id"), str) else "",
    }


class _Matcher:
    """Finds each answer of a template among a student's cells."""

    def __init__(self, template: NotebookNode) -> None:
        self.kinds: dict[str, str] = {}
        self.locked: dict[str, str] = {}
        self.order: dict[str, int] = {}
        self.plain: set[str] = set()
        self.names: dict[str, str] = {}
        for index, cell in enumerate(template.cells):
            meta = cell.metadata.get("nbgrader")
            if not meta:
                self.plain.add(_folded(cell.source))
                continue
            self.order[meta.grade_id] = index
            if meta.solution:
                self.kinds[meta.grade_id] = cell.cell_type
                self.names.update(dict.fromkeys(defined_names(cell.source), meta.grade_id))
            else:
                self.locked[meta.grade_id] = cell.source

    def match(self, cells: list[dict]) -> Answers:
        flags: list[tuple[str, str]] = []
        stripped = not any(cell["grade_id"] in self.order for cell in cells)
        if stripped:
            flags.append(("metadata_missing", "no cell carries its grade_id; answers were found by cell id or name"))
        answers: dict[str, str] = {}
        extras: list[tuple[int, str]] = []
        position = 0
        for cell in cells:
            name = self._name(cell, stripped)
            position = self.order.get(name, position)
            if name in self.kinds:
                self._take(name, cell, answers, flags)
            elif name in self.locked:
                if _visible(cell["source"]) != _visible(self.locked[name]):
                    flags.append(("test_cell_edited", f"{name} was changed; the course's own version was used"))
            elif cell["kind"] == "code" and cell["source"].strip() and _folded(cell["source"]) not in self.plain:
                extras.append((position, cell["source"][:MAX_SOURCE]))
        seen = [self._name(cell, stripped) for cell in cells]
        flags += [("duplicate_cell", f"{n} occurs {seen.count(n)} times") for n in self.order if seen.count(n) > 1]
        flags += [("test_cell_missing", f"{n} is not in the notebook") for n in self.locked if n not in seen]
        flags += [("answer_missing", f"{n} is not in the notebook") for n in self.kinds if n not in answers]
        return Answers(cells=answers, extras=tuple(extras), flags=tuple(flags))

    def _name(self, cell: dict, stripped: bool) -> str:
        if not stripped or cell["id"] in self.order:
            return cell["grade_id"] if not stripped else cell["id"]
        defined = [self.names[name] for name in defined_names(cell["source"]) if name in self.names]
        return defined[0] if cell["kind"] == "code" and defined else ""

    def _take(self, name: str, cell: dict, answers: dict[str, str], flags: list[tuple[str, str]]) -> None:
        if cell["kind"] != self.kinds[name]:
            flags.append(("metadata_edited", f"{name} must be a {self.kinds[name]} cell, got {cell['kind']}; ignored"))
            return
        if len(cell["source"]) > MAX_SOURCE:
            flags.append(("answer_too_long", f"{name} must have at most {MAX_SOURCE} characters; ignored"))
            return
        # Of two copies the later one counts, unless it is still the stub.
        if name not in answers or "NotImplementedError" not in cell["source"]:
            answers[name] = cell["source"]


def _folded(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _visible(source: str) -> str:
    """A test cell without its hidden region, white space at line ends folded: what the student was given."""
    kept, hidden = [], False
    for line in source.splitlines():
        if "### BEGIN HIDDEN TESTS" in line:
            hidden = True
        elif "### END HIDDEN TESTS" in line:
            hidden = False
        elif not hidden:
            kept.append(line)
    return _folded("\n".join(kept))


def defined_names(source: str) -> list[str]:
    """Return the functions, classes and variables that a cell defines at its top level; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
