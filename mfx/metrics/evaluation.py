"""A fitted model and held-out ratings to numbers, in one pass over blocks of users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import DoubleArray, FloatArray, IndexArray, Metric, Model, PointerArray, Ratings
from mfx.metrics.names import check_protocol
from mfx.metrics.outcomes import ListOutcome, RankOutcome, RatingOutcome, Relevant
from mfx.metrics.sampled import per_user, rank_sampled, value_of
from mfx.metrics.scoring import predict_pairs, score_block
from mfx.metrics.settings import EvaluationSettings

if TYPE_CHECKING:
    from mfx.solver.retrieval import ScoreProduct

__all__ = ["Evaluation", "EvaluationSettings", "evaluate"]

_NEEDS = ("ratings", "lists", "ranks")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of one model on one held-out part.

    Attributes
    ----------
    values : dict of str to float
        Finite numbers by metric name, such as ``"ndcg@10"``.
    skipped : dict of str to str
        Why a metric that was asked for is not among the values.
    users : int32 array, shape (users,)
        User indices with held-out ratings, increasing.
    per_user : dict of str to float64 array, each of shape (users,)
        Metrics of single users, in the order of `users`, for paired tests; NaN where a user has none. Only of
        metrics that have a value and are made of users.
    """

    values: dict[str, float]
    skipped: dict[str, str]
    users: IndexArray
    per_user: dict[str, DoubleArray]


def evaluate(
    model: Model,
    seen: Ratings,
    held_out: Ratings,
    metrics: Mapping[str, Metric],
    settings: EvaluationSettings | None = None,
) -> Evaluation:
    """Score held-out ratings and compute every metric.

    Lists and ranks are over all candidates of the catalogue, unless the settings ask for sampled ones; users without
    held-out ratings are not scored. Lists are made once, whatever the number of metrics.

    Parameters
    ----------
    model : Model
        Fitted. The array that `score_users` returns is overwritten.
    seen : Ratings
        What the model was fitted on; these pairs are not recommended.
    held_out : Ratings
        What to predict, over the same catalogue.
    metrics : mapping of str to Metric
        By name, as `mfx.metrics.names.create_metrics` makes them; with sampled candidates by a name that says so, as
        `mfx.metrics.names.under_protocol` makes it.
    settings : EvaluationSettings, optional
        By default as declared there.

    Returns
    -------
    Evaluation
        Values by metric, and why others have none.

    Raises
    ------
    MetricError
        If there is nothing to evaluate, the catalogues differ, a metric's `needs` is unknown or its name hides the
        protocol, or the model returns scores that are not finite or of the wrong shape or type.
    """
    settings = EvaluationSettings() if settings is None else settings
    _check(seen, held_out, metrics)
    check_protocol(metrics, settings)
    users, outcomes = outcomes_of(model, seen, held_out, metrics, settings)
    return _measure(model, metrics, outcomes, users)


def outcomes_of(
    model: Model, seen: Ratings, held_out: Ratings, metrics: Mapping[str, Metric], settings: EvaluationSettings
) -> tuple[IndexArray, dict[str, Any]]:
    """Return the users with held-out ratings, and what the metrics are computed from, by what they need."""
    counts = held_out.user_counts
    users = np.flatnonzero(counts).astype(np.int32)
    needs = {metric.needs for metric in metrics.values()}
    outcomes: dict[str, Any] = {}
    if "ratings" in needs and model.predicts == "ratings":
        predicted = predict_pairs(model, held_out.users, held_out.items)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[users])])
        outcomes["ratings"] = RatingOutcome(users, indptr, predicted, held_out.values, settings)
    if needs & {"lists", "ranks"}:
        depth = max((getattr(m, "k", 1) for m in metrics.values() if m.needs == "lists"), default=0)
        rank = _rank if settings.sampled is None else rank_sampled
        relevant = find_relevant(held_out, users, settings.relevance_threshold)
        asked = (min(depth, held_out.n_items), "ranks" in needs)
        outcomes |= rank(model, seen, held_out, users, relevant, settings, *asked)
    return users, outcomes


def _check(seen: Ratings, held_out: Ratings, metrics: Mapping[str, Metric]) -> None:
    if not len(held_out):
        raise MetricError("There are no held-out ratings to evaluate on.", "Use a split whose part is not empty.")
    if (seen.n_users, seen.n_items) != (held_out.n_users, held_out.n_items):
        raise MetricError("Seen and held-out ratings have different catalogues.", "Take both from one split.")
    for name, metric in metrics.items():
        if metric.needs not in _NEEDS:
            raise MetricError(f"Metric '{name}' needs '{metric.needs}'.", f"It can need {', '.join(_NEEDS)}.")


def _measure(model: Model, metrics: Mapping[str, Metric], outcomes: Mapping[str, Any], users: IndexArray) -> Evaluation:
    result = Evaluation({}, {}, users, {})
    for name, metric in metrics.items():
        if metric.needs not in outcomes:
            result.skipped[name] = no_ratings(model)
            continue
        try:
            value = value_of(metric, outcomes[metric.needs], users)
            single = per_user(metric, outcomes[metric.needs], users)
        except MetricError as error:
            result.skipped[name] = str(error)
            continue
        if not np.isfinite(value):
            result.skipped[name] = f"its value is {value}, not a finite number"
            continue
        result.values[name] = value
        if single is not None:
            result.per_user[name] = single
    return result


def no_ratings(model: Model) -> str:
    """Say why a metric of ratings has no value."""
    return f"{type(model).__name__} ranks and predicts no ratings"


def _rank(
    model: Model,
    seen: Ratings,
    held_out: Ratings,
    users: IndexArray,
    relevant: Relevant,
    settings: EvaluationSettings,
    depth: int,
    with_ranks: bool,
) -> dict[str, Any]:
    """Find the top `depth` items of each user and, on request, the ranks of the relevant items.

    Lists come from the product of scores where the model has one; else, and for ranks, users are scored in blocks.
    """
    from mfx.solver import topk
    from mfx.solver.retrieval import best_of_product

    allowed = seen.item_counts > 0 if settings.candidates == "unseen_rated" else None
    late = (relevant.indptr, relevant.items) if settings.ties == "pessimistic" else None
    product = _product(model, users) if depth else None
    items = np.full((users.size, depth), -1, dtype=np.int32)
    if product is not None:
        seen_rows = (seen.user_indptr, seen.items)
        items, _ = best_of_product(product, users, depth, seen=seen_rows, late=late, allowed=allowed)
    above, tied = np.zeros(relevant.items.size, np.int64), np.zeros(relevant.items.size, np.int64)
    candidates = np.zeros(users.size, np.int64)
    step = settings.users_per_block(held_out.n_items)
    blocks = range(0, users.size, step) if with_ranks or (depth and product is None) else range(0)
    for start in blocks:
        block = users[start : start + step]
        scores = score_block(model, block, held_out)
        topk.mask_seen(scores, seen.user_indptr, seen.items, block)
        if allowed is not None:
            scores[:, ~allowed] = -np.inf
        rows = slice(int(relevant.indptr[start]), int(relevant.indptr[start + block.size]))
        indptr = relevant.indptr[start : start + block.size + 1] - rows.start
        if depth and product is None:
            late_indptr = indptr if late else np.zeros(block.size + 1, np.int64)
            late_items = relevant.items[rows] if late else np.zeros(0, np.int32)
            items[start : start + step], _ = topk.select(scores, depth, late_indptr, late_items)
        if with_ranks:
            found = topk.ranks(scores, indptr, relevant.items[rows])
            above[rows], tied[rows], candidates[start : start + step] = found
    outcomes: dict[str, Any] = {}
    if depth:
        hits, ratings = look_up(items, relevant, held_out.n_items)
        outcomes["lists"] = ListOutcome(users, items, hits, ratings, relevant, seen, settings)
    if with_ranks:
        outcomes["ranks"] = RankOutcome(users, relevant, above, tied, candidates, settings)
    return outcomes


def _product(model: Model, users: IndexArray) -> ScoreProduct | None:
    """Return the scores as a product, where the model has one and none of them can be NaN or infinite."""
    score_product = getattr(model, "score_product", None)
    product: ScoreProduct | None = None if score_product is None else score_product(users)
    return product if product is not None and product.is_finite() else None


def find_relevant(held_out: Ratings, users: IndexArray, threshold: float | None) -> Relevant:
    """Collect the relevant items of each user: those with a held-out rating of at least the threshold.

    Of several ratings of one pair the latest decides.

    Parameters
    ----------
    held_out : Ratings
    users : int32 array, shape (users,)
        All users with held-out ratings, increasing.
    threshold : float or None
        Compared in float32, the type of the ratings; None takes every rating.
    """
    keep = np.ones(len(held_out), dtype=np.bool_)
    keep[:-1] = (held_out.users[1:] != held_out.users[:-1]) | (held_out.items[1:] != held_out.items[:-1])
    if threshold is not None:
        keep &= held_out.values >= np.float32(threshold)
    counts: PointerArray = np.bincount(held_out.users[keep], minlength=held_out.n_users)[users]
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    return Relevant(indptr, held_out.items[keep], held_out.values[keep])


def look_up(
    items: IndexArray, relevant: Relevant, n_items: int
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], FloatArray]:
    """Say which listed items are relevant to the user of their row, and how they were rated.

    Returns
    -------
    hits : bool array, shape (users, depth)
    ratings : float32 array, shape (users, depth)
        0 where there is no hit.
    """
    if not relevant.items.size:
        return np.zeros(items.shape, dtype=np.bool_), np.zeros(items.shape, dtype=np.float32)
    rows = np.arange(items.shape[0], dtype=np.int64)
    known = np.repeat(rows, relevant.counts) * n_items + relevant.items
    wanted = rows[:, None] * n_items + items
    place = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    hits = (items >= 0) & (known[place] == wanted)
    return hits, np.where(hits, relevant.values[place], np.float32(0))
