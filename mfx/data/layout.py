"""Delimited text: how a file of ratings is written, and its lines."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from mfx.errors import DataError, did_you_mean
from mfx.interfaces import RatingScale
from mfx.quoting import NO_QUOTES, Quotes
from mfx.raw_ids import is_whole


@dataclass(frozen=True)
class Layout:
    """How a file of ratings is written.

    Attributes
    ----------
    user, item, rating, timestamp : str
        Column names; `timestamp` may be None.
    columns : tuple of str
        Names of all columns, in order, when the file has no header; empty when its first line names them.
    separator : str
        One character, or "::".
    quoting : {"auto", "csv", "none"}
        Whether fields may stand in double quotes, as in `mfx.quoting.read_with_quotes`.
    quoting_setting : str
        Name of the setting that `quoting` comes from, for messages; "" if it cannot be set.
    quotes : Quotes
        What quotes mean in this file, once that is known.
    unit : {"s", "ms", "us", "ns", "iso"}
        What timestamps count since 1970-01-01 UTC, or ISO 8601 text (UTC unless it says otherwise).
    user_ids, item_ids : {"auto", "integer", "text"}
        What ids are; auto means integers if all are spelled so (`mfx.raw_ids.is_whole`).
    scale : RatingScale or None
        What a rating may be; None for any finite number.
    """

    user: str = "user"
    item: str = "item"
    rating: str = "rating"
    timestamp: str | None = "timestamp"
    columns: tuple[str, ...] = ("user", "item", "rating", "timestamp")
    separator: str = ","
    quoting: str = "csv"
    quoting_setting: str = ""
    quotes: Quotes = NO_QUOTES
    unit: str = "s"
    user_ids: str = "integer"
    item_ids: str = "integer"
    scale: RatingScale | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns to read: user, item, rating and, if there are any, timestamp."""
        times = () if self.timestamp is None else (self.timestamp,)
        return (self.user, self.item, self.rating, *times)

    def check_columns(self, names: Sequence[str], where: str) -> None:
        """Refuse a file that lacks a wanted column.

        Raises
        ------
        DataError
            Naming the column, those that there are, and what to set.
        """
        for column in self.wanted:
            if column not in names:
                without = " Without timestamps set dataset.timestamp_column=null." if column == self.timestamp else ""
                raise DataError(f"{where} has no column '{column}'.", did_you_mean(column, names) + without)


@contextlib.contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn what decoding and splitting raise into an error about the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text ({error.reason}).", "Convert it to UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{where} is not delimited text ({error}).", "Check the file and its separator.") from error


def rows_of(stream: IO[bytes], separator: str, quotes: Quotes) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of every record that is not a blank line, and the number of the line where it starts."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    if separator == "::":
        for number, line in enumerate(text, 1):
            if line.strip():
                yield number, line.rstrip("\r\n").split("::")
    else:
        if quotes.around_fields:
            reader = csv.reader(text, delimiter=separator, strict=True)
        else:
            reader = csv.reader(text, delimiter=separator, quoting=csv.QUOTE_NONE)
        number = 1
        for row in reader:
            if row:
                yield number, row
            number = reader.line_num + 1
    text.detach()


def id_kind(setting: str, sample: str) -> str:
    """Return "integer" or "text": the setting, or how a sample is spelled if that is "auto"."""
    if setting != "auto":
        return setting
    return "integer" if is_whole(sample.strip()) else "text"
