"""What the data sets of MFX share: a cache of columns, a tally of what was left out, and saying what they are."""

from __future__ import annotations

import contextlib
import logging
import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from mfx.data.cache import cache_path, read_cached, write_cached
from mfx.data.code import code_of
from mfx.data.pieces import Gathered, Sink
from mfx.data.raw import Origin, log
from mfx.errors import mask
from mfx.interfaces import Ratings
from mfx.settings import Component, setting


@contextlib.contextmanager
def _warnings_heard() -> Iterator[list[str]]:
    """Gather what is warned of meanwhile, since whoever reads the cache must know it as well."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        yield heard
    finally:
        log.removeHandler(handler)


@dataclass(kw_only=True)
class CachedDataset(Component):
    """Base of data sets that are read once and cached as columns.

    A subclass says what decides the outcome (`identity`), how to read (`read`) and where from (`source`). Its code
    decides as well: whenever its module, one beside it in its package, or the version of its distribution changes,
    the source is read again.

    Attributes
    ----------
    dropped_ : dict of str to int
        After `load`: rows left out on request, by reason; empty if none.
    """

    cache: bool = setting(True)
    """Keep what was read as columns in the cache folder (MFX_CACHE), for a fast second read."""

    _defined: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._defined = time.time_ns()

    def load(self) -> Ratings:
        """Read the ratings, from the cache if they are there.

        Raises
        ------
        DataError
            If the source is missing or malformed, saying what to do.
        """
        self.dropped_: dict[str, int] = {}
        if not self.cache:
            return self.read(self.dropped_)
        code = code_of(type(self), self._defined)
        if code is None:
            log.info("%s: nothing is cached, because its code is in no file or changed since its import.", self.title)
            return self.read(self.dropped_)
        path = cache_path(self.title, {"code": code, **self.identity()})
        cached = read_cached(path)
        if cached is not None:
            ratings, self.dropped_, warnings = cached
            for text in warnings:
                log.warning("%s", text)
            return ratings
        log.info("%s: reading %s; the next time its columns come from %s.", self.title, mask(self.source), path)
        with _warnings_heard() as warnings:
            ratings = self.read(self.dropped_)
        write_cached(path, ratings, self.dropped_, warnings)
        return ratings

    @property
    @abstractmethod
    def title(self) -> str:
        """What captions and logs call the data set."""

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the ratings come from: a path, an address, or the package or rule that makes them."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """All that decides what `read` returns, as JSON values: the source and the settings that matter."""

    @abstractmethod
    def read(self, dropped: dict[str, int]) -> Ratings:
        """Read the ratings from the source.

        Parameters
        ----------
        dropped : dict
            To be filled with the number of rows left out, by reason.
        """

    def describe(self) -> dict[str, str]:
        """Say what the data set is, for a log: its source and, after `load`, what was left out."""
        facts = {"source": self.source}
        if getattr(self, "dropped_", None):
            facts["left_out"] = self._left_out()
        return facts

    def _left_out(self) -> str:
        return ", ".join(f"{count} rows ({reason})" for reason, count in sorted(self.dropped_.items()))


@dataclass(kw_only=True)
class FileDataset(CachedDataset):
    """Base of cached data sets whose files can be read piece by piece (see `mfx.data.pieces.InPieces`)."""

    @abstractmethod
    def read_into(self, sink: Sink, dropped: dict[str, int]) -> Origin:
        """Read all ratings from the source into a sink; as `mfx.data.pieces.InPieces.read_into`.

        It neither looks into the cache nor fills it. A cached copy would have to be checked as a whole, with masks as
        long as its columns, and whether there is one should not decide how much memory is needed.
        """

    def read(self, dropped: dict[str, int]) -> Ratings:
        """Read the ratings from the source."""
        from mfx.data.assemble import assemble

        gathered = Gathered()
        origin = self.read_into(gathered, dropped)
        return assemble(gathered.whole(origin.where), origin)
