"""Planted bugs of N02, the softmax loss: each line that can go wrong, gone wrong, in both versions."""

import numpy as np

from tests.mutants import bug, wrong_answer

LOSSES = ("softmax-naive", "softmax-vectorized")


def log_probabilities(W, X):
    shifted = X @ W - (X @ W).max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def one_hot(y, count):
    return (y[:, None] == np.arange(count)).astype(float)


def no_bias(W):
    return np.vstack([W[:-1], np.zeros_like(W[:1])])


def pieces(W, X, y, reg):
    """Return the right (data loss, data gradient, penalty, its gradient)."""
    log_p, wanted = log_probabilities(W, X), one_hot(y, W.shape[1])
    data = -(log_p * wanted).sum() / len(X)
    return data, X.T @ (np.exp(log_p) - wanted) / len(X), 0.5 * reg * (no_bias(W) ** 2).sum(), reg * no_bias(W)


def right_loss(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, dW + shrink


def unstable(W, X, y, reg, scores):
    """The textbook formula on given scores, with whatever overflow they bring."""
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    data = -np.log(p[np.arange(len(y)), y]).mean()
    _, _, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, X.T @ (p - one_hot(y, W.shape[1])) / len(X) + shrink


@bug(*LOSSES, symptom="no-shift")
def no_maximum_subtracted(W, X, y, reg):
    return unstable(W, X, y, reg, X @ W)


@bug(*LOSSES, symptom="global-shift")
def one_maximum_for_all_rows(W, X, y, reg):
    return unstable(W, X, y, reg, X @ W - (X @ W).max())


@bug(*LOSSES, symptom="no-shift")
def mean_subtracted_for_maximum_of_column(W, X, y, reg):
    return unstable(W, X, y, reg, X @ W - 3.0)


@bug(*LOSSES, symptom="log-of-zero")
def logarithm_after_the_division(W, X, y, reg):
    return unstable(W, X, y, reg, X @ W - (X @ W).max(axis=1, keepdims=True))


@bug(*LOSSES, symptom="log-of-zero")
def clipped_probability(W, X, y, reg):
    _, dW, penalty, shrink = pieces(W, X, y, reg)
    p = np.exp(log_probabilities(W, X))[np.arange(len(y)), y]
    return -np.log(np.maximum(p, 1e-15)).mean() + penalty, dW + shrink


@bug(*LOSSES, symptom="sum-loss")
def loss_is_a_sum(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data * len(X) + penalty, dW + shrink


@bug(*LOSSES, symptom="sum-loss")
def both_are_sums(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data * len(X) + penalty, dW * len(X) + shrink


@bug(*LOSSES, symptom="sum-gradient")
def gradient_is_a_sum(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, dW * len(X) + shrink


@bug(*LOSSES, symptom="gradient-twice")
def gradient_divided_twice(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, dW / len(X) + shrink


@bug(*LOSSES, symptom="divided-twice")
def loss_divided_twice(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data / len(X) + penalty, dW + shrink


@bug(*LOSSES, symptom="loss-sign")
def positive_logarithm(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return -data + penalty, dW + shrink


@bug(*LOSSES, symptom="log2")
def bits(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data / np.log(2) + penalty, dW + shrink


@bug(*LOSSES, symptom="log10")
def decimal_logarithm(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data / np.log(10) + penalty, dW + shrink


@bug(*LOSSES, symptom="one-minus")
def one_minus_probability(W, X, y, reg):
    _, dW, penalty, shrink = pieces(W, X, y, reg)
    p = np.exp(log_probabilities(W, X))[np.arange(len(y)), y]
    return (1 - p).mean() + penalty, dW + shrink


@bug(*LOSSES, symptom="probability")
def probability_without_logarithm(W, X, y, reg):
    _, dW, penalty, shrink = pieces(W, X, y, reg)
    return np.exp(log_probabilities(W, X))[np.arange(len(y)), y].mean() + penalty, dW + shrink


@bug(*LOSSES, symptom="reg-missing")
def no_penalty_in_the_loss(W, X, y, reg):
    data, dW, _, shrink = pieces(W, X, y, reg)
    return data, dW + shrink


@bug(*LOSSES, symptom="reg-gradient-missing")
def no_penalty_in_the_gradient(W, X, y, reg):
    data, dW, penalty, _ = pieces(W, X, y, reg)
    return data + penalty, dW


@bug(*LOSSES, symptom="reg-double")
def penalty_without_the_half(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + 2 * penalty, dW + 2 * shrink


@bug(*LOSSES, symptom="reg-gradient-double")
def slope_of_the_penalty_doubled(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, dW + 2 * shrink


@bug(*LOSSES, symptom="reg-gradient-half")
def slope_of_the_penalty_halved(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, dW + 0.5 * shrink


@bug(*LOSSES, symptom="reg-bias")
def bias_is_penalized(W, X, y, reg):
    data, dW, _, _ = pieces(W, X, y, reg)
    return data + 0.5 * reg * (W**2).sum(), dW + reg * W


@bug(*LOSSES, symptom="reg-bias")
def bias_is_penalized_in_the_gradient(W, X, y, reg):
    data, dW, penalty, _ = pieces(W, X, y, reg)
    return data + penalty, dW + reg * W


@bug(*LOSSES, symptom="reg-over-n")
def penalty_is_averaged(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty / len(X), dW + shrink / len(X)


@bug(*LOSSES, symptom="ascent")
def one_minus_p(W, X, y, reg):
    data, dW, penalty, shrink = pieces(W, X, y, reg)
    return data + penalty, -dW + shrink


@bug(*LOSSES, symptom="no-minus-one")
def label_forgotten_in_the_gradient(W, X, y, reg):
    loss, dW = right_loss(W, X, y, reg)
    return loss, dW + X.T @ one_hot(y, W.shape[1]) / len(X)


@bug(*LOSSES, symptom="every-row")
def one_subtracted_in_all_rows(W, X, y, reg):
    loss, _ = right_loss(W, X, y, reg)
    p = np.exp(log_probabilities(W, X))
    p[:, y] -= 1
    return loss, X.T @ p / len(X) + reg * no_bias(W)


@bug(*LOSSES, symptom="every-row")
def labels_as_a_column(W, X, y, reg):
    log_p, rows = log_probabilities(W, X), np.arange(len(y))
    loss = -log_p[rows, y[:, None]].mean()  # (N, N)
    return loss + pieces(W, X, y, reg)[2], right_loss(W, X, y, reg)[1]


@bug(*LOSSES, symptom="zero-gradient")
def gradient_left_at_zero(W, X, y, reg):
    return right_loss(W, X, y, reg)[0], np.zeros(W.shape)


@bug(*LOSSES, symptom="shape")
def gradient_transposed(W, X, y, reg):
    loss, dW = right_loss(W, X, y, reg)
    return loss, dW.T


@bug(*LOSSES, symptom="shape")
def gradient_of_a_row_that_broadcasts(W, X, y, reg):
    loss, dW = right_loss(W, X, y, reg)
    return loss, dW[:1]


@bug(*LOSSES, symptom="not-number")
def a_loss_for_each_row(W, X, y, reg):
    _, dW = right_loss(W, X, y, reg)
    return -log_probabilities(W, X)[np.arange(len(y)), y], dW


@bug(*LOSSES, symptom="not-pair")
def loss_only(W, X, y, reg):
    return right_loss(W, X, y, reg)[0]


@bug(*LOSSES, symptom="no-return")
def forgets_to_return(W, X, y, reg):
    right_loss(W, X, y, reg)


@bug(*LOSSES, symptom="mutates")
def shifts_the_weights_in_place(W, X, y, reg):
    answer = right_loss(W, X, y, reg)
    W -= W.mean(axis=1, keepdims=True)
    return answer


@bug(*LOSSES, symptom="mutates")
def scales_the_batch_in_place(W, X, y, reg):
    answer = right_loss(W, X, y, reg)
    X /= len(X)
    return answer


@bug(*LOSSES, symptom="bias-row")
def no_gradient_for_the_bias(W, X, y, reg):
    loss, dW = right_loss(W, X, y, reg)
    dW[-1] = 0
    return loss, dW


@bug(*LOSSES, symptom="values")
def maximum_counted_in_the_gradient(W, X, y, reg):
    loss, dW = right_loss(W, X, y, reg)
    return loss, dW - X.T @ one_hot((X @ W).argmax(axis=1), W.shape[1]) / len(X)


@bug("softmax-vectorized", symptom="slow")
def loop_over_rows(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for row, label in zip(X, y, strict=True):
        scores = row @ W
        scores -= scores.max()
        total = np.exp(scores).sum()
        loss += np.log(total) - scores[label]
        p = np.exp(scores) / total
        p[label] -= 1
        dW += np.outer(row, p)
    return loss / len(X) + 0.5 * reg * (W[:-1] ** 2).sum(), dW / len(X) + reg * no_bias(W)


@bug("softmax-vectorized", symptom="slow")
def loop_over_rows_for_the_gradient(W, X, y, reg):
    loss, _ = right_loss(W, X, y, reg)
    gap = np.exp(log_probabilities(W, X)) - one_hot(y, W.shape[1])
    return loss, sum(np.outer(row, slope) for row, slope in zip(X, gap, strict=True)) / len(X) + reg * no_bias(W)


wrong_answer("softmax-q3", "a word", "ACE", symptom="not-set")
wrong_answer("softmax-q3", "an unknown letter", {"A", "Z"}, symptom="letters")
wrong_answer("softmax-q3", "true and false", [True, False], symptom="letters")
