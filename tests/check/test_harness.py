"""The harness itself: values cross by value, nothing is trusted, everything that goes wrong gets a name."""

import contextlib
import html
import math
import re
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cs231n_lib.check import Report, StudentError, Subject, check, ready, wire
from cs231n_lib.check.harness import Result
from cs231n_lib.check.panel import markup, plain
from cs231n_lib.check.report import CheckFailed
from cs231n_lib.check.spec import Exercise

ARRAYS = hnp.arrays(
    dtype=st.sampled_from(["bool", "u1", "i2", "i8", "f4", "f8", "c16", "U3"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def made_up(examine, *, points=4.0, visible_share=0.75) -> Exercise:
    return Exercise("made-up", points, "an exercise of this test", examine, visible_share)


def judge(exercise: Exercise, answer, monkeypatch) -> Result:
    monkeypatch.setattr("cs231n_lib.check.harness.find", lambda name: exercise)
    return check(exercise.id, answer)


@given(VALUES)
def test_a_plain_value_survives_the_wire(value):
    header, buffers = wire.pack(value)
    back = wire.unpack(header, buffers)
    assert type(back) is type(value)
    assert wire.pack(back) == (header, buffers)


@given(hnp.arrays("f8", (2, 3, 4)))
def test_memory_order_survives_and_memory_is_fresh(array):
    for sent in (array, np.asfortranarray(array), array[:, ::2]):
        back = wire.unpack(*wire.pack(sent))
        np.testing.assert_array_equal(back, sent)
        assert back.flags.f_contiguous == sent.flags.f_contiguous
        assert back.flags.writeable
        assert not np.may_share_memory(back, sent)


@given(st.recursive(SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3)))
def test_a_forged_message_is_refused_not_believed(header):
    with contextlib.suppress(wire.WireError):
        wire.unpack(header, [b"1234"])


def test_a_change_of_an_argument_is_seen_and_stays_on_the_copy():
    def writes(x, *, y):
        x[0] = -1
        y["key"].append(3)

    x, y = np.arange(3.0), {"key": [1, 2]}
    call = Subject.local(writes).call(x, y=y)
    assert call.mutated == (0, "y")
    assert x[0] == 0.0
    assert y == {"key": [1, 2]}
    assert Subject.local(lambda x: x + 1).call(x).mutated == ()


def test_a_function_among_the_arguments_is_called_back_with_values():
    seen = []

    def ours(array, *, name):
        seen.append((array, name))
        return array.sum()

    def theirs(function, x):
        return function(x, name="b") + 1

    assert Subject.local(theirs)(ours, np.ones(3)) == 4.0
    assert seen[0][1] == "b"


def test_an_error_of_our_callback_reaches_their_code_as_an_error():
    def ours(x):
        raise ValueError("not like this")

    with pytest.raises(StudentError, match="not like this"):
        Subject.local(lambda function: function(1))(ours)


def test_an_error_names_its_kind_its_bases_and_its_line():
    def raises(x):
        return x[7]

    with pytest.raises(StudentError) as caught:
        Subject.local(raises)([1])
    assert caught.value.kind == "IndexError"
    assert "LookupError" in caught.value.bases
    assert caught.value.line.strip() == "return x[7]"
    assert caught.value.function == "raises"


@pytest.mark.parametrize(
    ("raised", "status"), [(NotImplementedError, "todo"), (ZeroDivisionError, "error"), (SystemExit, "error")]
)
def test_what_their_code_raises_becomes_a_status(raised, status, monkeypatch):
    def stub():
        raise raised

    assert judge(made_up(lambda subject, rng, report: subject()), stub, monkeypatch).status == status


def test_a_keyboard_interrupt_passes_through(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(made_up(lambda subject, rng, report: subject()), interrupted, monkeypatch)


def test_something_that_is_not_plain_is_a_matter_of_form(monkeypatch):
    deep: list = []
    deep.append(deep)
    result = judge(made_up(lambda subject, rng, report: subject()), lambda: deep, monkeypatch)
    assert result.status in ("interface", "error")
    assert result.points == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_nan_counts_as_wrong(bad):
    with pytest.raises(CheckFailed) as caught:
        Report().close(np.array([1.0, bad]), [1.0, 2.0])
    assert caught.value.symptom == "not-finite"
    with pytest.raises(CheckFailed):
        Report().equal(np.array([bad]), [0.0], name="x")


def test_close_names_the_worst_entry():
    with pytest.raises(CheckFailed, match=re.escape("x[1, 0] should be 3, got 9 (2 of 4 entries are off)")):
        Report().close(np.array([[1.0, 2.5], [9.0, 4.0]]), [[1, 2], [3, 4]], name="x")


def test_a_panel_escapes_what_comes_from_the_student(monkeypatch):
    def hostile():
        print("</div><script>alert(1)</script>")
        raise ValueError("<img src=x onerror=alert(1)>")

    def examine(subject, rng, report):
        with report.stage("first <b>"):
            subject()

    text = markup(judge(made_up(examine), hostile, monkeypatch))
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text


def test_the_panel_says_the_same_in_html_and_in_plain_text(monkeypatch):
    def examine(subject, rng, report):
        with report.stage("shape"):
            pass
        with report.stage("values"):
            report.fail("it is 3 < 4", hint="look & see", symptom="less")

    result = judge(made_up(examine), 1, monkeypatch)
    words = html.unescape(re.sub(r"<[^>]+>", " ", markup(result))).split()
    assert words == plain(result).split()
    assert "look" in words


def outcome(visible: float, hidden: float | None, share: float, monkeypatch) -> float:
    """Return the points, of 4, for these shares of the visible check and of the hidden stage (None: it fails)."""

    def examine(subject, rng, report):
        report.credit = visible

    def stage(subject, rng, report):
        if hidden is None:
            report.fail("no")
        report.share(int(4 * hidden), 0, 4)

    return judge(made_up(examine, visible_share=share), 1, monkeypatch).also(stage, seed=1).points


@pytest.mark.parametrize(
    ("visible", "hidden", "share", "points"),
    [
        (1.0, 1.0, 0.75, 4.0),
        (1.0, None, 0.75, 3.0),
        (1.0, 0.5, 0.75, 3.5),
        (1.0, 0.5, 0.0, 2.0),
        (1.0, None, 0.0, 0.0),
        (1.0, None, 1.0, 4.0),
    ],
)
def test_hidden_tests_decide_on_the_rest_of_the_points(visible, hidden, share, points, monkeypatch):
    assert outcome(visible, hidden, share, monkeypatch) == points


def test_hidden_tests_do_not_run_on_a_wrong_answer_and_do_not_tell_their_case(monkeypatch):
    def wrong(subject, rng, report):
        report.fail("visible news")

    def stage(subject, rng, report):
        report.fail("the secret case")

    first = judge(made_up(wrong), 1, monkeypatch)
    assert first.also(stage, seed=1) is first
    second = judge(made_up(lambda subject, rng, report: None), 1, monkeypatch).also(stage, seed=1)
    assert "secret" not in plain(second)
    assert second.points == 3.0


@pytest.mark.parametrize(
    ("right", "wrong", "credit"), [(3, 0, 1.0), (2, 0, 2 / 3), (3, 1, 2 / 3), (1, 3, 0.0), (3, 3, 0.0)]
)
def test_a_wrong_choice_takes_back_a_right_one(right, wrong, credit):
    report = Report()
    report.share(right, wrong, 3)
    assert report.credit == pytest.approx(credit)


def test_ready_asks_for_a_passed_check(capsys):
    def to_chw(images):
        return images.transpose(0, 3, 1, 2)

    check("start-to_chw", lambda images: images)
    capsys.readouterr()
    assert not ready("start-to_chw")
    assert "start-to_chw" in capsys.readouterr().out
    check("start-to_chw", to_chw)
    assert ready("start-to_chw")
    with pytest.raises(KeyError, match="start-to_chw"):
        ready("start-to_cwh")


def test_partial_credit_comes_with_a_remark_and_is_not_multiplied_by_the_hidden_tests(monkeypatch):
    def examine(subject, rng, report):
        report.partly(0.9, "one of ten is missing", hint="look at the last", symptom="one-missing")

    result = judge(made_up(examine, points=10.0), 1, monkeypatch)
    assert (result.status, result.points, result.symptom) == ("passed", 9.0, "one-missing")
    assert "partly right" in plain(result)
    assert "one of ten is missing" in plain(result)
    assert result.also(seed=3).points == 9.0


def test_what_a_call_changed_before_it_raised_is_seen(monkeypatch):
    def leaves_a_mark(x):
        x[0] = 7
        raise ValueError("half-way")

    with pytest.raises(StudentError) as caught:
        Subject.local(leaves_a_mark)(np.zeros(2))
    assert caught.value.mutated == (0,)


def test_keys_made_to_collide_do_not_hold_up_the_judge():
    with pytest.raises(wire.TooLarge, match="keys"):
        wire.unpack({"set": [(2**61 - 1) * n for n in range(100_000)]}, [])
    many = {"list": [{"dict": [[n, 0] for n in range(100)]} for _ in range(100)]}
    with pytest.raises(wire.TooLarge, match="keys"):
        wire.unpack(many, [])


@pytest.mark.parametrize(
    "cache", [dict.fromkeys(range(10_000)), set(range(10_000)), 10**6000], ids=["dict", "set", "int"]
)
def test_what_is_too_large_to_cross_stays_where_it_was_made_as_a_handle(cache):
    out, kept = Subject.local(lambda: (1.0, cache))()
    assert out == 1.0
    assert isinstance(kept, Subject)


def test_what_hidden_tests_made_an_answer_print_is_not_shown(monkeypatch):
    def talks(x):
        print("secret", x)
        return 0

    def stage(subject, rng, report):
        subject(1)
        report.close(np.zeros(1), np.ones(1), name="out")

    first = judge(made_up(lambda subject, rng, report: subject(0)), talks, monkeypatch)
    assert "secret" not in plain(first.also(stage, seed=1))


def test_a_named_tuple_is_taken_apart_like_any_other():
    pair = namedtuple("pair", "out cache")
    assert Subject.local(lambda: pair(1.0, (2, 3)))() == (1.0, (2, 3))
