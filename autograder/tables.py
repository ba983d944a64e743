"""CSV that spreadsheets read as data: every cell quoted, and none that a spreadsheet would run as a formula."""

import csv
import io
from collections.abc import Iterable

# A spreadsheet runs a cell that starts so, white space before it or not; the wide forms count in some locales.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(lines: Iterable[Iterable[object]]) -> str:
    """Return CSV of `lines`. None is an empty cell; numbers are written short; text that could run gets a quote."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([[harmless(value) for value in line] for line in lines])
    return text.getvalue()


def harmless(value: object) -> str:
    """Return a cell's text. A lone dash, which Moodle writes for "never", runs nothing and stays."""
    if value is None:
        return ""
    if isinstance(value, float | int):
        return f"{value:.10g}"
    written = str(value).replace("\0", "")
    starts = written.startswith(FORMULA) or written.lstrip().startswith(FORMULA)
    return "'" + written if starts and written != "-" else written
