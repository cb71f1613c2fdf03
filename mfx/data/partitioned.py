"""A data set in parts, each with the ratings of some users: what engines read where the rows are to be solved."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mfx.data.cache import unpack
from mfx.data.store import DamagedFile, read_columns
from mfx.errors import DataError
from mfx.interfaces import AnyArray, PartColumns, Ratings
from mfx.registry import register
from mfx.settings import Component, setting

FORMAT = 3
AGAIN = "Write it again: mfx data partition."
MANIFEST, CATALOGUE = "manifest.json", "catalogue.mfx"
COLUMNS = ("user", "item", "rating", "timestamp")


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a data set, unread.

    Attributes
    ----------
    folder : pathlib.Path
        Where they are.
    bounds : int64 array, shape (parts + 1,)
        Part p has the ratings of the users ``bounds[p]`` to ``bounds[p + 1] - 1``.
    digests : list of str
        Hashes of the columns of each part.
    empty : Ratings
        None of the ratings, with the catalogue and the scale of all.
    n_ratings : int
        How many ratings there are.
    rows_fingerprint : str
        That of all ratings (`Ratings.rows_fingerprint`).
    dropped : dict of str to int
        Rows of the source that were left out when the parts were written, by reason.
    """

    folder: Path
    bounds: AnyArray
    digests: list[str]
    empty: Ratings
    n_ratings: int
    rows_fingerprint: str
    dropped: dict[str, int]

    def __len__(self) -> int:
        return len(self.digests)

    def read(self, number: int) -> PartColumns:
        """Read users, items, values and timestamps of a part; as `read_part`."""
        users = range(*self.bounds[number : number + 2])
        return read_part(self.folder, number, self.digests[number], users, self.empty.n_items)

    def check_timed(self, timed: Collection[bool]) -> None:
        """Refuse parts of which some have timestamps and others none, as `timed` tells of each.

        Raises
        ------
        DataError
            If they differ.
        """
        if len(set(timed)) > 1:
            raise DataError(f"{self.folder}: some parts have timestamps and others have none.", AGAIN)

    def check_all(self, n_ratings: int, rows_fingerprint: str) -> None:
        """Refuse all parts together if they are not the ratings that were written.

        Raises
        ------
        DataError
            If their number or their fingerprint is another one.
        """
        if (n_ratings, rows_fingerprint) != (self.n_ratings, self.rows_fingerprint):
            raise DataError(f"{self.folder} does not hold the ratings that its {MANIFEST} tells of.", AGAIN)


@runtime_checkable
class InParts(Protocol):
    """A data set that is kept in parts: an optional door of data sets."""

    def parts(self) -> Parts:
        """Look the parts up, without reading them."""
        ...


@register("dataset", "partitioned")
@dataclass(kw_only=True)
class Partitioned(Component):
    """Ratings in parts that ``mfx data partition`` wrote: each a Parquet file with all ratings of some users.

    With engine=ray workers read the parts, and no process holds all ratings. With engine=local they are read one after
    the other.

    Attributes
    ----------
    dropped_ : dict of str to int
        After `load` or `parts`: rows of the source that were left out when the parts were written, by reason.
    """

    path: str | None = setting(None)
    """Folder of the parts; every machine of a cluster must see it under this path."""

    def parts(self) -> Parts:
        """Look the parts up, without reading them.

        Raises
        ------
        DataError
            If the folder is missing or malformed.
        """
        if self.path is None:
            raise DataError(
                "dataset=partitioned needs dataset.path=DIR.", "Make one: mfx data partition dataset=NAME to=DIR."
            )
        folder = Path(self.path).expanduser().absolute()
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT:
                raise DataError(
                    f"{folder} has format {manifest['format']}; this version of mfx reads format {FORMAT}.", AGAIN
                )
            empty = unpack(*read_columns(folder / CATALOGUE))
        except FileNotFoundError as error:
            raise DataError(
                f"{folder} is no partitioned data set: {Path(str(error.filename)).name} is missing.",
                "Make one: mfx data partition dataset=NAME to=DIR.",
            ) from None
        except (OSError, ValueError, KeyError, TypeError, DamagedFile) as error:
            raise DataError(f"{folder} is damaged: {error}.", AGAIN) from error
        bounds, digests, ratings, fingerprint, dropped = (
            manifest.get(name) for name in ("bounds", "digests", "ratings", "rows_fingerprint", "dropped")
        )
        typed = _are(int, bounds) and _are(str, digests) and _are(int, [ratings]) and _are(str, [fingerprint])
        if not typed or not isinstance(dropped, dict) or not _are(int, list(dropped.values())):
            raise DataError(f"{folder / MANIFEST} is damaged: an entry is missing or of a wrong type.", AGAIN)
        steps = itertools.pairwise(bounds)
        if (
            len(bounds) != len(digests) + 1
            or any(a >= b for a, b in steps)
            or bounds[:1] + bounds[-1:]
            != [
                0,
                empty.n_users,
            ]
        ):
            raise DataError(f"{folder / MANIFEST} does not cover all users.", AGAIN)
        self.dropped_: dict[str, int] = dropped
        return Parts(folder, np.array(bounds, dtype=np.int64), digests, empty, ratings, fingerprint, dropped)

    def load(self) -> Ratings:
        """Read all parts into this process."""
        parts = self.parts()
        read = [parts.read(number) for number in range(len(parts))]
        users, items, values = (np.concatenate([part[i] for part in read]) for i in range(3))
        parts.check_timed([part[3] is not None for part in read])
        times = [part[3] for part in read if part[3] is not None]
        empty = parts.empty
        stamps = np.concatenate(times) if times else None
        ratings = replace(empty, users=users, items=items, values=values, timestamps=stamps)
        parts.check_all(len(ratings), ratings.rows_fingerprint)
        return ratings

    def describe(self) -> dict[str, str]:
        """Say where the ratings come from."""
        return {"source": str(Path(self.path or "").expanduser().absolute())}


def part_name(number: int) -> str:
    """Return the file name of a part."""
    return f"part-{number:05d}.parquet"


def _are(kind: type, found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, kind) and not isinstance(one, bool) for one in found)


def read_part(folder: Path, number: int, digest: str, users: range, n_items: int) -> PartColumns:
    """Read users, items, values and timestamps of a part.

    Parameters
    ----------
    folder : pathlib.Path
        That of all parts.
    number : int
        Which part.
    digest : str
        Hash of its columns.
    users : range
        Indices of the users whose ratings it holds.
    n_items : int
        Items of the catalogue.

    Raises
    ------
    DataError
        If the file is missing, damaged or another one than was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / part_name(number)
    try:
        table = pq.read_table(path, memory_map=False)
        held = {name: np.array(table[name]) for name in table.column_names}
        columns = held["user"], held["item"], held["rating"], held.get("timestamp")
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read ({reason}).", AGAIN) from error
    if not _fits(columns, users, n_items) or digest_of(columns) != digest:
        raise DataError(f"{path} is not the file that was written.", AGAIN)
    return columns


def _fits(columns: PartColumns, users: range, n_items: int) -> bool:
    """Whether columns have their types, and hold ratings of these users and items."""
    user, item, rating, _ = columns
    kinds = [column.dtype for column in columns if column is not None]
    if kinds != [np.int32, np.int32, np.float32, np.int64][: len(kinds)]:
        return False
    inside = (user >= users.start) & (user < users.stop) & (item >= 0) & (item < n_items)
    return bool(inside.all() and np.isfinite(rating).all())


def digest_of(columns: PartColumns) -> str:
    """Hash the columns of a part."""
    hashed = hashlib.blake2b(digest_size=16)
    for column in columns:
        if column is not None:
            hashed.update(np.ascontiguousarray(column).data)
    return hashed.hexdigest()
