"""How many ratings there are, of whom, of what, how high and when.

All functions pass over the ratings in blocks, so that none needs more than a few megabytes beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfx.errors import DataError
from mfx.interfaces import AnyArray, Catalogue, DoubleArray, FloatArray, IndexArray, PointerArray, Ratings
from mfx.timestamps import as_datetimes, shown

BLOCK = 1 << 20
MOST_BARS = 50
"""More distinct rating values than this are counted in twenty bins of equal width."""
BINS = 20


@dataclass(frozen=True, eq=False)
class Distribution:
    """How often each rating was given.

    Attributes
    ----------
    values : float64 array
        Rating values, increasing; centres of bins where `width` is given.
    counts : int64 array
        Ratings of each value or bin.
    width : float or None
        Width of the bins, in rating points; None when the values are the ratings themselves.
    """

    values: DoubleArray
    counts: PointerArray
    width: float | None


def blocks(size: int) -> Iterator[slice]:
    """Cut rows into slices of about a million."""
    for start in range(0, size, BLOCK):
        yield slice(start, min(start + BLOCK, size))


def summary(ratings: Ratings) -> dict[str, Any]:
    """Count ratings, users and items; counts per user and per item are over those with at least one rating.

    Returns
    -------
    dict
        ``ratings``, ``users``, ``items`` (with ratings), ``items_in_catalogue``, ``density`` (ratings over users times
        items with ratings), ``mean_rating`` (rating points), ``per_user_min``, ``..._median``, ``..._mean``,
        ``..._max``, likewise ``per_item_...``, and, with timestamps, ``first_date`` and ``last_date`` (UTC,
        YYYY-MM-DD).

    Raises
    ------
    DataError
        If there are no ratings.
    """
    if not len(ratings):
        raise DataError(f"{ratings.name} holds no ratings to explore.", "Choose another data set.")
    per_user = ratings.user_counts[ratings.user_counts > 0]
    per_item = ratings.item_counts[ratings.item_counts > 0]
    facts: dict[str, Any] = {
        "ratings": len(ratings),
        "users": int(per_user.size),
        "items": int(per_item.size),
        "items_in_catalogue": ratings.n_items,
        "density": len(ratings) / (per_user.size * per_item.size),
        "mean_rating": ratings.mean,
    }
    for name, counts in (("per_user", per_user), ("per_item", per_item)):
        facts |= {
            f"{name}_min": int(counts.min()),
            f"{name}_median": float(np.median(counts)),
            f"{name}_mean": float(counts.mean()),
            f"{name}_max": int(counts.max()),
        }
    if ratings.timestamps is not None:
        ends = (ratings.timestamps.min(), ratings.timestamps.max())
        facts["first_date"], facts["last_date"] = (shown(end, ratings.time_unit)[:10] for end in ends)
    return facts


def distribution(ratings: Ratings) -> Distribution:
    """Count the ratings of each value, or in bins where there are many values."""
    found: AnyArray = np.zeros(0, np.float32)
    for rows in blocks(len(ratings)):
        found = np.union1d(found, ratings.values[rows])
        if found.size > MOST_BARS:
            return _binned(ratings)
    counts = np.zeros(found.size, np.int64)
    for rows in blocks(len(ratings)):
        counts += np.bincount(np.searchsorted(found, ratings.values[rows]), minlength=found.size)
    return Distribution(found.astype(np.float64), counts, None)


def _binned(ratings: Ratings) -> Distribution:
    edges = np.linspace(ratings.values.min(), ratings.values.max(), BINS + 1, dtype=np.float64)
    counts = np.zeros(BINS, np.int64)
    for rows in blocks(len(ratings)):
        counts += np.histogram(ratings.values[rows], edges)[0]
    return Distribution((edges[:-1] + edges[1:]) / 2, counts, float(edges[1] - edges[0]))


def top(counts: PointerArray, k: int) -> IndexArray:
    """Return the indices of the `k` largest counts above 0, the largest first; equal ones in order of index."""
    order = np.argsort(-counts, kind="stable")[:k]
    return order[counts[order] > 0].astype(np.int32)


def titles(catalogue: Catalogue, items: IndexArray) -> list[str]:
    """Name items for people: their title, or "item ID" where there is none."""
    known = catalogue.titles
    return [
        str(known[item]) if known is not None and known[item] else f"item {catalogue.item_ids[item]}" for item in items
    ]


def months(ratings: Ratings) -> tuple[AnyArray, PointerArray] | None:
    """Count the ratings of each month (UTC), from the first to the last, months without any included.

    Returns
    -------
    months : datetime64[M] array
    counts : int64 array
        None in place of both without timestamps.
    """
    if ratings.timestamps is None or not len(ratings):
        return None
    first, last = (
        np.datetime64(int(end), ratings.time_unit).astype("datetime64[M]")
        for end in (ratings.timestamps.min(), ratings.timestamps.max())
    )
    axis = np.arange(first, last + 1)
    counts = np.zeros(axis.size, np.int64)
    for rows in blocks(len(ratings)):
        month = as_datetimes(ratings.timestamps[rows], ratings.time_unit).astype("datetime64[M]")
        counts += np.bincount((month - first).astype(np.int64), minlength=axis.size)
    return axis, counts


def item_means(ratings: Ratings) -> DoubleArray:
    """Return the mean rating of each item of the catalogue, float64; NaN for those without ratings."""
    sums = np.zeros(ratings.n_items)
    for rows in blocks(len(ratings)):
        sums += np.bincount(ratings.items[rows], weights=ratings.values[rows], minlength=ratings.n_items)
    means = np.full(sums.size, np.nan)
    np.divide(sums, ratings.item_counts, out=means, where=ratings.item_counts > 0)
    return means


def corner(ratings: Ratings, users: IndexArray, items: IndexArray) -> FloatArray:
    """Return the ratings of some items by some users; float32, shape (len(users), len(items)), NaN where there is none.

    Where a user rated an item more than once, the last of these ratings counts.
    """
    column = np.full(ratings.n_items, -1, np.int64)
    column[items] = np.arange(items.size)
    cells = np.full((users.size, items.size), np.nan, np.float32)
    for row, user in enumerate(users):
        own = slice(ratings.user_indptr[user], ratings.user_indptr[user + 1])
        place = column[ratings.items[own]]
        cells[row, place[place >= 0]] = ratings.values[own][place >= 0]
    return cells
