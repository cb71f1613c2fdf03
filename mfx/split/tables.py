"""Tables of (user, item) rows that someone published as train or test."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mfx.errors import SettingError, SplitError
from mfx.interfaces import AnyArray, DoubleArray, PointerArray
from mfx.timestamps import of_arrow

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("user_id", "item_id", "rating", "timestamp")
SKIP = "-"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one file: raw ids, and ratings and moments where the file has them.

    Moments are whole seconds since 1970-01-01 UTC and the nanoseconds beyond them.
    """

    path: Path
    user_ids: AnyArray
    item_ids: AnyArray
    ratings: DoubleArray | None
    moments: tuple[PointerArray, PointerArray] | None

    def __len__(self) -> int:
        return int(self.user_ids.size)


def check_columns(columns: Sequence[str], where: str) -> None:
    """Refuse column lists without user and item, with unknown names, or with a name twice.

    Raises
    ------
    SettingError
    """
    named = [column for column in columns if column != SKIP]
    wrong = [column for column in named if column not in COLUMNS]
    if wrong or len(set(named)) != len(named) or not {"user_id", "item_id"} <= set(named):
        raise SettingError(
            f"{where}.columns={list(columns)!r} does not name the columns of a table of ratings.",
            f"From left to right: user_id and item_id, optionally rating and timestamp, '{SKIP}' for any other.",
        )


def read_table(
    path: str,
    *,
    separator: str,
    columns: Sequence[str],
    header: bool,
    unit: str,
    user_type: AnyArray,
    item_type: AnyArray,
) -> Table:
    """Read a text table.

    Parameters
    ----------
    path : str
        File, plain text in UTF-8; may be compressed (``.gz``) when the separator is one character.
    separator : str
        Between columns; more than one character (such as ``::``) is allowed.
    columns : sequence of str
        Meaning of the columns from left to right, `COLUMNS` or `SKIP`; further columns are not allowed.
    header : bool
        Whether the first line names columns; it is then skipped.
    unit : {"s", "ms", "us", "ns", "iso"}
        What timestamps count, or ISO 8601 text.
    user_type, item_type : arrays
        Arrays of raw ids whose type the file's ids must have.

    Raises
    ------
    SplitError
        If the file is missing, empty, or holds a line that does not fit.
    """
    import pyarrow as pa
    from pyarrow import csv

    file = Path(path).expanduser()
    if not file.is_file():
        raise SplitError(f"split 'predefined': there is no file {file}.", "Check split.train_path and split.test_path.")
    names = [f"{column}{place}" if column == SKIP else column for place, column in enumerate(columns)]
    types = {"rating": pa.float64(), "timestamp": pa.string()}
    for column, ids in (("user_id", user_type), ("item_id", item_type)):
        types[column] = pa.int64() if ids.dtype.kind in "iu" else pa.string()
    source: object = str(file)
    delimiter = separator
    if len(separator) > 1:
        text = file.read_bytes()
        if b"\x1f" in text:
            raise SplitError(f"split 'predefined': {file} holds control characters.", "Convert it to a plain table.")
        source, delimiter = io.BytesIO(text.replace(separator.encode(), b"\x1f")), "\x1f"
    try:
        table = csv.read_csv(
            source,
            read_options=csv.ReadOptions(column_names=names, skip_rows=int(header)),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                column_types=types,
                include_columns=[name for name in names if name in types],
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SplitError(
            f"split 'predefined': {file} is not the table that was described: {reason}.",
            "Check split.separator, split.columns, and split.header (true if the first line names the columns).",
        ) from error
    if not table.num_rows:
        raise SplitError(f"split 'predefined': {file} has no rows.", "Give a file that lists ratings.")

    return Table(
        file,
        _values(table, "user_id"),
        _values(table, "item_id"),
        _values(table, "rating") if "rating" in columns else None,
        _moments(table.column("timestamp"), unit, file, 1 + int(header)) if "timestamp" in columns else None,
    )


def _moments(column: pa.ChunkedArray, unit: str, file: Path, first_line: int) -> tuple[PointerArray, PointerArray]:
    seconds, nanoseconds, problems = of_arrow(column, unit)
    bad = [(int(np.argmax(rows)), reason) for reason, rows in problems if rows.any()]
    if bad:
        row, reason = min(bad)
        raise SplitError(
            f"split 'predefined': {file} is not the table that was described: line {first_line + row}: {reason}.",
            "Check split.columns and split.timestamp_unit.",
        )
    return seconds, nanoseconds


def _values(table: pa.Table, column: str) -> AnyArray:
    values = table.column(column)
    if str(values.type) == "string":
        return np.array(values.to_pylist(), dtype=object)
    found: AnyArray = values.to_numpy()
    return found
