"""Components by kind and name: `register`, `get`, `create`, `available`, `load_plugins`.

Built-ins and third parties enter by the same door, the entry-point group ``mfx.plugins``: each entry point names a
module whose import runs the `register` decorators. A third party's module that cannot be imported, was built for
another version of MFX, takes a name that is taken or registers what is not of its kind is left out and reported.
``MFX_PLUGINS=off`` leaves all third parties out.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mfx.errors import MFXError, PluginError, UnknownName, did_you_mean
from mfx.settings import check_names, settings_of

KINDS = ("dataset", "split", "model", "metric", "engine", "tracking")
GROUP = "mfx.plugins"
SWITCH = "MFX_PLUGINS"

_OWN = "mfx.builtin"
_DUTIES = {
    "dataset": ("load",),
    "split": ("split",),
    "model": ("fit", "score_users", "score_pairs", "predicts", "objective"),
    "metric": ("value", "needs", "higher_is_better"),
    "engine": ("check", "working", "load", "split", "audit", "fit", "evaluate", "spent"),
    "tracking": ("start",),
}
_MAY_HAVE = {"split": ("leak_free",)}
_CHOICES = {
    "predicts": ("ratings", "ranking"),
    "needs": ("ratings", "lists", "ranks"),
    "leak_free": ("none", "user", "global"),
}

C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class Entry:
    """A registered component and the distribution that it came with."""

    kind: str
    name: str
    component: type
    package: str

    @property
    def summary(self) -> str:
        """First line of the component's docstring."""
        return (self.component.__doc__ or "").strip().partition("\n")[0]


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that could not be loaded, or something it brought that had to be left out."""

    name: str
    package: str
    reason: str


@dataclass(frozen=True)
class Plugin:
    """An entry point that was loaded.

    Attributes
    ----------
    name, package, version : str
        Of the entry point, and of the distribution that declares it.
    module : str
        The module that was imported.
    """

    name: str
    package: str
    version: str
    module: str


@dataclass
class _Registry:
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)
    plugins: list[Plugin] = field(default_factory=list)
    loading: str | None = None
    loaded: bool = False


_registry = _Registry()


def register(kind: str, name: str) -> Callable[[C], C]:
    """Register a component class under a kind and a name.

    Parameters
    ----------
    kind : {"dataset", "split", "model", "metric", "engine", "tracking"}
        What the component is.
    name : str
        What a person types, as in ``mfx model=NAME``: letters, digits and underscores.

    Returns
    -------
    callable
        A class decorator that returns the class unchanged, apart from `name` set on it.

    Raises
    ------
    PluginError
        If the kind or name is malformed, or the name is taken; both owners are named.
    """
    if kind not in KINDS:
        raise PluginError(f"There is no kind of component called '{kind}'.", did_you_mean(kind, KINDS))
    if not name.isidentifier():
        raise PluginError(f"'{name}' cannot name a {kind}.", "Use letters, digits and underscores only.")

    def decorate(component: C) -> C:
        package = _registry.loading or component.__module__.partition(".")[0]
        if package != "mfx":
            # Whoever imports a third party's module before anything else must not make it an owner of MFX's names.
            importlib.import_module(_OWN)
        taken = _registry.entries.get((kind, name))
        if taken is not None:
            raise PluginError(
                f"Two components are called {kind} '{name}': {taken.component.__module__}."
                f"{taken.component.__qualname__} of package '{taken.package}' and {component.__module__}."
                f"{component.__qualname__} of package '{package}'.",
                "Rename one, or uninstall one of the packages.",
            )
        component.name = name  # type: ignore[attr-defined]
        _registry.entries[kind, name] = Entry(kind, name, component, package)
        return component

    return decorate


@contextlib.contextmanager
def temporarily() -> Iterator[None]:
    """Undo every registration made inside the block when it ends; for tests and notebooks."""
    load_plugins()
    entries, broken, plugins = dict(_registry.entries), list(_registry.broken), list(_registry.plugins)
    try:
        yield
    finally:
        _registry.entries, _registry.broken, _registry.plugins = entries, broken, plugins


def load_plugins() -> list[BrokenPlugin]:
    """Import every module of the entry-point group ``mfx.plugins``, once.

    A plugin that fails is skipped with everything it had registered, and reported in the result; it never stops
    the others.

    Raises
    ------
    PluginError
        If the environment's ``MFX_PLUGINS`` is neither on nor off.
    """
    if not _registry.loaded:
        others = _third_parties()
        _registry.loaded = True
        # MFX itself first, so that a third party can never take a built-in's name away.
        points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: (p.value != _OWN, p.name, p.value))
        for point in points:
            if others or point.value == _OWN:
                _load(point)
    return list(_registry.broken)


def plugins() -> list[Plugin]:
    """List the entry points that were loaded, MFX's own first."""
    load_plugins()
    return list(_registry.plugins)


def _third_parties() -> bool:
    given = os.environ.get(SWITCH, "on").strip().lower() or "on"
    if given not in ("on", "off"):
        raise PluginError(f"{SWITCH}={given} is neither on nor off.", f"Set {SWITCH}=off to leave all plugins out.")
    return given == "on"


def _load(point: importlib.metadata.EntryPoint) -> None:
    package = point.dist.name if point.dist is not None else point.name
    before = dict(_registry.entries)
    _registry.loading = package
    try:
        if point.value != _OWN:
            _check_version(point.dist)
        point.load()
        for entry in _registry.entries.values():
            if (entry.kind, entry.name) not in before and entry.package == package:
                check_kind(entry)
    except (Exception, SystemExit) as error:  # a third party's module may fail in any way; the report names it
        _registry.entries = before
        reason = str(error) if isinstance(error, MFXError) else f"{type(error).__name__}: {error}"
        _registry.broken.append(BrokenPlugin(point.name, package, " ".join(reason.split())))
    else:
        version = getattr(point.dist, "version", "unknown")
        _registry.plugins.append(Plugin(point.name, package, version, point.value.partition(":")[0].strip()))
    finally:
        _registry.loading = None


def _check_version(dist: importlib.metadata.Distribution | None) -> None:
    """Refuse a distribution whose requirement on MFX leaves this version out."""
    from packaging.requirements import Requirement

    for text in getattr(dist, "requires", None) or ():
        requirement = Requirement(text)
        if requirement.name.lower() != "mfx" or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        version = importlib.metadata.version("mfx")
        if not requirement.specifier.contains(version, prereleases=True):
            raise PluginError(
                f"It is built for mfx{requirement.specifier}, and this is mfx {version}.",
                "Install a version of the plugin that fits.",
            )


def check_kind(entry: Entry) -> None:
    """See that a component can be made by name and has what its kind must have.

    Raises
    ------
    PluginError
        Naming what is missing.
    SettingError
        If it is no dataclass, or a setting has no default.
    """
    cls, who = entry.component, f"{entry.kind} '{entry.name}' of package '{entry.package}'"
    missing = [name for name in _DUTIES[entry.kind] if not hasattr(cls, name)]
    missing += sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise PluginError(f"The {who} is no {entry.kind}: it lacks {', '.join(missing)}.", "See mfx.interfaces.")
    settings_of(cls)
    declared = (*_DUTIES[entry.kind], *_MAY_HAVE.get(entry.kind, ()))
    for name, choices in _CHOICES.items():
        if name in declared and inspect.getattr_static(cls, name, choices[0]) not in choices:
            raise PluginError(f"'{name}' of {who} is {getattr(cls, name)!r}.", f"It can be {' or '.join(choices)}.")


def package_of(component: type) -> str:
    """Return the distribution that registered a class, or else the package of its module; loads no plugins."""
    packages = (entry.package for entry in _registry.entries.values() if entry.component is component)
    return next(packages, component.__module__.partition(".")[0])


def leave_out(entry: Entry, reason: str) -> None:
    """Take a component of a third party out of the registry, and report why."""
    _registry.entries.pop((entry.kind, entry.name), None)
    report(entry.name, entry.package, reason)


def report(name: str, package: str, reason: str) -> None:
    """Add to the report of what had to be left out; the same twice is told once."""
    broken = BrokenPlugin(name, package, " ".join(reason.split()))
    if broken not in _registry.broken:
        _registry.broken.append(broken)


def available(kind: str | None = None) -> list[Entry]:
    """List registered components, sorted by kind (in the order of the flow) and name.

    Parameters
    ----------
    kind : {"dataset", "split", "model", "metric", "engine", "tracking"}, optional
        Of this kind only.

    Returns
    -------
    list of Entry
        With the attributes `kind`, `name`, `component` (the class), `package` and `summary`.
    """
    load_plugins()
    entries = [entry for entry in _registry.entries.values() if kind in (None, entry.kind)]
    return sorted(entries, key=lambda entry: (KINDS.index(entry.kind), entry.name))


def get(kind: str, name: str) -> Entry:
    """Look a component up.

    Raises
    ------
    UnknownName
        Listing what exists, the nearest name first, and the plugins that could not be loaded.
    """
    load_plugins()
    entry = _registry.entries.get((kind, name))
    if entry is None:
        hint = did_you_mean(name, [e.name for e in available(kind)])
        if _registry.broken:
            hint += f" Plugins that could not be loaded: {', '.join(p.package for p in _registry.broken)}."
        raise UnknownName(f"There is no {kind} called '{name}'.", hint)
    return entry


def create(kind: str, name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """Make a component by name.

    Parameters
    ----------
    kind : {"dataset", "split", "model", "metric", "engine", "tracking"}
        What it is.
    name : str
        As registered.
    settings : mapping of str to value, optional
        Those that are not left at their defaults.

    Returns
    -------
    object
        The component, checked.

    Raises
    ------
    UnknownName
        If there is no such component.
    SettingError
        If a setting is unknown, of the wrong type or out of range.
    """
    entry = get(kind, name)
    given = dict(settings or {})
    check_names(entry.component, given, f"{kind} '{name}'")
    return entry.component(**given)
