"""A sweep in the tracker: a parent run, and a child for each trial that ended, written while the next ones run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from mfx import results
from mfx.errors import RunGone
from mfx.files import write_text
from mfx.interfaces import RunInfo, TrackedRun, Tracker
from mfx.sweep.study import Study
from mfx.tracking.backlog import Backlog

log = logging.getLogger(__name__)

CHILD_FILE = "tracked.json"
BEGUN = ".begun"
"""Ending of the file that stands beside where a run's id will be, from before the run is opened."""


class TrackedSweep:
    """Writes to the tracker from one background thread.

    What fails there costs a warning and is tried again later; `wait` and `close` raise what could not be written.

    Parameters
    ----------
    tracker : Tracker
        Where runs are kept. Where it has a method ``reopen(run_id, experiment)``, a sweep that goes on keeps its
        parent, and the best child is marked. Where it has ``discard(experiment, tags, parent)``, what a killed process
        left half written is deleted before it is written again.
    info : RunInfo
        What the parent run is told when it is opened for the first time.
    study : Study
        Whose folder remembers the parent and the children.
    """

    def __init__(self, tracker: Tracker, info: RunInfo, study: Study) -> None:
        if hasattr(tracker, "prepare"):
            tracker.prepare()
        self._tracker, self._info, self._study = tracker, info, study
        self._opened: TrackedRun | None = None
        self._backlog = Backlog("mfx-sweep-tracking", "The sweep")
        self._backlog.add(self._parent)

    @property
    def run_id(self) -> str:
        """Id of the parent run; waits until it is open."""
        return (self._opened or self._backlog.ask(self._parent)).run_id

    def where(self) -> str:
        """One line for people: where to look at the sweep."""
        return (self._opened or self._backlog.ask(self._parent)).where()

    def trial(self, number: int, record: Mapping[str, Any], stage: str, params: Mapping[str, str]) -> None:
        """Record a trial that ended, once, however often this is called."""
        self._backlog.add(lambda: self._child(number, record, stage, dict(params)))

    def on_parent(self, do: Callable[[TrackedRun], None]) -> None:
        """Do something with the parent run, after everything before it."""
        self._backlog.add(lambda: do(self._parent()))

    def mark_best(self, number: int) -> None:
        """Tag the child of the best trial."""
        self._backlog.add(lambda: self._mark(number))

    def discard(self, tags: Mapping[str, str]) -> None:
        """Delete children with these tags, which a killed process left half written; waits until they are gone."""
        self._backlog.ask(lambda: self._discard(tags, self._parent().run_id))

    def wait(self) -> None:
        """Wait until everything so far is written.

        Raises
        ------
        Exception
            What could not be written first.
        """
        self._backlog.settle()

    def close(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Wait until everything is written, and end the parent run.

        Raises
        ------
        Exception
            What could not be written first.
        """
        self._backlog.close(lambda all_done: self._parent().finish(status))

    def _parent(self) -> TrackedRun:
        """Return the parent run, opened if need be; for the background thread."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> TrackedRun:
        path = self._study.folder / results.PARENT_FILE
        # A lock of its own: who holds that of the study may be waiting for this very run.
        with FileLock(self._study.folder / "parent.lock"):
            before = json.loads(path.read_text(encoding="utf-8"))["run_id"] if path.is_file() else None
            if before is not None and hasattr(self._tracker, "reopen"):
                try:
                    found: TrackedRun = self._tracker.reopen(before, self._info.experiment)
                    return found
                except RunGone as error:
                    log.warning("%s The sweep is recorded anew, with the trials that are done.", error.message)
            elif before is not None:
                log.warning("This tracker cannot take up a run again, so the sweep goes on below a new parent.")
            begun = path.with_suffix(BEGUN)
            if begun.is_file():
                self._discard({"study_id": begun.read_text(encoding="utf-8")})
            else:
                write_text(begun, f"{results.token()}{results.token()}")
            tags = {**self._info.tags, "study_id": begun.read_text(encoding="utf-8")}
            run = self._tracker.start(replace(self._info, tags=tags))
            results.write_json(path, {"run_id": run.run_id, "swept": [one.name for one in self._study.space]})
            return run

    def _child(self, number: int, record: Mapping[str, Any], stage: str, params: Mapping[str, str]) -> None:
        folder = self._study.place(number)
        self._parent()
        # Trials of a dead sweeper may be recorded by two that live.
        with FileLock(folder / "tracked.lock"):
            if not self.has(folder / CHILD_FILE):
                self._write_child(folder, number, record, stage, params)

    def has(self, note: Path) -> bool:
        """Whether the run that a file names is recorded, below this parent and not one that is gone with its store."""
        if not note.is_file():
            return False
        parent = json.loads(note.read_text(encoding="utf-8")).get("parent")
        return parent in (None, self.run_id) or not hasattr(self._tracker, "reopen")

    def _write_child(
        self, folder: Path, number: int, record: Mapping[str, Any], stage: str, params: Mapping[str, str]
    ) -> None:
        parent = self._parent().run_id
        begun = (folder / CHILD_FILE).with_suffix(BEGUN)
        if begun.is_file():
            self._discard({"trial": str(number)}, parent)
        write_text(begun, "")
        status = record["status"]
        tags = {"stage": stage, "trial": str(number), "objective": self._info.tags["objective"], "trial_status": status}
        if "error" in record:
            tags["error"] = record["error"][:500]
        run = self._tracker.start(
            RunInfo(self._info.experiment, f"trial {number} {stage}", params, tags, parent, folder)
        )
        epochs = max(map(len, record["curves"].values()), default=0)
        for epoch in range(epochs):
            run.log_metrics({k: v[epoch] for k, v in record["curves"].items() if epoch < len(v)}, step=epoch + 1)
        final = record["metrics"]
        run.log_metrics({k: v for k, v in final.items() if k in record["curves"]}, step=epochs + 1)
        run.log_metrics({k: v for k, v in final.items() if k not in record["curves"]})
        run.finish("FAILED" if status == "failed" else "FINISHED")
        results.write_json(folder / CHILD_FILE, {"run_id": run.run_id, "parent": parent})

    def _discard(self, tags: Mapping[str, str], parent: str | None = None) -> None:
        if hasattr(self._tracker, "discard"):
            self._tracker.discard(self._info.experiment, tags, parent)
        else:
            log.warning("This tracker cannot delete runs, so one that was cut off stays beside the whole one: %s", tags)

    def _mark(self, number: int) -> None:
        if not hasattr(self._tracker, "reopen"):
            log.warning("This tracker cannot take up a run again; the parent alone says which trial is the best.")
            return
        run_id = json.loads((self._study.place(number) / CHILD_FILE).read_text(encoding="utf-8"))["run_id"]
        self._tracker.reopen(run_id, self._info.experiment).set_tags({"best": "true"})
