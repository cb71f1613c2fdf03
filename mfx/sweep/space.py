"""What a sweep searches: one dimension per setting, from declared ranges or Hydra's grammar on the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from mfx import registry
from mfx.compose import ConfigError
from mfx.errors import SettingError
from mfx.settings import SettingInfo, settings_of

Value: TypeAlias = int | float | str
Point: TypeAlias = dict[str, Value]
DIGITS = 6
"""Significant digits of numbers that are tried, so that a command typed again gives the same number."""


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    Attributes
    ----------
    key : str
        As on the command line, such as ``"model.factors"``; may begin with a plus sign.
    kind : {"int", "float", "choice"}
        Whole numbers, numbers, or one of several texts.
    low, high : float
        Both ends included; meaningless for choices.
    default : int, float or str
        Value of trial 0; inside the range.
    log : bool
        Whether the search moves on a logarithmic scale.
    step : int
        Distance of neighbouring whole numbers.
    choices : tuple of str
        As typed on the command line.
    """

    key: str
    kind: Literal["int", "float", "choice"]
    low: float
    high: float
    default: Value
    log: bool = False
    step: int = 1
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The setting, without a plus sign."""
        return self.key.lstrip("+")

    @property
    def size(self) -> float:
        """How many values there are; infinite for numbers that are not whole."""
        if self.kind == "choice":
            return len(self.choices)
        return math.inf if self.kind == "float" else (int(self.high) - int(self.low)) // self.step + 1

    def values(self) -> list[Value]:
        """List the values of a choice or of whole numbers."""
        if self.kind == "choice":
            return list(self.choices)
        return list(range(int(self.low), int(self.high) + 1, self.step))

    def draw(self, rng: np.random.Generator) -> Value:
        """Draw a value, evenly on the scale of the dimension."""
        if self.kind == "choice":
            return self.choices[int(rng.integers(len(self.choices)))]
        if self.kind == "int" and not self.log:
            return int(self.low) + self.step * int(rng.integers(int(self.size)))
        # Whole numbers on a log scale own the interval of half a unit around them.
        half = 0.5 if self.kind == "int" else 0.0
        low, high = self._scale(self.low - half), self._scale(self.high + half)
        return self.nearest(self._unscale(low + (high - low) * float(rng.random())))

    def nearest(self, number: float) -> Value:
        """Round a number to a value of this dimension."""
        if self.kind == "int":
            steps = round((min(max(number, self.low), self.high) - self.low) / self.step)
            return int(self.low) + self.step * min(steps, int(self.size) - 1)
        return min(max(float(f"{number:.{DIGITS}g}"), self.low), self.high)

    def place(self, value: Value) -> float:
        """Where a number lies between `low` (0) and `high` (1) on the scale of the dimension."""
        low, high = self._scale(self.low), self._scale(self.high)
        return (self._scale(float(value)) - low) / (high - low) if high > low else 0.0

    def at(self, place: float) -> Value:
        """Return the value at a place between 0 and 1, the inverse of `place`."""
        low, high = self._scale(self.low), self._scale(self.high)
        return self.nearest(self._unscale(low + (high - low) * place))

    def override(self, value: Value) -> str:
        """Write the value as an override."""
        return f"{self.key}={value!r}" if isinstance(value, float) else f"{self.key}={value}"

    def _scale(self, number: float) -> float:
        return math.log(number) if self.log else number

    def _unscale(self, number: float) -> float:
        return math.exp(number) if self.log else number


def overrides_of(space: Sequence[Dimension], point: Point) -> list[str]:
    """Write a point as overrides."""
    return [dimension.override(point[dimension.name]) for dimension in space]


def build(given: Sequence[Any], defaults: Mapping[str, Any], *, declared: bool = True) -> list[Dimension]:
    """Make the dimensions of a sweep.

    Parameters
    ----------
    given : sequence of hydra.core.override_parser.types.Override
        Everything on the command line. A setting of the model that is set to one value is not searched.
    defaults : mapping
        The configuration of trial 0 before the values of dimensions.
    declared : bool
        Whether settings of the model that declare a range are searched without being given.

    Raises
    ------
    MFXError
        If a range cannot be searched, or nothing is left to search.
    """
    model = defaults["model"]["name"]
    known = settings_of(registry.get("model", model).component) if declared else {}
    swept = [one for one in given if one.is_sweep_override()]
    taken = {one.get_key_element().lstrip("+") for one in given}
    space = [_typed(one, _info(one, defaults), _default(one, defaults)) for one in swept]
    for info in known.values():
        if info.bounds.tunable and f"model.{info.name}" not in taken:
            space.append(_declared(info, defaults["model"][info.name]))
    if not space:
        raise ConfigError(
            f"There is nothing to search: model '{model}' has no setting with a search range left.",
            "Give a range, such as 'model.reg=tag(log,interval(1,100))'.",
        )
    for dimension in space:
        if dimension.size < 1 or (dimension.kind != "choice" and dimension.low > dimension.high):
            raise ConfigError(f"The range of {dimension.name} is empty.", "Write the smaller number first.")
    return sorted(space, key=lambda dimension: dimension.name)


def _declared(info: SettingInfo, default: Any) -> Dimension:
    bounds = info.bounds
    assert bounds.low is not None
    assert bounds.high is not None
    kind: Literal["int", "float"] = "int" if info.type is int else "float"
    return _with_default(Dimension(f"model.{info.name}", kind, bounds.low, bounds.high, 0, bounds.log), default)


def _with_default(made: Dimension, default: Any) -> Dimension:
    """Give a dimension of numbers its value in trial 0: the default, or the nearest value in the range."""
    number = isinstance(default, int | float) and not isinstance(default, bool)
    value = made.nearest(float(default)) if number else made.at(0.5)
    return Dimension(made.key, made.kind, made.low, made.high, value, made.log, made.step)


def _info(override: Any, defaults: Mapping[str, Any]) -> SettingInfo | None:
    group, _, name = override.key_or_group.partition(".")
    if group not in registry.KINDS or group not in defaults or not name:
        return None
    return settings_of(registry.get(group, defaults[group]["name"]).component).get(name)


def _default(override: Any, defaults: Mapping[str, Any]) -> Any:
    node: Any = defaults
    for part in override.key_or_group.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    return node.get("name") if isinstance(node, Mapping) else node


def _typed(override: Any, info: SettingInfo | None, default: Any) -> Dimension:
    """Turn an override that gives several values into a dimension."""
    key, value = override.get_key_element(), override.value()
    name = key.lstrip("+")
    if name in ("model", "seed") or name.startswith(("hydra", "tracking")):
        raise ConfigError(
            f"'{name}' is not searched: trials of a sweep share it.", "Give it one value, and sweep once for each."
        )
    if not hasattr(value, "tags"):
        raise ConfigError(f"'{override.input_line}' cannot be searched.", "List the values: choice(a,b).")
    if strange := set(value.tags) - {"log"}:
        raise ConfigError(f"'{override.input_line}' has the tag {', '.join(strange)}.", "The one tag is log.")
    log = "log" in value.tags
    if override.is_interval_sweep():
        return _with_default(_interval(key, value, log, info, default), default)
    if getattr(value, "shuffle", False):
        raise ConfigError(f"'{override.input_line}' asks for a shuffle.", "The search has an order of its own.")
    if override.is_range_sweep() and all(isinstance(n, int) for n in (value.start, value.stop, value.step)):
        return _with_default(_range(override, value, log), default)
    if log:
        raise ConfigError(f"'{override.input_line}': choices have no log scale.", "Use tag(log,interval(LOW,HIGH)).")
    texts = tuple(dict.fromkeys(override.sweep_string_iterator()))
    chosen = next((text for text in texts if _same(text, default)), texts[0] if texts else "")
    return Dimension(key, "choice", 0, 0, chosen, choices=texts)


def _interval(key: str, value: Any, log: bool, info: SettingInfo | None, default: Any) -> Dimension:
    low, high = float(value.start), float(value.end)
    whole = info.type is int if info is not None else type(default) is int
    if log and low <= 0:
        raise SettingError(f"The range of {key} begins at {low:g}; a log scale begins above 0.")
    if whole and not (low.is_integer() and high.is_integer()):
        raise SettingError(f"{key} takes whole numbers, its range is {low:g} to {high:g}.")
    return Dimension(key, "int" if whole else "float", low, high, 0, log)


def _range(override: Any, value: Any, log: bool) -> Dimension:
    numbers = value.range()
    if not len(numbers):
        raise ConfigError(f"'{override.input_line}' is an empty range.", "The second number is not part of it.")
    low, high, step = min(numbers), max(numbers), abs(int(value.step))
    if log and (step != 1 or low <= 0):
        raise ConfigError(f"'{override.input_line}': a log scale needs steps of 1 above 0.")
    return Dimension(override.get_key_element(), "int", low, high, 0, log, step)


def _same(text: str, default: Any) -> bool:
    plain = text.strip("'\"")
    if isinstance(default, bool) or default is None:
        return plain.lower() == {True: "true", False: "false", None: "null"}[default]
    if isinstance(default, int | float):
        try:
            return float(plain) == default
        except ValueError:
            return False
    return plain == str(default)
