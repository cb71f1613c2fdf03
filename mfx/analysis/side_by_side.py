"""Several finished runs from what they recorded, without scoring them again: one table, and figures of their curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfx import compose, results
from mfx.analysis.finished_run import FinishedRun
from mfx.analysis.page import Table, cell, write_csv
from mfx.analysis.same_split import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_GAPS = 3
"""Runs whose gaps one figure can show."""
MOST_CURVES = 7
"""Runs that one figure can tell apart."""
FEWEST_POINTS = 3
"""Lengths of list that make a curve."""


def write(runs: Sequence[FinishedRun], folder: Path) -> str:
    """Write the table of runs, and unless they drew none the figures they make together; describe them in Markdown."""
    labels = label(runs)
    table = numbers(runs, labels)
    write_csv(folder / "runs.csv", table)
    if runs[0].config["figures"]:
        from mfx.figures.style import save_both

        for stem, figure in figures(runs, labels).items():
            save_both(figure, folder / results.FIGURES / stem)
    given = runs[0].config["tags"].get("description")
    return "\n\n".join([*([given] if given else []), markdown(table), table.caption])


def numbers(runs: Sequence[FinishedRun], labels: Sequence[str]) -> Table:
    """Lay out runs as a table: model with its settings, epochs, each metric on test, seconds of fitting."""
    scored = (key.partition("/")[2] for run in runs for key in run.metrics if key.startswith("test/"))
    metrics = list(dict.fromkeys(scored))
    rows: list[list[Any]] = []
    for run, name in zip(runs, labels, strict=True):
        epochs, seconds = run.metrics.get("fit/best_epoch"), run.fit_seconds
        rows.append(
            [
                name,
                own_settings(run),
                None if epochs is None else int(epochs),
                *(_fixed(run.metrics.get(f"test/{metric}"), 4) for metric in metrics),
                _fixed(seconds, 2),
            ]
        )
    columns = ["run", "model", "epochs", *metrics, "seconds"]
    return Table(columns, rows, "Scores on test, once. Seconds are those of fitting, refits included.")


def own_settings(run: FinishedRun) -> str:
    """Write the model of a run with its settings that are no defaults, such as ``als factors=20``."""
    words = compose.command(run.config).split(" ")
    return " ".join(word.removeprefix("model=").removeprefix("model.") for word in words if word.startswith("model"))


def markdown(table: Table) -> str:
    """Write a table in Markdown, for trackers that show it."""
    lines = [table.columns, ["---", *("---:" for _ in table.columns[1:])], *table.rows]
    return "\n".join("| " + " | ".join(cell(one).replace("|", "\\|") for one in line) + " |" for line in lines)


def figures(runs: Sequence[FinishedRun], labels: Sequence[str]) -> dict[str, Figure]:
    """Draw what runs on one split show together if they were evaluated alike, by stem of the file."""
    fingerprints = {run.split_fingerprint for run in runs}
    if len(runs) < 2 or len(fingerprints) > 1 or None in fingerprints:
        return {}
    if any(run.config["evaluation"] != runs[0].config["evaluation"] for run in runs):
        return {}  # recorded numbers of one name that do not measure the same
    found = {"gap": gap(runs, labels, about(runs[0]))}
    recorded = [_recorded_precision(run) for run in runs]
    if all(len(curve) >= FEWEST_POINTS for curve in recorded):
        caption = f"{about(runs[0])} {lists_rule(runs[0].config['evaluation'])}"
        found["precision"] = precision(dict(zip(labels, recorded, strict=True)), caption)
    return {name: figure for name, figure in found.items() if figure is not None}


def gap(runs: Sequence[FinishedRun], labels: Sequence[str], caption: str) -> Figure | None:
    """Draw what two or three runs watched, on train and valid by epoch; None where they have no such curves."""
    from mfx.figures.comparison import gaps

    curves = {name: _watched(run) for name, run in zip(labels, runs, strict=True)}
    measures = [(run.objective, run.config["evaluation"]) for run in runs]
    if (
        any(one != measures[0] for one in measures)
        or not 2 <= len(curves) <= MOST_GAPS
        or any(len(parts) < 2 for parts in curves.values())
    ):
        return None
    return gaps(
        curves,
        metric=str(runs[0].objective).partition("/")[2],
        title="Train and valid, epoch by epoch",
        caption=f"{caption} Fitted on train; the gap between train and valid is shaded.",
    )


def precision(curves: Mapping[str, Mapping[int, float]], caption: str) -> Figure | None:
    """Draw precision by length of list, a curve for each of several runs; None for one, or for too many."""
    from mfx.figures.comparison import list_curves

    if not 2 <= len(curves) <= MOST_CURVES:
        return None
    return list_curves(curves, title="Precision of lists by their length", caption=caption)


def about(run: FinishedRun) -> str:
    """Say what data and split a run stands on, for captions."""
    sizes = (f"{run.metrics.get(f'audit/ratings_{part}', 0):,.0f} {part}" for part in ("train", "valid", "test"))
    data = run.identity.get("data") or run.config["dataset"]["name"]
    return f"{data}, {run.config['split']['name']} split ({', '.join(sizes)} ratings)."


def lists_rule(evaluation: Mapping[str, Any]) -> str:
    """Say how lists are made and what counts in them."""
    threshold = evaluation.get("relevance_threshold")
    relevant = "every held-out rating is relevant" if threshold is None else f"ratings from {threshold:g} are relevant"
    candidates = evaluation.get("candidates")
    if isinstance(candidates, int):
        return (
            f"Not full lists: each relevant item is ranked among {candidates:,} items that the user did not rate, "
            f"drawn at random (seed {evaluation['sampling_seed']}); {relevant}."
        )
    among = "all items" if candidates == "unseen" else "all items that somebody rated"
    return f"Lists are made of {among} that the user did not rate before; {relevant}."


def _watched(run: FinishedRun) -> dict[str, list[float]]:
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


def _recorded_precision(run: FinishedRun) -> dict[int, float]:
    found = {}
    for name, value in run.metrics.items():
        metric, _, k = name.partition("@")
        if metric == "test/precision" and k.isdigit():
            found[int(k)] = value
    return dict(sorted(found.items()))


def _fixed(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"
