"""Writing a data set in parts, one part after the other: the folder appears when all are written."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np

from mfx.data.cache import pack
from mfx.data.partitioned import CATALOGUE, COLUMNS, FORMAT, MANIFEST, Parts, digest_of, part_name, read_part
from mfx.data.store import write_columns
from mfx.errors import DataError
from mfx.files import write_text
from mfx.interfaces import AnyArray, Fingerprint, PartColumns, PointerArray, Ratings


class PartsWriter:
    """Writes parts into a draft beside the folder; a context, at whose end the draft is gone.

    Parameters
    ----------
    folder : pathlib.Path
        Where the data set is to be.

    Raises
    ------
    DataError
        If there is something in that place already, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists():
            raise DataError(f"{folder} exists already.", "Choose another folder: to=DIR.")
        self._folder = folder
        self._draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        self.scratch = self._draft / "scratch"
        """A folder for what is needed meanwhile."""
        self._begin()

    def _begin(self) -> None:
        self._digests: list[str] = []
        self._fingerprint = Fingerprint()
        self._n_ratings = 0

    def __enter__(self) -> PartsWriter:
        try:
            with self.writable():
                self.scratch.mkdir(parents=True)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)

    @contextlib.contextmanager
    def writable(self) -> Iterator[None]:
        """Say of what cannot be written in the block that the folder cannot.

        Readers take the system's errors for errors of the file that they read.
        """
        try:
            yield
        except OSError as error:
            raise DataError(
                f"{self._folder} cannot be written: {error.strerror or error}.", "Choose another: to=DIR."
            ) from error

    def add(self, columns: PartColumns) -> None:
        """Write the next part."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        held = {name: column for name, column in zip(COLUMNS, columns, strict=True) if column is not None}
        with self.writable():
            pq.write_table(pa.table(held), self._draft / part_name(len(self._digests)), compression="zstd")
        self._digests.append(digest_of(columns))
        self._fingerprint.add(columns)
        self._n_ratings += columns[0].size

    def cut_again(self, bounds: AnyArray, n_items: int, sizes: PointerArray) -> None:
        """Replace the parts written so far, of the users between `bounds`, by parts of so many ratings."""
        digests, aside = self._digests, self.scratch / "aside"
        with self.writable():
            aside.mkdir()
            for number in range(len(digests)):
                (self._draft / part_name(number)).rename(aside / part_name(number))
        self._begin()
        old = (
            read_part(aside, number, digest, range(*bounds[number : number + 2]), n_items)
            for number, digest in enumerate(digests)
        )
        for columns in cut(old, sizes):
            self.add(columns)

    def finish(
        self, empty: Ratings, bounds: AnyArray, dropped: Mapping[str, int], expected: Parts | None = None
    ) -> Parts:
        """Write what is said of all parts, and let the folder appear.

        Parameters
        ----------
        empty : Ratings
            None of the ratings, with the catalogue and the scale of all.
        bounds : int64 array
            Part p has the users ``bounds[p]`` to ``bounds[p + 1] - 1``.
        dropped : mapping of str to int
            Rows of the source that were left out, by reason.
        expected : Parts, optional
            Where the ratings come from, if they are to be those.
        """
        fingerprint = self._fingerprint.of(empty.catalogue, empty.time_unit)
        if expected is not None:
            expected.check_all(self._n_ratings, fingerprint)
        columns, meta = pack(empty)
        manifest: dict[str, Any] = {"format": FORMAT, "name": empty.name, "ratings": self._n_ratings}
        manifest |= {"bounds": bounds.tolist(), "digests": self._digests, "fingerprint": fingerprint}
        manifest["dropped"] = dict(sorted(dropped.items()))
        with self.writable():
            write_columns(self._draft / CATALOGUE, columns, meta)
            write_text(self._draft / MANIFEST, json.dumps(manifest) + "\n")
            shutil.rmtree(self.scratch)
            os.rename(self._draft, self._folder)  # noqa: PTH104 - Path.rename would move it into a folder that has appeared
        return Parts(self._folder, bounds, self._digests, empty, self._n_ratings, fingerprint, manifest["dropped"])


def part_bounds(indptr: PointerArray, n_parts: int) -> PointerArray:
    """Choose parts of whole users, each of about as many ratings.

    Parameters
    ----------
    indptr : int64 array, shape (users + 1,)
        Where the ratings of each user begin.
    n_parts : int
        How many parts are wanted; there are fewer where single users have more than their share.

    Returns
    -------
    int64 array, shape (parts + 1,)
        Part p has the users ``bounds[p]`` to ``bounds[p + 1] - 1``.
    """
    from mfx.solver.layout import balanced_blocks

    return np.unique(balanced_blocks(indptr, min(n_parts, indptr.size - 1), 1.0))


def cut(pieces: Iterable[PartColumns], sizes: PointerArray) -> Iterator[PartColumns]:
    """Cut columns that come in pieces into pieces of other sizes, holding one of either kind."""
    coming = iter(pieces)
    held: list[PartColumns] = []
    for size in sizes.tolist():
        have = sum(piece[0].size for piece in held)
        while have < size or not held:
            held.append(next(coming))
            have += held[-1][0].size
        whole = _joined(held)
        yield _rows(whole, slice(0, size))
        held = [_rows(whole, slice(size, have))]


def _joined(pieces: list[PartColumns]) -> PartColumns:
    if len(pieces) == 1:
        return pieces[0]
    users, items, values = (np.concatenate([piece[i] for piece in pieces]) for i in range(3))
    times = [piece[3] for piece in pieces if piece[3] is not None]
    return users, items, values, np.concatenate(times) if times else None


def _rows(columns: PartColumns, rows: slice) -> PartColumns:
    users, items, values, times = columns
    return users[rows], items[rows], values[rows], None if times is None else times[rows]


def partition(ratings: Ratings, folder: Path, n_parts: int, dropped: Mapping[str, int] = MappingProxyType({})) -> Parts:
    """Write ratings in parts of whole users, each of about as many ratings.

    Parameters
    ----------
    ratings : Ratings
        All ratings.
    folder : pathlib.Path
        Where; it appears when everything is written.
    n_parts : int
        How many are wanted; there are fewer where single users have more than their share.
    dropped : mapping of str to int
        Rows of the source that were left out, by reason.

    Raises
    ------
    DataError
        If there is something in that place already, or it cannot be written.
    """
    bounds = part_bounds(ratings.user_indptr, n_parts)
    columns = ratings.users, ratings.items, ratings.values, ratings.timestamps
    with PartsWriter(folder) as writer:
        for a, b in itertools.pairwise(ratings.user_indptr[bounds].tolist()):
            writer.add(_rows(columns, slice(a, b)))
        return writer.finish(ratings.take(np.zeros(0, dtype=np.int64)), bounds, dropped)
