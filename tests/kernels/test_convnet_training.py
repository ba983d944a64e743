"""A small ConvNet of kernels and plain NumPy follows the same net in torch, step by step."""

from __future__ import annotations

import numpy as np
import torch

from cs231n_lib.kernels import conv_backward_fast, conv_forward_fast, max_pool_backward_fast, max_pool_forward_fast

HALVE = {"pool_h": 2, "pool_w": 2, "stride": 2}
NAMES = ("w1", "b1", "w2", "b2", "w3", "b3")


def initial_parameters(rng):
    shapes = ((8, 3, 5, 5), (8,), (16, 8, 3, 3), (16,), (16 * 4 * 4, 10), (10,))
    return {
        name: rng.normal(size=shape) * (0.0 if len(shape) == 1 else 0.1)
        for name, shape in zip(NAMES, shapes, strict=True)
    }


def loss_and_grads(params, x, y):
    """conv - relu - pool - conv - relu - pool - affine - softmax, forward then backward."""
    a1, conv1 = conv_forward_fast(x, params["w1"], params["b1"], pad=2)
    p1, pool1 = max_pool_forward_fast(np.maximum(a1, 0), **HALVE)
    a2, conv2 = conv_forward_fast(p1, params["w2"], params["b2"], pad=1)
    p2, pool2 = max_pool_forward_fast(np.maximum(a2, 0), **HALVE)
    rows = p2.reshape(len(x), -1)
    scores = rows @ params["w3"] + params["b3"]
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probs[np.arange(len(x)), y].mean()

    dscores = np.exp(log_probs)
    dscores[np.arange(len(x)), y] -= 1
    dscores /= len(x)
    grads = {"w3": rows.T @ dscores, "b3": dscores.sum(axis=0)}
    da2 = max_pool_backward_fast((dscores @ params["w3"].T).reshape(p2.shape), pool2) * (a2 > 0)
    dp1, grads["w2"], grads["b2"] = conv_backward_fast(da2, conv2)
    da1 = max_pool_backward_fast(dp1, pool1) * (a1 > 0)
    _, grads["w1"], grads["b1"] = conv_backward_fast(da1, conv1)
    return loss, grads


def torch_loss(params, x, y):
    f = torch.nn.functional
    h = f.max_pool2d(f.conv2d(x, params["w1"], params["b1"], padding=2).relu(), 2)
    h = f.max_pool2d(f.conv2d(h, params["w2"], params["b2"], padding=1).relu(), 2)
    return f.cross_entropy(h.flatten(1) @ params["w3"] + params["b3"], y)


def test_twenty_sgd_steps_agree_with_torch():
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(60, 3, 16, 16)), rng.integers(10, size=60)
    images += rng.normal(size=(10, 3, 16, 16))[labels]  # each class has a pattern, so there is something to learn
    params = initial_parameters(rng)
    peers = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    losses, want = [], []
    for step in range(20):
        batch = np.arange(20) + step % 3 * 20
        loss, grads = loss_and_grads(params, images[batch], labels[batch])
        params = {name: value - 0.1 * grads[name] for name, value in params.items()}
        losses.append(loss)

        peer_loss = torch_loss(peers, torch.tensor(images[batch]), torch.tensor(labels[batch]))
        peer_grads = torch.autograd.grad(peer_loss, list(peers.values()))
        peers = {
            name: (value - 0.1 * grad).detach().requires_grad_()
            for (name, value), grad in zip(peers.items(), peer_grads, strict=True)
        }
        want.append(peer_loss.item())
    np.testing.assert_allclose(losses, want, rtol=1e-6)
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])  # it did train
