"""A progress bar on standard error, on a terminal only, for runs that take longer than two seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

PATIENCE = 2.0


@contextlib.contextmanager
def shown(title: str) -> Iterator[Bar | None]:
    """Show the progress of what is done inside the block; gives nobody to tell where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = Bar(title)
    try:
        yield bar
    finally:
        bar.stop()


class Bar:
    """Appears two seconds after the start and vanishes at the end."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._lock = threading.Lock()
        self._text, self._done = "starting", 0
        self._of: int | None = None
        self._progress: Any = None
        self._timer = threading.Timer(PATIENCE, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def stage(self, name: str) -> None:
        """Say which stage of a run begins."""
        self._update(name, 0, None)

    def step(self, what: str, done: int, of: int | None) -> None:
        """Say what is being done, and how far it is."""
        self._update(what, done, of)

    def epoch(
        self, number: int, of: int | None, objective: str, value: float | None, spent: Mapping[str, float]
    ) -> None:
        """Say which epoch is over, and what came of it."""
        stage = self._text.partition(" ")[0]
        now = "" if value is None else f" {objective} {value:.4f}"
        self._update(f"{stage} epoch {number}{now}{_speed(spent)}", number, of)

    def stop(self) -> None:
        """Vanish."""
        self._timer.cancel()
        with self._lock:
            if self._progress is not None:
                self._progress.stop()
                self._progress = None

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        with self._lock:
            if not self._timer.finished.is_set():
                columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
                self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
                self._task = self._progress.add_task("", total=None)
                self._progress.start()
                self._show()

    def _update(self, text: str, done: int, of: int | None) -> None:
        with self._lock:
            self._text, self._done, self._of = text, done, of
            if self._progress is not None:
                self._show()

    def _show(self) -> None:
        description = f"{self._title}: {self._text}"
        self._progress.update(self._task, description=description, completed=self._done, total=self._of)


def _speed(spent: Mapping[str, float]) -> str:
    """Say how fast the workers of an engine are and how many, where there are any."""
    if "engine/workers" not in spent:
        return ""
    return f" · {spent['engine/rows_per_second']:,.0f} rows/s, {spent['engine/workers']:.0f} workers"
