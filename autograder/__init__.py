"""The instructor's side: build, release, grade and report."""

import sys

# jsonschema, which nbformat imports, compiles a grammar for IRIs where this package is installed: 1.5 s at the start of
# every command and of every warm process. No schema of a notebook has one.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
