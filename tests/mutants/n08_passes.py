"""Planted bugs of N08, first half: dropout forward and backward. Every mistake of the curriculum's table, and more."""

import numpy as np

from tests.mutants import bug

FORWARD, BACKWARD = "drop-forward", "drop-backward"


def dropout_forward(x, *, keep, train, seed):
    draws = np.random.default_rng(seed).random(x.shape)
    scale = (draws < keep) / keep if train else np.ones(x.shape)
    return x * scale, scale


def dropout_backward(dout, cache):
    return dout * cache


@bug(FORWARD, symptom="keep-is-drop")
def drops_with_probability_keep(x, *, keep, train, seed):
    return dropout_forward(x, keep=1 - keep if train and keep < 1 else keep, train=train, seed=seed)


@bug(FORWARD, symptom="keep-is-drop")
def keeps_the_wrong_ones_and_divides_by_keep(x, *, keep, train, seed):
    scale = (np.random.default_rng(seed).random(x.shape) > keep) / keep if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="wrong-scale")
def divides_by_the_drop_probability(x, *, keep, train, seed):
    scale = (np.random.default_rng(seed).random(x.shape) < keep) / (1 - keep) if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="scales-at-test")
def plain_dropout_scaled_at_test_time(x, *, keep, train, seed):
    scale = 1.0 * (np.random.default_rng(seed).random(x.shape) < keep) if train else np.full(x.shape, keep)
    return x * scale, scale


@bug(FORWARD, symptom="scales-at-test")
def inverted_and_scaled_at_test_time(x, *, keep, train, seed):
    out, scale = dropout_forward(x, keep=keep, train=train, seed=seed)
    return (out if train else keep * x), scale


@bug(FORWARD, symptom="divides-at-test")
def divides_at_test_time(x, *, keep, train, seed):
    out, scale = dropout_forward(x, keep=keep, train=train, seed=seed)
    return (out if train else x / keep), scale


@bug(FORWARD, symptom="not-scaled")
def never_scales(x, *, keep, train, seed):
    scale = 1.0 * (np.random.default_rng(seed).random(x.shape) < keep) if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="multiplied")
def multiplies_by_keep(x, *, keep, train, seed):
    scale = (np.random.default_rng(seed).random(x.shape) < keep) * keep if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="drops-at-test")
def ignores_train(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=True, seed=seed)


@bug(FORWARD, symptom="never-drops")
def train_and_test_exchanged(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=not train, seed=seed)


@bug(FORWARD, symptom="seed-ignored")
def same_mask_every_call(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=train, seed=231)


@bug(FORWARD, symptom="not-repeatable")
def a_fresh_generator_without_seed(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=train, seed=None)


@bug(FORWARD, symptom="not-repeatable")
def takes_seed_zero_for_none(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=train, seed=seed or None)


@bug(FORWARD, symptom="seed-shared")
def uses_the_parity_of_the_seed(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=train, seed=seed % 4)


@bug(FORWARD, symptom="global-random")
def reseeds_the_global_generator(x, *, keep, train, seed):
    np.random.seed(seed)
    scale = (np.random.rand(*x.shape) < keep) / keep if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="mutates")
def writes_into_x(x, *, keep, train, seed):
    scale = dropout_forward(x, keep=keep, train=train, seed=seed)[1]
    x *= scale
    return x, scale


@bug(FORWARD, symptom="one-mask-for-all")
def one_mask_for_all_examples(x, *, keep, train, seed):
    scale = dropout_forward(x[0], keep=keep, train=train, seed=seed)[1]
    return x * scale, scale * np.ones(x.shape)


@bug(FORWARD, symptom="blocks")
def whole_examples(x, *, keep, train, seed):
    column = np.ones((len(x), *[1] * (x.ndim - 1)))
    scale = dropout_forward(column, keep=keep, train=train, seed=seed)[1]
    return x * scale, scale * np.ones(x.shape)


@bug(FORWARD, symptom="blocks")
def whole_channels_of_images(x, *, keep, train, seed):
    if x.ndim < 4:
        return dropout_forward(x, keep=keep, train=train, seed=seed)
    scale = dropout_forward(x[:, :1, :1], keep=keep, train=train, seed=seed)[1]
    return x * scale, scale * np.ones(x.shape)


@bug(FORWARD, symptom="depends-on-x")
def keeps_the_largest(x, *, keep, train, seed):
    noise = np.abs(x) + np.random.default_rng(seed).random(x.shape)
    order = noise.ravel().argsort().argsort().reshape(x.shape) / x.size
    scale = (order >= 1 - keep) / keep if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="exact-count")
def drops_an_exact_number(x, *, keep, train, seed):
    order = np.random.default_rng(seed).permutation(x.size).reshape(x.shape)
    scale = (order < round(keep * x.size)) / keep if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="share")
def draws_from_a_normal_distribution(x, *, keep, train, seed):
    scale = (np.random.default_rng(seed).normal(size=x.shape) < keep) / keep if train else np.ones(x.shape)
    return x * scale, scale


@bug(FORWARD, symptom="values")
def scales_by_the_share_it_happened_to_keep(x, *, keep, train, seed):
    kept = dropout_forward(x, keep=keep, train=True, seed=seed)[1] > 0
    return (x * kept / kept.mean(), kept / kept.mean()) if train else (x, np.ones(x.shape))


@bug(FORWARD, symptom="dtype")
def returns_integers(x, *, keep, train, seed):
    out, scale = dropout_forward(x, keep=keep, train=train, seed=seed)
    return np.round(out).astype(int), scale


@bug(FORWARD, symptom="not-a-pair")
def returns_out_alone(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=train, seed=seed)[0]


@bug(FORWARD, symptom="no-cache")
def returns_no_cache(x, *, keep, train, seed):
    return dropout_forward(x, keep=keep, train=train, seed=seed)[0], None


@bug(BACKWARD, symptom="mask-not-divided")
def mask_without_keep(dout, cache):
    return dout * (cache > 0)


@bug(BACKWARD, symptom="divided-twice")
def divides_twice(dout, cache):
    return dout * cache * cache


@bug(BACKWARD, symptom="multiplied")
def multiplies_on_the_way_back(dout, cache):
    return dout * np.where(cache > 0, 1 / np.where(cache > 0, cache, 1), 0)


@bug(BACKWARD, symptom="passes-all")
def lets_everything_through(dout, cache):
    return dout.copy()


@bug(BACKWARD, symptom="divides-all")
def divides_everything(dout, cache):
    return dout * cache.max()


@bug(BACKWARD, symptom="inverted")
def lets_the_dropped_through(dout, cache):
    return np.where(cache == 0, dout * cache.max(), 0)


@bug(BACKWARD, symptom="mask-only")
def leaves_dout_out(dout, cache):
    return cache.copy()


@bug(BACKWARD, symptom="other-mask")
def draws_a_new_mask(dout, cache):
    keep = 1 / cache.max()
    return dropout_forward(dout, keep=keep, train=True, seed=99)[0]


@bug(BACKWARD, symptom="drops-at-test")
def drops_at_test_time_too(dout, cache):
    return dout * cache if (cache == 0).any() else dropout_forward(dout, keep=0.5, train=True, seed=1)[0]


@bug(BACKWARD, symptom="mutates")
def writes_into_dout(dout, cache):
    dout *= cache
    return dout


@bug(BACKWARD, symptom="shape")
def flattens(dout, cache):
    return (dout * cache).reshape(len(dout), -1)[:, :-1]


@bug(BACKWARD, symptom="no-return")
def returns_nothing(dout, cache):
    dout * cache
