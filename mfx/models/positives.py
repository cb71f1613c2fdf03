"""What counts as positive in models that learn to rank."""

from __future__ import annotations

import numpy as np

from mfx.interfaces import BoolArray, FloatArray, IndexArray, PointerArray


def is_positive(values: FloatArray, threshold: float | None) -> BoolArray:
    """Say of each rating whether it counts as positive: all do without a threshold."""
    if threshold is None:
        return np.ones(values.size, dtype=np.bool_)
    return values >= np.float32(threshold)


def positives(
    users: IndexArray, items: IndexArray, values: FloatArray, n_users: int, threshold: float | None
) -> tuple[PointerArray, IndexArray]:
    """Return row pointers and items of the positives; a pair rated twice is one positive.

    Parameters
    ----------
    users, items, values : arrays
        Ratings in order of user, then item; users are numbered from 0.
    n_users : int
        Number of users.
    threshold : float, optional
        Lowest rating that counts.
    """
    kept = is_positive(values, threshold)
    if not kept.all():
        users, items = users[kept], items[kept]
    repeated = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
    if repeated.any():
        first = np.concatenate([[True], ~repeated])
        users, items = users[first], items[first]
    counts = np.bincount(users, minlength=n_users)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)]), items
