"""Planted bugs of N07, first half: batch norm, both passes. Every mistake of the curriculum, and more."""

import numpy as np

from tests.mutants import bug

FORWARD, BACKWARD = "norm-batchnorm_forward", ("norm-batchnorm_backward", "norm-batchnorm_backward_alt")


def right_forward(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    mean, var = (x.mean(axis=0), x.var(axis=0)) if train else (running_mean, running_var)
    out = gamma * (x - mean) / np.sqrt(var + eps) + beta
    if train:
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    return out, (x, gamma, mean, var, eps), running_mean, running_var


def forward_with(*, statistics=None, divisor=None, kept=None):
    """Build a forward pass with one part replaced; each part gets what it may need by name."""

    def forward(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
        mean, var = (x.mean(axis=0), x.var(axis=0)) if train else (running_mean, running_var)
        if statistics is not None:
            mean, var = statistics(x, running_mean, running_var, train)
        scale = np.sqrt(var + eps) if divisor is None else divisor(var, eps)
        out = gamma * (x - mean) / scale + beta
        cache = (x, gamma, x.mean(axis=0), x.var(axis=0), eps)
        if train:
            blend = kept or (lambda old, new, momentum, which: momentum * old + (1 - momentum) * new)
            running_mean = blend(running_mean, x.mean(axis=0), momentum, "mean")
            running_var = blend(running_var, x.var(axis=0), momentum, "var")
        return out, cache, running_mean, running_var

    return forward


def plant(name, symptom, **parts):
    forward = forward_with(**parts)
    forward.__name__ = name
    bug(FORWARD, symptom=symptom)(forward)


plant("swaps_momentum", "momentum-swapped", kept=lambda old, new, m, which: (1 - m) * old + m * new)
plant("fixes_momentum", "momentum-fixed", kept=lambda old, new, m, which: 0.9 * old + 0.1 * new)
plant("keeps_nothing", "not-kept", kept=lambda old, new, m, which: new)
plant("never_updates", "not-updated", kept=lambda old, new, m, which: old)
plant("adds_all_of_the_new", "running-sum", kept=lambda old, new, m, which: m * old + new)
plant(
    "keeps_the_standard_deviation",
    "running-std",
    kept=lambda old, new, m, which: m * old + (1 - m) * (np.sqrt(new) if which == "var" else new),
)
plant(
    "divides_by_n_minus_1", "ddof", statistics=lambda x, m, v, train: (x.mean(0), x.var(0, ddof=1)) if train else (m, v)
)
plant("normalizes_rows", "axis", statistics=lambda x, m, v, train: (x.mean(1)[:, None], x.var(1)[:, None]))
plant("one_mean_for_the_table", "one-mean-for-all", statistics=lambda x, m, v, train: (x.mean(), x.var()))
plant("always_the_batch", "mode-ignored", statistics=lambda x, m, v, train: (x.mean(0), x.var(0)))
plant("always_the_running", "uses-running", statistics=lambda x, m, v, train: (m, v))
plant("does_not_centre", "not-centred", statistics=lambda x, m, v, train: (0.0, x.var(0) if train else v))
plant("eps_outside_the_root", "eps-outside", divisor=lambda var, eps: np.sqrt(var) + eps)
plant("no_eps", "no-eps", divisor=lambda var, eps: np.sqrt(var))
plant("own_eps", "eps-fixed", divisor=lambda var, eps: np.sqrt(var + 1e-5))
plant("no_root", "no-root", divisor=lambda var, eps: var + eps)
plant("only_centres", "not-scaled", divisor=lambda var, eps: 1.0)


@bug(FORWARD, symptom="running-ddof")
def keeps_the_variance_of_pytorch(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    out, cache, mean, var = right_forward(
        x, gamma, beta, running_mean, running_var, train=train, momentum=momentum, eps=eps
    )
    if train:
        var = momentum * running_var + (1 - momentum) * x.var(axis=0, ddof=1)
    return out, cache, mean, var


@bug(FORWARD, symptom="running-eps")
def keeps_eps_too(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    out, cache, mean, var = right_forward(
        x, gamma, beta, running_mean, running_var, train=train, momentum=momentum, eps=eps
    )
    return out, cache, mean, var + (1 - momentum) * eps if train else var


@bug(FORWARD, symptom="running-swapped")
def returns_the_variance_first(x, gamma, beta, running_mean, running_var, **options):
    out, cache, mean, var = right_forward(x, gamma, beta, running_mean, running_var, **options)
    return (out, cache, var, mean) if options["train"] else (out, cache, mean, var)


@bug(FORWARD, symptom="uses-updated")
def normalizes_by_the_updated(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    _, cache, mean, var = right_forward(
        x, gamma, beta, running_mean, running_var, train=train, momentum=momentum, eps=eps
    )
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, cache, mean, var


@bug(FORWARD, symptom="test-updates")
def learns_from_the_test(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    out = right_forward(x, gamma, beta, running_mean, running_var, train=train, momentum=momentum, eps=eps)
    new_mean = momentum * running_mean + (1 - momentum) * x.mean(axis=0)
    return (*out[:2], new_mean, momentum * running_var + (1 - momentum) * x.var(axis=0))


@bug(FORWARD, symptom="running-as-std")
def takes_the_running_variance_for_a_deviation(x, gamma, beta, running_mean, running_var, **options):
    if options["train"]:
        return right_forward(x, gamma, beta, running_mean, running_var, **options)
    return gamma * (x - running_mean) / running_var + beta, None, running_mean, running_var


@bug(FORWARD, symptom="no-affine")
def no_gamma_in_test_mode(x, gamma, beta, running_mean, running_var, **options):
    result = right_forward(x, gamma, beta, running_mean, running_var, **options)
    return result if options["train"] else ((result[0] - beta) / gamma, *result[1:])


@bug(FORWARD, symptom="no-eps")
def no_eps_in_test_mode(x, gamma, beta, running_mean, running_var, **options):
    if not options["train"]:
        options["eps"] = 0.0
    return right_forward(x, gamma, beta, running_mean, running_var, **options)


@bug(FORWARD, symptom="running-in-place")
def writes_into_the_running_mean(x, gamma, beta, running_mean, running_var, *, train, momentum=0.9, eps=1e-5):
    result = right_forward(x, gamma, beta, running_mean, running_var, train=train, momentum=momentum, eps=eps)
    if train:
        running_mean *= momentum
        running_mean += (1 - momentum) * x.mean(axis=0)
    return result


@bug(FORWARD, symptom="mutates")
def centres_x_in_place(x, gamma, beta, running_mean, running_var, **options):
    result = right_forward(x, gamma, beta, running_mean, running_var, **options)
    x -= x.mean(axis=0)
    return result


@bug(FORWARD, symptom="no-gamma")
def forgets_gamma(x, gamma, beta, *rest, **options):
    return right_forward(x, np.ones_like(gamma), beta, *rest, **options)


@bug(FORWARD, symptom="no-beta")
def forgets_beta(x, gamma, beta, *rest, **options):
    return right_forward(x, gamma, np.zeros_like(beta), *rest, **options)


@bug(FORWARD, symptom="beta-inside")
def multiplies_beta(x, gamma, beta, *rest, **options):
    return right_forward(x, gamma, gamma * beta, *rest, **options)


@bug(FORWARD, symptom="gamma-beta-swapped")
def swaps_gamma_and_beta(x, gamma, beta, *rest, **options):
    return right_forward(x, beta, gamma, *rest, **options)


@bug(FORWARD, symptom="shape")
def running_statistics_with_two_axes(x, *rest, **options):
    out, cache, mean, var = right_forward(x, *rest, **options)
    return out, cache, mean[None], var[None]


@bug(FORWARD, symptom="result-count")
def keeps_the_running_statistics(*arrays, **options):
    return right_forward(*arrays, **options)[:2]


@bug(FORWARD, symptom="cache-form")
def caches_something_else(x, gamma, *rest, **options):
    out, _, mean, var = right_forward(x, gamma, *rest, **options)
    return out, (x, gamma), mean, var


@bug(FORWARD, symptom="cache-values")
def caches_the_running_statistics(x, gamma, *rest, eps=1e-5, **options):
    out, _, mean, var = right_forward(x, gamma, *rest, eps=eps, **options)
    return out, (x, gamma, mean, var, eps), mean, var


@bug(FORWARD, symptom="defaults")
def other_defaults(*arrays, train, momentum=0.1, eps=1e-5):
    return right_forward(*arrays, train=train, momentum=momentum, eps=eps)


@bug(FORWARD, symptom="defaults")
def larger_default_eps(*arrays, train, momentum=0.9, eps=1e-3):
    return right_forward(*arrays, train=train, momentum=momentum, eps=eps)


def right_backward(dout, cache, *, to_mean=1.0, to_var=1.0, eps=None, gamma=None):
    """The three gradients; the factors on the two side paths, another eps or another gamma make the slips."""
    x, scale, mean, var, cached = cache
    centred, std = x - mean, np.sqrt(var + (cached if eps is None else eps))
    upstream = dout * (scale if gamma is None else gamma)
    dvar = -0.5 * (upstream * centred).sum(axis=0) / std**3
    dmean = -(upstream / std).sum(axis=0)
    dx = upstream / std + to_var * dvar * 2 * centred / len(x) + to_mean * dmean / len(x)
    return dx, (dout * centred / np.sqrt(var + cached)).sum(axis=0), dout.sum(axis=0)


@bug(*BACKWARD, symptom="no-mean-path")
def mean_is_a_constant(dout, cache):
    return right_backward(dout, cache, to_mean=0.0)


@bug(*BACKWARD, symptom="no-var-path")
def variance_is_a_constant(dout, cache):
    return right_backward(dout, cache, to_var=0.0)


@bug(*BACKWARD, symptom="direct-path-only")
def both_are_constants(dout, cache):
    return right_backward(dout, cache, to_mean=0.0, to_var=0.0)


@bug(*BACKWARD, symptom="mean-path-sum")
def mean_passes_everything_on(dout, cache):
    return right_backward(dout, cache, to_mean=len(dout))


@bug(*BACKWARD, symptom="mean-path-sign")
def mean_with_plus(dout, cache):
    return right_backward(dout, cache, to_mean=-1.0)


@bug(*BACKWARD, symptom="var-path-sum")
def variance_passes_everything_on(dout, cache):
    return right_backward(dout, cache, to_var=len(dout))


@bug(*BACKWARD, symptom="var-path-sign")
def variance_with_plus(dout, cache):
    return right_backward(dout, cache, to_var=-1.0)


@bug(*BACKWARD, symptom="var-path-twice")
def no_half_in_the_power(dout, cache):
    return right_backward(dout, cache, to_var=2.0)


@bug(*BACKWARD, symptom="var-path-half")
def no_two_in_the_square(dout, cache):
    return right_backward(dout, cache, to_var=0.5)


@bug(*BACKWARD, symptom="var-path-ddof")
def backward_of_the_other_variance(dout, cache):
    return right_backward(dout, cache, to_var=len(dout) / (len(dout) - 1))


@bug(*BACKWARD, symptom="no-eps")
def backward_without_eps(dout, cache):
    return right_backward(dout, cache, eps=0.0)


@bug(*BACKWARD, symptom="eps-fixed")
def backward_with_its_own_eps(dout, cache):
    return right_backward(dout, cache, eps=1e-5)


@bug(*BACKWARD, symptom="no-gamma")
def backward_without_gamma(dout, cache):
    return right_backward(dout, cache, gamma=1.0)


@bug(*BACKWARD, symptom="dx-scaled")
def forgets_to_divide(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return len(dout) * dx, dgamma, dbeta


@bug(*BACKWARD, symptom="dx-mean")
def divides_once_more(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return dx / len(dout), dgamma, dbeta


@bug(*BACKWARD, symptom="not-summed")
def dgamma_without_the_sum(dout, cache):
    x, _, mean, var, eps = cache
    dx, _, dbeta = right_backward(dout, cache)
    return dx, dout * (x - mean) / np.sqrt(var + eps), dbeta


@bug(*BACKWARD, symptom="not-summed")
def dbeta_without_the_sum(dout, cache):
    return (*right_backward(dout, cache)[:2], dout)


@bug(*BACKWARD, symptom="summed-along-rows")
def dbeta_along_the_rows(dout, cache):
    return (*right_backward(dout, cache)[:2], dout.sum(axis=1))


@bug(*BACKWARD, symptom="keepdims")
def sums_that_keep_the_axis(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return dx, dgamma[None], dbeta[None]


@bug(*BACKWARD, symptom="mean-not-sum")
def means_of_gradients(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return dx, dgamma / len(dout), dbeta / len(dout)


@bug(*BACKWARD, symptom="x-for-x_hat")
def dgamma_from_x(dout, cache):
    dx, _, dbeta = right_backward(dout, cache)
    return dx, (dout * cache[0]).sum(axis=0), dbeta


@bug(*BACKWARD, symptom="order")
def beta_before_gamma(dout, cache):
    dx, dgamma, dbeta = right_backward(dout, cache)
    return dx, dbeta, dgamma


@bug(*BACKWARD, symptom="mutates")
def scales_dout_in_place(dout, cache):
    result = right_backward(dout, cache)
    dout *= cache[1]
    return result


@bug(*BACKWARD, symptom="result-count")
def only_dx(dout, cache):
    return right_backward(dout, cache)[0]


@bug("norm-batchnorm_backward_alt", symptom="slow")
def row_by_row(dout, cache):
    x, gamma, mean, var, eps = cache
    std = np.sqrt(var + eps)
    dgamma, dbeta = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for i in range(len(x)):
        dgamma += dout[i] * (x[i] - mean) / std
        dbeta += dout[i]
    dx = np.zeros(x.shape)
    for i in range(len(x)):
        dx[i] = gamma / std * (dout[i] - dbeta / len(x) - (x[i] - mean) / std * dgamma / len(x))
    return dx, dgamma, dbeta
