"""Feedback pages for students: what was asked, what came out, the hint, their own code. Self-contained HTML.

Hidden tests never appear: a page is made from the student's answers and the judge's words, not from the test cells.
Everything a student wrote is escaped, or, where it is markdown, cleaned by an allow-list.
"""

import html
import re
from functools import cache
from typing import Any

import nh3

from .course import Course
from .defang import shown, trimmed
from .grading import Graded, role_of
from .results import STATUSES, Row, StudentResult
from .scheduler import write_atomically
from .source import TESTS_SUFFIX

TAGS = {"p", "em", "strong", "code", "pre", "ul", "ol", "li", "h1", "h2", "h3", "h4", "blockquote", "br", "hr", "table"}
TAGS |= {"thead", "tbody", "tr", "th", "td", "sub", "sup", "del"}


@cache
def page(name: str) -> Any:
    """Return a template of autograder/templates, with escaping on."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("autograder"), autoescape=True, undefined=StrictUndefined)
    environment.filters["points"] = lambda value: "–" if value is None else f"{value:g}"
    return environment.get_template(name)


def write_feedback(course: Course, assignment: str, result: StudentResult, graded: list[Graded]) -> None:
    """Write one page per notebook into the student's feedback folder."""
    for part in graded:
        rows = {row.question: row for row in result.rows if row.notebook == part.template.name}
        text = page("feedback.html").render(
            student=result.student,
            assignment=assignment,
            notebook=part.template.name,
            fault=part.answers.detail if part.answers.fault else part.record.get("fault", ""),
            questions=[_question(row, part) for row in rows.values()],
            statuses=STATUSES,
            score=sum(row.score or 0.0 for row in rows.values()),
            max_score=sum(row.max_score for row in rows.values()),
            waiting=sum(row.score is None for row in rows.values()),
        )
        write_atomically(course.feedback(result.student, assignment) / f"{part.template.name}.html", text)


def _question(row: Row, part: Graded) -> dict[str, Any]:
    answer = part.answers.cells.get(row.question, "")
    written = any(role_of(c) == "answer" and c.metadata.nbgrader.grade_id == row.question for c in _cells(part))
    report = shown(part.record.get("shown", {}).get(row.question))
    return {
        "row": row,
        "tried": tried(part, row.question),
        "code": "" if written else highlight(answer),
        "text": clean_markdown(answer) if written else "",
        "printed": report.text,
        "error": report.error,
        "pictures": report.pictures,
    }


def tried(part: Graded, question: str) -> list[tuple[bool, str]]:
    """Return [(held, stage)] in the order a check tried them: what the panel of the judge's last check says."""
    verdict = next((v for v in part.record.get("verdicts", []) if v["grade_id"] == question + TESTS_SUFFIX), None)
    outputs = verdict["outputs"] if verdict else []
    for line in str(outputs[-1]["data"].get("text/plain", "")).splitlines()[2:4] if outputs else []:
        stages = re.findall(r"([✓✗]) (.+?)(?=  [✓✗] |$)", line.strip())
        if stages:
            # What the hidden stages are called would tell what they try.
            named = [(mark == "✓", "hidden tests" if name.startswith("hidden") else name) for mark, name in stages]
            return list(dict.fromkeys(named))
    return []


def _cells(part: Graded) -> list[Any]:
    return part.template.notebook.cells


def highlight(source: str) -> str:
    """Return Python code as HTML with classes for colours; the code itself is escaped by Pygments."""
    from pygments import highlight as pygmentize
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return pygmentize(trimmed(source), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))


def clean_markdown(text: str) -> str:
    """Return a student's markdown as HTML that can hold no script, style, frame, form, image or link."""
    from nbconvert.filters import markdown2html

    try:
        rendered = markdown2html(text[:50_000])
    except (ValueError, RecursionError):
        rendered = f"<pre>{html.escape(text)}</pre>"
    return nh3.clean(rendered, tags=TAGS, attributes={})
