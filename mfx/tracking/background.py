"""A tracked run whose store works in a thread of its own, so that fitting need not wait for it, nor end with it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from mfx.interfaces import DataInfo, RunInfo, TrackedRun, Tracker
from mfx.tracking.backlog import Backlog

log = logging.getLogger(__name__)


class BackgroundRun:
    """Opens a run and passes everything on to it, in order, from one background thread.

    What fails there, the opening included, costs a warning and is tried again later, at the latest by `finish`, which
    raises what could not be recorded. So a store that fails ends no run: its folder holds everything.

    Parameters
    ----------
    tracker : Tracker
        Its `prepare` is called at once where it has one, so that a store that cannot be used is noticed now.
    info : RunInfo
        What the run is told when it starts.

    Raises
    ------
    TrackingError
        From `prepare`.
    """

    def __init__(self, tracker: Tracker, info: RunInfo) -> None:
        if hasattr(tracker, "prepare"):
            tracker.prepare()
        self._tracker, self._info = tracker, info
        self._run: TrackedRun | None = None
        self._tried = threading.Event()
        self._backlog = Backlog("mfx-tracking", "The run")
        self._backlog.add(self._opened)

    def _opened(self) -> TrackedRun:
        """Return the run, opened if need be; for the background thread."""
        try:
            if self._run is None:
                self._run = self._tracker.start(self._info)
            return self._run
        finally:
            self._tried.set()

    @property
    def run_id(self) -> str:
        """Id of the run; waits until it is open.

        Raises
        ------
        TrackingError
            If it cannot be opened.
        """
        self._tried.wait()
        return (self._run or self._backlog.ask(self._opened)).run_id

    @property
    def known_id(self) -> str | None:
        """Id of the run; None if it cannot be opened."""
        with contextlib.suppress(Exception):  # told by a warning, and raised by `finish`
            return self.run_id
        return None

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers."""
        kept = dict(values)
        self._do(lambda run: run.log_metrics(kept, step))

    def log_epoch(self, number: int, values: Mapping[str, float]) -> None:
        """Record the numbers of an epoch."""
        self.log_metrics(values, step=number)

    def log_data(self, data: DataInfo) -> None:
        """Record which data went in."""
        self._do(lambda run: run.log_data(data))

    def log_folder(self, folder: Path, where: str = "") -> None:
        """Keep a copy of a folder."""
        self._do(lambda run: run.log_folder(folder, where))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Add or replace labels."""
        kept = dict(tags)
        self._do(lambda run: run.set_tags(kept))

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Wait until all is written and close the run; when something could not be written, as FAILED.

        Raises
        ------
        Exception
            What could not be written first.
        """
        self._backlog.close(
            lambda all_done: self._opened().finish("FAILED" if status == "FINISHED" and not all_done else status)
        )

    def give_up(self, reason: str, status: Literal["FAILED", "KILLED"]) -> None:
        """Wait until all is written that can be, and close the run with the reason why it ended.

        Raises
        ------
        Exception
            What could not be written first.
        """
        self.set_tags({"error": reason})
        self.finish(status)

    def where(self) -> str:
        """One line for people: where to look at the run; it must be open."""
        assert self._run is not None
        return self._run.where()

    def _do(self, call: Callable[[TrackedRun], None]) -> None:
        self._backlog.add(lambda: call(self._opened()))


@contextlib.contextmanager
def opened(tracker: Tracker, info: RunInfo) -> Iterator[BackgroundRun]:
    """Open a run in the tracker, and close it with the status that the block ends with.

    Raises
    ------
    TrackingError
        If the tracker cannot be used, or what was recorded could not be written.
    """
    tracked = BackgroundRun(tracker, info)
    try:
        yield tracked
    except BaseException as error:
        text = f"{type(error).__name__}: {error}".replace("\n", " ")[:500]
        status: Literal["FAILED", "KILLED"] = "FAILED" if isinstance(error, Exception) else "KILLED"
        try:
            tracked.give_up(text, status)
        except Exception as second:  # what went wrong is worth more than what then goes wrong with the tracker
            if second is not error:
                log.warning("The run could not be closed as it should: %s", second)
        raise
    try:
        tracked.finish("FINISHED")
    except Exception:
        log.warning("What was made is whole in %s; the tracker lacks some of it.", info.directory)
        raise
