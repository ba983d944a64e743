"""Matrix products cut small enough that BLAS multiplies them in place.

For a large product BLAS first copies both factors into an order of its own. That pays when many rows share the copy;
under the short, wide products of a convolution it costs as much as the product. OpenBLAS leaves the copy out when the
three sizes multiply to at most SMALL: measured 106 instead of 80 GFLOP/s for (512, 512) @ (512, 64), 45 instead of 24
for (64, 16) @ (16, 1024).
"""

from __future__ import annotations

import numpy as np

SMALL = 1_000_000
FEWEST_ROWS = 8  # shorter pieces read the columns too often


def matmul_in_pieces(matrix: np.ndarray, columns: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write matrix @ columns, shapes (..., M, K) and (..., K, N), to out (..., M, N), cut along M; return out."""
    height, depth = matrix.shape[-2:]
    most = SMALL // max(1, depth * columns.shape[-1])
    if FEWEST_ROWS <= most < height:
        rows = max(piece for piece in range(1, most + 1) if height % piece == 0)
        if rows >= FEWEST_ROWS:
            matrix, out_pieces = (a.reshape(*a.shape[:-2], -1, rows, a.shape[-1]) for a in (matrix, out))
            np.matmul(matrix, columns[..., None, :, :], out=out_pieces)
            return out
    return np.matmul(matrix, columns, out=out)
