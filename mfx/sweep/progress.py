"""One line after each trial: how many are done, the best so far and the time left."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mfx.errors import mask

log = logging.getLogger(__name__)


class Progress:
    """Follows a sweep by way of the log; on a terminal the line replaces the one before instead."""

    def __init__(self, objective: str, higher_is_better: bool) -> None:
        self._objective, self._sign = f"valid/{objective}", -1.0 if higher_is_better else 1.0
        self._began, self._here = time.monotonic(), 0
        self._best: tuple[float, int, float] | None = None
        self._live = sys.stderr.isatty()
        self._width = 0

    def resumed(self, done: int, best: Sequence[tuple[int, float | None]]) -> None:
        """Say that a study goes on, with its best trial and value so far."""
        for number, value in best:
            if value is not None:
                self._best = (self._sign * value, number, value)
        log.info("The study goes on: %d trials are done.", done)

    def trial(self, number: int, end: int, stage: str, record: Mapping[str, Any], text: str) -> None:
        """Tell of a trial that ended; `end` is how many there are up to the end of the stage."""
        self._here += 1
        value = record["value"]
        if record["status"] == "complete" and (self._best is None or self._sign * value < self._best[0]):
            self._best = (self._sign * value, number, value)
        left = (time.monotonic() - self._began) / self._here * max(0, end - number - 1)
        best = "" if self._best is None else f", best {self._best[2]:.4f} (trial {self._best[1]})"
        line = f"{stage} {number + 1}/{end}: {self._objective} {self._outcome(record)}{best}, {_time(left)} left"
        if "error" in record:
            self.end()
            log.warning("trial %d failed (%s): %s", number, mask(text), record["error"])
        if self._live:
            sys.stderr.write(f"\r{line:{self._width}}")
            sys.stderr.flush()
            self._width = len(line)
        else:
            log.info("%s", line)

    def end(self) -> None:
        """Leave the line where it is."""
        if self._live and self._width:
            sys.stderr.write("\n")
            self._width = 0

    @staticmethod
    def _outcome(record: Mapping[str, Any]) -> str:
        return f"{record['value']:.4f}" if record["status"] == "complete" else str(record["status"])


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
