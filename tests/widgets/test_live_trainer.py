"""The live trainer against torch, and against itself: the same schedule gives the same losses, to the bit."""

import ast
import json
import random
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cs231n_lib import widgets
from cs231n_lib.widgets import trainer_net as net
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.base.view import View
from cs231n_lib.widgets.trainer import MODEL
from cs231n_lib.widgets.trainer_board import diagnose, session_of
from cs231n_lib.widgets.trainer_images import Drawn, own_image
from cs231n_lib.widgets.trainer_plan import KNOBS, RULES, Run, in_force
from cs231n_lib.widgets.trainer_session import read_saved
from tests.cells import namespace

QUICK = {"batch": 4, "speed": 1}


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    for name in ("NBGRADER_EXECUTION", "CS231N_STATIC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def opened(update=None, **state):
    return Static(MODEL, QUICK | state, {"update": update} if update else {})


def train(widget, steps):
    """Press Step until the run has that many steps and is trained that far."""
    for _ in range(10 * steps + 50):
        if session_of(widget.state, widget.data).steps >= steps <= widget.state.steps or widget.problem:
            break
        widget.step()
    return widget


def losses(widget):
    return list(session_of(widget.state, widget.data).losses)


def torch_net(params, x):
    for i in (1, 2, 3):
        x = torch.nn.functional.conv2d(x, params[f"w{i}"], params[f"b{i}"], padding=2)
        x = torch.nn.functional.max_pool2d(torch.relu(x), 2)
    return x.flatten(1) @ params["w4"] + params["b4"]


# --- the network and the rules, against torch


def test_loss_and_gradients_against_torch():
    rng = np.random.default_rng(3)
    params = {name: value.astype(np.float64) for name, value in net.new_net(3).items()}
    params |= {f"b{i}": rng.normal(size=params[f"b{i}"].shape) for i in (1, 2, 3, 4)}
    x, y = rng.normal(size=(5, 3, 32, 32)), rng.integers(0, 10, size=5)
    loss, grads = net.loss_and_grads(params, x, y)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    expected = torch.nn.functional.cross_entropy(torch_net(leaves, torch.tensor(x)), torch.tensor(y))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-9)
    assert set(grads) == set(params)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, leaves[name].grad.numpy(), rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("kind", RULES)
def test_rules_against_torch_step_for_step(kind, momentum):
    rng = np.random.default_rng(4)
    w = {"w": rng.normal(size=(3, 5)), "b": rng.normal(size=4)}
    leaves = [torch.nn.Parameter(torch.tensor(value)) for value in w.values()]
    peer = {
        "SGD": lambda: torch.optim.SGD(leaves, lr=0.05),
        "momentum": lambda: torch.optim.SGD(leaves, lr=0.05, momentum=momentum),
        "Adam": lambda: torch.optim.Adam(leaves, lr=0.05, betas=(momentum, 0.999)),
        "Adadelta": lambda: torch.optim.Adadelta(leaves, lr=1.0, rho=0.9, eps=1e-6),
    }[kind]()
    rule = net.Rule(kind, learning_rate=0.05, momentum=momentum)
    for _ in range(15):
        grads = {name: rng.normal(size=value.shape) for name, value in w.items()}
        for leaf, grad in zip(leaves, grads.values(), strict=True):
            leaf.grad = torch.tensor(grad)
        peer.step()
        w = rule.step(w, grads)
        for leaf, value in zip(leaves, w.values(), strict=True):
            np.testing.assert_allclose(value, leaf.detach().numpy(), rtol=1e-6, atol=1e-9)


def test_a_training_step_is_torchs_with_weight_decay_on_weights_alone():
    widget = opened(rule="Adam", learning_rate=0.003, decay=0.1, augment=False)
    session = session_of(widget.state, widget.data)
    leaves = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in net.new_net(0).items()}
    groups = [{"params": [leaves[f"w{i}"] for i in (1, 2, 3, 4)], "weight_decay": 0.1}]
    peer = torch.optim.Adam([*groups, {"params": [leaves[f"b{i}"] for i in (1, 2, 3, 4)]}], lr=0.003)
    for step in range(4):
        images, labels = Drawn().take("train", np.arange(4 * step, 4 * step + 4))  # the first epoch: the stored order
        peer.zero_grad()
        x = torch.tensor(images.transpose(0, 3, 1, 2) / 255 - 0.5, dtype=torch.float32)
        loss = torch.nn.functional.cross_entropy(torch_net(leaves, x), torch.tensor(labels))
        loss.backward()
        peer.step()
        train(widget, step + 1)
        assert session.losses[step] == pytest.approx(loss.item(), rel=2e-5)


def test_augmentation_is_a_mirror_and_a_shift_by_at_most_two_pixels():
    x = np.random.default_rng(5).normal(size=(64, 3, 8, 8)).astype(np.float32)
    out, seen = net.augmented(x, np.random.default_rng(6)), set()
    for image, got in zip(x, out, strict=True):
        found = []
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                moved = np.zeros_like(image)
                ys, xs = slice(max(dy, 0), 8 + min(dy, 0)), slice(max(dx, 0), 8 + min(dx, 0))
                back = slice(max(-dy, 0), 8 + min(-dy, 0)), slice(max(-dx, 0), 8 + min(-dx, 0))
                moved[:, ys, xs] = image[:, back[0], back[1]]
                found += [
                    (dy, dx, flip) for flip in (False, True) if np.array_equal(moved[..., :: -1 if flip else 1], got)
                ]
        assert len(found) == 1
        seen.add(found[0])
    assert {flip for *_, flip in seen} == {False, True}
    assert {v for dy, dx, _ in seen for v in (dy, dx)} == {-2, -1, 0, 1, 2}


def test_accuracies_of_all_splits_are_measured_alike_without_augmentation():
    widget = train(opened(learning_rate=0.1), 25)
    session = session_of(widget.state, widget.data)
    leaves = {name: torch.tensor(value) for name, value in session.params.items()}
    step, *shares = session.accuracies[-1]
    assert step == 25
    for split, share in zip(("train", "val", "test"), shares, strict=True):
        images, labels = Drawn().take(split, np.arange(100))
        x = torch.tensor(images.transpose(0, 3, 1, 2) / 255 - 0.5, dtype=torch.float32)
        assert share == pytest.approx((torch_net(leaves, x).argmax(1).numpy() == labels).mean(), abs=0.011)  # one tie


# --- the same schedule, the same losses


def turned(widget, *, until=36):
    """A run with knobs turned on the way: the schedule of the tests below."""
    for at, field, value in (
        (8, "learning_rate", 0.01),
        (14, "rule", "Adam"),
        (20, "batch", 8),
        (26, "augment", False),
    ):
        if at < until:
            train(widget, at).set(field, value)
    return train(widget, until)


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


# --- snapshots and files


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


# --- the bugs of the original


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


# --- diagnosis


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


# --- own image, real images, the student's rule


def test_an_own_image_is_cut_to_its_middle_square_and_classified():
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96] = (10, 200, 30)
    pixels[:, :32] = 255
    Image.fromarray(pixels).save("mine.png")
    found, told = own_image("mine.png")
    assert found.shape == (32, 32, 3)
    assert (found == (10, 200, 30)).all()
    assert told == "own: mine.png"
    widget = opened(own="mine.png", focus=6)
    assert "For the own image in focus it says" in widget.status
    assert "own: mine.png" in widget.picture
    Path("bad.png").write_text("no picture")
    for name, told in (("bad.png", "own: no image file"), ("none.png", "own: no such file")):
        widget.set("own", name)
        assert told in widget.picture
        assert not widget.problem


def test_cifar10_is_used_where_it_is_and_missed_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("CS231N_DATA", str(tmp_path / "cache"))
    widget = opened(images="cifar10")
    assert "CIFAR-10 is not here: run `cs231n data get cifar10`" in widget.picture
    for act in (
        widget.step,
        lambda: widget.press("snapshot"),
        lambda: widget.press("save"),
        lambda: widget.press("load"),
    ):
        act()
        assert not widget.problem
    widget.set("images", "shapes10")
    assert "Starting" in widget.picture
    folder = tmp_path / "cache" / "cifar10"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(8)
    for part, count in (("train", 2100), ("test", 100)):
        np.save(folder / f"{part}_images.npy", rng.integers(0, 256, size=(count, 32, 32, 3), dtype=np.uint8))
        np.save(folder / f"{part}_labels.npy", rng.integers(0, 10, size=count))
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "meta.json").write_text(json.dumps({"title": "x", "classes": classes, "version": 1}))
    widget.set("images", "cifar10")
    train(widget, 2)
    assert any(name in widget.picture for name in classes)
    assert not widget.problem


@pytest.fixture(scope="module")
def answers():
    return namespace("a2/N06_deep_nets.py", "setup", "solution")


@pytest.mark.parametrize(("name", "rule"), [("sgd_momentum", "momentum"), ("adam", "Adam")])
def test_the_courses_rules_agree_and_train(answers, name, rule):
    widget = opened(answers[name], rule=rule, learning_rate=0.003)
    assert f"Your update moves as {rule} does." in widget.status
    assert not widget.problem
    mine, panels = losses(train(widget, 8)), losses(train(opened(rule=rule, learning_rate=0.003), 8))
    np.testing.assert_allclose(mine, panels, rtol=1e-3)
    assert session_of(widget.state, widget.data).kind == "yours"
    train(widget, 9)
    widget.press("save")
    again = opened(answers[name])
    again.press("load")
    assert not again.problem
    assert losses(train(again, 12)) == losses(train(widget, 12))
    other = opened()
    other.press("load")
    assert "with the update that it was trained with" in other.status


def test_a_wrong_update_is_marked_and_the_rule_it_follows_is_named(answers):
    def no_correction(w, dw, config):
        m = 0.9 * config.get("m", 0.0) + 0.1 * dw
        v = 0.999 * config.get("v", 0.0) + 0.001 * dw * dw
        return w - config["learning_rate"] * m / (np.sqrt(v) + 1e-8), {**config, "m": m, "v": v}

    assert "it moves as Adam does: choose Adam" in opened(answers["adam"]).problem
    widget = opened(no_correction, rule="Adam")
    assert "no_correction trains, but does not move as Adam does" in widget.problem
    widget.step()
    assert widget.state.steps == 1  # its own future can still be watched
    alone = opened(lambda w, dw, config: w - 0.1 * dw)
    assert "must return (next_w, config), got ndarray" in alone.problem
    assert session_of(alone.state, alone.data).update is None


def test_an_update_that_fails_in_the_middle_pauses_the_run_and_leaves_the_state():
    def fragile(w, dw, config):
        if config.get("t", 0) >= 5 and w.shape == (10,):
            raise OverflowError("too many")
        return w - config["learning_rate"] * dw, {"t": config.get("t", 0) + 1}

    view = widgets.live_trainer(fragile, state=QUICK | {"rule": "SGD"})
    train(view, 5)
    assert not view.problem
    view.step()
    assert "OverflowError: too many" in view.problem
    assert view.state.steps == 5
    view.set("speed", 32)
    assert "Catching up" in view.status
    view.close()


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


def test_every_epoch_shows_each_image_once():
    session = session_of(Run(), {})
    session.source.count = 30  # of this session alone
    epochs = []
    for _ in range(3):
        rows = []
        for _ in range(5):
            rows += session._order(6).tolist()
            session.seen += 6
        epochs.append(rows)
    assert all(sorted(rows) == list(range(30)) for rows in epochs)
    assert epochs[0] == list(range(30))
    assert epochs[1] != epochs[2] != epochs[0]
    session.seen = 28  # a batch across two epochs
    assert session._order(4).tolist() == [28, 29, *epochs[1][:2]]


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
