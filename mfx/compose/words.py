"""The command line that makes a run again, out of its resolved configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mfx import registry
from mfx.compose import nodes
from mfx.compose.folders import plugin_folders
from mfx.settings import settings_of

LABELS = ("experiment_name", "run_name", "tags", "figures")
"""Settings that change no number."""


def command(config: Mapping[str, Any], own: Path) -> str:
    """Write the shortest command line that composes a configuration, but for names, tags and figures.

    Parameters
    ----------
    config : mapping
        As `mfx.compose.complete` returns it.
    own : pathlib.Path
        MFX's own configuration folder; its presets and those of plugins are used where they say it shorter.
    """
    words = ["mfx"]
    for group in nodes.GROUPS:
        if group != "tracking" and (group, config[group]["name"]) != ("engine", "local"):
            words += _group(group, config[group], int(config["seed"]), own)
    root = _plain(nodes.typed(nodes.root_class())) | _scalars(own / "config.yaml")
    for name, value in config.items():
        if name not in (*nodes.GROUPS, *LABELS):
            words += _different(name, value, root.get(name))
    return " ".join(map(shlex.quote, words))


def _scalars(path: Path) -> dict[str, Any]:
    """Read what MFX's own configuration sets beside its choices."""
    from omegaconf import OmegaConf

    loaded: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {name: value for name, value in loaded.items() if name not in ("defaults", "hydra")}


def _group(group: str, node: Mapping[str, Any], seed: int, own: Path) -> list[str]:
    """Choose the name, of a component or a preset, after which the fewest settings remain to be said."""
    info = settings_of(registry.get(group, node["name"]).component)
    defaults = {name: seed if name == "seed" else one.default for name, one in info.items()}
    ways = [[f"{group}={node['name']}", *_rest(group, node, defaults)]]
    for name, preset in _presets(group, node["name"], own):
        ways.append([f"{group}={name}", *_rest(group, node, defaults | preset)])
    return min(ways, key=len)


def _rest(group: str, node: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    return [
        word
        for name, value in node.items()
        if name != "name"
        for word in _different(f"{group}.{name}", value, known.get(name))
    ]


def _presets(group: str, component: str, own: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the presets that start from a component and nothing else."""
    from omegaconf import OmegaConf

    for folder in (own, *plugin_folders(own).values()):
        for path in sorted((folder / group).glob("*.yaml")):
            loaded: Any = OmegaConf.load(path)
            start = [one for one in loaded.pop("defaults", []) if one != "_self_"]
            if start == [component]:
                yield path.stem, _plain(loaded)


def _plain(node: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    found: Any = OmegaConf.to_container(node, resolve=True, throw_on_missing=False)
    return {str(key): value for key, value in found.items()}


def _different(name: str, value: Any, known: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and isinstance(known, Mapping):
        for key, inner in value.items():
            plus = "" if key in known else "+"
            for word in _different(f"{name}.{key}", inner, known.get(key)):
                yield f"{plus}{word}"
    elif value != known:
        yield f"{name}={_text(value)}"


def _text(value: Any) -> str:
    """Write a value in the grammar of overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if text and all(c.isalnum() or c in "_-./@" for c in text) and not _numeric(text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _numeric(text: str) -> bool:
    return text.lower() in ("true", "false", "null", "nan", "inf") or text[:1].isdigit() or text[:1] in "-."
