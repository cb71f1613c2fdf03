"""A comparison as files: numbers as JSON, figures as PNG and SVG."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mfx import results
from mfx.analysis.compare import Comparison
from mfx.analysis.finished_run import RUNS, FinishedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "comparisons"
KINDS = ("png", "svg")
MOST = 7
"""Runs that one figure can tell apart."""


def folder_of(runs: list[FinishedRun], root: Path = RUNS) -> Path:
    """Name the folder of a comparison: the same for the same runs."""
    digest = hashlib.blake2b("\n".join(str(run.folder) for run in runs).encode(), digest_size=3).hexdigest()
    names = "_".join(dict.fromkeys(run.name for run in runs))
    return root.absolute() / FOLDER / f"{results.safe_name(names)[:60]}_{digest}"


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write numbers and figures into a folder; return the figures as SVG, in reading order."""
    results.write_json(folder / "comparison.json", comparison.as_json())
    from mfx.figures import save

    drawn = []
    for name, figure in _figures(comparison).items():
        for kind in KINDS:
            save(figure, folder / f"{name}.{kind}")
        drawn.append(folder / f"{name}.svg")
    return drawn


def _figures(comparison: Comparison) -> dict[str, Figure]:
    from mfx.figures.comparison import gaps, list_curves

    found: dict[str, Figure] = {}
    if len(comparison.runs) > MOST:
        return found
    for metric in comparison.main:
        figure = _intervals(comparison, metric)
        if figure is not None:
            found[f"difference_{results.safe_name(metric.replace('@', '_at_'))}"] = figure
    curves = {label: one.curve for label, one in zip(comparison.labels, comparison.scores, strict=True) if one.curve}
    if len(curves) > 1:
        caption = f"{comparison.caption} {comparison.protocol[1]}"
        found["precision"] = list_curves(curves, title="Precision of lists by their length", caption=caption)
    epochs = {label: _curves(run) for label, run in zip(comparison.labels, comparison.runs, strict=True)}
    watched = {run.objective for run in comparison.runs}
    if len(watched) == 1 and 2 <= len(epochs) <= 3 and all(len(parts) == 2 for parts in epochs.values()):
        metric = str(watched.pop()).partition("/")[2]
        caption = f"{comparison.caption} Fitted on train; the gap between train and valid is shaded."
        found["gap"] = gaps(epochs, metric=metric, title="Train and valid, epoch by epoch", caption=caption)
    return found


def _intervals(comparison: Comparison, metric: str) -> Figure | None:
    from mfx.figures.comparison import Interval, intervals

    rows = [
        Interval(
            f"{one.where or 'all of test'} ({one.difference.users:,})",
            one.run,
            one.difference.value,
            one.difference.low,
            one.difference.high,
            one.difference.certain,
        )
        for one in (*comparison.tests, *comparison.slice_tests)
        if one.metric == metric and one.difference.low == one.difference.low
    ]
    if not rows:
        return None
    caption = (
        f"{comparison.caption} Number of users in brackets. 95% intervals of a bootstrap over users (seed "
        f"{comparison.seed}). Filled: a difference by the interval and by Wilcoxon's test after Holm's correction; "
        "hollow: none found."
    )
    return intervals(
        rows,
        metric=metric,
        against=comparison.labels[0],
        higher_is_better=comparison.metrics[metric].higher_is_better,
        title=f"{metric}: difference to {comparison.labels[0]}",
        caption=caption,
    )


def _curves(run: FinishedRun) -> dict[str, list[float]]:
    """Read the curves of what was watched, on train and valid; fewer where the run has none."""
    path = run.folder / results.CURVES_FILE
    if run.objective is None or not path.is_file():
        return {}
    known = json.loads(path.read_text(encoding="utf-8"))
    metric = run.objective.partition("/")[2]
    return {
        part: [float("nan") if value is None else value for value in known[f"{part}/{metric}"]]
        for part in ("train", "valid")
        if known.get(f"{part}/{metric}")
    }
