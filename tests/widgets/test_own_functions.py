"""The notebooks' own functions in the widgets: the course's answers agree, also the slow loops."""

import time

import numpy as np
import pytest

from cs231n_lib import widgets
from tests.cells import namespace

MOST_MS = 250  # CPU time of a move that runs Python loops over the picture's numbers: written naively, as students do


@pytest.fixture(scope="module")
def answers():
    found = {}
    for notebook in ("a1/N01_knn.py", "a1/N04_two_layer_net.py", "a2/N09_convolution.py"):
        found |= namespace(notebook, "setup", "solution")
    return found


@pytest.mark.parametrize("distances", ["compute_distances_two_loops", "compute_distances_no_loops"])
def test_knn(answers, distances):
    def mine(X, X_train, y, k):
        return answers["predict_labels"](answers[distances](X, X_train), y, k=k)

    widget = widgets.knn_explorer(mine)
    for field, value in (("k", 4), ("classes", 5), ("angle", 45), ("per_class", 24)):
        start = time.process_time()
        widget.set(field, value)
        assert 1e3 * (time.process_time() - start) < MOST_MS
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_convolution(answers):
    widget = widgets.conv_explorer(answers["conv_forward_naive"])
    for field, value in (("pad", 2), ("kernel", 5), ("size", 32), ("channels", 16)):
        start = time.process_time()
        widget.set(field, value)
        assert 1e3 * (time.process_time() - start) < MOST_MS
        assert "Your function agrees." in widget.status, widget.problem
    widget.close()


def test_softmax(answers):
    widget = widgets.softmax_calculator(answers["softmax_loss"])
    for field, value in (("cat", -12.5), ("shift", 1000), ("temperature", 0.1)):
        widget.set(field, value)
        assert "Your function agrees." in widget.status, widget.problem
    assert np.isfinite(widget.model.compute(widget.state, {}).cross_entropy)
    widget.close()
