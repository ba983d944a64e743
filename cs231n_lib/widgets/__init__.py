"""Pictures to move: each is one call, takes the student's own function if there is one, and shows where it differs.

Every module beside this file is imported, and those that hold a widget register it; `base` says how to write one.
Nothing imports ipywidgets until a live widget is shown, and nothing is shown live while a notebook is graded.
"""

import importlib
import pkgutil
from typing import Any

from .base import REGISTRY

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = sorted(REGISTRY)


def __getattr__(name: str) -> Any:
    if name in REGISTRY:
        return REGISTRY[name].factory
    raise AttributeError(f"widgets: name must be one of {', '.join(sorted(REGISTRY))}, got {name!r}")


def __dir__() -> list[str]:
    return sorted(REGISTRY)
