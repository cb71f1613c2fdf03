"""The careful reader of delimited text: line by line, counting what is wrong."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np

from mfx.columns import Rounding
from mfx.data.fields import BadField, parse_id, parse_rating, parse_time
from mfx.data.layout import Layout, id_kind, rows_of
from mfx.data.pieces import Sink
from mfx.data.raw import IdColumn, RawRatings, Rejected, joined_times
from mfx.quoting import Opener

_PIECE = 1 << 17
"""Rows of a piece."""


def read_carefully(
    opener: Opener, layout: Layout, names: list[str], where: str, on_bad_rows: str, sink: Sink
) -> Rejected:
    """Read line by line, count what cannot be used, and settle it; as `mfx.data.delimited.read_ratings`."""
    at = [names.index(column) for column in layout.wanted]
    layout = with_kinds_of_ids(opener, layout, names)
    integers = [kind == "integer" for kind in (layout.user_ids, layout.item_ids)]
    rounding, rejected, rows = Rounding(), Rejected(), 0
    piece = _Piece(layout, integers, rounding)
    with opener() as stream:
        lines_of_data = rows_of(stream, layout.separator, layout.quotes)
        if not layout.columns:
            next(lines_of_data)
        for number, row in lines_of_data:
            rows += 1
            try:
                if len(row) != len(names):
                    raise BadField("wrong number of fields")
                user = parse_id(row[at[0]], integers[0], "user id")
                item = parse_id(row[at[1]], integers[1], "item id")
                value = parse_rating(row[at[2]], layout.scale)
                time = (0, 0) if layout.timestamp is None else parse_time(row[at[3]], layout.unit)
            except BadField as problem:
                rejected.add(str(problem), number, layout.separator.join(row))
                continue
            piece.add(user, item, value, time, number)
            if len(piece) == _PIECE:
                sink.add(piece.finished(where))
                piece = _Piece(layout, integers, rounding)
    rejected.settle(where, rows, "line", on_bad_rows)
    if len(piece):
        sink.add(piece.finished(where))
    rounding.report(where, "line")
    return rejected


def with_kinds_of_ids(opener: Opener, layout: Layout, names: list[str]) -> Layout:
    """Return the layout with "integer" or "text" for each column of ids that is "auto", after a look at all rows."""

    def kind(setting: str, column: str) -> str:
        if setting != "auto":
            return setting
        with opener() as stream:
            rows = rows_of(stream, layout.separator, layout.quotes)
            if not layout.columns:
                next(rows)
            place = names.index(column)
            present = (row[place] for _, row in rows if len(row) > place and row[place].strip())
            return "integer" if all(id_kind("auto", raw) == "integer" for raw in present) else "text"

    return replace(layout, user_ids=kind(layout.user_ids, layout.user), item_ids=kind(layout.item_ids, layout.item))


class _Piece:
    """Rows gathered one by one."""

    def __init__(self, layout: Layout, integers: list[bool], rounding: Rounding) -> None:
        self._rounding = rounding
        self._timed = layout.timestamp is not None
        self._users, self._items = (_CarefulIds(integer) for integer in integers)
        self._values, self._lines = array("d"), array("q")
        self._seconds, self._nanoseconds = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._values)

    def add(self, user: int | str, item: int | str, value: float, time: tuple[int, int], line: int) -> None:
        self._users.add(user)
        self._items.add(item)
        self._values.append(value)
        self._seconds.append(time[0])
        self._nanoseconds.append(time[1])
        self._lines.append(line)

    def finished(self, where: str) -> RawRatings:
        lines = np.array(self._lines, dtype=np.int64)
        times, time_unit = joined_times(np.array(self._seconds), np.array(self._nanoseconds), lines.item, "line", where)
        return RawRatings(
            users=self._users.column(),
            items=self._items.column(),
            values=self._rounding.to_float32(np.array(self._values), self._lines.__getitem__),
            timestamps=times if self._timed else None,
            lines=lines,
            time_unit=time_unit,
        )


class _CarefulIds:
    """Ids of one column, gathered one by one."""

    def __init__(self, integer: bool) -> None:
        self.integer = integer
        self._codes = array("q")
        self._labels: dict[str, int] = {}

    def add(self, raw: int | str) -> None:
        self._codes.append(raw if isinstance(raw, int) else self._labels.setdefault(raw, len(self._labels)))

    def column(self) -> IdColumn:
        return IdColumn(np.array(self._codes, dtype=np.int64), None if self.integer else list(self._labels))
