"""Planted bugs of N04 that keep something between calls: a forward pass that leaves its inputs in a global."""

import numpy as np

from tests.mutants import bug

latest: dict = {}


def affine_forward(x, w, b):
    latest.update(x=x, w=w)
    return x.reshape(len(x), -1) @ w + b, "see latest"


def relu_forward(x):
    latest.update(mask=x > 0)
    return np.maximum(x, 0), "see latest"


@bug("net-affine_backward", symptom="uses-latest")
def reads_the_latest_inputs(dout, cache):
    x, w = latest["x"], latest["w"]
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


@bug("net-relu_backward", symptom="uses-latest")
def reads_the_latest_mask(dout, cache):
    return dout * latest["mask"]
