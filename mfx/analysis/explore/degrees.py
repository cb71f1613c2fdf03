"""How unequally ratings are spread over users and items: rank curves and fitted power laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfx.interfaces import AnyArray, DoubleArray, PointerArray

POINTS = 400
"""Points of a rank curve at most; ranks are thinned evenly on the logarithmic scale."""
LEAST_TAIL = 50
"""Users or items that a power law must be fitted on at least."""
CUTS = 200
"""Beginnings of the tail that are tried at most."""


@dataclass(frozen=True, eq=False)
class RankCurve:
    """Counts against their rank, the largest count first.

    Attributes
    ----------
    ranks, counts : int64 arrays
        Ranks from 1, thinned, and the counts there.
    size : int
        How many counts above 0 there are.
    """

    ranks: PointerArray
    counts: PointerArray
    size: int


@dataclass(frozen=True)
class PowerLaw:
    """A power law p(x) ~ x^-exponent for counts x of at least `least`.

    Attributes
    ----------
    exponent : float
        Maximum likelihood estimate.
    least : int
        Where the tail begins: the beginning at which law and data are closest.
    tail, size : int
        Counts in the tail, and counts above 0 altogether.
    distance : float
        Largest difference of the two cumulative distributions in the tail (Kolmogorov and Smirnov).
    """

    exponent: float
    least: int
    tail: int
    size: int
    distance: float

    def line(self, ranks: AnyArray) -> DoubleArray:
        """Return the count that the law expects at each rank: least · (rank / tail)^(-1 / (exponent - 1))."""
        power: DoubleArray = self.least * (np.asarray(ranks, np.float64) / self.tail) ** (-1.0 / (self.exponent - 1.0))
        return power


def rank_curve(counts: PointerArray) -> RankCurve:
    """Sort counts above 0, the largest first, and keep at most 400 ranks."""
    falling = -np.sort(-counts[counts > 0])
    ranks = np.unique(np.geomspace(1, max(falling.size, 1), POINTS).round().astype(np.int64))[: falling.size]
    return RankCurve(ranks, falling[ranks - 1], int(falling.size))


def power_law(counts: PointerArray) -> PowerLaw | None:
    """Fit a power law to the tail of counts.

    For each beginning of the tail the exponent is 1 + n / Σ ln(x / (least - 1/2)), the sum over the n counts of the
    tail; the beginning is that with the smallest distance between law and data. Source: Clauset, Shalizi and Newman,
    Power-law distributions in empirical data, SIAM Review 51 (2009), equations 3.7 and 3.9.

    Returns
    -------
    PowerLaw or None
        None when no tail of 50 different enough counts exists.
    """
    rising = np.sort(counts[counts > 0]).astype(np.float64)
    starts = np.unique(rising)
    starts = starts[rising.size - np.searchsorted(rising, starts) >= LEAST_TAIL]
    if starts.size > CUTS:
        starts = np.unique(starts[np.geomspace(1, starts.size, CUTS).round().astype(np.int64) - 1])
    best: PowerLaw | None = None
    for start in starts:
        tail = rising[np.searchsorted(rising, start) :]
        if tail[-1] == start:
            continue  # one value only has no slope
        exponent = 1.0 + tail.size / float(np.log(tail / (start - 0.5)).sum())
        values, first = np.unique(tail, return_index=True)
        # Shares of the tail that are at least each value, as found and as expected.
        found = 1.0 - first / tail.size
        expected = ((values - 0.5) / (start - 0.5)) ** (1.0 - exponent)
        distance = float(np.abs(found - expected).max())
        if best is None or distance < best.distance:
            best = PowerLaw(exponent, int(start), int(tail.size), int(rising.size), distance)
    return best
