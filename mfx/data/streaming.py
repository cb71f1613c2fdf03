"""From any data set to parts, without holding all ratings where the data set can be read piece by piece.

Pieces go to a scratch file while ids are gathered. When all ids are known, each rating goes to the scratch file of its
part; then part by part is put in order and written. In memory are ids, facts, counts of users, and a piece or a part.
On disk, a rating takes 48 bytes of scratch files as a rule, 64 at the most, in the draft of what is written.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mfx.data.canonical import Repeats, Rows, put_in_order
from mfx.data.catalogue import catalogue_of
from mfx.data.ids import DistinctIds, Index, ids_of_facts
from mfx.data.partitioned import AGAIN, InParts, Parts, part_name
from mfx.data.parts_writer import PartsWriter, cut, part_bounds, partition
from mfx.data.pieces import InPieces, Kind, narrowed
from mfx.data.raw import Origin, RawRatings, in_common_unit
from mfx.data.scratch import Divided, PieceFile
from mfx.errors import DataError
from mfx.interfaces import AnyArray, Dataset, PointerArray, Ratings, RatingScale
from mfx.timestamps import TimeUnit, coarsened, finest

_RECORD = (("user", "<i4"), ("item", "<i4"), ("rating", "<f4"), ("line", "<i8"), ("timestamp", "<i8"))

OnStep: TypeAlias = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and of how many (None where nobody knows)."""


def partition_dataset(dataset: Dataset, folder: Path, n_parts: int, on_step: OnStep) -> Parts:
    """Write a data set in parts of whole users, each of about as many ratings.

    A data set that is `InParts` or `InPieces` is read so; any other one is loaded first. The parts are the same.

    Parameters
    ----------
    dataset : Dataset
        Any data set.
    folder : pathlib.Path
        Where; it appears when everything is written.
    n_parts : int
        How many parts are wanted; there are fewer where single users have more than their share.
    on_step : callable
        Told how far it is.

    Raises
    ------
    DataError
        If there is something in that place already, it cannot be written, or the data set cannot be read.
    """
    with PartsWriter(folder) as writer:
        if isinstance(dataset, InParts):
            return _from_parts(dataset.parts(), writer, n_parts, on_step)
        if isinstance(dataset, InPieces):
            return _from_pieces(dataset, writer, n_parts, on_step)
    on_step("reading the whole data set", 0, None)
    ratings = dataset.load()
    on_step("writing parts", 0, None)
    return partition(ratings, folder, n_parts, getattr(dataset, "dropped_", {}))


def _from_parts(parts: Parts, writer: PartsWriter, n_parts: int, on_step: OnStep) -> Parts:
    """Cut parts anew."""
    from mfx.data.ordering import in_order

    counts, timed = np.zeros(parts.empty.n_users, np.int64), []
    for number in range(len(parts)):
        on_step("counting part", number + 1, len(parts))
        users, items, _, times = parts.read(number)
        if not in_order(users, items):
            raise DataError(f"{parts.folder / part_name(number)} is not the file that was written.", AGAIN)
        counts += np.bincount(users, minlength=counts.size)
        timed.append(times is not None)
    parts.check_timed(timed)
    indptr = _indptr(counts)
    bounds = part_bounds(indptr, n_parts)
    old = (parts.read(number) for number in range(len(parts)))
    for number, columns in enumerate(cut(old, np.diff(indptr[bounds])), 1):
        on_step("writing part", number, bounds.size - 1)
        writer.add(columns)
    return writer.finish(parts.empty, bounds, parts.dropped, expected=parts)


def _from_pieces(dataset: InPieces, writer: PartsWriter, n_parts: int, on_step: OnStep) -> Parts:
    """Divide pieces among parts, and settle part by part."""
    spill = _Spill(writer, on_step)
    origin = dataset.read_into(spill, {})
    if not spill.n_ratings:
        raise DataError(f"{origin.where} holds no ratings.", "Check that it is the source you meant.")
    users = spill.users.index(ids_of_facts(origin.users, spill.users.example, "user"))
    items = spill.items.index(ids_of_facts(origin.items, spill.items.example, "item"))
    bounds = part_bounds(_indptr(spill.counts(users)), n_parts)
    divided = _divide(spill, (users, items), bounds, origin.where, on_step)
    ids = users.known, items.known
    written = _write(divided, ids, bounds, (origin, spill.unit), writer, on_step)
    if written.repeats.extra:
        # Fewer ratings of some users may mean other parts.
        indptr = _indptr(written.counts)
        before, bounds = bounds, part_bounds(indptr, n_parts)
        if not np.array_equal(before, bounds):
            on_step("cutting parts again", 0, None)
            writer.cut_again(before, items.known.size, np.diff(indptr[bounds]))
    empty = Ratings(
        users=np.empty(0, np.int32),
        items=np.empty(0, np.int32),
        values=np.empty(0, np.float32),
        timestamps=np.empty(0, np.int64) if spill.timed else None,
        catalogue=catalogue_of(*ids, (users.rated, items.rated), origin),
        scale=origin.scale or RatingScale(written.low, written.high),
        name=origin.name,
        time_unit=spill.time_unit,
    )
    return writer.finish(empty, bounds, origin.dropped)


class _Spill:
    """A sink that keeps pieces in a scratch file and their ids in memory."""

    def __init__(self, writer: PartsWriter, on_step: OnStep) -> None:
        self.writer, self._on_step = writer, on_step
        self.file = PieceFile(writer.scratch / "pieces")
        self.restart()

    def restart(self) -> None:
        with self.writer.writable():
            self.file.clear()
        self._kind = Kind()
        self.users, self.items = DistinctIds(), DistinctIds()
        self.n_ratings, self.timed, self.unit = 0, False, "line"
        self.time_units: list[TimeUnit] = []

    def add(self, piece: RawRatings) -> None:
        self._kind.check(piece)
        rows, first = piece.values.size, piece.first_line
        lines = np.arange(first, first + rows) if piece.lines is None else piece.lines
        times = []
        if piece.timestamps is not None:
            coarse, time_unit = coarsened(piece.timestamps, piece.time_unit)
            times.append(narrowed(coarse))
            self.time_units.append(time_unit)
        codes = [self.users.add(piece.users), self.items.add(piece.items)]
        with self.writer.writable():
            self.file.append([*codes, piece.values, narrowed(lines), *times])
        self.n_ratings += rows
        self.timed, self.unit = bool(times), piece.unit
        self._on_step(f"reading, {self.n_ratings:,} ratings", 0, None)

    @property
    def time_unit(self) -> TimeUnit:
        """The coarsest unit that loses nothing of any timestamp."""
        return finest(self.time_units)

    def counts(self, users: Index) -> PointerArray:
        """Count the rows of each user."""
        counts = np.zeros(users.known.size, np.int64)
        for (codes,) in self.file.read(1):
            counts += np.bincount(users.of(codes), minlength=counts.size)
        return counts


def _divide(spill: _Spill, ids: tuple[Index, Index], bounds: PointerArray, where: str, on_step: OnStep) -> Divided:
    """Write each row, with indices for ids and times in one unit, to the file of its part; remove that of pieces."""
    users, items = ids
    record = np.dtype([(name, dtype) for name, dtype in _RECORD if spill.timed or name != "timestamp"])
    divided = Divided(spill.writer.scratch, record, bounds.size - 1)
    for number, (user, item, values, lines, *times) in enumerate(spill.file.read(), 1):
        on_step("dividing ratings among parts", number, len(spill.file))
        records = np.empty(values.size, record)
        records["user"], records["item"] = users.of(user), items.of(item)
        records["rating"], records["line"] = values, lines
        if times:
            own = times[0].astype(np.int64, copy=False), spill.time_units[number - 1]
            records["timestamp"] = in_common_unit(*own, spill.time_unit, lines.item, spill.unit, where)
        with spill.writer.writable():
            divided.add(records, np.searchsorted(bounds, records["user"], side="right") - 1)
    spill.file.clear()
    return divided


@dataclass
class _Written:
    """What was written: repeated pairs, ratings of each user, and the smallest and largest rating."""

    repeats: Repeats
    counts: PointerArray
    low: float = math.inf
    high: float = -math.inf


def _write(
    divided: Divided,
    ids: tuple[AnyArray, AnyArray],
    bounds: PointerArray,
    source: tuple[Origin, str],
    writer: PartsWriter,
    on_step: OnStep,
) -> _Written:
    """Put part by part in order and write it, as long as no pair is to be refused."""
    origin, unit = source
    written = _Written(Repeats(), np.zeros(ids[0].size, np.int64))
    timed = False
    for number, (start, stop) in enumerate(itertools.pairwise(bounds.tolist())):
        on_step("writing part", number + 1, bounds.size - 1)
        records = divided.take(number)
        columns = {name: np.ascontiguousarray(records[name]) for name in records.dtype.names or ()}
        del records
        lines, timed = columns.pop("line"), "timestamp" in columns
        rows = Rows(columns.pop("user"), columns.pop("item"), columns.pop("rating"), columns.pop("timestamp", None))
        put_in_order(rows, range(start, stop), ids[1].size, lines.item, origin.duplicates, written.repeats)
        written.counts[start:stop] = np.bincount(rows.users - start, minlength=stop - start)
        if rows.values.size:
            written.low = min(written.low, float(rows.values.min()))
            written.high = max(written.high, float(rows.values.max()))
        if not (written.repeats.extra and origin.duplicates == "refuse"):
            writer.add((rows.users, rows.items, rows.values, rows.timestamps))
    written.repeats.settle(origin, unit, timed, ids)
    return written


def _indptr(counts: PointerArray) -> PointerArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
