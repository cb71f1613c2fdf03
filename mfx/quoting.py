"""Whether double quotes in a file of delimited text surround fields, or are text like any other character.

Every reader of delimited text asks here, because lenient readers swallow rows: a stray quote that begins a field
makes them take everything up to the next quote, line ends included, for one field.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TypeAlias, TypeVar

from mfx.errors import DataError

Opener: TypeAlias = Callable[[], contextlib.AbstractContextManager[IO[bytes]]]
Result = TypeVar("Result")

QUOTING = ("auto", "csv", "none")
"""What a setting for quotes may be; see `read_with_quotes`."""

_BLOCK = 8 << 20
_LONGEST = 1 << 20
"""Bytes of a record with quotes; a quote that is not closed within them counts as not closed."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_WRONG_FILE = "Check that it is the file you meant."


@dataclass(frozen=True)
class Quotes:
    """What double quotes in a file mean.

    Attributes
    ----------
    around_fields : bool
        Whether a field may stand in quotes, where a quote is written twice; otherwise a quote is text.
    multiline : bool
        Whether a field in quotes has several lines.
    """

    around_fields: bool = False
    multiline: bool = False


NO_QUOTES = Quotes()


def read_with_quotes(
    opener: Opener,
    read: Callable[[Opener, Quotes], Result],
    *,
    quoting: str,
    separator: str,
    where: str,
    setting: str,
    n_fields: int | None = None,
) -> Result:
    """Read a file of delimited text, with its quotes read in the right way.

    A file without quotes is read once; otherwise it is first scanned for what its quotes mean.

    Parameters
    ----------
    opener : callable
        Opens the file from its beginning.
    read : callable
        Reads the file, given an opener and the meaning of quotes; it may be called twice.
    quoting : {"auto", "csv", "none"}
        "csv": a field that begins with a quote ends with one (RFC 4180). "none": quotes are text. "auto": whichever of
        the two fits the file. With a separator of several characters quotes are always text.
    separator : str
        Between fields.
    where : str
        Name of the file for messages.
    setting : str
        Name of the setting that `quoting` comes from, or "" if it cannot be set.
    n_fields : int, optional
        Fields of a record; by default those of the first one.

    Raises
    ------
    DataError
        If the quotes do not fit `quoting`, or both readings fit and differ; the message names the line.
    """
    if quoting == "none" or len(separator) > 1:
        return read(opener, NO_QUOTES)
    try:
        return read(lambda: _without_quotes(opener), NO_QUOTES)
    except _QuoteFound:
        pass
    with opener() as stream:
        quotes = _Scan(separator.encode(), n_fields, where, setting, strict=quoting == "csv").quotes(stream)
    return read(opener, quotes)


class _QuoteFound(Exception):
    """A file that was read as if there were no quotes in it has one."""


@contextlib.contextmanager
def _without_quotes(opener: Opener) -> Iterator[IO[bytes]]:
    with opener() as stream:
        yield _UntilQuote(stream)  # type: ignore[misc]  # all that readers need of IO[bytes]


class _UntilQuote(io.BufferedIOBase):
    """A stream that raises `_QuoteFound` at the first double quote."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        block = self._stream.read(-1 if size is None else size)
        if b'"' in block:
            raise _QuoteFound
        return block

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(_BLOCK if size < 0 else size)


class _Scan:
    """A pass over a file that gathers evidence for either meaning of quotes.

    Only records in which a field begins with a quote are evidence. One whose quotes do not close, or that has the right
    number of fields only if quotes are text, speaks for text; one that has the right number only if quotes surround
    fields speaks for that. One of several lines that fits both readings is neither.
    """

    def __init__(self, separator: bytes, n_fields: int | None, where: str, setting: str, *, strict: bool) -> None:
        self._separator, self._where, self._setting, self._strict = separator, where, setting, strict
        self._n_quoted = self._n_text = n_fields
        character = re.escape(separator)
        bare = rb'[^"%b\r\n][^%b\r\n]*+' % (character, character)
        self._field = re.compile(rb'(?:"[^"]*+(?:""[^"]*+)*+"|%b)?+' % bare)
        # Fields up to the first one that has to be looked at: both readings see the same fields in these.
        same = rb'(?:(?:"[^"%b\r\n]*+(?:""[^"%b\r\n]*+)*+"|%b)?+[%b\r\n])*+'
        self._same = re.compile(same % (character, character, bare, character))
        # As above, with separators in quotes: once one field needs its quotes, they are no further evidence.
        self._closed = re.compile(rb'(?:(?:"[^"\r\n]*+(?:""[^"\r\n]*+)*+"|%b)?+[%b\r\n])*+' % (bare, character))
        self._line = 1
        self._multiline = False
        self._for_text: int | None = None
        self._for_quotes: int | None = None
        self._either: int | None = None

    def quotes(self, stream: IO[bytes]) -> Quotes:
        """Read the stream to its end and decide; raise `DataError` if it cannot be decided."""
        buffer, begun, complete = b"", False, False
        while not complete:
            block = stream.read(_BLOCK)
            complete = not block
            buffer += block
            if complete and not buffer.endswith((b"\n", b"\r")):
                buffer += b"\n"
            # Only records that start before `last` are sure to be here whole.
            last = len(buffer) if complete else len(buffer) - _LONGEST
            if last <= 0:
                continue
            if not begun:
                buffer = buffer.removeprefix(b"\xef\xbb\xbf")
                self._count_fields(buffer)
                begun, last = True, min(last, len(buffer))
            done = self._scanned(buffer, last)
            if not done and len(buffer) > 4 * _BLOCK:
                raise DataError(f"{self._where}: line {self._line} is no line of a table: it has no end.", _WRONG_FILE)
            buffer = buffer[done:]
        return self._decision()

    def _count_fields(self, buffer: bytes) -> None:
        """Learn from the first record how many fields records have, unless that is known."""
        if self._n_text is not None:
            return
        start = len(buffer) - len(buffer.lstrip(b"\r\n"))
        self._n_text = buffer.count(self._separator, start, _next_line(buffer, start)) + 1
        record = self._record(buffer, start)
        self._n_quoted = self._n_text if record is None else record[1]
        if self._n_quoted < self._n_text:  # no name of a column begins or ends with a stray quote
            self._for_quotes = self._line + _count_lines(buffer, 0, start)

    def _scanned(self, buffer: bytes, last: int) -> int:
        """Judge the records that start before `last`; return where the next one starts."""
        at = counted = 0
        while at < last and (quote := buffer.find(b'"', at)) >= 0:
            run = self._closed if self._strict or self._for_quotes else self._same
            at = _line_start(buffer, at, _match_end(run, buffer, _line_start(buffer, at, quote)))
            if at >= last:
                break
            self._line += _count_lines(buffer, counted, at)
            counted = at
            at = self._judged(buffer, at)
        else:
            at = max(at, _line_start(buffer, at, last))
        self._line += _count_lines(buffer, counted, at)
        return at

    def _record(self, buffer: bytes, start: int) -> tuple[int, int] | None:
        """Return the end of the record and its number of fields; None if a quote does not surround a field."""
        at, n_fields = start, 0
        while True:
            at = _match_end(self._field, buffer, at, start + _LONGEST)
            n_fields += 1
            following = buffer[at : at + 1]
            if following in (b"\n", b"\r"):
                return at, n_fields
            if following != self._separator:
                return None
            at += 1

    def _judged(self, buffer: bytes, start: int) -> int:
        """Take the record that starts here as evidence; return where the next one starts."""
        record = self._record(buffer, start)
        if record is None:
            self._for_text = self._for_text or self._line
            return _next_line(buffer, start)
        end, n_fields = record
        lines = [line for line in _LINE_END.split(buffer[start:end]) if line]
        of_text = [line.count(self._separator) + 1 == self._n_text for line in lines]
        if len(lines) > 1:
            self._multiline = True
        if self._strict:
            return _next_line(buffer, end)
        fits_quotes, fits_text = n_fields == self._n_quoted, all(of_text)
        if fits_text and not fits_quotes:
            self._for_text = self._for_text or self._line
        # Of rows that two stray quotes join, the first and last lines are whole, whatever lies between.
        elif len(lines) > 1 and (not fits_quotes or (of_text[0] and of_text[-1])):
            self._either = self._either or self._line
        elif fits_quotes and not fits_text:
            self._for_quotes = self._for_quotes or self._line
        return _next_line(buffer, end)

    def _decision(self) -> Quotes:
        stray = f"{self._where}: line {self._for_text} has a quote that does not surround a field"
        choose = f"Set {self._setting}=csv if quotes surround fields, or {self._setting}=none if they are text."
        if self._for_text is not None and self._strict:
            more = f", or set {self._setting}=none if quotes are text" if self._setting else ""
            raise DataError(f"{stray}.", f"Write quotes inside of quoted fields twice{more}.")
        if self._for_text is not None and self._for_quotes is not None:
            raise DataError(f"{stray}, but line {self._for_quotes} needs quotes around a field.", choose)
        if self._for_text is not None:
            return NO_QUOTES
        if self._either is not None:
            raise DataError(
                f"{self._where}: quotes from line {self._either} on are text, or surround a field of several lines.",
                choose,
            )
        return Quotes(around_fields=True, multiline=self._multiline)


def _match_end(pattern: re.Pattern[bytes], buffer: bytes, start: int, stop: int = sys.maxsize) -> int:
    match = pattern.match(buffer, start, stop)
    return start if match is None else match.end()


def _line_start(buffer: bytes, low: int, at: int) -> int:
    """Return where the line of a place starts; not before `low`, which starts one."""
    return max(buffer.rfind(b"\n", low, at), buffer.rfind(b"\r", low, at), low - 1) + 1


def _next_line(buffer: bytes, at: int) -> int:
    match = _LINE_END.search(buffer, at)
    return len(buffer) if match is None else match.end()


def _count_lines(buffer: bytes, start: int, stop: int) -> int:
    ends = buffer.count(b"\n", start, stop) + buffer.count(b"\r", start, stop)
    return ends - buffer.count(b"\r\n", start, stop)
