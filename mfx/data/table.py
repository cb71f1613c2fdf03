"""Anybody's ratings in a CSV or Parquet file."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from mfx.data.base import FileDataset
from mfx.data.checks import scale_of
from mfx.data.pieces import Sink
from mfx.data.raw import Origin
from mfx.data.sources import file_stamp
from mfx.errors import DataError, SettingError
from mfx.quoting import QUOTING
from mfx.registry import register
from mfx.settings import setting

_PARQUET = (".parquet", ".pq")
_NO_SEPARATORS = ('"', "\n", "\r")


@register("dataset", "table")
@dataclass(kw_only=True)
class Table(FileDataset):
    """Ratings from a CSV or Parquet file, with the columns that you name.

    Files ending in .parquet or .pq are Parquet; anything else is delimited text with a header, which may be
    compressed (.gz). Items without ratings, from `items_path`, belong to the catalogue.

    Raises
    ------
    SettingError
        If a setting is malformed.
    DataError
        From `load`, if a file or column is missing or malformed.
    """

    path: str | None = setting(None)
    """File of ratings."""
    label: str = setting("")
    """Name of the data set in captions and logs; by default the name of the file."""
    user_column: str = setting("user_id")
    """Column of raw user ids."""
    item_column: str = setting("item_id")
    """Column of raw item ids."""
    rating_column: str = setting("rating")
    """Column of ratings."""
    timestamp_column: str | None = setting("timestamp")
    """Column of timestamps; null if there are none."""
    timestamp_unit: str = setting("s", choices=("s", "ms", "us", "ns", "iso"))
    """What timestamps count since 1970-01-01 UTC, or iso for ISO 8601 text; text without an offset is UTC.

    Fractions of the unit are read down to the nanosecond. Columns of dates in Parquet know their unit themselves.
    """
    separator: str = setting(",")
    """One character between fields, or "::"; "tab" stands for a tabulator."""
    quoting: str = setting("auto", choices=QUOTING)
    """What double quotes in text files are. csv: they surround fields, and quotes inside are doubled; none: text like
    any other; auto: whichever of the two fits the file, which is refused if both do and differ."""
    user_ids: str = setting("auto", choices=("auto", "integer", "text"))
    """What user ids are; auto means integers if all are spelled as such, also with .0, but not with leading zeros or a
    plus. Text keeps every spelling."""
    item_ids: str = setting("auto", choices=("auto", "integer", "text"))
    """What item ids are, as for user_ids."""
    items_path: str | None = setting(None)
    """File that describes the items (CSV or Parquet, with the same separator), if there is one."""
    items_id_column: str = setting("item_id")
    """Column of raw item ids in the file of items."""
    title_column: str | None = setting("title")
    """Column of titles in the file of items; null if there are none."""
    genres_column: str | None = setting("genres")
    """Column of genres in the file of items, in Parquet also lists; null if there are none."""
    genres_separator: str = setting("|")
    """What separates the genres of an item."""
    rating_min: float | None = setting(None)
    """Lowest rating that can be given; lower ones are bad rows. By default the lowest in the file."""
    rating_max: float | None = setting(None)
    """Highest rating that can be given; higher ones are bad rows. By default the highest in the file."""
    on_bad_rows: str = setting("refuse", choices=("refuse", "drop"))
    """What to do with rows that cannot be used: refuse the file, or leave them out and report it."""
    duplicates: str = setting("refuse", choices=("refuse", "keep_last", "keep_first", "mean"))
    """What to do with rows that repeat a (user, item) pair; last and first are by timestamp."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._scale = scale_of(type(self).__name__, self.rating_min, self.rating_max)
        if self._separator != "::" and len(self._separator.encode()) != 1:
            raise SettingError(f"Table.separator={self.separator!r} must be one character, 'tab' or '::'.")
        if self._separator in _NO_SEPARATORS:
            raise SettingError(f"Table.separator={self.separator!r} must be neither a quote nor a line end.")
        if self._separator == "::" and self.quoting == "csv":
            raise SettingError("Table.quoting=csv needs a separator of one character; with '::' quotes are text.")
        if not self.genres_separator:
            raise SettingError("Table.genres_separator must not be empty.")
        columns = [self.user_column, self.item_column, self.rating_column, self.timestamp_column]
        if len(set(columns)) < len(columns):
            raise SettingError(f"Table: the columns {', '.join(map(str, columns))} must differ.")

    @property
    def _separator(self) -> str:
        return "\t" if self.separator == "tab" else self.separator

    @property
    def title(self) -> str:
        """What captions and logs call the data set."""
        return self.label or (Path(self.path).name.split(".")[0] if self.path else "table")

    @property
    def source(self) -> str:
        """The path."""
        return str(Path(self.path).expanduser().resolve()) if self.path else ""

    def identity(self) -> dict[str, Any]:
        """Files and settings that decide what is read."""
        files = [
            self._file(self.path, "path"),
            *([self._file(self.items_path, "items_path")] if self.items_path else []),
        ]
        settings = {name: value for name, value in self.settings().items() if name != "cache"}
        return {"source": [[str(file.resolve()), *file_stamp(file)] for file in files], **settings}

    def read_into(self, sink: Sink, dropped: dict[str, int]) -> Origin:
        """Read the file of ratings piece by piece, then the file of items."""
        from mfx.data.delimited import read_ratings
        from mfx.data.items_table import ItemsLayout, read_items
        from mfx.data.layout import Layout
        from mfx.data.parquet import read_parquet

        path = self._file(self.path, "path")
        layout = Layout(
            user=self.user_column,
            item=self.item_column,
            rating=self.rating_column,
            timestamp=self.timestamp_column,
            columns=(),
            separator=self._separator,
            quoting=self.quoting,
            quoting_setting="dataset.quoting",
            unit=self.timestamp_unit,
            user_ids=self.user_ids,
            item_ids=self.item_ids,
            scale=self._scale,
        )
        if path.suffix.lower() in _PARQUET:
            rejected = read_parquet(path, layout, self.on_bad_rows, sink)
        else:
            rejected = read_ratings(lambda: opened(path), layout, str(path), self.on_bad_rows, sink)
        dropped.update(rejected.by_setting())
        items = None
        if self.items_path is not None:
            items = read_items(
                self._file(self.items_path, "items_path"),
                opened,
                ItemsLayout(
                    self.items_id_column,
                    self.title_column,
                    self.genres_column,
                    self._separator,
                    self.quoting,
                    self.genres_separator,
                    self.item_ids,
                ),
            )
        return Origin(str(path), self.title, self.duplicates, self._scale, dropped, items=items)

    def _file(self, path: str | None, name: str) -> Path:
        if path is None:
            raise DataError("dataset 'table' was given no file.", f"Set dataset.{name}=FILE.csv or FILE.parquet.")
        file = Path(path).expanduser()
        if not file.is_file():
            raise DataError(f"{file} does not exist or is no file.", f"Correct dataset.{name}.")
        return file


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, compressed or not, as a stream of bytes.

    Raises
    ------
    DataError
        If it cannot be read, also when that shows later.
    """
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            yield cast(IO[bytes], stream)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}).", "Check the file.") from error
