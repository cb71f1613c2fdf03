"""What `faults.py` and `load.py` found, as Markdown for RELIABILITY.md."""

from __future__ import annotations

from collections import Counter
from typing import Any

from campaign import when

DEATH = "death between files"


def faults(found: dict[str, Any]) -> list[str]:
    """Write the matrix of faults and commands."""
    if not found:
        return []
    kinds = list(dict.fromkeys(one["fault"] for one in sorted(found.values(), key=lambda one: _place(one["fault"]))))
    commands = list(dict.fromkeys(one["command"] for one in sorted(found.values(), key=lambda one: one["command"])))
    total = sum((Counter(one["outcomes"]) for one in found.values()), Counter())
    days = sorted({when(one) for one in found.values()})
    lines = [
        "## Faults",
        "",
        f"{total.total()} cells of fault, moment and command; failed: {total['FAILED']}. In {total['told']} the command"
        " ended with a status that is not zero and told in a line what was wrong, what was saved and what to do; in "
        f"{total['went on']} it came to the right numbers all the same, or did so after the machine had died. After "
        "each, all files under names that count were whole, what had been finished was there, and the same command "
        f"came to the numbers of one that nothing happened to. {'; '.join(days)}.",
        "",
        f"| moments tried | {' | '.join(kinds)} |",
        f"|---|{'---:|' * len(kinds)}",
    ]
    for command in commands:
        cells = [_cell(found.get(f"{command} / {kind}")) for kind in kinds]
        lines.append(f"| `{command}` | {' | '.join(cells)} |")
    if any("-" in line.split() for line in lines):
        lines += ["", "A dash: no such cell, or none that was tried to its end since."]
    lines += ["", "The moments:", ""]
    for command in commands:
        moments = next(one["moments"] for one in found.values() if one["command"] == command and one["fault"] != DEATH)
        lines.append(f"- `{command}`: {', '.join(moments)}")
    failures = [
        f"- {name} / {moment}: {text}" for name, one in found.items() for moment, text in one["failures"].items()
    ]
    return [*lines, *(["", "Failed:", "", *failures] if failures else []), ""]


def _place(kind: str) -> int:
    order = ("full disk", "read-only folder", "store locked", "store deleted", "store damaged", "clock back a day")
    return order.index(kind) if kind in order else len(order)


def _cell(one: dict[str, Any] | None) -> str:
    if one is None:
        return "-"
    counts = Counter(one["outcomes"])
    failed = f", {counts['FAILED']} FAILED" if counts["FAILED"] else ""
    return f"{counts.total() - counts['FAILED']}{failed}"


def load(found: dict[str, Any]) -> list[str]:
    """Write what a full store, many writers and a long sweep came to."""
    lines = ["## Load", ""] if found else []
    if one := found.get("logging"):
        lines += [
            f"{one['processes']} processes logged {one['runs']:,} runs to one SQLite store at once, with "
            f"{one['parameters']:,} parameters and {one['points']:,} points of curves: lost "
            f"{sum(one['lost'].values())}, errors 0, {one['seconds']:.0f} s. {when(one)}.",
            "",
        ]
    if one := found.get("store"):
        lines += [
            f"Seconds of whole commands with 2 runs in the store, and with {one['runs']:,}, of which {one['trials']:,} "
            f"are trials ({one['megabytes']} MB); the difference may be {one['added']:g} s at most. Exceeded: "
            f"{len(one['slow'])}. {when(one)}, on a machine that others shared.",
            "",
            "| command | 2 runs | all |",
            "|---|---:|---:|",
            *(f"| `{name}` | {took['few']:.2f} | {took['many']:.2f} |" for name, took in one["commands"].items()),
            "",
        ]
    if one := found.get("sweep"):
        points = {number: (megabytes, files) for number, megabytes, files in one["points"]}
        shown = [number for number in points if number in (25, 100, 200, 300, 400) or number == max(points)]
        lines += [
            f"One sweep of {one['trials']} trials: from trial 100 to the end {one['growth']['megabytes']:+.1f} MB of "
            f"memory (allowed: {one['allowed']['megabytes']:g}) and {one['growth']['files']:+d} open files (allowed: "
            f"{one['allowed']['files']}). {when(one)}.",
            "",
            f"| after trial | {' | '.join(map(str, shown))} |",
            f"|---|{'---:|' * len(shown)}",
            f"| memory, MB | {' | '.join(f'{points[number][0]:.0f}' for number in shown)} |",
            f"| open files | {' | '.join(str(points[number][1]) for number in shown)} |",
            "",
        ]
    return lines
