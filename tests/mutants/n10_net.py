"""Planted bugs of N10: the ConvNet of three layers. Each class changes the right one in one place."""

import numpy as np

from tests.mutants import bug

NET = "fast-ThreeLayerConvNet"
WEIGHTS = ("W1", "W2", "W3")


class RightNet:
    def __init__(
        self,
        layers,
        *,
        input_dim=(3, 32, 32),
        num_filters=32,
        filter_size=5,
        hidden_dim=100,
        num_classes=10,
        reg=0.0,
        seed=0,
    ):
        c, h, w = input_dim
        self.layers, self.reg = layers, reg
        self.sizes = (c, h, w, num_filters, filter_size)
        rng = self.generator(seed)
        shapes = {
            "W1": (num_filters, c, filter_size, filter_size),
            "b1": (num_filters,),
            "W2": (self.flat(*self.sizes), hidden_dim),
            "b2": (hidden_dim,),
            "W3": (hidden_dim, num_classes),
            "b3": (num_classes,),
        }
        self.params = {name: self.draw(name, shape, rng) for name, shape in shapes.items()}

    def generator(self, seed):
        return np.random.default_rng(seed)

    def flat(self, c, h, w, f, k):
        return f * (h // 2) * (w // 2)

    def fan(self, shape):
        return np.prod(shape[1:]) if len(shape) == 4 else shape[0]

    def draw(self, name, shape, rng):
        if name.startswith("b"):
            return np.zeros(shape)
        return rng.normal(size=shape) * np.sqrt(2 / self.fan(shape))

    def penalty(self):
        return 0.5 * self.reg * sum((self.params[name] ** 2).sum() for name in WEIGHTS)

    def decay(self, name):
        return self.reg * self.params[name] if name in WEIGHTS else 0.0

    def pad(self):
        return (self.sizes[4] - 1) // 2

    def bend(self, hidden):
        return self.layers["relu_forward"](hidden)

    def last(self, scores):
        return scores

    def unpool(self, dpooled, cache, relu):
        return self.layers["relu_backward"](self.layers["max_pool_backward"](dpooled, cache), relu)

    def loss(self, X, y=None):
        p, do = self.params, self.layers
        maps, conv = do["conv_forward"](X, p["W1"], p["b1"], stride=1, pad=self.pad())
        maps, relu1 = do["relu_forward"](maps)
        pooled, pool = do["max_pool_forward"](maps, pool_h=2, pool_w=2, stride=2)
        hidden, affine1 = do["affine_forward"](pooled, p["W2"], p["b2"])
        hidden, relu2 = self.bend(hidden)
        scores, affine2 = do["affine_forward"](hidden, p["W3"], p["b3"])
        scores = self.last(scores)
        if y is None:
            return scores
        loss, dscores = do["softmax_loss"](scores, y)
        grads = {}
        dhidden, grads["W3"], grads["b3"] = do["affine_backward"](dscores, affine2)
        dhidden = do["relu_backward"](dhidden, relu2)
        dpooled, grads["W2"], grads["b2"] = do["affine_backward"](dhidden, affine1)
        dmaps = self.unpool(dpooled, pool, relu1)
        _, grads["W1"], grads["b1"] = do["conv_backward"](dmaps, conv)
        return loss + self.penalty(), {name: g + self.decay(name) for name, g in grads.items()}


@bug(NET, symptom="flat-from-filter")
class FlattensByTheFilter(RightNet):
    """Part C: flatten size from the filter, not from the input."""

    def flat(self, c, h, w, f, k):
        return f * k * k


@bug(NET, symptom="hard-coded-32")
class HardCodedTo32(RightNet):
    """Part C: right for CIFAR-10 alone."""

    def flat(self, c, h, w, f, k):
        return f * 16 * 16


@bug(NET, symptom="flat-before-pool")
class FlattensBeforePooling(RightNet):
    def flat(self, c, h, w, f, k):
        return f * h * w


@bug(NET, symptom="flat-no-pad")
class FlattensWithoutPad(RightNet):
    def flat(self, c, h, w, f, k):
        return f * ((h - k + 1) // 2) * ((w - k + 1) // 2)


@bug(NET, symptom="flat-square")
class FlattensSquares(RightNet):
    def flat(self, c, h, w, f, k):
        return f * (h // 2) ** 2


@bug(NET, symptom="flat-channels")
class FlattensTheImage(RightNet):
    def flat(self, c, h, w, f, k):
        return c * (h // 2) * (w // 2)


@bug(NET, symptom="skips-pool")
class SkipsThePool(RightNet):
    """Part C: the gradient is spread over each window as if nothing had been chosen."""

    def unpool(self, dpooled, cache, relu):
        return self.layers["relu_backward"](dpooled.repeat(2, axis=2).repeat(2, axis=3), relu)


@bug(NET, symptom="skips-pool")
class PoolsLikeAMean(RightNet):
    def unpool(self, dpooled, cache, relu):
        return self.layers["relu_backward"](dpooled.repeat(2, axis=2).repeat(2, axis=3) / 4, relu)


@bug(NET, symptom="skips-relu")
class SkipsTheRelu(RightNet):
    def unpool(self, dpooled, cache, relu):
        return self.layers["max_pool_backward"](dpooled, cache)


@bug(NET, symptom="reg-grad-missing")
class NoDecayOfW1(RightNet):
    """Part C: reg missing on W1, in its gradient."""

    def decay(self, name):
        return 0.0 if name == "W1" else super().decay(name)


@bug(NET, symptom="reg-one-missing")
class NoPenaltyOnW1(RightNet):
    """Part C: reg missing on W1, in the loss."""

    def penalty(self):
        return 0.5 * self.reg * sum((self.params[name] ** 2).sum() for name in ("W2", "W3"))


@bug(NET, symptom="reg-missing")
class NoPenalty(RightNet):
    def penalty(self):
        return 0.0


@bug(NET, symptom="reg-not-half")
class PenaltyNotHalved(RightNet):
    def penalty(self):
        return 2 * super().penalty()


@bug(NET, symptom="reg-biases")
class PenaltyOnBiases(RightNet):
    def penalty(self):
        return 0.5 * self.reg * sum((value**2).sum() for value in self.params.values())


@bug(NET, symptom="reg-grad-double")
class DecayTwice(RightNet):
    def decay(self, name):
        return 2 * super().decay(name)


@bug(NET, symptom="no-hidden-relu")
class LinearHead(RightNet):
    def bend(self, hidden):
        return hidden, np.ones_like(hidden)


@bug(NET, symptom="relu-on-scores")
class ReluOnScores(RightNet):
    def last(self, scores):
        return np.maximum(scores, 0)


@bug(NET, symptom="fan-out")
class SpreadByOutputs(RightNet):
    def fan(self, shape):
        return shape[0] if len(shape) == 4 else shape[1]


@bug(NET, symptom="spread")
class OneSmallScale(RightNet):
    def fan(self, shape):
        return 2e6


@bug(NET, symptom="bias-drawn")
class DrawsBiases(RightNet):
    def draw(self, name, shape, rng):
        return rng.normal(size=shape) * 0.1


@bug(NET, symptom="seed")
class IgnoresTheSeed(RightNet):
    def generator(self, seed):
        return np.random.default_rng(0)


@bug(NET, symptom="scores-not-alone")
class AlwaysAPair(RightNet):
    def loss(self, X, y=None):
        if y is None:
            return super().loss(X), {}
        return super().loss(X, y)


@bug(NET, symptom="changes-params")
class DecaysInPlace(RightNet):
    def loss(self, X, y=None):
        returned = super().loss(X, y)
        if y is not None:
            self.params["W1"] += 1e-3
        return returned
