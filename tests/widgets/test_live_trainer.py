"""The live trainer against itself: the same schedule gives the same losses, to the bit, through pauses and files."""

import ast
import json
import random
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.base.view import View
from cs231n_lib.widgets.trainer import MODEL
from cs231n_lib.widgets.trainer_board import session_of
from cs231n_lib.widgets.trainer_plan import KNOBS, RULES, Run, in_force
from cs231n_lib.widgets.trainer_session import read_saved

from .trainer_runs import QUICK, losses, opened, train, turned


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    for name in ("NBGRADER_EXECUTION", "CS231N_STATIC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_pausing_speed_and_threads_change_nothing():
    slow = turned(opened(speed=1))
    fast = opened(speed=64)
    fast.state = replace(slow.state, speed=64)  # the schedule, on a session that has trained nothing
    fast.data.clear()
    train(fast, 36)
    assert losses(fast)[:36] == losses(slow)
    assert len(losses(slow)) == 36
    view = View(MODEL, QUICK, {})
    enough = threading.Event()
    view._picture.observe(lambda _: enough.set() if view.state.steps >= 7 else None, "value")
    view.run()
    assert enough.wait(60)
    view.pause()
    done = losses(view)
    view.close()
    assert done[:8] == losses(slow)[: len(done)][:8]


def test_a_run_opened_from_its_line_of_code_trains_again_to_the_bit():
    first = turned(opened())
    state = ast.literal_eval(first.code().partition("state=")[2].rstrip(")"))
    assert [t[1] for t in state["turns"] if t[0]] == ["learning_rate", "rule", "batch", "augment"]
    again = widgets.live_trainer(state=json.dumps(state))
    assert "Catching up" in again.status
    train(again, 36)
    assert losses(again) == losses(first)
    assert again.picture == first.picture
    again.close()


def test_another_seed_is_another_run_and_a_turned_back_knob_leaves_no_trace():
    plain, other, back = opened(), opened(seed=1), opened()
    train(plain, 6), train(other, 6), train(back, 3)
    shown = back.picture
    back.set("learning_rate", 0.3)
    assert "next step: learning rate 0.03 → 0.3" in back.picture
    back.set("learning_rate", 0.03)
    assert back.picture == shown
    train(back, 6)
    assert losses(back) == losses(plain) != losses(other)
    assert back.state.turns == plain.state.turns


def test_turns_are_marked_on_the_curve_and_listed():
    widget = turned(opened())
    for words in ("step 14: rule momentum → Adam", "step 20: batch 4 → 8", "step 26: augment on → off"):
        assert words in widget.picture
    assert widget.picture.count('stroke-dasharray="5 3"') == 4
    assert in_force(widget.state.turns, 13)["rule"] == "momentum"
    assert in_force(widget.state.turns, 14)["rule"] == "Adam"


def test_rewinding_gives_back_the_run_and_its_knobs_and_keeps_the_future_in_sight():
    widget = turned(opened(), until=18)
    before_ = losses(widget)
    widget.press("snapshot")
    widget.set("learning_rate", 0.1)
    train(widget, 30)
    left = session_of(widget.state, widget.data).smooth
    widget.press("rewind")
    assert (widget.state.steps, widget.state.learning_rate, widget.state.rule) == (18, 0.01, "Adam")
    assert losses(widget) == before_
    assert session_of(widget.state, widget.data).ghost == left
    assert "dotted: the future you left" in widget.picture
    train(widget, 30)
    assert losses(widget) == losses(train(turned(opened(), until=18), 30))  # as if nothing had been
    assert session_of(widget.state, widget.data).smooth != left


def test_a_click_on_the_curve_rewinds_to_any_step_and_reset_forgets():
    widget = opened()
    fresh = widget.picture
    train(widget, 40)
    whole = losses(widget)
    widget.point(Event("down", x=50 + 410 * 20 / 50, y=180))  # the axis ends at step 50
    assert widget.state.steps == 20
    train(widget, 40)
    assert losses(widget) == whole
    widget.reset()
    assert widget.picture == fresh


@pytest.mark.parametrize("rule", RULES)
def test_save_and_load_go_on_to_the_bit_with_the_rules_memory(rule):
    widget = train(opened(rule=rule, learning_rate=0.003), 12)
    widget.press("snapshot")
    train(widget, 15)
    widget.press("save")
    assert "Saved step 15 as live_trainer.npz." in widget.picture
    train(widget, 24)
    other = opened(seed=5)
    other.press("load")
    assert not other.problem
    assert (other.state.steps, other.state.rule, other.state.marks) == (15, rule, (12,))
    assert session_of(other.state, other.data).kind == rule
    train(other, 24)
    assert losses(other) == losses(widget)
    with np.load("live_trainer.npz", allow_pickle=False) as file:
        assert all(file[name].dtype.kind in "biufU" for name in file.files)
    assert [p.name for p in Path().iterdir()] == ["live_trainer.npz"]


def test_a_file_that_is_none_of_ours_is_neither_opened_nor_replaced():
    widget = train(opened(), 2)
    state = widget.state
    for content in (b"my thesis", b""):
        Path("live_trainer.npz").write_bytes(content)
        widget.press("save")
        assert "is another file; choose another name" in widget.picture
        widget.press("load")
        assert "Not loaded: live_trainer.npz" in widget.picture
        assert Path("live_trainer.npz").read_bytes() == content
    assert replace(widget.state, note="") == state
    for name in ("../x.npz", "/tmp/x.npz", "run.ipynb", ".npz", ""):
        widget.set("file", name)
        widget.press("save")
        assert "save as must be a plain name such as my_run.npz" in widget.status
    widget.set("file", "none.npz")
    widget.press("load")
    assert "No file none.npz here: press Save first." in widget.status


@pytest.mark.parametrize("part", ["curves", "now/params/w2", "now/about", "state"])
def test_a_damaged_run_is_refused_and_the_session_stays(part):
    widget = train(opened(), 3)
    widget.press("save")
    arrays = read_saved(Path("live_trainer.npz"))
    arrays[part] = np.array("{}") if arrays[part].dtype.kind == "U" else arrays[part][:, :1]
    if part == "state":
        arrays[part] = np.array('{"steps": -4}')
    np.savez("live_trainer.npz", format=np.array("cs231n-solver-1"), **arrays)
    known = losses(widget)
    widget.press("load")
    assert "Not loaded" in widget.status
    assert losses(widget) == known
    train(widget, 5)
    assert losses(widget)[:3] == known


def test_knobs_are_turned_while_it_trains_on_its_thread():
    view = View(MODEL, QUICK, {})
    moved, turned_ = threading.Event(), threading.Event()
    view._picture.observe(lambda _: moved.set() if view.state.steps >= 2 else None, "value")
    view._picture.observe(
        lambda _: turned_.set() if view.state.turns[-1:] and view.state.turns[-1][0] else None, "value"
    )
    view.run()
    assert moved.wait(60)
    view.inputs["decay"].value = 0.01
    assert view.running
    assert turned_.wait(60)
    view.pause()
    assert view.state.turns[-1][1:] == ("decay", 0.01)
    assert not view.problem
    view.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 3, "turns": ((1, "rule", "eval"),)}, "turns must be"),
        ({"steps": 3, "turns": ((2, "batch", 8), (1, "batch", 4))}, "turns must be"),
        ({"turns": ((5, "batch", 8),)}, "turns must be"),
        ({"steps": -1}, "steps must be a whole number"),
        ({"marks": (4,)}, "marks must be at most 50 steps"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=f"live_trainer: {message}"):
        widgets.live_trainer(state=changes)


def test_nothing_trains_before_run():
    widget = widgets.live_trainer()
    assert widget.state == Run()
    assert not widget.running
    assert losses(widget) == []
    widget.close()


def test_a_walk_over_everything_while_it_trains_can_be_trained_again_to_the_bit():
    rng = random.Random(1)
    view = View(MODEL, QUICK, {})
    moved = threading.Event()
    view._picture.observe(lambda _: moved.set(), "value")
    knobs = [view.model.control(name) for name in (*KNOBS, "speed", "focus", "page")]
    for move in range(18):
        view.run()  # a run that diverged has paused itself
        if move % 8 == 7:
            view.press(rng.choice(["snapshot", "rewind", "save", "load"]))
        elif move % 8 == 3:
            view.point(Event("down", rng.uniform(50, 460), 150))
        else:
            control = rng.choice(knobs)
            view.set(control.field, rng.choice([v for v in control.samples() if v not in (1.0, 3.0, 64)]))
        assert not view.problem
        moved.clear()
        assert moved.wait(60) or session_of(view.state, view.data).diverged
    view.pause()
    with view.lock:
        state, known = view.state, losses(view)
    view.close()
    again = Static(MODEL, state.to_json(), {})
    train(again, state.steps)
    assert len(known) > 5
    assert len(state.turns) > 3
    np.testing.assert_array_equal(losses(again), known)
