"""The optimizer race against torch.optim step for step, finite differences, and rules that are wrong."""

import dataclasses

import numpy as np
import pytest

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.race import MODEL, PLANE
from cs231n_lib.widgets.race_track import MOST, RULES, SURFACES, Race, compute, height, noise, race

torch = pytest.importorskip("torch")

VALUES = {  # the surfaces again, written for torch
    "ravine": lambda x, y: 0.15 * x**2 + 6 * y**2,
    "Rosenbrock": lambda x, y: 0.2 * (1 - x) ** 2 + 2 * (y - x**2) ** 2,
    "saddle": lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 8 + 0.5,
    "plateau": lambda x, y: 1 - torch.exp(-2 * (x**2 + y**2)),
    "noisy": lambda x, y: (x**2 + y**2) / 2 + 0.4 - 0.2 * torch.cos(7 * x) - 0.2 * torch.cos(7 * y),
}


def torchs_path(state, name):
    w = torch.tensor([state.x, state.y], dtype=torch.float64, requires_grad=True)
    slow, fast = {"lr": state.rate}, {"lr": state.adaptive_rate}
    optimizer = {
        "SGD": lambda: torch.optim.SGD([w], **slow),
        "momentum": lambda: torch.optim.SGD([w], momentum=state.momentum, **slow),
        "RMSprop": lambda: torch.optim.RMSprop([w], alpha=state.decay, **fast),
        "Adam": lambda: torch.optim.Adam([w], betas=(state.beta1, state.beta2), **fast),
    }[name]()
    angle = np.radians(state.angle)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    places = [w.detach().numpy().copy()]
    for shake in noise(state):
        optimizer.zero_grad()
        VALUES[state.surface](c * w[0] + s * w[1], -s * w[0] + c * w[1]).backward()
        w.grad += torch.tensor(shake)
        optimizer.step()
        places.append(w.detach().numpy().copy())
    return np.array(places)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("surface", SURFACES)
def test_every_racer_is_torchs_step_for_step(surface, name):
    state = Race(surface=surface, angle=30, rate=0.03, adaptive_rate=0.03, momentum=0.8, beta1=0.7, beta2=0.9,
                 decay=0.95, noise=0.2, seed=3, x=0.7, y=-0.6)  # fmt: skip
    np.testing.assert_allclose(race(state)[name].places, torchs_path(state, name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_slope_is_the_finite_difference_and_the_star_is_lowest(surface):
    x, y = np.random.default_rng(0).uniform(-2, 2, size=(2, 50))
    step = 1e-6
    for angle in (0, 45):
        _, slope = height(surface, angle, x, y)
        for axis, (dx, dy) in enumerate(((step, 0), (0, step))):
            high, low = (height(surface, angle, x + k * dx, y + k * dy)[0] for k in (1, -1))
            np.testing.assert_allclose(slope[:, axis], (high - low) / (2 * step), atol=1e-6)
    value, slope = height(surface, 0, *np.array(SURFACES[surface][1], float))
    assert value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    assert (height(surface, 0, x, y)[0] >= 0).all()


def test_the_parts_of_each_step_add_up():
    for name, run in race(Race(noise=0.5)).items():
        np.testing.assert_allclose(run.carried + run.fresh, np.diff(run.places, axis=0), atol=1e-12)
        assert run.carried.any() == (name in ("momentum", "Adam"))


def test_turning_the_surface_and_the_start_turns_sgd_but_not_adam():
    flat, quarter = (race(Race(x=x, y=y, angle=angle, rate=0.03)) for x, y, angle in ((1.0, 0.5, 0), (-0.5, 1.0, 90)))
    for name in RULES:  # a quarter turn maps axes to axes, so that nobody notices; at the bottom rounding decides
        np.testing.assert_allclose(flat[name].places[:30, 0], quarter[name].places[:30, 1], atol=1e-9)
    c = np.sqrt(0.5)
    start = np.array([1.0, 0.5])
    back = race(Race(x=1.0, y=0.5, rate=0.03))
    x, y = c * (start[0] - start[1]), c * (start[0] + start[1])
    slanted = race(dataclasses.replace(Race(rate=0.03, angle=45), x=float(x), y=float(y)))
    turn = np.array([[c, -c], [c, c]])
    for name in RULES:
        same = np.allclose(back[name].places[:30] @ turn.T, slanted[name].places[:30], atol=1e-9)
        assert same == (name in ("SGD", "momentum"))


def test_the_answers_of_the_challenges_hold():
    ends = {}
    for angle in (0, 45):
        around = np.linspace(0, 2 * np.pi, 16, endpoint=False) + angle * np.pi / 180 + 0.1
        runs = [race(Race(x=float(1.8 * np.cos(t)), y=float(1.8 * np.sin(t)), angle=angle)) for t in around]
        ends[angle] = {name: np.mean([np.log10(run[name].losses[40]) for run in runs]) for name in RULES}
    assert ends[45]["RMSprop"] - ends[0]["RMSprop"] > 9
    assert ends[45]["Adam"] - ends[0]["Adam"] > 0.1
    assert all(ends[45][name] == pytest.approx(ends[0][name], abs=1e-6) for name in ("SGD", "momentum"))
    assert race(Race(rate=0.3))["SGD"].diverged  # 0.3 > 2/12
    assert not race(Race(rate=0.1))["SGD"].diverged
    assert not race(Race(rate=0.3))["momentum"].diverged  # 0.3 < 3.8/12
    assert race(Race(rate=1.0))["momentum"].diverged
    for name in RULES:
        ridge = race(Race(surface="saddle", y=0.0))[name]
        assert ridge.losses[-1] > 0.45
        assert race(Race(surface="saddle", y=0.0, noise=0.1))[name].losses[-1] < 0.1


def test_a_racer_that_diverged_says_so_and_keeps_its_last_place():
    r = compute(Race(rate=1.0, steps=MOST), {})
    assert r.runs["SGD"].diverged
    assert "Diverged: SGD" in MODEL.describe(r)
    assert "diverged at step" in MODEL.render(r)


def my_sgd(w, dw, config):
    return w - config["learning_rate"] * dw, config


def my_momentum(w, dw, config):
    v = config["momentum"] * config.get("velocity", 0) - config["learning_rate"] * dw
    return w + v, {**config, "velocity": v}


def my_rmsprop(w, dw, config):
    config["cache"] = config["decay_rate"] * config.get("cache", 0) + (1 - config["decay_rate"]) * dw**2
    w -= config["learning_rate"] * dw / (np.sqrt(config["cache"]) + 1e-8)
    return w, config


def my_adam(w, dw, config, *, corrected=True, sign=-1):
    t = config.get("t", 0) + 1
    m = config["beta1"] * config.get("m", 0) + (1 - config["beta1"]) * dw
    v = config["beta2"] * config.get("v", 0) + (1 - config["beta2"]) * dw**2
    a, b = (1 - config["beta1"] ** t, 1 - config["beta2"] ** t) if corrected else (1, 1)
    step = config["learning_rate"] * (m / a) / (np.sqrt(v / b) + 1e-8)
    return w + sign * step, {**config, "m": m, "v": v, "t": t}


@pytest.mark.parametrize("rule", [my_sgd, my_momentum, my_rmsprop, my_adam])
def test_a_right_rule_agrees_on_every_surface(rule):
    watch = dict(zip((my_sgd, my_momentum, my_rmsprop, my_adam), RULES, strict=True))[rule]
    widget = widgets.optimizer_race(rule, state={"watch": watch, "steps": 150, "noise": 0.1})
    for surface in SURFACES:
        widget.set("surface", surface)
        assert widget.problem == ""
        assert f"agrees with {watch} step for step" in widget.status
    widget.close()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda w, dw, c: my_adam(w, dw, c, corrected=False), "leaves Adam at step 1"),
        (lambda w, dw, c: my_adam(w, dw, c, corrected=False), "is what Adam without bias correction makes"),
        (lambda w, dw, c: my_adam(w, dw, c, sign=1), "it goes uphill: a sign is wrong"),
        (lambda w, dw, c: (my_adam(w, dw, c)[0], c), "your rule leaves Adam at step 2"),
        (lambda w, dw, c: my_adam(w, dw, c)[0], "must return (next_w, config)"),
        (lambda w, dw, c: (w, None), "config must be a dict"),
        (lambda w, dw, c: (w[:1], c), "must return shape (2,), got (1,)"),
        (lambda w, dw: w, "raised TypeError"),
    ],
    ids=["no correction", "at step 1", "uphill", "forgets", "no config", "config None", "shape", "no config taken"],
)
def test_a_wrong_rule_is_told_how(rule, words):
    widget = widgets.optimizer_race(rule)
    assert words in widget.problem
    assert ("✗" in widget.picture) == ("must" not in words and "raised" not in words)
    widget.close()


def test_a_call_that_fails_names_no_line_of_the_widget():
    widget = widgets.optimizer_race(lambda w, dw: w)
    assert "takes 2 positional arguments but 3 were given" in widget.problem
    assert "(line" not in widget.problem
    widget.close()


def test_a_mistake_shows_before_the_first_step():
    widget = widgets.optimizer_race(lambda w, dw, c: 1 / 0, state={"steps": 0})
    assert "ZeroDivisionError" in widget.problem
    widget.close()


def test_a_click_moves_the_start_and_a_step_goes_on():
    widget = Static(MODEL, None, {})
    widget.point(Event("down", PLANE.x(0.52), PLANE.y(-1.23)))
    assert (widget.state.x, widget.state.y) == (0.5, -1.25)
    widget.point(Event("down", 600, 100))
    assert (widget.state.x, widget.state.y) == (0.5, -1.25)
    widget.point(Event("key", key="Backspace"))
    assert widget.state.steps == 0
    assert "No step yet" in widget.picture
    widget.point(Event("key", key="Enter"))
    widget.set("speed", "fast")
    widget.step()
    assert widget.state.steps == 6
    widget.set("steps", MOST)
    before = widget.state
    widget.step()
    assert widget.state is before
