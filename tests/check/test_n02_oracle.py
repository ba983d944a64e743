"""The oracle of N02's loss agrees with autograd, and its helpers do what they say."""

import numpy as np
import pytest
import torch

from cs231n_lib.check.n02_lifts import linear_accuracy, modes, quadrants, ring
from cs231n_lib.check.n02_oracle import case, data_loss, penalty, slopes


@pytest.mark.parametrize(("n", "d", "c"), [(6, 4, 3), (3, 7, 5), (2, 2, 8)])
def test_loss_and_slopes_agree_with_autograd(n, d, c):
    w, x, y = case(np.random.default_rng(n), n, d, c)
    weights = torch.tensor(w, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(torch.tensor(x) @ weights, torch.tensor(y))
    loss = loss + 0.5 * 0.7 * (weights[:-1] ** 2).sum()
    loss.backward()
    assert abs(data_loss(w, x, y) + penalty(w, 0.7) - loss.item()) < 1e-13
    measured = slopes(lambda v: data_loss(v, x, y) + penalty(v, 0.7), w)
    np.testing.assert_allclose(measured, weights.grad.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_hard_cases_are_hard_until_they_are_lifted(seed):
    rng = np.random.default_rng(seed)
    centers = np.array([[-1.3, 1.0], [1.5, 0.7], [0.0, -1.5]])
    for points, labels in (quadrants(rng, 400), ring(rng, 400), modes(rng, 400, centers)):
        assert linear_accuracy(points, labels) < 0.8
        assert linear_accuracy(labels[:, None].astype(float), labels) == 1.0
