"""SIGKILL at random moments of fits, sweeps and evaluations: nothing is lost, everything goes on, the store is whole.

    python tests/campaigns/kill.py [kills=100] [seed=1] [aim=whole]

works in a scratch folder on a small data set and a real MLflow store. Each round picks a command, starts it, kills its
whole process group at a moment drawn between its start and its usual end, and checks what was left; after one to three
kills the same command is let go to its end, and checked against one that was never killed. A command is what ``mfx``
does, in a fork of this program, which has imported everything and done nothing: so more kills hit work than imports.

With ``aim=fit`` only models that are fitted in many epochs are tried, and moments are drawn from when an epoch was kept
on: kills hit fits and refits, and what goes on is a model in the middle of its epochs. Writes ``results/kill.json``.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from campaign import arguments, check_files, check_store, ended, keep, numbers, points, prepare, said, start, statuses

QUICK = ("dataset=synthetic", "dataset.preset=tiny", "split=random", "figures=false", "tracking.flush_seconds=0")
DATA = ("dataset.users=300", "dataset.items=200", "dataset.ratings=9000")
FIT = ("early_stopping.patience=4", "checkpoint_minutes=0", "resume=true")
WHOLE = ("early_stopping.enabled=false", "checkpoint_minutes=0", "resume=true", "metrics=[ndcg@10]")


@dataclass(frozen=True)
class Command:
    """Something to kill.

    Attributes
    ----------
    kind : str
        ``fit``, ``sweep`` or ``evaluation``; the name of the model where fits are aimed at.
    typed : tuple of str
    result : callable
        What must be the same as that of a run that was not killed, from the JSON that is printed.
    """

    kind: str
    typed: tuple[str, ...]
    result: Callable[[dict[str, Any]], Any]


def commands(data: tuple[str, ...]) -> list[Command]:
    """List what is killed; every run has settings of its own, so that none goes on with another's."""
    fits = [
        Command("fit", ("model=als", "model.factors=8", "model.epochs=40", *FIT), numbers),
        Command("fit", ("model=bpr", "model.factors=8", "model.epochs=60", *FIT), numbers),
        Command("evaluation", ("model=bias", "metrics=[rmse,mae,auc,ndcg@10,recall@50]", *FIT), numbers),
    ]
    budget = ("sweep", "model=als", "model.epochs=5", "sweep.random_trials=5", "sweep.grid_points=2")
    return [
        *(Command(one.kind, (*QUICK, *data, *one.typed), one.result) for one in fits),
        Command("sweep", (*budget, *QUICK, *data), points),
    ]


def fits(data: tuple[str, ...]) -> list[Command]:
    """List fits of many epochs, one model of each kind."""
    models = {
        "als": ("model.factors=16", "model.epochs=80"),
        "genre_als": ("model.factors=8", "model.epochs=60"),
        "bpr": ("model.factors=16", "model.epochs=120"),
        "bayes_mf": ("model.factors=4", "model.epochs=30", "model.burn_in=6"),
    }
    return [
        Command(name, (*QUICK, *data, f"model={name}", *settings, *WHOLE), numbers) for name, settings in models.items()
    ]


@dataclass
class Campaign:
    """Counts of what happened, in a folder."""

    folder: Path
    rng: random.Random
    aimed: bool = False
    kills: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    def whole(self, typed: tuple[str, ...]) -> tuple[dict[str, Any], float]:
        """Run the command to its end; returns what it prints, and its seconds."""
        began = time.monotonic()
        status = ended(start(self.folder, typed), 300.0)
        if status != 0:
            raise AssertionError(f"{' '.join(typed)} ended with {status}: {said(self.folder, 'err')[-600:]}")
        return json.loads(said(self.folder, "out")), time.monotonic() - began

    def kill(self, command: Command, typed: tuple[str, ...], usual: float) -> bool:
        """Start the command and kill it at a random moment; returns whether it was still there."""
        before = self.last_kept()
        process = start(self.folder, typed)
        alive = ended(process, 60.0, until=lambda: self.last_kept() > before) is None if self.aimed else True
        if alive and ended(process, self.rng.uniform(0.0 if self.aimed else 0.02, 1.0) * usual) is None:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            self.kills[command.kind] += 1
            if command.kind != "sweep":
                self.phases[self.phase()] += 1
            check_store(self.folder)
            check_files(self.folder)
            return True
        return False

    def states(self) -> list[Path]:
        """List the states that are kept of fits, oldest first."""
        found = {}
        for path in (self.folder / "runs" / "checkpoints").glob("*/state.npz"):
            with contextlib.suppress(FileNotFoundError):  # the run may be over by now
                found[path] = path.stat().st_mtime_ns
        return sorted(found, key=lambda path: found[path])

    def last_kept(self) -> int:
        """Return when a state was kept last; 0 where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return max((path.stat().st_mtime_ns for path in self.states()), default=0)
        return 0

    def phase(self) -> str:
        """Say how far the run was that was killed last."""
        states = self.states()
        if not states:
            return "before the first epoch was kept, or after the end"
        with np.load(states[-1], allow_pickle=False) as archive:
            facts = json.loads(bytes(archive["facts"]))
        if "refit" not in facts:
            return "between fit and refit" if facts["fit"]["over"] else "in the fit"
        return "after the refit" if facts["refit"]["over"] else "in the refit"


def finished_trials(folder: Path) -> dict[Path, int]:
    """List what a sweep must not lose or do again: results of trials, with their time of writing."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/sweeps/*/trials/*/result.json")}


def seconds_of_fit(campaign: Campaign, command: Command, typed: tuple[str, ...]) -> float:
    """Measure how long the command goes on once it has kept an epoch."""
    process = start(campaign.folder, typed)
    assert ended(process, 120.0, until=lambda: campaign.last_kept() > 0) is None, said(campaign.folder, "err")
    began = time.monotonic()
    assert ended(process, 300.0) == 0, f"{command.kind}: {said(campaign.folder, 'err')[-600:]}"
    return time.monotonic() - began


def main(kills: int, seed: int, aim: str) -> None:
    """Kill until so many kills hit something."""
    assert aim in ("whole", "fit"), "aim: whole, fit"
    aimed = aim == "fit"
    prepare()
    scratch = Path(tempfile.mkdtemp(prefix="mfx-kill-")) / "work"
    scratch.mkdir()
    campaign = Campaign(scratch, random.Random(seed), aimed)
    kinds = fits(DATA) if aimed else commands(DATA)
    expected: list[tuple[Any, float]] = []
    for command in kinds:
        campaign.whole(command.typed)  # kernels, caches
        found, seconds = campaign.whole((*command.typed, "seed=1"))
        if aimed:
            seconds = seconds_of_fit(campaign, command, (*command.typed, "seed=1", "run_name=timed"))
        expected.append((command.result(found), seconds))
        print(f"{command.kind}: {seconds:.1f} s when nobody kills it", flush=True)
    began, number = time.monotonic(), 0
    while sum(campaign.kills.values()) < kills:
        number += 1
        place = number % len(kinds)
        command, (right, usual) = kinds[place], expected[place]
        name = "sweep.study=" if command.kind == "sweep" else "run_name="
        typed = (*command.typed, "seed=1", f"{name}killed_{number}")
        before, alive = {}, 0
        for _ in range(campaign.rng.randint(1, 3)):
            alive += campaign.kill(command, typed, usual)
            now = finished_trials(scratch)
            if any(path not in now or now[path] != when for path, when in before.items()):
                campaign.lost.append(f"{number}: a finished trial was lost or done again")
            before = now
        found, _ = campaign.whole(typed)
        check_store(scratch)
        check_files(scratch)
        if command.result(found) != right:
            campaign.lost.append(f"{number}: {command.kind} ended with other numbers")
        running = statuses(scratch)
        if set(running) != {"FINISHED"}:
            campaign.lost.append(f"{number}: runs in the store are {dict(running)}")
        campaign.finished[command.kind] += 1
        print(f"{sum(campaign.kills.values())} kills, {dict(campaign.kills)}, lost: {campaign.lost}", flush=True)
        if campaign.lost:
            print(f"kept: {scratch}; seed={seed}, round {number}: {typed}")
            break
    total = sum(campaign.kills.values())
    found = {"kills": dict(campaign.kills), "total": total, "commands": dict(campaign.finished), "seed": seed}
    found |= {"moments": dict(campaign.phases)}
    found |= {"lost": campaign.lost, "seconds": round(time.monotonic() - began), "store": "ok"}
    keep("kill", {"fits" if aimed else "kill": found})
    if not campaign.lost:
        shutil.rmtree(scratch.parent)
    sys.exit(bool(campaign.lost))


if __name__ == "__main__":
    main(**arguments(kills=100, seed=1, aim="whole"))
