"""Finished runs side by side: settings, metrics, and whether a difference on the same split is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mfx.analysis.finished_run import FinishedRun, RunError
from mfx.analysis.paired import Difference, Draws, PerUser, differences
from mfx.analysis.protocol import notes, one_model, protocol
from mfx.analysis.same_split import catalogue_notes, flat, label, model_of, one_protocol, one_split, same_ids
from mfx.analysis.scores import Scores, score
from mfx.analysis.slices import Slice, slices
from mfx.compose.plan import metrics_of
from mfx.compose.varying import varying
from mfx.errors import MetricError
from mfx.interfaces import Metric, Split
from mfx.metrics.evaluation import EvaluationSettings
from mfx.metrics.names import full_name, under_protocol


@dataclass(frozen=True)
class Tested:
    """A difference to the first run.

    Attributes
    ----------
    metric, run : str
        The metric, and the name of the model that is compared with the first one.
    where : str
        Name of a slice; empty for all of test.
    better : bool or None
        Whether it is better than the first one; None if no difference is claimed, or both are fits of one model with
        other seeds.
    """

    metric: str
    run: str
    where: str
    difference: Difference
    better: bool | None

    @property
    def verdict(self) -> str:
        """What was found, in words."""
        if self.better is None:
            return "luck of the fit" if self.difference.certain else "no difference found"
        return "better" if self.better else "worse"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    runs : list of FinishedRun
        The first is of the model that others are compared with.
    labels : list of str
        A short, distinct name of each.
    models : dict of str to list of int
        Places of the runs that differ in their seed only, which are fits of one model, by the name of the model.
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
    models: dict[str, list[int]]
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

    @property
    def against(self) -> str:
        """Name of the model that others are compared with."""
        return next(iter(self.models))

    def curves(self) -> dict[str, dict[int, float]]:
        """Return precision by length of list, the mean over its fits, of each model that makes lists."""
        found: dict[str, dict[int, float]] = {}
        for name, places in self.models.items():
            fits = [self.scores[place].curve for place in places]
            mean = {k: sum(fit[k] for fit in fits) / len(fits) for k in fits[0] if all(k in fit for fit in fits)}
            found |= {name: mean} if mean else {}
        return found

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        models = {place: name for name, places in self.models.items() for place in places}
        runs = [
            {
                "label": label,
                "model": models[place],
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
            "against": self.against,
            "split_fingerprint": self.runs[0].split_fingerprint,
            "tests": [_plain(one) for one in self.tests],
            "slices": self.slices,
            "slice_tests": [_plain(one) for one in self.slice_tests],
            "protocol": self.protocol,
            "notes": self.notes,
        }


def compare(runs: Sequence[FinishedRun], metrics: Sequence[str] | None = None) -> Comparison:
    """Compare finished runs on one split with the first of them; runs that differ in their seed only count as one.

    The saved models are scored again on the split that is made anew: so slices need no storage in runs, models of
    plugins take part, and what is compared is what anybody can load.

    Parameters
    ----------
    runs : sequence of FinishedRun
        At least two.
    metrics : sequence of str, optional
        By default those that the runs report. All runs are scored by the first one's settings ``evaluation``.

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
    scores = [_scored(run, split, made, settings, cuts, main) for run in runs]
    shared = [name for name in made if name in scores[0].values and any(name in one.values for one in scores[1:])]
    if not shared:
        reasons = "; ".join(f"{k}: {v}" for one in scores for k, v in one.skipped.items())
        raise RunError(f"No run has a metric in common with {runs[0].name} ({reasons}).", "Name one: metrics=ndcg@10")
    labels = label(runs)
    models = _models(runs, labels)
    better = {} if one_model(runs) else {name: metric.higher_is_better for name, metric in made.items()}
    tests = _judged(_sides(models, shared, [(one.per_user, "") for one in scores]), better)
    main = [name for name in main if name in shared]
    sides = [side for cut in cuts for side in _sides(models, main, [(_on(one, cut), cut.name) for one in scores])]
    slice_tests = _judged(sorted(sides, key=lambda side: main.index(side[0])), better)
    return Comparison(
        runs=list(runs),
        labels=labels,
        models=models,
        settings={name: [one.get(name, "") for one in known] for name in varying(known)},
        metrics=made,
        main=main,
        scores=scores,
        tests=tests,
        slice_tests=slice_tests,
        slices={one.name: _about(one, split) for one in cuts},
        protocol=protocol(runs, models, split, len(tests), len(slice_tests)),
        notes=[*notes(runs, labels, scores), *catalogue_notes(labels, [run.model.catalogue_ for run in runs])],
        caption=f"{test.name}, {runs[0].config['split']['name']} split, {len(test):,} ratings of test.",
    )


def _scored(
    run: FinishedRun,
    split: Split,
    metrics: Mapping[str, Metric],
    settings: EvaluationSettings,
    cuts: Sequence[Slice],
    main: Sequence[str],
) -> Scores:
    """Score the model of a run on test, over its own catalogue: there its indices mean users and items."""
    catalogue, own = split.test.catalogue, run.model.catalogue_
    if not same_ids(catalogue, own):
        split, cuts = split.over(own), [cut.over(catalogue, own) for cut in cuts]
    return score(run.model, split.train_and_valid, split.test, metrics, settings, cuts, main)


def _metrics(runs: Sequence[FinishedRun], wanted: Sequence[str] | None) -> dict[str, Metric]:
    """Make the metrics by the evaluation settings of the first run, by which all runs are scored."""
    plans = [run.plan() for run in runs]
    evaluation, settings = plans[0].config["evaluation"], plans[0].evaluation
    if wanted is None:
        suffix = f"_sampled_{settings.sampled}"
        names = list(dict.fromkeys(name.removesuffix(suffix) for plan in plans for name in plan.metrics))
    else:
        names = [full_name(one) for one in wanted]
        if len(set(names)) < len(names) or not names:
            given = ",".join(wanted)
            raise MetricError(f"metrics={given} names no metric, or one twice.", "Write metrics=rmse,ndcg@10.")
    return {under_protocol(name, metric, settings): metric for name, metric in metrics_of(names, evaluation).items()}


def _main(runs: Sequence[FinishedRun], made: Mapping[str, Metric]) -> list[str]:
    """Choose the metrics that are cut into slices: those that the runs were made for."""
    watched = dict.fromkeys((run.objective or "").partition("/")[2] for run in runs)
    return [name for name in watched if name in made] or list(made)[:1]


Side = tuple[str, str, str, Draws, Draws]
"""Metric, name of the model, name of the slice; the fits of the model and of the first one."""


def _models(runs: Sequence[FinishedRun], labels: Sequence[str]) -> dict[str, list[int]]:
    """Group the runs that differ in nothing but their seed; if that leaves nothing to compare, each run is a group."""
    found: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for place, run in enumerate(runs):
        found.setdefault(tuple(sorted(model_of(run).items())), []).append(place)
    groups = list(found.values())
    if len(groups) in (1, len(runs)):
        return {name: [place] for place, name in enumerate(labels)}
    names = label([runs[places[0]] for places in groups])
    return {
        f"{name} ({len(places)} seeds)" if len(places) > 1 else name: places
        for name, places in zip(names, groups, strict=True)
    }


def _on(scores: Scores, cut: Slice) -> dict[str, PerUser]:
    return {metric: one for (metric, where), one in scores.sliced.items() if where == cut.name}


def _sides(
    models: Mapping[str, list[int]], metrics: Sequence[str], found: Sequence[tuple[Mapping[str, PerUser], str]]
) -> list[Side]:
    """Pair the fits of every model with those of the first, for each metric that all of them have."""
    first, *others = models
    sides = []
    for metric in metrics:
        for name in others:
            one, other = ([found[at] for at in models[which] if metric in found[at][0]] for which in (name, first))
            if len(one) == len(models[name]) and len(other) == len(models[first]):
                fits = [per_user[metric] for per_user, _ in one], [per_user[metric] for per_user, _ in other]
                sides.append((metric, name, one[0][1], *fits))
    return [side for side in sides if side[3][0].has.any()]


def _judged(sides: Sequence[Side], higher_is_better: Mapping[str, bool]) -> list[Tested]:
    """Test, and say which is better, for the metrics of which it is given what better means."""
    found = differences([(one, other) for *_, one, other in sides])
    told = [higher_is_better.get(name) if one.certain else None for (name, *_), one in zip(sides, found, strict=True)]
    return [
        Tested(name, run, where, one, None if high is None else (one.value > 0) == high)
        for (name, run, where, *_), one, high in zip(sides, found, told, strict=True)
    ]


def _about(one: Slice, split: Split) -> dict[str, Any]:
    inside = one.ratings(split.test)
    users = len(set(split.test.users[inside].tolist()))
    return {"rule": one.rule, "ratings": int(inside.sum()), "users": users}


def _plain(one: Tested) -> dict[str, Any]:
    facts = {key: None if value != value else value for key, value in asdict(one.difference).items()}
    told = {"metric": one.metric, "run": one.run, "slice": one.where or None}
    return {**told, "better": one.better, "verdict": one.verdict, **facts}
