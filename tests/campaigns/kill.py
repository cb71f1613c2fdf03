"""SIGKILL at random moments of fits, sweeps and evaluations: nothing is lost, everything goes on, the store is whole.

    python tests/campaigns/kill.py [kills=100] [seed=1]

works in a scratch folder on a small data set and a real MLflow store. Each round picks a command, starts it, kills its
whole process group at a moment drawn between its start and its usual end, and checks what was left; after one to three
kills the same command is let go to its end, and checked against one that was never killed. A command is what ``mfx``
does, in a fork of this program, which has imported everything and done nothing: so more kills hit work than imports.
Writes ``results/kill.json``.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Command:
    """Something to kill.

    Attributes
    ----------
    kind : {"fit", "sweep", "evaluation"}
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


@dataclass
class Campaign:
    """Counts of what happened, in a folder."""

    folder: Path
    rng: random.Random
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
        process = start(self.folder, typed)
        if ended(process, self.rng.uniform(0.02, 1.0) * usual) is None:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            self.kills[command.kind] += 1
            if command.kind != "sweep":
                self.phases[self.phase()] += 1
            check_store(self.folder)
            check_files(self.folder)
            return True
        return False

    def phase(self) -> str:
        """Say how far the run was that was killed last."""
        states = list((self.folder / "runs" / "checkpoints").glob("*/state.npz"))
        if not states:
            return "before the first epoch was kept, or after the end"
        with np.load(max(states, key=lambda path: path.stat().st_mtime_ns), allow_pickle=False) as archive:
            return "in the refit or after it" if "refit" in json.loads(bytes(archive["facts"])) else "in the fit"


def finished_trials(folder: Path) -> dict[Path, int]:
    """List what a sweep must not lose or do again: results of trials, with their time of writing."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/sweeps/*/trials/*/result.json")}


def main(kills: int, seed: int) -> None:
    """Kill until so many kills hit something."""
    prepare()
    scratch = Path(tempfile.mkdtemp(prefix="mfx-kill-")) / "work"
    scratch.mkdir()
    campaign = Campaign(scratch, random.Random(seed))
    kinds = commands(DATA)
    expected: list[tuple[Any, float]] = []
    for command in kinds:
        campaign.whole(command.typed)  # kernels, caches
        found, seconds = campaign.whole((*command.typed, "seed=1"))
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
    keep("kill", {"kill": found})
    if not campaign.lost:
        shutil.rmtree(scratch.parent)
    sys.exit(bool(campaign.lost))


if __name__ == "__main__":
    main(**arguments(kills=100, seed=1))
