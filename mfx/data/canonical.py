"""Rows of indices into canonical order, with one row for each (user, item) pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfx.data.raw import Origin, log
from mfx.errors import DataError
from mfx.interfaces import AnyArray, BoolArray, FloatArray, IndexArray, PointerArray


@dataclass
class Rows:
    """Rated pairs in any order, of all users or of some.

    Attributes
    ----------
    users, items : int32 array, shape (n,)
        Indices.
    values : float32 array, shape (n,)
        Ratings.
    timestamps : int64 array, shape (n,), or None
        Counts of one unit since 1970-01-01 UTC.
    """

    users: IndexArray
    items: IndexArray
    values: FloatArray
    timestamps: PointerArray | None


@dataclass
class Repeats:
    """Rows that repeat a (user, item) pair, counted over all rows that were put in order.

    Attributes
    ----------
    extra : int
        How many rows there are beyond the first of each pair.
    first : tuple of int or None
        Of the pair that comes first in the file: its first two lines, its user and its item.
    """

    extra: int = 0
    first: tuple[int, int, int, int] | None = None

    def settle(self, origin: Origin, unit: str, timed: bool, ids: tuple[AnyArray, AnyArray]) -> None:
        """Refuse repeated pairs, or report that they are merged; nothing where there are none.

        Parameters
        ----------
        origin : Origin
            Says what happens to them; takes note of how many are merged.
        unit : str
            What lines of the file are called.
        timed : bool
            Whether there are timestamps.
        ids : tuple of array
            Raw ids of users and of items.

        Raises
        ------
        DataError
            If there are such rows and the source refuses them, or needs timestamps to choose one.
        """
        if self.first is None:
            return
        one, other, user, item = self.first
        example = f"first: user {ids[0][user]}, item {ids[1][item]} on {unit}s {one} and {other}"
        if origin.duplicates == "refuse":
            raise DataError(
                f"{origin.where}: {self.extra} rows repeat a (user, item) pair; {example}.",
                "Remove them, or set dataset.duplicates to keep_last, keep_first or mean.",
            )
        if not timed and origin.duplicates != "mean":
            raise DataError(
                f"{origin.where}: dataset.duplicates={origin.duplicates} needs timestamps to know which came last "
                f"({example}).",
                "Use dataset.duplicates=mean, or name the timestamp column.",
            )
        origin.dropped[f"repeated pair (duplicates={origin.duplicates})"] = self.extra
        log.warning(
            "%s: merged %d rows that repeat a (user, item) pair (%s); %s.",
            origin.where,
            self.extra,
            origin.duplicates,
            example,
        )


def put_in_order(
    rows: Rows, users: range, n_items: int, line: Callable[[int], int], duplicates: str, repeats: Repeats
) -> None:
    """Put rows in canonical order and merge those of one pair, in place: a second copy of millions of rows is dear.

    Parameters
    ----------
    rows : Rows
        What to put in order.
    users : range
        Indices of users that there may be.
    n_items : int
        Indices of items are below.
    line : callable
        Line of the file that a row came from; lines increase with rows.
    duplicates : str
        As in `Origin`; where rows are refused, those that are left mean nothing.
    repeats : Repeats
        Counts what is merged.
    """
    from mfx.data import ordering

    first = rows.users - np.int32(users.start) if users.start else rows.users
    order = ordering.canonical_order(first, rows.items, len(users), n_items)
    del first
    if order is not None:
        rows.users = rows.users[order]
        rows.items = rows.items[order]
    marked = ordering.repeats(rows.users, rows.items)
    if marked.any():
        pair = _pairs(rows.users, rows.items, marked)
        order = ordering.settle_ties(order, marked, rows.values, rows.timestamps, pair)
        _count(repeats, rows, order, marked, pair, line)
        keep, rows.values = _merge(order, marked, pair, rows.values, duplicates)
        order = order[keep]
        rows.users, rows.items = rows.users[keep], rows.items[keep]
    if order is not None:
        rows.values = rows.values[order]
        rows.timestamps = None if rows.timestamps is None else rows.timestamps[order]


def _count(
    repeats: Repeats,
    rows: Rows,
    order: AnyArray,
    marked: BoolArray,
    pair: PointerArray,
    line: Callable[[int], int],
) -> None:
    repeats.extra += pair.size - int(pair[-1]) - 1
    first = int(np.argmin(order[marked]))
    lines = [line(int(row)) for row in np.sort(order[marked][pair == pair[first]])[:2]]
    found = (lines[0], lines[1], int(rows.users[marked][first]), int(rows.items[marked][first]))
    repeats.first = found if repeats.first is None else min(repeats.first, found)


def _pairs(users: IndexArray, items: IndexArray, marked: BoolArray) -> PointerArray:
    u, i = users[marked], items[marked]
    new = np.ones(u.size, np.int64)
    new[1:] = (u[1:] != u[:-1]) | (i[1:] != i[:-1])
    return np.cumsum(new) - 1


def _merge(
    order: AnyArray, marked: BoolArray, pair: PointerArray, values: FloatArray, duplicates: str
) -> tuple[BoolArray, FloatArray]:
    """Choose one place for each repeated pair; for "mean", put the mean into the row of that place."""
    new = np.flatnonzero(np.diff(pair)) + 1
    starts, ends = np.concatenate([[0], new]), np.concatenate([new, [pair.size]]) - 1
    chosen = starts if duplicates == "keep_first" else ends
    keep = ~marked
    keep[np.flatnonzero(marked)[chosen]] = True
    if duplicates == "mean":
        rows = order[marked]
        values = values.copy()
        values[rows[chosen]] = np.bincount(pair, weights=values[rows]) / np.bincount(pair)
    return keep, values
