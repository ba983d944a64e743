"""Planted bugs of N01: every mistake of the curriculum's table for these functions, and more."""

from collections import Counter

import numpy as np

from tests.mutants import bug, wrong_answer

DISTANCES = ("knn-two_loops", "knn-one_loop", "knn-no_loops")


def right_distances(X, X_train):
    a, b = np.asarray(X, dtype=float), np.asarray(X_train, dtype=float)
    return np.sqrt(np.maximum((a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1), 0))


@bug(*DISTANCES, symptom="squared")
def no_root(X, X_train):
    return right_distances(X, X_train) ** 2


@bug(*DISTANCES, symptom="l1")
def sum_of_absolute_values(X, X_train):
    return np.array([[np.abs(row - other).sum() for other in X_train.astype(float)] for row in X.astype(float)])


@bug(*DISTANCES, symptom="largest-gap")
def largest_difference(X, X_train):
    return np.array([[np.abs(row - other).max() for other in X_train.astype(float)] for row in X.astype(float)])


@bug(*DISTANCES, symptom="mean")
def mean_for_sum(X, X_train):
    return right_distances(X, X_train) / np.sqrt(X.shape[1])


@bug(*DISTANCES, symptom="broadcast-shape")
def distance_to_the_first_only(X, X_train):
    return right_distances(X, X_train[:1])


@bug(*DISTANCES, symptom="broadcast-shape")
def last_row_only(X, X_train):
    return right_distances(X[-1:], X_train)


@bug(*DISTANCES, symptom="transposed")
def training_rows_first(X, X_train):
    return right_distances(X_train, X)


@bug(*DISTANCES, symptom="transposed")
def transposed_when_nothing_tells(X, X_train):
    dists = right_distances(X, X_train)
    return dists.T if len(X) == len(X_train) else dists


@bug(*DISTANCES, symptom="reshaped")
def reshapes_the_transpose(X, X_train):
    return right_distances(X_train, X).reshape(len(X), len(X_train))


@bug(*DISTANCES, symptom="uint8-overflow")
def subtracts_bytes(X, X_train):
    dists = np.zeros((len(X), len(X_train)))
    for i in range(len(X)):
        for j in range(len(X_train)):
            dists[i, j] = np.sqrt(((X[i] - X_train[j]).astype(float) ** 2).sum())
    return dists


@bug(*DISTANCES, symptom="uint8-overflow")
def squares_bytes(X, X_train):
    squares = (X**2).sum(1)[:, None] - 2.0 * X.astype(float) @ X_train.T + (X_train**2).sum(1)
    return np.sqrt(np.maximum(squares, 0))


@bug(*DISTANCES, symptom="nan-duplicates")
def no_clamp(X, X_train):
    a, b = X.astype(float), X_train.astype(float)
    return np.sqrt((a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1))


@bug(*DISTANCES, symptom="no-cross-term")
def no_cross_term(X, X_train):
    a, b = X.astype(float), X_train.astype(float)
    return np.sqrt((a**2).sum(1)[:, None] + (b**2).sum(1))


@bug(*DISTANCES, symptom="cross-sign")
def plus_cross_term(X, X_train):
    a, b = X.astype(float), X_train.astype(float)
    return np.sqrt(np.maximum((a**2).sum(1)[:, None] + 2 * a @ b.T + (b**2).sum(1), 0))


@bug(*DISTANCES, symptom="cross-half")
def half_the_cross_term(X, X_train):
    a, b = X.astype(float), X_train.astype(float)
    return np.sqrt((a**2).sum(1)[:, None] - a @ b.T + (b**2).sum(1))


@bug(*DISTANCES, symptom="mutates")
def squares_in_place(X, X_train):
    dists = right_distances(X, X_train)
    X **= 2
    return dists


@bug(*DISTANCES, symptom="dtype")
def integer_distances(X, X_train):
    return right_distances(X, X_train).astype(int)


@bug(*DISTANCES, symptom="no-return")
def forgets_to_return(X, X_train):
    right_distances(X, X_train)


@bug("knn-no_loops", symptom="memory")
def all_differences_at_once(X, X_train):
    return np.sqrt(((X[:, None].astype(float) - X_train[None]) ** 2).sum(axis=2))


@bug("knn-no_loops", symptom="memory")
def all_differences_in_float32(X, X_train):
    return np.linalg.norm(X[:, None].astype(np.float32) - X_train[None].astype(np.float32), axis=2)


@bug("knn-no_loops", symptom="slow")
def one_loop_in_disguise(X, X_train):
    return np.array([np.sqrt(((row - X_train.astype(float)) ** 2).sum(axis=1)) for row in X.astype(float)])


@bug("knn-no_loops", symptom="slow")
def vectorize_in_disguise(X, X_train):
    a, b = X.astype(float), X_train.astype(float)
    pair = np.vectorize(lambda i, j: np.sqrt(((a[i] - b[j]) ** 2).sum()))
    return pair(np.arange(len(a))[:, None], np.arange(len(b)))


def right_labels(dists, y_train, k=1):
    if not 1 <= k <= len(y_train):
        raise ValueError("k")
    nearest = y_train[np.argsort(dists, axis=1)[:, :k]]
    return np.array([np.bincount(row).argmax() for row in nearest])


@bug("knn-predict_labels", symptom="tie-first-seen")
def most_common(dists, y_train, k=1):
    nearest = y_train[np.argsort(dists, axis=1)[:, :k]]
    return np.array([Counter(row.tolist()).most_common(1)[0][0] for row in nearest])


@bug("knn-predict_labels", symptom="tie-larger")
def later_label_wins(dists, y_train, k=1):
    nearest = y_train[np.argsort(dists, axis=1)[:, :k]]
    return np.array([max(set(row.tolist()), key=lambda c: (row.tolist().count(c), c)) for row in nearest])


@bug("knn-predict_labels", symptom="farthest")
def sorts_downwards(dists, y_train, k=1):
    return right_labels(-dists, y_train, k)


@bug("knn-predict_labels", symptom="index-not-label")
def returns_rows(dists, y_train, k=1):
    return right_labels(dists, np.arange(len(y_train)), k)


@bug("knn-predict_labels", symptom="float-labels")
def zeros_for_labels(dists, y_train, k=1):
    out = np.zeros(len(dists))
    out[:] = right_labels(dists, y_train, k)
    return out


@bug("knn-predict_labels", symptom="k-too-large")
def takes_all_there_are(dists, y_train, k=1):
    return right_labels(dists, y_train, min(k, len(y_train)))


@bug("knn-predict_labels", symptom="k-too-small")
def one_at_least(dists, y_train, k=1):
    return right_labels(dists, y_train, max(k, 1))


@bug("knn-predict_labels", symptom="ignores-k")
def always_the_nearest(dists, y_train, k=1):
    return y_train[dists.argmin(axis=1)]


@bug("knn-predict_labels", symptom="averaged")
def averages_labels(dists, y_train, k=1):
    return np.rint(y_train[np.argsort(dists, axis=1)[:, :k]].mean(axis=1)).astype(int)


@bug("knn-predict_labels", symptom="skips-nearest")
def leaves_itself_out(dists, y_train, k=1):
    order = np.argsort(dists, axis=1)[:, 1 : k + 1]
    return np.array([np.bincount(row).argmax() for row in y_train[order]])


@bug("knn-predict_labels", symptom="values")
def one_vote_too_many(dists, y_train, k=1):
    return right_labels(dists, y_train, k + 1 if k > 1 else k)


@bug("knn-predict_labels", symptom="mutates")
def sorts_in_place(dists, y_train, k=1):
    labels = right_labels(dists, y_train, k)
    dists.sort(axis=1)
    return labels


@bug("knn-predict_labels", symptom="shape")
def sorts_along_test_rows(dists, y_train, k=1):
    return y_train[np.argsort(dists, axis=0)[0]]


def folds_of(n, num_folds):
    return np.array_split(np.arange(n), num_folds)


def accuracies(classify, X, y, k_choices, splits):
    """Run `classify` on each (train, val) pair of row indices."""
    out = {k: [] for k in k_choices}
    for train, val in splits:
        for k, labels in classify(X[train], y[train], X[val], list(k_choices)).items():
            out[k].append(float(np.mean(labels == y[val])))
    return out


def right_splits(n, num_folds):
    return [(np.setdiff1d(np.arange(n), val), val) for val in folds_of(n, num_folds)]


@bug("knn-cross_validate", symptom="fold-leak")
def trains_on_everything(classify, X, y, k_choices, num_folds=5):
    return accuracies(classify, X, y, k_choices, [(np.arange(len(X)), val) for val in folds_of(len(X), num_folds)])


@bug("knn-cross_validate", symptom="validates-on-training-fold")
def validates_on_the_next_fold(classify, X, y, k_choices, num_folds=5):
    folds = folds_of(len(X), num_folds)
    splits = [(train, folds[(i + 1) % num_folds]) for i, (train, _) in enumerate(right_splits(len(X), num_folds))]
    return accuracies(classify, X, y, k_choices, splits)


@bug("knn-cross_validate", symptom="fold-leak")
def folds_overlap_by_a_row(classify, X, y, k_choices, num_folds=5):
    splits = [(np.append(train, val[0]), val) for train, val in right_splits(len(X), num_folds)]
    return accuracies(classify, X, y, k_choices, splits)


@bug("knn-cross_validate", symptom="dropped-rows")
def drops_the_remainder(classify, X, y, k_choices, num_folds=5):
    n = len(X) // num_folds * num_folds
    return accuracies(classify, X, y, k_choices, right_splits(n, num_folds))


@bug("knn-cross_validate", symptom="labels-misaligned")
def shuffles_rows_only(classify, X, y, k_choices, num_folds=5):
    X = X[np.random.default_rng(0).permutation(len(X))]
    return accuracies(classify, X, y, k_choices, right_splits(len(X), num_folds))


@bug("knn-cross_validate", symptom="labels-misaligned")
def forgets_labels_of_the_fold(classify, X, y, k_choices, num_folds=5):
    out = {k: [] for k in k_choices}
    for train, val in right_splits(len(X), num_folds):
        for k, labels in classify(X[train], y, X[val], k_choices).items():
            out[k].append(np.mean(labels == y[val]))
    return out


@bug("knn-cross_validate", symptom="folds-not-joined")
def hands_on_a_list_of_folds(classify, X, y, k_choices, num_folds=5):
    out = {k: [] for k in k_choices}
    folds = folds_of(len(X), num_folds)
    for i, val in enumerate(folds):
        rest = folds[:i] + folds[i + 1 :]
        for k, labels in classify([X[r] for r in rest], [y[r] for r in rest], X[val], k_choices).items():
            out[k].append(np.mean(labels == y[val]))
    return out


@bug("knn-cross_validate", symptom="uneven-folds")
def last_fold_takes_the_rest(classify, X, y, k_choices, num_folds=5):
    cuts = [len(X) // num_folds * i for i in range(1, num_folds)]
    folds = np.split(np.arange(len(X)), cuts)
    return accuracies(classify, X, y, k_choices, [(np.setdiff1d(np.arange(len(X)), val), val) for val in folds])


@bug("knn-cross_validate", symptom="fold-count")
def one_split_only(classify, X, y, k_choices, num_folds=5):
    return accuracies(classify, X, y, k_choices, right_splits(len(X), num_folds)[:1])


@bug("knn-cross_validate", symptom="fold-count")
def always_five_folds(classify, X, y, k_choices, num_folds=5):
    return accuracies(classify, X, y, k_choices, right_splits(len(X), 5))


@bug("knn-cross_validate", symptom="untrained-rows")
def trains_on_one_fold(classify, X, y, k_choices, num_folds=5):
    folds = folds_of(len(X), num_folds)
    return accuracies(classify, X, y, k_choices, [(folds[i - 1], val) for i, val in enumerate(folds)])


@bug("knn-cross_validate", symptom="rows-changed")
def scales_rows(classify, X, y, k_choices, num_folds=5):
    return accuracies(classify, X / 255, y, k_choices, right_splits(len(X), num_folds))


@bug("knn-cross_validate", symptom="k-not-list")
def hands_on_one_number(classify, X, y, k_choices, num_folds=5):
    return {
        k: [np.mean(classify(X[t], y[t], X[v], k)[k] == y[v]) for t, v in right_splits(len(X), num_folds)]
        for k in k_choices
    }


@bug("knn-cross_validate", symptom="not-per-fold")
def keeps_the_mean_only(classify, X, y, k_choices, num_folds=5):
    table = accuracies(classify, X, y, k_choices, right_splits(len(X), num_folds))
    return {k: float(np.mean(v)) for k, v in table.items()}


@bug("knn-cross_validate", symptom="count")
def counts_for_shares(classify, X, y, k_choices, num_folds=5):
    table = accuracies(classify, X, y, k_choices, right_splits(len(X), num_folds))
    sizes = [len(fold) for fold in folds_of(len(X), num_folds)]
    return {k: [a * n for a, n in zip(v, sizes, strict=True)] for k, v in table.items()}


@bug("knn-cross_validate", symptom="denominator")
def divides_by_the_usual_size(classify, X, y, k_choices, num_folds=5):
    table = counts_for_shares(classify, X, y, k_choices, num_folds)
    return {k: [count / (len(X) // num_folds) for count in v] for k, v in table.items()}


@bug("knn-cross_validate", symptom="error-rate")
def errors_for_accuracies(classify, X, y, k_choices, num_folds=5):
    table = accuracies(classify, X, y, k_choices, right_splits(len(X), num_folds))
    return {k: [1 - a for a in v] for k, v in table.items()}


@bug("knn-cross_validate", symptom="wrong-k")
def swaps_the_keys(classify, X, y, k_choices, num_folds=5):
    table = accuracies(classify, X, y, k_choices, right_splits(len(X), num_folds))
    return dict(zip(table, [*list(table.values())[1:], table[k_choices[0]]], strict=True))


@bug("knn-choose_k", symptom="single-fold")
def best_single_fold(k_to_accuracies):
    return max(k_to_accuracies, key=lambda k: max(k_to_accuracies[k]))


@bug("knn-choose_k", symptom="lowest")
def lowest_mean(k_to_accuracies):
    return min(k_to_accuracies, key=lambda k: np.mean(k_to_accuracies[k]))


@bug("knn-choose_k", symptom="tie")
def first_of_the_dict(k_to_accuracies):
    return max(k_to_accuracies, key=lambda k: np.mean(k_to_accuracies[k]))


@bug("knn-choose_k", symptom="tie")
def larger_k_of_a_tie(k_to_accuracies):
    return max(k_to_accuracies, key=lambda k: (np.mean(k_to_accuracies[k]), k))


@bug("knn-choose_k", symptom="value-not-key")
def returns_the_accuracy(k_to_accuracies):
    return max(float(np.mean(v)) for v in k_to_accuracies.values())


@bug("knn-choose_k", symptom="value-not-key")
def returns_text(k_to_accuracies):
    return str(max(sorted(k_to_accuracies), key=lambda k: np.mean(k_to_accuracies[k])))


@bug("knn-choose_k", symptom="mutates")
def averages_in_place(k_to_accuracies):
    for k in k_to_accuracies:
        k_to_accuracies[k] = float(np.mean(k_to_accuracies[k]))
    return max(sorted(k_to_accuracies), key=k_to_accuracies.__getitem__)


wrong_answer("knn-q2", "a word", "ABD", symptom="not-set")
wrong_answer("knn-q2", "an unknown letter", {"A", "Z"}, symptom="letters")
wrong_answer("knn-q3", "true for all", [True, False], symptom="letters")
wrong_answer("knn-q3", "a number", 3, symptom="not-set")
# With a hidden key, a wrong letter takes back the credit of a right one: these pass the visible check and earn less.
wrong_answer("knn-q2", "one is missing", {"A", "B"}, points=2.6667)
wrong_answer("knn-q2", "one too many", {"A", "B", "D", "E"}, points=2.6667)
wrong_answer("knn-q2", "scaling each pixel taken for harmless", {"A", "B", "C"}, points=1.3333)
wrong_answer("knn-q2", "everything", set("ABCDEF"))
wrong_answer("knn-q2", "nothing", set())
wrong_answer("knn-q2", "the opposite", {"C", "E", "F"})
wrong_answer("knn-q3", "one is missing", {"B", "D"}, points=2.0)
wrong_answer("knn-q3", "larger k always better", {"A", "B", "D", "E"}, points=2.0)
wrong_answer("knn-q3", "everything", set("ABCDEF"))
wrong_answer("knn-q3", "the opposite", {"C", "E", "F"})
