"""The index and the sparse layouts that models work on: their bytes and the seconds to build them, measured."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np

from mfx.interfaces import AnyArray, Ratings

SAMPLE = 1_000_000
"""Ids that are translated to measure how fast that is."""


@dataclass(frozen=True)
class Part:
    """One part of what is held in memory.

    Attributes
    ----------
    name, what : str
        Its name, and what it consists of.
    bytes : int
        Size of its arrays. Those that it shares with a part before it are not counted again.
    seconds : float or None
        Time to build it from the part before it; None where it was read, not built.
    """

    name: str
    what: str
    bytes: int
    seconds: float | None


@dataclass(frozen=True)
class Layouts:
    """What the ratings come to in memory.

    Attributes
    ----------
    parts : list of Part
        In the order in which they are made.
    dense_bytes : int
        What a full table of users and items in float32 would take.
    ids_per_second : float
        Raw ids that the id maps translate into indices in a second.
    """

    parts: list[Part]
    dense_bytes: int
    ids_per_second: float


def measure(ratings: Ratings) -> Layouts:
    """Build the sparse layouts by user and by item as models do, and measure them; nothing of it is kept."""
    from mfx.solver.layout import SparseRows, transpose

    tiny = SparseRows(np.array([0, 1]), np.zeros(1, np.int32), np.zeros(1, np.float32))
    transpose(tiny, 1)  # compiles the kernel, which is no part of the work
    columns: list[AnyArray] = [ratings.users, ratings.items, ratings.values]
    columns += [] if ratings.timestamps is None else [ratings.timestamps]
    began = time.perf_counter()
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(ratings.users, minlength=ratings.n_users))])
    by_user = SparseRows(pointers, ratings.items, ratings.values)
    user_seconds = time.perf_counter() - began
    began = time.perf_counter()
    by_item = transpose(by_user, ratings.n_items)
    item_seconds = time.perf_counter() - began
    catalogue = ratings.catalogue
    ids = catalogue.user_ids[ratings.users[:: max(1, len(ratings) // SAMPLE)]]
    began = time.perf_counter()
    catalogue.user_index(ids)
    rate = ids.size / max(time.perf_counter() - began, 1e-9)
    kinds = ", ".join(f"{column.dtype}" for column in columns)
    parts = [
        Part("ratings in order", f"columns of {kinds}, sorted by user and item", _bytes(*columns), None),
        Part("id maps", "sorted raw ids of users and items", _bytes(catalogue.user_ids, catalogue.item_ids), None),
        Part("by user", "row pointers; shares the columns of items and values", _bytes(pointers), user_seconds),
        Part(
            "by item",
            "row pointers, users and values, by a counting sort",
            _bytes(by_item.indptr, by_item.indices, by_item.values),
            item_seconds,
        ),
    ]
    return Layouts(parts, 4 * ratings.n_users * ratings.n_items, rate)


def _bytes(*arrays: AnyArray) -> int:
    texts = (array for array in arrays if array.dtype.kind == "O")
    return sum(array.nbytes for array in arrays) + sum(sys.getsizeof(text) for array in texts for text in array)
