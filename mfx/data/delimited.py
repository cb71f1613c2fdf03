"""Ratings from delimited text: a fast reader for clean files, and a careful one that counts what is wrong."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from mfx.columns import Rounding
from mfx.data.careful import read_carefully
from mfx.data.fields import LARGEST
from mfx.data.layout import Layout, Opener, id_kind, readable, rows_of
from mfx.data.pieces import Sink
from mfx.data.raw import IdColumn, RawRatings, Rejected
from mfx.errors import DataError
from mfx.interfaces import AnyArray, PointerArray, RatingScale
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
        If a column is missing, no row is left, or a row cannot be used and `on_bad_rows` is "refuse".
    """
    names, sample = _names(opener, layout, where)
    for id_bits in (32, 64):  # most ids are short, and reading them so takes a quarter less time
        sink.restart()
        rounding = Rounding()
        try:
            with opener() as stream:
                _read_fast(stream, layout, names, sample, id_bits, sink, rounding)
            rounding.report(where, "line")
            return Rejected()
        except _NotClean:
            pass
    sink.restart()
    with readable(where):
        return read_carefully(opener, layout, names, where, on_bad_rows, sink)


def _names(opener: Opener, layout: Layout, where: str) -> tuple[list[str], list[str]]:
    """Return the column names and the first row of data."""
    with opener() as stream, readable(where):
        rows = rows_of(stream, layout)
        names = list(layout.columns) or next((row for _, row in rows), [])
        sample = next((row for _, row in rows), [])
    if not names:
        raise DataError(f"{where} is empty.", "Check that it is the file you meant.")
    layout.check_columns(names, where)
    if not sample:
        raise DataError(f"{where} holds no ratings.", "Check that it is the file you meant.")
    return names, sample


def _read_fast(
    stream: IO[bytes],
    layout: Layout,
    names: list[str],
    sample: list[str],
    id_bits: int,
    sink: Sink,
    rounding: Rounding,
) -> None:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    if len(sample) != len(names):
        raise _NotClean
    field = dict(zip(names, sample, strict=True))
    text = {
        column: id_kind(kind, field[column]) == "text"
        for column, kind in ((layout.user, layout.user_ids), (layout.item, layout.item_ids))
    }
    integer = pa.int32() if id_bits == 32 else pa.int64()
    types: dict[str, Any] = {name: pa.string() if is_text else integer for name, is_text in text.items()}
    types[layout.rating] = pa.float64()  # as the careful reader reads them, and to see what float32 will round
    if layout.timestamp is not None:
        types[layout.timestamp] = _time_type(field[layout.timestamp], layout.unit)
    double, watched = layout.separator == "::", _Watched(stream)
    try:
        batches = pacsv.open_csv(
            _OneColon(watched) if double else watched,
            read_options=pacsv.ReadOptions(block_size=_BLOCK, column_names=list(layout.columns) or None),
            parse_options=pacsv.ParseOptions(
                delimiter=_OneColon.SEPARATOR if double else layout.separator,
                quote_char='"' if layout.quoting else False,
                ignore_empty_lines=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=layout.wanted, null_values=[""], strings_can_be_null=True
            ),
        )
        first_line = line = 1 if layout.columns else 2
        for batch in batches:
            if batch.num_rows:
                sink.add(_piece(batch, layout, line, rounding))
                line += batch.num_rows
    except (pa.ArrowInvalid, UnicodeDecodeError, BadTime) as error:
        raise _NotClean from error
    if line == first_line or watched.hexadecimal:
        raise _NotClean


def _piece(batch: Any, layout: Layout, first_line: int, rounding: Rounding) -> RawRatings:
    import pyarrow as pa

    if any(column.null_count for column in batch.columns):
        raise _NotClean
    users, items = (
        _labelled(column) if pa.types.is_string(column.type) else IdColumn(np.asarray(column))
        for column in batch.columns[:2]
    )
    values = np.asarray(batch.columns[2])
    _check_ratings(values, layout.scale)
    ratings = rounding.to_float32(values, lambda row: first_line + row)
    if layout.timestamp is None:
        return RawRatings(users, items, ratings, None, first_line=first_line)
    times, time_unit = _times(batch.columns[3], layout.unit)
    return RawRatings(users, items, ratings, times, first_line=first_line, time_unit=time_unit)


def _labelled(column: Any) -> IdColumn:
    encoded = column.dictionary_encode()
    labels = [label.strip() for label in encoded.dictionary.to_pylist()]
    if "" in labels:
        raise _NotClean
    return IdColumn(np.asarray(encoded.indices), labels)


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
    """A stream that notes whether 0x stands in it: the fast reader takes 0x10 for the integer 16."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._last = b""
        self.closed = False
        self.hexadecimal = False

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if not self.hexadecimal:
            joint = self._last + block[:1]
            self.hexadecimal = any(mark in text for mark in (b"0x", b"0X") for text in (block, joint))
        self._last = block[-1:]
        return block

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


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
