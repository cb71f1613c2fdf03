"""What metrics have in common: a value per user, and its mean over those for whom it is defined."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import DoubleArray, PointerArray
from mfx.metrics.outcomes import ListOutcome
from mfx.settings import Component, setting


def mean_defined(per_user: DoubleArray) -> float:
    """Return the mean of the entries that are not NaN.

    Raises
    ------
    MetricError
        If all are NaN.
    """
    defined = per_user[~np.isnan(per_user)]
    if not defined.size:
        raise MetricError(
            "It is defined for no user of the held-out part.", "Lower evaluation.relevance_threshold, or hold out more."
        )
    return float(defined.mean())


def sum_per_user(values: DoubleArray, indptr: PointerArray) -> DoubleArray:
    """Sum the rows of each user; 0 for a user without rows."""
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    return np.bincount(rows, weights=values, minlength=indptr.size - 1).astype(np.float64)


@dataclass(kw_only=True)
class ListMetric(Component):
    """A metric of the first k places of each user's list.

    Parameters
    ----------
    k : int
        Length of the lists.
    """

    needs: ClassVar[Literal["lists"]] = "lists"
    higher_is_better: ClassVar[bool] = True

    k: int = setting(10, ge=1)

    @abstractmethod
    def per_user(self, outcome: ListOutcome) -> DoubleArray:
        """Return the metric of each user, float64, shape (users,); NaN where it is not defined."""

    def value(self, outcome: ListOutcome) -> float:
        """Return the mean over the users for whom the metric is defined.

        Raises
        ------
        MetricError
            If there is no such user.
        """
        return mean_defined(self.per_user(outcome))


@dataclass(kw_only=True)
class RelevanceMetric(ListMetric):
    """A metric of which of the first k places hold relevant items."""

    mean_of_users: ClassVar[bool] = True

    @abstractmethod
    def score(self, outcome: ListOutcome) -> DoubleArray:
        """Return the metric of each user; entries of users without relevant items are not looked at."""

    def per_user(self, outcome: ListOutcome) -> DoubleArray:
        """Return the metric of each user; for users without relevant items 0 or NaN, as the settings say."""
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = self.score(outcome)
        absent = 0.0 if outcome.settings.users_without_relevant == "zero" else np.nan
        return np.where(outcome.relevant.counts > 0, scores, absent)

    def denominator(self, outcome: ListOutcome) -> PointerArray:
        """Return what recall and average precision of each user divide by, as the settings say."""
        counts = outcome.relevant.counts
        return counts if outcome.settings.denominator == "relevant" else np.minimum(counts, self.k)
