"""The live trainer's network, rules and measurements against torch; images and rules of a student's own."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cs231n_lib import widgets
from cs231n_lib.widgets import trainer_net as net
from cs231n_lib.widgets.trainer_board import session_of
from cs231n_lib.widgets.trainer_images import Drawn
from cs231n_lib.widgets.trainer_own import own_image
from cs231n_lib.widgets.trainer_plan import RULES, Run
from tests.cells import namespace

from .trainer_runs import QUICK, losses, opened, torch_net, train


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    for name in ("NBGRADER_EXECUTION", "CS231N_STATIC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


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


def test_an_own_image_is_cut_to_its_middle_square_and_classified():
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96] = (10, 200, 30)
    pixels[:, :32] = 255
    Image.fromarray(pixels).save("mine.png")
    found, told = own_image("mine.png", {})
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
