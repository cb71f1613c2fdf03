"""A tracked run whose store works in a thread of its own, so that fitting need not wait for it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from mfx.interfaces import DataInfo, RunInfo, TrackedRun, Tracker

log = logging.getLogger(__name__)


class BackgroundRun:
    """Opens a run and passes everything on to it, in order, from one background thread.

    What fails there is raised by the next call, at the latest by `finish`; nothing after it is tried but the end.

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
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mfx-tracking")
        self._opened: Future[TrackedRun] = self._thread.submit(tracker.start, info)
        self._waiting: list[Future[Any]] = []
        self._failed = False

    @property
    def run_id(self) -> str:
        """Id of the run; waits until it is open."""
        return self._opened.result().run_id

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
        """Wait until all is written and close the run; when something could not be written, as FAILED."""
        for one in self._waiting:
            if one.exception() is not None and status == "FINISHED":
                status = "FAILED"
        self._waiting.append(self._thread.submit(lambda: self._opened.result().finish(status)))
        self._thread.shutdown(wait=True)
        self._raise_failures()

    def give_up(self, reason: str, status: Literal["FAILED", "KILLED"]) -> None:
        """Wait until all is written that can be, and close the run with the reason why it ended.

        Raises
        ------
        Exception
            What could not be written first.
        """
        self._waiting.append(self._thread.submit(lambda: self._opened.result().set_tags({"error": reason})))
        self.finish(status)

    def where(self) -> str:
        """One line for people: where to look at the run."""
        return self._opened.result().where()

    def _do(self, call: Callable[[TrackedRun], None]) -> None:
        self._raise_failures()
        self._waiting.append(self._thread.submit(self._call, call))

    def _call(self, call: Callable[[TrackedRun], None]) -> None:
        if self._failed:
            return  # a store that fails may make each call wait
        try:
            call(self._opened.result())
        except BaseException:
            self._failed = True
            raise

    def _raise_failures(self) -> None:
        done = [one for one in self._waiting if one.done()]
        self._waiting = [one for one in self._waiting if not one.done()]
        for one in done:
            one.result()


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
    tracked.finish("FINISHED")
