"""A fitted model scored on a held-out part: every metric as sums over users, on the whole part and on slices of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mfx.analysis.paired import PerUser
from mfx.analysis.slices import Slice
from mfx.interfaces import BoolArray, DoubleArray, Metric, Model, Ratings
from mfx.metrics.base import RelevanceMetric, sum_per_user
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import under_protocol
from mfx.metrics.outcomes import ListOutcome, RatingOutcome, Relevant
from mfx.metrics.ratings import MAE, RMSE
from mfx.metrics.sampled import per_user

Outcome = RatingOutcome | ListOutcome
CURVE = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
"""Lengths of list at which the curve of precision has a point."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model scored.

    Attributes
    ----------
    values : dict of str to float
        By metric.
    skipped : dict of str to str
        Why a metric is not among the values.
    per_user : dict of str to PerUser
        By metric, over the users with held-out ratings; only of metrics that are made of users.
    sliced : dict of (str, str) to PerUser
        By metric and name of the slice.
    curve : dict of int to float
        Precision by length of the list; empty where no lists were asked for, or candidates are sampled.
    """

    values: dict[str, float]
    skipped: dict[str, str]
    per_user: dict[str, PerUser]
    sliced: dict[tuple[str, str], PerUser]
    curve: dict[int, float]


class _Keep:
    """Stands among the metrics to keep what they are given, so that slices cost no second pass."""

    higher_is_better: ClassVar[bool] = True

    def __init__(self, needs: str, k: int = 1) -> None:
        self.needs, self.k = needs, k
        self.outcome: Any = None

    def per_user(self, outcome: Any) -> DoubleArray:
        self.outcome = outcome
        return np.zeros(outcome.users.size)

    def value(self, outcome: Any) -> float:
        self.outcome = outcome
        return 0.0


def score(
    model: Model,
    seen: Ratings,
    held_out: Ratings,
    metrics: Mapping[str, Metric],
    settings: EvaluationSettings,
    slices: Sequence[Slice] = (),
    sliced: Sequence[str] = (),
) -> Scores:
    """Score a model as an experiment does, and keep what each user contributed.

    Parameters
    ----------
    model, seen, held_out, metrics, settings
        As in `mfx.metrics.evaluation.evaluate`.
    slices : sequence of Slice
        Parts of `held_out`. For list metrics a slice of items means: lists are made from all candidates as ever, and
        only held-out items of the slice count as relevant.
    sliced : sequence of str
        Metrics that are cut into slices.
    """
    depth = min(max(CURVE), held_out.n_items)
    keep: dict[str, Any] = {"ratings": _Keep("ratings"), "lists": _Keep("lists", depth)}
    asked = {one.needs for one in metrics.values()}
    extra: dict[str, Any] = {
        under_protocol(f"keep {needs}", one, settings): one for needs, one in keep.items() if needs in asked
    }
    found = evaluate(model, seen, held_out, {**metrics, **extra}, settings)
    values = {name: value for name, value in found.values.items() if name in metrics}
    skipped = {name: reason for name, reason in found.skipped.items() if name in metrics}
    made_of, by_slice = {}, {}
    for name in values:
        outcome = keep[metrics[name].needs].outcome if metrics[name].needs in keep else None
        whole = _sums(metrics[name], outcome, found.per_user.get(name))
        if whole is None or not np.isclose(whole.value(), values[name], rtol=1e-6, atol=1e-9):
            continue  # its value is no mean over users or ratings, so that users cannot be resampled
        made_of[name] = whole
        if name in sliced:
            for one in slices:
                cut = _cut(metrics[name], outcome, whole, one, held_out, found.users)
                if cut is not None:
                    by_slice[name, one.name] = cut
    lists: ListOutcome | None = keep["lists"].outcome
    return Scores(values, skipped, made_of, by_slice, {} if lists is None or settings.sampled else _curve(lists))


def _sums(metric: Any, outcome: Outcome | None, means: DoubleArray | None) -> PerUser | None:
    if isinstance(outcome, RatingOutcome) and isinstance(metric, RMSE | MAE):
        errors = np.abs(outcome.predicted.astype(np.float64) - outcome.actual)
        root = isinstance(metric, RMSE)
        totals = sum_per_user(errors**2 if root else errors, outcome.indptr)
        return PerUser(totals, np.diff(outcome.indptr).astype(np.float64), root)
    if means is None:
        return None
    has = ~np.isnan(means)
    return PerUser(np.where(has, means, 0.0), has.astype(np.float64))


def _cut(
    metric: Any, outcome: Outcome | None, whole: PerUser, one: Slice, held_out: Ratings, users: Any
) -> PerUser | None:
    """Return the part of a metric that belongs to a slice; None where items cannot be told apart."""
    if one.users is not None:
        inside = one.users[users]
        return PerUser(np.where(inside, whole.totals, 0.0), np.where(inside, whole.counts, 0.0), whole.root)
    assert one.items is not None
    part: Outcome
    if isinstance(outcome, RatingOutcome):
        part = _some_ratings(outcome, one.items[held_out.items])
    elif isinstance(outcome, ListOutcome) and isinstance(metric, RelevanceMetric):
        part = _some_relevant(outcome, one.items)
    else:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        return _sums(metric, part, per_user(metric, part, users))


def _some_ratings(outcome: RatingOutcome, inside: BoolArray) -> RatingOutcome:
    counts = sum_per_user(inside.astype(np.float64), outcome.indptr).astype(np.int64)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return replace(outcome, indptr=indptr, predicted=outcome.predicted[inside], actual=outcome.actual[inside])


def _some_relevant(outcome: ListOutcome, items: BoolArray) -> ListOutcome:
    relevant = outcome.relevant
    inside = items[relevant.items]
    counts = sum_per_user(inside.astype(np.float64), relevant.indptr).astype(np.int64)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    hits = outcome.hits & items[outcome.items]
    return replace(
        outcome,
        hits=hits,
        ratings=np.where(hits, outcome.ratings, np.float32(0)),
        relevant=Relevant(indptr, relevant.items[inside], relevant.values[inside]),
        # A user with nothing of the slice says nothing about it.
        settings=replace(outcome.settings, users_without_relevant="skip"),
    )


def _curve(lists: ListOutcome) -> dict[int, float]:
    from mfx.metrics.ranking import Precision

    return {k: float(Precision(k=k).value(lists)) for k in CURVE if k <= lists.hits.shape[1]}
