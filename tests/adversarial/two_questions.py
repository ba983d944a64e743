# %% [markdown]
# # Two questions
#
# A small notebook of the course's own exercises, for submissions that attack or break it.

# %% setup="two-setup"
import numpy as np

from cs231n_lib.check import check


# %% solution="net-affine_forward"
def affine_forward(x, w, b):
    """Return (out, cache) of an affine layer."""
    ### BEGIN SOLUTION
    return x.reshape(len(x), -1) @ w + b, (x, w)
    ### END SOLUTION


# %% tests="net-affine_forward" points=3
result = check("net-affine_forward", affine_forward)


### BEGIN HIDDEN TESTS
def hidden_zebra(subject, rng, report):
    from cs231n_lib.check.n04_affine import affine

    with report.stage("hidden-zebra-stage"):
        x, w, b = rng.normal(size=(4, 1)), rng.normal(size=(1, 3)), rng.normal(size=3)
        report.close(report.array(subject(x, w, b)[0], (4, 3), name="out"), affine(x, w, b), name="hidden-zebra")


result = result.also(hidden_zebra, seed=4403)
### END HIDDEN TESTS
result.points


# %% solution="net-softmax_loss"
def softmax_loss(scores, y):
    """Return (loss, dscores)."""
    ### BEGIN SOLUTION
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    each = np.arange(len(y))
    dscores = np.exp(log_probs)
    dscores[each, y] -= 1
    return -log_probs[each, y].mean(), dscores / len(y)
    ### END SOLUTION


# %% tests="net-softmax_loss" points=5
result = check("net-softmax_loss", softmax_loss)
### BEGIN HIDDEN TESTS
result = result.also(seed=4603)
### END HIDDEN TESTS
result.points


# %% solution="net-relu_forward"
def relu_forward(x):
    """Return (out, cache)."""
    ### BEGIN SOLUTION
    return np.maximum(x, 0), x
    ### END SOLUTION


# %% tests="net-relu_forward" points=2
result = check("net-relu_forward", relu_forward)
result.points


# %% solution="knn-no_loops"
def compute_distances_no_loops(X, X_train):
    """Return the distances without a loop."""
    ### BEGIN SOLUTION
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    squares = (X**2).sum(axis=1)[:, None] + (X_train**2).sum(axis=1) - 2 * (X @ X_train.T)
    return np.sqrt(np.maximum(squares, 0))
    ### END SOLUTION


# %% tests="knn-no_loops" points=8
result = check("knn-no_loops", compute_distances_no_loops)
result.points
