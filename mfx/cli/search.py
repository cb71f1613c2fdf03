"""`mfx sweep ...`: a random search, then a grid around the best, spelled for people."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from mfx.compose import ConfigError
from mfx.errors import did_you_mean
from mfx.settings import settings_of
from mfx.sweep.settings import SweepSettings

PREFIX = "sweep."


def translated(arguments: Sequence[str]) -> list[str]:
    """Write the command as Hydra knows it: ``sweep.NAME=VALUE`` is ``hydra.sweeper.NAME=VALUE``.

    ``sweep.workers=N`` stands for the joblib launcher with N processes.

    Raises
    ------
    ConfigError
        If there is no such setting, or joblib's launcher is not installed.
    """
    words = ["-m", "hydra/sweeper=random_then_grid"]
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not name.startswith(PREFIX):
            words.append(argument)
            continue
        setting = name.removeprefix(PREFIX)
        known = [*settings_of(SweepSettings), "workers"]
        if setting not in known:
            raise ConfigError(f"A sweep has no setting '{setting}'.", did_you_mean(setting, known))
        words += _workers(value) if setting == "workers" else [f"hydra.sweeper.{setting}{equals}{value}"]
    return words


def _workers(value: str) -> list[str]:
    if not value.isdecimal() or int(value) < 1:
        raise ConfigError(f"sweep.workers={value} must be a whole number from 1.")
    if int(value) == 1:
        return []
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None:
        raise ConfigError("Several workers need Hydra's joblib launcher.", "Run: pip install 'mfx[joblib]'")
    return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={value}"]
