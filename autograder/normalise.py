"""Turn whatever was handed in into answers: the sources of solution cells, and nothing else of the student's file.

A submission is data until it is inside the sandbox. It is parsed within bounds, its answers are found by grade_id (or,
when an editor stripped the metadata, by cell id or function name), and everything odd becomes a flag for a person.
"""

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from .marks import code_marks, text_marks, without_magics

MAX_FILE = 100_000_000  # bytes of a notebook; outputs with pictures make honest ones large
LARGE = 10_000_000  # bytes from which a notebook is looked at before it is parsed
MAX_VALUES = 2_000_000  # commas outside of texts, about the number of JSON values: each takes 60 bytes and more
MAX_MARKED = 400_000  # characters of what one cell shows that are searched
MAX_SEARCHED = 300_000  # characters of code in one notebook that are searched
MAX_READ = 8_000_000  # characters of any text in one notebook that are searched for what it says
CONFLICT = re.compile(rb"<{7}[^\n]*\n(.*?)={7}\n.*?>{7}[^\n]*\n?|[<=>|]{7}(?: [^\n]*)?\n", re.DOTALL)
MAX_CONFLICTS, MAX_MENDED = 50, 2_000_000  # marks and bytes of a file that is worth mending
MAX_CELLS = 2_000
MAX_SOURCE = 200_000  # characters of one cell

Flag = tuple[str, str]


@dataclass(frozen=True)
class Answers:
    """What a student handed in for one notebook.

    fault : "" or why nothing could be read: "missing_file", "empty_file", "wrong_format", "invalid_json",
        "unknown_format" or "too_large"
    cells : {grade_id: source} of solution and answer cells
    extras : sources of the student's own code cells, with the position among the template's cells they stood at
    flags : (name, detail) for a person to look at; never a deduction
    origin : random names and times of the cells that the student added: two people do not draw the same
    """

    fault: str = ""
    detail: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    extras: tuple[tuple[int, str], ...] = ()
    flags: tuple[tuple[str, str], ...] = ()
    origin: frozenset[str] = frozenset()


def parse_answers(raw: bytes, template: NotebookNode) -> Answers:
    """Return the answers in the bytes of a notebook file. Never raises for a bad file: its fault is named.

    template : the course's own notebook, which says what the answers are called
    """
    if len(raw) > MAX_FILE:
        return Answers("too_large", f"the file must have at most {MAX_FILE} bytes, got more")
    if not raw.strip():
        return Answers("empty_file", "the file has no content")
    if re.match(rb"\s*(<!|<html|<\?xml|%PDF|PK\x03|\{\\rtf)", raw[:200], re.IGNORECASE):
        return Answers("wrong_format", "the file must be a notebook, got a page, a PDF or an archive of that name")
    flags: list[Flag] = []
    try:
        notebook = parsed(raw, flags)
    except (ValueError, RecursionError, MemoryError) as error:
        return Answers("invalid_json", f"the file must be a notebook in JSON, got: {str(error)[:200]}")
    found = _cells_of(notebook, flags)
    if isinstance(found, str):
        return Answers("unknown_format", found)
    return _Matcher(template).match(found, flags)


def parsed(raw: bytes, flags: list[Flag]) -> Any:
    """Return the JSON of a file. Raises ValueError if there is none, or too much of it to hold in memory."""
    if len(raw) > LARGE:
        flags.append(("huge_notebook", f"the file has {len(raw) / 1e6:.0f} MB"))
        outside = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
        if outside.count(b'"') > 2 * MAX_VALUES or sum(t.count(b",") for t in outside.split(b'"')[::2]) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs) and not any(flag == "duplicate_keys" for flag, _ in flags):
            twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
            flags.append(("duplicate_keys", f"the key {twice[:40]!r} stands twice in one object; the last one counts"))
        return made

    text = raw.decode("utf-8-sig")
    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        small = len(raw) <= MAX_MENDED and sum(raw.count(mark * 7) for mark in (b"<", b"=", b">")) <= MAX_CONFLICTS
        mended = CONFLICT.sub(lambda found: found.group(1) or b"", raw) if small else raw
        if mended == raw:
            raise
        notebook = json.loads(mended.decode("utf-8-sig"), object_pairs_hook=once)
        flags.append(("invalid_json", f"marks of a merge were taken out, the first side kept: {str(error)[:100]}"))
        return notebook


def _cells_of(notebook: Any, flags: list[Flag]) -> list[dict] | str:
    """Return the usable cells as {"kind", "source", "grade_id", "id"}, or what is wrong with the file."""
    if not isinstance(notebook, dict):
        return f"a notebook must be a JSON object, got {type(notebook).__name__}"
    cells = notebook.get("cells")
    if notebook.get("nbformat") == 3 and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]
        cells = [cell for cell in cells if isinstance(cell, dict)]
        cells = [{**cell, "source": cell.get("source", cell.get("input", ""))} for cell in cells]
    elif notebook.get("nbformat") != 4:
        said = f"nbformat must be 3 or 4, got {str(notebook.get('nbformat'))[:40]!r}"
        version = notebook.get("nbformat")
        if type(version) is not int or version < 5 or not isinstance(cells, list) or not cells:
            return said
        flags.append(("unknown_format", f"{said}; its cells were read as those of format 4"))
    if not isinstance(cells, list) or len(cells) > MAX_CELLS:
        got = len(cells) if isinstance(cells, list) else type(cells).__name__
        return f"cells must be a list of at most {MAX_CELLS}, got {got}"
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = str(kernel.get("language", "python")) if isinstance(kernel, dict) else "python"
    if language.casefold() != "python":
        flags.append(("wrong_kernel", f"its kernel is for {language[:40]!r}; graded as Python"))
    return [_cell(cell) for cell in cells if isinstance(cell, dict)]


def _cell(cell: dict) -> dict:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    # A lone surrogate cannot be written as UTF-8 anywhere further on.
    source = source.encode("utf-8", "replace").decode("utf-8").replace("\x00", "").removeprefix("\ufeff")
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
        "nbgrader": nbgrader if isinstance(nbgrader, dict) else {},
        "ran": _ran(metadata),
        "showed": "\n".join([_texts(cell.get("outputs")), _texts(_attached(cell.get("attachments")))]),
    }


def _ran(metadata: Any) -> str:
    """When a cell ran, to the microsecond, where JupyterLab kept it."""
    times = metadata.get("execution") if isinstance(metadata, dict) else None
    begun = times.get("iopub.execute_input") if isinstance(times, dict) else None
    return begun[:60] if isinstance(begun, str) else ""


def _attached(files: Any) -> list[dict]:
    """The files attached to a cell, in the form of outputs."""
    return [{"data": data} for data in files.values()] if isinstance(files, dict) else []


def _texts(outputs: Any) -> str:
    """What a cell's saved outputs could bring into a page, as one text."""
    texts = []
    for output in outputs[:200] if isinstance(outputs, list) else []:
        data = output.get("data") if isinstance(output, dict) else None
        for kind, value in data.items() if isinstance(data, dict) else ():
            if kind in ("text/html", "image/svg+xml", "text/markdown", "application/javascript"):
                value = "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else value
                texts.append(value if isinstance(value, str) else "")
                texts += ["<script>"] if kind == "application/javascript" else []
    return "\n".join(texts)[:MAX_MARKED]


class _Matcher:
    """Finds each answer of a template among a student's cells."""

    def __init__(self, template: NotebookNode) -> None:
        self.kinds: dict[str, str] = {}
        self.locked: dict[str, str] = {}
        self.order: dict[str, int] = {}
        self.plain: set[str] = set()
        self.names: dict[str, str] = {}
        self.sources: dict[str, str] = {}
        self.metas: dict[str, dict] = {}
        self.given: set[str] = set()
        self.searched = 0
        self.read = 0
        self.given_ids = {str(cell.get("id", "")) for cell in template.cells}
        for index, cell in enumerate(template.cells):
            meta = cell.metadata.get("nbgrader")
            if not meta:
                self.plain.add(_folded(cell.source))
                continue
            self.order[meta.grade_id] = index
            self.metas[meta.grade_id], self.sources[meta.grade_id] = meta, _folded(cell.source)
            if meta.solution:
                self.kinds[meta.grade_id] = cell.cell_type
                self.names.update(dict.fromkeys(defined_names(cell.source), meta.grade_id))
            else:
                self.locked[meta.grade_id] = cell.source
                self.given |= set(defined_names(cell.source)) - {"result"}

    def match(self, cells: list[dict], flags: list[Flag]) -> Answers:
        stripped = not any(cell["grade_id"] in self.order for cell in cells)
        foreign = [cell["grade_id"] for cell in cells if cell["grade_id"] not in self.order and cell["grade_id"]]
        if stripped and foreign:
            flags.append(("wrong_assignment", f"its cells belong to other exercises, such as {foreign[0][:60]!r}"))
        elif stripped:
            flags.append(("metadata_missing", "no cell carries its grade_id; answers were found by cell id or name"))
        answers: dict[str, str] = {}
        extras: list[tuple[int, str]] = []
        position = 0
        for cell in cells:
            name = self._name(cell, stripped)
            position = self.order.get(name, position)
            flags += self._marks(name, cell)
            if name in self.kinds:
                if left := self._take(name, cell, answers, flags):
                    extras.append((position, left))
            elif name in self.locked:
                if _visible(cell["source"]) != _visible(self.locked[name]):
                    flags.append(("test_cell_edited", f"{name} was changed; the course's own version was used"))
                    if any(defined in self.names for defined in defined_names(cell["source"])):
                        extras.append((position, cell["source"][:MAX_SOURCE]))
            elif cell["kind"] == "code" and cell["source"].strip() and _folded(cell["source"]) not in self.plain:
                extras.append((position, cell["source"][:MAX_SOURCE]))
        flags[:] = dict.fromkeys(flags)
        seen = [self._name(cell, stripped) for cell in cells]
        flags += [("duplicate_cell", f"{n} occurs {seen.count(n)} times") for n in self.order if seen.count(n) > 1]
        flags += [("test_cell_missing", f"{n} is not in the notebook") for n in self.locked if n not in seen]
        flags += [("answer_missing", f"{n} is not in the notebook") for n in self.kinds if n not in answers]
        origin = frozenset(mark for cell in cells for mark in (cell["id"], cell["ran"]) if len(mark) >= 8)
        return Answers(
            cells=answers, extras=tuple(extras), flags=tuple(flags), origin=origin - set(self.order) - self.given_ids
        )

    def _marks(self, name: str, cell: dict) -> list[Flag]:
        """Flags on one cell: what was changed about it, and what its text reaches for."""
        flags = self._said(cell["showed"])
        own = cell["grade_id"] and cell["grade_id"] not in self.order
        if own:
            flags.append(("metadata_injected", f"a cell calls itself {cell['grade_id'][:60]!r}; it counts for nothing"))
        meta = self.metas.get(cell["grade_id"], cell["nbgrader"])
        changed = [k for k in ("points", "grade", "solution", "locked") if cell["nbgrader"].get(k) != meta.get(k)]
        if changed:
            flags.append(("metadata_edited", f"{name}: {', '.join(changed)} changed; the course's own are used"))
        source = _folded(cell["source"])
        if name in self.locked or source in (self.sources.get(name), *([source] if source in self.plain else [])):
            return flags
        flags += self._said(cell["source"])
        self.searched += len(cell["source"])
        if cell["kind"] == "code" and self.searched <= MAX_SEARCHED:
            marks = code_marks(cell["source"][:MAX_SOURCE], self.given)
            # Beside the answers students do play with the fast layers and the widgets.
            flags += [mark for mark in marks if name or mark[0] != "course_answer"]
            if not name and (again := [n for n in defined_names(cell["source"]) if n in self.names]):
                flags.append(("redefined", f"a cell of the student's own defines {again[0]} again"))
        return [(flag, f"{name}: {detail}" if name else detail) for flag, detail in flags]

    def _said(self, text: str) -> list[Flag]:
        """Flags on what a text says, as long as there is room."""
        room = max(0, MAX_READ - self.read)
        self.read += len(text)
        flags = text_marks(text[:room])
        if len(text) > room:
            flags.append(("hidden_code", f"its text beyond the first {MAX_READ:,} characters was not searched"))
        return flags

    def _name(self, cell: dict, stripped: bool) -> str:
        if not stripped or cell["id"] in self.order:
            return cell["grade_id"] if not stripped else cell["id"]
        if self.searched > MAX_SEARCHED:
            return ""
        defined = [self.names[name] for name in defined_names(cell["source"]) if name in self.names]
        return defined[0] if cell["kind"] == "code" and defined else ""

    def _take(self, name: str, cell: dict, answers: dict[str, str], flags: list[tuple[str, str]]) -> str:
        """Take an answer; return code that was there and does not count as it, for a second look, or ""."""
        if len(cell["source"]) > MAX_SOURCE:
            flags.append(("answer_too_long", f"{name} must have at most {MAX_SOURCE} characters; ignored"))
            return ""
        if cell["kind"] != self.kinds[name]:
            flags.append(("metadata_edited", f"{name} must be a {self.kinds[name]} cell, got {cell['kind']}"))
            if self.kinds[name] == "code":  # text that never ran is no answer yet
                return cell["source"]
        # Of two copies the later one counts, unless it is still the stub.
        if name in answers and "NotImplementedError" in cell["source"]:
            return ""
        # The earlier one may be the first half of a cell that was split.
        left = answers.get(name, "") if self.kinds[name] == "code" else ""
        answers[name] = cell["source"]
        return left if left != cell["source"] and "NotImplementedError" not in left else ""


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
        tree = ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
