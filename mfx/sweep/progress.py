"""One line on standard error after each trial: how many are done, the best so far and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Progress:
    """Follows a sweep; on a terminal the line replaces the one before."""

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
        print(f"The study goes on: {done} trials are done.", file=sys.stderr)

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
            print(f"trial {number} failed ({text}): {record['error']}", file=sys.stderr)
        if self._live:
            print(f"\r{line:{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        else:
            print(line, file=sys.stderr)

    def end(self) -> None:
        """Leave the line where it is."""
        if self._live and self._width:
            print(file=sys.stderr)
            self._width = 0

    @staticmethod
    def _outcome(record: Mapping[str, Any]) -> str:
        return f"{record['value']:.4f}" if record["status"] == "complete" else str(record["status"])


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
