"""What the lists are like, whatever is relevant: their variety, and their share of popular items."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import BoolArray, DoubleArray, PointerArray
from mfx.metrics.base import ListMetric
from mfx.metrics.outcomes import ListOutcome
from mfx.registry import register
from mfx.settings import Component, setting


def _mean_over_places(values: DoubleArray, filled: BoolArray) -> DoubleArray:
    places = filled.sum(axis=1)
    total = np.where(filled, values, 0.0).sum(axis=1)
    means: DoubleArray = np.divide(total, places, out=np.full(places.size, np.nan), where=places > 0)
    return means


@register("metric", "coverage")
@dataclass(kw_only=True)
class Coverage(Component):
    """Share of the catalogue that stands in the first k places of at least one user's list.

    Parameters
    ----------
    k : int
        Length of the lists.
    """

    needs: ClassVar = "lists"
    higher_is_better: ClassVar[bool] = True

    k: int = setting(10, ge=1)

    def value(self, outcome: ListOutcome) -> float:
        """Return the share of all items of the catalogue, rated or not."""
        listed = np.unique(outcome.items[:, : self.k])
        return float(np.count_nonzero(listed >= 0) / outcome.seen.n_items)


@register("metric", "novelty")
@dataclass(kw_only=True)
class Novelty(ListMetric):
    """Mean self-information −log₂ p(i) of the items in the first k places, in bits.

    p(i) is the share of the users with train ratings who rated item i; an item that nobody rated counts as rated
    once. Source: Zhou and others, "Solving the apparent diversity-accuracy dilemma of recommender systems", 2010.
    """

    def per_user(self, outcome: ListOutcome) -> DoubleArray:
        """Return the mean over each user's list; NaN for an empty list."""
        raters = max(1, int(np.count_nonzero(outcome.seen.user_counts)))
        information = np.log2(raters / np.maximum(outcome.seen.item_counts, 1))
        items = outcome.items[:, : self.k]
        return _mean_over_places(information[items], items >= 0)


@register("metric", "popularity_share")
@dataclass(kw_only=True)
class PopularityShare(ListMetric):
    """Share of the first k places taken by the most popular items.

    Parameters
    ----------
    head : float
        The popular items are the fewest that together hold at least this share of the train ratings, most rated
        first, equally rated ones in order of item index.
    """

    higher_is_better: ClassVar[bool] = False

    head: float = setting(0.2, gt=0, le=1)

    def per_user(self, outcome: ListOutcome) -> DoubleArray:
        """Return the share of each user's list; NaN for an empty list.

        Raises
        ------
        MetricError
            If train has no ratings, so that no item is popular.
        """
        popular = popular_items(outcome.seen.item_counts, self.head)
        items = outcome.items[:, : self.k]
        return _mean_over_places(popular[items].astype(np.float64), items >= 0)


def popular_items(counts: PointerArray, head: float) -> BoolArray:
    """Mark the fewest most rated items that together hold at least the share `head` of all ratings.

    Raises
    ------
    MetricError
        If there are no ratings.
    """
    total = int(counts.sum())
    if not total:
        raise MetricError("Without train ratings no item is popular.", "Evaluate against a train part with ratings.")
    order = np.argsort(-counts, kind="stable")
    wanted = -(-Fraction(str(head)) * total // 1)
    size = int(np.searchsorted(np.cumsum(counts[order]), int(wanted))) + 1
    popular = np.zeros(counts.size, dtype=np.bool_)
    popular[order[:size]] = True
    return popular
