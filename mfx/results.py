"""What a run leaves behind: its result, its folder under ``runs/`` and the files in it."""

from __future__ import annotations

import datetime
import json
import logging
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mfx import compose
from mfx.errors import mask, masked
from mfx.files import write_text
from mfx.interfaces import Model, Ratings, Split

log = logging.getLogger(__name__)

CONFIG_FILE = "config.yaml"
METRICS_FILE = "metrics.json"
RUN_FILE = "run.json"
CURVES_FILE = "curves.json"
ENVIRONMENT_FILE = "environment.json"
MODEL = "model"
FIGURES = "figures"
STUDIES = "sweeps"
"""Folder below ``runs/`` with the studies of sweeps."""
STUDY_FILE = "study.json"
PARENT_FILE = "parent.json"
"""In the folder of a sweep, or of a study: which run of the tracker groups its runs."""
EXPLORATION = "explore.html"
"""The page of an exploration of a data set, whose folder is no run's."""
BEST = "best"
"""Folder of a study with the run of its best setting."""


AFTER = "train/objective_after_"
"""Beginning of the names of objectives after half-steps, as models report them."""


@dataclass(frozen=True)
class Result:
    """What came out of a run.

    Attributes
    ----------
    settings : dict
        The resolved configuration, every setting included.
    metrics : dict of str to float
        Final numbers by name, such as ``"test/ndcg@10"``, ``"valid/rmse"`` and ``"seconds/fit"``: those of
        ``metrics.json`` and of the tracker.
    objective : str
        Name in `metrics` of the number that early stopping watched, such as ``"valid/rmse"``.
    model : Model
        The fitted model that was scored on test.
    split : Split
        What it was fitted and scored on.
    curves : dict of str to list of float
        Per epoch of the fit on train, first epoch first; empty for models that do not iterate.
    skipped : dict of str to str
        Metrics that do not apply, with the reason.
    notes : list of str
        What a reader of the numbers has to know, a line each: rows that a setting left out, and leaks of the split.
    directory : pathlib.Path
        The run's folder.
    run_id : str
        Its id in the tracker.
    where : str
        One line: where the tracker shows the run.
    """

    settings: dict[str, Any]
    metrics: dict[str, float]
    objective: str
    model: Model
    split: Split
    curves: dict[str, list[float]]
    skipped: dict[str, str]
    notes: list[str]
    directory: Path
    run_id: str
    where: str

    @property
    def score(self) -> float | None:
        """Value of the objective; None where the split has no valid part."""
        return self.metrics.get(self.objective)

    def __repr__(self) -> str:
        shown = {name: round(value, 4) for name, value in self.metrics.items() if name.startswith(("valid/", "test/"))}
        return f"Result({self.settings['model']['name']}, {self.settings['split']['name']}, {shown}, {self.directory})"


@dataclass
class Curves:
    """Numbers per epoch, by name."""

    values: dict[str, list[float]] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """How many epochs there were."""
        return max(map(len, self.values.values()), default=0)

    def points(self) -> list[tuple[int, dict[str, float]]]:
        """List the numbers of each epoch with the epoch's number."""
        of: dict[int, dict[str, float]] = {number: {} for number in range(1, self.epochs + 1)}
        for name, values in self.values.items():
            for number, value in enumerate(values, start=1):
                of[number][name] = value
        return list(of.items())

    def add(self, point: Mapping[str, float]) -> None:
        """Append the numbers of one more epoch."""
        for name, value in point.items():
            self.values.setdefault(name, []).append(float(value))


def safe_name(text: str) -> str:
    """Turn a text into part of a file name: letters, digits, ``. _ -``, at most 80 characters."""
    return re.sub(r"[^\w.\-]+", "-", text, flags=re.ASCII).strip(".-")[:80] or "run"


def token() -> str:
    """Make four characters that tell runs of the same second apart."""
    return secrets.token_hex(2)


def new_directory(root: Path, name: str) -> Path:
    """Make ``root/DATE/TIME_NAME_TOKEN`` and return its absolute path; it did not exist before."""
    while True:
        now = datetime.datetime.now()
        folder = root.absolute() / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}_{safe_name(name)}_{token()}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder


def by_number(folder: Path) -> tuple[int, str]:
    """Sort key of the folders of a sweep's runs, NUMBER_NAME."""
    first = folder.name.partition("_")[0]
    return (int(first) if first.isdecimal() else 0, folder.name)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, passwords in addresses hidden; numbers must be finite."""
    write_text(path, json.dumps(masked(content), indent=2, allow_nan=False) + "\n")


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved configuration as ``config.yaml``, passwords in addresses hidden."""
    from omegaconf import OmegaConf

    write_text(directory / CONFIG_FILE, mask(OmegaConf.to_yaml(OmegaConf.create(dict(config)))))


def write_identity(
    directory: Path, run_id: str, name: str, objective: str, ratings: Ratings, split: Split, notes: Sequence[str]
) -> None:
    """Write ``run.json``: which run of the tracker this is, the data and split it stands on, and the run's notes."""
    facts = {"run_id": run_id, "name": name, "objective": objective, "data": ratings.name}
    facts |= {"data_fingerprint": ratings.fingerprint, "split_fingerprint": split.fingerprint}
    write_json(directory / RUN_FILE, facts | {"split_rule": split.rule, "notes": list(notes)})


def notes_of(folder: Path) -> list[str]:
    """Return the notes of the run in a folder; none for one that wrote no ``run.json``."""
    path = folder / RUN_FILE
    return list(json.loads(path.read_text(encoding="utf-8")).get("notes", [])) if path.is_file() else []


def description(config: Mapping[str, Any], metrics: Mapping[str, float], data: str, rule: str) -> str:
    """Describe a run for people who meet it in a tracker: what for, its numbers, and how to run it again (Markdown)."""
    names = dict.fromkeys(name.partition("/")[2] for name in metrics if name.startswith(("valid/", "test/")))
    given = config["tags"].get("description")
    chosen = " · ".join([data, config["split"]["name"], config["model"]["name"]])
    lines = [
        *([given, ""] if given else []),
        f"**{chosen}**",
        "",
        f"Split: {rule}.",
        "",
        "| | valid | test |",
        "|---|---:|---:|",
    ]
    for name in names:
        cells = (metrics.get(f"{part}/{name}") for part in ("valid", "test"))
        lines.append(f"| {name} | " + " | ".join("" if value is None else f"{value:.4f}" for value in cells) + " |")
    if "fit/best_epoch" in metrics:
        lines += ["", f"Best epoch on valid: {metrics['fit/best_epoch']:.0f} of {metrics['fit/epochs']:.0f}."]
    return "\n".join([*lines, "", f"Again: `{compose.command(config)}`"])


def save_model(directory: Path, model: Model) -> None:
    """Save the fitted model in a folder of its own; one that has no method for it is told in the log."""
    if hasattr(model, "save"):
        model.save(directory / MODEL)
    else:
        log.warning("The model is not saved: %s has no method save.", type(model).__name__)


def write_curves(directory: Path, curves: Curves) -> None:
    """Write the numbers of each epoch as ``curves.json``; null where one is not finite."""
    kept = {
        name: [value if math.isfinite(value) else None for value in values] for name, values in curves.values.items()
    }
    write_json(directory / CURVES_FILE, kept)


def draw_curves(
    directory: Path, curves: Curves, metric: str, name: str, caption: str, chosen: int, test: float | None
) -> None:
    """Draw the metric that was watched and the losses on train.

    ``learning_curve.png`` has the metric on train and valid, ``objective.png`` the losses on train or, where the
    model tells it, the objective after each half-step. A model with more half-steps than two gets ``dynamics.png``
    as well, which has all of these side by side. Draws nothing for a model that does not iterate, and no figure
    without a finite number in it.
    """
    from mfx.figures import descent_curve, dynamics, learning_curve, objective_curve, save
    from mfx.figures.curves import shown

    place = directory / FIGURES
    parts = {
        part: curves.values[f"{part}/{metric}"] for part in ("train", "valid") if f"{part}/{metric}" in curves.values
    }
    if _drawable(parts):
        figure = learning_curve(
            parts, metric=metric, title=f"{shown(metric)} by epoch: {name}", caption=caption, chosen=chosen, test=test
        )
        save(figure, place / "learning_curve.png")
    steps = half_steps(curves.values)
    losses = {key.removeprefix("train/"): values for key, values in curves.values.items() if key.startswith("train/")}
    losses.pop(metric, None)
    if steps:
        save(descent_curve(steps, title=f"Objective by half-step: {name}", caption=caption), place / "objective.png")
        if len(steps) > 2 and _drawable(parts):
            figure = dynamics(
                steps, parts, metric=metric, title=f"Dynamics: {name}", caption=caption, chosen=chosen, test=test
            )
            save(figure, place / "dynamics.png")
    elif _drawable(losses):
        save(
            objective_curve(losses, title=f"Losses on train by epoch: {name}", caption=caption), place / "objective.png"
        )


def half_steps(curves: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Find the objective after each half-step of the epochs, in their order; empty where the model tells none.

    An epoch ends with the users' step.
    """
    found = {
        key.removeprefix(AFTER): values
        for key, values in curves.items()
        if key.startswith(AFTER) and "train/objective" in curves
    }
    return found | {"users": curves["train/objective"]} if found else {}


def _drawable(parts: Mapping[str, list[float]]) -> bool:
    return any(math.isfinite(value) for values in parts.values() for value in values)
