"""Settings of a component: declared once, beside the code that uses them, with their bounds and search ranges."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from mfx.errors import SettingError, did_you_mean

_KEY = "mfx"


@dataclass(frozen=True)
class Bounds:
    """What a value must satisfy, and where a search looks for it.

    Attributes
    ----------
    ge, gt, le, lt : float or None
        The value must be at least, above, at most, below this number.
    choices : tuple of str
        The only values allowed; empty when any will do.
    low, high : float or None
        Search range of a tunable setting, both ends included; None when the setting is not tuned.
    log : bool
        Whether a search moves on a logarithmic scale.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False

    @property
    def tunable(self) -> bool:
        """Whether the setting has a search range."""
        return self.low is not None and self.high is not None

    def problem(self, value: Any) -> str | None:
        """Say in a few words what is wrong with a value, or None if nothing is."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return "must fit into 64 bits"
        if not math.isfinite(value):
            return "must be a finite number"
        if self.ge is not None and value < self.ge:
            return f"must be at least {self.ge:g}"
        if self.gt is not None and value <= self.gt:
            return f"must be above {self.gt:g}"
        if self.le is not None and value > self.le:
            return f"must be at most {self.le:g}"
        if self.lt is not None and value >= self.lt:
            return f"must be below {self.lt:g}"
        return None


def setting(
    default: Any,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a setting with its default and the bounds that every value must keep.

    Use it as the default of a dataclass field: ``epochs: int = setting(15, ge=1)``.

    Parameters
    ----------
    default : object
        The default; of a list or mapping each component gets a copy.
    ge, gt, le, lt : float, optional
        A number must be at least, above, at most, below this one. Whatever the bounds, it must be finite.
    choices : tuple of str, optional
        The only values allowed.

    Returns
    -------
    dataclasses.Field
        Typed as anything, so that it can stand where a value of the setting's type is expected.

    Raises
    ------
    SettingError
        When the component is made with a value outside the bounds (raised by `Component`).
    """
    return _field(default, Bounds(ge=ge, gt=gt, le=le, lt=lt, choices=choices))


def tunable(
    default: Any,
    *,
    low: float,
    high: float,
    log: bool = False,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """Declare a setting that a sweep searches by default.

    Parameters
    ----------
    default : int or float
        The default.
    low, high : float
        Where a sweep looks, both ends included; other values are allowed, as far as the bounds let them be.
    log : bool
        Whether a sweep moves on a logarithmic scale.
    ge, gt, le, lt : float, optional
        Bounds of every value, as in `setting`.

    Returns
    -------
    dataclasses.Field
        As `setting` does.
    """
    return _field(default, Bounds(ge=ge, gt=gt, le=le, lt=lt, low=low, high=high, log=log))


def _field(default: Any, bounds: Bounds) -> Any:
    metadata = {_KEY: bounds}
    if isinstance(default, list | dict):
        kind = type(default)
        return dataclasses.field(default_factory=lambda: kind(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class SettingInfo:
    """One setting of a component, as listings, composition and sweeps see it."""

    name: str
    type: Any
    default: Any
    bounds: Bounds

    @property
    def plain_types(self) -> tuple[type, ...]:
        """Types that a value may have, such as (float, NoneType); empty when the type is more than plain values."""
        parts = get_args(self.type) if isinstance(self.type, UnionType) else (self.type,)
        return parts if all(part in (int, float, bool, str, NoneType) for part in parts) else ()

    @property
    def holds_many(self) -> bool:
        """Whether a value is a list or a mapping, or None."""
        parts = get_args(self.type) if isinstance(self.type, UnionType) else (self.type,)
        return {get_origin(part) or part for part in parts} <= {list, dict, NoneType}

    @property
    def type_name(self) -> str:
        """The type as a person writes it, such as ``float`` or ``list[str]``."""
        plain = isinstance(self.type, type) and not hasattr(self.type, "__args__")
        return str(self.type.__name__ if plain else self.type)


def settings_of(component: type) -> dict[str, SettingInfo]:
    """List the settings of a component class in the order of their declaration.

    Raises
    ------
    SettingError
        If the class is no dataclass, or a setting has no default (then it could not be composed by name alone).
    """
    if not dataclasses.is_dataclass(component) or _undecorated(component):
        raise SettingError(
            f"{component.__module__}.{component.__qualname__} is not a dataclass, so it has no settings.",
            "Put @dataclass(kw_only=True) under @register(...).",
        )
    hints = get_type_hints(component)
    found: dict[str, SettingInfo] = {}
    for field in dataclasses.fields(component):
        if not field.init:
            continue
        if field.default is not dataclasses.MISSING:
            default: Any = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        else:
            raise SettingError(
                f"Setting '{field.name}' of {component.__qualname__} has no default.",
                "Give it one; None with a clear error in __post_init__ where a person must choose.",
            )
        bounds = field.metadata.get(_KEY, Bounds())
        found[field.name] = SettingInfo(field.name, hints[field.name], default, bounds)
    return found


def _undecorated(component: type) -> bool:
    """Whether a subclass of a dataclass declares fields of its own that no decorator has taken up."""
    if "__dataclass_fields__" in vars(component):
        return False
    own = inspect.get_annotations(component).values()
    return any("ClassVar" not in str(annotation) for annotation in own)


def check_names(component: type, given: Mapping[str, Any], where: str) -> None:
    """Refuse settings that the component does not have, naming those it has.

    Raises
    ------
    SettingError
        Naming the first unknown setting and the nearest known one.
    """
    known = settings_of(component)
    for name in given:
        if name not in known:
            raise SettingError(f"{where} has no setting '{name}'.", did_you_mean(name, known))


@dataclass(kw_only=True)
class Component:
    """Base of components: checks every setting against its type and bounds when it is made.

    Subclasses that define `__post_init__` call ``super().__post_init__()`` first.
    """

    def __post_init__(self) -> None:
        for info in settings_of(type(self)).values():
            value = getattr(self, info.name)
            where = f"{type(self).__name__}.{info.name}"
            allowed = info.plain_types
            if float in allowed and int not in allowed and type(value) is int:
                setattr(self, info.name, value := float(value))
            # Composing lets a single value by where ${...} stands for it.
            single = isinstance(value, int | float | str)
            if (allowed and type(value) not in allowed) or (single and info.holds_many):
                raise SettingError(f"{where}={value!r} must be of type {info.type_name}.")
            if (problem := info.bounds.problem(value)) or (
                isinstance(value, float) and (problem := Bounds().problem(value))
            ):
                raise SettingError(f"{where}={value!r} {problem}.")

    def settings(self) -> dict[str, Any]:
        """Return the settings by name, as plain values (the constructor accepts them back)."""
        return {name: getattr(self, name) for name in settings_of(type(self))}
