"""Paired tests over users: whether the difference between two models is more than chance.

Users are the unit: the ratings of one user are no independent observations. Where a model was fitted with several
seeds, its fits are draws, and are resampled too. Everything here works on arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import DoubleArray

RESAMPLES = 2000
CONFIDENCE = 0.95
ALPHA = 0.05
FEWEST_USERS = 10
"""Users below which neither an interval nor a rank test says much, so that none is given."""
_CELLS = 4 << 20
"""Weights of the bootstrap in memory at once: 32 MB of float64."""


@dataclass(frozen=True, eq=False)
class PerUser:
    """A metric as a ratio of sums over users, ``sum(total) / sum(count)``, or its root.

    The mean over users of recall@10 has count 1 for every user who has a value; rmse is the root of squared errors
    over numbers of ratings, so that it is resampled as it is reported.

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

    def means(self) -> DoubleArray:
        """Return each user's own mean, such as the mean squared error; NaN where a user has no value."""
        means: DoubleArray = np.divide(self.totals, self.counts, out=np.full(self.counts.size, np.nan), where=self.has)
        return means


@dataclass(frozen=True)
class Difference:
    """What a model's metric is beyond that of another model, on the same users.

    Attributes
    ----------
    value : float
        The model's metric less the other's.
    low, high : float
        Ends of the percentile interval of the bootstrap over users; NaN with fewer than 10 users.
    p : float
        Wilcoxon's signed-rank test of the users' own differences, two-sided; NaN with fewer than 10 users.
    users : int
        Users who have a value in both.
    ranks : int
        Which way the ranks lean: 1 where the model has the higher values, -1 the lower, 0 neither.
    p_corrected : float
        `p` after Holm's correction for all tests that were made together.
    """

    value: float
    low: float
    high: float
    p: float
    users: int
    ranks: int = 0
    p_corrected: float = float("nan")

    @property
    def certain(self) -> bool:
        """Whether the interval and the corrected rank test both say that there is a difference, and the same one."""
        side = 1 if self.low > 0 else -1 if self.high < 0 else 0
        return side != 0 and side == self.ranks and self.p_corrected < ALPHA


Draws: TypeAlias = Sequence[PerUser]
"""A metric of the fits of one model, an entry for each seed that it was fitted with."""


def differences(
    pairs: Sequence[tuple[Draws, Draws]], seed: int, *, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> list[Difference]:
    """Compare pairs of models over the same users, all by the same resamples, and correct for their number.

    Parameters
    ----------
    pairs : sequence of (Draws, Draws)
        The model and the one it is compared with; all over the same users. The value of a model is the mean over its
        fits.
    seed : int
        Of the resamples.
    resamples : int
        How often users are drawn with replacement.
    confidence : float
        Share of the resamples inside an interval.

    Returns
    -------
    list of Difference
        One a pair. The interval is that of the metric itself (Efron's percentile bootstrap; clusters are users, and
        beside them fits); the rank test asks whether a typical user is better off, and Holm's correction covers all
        pairs.

    Raises
    ------
    MetricError
        If the pairs are over different users, or a model has no fit.
    """
    if not pairs:
        return []
    _check(pairs)
    samples = _resampled(pairs, seed, resamples)
    tail = 100.0 * (1.0 - confidence) / 2.0
    found = []
    for (one, other), sample in zip(pairs, samples.T, strict=True):
        has = one[0].has
        users = int(has.sum())
        low, high, p, ranks = float("nan"), float("nan"), float("nan"), 0
        if users >= FEWEST_USERS:
            low, high = (float(end) for end in np.nanpercentile(sample, [tail, 100.0 - tail]))
            p, ranks = signed_rank((_means(one) - _means(other))[has])
        found.append(Difference(_value(one) - _value(other), low, high, p, users, ranks))
    corrected = holm(np.array([one.p for one in found]))
    return [replace(one, p_corrected=float(p)) for one, p in zip(found, corrected, strict=True)]


def _check(pairs: Sequence[tuple[Draws, Draws]]) -> None:
    fits = [[*one, *other] for one, other in pairs if one and other]
    sizes = {fit.totals.size for some in fits for fit in some}
    if len(fits) < len(pairs) or len(sizes) != 1:
        raise MetricError("Two models were scored on different users.", "Compare runs on the same split.")
    if any(not np.array_equal(some[0].has, fit.has) for some in fits for fit in some[1:]):
        raise MetricError("Two models were scored on different users.", "Compare runs on the same split.")


def _value(draws: Draws) -> float:
    return float(np.mean([fit.value() for fit in draws]))


def _means(draws: Draws) -> DoubleArray:
    means: DoubleArray = np.mean([fit.means() for fit in draws], axis=0)
    return means


def signed_rank(values: DoubleArray) -> tuple[float, int]:
    """Return the two-sided p of Wilcoxon's signed-rank test, and the sign of the larger rank sum.

    Users without a difference are left out of the ranks.
    """
    from scipy.stats import rankdata, wilcoxon

    # Scores are float32: what differs by rounding only does not differ.
    moved = values[np.abs(values) > 1e-9]
    if not moved.size:
        return 1.0, 0
    return float(wilcoxon(moved).pvalue), int(np.sign(rankdata(np.abs(moved)) @ np.sign(moved)))


def holm(p: DoubleArray) -> DoubleArray:
    """Correct p values for their number (Holm, 1979); NaN stays NaN and is not counted."""
    corrected = np.full(p.size, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * np.arange(order.size, 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if order.size else scaled
    return corrected


def _resampled(pairs: Sequence[tuple[Draws, Draws]], seed: int, resamples: int) -> DoubleArray:
    """Return the difference of every pair in every resample of users and fits; shape (resamples, pairs)."""
    sides = [side for pair in pairs for side in pair]
    fits = [fit for side in sides for fit in side]
    users = fits[0].totals.size
    totals = np.stack([fit.totals for fit in fits], axis=1)
    counts = np.stack([fit.counts for fit in fits], axis=1)
    roots = np.array([fit.root for fit in fits])
    rng, of_fits = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    step = max(1, _CELLS // max(users, 1))
    values = np.empty((resamples, len(fits)))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = np.stack([np.bincount(rng.integers(users, size=users), minlength=users) for _ in range(rows)])
        weights = drawn.astype(np.float64)
        ratio = _metric(weights @ totals, weights @ counts, False)
        values[start : start + rows] = np.where(roots, np.sqrt(np.maximum(ratio, 0.0)), ratio)
    ends = np.cumsum([0, *map(len, sides)])
    chosen = np.stack([_drawn(values[:, a:b], of_fits) for a, b in itertools.pairwise(ends.tolist())], axis=1)
    return np.asarray(chosen[:, 0::2] - chosen[:, 1::2])


def _drawn(values: DoubleArray, rng: np.random.Generator) -> DoubleArray:
    """Draw the fits of one model with replacement in every resample, and take their mean.

    Parameters
    ----------
    values : float64 array, shape (resamples, fits)

    Notes
    -----
    The mean of n draws out of n has only (n - 1) / n of the variance of the mean of n fits, which tells with a few
    seeds; deviations are stretched by as much.
    """
    resamples, fits = values.shape
    mean: DoubleArray = values.mean(axis=1)
    if fits == 1:
        return mean
    picked = np.take_along_axis(values, rng.integers(fits, size=(resamples, fits)), axis=1).mean(axis=1)
    return np.asarray(mean + np.sqrt(fits / (fits - 1)) * (picked - mean))


def _metric(totals: DoubleArray, counts: DoubleArray, root: bool) -> DoubleArray:
    ratio = np.divide(totals, counts, out=np.full(np.shape(counts), np.nan), where=np.asarray(counts) > 0)
    return np.asarray(np.sqrt(ratio) if root else ratio)
