"""The bugs of the demo that the live trainer follows must not come back; what goes wrong in training has a name."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cs231n_lib.widgets import trainer_net as net
from cs231n_lib.widgets.trainer import MODEL
from cs231n_lib.widgets.trainer_board import diagnose, session_of

from .trainer_runs import losses, opened, train


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    for name in ("NBGRADER_EXECUTION", "CS231N_STATIC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_turning_any_other_knob_keeps_the_rules_memory_and_another_rule_starts_with_none():
    widget = train(opened(rule="Adam", learning_rate=0.001), 5)
    session = session_of(widget.state, widget.data)
    for field, value in (
        ("learning_rate", 0.003),
        ("batch", 8),
        ("decay", 0.01),
        ("augment", False),
        ("momentum", 0.5),
    ):
        widget.set(field, value)
        train(widget, widget.state.steps + 1)
    assert int(session._optimizer.state_dict()["age/w1"]) == widget.state.steps
    widget.set("rule", "Adadelta")
    train(widget, widget.state.steps + 1)
    assert int(session._optimizer.state_dict()["age/w1"]) == 1
    assert session.kind == "Adadelta"


def test_fields_that_do_nothing_are_hidden_and_said():
    one, two = opened(rule="Adadelta"), opened(rule="Adadelta", learning_rate=1.0, momentum=0.0)
    assert losses(train(one, 6)) == losses(train(two, 6))
    assert "learning rate and momentum do nothing" in one.picture
    assert not MODEL.control("learning_rate").shown(one.state)
    assert not MODEL.control("momentum").shown(one.state)
    assert "momentum does nothing" in opened(rule="SGD").picture
    assert not MODEL.control("momentum").shown(opened(rule="SGD").state)
    assert "do nothing" not in opened().picture


def test_nothing_is_evaluated_or_unpickled():
    for path in Path(net.__file__).parent.glob("trainer*.py"):
        names = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
        assert not names & {"eval", "exec", "compile", "pickle", "__import__"}, path.name


def test_a_rate_that_is_too_high_is_named_stops_and_is_cured_by_rewinding():
    widget = train(opened(), 4)
    widget.press("snapshot")
    widget.set("learning_rate", 3.0)
    train(widget, 60)
    session = session_of(widget.state, widget.data)
    assert session.diverged
    assert "Diverged" in widget.picture
    assert "learning rate 3 is too high" in widget.status
    stopped = widget.state
    widget.step()
    assert widget.state is stopped
    widget.set("learning_rate", 0.01)
    assert "learning rate 3 is too high" in widget.status  # what did it, not what the panel shows now
    widget.press("rewind")
    train(widget, 30)
    assert np.isfinite(losses(widget)).all()


def test_dead_units_shaking_and_standing_still_are_named():
    widget = train(opened(batch=4), 26)
    session = session_of(widget.state, widget.data)
    name = lambda **changes: diagnose(replace(widget.state, **changes), session, [0.1, 0.2, 0.3])[0]  # noqa: E731
    assert name() in ("learning", "plateau")
    session.ratios = [0.2] * 26
    assert name() == "rate too high: shaking"
    session.ratios = [1e-6] * 26
    assert name() == "rate too low"
    session.losses = [2.3] * 10 + [9.0] * 16
    session.smooth = [2.3] * 26
    session.ratios = [1e-3] * 26
    assert name() == "rate too high: exploding"
    session.params = session.params | {"b2": np.full(20, -100, np.float32)}
    assert MODEL.compute(widget.state, widget.data).verdict == "dead units"
