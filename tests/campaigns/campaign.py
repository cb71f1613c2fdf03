"""What campaigns share: arguments, commands in forks of the program, checks of what is left, and results as JSON."""

from __future__ import annotations

import concurrent.futures.thread
import datetime
import importlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
RESULTS = HERE / "results"


def arguments(**defaults: Any) -> dict[str, Any]:
    """Read NAME=VALUE from the command line, of the types of the defaults."""
    values = dict(defaults)
    for argument in sys.argv[1:]:
        name, _, text = argument.partition("=")
        if name not in defaults or not text:
            sys.exit(f"{Path(sys.argv[0]).name} knows {', '.join(f'{k}={v}' for k, v in defaults.items())}")
        values[name] = type(defaults[name])(text)
    return values


def kept(campaign: str) -> dict[str, Any]:
    """Read the results of a campaign; empty if there are none."""
    path = RESULTS / f"{campaign}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def keep(campaign: str, found: dict[str, Any]) -> None:
    """Merge what was found into the results of a campaign, with the day and the commit."""
    path = RESULTS / f"{campaign}.json"
    known = kept(campaign)
    stamp = {"day": f"{datetime.date.today():%Y-%m-%d}", "commit": commit()}
    known |= {name: {**one, **stamp} for name, one in found.items()}
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def commit() -> str:
    """Name the commit that is checked out."""
    line = ["git", "-C", str(REPOSITORY), "rev-parse", "--short=10", "HEAD"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def when(one: dict[str, Any]) -> str:
    """Say when a campaign found this, and in which commit."""
    return f"{one['day']}, `{one['commit']}`"


def prepare() -> None:
    """Import what commands import; run nothing, open nothing, start no thread."""
    os.environ |= {"MFX_PLUGINS": "off", "NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "workqueue"}
    importlib.import_module("mfx.tracking.mlflow_client").keep_quiet()
    for name in (
        "hydra", "mlflow.tracking", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store", "numba", "optuna",
        "pandas", "mfx.experiment", "mfx.sweep.sweeper", "mfx.cli.run", "mfx.tracking.mlflow_tracker", "mfx.models.bpr",
        "mfx.solver.least_squares", "mfx.solver.pairwise", "mfx.metrics.evaluation", "mfx.analysis.served",
    ):  # fmt: skip
        importlib.import_module(name)
    assert threading.active_count() == 1, f"there are threads: {threading.enumerate()}"


def start(
    folder: Path, typed: tuple[str, ...], before: Callable[[], None] = lambda: None, *, as_json: bool = True
) -> int:
    """Carry out ``mfx ...`` in a fork, in a group of its own; returns its process id.

    Parameters
    ----------
    folder : pathlib.Path
        Where it works; its output goes to the files ``out`` and ``err`` there.
    typed : tuple of str
        What follows ``mfx``.
    before : callable
        Done in the fork before the command.
    as_json : bool
        Whether ``--json`` is added.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(folder.parent / f"{folder.name}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        before()
        from mfx.cli.main import main

        status = main([*typed, *["--json"] * as_json])
        concurrent.futures.thread._python_exit()  # as Python does at its end: wait for the tracker's thread
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def said(folder: Path, name: str) -> str:
    """Read what the last command in a folder printed (``out`` or ``err``)."""
    return (folder.parent / f"{folder.name}.{name}").read_text(encoding="utf-8", errors="replace")


def ended(process: int, seconds: float, until: Callable[[], bool] = lambda: False) -> int | None:
    """Wait for a process; returns its status, or None if it is still there after so many seconds, or at that event."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if until():
            break
        time.sleep(0.002)
    return None


def check_store(folder: Path) -> None:
    """The database passes SQLite's own check."""
    path = folder / "runs" / "mlflow.db"
    if not path.is_file():
        return
    connection = sqlite3.connect(path, timeout=30)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert verdict == "ok", f"the store is damaged: {verdict}"
        assert not connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()


def check_files(folder: Path) -> None:
    """Every JSON file under a name that counts is whole: half-written ones have names of their own."""
    for path in (folder / "runs").rglob("*.json"):
        if not path.name.startswith("."):
            json.loads(path.read_text(encoding="utf-8"))


def statuses(folder: Path) -> Counter[str]:
    """Count the runs of the store by status."""
    connection = sqlite3.connect(folder / "runs" / "mlflow.db", timeout=30)
    try:
        rows = connection.execute("SELECT status FROM runs WHERE lifecycle_stage = 'active'").fetchall()
    finally:
        connection.close()
    return Counter(status for (status,) in rows)


def numbers(found: dict[str, Any]) -> Any:
    """Pick what no two runs may differ in."""
    return {name: value for name, value in found.items() if not name.startswith(("seconds/", "peak_mb/"))}


def points(found: dict[str, Any]) -> Any:
    """Pick trials, winner and test of a sweep."""
    trials = [(one["number"], one["status"], one["value"], json.dumps(one["point"])) for one in found["trials"]]
    return trials, found["best"]["number"], found["test"]
