"""Which code an exercise's points come from: its spec, what that imports of the library, and its test cell.

A changed spec then touches its own exercises and no others, and only those are graded again.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

from cs231n_lib.check import exercises

from .course import REPOSITORY

HARNESS = "cs231n_lib.check.harness"  # every test cell goes through it, whatever its spec imports


@cache
def spec_digest(exercise_id: str, test_cell: str) -> str:
    """Return a digest of what decides on an exercise's points. test_cell : the whole source of its test cell"""
    spec = exercises().get(exercise_id)
    modules = _closure(spec.examine.__module__ if spec else HARNESS) | _closure(HARNESS)
    digest = hashlib.sha256(test_cell.encode())
    for name in sorted(modules):
        digest.update(name.encode() + b"\0" + _path(name).read_bytes())
    return digest.hexdigest()


@cache
def _closure(module: str) -> frozenset[str]:
    """A module of the library and every module of the library that it imports, by way of others too."""
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += _imports(name)
    return frozenset(found)


def _imports(module: str) -> list[str]:
    path = _path(module)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            names |= {whole} | {f"{whole}.{alias.name}" for alias in node.names}
    # The package's own __init__ imports every part: following it would make each spec depend on all others.
    ours = [name for name in names if name.startswith("cs231n_lib.") and _exists(name)]
    return [name for name in ours if _path(name).name != "__init__.py" or name.count(".") > 1]


def _exists(module: str) -> bool:
    base = REPOSITORY.joinpath(*module.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _path(module: str) -> Path:
    base = REPOSITORY.joinpath(*module.split("."))
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
