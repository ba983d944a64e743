"""Whatever is handed in becomes answers, flags, or a named fault; never an exception."""

import copy
import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.normalise import MAX_SOURCE, parse_answers
from autograder.source import Cell, to_notebook

SOLVED = "def f(x):\n    return x + 1"
TEMPLATE = to_notebook(
    [
        Cell("prose", "markdown", "# Title"),
        Cell("setup", "code", "import numpy as np", "t-setup"),
        Cell("code", "code", "print('a plot')"),
        Cell("solution", "code", "def f(x):\n    raise NotImplementedError()", "t-f"),
        Cell(
            "tests", "code", "check('t-f', f)\n### BEGIN HIDDEN TESTS\nsecret()\n### END HIDDEN TESTS\n1.0", "t-f", 1.0
        ),
        Cell("solution", "code", "best = ...", "t-v"),
        Cell("tests", "code", "check('t-v', best)", "t-v", 2.0),
        Cell("answer", "markdown", "*Your answer here.*", "t-q", 3.0),
    ]
)


def handed_in():
    nb = json.loads(nbformat.writes(TEMPLATE))
    for cell in nb["cells"]:
        if cell["id"] == "t-f":
            cell["source"] = SOLVED
        if cell["id"] == "t-f-tests":
            cell["source"] = "check('t-f', f)\n1.0"
    return nb


def read(nb):
    return parse_answers(json.dumps(nb).encode(), TEMPLATE)


def names(answers):
    return {name for name, _ in answers.flags}


def test_an_honest_notebook_gives_its_answers_and_no_flags():
    answers = read(handed_in())
    assert answers.cells == {"t-f": SOLVED, "t-v": "best = ...", "t-q": "*Your answer here.*"}
    assert answers.flags == ()
    assert answers.extras == ()
    assert answers.fault == ""


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "empty_file"),
        (b"  \n", "empty_file"),
        (b"not json", "invalid_json"),
        (b"\xff\xfe\x00", "invalid_json"),
        (b'{"nbformat": 4, <<<<<<< HEAD "cells": []}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[1, 2]", "unknown_format"),
        (b'{"nbformat": 5, "cells": []}', "unknown_format"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "unknown_format"),
        (b'{"cells": []}', "unknown_format"),
    ],
)
def test_an_unreadable_file_is_a_named_fault(raw, fault):
    answers = parse_answers(raw, TEMPLATE)
    assert answers.fault == fault
    assert answers.detail
    assert answers.cells == {}


def test_duplicated_test_cell_costs_nothing_and_is_flagged():
    nb = handed_in()
    nb["cells"].insert(5, copy.deepcopy(nb["cells"][4]))
    assert read(nb).cells["t-f"] == SOLVED
    assert names(read(nb)) == {"duplicate_cell"}


def test_of_two_answers_the_later_counts_unless_it_is_the_stub():
    nb = handed_in()
    later = {**copy.deepcopy(nb["cells"][3]), "source": "def f(x):\n    return 2"}
    stub = {**copy.deepcopy(nb["cells"][3]), "source": "def f(x):\n    raise NotImplementedError()"}
    nb["cells"] += [later, stub]
    assert read(nb).cells["t-f"] == "def f(x):\n    return 2"


def test_edited_and_missing_test_cells_are_flagged_not_used():
    nb = handed_in()
    nb["cells"][4]["source"] = "pass"
    nb["cells"][4]["metadata"]["nbgrader"].update(points=100, locked=False)
    assert names(read(nb)) == {"test_cell_edited", "metadata_edited"}
    del nb["cells"][4]
    assert "test_cell_missing" in names(read(nb))


def test_stripped_metadata_is_survived_by_cell_id_and_by_function_name():
    nb = handed_in()
    for cell in nb["cells"]:
        cell["metadata"] = {}
    assert read(nb).cells["t-f"] == SOLVED
    for cell in nb["cells"]:
        del cell["id"]
    assert read(nb).cells["t-f"] == SOLVED
    assert "metadata_missing" in names(read(nb))


def test_own_cells_are_kept_with_their_place_and_plain_cells_are_not():
    nb = handed_in()
    own = {"cell_type": "code", "metadata": {}, "source": "helper = 1", "outputs": [], "execution_count": None}
    nb["cells"].insert(4, own)
    assert read(nb).extras == ((3, "helper = 1"),)


def test_code_in_a_cell_of_text_is_looked_at_again_and_flagged():
    nb = handed_in()
    nb["cells"][3]["cell_type"] = "markdown"
    answers = read(nb)
    assert "t-f" not in answers.cells
    assert answers.extras == ((3, nb["cells"][3]["source"]),)
    assert "metadata_edited" in names(answers)


def test_a_written_answer_in_a_cell_of_code_is_still_read():
    nb = handed_in()
    cell = next(c for c in nb["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "t-q")
    cell |= {"cell_type": "code", "source": "Because.", "outputs": [], "execution_count": None}
    assert read(nb).cells["t-q"] == "Because."
    assert "metadata_edited" in names(read(nb))


def test_the_first_half_of_a_cell_that_was_split_is_kept():
    nb = handed_in()
    nb["cells"].insert(3, copy.deepcopy(nb["cells"][3]))
    nb["cells"][3]["source"] = "def helper(x):\n    return x\n"
    answers = read(nb)
    assert answers.cells["t-f"] == nb["cells"][4]["source"]
    assert (3, "def helper(x):\n    return x\n") in answers.extras


def test_an_answer_in_the_cell_of_its_tests_is_kept():
    nb = handed_in()
    tests = next(c for c in nb["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "t-f-tests")
    tests["source"] = "def f(x):\n    return 1\n" + tests["source"]
    assert tests["source"] in [source for _, source in read(nb).extras]


def test_surrogates_nulls_and_giants_do_no_harm():
    nb = handed_in()
    nb["cells"][3]["source"] = "x = '\ud800\x00'"
    read(nb).cells["t-f"].encode("utf-8")
    assert "\x00" not in read(nb).cells["t-f"]
    nb["cells"][3]["source"] = "#" * (MAX_SOURCE + 1)
    assert "answer_too_long" in names(read(nb))


def test_an_old_notebook_format_is_read():
    code = {"cell_type": "code", "input": SOLVED, "metadata": {"nbgrader": {"grade_id": "t-f"}}}
    assert read({"nbformat": 3, "worksheets": [{"cells": [code]}]}).cells["t-f"] == SOLVED


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_notebook_never_raises(data):
    nb = handed_in()
    for _ in range(data.draw(st.integers(1, 4))):
        cell = data.draw(st.sampled_from([c for c in nb["cells"] if isinstance(c, dict)] or [nb]))
        key = data.draw(st.sampled_from(["source", "metadata", "cell_type", "id", "outputs"]))
        cell[key] = data.draw(junk)
    if data.draw(st.booleans()):
        nb[data.draw(st.sampled_from(["cells", "nbformat", "metadata"]))] = data.draw(junk)
    answers = read(nb)
    assert answers.fault or isinstance(answers.cells, dict)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 3000), st.binary(max_size=8))
def test_damaged_bytes_never_raise(position, noise):
    raw = json.dumps(handed_in()).encode()
    parse_answers(raw[:position] + noise + raw[position + len(noise) :], TEMPLATE)


@pytest.mark.parametrize("terms", [1_500, 2_500, 20_000])
@pytest.mark.parametrize("opening", ["__import__(", "x = (", "def f(x): return ("])
def test_code_too_deep_to_be_read_is_a_mark_and_no_crash(terms, opening):
    source = opening + "+".join(["'a'"] * terms) + ")"
    notebook = copy.deepcopy(TEMPLATE)
    notebook.cells[3].source = source
    answers = parse_answers(nbformat.writes(notebook).encode(), TEMPLATE)
    assert answers.fault == ""
    assert answers.cells["t-f"] == source


def test_a_key_that_stands_twice_among_many_is_found_without_comparing_all_with_all():
    many = ",".join(f'"k{n}":0' for n in range(300_000))  # all with all would take hours
    answers = parse_answers(f'{{"cells": [], "nbformat": 4, "metadata": {{{many},"k299999":1}}}}'.encode(), TEMPLATE)
    assert "duplicate_keys" in {name for name, _ in answers.flags}


@pytest.mark.parametrize("cells", [5, None, {"a": 1}, "text", [3, None]])
def test_a_worksheet_without_a_list_of_cells_is_a_fault_and_no_crash(cells):
    raw = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}, {}]}).encode()
    assert parse_answers(raw, TEMPLATE).cells == {}


def test_a_fault_is_told_in_a_line_however_long_the_file():
    raw = json.dumps({"nbformat": 4, "cells": "A" * 5_000_000}).encode()
    assert len(parse_answers(raw, TEMPLATE).detail) < 200


def test_a_number_too_long_to_be_written_is_only_a_mark():
    notebook = copy.deepcopy(TEMPLATE)
    notebook.cells[3].source = "f(num_workers=0x" + "f" * 9000 + ")"
    assert "process_limit" in names(parse_answers(nbformat.writes(notebook).encode(), TEMPLATE))


def test_an_answer_under_a_magic_is_found_by_its_name():
    nb = handed_in()
    for cell in nb["cells"]:
        cell["metadata"], cell["id"] = {}, ""
    nb["cells"][3]["source"] = "\ufeff%%time\n!ls\n" + nb["cells"][3]["source"]
    assert read(nb).cells["t-f"] == nb["cells"][3]["source"].removeprefix("\ufeff")


def test_a_script_in_an_attached_picture_is_a_mark():
    nb = handed_in()
    drawn = {"a.png": {"image/svg+xml": "<svg onload='alert(1)'></svg>"}}
    nb["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "see", "attachments": drawn})
    assert "active_content" in names(read(nb))
    nb["cells"][-1]["attachments"] = [3]
    assert "active_content" not in names(read(nb))


@pytest.mark.parametrize(
    "code",
    [
        "from cs231n_lib.check.n04_affine import affine",
        "from cs231n_lib.check import n04_affine as mine",
        "import cs231n_lib.check.n04_affine",
        "import cs231n_lib.check as c\nc.n04_affine.affine",
        "open('/course/cs231n_lib/check/n04_affine.py')",
        "__import__('cs231n_lib.check.n04_affine')",
    ],
)
def test_an_answer_that_asks_the_courses_own_checks_is_a_mark(code):
    notebook = copy.deepcopy(TEMPLATE)
    notebook.cells[3].source = code
    assert "course_answer" in names(parse_answers(nbformat.writes(notebook).encode(), TEMPLATE))
    notebook.cells[3].source = "from cs231n_lib.check import check\nfrom cs231n_lib.check.harness import check"
    assert "course_answer" not in names(parse_answers(nbformat.writes(notebook).encode(), TEMPLATE))


def test_to_play_with_a_widget_in_a_cell_of_ones_own_is_no_mark():
    notebook = copy.deepcopy(TEMPLATE)
    played = "from cs231n_lib import widgets\nfrom cs231n_lib.kernels import conv_forward_fast\nwidgets.conv_explorer()"
    notebook.cells.append(nbformat.v4.new_code_cell(played))
    assert "course_answer" not in names(parse_answers(nbformat.writes(notebook).encode(), TEMPLATE))
    notebook.cells[3].source = played
    assert "course_answer" in names(parse_answers(nbformat.writes(notebook).encode(), TEMPLATE))
