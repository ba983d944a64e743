"""What students of N03 read when the check they wrote lets wrong layers through."""

import numpy as np
import pytest

from cs231n_lib.check import check
from cs231n_lib.check.n03_layers import RIGHT, WRONG, Layer
from tests.mutants.n03_checks import CASES, WEAK, case


@pytest.mark.parametrize(("answer", "symptom", "missed"), [weak[1:] for weak in WEAK], ids=[weak[0] for weak in WEAK])
def test_a_weak_check_loses_a_point_for_each_miss_and_hears_about_the_first(answer, symptom, missed):
    result = check("grad-check_affine_backward", answer)
    assert (result.status, result.symptom) == ("passed", symptom)
    assert result.points == 10 - missed
    assert str(10 - missed) in result.message


@pytest.mark.parametrize("style", RIGHT)
def test_right_layers_agree_with_autograd(style):
    torch = pytest.importorskip("torch")
    for seed, shape in enumerate(CASES):
        arrays = case(seed, *shape)
        x, w, b, dout = (torch.tensor(a, requires_grad=True) for a in arrays)
        out = x.flatten(1) @ w + b
        out.backward(dout)
        layer = RIGHT[style]()
        got, cache = layer.forward(*arrays[:3])
        np.testing.assert_allclose(got, out.detach().numpy(), rtol=1e-12, atol=1e-12)
        for grad, leaf in zip(layer.backward(arrays[3], cache), (x, w, b), strict=True):
            np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_every_wrong_layer_is_wrong_on_a_general_case(wrong):
    layer = Layer(wrong.alter)
    layer.forward(*case(5, 2, (3, 2), 3)[:3])
    arrays = case(0, 2, (3, 2), 3)
    got = layer.backward(arrays[3], layer.forward(*arrays[:3])[1])
    want = Layer().backward(arrays[3], Layer().forward(*arrays[:3])[1])
    same = [np.shape(g) == w.shape and np.allclose(g, w, rtol=1e-5, atol=0) for g, w in zip(got, want, strict=True)]
    assert not all(same)
