"""Composition: choices and overrides in, a checked plan out.

Hydra's ConfigStore is filled from the registry, so that a component needs no YAML file: its settings, their types and
defaults come from the class.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfx import registry
from mfx.compose import complaints, nodes
from mfx.compose.complaints import ConfigError
from mfx.compose.folders import EXPERIMENT, plugin_folders, register_search_path
from mfx.compose.plan import Plan, build, complete, flatten, label, parameters
from mfx.errors import MFXError

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = [
    "EXPERIMENT",
    "ConfigError",
    "Plan",
    "build",
    "check_folder",
    "command",
    "complete",
    "compose",
    "conf_dir",
    "explained",
    "fill_store",
    "flatten",
    "label",
    "nothing_left_behind",
    "parameters",
    "preset_folders",
    "presets",
]

CONFIG = "config"
SEARCH = "random_then_grid_settings"
"""Node of the settings of a search, which ``mfx.sweep`` fills; see ``conf/hydra/sweeper``."""


def conf_dir() -> Path:
    """Return the folder of MFX's own configuration: ``mfx/conf`` in a wheel, ``conf`` beside ``mfx`` in a checkout.

    Raises
    ------
    ConfigError
        If neither is there: the installation is broken.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{CONFIG}.yaml").is_file():
            return folder
    raise ConfigError(f"MFX's configuration is missing: no conf/{CONFIG}.yaml beside {package}.", "Install mfx again.")


def fill_store() -> None:
    """Put a typed node for every registered component, and the schema of the whole, into Hydra's ConfigStore.

    Folders of plugins become part of Hydra's search path. A third party's component that cannot be composed is left
    out and reported.
    """
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for group in nodes.GROUPS:
        store.repo.pop(group, None)
        for entry, cls in nodes.node_classes(group):
            store.store(group=group, name=entry.name, node=nodes.typed(cls), provider=f"mfx plugin {entry.package}")
    store.store(name="schema", node=nodes.typed(nodes.root_class()), provider="mfx")
    if f"{SEARCH}.yaml" not in store.repo.get("hydra", {}).get("sweeper", {}):
        # One run of a named experiment that searches: its settings of the search are let through, and not looked at.
        store.store(group="hydra/sweeper", name=SEARCH, node={}, provider="mfx")
    plugin_folders(conf_dir())  # so that clashes are reported before anything is composed
    register_search_path(conf_dir())


def command(config: Mapping[str, Any]) -> str:
    """Write the shortest command line that makes a run with this resolved configuration again."""
    from mfx.compose import words

    return words.command(config, conf_dir())


def preset_folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Return all folders with presets: MFX's own, those of plugins, then `extra`."""
    return [conf_dir(), *plugin_folders(conf_dir()).values(), *extra]


def presets(folder: Path) -> dict[str, list[Path]]:
    """List the preset files of a configuration folder by group, experiments included."""
    return {group: sorted((folder / group).glob("*.yaml")) for group in (*nodes.GROUPS, EXPERIMENT)}


def check_folder(folder: Path) -> None:
    """Refuse a folder of presets that is missing, or that would hide a component or one of MFX's own presets.

    Raises
    ------
    ConfigError
        Naming the first file that clashes.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder.absolute()}.", "Give --config-dir a folder with presets.")
    own = conf_dir()
    others = {f"MFX's own {own.name}": own} if folder.resolve() != own else {}
    others |= {f"a file of package '{package}' in {place}": place for package, place in plugin_folders(own).items()}
    for group, files in presets(folder).items():
        entries = registry.available(group) if group != EXPERIMENT else []
        taken = {entry.name: f"the {group} of package '{entry.package}'" for entry in entries}
        for what, place in others.items():
            taken |= {path.stem: f"{what}/{path.relative_to(place)}" for path in presets(place)[group]}
        for path in files:
            if path.stem in taken:
                raise ConfigError(f"{path} is called like {taken[path.stem]}.", "Rename the file.")


def compose(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> DictConfig:
    """Compose a configuration as the command line does; nothing of Hydra stays behind.

    Parameters
    ----------
    overrides : sequence of str
        As typed on the command line, such as ``"model=als"`` or ``"model.factors=20"``.
    config_dir : path, optional
        A folder with presets, such as ``model/mine.yaml``.

    Raises
    ------
    MFXError
        In one line: an unknown choice, setting or type.
    """
    import hydra

    extra = []
    if config_dir is not None:
        folder = Path(config_dir)
        check_folder(folder)
        extra = [f"hydra.searchpath=['file://{folder.absolute()}']"]
    with nothing_left_behind(), explained():
        fill_store()
        with hydra.initialize_config_dir(str(conf_dir()), job_name="mfx", **hydra_base()):
            return hydra.compose(CONFIG, overrides=[*overrides, *extra])


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn errors of Hydra and OmegaConf inside the block into MFX's own, the originals as their cause."""
    try:
        yield
    except MFXError:
        raise
    except Exception as error:
        told = complaints.explain(error)
        if told is None:
            raise
        raise told from error


def hydra_base() -> dict[str, Any]:
    """Arguments that ask Hydra for its present behaviour: 1.3 wants to be told so, 1.4 does not."""
    import hydra

    return {"version_base": None} if hydra.__version__.startswith("1.3.") else {}


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Put Hydra's global state back as it was when the block ends."""
    from hydra import version
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    store, running = ConfigStore.instance(), GlobalHydra.instance()
    repo, hydra, base = store.repo, running.hydra, version.VersionBase.instance().version_base
    store.repo = dict(repo)
    try:
        yield
    finally:
        store.repo = repo
        running.hydra = hydra
        version.VersionBase.instance().version_base = base
