"""Numbers about exercises, against SciPy and by hand, and the report that shows them."""

import base64
import re

import numpy as np
import pytest
from scipy import stats

from autograder.item_analysis import analyse, point_biserial, remarks
from autograder.plots import difficulty, first_failures, histogram
from autograder.report import render
from autograder.results import Row, StudentResult


def student(n, *points, stage="values", symptom="n-times"):
    rows = [
        Row("N01", f"q{k}", "t", p, 2.0, "ok" if p == 2 else "wrong", "", "", "" if p == 2 else stage, symptom, 0.5)
        for k, p in enumerate(points)
    ]
    return StudentResult(f"s{n:02}", rows)


def test_point_biserial_is_scipys():
    rng = np.random.default_rng(0)
    for n in (5, 20, 200):
        passed, scores = rng.random(n) < 0.4, rng.normal(size=n)
        passed[:2] = True, False
        want = stats.pointbiserialr(passed, scores).statistic
        assert point_biserial(list(passed), list(scores)) == pytest.approx(want, abs=1e-12)


def test_it_is_not_defined_where_nobody_differs():
    assert point_biserial([True, True], [1.0, 2.0]) is None
    assert point_biserial([True, False], [1.0, 1.0]) is None
    assert point_biserial([], []) is None


def test_an_exercise_is_compared_with_the_rest_and_not_with_itself():
    # q0 alone decides on the total; on the rest, those who solved it did worse.
    results = [student(n, 2.0, 0.0, 2.0) for n in range(6)] + [student(n, 0.0, 2.0, 2.0) for n in range(6, 12)]
    items = {item.question: item for item in analyse(results)}
    assert items["q0"].discrimination == pytest.approx(-1.0)
    assert items["q2"].discrimination is None
    assert (items["q0"].mean, items["q0"].solved, items["q2"].solved) == (1.0, 0.5, 1.0)
    assert items["q0"].failures == [("values: n-times", 6)]


def test_remarks_name_what_a_person_should_look_at_and_small_classes_say_nothing():
    results = [student(n, 2.0, 0.0, 0.0) for n in range(6)] + [student(n, 0.0, 2.0, 0.0) for n in range(6, 12)]
    said = dict(remarks(analyse(results), len(results)))
    assert set(said) == {"q0", "q1", "q2"}
    questions = [q for q, words in remarks(analyse(results), len(results)) if "nobody solved" in words]
    assert questions == ["q2"]
    assert remarks(analyse(results[:4]), 4) == []


def test_waiting_answers_are_no_zeros():
    rows = [Row("N01", "q", "t", None, 2.0, "needs_person")]
    (item,) = analyse([StudentResult("a", rows), StudentResult("b", [Row("N01", "q", "t", 2.0, 2.0, "ok")])])
    assert item.mean == 2.0
    assert item.solved == 1.0


def picture(address):
    head, _, body = address.partition(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(body).decode()


def test_pictures_are_svg_without_script_and_the_same_each_time():
    results = [student(n, float(2 * (n % 2)), float(2 * (n % 3 == 0)), 2.0, stage="<script>$x^2$") for n in range(12)]
    items = analyse(results)
    totals = [result.total for result in results]
    for address in (histogram(totals, 6.0), difficulty(items), first_failures(items[0])):
        svg = picture(address)
        assert "<svg" in svg
        assert "<script" not in svg
    assert "&lt;script&gt;$x^2$: n-times" in picture(first_failures(items[0]))
    assert histogram(totals, 6.0) == histogram(totals, 6.0)
    assert first_failures(items[2]) == ""


def test_the_report_holds_its_pictures_and_asks_for_nothing_from_outside():
    results = [student(n, float(2 * (n % 2)), 0.0, float(2 * (n > 5))) for n in range(12)]
    page = render("a1", results, level="bubblewrap")
    assert page.count("data:image/svg+xml;base64,") >= 2
    assert "nobody solved it" in page
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script" not in page
