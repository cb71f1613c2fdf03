"""The stages of a finished run as it measured them: what each took, and a diagram of the way through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfx.analysis.finished_run import FinishedRun
from mfx.analysis.page import Table
from mfx.experiment import STAGES
from mfx.figures.pipeline import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

SECONDS, PEAK = "seconds/", "peak_mb/"


def steps(run: FinishedRun) -> list[Step]:
    """Read the stages of a run in the order in which they ran, and what went through each."""
    names = [key.removeprefix(SECONDS) for key in run.metrics if key.startswith(SECONDS)]
    return [
        Step(
            name,
            _worker(run, name),
            _does(run, name),
            run.metrics[SECONDS + name],
            run.metrics.get(PEAK + name),
        )
        for name in names
    ]


def draw(run: FinishedRun, label: str) -> Figure:
    """Draw the stages of a run.

    Raises
    ------
    DataError
        If the run measured none.
    """
    from mfx.figures.pipeline import pipeline

    rule = run.identity.get("split_rule", run.config["split"]["name"])
    return pipeline(
        steps(run),
        title=f"{label}: stages",
        caption=f"{run.identity.get('data') or run.config['dataset']['name']}. Split: {rule}. Seconds by the clock; "
        "peak memory is that of the whole process during a stage, interpreter and libraries included.",
    )


def table(runs: Sequence[FinishedRun], labels: Sequence[str]) -> Table:
    """Lay out seconds and peak memory of each stage, a row for each run; stages that a run skipped stay empty."""
    names = [name for name in STAGES if any(SECONDS + name in run.metrics for run in runs)]
    rows = [[label, *(_written(run, name) for name in names)] for run, label in zip(runs, labels, strict=True)]
    return Table(["run", *names], rows, "Seconds / peak memory in MB of each stage.")


def _written(run: FinishedRun, name: str) -> str:
    seconds, peak = run.metrics.get(SECONDS + name), run.metrics.get(PEAK + name)
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if peak is None else f"{seconds:.2f} s / {peak:,.0f} MB"


def _worker(run: FinishedRun, name: str) -> str:
    kind = STAGES.get(name, "")
    if kind == "metric":
        first, *others = run.config["metrics"] or [(run.objective or "").partition("/")[2]]
        return f"{first} and {len(others)} more" if others else str(first)
    return str(run.config[kind]["name"]) if kind else ""


def _does(run: FinishedRun, name: str) -> str:
    """Say in a few words what goes into a stage or comes out of it."""
    facts = run.metrics
    sizes = {part: f"{facts.get(f'audit/ratings_{part}', 0):,.0f}" for part in ("train", "valid", "test")}
    epochs = facts.get("fit/epochs")
    told = {
        "read": "ratings, users, items, genres",
        "split": " ".join(f"{size} {part}" for part, size in sizes.items()),
        "fit": "on train" if epochs is None else f"on train, {epochs:.0f} epochs, best {facts['fit/best_epoch']:.0f}",
        "evaluate": "on valid",
        "refit": "on train and valid",
        "test": "on test, once",
        "save": "model, curves, figures",
    }
    return told.get(name, "")
