"""Exact shares: how many of n rows a decimal fraction is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mfx.interfaces import PointerArray


def floor_share(fraction: float, counts: PointerArray) -> PointerArray:
    """Return ⌊fraction·n⌋ of each count, with the fraction taken as the decimal number that was typed.

    In floating point 0.29·100 is 28.999…; here it is 29.

    Parameters
    ----------
    fraction : float
        Between 0 and 1.
    counts : int64 array
        Numbers of rows, not negative.
    """
    exact = Fraction(str(fraction))
    if not counts.size or exact.numerator * int(counts.max()) < 2**63 - 1:
        return counts * exact.numerator // np.int64(min(exact.denominator, 2**63 - 1))
    distinct, where = np.unique(counts, return_inverse=True)
    shares = [int(count) * exact.numerator // exact.denominator for count in distinct]
    return np.array(shares, dtype=np.int64)[where].reshape(counts.shape)


def floor_share_of(fraction: float, count: int) -> int:
    """Return ⌊fraction·n⌋ of one count, as `floor_share` does."""
    exact = Fraction(str(fraction))
    return count * exact.numerator // exact.denominator
