"""Columns of ratings in scratch files: in the order in which they come, and divided into parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfx.interfaces import AnyArray, PointerArray


class PieceFile:
    """Pieces of columns, one after the other in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pieces: list[tuple[int, list[np.dtype[Any]]]] = []

    def __len__(self) -> int:
        return len(self._pieces)

    def append(self, columns: Sequence[AnyArray]) -> None:
        """Write a piece: columns of one length."""
        with self._path.open("ab") as stream:
            for column in columns:
                stream.write(np.ascontiguousarray(column).data)
        self._pieces.append((columns[0].size, [column.dtype for column in columns]))

    def read(self, first: int | None = None) -> Iterator[list[AnyArray]]:
        """Read the pieces again, with all their columns or only the first ones."""
        start = 0
        for rows, dtypes in self._pieces:
            columns, offset = [], start
            for dtype in dtypes[:first]:
                columns.append(np.fromfile(self._path, dtype, rows, offset=offset))
                offset += rows * dtype.itemsize
            yield columns
            start += rows * sum(dtype.itemsize for dtype in dtypes)

    def clear(self) -> None:
        """Forget all pieces, and remove the file."""
        self._path.unlink(missing_ok=True)
        self._pieces = []


class Divided:
    """Records divided into parts, one file for each part.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files go.
    record : numpy.dtype
        Fields of a record.
    n_parts : int
        How many parts there are.
    """

    def __init__(self, folder: Path, record: np.dtype[Any], n_parts: int) -> None:
        self._folder, self._record, self._n_parts = folder, record, n_parts

    def add(self, records: AnyArray, part: PointerArray) -> None:
        """Write records to the files of their parts, in the order in which they come."""
        order = np.argsort(part.astype(np.min_scalar_type(self._n_parts)), kind="stable")
        records = records[order]
        bounds = np.searchsorted(part[order], np.arange(self._n_parts + 1))
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            with self._path(number).open("ab") as stream:
                stream.write(records[bounds[number] : bounds[number + 1]].view(np.uint8).data)

    def take(self, number: int) -> AnyArray:
        """Read the records of a part, and remove its file."""
        path = self._path(number)
        if not path.exists():
            return np.empty(0, self._record)
        records = np.fromfile(path, self._record)
        path.unlink()
        return records

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.records"
