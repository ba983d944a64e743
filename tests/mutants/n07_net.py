"""Planted bugs of N07: batch norm wired into a net, and wrong answers to the questions about it."""

import numpy as np

from tests.mutants import bug, wrong_answer

NET = "norm-NormalizedNet"


class RightNet:
    """The net, in small steps that a planted bug overrides."""

    shared_state = False
    relu_first = False

    def __init__(self, params, *, norm_forward, norm_backward):
        self.params, self.norm_forward, self.norm_backward = dict(params), norm_forward, norm_backward
        self.depth = sum(name.startswith("W") for name in params)
        self.state = {}

    def key(self, i):
        return i

    def normalize(self, x, i, train):
        p, j = self.params, self.key(i)
        out, cache, mean, var = self.norm_forward(
            x, p[f"gamma{i}"], p[f"beta{i}"], self.state[f"mean{j}"], self.state[f"var{j}"], train=train
        )
        self.keep(i, mean, var, train)
        return out, cache

    def keep(self, i, mean, var, train):
        self.state[f"mean{i}"], self.state[f"var{i}"] = mean, var

    def mode(self, y):
        return y is not None

    def caches_backward(self, caches):
        return caches[::-1]

    def norm_slopes(self, dh, cache):
        return self.norm_backward(dh, cache)

    def scores(self, h):
        return h

    def loss(self, X, y=None):
        p, h, caches = self.params, X, []
        for i in range(1, self.depth):
            x, a = h, h @ p[f"W{i}"] + p[f"b{i}"]
            n, cache = self.normalize(np.maximum(a, 0) if self.relu_first else a, i, self.mode(y))
            h = n if self.relu_first else np.maximum(n, 0)
            caches.append((x, n, cache))
        scores = self.scores(h @ p[f"W{self.depth}"] + p[f"b{self.depth}"])
        if y is None:
            return scores
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[np.arange(len(y)), y]).mean()
        probabilities[np.arange(len(y)), y] -= 1
        d = probabilities / len(y)
        grads = {f"W{self.depth}": h.T @ d, f"b{self.depth}": d.sum(axis=0)}
        dh = d @ p[f"W{self.depth}"].T
        for i, (x, n, cache) in zip(range(self.depth - 1, 0, -1), self.caches_backward(caches), strict=True):
            da, dgamma, dbeta = self.norm_slopes(dh * (n > 0), cache)
            grads |= {f"W{i}": x.T @ da, f"b{i}": da.sum(axis=0), f"gamma{i}": dgamma, f"beta{i}": dbeta}
            dh = da @ p[f"W{i}"].T
        return loss, self.finish(grads)

    def finish(self, grads):
        return grads


@bug(NET, symptom="mode")
class AlwaysTrains(RightNet):
    def mode(self, y):
        return True


@bug(NET, symptom="mode")
class ModeTheWrongWayRound(RightNet):
    def mode(self, y):
        return y is None


@bug(NET, symptom="state-not-kept")
class DropsTheNewStatistics(RightNet):
    def keep(self, i, mean, var, train):
        pass


@bug(NET, symptom="state-changed")
class TouchesTheStateInTestMode(RightNet):
    def keep(self, i, mean, var, train):
        super().keep(i, mean if train else 0.9 * mean, var, train)


@bug(NET, symptom="state-shared")
class OneStateForAllLayers(RightNet):
    def key(self, i):
        return 1


@bug(NET, symptom="relu-first")
class NormAfterRelu(RightNet):
    relu_first = True


@bug(NET, symptom="relu-last")
class ReluOnTheScores(RightNet):
    def scores(self, h):
        return np.maximum(h, 0)


@bug(NET, symptom="norm-not-called")
class NoNorm(RightNet):
    def normalize(self, x, i, train):
        return x, None


@bug(NET, symptom="norm-not-called")
class ItsOwnNorm(RightNet):
    def normalize(self, x, i, train):
        mean, var = (x.mean(0), x.var(0)) if train else (self.state[f"mean{i}"], self.state[f"var{i}"])
        return self.params[f"gamma{i}"] * (x - mean) / np.sqrt(var + 1e-5) + self.params[f"beta{i}"], None


@bug(NET, symptom="norm-count")
class NormalizesTheScoresToo(RightNet):
    def scores(self, h):
        zero = np.zeros(h.shape[1])
        return self.norm_forward(h, zero + 1, zero, zero, zero + 1, train=False)[0]


@bug(NET, symptom="norm-backward-skipped")
class GradientPastTheNorm(RightNet):
    def norm_slopes(self, dh, cache):
        return dh, dh.sum(axis=0), dh.sum(axis=0)


@bug(NET, symptom="gamma-beta-swapped")
class BetaBeforeGamma(RightNet):
    def norm_slopes(self, dh, cache):
        dx, dgamma, dbeta = self.norm_backward(dh, cache)
        return dx, dbeta, dgamma


@bug(NET, symptom="grad-keys")
class NoGradientForGamma(RightNet):
    def finish(self, grads):
        return {name: grad for name, grad in grads.items() if not name.startswith("gamma")}


@bug(NET, symptom="values")
class CachesInForwardOrder(RightNet):
    def norm_slopes(self, dh, cache):
        self.turn = getattr(self, "turn", -1) + 1
        return self.norm_backward(dh, self.turn % (self.depth - 1))


@bug(NET, symptom="values")
class NoReluBackward(RightNet):
    def norm_slopes(self, dh, cache):
        return self.norm_backward(dh + 0.1, cache)


@bug(NET, symptom="norm-cache")
class NormWithoutItsCache(RightNet):
    def norm_slopes(self, dh, cache):
        return self.norm_backward(dh, (dh, cache))


@bug(NET, symptom="scores-not-alone")
class ScoresInAPair(RightNet):
    def loss(self, X, y=None):
        result = super().loss(X, y)
        return (result, {}) if y is None else result


@bug(NET, symptom="params-changed")
class MovesTheParameters(RightNet):
    def finish(self, grads):
        self.params["W1"] = self.params["W1"] - 0.1 * grads["W1"]
        return grads


@bug(NET, symptom="train-missing")
class ForgetsToSayTheMode(RightNet):
    def normalize(self, x, i, train):
        p, s = self.params, self.state
        arrays = (x, p[f"gamma{i}"], p[f"beta{i}"], s[f"mean{i}"], s[f"var{i}"])
        return self.norm_forward(*arrays)[:2]


wrong_answer("norm-q1", "one too many", {"A", "B", "C", "F"}, points=2 / 3)
wrong_answer("norm-q1", "one missing", {"A", "F"}, points=2 / 3)
wrong_answer("norm-q1", "the wrong half", {"C", "D", "E"})
wrong_answer("norm-q1", "a word", "ABF", symptom="not-set")
wrong_answer("norm-q2", "one missing", {"A", "B"}, points=2 / 3)
wrong_answer("norm-q2", "all", set("ABCDE"), points=1 / 3)
wrong_answer("norm-q2", "the wrong half", {"D", "E"})
wrong_answer("norm-q2", "no such letter", {"A", "F"}, symptom="letters")
