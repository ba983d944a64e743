"""Planted bugs of N07: layer norm, and wrong answers to the questions about it."""

import numpy as np

from tests.mutants import bug, wrong_answer
from tests.mutants.n07_batchnorm import right_backward as batch_backward

FORWARD, BACKWARD = "norm-layernorm_forward", "norm-layernorm_backward"


def right_forward(x, gamma, beta, *, eps=1e-5):
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, (x, gamma, mean, var, eps)


@bug(FORWARD, symptom="axis")
def normalizes_columns(x, gamma, beta, *, eps=1e-5):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta, None


@bug(FORWARD, symptom="axis")
def columns_when_the_shapes_allow(x, gamma, beta, *, eps=1e-5):
    out, cache = right_forward(x, gamma, beta, eps=eps)
    return (normalizes_columns(x, gamma, beta, eps=eps)[0] if len(x) == x.shape[1] else out), cache


@bug(FORWARD, symptom="one-mean-for-all")
def one_mean(x, gamma, beta, *, eps=1e-5):
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta, None


@bug(FORWARD, symptom="ddof")
def divides_by_d_minus_1(x, gamma, beta, *, eps=1e-5):
    var = x.var(axis=1, keepdims=True, ddof=1)
    return gamma * (x - x.mean(axis=1, keepdims=True)) / np.sqrt(var + eps) + beta, None


@bug(FORWARD, symptom="eps-outside")
def eps_outside(x, gamma, beta, *, eps=1e-5):
    return gamma * (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + eps) + beta, None


@bug(FORWARD, symptom="no-eps")
def without_eps(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, gamma, beta, eps=0.0)


@bug(FORWARD, symptom="eps-fixed")
def with_its_own_eps(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, gamma, beta, eps=1e-5)


@bug(FORWARD, symptom="no-root")
def without_the_root(x, gamma, beta, *, eps=1e-5):
    var = x.var(axis=1, keepdims=True)
    return gamma * (x - x.mean(axis=1, keepdims=True)) / (var + eps) + beta, None


@bug(FORWARD, symptom="not-centred")
def without_the_mean(x, gamma, beta, *, eps=1e-5):
    return gamma * x / np.sqrt(x.var(axis=1, keepdims=True) + eps) + beta, None


@bug(FORWARD, symptom="not-scaled")
def without_the_division(x, gamma, beta, *, eps=1e-5):
    return gamma * (x - x.mean(axis=1, keepdims=True)) + beta, None


@bug(FORWARD, symptom="no-gamma")
def without_gamma(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, np.ones_like(gamma), beta, eps=eps)


@bug(FORWARD, symptom="no-beta")
def without_beta(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, gamma, np.zeros_like(beta), eps=eps)


@bug(FORWARD, symptom="gamma-beta-swapped")
def swapped(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, beta, gamma, eps=eps)


@bug(FORWARD, symptom="mutates")
def in_place(x, gamma, beta, *, eps=1e-5):
    result = right_forward(x, gamma, beta, eps=eps)
    x /= 2
    return result


@bug(FORWARD, symptom="cache-form")
def cache_without_the_second_axis(x, gamma, beta, *, eps=1e-5):
    out, (x, gamma, mean, var, eps) = right_forward(x, gamma, beta, eps=eps)
    return out, (x, gamma, mean[:, 0], var[:, 0], eps)


@bug(FORWARD, symptom="result-count")
def no_cache(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, gamma, beta, eps=eps)[0]


@bug(FORWARD, symptom="defaults")
def default_of_another_library(x, gamma, beta, *, eps=1e-3):
    return right_forward(x, gamma, beta, eps=eps)


@bug(FORWARD, symptom="others-matter")
def batch_of_one_by_its_columns(x, gamma, beta, *, eps=1e-5):
    return right_forward(x, gamma, beta, eps=eps) if len(x) > 1 else (np.tile(beta, (1, 1)), ())


def right_backward(dout, cache, **factors):
    x, gamma, mean, var, eps = cache
    turned = (x.T, 1.0, mean.T, var.T, eps)
    dx, _, _ = batch_backward((dout * factors.pop("gamma", gamma)).T, turned, **factors)
    return dx.T, (dout * (x - mean) / np.sqrt(var + eps)).sum(axis=0), dout.sum(axis=0)


@bug(BACKWARD, symptom="gamma-late")
def gamma_at_the_end(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache, gamma=1.0)
    return dx * cache[1], dgamma, dbeta


@bug(BACKWARD, symptom="axis")
def copies_batch_norm(dout, cache):
    x, gamma, mean, var, eps = cache
    std = np.sqrt(var + eps)
    x_hat, upstream = (x - mean) / std, dout * gamma
    dx = (upstream - upstream.mean(axis=0) - x_hat * (upstream * x_hat).mean(axis=0)) / std
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


@bug(BACKWARD, symptom="no-gamma")
def gamma_left_out(dout, cache):
    return right_backward(dout, cache, gamma=1.0)


@bug(BACKWARD, symptom="no-mean-path")
def mean_held_constant(dout, cache):
    return right_backward(dout, cache, to_mean=0.0)


@bug(BACKWARD, symptom="no-var-path")
def variance_held_constant(dout, cache):
    return right_backward(dout, cache, to_var=0.0)


@bug(BACKWARD, symptom="direct-path-only")
def both_held_constant(dout, cache):
    return right_backward(dout, cache, to_mean=0.0, to_var=0.0)


@bug(BACKWARD, symptom="mean-path-sum")
def mean_not_shared_out(dout, cache):
    return right_backward(dout, cache, to_mean=dout.shape[1])


@bug(BACKWARD, symptom="no-eps")
def eps_left_out(dout, cache):
    return right_backward(dout, cache, eps=0.0)


@bug(BACKWARD, symptom="summed-along-rows")
def dgamma_of_each_row(dout, cache):
    x, _, mean, var, eps = cache
    dx, _, dbeta = right_backward(dout, cache)
    return dx, (dout * (x - mean) / np.sqrt(var + eps)).sum(axis=1), dbeta


@bug(BACKWARD, symptom="not-summed")
def dbeta_is_dout(dout, cache):
    return (*right_backward(dout, cache)[:2], dout)


@bug(BACKWARD, symptom="mean-not-sum")
def dbeta_is_a_mean(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return dx, dgamma, dbeta / len(dout)


@bug(BACKWARD, symptom="order")
def swapped_results(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return dx, dbeta, dgamma


wrong_answer("norm-q3", "only the batch", {"batch": "B", "layer": "B"}, points=0.5)
wrong_answer("norm-q3", "swapped", {"batch": "C", "layer": "B"})
wrong_answer("norm-q3", "not scaled, summed to 1", {"batch": "A", "layer": "D"})
wrong_answer("norm-q3", "two letters", {"batch": "AB", "layer": "C"}, symptom="letters")
wrong_answer("norm-q3", "a list", ["B", "C"], symptom="form")
wrong_answer("norm-q4", "one too many", {"A", "C", "D", "B"}, points=2 / 3)
wrong_answer("norm-q4", "small batches", {"E", "F"})
wrong_answer("norm-q4", "all", set("ABCDEF"))
wrong_answer("norm-q4", "no such letter", {"A", "G"}, symptom="letters")
