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

import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from campaign import arguments, keep, prepare, said
from faults_cell import (
    SECONDS,
    Cell,
    check_left,
    check_told,
    count_runs,
    prepared,
    read_digests,
    read_logged,
    read_trials,
)
from faults_commands import COMMANDS, Command
from faults_kinds import FAULTS, FULL, Fault
from faults_moments import Moment, count_files, die_at_file

DEATH, TWO = "death between files", "two at once"
OWN_MOUNTS = "MFX_FAULTS_OWN_MOUNTS"


@dataclass
class Outcome:
    """How a cell ended: ``told`` or ``went on``, or how it failed."""

    how: str
    failure: str = ""
    printed: str = ""


def _again(cell: Cell, command: Command, right: Any, trials: dict[str, str]) -> None:
    """Check that the same command comes to the right numbers now, and does no finished trial again."""
    if command.makes and (cell.folder / command.makes).exists():
        return  # it was done, and refuses to be done twice
    status = cell.run(command)
    assert status == 0, f"again: {status}, {said(cell.folder, 'err')[-500:]}"
    assert command.result(cell.folder, said(cell.folder, "out")) == right, "other numbers when it was done again"
    now = read_trials(cell.folder)
    assert not (lost := [path for path in trials if now.get(path) != trials[path]]), f"trials were lost: {lost}"


def try_fault(
    cell: Cell, command: Command, fault: Fault, moment: Moment, right: Any, digests: dict[str, str]
) -> Outcome:
    """Carry out a cell of the matrix."""
    cell.fresh(small=fault is FULL)
    logged = read_logged(cell.folder)
    flag = cell.scratch / "struck"
    flag.unlink(missing_ok=True)

    def strike() -> None:
        fault.strike(cell.folder)
        flag.touch()

    status = cell.run(command, lambda: moment.arm(strike))
    printed, out = said(cell.folder, "err"), said(cell.folder, "out")
    trials = read_trials(cell.folder)
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
        logged = read_logged(cell.folder)
        status = cell.run(command, lambda nth=nth: die_at_file(nth))
        trials = read_trials(cell.folder)
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
    alone, logged = count_runs(cell.folder), read_logged(cell.folder)
    assert cell.run(command) == 0
    by_one = count_runs(cell.folder) - alone
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
        by_two = count_runs(cell.folder) - alone
        wanted = by_one if command.shared else 2 * by_one
        assert by_two == wanted, f"{by_two} finished runs in the store in place of {wanted}"
    except Exception as error:  # whatever goes wrong is what the campaign is after
        return Outcome("FAILED", f"{type(error).__name__}: {error}", said(cell.folder, "err"))
    return Outcome("went on")


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
    right, digests = command.result(cell.folder, said(cell.folder, "out")), read_digests(cell.template)
    failed = 0
    for fault, tried in _columns(cell, command, deaths, right, digests).items():
        found: dict[str, Outcome] = {}
        for moment, one in tried:
            if only in f"{command.name}/{fault}/{moment}":
                found |= (outcomes := one())
                for name, outcome in outcomes.items():
                    print(f"{command.name} / {fault} / {name}: {outcome.how} {outcome.failure}", flush=True)
                    print("".join(f"      {line[:300]}\n" for line in outcome.printed.splitlines()[-6:]), end="")
        scratch = str(cell.scratch)
        failures = {moment: one.failure.replace(scratch, "...") for moment, one in found.items() if one.failure}
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
    cell = prepared(scratch)
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
