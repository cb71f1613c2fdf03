"""Results to the README's tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BEGIN = "<!-- leaderboard: python tests/bench/leaderboard -->\n"
END = "<!-- end of leaderboard -->"
TITLES = {
    "random": "random folds",
    "temporal": "temporal",
    "global_temporal": "global_temporal",
    "cold_items": "cold items",
    "ranking": "a quarter of each item",
    "ml_100k": "folds u1 to u5",
    "ml_1m": "leave one out, 99 sampled",
    "ml_10m": "random 90/10",
    "ml_32m": "random 90/10, 20 factors",
}
AGAINST = ("als", "popularity")
"""Whom differences are to: the first of these that took part."""

Draws = Mapping[str, Mapping[str, Any]]
"""Records by label of the contestant, by draw."""


def lines(results: Mapping[str, Any], labels: Sequence[str]) -> Iterator[str]:
    """Write a table for each data set and split; contestants in the order of `labels`."""
    for data, kept in results.items():
        yield about(data, kept)
        yield ""
        for split, title in TITLES.items():
            if split in kept["splits"]:
                yield from one_table(title, kept["splits"][split], labels)
        took_part = {label for draws in kept["splits"].values() for found in draws.values() for label in found}
        absent = [f"{label} ({why})" for label, why in kept["left_out"].items() if label not in took_part]
        if absent:
            yield f"Left out: {'; '.join(absent)}."
            yield ""


def about(data: str, kept: Mapping[str, Any]) -> str:
    """Say on what, with what and for how long the models were tuned."""
    records = [one for draws in kept["splits"].values() for found in draws.values() for one in found.values()]
    minutes = sorted({one["minutes"] for one in records if one["tuned"]})
    budget = " or ".join(f"{60 * one:g}" for one in minutes)
    versions = ", ".join(f"{name} {number}" for name, number in sorted(kept["versions"].items()))
    return (
        f"`{data}`, {kept['ratings']:,} ratings; {budget} seconds of one core of {kept['cpu']} to tune each model on "
        f"each draw; {versions}."
    )


def one_table(title: str, draws: Draws, labels: Sequence[str]) -> Iterator[str]:
    """Write one table, a line for each contestant."""
    present = [label for label in labels if any(label in found for found in draws.values())]
    against = next((one for one in AGAINST if one in present), None)
    records = [one for found in draws.values() for one in found.values()]
    main = records[0]["objective"]
    others = [name for name in records[0]["test"] if name != main]
    heads = [f"{title}, {len(draws)} draws", main, *([f"to {against}"] if against else []), *others, "trials", "fit, s"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" + "|---:" * (len(heads) - 1) + "|"
    for label in present:
        own = [found[label] for found in draws.values() if label in found]
        some = "" if len(own) == len(draws) else f" ({len(own)} of {len(draws)})"
        cells = [spread([one["test"][main] for one in own]) + some]
        if against:
            pairs = [(found[label], found[against]) for found in draws.values() if {label, against} <= found.keys()]
            apart = [one["test"][main] - other["test"][main] for one, other in pairs]
            cells.append(spread(apart, sign="+") if apart and label != against else "")
        cells += [f"{statistics.mean(one['test'][name] for one in own):.4f}" for name in others]
        cells.append(f"{statistics.mean(one['trials'] for one in own):.0f}")
        cells.append(f"{statistics.mean(one['seconds']['fit, processor'] for one in own):.2f}")
        yield f"| {label} | " + " | ".join(cells) + " |"
    yield ""
    speeds = [(label, speed) for label in present if (speed := draws_a_second(draws, label))]
    if speeds:
        yield f"Draws a second: {', '.join(f'{label} {speed:.0f}' for label, speed in speeds)}."
        yield ""


def draws_a_second(draws: Draws, label: str) -> float | None:
    """Return how fast a sampler's last fits were, where its number of draws is fixed; None for other models."""
    numbers, seconds = 0, 0.0
    for one in (found[label] for found in draws.values() if label in found):
        given = one["settings"]
        if one["tuned"] or not ("samples" in given or "sweeps" in given):
            return None
        numbers += given["samples"] if "samples" in given else given["epochs"] * given["sweeps"]
        seconds += one["seconds"]["fit, processor"]
    return numbers / seconds if seconds else None


def spread(values: Sequence[float], sign: str = "") -> str:
    """Write a mean, and the standard deviation where there are several values."""
    mean = f"{statistics.mean(values):{sign}.4f}".replace("-", "−")
    return mean if len(values) == 1 else f"{mean} ±{statistics.stdev(values):.4f}"


def into(text: str, results: Mapping[str, Any], labels: Sequence[str]) -> str:
    """Put the tables between their marks in the text of the README."""
    head, mark, rest = text.partition(BEGIN)
    _, closing, tail = rest.partition(END)
    if not mark or not closing:
        raise SystemExit(f"leaderboard: README.md has lost its marks {BEGIN.strip()} and {END}.")
    return f"{head}{mark}" + "\n".join(lines(results, labels)).strip() + f"\n{closing}{tail}"
