"""Run the solved notebooks of an assignment and write them as notebooks and HTML, to read as a learner would."""

import re
from dataclasses import replace
from pathlib import Path

import nbformat

from .course import CourseError, source_files
from .source import Cell, read_source, to_notebook

CELL_SECONDS = 600
MARK = re.compile(r"(###|===) (BEGIN|END) (SOLUTION|MARK SCHEME)")


def _readable(cell: Cell) -> Cell:
    """A written answer without the builder's marks, which markdown would show as headings."""
    kept = [line for line in cell.text.splitlines() if not MARK.search(line)] if cell.kind == "markdown" else []
    return replace(cell, text="\n".join(kept)) if kept else cell


def execute_solutions(assignment: str, folder: Path) -> list[Path]:
    """Execute every solved notebook of an assignment; return the HTML files. Raises CourseError if a cell fails."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    folder.mkdir(parents=True, exist_ok=True)
    pages = []
    for path in source_files(assignment):
        notebook = to_notebook([_readable(cell) for cell in read_source(path)])
        try:
            # With widgets' state kept, a page that is read offline shows nothing in their place, not even a picture.
            NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", store_widget_state=False).execute()
        except CellExecutionError as error:
            raise CourseError(f"{path.name} must run from top to bottom, got {error.ename}: {error.evalue}") from error
        finally:
            nbformat.write(notebook, folder / f"{path.stem}.ipynb")
        text, _ = HTMLExporter().from_notebook_node(notebook)
        page = folder / f"{path.stem}.html"
        page.write_text(text, encoding="utf-8")
        pages.append(page)
    return pages
