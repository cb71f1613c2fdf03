"""A data set in parts, each with the ratings of some users: what engines read where the rows are to be solved."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mfx.data.cache import pack, unpack
from mfx.data.store import DamagedFile, read_columns, write_columns
from mfx.errors import DataError
from mfx.files import write_text
from mfx.interfaces import AnyArray, IndexArray, PartColumns, Ratings
from mfx.registry import register
from mfx.settings import Component, setting

FORMAT = 1
AGAIN = "Write it again: mfx data partition."
MANIFEST, CATALOGUE = "manifest.json", "catalogue.mfx"
_NAMES = ("user", "item", "rating", "timestamp")


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
    fingerprint : str
        That of all ratings.
    """

    folder: Path
    bounds: AnyArray
    digests: list[str]
    empty: Ratings
    n_ratings: int
    fingerprint: str

    def __len__(self) -> int:
        return len(self.digests)


@register("dataset", "partitioned")
@dataclass(kw_only=True)
class Partitioned(Component):
    """Ratings in parts that ``mfx data partition`` wrote: each a Parquet file with all ratings of some users.

    With engine=ray workers read the parts, and no process holds all ratings. With engine=local they are read one after
    the other.
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
        bounds, digests, ratings, fingerprint = (
            manifest.get(name) for name in ("bounds", "digests", "ratings", "fingerprint")
        )
        if not (_are(int, bounds) and _are(str, digests) and _are(int, [ratings]) and _are(str, [fingerprint])):
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
        return Parts(folder, np.array(bounds, dtype=np.int64), digests, empty, ratings, fingerprint)

    def load(self) -> Ratings:
        """Read all parts into this process."""
        parts = self.parts()
        read = [
            read_part(parts.folder, number, digest, range(*parts.bounds[number : number + 2]), parts.empty.n_items)
            for number, digest in enumerate(parts.digests)
        ]
        users, items, values = (np.concatenate([part[i] for part in read]) for i in range(3))
        times = [part[3] for part in read if part[3] is not None]
        if len(times) not in (0, len(read)):
            raise DataError(f"{parts.folder}: some parts have timestamps and others have none.", AGAIN)
        empty = parts.empty
        ratings = Ratings(
            users, items, values, np.concatenate(times) if times else None, empty.catalogue, empty.scale, empty.name
        )
        if (len(ratings), ratings.fingerprint) != (parts.n_ratings, parts.fingerprint):
            raise DataError(f"{parts.folder} does not hold the ratings that its {MANIFEST} tells of.", AGAIN)
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


def partition(ratings: Ratings, folder: Path, n_parts: int) -> int:
    """Write ratings in parts of whole users, each of about as many ratings; return how many parts there are.

    Parameters
    ----------
    ratings : Ratings
        All ratings.
    folder : pathlib.Path
        Where; it appears when everything is written.
    n_parts : int
        How many are wanted; there are fewer where single users have more than their share.

    Raises
    ------
    DataError
        If there is something in that place already, or it cannot be written.
    """
    from mfx.solver.layout import balanced_blocks

    if folder.exists():
        raise DataError(f"{folder} exists already.", "Choose another folder: to=DIR.")
    bounds = np.unique(balanced_blocks(ratings.user_indptr, min(n_parts, ratings.n_users), 1.0))
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir(parents=True)
        digests = [
            _write_part(draft, number, ratings, int(ratings.user_indptr[a]), int(ratings.user_indptr[b]))
            for number, (a, b) in enumerate(itertools.pairwise(bounds.tolist()))
        ]
        columns, meta = pack(ratings.take(np.zeros(0, dtype=np.int64)))
        write_columns(draft / CATALOGUE, columns, meta)
        manifest: dict[str, Any] = {"format": FORMAT, "name": ratings.name, "ratings": len(ratings)}
        manifest |= {"bounds": bounds.tolist(), "digests": digests, "fingerprint": ratings.fingerprint}
        write_text(draft / MANIFEST, json.dumps(manifest) + "\n")
        os.rename(draft, folder)  # noqa: PTH104 - Path.rename would move it into a folder that has appeared
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}.", "Choose another: to=DIR.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return len(digests)


def _write_part(folder: Path, number: int, ratings: Ratings, start: int, stop: int) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = slice(start, stop)
    times = None if ratings.timestamps is None else ratings.timestamps[rows]
    users: IndexArray = ratings.users[rows]
    columns: PartColumns = (users, ratings.items[rows], ratings.values[rows], times)
    held = {name: column for name, column in zip(_NAMES, columns, strict=True) if column is not None}
    pq.write_table(pa.table(held), folder / part_name(number), compression="zstd")
    return digest_of(columns)
