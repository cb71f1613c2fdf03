"""Whether the difference between two models on the same users is more than chance, of users and of fits.

Two things are drawn at random: the users of test, and the fits of a model, whose luck all users share. The ratings of
one user are no independent observations, so users are the smallest unit. Everything here works on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import DoubleArray

ALPHA = 0.05
FEWEST_USERS = 10
"""Users below which a variance over users says little, so that no interval is given."""
ROUNDING = 1e-9
"""Difference that float32 scores make by rounding, which is none."""
_SMALLEST_P = 1e-16
_HALVINGS = 24


@dataclass(frozen=True, eq=False)
class PerUser:
    """A metric as a ratio of sums over users, ``sum(total) / sum(count)``, or its root.

    The mean over users of recall@10 has count 1 for every user who has a value; rmse is the root of squared errors
    over numbers of ratings, so that it is tested as it is reported.

    Attributes
    ----------
    totals, counts : float64 arrays, shape (users,)
        Both 0 for a user without a value.
    root : bool
        Whether the metric is the square root of the ratio.
    """

    totals: DoubleArray
    counts: DoubleArray
    root: bool = False

    @property
    def has(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which users have a value."""
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = self.counts > 0
        return found

    def value(self) -> float:
        """Return the metric; NaN where no user has a value."""
        return float(_metric(self.totals.sum(), self.counts.sum(), self.root))


@dataclass(frozen=True)
class Difference:
    """What a model's metric is beyond that of another model, on the same users.

    Attributes
    ----------
    value : float
        The model's metric less the other's.
    low, high : float
        Ends of the 95 % interval, before any correction; NaN with fewer than 10 users.
    p : float
        Smallest level at which the interval leaves out 0; NaN with fewer than 10 users.
    users : int
        Users who have a value in both.
    p_corrected : float
        `p` after Holm's correction for all tests that were made together.
    """

    value: float
    low: float
    high: float
    p: float
    users: int
    p_corrected: float

    @property
    def certain(self) -> bool:
        """Whether the difference is claimed to be more than chance."""
        return self.p_corrected < ALPHA


Draws: TypeAlias = Sequence[PerUser]
"""A metric of the fits of one model, an entry for each seed that it was fitted with."""


def differences(pairs: Sequence[tuple[Draws, Draws]]) -> list[Difference]:
    """Test the differences between pairs of models, and correct for their number.

    Parameters
    ----------
    pairs : sequence of (Draws, Draws)
        The model and the one it is compared with; all over the same users. The value of a model is the mean over its
        fits.

    Returns
    -------
    list of Difference
        One a pair.

    Raises
    ------
    MetricError
        If the pairs are over different users, or a model has no fit.

    Notes
    -----
    The variance of a difference has three parts, each an estimate of its own with its own degrees of freedom:

    - users: the jackknife over users of the difference between the means over fits; effective users less one;
    - fits of either model: the variance between the values of its fits over their number; fits less one. A model with
      one fit, or whose fits are equal, has no such part: with one fit the test speaks of that fit.

    The interval of level 1 - a is the difference ± sqrt(sum of t(a / 2, df)^2 variance). It holds the true difference
    with at least this probability for normal differences, whatever the ratios of the parts: given the estimates, the
    probability is G(sum of t^2 variance / true variance) for the distribution function G of the square of a normal
    variable; G is concave, so it is no less than the mean of the parts' own coverages, weighted by their shares in the
    true variance, and these are all 1 - a (Banerjee 1960, "Approximate confidence interval for linear functions of
    means of k populations when the population variances are not equal", Sankhya 22). One t quantile with the degrees
    of freedom of Welch (1947) and Satterthwaite (1946) gives shorter intervals, but with two or three fits it claims
    too much: where by chance the fits lie close together, it takes the many degrees of freedom of the users.
    What fits do to single users is in both the users' part and the fits' part, which errs on the safe side (as min F'
    of Clark 1973 does, for tests over subjects and words).
    """
    if not pairs:
        return []
    _check(pairs)
    found = [_estimate(*pair) for pair in pairs]
    values = np.array([one.value for one in found])
    variances, freedom = np.array([one.variances for one in found]), np.array([one.freedom for one in found])
    halves, p = half_width(variances, freedom, ALPHA), p_values(values, variances, freedom)
    return [
        Difference(one.value, one.value - half, one.value + half, own, one.users, corrected)
        for one, half, own, corrected in zip(found, halves.tolist(), p.tolist(), holm(p).tolist(), strict=True)
    ]


def half_width(variances: DoubleArray, freedom: DoubleArray, alpha: float | DoubleArray) -> DoubleArray:
    """Return half the width of each interval of level ``1 - alpha``.

    Parameters
    ----------
    variances, freedom : float64 arrays, shape (tests, parts)
        Variance of each part and its degrees of freedom.
    alpha : float or float64 array, shape (tests,)
    """
    from scipy.special import stdtrit

    t = stdtrit(freedom, np.broadcast_to(np.asarray(alpha) / 2, len(freedom))[:, None])
    width: DoubleArray = np.sqrt((t**2 * variances).sum(axis=1))
    return width


def p_values(values: DoubleArray, variances: DoubleArray, freedom: DoubleArray) -> DoubleArray:
    """Return the smallest level at which each interval leaves out 0, from 1e-16 to 1; see `half_width`."""
    low, high = np.full(values.size, np.log(_SMALLEST_P)), np.zeros(values.size)
    moved = np.abs(values) > ROUNDING
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        out = moved & (np.abs(values) > half_width(variances, freedom, np.exp(middle)))
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    return np.where(np.isnan(variances[:, 0]), np.nan, np.exp(high))


def _check(pairs: Sequence[tuple[Draws, Draws]]) -> None:
    fits = [[*one, *other] for one, other in pairs if one and other]
    sizes = {fit.totals.size for some in fits for fit in some}
    if len(fits) < len(pairs) or len(sizes) != 1:
        raise MetricError("Two models were scored on different users.", "Compare runs on the same split.")
    if any(not np.array_equal(some[0].has, fit.has) for some in fits for fit in some[1:]):
        raise MetricError("Two models were scored on different users.", "Compare runs on the same split.")


@dataclass(frozen=True)
class _Estimate:
    """A difference, the variances due to users and to fits of either model, and their degrees of freedom."""

    users: int
    value: float
    variances: list[float]
    freedom: list[float]


def _estimate(one: Draws, other: Draws) -> _Estimate:
    fits, has = [*one, *other], one[0].has
    users, sides = int(has.sum()), (slice(len(one)), slice(len(one), None))
    totals, counts = (np.stack([getattr(fit, name)[has] for fit in fits]) for name in ("totals", "counts"))
    sums, weights, root = totals.sum(axis=1), counts.sum(axis=1), one[0].root
    values = [_metric(sums, weights, root)[side] for side in sides]
    value = float(values[0].mean() - values[1].mean())
    if users < FEWEST_USERS:
        return _Estimate(users, value, [float("nan")] * 3, [1.0] * 3)
    without = _metric(sums[:, None] - totals, weights[:, None] - counts, root)
    jackknife = float(np.var(without[sides[0]].mean(axis=0) - without[sides[1]].mean(axis=0))) * (users - 1)
    # Users of equal weight who vary as much as these (Kish 1965).
    effective = float(weights[0] ** 2 / (counts[0] @ counts[0]))
    luck = [float(np.var(side, ddof=1)) / side.size if side.size > 1 else 0.0 for side in values]
    freedom = [max(size - 1.0, 1.0) for size in (effective, *map(len, values))]
    return _Estimate(users, value, [jackknife, *luck], freedom)


def holm(p: DoubleArray) -> DoubleArray:
    """Correct p values for their number (Holm, 1979); NaN stays NaN and is not counted."""
    corrected = np.full(p.size, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * np.arange(order.size, 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if order.size else scaled
    return corrected


def _metric(totals: DoubleArray, counts: DoubleArray, root: bool) -> DoubleArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.asarray(totals / counts)
    return np.sqrt(np.maximum(ratio, 0.0)) if root else ratio
