"""Look over the machine: what is installed, what is missing, and how to mend it."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

NEEDED = ("numpy", "matplotlib", "torch", "jupyterlab", "ipywidgets", "anywidget", "nbgrader")
OLDEST, NEWEST = (3, 11), (3, 13)  # Python versions the course is declared for
DISK = 1_000_000_000  # bytes: CIFAR-10 needs half of it while it is unpacked


def doctor(*, show: bool = True) -> dict[str, Any]:
    """Examine this machine and return what was found.

    show : also print one line per finding
    Returns {"ok": bool, "python": "3.12.1", "packages": {name: version or None}, "problems": [str]}; each problem says
    how to mend it. Something optional that is missing is a note, not a problem.
    """
    packages = {name: _version(name) for name in NEEDED}
    problems = [
        f"{name} is missing; run: pip install -c constraints.txt -e ." for name, v in packages.items() if v is None
    ]
    python = sys.version_info[:2]
    if not OLDEST <= python <= NEWEST:
        problems.append(
            f"Python must be 3.{OLDEST[1]} to 3.{NEWEST[1]}, got {platform.python_version()}; make a new environment"
        )
    report = {"ok": not problems, "python": platform.python_version(), "packages": packages, "problems": problems}
    if show:
        print("\n".join(_lines(report)))
    return report


def notes() -> list[str]:
    """Return what is optional and how it stands: data sets, a GPU, the grader's sandbox."""
    from .data import data_status

    present = [str(row["name"]) for row in data_status() if row["present"]]
    found = [f"data sets here: {', '.join(present) or 'none yet; shapes10 is drawn at first use'}"]
    cores = os.cpu_count() or 1
    found.append(f"{cores} CPU core{'s' if cores > 1 else ''}, {platform.system()} {platform.machine()}")
    free = shutil.disk_usage(Path.cwd()).free
    if free < DISK:
        found.append(f"{free / 1e9:.1f} GB of disk are free: make room before you fetch CIFAR-10")
    if shutil.which("bwrap") is None:
        found.append("bubblewrap is not installed: only instructors need it, to grade what others hand in")
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"✓ Python {report['python']}"]
    lines += [f"✓ {name} {version}" for name, version in report["packages"].items() if version]
    lines += [f"✗ {problem}" for problem in report["problems"]]
    return [*lines, "Everything is ready." if report["ok"] else "Mend what is marked ✗ and run this again."]
