"""The softmax calculator against the slide's numbers and torch."""

import numpy as np
import pytest
import torch

from cs231n_lib import widgets
from cs231n_lib.widgets.base import Static
from cs231n_lib.widgets.softmax import CLASSES, MODEL, Scores, compute, describe


def test_the_slides_numbers():
    r = compute(Scores(), {})
    assert [f"{e:.1f}" for e in r.naive_exps[:2]] == ["24.5", "164.0"]
    assert f"{r.naive_exps[2]:.2f}" == "0.18"
    assert [f"{q:.2f}" for q in r.q] == ["0.13", "0.87", "0.00"]
    assert r.cross_entropy == pytest.approx(2.0404, abs=5e-5)
    assert compute(Scores(log="log2"), {}).cross_entropy == pytest.approx(2.94, abs=0.005)
    assert r.entropy == 0
    assert r.divergence == r.cross_entropy  # one-hot: cross-entropy is the divergence
    picture = Static(MODEL, None, {}).picture
    for told in ("24.5", "164.0", "0.18", "0.13", "0.87", "2.04", ">0.00<"):
        assert told in picture


@pytest.mark.parametrize("seed", range(8))
def test_against_torch(seed):
    rng = np.random.default_rng(seed)
    scores = [float(v) for v in rng.uniform(-20, 20, size=3)]
    truth, t = CLASSES[seed % 3], [0.1, 0.5, 1.0, 4.0][seed % 4]
    state = Scores(*scores, truth=truth, softness=0.05 * seed, temperature=t, shift=50 * seed)
    r = compute(state, {})
    z = torch.tensor([(s + state.shift) / t for s in scores], dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(CLASSES.index(truth)), label_smoothing=state.softness)
    loss.backward()
    assert r.cross_entropy == pytest.approx(loss.item(), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(r.gradient, z.grad.numpy(), atol=1e-12)
    q = torch.distributions.Categorical(logits=z.detach())
    p = torch.distributions.Categorical(probs=torch.tensor(r.p))
    assert r.divergence == pytest.approx(torch.distributions.kl_divergence(p, q).item(), rel=1e-6, abs=1e-9)
    assert r.entropy == pytest.approx(p.entropy().item(), abs=1e-6)


@pytest.mark.parametrize("shift", [1000, -1000])
def test_a_shift_breaks_the_naive_formula_and_not_the_stable_one(shift):
    plain, moved = compute(Scores(), {}), compute(Scores(shift=shift), {})
    assert moved.cross_entropy == pytest.approx(plain.cross_entropy, rel=1e-12)
    np.testing.assert_allclose(moved.q, plain.q, rtol=1e-12)
    assert np.isnan(moved.naive_loss)
    assert "The naive formula gives nan" in describe(moved)
    assert plain.naive_loss == pytest.approx(plain.cross_entropy)


def test_equal_scores_give_ln_3():
    r = compute(Scores(cat=2.0, car=2.0, frog=2.0), {})
    assert r.cross_entropy == pytest.approx(np.log(3))
    assert "ln 3" in describe(r)


def right(scores, y):
    z = scores - scores.max(axis=1, keepdims=True)
    q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.log(q[np.arange(len(y)), y]).mean()
    q[np.arange(len(y)), y] -= 1
    return loss, q / len(y)


def test_a_right_function_agrees_at_every_move():
    widget = widgets.softmax_calculator(right)
    for field, value in (("cat", -3.0), ("shift", 1000), ("temperature", 0.5), ("truth", "frog"), ("log", "log2")):
        widget.set(field, value)
        assert widget.problem == ""
        assert "Your function agrees." in widget.status
    widget.set("softness", 0.5)
    assert "agrees" not in widget.status  # hard labels only: the function is not asked
    widget.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda s, y: (right(s, y)[0] * 2, right(s, y)[1]), "your loss is 4.081 nats, expected 2.04"),
        (lambda s, y: (right(s, y)[0], -right(s, y)[1]), "its gradient for cat is 0.8"),
        (lambda s, y: right(s, y)[0], "must return a tuple"),
        (lambda s, y: (np.ones(3), np.ones(3)), "must return shape (), got (3,)"),
        (lambda s, y: (-np.log((np.exp(s) / np.exp(s).sum())[0, y[0]]), right(s, y)[1]), ""),
    ],
    ids=["twice", "sign", "no gradient", "vector", "naive"],
)
def test_a_wrong_function_is_told_how(wrong, words):
    widget = widgets.softmax_calculator(wrong)
    assert words in widget.problem
    assert bool(widget.problem) == bool(words)
    with np.errstate(all="ignore"):
        widget.set("shift", 1000)
    if not words:  # the naive one is right until its exponentials overflow
        assert "your loss is nan nats, expected 2.04" in widget.problem
    widget.close()
