"""Optimizers against torch and against rules worked by hand; schedules at the points where their value is known."""

import numpy as np
import pytest

from cs231n_lib import optim
from cs231n_lib.optim import SGD, FromRule


def arrays(*, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {"W": rng.normal(size=(3, 4)).astype(dtype), "b": rng.normal(size=4).astype(dtype)}


def heavy_ball(w, dw, config):
    """A rule with memory for the tests; torch.optim.SGD(momentum=...) is its oracle."""
    velocity = config.get("buffer", 0.0) * config["friction"] + dw
    return w - config["learning_rate"] * velocity, config | {"buffer": velocity, "count": config.get("count", 0) + 1}


def in_place(w, dw, config):
    w -= config["learning_rate"] * dw
    dw[:] = np.nan
    return w, config


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_sgd_matches_torch_over_several_steps(weight_decay):
    torch = pytest.importorskip("torch")
    ours, start = arrays(), arrays()
    theirs = {name: torch.nn.Parameter(torch.from_numpy(w.copy())) for name, w in start.items()}
    reference = torch.optim.SGD(theirs.values(), lr=0.1, weight_decay=weight_decay)
    optimizer = SGD(learning_rate=0.1, weight_decay=weight_decay)
    for seed in range(5):
        grads = arrays(seed=seed + 10)
        ours = optimizer.step(ours, grads)
        for name, parameter in theirs.items():
            parameter.grad = torch.from_numpy(grads[name])
        reference.step()
    for name in start:
        np.testing.assert_allclose(ours[name], theirs[name].detach().numpy(), rtol=1e-14)


def test_a_rule_with_memory_matches_torch_momentum_and_keeps_one_config_per_parameter():
    torch = pytest.importorskip("torch")
    ours, start = arrays(), arrays()
    theirs = {name: torch.nn.Parameter(torch.from_numpy(w.copy())) for name, w in start.items()}
    reference = torch.optim.SGD(theirs.values(), lr=0.1, momentum=0.9)
    optimizer = FromRule(heavy_ball, learning_rate=0.1, config={"friction": 0.9})
    for seed in range(5):
        grads = arrays(seed=seed + 10)
        ours = optimizer.step(ours, grads)
        for name, parameter in theirs.items():
            parameter.grad = torch.from_numpy(grads[name])
        reference.step()
    for name in start:
        np.testing.assert_allclose(ours[name], theirs[name].detach().numpy(), rtol=1e-13)
    assert int(optimizer.state_dict()["config/count/W"]) == 5  # a count shared by both parameters would be 10


@pytest.mark.parametrize("make", [lambda: SGD(learning_rate=0.1), lambda: FromRule(in_place, learning_rate=0.1)])
def test_stanford_defect_no_step_writes_into_its_arguments(make):
    params, grads = arrays(), arrays(seed=1)
    result = make().step(params, grads)
    for name, w in arrays().items():
        np.testing.assert_array_equal(params[name], w)
        np.testing.assert_array_equal(grads[name], arrays(seed=1)[name])
        assert not np.shares_memory(result[name], params[name])
        np.testing.assert_allclose(result[name], w - 0.1 * grads[name])


def test_a_step_of_length_zero_still_returns_new_arrays():
    params = arrays()
    result = SGD(learning_rate=0.0).step(params, arrays(seed=1))
    assert not np.shares_memory(result["W"], params["W"])
    np.testing.assert_array_equal(result["W"], params["W"])


@pytest.mark.parametrize("make", [lambda: SGD(learning_rate=0.1), lambda: FromRule(heavy_ball, learning_rate=0.1)])
def test_float32_parameters_stay_float32_whatever_the_gradients_are(make):
    optimizer = make()
    if isinstance(optimizer, FromRule):
        optimizer.config["friction"] = 0.9
    result = optimizer.step(arrays(dtype=np.float32), arrays(seed=1), factor=np.float64(0.5))
    assert {w.dtype for w in result.values()} == {np.dtype(np.float32)}


def test_the_learning_rate_can_be_edited_between_steps_and_is_multiplied_by_the_schedule():
    params, grads = {"w": np.array([1.0])}, {"w": np.array([1.0])}
    optimizer = SGD(learning_rate=0.1)
    assert optimizer.step(params, grads)["w"][0] == pytest.approx(0.9)
    optimizer.learning_rate = 0.4
    assert optimizer.step(params, grads)["w"][0] == pytest.approx(0.6)
    assert optimizer.step(params, grads, factor=0.5)["w"][0] == pytest.approx(0.8)
    rule = FromRule(in_place, learning_rate=0.1)
    rule.step(params, grads)
    rule.learning_rate = 0.4  # a rate remembered in the config would win over this one
    assert rule.step(params, grads, factor=0.5)["w"][0] == pytest.approx(0.8)


def test_a_restored_optimizer_goes_on_bit_for_bit():
    first = FromRule(heavy_ball, learning_rate=0.1, config={"friction": 0.9})
    params = arrays()
    for seed in range(3):
        params = first.step(params, arrays(seed=seed + 10))
    state = first.state_dict()
    second = FromRule(heavy_ball, learning_rate=9.0, config={"friction": 0.9})
    second.load_state_dict(state)
    expected, got = first.step(params, arrays(seed=20)), second.step(params, arrays(seed=20))
    for name in params:
        np.testing.assert_array_equal(got[name], expected[name])
    assert all(value.dtype.kind in "biufU" for value in state.values())  # plain arrays: no pickle in a checkpoint


def test_state_is_a_copy_and_numbers_come_back_as_python_numbers():
    optimizer = FromRule(heavy_ball, learning_rate=0.1, config={"friction": 0.9})
    optimizer.step(arrays(), arrays())
    state = optimizer.state_dict()
    before = state["config/buffer/W"].copy()
    optimizer.step(arrays(), arrays())
    np.testing.assert_array_equal(state["config/buffer/W"], before)
    seen = []

    def spy_rule(w, dw, config):
        seen.append(config)
        return w, config

    spy = FromRule(spy_rule, learning_rate=0.1)
    spy.load_state_dict(state | {"kind": np.array("FromRule(spy_rule)")})
    spy.step(arrays(), arrays())
    assert type(seen[0]["count"]) is int
    assert type(seen[0]["friction"]) is float


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SGD(learning_rate=-1), "SGD: learning_rate must be a finite number >= 0, got -1"),
        (lambda: SGD(learning_rate=float("nan")), "learning_rate must be a finite number >= 0, got nan"),
        (lambda: SGD(learning_rate=1, weight_decay=-1), "weight_decay must be a finite number >= 0, got -1"),
        (lambda: SGD(learning_rate=1).step(arrays(), {"W": np.zeros((3, 4))}), r"got \['b'\] missing"),
        (
            lambda: SGD(learning_rate=1).step({"b": np.zeros(4)}, {"b": np.zeros((1, 4))}),
            r"grads\['b'\] must be of shape \(4,\) like its parameter, got \(1, 4\)",
        ),
        (lambda: SGD(learning_rate=1).load_state_dict({}), "state must come from the optimizer SGD, got None"),
        (
            lambda: FromRule(heavy_ball, learning_rate=1).load_state_dict(
                FromRule(in_place, learning_rate=1).state_dict()
            ),
            r"must come from the optimizer FromRule\(heavy_ball\), got FromRule\(in_place\)",
        ),
        (lambda: FromRule(in_place, learning_rate=1, config={"learning_rate": 2}), "must not hold learning_rate"),
        (
            lambda: FromRule(lambda w, dw, c: (w[:1], c), learning_rate=1).step(arrays(), arrays()),
            r"next_w of 'W' must be of shape \(3, 4\) like w, got \(1, 4\)",
        ),
    ],
)
def test_errors_name_the_argument_and_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_rule_that_forgets_to_return_its_config_or_anything_is_named():
    with pytest.raises(TypeError, match=r"rule must return \(next_w, config\), got an array of shape \(3, 4\)"):
        FromRule(lambda w, dw, config: w, learning_rate=1).step(arrays(), arrays())
    with pytest.raises(TypeError, match="got None"):
        FromRule(lambda w, dw, config: None, learning_rate=1).step(arrays(), arrays())


def test_a_config_that_cannot_be_saved_is_named():
    optimizer = FromRule(lambda w, dw, config: (w, config | {"log": ["text"]}), learning_rate=1)
    optimizer.step(arrays(), arrays())
    with pytest.raises(TypeError, match=r"config\['log'\] must be a number or an array"):
        optimizer.state_dict()


def test_schedules_at_known_points():
    assert optim.constant(3.7) == 1
    assert [optim.step_decay(e, every=2, factor=0.1) for e in (0, 1.99, 2, 4)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [optim.exponential_decay(e, rate=0.25) for e in (0, 0.5, 2)] == pytest.approx([1, 0.5, 0.0625])
    got = [optim.cosine(e, num_epochs=10, floor=0.2) for e in (0, 5, 10, 11)]
    assert got == pytest.approx([1, 0.6, 0.2, 0.2])
    assert [optim.warm_up(e, num_epochs=2, start=0.2) for e in (0, 1, 2, 9)] == pytest.approx([0.2, 0.6, 1, 1])


def test_cosine_matches_torch():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
    for epoch in range(8):
        assert optim.cosine(epoch, num_epochs=8) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()
