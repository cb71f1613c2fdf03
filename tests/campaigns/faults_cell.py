"""A folder in which commands meet faults, and what is checked of it afterwards."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from campaign import check_files, check_store, ended, numbers, said, start, statuses
from faults_commands import TABLE, Command
from faults_kinds import STORE, enter

SECONDS = 240.0
"""After which a command hangs."""


class Cell:
    """A working folder, restored for each cell, always at the same place."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.folder, self.template = scratch, scratch / "work", scratch / "template"
        self.mounted = False

    def fresh(self, small: bool) -> None:
        """Bring back the folder as it was prepared; on a small file system of its own, or not."""
        self.clear()
        self.folder.mkdir()
        if small:
            options = ["-t", "tmpfs", "-o", "size=24m,mode=755", "mfx-faults", str(self.folder)]
            subprocess.run(["mount", *options], check=True)
            self.mounted = True
        shutil.copytree(self.template, self.folder, dirs_exist_ok=True, symlinks=True)

    def clear(self) -> None:
        """Remove the folder."""
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)
            self.mounted = False
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def run(self, command: Command, before: Callable[[], None] = lambda: None) -> int | None:
        """Carry out the command, `before` done in its process first; returns its status, None where it hangs."""
        return self.wait(self.begin(command, before))

    def begin(self, command: Command, before: Callable[[], None] = lambda: None, where: Path | None = None) -> int:
        """Start the command; returns its process."""

        def enter_and_do() -> None:
            enter(self.scratch, self.folder)
            before()

        return start(where or self.folder, command.typed, enter_and_do, as_json=command.as_json)

    def wait(self, process: int) -> int | None:
        """Wait for a process; returns its status, None where it hangs."""
        status = ended(process, SECONDS)
        if status is None:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
        return status


def ratings(path: Path) -> None:
    """Write a small table of ratings."""
    rng = np.random.default_rng(3)
    users, items = rng.integers(1, 60, 1500), (40 * rng.random(1500) ** 2).astype(int) + 1
    seen = np.unique(np.stack([users, items], 1), axis=0)
    values = np.clip(
        np.round(2 * (3 + rng.normal(0, 0.7, 60)[seen[:, 0]] + rng.normal(0, 0.7, 42)[seen[:, 1]])) / 2, 0.5, 5
    )
    rows = [f"{u},{i},{v},{1_000_000_000 + 60 * n}" for n, ((u, i), v) in enumerate(zip(seen, values, strict=True))]
    path.write_text("\n".join(["user_id,item_id,rating,timestamp", *rows]) + "\n", encoding="utf-8")


def prepared(scratch: Path) -> Cell:
    """Make the template: ratings, and two finished runs, called one and two."""
    cell = Cell(scratch)
    cell.folder.mkdir()
    ratings(cell.folder / "ratings.csv")
    (cell.folder / "tmp").mkdir()
    for name, model in (("one", "als"), ("two", "bias")):
        typed = (f"model={model}", "model.epochs=3", f"run_name={name}", *TABLE)
        status = cell.run(Command("", typed, numbers, ()))
        assert status == 0, said(cell.folder, "err")
    shutil.rmtree(cell.folder / "cache")
    shutil.copytree(cell.folder, cell.template)
    return cell


def read_digests(folder: Path) -> dict[str, str]:
    """Hash all files of the runs of the template."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("runs/20*/**/*")) + sorted(folder.glob("runs/artifacts/**/*"))
        if path.is_file()
    }


def read_logged(folder: Path) -> set[tuple[Any, ...]]:
    """List the finished runs of the store with their numbers."""
    connection = sqlite3.connect(folder / STORE, timeout=30)
    try:
        return set(
            connection.execute(
                "SELECT runs.run_uuid, key, value FROM runs JOIN latest_metrics USING (run_uuid) "
                "WHERE status = 'FINISHED' AND lifecycle_stage = 'active'"
            )
        )
    finally:
        connection.close()


def read_trials(folder: Path) -> dict[str, str]:
    """Read the results of trials that are there."""
    return {str(path): path.read_text() for path in folder.glob("runs/sweeps/*/trials/*/result.json")}


def check_left(cell: Cell, before: set[tuple[Any, ...]], digests: dict[str, str], store_lost: bool) -> None:
    """Check what a fault left behind: whole files, a whole store, and all that had been finished."""
    check_files(cell.folder)
    for path in cell.folder.rglob("*.npz"):
        if not path.name.startswith("."):
            with np.load(path, allow_pickle=False) as archive:
                assert all(archive[name] is not None for name in archive.files)
    now = read_digests(cell.folder)
    assert not (lost := [name for name, digest in digests.items() if now.get(name) != digest]), f"changed: {lost}"
    if not store_lost:
        check_store(cell.folder)
        assert before <= read_logged(cell.folder), "finished runs are missing from the store"


def check_told(command: Command, moment: str, status: int | None, printed: str) -> None:
    """Check that an error was told as it should be."""
    assert status is not None, "it hung"
    assert status > 0, f"it ended with {status}"
    assert "Traceback" not in printed, "a traceback"
    assert "defect of MFX" not in printed, "it is taken for a defect"
    last = printed.rstrip().rpartition("\n")[2]
    assert last.startswith("mfx: "), f"the last line is not the error: {last!r}"
    assert re.search(r"[.!] [A-Z]\w+ ", last), f"no hint: {last!r}"
    wanted = command.saved.get(moment)
    assert wanted is None or re.search(wanted, printed), f"it does not say what was saved: {printed!r}"


def count_runs(folder: Path) -> int:
    """Count the finished runs of the store; all others count against them."""
    found = statuses(folder)
    return found["FINISHED"] - 1000 * (found.total() - found["FINISHED"])
