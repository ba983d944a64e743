"""The percent format: what it accepts, what it refuses, and that builds are the same bytes."""

import nbformat
import pytest

from autograder.source import SourceError, read_source, region, to_notebook

GOOD = '''# %% [markdown]
# # Title

# %% setup="t-setup"
import numpy as np

# %% solution="t-f"
def f(x):
    """Doc."""
    ### BEGIN SOLUTION
    return x + 1
    ### END SOLUTION

# %% tests="t-f" points=2.5
result = check("t-f", f)
### BEGIN HIDDEN TESTS
result = result.also(seed=7)
### END HIDDEN TESTS
result.points

# %% [markdown] answer="t-q" points=3
# ### BEGIN SOLUTION
# because
# ### END SOLUTION
'''


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "N99_x.py"
        path.write_text(text)
        return path

    return make


def test_roles_ids_and_points_become_nbgrader_metadata(write):
    nb = to_notebook(read_source(write(GOOD)))
    nbformat.validate(nb)
    metas = {c.id: c.metadata.get("nbgrader", {}) for c in nb.cells}
    assert metas["t-setup"]["locked"]
    assert not metas["t-setup"]["grade"]
    assert metas["t-f"]["solution"]
    assert metas["t-f-tests"]["points"] == 2.5
    assert metas["t-f-tests"]["grade"]
    assert metas["t-f-tests"]["locked"]
    assert metas["t-q"]["grade"]
    assert metas["t-q"]["solution"]
    assert metas["t-q"]["points"] == 3


def test_same_source_gives_the_same_bytes(write):
    path = write(GOOD)
    assert nbformat.writes(to_notebook(read_source(path))) == nbformat.writes(to_notebook(read_source(path)))


def test_a_new_cell_in_front_renames_no_other(write):
    before = [c.id for c in to_notebook(read_source(write(GOOD))).cells]
    after = [c.id for c in to_notebook(read_source(write("# %% [markdown]\n# New first\n\n" + GOOD))).cells]
    assert after[1:] == before


def test_region_returns_only_the_lines_inside(write):
    cells = read_source(write(GOOD))
    solution = next(c for c in cells if c.role == "solution")
    assert [line.strip() for line in region(solution.text, "SOLUTION")] == ["return x + 1"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('tests="t-f" points=2.5', 'tests="t-f"', "points must stand on tests"),
        ('setup="t-setup"', 'setup="t setup!"', "letters, digits"),
        ('setup="t-setup"', 'setup="t-f"', "used once"),
        ('tests="t-f"', 'tests="t-g"', "must follow a cell"),
        ('[markdown] answer="t-q"', 'answer="t-q"', "must be a markdown cell"),
        ('setup="t-setup"', 'setup="t-setup" points=2', "points must stand on"),
    ],
)
def test_a_broken_rule_is_named(write, old, new, words):
    with pytest.raises(SourceError, match=words):
        read_source(write(GOOD.replace(old, new)))
