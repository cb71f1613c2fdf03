"""Columns as they come out of a file, before ids become indices, and what is to happen to rows of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfx.errors import DataError
from mfx.interfaces import FloatArray, PointerArray, RatingScale
from mfx.timestamps import TimeUnit, beyond, in_unit, joined, no_room

log = logging.getLogger("mfx")


@dataclass
class IdColumn:
    """Raw ids of one column.

    Attributes
    ----------
    codes : int array, shape (n,)
        The ids themselves, or positions in `labels`.
    labels : list of str or None
        Text ids in any order; None when ids are integers.
    """

    codes: NDArray[np.integer[Any]]
    labels: list[str] | None = None

    def raw(self, row: int) -> int | str:
        """Return the raw id of a row."""
        code = int(self.codes[row])
        return code if self.labels is None else self.labels[code]


@dataclass
class RawRatings:
    """Rated pairs in the order of the file: all of them, or a piece.

    Attributes
    ----------
    users, items : IdColumn
        Raw ids.
    values : float32 array, shape (n,)
        Finite ratings.
    timestamps : int64 array, shape (n,), or None
        Counts of `time_unit` since 1970-01-01 UTC.
    lines : int64 array, shape (n,), or None
        Line (or row) of the file that each row came from; None means row r is line ``r + first_line``.
    first_line : int
        Line of row 0 when `lines` is None.
    unit : str
        What `lines` counts: "line" or "row".
    time_unit : {"s", "ms", "us", "ns"}
        What timestamps count. Pieces of one source may differ in it; together they get the coarsest unit that loses
        nothing.
    """

    users: IdColumn
    items: IdColumn
    values: FloatArray
    timestamps: PointerArray | None
    lines: PointerArray | None = None
    first_line: int = 1
    unit: str = "line"
    time_unit: TimeUnit = "s"

    def line(self, row: int) -> int:
        """Return where in the file a row came from, counted from 1."""
        return row + self.first_line if self.lines is None else int(self.lines[row])


def joined_times(
    seconds: PointerArray, nanoseconds: PointerArray, line: Callable[[int], int], what: str, where: str
) -> tuple[PointerArray, TimeUnit]:
    """Return moments as counts of the coarsest unit that loses nothing of them, and that unit.

    Parameters
    ----------
    seconds, nanoseconds : int64 arrays, shape (n,)
        Whole seconds since 1970-01-01 UTC, and what is beyond them.
    line : callable
        Line of the source that a row came from.
    what : str
        What lines are called.
    where : str
        The source, for messages.

    Raises
    ------
    DataError
        If no unit holds all of them.
    """
    times, unit = joined(seconds, nanoseconds)
    _refuse_beyond(seconds, "s", unit, line, what, where)
    return times, unit


def in_common_unit(
    times: PointerArray, unit: TimeUnit, common: TimeUnit, line: Callable[[int], int], what: str, where: str
) -> PointerArray:
    """Return the timestamps of a piece in the unit of all pieces; as `joined_times`."""
    _refuse_beyond(times, unit, common, line, what, where)
    return in_unit(times, unit, common)


def _refuse_beyond(
    times: PointerArray, unit: TimeUnit, common: TimeUnit, line: Callable[[int], int], what: str, where: str
) -> None:
    outside = beyond(times, unit, common)
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{where}: {no_room(line(row), int(times[row]), unit, what)}.",
            "Correct it, or cut the others to microseconds.",
        )


@dataclass
class Rejected:
    """Rows that cannot be used, counted by reason.

    Attributes
    ----------
    counts : dict of str to int
        Rows by reason.
    first : tuple of (line, reason, text) or None
        The first such row in the file.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: tuple[int, str, str] | None = None

    @property
    def total(self) -> int:
        """Number of rows that cannot be used."""
        return sum(self.counts.values())

    def add(self, reason: str, line: int, text: str, rows: int = 1) -> None:
        """Count rows, the earliest of which is at `line` and reads `text`."""
        self.counts[reason] = self.counts.get(reason, 0) + rows
        if self.first is None or line < self.first[0]:
            self.first = (line, reason, text)

    def by_setting(self) -> dict[str, int]:
        """Return the counts with the setting that lets the rows go, for `mfx.data.base.CachedDataset.dropped_`."""
        return {f"{reason} (on_bad_rows=drop)": rows for reason, rows in self.counts.items()}

    def settle(self, where: str, rows: int, unit: str, policy: str) -> None:
        """Refuse the file, or report that the rows are left out.

        Raises
        ------
        DataError
            If there is such a row and the policy is not "drop", or if no other row is left.
        """
        if self.first is None:
            return
        line, reason, text = self.first
        reasons = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        example = f"first at {unit} {line} ({reason}): {shorten(text)}"
        if policy != "drop" or self.total == rows:
            drop = ", or set dataset.on_bad_rows=drop to leave them out" if self.total < rows else ""
            raise DataError(
                f"{where}: {self.total} of {rows} rows cannot be used ({reasons}); {example}.", f"Correct them{drop}."
            )
        log.warning("%s: left out %d of %d rows (%s); %s.", where, self.total, rows, reasons, example)


def shorten(text: str, limit: int = 80) -> str:
    """Return the text quoted on one line of at most `limit` characters."""
    plain = repr(text)
    return plain if len(plain) <= limit else plain[: limit - 4] + "..." + plain[0]


@dataclass
class Facts:
    """What a file of items or users says about each of them.

    Attributes
    ----------
    where : str
        The file, for messages.
    ids : list of str
        Raw ids as written; beside integer ids of ratings, 10.0 is 10, and any other spelling is refused.
    titles : list of str or None
        One for each id.
    features : mapping of str to list of list of str
        For each block, the names that each id carries.
    """

    where: str
    ids: list[str]
    titles: list[str] | None = None
    features: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


@dataclass
class Tags:
    """Tags that people gave to items, one entry for each time; ids as written."""

    where: str
    item_ids: Sequence[str] | NDArray[np.int64]
    tags: Iterable[str]


@dataclass
class Origin:
    """What a source says besides its ratings, and what becomes of them.

    Attributes
    ----------
    where : str
        The file of ratings, for messages.
    name : str
        Name of the data set.
    duplicates : {"refuse", "keep_last", "keep_first", "mean"}
        Rows of one (user, item) pair: refuse them, keep the last or first by timestamp (of equal timestamps the
        higher or lower rating), or keep one row with their mean rating and their last timestamp.
    scale : RatingScale or None
        What a person can give; None if nothing is declared.
    dropped : dict of str to int
        Filled with rows left out, by reason.
    items, users : Facts or None
        What is known of items and users; those without ratings enter the catalogue too.
    tags : Tags or None
        Tags of items, which become ``item_features["tags"]``.
    """

    where: str
    name: str = "ratings"
    duplicates: str = "refuse"
    scale: RatingScale | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    items: Facts | None = None
    users: Facts | None = None
    tags: Tags | None = None
