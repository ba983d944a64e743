"""Right and unusual answers to the exercises of N00 and N01."""

import math
from collections import Counter, defaultdict

import numpy as np

from tests.alternates import UNUSUAL, unusual

UNUSUAL += [("knn-q2", ["D", "b", "A"]), ("knn-q3", ("A", "B", "D"))]


@unusual("start-row_means")
def means_by_a_product(matrix):
    return matrix @ np.full((matrix.shape[1], 1), 1 / matrix.shape[1])


@unusual("start-row_means")
def means_by_comprehension(X):
    return np.array([[sum(row) / len(row)] for row in X])


@unusual("start-center_columns")
def centre_through_the_transpose(X):
    return np.array([column - np.average(column) for column in X.T]).T


@unusual("start-center_columns")
def centre_by_projection(X):
    n = len(X)
    return (np.eye(n) - 1 / n) @ X


@unusual("start-one_hot")
def rows_of_the_identity(y, num_classes):
    return np.eye(num_classes, dtype=int)[y]


@unusual("start-one_hot")
def one_hot_by_comparison(y, num_classes):
    return (y[:, None] == np.arange(num_classes)).astype(np.float32)


@unusual("start-outer_sum")
def sum_of_grids(a, b):
    return np.add(*np.meshgrid(a, b, indexing="ij"))


@unusual("start-outer_sum")
def sums_in_a_list(a, b):
    return np.array([[u + v for v in b] for u in a])


@unusual("start-pick_scores")
def diagonal_of_all_pairs(scores, y):
    return np.diagonal(scores[:, y])


@unusual("start-pick_scores")
def masked_sum(scores, y):
    return np.where(np.arange(scores.shape[1]) == y[:, None], scores, 0).sum(axis=1)


@unusual("start-to_chw")
def channels_stacked(images):
    return np.stack([images[..., c] for c in range(images.shape[-1])], axis=1)


@unusual("start-to_chw")
def two_swaps(images):
    return images.swapaxes(2, 3).swapaxes(1, 2)


@unusual("start-classify_image")
def brightness_in_ten_steps(image):
    return np.int64(image.mean() // 25.6)


@unusual("start-classify_image")
def brightest_corner(image):
    corners = [image[:8, :8], image[:8, -8:], image[-8:, :8], image[-8:, -8:]]
    return max(range(4), key=lambda i: int(corners[i].sum()))


@unusual("start-accuracy")
def share_as_an_array(predicted, y):
    if np.size(predicted) != len(y):
        raise ValueError("sizes")
    return np.array(np.count_nonzero(np.ravel(predicted) == y) / len(y))


@unusual("start-accuracy")
def share_by_zip(predicted, y):
    pairs = list(zip(np.asarray(predicted).flatten().tolist(), y.tolist(), strict=True))
    return sum(a == b for a, b in pairs) / len(pairs)


@unusual("knn-two_loops", "knn-one_loop")
def standard_library(X, X_train):
    return np.array([[math.dist(a.astype(float), b.astype(float)) for b in X_train] for a in X])


@unusual("knn-two_loops", "knn-one_loop")
def norm_of_all_differences(X, X_train):
    return np.linalg.norm(X[:, None].astype(np.float32) - X_train.astype(np.float32), axis=2)


@unusual("knn-no_loops")
def by_einsum(tests, trains):
    a, b = np.float64(tests), np.float64(trains)
    squares = np.einsum("ij,ij->i", a, a)[:, np.newaxis] + np.einsum("ij,ij->i", b, b) - 2 * np.dot(a, b.T)
    squares[squares < 0] = 0
    return squares**0.5


@unusual("knn-no_loops")
def in_float32_with_abs(X, X_train):
    a, b = X.astype(np.float32), X_train.astype(np.float32)
    left = np.concatenate([a, np.square(a).sum(1, keepdims=True), np.ones((len(a), 1), np.float32)], axis=1)
    right = np.concatenate([-2 * b, np.ones((len(b), 1), np.float32), np.square(b).sum(1, keepdims=True)], axis=1)
    return np.sqrt(np.abs(left @ right.T))


@unusual("knn-predict_labels")
def count_and_sort(dists, y_train, k=1):
    if k < 1 or k > dists.shape[1]:
        raise ValueError("k")
    labels = []
    for row in dists:
        votes = Counter(y_train[i] for i in sorted(range(len(row)), key=lambda i: row[i])[:k])
        labels.append(sorted(votes, key=lambda label: (-votes[label], label))[0])
    return np.array(labels)


@unusual("knn-predict_labels")
def partition_and_table(dists, y_train, k=1):
    if not 0 < k <= len(y_train):
        raise ValueError("k")
    near = y_train[np.argpartition(dists, k - 1, axis=1)[:, :k]]
    classes = np.unique(y_train)
    return classes[(near[:, :, None] == classes).sum(axis=1).argmax(axis=1)]


@unusual("knn-cross_validate")
def strided_folds_one_k_at_a_time(classify, X, y, k_choices, num_folds=5):
    fold = np.arange(len(y)) % num_folds
    table = {}
    for k in k_choices:
        table[k] = tuple(
            np.mean(classify(X[fold != f], y[fold != f], X[fold == f], [k])[k] == y[fold == f])
            for f in range(num_folds)
        )
    return table


@unusual("knn-cross_validate")
def shuffled_folds_in_float32(classify, X, y, k_choices, num_folds=5):
    order = np.random.default_rng(3).permutation(len(y))
    X_folds = np.array_split(X[order].astype(np.float32), num_folds)
    y_folds = np.array_split(y[order], num_folds)
    table = defaultdict(list)
    for f in reversed(range(num_folds)):
        others = [i for i in range(num_folds) if i != f]
        rows, labels = np.vstack([X_folds[i] for i in others]), np.hstack([y_folds[i] for i in others])
        for k, found in classify(rows, labels, X_folds[f], tuple(k_choices)).items():
            table[k].append((found == y_folds[f]).sum() / len(found))
    return dict(table)


@unusual("knn-choose_k")
def sorted_by_mean_then_k(k_to_accuracies):
    return sorted(k_to_accuracies.items(), key=lambda item: (-sum(item[1]) / len(item[1]), item[0]))[0][0]


@unusual("knn-choose_k")
def argmax_over_sorted_k(k_to_accuracies):
    ks = np.array(sorted(k_to_accuracies))
    return ks[np.argmax([np.mean(k_to_accuracies[k]) for k in ks])]
