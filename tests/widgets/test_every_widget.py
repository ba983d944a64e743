"""What each registered widget must do, without a browser: a new widget is in here by being registered."""

import ast
import inspect
import os
import random
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cs231n_lib import widgets
from cs231n_lib.widgets.base import REGISTRY, Button, Event, Static
from cs231n_lib.widgets.base.controls import Slider, Upload
from cs231n_lib.widgets.base.view import View
from tests.work import lines_of

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(REGISTRY)
CONTROLS = [(name, c.field) for name in NAMES for c in REGISTRY[name].model.controls if not isinstance(c, Button)]
BUTTONS = [(name, c.field) for name in NAMES for c in REGISTRY[name].model.controls if isinstance(c, Button)]
POINTED = [name for name in NAMES if REGISTRY[name].model.point is not None]
ADVANCED = [name for name in NAMES if REGISTRY[name].model.advance is not None]
TAKES = [
    (name, p.name)
    for name in NAMES
    for p in inspect.signature(REGISTRY[name].factory).parameters.values()
    if "Callable" in str(p.annotation)
]
LARGEST = 50_000  # bytes of a picture
MEDIAN_LINES, MOST_LINES = 50_000, 120_000  # of Python in one move, or in the first one of a process


@pytest.fixture(autouse=True)
def _live(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # a widget may save beside the notebook
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.delenv("CS231N_STATIC", raising=False)


def ready(name, field, kind=Static):
    """Return the widget with the settings that this control needs to act."""
    model = REGISTRY[name].model
    return kind(model, model.control(field).setting, {})


def examine(picture):
    """Assert that a picture is small, well formed and labelled; return its root."""
    assert len(picture.encode()) <= LARGEST
    root = ET.fromstring(picture)
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert len(root.get("aria-label")) > 15
    assert "<script" not in picture
    return root


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name):
    entry = REGISTRY[name]
    assert len(entry.model.challenge) == 3
    assert all(question.strip() and answer.strip() for question, answer in entry.model.challenge)
    assert entry.model.about.endswith(".")
    assert "state" in inspect.signature(entry.factory).parameters
    assert len(inspect.getdoc(entry.factory)) > 80
    assert entry.model.point is None or entry.model.point_help
    assert getattr(widgets, name) is entry.factory
    assert len({c.field for c in entry.model.controls}) == len(entry.model.controls)


@pytest.mark.parametrize(("name", "field"), CONTROLS)
def test_a_control_changes_the_picture_and_setting_it_back_restores_it(name, field):
    view = ready(name, field, View)
    part, control = view.inputs[field], view.model.control(field)
    before, value = view.picture, getattr(view.state, field)
    assert view._picture.value == before
    if isinstance(control, Slider):  # what a browser sends
        part.set_state({"value": control.other(value)})
    else:
        part.value = control.other(value)
    assert getattr(view.state, field) == control.other(value)
    assert view._picture.value == view.picture != before
    part.value = value
    assert view._picture.value == before
    view.close()


@pytest.mark.parametrize(("name", "field"), BUTTONS)
def test_a_button_changes_the_picture(name, field):
    view = ready(name, field, View)
    after = view.model.control(field).after
    if after:
        view.inputs[after].click()
    before = view.picture
    if isinstance(view.model.control(field), Upload):  # what a browser sends
        file = {"name": "note.txt", "type": "text/plain", "size": 2, "last_modified": 0, "content": memoryview(b"hi")}
        view.inputs[field].set_state({"value": [file]})
        assert view.inputs[field].value == ()
    else:
        view.inputs[field].click()
    assert view._picture.value != before
    assert not view.problem
    view.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_random_walk_over_the_controls_goes_well_and_each_state_is_a_line_of_code(name):
    rng = random.Random(name)
    model = REGISTRY[name].model
    walk = Static(model, None, {})
    for _ in range(60):
        control = rng.choice(model.controls)
        if isinstance(control, Button):
            walk.press(control.field)
        else:
            walk.set(control.field, rng.choice(control.samples()))
        assert not walk.problem, walk.state
        examine(walk.picture)
        assert walk.state == model.state.from_json(walk.state.to_json())
        again = Static(model, ast.literal_eval(walk.code().partition("state=")[2].rstrip(")") or "{}"), {})
        assert again.state == walk.state
        assert again.picture == walk.picture


def stroll(walk, rng, steps):
    """Move controls, press, click, type and step at random; yield after each of them."""
    model = walk.model
    width, height = (float(ET.fromstring(walk.picture).get(k)) for k in ("width", "height"))
    for _ in range(steps):
        control, kind = rng.choice(model.controls), rng.choice(["control", "control", "point", "step", "reset"])
        if kind == "point":
            act = rng.choice(["down", "drag", "up", "hover", "key"])
            key = rng.choice(["ArrowLeft", "ArrowDown", "Enter", "Backspace", "2"]) if act == "key" else ""
            walk.point(Event(act, rng.uniform(0, width), rng.uniform(0, height), key))
        elif kind == "step":
            walk.step()
        elif kind == "reset" and rng.random() < 0.2:
            walk.reset()
        elif isinstance(control, Button):
            walk.press(control.field)
        else:
            walk.set(control.field, rng.choice(control.samples()))
        yield


@pytest.mark.parametrize("name", NAMES)
def test_two_at_once_are_as_if_each_were_alone(name):
    model = REGISTRY[name].model
    alone = []
    for seed in ("first", "second"):
        walk = Static(model, None, {})
        alone.append([(walk.state, walk.picture) for _ in stroll(walk, random.Random(seed), 25)])
        assert not walk.problem
    both = [Static(model, None, {}) for _ in alone]
    walks = [stroll(walk, random.Random(seed), 25) for walk, seed in zip(both, ("first", "second"), strict=True)]
    for at in range(25):
        for walk, steps, was in zip(both, walks, alone, strict=True):
            next(steps)
            assert (walk.state, walk.picture) == was[at]


@pytest.mark.parametrize("wrong", [lambda *a, **k: 1 / 0, lambda *a, **k: None, lambda *a, **k: "text"], ids=range(3))
@pytest.mark.parametrize(("name", "argument"), TAKES)
def test_a_walk_with_a_function_that_is_wrong_always_has_a_picture(name, argument, wrong):
    walk = Static(REGISTRY[name].model, None, {argument: wrong})
    blamed = [walk.problem]
    for _ in stroll(walk, random.Random(f"{name}{argument}"), 25):
        examine(walk.picture)
        blamed.append(walk.problem)  # "" in states that do not ask the function
    assert any(blamed)
    assert not [told for told in blamed if re.match(r"\w+(Error|Exception):", told)], "an exception of our own"


@pytest.mark.parametrize("name", NAMES)
def test_words_in_the_picture_are_large_enough_to_read(name):
    rng = random.Random(name)
    walk = Static(REGISTRY[name].model, None, {})
    for _ in stroll(walk, rng, 25):
        sizes = [float(e.get("font-size", 13)) for e in ET.fromstring(walk.picture).iter() if e.tag.endswith("text")]
        assert min(sizes) >= 11


@pytest.mark.parametrize("name", NAMES)
def test_a_move_runs_little_python(name):
    model = REGISTRY[name].model
    spent = []
    for control in model.controls:
        if isinstance(control, Button):
            continue
        widget = ready(name, control.field)
        value = control.other(getattr(widget.state, control.field))
        spent.append(lines_of(widget.set, control.field, value))
    spent.sort()
    assert spent[len(spent) // 2] <= MEDIAN_LINES
    assert spent[-1] <= MOST_LINES


@pytest.mark.parametrize("name", POINTED)
def test_pointer_and_keys_never_break_it(name):
    rng = random.Random(name)
    model = REGISTRY[name].model
    widget = Static(model, None, {})
    width, height = (float(ET.fromstring(widget.picture).get(k)) for k in ("width", "height"))
    keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", "Backspace", "Delete", " ", *"123456789", ""]
    changed = False
    for _ in range(150):
        kind = rng.choice(["down", "drag", "drag", "up", "hover", "key"])
        key = rng.choice(keys) if kind == "key" else ""
        before = widget.picture
        widget.point(Event(kind, rng.uniform(-20, width + 20), rng.uniform(-20, height + 20), key))
        assert not widget.problem
        changed |= widget.picture != before
    assert changed
    examine(widget.picture)


@pytest.mark.parametrize("name", POINTED)
def test_arrow_keys_alone_change_the_picture(name):
    widget = Static(REGISTRY[name].model, None, {})
    seen = {widget.picture}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "Enter"):
        widget.point(Event("key", key=key))
        seen.add(widget.picture)
    assert len(seen) > 1


@pytest.mark.parametrize("name", ADVANCED)
def test_run_advances_on_a_thread_and_pauses(name):
    view = View(REGISTRY[name].model, None, {})
    before, moved = view.state, threading.Event()
    view._picture.observe(lambda _: moved.set(), "value")
    view._run_button.click()
    assert view._run_button.description == "Pause"
    assert moved.wait(20)
    view._run_button.click()
    assert not view.running
    assert view.state != before
    assert not view.problem
    view.close()
    assert not any(t.name == "cs231n-widget" and t.is_alive() for t in [view._worker._thread])


@pytest.mark.parametrize(("name", "argument"), TAKES)
def test_a_students_function_that_raises_is_shown_and_kills_nothing(name, argument):
    def mine(*_, **__):
        raise ZeroDivisionError("no such luck")

    view = REGISTRY[name].factory(**{argument: mine})
    assert "mine raised ZeroDivisionError: no such luck" in view.problem
    assert "raise ZeroDivisionError" in view._said.value
    healthy = Static(view.model, None, {})
    examine(view.picture)
    for control in view.model.controls:
        if not isinstance(control, Button):
            view.set(control.field, control.other(getattr(view.state, control.field)))
            healthy.set(control.field, control.other(getattr(healthy.state, control.field)))
    assert view.state == healthy.state
    assert f"{argument}=mine" in view.code()
    view.close()


@pytest.mark.parametrize(("name", "argument"), TAKES)
def test_a_stub_is_called_unfinished_and_not_wrong(name, argument):
    def batchnorm_forward(*_, **__):
        raise NotImplementedError("write your code here, then delete this line")

    view = REGISTRY[name].factory(**{argument: lambda *given, **options: batchnorm_forward(*given, **options)})
    assert view.problem.startswith("batchnorm_forward is not implemented yet")
    assert "NotImplementedError" not in view._said.value
    examine(view.picture)
    view.close()


@pytest.mark.parametrize(
    "answer", [None, "text", (), [[1], [2, 3]], object()], ids=["None", "text", "empty", "ragged", "object"]
)
@pytest.mark.parametrize(("name", "argument"), TAKES)
def test_a_students_function_may_return_anything(name, argument, answer):
    def mine(*_, **__):
        return answer

    view = REGISTRY[name].factory(**{argument: mine})
    assert "mine" in view.problem
    examine(view.picture)
    view.close()


@pytest.mark.parametrize(("name", "argument"), TAKES)
def test_what_is_no_function_is_refused_in_one_sentence(name, argument):
    with pytest.raises(TypeError, match=rf"^{name}: {argument} must be a function, got 3"):
        REGISTRY[name].factory(**{argument: 3})


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_at_once_leave_a_picture_of_the_state(name):
    view = View(REGISTRY[name].model, None, {})
    controls = [c for c in view.model.controls if not isinstance(c, Button)]
    wrong = []

    def hammer(seed):
        rng = random.Random(seed)
        try:
            for _ in range(12):
                control = rng.choice(controls)
                view.set(control.field, rng.choice(control.samples()))
        except Exception as error:  # noqa: BLE001  handed to the test's own thread
            wrong.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert view._picture.value == view.picture == Static(view.model, view.state, {}).picture
    for control in controls:
        assert view.inputs[control.field].value == getattr(view.state, control.field)
    view.close()


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_do_not_fit_are_refused_in_one_sentence(name):
    factory = REGISTRY[name].factory
    with pytest.raises(ValueError, match=r"settings must be among .*, got 'nothing'"):
        factory(state={"nothing": 1})
    with pytest.raises(ValueError, match="from_json: text must be JSON"):
        factory(state="{")
    for control in REGISTRY[name].model.controls:
        if isinstance(control, Slider):
            with pytest.raises(ValueError, match=rf"{name}: {control.field} must be .* in \["):
                factory(state={control.field: control.high + control.step})


@pytest.mark.parametrize("variable", ["NBGRADER_EXECUTION=autograde", "NBGRADER_EXECUTION=validate", "CS231N_STATIC=1"])
def test_static_pictures_need_no_widgets_and_start_no_threads(variable):
    code = """
import sys, threading
from cs231n_lib import widgets
from cs231n_lib.widgets.base import REGISTRY, Static
for name in widgets.__all__:
    w = getattr(widgets, name)()
    bundle = w._repr_mimebundle_()
    assert type(w) is Static and set(bundle) == {'text/html', 'text/plain'}, bundle.keys()
    assert bundle['text/html'].count('<svg') == 1 and 'aria-label' in bundle['text/html'], name
    assert len(bundle['text/html']) < 60_000, name
    bad = getattr(widgets, name)(state={'nothing': 1})
    assert 'nothing' in bad.problem and '<svg' in bad._repr_mimebundle_()['text/html'], name
assert threading.active_count() == 1
assert not {'ipywidgets', 'anywidget', 'matplotlib', 'torch'} & set(sys.modules), sys.modules
print(len(widgets.__all__))
"""
    key, _, value = variable.partition("=")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", key: value}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(NAMES)


@pytest.mark.parametrize("path", sorted((ROOT / "cs231n_lib" / "widgets").rglob("*.py")), ids=lambda p: p.name)
def test_no_widget_uses_output_capture_or_pyplot(path):
    # `Output` stalls nbgrader, `interact` redraws by it, pyplot in a callback draws into another thread's figure.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names} | {(node.module or "").split(".")[0]}
        elif isinstance(node, ast.Import):
            names |= {part for alias in node.names for part in alias.name.split(".")}
    assert not names & {"interact", "interactive", "interactive_output", "Output", "pyplot", "matplotlib", "ipympl"}
    assert path.name == "look.py" or "print" not in names
