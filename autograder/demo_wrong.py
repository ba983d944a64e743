"""Wrong answers for the demo's student "wrong": one typical mistake each, for the hints to name."""

# %%
import numpy as np


# %% solution="start-to_chw"
def to_chw(images):
    return images.reshape(len(images), 3, images.shape[1], images.shape[2])


# %% solution="start-accuracy"
def accuracy(predicted, labels):
    return (predicted == labels).sum()


# %% solution="knn-two_loops"
def compute_distances_two_loops(X, X_train):
    dists = np.zeros((len(X), len(X_train)))
    for i in range(len(X)):
        for j in range(len(X_train)):
            dists[i, j] = np.sum((X[i].astype(float) - X_train[j]) ** 2)
    return dists


# %% solution="knn-no_loops"
def compute_distances_no_loops(X, X_train):
    gaps = X[:, None, :].astype(float) - X_train[None, :, :]
    return np.sqrt((gaps**2).sum(axis=2))


# %% solution="knn-predict_labels"
def predict_labels(dists, y_train, k=1):
    if not 1 <= k <= len(y_train):
        raise ValueError("predict_labels: k must be between 1 and the number of training rows")
    votes = [list(y_train[np.argsort(row)[:k]]) for row in dists]
    return np.array([max(labels, key=labels.count) for labels in votes])


# %% solution="knn-choose_k"
def choose_k(k_to_accuracies):
    return max(k_to_accuracies, key=lambda k: max(k_to_accuracies[k]))
