"""What a comparison says about itself: the protocol in sentences, and what a reader should know before trusting it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from mfx.analysis.finished_run import FinishedRun
from mfx.analysis.paired import CONFIDENCE, RESAMPLES
from mfx.analysis.same_split import flat
from mfx.analysis.scores import Scores
from mfx.analysis.side_by_side import lists_rule
from mfx.compose.varying import varying
from mfx.interfaces import Split

ONE_MODEL = (
    "These runs are fits of one model with other seeds: what lies between them is the luck of a fit, and no model is "
    "better for it, however sure the tests are that these two fits differ."
)


def protocol(
    runs: Sequence[FinishedRun],
    models: Mapping[str, list[int]],
    split: Split,
    tests: int,
    slice_tests: int,
    seed: int,
) -> list[str]:
    """Say how models were compared, in sentences.

    Parameters
    ----------
    models : mapping of str to list of int
        Places of the fits of each model among the runs; others are compared with the first.
    tests, slice_tests : int
        How many tests were made, on all of test and on slices.
    seed : int
        Of the bootstrap.
    """
    several = any(len(places) > 1 for places in models.values())
    together = f"{tests} tests on all of test" + (f", {slice_tests} on slices" if slice_tests else "")
    return [
        f"Split: {split.rule}.",
        f"Saved models, scored on test: {len(split.test):,} ratings of "
        f"{int((split.test.user_counts > 0).sum()):,} users. {lists_rule(runs[0].config['evaluation'])}",
        f"Every model is compared with {next(iter(models))}, user by user. Intervals hold {CONFIDENCE:.0%} of "
        f"{RESAMPLES:,} resamples of users{' and of fits' if several else ''} (bootstrap of the metric itself, seed "
        f"{seed}). p is Wilcoxon's signed-rank test of the users' own differences, corrected by Holm ({together}).",
        "A difference is claimed only where the interval leaves out 0, the corrected p is below .05, and both lean "
        "the same way. "
        + (
            "Runs that differ in their seed only are fits of one model, whose value is their mean."
            if several
            else "Each model is taken as it was fitted, with one seed; of several seeds, given together, the luck of "
            "the fit is part of the interval."
        ),
    ]


def notes(runs: Sequence[FinishedRun], labels: Sequence[str], scores: Sequence[Scores]) -> list[str]:
    """Say what of the runs, as they were recorded, does not agree with how they were compared."""
    told = []
    own = [json.dumps(run.config["evaluation"], sort_keys=True) for run in runs]
    for run, name, evaluation, found in zip(runs, labels, own, scores, strict=True):
        if evaluation != own[0]:
            told.append(f"{name} was evaluated by other settings; here all follow those of {labels[0]}.")
            continue
        for metric, value in found.values.items():
            recorded = run.metrics.get(f"test/{metric}")
            if recorded is not None and abs(recorded - value) > 1e-5 * max(abs(recorded), 1e-3):
                told.append(
                    f"{name} recorded {metric} {recorded:.6f}, and its saved model scores {value:.6f}: the model, the "
                    "data or MFX changed since."
                )
    if one_model(runs):
        told.append(ONE_MODEL)
    return told


def one_model(runs: Sequence[FinishedRun]) -> bool:
    """Whether runs are fits of one model: they differ in seeds, or in nothing."""
    return all(name.rpartition(".")[2] == "seed" for name in varying([flat(run) for run in runs]))
