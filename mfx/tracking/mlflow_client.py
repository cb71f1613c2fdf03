"""Opening an MLflow store: quietly, once per fresh database, and with errors in one line.

Everything here may take a second or more, because it imports MLflow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mfx.errors import MFXError, TrackingError, mask
from mfx.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

LOCK_SECONDS = 120.0
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Without it, MLflow's pages open an experiment as one about language models, with its runs at the margin."""


@contextlib.contextmanager
def told(store: Store, doing: str, *, in_turn: bool = True) -> Iterator[None]:
    """Turn whatever MLflow, its database layer or the file system raises into a one-line `TrackingError`.

    The block has its turn to write to the store, but for `in_turn` false.
    """
    try:
        with store.turn() if in_turn else contextlib.nullcontext():
            yield
    except MFXError:
        raise
    except Exception as error:  # third parties raise dozens of types here; the cause stays attached for --debug
        cause = _driver_error(error) or error
        text = mask(" ".join((str(cause).strip() or type(cause).__name__).partition("\n")[0].split()))
        reason = text if len(text) <= 300 else f"{text[:297]}..."
        raise TrackingError(
            f"The run store {store.shown} failed while {doing}: {reason.rstrip('.')}.", _hint(store, text)
        ) from error


def _driver_error(error: BaseException) -> BaseException | None:
    """Find what the database's driver said, which SQLAlchemy and MLflow wrap in words of their own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(found := getattr(seen, "orig", None), BaseException):
            return found
        seen = seen.__cause__
    return None


def _hint(store: Store, reason: str) -> str:
    low = reason.lower()
    if store.database is not None and not (store.database.exists() and store.database.stat().st_size):
        return "The file was deleted or moved: put it back, or type the same command again for a new store."
    if "malformed" in low or "not a database" in low or "no such table" in low:
        return "It is damaged: move the file away, and the next run makes a new one."
    if "locked" in low:
        return "Another program writes to it; end that program, or give this run another store with tracking.uri=."
    if "out-of-date" in low or "upgrade" in low:
        return f"Copy it to a safe place, then run: mlflow db upgrade {mask(store.uri)}"
    if "no module named" in low:
        return "Install the database driver that the address needs."
    if "readonly" in low or "permission" in low or "unable to open" in low:
        return "Make it writable, or choose another store with tracking.uri=sqlite:///PATH."
    if "disk" in low or "no space" in low:
        return "Free disk space, or choose another store with tracking.uri=sqlite:///PATH."
    return "Check tracking.uri and MLFLOW_TRACKING_URI; --debug shows the whole error."


def open_client(store: Store) -> MlflowClient:
    """Import MLflow, make the database if there is none, and return a client of the store.

    Raises
    ------
    TrackingError
        If the store cannot be made or opened, in one line and without credentials.
    """
    keep_quiet()
    with told(store, "opening it", in_turn=False):
        from mlflow.tracking import MlflowClient

        _set_levels()
        if store.database is None:
            client = MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
            client.search_experiments(max_results=1)
            return client
        # Imported before the lock is taken, so that others wait for the schema only.
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
        from filelock import FileLock, Timeout

        lock = FileLock(f"{store.database}.lock", timeout=LOCK_SECONDS)
        try:
            with lock:
                if not store.database.exists() or not store.database.stat().st_size:
                    _create(store.database, store.artifacts or store.database.parent / "artifacts")
                return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
        except Timeout as error:
            raise TrackingError(
                f"The run store {store.shown} is being made by another program for more than {LOCK_SECONDS:g} s.",
                f"End that program; if there is none, delete {lock.lock_file}.",
            ) from error


def experiment_id(client: MlflowClient, store: Store, name: str) -> str:
    """Find the experiment of that name, or make it.

    Raises
    ------
    TrackingError
        If it was deleted in MLflow, or the store fails.
    """
    with told(store, f"opening experiment '{name}'"):
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(name)
        if found is None:
            place = None if store.artifacts is None else (store.artifacts / _slug(name)).as_uri()
            try:
                return str(client.create_experiment(name, artifact_location=place, tags=EXPERIMENT_TAGS))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"Experiment '{name}' was deleted from {store.shown}.",
                f"Choose another experiment_name=, or run: "
                f"mlflow experiments restore --experiment-id {found.experiment_id}",
            )
        return str(found.experiment_id)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "experiment"


def _create(database: Path, artifacts: Path) -> None:
    """Make the schema in a file of its own and move it into place, so that an interrupted run leaves no half of it."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    draft = database.with_name(f".{database.name}.{os.getpid()}.tmp")
    try:
        made = SqlAlchemyStore(f"sqlite:///{draft.as_posix()}", artifacts.as_uri())  # type: ignore[no-untyped-call]
        made.engine.dispose()
        draft.replace(database)
    finally:
        draft.unlink(missing_ok=True)


def keep_quiet() -> None:
    """Ask MLflow, before it is imported, for warnings only and for no messages home."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")


def _set_levels() -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It repeats each failure with a traceback; the error at the end says it once.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
