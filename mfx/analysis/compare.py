"""Finished runs side by side: settings, metrics, and whether a difference on the same split is more than chance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mfx.analysis.finished_run import FinishedRun, RunError
from mfx.analysis.paired import CONFIDENCE, RESAMPLES, Difference, PerUser, differences
from mfx.analysis.same_split import flat, label, lists_of, one_protocol, one_split
from mfx.analysis.scores import Scores, score
from mfx.analysis.slices import Slice, slices
from mfx.compose.varying import varying
from mfx.errors import MetricError
from mfx.interfaces import Metric, Split
from mfx.metrics.names import create_metrics, full_name, under_protocol


@dataclass(frozen=True)
class Tested:
    """A difference to the first run.

    Attributes
    ----------
    metric, run : str
        The metric, and the label of the run that is compared with the first one.
    where : str
        Name of a slice; empty for all of test.
    better : bool or None
        Whether the run is better than the first one; None where no difference was found.
    """

    metric: str
    run: str
    where: str
    difference: Difference
    better: bool | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    runs : list of FinishedRun
        The first is the one that others are compared with.
    labels : list of str
        A short, distinct name of each.
    settings : dict of str to list of str
        Settings that differ, each with its value in every run; empty text where a component has no such setting.
    scores : list of Scores
        Of the saved models, scored again on test.
    tests, slice_tests : list of Tested
        Corrected for several comparisons among themselves.
    slices : dict of str to dict
        Rule, ratings and users of each slice.
    protocol : list of str
        What was done, in sentences for people.
    notes : list of str
        What a reader should know before trusting the numbers.
    """

    runs: list[FinishedRun]
    labels: list[str]
    settings: dict[str, list[str]]
    metrics: dict[str, Metric]
    main: list[str]
    scores: list[Scores]
    tests: list[Tested]
    slice_tests: list[Tested]
    slices: dict[str, dict[str, Any]]
    protocol: list[str]
    notes: list[str]
    caption: str
    seed: int

    def seconds(self, place: int) -> float | None:
        """Return the seconds that a run spent fitting, refits included; None where it was not measured."""
        found = [self.runs[place].metrics.get(f"seconds/{stage}") for stage in ("fit", "refit")]
        return sum(one for one in found if one is not None) if found[0] is not None else None

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        runs = [
            {
                "label": label,
                "folder": str(run.folder),
                "run_id": run.run_id,
                "settings": {name: values[place] for name, values in self.settings.items()},
                "test": scores.values,
                "skipped": scores.skipped,
                "precision": scores.curve,
                "recorded": run.metrics,
            }
            for place, (label, run, scores) in enumerate(zip(self.labels, self.runs, self.scores, strict=True))
        ]
        return {
            "runs": runs,
            "against": self.labels[0],
            "split_fingerprint": self.runs[0].identity.get("split_fingerprint"),
            "tests": [_plain(one) for one in self.tests],
            "slices": self.slices,
            "slice_tests": [_plain(one) for one in self.slice_tests],
            "protocol": self.protocol,
            "notes": self.notes,
        }


def compare(runs: Sequence[FinishedRun], metrics: Sequence[str] | None = None, seed: int = 42) -> Comparison:
    """Compare finished runs on one split with the first of them.

    The saved models are scored again on the split that is made anew: so slices need no storage in runs, models of
    plugins take part, and what is compared is what anybody can load.

    Parameters
    ----------
    runs : sequence of FinishedRun
        At least two.
    metrics : sequence of str, optional
        By default those that the runs report.
    seed : int
        Of the bootstrap.

    Raises
    ------
    RunError
        If there are fewer than two different runs, their splits or ways to make lists differ, or none shares a
        metric with the first.
    DataError
        If the data changed since.
    """
    if len({run.folder for run in runs}) < len(runs) or len(runs) < 2:
        raise RunError("A comparison needs at least two different runs.", "Name two: mfx compare RUN RUN")
    known = [flat(run) for run in runs]
    one_protocol(runs)
    split = one_split(runs)
    made = _metrics(runs, metrics)
    main = _main(runs, made)
    history, test = split.train_and_valid, split.test
    cuts = slices(history, test)
    settings = runs[0].plan().evaluation
    scores = [score(run.model, history, test, made, settings, cuts, main) for run in runs]
    shared = [name for name in made if name in scores[0].values and any(name in one.values for one in scores[1:])]
    if not shared:
        reasons = "; ".join(f"{k}: {v}" for one in scores for k, v in one.skipped.items())
        raise RunError(f"No run has a metric in common with {runs[0].name} ({reasons}).", "Name one: metrics=ndcg@10")
    labels = label(runs)
    tests = _tests(labels, scores, made, shared, seed)
    main = [name for name in main if name in shared]
    slice_tests = _slice_tests(labels, scores, made, main, cuts, seed)
    return Comparison(
        runs=list(runs),
        labels=labels,
        settings={name: [one.get(name, "") for one in known] for name in varying(known)},
        metrics=made,
        main=main,
        scores=scores,
        tests=tests,
        slice_tests=slice_tests,
        slices={one.name: _about(one, split) for one in cuts},
        protocol=_protocol(runs, labels, split, tests, slice_tests, seed),
        notes=_notes(runs, labels, scores),
        caption=f"{test.name}, {runs[0].config['split']['name']} split, {len(test):,} ratings of test.",
        seed=seed,
    )


def _metrics(runs: Sequence[FinishedRun], wanted: Sequence[str] | None) -> dict[str, Metric]:
    plans = [run.plan() for run in runs]
    known: dict[str, Metric] = {}
    for plan in plans:
        known |= {name: metric for name, metric in plan.metrics.items() if name not in known}
    if wanted is None:
        return known
    names = [full_name(one) for one in wanted]
    if len(set(names)) < len(names) or not names:
        raise MetricError(f"metrics={','.join(wanted)} names no metric, or one twice.", "Write metrics=rmse,ndcg@10.")
    settings = plans[0].evaluation
    made = {under_protocol(name, metric, settings): metric for name, metric in create_metrics(names).items()}
    return {name: known.get(name, metric) for name, metric in made.items()}


def _main(runs: Sequence[FinishedRun], made: Mapping[str, Metric]) -> list[str]:
    """Choose the metrics that are cut into slices: those that the runs were made for."""
    watched = dict.fromkeys((run.objective or "").partition("/")[2] for run in runs)
    return [name for name in watched if name in made] or list(made)[:1]


def _tests(
    labels: Sequence[str], scores: Sequence[Scores], made: Mapping[str, Metric], shared: Sequence[str], seed: int
) -> list[Tested]:
    sides = [
        (name, place, scores[place].per_user[name], scores[0].per_user[name])
        for name in shared
        for place in range(1, len(labels))
        if name in scores[place].per_user and name in scores[0].per_user
    ]
    return _judged([(name, labels[place], "", one, other) for name, place, one, other in sides], made, seed)


def _slice_tests(
    labels: Sequence[str],
    scores: Sequence[Scores],
    made: Mapping[str, Metric],
    main: Sequence[str],
    cuts: Sequence[Slice],
    seed: int,
) -> list[Tested]:
    sides = [
        (name, labels[place], cut.name, scores[place].sliced[name, cut.name], scores[0].sliced[name, cut.name])
        for name in main
        for cut in cuts
        for place in range(1, len(labels))
        if (name, cut.name) in scores[place].sliced and (name, cut.name) in scores[0].sliced
    ]
    return _judged([side for side in sides if side[3].has.any()], made, seed)


def _judged(
    sides: Sequence[tuple[str, str, str, PerUser, PerUser]], made: Mapping[str, Metric], seed: int
) -> list[Tested]:
    found = differences([(one, other) for *_, one, other in sides], seed)
    return [
        Tested(name, run, where, one, ((one.value > 0) == made[name].higher_is_better) if one.certain else None)
        for (name, run, where, *_), one in zip(sides, found, strict=True)
    ]


def _about(one: Slice, split: Split) -> dict[str, Any]:
    inside = one.ratings(split.test)
    users = len(set(split.test.users[inside].tolist()))
    return {"rule": one.rule, "ratings": int(inside.sum()), "users": users}


def _protocol(
    runs: Sequence[FinishedRun],
    labels: Sequence[str],
    split: Split,
    tests: Sequence[Tested],
    slice_tests: Sequence[Tested],
    seed: int,
) -> list[str]:
    evaluation = runs[0].config["evaluation"]
    threshold = evaluation.get("relevance_threshold")
    relevant = "every held-out rating is relevant" if threshold is None else f"ratings from {threshold:g} are relevant"
    together = f"{len(tests)} tests on all of test" + (f", {len(slice_tests)} on slices" if slice_tests else "")
    return [
        f"Split: {split.rule}.",
        f"Saved models, scored on test: {len(split.test):,} ratings of "
        f"{int((split.test.user_counts > 0).sum()):,} users. {lists_of(runs[0])}; {relevant}.",
        f"Every run is compared with {labels[0]}, user by user. Intervals hold {CONFIDENCE:.0%} of {RESAMPLES:,} "
        f"resamples of users (bootstrap of the metric itself, seed {seed}). p is Wilcoxon's signed-rank test of the "
        f"users' own differences, corrected by Holm ({together}).",
        "A difference is claimed only where the interval leaves out 0, the corrected p is below .05, and both lean "
        "the same way.",
    ]


def _notes(runs: Sequence[FinishedRun], labels: Sequence[str], scores: Sequence[Scores]) -> list[str]:
    notes = []
    own = [json.dumps(run.config["evaluation"], sort_keys=True) for run in runs]
    for run, name, evaluation, found in zip(runs, labels, own, scores, strict=True):
        if evaluation != own[0]:
            notes.append(f"{name} was evaluated by other settings; here all follow those of {labels[0]}.")
            continue
        for metric, value in found.values.items():
            recorded = run.metrics.get(f"test/{metric}")
            if recorded is not None and abs(recorded - value) > 1e-5 * max(abs(recorded), 1e-3):
                notes.append(
                    f"{name} recorded {metric} {recorded:.6f}, and its saved model scores {value:.6f}: the model, the "
                    "data or MFX changed since."
                )
    return notes


def _plain(one: Tested) -> dict[str, Any]:
    facts = {key: None if value != value else value for key, value in asdict(one.difference).items()}
    return {"metric": one.metric, "run": one.run, "slice": one.where or None, "better": one.better, **facts}
