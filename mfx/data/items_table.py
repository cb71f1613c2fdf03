"""What anybody's CSV or Parquet file says about items."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mfx.data.layout import readable, rows_of
from mfx.data.raw import Facts, shorten
from mfx.errors import DataError, did_you_mean
from mfx.quoting import Opener, Quotes, read_with_quotes
from mfx.raw_ids import without_decimals

Open = Callable[[Path], contextlib.AbstractContextManager[IO[bytes]]]

NO_GENRES = frozenset({"", "(no genres listed)", "\\n", "n/a", "na", "<na>", "nan", "null", "none"})
"""What files write, in any case, where an item has no genre."""

_ESCAPED = r"\\['\"\\]"
_QUOTED = rf"""(?:'((?:[^'\\]|{_ESCAPED})*)'|"((?:[^"\\]|{_ESCAPED})*)")"""
_LIST = re.compile(rf"\[\s*(?:{_QUOTED}(?:[\s,]+{_QUOTED})*)?[\s,]*\]")


@dataclass(frozen=True)
class ItemsLayout:
    """How a file of items is written.

    Attributes
    ----------
    ids : str
        Column of raw ids.
    title, genres : str or None
        Columns of titles and genres, if there are any.
    separator : str
        Between the fields of a line.
    quoting : {"auto", "csv", "none"}
        As in `mfx.quoting.read_with_quotes`.
    genres_separator : str
        Between the genres of an item.
    item_ids : {"auto", "integer", "text"}
        What ids are, as for the ratings.
    """

    ids: str = "item_id"
    title: str | None = "title"
    genres: str | None = "genres"
    separator: str = ","
    quoting: str = "auto"
    genres_separator: str = "|"
    item_ids: str = "auto"

    @property
    def wanted(self) -> list[str]:
        """The columns to read: ids and, if there are any, titles and genres."""
        return [column for column in (self.ids, self.title, self.genres) if column is not None]


def read_items(path: Path, opened: Open, layout: ItemsLayout) -> Facts:
    """Read ids, titles and genres of items.

    Parameters
    ----------
    path : pathlib.Path
        The file, Parquet by its suffix or else delimited text with a header.
    opened : callable
        Opens it as bytes.
    layout : ItemsLayout
        How it is written.

    Raises
    ------
    DataError
        If a column is missing or of a wrong type, a line is malformed, an item has no id, or its genres are written
        in a way that is not known.
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        unit, numbers, columns = _from_parquet(path, layout)
    else:
        unit, numbers, columns = _from_text(path, opened, layout)
    ids = [raw.strip() for raw in columns[layout.ids]]
    if "" in ids:
        raise DataError(f"{path}: the item on {unit} {numbers[ids.index('')]} has no id.", "Give each item its id.")
    features: dict[str, list[list[str]]] = {}
    if layout.genres is not None:
        features["genres"] = genres = []
        for number, cell in zip(numbers, columns[layout.genres], strict=True):
            names = genres_in(cell, layout.genres_separator)
            if names is None:
                raise DataError(
                    f"{path}: {unit} {number} has genres that are neither text nor a list of text: {shorten(cell)}.",
                    f"Write them as Action{layout.genres_separator}Comedy, or set dataset.genres_column=null.",
                )
            genres.append(names)
    titles = None if layout.title is None else columns[layout.title]
    return Facts(str(path), without_decimals(ids, layout.item_ids), titles, features)


def genres_in(cell: str | list[str], separator: str) -> list[str] | None:
    """Return the genres of an item, without blanks around them and words for "none".

    Parameters
    ----------
    cell : str or list of str
        Genres with separators between them; the text of a list, as Python or JSON write it; or a list.
    separator : str
        Between genres.

    Returns
    -------
    list of str or None
        None if the text begins like a list or an object but is no list of text.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if text.startswith(("[", "{")):
            listed = _listed(text)
            if listed is None:
                return None
            cell = listed
        else:
            cell = text.split(separator)
    return [genre for genre in (part.strip() for part in cell) if genre.casefold() not in NO_GENRES]


def _listed(text: str) -> list[str] | None:
    try:
        value = json.loads(text)
    except ValueError:
        if _LIST.fullmatch(text) is None:
            return None
        return [re.sub(r"\\(.)", r"\1", single or double) for single, double in re.findall(_QUOTED, text)]
    return value if isinstance(value, list) and all(isinstance(name, str) for name in value) else None


def _check(path: Path, wanted: list[str], names: list[str]) -> None:
    for column in wanted:
        if column not in names:
            raise DataError(
                f"{path} has no column '{column}'.",
                did_you_mean(column, names) + " Set dataset.title_column or genres_column to null if there is none.",
            )


def _from_parquet(path: Path, layout: ItemsLayout) -> tuple[str, Sequence[int], dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check(path, layout.wanted, file.schema_arrow.names)
            table = file.read(layout.wanted)
    except pa.ArrowException as error:
        raise DataError(f"{path} is no Parquet file ({str(error).splitlines()[0]}).", "Check the file.") from error
    columns = {}
    for name in layout.wanted:
        kind = table[name].type
        is_list = name == layout.genres and _is_list(kind)
        if not _is_plain(kind.value_type if is_list else kind):
            raise DataError(
                f"{path}: column '{name}' is {kind}, not text.",
                "Write titles and ids as text or numbers, and genres as text or lists of text.",
            )
        values = table[name].to_pylist()
        columns[name] = [[_text(v) for v in value or ()] for value in values] if is_list else list(map(_text, values))
    return "row", range(1, table.num_rows + 1), columns


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )


def _is_plain(kind: Any) -> bool:
    """Whether a type is that of text or numbers, which are text to somebody who writes 1917 for a title."""
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    return bool(text or pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_null(value))


def _text(value: object) -> str:
    """Return a value as text; "" if it is missing. A whole number has no decimals, however it is stored."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _from_text(path: Path, opened: Open, layout: ItemsLayout) -> tuple[str, Sequence[int], dict[str, Any]]:
    def read(opener: Opener, quotes: Quotes) -> list[tuple[int, list[str]]]:
        with opener() as stream, readable(str(path)):
            return list(rows_of(stream, layout.separator, quotes))

    rows = read_with_quotes(
        lambda: opened(path),
        read,
        quoting=layout.quoting,
        separator=layout.separator,
        where=str(path),
        setting="dataset.quoting",
    )
    if not rows:
        raise DataError(f"{path} is empty.", "Check that it is the file you meant.")
    _, header = rows.pop(0)
    _check(path, layout.wanted, header)
    for number, row in rows:
        if len(row) != len(header):
            raise DataError(f"{path}: line {number} has {len(row)} fields instead of {len(header)}.", "Correct it.")
    columns = {}
    for name in layout.wanted:
        place = header.index(name)
        columns[name] = [row[place] for _, row in rows]
    return "line", [number for number, _ in rows], columns
