"""Seconds and peak memory of each stage of a run."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_HIGH = re.compile(rb"VmHWM:\s+(\d+) kB")


@dataclass
class _Stage:
    seconds: float = 0.0
    peak: float = 0.0
    began: float | None = None

    def so_far(self) -> float:
        return self.seconds + (0.0 if self.began is None else time.perf_counter() - self.began)


@dataclass
class StageClock:
    """Records wall seconds and peak resident memory of stages.

    A stage that runs twice adds its seconds and keeps the larger peak; a stage inside another counts for both.
    Peak memory is that of the whole process, background threads included, in MB of 10^6 bytes.

    Parameters
    ----------
    announce : callable, optional
        Told the name of each stage when it begins.

    Attributes
    ----------
    method : {"stage", "process", "none"}
        How peaks are measured. ``stage``: the kernel's high-water mark, reset when a stage starts (Linux).
        ``process``: the highest since the process started, where it cannot be reset. ``none``: not at all.
    """

    announce: Callable[[str], None] | None = None
    method: str = field(init=False, default="none")
    _stages: dict[str, _Stage] = field(init=False, default_factory=dict)
    _open: list[_Stage] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.method = _method()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block as stage `name`, also when it raises."""
        if self.announce is not None:
            self.announce(name)
        stage = self._stages.setdefault(name, _Stage())
        self._mark()
        self._open.append(stage)
        stage.began = time.perf_counter()
        try:
            yield
        finally:
            stage.seconds, stage.began = stage.so_far(), None
            self._mark()
            self._open.pop()

    def _mark(self) -> None:
        # A reset forgets the peak of every enclosing stage, so it is handed to all of them first.
        peak = _peak(self.method)
        for stage in self._open:
            stage.peak = max(stage.peak, peak)
        if self.method == "stage":
            _reset()

    def carry(self, metrics: Mapping[str, float]) -> None:
        """Count in what another clock, of the same run in an earlier process, had measured: its `metrics`."""
        for name, value in metrics.items():
            kind, _, stage = name.partition("/")
            known = self._stages.setdefault(stage, _Stage())
            if kind == "seconds":
                known.seconds += value
            else:
                known.peak = max(known.peak, value)

    def metrics(self) -> dict[str, float]:
        """Return ``seconds/NAME`` and, unless the method is none, ``peak_mb/NAME``, in the order of the stages."""
        numbers = {f"seconds/{name}": stage.so_far() for name, stage in self._stages.items()}
        if self.method != "none":
            numbers |= {f"peak_mb/{name}": stage.peak for name, stage in self._stages.items()}
        return numbers


def _method() -> str:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            _reset()
            if _peak("stage") > 0:
                return "stage"
    with contextlib.suppress(ImportError):
        import resource  # noqa: F401 - not on Windows

        return "process"
    return "none"


def _reset() -> None:
    _CLEAR.write_bytes(b"5")


def _peak(method: str) -> float:
    """Peak resident memory in MB by the given method."""
    if method == "stage":
        found = _HIGH.search(_STATUS.read_bytes())
        return int(found.group(1)) * 1024 / 1e6 if found else 0.0
    if method == "process":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return 0.0
