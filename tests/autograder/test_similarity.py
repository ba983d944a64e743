"""Copied code is found through renaming and reordering; honest and given code is not; nothing of it can run."""

import re
from pathlib import Path

import numpy as np
import pytest

from autograder.collected import received
from autograder.course import Course
from autograder.demo import write_submissions
from autograder.similarity import Code, compare_class, ranked, write_similarity

pytest.importorskip("copydetect", reason="the extra `similarity` is not installed")

GIVEN = "def distances(X, Y):\n    dists = np.zeros((len(X), len(Y)))\n    for i in range(len(X)):\n        pass\n"
COPIED = """
    squares = (X * X).sum(axis=1)[:, None] - 2.0 * X.dot(Y.T) + (Y * Y).sum(axis=1)[None]
    clipped = np.maximum(squares, 0.0)
    for row in range(clipped.shape[0]):
        clipped[row] = np.sqrt(clipped[row]) if row % 2 == 0 else clipped[row] ** 0.5
    return clipped
"""


def honest(seed):
    """A program that nobody else wrote: operators and numbers drawn at random."""
    rng = np.random.default_rng(seed)
    lines = []
    for n in range(25):
        ops = rng.choice(["+", "-", "*", "//", "%", "**", "@", "<", ">>"], 5)
        lines.append(f"    v{n} = " + " ".join(f"f({int(rng.integers(99))}) {op}" for op in ops) + f" {seed}")
    return "\n".join(lines)


def code(student, text):
    return Code(student, f"# ---- q1\n{text}\n\n", [(0, "q1")])


def renamed(text):
    for old, new in (("squares", "sq"), ("clipped", "positive"), ("row", "k"), ("X", "test"), ("Y", "train")):
        text = re.sub(rf"\b{old}\b", new, text)
    return "    # all my own work\n" + text.replace("\n    for", "\n\n    for")


def class_of(n):
    return [code(f"s{k:02}", GIVEN + honest(k)) for k in range(n)]


def test_a_renamed_copy_is_first_and_honest_pairs_are_not_listed():
    codes = [
        *class_of(20),
        code("ann", GIVEN + honest(100) + COPIED),
        code("bob", GIVEN + honest(101) + renamed(COPIED)),
    ]
    (pair,) = ranked(codes, code("", GIVEN))
    assert pair.students == ("ann", "bob")
    assert min(pair.shares) > 0.1
    assert pair.exercises == ["q1"]
    for which, text in ((0, codes[-2].text), (1, codes[-1].text)):
        assert "".join(piece for piece, _ in pair.marked[which]) == text
        assert any(".sum(axis=1)" in piece for piece, common in pair.marked[which] if common)


def test_a_whole_copy_is_wholly_alike():
    codes = [*class_of(3), code("eve", GIVEN + honest(1).replace("v", "w"))]
    pair = ranked(codes, code("", GIVEN))[0]
    assert pair.students == ("eve", "s01")
    assert pair.shares == pytest.approx((1.0, 1.0), abs=0.05)


def test_what_the_release_gave_and_what_a_class_shares_is_no_evidence():
    assert ranked([code("a", GIVEN), code("b", GIVEN)], code("", GIVEN)) == []
    everybody = [code(f"s{k:02}", honest(k) + COPIED) for k in range(12)]
    assert ranked(everybody, code("", GIVEN)) == []
    assert len(ranked(everybody[:2], code("", GIVEN))) == 1


def test_empty_and_broken_code_is_no_pair():
    codes = [code("a", ""), code("b", ""), code("c", "def ("), code("d", "\x00'''")]
    assert ranked(codes, code("", "")) == []


def test_the_page_and_the_table_show_code_as_text(tmp_path):
    evil = f"    s = '</pre><script>x</script>'\n{COPIED}"
    pairs = ranked([code("=1+1", evil), code("<b>", evil)], code("", ""))
    files = write_similarity(Course(tmp_path), "a1", pairs, 2)
    page = Path(files["similarity.html"]).read_text()
    assert "<script" not in page
    assert "&lt;/pre&gt;&lt;script&gt;" in page
    assert "<td>&lt;b&gt;<br>=1+1</td>" in page
    assert "<mark>" in page
    assert '"\'=1+1"' in Path(files["similarity.csv"]).read_text()


@pytest.mark.slow
def test_it_reads_a_class_as_it_was_handed_in(tmp_path):
    from autograder.build import build_release
    from autograder.intake import notebook_ids

    build_release("a1", tmp_path / "release")
    write_submissions(tmp_path / "release", tmp_path / "in")
    course, ids = Course(tmp_path / "course"), notebook_ids("a1")
    pairs, students = compare_class("a1", received(course, "a1", tmp_path / "in", ids))
    assert students == 4
    # The demo's crashing student is the reference with one function replaced.
    assert set(pairs[0].students) == {"crashing", "reference"}
    assert min(pairs[0].shares) > 0.8
    assert "knn-no_loops" in pairs[0].exercises
    assert not [name for name in pairs[0].exercises if name.startswith(("softmax", "net", "feat"))]  # not handed in
