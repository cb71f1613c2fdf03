"""How many trials Hydra's launchers run at a time, and get at once."""

from __future__ import annotations

import os
from typing import Any

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""Hydra's own, which runs one job after the other in its own process."""


def workers(launcher: Any, batch: int | None = None) -> int:
    """Return how many trials a launcher runs at a time: as its settings say, otherwise all that it gets at once.

    Parameters
    ----------
    launcher : mapping
        Its node of the configuration.
    batch : int, optional
        How many it gets at once; by default one per processor.
    """
    processors = os.cpu_count() or 1
    if launcher["_target_"] == BASIC:
        return 1
    asked = launcher.get("n_jobs", launcher.get("array_parallelism"))
    if not isinstance(asked, int):
        return batch or processors
    return asked if asked > 0 else max(1, processors + 1 + asked)


def batch(launcher: Any) -> int:
    """Return how many trials a launcher gets at once where nobody says.

    Joblib's has a queue: four for each worker keep all of them busy for longer. Others may start everything at once.
    """
    at_a_time = workers(launcher)
    return 4 * at_a_time if at_a_time > 1 and "n_jobs" in launcher else at_a_time
