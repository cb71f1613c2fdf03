"""Put millions of rows into canonical order in linear time; imported inside functions because it needs numba."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfx.interfaces import BoolArray, FloatArray, IndexArray, PointerArray
from mfx.solver.jit import kernel

RowArray: TypeAlias = NDArray[np.int32] | NDArray[np.int64]
"""Row numbers; int32 where all fit, which is half the memory."""
_NARROW = 2**31
"""Fewest rows whose numbers need int64."""


def row_numbers(n_rows: int) -> RowArray:
    """Return the numbers of so many rows, in order."""
    return np.arange(n_rows, dtype=np.int32) if n_rows < _NARROW else np.arange(n_rows, dtype=np.int64)


@kernel()
def in_order(users: IndexArray, items: IndexArray) -> bool:
    """Whether rows already lie by user, then item."""
    for row in range(1, users.size):
        if users[row] < users[row - 1] or (users[row] == users[row - 1] and items[row] < items[row - 1]):
            return False
    return True


@kernel()
def counting_order(keys: IndexArray, n_keys: int, order: RowArray) -> RowArray:
    """Reorder the row numbers `order` stably by key.

    Parameters
    ----------
    keys : int32 array, shape (n,)
        Keys below `n_keys`, by row number.
    n_keys : int
        Number of possible keys.
    order : int32 or int64 array, shape (n,)
        Row numbers in the order to start from.

    Returns
    -------
    int32 or int64 array, shape (n,)
        The same row numbers by key; equal keys keep the order they had.
    """
    place = np.zeros(n_keys + 1, np.int64)
    for row in range(keys.size):
        place[keys[row] + 1] += 1
    for key in range(n_keys):
        place[key + 1] += place[key]
    result = np.empty_like(order)
    for at in range(order.size):
        key = keys[order[at]]
        result[place[key]] = order[at]
        place[key] += 1
    return result


@kernel()
def repeats(users: IndexArray, items: IndexArray) -> BoolArray:
    """Mark the rows, already by user and item, whose pair occurs more than once."""
    mark = np.zeros(users.size, np.bool_)
    for row in range(1, users.size):
        if users[row] == users[row - 1] and items[row] == items[row - 1]:
            mark[row - 1] = True
            mark[row] = True
    return mark


@kernel()
def renumber(
    ids: NDArray[np.integer[Any]], lowest: int, size: int, extra: PointerArray
) -> tuple[PointerArray, IndexArray]:
    """Give dense indices to integer ids that lie close together.

    Parameters
    ----------
    ids : int array, shape (n,)
        Ids between `lowest` and ``lowest + size - 1``.
    lowest, size : int
        Range of the ids.
    extra : int64 array
        More ids of the same range that get an index too.

    Returns
    -------
    known : int64 array, shape (distinct,)
        The distinct ids, increasing.
    index : int32 array, shape (n,)
        ``known[index] == ids``.
    """
    place = np.full(size, -1, np.int32)
    for row in range(ids.size):
        place[ids[row] - lowest] = 0
    for row in range(extra.size):
        place[extra[row] - lowest] = 0
    distinct = 0
    for slot in range(size):
        if place[slot] == 0:
            place[slot] = distinct
            distinct += 1
    known = np.empty(distinct, np.int64)
    for slot in range(size):
        if place[slot] >= 0:
            known[place[slot]] = slot + lowest
    index = np.empty(ids.size, np.int32)
    for row in range(ids.size):
        index[row] = place[ids[row] - lowest]
    return known, index


def canonical_order(users: IndexArray, items: IndexArray, n_users: int, n_items: int) -> RowArray | None:
    """Return the row numbers by user, then item, or None if the rows lie so already."""
    if in_order(users, items):
        return None
    order = counting_order(items, n_items, row_numbers(users.size))
    return counting_order(users, n_users, order)


def settle_ties(
    order: RowArray | None, marked: BoolArray, values: FloatArray, timestamps: PointerArray | None, pair: PointerArray
) -> RowArray:
    """Order the rows of repeated pairs by timestamp and value, so that input order leaves no trace.

    Parameters
    ----------
    order : int32 or int64 array, shape (n,), or None
        Row numbers by user and item; None means rows lie so.
    marked : bool array, shape (n,)
        Places in that order whose pair occurs more than once.
    values, timestamps : array, shape (n,)
        Columns by row number.
    pair : int64 array, shape (marked.sum(),)
        Number of the pair at each marked place, increasing.
    """
    result = row_numbers(marked.size) if order is None else order.copy()
    rows = result[marked]
    keys = (values[rows], pair) if timestamps is None else (values[rows], timestamps[rows], pair)
    result[marked] = rows[np.lexsort(keys)]
    return result
