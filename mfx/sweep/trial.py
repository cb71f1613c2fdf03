"""One trial, as a job of Hydra in whatever process: fit on train, score on valid, leave the result in a file."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mfx import compose, experiment, results
from mfx.errors import MFXError, of_system
from mfx.interfaces import Split
from mfx.split.checks import divide
from mfx.sweep.storage import RESULT_FILE, reporting

PREPARED = 2
"""Splits that a process keeps; more than one is needed only where settings of splits or data sets are searched."""

_prepared: dict[str, Split] = {}


class Pruned(Exception):
    """Ends a fit that has no hope."""


def run(config: Any, directory: Path, *, prune: bool) -> dict[str, Any]:
    """Carry out a trial and write ``result.json`` into its folder, whatever comes of it.

    Returns
    -------
    dict
        ``status`` (complete, pruned or failed), ``value`` of the objective on valid, all ``metrics``, ``curves``,
        ``params`` (every setting), ``seconds`` and, for a failure, ``error`` and ``traceback``.

    Raises
    ------
    OSError
        Where the system, a full disk say, is to blame; then there is no result.
    """
    began = time.perf_counter()
    record: dict[str, Any] = {"status": "failed", "value": None, "metrics": {}, "curves": {}, "params": {}}
    try:
        plan = compose.build(config)
        record["params"] = compose.parameters(plan.config)
        record["seconds_prepare"] = -time.perf_counter()
        split = prepared(plan)
        record["seconds_prepare"] += time.perf_counter()
        watch = _pruner(directory, plan.objective, record) if prune else lambda number, point: None
        found = experiment.validate(plan, split, watch)
        value = found.metrics.get(f"valid/{plan.objective}", math.nan)
        if not math.isfinite(value):
            raise MFXError(f"The objective {plan.objective} is not finite on valid.", "Regularise more.")
        record |= {"status": "complete", "value": value, "metrics": found.metrics, "curves": found.curves}
        record |= {"data": split.train.name, "split_fingerprint": split.fingerprint}
    except Pruned:
        record["status"] = "pruned"
    except (Exception, SystemExit) as error:
        if of_system(error):
            raise  # the system is to blame, not the trial
        text = f"{'' if isinstance(error, MFXError) else type(error).__name__ + ': '}{error}"
        record |= {"error": " ".join(text.split()), "traceback": traceback.format_exc()}
    record["seconds"] = time.perf_counter() - began
    results.write_json(directory / RESULT_FILE, record)
    return record


def prepared(plan: compose.Plan) -> Split:
    """Read and split, once per process for the same data set and split; the parts are train, valid and nothing.

    Ratings of test are dropped here, so that no trial can look at them.
    """
    key = json.dumps([plan.config["dataset"], plan.config["split"]], sort_keys=True)
    if key not in _prepared:
        split = divide(plan.splitter, plan.dataset.load())
        while len(_prepared) >= PREPARED:
            del _prepared[next(iter(_prepared))]
        _prepared[key] = replace(split, test=split.test.take(np.zeros(len(split.test), dtype=np.bool_)))
    return _prepared[key]


def _pruner(directory: Path, objective: str, record: dict[str, Any]) -> Callable[[int, dict[str, float]], None]:
    """Report each epoch to Optuna, and end the fit when it says so."""
    facts = json.loads((directory.parent.parent / results.STUDY_FILE).read_text(encoding="utf-8"))
    trial = reporting(directory.parent.parent, facts["storage"], int(directory.name))

    def watch(number: int, point: dict[str, float]) -> None:
        value = point.get(f"valid/{objective}")
        if value is None or not math.isfinite(value):
            return
        trial.report(value, number)
        record["curves"].setdefault(f"valid/{objective}", []).append(value)
        if trial.should_prune():
            record["value"] = value
            raise Pruned

    return watch
