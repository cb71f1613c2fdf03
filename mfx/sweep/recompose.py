"""Composing trials quickly: they differ in a few values only, so the rest of the configuration is composed once."""

from __future__ import annotations

import copy
from typing import Any


class Recomposer:
    """Hydra's config loader, quicker for the jobs of one sweep.

    Hydra takes a quarter of a second to compose a job on a slow machine, most of it for reading the same files and
    overrides again. Here overrides of the settings in `searched` are put into a copy of a configuration that was
    composed with all the other overrides. Everything else goes to Hydra's own loader.

    Parameters
    ----------
    loader : hydra.core.config_loader.ConfigLoader
        Hydra's own.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._composed: dict[tuple[str, ...], Any] = {}
        self.searched: frozenset[str] = frozenset()

    def load_sweep_config(self, master_config: Any, sweep_overrides: list[str]) -> Any:
        """Compose the configuration of one job.

        Parameters
        ----------
        master_config : omegaconf.DictConfig
            That of the sweep.
        sweep_overrides : list of str
            Overrides of the job.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from omegaconf import OmegaConf

        own = [one for one in sweep_overrides if one.partition("=")[0] in self.searched]
        rest = tuple(one for one in sweep_overrides if one not in own)
        if rest not in self._composed:
            self._composed[rest] = _untyped(self._loader.load_sweep_config(master_config, list(rest)))
        config = copy.deepcopy(self._composed[rest])
        for override in OverridesParser.create().parse_overrides(own):
            OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
            kind = "hydra" if override.is_hydra_override() else "task"
            config.hydra.overrides[kind].append(override.input_line)
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pickle asks for these before there is a loader
            raise AttributeError(name)
        return getattr(self._loader, name)


def _untyped(config: Any) -> Any:
    """Free a configuration of the classes that type it; the run checks the types of all settings once more.

    Those classes have no module to be found in, so a launcher with worker processes would send them along, and
    putting one together again changes the original.
    """
    from omegaconf import OmegaConf, open_dict

    plain = OmegaConf.create({str(key): _container(config, key) for key in config if key != "hydra"})
    with open_dict(plain):
        plain.hydra = config.hydra
    OmegaConf.set_struct(plain, True)
    return plain


def _container(config: Any, key: Any) -> Any:
    from omegaconf import OmegaConf

    node = config._get_node(key)
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value()
