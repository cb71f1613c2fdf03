"""The careful reader of delimited text: line by line, counting what is wrong."""

from __future__ import annotations

from array import array

import numpy as np

from mfx.data.fields import BadField, parse_id, parse_rating, parse_time
from mfx.data.layout import Layout, Opener, id_kind, rows_of
from mfx.data.raw import IdColumn, RawRatings, Rejected
from mfx.errors import DataError


def read_carefully(
    opener: Opener, layout: Layout, names: list[str], where: str, on_bad_rows: str
) -> tuple[RawRatings, Rejected]:
    """Read line by line, count what cannot be used, and settle it; as `mfx.data.delimited.read_ratings`."""
    at = [names.index(column) for column in layout.wanted]
    users, items = (
        _CarefulIds(_all_kind(opener, layout, place, setting))
        for place, setting in ((at[0], layout.user_ids), (at[1], layout.item_ids))
    )
    values, times, lines, rejected, rows = array("f"), array("q"), array("q"), Rejected(), 0
    with opener() as stream:
        lines_of_data = rows_of(stream, layout)
        if not layout.columns:
            next(lines_of_data)
        for number, row in lines_of_data:
            rows += 1
            try:
                if len(row) != len(names):
                    raise BadField("wrong number of fields")
                user = parse_id(row[at[0]], users.integer, "user id")
                item = parse_id(row[at[1]], items.integer, "item id")
                value = parse_rating(row[at[2]], layout.scale)
                time = 0 if layout.timestamp is None else parse_time(row[at[3]], layout.unit)
            except BadField as problem:
                rejected.add(str(problem), number, layout.separator.join(row))
                continue
            users.add(user)
            items.add(item)
            values.append(value)
            times.append(time)
            lines.append(number)
    rejected.settle(where, rows, "line", on_bad_rows)
    if not values:
        raise DataError(f"{where} holds no usable ratings.", "Check that it is the file you meant.")
    raw = RawRatings(
        users=users.column(),
        items=items.column(),
        values=np.array(values, dtype=np.float32),
        timestamps=None if layout.timestamp is None else np.array(times, dtype=np.int64),
        lines=np.array(lines, dtype=np.int64),
    )
    return raw, rejected


def _all_kind(opener: Opener, layout: Layout, place: int, setting: str) -> bool:
    """Whether a column of ids is one of integers."""
    if setting != "auto":
        return setting == "integer"
    with opener() as stream:
        rows = rows_of(stream, layout)
        if not layout.columns:
            next(rows)
        present = (row[place] for _, row in rows if len(row) > place and row[place].strip())
        return all(id_kind("auto", field) == "integer" for field in present)


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
