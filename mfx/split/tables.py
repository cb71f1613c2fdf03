"""Tables of (user, item) rows that someone published as train or test."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from mfx.errors import DataError, SettingError, SplitError
from mfx.interfaces import AnyArray, DoubleArray, PointerArray
from mfx.quoting import Opener, Quotes, read_with_quotes
from mfx.raw_ids import integer_of, is_whole
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
    quoting: str,
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
        File, text in UTF-8; may be compressed (``.gz``).
    separator : str
        Between columns; more than one character (such as ``::``) is allowed.
    quoting : {"auto", "csv", "none"}
        As in `mfx.quoting.read_with_quotes`.
    columns : sequence of str
        Meaning of the columns from left to right, `COLUMNS` or `SKIP`; further columns are not allowed.
    header : bool
        Whether the first line names columns; it is then skipped.
    unit : {"s", "ms", "us", "ns", "iso"}
        What timestamps count, or ISO 8601 text.
    user_type, item_type : arrays
        Raw ids of the data set, whose type the file's ids must have; text is turned into integers where it spells them.

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
    label = pa.dictionary(pa.int32(), pa.string())
    types = {"user_id": label, "item_id": label, "rating": pa.float64(), "timestamp": pa.string()}

    def read(opener: Opener, quotes: Quotes) -> pa.Table:
        with opener() as stream:
            source, delimiter = stream, separator
            if len(separator) > 1:
                text = stream.read()
                if b"\x1f" in text:
                    raise SplitError(
                        f"split 'predefined': {file} holds control characters.", "Convert it to a plain table."
                    )
                source, delimiter = io.BytesIO(text.replace(separator.encode(), b"\x1f")), "\x1f"
            return csv.read_csv(
                source,
                read_options=csv.ReadOptions(column_names=names, skip_rows=int(header)),
                parse_options=csv.ParseOptions(
                    delimiter=delimiter,
                    quote_char='"' if quotes.around_fields else False,
                    newlines_in_values=quotes.multiline,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=types,
                    include_columns=[name for name in names if name in types],
                    null_values=[],
                    strings_can_be_null=False,
                ),
            )

    try:
        table = read_with_quotes(
            lambda: _opened(file),
            read,
            quoting=quoting,
            separator=separator,
            where=f"split 'predefined': {file}",
            setting="split.quoting",
            n_fields=len(columns),
        )
    except DataError as error:
        raise SplitError(error.message, error.hint) from error
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _other_table(file, " ".join(str(error).split())) from error
    if not table.num_rows:
        raise SplitError(f"split 'predefined': {file} has no rows.", "Give a file that lists ratings.")

    return Table(
        file,
        _ids(table.column("user_id"), user_type, "user", file),
        _ids(table.column("item_id"), item_type, "item", file),
        table.column("rating").to_numpy() if "rating" in columns else None,
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


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(file, "rb") if file.suffix.lower() == ".gz" else file.open("rb") as stream:
            yield cast(IO[bytes], stream)
    except (OSError, EOFError) as error:
        raise SplitError(f"split 'predefined': {file} cannot be read ({error}).", "Check the file.") from error


def _other_table(file: Path, reason: str) -> SplitError:
    return SplitError(
        f"split 'predefined': {file} is not the table that was described: {reason}.",
        "Check split.separator, split.columns, and split.header (true if the first line names the columns).",
    )


def _ids(column: Any, like: AnyArray, what: str, file: Path) -> AnyArray:
    """Return ids of the type that ids of the data set have."""
    encoded = column.unify_dictionaries().combine_chunks()
    chunks = encoded.chunks if hasattr(encoded, "chunks") else [encoded]
    codes: PointerArray = np.concatenate([np.asarray(chunk.indices) for chunk in chunks])
    labels = [label.strip() for label in chunks[0].dictionary.to_pylist()]
    if like.dtype.kind not in "iu":
        texts: AnyArray = np.array(labels, dtype=object)
        return texts[codes]
    unlike = next((label for label in labels if not is_whole(label)), None)
    if unlike is not None:
        raise _other_table(file, f"{what} ids look like {unlike!r} there and {like[0]} in the data set")
    numbers: AnyArray = np.array([integer_of(label) for label in labels], dtype=np.int64)
    return numbers[codes]
