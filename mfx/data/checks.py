"""Checks that several data sets make on their settings."""

from __future__ import annotations

import math

from mfx.errors import SettingError
from mfx.interfaces import RatingScale


def scale_of(component: str, low: float | None, high: float | None) -> RatingScale | None:
    """Return the scale that two settings state, or None if neither is given.

    Raises
    ------
    SettingError
        If only one is given, one is not finite, or they are the wrong way round.
    """
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise SettingError(f"{component}: give rating_min and rating_max together, or neither.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SettingError(f"{component}: rating_min={low} must be below rating_max={high}, both finite.")
    return RatingScale(float(low), float(high))
