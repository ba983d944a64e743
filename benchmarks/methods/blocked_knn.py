"""Exact nearest neighbours in bounded memory: fast float32 scores choose candidates, float64 decides among them.

|x - y|^2 orders the rows y as `|y|^2 - 2 x.y` does: one matrix product per block, no square root, no |x|^2. A float32
product rounds, so it may swap near ties. Each row therefore keeps `spare` candidates more than k, measures those again
in float64, and proves with a bound on the rounding that no other row can come in; where it cannot, it measures all.
Rule for ties: the smaller distance first, and of equal distances the smaller training index.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

ROUNDING = float(np.finfo(np.float32).eps) / 2  # the unit roundoff u of float32, 6e-8


class Neighbours(NamedTuple):
    indices: np.ndarray  # int64 (N, k), nearest first
    squared_distances: np.ndarray  # float64 (N, k)
    num_unproved: int  # rows that needed the full measurement


def nearest_neighbours(
    X: np.ndarray, Y: np.ndarray, *, k: int, rows: int = 512, columns: int = 4096, spare: int = 10, workers: int = 1
) -> Neighbours:
    """Return the k rows of Y nearest to each row of X.

    X, Y : float32 (N, D) and (M, D), k <= M
    rows, columns : block of the score matrix; 512 x 4096 float32 is 8 MB, the memory each worker needs besides the data
    workers : threads, one block of rows each; NumPy releases the interpreter in products (limit BLAS to one thread)
    """
    if X.dtype != np.float32 or Y.dtype != np.float32:
        raise TypeError(f"nearest_neighbours: X and Y must be float32, got {X.dtype} and {Y.dtype}")
    if not 1 <= k <= len(Y):
        raise ValueError(f"nearest_neighbours: k must be in 1..{len(Y)}, got {k}")
    squares = np.einsum("ij,ij->i", Y, Y, dtype=np.float64)  # (M,), without a float64 copy of Y
    kept = min(k + spare, len(Y))

    def block(start: int) -> Neighbours:
        x = X[start : start + rows]
        candidates, limit = _candidates(x, Y, squares, kept, columns)
        return _measure(x, Y, squares, candidates, limit, k)

    with ThreadPoolExecutor(workers) as pool:
        blocks = list(pool.map(block, range(0, len(X), rows)))
    indices, distances, unproved = zip(*blocks, strict=True)
    return Neighbours(np.concatenate(indices), np.concatenate(distances), sum(unproved))


def _candidates(x: np.ndarray, Y: np.ndarray, squares: np.ndarray, kept: int, columns: int):
    """Return (indices, limit): the `kept` rows of Y with the lowest float32 scores; all others score >= limit."""
    minus_two_x = -2 * x
    squares32 = squares.astype(np.float32)
    scores = np.full((len(x), kept), np.inf, dtype=np.float32)
    indices = np.zeros((len(x), kept), dtype=np.int64)
    for start in range(0, len(Y), columns):
        fresh = minus_two_x @ Y[start : start + columns].T  # (rows, columns)
        fresh += squares32[start : start + columns]
        # Only a score below the worst one kept can come in: rare after a few blocks, so most rows need no sort.
        better = np.flatnonzero(fresh.min(axis=1) < scores.max(axis=1))
        both = np.concatenate([scores[better], fresh[better]], axis=1)
        lowest = np.argpartition(both, kept - 1, axis=1)[:, :kept]
        old = np.take_along_axis(indices[better], np.minimum(lowest, kept - 1), axis=1)
        indices[better] = np.where(lowest < kept, old, start + lowest - kept)
        scores[better] = np.take_along_axis(both, lowest, axis=1)
    everything = kept == len(Y)
    return indices, np.full(len(x), np.inf) if everything else scores.max(axis=1).astype(np.float64)


def _measure(x: np.ndarray, Y: np.ndarray, squares: np.ndarray, candidates: np.ndarray, limit: np.ndarray, k: int):
    """Return the k nearest of each row's candidates by float64 distance, after the proof that they are all it needs."""
    indices, distances, unproved = np.empty((len(x), k), np.int64), np.empty((len(x), k)), 0
    norms = np.sqrt(np.square(x, dtype=np.float64).sum(axis=1))  # (rows,)
    # Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1: a dot product of D terms, summed in
    # any order, is off by at most D u / (1 - D u) * |x| |y|; the two further roundings add u of their results.
    gamma = len(Y[0]) * ROUNDING / (1 - len(Y[0]) * ROUNDING)
    products = 2 * norms * np.sqrt(squares.max())
    error = gamma * products + 2 * ROUNDING * (squares.max() + products)
    for i, row in enumerate(x.astype(np.float64)):
        order, measured = _nearest_of(row, Y, candidates[i], k)
        if measured[-1] - norms[i] ** 2 >= limit[i] - error[i]:  # one left out might be as near as the k-th
            order, measured = _nearest_of(row, Y, np.arange(len(Y)), k)
            unproved += 1
        indices[i], distances[i] = order, measured
    return Neighbours(indices, distances, unproved)


def _nearest_of(row: np.ndarray, Y: np.ndarray, among: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (indices, squared distances) of the k rows of Y[among] nearest to a float64 row, by the rule for ties."""
    parts = np.array_split(among, 1 + len(among) // 256)
    gaps = (Y[part] - row for part in parts)  # float64, (at most 256, D) at a time
    measured = np.concatenate([np.einsum("ij,ij->i", gap, gap) for gap in gaps])
    order = np.lexsort((among, measured))[:k]
    return among[order], measured[order]
