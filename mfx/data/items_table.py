"""What anybody's CSV or Parquet file says about items."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import IO

from mfx.data.raw import Facts
from mfx.errors import DataError, did_you_mean

Open = Callable[[Path], contextlib.AbstractContextManager[IO[bytes]]]


def read_items(
    path: Path, opened: Open, columns: tuple[str, str | None, str | None], separator: str, genres_separator: str
) -> Facts:
    """Read ids, titles and genres of items.

    Parameters
    ----------
    path : pathlib.Path
        The file, Parquet by its suffix or else delimited text with a header.
    opened : callable
        Opens it as bytes.
    columns : tuple of str
        Columns of ids, of titles and of genres; the last two may be None.
    separator : str
        Between the fields of a line.
    genres_separator : str
        Between the genres of an item.

    Raises
    ------
    DataError
        If a column is missing, or a line malformed.
    """
    wanted = [column for column in columns if column is not None]
    if path.suffix.lower() in (".parquet", ".pq"):
        rows = _from_parquet(path, wanted)
    else:
        rows = _from_text(path, opened, wanted, separator)
    found = dict(zip(wanted, rows, strict=True))
    ids, title, genres = columns
    if "" in (stripped := [raw.strip() for raw in found[ids]]):
        raise DataError(f"{path}: item {stripped.index('') + 1} has no id.", "Give each item its id.")
    features = {}
    if genres is not None:
        features["genres"] = [
            [g.strip() for g in field.split(genres_separator) if g.strip()] for field in found[genres]
        ]
    return Facts(str(path), stripped, None if title is None else found[title], features)


def _check(path: Path, wanted: list[str], names: list[str]) -> None:
    for column in wanted:
        if column not in names:
            raise DataError(
                f"{path} has no column '{column}'.",
                did_you_mean(column, names) + " Set dataset.title_column or genres_column to null if there is none.",
            )


def _from_parquet(path: Path, wanted: list[str]) -> list[list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check(path, wanted, file.schema_arrow.names)
            table = file.read(wanted)
    except pa.ArrowException as error:
        raise DataError(f"{path} is no Parquet file ({str(error).splitlines()[0]}).", "Check the file.") from error
    return [["" if value is None else str(value) for value in table[column].to_pylist()] for column in wanted]


def _from_text(path: Path, opened: Open, wanted: list[str], separator: str) -> list[list[str]]:
    with opened(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            if separator == "::":
                rows = [line.rstrip("\r\n").split("::") for line in text if line.strip()]
            else:
                rows = [row for row in csv.reader(text, delimiter=separator) if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no delimited text in UTF-8 ({error}).", "Check the file.") from error
    if not rows:
        raise DataError(f"{path} is empty.", "Check that it is the file you meant.")
    header = rows[0]
    _check(path, wanted, header)
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(header):
            raise DataError(f"{path}: item {number} has {len(row)} fields instead of {len(header)}.", "Correct it.")
    return [[row[header.index(column)] for row in rows[1:]] for column in wanted]
