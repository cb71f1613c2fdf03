"""What a sweep will do: its space, its objective, its folder, all checked before a trial runs."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mfx import compose, results
from mfx.compose import ConfigError
from mfx.compose.nodes import GROUPS
from mfx.errors import MFXError, masked
from mfx.sweep import space as spaces
from mfx.sweep.settings import SweepSettings
from mfx.sweep.space import Dimension, Point
from mfx.sweep.storage import StudyError

SUBDIR = "hydra.sweep.subdir"
ROOT = Path("runs") / results.STUDIES
ELSEWHERE = ("tracking", "experiment_name", "run_name", "tags", "figures")
"""Choices that do not change what is tried, so that a sweep goes on under others."""
BOOKKEEPING = ("storage", "batch", "study", "max_failures")


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that was checked.

    Attributes
    ----------
    arguments, fixed : list of str
        Overrides as typed, and those among them that give one value.
    space : list of Dimension
        What is searched.
    defaults : dict
        The whole configuration of trial 0, before the values of dimensions.
    trial_plan : mfx.compose.Plan
        The components of trial 0.
    """

    settings: SweepSettings
    arguments: list[str]
    fixed: list[str]
    shared: list[str]
    config_name: str
    config_dir: str | None
    space: list[Dimension]
    defaults: dict[str, Any]
    trial_plan: compose.Plan
    given_folder: str | None

    @property
    def higher_is_better(self) -> bool:
        """Direction of the objective."""
        return self.trial_plan.metrics[self.trial_plan.objective].higher_is_better

    @property
    def seed(self) -> int:
        """Seed of the random points."""
        return int(self.defaults["seed"]) if self.settings.seed is None else self.settings.seed

    def params_of(self, point: Point) -> dict[str, str]:
        """Every setting of a trial as text; of one that cannot be composed, with those of trial 0 that it shares."""
        try:
            with compose.explained():
                composed = self.compose([*self.fixed, *spaces.overrides_of(self.space, point)])
                return compose.parameters(compose.complete(composed))
        except MFXError:
            params = compose.parameters(self.defaults)
            return params | {name: str(value) for name, value in point.items() if name in params}

    @cached_property
    def grid_over(self) -> list[str] | None:
        """Names of the settings that the grid was asked to be over; ``factors`` stands for ``model.factors``."""
        if self.settings.grid_over is None:
            return None
        names = [one.name for one in self.space]
        wanted = [name if name in names else f"model.{name}" for name in self.settings.grid_over]
        for name in wanted:
            if name not in names:
                raise ConfigError(
                    f"sweep.grid_over names {name}, which is not searched.", f"Searched: {', '.join(names)}."
                )
        return wanted

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that decides which trials there are and what comes of them."""
        settings = {name: value for name, value in self.settings.settings().items() if name not in BOOKKEEPING}
        config = {name: value for name, value in self.defaults.items() if name not in ELSEWHERE}
        return {
            "space": [asdict(one) for one in self.space],
            "config": masked(config),  # who changes a password goes on with the same study
            "sweep": settings | {"seed": self.seed},
            "prune": self.settings.prune,
        }

    @cached_property
    def folder(self) -> Path:
        """The study's folder: as named, otherwise the same for the same sweep."""
        if self.given_folder is not None:
            return Path(self.given_folder).absolute()
        if self.settings.study is not None:
            return (ROOT / results.safe_name(self.settings.study)).absolute()
        digest = hashlib.blake2b(json.dumps(self.identity, sort_keys=True).encode(), digest_size=4).hexdigest()
        return (ROOT / results.safe_name(f"{compose.label(self.defaults)}_{digest}")).absolute()

    def keep_or_compare(self) -> None:
        """Write down what the study is about, or see that the one in the folder is about the same.

        Raises
        ------
        StudyError
            If the folder holds another sweep.
        """
        path = self.folder / results.STUDY_FILE
        wanted = json.loads(json.dumps(self.identity))
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))["identity"]
            if found != wanted:
                raise StudyError(
                    f"{self.folder} holds another sweep: its {_difference(found, wanted)} differs.",
                    "Give this one another name with sweep.study=.",
                )
            return
        command = " ".join(shlex.quote(argument) for argument in self.arguments)
        facts = {"overrides": command, "storage": self.settings.storage, "identity": wanted}
        results.write_json(path, facts)

    @property
    def quick(self) -> frozenset[str]:
        """Keys whose values may be put into a composed configuration; choices of groups and new keys may not."""
        return frozenset({one.key for one in self.space if "." in one.key and one.key == one.name} | {SUBDIR})

    def placed(self, number: int) -> list[str]:
        """Write the overrides that put a trial into its folder."""
        text = str(self.folder).replace("\\", "\\\\").replace("'", "\\'")
        return [f"hydra.sweep.dir='{text}'", f"{SUBDIR}=trials/{number:04d}"]

    def compose(self, overrides: Sequence[str]) -> Any:
        """Compose a configuration inside the running Hydra."""
        return _compose(self.config_name, [*overrides, *self.shared])

    def text(self, point: Point) -> str:
        """Write a point for people."""
        return " ".join(one.override(point[one.name]) for one in self.space)

    def command(self, point: Point) -> str:
        """Write the command that runs a point again."""
        words = ["mfx", *(["--config-dir", self.config_dir] if self.config_dir else [])]
        return " ".join(map(shlex.quote, [*words, *self.fixed, *spaces.overrides_of(self.space, point)]))

    @staticmethod
    def describe(one: Dimension) -> str:
        """Write a range for people."""
        if one.kind == "choice":
            return f"one of {', '.join(one.choices)}"
        step = f", step {one.step}" if one.step != 1 else ""
        return f"{one.low:g} to {one.high:g}{', log' if one.log else ''}{step}"


def plan(settings: SweepSettings, config: Any, arguments: Sequence[str]) -> SweepPlan:
    """Check a sweep and make its plan; data are not read.

    Raises
    ------
    MFXError
        In one line, what is wrong.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    arguments = [*preset(settings.params, arguments), *arguments]
    given = OverridesParser.create().parse_overrides(arguments)
    hydra = [str(one) for one in config.hydra.overrides.hydra]
    shared = [one for one in hydra if "hydra.searchpath" in one]
    name = str(config.hydra.job.config_name)
    fixed = [str(one.input_line) for one in given if not one.is_sweep_override()]
    # Groups that are searched take their first choice, so that settings of that choice may be set beside it.
    first = [
        f"{one.get_key_element()}={next(iter(one.sweep_string_iterator()))}"
        for one in given
        if one.is_discrete_sweep() and one.key_or_group in GROUPS
    ]
    composed = _compose(name, [*fixed, *first, *shared])
    defaults = compose.complete(composed)
    space = spaces.build(given, defaults, declared=not settings.params)
    zero = {one.name: one.default for one in space}
    made = SweepPlan(
        settings=settings,
        arguments=arguments,
        fixed=fixed,
        shared=shared,
        config_name=name,
        config_dir=_config_dir(config),
        space=space,
        defaults=defaults,
        trial_plan=compose.build(_compose(name, [*fixed, *spaces.overrides_of(space, zero), *shared])),
        given_folder=str(config.hydra.sweep.dir) if any("hydra.sweep.dir=" in one for one in hydra) else None,
    )
    _ = made.grid_over
    return made


def preset(params: Mapping[str, str], arguments: Sequence[str]) -> list[str]:
    """Write what a preset searches as overrides, but for settings that are typed."""
    typed = {argument.partition("=")[0].lstrip("+") for argument in arguments}
    return [f"{name}={values}" for name, values in params.items() if name not in typed]


def _compose(name: str, overrides: list[str]) -> Any:
    import hydra

    return hydra.compose(name, overrides=overrides)


def _config_dir(config: Any) -> str | None:
    for source in config.hydra.runtime.config_sources:
        if source.provider == "command-line":
            return str(source.path)
    return None


def _difference(found: Any, wanted: Any, where: str = "") -> str:
    """Name the first place where two plain structures differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in {**found, **wanted}:
            if found.get(key) != wanted.get(key):
                return _difference(found.get(key), wanted.get(key), f"{where}.{key}" if where else key)
    return where or "content"
