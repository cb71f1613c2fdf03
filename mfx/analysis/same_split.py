"""Runs that may be compared: their labels, the settings that tell them apart, and the one split that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mfx import compose
from mfx.analysis.finished_run import FinishedRun, RunError
from mfx.compose.varying import varying
from mfx.interfaces import Catalogue, Split

APART = ("dataset", "split")
"""Groups of settings that decide what runs are scored on."""
ELSEWHERE = ("tracking.", "tags.", "run_name", "experiment_name", "figures", "metrics")
"""Settings that change nothing about a model; of metrics and their settings, what early stopping watches does."""


def label(runs: Sequence[FinishedRun]) -> list[str]:
    """Give runs short, distinct names: their own, with the settings that differ where several share one."""
    names = [run.name for run in runs]
    found = []
    for run, name in zip(runs, names, strict=True):
        alike = [flat(one) for one, other in zip(runs, names, strict=True) if other == name]
        mine = flat(run)
        told = [f"{key.removeprefix('model.')}={mine[key]}" for key in varying(alike) if key in mine]
        found.append(" ".join([name, *told[:4]]))
    again = Counter(found)
    return [f"{one} {run.folder.name[-4:]}" if again[one] > 1 else one for one, run in zip(found, runs, strict=True)]


def flat(run: FinishedRun) -> dict[str, str]:
    """Flatten the settings of a run, but for those that change nothing and seeds that follow the run's own.

    ``objective`` is what early stopping watched, also if it is the default of the model.
    """
    settings = compose.flatten(run.config)
    if run.objective is not None:
        settings["objective"] = run.objective.partition("/")[2]
    seed = settings.get("seed")
    return {
        name: text
        for name, text in settings.items()
        if not name.startswith(ELSEWHERE) and not (name.endswith(".seed") and text == seed)
    }


def model_of(run: FinishedRun) -> dict[str, str]:
    """Say what fits of one model have in common: settings, and what surrounds the ratings, but for seeds."""
    settings = {name: text for name, text in flat(run).items() if name.rpartition(".")[2] != "seed"}
    around = {name: text for name, text in run.fingerprints.items() if name == "scale" or name.startswith("catalogue.")}
    return settings | around


def one_split(runs: Sequence[FinishedRun]) -> Split:
    """Return the split that all runs share.

    Raises
    ------
    RunError
        If there is none, saying which settings differ.
    DataError
        If the data of a run changed since.
    """
    first = runs[0]
    known = [run.split_fingerprint for run in runs]
    for run, fingerprint in zip(runs[1:], known[1:], strict=True):
        if None not in (fingerprint, known[0]) and fingerprint != known[0]:
            raise _refused(first, run)
    split = first.split
    for run, fingerprint in zip(runs[1:], known[1:], strict=True):
        if fingerprint is None and run.split.fingerprint != split.fingerprint:
            raise _refused(first, run)
    return split


def same_ids(one: Catalogue, other: Catalogue) -> bool:
    """Whether an index means the same user or item in two catalogues."""
    pairs = (one.user_ids, other.user_ids), (one.item_ids, other.item_ids)
    return all(np.array_equal(ids, others) for ids, others in pairs)


def catalogue_notes(labels: Sequence[str], catalogues: Sequence[Catalogue]) -> list[str]:
    """Say which runs chose their lists from other items than the first, as their catalogues differ."""
    first = catalogues[0]
    return [
        f"The catalogue of {name} has {one.n_items:,} items, that of {labels[0]} {first.n_items:,}: their lists are "
        "chosen from different items."
        for name, one in zip(labels, catalogues, strict=True)
        if not np.array_equal(one.item_ids, first.item_ids)
    ]


def one_protocol(runs: Sequence[FinishedRun]) -> None:
    """Refuse runs whose lists were made in different ways: full ones, or with some number of sampled candidates.

    Raises
    ------
    RunError
        Naming the first two that differ.
    """
    known = [run.plan().evaluation.sampled for run in runs]
    for run, sampled in zip(runs[1:], known[1:], strict=True):
        if sampled != known[0]:
            asked = [one.config["evaluation"]["candidates"] for one in (runs[0], run)]
            raise RunError(
                f"{runs[0].name} was evaluated with evaluation.candidates={asked[0]}, {run.name} with {asked[1]}: "
                "full lists and sampled candidates cannot be compared.",
                "Run one of them again with the other's evaluation.candidates.",
            )


def _refused(one: FinishedRun, other: FinishedRun) -> RunError:
    first, second = flat(one), flat(other)
    keys = [key for key in {**first, **second} if key.partition(".")[0] in (*APART, "seed")]
    told = [f"{key} is {first.get(key)} and {second.get(key)}" for key in keys if first.get(key) != second.get(key)]
    why = "; ".join(told[:4]) or "the data changed between them"
    seeds = [
        f"{group}.seed={one.config[group]['seed']}"
        for group in APART
        if "seed" in one.config[group] and one.config[group]["seed"] != other.config[group].get("seed")
    ]
    fits = f" For several fits on one split, give every run {' '.join(seeds)} beside its own seed." if seeds else ""
    return RunError(
        f"{one.name} and {other.name} were scored on different splits: {why}. Their numbers cannot be compared.",
        f"Run one of them again with the other's data and split.{fits}",
    )
