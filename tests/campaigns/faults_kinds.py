"""What can go wrong around a command: how each fault is made, in the process that it hits, and taken back after it."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mfx.results

DAY = 86_400.0
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE = 0x20080522, 1
FILLER = ".filler"
STORE = Path("runs") / "mlflow.db"
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes
    ----------
    name : str
        For people.
    strike : callable
        Makes it in the working folder, in the process of the command.
    undo : callable
        What its user does about it afterwards, from outside.
    store_lost : bool
        Whether the store, and all that was in it, is gone.
    """

    name: str
    strike: Callable[[Path], None]
    undo: Callable[[Path], None] = lambda folder: None
    store_lost: bool = False


def _fill(folder: Path) -> None:
    assert shutil.disk_usage(folder).total < 1 << 30, "the whole disk of this machine is not filled"
    with (folder / FILLER).open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def _unfill(folder: Path) -> None:
    (folder / FILLER).unlink()


def _forbid(folder: Path) -> None:
    _modes(folder, lambda mode: mode & ~0o222)


def _allow(folder: Path) -> None:
    _modes(folder, lambda mode: mode | 0o200)


def _modes(folder: Path, of: Callable[[int], int]) -> None:
    for path in (folder, *folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # a temporary file may have gone meanwhile
            path.chmod(of(path.stat().st_mode & 0o777))


_held: list[subprocess.Popen[bytes]] = []


def _hold(folder: Path) -> None:
    """Lock the store until this process ends: its end of the pipe closes then."""
    if not (folder / STORE).exists():
        sqlite3.connect(folder / STORE).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / STORE)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    _held.append(holder)


def _delete(folder: Path) -> None:
    for path in folder.glob(f"{STORE}*"):
        path.unlink()


def _damage(folder: Path) -> None:
    path = folder / STORE
    with path.open("r+b") as file:
        noise = random.Random(1)
        for at in range(0, path.stat().st_size, 8192):
            file.seek(at)
            file.write(noise.randbytes(4096))


def _move_away(folder: Path) -> None:
    if (folder / STORE).exists():
        (folder / STORE).rename(folder / "damaged.db")
    for path in folder.glob(f"{STORE}-*"):
        path.unlink()


def _turn_back(folder: Path) -> None:
    """Set this process's clock back by a day: what was written before comes from the future."""
    seconds, nanoseconds, moment = time.time, time.time_ns, datetime.datetime

    class Earlier(moment):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.now(tz) - datetime.timedelta(days=1)

    time.time = lambda: seconds() - DAY
    time.time_ns = lambda: nanoseconds() - int(DAY * 1e9)
    mfx.results.datetime = type("datetime", (), {"datetime": Earlier})  # type: ignore[assignment]
    for path in (folder, *folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            about = path.stat()
            os.utime(path, (about.st_atime + DAY, about.st_mtime + DAY))


FULL = Fault("full disk", _fill, _unfill)
READ_ONLY = Fault("read-only folder", _forbid, _allow)
LOCKED = Fault("store locked", _hold)
DELETED = Fault("store deleted", _delete, store_lost=True)
DAMAGED = Fault("store damaged", _damage, _move_away, store_lost=True)
CLOCK = Fault("clock back a day", _turn_back)
FAULTS = (FULL, READ_ONLY, LOCKED, DELETED, DAMAGED, CLOCK)


def enter(scratch: Path, folder: Path) -> None:
    """Prepare the process of a command: temporary files in its folder, caches beside it, permissions that hold."""
    tempfile.tempdir = str(folder / "tmp")
    os.environ |= {"MFX_CACHE": str(folder / "cache"), "HOME": str(scratch / "home")}
    _heed_permissions()


def _heed_permissions() -> None:
    """Give up the right of root to write wherever it likes (see capabilities(7)); others do not have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then those of bits 32 to 63
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for place in range(3):
        sets[place] &= ~(1 << CAP_DAC_OVERRIDE)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")
