"""The methods that benchmarks/knn.py compares, each as one function from images to neighbour indices."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).parents[2] / "assignments" / "source" / "a1" / "N01_knn.py"
CELL = "knn-no_loops"
METHODS = ("blocked", "no_loops", "scikit-learn", "torch.cdist")
MOST_BYTES = 12e9  # a distance function that would need more is called for a part of the test images at a time
PIECE_BYTES = 2e9
ARRAYS = 4  # of the size of its float64 result that such a function holds at once, at a guess


def load_reference(source: Path = SOURCE, *, name: str | None = None) -> Callable:
    """Return the course's reference distance function, f(X_test, X_train) -> (num_test, num_train).

    It exists once, in the solution cell of its notebook's source; `name` ("module:function") takes another one instead.
    """
    if name is not None:
        module, _, function = name.partition(":")
        return getattr(import_module(module), function)
    if not source.exists():
        raise SystemExit(f"load_reference: source must exist, got {source}; give --reference module:function instead")
    cells = re.split(r"^(?=# %%)", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [cell for cell in cells if re.match(rf'# %%.*\bsolution="{CELL}"', cell)]
    if len(found) != 1:
        raise SystemExit(f"load_reference: {source.name} must have one cell solution={CELL!r}, got {len(found)}")
    space: dict = {"np": np}
    exec(compile(found[0], str(source), "exec"), space)
    functions = [value for key, value in space.items() if callable(value) and key.endswith("no_loops")]
    if len(functions) != 1:
        raise SystemExit(f"load_reference: cell {CELL} must define one function *no_loops, got {len(functions)}")
    return functions[0]


def solve(
    method: str, reference: str | None, *, k: int, threads: int
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the method as a function (X, Y) -> neighbour indices, int (N, k), nearest first."""
    if method == "blocked":
        from methods.blocked_knn import nearest_neighbours

        return lambda X, Y: nearest_neighbours(X, Y, k=k, workers=threads).indices
    if method == "no_loops":
        distances = load_reference(name=reference)
        return lambda X, Y: np.concatenate([_lowest(distances(X[rows], Y), k) for rows in pieces(len(X), len(Y))])
    if method == "scikit-learn":
        from sklearn.neighbors import NearestNeighbors

        return lambda X, Y: NearestNeighbors(n_neighbors=k, algorithm="brute").fit(Y).kneighbors(X)[1]
    import torch

    torch.set_num_threads(threads)
    return lambda X, Y: (
        torch.cdist(torch.from_numpy(X), torch.from_numpy(Y)).topk(k, dim=1, largest=False).indices.numpy()
    )


def pieces(num_test: int, num_train: int) -> list[slice]:
    """Return the test images of each call of a distance function: all, unless its memory would pass MOST_BYTES."""
    bytes_per_row = ARRAYS * 8 * num_train
    whole = bytes_per_row * num_test <= MOST_BYTES
    rows = num_test if whole else max(1, int(PIECE_BYTES // bytes_per_row))
    return [slice(start, start + rows) for start in range(0, num_test, max(1, rows))]


def _lowest(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the indices of the k lowest entries of each row, lowest first; a few rows at a time, to add no memory."""
    chosen = np.empty((len(distances), k), dtype=np.int64)
    for start in range(0, len(distances), 100):
        part = distances[start : start + 100]
        near = np.sort(np.argpartition(part, k - 1, axis=1)[:, :k], axis=1)
        order = np.argsort(np.take_along_axis(part, near, axis=1), axis=1, kind="stable")
        chosen[start : start + 100] = np.take_along_axis(near, order, axis=1)
    return chosen
