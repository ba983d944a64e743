"""Planted bugs of N08, second half: the net with dropout, the statistics test, and the questions."""

import numpy as np

from tests.mutants import bug, wrong_answer

NET, STATISTICS = "drop-net", "drop-statistics"


def inside(i, last):
    return 0 < i < last


def net_loss(
    params,
    X,
    y=None,
    *,
    layers,
    keep,
    seed=0,
    where=inside,
    quiet=False,
    seed_of=lambda seed, i: seed + i,
    back=("dropout", "relu"),
    use_out=True,
):
    """Right with these defaults."""
    last, caches, hidden = len(params) // 2, {}, X
    if where(0, last):
        hidden, caches["dropout", 0] = layers["dropout_forward"](hidden, keep=keep, train=y is not None, seed=seed + 99)
    for i in range(1, last + 1):
        hidden, caches["affine", i] = layers["affine_forward"](hidden, params[f"W{i}"], params[f"b{i}"])
        if i < last:
            hidden, caches["relu", i] = layers["relu_forward"](hidden)
        if where(i, last):
            train = y is not None and not quiet
            out, caches["dropout", i] = layers["dropout_forward"](hidden, keep=keep, train=train, seed=seed_of(seed, i))
            hidden = out if use_out else hidden
    if y is None:
        return hidden
    loss, dout = layers["softmax_loss"](hidden, y)
    grads = {}
    for i in range(last, 0, -1):
        for layer in ("dropout", "relu"):
            if (layer, i) in caches and layer in back:
                dout = layers[f"{layer}_backward"](dout, caches[layer, i])
        dout, grads[f"W{i}"], grads[f"b{i}"] = layers["affine_backward"](dout, caches["affine", i])
    return loss, grads


@bug(NET, symptom="no-dropout")
def without_dropout(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, where=lambda i, last: False)


@bug(NET, symptom="own-layers")
def with_layers_of_its_own(params, X, y=None, *, layers, keep, seed=0):
    return np.zeros((len(X), 3)) if y is None else (1.0, {name: 0 * value for name, value in params.items()})


@bug(NET, symptom="dropout-on-scores")
def drops_scores_too(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, where=lambda i, last: i > 0)


@bug(NET, symptom="dropout-on-input")
def drops_pixels_too(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, where=lambda i, last: i < last)


@bug(NET, symptom="dropout-calls")
def after_the_first_relu_only(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, where=lambda i, last: i == 1)


@bug(NET, symptom="quiet-in-training")
def quiet_in_training(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, quiet=True)


@bug(NET, symptom="keep-not-passed")
def always_keeps_half(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=0.5, seed=seed)


@bug(NET, symptom="keep-not-passed")
def hands_on_the_drop_probability(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=1 - keep, seed=seed)


@bug(NET, symptom="one-seed")
def one_seed_for_all_layers(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, seed_of=lambda seed, i: seed)


@bug(NET, symptom="seed-fixed")
def seeds_from_the_layer_only(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, seed_of=lambda seed, i: i)


@bug(NET, symptom="not-repeatable")
def fresh_seeds(params, X, y=None, *, layers, keep, seed=0):
    draws = np.random.default_rng()
    return net_loss(params, X, y, layers=layers, keep=keep, seed_of=lambda seed, i: int(draws.integers(2**40)))


@bug(NET, symptom="out-unused")
def forgets_what_dropout_returns(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, use_out=False)


@bug(NET, symptom="backward-skips-dropout")
def no_dropout_on_the_way_back(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, back=("relu",))


@bug(NET, symptom="backward-skips-relu")
def no_relu_on_the_way_back(params, X, y=None, *, layers, keep, seed=0):
    return net_loss(params, X, y, layers=layers, keep=keep, seed=seed, back=("dropout",))


@bug(NET, symptom="layer-misused")
def exchanges_two_caches(params, X, y=None, *, layers, keep, seed=0):
    both = layers | {"dropout_backward": layers["relu_backward"], "relu_backward": layers["dropout_backward"]}
    return net_loss(params, X, y, layers=both, keep=keep, seed=seed)


@bug(NET, symptom="drops-at-test")
def drops_without_labels(params, X, y=None, *, layers, keep, seed=0):
    labels = np.zeros(len(X), dtype=int) if y is None else y
    always = dict(layers)
    always["dropout_forward"] = lambda x, *, keep, train, seed: layers["dropout_forward"](
        x, keep=keep, train=True, seed=seed
    )
    if y is None:
        return net_loss(params, X, None, layers=always, keep=keep, seed=seed)
    return net_loss(params, X, labels, layers=layers, keep=keep, seed=seed)


@bug(NET, symptom="scales-at-test")
def scales_units_at_test_time(params, X, y=None, *, layers, keep, seed=0):
    if y is not None:
        return net_loss(params, X, y, layers=layers, keep=keep, seed=seed)
    smaller = dict(layers)
    smaller["relu_forward"] = lambda x: (keep * layers["relu_forward"](x)[0], None)
    return net_loss(params, X, None, layers=smaller, keep=keep, where=lambda i, last: False)


@bug(NET, symptom="scores-not-alone")
def returns_a_loss_without_labels(params, X, y=None, *, layers, keep, seed=0):
    result = net_loss(params, X, y, layers=layers, keep=keep, seed=seed)
    return result if y is not None else (result, None)


@bug(NET, symptom="grad-keys")
def forgets_the_biases(params, X, y=None, *, layers, keep, seed=0):
    result = net_loss(params, X, y, layers=layers, keep=keep, seed=seed)
    return result if y is None else (result[0], {k: v for k, v in result[1].items() if k[0] == "W"})


@bug(NET, symptom="mutates")
def writes_into_params(params, X, y=None, *, layers, keep, seed=0):
    result = net_loss(params, X, y, layers=layers, keep=keep, seed=seed)
    params["b1"] += 1
    return result


def looks_right(dropout, *, keep, seed, n=120_000, skip=""):
    """Right with these defaults; `skip` leaves out one look."""
    x = np.full((n // 300, 300), 2.0)
    out = dropout(x, keep=keep, train=True, seed=seed)[0]
    stays = out != 0
    looks = {
        "values": np.allclose(out[stays], 2.0 / keep),
        "share": abs(stays.mean() - keep) < 5 * np.sqrt(keep * (1 - keep) / n),
        "rows": not np.array_equal(stays[0], stays[1]),
        "test": np.allclose(dropout(x, keep=keep, train=False, seed=seed)[0], x),
        "repeats": np.array_equal(dropout(x, keep=keep, train=True, seed=seed)[0], out),
        "differs": not np.array_equal(dropout(x, keep=keep, train=True, seed=seed + 1)[0], out),
    }
    return all(fine for name, fine in looks.items() if name not in skip.split())


@bug(STATISTICS, symptom="accepts-not-scaled")
def always_content(dropout, *, keep, seed):
    return True


@bug(STATISTICS, symptom="refuses-right")
def never_content(dropout, *, keep, seed):
    return False


@bug(STATISTICS, symptom="refuses-right")
def half_a_standard_error(dropout, *, keep, seed):
    out = dropout(np.ones((100, 100)), keep=keep, train=True, seed=seed)[0]
    return bool(abs(np.mean(out != 0) - keep) < 0.5 * np.sqrt(keep * (1 - keep) / 10_000))


@bug(STATISTICS, symptom="refuses-right")
def a_fixed_bound_that_ignores_chance(dropout, *, keep, seed):
    return looks_right(dropout, keep=keep, seed=seed) and bool(
        abs(dropout(np.ones(1000), keep=keep, train=True, seed=seed)[0].mean() - 1) < 0.01
    )


@bug(STATISTICS, symptom="accepts-not-scaled")
def counts_zeros_only(dropout, *, keep, seed):
    return bool(looks_right(dropout, keep=keep, seed=seed, skip="values"))


@bug(STATISTICS, symptom="accepts-keep-is-drop")
def looks_at_the_mean_only(dropout, *, keep, seed):
    out = dropout(np.ones((400, 300)), keep=keep, train=True, seed=seed)[0]
    return bool(abs(out.mean() - 1) < 5 * np.sqrt((1 - keep) / keep / out.size))


@bug(STATISTICS, symptom="accepts-three-percent")
def too_few_entries(dropout, *, keep, seed):
    x = np.ones((10, 20))
    out = dropout(x, keep=keep, train=True, seed=seed)[0]
    near = abs(out[out != 0].mean() * keep - 1) < 0.2 and abs(np.mean(out != 0) - keep) < 0.2
    return bool(near and looks_right(dropout, keep=keep, seed=seed, skip="values share"))


@bug(STATISTICS, symptom="accepts-drops-at-test")
def forgets_test_mode(dropout, *, keep, seed):
    return looks_right(dropout, keep=keep, seed=seed, skip="test")


@bug(STATISTICS, symptom="accepts-one-mask")
def forgets_other_seeds(dropout, *, keep, seed):
    return looks_right(dropout, keep=keep, seed=seed, skip="differs")


@bug(STATISTICS, symptom="accepts-not-repeatable")
def forgets_the_same_seed(dropout, *, keep, seed):
    return looks_right(dropout, keep=keep, seed=seed, skip="repeats")


@bug(STATISTICS, symptom="accepts-same-row")
def forgets_to_compare_rows(dropout, *, keep, seed):
    return looks_right(dropout, keep=keep, seed=seed, skip="rows")


@bug(STATISTICS, symptom="too-many-calls")
def thousands_of_small_calls(dropout, *, keep, seed):
    outs = [dropout(np.ones(10), keep=keep, train=True, seed=seed + i)[0] for i in range(5000)]
    return bool(abs(np.mean(outs) - 1) < 0.1)


@bug(STATISTICS, symptom="not-bool")
def returns_the_mean(dropout, *, keep, seed):
    return float(dropout(np.ones(1000), keep=keep, train=True, seed=seed)[0].mean())


wrong_answer("drop-q2", "a word", "ACE", symptom="not-set")
wrong_answer("drop-q2", "an unknown letter", {"A", "Q"}, symptom="letters")
wrong_answer("drop-q2", "a number", 3, symptom="not-set")
wrong_answer("drop-q2", "one is missing", {"A", "C"}, points=1.3333)
wrong_answer("drop-q2", "smaller keep always better", {"A", "C", "D", "E"}, points=1.3333)
wrong_answer("drop-q2", "PyTorch's p taken for keep", {"A", "C", "E", "F"}, points=1.3333)
wrong_answer("drop-q2", "everything", set("ABCDEF"))
wrong_answer("drop-q2", "the opposite", {"B", "D", "F"})
