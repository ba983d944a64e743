"""Make what a student's file or box holds harmless, before nbgrader, formgrader or a feedback page sees it.

Formgrader shows submissions inside the instructor's own Jupyter session, with rights to run code: a script in an answer
would have them too. nbgrader does not clean markdown, so it is made harmless here, as text, once; and what a box
reports is a student's word in form as well, so every field is checked for its type before anything reads it.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

import nh3

MAX_TEXT = 20_000  # characters of what one cell printed
MAX_PICTURES = 8
MAX_PICTURE = 1_000_000  # base64 characters
PNG = b"\x89PNG\r\n\x1a\n"
# Terminal sequences (colours, cursor, window titles) and control characters other than tab and newline.
TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|\x9b[0-?]*[ -/]*[@-~]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|[\u202a-\u202e\u2066-\u2069]")
# TeX that MathJax turns into links, styles, macros without end, or other files.
TEX = r"href|url|class|style|cssId|data|html\w*|require|includegraphics|input|include|action|toggle|mmlToken|unicode"
TEX += r"|def|gdef|edef|xdef|let|(?:new|renew|provide)command|(?:new|renew)environment|DeclareMathOperator"
ACTIVE_TEX = re.compile(rf"\\(?=(?:{TEX})(?![A-Za-z]))", re.IGNORECASE)


@dataclass(frozen=True)
class Shown:
    """What one cell of a student's showed. pictures : base64 of PNGs; error : (type, message) or None"""

    text: str = ""
    pictures: list[str] = field(default_factory=list)
    error: tuple[str, str] | None = None


def shown(report: Any) -> Shown:
    """Return what a box says a cell showed. The box may say anything: what is not of the right form is left out."""
    if not isinstance(report, dict):
        return Shown()
    pictures = report.get("pictures")
    kept = [p for p in (pictures if isinstance(pictures, list) else []) if is_png(p)][:MAX_PICTURES]
    error = report.get("error")
    told = (
        (plain(error.get("type", "Error"))[:80], plain(error.get("message", ""))[:500])
        if isinstance(error, dict)
        else None
    )
    return Shown(plain(report.get("text", "")), ["".join(p.split()) for p in kept], told)


def plain(text: Any) -> str:
    """Return text without terminal sequences, control characters and marks that turn the direction of reading."""
    if not isinstance(text, str):
        return ""
    clean = text.encode("utf-8", "replace").decode("utf-8")[-MAX_TEXT:].replace("\r\n", "\n").replace("\r", "\n")
    return CONTROL.sub("", TERMINAL.sub("", clean))


def is_png(text: Any) -> bool:
    """True for the base64 of a PNG file, and for nothing else that an attribute or a browser could misread."""
    if not isinstance(text, str) or len(text) > MAX_PICTURE:
        return False
    try:
        return base64.b64decode("".join(text.split()), validate=True).startswith(PNG)
    except (binascii.Error, ValueError):
        return False


def markdown(text: str) -> str:
    """Return a student's markdown as markdown that renders without tags, links, remote images and active TeX.

    It reads the same: a tag shows as it was typed, a link as its text and address.
    """
    clean = CONTROL.sub("", TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    clean = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", clean)
    clean = re.sub(r"\](?=[(:\[])", "] ", clean)  # [words](address), [words][name] and [name]: address
    clean = re.sub(r"(?i)\b(https?|ftp):(?=//)", r"\1:\\", clean)  # bare addresses become links too
    clean = re.sub(r"(?im)^([ >]*[`~]{3,}\s*)\S*mermaid", r"\1text", clean)  # nbconvert would draw it with a script
    return ACTIVE_TEX.sub("", clean)


def trimmed(text: str) -> str:
    """Return code as pages show it: no white space at line ends, where Pygments takes the square of its length."""
    return "\n".join(line.rstrip() for line in text.splitlines())


def panel(html: str) -> str:
    """Return a check's panel with nothing but its blocks and their styles. The check escapes; this is a second wall."""
    return nh3.clean(
        CONTROL.sub("", TERMINAL.sub("", html)),
        tags={"div", "span", "br"},
        attributes={"div": {"style", "role", "class"}, "span": {"style", "class"}},
        filter_style_properties={
            *("font-weight", "font-size", "font-family", "color", "opacity", "background", "white-space"),
            *("margin", "margin-top", "padding", "border-left", "border-radius"),
        },
    )
