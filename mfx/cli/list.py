"""`mfx list`: every component with its package, settings, defaults and search ranges; presets; broken plugins."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mfx import compose, registry
from mfx.compose import ConfigError
from mfx.errors import did_you_mean
from mfx.settings import Bounds, SettingInfo, settings_of


def main(arguments: list[str]) -> int:
    """Print the list; return the exit status."""
    kind, folders, as_json = _parse(arguments)
    entries = registry.available(kind) if kind != compose.EXPERIMENT else []
    files = [(group, path) for folder in folders for group, paths in compose.presets(folder).items() for path in paths]
    chosen = [(group, path) for group, path in files if kind in (None, group)]
    if as_json:
        presets = [_preset_json(group, path) for group, path in chosen]
        print(json.dumps({"components": [_entry_json(entry) for entry in entries], "presets": presets}, indent=2))
    else:
        print("\n".join(_lines(entries, chosen)))
    tell_left_out()
    return 0


def tell_left_out() -> None:
    """Say on standard error, in a line each, which plugins were left out, wholly or in part, and why."""
    for plugin in registry.load_plugins():
        print(
            f"mfx: plugin '{plugin.name}' of package '{plugin.package}' is left out: {plugin.reason}", file=sys.stderr
        )


def _parse(arguments: list[str]) -> tuple[str | None, list[Path], bool]:
    kind, folders, as_json = None, compose.preset_folders(), False
    kinds = (*registry.KINDS, compose.EXPERIMENT)
    waiting = iter(arguments)
    for argument in waiting:
        name, _, value = argument.partition("=")
        if argument == "--json":
            as_json = True
        elif name == "--config-dir":
            folder = Path(value or next(waiting, ""))
            compose.check_folder(folder)
            folders.append(folder.absolute())
        elif argument in kinds and kind is None:
            kind = argument
        else:
            hint = did_you_mean(argument, [*kinds, "--json", "--config-dir"])
            raise ConfigError(f"mfx list does not know '{argument}'.", hint)
    return kind, folders, as_json


def _lines(entries: list[registry.Entry], presets: list[tuple[str, Path]]) -> Iterator[str]:
    for kind in (*registry.KINDS, compose.EXPERIMENT):
        mine = [entry for entry in entries if entry.kind == kind]
        files = [path for group, path in presets if group == kind]
        if not mine and not files:
            continue
        yield f"{kind.upper()}{_how(kind)}"
        for entry in mine:
            yield f"  {entry.name}  [{entry.package}]  {entry.summary}"
            yield from _table([_setting_cells(info) for info in settings_of(entry.component).values()])
        for path in files:
            told, typed = _comments(path)
            yield f"  {path.stem}  [preset {path}]  {told}".rstrip()
            if typed:
                yield f"      {typed}"
        yield ""


def _how(kind: str) -> str:
    return "  metrics=[NAME,NAME@10]; settings under evaluation.NAME" if kind == "metric" else f"  {kind}=NAME"


def _table(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    for name, default, notes in rows:
        yield f"      {name:<{widths[0]}}  {default:<{widths[1]}}  {notes}".rstrip()


def _setting_cells(info: SettingInfo) -> tuple[str, str, str]:
    notes = [_allowed(info.bounds), _search(info.bounds)]
    return info.name, f"= {_default(info)}", f"{info.type_name}{''.join('; ' + note for note in notes if note)}"


def _default(info: SettingInfo) -> str:
    if info.name == "seed":
        return "${seed}"
    return "null" if info.default is None else json.dumps(info.default, ensure_ascii=False)


def _allowed(bounds: Bounds) -> str:
    if bounds.choices:
        return " | ".join(bounds.choices)
    limits = ((">=", bounds.ge), (">", bounds.gt), ("<=", bounds.le), ("<", bounds.lt))
    return ", ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)


def _search(bounds: Bounds) -> str:
    return f"search {bounds.low:g} to {bounds.high:g}{', log' if bounds.log else ''}" if bounds.tunable else ""


def _comments(path: Path) -> tuple[str, str]:
    """Read the first sentence about a preset, and the command that runs it where one is given."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    words = [text for text in (line.lstrip("# ") for line in head) if not text.startswith("@package")]
    typed = next((text for text in words if text.startswith("mfx ")), "")
    return next((text for text in words if text != typed), ""), typed


def _preset_json(group: str, path: Path) -> dict[str, str]:
    told, typed = _comments(path)
    return {"kind": group, "name": path.stem, "file": str(path), "summary": told, "command": typed}


def _entry_json(entry: registry.Entry) -> dict[str, Any]:
    settings = {
        info.name: {
            "type": info.type_name,
            "default": "${seed}" if info.name == "seed" else info.default,
            "allowed": _allowed(info.bounds),
            "search": {"low": info.bounds.low, "high": info.bounds.high, "log": info.bounds.log}
            if info.bounds.tunable
            else None,
        }
        for info in settings_of(entry.component).values()
    }
    return {
        "kind": entry.kind,
        "name": entry.name,
        "package": entry.package,
        "summary": entry.summary,
        "settings": settings,
    }
