"""Tracking without a store: what happens goes to the log, and nothing is kept but the run's own folder."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mfx.errors import TrackingError, mask
from mfx.interfaces import DataInfo, RunInfo
from mfx.registry import register
from mfx.settings import Component

log = logging.getLogger(__name__)


@register("tracking", "console")
@dataclass(kw_only=True)
class ConsoleTracker(Component):
    """Keeps no store: the log gets one line when a run starts, for its data, its results and its end.

    Metrics of epochs (``step`` above 0), parameters and tags are logged at level DEBUG.
    """

    def prepare(self) -> None:
        """Do nothing: there is no place to open."""

    def start(self, info: RunInfo) -> ConsoleRun:
        """Open a run; nothing can go wrong."""
        log.info("Run '%s' of experiment '%s' starts; it is not kept in a store.", info.name, info.experiment)
        for key, value in info.params.items():
            log.debug("%s=%s", key, mask(value))
        run = ConsoleRun(info.name, info.directory)
        run.set_tags(info.tags)
        return run


@dataclass
class ConsoleRun:
    """A run that only the log sees."""

    name: str
    directory: Path
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _began: float = field(default_factory=time.perf_counter)

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Write numbers in one line: final ones at level INFO, those of an epoch at DEBUG."""
        if values:
            line = ", ".join(f"{name} {value:.6g}" for name, value in values.items())
            log.log(logging.DEBUG if step else logging.INFO, "%s%s", f"epoch {step}: " if step else "", line)

    def log_data(self, data: DataInfo) -> None:
        """Write name, source and fingerprint of the data."""
        log.info("Data: %s from %s, fingerprint %s.", data.name, mask(data.source), data.fingerprint)

    def log_folder(self, folder: Path, where: str = "") -> None:
        """Write where the files are; they stay there and nowhere else.

        Raises
        ------
        TrackingError
            If there is no such folder.
        """
        if not folder.is_dir():
            raise TrackingError(f"There is no folder {folder} to keep.", "Write the files before they are recorded.")
        log.debug("Files: %s.", folder.absolute())

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Write labels at level DEBUG."""
        for key, value in tags.items():
            log.debug("Tag %s: %s", key, mask(value))

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Write how the run ended and after how many seconds."""
        log.info("Run '%s': %s after %.1f s.", self.name, status.lower(), time.perf_counter() - self._began)

    def where(self) -> str:
        """One line for people: the run's folder."""
        return f"{self.directory.absolute()} (tracking=console keeps no store)"
