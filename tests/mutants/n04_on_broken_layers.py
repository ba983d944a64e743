"""Planted bugs of N04 that lie one floor below: right nets on a wrong layer. The check must name the layer."""

import numpy as np

from tests.mutants import bug
from tests.mutants.n04_layers import affine_backward as right_backward
from tests.mutants.n04_layers import affine_forward, relu_forward, softmax_loss
from tests.mutants.n04_net import RightNet


def affine_backward(dout, cache):
    dx, dw, db = right_backward(dout, cache)
    return dx, dw, db / len(dout)


def relu_backward(dout, cache):
    raise NotImplementedError


class OnTheseLayers(RightNet):
    def down(self, dhidden, relu):
        return np.where(relu > 0, dhidden, 0)

    def loss(self, X, y=None):
        p = self.params
        before, affine1 = affine_forward(X, p["W1"], p["b1"])
        hidden, relu = relu_forward(before)
        scores, affine2 = affine_forward(hidden, p["W2"], p["b2"])
        if y is None:
            return scores
        data_loss, dscores = softmax_loss(scores, y)
        dhidden, dw2, db2 = affine_backward(dscores, affine2)
        _, dw1, db1 = affine_backward(self.down(dhidden, relu), affine1)
        grads = {"W1": dw1, "b1": db1, "W2": dw2, "b2": db2}
        return data_loss + self.penalty(), {key: grad + self.decay(key) for key, grad in grads.items()}


@bug("net-TwoLayerNet", symptom="layer-wrong")
class OnAMeanOfBiases(OnTheseLayers):
    pass


@bug("net-TwoLayerNet", symptom="layer-missing")
class OnAnUnfinishedRelu(OnTheseLayers):
    def down(self, dhidden, relu):
        return relu_backward(dhidden, relu)


@bug("net-train", symptom="layer-missing")
def trains_on_an_unfinished_relu(X_train, y_train, X_val, y_val):
    net = OnAnUnfinishedRelu(input_dim=X_train.shape[1], hidden_dim=4, num_classes=8, seed=0)
    net.loss(X_train[:5], y_train[:5])
