"""What sets several configurations apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mfx.compose.nodes import GROUPS


def varying(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Name the flattened settings that differ between configurations, in their own order.

    A setting of a component that differs only because the components do is left out: the component's name says it.
    """
    return [
        key
        for key in dict.fromkeys(key for one in settings for key in one)
        if len({one[key] for one in settings if key in one}) > 1 and not _explained_by_name(key, settings)
    ]


def _explained_by_name(key: str, settings: Sequence[Mapping[str, str]]) -> bool:
    group = key.partition(".")[0]
    if group not in GROUPS or key == f"{group}.name":
        return False
    by_name: dict[str, set[str]] = {}
    for one in settings:
        if key in one:
            by_name.setdefault(one[f"{group}.name"], set()).add(one[key])
    return all(len(values) == 1 for values in by_name.values())
