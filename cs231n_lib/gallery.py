"""The gallery: a notebook of every widget, written from the registry, so none is missing and none is merged by hand."""

import json
import os
from pathlib import Path

from .widgets.base import REGISTRY


def notebook() -> dict:
    """Return the gallery as a notebook (nbformat 4.5): a sentence and one call for each widget."""
    cells = [
        _cell(
            "welcome",
            "# Widgets\n\nEach picture answers to its controls and to your own function, if you hand it in. Read the "
            "first question and say your answer aloud *before* you move anything: a wrong guess is remembered.",
        ),
        _cell("import", "from cs231n_lib import widgets", code=True),
    ]
    for name, entry in sorted(REGISTRY.items(), key=lambda item: item[1].model.title):
        cells.append(_cell(f"{name}-about", f"## {entry.model.title}\n\n{entry.model.about}"))
        cells.append(_cell(name, f"widgets.{name}()", code=True))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _cell(name: str, source: str, *, code: bool = False) -> dict:
    extra: dict = {"outputs": [], "execution_count": None} if code else {}
    return {"id": name, "cell_type": "code" if code else "markdown", "metadata": {}, "source": source, **extra}


def write_gallery(folder: Path) -> Path:
    """Write gallery.ipynb into a folder and return its path. It is rewritten each time: it holds nobody's work."""
    folder.mkdir(parents=True, exist_ok=True)
    target, temporary = folder / "gallery.ipynb", folder / ".gallery.ipynb.part"
    temporary.write_text(json.dumps(notebook(), indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, target)
    return target
