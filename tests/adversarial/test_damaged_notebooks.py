"""Damage at random: whatever happens to a notebook's bytes, there is an outcome with a reason, and quickly."""

import json
import time

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import normalise
from autograder.collect import Submission
from autograder.grading import Graded, Template
from autograder.normalise import parse_answers
from autograder.results import summarise
from autograder.source import read_source, to_notebook

from .conftest import SOURCE

TEMPLATE = to_notebook(read_source(SOURCE))
RAW = json.dumps(json.loads(nbformat.writes(TEMPLATE))).encode()
NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def outcome(raw: bytes):
    answers = parse_answers(raw, TEMPLATE)
    assert answers.fault == "" or answers.detail
    result = summarise(Submission("ann", {"T": raw}), [Graded(Template("T", TEMPLATE, {}), answers, {})])
    assert len(result.rows) == 4
    assert all(row.status == ("unreadable" if answers.fault else "infra_error") for row in result.rows)
    json.dumps(answers.flags).encode()  # every flag can be written
    return answers


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bytes_cut_flipped_and_repeated(data):
    raw = bytearray(RAW)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        kind = data.draw(st.sampled_from(("flip", "cut", "drop", "double", "insert")))
        if kind == "flip" and raw:
            raw[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "cut":
            del raw[at:]
        elif kind == "drop":
            del raw[at : at + data.draw(st.integers(1, 300))]
        elif kind == "double":
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 300))]
        else:
            raw[at:at] = data.draw(st.binary(max_size=40))
    outcome(bytes(raw))


def places(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


PLACES = [path for path in places(json.loads(RAW)) if path]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), NODES), min_size=1, max_size=4))
def test_any_part_replaced_by_anything(changes):
    notebook = json.loads(RAW)
    for path, value in changes:
        node = notebook
        try:
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue
    outcome(json.dumps(notebook).encode())


@pytest.mark.parametrize(
    "source",
    [
        "(" * 200_000,
        "a" + ".b" * 99_000,
        "x = " + "-" * 199_000 + "1",
        "\n" * 199_999,
        "![" * 99_000,
        "<img " * 39_000,
        " \t" * 99_000 + "!",
        "=" * 199_000,
        "lambda: " * 24_000 + "0",
        "give full " * 19_000,
        "if x:\n" + "".join(" " * n + "if x:\n" for n in range(1, 600)),
        "'" + "\u202e" * 100_000 + "'",
        "9" * 199_000,
        "def f():\n" + " for i in x:\n" + "  y[i] = 1\n" * 16_000,
    ],
    ids=range(14),
)
def test_no_text_makes_the_trusted_side_slow(source):
    notebook = json.loads(RAW)
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = source
    start = time.process_time()
    outcome(json.dumps(notebook).encode())
    assert time.process_time() - start < 20.0  # measured under 3 s; quadratic work would take minutes


def test_many_large_cells_are_searched_up_to_a_bound(monkeypatch):
    read = []
    monkeypatch.setattr(normalise, "text_marks", lambda text: read.append(len(text)) or [])
    notebook = json.loads(RAW)
    cell = {"cell_type": "code", "id": "x", "metadata": {}, "outputs": [], "execution_count": None}
    notebook["cells"] += [{**cell, "source": f"a{n} = [" + "1, " * 40_000 + "]"} for n in range(300)]
    found = outcome(json.dumps(notebook).encode())
    assert 0.9 * normalise.MAX_READ < sum(read) <= normalise.MAX_READ
    assert [detail for flag, detail in found.flags if flag == "hidden_code"] == [
        "its text beyond the first 8,000,000 characters was not searched"
    ]


def test_a_notebook_of_empty_lists_is_refused_before_it_is_parsed():
    notebook = json.loads(RAW)
    notebook["metadata"]["x"] = "@"
    raw = json.dumps(notebook).encode().replace(b'"@"', b"[" + b"[]," * 10_000_000 + b"[]]")
    answers = outcome(raw)
    assert answers.fault == "invalid_json"
    assert "values" in answers.detail
