"""The protocol of sampled candidates: each held-out item against so many items that its user has not, drawn at random.

Common in the literature on neural models, with one held-out rating per user and 99 others (He and others 2017, "Neural
collaborative filtering"). It is quick, but no substitute for full lists: metrics have names of their own under it.

Each relevant item of a user has a list of its own, of that item and N distinct items without a rating of the user in
what was seen or held out; a metric of the user is the mean over these lists, and its value the mean over users. With
one held-out item per user that is the published protocol. Draws depend on `sampling_seed`, user and item only: every
model is asked the same, whatever its seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import BoolArray, DoubleArray, FloatArray, IndexArray, Metric, Model, PointerArray, Ratings
from mfx.metrics.base import RelevanceMetric, mean_defined
from mfx.metrics.outcomes import ListOutcome, RankOutcome, Relevant
from mfx.metrics.scoring import score_pairs
from mfx.metrics.settings import EvaluationSettings

_PAIRS = 1 << 22


def rank_sampled(
    model: Model,
    seen: Ratings,
    held_out: Ratings,
    users: IndexArray,
    relevant: Relevant,
    settings: EvaluationSettings,
    depth: int,
    with_ranks: bool,
) -> dict[str, Any]:
    """Rank each relevant item among sampled ones, and make the outcomes whose rows are relevant items."""
    from mfx.solver.sampling import sample_free

    size = settings.sampled
    assert size is not None
    n_items = held_out.n_items
    owners = np.repeat(users, relevant.counts)
    had = _pairs(seen)
    indptr, taken = _rows(np.union1d(had, _pairs(held_out)), held_out)
    wanted = owners.astype(np.int64) * n_items + relevant.items
    targets = np.where(_among(wanted, had), np.int32(-1), relevant.items)
    depth = min(depth, size + 1)
    items = np.empty((owners.size, depth), dtype=np.int32)
    above, tied, candidates = (np.empty(owners.size, dtype=np.int64) for _ in range(3))
    step = max(1, _PAIRS // (size + 1))
    for start in range(0, owners.size, step):
        rows = slice(start, start + step)
        drawn = sample_free(
            owners[rows], relevant.items[rows], indptr, taken, n_items=n_items, size=size, seed=settings.sampling_seed
        )
        offered = np.concatenate([targets[rows, None], drawn], axis=1)
        scores = _scores(model, owners[rows], offered)
        items[rows] = _best(scores, offered, depth, settings.ties == "pessimistic")
        candidates[rows] = (offered >= 0).sum(axis=1)
        above[rows] = np.where(offered[:, 0] < 0, candidates[rows], (scores > scores[:, :1]).sum(axis=1))
        tied[rows] = np.where(offered[:, 0] < 0, 0, (scores == scores[:, :1]).sum(axis=1) - 1)
    each = Relevant(np.arange(owners.size + 1), relevant.items, relevant.values)
    outcomes: dict[str, Any] = {}
    if depth:
        hits = (items >= 0) & (items == targets[:, None])
        ratings = np.where(hits, relevant.values[:, None], np.float32(0))
        outcomes["lists"] = ListOutcome(owners, items, hits, ratings, each, seen, settings)
    if with_ranks:
        outcomes["ranks"] = RankOutcome(owners, each, above, tied, candidates, settings)
    return outcomes


def _pairs(ratings: Ratings) -> PointerArray:
    """Return the pairs of user and item as numbers, increasing."""
    found: PointerArray = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    return found


def _rows(pairs: PointerArray, ratings: Ratings) -> tuple[PointerArray, IndexArray]:
    indptr = np.searchsorted(pairs, np.arange(ratings.n_users + 1) * np.int64(ratings.n_items))
    return indptr.astype(np.int64), (pairs % ratings.n_items).astype(np.int32)


def _among(wanted: PointerArray, pairs: PointerArray) -> BoolArray:
    place = np.searchsorted(pairs, wanted)
    found: BoolArray = np.concatenate([pairs, np.full(1, -1, np.int64)])[place] == wanted
    return found


def _scores(model: Model, users: IndexArray, offered: IndexArray) -> FloatArray:
    """Score what each row offers; -inf where it offers nothing."""
    there = offered >= 0
    scores = np.full(offered.shape, -np.inf, dtype=np.float32)
    owners = np.broadcast_to(users[:, None], offered.shape)[there]
    scores[there] = score_pairs(model, owners, offered[there])
    return scores


def _best(scores: FloatArray, offered: IndexArray, depth: int, late: bool) -> IndexArray:
    """List the best items of each row, equal scores in order of item, the first column last of them if it is `late`."""
    first = np.zeros(offered.shape, dtype=np.bool_)
    first[:, 0] = late
    order = np.lexsort((offered, first, -scores), axis=-1)[:, :depth]
    return np.take_along_axis(offered, order, axis=1)


def value_of(metric: Metric, outcome: Any, users: IndexArray) -> float:
    """Return the value of a metric; with sampled candidates the mean over users of the means over their items.

    Raises
    ------
    MetricError
        If it is not defined.
    """
    if outcome.settings.sampled is None or metric.needs == "ratings":
        return float(metric.value(outcome))
    single = per_user(metric, outcome, users)
    kind: type = type(metric)
    if single is None or (metric.needs == "lists" and not issubclass(kind, RelevanceMetric)):
        raise MetricError("It is about whole lists, and with sampled candidates there are none.")
    return mean_defined(single)


def per_user(metric: Metric, outcome: Any, users: IndexArray) -> DoubleArray | None:
    """Return a metric of each user, float64, shape of `users`; None for a metric that is not made of users."""
    compute = getattr(metric, "per_user", None)
    if compute is None:
        return None
    single = np.asarray(compute(outcome), dtype=np.float64)
    if outcome.settings.sampled is None or metric.needs == "ratings":
        return single
    place = np.searchsorted(users, outcome.users)
    defined = ~np.isnan(single)
    total = np.bincount(place[defined], weights=single[defined], minlength=users.size)
    count = np.bincount(place[defined], minlength=users.size)
    absent = 0.0 if outcome.settings.users_without_relevant == "zero" and metric.needs == "lists" else np.nan
    means: DoubleArray = np.divide(total, count, out=np.full(users.size, absent), where=count > 0)
    return means
