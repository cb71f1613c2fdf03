"""The part of RELIABILITY.md that tells of mutants."""

from __future__ import annotations

import math
import tomllib
from typing import Any

from campaign import HERE, when


def equivalents() -> set[tuple[str, str, str]]:
    """Read which changes change nothing that a test could see: file, lines before and lines after."""
    listed = tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8"))["mutant"]
    assert all(one["why"] for one in listed)
    return {(one["file"], one["before"], one["after"]) for one in listed}


def interval(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's score (Wilson 1927)."""
    z, share = 1.959964, part / whole
    middle, half = share + z * z / (2 * whole), z * math.sqrt(share * (1 - share) / whole + (z / (2 * whole)) ** 2)
    return (middle - half) / (1 + z * z / whole), (middle + half) / (1 + z * z / whole)


def mutants(rooms: dict[str, Any]) -> list[str]:
    """Write the table of the rooms; nothing if there are none."""
    if not rooms:
        return []
    lines = [
        "## Mutants",
        "",
        "Small changes of the code, drawn at random; a change is killed if a test of the room fails, crashes or does "
        "not end. Equivalent ones change nothing that a test could see: `tests/campaigns/equivalent.toml` names them, "
        "with reasons. In brackets: 95 % interval of the share over all changes of the room.",
        "",
        "| room | changes | drawn | killed | share | equivalent | share of the others | seed, day, commit |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    known = equivalents()
    for name, one in rooms.items():
        survivors = [(each["file"], each["before"], each["after"]) for each in one["survivors"]]
        tried, same = sum(one["ends"].values()), sum(each in known for each in survivors)
        killed = tried - len(survivors)
        low, high = interval(killed, tried)
        share = f"{killed / tried:.0%} ({low:.0%} to {high:.0%})"
        counts = f"{one['mutants']:,} | {tried} | {killed} | {share} | {same} | {killed / (tried - same):.0%}"
        lines.append(f"| {name} | {counts} | {one['seed']}, {when(one)} |")
    return [*lines, ""]
