"""Notebooks that try to run script in formgrader or in feedback: nothing of theirs runs, and the rest still reads well.

The same payloads are first shown undefused, where they do run: otherwise silence would prove nothing.
"""

import html.parser
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from autograder.collect import Submission
from autograder.course import Course, nbgrader_config
from autograder.defang import is_png, markdown, panel, plain, shown
from autograder.feedback import write_feedback
from autograder.gradebook import GradeBook
from autograder.grading import Graded, prepare, role_of
from autograder.normalise import Answers
from autograder.results import summarise

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OWN = "document.documentElement.setAttribute('data-owned', '1')"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PAYLOADS = [
    f"<script>{OWN}</script>",
    f"<SCRIPT\n>{OWN}</SCRIPT>",
    f'<img src=x onerror="{OWN}">',
    f'<svg onload="{OWN}"></svg>',
    f'<svg><animate onbegin="{OWN}" attributeName=x dur=1s>',
    f'<details open ontoggle="{OWN}">',
    f'<iframe srcdoc="<script>parent.{OWN}</script>"></iframe>',
    f'<math><mtext></p><img src=x onerror="{OWN}">',
    f'<!-- --><img src=x onerror="{OWN}">',
    f"text\x00<scr\x00ipt>{OWN}</script>",
    f'`<img src=x onerror="{OWN}">`<img src=x onerror="{OWN}">',
    f'| a |\n|---|\n| <img src=x onerror="{OWN}"> |',
    f'$</span><img src=x onerror="{OWN}">$',
    f"$$\\text{{</script><script>{OWN}</script>}}$$",
]
LINKS = [
    "[x](javascript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "![x](http://tracker.example/x.png)",
    "![x][r]\n\n[r]: http://tracker.example/x.png",
    "<javascript:alert(1)>",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\class{x}{y} \style{z}{w} \require{html} \def\x{\x\x}\x$",
    "```mermaid\ngraph TD\n```",
]


class Elements(html.parser.HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, attributes))


@pytest.mark.parametrize("text", PAYLOADS + LINKS)
def test_rendered_markdown_has_no_tag_link_or_image_of_the_students(text):
    from nbconvert.filters import markdown2html

    page = str(markdown2html(markdown(text)))
    seen = Elements()
    seen.feed(page)
    plain_tags = {"p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "div", "span"}
    assert {tag for tag, _ in seen.found} <= plain_tags, page
    assert {name for _, attributes in seen.found for name, _ in attributes} <= {"class"}, page
    assert not re.search(r"\\(?:href|class|style|require|def)\b", page)
    assert "jp-RenderedMermaid" not in page


def test_honest_markdown_keeps_its_form():
    text = (
        "## Why\n\n- **because** $a < b$ and `x[0](y)`\n- $$\\frac{\\partial L}{\\partial W} \\in \\mathbb{R}^{D}$$\n"
    )
    assert markdown(text) == text.replace("[0](", "[0] (")


def test_what_a_box_says_is_checked_for_its_form():
    assert shown("no dict").text == ""
    evil = {"text": ["x"], "pictures": [3, 'x" onerror="x', "AAAA", PNG, None], "error": "no dict"}
    assert shown(evil) == shown({"pictures": [PNG]})
    assert shown({"error": {"type": 3, "message": "\x1b[31mred\x1b[0m"}}).error == ("", "red")
    assert shown({"pictures": 7}).pictures == []
    assert len(shown({"pictures": [PNG] * 50}).pictures) == 8


def test_terminal_sequences_and_marks_of_direction_are_gone():
    evil = "\x1b]0;title\x07a\x1b[2Jb\x1b[1;31mc\x9b31md\u202ee\x08f\r\ng\th"
    assert plain(evil) == "abcdef\ng\th"
    assert plain(b"bytes") == plain(None) == ""


def test_pictures_are_pngs():
    assert is_png(PNG)
    assert not is_png("R0lGODlhAQABAAAAACwAAAAAAQABAAA=")
    assert not is_png('iVBORw0KGgo="><script>')
    assert not is_png("PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+")


def test_a_panel_keeps_its_look_and_nothing_else():
    clean = panel('<div style="color:red;position:fixed" onclick="x"><script>1</script><a href="x">t</a></div>')
    assert clean == '<div style="color:red">t</div>'


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded course with one student, all of whose fields are hostile; no sandbox is needed to make it."""
    course = Course(tmp_path_factory.mktemp("hostile"))
    (template,) = prepare(course, "a1", ("N01_knn",))
    everything = "\n\n".join(["# Answer", *PAYLOADS, *LINKS])
    cells, verdicts, reports = {}, [], {}
    for cell in template.notebook.cells:
        role, name = role_of(cell), cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if role == "answer":
            cells[name] = everything
        elif role == "solution":
            cells[name] = f'"""\n{everything}\n"""\n# </script><script>{OWN}</script>'
            pictures = [PNG, f'x" onerror="{OWN}', f'{PNG}" onload="{OWN}']
            error = {"type": PAYLOADS[0], "message": "\x1b[31m" + PAYLOADS[2]}
            reports[name] = {"text": "\x1b]8;;javascript:x\x07" + everything, "pictures": pictures, "error": error}
        elif role == "tests":
            data = {"text/html": everything, "text/plain": everything}
            verdict = {
                "grade_id": name,
                "points": 0.0,
                "student": None,
                "max_points": float(cell.metadata.nbgrader.points),
            }
            words = dict(zip(("message", "hint", "symptom", "stage"), PAYLOADS, strict=False))
            verdicts.append({**verdict, **words, "status": "wrong", "seconds": 1.0, "outputs": [{"data": data}]})
    record = {"verdicts": verdicts, "shown": reports, "flags": [(PAYLOADS[0], PAYLOADS[2])]}
    graded = [Graded(template, Answers(cells=cells, flags=((PAYLOADS[0], PAYLOADS[2]),)), record)]
    submission = Submission("eve")
    GradeBook(course, "a1").store(submission, graded)
    write_feedback(course, "a1", summarise(submission, graded), graded)
    return course


def dom(address, folder):
    """The page's markup after its scripts ran, from a headless browser without a network."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"]
    command += [f"--user-data-dir={folder}", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
    command += ["--virtual-time-budget=8000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def owned(page):
    return re.search(r"<html[^>]*data-owned", page) is not None


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@needs_browser
@pytest.mark.slow
def test_the_payloads_do_run_where_nobody_defuses_them(tmp_path):
    from nbconvert.filters import markdown2html

    ran = []
    for n, text in enumerate(PAYLOADS[:6]):
        page = tmp_path / f"{n}.html"
        page.write_text(f"<!doctype html><html><body>{markdown2html(text)}</body></html>")
        ran.append(owned(dom(page.as_uri(), tmp_path / "profile")))
    assert sum(ran) >= 4


@needs_browser
@pytest.mark.slow
def test_no_script_of_the_students_runs_in_feedback(course, tmp_path):
    page = course.feedback("eve", "a1") / "N01_knn.html"
    assert not owned(dom(page.as_uri(), tmp_path / "profile"))
    text = page.read_text()
    # With the policy of the page taken away, the markup alone must still be harmless.
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<meta http-equiv=[^>]*>", "", text))
    assert "Content-Security-Policy" in text
    assert not owned(dom(bare.as_uri(), tmp_path / "profile"))


@pytest.fixture(scope="module")
def formgrader(course, tmp_path_factory):
    """The formgrader of the graded course, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    log = (home / "log").open("wb")
    environment = {**os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password="]
    command += ['--ServerApp.jpserver_extensions={"nbgrader.server_extensions.formgrader": True}']
    server = subprocess.Popen(command, cwd=course.root, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/formgrader"
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/api/assignments", timeout=30).read()
                break
            except (urllib.error.URLError, ConnectionError) as error:
                if server.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"formgrader did not start: {error}; {(home / 'log').read_text()[-2000:]}")
                time.sleep(0.3)
        yield address
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def submission_id(course):
    nbgrader_config(course)
    from nbgrader.api import Gradebook

    with Gradebook(course.database) as book:
        return book.find_submission_notebook("N01_knn", "a1", "eve").id


@pytest.mark.slow
def test_formgrader_shows_the_graded_course(course, formgrader):
    listed = json.loads(urllib.request.urlopen(f"{formgrader}/api/submissions/a1", timeout=60).read())
    assert [(s["student"], s["autograded"]) for s in listed] == [("eve", True)]
    page = urllib.request.urlopen(f"{formgrader}/submissions/{submission_id(course)}/", timeout=60).read().decode()
    assert "knn-q1" in page
    assert '<input class="score tabbable" id="knn-q1"' in page


@needs_browser
@pytest.mark.slow
def test_no_script_of_the_students_runs_in_formgrader(course, formgrader, tmp_path):
    for where in (f"submissions/{submission_id(course)}/", "gradebook/a1/N01_knn", "manage_submissions/a1"):
        page = dom(f"{formgrader}/{where}", tmp_path / "profile")
        assert len(page) > 1000
        assert not owned(page), where
    page = dom(f"{formgrader}/submissions/{submission_id(course)}/", tmp_path / "profile")
    assert not re.search(r"href=\"[^\"]*javascript:", page)
    assert "tracker.example" not in re.findall(r"src=\"([^\"]*)\"", page)
    assert f'src="data:image/png;base64,{PNG}"' in page
