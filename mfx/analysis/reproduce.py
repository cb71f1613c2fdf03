"""A finished run made again from its settings, data and seed, and compared with what it logged, number by number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mfx import compose, experiment, results
from mfx.analysis.finished_run import FinishedRun, RunError
from mfx.errors import MFXError
from mfx.files import scratch_folder

MEASURED = ("seconds/", "peak_mb/")
"""Beginnings of the names of numbers that no run has twice."""


@dataclass(frozen=True)
class Input:
    """Something that numbers depend on.

    Attributes
    ----------
    name : str
        data, catalogue, split, code, versions, threads, machine or git.
    changes : dict of str to (str, str)
        What of it changed: as logged, and now. Empty where nothing did.
    logged : bool
        Whether the run logged it at all.
    """

    name: str
    changes: dict[str, tuple[str, str]]
    logged: bool = True


@dataclass(frozen=True)
class Reproduction:
    """What came of running a run again.

    Attributes
    ----------
    run : FinishedRun
        The run.
    inputs : list of Input
        What its numbers depend on.
    numbers : int
        How many numbers were compared: final ones, and those of each epoch.
    differing : dict of str to (float or None, float or None)
        Numbers that do not agree to the last digit, as logged and now; None where there is none. An epoch's has the
        name of its curve and ``epoch N``.
    """

    run: FinishedRun
    inputs: list[Input]
    numbers: int
    differing: dict[str, tuple[float | None, float | None]]

    @property
    def agrees(self) -> bool:
        """Whether every number agrees to the last digit."""
        return not self.differing

    @property
    def changed(self) -> list[str]:
        """Names of the inputs that changed."""
        return [one.name for one in self.inputs if one.changes]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "run": str(self.run.folder),
            "agrees": self.agrees,
            "numbers": self.numbers,
            "differing": {name: {"logged": old, "now": new} for name, (old, new) in self.differing.items()},
            "changed": self.changed,
            "inputs": {
                one.name: {
                    "logged": one.logged,
                    "changes": {key: {"logged": old, "now": new} for key, (old, new) in one.changes.items()},
                }
                for one in self.inputs
            },
        }


def reproduce(run: FinishedRun, path: str | None = None, listener: experiment.Listener | None = None) -> Reproduction:
    """Make a run again, untracked and in a folder that is deleted, and compare.

    Parameters
    ----------
    run : FinishedRun
        The run.
    path : str, optional
        Where its data are now, in place of its ``dataset.path``.
    listener : Listener, optional
        Told about stages and epochs.

    Raises
    ------
    RunError
        If the run cannot be composed any more, or its data set has no path.
    MFXError
        If the data cannot be read, or the run fails.
    """
    plan = _plan(run, path)
    with scratch_folder() as scratch:
        experiment.execute(plan, scratch, listener=listener)
        again = FinishedRun(scratch)
        before, now = _numbers(run), _numbers(again)
        names = list({**before, **now})
        differing = {name: (before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)}
        return Reproduction(run, _inputs(run, again), len(names), differing)


def _plan(run: FinishedRun, path: str | None) -> compose.Plan:
    config = run.config | {"tracking": {"name": "console"}, "figures": False}
    if path is not None:
        if "path" not in config["dataset"]:
            raise RunError(f"The data set {config['dataset']['name']} has no path.", "Leave out path=.")
        config["dataset"] = config["dataset"] | {"path": path}
    try:
        return replace(compose.build(config), checkpoint_minutes=math.inf)
    except MFXError as error:
        raise RunError(f"The run {run.shown} cannot be composed again: {error.message}", error.hint) from error


def _numbers(run: FinishedRun) -> dict[str, float]:
    """List every number that a second run must have as well."""
    found = {name: value for name, value in run.metrics.items() if not name.startswith(MEASURED)}
    for name, values in _read(run.folder / results.CURVES_FILE).items():
        found |= {f"{name} epoch {number}": value for number, value in enumerate(values, start=1)}
    return found


def _inputs(run: FinishedRun, again: FinishedRun) -> list[Input]:
    before, now = (_read(one.folder / results.ENVIRONMENT_FILE) for one in (run, again))
    kinds = {
        "code": [name for name in {**before, **now} if name.startswith("code.")],
        "versions": [name for name in {**before, **now} if name == "python" or name.startswith("version.")],
        "threads": ["threads", "cpus"],
        "machine": ["cpu", "platform"],
        "git": ["git_commit", "git_dirty", "mfx_git_commit", "mfx_git_dirty"],
    }
    prints = {**run.fingerprints, **again.fingerprints}
    stands_on = {
        "data": ["rows", "scale"],
        "catalogue": [name for name in prints if name.startswith("catalogue.")],
        "split": [name for name in prints if name.startswith("split")],
    }
    found = [_compared(kind, names, run.fingerprints, again.fingerprints) for kind, names in stands_on.items()]
    return found + [_compared(kind, names, before, now) for kind, names in kinds.items()]


def _compared(kind: str, names: list[str], before: Mapping[str, str], now: Mapping[str, str]) -> Input:
    if not any(name in before for name in names):
        # Outside a git checkout there is no state of git, then and now; everything else is always logged.
        same = kind == "git" and bool(before) and not any(name in now for name in names)
        return Input(kind, {}, logged=same)
    pairs = {_short(name): (before.get(name, "none"), now.get(name, "none")) for name in names}
    return Input(kind, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]})


def _short(name: str) -> str:
    return name.removeprefix("version.").removeprefix("code.").removeprefix("catalogue.")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}.", "Run the experiment again.") from error
    if not isinstance(found, dict):
        raise RunError(f"{path} cannot be read: it is no object.", "Run the experiment again.")
    return found
