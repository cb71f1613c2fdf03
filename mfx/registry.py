"""Components by kind and name: `register`, `get`, `create`, `available`, `load_plugins`.

Built-ins and third parties enter by the same door, the entry-point group ``mfx.plugins``: each entry point names a
module whose import runs the `register` decorators.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mfx.errors import MFXError, PluginError, UnknownName, did_you_mean
from mfx.settings import check_names

KINDS = ("dataset", "split", "model", "metric", "tracking")
GROUP = "mfx.plugins"

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
    """An entry point that could not be loaded."""

    name: str
    package: str
    reason: str


@dataclass
class _Registry:
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)
    loading: str | None = None
    loaded: bool = False


_registry = _Registry()


def register(kind: str, name: str) -> Callable[[C], C]:
    """Register a component class under a kind and a name.

    Parameters
    ----------
    kind : {"dataset", "split", "model", "metric", "tracking"}
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
    entries, broken = dict(_registry.entries), list(_registry.broken)
    try:
        yield
    finally:
        _registry.entries, _registry.broken = entries, broken


def load_plugins() -> list[BrokenPlugin]:
    """Import every module of the entry-point group ``mfx.plugins``, once.

    A plugin that fails is skipped with everything it had registered, and reported in the result; it never stops
    the others.
    """
    if not _registry.loaded:
        _registry.loaded = True
        # MFX itself first, so that a third party can never take a built-in's name away.
        points = sorted(
            importlib.metadata.entry_points(group=GROUP), key=lambda p: (p.value != "mfx.builtin", p.name, p.value)
        )
        for point in points:
            _load(point)
    return list(_registry.broken)


def _load(point: importlib.metadata.EntryPoint) -> None:
    package = point.dist.name if point.dist is not None else point.name
    before = dict(_registry.entries)
    _registry.loading = package
    try:
        point.load()
    except Exception as error:  # a third party's module may fail in any way; the report names it
        _registry.entries = before
        reason = str(error) if isinstance(error, MFXError) else f"{type(error).__name__}: {error}"
        _registry.broken.append(BrokenPlugin(point.name, package, reason.replace("\n", " ")))
    finally:
        _registry.loading = None


def available(kind: str | None = None) -> list[Entry]:
    """List registered components, sorted by kind (in the order of the flow) and name."""
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
