"""Load: a store of 1,000 runs and 10,000 trials, eight processes that log at once, and a sweep of 500 trials.

    python tests/campaigns/load.py [runs=1000] [trials=10000] [at_once=160] [processes=8] [sweep=500] [only=TEXT]

``logging``: `at_once` runs are written to one fresh SQLite store by so many processes at the same moment, through MFX's
tracker, every epoch at once; every parameter, tag and point of every curve must be there afterwards. ``store``: that
store is filled with copies of these runs and of a sweep's trials, folders of runs and studies are laid beside it, and
commands are timed against the same commands with two runs and a small sweep; what a full store adds may not exceed
`ADDED` seconds. ``sweep``: memory and open files of a sweep, measured
every 25 trials; after the first 100 trials they may not grow by more than `GROWTH_MB` and `GROWTH_FILES`. Writes
``results/load.json``.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campaign import arguments, check_store, ended, keep, prepare, said, start

ADDED = 3.0
"""Seconds that a store of so many runs may add to a command."""
GROWTH_MB, GROWTH_FILES = 16.0, 2
EPOCHS = 10
TRIALS_OF_STUDY = 500
QUICK = ("dataset=synthetic", "dataset.preset=tiny", "split=random", "figures=false")
BEGIN = "begin"


def logged_at_once(scratch: Path, runs: int, processes: int) -> dict[str, Any]:
    """Let processes write their shares of the runs at the same moment; returns what was found afterwards."""
    share = runs // processes
    began = time.monotonic()
    children = []
    for number in range(processes):
        child = os.fork()
        if not child:
            status = 1
            try:
                status = _write_runs(scratch, number, share)
            finally:
                os._exit(status)
        children.append(child)
    (scratch / BEGIN).touch()
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
    seconds = time.monotonic() - began
    assert not failed, f"{failed} of {processes} processes failed"
    check_store(scratch)
    connection = sqlite3.connect(scratch / "runs" / "mlflow.db")
    counts = {
        "runs": "SELECT count(*) FROM runs WHERE status = 'FINISHED'",
        "parameters": "SELECT count(*) FROM params",
        "points": "SELECT count(*) FROM metrics",
        "tags": "SELECT count(*) FROM tags WHERE key = 'worker'",
    }
    found = {name: connection.execute(query).fetchone()[0] for name, query in counts.items()}
    connection.close()
    made = share * processes
    right = {"runs": made, "parameters": 20 * made, "points": made * (2 * EPOCHS + 5), "tags": made}
    lost = {name: right[name] - found[name] for name in right}
    assert not any(lost.values()), f"lost: {lost}"
    return {"processes": processes, **found, "lost": lost, "seconds": round(seconds, 1)}


def _write_runs(scratch: Path, worker: int, count: int) -> int:
    """Write runs as an experiment does: parameters, curves, final numbers, tags."""
    os.chdir(scratch)
    from mfx.interfaces import RunInfo
    from mfx.tracking.mlflow_tracker import MLflowTracker

    while not Path(BEGIN).exists():
        time.sleep(0.001)
    tracker = MLflowTracker(flush_seconds=0)
    for number in range(count):
        params = {f"model.setting_{place}": str(worker * count + number + place) for place in range(20)}
        info = RunInfo("mfx", f"run {worker} {number}", params, {"worker": str(worker)}, None, Path.cwd())
        run = tracker.start(info)
        for epoch in range(1, EPOCHS + 1):
            run.log_metrics({"train/rmse": 1.0 / epoch, "valid/rmse": 1.1 / epoch}, step=epoch)
        run.log_metrics({f"test/metric_{place}": float(place) for place in range(5)})
        run.finish("FINISHED")
    return 0


def fill(folder: Path, runs: int, trials: int) -> None:
    """Copy rows of a run, and of a trial, that MFX's tracker wrote, until there are so many in the store of a folder.

    The runs of studies lie beside the store as well.
    """
    connection = sqlite3.connect(folder / "runs" / "mlflow.db")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}
    tables = {name: found for name, found in columns.items() if "run_uuid" in found}
    (there,) = connection.execute("SELECT count(*) FROM runs WHERE name LIKE 'run %'").fetchone()
    (run,) = connection.execute("SELECT run_uuid FROM runs WHERE name LIKE 'run %' LIMIT 1").fetchone()
    (trial,) = connection.execute("SELECT run_uuid FROM runs WHERE name = 'trial 1 random'").fetchone()
    connection.execute("CREATE TEMP TABLE copies (source, made, name)")
    copies = [(run, uuid.uuid4().hex, f"run copied {number}") for number in range(runs - there)]
    copies += [(trial, uuid.uuid4().hex, f"trial {number} random") for number in range(trials)]
    connection.executemany("INSERT INTO copies VALUES (?, ?, ?)", copies)
    for table, found in tables.items():
        new = {"run_uuid": "copies.made", "name": "copies.name"} if table == "runs" else {"run_uuid": "copies.made"}
        values = ", ".join(new.get(column, f"{table}.{column}") for column in found)
        connection.execute(
            f"INSERT INTO {table} ({', '.join(found)}) SELECT {values} FROM {table} JOIN copies ON run_uuid = source"
        )
    connection.commit()
    connection.close()
    check_store(folder)
    (study,) = (folder / "runs" / "sweeps").iterdir()
    for number in range(trials // TRIALS_OF_STUDY):
        target = study.with_name(f"{study.name}_{number:02d}")
        shutil.copytree(study, target)
        for place in range(TRIALS_OF_STUDY):
            (target / "trials" / f"{place:04d}").mkdir(exist_ok=True)
            shutil.copy(study / "trials" / "0000" / "result.json", target / "trials" / f"{place:04d}")


def lay_folders(folder: Path) -> None:
    """Give the finished runs of the store folders: copies of a real one, each with its own id and name."""
    template = next((folder / "runs").glob("20*/*_real_????"))
    connection = sqlite3.connect(folder / "runs" / "mlflow.db")
    rows = connection.execute("SELECT run_uuid, name FROM runs WHERE name LIKE 'run %'").fetchall()
    connection.close()
    about = json.loads((template / "run.json").read_text(encoding="utf-8"))
    for number, (run_id, name) in enumerate(rows):
        target = template.parent / f"00-00-{number % 60:02d}_{name.replace(' ', '-')}_{number:04x}"
        shutil.copytree(template, target)
        (target / "run.json").write_text(json.dumps(about | {"run_id": run_id, "name": name}), encoding="utf-8")


def commands(folder: Path) -> dict[str, list[str]]:
    """List the commands that look for runs, or write one."""
    connection = sqlite3.connect(folder / "runs" / "mlflow.db")
    (one,) = connection.execute("SELECT run_uuid FROM runs WHERE name = 'real'").fetchone()
    connection.close()
    return {
        "mfx list": ["list"],
        "mfx recommend run=last": ["recommend", "run=last", "user=1"],
        "mfx recommend run=ID": ["recommend", f"run={one[:12]}", "user=1"],
        "mfx recommend run=UNKNOWN": ["recommend", "run=nobody", "user=1"],
        "mfx similar run=NAME": ["similar", "run=real", "item=1"],
        "mfx explain run=NAME": ["explain", "run=real", "what=polarising", "min_ratings=1"],
        "mfx compare NAME NAME": ["compare", "real", "other"],
        "mfx report NAME": ["report", "real"],
        "mfx reproduce NAME": ["reproduce", "real"],
        "mfx (a new run)": ["model=bias", *QUICK],
        "mfx -m (two new runs)": ["-m", "model=bias,als", "model.epochs=2", *QUICK],
    }


def timed(folder: Path, typed: list[str]) -> float:
    """Run a command in a fork, which has imported everything; returns its seconds."""
    began = time.perf_counter()
    status = ended(start(folder, tuple(typed)), 600.0)
    seconds = time.perf_counter() - began
    assert status == ("run=nobody" in typed), f"{typed}: {status}: {said(folder, 'err')[-400:]}"
    return seconds


def page_seconds(folder: Path) -> float:
    """Start ``mfx ui`` and time what its first page asks for: the newest 100 runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mfx", "ui", f"--port={port}"]
    with (folder / "ui.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _until(lambda: urllib.request.urlopen(f"{address}/health", timeout=5).status == 200, 120.0)
        body = {"experiment_ids": ["1"], "max_results": 100, "order_by": ["attributes.start_time DESC"]}
        seconds = []
        for _ in range(3):
            request = urllib.request.Request(
                f"{address}/api/2.0/mlflow/runs/search", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            began = time.perf_counter()
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["runs"]
            seconds.append(time.perf_counter() - began)
        return min(seconds)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _until(there: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if there():
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def full_store(scratch: Path, small: Path, runs: int, trials: int) -> dict[str, Any]:
    """Time commands with two runs in the store, then with all."""
    for folder in (small, scratch):
        for name, model in (("real", "als"), ("other", "bias")):
            timed(folder, [f"model={model}", "model.epochs=2", f"run_name={name}", *QUICK])
        timed(folder, ["sweep", "model=als", "model.epochs=2", "sweep.random_trials=3", "sweep.grid_points=0", *QUICK])
    began = time.monotonic()
    fill(scratch, runs, trials)
    lay_folders(scratch)
    print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
    found = {}
    for name, typed in commands(scratch).items():
        few, many = timed(small, commands(small)[name]), timed(scratch, typed)
        found[name] = {"few": round(few, 2), "many": round(many, 2)}
        print(f"{name}: {few:.2f} s with two runs, {many:.2f} s with all", flush=True)
    found["mfx ui, newest 100 runs"] = {
        "few": round(page_seconds(small), 2),
        "many": round(page_seconds(scratch), 2),
    }
    slow = {name: one for name, one in found.items() if one["many"] - one["few"] > ADDED}
    connection = sqlite3.connect(scratch / "runs" / "mlflow.db")
    (rows,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    connection.close()
    megabytes = round((scratch / "runs" / "mlflow.db").stat().st_size / 1e6)
    return {"runs": rows, "trials": trials, "megabytes": megabytes, "commands": found, "added": ADDED, "slow": slow}


def long_sweep(scratch: Path, trials: int) -> dict[str, Any]:
    """Measure memory and open files of a sweep while it lasts."""
    measured = scratch / "measured.txt"

    def watch() -> None:
        from mfx.sweep import trial

        original, count = trial.run, 0

        def run(*given: Any, **named: Any) -> Any:
            nonlocal count
            found = original(*given, **named)
            count += 1
            if count % 25 == 0:
                resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
                with measured.open("a") as file:
                    file.write(f"{count} {resident:.1f} {len(list(Path('/proc/self/fd').iterdir()))}\n")
            return found

        trial.run = run

    typed = ("sweep", "model=als", "model.epochs=1", "early_stopping.patience=1", *QUICK)
    typed += (f"sweep.random_trials={trials - 1}", "sweep.grid_points=0", "model.factors=range(2,9)")
    folder = scratch / "long"
    folder.mkdir()
    began = time.monotonic()
    status = ended(start(folder, typed, watch), 3600.0)
    seconds = time.monotonic() - began
    assert status == 0, said(folder, "err")[-600:]
    rows = [line.split() for line in measured.read_text().splitlines()]
    points = [(int(number), float(megabytes), int(files)) for number, megabytes, files in rows]
    settled = [one for one in points if one[0] >= 100]
    growth = {"megabytes": settled[-1][1] - settled[0][1], "files": settled[-1][2] - settled[0][2]}
    grown = growth["megabytes"] > GROWTH_MB or growth["files"] > GROWTH_FILES
    return {
        "trials": trials,
        "points": points,
        "growth": growth,
        "allowed": {"megabytes": GROWTH_MB, "files": GROWTH_FILES},
        "leaks": grown,
        "seconds": round(seconds),
    }


def main(runs: int, trials: int, at_once: int, processes: int, sweep: int, only: str) -> None:
    """Measure all, or what `only` names."""
    prepare()
    scratch = Path(tempfile.mkdtemp(prefix="mfx-load-"))
    work, small = scratch / "work", scratch / "small"
    work.mkdir()
    small.mkdir()
    os.environ["MFX_CACHE"] = str(scratch / "cache")
    bad = False
    if only in ("", "sweep"):
        found = long_sweep(scratch, sweep)
        print(found, flush=True)
        keep("load", {"sweep": found})
        bad |= found["leaks"]
    if only in ("", "logging", "store"):
        found = logged_at_once(work, at_once, processes)
        print(found, flush=True)
        keep("load", {"logging": found})
    if only in ("", "store"):
        found = full_store(work, small, runs, trials)
        print(found, flush=True)
        keep("load", {"store": found})
        bad |= bool(found["slow"])
    shutil.rmtree(scratch)
    sys.exit(bad)


if __name__ == "__main__":
    main(**arguments(runs=1000, trials=10_000, at_once=160, processes=8, sweep=500, only=""))
