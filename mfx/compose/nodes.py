"""Typed nodes for Hydra's ConfigStore, made from the settings that components declare."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from mfx import registry
from mfx.errors import MFXError, PluginError, SettingError
from mfx.models.early_stopping import EarlyStopping
from mfx.settings import SettingInfo, settings_of

GROUPS = tuple(kind for kind in registry.KINDS if kind != "metric")
"""Kinds that a person chooses one of; metrics are a list instead."""

Field = tuple[str, Any, Any]


@functools.lru_cache(maxsize=256)
def node_class(entry: registry.Entry) -> type:
    """Make the dataclass that types a component's node: its name, then its settings.

    A setting called ``seed`` follows the seed of the run unless it is given.

    Raises
    ------
    PluginError
        If a setting is called ``name``, or is of a type that cannot be composed.
    """
    settings = settings_of(entry.component)
    owner = f"{entry.kind} '{entry.name}' of package '{entry.package}'"
    if "name" in settings:
        raise PluginError(f"A setting of {owner} is called 'name', which is taken.", "Rename the setting.")
    fields = [("name", str, dataclasses.field(default=entry.name)), *_fields(settings.values(), "${seed}")]
    return _checked(entry.component.__name__, fields, owner)


def node_classes(group: str) -> Iterator[tuple[registry.Entry, type]]:
    """Make the node classes of all components of a kind; a third party's that cannot be composed is left out.

    Raises
    ------
    MFXError
        If a component of MFX itself cannot be composed.
    """
    for entry in registry.available(group):
        try:
            yield entry, node_class(entry)
        except MFXError as error:
            if entry.package == "mfx":
                raise
            registry.leave_out(entry, str(error))


def settings_class(component: type, extra: Iterable[Field] = ()) -> type:
    """Make the dataclass that types settings without a name, such as those of early stopping."""
    fields = [*_fields(settings_of(component).values()), *extra]
    return _checked(component.__name__, fields, component.__qualname__)


def root_class() -> type:
    """Make the dataclass that types the whole configuration."""
    return _root_class(tuple(registry.available("metric")))


@functools.lru_cache(maxsize=16)
def _root_class(metrics: tuple[registry.Entry, ...]) -> type:
    evaluation, stopping = _evaluation_class(metrics), settings_class(EarlyStopping)
    fields: list[Field] = [(group, Any, dataclasses.field(default="???")) for group in GROUPS[:-1]]
    fields += [
        ("metrics", list[str], dataclasses.field(default_factory=list)),
        ("objective", str | None, dataclasses.field(default=None)),
        ("evaluation", evaluation, dataclasses.field(default_factory=evaluation)),
        ("early_stopping", stopping, dataclasses.field(default_factory=stopping)),
        ("refit", bool, dataclasses.field(default=True)),
        ("figures", bool, dataclasses.field(default=True)),
        ("seed", int, dataclasses.field(default=42)),
        ("resume", bool, dataclasses.field(default=False)),
        ("checkpoint_minutes", float, dataclasses.field(default=10.0)),
        (GROUPS[-1], Any, dataclasses.field(default="???")),
        ("experiment_name", str, dataclasses.field(default="mfx")),
        ("run_name", str | None, dataclasses.field(default=None)),
        ("tags", dict[str, str], dataclasses.field(default_factory=dict)),
    ]
    return _checked("Config", fields, "configuration")


def own_settings(metric: type) -> dict[str, SettingInfo]:
    """List the settings of a metric that stand under ``evaluation.<metric>``: all but `k`, part of its name."""
    return {name: info for name, info in settings_of(metric).items() if name != "k"}


def typed(cls: type) -> Any:
    """Instantiate a node for merging and storing; free-form mappings in it accept any key."""
    from omegaconf import OmegaConf

    node = OmegaConf.structured(cls)
    for field in dataclasses.fields(cls):
        if typing.get_origin(field.type) is dict:
            node._get_node(field.name)._set_flag("struct", False)
    return node


def _evaluation_class(metrics: Iterable[registry.Entry]) -> type:
    from mfx.metrics.evaluation import EvaluationSettings

    shared = settings_of(EvaluationSettings)
    extra: list[Field] = []
    for entry in metrics:
        own = own_settings(entry.component)
        if not own:
            continue
        owner = f"metric '{entry.name}' of package '{entry.package}'"
        try:
            if entry.name in shared:
                raise PluginError(f"The {owner} is called like a setting that all metrics share.", "Rename the metric.")
            node = _checked(entry.component.__name__, _fields(own.values(), "${seed}"), owner)
        except MFXError as error:
            if entry.package == "mfx":
                raise
            registry.leave_out(entry, str(error))
            continue
        extra.append((entry.name, node, dataclasses.field(default_factory=node)))
    return settings_class(EvaluationSettings, extra)


def _fields(settings: Iterable[SettingInfo], seed: str | None = None) -> list[Field]:
    return [(info.name, info.type, _default(info, seed)) for info in settings]


def _default(info: SettingInfo, seed: str | None) -> Any:
    if seed is not None and info.name == "seed":
        return dataclasses.field(default=seed)
    if isinstance(info.default, list | dict):
        kind, value = type(info.default), info.default
        return dataclasses.field(default_factory=lambda: kind(value))
    return dataclasses.field(default=info.default)


def _checked(name: str, fields: list[Field], owner: str) -> type:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    cls = dataclasses.make_dataclass(name, fields)
    cls.__module__ = __name__
    try:
        OmegaConf.structured(cls)
    except (OmegaConfBaseException, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise PluginError(
            f"Settings of {owner} cannot be composed: {reason}",
            "Use int, float, bool, str, X | None, list[...] or dict[str, str], with a default that fits.",
        ) from error
    return cls


def checked_minutes(value: float) -> float:
    """Return the minutes between two checkpoints.

    Raises
    ------
    SettingError
        If they are negative or no number.
    """
    if not 0 <= value < math.inf:
        raise SettingError(f"checkpoint_minutes={value} must be a number from 0.", "0 keeps every epoch.")
    return value


def checked_seed(value: int) -> int:
    """Return the seed of the run.

    Raises
    ------
    SettingError
        If it is negative.
    """
    if value < 0:
        raise SettingError(f"seed={value} must be at least 0.")
    return value
