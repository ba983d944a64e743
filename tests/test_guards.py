"""Rules about the tree itself: who may import whom, pins, and what an import may drag in."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "cs231n_lib").rglob("*.py"))
GRADER = sorted((ROOT / "autograder").rglob("*.py"))

# Which parts of the library each part may import; a part that is not named may import only itself.
ALLOWED = {
    "widgets": {"visualize", "data", "shapes10", "kernels", "solver", "optim", "gradient_check"},
    "gallery": {"widgets"},
    "solver": {"data"},
    "check": {"gradient_check", "kernels", "shapes10"},
    "data": {"store", "shapes10", "images", "cifar10"},
    "images": {"store"},
    "cifar10": {"store", "fetch", "batches"},
    "fetch": {"store"},
    "batches": {"store"},
    "shapes10": {"outlines"},
    "doctor": {"data"},
    "workspace": {"check"},
    "carry": {"workspace", "check"},
    "cli": {"workspace", "doctor", "data", "images", "store", "gallery"},
    "challenge": {"store", "check"},
}


def imported(path: Path) -> set[str]:
    """Return the absolute dotted names of modules that a file imports, relative imports resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "cs231n_lib").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_library_never_imports_the_grader_and_keeps_its_direction(path):
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("cs231n_lib.")}
    siblings = {part_of(p) for p in LIBRARY}
    assert not any(name.split(".")[0] == "autograder" for name in imported(path))
    assert (parts & siblings) - {part_of(path), "__init__"} <= ALLOWED.get(part_of(path), set())


def test_widgets_may_import_no_more_than_they_do():
    names = {name for path in LIBRARY if part_of(path) == "widgets" for name in imported(path)}
    parts = {name.split(".")[1] for name in names if name.startswith("cs231n_lib.")}
    assert ALLOWED["widgets"] <= parts


@pytest.mark.parametrize("path", GRADER, ids=lambda p: str(p.relative_to(ROOT)))
def test_grader_uses_only_the_checks_of_the_library(path):
    used = {name for name in imported(path) if name.split(".")[0] == "cs231n_lib"}
    assert all(name == "cs231n_lib.check" or name.startswith("cs231n_lib.check.") for name in used)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_is_never_imported_at_import_time(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top for alias in node.names}
    names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in names} & {"torch"}


def test_importing_the_library_loads_neither_torch_nor_matplotlib():
    # `visualize.canvas` is what the drawing functions import when they are called, for matplotlib's classes.
    paths = [p for p in LIBRARY if p.name not in ("__init__.py", "canvas.py")]
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in paths]
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
    code += "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'matplotlib', 'scipy', 'sklearn'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_command_line_starts_without_what_only_its_commands_need():
    code = "import sys, autograder.cli, cs231n_lib.cli\n"
    code += "print(sorted({m.split('.')[0] for m in sys.modules} & {'nbformat', 'jsonschema', 'numpy', 'torch'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {
        name.lower().replace("_", "-"): version
        for name, _, version in (line.partition("==") for line in lines)
        if version
    }


def dependencies(*extras: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + [d for e in extras for d in project["optional-dependencies"][e]]
    return [re.match(r"[A-Za-z0-9_-]+", text).group().lower() for text in asked]


def test_every_dependency_is_pinned_and_torch_is_the_agreed_version():
    assert set(dependencies("dev", "similarity", "cluster", "slurm")) <= set(pins())
    assert pins()["torch"] == "2.13.0"
    assert set(dependencies()) >= {"numpy", "torch", "jupyterlab", "ipywidgets", "anywidget", "matplotlib", "nbgrader"}


def test_conda_environment_has_the_same_pins():
    listed = dict(re.findall(r"- ([A-Za-z0-9_-]+)==(\S+)", (ROOT / "environment.yml").read_text()))
    assert set(listed) == set(dependencies())
    assert listed == {name: pins()[name] for name in listed}


def test_ci_runs_the_command_that_the_readme_shows():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_top_level_is_what_the_design_says():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    top = {name.split("/")[0] for name in tracked}
    folders = {"assignments", "cs231n_lib", "datasets", "autograder", "tests", "benchmarks", ".ci"}
    files = {"environment.yml", "README.md", "pyproject.toml", "constraints.txt", "Makefile", ".gitignore"}
    assert top <= folders | files
    assert folders | files <= top
