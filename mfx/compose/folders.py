"""Configuration folders of plugins: ``conf`` beside the module that the entry point names, searched after MFX's own.

A folder with a file that is called like a component, or like a file of MFX or of another plugin, is left out as a
whole and reported: Hydra would take the first of two files in silence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mfx import registry

EXPERIMENT = "experiment"
"""Group of files that set several choices at once; a component has no file there."""


def plugin_folders(own: Path) -> dict[str, Path]:
    """Return the configuration folder of each plugin's package that has one and clashes with nothing.

    Parameters
    ----------
    own : pathlib.Path
        MFX's own configuration.
    """
    taken = dict.fromkeys(_names(own), "MFX's own")
    taken |= {f"{entry.kind}/{entry.name}": f"the {entry.kind}" for entry in registry.available()}
    taken = {name: f"{what} '{name}'" for name, what in taken.items()}
    found: dict[str, Path] = {}
    for plugin in registry.plugins():
        folder = _conf_of(plugin.module)
        if plugin.package == "mfx" or folder is None or plugin.package in found:
            continue
        names = _names(folder)
        clash = next((name for name in names if name in taken), None)
        if clash is not None:
            reason = f"Its configuration is not used: {folder / clash}.yaml is called like {taken[clash]}."
            registry.report(plugin.name, plugin.package, f"{reason} Rename the file.")
            continue
        taken |= {name: f"'{name}' of package '{plugin.package}'" for name in names}
        found[plugin.package] = folder
    return found


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


def _conf_of(module: str) -> Path | None:
    """Find ``conf`` in the package that holds a module, the innermost first."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        for place in getattr(sys.modules.get(".".join(parts[:length])), "__path__", ()):
            if (Path(place) / "conf").is_dir():
                return Path(place) / "conf"
    return None


def register_search_path(own: Path) -> None:
    """Let Hydra search the plugins' folders wherever it searches MFX's own."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class PluginFolders(SearchPathPlugin):
        """Adds the folders; in a search that is not MFX's, none."""

        def manipulate_search_path(self, search_path: Any) -> None:
            if any(Path(part).resolve() == own for part in _local(search_path)):
                for package, folder in plugin_folders(own).items():
                    search_path.append(f"mfx plugin {package}", f"file://{folder}")

    # Registered under one name: the class replaces the one of an earlier call.
    plugins = Plugins.instance()
    known = plugins.plugin_type_to_subclass_list[SearchPathPlugin]
    known[:] = [one for one in known if one.__qualname__ != PluginFolders.__qualname__]
    plugins.register(PluginFolders)


def _local(search_path: Any) -> Iterator[str]:
    for element in search_path.get_path():
        if element.path and (element.path.startswith("file://") or "://" not in element.path):
            yield element.path.removeprefix("file://")
