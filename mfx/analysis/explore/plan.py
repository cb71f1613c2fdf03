"""What an exploration will look at: choices and settings, checked before data is read."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfx import compose, registry
from mfx.compose import ConfigError, nodes
from mfx.errors import did_you_mean
from mfx.interfaces import Dataset, Splitter, Tracker
from mfx.settings import Component, setting

GROUP = "explore"
CHOICES = ("dataset", "split", "tracking")
USED = (*CHOICES, "seed", "experiment_name", "run_name", "tags", compose.EXPERIMENT, GROUP)
"""Choices and settings that an exploration reads."""


@dataclass(kw_only=True)
class ExploreSettings(Component):
    """How much of a data set is shown."""

    top: int = setting(10, ge=1, le=50)
    """Users, items and tags in each list."""
    min_ratings: int = setting(50, ge=1)
    """Ratings that an item needs to stand among the best rated."""
    corner: int = setting(50, ge=2, le=200)
    """Most active users and most rated items in the heat map of ratings."""
    genres: int = setting(5, ge=0, le=6)
    """Most frequent genres whose densities of mean ratings are drawn beside that of all items."""


@dataclass(frozen=True)
class ExplorePlan:
    """An exploration that was checked.

    Attributes
    ----------
    config : dict
        Every choice and setting that it reads, resolved, as plain values.
    settings : ExploreSettings
        Those under ``explore``.
    command : str
        The command line that does the same.
    """

    config: dict[str, Any]
    settings: ExploreSettings
    dataset: Dataset
    splitter: Splitter
    tracker: Tracker
    command: str

    @property
    def name(self) -> str:
        """Name of the run: as given, otherwise from the name of the data set."""
        given = self.config["run_name"]
        return str(given) if given else f"explore_{getattr(self.dataset, 'title', self.config['dataset']['name'])}"


def plan(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> ExplorePlan:
    """Compose an exploration.

    Parameters
    ----------
    overrides : sequence of str
        As typed, such as ``"dataset=ml_1m"``, ``"split=random"`` or ``"explore.top=20"``.
    config_dir : path, optional
        A folder with presets.

    Raises
    ------
    MFXError
        In one line: an unknown choice, setting or type, or one that an exploration does not read.
    """
    own, shared = _sorted(overrides)
    whole = compose.complete(compose.compose(shared, config_dir))
    nodes.checked_seed(whole["seed"])
    settings = ExploreSettings(**_typed(own))
    made = {group: _create(group, whole[group]) for group in CHOICES}
    words = ["mfx", GROUP, *(["--config-dir", str(config_dir)] if config_dir is not None else []), *overrides]
    config = {name: whole[name] for name in USED if name in whole} | {GROUP: settings.settings()}
    return ExplorePlan(
        config, settings, made["dataset"], made["split"], made["tracking"], " ".join(map(shlex.quote, words))
    )


def _sorted(overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Separate ``explore.NAME=VALUE`` from what all of MFX knows; refuse what would change nothing."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    own: dict[str, Any] = {}
    shared = []
    with compose.explained():
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    known = {*USED, *nodes.GROUPS, "hydra", *(one.name for one in dataclasses.fields(nodes.root_class()))}
    for one in parsed:
        key = str(one.key_or_group)
        root = key.partition(".")[0].partition("/")[0]
        if one.is_sweep_override():
            raise ConfigError(f"'{one.input_line}' gives several values.", "Explore one data set at a time.")
        if root not in known:
            raise ConfigError(f"There is no setting or group '{root}'.", did_you_mean(root, USED))
        if root not in USED:
            raise ConfigError(
                f"'{one.input_line}' would change nothing: mfx explore reads no {root}.", f"It reads {', '.join(USED)}."
            )
        if root != GROUP:
            shared.append(str(one.input_line))
        elif key == GROUP or one.is_delete() or one.is_add():
            raise ConfigError(f"'{one.input_line}' sets nothing.", f"Write {GROUP}.NAME=VALUE.")
        else:
            own[key.removeprefix(f"{GROUP}.")] = one.value()
    return own, shared


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    from omegaconf import OmegaConf

    with compose.explained():
        # Under its name, so that complaints name the setting as it was typed.
        schema = OmegaConf.create({GROUP: nodes.typed(nodes.settings_class(ExploreSettings))})
        OmegaConf.set_struct(schema, True)
        merged = OmegaConf.merge(schema, {GROUP: given})
        typed: Any = OmegaConf.to_container(merged, resolve=True)
    return {str(name): value for name, value in typed[GROUP].items()}


def _create(group: str, node: dict[str, Any]) -> Any:
    return registry.create(group, node["name"], {key: value for key, value in node.items() if key != "name"})
