"""Moments at which a fault strikes: patches in the process that runs a command, made before it begins."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Moment:
    """When a fault strikes: just before the n-th call of a function, or before the command.

    Attributes
    ----------
    name : str
        For people.
    call : str
        ``module:attribute``; an attribute of a class is written with a dot. Empty: before the command.
    nth : int
        Which call, counted from 1.
    """

    name: str
    call: str = ""
    nth: int = 1

    def arm(self, strike: Callable[[], None]) -> None:
        """Have `strike` called at this moment of the process."""
        if not self.call:
            strike()
            return
        module, _, path = self.call.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        original, calls = getattr(owner, name), 0

        def struck(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == self.nth:
                strike()
            return original(*arguments, **named)

        setattr(owner, name, struck)


BEFORE = Moment("before the command")


def files(*numbers: int) -> tuple[Moment, ...]:
    """List moments of a command that writes files: before it, and before these files."""
    return (BEFORE, *(Moment(f"file {number}", "tempfile:mkstemp", number) for number in numbers))


FIT = (
    BEFORE,
    Moment("writing the cache", "mfx.data.base:write_cached"),
    Moment("fit, epoch 3", "mfx.experiment:Checkpoint.note", 3),
    Moment("saving the model", "mfx.experiment:save_model"),
    Moment("copying to the store", "mfx.tracking.mlflow_tracker:MLflowRun.log_folder"),
    Moment("ending the run", "mfx.tracking.mlflow_tracker:MLflowRun.finish"),
)
SWEEP = (
    BEFORE,
    Moment("trial 3", "mfx.sweep.trial:run", 3),
    Moment("telling of trial 4", "mfx.sweep.study:Study.tell", 4),
    Moment("refit", "mfx.experiment:execute"),
    Moment("ending the run", "mfx.sweep.tracked:TrackedSweep.close"),
)
MANY = (
    BEFORE,
    Moment("run 2 of 2", "mfx.experiment:execute", 2),
    Moment("summary", "mfx.cli.sweep:close"),
)
EXPLORE = (*files(1, 10), *FIT[4:])


def count_files(into: Path) -> None:
    """Count the files that this process puts into place, in the length of a file."""

    def note() -> None:
        with into.open("ab") as file:
            file.write(b".")

    _before_each_file(note)


def die_at_file(nth: int) -> None:
    """Kill this process, as a machine dies, when it has written the n-th file and is about to put it into place."""
    calls = 0

    def perhaps() -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    _before_each_file(perhaps)


def _before_each_file(do: Callable[[], None]) -> None:
    original = os.replace

    def replace(*arguments: Any, **named: Any) -> None:
        do()
        original(*arguments, **named)

    os.replace = replace  # type: ignore[assignment]
