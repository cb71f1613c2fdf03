"""Where the seconds of an engine's epochs go: kernels, transfer, and waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Times:
    """Adds up updates of rows until it is asked.

    Each second between the start of an update and its end is one of three: ``compute``, that a worker on average
    spent in kernels; ``transfer``, in which tables and rows were moved, by the driver or on average by a worker; and
    ``wait``, the rest: workers without a block, and the engine's own work.
    """

    _wall: float = 0.0
    _compute: float = 0.0
    _moved: float = 0.0
    _rows: int = 0
    _seen: set[int] = field(default_factory=set)

    def add(self, wall: float, *, by_worker: dict[int, tuple[float, float]], moved: float, rows: int) -> None:
        """Take note of one update.

        Parameters
        ----------
        wall : float
            Its seconds.
        by_worker : dict of int to tuple of float
            By process: seconds in kernels, and in which it fetched what it needed.
        moved : float
            Seconds in which the driver sent and took in.
        rows : int
            How many rows were solved.
        """
        workers = max(1, len(by_worker))
        self._wall += wall
        self._compute += sum(kernels for kernels, _ in by_worker.values()) / workers
        self._moved += moved + sum(fetching for _, fetching in by_worker.values()) / workers
        self._rows += rows
        self._seen |= set(by_worker)

    def take(self) -> dict[str, float]:
        """Return what was added since the last time, and begin anew; empty if nothing was."""
        if not self._rows:
            return {}
        told = {
            "seconds/epoch_compute": self._compute,
            "seconds/epoch_transfer": self._moved,
            "seconds/epoch_wait": max(0.0, self._wall - self._compute - self._moved),
            "engine/workers": float(len(self._seen)),
            "engine/rows_per_second": self._rows / self._wall,
        }
        self._wall, self._compute, self._moved, self._rows, self._seen = 0.0, 0.0, 0.0, 0, set()
        return told


class Stopwatch:
    """Adds up the seconds of the blocks that it times."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
