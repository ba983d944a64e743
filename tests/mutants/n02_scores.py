"""Planted bugs of N02: four pixels, divergences, the first loss, lifts."""

import numpy as np

from tests.mutants import bug, wrong_answer

FOUR = {"cat": -96.8, "dog": 437.9, "ship": 60.75, "misprinted": "ship", "slip": "B", "cifar_parameters": 30730}

wrong_answer("softmax-four_pixels", "copied from the picture", {**FOUR, "ship": 61.95}, symptom="no-bias")
wrong_answer("softmax-four_pixels", "bias subtracted", {**FOUR, "cat": -99.0}, symptom="bias-sign")
wrong_answer("softmax-four_pixels", "rows mixed up", {**FOUR, "dog": 60.75}, symptom="values")
wrong_answer("softmax-four_pixels", "another culprit", {**FOUR, "misprinted": "dog"}, symptom="misprint")
wrong_answer("softmax-four_pixels", "another slip", {**FOUR, "slip": "A"}, symptom="slip")
wrong_answer("softmax-four_pixels", "weights only", {**FOUR, "cifar_parameters": 30720}, symptom="no-biases")
wrong_answer("softmax-four_pixels", "a single bias", {**FOUR, "cifar_parameters": 30721}, symptom="one-bias")
wrong_answer("softmax-four_pixels", "one class", {**FOUR, "cifar_parameters": 3073}, symptom="one-class")
wrong_answer("softmax-four_pixels", "grey pixels", {**FOUR, "cifar_parameters": 10250}, symptom="one-channel")
wrong_answer("softmax-four_pixels", "an array", np.array([-96.8, 437.9, 60.75]), symptom="keys")
wrong_answer("softmax-four_pixels", "text", {**FOUR, "cat": "-96.8"}, symptom="not-number")


def terms(P, Q):
    """Return P log(P / Q) of each class, 0 where P is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(P > 0, P * np.log(P / Q), 0.0)


def right_kl(P, Q):
    return terms(P, Q).sum(axis=1)


def right_cross_entropy(P, Q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(P > 0, -P * np.log(Q), 0.0).sum(axis=1)


def variants(exercise_id, right):
    """Plant the bugs that both quantities share."""

    def plant(name, symptom, answer):
        wrong_answer(exercise_id, name, answer, symptom=symptom)

    plant("swapped", "swapped", lambda P, Q: right(Q, P))
    plant("sign", "sign", lambda P, Q: -right(P, Q))
    plant("bits", "bits", lambda P, Q: right(P, Q) / np.log(2))
    plant("log10", "log10", lambda P, Q: right(P, Q) / np.log(10))
    plant("mean over classes", "mean", lambda P, Q: right(P, Q) / P.shape[1])
    plant("one number", "one-number", lambda P, Q: right(P, Q).mean())
    plant("no return", "no-return", lambda P, Q: None)
    plant("columns", "shape", lambda P, Q: right(P.T, Q.T))
    plant("a column", "shape", lambda P, Q: right(P, Q)[:, None])


variants("softmax-kl", right_kl)
variants("softmax-cross_entropy", right_cross_entropy)


@bug("softmax-kl", symptom="cross-entropy")
def cross_entropy_for_kl(P, Q):
    return right_cross_entropy(P, Q)


@bug("softmax-cross_entropy", symptom="kl")
def kl_for_cross_entropy(P, Q):
    return right_kl(P, Q)


@bug("softmax-kl", "softmax-cross_entropy", symptom="entropy")
def ignores_q(P, Q):
    return right_cross_entropy(P, P)


@bug("softmax-kl", symptom="nan-zero")
def zero_times_minus_infinity(P, Q):
    return (P * np.log(P / Q)).sum(axis=1)


@bug("softmax-cross_entropy", symptom="nan-zero")
def zero_times_infinity(P, Q):
    return -(P * np.log(Q)).sum(axis=1)


@bug("softmax-kl", symptom="added-epsilon")
def epsilon_in_the_quotient(P, Q):
    return np.where(P > 0, P * np.log(np.maximum(P, 1e-300) / (Q + 1e-10)), 0).sum(axis=1)


@bug("softmax-cross_entropy", symptom="added-epsilon")
def epsilon_in_the_logarithm(P, Q):
    return -(P * np.log(Q + 1e-12)).sum(axis=1)


@bug("softmax-cross_entropy", symptom="clipped-log")
def clipped(P, Q):
    return -(P * np.log(np.maximum(Q, 1e-30))).sum(axis=1)


@bug("softmax-kl", symptom="clipped-log")
def clipped_quotient(P, Q):
    return (P * np.log(np.maximum(P, 1e-300) / np.maximum(Q, 1e-300))).sum(axis=1)


@bug("softmax-kl", symptom="unweighted")
def not_weighted(P, Q):
    return np.log(P / Q).sum(axis=1)


@bug("softmax-kl", symptom="mutates")
def clips_in_place(P, Q):
    answer = right_kl(P, Q)
    np.clip(Q, 0.2, 1, out=Q)
    return answer


LIFTS = ("softmax-lift_quadrants", "softmax-lift_ring", "softmax-lift_modes")


@bug(*LIFTS, symptom="no-help")
def no_lift(X, centers=None):
    return X


@bug(*LIFTS, symptom="no-help")
def rotated_only(X, centers=None):
    return X @ np.array([[0.8, 0.6], [-0.6, 0.8]])


@bug(*LIFTS, symptom="columns")
def not_a_column(X, centers=None):
    return X[:, 0] * X[:, 1]


@bug(*LIFTS, symptom="columns")
def features_as_rows(X, centers=None):
    return np.stack([X[:, 0], X[:, 1], X[:, 0] ** 2])


@bug(*LIFTS, symptom="too-many")
def a_hundred_features(X, centers=None):
    return np.tile(X, (1, 50))


@bug(*LIFTS, symptom="not-pointwise")
def centred_on_the_batch(X, centers=None):
    return X - X.mean(axis=0)


@bug(*LIFTS, symptom="not-finite")
def quotient(X, centers=None):
    return X / (X[:, :1] - X[:, :1])


@bug(*LIFTS, symptom="mutates")
def in_place(X, centers=None):
    X *= X
    return X


@bug("softmax-lift_quadrants", symptom="not-separable")
def squares(X):
    return X**2


@bug("softmax-lift_ring", symptom="not-separable")
def norm_alone(X):
    return np.sqrt((X**2).sum(axis=1, keepdims=True))


@bug("softmax-lift_ring", symptom="not-separable")
def squared_norm_alone(X):
    return (X**2).sum(axis=1, keepdims=True)


@bug("softmax-lift_modes", symptom="not-separable")
def three_distances(X, centers):
    return np.linalg.norm(X[:, None] - centers, axis=2)


@bug("softmax-lift_modes", symptom="not-separable")
def first_mode_only(X, centers):
    return np.linalg.norm(X - centers[0], axis=1, keepdims=True)


@bug("softmax-lift_modes", symptom="not-separable")
def distance_to_the_mean_center(X, centers):
    return np.linalg.norm(X - centers.mean(axis=0), axis=1, keepdims=True)


@bug("softmax-lift_modes", symptom="not-separable")
def centers_typed_in(X, centers):
    fixed = np.array([[-1.2, 0.8], [1.2, 0.9], [0.1, -1.3]])
    return np.linalg.norm(X[:, None] - fixed, axis=2).min(axis=1, keepdims=True)
