"""The part of a page that tells of a study: what was searched, every trial, the figures of the search."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from mfx import results
from mfx.analysis.finished_run import RunError
from mfx.analysis.page import Picture, Section, Table

SUMMARY = "summary"
SHOWN = 10
"""Trials of the table of the best."""
ALT = {
    "grid": "Heat map of the grid, the best cell framed",
    "history": "Value of each trial, and the best so far",
    "importance": "Share of each setting in the differences between trials",
}


def study_sections(folder: Path) -> list[Section]:
    """Tell of a finished study.

    Raises
    ------
    RunError
        If its summary is missing.
    """
    path = folder / SUMMARY / "summary.json"
    if not path.is_file():
        raise RunError(f"The study {folder.name} has no summary yet.", "Type its mfx sweep command again.")
    found = json.loads(path.read_text(encoding="utf-8"))
    kept = json.loads((folder / results.STUDY_FILE).read_text(encoding="utf-8"))
    objective = found["objective"]
    counts = ", ".join(
        f"{sum(one['status'] == status for one in found['trials'])} {status}"
        for status in ("complete", "pruned", "failed")
    )
    best = found["best"]
    return [
        Section(
            "The search",
            [
                f"Searched: {'; '.join(map(_range, kept['identity']['space']))}.",
                f"{len(found['trials'])} trials ({counts}). Each is fitted on train and scored on valid by "
                f"{objective.partition('/')[2]}; ratings of test are dropped before the first one. The best is trial "
                f"{best['number']} with {best['value']:.4f}; its model is then scored on test, once.",
            ],
            [_best(found, objective), *_grid(folder, found, objective)],
            _pictures(folder),
        )
    ]


def _range(one: dict[str, Any]) -> str:
    if one["kind"] == "choice":
        return f"{one['key']}: {', '.join(one['choices'])}"
    return f"{one['key']}: {one['low']:g} to {one['high']:g}{' on a log scale' if one['log'] else ''}"


def _best(found: dict[str, Any], objective: str) -> Table:
    names = list(found["best"]["point"])
    rows = []
    for number in found["ranking"][:SHOWN]:
        one = found["trials"][number]
        rows.append([str(number), f"{one['value']:.4f}", one["stage"], *(one["point"][name] for name in names)])
    return Table(["trial", objective, "stage", *names], rows, f"The best {len(rows)} of all trials.")


def _grid(folder: Path, found: dict[str, Any], objective: str) -> list[Table]:
    """Lay out the trials of the grid as a table: settings, the metric on train and on valid."""
    path = folder / SUMMARY / "trials.csv"
    if not found["grid_over"] or not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        trials = list(csv.DictReader(lines))
    train = f"train/{objective.partition('/')[2]}"
    shown = [name for name in (train, objective, "fit/best_epoch", "seconds/fit") if name in trials[0]]
    others = [name for name in found["best"]["point"] if name not in found["grid_over"]]
    centre = {name: str(found["best"]["point"][name]) for name in others}
    cells = [one for one in trials if all(one[name] == value for name, value in centre.items())]
    cells.sort(key=lambda one: tuple(_number(one[name]) for name in found["grid_over"]))
    rows = [[*(one[name] for name in found["grid_over"]), *(_four(one[name]) for name in shown)] for one in cells]
    rest = ", ".join(f"{name} {value}" for name, value in centre.items())
    caption = f"The grid{f', {rest}' if rest else ''}: every cell on train and on valid."
    return [Table([*found["grid_over"], *shown], rows, caption)]


def _pictures(folder: Path) -> list[Picture]:
    drawn = sorted((folder / SUMMARY / results.FIGURES).glob("*.png"))
    return [Picture(path, ALT.get(path.stem, "Every trial over two settings, a star on the best")) for path in drawn]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _four(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number:.0f}" if number.is_integer() else f"{number:.4f}"
