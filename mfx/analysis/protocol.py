"""What a comparison says about itself: the protocol in sentences, and what a reader should know before trusting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mfx import compose
from mfx.analysis.finished_run import FinishedRun
from mfx.analysis.same_split import model_of
from mfx.analysis.scores import Scores
from mfx.analysis.side_by_side import lists_rule
from mfx.compose.varying import varying
from mfx.interfaces import Split

ONE_MODEL = (
    "These runs are fits of one model with other seeds: what lies between them is the luck of a fit, and no model is "
    "better for it, even if the test is sure that these fits differ."
)


def protocol(
    runs: Sequence[FinishedRun], models: Mapping[str, list[int]], split: Split, tests: int, slice_tests: int
) -> list[str]:
    """Say how models were compared, in sentences.

    Parameters
    ----------
    models : mapping of str to list of int
        Places of the fits of each model among the runs; others are compared with the first.
    tests, slice_tests : int
        How many tests were made, on all of test and on slices.
    """
    several = any(len(places) > 1 for places in models.values())
    made = f"{tests} tests on all of test" + (f", and on their own {slice_tests} on slices" if slice_tests else "")
    return [
        f"Split: {split.rule}.",
        f"Saved models, scored on test: {len(split.test):,} ratings of "
        f"{int((split.test.user_counts > 0).sum()):,} users. {lists_rule(runs[0].config['evaluation'])}",
        f"Every model is compared with {next(iter(models))} on the same users"
        f"{'; the value of a model is the mean over its fits' if several else ''}. Users of test"
        f"{' and fits of a model' if several else ''} count as drawn at random: the 95% interval leaves out the true "
        "difference in at most 1 of 20 such comparisons. p is the level at which the interval would end at 0, after "
        f"Holm's correction ({made}).",
        "A difference is claimed, as better or worse, if this p is below .05. If the models were equal, at most 1 of "
        "20 such comparisons would claim anything on all of test"
        f"{', and at most 1 of 20 anything on slices' if slice_tests else ''}.",
        *_luck(runs, models),
    ]


def _luck(runs: Sequence[FinishedRun], models: Mapping[str, list[int]]) -> list[str]:
    """Name the models whose one fit is taken as it is, though other seeds would make other fits."""
    single = [name for name, places in models.items() if len(places) == 1 and "seed" in runs[places[0]].config["model"]]
    if not single or one_model(runs):
        return []
    seed = f" split.seed={runs[0].config['split']['seed']}" if "seed" in runs[0].config["split"] else ""
    return [
        f"One fit only of {', '.join(single)}: what other seeds would change is in no interval, and a claim is about "
        f"{'this fit' if len(single) == 1 else 'these fits'}. For a claim about models give several fits of each, "
        f"five or more, on one split: mfx -m model=NAME seed=1,2,3,4,5{seed}."
    ]


def notes(runs: Sequence[FinishedRun], labels: Sequence[str], scores: Sequence[Scores]) -> list[str]:
    """Say what of the runs, as they were recorded, does not agree with how they were compared."""
    told = []
    own = [compose.flatten(run.config["evaluation"], "evaluation.") for run in runs]
    for run, name, evaluation, found in zip(runs, labels, own, scores, strict=True):
        if evaluation != own[0]:
            other = [f"{key}={evaluation.get(key)} ({own[0].get(key)})" for key in varying([own[0], evaluation])]
            told.append(
                f"{name} was evaluated, and if its objective depends on it stopped, with {', '.join(other)}; in "
                f"brackets the settings of {labels[0]}, by which all are scored here."
            )
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
    return all(model_of(run) == model_of(runs[0]) for run in runs)
