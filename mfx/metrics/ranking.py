"""Where in a user's list the relevant items stand.

Definitions are those of trec_eval, as computed by pytrec_eval; h(j) is 1 if place j, counted from 1, holds a relevant
item and 0 if not, and R the number of relevant items of the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import AnyArray, DoubleArray
from mfx.metrics.base import RelevanceMetric, mean_defined, sum_per_user
from mfx.metrics.outcomes import ListOutcome, RankOutcome, Relevant
from mfx.registry import register
from mfx.settings import Component, setting


@register("metric", "precision")
@dataclass(kw_only=True)
class Precision(RelevanceMetric):
    """Share of the first k places with relevant items, Σ h(j) / k; a shorter list is divided by k too."""

    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return the precision of each user."""
        found: DoubleArray = outcome.hits[:, : self.k].sum(axis=1) / self.k
        return found


@register("metric", "recall")
@dataclass(kw_only=True)
class Recall(RelevanceMetric):
    """Share of the relevant items found in the first k places, Σ h(j) / R.

    With ``evaluation.denominator=attainable`` it divides by min(k, R).
    """

    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return the recall of each user."""
        found: DoubleArray = outcome.hits[:, : self.k].sum(axis=1) / self.denominator(outcome)
        return found


@register("metric", "hit_rate")
@dataclass(kw_only=True)
class HitRate(RelevanceMetric):
    """Share of users with at least one relevant item in the first k places."""

    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return 1 for each user with a hit and 0 for the others."""
        return np.asarray(outcome.hits[:, : self.k].any(axis=1), dtype=np.float64)


@register("metric", "mrr")
@dataclass(kw_only=True)
class MRR(RelevanceMetric):
    """Mean reciprocal rank: 1 / j for the first relevant item at place j of the first k, 0 if there is none."""

    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return the reciprocal rank of each user."""
        hits = outcome.hits[:, : self.k]
        reciprocal = hits / np.arange(1, hits.shape[1] + 1)
        return np.asarray(reciprocal.max(axis=1, initial=0.0), dtype=np.float64)


@register("metric", "map")
@dataclass(kw_only=True)
class MAP(RelevanceMetric):
    """Mean average precision: the precision at each hit within the first k places, summed and divided by R.

    With ``evaluation.denominator=attainable`` it divides by min(k, R).
    """

    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return the average precision of each user."""
        hits = outcome.hits[:, : self.k]
        precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        found: DoubleArray = (precision * hits).sum(axis=1) / self.denominator(outcome)
        return found


@register("metric", "ndcg")
@dataclass(kw_only=True)
class NDCG(RelevanceMetric):
    """Normalised discounted cumulative gain: Σ g(j) / log₂(j + 1) over k places, divided by the best possible sum.

    The best list holds the min(k, R) relevant items of highest gain. A single relevant item at place 2 of 10 gives
    0.631. Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.

    Parameters
    ----------
    gain : {"binary", "rating", "exponential"}
        Gain of a relevant item: 1; its held-out rating r; or 2^r − 1. The last two need ratings that are not
        negative; a user whose relevant ratings all gain 0 counts as one without relevant items.
    """

    gain: str = setting("binary", choices=("binary", "rating", "exponential"))

    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return the normalised gain of each user.

        Raises
        ------
        MetricError
            If the gain is that of a negative rating.
        """
        depth = min(self.k, outcome.hits.shape[1])
        discount = 1.0 / np.log2(np.arange(2, max(depth, self.k) + 2))
        reached = (self._gains(outcome.ratings[:, :depth]) * outcome.hits[:, :depth]) @ discount[:depth]
        best = self._best(outcome.relevant, discount)
        absent = 0.0 if outcome.settings.users_without_relevant == "zero" else np.nan
        return np.where(best > 0, reached / best, absent)

    def _gains(self, ratings: AnyArray) -> DoubleArray:
        if self.gain == "binary":
            return np.ones(ratings.shape)
        if ratings.size and ratings.min() < 0:
            raise MetricError(f"Gain '{self.gain}' is undefined for negative ratings.", "Use gain=binary.")
        exact = ratings.astype(np.float64)
        return exact if self.gain == "rating" else np.exp2(exact) - 1.0

    def _best(self, relevant: Relevant, discount: DoubleArray) -> DoubleArray:
        counts = relevant.counts
        user = np.repeat(np.arange(counts.size), counts)
        gains = self._gains(relevant.values)
        if self.gain != "binary":
            gains = gains[np.lexsort((-gains, user))]
        place = np.arange(gains.size) - np.repeat(relevant.indptr[:-1], counts)
        listed = np.where(place < self.k, gains * discount[np.minimum(place, self.k - 1)], 0.0)
        return sum_per_user(listed, relevant.indptr)


@register("metric", "auc")
@dataclass(kw_only=True)
class AUC(Component):
    """Chance that a relevant item scores higher than an irrelevant candidate, equal scores counting half.

    The mean over users of the area under the curve of Rendle and others, "BPR", 2009, section 2. Users without
    relevant items or without irrelevant candidates are left out.
    """

    needs: ClassVar[Literal["ranks"]] = "ranks"
    higher_is_better: ClassVar[bool] = True
    mean_of_users: ClassVar[bool] = True

    def per_user(self, outcome: RankOutcome) -> DoubleArray:
        """Return the area of each user, float64, shape (users,); NaN where it is not defined."""
        relevant, counts = outcome.relevant, outcome.relevant.counts
        candidates = np.repeat(outcome.candidates, counts)
        among = outcome.above < candidates
        below = np.where(among, candidates - outcome.above - outcome.tied - 1 + 0.5 * outcome.tied, 0.0)
        ranked = sum_per_user(among.astype(np.float64), relevant.indptr)
        # Every pair of two relevant items has put 1 into that sum, whichever of them is higher.
        wins = sum_per_user(below, relevant.indptr) - ranked * (ranked - 1) / 2
        pairs = counts * (outcome.candidates - ranked)
        areas: DoubleArray = np.divide(wins, pairs, out=np.full(counts.size, np.nan), where=pairs > 0)
        return areas

    def value(self, outcome: RankOutcome) -> float:
        """Return the mean over the users for whom it is defined.

        Raises
        ------
        MetricError
            If there is no such user.
        """
        return mean_defined(self.per_user(outcome))
