"""Ratings from delimited text: a fast reader for clean files, and a careful one that counts what is wrong."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np

from mfx.columns import Rounding
from mfx.data.careful import read_carefully, with_kinds_of_ids
from mfx.data.fields import LARGEST
from mfx.data.ids import integers_spelled
from mfx.data.layout import Layout, id_kind, readable, rows_of
from mfx.data.pieces import Sink
from mfx.data.raw import IdColumn, RawRatings, Rejected
from mfx.errors import DataError
from mfx.interfaces import AnyArray, PointerArray, RatingScale
from mfx.quoting import Opener, Quotes, read_with_quotes
from mfx.timestamps import PER_SECOND, BadTime, TimeUnit, divided, of_decimals, unrepresentable

_BLOCK = 8 << 20


class _NotClean(Exception):
    """The fast reader met something that the careful one has to look at."""


def read_ratings(opener: Opener, layout: Layout, where: str, on_bad_rows: str, sink: Sink) -> Rejected:
    """Read a file of ratings, piece by piece.

    Parameters
    ----------
    opener : callable
        Opens the file from its beginning; called more than once.
    layout : Layout
        How the file is written.
    where : str
        Name of the file for messages.
    on_bad_rows : {"refuse", "drop"}
        What happens to rows that cannot be used.
    sink : Sink
        Takes the pieces, in the order of the file; none has more than a block of it.

    Returns
    -------
    Rejected
        Rows left out.

    Raises
    ------
    DataError
        If a column is missing, no row is left, the meaning of a quote is not clear, or a row cannot be used and
        `on_bad_rows` is "refuse".
    """

    def read(opener: Opener, quotes: Quotes) -> Rejected:
        return _read(opener, replace(layout, quotes=quotes), where, on_bad_rows, sink)

    return read_with_quotes(
        opener,
        read,
        quoting=layout.quoting,
        separator=layout.separator,
        where=where,
        setting=layout.quoting_setting,
        n_fields=len(layout.columns) or None,
    )


def _read(opener: Opener, layout: Layout, where: str, on_bad_rows: str, sink: Sink) -> Rejected:
    """Read a file whose quotes are understood: the fast way, or else line by line."""
    names, sample = _names(opener, layout, where)
    if len(sample) == len(names) and not layout.quotes.multiline:  # the fast reader counts records, not lines
        field = dict(zip(names, sample, strict=True))
        guessed = replace(
            layout,
            user_ids=id_kind(layout.user_ids, field[layout.user]),
            item_ids=id_kind(layout.item_ids, field[layout.item]),
        )
        fast = _Fast(opener, layout, field, where, sink)
        # Most ids are short, and reading them so takes a quarter less time; as labels they may have any spelling.
        ways = list(_Ids)
        if (guessed.user_ids, guessed.item_ids) == ("text", "text"):
            ways = ways[2:]
        if any(fast.is_read(guessed, way) for way in ways):
            return Rejected()
        with readable(where):
            layout = with_kinds_of_ids(opener, layout, names)
        if layout != guessed and fast.is_read(layout, _Ids.LABELS):
            return Rejected()
    sink.restart()
    with readable(where):
        return read_carefully(opener, layout, names, where, on_bad_rows, sink)


def _names(opener: Opener, layout: Layout, where: str) -> tuple[list[str], list[str]]:
    """Return the column names and the first row of data."""
    with opener() as stream, readable(where):
        rows = rows_of(stream, layout.separator, layout.quotes)
        names = list(layout.columns) or next((row for _, row in rows), [])
        sample = next((row for _, row in rows), [])
    if not names:
        raise DataError(f"{where} is empty.", "Check that it is the file you meant.")
    layout.check_columns(names, where)
    if not sample:
        raise DataError(f"{where} holds no ratings.", "Check that it is the file you meant.")
    return names, sample


class _Ids(enum.Enum):
    """How the fast reader reads integer ids."""

    INT32 = enum.auto()
    INT64 = enum.auto()
    LABELS = enum.auto()


@dataclass(frozen=True)
class _Fast:
    """The fast reader of one file; `field` is its first row by column, and kinds of ids in `asked` may be "auto"."""

    opener: Opener
    asked: Layout
    field: dict[str, str]
    where: str
    sink: Sink

    def is_read(self, layout: Layout, ids: _Ids) -> bool:
        """Read the file, with kinds of ids as in the layout; return whether it could be read so."""
        self.sink.restart()
        kinds = (
            (layout.user, layout.user_ids, self.asked.user_ids),
            (layout.item, layout.item_ids, self.asked.item_ids),
        )
        guessed = {column for column, kind, setting in kinds if kind == "integer" and setting == "auto"}
        rounding = Rounding()
        try:
            with self.opener() as stream:
                _read_fast(stream, layout, self.field, ids, guessed, self.sink, rounding)
        except _NotClean:
            return False
        rounding.report(self.where, "line")
        return True


def _read_fast(
    stream: IO[bytes],
    layout: Layout,
    field: dict[str, str],
    ids: _Ids,
    guessed: set[str],
    sink: Sink,
    rounding: Rounding,
) -> None:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    integer = {_Ids.INT32: pa.int32(), _Ids.INT64: pa.int64(), _Ids.LABELS: pa.string()}[ids]
    kinds = {layout.user: layout.user_ids, layout.item: layout.item_ids}
    types: dict[str, Any] = {column: pa.string() if kind == "text" else integer for column, kind in kinds.items()}
    types[layout.rating] = pa.float64()  # as the careful reader reads them, and to see what float32 will round
    if layout.timestamp is not None:
        types[layout.timestamp] = _time_type(field[layout.timestamp], layout.unit)
    double = layout.separator == "::"
    watched = _Watched(stream, layout.separator, spellings=bool(guessed) and ids is not _Ids.LABELS)
    try:
        batches = pacsv.open_csv(
            _OneColon(watched) if double else watched,
            read_options=pacsv.ReadOptions(block_size=_BLOCK, column_names=list(layout.columns) or None),
            parse_options=pacsv.ParseOptions(
                delimiter=_OneColon.SEPARATOR if double else layout.separator,
                quote_char='"' if layout.quotes.around_fields else False,
                ignore_empty_lines=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=layout.wanted, null_values=[""], strings_can_be_null=True
            ),
        )
        first_line = line = 1 if layout.columns else 2
        for batch in batches:
            if batch.num_rows:
                sink.add(_piece(batch, layout, guessed, line, rounding))
                line += batch.num_rows
    except (pa.ArrowInvalid, UnicodeDecodeError, BadTime) as error:
        raise _NotClean from error
    if line == first_line or watched.unlike_arrow:
        raise _NotClean


def _piece(batch: Any, layout: Layout, guessed: set[str], first_line: int, rounding: Rounding) -> RawRatings:
    if any(column.null_count for column in batch.columns):
        raise _NotClean
    users = _id_column(batch.columns[0], layout.user_ids, layout.user in guessed)
    items = _id_column(batch.columns[1], layout.item_ids, layout.item in guessed)
    values = np.asarray(batch.columns[2])
    _check_ratings(values, layout.scale)
    ratings = rounding.to_float32(values, lambda row: first_line + row)
    if layout.timestamp is None:
        return RawRatings(users, items, ratings, None, first_line=first_line)
    times, time_unit = _times(batch.columns[3], layout.unit)
    return RawRatings(users, items, ratings, times, first_line=first_line, time_unit=time_unit)


def _id_column(column: Any, kind: str, guessed: bool) -> IdColumn:
    """Return ids that were read as numbers or as text; `guessed` integers must be spelled as such."""
    import pyarrow as pa

    if not pa.types.is_string(column.type):
        return IdColumn(np.asarray(column))
    encoded = column.dictionary_encode()
    codes = np.asarray(encoded.indices)
    if kind == "text":
        labels = [label.strip() for label in encoded.dictionary.to_pylist()]
        if "" in labels:
            raise _NotClean
        return IdColumn(codes, labels)
    numbers, spelled = integers_spelled(encoded.dictionary, plainly=guessed)
    if not spelled.all():
        raise _NotClean
    return IdColumn(numbers[codes])


def _check_ratings(values: AnyArray, scale: RatingScale | None) -> None:
    outside = scale is not None and values.size and (values.min() < scale.low or values.max() > scale.high)
    if outside or not (np.abs(values) <= LARGEST).all():
        raise _NotClean


def _time_type(sample: str, unit: str) -> Any:
    """Return the Arrow type that holds timestamps like the first one exactly; another one makes the file not clean."""
    import pyarrow as pa

    if unit == "iso":
        return pa.timestamp("us" if len(sample.strip()) <= len("2005-04-02T23:53:47.123456") else "ns")
    digits = len(str(PER_SECOND["ns"] // PER_SECOND[unit])) - 1
    return pa.decimal128(38, digits) if "." in sample else pa.int64()


def _times(values: Any, unit: Any) -> tuple[PointerArray, TimeUnit]:
    import pyarrow as pa

    decimal = pa.types.is_decimal(values.type)
    times = of_decimals(values) if decimal else np.asarray(values.cast(pa.int64()))
    time_unit: TimeUnit = "ns" if decimal else values.type.unit if unit == "iso" else unit
    if any(rows.any() for _, rows in unrepresentable(*divided(times, time_unit))):
        raise _NotClean
    return times, time_unit


class _Watched:
    """A stream that notes what the fast reader would read otherwise than the careful one.

    The fast reader takes 0x10 for the integer 16, and 007 and -0 for 7 and 0, although in a column of guessed kind
    such `spellings` mean that ids are text. Other columns may set off the note too; that costs time only.
    """

    def __init__(self, stream: IO[bytes], separator: str, *, spellings: bool) -> None:
        self._stream, self._spellings = stream, spellings
        self._starts = np.zeros(256, np.bool_)
        self._starts[list(b'\r\n\t "+-' + separator.encode()[-1:])] = True
        self._last = b"\n"
        self.closed = False
        self.unlike_arrow = False

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if not self.unlike_arrow:
            joint = self._last + (block or b"\n")
            self.unlike_arrow = _has_hexadecimal(joint) or (self._spellings and self._has_zeros(joint))
            self._last = joint[-2:]
        return block

    def _has_zeros(self, text: bytes) -> bool:
        """Whether a number begins with a zero and another digit, or is -0."""
        codes = np.frombuffer(text, np.uint8)
        before, here, after = codes[:-2], codes[1:-1], codes[2:]
        odd = after - np.uint8(ord("0")) <= 9  # unsigned, so that everything else is above 9
        if b"-0" in text:
            odd |= (before == ord("-")) & (after != ord("."))
        odd &= here == ord("0")
        odd &= before - np.uint8(ord("0")) > 9
        return bool(odd.any() and self._starts[before[odd]].any())

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _has_hexadecimal(text: bytes) -> bool:
    # A single character is found many times as fast as two.
    return (b"x" in text and b"0x" in text) or (b"X" in text and b"0X" in text)


class _OneColon:
    """A stream in which each "::" is one control character, because the fast reader knows separators of one only."""

    SEPARATOR = "\x1f"

    def __init__(self, stream: _Watched) -> None:
        self._stream = stream
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size if size < 2 else size - 1)
        if block.endswith(b":"):
            block += self._stream.read(1)
        return block.replace(b"::", b"\x1f")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
