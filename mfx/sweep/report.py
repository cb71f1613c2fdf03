"""What a sweep came to: numbers for people and programs, figures, and what the tracker's parent run says."""

from __future__ import annotations

import csv
import io
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mfx import results
from mfx.errors import mask
from mfx.files import write_text
from mfx.interfaces import TrackedRun
from mfx.sweep.plan import SweepPlan
from mfx.sweep.schedule import Schedule
from mfx.sweep.storage import TIMES_FILE
from mfx.sweep.study import Study

SUMMARY_FOLDER = "summary"
TRIALS_FILE = "trials.csv"
FACTORS_AND_REG = ("model.factors", "model.reg")
FEWEST = 10
"""Trials before the grid from which their importances are worth a figure."""


@dataclass(frozen=True)
class Trial:
    """A trial that ended."""

    number: int
    stage: str
    status: str
    value: float | None
    point: dict[str, Any]
    seconds_fit: float
    error: str = ""


@dataclass
class Outcome:
    """What a sweep came to.

    Attributes
    ----------
    objective : str
        Such as ``"valid/rmse"``.
    trials : list of Trial
        By number.
    ranking : list of int
        Numbers of complete trials, best first.
    test : dict of str to float
        Metrics of the refitted best setting on test.
    again : float or None
        The objective when the best setting was fitted on train again.
    overhead, fit_and_score : float
        Mean seconds per trial beyond, and for, fitting and scoring; reading and splitting are in neither.
    prepare : float
        Seconds spent on reading and splitting, over all workers.
    notes : list of str
        Those of the final run, see `mfx.results.Result`.
    """

    folder: Path
    objective: str
    higher_is_better: bool
    trials: list[Trial]
    ranking: list[int]
    importances: dict[str, float]
    grid_over: list[str]
    axes: dict[str, list[Any]]
    command: str
    test: dict[str, float]
    again: float | None
    refit: bool
    overhead: float
    fit_and_score: float
    prepare: float
    notes: list[str] = field(default_factory=list)
    where: str = ""
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def best(self) -> Trial:
        """The best trial."""
        return self.trials[self.ranking[0]]

    def count(self, status: str) -> int:
        """Count trials that ended so."""
        return sum(one.status == status for one in self.trials)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {name: value for name, value in vars(self).items() if name not in ("folder", "where", "texts")}
        plain |= {"folder": str(self.folder), "trials": [vars(one) for one in self.trials], "best": vars(self.best)}
        return plain


def gather(made: SweepPlan, study: Study, schedule: Schedule, best: int, folder: Path) -> Outcome:
    """Collect what the study and the final run left in files."""
    grid = schedule.grid
    assert grid is not None
    records = {one.number: study.result(one.number) or {} for one in study.trials()}
    trials = [_trial(number, schedule, record) for number, record in records.items()]
    final = json.loads((folder / results.METRICS_FILE).read_text(encoding="utf-8"))
    objective = f"valid/{made.trial_plan.objective}"
    fits = [_fit_seconds(record) for record in records.values() if record.get("status") != "failed"]
    prepare = sum(record.get("seconds_prepare", 0.0) for record in records.values())
    path = study.folder / TIMES_FILE
    times = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    busy = sum(one["seconds"] * min(one["workers"], max(1, len(one["trials"]))) for one in times)
    launched = [records[number] for one in times for number in one["trials"]]
    spent = sum(_fit_seconds(record) + record.get("seconds_prepare", 0.0) for record in launched)
    return Outcome(
        folder=study.folder,
        objective=objective,
        higher_is_better=made.higher_is_better,
        trials=trials,
        ranking=[one.number for one in study.ranked()],
        importances=study.importances(schedule.first_of_grid),
        grid_over=grid.over,
        axes=grid.axes,
        command=mask(made.command(schedule.point(best))),
        test={name: value for name, value in final.items() if name.startswith("test/")},
        again=final.get(objective),
        refit=bool(made.defaults["refit"]),
        overhead=max(0.0, busy - spent) / max(1, len(launched)),
        fit_and_score=statistics.fmean(fits) if fits else 0.0,
        prepare=prepare,
        notes=results.notes_of(folder),
        texts={one.number: made.text(schedule.point(one.number)) for one in study.trials()},
    )


def _trial(number: int, schedule: Schedule, record: dict[str, Any]) -> Trial:
    return Trial(
        number,
        schedule.stage_of(number),
        record.get("status", "running"),
        record.get("value"),
        schedule.point(number),
        _fit_seconds(record),
        record.get("error", ""),
    )


def _fit_seconds(record: dict[str, Any]) -> float:
    metrics = record.get("metrics", {})
    if not metrics:  # one that failed or was pruned spent its time in the fit
        return max(0.0, float(record.get("seconds", 0.0)) - float(record.get("seconds_prepare", 0.0)))
    return float(metrics["seconds/fit"] + metrics["seconds/evaluate"])


def draw(made: SweepPlan, study: Study, outcome: Outcome) -> None:
    """Draw the figures of a sweep into its summary folder."""
    from mfx.figures import save
    from mfx.figures.sweeps import Tried, grid_map, history, importance, search_scatter

    folder = outcome.folder / SUMMARY_FOLDER / results.FIGURES
    config, metric = made.defaults, made.trial_plan.objective
    title = f"{config['model']['name']}, {config['split']['name']} split"
    split = ", ".join(f"{key}={value}" for key, value in config["split"].items() if key not in ("name", "seed"))
    data = (study.result(outcome.best.number) or {}).get("data", config["dataset"]["name"])
    about = (
        f"{data}, {config['split']['name']} split ({split}), {metric} on valid; "
        f"{outcome.count('complete')} trials, seed {made.seed}."
    )
    tried = [
        Tried(one.number, one.stage, one.value, one.point)
        for one in outcome.trials
        if one.value is not None and one.status == "complete"
    ]
    common: dict[str, Any] = {"metric": metric, "higher_is_better": outcome.higher_is_better, "caption": about}
    names = [one.name for one in made.space if one.kind != "choice"]
    logs = [one.name for one in made.space if one.log]
    over = [name for name in outcome.grid_over or list(outcome.importances)[:2] if name in names]
    pairs = [over, [name for name in FACTORS_AND_REG if name in names]]
    for pair in {tuple(sorted(pair)): pair for pair in pairs if pair}.values():
        name = "_".join(one.rpartition(".")[2] for one in sorted(pair))
        figure = search_scatter(tried, sorted(pair), logs=logs, title=f"{title}: search", **common)
        save(figure, folder / f"scatter_{results.safe_name(name)}.png")
    if len(outcome.grid_over) == 2:
        fixed = {k: v for k, v in outcome.trials[_centre(outcome)].point.items() if k not in outcome.grid_over}
        shown = grid_map(tried, sorted(outcome.grid_over), outcome.axes, fixed, title=f"{title}: grid", **common)
        save(shown, folder / "grid.png")
    if len(outcome.importances) > 1 and sum(one.stage != "grid" for one in outcome.trials) >= FEWEST:
        text = f"{about} Shares by PED-ANOVA over the random stage."
        save(importance(outcome.importances, title=f"{title}: importance", caption=text), folder / "importance.png")
    save(history(tried, title=f"{title}: history", **common), folder / "history.png")


def write_table(made: SweepPlan, study: Study, outcome: Outcome) -> None:
    """Write every trial as a row of ``trials.csv``: its settings, its numbers on train and valid, epochs, seconds."""
    records = {one.number: (study.result(one.number) or {}).get("metrics", {}) for one in outcome.trials}
    settings = [one.name for one in made.space]
    names = list(dict.fromkeys(name for record in records.values() for name in record))
    shown = [name for name in names if name.startswith(("train/", "valid/", "fit/", "seconds/"))]
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["trial", "stage", "status", *settings, *shown])
    for one in outcome.trials:
        numbers = [records[one.number].get(name, "") for name in shown]
        writer.writerow([one.number, one.stage, one.status, *(one.point[name] for name in settings), *numbers])
    write_text(outcome.folder / SUMMARY_FOLDER / TRIALS_FILE, lines.getvalue())


def _centre(outcome: Outcome) -> int:
    """Find the trial that the grid was laid around: the best of those before it."""
    return next(number for number in outcome.ranking if outcome.trials[number].stage != "grid")


def record(run: TrackedRun, outcome: Outcome) -> None:
    """Tell the parent run what the sweep came to."""
    best = outcome.best
    run.log_metrics(
        {
            f"best/{outcome.objective}": float(best.value or 0.0),
            "trials/complete": outcome.count("complete"),
            "trials/failed": outcome.count("failed"),
            "trials/pruned": outcome.count("pruned"),
            "seconds/overhead_per_trial": outcome.overhead,
            "seconds/fit_and_score_per_trial": outcome.fit_and_score,
            **outcome.test,
            **{f"importance/{name}": value for name, value in outcome.importances.items()},
        }
    )
    run.set_tags({"best_trial": str(best.number), "best_stage": best.stage, "best_command": outcome.command})
    run.log_folder(outcome.folder / SUMMARY_FOLDER)
