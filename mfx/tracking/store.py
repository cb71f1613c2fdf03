"""Which store holds the runs, whether it answers, and how its address is shown; all of it without importing MLflow."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mfx.errors import TrackingError, mask

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
ELSEWHERE = ("databricks",)
TURN_SECONDS, POLL_SECONDS = 60.0, 0.005
"""How long a process waits for its turn to write to an sqlite store, and how often it looks."""
HINT = "Set tracking.uri to sqlite:///PATH, postgresql://..., mysql://..., mssql://... or http(s)://HOST:PORT."


@dataclass(frozen=True, repr=False)
class Store:
    """Address of an MLflow store.

    Attributes
    ----------
    uri : str
        As MLflow wants it; an sqlite path in it is absolute. May hold credentials: show `shown` to people.
    database : pathlib.Path or None
        The file of an sqlite store.
    artifacts : pathlib.Path or None
        Folder of new experiments' artifacts; None where a server keeps them itself.
    """

    uri: str
    database: Path | None
    artifacts: Path | None

    def __repr__(self) -> str:
        return f"Store({self.shown!r})"

    @property
    def shown(self) -> str:
        """The address for people: the absolute path of an sqlite store, else the address without credentials."""
        return str(self.database) if self.database is not None else mask(self.uri)

    def file(self) -> tuple[int, int] | None:
        """Tell one file from another of the same name: device and number; None for servers and where there is none."""
        try:
            about = None if self.database is None else self.database.stat()
        except FileNotFoundError:
            return None
        return None if about is None else (about.st_dev, about.st_ino)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Write to an sqlite store only while no other process of MFX does; servers see to that themselves.

        SQLite lets a process that waits look again now and then, so that of many busy ones some may never get their
        turn before its patience ends. Where nobody lets go for long, or no lock can be made, SQLite has to decide.
        """
        if self.database is None or not self.database.is_file():
            yield
            return
        from filelock import FileLock, Timeout

        lock = FileLock(f"{self.database}.lock", is_singleton=True)  # that of making the schema
        waited = False
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lock.acquire(blocking=False))
            except Timeout:
                waited = True
                with contextlib.suppress(Timeout, OSError):
                    held.enter_context(lock.acquire(timeout=TURN_SECONDS, poll_interval=POLL_SECONDS))
            except OSError:
                pass
            yield
        if waited:
            time.sleep(3 * POLL_SECONDS)  # whoever waits now comes first

    def check(self, timeout: float = 10.0) -> None:
        """See in a moment whether the store can be used: sqlite files are opened, servers are connected to.

        Raises
        ------
        TrackingError
            If the folder cannot be written, the file is no database or stays locked for `timeout` seconds, or
            nothing answers at the address.
        """
        if self.database is not None:
            _check_folder(self.database)
            with self.turn():
                _check_sqlite(self.database, timeout)
        else:
            _check_server(self.uri, timeout)


def locate(uri: str | None = None, *, folder: Path | None = None) -> Store:
    """Find the store: `uri`, else the environment's ``MLFLOW_TRACKING_URI``, else ``runs/mlflow.db``.

    Parameters
    ----------
    uri : str or None
        Address of the store; relative sqlite paths start at `folder`.
    folder : pathlib.Path or None
        The folder that ``runs/`` and relative paths mean; the current one when None.

    Raises
    ------
    TrackingError
        If the address is malformed or of a kind that MLflow has no store for.
    """
    base = (folder or Path.cwd()).absolute()
    given = (uri or os.environ.get("MLFLOW_TRACKING_URI") or "").strip()
    if not given:
        return _sqlite(base / "runs" / "mlflow.db")
    scheme, colon, rest = given.partition(":")
    kind = scheme.lower().partition("+")[0]
    if not colon or kind == "file" or len(scheme) == 1:
        raise TrackingError(f"tracking.uri={mask(given)!r} is a folder or file, not a store.", HINT)
    if kind == "sqlite":
        if not rest.startswith("///") or not rest[3:]:
            raise TrackingError(
                f"tracking.uri={given!r} does not name a database file.", "Write sqlite:///runs/mlflow.db."
            )
        return _sqlite(base / rest[3:])
    if kind not in PORTS and scheme not in ELSEWHERE and scheme not in _plugin_schemes():
        raise TrackingError(f"tracking.uri={mask(given)!r}: there is no store of kind '{scheme}'.", HINT)
    if kind in PORTS and not urlsplit(given).hostname:
        raise TrackingError(f"tracking.uri={mask(given)!r} names no host.", HINT)
    server = kind in ("http", "https") or kind not in PORTS
    return Store(given, None, None if server else base / "runs" / "artifacts")


def _sqlite(path: Path) -> Store:
    full = Path(os.path.normpath(path))
    if any(mark in str(full) for mark in "?#%"):
        raise TrackingError(
            f"The run store {full} cannot be addressed: its path holds one of ? # %.",
            "Choose another place with tracking.uri=sqlite:///PATH.",
        )
    return Store(f"sqlite:///{full.as_posix()}", full, full.parent / "artifacts")


def _plugin_schemes() -> set[str]:
    return {point.name for point in importlib.metadata.entry_points(group="mlflow.tracking_store")}


def _check_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
            raise PermissionError(13, "Permission denied")
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory")
    except OSError as error:
        raise TrackingError(
            f"The run store {path} cannot be written: {error.strerror}.",
            "Choose another place with tracking.uri=sqlite:///PATH, or make this one writable.",
        ) from error


def _check_sqlite(path: Path, timeout: float) -> None:
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise TrackingError(
                f"The run store {path} stayed locked for {timeout:g} s.",
                "End the program that holds it, or choose another store with tracking.uri=sqlite:///PATH.",
            ) from error
        raise TrackingError(
            f"The run store {path} cannot be opened: {error}.",
            "Make it writable, or choose another store with tracking.uri=sqlite:///PATH.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"The run store {path} is not an sqlite database.",
            "Move the file away, or choose another store with tracking.uri=sqlite:///PATH.",
        ) from error
    # MLflow would add its tables to whatever database it is given.
    if tables and not {"alembic_version", "experiments"} <= tables:
        raise TrackingError(
            f"The run store {path} is a database of another program: it has no table of MLflow's.",
            "Choose another store with tracking.uri=sqlite:///PATH.",
        )


def _check_server(uri: str, timeout: float) -> None:
    parts = urlsplit(uri)
    kind = parts.scheme.lower().partition("+")[0]
    if kind not in PORTS:
        return
    host = str(parts.hostname)
    try:
        port = parts.port or PORTS[kind]
        with socket.create_connection((host, port), timeout=timeout):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TrackingError(
            f"The run store {mask(uri)} does not answer: {reason}.",
            "Start the server, correct tracking.uri or MLFLOW_TRACKING_URI, or keep runs here with "
            "tracking.uri=sqlite:///runs/mlflow.db.",
        ) from error
