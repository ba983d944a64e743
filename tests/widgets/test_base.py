"""The base: controls, a student's function, threads, events, the live panel."""

import math
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cs231n_lib.widgets.base import (
    Button,
    Choice,
    Event,
    Model,
    Number,
    Slider,
    State,
    Static,
    Switch,
    Text,
    ask,
    register,
    svg,
)
from cs231n_lib.widgets.base import view as live
from cs231n_lib.widgets.base.model import REGISTRY
from cs231n_lib.widgets.base.stage import Stage
from cs231n_lib.widgets.base.view import View
from cs231n_lib.widgets.base.worker import Worker


@dataclass(frozen=True)
class Toy(State):
    size: int = 3
    rate: float = 0.5
    mode: str = "a"
    on: bool = False
    name: str = "x"
    clicks: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Drawn:
    state: Toy
    problem: str = ""


def compute(state, data):
    if state.name == "boom":
        raise RuntimeError("it\nbroke")
    return Drawn(state, "not quite" if state.name == "odd" else "")


def toy(**changes):
    model = Model(
        title="Toy <1>",
        about="A toy.",
        state=Toy,
        controls=(
            Slider("size", "size", 1, 5),
            Number("rate", "rate", 0.0, 1.0, step=0.25),
            Choice("mode", "mode", ("a", "b")),
            Switch("on", "on", needs={"mode": "b"}),
            Text("name", "name", ("x", "y")),
            Button("grow", "Grow"),
        ),
        compute=compute,
        render=lambda r: svg.figure(100, 100, f"toy of {r.state}", svg.text(1, 9, str(r.state))),
        describe=lambda r: f"size {r.state.size} & {len(r.state.clicks)} clicks",
        challenge=(("How big?", "Three <3>."),) * 3,
        actions={"grow": lambda s, d: replace(s, size=s.size + 1)},
        point=lambda s, d, e: replace(s, clicks=(*s.clicks, (e.x, e.y))) if e.kind == "down" else s,
        point_help="Click.",
        advance=lambda s, d: replace(s, size=s.size + 1) if s.size < 5 else s,
        name="toy",
    )
    return replace(model, **changes)


# --- controls and state


def test_each_control_allows_its_samples_and_names_its_rule():
    for control in toy().controls:
        assert all(control.allows(v) for v in control.samples())
        for value in control.samples():
            assert control.other(value) != value
            assert control.allows(control.other(value))
    size, rate, mode, on, name, _ = toy().controls
    assert not any(size.allows(v) for v in (0, 6, 2.5, True, "3", None, math.nan))
    assert rate.allows(1)
    assert rate.allows(0.3)  # typed
    half = Slider("rate", "rate", 0.0, 1.0, step=0.25)
    assert half.allows(0.1 + 0.2 + 0.2)
    assert not half.allows(0.3)  # between two notches
    assert half.rule == "a number in [0.0, 1.0] in steps of 0.25"
    assert not rate.allows(math.nan)
    assert not mode.allows("c")
    assert not on.allows(1)
    assert not name.allows("x" * 201)
    assert size.rule == "a whole number in [1, 5]"
    assert not on.shown(Toy())
    assert on.shown(Toy(mode="b"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 9}, r"toy: size must be a whole number in \[1, 5\], got 9"),
        ({"size": 2.5}, "state: size must be of type int, got 2.5"),
        ({"on": 1}, "state: on must be of type bool, got 1"),
        ({"mode": "z"}, "toy: mode must be one of 'a', 'b', got 'z'"),
        ({"sise": 1}, "state: settings must be among size, rate, .*, got 'sise'"),
        ("[1]", "state: must be a mapping of settings, got list"),
        ("{", "from_json: text must be JSON, got '{'"),
        (3, "state: must be a mapping of settings, got int"),
    ],
)
def test_settings_that_do_not_fit_get_one_sentence(settings, words):
    with pytest.raises(ValueError, match=words) as caught:
        Static(toy(), settings, {})
    assert "\n" not in str(caught.value)
    quiet = Static(toy(), settings, {}, strict=False)
    assert quiet.problem == str(caught.value)
    assert quiet.state == Toy()


def test_state_goes_through_json_and_code():
    state = Toy(size=4, clicks=((0.5, 1.0), (2.0, 3.0)))
    assert Toy.from_json(state.to_json()) == state
    assert Toy.from_dict({"rate": 1}).rate == 1.0
    widget = Static(toy(), state, {"predict": compute, "images": np.zeros(2), "_memo": {}})
    assert (
        widget.code()
        == "widgets.toy(predict=compute, images=images, state={'size': 4, 'clicks': ((0.5, 1.0), (2.0, 3.0))})"
    )
    assert Static(toy(), None, {"predict": lambda: 0}).code() == "widgets.toy(predict=predict)"


# --- behaviour


def test_a_move_that_fails_keeps_state_and_picture_and_says_so():
    widget = Static(toy(), None, {})
    before = widget.picture
    widget.set("name", "boom")
    assert widget.problem == "RuntimeError: it broke"
    assert (widget.state, widget.picture) == (Toy(), before)
    widget.set("size", 2)
    assert widget.problem == ""
    widget.set("name", "odd")
    assert widget.problem == "not quite"
    assert widget.state.name == "odd"
    for _ in range(9):
        widget.press("grow")
    assert widget.problem == "ValueError: toy: size must be a whole number in [1, 5], got 6"
    assert widget.state.size == 5


def test_wrong_names_are_refused_and_nothing_is_drawn_from_a_failing_start():
    widget = Static(toy(), None, {})
    with pytest.raises(KeyError, match="control must be one of size, rate"):
        widget.set("sise", 1)
    with pytest.raises(ValueError, match=r"size must be a whole number in \[1, 5\], got 7"):
        widget.set("size", 7)
    with pytest.raises(KeyError, match="action must be one of grow, got 'shrink'"):
        widget.press("shrink")
    broken = Static(toy(), {"name": "boom"}, {})
    assert "No picture: RuntimeError: it broke" in broken.picture
    ET.fromstring(broken.picture)


def test_the_page_shows_status_questions_and_answers_only_when_asked():
    widget = Static(toy(), None, {})
    page = widget._repr_mimebundle_()
    assert "size 3 &amp; 0 clicks" in page["text/html"]
    assert "Toy &lt;1&gt;" in page["text/html"]
    assert "Before you move anything" in page["text/html"]
    assert "Three" not in page["text/html"]
    assert page["text/plain"] == "Toy <1>: size 3 & 0 clicks"
    widget.reveal()
    assert "Three &lt;3&gt;." in widget._repr_mimebundle_()["text/html"]


def test_register_refuses_a_control_without_a_field_and_a_name_that_hides_its_module():
    def test_base():
        pass

    def fine():
        pass

    try:
        with pytest.raises(ValueError, match="named like its module"):
            register(toy())(test_base)
        with pytest.raises(ValueError, match="fine's control 'sise' must name a field"):
            register(toy(controls=(Slider("sise", "size", 1, 2),)))(fine)
        assert "fine" not in REGISTRY
    finally:
        REGISTRY.pop("fine", None)


# --- a student's function


def test_ask_copies_arguments_and_takes_the_part_of_a_tuple():
    x = np.arange(3.0)

    def mine(x, scale=1):
        x *= scale
        return x, x.sum()

    answer, problem = ask(mine, x, shape=(3,), options={"scale": 2})
    assert answer.tolist() == [0, 2, 4]
    assert problem == ""
    assert x.tolist() == [0, 1, 2]
    assert ask(mine, x, shape=(), part=1)[0] == 3


def test_ask_names_what_is_wrong():
    def nothing(x):
        pass

    def leaves(x):
        raise SystemExit(3)

    def far(x):
        return np.zeros((2, 2))[5]

    x = np.zeros(3)
    assert ask(nothing, x, shape=None) == (None, "nothing must return numbers, got NoneType (is a return missing?)")
    assert ask(lambda x: x[:2], x, shape=(3,))[1] == "<lambda> must return shape (3,), got (2,)"
    assert ask(leaves, x, shape=None)[1].startswith("leaves raised SystemExit: 3 (line ")
    assert "`return np.zeros((2, 2))[5]`" in ask(far, x, shape=None)[1]
    assert ask(lambda x: x, x, shape=None, part=1)[1] == "<lambda> must return a tuple, got ndarray"
    assert ask(lambda x: (x,), x, shape=None, part=1)[1] == "<lambda> must return at least 2 values, got 1"
    assert ask(lambda x: ["a"], x, shape=None)[1].startswith("<lambda> must return numbers")
    assert ask(lambda: 0, x, shape=None)[1].startswith("<lambda> raised TypeError")


# --- the live panel


def test_controls_follow_the_state_and_hide_when_they_cannot_act():
    view = View(toy(), None, {})
    rows = {control.field: row for control, row in view._rows}
    assert rows["on"].layout.display == "none"
    view.inputs["mode"].value = "b"
    assert rows["on"].layout.display is None
    assert view.state.mode == "b"
    view.press("grow")
    assert view.inputs["size"].value == 4
    view.inputs["name"].value = "boom"  # refused: the control goes back to what the state says
    assert view.inputs["name"].value == "x"
    assert "RuntimeError: it broke" in view._said.value
    view.reset()
    assert view.inputs["mode"].value == "a"
    assert view.state == Toy()
    view.close()


def test_the_bundle_has_the_live_view_and_the_static_picture():
    view = View(toy(), None, {})
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert view.picture in bundle["text/html"]
    view.close()


def test_the_stage_sends_events_and_ignores_what_is_none():
    seen = []
    stage = Stage(seen.append, pointer=True, help="")
    sent = []
    stage.send = sent.append
    stage._handle_custom_msg({"type": "point", "kind": "down", "x": 3, "y": 4.5, "shift": True}, [])
    stage._handle_custom_msg({"type": "point", "kind": "key", "key": "Enter"}, [])
    for junk in ({}, {"type": "point", "kind": "explode"}, {"kind": "down"}, []):
        stage._handle_custom_msg(junk, [])
    assert seen == [Event("down", 3.0, 4.5, "", True), Event("key", 0.0, 0.0, "Enter")]
    assert sent == [{"done": True}] * 2
    view = View(toy(), None, {})
    view._stage._handle_custom_msg({"type": "point", "kind": "down", "x": 1, "y": 2}, [])
    assert view.state.clicks == ((1.0, 2.0),)
    assert "1 clicks" in view._said.value
    view.close()


def test_the_worker_runs_pauses_and_ends():
    steps, reached, paused = [], threading.Event(), threading.Event()

    def step():
        steps.append(threading.current_thread().name)
        if len(steps) == 3:
            reached.set()
        return len(steps) < 3

    worker = Worker(step, paused.set)
    assert worker._thread is None
    worker.start()
    assert reached.wait(20)
    assert paused.wait(20)
    assert not worker.running
    assert steps == ["cs231n-widget"] * 3
    worker.close()
    assert not worker._thread.is_alive()
    worker.start()
    assert not worker.running


def test_run_stops_when_there_is_nothing_left_and_when_something_fails():
    view = View(toy(), {"size": 4}, {})
    view._worker._paused = (stopped := threading.Event()).set
    view.run()
    assert stopped.wait(20)
    assert view.state.size == 5
    view.close()

    def fails(state, data):
        raise ValueError("no gradient")

    view = View(toy(advance=fails), None, {})
    view._worker._paused = (stopped := threading.Event()).set
    view.run()
    assert stopped.wait(20)
    assert view.problem == "ValueError: no gradient"
    view.close()


def test_running_a_cell_again_closes_what_it_made_before(monkeypatch):
    class Shell:
        parent = {"metadata": {"cellId": "one"}, "header": {"msg_id": "first"}}  # noqa: RUF012

        def get_parent(self):
            return self.parent

    shell = Shell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(live, "_BY_CELL", {})
    old, twin = View(toy(), None, {}), View(toy(), None, {})
    old.run()
    assert not old._worker._closed.is_set()
    shell.parent = {"metadata": {"cellId": "one"}, "header": {"msg_id": "second"}}
    new = View(toy(), None, {})
    assert old._worker._closed.is_set()
    assert not old._worker._thread.is_alive()
    assert twin._worker._closed.is_set()
    assert not new._worker._closed.is_set()
    new.close()


def test_a_picture_stands_beside_its_controls_only_where_its_words_stay_legible():
    view = View(toy(), None, {})
    basis = view._picture.layout.flex.split()[-1]
    assert basis == f"{round(0.85 * 100)}px"  # of the toy's 100: a narrower place is below the controls
    view.close()
