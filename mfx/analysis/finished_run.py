"""A finished run, opened again from its folder: settings, numbers, model, data and split."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfx import compose, results
from mfx.errors import DataError, MFXError
from mfx.interfaces import Ratings, Split
from mfx.models.base import Recommender
from mfx.split.checks import divide

RUNS = Path("runs")


class RunError(MFXError):
    """A run cannot be found, is not finished, or lacks what is asked of it."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run that came to its end, read from its folder when it is asked.

    Attributes
    ----------
    folder : pathlib.Path
        Its folder, absolute.
    """

    folder: Path

    def __repr__(self) -> str:
        return f"FinishedRun({str(self.folder)!r})"

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration; passwords in addresses are hidden."""
        from omegaconf import OmegaConf

        path = self.folder / results.CONFIG_FILE
        try:
            plain = OmegaConf.to_container(OmegaConf.load(path))
        except Exception as error:  # yaml and OmegaConf raise many types
            raise RunError(f"{path} cannot be read: {_one_line(error)}", "Run the experiment again.") from error
        if not isinstance(plain, dict):
            raise RunError(f"{path} holds no settings.", "Run the experiment again.")
        return {str(key): value for key, value in plain.items()}

    @functools.cached_property
    def metrics(self) -> dict[str, float]:
        """The final numbers by name, such as ``test/rmse``."""
        return {name: float(value) for name, value in _json(self.folder / results.METRICS_FILE).items()}

    @functools.cached_property
    def identity(self) -> dict[str, str]:
        """Id in the tracker, name, objective, data and split (see `mfx.results.write_identity`); empty for old runs."""
        path = self.folder / results.RUN_FILE
        found = _json(path) if path.is_file() else {}
        return {key: value for key, value in found.items() if isinstance(value, str)}

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers has to know, a line each; see `mfx.results.Result`."""
        return results.notes_of(self.folder)

    @property
    def run_id(self) -> str | None:
        """Id of the run in its tracker; None for runs that did not write it down."""
        return self.identity.get("run_id")

    @property
    def name(self) -> str:
        """Name of the run, such as ``als_temporal``."""
        return self.identity.get("name") or compose.label(self.config)

    @property
    def objective(self) -> str | None:
        """What early stopping watched, such as ``valid/rmse``."""
        return self.identity.get("objective")

    @property
    def fit_seconds(self) -> float | None:
        """Seconds spent fitting, refits included; None where it was not measured."""
        found = [self.metrics.get(f"seconds/{stage}") for stage in ("fit", "refit")]
        return sum(one for one in found if one is not None) if found[0] is not None else None

    @property
    def shown(self) -> str:
        """What a person can type to mean this run: its folder, below ``runs/`` where it is there."""
        return _shown(self.folder)

    @functools.cached_property
    def model(self) -> Recommender:
        """The fitted model that was scored on test, read without pickle.

        Raises
        ------
        RunError
            If the run kept no model.
        ModelError
            If its files are damaged, or the plugin it came from is missing.
        """
        from mfx.models.storage import load

        place = self.folder / results.MODEL
        if not (place / "model.json").is_file():
            raise RunError(
                f"The run {self.shown} kept no model that can be read.",
                f"Choose another run: {self.config['model']['name']} has no method save of MFX's.",
            )
        return load(place)

    def plan(self) -> compose.Plan:
        """Make the components of the run anew, unfitted.

        Raises
        ------
        MFXError
            If a component or setting of it no longer exists.
        """
        try:
            return compose.build(self.config)
        except MFXError as error:
            raise RunError(f"The run {self.shown} cannot be composed again: {error.message}", error.hint) from error

    @functools.cached_property
    def split(self) -> Split:
        """Its ratings, read and divided again: the very parts of the run.

        Raises
        ------
        DataError
            If they are not the same any more: the data changed, or the rule of the split did.
        MFXError
            If the data cannot be read.
        """
        plan = self.plan()
        split = divide(plan.splitter, plan.dataset.load())
        known = self.identity.get("split_fingerprint")
        if known is not None and known != split.fingerprint:
            raise DataError(
                f"The data of run {self.shown} have changed: its split is not what it was.",
                "Run the experiment again on the present data.",
            )
        return split

    @property
    def fitted_on(self) -> Ratings:
        """The ratings that `model` was fitted on: train, with valid where the run refitted."""
        refitted = self.config["refit"] and len(self.split.valid)
        return self.split.train_and_valid if refitted else self.split.train

    @property
    def caption(self) -> str:
        """Data and split in one line, for captions of figures and tables."""
        part = "train and valid" if self.config["refit"] else "train"
        data = self.identity.get("data") or self.config["dataset"]["name"]
        return f"{data}, {self.config['split']['name']} split, {self.config['model']['name']} fitted on {part}"


def open_run(folder: Path) -> FinishedRun:
    """Open the run in a folder.

    Raises
    ------
    RunError
        If the folder holds no run, or one that did not finish.
    """
    place = folder.absolute()
    if not (place / results.CONFIG_FILE).is_file():
        raise RunError(f"{place} holds no run.", f"Give the folder that holds {results.CONFIG_FILE}.")
    if (place / results.EXPLORATION).is_file():
        raise RunError(
            f"{_shown(place)} is an exploration of a data set, not a run.",
            f"Open {place / results.EXPLORATION} in a browser.",
        )
    if not (place / results.METRICS_FILE).is_file():
        raise RunError(
            f"The run {_shown(place)} is not finished: it failed, was interrupted or still runs.",
            f"{place / 'run.log'} may say more.",
        )
    return FinishedRun(place)


def _shown(folder: Path) -> str:
    here = RUNS.absolute()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        raise ValueError("it is no object")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {_one_line(error)}", "Run the experiment again.") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") + "."
