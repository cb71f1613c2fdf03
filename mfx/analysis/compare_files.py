"""A comparison as files: numbers as JSON, figures as PNG and SVG."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mfx import results
from mfx.analysis.compare import Comparison
from mfx.analysis.finished_run import RUNS, FinishedRun
from mfx.analysis.side_by_side import MOST_CURVES, gap, precision

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "comparisons"
KINDS = ("png", "svg")


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
    found: dict[str, Figure] = {}
    if len(comparison.models) > MOST_CURVES:
        return found
    for metric in comparison.main:
        figure = _intervals(comparison, metric)
        if figure is not None:
            found[f"difference_{results.safe_name(metric.replace('@', '_at_'))}"] = figure
    drawn = {
        "precision": precision(comparison.curves(), f"{comparison.caption} {comparison.protocol[1]}"),
        "gap": gap(comparison.runs, comparison.labels, comparison.caption),
    }
    return found | {name: figure for name, figure in drawn.items() if figure is not None}


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
        f"{comparison.caption} Number of users in brackets. 95% intervals, with users as drawn at random, and fits if "
        "a model has several. Filled: a difference is claimed, after Holm's correction; hollow: none is."
    )
    return intervals(
        rows,
        metric=metric,
        against=comparison.against,
        higher_is_better=comparison.metrics[metric].higher_is_better,
        title=f"{metric}: difference to {comparison.against}",
        caption=caption,
    )
