"""Right answers to N02, written as hardly anybody would write them."""

import math

import numpy as np

from tests.alternates import UNUSUAL, unusual

FOUR = {"cat": -96.8, "dog": 437.9, "ship": 60.75, "misprinted": "ship", "slip": "b", "cifar_parameters": 30730}
UNUSUAL += [
    ("softmax-four_pixels", FOUR),
    (
        "softmax-four_pixels",
        {**FOUR, "cat": np.float32(-96.8), "misprinted": "Ship", "slip": "B", "dog": np.array(437.9)},
    ),
    ("softmax-q3", ["e", "C", "A"]),
    ("softmax-q3", frozenset("ACE")),
]


@unusual("softmax-kl")
def kl_by_comprehension(P, Q):
    def term(p, q):
        return 0.0 if p == 0 else math.inf if q == 0 else p * math.log(p / q)

    return np.array([sum(term(p, q) for p, q in zip(a, b, strict=True)) for a, b in zip(P, Q, strict=True)])


@unusual("softmax-kl")
def kl_as_a_difference(P, Q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(P * np.log(P)).sum(1) - np.where(P == 0, 0, P * np.log(Q)).sum(1)


@unusual("softmax-cross_entropy")
def replaces_nan_alone(P, Q):
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = -P * np.log(Q)
    terms[np.isnan(terms)] = 0
    return terms.sum(axis=1)


@unusual("softmax-cross_entropy")
def row_by_row(P, Q):
    out = []
    for p, q in zip(P, Q, strict=True):
        kept = p > 0
        out.append(np.inf if (q[kept] == 0).any() else -np.dot(p[kept], np.log(q[kept])))
    return np.asarray(out, dtype=float)


@unusual("softmax-naive", "softmax-vectorized")
def logaddexp_and_einsum(W, X, y, reg):
    scores = np.einsum("nd,dc->nc", X, W)
    log_p = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    wanted = np.eye(W.shape[1])[y]
    free = np.ones((len(W), 1))
    free[-1] = 0
    dW = np.einsum("nd,nc->dc", X, np.exp(log_p) - wanted) / len(y) + reg * W * free
    return float(-(wanted * log_p).sum() / len(y) + reg / 2 * ((W * free) ** 2).sum()), dW


@unusual("softmax-naive", "softmax-vectorized")
def columns_of_images_in_float64(W, X, y, reg):
    X, W = X.astype(np.float64).T, W.astype(np.float64).T  # (D, N), (C, D)
    scores = W @ X
    scores -= scores.max(axis=0)
    total = np.exp(scores).sum(axis=0)
    correct = np.take_along_axis(scores, y[None].astype(int), axis=0)[0]
    p = np.exp(scores) / total
    np.subtract.at(p, (y, np.arange(len(y))), 1)
    dW = (p / len(y)) @ X.T
    dW[:, :-1] += reg * W[:, :-1]
    return np.array((np.log(total) - correct).mean() + 0.5 * reg * np.square(W[:, :-1]).sum()), dW.T


@unusual("softmax-naive")
def loops_over_everything(W, X, y, reg):
    (N, D), C = X.shape, W.shape[1]
    loss, dW = 0.0, np.zeros((D, C))
    for i in range(N):
        s = [sum(float(X[i, d]) * float(W[d, j]) for d in range(D)) for j in range(C)]
        m = max(s)
        z = sum(math.exp(v - m) for v in s)
        loss -= (s[y[i]] - m - math.log(z)) / N
        for j in range(C):
            for d in range(D):
                dW[d, j] += X[i, d] * (math.exp(s[j] - m) / z - (1 if j == y[i] else 0)) / N
    for d in range(D - 1):
        for j in range(C):
            loss += 0.5 * reg * W[d, j] ** 2
            dW[d, j] += reg * W[d, j]
    return [loss, dW]


@unusual("softmax-vectorized")
def a_loop_over_classes(W, X, y, reg):
    S = X @ W
    S = S - np.max(S, 1)[:, None]
    norm = np.log(np.sum(np.exp(S), 1))
    dW = np.empty_like(W)
    for c in range(W.shape[1]):
        dW[:, c] = np.mean(X * (np.exp(S[:, c] - norm) - (y == c))[:, None], axis=0)
    penalized = W.copy()
    penalized[-1] *= 0
    return np.mean(norm - S[range(len(y)), y]) + reg * np.vdot(penalized, penalized) / 2, dW + reg * penalized


@unusual("softmax-train")
def epochs_in_place(loss, X, y, *, num_classes, learning_rate, reg, num_steps, batch_size, seed):
    rng = np.random.RandomState(seed)
    W, history, queue = np.zeros((X.shape[1], num_classes)), np.empty(num_steps), np.array([], dtype=int)
    for t in range(num_steps):
        while len(queue) < batch_size:
            queue = np.append(queue, rng.permutation(len(X)))
        batch, queue = queue[:batch_size], queue[batch_size:]
        history[t], slope = loss(W, X[batch], y[batch], reg=reg)
        W -= learning_rate * slope
    return W, history


@unusual("softmax-train")
def float32_without_replacement(loss, X, y, num_classes, learning_rate, reg, num_steps, batch_size, seed):
    rng = np.random.Generator(np.random.MT19937(seed))
    W, trace = (rng.random((X.shape[1], num_classes)) / 100).astype(np.float32), ()
    for _ in range(num_steps):
        i = rng.choice(len(X), batch_size, replace=False)
        L, g = loss(W, np.take(X, i, axis=0), np.take(y, i), reg)
        W = (W - np.float32(learning_rate) * g).astype(np.float32)
        trace += (L,)
    return W, trace


@unusual("softmax-predict")
def sorts_the_scores(W, X):
    return np.argsort(-(X @ W), axis=1, kind="stable")[:, 0].astype(np.int32)


@unusual("softmax-predict")
def row_at_a_time(weights, images):
    return np.array([max(range(weights.shape[1]), key=lambda c: float(row @ weights[:, c])) for row in images])


@unusual("softmax-top_k")
def counts_what_is_ahead(scores, y, k):
    own = scores[np.arange(len(y)), y][:, None]
    before = np.arange(scores.shape[1]) < y[:, None]
    return ((scores > own) | ((scores == own) & before)).sum(1).__lt__(k).mean()


@unusual("softmax-top_k")
def one_maximum_after_another(scores, y, k):
    left, right = scores.astype(float), np.zeros(len(y), dtype=bool)
    for _ in range(k):
        best = left.argmax(axis=1)
        right |= best == y
        left[np.arange(len(y)), best] = -np.inf
    return np.float32(right.mean())


def _fit(X, y, rate, reg, num_steps, rng):
    """A softmax classifier of its own, with momentum."""
    W, V = np.zeros((X.shape[1], 10), X.dtype), 0
    for _ in range(num_steps):
        i = rng.integers(len(X), size=100)
        p = np.exp(X[i] @ W)
        p = p / p.sum(1, keepdims=True) - np.eye(10, dtype=X.dtype)[y[i]]
        V = 0.9 * V - rate * (X[i].T @ p / 100 + reg * W)
        W = W + V
    return W


@unusual("softmax-tune")
def random_search_with_momentum(X_train, y_train, X_val, y_val, *, num_steps):
    rng = np.random.default_rng(3)
    runs = {}
    for _ in range(5):
        rate, reg = 10 ** rng.uniform(-3.3, -2), 10 ** rng.uniform(-5, -2)
        W = _fit(X_train, y_train, rate, reg, num_steps, rng)
        runs[rate, reg] = ((X_val @ W).argmax(1) == y_val).mean(), W
    best = max(runs, key=lambda key: runs[key][0])
    return runs[best][1], {key: np.float64(share) for key, (share, _) in runs.items()}


@unusual("softmax-tune")
def one_run_of_each_then_the_best_again(X_train, y_train, X_val, y_val, num_steps):
    table = {}
    for rate in (3e-4, 1e-3, 3e-3, 6e-3):
        W = _fit(X_train, y_train, rate, 0.0, num_steps, np.random.default_rng(0))
        table[rate, 0] = float((np.argmax(X_val @ W, 1) == y_val).mean())
    rate, reg = max(table, key=table.get)
    return [_fit(X_train, y_train, rate, reg, num_steps, np.random.default_rng(0)), table]


@unusual("softmax-lift_quadrants")
def the_label_itself(X):
    return (np.sign(X[:, :1]) == np.sign(X[:, 1:])).astype(int)


@unusual("softmax-lift_quadrants")
def two_diagonals(X):
    return np.abs(np.column_stack([X[:, 0] + X[:, 1], X[:, 0] - X[:, 1]])).astype(np.float32)


@unusual("softmax-lift_ring")
def distance_from_the_middle_of_the_ring(X):
    return np.abs(np.hypot(X[:, 0], X[:, 1]) - 1.5).reshape(-1, 1)


@unusual("softmax-lift_ring")
def norm_its_square_and_the_point(X):
    r = np.linalg.norm(X, axis=1)
    return np.c_[X, r, r**2]


@unusual("softmax-lift_modes")
def one_bell_for_each_center(X, centers):
    return np.exp(-8 * ((X[:, None] - centers) ** 2).sum(-1))


@unusual("softmax-lift_modes")
def how_many_centers_are_near(X, centers):
    near = [[float(math.dist(x, c) < 0.55) for c in centers] for x in X]
    return np.array(near).sum(axis=1, keepdims=True)
