"""The oracles of N06 against others: sums against PyTorch, a net on PyTorch against NumPy and small steps."""

import numpy as np

from cs231n_lib.check.n06_oracle import net_loss, net_scores, random_params
from cs231n_lib.check.n06_overfit import DIMS, NEEDED, STEPS
from cs231n_lib.check.n06_rules import averages, momentum_oracle, walk
from cs231n_lib.check.n06_runs import fresh_pictures, run
from cs231n_lib.gradient_check import check_gradient


def test_momentum_at_a_constant_rate_is_pytorchs():
    import torch

    rng = np.random.default_rng(0)
    w, grads = rng.normal(size=(3, 2)), list(rng.normal(size=(6, 3, 2)))
    theirs = walk(lambda leaf: torch.optim.SGD([leaf], lr=0.1, momentum=0.7), w, grads, [0.1] * 6)
    np.testing.assert_allclose(momentum_oracle(w, grads, [0.1] * 6, {"momentum": 0.7}), theirs, rtol=1e-12)


def test_an_average_of_equal_values_falls_short_by_the_power_of_its_decay():
    np.testing.assert_allclose(averages([np.full(2, 5.0)] * 4, 0.9), np.full(2, 5.0 * (1 - 0.9**4)))


def test_net_scores_and_slopes():
    rng = np.random.default_rng(1)
    params, x, y = random_params(rng, [6, 5, 4, 3]), rng.normal(size=(7, 3, 2)), rng.integers(0, 3, size=7)
    hidden = x.reshape(7, 6)
    for layer in (1, 2):
        hidden = np.maximum(hidden @ params[f"W{layer}"] + params[f"b{layer}"], 0)
    np.testing.assert_allclose(net_scores(params, x), hidden @ params["W3"] + params["b3"])
    for name, slope in net_loss(params, x, y)[1].items():
        check_gradient(lambda value, name=name: net_loss(params | {name: value}, x, y)[0], params[name], slope)


def test_the_settings_of_the_reference_overfit_every_draw():
    known = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        (pictures,) = fresh_pictures(rng, [50])
        options = {"rule": "sgd", "learning_rate": 0.02, "reg": 0.0, "batch_size": 25, "steps": STEPS}
        known.append(run(DIMS, pictures, pictures, rng, weight_scale=0.13, **options).learned)
    assert min(known) >= NEEDED
