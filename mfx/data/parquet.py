"""Ratings from Parquet: columns that are typed already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.columns import Rounding
from mfx.data.fields import off_scale
from mfx.data.ids import integers_spelled
from mfx.data.pieces import Sink
from mfx.data.raw import IdColumn, RawRatings, Rejected, joined_times
from mfx.errors import DataError
from mfx.interfaces import AnyArray, BoolArray, PointerArray
from mfx.timestamps import TimeUnit, of_arrow

if TYPE_CHECKING:
    from mfx.data.layout import Layout

_LARGEST = np.uint64(2**63 - 1)
_PIECE = 1 << 18
"""Rows of a piece."""
_BUFFER = 1 << 20
"""Bytes of a column that are read at once."""


class _OtherThanIntegers(Exception):
    """Ids that were taken for integers, because so far all of them were, are text."""


def read_parquet(path: Path, layout: Layout, on_bad_rows: str, sink: Sink) -> Rejected:
    """Read a Parquet file of ratings, piece by piece.

    Rows are counted from 1. Missing values are null; ids stored as floating point (as pandas does beside missing
    ones) count as integers if they are whole, and have no decimals when they are read as text.

    Raises
    ------
    DataError
        As `mfx.data.delimited.read_ratings`.
    """
    kinds = [layout.user_ids, layout.item_ids]
    while True:
        sink.restart()
        try:
            return _read(path, layout, kinds, on_bad_rows, sink)
        except _OtherThanIntegers:
            continue  # with that column as text, so at most twice


def _read(path: Path, layout: Layout, kinds: list[str], on_bad_rows: str, sink: Sink) -> Rejected:
    rounding, rejected, rows = Rounding(), Rejected(), 0
    for table in _tables(path, layout):
        problems: list[tuple[str, BoolArray]] = []
        ids = []
        for number, (column, what) in enumerate(((layout.user, "user id"), (layout.item, "item id"))):
            _check_ids(table[column].type, column, path)
            ids.append(_ids(table[column], kinds[number], what, problems))
            if kinds[number] == "auto" and not isinstance(ids[-1], np.ndarray):
                kinds[number] = "text"
                if rows:
                    raise _OtherThanIntegers
        values = _ratings(table[layout.rating], layout, path, problems)
        moments = None
        if layout.timestamp is not None:
            *moments, found = of_arrow(table[layout.timestamp], layout.unit)
            problems += found
        good = np.flatnonzero(~_reject(table, layout, problems, rows, rejected))
        if good.size:
            every = good.size == table.num_rows
            lines = good + rows + 1
            times: PointerArray | None = None
            time_unit: TimeUnit = "s"
            if moments is not None:
                seconds, nanoseconds = (column[good] for column in moments)
                times, time_unit = joined_times(seconds, nanoseconds, lines.item, "row", str(path))
            sink.add(
                RawRatings(
                    users=_column(ids[0], good),
                    items=_column(ids[1], good),
                    values=rounding.to_float32(values if every else values[good], lines.item),
                    timestamps=times,
                    lines=None if every else lines,
                    first_line=rows + 1,
                    unit="row",
                    time_unit=time_unit,
                )
            )
        rows += table.num_rows
    if not rows:
        raise DataError(f"{path} holds no ratings.", "Check that it is the file you meant.")
    rejected.settle(str(path), rows, "row", on_bad_rows)
    rounding.report(str(path), "row")
    return rejected


def _tables(path: Path, layout: Layout) -> Iterator[Any]:
    """Yield the wanted columns of some rows after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Unbuffered, Arrow reads columns of a row group whole; with its own buffers, the default, it keeps them all.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
            layout.check_columns(file.schema_arrow.names, str(path))
            batches = file.iter_batches(_PIECE, columns=list(layout.wanted))
            while (batch := next(batches, None)) is not None:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # OSError: headers of pages that are damaged
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no whole Parquet file ({reason}).", "Check or rewrite the file.") from error


def _reject(
    table: Any, layout: Layout, problems: list[tuple[str, BoolArray]], rows_before: int, rejected: Rejected
) -> BoolArray:
    """Count the rows that have a problem, each for its first one, and return which they are."""
    bad = np.zeros(table.num_rows, np.bool_)
    for reason, mask in problems:
        new = mask & ~bad
        if new.any():
            first = int(np.argmax(new))
            text = ",".join(_written(table[column][first]) for column in layout.wanted)
            rejected.add(reason, rows_before + first + 1, text, int(new.sum()))
            bad |= new
    return bad


def _written(scalar: Any) -> str:
    """Write a value for people; a date that Python does not have as the number that it is stored as."""
    try:
        return str(scalar) if scalar.is_valid else ""
    except (OverflowError, ValueError):
        return str(scalar.value)


def _missing(column: Any) -> BoolArray:
    return np.asarray(column.is_null())


def _check_ids(kind: Any, column: str, path: Path) -> None:
    """Refuse a column of a type that no id has."""
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    if not (text or pa.types.is_integer(value) or pa.types.is_floating(value)):
        raise DataError(f"{path}: column '{column}' is {kind}, not ids.", "Write the ids as integers or text.")


def _ids(column: Any, setting: str, what: str, problems: list[tuple[str, BoolArray]]) -> Any:
    """Return an int64 array, or a chunked array of text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    missing = _missing(column)
    problems.append((f"missing {what}", missing))
    if pa.types.is_floating(column.type):
        numbers = np.asarray(column.fill_null(0.0))
        whole = np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < 2**53)
        problems.append((f"{what} is no integer", ~whole))
        column = pa.chunked_array([pa.array(np.where(whole, numbers, 0).astype(np.int64))])
    if pa.types.is_integer(column.type) and setting != "text":
        numbers = np.asarray(column.fill_null(0))
        if numbers.dtype == np.uint64:
            problems.append((f"{what} is beyond 64 bits with a sign", numbers > _LARGEST))
        return numbers.astype(np.int64, copy=False)
    text = pc.utf8_trim_whitespace(column.cast(pa.string()).fill_null(""))
    absent = np.asarray(pc.equal(text, ""))
    problems.append((f"missing {what}", absent & ~missing))
    if setting == "text":
        return text
    encoded = text.combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)
    numbers, spelled = integers_spelled(encoded.dictionary, plainly=setting == "auto")
    other = ~spelled[codes] & ~absent
    if setting == "auto" and other.any():
        return text
    problems.append((f"{what} is no integer", other))
    return numbers[codes]


def _column(ids: Any, good: PointerArray) -> IdColumn:
    if isinstance(ids, np.ndarray):
        return IdColumn(ids if good.size == ids.size else ids[good])
    encoded = ids.combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)[good]
    used, index = np.unique(codes, return_inverse=True)
    return IdColumn(index.astype(np.int32), [encoded.dictionary[int(code)].as_py() for code in used])


def _ratings(column: Any, layout: Layout, path: Path, problems: list[tuple[str, BoolArray]]) -> AnyArray:
    import pyarrow as pa

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)):
        raise DataError(
            f"{path}: column '{layout.rating}' is {column.type}, not numbers.", "Write the ratings as numbers."
        )
    problems.append(("missing rating", _missing(column)))
    # Not "safe": Arrow's own check refuses integers that float64 must round, but ratings are float32 anyway.
    values = np.asarray(column.cast(pa.float64(), safe=False).fill_null(0.0))
    problems.append(("rating is not finite", ~np.isfinite(values) | (np.abs(values) > np.finfo(np.float32).max)))
    if layout.scale is not None:
        problems.append((off_scale(layout.scale), (values < layout.scale.low) | (values > layout.scale.high)))
    return values
