"""Runs in MLflow: one run per experiment, written in batches."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mfx.errors import RunGone, SettingError, TrackingError, mask
from mfx.files import copy_folder
from mfx.interfaces import DataInfo, RunInfo
from mfx.registry import register
from mfx.settings import Component, setting
from mfx.tracking.mlflow_client import experiment_id, open_client, told
from mfx.tracking.names import MAX_PARAM, MAX_TAG, check_key, metric_keys, shortened
from mfx.tracking.packaged import package
from mfx.tracking.store import Store, locate

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)

PARAMS_PER_CALL = 100
METRICS_PER_CALL = 1000
PAUSE = 60.0
"""Seconds for which a store that failed while a run lasts is left alone: one that is locked makes each call wait."""

TAG_NAMES = {
    "description": "mlflow.note.content",
    "git_commit": "mlflow.source.git.commit",
    "user": "mlflow.user",
}
"""Labels that MLflow knows under a name of its own; its UI shows them in their places."""


@register("tracking", "mlflow")
@dataclass(kw_only=True)
class MLflowTracker(Component):
    """Keeps runs in MLflow: settings, curves, metrics, tags, data and files; `mfx ui` shows them.

    Raises
    ------
    TrackingError
        If `uri` is malformed or of a kind that MLflow has no store for.
    """

    uri: str | None = setting(None)
    """Address of the store; by default MLFLOW_TRACKING_URI, else runs/mlflow.db where the command is typed."""

    flush_seconds: float = setting(10.0, ge=0)
    """While a run lasts, its curves are written at most this often, in seconds; 0 writes every epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.uri is not None:
            if not isinstance(self.uri, str):
                raise SettingError(f"MLflowTracker.uri={self.uri!r} must be of type str.")
            locate(self.uri)

    def __repr__(self) -> str:
        return f"MLflowTracker(uri={None if self.uri is None else mask(self.uri)!r})"

    def prepare(self) -> None:
        """Check the store now and open it in a background thread, so that `start` need not wait for MLflow's import.

        The run's start time is that of this call. Calling it is optional. MLflow's import shares the interpreter
        with whatever runs meanwhile, and its memory (about 75 MB) counts to the stage that is then measured.

        Raises
        ------
        TrackingError
            If the address is malformed, the place cannot be written or nothing answers. What shows later, when the
            store is opened, is raised by `start`.
        """
        if getattr(self, "opening_", None) is not None:
            return
        began = time.time()
        store = locate(self.uri)
        store.check()
        # Not a daemon: at exit Python waits for the thread, so a database is never left half made.
        with_one = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mfx-mlflow")
        self.opening_: _Opening | None = _Opening(store, began, with_one.submit(open_client, store))
        with_one.shutdown(wait=False)

    def start(self, info: RunInfo) -> MLflowRun:
        """Open a run and write its parameters and tags.

        Tags ``description``, ``git_commit`` and ``user`` go where MLflow shows them. Parameters longer than 6,000
        characters and tags longer than 8,000 are cut, which the value and a warning say.

        Raises
        ------
        TrackingError
            If the store cannot be reached or written, the experiment was deleted, or a name is one that MLflow
            refuses.
        """
        self.prepare()
        opening = self.opening_
        assert opening is not None
        self.opening_ = None
        for what, keys in (("parameter", info.params), ("tag", info.tags)):
            for key in keys:
                check_key(key, what)
        run = MLflowRun(opening.store, opening.client.result(), self.flush_seconds)
        run.open(info, opening.began)
        return run

    def reopen(self, run_id: str, experiment: str) -> MLflowRun:
        """Take up a run that was opened before, whether it ended or not; its status changes with `finish` only.

        Raises
        ------
        RunGone
            If the run is not in the store any more.
        TrackingError
            If the store cannot be reached.
        """
        opening, self.opening_ = getattr(self, "opening_", None), None
        store = locate(self.uri)
        client = open_client(store) if opening is None else opening.client.result()
        run = MLflowRun(store, client, self.flush_seconds)
        run.attach(run_id, experiment_id(client, store, experiment))
        return run

    def discard(self, experiment: str, tags: Mapping[str, str], parent: str | None = None) -> int:
        """Delete the runs with all these tags, such as one that a killed process left half written.

        Parameters
        ----------
        experiment : str
            Where they belong.
        tags : mapping of str to str
            Labels; no value may hold a quotation mark.
        parent : str, optional
            Id of the run that groups them.

        Returns
        -------
        int
            How many there were. MLflow keeps them among the deleted ones.

        Raises
        ------
        TrackingError
            If the store fails.
        """
        store = locate(self.uri)
        client = open_client(store)
        where = experiment_id(client, store, experiment)
        wanted = dict(tags) | ({} if parent is None else {"mlflow.parentRunId": parent})
        condition = " and ".join(f"tags.`{key}` = '{value}'" for key, value in wanted.items())
        with told(store, "deleting what was left half written"):
            found = client.search_runs([where], condition)
            for run in found:
                client.delete_run(run.info.run_id)
        return len(found)


@dataclass(frozen=True)
class _Opening:
    store: Store
    began: float
    client: Future[MlflowClient]


class MLflowRun:
    """A run in an MLflow store; numbers are collected and written in batches.

    Attributes
    ----------
    run_id : str
        MLflow's id of the run.
    """

    run_id: str

    def __init__(self, store: Store, client: MlflowClient, flush_seconds: float) -> None:
        self._store = store
        self._client = client
        self._every = flush_seconds
        self._pending: list[Any] = []
        self._known: dict[str, set[tuple[int, float]]] | None = None
        self._next = time.monotonic() + flush_seconds
        self._complained = False
        self._file = store.file()
        self._began = 0

    def open(self, info: RunInfo, began: float) -> None:
        """Create the run; `began` is its start in seconds since 1970."""
        experiment = experiment_id(self._client, self._store, info.experiment)
        params = _fitting("parameter", info.params, MAX_PARAM)
        tags = {"mlflow.source.name": "mfx", "mlflow.source.type": "LOCAL"} | _tags(info.tags)
        if info.parent is not None:
            tags["mlflow.parentRunId"] = info.parent
        with told(self._store, f"starting run '{info.name}'"):
            from mlflow.entities import Param

            self._began = int(began * 1000)
            run = self._client.create_run(experiment, start_time=self._began, tags=tags, run_name=info.name)
            self.run_id = str(run.info.run_id)
            self._experiment_id = experiment
            entities = [Param(key, value) for key, value in params.items()]
            try:
                for at in range(0, len(entities), PARAMS_PER_CALL):
                    self._client.log_batch(self.run_id, params=entities[at : at + PARAMS_PER_CALL])
            except Exception:
                with contextlib.suppress(Exception):  # `start` may be called again, and makes another run
                    self._client.delete_run(self.run_id)
                raise

    def attach(self, run_id: str, experiment: str) -> None:
        """Write to a run that exists, of the experiment with this id; numbers it has already are not repeated.

        Raises
        ------
        RunGone
            If it does not exist.
        """
        with told(self._store, f"taking up run {run_id}"):
            from mlflow.exceptions import MlflowException

            try:
                self._began = int(self._client.get_run(run_id).info.start_time)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                raise RunGone(
                    f"The run store {self._store.shown} has no run {run_id} any more.",
                    "Put the store back that had it, or leave out what goes on with that run.",
                ) from error
        self.run_id, self._experiment_id, self._known = run_id, experiment, {}

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Collect numbers for the next batch; `mfx.tracking.names.metric_key` gives their names in MLflow.

        A store that fails while a run lasts costs a warning, not the run: the numbers stay collected and `finish`
        writes them or raises.

        Raises
        ------
        TrackingError
            If a name cannot be written.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        keys = metric_keys(values)
        self._pending += [Metric(keys[name], float(value), now, step) for name, value in values.items()]
        if time.monotonic() < self._next and (self._complained or len(self._pending) < METRICS_PER_CALL):
            return
        try:
            self._flush()
        except TrackingError as error:
            self._next = time.monotonic() + max(self._every, PAUSE)
            if not self._complained:
                log.warning("%s The run goes on; its numbers are written later.", error.message)
                self._complained = True

    def log_data(self, data: DataInfo) -> None:
        """Record the data as a dataset input of the run, its fingerprint as the digest.

        Raises
        ------
        TrackingError
            If the store fails.
        """
        with told(self._store, f"recording the data '{data.name}'"):
            from mlflow.entities import Dataset, DatasetInput, InputTag

            kind, source = _source(data.source)
            profile = json.dumps(dict(data.profile), sort_keys=True)
            dataset = Dataset(data.name[:500], data.fingerprint[:36], kind, source, profile=profile)
            self._client.log_inputs(
                self.run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "experiment")])]
            )

    def log_folder(self, folder: Path, where: str = "") -> None:
        """Copy every file below a folder to `where` among the run's artifacts.

        A fitted model below it becomes a model of MLflow's, with signature and input example, that can be served.

        Raises
        ------
        TrackingError
            If there is no such folder, or the artifacts cannot be written.
        """
        if not folder.is_dir():
            raise TrackingError(f"There is no folder {folder} to keep.", "Write the files before they are recorded.")
        for model in folder.glob("*/model.json"):
            try:
                package(model.parent)
            except TrackingError as error:
                log.warning("The model is kept, but cannot be served: %s", error.message)
        with told(self._store, f"copying {folder}", in_turn=False):
            place = self._artifacts()
            if place is None:
                self._client.log_artifacts(self.run_id, str(folder), where or None)
            else:
                # MLflow would copy in place, so that a full disk or a kill leaves half of a file.
                copy_folder(folder, place / where)

    def _artifacts(self) -> Path | None:
        """Find the folder of the run's artifacts; None where they are not in files of this machine."""
        from mlflow.utils.file_utils import local_file_uri_to_path

        uri = str(self._client.get_run(self.run_id).info.artifact_uri)
        return Path(local_file_uri_to_path(uri)) if uri.startswith("file:") else None  # type: ignore[no-untyped-call]

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Add or replace labels.

        Raises
        ------
        TrackingError
            If a key cannot be written or the store fails.
        """
        for key in tags:
            check_key(key, "tag")
        self._set_tags(_tags(tags))

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        with told(self._store, "writing tags"):
            from mlflow.entities import RunTag

            entities = [RunTag(key, value) for key, value in tags.items()]
            for at in range(0, len(entities), PARAMS_PER_CALL):
                self._client.log_batch(self.run_id, tags=entities[at : at + PARAMS_PER_CALL])

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Write everything that is collected, then the run's end.

        Raises
        ------
        TrackingError
            If the store fails; nothing collected is lost, so that `finish` can be called again.
        """
        self._flush()
        with told(self._store, "ending the run"):
            if self._known is not None and status == "FINISHED":
                self._forget_error()
            # A clock that was set back meanwhile must not end a run before it began.
            now = int(time.time() * 1000)
            self._client.set_terminated(self.run_id, status, max(now, self._began))
            if self._store.file() != self._file:
                # SQLite goes on writing to a file that has no name any more.
                raise TrackingError(
                    f"The run store {self._store.shown} was deleted or replaced while the run lasted.",
                    "Put it back, or type the same command again: a new store is made.",
                )

    def _stands(self, metric: Any) -> bool:
        """Whether a run that was taken up has this point already."""
        assert self._known is not None
        if metric.key not in self._known:
            history = self._client.get_metric_history(self.run_id, metric.key)
            self._known[metric.key] = {(point.step, point.value) for point in history}
        return (metric.step, metric.value) in self._known[metric.key]

    def _forget_error(self) -> None:
        """Take away why an earlier process ended, as the run has come to its end after all."""
        if "error" in self._client.get_run(self.run_id).data.tags:
            self._client.delete_tag(self.run_id, "error")

    def where(self) -> str:
        """One line for people: the store, the run and the command that shows it."""
        if self._store.database is None and self._store.artifacts is None:
            return f"{self._store.shown}, run {self.run_id} of experiment {self._experiment_id}"
        option = "" if self._store.uri == locate().uri else f" --uri {mask(self._store.uri)}"
        return f"{self._store.shown}, run {self.run_id}; look at it with: mfx ui{option}"

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._store.database is None:
            # A server that went away is noticed in seconds; MLflow itself would retry for minutes.
            self._store.check()
        with told(self._store, "writing metrics"):
            if self._known is not None:
                self._pending = [one for one in self._pending if not self._stands(one)]
            while self._pending:
                self._client.log_batch(self.run_id, metrics=self._pending[:METRICS_PER_CALL])
                del self._pending[:METRICS_PER_CALL]
        self._next, self._complained = time.monotonic() + self._every, False


def _fitting(what: str, values: Mapping[str, str], limit: int) -> dict[str, str]:
    kept, cut = shortened({key: mask(value) for key, value in values.items()}, limit)
    for key in cut:
        log.warning("The value of %s '%s' is longer than MLflow's %d characters and was cut.", what, key, limit)
    return kept


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {TAG_NAMES.get(key, key): value for key, value in _fitting("tag", tags, MAX_TAG).items()}


def _source(source: str) -> tuple[str, str]:
    """Type and JSON of a dataset source, as `mlflow.data.get_source` reads them back."""
    shown = mask(source)
    if shown.startswith(("http://", "https://")):
        return "http", json.dumps({"url": shown})
    if Path(source).is_absolute():
        return "local", json.dumps({"uri": source})
    return "code", json.dumps({"tags": {"mlflow.source.name": shown}})
