"""MFX's sweeper as Hydra finds it: Hydra imports this module at each start, so it only points to the work."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class RandomThenGrid(Sweeper):
    """A broad random search, then a fine grid around the best."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher."""
        from hydra.core.plugins import Plugins

        from mfx.sweep.recompose import Recomposer

        self.config = config
        self._loader = Recomposer(hydra_context.config_loader)
        self.hydra_context = HydraContext(config_loader=self._loader, callbacks=hydra_context.callbacks)  # type: ignore[arg-type]
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Carry out the sweep; returns what it came to."""
        from mfx.sweep import sweeper

        assert self.config is not None
        assert self.launcher is not None
        return sweeper.sweep(self._settings, self.config, self.launcher, self._loader, arguments)
