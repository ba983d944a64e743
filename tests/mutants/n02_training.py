"""Planted bugs of N02: the training loop, labels, top-k accuracy and the search for hyperparameters."""

import numpy as np

from tests.mutants import bug
from tests.mutants.n02_loss import right_loss


def loop(loss, X, y, *, step, num_classes, reg, num_steps, batch_size, seed, draw=None, start=0.001, **unused):
    """The right loop, with its step and its draw of rows left open."""
    rng = np.random.default_rng(seed)
    W, losses = start * rng.normal(size=(X.shape[1], num_classes)), []
    for t in range(num_steps):
        rows = rng.integers(0, len(X), size=batch_size) if draw is None else draw(rng, t)
        value, dW = loss(W, X[rows], y[rows], reg)
        losses.append(value)
        W = step(W, dW)
    return W, losses


def train(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W - learning_rate * dW, **options)


@bug("softmax-train", symptom="ascends")
def climbs(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W + learning_rate * dW, **options)


@bug("softmax-train", symptom="never-updates")
def keeps_the_first_weights(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W, **options)


@bug("softmax-train", symptom="no-learning-rate")
def steps_of_dw(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W - dW, **options)


@bug("softmax-train", symptom="divided-step")
def mean_taken_again(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W - learning_rate * dW / options["batch_size"], **options)


@bug("softmax-train", symptom="reg-twice")
def weight_decay_on_top(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W - learning_rate * (dW + options["reg"] * W), **options)


@bug("softmax-train", symptom="wrong-step")
def rate_that_decays(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W - 0.99 * learning_rate * dW, **options)


@bug("softmax-train", symptom="large-start")
def starts_far_away(loss, X, y, *, learning_rate, **options):
    return loop(loss, X, y, step=lambda W, dW: W - learning_rate * dW, start=1.0, **options)


@bug("softmax-train", symptom="labels-misaligned")
def labels_of_another_draw(loss, X, y, *, num_classes, learning_rate, reg, num_steps, batch_size, seed):
    rng = np.random.default_rng(seed)
    W = np.zeros((X.shape[1], num_classes))
    for _ in range(num_steps):
        x_batch = X[rng.integers(0, len(X), size=batch_size)]
        y_batch = y[rng.integers(0, len(X), size=batch_size)]
        W = W - learning_rate * loss(W, x_batch, y_batch, reg)[1]
    return W, []


@bug("softmax-train", symptom="labels-misaligned")
def shuffles_rows_only(loss, X, y, *, learning_rate, **options):
    X = X[np.random.default_rng(options["seed"]).permutation(len(X))]
    return train(loss, X, y, learning_rate=learning_rate, **options)


@bug("softmax-train", symptom="full-batch")
def all_rows_each_time(loss, X, y, *, learning_rate, **options):
    return train(loss, X, y, learning_rate=learning_rate, draw=lambda rng, t: np.arange(len(X)), **options)


@bug("softmax-train", symptom="same-batch")
def draws_once(loss, X, y, *, learning_rate, **options):
    rows = np.random.default_rng(options["seed"]).integers(0, len(X), size=options["batch_size"])
    return train(loss, X, y, learning_rate=learning_rate, draw=lambda rng, t: rows, **options)


@bug("softmax-train", symptom="rows-never-seen")
def first_half_only(loss, X, y, *, learning_rate, **options):
    half, size = len(X) // 2, options["batch_size"]
    return train(loss, X, y, learning_rate=learning_rate, draw=lambda rng, t: rng.integers(0, half, size), **options)


@bug("softmax-train", symptom="seed-ignored")
def in_order(loss, X, y, *, learning_rate, **options):
    size = options["batch_size"]
    return train(
        loss, X, y, learning_rate=learning_rate, draw=lambda rng, t: (t * size + np.arange(size)) % len(X), **options
    )


@bug("softmax-train", symptom="not-repeatable")
def no_seed(loss, X, y, *, learning_rate, **options):
    return train(loss, X, y, learning_rate=learning_rate, **{**options, "seed": None})


@bug("softmax-train", symptom="global-seed")
def reseeds_everybody(loss, X, y, *, learning_rate, **options):
    np.random.seed(options["seed"])
    size = options["batch_size"]
    return train(
        loss, X, y, learning_rate=learning_rate, draw=lambda rng, t: np.random.randint(0, len(X), size), **options
    )


@bug("softmax-train", symptom="stale")
def returns_the_weights_before(loss, X, y, *, learning_rate, **options):
    kept = []

    def step(W, dW):
        kept.append(W)
        return W - learning_rate * dW

    _, losses = loop(loss, X, y, step=step, **options)
    return kept[-1], losses


@bug("softmax-train", symptom="step-count")
def epochs_for_steps(loss, X, y, *, learning_rate, **options):
    longer = options["num_steps"] * (len(X) // options["batch_size"])
    return train(loss, X, y, learning_rate=learning_rate, **{**options, "num_steps": longer})


@bug("softmax-train", symptom="step-count")
def one_step_short(loss, X, y, *, learning_rate, **options):
    return train(loss, X, y, learning_rate=learning_rate, **{**options, "num_steps": options["num_steps"] - 1})


@bug("softmax-train", symptom="reg-not-passed")
def without_regularization(loss, X, y, *, learning_rate, **options):
    return train(loss, X, y, learning_rate=learning_rate, **{**options, "reg": 0.0})


@bug("softmax-train", symptom="not-pair")
def weights_only(loss, X, y, *, learning_rate, **options):
    return train(loss, X, y, learning_rate=learning_rate, **options)[0]


@bug("softmax-train", symptom="losses")
def last_loss_only(loss, X, y, *, learning_rate, **options):
    W, losses = train(loss, X, y, learning_rate=learning_rate, **options)
    return W, losses[-1]


@bug("softmax-predict", symptom="axis")
def best_row_of_each_class(W, X):
    return (X @ W).argmax(axis=0)


@bug("softmax-predict", symptom="axis")
def along_the_rows_when_nothing_tells(W, X):
    scores = X @ W
    return scores.argmax(axis=0 if scores.shape[0] == scores.shape[1] else 1)


@bug("softmax-predict", symptom="scores")
def all_scores(W, X):
    return X @ W


@bug("softmax-predict", symptom="maximum")
def highest_score(W, X):
    return (X @ W).max(axis=1)


@bug("softmax-predict", symptom="lowest")
def lowest_score(W, X):
    return (X @ W).argmin(axis=1)


@bug("softmax-predict", symptom="float-labels")
def float_labels(W, X):
    labels = np.zeros(len(X))
    labels[:] = (X @ W).argmax(axis=1)
    return labels


@bug("softmax-predict", symptom="values")
def bias_left_out(W, X):
    return (X[:, :-1] @ W[:-1]).argmax(axis=1)


def guesses(scores, k):
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@bug("softmax-top_k", symptom="lowest")
def sorts_upwards(scores, y, k):
    return float(np.mean((np.argsort(scores, axis=1)[:, :k] == y[:, None]).any(axis=1)))


@bug("softmax-top_k", symptom="ignores-k")
def first_guess_only(scores, y, k):
    return float(np.mean(scores.argmax(axis=1) == y))


@bug("softmax-top_k", symptom="count")
def hits(scores, y, k):
    return int((guesses(scores, k) == y[:, None]).any(axis=1).sum())


@bug("softmax-top_k", symptom="divided-by-k")
def mean_over_guesses(scores, y, k):
    return float(np.mean(guesses(scores, k) == y[:, None])) if k > 1 else first_guess_only(scores, y, k)


@bug("softmax-top_k", symptom="off-by-one")
def one_guess_too_many(scores, y, k):
    return float(np.mean((guesses(scores, k + 1) == y[:, None]).any(axis=1)))


@bug("softmax-top_k", symptom="percent")
def percent(scores, y, k):
    return 100 * float(np.mean((guesses(scores, k) == y[:, None]).any(axis=1)))


@bug("softmax-top_k", symptom="ties")
def as_good_as_the_kth(scores, y, k):
    bound = np.sort(scores, axis=1)[:, -k]
    return float(np.mean(scores[np.arange(len(y)), y] >= bound))


@bug("softmax-top_k", symptom="ties")
def strictly_fewer_above(scores, y, k):
    return float(np.mean((scores > scores[np.arange(len(y)), y][:, None]).sum(axis=1) < k))


@bug("softmax-top_k", symptom="tie-order")
def reversed_argsort(scores, y, k):
    return float(np.mean((np.argsort(scores, axis=1, kind="stable")[:, ::-1][:, :k] == y[:, None]).any(axis=1)))


@bug("softmax-top_k", symptom="not-number")
def one_flag_per_row(scores, y, k):
    return (guesses(scores, k) == y[:, None]).any(axis=1)


def settings(X, y, X_val, y_val, steps, rates, regs=(0.0, 0.01)):
    """Train each setting; return [(validation accuracy, rate, reg, W)]."""
    runs = []
    for rate in rates:
        for reg in regs:
            with np.errstate(all="ignore"):
                W, _ = train(
                    right_loss,
                    X,
                    y,
                    num_classes=10,
                    learning_rate=rate,
                    reg=reg,
                    num_steps=steps,
                    batch_size=32,
                    seed=0,
                )
                runs.append((float(np.mean((X_val @ W).argmax(axis=1) == y_val)), rate, reg, W))
    return runs


def results_of(runs):
    return {(rate, reg): share for share, rate, reg, _ in runs}


@bug("softmax-tune", symptom="chance")
def rates_for_pixels_up_to_255(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, num_steps // 2, (1e-8, 1e-7))
    return max(runs, key=lambda run: run[0])[3], results_of(runs)


@bug("softmax-tune", symptom="target")
def rates_too_small(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, num_steps, (1e-5, 1e-4))
    return max(runs, key=lambda run: run[0])[3], results_of(runs)


@bug("softmax-tune", symptom="not-the-best")
def returns_the_last(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, num_steps // 3, (1e-2, 1e-6))
    return runs[-1][3], results_of(runs)


@bug("softmax-tune", symptom="not-the-best")
def returns_the_worst(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, num_steps // 3, (1e-2, 1e-6))
    return min(runs, key=lambda run: run[0])[3], results_of(runs)


@bug("softmax-tune", symptom="scored-on-train")
def compares_on_training_images(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_train, y_train, num_steps, (1e-2, 1e-1))
    return max(runs, key=lambda run: run[0])[3], results_of(runs)


@bug("softmax-tune", symptom="results-differ")
def claims_more(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, num_steps // 3, (1e-2, 1e-1))
    return max(runs, key=lambda run: run[0])[3], dict.fromkeys(results_of(runs), 0.99)


@bug("softmax-tune", symptom="too-few")
def a_single_guess(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, num_steps, (1e-2,), (0.0,))
    return runs[0][3], results_of(runs)


@bug("softmax-tune", symptom="one-learning-rate")
def regularization_only(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, 5, (1e-2,), (0.0, 0.1, 0.2, 0.3))
    return runs[0][3], results_of(runs)


@bug("softmax-tune", symptom="shape")
def returns_the_setting(X_train, y_train, X_val, y_val, *, num_steps):
    return np.array([1e-2, 0.0]), {(1e-2, 0.0): 0.6}


@bug("softmax-tune", symptom="percent")
def percentages(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, 5, (1e-2, 1e-1))
    return runs[0][3], {key: 100 * share for key, share in results_of(runs).items()}


@bug("softmax-tune", symptom="diverged")
def picks_a_run_that_exploded(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, 5, (1e-2, 1e-1))
    return runs[0][3] * np.inf, results_of(runs)


@bug("softmax-tune", symptom="keys")
def keys_without_regularization(X_train, y_train, X_val, y_val, *, num_steps):
    runs = settings(X_train, y_train, X_val, y_val, 5, (1e-2, 1e-1))
    return runs[0][3], {rate: share for share, rate, _, _ in runs}


@bug("softmax-tune", symptom="needs-earlier")
def calls_an_empty_exercise(X_train, y_train, X_val, y_val, *, num_steps):
    def softmax_loss_vectorized(W, X, y, reg):
        raise NotImplementedError

    return train(
        softmax_loss_vectorized,
        X_train,
        y_train,
        num_classes=10,
        learning_rate=0.1,
        reg=0,
        num_steps=1,
        batch_size=2,
        seed=0,
    )
