"""The doors between the rooms: what flows through a run (`Ratings`, `Split`) and what each kind of component must do.

Inside MFX users and items are dense indices, positions in `Catalogue.user_ids` and `Catalogue.item_ids`; raw ids
appear only where a person reads or writes them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfx.columns import Rounding, check_encodable, distinct, positions, raw_ids, texts
from mfx.errors import DataError
from mfx.id_hashes import id_hashes, id_ranks
from mfx.timestamps import UNITS, TimeUnit, divided, of_python, unrepresentable

IndexArray: TypeAlias = NDArray[np.int32]
PointerArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float32]
DoubleArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[Any]
PartColumns: TypeAlias = tuple[IndexArray, IndexArray, FloatArray, PointerArray | None]
"""Users, items, values and timestamps of some ratings, in canonical order."""
_MOST = {"user": 2**31 - 1, "item": 2**30}
"""Most rows of a catalogue. Items are half as many, because lists mark one that loses ties by index + items."""


@dataclass(frozen=True, eq=False)
class Features:
    """Sparse features of the rows of a catalogue, such as the genres of items, in CSR layout.

    Attributes
    ----------
    names : tuple of str
        Feature names; column j is ``names[j]``.
    indptr : int64 array, shape (rows + 1,)
        Row r owns ``indices[indptr[r]:indptr[r + 1]]``.
    indices : int32 array, shape (entries,)
        Columns of the entries.
    weights : float32 array, shape (entries,), or None
        Values of the entries, such as how often a tag was given; None means 1 everywhere.
    """

    names: tuple[str, ...]
    indptr: PointerArray
    indices: IndexArray
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        ends = self.indptr[[0, -1]] if self.indptr.size else None
        if ends is None or ends[0] != 0 or ends[1] != self.indices.size or np.any(np.diff(self.indptr) < 0):
            raise DataError("Features: indptr does not describe the rows of indices.")
        if self.indices.size and (self.indices.min() < 0 or self.indices.max() >= len(self.names)):
            raise DataError("Features: an entry points past the last feature name.")
        check_encodable(texts(self.names, "Features: names"), "Features: names")

    def __len__(self) -> int:
        return self.indptr.size - 1

    def dense(self) -> FloatArray:
        """Return the features as a float32 array of shape (rows, features)."""
        full = np.zeros((len(self), len(self.names)), dtype=np.float32)
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        full[rows, self.indices] = 1.0 if self.weights is None else self.weights
        return full

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[str]]) -> Features:
        """Build features from the names that each row carries; columns are in alphabetical order."""
        names = tuple(sorted({name for row in rows for name in row}))
        column = {name: j for j, name in enumerate(names)}
        indptr = np.concatenate([[0], np.cumsum([len(set(row)) for row in rows], dtype=np.int64)]).astype(np.int64)
        indices = np.array([j for row in rows for j in sorted({column[name] for name in row})], dtype=np.int32)
        return cls(names, indptr, indices)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Who and what there is: raw ids in increasing order, and what is known of each item and user.

    It says what may be recommended: it is declared by the data set, not learned from ratings. Only MovieLens' block
    ``tags`` counts what people did over time, and so is refused where a split by time holds out the future.

    Every part of a split shares the catalogue, so an index means the same user or item everywhere, whether or not
    that part has a rating of it.

    Attributes
    ----------
    user_ids : int64 array or object array of str, shape (users,)
        Raw user ids, strictly increasing. Whatever integers or text are given, they become one of these two dtypes;
        text is Python's, because numpy's own is as wide in every row as in the longest.
    item_ids : int64 array or object array of str, shape (items,)
        Raw item ids, strictly increasing; may hold items that nobody rated.
    titles : object array of str, shape (items,), or None
        Item titles; empty where unknown.
    item_features, user_features : mapping of str to Features
        Blocks of side information by name, such as ``item_features["genres"]``.

    Raises
    ------
    DataError
        If ids are neither integers nor text, do not increase, or are too many for an int32 index; if titles are no
        text; or if titles or features do not belong to the ids.
    """

    user_ids: AnyArray
    item_ids: AnyArray
    titles: AnyArray | None = None
    item_features: Mapping[str, Features] = field(default_factory=dict)
    user_features: Mapping[str, Features] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, given in (("user", self.user_ids), ("item", self.item_ids)):
            if np.size(given) > _MOST[what]:
                raise DataError(
                    f"Catalogue: {np.size(given):,} {what}s; an int32 index can tell {_MOST[what]:,} apart."
                )
            ids = raw_ids(given, f"Catalogue: {what} ids")
            if ids.ndim != 1 or not np.all(ids[:-1] < ids[1:]):
                raise DataError(f"Catalogue: {what} ids must be strictly increasing.")
            if ids.dtype.kind == "O":
                check_encodable(ids, f"Catalogue: {what} ids")
            object.__setattr__(self, f"{what}_ids", ids)
        if self.titles is not None:
            titles = texts(self.titles, "Catalogue: titles")
            check_encodable(titles, "Catalogue: titles")
            object.__setattr__(self, "titles", titles)
        for what, blocks, size in (
            ("item", self.item_features, self.item_ids.size),
            ("user", self.user_features, self.user_ids.size),
        ):
            for name, block in blocks.items():
                if len(block) != size:
                    raise DataError(f"Catalogue: {what} features '{name}' have {len(block)} rows for {size} {what}s.")
        if self.titles is not None and self.titles.size != self.item_ids.size:
            raise DataError(f"Catalogue: {self.titles.size} titles for {self.item_ids.size} items.")

    @property
    def n_users(self) -> int:
        """Number of users, rated or not."""
        return int(self.user_ids.size)

    @property
    def n_items(self) -> int:
        """Number of items, rated or not."""
        return int(self.item_ids.size)

    @functools.cached_property
    def user_hashes(self) -> NDArray[np.uint64]:
        """Hash of each user's raw id, shape (users,): the same whoever else is there, see `mfx.id_hashes`."""
        return id_hashes(self.user_ids)

    @functools.cached_property
    def item_hashes(self) -> NDArray[np.uint64]:
        """Hash of each item's raw id, shape (items,): the same whatever else is in the catalogue."""
        return id_hashes(self.item_ids)

    @functools.cached_property
    def item_ranks(self) -> PointerArray | None:
        """Place of each item in the order in which ties are broken, int64, shape (items,); None for that of indices.

        Integers come by value, also if they are stored as text, and before other ids.
        """
        return id_ranks(self.item_ids)

    def user_index(self, user_ids: ArrayLike) -> IndexArray:
        """Translate raw user ids into indices; -1 where a user is unknown, DataError if an id is no id."""
        return positions(self.user_ids, np.atleast_1d(raw_ids(user_ids, "user ids")))

    def item_index(self, item_ids: ArrayLike) -> IndexArray:
        """Translate raw item ids into indices; -1 where an item is unknown, DataError if an id is no id."""
        return positions(self.item_ids, np.atleast_1d(raw_ids(item_ids, "item ids")))


@dataclass(frozen=True)
class RatingScale:
    """Lowest and highest rating that a person can give."""

    low: float
    high: float


class RowsDigest:
    """Digest of ratings that come in canonical order, all at once or part by part.

    What surrounds the ratings does not matter: users and items without ratings, titles, features and the scale.

    Parameters
    ----------
    rated_users, rated_items : bool arrays, shape (users,) and (items,)
        Which users and items of the catalogue have ratings, all parts together.
    """

    def __init__(self, rated_users: BoolArray, rated_items: BoolArray) -> None:
        self.rated = rated_users, rated_items
        self._places = [None if one.all() else np.cumsum(one, dtype=np.int32) - np.int32(1) for one in self.rated]
        self._hashes: list[hashlib.blake2b] = []

    def add(self, columns: PartColumns) -> None:
        """Take the next ratings."""
        from concurrent.futures import ThreadPoolExecutor

        users, items, values, times = columns
        index = [
            one if places is None else places[one] for one, places in zip((users, items), self._places, strict=True)
        ]
        held = [np.ascontiguousarray(column).data for column in (*index, values, times) if column is not None]
        if not self._hashes:
            self._hashes = [hashlib.blake2b(digest_size=16) for _ in held]
        with ThreadPoolExecutor() as threads:  # hashing needs no interpreter lock
            for _ in threads.map(hashlib.blake2b.update, self._hashes, held):
                pass

    def columns(self) -> bytes:
        """Return the digests of the columns so far, which do not tell yet which raw ids their indices mean."""
        return b"".join(one.digest() for one in self._hashes)

    def of(self, catalogue: Catalogue, time_unit: TimeUnit) -> str:
        """Return the fingerprint of the ratings so far, whose indices mean the raw ids of a catalogue."""
        users, items = self.rated
        return rows_fingerprint(self.columns(), catalogue.user_ids[users], catalogue.item_ids[items], time_unit)


def rows_fingerprint(columns: bytes, user_ids: AnyArray, item_ids: AnyArray, time_unit: TimeUnit) -> str:
    """Return the fingerprint of ratings: of `RowsDigest.columns`, the unit of time and the raw ids with ratings."""
    unit = b"" if time_unit == "s" else time_unit.encode()
    return _digest(columns + unit + _digest_of_entries(user_ids) + _digest_of_entries(item_ids)).hex()


def data_fingerprints(rows: str, catalogue: Catalogue, scale: RatingScale | None) -> dict[str, str]:
    """Return a fingerprint of each part of what a model may learn from.

    Parameters
    ----------
    rows : str
        Fingerprint of the rows.
    catalogue, scale
        What surrounds them.

    Returns
    -------
    dict of str to str
        ``rows``, ``scale`` (in words), ``catalogue.user_ids``, ``catalogue.item_ids``, ``catalogue.titles`` and
        ``catalogue.item_features.NAME`` and ``catalogue.user_features.NAME`` of each block, as far as there are any.
    """
    entries = {"user_ids": catalogue.user_ids, "item_ids": catalogue.item_ids, "titles": catalogue.titles}
    digests = {name: _digest_of_entries(array) for name, array in entries.items() if array is not None}
    for side, blocks in (("item", catalogue.item_features), ("user", catalogue.user_features)):
        for name, block in blocks.items():
            arrays = (np.array(block.names, dtype=object), block.indptr, block.indices, block.weights)
            digests[f"{side}_features.{name}"] = b"".join(_digest_of_entries(one) for one in arrays if one is not None)
    prints = {f"catalogue.{name}": _digest(digest).hex() for name, digest in digests.items()}
    declared = "none" if scale is None else f"{scale.low!r} to {scale.high!r}"
    return {"rows": rows, "scale": declared, **prints}


def combined(fingerprints: Mapping[str, str]) -> str:
    """Return one fingerprint of several, by name, whatever their order."""
    return _digest("".join(f"{name} {fingerprints[name]}\n" for name in sorted(fingerprints)).encode()).hex()


def _digest_of_entries(entries: AnyArray) -> bytes:
    """Digest numbers, integers of any width alike, or text, however it is stored."""
    if entries.dtype.kind in "iu":
        return _digest(np.ascontiguousarray(entries, dtype=np.int64).data)
    if entries.dtype.kind == "f":
        return _digest(np.ascontiguousarray(entries).data)
    return _digest("\0".join(entries.tolist()).encode())


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings in canonical order: by user, item, timestamp and value, whatever the order of the input rows.

    Attributes
    ----------
    users, items : int32 array, shape (n,)
        Indices into the catalogue.
    values : float32 array, shape (n,)
        Finite ratings.
    timestamps : int64 array, shape (n,), or None
        Counts of `time_unit` since 1970-01-01 UTC.
    catalogue : Catalogue
        The users and items that the indices mean.
    scale : RatingScale or None
        What a person can give, as the data set declares it; None if it declares nothing. It is never inferred from
        ratings, because those of test would be among them: a model takes `rating_range` of what it is fitted on.
    name : str
        Name of the data set, for captions and logs.
    time_unit : {"s", "ms", "us", "ns"}
        What timestamps count: the coarsest of these that loses nothing of the source; seconds without timestamps.

    Raises
    ------
    DataError
        If arrays disagree in length, an index lies outside the catalogue, a rating is not finite, a timestamp is
        outside the years 1000 to 9999, or rows are not in canonical order (`from_columns` and `take` establish it).
    """

    users: IndexArray
    items: IndexArray
    values: FloatArray
    timestamps: PointerArray | None
    catalogue: Catalogue
    scale: RatingScale | None = None
    name: str = "ratings"
    time_unit: TimeUnit = "s"

    def __post_init__(self) -> None:
        if self.time_unit not in UNITS:
            raise DataError(f"Ratings: time_unit={self.time_unit!r} is none of {', '.join(UNITS)}.")
        columns: dict[str, AnyArray] = {"users": self.users, "items": self.items, "values": self.values}
        if self.timestamps is not None:
            columns["timestamps"] = self.timestamps
        for name, dtype in (("users", np.int32), ("items", np.int32), ("values", np.float32), ("timestamps", np.int64)):
            if name in columns and columns[name].dtype != dtype:
                raise DataError(f"Ratings: {name} must be {np.dtype(dtype)}, not {columns[name].dtype}.")
            if name in columns and columns[name].shape != self.users.shape:
                raise DataError(f"Ratings: {name} has {columns[name].size} rows, users {self.users.size}.")
        if not self.users.size:
            return
        for name, index, size in (
            ("users", self.users, self.catalogue.n_users),
            ("items", self.items, self.catalogue.n_items),
        ):
            if index.min() < 0 or index.max() >= size:
                raise DataError(f"Ratings: {name} hold an index outside the catalogue of {size}.")
        if not np.isfinite(self.values).all():
            bad = int((~np.isfinite(self.values)).sum())
            raise DataError(f"Ratings: {bad} of {self.values.size} values are not finite.")
        if self.timestamps is not None:
            ends = np.array([self.timestamps.min(), self.timestamps.max()])
            for reason, which in unrepresentable(*divided(ends, self.time_unit)):
                if which.any():
                    raise DataError(f"Ratings: {reason} (time_unit={self.time_unit}, {ends[which][0]}).")
        same_user = self.users[:-1] == self.users[1:]
        if np.any(self.users[:-1] > self.users[1:]) or np.any(same_user & (self.items[:-1] > self.items[1:])):
            raise DataError("Ratings: rows are not ordered by user and item.", "Build them with Ratings.from_columns.")
        earlier = np.flatnonzero(same_user & (self.items[:-1] == self.items[1:]))
        later = earlier + 1
        wrong = self.values[earlier] > self.values[later]
        if self.timestamps is not None:
            ahead, behind = self.timestamps[earlier], self.timestamps[later]
            wrong = (ahead > behind) | ((ahead == behind) & wrong)
        if np.any(wrong):
            raise DataError(
                "Ratings: rows of one user and item are not ordered by timestamp and value.",
                "Build them with Ratings.from_columns.",
            )

    def __len__(self) -> int:
        return int(self.users.size)

    @property
    def n_users(self) -> int:
        """Number of users in the catalogue."""
        return self.catalogue.n_users

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue."""
        return self.catalogue.n_items

    @functools.cached_property
    def mean(self) -> float:
        """Mean rating in float64; 0 without ratings."""
        return float(self.values.mean(dtype=np.float64)) if len(self) else 0.0

    @functools.cached_property
    def rating_range(self) -> RatingScale:
        """Lowest and highest rating: those of `scale`, or of these ratings where none is declared; 0 without any."""
        if self.scale is not None:
            return self.scale
        return RatingScale(float(self.values.min()), float(self.values.max())) if len(self) else RatingScale(0.0, 0.0)

    @functools.cached_property
    def user_counts(self) -> PointerArray:
        """Ratings of each user of the catalogue, int64, shape (users,)."""
        return np.diff(self.user_indptr)

    @functools.cached_property
    def item_counts(self) -> PointerArray:
        """Ratings of each item of the catalogue, int64, shape (items,)."""
        return np.bincount(self.items, minlength=self.n_items).astype(np.int64)

    @functools.cached_property
    def user_indptr(self) -> PointerArray:
        """CSR row pointers: the ratings of user u are rows ``user_indptr[u]:user_indptr[u + 1]``."""
        return np.searchsorted(self.users, np.arange(self.n_users + 1, dtype=np.int32)).astype(np.int64, copy=False)

    @functools.cached_property
    def rows_fingerprint(self) -> str:
        """Hex digest of what is scored: the raw ids, values and times of the rows, in whatever order they were read.

        The catalogue around the rows does not enter: unrated users and items, titles, features and the scale.
        """
        digest = RowsDigest(self.user_counts > 0, self.item_counts > 0)
        digest.add((self.users, self.items, self.values, self.timestamps))
        return digest.of(self.catalogue, self.time_unit)

    @functools.cached_property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of each part of what a model may learn from; see `data_fingerprints`."""
        return data_fingerprints(self.rows_fingerprint, self.catalogue, self.scale)

    @property
    def data_fingerprint(self) -> str:
        """Hex digest of everything that a model may learn from: rows, catalogue with its features, and scale."""
        return combined(self.fingerprints)

    def take(self, rows: NDArray[np.integer[Any]] | BoolArray) -> Ratings:
        """Return the chosen rows (a mask or distinct row numbers) as ratings over the same catalogue."""
        where = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.sort(rows)
        return replace(
            self,
            users=self.users[where],
            items=self.items[where],
            values=self.values[where],
            timestamps=None if self.timestamps is None else self.timestamps[where],
        )

    def over(self, catalogue: Catalogue) -> Ratings:
        """Return the same rows over another catalogue, which has all their users and items.

        Raises
        ------
        DataError
            If it lacks some.
        """
        users = catalogue.user_index(self.catalogue.user_ids)[self.users]
        items = catalogue.item_index(self.catalogue.item_ids)[self.items]
        if len(self) and min(users.min(), items.min()) < 0:
            raise DataError(f"The other catalogue lacks users or items that '{self.name}' has ratings of.")
        return replace(self, users=users, items=items, catalogue=catalogue)

    @classmethod
    def from_columns(
        cls,
        user_ids: ArrayLike,
        item_ids: ArrayLike,
        values: ArrayLike,
        timestamps: ArrayLike | None = None,
        *,
        catalogue: Catalogue | None = None,
        scale: RatingScale | None = None,
        name: str = "ratings",
        time_unit: TimeUnit | None = None,
    ) -> Ratings:
        """Build ratings from columns of raw ids in any row order.

        Parameters
        ----------
        user_ids, item_ids : array-like, shape (n,)
            Raw ids: integers of any width, floats that are whole numbers (which become those integers), or text as it
            is; also columns of pandas.
        values : array-like of float, shape (n,)
            Ratings; a warning names those beyond 2**24 that float32 rounds.
        timestamps : array-like, shape (n,), optional
            Datetimes of numpy, pandas or Python (UTC where they name no zone), or counts since 1970-01-01 UTC. A
            float means the shortest decimal number that names it. They are stored as `Ratings.time_unit` says.
        catalogue : Catalogue, optional
            Known users and items; by default those of the columns.
        scale : RatingScale, optional
            What a person can give; by default nothing is declared.
        name : str
            Name of the data set.
        time_unit : {"s", "ms", "us", "ns"}, optional
            What timestamps count that are numbers; seconds by default. Datetimes know it themselves.

        Raises
        ------
        DataError
            If the columns are malformed, an id is missing from the given catalogue, or a timestamp is missing or one
            that no unit holds (outside the years 1000 to 9999, and 1678 to 2261 beside nanoseconds).
        """
        users_raw, items_raw = raw_ids(user_ids, "user ids"), raw_ids(item_ids, "item ids")
        given, rounding = np.asarray(values), Rounding()
        numbers = given if given.dtype.kind in "iuf" else np.asarray(values, dtype=np.float64)
        value = rounding.to_float32(numbers, lambda row: row + 1)
        rounding.report(f"Ratings '{name}'", "row")
        if not users_raw.shape == items_raw.shape == value.shape or value.ndim != 1:
            raise DataError("Ratings: users, items and values must be columns of one length.")
        if catalogue is None:
            catalogue = Catalogue(distinct(users_raw), distinct(items_raw))
        users, items = catalogue.user_index(users_raw), catalogue.item_index(items_raw)
        for what, index in (("user", users), ("item", items)):
            if value.size and index.min() < 0:
                raise DataError(f"Ratings: {int((index < 0).sum())} rows have a {what} id missing from the catalogue.")
        if timestamps is None and time_unit is not None:
            raise DataError("Ratings: time_unit is given, but no timestamps.")
        times: PointerArray | None = None
        unit: TimeUnit = "s"
        if timestamps is not None:
            times, unit = of_python(timestamps, time_unit)
        if times is not None and times.shape != value.shape:
            raise DataError(f"Ratings: {times.size} timestamps for {value.size} ratings.")
        keys = (value, items, users) if times is None else (value, times, items, users)
        order = np.lexsort(keys)
        return cls(
            users=users[order],
            items=items[order],
            values=value[order],
            timestamps=None if times is None else times[order],
            catalogue=catalogue,
            scale=scale,
            name=name,
            time_unit=unit,
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Ratings in three disjoint parts that together are all of them (or, where a rule sets some aside, fewer).

    Attributes
    ----------
    train, valid, test : Ratings
        Parts over one catalogue. `valid` steers early stopping and tuning; `test` is scored once.
    rule : str
        One line for people: how the parts were made, ties included.
    aside : int
        How many ratings are in no part.
    """

    train: Ratings
    valid: Ratings
    test: Ratings
    rule: str
    aside: int = 0

    def __post_init__(self) -> None:
        units = sorted({part.time_unit for part in (self.train, self.valid, self.test)})
        if len(units) > 1:
            raise DataError(
                f"Split: timestamps of the parts count {' and '.join(units)}.",
                "Make the parts with Ratings.take, or give each the time_unit of the ratings.",
            )

    @functools.cached_property
    def train_and_valid(self) -> Ratings:
        """Train and valid together: what the final model is fitted on before the test."""
        parts = (self.train, self.valid)
        users, items, values = (np.concatenate([getattr(p, c) for p in parts]) for c in ("users", "items", "values"))
        times = None if self.train.timestamps is None else np.concatenate([_timestamps(p) for p in parts])
        # Both parts are in order, so a stable sort of one key merges them in a single pass; only pairs that stand in
        # both have to be ordered further.
        pairs = users.astype(np.int64) * self.train.n_items + items
        order = np.argsort(pairs, kind="stable")
        ordered = pairs[order]
        if np.any(ordered[1:] == ordered[:-1]):
            order = np.lexsort((values, pairs) if times is None else (values, times, pairs))
        return replace(
            self.train,
            users=users[order],
            items=items[order],
            values=values[order],
            timestamps=None if times is None else times[order],
        )

    def over(self, catalogue: Catalogue) -> Split:
        """Return the same parts over another catalogue; see `Ratings.over`."""
        parts = {name: getattr(self, name).over(catalogue) for name in ("train", "valid", "test")}
        return replace(self, **parts)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest of the rows of the three parts: runs may be compared when theirs are equal."""
        parts = "".join(part.rows_fingerprint for part in (self.train, self.valid, self.test))
        return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()


def _timestamps(ratings: Ratings) -> PointerArray:
    if ratings.timestamps is None:
        raise DataError("Some parts of the split have timestamps and others have none.")
    return ratings.timestamps


@runtime_checkable
class Dataset(Protocol):
    """A source of ratings.

    One that is kept in parts may have a method ``parts()`` as well, for engines (see `mfx.data.partitioned.Parts`). One
    that can be read piece by piece may have ``read_into(sink, dropped)``, for ``mfx data partition`` (see
    `mfx.data.pieces.InPieces`).
    """

    def load(self) -> Ratings:
        """Read the ratings.

        Raises
        ------
        DataError
            If the source is missing or malformed, saying what to do.
        """
        ...


@runtime_checkable
class Splitter(Protocol):
    """A rule that divides ratings into train, valid and test.

    One that can divide parts of a data set apart says how: ``divides = "users"`` with methods ``labels(ratings)``, in
    which no user's labels depend on another's ratings; or ``"keys"`` with ``keys(ratings)`` and ``ranks(count)``, the
    ratings of the smallest keys going to test, the next to valid. Both have ``rule()`` and ``empty()``; see
    `mfx.split.temporal` and `mfx.split.random`. Of raw ids it is then given `Catalogue.user_hashes`, ``item_hashes``
    and ``item_ranks`` only, which is all that `mfx.rating_hash` needs; ``user_ids`` and ``item_ids`` are indices there.

    The result is checked whatever the splitter is (see `mfx.split.checks`). A splitter may declare more, as attributes
    of its class or of itself:

    ``leaves_aside = True``
        Its rule leaves some ratings in no part; without it that is refused.
    ``leak_free = "user"`` or ``"global"``
        It goes by time: nothing held out is older than the same user's history, or than anybody's. A run says in its
        notes how many ratings break that.
    ``dropped_``
        After `split`: a dict of rows of its own source that were left out, by reason.
    """

    def split(self, ratings: Ratings) -> Split:
        """Divide the ratings, whatever the order in which their rows were read.

        Raises
        ------
        SplitError
            If a part would be empty, or the rule needs timestamps that the ratings lack.
        """
        ...


@dataclass(frozen=True)
class Epoch:
    """What a model reports after each pass over the data.

    Attributes
    ----------
    number : int
        1 for the first epoch.
    losses : mapping of str to float
        What the model minimises and its parts, such as ``{"objective": ..., "rmse": ...}``, on train.
    """

    number: int
    losses: Mapping[str, float]


OnEpoch: TypeAlias = Callable[["Model", Epoch], bool]
"""Called after each epoch with the model in a state that can predict; returning True stops the fit."""


@runtime_checkable
class Model(Protocol):
    """A recommender.

    Attributes
    ----------
    predicts : {"ratings", "ranking"}
        Whether scores are on the rating scale, or only their order means something.
    objective : str
        Metric on valid that early stopping and sweeps watch by default, such as ``"rmse"`` or ``"ndcg@10"``.

    A model may have a method ``score_product(users)`` as well: the same scores as a `mfx.solver.ScoreProduct`, or None.
    Lists are then found many times faster, as the scores are never written down. One whose predicted ratings are not
    its scores, because it clips them, has ``predict_pairs(users, items)`` too: metrics of ratings ask for these, while
    lists and ranks are made of scores.
    """

    predicts: ClassVar[Literal["ratings", "ranking"]]
    objective: ClassVar[str]

    def fit(self, train: Ratings, *, on_epoch: OnEpoch | None = None) -> Model:
        """Learn from ratings and return self."""
        ...

    def score_users(self, users: IndexArray) -> FloatArray:
        """Score every item for each user index; float32, shape (len(users), items)."""
        ...

    def score_pairs(self, users: IndexArray, items: IndexArray) -> FloatArray:
        """Score pairs of user and item indices of one length; float32, same length."""
        ...


@runtime_checkable
class Metric(Protocol):
    """A number that says how good held-out scores are.

    Attributes
    ----------
    needs : {"ratings", "lists", "ranks"}
        What `value` is given: predicted and true ratings; the top of each user's list; or the rank of every
        held-out item, which costs more.
    higher_is_better : bool
        Direction of improvement.
    """

    needs: ClassVar[Literal["ratings", "lists", "ranks"]]
    higher_is_better: ClassVar[bool]

    def value(self, outcome: Any) -> float:
        """Compute the metric from the outcome of the kind it needs (see `mfx.metrics.outcomes`)."""
        ...


@runtime_checkable
class Engine(Protocol):
    """What fits a model: this process, or a cluster.

    A model whose class says ``rows_elsewhere = True`` makes its rows with ``self.layouts(train)``; an engine puts its
    own function in that place, and the rows it returns (`mfx.solver.elsewhere.RowsElsewhere`) are solved by it. A model
    of pairs has ``positives(train)`` instead, and what is put there stands in for `mfx.solver.pairwise.Positives`.
    """

    def check(self, dataset: Dataset, splitter: Splitter, model: Model, metrics: Mapping[str, Metric]) -> None:
        """Refuse components that it has no support for; called before data is read.

        Raises
        ------
        MFXError
            In one line, what cannot be done and what to choose instead.
        """
        ...

    def working(self) -> AbstractContextManager[None]:
        """Have at hand what fits need, while the block lasts."""
        ...

    def load(self, dataset: Dataset) -> Ratings:
        """Read a data set, or have it read: what it returns may stand for ratings that lie elsewhere."""
        ...

    def split(self, splitter: Splitter, ratings: Ratings) -> Split:
        """Divide what `load` returned."""
        ...

    def audit(self, split: Split) -> Mapping[str, float]:
        """Return what `mfx.audit` finds in what `split` returned."""
        ...

    def fit(self, model: Model, train: Ratings, on_epoch: OnEpoch | None) -> Model:
        """Fit the model and return it."""
        ...

    def evaluate(
        self, model: Model, seen: Ratings, held_out: Ratings, metrics: Mapping[str, Metric], settings: Any
    ) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """Score held-out ratings; return values by metric, and for metrics that have none the reason."""
        ...

    def fold_in(self, model: Any, ratings: Ratings, index: IndexArray, wanted: Any) -> Any:
        """Take in the users of what `load` returned as new ones; see `mfx.models.bulk`.

        `index` is the model's index of each of their items, -1 for items whose ratings are left out.
        """
        ...

    def spent(self) -> Mapping[str, float]:
        """Return what the epoch since the last call took, by names such as ``seconds/epoch_wait``, for the tracker."""
        ...


@dataclass(frozen=True)
class RunInfo:
    """What a tracker is told when a run starts.

    Attributes
    ----------
    experiment, name : str
        Where the run belongs, and what it is called.
    params : mapping of str to str
        Flattened settings; the same keys for runs of the same components.
    tags : mapping of str to str
        Labels to filter by.
    parent : str or None
        Id of the run that groups this one.
    directory : pathlib.Path
        The run's own folder, for files.
    """

    experiment: str
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    parent: str | None
    directory: Path


@dataclass(frozen=True)
class DataInfo:
    """A data set as a tracker records it; `fingerprint` is the `Ratings.data_fingerprint`."""

    name: str
    fingerprint: str
    source: str
    profile: Mapping[str, float | str]


class TrackedRun(Protocol):
    """A run that is being recorded.

    A method that raises ends no run: MFX calls it again later, as a whole, and at the end of the run says what could
    not be recorded.
    """

    run_id: str

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers; names may hold ``@``, which a tracker may have to rewrite."""
        ...

    def log_data(self, data: DataInfo) -> None:
        """Record which data went in."""
        ...

    def log_folder(self, folder: Path, where: str = "") -> None:
        """Keep a copy of every file below a folder, under `where` in the run's artifacts."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Add or replace labels."""
        ...

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Write out everything that is buffered and close the run."""
        ...

    def where(self) -> str:
        """One line for people: where to look at the run."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """A place where runs are kept."""

    def prepare(self) -> None:
        """See that the place can be used, and begin to open it where that takes long; called before data is read.

        Raises
        ------
        TrackingError
            If the place cannot be reached or written, as far as that shows at once.
        """
        ...

    def start(self, info: RunInfo) -> TrackedRun:
        """Open a run; where that fails, MFX calls it again later.

        Raises
        ------
        TrackingError
            If the place cannot be reached or written.
        """
        ...
