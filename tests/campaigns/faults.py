"""Faults x moments x commands: what each command does when something around it breaks, and what is left.

    python tests/campaigns/faults.py [only=COMMAND[/FAULT[/MOMENT]]] [deaths=16]

Each cell begins with the same folder: two finished runs in a real MLflow store. A command is started, something
breaks at a moment of it (`faults_kinds.py`, `faults_moments.py`), and these must hold:

* it ends by itself, and either with the right numbers, or with a status that is not zero and one line that says what to
  do; where something of it was saved, that is said as well;
* every file under a name that counts is whole, the store passes SQLite's check, the runs that had finished are as they
  were, and no finished trial is lost;
* after the fault is gone, the same command comes to the numbers of one that nothing happened to.

Full disks are small file systems in memory, in a mount name space of the campaign's own; that takes root, and where the
campaign is not root they are not tried. Commands do not have the right of root to write where it is forbidden. Writes
``results/faults.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from campaign import arguments, check_files, check_store, ended, keep, numbers, points, prepare, said, start, statuses
from faults_kinds import FAULTS, FULL, STORE, Fault, enter
from faults_moments import BEFORE, EXPLORE, FIT, MANY, SWEEP, Moment, count_files, die_at_file
from faults_moments import files as _files

SECONDS = 240.0
"""After which a command hangs."""
TABLE = ("dataset=table", "dataset.path=ratings.csv", "split=random")
QUIET = ("tracking.flush_seconds=0", "early_stopping.patience=4", "figures=false")
DEATH, TWO = "death between files", "two at once"
OWN_MOUNTS = "MFX_FAULTS_OWN_MOUNTS"


@dataclass(frozen=True)
class Command:
    """Something that faults hit.

    Attributes
    ----------
    name : str
        For people.
    typed : tuple of str
        What follows ``mfx``.
    result : callable
        What must come out, from the folder and what was printed.
    moments : tuple of Moment
        When faults strike.
    writes, opens_store : bool
        Whether it writes anything, and whether it writes to the store.
    as_json : bool
        Whether it knows ``--json``.
    saved : mapping of str to str
        By moment, what the error must say about what was saved, as a regular expression.
    other : tuple of str
        What is typed where it runs twice at once; the same where this is empty.
    shared : bool
        Whether two of it at once do one work.
    """

    name: str
    typed: tuple[str, ...]
    result: Callable[[Path, str], Any]
    moments: tuple[Moment, ...]
    writes: bool = True
    opens_store: bool = False
    as_json: bool = True
    saved: dict[str, str] = field(default_factory=dict)
    other: tuple[str, ...] = ()
    shared: bool = False


def _json(pick: Callable[[dict[str, Any]], Any]) -> Callable[[Path, str], Any]:
    return lambda folder, printed: pick(json.loads(printed))


def _plain(found: dict[str, Any], *without: str) -> Any:
    return {name: value for name, value in found.items() if name not in ("seconds", "run_id", "directory", *without)}


def _means(found: dict[str, Any]) -> Any:
    return [(one["label"], numbers(one["mean"])) for one in found["groups"]], found["failures"]


def _page(folder: Path, printed: str) -> Any:
    page = Path(json.loads(printed)["page"]).read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    return re.findall(r"<h2>(.*?)</h2>", page)


def _package(folder: Path, printed: str) -> Any:
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "mfx-mine").rglob("*") if path.is_file())


ALS = ("model=als", "model.factors=6", "model.epochs=12", *TABLE, *QUIET)
COMMANDS = (
    Command(
        "mfx",
        (*ALS, "resume=true", "checkpoint_minutes=0"),
        _json(numbers),
        FIT,
        opens_store=True,
        saved={one.name: "resume=true" for one in FIT[2:]},
        other=ALS,
    ),
    Command(
        "mfx sweep",
        (
            "sweep",
            "model=als",
            "model.epochs=3",
            "sweep.random_trials=3",
            "sweep.grid_points=2",
            "sweep.max_grid=2",
            *TABLE,
            *QUIET,
        ),
        _json(points),
        SWEEP,
        opens_store=True,
        saved={one.name: "same command" for one in SWEEP[1:]},
        shared=True,
    ),
    Command(
        "mfx -m",
        ("-m", "model=bias,als", "model.epochs=3", *TABLE, *QUIET),
        _json(_means),
        MANY,
        opens_store=True,
        saved={one.name: "runs that finished are kept|1 of 2 runs" for one in MANY[1:]},
    ),
    Command("mfx explore", ("explore", *TABLE), _json(lambda found: found["summary"]), EXPLORE, opens_store=True),
    Command("mfx reproduce", ("reproduce", "one"), _json(lambda found: found["agrees"]), (BEFORE, FIT[2], FIT[3])),
    Command("mfx compare", ("compare", "one", "two"), _json(_plain), _files(1, 3)),
    Command("mfx report", ("report", "one", "two"), _page, _files(1, 8)),
    Command("mfx explain", ("explain", "run=one", "what=polarising", "min_ratings=1"), _json(_plain), _files(1, 3)),
    Command("mfx recommend", ("recommend", "run=one", "user=1"), _json(_plain), (BEFORE,), writes=False),
    Command("mfx new plugin", ("new", "plugin", "mine"), _package, _files(1, 3), as_json=False),
)


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


def _ratings(path: Path) -> None:
    """Write a small table of ratings."""
    rng = np.random.default_rng(3)
    users, items = rng.integers(1, 60, 1500), (40 * rng.random(1500) ** 2).astype(int) + 1
    seen = np.unique(np.stack([users, items], 1), axis=0)
    values = np.clip(
        np.round(2 * (3 + rng.normal(0, 0.7, 60)[seen[:, 0]] + rng.normal(0, 0.7, 42)[seen[:, 1]])) / 2, 0.5, 5
    )
    rows = [f"{u},{i},{v},{1_000_000_000 + 60 * n}" for n, ((u, i), v) in enumerate(zip(seen, values, strict=True))]
    path.write_text("\n".join(["user_id,item_id,rating,timestamp", *rows]) + "\n", encoding="utf-8")


def _prepared(scratch: Path) -> Cell:
    """Make the template: ratings, and two finished runs, called one and two."""
    cell = Cell(scratch)
    cell.folder.mkdir()
    _ratings(cell.folder / "ratings.csv")
    (cell.folder / "tmp").mkdir()
    for name, model in (("one", "als"), ("two", "bias")):
        typed = (f"model={model}", "model.epochs=3", f"run_name={name}", *TABLE)
        status = cell.run(Command("", typed, numbers, ()))
        assert status == 0, said(cell.folder, "err")
    shutil.rmtree(cell.folder / "cache")
    shutil.copytree(cell.folder, cell.template)
    return cell


def _digests(folder: Path) -> dict[str, str]:
    """Hash all files of the runs of the template."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("runs/20*/**/*")) + sorted(folder.glob("runs/artifacts/**/*"))
        if path.is_file()
    }


def _logged(folder: Path) -> set[tuple[Any, ...]]:
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


def _trials(folder: Path) -> dict[str, str]:
    """Read the results of trials that are there."""
    return {str(path): path.read_text() for path in folder.glob("runs/sweeps/*/trials/*/result.json")}


def check_left(cell: Cell, before: set[tuple[Any, ...]], digests: dict[str, str], store_lost: bool) -> None:
    """Check what a fault left behind: whole files, a whole store, and all that had been finished."""
    check_files(cell.folder)
    for path in cell.folder.rglob("*.npz"):
        if not path.name.startswith("."):
            with np.load(path, allow_pickle=False) as archive:
                assert all(archive[name] is not None for name in archive.files)
    now = _digests(cell.folder)
    assert not (lost := [name for name, digest in digests.items() if now.get(name) != digest]), f"changed: {lost}"
    if not store_lost:
        check_store(cell.folder)
        assert before <= _logged(cell.folder), "finished runs are missing from the store"


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


@dataclass
class Outcome:
    """How a cell ended: ``told`` or ``went on``, or how it failed."""

    how: str
    failure: str = ""
    printed: str = ""


def _again(cell: Cell, command: Command, right: Any, trials: dict[str, str]) -> None:
    """Check that the same command comes to the right numbers now, and does no finished trial again."""
    if not command.as_json and (cell.folder / "mfx-mine").exists():
        return  # it was done, and refuses to be done twice
    status = cell.run(command)
    assert status == 0, f"again: {status}, {said(cell.folder, 'err')[-500:]}"
    assert command.result(cell.folder, said(cell.folder, "out")) == right, "other numbers when it was done again"
    now = _trials(cell.folder)
    assert not (lost := [path for path in trials if now.get(path) != trials[path]]), f"trials were lost: {lost}"


def try_fault(
    cell: Cell, command: Command, fault: Fault, moment: Moment, right: Any, digests: dict[str, str]
) -> Outcome:
    """Carry out a cell of the matrix."""
    cell.fresh(small=fault is FULL)
    logged = _logged(cell.folder)
    flag = cell.scratch / "struck"
    flag.unlink(missing_ok=True)

    def strike() -> None:
        fault.strike(cell.folder)
        flag.touch()

    status = cell.run(command, lambda: moment.arm(strike))
    printed, out = said(cell.folder, "err"), said(cell.folder, "out")
    trials = _trials(cell.folder)
    try:
        assert flag.exists(), "the moment never came"
        fault.undo(cell.folder)
        if status == 0:
            assert command.result(cell.folder, out) == right, "other numbers"
        else:
            check_told(command, moment.name, status, printed)
        check_left(cell, logged, digests, fault.store_lost)
        how = "went on" if status == 0 else "told"
        _again(cell, command, right, trials)
        check_left(cell, logged, digests, fault.store_lost)
    except Exception as error:  # whatever goes wrong is what the campaign is after
        return Outcome("FAILED", f"{type(error).__name__}: {error}", printed)
    return Outcome(how, "", printed)


def try_deaths(cell: Cell, command: Command, deaths: int, right: Any, digests: dict[str, str]) -> dict[str, Outcome]:
    """Let the machine die between two files, each time when another one is about to be put into place."""
    cell.fresh(small=False)
    flag = cell.scratch / "files"
    flag.write_bytes(b"")
    assert cell.run(command, lambda: count_files(flag)) == 0
    files, found = len(flag.read_bytes()), {}
    for nth in sorted({round(place) for place in np.linspace(1, files, min(files, deaths))}):
        cell.fresh(small=False)
        logged = _logged(cell.folder)
        status = cell.run(command, lambda nth=nth: die_at_file(nth))
        trials = _trials(cell.folder)
        try:
            assert status == -signal.SIGKILL, f"it ended with {status}"
            check_left(cell, logged, digests, store_lost=False)
            _again(cell, command, right, trials)
            check_left(cell, logged, digests, store_lost=False)
            found[f"file {nth} of {files}"] = Outcome("went on")
        except Exception as error:  # whatever goes wrong is what the campaign is after
            found[f"file {nth} of {files}"] = Outcome("FAILED", f"{type(error).__name__}: {error}")
    return found


def try_two(cell: Cell, command: Command, moment: Moment, right: Any, digests: dict[str, str]) -> Outcome:
    """Run the command a second time, on the same store, while the first is at a moment of it."""
    cell.fresh(small=False)
    alone, logged = _runs(cell.folder), _logged(cell.folder)
    assert cell.run(command) == 0
    by_one = _runs(cell.folder) - alone
    cell.fresh(small=False)
    flag, other = cell.scratch / "struck", cell.scratch / "other"
    flag.unlink(missing_ok=True)
    if not other.is_symlink():
        other.symlink_to(cell.folder)
    twice = replace(command, typed=command.other or command.typed)
    first = cell.begin(twice, lambda: moment.arm(flag.touch))
    try:
        until = time.monotonic() + SECONDS
        while not flag.exists():
            assert time.monotonic() < until, "the moment never came"
            time.sleep(0.005)
        second = cell.begin(twice, where=other)
        for place, process in ((cell.folder, first), (other, second)):
            status = cell.wait(process)
            assert status == 0, f"{place.name} ended with {status}: {said(place, 'err')[-300:]}"
            assert command.result(cell.folder, said(place, "out")) == right, f"{place.name} has other numbers"
        check_left(cell, logged, digests, store_lost=False)
        by_two = _runs(cell.folder) - alone
        wanted = by_one if command.shared else 2 * by_one
        assert by_two == wanted, f"{by_two} finished runs in the store in place of {wanted}"
    except Exception as error:  # whatever goes wrong is what the campaign is after
        return Outcome("FAILED", f"{type(error).__name__}: {error}", said(cell.folder, "err"))
    return Outcome("went on")


def _runs(folder: Path) -> int:
    """Count the finished runs of the store; all others count against them."""
    found = statuses(folder)
    return found["FINISHED"] - 1000 * (found.total() - found["FINISHED"])


def matrix(cell: Cell, command: Command, only: str, deaths: int) -> int:
    """Try a command; outcomes are kept fault by fault, of those that were tried at all their moments.

    Returns
    -------
    int
        How many cells failed.
    """
    cell.fresh(small=False)
    status = cell.run(command)
    assert status == 0, f"{command.name}: {status}: {said(cell.folder, 'err')}"
    right, digests = command.result(cell.folder, said(cell.folder, "out")), _digests(cell.template)
    failed = 0
    for fault, tried in _columns(cell, command, deaths, right, digests).items():
        found: dict[str, Outcome] = {}
        for moment, one in tried:
            if only in f"{command.name}/{fault}/{moment}":
                found |= (outcomes := one())
                for name, outcome in outcomes.items():
                    print(f"{command.name} / {fault} / {name}: {outcome.how} {outcome.failure}", flush=True)
                    print("".join(f"      {line[:300]}\n" for line in outcome.printed.splitlines()[-6:]), end="")
        failures = {moment: one.failure for moment, one in found.items() if one.failure}
        failed += len(failures)
        if found and only in ("", command.name, f"{command.name}/{fault}"):
            facts = {"command": command.name, "fault": fault, "moments": list(found), "failures": failures}
            keep("faults", {f"{command.name} / {fault}": facts | {"outcomes": Counter(o.how for o in found.values())}})
    return failed


def _columns(
    cell: Cell, command: Command, deaths: int, right: Any, digests: dict[str, str]
) -> dict[str, list[tuple[str, Callable[[], dict[str, Outcome]]]]]:
    """List what is tried with a command, by fault: moments, and what carries them out."""
    found: dict[str, list[tuple[str, Callable[[], dict[str, Outcome]]]]] = {}
    for fault in FAULTS:
        if fault is not FULL or os.geteuid() == 0:
            found[fault.name] = [
                (one.name, lambda one=one, f=fault: {one.name: try_fault(cell, command, f, one, right, digests)})
                for one in command.moments
            ]
    if command.writes:
        found[DEATH] = [("", lambda: try_deaths(cell, command, deaths, right, digests))]
    if command.opens_store:
        found[TWO] = [
            (one.name, lambda one=one: {one.name: try_two(cell, command, one, right, digests)})
            for one in command.moments
        ]
    return found


def main(only: str, deaths: int) -> None:
    """Go through the matrix."""
    prepare()
    scratch = Path(tempfile.mkdtemp(prefix="mfx-faults-"))
    for name, folder in (("NUMBA_CACHE_DIR", "numba"), ("MPLCONFIGDIR", "matplotlib"), ("HOME", "home")):
        (scratch / folder).mkdir()
        os.environ[name] = str(scratch / folder)
    cell = _prepared(scratch)
    chosen = [one for one in COMMANDS if only.partition("/")[0] in ("", one.name)]
    failed = sum(matrix(cell, command, only, deaths) for command in chosen)
    cell.clear()
    shutil.rmtree(scratch)
    sys.exit(bool(failed))


if __name__ == "__main__":
    if os.geteuid() == 0 and OWN_MOUNTS not in os.environ:
        os.environ[OWN_MOUNTS] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    main(**arguments(only="", deaths=16))
