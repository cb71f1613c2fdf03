"""Ratings that arrive piece by piece: who takes them, and how they become one again."""

from __future__ import annotations

import itertools
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mfx.data.raw import IdColumn, Origin, RawRatings, in_common_unit
from mfx.errors import DataError
from mfx.interfaces import AnyArray, IndexArray, PointerArray
from mfx.timestamps import TimeUnit, coarsened, finest

_NOTHING = np.empty(0, np.int32)


class Sink(Protocol):
    """Somebody who takes the ratings of a source piece by piece."""

    def restart(self) -> None:
        """Forget all pieces: the source is read from its beginning, as at first or in another way."""
        ...

    def add(self, piece: RawRatings) -> None:
        """Take the next piece, of one row or more.

        All pieces have the same columns and kinds of ids. `labels` are those of the piece alone; `first_line` or
        `lines` count from the beginning of the source.
        """
        ...


@runtime_checkable
class InPieces(Protocol):
    """A data set that can be read without holding all its ratings.

    It is an optional door of data sets, for what need not see all ratings at once, such as ``mfx data partition``.
    What is read this way is what `load` returns: the same rows, errors and warnings.
    """

    def read_into(self, sink: Sink, dropped: dict[str, int]) -> Origin:
        """Read all ratings from the source into a sink.

        Parameters
        ----------
        sink : Sink
            Takes the pieces; a reader that fails half way and tries another way restarts it first.
        dropped : dict
            To be filled with the number of rows left out, by reason.

        Returns
        -------
        Origin
            All else that the source says: small beside the ratings.

        Raises
        ------
        DataError
            If the source is missing or malformed, saying what to do.
        """
        ...


class Labels:
    """Text ids numbered in the order in which they first come, over all pieces."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    @property
    def labels(self) -> list[str]:
        """The distinct ids by number."""
        return list(self._codes)

    def encode(self, labels: list[str], codes: AnyArray) -> IndexArray:
        """Translate positions in the labels of a piece into numbers."""
        numbers = [self._codes.setdefault(label, len(self._codes)) for label in labels]
        return np.array(numbers, dtype=np.int32)[codes]


class Kind:
    """What the pieces of a source have in common: kinds of ids, and whether there are timestamps."""

    def __init__(self) -> None:
        self._of_first: tuple[bool, bool, bool] | None = None

    def check(self, piece: RawRatings) -> None:
        """Refuse a piece that is unlike the first one.

        Raises
        ------
        DataError
            Saying what is wrong with it.
        """
        columns = (piece.users.codes, piece.items.codes, piece.values, piece.timestamps, piece.lines)
        if not piece.values.size or any(c is not None and c.shape != piece.values.shape for c in columns):
            raise DataError("A piece of ratings is empty, or its columns differ in length.", "Correct the reader.")
        kind = (piece.users.labels is None, piece.items.labels is None, piece.timestamps is None)
        if self._of_first not in (None, kind):
            raise DataError(
                "A piece of ratings has ids of another kind than the first one, or only one of the two has timestamps.",
                "Correct the reader.",
            )
        self._of_first = kind


class Gathered:
    """A sink that makes one of all pieces."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all pieces."""
        self._kind = Kind()
        self._users, self._items = _GrowingIds(), _GrowingIds()
        self._values = Growing()
        self._times, self._time_units = list[AnyArray](), list[TimeUnit]()
        self._lines: list[AnyArray | tuple[int, int]] = []
        self._unit = "line"

    def add(self, piece: RawRatings) -> None:
        """Keep a piece."""
        self._kind.check(piece)
        self._users.add(piece.users)
        self._items.add(piece.items)
        self._values.add(piece.values)
        if piece.timestamps is not None:
            times, time_unit = coarsened(piece.timestamps, piece.time_unit)
            self._times.append(narrowed(times))
            self._time_units.append(time_unit)
        self._lines.append((piece.first_line, piece.values.size) if piece.lines is None else piece.lines)
        self._unit = piece.unit

    def whole(self, where: str = "The source") -> RawRatings:
        """Return all ratings and forget them; `where` names the source for messages.

        Raises
        ------
        DataError
            If there was no piece, or no unit holds all timestamps.
        """
        if not self._lines:
            raise DataError("There are no ratings.", "Check that it is the source you meant.")
        first_line, lines = self._whole_lines()
        time_unit = finest(self._time_units)
        raw = RawRatings(
            users=self._users.whole(),
            items=self._items.whole(),
            values=self._values.whole(),
            timestamps=self._whole_times(time_unit, where) if self._times else None,
            lines=lines,
            first_line=first_line,
            unit=self._unit,
            time_unit=time_unit,
        )
        self.restart()
        return raw

    def _whole_times(self, common: TimeUnit, where: str) -> PointerArray:
        """Return the timestamps in the unit that all of them need, and forget the pieces while that is made."""
        full = np.empty(sum(piece.size for piece in self._times), np.int64)
        at = 0
        for number, (piece, unit, lines) in enumerate(zip(self._times, self._time_units, self._lines, strict=True)):
            line = range(lines[0], sum(lines)).__getitem__ if isinstance(lines, tuple) else lines.item
            times = piece.astype(np.int64, copy=False)
            full[at : at + piece.size] = in_common_unit(times, unit, common, line, self._unit, where)
            at += piece.size
            self._times[number] = _NOTHING
        return full

    def _whole_lines(self) -> tuple[int, AnyArray | None]:
        """Return the first line where all follow each other, or else the line of each row."""
        runs = [run for run in self._lines if isinstance(run, tuple)]
        follow = all(one[0] + one[1] == other[0] for one, other in itertools.pairwise(runs))
        if len(runs) == len(self._lines) and follow:
            return runs[0][0], None
        each = [np.arange(run[0], sum(run)) if isinstance(run, tuple) else run for run in self._lines]
        return 1, np.concatenate(each).astype(np.int64, copy=False)


class Growing:
    """A column that arrives in pieces, kept as narrow as its integers allow."""

    def __init__(self) -> None:
        self._pieces: list[AnyArray] = []

    def add(self, values: Any) -> None:
        """Take the next piece."""
        self._pieces.append(narrowed(values))

    def whole(self) -> AnyArray:
        """Return all of it, and forget the pieces while that is made."""
        dtype = np.result_type(*self._pieces) if self._pieces else np.dtype(np.int32)
        full = np.empty(sum(piece.size for piece in self._pieces), dtype)
        at = 0
        for number, piece in enumerate(self._pieces):
            full[at : at + piece.size] = piece
            at += piece.size
            self._pieces[number] = _NOTHING  # a view would keep the piece alive
        return full


class _GrowingIds:
    """A column of ids that arrives in pieces."""

    def __init__(self) -> None:
        self._codes = Growing()
        self._labels: Labels | None = None

    def add(self, column: IdColumn) -> None:
        if column.labels is None:
            self._codes.add(column.codes)
        else:
            self._labels = self._labels or Labels()
            self._codes.add(self._labels.encode(column.labels, column.codes))

    def whole(self) -> IdColumn:
        return IdColumn(self._codes.whole(), None if self._labels is None else self._labels.labels)


def narrowed(values: AnyArray) -> AnyArray:
    """Return integers of 64 bits as ones of 32 where they fit; anything else as it is."""
    if values.dtype == np.int64 and values.size and values.min() >= -(2**31) and values.max() < 2**31:
        return values.astype(np.int32)
    return values
