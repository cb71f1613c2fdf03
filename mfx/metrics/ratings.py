"""How far predicted ratings are from true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mfx.interfaces import DoubleArray
from mfx.metrics.base import sum_per_user
from mfx.metrics.outcomes import RatingOutcome
from mfx.registry import register
from mfx.settings import Component


def _errors(outcome: RatingOutcome) -> DoubleArray:
    return outcome.predicted.astype(np.float64) - outcome.actual


@register("metric", "rmse")
@dataclass(kw_only=True)
class RMSE(Component):
    """Root of the mean squared error, √(Σ(r̂ − r)² / n), over all held-out ratings."""

    needs: ClassVar[Literal["ratings"]] = "ratings"
    higher_is_better: ClassVar[bool] = False

    def value(self, outcome: RatingOutcome) -> float:
        """Return the error over all ratings; users count by their number of ratings."""
        return float(np.sqrt(np.mean(_errors(outcome) ** 2)))

    def sums(self, outcome: RatingOutcome) -> tuple[float, float]:
        """Return the sum of squared errors and the number of ratings."""
        return float(np.sum(_errors(outcome) ** 2)), float(outcome.actual.size)

    def of_sums(self, total: float, weight: float) -> float:
        """Return the error over the ratings of several outcomes, from what `sums` returned of them, added up."""
        return math.sqrt(total / weight)

    def per_user(self, outcome: RatingOutcome) -> DoubleArray:
        """Return the error over the ratings of each user, float64, shape (users,)."""
        return np.sqrt(sum_per_user(_errors(outcome) ** 2, outcome.indptr) / np.diff(outcome.indptr))


@register("metric", "mae")
@dataclass(kw_only=True)
class MAE(Component):
    """Mean absolute error, Σ|r̂ − r| / n, over all held-out ratings."""

    needs: ClassVar[Literal["ratings"]] = "ratings"
    higher_is_better: ClassVar[bool] = False

    def value(self, outcome: RatingOutcome) -> float:
        """Return the error over all ratings; users count by their number of ratings."""
        return float(np.mean(np.abs(_errors(outcome))))

    def sums(self, outcome: RatingOutcome) -> tuple[float, float]:
        """Return the sum of absolute errors and the number of ratings."""
        return float(np.sum(np.abs(_errors(outcome)))), float(outcome.actual.size)

    def of_sums(self, total: float, weight: float) -> float:
        """Return the error over the ratings of several outcomes, from what `sums` returned of them, added up."""
        return total / weight

    def per_user(self, outcome: RatingOutcome) -> DoubleArray:
        """Return the error over the ratings of each user, float64, shape (users,)."""
        return sum_per_user(np.abs(_errors(outcome)), outcome.indptr) / np.diff(outcome.indptr)
