"""THE flow: data set → split → model → metrics → tracking, read from top to bottom."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mfx import checkpoint, compose, yardstick
from mfx.checkpoint import Checkpoint
from mfx.errors import MetricError
from mfx.interfaces import DataInfo, Epoch, Metric, Model, Ratings, RunInfo, Split
from mfx.results import (
    ENVIRONMENT_FILE,
    METRICS_FILE,
    Curves,
    Result,
    description,
    draw_curves,
    new_directory,
    save_model,
    write_config,
    write_curves,
    write_identity,
    write_json,
)
from mfx.split.checks import notes as split_notes
from mfx.tracking import environment
from mfx.tracking.background import BackgroundRun, opened
from mfx.tracking.stages import StageClock

log = logging.getLogger(__name__)


STAGES = {
    "read": "dataset",
    "split": "split",
    "fit": "model",
    "evaluate": "metric",
    "refit": "model",
    "test": "metric",
    "save": "tracking",
}
"""The stages of a run, in their order, and the kind of component that works in each."""


class Listener(Protocol):
    """Somebody who is told how a run proceeds."""

    def stage(self, name: str) -> None:
        """Take note that a stage begins, one of `STAGES`."""

    def epoch(
        self, number: int, of: int | None, objective: str, value: float | None, spent: Mapping[str, float]
    ) -> None:
        """Take note that an epoch is over.

        `of` is the most there can be, `value` that on valid (None in a refit), `spent` what the engine says it took.
        """


def announcing(listener: Listener | None) -> Callable[[str], None]:
    """Return what tells the log and a listener, if there is one, that a stage begins."""

    def announce(name: str) -> None:
        log.info("Stage: %s", name)
        if listener is not None:
            listener.stage(name)

    return announce


OnPoint = Callable[[int, dict[str, float]], None]
"""Told the number of an epoch of the fit on train and what was measured in it; may raise to end the run."""


@dataclass(frozen=True)
class Validated:
    """What a fit on train came to on valid.

    Attributes
    ----------
    metrics : dict of str to float
        Final numbers by name, such as ``"valid/rmse"`` and ``"seconds/fit"``; all are finite.
    curves : dict of str to list of float
        Per epoch, first epoch first; empty for models that do not iterate.
    """

    metrics: dict[str, float]
    curves: dict[str, list[float]]


def run(*overrides: str, config_dir: str | Path | None = None) -> Result:
    """Run one experiment, composed as on the command line, with its folder in ``runs/`` of the current folder.

    Parameters
    ----------
    *overrides : str
        Choices and settings, such as ``"model=als"``, ``"model.factors=20"`` or ``"split=temporal"``.
    config_dir : path, optional
        A folder with presets.

    Raises
    ------
    MFXError
        In one line, what was wrong and what to do; before data is read wherever it can be known by then.
    """
    plan = compose.build(compose.compose(overrides, config_dir))
    cut_off = checkpoint.find(plan) if plan.resume else None
    return execute(plan, new_directory(Path("runs"), plan.name) if cut_off is None else cut_off.directory)


def execute(plan: compose.Plan, directory: Path, parent: str | None = None, listener: Listener | None = None) -> Result:
    """Carry out a plan.

    The model is fitted on train, watched on valid. With ``refit`` a fresh one is then fitted on train and valid for
    as many epochs as were best. Ratings of test are looked at once, by the final score.

    Parameters
    ----------
    plan : Plan
        Components and settings, checked.
    directory : pathlib.Path
        The run's own folder; it exists. With ``plan.resume`` that of `mfx.checkpoint.find`, if it finds one.
    parent : str, optional
        Id of the run in the tracker that groups this one.
    listener : Listener, optional
        Told about stages and epochs.
    """
    clock, curves, code = StageClock(announcing(listener)), Curves(), environment.facts(packages=plan.packages)
    write_config(directory, plan.config)
    write_json(directory / ENVIRONMENT_FILE, code)
    with (
        _kept(plan, directory, parent, clock, code) as kept,
        plan.engine.working(),
        _tracked(plan, directory, parent, code, kept) as tracked,
    ):
        with clock.stage("read"):
            ratings = plan.engine.load(plan.dataset)
        with clock.stage("split"):
            split = plan.engine.split(plan.splitter, ratings)
            facts = _describe(plan, ratings, split, tracked)
            notes = _notes(plan, facts)
            kept.stands_on(split.fingerprint)
        with clock.stage("fit"):
            best = _fit(plan, split, curves, tracked.log_epoch, listener, kept)
        with clock.stage("evaluate"):
            valid, skipped = _score(plan, plan.model, split.train, split.valid, plan.metrics)
            if len(split.valid):
                _require(plan.objective, valid, skipped)
        model = plan.model
        if plan.refit and len(split.valid):
            with clock.stage("refit"):
                model = _refit(plan, split, best, listener, kept)
        with clock.stage("test"):
            test, not_on_test = _score(plan, model, split.train_and_valid, split.test, plan.metrics)
            popularity = yardstick.popularity_on_test(plan, split)
        with clock.stage("save"):
            save_model(directory, model)
            if plan.config["figures"]:
                _draw(plan, split, curves, best, test.get(plan.objective), directory)
        skipped |= not_on_test
        metrics = _finals(curves, best) | clock.metrics()
        metrics |= {f"valid/{name}": value for name, value in valid.items()}
        metrics |= {f"test/{name}": value for name, value in test.items()}
        metrics |= popularity
        notes += yardstick.notes(plan, test, popularity)
        write_identity(directory, tracked.run_id, plan.name, f"valid/{plan.objective}", ratings, split, notes)
        tracked.set_tags({"description": description(plan.config, metrics, ratings.name, split.rule)})
        metrics = _record(metrics, facts, skipped, curves, directory, tracked)
    return Result(
        settings=plan.config,
        metrics=metrics,
        objective=f"valid/{plan.objective}",
        model=model,
        split=split,
        curves=curves.values,
        skipped=skipped,
        notes=notes,
        directory=directory,
        run_id=tracked.run_id,
        where=tracked.where(),
    )


def validate(plan: compose.Plan, split: Split, on_point: OnPoint) -> Validated:
    """Do of `execute` what tuning may do: fit on train and score on valid, untracked; test may be empty.

    Raises
    ------
    MetricError
        If there is no valid part, or the objective has no value on it.
    """
    clock, curves = StageClock(), Curves()
    with plan.engine.working(), clock.stage("fit"):
        best = _fit(plan, split, curves, on_point, None, Checkpoint())
    with clock.stage("evaluate"):
        valid, skipped = _score(plan, plan.model, split.train, split.valid, plan.metrics)
        _require(plan.objective, valid, skipped)
    metrics = _finals(curves, best) | clock.metrics() | {f"valid/{name}": value for name, value in valid.items()}
    return Validated({name: value for name, value in metrics.items() if math.isfinite(value)}, curves.values)


def _kept(
    plan: compose.Plan, directory: Path, parent: str | None, clock: StageClock, code: Mapping[str, str]
) -> contextlib.AbstractContextManager[Checkpoint]:
    """Keep what the run needs to go on after it was cut off; runs of a group are run again by their group."""
    if parent is not None or math.isinf(plan.checkpoint_minutes):
        return contextlib.nullcontext(Checkpoint())
    return checkpoint.kept(plan, directory, clock, code)


@contextlib.contextmanager
def _tracked(
    plan: compose.Plan, directory: Path, parent: str | None, code: Mapping[str, str], kept: Checkpoint
) -> Iterator[BackgroundRun]:
    """Open a run in the tracker, and close it with the status that the block ends with."""
    params = compose.parameters(plan.config)
    chosen = {group: str(plan.config[group]["name"]) for group in ("dataset", "split", "model")}
    tags = {**code, **chosen, "objective": plan.objective, **plan.config["tags"]}
    info = RunInfo(plan.config["experiment_name"], plan.name, params, tags, parent, directory)
    with opened(kept.tracked_by(plan.tracker), info) as tracked:
        yield tracked


def _describe(plan: compose.Plan, ratings: Ratings, split: Split, tracked: BackgroundRun) -> dict[str, float]:
    """Record what data went in and how it was divided."""
    name = plan.config["dataset"]["name"]
    profile = {"ratings": float(len(ratings)), "users": float(ratings.n_users), "items": float(ratings.n_items)}
    about = plan.dataset.describe() if hasattr(plan.dataset, "describe") else {}
    tracked.log_data(DataInfo(ratings.name, ratings.fingerprint, about.get("source", f"dataset={name}"), profile))
    tracked.set_tags({f"data.{fact}": text for fact, text in about.items()})
    tracked.set_tags({"data_fingerprint": ratings.fingerprint, "split_fingerprint": split.fingerprint})
    tracked.set_tags({"split_rule": split.rule})
    facts = {f"audit/{fact}": float(value) for fact, value in plan.engine.audit(split).items()}
    tracked.log_metrics(facts)
    return facts


def _notes(plan: compose.Plan, facts: Mapping[str, float]) -> list[str]:
    """Say in a line each what a reader of the numbers has to know of the data and the split, and warn of it."""
    notes = [
        f"The {kind} left out {count:,} rows: {reason}."
        for kind, component in (("data set", plan.dataset), ("split", plan.splitter))
        for reason, count in sorted(getattr(component, "dropped_", {}).items())
    ]
    notes += split_notes(plan.splitter, {name.removeprefix("audit/"): value for name, value in facts.items()})
    for note in notes:
        log.warning("%s", note)
    return notes


def _fit(
    plan: compose.Plan, split: Split, curves: Curves, on_point: OnPoint, listener: Listener | None, kept: Checkpoint
) -> int:
    """Fit on train, leave the model in the state of its best epoch on valid, and return that epoch (0: none)."""
    objective, watched = {plan.objective: plan.metrics[plan.objective]}, f"valid/{plan.objective}"

    def score(model: Model) -> float:
        values, skipped = _score(plan, model, split.train, split.valid, objective)
        _require(plan.objective, values, skipped)
        return values[plan.objective]

    watch = plan.early_stopping.watch(score, higher_is_better=objective[plan.objective].higher_is_better)

    def on_epoch(model: Model, epoch: Epoch) -> bool:
        if epoch.number <= curves.epochs:
            kept.begin_again(model, watch, curves)
        stop = watch(model, epoch) if len(split.valid) else False
        point = {f"train/{name}": float(loss) for name, loss in epoch.losses.items()}
        point |= {watched: watch.scores[-1]} if watch.scores else {}
        curves.add(point)
        spent = plan.engine.spent()
        on_point(epoch.number, {**point, **spent})
        if listener is not None:
            listener.epoch(epoch.number, getattr(model, "epochs", None), watched, point.get(watched), spent)
        kept.note("fit", model, epoch.number, over=stop, watch=watch, curves=curves)
        return stop

    kept.take_up("fit", plan.model, watch, curves)
    for number, point in curves.points():
        on_point(number, point)  # a tracker may not have written what an earlier process told it
    plan.engine.fit(plan.model, split.train, on_epoch)
    watch.restore_best(plan.model)
    kept.note("fit", plan.model, curves.epochs, over=True, watch=watch, curves=curves)
    return watch.best_epoch or curves.epochs


def _refit(plan: compose.Plan, split: Split, epochs: int, listener: Listener | None, kept: Checkpoint) -> Model:
    """Fit a fresh model on train and valid, blind: nobody watches, so only the number of epochs carries over."""
    model = plan.fresh_model(epochs)

    def on_epoch(model: Model, epoch: Epoch) -> bool:
        if listener is not None:
            listener.epoch(epoch.number, epochs, "", None, plan.engine.spent())
        kept.note("refit", model, epoch.number, over=epoch.number == epochs)
        return epoch.number == epochs

    kept.take_up("refit", model)
    return plan.engine.fit(model, split.train_and_valid, on_epoch)


def _score(
    plan: compose.Plan, model: Model, seen: Ratings, held_out: Ratings, metrics: Mapping[str, Metric]
) -> tuple[dict[str, float], dict[str, str]]:
    """Evaluate; returns the values, and for metrics that do not apply the reason. An empty part has no values."""
    if not len(held_out):
        return {}, {}
    values, skipped = plan.engine.evaluate(model, seen, held_out, metrics, plan.evaluation)
    return dict(values), dict(skipped)


def _require(objective: str, values: Mapping[str, float], skipped: Mapping[str, str]) -> None:
    if objective not in values:
        reason = skipped.get(objective, "it was not computed")
        raise MetricError(f"The objective {objective} has no value on valid: {reason}.", "Choose another objective=.")


def _finals(curves: Curves, best: int) -> dict[str, float]:
    """Numbers of the fit on train at its best epoch; none where the model does not iterate."""
    if not best:
        return {}
    at_best = {name: values[best - 1] for name, values in curves.values.items() if name.startswith("train/")}
    return {"fit/epochs": float(curves.epochs), "fit/best_epoch": float(best), **at_best}


def _draw(plan: compose.Plan, split: Split, curves: Curves, best: int, test: float | None, directory: Path) -> None:
    parts = ", ".join(f"{len(getattr(split, part)):,} {part}" for part in ("train", "valid", "test"))
    refit = "after a refit on train and valid" if plan.refit else "without a refit"
    own = {name: value for name, value in plan.config["model"].items() if name != "name" and value is not None}
    settings = f"{plan.config['model']['name']}: " + ", ".join(f"{name}={value}" for name, value in own.items())
    caption = f"{split.train.name}, {plan.config['split']['name']} split ({parts} ratings); test {refit}. {settings}."
    draw_curves(directory, curves, plan.objective, plan.name, caption, best, test)


def _record(
    metrics: dict[str, float],
    facts: dict[str, float],
    skipped: dict[str, str],
    curves: Curves,
    directory: Path,
    tracked: BackgroundRun,
) -> dict[str, float]:
    """Write and log the final numbers, the same in both places, and return them with the facts logged before."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            skipped[name] = f"it is {value}"
    for name, reason in skipped.items():
        log.info("No %s: %s", name, reason)
    kept = {name: value for name, value in metrics.items() if math.isfinite(value)}
    # Trackers show the last point of a curve as its value, so the final value becomes the point after the last epoch.
    tracked.log_metrics({name: kept[name] for name in kept if name in curves.values}, step=curves.epochs + 1)
    tracked.log_metrics({name: kept[name] for name in kept if name not in curves.values})
    tracked.set_tags({f"skipped.{name.replace('@', '_at_')}": reason for name, reason in skipped.items()})
    everything = facts | kept
    write_curves(directory, curves)
    write_json(directory / METRICS_FILE, everything)
    tracked.log_folder(directory)
    return everything
