"""What workers do to parts of a data set: pure functions of the columns of some users' ratings.

A part holds all ratings of the users of a range. Indices are those of the whole data set. What is known of all
ratings, such as how often each item was rated, is added up from summaries of the parts.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from mfx.data.partitioned import digest_of
from mfx.engine.worker import writable
from mfx.interfaces import (
    AnyArray,
    Catalogue,
    IndexArray,
    Metric,
    Model,
    PartColumns,
    PointerArray,
    Ratings,
    RatingScale,
    Split,
)
from mfx.metrics.settings import EvaluationSettings
from mfx.metrics.sums import Sums, part_sums
from mfx.models import bulk
from mfx.models.factors import FactorModel
from mfx.split.audit import audit
from mfx.split.parts import TEST, TRAIN, VALID
from mfx.timestamps import TimeUnit

HISTOGRAM_BITS = 16
"""Leading bits of a key that a first look at all keys counts."""
_KEY_BITS = 63


@dataclass(frozen=True)
class Frame:
    """What parts share: how many users and items there are, the rating scale, and what timestamps count."""

    n_users: int
    n_items: int
    scale: RatingScale
    name: str
    time_unit: TimeUnit

    def ratings(self, columns: PartColumns, drawn_by: DrawnBy | None = None) -> Ratings:
        """Put columns together; users and items are known by their indices, and to splitters by `drawn_by` too."""
        users, items, values, times = map(writable, columns)
        catalogue = _catalogue(self.n_users, self.n_items)
        if drawn_by is not None:
            catalogue = replace(catalogue)
            catalogue.__dict__.update(drawn_by)  # in place of what would be made of the indices, and cached there
        return Ratings(users, items, values, times, catalogue, self.scale, self.name, self.time_unit)


@functools.lru_cache(maxsize=2)
def _catalogue(n_users: int, n_items: int) -> Catalogue:
    return Catalogue(np.arange(n_users), np.arange(n_items))


DrawnBy: TypeAlias = Mapping[str, Any]
"""What splitters ask of raw ids, by attribute of `Catalogue`: hashes of users and items, and ranks of items."""


def drawn_by(catalogue: Catalogue) -> DrawnBy:
    """Return what splitters ask of the raw ids of a catalogue."""
    return {name: getattr(catalogue, name) for name in ("user_hashes", "item_hashes", "item_ranks")}


def columns_of(ratings: Ratings) -> PartColumns:
    """Take ratings apart."""
    return ratings.users, ratings.items, ratings.values, ratings.timestamps


@dataclass(frozen=True, eq=False)
class Summary:
    """What is to be known of a part.

    Attributes
    ----------
    user_counts : int64 array
        Ratings of each user of the part's range.
    item_counts : int64 array, shape (items,)
        Ratings of each item in the part.
    total : float
        Sum of the ratings.
    digest : str
        Hash of the columns.
    newest : int or None
        Latest timestamp; None without ratings or timestamps.
    timed : bool
        Whether there are timestamps.
    """

    user_counts: PointerArray
    item_counts: PointerArray
    total: float
    digest: str
    newest: int | None
    timed: bool

    @classmethod
    def of(cls, columns: PartColumns, users: range, n_items: int) -> Summary:
        """Sum up the columns of a part with these users."""
        index, items, values, times = columns
        return cls(
            np.bincount(index - np.int32(users.start), minlength=len(users)).astype(np.int64),
            np.bincount(items, minlength=n_items).astype(np.int64),
            float(values.sum(dtype=np.float64)),
            digest_of(columns),
            int(times.max()) if times is not None and times.size else None,
            times is not None,
        )


def key_histogram(splitter: Any, columns: PartColumns, frame: Frame, drawn_by: DrawnBy) -> PointerArray:
    """Count the keys that a splitter draws by, by their leading bits."""
    keys = splitter.keys(frame.ratings(columns, drawn_by))
    return np.bincount(keys >> (_KEY_BITS - HISTOGRAM_BITS), minlength=1 << HISTOGRAM_BITS).astype(np.int64)


def keys_among(
    splitter: Any, columns: PartColumns, frame: Frame, drawn_by: DrawnBy, bins: Sequence[int]
) -> list[PointerArray]:
    """Return the keys with these leading bits."""
    keys = splitter.keys(frame.ratings(columns, drawn_by))
    leading = keys >> (_KEY_BITS - HISTOGRAM_BITS)
    return [keys[leading == one] for one in bins]


@dataclass(frozen=True, eq=False)
class Divided:
    """A part after the split: columns and summaries of train, valid and test, and what the audit found in it."""

    columns: tuple[PartColumns, PartColumns, PartColumns]
    summaries: tuple[Summary, Summary, Summary]
    audited: dict[str, float]


def divide(
    splitter: Any, columns: PartColumns, frame: Frame, drawn_by: DrawnBy, users: range, cuts: Sequence[int] | None
) -> Divided:
    """Divide a part.

    Parameters
    ----------
    splitter : Splitter
        One that says what it divides (``divides``): the ratings of each ``users`` apart, or all ratings by ``keys``.
    columns, frame, users
        The part.
    drawn_by : mapping
        See `drawn_by`, of the whole catalogue.
    cuts : sequence of int, optional
        Of a splitter by keys: for each of its ranks the smallest key that is not below it.
    """
    ratings = frame.ratings(columns, drawn_by)
    if not len(ratings):
        labels = np.zeros(0, dtype=np.int8)
    elif cuts is None:
        labels = splitter.labels(ratings)
    else:
        keys = splitter.keys(ratings)
        labels = TEST - sum((keys >= cut).astype(np.int8) for cut in cuts)
    held = ratings.take(labels == TRAIN), ratings.take(labels == VALID), ratings.take(labels == TEST)
    split = Split(*held, "", len(ratings) - sum(map(len, held)))
    train, valid, test = map(columns_of, held)
    sums = [Summary.of(part, users, frame.n_items) for part in (train, valid, test)]
    return Divided((train, valid, test), (sums[0], sums[1], sums[2]), audit(split))


def together(first: PartColumns, second: PartColumns, frame: Frame) -> PartColumns:
    """Merge train and valid of a part."""
    nothing = frame.ratings(tuple(None if column is None else column[:0] for column in first))  # type: ignore[arg-type]
    return columns_of(Split(frame.ratings(first), frame.ratings(second), nothing, "").train_and_valid)


def older_than(columns: PartColumns, newest: int) -> int:
    """Count ratings that were given before a moment."""
    return int(np.count_nonzero(columns[3] < newest)) if columns[3] is not None else 0


def user_rows(columns: PartColumns, users: range) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Lay a part out as a block of user rows."""
    index, items, values, _ = columns
    ends = np.searchsorted(index, np.arange(users.start, users.stop + 1, dtype=np.int32)).astype(np.int64)
    return ends, items, values


def cut_by_item(columns: PartColumns, bounds: PointerArray) -> list[tuple[IndexArray, IndexArray, AnyArray]]:
    """Cut a part into the ratings of ranges of items, each in order of item, then user."""
    users, items, values, _ = columns
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    places = np.searchsorted(ordered, bounds)
    cut = []
    for start, stop in itertools.pairwise(places):
        rows = order[start:stop]
        cut.append((users[rows], ordered[start:stop], values[rows]))
    return cut


def item_rows(start: int, stop: int, *cuts: tuple[AnyArray, AnyArray, AnyArray]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Put what all parts have of a range of items together, as a block of item rows; parts are in order of users."""
    users, items, values = (np.concatenate([cut[i] for cut in cuts]) for i in range(3))
    order = np.argsort(items, kind="stable")
    counts = np.bincount(items - np.int32(start), minlength=stop - start)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    return indptr, users[order], values[order]


def score(
    model: Model,
    seen: PartColumns,
    held_out: PartColumns,
    frame: Frame,
    item_counts: PointerArray,
    metrics: Mapping[str, Metric],
    settings: EvaluationSettings,
) -> dict[str, Sums | str] | None:
    """Score the held-out ratings of a part; None if it has none. `item_counts` are those of all seen ratings."""
    if not held_out[0].size:
        return None
    train = frame.ratings(seen)
    train.__dict__["item_counts"] = item_counts  # in place of those of this part, which would be cached there
    return part_sums(model, train, frame.ratings(held_out), metrics, settings)


def fold_in(
    model: FactorModel, columns: PartColumns, users: range, index: IndexArray, wanted: bulk.Wanted
) -> bulk.FoldedUsers:
    """Take in the users of a part as new ones; ratings of items without an index in the model (-1) are left out."""
    numbers, items, values, _ = map(writable, columns)
    places = index[items]
    known = places >= 0
    return bulk.fold_in(model, numbers[known] - np.int32(users.start), places[known], values[known], len(users), wanted)
