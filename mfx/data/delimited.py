"""Ratings from delimited text: a fast reader for clean files, and a careful one that counts what is wrong."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from mfx.data.careful import read_carefully
from mfx.data.fields import LATEST, PER_SECOND
from mfx.data.layout import Layout, Opener, id_kind, readable, rows_of
from mfx.data.raw import IdColumn, RawRatings, Rejected
from mfx.errors import DataError
from mfx.interfaces import AnyArray, RatingScale

_BLOCK = 8 << 20
_NOTHING = np.empty(0, np.int32)


class _NotClean(Exception):
    """The fast reader met something that the careful one has to look at."""


def read_ratings(opener: Opener, layout: Layout, where: str, on_bad_rows: str) -> tuple[RawRatings, Rejected]:
    """Read a file of ratings.

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

    Returns
    -------
    RawRatings
        In the order of the file.
    Rejected
        Rows left out.

    Raises
    ------
    DataError
        If a column is missing, no row is left, or a row cannot be used and `on_bad_rows` is "refuse".
    """
    names, sample = _names(opener, layout, where)
    for id_bits in (32, 64):  # most ids are short, and reading them so takes a quarter less time
        try:
            with opener() as stream:
                return _read_fast(stream, layout, names, sample, id_bits), Rejected()
        except _NotClean:
            pass
    with readable(where):
        return read_carefully(opener, layout, names, where, on_bad_rows)


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


def _read_fast(stream: IO[bytes], layout: Layout, names: list[str], sample: list[str], id_bits: int) -> RawRatings:
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
    types[layout.rating] = pa.float32()
    if layout.timestamp is not None:
        types[layout.timestamp] = pa.timestamp("us") if layout.unit == "iso" else pa.int64()
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
        columns: list[_Growing] = [_Labels() if text.get(name) else _Growing() for name in layout.wanted]
        for batch in batches:
            for number, (column, values) in enumerate(zip(columns, batch.columns, strict=True)):
                if values.null_count:
                    raise _NotClean
                if number == 2:
                    _check_ratings(np.asarray(values), layout.scale)
                column.add(_seconds(values, layout.unit) if number == 3 else values)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _NotClean from error
    done = [column.finish() for column in columns]
    if not done[0].size or watched.hexadecimal:
        raise _NotClean
    labels = [column.labels if isinstance(column, _Labels) else None for column in columns[:2]]
    return RawRatings(
        users=IdColumn(done[0], labels[0]),
        items=IdColumn(done[1], labels[1]),
        values=done[2],
        timestamps=done[3].astype(np.int64, copy=False) if layout.timestamp is not None else None,
        first_line=1 if layout.columns else 2,
    )


def _check_ratings(values: AnyArray, scale: RatingScale | None) -> None:
    outside = scale is not None and values.size and (values.min() < scale.low or values.max() > scale.high)
    if outside or not np.isfinite(values).all():
        raise _NotClean


def _seconds(values: Any, unit: str) -> AnyArray:
    import pyarrow as pa

    counts = np.asarray(values.cast(pa.int64()) if unit == "iso" else values)
    per = PER_SECOND["us" if unit == "iso" else unit]
    seconds = counts // per if per > 1 else counts
    if seconds.size and seconds.max() > LATEST:
        raise _NotClean
    return seconds


class _Growing:
    """A column that arrives in pieces, kept as narrow as its integers allow."""

    def __init__(self) -> None:
        self.pieces: list[AnyArray] = []

    def add(self, values: Any) -> None:
        piece = np.asarray(values)
        if piece.dtype == np.int64 and piece.size and piece.min() >= -(2**31) and piece.max() < 2**31:
            piece = piece.astype(np.int32)
        self.pieces.append(piece)

    def finish(self) -> AnyArray:
        dtype = np.result_type(*self.pieces) if self.pieces else np.dtype(np.int32)
        full = np.empty(sum(piece.size for piece in self.pieces), dtype)
        at = 0
        for number, piece in enumerate(self.pieces):
            full[at : at + piece.size] = piece
            at += piece.size
            self.pieces[number] = _NOTHING  # a view would keep the piece alive
        return full


class _Labels(_Growing):
    """A column of text, kept as positions in a list of its distinct values."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, int] = {}

    @property
    def labels(self) -> list[str]:
        return list(self.codes)

    def add(self, values: Any) -> None:
        encoded = values.dictionary_encode()
        code = [self.codes.setdefault(label.strip(), len(self.codes)) for label in encoded.dictionary.to_pylist()]
        if "" in self.codes:
            raise _NotClean
        self.pieces.append(np.array(code, dtype=np.int32)[np.asarray(encoded.indices)])


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
