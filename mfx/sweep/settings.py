"""Settings of a sweep, as typed after ``sweep.`` or, in Hydra's own spelling, ``hydra.sweeper.``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mfx.errors import SettingError
from mfx.settings import Component, setting
from mfx.sweep import SWEEPER


def fill_store() -> None:
    """Put the settings of a sweep into Hydra's ConfigStore, where ``conf/hydra/sweeper`` refers to them."""
    from hydra.core.config_store import ConfigStore

    from mfx.compose import SEARCH
    from mfx.compose.nodes import settings_class

    node = settings_class(SweepSettings, [("_target_", str, dataclasses.field(default=SWEEPER))])
    ConfigStore.instance().store(group="hydra/sweeper", name=SEARCH, node=node, provider="mfx")


@dataclass(kw_only=True)
class SweepSettings(Component):
    """Stages, budgets and bookkeeping of a sweep."""

    params: dict[str, str] = setting({})
    """What presets search: settings with their values in Hydra's grammar. Where there are any, nothing that is not
    typed is searched beside them; what is typed for the same setting replaces them."""
    random_trials: int = setting(40, ge=1)
    """Random points, beside trial 0, which is the defaults."""
    grid_points: int = setting(5, ge=0)
    """Grid points along each of the settings that the grid is over; 0 leaves the grid out."""
    max_grid: int = setting(25, ge=1)
    """Grid points at most, over all settings; the longest side of the grid is shortened until they fit."""
    grid_over: list[str] | None = setting(None)
    """One or two settings that the grid is over; by default the two most important ones of the random stage."""
    best_few: int = setting(5, ge=2)
    """How many of the best random points give the grid its width."""
    minutes: float | None = setting(None, gt=0)
    """Hand out no new trial after so many minutes, two thirds of them for random points; counted anew by a resume."""
    seed: int | None = setting(None, ge=0)
    """Seed of the random points; by default the seed of the run."""
    prune: bool = setting(False)
    """End a trial whose valid metric is worse than the median of finished trials at the same epoch (Optuna's
    MedianPruner). Which trials end so depends on the order in which they finish."""
    max_failures: float = setting(0.2, ge=0, le=1)
    """Share of all planned trials that may fail; one more ends the sweep."""
    batch: int | None = setting(None, ge=1)
    """Trials that the launcher gets at once; by default one per worker, with joblib four; without a launcher 1."""
    study: str | None = setting(None)
    """Name of the folder below runs/sweeps; by default made from what is searched, so that the same command goes on."""
    storage: str | None = setting(None)
    """Database for Optuna, such as postgresql://USER@HOST/NAME; by default a journal file in the study's folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grid_over is not None:
            self.grid_over = [str(name) for name in self.grid_over]
            if not 1 <= len(set(self.grid_over)) == len(self.grid_over) <= 2:
                raise SettingError(f"sweep.grid_over={self.grid_over} must name one or two different settings.")
        for name in ("minutes", "seed", "batch", "study", "storage"):
            value = getattr(self, name)
            allowed = {"minutes": (int, float), "seed": (int,), "batch": (int,)}.get(name, (str,))
            if value is not None and type(value) not in allowed:
                raise SettingError(f"sweep.{name}={value!r} is of the wrong type.")
