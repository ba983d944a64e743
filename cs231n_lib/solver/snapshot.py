"""A model's arrays, out and back in: the parameters together with the running statistics they were measured with.

Parameters without their statistics are another model: batch normalisation at test time uses the statistics.
"""

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def _stores(model: Any, *, params: bool) -> dict[str, dict[str, Any]]:
    """Return every dict of the model that holds arrays, by the prefix of its names in a snapshot."""
    stores = {"params": model.params if params else None, "state": getattr(model, "state", None)}
    bn_params = getattr(model, "bn_params", None) or {}
    named = bn_params.items() if isinstance(bn_params, dict) else enumerate(bn_params)
    stores |= {f"bn_params/{name}": store for name, store in named}
    return {prefix: store for prefix, store in stores.items() if isinstance(store, dict)}


def read(model: Any, *, params: bool = True) -> Arrays:
    """Return copies of the model's arrays by name; params=False leaves out the parameters.

    Entries that are no arrays (a mode, an eps) are settings, not statistics: left out.
    """
    return {
        f"{prefix}/{key}": np.array(value)  # np.array keeps the memory order; ndarray.copy would make it C
        for prefix, store in _stores(model, params=params).items()
        for key, value in store.items()
        if isinstance(value, np.ndarray)
    }


def write(model: Any, snapshot: Arrays, *, params: bool = True) -> None:
    """Put the arrays of `snapshot` into the model, as copies, and remove arrays that it does not have.

    A statistic that did not exist yet when the snapshot was taken (running means appear at the first batch) goes away.
    """
    for prefix, store in _stores(model, params=params).items():
        for key in [key for key, value in store.items() if isinstance(value, np.ndarray)]:
            if f"{prefix}/{key}" not in snapshot:
                del store[key]
        for entry, value in snapshot.items():
            owner, _, key = entry.rpartition("/")
            if owner == prefix:
                store[key] = np.array(value)


def mismatch(model: Any, snapshot: Arrays) -> str | None:
    """Return how the model's parameters differ from the snapshot's in name or shape, in words; None when they fit."""
    ours = {f"params/{name}": value.shape for name, value in model.params.items()}
    theirs = {entry: value.shape for entry, value in snapshot.items() if entry.startswith("params/")}
    for entry in sorted(ours.keys() | theirs.keys()):
        if ours.get(entry) != theirs.get(entry):
            return f"{entry} of shape {theirs.get(entry, 'none')} where the model has {ours.get(entry, 'none')}"
    return None


def first_non_finite(arrays: Arrays) -> str | None:
    """Return the name of the first array with a nan or an inf in it, or None."""
    return next((name for name, value in arrays.items() if not np.isfinite(value).all()), None)
